"""Which reports of one set of parameters are out of date, and why.

The manifest (`manifest.json`) of a folder of reports states the inputs and the files of each
report; `reads/NAME.json` states what the report read of the tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from evidence.build.execute import Job, LocalExecutor
from evidence.build.fingerprint import describe_differences, modified_files, report_inputs
from evidence.build.output_folder import read_manifest
from evidence.dataset.project_folder import table_checksums
from evidence.errors import ParameterError, ReportError
from evidence.files import format_json_line, path_digest, read_json, recorded_path
from evidence.notebook.parameter_values import format_value
from evidence.notebook.parameters import COMMAND_OPTIONS, read_parameters

MAX_REASONS = 4
"""Reasons named for a report; of further ones only the number is given."""

Compare = Callable[[Mapping, Mapping[str, str]], list[str]]
"""As `evidence.dataset.record_comparison.RecordComparison.changes`."""


@dataclass(frozen=True)
class BuildOptions:
    """How reports are built.

    Attributes
    ----------
    only : sequence of str
        Build the reports of these notebooks only; finished reports of others are kept.
    force : bool
        Rebuild everything, even if up to date.
    formats : {"standard", "all"}
        With "all", each figure is also written as PNG and TIFF with 600 dots per inch.
    engine : {"evidence", "kernel"}
        Fork each notebook's process with the libraries loaded, or use papermill's own engine.
    memory_limit : int, optional
        MiB that each notebook may take on top of the loaded libraries.
    jobs : int, optional
        Number of reports to build in parallel; by default one per core or thread of the executor.
    executor : LocalExecutor
        Builds each report: on this machine or, as a `DaskExecutor`, on a cluster.
    """

    only: Sequence[str] = ()
    force: bool = False
    formats: str = "standard"
    engine: str = "evidence"
    memory_limit: int | None = None
    jobs: int | None = None
    executor: LocalExecutor = field(default_factory=LocalExecutor)

    def __post_init__(self) -> None:
        if self.memory_limit is not None and (self.memory_limit < 1 or self.engine != "evidence"):
            rule = "a whole number of MiB above 0, and not with --engine kernel"
            raise ParameterError(f"--memory {self.memory_limit}: {rule}")
        if self.jobs is not None and self.jobs < 1:
            raise ParameterError(f"--jobs {self.jobs}: a whole number above 0")


@dataclass(frozen=True)
class ReportPlan:
    """The reports of one set of parameters as they are asked for.

    Attributes
    ----------
    name : str
        The name of the set; empty if there is only one.
    target : Path
        The folder of the finished reports.
    notebooks : mapping of str to Path
    parameters : mapping of str to mapping
        Typed values by notebook.
    checked : callable
        Returns the parameters checked against the words of the data, or raises a ParameterError.
    """

    name: str
    project: Path
    target: Path
    notebooks: Mapping[str, Path]
    parameters: Mapping[str, Mapping[str, object]]
    checked: Callable[[], Mapping[str, Mapping[str, object]]] = field(repr=False)
    options: BuildOptions

    def job(self, name: str) -> Job:
        """Return one of its reports as a job."""
        options = self.options
        how = options.formats, options.engine, options.memory_limit
        return Job(name, self.notebooks[name], self.project, self.parameters[name], *how)

    def recipe(self, name: str) -> dict:
        """Return what one of its reports depends on besides the tables."""
        formats = self.options.formats
        return report_inputs(self.notebooks[name], self.parameters[name], formats=formats)

    def used_parameters(self, name: str) -> dict[str, object]:
        """Return the parameters of one of its reports, including those with their default value."""
        declared = read_parameters(self.notebooks[name]).parameters
        defaults = {key: parameter.default for key, parameter in declared.items()}
        values = {**defaults, **self.parameters[name]}
        return {key: value for key, value in values.items() if key not in COMMAND_OPTIONS}

    @property
    def partial(self) -> bool:
        """Whether finished reports of other notebooks are kept."""
        return bool(self.options.only)

    @property
    def reuses(self) -> bool:
        """Whether finished reports may be kept at all."""
        return self.options.engine == "evidence" and not self.options.force


def is_current(plan: ReportPlan) -> bool:
    """Return whether every file of a set is up to date, from bytes alone: no table is read."""
    manifest = read_manifest(plan.target)
    if not plan.reuses or not manifest or manifest["inputs"] != table_checksums(plan.project):
        return False
    reports, requested = manifest["reports"], set(plan.notebooks)
    known = requested <= set(reports) if plan.partial else requested == set(reports)
    if manifest["failed"] or not known or modified_files(plan.target, manifest["pages"]):
        return False
    return all(
        _is_current(plan, name, report, manifest["inputs"]) for name, report in reports.items()
    )


def _is_current(plan: ReportPlan, name: str, report: Mapping, inputs: Mapping) -> bool:
    record = read_record(plan.target, name)
    return (
        record is not None
        and report["inputs"] == inputs
        and (name not in plan.notebooks or report["recipe"] == plan.recipe(name))
        and not modified_inputs(record, plan.project)
        and not modified_files(plan.target, report["files"])
    )


def modified_inputs(record: Mapping, project: Path) -> list[str]:
    """Return the files besides the tables that a report read and that have changed since."""
    files = record.get("files", {})
    return [name for name in files if path_digest(recorded_path(name, project)) != files[name]]


def require_same_parameters(plan: ReportPlan) -> None:
    """Refuse to add reports to a folder whose other reports were built with other parameters.

    Only values that somebody gave are compared: notebooks may have different defaults.
    """
    if not plan.partial:
        return
    finished = read_manifest(plan.target).get("reports", {})
    others = {name: finished[name] for name in finished.keys() - plan.notebooks.keys()}
    for name, (other, report) in product(plan.notebooks, sorted(others.items())):
        used, before = plan.used_parameters(name), report["parameters"]
        given, given_before = plan.parameters[name], report["recipe"]["parameters"]
        for key in sorted(used.keys() & before.keys()):
            if used[key] != before[key] and given.get(key) != given_before.get(key):
                raise ReportError(
                    f"--out {plan.target}: {other} was built with {key}={format_value(before[key])}, "
                    f"but {name} would be built with {key}={format_value(used[key])}. Choose another "
                    "folder with --out, or leave out --only to rebuild all reports"
                )


def reasons(plan: ReportPlan, compare: Compare) -> dict[str, str]:
    """Return why each requested report has to be built; empty for one that is up to date."""
    return {name: _reason(plan, name, compare) for name in plan.notebooks}


def _reason(plan: ReportPlan, name: str, compare: Compare) -> str:
    report = read_manifest(plan.target).get("reports", {}).get(name)
    if report is None:
        return "there is no finished report"
    if not plan.reuses:
        return "--force" if plan.options.force else f"--engine {plan.options.engine}"
    if report["recipe"].keys() != plan.recipe(name).keys():
        return "it was made by another version of evidence"
    found = describe_differences(report["recipe"], plan.recipe(name))
    found = found or modified_files(plan.target, report["files"])
    return _join(found or changes(plan.target, name, compare))


def changes(target: Path, name: str, compare: Compare) -> list[str]:
    """Return what a finished report read that has changed since; empty if nothing has."""
    record, manifest = read_record(target, name), read_manifest(target)
    if record is None:
        return ["there is no record of what it read"]
    # The lines are those of the tables when the set was last built.
    known = manifest["reports"][name]["inputs"] == manifest["inputs"]
    return compare(record, manifest["lines"] if known else {})


def read_record(target: Path, name: str) -> dict | None:
    """Return what a finished report read; None if there is no record."""
    try:
        return read_json(_record_path(target, name))
    except (OSError, ValueError):
        return None


def _record_path(target: Path, name: str) -> Path:
    return target / "reads" / f"{name}.json"


def take_inputs(target: Path, name: str) -> dict[str, str]:
    """Remove the checksums of the tables from the record of a new report, and return them.

    The tables may have been edited while the notebook ran. Only the manifest keeps the checksums: a
    report that is up to date although some table changed has the same record as one built anew.
    """
    record = read_record(target, name) or {}
    inputs = record.pop("inputs", {})
    if record:
        _record_path(target, name).write_text(format_json_line(record), "utf-8")
    return inputs


def _join(found: Sequence[str]) -> str:
    more = f" and {len(found) - MAX_REASONS} more" if len(found) > MAX_REASONS else ""
    return "; ".join(found[:MAX_REASONS]) + more
