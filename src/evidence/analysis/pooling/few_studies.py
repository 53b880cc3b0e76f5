"""Pools of few studies: a Bayesian estimate beside Knapp-Hartung, and effects that matter.

With few studies tau² is hardly known. A prior for tau adds what is known about heterogeneity in
general; how much it decides shows when two priors are compared.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from evidence.analysis.pooling.study_effects import RATIOS
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.errors import Reason
from evidence.statistics.bayesian import BayesianMean, TauPrior, pool_bayesian, probability_above
from evidence.statistics.meta_analysis import PooledMean

MAX_STUDIES = 5
"""Pools of at most so many studies are also pooled with a prior."""
_ADVISED = "Röver et al. 2021"
_LIKE_RATIOS = "own choice: as for other ratios"
PRIOR_SCALES = {
    "rr": (0.5, _ADVISED),
    "or": (0.5, _ADVISED),
    "hr": (0.5, _LIKE_RATIOS),
    "irr": (0.5, _LIKE_RATIOS),
    "smd": (0.5, _ADVISED),
    "proportion": (1.0, "own choice: proportions of single groups vary more than ratios"),
}
"""Scale of the prior for tau by measure, and where it comes from (rover2021)."""
PRIOR_FAMILIES = ("half-normal", "half-cauchy")
_POSTERIORS = ("weights", "mu_posterior", "tau_posterior")


@dataclass(frozen=True)
class ImportantEffect:
    """The smallest effect that matters, on the scale of pooling, and on which side it lies."""

    threshold: float
    is_above: bool

    def probability(self, pooled: BayesianMean | PooledMean) -> float:
        """Return the probability of an effect that matters.

        That of the posterior or, with a test, the share of the distribution behind the CI.
        """
        if isinstance(pooled, BayesianMean):
            above = pooled.probability_above(self.threshold)
        else:
            above = probability_above(pooled.estimate, pooled.se, self.threshold, pooled.df)
        return above if self.is_above else 1 - above


def tau_prior(measure: str, family: str = PRIOR_FAMILIES[0], scale: float = 0.0) -> TauPrior:
    """Return the prior for tau of a measure; a scale of 0 is the default one.

    Raise `ValueError` if there is none, as where effects are in the units of the outcome.
    """
    source = ""
    if not scale:
        scale, source = PRIOR_SCALES.get(measure, (0.0, ""))
    if not scale:
        reason = "the prior for tau needs a scale in the units of the effect"
        raise ValueError(Reason(reason, prior_scale=...))
    return TauPrior(family, scale, source=source)


def compare_few_studies(
    pooled: PooledMean, yi: ArrayLike, vi: ArrayLike, measure: str
) -> tuple[BayesianMean, ...]:
    """Pool the effects of few studies with each prior, the first the one to read.

    `pooled` is the random-effects mean that the Bayesian ones stand beside. Empty where there are
    many studies, or no default prior.
    """
    if pooled.k > MAX_STUDIES or measure not in PRIOR_SCALES:
        return ()
    return tuple(
        pool_bayesian(yi, vi, prior=tau_prior(measure, family), confidence=pooled.confidence)
        for family in PRIOR_FAMILIES
    )


def important_effect(
    dataset: Dataset, outcome: str, measure: str, instrument: str = ""
) -> ImportantEffect | None:
    """Return the minimal important difference on the scale of pooling, or None if none is stated.

    The effect that matters is the one in the better direction.
    """
    table = dataset.minimal_important_differences
    scale = instrument if measure == "md" else ""
    rows = table[(table["outcome"] == outcome) & (table["measure"] == measure)]
    rows = rows[rows["instrument"] == scale]
    side = better_side(dataset, outcome)
    if rows.empty or not side:
        return None
    value = float(rows["value"].iloc[0])
    size = abs(np.log(value)) if measure in RATIOS else abs(value)
    return ImportantEffect(float(side * size), side > 0)


def posterior_data(estimate: BayesianMean) -> dict:
    """Return the numbers of a Bayesian estimate, without its distributions."""
    names = (field.name for field in fields(estimate))
    return {name: getattr(estimate, name) for name in names if name not in _POSTERIORS}
