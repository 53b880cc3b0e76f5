"""Effects pooled: one mean (or one line) through the studies, with all that belongs to it.

Vocabulary
----------
`method`: `common` (common effect), `dl`, `pm` or `reml` (random effects, by the estimator of tau²).
`test`: `z` (Wald), `knha` (Knapp and Hartung, with t quantiles) or `knha-adhoc` (the same, but never
with a standard error below Wald's, which few studies that happen to agree would give). Everything
is on the scale of the effects: logarithms for ratios.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2, norm
from scipy.stats import t as student

from evidence.statistics.heterogeneity import (
    ESTIMATORS,
    generalised_q,
    q_profile,
    typical_variance,
    weighted_fit,
)

TESTS = ("z", "knha", "knha-adhoc")
PREDICTIONS = {
    "t(k-2)": "estimate ± t(k − 2) · √(tau² + se²), Higgins, Thompson and Spiegelhalter 2009",
    "metafor": "estimate ± q · √(tau² + se²), q normal for z and t(k − 1) for knha, as in metafor",
}
"""Prediction intervals by name, each with its formula in words."""


@dataclass(frozen=True)
class Pooled:
    """A pooled effect with its test, its heterogeneity and its prediction interval.

    `p` is two-sided; `df` NaN for a normal test. I² is a percentage. The prediction interval and
    the interval of tau² are NaN where they do not exist: for a common effect, and for fewer than
    3 studies the first. `weights` add up to 1.
    """

    k: int
    method: str
    test: str
    confidence: float
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    df: float
    p: float
    tau2: float
    tau2_low: float
    tau2_high: float
    I2: float
    H2: float
    Q: float
    Q_df: int
    Q_p: float
    pi_low: float
    pi_high: float
    pi_formula: str
    weights: np.ndarray


def require_effects(yi: ArrayLike, vi: ArrayLike, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Both as float arrays of shape (K,), refusing what cannot be pooled.

    Raises
    ------
    ValueError
        Unequal or nested shapes, fewer than `least` studies, effects that are not finite, or
        variances that are not above 0.
    """
    yi, vi = np.asarray(yi, float), np.asarray(vi, float)
    if yi.shape != vi.shape or yi.ndim != 1:
        raise ValueError(f"yi and vi must be two lists of one length; got {yi.shape}, {vi.shape}")
    if len(yi) < least:
        raise ValueError(f"{len(yi)} studies cannot be pooled; at least {least} are needed")
    if not np.all(np.isfinite(yi)):
        raise ValueError("an effect is missing or infinite")
    if not np.all(np.isfinite(vi) & (vi > 0)):
        raise ValueError("a sampling variance is missing or not above 0")
    return yi, vi


def _require_words(method: str, test: str, prediction: str) -> None:
    for name, word, known in (
        ("method", method, ESTIMATORS),
        ("test", test, TESTS),
        ("prediction", prediction, PREDICTIONS),
    ):
        if word not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}; got {word!r}")


def pool(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "reml",
    test: str = "knha",
    confidence: float = 0.95,
    prediction: str = "t(k-2)",
    tau2: float | None = None,
) -> Pooled:
    """The mean effect of K studies.

    Parameters
    ----------
    yi, vi : array_like of shape (K,)
        Effects and sampling variances; logarithms for ratios.
    method : {"common", "dl", "pm", "reml"}
    test : {"z", "knha", "knha-adhoc"}
        With `common` only `z` makes sense and is used.
    confidence : float, default 0.95
    prediction : {"t(k-2)", "metafor"}
        See `PREDICTIONS`.
    tau2 : float, optional
        Taken as given instead of estimated by `method`.

    Raises
    ------
    ValueError
        Effects that cannot be pooled, or an unknown word.

    References
    ----------
    hartung2001, higgins2009.
    """
    yi, vi = require_effects(yi, vi)
    _require_words(method, test, prediction)
    x = np.ones((len(yi), 1))
    fit = regress(yi, vi, x, method=method, test=test, confidence=confidence, tau2=tau2)
    wi = 1 / (vi + fit.tau2)
    found = Pooled(
        k=len(yi),
        method=method,
        test=fit.test,
        confidence=confidence,
        estimate=float(fit.beta[0]),
        se=float(fit.se[0]),
        ci_low=float(fit.ci_low[0]),
        ci_high=float(fit.ci_high[0]),
        statistic=float(fit.statistic[0]),
        df=fit.df,
        p=float(fit.p[0]),
        tau2=fit.tau2,
        tau2_low=np.nan,
        tau2_high=np.nan,
        I2=fit.I2,
        H2=fit.H2,
        Q=fit.Q,
        Q_df=fit.Q_df,
        Q_p=fit.Q_p,
        pi_low=np.nan,
        pi_high=np.nan,
        pi_formula="",
        weights=wi / wi.sum(),
    )
    if method == "common":
        return found
    low, high = q_profile(yi, vi, x, confidence)
    found = replace(found, tau2_low=low, tau2_high=high)
    return _predict(found, prediction)


def _predict(pooled: Pooled, prediction: str) -> Pooled:
    """With the interval in which the effect of a further study is expected."""
    tail = (1 + pooled.confidence) / 2
    if prediction == "t(k-2)":
        quantile = student.ppf(tail, pooled.k - 2) if pooled.k > 2 else np.nan
    else:
        quantile = norm.ppf(tail) if pooled.test == "z" else student.ppf(tail, pooled.k - 1)
    half = float(quantile * np.sqrt(pooled.tau2 + pooled.se**2))
    return replace(
        pooled,
        pi_low=pooled.estimate - half,
        pi_high=pooled.estimate + half,
        pi_formula=PREDICTIONS[prediction],
    )


@dataclass(frozen=True)
class Regression:
    """Coefficients of a meta-regression, arrays of shape (p,), and the heterogeneity left.

    `statistic` and `p` are NaN where the standard error is 0.
    """

    beta: np.ndarray
    se: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    statistic: np.ndarray
    df: float
    p: np.ndarray
    test: str
    tau2: float
    I2: float
    H2: float
    Q: float
    Q_df: int
    Q_p: float


def regress(
    yi: ArrayLike,
    vi: ArrayLike,
    x: ArrayLike,
    *,
    method: str = "reml",
    test: str = "knha",
    confidence: float = 0.95,
    tau2: float | None = None,
) -> Regression:
    """Effects as a linear function of the columns of `x`.

    Parameters
    ----------
    yi, vi : array_like of shape (K,)
    x : array_like of shape (K, p)
        Moderators, a column of ones for the intercept among them.
    tau2 : float, optional
        Taken as given instead of estimated by `method`.

    Raises
    ------
    ValueError
        Effects that cannot be pooled, no more studies than columns, or columns that are multiples
        of each other.

    References
    ----------
    knapp2003.
    """
    yi, vi = require_effects(yi, vi)
    _require_words(method, test, "t(k-2)")
    x = np.asarray(x, float)
    k, p = x.shape
    if k <= p:
        raise ValueError(f"{k} studies cannot carry {p} coefficients")
    if np.linalg.matrix_rank(x) < p:
        raise ValueError("a moderator does not vary, or is a multiple of another")
    test = "z" if method == "common" else test
    tau2 = ESTIMATORS[method](yi, vi, x) if tau2 is None else tau2
    wi = 1 / (vi + tau2)
    beta, covariance, residuals = weighted_fit(yi, wi, x)
    if test != "z":
        scale = float(np.sum(wi * residuals**2)) / (k - p)
        covariance = covariance * (max(1.0, scale) if test == "knha-adhoc" else scale)
    se = np.sqrt(np.diag(covariance))
    law = norm if test == "z" else student(k - p)
    # Effects that lie on the line exactly leave Knapp and Hartung nothing to judge by.
    statistic = np.divide(beta, se, out=np.full(p, np.nan), where=se > 0)
    half = law.ppf((1 + confidence) / 2) * se
    q = generalised_q(0.0, yi, vi, x)
    if method == "common":
        h2 = q / (k - p)
        i2 = max(0.0, 100 * (1 - 1 / h2)) if q > 0 else 0.0
    else:
        typical = typical_variance(vi, x)
        i2, h2 = 100 * tau2 / (tau2 + typical), 1 + tau2 / typical
    return Regression(
        beta=beta,
        se=se,
        ci_low=beta - half,
        ci_high=beta + half,
        statistic=statistic,
        df=np.nan if test == "z" else float(k - p),
        p=2 * law.sf(np.abs(statistic)),
        test=test,
        tau2=tau2,
        I2=i2,
        H2=h2,
        Q=q,
        Q_df=k - p,
        Q_p=float(chi2.sf(q, k - p)),
    )
