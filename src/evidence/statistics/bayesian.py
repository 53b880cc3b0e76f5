"""Bayesian random effects by numerical integration, for pools of few studies.

The model is yi ~ N(mu, vi + tau²). Given tau, the posterior of mu is normal; the posterior of tau
is integrated over a grid of Gauss-Legendre panels, so that nothing is sampled and results repeat to
the last digits. A prior for tau keeps its posterior proper where few studies say little about it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from evidence.statistics.meta_analysis import check_effects

PRIORS = ("half-normal", "half-cauchy", "log-normal", "log-t")
"""Families of priors: the first two for tau, the others for tau²."""
_LOG_T_DF = 5
_PANELS = 400
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(10)
# The grid ends where the prior leaves this probability: its share of any result is smaller.
_TAIL = 1e-12
_TOLERANCES = {"xtol": 1e-14, "rtol": 1e-13}


@dataclass(frozen=True)
class TauPrior:
    """A prior for the heterogeneity tau.

    `half-normal` and `half-cauchy` have a scale on the scale of tau. `log-normal` and `log-t` (5
    degrees of freedom) are distributions of log tau² with a location and a scale, as Turner et al.
    and Rhodes et al. give them. `source` says where the numbers come from.
    """

    family: str
    scale: float
    location: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        if self.family not in PRIORS:
            raise ValueError(f"prior must be one of {', '.join(PRIORS)}; got {self.family!r}")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"the scale of a prior must be above 0; got {self.scale:g}")

    def __str__(self) -> str:
        text = f"{self.family.replace('cauchy', 'Cauchy')} with scale {self.scale:g}"
        if self.family.startswith("log"):
            text = f"{text} and location {self.location:g} for tau²"
        return f"{text} ({self.source})" if self.source else text

    def log_density(self, tau: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density of tau, up to a constant."""
        if self.family == "half-normal":
            return -((tau / self.scale) ** 2) / 2
        if self.family == "half-cauchy":
            return -np.log1p((tau / self.scale) ** 2)
        z = (2 * np.log(tau) - self.location) / self.scale
        if self.family == "log-normal":
            return -(z**2) / 2 - np.log(tau)
        return -(_LOG_T_DF + 1) / 2 * np.log1p(z**2 / _LOG_T_DF) - np.log(tau)

    def quantile(self, upper_tail: float) -> float:
        """Return the tau above which lies this probability."""
        if self.family == "half-normal":
            return -self.scale * float(ndtri(upper_tail / 2))
        if self.family == "half-cauchy":
            return self.scale / float(np.tan(np.pi / 2 * upper_tail))
        z = ndtri(upper_tail) if self.family == "log-normal" else stdtrit(_LOG_T_DF, upper_tail)
        return float(np.exp((self.location - self.scale * z) / 2))


class Distribution:
    """Quantiles and intervals of a distribution with one mode, from its density and CDF.

    `support` bounds the values that have any probability to the last digits.
    """

    support: tuple[float, float]

    def density(self, value: float) -> float:
        """Return the density at a value."""
        raise NotImplementedError

    def cdf(self, value: float) -> float:
        """Return the probability of a smaller value."""
        raise NotImplementedError

    def quantile(self, probability: float) -> float:
        """Return the value below which lies this probability."""
        low, high = self.support
        if self.cdf(low) >= probability:
            return low
        if self.cdf(high) <= probability:
            return high
        return float(brentq(lambda value: self.cdf(value) - probability, low, high, **_TOLERANCES))

    def central_interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval with equal probabilities below and above it."""
        tail = (1 - confidence) / 2
        return self.quantile(tail), self.quantile(1 - tail)

    def shortest_interval(self, confidence: float) -> tuple[float, float]:
        """Return the shortest interval of this probability: the density is equal at its ends."""

        def ends(tail: float) -> tuple[float, float]:
            return self.quantile(tail), self.quantile(min(tail + confidence, 1.0))

        def excess(tail: float) -> float:
            low, high = ends(tail)
            return self.density(low) - self.density(high)

        # Where the density falls from the start, as that of tau can, the interval begins there.
        if excess(0.0) >= 0:
            return ends(0.0)
        return ends(float(brentq(excess, 0.0, 1 - confidence, **_TOLERANCES)))


class NormalMixture(Distribution):
    """A mixture of normal distributions; all arrays have one shape."""

    def __init__(self, weights: np.ndarray, means: np.ndarray, sds: np.ndarray) -> None:
        self.weights, self.means, self.sds = weights, means, sds
        self.mean = float(weights @ means)
        self.sd = float(np.sqrt(weights @ (sds**2 + (means - self.mean) ** 2)))
        reach = 10 * sds
        self.support = float((means - reach).min()), float((means + reach).max())

    def density(self, value: float) -> float:
        """Return the density at a value."""
        z = (value - self.means) / self.sds
        return float((self.weights / self.sds) @ np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))

    def cdf(self, value: float) -> float:
        """Return the probability of a smaller value."""
        return float(self.weights @ ndtr((value - self.means) / self.sds))


class TauPosterior(Distribution):
    """The posterior of tau, integrated panel by panel; `nodes` and `weights` represent it."""

    def __init__(self, log_density: Callable[[np.ndarray], np.ndarray], edges: np.ndarray) -> None:
        nodes, widths = _panel_nodes(edges[:-1], edges[1:])
        logs = log_density(nodes.ravel()).reshape(nodes.shape)
        self._log_density, self._edges = log_density, edges
        self._log_total = logs.max()
        masses = (widths * np.exp(logs - self._log_total)).sum(axis=1)
        self._log_total += np.log(masses.sum())
        self._cumulative = np.append(0.0, np.cumsum(masses / masses.sum()))
        weights = (widths * np.exp(logs - self._log_total)).ravel()
        # Nodes without weight would only widen the support of mixtures over tau.
        has_weight = weights > 1e-17
        self.nodes = nodes.ravel()[has_weight]
        self.weights = weights[has_weight] / weights[has_weight].sum()
        self.support = 0.0, float(edges[-1])
        self.mean = float(self.weights @ self.nodes)
        self.sd = float(np.sqrt(self.weights @ (self.nodes - self.mean) ** 2))

    def density(self, value: float) -> float:
        """Return the density at a value."""
        # Priors on the scale of log tau have no density at 0 itself.
        at = np.array([max(value, np.finfo(float).tiny)])
        return float(np.exp(self._log_density(at) - self._log_total)[0])

    def cdf(self, value: float) -> float:
        """Return the probability of a smaller value."""
        if value <= 0:
            return 0.0
        panel = int(np.searchsorted(self._edges, value, side="right")) - 1
        if panel >= len(self._edges) - 1:
            return 1.0
        nodes, widths = _panel_nodes(self._edges[[panel]], np.array([value]))
        part = widths * np.exp(self._log_density(nodes.ravel()) - self._log_total)
        return float(self._cumulative[panel] + part.sum())


@dataclass(frozen=True)
class BayesianMean:
    """A pooled mean with its posterior, and the predictive distribution of a further study.

    `estimate` is the posterior median; `ci_low` and `ci_high` end the central credible interval, as
    for tau and the prediction. A standard deviation is infinite where the posterior has none: two
    studies with a half-Cauchy prior. `weights` are the studies' mean weights in the posterior mean.
    """

    k: int
    prior: str
    mu_prior: str
    confidence: float
    estimate: float
    mean: float
    se: float
    ci_low: float
    ci_high: float
    tau: float
    tau_mean: float
    tau_low: float
    tau_high: float
    pi_low: float
    pi_high: float
    weights: np.ndarray
    mu_posterior: NormalMixture
    tau_posterior: TauPosterior

    @property
    def tau2(self) -> float:
        """The square of the posterior median of tau."""
        return self.tau**2

    def probability_above(self, threshold: float) -> float:
        """Return the posterior probability that the mean effect exceeds a threshold."""
        return 1 - self.mu_posterior.cdf(threshold)


def pool_bayesian(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    prior: TauPrior,
    mu_mean: float = 0.0,
    mu_sd: float = np.inf,
    confidence: float = 0.95,
) -> BayesianMean:
    """Return the posterior of the pooled mean of K studies.

    Raise `ValueError` for effects that cannot be pooled, or a prior that is not one. References:
    rover2020, rover2021.

    Parameters
    ----------
    prior : TauPrior
    mu_mean, mu_sd : float
        Mean and standard deviation of the normal prior of the effect; flat if infinite.
    """
    yi, vi = check_effects(yi, vi)
    if not mu_sd > 0:
        raise ValueError(f"the standard deviation of a prior must be above 0; got {mu_sd:g}")
    model = _Model(yi, vi, prior, mu_mean, mu_sd)
    posterior = TauPosterior(model.log_density, model.edges())
    means, sds = model.mu_given(posterior.nodes)
    mu = NormalMixture(posterior.weights, means, sds)
    prediction = NormalMixture(posterior.weights, means, np.hypot(sds, posterior.nodes))
    has_sd = prior.family != "half-cauchy" or len(yi) > 2 or np.isfinite(mu_sd)
    (ci_low, ci_high), (tau_low, tau_high), (pi_low, pi_high) = (
        distribution.central_interval(confidence) for distribution in (mu, posterior, prediction)
    )
    w = 1 / (vi + posterior.nodes[:, None] ** 2)
    return BayesianMean(
        k=len(yi),
        prior=str(prior),
        mu_prior=f"normal({mu_mean:g}, {mu_sd:g})" if np.isfinite(mu_sd) else "flat",
        confidence=confidence,
        estimate=mu.quantile(0.5),
        mean=mu.mean,
        se=mu.sd if has_sd else np.inf,
        ci_low=ci_low,
        ci_high=ci_high,
        tau=posterior.quantile(0.5),
        tau_mean=posterior.mean,
        tau_low=tau_low,
        tau_high=tau_high,
        pi_low=pi_low,
        pi_high=pi_high,
        weights=posterior.weights @ (w / w.sum(axis=1, keepdims=True)),
        mu_posterior=mu,
        tau_posterior=posterior,
    )


def probability_above(estimate: float, se: float, threshold: float, df: float = np.nan) -> float:
    """Return how much of the t (or, without df, normal) distribution of an estimate lies above.

    For Knapp-Hartung, the share of the distribution behind the CI that exceeds a threshold: one
    minus the one-sided p of the hypothesis that the effect is at most the threshold.
    """
    if not se > 0:
        return float(estimate > threshold)
    z = (estimate - threshold) / se
    return float(ndtr(z) if np.isnan(df) else stdtr(df, z))


@dataclass(frozen=True)
class _Model:
    """Studies and priors: what is known of mu given tau, and of tau with mu integrated out."""

    yi: np.ndarray
    vi: np.ndarray
    prior: TauPrior
    mu_mean: float
    mu_sd: float

    def _precisions(self, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (S, K), posterior precision and posterior mean of mu (S,) for each tau."""
        w = 1 / (self.vi + tau[:, None] ** 2)
        precision = w.sum(axis=1) + self.mu_sd**-2
        mean = (w @ self.yi + self.mu_mean * self.mu_sd**-2) / precision
        return w, precision, mean

    def mu_given(self, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of mu for each tau, arrays of shape (S,)."""
        _, precision, mean = self._precisions(tau)
        return mean, precision**-0.5

    def log_density(self, tau: np.ndarray) -> np.ndarray:
        """Return the logarithm of the posterior density of tau, up to a constant."""
        w, precision, mean = self._precisions(tau)
        misfit = (w * (self.yi - mean[:, None]) ** 2).sum(axis=1)
        misfit += ((mean - self.mu_mean) / self.mu_sd) ** 2
        likelihood = (np.log(w).sum(axis=1) - np.log(precision) - misfit) / 2
        return likelihood + self.prior.log_density(tau)

    def edges(self) -> np.ndarray:
        """Return the edges of the panels: equal steps of log tau, and a first one down to 0."""
        first = 1e-4 * min(self.prior.quantile(0.5), float(np.sqrt(self.vi.min())))
        # Far beyond the data the likelihood falls as 1 / tau or faster, whatever the prior.
        farthest = 1e12 * max(float(np.ptp(self.yi)), float(np.sqrt(self.vi.max())))
        last = min(self.prior.quantile(_TAIL), farthest)
        return np.append(0.0, np.geomspace(first, last, _PANELS))


def _panel_nodes(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights of each panel, arrays of shape (panels, nodes)."""
    half = (high - low)[:, None] / 2
    return low[:, None] + half * (1 + _NODES), half * _NODE_WEIGHTS
