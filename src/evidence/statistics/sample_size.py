"""How many people a trial needs so that it would see what matters.

Vocabulary
----------
`alpha` is two-sided, `power` the chance of a significant result if the difference is real. Sizes
are of one of two equal groups, unrounded; a trial needs the next whole number in each.
"""

import numpy as np
from scipy.stats import norm


def size_for_proportions(p1: float, p2: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """People in each group to tell two proportions apart, by the normal approximation.

    Raises
    ------
    ValueError
        A proportion that is not between 0 and 1, or two that are equal.

    References
    ----------
    fleiss2003, chapter 4, without continuity correction.
    """
    if not (0 <= p1 <= 1 and 0 <= p2 <= 1):
        raise ValueError(f"proportions must lie between 0 and 1; got {p1} and {p2}")
    if p1 == p2:
        raise ValueError(f"two equal proportions ({p1}) cannot be told apart")
    middle = (p1 + p2) / 2
    half = norm.ppf(1 - alpha / 2) * np.sqrt(2 * middle * (1 - middle))
    other = norm.ppf(power) * np.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    return float(((half + other) / (p1 - p2)) ** 2)


def size_for_means(
    difference: float, sd: float = 1.0, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """People in each group to see a difference of means, by the normal approximation.

    Raises
    ------
    ValueError
        A difference of 0, or a standard deviation that is not above 0.

    References
    ----------
    fleiss2003.
    """
    if difference == 0 or not sd > 0:
        raise ValueError(f"a difference of 0 or no spread has no size; got {difference}, sd {sd}")
    quantiles = norm.ppf(1 - alpha / 2) + norm.ppf(power)
    return float(2 * (quantiles * sd / difference) ** 2)
