"""Effect sizes of single studies with their sampling variances, ready to be pooled.

`yi` is an effect and `vi` its sampling variance, as in metafor. Ratios are on the log scale. Group
1 is the intervention, group 2 its comparator. `events` are participants with the outcome, `n`
participants analysed; all inputs are array_like of shape (K,). Impossible counts raise ValueError,
and so do a standard deviation that is missing or not above 0 and a group of fewer than 2
participants that has one. Zero cells are treated as by metafor's `to="only0"`: 1/2 is added to all
cells of a study in which one cell is 0, and of no other study.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln

from evidence.statistics.confidence_intervals import check_counts


class EffectSizes(NamedTuple):
    """Effects `yi` and their sampling variances `vi`, arrays of shape (K,)."""

    yi: np.ndarray
    vi: np.ndarray


def log_risk_ratio(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike
) -> EffectSizes:
    """Return the logarithm of the ratio of two proportions.

    References: katz1978.
    """
    a, b, c, d = _four_cells(events1, n1, events2, n2)
    yi = np.log(a / (a + b)) - np.log(c / (c + d))
    return EffectSizes(yi, 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def log_odds_ratio(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike
) -> EffectSizes:
    """Return the logarithm of the ratio of two odds.

    References: woolf1955.
    """
    a, b, c, d = _four_cells(events1, n1, events2, n2)
    return EffectSizes(np.log(a / b) - np.log(c / d), 1 / a + 1 / b + 1 / c + 1 / d)


def risk_difference(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike
) -> EffectSizes:
    """Return the difference of two proportions with its large-sample variance."""
    a, b, c, d = _four_cells(events1, n1, events2, n2)
    total1, total2 = a + b, c + d
    return EffectSizes(a / total1 - c / total2, a * b / total1**3 + c * d / total2**3)


def peto_log_odds_ratio(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike
) -> EffectSizes:
    """Return Peto's one-step log odds ratio, meant for rare events; nothing is added to cells.

    The result is NaN where nobody or everybody has the outcome. References: yusuf1985.
    """
    a, n1 = check_counts(events1, n1)
    c, n2 = check_counts(events2, n2)
    total, events = n1 + n2, a + c
    with np.errstate(divide="ignore", invalid="ignore"):
        information = events * (total - events) * n1 * n2 / (total**2 * (total - 1))
        information = np.where(information > 0, information, np.nan)
        return EffectSizes((a - events * n1 / total) / information, 1 / information)


def logit_proportion(events: ArrayLike, n: ArrayLike) -> EffectSizes:
    """Return the log odds of the proportion of one group."""
    events, n = check_counts(events, n)
    a, b = _add_half_to_zero_cells(events, n - events)
    return EffectSizes(np.log(a / b), 1 / a + 1 / b)


def inverse_logit(log_odds: ArrayLike) -> np.ndarray:
    """Return the proportion that has these log odds."""
    return expit(np.asarray(log_odds, float))


def mean_difference(
    mean1: ArrayLike, sd1: ArrayLike, n1: ArrayLike, mean2: ArrayLike, sd2: ArrayLike, n2: ArrayLike
) -> EffectSizes:
    """Return the difference of two means in the units of the scale, with unequal variances."""
    sd1, n1 = _check_group(sd1, n1)
    sd2, n2 = _check_group(sd2, n2)
    yi = np.asarray(mean1, float) - np.asarray(mean2, float)
    return EffectSizes(yi, sd1**2 / n1 + sd2**2 / n2)


def hedges_g(
    mean1: ArrayLike, sd1: ArrayLike, n1: ArrayLike, mean2: ArrayLike, sd2: ArrayLike, n2: ArrayLike
) -> EffectSizes:
    """Return the standardised mean difference with the exact small-sample correction.

    References: hedges1981.
    """
    difference = mean_difference(mean1, sd1, n1, mean2, sd2, n2).yi
    sd1, n1 = _check_group(sd1, n1)
    sd2, n2 = _check_group(sd2, n2)
    df = n1 + n2 - 2
    pooled_sd = np.sqrt(((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2) / df)
    g = hedges_correction(df) * difference / pooled_sd
    return EffectSizes(g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2)))


def hedges_correction(df: ArrayLike) -> np.ndarray:
    """Return the exact factor that removes the bias of a standardised mean difference.

    `df` are the degrees of freedom of the pooled standard deviation. References: hedges1981.
    """
    m = np.asarray(df, float)
    return np.exp(gammaln(m / 2) - np.log(np.sqrt(m / 2)) - gammaln((m - 1) / 2))


def _add_half_to_zero_cells(*cells: np.ndarray) -> np.ndarray:
    table = np.stack(np.broadcast_arrays(*cells))
    return table + 0.5 * (table == 0).any(axis=0)


def _four_cells(events1, n1, events2, n2) -> np.ndarray:
    a, n1 = check_counts(events1, n1)
    c, n2 = check_counts(events2, n2)
    return _add_half_to_zero_cells(a, n1 - a, c, n2 - c)


def _check_group(sd: ArrayLike, n: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    sd, n = np.asarray(sd, float), np.asarray(n, float)
    if np.any(np.isnan(sd)):
        raise ValueError("a standard deviation is missing; such a study cannot be used")
    if np.any(sd <= 0):
        raise ValueError("a standard deviation must be above 0")
    if np.any(n < 2):
        raise ValueError("n must be at least 2: one participant has no standard deviation")
    return sd, n
