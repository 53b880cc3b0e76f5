"""Where the guide contradicts itself, or a trial that it cites, found from its statements as data.

Vocabulary
----------
A *statement* (a row of `statements.csv`) gives a quality to a subject over a range of some
quantity. Two statements *contradict* each other if they are about the same subject, their ranges
overlap and one excludes the quality of the other.
"""

from itertools import combinations

import pandas as pd

from evidence.dataset.dataset import Dataset
from evidence.dataset.row_filter import filter_rows
from evidence.provenance.sentence import Number, Sentence, join_words

UNITS = {"dose_mg_per_kg": "mg/kg", "days": "days"}


def contradictions(dataset: Dataset, results: pd.DataFrame) -> list[Sentence]:
    """A line for each pair of statements, and for each statement and trial, that cannot both hold.

    Parameters
    ----------
    results : DataFrame
        All rows, from `select_results`.
    """
    statements = list(dataset.statements.itertuples())
    found = [_pair(one, two) for one, two in combinations(statements, 2) if _exclude(one, two)]
    for statement in statements:
        rows = _against(statement, results)
        if len(rows):
            found.append(_trial(statement, rows))
    return found


def _exclude(one, two) -> bool:
    same = (one.subject, one.quantity) == (two.subject, two.quantity)
    exclusive = two.quality in _words(one.excludes) or one.quality in _words(two.excludes)
    return same and exclusive and _overlap(one, two) is not None


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";")]


def _ends(statement) -> tuple[float, float]:
    low = statement.low if pd.notna(statement.low) else float("-inf")
    return low, statement.high if pd.notna(statement.high) else float("inf")


def _overlap(one, two) -> tuple[float, float] | None:
    low = max(_ends(one)[0], _ends(two)[0])
    high = min(_ends(one)[1], _ends(two)[1])
    return (low, high) if low <= high else None


def _amount(statement, ends: tuple[float, float]) -> str:
    if not statement.quantity:
        return ""
    low, high = ends
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f" ({span} {UNITS[statement.quantity]})"


def _pair(one, two) -> Sentence:
    same = one.claim == two.claim
    return Sentence(
        f"contradiction.{one.claim}.{two.claim}",
        "{subject}{amount}: the guide says that {one} ({first}), and also that {two} ({second}).",
        {
            "subject": Number(None, one.subject),
            "amount": Number(None, _amount(one, _overlap(one, two))),
            "one": Number(one.as_said, one.as_said, (one.address,)),
            "first": Number(None, one.locator if same else one.claim),
            "two": Number(two.as_said, two.as_said, (two.address,)),
            "second": Number(None, two.locator if same else two.claim),
        },
    )


def _against(statement, results: pd.DataFrame) -> pd.DataFrame:
    """Confirmed rows in the statement's range that found something else than it says."""
    rows = filter_rows(statement.source_rows, results)
    rows = rows[~rows["is_guide"] & rows["confirmed"] & (rows["direction"] != "")]
    if statement.quantity:
        rows = rows[rows[statement.quantity].between(*_ends(statement))]
    return rows[rows["direction"] != statement.direction]


def _trial(statement, rows: pd.DataFrame) -> Sentence:
    studies = join_words(rows["label"].unique())
    arms = join_words(rows["arm"].unique())
    found = join_words(rows["direction"].unique())
    return Sentence(
        f"contradiction.{statement.claim}.{rows['study'].iloc[0]}",
        "{subject}: the guide says that {said} ({claim}); {studies} found {found} for {arms}.",
        {
            "subject": Number(None, statement.subject),
            "said": Number(statement.as_said, statement.as_said, (statement.address,)),
            "claim": Number(None, statement.claim),
            "studies": Number(None, studies),
            "found": Number(found, found, tuple(rows["address"])),
            "arms": Number(None, arms),
        },
    )
