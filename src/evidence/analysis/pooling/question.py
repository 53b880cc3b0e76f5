"""A question to the studies, what each of them brings to it, and why some should not be pooled.

Vocabulary
----------
A *question* says which studies belong together: outcome, measure, time, conditions, treatments and
kinds of comparison. What a study brings is a *contribution* (see `contributions`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from evidence.analysis.certainty.risk_of_bias import NOT_JUDGED, applicable_appraisals
from evidence.analysis.defaults import default_days, default_outcome
from evidence.analysis.eligible_evidence import cohorts, is_evidence
from evidence.analysis.pooling.study_effects import (
    BINARY,
    EFFECT_COLUMNS,
    INPUT_COLUMNS,
    effects_by_study,
)
from evidence.analysis.results import require_known
from evidence.dataset.dataset import Dataset

MEASURES = {
    "rr": "log risk ratio",
    "or": "log odds ratio",
    "rd": "risk difference",
    "smd": "Hedges' g",
    "md": "mean difference",
    "proportion": "log odds of one proportion",
}
METHODS = ("reml", "dl", "pm", "common", "mh", "peto")
GROUPINGS = {
    "condition": "condition",
    "treatment": "treatment",
    "comparator": "comparator_kind",
    "blinding": "blinding",
    "risk": "risk",
}
"""What studies can be told apart by, and the column that says it."""
MODERATORS = {"dose": "dose_mg_per_kg", "days": "days", "year": "year"}
"""What effects can be set against, and the column that holds it."""
MUST_AGREE = ("condition", "treatment", "comparator")


@dataclass(frozen=True)
class Question:
    """Which studies belong together.

    `time_days`: of each study the time nearest to this is taken. `max_time_ratio`: times up to
    this many times earlier or later count; results without a time always do. `conditions`,
    `treatments` and `comparators`: only these; more than one of a sort is pooled only if named.
    `allow_nonrandomised`: whether randomised and non-randomised studies may be pooled together.
    """

    outcome: str
    measure: str
    time_days: float = 1.0
    max_time_ratio: float = 3.0
    conditions: tuple[str, ...] = ()
    treatments: tuple[str, ...] = ()
    comparators: tuple[str, ...] = ()
    allow_nonrandomised: bool = False

    def named(self, grouping: str) -> tuple[str, ...]:
        """The words named for one of `MUST_AGREE`."""
        return getattr(self, f"{grouping}s")


def select_study_effects(
    dataset: Dataset, results: pd.DataFrame, question: Question, *, by_arm: bool = False
) -> pd.DataFrame:
    """What each study brings to the question; see `brought`.

    Raises
    ------
    ParameterError
        A word that is none.
    """
    require_known("measure", [question.measure], list(MEASURES))
    if len(results):
        _require_words("outcome", [question.outcome], dataset, results, "outcome")
    belongs = is_evidence(results) & (results["outcome"] == question.outcome)
    belongs &= within_time_window(results["days"], question)
    for grouping in MUST_AGREE:
        words, column = question.named(grouping), GROUPINGS[grouping]
        if words and len(results):
            _require_words(f"{grouping}s", words, dataset, results, column)
            belongs &= results[column].isin(words)
    rows = results.loc[belongs, list(INPUT_COLUMNS)].to_dict("records")
    return study_effects(dataset, rows, question, by_arm=by_arm)


def study_effects(
    dataset: Dataset, rows: list[dict], question: Question, *, by_arm: bool = False
) -> pd.DataFrame:
    """What each study brings of rows that belong to a question, oldest first.

    `rows` and `by_arm` as in `contributions`; beside its columns, `risk` is the level of bias.
    """
    found = effects_by_study(
        rows, measure=question.measure, time_days=question.time_days, by_arm=by_arm
    )
    judged = applicable_appraisals(dataset, question.outcome, [entry["study"] for entry in found])
    for entry in found:
        study = entry["study"]
        entry["risk"] = judged[study].level if study in judged else NOT_JUDGED
        entry["year"] = dataset.bibliography[study].year
    found.sort(key=lambda entry: (entry["year"], entry["study"]))
    return pd.DataFrame(found, columns=[*EFFECT_COLUMNS, "risk", "year"])


def _require_words(
    name: str, words: Sequence[str], dataset: Dataset, results: pd.DataFrame, column: str
) -> None:
    """Refuse what is no word of the data; one that these results lack is no mistake."""
    known = set(results[column])
    if missing := [word for word in words if word not in known]:
        tables = [table for table in (dataset.results, dataset.designs) if column in table]
        found = dict.fromkeys(word for table in tables for word in table[column].unique())
        require_known(name, missing, [word for word in found if word and not pd.isna(word)])


def within_time_window(days, question: Question):
    """Whether a time, or which of a Series, is after treatment and in range, or not known."""
    earliest, latest = (
        question.time_days / question.max_time_ratio,
        question.time_days * question.max_time_ratio,
    )
    return pd.isna(days) | ((days >= earliest) & (days <= latest) & (days > 0))


def main_question(dataset: Dataset, results: pd.DataFrame, question: Question) -> Question:
    """The question narrowed, where it leaves it open, to one outcome, time, condition, treatment.

    An empty outcome and a time of 0 are filled with the usual ones (see `usual`); of conditions
    and treatments those with the most studies are taken, of several the first in the tables.

    Raises
    ------
    ParameterError
        A word that is none.
    """
    if not question.outcome:
        first = next(iter(results["outcome"]), "")
        question = replace(question, outcome=default_outcome(results, question.measure) or first)
    if question.time_days == 0:
        rows = results[results["outcome"] == question.outcome]
        question = replace(question, time_days=default_days(rows))
    for grouping in ("condition", "treatment"):
        studies = select_study_effects(dataset, results, question)
        words = studies[GROUPINGS[grouping]].value_counts(sort=False)
        if not question.named(grouping) and len(words):
            most = words.idxmax()
            question = replace(question, **{f"{grouping}s": (most,) if most else ()})
    return question


def reasons_not_to_pool(
    dataset: Dataset,
    studies: pd.DataFrame,
    question: Question,
    *,
    method: str,
    grouped_by: str = "",
) -> Iterator[str]:
    """Every reason why these contributions should not be pooled, one sentence each.

    `grouped_by` names a grouping by which they are told apart, so that they need not agree in it; who
    could tell what they got hangs on the comparison, so that apart by the one is by the other.
    """
    grouped_by = "comparator" if grouped_by == "blinding" else grouped_by
    measure = question.measure
    if method == "mh" and measure not in BINARY:
        yield f"Mantel and Haenszel pool counts of two groups, not a {MEASURES[measure]}"
    if method == "peto" and measure != "or":
        yield f"Peto's method gives an odds ratio, not a {MEASURES[measure]}"
    if len(studies) < 2:
        which = f" ({studies['label'].iloc[0]})" if len(studies) else ""
        number = "one study has" if len(studies) else "no study has"
        yield f"{number} confirmed numbers for this{which}; a pool needs two"
        return
    scales = studies["instrument"].unique()
    if measure == "md" and len(scales) > 1:
        yield f"the scales differ ({', '.join(filter(None, scales))}); use measure smd"
    crossed = studies[studies["design"] == "randomised crossover"]
    if len(crossed) and measure != "proportion":
        yield (
            f"the two periods of a crossover are the same people ({', '.join(crossed['label'])}), "
            "and their correlation is not known"
        )
    kinds = studies.groupby(studies["randomised"] == "yes")["label"].agg(", ".join)
    if len(kinds) > 1 and not question.allow_nonrandomised:
        yield (
            f"randomised ({kinds[True]}) and other studies ({kinds[False]}) are different things; "
            "ask for it in so many words (--allow-nonrandomised)"
        )
    people = studies["study"].map(cohorts(dataset))
    for cohort in people[people.duplicated()].unique():
        labels = ", ".join(studies.loc[people == cohort, "label"])
        yield f"the same people would be counted twice ({labels})"
    for grouping in MUST_AGREE:
        mixed = studies.groupby(GROUPINGS[grouping], sort=False)["label"].agg(", ".join)
        # A share of one group is compared with nothing.
        settled = question.named(grouping) or grouping == grouped_by
        if len(mixed) > 1 and not settled and (grouping, measure) != ("comparator", "proportion"):
            said = "; ".join(f"{word or 'not stated'}: {labels}" for word, labels in mixed.items())
            yield (f"the {grouping}s differ ({said}); name those that are meant (--{grouping}s)")
