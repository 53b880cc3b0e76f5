"""Pools of few studies: a Bayesian estimate beside Knapp-Hartung, and effects that matter.

With few studies tau² is hardly known. A prior for tau adds what is known about heterogeneity in
general; how much it decides shows when two priors are compared.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from evidence.dataset.dataset import Dataset
from evidence.statistics.bayesian import (
    BayesianMean,
    TauPrior,
    pool_bayesian,
    probability_above,
)
from evidence.statistics.meta_analysis import PooledMean

MAX_STUDIES = 5
"""Pools of at most so many studies are also pooled with a prior."""
PRIOR_SCALES = {"rr": 0.5, "or": 0.5, "smd": 0.5, "proportion": 1.0}
"""Scale of the prior for tau by measure (rover2021); proportions of single arms vary more."""
PRIOR_FAMILIES = ("half-normal", "half-cauchy")
_POSTERIORS = ("weights", "mu_posterior", "tau_posterior", "prediction")


@dataclass(frozen=True)
class ImportantEffect:
    """The smallest effect that matters, on the scale of pooling, and on which side it lies."""

    threshold: float
    is_above: bool

    def probability(self, above: float) -> float:
        """Return the probability of an effect that matters, given that of exceeding it."""
        return above if self.is_above else 1 - above


@dataclass(frozen=True)
class FewStudies:
    """Bayesian estimates beside a pooled one, one per prior, the first the one to read.

    `important` is the minimal important difference, if one is stated; `pooled_probability` is the
    share of the distribution behind the pooled estimate's CI that reaches it.
    """

    estimates: tuple[BayesianMean, ...]
    important: ImportantEffect | None
    pooled_probability: float

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The posterior probability of an important effect under each prior."""
        important = self.important
        if important is None:
            return ()
        return tuple(
            important.probability(estimate.probability_above(important.threshold))
            for estimate in self.estimates
        )

    def as_data(self) -> dict:
        """Return everything at full precision for JSON."""
        return {
            "estimates": [posterior_data(estimate) for estimate in self.estimates],
            "important": self.important and asdict(self.important),
            "probability_important": list(self.probabilities),
            "probability_important_by_test": self.pooled_probability,
        }


def tau_prior(measure: str, family: str = PRIOR_FAMILIES[0], scale: float = 0.0) -> TauPrior:
    """Return the prior for tau of a measure; a scale of 0 is the default one.

    Raises
    ------
    ValueError
        No scale where effects are in the units of the outcome.
    """
    scale = scale or PRIOR_SCALES.get(measure, 0.0)
    if not scale:
        raise ValueError(
            "the prior for tau needs a scale in the units of the effect (--prior-scale)"
        )
    return TauPrior(family, scale)


def compare_few_studies(
    pooled: PooledMean,
    effects: tuple[ArrayLike, ArrayLike],
    measure: str,
    important: ImportantEffect | None,
) -> FewStudies | None:
    """Pool the effects and variances of few studies with each prior.

    `pooled` is the random-effects mean that the Bayesian ones stand beside. None where there are
    many studies, or no default prior.
    """
    if pooled.k > MAX_STUDIES or measure not in PRIOR_SCALES:
        return None
    estimates = tuple(
        pool_bayesian(*effects, prior=tau_prior(measure, family), confidence=pooled.confidence)
        for family in PRIOR_FAMILIES
    )
    probability = np.nan
    if important is not None:
        above = probability_above(pooled.estimate, pooled.se, important.threshold, pooled.df)
        probability = important.probability(above)
    return FewStudies(estimates, important, probability)


def important_effect(
    dataset: Dataset, outcome: str, measure: str, instrument: str = ""
) -> ImportantEffect | None:
    """Return the minimal important difference on the scale of pooling, or None if none is stated.

    The effect that matters is the one in the better direction.
    """
    table, outcomes = dataset.minimal_important_differences, dataset.outcomes
    scale = instrument if measure == "md" else ""
    rows = table[(table["outcome"] == outcome) & (table["measure"] == measure)]
    rows = rows[rows["instrument"] == scale]
    better = outcomes.loc[outcomes["outcome"] == outcome, "better"]
    if rows.empty or better.empty or better.iloc[0] not in ("higher", "lower"):
        return None
    value = float(rows["value"].iloc[0])
    size = abs(np.log(value)) if measure in ("rr", "or") else abs(value)
    is_above = better.iloc[0] == "higher"
    return ImportantEffect(float(size if is_above else -size), is_above)


def posterior_data(estimate: BayesianMean) -> dict:
    """Return the numbers of a Bayesian estimate, without its distributions."""
    names = (field.name for field in fields(estimate))
    return {name: getattr(estimate, name) for name in names if name not in _POSTERIORS}
