"""Bayesian random effects against bayesmeta, brute-force integration and closed forms."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import halfcauchy, halfnorm, norm, t

from evidence.statistics.bayesian import TauPrior, pool_bayesian, probability_above
from evidence.statistics.effect_sizes import log_odds_ratio

HALF_NORMAL, HALF_CAUCHY = TauPrior("half-normal", 0.5), TauPrior("half-cauchy", 0.5)
# Crins et al. 2014, acute rejection: events and participants with and without the drug.
CRINS = (
    [14, 16, 3, 9, 4, 0],
    [61, 28, 18, 54, 36, 50],
    [15, 19, 8, 29, 11, 3],
    [20, 28, 12, 54, 36, 34],
)
YI, VI = log_odds_ratio(*(np.array(column, float) for column in CRINS))
THREE = ([0.1, 0.8, 0.5], [0.04, 0.09, 0.16])
LOG_NORMAL, LOG_T = TauPrior("log-normal", 1.53, -2.12), TauPrior("log-t", 2.16, -2.99)


def test_the_printed_example_of_bayesmeta():
    # Röver 2020, J Stat Softw 93(6), section 3.3: "marginal posterior summary" of tau and mu.
    mean = pool_bayesian(YI, VI, prior=HALF_NORMAL, mu_sd=4)
    tau = [
        mean.tau,
        mean.tau_mean,
        mean.tau_posterior.sd,
        mean.tau_posterior.shortest_interval(0.95)[1],
    ]
    assert tau == pytest.approx([0.3445022, 0.3810562, 0.2593672, 0.8607305], rel=2e-5)
    assert mean.tau_posterior.shortest_interval(0.95)[0] == 0
    mu = [mean.estimate, mean.mean, *mean.mu_posterior.shortest_interval(0.95)]
    # bayesmeta approximates the mixture of mu by few normal distributions.
    assert mu == pytest.approx([-1.5734823, -1.5764366, -2.2312306, -0.9264079], rel=3e-4)
    assert mean.se == pytest.approx(0.3295298, rel=1e-3)


def test_the_printed_eight_schools():
    # The same package's vignette: half-Cauchy prior of scale 25, normal prior of mu.
    yi = [28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16]
    se = np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6])
    mean = pool_bayesian(yi, se**2, prior=TauPrior("half-cauchy", 25), mu_sd=50)
    tau = [
        mean.tau,
        mean.tau_mean,
        mean.tau_posterior.sd,
        mean.tau_posterior.shortest_interval(0.95)[1],
    ]
    assert tau == pytest.approx([4.758539, 5.884511, 4.869904, 15.165894], rel=2e-5)
    mu = [mean.estimate, mean.mean, *mean.mu_posterior.shortest_interval(0.95)]
    assert mu == pytest.approx([7.962961, 7.985729, -1.823353, 17.824562], rel=2e-3)


def test_the_published_prior_for_surgical_outcomes():
    # Röver 2020, section 3.4.3, prints the quantiles of Turner's prior, log-normal(−2.14, 1.74).
    prior = TauPrior("log-normal", 1.74, -2.14)
    quantiles = [prior.quantile(1 - p) for p in (0.025, 0.5, 0.975)]
    assert quantiles == pytest.approx([0.06233896, 0.34300852, 1.88734045], rel=1e-7)


@pytest.mark.parametrize(
    ("prior", "density"),
    [
        (HALF_NORMAL, halfnorm(scale=0.5).pdf),
        (HALF_CAUCHY, halfcauchy(scale=0.5).pdf),
        (LOG_NORMAL, lambda tau: 2 / tau * norm(-2.12, 1.53).pdf(2 * np.log(tau))),
        (LOG_T, lambda tau: 2 / tau * t(5, -2.99, 2.16).pdf(2 * np.log(tau))),
    ],
    ids=["half-normal", "half-Cauchy", "log-normal", "log-t"],
)
def test_brute_force_integration_agrees(prior, density):
    # The joint density on a plain grid of mu and log tau; tau's own density times tau per step.
    tau, mu = np.geomspace(1e-6, 1e3, 1201), np.linspace(-8, 9, 1701)
    joint = np.tile(density(tau) * tau, (len(mu), 1))
    for y, v in zip(*THREE, strict=True):
        joint *= norm.pdf(mu[:, None], y, np.sqrt(v + tau**2))
    marginal = joint.sum(axis=1)
    mean = pool_bayesian(*THREE, prior=prior)
    # The grid has a point at 0.3, of which half lies above.
    above = (marginal[mu > 0.301].sum() + marginal[np.argmin(abs(mu - 0.3))] / 2) / marginal.sum()
    assert mean.probability_above(0.3) == pytest.approx(above, abs=3e-4)
    assert mean.mu_posterior.density(0.3) == pytest.approx(
        marginal[np.argmin(abs(mu - 0.3))] / marginal.sum() / 0.01, rel=1e-3
    )


@pytest.mark.parametrize("prior", [HALF_NORMAL, HALF_CAUCHY, LOG_NORMAL], ids=str)
def test_the_posterior_of_tau_by_quadrature_in_one_dimension(prior):
    yi, vi = map(np.array, THREE)

    def density(tau):
        w = 1 / (vi + tau**2)
        mu = w @ yi / w.sum()
        logs = np.log(w).sum() - np.log(w.sum()) - w @ (yi - mu) ** 2
        return np.exp(logs / 2 + prior.log_density(np.array([tau]))[0])

    def mass(low, high):
        cuts = [low, *(cut for cut in (0.01, 0.1, 0.5, 2, 10, 100) if low < cut < high), high]
        pieces = pairwise(cuts)
        return sum(quad(density, *piece, epsabs=0, epsrel=1e-11)[0] for piece in pieces)

    mean = pool_bayesian(yi, vi, prior=prior)
    total = mass(1e-12, 1e5)
    assert mean.tau_posterior.cdf(0.3) == pytest.approx(mass(1e-12, 0.3) / total, rel=1e-8)
    assert mean.tau_posterior.cdf(mean.tau_low) == pytest.approx(0.025, abs=1e-10)
    assert mean.tau_posterior.density(0.3) == pytest.approx(density(0.3) / total, rel=1e-8)


def test_without_heterogeneity_the_posterior_is_the_common_effect():
    # Weights 25 and 100 and prior precision 4: precision 129, mean (25 · 0.2 + 100 · 0.5) / 129.
    mean = pool_bayesian([0.2, 0.5], [0.04, 0.01], prior=TauPrior("half-normal", 1e-7), mu_sd=0.5)
    assert mean.estimate == pytest.approx(55 / 129, rel=1e-9)
    half = 1.959963984540054 / np.sqrt(129)
    assert [mean.ci_low, mean.ci_high] == pytest.approx(
        [55 / 129 - half, 55 / 129 + half], rel=1e-9
    )
    assert mean.mu_posterior.shortest_interval(0.95) == pytest.approx(
        (mean.ci_low, mean.ci_high), rel=1e-6
    )
    assert mean.weights == pytest.approx([0.2, 0.8])


def test_two_studies_with_a_half_cauchy_prior_have_no_standard_deviation():
    mean = pool_bayesian([0.2, 0.5], [0.04, 0.01], prior=HALF_CAUCHY)
    assert np.isinf(mean.se)
    assert mean.ci_low < 0.2 < 0.5 < mean.ci_high
    assert mean.pi_low < mean.ci_low


def test_few_studies_are_wider_with_a_wider_prior():
    narrow = pool_bayesian(*THREE, prior=HALF_NORMAL)
    wide = pool_bayesian(*THREE, prior=TauPrior("half-normal", 2))
    assert wide.ci_low < narrow.ci_low < narrow.ci_high < wide.ci_high
    low, high = narrow.mu_posterior.shortest_interval(0.95)
    assert high - low <= narrow.ci_high - narrow.ci_low


def test_the_probability_above_a_threshold_behind_a_t_interval():
    # The threshold at the upper end of a 95% CI is exceeded with 2.5%.
    upper = 0.4 + t(2).ppf(0.975) * 0.1
    assert probability_above(0.4, 0.1, upper, df=2) == pytest.approx(0.025)
    assert probability_above(0.4, 0.1, 0.4) == pytest.approx(0.5)
    assert probability_above(0.4, 0.0, 0.3) == 1


@pytest.mark.parametrize(
    ("prior", "options", "message"),
    [
        (("flat", 1), {}, "prior must be one of"),
        (("half-normal", 0), {}, "scale of a prior must be above 0"),
        (("half-normal", 1), {"mu_sd": 0}, "standard deviation of a prior"),
    ],
)
def test_priors_that_are_none_are_refused(prior, options, message):
    with pytest.raises(ValueError, match=message):
        pool_bayesian([0.1, 0.2], [0.1, 0.1], prior=TauPrior(*prior), **options)
