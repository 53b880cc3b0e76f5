"""Doses in units of any topic: what converts, what is left out, and who says so."""

import numpy as np
import pandas as pd
import pytest

from evidence.analysis.claims.contradictions import contradictions
from evidence.analysis.doses import convert_doses, in_main_dose_unit
from evidence.analysis.narrative.pooled_results import describe_pool
from evidence.analysis.pooling.dose_response import fit_dose_model
from evidence.analysis.pooling.pooled_estimate import pool_studies
from evidence.analysis.pooling.question import Question
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from evidence.figures.dose_response_curve import lay_out_dose_response_curve
from evidence.figures.evidence_map import lay_out_evidence_map
from evidence.figures.layout import draw

QUESTION = Question("infection", "or", conditions=("tuberculosis",), treatments=("vaccine",))


@pytest.mark.parametrize(
    ("dose", "unit", "wanted", "expected"),
    [
        (300, "µg", "mg", 0.3),
        (0.1, "g/day", "mg/day", 100),
        (100, "mg per day", "g/day", 0.1),
        (2.5, "hours/week", "minutes/week", 150),
        (75, "mg/m2", "µg/m2", 75_000),
        (0.5, "puffs", "puffs", 0.5),
        (70, "mg", "mg/kg", np.nan),
        (10, "mg/day", "mg", np.nan),
        (3, "sessions", "sessions/week", np.nan),
        (3, "sessions", "minutes", np.nan),
        (2, "puffs", "mg", np.nan),
    ],
)
def test_only_units_of_one_quantity_are_converted(dose, unit, wanted, expected):
    rows = pd.DataFrame({"dose": [dose], "dose_unit": [unit]})
    np.testing.assert_equal(convert_doses(rows, wanted).to_list(), [expected])


def test_the_unit_of_most_studies_is_that_of_the_quantity_and_spelling_of_most():
    rows = pd.DataFrame(
        {
            "study": ["a", "a", "b", "c", "d", "e", "f"],
            "dose": [1.0, 2.0, 3.0, 500.0, 0.5, 0.5, np.nan],
            "dose_unit": ["mg/kg", "mg/kg", "mg/kg", "µg/day", "mg/day", "mg/day", ""],
        }
    )
    converted, unit, left_out = in_main_dose_unit(rows)
    assert (unit, left_out) == ("mg/day", ["mg/kg"])
    np.testing.assert_equal(converted["dose"].to_list(), [np.nan] * 3 + [0.5] * 3 + [np.nan])


@pytest.fixture
def exercise(grouped):
    """Trials of 1 to 13 minutes a week; the second states hours, and the last two sessions."""
    for number in range(13):
        cells = {"dose": str(number + 1), "dose_unit": "minutes/week"}
        if number == 1:
            cells = {"dose": "0.5", "dose_unit": "Hours/Week"}
        if number > 10:
            cells["dose_unit"] = "sessions"
        grouped.put("data/studies.csv", 2 * number + 2, **cells)
    return grouped


def test_charts_and_models_have_one_unit_and_name_the_others(exercise):
    dataset = exercise.dataset()
    results = select_results(dataset)
    model = fit_dose_model(dataset, results, QUESTION)
    assert (model.unit, model.curve.k, sorted(model.arms["dose"])[-2:]) == (
        "minutes/week",
        11,
        [11, 30],
    )
    left_out = "trial11 and trial12 left out: doses in sessions do not convert to minutes/week"
    assert model.left_out == (left_out,)
    curve = lay_out_dose_response_curve(model)
    assert " side by side. Doses in sessions are left out, as they do not" in str(curve.caption)
    assert curve.reading[0].startswith("trial0, 1 minutes/week, ")
    figure = draw(curve)
    assert figure.axes[0].get_xlabel() == "dose (minutes/week)"
    trials = lay_out_dose_effect_all_trials(dataset, results, QUESTION, confidence=0.95)
    assert "Doses in sessions are left out, as they do not convert." in str(trials.caption)
    assert set(trials.frame["dose_unit"]) == {"minutes/week"}
    assert "trial1/30 minutes per week" in set(trials.frame["name"])
    draw(trials)


def test_a_map_by_dose_has_one_unit_per_quantity(exercise):
    exercise.put("data/studies.csv", 4, dose="0.1")
    dataset = exercise.dataset()
    layout = lay_out_evidence_map(dataset, select_results(dataset), row_by="dose")
    units = [label.split()[-1] for label in layout.row_labels]
    assert units == ["minutes/week"] * 10 + ["sessions"] * 2
    studies = layout.frame.groupby("row_label")["k"].sum()
    assert (studies["6 minutes/week"], studies["1 minutes/week"]) == (2, 1)


def test_a_meta_regression_on_dose_has_one_unit_and_names_the_others(exercise):
    dataset = exercise.dataset()
    pooled = pool_studies(dataset, select_results(dataset), outcome="infection", measure="or",
                          comparators=["inactive", "active"], moderator="dose")  # fmt: skip
    texts = [str(sentence) for sentence in describe_pool(pooled)]
    assert any(text.startswith("Per minutes/week the effect changes by ") for text in texts)
    assert (
        "The meta-regression leaves out doses in sessions, which do not convert to minutes/week."
        in texts
    )


def test_doses_at_which_a_curve_is_read_follow_from_the_trials(exercise):
    dataset = exercise.dataset()
    model = fit_dose_model(dataset, select_results(dataset), QUESTION)
    assert model.typical_doses == [1.0, 30.0]


def test_known_units_are_read_in_any_capitals_and_other_units_as_they_are(project):
    units = {2: "MG/KG", 3: "mg/m²", 4: "\u03bcg", 5: "Puffs"}
    for line, unit in units.items():
        project.put("data/studies.csv", line, dose="1", dose_unit=unit)
    assert list(project.dataset().reported_results["dose_unit"][:4]) == [
        "mg/kg",
        "mg/m2",
        "µg",
        "Puffs",
    ]


def test_statements_about_doses_are_compared_in_their_unit(project):
    project.put("data/studies.csv", 5, dose="500", dose_unit="µg/kg", direction="better")
    project.table(
        schema.STATEMENTS, claim="C1", subject="yeast", quantity="dose", low="0.4", high="0.6",
        dose_unit="mg/kg", quality="useless", direction="worse", as_said="it is useless",
        source_rows="outcome=height", locator="p. 1",
    )  # fmt: skip
    project.put("data/studies.csv", 5, verified="yes")
    assert len(contradictions(project.dataset())) == 1
    project.put("data/studies.csv", 5, dose_unit="µg")
    assert contradictions(project.dataset()) == []
