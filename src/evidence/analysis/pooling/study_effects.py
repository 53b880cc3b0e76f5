"""What each study brings to a pool: one comparison on one outcome at one time.

Vocabulary
----------
Arms of a study that share its comparison group are put together first, so that nobody in that group
is counted twice. Of each study the time nearest to the one asked for is taken.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd

from evidence.statistics import effect_sizes
from evidence.statistics.confidence_intervals import critical_value

BINARY = {
    "rr": effect_sizes.log_risk_ratio,
    "or": effect_sizes.log_odds_ratio,
    "rd": effect_sizes.risk_difference,
}
MEANS = {"smd": effect_sizes.hedges_g, "md": effect_sizes.mean_difference}


def effects_by_study(
    rows: list[dict], *, measure: str, time_days: float, by_arm: bool = False
) -> list[dict]:
    """What each study brings, as the columns `BROUGHT`; what it does not give is left out.

    Parameters
    ----------
    rows : list of dict
        Results with the columns `USED`. For so few, taking them from a frame again and again would
        cost more than all that is done with them.
    time_days : float
        Of each study the time nearest to this is taken.
    by_arm : bool
        Compare each treated arm by itself; they then share their comparison group, and must not be
        pooled.
    """
    if measure == "proportion":
        return _single(rows, time_days)
    if measure in BINARY:
        return _counted(rows, measure, time_days, by_arm)
    return _measured(rows, measure, time_days, by_arm)


def can_compute(kinds: Collection[str], measure: str) -> bool:
    """Whether numbers of these kinds are such that this measure can be had from any of them."""
    return ("proportion" if measure in BINARY else "mean") in kinds or PRINTED_EFFECTS[measure][
        0
    ] in kinds


def crossover_without_correlation(studies: pd.DataFrame) -> pd.Series:
    """Which are crossovers of which only the two periods are known, as if of different people.

    Their effect has no interval that could be right; one that the text prints has.
    """
    return (studies["design"] == "randomised crossover") & studies["n2"].notna()


PRINTED_EFFECTS = {
    "rr": ("risk ratio", np.log),
    "or": ("odds ratio", np.log),
    "rd": ("risk difference", np.asarray),
    "smd": ("smd", np.asarray),
    "md": ("mean difference", np.asarray),
}
"""Measures as the tables name them, and how to come from their scale to that of pooling."""
STUDY_COLUMNS = ("study", "label", "condition", "treatment", "comparator_kind", "blinding", "design",
         "randomised", "instrument", "days")  # fmt: skip
EFFECT_COLUMNS = (*STUDY_COLUMNS, "dose_mg_per_kg", "yi", "vi", "events1", "n1", "events2", "n2", "says",
           "address")  # fmt: skip
"""What a study brings: effect and variance, the numbers behind them, and where they stand."""
COMPARISON_KEY = ["study", "instrument", "definition", "time", "time_unit"]
INPUT_COLUMNS = tuple(
    dict.fromkeys(
        (*STUDY_COLUMNS, *COMPARISON_KEY, "role", "arm", "versus", "measure", "event_count", "n", "value", "spread",
         "spread_kind", "ci_low", "ci_high", "direction", "better", "dose_mg_per_kg", "address")
    )
)  # fmt: skip
"""The columns of results that are looked at here; a frame of many more takes long to cut."""


def _comparison_key(row: dict) -> tuple:
    return tuple(row[name] for name in COMPARISON_KEY)


def _by(rows: list[dict], *names: str) -> list[list[dict]]:
    """Rows in groups that agree in these columns, in the order of their first ones."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return list(groups.values())


def _with(rows: list[dict], *columns: str) -> list[dict]:
    """The rows in which none of these is blank."""
    return [row for row in rows if not any(pd.isna(row[name]) for name in columns)]


def _nearest(rows: list[dict], time_days: float) -> list[dict]:
    """Of each study the rows of one instrument at the time nearest to the one wanted."""

    def distance(row: dict) -> float:
        # A time that is not known, or before the start, is the farthest of all.
        return abs(np.log(row["days"]) - np.log(time_days)) if row["days"] > 0 else np.inf

    ordered = sorted(rows, key=distance)
    chosen = {_comparison_key(group[0]) for group in _by(ordered, "study")}
    return [row for row in ordered if _comparison_key(row) in chosen]


def _arms(rows: list[dict], columns: list[str], time_days: float, by_arm: bool) -> Iterator[tuple]:
    """Of each study the intervention arms, together or apart, and the comparator arms."""
    usable = [group[0] for group in _by(_with(rows, *columns), *COMPARISON_KEY, "arm")]
    roles = {(_comparison_key(row), row["role"]) for row in usable}
    both = [
        row
        for row in usable
        if {(_comparison_key(row), "intervention"), (_comparison_key(row), "comparator")} <= roles
    ]
    for group in _by(_nearest(both, time_days), "study"):
        treated, compared = (
            [row for row in group if row["role"] == role] for role in ("intervention", "comparator")
        )
        for arms in _by(treated, "arm" if by_arm else "study"):
            yield arms, compared


def _entry(one: list[dict], two: list[dict]) -> dict:
    doses = [row["dose_mg_per_kg"] for row in one]
    sides = [" and ".join(row["arm"] for row in side) for side in (one, two)]
    return {name: one[0][name] for name in STUDY_COLUMNS} | {
        "dose_mg_per_kg": doses[0] if all(dose == doses[0] for dose in doses) else np.nan,
        "says": " against ".join(sides),
        "address": " ".join(row["address"] for row in [*one, *two]),
    }


def _sum(rows: list[dict], column: str) -> float:
    return float(sum(row[column] for row in rows))


def _counted(rows: list[dict], measure: str, time_days: float, by_arm: bool) -> list[dict]:
    """Counts of both groups, arms of one side added up."""
    entries = []
    counts = [row for row in rows if row["measure"] == "proportion"]
    for one, two in _arms(counts, ["event_count", "n"], time_days, by_arm):
        cells = [_sum(side, column) for side in (one, two) for column in ("event_count", "n")]
        yi, vi = BINARY[measure](*cells)
        names = ("events1", "n1", "events2", "n2")
        entries.append(
            _entry(one, two)
            | {"yi": float(yi), "vi": float(vi)}
            | dict(zip(names, cells, strict=True))
        )
    return [*entries, *_printed(rows, measure, time_days, entries, by_arm)]


def _single(rows: list[dict], time_days: float) -> list[dict]:
    """The count of the treated, all intervention arms added up."""
    entries = []
    treated = [
        row
        for row in rows
        if row["measure"] == "proportion" and row["role"] in ("intervention", "single arm")
    ]
    usable = [group[0] for group in _by(_with(treated, "event_count", "n"), *COMPARISON_KEY, "arm")]
    for group in _by(_nearest(usable, time_days), "study"):
        events, n = _sum(group, "event_count"), _sum(group, "n")
        yi, vi = effect_sizes.logit_proportion(events, n)
        entry = _entry(group, []) | {"says": " and ".join(row["arm"] for row in group)}
        entries.append(entry | {"yi": float(yi), "vi": float(vi), "events1": events, "n1": n})
    return entries


def _measured(rows: list[dict], measure: str, time_days: float, by_arm: bool) -> list[dict]:
    """Means of both groups; else the effect as the text prints it, with its interval."""
    entries = []
    means = [row for row in rows if row["measure"] == "mean" and row["spread_kind"] == "sd"]
    for one, two in _arms(means, ["value", "spread", "n"], time_days, by_arm):
        groups = [number for side in (one, two) for number in _combine_arms(side)]
        yi, vi = MEANS[measure](*groups)
        people = {"n1": groups[2], "n2": groups[5]}
        entries.append(_entry(one, two) | {"yi": float(yi), "vi": float(vi)} | people)
    return [*entries, *_printed(rows, measure, time_days, entries, by_arm)]


def _printed(
    rows: list[dict], measure: str, time_days: float, known: list[dict], by_arm: bool
) -> list[dict]:
    """Effects as the texts print them with their 95 % interval, of studies not `known` better."""
    word, scale = PRINTED_EFFECTS[measure]
    better = {entry["study"] for entry in known}
    contrasts = [
        row
        for row in rows
        if row["measure"] == word and row["role"] == "contrast" and row["study"] not in better
    ]
    usable = _nearest(_with(contrasts, "value", "ci_low", "ci_high"), time_days)
    entries = []
    for row, *_ in _by(usable, *(["study", "arm"] if by_arm else ["study"])):
        printed = np.array([row["value"], row["ci_low"], row["ci_high"]], float)
        value, low, high = scale(align_sign(row, measure, printed))
        variance = ((high - low) / (2 * critical_value(0.95))) ** 2
        said = f"{row['arm']} against {row['versus']}, as printed"
        entry = _entry([row], []) | {"says": said}
        entries.append(entry | {"yi": float(value), "vi": float(variance)})
    return entries


def align_sign(row: Mapping, measure: str, printed: np.ndarray) -> np.ndarray:
    """Estimate and ends with the sign of arm minus versus, where the text counts improvement."""
    if measure in ("rr", "or") or row["direction"] not in ("better", "worse"):
        return printed
    higher = (row["direction"] == "better") == (row["better"] == "higher")
    if row["better"] == "neither" or (printed[0] > 0) == higher:
        return printed
    return -printed[[0, 2, 1]]


def _combine_arms(side: list[dict]) -> tuple[float, float, float]:
    """Mean, standard deviation and people of arms put together, as if they had been one."""
    n, mean, spread = (
        np.array([row[name] for row in side], float) for name in ("n", "value", "spread")
    )
    total, whole = n.sum(), np.average(mean, weights=n)
    squares = np.sum((n - 1) * spread**2) + np.sum(n * (mean - whole) ** 2)
    return float(whole), float(np.sqrt(squares / (total - 1))), float(total)
