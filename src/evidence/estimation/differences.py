"""Two groups compared on a yes-or-no outcome.

Vocabulary
----------
Group 1 is the intervention, group 2 its comparator. `risk_ratio` and `odds_ratio` are on the
natural scale; their intervals are symmetric on the log scale. A ratio that a zero count leaves
undefined, and its interval, are NaN: nothing is added to the cells.
"""

import numpy as np
from numpy.typing import ArrayLike

from evidence.estimation.proportions import Estimate, critical_value, require_counts, wilson


def risk_difference(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Difference of two proportions with the interval built from two score intervals.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)
        People with the outcome and people analysed, per group.
    confidence : float, default 0.95
        Two-sided coverage aimed at.

    Raises
    ------
    ValueError
        Impossible counts or confidence.

    References
    ----------
    newcombe1998, method 10.
    """
    one, two = wilson(events1, n1, confidence), wilson(events2, n2, confidence)
    difference = one.estimate - two.estimate
    below = np.hypot(one.estimate - one.ci_low, two.ci_high - two.estimate)
    above = np.hypot(one.ci_high - one.estimate, two.estimate - two.ci_low)
    return Estimate(difference, difference - below, difference + above)


def risk_ratio(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Ratio of two proportions with the interval of its logarithm.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)
        People with the outcome and people analysed, per group; NaN results where a count is 0.
    confidence : float, default 0.95
        Two-sided coverage aimed at.

    Raises
    ------
    ValueError
        Impossible counts or confidence.

    References
    ----------
    katz1978.
    """
    a, n1 = require_counts(events1, n1)
    c, n2 = require_counts(events2, n2)
    usable = (a > 0) & (c > 0)
    a, c = np.where(usable, a, np.nan), np.where(usable, c, np.nan)
    return _from_log(np.log(a / n1) - np.log(c / n2), 1 / a - 1 / n1 + 1 / c - 1 / n2, confidence)


def odds_ratio(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Ratio of two odds with the interval of its logarithm.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)
        People with the outcome and people analysed, per group; NaN results where a cell is 0.
    confidence : float, default 0.95
        Two-sided coverage aimed at.

    Raises
    ------
    ValueError
        Impossible counts or confidence.

    References
    ----------
    woolf1955.
    """
    a, n1 = require_counts(events1, n1)
    c, n2 = require_counts(events2, n2)
    b, d = n1 - a, n2 - c
    usable = (a > 0) & (b > 0) & (c > 0) & (d > 0)
    a, b, c, d = (np.where(usable, cell, np.nan) for cell in (a, b, c, d))
    return _from_log(np.log(a / b) - np.log(c / d), 1 / a + 1 / b + 1 / c + 1 / d, confidence)


def number_needed_to_treat(difference: Estimate) -> Estimate:
    """People to treat for one more event, from a risk difference and its interval.

    Positive numbers are needed to benefit (if the event is good), negative ones to harm. Where the
    interval of the difference holds 0 there is no finite interval: it would run through infinity,
    and its ends are NaN. A difference of 0 has no number at all.

    Parameters
    ----------
    difference : Estimate
        From `risk_difference`, arrays of shape (K,).

    References
    ----------
    altman1998.
    """
    estimate, low, high = (np.asarray(end, float) for end in difference)
    finite = (low > 0) | (high < 0)
    with np.errstate(divide="ignore"):
        number = np.where(estimate != 0, 1 / estimate, np.nan)
        ends = np.where(finite, 1 / high, np.nan), np.where(finite, 1 / low, np.nan)
    return Estimate(number, *ends)


def _from_log(logarithm: np.ndarray, variance: np.ndarray, confidence: float) -> Estimate:
    half = critical_value(confidence) * np.sqrt(variance)
    return Estimate(np.exp(logarithm), np.exp(logarithm - half), np.exp(logarithm + half))
