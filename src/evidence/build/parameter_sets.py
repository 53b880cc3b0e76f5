"""Named sets of parameters and grids of such sets, from `reports.yml` or the command line.

A set gives each of its parameters one value. A grid gives each of its parameters, its axes, one or
several values and expands to one set per combination; the value `each` stands for every word that
the parameter accepts. Both may list the `notebooks` that they are for.
"""

import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_origin

import yaml

from evidence.dataset.dataset import Dataset
from evidence.dataset.text_checks import quote, reveal_hidden
from evidence.errors import DatasetError, ParameterError, Problem, not_one_of
from evidence.files import YAML_MISTAKES, digest, parse_json, read_text
from evidence.notebook.parameter_values import TextValue, parse_assignments
from evidence.notebook.parameters import NotebookParameters
from evidence.provenance.sentence import slug

SETS_FILE = "reports.yml"
KINDS = ("sets", "grids")
ALL, EACH, NOTEBOOKS = "all", "each", "notebooks"
MAX_SETS = 10_000
"""Sets that one grid may make; more is a mistake."""
MAX_NAME = 100
"""Characters of a set's name, which becomes the name of a folder."""
MAX_DEPTH = 3
"""Levels of keys in `reports.yml`: kind, name, parameter."""
SET_NAME = re.compile(r"[a-z0-9]+([-_.][a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True)
class ParameterSet:
    """Values for one run of the notebooks.

    Attributes
    ----------
    name : str
        Safe as the name of a folder.
    parameters : mapping
        Values as YAML has them, or a `TextValue`; `validate_parameters` checks them.
    notebooks : tuple of str
        Names as `--only` takes them; empty for all.
    origins : mapping of str to str
        Where each parameter was given, such as `reports.yml:5`.
    """

    name: str
    parameters: Mapping[str, object]
    notebooks: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """Values for many runs; an axis is `EACH`, one value, or a list with one value per set.

    `name` is empty for the grid of the command line. The rest is as in `ParameterSet`.
    """

    name: str
    axes: Mapping[str, object]
    notebooks: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{SETS_FILE}: grid {self.name}" if self.name else "--grid"


def read_sets(project: Path) -> dict[str, ParameterSet | Grid]:
    """Read the sets and grids of a project's `reports.yml`; none if there is no such file.

    Raise `DatasetError` with every problem and its line. Whether the parameters exist and may have
    these values is checked by `validate_parameters`.
    """
    path = project / SETS_FILE
    if not (path.exists() or path.is_symlink()):
        return {}
    line = 0
    try:
        text = read_text(path, "utf-8-sig")
        content = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        message = "not UTF-8 text"
    except yaml.MarkedYAMLError as error:
        message = f"not valid YAML: {error.problem or error.context}"
        line = error.problem_mark.line + 1 if error.problem_mark else 0
    except RecursionError:
        message = "not valid YAML: nested too deeply"
    except (yaml.YAMLError, *YAML_MISTAKES) as error:
        message = (
            f"not valid YAML: {str(error).splitlines()[0]}. Put text that is not a date in quotes"
        )
    else:
        return _SetsFile(root).sets(content)
    raise DatasetError([Problem(SETS_FILE, line, "", message)])


class _SetsFile:
    """The line of each key in the file, and the problems so far."""

    def __init__(self, root: yaml.Node | None):
        self.problems: list[Problem] = []
        self.lines: dict[tuple, int] = {}
        self._read_lines(root, ())

    def _read_lines(self, node: yaml.Node | None, path: tuple) -> None:
        if not isinstance(node, yaml.MappingNode) or len(path) == MAX_DEPTH:
            return
        for key, value in node.value:
            new = (*path, key.value) if isinstance(key, yaml.ScalarNode) else (*path, "?")
            if new in self.lines:
                self._add(new, "appears twice. Keep one", key.start_mark.line + 1)
            self.lines[new] = key.start_mark.line + 1
            self._read_lines(value, new)

    def _add(self, path: tuple, message: str, line: int = 0) -> None:
        column = ".".join(reveal_hidden(str(key)) for key in path)
        self.problems.append(Problem(SETS_FILE, line or self.lines.get(path, 1), column, message))

    def sets(self, content: object) -> dict[str, ParameterSet | Grid]:
        """Build every set and grid from the content of the file.

        Raise `DatasetError` with every problem.
        """
        found: dict[str, ParameterSet | Grid] = {}
        for kind, entries in self._items((), content, "expected sets: or grids:"):
            if kind not in KINDS:
                self._add((kind,), "unknown key. Available: sets, grids")
                continue
            for name, body in self._items((kind,), entries, "expected a name with parameters"):
                if name in found:
                    self._add((kind, name), "is both a set and a grid. Rename one")
                self._check_name((kind, name))
                found[name] = self._entry(kind, name, body)
        if self.problems:
            raise DatasetError(self.problems)
        return found

    def _items(self, path: tuple, value: object, expected: str) -> Iterable[tuple[str, object]]:
        if isinstance(value, dict):
            return [(str(key), entry) for key, entry in value.items()]
        if value is not None or path:
            self._add(path, expected)
        return []

    def _entry(self, kind: str, name: str, body: object) -> ParameterSet | Grid:
        expected = "expected parameters, such as confidence: 0.9, or {} for none"
        values = dict(self._items((kind, name), body, expected))
        notebooks = values.pop(NOTEBOOKS, ())
        if isinstance(notebooks, str):
            notebooks = [notebooks]
        if not isinstance(notebooks, list | tuple) or not all(
            isinstance(n, str) for n in notebooks
        ):
            self._add((kind, name, NOTEBOOKS), "expected names, such as [comparison]")
            notebooks = ()
        origins = {
            parameter: f"{SETS_FILE}:{self.lines.get((kind, name, parameter), 0)}"
            for parameter in values
        }
        if kind == "sets":
            return ParameterSet(name, values, tuple(notebooks), origins)
        if not values:
            self._add((kind, name), f"expected a parameter, such as conditions: {EACH}")
        for parameter in [parameter for parameter, value in values.items() if value == []]:
            self._add((kind, name, parameter), f"has no value. List some, or write {EACH}")
        return Grid(name, values, tuple(notebooks), origins)

    def _check_name(self, path: tuple) -> None:
        name = path[-1]
        if name == ALL:
            self._add(path, "stands for all sets. Choose another name")
        elif not SET_NAME.fullmatch(name) or len(name) > MAX_NAME:
            rule = f"Use lower-case letters, digits and hyphens, at most {MAX_NAME}"
            self._add(path, f"not a valid name. {rule}")


def choose_sets(
    available: Mapping[str, ParameterSet | Grid], names: Sequence[str]
) -> list[ParameterSet | Grid]:
    """Return the sets and grids of these names, each once; `all` returns every one.

    Raise `ParameterError` if a name is unknown, or the project has no sets.
    """
    chosen: dict[str, ParameterSet | Grid] = {}
    for name in names:
        if not available:
            raise ParameterError(f"--set {name}: the project has no sets. Add them to {SETS_FILE}")
        if name != ALL and name not in available:
            raise ParameterError(f"--set: {not_one_of(quote(name), [*available, ALL])}")
        chosen |= available if name == ALL else {name: available[name]}
    return list(chosen.values())


def parse_grid(texts: Sequence[str]) -> Grid:
    """Parse the grid of the command line.

    `conditions=a,b` has two values, `outcomes=each` one per word. Values that contain a comma
    themselves are written as a JSON list, in which a list is one value. Raise `ParameterError` for
    anything else.
    """
    axes: dict[str, object] = {}
    for name, value in parse_assignments(texts, "--grid").items():
        axes[name] = EACH if value.text.strip() == EACH else _axis(name, value.text)
    return Grid("", axes)


def _axis(name: str, text: str) -> list[object]:
    if not text.strip().startswith("["):
        words = [word.strip() for word in text.split(",")]
        if "" in words:
            raise ParameterError(
                f"--grid {name}={text}: has an empty item. Write {name}=a,b or {name}={EACH}"
            )
        return [TextValue(word) for word in words]
    try:
        values = parse_json(text)
    except (ValueError, RecursionError):
        raise ParameterError(f"--grid {name}={text}: not a JSON list") from None
    if not values:
        raise ParameterError(f"--grid {name}={text}: has no value. Write {name}={EACH} for all")
    return values


def expand(
    grid: Grid, notebooks: Mapping[str, NotebookParameters], read_dataset: Callable[[], Dataset]
) -> list[ParameterSet]:
    """Expand a grid to one set per combination of its values; the last axis varies fastest.

    Raise `ParameterError` for `each` of a parameter without vocabulary, a value given twice, or
    more than `MAX_SETS` sets. `notebooks` has `read_parameters` of each notebook that the grid is
    for, by its name.
    """
    axes = {}
    for name, values in grid.axes.items():
        values = _each(grid, name, notebooks, read_dataset) if values == EACH else values
        values = values if isinstance(values, list | tuple) else [values]
        axes[name] = [_as_declared(name, value, notebooks) for value in values]
    count = math.prod(map(len, axes.values()))
    if count > MAX_SETS:
        sizes = " × ".join(f"{name} {len(values)}" for name, values in axes.items())
        raise ParameterError(f"{grid}: makes {count} sets ({sizes}). The limit is {MAX_SETS}")
    sets: dict[str, ParameterSet] = {}
    for combination in itertools.product(*axes.values()):
        parameters = dict(zip(axes, combination, strict=True))
        name = set_name(parameters)
        if name in sets:
            if sets[name].parameters == parameters:
                raise ParameterError(f"{grid}: makes {name} twice. Give each value once")
            name = _with_digest(name, repr(combination))
        sets[name] = ParameterSet(name, parameters, grid.notebooks, grid.origins)
    return list(sets.values())


def _each(
    grid: Grid,
    name: str,
    notebooks: Mapping[str, NotebookParameters],
    read_dataset: Callable[[], Dataset],
) -> list[object]:
    """Every word that all notebooks with this parameter accept."""
    declaring = [notebook for notebook in notebooks.values() if name in notebook.parameters]
    if not declaring:
        return [EACH]  # `validate_parameters` refuses the name with a suggestion
    vocabularies = []
    for notebook in declaring:
        words = notebook.words(name, read_dataset())
        if words is None:
            raise ParameterError(f"{grid}: {name}: has no vocabulary for {EACH}. List the values")
        vocabularies.append(words)
    words = [word for word in vocabularies[0] if all(word in other for other in vocabularies)]
    if not words:
        raise ParameterError(f"{grid}: {name}: the data have no value for it")
    return words


def _as_declared(name: str, value: object, notebooks: Mapping[str, NotebookParameters]) -> object:
    """Convert a value to its type, so that equal values give equal names; ignore wrong ones."""
    for notebook in notebooks.values():
        if name in notebook.parameters:
            several = (get_origin(notebook.type_of(name)) or notebook.type_of(name)) in (
                list,
                tuple,
            )
            if several and not isinstance(value, list | tuple | TextValue):
                value = [value]
            values, _ = notebook.validate({name: value})
            return values.get(name, value)
    return value


def expand_sets(
    chosen: Iterable[ParameterSet | Grid],
    declared_by: Callable[[tuple[str, ...]], Mapping[str, NotebookParameters]],
    read_dataset: Callable[[], Dataset],
) -> list[ParameterSet]:
    """Return sets as they are and grids expanded, each set once.

    Raise `ParameterError` as `expand` does, and if two different sets have the same name and thus
    the same folder. `declared_by` leads from the `notebooks` of a grid to what these declare, as
    `expand` takes it.
    """
    sets: dict[str, ParameterSet] = {}
    for entry in chosen:
        if isinstance(entry, ParameterSet):
            expanded = [entry]
        else:
            expanded = expand(entry, declared_by(entry.notebooks), read_dataset)
        for new in expanded:
            known = sets.setdefault(new.name, new)
            if (known.parameters, known.notebooks) != (new.parameters, new.notebooks):
                raise ParameterError(f"{new.name}: two different sets have this name. Choose one")
    return list(sets.values())


def set_name(parameters: Mapping[str, object]) -> str:
    """Return a name for a set that is safe for a folder, such as conditions-bread_confidence-0.9.

    It depends on the values alone; a name that would be too long ends in a digest.
    """
    parts = []
    for name, value in parameters.items():
        values = value if isinstance(value, list) else [value]
        words = "--".join(filter(None, map(_name_part, values)))
        parts.append("-".join(filter(None, (slug(name.replace("_", "-")), words))))
    full = "_".join(parts)
    return full if len(full) <= MAX_NAME else _with_digest(full, full)


def _with_digest(name: str, content: str) -> str:
    mark = digest(content.encode("utf-8", "backslashreplace"), 10)
    return f"{name[: MAX_NAME - 11].rstrip('-_.')}-{mark}"


def _name_part(value: object) -> str:
    if isinstance(value, bool):
        return json.dumps(value)
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII):
        return text
    return slug(text.encode("utf-8", "backslashreplace").decode())
