"""Standard deviations and standard errors from what a text prints in their place.

The formulas and examples are those of the Cochrane Handbook, 6.3 and 6.5.2. Inputs are array_like
of shape (K,); ratios are on the log scale. `df` are the degrees of freedom of the t distribution
behind an interval or a p value of means; infinite is the normal distribution. Impossible numbers
give NaN or infinity, which callers refuse. References: higgins2019handbook.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

IQR_OF_NORMAL = 1.35
"""Interquartile range of a normal distribution in standard deviations, rounded as in 6.5.2.5."""


def sd_from_se(se: ArrayLike, n: ArrayLike) -> np.ndarray:
    """Return the standard deviation of a group of n with this standard error of its mean."""
    return np.asarray(se, float) * np.sqrt(np.asarray(n, float))


def sd_from_iqr(width: ArrayLike) -> np.ndarray:
    """Return the standard deviation of a large, normally distributed group."""
    return np.asarray(width, float) / IQR_OF_NORMAL


def se_from_interval(
    low: ArrayLike, high: ArrayLike, df: ArrayLike = np.inf, confidence: float = 0.95
) -> np.ndarray:
    """Return the standard error behind a confidence interval that is symmetric on this scale."""
    width = np.asarray(high, float) - np.asarray(low, float)
    return width / (2 * t_quantile((1 + confidence) / 2, df))


def se_from_statistic(estimate: ArrayLike, statistic: ArrayLike) -> np.ndarray:
    """Return the standard error of an estimate whose t or z statistic is known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(np.asarray(estimate, float) / np.asarray(statistic, float))


def se_from_p(estimate: ArrayLike, p: ArrayLike, df: ArrayLike = np.inf) -> np.ndarray:
    """Return the standard error of an estimate with this two-sided p value."""
    return se_from_statistic(estimate, t_quantile(1 - np.asarray(p, float) / 2, df))


def t_quantile(probability: ArrayLike, df: ArrayLike) -> np.ndarray:
    """Return quantiles of the t distribution; with infinite `df` of the normal distribution."""
    df = np.asarray(df, float)
    finite = np.where(np.isfinite(df), df, 1.0)
    return np.where(np.isfinite(df), stdtrit(finite, probability), ndtri(probability))
