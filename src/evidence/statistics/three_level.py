"""Three-level random effects: several correlated effects per study in one mean or regression.

Effect i of study j is y_ij = x_ij·beta + u_j + w_ij + e_ij, with u_j ~ N(0, between) among the
studies, w_ij ~ N(0, within) among the effects of one study, and sampling errors e_ij with variances
vi; a mean is the regression on a column of ones. Sampling errors of one study come from the same
participants; papers rarely state how they correlate, so that one correlation rho is assumed for all
of them (the working covariance). Robust variance estimation (CR2) keeps its level also where rho
is wrong.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise
from scipy.special import chdtrc, chdtri, fdtrc

from evidence.statistics.meta_analysis import (
    Coefficients,
    Mean,
    WaldTest,
    check_effects,
    check_moderators,
    coefficient_tests,
    highest_points,
    t_quantile,
    wald_test,
)
from evidence.statistics.sensitivity import Subgroups

TESTS = ("cr2", "z")
"""Tests of coefficients: robust (CR2, Satterthwaite's degrees of freedom), or model-based."""
DEFAULT_RHO = 0.6
RHOS = (0.0, 0.2, 0.4, 0.6, 0.8)

_GRID = np.append(0.0, np.geomspace(1e-6, 1, 32))
# An eigenvalue that is nothing but rounding: the moderators explain all effects of a study.
_NO_EIGENVALUE = 1e-12
_BETWEEN, _WITHIN = 0, 1


@dataclass(frozen=True)
class ThreeLevelRegression(Coefficients):
    """Coefficients with the variances between and within studies.

    `moderators` tests that all contrasts are 0 (None for a mean). I² of a level is a percentage.
    `weights` has shape (p, K): what each effect adds to each coefficient.
    """

    studies: int
    rho: float
    between: float
    within: float
    I2_between: float
    I2_within: float
    log_likelihood: float
    moderators: WaldTest | None
    weights: np.ndarray


@dataclass(frozen=True)
class ThreeLevelMean(Mean):
    """A pooled mean of correlated effects, with the variances between and within studies.

    The intervals of the variances are NaN where these are not estimated for this mean alone.
    """

    studies: int
    rho: float
    between: float
    within: float
    I2_between: float
    I2_within: float
    log_likelihood: float
    between_low: float = np.nan
    between_high: float = np.nan
    within_low: float = np.nan
    within_high: float = np.nan

    @property
    def I2(self) -> float:  # noqa: N802 - the name in the field
        """The share of the variance that is not sampling error, in percent."""
        return self.I2_between + self.I2_within


def pool_three_level(
    yi: ArrayLike,
    vi: ArrayLike,
    study: ArrayLike,
    *,
    rho: float = DEFAULT_RHO,
    test: str = "cr2",
    confidence: float = 0.95,
    variances: tuple[float, float] | None = None,
) -> ThreeLevelMean:
    """Return the pooled mean of K effects nested in studies, with both variances by REML.

    Parameters are as for `fit_three_level`. References: konstantopoulos2011, pustejovsky2018.
    """
    model = _Model(yi, vi, _ones(yi), study, rho)
    mean = _pool(model, test=test, confidence=confidence, variances=variances)
    if variances is not None:
        return mean
    between, within = (
        model.profile_interval(level, (mean.between, mean.within), confidence)
        for level in (_BETWEEN, _WITHIN)
    )
    return replace(
        mean,
        between_low=between[0],
        between_high=between[1],
        within_low=within[0],
        within_high=within[1],
    )


def fit_three_level(
    yi: ArrayLike,
    vi: ArrayLike,
    x: ArrayLike,
    study: ArrayLike,
    *,
    rho: float = DEFAULT_RHO,
    test: str = "cr2",
    confidence: float = 0.95,
    variances: tuple[float, float] | None = None,
    contrasts: ArrayLike | None = None,
) -> ThreeLevelRegression:
    """Fit K effects nested in studies as a linear function of moderators, by REML.

    Raise `ValueError` for effects or moderators that cannot be used, fewer than 2 studies, no study
    with 2 effects, or an unknown test. References: konstantopoulos2011, pustejovsky2018.

    Parameters
    ----------
    x : array_like of shape (K, p)
        Moderators, including a column of ones for the intercept.
    study : array_like of shape (K,)
        The study of each effect; effects of one study need not be neighbours.
    rho : float
        Assumed correlation between the sampling errors of one study, from 0 up to below 1.
    test : {"cr2", "z"}
    variances : (float, float), optional
        Use these variances between and within studies instead of estimating them.
    contrasts : array_like of shape (q, p), optional
        What `moderators` tests; by default all coefficients but the first.
    """
    model = _Model(yi, vi, x, study, rho)
    if contrasts is None:
        contrasts = np.eye(model.x.shape[1])[1:]
    return _fit(
        model,
        variances=variances,
        test=test,
        confidence=confidence,
        contrasts=np.asarray(contrasts, float),
    )


def compare_subgroups(
    yi: ArrayLike,
    vi: ArrayLike,
    study: ArrayLike,
    group: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    **options,
) -> Subgroups:
    """Return the mean of each subgroup of 2 or more studies, and the test of their difference.

    One model holds for all subgroups, so that they share both variances. Raise `ValueError` as
    `fit_three_level` does.
    """
    yi, vi = check_effects(yi, vi)
    studies = np.asarray(study)
    members = {name: np.array([other == name for other in group]) for name in dict.fromkeys(group)}
    counts = {name: len(set(studies[rows])) for name, rows in members.items()}
    pooled = [name for name in members if counts[name] > 1]
    if not pooled:
        return Subgroups({}, None)
    x = np.column_stack([members[name] for name in pooled])
    rows = x.any(axis=1)
    fit = fit_three_level(
        yi[rows], vi[rows], x[rows], studies[rows], confidence=confidence,
        contrasts=np.column_stack([-np.ones(len(pooled) - 1), np.eye(len(pooled))[1:, 1:]]),
        **options,
    )  # fmt: skip
    means = {
        name: _mean(fit, column, members[name][rows], counts[name], confidence)
        for column, name in enumerate(pooled)
    }
    return Subgroups(means, fit.moderators)


def sensitivity_to_rho(
    yi: ArrayLike, vi: ArrayLike, study: ArrayLike, *, rhos: Sequence[float] = RHOS, **options
) -> list[ThreeLevelMean]:
    """Return the mean for each assumed correlation, without intervals of the variances."""
    return [_pool(_Model(yi, vi, _ones(yi), study, rho), **options) for rho in rhos]


def _ones(yi: ArrayLike) -> np.ndarray:
    return np.ones((np.size(yi), 1))


def _pool(model: "_Model", *, confidence: float = 0.95, **options) -> ThreeLevelMean:
    fit = _fit(model, confidence=confidence, **options)
    return _mean(fit, 0, np.ones(len(model.yi), bool), fit.studies, confidence)


class _Model:
    """Effects with their working covariance, and the restricted likelihood of two variances.

    With V = Q L Q' for the sampling errors of one study, V + within·I has the same eigenvectors,
    and the variance between studies adds a matrix of rank one. Every likelihood is then a sum over
    effects of products of three things in these eigenvectors: ones, moderators and effects.
    """

    def __init__(
        self, yi: ArrayLike, vi: ArrayLike, x: ArrayLike, study: ArrayLike, rho: float
    ) -> None:
        self.yi, vi = check_effects(yi, vi)
        k = len(self.yi)
        self.x = check_moderators(x, k)
        if not 0 <= rho < 1:
            raise ValueError(f"rho must be at least 0 and below 1; got {rho:g}")
        if np.size(study) != k:
            raise ValueError(f"there are {k} effects, but {np.size(study)} studies named for them")
        names, number = np.unique(np.asarray(study).astype(str), return_inverse=True)
        if len(names) < 2:
            raise ValueError("three-level pooling needs at least 2 studies; there is 1")
        if len(names) == k:
            raise ValueError(
                "no study has two effects: variance within studies cannot be estimated"
            )
        self.rho = float(rho)
        self.studies = [np.flatnonzero(number == study) for study in range(len(names))]
        self.is_same = np.equal.outer(number, number)
        self.sampling = rho * self.is_same * np.sqrt(np.outer(vi, vi))
        np.fill_diagonal(self.sampling, vi)
        # The likelihood depends on neither the origin nor the units; these keep its digits, and
        # with orthonormal moderators it has the constant that metafor includes.
        basis, _ = np.linalg.qr(self.x)
        columns = np.column_stack([np.ones(k), basis, self.yi - basis @ (basis.T @ self.yi)])
        q = columns.shape[1]
        self._eigenvalues, self._sums = np.empty(k), np.zeros((k, len(names), q, q))
        for index, rows in enumerate(self.studies):
            self._eigenvalues[rows], vectors = np.linalg.eigh(self.sampling[np.ix_(rows, rows)])
            rotated = vectors.T @ columns[rows]
            self._sums[rows, index] = rotated[:, :, None] * rotated[:, None, :]
        self._bound = max(float(np.var(self.yi)), float(vi.max()))

    def likelihood(self, between: ArrayLike, within: ArrayLike) -> tuple[np.ndarray, ...]:
        """Return twice the restricted log-likelihood, up to a constant, and its two slopes."""
        between = np.asarray(between, float)[..., None]
        w = 1 / (self._eigenvalues + np.asarray(within, float)[..., None])
        sums, change = np.tensordot(w, self._sums, 1), -np.tensordot(w**2, self._sums, 1)
        s, t, ds, dt = sums[..., 0, 0], sums[..., 0, 1:], change[..., 0, 0], change[..., 0, 1:]
        shrinkage = 1 / (1 + between * s)
        share = between * shrinkage

        def outer(a: np.ndarray, b: np.ndarray, factor: np.ndarray) -> np.ndarray:
            return np.swapaxes(a * factor[..., None], -1, -2) @ b

        cross = sums[..., 1:, 1:].sum(-3) - outer(t, t, share)
        inverse = np.linalg.inv(cross[..., :-1, :-1])
        beta = inverse @ cross[..., :-1, -1:]
        residual = np.concatenate([-beta, np.ones_like(beta[..., :1, :])], axis=-2)

        def square(matrix: np.ndarray) -> np.ndarray:
            return (residual * (matrix @ residual)).sum((-2, -1))

        def slope(log_determinant: np.ndarray, matrix: np.ndarray) -> np.ndarray:
            moderators = (inverse * matrix[..., :-1, :-1]).sum((-2, -1))
            return -log_determinant - moderators - square(matrix)

        height = np.log(w).sum(-1) + np.log(shrinkage).sum(-1) + np.linalg.slogdet(inverse)[1]
        mixed = outer(t, dt, share)
        within_change = change[..., 1:, 1:].sum(-3) - mixed - np.swapaxes(mixed, -1, -2)
        within_change += outer(t, t, share**2 * ds)
        return (
            height - square(cross),
            slope((s * shrinkage).sum(-1), -outer(t, t, shrinkage**2)),
            slope(w.sum(-1) + (share * ds).sum(-1), within_change),
        )

    def best(self, level: int, other: np.ndarray) -> np.ndarray:
        """Return one level's variance of greatest likelihood, for each one of the other level."""

        def evaluate(point: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, ...]:
            return self.likelihood(
                *_pair(level, point, np.broadcast_to(other[number], point.shape))
            )

        return highest_points(
            lambda point, number: evaluate(point, number)[0],
            lambda point, number: evaluate(point, number)[1 + level],
            np.full(len(other), self._bound),
            _GRID,
        )

    def estimate_variances(self) -> tuple[float, float]:
        """Find the two variances, between and within studies, of greatest likelihood."""

        # Along the best variance between studies, the slope of the profile is the partial one.
        def profile(within: np.ndarray) -> tuple[np.ndarray, ...]:
            between = self.best(_BETWEEN, within.ravel()).reshape(within.shape)
            return self.likelihood(between, within)

        within = highest_points(
            lambda point, _: profile(point)[0],
            lambda point, _: profile(point)[1 + _WITHIN],
            np.array([self._bound]),
            _GRID,
        )
        return float(self.best(_BETWEEN, within)[0]), float(within[0])

    def profile_interval(
        self, level: int, variances: tuple[float, float], confidence: float
    ) -> tuple[float, float]:
        """Find where the profile likelihood of a variance falls to its limit; 0 if it never does."""
        lowest = float(self.likelihood(*variances)[0]) - float(chdtri(1, 1 - confidence))

        def excess(value: np.ndarray) -> np.ndarray:
            other = self.best(1 - level, np.ravel(value)).reshape(np.shape(value))
            return self.likelihood(*_pair(level, value, other))[0] - lowest

        def crossing(low: float, high: float) -> float:
            return float(elementwise.find_root(excess, (low, high), tolerances={"xrtol": 1e-10}).x)

        estimate, upper = variances[level], 2 * max(variances[level], self._bound)
        while excess(np.array(upper)) > 0:
            upper *= 4
        low = crossing(0.0, estimate) if estimate > 0 and excess(np.array(0.0)) < 0 else 0.0
        return low, crossing(estimate, upper)


def _pair(level: int, value: ArrayLike, other: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    return (value, other) if level == _BETWEEN else (other, value)


def _fit(
    model: _Model,
    *,
    test: str = "cr2",
    confidence: float,
    variances: tuple[float, float] | None = None,
    contrasts: np.ndarray | None = None,
) -> ThreeLevelRegression:
    if test not in TESTS:
        raise ValueError(f"test must be one of {', '.join(TESTS)}; got {test!r}")
    between, within = variances or model.estimate_variances()
    k, p = model.x.shape
    covariance = model.sampling + between * model.is_same + within * np.eye(k)
    weights, beta_covariance, _ = _solve(model.x, covariance)
    beta = weights @ model.yi
    _, _, projection = _solve(model.x, model.sampling)
    q = float(model.yi @ projection @ model.yi)
    share = 100 / (between + within + (k - p) / np.trace(projection))
    df, moderators = np.full(p, np.nan), None
    if test == "cr2":
        beta_covariance, products = _cr2(model, covariance, weights, beta_covariance)
        df = np.array([_satterthwaite(products, row[None]) for row in np.eye(p)])
    if contrasts is not None and len(contrasts):
        tested = contrasts @ beta, contrasts @ beta_covariance @ contrasts.T
        moderators = wald_test(*tested)
        if test == "cr2":
            # The approximation of Hotelling's T² (pustejovsky2018).
            count, spread = len(contrasts), _satterthwaite(products, contrasts)
            df2 = spread - count + 1
            statistic = moderators.statistic * df2 / (spread * count)
            moderators = WaldTest(statistic, count, df2, float(fdtrc(count, df2, statistic)))
    height, *_ = model.likelihood(between, within)
    return ThreeLevelRegression(
        **coefficient_tests(beta, np.sqrt(np.diagonal(beta_covariance)), df, confidence),
        test=test,
        Q=q,
        Q_df=k - p,
        Q_p=float(chdtrc(k - p, q)),
        studies=len(model.studies),
        rho=model.rho,
        between=between,
        within=within,
        I2_between=share * between,
        I2_within=share * within,
        log_likelihood=float(height - (k - p) * np.log(2 * np.pi)) / 2,
        moderators=moderators,
        weights=weights,
    )


def _solve(x: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (X'WX)⁻¹X'W, (X'WX)⁻¹ and W - WX(X'WX)⁻¹X'W, with W the inverse covariance."""
    w = np.linalg.inv(covariance)
    inverse = np.linalg.inv(x.T @ w @ x)
    weights = inverse @ x.T @ w
    return weights, inverse, w - w @ x @ weights


def _cr2(
    model: _Model, covariance: np.ndarray, weights: np.ndarray, beta_covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bias-reduced robust covariance of the coefficients (pustejovsky2018).

    Study by study, residuals are adjusted so that the covariance is unbiased if the working model
    is right. The second array, of shape (J, J, p, p), has the covariances under that model between
    what two of J studies add to the coefficients' errors.
    """
    residuals = model.yi - model.x @ (weights @ model.yi)
    own, totals, scores = [], [], []
    for rows in model.studies:
        x, block = model.x[rows], covariance[np.ix_(rows, rows)]
        root = np.linalg.cholesky(block)
        values, vectors = np.linalg.eigh(root.T @ (block - x @ beta_covariance @ x.T) @ root)
        is_free = values > _NO_EIGENVALUE
        half = root @ vectors[:, is_free]
        g = (half / np.sqrt(values[is_free])) @ half.T @ weights[:, rows].T
        own.append(g.T @ block @ g)
        totals.append(x.T @ g)
        scores.append(g.T @ residuals[rows])
    products = -np.einsum("ias,ab,jbt->ijst", totals, beta_covariance, totals)
    products[np.diag_indices(len(own))] += own
    return np.einsum("ja,jb->ab", scores, scores), products


def _satterthwaite(products: np.ndarray, contrasts: np.ndarray) -> float:
    """Return degrees of freedom of the robust covariance of q contrasts.

    For one contrast these are Satterthwaite's; for several those of a Wishart distribution with the
    same total variance.
    """
    values, vectors = np.linalg.eigh(contrasts @ np.einsum("jjst->st", products) @ contrasts.T)
    standard = (vectors / np.sqrt(values)).T @ contrasts
    p = np.einsum("as,ijst,bt->ijab", standard, products, standard)
    variance = np.einsum("ijaa,ijbb->", p, p) + np.einsum("ijab,ijba->", p, p)
    return float(len(contrasts) * (len(contrasts) + 1) / variance)


def _mean(
    fit: ThreeLevelRegression, column: int, members: np.ndarray, studies: int, confidence: float
) -> ThreeLevelMean:
    """Return one coefficient as the mean of its effects."""
    mean = fit.mean(column)
    spread = np.sqrt(mean["se"] ** 2 + fit.between + fit.within)
    half = float(t_quantile(mean["df"], confidence) * spread)
    names = ("rho", "between", "within", "I2_between", "I2_within", "log_likelihood")
    return ThreeLevelMean(
        k=int(members.sum()),
        studies=studies,
        confidence=confidence,
        **mean,
        pi_low=mean["estimate"] - half,
        pi_high=mean["estimate"] + half,
        weights=fit.weights[column, members],
        **{name: getattr(fit, name) for name in names},
    )
