"""Compare the arms of a study: proportions with CIs, risk differences and ratios, and doses.

Vocabulary
----------
`provenance` says where a proportion comes from: `guide` (stated by the guide), `source` (read in
the source), `imported` (from a file of another program) or `unconfirmed` (commonly cited, but not
confirmed at its source).
"""

import re

import numpy as np
import pandas as pd

from evidence.analysis.pooling.study_effects import align_sign
from evidence.analysis.printed_numbers import is_impossible
from evidence.dataset.schema import RATIO_MEASURES
from evidence.provenance.sentence import format_percent, format_time
from evidence.statistics.confidence_intervals import (
    risk_difference_interval,
    risk_ratio_interval,
    wilson_interval,
)

PAIR_COLUMNS = ["study", "condition", "outcome", "instrument", "definition", "time", "time_unit"]
"""What two rows share if they are the two arms of one comparison."""
PAIR_COUNTS = {"arm_2": "versus", "event_count": "events1", "n": "n1", "event_count_2": "events2",
               "n_2": "n2"}  # fmt: skip
MAX_PRINTED_CHARS = 20
"""Longest text that a chart shows in place of a count."""
_PERCENTAGE = re.compile(r"\d+(?:\.\d+)?\s*(?:%|percent|per 100)")
DOSE_COLUMNS = ["study", "label", "outcome", "instrument", "arm", "versus", "dose", "dose_unit",
                "measure", "n", "value", "ci_low", "ci_high", "p_value", "p_adjusted", "direction",
                "time", "time_unit", "is_guide", "confirmed", "source", "address"]  # fmt: skip
ALPHA = 0.05
"""A printed p value of at most this counts as a difference."""


def arm_proportions(results: pd.DataFrame, *, time_days: float, confidence: float) -> pd.DataFrame:
    """Select one proportion per study, arm, outcome and provenance: the one nearest to a time.

    The time is in days after the start of treatment; results before treatment are left out. The
    rows also have `provenance` and the columns of `add_confidence_intervals`.
    """
    rows = results[
        (results["measure"] == "proportion")
        & results["role"].isin(["intervention", "comparator", "single arm"])
        & ~(results["days"] <= 0)
    ].copy()
    rows["provenance"] = np.select(
        [rows["is_guide"], rows["imported"], rows["confirmed"]],
        ["guide", "imported", "source"],
        "unconfirmed",
    )
    rows["distance"] = (np.log(rows["days"]) - np.log(time_days)).abs().fillna(np.inf)
    rows["has_no_count"] = rows["event_count"].isna()
    arm = ["study", "arm", "outcome", "condition"]
    rows = rows.sort_values(["distance", "has_no_count"], kind="stable")
    rows = rows.drop_duplicates([*arm, "provenance"])
    # A confirmed proportion makes the unconfirmed one of the same arm redundant.
    confirmed_arms = rows[rows["provenance"].isin(["source", "imported"])].set_index(arm).index
    is_redundant = (rows["provenance"] == "unconfirmed") & rows.set_index(arm).index.isin(
        confirmed_arms
    )
    return add_confidence_intervals(rows[~is_redundant].sort_index(), confidence)


def add_confidence_intervals(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Add `estimate`, Wilson `ci_low` and `ci_high`, `counts` and `name` to rows of proportions.

    `estimate` and its CI are proportions, NaN where neither a count nor a proportion is known;
    `counts` is text such as 12/17 (71%), or says why there is no count.
    """
    has_count = (rows["event_count"].notna() & rows["n"].notna()).to_numpy()
    estimate = rows["value"].to_numpy(float, copy=True)
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    if has_count.any():
        events, n = rows.loc[has_count, ["event_count", "n"]].to_numpy(float).T
        estimate[has_count], low[has_count], high[has_count] = wilson_interval(
            events, n, confidence
        )
    names = [
        f"{row.study}/{row.arm}/{row.outcome}/{format_time(row.time, row.time_unit) or 'any time'}"
        f"/{'guide' if row.is_guide else row.source}"
        for row in rows.itertuples()
    ]
    counts = [_counts_text(row) for row in rows.itertuples()]
    return rows.assign(estimate=estimate, ci_low=low, ci_high=high, counts=counts, name=names)


def arm_pairs(results: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Pair each intervention arm with each comparator arm of its study, if both have counts.

    Only confirmed results of the sources are used, never numbers of the guide.

    Returns
    -------
    DataFrame
        One row per pair: `PAIR_COLUMNS`, `label`, `randomised`, `better`, `days`, `caveat`, `arm`,
        `versus`; `events1`, `n1`, `proportion1`, `proportion1_low`, `proportion1_high` (Wilson)
        of the intervention and the same with 2 of the comparator; `rd`, `rd_low`, `rd_high`
        (proportions) and `rr`, `rr_low`, `rr_high` (natural scale; NaN if a count is 0); `name`
        and `address` (both rows).
    """
    rows = results[
        (results["measure"] == "proportion")
        & ~results["is_guide"]
        & results["confirmed"]
        & results["event_count"].notna()
        & results["n"].notna()
    ]
    pairs = rows[rows["role"] == "intervention"].merge(
        rows[rows["role"] == "comparator"], on=PAIR_COLUMNS, suffixes=("", "_2")
    )
    pairs = pairs.drop(columns="versus").rename(columns=PAIR_COUNTS)
    study = ["label", "randomised", "better", "days", "caveat", "arm"]
    frame = pairs[[*PAIR_COLUMNS, *study, *PAIR_COUNTS.values()]].copy()
    events1, n1, events2, n2 = frame[["events1", "n1", "events2", "n2"]].to_numpy(float).T
    estimates = {
        "proportion1": wilson_interval(events1, n1, confidence),
        "proportion2": wilson_interval(events2, n2, confidence),
        "rd": risk_difference_interval(events1, n1, events2, n2, confidence),
        "rr": risk_ratio_interval(events1, n1, events2, n2, confidence),
    }
    for column, interval in estimates.items():
        frame[column], frame[f"{column}_low"], frame[f"{column}_high"] = interval
    frame["name"] = _pair_names(frame)
    frame["address"] = pairs["address"] + " " + pairs["address_2"]
    return frame.reset_index(drop=True)


def _pair_names(pairs: pd.DataFrame) -> pd.Series:
    """Return a name for each pair; equal ones are extended by their instrument and definition."""
    names = [
        f"{row.study}/{row.arm} against {row.versus}/{row.outcome}/"
        f"{format_time(row.time, row.time_unit)}"
        for row in pairs.itertuples()
    ]
    unique = pd.Series(names, pairs.index, dtype=object)
    for column in ("instrument", "definition"):
        is_ambiguous = pairs.groupby(unique)[column].transform("nunique") > 1
        unique = unique.where(~is_ambiguous, unique + "/" + pairs[column])
    return unique


def doses_of_trial(results: pd.DataFrame) -> pd.DataFrame:
    """Select the contrasts of studies that compare two or more doses with one comparator.

    Returns
    -------
    DataFrame
        `DOSE_COLUMNS`, `has_estimate` and `finding` (better, no difference, worse or not stated):
        the direction as reported, else by the p value, the adjusted one if there is one. Signs of
        differences are those of the outcome, see `align_sign`.
    """
    rows = results[
        (results["role"] == "contrast") & results["dose"].gt(0) & (results["kind"] == "benefit")
    ]
    has_several_doses = rows.groupby("study")["dose"].transform("nunique") > 1
    frame = rows.loc[has_several_doses, DOSE_COLUMNS].copy()
    limits = ["value", "ci_low", "ci_high"]
    for index, row in rows.loc[frame.index].iterrows():
        measure = "or" if row["measure"] in RATIO_MEASURES else "md"
        frame.loc[index, limits] = align_sign(row, measure, row[limits].to_numpy(float))
    frame["has_estimate"] = frame["value"].notna()
    frame["finding"] = [row.direction or _finding_by_p(row) for row in frame.itertuples()]
    order = ["study", "is_guide", "dose"]
    return frame.sort_values(order, kind="stable").reset_index(drop=True)


def arm_sizes(results: pd.DataFrame, study: str) -> dict[str, int]:
    """Return the participants allocated to each arm of a study, or the most analysed in it."""
    rows = results[
        (results["study"] == study)
        & results["role"].isin(["intervention", "comparator"])
        & ~results["is_guide"]
    ]
    analysed = np.fmax(rows["n"].astype(float), 0)
    allocated = rows["events"].astype(float).where(rows["measure"] == "count")
    size = pd.Series(np.fmax(analysed, allocated), rows.index)
    largest = size.groupby(rows["arm"], sort=False).max()
    return {arm: int(value) for arm, value in largest.items() if pd.notna(value) and value > 0}


def _counts_text(row) -> str:
    # A text may print the proportion within a sentence, which a chart has no room for.
    percentage = _PERCENTAGE.search(row.as_printed)
    printed = percentage[0] if percentage else row.as_printed
    if len(printed) > MAX_PRINTED_CHARS and pd.notna(row.value):
        printed = format_percent(row.value)
    if pd.isna(row.n) and pd.notna(row.event_count) and not percentage:
        return f"{row.event_count}, n not given"
    if pd.isna(row.n):
        return f"{printed}, no count in the tables"
    if pd.notna(row.event_count):
        return f"{row.event_count}/{row.n} ({format_percent(row.event_count / row.n, row.n)})"
    if is_impossible(row.as_printed, int(row.n)):
        return f"{printed} of {row.n}: no count fits"
    return f"{printed} of {row.n}"


def _finding_by_p(row) -> str:
    printed = row.p_adjusted or row.p_value
    if not printed:
        return "not stated"
    return "better" if float(printed.lstrip("<>")) <= ALPHA else "no difference"
