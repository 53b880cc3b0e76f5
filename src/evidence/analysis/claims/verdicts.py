"""Verdicts computed from rows: what the guide says, held against what other texts report.

Vocabulary
----------
Two numbers *fit* if the intervals fit from which each was rounded; a source's number fits a range
of the guide if it lies in it. A source is *worse* than the guide if it does not fit and is less
good for those concerned.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from evidence.analysis.printed_numbers import printed_numbers, rounding
from evidence.dataset.row_filter import filter_rows
from evidence.provenance.sentence import join_words

NOT_CHECKABLE = "not checkable"
INPUT_COLUMNS = ("label", "is_guide", "confirmed", "arm", "outcome", "complement", "measure", "value", "n",
        "time", "days", "days_low", "direction", "better", "as_printed", "dose_mg_per_kg",
        "infusion_minutes", "address")  # fmt: skip
"""The columns of results that are looked at here."""


@dataclass(frozen=True)
class Verdict:
    """A verdict with the comparisons that led to it and the addresses of all rows compared."""

    verdict: str
    reason: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Extent:
    """From where to where a row's number reaches, how finely it is printed, and all its numbers."""

    low: float
    high: float
    slack: float
    numbers: tuple[float, ...]


def judge_claim(results: pd.DataFrame, claim) -> Verdict:
    """The verdict that the rows of a claim give by themselves.

    All sources fit: agrees. At least half of them: omits detail. Fewer: overstated if all that
    do not fit are worse, else differs; differs also if the numbers of people are not the same.
    A claim without rows of the guide, but with rows of sources, omits detail if it is an
    omission. Where nothing can be held against anything: not checkable.

    Parameters
    ----------
    results : DataFrame
        All rows, from `select_results`.
    claim : row of `claims.csv`
    """
    said = filter_rows(claim.guide_rows, results, INPUT_COLUMNS)
    said = said[said["is_guide"]]
    sources = filter_rows(claim.source_rows, results, INPUT_COLUMNS)
    sources = sources[~sources["is_guide"]]
    if sources["confirmed"].any():
        sources = sources[sources["confirmed"]]
    rows = (*said["address"], *sources["address"])
    if claim.kind == "omission" and said.empty and len(sources):
        return Verdict("omits detail", "the guide gives nothing to compare", rows)
    compared = [
        comparison
        for row in said.itertuples()
        for source in _counterparts(row, sources, claim.quantity)
        if (comparison := _compare(row, source, claim.quantity))
    ]
    if not compared:
        return Verdict(NOT_CHECKABLE, "no row of a source gives what the guide says", rows)
    return Verdict(_verdict(compared), _because(compared), rows)


def _counterparts(row, sources: pd.DataFrame, quantity: str) -> Iterable:
    """The sources' rows about the same arm, or all of them if none has its name."""
    same = sources[sources["arm"] == row.arm]
    return (sources if quantity or same.empty else same).itertuples()


@dataclass(frozen=True)
class _Comparison:
    fits: bool
    worse: bool
    people: str
    printed: str
    label: str


def _compare(row, source, quantity: str) -> _Comparison | None:
    """How one row of a source stands to one of the guide; None if they have nothing in common."""
    wanted = _extent(row)
    found = _column(source, quantity) if quantity else _extent(source)
    if row.measure == source.measure == "date":
        fits, worse = _fits_date(row.as_printed, source.as_printed), False
    elif wanted and found:
        if row.complement and source.outcome == row.complement:
            found = Extent(1 - found.high, 1 - found.low, found.slack, ())
        fits, worse = _fits(row, wanted, found), _is_worse(row.better, wanted, found)
    elif row.direction and source.direction:
        fits = row.direction == source.direction
        worse = GOOD.index(source.direction) < GOOD.index(row.direction)
    else:
        return None
    printed = source.as_printed.replace(" percent", "%") or source.direction
    if quantity:
        printed = f"{found.low:g}{UNITS[quantity]}"
    is_other = pd.notna(row.n) and pd.notna(source.n) and row.n != source.n
    people = f"{source.n} people and not {row.n}" if is_other else ""
    return _Comparison(fits, worse and not fits, people, printed, source.label)


GOOD = ("worse", "no difference", "better")
UNITS = {"dose_mg_per_kg": " mg/kg", "infusion_minutes": " minutes", "n": ""}


def _extent(row) -> Extent | None:
    """What a row reports as a number: its value, its time if it is about time, or its text."""
    printed = printed_numbers(row.as_printed)
    if pd.notna(row.value):
        scale = 0.01 if row.measure in ("proportion", "modelled proportion") else 1.0
        is_percentage = "%" in row.as_printed or "percent" in row.as_printed
        slack = rounding(printed[0]) * (scale if is_percentage else 1.0) if printed else 0.0
        return Extent(row.value, row.value, slack, (row.value,))
    if row.measure in ("range", "statement") and row.time:
        return Extent(row.days_low, row.days, 0.0, ())
    if row.measure == "range" and printed:
        scale = 0.01 if "%" in row.as_printed else 1.0
        numbers = tuple(scale * float(number) for number in printed)
        slack = scale * max(map(rounding, printed)) if len(numbers) == 1 else 0.0
        low = 0.0 if _UP_TO.search(row.as_printed) else numbers[0]
        return Extent(low, numbers[-1], slack, numbers)
    return None


_UP_TO = re.compile(r"\bup to\b")


def _column(row, name: str) -> Extent | None:
    value = getattr(row, name)
    return None if pd.isna(value) else Extent(float(value), float(value), 0.0, (float(value),))


def _fits(row, wanted: Extent, found: Extent) -> bool:
    if len(wanted.numbers) > 2:
        return any(abs(number - found.low) < 1e-9 for number in wanted.numbers)
    slack = wanted.slack + found.slack + 1e-9
    low = -slack if row.measure == "maximum" else wanted.low - slack
    return low <= found.low and found.high <= wanted.high + slack


def _is_worse(better: str, wanted: Extent, found: Extent) -> bool:
    if better == "higher":
        return found.low < wanted.low
    return better == "lower" and found.high > wanted.high


def _fits_date(said: str, found: str) -> bool:
    """Whether a date is the other one, with or without the day: March 2019 fits 5 March 2019."""
    return found == said or found.endswith(f" {said}")


def _verdict(compared: list[_Comparison]) -> str:
    off = [comparison for comparison in compared if not comparison.fits]
    if any(comparison.people for comparison in compared):
        return "differs"
    if not off:
        return "agrees"
    if 2 * len(off) <= len(compared):
        return "omits detail"
    return "overstated" if all(comparison.worse for comparison in off) else "differs"


def _because(compared: list[_Comparison]) -> str:
    """What fits, what does not and where the people differ, by source."""
    groups = (
        ("fits", [(c.printed, c.label) for c in compared if c.fits]),
        ("does not fit", [(c.printed, c.label) for c in compared if not c.fits]),
        ("but", [(c.people, c.label) for c in compared if c.people]),
    )
    return "; ".join(f"{verb} {_by_label(pairs)}" for verb, pairs in groups if pairs)


def _by_label(pairs: list[tuple[str, str]]) -> str:
    printed: dict[str, dict[str, None]] = {}
    for words, label in pairs:
        printed.setdefault(label, {})[words] = None
    return join_words(f"{join_words(words)} ({label})" for label, words in printed.items())
