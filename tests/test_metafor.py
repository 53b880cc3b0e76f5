"""Every effect and every pooled number against metafor; see reference/metafor/README.md."""

import json

import numpy as np
import pytest
from scipy.stats import chi2

from evidence.statistics import effect_sizes
from evidence.statistics.mantel_haenszel import pool_mantel_haenszel, pool_peto
from evidence.statistics.meta_analysis import fit_regression, pool
from evidence.statistics.sensitivity import (
    cumulative_meta_analysis,
    egger_test,
    leave_one_out,
    subgroup_analysis,
    trim_and_fill,
)
from tests.conftest import ROOT

VALUES = json.loads((ROOT / "reference" / "metafor" / "values.json").read_text("utf-8"))
RTOL = 1e-8
# metafor's own stopping rules, which bound how near its tau² is to the solution.
TAU2_ATOL = {"common": 0.0, "dl": 0.0, "reml": 1e-11, "pm": 1.3e-4}
MEASURES = {
    "RR": effect_sizes.log_risk_ratio,
    "OR": effect_sizes.log_odds_ratio,
    "RD": effect_sizes.risk_difference,
    "PETO": effect_sizes.peto_log_odds_ratio,
    "MD": effect_sizes.mean_difference,
    "SMD": effect_sizes.hedges_g,
    "group1_PLO": effect_sizes.logit_proportion,
}
METHODS = {"EE": "common", "DL": "dl", "PM": "pm", "REML": "reml"}
COUNTS, MEANS = ("events1", "n1", "events2", "n2"), ("mean1", "sd1", "n1", "mean2", "sd2", "n2")
COLUMNS = dict.fromkeys(("RR", "OR", "RD", "PETO"), COUNTS) | {
    "group1_PLO": COUNTS[:2],
    "MD": MEANS,
    "SMD": MEANS,
}
FITTED = ("estimate", "se", "ci_low", "ci_high", "p", "I2", "H2", "Q", "Q_p")


def array(values):
    return np.array([np.nan if value is None else value for value in values], float)


def effects_of(entry):
    yi, vi = array(entry["yi"]), array(entry["vi"])
    keep = np.isfinite(yi)
    return yi[keep], vi[keep]


SETS = {name: values for name, values in VALUES.items() if name != "_made_with"}
EFFECTS = [
    (name, measure) for name, values in SETS.items() for measure in values if measure in MEASURES
]
POOLED = [
    (name, measure) for name, values in SETS.items()
    for measure, entry in values.items()
    if "EE|z" in entry and "yi" in entry
]  # fmt: skip
FITS = [
    (name, measure, fit) for name, measure in POOLED for fit in VALUES[name][measure] if "|" in fit
]


def inputs(name, measure):
    studies = VALUES[name]["studies"]
    return [array(studies[column]) for column in COLUMNS[measure]]


@pytest.mark.parametrize(("name", "measure"), EFFECTS)
def test_effects_and_their_variances(name, measure):
    columns = inputs(name, measure)
    ours = MEASURES[measure](*columns)
    entry = VALUES[name][measure]
    compared = np.ones(len(ours.yi), bool)
    if measure == "PETO":  # metafor adds 1/2 where a cell is 0, ours does not
        a, n1, c, n2 = columns
        compared = (a > 0) & (a < n1) & (c > 0) & (c < n2)
    assert compared.sum() >= 3
    np.testing.assert_allclose(ours.yi[compared], array(entry["yi"])[compared], rtol=RTOL)
    np.testing.assert_allclose(ours.vi[compared], array(entry["vi"])[compared], rtol=RTOL)


@pytest.mark.parametrize(("name", "measure", "fit"), FITS)
def test_pooled_numbers(name, measure, fit):
    """tau² within metafor's stopping rule; everything that follows from it at metafor's tau²."""
    entry = VALUES[name][measure]
    theirs = entry[fit]
    method, _, test = fit.partition("|")
    options = {"method": METHODS[method], "test": test}
    yi, vi = effects_of(entry)
    estimated = pool(yi, vi, **options)
    assert estimated.k == theirs["k"]
    tolerance = TAU2_ATOL[METHODS[method]]
    assert estimated.tau2 == pytest.approx(theirs["tau2"], rel=RTOL, abs=tolerance)
    ours = pool(yi, vi, tau2=theirs["tau2"], **options)
    for key in FITTED:
        assert getattr(ours, key) == pytest.approx(theirs[key], rel=RTOL, abs=1e-300), key
    if method == "EE":
        return
    as_metafor = pool(yi, vi, tau2=theirs["tau2"], prediction="metafor", **options)
    for end in ("low", "high"):
        for pooled, key in ((as_metafor, "metafor_default"), (ours, "t_k_minus_2")):
            if f"pi_{end}_{key}" in theirs:
                value = getattr(pooled, f"pi_{end}")
                assert value == pytest.approx(theirs[f"pi_{end}_{key}"], rel=RTOL)


def generalised_q(tau2, yi, vi):
    """Weighted squared deviations from the weighted mean, written out."""
    weights = 1 / (vi + tau2)
    return np.sum(weights * (yi - np.average(yi, weights=weights)) ** 2)


@pytest.mark.parametrize(("name", "measure"), POOLED)
def test_paule_mandel_solves_its_equation(name, measure):
    yi, vi = effects_of(VALUES[name][measure])
    tau2 = pool(yi, vi, method="pm").tau2
    if tau2 > 0:
        assert generalised_q(tau2, yi, vi) == pytest.approx(len(yi) - 1, rel=1e-9)
    else:
        assert generalised_q(0.0, yi, vi) <= len(yi) - 1


@pytest.mark.parametrize(("name", "measure"), POOLED)
def test_q_profile(name, measure):
    """Both ends solve the defining equation; metafor's are as near as its search goes."""
    yi, vi = effects_of(VALUES[name][measure])
    fit = VALUES[name][measure]["REML|z"]
    theirs = array(fit["tau2_Q_profile_ci"])
    ours = pool(yi, vi, method="reml")
    for end, tail, metafor in (
        (ours.tau2_low, 0.975, theirs[0]),
        (ours.tau2_high, 0.025, theirs[1]),
    ):
        target = chi2.ppf(tail, len(yi) - 1)
        if end > 0:
            assert generalised_q(end, yi, vi) == pytest.approx(target, rel=1e-9)
        else:
            assert generalised_q(0.0, yi, vi) <= target
        is_limit = metafor == pytest.approx(max(100, 10 * fit["tau2"]), rel=1e-3)
        assert is_limit or end == pytest.approx(metafor, rel=1e-4, abs=1.3e-4)


@pytest.mark.parametrize("name", [name for name in SETS if "MH_RR" in SETS[name]])
@pytest.mark.parametrize("measure", ["RR", "OR", "RD", "PETO"])
def test_mantel_haenszel_and_peto(name, measure):
    counts = inputs(name, "RR")
    peto_key = measure == "PETO"
    ours = (
        pool_peto(*counts) if peto_key else pool_mantel_haenszel(*counts, measure=measure.lower())
    )
    expected = VALUES[name]["PETO_pooled" if peto_key else f"MH_{measure}"]
    for key in ("estimate", "se", "ci_low", "ci_high"):
        assert getattr(ours, key) == pytest.approx(expected[key], rel=RTOL), key


# Proportions and their differences are small numbers; metafor stops at an absolute tau² of 1e-12.
SMALL = ("RD", "group1_PR")


@pytest.mark.parametrize(("name", "measure"), POOLED)
def test_leave_one_out_and_cumulative(name, measure):
    entry = VALUES[name][measure]
    yi, vi = effects_of(entry)
    rtol = 1e-7 if measure in SMALL else RTOL
    for fits, values, skip in (
        (leave_one_out(yi, vi, test="z"), entry["leave_one_out"], 0),
        (cumulative_meta_analysis(yi, vi, test="z"), entry["cumulative"], 1),
    ):
        for key in ("estimate", "ci_low", "ci_high"):
            ours = np.array([getattr(pooled, key) for pooled in fits])
            theirs = array(values[key])[skip:]
            # metafor's scoring steps do not converge on a few of these; ours has to.
            assert np.isfinite(ours).all()
            converged = np.isfinite(theirs)
            assert converged.mean() > 0.6
            np.testing.assert_allclose(ours[converged], theirs[converged], rtol=rtol, atol=1e-12)


@pytest.mark.parametrize(("name", "measure"), POOLED)
def test_egger_and_trim_and_fill(name, measure):
    entry = VALUES[name][measure]
    yi, vi = effects_of(entry)
    if len(yi) < 10:
        with pytest.raises(ValueError, match="needs at least 10 studies"):
            egger_test(yi, vi)
        with pytest.raises(ValueError, match="needs at least 10 studies"):
            trim_and_fill(yi, vi)
        return
    ours, theirs = egger_test(yi, vi), entry["egger_lm"]
    assert (ours.t, ours.p) == pytest.approx((theirs["t"], theirs["p"]), rel=RTOL)
    assert ours.df == theirs["df"]
    filled, theirs = trim_and_fill(yi, vi, test="z"), entry["trim_fill_L0"]
    assert (filled.missing, filled.side) == (theirs["k0"], theirs["side"])
    for key in ("estimate", "ci_low", "ci_high"):
        assert getattr(filled.filled, key) == pytest.approx(theirs[key], rel=1e-7), key


LINES = [fit for fit in VALUES["dat.bcg"]["on_latitude"] if "|" in fit]


@pytest.mark.parametrize("fit", LINES)
def test_regression_on_one_moderator(fit):
    """Risk ratios on latitude; everything that follows from tau² at metafor's tau²."""
    method, _, test = fit.partition("|")
    entry = VALUES["dat.bcg"]["on_latitude"]
    yi, vi = effects_of(VALUES["dat.bcg"]["RR"])
    x = np.column_stack([np.ones(len(yi)), array(entry["latitude"])])
    method, theirs = METHODS[method], entry[fit]
    ours = fit_regression(yi, vi, x, method=method, test=test)
    assert ours.tau2 == pytest.approx(theirs["tau2"], rel=RTOL, abs=TAU2_ATOL[method])
    ours = fit_regression(yi, vi, x, method=method, test=test, tau2=theirs["tau2"])
    for key in ("beta", "se", "ci_low", "ci_high", "p"):
        np.testing.assert_allclose(getattr(ours, key), theirs[key], rtol=RTOL, err_msg=key)
    assert pytest.approx(theirs["I2"], rel=RTOL) == ours.I2


@pytest.mark.parametrize("fit", LINES)
def test_subgroups_and_their_test(fit):
    method, _, test = fit.partition("|")
    entry = VALUES["dat.bcg"]["by_allocation"]
    yi, vi = effects_of(VALUES["dat.bcg"]["RR"])
    method, theirs = METHODS[method], entry[fit]
    ours = subgroup_analysis(yi, vi, entry["allocation"], method=method, test=test)
    rel = 1e-3 if method == "pm" else 1e-7  # metafor's stopping rules, see TAU2_ATOL
    assert set(ours.groups) == {"alternate", "random", "systematic"}
    for word, group in ours.groups.items():
        for key in ("estimate", "se", "ci_low", "ci_high"):
            assert getattr(group, key) == pytest.approx(theirs[word][key], rel=rel), (word, key)
    difference = (ours.difference.statistic, ours.difference.p)
    assert difference == pytest.approx((theirs["between_Q"], theirs["between_p"]), rel=rel)
