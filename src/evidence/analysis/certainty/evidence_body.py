"""Bodies of evidence: all studies on one condition, treatment, comparator, outcome and time.

A body is the unit that GRADE rates. Its studies are pooled if they may be; the absolute effect of
a ratio is what it makes of the proportion with the outcome in all comparator arms together. Where
that is 0, no ratio can be applied to it, and the absolute effect is the risk difference of the counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import OUTCOME_KINDS, is_evidence, study_sizes
from evidence.analysis.pooling.pooled_estimate import (
    INVERSE_LINK,
    PooledEstimate,
    PoolingError,
    pool_effects,
)
from evidence.analysis.pooling.question import METHODS as POOLING_METHODS
from evidence.analysis.pooling.question import (
    Question,
    has_no_ratio,
    leave_out_studies,
    study_effects,
    within_time_window,
)
from evidence.analysis.pooling.study_effects import (
    INPUT_COLUMNS,
    PRINTED_EFFECTS,
    can_compute,
    comparator_counts,
    crossover_without_correlation,
    half_widths,
)
from evidence.analysis.results import COMPARATOR_ROLES, TREATED_ROLES, as_records, require_known
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import Displayable, as_listing
from evidence.provenance.sentence import format_duration
from evidence.statistics.confidence_intervals import risk_difference_interval
from evidence.statistics.mantel_haenszel import pool_mantel_haenszel
from evidence.statistics.meta_analysis import METHODS as INVERSE_VARIANCE_METHODS
from evidence.statistics.meta_analysis import TESTS

METHODS = tuple(method for method in POOLING_METHODS if method in INVERSE_VARIANCE_METHODS)
"""Methods for bodies of evidence: GRADE needs the weight of each study."""
BODY_KEY = ("condition", "treatment", "outcome", "comparator_kind")
"""What the results of a body have in common, besides the time."""
MAX_TIME_RATIO = 2.0
"""Results belong to a body if their time differs from the one asked for by at most this factor."""
MEASURES = ("rr", "rd", "md", "smd")
"""Measures in order of preference: counts first, then a mean difference on one scale."""
_NOT_ESTIMATED = (np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class EvidenceBody(Displayable):
    """One body of evidence.

    `studies` has the columns of `study_effects`, `participants`, `is_whole` (whether these are all
    of the study, as its groups are not stated), and `ci_low`, `ci_high` and `weight` if pooled.
    `pooled` is None for a single study and where pooling was refused, for `reasons_not_pooled`;
    `left_out` says which studies with the same outcome are not among them, and why.
    `effect` is (estimate, ci_low, ci_high) on the scale of pooling, NaN where there is none.
    `comparator_counts` is the events and participants of all comparator arms that report them, also
    of studies that are not among `studies`; NaN on a scale.
    `risk_difference` is that of the counts if nobody in the comparator arms has the outcome, else NaN.
    """

    question: Question
    studies: pd.DataFrame
    pooled: PooledEstimate | None
    reasons_not_pooled: tuple[str, ...]
    effect: tuple[float, float, float]
    comparator_counts: tuple[float, float]
    risk_difference: tuple[float, float, float] = _NOT_ESTIMATED
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Identify the body: condition/treatment/comparator/outcome/time."""
        question = self.question
        parts = (
            *question.conditions,
            *question.treatments,
            *question.comparators,
            question.outcome,
        )
        return "/".join((*parts, format_duration(question.time_days)))

    @property
    def follow_up(self) -> str:
        """The times of its results in words, which may differ from the time asked for."""
        times = sorted(self.studies["days"].dropna().unique())
        if not times:
            return "time not stated"
        ends = (format_duration(times[0]), format_duration(times[-1]))
        return " to ".join(dict.fromkeys(ends))

    @property
    def comparator_risk(self) -> float:
        """The proportion with the outcome in the comparator arms, NaN if not counted."""
        events, n = self.comparator_counts
        return float(events / n) if n > 0 else np.nan

    @property
    def is_binary(self) -> bool:
        """Whether the effect compares proportions rather than means."""
        return self.question.measure in ("rr", "rd")

    @property
    def natural(self) -> tuple[float, float, float]:
        """Estimate and CI as a ratio, or as a difference of proportions or means."""
        inverse = INVERSE_LINK.get(self.question.measure, float)
        estimate, low, high = (float(inverse(end)) for end in self.effect)
        return estimate, low, high

    @property
    def participants(self) -> int:
        """Participants in both groups of all studies; 0 if no study states them.

        Of a study that states only its own size, all participants are counted.
        """
        return int(self.studies["participants"].sum())

    @property
    def participants_text(self) -> str:
        """The number of participants, and whether some studies count as a whole."""
        if not self.participants:
            return "an unknown number"
        is_whole = bool(self.studies["is_whole"].any())
        return f"{self.participants:,}" + (" (whole trials)" if is_whole else "")

    @property
    def weights(self) -> np.ndarray:
        """The weight of each study, adding up to 1; equal weights where nothing was pooled."""
        if self.pooled is not None:
            return self.pooled.studies["weight"].to_numpy()
        return np.full(len(self.studies), 1 / len(self.studies))

    @property
    def address(self) -> str:
        """The addresses of all its results."""
        return " ".join(self.studies["address"])

    def absolute_effect(
        self, effect: tuple[float, float, float] | None = None
    ) -> tuple[float, float, float]:
        """Return estimate and CI as a difference of proportions or means.

        `effect` is an estimate with ends on the scale of pooling, in place of the body's own
        effect; no ratio is applied to a comparator's risk of 0, so that it then has no absolute
        effect.
        """
        estimate, low, high = map(float, self.effect if effect is None else effect)
        if self.question.measure != "rr":
            return estimate, low, high
        if self.comparator_risk == 0:
            return self.risk_difference if effect is None else _NOT_ESTIMATED
        risks = np.minimum(self.comparator_risk * np.exp([estimate, low, high]), 1)
        estimate, low, high = (float(risk - self.comparator_risk) for risk in risks)
        return estimate, low, high


@as_listing
def evidence_bodies(dataset: Dataset, results: pd.DataFrame, **options: Any) -> list[EvidenceBody]:
    """Return every body of evidence in `results`; the options are those of `bodies_for`."""
    return bodies_for(dataset, comparative_rows(results), **options)


def comparative_rows(results: pd.DataFrame) -> list[dict]:
    """Return the results that can belong to a body of evidence, as `bodies_for` takes them."""
    measures = ["proportion", "mean", *(name for name, _ in PRINTED_EFFECTS.values())]
    belongs = (
        is_evidence(results)
        & results["kind"].isin(OUTCOME_KINDS)
        & ~results["comparator_kind"].isin(["", "none"])
        & (results["treatment"] != "")
        & results["measure"].isin(measures)
    )
    if not belongs.any():
        return []
    return as_records(results, belongs, INPUT_COLUMNS)


def bodies_for(
    dataset: Dataset,
    rows: Iterable[dict],
    *,
    times: Sequence[float],
    method: str = "reml",
    test: str = "knha-adhoc",
    confidence: float = 0.95,
) -> list[EvidenceBody]:
    """Return every body of evidence that compares two groups, in the order of the outcomes.

    Raise `ParameterError` for an unknown method or test.

    Parameters
    ----------
    rows : iterable of dict
        From `comparative_rows`.
    times : sequence of float
        Times in days. Results without a time belong to the first.
    method : {"reml", "dl", "pm", "common"}
    test : {"z", "knha", "knha-adhoc"}
        Two studies are always pooled with test `z`.
    """
    require_known("method", [method], METHODS)
    require_known("test", [test], TESTS)
    bodies: dict[str, EvidenceBody] = {}
    for question, question_rows in _questions(dataset, rows, times):
        body = _body(dataset, question_rows, question, method, test, confidence)
        # Results without a time answer the question at every time; the first counts.
        if body is not None:
            bodies.setdefault(body.address, body)
    return list(bodies.values())


def _questions(
    dataset: Dataset, rows: Iterable[dict], times: Sequence[float]
) -> Iterator[tuple[Question, list[dict]]]:
    """Every question with the rows that bear on it."""
    cells = _cells(list(rows))
    order = {name: position for position, name in enumerate(dataset.outcomes["outcome"])}
    for cell in sorted(cells, key=lambda cell: (*cell[:2], order.get(cell[2], len(order)))):
        condition, treatment, outcome, comparator = cell
        for time_days in times:
            question = Question(
                outcome=outcome,
                measure="rr",
                time_days=float(time_days),
                max_time_ratio=MAX_TIME_RATIO,
                conditions=(condition,),
                treatments=(treatment,),
                comparators=(comparator,),
            )
            in_window = [row for row in cells[cell] if within_time_window(row["days"], question)]
            if in_window:
                yield question, in_window


def _cells(rows: list[dict]) -> dict[tuple, list[dict]]:
    """Group rows by `BODY_KEY`.

    A comparator arm belongs to each treatment of its study, and a treated arm to each comparator.
    """
    treatments: dict[str, dict] = defaultdict(dict)
    comparators: dict[str, dict] = defaultdict(dict)
    for row in rows:
        if row["role"] in TREATED_ROLES:
            treatments[row["study"]][row["treatment"]] = None
        if row["role"] in COMPARATOR_ROLES:
            comparators[row["study"]][row["comparator_kind"]] = None
    cells: dict[tuple, list[dict]] = {}
    for row in rows:
        own = row["treatment"] if row["role"] in TREATED_ROLES else ""
        kind = row["comparator_kind"] if row["role"] in COMPARATOR_ROLES else ""
        for treatment, comparator in product(
            # Where no other arm of the study has such a result, it belongs to what the study tested.
            [own] if own else treatments[row["study"]] or [row["treatment"]],
            [kind] if kind else comparators[row["study"]] or [row["comparator_kind"]],
        ):
            key = (row["condition"], treatment, row["outcome"], comparator)
            cells.setdefault(key, []).append(row)
    return cells


def _body(
    dataset: Dataset,
    rows: list[dict],
    question: Question,
    method: str,
    test: str,
    confidence: float,
) -> EvidenceBody | None:
    question, studies = _effects_by_best_measure(dataset, rows, question)
    if studies.empty:
        return None
    studies = _add_participants(dataset, rows, studies)
    counted, _ = leave_out_studies(studies, replace(question, include_double_zero=True))
    studies, left_out = leave_out_studies(studies, question)
    pooled: PooledEstimate | None = None
    reasons: tuple[str, ...] = ()
    effect = _NOT_ESTIMATED
    if len(studies) > 1:
        try:
            pooled = pool_effects(
                dataset,
                studies,
                question,
                method=method,
                # With one degree of freedom, Knapp-Hartung intervals are too wide to be of use.
                test=test if len(studies) > 2 else "z",
                confidence=confidence,
            )
            studies = pooled.studies
            effect = (pooled.pooled.estimate, pooled.pooled.ci_low, pooled.pooled.ci_high)
        except PoolingError as error:
            reasons = error.reasons
    elif crossover_without_correlation(studies).all():
        reasons = ("the correlation of the two periods of the crossover is not known",)
    else:
        yi, half = float(studies["yi"].iloc[0]), float(half_widths(studies, confidence).iloc[0])
        effect = (yi, yi - half, yi + half)
    is_randomised = studies["randomised"].eq("yes").any()
    arms = [row for row in rows if row["randomised"] == "yes" or not is_randomised]
    counts = (np.nan, np.nan)
    if question.measure in ("rr", "rd"):
        counts = comparator_counts(arms, question.time_days)
    difference = _NOT_ESTIMATED
    if question.measure == "rr" and counts[0] == 0 < counts[1] and np.isfinite(effect[0]):
        difference = _risk_difference(counted, confidence)
    return EvidenceBody(question, studies, pooled, reasons, effect, counts, difference, left_out)


def _add_participants(
    dataset: Dataset, rows: Iterable[dict], studies: pd.DataFrame
) -> pd.DataFrame:
    """Add the participants of each effect: of its groups, else of its row, else of the study."""
    printed = studies["address"].map({row["address"]: row["n"] for row in rows})
    groups = (studies["n1"] + studies["n2"]).astype(float).fillna(printed.astype(float))
    sizes = {s: size.n for s, size in study_sizes(dataset).items() if not size.is_animal}
    whole = studies["study"].map(sizes).astype(float)
    return studies.assign(participants=groups.fillna(whole), is_whole=groups.isna() & whole.gt(0))


def _risk_difference(studies: pd.DataFrame, confidence: float) -> tuple[float, float, float]:
    """Return the risk difference of counts as they are: Newcombe's, or Mantel-Haenszel's of several."""
    counts = studies[["events1", "n1", "events2", "n2"]].dropna().to_numpy(float).T
    events1, n1, events2, n2 = counts
    if counts.shape[1] == 1:
        difference = risk_difference_interval(events1, n1, events2, n2, confidence)
        estimate, low, high = (float(value[0]) for value in difference)
        return estimate, low, high
    pooled = pool_mantel_haenszel(events1, n1, events2, n2, measure="rd", confidence=confidence)
    return pooled.estimate, pooled.ci_low, pooled.ci_high


def _effects_by_best_measure(
    dataset: Dataset, rows: list[dict], question: Question
) -> tuple[Question, pd.DataFrame]:
    row_measures = {row["measure"] for row in rows}
    for measure in MEASURES:
        if can_compute(row_measures, measure):
            narrowed = replace(question, measure=measure)
            studies = study_effects(dataset, rows, narrowed)
            if len(studies) and has_no_ratio(studies, measure).all():
                continue
            if len(studies) and (measure != "md" or studies["instrument"].nunique() == 1):
                return narrowed, studies
    return question, pd.DataFrame()
