"""Binomial-normal models: pooled proportions and odds ratios from counts, with nothing added to zeros.

Inputs are as in `confidence_intervals`. The log odds (or log odds ratio) of study i is
mu + tau · z with z standard normal. Its counts have their exact distribution given that value, and
the likelihood of a study is the integral over z, by Gauss-Hermite quadrature around the mode of the
integrand. Estimates are those of maximum likelihood.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import chdtrc, expit, gammaln, logsumexp, ndtr, stdtr, stdtrit, xlogy

from evidence.statistics.confidence_intervals import check_counts, critical_value

MODELS = ("conditional", "unconditional")
"""Models of an odds ratio: given the events of both groups together, or with an intercept per study."""
TESTS = ("z", "t")

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_LOG_NODE_WEIGHTS = np.log(_NODE_WEIGHTS) + _NODES**2 / 2 - np.log(2 * np.pi) / 2
_MAX_STEPS = 100
# Random effects that raise the log-likelihood by no more than this are none: tau is 0.
_NO_RISE = 1e-9

StudyLikelihood = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Log-likelihood of each study at effects (K, Q) and intercepts (K, 1).

With its gradient (p, K, Q) and second derivatives (p, p, K, Q): p is 1 without intercepts, else 2.
"""


@dataclass(frozen=True)
class BinomialNormalMean:
    """A pooled log odds or log odds ratio by maximum likelihood.

    `p` is two-sided; `df` is NaN for a normal test. `LRT` is the likelihood-ratio test of a common
    value against one of each study. `k` studies contribute. There are no weights of studies.
    """

    k: int
    model: str
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
    LRT: float
    LRT_df: int
    LRT_p: float
    pi_low: float
    pi_high: float


def pool_proportions_glmm(
    events: ArrayLike, n: ArrayLike, *, test: str = "t", confidence: float = 0.95
) -> BinomialNormalMean:
    """Return the pooled log odds of the proportion of one group.

    Raise `ValueError` for impossible counts, fewer than 2 studies, or nobody or everybody with the
    outcome. References: stijnen2010, lin2020.

    Parameters
    ----------
    test : {"z", "t"}
        Wald's test with a normal distribution or with t and k - 1 degrees of freedom.
    """
    x, n = (np.atleast_1d(counts) for counts in check_counts(events, n))
    _require_two(len(n))
    if x.sum() in (0, n.sum()):
        who = "everybody has the outcome in every" if x.sum() else "nobody has the outcome in any"
        raise ValueError(f"{who} study; the log odds are not estimable")

    def likelihood(theta: np.ndarray, _: np.ndarray):
        value, slope, curvature = _binomial(x, n, theta)
        return value, slope[None], curvature[None, None]

    start = np.log(x.sum() / (n - x).sum())
    return _pool(
        likelihood, n, start, None, _binomial_saturated(x, n), "one group", test, confidence
    )


def pool_odds_ratio_glmm(
    events1: ArrayLike,
    n1: ArrayLike,
    events2: ArrayLike,
    n2: ArrayLike,
    *,
    model: str = "conditional",
    test: str = "t",
    confidence: float = 0.95,
) -> BinomialNormalMean:
    """Return the pooled log odds ratio of K two-by-two tables.

    Raise `ValueError` for impossible counts, an unknown model, fewer than 2 studies with
    information, or groups so far apart that the ratio has no finite estimate. References:
    stijnen2010.

    Parameters
    ----------
    model : {"conditional", "unconditional"}
        `conditional` takes the events of both groups together as given, so that those of group 1
        have a non-central hypergeometric distribution; `unconditional` gives each study an
        intercept of its own, with plus and minus half of the log odds ratio in the groups.
    test
        As for `pool_proportions_glmm`.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}; got {model!r}")
    a, size1 = check_counts(events1, n1)
    c, size2 = check_counts(events2, n2)
    informative = (a + c > 0) & (a + c < size1 + size2)
    a, size1, c, size2 = (
        np.atleast_1d(counts)[np.atleast_1d(informative)] for counts in (a, size1, c, size2)
    )
    _require_two(len(a), " with events in some participants and not in all")
    counts = np.concatenate([a, size1, c, size2])
    if model == "conditional" and (counts != np.round(counts)).any():
        raise ValueError(
            "the conditional model needs whole numbers; those of a divided comparator arm are not"
        )
    lowest, highest = np.maximum(0, a + c - size2), np.minimum(a + c, size1)
    if (a == lowest).all() or (a == highest).all():
        raise ValueError(
            "in every study nobody has the outcome in one group, or everybody in the other; the odds "
            "ratio is not estimable"
        )
    cells = np.stack([a, size1 - a, c, size2 - c]) + 0.5
    start = np.average(
        np.log(cells[0] * cells[3] / cells[1] / cells[2]), weights=1 / (1 / cells).sum(0)
    )
    if model == "unconditional":
        intercepts = np.log((a + c + 1) / (size1 + size2 - a - c + 1))
        saturated = _binomial_saturated(a, size1) + _binomial_saturated(c, size2)
        likelihood = _two_binomials(a, size1, c, size2)
    else:
        intercepts = None
        likelihood = _hypergeometric(a, size1, c, size2)
        saturated = _hypergeometric_saturated(likelihood, a, lowest, highest)
    return _pool(likelihood, size1 + size2, start, intercepts, saturated, model, test, confidence)


def _require_two(k: int, what: str = "") -> None:
    if k < 2:
        raise ValueError(f"pooling needs at least 2 studies{what}; there are {k}")


def _binomial(events, n, log_odds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-likelihood without its constant, first and second derivative, each of shape (K, Q)."""
    events, n, proportion = events[:, None], n[:, None], expit(log_odds)
    value = events * log_odds - n * np.logaddexp(0, log_odds)
    return value, events - n * proportion, -n * proportion * (1 - proportion)


def _binomial_saturated(events: np.ndarray, n: np.ndarray) -> float:
    return float(np.sum(xlogy(events, events / n) + xlogy(n - events, 1 - events / n)))


def _two_binomials(a, n1, c, n2) -> StudyLikelihood:
    def likelihood(theta, intercept):
        value1, slope1, curvature1 = _binomial(a, n1, intercept + theta / 2)
        value2, slope2, curvature2 = _binomial(c, n2, intercept - theta / 2)
        mixed = (curvature1 - curvature2) / 2
        total = curvature1 + curvature2
        curvature = np.array([[total / 4, mixed], [mixed, total]])
        return value1 + value2, np.stack([(slope1 - slope2) / 2, slope1 + slope2]), curvature

    return likelihood


def _hypergeometric(a, n1, c, n2) -> StudyLikelihood:
    """Log-likelihood of the events of group 1, given those of both groups."""
    lowest, highest = np.maximum(0, a + c - n2), np.minimum(a + c, n1)
    counts = lowest[:, None] + np.arange(int((highest - lowest).max()) + 1)
    is_possible = counts <= highest[:, None]
    counts = np.where(is_possible, counts, lowest[:, None])
    rest = (a + c)[:, None] - counts
    log_ways = _log_choose(n1[:, None], counts) + _log_choose(n2[:, None], rest)
    log_ways = np.where(is_possible, log_ways, -np.inf)[:, None, :]
    # Counted from the observed one, so that neither large counts nor large effects lose digits.
    distance = (counts - a[:, None])[:, None, :]
    log_ways = log_ways - (_log_choose(n1, a) + _log_choose(n2, c))[:, None, None]
    powers = np.stack([np.ones_like(distance), distance, distance**2], axis=-1)[:, 0]

    def likelihood(theta, _):
        terms = log_ways + distance * theta[..., None]
        largest = terms.max(-1)
        total, first, second = np.moveaxis(np.exp(terms - largest[..., None]) @ powers, -1, 0)
        mean = first / total
        return -largest - np.log(total), -mean[None], (mean**2 - second / total)[None, None]

    return likelihood


def _hypergeometric_saturated(likelihood: StudyLikelihood, a, lowest, highest) -> float:
    """Highest log-likelihood with an effect per study; 0 where the count is the smallest or largest."""
    inner = (a > lowest) & (a < highest)

    def derivatives(theta: np.ndarray):
        _, slope, curvature = likelihood(theta[:, None], theta[:, None])
        return np.where(inner, slope[0, :, 0], 0.0), np.where(inner, curvature[0, 0, :, 0], -1.0)

    theta = _find_modes(derivatives, np.full(len(a), 100.0))
    return float(np.where(inner, likelihood(theta[:, None], theta[:, None])[0][:, 0], 0.0).sum())


def _log_choose(n, k):
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def _find_modes(derivatives: Callable, bound: np.ndarray) -> np.ndarray:
    """Find where each falling slope is 0, within -bound to bound.

    A Newton step that would leave what is known to enclose the zero, or that is more than half of
    the step before, is replaced by a bisection.
    """
    low, high, mode, before = -bound, bound, np.zeros(len(bound)), 2 * bound
    for _ in range(_MAX_STEPS):
        slope, curvature = derivatives(mode)
        low, high = np.where(slope > 0, mode, low), np.where(slope < 0, mode, high)
        newton = mode - slope / np.minimum(curvature, -1e-300)
        is_safe = (newton >= low) & (newton <= high) & (np.abs(newton - mode) <= before / 2)
        step = np.where(is_safe, newton, (low + high) / 2)
        before, mode = np.abs(step - mode), step
        if before.max() < 1e-6:
            break
    return mode


def _marginal(likelihood: StudyLikelihood, bound: np.ndarray, parameters: np.ndarray):
    """Log-likelihood, gradient and Hessian at mu, tau and the intercepts, if there are any.

    The second derivatives of an integral follow from those of its integrand.
    """
    mu, tau, intercepts = parameters[0], parameters[1], parameters[2:, None]
    if not len(intercepts):
        intercepts = np.zeros((len(bound), 1))

    def derivatives(z: np.ndarray):
        _, slope, curvature = likelihood(mu + tau * z[:, None], intercepts)
        return tau * slope[0, :, 0] - z, tau**2 * curvature[0, 0, :, 0] - 1

    mode = _find_modes(derivatives, abs(tau) * bound + 1)
    spread = 1 / np.sqrt(-derivatives(mode)[1])
    z = mode[:, None] + spread[:, None] * _NODES
    value, slope, curvature = likelihood(mu + tau * z, intercepts)
    terms = value - z**2 / 2 + _LOG_NODE_WEIGHTS + np.log(spread)[:, None]
    log_likelihood = logsumexp(terms, axis=1)
    weights = np.exp(terms - log_likelihood[:, None])
    # The effect depends on mu with factor 1 and on tau with factor z.
    factors = np.stack([np.ones_like(z), z] + [np.ones_like(z)] * (len(slope) - 1))
    effect = [0, 0, 1][: len(factors)]
    scores = factors * slope[effect]
    seconds = factors[:, None] * factors[None] * curvature[np.ix_(effect, effect)]
    mean = (weights * scores).sum(-1)
    information = (weights * (seconds + scores[:, None] * scores[None])).sum(-1) - mean[
        :, None
    ] * mean[None]
    p = len(parameters)
    gradient, hessian = np.zeros(p), np.zeros((p, p))
    gradient[:2], hessian[:2, :2] = mean[:2].sum(-1), information[:2, :2].sum(-1)
    if p > 2:
        gradient[2:] = mean[2]
        hessian[2:, 2:] = np.diag(information[2, 2])
        hessian[:2, 2:], hessian[2:, :2] = information[:2, 2], information[2, :2].T
    return float(log_likelihood.sum()), gradient, hessian


def _uphill_step(gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Return the Newton step, turned uphill where the likelihood is not concave."""
    if len(gradient) > 2:
        # With an intercept per study, eigenvalues would take most of the time.
        with suppress(LinAlgError):
            return cho_solve(cho_factor(-hessian), gradient)
    sizes, directions = np.linalg.eigh(hessian)
    return directions @ (directions.T @ gradient / np.maximum(np.abs(sizes), 1e-8))


def _maximise(evaluate: Callable, start: np.ndarray, free: np.ndarray):
    """Climb in the free parameters by Newton steps, turned uphill and halved where they do not rise."""
    parameters = start.copy()
    value, gradient, hessian = evaluate(parameters)
    for _ in range(_MAX_STEPS):
        step = _uphill_step(gradient[free], hessian[np.ix_(free, free)])
        for _ in range(_MAX_STEPS):
            candidate = parameters.copy()
            candidate[free] += step
            reached = evaluate(candidate)
            if reached[0] >= value - 1e-12 * max(1.0, abs(value)):
                break
            step = step / 2
        parameters, (value, gradient, hessian) = candidate, reached
        if np.abs(step).max() < 1e-9:
            return parameters, value, hessian
    raise ValueError("the likelihood of the binomial-normal model has no maximum within reach")


def _pool(
    likelihood: StudyLikelihood,
    bound: np.ndarray,
    start: float,
    intercepts: np.ndarray | None,
    saturated: float,
    model: str,
    test: str,
    confidence: float,
) -> BinomialNormalMean:
    if test not in TESTS:
        raise ValueError(f"test must be one of {', '.join(TESTS)}; got {test!r}")
    quantile, k = critical_value(confidence), len(bound)

    def evaluate(parameters: np.ndarray):
        return _marginal(likelihood, bound, parameters)

    first = np.concatenate([[start, 0.0], [] if intercepts is None else intercepts])
    common = np.delete(np.arange(len(first)), 1)
    parameters, value, hessian = _maximise(evaluate, first, common)
    excess, free = max(0.0, 2 * (saturated - value)), common
    first = parameters.copy()
    first[1] = 0.5
    random = _maximise(evaluate, first, np.arange(len(first)))
    if random[1] > value + _NO_RISE:
        (parameters, value, hessian), free = random, np.arange(len(first))
    estimate, tau2 = float(parameters[0]), float(parameters[1] ** 2)
    se = float(np.sqrt(np.linalg.inv(-hessian[np.ix_(free, free)])[0, 0]))
    statistic, df = estimate / se, np.nan
    p = float(2 * ndtr(-abs(statistic)))
    if test == "t":
        df = float(k - 1)
        quantile, p = (
            float(stdtrit(df, (1 + confidence) / 2)),
            float(2 * stdtr(df, -abs(statistic))),
        )
    half = float(stdtrit(k - 2, (1 + confidence) / 2) * np.sqrt(tau2 + se**2)) if k > 2 else np.nan
    return BinomialNormalMean(
        k=k,
        model=model,
        test=test,
        confidence=confidence,
        estimate=estimate,
        se=se,
        ci_low=estimate - quantile * se,
        ci_high=estimate + quantile * se,
        statistic=statistic,
        df=df,
        p=p,
        tau2=tau2,
        LRT=excess,
        LRT_df=k - 1,
        LRT_p=float(chdtrc(k - 1, excess)),
        pi_low=estimate - half,
        pi_high=estimate + half,
    )
