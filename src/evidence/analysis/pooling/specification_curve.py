"""Specification curve: the same question answered under every combination of analytic choices.

A specification is one choice each of outcome definition (outcome and time), comparator, risk of
bias, estimator and test. See simonsohn2020.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
import pandas as pd

from evidence.analysis.pooling.few_studies import tau_prior
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import (
    Question,
    leave_out_studies,
    reasons_not_to_pool,
    select_study_effects,
)
from evidence.analysis.results import SEPARATOR, better_side
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import Displayable
from evidence.errors import ParameterError
from evidence.provenance.sentence import format_duration
from evidence.statistics.bayesian import BayesianMean, pool_bayesian
from evidence.statistics.binomial_normal import BinomialNormalMean, pool_odds_ratio_glmm
from evidence.statistics.meta_analysis import METHODS, TESTS, pool_subsets
from evidence.statistics.three_level import DEFAULT_RHO, ThreeLevelMean, sensitivity_to_rho

ANY_COMPARATOR = "any comparator"
RISK_OF_BIAS_FILTERS = {
    "any risk of bias": ("low", "some", "unknown", "high", "critical", ""),
    "no high risk of bias": ("low", "some", "unknown", ""),
    "low risk of bias only": ("low",),
}
"""Filters by risk of bias, and the levels that each keeps; the empty level is not judged."""
CHOICES = ("definition", "comparison", "risk", "estimator", "test")
MODELS = tuple(
    (method, test) for method, test in product(METHODS, TESTS) if method != "common" or test == "z"
)
"""Estimators with their tests; a common effect has only one."""
FURTHER_MODELS = {"threelevel": "cr2", "bayes": "posterior", "glmm": "t"}
"""Models fitted once per set of studies, with their test; they are refused where they do not apply."""
_LIMITS = ("estimate", "ci_low", "ci_high")


@dataclass(frozen=True)
class SpecificationCurve(Displayable):
    """All specifications of a question.

    `frame` has one row per specification with `CHOICES`, `k`, `estimate`, `ci_low`, `ci_high`
    (natural scale; NaN where nothing is pooled), `excludes` (whether the CI excludes no effect),
    `favours` (treatment, comparison or ""), `refused` (why nothing is pooled), `studies` and
    `address`. `better` is the side of no effect that favours the treatment: 1 above, -1 below, 0 not
    known or not the same for all outcomes.
    """

    question: Question
    frame: pd.DataFrame
    better: int = 0

    @property
    def pooled(self) -> pd.DataFrame:
        """The specifications with a pooled estimate."""
        return self.frame[self.frame["refused"] == ""]


@dataclass(frozen=True)
class StudySelection:
    """The studies of one definition, comparator and filter; `refused` says why not to pool them.

    `effects` has every effect of these studies, which only a model of their dependence may pool.
    """

    definition: str
    comparison: str
    risk: str
    outcome: str
    studies: pd.DataFrame
    effects: pd.DataFrame
    refused: str


def specification_curve(
    dataset: Dataset,
    results: pd.DataFrame,
    question: Question,
    *,
    outcomes: Sequence[str],
    times: Sequence[float],
    confidence: float = 0.95,
) -> SpecificationCurve:
    """Pool the studies of a question under every combination of choices.

    Each pair of an outcome and a time in days is a definition of the outcome. The outcome, time and
    comparators of the question are choices and not used.

    Raises
    ------
    ParameterError
        The measure is a proportion, which has no value that means no effect, or an unknown word.
    """
    if question.measure == "proportion":
        raise ParameterError("measure: a proportion has no value that means no effect")
    selections = list(study_selections(dataset, results, question, outcomes=outcomes, times=times))
    # There are none if a report is narrowed to results without any outcome to pool.
    columns = [field.name for field in fields(StudySelection)]
    choices = pd.DataFrame([vars(selection) for selection in selections], columns=columns)
    choices = choices.drop(columns="effects")
    choices["address"] = [" ".join(studies["address"]) for studies in choices["studies"]]
    choices["studies"] = ["; ".join(studies["label"]) for studies in choices["studies"]]
    fits = [
        choices.assign(estimator=estimator, test=test).join(
            pool_selections(selections, estimator, test, confidence)
        )
        for estimator, test in MODELS
    ]
    for estimator, test in FURTHER_MODELS.items():
        fitted = _fit_selections(selections, estimator, question.measure, confidence)
        others = choices.drop(columns="refused").assign(estimator=estimator, test=test)
        fits.append(others.join(fitted))
    frame = pd.concat(fits, ignore_index=True)
    sides = {name: better_side(dataset, name) for name in frame["outcome"].unique()}
    sign = np.sign(frame["estimate"]) * frame["outcome"].map(sides).astype(float)
    frame["excludes"] = (frame["ci_low"] > 0) | (frame["ci_high"] < 0)
    frame["favours"] = np.select(
        [frame["excludes"] & (sign > 0), frame["excludes"] & (sign < 0)],
        ["treatment", "comparison"],
        "",
    )
    inverse = INVERSE_LINK.get(question.measure, float)
    for name in _LIMITS:
        frame[name] = [inverse(value) for value in frame[name]]
    frame["name"] = ["/".join(row) for row in frame[list(CHOICES)].itertuples(index=False)]
    better = sides.popitem()[1] if len(set(sides.values())) == 1 else 0
    return SpecificationCurve(question, frame, better)


def study_selections(
    dataset: Dataset,
    results: pd.DataFrame,
    question: Question,
    *,
    outcomes: Sequence[str],
    times: Sequence[float],
) -> Iterator[StudySelection]:
    """Yield the studies of every outcome definition, comparator and risk of bias filter."""
    effects: dict[Question, pd.DataFrame] = {}
    for outcome, time_days in product(outcomes, times):
        definition = replace(question, outcome=outcome, time_days=float(time_days), comparators=())
        all_studies = select_study_effects(dataset, results, definition)
        kinds = all_studies["comparator_kind"].str.split(SEPARATOR).explode().unique()
        comparators = [kind for kind in kinds if kind]
        by_comparator = {ANY_COMPARATOR: all_studies} | {
            kind: _studies_of_comparator(dataset, results, definition, all_studies, kind)
            for kind in comparators
        }
        for comparator, (risk, levels) in product(by_comparator, RISK_OF_BIAS_FILTERS.items()):
            studies = by_comparator[comparator]
            studies = studies[studies["risk"].isin(levels)]
            studies, _ = leave_out_studies(studies, definition)
            reasons = list(
                reasons_not_to_pool(
                    dataset, studies, definition, method="reml", grouped_by="comparator"
                )
            )
            kinds = () if comparator == ANY_COMPARATOR else (comparator,)
            compared = replace(definition, comparators=kinds)
            if not reasons and compared not in effects:
                effects[compared] = select_study_effects(dataset, results, compared, every=True)
            every: pd.DataFrame = effects.get(compared, studies)
            yield StudySelection(
                definition=f"{outcome}, {format_duration(time_days)}",
                comparison=(
                    comparator if comparator == ANY_COMPARATOR else f"{comparator} comparator"
                ),
                risk=risk,
                outcome=outcome,
                studies=studies,
                effects=every[every["study"].isin(studies["study"])],
                refused="; ".join(reasons),
            )


def _studies_of_comparator(
    dataset: Dataset,
    results: pd.DataFrame,
    question: Question,
    all_studies: pd.DataFrame,
    kind: str,
) -> pd.DataFrame:
    """Return the studies with one kind of comparator; of a study with several, only that arm."""
    if all_studies["comparator_kind"].str.contains(SEPARATOR, regex=False).any():
        return select_study_effects(dataset, results, replace(question, comparators=(kind,)))
    return all_studies[all_studies["comparator_kind"] == kind]


def pool_selections(
    selections: Sequence[StudySelection], estimator: str, test: str, confidence: float
) -> pd.DataFrame:
    """Return `k`, `estimate`, `ci_low` and `ci_high` of each selection on the scale of pooling.

    All selections are fitted at once; the numbers are NaN where a selection is not pooled.
    """
    width = max((len(selection.studies) for selection in selections), default=0)
    yi, vi = np.zeros((2, len(selections), width))
    subsets = np.zeros((len(selections), width), bool)
    for row, selection in enumerate(selections):
        if not selection.refused:
            k = len(selection.studies)
            yi[row, :k], vi[row, :k] = selection.studies["yi"], selection.studies["vi"]
            subsets[row, :k] = True
    pooled = pool_subsets(yi, vi, subsets, method=estimator, test=test, confidence=confidence)
    numbers = {name: getattr(pooled, name) for name in _LIMITS}
    return pd.DataFrame({"k": [len(selection.studies) for selection in selections]} | numbers)


def _fit_selections(
    selections: Sequence[StudySelection], estimator: str, measure: str, confidence: float
) -> pd.DataFrame:
    """Return what `pool_selections` does, and `refused`; each set of effects is fitted once."""
    fits: dict[str, tuple] = {}
    rows = []
    for selection in selections:
        fit = (np.nan, np.nan, np.nan, selection.refused)
        if not selection.refused:
            key = " ".join(selection.effects["address"])
            if key not in fits:
                fits[key] = _fit(selection, estimator, measure, confidence)
            fit = fits[key]
        rows.append((len(selection.studies), *fit))
    return pd.DataFrame(rows, columns=["k", *_LIMITS, "refused"])


def _fit(selection: StudySelection, estimator: str, measure: str, confidence: float) -> tuple:
    studies, effects = selection.studies, selection.effects
    mean: ThreeLevelMean | BayesianMean | BinomialNormalMean
    try:
        if estimator == "threelevel":
            dependent, _ = leave_out_studies(effects, Question(selection.outcome, measure))
            columns = (dependent["yi"], dependent["vi"], list(dependent["study"]))
            (mean,) = sensitivity_to_rho(*columns, rhos=(DEFAULT_RHO,), confidence=confidence)
        elif estimator == "bayes":
            prior = tau_prior(measure)
            mean = pool_bayesian(studies["yi"], studies["vi"], prior=prior, confidence=confidence)
        else:
            if measure != "or" or studies["events1"].isna().any():
                raise ValueError("it needs counts, and gives an odds ratio")
            counts = studies[["events1", "n1", "events2", "n2"]].to_numpy(float).T
            mean = pool_odds_ratio_glmm(*counts, confidence=confidence)
    except ValueError as error:
        return (np.nan, np.nan, np.nan, f"method {estimator}: {error}")
    return (*(getattr(mean, name) for name in _LIMITS), "")
