"""Three-level random effects against metafor and clubSandwich; see reference/metafor/README.md."""

import json

import numpy as np
import pytest

from evidence.statistics.three_level import (
    RHOS,
    compare_subgroups,
    fit_three_level,
    pool_three_level,
    sensitivity_to_rho,
)
from tests.conftest import ROOT

VALUES = json.loads((ROOT / "reference" / "metafor" / "dependence.json").read_text("utf-8"))
SETS = [(name, rho) for name in ("dat.konstantopoulos2011", "dat.assink2016") for rho in RHOS]


def effects_of(name):
    return (VALUES[name][column] for column in ("yi", "vi", "study"))


def assert_close(mean, expected, names, rtol):
    for name, value in expected.items():
        if name in names:
            assert getattr(mean, names[name]) == pytest.approx(value, rel=rtol), name


@pytest.mark.parametrize(("name", "rho"), SETS)
def test_variances_are_those_of_greatest_restricted_likelihood(name, rho):
    expected = VALUES[name][f"rho {rho:g}"]
    mean = pool_three_level(*effects_of(name), rho=rho)
    # metafor's optimiser stops where the likelihood no longer changes, at about 1e-7 of a variance.
    assert [mean.between, mean.within] == pytest.approx(expected["variances"], rel=1e-6)
    assert mean.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-10)
    intervals = [mean.between_low, mean.between_high, mean.within_low, mean.within_high]
    assert intervals == pytest.approx(expected["between_ci"] + expected["within_ci"], rel=1e-8)


@pytest.mark.parametrize(("name", "rho"), SETS)
def test_means_and_intervals_agree_at_the_same_variances(name, rho):
    expected = VALUES[name][f"rho {rho:g}"]
    options = {"rho": rho, "variances": tuple(expected["variances"])}
    mean = pool_three_level(*effects_of(name), test="z", **options)
    plain = ("estimate", "se", "ci_low", "ci_high", "p", "Q", "Q_p", "pi_low", "pi_high")
    assert_close(mean, expected, dict(zip(plain, plain, strict=True)), 1e-9)
    assert [mean.I2_between, mean.I2_within] == pytest.approx(expected["I2"], rel=1e-9)
    mean = pool_three_level(*effects_of(name), test="cr2", **options)
    names = {f"cr2_{field}": field for field in ("se", "df", "ci_low", "ci_high", "p")}
    assert_close(mean, expected, names, 1e-9)
    assert np.isnan(mean.between_low)
    assert mean.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize(("moderators", "columns"), [("by_year", 1), ("by_type", 2)])
def test_moderators_agree(moderators, columns):
    expected = VALUES["dat.assink2016"][moderators]
    yi, vi, study = effects_of("dat.assink2016")
    x = np.column_stack([np.ones(len(yi)), *(expected[f"x{i + 1}"] for i in range(columns))])
    fit = fit_three_level(yi, vi, x, study)
    assert [fit.between, fit.within] == pytest.approx(expected["variances"], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-10)
    options = {"variances": expected["variances"]}
    robust = fit_three_level(yi, vi, x, study, **options)
    plain = fit_three_level(yi, vi, x, study, test="z", **options)
    shared = ("beta", "Q", "Q_p")
    own = ("se", "ci_low", "ci_high", "p")
    assert_close(plain, expected, {name: name for name in (*shared, *own)}, 1e-8)
    assert_close(robust, expected, {f"cr2_{name}": name for name in ("df", *own)}, 1e-8)
    assert [fit.I2_between, fit.I2_within] == pytest.approx(expected["I2"], rel=1e-6)
    test = robust.moderators
    assert [test.statistic, test.df, test.df2, test.p] == pytest.approx(expected["wald"], rel=1e-8)


def test_subgroups_are_the_regression_on_their_indicators():
    expected = VALUES["dat.assink2016"]["by_status"]
    ours = compare_subgroups(
        *effects_of("dat.assink2016"), expected["x1"], variances=expected["variances"]
    )
    intercept, slope = expected["beta"]
    assert ours.groups[0].estimate == pytest.approx(intercept)
    assert ours.groups[1].estimate == pytest.approx(intercept + slope)
    assert ours.groups[0].se == pytest.approx(expected["cr2_se"][0])
    assert ours.difference == pytest.approx(tuple(expected["wald"]), rel=1e-8)
    assert ours.groups[1].weights.sum() == pytest.approx(1)


def test_a_subgroup_of_one_study_is_not_pooled():
    yi, vi = [0.1, 0.4, 0.2, 0.7, 0.9], [0.1] * 5
    ours = compare_subgroups(yi, vi, ["a", "a", "b", "b", "c"], list("xxxxy"))
    assert (list(ours.groups), ours.difference) == (["x"], None)
    assert ours.groups["x"].estimate == pytest.approx(
        pool_three_level(yi[:4], vi[:4], ["a", "a", "b", "b"]).estimate
    )


def test_every_correlation_of_the_sensitivity_analysis_agrees():
    means = sensitivity_to_rho(*effects_of("dat.assink2016"))
    assert [mean.rho for mean in means] == list(RHOS)
    expected = [VALUES["dat.assink2016"][f"rho {rho:g}"]["estimate"] for rho in RHOS]
    assert [mean.estimate for mean in means] == pytest.approx(expected, rel=1e-7)


def test_balanced_studies_give_the_t_test_of_their_means():
    # Study means 1, 2 and 6: mean 3, standard deviation √7, standard error √(7/3), 2 df.
    yi, vi = [0.0, 2.0, 1.0, 3.0, 5.0, 7.0], [0.5] * 6
    mean = pool_three_level(yi, vi, ["a", "a", "b", "b", "c", "c"])
    assert mean.estimate == pytest.approx(3)
    assert mean.se == pytest.approx(np.sqrt(7 / 3))
    assert mean.df == pytest.approx(2)
    # The variance of a mean is 7: between + within / 2 + 0.5 · (1 + 0.6) / 2. Effects differ by 2 in
    # each study, so that their variance is 2: within + 0.5 · (1 − 0.6).
    assert mean.within == pytest.approx(1.8)
    assert mean.between == pytest.approx(7 - 0.9 - 0.4)


def test_the_order_of_the_effects_does_not_matter():
    yi, vi, study = [0.1, 0.9, 0.3, 0.5, 0.2], [0.1, 0.2, 0.1, 0.3, 0.1], ["b", "a", "b", "c", "a"]
    mean = pool_three_level(yi, vi, study)
    back = pool_three_level(yi[::-1], vi[::-1], study[::-1])
    assert mean.ci_low == pytest.approx(back.ci_low, rel=1e-10)
    assert mean.weights == pytest.approx(back.weights[::-1])


def test_equal_effects_have_no_variance_and_an_interval():
    mean = pool_three_level([0.3] * 4, [0.1, 0.2, 0.1, 0.2], ["a", "a", "b", "b"], test="z")
    assert (mean.between, mean.within, mean.between_low) == (0, 0, 0)
    assert mean.ci_low < 0.3 < mean.ci_high


@pytest.mark.parametrize(
    ("study", "options", "message"),
    [
        (["a", "b", "c"], {}, "no study has two effects"),
        (["a", "a", "a"], {}, "at least 2 studies"),
        (["a", "a", "b"], {"rho": 1}, "below 1"),
        (["a", "a", "b"], {"test": "knha"}, "test must be one of"),
        (["a", "b"], {}, "there are 3 effects, but 2 studies"),
    ],
)
def test_what_cannot_be_pooled_is_refused(study, options, message):
    with pytest.raises(ValueError, match=message):
        pool_three_level([0.1, 0.2, 0.4], [0.1, 0.1, 0.2], study, **options)
