"""Arms side by side: proportions with their intervals, and the difference of two arms.

Vocabulary
----------
`provenance` tells on what a number rests: `guide` (as the guide says it), `source` (read in the
text named) or `unconfirmed` (commonly cited, not read there).

Doses of one trial set against the same comparator, with what was reported and nothing more.

Vocabulary
----------
A dose is `has_estimate` if a difference is printed for it and `worded` if only its direction is.
"""

import numpy as np
import pandas as pd

from evidence.analysis.printed_numbers import is_impossible
from evidence.provenance.sentence import format_percent, format_time
from evidence.statistics.confidence_intervals import (
    risk_difference_interval,
    risk_ratio_interval,
    wilson_interval,
)


def arm_proportions(results: pd.DataFrame, *, time_days: float, confidence: float) -> pd.DataFrame:
    """One proportion for each study, arm, outcome and standing: the one nearest to a time.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    time_days : float
        The time wanted, in days after the start of treatment; rows at or before 0 never count.
    confidence : float
        Coverage of the Wilson intervals.

    Returns
    -------
    DataFrame
        The rows chosen with `provenance`, `estimate`, `ci_low`, `ci_high` (proportions; NaN where
        no count is known), `counts` (12/17, or why there is none) and `name`.
    """
    rows = results[
        (results["measure"] == "proportion")
        & results["role"].isin(["intervention", "comparator", "single arm"])
        & ~(results["days"] <= 0)
    ].copy()
    rows["provenance"] = np.select(
        [rows["is_guide"], rows["confirmed"]], ["guide", "source"], "unconfirmed"
    )
    rows["distance"] = (np.log(rows["days"]) - np.log(time_days)).abs().fillna(np.inf)
    rows["uncounted"] = rows["event_count"].isna()
    group = ["study", "arm", "outcome", "condition"]
    rows = rows.sort_values(["distance", "uncounted"], kind="stable")
    rows = rows.drop_duplicates([*group, "provenance"])
    # What is confirmed needs no unconfirmed twin beside it.
    confirmed = rows[rows["provenance"] == "source"].set_index(group).index
    twin = (rows["provenance"] == "unconfirmed") & rows.set_index(group).index.isin(confirmed)
    return add_confidence_intervals(rows[~twin].sort_index(), confidence)


def add_confidence_intervals(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """`rows` of proportions with `estimate`, Wilson `ci_low` and `ci_high`, `counts`, `name`."""
    rows = rows.copy()
    known = (rows["event_count"].notna() & rows["n"].notna()).to_numpy()
    estimate = rows["value"].to_numpy(float, copy=True)
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    if known.any():
        found = wilson_interval(rows.loc[known, "event_count"], rows.loc[known, "n"], confidence)
        estimate[known], low[known], high[known] = found
    rows["estimate"], rows["ci_low"], rows["ci_high"] = estimate, low, high
    rows["counts"] = [_counts(row) for row in rows.itertuples()]
    rows["name"] = [
        f"{row.study}/{row.arm}/{row.outcome}/{format_time(row.time, row.time_unit) or 'any time'}"
        f"/{'guide' if row.is_guide else row.source}"
        for row in rows.itertuples()
    ]
    return rows


def _counts(row) -> str:
    if pd.notna(row.event_count) and pd.notna(row.n):
        return f"{row.event_count}/{row.n} ({format_percent(row.event_count / row.n, row.n)})"
    if pd.notna(row.n) and is_impossible(row.as_printed, int(row.n)):
        return f"{row.as_printed} of {row.n}: no count fits"
    if pd.notna(row.n):
        return f"{row.as_printed} of {row.n}"
    return f"{row.as_printed}, no count given"


PAIR_COLUMNS = ["study", "condition", "outcome", "instrument", "definition", "time", "time_unit"]


def arm_pairs(results: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Every intervention arm against every comparator arm of its study, where both have counts.

    The guide's own numbers and unconfirmed ones are left out: they are no trial.

    Returns
    -------
    DataFrame
        One row a pair: the `PAIRED` columns, `label`, `randomised`, `better`, `days`, `arm`,
        `versus`, `events1`, `n1`, `events2`, `n2`; `proportion1`, `proportion1_low`, `proportion1_high` and the same for
        2 (Wilson); `rd`, `rd_low`, `rd_high` (proportions), `rr`,
        `rr_low`, `rr_high` (natural scale; NaN where a count is 0); `name` and `address` (both
        rows).
    """
    rows = results[
        (results["measure"] == "proportion")
        & ~results["is_guide"]
        & results["confirmed"]
        & results["event_count"].notna()
        & results["n"].notna()
    ]
    both = rows[rows["role"] == "intervention"].merge(
        rows[rows["role"] == "comparator"], on=PAIR_COLUMNS, suffixes=("", "_2")
    )
    frame = both[[*PAIR_COLUMNS, "label", "randomised", "better", "days", "caveat"]].copy()
    frame["arm"], frame["versus"] = both["arm"], both["arm_2"]
    counts = {
        "events1": both["event_count"],
        "n1": both["n"],
        "events2": both["event_count_2"],
        "n2": both["n_2"],
    }
    frame = frame.assign(**counts)
    arrays = [counts[name].to_numpy(float) for name in ("events1", "n1", "events2", "n2")]
    for group, events, n in (("1", *arrays[:2]), ("2", *arrays[2:])):
        share, low, high = wilson_interval(events, n, confidence)
        frame[f"proportion{group}"] = share
        frame[f"proportion{group}_low"], frame[f"proportion{group}_high"] = low, high
    for short, effect in (("rd", risk_difference_interval), ("rr", risk_ratio_interval)):
        found = effect(*arrays, confidence)
        frame[short], frame[f"{short}_low"], frame[f"{short}_high"] = found
    frame["name"] = [
        f"{row.study}/{row.arm} against {row.versus}/{row.outcome}/{format_time(row.time, row.time_unit)}"
        for row in frame.itertuples()
    ]
    frame["address"] = both["address"] + " " + both["address_2"]
    return frame.reset_index(drop=True)


DOSE_COLUMNS = [
    "study",
    "label",
    "outcome",
    "instrument",
    "arm",
    "versus",
    "dose_mg_per_kg",
    "measure",
    "n",
    "value",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "direction",
    "time",
    "time_unit",
    "is_guide",
    "confirmed",
    "source",
    "address",
]


def doses_of_trial(results: pd.DataFrame) -> pd.DataFrame:
    """Contrasts of studies that set two doses or more against one comparator.

    Returns
    -------
    DataFrame
        `COLUMNS` and `finding`: better, no difference or worse — as worded, else from the p value
        corrected for several comparisons, else from the plain one (at 0.05) — and `has_estimate`.
    """
    rows = results[
        (results["role"] == "contrast")
        & results["dose_mg_per_kg"].gt(0)
        & (results["kind"] == "benefit")
    ]
    several = rows.groupby("study")["dose_mg_per_kg"].transform("nunique") > 1
    frame = rows.loc[several, DOSE_COLUMNS].copy()
    frame["has_estimate"] = frame["value"].notna()
    frame["finding"] = [row.direction or _from_p(row) for row in frame.itertuples()]
    order = ["study", "is_guide", "dose_mg_per_kg"]
    return frame.sort_values(order, kind="stable").reset_index(drop=True)


def _from_p(row) -> str:
    printed = row.p_adjusted or row.p_value
    if not printed:
        return "not stated"
    return "better" if float(printed.lstrip("<>")) <= 0.05 else "no difference"


def arm_sizes(results: pd.DataFrame, study: str) -> dict[str, int]:
    """People allotted to each arm of a study, or the most who were analysed in it."""
    rows = results[
        (results["study"] == study)
        & results["role"].isin(["intervention", "comparator"])
        & ~results["is_guide"]
    ]
    size = np.fmax(rows["n"].astype("float64"), 0)
    counted = rows["events"].astype("float64").where(rows["measure"] == "count")
    largest = pd.Series(np.fmax(size, counted), rows.index).groupby(rows["arm"], sort=False).max()
    return {arm: int(value) for arm, value in largest.items() if pd.notna(value) and value > 0}
