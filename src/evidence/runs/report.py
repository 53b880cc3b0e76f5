"""What `evidence report` asks for: one folder of reports, or one for each of many sets."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from evidence.corpus.project import find_project
from evidence.errors import ParameterError, ReportError
from evidence.publishing.notebooks import notebooks_of
from evidence.publishing.parameters.cell import declared
from evidence.publishing.parameters.rule import Refused, take
from evidence.runs.filling import Outcome, Progress, make_sets
from evidence.runs.folders import alone
from evidence.runs.making import Maker
from evidence.runs.plan import Wanted


@dataclass(frozen=True)
class How:
    """How reports are made, whichever they are.

    Attributes
    ----------
    only : sequence of str
        Make the reports of these notebooks only; other finished ones are taken over.
    force : bool
        Make also what would come out the same.
    tiff : bool
        Write each figure as TIFF as well.
    engine : {"evidence", "kernel"}
        Fork each notebook's kernel from a process with the libraries loaded, or start each anew
        with papermill's own engine.
    memory_limit : int, optional
        MiB that each notebook may take on top of the loaded libraries.
    jobs : int, optional
        So many reports at once; as many as the maker says, which is as many as there are cores.
    maker : Maker
        Makes each report, here if nothing else is said.
    """

    only: Sequence[str] = ()
    force: bool = False
    tiff: bool = False
    engine: str = "evidence"
    memory_limit: int | None = None
    jobs: int | None = None
    maker: Maker = field(default_factory=Maker)

    def __post_init__(self):
        if self.memory_limit is not None and (self.memory_limit < 1 or self.engine != "evidence"):
            rule = "a whole number of MiB above 0, and not with --engine kernel"
            raise ParameterError(f"--memory {self.memory_limit}: {rule}")
        if self.jobs is not None and self.jobs < 1:
            raise ParameterError(f"--jobs {self.jobs}: a whole number above 0")


def find_notebooks(project: Path, only: Sequence[str] = ()) -> dict[str, Path]:
    """The package's own notebooks and the project's, in order; `only` picks some by their names.

    Raises
    ------
    ReportError
        A name, or beginning of one, that matches none.
    """
    found = notebooks_of(project)
    if not only:
        return found
    chosen = {}
    for name in only:
        wanted = Path(name).name.removesuffix(".ipynb")
        matches = [stem for stem in found if stem.startswith(wanted) or stem[3:].startswith(wanted)]
        if not wanted or not matches:
            raise ReportError(f"--only {name}: is no notebook; there are {', '.join(found)}")
        chosen |= {stem: found[stem] for stem in matches}
    return {stem: path for stem, path in found.items() if stem in chosen}


def make_reports(
    project: str | Path = "",
    *,
    out: str | Path | None = None,
    given: Mapping[str, object] | None = None,
    how: How | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Check the data, make what changed, and put the finished pages in place of the old ones.

    Parameters
    ----------
    project : path
        See `find_project`.
    out : path
        Where the reports go, by default `reports` in the project. Replaced as a whole when all
        is done.
    given : mapping
        Parameters by name, of the types that the notebooks declare; see `publishing.parameters`.

    Raises
    ------
    CorpusError, ParameterError, ReportError
        Before anything is written. A notebook that fails is told of in the outcome; `OUT.failed/`
        keeps it with its traceback.
    """
    how, progress = how or How(), progress or Progress()
    folder = find_project(project)
    read = _reader(folder)
    target = Path(out or folder / "reports").resolve()
    wanted = _wanted("", folder, target, given or {}, how, read)
    with alone(target, lambda: progress.said("waiting for another run")):
        (outcome,) = make_sets([wanted], read, jobs=how.jobs, maker=how.maker, progress=progress)
    return outcome


def make_batch(
    project: str | Path = "",
    *,
    sets: Sequence[str] = (),
    grid: Sequence[str] = (),
    out: str | Path | None = None,
    given: Mapping[str, object] | None = None,
    how: How | None = None,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Make the reports of many sets, each in a folder of its own, and one index to all of them.

    Each set is in place when its outcome is told. Sets that stand in `out` from earlier calls stay.

    Parameters
    ----------
    sets : sequence of str
        Names of sets and grids in the project's `reports.yml`.
    grid : sequence of str
        Texts such as `conditions=a,b`, which together make one grid.
    out : path
        Holds a folder for each set and the index; by default `report-sets` in the project.
    given : mapping
        Parameters that all sets share.

    Raises
    ------
    CorpusError, ParameterError, ReportError
        Before anything is written; as of `make_reports`.
    """
    from evidence.runs.sets import choose, every_set, parse_grid
    from evidence.runs.sets_file import read_sets
    from evidence.runs.sets_index import mark, require_ours, write_index

    how, progress = how or How(), progress or Progress()
    folder = find_project(project)
    read = _reader(folder)
    chosen = choose(read_sets(folder), sets) if sets else []
    chosen += [parse_grid(grid)] if grid else []
    target = Path(out or folder / "report-sets").resolve()
    require_ours(target, folder)
    wanted = []
    for one in every_set(chosen, lambda names: _declared(folder, names or how.only), read):
        if both := sorted(set(one.parameters) & set(given or {})):
            raise ParameterError(f"-p {both[0]}: {one.name} gives it as well; give it once")
        values = {**(given or {}), **one.parameters}
        picked = replace(how, only=one.notebooks or how.only)
        wanted.append(_wanted(one.name, folder, target / one.name, values, picked, read, one.where))
    with alone(target, lambda: progress.said("waiting for another run")):
        mark(target)
        try:
            yield from make_sets(wanted, read, jobs=how.jobs, maker=how.maker, progress=progress)
        finally:
            write_index(target)


def _declared(project: Path, only: Sequence[str]) -> dict[str, dict]:
    return {name: declared(path) for name, path in find_notebooks(project, only).items()}


def _wanted(
    name: str,
    project: Path,
    target: Path,
    given: Mapping[str, object],
    how: How,
    read: Callable,
    where: Mapping[str, str] | None = None,
) -> Wanted:
    """One set with typed parameters; words of the data are looked at unless all is as it was.

    Raises
    ------
    ParameterError, ReportError
    """
    notebooks = find_notebooks(project, how.only)
    known = _declared(project, how.only)

    def checked() -> dict[str, dict[str, object]]:
        from evidence.publishing.parameters.checking import resolve

        return resolve(given, known, read(), where)

    return Wanted(
        name,
        project,
        target,
        notebooks,
        _taken(given, known) or checked(),
        checked,
        partial=bool(how.only),
        force=how.force,
        tiff=how.tiff,
        engine=how.engine,
        memory_limit=how.memory_limit,
    )


def _taken(given: Mapping[str, object], known: Mapping[str, Mapping]) -> dict[str, dict] | None:
    """The values by notebook, if each is declared and of its type; no table is read for this."""
    if set(given) - {name for parameters in known.values() for name in parameters}:
        return None
    with contextlib.suppress(Refused):
        return {
            notebook: {
                name: take(parameters[name].type, value)
                for name, value in given.items()
                if name in parameters
            }
            for notebook, parameters in known.items()
        }
    return None


def _reader(project: Path) -> Callable:
    """Reads and checks the tables when first asked, once."""

    @cache
    def read():
        from evidence.corpus.reading import read_corpus
        from evidence.synthesis.checks import require_consistent

        corpus = read_corpus(project)
        require_consistent(corpus)
        return corpus

    return read
