"""Consistency checks: numbers that cannot all be right, or are hard to believe."""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

from evidence.analysis.checks import against_printed_text, effect_estimates, study_facts
from evidence.analysis.checks.finding import Finding
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.errors import DatasetError, Problem

CHECKS = (*against_printed_text.CHECKS, *effect_estimates.CHECKS, *study_facts.CHECKS)


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def check_consistency(dataset: Dataset) -> list[Finding]:
    """Every finding in the tables, sorted by row, with the waiver that lets it stand."""
    results = select_results(dataset)
    found = [finding for check in CHECKS for finding in check.findings(dataset, results)]
    return sorted(_waived(dataset, found), key=lambda finding: (*_place(finding), finding.code))


def require_consistent(dataset: Dataset) -> list[Finding]:
    """The findings, if no error among them counts.

    Raises
    ------
    DatasetError
        With every error that nobody has waived.
    """
    findings = check_consistency(dataset)
    counting = [finding for finding in findings if finding.is_blocking]
    if counting:
        raise DatasetError(
            Problem(*_place(finding), finding.code, f"{finding.message}; {finding.resolution}, "
                    "or waive it in data/waivers.csv")
            for finding in counting
        )  # fmt: skip
    return findings


def _place(finding: Finding) -> tuple[str, int]:
    file, _, line = finding.rows[0].rpartition(":")
    return file, int(line)


def _waived(dataset: Dataset, findings: list[Finding]) -> list[Finding]:
    """The findings with the first waiver that lets each stand, and the waivers that wait for none.

    Code and study stand in every waiver, arm, outcome and source only where one is meant.
    """
    waivers = defaultdict(list)
    for row in dataset.waivers.itertuples():
        waivers[row.code, row.study].append(row)
    idle = {row.address: row for rows in waivers.values() for row in rows}
    every = []
    for finding in findings:
        near = waivers.get((finding.code, finding.study), ())
        fitting = [row for row in near if _fits(row, finding)]
        for row in fitting:
            idle.pop(row.address, None)
        if fitting:
            said = f"{fitting[0].reason} — {fitting[0].signed_by}, {fitting[0].date}"
            finding = replace(finding, waiver=said)
        every.append(finding)
    for row in idle.values():
        says = f"no finding {row.code} is left that this would waive"
        place = (row.study, row.arm, row.outcome, row.source)
        every.append(Finding("WAIVER", "note", (row.address,), *place, says, "remove the line"))
    return every


def _fits(waiver, finding: Finding) -> bool:
    asked = ((name, getattr(waiver, name)) for name in ("arm", "outcome", "source"))
    return all(not word or getattr(finding, name) == word for name, word in asked)
