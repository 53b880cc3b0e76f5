"""How much effects differ beyond chance: tau², its interval, Q, I² and H².

Vocabulary
----------
`yi`, `vi`: effects and sampling variances; `x`: the design matrix of shape (K, p), a column of ones
where nothing but a mean is fitted. tau² is the variance of the true effects, on the squared scale
of the effects.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

# Roots are narrowed down to the last digits of a float.
_EXACT = 4 * np.finfo(float).eps


def weighted_fit(
    yi: np.ndarray, wi: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted least squares: coefficients (p,), their covariance (p, p) and residuals (K,)."""
    covariance = np.linalg.inv(x.T @ (wi[:, None] * x))
    beta = covariance @ (x.T @ (wi * yi))
    return beta, covariance, yi - x @ beta


def generalised_q(tau2: float, yi: np.ndarray, vi: np.ndarray, x: np.ndarray) -> float:
    """Weighted squared residuals at a given tau²; Cochran's Q at 0. Falls as tau² grows."""
    wi = 1 / (vi + tau2)
    _, _, residuals = weighted_fit(yi, wi, x)
    return float(np.sum(wi * residuals**2))


def typical_variance(vi: np.ndarray, x: np.ndarray) -> float:
    """The sampling variance of a typical study, by which I² is told from tau².

    References
    ----------
    higgins2002.
    """
    return (len(vi) - x.shape[1]) / _trace_p(1 / vi, x)


def _projection(wi: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The matrix P of the residuals: W - WX(X'WX)^-1 X'W."""
    weighted = wi[:, None] * x
    return np.diag(wi) - weighted @ np.linalg.inv(x.T @ weighted) @ weighted.T


def _trace_p(wi: np.ndarray, x: np.ndarray) -> float:
    return float(np.trace(_projection(wi, x)))


def dersimonian_laird(yi: np.ndarray, vi: np.ndarray, x: np.ndarray) -> float:
    """Moment estimate of tau², never below 0.

    References
    ----------
    dersimonian1986.
    """
    q = generalised_q(0.0, yi, vi, x)
    return max(0.0, (q - (len(yi) - x.shape[1])) / _trace_p(1 / vi, x))


def paule_mandel(yi: np.ndarray, vi: np.ndarray, x: np.ndarray) -> float:
    """The tau² at which Q equals its degrees of freedom; 0 if Q is below them already.

    References
    ----------
    paule1982.
    """
    return _q_equal(len(yi) - x.shape[1], yi, vi, x)


def _q_equal(target: float, yi: np.ndarray, vi: np.ndarray, x: np.ndarray) -> float:
    """The tau² at which Q falls to `target`; 0 if it is below that from the start."""
    if generalised_q(0.0, yi, vi, x) <= target:
        return 0.0
    upper = max(float(np.var(yi)), float(vi.max()))
    while generalised_q(upper, yi, vi, x) > target:
        upper *= 4
    return float(
        brentq(lambda tau2: generalised_q(tau2, yi, vi, x) - target, 0.0, upper,
               xtol=1e-300, rtol=_EXACT, maxiter=1000)
    )  # fmt: skip


def restricted_maximum_likelihood(yi: np.ndarray, vi: np.ndarray, x: np.ndarray) -> float:
    """The tau² of greatest restricted likelihood, found where its slope is 0; 0 at the boundary.

    Scoring steps can jump over the maximum and back for ever; here the slope is looked at on a
    grid, each change of its sign is narrowed down, and the highest point wins.

    References
    ----------
    viechtbauer2005.
    """
    upper = max(float(np.var(yi)), float(vi.max()))
    while _slope(upper, yi, vi, x) > 0:
        upper *= 4
    grid = np.append(0.0, np.geomspace(1e-8 * upper, upper, 64))
    slopes = _slope(grid, yi, vi, x)
    falls = np.flatnonzero((slopes[:-1] > 0) & (slopes[1:] <= 0))
    peaks = [
        brentq(_slope, grid[i], grid[i + 1], (yi, vi, x), xtol=1e-300, rtol=_EXACT, maxiter=1000)
        for i in falls
    ]
    return float(max([0.0, *peaks], key=lambda tau2: _restricted_likelihood(tau2, yi, vi, x)))


def _slope(tau2: np.ndarray | float, yi: np.ndarray, vi: np.ndarray, x: np.ndarray):
    """Slope of the restricted log-likelihood (times 2) at one tau² or at many."""
    wi = 1 / (vi + np.asarray(tau2)[..., None])
    products = x[:, :, None] * x[:, None, :]
    inverse = np.linalg.inv(np.tensordot(wi, products, 1))
    beta = np.einsum("...pq,...q->...p", inverse, (wi * yi) @ x)
    residuals = yi - beta @ x.T
    squared = np.tensordot(wi**2, products, 1)
    trace = wi.sum(-1) - np.einsum("...pq,...qp->...", inverse, squared)
    return np.sum((wi * residuals) ** 2, -1) - trace


def _restricted_likelihood(tau2: float, yi: np.ndarray, vi: np.ndarray, x: np.ndarray) -> float:
    """The restricted log-likelihood of tau² but for a constant."""
    wi = 1 / (vi + tau2)
    _, determinant = np.linalg.slogdet(x.T @ (wi[:, None] * x))
    return 0.5 * float(np.sum(np.log(wi)) - determinant - generalised_q(tau2, yi, vi, x))


ESTIMATORS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "common": lambda yi, vi, x: 0.0,
    "dl": dersimonian_laird,
    "pm": paule_mandel,
    "reml": restricted_maximum_likelihood,
}
"""tau² by method name; `common` is the common effect, which has none."""


def q_profile(
    yi: np.ndarray, vi: np.ndarray, x: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Interval of tau² from the distribution of Q; both ends are 0 if even the upper one is.

    References
    ----------
    viechtbauer2007.
    """
    degrees = len(yi) - x.shape[1]
    tails = (1 + confidence) / 2, (1 - confidence) / 2
    low, high = (_q_equal(float(chi2.ppf(tail, degrees)), yi, vi, x) for tail in tails)
    return low, high
