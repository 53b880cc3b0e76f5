"""Bodies of evidence: what all studies together say on one outcome, for those who must decide.

Vocabulary
----------
A *body* is one condition, treatment, kind of comparison, outcome and time, with its studies pooled,
or its one study. The *absolute effect* of a ratio is what it makes of the share seen in the
comparison groups, all of them put together.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import OUTCOME_KINDS, is_evidence
from evidence.analysis.pooling.pooled_estimate import (
    INVERSE_LINK,
    STRATIFIED_METHODS,
    PooledEstimate,
    PoolingError,
    pool_effects,
)
from evidence.analysis.pooling.question import METHODS as METHODS_OF_POOLS
from evidence.analysis.pooling.question import Question, study_effects, within_time_window
from evidence.analysis.pooling.study_effects import (
    INPUT_COLUMNS,
    PRINTED_EFFECTS,
    can_compute,
    crossover_without_correlation,
)
from evidence.analysis.results import require_known
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.provenance.sentence import format_duration
from evidence.statistics.confidence_intervals import critical_value
from evidence.statistics.meta_analysis import TESTS

METHODS = tuple(word for word in METHODS_OF_POOLS if word not in STRATIFIED_METHODS)
"""Estimators by which bodies are pooled: certainty needs the weight of each study."""
BODY_KEY = ("condition", "treatment", "outcome", "comparator_kind")
"""What the rows of a body have in common beside the time."""
MAX_TIME_RATIO = 2.0
"""Times up to this many times earlier or later than the one wanted belong to a body."""


@dataclass(frozen=True)
class EvidenceBody:
    """One body of evidence.

    `studies` as in `Synthesis`; `synthesis` is None for a single study and where pooling was
    refused (`refused` says why). `effect` is estimate and ends of the interval on the scale of
    pooling, NaN where there is none; `control` the share of events in the comparison groups, NaN
    where nothing was counted.
    """

    question: Question
    studies: pd.DataFrame
    pooled: PooledEstimate | None
    reasons_not_pooled: tuple[str, ...]
    effect: tuple[float, float, float]
    comparator_risk: float

    @property
    def name(self) -> str:
        """By which it is found: condition/treatment/comparator/outcome/time."""
        asked = self.question
        parts = (*asked.conditions, *asked.treatments, *asked.comparators, asked.outcome)
        return "/".join((*parts, format_duration(asked.time_days)))

    @property
    def follow_up(self) -> str:
        """The times at which its studies looked, which may differ from the one wanted."""
        times = sorted(self.studies["days"].dropna().unique())
        if not times:
            return "time not stated"
        return " to ".join(dict.fromkeys((format_duration(times[0]), format_duration(times[-1]))))

    @property
    def is_binary(self) -> bool:
        """Whether events were counted, so that a share of people can be given."""
        return self.question.measure in ("rr", "rd")

    @property
    def natural(self) -> tuple[float, float, float]:
        """The effect as a ratio, a difference of shares or of means."""
        back = INVERSE_LINK.get(self.question.measure, float)
        return tuple(float(back(end)) for end in self.effect)

    @property
    def participants(self) -> int:
        """People in both groups, of all studies; 0 if no study states them."""
        return int(self.studies[["n1", "n2"]].sum().sum())

    @property
    def weights(self) -> np.ndarray:
        """The share of each study in the effect; equal shares where nothing was pooled."""
        if self.pooled is not None:
            return self.pooled.studies["weight"].to_numpy()
        return np.full(len(self.studies), 1 / len(self.studies))

    @property
    def address(self) -> str:
        """The addresses of all its results."""
        return " ".join(self.studies["address"])

    def absolute_effect(self, relative: float | None = None) -> tuple[float, float, float]:
        """Difference of shares (or of means) with the ends of its interval; see the module.

        `relative`: three numbers on the scale of pooling instead of the body's own effect.
        """
        ends = np.asarray(self.effect if relative is None else relative, float)
        if self.question.measure != "rr":
            return tuple(float(end) for end in ends)
        shares = np.minimum(self.comparator_risk * np.exp(ends), 1)
        return tuple(float(share - self.comparator_risk) for share in shares)


def evidence_bodies(
    dataset: Dataset,
    results: pd.DataFrame,
    *,
    times: Sequence[float],
    method: str = "reml",
    test: str = "knha-adhoc",
    confidence: float = 0.95,
) -> list[EvidenceBody]:
    """Every body of evidence that compares two groups, in the order of the outcomes.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    times : sequence of float
        Times wanted, in days; results without a time stand once, at the first.
    method, test, confidence
        As of `synthesise`, of the methods those in `METHODS`; two studies are pooled with a normal
        interval whatever the test.

    Raises
    ------
    ParameterError
        A word that is none.
    """
    require_known("method", [method], METHODS)
    require_known("test", [test], TESTS)
    options = {"method": method, "test": test, "confidence": confidence}
    return bodies_for(dataset, comparative_rows(results), times=times, **options)


def comparative_rows(results: pd.DataFrame) -> list[dict]:
    """The results that can be of use to a body of evidence, as `bodies_of` takes them."""
    usable = ["proportion", "mean", *(word for word, _ in PRINTED_EFFECTS.values())]
    asked = (
        is_evidence(results)
        & results["kind"].isin(OUTCOME_KINDS)
        & ~results["comparator_kind"].isin(["", "none"])
        & (results["treatment"] != "")
        & results["measure"].isin(usable)
    )
    if not asked.any():
        return []
    return results.loc[asked, [*INPUT_COLUMNS, "outcome"]].to_dict("records")


def bodies_for(
    dataset: Dataset,
    rows: Iterable[dict],
    *,
    times: Sequence[float],
    method: str = "reml",
    test: str = "knha-adhoc",
    confidence: float = 0.95,
) -> list[EvidenceBody]:
    """As `bodies`, of some of the rows that `comparing` gives, in its order."""
    found, seen = [], set()
    for question, answers in _questions(dataset, rows, times):
        body = _body(dataset, answers, question, method, test, confidence)
        if body is not None and body.address not in seen:
            seen.add(body.address)
            found.append(body)
    return found


def _questions(dataset: Dataset, rows: Iterable[dict], times: Sequence[float]) -> Iterator[tuple]:
    """Every question that can be asked, with the rows that can answer it."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in BODY_KEY), []).append(row)
    order = _order(dataset) if groups else {}
    for cell in sorted(groups, key=lambda cell: (*cell[:2], order.get(cell[2], len(order)))):
        condition, treatment, outcome, kind = cell
        for time_days in times:
            question = Question(
                outcome=outcome,
                measure="rr",
                time_days=float(time_days),
                max_time_ratio=MAX_TIME_RATIO,
                conditions=(condition,),
                treatments=(treatment,),
                comparators=(kind,),
            )
            if within := [row for row in groups[cell] if within_time_window(row["days"], question)]:
                yield question, within


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _order(dataset: Dataset) -> dict[str, int]:
    return {outcome: place for place, outcome in enumerate(dataset.outcomes["outcome"])}


def _body(
    dataset, rows: list[dict], question: Question, method, test, confidence
) -> EvidenceBody | None:
    question, studies = _brought(dataset, rows, question)
    if studies.empty:
        return None
    synthesis, refused = None, ()
    if len(studies) > 1:
        try:
            # With one degree of freedom Knapp and Hartung's intervals say next to nothing.
            test = test if len(studies) > 2 else "z"
            options = {"method": method, "test": test, "confidence": confidence}
            synthesis = pool_effects(dataset, studies, question, **options)
            studies = synthesis.studies
        except PoolingError as error:
            refused = error.reasons
    effect = (np.nan,) * 3
    if synthesis is not None:
        pooled = synthesis.pooled
        effect = (pooled.estimate, pooled.ci_low, pooled.ci_high)
    elif len(studies) == 1 and crossover_without_correlation(studies).all():
        refused = ("how the two periods of a crossover hang together is not known",)
    elif len(studies) == 1:
        yi, half = studies["yi"].iloc[0], critical_value(confidence) * studies["vi"].iloc[0] ** 0.5
        effect = (float(yi), float(yi - half), float(yi + half))
    events, n = studies["events2"].sum(), studies["n2"].sum()
    control = float(events / n) if question.measure == "rr" else np.nan
    return EvidenceBody(question, studies, synthesis, refused, effect, control)


def _brought(dataset, rows: list[dict], question: Question) -> tuple[Question, pd.DataFrame]:
    """Counts of two groups; without them a printed difference of shares, a scale, or several."""
    kinds = {row["measure"] for row in rows}
    for measure in ("rr", "rd", "md", "smd"):
        if can_compute(kinds, measure):
            asked = replace(question, measure=measure)
            studies = study_effects(dataset, rows, asked)
            if len(studies) and (measure != "md" or studies["instrument"].nunique() == 1):
                return asked, studies
    return question, pd.DataFrame()
