"""What a notebook declares in its parameters cell, and what papermill put behind that cell.

Vocabulary
----------
The *parameters cell* is the one tagged `parameters`: assignments of plain values, each with a type
or the type of its value, and as a comment on the same line what it means. Imports may stand there
as well. The *injected cell* is papermill's: it begins with `# Parameters` and follows at once.
"""

import ast
import functools
import io
import json
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import EvidenceError, ParameterError
from evidence.notebook.parameter_rules import SCALARS, SEQUENCES, Refused, Type, take, type_of

TAG = "parameters"
INJECTED = "# Parameters\n"
_CALLS = ("date", "Path")


@dataclass(frozen=True)
class Parameter:
    """One parameter as declared; `default` as a notebook gets it from outside (see `rule`)."""

    name: str
    type: Type
    default: object
    help: str
    line: int


def declared(notebook: Path) -> dict[str, Parameter]:
    """What a notebook declares, by name; nothing if no cell of it is a parameters cell.

    Raises
    ------
    ParameterError
        The cell holds something else than declarations, with its line.
    EvidenceError
        The file is no notebook.
    """
    try:
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        cell = next(
            (c for c in cells if TAG in c["metadata"].get("tags", []) and c["cell_type"] == "code"),
            None,
        )
        source = "".join(cell["source"]) if cell else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvidenceError(f"{notebook}: is no notebook that can be read: {error}") from None
    return dict(read_cell(source, notebook.name))


@functools.lru_cache(maxsize=64)
def read_cell(source: str, notebook: str) -> dict[str, Parameter]:
    """The declarations of the source of a parameters cell; `notebook` is named in errors.

    Raises
    ------
    ParameterError
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise _at(notebook, line, "is not Python") from None
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for node in statements:
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_remark(node):
            continue
        name, annotation, value = _assignment(node, notebook)
        if name in found:
            raise _at(notebook, node.lineno, f"{name} is declared twice")
        default = _value(value, notebook, name)
        kind = _type(annotation, notebook, name) if annotation else type_of(default)
        if kind is None:
            kind = _type_of_call(value)
        if kind is None:
            said = f"{name} has no type and its default none; declare one, such as {name}: str"
            raise _at(notebook, node.lineno, said)
        try:
            default = take(kind, default)
        except Refused as error:
            raise _at(notebook, node.lineno, f"the default of {name}: {error}") from None
        found[name] = Parameter(name, kind, default, comments.get(node.end_lineno, ""), node.lineno)
    return found


def injected(sources: Sequence[str]) -> tuple[str, str] | None:
    """The parameters cell and the injected one among the sources that ran in this kernel.

    None where papermill put none there. In a run from top to bottom the one follows the other;
    in JupyterLab cells run in any order, and the last that declares something is taken.
    """
    last = next((k for k in reversed(range(len(sources))) if _is_injected(sources[k])), 0)
    if not last:
        return None
    before = sources[last - 1]
    for source in reversed(sources[:last]):
        try:
            if not _is_injected(source) and read_cell(source, ""):
                before = source
                break
        except ParameterError:
            continue
    return before, sources[last]


def assigned(source: str) -> dict[str, object]:
    """The values that an injected cell assigns; an expression that is no plain value is its text.

    Such as `float('nan')`, which no declared type takes.
    """
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                value = _Expression(ast.unparse(node.value))
            found[node.targets[0].id] = value
    return found


class _Expression:
    """Something that is no value; no type takes it."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _is_injected(source: str) -> bool:
    return f"{source}\n".startswith(INJECTED)


def _at(notebook: str, line: int, said: str) -> ParameterError:
    return ParameterError(f"{notebook}: parameters cell, line {line}: {said}")


def _is_remark(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _comments(source: str) -> dict[int, str]:
    """The comment of each line that has one; lines as in `source`, from 1."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _assignment(node: ast.stmt, notebook: str) -> tuple[str, ast.expr | None, ast.expr]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return node.target.id, node.annotation, node.value
    if isinstance(node, ast.Assign) and [type(t) for t in node.targets] == [ast.Name]:
        return node.targets[0].id, None, node.value
    said = f"'{ast.unparse(node).splitlines()[0]}' declares no parameter; write name: type = value"
    raise _at(notebook, node.lineno, said)


def _value(node: ast.expr, notebook: str, name: str) -> object:
    """A plain value, also as `date(2026, 11, 24)` or `Path("x")`."""
    try:
        if _called(node) == "Path":
            return Path(*map(ast.literal_eval, node.args))
        if _called(node) == "date":
            import datetime

            return datetime.date(*map(ast.literal_eval, node.args))
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError):
        said = f"the default of {name}, {ast.unparse(node)}, is no plain value"
        raise _at(notebook, node.lineno, said) from None


def _called(node: ast.expr) -> str:
    """The last part of the name of what is called with nothing but positions; else empty."""
    if not isinstance(node, ast.Call) or node.keywords:
        return ""
    name = ast.unparse(node.func).rpartition(".")[2]
    return name if name in _CALLS else ""


def _type_of_call(node: ast.expr) -> Type | None:
    return Type(_called(node)) if _called(node) else None


def _type(node: ast.expr, notebook: str, name: str) -> Type:
    """The type of an annotation, also as a text.

    Raises
    ------
    ParameterError
    """
    try:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        return _known(node, nested=False)
    except (ValueError, SyntaxError):
        *first, last = (n for n in (*SCALARS, *SEQUENCES) if n != "Literal")
        said = f"{name} is declared as {ast.unparse(node)}; a parameter is of type "
        said += f"{', '.join(first)}, {last} or Literal, a list or tuple also of such"
        raise _at(notebook, node.lineno, said) from None


def _known(node: ast.expr, *, nested: bool) -> Type:
    """The type that an annotation names.

    Raises
    ------
    ValueError
        It is none of those that a parameter may have.
    """
    if not isinstance(node, ast.Subscript):
        name = ast.unparse(node).rpartition(".")[2]
        if name.lower() in SEQUENCES and not nested:
            return Type(name.lower())
        if name in SCALARS and name != "Literal":
            return Type(name)
        raise ValueError(name)
    name = ast.unparse(node.value).rpartition(".")[2]
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        words = tuple(ast.literal_eval(part) for part in inner)
        if not all(isinstance(word, str | int | bool) for word in words):
            raise ValueError(name)
        return Type("Literal", words=words)
    name = name.lower()
    open_ended = len(inner) == 2 and ast.unparse(inner[1]) == "..."
    if nested or name not in SEQUENCES or (name == "list" and len(inner) != 1):
        raise ValueError(name)
    items = tuple(_known(part, nested=True) for part in (inner[:1] if open_ended else inner))
    return Type(name, items, fixed=name == "tuple" and not open_ended)
