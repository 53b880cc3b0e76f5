"""Meta-analysis: a second implementation, worked examples, properties, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.power import NormalIndPower

from evidence.statistics import effect_sizes
from evidence.statistics.mantel_haenszel import pool_mantel_haenszel, pool_peto
from evidence.statistics.meta_analysis import METHODS, TESTS, fit_regression, pool, pool_subsets
from evidence.statistics.sample_size import size_for_means, size_for_proportions
from evidence.statistics.sensitivity import (
    cumulative_meta_analysis,
    leave_one_out,
    subgroup_analysis,
)

# Thirteen vaccine trials (Colditz 1994), as in reference/metafor/values.json.
BCG = [
    (4, 123, 11, 139), (6, 306, 29, 303), (3, 231, 11, 220), (62, 13598, 248, 12867),
    (33, 5069, 47, 5808), (180, 1541, 372, 1451), (8, 2545, 10, 629), (505, 88391, 499, 88391),
    (29, 7499, 45, 7277), (17, 1716, 65, 1665), (186, 50634, 141, 27338), (5, 2498, 3, 2341),
    (27, 16913, 29, 17854),
]  # fmt: skip
COUNTS = np.array(BCG, float).T
YI, VI = effect_sizes.log_risk_ratio(*COUNTS)
LATITUDE = [44, 55, 42, 52, 13, 44, 19, 13, 27, 42, 18, 33, 33]
SUBSET_FIELDS = ("estimate", "se", "ci_low", "ci_high", "tau2")


@pytest.mark.parametrize(("method", "name"), [("dl", "chi2"), ("pm", "iterated")])
@pytest.mark.parametrize("test", ["z", "knha"])
def test_statsmodels_agrees(method, name, test):
    theirs = combine_effects(YI, VI, method_re=name, use_t=test == "knha", atol=1e-14)
    ours = pool(YI, VI, method=method, test=test)
    assert ours.tau2 == pytest.approx(theirs.tau2, rel=1e-8)
    assert ours.estimate == pytest.approx(theirs.mean_effect_re, rel=1e-8)
    assert pytest.approx(theirs.q, rel=1e-8) == ours.Q
    se = theirs.sd_eff_w_re_hksj if test == "knha" else theirs.sd_eff_w_re
    assert ours.se == pytest.approx(se, rel=1e-8)


def test_statsmodels_agrees_on_stratified_tables():
    tables = [[[a, n1 - a], [c, n2 - c]] for a, n1, c, n2 in BCG]
    theirs = StratifiedTable(np.array(tables, float).transpose(1, 2, 0))
    odds = pool_mantel_haenszel(*COUNTS, measure="or")
    assert odds.estimate == pytest.approx(theirs.logodds_pooled, rel=1e-10)
    assert odds.se == pytest.approx(theirs.logodds_pooled_se, rel=1e-10)
    risk = pool_mantel_haenszel(*COUNTS, measure="rr")
    assert np.exp(risk.estimate) == pytest.approx(theirs.riskratio_pooled, rel=1e-10)


def test_reml_is_the_maximum_of_the_likelihood_written_out():
    """With dense matrices, as the textbooks write it, no neighbour is higher."""
    x = np.ones((len(YI), 1))

    def likelihood(tau2):
        v = np.diag(VI + tau2)
        inverse = np.linalg.inv(v)
        information = x.T @ inverse @ x
        residual = YI - x @ np.linalg.solve(information, x.T @ inverse @ YI)
        parts = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
        return -0.5 * (parts + residual @ inverse @ residual)

    tau2 = pool(YI, VI, method="reml").tau2
    for factor in (0.5, 0.9, 0.999, 1.001, 1.1, 2, 10):
        assert likelihood(tau2) > likelihood(factor * tau2)


def test_meta_regression_on_latitude():
    """Metafor's documentation of dat.bcg, REML: intercept 0.2515, slope -0.0291, I² 68.39."""
    x = np.column_stack([np.ones(13), LATITUDE])
    line = fit_regression(YI, VI, x, method="reml", test="z")
    assert [round(float(b), 4) for b in line.beta] == [0.2515, -0.0291]
    assert round(float(line.se[1]), 4) == 0.0072
    assert line.tau2 == pytest.approx(0.0764, abs=1e-4)  # printed after a threshold of 1e-5
    assert round(line.I2, 2) == 68.39


def test_hedges_g_by_hand():
    """Means 10 and 8, SD 2, 5 people each: d = 1, exact J(8) = 0.902703, variance by hand."""
    g, v = effect_sizes.hedges_g(10, 2, 5, 8, 2, 5)
    assert float(effect_sizes.hedges_correction(8)) == pytest.approx(0.9027033336764100, rel=1e-12)
    assert float(g) == pytest.approx(0.90270333367641)
    assert float(v) == pytest.approx(0.4 + 0.90270333367641**2 / 20)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("method", METHODS)
def test_subsets_are_pooled_as_if_alone(method, test):
    subsets = np.random.default_rng(1).random((60, len(YI))) < 0.5
    pooled = pool_subsets(YI, VI, subsets, method=method, test=test)
    assert list(pooled.k) == list(subsets.sum(axis=1))
    for row, members in enumerate(subsets):
        if members.sum() > 1:
            alone = pool(YI[members], VI[members], method=method, test=test)
            for name in SUBSET_FIELDS:
                expected = pytest.approx(getattr(alone, name), rel=1e-10, abs=1e-13)
                assert getattr(pooled, name)[row] == expected, (name, members)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(1e-3, 10)), min_size=2, max_size=8),
    st.sampled_from(sorted(METHODS)),
    st.sampled_from(TESTS),
)
def test_studies_outside_a_subset_have_no_influence(effects, method, test):
    yi, vi = np.array(effects).T
    alone = pool(yi, vi, method=method, test=test)
    member = np.append(np.ones(len(yi), bool), False)
    pooled = pool_subsets(
        np.append(yi, 1e3), np.append(vi, 1e-3), [member], method=method, test=test
    )
    for name in SUBSET_FIELDS:
        expected = pytest.approx(getattr(alone, name), rel=1e-6, abs=1e-7)
        assert getattr(pooled, name)[0] == expected, name


def test_subsets_of_fewer_than_two_studies_are_not_pooled():
    subsets = np.array([[True, False], [False, False], [True, True]])
    pooled = pool_subsets([0.1, 0.2], [0.1, 0.1], subsets)
    assert np.isnan(pooled.estimate[:2]).all()
    assert pooled.estimate[2] == pytest.approx(0.15)
    assert pool_subsets([0.1, np.nan], [0.1, -1], subsets[:2]).k[0] == 1
    with pytest.raises(ValueError, match="not above 0"):
        pool_subsets([0.1, 0.2], [0.1, 0], subsets)


def test_the_ad_hoc_test_never_falls_below_wald():
    """Effects that agree too well make Knapp-Hartung narrower; 1.96 becomes t(2) = 4.303."""
    yi, vi = [0.50, 0.51, 0.49], [0.04, 0.04, 0.04]
    wald, knha, adhoc = (pool(yi, vi, test=test) for test in TESTS)
    assert knha.se < wald.se == pytest.approx((0.04 / 3) ** 0.5)
    assert adhoc.se == pytest.approx(wald.se)
    assert adhoc.ci_high - adhoc.estimate == pytest.approx(4.302653 * wald.se, rel=1e-6)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 2)), min_size=3, max_size=12),
    st.floats(-5, 5),
    st.sampled_from(sorted(METHODS)),
)
def test_shifting_effects_shifts_the_mean_and_nothing_else(effects, shift, method):
    yi, vi = np.array(effects).T
    before, after = pool(yi, vi, method=method), pool(yi + shift, vi, method=method)
    assert after.estimate == pytest.approx(before.estimate + shift, abs=1e-6)
    assert after.tau2 == pytest.approx(before.tau2, abs=1e-6)
    assert after.se == pytest.approx(before.se, abs=1e-6)


@given(st.permutations(range(13)))
def test_the_order_of_studies_does_not_matter(order):
    sorted_, permuted = pool(YI, VI), pool(YI[list(order)], VI[list(order)])
    assert permuted.estimate == pytest.approx(sorted_.estimate, rel=1e-9)
    assert permuted.tau2 == pytest.approx(sorted_.tau2, rel=1e-9)


def test_studies_with_equal_counts_are_as_uncertain_as_by_wald_by_default():
    """Metafor 3.8-1: escalc RR of three times 5/20 against 9/20, rma(test="adhoc")."""
    effects = effect_sizes.log_risk_ratio([5] * 3, [20] * 3, [9] * 3, [20] * 3)
    pooled = pool(*effects)
    assert pooled.test == "knha-adhoc"
    assert pooled.estimate == pytest.approx(-0.587786664902119, rel=1e-12)
    assert pooled.se == pytest.approx(0.265274141918074, rel=1e-12)
    assert pooled.ci_low == pytest.approx(-1.729169175757866, rel=1e-12)
    assert pooled.ci_high == pytest.approx(0.553595845953628, rel=1e-12)
    assert pooled.p == pytest.approx(0.157059132231207, rel=1e-12)


def test_equal_effects_have_no_heterogeneity():
    pooled = pool([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], method="reml", test="z")
    assert (pooled.tau2, pooled.Q, pooled.I2, pooled.H2) == (0, pytest.approx(0, abs=1e-12), 0, 1)
    assert pooled.tau2_low == 0
    knha = pool([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], method="reml", test="knha")
    assert knha.se == pooled.se > 0
    assert knha.ci_high - knha.estimate == pytest.approx(4.302653 * pooled.se, rel=1e-6)


def test_two_studies_have_no_prediction_interval():
    pooled = pool([0.1, 0.9], [0.1, 0.1])
    assert np.isnan([pooled.pi_low, pooled.pi_high]).all()
    assert pooled.df == 1


@pytest.mark.parametrize(
    ("yi", "vi", "message"),
    [
        ([], [], "pooling needs at least 2 studies; there are 0"),
        ([0.1], [0.1], "there are 1"),
        ([0.1, np.nan], [0.1, 0.1], "an effect is missing"),
        ([0.1, 0.2], [0.1, 0.0], "a sampling variance is missing or not above 0"),
        ([0.1, 0.2], [0.1], "two lists of one length"),
    ],
)
def test_effects_that_cannot_be_pooled_are_refused(yi, vi, message):
    with pytest.raises(ValueError, match=message):
        pool(yi, vi)


@pytest.mark.parametrize("option", ["method", "test", "prediction"])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} must be one of"):
        pool(YI, VI, **{option: "magic"})


def test_regressions_that_cannot_be_fitted_are_refused():
    with pytest.raises(ValueError, match="does not vary"):
        fit_regression(YI, VI, np.ones((13, 2)))
    with pytest.raises(ValueError, match="3 studies are too few for 3 coefficients"):
        fit_regression(YI[:3], VI[:3], np.eye(3))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((10, 0, 5, 8, 2, 5), "must be above 0"),
        ((10, np.nan, 5, 8, 2, 5), "is missing"),
        ((10, 2, 1, 8, 2, 5), "at least 2"),
    ],
)
def test_means_without_a_standard_deviation_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        effect_sizes.hedges_g(*groups)


def test_zero_cells_get_a_half_or_drop_out_or_are_refused():
    assert float(effect_sizes.log_risk_ratio(5, 5, 5, 5).yi) == pytest.approx(0)
    assert np.isnan(effect_sizes.peto_log_odds_ratio(5, 5, 5, 5).yi)
    assert pool_peto([5, 3], [5, 10], [5, 1], [5, 10]).k == 1
    with pytest.raises(ValueError, match="there is nothing to pool"):
        pool_peto([0, 5], [5, 5], [0, 5], [5, 5])
    with pytest.raises(ValueError, match="nobody has the outcome"):
        pool_mantel_haenszel([0, 0], [5, 5], [2, 3], [5, 5], measure="rr")
    with pytest.raises(ValueError, match="everybody has the outcome"):
        pool_mantel_haenszel([5, 5], [5, 5], [2, 3], [5, 5], measure="or")
    with pytest.raises(ValueError, match="measure must be one of"):
        pool_mantel_haenszel([1], [5], [2], [5], measure="smd")


def test_subgroups_are_pooled_separately_and_compared():
    groups = ["a"] * 6 + ["b"] * 6 + ["c"]
    analysis = subgroup_analysis(YI, VI, groups, method="dl", test="z")
    assert list(analysis.groups) == ["a", "b"]
    a, b = analysis.groups["a"], analysis.groups["b"]
    assert a.estimate == pool(YI[:6], VI[:6], method="dl", test="z").estimate
    expected = (a.estimate - b.estimate) ** 2 / (a.se**2 + b.se**2)
    assert pytest.approx(expected) == analysis.difference.statistic
    assert analysis.difference.df == 1
    assert subgroup_analysis(YI, VI, ["a"] * 13).difference is None


def test_leave_one_out_needs_three_studies():
    with pytest.raises(ValueError, match="at least 3"):
        leave_one_out(YI[:2], VI[:2])
    assert len(cumulative_meta_analysis(YI[:2], VI[:2])) == 1


@pytest.mark.parametrize(("p1", "p2", "power"), [(0.5, 0.75, 0.9), (0.1, 0.2, 0.8)])
def test_size_for_proportions_by_hand(p1, p2, power):
    """R's power.prop.test prints 76.7 for 0.50 against 0.75 at 90 %."""
    z1, z2 = 1.959963984540054, {0.9: 1.2815515655446004, 0.8: 0.8416212335729143}[power]
    mean = (p1 + p2) / 2
    root = z1 * (2 * mean * (1 - mean)) ** 0.5 + z2 * (p1 * (1 - p1) + p2 * (1 - p2)) ** 0.5
    assert size_for_proportions(p1, p2, power=power) == pytest.approx((root / (p1 - p2)) ** 2)
    if power == 0.9:
        assert round(size_for_proportions(p1, p2, power=power), 1) == 76.7


@pytest.mark.parametrize("difference", [0.2, 0.5, 1.0])
def test_size_for_means_agrees_with_statsmodels(difference):
    theirs = NormalIndPower().solve_power(difference, alpha=0.05, power=0.8)
    # They count the far tail as well, which adds to power in the sixth digit.
    assert size_for_means(difference) == pytest.approx(theirs, rel=1e-5)
    assert size_for_means(3 * difference, sd=3) == pytest.approx(theirs, rel=1e-5)
    # Gelman, Hill and Vehtari (2020, 16.3) print 125.4 in two groups; they round the quantiles.
    if difference == 0.5:
        assert 2 * size_for_means(difference) == pytest.approx(125.4, rel=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: size_for_proportions(0.3, 0.3), "no sample size detects"),
        (lambda: size_for_proportions(0.3, 1.3), "between 0 and 1"),
        (lambda: size_for_means(0), "must not be 0"),
    ],
)
def test_impossible_differences_have_no_sample_size(call, message):
    with pytest.raises(ValueError, match=message):
        call()
