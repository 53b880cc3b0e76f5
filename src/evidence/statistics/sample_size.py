"""Sample size of a two-arm trial.

Sizes are participants per arm of two equal arms, unrounded, by normal approximation. `alpha` is
two-sided; `power` is the probability of a significant result if the difference is real.
"""

import numpy as np
from scipy.special import ndtri


def size_for_proportions(p1: float, p2: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return participants per arm to detect a difference of two proportions.

    No correction for continuity is made. Raise `ValueError` for a proportion that is not between 0
    and 1, or two that are equal. References: fleiss2003, chapter 4.
    """
    if not (0 <= p1 <= 1 and 0 <= p2 <= 1):
        raise ValueError(f"proportions must lie between 0 and 1; got {p1} and {p2}")
    if p1 == p2:
        raise ValueError(f"no sample size detects a difference of 0; both proportions are {p1}")
    mean = (p1 + p2) / 2
    under_null = ndtri(1 - alpha / 2) * np.sqrt(2 * mean * (1 - mean))
    under_alternative = ndtri(power) * np.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    return float(((under_null + under_alternative) / (p1 - p2)) ** 2)


def size_for_means(
    difference: float, sd: float = 1.0, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return participants per arm to detect a difference of two means, standardised if `sd` is 1.

    Raise `ValueError` for a difference of 0, or a standard deviation that is not above 0.
    References: fleiss2003.
    """
    if difference == 0 or not sd > 0:
        raise ValueError(f"difference must not be 0 and sd must be above 0; got {difference}, {sd}")
    quantiles = ndtri(1 - alpha / 2) + ndtri(power)
    return float(2 * (quantiles * sd / difference) ** 2)
