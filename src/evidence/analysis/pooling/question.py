"""The question of a meta-analysis (PICO), the studies that bear on it, and reasons not to pool."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pandas as pd

from evidence.analysis.certainty.risk_of_bias import NOT_JUDGED, applicable_appraisals
from evidence.analysis.defaults import default_days, default_measure, default_outcome
from evidence.analysis.eligible_evidence import cohorts, is_evidence
from evidence.analysis.pooling.study_effects import (
    BINARY_EFFECTS,
    EFFECT_COLUMNS,
    INPUT_COLUMNS,
    MEAN_EFFECTS,
    all_effects,
    effects_by_study,
    half_widths,
)
from evidence.analysis.results import (
    SEPARATOR,
    TREATED_ROLES,
    as_records,
    better_side,
    matches_arms,
    require_known,
    select_results,
    spell_as,
)
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import Displayable
from evidence.dataset.notebook_display import Frame
from evidence.errors import Reason
from evidence.provenance.sentence import format_duration, format_number, join_words

MEASURES = {
    "rr": "log risk ratio",
    "or": "log odds ratio",
    "rd": "risk difference",
    "smd": "Hedges' g",
    "md": "mean difference",
    "hr": "log hazard ratio",
    "irr": "log rate ratio",
    "generic": "effect as entered",
    "proportion": "log odds of one proportion",
}
"""Effect measures, and the scale on which each is pooled."""
MEASURE_LABELS = {
    "rr": "risk ratio",
    "or": "odds ratio",
    "rd": "risk difference",
    "smd": "standardised mean difference",
    "md": "mean difference",
    "hr": "hazard ratio",
    "irr": "rate ratio",
    "generic": "effect",
}
METHODS = ("reml", "dl", "pm", "common", "mh", "peto", "glmm", "threelevel", "bayes")
COUNT_METHODS = ("mh", "peto", "glmm")
"""Methods that pool counts directly: studies have no weights."""
SUBGROUP_COLUMNS = {
    "condition": "condition",
    "treatment": "treatment",
    "comparator": "comparator_kind",
    "blinding": "blinding",
    "risk": "risk",
}
"""What studies can be grouped by, and the column that holds it."""
MODERATORS = ("dose", "days", "year")
"""Moderators of a meta-regression: columns of the pooled studies."""
_CLEAR = 0.95
"""Confidence level at which two effects differ in sign."""
PICO_FIELDS = ("condition", "treatment", "comparator")
"""Fields in which pooled studies must agree unless the question names several values."""


def default_method(measure: str) -> str:
    """Return the method by which a measure is pooled where none is named."""
    return "glmm" if measure == "proportion" else "reml"


def measure_label(measure: str, outcome: str) -> str:
    """Return what is estimated in words, such as 'risk ratio of infection'."""
    if measure == "proportion":
        return f"proportion with {outcome}"
    return f"{MEASURE_LABELS[measure]} {'on' if measure == 'generic' else 'of'} {outcome}"


@dataclass(frozen=True)
class Question(Displayable):
    """Which studies belong together.

    Of each study the results nearest to `time_days` are used; times may differ from it by a factor
    of `max_time_ratio`, and results without a time always count. `conditions`, `treatments` and
    `comparators` restrict the studies; several values of one field are pooled only if named there.
    `allow_nonrandomised` lets randomised and other studies be pooled together, and
    `include_double_zero` lets studies without events in either group enter a pooled ratio.
    `further_outcomes` enter a three-level model beside `outcome`.
    """

    outcome: str
    measure: str
    time_days: float = 1.0
    max_time_ratio: float = 3.0
    conditions: tuple[str, ...] = ()
    treatments: tuple[str, ...] = ()
    comparators: tuple[str, ...] = ()
    allow_nonrandomised: bool = False
    include_double_zero: bool = False
    further_outcomes: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All outcomes, the first of them `outcome`."""
        return (self.outcome, *self.further_outcomes)

    def named_values(self, field: str) -> tuple[str, ...]:
        """Return the values named for one of `PICO_FIELDS`; none means all."""
        return getattr(self, f"{field}s")


def select_study_effects(
    dataset: Dataset,
    results: pd.DataFrame,
    question: Question,
    *,
    separate: str = "",
    every: bool = False,
) -> pd.DataFrame:
    """Return one effect per study that bears on the question, as `study_effects` does.

    Raise `ParameterError` for an unknown measure, outcome, condition, treatment or comparator.
    """
    rows = _rows_of_question(dataset, results, question)
    return study_effects(dataset, rows, question, separate=separate, every=every)


def _rows_of_question(dataset: Dataset, results: pd.DataFrame, question: Question) -> list[dict]:
    require_known("measure", [question.measure], list(MEASURES))
    if len(results):
        _refuse_unknown("outcome", question.outcomes, dataset, results, "outcome")
    belongs = is_evidence(results) & results["outcome"].isin(question.outcomes)
    belongs &= within_time_window(results["days"], question)
    for field in PICO_FIELDS:
        values, column = question.named_values(field), SUBGROUP_COLUMNS[field]
        if values and len(results):
            _refuse_unknown(f"{field}s", values, dataset, results, column)
            belongs &= belongs_to(results, column, values)
    return as_records(results, belongs, INPUT_COLUMNS)


def belongs_to(results: pd.DataFrame, column: str, values: Sequence[str]) -> pd.Series:
    """Tell which rows belong to some values of a PICO field, given by its column."""
    if column == "condition":
        return results[column].isin(values)
    return matches_arms(results, column, values)


def study_effects(
    dataset: Dataset,
    rows: list[dict],
    question: Question,
    *,
    separate: str = "",
    every: bool = False,
) -> pd.DataFrame:
    """Return one effect per study from rows that belong to the question, oldest study first.

    The rows and `separate` are as for `effects_by_study`; with `every`, all scales, definitions and
    times in the time window are kept, so that a study can have several effects. The columns are
    `EFFECT_COLUMNS`, `risk` (overall risk of bias) and `year`.
    """
    if every:
        effects = all_effects(rows, measure=question.measure)
    else:
        effects = effects_by_study(
            rows, measure=question.measure, time_days=question.time_days, separate=separate
        )
    studies = [effect["study"] for effect in effects]
    appraisals = {
        outcome: applicable_appraisals(dataset, outcome, studies) for outcome in question.outcomes
    }
    better = _better_directions(dataset, question)
    for effect in effects:
        if better[effect["outcome"]] != better[question.outcome]:
            effect["yi"] = -effect["yi"]
            turned = f"sign turned, as {better[effect['outcome']]} {effect['outcome']} is better"
            effect["handling"] = "; ".join(filter(None, [effect["handling"], turned]))
        appraisal = appraisals[effect["outcome"]].get(effect["study"])
        effect["risk"] = appraisal.level if appraisal else NOT_JUDGED
        effect["year"] = dataset.bibliography[effect["study"]].first_year
    effects.sort(key=lambda effect: (effect["year"], effect["study"]))
    return Frame(effects, columns=[*EFFECT_COLUMNS, "risk", "year"])


def within_time_window(days: Any, question: Question) -> Any:
    """Return whether a time (or each of a Series) is in the time window, or is not known."""
    earliest, latest = time_window(question)
    return pd.isna(days) | ((days >= earliest) & (days <= latest) & (days > 0))


def main_question(
    dataset: Dataset,
    results: pd.DataFrame,
    question: Question,
    *,
    fields: Sequence[str] = ("condition", "treatment"),
) -> Question:
    """Return the question in the words of the data, its open parts narrowed to most studies'.

    Words may differ from the data in capitals. An empty outcome or measure and a time of 0 become the
    defaults of the data. In each of these fields that names no value, the one with the most studies is
    chosen, of several the first in the tables. Errors are those of `select_study_effects`.
    """
    question = _in_words_of(dataset, results, question)
    if not question.measure:
        question = replace(question, measure=default_measure(results, question.outcome))
    if not question.outcome:
        first = next(iter(results["outcome"]), "")
        question = replace(question, outcome=default_outcome(results, question.measure) or first)
    if question.time_days == 0:
        rows = results[results["outcome"] == question.outcome]
        question = replace(question, time_days=default_days(rows))
    for field in fields:
        studies = select_study_effects(dataset, results, question)
        values = studies[SUBGROUP_COLUMNS[field]].str.split(SEPARATOR).explode()
        counts = values.value_counts(sort=False)
        if not question.named_values(field) and len(counts):
            most = counts.idxmax()
            narrowed: dict[str, Any] = {f"{field}s": (most,) if most else ()}
            question = replace(question, **narrowed)
    return question


def _in_words_of(dataset: Dataset, results: pd.DataFrame, question: Question) -> Question:
    """Return the question with capitals as in the data; other words are refused later."""
    columns = {"outcome": "outcome", "further_outcomes": "outcome"}
    columns |= {f"{field}s": SUBGROUP_COLUMNS[field] for field in PICO_FIELDS}
    words: dict[str, Any] = {}
    for field, column in columns.items():
        given = getattr(question, field)
        known = [*results[column].unique(), *known_values(dataset, column)] if given else []
        values = [given] if isinstance(given, str) else given
        spelt = spell_as((word for word in known if isinstance(word, str)), values)
        words[field] = spelt[0] if isinstance(given, str) else tuple(spelt)
    return replace(question, **words)


def leave_out_studies(
    studies: pd.DataFrame, question: Question, *, method: str = ""
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out studies that cannot be pooled with the others, and say why, one clause each.

    These are crossovers, unless a single proportion is pooled, studies that are not randomised if
    others are and `allow_nonrandomised` is not set, studies whose counts say nothing about a
    ratio (see `has_no_ratio`) if `include_double_zero` is not set, and studies without counts if
    the method pools counts. Where nothing else would
    remain, nothing is left out, so that `reasons_not_to_pool` can name the reason.
    """
    is_crossover = (studies["design"] == "randomised crossover") & (
        question.measure != "proportion"
    )
    is_allowed = (studies["randomised"] == "yes") | question.allow_nonrandomised
    reasons = {
        "the two periods of a crossover have the same participants, and their correlation is not "
        "known": is_crossover,
        Reason("not randomised; pooled only on request", allow_nonrandomised=True): ~is_allowed,
    }
    if not question.include_double_zero:
        reason = "no events in either group, which says nothing about a ratio"
        if question.measure == "or":
            reason = f"{reason}, or nothing but events in both"
        no_ratio = has_no_ratio(studies, question.measure)
        reasons[Reason(reason, include_double_zero=True)] = no_ratio
    if method in COUNT_METHODS:
        reason = f"method {method} pools counts, and the text prints only the effect"
        reasons[reason] = studies["events1"].isna()
    clauses = []
    for reason, is_unfit in reasons.items():
        is_unfit = is_unfit.reindex(studies.index)
        if is_unfit.any() and not is_unfit.all():
            names = join_words(studies.loc[is_unfit, "label"].unique())
            clauses.append(Reason.of(reason).after(f"{names} left out: "))
            studies = studies[~is_unfit]
    return studies.reset_index(drop=True), tuple(clauses)


def has_no_ratio(studies: pd.DataFrame, measure: str) -> pd.Series:
    """Return which studies have counts that say nothing about the ratio of two groups.

    These are studies without events in either group and, for an odds ratio, also studies with
    nothing but events in both. A risk difference is defined there.
    """
    no_events = (studies["events1"] == 0) & (studies["events2"] == 0)
    only_events = (studies["events1"] == studies["n1"]) & (studies["events2"] == studies["n2"])
    if measure == "or":
        return no_events | only_events
    return no_events & (measure == "rr")


def reasons_not_to_pool(
    dataset: Dataset,
    studies: pd.DataFrame,
    question: Question,
    *,
    method: str,
    grouped_by: str = "",
    results: pd.DataFrame | None = None,
) -> Iterator[str]:
    """Yield every reason why these study effects should not be pooled, one clause each.

    Pooled in subgroups, studies need not agree in `grouped_by`, a name in `SUBGROUP_COLUMNS`.
    Blinding depends on the comparator, so that subgroups by blinding need not agree in that either.
    `results` are those that the studies were selected from: if there are no studies, the reason
    then names the times at which results exist.
    """
    measure = question.measure
    if method == "mh" and measure not in BINARY_EFFECTS:
        yield f"Mantel-Haenszel pools counts of two groups, not a {MEASURES[measure]}"
    if method == "peto" and measure != "or":
        yield f"Peto's method gives an odds ratio, not a {MEASURES[measure]}"
    if question.further_outcomes:
        yield from _reasons_against_outcomes(dataset, question, method)
    if method == "glmm" and measure not in ("or", "proportion"):
        yield f"method glmm gives an odds ratio or a proportion, not a {MEASURES[measure]}"
    if studies.empty:
        yield _no_study(dataset, question, results)
        return
    if studies["study"].nunique() == 1:
        label = studies["label"].iloc[0]
        yield f"only one tabulated study ({label}) has {_numbers_asked_for(question)}; pooling needs two"
        return
    if method in COUNT_METHODS and measure in BINARY_EFFECTS and studies["events1"].isna().all():
        yield f"method {method} pools counts, and no text prints any"
    if not question.include_double_zero and has_no_ratio(studies, measure).all():
        yield (
            f"the {MEASURE_LABELS[measure]} is not estimable: nobody has the outcome in either "
            f"group ({join_words(studies['label'])}); use measure rd"
        )
    scales = studies["instrument"].unique()
    if measure == "md" and len(scales) > 1:
        yield f"the scales differ ({', '.join(filter(None, scales))}); use measure smd"
    kinds = studies["definition"].unique()
    if measure == "generic" and len(kinds) > 1:
        listed = "; ".join(kind or "no definition" for kind in kinds)
        yield f"the effects are defined differently ({listed})"
    yield from _opposed_scales(dataset, studies, question)
    crossovers = studies.loc[studies["design"] == "randomised crossover", "label"]
    if len(crossovers) and measure != "proportion":
        yield (
            "the two periods of a crossover have the same participants "
            f"({_join_distinct(crossovers)}), and their correlation is not known"
        )
    labels = studies.groupby(studies["randomised"] == "yes")["label"].agg(_join_distinct)
    if len(labels) > 1 and not question.allow_nonrandomised:
        yield Reason(
            f"randomised ({labels[True]}) and non-randomised studies ({labels[False]}) are pooled "
            "only on request",
            allow_nonrandomised=True,
        )
    # Several effects of one study are the business of the model; two studies are not.
    distinct = studies.drop_duplicates("study")
    cohort = distinct["study"].map(cohorts(dataset))
    for shared in cohort[cohort.duplicated()].unique():
        names = ", ".join(distinct.loc[cohort == shared, "label"])
        yield f"the same participants would be counted twice ({names})"
    grouped_by = "comparator" if grouped_by == "blinding" else grouped_by
    for field in PICO_FIELDS:
        values = studies.groupby(SUBGROUP_COLUMNS[field], sort=False)["label"].agg(_join_distinct)
        # A proportion of one group has no comparator.
        may_differ = (
            bool(question.named_values(field))
            or field == grouped_by
            or (field, measure) == ("comparator", "proportion")
        )
        several = [value for value in values.index if SEPARATOR in value]
        if may_differ or not (len(values) > 1 or several):
            continue
        listed = "; ".join(f"{value or 'not stated'}: {names}" for value, names in values.items())
        reason = f"the {field}s differ ({listed}); name the ones to pool"
        if len(values) == 1:
            within = f"{values[several[0]]} ({several[0]})"
            reason = f"the {field}s differ within {within}; name the one to pool"
        yield Reason(reason, **{f"{field}s": _most_usual(studies[SUBGROUP_COLUMNS[field]])})


def _most_usual(words: pd.Series) -> tuple[str, ...]:
    """Return the word of most rows, each of which may have several; nothing if all are blank."""
    counts = words[words != ""].str.split(SEPARATOR).explode().value_counts(sort=False)
    return (counts.idxmax(),) if len(counts) else ()


def _reasons_against_outcomes(dataset: Dataset, question: Question, method: str) -> Iterator[str]:
    """Say why several outcomes cannot enter one model."""
    if method != "threelevel":
        yield "outcomes of one study are correlated; use method threelevel"
    better = _better_directions(dataset, question)
    is_turned = question.measure == "smd" and "neither" not in better.values()
    if len(set(better.values())) > 1 and not is_turned:
        listed = "; ".join(f"{outcome}: {direction}" for outcome, direction in better.items())
        yield f"the outcomes do not share a better direction ({listed})"


def _better_directions(dataset: Dataset, question: Question) -> dict[str, str]:
    """Return which direction is better for each outcome."""
    table = dataset.outcomes.set_index("outcome")["better"]
    return {outcome: table.get(outcome, "neither") for outcome in question.outcomes}


def _opposed_scales(dataset: Dataset, studies: pd.DataFrame, question: Question) -> Iterator[str]:
    """Say which scales run, or seem to run, in opposite directions."""
    if question.measure not in MEAN_EFFECTS:
        return
    declared = studies[studies["scale_better"] != ""]
    labels = declared.groupby("scale_better", sort=False)["label"].agg(_join_distinct)
    if len(labels) > 1 and not better_side(dataset, question.outcome):
        listed = "; ".join(f"{better} is better: {names}" for better, names in labels.items())
        yield (
            f"the scales run in opposite directions ({listed}); state in data/outcomes.csv which "
            f"is better for {question.outcome}"
        )
    yield from undeclared_directions(studies)


def undeclared_directions(studies: pd.DataFrame) -> Iterator[str]:
    """Say which effects clearly differ in sign on scales whose good direction is not declared."""
    half = half_widths(studies, _CLEAR)
    sides = {
        sign: studies[sign * studies["yi"] > half].drop_duplicates("instrument") for sign in (-1, 1)
    }
    pairs = [
        (below, above)
        for below, above in product(sides[-1].itertuples(), sides[1].itertuples())
        if below.instrument != above.instrument and not (below.scale_better and above.scale_better)
    ]
    if pairs:
        below, above = pairs[0]
        effects = (f"{row.label} on {row.instrument or 'a scale without name'}" for row in pairs[0])
        yield (
            f"the scales seem to run in opposite directions ({' and '.join(effects)} differ in "
            f"sign: {format_number(below.yi)} and {format_number(above.yi)}; {below.address} and "
            f"{above.address}); state which direction is better on each in data/instruments.csv"
        )


def _no_study(dataset: Dataset, question: Question, results: pd.DataFrame | None) -> str:
    """Say that no study reports the outcome in the time window, and which times exist."""
    earliest, latest = map(format_duration, time_window(question))
    reason = f"no tabulated study has {_numbers_asked_for(question)} ({earliest} to {latest})"
    if results is None:
        return reason
    any_time = replace(question, max_time_ratio=float("inf"))
    days = select_study_effects(dataset, results, any_time)["days"].dropna().unique()
    if not len(days):
        return f"{reason}, nor at any other time"
    nearest = min(days, key=lambda day: max(day / question.time_days, question.time_days / day))
    exist = f"results exist at {format_duration(nearest)}"
    return Reason(f"{reason}; {exist}", time_days=float(f"{nearest:g}"))


def _join_distinct(labels: pd.Series) -> str:
    """Join labels, each once: a study can have several effects."""
    return ", ".join(labels.unique())


def _numbers_asked_for(question: Question) -> str:
    label = measure_label(question.measure, join_words(question.outcomes))
    return f"confirmed numbers for the {label} near {format_duration(question.time_days)}"


def time_window(question: Question) -> tuple[float, float]:
    """Return the earliest and the latest time that results may have, in days."""
    return (
        question.time_days / question.max_time_ratio,
        question.time_days * question.max_time_ratio,
    )


def _refuse_unknown(
    name: str, values: Sequence[str], dataset: Dataset, results: pd.DataFrame, column: str
) -> None:
    """Refuse values that no table has; values that only these results lack are allowed."""
    missing = set(values).difference(results[column].tolist())
    if missing:
        require_known(name, sorted(missing), known_values(dataset, column))


def known_values(dataset: Dataset, column: str) -> list[str]:
    """Return the words of a column; of treatments and comparators also the names of their arms."""
    results = select_results(dataset, with_repeats=True)
    columns = [table[column] for table in (results, dataset.designs) if column in table]
    if column == "treatment":
        columns.append(results.loc[results["role"].isin(TREATED_ROLES), "arm"])
    if column == "comparator_kind":
        columns.append(results.loc[results["role"] == "comparator", "arm"])
        columns.append(results["versus"])
    values = dict.fromkeys(value for column in columns for value in column.unique())
    return [value for value in values if value and not pd.isna(value)]
