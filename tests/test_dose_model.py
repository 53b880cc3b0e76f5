"""Which trials enter a dose–response curve, what is said of it, and what is drawn."""

import json

import numpy as np
import pytest

from evidence import cli
from evidence.analysis.narrative.dose_response import describe_dose_model
from evidence.analysis.pooling.dose_response import fit_dose_model
from evidence.analysis.pooling.question import Question
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import ParameterError
from evidence.figures.dose_response_curve import lay_out_dose_response_curve
from evidence.figures.layout import draw
from tests.example_trials import arm

QUESTION = Question("infection", "or", conditions=("tuberculosis",), treatments=("vaccine",))


def fitted(project, question=QUESTION, **options):
    dataset = project.dataset()
    results = select_results(dataset)
    return fit_dose_model(dataset, results, question, **options), results


def keep(project, *numbers):
    """Remove the doses of all other trials, so that these alone take part."""
    for number in set(range(13)) - set(numbers):
        project.put("data/studies.csv", 2 * number + 2, dose="", dose_unit="")


def second_dose(project, number, dose, events, n):
    project.row(
        **arm(f"trial{number}", f"vaccine {dose} mg/kg", "intervention", events, n, time="1",
              time_unit="day", dose=str(dose), dose_unit="mg/kg")
    )  # fmt: skip


def test_a_line_through_single_dose_trials_equals_a_regression_through_the_origin(grouped):
    model, _ = fitted(grouped)
    assert (model.reasons, len(model.arms), model.curve.k) == ((), 13, 13)
    dose, yi, vi = (model.arms[name].to_numpy(float) for name in ("dose", "yi", "vi"))
    # The same model: slopes yi / dose with variances vi / dose², and tau² between slopes.
    w = 1 / (vi / dose**2 + model.curve.between[0, 0])
    assert model.curve.beta == pytest.approx([(w * yi / dose).sum() / w.sum()])
    assert model.arms["weight"].sum() == pytest.approx(1)
    assert model.comparing == []
    prediction = model.predict([0.5, 13.0, 20.0])
    assert list(prediction["is_extrapolated"]) == [True, False, True]
    assert prediction["estimate"].iloc[1] == pytest.approx(np.exp(13 * model.curve.beta[0]))


def test_the_command_gives_the_curve_or_refuses_as_json(grouped, capsys):
    model, _ = fitted(grouped)
    command = ["dose-response", "--project", str(grouped.root), "--outcome", "infection"]
    command += ["--measure", "or", "--treatment", "vaccine"]
    assert cli.main([*command, "--dose", "2", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["curve"]["beta"] == pytest.approx(list(model.curve.beta))
    (prediction,) = data["predictions"]
    assert prediction["estimate"] == pytest.approx(model.predict([2.0])["estimate"].iloc[0])
    assert cli.main([*command, "--dose", "2"]) == 0
    assert " at 2 mg/kg if the log odds ratio follows a straight line" in capsys.readouterr().out
    assert cli.main([*command, "--shape", "quadratic", "--stages", "2", "--format", "json"]) == 1
    refused = json.loads(capsys.readouterr().out)
    assert refused["curve"] is None
    assert refused["reasons"] == [
        "no trial has enough doses for a quadratic curve with 2 coefficients"
    ]
    assert cli.main([*command, "--stages", "2", "--shape", "emax"]) == 1
    assert "an Emax curve is fitted in one stage" in capsys.readouterr().err


def test_arms_of_one_trial_share_the_variance_of_their_comparator(grouped):
    # Trial 1: 6/306 against 29/303; a second arm with 3/300.
    second_dose(grouped, 1, 4, 3, 300)
    keep(grouped, 0, 1)
    model, _ = fitted(grouped, replace_measure("rr"))
    assert model.comparing == ["trial1"]
    arms = model.arms[model.arms["study"] == "trial1"]
    assert sorted(arms["dose"]) == [2.0, 4.0]
    shared = 1 / 29 - 1 / 303
    v = arms.set_index("dose")["vi"]
    assert (v[2.0], v[4.0]) == pytest.approx((1 / 6 - 1 / 306 + shared, 1 / 3 - 1 / 300 + shared))
    # Within the trial: weighted slope with S = [[v2, c], [c, v4]]
    s = np.array([[v[2.0], shared], [shared, v[4.0]]])
    x = np.array([2.0, 4.0])
    information = x @ np.linalg.solve(s, x)
    first = model.arms[model.arms["study"] == "trial0"].iloc[0]
    total = 1 / (1 / information + model.curve.between[0, 0])
    other = 1 / (first["vi"] / first["dose"] ** 2 + model.curve.between[0, 0])
    assert model.curve.weights == pytest.approx(
        np.array([other, total]) / (other + total), rel=1e-6
    )


def replace_measure(measure):
    return Question("infection", measure, conditions=("tuberculosis",), treatments=("vaccine",))


def test_doses_that_do_not_differ_are_refused_and_not_drawn(grouped):
    for number in range(13):
        grouped.put("data/studies.csv", 2 * number + 2, dose="0.5", dose_unit="mg/kg")
    model, _ = fitted(grouped)
    assert model.curve is None
    assert model.reasons == ("every trial gave 0.5 mg/kg; a curve needs doses that differ",)
    assert str(describe_dose_model(model, [1.0])[0]) == (
        "No dose–response curve of the odds ratio of infection: every trial gave 0.5 mg/kg; a "
        "curve needs doses that differ."
    )
    layout = lay_out_dose_response_curve(model, doses=[1.0])
    assert layout.empty == "Every trial here gave 0.5 mg/kg; doses are not compared."
    with pytest.raises(ValueError, match="there is no dose–response curve"):
        model.predict([1.0])


def test_trials_without_dose_or_against_another_treatment_are_left_out_with_the_reason(grouped):
    keep(grouped, *range(1, 13))
    grouped.put("data/designs.csv", 3, comparator_kind="other treatment")
    model, _ = fitted(grouped)
    assert len(model.arms) == 11
    assert model.left_out == (
        "trial0 left out: no dose is stated",
        "trial1 left out: the comparator is another treatment",
    )


def test_the_route_of_most_trials_is_taken_unless_another_is_asked_for(grouped):
    for number in range(13):
        route = "IM" if number < 5 else "IV"
        grouped.put("data/studies.csv", 2 * number + 2, route=route)
    assert [fitted(grouped, route=route)[0].curve.k for route in ("", "IM", "any")] == [8, 5, 13]
    with pytest.raises(ParameterError, match="route"):
        fitted(grouped, route="by letter")


def test_a_trial_of_several_doses_without_numbers_is_named(grouped):
    cells = {"time": "1", "time_unit": "day", "route": "IV", "outcome": "other"}
    grouped.table(
        schema.OUTCOMES, outcome="other", kind="harm", better="lower", description="another"
    )
    keep(grouped, *range(12))
    for dose, events in ((1, 3), (5, 2)):
        grouped.row(
            **arm("trial12", f"vaccine {dose}", "intervention", events, 20, **cells)
            | {"dose": str(dose), "dose_unit": "mg/kg"}
        )
    model, _ = fitted(grouped)
    assert model.missing[["label", "doses"]].to_numpy().tolist() == [["trial12", (1.0, 5.0)]]
    texts = [str(sentence) for sentence in describe_dose_model(model, [1.0])]
    assert texts[1] == (
        "The tables hold no usable number on this outcome and time of 1 trial of several doses: "
        "trial12 (1, 5 mg/kg; not tabulated)."
    )


def test_one_sentence_says_what_the_trials_say_together_and_how_little(grouped):
    second_dose(grouped, 1, 4, 3, 300)
    model, _ = fitted(grouped)
    text = str(describe_dose_model(model, [1.0, 20.0])[0])
    assert text.startswith("Together, 13 trials (after 1 day) put the odds ratio of infection at ")
    assert ", extrapolated) at 20 mg/kg if the log odds ratio follows a straight line" in text
    assert (
        "only trial1 compared several doses, none of these trials gave less than 1 or more than 13"
        in text
    )
    layout = lay_out_dose_response_curve(model, doses=[1.0, 20.0])
    assert layout.curve["dose"].max() == 20
    assert layout.better == -1
    assert layout.reading[-1].startswith("Curve at 20 mg/kg: ")
    assert layout.reading[-1].endswith(", extrapolated.")
    draw(layout)


@pytest.mark.parametrize("shape", ["quadratic", "spline", "emax"])
def test_every_shape_is_fitted_or_refused_with_a_reason(grouped, shape):
    model, _ = fitted(grouped, shape=shape)
    assert (model.curve is None) == bool(model.reasons)
    draw(lay_out_dose_response_curve(model, doses=[1.0]))
    assert describe_dose_model(model, [1.0])


def test_without_studies_the_refusal_says_so(grouped):
    model, _ = fitted(grouped, Question("infection", "smd"))
    assert model.curve is None
    assert model.reasons[0].startswith("no tabulated study has confirmed numbers")
    assert lay_out_dose_response_curve(model).empty
