"""Dose–response curves equal printed examples of dosresmeta, and mixmeta's numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from evidence.statistics import dose_contrasts
from evidence.statistics.dose_contrasts import DoseContrasts
from evidence.statistics.dose_response import fit_dose_response

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "metafor" / "dose_response.json"
VALUES = json.loads(REFERENCE.read_text())
DESIGNS = {"cc": "case-control", "ci": "cumulative incidence", "ir": "incidence rate"}
METHODS = {"fixed": "common", "mm": "moment", "ml": "ml", "reml": "reml"}


def ratio_trials(studies, types):
    return [
        dose_contrasts.ratio_contrasts(
            study["dose"],
            study["logrr"],
            [np.nan if se is None else se for se in study["se"]],
            study["cases"],
            study["n"],
            design=DESIGNS[kind],
        )
        for study, kind in zip(studies, types, strict=True)
    ]


def aripiprazole(measure):
    """Contrasts as dosresmeta computes them, whose mean differences mix two variances."""
    return [
        DoseContrasts(
            np.array(trial["dose"], float), 0.0, np.array(trial["y"]), np.array(trial["S"])
        )
        for trial in VALUES["ari"][measure]
    ]


ALCOHOL = ratio_trials(VALUES["alcohol_cvd"]["studies"], VALUES["alcohol_cvd"]["type"])


# Printed output: https://github.com/alecri/dosresmeta, docs/reference (dosresmeta 2.0.1, 2019).


def test_greenland_and_longnecker_example_of_alcohol_and_breast_cancer():
    # cc_ex, the worked example of Greenland and Longnecker 1992 (Rohan and McMichael 1988):
    # slope 0.0454 with standard error 0.0207 per gram a day (dosresmeta.html).
    low, high = np.array([0.51, 0.73, 0.99]), np.array([1.27, 1.85, 2.51])
    trial = dose_contrasts.ratio_contrasts(
        [0, 2, 6, 11],
        np.log([1, 0.80, 1.16, 1.57]),
        [np.nan, *(np.log(high / low) / (2 * 1.959964))],
        [165, 74, 90, 122],
        [337, 167, 186, 212],
        design="case-control",
    )
    curve = fit_dose_response([trial], method="common")
    assert curve.beta == pytest.approx([0.0454], abs=5e-5)
    assert curve.se == pytest.approx([0.0207], abs=5e-5)
    assert curve.association.statistic == pytest.approx(4.8333, abs=5e-5)
    assert np.exp(curve.predict(1.0)[3:]) == pytest.approx([1.004941, 1.089729], abs=1e-6)


def test_covariances_of_log_ratios():
    # covar.logrr.html
    first = [
        [0.04987985, 0.01875906, 0.01678737, 0.01780975],
        [0.01875906, 0.05463996, 0.01736485, 0.01842239],
        [0.01678737, 0.01736485, 0.14176254, 0.01648609],
        [0.01780975, 0.01842239, 0.01648609, 0.19714011],
    ]
    assert ALCOHOL[0].covariance == pytest.approx(np.array(first), abs=2e-8)


def test_every_covariance_agrees_with_dosresmeta():
    values = VALUES["alcohol_cvd"]
    for trial, expected in zip(ALCOHOL, values["greenland_longnecker"], strict=True):
        assert trial.covariance == pytest.approx(np.array(expected), rel=2e-6)


def test_linear_trend_of_alcohol_and_cardiovascular_disease():
    # dosresmeta.html, predict.dosresmeta.html
    curve = fit_dose_response(ALCOHOL, shape="linear", stages=2)
    assert (curve.beta[0], curve.se[0]) == pytest.approx((-0.0044, 0.0059), abs=5e-5)
    assert curve.p[0] == pytest.approx(0.4585, abs=5e-5)
    assert np.sqrt(curve.between[0, 0]) == pytest.approx(0.0100, abs=5e-5)
    assert (curve.Q, curve.Q_df) == (pytest.approx(14.1464, abs=6e-5), 5)
    assert pytest.approx(64.7, abs=0.05) == curve.I2
    assert curve.log_likelihood == pytest.approx(14.0341, abs=5e-5)
    prediction = np.exp(curve.predict(12.0)[1:])
    assert prediction[[0, 2, 3]] == pytest.approx([0.9489635, 0.8262176, 1.089945], abs=1e-6)


def test_quadratic_trend_of_alcohol_and_cardiovascular_disease():
    # dosresmeta.html, coef.dosresmeta.html, waldtest.html, predict.dosresmeta.html
    curve = fit_dose_response(ALCOHOL, shape="quadratic", stages=2)
    assert curve.beta == pytest.approx([-0.0302338854, 0.0007514854], rel=1e-6)
    assert np.diag(curve.covariance) == pytest.approx([1.736570e-04, 2.386379e-07], rel=1e-5)
    assert (curve.association.statistic, curve.association.df) == pytest.approx(
        (6.3694, 2), abs=1e-4
    )
    assert curve.nonlinearity.p == pytest.approx(0.1240, abs=5e-5)
    assert (curve.Q, curve.Q_df) == (pytest.approx(35.1177, abs=1e-4), 10)
    assert curve.log_likelihood == pytest.approx(34.6967, abs=5e-5)
    prediction = curve.predict([10.0, 25.0, 50.0])
    assert np.exp(prediction.estimate) == pytest.approx([0.7967691, 0.7511359, 1.4434258], abs=1e-6)
    assert np.exp(prediction.ci_low) == pytest.approx([0.6660084, 0.5550122, 0.3598557], abs=1e-6)
    assert np.exp(prediction.ci_high) == pytest.approx([0.9532028, 1.0165634, 5.7897601], abs=2e-6)


def test_standardised_mean_differences_of_aripiprazole():
    # covar.smd.html and dosresmeta.html; Cohen's d, without Hedges' correction
    trials = [
        dose_contrasts.mean_contrasts(*trial.values(), measure="smd", correct_bias=False)
        for trial in VALUES["ari"]["trials"]
    ]
    assert trials[0].effect == pytest.approx([0.1599767, 0.2893776, 0.3275973], abs=5e-8)
    assert trials[0].covariance[0] == pytest.approx([0.02266982, 0.01182900, 0.01183749], abs=5e-9)
    curve = fit_dose_response(trials, shape="quadratic", stages=2)
    assert curve.beta == pytest.approx([0.0461, -0.0011], abs=5e-5)
    assert curve.se == pytest.approx([0.0084, 0.0003], abs=5e-5)
    assert curve.nonlinearity.p == pytest.approx(0.0001, abs=5e-5)
    assert (curve.Q, curve.Q_p) == pytest.approx((2.4212, 0.9653), abs=5e-5)
    assert curve.log_likelihood == pytest.approx(38.1441, abs=5e-5)


def test_spline_of_mean_differences_of_aripiprazole():
    # Crippa and Orsini 2016, abstract: the largest difference, 10.40 (7.48 to 13.30), at 19.32 mg a
    # day, 80% of it at 10.43 mg; their predictions stand on a grid of doses.
    curve = fit_dose_response(aripiprazole("md"), shape="spline", stages=2)
    assert curve.knots == (0.0, 10.0, 30.0)
    doses = np.linspace(0, 30, 3001)
    prediction = curve.predict(doses)
    top = prediction.estimate.argmax()
    assert doses[top] == pytest.approx(19.32, abs=0.01)
    largest = [column[top] for column in (prediction.estimate, *prediction[3:])]
    assert largest == pytest.approx([10.40, 7.48, 13.30], abs=0.015)
    reached = doses[np.argmax(prediction.estimate >= 0.8 * prediction.estimate[top])]
    assert reached == pytest.approx(10.43, abs=0.015)


# Numbers of dosresmeta and mixmeta at full precision; see reference/metafor/README.md.


def assert_agrees(curve, expected, tolerance=2e-6):
    assert curve.beta == pytest.approx(np.atleast_1d(expected["beta"]), rel=tolerance)
    covariance = np.array(expected["covariance"]).reshape(curve.covariance.shape)
    assert curve.covariance == pytest.approx(covariance, rel=4 * tolerance)
    if expected["log_likelihood"] is not None:
        assert curve.log_likelihood == pytest.approx(expected["log_likelihood"], abs=2e-5)
    if "Q" in expected:
        assert (curve.Q, curve.Q_df) == pytest.approx((expected["Q"], expected["Q_df"]), abs=1e-5)


# With a moment estimate that is not positive, mixmeta puts 1e-8 for its negative eigenvalue, in
# the units of the data; these are left out.
TRUNCATED = {"quadratic|2|mm", "spline|2|mm"}


@pytest.mark.parametrize(
    "name", [name for name in VALUES["alcohol_cvd"] if "|" in name and name not in TRUNCATED]
)
def test_two_stages_agree_with_mixmeta(name):
    shape, stages, method = name.split("|")
    curve = fit_dose_response(ALCOHOL, shape=shape, stages=int(stages), method=METHODS[method])
    assert_agrees(curve, VALUES["alcohol_cvd"][name])


@pytest.mark.parametrize("name", [name for name in VALUES["coffee_mort"] if "|" in name])
def test_one_stage_agrees_with_mixmeta(name):
    values = VALUES["coffee_mort"]
    *few, shape, stages, method = name.split("|")
    studies, types = ("few", "few_type") if few else ("studies", "type")
    trials = ratio_trials(values[studies], values[types])
    curve = fit_dose_response(trials, shape=shape, stages=int(stages), method=METHODS[method])
    assert curve.k == 22
    assert_agrees(curve, values[name])


@pytest.mark.parametrize(
    "name", [name for name in VALUES["ari"] if "|2|" in name and not name.endswith("mm")]
)
def test_means_agree_with_mixmeta(name):
    measure, shape, stages, method = name.split("|")
    curve = fit_dose_response(
        aripiprazole(measure), shape=shape, stages=int(stages), method=METHODS[method]
    )
    assert_agrees(curve, VALUES["ari"][name])


def test_emax_has_the_largest_likelihood():
    # Found in R by a general search of the likelihood written out with dense matrices.
    trials, values = aripiprazole("md"), VALUES["ari"]
    curve = fit_dose_response(trials, shape="emax", method="common")
    expected = values["emax_common"]
    assert curve.beta == pytest.approx([expected["maximum"], expected["ed50"]], rel=1e-6)
    assert curve.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-9)
    larger = [
        trial._replace(effect=trial.effect * factor)
        for trial, factor in zip(trials, (1, 2, 1, 1, 2), strict=True)
    ]
    curve, expected = fit_dose_response(larger, shape="emax"), values["emax_random"]
    assert curve.method == "ml"
    assert curve.beta == pytest.approx([expected["maximum"], expected["ed50"]], rel=1e-6)
    assert curve.between[0, 0] == pytest.approx(expected["tau2"], rel=1e-6)
    assert curve.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-9)


# By hand arithmetic.


def test_contrasts_of_means_use_the_variance_of_each_arm():
    trial = dose_contrasts.mean_contrasts([0, 1, 2], [10, 8, 4], [2, 3, 4], [4, 9, 16])
    assert trial.effect == pytest.approx([-2, -6])
    assert trial.covariance == pytest.approx(np.array([[2.0, 1.0], [1.0, 2.0]]))


def single(dose, effect, variance, reference=0.0):
    return DoseContrasts(np.array([dose]), reference, np.array([effect]), np.array([[variance]]))


def test_a_line_through_single_doses_is_a_weighted_slope():
    # Slopes 2 and 3 with variances 1 and 1/4: (2·1 + 3·4) / 5.
    curve = fit_dose_response([single(1.0, 2.0, 1.0), single(2.0, 6.0, 1.0)], method="common")
    assert (curve.beta[0], curve.se[0] ** 2) == pytest.approx((2.8, 0.2))
    assert curve.weights == pytest.approx([0.2, 0.8])
    assert curve.predict(0.5).estimate == pytest.approx(1.4)


def test_a_dose_is_compared_with_the_reference_of_its_trial():
    trials = [single(1.0, 2.0, 1.0), single(3.0, 4.0, 1.0, reference=1.0)]
    curve = fit_dose_response(trials, method="common")
    assert curve.beta == pytest.approx([2.0])
    assert curve.predict(3.0, reference=1.0).estimate == pytest.approx(4.0)


def test_one_stage_uses_trials_of_a_single_dose_and_two_stages_do_not():
    several = dose_contrasts.mean_contrasts([0, 1, 2], [0, 3, 4], [1, 1, 1], [50, 50, 50])
    trials = [several, several, several, single(1.0, 2.5, 0.1)]
    one = fit_dose_response(trials, shape="quadratic", method="common")
    two = fit_dose_response(trials, shape="quadratic", stages=2, method="common")
    assert (list(one.used), list(two.used)) == ([True] * 4, [True, True, True, False])
    assert one.predict(1.0).estimate < two.predict(1.0).estimate == pytest.approx(3.0)
    assert two.predict(2.0).estimate == pytest.approx(4.0)


def test_knapp_hartung_is_not_narrower_than_wald_when_trials_agree():
    trials = [single(1.0, 2.0, 1.0), single(2.0, 4.1, 1.0), single(1.0, 1.9, 1.0)]
    wald = fit_dose_response(trials)
    assert fit_dose_response(trials, test="knha").se < wald.se
    adhoc = fit_dose_response(trials, test="knha-adhoc")
    assert (adhoc.se, adhoc.df[0]) == (pytest.approx(wald.se), 2.0)
    assert adhoc.ci_high - adhoc.ci_low > wald.ci_high - wald.ci_low


def test_a_spline_is_linear_beyond_its_last_knot():
    curve = fit_dose_response(ALCOHOL, shape="spline", stages=2, knots=[5, 15, 40])
    steps = np.diff(curve.predict([1, 2, 3, 50, 60, 70]).estimate)
    assert (steps[0], steps[3]) == pytest.approx((steps[1], steps[4]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": "cubic"}, "shape must be one of linear, quadratic, spline, emax; got 'cubic'"),
        ({"method": "moment"}, "the moment estimator needs two stages"),
        ({"shape": "emax", "stages": 2}, "fitted in one stage"),
        ({"shape": "emax"}, "at least 2 different doses"),
        ({"shape": "spline", "knots": [0, 0, 1]}, "knots must differ, but there are 0, 0, 1"),
        ({"shape": "quadratic", "method": "common"}, "too few different doses for a quadratic"),
        ({"shape": "quadratic", "stages": 2}, "no trial has enough doses for a quadratic curve"),
    ],
)
def test_a_curve_is_refused_with_the_reason(options, message):
    with pytest.raises(ValueError, match=message):
        fit_dose_response([single(1.0, 2.0, 1.0), single(1.0, 3.0, 1.0)], **options)


def test_too_few_trials_for_their_variation_are_refused():
    message = "1 trial with enough doses cannot show how 1 coefficient vary between trials"
    with pytest.raises(ValueError, match=message.replace("vary", "varies")):
        fit_dose_response([single(1.0, 2.0, 1.0)])


def test_emax_refuses_data_on_a_straight_line():
    line = dose_contrasts.mean_contrasts([0, 1, 2, 4], [0, 1, 2.2, 4.6], [1] * 4, [200] * 4)
    with pytest.raises(ValueError, match="the data follow a straight line"):
        fit_dose_response([line, line], shape="emax")


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="an SD above 0"):
        dose_contrasts.mean_contrasts([0, 1], [1, 2], [0, 1], [10, 10])
    with pytest.raises(ValueError, match="not positive definite"):
        fit_dose_response([single(1.0, 2.0, 0.0), single(1.0, 2.0, 1.0)])
