"""Time courses against metafor and a general search in R, and how they reach the page."""

import json

import numpy as np
import pytest

from evidence.analysis.narrative.time_course import describe_time_model, half_life_kind
from evidence.analysis.pooling.question import Question
from evidence.analysis.pooling.time_course import fit_time_model
from evidence.analysis.results import select_results
from evidence.figures.layout import draw
from evidence.figures.time_course import lay_out_time_course
from evidence.statistics.time_course import SHAPES, fit_time_course
from tests.conftest import ROOT
from tests.example_trials import arm

VALUES = json.loads((ROOT / "reference" / "metafor" / "time_course.json").read_text("utf-8"))
DATA = VALUES["data"]
QUESTION = Question("infection", "or", conditions=("tuberculosis",), treatments=("vaccine",))


def fit(yi, shape="log", **options):
    return fit_time_course(yi, DATA["vi"], DATA["days"], DATA["study"], shape=shape, **options)


@pytest.mark.parametrize("name", VALUES["fits"])
def test_fits_agree_with_metafor_and_with_a_general_search(name):
    expected = VALUES["fits"][name]
    effects, shape, rho = name.split("|")
    curve = fit(DATA[effects], shape, rho=float(rho))
    # Both searches stop where the likelihood no longer changes; metafor's tau2 stays above 0.
    assert curve.beta == pytest.approx(expected["beta"], rel=1e-6)
    assert curve.tau2 == pytest.approx(expected["tau2"], rel=1e-6, abs=1e-9)
    assert curve.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-7)
    if shape == "log":
        assert curve.covariance == pytest.approx(np.array(expected["covariance"]), rel=1e-6)
        estimate, se = expected["at_7"]
        at_7 = curve.predict(7.0)
        half = 2.7764451051977934 * se  # t with 4 degrees of freedom
        assert [at_7.estimate, at_7.ci_high - at_7.estimate] == pytest.approx(
            [estimate, half], rel=1e-6
        )
        low, high = (np.inf if h is None else h for h in expected["half_life_limits"])
        limits = expected["half_life"], low, high
    else:
        slow, fast = expected["rate_limits"]
        limits = (
            np.log(2) / expected["beta"][1],
            np.log(2) / fast,
            np.log(2) / slow if slow > 0 else np.inf,
        )
    assert curve.half_life == pytest.approx(limits, rel=2e-6)
    assert curve.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_growing_effect_has_no_half_life(shape):
    growing = 0.5 + 0.5 * np.log(DATA["days"])
    curve = fit_time_course(growing, [0.001] * 17, DATA["days"], DATA["study"], shape=shape)
    assert curve.half_life == (np.inf, np.inf, np.inf)
    assert half_life_kind(curve) == "growth"


@pytest.mark.parametrize("shape", SHAPES)
def test_an_effect_that_cannot_be_told_from_none_has_any_half_life(shape):
    curve = fit(np.array(DATA["fast"]) / 20, shape)
    assert (curve.half_life.low, curve.half_life.high) == (0, np.inf)
    assert half_life_kind(curve) == "no effect"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_half_life_behind_fifty_studies_is_found(shape):
    random = np.random.default_rng(1)
    days = np.tile([1.0, 3.0, 7.0, 14.0], 50)
    study = np.repeat(np.arange(50), 4)
    true = 1 - 0.25 * np.log(days) if shape == "log" else np.exp(-0.1 * (days - 1))
    effects = true + np.repeat(random.normal(0, 0.1, 50), 4) + random.normal(0, 0.1, 200)
    curve = fit_time_course(effects, np.full(200, 0.01), days, list(study), shape=shape, rho=0.0)
    expected = np.expm1(2.0) if shape == "log" else np.log(2) / 0.1
    assert curve.half_life.low < expected < curve.half_life.high
    assert curve.half_life.high < 1.5 * curve.half_life.low


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"study": ["a", "a", "b", "b"]}, "at least 3 studies; there are 2"),
        ({"days": [2, 2, 2, 2]}, "all times are equal"),
        ({"days": [0, 1, 2, 3]}, "not above 0"),
        ({"rho": 1.0}, "below 1"),
        ({"shape": "cubic"}, "must be one of log, exponential"),
        ({"vi": [1, 1, 1, 0]}, "sampling variance"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, message):
    options = {"yi": [1, 0.5, 1, 0.4], "vi": [1, 1, 1, 1], "days": [1, 2, 3, 4]} | change
    options.setdefault("study", ["a", "a", "b", "c"])
    with pytest.raises(ValueError, match=message):
        fit_time_course(**options)


@pytest.fixture
def timed(grouped):
    """Trials 0 to 5 of a single dose after 1 day; trials 0 to 2 also after 7 days."""
    rows = grouped.rows("data/studies.csv")
    grouped.write("data/studies.csv", rows[:13])
    for line in range(2, 14, 2):
        grouped.put("data/studies.csv", line, sessions="1")
    for number, (events, control) in enumerate([(8, 11), (14, 29), (9, 11)]):
        later(grouped, number, events, control)
    return grouped


def later(project, number, events, control, n=300, days=7, **cells):
    when = {"time": str(days), "time_unit": "day"}
    given = {"sessions": "1"} | cells
    project.row(**arm(f"trial{number}", "vaccine", "intervention", events, n, **when, **given))
    project.row(**arm(f"trial{number}", "none", "comparator", control, n, **when))


def modelled(project, question=QUESTION, **options):
    dataset = project.dataset()
    results = select_results(dataset)
    return fit_time_model(dataset, results, question, **options), results


def test_times_of_one_trial_are_effects_of_one_study(timed):
    model, _ = modelled(timed)
    (course,) = model.courses
    assert (course.course, course.reasons, model.left_out) == ("single", (), ())
    assert (course.curve.k, course.curve.studies, course.repeated) == (
        9,
        6,
        ["trial0", "trial1", "trial2"],
    )
    effects = course.effects
    same = fit_time_course(effects["yi"], effects["vi"], effects["since"], list(effects["study"]))
    assert course.curve.beta == pytest.approx(same.beta)
    assert effects.groupby("study")["weight"].first().sum() == pytest.approx(1)
    prediction = course.predict([0.5, 7.0, 20.0], "or")
    assert list(prediction["is_extrapolated"]) == [True, False, True]
    assert prediction["estimate"].iloc[1] == pytest.approx(
        np.exp(course.curve.beta @ [1, np.log(7)])
    )


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"sessions": ""}, "trial3 (9 days) left out: the number of sessions is not stated, or "
         "differs between its arms"),
        ({"sessions": "6"}, "trial3 (9 days) left out: the time of the last dose is not tabulated "
         "(last_dose_days)"),
        ({"course": "maintenance"}, "trial3 (9 days) left out: the time of the last dose is not "
         "tabulated (last_dose_days)"),
        ({"sessions": "6", "last_dose_days": "9"}, "trial3 (9 days) left out: measured earlier "
         "than 1 day after the last dose"),
        ({"instrument": "another scale"}, "trial3 (9 days) left out: another scale of the same "
         "study was used at more times"),
    ],
)  # fmt: skip
def test_an_effect_without_a_time_since_the_last_dose_is_left_out_with_the_reason(
    timed, cells, reason
):
    later(timed, 3, 5, 9, days=9, **cells)
    if "instrument" in cells:
        timed.put("data/studies.csv", len(timed.rows("data/studies.csv")), **cells)
    model, _ = modelled(timed)
    assert model.left_out == (reason,)
    assert model.courses[0].curve.k == 9


def test_courses_of_treatment_are_told_apart(timed):
    for number in (3, 4, 5):
        later(timed, number, 5, 9, days=18, sessions="6", last_dose_days="11")
    later(timed, 0, 5, 9, days=30, course="maintenance", last_dose_days="28")
    model, _ = modelled(timed)
    assert [(course.course, len(course.effects)) for course in model.courses] == [
        ("single", 9),
        ("repeated", 3),
        ("maintenance", 1),
    ]
    _, repeated, maintenance = model.courses
    assert list(repeated.effects["since"]) == [7, 7, 7]
    assert repeated.reasons == ("all were measured after 7 days; a curve needs times that differ",)
    assert maintenance.reasons == (
        "the tables give it at a known time since the last dose for trial0 only, and a curve needs "
        "at least 3 studies",
    )
    layout = lay_out_time_course(model)
    assert set(layout.frame["course"]) == {"single", "repeated", "maintenance"}
    assert set(layout.curve["course"]) == {"single"}
    assert "No curve after repeated doses: all were measured after 7 days" in str(layout.caption)
    assert layout.curve["since"].max() == 14
    assert next(iter(layout.curve.loc[layout.curve["is_extrapolated"], "since"])) > 7
    draw(layout)


def test_a_printed_ratio_at_another_time_joins_the_counts(timed):
    timed.row(
        **arm("trial3", "vaccine", "contrast", "", "", time="9", time_unit="day", sessions="1")
        | {"versus": "none", "measure": "odds ratio", "value": "0.8", "ci_low": "0.5",
           "ci_high": "1.28", "events": "", "n": "600", "as_printed": "0.8"}
    )  # fmt: skip
    model, _ = modelled(timed)
    row = model.effects[model.effects["since"] == 9].iloc[0]
    assert (row["study"], row["yi"]) == ("trial3", pytest.approx(np.log(0.8)))


def test_the_page_gives_a_half_life_with_its_studies_or_says_why_there_is_none(timed):
    model, _ = modelled(timed)
    lead, sensitivity = (str(sentence) for sentence in describe_time_model(model))
    # The upper limit is longer than the 6 days between the times, and is not printed.
    assert lead.endswith(
        " to more than 6 days); this rests on 6 tabulated studies, with several times for trial0, "
        "trial1 and trial2 only."
    )
    assert sensitivity.startswith("The times of one study are taken to correlate by 0.6; with 0, ")
    # Large trials in which 5% against 20% after 1 day become 15% against 20% after 7 days.
    for line in range(2, 14):
        is_treated = line % 2 == 0
        timed.put("data/studies.csv", line, n="2000", events="100" if is_treated else "400",
                  as_printed="100/2000" if is_treated else "400/2000")  # fmt: skip
    for line in range(14, 20):
        is_treated = line % 2 == 0
        timed.put("data/studies.csv", line, n="2000", events="300" if is_treated else "400",
                  as_printed="300/2000" if is_treated else "400/2000")  # fmt: skip
    model, _ = modelled(timed)
    text = str(describe_time_model(model)[0])
    # log odds ratios: -1.5581 after 1 day, -0.3483 after 7; half of the first after
    # exp(log(7) · 0.7791 / 1.2098) = 3.50 days, 2.5 days after day 1.
    assert text.startswith(
        "If the log odds ratio of infection follows a straight line over the logarithm of time, "
        "its half-life, counted from 1 day after a single dose, is 2.5 days (95% CI 2"
    )
    model, _ = modelled(timed, shape="exponential")
    # log(2) / (log(1.5581 / 0.3483) / 6) = 2.8 days
    assert "is 2.8 days (95% CI " in str(describe_time_model(model)[0])


def test_one_trial_or_none_is_refused_and_shown(timed):
    for line in range(3, 8):
        timed.put("data/designs.csv", line, comparator_kind="other treatment")
    model, _ = modelled(timed)
    assert str(describe_time_model(model)[0]) == (
        "No half-life of the odds ratio of infection after a single dose can be given: the tables "
        "give it at a known time since the last dose for trial0 only, and a curve needs at least 3 "
        "studies."
    )
    layout = lay_out_time_course(model)
    assert (len(layout.frame), len(layout.curve), layout.empty) == (2, 0, "")
    draw(layout)
    nothing, _ = modelled(timed, Question("infection", "smd"))
    assert str(describe_time_model(nothing)[0]).startswith("No half-life of the standardised mean")
    assert lay_out_time_course(nothing).empty
