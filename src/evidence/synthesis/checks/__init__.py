"""Consistency checks: numbers that cannot all be right, or are hard to believe."""

from collections import defaultdict
from dataclasses import replace

from evidence.corpus.reading import Corpus
from evidence.corpus.reads import derived, of_tables
from evidence.errors import CorpusError, Problem
from evidence.synthesis.checks import circumstances, effects, printed
from evidence.synthesis.checks.finding import Finding
from evidence.synthesis.selection import select_results

CHECKS = (*printed.CHECKS, *effects.CHECKS, *circumstances.CHECKS)


@derived
def check_consistency(corpus: Corpus) -> list[Finding]:
    """Every finding in the tables, sorted by row, with the waiver that lets it stand."""
    results = select_results(corpus)
    found = [finding for check in CHECKS for finding in check.findings(corpus, results)]
    return sorted(_waived(corpus, found), key=lambda finding: (*_place(finding), finding.code))


def require_consistent(corpus: Corpus) -> list[Finding]:
    """The findings, if no error among them counts.

    Raises
    ------
    CorpusError
        With every error that nobody has waived.
    """
    findings = of_tables(corpus, check_consistency)
    counting = [finding for finding in findings if finding.counts]
    if counting:
        raise CorpusError(
            Problem(*_place(finding), finding.code, "it", f"fails: {finding.says}; "
                    f"{finding.resolve}, or waive it in data/waivers.csv")
            for finding in counting
        )  # fmt: skip
    return findings


def _place(finding: Finding) -> tuple[str, int]:
    file, _, line = finding.rows[0].rpartition(":")
    return file, int(line)


def _waived(corpus: Corpus, findings: list[Finding]) -> list[Finding]:
    """The findings with the first waiver that lets each stand, and the waivers that wait for none.

    Code and study stand in every waiver, arm, outcome and source only where one is meant.
    """
    waivers = defaultdict(list)
    for row in corpus.waivers.itertuples():
        waivers[row.code, row.study].append(row)
    idle = {row.address: row for rows in waivers.values() for row in rows}
    every = []
    for finding in findings:
        near = waivers.get((finding.code, finding.study), ())
        fitting = [row for row in near if _fits(row, finding)]
        for row in fitting:
            idle.pop(row.address, None)
        if fitting:
            said = f"{fitting[0].reason} — {fitting[0].signed}, {fitting[0].date}"
            finding = replace(finding, waived=said)
        every.append(finding)
    for row in idle.values():
        says = f"no finding {row.code} is left that this would waive"
        place = (row.study, row.arm, row.outcome, row.source)
        every.append(Finding("WAIVER", "note", (row.address,), *place, says, "remove the line"))
    return every


def _fits(waiver, finding: Finding) -> bool:
    asked = ((name, getattr(waiver, name)) for name in ("arm", "outcome", "source"))
    return all(not word or getattr(finding, name) == word for name, word in asked)
