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


def contributions(
    rows: pd.DataFrame, *, measure: str, near_days: float, apart: bool = False
) -> pd.DataFrame:
    """What each study brings: `yi`, `vi`, the numbers behind them, `says` and `address`.

    With `apart` each treated arm is compared by itself; they then share their comparison group,
    and must not be pooled.
    """
    if rows.empty:
        found = pd.DataFrame()
    elif measure == "proportion":
        found = _single(rows, near_days)
    elif measure in BINARY:
        found = _counted(rows, measure, near_days, apart)
    else:
        found = _measured(rows, measure, near_days, apart)
    columns = [*ABOUT, "dose_mg_per_kg", "yi", "vi", "events1", "n1", "events2", "n2", "says",
               "address"]  # fmt: skip
    return found.reindex(columns=columns).reset_index(drop=True)


def may_bring(rows: pd.DataFrame, measure: str) -> bool:
    """Whether rows hold numbers of a kind from which this measure can be had at all."""
    kinds = ["proportion" if measure in BINARY else "mean", PRINTED[measure][0]]
    return bool(rows["measure"].isin(kinds).any())


def unpaired(studies: pd.DataFrame) -> pd.Series:
    """Which are crossovers of which only the two periods are known, as if of different people.

    Their effect has no interval that could be right; one that the text prints has.
    """
    return (studies["design"] == "randomised crossover") & studies["n2"].notna()


PRINTED = {
    "rr": ("risk ratio", np.log),
    "or": ("odds ratio", np.log),
    "rd": ("risk difference", np.asarray),
    "smd": ("smd", np.asarray),
    "md": ("mean difference", np.asarray),
}
"""Measures as the tables name them, and how to come from their scale to that of pooling."""
ABOUT = ("study", "label", "condition", "treatment", "comparator_kind", "unblinding", "design",
         "randomised", "instrument", "days")  # fmt: skip
PLACE = ["study", "instrument", "definition", "time", "time_unit"]
USED = tuple(
    dict.fromkeys(
        (*ABOUT, *PLACE, "role", "arm", "versus", "measure", "counted", "n", "value", "spread",
         "spread_kind", "ci_low", "ci_high", "direction", "better", "dose_mg_per_kg", "address")
    )
)  # fmt: skip
"""The columns of results that are looked at here; a frame of many more takes long to cut."""


def _nearest(frame: pd.DataFrame, near_days: float) -> pd.DataFrame:
    """Of each study the rows of one instrument at the time nearest to the one wanted."""
    distance = (np.log(frame["days"]) - np.log(near_days)).abs().fillna(np.inf)
    frame = frame.assign(distance=distance).sort_values("distance", kind="stable")
    chosen = set(_places(frame.drop_duplicates("study")))
    return frame[np.array([place in chosen for place in _places(frame)], bool)]


def _places(frame: pd.DataFrame) -> list[tuple]:
    """For each row what `PLACE` says."""
    return list(zip(*(frame[name] for name in PLACE), strict=True))


def _arms(rows: pd.DataFrame, columns: list[str], near_days: float, apart: bool) -> Iterator[tuple]:
    """Of each study the intervention arms, together or apart, and the comparator arms."""
    usable = rows[rows[columns].notna().all(axis=1)] if len(rows) else rows
    if usable.empty:
        return
    usable = usable.drop_duplicates([*PLACE, "arm"])
    places = _places(usable)
    roles = set(zip(places, usable["role"], strict=True))
    both = [{(at, "intervention"), (at, "comparator")} <= roles for at in places]
    usable = _nearest(usable[np.array(both, bool)], near_days)
    for _, group in usable.groupby("study", sort=False):
        treated, compared = (
            group[group["role"] == role] for role in ("intervention", "comparator")
        )
        if apart:
            yield from ((arms, compared) for _, arms in treated.groupby("arm", sort=False))
        else:
            yield treated, compared


def _entry(one: pd.DataFrame, two: pd.DataFrame) -> dict:
    first = one.iloc[0]
    doses = one["dose_mg_per_kg"].unique()
    arms = " and ".join(one["arm"]) + " against " + " and ".join(two["arm"])
    address = " ".join([*one["address"], *two["address"]])
    dose = doses[0] if len(doses) == 1 else np.nan
    about = {name: first[name] for name in ABOUT}
    return about | {"dose_mg_per_kg": dose, "says": arms, "address": address}


def _counted(rows: pd.DataFrame, measure: str, near_days: float, apart: bool) -> pd.DataFrame:
    """Counts of both groups, arms of one side added up."""
    entries = []
    counts = rows[rows["measure"] == "proportion"]
    for one, two in _arms(counts, ["counted", "n"], near_days, apart):
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
    return pd.DataFrame([*entries, *_printed(rows, measure, near_days, entries, apart)])


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


def _measured(rows: pd.DataFrame, measure: str, near_days: float, apart: bool) -> pd.DataFrame:
    """Means of both groups; else the effect as the text prints it, with its interval."""
    entries = []
    means = rows[(rows["measure"] == "mean") & (rows["spread_kind"] == "sd")]
    for one, two in _arms(means, ["value", "spread", "n"], near_days, apart):
        groups = [number for side in (one, two) for number in _together(side)]
        yi, vi = MEANS[measure](*groups)
        people = {"n1": groups[2], "n2": groups[5]}
        entries.append(_entry(one, two) | {"yi": float(yi), "vi": float(vi)} | people)
    return pd.DataFrame([*entries, *_printed(rows, measure, near_days, entries, apart)])


def _printed(
    rows: pd.DataFrame, measure: str, near_days: float, known: list[dict], apart: bool
) -> list[dict]:
    """Effects as the texts print them with their 95 % interval, of studies not `known` better."""
    word, scale = PRINTED[measure]
    usable = rows[
        (rows["measure"] == word)
        & (rows["role"] == "contrast")
        & rows[["value", "ci_low", "ci_high"]].notna().all(axis=1)
        & ~rows["study"].isin([entry["study"] for entry in known])
    ]
    entries = []
    if usable.empty:
        return entries
    nearest = _nearest(usable, near_days)
    for _, group in nearest.groupby(["study", "arm"] if apart else "study", sort=False):
        row = group.iloc[[0]]
        printed = row[["value", "ci_low", "ci_high"]].to_numpy(float)[0]
        value, low, high = scale(turned(row.iloc[0], measure, printed))
        variance = ((high - low) / (2 * critical_value(0.95))) ** 2
        arms = f"{row['arm'].iloc[0]} against {row['versus'].iloc[0]}, as printed"
        entry = _entry(row, row.iloc[:0]) | {"says": arms}
        entries.append(entry | {"yi": float(value), "vi": float(variance)})
    return entries


def turned(row: pd.Series, measure: str, printed: np.ndarray) -> np.ndarray:
    """Estimate and ends with the sign of arm minus versus, where the text counts improvement."""
    if measure in ("rr", "or") or row["direction"] not in ("better", "worse"):
        return printed
    higher = (row["direction"] == "better") == (row["better"] == "higher")
    if row["better"] == "neither" or (printed[0] > 0) == higher:
        return printed
    return -printed[[0, 2, 1]]


def _together(side: pd.DataFrame) -> tuple[float, float, float]:
    """Mean, standard deviation and people of arms put together, as if they had been one."""
    n, mean = side["n"].to_numpy(float), side["value"].to_numpy(float)
    spread = side["spread"].to_numpy(float)
    total, whole = n.sum(), np.average(mean, weights=n)
    squares = np.sum((n - 1) * spread**2) + np.sum(n * (mean - whole) ** 2)
    return float(whole), float(np.sqrt(squares / (total - 1))), float(total)
