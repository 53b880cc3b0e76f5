"""Spreads, intervals, p values and effects that do not go together."""

import numpy as np
import pandas as pd

from evidence.estimation.differences import odds_ratio, risk_difference, risk_ratio
from evidence.synthesis.checks.finding import Found, check
from evidence.synthesis.comparisons import pairs
from evidence.synthesis.printed import printed_numbers, rounding

RATIOS = ("odds ratio", "risk ratio")
COMPUTED = {"odds ratio": odds_ratio, "risk ratio": risk_ratio, "risk difference": risk_difference}
# Far below its fellows at the same time, and below all, but near them times the root of n.
FAR, FAR_FROM_ALL, NEAR = 2.5, 1.4, 1.6


@check("SDSE", "warning", "read whether it is a standard error")
def errors_for_deviations(corpus, results) -> Found:
    """A standard deviation that fits its fellows only if it is a standard error."""
    rows = results[
        (results["spread_kind"] == "sd") & results["n"].notna() & results["spread"].gt(0)
    ]
    for _, group in rows.groupby(["study", "outcome", "instrument"], sort=False):
        for row in group.itertuples():
            fellows = group[group["address"] != row.address]
            if fellows.empty:
                continue
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


def _with_intervals(results: pd.DataFrame):
    """Rows with value and interval, and the three numbers on the scale where they are symmetric."""
    rows = results[results[["value", "ci_low", "ci_high"]].notna().all(axis=1)]
    for row in rows.itertuples():
        ends = np.array([row.ci_low, row.value, row.ci_high])
        if row.measure not in RATIOS:
            yield row, ends
        elif row.ci_low > 0:
            yield row, np.log(ends)


@check("CIP", "warning", "read both again")
def intervals_against_p(corpus, results) -> Found:
    """An interval that holds no effect beside a p value below 0.05, or the other way round."""
    for row, (low, _, high) in _with_intervals(results):
        significant = _significant(row.p_value)
        # An end that was rounded to no difference may lie on either side of it.
        if significant is not None and low * high and significant == (low < 0 < high):
            said = f"interval {row.ci_low:g} to {row.ci_high:g} and p {row.p_value}"
            yield row, f"{said} disagree on 0.05"


def _significant(printed: str) -> bool | None:
    """Whether a printed p value is below 0.05; None if it does not tell."""
    if not printed:
        return None
    number = float(printed.lstrip("<>"))
    if printed[0] in "<>":
        tells = number <= 0.05 if printed[0] == "<" else number >= 0.05
        return printed[0] == "<" if tells else None
    return None if number == 0.05 else number < 0.05


@check("CISYM", "warning", "read the three numbers again")
def lopsided_intervals(corpus, results) -> Found:
    """A value outside its interval's middle, on the scale where intervals are symmetric."""
    for row, (low, middle, high) in _with_intervals(results):
        slack = 2.5 * max(map(rounding, printed_numbers(row.as_printed)), default=0.0)
        if row.measure in RATIOS:
            slack *= 1 / row.value + 1 / row.ci_low
        if abs((high - middle) - (middle - low)) > slack + 0.15 * (high - low):
            ends = f"{row.ci_low:g} to {row.ci_high:g}"
            yield row, f"{row.value:g} is not in the middle of {ends}"


@check("DIRECTION", "warning", "read whom the finding favours, and how sure it is")
def directions_against_numbers(corpus, results) -> Found:
    """A direction that the row's p value or its interval speaks against."""
    rows = results[results["direction"] != ""]
    for row in rows.itertuples():
        significant = _significant(row.p_adjusted or row.p_value)
        if significant is not None and significant == (row.direction == "no difference"):
            yield row, f"'{row.direction}' beside p {row.p_adjusted or row.p_value}"
    # Beside a size, better and worse only say whom the sign favours.
    for row, (low, _, high) in _with_intervals(rows[rows["direction"] == "no difference"]):
        if not low <= 0 <= high:
            yield row, f"'{row.direction}' beside {row.ci_low:g} to {row.ci_high:g}"


@check("LARGE", "warning", "read whether standard errors were taken for deviations")
def incredible_effects(corpus, results) -> Found:
    """A standardised difference beyond 3, more than any treatment is known to do."""
    for row in results[(results["measure"] == "smd") & results["value"].abs().gt(3)].itertuples():
        yield row, f"a standardised difference of {row.value:g}"


@check("EFFECT", "warning", "read counts and effect again, and whether it is adjusted")
def effects_off_their_counts(corpus, results) -> Found:
    """A printed ratio or difference that the counts of its two arms do not give."""
    place = ["study", "arm", "versus", "outcome", "time", "time_unit"]
    tables = pairs(results, confidence=0.95).drop_duplicates(place)
    rows = results[results["measure"].isin(COMPUTED) & results["value"].notna()]
    for row in rows.merge(tables, on=place, suffixes=("", "_pair")).itertuples():
        counts = [int(n) for n in (row.events1, row.n1, row.events2, row.n2)]
        found = float(COMPUTED[row.measure](*counts).estimate)
        if abs(found - row.value) > 0.02 * max(abs(row.value), 0.25):
            arms = "{}/{} against {}/{}".format(*counts)
            says = f"{row.measure} {row.value:g} is printed, {arms} gives {found:.2f}"
            yield row, says, (row.address, *row.address_pair.split())


CHECKS = (
    errors_for_deviations,
    intervals_against_p,
    lopsided_intervals,
    directions_against_numbers,
    incredible_effects,
    effects_off_their_counts,
)
