"""Compute a verdict on a claim by comparing the guide's rows with the sources' rows.

Vocabulary
----------
Two numbers *match* if the ranges from which they were rounded overlap; a source's number matches a
range of the guide if it lies within it. A source is *worse* than the guide if it does not match and
reports less benefit or more harm.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evidence.analysis.printed_numbers import printed_numbers, rounding
from evidence.dataset.row_filter import filter_rows
from evidence.provenance.sentence import join_words

NOT_CHECKABLE = "not checkable"
COMPARED_COLUMNS = ("label", "is_guide", "confirmed", "arm", "outcome", "complement", "measure",
                    "value", "n", "time", "days", "days_low", "direction", "better", "as_printed",
                    "dose", "dose_unit", "infusion_minutes", "address")  # fmt: skip
UNITS = {"infusion_minutes": " minutes", "n": ""}
DIRECTION_RANKS = {"worse": 0, "no difference": 1, "better": 2}
TOLERANCE = 1e-9
_UP_TO = re.compile(r"\bup to\b")


@dataclass(frozen=True)
class Verdict:
    """A verdict, the comparisons that led to it, and the addresses of all rows compared."""

    verdict: str
    reason: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class PrintedRange:
    """The range a row states, half a unit of its last digit, and all its numbers."""

    low: float
    high: float
    rounding: float
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class _Comparison:
    """One row of the guide against one of a source."""

    matches: bool
    is_worse: bool
    n_difference: str
    printed: str
    label: str


def judge_claim(results: pd.DataFrame, claim: Any) -> Verdict:
    """Compute the verdict that the rows of a claim give by themselves.

    All sources match: agrees. At least half match: omits detail. Fewer match: overstated if all
    others are worse, else differs. A different n also means differs. An omission of the guide that
    a source reports omits detail. If nothing can be compared: not checkable.
    """
    guide = filter_rows(claim.guide_rows, results, COMPARED_COLUMNS)
    guide = guide[guide["is_guide"]]
    sources = filter_rows(claim.source_rows, results, COMPARED_COLUMNS)
    sources = sources[~sources["is_guide"]]
    if sources["confirmed"].any():
        sources = sources[sources["confirmed"]]
    rows = (*guide["address"], *sources["address"])
    if claim.kind == "omission" and guide.empty and len(sources):
        return Verdict("omits detail", "the guide does not mention it", rows)
    comparisons = [
        comparison
        for row in guide.itertuples()
        for source in _counterparts(row, sources, claim.quantity)
        if (comparison := _compare(row, source, claim.quantity))
    ]
    if not comparisons:
        return Verdict(NOT_CHECKABLE, "no row of a source reports what the guide states", rows)
    return Verdict(_verdict(comparisons), _reason(comparisons), rows)


def _counterparts(row, sources: pd.DataFrame, quantity: str) -> Iterable:
    """Return the sources' rows on the same arm, or all if no arm has its name."""
    same_arm = sources[sources["arm"] == row.arm]
    return (sources if quantity or same_arm.empty else same_arm).itertuples()


def _compare(row, source, quantity: str) -> _Comparison | None:
    """Compare a row of the guide with one of a source; None if they share no kind of number."""
    if quantity == "dose" and row.dose_unit not in ("", source.dose_unit):
        return None
    stated = _printed_range(row)
    reported = _column_range(source, quantity) if quantity else _printed_range(source)
    if row.measure == source.measure == "date":
        matches, is_worse = _dates_match(row.as_printed, source.as_printed), False
    elif stated and reported:
        if row.complement and source.outcome == row.complement:
            low, high = 1 - reported.high, 1 - reported.low
            reported = PrintedRange(low, high, reported.rounding, ())
        matches = _ranges_match(row, stated, reported)
        is_worse = _is_worse(row.better, stated, reported)
    elif row.direction and source.direction:
        matches = row.direction == source.direction
        is_worse = DIRECTION_RANKS[source.direction] < DIRECTION_RANKS[row.direction]
    else:
        return None
    printed = source.as_printed.replace(" percent", "%") or source.direction
    if quantity and reported:
        printed = f"{reported.low:g}{UNITS.get(quantity, f' {source.dose_unit}')}"
    has_other_n = pd.notna(row.n) and pd.notna(source.n) and row.n != source.n
    n_difference = f"n = {source.n}, not {row.n}" if has_other_n else ""
    return _Comparison(matches, is_worse and not matches, n_difference, printed, source.label)


def _printed_range(row) -> PrintedRange | None:
    """Return the value of a row, its time if it is about time, or the range in its text."""
    printed = printed_numbers(row.as_printed)
    if pd.notna(row.value):
        is_percentage = "%" in row.as_printed or "percent" in row.as_printed
        is_proportion = row.measure in ("proportion", "modelled proportion")
        scale = 0.01 if is_percentage and is_proportion else 1.0
        half_unit = rounding(printed[0]) * scale if printed else 0.0
        return PrintedRange(row.value, row.value, half_unit, (row.value,))
    if row.measure in ("range", "statement") and row.time:
        return PrintedRange(row.days_low, row.days, 0.0, ())
    if row.measure == "range" and printed:
        scale = 0.01 if "%" in row.as_printed else 1.0
        numbers = tuple(scale * float(number) for number in printed)
        half_unit = scale * rounding(printed[0]) if len(numbers) == 1 else 0.0
        low = 0.0 if _UP_TO.search(row.as_printed) else numbers[0]
        return PrintedRange(low, numbers[-1], half_unit, numbers)
    return None


def _column_range(row, column: str) -> PrintedRange | None:
    value = getattr(row, column)
    return None if pd.isna(value) else PrintedRange(value, value, 0.0, (value,))


def _ranges_match(row, stated: PrintedRange, reported: PrintedRange) -> bool:
    # More than two numbers are a list, such as the doses tested.
    if len(stated.numbers) > 2:
        return any(abs(number - reported.low) < TOLERANCE for number in stated.numbers)
    slack = stated.rounding + reported.rounding + TOLERANCE
    low = -slack if row.measure == "maximum" else stated.low - slack
    return low <= reported.low and reported.high <= stated.high + slack


def _is_worse(better: str, stated: PrintedRange, reported: PrintedRange) -> bool:
    if better == "higher":
        return reported.low < stated.low
    return better == "lower" and reported.high > stated.high


def _dates_match(stated: str, reported: str) -> bool:
    """Tell whether the dates agree, with or without the day: March 2019 matches 5 March 2019."""
    return reported == stated or reported.endswith(f" {stated}")


def _verdict(comparisons: list[_Comparison]) -> str:
    others = [comparison for comparison in comparisons if not comparison.matches]
    if any(comparison.n_difference for comparison in comparisons):
        return "differs"
    if not others:
        return "agrees"
    if 2 * len(others) <= len(comparisons):
        return "omits detail"
    return "overstated" if all(comparison.is_worse for comparison in others) else "differs"


def _reason(comparisons: list[_Comparison]) -> str:
    """State what matches, what does not and where n differs, with the sources."""
    parts = (
        ("matches", [(c.label, c.printed) for c in comparisons if c.matches]),
        ("does not match", [(c.label, c.printed) for c in comparisons if not c.matches]),
        ("but", [(c.label, c.n_difference) for c in comparisons if c.n_difference]),
    )
    return "; ".join(f"{verb} {_by_source(pairs)}" for verb, pairs in parts if pairs)


def _by_source(pairs: list[tuple[str, str]]) -> str:
    texts: dict[str, list[str]] = {}
    for label, text in dict.fromkeys(pairs):
        texts.setdefault(label, []).append(text)
    return join_words(f"{join_words(words)} ({label})" for label, words in texts.items())
