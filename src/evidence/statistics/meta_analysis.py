"""Meta-analysis by inverse variance: tau² estimators, pooled means and meta-regression.

Effects `yi` and sampling variances `vi`, array_like of shape (K,), are on the scale of the analysis:
logarithms for ratios.
`method` names the model: `common` (common effect), or random effects with tau² estimated by `dl`
(DerSimonian-Laird), `pm` (Paule-Mandel) or `reml` (restricted maximum likelihood). `test` names
the confidence interval: `z` (Wald), `knha` (Knapp-Hartung, t quantiles) or `knha-adhoc` (the same,
but never narrower than Wald's standard error, which few studies that agree by chance would give).
Studies that agree to the last digit leave `knha` no residual to estimate the error from; Wald's
standard error then stands in, so that no interval has width zero.

All estimators work on stacks of study sets, arrays of shape (S, K); a study that is not part of a
set has an infinite variance, so that its weight is 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise
from scipy.special import chdtrc, chdtri, fdtrc, ndtr, ndtri, stdtr, stdtrit

METHODS = ("common", "dl", "pm", "reml")
TESTS = ("z", "knha", "knha-adhoc")
PREDICTIONS = {
    "t(k-2)": "estimate ± t(k − 2) · √(tau² + se²), Higgins, Thompson and Spiegelhalter 2009",
    "metafor": "estimate ± q · √(tau² + se²), q normal for z and t(k − 1) for knha, as in metafor",
}
"""Formulas of the prediction interval by name."""

_GRID = np.append(0.0, np.geomspace(1e-8, 1, 64))
_MAX_NEWTON_STEPS = 200
# A mean squared residual, relative to the variances, that is nothing but rounding.
_NO_RESIDUAL = 1e-20
# Roots are narrowed down to the last digits, so that results do not depend on the search.
_EPSILON = 4 * np.finfo(float).eps
_TOLERANCES = {"xatol": 1e-300, "xrtol": _EPSILON, "fatol": 0.0, "frtol": 0.0}


class WaldTest(NamedTuple):
    """Test that some coefficients are 0: chi-squared, or F if `df2` is finite."""

    statistic: float
    df: int
    df2: float
    p: float

    @property
    def symbol(self) -> str:
        """The letter of the statistic."""
        return "F" if np.isfinite(self.df2) else "Q"


@dataclass(frozen=True)
class Mean:
    """A pooled mean with its test, Cochran's Q and the prediction interval.

    `p` is two-sided; `df` is NaN for a normal test. `weights` has shape (K,) and adds up to 1.
    """

    k: int
    test: str
    confidence: float
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    df: float
    p: float
    Q: float
    Q_df: int
    Q_p: float
    pi_low: float
    pi_high: float
    weights: np.ndarray


@dataclass(frozen=True)
class PooledMean(Mean):
    """A mean of independent effects.

    I² is a percentage. The prediction interval and the confidence interval of tau² are NaN where
    they do not exist: both for a common effect, the former also for fewer than 3 studies.
    """

    method: str
    tau2: float
    tau2_low: float
    tau2_high: float
    I2: float
    H2: float
    pi_formula: str


@dataclass(frozen=True)
class Coefficients:
    """Coefficients with their tests, arrays of shape (p,), and the residual Q.

    `df` has shape (p,) too, and is NaN for a normal test.
    """

    beta: np.ndarray
    se: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    statistic: np.ndarray
    df: np.ndarray
    p: np.ndarray
    test: str
    Q: float
    Q_df: int
    Q_p: float

    def mean(self, column: int = 0) -> dict[str, Any]:
        """Return one coefficient, and what belongs to all, as fields of a `Mean`."""
        names = ("se", "ci_low", "ci_high", "statistic", "df", "p")
        numbers = {name: float(getattr(self, name)[column]) for name in names}
        shared = {name: getattr(self, name) for name in ("test", "Q", "Q_df", "Q_p")}
        return {"estimate": float(self.beta[column]), **numbers, **shared}


@dataclass(frozen=True)
class MetaRegression(Coefficients):
    """Coefficients of a meta-regression, and the residual heterogeneity."""

    tau2: float
    I2: float
    H2: float


class PooledSubsets(NamedTuple):
    """Pooled means of S subsets of studies, arrays of shape (S,); NaN for fewer than 2 studies."""

    k: np.ndarray
    estimate: np.ndarray
    se: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    tau2: np.ndarray


class _Sets(NamedTuple):
    """A stack of study sets: effects (S, K), variances (S, K), design matrices (S, K, p)."""

    y: np.ndarray
    v: np.ndarray
    x: np.ndarray

    @property
    def df(self) -> np.ndarray:
        """Residual degrees of freedom k - p of each set."""
        return np.isfinite(self.v).sum(-1) - self.x.shape[-1]

    def rows(self, index: np.ndarray) -> "_Sets":
        return _Sets(self.y[index], self.v[index], self.x[index])


class _Fit(NamedTuple):
    beta: np.ndarray
    covariance: np.ndarray
    residuals: np.ndarray


def check_effects(yi: ArrayLike, vi: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return effects and variances as float arrays of shape (K,), or refuse them.

    Raise `ValueError` for unequal or nested shapes, fewer than 2 studies, effects that are not
    finite, or variances that are not above 0.
    """
    yi, vi = np.asarray(yi, float), np.asarray(vi, float)
    if yi.shape != vi.shape or yi.ndim != 1:
        raise ValueError(f"yi and vi must be two lists of one length; got {yi.shape}, {vi.shape}")
    if len(yi) < 2:
        raise ValueError(f"pooling needs at least 2 studies; there are {len(yi)}")
    if not np.all(np.isfinite(yi)):
        raise ValueError("an effect is missing or infinite")
    if not np.all(np.isfinite(vi) & (vi > 0)):
        raise ValueError("a sampling variance is missing or not above 0")
    return yi, vi


def check_moderators(x: ArrayLike, k: int) -> np.ndarray:
    """Return a design matrix of shape (K, p), or refuse it.

    Raise `ValueError` for no more studies than coefficients, or columns that depend on each other.
    """
    x = np.asarray(x, float)
    p = x.shape[1]
    if k <= p:
        raise ValueError(f"{k} studies are too few for {p} coefficients")
    if np.linalg.matrix_rank(x) < p:
        raise ValueError("a moderator does not vary, or is a multiple of another")
    return x


def t_quantile(df: ArrayLike, confidence: float) -> np.ndarray:
    """Return the quantile of a two-sided interval: of t, or normal where `df` is NaN."""
    tail = (1 + confidence) / 2
    return np.where(np.isnan(df), ndtri(tail), stdtrit(df, tail))


def coefficient_tests(
    beta: np.ndarray, se: np.ndarray, df: ArrayLike, confidence: float
) -> dict[str, Any]:
    """Return coefficients with their tests and intervals; normal where `df` is NaN.

    A coefficient without a standard error has no statistic.
    """
    df = np.broadcast_to(np.asarray(df, float), beta.shape)
    half = t_quantile(df, confidence) * se
    statistic = np.divide(beta, se, out=np.full_like(beta, np.nan), where=se > 0)
    tails = -np.abs(statistic)
    return {
        "beta": beta,
        "se": se,
        "ci_low": beta - half,
        "ci_high": beta + half,
        "statistic": statistic,
        "df": df,
        "p": 2 * np.where(np.isnan(df), ndtr(tails), stdtr(df, tails)),
    }


def wald_test(beta: np.ndarray, covariance: np.ndarray, df: float = np.nan) -> WaldTest:
    """Test that coefficients are 0, by chi-squared or, with finite `df`, by F."""
    p = len(beta)
    statistic = float(beta @ np.linalg.solve(covariance, beta))
    if np.isfinite(df):
        return WaldTest(statistic / p, p, df, float(fdtrc(p, df, statistic / p)))
    return WaldTest(statistic, p, np.nan, float(chdtrc(p, statistic)))


def pool(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "reml",
    test: str = "knha-adhoc",
    confidence: float = 0.95,
    prediction: str = "t(k-2)",
    tau2: float | None = None,
) -> PooledMean:
    """Return the pooled mean of K studies.

    Raise `ValueError` for effects that cannot be pooled, or an unknown method, test or prediction.
    References: hartung2001, higgins2002, higgins2009, viechtbauer2007.

    Parameters
    ----------
    method : {"common", "dl", "pm", "reml"}
    test : {"z", "knha", "knha-adhoc"}
        A common effect always has test `z`.
    prediction : {"t(k-2)", "metafor"}
        Formula of the prediction interval, see `PREDICTIONS`.
    tau2 : float, optional
        Use this between-study variance instead of estimating it.
    """
    yi, vi = check_effects(yi, vi)
    _check_options(method, test, prediction)
    x = np.ones((len(yi), 1))
    fit = fit_regression(yi, vi, x, method=method, test=test, confidence=confidence, tau2=tau2)
    mean, k = fit.mean(), len(yi)
    tau2_low = tau2_high = half = np.nan
    if method != "common":
        tau2_low, tau2_high = _q_profile(_Sets(yi[None], vi[None], x[None]), confidence)
        if prediction == "metafor":
            quantile = float(t_quantile(mean["df"], confidence))
        else:
            quantile = float(stdtrit(k - 2, (1 + confidence) / 2)) if k > 2 else np.nan
        half = quantile * float(np.sqrt(fit.tau2 + mean["se"] ** 2))
    weights = 1 / (vi + fit.tau2)
    return PooledMean(
        k=k,
        method=method,
        confidence=confidence,
        **mean,
        tau2=fit.tau2,
        tau2_low=tau2_low,
        tau2_high=tau2_high,
        I2=fit.I2,
        H2=fit.H2,
        pi_low=mean["estimate"] - half,
        pi_high=mean["estimate"] + half,
        pi_formula="" if method == "common" else PREDICTIONS[prediction],
        weights=weights / weights.sum(),
    )


def pool_subsets(
    yi: ArrayLike,
    vi: ArrayLike,
    subsets: ArrayLike,
    *,
    method: str = "reml",
    test: str = "knha-adhoc",
    confidence: float = 0.95,
) -> PooledSubsets:
    """Return the pooled mean of each of S subsets of studies, all computed at once.

    Raise `ValueError` for an effect that is missing or a variance that is not above 0 in a subset.

    Parameters
    ----------
    yi, vi : array_like of shape (K,) or (S, K)
        Anything where a study is not in the subset.
    subsets : array_like of bool, shape (S, K)
    method, test, confidence
        As for `pool`.
    """
    _check_options(method, test)
    subsets = np.asarray(subsets, bool)
    yi, vi = (np.broadcast_to(np.asarray(values, float), subsets.shape) for values in (yi, vi))
    if not np.all(np.isfinite(yi[subsets]) & np.isfinite(vi[subsets]) & (vi[subsets] > 0)):
        raise ValueError("an effect is missing, or a sampling variance is not above 0")
    k = subsets.sum(axis=1)
    enough = k > 1
    columns = np.full((len(subsets), 5), np.nan)
    if enough.any():
        y, v = np.where(subsets, yi, 0.0)[enough], np.where(subsets, vi, np.inf)[enough]
        sets = _Sets(y, v, np.ones((*y.shape, 1)))
        tau2 = _estimate_tau2(method, sets)
        beta, se, half = _test_coefficients(sets, tau2, _used_test(method, test), confidence)
        mean, half = beta[:, 0], half[:, 0]
        columns[enough] = np.column_stack([mean, se[:, 0], mean - half, mean + half, tau2])
    return PooledSubsets(k, *columns.T)


def fit_regression(
    yi: ArrayLike,
    vi: ArrayLike,
    x: ArrayLike,
    *,
    method: str = "reml",
    test: str = "knha-adhoc",
    confidence: float = 0.95,
    tau2: float | None = None,
) -> MetaRegression:
    """Fit effects as a linear function of moderators.

    Raise `ValueError` for effects that cannot be pooled, too few studies for the number of
    coefficients, or moderators that are constant or multiples of each other. References: knapp2003.

    Parameters
    ----------
    x : array_like of shape (K, p)
        Moderators, including a column of ones for the intercept.
    tau2 : float, optional
        Use this residual between-study variance instead of estimating it.
    method, test, confidence
        As for `pool`.
    """
    yi, vi = check_effects(yi, vi)
    _check_options(method, test)
    x = check_moderators(x, len(yi))
    k, p = x.shape
    test = _used_test(method, test)
    sets = _Sets(yi[None], vi[None], x[None])
    tau2 = float(_estimate_tau2(method, sets)[0]) if tau2 is None else tau2
    beta, se, _ = (rows[0] for rows in _test_coefficients(sets, tau2, test, confidence))
    q = float(_generalised_q(0.0, sets)[0])
    if method == "common":
        h2 = q / (k - p)
        i2 = max(0.0, 100 * (1 - 1 / h2)) if q > 0 else 0.0
    else:
        # Higgins and Thompson's typical sampling variance.
        typical = (k - p) / float(_projection_trace(0.0, sets)[0])
        i2, h2 = 100 * tau2 / (tau2 + typical), 1 + tau2 / typical
    return MetaRegression(
        **coefficient_tests(beta, se, np.nan if test == "z" else k - p, confidence),
        test=test,
        tau2=tau2,
        I2=i2,
        H2=h2,
        Q=q,
        Q_df=k - p,
        Q_p=float(chdtrc(k - p, q)),
    )


def _check_options(method: str, test: str, prediction: str = "t(k-2)") -> None:
    for name, word, allowed in (
        ("method", method, METHODS),
        ("test", test, TESTS),
        ("prediction", prediction, PREDICTIONS),
    ):
        if word not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {word!r}")


def _used_test(method: str, test: str) -> str:
    return "z" if method == "common" else test


def _weights(tau2: ArrayLike, v: np.ndarray) -> np.ndarray:
    return 1 / (v + np.asarray(tau2)[..., None])


def _fit_weighted(w: np.ndarray, sets: _Sets) -> _Fit:
    """Weighted least squares: coefficients (S, p), covariances (S, p, p), residuals (S, K)."""
    transposed = np.swapaxes(sets.x, -1, -2)
    covariance = np.linalg.inv(transposed @ (w[..., None] * sets.x))
    beta = (covariance @ (transposed @ (w * sets.y)[..., None]))[..., 0]
    return _Fit(beta, covariance, sets.y - (sets.x @ beta[..., None])[..., 0])


def _test_coefficients(sets: _Sets, tau2, test: str, confidence: float):
    """Coefficients, standard errors and half widths of the intervals, each of shape (S, p)."""
    w = _weights(tau2, sets.v)
    beta, covariance, residuals = _fit_weighted(w, sets)
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    if test != "z":
        scale = (w * residuals**2).sum(-1) / sets.df
        is_bounded = (test == "knha-adhoc") | (scale < _NO_RESIDUAL)
        variance = variance * np.where(is_bounded, np.maximum(1.0, scale), scale)[:, None]
    se = np.sqrt(variance)
    df = np.where(test == "z", np.nan, sets.df)
    return beta, se, t_quantile(df, confidence)[..., None] * se


def _generalised_q(tau2: ArrayLike, sets: _Sets) -> np.ndarray:
    """Weighted squared residuals at a given tau²; Cochran's Q at 0. Falls as tau² grows."""
    w = _weights(tau2, sets.v)
    return (w * _fit_weighted(w, sets).residuals ** 2).sum(-1)


def _projection_trace(tau2: ArrayLike, sets: _Sets, fit: _Fit | None = None) -> np.ndarray:
    """Trace of P = W - WX(X'WX)⁻¹X'W."""
    w = _weights(tau2, sets.v)
    fit = fit or _fit_weighted(w, sets)
    squared = np.swapaxes(sets.x, -1, -2) @ ((w**2)[..., None] * sets.x)
    return w.sum(-1) - np.trace(fit.covariance @ squared, axis1=-2, axis2=-1)


def _dersimonian_laird(sets: _Sets) -> np.ndarray:
    """Moment estimator of tau² (dersimonian1986)."""
    return np.maximum(0.0, (_generalised_q(0.0, sets) - sets.df) / _projection_trace(0.0, sets))


def _paule_mandel(sets: _Sets) -> np.ndarray:
    """Find the tau² at which Q equals its degrees of freedom (paule1982)."""
    return _tau2_at_q(sets.df, sets)


def _restricted_maximum_likelihood(sets: _Sets) -> np.ndarray:
    """Find the tau² of greatest restricted likelihood (viechtbauer2005)."""
    return highest_points(
        lambda tau2, row: _restricted_likelihood(tau2, sets.rows(row)),
        lambda tau2, row: _likelihood_slope(tau2, sets.rows(row)),
        _variance_bound(sets),
    )


def highest_points(
    height: Callable[[np.ndarray, np.ndarray], np.ndarray],
    slope: Callable[[np.ndarray, np.ndarray], np.ndarray],
    upper: np.ndarray,
    grid: np.ndarray = _GRID,
) -> np.ndarray:
    """Return where each of S functions on [0, ∞) is highest, searched first up to `upper` (S,).

    `height` and `slope` are called with points and the numbers of their functions, arrays that
    broadcast together. Steps along the slope can jump over a maximum for ever. Instead, the sign of
    the slope is taken on a grid, each change from rise to fall is narrowed down, and the highest
    maximum wins.
    """
    row = np.arange(len(upper))
    while (rising := slope(upper, row) > 0).any():
        upper = np.where(rising, 4 * upper, upper)
    points = upper[:, None] * grid
    slopes = slope(points, row[:, None])
    number, step = np.nonzero((slopes[:, :-1] > 0) & (slopes[:, 1:] <= 0))
    best = np.zeros(len(upper))
    if len(number):
        ends = (points[number, step], points[number, step + 1])
        root = elementwise.find_root(slope, ends, args=(number,), tolerances=_TOLERANCES)
        best_height = height(best, row)
        heights = height(root.x, number)
        for index, peak, peak_height in zip(number, root.x, heights, strict=True):
            if peak_height > best_height[index]:
                best[index], best_height[index] = peak, peak_height
    return best


def _likelihood_slope(tau2: np.ndarray, sets: _Sets) -> np.ndarray:
    """Twice the slope of the restricted log-likelihood."""
    w = _weights(tau2, sets.v)
    fit = _fit_weighted(w, sets)
    return ((w * fit.residuals) ** 2).sum(-1) - _projection_trace(tau2, sets, fit)


def _restricted_likelihood(tau2: np.ndarray, sets: _Sets) -> np.ndarray:
    """Twice the restricted log-likelihood, up to a constant."""
    w = _weights(tau2, sets.v)
    logs = np.log(w, out=np.zeros_like(w), where=w > 0).sum(-1)
    fit = _fit_weighted(w, sets)
    _, determinant = np.linalg.slogdet(fit.covariance)
    return logs + determinant - (w * fit.residuals**2).sum(-1)


def _estimate_tau2(method: str, sets: _Sets) -> np.ndarray:
    estimators = {
        "dl": _dersimonian_laird,
        "pm": _paule_mandel,
        "reml": _restricted_maximum_likelihood,
    }
    return np.zeros(len(sets.y)) if method == "common" else estimators[method](sets)


def _q_profile(sets: _Sets, confidence: float) -> tuple[float, float]:
    """Confidence interval of tau² of one set; an end is 0 where Q is below its quantile there."""
    upper_tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = _tau2_at_q(chdtri(sets.df, upper_tails), sets.rows(np.zeros(2, int)))
    return float(low), float(high)


def _tau2_at_q(target: np.ndarray, sets: _Sets) -> np.ndarray:
    """Find the tau² at which Q falls to each set's target; 0 if Q is below it from the start."""
    # Q is a convex, falling function of tau²: Newton's steps from 0 approach the root from below.
    tau2 = np.zeros(len(sets.y))
    for _ in range(_MAX_NEWTON_STEPS):
        w = _weights(tau2, sets.v)
        residuals = _fit_weighted(w, sets).residuals
        excess = (w * residuals**2).sum(-1) - target
        steps = np.divide(
            excess, ((w * residuals) ** 2).sum(-1), out=np.zeros_like(tau2), where=excess > 0
        )
        if not (steps > _EPSILON * tau2).any():
            break
        tau2 = tau2 + steps
    return tau2


def _variance_bound(sets: _Sets) -> np.ndarray:
    """Bound tau² by the larger of the effects' variance and the largest vi."""
    member = np.isfinite(sets.v)
    largest = np.max(sets.v, axis=-1, where=member, initial=0.0)
    return np.maximum(largest, np.var(sets.y, axis=-1, where=member))
