"""Spreads, intervals, p values and effects that do not go together."""

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_pairs
from evidence.analysis.checks.finding import Found, check
from evidence.analysis.printed_numbers import printed_numbers, rounding
from evidence.dataset.csv_reader import map_cells
from evidence.statistics.confidence_intervals import (
    odds_ratio_interval,
    risk_difference_interval,
    risk_ratio_interval,
)

RATIOS = ("odds ratio", "risk ratio")
COMPUTED = {
    "odds ratio": odds_ratio_interval,
    "risk ratio": risk_ratio_interval,
    "risk difference": risk_difference_interval,
}
SCALE = ["study", "outcome", "instrument"]
# Far below its fellows at the same time, and below all, but near them times the root of n.
FAR, FAR_FROM_ALL, NEAR = 2.5, 1.4, 1.6


@check("SDSE", "warning", "read whether it is a standard error")
def errors_for_deviations(dataset, results) -> Found:
    """A standard deviation that fits its fellows only if it is a standard error."""
    rows = results[
        (results["spread_kind"] == "sd") & results["n"].notna() & results["spread"].gt(0)
    ]
    for _, group in rows[_may_be_errors(rows)].groupby(SCALE, sort=False):
        row = next(group.nsmallest(1, "spread").itertuples())
        fellows = group[group["address"] != row.address]
        same = fellows[fellows["days"] == row.days]
        nearest = (same if len(same) else fellows)["spread"]
        usual = float(nearest.median())
        is_far = row.spread * FAR < nearest.min()
        is_far &= row.spread * FAR_FROM_ALL < fellows["spread"].min()
        would_fit = abs(np.log(row.spread * np.sqrt(row.n) / usual)) < np.log(NEAR)
        # Scores that crowd at the floor vary little too, but then their mean is small as well.
        if is_far and would_fit and row.spread < 0.25 * abs(row.value):
            yield (
                row,
                f"standard deviation {row.spread:g} beside {usual:g} elsewhere in the study; "
                f"times √{row.n} it would fit",
            )


def _may_be_errors(rows: pd.DataFrame) -> np.ndarray:
    """Rows that share a scale with one whose deviation is far below all others on it."""
    group = rows.groupby(SCALE, sort=False).ngroup().to_numpy()
    spread = rows["spread"].to_numpy()
    order = np.lexsort([spread, group])
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    seconds = np.minimum(starts + 1, len(rows) - 1)
    is_far = spread[order][starts] * FAR_FROM_ALL < spread[order][seconds]
    is_far &= group[order][starts] == group[order][seconds]
    return np.isin(group, group[order][starts[is_far]])


def _with_intervals(results: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows with an interval, and low end, value and high end where they are symmetric, (3, K)."""
    has_all = results[["value", "ci_low", "ci_high"]].notna().all(axis=1)
    is_ratio = results["measure"].isin(RATIOS)
    rows = results[has_all & ~(is_ratio & (results["ci_low"] <= 0))]
    ends = rows[["ci_low", "value", "ci_high"]].to_numpy(copy=True)
    is_ratio = rows["measure"].isin(RATIOS).to_numpy()
    ends[is_ratio] = np.log(ends[is_ratio])
    return rows, ends.T


@check("CIP", "warning", "read both again")
def intervals_against_p(dataset, results) -> Found:
    """An interval that holds no effect beside a p value below 0.05, or the other way round."""
    rows, (low, _, high) = _with_intervals(results)
    # An end that was rounded to no difference may lie on either side of it.
    is_clear = low * high != 0
    holds_none = (low < 0) & (high > 0)
    for row in rows[is_clear & (_significance(rows["p_value"]) == holds_none)].itertuples():
        said = f"interval {row.ci_low:g} to {row.ci_high:g} and p {row.p_value}"
        yield row, f"{said} disagree on 0.05"


def _significance(printed: pd.Series) -> np.ndarray:
    """Whether each printed p value is below 0.05, as 1 or 0; NaN if it does not tell."""
    return map_cells(printed, _significant, float)


def _significant(printed: str) -> float:
    if not printed:
        return np.nan
    number = float(printed.lstrip("<>"))
    if printed[0] in "<>":
        tells = number <= 0.05 if printed[0] == "<" else number >= 0.05
        return float(printed[0] == "<") if tells else np.nan
    return np.nan if number == 0.05 else float(number < 0.05)


@check("CISYM", "warning", "read the three numbers again")
def lopsided_intervals(dataset, results) -> Found:
    """A value outside its interval's middle, on the scale where intervals are symmetric."""
    rows, (low, middle, high) = _with_intervals(results)
    slack = map_cells(rows["as_printed"], _slack, float)
    is_ratio = rows["measure"].isin(RATIOS).to_numpy()
    # A half unit of a ratio is that part of it on the scale of logarithms.
    ratios = rows.loc[is_ratio, ["value", "ci_low"]].to_numpy()
    slack[is_ratio] *= (1 / ratios).sum(axis=1)
    is_lopsided = np.abs((high - middle) - (middle - low)) > slack + 0.15 * (high - low)
    for row in rows[is_lopsided].itertuples():
        ends = f"{row.ci_low:g} to {row.ci_high:g}"
        yield row, f"{row.value:g} is not in the middle of {ends}"


def _slack(as_printed: str) -> float:
    return 2.5 * max(map(rounding, printed_numbers(as_printed)), default=0.0)


@check("DIRECTION", "warning", "read whom the finding favours, and how sure it is")
def directions_against_numbers(dataset, results) -> Found:
    """A direction that the row's p value or its interval speaks against."""
    is_none = (results["direction"] == "no difference").to_numpy()
    p = results["p_adjusted"].where(results["p_adjusted"] != "", results["p_value"])
    speaks_against = (results["direction"] != "").to_numpy() & (_significance(p) == is_none)
    for row in results[speaks_against].itertuples():
        yield row, f"'{row.direction}' beside p {row.p_adjusted or row.p_value}"
    # Beside a size, better and worse only say whom the sign favours.
    rows, (low, _, high) = _with_intervals(results[is_none])
    for row in rows[(low > 0) | (high < 0)].itertuples():
        yield row, f"'{row.direction}' beside {row.ci_low:g} to {row.ci_high:g}"


@check("LARGE", "warning", "read whether standard errors were taken for deviations")
def incredible_effects(dataset, results) -> Found:
    """A standardised difference beyond 3, more than any treatment is known to do."""
    for row in results[(results["measure"] == "smd") & results["value"].abs().gt(3)].itertuples():
        yield row, f"a standardised difference of {row.value:g}"


@check("EFFECT", "warning", "read counts and effect again, and whether it is adjusted")
def effects_off_their_counts(dataset, results) -> Found:
    """A printed ratio or difference that the counts of its two arms do not give."""
    place = ["study", "arm", "versus", "outcome", "time", "time_unit"]
    rows = results[results["measure"].isin(COMPUTED) & results["value"].notna()]
    both = ["study", "outcome", "time", "time_unit"]
    keys = pd.MultiIndex.from_frame(rows[both].drop_duplicates())
    shares = results[(results["measure"] == "proportion") & results["study"].isin(rows["study"])]
    shares = shares[pd.MultiIndex.from_frame(shares[both]).isin(keys)]
    tables = arm_pairs(shares, confidence=0.95).drop_duplicates(place)
    rows = rows.merge(tables, on=place, suffixes=("", "_pair"))
    counts = rows[["events1", "n1", "events2", "n2"]].to_numpy(float)
    found = np.full(len(rows), np.nan)
    for measure, compute in COMPUTED.items():
        at = (rows["measure"] == measure).to_numpy()
        found[at] = compute(*counts[at].T).estimate
    value = rows["value"].to_numpy()
    is_off = np.abs(found - value) > 0.02 * np.maximum(np.abs(value), 0.25)
    for row in rows.assign(found=found)[is_off].itertuples():
        arms = f"{row.events1}/{row.n1} against {row.events2}/{row.n2}"
        says = f"{row.measure} {row.value:g} is printed, {arms} gives {row.found:.2f}"
        yield row, says, (row.address, *row.address_pair.split())


CHECKS = (
    errors_for_deviations,
    intervals_against_p,
    lopsided_intervals,
    directions_against_numbers,
    incredible_effects,
    effects_off_their_counts,
)
