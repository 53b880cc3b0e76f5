"""Two groups compared on a yes-or-no outcome.

Vocabulary
----------
Group 1 is the intervention, group 2 its comparator. `risk_ratio` and `odds_ratio` are on the
natural scale; their intervals are symmetric on the log scale. A ratio that a zero count leaves
undefined, and its interval, are NaN: nothing is added to the cells.

Proportions of one group.

Vocabulary
----------
`events` of `n` people had the outcome. All results are on the proportion scale, 0 to 1.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, expit, ndtri


class Estimate(NamedTuple):
    """A point and its interval, each an array of the broadcast shape of the inputs."""

    estimate: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray


def critical_value(confidence: float) -> float:
    """Two-sided standard normal quantile: 1.96 for 0.95.

    Raises
    ------
    ValueError
        `confidence` not strictly between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    return float(ndtri((1 + confidence) / 2))


def require_counts(events: ArrayLike, n: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float arrays of one shape, refusing what cannot be counts of people.

    Raises
    ------
    ValueError
        n below 1, events below 0 or above n.
    """
    events, n = np.broadcast_arrays(np.asarray(events, float), np.asarray(n, float))
    if np.any(n < 1):
        raise ValueError("n must be at least 1")
    if np.any((events < 0) | (events > n)):
        raise ValueError("events must lie between 0 and n")
    return events, n


def wilson(events: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Score interval of a proportion, which stays inside 0 to 1 and has width at 0 of n.

    Parameters
    ----------
    events, n : array_like of shape (K,)
        People with the outcome, and people analysed.
    confidence : float, default 0.95
        Two-sided coverage aimed at.

    Raises
    ------
    ValueError
        Impossible counts or confidence.

    References
    ----------
    wilson1927.
    """
    events, n = require_counts(events, n)
    z = critical_value(confidence)
    proportion = events / n
    centre = (proportion + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(proportion * (1 - proportion) / n + z**2 / (4 * n**2))
    # The bounds touch 0 and 1 exactly there, which rounding would miss by 1e-17.
    low = np.where(events == 0, 0.0, centre - half)
    high = np.where(events == n, 1.0, centre + half)
    return Estimate(proportion, low, high)


def clopper_pearson(events: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Exact interval of a proportion: never covers less often than it says, mostly more often.

    Parameters
    ----------
    events, n : array_like of shape (K,)
        People with the outcome, and people analysed.
    confidence : float, default 0.95

    Raises
    ------
    ValueError
        Impossible counts or confidence.

    References
    ----------
    clopper1934.
    """
    events, n = require_counts(events, n)
    critical_value(confidence)
    tail = (1 - confidence) / 2
    # The beta distribution needs a count above 0; where there is none the end is 0 or 1 itself.
    some, others = np.maximum(events, 1), np.maximum(n - events, 1)
    low = np.where(events > 0, betaincinv(some, n - some + 1, tail), 0.0)
    high = np.where(events < n, betaincinv(n - others + 1, others, 1 - tail), 1.0)
    return Estimate(events / n, low, high)


def logit_interval(events: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Wald interval on the log-odds scale, back on the scale of proportions; NaN at 0 or n of n.

    Parameters
    ----------
    events, n : array_like of shape (K,)
        People with the outcome, and people analysed.
    confidence : float, default 0.95

    Raises
    ------
    ValueError
        Impossible counts or confidence.
    """
    events, n = require_counts(events, n)
    z = critical_value(confidence)
    inner = (events > 0) & (events < n)
    a, b = np.where(inner, events, np.nan), np.where(inner, n - events, np.nan)
    middle, half = np.log(a / b), z * np.sqrt(1 / a + 1 / b)
    return Estimate(events / n, expit(middle - half), expit(middle + half))


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
