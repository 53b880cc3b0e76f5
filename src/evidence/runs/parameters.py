"""Parameters, checked before anything runs: papermill itself takes a misspelt name in silence.

Vocabulary
----------
A notebook *declares* its parameters in the cell tagged `parameters`: name, type, default and,
as a comment on the same line, what it means.
"""

import ast
import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from evidence.errors import ParameterError

_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list}
GIVEN_BY_COMMAND = {"project": "--project", "out": "--out"}


def declared(notebook: Path) -> dict[str, dict]:
    """What a notebook declares, by name: `type`, `default` (a Python value) and `help`."""
    import papermill

    found = papermill.inspect_notebook(str(notebook))
    return {
        name: {
            "type": (info["inferred_type_name"] or "").split("[")[0],
            "default": ast.literal_eval(info["default"]),
            "help": info["help"],
        }
        for name, info in found.items()
    }


def split_assignments(texts: Sequence[str]) -> dict[str, str]:
    """`name=value` texts as a mapping; the value may hold further equals signs.

    Raises
    ------
    ParameterError
        A text without `=`, or a name given twice.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"-p {text}: write it as name=value, such as -p scope=all")
        if name.strip() in given:
            raise ParameterError(f"-p {text}: {name.strip()} is given twice")
        given[name.strip()] = value
    return given


def resolve(
    given: Mapping[str, str], notebooks: Mapping[str, Mapping[str, dict]]
) -> dict[str, dict[str, object]]:
    """Typed values for each notebook: of those given, the ones that it declares.

    Parameters
    ----------
    given : mapping of str to str
        Names and texts, as typed at the command line.
    notebooks : mapping
        `declared` of each notebook, by its name.

    Raises
    ------
    ParameterError
        A name that no notebook declares, or a text that is not of the declared type.
    """
    names = {name for parameters in notebooks.values() for name in parameters}
    for name in given:
        if name in GIVEN_BY_COMMAND:
            raise ParameterError(f"-p {name}: this one is set with {GIVEN_BY_COMMAND[name]}")
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            allowed = ", ".join(sorted(names - set(GIVEN_BY_COMMAND)))
            raise ParameterError(
                f"-p {name}: no notebook has this parameter; {hint}They declare: {allowed}"
            )
    return {
        notebook: {
            name: _typed(notebook, name, text, parameters[name]["type"])
            for name, text in given.items()
            if name in parameters
        }
        for notebook, parameters in notebooks.items()
    }


def _typed(notebook: str, name: str, text: str, kind: str) -> object:
    """One rule: a list is JSON or words between commas; numbers and true/false are JSON."""
    if kind == "str":
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = (
            [word.strip() for word in text.split(",") if word.strip()] if kind == "list" else text
        )
    if kind == "list" and not isinstance(value, list):
        value = [value]
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not _TYPES[kind]:
        raise ParameterError(f"-p {name}={text}: {notebook} declares it as {kind}")
    return value
