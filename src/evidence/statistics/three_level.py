"""Three-level random effects: several correlated effects per study in one pooled mean.

Effect i of study j is y_ij = mu + u_j + w_ij + e_ij, with u_j ~ N(0, between) among the studies,
w_ij ~ N(0, within) among the effects of one study, and sampling errors e_ij with variances vi.
Sampling errors of one study come from the same participants; papers rarely state how they
correlate, so that one correlation rho is assumed for all of them (the working covariance). Robust
variance estimation (CR2) keeps its level also where rho is wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise
from scipy.special import chdtrc, chdtri, ndtr, ndtri, stdtr, stdtrit

from evidence.statistics.meta_analysis import check_effects

TESTS = ("cr2", "t", "z")
"""Tests of the mean: robust (CR2), model-based with t(studies − 1), and model-based normal."""
DEFAULT_RHO = 0.6
RHOS = (0.0, 0.2, 0.4, 0.6, 0.8)

_GRID = np.append(0.0, np.geomspace(1e-6, 1, 32))
_TOLERANCES = {"xatol": 1e-300, "xrtol": 1e-13, "fatol": 0.0, "frtol": 0.0}


@dataclass(frozen=True)
class ThreeLevelMean:
    """A pooled mean of correlated effects, with the variances between and within studies.

    `se`, `ci_low`, `ci_high`, `statistic`, `df` and `p` (two-sided) are those of `test`; `model_se`
    is the model-based standard error, `robust_se` and `robust_df` are CR2's. I² of a level is a
    percentage. `weights` has shape (K,) and adds up to 1.
    """

    k: int
    studies: int
    rho: float
    test: str
    confidence: float
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    df: float
    p: float
    model_se: float
    robust_se: float
    robust_df: float
    between: float
    between_low: float
    between_high: float
    within: float
    within_low: float
    within_high: float
    I2_between: float
    I2_within: float
    Q: float
    Q_df: int
    Q_p: float
    log_likelihood: float
    pi_low: float
    pi_high: float
    weights: np.ndarray

    @property
    def I2(self) -> float:  # noqa: N802 - the name in the field
        """The share of the variance that is not sampling error, in percent."""
        return self.I2_between + self.I2_within


class _Effects(NamedTuple):
    """Effects sorted by study, and each study's covariance in its eigenvectors.

    With V = Q L Q' for one study, V + within·I has the same eigenvectors, and the variance between
    studies adds a matrix of rank one, so that every likelihood is a sum over effects.
    """

    y: np.ndarray
    starts: np.ndarray
    covariances: list[np.ndarray]
    eigenvalues: np.ndarray
    ones: np.ndarray
    rotated: np.ndarray


class _Likelihood(NamedTuple):
    """Twice the restricted log-likelihood, up to a constant, with its slopes."""

    height: np.ndarray
    between_slope: np.ndarray
    within_slope: np.ndarray


def pool_three_level(
    yi: ArrayLike,
    vi: ArrayLike,
    study: Sequence,
    *,
    rho: float = DEFAULT_RHO,
    test: str = "cr2",
    confidence: float = 0.95,
    variances: tuple[float, float] | None = None,
) -> ThreeLevelMean:
    """Return the pooled mean of K effects nested in studies, with both variances by REML.

    Parameters
    ----------
    study : sequence of shape (K,)
        The study of each effect; effects of one study need not be neighbours.
    rho : float
        Assumed correlation between the sampling errors of one study, from 0 up to below 1.
    test : {"cr2", "t", "z"}
        `cr2` is robust, with Satterthwaite's degrees of freedom; `t` and `z` rest on the model.
    variances : (float, float), optional
        Use these variances between and within studies instead of estimating them; their
        intervals are then NaN.

    Raises
    ------
    ValueError
        Effects that cannot be pooled, fewer than 2 studies, no study with 2 effects, or an
        unknown test.

    References
    ----------
    konstantopoulos2011, pustejovsky2018.
    """
    yi, vi = check_effects(yi, vi)
    if test not in TESTS:
        raise ValueError(f"test must be one of {', '.join(TESTS)}; got {test!r}")
    if not 0 <= rho < 1:
        raise ValueError(f"rho must be at least 0 and below 1; got {rho:g}")
    effects, order = _sort_by_study(yi, vi, study, rho)
    studies, k = len(effects.starts), len(yi)
    if studies < 2:
        raise ValueError("three-level pooling needs at least 2 studies; there is 1")
    if studies == k:
        raise ValueError("no study has two effects: variance within studies cannot be estimated")
    ends = (np.nan, np.nan)
    between, within = variances or _estimate_variances(effects)
    between_ends = within_ends = ends
    if variances is None:
        lowest = float(_restricted_likelihood(effects, between, within).height) - float(
            chdtri(1, 1 - confidence)
        )
        between_ends = _profile_interval(effects, _best_within, between, lowest)
        within_ends = _profile_interval(effects, _best_between, within, lowest)
    covariances = [block + between + within * np.eye(len(block)) for block in effects.covariances]
    inverses = [np.linalg.inv(block) for block in covariances]
    row_sums = [inverse.sum(axis=0) for inverse in inverses]
    total = sum(map(np.sum, row_sums))
    weights = np.concatenate(row_sums) / total
    estimate = float(weights @ effects.y)
    model_se = float(np.sqrt(1 / total))
    robust_se, robust_df = _cr2(effects, covariances, inverses, estimate)
    se, df = {
        "cr2": (robust_se, robust_df),
        "t": (model_se, float(studies - 1)),
        "z": (model_se, np.nan),
    }[test]
    tail = (1 + confidence) / 2
    quantile = float(ndtri(tail) if test == "z" else stdtrit(df, tail))
    statistic = estimate / se if se > 0 else np.nan
    spread = float(np.sqrt(se**2 + between + within))
    q, typical = _sampling_errors(effects)
    share = 100 / (between + within + typical)
    unsorted = np.empty(k)
    unsorted[order] = weights
    return ThreeLevelMean(
        k=k,
        studies=studies,
        rho=float(rho),
        test=test,
        confidence=confidence,
        estimate=estimate,
        se=se,
        ci_low=estimate - quantile * se,
        ci_high=estimate + quantile * se,
        statistic=statistic,
        df=df,
        p=float(2 * (ndtr(-abs(statistic)) if test == "z" else stdtr(df, -abs(statistic)))),
        model_se=model_se,
        robust_se=robust_se,
        robust_df=robust_df,
        between=between,
        between_low=between_ends[0],
        between_high=between_ends[1],
        within=within,
        within_low=within_ends[0],
        within_high=within_ends[1],
        I2_between=share * between,
        I2_within=share * within,
        Q=q,
        Q_df=k - 1,
        Q_p=float(chdtrc(k - 1, q)),
        log_likelihood=_log_likelihood(effects, between, within),
        pi_low=estimate - quantile * spread,
        pi_high=estimate + quantile * spread,
        weights=unsorted,
    )


def sensitivity_to_rho(
    yi: ArrayLike, vi: ArrayLike, study: Sequence, *, rhos: Sequence[float] = RHOS, **options
) -> list[ThreeLevelMean]:
    """Return the three-level mean for each assumed correlation; `options` as above."""
    return [pool_three_level(yi, vi, study, rho=rho, **options) for rho in rhos]


def _sort_by_study(
    yi: np.ndarray, vi: np.ndarray, study: Sequence, rho: float
) -> tuple[_Effects, np.ndarray]:
    """Return the effects study by study, and the order that sorts them."""
    if len(study) != len(yi):
        raise ValueError(f"there are {len(yi)} effects, but {len(study)} studies named for them")
    _, numbers = np.unique(np.asarray(study).astype(str), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    y = yi[order]
    covariances, parts = [], []
    # The likelihood does not depend on the origin; a near one keeps its digits.
    centred = np.split(y - y.mean(), starts[1:])
    for block, variances in zip(centred, np.split(vi[order], starts[1:]), strict=True):
        se = np.sqrt(variances)
        covariance = rho * np.outer(se, se)
        np.fill_diagonal(covariance, variances)
        eigenvalues, vectors = np.linalg.eigh(covariance)
        covariances.append(covariance)
        parts.append((eigenvalues, vectors.sum(axis=0), block @ vectors))
    columns = map(np.concatenate, zip(*parts, strict=True))
    return _Effects(y, starts, covariances, *columns), order


def _restricted_likelihood(effects: _Effects, between: ArrayLike, within: ArrayLike) -> _Likelihood:
    """Evaluate the restricted likelihood at pairs of variances, arrays of one shape."""
    between = np.asarray(between, float)[..., None]
    w = 1 / (effects.eigenvalues + np.asarray(within, float)[..., None])

    def by_study(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, effects.starts, axis=-1)

    products = (effects.ones**2, effects.ones * effects.rotated, effects.rotated**2)
    s, t, u = (by_study(w * product) for product in products)
    ds, dt, du = (-by_study(w**2 * product) for product in products)
    shrinkage = 1 / (1 + between * s)
    ones, cross = (s * shrinkage).sum(-1), (t * shrinkage).sum(-1)
    squares = (u - between * t**2 * shrinkage).sum(-1)
    mean = cross / ones
    height = np.log(w).sum(-1) + np.log(shrinkage).sum(-1) - np.log(ones) - squares + cross * mean

    def slope(log_determinant, ones_slope, cross_slope, squares_slope):
        residual = squares_slope - 2 * mean * cross_slope + mean**2 * ones_slope
        return -log_determinant - ones_slope / ones - residual

    between_slope = slope(
        (s * shrinkage).sum(-1),
        -((s * shrinkage) ** 2).sum(-1),
        -(s * t * shrinkage**2).sum(-1),
        -((t * shrinkage) ** 2).sum(-1),
    )
    change = between * ds * shrinkage
    within_slope = slope(
        w.sum(-1) + change.sum(-1),
        (ds * shrinkage**2).sum(-1),
        (shrinkage * (dt - t * change)).sum(-1),
        (du - between * shrinkage * t * (2 * dt - t * change)).sum(-1),
    )
    return _Likelihood(height, between_slope, within_slope)


def _log_likelihood(effects: _Effects, between: float, within: float) -> float:
    k = len(effects.y)
    height = float(_restricted_likelihood(effects, between, within).height)
    return (height + np.log(k) - (k - 1) * np.log(2 * np.pi)) / 2


def _maximise(
    evaluate: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    count: int,
    upper: float,
) -> np.ndarray:
    """Return where each of several functions on [0, ∞) is highest.

    `evaluate` returns heights and slopes at points, given with the number of their function. The
    sign of the slope is taken on a grid, each change from rise to fall is narrowed down, and the
    highest maximum wins: steps along the slope can miss it where there are several.
    """
    row = np.arange(count)
    while (evaluate(np.full(count, upper), row)[1] > 0).any():
        upper *= 4
    grid = upper * _GRID
    heights, slopes = (
        values.reshape(count, -1)
        for values in evaluate(np.tile(grid, count), np.repeat(row, len(grid)))
    )
    best, best_height = np.zeros(count), heights[:, 0].copy()
    row, step = np.nonzero((slopes[:, :-1] > 0) & (slopes[:, 1:] <= 0))
    if len(row):
        root = elementwise.find_root(
            lambda point, number: evaluate(point, number)[1],
            (grid[step], grid[step + 1]),
            args=(row,),
            tolerances=_TOLERANCES,
        )
        root_heights, _ = evaluate(root.x, row)
        for number, point, height in zip(row, root.x, root_heights, strict=True):
            if height > best_height[number]:
                best[number], best_height[number] = point, height
    return best


def _best_between(effects: _Effects, within: np.ndarray) -> np.ndarray:
    """Return the variance between studies of greatest likelihood, for each one within."""

    def evaluate(between, number):
        found = _restricted_likelihood(effects, between, within[number])
        return found.height, found.between_slope

    return _maximise(evaluate, len(within), _variance_bound(effects))


def _best_within(effects: _Effects, between: np.ndarray) -> np.ndarray:
    """Return the variance within studies of greatest likelihood, for each one between."""

    def evaluate(within, number):
        found = _restricted_likelihood(effects, between[number], within)
        return found.height, found.within_slope

    return _maximise(evaluate, len(between), _variance_bound(effects))


def _estimate_variances(effects: _Effects) -> tuple[float, float]:
    """Find the two variances, between and within studies, of greatest restricted likelihood."""

    # Along the best variance between studies, the slope of the profile is the partial one.
    def evaluate(within, _):
        found = _restricted_likelihood(effects, _best_between(effects, within), within)
        return found.height, found.within_slope

    within = _maximise(evaluate, 1, _variance_bound(effects))
    return float(_best_between(effects, within)[0]), float(within[0])


def _profile_interval(
    effects: _Effects, best_other: Callable, estimate: float, lowest: float
) -> tuple[float, float]:
    """Find where the profile likelihood of one variance falls to `lowest`; 0 if it never does."""

    def excess(value):
        other = best_other(effects, np.ravel(value))
        pair = (np.ravel(value), other) if best_other is _best_within else (other, np.ravel(value))
        return (_restricted_likelihood(effects, *pair).height - lowest).reshape(np.shape(value))

    def crossing(low: float, high: float) -> float:
        return float(elementwise.find_root(excess, (low, high), tolerances={"xrtol": 1e-10}).x)

    upper = 2 * max(estimate, _variance_bound(effects))
    while excess(np.array(upper)) > 0:
        upper *= 4
    low = crossing(0.0, estimate) if estimate > 0 and excess(np.array(0.0)) < 0 else 0.0
    return low, crossing(estimate, upper)


def _variance_bound(effects: _Effects) -> float:
    return max(float(np.var(effects.y)), *(float(v.max()) for v in effects.covariances))


def _cr2(
    effects: _Effects,
    covariances: list[np.ndarray],
    inverses: list[np.ndarray],
    estimate: float,
) -> tuple[float, float]:
    """Return the bias-reduced robust standard error of the mean and its degrees of freedom.

    Study by study, residuals are adjusted so that the variance is unbiased if the working model
    is right (pustejovsky2018); the degrees of freedom are Satterthwaite's under that model.
    """
    variance = 1 / sum(inverse.sum() for inverse in inverses)
    scores, own, totals = [], [], []
    blocks = np.split(effects.y - estimate, effects.starts[1:])
    for residuals, covariance, inverse in zip(blocks, covariances, inverses, strict=True):
        root = np.linalg.cholesky(covariance)
        values, vectors = np.linalg.eigh(root.T @ (covariance - variance) @ root)
        adjustment = root @ (vectors / np.sqrt(values)) @ vectors.T @ root.T
        g = variance * adjustment @ inverse.sum(axis=0)
        scores.append(g @ residuals)
        own.append(g @ covariance @ g)
        totals.append(g.sum())
    products = np.diag(own) - variance * np.outer(totals, totals)
    df = np.trace(products) ** 2 / (products**2).sum()
    return float(np.sqrt(np.square(scores).sum())), float(df)


def _sampling_errors(effects: _Effects) -> tuple[float, float]:
    """Return Q, and the typical sampling variance of Higgins and Thompson, from V alone."""
    inverses = [np.linalg.inv(block) for block in effects.covariances]
    row_sums = [inverse.sum(axis=0) for inverse in inverses]
    total = sum(map(np.sum, row_sums))
    mean = np.concatenate(row_sums) @ effects.y / total
    residuals = np.split(effects.y - mean, effects.starts[1:])
    q = sum(r @ inverse @ r for r, inverse in zip(residuals, inverses, strict=True))
    trace = sum(map(np.trace, inverses)) - sum(np.square(sums).sum() for sums in row_sums) / total
    return float(q), float((len(effects.y) - 1) / trace)
