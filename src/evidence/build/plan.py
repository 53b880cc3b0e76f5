"""Which reports of a set have to be made, and why; the others are taken over as they are.

Vocabulary
----------
A *set* is one choice of parameters and the folder of reports made with it. The *manifest*
(`manifest.json`) of such a folder says what each report was made from and which files it has, and
marks the folder as one that a later run may replace.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence.build.execute import Job
from evidence.build.fingerprint import (
    describe_differences,
    files_changed,
    modified_files,
    report_inputs,
)
from evidence.build.output_folder import read_manifest
from evidence.dataset.dataset import checksums

NAMED = 4
"""So many reasons are told of a report; of the others, how many there are."""

Compare = Callable[[Mapping], list[str]]
"""What of a record of reading is no longer so; see `evidence.dataset.access_log`."""


@dataclass(frozen=True)
class ReportPlan:
    """The reports of one set as they are asked for, before anything is looked at.

    `parameters` are typed values by notebook; `checked` gives them once more, held to the words of
    the data, and raises a ParameterError. Reports of other notebooks that stand in `target`
    are taken over if `partial`, else they go. For the last three see `Job`; `force` makes anew
    what would be the same.
    """

    name: str
    project: Path
    target: Path
    notebooks: Mapping[str, Path]
    parameters: Mapping[str, Mapping[str, object]]
    checked: Callable[[], Mapping[str, Mapping[str, object]]] = field(repr=False)
    partial: bool = False
    force: bool = False
    tiff: bool = False
    engine: str = "evidence"
    memory_limit: int | None = None

    def job(self, name: str, *, many: bool) -> Job:
        """One of its reports as a job; `many` tells whether other sets are made as well."""
        return Job(
            name,
            self.notebooks[name],
            self.project,
            self.parameters[name],
            self.tiff,
            self.engine,
            self.memory_limit,
            many,
        )

    def recipe(self, name: str) -> dict:
        """What one of its reports is made from, beside the tables."""
        return report_inputs(self.notebooks[name], self.parameters[name], tiff=self.tiff)

    @property
    def reuses(self) -> bool:
        """Whether finished reports may be taken over at all."""
        return self.engine == "evidence" and not self.force


def is_current(wanted: ReportPlan) -> bool:
    """Whether every file of a set is what it would become; looked at without reading a table."""
    manifest = read_manifest(wanted.target)
    if not wanted.reuses or not manifest or manifest["inputs"] != checksums(wanted.project):
        return False
    reports, asked = manifest["reports"], set(wanted.notebooks)
    if manifest["failed"] or not (
        asked <= set(reports) if wanted.partial else asked == set(reports)
    ):
        return False
    for name, report in reports.items():
        record = read_record(wanted.target, name)
        if record is None or report["inputs"] != manifest["inputs"]:
            return False
        if name in asked and report["recipe"] != wanted.recipe(name):
            return False
        if files_changed(wanted.project, record["files"]):
            return False
        if modified_files(wanted.target, report["files"]):
            return False
    return not modified_files(wanted.target, manifest["pages"])


def reasons(wanted: ReportPlan, compare: Compare) -> dict[str, str]:
    """Why each wanted report has to be made, in words; empty for one that would be the same."""
    known = read_manifest(wanted.target).get("reports", {})
    return {name: _reason(wanted, name, known.get(name), compare) for name in wanted.notebooks}


def _reason(wanted: ReportPlan, name: str, report: Mapping | None, compare: Compare) -> str:
    if report is None:
        return "there is no finished report"
    if not wanted.reuses:
        return "made anew, as asked for"
    said = describe_differences(report["recipe"], wanted.recipe(name))
    said = said or modified_files(wanted.target, report["files"])
    return _some(said or changes(wanted.target, name, compare))


def changes(target: Path, name: str, compare: Compare) -> list[str]:
    """What of all that a finished report read is no longer so, in words."""
    record = read_record(target, name)
    return compare(record) if record else ["it kept no record of what it read"]


def read_record(target: Path, name: str) -> dict | None:
    """What a finished report read; None if it did not say."""
    try:
        return json.loads((target / "reads" / f"{name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _some(said: Sequence[str]) -> str:
    more = f" and {len(said) - NAMED} more" if len(said) > NAMED else ""
    return "; ".join(said[:NAMED]) + more
