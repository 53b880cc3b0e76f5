"""Reports made: those that would come out otherwise, in parallel, each set put in place as a whole.

A report that fails does not stop the others. Its notebook is kept with the traceback, and the page
that an earlier run made of it stays, marked as such.

What `evidence report` asks for: one folder of reports, or one for each of many sets.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from evidence.build.execute import Failure, LocalExecutor, keep
from evidence.build.fingerprint import file_digests
from evidence.build.output_folder import (
    exclusive,
    failed_folder,
    read_manifest,
    recover,
    require_replaceable,
    staging_folder,
    swap_folder,
)
from evidence.build.plan import ReportPlan, changes, is_current, reasons
from evidence.dataset.project_folder import find_project
from evidence.errors import ParameterError, ReportError
from evidence.notebook.locate import notebooks_of
from evidence.notebook.parameters import (
    NotebookParameters,
    read_parameters,
    validate_parameters,
)

WORK = ".jobs"
"""Where in a folder that is being filled each report has a folder of its own."""


@dataclass(frozen=True)
class BuildResult:
    """What became of one set.

    `reports` are all that stand in `out` now; `made` says of each that was asked for why it was
    made, empty if it would have been the same; `failures` says of some what went wrong, and `kept`
    where their executed notebooks are.
    """

    name: str
    out: Path
    reports: tuple[str, ...]
    figures: int
    values: int
    made: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, Path] = field(default_factory=dict)


class Progress:
    """Told what happens, by several threads at once; this one keeps it to itself."""

    def planned(self, jobs: int) -> None:
        """So many reports have to be made."""

    def began(self, job: str) -> None:
        """A report is being made from now on."""

    def ended(self, job: str, failure: Failure | None) -> None:
        """A report is made, or is not."""

    def said(self, text: str) -> None:
        """Something else that takes time."""


def build_sets(
    sets: Sequence[ReportPlan],
    dataset,
    *,
    jobs: int | None = None,
    maker: LocalExecutor,
    progress: Progress | None = None,
) -> Iterator[BuildResult]:
    """Make the reports of some sets; each set is in place when its outcome is told.

    Parameters
    ----------
    dataset : callable
        Reads and checks the tables; asked only if some set is not as it would become.
    jobs : int, optional
        So many reports at once; as many as the maker says.
    maker : Maker
        Makes each report, possibly on another machine.

    Raises
    ------
    DatasetError, ReportError
        Nothing was made: the tables are at fault, or a folder cannot be written.
    """
    progress = progress or Progress()
    open_sets = []
    for wanted in sets:
        recover(wanted.target)
        if is_current(wanted):
            yield _as_it_was(wanted)
        else:
            open_sets.append(wanted)
    if not open_sets:
        return
    if any(wanted.engine == "evidence" for wanted in open_sets):
        maker.prepare()
    from evidence.dataset.record_comparison import RecordComparison
    from evidence.report.figure_files import prune_cache
    from evidence.report.index_page import precompute_index

    dataset = dataset()
    compare = RecordComparison(dataset).changes
    open_sets = [replace(wanted, parameters=wanted.checked()) for wanted in open_sets]
    for wanted in open_sets:
        require_replaceable(wanted.target, wanted.project)
    progress.said("looking for what changed")
    plans = [(wanted, reasons(wanted, compare)) for wanted in open_sets]
    progress.planned(sum(bool(why) for _, found in plans for why in found.values()))
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(_pool(jobs or maker.jobs, maker))
        filling = [
            _Filling(wanted, why, compare, stack, pool, maker, progress) for wanted, why in plans
        ]
        waiting = {future for one in filling for future in one.futures}
        if waiting:
            precompute_index(dataset)
        while filling:
            for one in [one for one in filling if one.done]:
                filling.remove(one)
                progress.said(f"pages {one.wanted.name}".strip())
                yield one.finish(dataset)
            if waiting and filling:
                _, waiting = wait(waiting, return_when=FIRST_COMPLETED)
    prune_cache()


@contextlib.contextmanager
def _pool(jobs: int, maker: LocalExecutor) -> Iterator[ThreadPoolExecutor]:
    """Threads that each wait for one report; all end if this one is stopped."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        maker.stop()
        raise
    finally:
        pool.shutdown()


class _Filling:
    """The folder of one set while its reports are being made."""

    def __init__(self, wanted, why, compare, stack, pool, maker, progress):
        self.wanted, self.why, self._compare = wanted, why, compare
        self._old = read_manifest(wanted.target).get("reports", {})
        self._stack = contextlib.ExitStack()
        stack.enter_context(self._stack)
        self.staging = self._stack.enter_context(staging_folder(wanted.target))
        # As it is now: a notebook that is edited while it runs is another one.
        self._recipes = {name: wanted.recipe(name) for name in why}
        self.futures: dict[Future, str] = {}
        for name in [name for name, reason in why.items() if reason]:
            run = _told(maker, progress, f"{wanted.name} {name}".strip())
            future = pool.submit(run, wanted.job(name), self.staging / WORK / name)
            self.futures[future] = name

    @property
    def done(self) -> bool:
        """Whether each of its reports is made or has failed."""
        return all(future.done() for future in self.futures)

    def finish(self, dataset) -> BuildResult:
        """Put reports and pages together, and in the place of the old ones."""
        from evidence.build.assemble import Entry, finish, used

        made = {name: future.result() for future, name in self.futures.items()}
        failures = {name: failure for name, failure in made.items() if failure}
        names = set(self.why) - set(failures)
        names |= set(self._old) if self.wanted.partial else set(self._old) & set(failures)
        entries = {}
        for name in sorted(names):
            if name in made and name not in failures:
                files = self._take(self.staging / WORK / name)
                entries[name] = Entry(
                    used(self.wanted.notebooks[name], self.wanted.parameters[name]),
                    self._recipes[name],
                    dataset.checksums,
                    file_digests(self.staging, files),
                )
                continue
            old = Entry(**self._old[name])
            asked = name in self.why and name not in failures
            current = asked or not changes(self.wanted.target, name, self._compare)
            entries[name] = old.now(dataset.checksums) if current else old
            for file in old.files:
                _copy(self.wanted.target / file, self.staging / file)
        said = {name: failure.says for name, failure in sorted(failures.items())}
        place = failed_folder(self.wanted.target)
        shutil.rmtree(place, ignore_errors=True)
        kept = {name: place / f"{name}.ipynb" for name in failures if failures[name].notebook}
        for name, path in kept.items():
            keep(failures[name], path)
        shutil.rmtree(self.staging / WORK, ignore_errors=True)
        figures, values = finish(dataset, self.wanted, entries, said, self.staging)
        swap_folder(self.staging, self.wanted.target)
        self._stack.close()
        target = self.wanted.target
        return BuildResult(
            self.wanted.name, target, tuple(entries), figures, values, dict(self.why), said, kept
        )

    def _take(self, folder: Path) -> list[str]:
        """Move the files of one report into the folder of all; two may have one alike."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            there = self.staging / path.relative_to(folder)
            if there.is_file() and there.read_bytes() != path.read_bytes():
                raise ReportError(
                    f"{path.relative_to(folder)}: two reports write it, and differently; "
                    f"the second is {folder.name}"
                )
            there.parent.mkdir(parents=True, exist_ok=True)
            path.replace(there)
        return [path.relative_to(folder).as_posix() for path in files]


def _told(maker: LocalExecutor, progress: Progress, said: str):
    """A maker that tells of its beginning and end."""

    def run(job, folder):
        progress.began(said)
        failure = maker(job, folder)
        progress.ended(said, failure)
        return failure

    return run


def _copy(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(old, new)


def _as_it_was(wanted: ReportPlan) -> BuildResult:
    manifest = read_manifest(wanted.target)
    counted = manifest["figures"], manifest["values"]
    made = dict.fromkeys(wanted.notebooks, "")
    return BuildResult(wanted.name, wanted.target, tuple(manifest["reports"]), *counted, made)


@dataclass(frozen=True)
class BuildOptions:
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
    maker: LocalExecutor = field(default_factory=LocalExecutor)

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


def build_reports(
    project: str | Path = "",
    *,
    out: str | Path | None = None,
    given: Mapping[str, object] | None = None,
    how: BuildOptions | None = None,
    progress: Progress | None = None,
) -> BuildResult:
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
    DatasetError, ParameterError, ReportError
        Before anything is written. A notebook that fails is told of in the outcome; `OUT.failed/`
        keeps it with its traceback.
    """
    how, progress = how or BuildOptions(), progress or Progress()
    folder = find_project(project)
    read = _reader(folder)
    target = Path(out or folder / "reports").resolve()
    wanted = _wanted("", folder, target, given or {}, how, read)
    with exclusive(target, lambda: progress.said("waiting for another run")):
        (outcome,) = build_sets([wanted], read, jobs=how.jobs, maker=how.maker, progress=progress)
    return outcome


def build_batch(
    project: str | Path = "",
    *,
    sets: Sequence[str] = (),
    grid: Sequence[str] = (),
    out: str | Path | None = None,
    given: Mapping[str, object] | None = None,
    how: BuildOptions | None = None,
    progress: Progress | None = None,
) -> Iterator[BuildResult]:
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
    DatasetError, ParameterError, ReportError
        Before anything is written; as of `make_reports`.
    """
    from evidence.build.assemble import create_marker_file, require_batch_folder, write_batch_index
    from evidence.build.parameter_sets import choose_sets, expand_sets, parse_grid, read_sets

    how, progress = how or BuildOptions(), progress or Progress()
    folder = find_project(project)
    read = _reader(folder)
    chosen = choose_sets(read_sets(folder), sets) if sets else []
    chosen += [parse_grid(grid)] if grid else []
    target = Path(out or folder / "report-sets").resolve()
    require_batch_folder(target, folder)
    wanted = []
    for one in expand_sets(chosen, lambda names: _declared(folder, names or how.only), read):
        if both := sorted(set(one.parameters) & set(given or {})):
            raise ParameterError(f"-p {both[0]}: {one.name} gives it as well; give it once")
        values = {**(given or {}), **one.parameters}
        picked = replace(how, only=one.notebooks or how.only)
        wanted.append(
            _wanted(one.name, folder, target / one.name, values, picked, read, one.origins)
        )
    with exclusive(target, lambda: progress.said("waiting for another run")):
        create_marker_file(target)
        try:
            yield from build_sets(wanted, read, jobs=how.jobs, maker=how.maker, progress=progress)
        finally:
            write_batch_index(target)


def _declared(project: Path, only: Sequence[str]) -> dict[str, NotebookParameters]:
    return {name: read_parameters(path) for name, path in find_notebooks(project, only).items()}


def _wanted(
    name: str,
    project: Path,
    target: Path,
    given: Mapping[str, object],
    how: BuildOptions,
    read: Callable,
    where: Mapping[str, str] | None = None,
) -> ReportPlan:
    """One set with typed parameters; words of the data are looked at unless all is as it was.

    Raises
    ------
    ParameterError, ReportError
    """
    notebooks = find_notebooks(project, how.only)
    known = _declared(project, how.only)

    def checked() -> dict[str, dict[str, object]]:
        return validate_parameters(given, known, read(), where)

    return ReportPlan(
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


def _taken(
    given: Mapping[str, object], known: Mapping[str, NotebookParameters]
) -> dict[str, dict] | None:
    """Check names and types only, for which no table is read; None if something is wrong."""
    if not given:
        return {notebook: {} for notebook in known}
    with contextlib.suppress(ParameterError):
        return validate_parameters(given, known)
    return None


def _reader(project: Path) -> Callable:
    """Reads and checks the tables when first asked, once."""

    @cache
    def read():
        from evidence.analysis.checks import require_consistent
        from evidence.dataset.dataset import load_dataset

        dataset = load_dataset(project)
        require_consistent(dataset)
        return dataset

    return read
