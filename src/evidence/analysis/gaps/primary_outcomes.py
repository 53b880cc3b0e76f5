"""Tell whether the tables hold a result for the primary outcome of each randomised trial.

Vocabulary
----------
A primary outcome is *tabulated* if a confirmed result with a size is there, for a contrast or for
two arms, at its time. It is *wanted* if a row of `wanted_results.csv` asks for it, *missing* if
neither is the case, and *not stated* if `designs.csv` does not name it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.provenance.sentence import Sentence, count, row_count

STATUSES = ("tabulated", "wanted", "missing", "not stated")
UNSIZED = (*schema.UNSIZED_MEASURES, *schema.TEXT_MEASURES, "p value")
"""Measures that do not say how large an effect or an outcome was."""
TEXTS_WITH_RESULTS = ("publication", "registry", "review")
"""Kinds of text whose numbers count; press texts round them."""
ROW_COLUMNS = (
    "study", "arm", "versus", "role", "outcome", "instrument", "definition", "time", "time_unit",
    "measure", "reported_by", "source", "locator", "part", "verified", "confirmed", "is_guide",
    "reason", "address",
)  # fmt: skip
"""What the search for results needs of a row; whole rows would make it slow."""


@dataclass(frozen=True)
class PrimaryOutcome:
    """The primary outcome of one trial, with its status and the rows that report it.

    `address` is the row of `designs.csv`; `rows` are addresses of results or wanted results.
    """

    study: str
    outcome: str
    instrument: str
    time: str
    time_unit: str
    source: str
    locator: str
    status: str
    rows: tuple[str, ...]
    address: str


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def find_primary_outcomes(dataset: Dataset) -> list[PrimaryOutcome]:
    """Return the primary outcome of each randomised trial of the tables, as in `designs.csv`.

    A second report on the participants of another study is not a trial of its own.
    """
    results = select_results(dataset)
    designs = dataset.designs
    is_trial = (
        (designs["randomised"] == "yes")
        & designs["design"].isin(schema.PRIMARY_DESIGNS)
        & (designs["cohort"] == "")
        & designs["study"].isin(results["study"])
    )
    trials = designs[is_trial]
    is_sized = (
        results["confirmed"]
        & results["reported_by"].isin(TEXTS_WITH_RESULTS)
        & ~results["measure"].isin(UNSIZED)
    )
    stated = trials.loc[trials["primary_outcome"] != "", "study"]
    tabulated = rows_by_study(results[is_sized & results["study"].isin(stated)])
    wanted = rows_by_study(dataset.wanted_results)
    return [
        _primary_outcome(row, tabulated.get(row.study, ()), wanted.get(row.study, ()))
        for row in trials.itertuples()
    ]


def rows_by_study(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Return rows as tuples with the columns that tell results apart, by their study."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows[[name for name in ROW_COLUMNS if name in rows]].itertuples(index=False):
        groups[row.study].append(row)
    return groups


def span_in_days(time: str, unit: str) -> tuple[float, float]:
    """Return the start and end of one time in days; NaN if it is blank."""
    if not time:
        return math.nan, math.nan
    low, _, high = time.partition("-")
    return float(low) * schema.TIME_UNITS[unit], float(high or low) * schema.TIME_UNITS[unit]


def may_coincide(span: tuple[float, float], other: tuple[float, float], slack: float = 0) -> bool:
    """Tell whether two times overlap, give or take some days; one that is not stated may."""
    is_apart = span[1] + slack < other[0] or other[1] + slack < span[0]
    return not is_apart


def _primary_outcome(design: Any, tabulated: Sequence, wanted: Sequence) -> PrimaryOutcome:
    rows: Sequence[Any] = ()
    status = "not stated"
    if design.primary_outcome:
        status = "missing"
        if rows := _with_comparison(_matching(design, tabulated)):
            status = "tabulated"
        elif rows := _matching(design, wanted):
            status = "wanted"
    return PrimaryOutcome(
        design.study,
        design.primary_outcome,
        design.primary_instrument,
        design.primary_time,
        design.primary_time_unit,
        design.primary_source,
        design.primary_locator,
        status,
        tuple(row.address for row in rows),
        design.address,
    )


def _matching(design: Any, rows: Iterable[Any]) -> list[Any]:
    """Select rows on a primary outcome at its time, give or take half of the unit of that time."""
    half_unit = schema.TIME_UNITS.get(design.primary_time_unit, 0.0) / 2
    span = span_in_days(design.primary_time, design.primary_time_unit)
    return [
        row
        for row in rows
        if row.outcome == design.primary_outcome
        and (not design.primary_instrument or row.instrument in ("", design.primary_instrument))
        and may_coincide(span_in_days(row.time, row.time_unit), span, half_unit)
    ]


def _with_comparison(rows: list[Any]) -> list[Any]:
    """Return the contrasts, else the rows of a measure that at least two arms report."""
    if contrasts := [row for row in rows if row.versus]:
        return contrasts
    arms = {
        measure: {row.arm for row in rows if row.measure == measure} for measure in schema.MEASURES
    }
    return [row for row in rows if len(arms[row.measure]) >= 2]


def primary_outcomes_sentence(dataset: Dataset) -> Sentence:
    """State for how many randomised trials the result of the primary outcome is known."""
    outcomes = find_primary_outcomes(dataset)
    addresses: Mapping[str, list[str]] = {
        status: [entry.address for entry in outcomes if entry.status == status]
        for status in STATUSES
    }
    unread = addresses["wanted"] + addresses["missing"]
    trials = count(len(outcomes), "randomised trial", [entry.address for entry in outcomes])
    if not outcomes:
        return Sentence("primary.counted", "The tables hold no randomised trial.")
    return Sentence(
        "primary.counted",
        "Of {trials} in the tables, {tabulated} {have} a result for the primary outcome, {unread} "
        "{are} on the reading list for it, and for {unstated} no text that was read names the "
        "primary outcome.",
        {
            "trials": trials,
            "tabulated": row_count(addresses["tabulated"]),
            "have": "has" if len(addresses["tabulated"]) == 1 else "have",
            "unread": row_count(unread),
            "are": "is" if len(unread) == 1 else "are",
            "unstated": row_count(addresses["not stated"]),
        },
    )
