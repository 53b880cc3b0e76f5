"""Specification curves: every combination of analytic choices on the vaccine trials."""

import json

import numpy as np
import pytest

from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.narrative.specifications import describe_specifications
from evidence.analysis.pooling.question import Question
from evidence.analysis.pooling.specification_curve import CHOICES, specification_curve
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import ParameterError
from evidence.figures.layout import draw
from evidence.figures.specification_curve import lay_out_specification_curve
from tests.conftest import ROOT
from tests.example_trials import BCG, arm, judge


def curve(project, measure="rr"):
    dataset = project.dataset()
    question = Question("infection", measure)
    results = select_results(dataset)
    return specification_curve(dataset, results, question, outcomes=["infection"], times=[1])


def test_a_curve_holds_metafors_numbers(graded):
    for number in range(13):
        judge(graded, f"trial{number}", [["low", "high"][number > 9], *["low"] * 4])
    specifications = curve(graded)
    # Ten models (four estimators, three tests, but one test of a common effect) of six selections,
    # and three more: a risk ratio has no binomial-normal model, and each trial has one effect.
    assert len(specifications.frame) == 78
    assert set(specifications.frame["k"]) == {13, 10}
    refused = specifications.frame.groupby("estimator")["refused"].first()
    assert {"bayes", "reml"} < set(refused[refused == ""].index)
    assert "gives an odds ratio" in refused["glmm"]
    assert "no study has two effects" in refused["threelevel"]
    names = {"common": "EE", "dl": "DL", "pm": "PM", "reml": "REML"}
    frame = specifications.pooled
    rows = frame[(frame["risk"] == "any risk of bias") & frame["test"].isin(["z", "knha"])]
    assert len(rows) == 14
    for row in rows.itertuples():
        theirs = BCG["RR"][f"{names[row.estimator]}|{row.test}"]
        # metafor's Paule-Mandel stops about 1e-4 short of the root.
        assert np.log(row.estimate) == pytest.approx(theirs["estimate"], rel=1e-3)
        assert np.log(row.ci_low) == pytest.approx(theirs["ci_low"], rel=1e-3)
    assert frame["excludes"].all()
    # Infection is bad, so that a ratio below 1 favours the vaccine.
    assert set(frame["favours"]) == {"treatment"}
    sentence = str(describe_specifications(specifications))
    low, high = format_estimates("rr", frame["estimate"].min(), frame["estimate"].max())
    assert sentence.startswith(
        f"Estimates range from {low} to {high}; in 66 of 66 specifications the CI excludes no effect, "
        "66 in favour of the treatment and 0 in favour of the comparator. They rest on 2 different sets"
    )
    assert "; 12 more could not be pooled" in sentence


def test_models_of_counts_and_of_dependent_effects_enter_where_they_apply(vaccine):
    """A second definition of the outcome gives the first trial two effects."""
    glmm = json.loads((ROOT / "reference" / "metafor" / "glmm.json").read_text("utf-8"))
    frame = curve(vaccine, measure="or").frame.set_index("estimator")
    expected = glmm["or"]["dat.bcg"]["CM.EL"]["estimate"]
    assert np.log(frame.loc["glmm", "estimate"].iloc[0]) == pytest.approx(expected, rel=1e-6)
    for name, role, events in (("vaccine", "intervention", 9), ("none", "comparator", 20)):
        cells = arm("trial0", name, role, events, 130, definition="by culture")
        vaccine.table(schema.STUDIES, **cells)
    frame = curve(vaccine).frame.set_index("estimator")
    assert frame.loc["threelevel", "refused"].iloc[0] == ""
    assert frame.loc["threelevel", "test"].iloc[0] == "cr2"
    assert 0 < frame.loc["threelevel", "ci_low"].iloc[0] < 1


def test_the_chart_of_a_curve(graded):
    layout = lay_out_specification_curve(curve(graded), confidence=0.95)
    assert list(layout.frame["estimate"]) == sorted(layout.frame["estimate"])
    assert list(layout.lanes) == list(CHOICES)
    assert layout.lanes["risk"] == ["any risk of bias", "no high risk of bias"]
    assert layout.frame["name"].is_unique
    figure = draw(layout)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert {"estimator", "REML", "infection, 1 day"} <= set(labels)


def test_a_curve_with_nothing_to_pool_says_why(vaccine):
    for line in range(2, 15):
        vaccine.put("data/designs.csv", line, design="randomised crossover")
    layout = lay_out_specification_curve(curve(vaccine), confidence=0.95)
    assert layout.empty.startswith("None of 39 specifications can be pooled: the two periods")


def test_a_curve_without_any_outcome_is_empty(vaccine):
    dataset = vaccine.dataset()
    question = Question("infection", "rr")
    empty = specification_curve(dataset, select_results(dataset), question, outcomes=[], times=[1])
    assert empty.frame.empty
    assert lay_out_specification_curve(empty, confidence=0.95).empty


def test_a_proportion_has_no_curve(vaccine):
    with pytest.raises(ParameterError, match="no value that means no effect"):
        curve(vaccine, measure="proportion")
