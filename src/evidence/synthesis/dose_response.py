"""Doses of one trial set against the same comparator, with what was reported and nothing more.

Vocabulary
----------
A dose is `sized` if a difference is printed for it and `worded` if only its direction is.
"""

import numpy as np
import pandas as pd

COLUMNS = [
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


def doses(results: pd.DataFrame) -> pd.DataFrame:
    """Contrasts of studies that set two doses or more against one comparator.

    Returns
    -------
    DataFrame
        `COLUMNS` and `found`: better, no difference or worse — as worded, else from the p value
        corrected for several comparisons, else from the plain one (at 0.05) — and `sized`.
    """
    rows = results[
        (results["role"] == "contrast")
        & results["dose_mg_per_kg"].gt(0)
        & (results["kind"] == "benefit")
    ]
    several = rows.groupby("study")["dose_mg_per_kg"].transform("nunique") > 1
    frame = rows.loc[several, COLUMNS].copy()
    frame["sized"] = frame["value"].notna()
    frame["found"] = [row.direction or _from_p(row) for row in frame.itertuples()]
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
