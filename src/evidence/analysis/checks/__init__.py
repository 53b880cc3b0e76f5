"""Find numbers in the tables that cannot all be right, or are hard to believe."""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

from evidence.analysis.checks import (
    against_printed_text,
    completeness,
    effect_estimates,
    study_facts,
)
from evidence.analysis.checks.finding import Check, Finding
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import as_listing
from evidence.errors import DatasetError, Problem

CHECKS = [
    definition
    for module in (against_printed_text, effect_estimates, study_facts, completeness)
    for definition in vars(module).values()
    if isinstance(definition, Check)
]


@as_listing
@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def check_consistency(dataset: Dataset) -> list[Finding]:
    """Run all checks and return their findings by row, each with its waiver if there is one."""
    results = select_results(dataset, with_repeats=True)
    findings = [finding for check in CHECKS for finding in check.run(dataset, results)]
    findings = _apply_waivers(dataset, findings)
    return sorted(findings, key=lambda finding: (*finding.position, finding.code))


def require_consistent(dataset: Dataset) -> list[Finding]:
    """Return the findings if no error without a waiver is among them.

    Raise `DatasetError` with every such error otherwise.
    """
    findings = check_consistency(dataset)
    blocking = [finding for finding in findings if finding.is_blocking]
    if blocking:
        hint = "or waive it in data/waivers.csv"
        raise DatasetError(
            Problem(
                *finding.position, finding.code, f"{finding.message}; {finding.resolution}, {hint}"
            )
            for finding in blocking
        )
    return findings


def _apply_waivers(dataset: Dataset, findings: list[Finding]) -> list[Finding]:
    """Add the first matching waiver to each finding, and a finding for each unused waiver."""
    waivers = defaultdict(list)
    for waiver in dataset.waivers.itertuples():
        waivers[waiver.code, waiver.study].append(waiver)
    unused = {waiver.address: waiver for rows in waivers.values() for waiver in rows}
    checked = []
    for finding in findings:
        matching = [row for row in waivers[finding.code, finding.study] if _matches(row, finding)]
        for waiver in matching:
            unused.pop(waiver.address, None)
        if matching:
            first = matching[0]
            reason = f"{first.reason} — {first.signed_by}, {first.date}"
            finding = replace(finding, waiver=reason)
        checked.append(finding)
    for row in unused.values():
        subject = (row.study, row.arm, row.outcome, row.source)
        message = f"no {row.code} finding is left for this waiver"
        checked.append(
            Finding("WAIVER", "note", (row.address,), *subject, message, "remove the row")
        )
    return checked


def _matches(waiver, finding: Finding) -> bool:
    """Tell whether a waiver of the same code and study applies; its blank cells match anything."""
    cells = ((name, getattr(waiver, name)) for name in ("arm", "outcome", "source"))
    return all(not cell or getattr(finding, name) == cell for name, cell in cells)
