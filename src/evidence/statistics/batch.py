"""Many pools at once: the same fits as `pooling.pool`, for thousands of choices of studies.

Vocabulary
----------
A *specification* is a row of `keep`: which of K studies are pooled. Methods and tests as in
`pooling`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise
from scipy.stats import norm
from scipy.stats import t as student

# As narrow as floats go, so that these fits and the single ones agree to the last digits.
_EXACT = {"xatol": 1e-300, "xrtol": 4 * np.finfo(float).eps, "fatol": 0.0, "frtol": 0.0}
_GRID = 64


class Many(NamedTuple):
    """Arrays of shape (S,) on the scale of the effects; NaN where fewer than 2 studies are kept."""

    k: np.ndarray
    estimate: np.ndarray
    se: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    tau2: np.ndarray


def pool_many(
    yi: ArrayLike,
    vi: ArrayLike,
    keep: ArrayLike,
    *,
    method: str = "reml",
    test: str = "knha",
    confidence: float = 0.95,
) -> Many:
    """The mean effect of each of S choices of studies.

    Parameters
    ----------
    yi, vi : array_like of shape (K,) or (S, K)
        Effects and sampling variances; what is not kept may be anything.
    keep : array_like of bool, shape (S, K)
    method : {"common", "dl", "pm", "reml"}
    test : {"z", "knha", "knha-adhoc"}
        With `common` only `z` makes sense and is used.
    confidence : float, default 0.95

    Raises
    ------
    ValueError
        A kept effect that is missing, or a kept variance that is not above 0.
    """
    keep = np.asarray(keep, bool)
    yi, vi = (np.broadcast_to(np.asarray(given, float), keep.shape) for given in (yi, vi))
    if not np.all(np.isfinite(yi[keep]) & np.isfinite(vi[keep]) & (vi[keep] > 0)):
        raise ValueError("an effect is missing, or a sampling variance is not above 0")
    k = keep.sum(axis=1)
    enough = k > 1
    found = np.full((len(keep), 5), np.nan)
    if enough.any():
        # What is left out weighs nothing: an infinite variance, an effect that does not matter.
        y = np.where(keep, yi, 0.0)[enough]
        v = np.where(keep, vi, np.inf)[enough]
        found[enough] = np.column_stack(_fit(y, v, k[enough], method, test, confidence))
    return Many(k, *found.T)


def _fit(y, v, k, method, test, confidence) -> tuple[np.ndarray, ...]:
    tau2 = _ESTIMATORS[method](y, v, k)
    mean, total, q = _weighted(tau2, y, v)
    se = np.sqrt(1 / total)
    quantile = norm.ppf((1 + confidence) / 2)
    if test != "z" and method != "common":
        scale = q / (k - 1)
        se = se * np.sqrt(np.maximum(scale, 1) if test == "knha-adhoc" else scale)
        quantile = student.ppf((1 + confidence) / 2, k - 1)
    return mean, se, mean - quantile * se, mean + quantile * se, tau2


def _weighted(tau2, y, v) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean, sum of the weights, and Q, at one tau² for each row."""
    w = 1 / (v + np.asarray(tau2)[..., None])
    total = w.sum(-1)
    mean = (w * y).sum(-1) / total
    return mean, total, (w * (y - mean[..., None]) ** 2).sum(-1)


def _common(y, v, k) -> np.ndarray:
    return np.zeros(len(k))


def _dersimonian_laird(y, v, k) -> np.ndarray:
    w = 1 / v
    _, total, q = _weighted(np.zeros(len(k)), y, v)
    return np.maximum(0.0, (q - (k - 1)) / (total - (w**2).sum(-1) / total))


def _upper(y, v) -> np.ndarray:
    """Where to start looking for the upper end of tau²."""
    largest = np.where(np.isfinite(v), v, 0).max(-1)
    spread = np.where(np.isfinite(v), y, np.nan)
    return np.maximum(largest, np.nanvar(spread, axis=-1))


def _beyond(falling, upper) -> np.ndarray:
    """`upper`, raised row by row until the function has fallen to 0 there."""
    while (high := falling(upper) > 0).any():
        upper = np.where(high, 4 * upper, upper)
    return upper


def _paule_mandel(y, v, k) -> np.ndarray:
    def excess(tau2, row):
        return _weighted(tau2, y[row], v[row])[2] - (k[row] - 1)

    every = np.arange(len(k))
    rows = every[excess(np.zeros(len(k)), every) > 0]
    tau2 = np.zeros(len(k))
    if len(rows):
        upper = _beyond(lambda at: excess(at, rows), _upper(y[rows], v[rows]))
        tau2[rows] = _root(excess, np.zeros(len(rows)), upper, rows)
    return tau2


def _reml(y, v, k) -> np.ndarray:
    """Every fall of the slope of the restricted likelihood is narrowed down; the highest wins."""

    def slope(tau2, row):
        w = 1 / (v[row] + np.asarray(tau2)[..., None])
        total = w.sum(-1)
        mean = (w * y[row]).sum(-1) / total
        squares = (w**2).sum(-1)
        return ((w * (y[row] - mean[..., None])) ** 2).sum(-1) - total + squares / total

    def likelihood(tau2, row):
        _, total, q = _weighted(tau2, y[row], v[row])
        kept = np.isfinite(v[row])
        logs = np.where(kept, np.log(np.where(kept, v[row], 1) + tau2[..., None]), 0).sum(-1)
        return -0.5 * (logs + np.log(total) + q)

    every = np.arange(len(k))
    upper = _beyond(lambda at: slope(at, every), _upper(y, v))
    steps = np.append(0.0, np.geomspace(1e-8, 1, _GRID))
    grid = upper[:, None] * steps
    slopes = np.stack([slope(grid[:, step], every) for step in range(grid.shape[1])], axis=1)
    row, step = np.nonzero((slopes[:, :-1] > 0) & (slopes[:, 1:] <= 0))
    best, tau2 = likelihood(np.zeros(len(k)), every), np.zeros(len(k))
    if len(row):
        peaks = _root(slope, grid[row, step], grid[row, step + 1], row)
        for place, peak, height in zip(row, peaks, likelihood(peaks, row), strict=True):
            if height > best[place]:
                best[place], tau2[place] = height, peak
    return tau2


def _root(function, low, high, rows) -> np.ndarray:
    found = elementwise.find_root(function, (low, high), args=(rows,), tolerances=_EXACT)
    return found.x


_ESTIMATORS = {
    "common": _common,
    "dl": _dersimonian_laird,
    "pm": _paule_mandel,
    "reml": _reml,
}
