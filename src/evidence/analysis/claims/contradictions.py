"""Find where the guide contradicts itself or a trial that it cites.

Vocabulary
----------
A *statement* (a row of `statements.csv`) gives a quality to a subject over a range of some
quantity. Two statements contradict each other if they share the subject, their ranges overlap and
one excludes the quality of the other.
"""

from itertools import combinations

import pandas as pd

from evidence.analysis.doses import convert_doses
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.dataset.row_filter import filter_rows
from evidence.provenance.sentence import Sentence, join_words, verbatim


@as_listing
@selection
def contradictions(dataset: Dataset) -> list[Sentence]:
    """Return a sentence for each contradiction between two statements or statement and trial."""
    results = select_results(dataset)
    statements = list(dataset.statements.itertuples())
    sentences = [
        _contradicting_statements(first, second)
        for first, second in combinations(statements, 2)
        if _contradict(first, second)
    ]
    for statement in statements:
        rows = _contradicting_rows(statement, results)
        if len(rows):
            sentences.append(_contradicting_trial(statement, rows))
    return sentences


def _contradict(first, second) -> bool:
    is_same = all(
        getattr(first, name) == getattr(second, name)
        for name in ("subject", "quantity", "dose_unit")
    )
    excludes = second.quality in _excluded(first) or first.quality in _excluded(second)
    return is_same and excludes and _overlap(first, second) is not None


def _excluded(statement) -> list[str]:
    return [quality.strip() for quality in statement.excludes.split(";")]


def _range(statement) -> tuple[float, float]:
    low = statement.low if pd.notna(statement.low) else float("-inf")
    return low, statement.high if pd.notna(statement.high) else float("inf")


def _overlap(first, second) -> tuple[float, float] | None:
    low = max(_range(first)[0], _range(second)[0])
    high = min(_range(first)[1], _range(second)[1])
    return (low, high) if low <= high else None


def _amount(statement, overlap: tuple[float, float] | None) -> str:
    if not statement.quantity or overlap is None:
        return ""
    low, high = overlap
    text = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f" ({text} {statement.dose_unit or statement.quantity})"


def _contradicting_statements(first, second) -> Sentence:
    in_same_claim = first.claim == second.claim
    return Sentence(
        f"contradiction.{first.claim}.{second.claim}",
        "{subject}{amount}: the guide says that {statement1} ({place1}), but also that "
        "{statement2} ({place2}).",
        {
            "subject": first.subject,
            "amount": _amount(first, _overlap(first, second)),
            "statement1": verbatim(first.as_said, [first.address]),
            "place1": first.locator if in_same_claim else first.claim,
            "statement2": verbatim(second.as_said, [second.address]),
            "place2": second.locator if in_same_claim else second.claim,
        },
    )


def _contradicting_rows(statement, results: pd.DataFrame) -> pd.DataFrame:
    """Return confirmed rows within the statement's range whose direction differs from it."""
    rows = filter_rows(statement.source_rows, results)
    rows = rows[~rows["is_guide"] & rows["confirmed"] & (rows["direction"] != "")]
    if statement.quantity:
        is_dose = statement.quantity == "dose"
        amounts = convert_doses(rows, statement.dose_unit) if is_dose else rows[statement.quantity]
        rows = rows[amounts.between(*_range(statement))]
    return rows[rows["direction"] != statement.direction]


def _contradicting_trial(statement, rows: pd.DataFrame) -> Sentence:
    findings = join_words(rows["direction"].unique())
    return Sentence(
        f"contradiction.{statement.claim}.{rows['study'].iloc[0]}",
        "{subject}: the guide says that {statement} ({claim}), but {studies} found {findings} for "
        "{arms}.",
        {
            "subject": statement.subject,
            "statement": verbatim(statement.as_said, [statement.address]),
            "claim": statement.claim,
            "studies": join_words(rows["label"].unique()),
            "findings": verbatim(findings, rows["address"]),
            "arms": join_words(rows["arm"].unique()),
        },
    )
