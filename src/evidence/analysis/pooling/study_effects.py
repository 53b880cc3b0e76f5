"""One effect with its variance per study: the input of a meta-analysis.

Arms of a study that share a comparator arm are combined first, or the comparator arm is split, so
that nobody in it is counted twice (higgins2024variants, 23.3.4); of contrasts as printed, which cannot be
combined, the first is used. Differences on a scale that runs the other way than its outcome get the
other sign. `handling` says so. Of each study the results nearest to the time asked for are used.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from evidence.analysis.pooling.printed_variance import DIRECT_CONVERSIONS, sd_of_mean, se_of_effect
from evidence.analysis.results import SEPARATOR
from evidence.dataset.schema import RATIO_MEASURES
from evidence.provenance.sentence import join_words
from evidence.statistics import effect_sizes
from evidence.statistics.conversions import t_quantile

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
    "hr": ("hazard ratio", np.log),
    "irr": ("rate ratio", np.log),
    "generic": ("effect", np.asarray),
}
"""For each measure its name in `studies.csv`, and the transformation to the scale of pooling."""
RATIOS = tuple(name for name, (_, to_scale) in PRINTED_EFFECTS.items() if to_scale is np.log)
"""Measures that are pooled on the log scale."""

STUDY_COLUMNS = (
    "study", "label", "outcome", "condition", "treatment", "comparator_kind", "blinding", "design",
    "randomised", "instrument", "scale_better", "definition", "days",
)  # fmt: skip
EFFECT_COLUMNS = (
    *STUDY_COLUMNS, "dose", "dose_unit", "yi", "vi", "df", "events1", "n1", "events2", "n2",
    "mean1", "sd1", "mean2", "sd2", "comparison", "conversion", "handling", "address",
)  # fmt: skip
"""Columns of a study effect: effect, variance and degrees of freedom of its CI, the numbers behind
them, and their addresses.

`conversion` says how a variance follows from what the text prints (empty: as printed), `handling`
what was done to arms and sign, in words."""
COMPARISON_KEY = ("study", "instrument", "definition", "time", "time_unit")
"""What results have in common that can be compared with each other."""
INPUT_COLUMNS = (
    *STUDY_COLUMNS, "time", "time_unit", "role", "arm", "versus", "measure",
    "event_count", "n", "value", "spread", "spread_kind", "ci_low", "ci_high", "p_value",
    "direction", "better", "is_reversed", "dose", "dose_unit", "address",
)  # fmt: skip
"""Columns of the results that are used here."""


def effects_by_study(
    rows: list[Row], *, measure: str, time_days: float, separate: str = ""
) -> list[dict]:
    """Return one effect per study with the columns `EFFECT_COLUMNS`.

    Counts, and means with SD or SE, come before effects as printed, and these before means whose SD
    follows from a CI, t statistic or interquartile range: a printed effect is often adjusted. A
    study that reports none of them is left out, and so are columns that do not apply. Ratios and
    proportions are on the log scale (log odds for a proportion).

    Parameters
    ----------
    rows : list of dict
        Results with the columns `INPUT_COLUMNS`.
    time_days : float
        Of each study the time nearest to this, on a log scale, is used.
    separate : {"", "treatment", "arm"}
        Compare each treatment of a study by itself, with its part of the participants in the
        comparator arm, or each arm, with all of them; the latter effects must not be pooled.
    """
    if measure == "proportion":
        return list(_proportion_effects(rows, time_days))
    if measure in BINARY_EFFECTS:
        sources = [_count_effects, _printed_effects]
    elif measure in MEAN_EFFECTS:
        sources = [_mean_effects, _printed_effects, _indirect_mean_effects]
    else:
        sources = [_printed_effects]
    effects: list[dict] = []
    for source in sources:
        known = {effect["study"] for effect in effects}
        others = [row for row in rows if row["study"] not in known]
        effects += source(others, measure, time_days, separate)
    return effects


def all_effects(rows: list[Row], *, measure: str) -> list[dict]:
    """Return every effect of each study: one per outcome, scale, definition and time.

    Effects of one study share participants, so that only a model of their dependence may pool them.
    """
    return [
        effect
        for group in _group_by(rows, "outcome", *COMPARISON_KEY)
        for effect in effects_by_study(group, measure=measure, time_days=1.0)
    ]


def comparator_counts(rows: list[Row], time_days: float) -> tuple[float, float]:
    """Return events and participants of every comparator arm with counts, also without an effect.

    Of each study the time nearest to the one asked for is used, as for its effect.
    """
    counts = [row for row in rows if row["measure"] == "proportion" and row["role"] == "comparator"]
    arms = _nearest_in_time(_one_per_arm(counts, ("event_count", "n")), time_days)
    return _total(arms, "event_count"), _total(arms, "n")


def can_compute(row_measures: Collection[str], measure: str) -> bool:
    """Return whether results with any of these measures can give this effect measure."""
    return any(name in row_measures for name in source_measures(measure))


def source_measures(measure: str) -> tuple[str, ...]:
    """Return the measures of results that an effect measure is computed from."""
    printed = (PRINTED_EFFECTS[measure][0],) if measure in PRINTED_EFFECTS else ()
    if measure in MEAN_EFFECTS:
        return ("mean", *printed)
    return ("proportion", *printed) if measure in BINARY_EFFECTS or not printed else printed


def half_widths(studies: pd.DataFrame, confidence: float) -> pd.Series:
    """Return half the width of the CI of each effect; that of a printed CI at 95% is as printed."""
    quantiles = t_quantile((1 + confidence) / 2, studies["df"].to_numpy(float))
    return quantiles * np.sqrt(studies["vi"].astype(float))


def crossover_without_correlation(studies: pd.DataFrame) -> pd.Series:
    """Return which studies are crossovers whose two periods are known only as if independent.

    No interval computed from them is right; only one that the text prints is.
    """
    return (studies["design"] == "randomised crossover") & studies["n2"].notna()


def align_sign(row: Mapping, measure: str, interval: np.ndarray) -> np.ndarray:
    """Return a printed estimate and its limits as arm minus comparator, or arm to comparator.

    Some texts count improvement as positive where the scale falls, or print a ratio the other way
    round; `direction` tells. Without it, the sign of a difference turns if the scale runs the other
    way than its outcome.
    """
    is_ratio = measure in RATIOS
    is_turned = bool(row["is_reversed"]) and not is_ratio
    if row["direction"] in ("better", "worse") and row["better"] != "neither":
        good_sign = 1 if (row["better"] == "higher") != is_turned else -1
        expected = good_sign if row["direction"] == "better" else -good_sign
        is_turned = (interval[0] > (1 if is_ratio else 0)) != (expected > 0)
    if not is_turned:
        return interval
    return 1 / interval[[0, 2, 1]] if is_ratio else -interval[[0, 2, 1]]


def _count_effects(
    rows: list[Row], measure: str, time_days: float, separate: str
) -> Iterator[dict]:
    counts = [row for row in rows if row["measure"] == "proportion"]
    columns = ("event_count", "n")
    for arms, comparators, parts in _compared_arms(counts, columns, time_days, separate):
        cells = [_total(arms, column) for column in columns]
        cells += [_total(comparators, column) / parts for column in columns]
        numbers = dict(zip(("events1", "n1", "events2", "n2"), cells, strict=True))
        handling = _arm_handling(arms, comparators, parts)
        yield _effect(arms, comparators, BINARY_EFFECTS[measure](*cells), numbers, handling)


def _mean_effects(
    rows: list[Row], measure: str, time_days: float, separate: str, conversions=DIRECT_CONVERSIONS
) -> Iterator[dict]:
    means = []
    for row in rows:
        sd = sd_of_mean(row) if row["measure"] == "mean" else None
        if sd and not sd.reason and (conversions is None or sd.conversion in conversions):
            means.append(row | {"spread": sd.size, "conversion": sd.conversion})
    columns = ("value", "spread", "n")
    for arms, comparators, parts in _compared_arms(means, columns, time_days, separate):
        mean1, sd1, n1 = _combine_arms(arms)
        mean2, sd2, n2 = _combine_arms(comparators)
        handling = _arm_handling(arms, comparators, parts)
        if arms[0]["is_reversed"]:
            mean1, mean2 = -mean1, -mean2
            handling.append(_turn_text(arms[0]))
        numbers = {"n1": n1, "n2": n2 / parts}
        numbers |= {"mean1": mean1, "sd1": sd1, "mean2": mean2, "sd2": sd2}
        effect = MEAN_EFFECTS[measure](mean1, sd1, n1, mean2, sd2, n2 / parts)
        yield _effect(arms, comparators, effect, numbers, handling)


_indirect_mean_effects = partial(_mean_effects, conversions=None)


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
        effect = effect_sizes.logit_proportion(events, n)
        yield _effect(arms, [], effect, numbers, _arm_handling(arms, []))


def _printed_effects(
    rows: list[Row], measure: str, time_days: float, separate: str
) -> Iterator[dict]:
    name, to_pooling_scale = PRINTED_EFFECTS[measure]
    contrasts = [row for row in rows if row["measure"] == name and row["role"] == "contrast"]
    errors = [se_of_effect(row, to_pooling_scale) for row in contrasts]
    sized = [
        row | {"se": se.size, "conversion": se.conversion, "df": se.df}
        for row, se in zip(contrasts, errors, strict=True)
        if not se.reason
    ]
    key = ("study", "arm") if separate == "arm" else ("study",)
    for row, *others in _group_by(_nearest_in_time(sized, time_days), *key):
        printed = np.array([row["value"], row["ci_low"], row["ci_high"]], float)
        aligned = align_sign(row, measure, printed)
        yi, *_ = to_pooling_scale(aligned)
        handling = []
        unused = {f"{other['arm']} versus {other['versus']}" for other in others}
        if unused := unused - {f"{row['arm']} versus {row['versus']}"}:
            handling.append(f"first printed contrast used, not {join_words(sorted(unused))}")
        if aligned[0] != printed[0]:
            handling.append(_turn_text(row))
        numbers = {
            "comparison": f"{row['arm']} versus {row['versus']}, as printed",
            "df": row["df"],
        }
        if row["direction"] in ("better", "worse"):
            # Whom it favours is stated, so that nothing need be declared for its scale.
            numbers["scale_better"] = row["better"].replace("neither", "")
        yield _effect([row], [], (yi, row["se"] ** 2), numbers, handling)


def _effect(
    arms: list[Row], comparators: list[Row], effect, numbers: dict, handling: list[str]
) -> dict:
    doses = {(row["dose"], row["dose_unit"]) for row in arms}
    dose, dose_unit = doses.pop() if len(doses) == 1 else (np.nan, "")
    names = [" and ".join(row["arm"] for row in group) for group in (arms, comparators) if group]
    yi, vi = effect
    return {
        **{column: arms[0][column] for column in STUDY_COLUMNS},
        "treatment": _distinct(arms, "treatment"),
        "comparator_kind": _distinct(comparators or arms, "comparator_kind"),
        "handling": "; ".join(handling),
        "dose": dose,
        "dose_unit": dose_unit,
        "yi": float(yi),
        "vi": float(vi),
        "df": np.inf,
        "comparison": " versus ".join(names),
        "conversion": _conversions([*arms, *comparators]),
        "address": " ".join(row["address"] for row in [*arms, *comparators]),
        **numbers,
    }


def _conversions(rows: Sequence[Row]) -> str:
    return "; ".join(dict.fromkeys(filter(None, (row.get("conversion") for row in rows))))


def _compared_arms(
    rows: list[Row], columns: tuple[str, ...], time_days: float, separate: str
) -> Iterator[tuple[list[Row], list[Row], int]]:
    """Intervention arms of each study, together or one by one, with the comparator arms.

    The last number says between how many comparisons the comparator arms must be split.
    """
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
        groups = _group_by(treated, separate or "study")
        for arms in groups:
            yield arms, comparators, len(groups) if separate == "treatment" else 1


def _nearest_in_time(rows: list[Row], time_days: float) -> list[Row]:
    """Of each study the rows of one instrument at the time nearest to the one asked for."""

    def distance(row: Row) -> float:
        # A time that is unknown, or before the start, comes last.
        return abs(np.log(row["days"]) - np.log(time_days)) if row["days"] > 0 else np.inf

    ordered = sorted(rows, key=distance)
    nearest = {_comparison_key(group[0]) for group in _group_by(ordered, "study")}
    return [row for row in ordered if _comparison_key(row) in nearest]


def _one_per_arm(rows: list[Row], columns: tuple[str, ...]) -> list[Row]:
    complete = [row for row in rows if not any(pd.isna(row[column]) for column in columns)]
    return [group[0] for group in _group_by(complete, *COMPARISON_KEY, "arm")]


def _distinct(rows: list[Row], column: str) -> str:
    return SEPARATOR.join(dict.fromkeys(row[column] for row in rows))


def _arm_handling(arms: list[Row], comparators: list[Row], parts: int = 1) -> list[str]:
    """Say what was done to several arms so that nobody counts twice, clause by clause."""
    clauses = [
        f"{name} {join_words(row['arm'] for row in group)} combined"
        for group, name in ((arms, "arms"), (comparators, "comparator arms"))
        if len(group) > 1
    ]
    if parts > 1:
        names = join_words(row["arm"] for row in comparators)
        clauses.append(f"{names} split between {parts} treatments")
    return clauses


def _turn_text(row: Row) -> str:
    if row["is_reversed"] and row["measure"] not in RATIO_MEASURES:
        return f"sign turned, as {row['scale_better']} is better on {row['instrument']}"
    what = "ratio inverted" if row["measure"] in RATIO_MEASURES else "sign turned"
    return f"{what} to match the direction stated for it"


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
