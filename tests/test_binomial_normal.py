"""Binomial-normal models against metafor's rma.glmm and lme4; see reference/metafor/README.md."""

import json

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import nchypergeom_fisher, norm

from evidence.statistics.binomial_normal import pool_odds_ratio_glmm, pool_proportions_glmm
from tests.conftest import ROOT

VALUES = json.loads((ROOT / "reference" / "metafor" / "glmm.json").read_text("utf-8"))
COUNTS = ("events1", "n1", "events2", "n2")
MODELS = {"CM.EL": "conditional", "UM.FS": "unconditional", "UM.FS_lme4": "unconditional"}
PROPORTIONS = [(name, program) for name in VALUES["proportion"] for program in ("metafor", "lme4")]
# There metafor stops short of tau² = 0, with a standard error of nearly 0.
NO_MAXIMUM = ("dat.hahn2001", "CM.EL")
ODDS_RATIOS = [(name, fit) for name in VALUES["or"] for fit in MODELS if (name, fit) != NO_MAXIMUM]
# lme4 takes standard errors from differences of the likelihood, and both searches stop earlier.
ESTIMATE = {"rel": 1e-5}
SE = {"rel": 2e-4}


def counts_of(measure, name):
    studies = VALUES[measure][name]["studies"]
    return [studies[column] for column in COUNTS[: len(studies)]]


def assert_same(pool, expected):
    mean, with_t = pool(test="z"), pool(test="t")
    assert mean.estimate == pytest.approx(expected["estimate"], **ESTIMATE)
    assert mean.tau2 == pytest.approx(expected["tau2"], rel=1e-5, abs=1e-9)
    assert mean.se == pytest.approx(expected["se"], **SE)
    if "k" not in expected:
        return
    assert (mean.k, mean.LRT_df, with_t.df) == (expected["k"], expected["LRT_df"], expected["t_df"])
    assert pytest.approx((expected["LRT"], expected["LRT_p"]), rel=1e-8) == (mean.LRT, mean.LRT_p)
    for ours, theirs in ((mean, ""), (with_t, "t_")):
        ends = [expected[f"{theirs}ci_low"], expected[f"{theirs}ci_high"]]
        assert [ours.ci_low, ours.ci_high] == pytest.approx(ends, rel=1e-3)
        assert ours.p == pytest.approx(expected[f"{theirs}p"], rel=1e-2)


@pytest.mark.parametrize(("name", "program"), PROPORTIONS)
def test_proportions(name, program):
    expected = VALUES["proportion"][name][program]
    counts = counts_of("proportion", name)
    assert_same(lambda **test: pool_proportions_glmm(*counts, **test), expected)


@pytest.mark.parametrize(("name", "fit"), ODDS_RATIOS)
def test_odds_ratios(name, fit):
    expected = VALUES["or"][name][fit]
    counts = counts_of("or", name)
    model = MODELS[fit]
    assert_same(lambda **test: pool_odds_ratio_glmm(*counts, model=model, **test), expected)


def test_conditional_model_without_heterogeneity():
    """The likelihood-ratio test does not depend on the search for tau²."""
    expected = VALUES["or"]["dat.hahn2001"]["CM.EL"]
    mean = pool_odds_ratio_glmm(*counts_of("or", "dat.hahn2001"))
    assert (mean.tau2, mean.k) == (0, expected["k"])
    assert pytest.approx(expected["LRT"], rel=1e-8) == mean.LRT
    assert mean.estimate == pytest.approx(expected["estimate"], rel=1e-3)


def conditional_log_likelihood(counts, mu, tau):
    """Integrate Fisher's non-central hypergeometric distribution over a plain grid."""
    z, step = np.linspace(-9, 9, 1201, retstep=True)
    odds_ratios = np.exp(mu + tau * z)
    total = 0.0
    for a, n1, c, n2 in zip(*counts, strict=True):
        if a + c > 0:
            probability = nchypergeom_fisher.pmf(a, n1 + n2, n1, a + c, odds_ratios)
            total += np.log(np.sum(probability * norm.pdf(z)) * step)
    return total


def test_conditional_standard_error_by_differences_of_the_likelihood():
    """Those that metafor takes are good to four digits only."""
    counts = counts_of("or", "dat.nielweise2007")
    mean = pool_odds_ratio_glmm(*counts)
    mu, tau, h = mean.estimate, np.sqrt(mean.tau2), 0.01
    at = {
        (i, j): conditional_log_likelihood(counts, mu + i * h, tau + j * h)
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    }
    assert max(at, key=at.get) == (0, 0)
    mixed = (at[1, 1] - at[1, -1] - at[-1, 1] + at[-1, -1]) / 4
    in_mu, in_tau = (at[i, j] - 2 * at[0, 0] + at[-i, -j] for i, j in ((1, 0), (0, 1)))
    hessian = np.array([[in_mu, mixed], [mixed, in_tau]])
    assert mean.se == pytest.approx(np.sqrt(np.linalg.inv(-hessian / h**2)[0, 0]), rel=1e-4)


def test_studies_that_agree_have_the_proportion_of_all():
    mean = pool_proportions_glmm([2, 3, 1], [20, 30, 10], test="z")
    assert mean.tau2 == 0
    # The log odds of 6/60, with the variance 1/6 + 1/54 of one sample.
    assert mean.estimate == pytest.approx(np.log(6 / 54))
    assert mean.se == pytest.approx(np.sqrt(1 / 6 + 1 / 54))
    assert pytest.approx(0, abs=1e-12) == mean.LRT
    assert (mean.pi_low, mean.pi_high) < (mean.ci_low, mean.ci_high)


def test_an_empty_study_counts_for_a_proportion_and_not_for_a_ratio():
    assert pool_proportions_glmm([0, 0, 7], [1, 8, 30]).k == 3
    with_empty = pool_odds_ratio_glmm([2, 0, 3, 1], [20, 9, 30, 9], [4, 0, 5, 2], [20, 9, 30, 9])
    assert with_empty == pool_odds_ratio_glmm([2, 3, 1], [20, 30, 9], [4, 5, 2], [20, 30, 9])


def test_groups_change_places_with_the_sign_of_the_log_odds_ratio():
    counts = counts_of("or", "dat.damico2009")
    for model in ("conditional", "unconditional"):
        one = pool_odds_ratio_glmm(*counts, model=model)
        other = pool_odds_ratio_glmm(*counts[2:], *counts[:2], model=model)
        assert (one.estimate, one.se) == pytest.approx((-other.estimate, other.se), rel=1e-7)


def test_a_study_far_from_all_others():
    """The likelihood of a study at n of n events is that of a plain grid, however far it is."""
    events, n = np.array([306, 3, 8, 29, 33]), np.array([306, 231, 2545, 7499, 5069])
    mean = pool_proportions_glmm(events, n)
    z, step = np.linspace(-12, 12, 20001, retstep=True)

    def log_likelihood(mu, tau):
        theta = (mu + tau * z)[:, None]
        terms = events * theta - n * np.logaddexp(0, theta) + norm.logpdf(z)[:, None]
        return float((logsumexp(terms, axis=0) + np.log(step)).sum())

    mu, tau = mean.estimate, np.sqrt(mean.tau2)
    best = log_likelihood(mu, tau)
    for other in ((mu + 0.05, tau), (mu - 0.05, tau), (mu, tau + 0.05), (mu, tau - 0.05)):
        assert log_likelihood(*other) < best


@pytest.mark.parametrize("model", ["conditional", "unconditional"])
def test_many_participants_and_a_large_effect(model):
    mean = pool_odds_ratio_glmm([1, 2], [9000, 8000], [400, 500], [9000, 8000], model=model)
    assert -6 < mean.estimate < -5
    assert 0 < mean.se < 1


@pytest.mark.parametrize(
    ("pool", "counts", "message"),
    [
        (pool_proportions_glmm, ([0, 0], [5, 9]), "nobody has the outcome"),
        (pool_proportions_glmm, ([5, 9], [5, 9]), "everybody has the outcome"),
        (pool_proportions_glmm, ([1], [9]), "at least 2 studies; there are 1"),
        (pool_proportions_glmm, ([3, 1], [2, 9]), "between 0 and n"),
        (pool_odds_ratio_glmm, ([1, 0], [9, 9], [2, 0], [9, 9]), "at least 2 studies with events"),
        (pool_odds_ratio_glmm, ([1, 2], [9, 9], [2.5, 1], [9.5, 9]), "needs whole numbers"),
        (pool_odds_ratio_glmm, ([0, 0], [9, 9], [2, 1], [9, 9]), "not estimable"),
        (pool_odds_ratio_glmm, ([0, 4], [9, 9], [2, 9], [9, 9]), "not estimable"),
    ],
)  # fmt: skip
def test_what_has_no_estimate_is_refused(pool, counts, message):
    with pytest.raises(ValueError, match=message):
        pool(*counts)


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="model must be one of conditional, unconditional"):
        pool_odds_ratio_glmm([1, 2], [9, 9], [2, 3], [9, 9], model="exact")
    with pytest.raises(ValueError, match="test must be one of z, t"):
        pool_proportions_glmm([1, 2], [9, 9], test="knha")
