"""Pooling: a second implementation, worked examples, properties, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.meta_analysis import combine_effects

from evidence.statistics import effect_sizes
from evidence.statistics.mantel_haenszel import pool_mantel_haenszel, pool_peto
from evidence.statistics.meta_analysis import fit_regression, pool
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


def test_statsmodels_agrees_on_sparse_tables():
    tables = [[[a, n1 - a], [c, n2 - c]] for a, n1, c, n2 in BCG]
    theirs = StratifiedTable(np.array(tables, float).transpose(1, 2, 0))
    odds = pool_mantel_haenszel(*COUNTS, measure="or")
    assert odds.estimate == pytest.approx(theirs.logodds_pooled, rel=1e-10)
    assert odds.se == pytest.approx(theirs.logodds_pooled_se, rel=1e-10)
    risk = pool_mantel_haenszel(*COUNTS, measure="rr")
    assert np.exp(risk.estimate) == pytest.approx(theirs.riskratio_pooled, rel=1e-10)


def test_reml_is_the_highest_point_of_the_likelihood_written_out():
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
    found = fit_regression(YI, VI, x, method="reml", test="z")
    assert [round(float(b), 4) for b in found.beta] == [0.2515, -0.0291]
    assert round(float(found.se[1]), 4) == 0.0072
    assert found.tau2 == pytest.approx(0.0764, abs=1e-4)  # printed after a threshold of 1e-5
    assert round(found.I2, 2) == 68.39


def test_hedges_g_by_hand():
    """Means 10 and 8, SD 2, 5 people each: d = 1, exact J(8) = 0.902703, variance by hand."""
    g, v = effect_sizes.hedges_g(10, 2, 5, 8, 2, 5)
    assert float(effect_sizes.hedges_correction(8)) == pytest.approx(0.9027033336764100, rel=1e-12)
    assert float(g) == pytest.approx(0.90270333367641)
    assert float(v) == pytest.approx(0.4 + 0.90270333367641**2 / 20)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 2)), min_size=3, max_size=12),
    st.floats(-5, 5),
    st.sampled_from(["common", "dl", "pm", "reml"]),
)
def test_shifting_effects_shifts_the_mean_and_nothing_else(studies, shift, method):
    yi, vi = np.array(studies).T
    one, two = pool(yi, vi, method=method), pool(yi + shift, vi, method=method)
    assert two.estimate == pytest.approx(one.estimate + shift, abs=1e-6)
    assert two.tau2 == pytest.approx(one.tau2, abs=1e-6)
    assert two.se == pytest.approx(one.se, abs=1e-6)


@given(st.permutations(range(13)))
def test_the_order_of_studies_does_not_matter(order):
    one, two = pool(YI, VI), pool(YI[list(order)], VI[list(order)])
    assert two.estimate == pytest.approx(one.estimate, rel=1e-9)
    assert two.tau2 == pytest.approx(one.tau2, rel=1e-9)


def test_equal_effects_have_no_heterogeneity():
    found = pool([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], method="reml", test="z")
    assert (found.tau2, found.Q, found.I2, found.H2) == (0, pytest.approx(0, abs=1e-12), 0, 1)
    assert (found.tau2_low, found.pi_low) == (0, pytest.approx(found.pi_low))
    knha = pool([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], method="reml", test="knha")
    assert knha.se == pytest.approx(0, abs=1e-12)
    assert np.isnan(knha.p) or knha.p < 1e-12


def test_two_studies_have_no_prediction_interval():
    found = pool([0.1, 0.9], [0.1, 0.1])
    assert np.isnan([found.pi_low, found.pi_high]).all()
    assert found.df == 1


@pytest.mark.parametrize(
    ("yi", "vi", "said"),
    [
        ([], [], "0 studies cannot be pooled; at least 2 are needed"),
        ([0.1], [0.1], "1 studies cannot be pooled"),
        ([0.1, np.nan], [0.1, 0.1], "an effect is missing"),
        ([0.1, 0.2], [0.1, 0.0], "a sampling variance is missing or not above 0"),
        ([0.1, 0.2], [0.1], "two lists of one length"),
    ],
)
def test_what_cannot_be_pooled(yi, vi, said):
    with pytest.raises(ValueError, match=said):
        pool(yi, vi)


@pytest.mark.parametrize("word", ["method", "test", "prediction"])
def test_unknown_words(word):
    with pytest.raises(ValueError, match=f"{word} must be one of"):
        pool(YI, VI, **{word: "magic"})


def test_bad_regressions():
    with pytest.raises(ValueError, match="does not vary"):
        fit_regression(YI, VI, np.ones((13, 2)))
    with pytest.raises(ValueError, match="3 studies are too few for 3 coefficients"):
        fit_regression(YI[:3], VI[:3], np.eye(3))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((10, 0, 5, 8, 2, 5), "must be above 0"),
        ((10, np.nan, 5, 8, 2, 5), "is missing"),
        ((10, 2, 1, 8, 2, 5), "at least 2"),
    ],
)
def test_means_that_cannot_be_compared(given, said):
    with pytest.raises(ValueError, match=said):
        effect_sizes.hedges_g(*given)


def test_all_events_and_no_events():
    """Every cell rule has its stated effect: 1/2 added, dropped, or refused."""
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


def test_subgroups():
    """By allocation; a group of one study is named and not pooled."""
    group = ["a"] * 6 + ["b"] * 6 + ["c"]
    found = subgroup_analysis(YI, VI, group, method="dl", test="z")
    assert list(found.groups) == ["a", "b"]
    assert found.single == ("c",)
    assert found.groups["a"].estimate == pytest.approx(
        pool(YI[:6], VI[:6], method="dl", test="z").estimate
    )
    difference = found.groups["a"].estimate - found.groups["b"].estimate
    variance = found.groups["a"].se ** 2 + found.groups["b"].se ** 2
    assert pytest.approx(difference**2 / variance) == found.Q
    assert found.Q_df == 1
    assert np.isnan(subgroup_analysis(YI, VI, ["a"] * 13).Q_p)


def test_leaving_out_needs_three():
    with pytest.raises(ValueError, match="at least 3"):
        leave_one_out(YI[:2], VI[:2])
    assert len(cumulative_meta_analysis(YI[:2], VI[:2])) == 1
