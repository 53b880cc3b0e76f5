"""Proportions of one group.

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
