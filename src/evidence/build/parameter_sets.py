"""The file `reports.yml` of a project, read into sets and grids with every fault at its line.

Named sets of parameters and grids of such sets, from `reports.yml` or the command line.

Vocabulary
----------
A *set* gives each of its parameters one value and has a name. A *grid* gives each of its
parameters, its *axes*, one value or several; it is *expanded* into one set for each combination.
`each` on an axis stands for every word that the parameter can be, as the data have them. Both may
name the `notebooks` that they are for. Where a parameter is a list, a word on an axis is a list of
one.
"""

import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from evidence.dataset.dataset import Dataset
from evidence.dataset.text_checks import reveal_hidden
from evidence.errors import DatasetError, ParameterError, Problem, not_one_of
from evidence.files import digest
from evidence.notebook.parameter_cell import Parameter
from evidence.notebook.parameter_rules import Refused, Text, shown, split_assignments, take
from evidence.notebook.parameter_vocabulary import Known, words_of
from evidence.provenance.sentence import slug

SETS_FILE = "reports.yml"
ALL, EACH, NOTEBOOKS = "all", "each", "notebooks"
MOST = 10_000
"""Sets that one grid may make; more is a slip of the hand."""
LONGEST = 100
"""Characters of a set's name, which is to be the name of a folder."""


@dataclass(frozen=True)
class ParameterSet:
    """Values for one run of the notebooks.

    `name` is safe as the name of a folder. `parameters` are values as YAML has them, or `Text`s
    of the command line, which `resolve` holds to what the notebooks declare. `notebooks` are names
    as `--only` takes them, none for all. `where` tells of each parameter where it was given.
    """

    name: str
    parameters: Mapping[str, object]
    notebooks: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """Values for many runs; an axis is `EACH`, one value, or a list of values, one a set.

    `name` is empty for the grid of the command line; the rest as in `ParameterSet`.
    """

    name: str
    axes: Mapping[str, object]
    notebooks: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)


def choose_sets(
    known: Mapping[str, ParameterSet | Grid], asked: Sequence[str]
) -> list[ParameterSet | Grid]:
    """The sets and grids of these names, each once, in the order asked; `all` takes every one.

    Raises
    ------
    ParameterError
        A name that is none, or any where the project names none.
    """
    chosen: dict[str, ParameterSet | Grid] = {}
    for name in asked:
        if not known:
            raise ParameterError(f"--set {name}: the project has no sets; name them in {SETS_FILE}")
        if name != ALL and name not in known:
            raise ParameterError(f"--set {name}: {not_one_of(shown(name), [*known, ALL])}")
        chosen |= known if name == ALL else {name: known[name]}
    return list(chosen.values())


def parse_grid(texts: Sequence[str]) -> Grid:
    """A grid as typed: `conditions=a,b` has two values, `outcomes=each` one for every word.

    Values that hold a comma themselves are a JSON list, in which a list is one value.

    Raises
    ------
    ParameterError
    """
    axes: dict[str, object] = {}
    for name, text in split_assignments(texts, "--grid").items():
        axes[name] = EACH if text.strip() == EACH else _values(name, text)
    return Grid("", axes)


def _values(name: str, text: str) -> list[object]:
    if text.strip().startswith("["):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            raise ParameterError(f"--grid {name}={text}: is not a JSON list") from None
    else:
        values = [Text(word.strip()) for word in text.split(",")]
    if not values or "" in [v for v in values if isinstance(v, Text)]:
        said = f"has nothing between two commas or at an end; write {name}=a,b or {name}={EACH}"
        raise ParameterError(f"--grid {name}={text}: {said}")
    return values


def expand(
    grid: Grid,
    notebooks: Mapping[str, Mapping[str, Parameter]],
    dataset: Dataset | Callable[[], Dataset],
) -> list[ParameterSet]:
    """One set for each combination of a grid's values, the last axis varying fastest.

    Parameters
    ----------
    notebooks : mapping
        `declared` of each notebook that the grid is for, by its name.

    Raises
    ------
    ParameterError
        `each` of a parameter without words, no value or one twice, or more than `MOST` sets.
        What else is wrong with a value, `resolve` says of the set.
    """
    known = Known(dataset)
    axes = {
        name: [_as_declared(name, one, notebooks) for one in _spread(grid, name, notebooks, known)]
        for name in grid.axes
    }
    count = math.prod(map(len, axes.values()))
    if count > MOST:
        said = " × ".join(f"{name} {len(values)}" for name, values in axes.items())
        raise ParameterError(f"{_of(grid)}: makes {count} sets ({said}); at most {MOST}")
    made: dict[str, ParameterSet] = {}
    for combination in itertools.product(*axes.values()):
        parameters = dict(zip(axes, combination, strict=True))
        name = set_name(parameters)
        if name in made:
            if made[name].parameters == parameters:
                raise ParameterError(f"{_of(grid)}: makes {name} twice; give each value once")
            name = _marked(name, repr(combination))
        made[name] = ParameterSet(name, parameters, grid.notebooks, grid.where)
    return list(made.values())


def expand_sets(
    chosen: Iterable[ParameterSet | Grid],
    declared_by: Callable[[tuple[str, ...]], Mapping[str, Mapping[str, Parameter]]],
    dataset: Dataset | Callable[[], Dataset],
) -> list[ParameterSet]:
    """Sets as they are and grids expanded, each once.

    Parameters
    ----------
    declared_by : callable
        From the `notebooks` of a set or grid to what these declare, as `expand` takes it.

    Raises
    ------
    ParameterError
        As `expand`; also two of one name with other values, since both cannot have its folder.
    """
    found: dict[str, ParameterSet] = {}
    for one in chosen:
        grid = isinstance(one, Grid)
        for made in expand(one, declared_by(one.notebooks), dataset) if grid else [one]:
            other = found.setdefault(made.name, made)
            if (other.parameters, other.notebooks) != (made.parameters, made.notebooks):
                said = "two of the sets asked for have this name and are not the same; ask for one"
                raise ParameterError(f"{made.name}: {said}")
    return list(found.values())


def set_name(parameters: Mapping[str, object]) -> str:
    """The name of a set made from its values, safe for a folder: conditions-ptsd_confidence-0.9.

    It hangs on the values alone; where it would be too long, its end is a hash.
    """
    parts = []
    for name, value in parameters.items():
        values = value if isinstance(value, list) else [value]
        said = "--".join(filter(None, map(_said, values)))
        parts.append("-".join(filter(None, (slug(name.replace("_", "-")), said))))
    full = "_".join(parts)
    return full if len(full) <= LONGEST else _marked(full, full)


def _marked(name: str, content: str) -> str:
    mark = digest(content.encode("utf-8", "backslashreplace"), 10)
    return f"{name[: LONGEST - 11].rstrip('-_.')}-{mark}"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return json.dumps(value)
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII):
        return text
    return slug(text.encode("utf-8", "backslashreplace").decode())


def _spread(
    grid: Grid,
    name: str,
    notebooks: Mapping[str, Mapping[str, Parameter]],
    known: Known,
) -> Iterable[object]:
    """The values of an axis, one a set."""
    values = grid.axes[name]
    if values != EACH:
        return values if isinstance(values, list) else [values]
    found = [
        words_of(notebook, name, parameters[name].type, known)
        for notebook, parameters in notebooks.items()
        if name in parameters
    ]
    if not found or None in found:
        return _no_words(grid, name, bool(found))
    shared = [word for word in found[0] if all(word in words for words in found[1:])]
    if not shared:
        raise ParameterError(f"{_of(grid)}: {name}: the data have no word for it")
    return shared


def _no_words(grid: Grid, name: str, is_declared: bool) -> list[object]:
    """A name that nothing declares is left to `resolve`, which knows what may be meant."""
    if is_declared:
        said = f"{name}: has no words to take {EACH} of; list the values"
        raise ParameterError(f"{_of(grid)}: {said}")
    return [EACH]


def _as_declared(
    name: str, value: object, notebooks: Mapping[str, Mapping[str, Parameter]]
) -> object:
    """A word of a list as a list of one, and a text as what it writes, so that names are the same.

    What cannot be read is left as it is, for `resolve` to refuse.
    """
    kinds = [p[name].type for p in notebooks.values() if name in p]
    if not kinds:
        return value
    kind = kinds[0]
    if kind.several and not isinstance(value, list | tuple):
        item = kind.item(0) if not kind.fixed else None
        value = [value] if not item else [_taken(item, value)]
    return _taken(kind, value)


def _taken(kind, value: object) -> object:
    try:
        return take(kind, value)
    except Refused:
        return value


def _of(grid: Grid) -> str:
    return f"{SETS_FILE}: grid {grid.name}" if grid.name else "--grid"


KINDS = ("sets", "grids")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(10))}
_NAME = re.compile(r"[a-z0-9]+([-_.][a-z0-9]+)*", re.ASCII)
_RULE = f"write small letters, digits and hyphens, at most {LONGEST}, such as by-condition"


def read_sets(project: Path) -> dict[str, ParameterSet | Grid]:
    """What the `reports.yml` of a project names, in its order; nothing where there is none.

    Raises
    ------
    DatasetError
        Everything in it that is not as it should be, each with its line. Whether the parameters
        exist and may have these values, `resolve` says.
    """
    path = project / SETS_FILE
    if not path.exists():
        return {}
    try:
        return _Reader().sets(path.read_text("utf-8-sig"))
    except OSError as error:
        said, line = f"cannot be read: {error.strerror}", 0
    except UnicodeDecodeError:
        said, line = "is not text in UTF-8", 0
    except yaml.MarkedYAMLError as error:
        said = f"is not YAML: {error.problem or error.context}"
        line = error.problem_mark.line + 1 if error.problem_mark else 0
    except (yaml.YAMLError, RecursionError) as error:
        said, line = f"is not YAML: {str(error).splitlines()[0]}", 0
    raise DatasetError([Problem(SETS_FILE, line, "", "it", said)])


class _Reader:
    """One reading of the file; `problems` holds what was wrong so far."""

    def __init__(self):
        self.problems: list[Problem] = []
        self._loader = yaml.SafeLoader("")

    def sets(self, text: str) -> dict[str, ParameterSet | Grid]:
        """Every set and grid.

        Raises
        ------
        DatasetError
        """
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        found: dict[str, ParameterSet | Grid] = {}
        wanted = "is no part of it; it has sets and grids"
        for kind, _, whole in self._pairs(root, "", "needs sets: or grids: at its beginning"):
            if kind.value not in KINDS:
                self._refuse(kind, "", kind.value, wanted)
                continue
            rule = "needs a name, and below it parameters"
            for name, column, body in self._pairs(whole, kind.value, rule):
                if name.value in found:
                    self._refuse(name, column, name.value, "names a set and a grid; rename one")
                    continue
                self._require_name(name, column)
                found[name.value] = self._one(kind.value, name, body)
        if self.problems:
            raise DatasetError(self.problems)
        return found

    def _one(self, kind: str, name: yaml.Node, body: yaml.Node) -> ParameterSet | Grid:
        values, where, notebooks = {}, {}, ()
        rule = "needs parameters, one a line, such as confidence: 0.9; {} for none"
        for key, _, node in self._pairs(body, name.value, rule):
            if key.value == NOTEBOOKS:
                notebooks = self._notebooks(node)
                continue
            if not key.value.isidentifier():
                self._refuse(key, name.value, key.value, "is no name of a parameter")
            where[key.value] = f"{SETS_FILE}:{key.start_mark.line + 1}"
            depth = 2 if kind == "grids" else 1
            values[key.value] = self._value(node, key.value, depth)
            if kind == "grids" and values[key.value] == []:
                said = f"has no value; list some, or write {EACH}"
                self._refuse(node, key.value, "the list", said)
        if kind == "sets":
            return ParameterSet(name.value, values, notebooks, where)
        if not values:
            said = f"makes no set; give a parameter several values, such as conditions: {EACH}"
            self._refuse(name, kind, name.value, said)
        return Grid(name.value, values, notebooks, where)

    def _pairs(self, node: yaml.Node | None, column: str, rule: str) -> Iterator[tuple]:
        """Keys and values of a mapping; other nodes and keys that come twice are problems."""
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, column, column or "it", rule)
            return
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, column, "a list or mapping", "is no name")
            elif key.value in seen:
                self._refuse(key, column, key.value, "stands there twice; keep one")
            else:
                seen.add(key.value)
                yield key, column, value

    def _value(self, node: yaml.Node, name: str, depth: int) -> object:
        """A scalar, or lists of such, no deeper than `depth`."""
        if isinstance(node, yaml.ScalarNode):
            try:
                return self._loader.construct_object(node)
            except (yaml.YAMLError, ValueError, OverflowError):
                self._refuse(node, name, node.value, "is no plain value; write it in quotes")
        elif isinstance(node, yaml.SequenceNode) and depth:
            return [self._value(part, name, depth - 1) for part in node.value]
        else:
            said = "is a mapping" if isinstance(node, yaml.MappingNode) else "is a list in a list"
            self._refuse(node, name, "its value", f"{said}; give a value or a list of values")
        return None

    def _notebooks(self, node: yaml.Node) -> tuple[str, ...]:
        value = self._value(node, NOTEBOOKS, 1)
        names = value if isinstance(value, list) else [value]
        if names and all(isinstance(name, str) and name for name in names):
            return tuple(names)
        self._refuse(node, NOTEBOOKS, "it", "needs names of notebooks, such as [comparison]")
        return ()

    def _require_name(self, node: yaml.Node, column: str) -> None:
        name = node.value
        if name == ALL:
            self._refuse(node, column, name, "stands for all sets; choose another name")
        elif name.split(".")[0] in _DEVICES:
            self._refuse(node, column, name, "is a device on some systems; choose another name")
        elif not _NAME.fullmatch(name) or len(name) > LONGEST:
            self._refuse(node, column, f"'{name}'", f"is no name of a set; {_RULE}")

    def _refuse(self, node: yaml.Node, column: str, value: str, rule: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(
            Problem(SETS_FILE, line, reveal_hidden(column), reveal_hidden(value), rule)
        )
