"""How certain a body of evidence is: what the numbers suggest, and what a person decided.

Vocabulary
----------
GRADE starts at high for randomised and at low for other studies and goes down by 0, 1 or 2
*steps* for each of five *reasons*. The rules here suggest; `grade_decisions.csv` holds the decisions,
which win. *Zones*: effects that matter for good, that do not matter, that matter for bad, parted
by the minimal important difference on either side of no effect.

References
----------
guyatt2008, guyatt2011imprecision, guyatt2011inconsistency.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from evidence.analysis.certainty.evidence_body import EvidenceBody
from evidence.dataset import schema
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.provenance.sentence import format_number, format_percent
from evidence.statistics.sample_size import size_for_means, size_for_proportions

LEVELS = ("very low", "low", "moderate", "high")
MAJORITY_WEIGHT = 0.5
"""A share of the weight from which on the body as a whole is concerned."""
EGGER_P = 0.1
"""Below this p, small studies are taken to differ: the customary level of a test of low power."""
MAX_TIME_RATIO = 1.5
"""A time this many times earlier or later than the one wanted is another time."""


@dataclass(frozen=True)
class DomainRating:
    """One reason to be less certain: steps as suggested and why, and the decision if there is one.

    `decided` is None while nobody decided.
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
        """The steps that count: the decision if there is one."""
        return self.suggested if self.decided is None else self.decided


@dataclass(frozen=True)
class Certainty:
    """A body with its reasons; `start` is the level that the designs of its studies allow."""

    body: EvidenceBody
    starting_level: str
    domains: tuple[DomainRating, ...]

    @property
    def suggested(self) -> str:
        """The level that the rules give."""
        return self._level(sum(reason.suggested for reason in self.domains))

    @property
    def decided(self) -> str:
        """The level with every decision in place of its suggestion; empty if nobody decided."""
        if all(reason.decided is None for reason in self.domains):
            return ""
        return self._level(sum(reason.levels_down for reason in self.domains))

    def _level(self, steps: int) -> str:
        return LEVELS[max(LEVELS.index(self.starting_level) - steps, 0)]


def body_mid(dataset: Dataset, body: EvidenceBody) -> float | None:
    """What matters, by `minimal_important_differences.csv`, as a difference of shares or of means; None if not said.

    A ratio is taken of the share in the comparison groups.
    """
    asked = body.question
    if body.is_binary:
        # A share of nobody is no difference that could matter.
        return mid_as_risk_difference(dataset, asked.outcome, body.comparator_risk or np.nan)
    scale = body.studies["instrument"].iloc[0] if asked.measure == "md" else ""
    return minimal_important_difference(dataset, asked.outcome, asked.measure, scale)


def mid_as_risk_difference(dataset: Dataset, outcome: str, control: float) -> float | None:
    """What matters as a difference of shares, given that in the comparison group; None if unknown.

    As `minimal_important_differences.csv` states it, else what its ratio makes of that share.
    """
    if (stated := minimal_important_difference(dataset, outcome, "rd")) is not None:
        return stated
    ratio = minimal_important_difference(dataset, outcome, "rr")
    return (ratio - 1) * control if ratio is not None and np.isfinite(control) else None


def minimal_important_difference(
    dataset: Dataset, outcome: str, measure: str, scale: str = ""
) -> float | None:
    """Return the minimal important difference on an outcome, or None if the table states none."""
    return _minimal_important_differences(dataset).get((outcome, measure, scale))


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _minimal_important_differences(dataset: Dataset) -> dict[tuple[str, str, str], float]:
    rows = dataset.minimal_important_differences.iloc[::-1]
    return {(row.outcome, row.measure, row.instrument): row.value for row in rows.itertuples()}


def conclusion(dataset: Dataset, body: EvidenceBody) -> str:
    """Where the interval lies: on one side of no effect or not, and of what matters if stated."""
    _, low, high = body.absolute_effect()
    if not np.isfinite(low):
        return "nothing to conclude from"
    if low <= 0 <= high:
        said = "does not exclude no effect"
    else:
        good = (low > 0) == (_better(dataset).get(body.question.outcome) != "lower")
        said = f"excludes no effect, in favour of the {'treatment' if good else 'comparison'}"
    matters = body_mid(dataset, body)
    if matters is None:
        return said
    if -matters < low and high < matters:
        return f"{said}; smaller than what matters"
    if low >= matters or high <= -matters:
        return f"{said}; as large as what matters"
    return f"{said}; may or may not be as large as what matters"


def grade_certainty(dataset: Dataset, body: EvidenceBody) -> Certainty:
    """The five reasons of a body by rule, with the decisions that people took on them."""
    matters = body_mid(dataset, body)
    found = {
        "risk of bias": _risk_of_bias(body),
        "inconsistency": _inconsistency(body, matters),
        "indirectness": _indirectness(body),
        "imprecision": _imprecision(body, matters),
        "small-study effects": _small_studies(body),
    }
    decisions = _decisions(dataset).get(body.name, {})
    reasons = (
        DomainRating(domain, *found[domain], **decisions.get(domain, {}))
        for domain in schema.GRADE_DOMAINS
    )
    randomised = (body.studies["randomised"] == "yes").all()
    return Certainty(body, "high" if randomised else "low", tuple(reasons))


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _better(dataset: Dataset) -> dict[str, str]:
    return dict(zip(dataset.outcomes["outcome"], dataset.outcomes["better"], strict=True))


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _decisions(dataset: Dataset) -> dict[str, dict[str, dict]]:
    """The decisions that people took, by body of evidence and domain."""
    decisions: dict[str, dict[str, dict]] = {}
    for row in dataset.grade_decisions.itertuples():
        decisions.setdefault(row.question, {})[row.domain] = {
            "decided": int(row.steps),
            "decision_reason": row.reason,
            "signed_by": row.signed_by,
            "address": row.address,
        }
    return decisions


def optimal_information_size(body: EvidenceBody, matters: float | None) -> float:
    """People that one trial would need to see the difference that matters; NaN if not known.

    In both groups, at 5 % and a power of 80 %; the optimal information size of GRADE.
    """
    if matters is None:
        return np.nan
    if body.question.measure == "rr":
        better = (
            body.comparator_risk + matters
            if body.comparator_risk + matters <= 1
            else body.comparator_risk - matters
        )
        return 2 * size_for_proportions(body.comparator_risk, better)
    if body.question.measure == "smd":
        return 2 * size_for_means(matters)
    return np.nan


def _zones(low: float, high: float, matters: float | None) -> int:
    """How many zones an interval touches; without a threshold no effect alone parts two."""
    edges = [0.0] if matters is None else [-matters, matters]
    return 1 + sum(low < edge < high for edge in edges)


def _risk_of_bias(body: EvidenceBody) -> tuple[int, str]:
    share = Counter()
    for weight, risk in zip(body.weights, body.studies["risk"], strict=True):
        share[risk] += float(weight)
    high, low = share["high"] + share["critical"], share["low"]
    unknown = share[""] + share["unknown"]
    said = f"{format_percent(high)} of the weight at high risk, {format_percent(low)} at low"
    said += f", {format_percent(unknown)} not judged" if unknown else ""
    if share["critical"] >= MAJORITY_WEIGHT:
        return 2, said
    if high >= MAJORITY_WEIGHT:
        return 2 if low == 0 and high > 1 - 1e-9 else 1, said
    return (1 if low < MAJORITY_WEIGHT else 0), said


def _inconsistency(body: EvidenceBody, matters) -> tuple[int, str]:
    if len(body.studies) == 1:
        return 0, "one study has nothing to differ from"
    pooled = body.pooled.pooled if body.pooled else None
    if pooled is None or not np.isfinite(getattr(pooled, "pi_low", np.nan)):
        return 0, f"{len(body.studies)} studies give no prediction interval"
    _, low, high = body.absolute_effect((pooled.estimate, pooled.pi_low, pooled.pi_high))
    more = _zones(low, high, matters) - _zones(*body.absolute_effect()[1:], matters)
    said = f"a further study may show {_ends(body, low, high)}"
    return max(more, 0), said + (", beyond what the interval allows" if more > 0 else "")


def _indirectness(body: EvidenceBody) -> tuple[int, str]:
    if (body.studies["design"] == "animal experiment").any():
        return 2, "animals stand in for people"
    days = body.studies["days"].to_numpy(float)
    ratio = np.exp(np.abs(np.log(days / body.question.time_days)))
    far = float(body.weights[ratio > MAX_TIME_RATIO].sum())
    if far >= MAJORITY_WEIGHT:
        return 1, f"{format_percent(far)} of the weight was measured at another time than asked for"
    return (
        0,
        "condition, treatment, comparison and time are those asked for; people were not judged",
    )


def _imprecision(body: EvidenceBody, matters) -> tuple[int, str]:
    _, low, high = body.absolute_effect()
    if not np.isfinite(low):
        return 2, "nothing was pooled"
    crossed = _zones(low, high, matters) - 1
    said = f"the interval runs from {_ends(body, low, high)}"
    said += (
        f"; {_sample_size(body, matters)} matters" if matters is not None
        else "; what matters is not stated, so only no effect is looked at"
    )  # fmt: skip
    needed = optimal_information_size(body, matters)
    if np.isfinite(needed):
        said += f"; {body.participants:,} people of {int(np.ceil(needed)):,} needed"
        if body.participants < needed:
            crossed = max(crossed, 1)
    return min(crossed, 2), said


def _small_studies(body: EvidenceBody) -> tuple[int, str]:
    found = body.pooled
    if found is None or found.egger is None:
        reason = found.omitted_analyses.get("egger") if found else "Egger's test needs a pool"
        return 0, str(reason)
    said = f"Egger's test: p {found.egger.p:.2g}"
    return (1 if found.egger.p < EGGER_P else 0), said


def _sample_size(body: EvidenceBody, value: float) -> str:
    return f"{1000 * value:.0f} in 1,000" if body.is_binary else format_number(value)


def _ends(body: EvidenceBody, low: float, high: float) -> str:
    if body.is_binary:
        return f"{per_thousand(low)} to {per_thousand(high)} in 1,000"
    return f"{format_number(low)} to {format_number(high)}"


def per_thousand(value: float) -> str:
    """A difference of shares as people in a thousand, with its sign: +120, −30."""
    return f"{1000 * value:+.0f}".replace("-", "−")
