"""Notebook parameters: what a notebook declares, and the check of values given for them.

A notebook declares its parameters in the cell tagged `parameters`, one per line with a type, a
default and a comment that says what it means::

    confidence: float = 0.95  # coverage of all intervals, between 0 and 1

A type is str, int, float, bool, date, Path, Literal, or a list or tuple of these. Values are text,
numbers, true or false, or a list of these, so that JSON, YAML, papermill and Python agree on them.
"""

import ast
import functools
import io
import json
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from evidence.dataset.text_checks import reveal_hidden
from evidence.errors import EvidenceError, ParameterError, did_you_mean, not_one_of
from evidence.files import read_json
from evidence.notebook.locate import notebooks_of
from evidence.notebook.parameter_values import TextValue, format_value, plain_value, read_text

# pandas and pydantic take longer to import than an unchanged report takes to be recognised.
if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationInfo

    from evidence.dataset.dataset import Dataset

TAG = "parameters"
INJECTED = "# Parameters\n"
"""The first line of the cell that papermill inserts after the parameters cell."""
COMMAND_OPTIONS = {"project": "--project", "out": "--out"}
"""Parameters that `evidence report` sets through options of its own."""
MAX_NOTEBOOKS_NAMED = 3


@dataclass(frozen=True)
class Parameter:
    """One declared parameter; `line` is its line in the parameters cell."""

    name: str
    type: str
    default: object
    help: str
    line: int


@dataclass(frozen=True)
class NotebookParameters:
    """The parameters that one notebook declares, by name."""

    notebook: str
    parameters: Mapping[str, Parameter]

    @functools.cached_property
    def model(self) -> "type[BaseModel]":
        """A pydantic model that checks type and vocabulary of every parameter.

        Raise `ParameterError` if a parameter is declared with an unknown type.
        """
        from pydantic import ConfigDict, Field, create_model

        # Names go into aliases: a field called `copy` or `json` would hide a method of the model.
        fields: dict[str, Any] = {
            f"field_{number}": (self._field_type(parameter), Field(default=None, alias=name))
            for number, (name, parameter) in enumerate(self.parameters.items())
        }
        try:
            model = create_model(
                self.notebook,
                __config__=ConfigDict(allow_inf_nan=False),
                __module__=__name__,
                **fields,
            )
            model.model_rebuild()
        except Exception as error:  # each kind of bad annotation raises another class
            raise ParameterError(
                f"{self.notebook}: parameters cell: {str(error).splitlines()[0]}. "
                "Use str, int, float, bool, date, Path, Literal, or a list or tuple of these."
            ) from None
        return model

    def _field_type(self, parameter: Parameter) -> object:
        from pydantic import AfterValidator

        declared = shared_types().get(parameter.name, parameter.type)
        if parameter.name not in shared_types():
            return declared
        check = functools.partial(_check_vocabulary, self.notebook, parameter.name)

        def validate(value: object, info: "ValidationInfo") -> object:
            if info.context is not None:
                check(value, info.context)
            return value

        return Annotated[declared, AfterValidator(validate)]

    def type_of(self, name: str) -> Any:
        """Return the type of a parameter as a Python type."""
        declared = next(
            field.annotation for field in self.model.model_fields.values() if field.alias == name
        )
        return get_args(declared)[0] if get_origin(declared) is Annotated else declared

    def validate(
        self, values: Mapping[str, object], dataset: "Dataset | None" = None
    ) -> tuple[dict[str, object], list[tuple[str, str]]]:
        """Check the values given for this notebook, and its defaults where none is given.

        Names that the notebook does not declare are ignored. Without a dataset, which holds the
        words that are allowed, only types are checked. Returned are the values as a notebook gets
        them, and each problem as parameter and message.
        """
        plain: dict[str, object] = {}
        problems = []
        for name, parameter in self.parameters.items():
            value = values.get(name, parameter.default)
            try:
                if isinstance(value, TextValue):
                    value = read_text(value.text, self.type_of(name))
                plain[name] = plain_value(value)
            except ValueError as error:
                problems.append((name, str(error)))
        from pydantic import ValidationError

        try:
            # Strict JSON: "0.5" is not a number and 1 is not true, but a date is a text.
            checked = self.model.model_validate_json(
                json.dumps(plain), strict=True, context=dataset
            )
        except ValidationError as errors:
            problems += [(str(error["loc"][0]), _message(error)) for error in errors.errors()]
            return {}, problems
        typed = checked.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {name: typed[name] for name in values if name in typed}, problems

    def words(self, name: str, dataset: "Dataset") -> Sequence[object] | None:
        """Return every word that a parameter accepts; None where it has no vocabulary."""
        from evidence.notebook.allowed_values import vocabulary

        if known := vocabulary(self.notebook, name):
            return known.words(dataset)
        declared = self.type_of(name)
        if get_origin(declared) is list:
            declared = get_args(declared)[0]
        if get_origin(declared) is Literal:
            return get_args(declared)
        return (False, True) if declared is bool else None


@functools.cache
def shared_types() -> dict[str, Any]:
    """Return the type of each parameter that means the same in every notebook."""
    from pydantic import Field

    later = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    texts = "project out scope study condition treatment comparator outcome scale_outcome"
    texts += " measure comparison_measure method test curve_scope shape route decline"
    lists = "conditions outcomes proportion_outcomes comparison_outcomes sensitivity_outcomes"
    return {
        **dict.fromkeys(texts.split(), str),
        **dict.fromkeys(lists.split(), list[str]),
        "confidence": Annotated[float, Field(gt=0, lt=1)],
        "time_days": Annotated[float, Field(ge=0)],
        "times": later,
        "start_days": Annotated[float, Field(ge=0)],
        "correlation": Annotated[float, Field(ge=0, lt=1)],
        "max_time_ratio": Annotated[float, Field(ge=1)],
        "sensitivity_times": later,
        "dose_levels": list[Annotated[float, Field(gt=0)]],
        "allow_nonrandomised": bool,
        "include_double_zero": bool,
    }


def read_parameters(notebook: Path) -> NotebookParameters:
    """Read what a notebook declares; nothing if no cell of it is tagged `parameters`.

    Raise `ParameterError` if the cell holds something other than declarations; `EvidenceError` if
    the file is not a notebook.
    """
    try:
        cells = read_json(notebook)["cells"]
        sources = [
            "".join(cell["source"])
            for cell in cells
            if cell["cell_type"] == "code" and TAG in cell["metadata"].get("tags", [])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvidenceError(f"{notebook}: not a readable notebook: {error}") from None
    return parse_cell(notebook.stem, sources[0] if sources else "")


@functools.lru_cache(maxsize=64)
def parse_cell(notebook: str, source: str) -> NotebookParameters:
    """Parse the source of a parameters cell.

    `papermill.inspect_notebook` reads the same cell, but leaves out every line with a second "=",
    as in a comment, and types such as Literal, and takes seconds to import. Raise `ParameterError`
    with the line of what is not a declaration.
    """

    def problem(line: int, message: str) -> ParameterError:
        return ParameterError(f"{notebook}: parameters cell, line {line}: {message}")

    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise problem(getattr(error, "lineno", None) or 1, "not valid Python") from None
    comments = _comments(source)
    parameters: dict[str, Parameter] = {}
    for node in statements:
        declared = ""
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                declared = ast.unparse(node.annotation).strip("'\"")
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                statement = ast.unparse(node).splitlines()[0]
                raise problem(
                    node.lineno, f"{statement!r} declares nothing. Write name: type = value"
                )
        if name in parameters:
            raise problem(node.lineno, f"{name} is declared twice")
        try:
            default = _literal(value)
        except (ValueError, TypeError, OverflowError, RecursionError, MemoryError):
            shown = ast.unparse(value)
            raise problem(
                node.lineno, f"the default of {name} is not a plain value: {shown}"
            ) from None
        comment = comments.get(node.end_lineno or 0, "")
        declared = declared or type(default).__name__
        parameters[name] = Parameter(name, declared, default, comment, node.lineno)
    return NotebookParameters(notebook, parameters)


def _literal(node: ast.expr) -> object:
    """Evaluate a plain value, also as `Path("a")` or `date(2026, 11, 24)`."""
    if isinstance(node, ast.Call) and not node.keywords:
        name = ast.unparse(node.func).rpartition(".")[2]
        arguments = [ast.literal_eval(argument) for argument in node.args]
        if name in ("Path", "date"):
            return {"Path": Path, "date": date}[name](*arguments)
    return ast.literal_eval(node)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def validate_parameters(
    values: Mapping[str, object],
    notebooks: Mapping[str, NotebookParameters],
    dataset: "Dataset | None" = None,
    origins: Mapping[str, str] | None = None,
) -> dict[str, dict[str, object]]:
    """Check values for several notebooks, each of which gets those that it declares.

    Raise `ParameterError` with every problem: an unknown name, a wrong type, a value that is not
    allowed. Defaults are checked as well, because they are used where nothing is given.

    Parameters
    ----------
    values : mapping
        By parameter a `TextValue`, or a value as YAML or Python has it.
    notebooks : mapping
        `read_parameters` of each notebook, by its name.
    dataset : Dataset, optional
        Holds the words that are allowed. Without it only names and types are checked.
    origins : mapping of str to str, optional
        Where each value was given, such as `reports.yml:5`, for the message.
    """
    declared = {name for notebook in notebooks.values() for name in notebook.parameters}
    affected: dict[tuple[str, str], list[str]] = {}
    for name in values:
        if name in COMMAND_OPTIONS:
            affected[name, f"set it with {COMMAND_OPTIONS[name]}"] = list(notebooks)
        elif name not in declared:
            affected[_unknown(name, declared)] = list(notebooks)
    valid = {}
    settable = {name: value for name, value in values.items() if name not in COMMAND_OPTIONS}
    for notebook, parameters in notebooks.items():
        valid[notebook], problems = parameters.validate(settable, dataset)
        for name, message in problems:
            affected.setdefault((name, message), []).append(notebook)
    if affected:
        raise ParameterError(
            "\n".join(
                ": ".join(filter(None, ((origins or {}).get(name), _names(names), name, message)))
                for (name, message), names in affected.items()
            )
        )
    return valid


def validate_arguments(
    notebook: str, arguments: Mapping[str, object], dataset: "Dataset"
) -> dict[str, object]:
    """Check the arguments with which a notebook calls `open_report`.

    papermill only warns of a misspelt parameter. Here it is refused, as are wrong values. Raise
    `ParameterError` with every problem, in the words of `validate_parameters`.
    """
    path = notebooks_of(dataset.project).get(notebook)
    on_disk = read_parameters(path).parameters if path else None
    known = {*shared_types(), *(arguments if on_disk is None else on_disk)}
    unknown = [name for name in arguments if name not in known]
    unknown += [name for name in _injected_unknown() if name not in unknown]
    available = arguments if on_disk is None else on_disk
    problems = [_unknown(name, available, f" in {notebook}.ipynb as saved") for name in unknown]
    parameters = {
        name: (on_disk or {}).get(name) or Parameter(name, "Any", value, "", 0)
        for name, value in arguments.items()
        if name not in unknown
    }
    declared = NotebookParameters(notebook, parameters)
    texts = {
        name: TextValue(value)
        for name, value in arguments.items()
        # `papermill -p` passes a list as text.
        if isinstance(value, str)
        and value.lstrip().startswith("[")
        and name in parameters
        and (get_origin(declared.type_of(name)) or declared.type_of(name)) in (list, tuple)
    }
    values, wrong = declared.validate({**arguments, **texts}, dataset)
    if problems := problems + wrong:
        raise ParameterError("\n".join(f"{notebook}: {name}: {text}" for name, text in problems))
    if texts and (shell := _shell()):
        # Later cells read the notebook's own variables.
        shell.push({name: values[name] for name in texts if name in shell.user_ns})
    return values


def _shell():
    """Return the IPython shell that runs this notebook, if one does."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _injected_unknown() -> Iterator[str]:
    """Yield the names that papermill assigned in this kernel although no earlier cell had them."""
    shell = _shell()
    if shell is None:
        return
    known: set[str] = set()
    cells = [source for _, _, source in shell.history_manager.get_range()]
    last = max(
        (k for k, source in enumerate(cells) if f"{source}\n".startswith(INJECTED)), default=0
    )
    for source in cells[:last]:
        with suppress(SyntaxError):
            known |= set(_assigned(source))
    if last:
        yield from (name for name in _assigned(cells[last]) if name not in known)


def _assigned(source: str) -> Iterator[str]:
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _unknown(name: str, declared: Iterable[str], where: str = "") -> tuple[str, str]:
    """Return the name as a message shows it, and the message."""
    known = sorted(set(declared) - set(COMMAND_OPTIONS))
    available = ", ".join(known) or "none"
    hint = did_you_mean(name, known)
    return reveal_hidden(name), f"unknown parameter.{hint} Available{where}: {available}"


def _names(notebooks: Sequence[str]) -> str:
    if len(notebooks) > MAX_NOTEBOOKS_NAMED:
        return f"{notebooks[0]} and {len(notebooks) - 1} other notebooks"
    return ", ".join(notebooks)


def _check_vocabulary(notebook: str, name: str, value: Any, dataset: "Dataset") -> None:
    from pydantic_core import PydanticCustomError

    from evidence.notebook.allowed_values import vocabulary

    known = vocabulary(notebook, name)
    for word in value if isinstance(value, list) else [value]:
        if known and word not in known.special and word not in known.words(dataset):
            special = [word or "''" for word in known.special]
            message = not_one_of(format_value(word), [*known.words(dataset), *special])
            raise PydanticCustomError("vocabulary", "{message}", {"message": message})


def _message(error: Mapping[str, Any]) -> str:
    """Say one of pydantic's errors in a sentence with the value."""
    if error["type"] == "vocabulary":
        return error["msg"]
    if error["type"] == "too_short":
        return "give at least one value"
    message = f"{error['msg'].replace('valid array', 'list')}, not {format_value(error['input'])}"
    if error["type"] == "list_type" and isinstance(error["input"], str):
        message += '. Write one like ["a", "b"] or [1, 2]'
    return message
