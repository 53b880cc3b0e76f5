"""One effect with its variance per study: the input of a meta-analysis.

Arms of a study that share a comparator arm are combined first, so that nobody in the comparator arm
is counted twice. Of each study the results nearest to the time asked for are used.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np
import pandas as pd

from evidence.statistics import effect_sizes
from evidence.statistics.confidence_intervals import critical_value

Row = dict
"""A result as a dictionary: for so few rows faster than selecting from a DataFrame repeatedly."""

BINARY_EFFECTS = {
    "rr": effect_sizes.log_risk_ratio,
    "or": effect_sizes.log_odds_ratio,
    "rd": effect_sizes.risk_difference,
}
"""Effect sizes from the counts of two groups, by measure."""
MEAN_EFFECTS = {"smd": effect_sizes.hedges_g, "md": effect_sizes.mean_difference}
"""Effect sizes from the means of two groups, by measure."""
PRINTED_EFFECTS: dict[str, tuple[str, Callable]] = {
    "rr": ("risk ratio", np.log),
    "or": ("odds ratio", np.log),
    "rd": ("risk difference", np.asarray),
    "smd": ("smd", np.asarray),
    "md": ("mean difference", np.asarray),
}
"""For each measure its name in `studies.csv`, and the transformation to the scale of pooling."""

STUDY_COLUMNS = (
    "study", "label", "condition", "treatment", "comparator_kind", "blinding", "design",
    "randomised", "instrument", "definition", "days",
)  # fmt: skip
EFFECT_COLUMNS = (
    *STUDY_COLUMNS, "dose_mg_per_kg", "yi", "vi", "events1", "n1", "events2", "n2", "comparison",
    "address",
)  # fmt: skip
"""Columns of a study effect: effect and variance, the numbers behind them, and their addresses."""
COMPARISON_KEY = ("study", "instrument", "definition", "time", "time_unit")
"""What results have in common that can be compared with each other."""
INPUT_COLUMNS = (
    *STUDY_COLUMNS, "time", "time_unit", "role", "arm", "versus", "measure",
    "event_count", "n", "value", "spread", "spread_kind", "ci_low", "ci_high", "direction", "better",
    "dose_mg_per_kg", "address",
)  # fmt: skip
"""Columns of the results that are used here."""
RATIOS = ("odds ratio", "risk ratio", "ratio")
"""Printed measures on a log scale; hazard ratios are entered as ratios."""
# Printed intervals are taken to be 95% ones, which the dataset requires.
_PRINTED_CONFIDENCE = 0.95


def effects_by_study(
    rows: list[Row], *, measure: str, time_days: float, by_arm: bool = False
) -> list[dict]:
    """Return one effect per study with the columns `EFFECT_COLUMNS`.

    Counts and means come before effects as printed. A study that reports neither is left out, and
    so are columns that do not apply. Ratios and proportions are on the log scale (log odds for a
    proportion).

    Parameters
    ----------
    rows : list of dict
        Results with the columns `INPUT_COLUMNS`.
    time_days : float
        Of each study the time nearest to this, on a log scale, is used.
    by_arm : bool, default False
        Compare each intervention arm by itself. The effects then share a comparator arm and must
        not be pooled.
    """
    if measure == "proportion":
        return list(_proportion_effects(rows, time_days))
    if measure in BINARY_EFFECTS:
        effects = list(_count_effects(rows, measure, time_days, by_arm))
    else:
        effects = list(_mean_effects(rows, measure, time_days, by_arm))
    known = {effect["study"] for effect in effects}
    others = [row for row in rows if row["study"] not in known]
    return [*effects, *_printed_effects(others, measure, time_days, by_arm)]


def all_effects(rows: list[Row], *, measure: str) -> list[dict]:
    """Return every effect of each study: one per scale, definition and time.

    Effects of one study share participants, so that only a model of their dependence may pool them.
    """
    return [
        effect
        for group in _group_by(rows, *COMPARISON_KEY)
        for effect in effects_by_study(group, measure=measure, time_days=1.0)
    ]


def can_compute(row_measures: Collection[str], measure: str) -> bool:
    """Return whether results with any of these measures can give this effect measure."""
    computed_from = "proportion" if measure in BINARY_EFFECTS else "mean"
    return computed_from in row_measures or PRINTED_EFFECTS[measure][0] in row_measures


def reason_without_variance(row: Mapping) -> str:
    """Say why the SD or the CI of a result gives no variance; empty if nothing speaks against it."""
    if row["measure"] == "mean" and row["spread"] <= 0:
        return f"a standard deviation or error of {row['spread']:g}"
    if row["measure"] == "mean" and row["spread_kind"] == "sd" and _is_below_two(row["n"]):
        return f"a standard deviation with n = {row['n']:g}"
    if row["measure"] in RATIOS and (row["value"] <= 0 or row["ci_low"] <= 0):
        lowest = min(row["value"], row["ci_low"])
        return f"a ratio or its CI cannot start at {lowest:g}, which has no logarithm"
    if row["ci_low"] == row["ci_high"]:
        return f"a CI without width, {row['ci_low']:g} to {row['ci_high']:g}"
    return ""


def _is_below_two(n) -> bool:
    return not pd.isna(n) and n < 2


def crossover_without_correlation(studies: pd.DataFrame) -> pd.Series:
    """Return which studies are crossovers whose two periods are known only as if independent.

    No interval computed from them is right; only one that the text prints is.
    """
    return (studies["design"] == "randomised crossover") & studies["n2"].notna()


def align_sign(row: Mapping, measure: str, interval: np.ndarray) -> np.ndarray:
    """Return a printed estimate and its limits with the sign of arm minus comparator.

    Some texts count improvement as positive where the scale falls; `direction` tells.
    """
    if measure in ("rr", "or") or row["direction"] not in ("better", "worse"):
        return interval
    is_higher = (row["direction"] == "better") == (row["better"] == "higher")
    if row["better"] == "neither" or (interval[0] > 0) == is_higher:
        return interval
    return -interval[[0, 2, 1]]


def _count_effects(rows: list[Row], measure: str, time_days: float, by_arm: bool) -> Iterator[dict]:
    counts = [row for row in rows if row["measure"] == "proportion"]
    for arms, comparators in _compared_arms(counts, ("event_count", "n"), time_days, by_arm):
        cells = [
            _total(group, column)
            for group in (arms, comparators)
            for column in ("event_count", "n")
        ]
        numbers = dict(zip(("events1", "n1", "events2", "n2"), cells, strict=True))
        yield _effect(arms, comparators, BINARY_EFFECTS[measure](*cells), numbers)


def _mean_effects(rows: list[Row], measure: str, time_days: float, by_arm: bool) -> Iterator[dict]:
    means = [
        row
        for row in rows
        if row["measure"] == "mean"
        and row["spread_kind"] == "sd"
        and not reason_without_variance(row)
    ]
    for arms, comparators in _compared_arms(means, ("value", "spread", "n"), time_days, by_arm):
        group1, group2 = _combine_arms(arms), _combine_arms(comparators)
        numbers = {"n1": group1[2], "n2": group2[2]}
        yield _effect(arms, comparators, MEAN_EFFECTS[measure](*group1, *group2), numbers)


def _proportion_effects(rows: list[Row], time_days: float) -> Iterator[dict]:
    treated = [
        row
        for row in rows
        if row["measure"] == "proportion" and row["role"] in ("intervention", "single arm")
    ]
    for arms in _group_by(
        _nearest_in_time(_one_per_arm(treated, ("event_count", "n")), time_days), "study"
    ):
        events, n = _total(arms, "event_count"), _total(arms, "n")
        numbers = {"events1": events, "n1": n}
        yield _effect(arms, [], effect_sizes.logit_proportion(events, n), numbers)


def _printed_effects(
    rows: list[Row], measure: str, time_days: float, by_arm: bool
) -> Iterator[dict]:
    name, to_pooling_scale = PRINTED_EFFECTS[measure]
    contrasts = [row for row in rows if row["measure"] == name and row["role"] == "contrast"]
    contrasts = [row for row in contrasts if not reason_without_variance(row)]
    complete = _complete(contrasts, ("value", "ci_low", "ci_high"))
    key = ("study", "arm") if by_arm else ("study",)
    for row, *_ in _group_by(_nearest_in_time(complete, time_days), *key):
        interval = np.array([row["value"], row["ci_low"], row["ci_high"]], float)
        yi, low, high = to_pooling_scale(align_sign(row, measure, interval))
        se = (high - low) / (2 * critical_value(_PRINTED_CONFIDENCE))
        comparison = f"{row['arm']} versus {row['versus']}, as printed"
        yield _effect([row], [], (yi, se**2), {"comparison": comparison})


def _effect(arms: list[Row], comparators: list[Row], effect, numbers: dict) -> dict:
    doses = [row["dose_mg_per_kg"] for row in arms]
    names = [" and ".join(row["arm"] for row in group) for group in (arms, comparators) if group]
    yi, vi = effect
    return {
        **{column: arms[0][column] for column in STUDY_COLUMNS},
        "dose_mg_per_kg": doses[0] if all(dose == doses[0] for dose in doses) else np.nan,
        "yi": float(yi),
        "vi": float(vi),
        "comparison": " versus ".join(names),
        "address": " ".join(row["address"] for row in [*arms, *comparators]),
        **numbers,
    }


def _compared_arms(
    rows: list[Row], columns: tuple[str, ...], time_days: float, by_arm: bool
) -> Iterator[tuple[list[Row], list[Row]]]:
    """Intervention arms of each study, together or one by one, with the comparator arms."""
    complete = _one_per_arm(rows, columns)
    roles = {(_comparison_key(row), row["role"]) for row in complete}
    comparable = [
        row
        for row in complete
        if all((_comparison_key(row), role) in roles for role in ("intervention", "comparator"))
    ]
    for group in _group_by(_nearest_in_time(comparable, time_days), "study"):
        treated = [row for row in group if row["role"] == "intervention"]
        comparators = [row for row in group if row["role"] == "comparator"]
        for arms in _group_by(treated, "arm" if by_arm else "study"):
            yield arms, comparators


def _nearest_in_time(rows: list[Row], time_days: float) -> list[Row]:
    """Of each study the rows of one instrument at the time nearest to the one asked for."""

    def distance(row: Row) -> float:
        # A time that is unknown, or before the start, comes last.
        return abs(np.log(row["days"]) - np.log(time_days)) if row["days"] > 0 else np.inf

    ordered = sorted(rows, key=distance)
    nearest = {_comparison_key(group[0]) for group in _group_by(ordered, "study")}
    return [row for row in ordered if _comparison_key(row) in nearest]


def _one_per_arm(rows: list[Row], columns: tuple[str, ...]) -> list[Row]:
    return [group[0] for group in _group_by(_complete(rows, columns), *COMPARISON_KEY, "arm")]


def _complete(rows: list[Row], columns: tuple[str, ...]) -> list[Row]:
    return [row for row in rows if not any(pd.isna(row[column]) for column in columns)]


def _comparison_key(row: Row) -> tuple:
    return tuple(row[column] for column in COMPARISON_KEY)


def _group_by(rows: list[Row], *columns: str) -> list[list[Row]]:
    """Rows grouped by these columns, groups in the order of their first rows."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return list(groups.values())


def _total(rows: list[Row], column: str) -> float:
    return float(sum(row[column] for row in rows))


def _combine_arms(rows: list[Row]) -> tuple[float, float, float]:
    """Mean, standard deviation and size of several arms as if they had been one."""
    n, means, sds = (
        np.array([row[name] for row in rows], float) for name in ("n", "value", "spread")
    )
    total, mean = n.sum(), np.average(means, weights=n)
    squares = np.sum((n - 1) * sds**2) + np.sum(n * (means - mean) ** 2)
    return float(mean), float(np.sqrt(squares / (total - 1))), float(total)
