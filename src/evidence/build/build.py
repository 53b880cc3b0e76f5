"""Build the reports that are out of date, in parallel, and publish each set atomically.

`build_reports` fills one folder of reports, `build_batch` one folder per set of parameters. A report
that fails does not stop the others: its notebook is kept with the traceback, and its previous page
stays, marked as such.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.build.execute import Failure, Job, LocalExecutor
from evidence.build.fingerprint import DIGITS, file_digests, modified_files
from evidence.build.output_folder import (
    exclusive,
    failed_folder,
    read_manifest,
    recover,
    require_replaceable,
    staging_folder,
    swap_folder,
    write_errors,
)
from evidence.build.plan import (
    BuildOptions,
    Compare,
    ReportPlan,
    changes,
    is_current,
    modified_inputs,
    read_record,
    reasons,
    require_same_parameters,
    take_inputs,
)
from evidence.build.progress import Progress
from evidence.dataset.project_folder import find_project
from evidence.errors import ParameterError, ReportError
from evidence.files import path_digest, real_path, recorded_name
from evidence.notebook.locate import notebooks_of
from evidence.notebook.parameters import NotebookParameters, read_parameters, validate_parameters
from evidence.notebook.requirements import unmet_needs

if TYPE_CHECKING:
    from evidence.dataset.dataset import Dataset

WORK_FOLDER = ".jobs"
"""Holds a folder for each report of a set while the set is being built."""


@dataclass(frozen=True)
class BuildResult:
    """The finished reports of one set.

    Attributes
    ----------
    name : str
        The name of the set; empty if there is only one.
    folder : Path
    reports : tuple of str
        All reports in the folder, including those that were kept.
    figures, values : int
        How many there are in all.
    reasons : mapping of str to str
        For each requested report why it was built; empty if it is up to date.
    failures : mapping of str to str
        Messages by report.
    failed_notebooks : mapping of str to Path
        Executed notebooks with their tracebacks, by report.
    """

    name: str
    folder: Path
    reports: tuple[str, ...]
    figures: int
    values: int
    reasons: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    failed_notebooks: Mapping[str, Path] = field(default_factory=dict)


def build_reports(
    project: str | Path = "",
    *,
    out: str | Path | None = None,
    parameters: Mapping[str, object] | None = None,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
) -> BuildResult:
    """Check the data, build the reports that are out of date, and replace the previous ones.

    `DatasetError`, `ParameterError` and `ReportError` are raised before anything is written. A
    notebook that fails is reported in the result, and `OUT.failed/` holds it with its traceback. By
    default `project` is that of `find_project`, and `out` the folder `reports` in it; `parameters`
    are those of notebooks by name.
    """
    options, progress = options or BuildOptions(), progress or Progress()
    folder = find_project(project)
    read = _dataset_reader(folder)
    target = real_path(out or folder / "reports")
    plan = _plan_set("", folder, target, parameters or {}, options, read)
    with exclusive(target, lambda: progress.status("waiting for another build")):
        (result,) = build_sets([plan], read, options, progress)
    return result


def outdated_reports(project: str | Path = "") -> dict[str, str]:
    """Return why the finished reports of a project are not those of a new build, by report.

    Nothing is written, and the file formats do not matter; empty if the reports are up to date.
    """
    folder = find_project(project)
    target = folder / "reports"
    manifest = read_manifest(target)
    if not manifest:
        return {"reports": "there are no finished reports"}
    formats = {report["recipe"].get("formats", "") for report in manifest["reports"].values()}
    options = BuildOptions(formats=max(formats, default=BuildOptions.formats))
    read = _dataset_reader(folder)
    plan = _plan_set("", folder, target, {}, options, read)
    if is_current(plan):
        return {}
    from evidence.dataset.record_comparison import RecordComparison

    found = reasons(plan, RecordComparison(read()).changes)
    found |= {name: f"failed: {message}" for name, message in manifest["failed"].items()}
    found["pages"] = "; ".join(modified_files(target, manifest["pages"]))
    other = {"pages": "the tables or the list of notebooks changed"}
    return {name: reason for name, reason in found.items() if reason} or other


def build_batch(
    project: str | Path = "",
    *,
    sets: Sequence[str] = (),
    grid: Sequence[str] = (),
    out: str | Path | None = None,
    parameters: Mapping[str, object] | None = None,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
) -> Iterator[BuildResult]:
    """Build many sets of parameters, each in a folder of its own, and an index of all of them.

    Each set is published before its result is yielded. Sets of earlier calls are kept. Errors are
    raised before anything is written, as in `build_reports`. `sets` are names in the project's
    `reports.yml`, and `grid` texts such as `conditions=a,b` that together make one grid; all sets
    share `parameters`. `out`, by default `report-sets` in the project, holds a folder for each set
    and the index.
    """
    from evidence.build.assemble import create_batch_folder, write_batch_index
    from evidence.build.parameter_sets import choose_sets, expand_sets, parse_grid, read_sets

    options, progress = options or BuildOptions(), progress or Progress()
    folder = find_project(project)
    read = _dataset_reader(folder)
    requested = choose_sets(read_sets(folder), sets) if sets else []
    requested += [parse_grid(grid)] if grid else []
    target = real_path(out or folder / "report-sets")
    plans = []
    for item in expand_sets(
        requested, lambda names: _read_parameters(folder, names or options.only), read
    ):
        if twice := sorted(set(item.parameters) & set(parameters or {})):
            raise ParameterError(f"-p {twice[0]}: {item.name} sets it as well; give it once")
        values = {**(parameters or {}), **item.parameters}
        own_options = replace(options, only=item.notebooks or options.only)
        plans.append(
            _plan_set(
                item.name, folder, target / item.name, values, own_options, read, item.origins
            )
        )
    with exclusive(target, lambda: progress.status("waiting for another build")):
        create_batch_folder(target, folder)
        try:
            yield from build_sets(plans, read, options, progress)
        finally:
            write_batch_index(target)


def build_sets(
    plans: Sequence[ReportPlan],
    read_dataset: "Callable[[], Dataset]",
    options: BuildOptions,
    progress: Progress,
) -> Iterator[BuildResult]:
    """Build what is out of date in some sets; yield the result of each set when it is published.

    Raise `DatasetError` or `ReportError`, with nothing built, if the tables have errors or a folder
    cannot be written. The tables are read and checked by `read_dataset` only if some set is out of
    date.
    """
    outdated = []
    for plan in plans:
        recover(plan.target)
        if is_current(plan):
            yield _unchanged(plan)
        else:
            outdated.append(plan)
    if outdated:
        yield from _build_outdated(outdated, read_dataset, options, progress)


def _build_outdated(
    plans: Sequence[ReportPlan],
    read_dataset: "Callable[[], Dataset]",
    options: BuildOptions,
    progress: Progress,
) -> Iterator[BuildResult]:
    if options.engine == "evidence":
        options.executor.prepare(plans[0].project, sum(len(plan.notebooks) for plan in plans))
    from evidence.dataset.record_comparison import RecordComparison
    from evidence.report.figure_files import prune_cache
    from evidence.report.index_page import precompute_index

    dataset = read_dataset()
    compare = RecordComparison(dataset).changes
    plans = [replace(plan, parameters=plan.checked()) for plan in plans]
    for plan in plans:
        require_replaceable(plan.target, plan.project)
        require_same_parameters(plan)
    progress.status("looking for changes")
    set_reasons = [reasons(plan, compare) for plan in plans]
    progress.start(sum(bool(reason) for found in set_reasons for reason in found.values()))
    with contextlib.ExitStack() as stack:
        builds = [
            _SetBuild(plan, found, compare, stack)
            for plan, found in zip(plans, set_reasons, strict=True)
        ]
        # Notebooks end before the folders are removed that they write into.
        pool = stack.enter_context(_thread_pool(options))
        running: dict[Future, _SetBuild] = {}
        for build in builds:
            for job, folder in build.jobs():
                future = pool.submit(_execute, options.executor, job, folder, build.name, progress)
                build.futures[job.name] = future
                running[future] = build
        if running:
            # While notebooks run, this process prepares what their pages need.
            import_module("evidence.build.assemble")
            precompute_index(dataset)
        for build in builds:
            if not build.futures:
                yield build.publish(dataset)
        for future in as_completed(running):
            build = running.pop(future)
            if build not in running.values():
                progress.status(f"writing pages {build.name}".strip())
                yield build.publish(dataset)
    prune_cache()


@contextlib.contextmanager
def _thread_pool(options: BuildOptions) -> Iterator[ThreadPoolExecutor]:
    """Threads that each wait for one report; all reports end if this process is interrupted."""
    pool = ThreadPoolExecutor(options.jobs or options.executor.jobs)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        options.executor.stop()
        raise
    finally:
        pool.shutdown()


def _execute(
    executor: LocalExecutor, job: Job, folder: Path, set_name: str, progress: Progress
) -> Failure | None:
    label = f"{set_name} {job.name}".strip()
    progress.begin(label)
    failure = executor.execute(job, folder)
    progress.finish(label, failed=failure is not None)
    return failure


class _SetBuild:
    """One set while it is being built in a folder beside the finished one."""

    def __init__(
        self,
        plan: ReportPlan,
        set_reasons: Mapping[str, str],
        compare: Compare,
        stack: contextlib.ExitStack,
    ) -> None:
        self.name = plan.name
        self.futures: dict[str, Future] = {}
        self._plan, self._reasons, self._compare = plan, set_reasons, compare
        self._previous = read_manifest(plan.target).get("reports", {})
        self._staging = stack.enter_context(staging_folder(plan.target))
        # Recorded before the notebook runs, which may be edited or removed meanwhile.
        self._recipes = {name: plan.recipe(name) for name in set_reasons}
        self._parameters = {name: plan.used_parameters(name) for name in set_reasons}

    def jobs(self) -> Iterator[tuple[Job, Path]]:
        """Yield the reports to build and a new folder for each."""
        for name, reason in self._reasons.items():
            if reason:
                yield self._plan.job(name), self._staging / WORK_FOLDER / name

    def publish(self, dataset: "Dataset") -> BuildResult:
        """Collect new and kept reports, write the pages, and replace the previous folder."""
        with write_errors(self._plan.target):
            return self._publish(dataset)

    def _publish(self, dataset: "Dataset") -> BuildResult:
        from evidence.build.assemble import write_pages

        plan, results = self._plan, {name: future.result() for name, future in self.futures.items()}
        failures = {name: failure for name, failure in sorted(results.items()) if failure}
        names = set(self._reasons) - set(failures)
        names |= set(self._previous) if plan.partial else set(self._previous) & set(failures)
        entries = {
            name: self._add_new(name, dataset)
            if name in results and name not in failures
            else self._keep_previous(name, dataset, requested=name not in failures)
            for name in sorted(names)
        }
        failed_notebooks = _keep_notebooks(failures, failed_folder(plan.target))
        shutil.rmtree(self._staging / WORK_FOLDER, ignore_errors=True)
        messages = {name: failure.message for name, failure in failures.items()}
        figures, values = write_pages(dataset, plan, entries, messages, self._staging)
        if changed := self._changed_meanwhile(
            {name: entries[name] for name in results.keys() - failures.keys()}, dataset
        ):
            raise ReportError(
                f"{', '.join(changed)}: changed while reports were built, which may show both "
                "versions. The previous reports are unchanged; run the command again"
            )
        swap_folder(self._staging, plan.target)
        return BuildResult(
            plan.name,
            plan.target,
            tuple(entries),
            figures,
            values,
            dict(self._reasons),
            messages,
            failed_notebooks,
        )

    def _changed_meanwhile(self, entries: Mapping[str, dict], dataset: "Dataset") -> list[str]:
        """Name what was edited after the first and before the last of these reports read it."""
        project, changed = self._plan.project, set()
        for name, entry in entries.items():
            changed |= {file for file, _ in entry["inputs"].items() ^ dataset.checksums.items()}
            record, notebook = read_record(self._staging, name) or {}, self._plan.notebooks[name]
            changed |= set(modified_inputs(record, project))
            if path_digest(notebook, DIGITS) != entry["recipe"]["notebook"]:
                changed.add(recorded_name(notebook, project))
        return sorted(changed)

    def _add_new(self, name: str, dataset: "Dataset") -> dict:
        """Move the files of one report into the folder of the set; return its manifest entry."""
        folder = self._staging / WORK_FOLDER / name
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            moved = self._staging / path.relative_to(folder)
            if moved.is_file() and moved.read_bytes() != path.read_bytes():
                raise ReportError(
                    f"{path.relative_to(folder)}: {name} and another report write this file with "
                    "different content; rename the figure or table in one of them"
                )
            moved.parent.mkdir(parents=True, exist_ok=True)
            path.replace(moved)
        inputs = take_inputs(self._staging, name) or dataset.checksums
        paths = [path.relative_to(folder).as_posix() for path in files]
        return {
            "parameters": self._parameters[name],
            "recipe": self._recipes[name],
            "inputs": inputs,
            "files": file_digests(self._staging, paths),
        }

    def _keep_previous(self, name: str, dataset: "Dataset", *, requested: bool) -> dict:
        """Copy the files of a finished report; return its manifest entry."""
        entry = self._previous[name]
        for file in entry["files"]:
            copy = self._staging / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._plan.target / file, copy)
        is_current = requested and name in self._reasons
        if is_current or not changes(self._plan.target, name, self._compare):
            return {**entry, "inputs": dataset.checksums}
        return entry


def _keep_notebooks(failures: Mapping[str, Failure], folder: Path) -> dict[str, Path]:
    """Copy notebooks that failed to where they can be read, in place of those of the last build."""
    shutil.rmtree(folder, ignore_errors=True)
    notebooks = {}
    for name, failure in failures.items():
        if failure.notebook:
            folder.mkdir(exist_ok=True)
            notebooks[name] = Path(shutil.copy(failure.notebook, folder / f"{name}.ipynb"))
    return notebooks


def _unchanged(plan: ReportPlan) -> BuildResult:
    manifest = read_manifest(plan.target)
    counts = manifest["figures"], manifest["values"]
    up_to_date = dict.fromkeys(plan.notebooks, "")
    return BuildResult(plan.name, plan.target, tuple(manifest["reports"]), *counts, up_to_date)


def find_notebooks(project: Path, only: Sequence[str] = ()) -> dict[str, Path]:
    """Return the notebooks of the package and the project in order, or those that `only` names.

    Raise `ReportError` if a name, or the beginning of one, matches no notebook.
    """
    notebooks = notebooks_of(project)
    if not only:
        return notebooks
    chosen = set()
    for name in only:
        start = Path(name).name.removesuffix(".ipynb")
        matches = {stem for stem in notebooks if start and stem.startswith(start)}
        # Numbers at the beginning of a file name only sort the notebooks.
        matches |= {stem for stem in notebooks if start and stem[3:].startswith(start)}
        if not matches:
            available = ", ".join(notebooks)
            raise ReportError(f"--only {name}: there is no such notebook. Available: {available}")
        chosen |= matches
    return {stem: path for stem, path in notebooks.items() if stem in chosen}


def _with_something_to_say(
    notebooks: Mapping[str, Path], project: Path, only: Sequence[str]
) -> dict[str, Path]:
    """Leave out notebooks whose needs the project does not meet.

    Raise `ReportError` if one of them is asked for by name.
    """
    unmet = {stem: unmet_needs(path, project) for stem, path in notebooks.items()}
    for stem, needs in unmet.items():
        if needs and only:
            raise ReportError(f"{stem}: needs {' or '.join(needs)}, which has no entry yet")
    return {stem: path for stem, path in notebooks.items() if not unmet[stem]}


def _read_parameters(project: Path, only: Sequence[str]) -> dict[str, NotebookParameters]:
    return {name: read_parameters(path) for name, path in find_notebooks(project, only).items()}


def _plan_set(
    name: str,
    project: Path,
    target: Path,
    values: Mapping[str, object],
    options: BuildOptions,
    read_dataset: "Callable[[], Dataset]",
    origins: Mapping[str, str] | None = None,
) -> ReportPlan:
    """Return one set with typed parameters; only faulty ones are compared with the data yet."""
    _require_utf8(project)
    _require_utf8(target)
    declared = _read_parameters(project, options.only)

    def checked() -> dict[str, dict[str, object]]:
        return validate_parameters(values, declared, read_dataset(), origins)

    return ReportPlan(
        name,
        project,
        target,
        _with_something_to_say(find_notebooks(project, options.only), project, options.only),
        _typed(values, declared) or checked(),
        checked,
        options,
    )


def _require_utf8(folder: Path) -> None:
    """Refuse a folder that no notebook, which is JSON, can name as its parameter."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise ReportError(
            f"{folder}: the name of this folder is not UTF-8. Rename it, or choose another one"
        ) from None


def _typed(
    values: Mapping[str, object], declared: Mapping[str, NotebookParameters]
) -> dict[str, dict] | None:
    """Check names and types only, for which no table is read; None if something is wrong."""
    if not values:
        return {notebook: {} for notebook in declared}
    with contextlib.suppress(ParameterError):
        return validate_parameters(values, declared)
    return None


def _dataset_reader(project: Path) -> "Callable[[], Dataset]":
    """Return a function that reads and checks the tables when it is first called."""

    @cache
    def read() -> "Dataset":
        from evidence.analysis.checks import require_consistent
        from evidence.dataset.dataset import read_dataset

        dataset = read_dataset(project)
        require_consistent(dataset)
        return dataset

    return read
