"""Dose–response meta-analysis: one curve over the doses of several trials.

Each trial contributes the effects of its doses against its own reference dose, with the
covariances that come from sharing one reference arm (`DoseContrasts`). In a trial the effect of
dose x is f(x) - f(reference), where f(x) = g(x)·b and b varies between trials around the pooled
coefficients beta with covariance Psi. `shape` names g:

- `linear`: x;
- `quadratic`: x, x²;
- `spline`: a restricted cubic spline, one coefficient fewer than knots (harrell2001);
- `emax`: x / (ED50 + x), where ED50 is estimated too and is the same in all trials.

Two stages fit a curve in each trial and pool the coefficients; trials with fewer doses than
coefficients cannot take part. One stage fits all contrasts at once and uses every trial. Where all
trials have enough doses the two give the same coefficients (crippa2019).

`method` is `common` (no between-trial variance), `reml`, `ml` or `moment`; `test` is `z`, or `knha`
and `knha-adhoc` as in `meta_analysis`, extended to several coefficients (jackson2014).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise, minimize
from scipy.special import chdtrc, chdtri

from evidence.statistics.dose_contrasts import DoseContrasts
from evidence.statistics.meta_analysis import (
    Coefficients,
    WaldTest,
    coefficient_tests,
    highest_points,
    t_quantile,
    wald_test,
)

SHAPES = ("linear", "quadratic", "spline", "emax")
METHODS = ("common", "moment", "ml", "reml")
TESTS = ("z", "knha", "knha-adhoc")
KNOT_PERCENTILES = {
    3: (10.0, 50.0, 90.0),
    4: (5.0, 35.0, 65.0, 95.0),
    5: (5.0, 27.5, 50.0, 72.5, 95.0),
    6: (5.0, 23.0, 41.0, 59.0, 77.0, 95.0),
    7: (2.5, 18.33, 34.17, 50.0, 65.83, 81.67, 97.5),
}
"""Percentiles of the doses at which knots of a restricted cubic spline stand (harrell2001)."""

_ED50_RANGE = 50.0
_ED50_STEPS = 81
_ZOOMS = 8


class DosePrediction(NamedTuple):
    """Predicted effects against the reference dose, arrays with the shape of `dose`."""

    dose: np.ndarray
    estimate: np.ndarray
    se: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray


@dataclass(frozen=True)
class DoseResponse(Coefficients):
    """A pooled dose–response curve.

    Arrays have shape (p,) and (p, p) for p coefficients; for `emax` these are the maximal effect
    and ED50. `between` is the covariance of the coefficients between trials. `nonlinearity` is
    None for a line and for `emax`, where a line is not a special case. `used` says which trials
    entered; `weights` is the share of each of these in the information on the curve, adding up to
    1. `Q` measures the distance of the data from one common curve.
    """

    shape: str
    stages: int
    method: str
    confidence: float
    k: int
    contrasts: int
    used: np.ndarray
    weights: np.ndarray
    covariance: np.ndarray
    between: np.ndarray
    I2: float
    log_likelihood: float
    association: WaldTest
    nonlinearity: WaldTest | None
    knots: tuple[float, ...] = ()

    def predict(self, dose: ArrayLike, reference: float = 0.0) -> DosePrediction:
        """Return the effect of each dose against a reference dose, on the scale of analysis."""
        dose = np.asarray(dose, float)
        flat = dose.ravel()
        if self.shape == "emax":
            gradient = _emax_gradient(flat, *self.beta) - _emax_gradient(reference, *self.beta)
            maximum, ed50 = self.beta
            estimate = maximum * (_emax(flat, ed50) - _emax(reference, ed50))
        else:
            gradient = _basis(flat, self.shape, self.knots)
            gradient = gradient - _basis([reference], self.shape, self.knots)
            estimate = gradient @ self.beta
        se = np.sqrt(np.einsum("ij,jk,ik->i", gradient, self.covariance, gradient))
        half = t_quantile(self.df[0], self.confidence) * se
        columns = (estimate, se, estimate - half, estimate + half)
        return DosePrediction(dose, *(column.reshape(dose.shape) for column in columns))


def spline_knots(dose: ArrayLike, knots: int | Sequence[float] = 3) -> tuple[float, ...]:
    """Return knots at Harrell's percentiles of the doses, or those given, in order.

    Raise `ValueError` for a number of knots outside 3 to 7, or doses that are too few for different
    knots.
    """
    if isinstance(knots, int):
        if knots not in KNOT_PERCENTILES:
            raise ValueError(f"a spline has 3 to 7 knots; got {knots}")
        places = tuple(map(float, np.percentile(np.asarray(dose, float), KNOT_PERCENTILES[knots])))
    else:
        places = tuple(sorted(map(float, knots)))
        if len(places) < 3:
            raise ValueError(f"a spline has at least 3 knots; got {len(places)}")
    if len(set(places)) < len(places):
        listed = ", ".join(f"{place:g}" for place in places)
        raise ValueError(f"knots must differ, but there are {listed}")
    return places


def fit_dose_response(
    trials: Sequence[DoseContrasts],
    *,
    shape: str = "linear",
    stages: int = 1,
    method: str = "reml",
    test: str = "z",
    confidence: float = 0.95,
    knots: int | Sequence[float] = 3,
) -> DoseResponse:
    """Fit one dose–response curve to the contrasts of several trials.

    Raise `ValueError` for unknown words, contrasts that are not finite or whose covariance is not
    positive definite, doses too few for the shape, or trials too few for the random effects.
    References: crippa2016, crippa2019, greenland1992, jackson2013, jackson2014, orsini2012.

    Parameters
    ----------
    shape : {"linear", "quadratic", "spline", "emax"}
    stages : {1, 2}
        `emax` is fitted in one stage by maximising the profile likelihood over ED50; `reml` and
        `moment` then become `ml`, because restricted likelihoods of different curves cannot be
        compared.
    method : {"common", "moment", "ml", "reml"}
        `moment` needs two stages. A single trial is fitted with `common`.
    test : {"z", "knha", "knha-adhoc"}
        A common effect always has test `z`.
    knots : int or sequence of float, default 3
        Of a spline: how many, at percentiles of all doses (`spline_knots`), or where.
    """
    options = _Options(shape, stages, method, test, confidence)
    _check(trials, options)
    if shape == "emax":
        return _fit_emax(trials, options._replace(method="common" if method == "common" else "ml"))
    doses = np.concatenate([np.append(trial.reference, trial.dose) for trial in trials])
    places = spline_knots(doses, knots) if shape == "spline" else ()
    designs = [
        _basis(trial.dose, shape, places) - _basis([trial.reference], shape, places)
        for trial in trials
    ]
    p = designs[0].shape[1]
    ranks = np.array([np.linalg.matrix_rank(x) for x in designs])
    used = ranks == p if stages == 2 else ranks > 0
    chosen = [int(i) for i in np.flatnonzero(used)]
    curve = f"{shape} curve with {p} coefficient{'s' if p > 1 else ''}"
    if not len(chosen):
        raise ValueError(f"no trial has enough doses for a {curve}")
    # Columns are scaled so that all coefficients have about the same size; else dose and dose²
    # make the search for the largest likelihood ill-conditioned.
    scale = np.sqrt(sum((designs[i] ** 2).sum(0) for i in chosen) / len(chosen))
    scale = np.where(scale > 0, scale, 1.0)
    statistics = _Statistics.of([trials[i] for i in chosen], [designs[i] / scale for i in chosen])
    if np.linalg.matrix_rank(statistics.a.sum(0)) < p:
        raise ValueError(f"there are too few different doses for a {curve}")
    k = len(chosen)
    if method != "common" and k < p + 1:
        raise ValueError(
            f"{k} trial{'s' if k > 1 else ''} with enough doses cannot show how "
            f"{f'{p} coefficients vary' if p > 1 else '1 coefficient varies'} between trials"
        )
    between = _estimate_between(statistics, method)
    data = statistics.two_stage() if stages == 2 else statistics
    fit = _solve(data, between, method == "reml")
    # In the units of the data: a determinant changes with the units of the coefficients.
    units = 2 * np.log(scale).sum() * ((method == "reml") - (k if stages == 2 else 0))
    if stages == 2 and method == "reml":
        units -= p * np.log(k)  # log|X'X| of k identities, which mixmeta and metafor include
    return _describe(
        _Fit(
            beta=fit.beta / scale,
            covariance=fit.covariance / np.outer(scale, scale),
            between=between / np.outer(scale, scale),
            weights=np.trace(fit.covariance @ fit.information, axis1=1, axis2=2) / p,
            quadratic=fit.quadratic,
            q=_solve(data, np.zeros((p, p))).quadratic,
            observations=int(data.m.sum()),
            deviance=fit.deviance + units,
        ),
        options._replace(knots=places),
        used=used,
        contrasts=int(statistics.m.sum()),
    )


class _Statistics(NamedTuple):
    """What a model needs of k trials: X'S⁻¹X (k, p, p), X'S⁻¹y (k, p), y'S⁻¹y, log|S| and counts.

    With random effects on the same columns X, everything else follows by the Woodbury identity, so
    that trials with any number of doses are handled alike.
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    log_det: np.ndarray
    m: np.ndarray

    @classmethod
    def of(cls, trials: Sequence[DoseContrasts], designs: Sequence[np.ndarray]) -> "_Statistics":
        rows = []
        for trial, x in zip(trials, designs, strict=True):
            solved = np.linalg.solve(trial.covariance, np.column_stack([x, trial.effect]))
            inner = np.column_stack([x, trial.effect]).T @ solved
            size = float(np.linalg.slogdet(trial.covariance)[1])
            rows.append((inner[:-1, :-1], inner[:-1, -1], inner[-1, -1], size, len(trial.dose)))
        a, b, c, log_det, m = (np.array(column, float) for column in zip(*rows, strict=True))
        return cls((a + np.swapaxes(a, 1, 2)) / 2, b, c, log_det, m)

    def two_stage(self) -> "_Statistics":
        """Return those of the trials' own coefficients taken as the data."""
        b = np.linalg.solve(self.a, self.b[..., None])[..., 0]
        p = self.b.shape[1]
        quadratic = (self.b * b).sum(1)
        return self._replace(
            c=quadratic, log_det=-np.linalg.slogdet(self.a)[1], m=np.full(len(self.m), float(p))
        )


class _Gls(NamedTuple):
    """Generalised least squares at a given Psi; `scores` is X'Σ⁻¹(y - X·beta) of each trial."""

    beta: np.ndarray
    covariance: np.ndarray
    information: np.ndarray
    scores: np.ndarray
    deviance: float
    quadratic: float


def _solve(s: _Statistics, between: np.ndarray, restricted: bool = True) -> _Gls:
    """Fit the coefficients; `deviance` is -2 log-likelihood with all constants."""
    p = s.b.shape[1]
    inner = np.eye(p) + s.a @ between
    information = np.linalg.solve(inner, s.a)
    total = information.sum(0)
    covariance = np.linalg.inv((total + total.T) / 2)
    shrunk = np.linalg.solve(inner, s.b[..., None])[..., 0]
    beta = covariance @ shrunk.sum(0)
    scores = shrunk - information @ beta
    quadratic = float(
        s.c.sum() - np.einsum("ki,ij,kj->", s.b, between, shrunk) - beta @ shrunk.sum(0)
    )
    observations = s.m.sum() - (p if restricted else 0)
    deviance = s.log_det.sum() + np.linalg.slogdet(inner)[1].sum() + quadratic
    deviance += observations * np.log(2 * np.pi)
    if restricted:
        deviance += np.linalg.slogdet(total)[1]
    return _Gls(beta, covariance, information, scores, float(deviance), quadratic)


def _estimate_between(s: _Statistics, method: str) -> np.ndarray:
    p = s.b.shape[1]
    if method == "common":
        return np.zeros((p, p))
    moment = _moment(s)
    return moment if method == "moment" else _maximise(s, moment, method == "reml")


def _moment(s: _Statistics) -> np.ndarray:
    """Estimate Psi from the trials' own coefficients by moments (jackson2013).

    For one coefficient this is the estimator of DerSimonian and Laird. Trials with fewer doses than
    coefficients do not take part.
    """
    k, p = s.b.shape
    full = np.linalg.matrix_rank(s.a) == p
    w, b = s.a[full], s.b[full]
    k = len(w)
    if k < 2:
        return np.zeros((p, p))
    total = np.linalg.inv(w.sum(0))
    own = np.linalg.solve(w, b[..., None])[..., 0]
    deviations = own - total @ b.sum(0)
    q = np.einsum("kij,kj,kl->il", w, deviations, deviations)
    # E(Q) - (k - 1)·I is linear in Psi; vec(A·X·B) = (B' ⊗ A)·vec(X) with columns stacked.
    share = total @ w
    identity = np.eye(p)
    spread = np.einsum("kij,klm->iljm", share, share).reshape(p * p, p * p)
    system = np.zeros((p * p, p * p))
    for weight, part in zip(w, share, strict=True):
        inside = np.eye(p * p) - np.kron(identity, part) - np.kron(part, identity)
        system += np.kron(identity, weight) @ inside
    system += np.kron(identity, w.sum(0)) @ spread
    excess = (q - (k - 1) * identity).ravel(order="F")
    solution = np.linalg.solve(system, excess).reshape(p, p, order="F")
    values, vectors = np.linalg.eigh((solution + solution.T) / 2)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def _maximise(s: _Statistics, start: np.ndarray, restricted: bool) -> np.ndarray:
    """Return the Psi of greatest (restricted) likelihood, searched as L·L' from several starts."""
    p = s.b.shape[1]
    lower = np.tril_indices(p)

    def deviance(values: np.ndarray) -> tuple[float, np.ndarray]:
        factor = np.zeros((p, p))
        factor[lower] = values
        fit = _solve(s, factor @ factor.T, restricted)
        slope = fit.information - fit.scores[:, :, None] * fit.scores[:, None, :]
        if restricted:
            slope = slope - fit.information @ fit.covariance @ fit.information
        slope = slope.sum(0)
        return fit.deviance, ((slope + slope.T) @ factor)[lower]

    sampling = np.diag(1 / np.maximum(np.diagonal(s.a.mean(0)), 1e-300))
    best, best_deviance = np.zeros((p, p)), _solve(s, np.zeros((p, p)), restricted).deviance
    for share in (0.05, 1.0):
        first = np.linalg.cholesky(start + share * sampling)[lower]
        found = minimize(deviance, first, jac=True, method="BFGS", options={"gtol": 1e-8})
        if found.fun < best_deviance - 1e-10:
            factor = np.zeros((p, p))
            factor[lower] = found.x
            best, best_deviance = factor @ factor.T, float(found.fun)
    return best


class _Options(NamedTuple):
    shape: str
    stages: int
    method: str
    test: str
    confidence: float
    knots: tuple[float, ...] = ()


class _Fit(NamedTuple):
    """A fitted curve in the units of the data; `q` is the quadratic form of the common curve."""

    beta: np.ndarray
    covariance: np.ndarray
    between: np.ndarray
    weights: np.ndarray
    quadratic: float
    q: float
    observations: int
    deviance: float


def _describe(fit: _Fit, options: _Options, *, used: np.ndarray, contrasts: int) -> DoseResponse:
    """Add tests and intervals to a fitted curve."""
    p = len(fit.beta)
    q, q_df = max(0.0, fit.q), fit.observations - p
    test, inflation, df = options.test, 1.0, np.nan
    if options.method == "common" or not q_df:
        test = "z"
    if test != "z":
        inflation, df = fit.quadratic / q_df, float(q_df)
        # Trials that agree by chance would make the interval narrower than Wald's.
        inflation = max(1.0, inflation) if test == "knha-adhoc" else inflation
    covariance = inflation * fit.covariance
    se = np.sqrt(np.diagonal(covariance))
    is_line = p == 1 or options.shape == "emax"
    tested = slice(0, 1) if is_line else slice(None)
    return DoseResponse(
        **coefficient_tests(fit.beta, se, df, options.confidence),
        **options._replace(test=test)._asdict(),
        k=int(used.sum()),
        contrasts=contrasts,
        used=used,
        weights=fit.weights,
        covariance=covariance,
        between=fit.between,
        Q=q,
        Q_df=q_df,
        Q_p=float(chdtrc(q_df, q)) if q_df else np.nan,
        I2=100 * max(0.0, 1 - q_df / q) if q > 0 else 0.0,
        log_likelihood=-float(fit.deviance) / 2,
        association=wald_test(fit.beta[tested], covariance[tested, tested], df),
        nonlinearity=None if is_line else wald_test(fit.beta[1:], covariance[1:, 1:], df),
    )


class _EmaxProfile:
    """The likelihood of ED50, with the best maximal effect and its variance between trials.

    At a given ED50 the effects of the doses are z times the maximal effect.
    """

    def __init__(self, trials: Sequence[DoseContrasts], is_common: bool) -> None:
        self._trials, self._is_common = trials, is_common
        self._precisions = [np.linalg.inv(trial.covariance) for trial in trials]
        self.largest = max(float(np.abs(trial.effect).max()) for trial in trials)
        self.observations = sum(len(trial.dose) for trial in trials)
        self.constant = self.observations * float(np.log(2 * np.pi))
        self.constant += sum(float(np.linalg.slogdet(trial.covariance)[1]) for trial in trials)
        self._squares = sum(
            float(trial.effect @ precision @ trial.effect)
            for trial, precision in zip(trials, self._precisions, strict=True)
        )

    def information(self, ed50: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return z'S⁻¹z and z'S⁻¹y of each trial, arrays of shape (len(ed50), k)."""
        parts = []
        for trial, precision in zip(self._trials, self._precisions, strict=True):
            z = _emax(trial.dose, ed50[:, None]) - _emax(trial.reference, ed50[:, None])
            weighted = z @ precision
            parts.append(((weighted * z).sum(-1), weighted @ trial.effect))
        a, b = (np.column_stack(columns) for columns in zip(*parts, strict=True))
        return a, b

    def __call__(self, log_ed50: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least deviance at each ED50, and the variance between trials there."""
        a, b = self.information(np.exp(log_ed50))

        def fit(tau2: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, ...]:
            shrinkage = 1 / (1 + a[row] * tau2[..., None])
            shrunk = (b[row] * shrinkage).sum(-1, keepdims=True)
            return shrinkage, shrunk / (a[row] * shrinkage).sum(-1, keepdims=True), shrunk

        def height(tau2: np.ndarray, row: np.ndarray) -> np.ndarray:
            shrinkage, maximum, shrunk = fit(tau2, row)
            explained = (tau2[..., None] * b[row] ** 2 * shrinkage).sum(-1)
            return np.log(shrinkage).sum(-1) + explained + (maximum * shrunk)[..., 0]

        def slope(tau2: np.ndarray, row: np.ndarray) -> np.ndarray:
            shrinkage, maximum, _ = fit(tau2, row)
            residual = (b[row] - a[row] * maximum) * shrinkage
            return (residual**2 - a[row] * shrinkage).sum(-1)

        tau2 = np.zeros(len(a))
        if not self._is_common:
            tau2 = highest_points(height, slope, np.full(len(a), self.largest**2))
        return self.constant + self._squares - height(tau2, np.arange(len(a))), tau2

    def best_log_ed50(self, span: tuple[float, float]) -> float:
        """Find the log ED50 of greatest likelihood inside `span`."""
        grid = np.linspace(*span, _ED50_STEPS)
        place = int(np.argmin(self(grid)[0]))
        if place == len(grid) - 1:
            raise ValueError("the doses do not determine ED50: the data follow a straight line")
        if place == 0:
            raise ValueError("the doses do not determine ED50: all doses have the same effect")
        for _ in range(_ZOOMS):
            grid = np.linspace(grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)], 17)
            place = int(np.argmin(self(grid)[0]))
        return float(grid[place])

    def interval(self, log_ed50: float, span: tuple[float, float], confidence: float) -> np.ndarray:
        """Find where the deviance of ED50 rises to its limit; 0 or infinity if it never does."""
        limit = self(np.array([log_ed50]))[0] + chdtri(1, 1 - confidence)
        outside, ends = np.array(span), np.array([0.0, np.inf])
        is_bounded = self(outside)[0] > limit
        if is_bounded.any():
            outside = outside[is_bounded]
            found = elementwise.find_root(
                lambda value: self(value)[0] - limit,
                (outside, np.full_like(outside, log_ed50)),
                tolerances={"xatol": 1e-6},
            )
            ends[is_bounded] = np.exp(found.x)
        return ends


def _fit_emax(trials: Sequence[DoseContrasts], options: _Options) -> DoseResponse:
    """Fit the maximal effect by least squares along the profile likelihood of ED50."""
    doses = np.unique(np.concatenate([[*trial.dose, trial.reference] for trial in trials]))
    doses = doses[doses > 0]
    if len(doses) < 2:
        raise ValueError("an Emax curve needs at least 2 different doses above 0")
    if options.method != "common" and len(trials) < 2:
        raise ValueError("1 trial cannot show how its maximal effect varies between trials")
    span = float(np.log(doses[0] / _ED50_RANGE)), float(np.log(doses[-1] * _ED50_RANGE))
    profile = _EmaxProfile(trials, options.method == "common")
    log_ed50 = profile.best_log_ed50(span)
    (deviance,), (tau2,) = profile(np.array([log_ed50]))
    a, b = profile.information(np.exp([log_ed50]))
    shrinkage = 1 / (1 + a * tau2)
    beta = np.array([(b * shrinkage).sum() / (a * shrinkage).sum(), np.exp(log_ed50)])
    # Least squares on the slopes in both coefficients; only the maximal effect varies.
    slopes = [
        _emax_gradient(trial.dose, *beta) - _emax_gradient(trial.reference, *beta)
        for trial in trials
    ]
    residuals = [
        trial._replace(effect=trial.effect - beta[0] * slope[:, 0])
        for trial, slope in zip(trials, slopes, strict=True)
    ]
    fit = _solve(_Statistics.of(residuals, slopes), np.diag([tau2, 0.0]), restricted=False)
    common = _EmaxProfile(trials, is_common=True)
    least, _ = common(np.array([common.best_log_ed50(span)]))
    curve = _describe(
        _Fit(
            beta=beta,
            covariance=fit.covariance,
            between=np.array([[tau2]]),
            weights=np.trace(fit.covariance @ fit.information, axis1=1, axis2=2) / 2,
            quadratic=fit.quadratic,
            q=float(least[0]) - profile.constant,
            observations=profile.observations,
            deviance=float(deviance),
        ),
        options,
        used=np.ones(len(trials), bool),
        contrasts=profile.observations,
    )
    # The likelihood of ED50 is skewed: its interval is that of the profile.
    low, high = curve.ci_low.copy(), curve.ci_high.copy()
    low[1], high[1] = profile.interval(log_ed50, span, options.confidence)
    return replace(curve, ci_low=low, ci_high=high)


def _emax(dose: ArrayLike, ed50: ArrayLike) -> np.ndarray:
    """Effect of a dose at a maximal effect of 1."""
    dose = np.asarray(dose, float)
    return dose / (ed50 + dose)


def _emax_gradient(dose: ArrayLike, maximum: float, ed50: float) -> np.ndarray:
    """Slopes of the effect in the maximal effect and ED50, shape (…, 2)."""
    dose = np.asarray(dose, float)
    return np.stack([_emax(dose, ed50), -maximum * dose / (ed50 + dose) ** 2], axis=-1)


def _basis(dose: ArrayLike, shape: str, knots: tuple[float, ...]) -> np.ndarray:
    """Return g(dose), one column per coefficient."""
    dose = np.asarray(dose, float)
    if shape == "linear":
        return dose[:, None]
    if shape == "quadratic":
        return np.column_stack([dose, dose**2])
    first, *_, before, last = knots

    def cubed(knot: float) -> np.ndarray:
        return np.maximum(dose - knot, 0.0) ** 3

    # Divided by the squared range, so that all columns are in the units of the dose.
    columns = [
        cubed(knot)
        - cubed(before) * (last - knot) / (last - before)
        + cubed(last) * (before - knot) / (last - before)
        for knot in knots[:-2]
    ]
    return np.column_stack([dose, *(column / (last - first) ** 2 for column in columns)])


def _check(trials: Sequence[DoseContrasts], options: _Options) -> None:
    for name, allowed in (
        ("shape", SHAPES),
        ("stages", (1, 2)),
        ("method", METHODS),
        ("test", TESTS),
    ):
        word = getattr(options, name)
        if word not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}; got {word!r}")
    if options.stages == 2 and options.shape == "emax":
        raise ValueError("an Emax curve is fitted in one stage; few trials determine one each")
    if options.stages == 1 and options.method == "moment":
        raise ValueError("the moment estimator needs two stages")
    if not trials:
        raise ValueError("there is no trial")
    for trial in trials:
        m = len(trial.dose)
        if trial.effect.shape != (m,) or trial.covariance.shape != (m, m):
            raise ValueError("doses, effects and covariances of a trial differ in number")
        numbers = (trial.dose, trial.reference, trial.effect, trial.covariance)
        if not all(np.all(np.isfinite(values)) for values in numbers):
            raise ValueError("a dose, an effect or a covariance is missing or infinite")
        if np.any(trial.dose < 0) or trial.reference < 0:
            raise ValueError("a dose is below 0")
        if np.linalg.eigvalsh(trial.covariance)[0] <= 0:
            raise ValueError("a covariance matrix of a trial is not positive definite")
