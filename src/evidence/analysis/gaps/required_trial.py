"""What would settle a question: the trial that is wanted, its size, and how much of it exists.

Vocabulary
----------
The *required information size* is the number of people that one adequate trial needs, or what a
pool needs if its studies differ: divided by 1 - D². The *diversity* D² is the share by which the
variance of the pooled effect falls if the studies are taken not to differ. The *information
fraction* is the share of the required size that the best body of evidence already holds.

References
----------
fleiss2003, wetterslev2009.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import EvidenceBody
from evidence.analysis.certainty.grade import (
    Certainty,
    body_mid,
    mid_as_risk_difference,
    minimal_important_difference,
)
from evidence.dataset.dataset import Dataset
from evidence.statistics.confidence_intervals import wilson_interval
from evidence.statistics.sample_size import size_for_means, size_for_proportions

POWERS = (0.8, 0.9)
BASELINE_RATES = (0.1, 0.25, 0.5)
"""Shares in the comparison group for which a size is given where none was seen."""


@dataclass(frozen=True)
class RequiredTrial:
    """The trial wanted.

    `sizes`: one row a control rate (NaN on a scale) and power, with `per_arm`, rounded up; `seen`
    tells whether that rate, or the spread on the scale, was seen; the ends of its interval follow.
    `required` and `fraction` as in the module, `follow` the days for which people must be followed;
    NaN if unknown.
    """

    matters: float
    sizes: pd.DataFrame
    required: float
    fraction: float
    follow: float

    @property
    def per_arm(self) -> int | None:
        """People in each arm at the first power and the rate seen; None if it cannot be said."""
        rows = self.sizes[self.sizes["seen"]]
        return int(rows["per_arm"].iloc[0]) if len(rows) else None


def required_trial(
    dataset: Dataset, best: Certainty | None, outcome: str, follow: float = np.nan
) -> RequiredTrial:
    """The size of the trial that would see what matters on an outcome.

    Parameters
    ----------
    best : Certainty or None
        The body of evidence from which the rate without treatment is taken; without one, sizes
        are given for a range of rates.
    follow : float, optional
        Days for which the question asks; by default those at which the best body looked.
    """
    matters = body_mid(dataset, best.body) if best else None
    if best and not best.body.is_binary:
        sizes = list(_on_a_scale(best.body, matters)) or list(_standardised(dataset, outcome))
    else:
        rates = _rates(best.body) if best else ()
        sizes = list(_by_rate(dataset, outcome, rates)) or list(_standardised(dataset, outcome))
    frame = pd.DataFrame(sizes, columns=["rate", "power", "per_arm", "seen"])
    required = fraction = np.nan
    seen = frame[frame["seen"]]
    if best and len(seen):
        required = 2 * float(seen["per_arm"].iloc[0]) / (1 - diversity(best.body))
        fraction = best.body.participants / required
    if best and not np.isfinite(follow):
        follow = float(best.body.studies["days"].max())
    known = matters if matters is not None else np.nan
    return RequiredTrial(known, frame, required, fraction, follow)


def diversity(body: EvidenceBody) -> float:
    """D² of a pool, at least 0 and below 1; 0 for a single study."""
    tau2 = getattr(body.pooled.pooled, "tau2", 0.0) if body.pooled else 0.0
    vi = body.studies["vi"].to_numpy(float)
    return float(1 - np.sum(1 / (vi + tau2)) / np.sum(1 / vi))


def _rates(body: EvidenceBody) -> tuple[float, ...]:
    """The share with the outcome in the comparison groups, and the ends of its interval."""
    if not body.comparator_risk > 0:
        return ()
    found = wilson_interval(body.studies["events2"].sum(), body.studies["n2"].sum())
    return tuple(float(rate) for rate in found)


def _on_a_scale(body: EvidenceBody, matters: float | None) -> Iterator[dict]:
    """Sizes for a difference of means, with the standard deviation that its studies had."""
    if matters is None:
        return
    studies = body.studies.dropna(subset=["n1", "n2"])
    if body.question.measure == "smd":
        sd = 1.0
    elif len(studies):
        # The variance of a difference of means is sd² (1/n1 + 1/n2).
        sd = float(np.sqrt(np.mean(studies["vi"] / (1 / studies["n1"] + 1 / studies["n2"]))))
    else:
        return
    for power in POWERS:
        yield _size(np.nan, power, size_for_means(matters, sd, power=power), True)


def _standardised(dataset: Dataset, outcome: str) -> Iterator[dict]:
    """Sizes for a standardised difference that matters, if one is stated and nothing was seen."""
    matters = minimal_important_difference(dataset, outcome, "smd")
    for power in POWERS if matters is not None else ():
        yield _size(np.nan, power, size_for_means(matters, power=power), False)


def _by_rate(dataset: Dataset, outcome: str, seen: tuple[float, ...]) -> Iterator[dict]:
    """Sizes for the rate that was seen and its ends, or for a range; `rr` wants a share of it."""
    for rate in seen or BASELINE_RATES:
        matters = mid_as_risk_difference(dataset, outcome, rate)
        if matters is None:
            return
        better = rate + matters if rate + matters < 1 else rate - matters
        for power in POWERS:
            size = size_for_proportions(rate, better, power=power)
            yield _size(rate, power, size, rate in seen[:1])


def _size(rate: float, power: float, per_arm: float, seen: bool) -> dict:
    return {"rate": rate, "power": power, "per_arm": int(np.ceil(per_arm)), "seen": seen}
