"""Two-by-two tables pooled without effects of single studies: for sparse data and rare events.

Vocabulary
----------
Counts are used as they are, zero cells included; nothing is added to any of them. Ratios are on the
log scale.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from evidence.statistics.confidence_intervals import critical_value, require_counts
from evidence.statistics.effect_sizes import peto_log_odds_ratio


class Sparse(NamedTuple):
    """A pooled effect with its Wald interval and two-sided p, and how many studies inform it."""

    k: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p: float


def _wald(k: int, estimate: float, variance: float, confidence: float) -> Sparse:
    se = float(np.sqrt(variance))
    half = critical_value(confidence) * se
    p = float(2 * norm.sf(abs(estimate) / se))
    return Sparse(k, float(estimate), se, float(estimate - half), float(estimate + half), p)


def mantel_haenszel(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike,
    *, measure: str, confidence: float = 0.95,
) -> Sparse:  # fmt: skip
    """Common effect of stratified tables, weighted by their sizes.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)
    measure : {"rr", "or", "rd"}
        The first two are pooled on the log scale.

    Raises
    ------
    ValueError
        Impossible counts, an unknown measure, or a ratio that no table defines (nobody, or
        everybody, with the outcome in one of the groups of every study).

    References
    ----------
    mantel1959, greenland1985, robins1986, sato1989.
    """
    a, n1 = require_counts(events1, n1)
    c, n2 = require_counts(events2, n2)
    a, n1, c, n2 = (np.atleast_1d(array) for array in (a, n1, c, n2))
    b, d, total = n1 - a, n2 - c, n1 + n2
    pooled = {"rr": _mh_risk_ratio, "or": _mh_odds_ratio, "rd": _mh_risk_difference}
    if measure not in pooled:
        raise ValueError(f"measure must be one of rr, or, rd; got {measure!r}")
    if measure != "rd" and not (np.sum(a * n2 / total) > 0 and np.sum(c * n1 / total) > 0):
        raise ValueError("nobody has the outcome in one of the groups; a ratio is not defined")
    if measure == "or" and not (np.sum(a * d / total) > 0 and np.sum(b * c / total) > 0):
        raise ValueError("everybody has the outcome in one of the groups; the ratio is not defined")
    estimate, variance = pooled[measure](a, b, c, d, n1, n2, total)
    return _wald(len(a), estimate, variance, confidence)


def _mh_risk_ratio(a, b, c, d, n1, n2, total):
    above, below = np.sum(a * n2 / total), np.sum(c * n1 / total)
    spread = np.sum((n1 * n2 * (a + c) - a * c * total) / total**2)
    return np.log(above / below), spread / (above * below)


def _mh_odds_ratio(a, b, c, d, n1, n2, total):
    p, q, r, s = (a + d) / total, (b + c) / total, a * d / total, b * c / total
    big_r, big_s = r.sum(), s.sum()
    variance = (
        np.sum(p * r) / big_r**2
        + np.sum(p * s + q * r) / (big_r * big_s)
        + np.sum(q * s) / big_s**2
    ) / 2
    return np.log(big_r / big_s), variance


def _mh_risk_difference(a, b, c, d, n1, n2, total):
    weight = np.sum(n1 * n2 / total)
    estimate = np.sum((a * n2 - c * n1) / total) / weight
    p = (n1 / total) ** 2 * c - (n2 / total) ** 2 * a + (n1 * n2 / total**2) * (n2 - n1) / 2
    q = (a * d + c * b) / total / 2
    return estimate, (estimate * np.sum(p) + np.sum(q)) / weight**2


def peto(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike,
    *, confidence: float = 0.95,
) -> Sparse:  # fmt: skip
    """Common log odds ratio by one step from no effect; studies without information drop out.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)

    Raises
    ------
    ValueError
        Impossible counts, or no study with information.

    References
    ----------
    yusuf1985.
    """
    yi, vi = (np.atleast_1d(array) for array in peto_log_odds_ratio(events1, n1, events2, n2))
    informed = np.isfinite(yi)
    if not informed.any():
        raise ValueError("nobody, or everybody, has the outcome; there is nothing to pool")
    information = 1 / vi[informed]
    estimate = np.sum(information * yi[informed]) / information.sum()
    return _wald(int(informed.sum()), estimate, 1 / information.sum(), confidence)
