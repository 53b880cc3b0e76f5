"""The file `reports.yml` of a project, read into sets and grids with every fault at its line."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from evidence.corpus.characters import revealed
from evidence.errors import CorpusError, Problem
from evidence.runs.sets import ALL, EACH, FILE, LONGEST, NOTEBOOKS, Grid, ParameterSet

KINDS = ("sets", "grids")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(10))}
_NAME = re.compile(r"[a-z0-9]+([-_.][a-z0-9]+)*", re.ASCII)
_RULE = f"write small letters, digits and hyphens, at most {LONGEST}, such as by-condition"


def read_sets(project: Path) -> dict[str, ParameterSet | Grid]:
    """What the `reports.yml` of a project names, in its order; nothing where there is none.

    Raises
    ------
    CorpusError
        Everything in it that is not as it should be, each with its line. Whether the parameters
        exist and may have these values, `resolve` says.
    """
    path = project / FILE
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
    raise CorpusError([Problem(FILE, line, "", "it", said)])


class _Reader:
    """One reading of the file; `problems` holds what was wrong so far."""

    def __init__(self):
        self.problems: list[Problem] = []
        self._loader = yaml.SafeLoader("")

    def sets(self, text: str) -> dict[str, ParameterSet | Grid]:
        """Every set and grid.

        Raises
        ------
        CorpusError
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
            raise CorpusError(self.problems)
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
            where[key.value] = f"{FILE}:{key.start_mark.line + 1}"
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
        self.problems.append(Problem(FILE, line, revealed(column), revealed(value), rule))
