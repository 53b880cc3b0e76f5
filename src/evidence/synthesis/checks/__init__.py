"""Consistency checks: numbers that cannot all be right, or are hard to believe."""

from collections.abc import Iterator
from dataclasses import replace

from evidence.corpus.reading import Corpus
from evidence.errors import CorpusError, Problem
from evidence.synthesis.checks import circumstances, effects, printed
from evidence.synthesis.checks.finding import Finding
from evidence.synthesis.selection import select_results

CHECKS = (*printed.CHECKS, *effects.CHECKS, *circumstances.CHECKS)


def check_consistency(corpus: Corpus) -> list[Finding]:
    """Every finding in the tables, sorted by row, with the waiver that lets it stand."""
    results = select_results(corpus)
    found = [finding for check in CHECKS for finding in check.findings(corpus, results)]
    found = [replace(finding, waived=_waiver(corpus, finding)) for finding in found]
    found += _idle_waivers(corpus, found)
    return sorted(found, key=lambda finding: (*_place(finding), finding.code))


def require_consistent(corpus: Corpus) -> list[Finding]:
    """The findings, if no error among them counts.

    Raises
    ------
    CorpusError
        With every error that nobody has waived.
    """
    findings = check_consistency(corpus)
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


def _waives(row, finding: Finding) -> bool:
    asked = {name: getattr(row, name) for name in ("code", "study", "arm", "outcome", "source")}
    return all(not word or getattr(finding, name) == word for name, word in asked.items())


def _waiver(corpus: Corpus, finding: Finding) -> str:
    for row in corpus.waivers.itertuples():
        if _waives(row, finding):
            return f"{row.reason} — {row.signed}, {row.date}"
    return ""


def _idle_waivers(corpus: Corpus, findings: list[Finding]) -> Iterator[Finding]:
    for row in corpus.waivers.itertuples():
        if not any(_waives(row, finding) for finding in findings):
            says = f"no finding {row.code} is left that this would waive"
            place = (row.study, row.arm, row.outcome, row.source)
            yield Finding("WAIVER", "note", (row.address,), *place, says, "remove the line")
