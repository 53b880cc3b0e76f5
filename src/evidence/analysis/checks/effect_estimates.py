"""Check SDs, CIs, p values and effect estimates against each other."""

import re

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_pairs
from evidence.analysis.checks.finding import CheckResults, check
from evidence.analysis.eligible_evidence import evidence_rows
from evidence.analysis.pooling.printed_variance import reason_without_variance
from evidence.analysis.pooling.question import undeclared_directions
from evidence.analysis.pooling.study_effects import all_effects
from evidence.analysis.printed_numbers import printed_numbers, rounding
from evidence.analysis.results import SCALE_MEASURES
from evidence.dataset.csv_reader import map_cells
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import RATIO_MEASURES
from evidence.statistics.confidence_intervals import (
    odds_ratio_interval,
    risk_difference_interval,
    risk_ratio_interval,
)

ALPHA = 0.05
INTERVALS = {
    "odds ratio": odds_ratio_interval,
    "risk ratio": risk_ratio_interval,
    "risk difference": risk_difference_interval,
}
OPPOSITE = {"higher": "lower", "lower": "higher"}
MEANS_KEY = ["study", "outcome", "instrument", "time", "time_unit"]
_NAMED_DIRECTION = re.compile(r"\b(higher|lower)\b[\w\s]*\bbetter\b", re.IGNORECASE)
SCALE = ["study", "outcome", "instrument"]
# An SD is suspect if it is much smaller than the others on its scale, and would be like them if it
# were a standard error. The factors were chosen on made-up datasets (`make benchmark`).
FACTOR_AT_SAME_TIME, FACTOR_AT_ANY_TIME, FACTOR_AS_ERROR = 2.5, 1.4, 1.6
MIN_OTHER_STUDIES = 3


@check("SDSE", "warning", "check whether it is a standard error")
def errors_for_deviations(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a standard deviation that agrees with the others only if it is a standard error."""
    rows = results[
        (results["spread_kind"] == "sd") & results["n"].notna() & results["spread"].gt(0)
    ]
    for _, group in rows[_may_have_errors(rows)].groupby(SCALE, sort=False):
        row = next(group.nsmallest(1, "spread").itertuples())
        others = group[group["address"] != row.address]
        same_time = others[others["days"] == row.days]
        nearest = (same_time if len(same_time) else others)["spread"]
        typical = float(nearest.median())
        is_small = row.spread * FACTOR_AT_SAME_TIME < nearest.min()
        is_small &= row.spread * FACTOR_AT_ANY_TIME < others["spread"].min()
        ratio_as_error = row.spread * np.sqrt(row.n) / typical
        is_like_others = abs(np.log(ratio_as_error)) < np.log(FACTOR_AS_ERROR)
        # Scores crowded at the floor also vary little, but then their mean is small as well.
        if is_small and is_like_others and row.spread < 0.25 * abs(row.value):
            yield (
                row,
                f"standard deviation {row.spread:g}, but {typical:g} elsewhere in the study; it "
                f"would agree if it were a standard error (× √{row.n})",
            )


def _may_have_errors(rows: pd.DataFrame) -> np.ndarray:
    """Select rows on a scale whose smallest deviation is far below the second smallest."""
    scale = rows.groupby(SCALE, sort=False).ngroup()
    spread = rows["spread"].to_numpy()
    order = np.lexsort([spread, scale])
    ordered_scale, ordered_spread = scale.to_numpy()[order], spread[order]
    first = np.flatnonzero(np.diff(ordered_scale, prepend=-1))
    second = np.minimum(first + 1, len(rows) - 1)
    is_far = ordered_spread[first] * FACTOR_AT_ANY_TIME < ordered_spread[second]
    is_far &= ordered_scale[first] == ordered_scale[second]
    return scale.isin(ordered_scale[first[is_far]]).to_numpy()


@check("SDORSE", "warning", "check whether it is an SD or an SE")
def spreads_unlike_other_studies(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find an SD or SE that agrees with at least three other studies only if it is the other one."""
    rows = results[
        (results["measure"] == "mean")
        & results["spread_kind"].isin(["sd", "se"])
        & results["spread"].gt(0)
        & results["n"].gt(1)
        & (results["instrument"] != "")
    ]
    is_sd, root_n = rows["spread_kind"] == "sd", np.sqrt(rows["n"].to_numpy(float))
    rows = rows.assign(sd=rows["spread"].where(is_sd, rows["spread"] * root_n))
    rows = rows.assign(swapped=rows["spread"].where(~is_sd, rows["spread"] * root_n))
    scales = rows.groupby(["outcome", "instrument"], sort=False, observed=True)
    for _, scale in scales:
        if scale["study"].nunique() <= MIN_OTHER_STUDIES:
            continue
        by_study = scale.groupby("study", sort=False, observed=True)[["sd", "swapped"]].median()
        # Only the smallest and the largest can differ from all others.
        for study in (by_study["sd"].idxmin(), by_study["sd"].idxmax()):
            own, others = by_study.loc[study], by_study["sd"].drop(study)
            is_far = own["sd"] * FACTOR_AT_SAME_TIME < others.min()
            is_far |= own["sd"] > FACTOR_AT_SAME_TIME * others.max()
            if is_far and abs(np.log(own["swapped"] / others.median())) < np.log(FACTOR_AS_ERROR):
                row = next(scale[scale["study"] == study].itertuples())
                other = "standard error" if row.spread_kind == "sd" else "standard deviation"
                yield (
                    row,
                    f"{row.spread_kind.upper()} {row.spread:g}: {len(others)} other studies have "
                    f"SDs of {others.min():.3g} to {others.max():.3g} on this scale; it would agree "
                    f"if it were a {other}",
                )


@check("VARIANCE", "error", "check the number; no meta-analysis can use the row")
def results_without_variance(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find an SD of 0, an SD of one participant, and a CI without width or of a ratio from 0."""
    is_suspect = results["spread"].le(0) | results["ci_low"].eq(results["ci_high"])
    is_suspect |= (results["spread_kind"] == "sd") & results["n"].lt(2).fillna(False)
    is_suspect |= results["measure"].isin(RATIO_MEASURES) & (
        results["value"].le(0) | results["ci_low"].le(0)
    )
    for row in results[is_suspect].itertuples():
        if reason := reason_without_variance(row._asdict()):
            yield row, reason


@check("NOSD", "note", "enter the SD, or note that the text gives none")
def means_without_spread(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a mean without SD, SE or CI whose comparison has one, so that the study cannot be pooled."""
    means = results[(results["measure"] == "mean") & results["confirmed"] & ~results["is_guide"]]
    key = ["study", "outcome", "instrument", "time", "time_unit", "source"]
    has_spread = means["spread"].notna() | means["ci_low"].notna()
    others = has_spread.groupby([means[name] for name in key], sort=False).transform("any")
    for row in means[~has_spread & others & means["value"].notna()].itertuples():
        yield row, f"mean {row.value:g} without SD, while the other arm has one; it is not pooled"


@check("CIP", "warning", "check both numbers")
def intervals_against_p(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a CI and a p value that disagree on whether there is a difference at 0.05."""
    rows, (low, _, high) = _with_intervals(results)
    # A limit rounded to no difference may lie on either side of it.
    is_clear = low * high != 0
    includes_null = (low < 0) & (high > 0)
    for row in rows[is_clear & (_significance(rows["p_value"]) == includes_null)].itertuples():
        ci = f"{row.ci_low:g} to {row.ci_high:g}"
        yield row, f"CI {ci} and p {row.p_value} disagree on significance at {ALPHA}"


@check("CISYM", "warning", "check the three numbers")
def lopsided_intervals(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find an estimate that is not in the middle of its CI, on the log scale for ratios."""
    rows, (low, middle, high) = _with_intervals(results)
    slack = map_cells(rows["as_printed"], _rounding_slack, float)
    is_ratio = rows["measure"].isin(RATIO_MEASURES).to_numpy()
    # On the log scale half a unit of the last digit is relative to the ratio.
    slack[is_ratio] *= (1 / rows.loc[is_ratio, ["value", "ci_low"]].to_numpy()).sum(axis=1)
    is_lopsided = np.abs((high - middle) - (middle - low)) > slack + 0.15 * (high - low)
    for row in rows[is_lopsided].itertuples():
        yield row, f"{row.value:g} is not in the middle of {row.ci_low:g} to {row.ci_high:g}"


@check("DIRECTION", "warning", "check whom the finding favours and whether it is significant")
def directions_against_numbers(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a direction that contradicts the p value or the CI of its row."""
    is_none = (results["direction"] == "no difference").to_numpy()
    p = results["p_adjusted"].where(results["p_adjusted"] != "", results["p_value"])
    contradicts = (results["direction"] != "").to_numpy() & (_significance(p) == is_none)
    for row in results[contradicts].itertuples():
        yield row, f"'{row.direction}' does not match p {row.p_adjusted or row.p_value}"
    # Beside an estimate, better and worse only say whom its sign favours.
    rows, (low, _, high) = _with_intervals(results[is_none])
    for row in rows[(low > 0) | (high < 0)].itertuples():
        ci = f"{row.ci_low:g} to {row.ci_high:g}"
        yield row, f"'{row.direction}' does not match the CI {ci}"


@check("SCALE", "warning", "state in data/instruments.csv which direction is better on it")
def scales_against_their_outcome(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a scale that seems to run the other way than its outcome and is not declared."""
    rows = results[results["measure"].isin(SCALE_MEASURES) & results["better"].isin(OPPOSITE)]
    undeclared = rows[rows["scale_better"] == ""]
    names = undeclared["instrument"] + ", " + undeclared["definition"]
    named = names.str.extract(_NAMED_DIRECTION, expand=False).str.lower()
    contrary = undeclared[named == undeclared["better"].map(OPPOSITE)]
    for row in contrary.drop_duplicates(["outcome", "instrument"]).itertuples():
        yield (
            row,
            f"the name of the scale says that {OPPOSITE[row.better]} is better, but {row.better} is "
            f"better for {row.outcome}",
        )
    yield from _means_against_directions(rows, results)
    evidence = evidence_rows(undeclared)
    instruments = evidence.groupby("outcome")["instrument"].transform("nunique")
    is_open = (instruments > 1) & ~evidence["outcome"].isin(contrary["outcome"])
    for outcome in evidence.loc[is_open, "outcome"].unique():
        yield from _opposed_effects(evidence_rows(rows[rows["outcome"] == outcome]))


def _means_against_directions(rows: pd.DataFrame, results: pd.DataFrame) -> CheckResults:
    """Find two means that differ the other way than the direction of their contrast says."""
    stated = results[results["direction"].isin(["better", "worse"]) & results["confirmed"]]
    means = rows.loc[(rows["measure"] == "mean") & rows["confirmed"], [*MEANS_KEY, "arm", "value"]]
    means = means.drop_duplicates([*MEANS_KEY, "arm"])
    pairs = stated.merge(means, on=[*MEANS_KEY, "arm"], suffixes=("", "_1"))
    means = means.rename(columns={"arm": "versus"})
    pairs = pairs.merge(means, on=[*MEANS_KEY, "versus"], suffixes=("", "_2"))
    better = pairs["better"].where(pairs["direction"] == "better", pairs["better"].map(OPPOSITE))
    difference = (pairs["value_1"] - pairs["value_2"]) * np.where(better == "higher", 1, -1)
    for row in pairs[difference < 0].itertuples():
        yield (
            row,
            f"'{row.direction}', but the means are {row.value_1:g} with {row.arm} and "
            f"{row.value_2:g} with {row.versus}, and {row.better} is better",
        )


def _opposed_effects(rows: pd.DataFrame) -> CheckResults:
    """Find studies that clearly differ in sign on two scales of one outcome."""
    effects = pd.DataFrame(all_effects(rows.to_dict("records"), measure="smd"))
    if effects.empty:
        return
    first = rows.set_index("address", drop=False)
    for _, group in effects.groupby(["condition", "treatment", "comparator_kind"], sort=False):
        for message in undeclared_directions(group):
            row = first.loc[group["address"].iloc[0].split()[0]]
            yield row, message.partition("; state")[0]


@check("LARGE", "warning", "check whether standard errors were taken for standard deviations")
def incredible_effects(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a standardised mean difference beyond 3, larger than any known treatment effect."""
    for row in results[(results["measure"] == "smd") & results["value"].abs().gt(3)].itertuples():
        yield row, f"a standardised mean difference of {row.value:g} is hard to believe"


@check("EFFECT", "warning", "check the counts, the effect, and whether it is adjusted")
def effects_off_their_counts(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a ratio or difference that the counts of its two arms do not give."""
    rows = results[results["measure"].isin(INTERVALS) & results["value"].notna()]
    pair = ["study", "arm", "versus", "outcome", "time", "time_unit"]
    in_study = results["study"].isin(rows["study"])
    proportions = results[(results["measure"] == "proportion") & in_study]
    needed = rows[["study", "outcome", "time", "time_unit"]].drop_duplicates()
    proportions = proportions.merge(needed, on=list(needed))
    pairs = arm_pairs(proportions, confidence=0.95).drop_duplicates(pair)
    rows = rows.merge(pairs, on=pair, suffixes=("", "_pair"))
    counts = rows[["events1", "n1", "events2", "n2"]].to_numpy(float)
    computed = np.full(len(rows), np.nan)
    for measure, interval in INTERVALS.items():
        has_measure = (rows["measure"] == measure).to_numpy()
        computed[has_measure] = interval(*counts[has_measure].T).estimate
    value = rows["value"].to_numpy()
    is_off = np.abs(computed - value) > 0.02 * np.maximum(np.abs(value), 0.25)
    for row in rows.assign(computed=computed)[is_off].itertuples():
        arms = f"{row.events1}/{row.n1} against {row.events2}/{row.n2}"
        message = f"{row.measure} {row.value:g} is printed, but {arms} gives {row.computed:.2f}"
        yield row, message, (row.address, *row.address_pair.split())


def _with_intervals(results: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows with a CI, and their lower limit, estimate and upper limit, log for ratios, (3, K)."""
    has_all = results[["value", "ci_low", "ci_high"]].notna().all(axis=1)
    is_ratio = results["measure"].isin(RATIO_MEASURES)
    rows = results[has_all & ~(is_ratio & (results["ci_low"] <= 0))]
    limits = rows[["ci_low", "value", "ci_high"]].to_numpy(copy=True)
    is_ratio = rows["measure"].isin(RATIO_MEASURES).to_numpy()
    limits[is_ratio] = np.log(limits[is_ratio])
    return rows, limits.T


def _significance(printed: pd.Series) -> np.ndarray:
    """Tell whether each printed p value is below 0.05, as 1 or 0; NaN if it does not say."""
    return map_cells(printed, _is_significant, float)


def _is_significant(printed: str) -> float:
    if not printed:
        return np.nan
    p = float(printed.lstrip("<>"))
    if printed[0] == "<":
        return 1.0 if p <= ALPHA else np.nan
    if printed[0] == ">":
        return 0.0 if p >= ALPHA else np.nan
    return np.nan if p == ALPHA else float(p < ALPHA)


def _rounding_slack(as_printed: str) -> float:
    return 2.5 * max(map(rounding, printed_numbers(as_printed)), default=0.0)
