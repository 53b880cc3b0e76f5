"""Compute the size and follow-up of the trial that would settle an unknown.

References: fleiss2003, wetterslev2009.

Vocabulary
----------
The *required information size* is the number of participants one adequate trial needs; for a pool
of differing studies it is divided by 1 − D². The *diversity* D² is the proportion by which the
variance of the pooled effect falls if the studies are assumed not to differ. The *information
fraction* is the part of the required size that the best body of evidence already has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import EvidenceBody
from evidence.analysis.certainty.grade import (
    Certainty,
    body_mid,
    mid_as_risk_difference,
    minimal_important_difference,
    proportion_after,
)
from evidence.dataset.dataset import Dataset
from evidence.statistics.confidence_intervals import wilson_interval
from evidence.statistics.sample_size import size_for_means, size_for_proportions

POWERS = (0.8, 0.9)
COMPARATOR_RISKS = (0.1, 0.25, 0.5)
"""Comparator proportions for which sizes are given if none was observed."""
Target = tuple[float, Callable[..., float], bool]
"""A comparator proportion (NaN on a scale), its sample size by power, and whether it was observed."""


@dataclass(frozen=True)
class RequiredTrial:
    """The trial that would settle an unknown.

    Attributes
    ----------
    sizes : DataFrame
        One row per comparator proportion `risk` (NaN on a scale) and `power`: `per_arm`, rounded
        up, and `observed`, whether the proportion or the SD on the scale was observed. The limits
        of the CI of an observed proportion follow it.
    required, fraction : float
        The required information size in participants and the information fraction; NaN if unknown.
    follow_up_days : float
        Days for which participants must be followed; NaN if unknown.
    """

    sizes: pd.DataFrame
    required: float
    fraction: float
    follow_up_days: float

    @property
    def per_arm(self) -> int | None:
        """Participants per arm at the first power and the observed proportion; None if unknown."""
        observed = self.sizes[self.sizes["observed"]]
        return int(observed["per_arm"].iloc[0]) if len(observed) else None


def required_trial(
    dataset: Dataset, best: Certainty | None, outcome: str, follow_up_days: float = np.nan
) -> RequiredTrial:
    """Compute the size of a trial that would detect the minimal important difference.

    The comparator proportion is that of the best body of evidence; without one, sizes are given for
    a range of proportions. `follow_up_days` is by default the latest time in the best body.
    """
    body = best.body if best else None
    if body and not body.is_binary:
        targets = _targets_on_scale(body, body_mid(dataset, body))
    else:
        targets = _targets_by_risk(dataset, outcome, _observed_risks(body))
    mid = minimal_important_difference(dataset, outcome, "smd")
    if not targets and mid is not None:
        targets = [(np.nan, partial(size_for_means, mid), False)]
    sizes = [
        (risk, power, int(np.ceil(size(power=power))), observed)
        for risk, size, observed in targets
        for power in POWERS
    ]
    frame = pd.DataFrame(sizes, columns=["risk", "power", "per_arm", "observed"])
    required = fraction = np.nan
    observed = frame[frame["observed"]]
    if body and len(observed):
        required = 2 * float(observed["per_arm"].iloc[0]) / (1 - diversity(body))
        fraction = body.participants / required
    if body and not np.isfinite(follow_up_days):
        follow_up_days = float(body.studies["days"].max())
    return RequiredTrial(frame, required, fraction, follow_up_days)


def diversity(body: EvidenceBody) -> float:
    """Compute D² of a pool, from 0 (also for a single study) to below 1."""
    tau2 = getattr(body.pooled.pooled, "tau2", 0.0) if body.pooled else 0.0
    vi = body.studies["vi"].to_numpy(float)
    return float(1 - np.sum(1 / (vi + tau2)) / np.sum(1 / vi))


def _observed_risks(body: EvidenceBody | None) -> tuple[float, ...]:
    """Return the comparator proportion and the limits of its CI; nothing if none was observed."""
    if not (body and body.comparator_risk > 0):
        return ()
    return tuple(float(risk) for risk in wilson_interval(*body.comparator_counts))


def _targets_on_scale(body: EvidenceBody, mid: float | None) -> list[Target]:
    """Return a difference of means as the target, with the SD of the body's studies."""
    if mid is None:
        return []
    if body.question.measure == "smd":
        return [(np.nan, partial(size_for_means, mid), True)]
    studies = body.studies.dropna(subset=["n1", "n2"])
    if studies.empty:
        return []
    # The variance of a difference of means is sd² (1/n1 + 1/n2).
    sd = float(np.sqrt(np.mean(studies["vi"] / (1 / studies["n1"] + 1 / studies["n2"]))))
    return [(np.nan, partial(size_for_means, mid, sd), True)]


def _targets_by_risk(dataset: Dataset, outcome: str, observed: tuple[float, ...]) -> list[Target]:
    """Return a target for the observed proportion and the limits of its CI, else for a range."""
    targets: list[Target] = []
    for risk in observed or COMPARATOR_RISKS:
        mid = mid_as_risk_difference(dataset, outcome, risk)
        other_risk = None if mid is None else proportion_after(risk, mid)
        if other_risk is not None:
            size = partial(size_for_proportions, risk, other_risk)
            targets.append((risk, size, risk in observed[:1]))
    return targets
