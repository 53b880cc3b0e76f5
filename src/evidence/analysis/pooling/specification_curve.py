"""Every defensible way to pool the same studies, all at once: does the answer hang on the choice?

Vocabulary
----------
A *specification* is one choice each of outcome definition (outcome and time), kind of comparison,
risk of bias allowed, estimator and test. It *excludes no effect* if its interval does.

References
----------
simonsohn2020.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import Question, reasons_not_to_pool, select_study_effects
from evidence.dataset.dataset import Dataset
from evidence.errors import ParameterError
from evidence.provenance.sentence import Number, Sentence, count, format_duration
from evidence.statistics.meta_analysis import METHODS as ESTIMATORS
from evidence.statistics.meta_analysis import TESTS, pool_subsets

ANY = "any comparison"
RISK_OF_BIAS_FILTERS = {
    "any risk of bias": ("low", "some", "unknown", "high", "critical", ""),
    "no high risk of bias": ("low", "some", "unknown", ""),
    "low risk of bias only": ("low",),
}
"""Filters by risk of bias: the levels that each lets pass; the empty one is not judged."""
CHOICES = ("definition", "comparison", "risk", "estimator", "test")


@dataclass(frozen=True)
class SpecificationCurve:
    """All combinations of choices.

    `frame`: one row a specification with `CHOICES`, `k`, `estimate`, `ci_low`, `ci_high` (natural
    scale; NaN where nothing is pooled), `excludes` and `favours` (treatment, comparison or ""),
    `refused` (why nothing is pooled), `studies` and `address`.
    """

    question: Question
    frame: pd.DataFrame

    @property
    def pooled(self) -> pd.DataFrame:
        """The rows with a pool."""
        return self.frame[self.frame["refused"] == ""]


@dataclass(frozen=True)
class Choice:
    """The studies of one definition, comparison and filter, and why they have no pool if so."""

    definition: str
    comparison: str
    risk: str
    outcome: str
    studies: pd.DataFrame
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
    """Pool the studies of a question in every way.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    question : Question
        Measure, time ratio, conditions and treatments of all specifications; its outcome, time and
        comparators are choices and not used.
    outcomes, times : sequence
        Outcomes, and times wanted in days: each pair is a definition of the outcome.
    confidence : float, default 0.95

    Raises
    ------
    ParameterError
        A measure that has no "no effect", or a word that is none.
    """
    if question.measure == "proportion":
        raise ParameterError("measure: a proportion has no value that means no effect")
    better = dict(zip(dataset.outcomes["outcome"], dataset.outcomes["better"], strict=True))
    choices = list(study_selections(dataset, results, question, outcomes=outcomes, times=times))
    blocks = []
    for estimator, test in product(ESTIMATORS, TESTS):
        block = pd.DataFrame(
            {
                "definition": [choice.definition for choice in choices],
                "comparison": [choice.comparison for choice in choices],
                "risk": [choice.risk for choice in choices],
                "estimator": estimator,
                "test": test,
                "outcome": [choice.outcome for choice in choices],
                "refused": [choice.refused for choice in choices],
                "studies": ["; ".join(choice.studies["label"]) for choice in choices],
                "address": [" ".join(choice.studies["address"]) for choice in choices],
            }
        )
        # A common effect has only the one test.
        if estimator != "common" or test == "z":
            blocks.append(block.join(pool_selections(choices, estimator, test, confidence)))
    frame = pd.concat(blocks, ignore_index=True)
    sign = np.sign(frame["estimate"]) * np.where(frame["outcome"].map(better) == "lower", -1, 1)
    frame["excludes"] = (frame["ci_low"] > 0) | (frame["ci_high"] < 0)
    frame["favours"] = np.where(sign > 0, "treatment", "comparison")
    frame.loc[~frame["excludes"], "favours"] = ""
    back = INVERSE_LINK.get(question.measure, float)
    for name in ("estimate", "ci_low", "ci_high"):
        frame[name] = [back(value) for value in frame[name]]
    frame["name"] = ["/".join(row) for row in frame[list(CHOICES)].itertuples(index=False)]
    return SpecificationCurve(question, frame)


def study_selections(
    dataset: Dataset, results: pd.DataFrame, question: Question, *, outcomes, times
) -> Iterator[Choice]:
    """The studies of every definition, kind of comparison and filter by risk, as of `specify`."""
    for outcome, time_days in product(outcomes, times):
        asked = replace(question, outcome=outcome, time_days=float(time_days), comparators=())
        found = select_study_effects(dataset, results, asked)
        kinds = [kind for kind in found["comparator_kind"].unique() if kind]
        for comparison, (risk, levels) in product([ANY, *kinds], RISK_OF_BIAS_FILTERS.items()):
            studies = found[found["risk"].isin(levels)]
            if comparison != ANY:
                studies = studies[studies["comparator_kind"] == comparison]
            why = reasons_not_to_pool(
                dataset, studies, asked, method="reml", grouped_by="comparator"
            )
            definition = f"{outcome}, {format_duration(time_days)}"
            named = comparison if comparison == ANY else f"{comparison} comparison"
            yield Choice(definition, named, risk, outcome, studies, "; ".join(why))


def pool_selections(
    choices: Sequence[Choice], estimator: str, test: str, confidence: float
) -> pd.DataFrame:
    """One pool for each choice, fitted together: `k`, and the numbers on the scale of pooling."""
    width = max((len(choice.studies) for choice in choices), default=0)
    yi, vi = np.zeros((2, len(choices), width))
    keep = np.zeros((len(choices), width), bool)
    for row, choice in enumerate(choices):
        if not choice.refused:
            k = len(choice.studies)
            yi[row, :k], vi[row, :k] = choice.studies["yi"], choice.studies["vi"]
            keep[row, :k] = True
    many = pool_subsets(yi, vi, keep, method=estimator, test=test, confidence=confidence)
    names = ("estimate", "ci_low", "ci_high")
    found = {name: getattr(many, name) for name in names}
    return pd.DataFrame({"k": [len(choice.studies) for choice in choices]} | found)


def describe_specifications(found: SpecificationCurve) -> Sentence:
    """How many ways exclude no effect, in whose favour, and on how few sets of studies."""
    pooled = found.pooled
    rows = tuple(dict.fromkeys(" ".join(pooled["address"]).split()))
    name = f"specifications.{found.question.measure}"

    def number(frame, noun="") -> Number:
        if noun:
            return count(len(frame), noun, None, rows, "specification")
        return Number(len(frame), f"{len(frame):,}", rows, "specification")

    if pooled.empty:
        return Sentence(
            name,
            "None of {all} can be pooled: {why}.",
            {
                "all": number(found.frame, "specification"),
                "why": Number(None, "; ".join(found.frame["refused"].unique()[:3])),
            },
        )
    excluding = pooled[pooled["excludes"]]
    sets = pooled["address"].nunique()
    left = found.frame[found.frame["refused"] != ""]
    return Sentence(
        name,
        "{excluding} of {pooled} exclude no effect, {treatment} in favour of the treatment and "
        "{comparison} in favour of the comparison. They rest on {sets}; {refused} more could not "
        "be pooled, most for want of studies.",
        {
            "excluding": number(excluding),
            "pooled": number(pooled, "specification"),
            "treatment": number(excluding[excluding["favours"] == "treatment"]),
            "comparison": number(excluding[excluding["favours"] == "comparison"]),
            "sets": count(sets, "different set of studies", "different sets of studies", rows,
                          "specification"),
            "refused": number(left),
        },
    )  # fmt: skip
