"""What each study brings to a pool: one comparison on one outcome at one time.

Vocabulary
----------
Arms of a study that share its comparison group are put together first, so that nobody in that group
is counted twice. Of each study the time nearest to the one asked for is taken.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from evidence.estimation import effects
from evidence.estimation.proportions import critical_value

BINARY = {
    "rr": effects.log_risk_ratio,
    "or": effects.log_odds_ratio,
    "rd": effects.proportion_difference,
}
MEANS = {"smd": effects.hedges_g, "md": effects.mean_difference}


def contributions(rows: pd.DataFrame, *, measure: str, near_days: float) -> pd.DataFrame:
    """What each study brings: `yi`, `vi`, the numbers behind them, `says` and `address`."""
    if measure == "proportion":
        found = _single(rows, near_days)
    elif measure in BINARY:
        found = _counted(rows, measure, near_days)
    else:
        found = _measured(rows, measure, near_days)
    columns = [
        "condition",
        "comparator_kind",
        "study", "label", "design", "randomised", "instrument", "days", "yi", "vi", "events1",
        "n1", "events2", "n2", "says", "address",
    ]  # fmt: skip
    return found.reindex(columns=columns).reset_index(drop=True)


PLACE = ["study", "instrument", "definition", "time", "time_unit"]


def _nearest(frame: pd.DataFrame, near_days: float) -> pd.DataFrame:
    """Of each study the rows of one instrument at the time nearest to the one wanted."""
    distance = (np.log(frame["days"]) - np.log(near_days)).abs().fillna(np.inf)
    frame = frame.assign(distance=distance).sort_values("distance", kind="stable")
    chosen = frame.groupby("study", sort=False)[PLACE].first().reset_index(drop=True)
    return frame.merge(chosen, on=PLACE) if len(frame) else frame


def _arms(rows: pd.DataFrame, columns: list[str], near_days: float) -> Iterator[tuple]:
    """Of each study the intervention arms and the comparator arms at one time."""
    usable = rows[rows[columns].notna().all(axis=1)]
    usable = usable.drop_duplicates([*PLACE, "arm"])
    both = usable.groupby(PLACE)["role"].transform(
        lambda roles: {"intervention", "comparator"} <= set(roles)
    )
    usable = _nearest(usable[both.astype(bool)], near_days)
    for _, group in usable.groupby("study", sort=False):
        yield group[group["role"] == "intervention"], group[group["role"] == "comparator"]


def _entry(one: pd.DataFrame, two: pd.DataFrame) -> dict:
    first = one.iloc[0]
    names = (
        "study", "label", "condition", "comparator_kind", "design", "randomised", "instrument",
        "days",
    )  # fmt: skip
    arms = " and ".join(one["arm"]) + " against " + " and ".join(two["arm"])
    address = " ".join([*one["address"], *two["address"]])
    return {name: first[name] for name in names} | {"says": arms, "address": address}


def _counted(rows: pd.DataFrame, measure: str, near_days: float) -> pd.DataFrame:
    """Counts of both groups, arms of one side added up."""
    entries = []
    counts = rows[rows["measure"] == "proportion"]
    for one, two in _arms(counts, ["counted", "n"], near_days):
        cells = [
            float(total)
            for side in (one, two)
            for total in (side["counted"].sum(), side["n"].sum())
        ]
        yi, vi = BINARY[measure](*cells)
        names = ("events1", "n1", "events2", "n2")
        entries.append(
            _entry(one, two)
            | {"yi": float(yi), "vi": float(vi)}
            | dict(zip(names, cells, strict=True))
        )
    return pd.DataFrame(entries)


def _single(rows: pd.DataFrame, near_days: float) -> pd.DataFrame:
    """The count of the treated, all intervention arms added up."""
    entries = []
    usable = rows[
        (rows["measure"] == "proportion")
        & rows["role"].isin(["intervention", "single arm"])
        & rows["counted"].notna()
        & rows["n"].notna()
    ].drop_duplicates([*PLACE, "arm"])
    for _, group in _nearest(usable, near_days).groupby("study", sort=False):
        events, n = float(group["counted"].sum()), float(group["n"].sum())
        yi, vi = effects.logit_proportion(events, n)
        entry = _entry(group, group.iloc[:0]) | {"says": " and ".join(group["arm"])}
        entries.append(entry | {"yi": float(yi), "vi": float(vi), "events1": events, "n1": n})
    return pd.DataFrame(entries)


def _measured(rows: pd.DataFrame, measure: str, near_days: float) -> pd.DataFrame:
    """Means of both groups; else the effect as the text prints it, with its interval."""
    entries = []
    means = rows[(rows["measure"] == "mean") & (rows["spread_kind"] == "sd")]
    for one, two in _arms(means, ["value", "spread", "n"], near_days):
        groups = [number for side in (one, two) for number in _together(side)]
        yi, vi = MEANS[measure](*groups)
        people = {"n1": groups[2], "n2": groups[5]}
        entries.append(_entry(one, two) | {"yi": float(yi), "vi": float(vi)} | people)
    known = {entry["study"] for entry in entries}
    word = {"smd": "smd", "md": "mean difference"}[measure]
    printed = rows[
        (rows["measure"] == word)
        & (rows["role"] == "contrast")
        & rows[["value", "ci_low", "ci_high"]].notna().all(axis=1)
        & ~rows["study"].isin(known)
    ]
    for _, group in _nearest(printed, near_days).groupby("study", sort=False):
        row = group.iloc[[0]]
        low, high = float(row["ci_low"].iloc[0]), float(row["ci_high"].iloc[0])
        variance = ((high - low) / (2 * critical_value(0.95))) ** 2
        arms = f"{row['arm'].iloc[0]} against {row['versus'].iloc[0]}, as printed"
        entry = _entry(row, row.iloc[:0]) | {"says": arms}
        entries.append(entry | {"yi": float(row["value"].iloc[0]), "vi": variance})
    return pd.DataFrame(entries)


def _together(side: pd.DataFrame) -> tuple[float, float, float]:
    """Mean, standard deviation and people of arms put together, as if they had been one."""
    n, mean = side["n"].to_numpy(float), side["value"].to_numpy(float)
    spread = side["spread"].to_numpy(float)
    total, whole = n.sum(), np.average(mean, weights=n)
    squares = np.sum((n - 1) * spread**2) + np.sum(n * (mean - whole) ** 2)
    return float(whole), float(np.sqrt(squares / (total - 1))), float(total)
