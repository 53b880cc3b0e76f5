"""Time course: how an effect declines with the time since the last dose, over several studies.

Effect j of study i, measured t days after the last dose, is y_ij = f_i(t_ij) + e_ij. Sampling errors
of one study come from the same participants and correlate by an assumed rho, as in `three_level`.
`shape` names the decline f_i from `start`, the earliest of the times:

- `log`: b0 + u_i + b1·log(t / start), fitted by REML;
- `exponential`: (b0 + u_i)·exp(-b1·(t - start)), fitted by ML along the profile of the rate b1.

The effect at the start varies between studies: u_i ~ N(0, tau2). In an exponential the variation
declines too, or a constant that differs from 0 could take the place of the effect.

The half-life is the time after `start` in which f halves. Its CI is the set of half-lives that a
test at the same level does not reject: Fieller's for `log`, that of the profile likelihood for
`exponential`. Both can be unbounded, which an interval by the delta method never shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.special import stdtr, stdtrit

from evidence.statistics.meta_analysis import check_effects
from evidence.statistics.three_level import DEFAULT_RHO

SHAPES = ("log", "exponential")
MIN_STUDIES = 3
"""Two coefficients and a variance between studies need at least this many."""

_TAU2_GRID = np.append(0.0, np.geomspace(1e-8, 1, 32))
_RATE_STEPS = 40


class HalfLife(NamedTuple):
    """Days after the start in which the effect halves, with a CI.

    `estimate` is infinite if the effect does not decline, `high` if the data do not rule that out,
    and `low` too if they rule out any decline. `low` is 0 if even an immediate end is possible.
    """

    estimate: float
    low: float
    high: float


class TimePrediction(NamedTuple):
    """Predicted effects, arrays with the shape of `days`."""

    days: np.ndarray
    estimate: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray


@dataclass(frozen=True)
class TimeCourse:
    """A fitted time course.

    `beta` is (b0, b1): the effect at `start`, and its slope per unit of log time or its rate per
    day. Intervals use t with `df` = studies - 2. `weights` is the share of each study, in order of
    appearance, in the information on the curve; it adds up to 1.
    """

    shape: str
    rho: float
    confidence: float
    k: int
    studies: int
    start: float
    beta: np.ndarray
    covariance: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    p: np.ndarray
    df: int
    tau2: float
    log_likelihood: float
    weights: np.ndarray
    half_life: HalfLife

    def predict(self, days: ArrayLike) -> TimePrediction:
        """Return the effect at each time since the last dose, on the scale of analysis."""
        days = np.asarray(days, float)
        value, gradient = _curve(self.shape, days.ravel(), self.start, self.beta)
        se = np.sqrt(np.einsum("ij,jk,ik->i", gradient, self.covariance, gradient))
        half = _quantile(self.df, self.confidence) * se
        columns = (value, value - half, value + half)
        return TimePrediction(days, *(column.reshape(days.shape) for column in columns))


class _Effects(NamedTuple):
    """Effects with their standard errors, and their studies as indicators of shape (K, studies)."""

    y: np.ndarray
    se: np.ndarray
    membership: np.ndarray
    rho: float


class _Sums(NamedTuple):
    """What the likelihood of a linear model depends on.

    By study, `varying`, `x` and `y` are products of the first column of the design with itself, with
    all columns and with the effects.
    """

    information: np.ndarray
    cross: np.ndarray
    squares: float
    varying: np.ndarray
    x: np.ndarray
    y: np.ndarray


class _Fit(NamedTuple):
    """Coefficients at one tau2, and twice their (restricted) log-likelihood up to a constant."""

    height: float
    tau2: float
    beta: np.ndarray
    information: np.ndarray


def fit_time_course(
    yi: ArrayLike,
    vi: ArrayLike,
    days: ArrayLike,
    study: Sequence,
    *,
    shape: str = "log",
    rho: float = DEFAULT_RHO,
    confidence: float = 0.95,
) -> TimeCourse:
    """Fit one decline to K effects of several studies.

    Raise `ValueError` for effects that cannot be pooled, fewer than 3 studies, times that are not
    above 0 or all equal, an unknown shape, or an exponential that the data do not determine.
    References: fieller1954, konstantopoulos2011, venzon1988.

    Parameters
    ----------
    yi, vi, days, study : array_like of shape (K,)
        Effects, sampling variances, days since the last dose and the study of each effect.
    shape : {"log", "exponential"}
    rho : float
        Assumed correlation between the sampling errors of one study, from 0 up to below 1.
    """
    yi, vi = check_effects(yi, vi)
    days = np.asarray(days, float)
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}; got {shape!r}")
    if not 0 <= rho < 1:
        raise ValueError(f"rho must be at least 0 and below 1; got {rho:g}")
    if not len(days) == len(study) == len(yi):
        raise ValueError("effects, times and studies must be lists of one length")
    if not np.all(np.isfinite(days) & (days > 0)):
        raise ValueError("a time is missing or not above 0")
    if days.min() == days.max():
        raise ValueError("all times are equal; a time course needs times that differ")
    start = float(days.min())
    names = list(dict.fromkeys(study))
    studies = len(names)
    if studies < MIN_STUDIES:
        raise ValueError(f"a time course needs at least {MIN_STUDIES} studies; there are {studies}")
    df = studies - 2
    cutoff = _quantile(df, confidence)
    membership = np.array([[name == own for name in names] for own in study], float)
    effects = _Effects(yi, np.sqrt(vi), membership, float(rho))
    if shape == "log":
        _, design = _curve(shape, days, start, np.zeros(2))
        fit = _best_fit(effects, design, restricted=True)
        half_life = _fieller_half_life(fit, start, cutoff)
    else:
        # The likelihood ratio at which a regression with one effect per study rejects by t.
        ratio = studies * float(np.log1p(cutoff**2 / df))
        fit, half_life = _fit_exponential(effects, days - start, ratio)
        _, design = _curve(shape, days, start, fit.beta)
        fit = fit._replace(information=_information(effects, design, fit.tau2).sum(axis=0))
    covariance = np.linalg.inv(fit.information)
    constant = len(yi) * np.log(2 * np.pi) + _log_determinant(effects)
    if shape == "log":
        constant -= 2 * np.log(2 * np.pi) + np.linalg.slogdet(design.T @ design)[1]
    se = np.sqrt(np.diag(covariance))
    return TimeCourse(
        shape=shape,
        rho=float(rho),
        confidence=confidence,
        k=len(yi),
        studies=studies,
        start=start,
        beta=fit.beta,
        covariance=covariance,
        ci_low=fit.beta - cutoff * se,
        ci_high=fit.beta + cutoff * se,
        p=2 * stdtr(df, -np.abs(fit.beta) / se),
        df=df,
        tau2=fit.tau2,
        log_likelihood=(fit.height - constant) / 2,
        weights=np.einsum("ipq,pq->i", _information(effects, design, fit.tau2), covariance) / 2,
        half_life=half_life,
    )


def _quantile(df: int, confidence: float) -> float:
    return float(stdtrit(df, (1 + confidence) / 2))


def _curve(
    shape: str, days: np.ndarray, start: float, beta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the curve at these times, and its derivatives by the coefficients."""
    if shape == "log":
        gradient = np.column_stack([np.ones_like(days), np.log(days / start)])
        return gradient @ beta, gradient
    decay = np.exp(-beta[1] * (days - start))
    return beta[0] * decay, np.column_stack([decay, -beta[0] * (days - start) * decay])


def _precision_times(effects: _Effects, columns: np.ndarray) -> np.ndarray:
    """Multiply columns of shape (K, p) by the inverse of the sampling covariance.

    The correlations of one study are all rho, so that its inverse is known (Sherman-Morrison).
    """
    _, se, membership, rho = effects
    scaled = columns / se[:, None]
    share = rho / (1 - rho + rho * membership.sum(axis=0))
    sums = membership @ (share[:, None] * (membership.T @ scaled))
    return (scaled - sums) / ((1 - rho) * se[:, None])


def _log_determinant(effects: _Effects) -> float:
    sizes, rho = effects.membership.sum(axis=0), effects.rho
    by_study = (sizes - 1) * np.log1p(-rho) + np.log(1 - rho + sizes * rho)
    return float(2 * np.log(effects.se).sum() + by_study.sum())


def _sum_by_study(effects: _Effects, design: np.ndarray) -> _Sums:
    """Return the sums from which a linear model follows at any variance between studies.

    The first coefficient varies between studies, which adds a matrix of rank one per study.
    """
    y, _, membership, _ = effects
    weighted = _precision_times(effects, np.column_stack([design, y]))
    varying = membership * weighted[:, :1]
    return _Sums(
        information=design.T @ weighted[:, :-1],
        cross=design.T @ weighted[:, -1],
        squares=float(y @ weighted[:, -1]),
        varying=varying.T @ design[:, 0],
        x=varying.T @ design,
        y=varying.T @ y,
    )


def _evaluate(sums: _Sums, tau2: np.ndarray, *, restricted: bool) -> tuple[np.ndarray, ...]:
    """Return height, coefficients and information of a linear model at each of several tau2."""
    shrinkage = tau2[:, None] / (1 + tau2[:, None] * sums.varying)
    products = sums.x[:, :, None] * sums.x[:, None, :]
    information = sums.information - np.tensordot(shrinkage, products, 1)
    cross = sums.cross - shrinkage @ (sums.x * sums.y[:, None])
    beta = np.linalg.solve(information, cross[..., None])[..., 0]
    squares = sums.squares - shrinkage @ sums.y**2 - (beta * cross).sum(axis=1)
    height = -np.log1p(tau2[:, None] * sums.varying).sum(axis=1) - squares
    if restricted:
        height -= np.linalg.slogdet(information)[1]
    return height, beta, information


def _tau2_grid(effects: _Effects) -> np.ndarray:
    # Squares about 0: a curve that falls to 0 leaves them to the variance between studies.
    return _TAU2_GRID * 4 * max(float(np.mean(effects.y**2)), float(effects.se.max()) ** 2)


def _best_fit(effects: _Effects, design: np.ndarray, *, restricted: bool) -> _Fit:
    """Fit a linear model at the tau2 of greatest likelihood."""
    sums, grid = _sum_by_study(effects, design), _tau2_grid(effects)
    heights = _evaluate(sums, grid, restricted=restricted)[0]
    best = int(heights.argmax())
    tau2 = 0.0
    if best:
        ends = grid[best - 1], grid[min(best + 1, len(grid) - 1)]
        tau2 = minimize_scalar(
            lambda tau2: -_evaluate(sums, np.array([tau2]), restricted=restricted)[0][0],
            bounds=ends,
            method="bounded",
            options={"xatol": 1e-9 * ends[1]},
        ).x
    height, beta, information = _evaluate(sums, np.array([tau2]), restricted=restricted)
    return _Fit(float(height[0]), float(tau2), beta[0], information[0])


def _fieller_half_life(fit: _Fit, start: float, cutoff: float) -> HalfLife:
    """Return the half-life on the log scale of time, with Fieller's interval.

    The effect has halved h log units after the start if b0/2 + b1·h = 0; the interval holds every
    h at which this sum does not differ from 0.
    """

    def days(h: float) -> float:
        return float(start * np.expm1(min(h, 700.0)))

    beta = fit.beta
    products = np.outer(beta, beta) - cutoff**2 * np.linalg.inv(fit.information)
    a, b, c = products[1, 1], products[0, 1], products[0, 0] / 4
    roots = np.sort(np.roots([a, b, c]).real) if b**2 >= 4 * a * c else np.array([])
    limits = (0.0, np.inf)
    if a > 0:
        limits = (roots[0], roots[1]) if len(roots) and roots[1] > 0 else (np.inf, np.inf)
    elif len(roots) and roots[0] < 0 < roots[1]:
        limits = (roots[1], np.inf)
    declines = beta[0] * beta[1] < 0
    estimate = days(-beta[0] / (2 * beta[1])) if declines else np.inf
    low, high = (days(max(h, 0.0)) if np.isfinite(h) else h for h in limits)
    return HalfLife(estimate, low, high)


def _fit_exponential(effects: _Effects, elapsed: np.ndarray, ratio: float) -> tuple[_Fit, HalfLife]:
    """Fit an exponential along the profile of its rate, with the half-life that follows."""

    def design(rate: float) -> np.ndarray:
        return np.exp(-rate * elapsed)[:, None]

    def fit(rate: float) -> _Fit:
        return _best_fit(effects, design(rate), restricted=False)

    # From growth tenfold over the observed times, over none, to an end right after the first one.
    positive = np.geomspace(1e-2 / elapsed.max(), 30 / elapsed[elapsed > 0].min(), _RATE_STEPS)
    grid = np.concatenate([-positive[positive < 2.5 / elapsed.max()][::-1], [0.0], positive])
    sums = [_sum_by_study(effects, design(rate)) for rate in grid]
    tau2 = _tau2_grid(effects)
    # Close below the profile: good enough to choose where to search.
    heights = np.array([_evaluate(s, tau2, restricted=False)[0].max() for s in sums])
    best = int(heights.argmax())
    if best in (0, len(grid) - 1):
        raise ValueError("the effects determine no rate of an exponential decline")
    rate = float(
        minimize_scalar(
            lambda rate: -fit(rate).height,
            bounds=(grid[best - 1], grid[best + 1]),
            method="bounded",
            options={"xatol": 1e-8 * (grid[best + 1] - grid[best - 1])},
        ).x
    )
    fitted = fit(rate)
    lowest = fitted.height - ratio

    def limit(outwards: np.ndarray) -> float:
        """Find the farthest rate that is not rejected; infinite beyond the grid."""
        inside = np.flatnonzero(heights[outwards] >= lowest)
        step = int(inside[-1]) + 1 if len(inside) else 0
        while step < len(outwards) and fit(grid[outwards[step]]).height >= lowest:
            step += 1
        if step == len(outwards):
            return float(np.copysign(np.inf, grid[outwards[-1]] - rate))
        near = grid[outwards[step - 1]] if step else rate
        ends = near, grid[outwards[step]]
        return float(brentq(lambda r: fit(r).height - lowest, *ends, xtol=1e-12, rtol=1e-10))

    low, high = limit(np.arange(best)[::-1]), limit(np.arange(best + 1, len(grid)))
    half_lives = [np.log(2) / r if r > 0 else np.inf for r in (rate, high, low)]
    beta = np.array([fitted.beta[0], rate])
    return fitted._replace(beta=beta), HalfLife(*map(float, half_lives))


def _information(effects: _Effects, design: np.ndarray, tau2: float) -> np.ndarray:
    """Return the information of each study on the coefficients, of shape (studies, p, p)."""
    sums = _sum_by_study(effects, design)
    weighted = _precision_times(effects, design)
    products = np.einsum("ki,kp,kq->ipq", effects.membership, design, weighted)
    return products - np.einsum("i,ip,iq->ipq", tau2 / (1 + tau2 * sums.varying), sums.x, sums.x)
