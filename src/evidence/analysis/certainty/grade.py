"""GRADE: the certainty of a body of evidence, as suggested by rules and as decided by people.

Certainty starts at high for randomised and at low for other studies and is rated down by 0, 1 or 2
levels in each of five domains. The rules here suggest; decisions in `grade_decisions.csv` take
precedence. The minimal important difference (MID) on either side of no effect divides effects into
three zones: important benefit, no important difference, important harm. References: guyatt2008,
guyatt2011imprecision, guyatt2011inconsistency.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from evidence.analysis.certainty.evidence_body import EvidenceBody
from evidence.analysis.results import better_side
from evidence.dataset import schema
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import Displayable, as_listing
from evidence.provenance.sentence import (
    Sentence,
    capitalise,
    count,
    format_difference,
    format_number,
    format_percent,
    verbatim,
)
from evidence.statistics.sample_size import size_for_means, size_for_proportions

LEVELS = ("very low", "low", "moderate", "high")
MAJORITY_WEIGHT = 0.5
"""Share of the weight from which a concern applies to the body as a whole."""
EGGER_P = 0.1
"""Egger's test counts below this p; the customary level, because the test has little power."""
DIRECT_TIME_RATIO = 1.5
"""Results whose time differs from the one asked for by more than this factor are indirect."""


@dataclass(frozen=True)
class DomainRating:
    """The rating of one GRADE domain: levels down as suggested, why, and the decision if any.

    `decided` is None as long as nobody has decided.
    """

    domain: str
    suggested: int
    reason: str
    decided: int | None = None
    decision_reason: str = ""
    signed_by: str = ""
    address: str = ""

    @property
    def levels_down(self) -> int:
        """The levels that count: those decided, else those suggested."""
        return self.suggested if self.decided is None else self.decided


@dataclass(frozen=True)
class Certainty(Displayable):
    """The certainty of a body: the level its designs start from, and the rating of each domain."""

    body: EvidenceBody
    starting_level: str
    domains: tuple[DomainRating, ...]

    @property
    def suggested(self) -> str:
        """The level by the rules alone."""
        return self._level(sum(rating.suggested for rating in self.domains))

    @property
    def decided(self) -> str:
        """The level with decisions in place of suggestions; empty if nobody has decided."""
        if all(rating.decided is None for rating in self.domains):
            return ""
        return self._level(sum(rating.levels_down for rating in self.domains))

    def _level(self, levels_down: int) -> str:
        return LEVELS[max(LEVELS.index(self.starting_level) - levels_down, 0)]


def grade_certainty(dataset: Dataset, body: EvidenceBody) -> Certainty:
    """Rate the five GRADE domains of a body by rule and add the decisions that people took."""
    mid = body_mid(dataset, body)
    suggestions = {
        "risk of bias": _rate_risk_of_bias(body),
        "inconsistency": _rate_inconsistency(body, mid),
        "indirectness": _rate_indirectness(body),
        "imprecision": _rate_imprecision(body, mid),
        "small-study effects": _rate_small_study_effects(body),
    }
    decisions = _decisions(dataset).get(body.name, {})
    ratings = (
        DomainRating(domain, *suggestions[domain], **decisions.get(domain, {}))
        for domain in schema.GRADE_DOMAINS
    )
    is_randomised = (body.studies["randomised"] == "yes").all()
    return Certainty(body, "high" if is_randomised else "low", tuple(ratings))


@as_listing
def certainty_summary(graded: Sequence[Certainty], k: int = 5) -> list[Sentence]:
    """Count findings by certainty and list the `k` with the most participants, one sentence each."""
    if not graded:
        return []
    decided = [item for item in graded if item.decided]
    fields = {"all": count(len(graded), "finding", _rows(graded), "grade")}
    for level in reversed(LEVELS):
        group = [item for item in graded if item.suggested == level]
        fields[level.replace(" ", "_")] = count(len(group), "", _rows(group), "grade")
    fields["decided"] = count(len(decided), "", _rows(decided), "grade")
    template = (
        "Of {all}, rules suggest high certainty for {high}, moderate for {moderate}, low for {low} "
        "and very low for {very_low}; people decided on {decided}."
    )
    largest = sorted(graded, key=lambda item: -item.body.participants)[:k]
    return [Sentence("certainty.summary", template, fields), *map(_certainty_sentence, largest)]


def _rows(graded: Sequence[Certainty]) -> list[str]:
    return list(dict.fromkeys(row for item in graded for row in item.body.address.split()))


def _certainty_sentence(item: Certainty) -> Sentence:
    body, question, rows = item.body, item.body.question, item.body.address.split()
    level = item.decided or item.suggested
    return Sentence(
        f"certainty.{body.name}",
        "{outcome} at {time} in {condition}, {treatment} against {comparator} comparator: "
        "{certainty} certainty{decided}, {studies} with {participants} participants.",
        {
            "outcome": capitalise(question.outcome),
            "time": body.follow_up,
            "condition": question.conditions[0],
            "treatment": question.treatments[0],
            "comparator": question.comparators[0],
            "certainty": verbatim(level, rows, "grade"),
            "decided": " (decided)" if item.decided else " (suggested)",
            "studies": count(body.studies["study"].nunique(), "study", rows, "distinct_studies"),
            "participants": verbatim(body.participants_text, rows, "participants_in_arms"),
        },
    )


def conclusion(dataset: Dataset, body: EvidenceBody) -> str:
    """Say where the CI lies relative to no effect and, if stated, to the MID."""
    _, low, high = body.absolute_effect()
    if not np.isfinite(low):
        return "no conclusion"
    if low <= 0 <= high:
        text = "the CI includes no effect"
    else:
        side = better_side(dataset, body.question.outcome, body.studies["scale_better"])
        favoured = {1: "treatment", -1: "comparator"}.get(side if low > 0 else -side)
        text = "the CI excludes no effect" + (f", in favour of the {favoured}" if favoured else "")
    mid = body_mid(dataset, body)
    if mid is None:
        return text
    if -mid < low and high < mid:
        return f"{text}; smaller than the minimal important difference"
    if low >= mid or high <= -mid:
        return f"{text}; at least as large as the minimal important difference"
    return f"{text}; may or may not reach the minimal important difference"


def body_mid(dataset: Dataset, body: EvidenceBody) -> float | None:
    """Return the MID as a difference of proportions or means, or None if none is stated.

    A ratio is applied to the proportion in the comparator arms.
    """
    question = body.question
    if body.is_binary:
        return mid_as_risk_difference(dataset, question.outcome, body.comparator_risk)
    scale = body.studies["instrument"].iloc[0] if question.measure == "md" else ""
    return minimal_important_difference(dataset, question.outcome, question.measure, scale)


def mid_as_risk_difference(dataset: Dataset, outcome: str, comparator_risk: float) -> float | None:
    """Return the MID of a binary outcome as a difference of proportions, or None if none is stated.

    A stated difference takes precedence over a ratio, which is applied to the comparator's
    proportion.
    """
    difference = minimal_important_difference(dataset, outcome, "rd")
    if difference is not None:
        return difference
    ratio = minimal_important_difference(dataset, outcome, "rr")
    # A ratio of a proportion of 0 is no difference.
    if ratio is None or not comparator_risk > 0:
        return None
    return (ratio - 1) * comparator_risk


def proportion_after(risk: float, difference: float) -> float | None:
    """Return the proportion that differs from a risk by so much, or None if there is none.

    It is above the risk where that leaves it below 1, else below the risk.
    """
    if risk + difference < 1:
        return risk + difference
    return risk - difference if risk >= difference else None


def minimal_important_difference(
    dataset: Dataset, outcome: str, measure: str, scale: str = ""
) -> float | None:
    """Return the MID of an outcome from `minimal_important_differences.csv`, or None."""
    return _minimal_important_differences(dataset).get((outcome, measure, scale))


def optimal_information_size(body: EvidenceBody, mid: float | None) -> float:
    """Return the participants, in both arms, of one trial that would detect the MID.

    At a two-sided alpha of 5% and a power of 80%; NaN if it cannot be computed.
    """
    if mid is None:
        return np.nan
    if body.question.measure == "rr":
        risk = body.comparator_risk
        other_risk = proportion_after(risk, mid)
        return np.nan if other_risk is None else 2 * size_for_proportions(risk, other_risk)
    if body.question.measure == "smd":
        return 2 * size_for_means(mid)
    return np.nan


def per_thousand(value: float) -> str:
    """Return a difference of proportions as participants in a thousand with sign: +120, −30."""
    return format_difference(1000 * value)


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _minimal_important_differences(dataset: Dataset) -> dict[tuple[str, str, str], float]:
    rows = dataset.minimal_important_differences.iloc[::-1]
    return {(row.outcome, row.measure, row.instrument): row.value for row in rows.itertuples()}


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _decisions(dataset: Dataset) -> dict[str, dict[str, dict]]:
    """Decisions by body and domain, as fields of `DomainRating`."""
    decisions: dict[str, dict[str, dict]] = {}
    for row in dataset.grade_decisions.itertuples():
        decisions.setdefault(row.question, {})[row.domain] = {
            "decided": int(row.steps),
            "decision_reason": row.reason,
            "signed_by": row.signed_by,
            "address": row.address,
        }
    return decisions


def _rate_risk_of_bias(body: EvidenceBody) -> tuple[int, str]:
    weight: defaultdict[str, float] = defaultdict(float)
    for study_weight, level in zip(body.weights, body.studies["risk"], strict=True):
        weight[level] += float(study_weight)
    high, low = weight["high"] + weight["critical"], weight["low"]
    not_judged = weight[""] + weight["unknown"]
    reason = f"{format_percent(high)} of the weight at high risk, {format_percent(low)} at low risk"
    reason += f", {format_percent(not_judged)} not judged" if not_judged else ""
    if weight["critical"] >= MAJORITY_WEIGHT:
        return 2, reason
    if high >= MAJORITY_WEIGHT:
        return 2 if low == 0 and high > 1 - 1e-9 else 1, reason
    return (1 if low < MAJORITY_WEIGHT else 0), reason


def _rate_inconsistency(body: EvidenceBody, mid: float | None) -> tuple[int, str]:
    if len(body.studies) == 1:
        return 0, "a single study cannot be inconsistent"
    pooled = body.pooled.pooled if body.pooled else None
    pi_low, pi_high = getattr(pooled, "pi_low", np.nan), getattr(pooled, "pi_high", np.nan)
    if pooled is None or not np.isfinite(pi_low):
        return 0, f"{len(body.studies)} studies give no prediction interval"
    _, low, high = body.absolute_effect((pooled.estimate, pi_low, pi_high))
    if not np.isfinite(low):
        return (
            0,
            "no prediction interval of the absolute effect: the comparator arms have no events",
        )
    _, ci_low, ci_high = body.absolute_effect()
    more_zones = _zones(low, high, mid) - _zones(ci_low, ci_high, mid)
    reason = f"the prediction interval is {_interval(body, low, high)}"
    reason += ", in more zones than the CI" if more_zones > 0 else ""
    return max(more_zones, 0), reason


def _rate_indirectness(body: EvidenceBody) -> tuple[int, str]:
    if (body.studies["design"] == "animal experiment").any():
        return 2, "animal experiments, not people"
    days = body.studies["days"].to_numpy(float)
    ratio = np.exp(np.abs(np.log(days / body.question.time_days)))
    indirect = float(body.weights[ratio > DIRECT_TIME_RATIO].sum())
    if indirect >= MAJORITY_WEIGHT:
        weight = format_percent(indirect)
        return 1, f"{weight} of the weight was measured at a different time from the one asked for"
    return (
        0,
        "condition, treatment, comparator and time are those asked for; participants not judged",
    )


def _rate_imprecision(body: EvidenceBody, mid: float | None) -> tuple[int, str]:
    _, low, high = body.absolute_effect()
    if not np.isfinite(low):
        return 2, "no pooled estimate"
    levels = _zones(low, high, mid) - 1
    reason = f"the CI is {_interval(body, low, high)}"
    if mid is None:
        reason += "; no minimal important difference is stated, so only no effect is considered"
    else:
        reason += f"; the minimal important difference is {_difference(body, mid)}"
    needed = optimal_information_size(body, mid)
    if np.isfinite(needed):
        reason += f"; {body.participants_text} of {int(np.ceil(needed)):,} participants needed"
        if body.participants < needed:
            levels = max(levels, 1)
    return min(levels, 2), reason


def _rate_small_study_effects(body: EvidenceBody) -> tuple[int, str]:
    pooled = body.pooled
    if pooled is None:
        return 0, "Egger's test needs a pooled estimate"
    if pooled.egger is None:
        return 0, pooled.reason_omitted("egger")
    return int(pooled.egger.p < EGGER_P), f"Egger's test: p = {pooled.egger.p:.2g}"


def _zones(low: float, high: float, mid: float | None) -> int:
    """How many zones an interval touches; without a MID no effect alone divides two."""
    edges = [0.0] if mid is None else [-mid, mid]
    return 1 + sum(low < edge < high for edge in edges)


def _difference(body: EvidenceBody, value: float) -> str:
    return f"{1000 * value:.0f} in 1,000" if body.is_binary else format_number(value)


def _interval(body: EvidenceBody, low: float, high: float) -> str:
    if body.is_binary:
        return f"{per_thousand(low)} to {per_thousand(high)} in 1,000"
    return f"{format_number(low)} to {format_number(high)}"
