"""Mantel-Haenszel and Peto: pooled two-by-two tables, for sparse data and rare events.

Inputs are as in `confidence_intervals`. Counts are used as they are; nothing is added to zero
cells. Ratios are on the log scale.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from evidence.statistics.confidence_intervals import check_counts, critical_value
from evidence.statistics.effect_sizes import peto_log_odds_ratio


class StratifiedEstimate(NamedTuple):
    """A pooled effect with Wald interval and two-sided p; `k` studies contribute to it."""

    k: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p: float


def pool_mantel_haenszel(
    events1: ArrayLike,
    n1: ArrayLike,
    events2: ArrayLike,
    n2: ArrayLike,
    *,
    measure: str,
    confidence: float = 0.95,
) -> StratifiedEstimate:
    """Return the Mantel-Haenszel common effect of K two-by-two tables.

    Raise `ValueError` for impossible counts, an unknown measure, or a ratio that no table defines
    (nobody, or everybody, with the outcome in one of the groups of every study). References:
    mantel1959, greenland1985, robins1986, sato1989.

    Parameters
    ----------
    measure : {"rr", "or", "rd"}
    """
    a, n1 = check_counts(events1, n1)
    c, n2 = check_counts(events2, n2)
    a, n1, c, n2 = (np.atleast_1d(array) for array in (a, n1, c, n2))
    b, d, total = n1 - a, n2 - c, n1 + n2
    estimators = {"rr": _risk_ratio, "or": _odds_ratio, "rd": _risk_difference}
    if measure not in estimators:
        raise ValueError(f"measure must be one of rr, or, rd; got {measure!r}")
    if measure != "rd" and not (np.sum(a * n2 / total) > 0 and np.sum(c * n1 / total) > 0):
        raise ValueError("nobody has the outcome in one of the groups; a ratio is not defined")
    if measure == "or" and not (np.sum(a * d / total) > 0 and np.sum(b * c / total) > 0):
        raise ValueError("everybody has the outcome in one of the groups; the ratio is not defined")
    estimate, variance = estimators[measure](a, b, c, d, n1, n2, total)
    contributes = {"rr": a + c > 0, "or": (a + c > 0) & (b + d > 0), "rd": total > 0}[measure]
    return _with_wald_interval(int(contributes.sum()), estimate, variance, confidence)


def pool_peto(
    events1: ArrayLike,
    n1: ArrayLike,
    events2: ArrayLike,
    n2: ArrayLike,
    *,
    confidence: float = 0.95,
) -> StratifiedEstimate:
    """Return Peto's common log odds ratio; studies without information drop out.

    Raise `ValueError` for impossible counts, or no study with information. References: yusuf1985.
    """
    yi, vi = (np.atleast_1d(array) for array in peto_log_odds_ratio(events1, n1, events2, n2))
    informative = np.isfinite(yi)
    if not informative.any():
        raise ValueError("nobody, or everybody, has the outcome; there is nothing to pool")
    information = 1 / vi[informative]
    estimate = np.sum(information * yi[informative]) / information.sum()
    k = int(informative.sum())
    return _with_wald_interval(k, estimate, 1 / information.sum(), confidence)


def _with_wald_interval(
    k: int, estimate: float, variance: float, confidence: float
) -> StratifiedEstimate:
    se = float(np.sqrt(variance))
    half = critical_value(confidence) * se
    low, high = float(estimate - half), float(estimate + half)
    p = float(2 * ndtr(-abs(estimate) / se))
    return StratifiedEstimate(k, float(estimate), se, low, high, p)


def _risk_ratio(a, b, c, d, n1, n2, total):
    numerator, denominator = np.sum(a * n2 / total), np.sum(c * n1 / total)
    p = np.sum((n1 * n2 * (a + c) - a * c * total) / total**2)
    return np.log(numerator / denominator), p / (numerator * denominator)


def _odds_ratio(a, b, c, d, n1, n2, total):
    p, q, r, s = (a + d) / total, (b + c) / total, a * d / total, b * c / total
    r_sum, s_sum = r.sum(), s.sum()
    variance = (
        np.sum(p * r) / r_sum**2
        + np.sum(p * s + q * r) / (r_sum * s_sum)
        + np.sum(q * s) / s_sum**2
    ) / 2
    return np.log(r_sum / s_sum), variance


def _risk_difference(a, b, c, d, n1, n2, total):
    weight = np.sum(n1 * n2 / total)
    estimate = np.sum((a * n2 - c * n1) / total) / weight
    p = (n1 / total) ** 2 * c - (n2 / total) ** 2 * a + (n1 * n2 / total**2) * (n2 - n1) / 2
    q = (a * d + c * b) / total / 2
    return estimate, (estimate * np.sum(p) + np.sum(q)) / weight**2
