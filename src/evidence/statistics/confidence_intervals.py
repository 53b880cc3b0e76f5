"""Confidence intervals of a proportion and of the comparison of two proportions.

Group 1 is the intervention, group 2 its comparator. `events` are participants with the outcome, `n`
participants analysed, both array_like of shape (K,). Impossible counts, and a confidence that is
not strictly between 0 and 1, raise ValueError. Ratios are on the natural scale; their intervals
are symmetric on the log scale. Nothing is added to zero cells: a ratio that a zero count leaves
undefined, and its interval, are NaN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri


class Estimate(NamedTuple):
    """A point estimate and its interval, each an array of the broadcast shape of the inputs."""

    estimate: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray


def critical_value(confidence: float) -> float:
    """Return the two-sided standard normal quantile, 1.96 for a confidence of 0.95."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    return float(ndtri((1 + confidence) / 2))


def check_counts(events: ArrayLike, n: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return events and group sizes as float arrays of one shape, or refuse them.

    Raise `ValueError` for n below 1, or events below 0 or above n.
    """
    events, n = np.broadcast_arrays(np.asarray(events, float), np.asarray(n, float))
    if np.any(n < 1):
        raise ValueError("n must be at least 1")
    if np.any((events < 0) | (events > n)):
        raise ValueError("events must lie between 0 and n")
    return events, n


def wilson_interval(events: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Return a proportion with Wilson's score interval.

    The interval stays inside 0 to 1 and has a width even at 0 or n events. References: wilson1927.
    """
    events, n = check_counts(events, n)
    z = critical_value(confidence)
    proportion = events / n
    centre = (proportion + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(proportion * (1 - proportion) / n + z**2 / (4 * n**2))
    # The bounds are exactly 0 and 1 there, which rounding would miss by 1e-17.
    low = np.where(events == 0, 0.0, centre - half)
    high = np.where(events == n, 1.0, centre + half)
    return Estimate(proportion, low, high)


def risk_difference_interval(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Return the difference of two proportions with Newcombe's interval (his method 10).

    References: newcombe1998.
    """
    group1 = wilson_interval(events1, n1, confidence)
    group2 = wilson_interval(events2, n2, confidence)
    difference = group1.estimate - group2.estimate
    below = np.hypot(group1.estimate - group1.ci_low, group2.ci_high - group2.estimate)
    above = np.hypot(group1.ci_high - group1.estimate, group2.estimate - group2.ci_low)
    return Estimate(difference, difference - below, difference + above)


def risk_ratio_interval(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Return the ratio of two proportions with Katz's interval on the log scale.

    References: katz1978.
    """
    a, n1 = check_counts(events1, n1)
    c, n2 = check_counts(events2, n2)
    defined = (a > 0) & (c > 0)
    a, c = np.where(defined, a, np.nan), np.where(defined, c, np.nan)
    return _from_log(np.log(a / n1) - np.log(c / n2), 1 / a - 1 / n1 + 1 / c - 1 / n2, confidence)


def odds_ratio_interval(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Return the ratio of two odds with Woolf's interval on the log scale.

    References: woolf1955.
    """
    a, n1 = check_counts(events1, n1)
    c, n2 = check_counts(events2, n2)
    b, d = n1 - a, n2 - c
    defined = (a > 0) & (b > 0) & (c > 0) & (d > 0)
    a, b, c, d = (np.where(defined, cell, np.nan) for cell in (a, b, c, d))
    return _from_log(np.log(a / b) - np.log(c / d), 1 / a + 1 / b + 1 / c + 1 / d, confidence)


def _from_log(logarithm: np.ndarray, variance: np.ndarray, confidence: float) -> Estimate:
    half = critical_value(confidence) * np.sqrt(variance)
    return Estimate(np.exp(logarithm), np.exp(logarithm - half), np.exp(logarithm + half))
