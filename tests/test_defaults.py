"""What a report shows when nobody asks for an outcome or a time."""

import pytest

from evidence.analysis.defaults import (
    default_days,
    default_outcome,
    default_outcomes,
    outcome_definitions,
)
from evidence.analysis.pooling.pooled_estimate import pool_studies
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.figures.arm_comparison import lay_out_arm_comparisons
from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
from tests.example_trials import arm

OUTCOMES = "data/outcomes.csv"


def results(project):
    return select_results(project.dataset())


def add_outcome(project, name, *arms, kind="benefit"):
    project.table(
        schema.OUTCOMES, outcome=name, kind=kind, better="higher", description=f"what {name} is"
    )
    for study, cells in arms:
        project.row(**arm(study, "yeast", "intervention", 3, 10, outcome=name, **cells))


def test_outcomes_of_most_studies_come_first_unless_they_are_ranked(project):
    assert default_outcomes(results(project)) == ("risen",)
    add_outcome(project, "crust", ("baker1990", {}), ("miller2001", {}))
    add_outcome(project, "smell", ("miller2001", {}))
    add_outcome(project, "weight", ("baker1990", {}), ("miller2001", {}), kind="baseline")
    assert default_outcomes(results(project)) == ("crust", "risen")
    assert default_outcome(results(project), "proportion") == "crust"
    for line, rank in ((2, "2"), (3, "1")):
        project.put(OUTCOMES, line, display_order=rank)
    assert default_outcomes(results(project)) == ("height", "risen")


def test_a_measure_that_no_outcome_gives_has_no_default(project):
    assert default_outcome(results(project), "rr") == "risen"
    project.put(OUTCOMES, 2, kind="baseline")
    assert default_outcome(results(project), "rr") == ""


def test_the_time_is_stated_else_that_of_most_studies_else_a_day(project):
    rows = results(project)
    assert default_days(rows[rows["outcome"] == "risen"]) == 1
    assert default_days(rows.iloc[:0]) == 1
    weeks = (("baker1990", "3"), ("miller2001", "3"), ("miller2001", "2"))
    arms = [(study, {"time": time, "time_unit": "week"}) for study, time in weeks]
    add_outcome(project, "crust", *arms)
    for stated, days in (("", 21), ("14", 14)):
        project.put(OUTCOMES, 4, default_days=stated)
        rows = results(project)
        assert default_days(rows[rows["outcome"] == "crust"]) == days


def test_an_outcome_without_any_study_is_refused_with_its_reason(vaccine):
    dataset, rows = vaccine.dataset(), results(vaccine)
    question = main_question(dataset, rows, Question("", "smd", 0.0))
    assert question.outcome == "infection"
    refusal = pool_studies(dataset, rows, **vars(question))
    assert "no tabulated study has confirmed numbers for the " in refusal.reasons[0]


def test_no_results_are_not_an_error(vaccine):
    dataset, nothing = vaccine.dataset(), results(vaccine).iloc[:0]
    question = main_question(dataset, nothing, Question("", "rr", 0.0))
    refusal = pool_studies(dataset, nothing, **vars(question))
    assert refusal.reasons == ("no selected result reports any outcome",)
    assert lay_out_proportions_by_arm(nothing).empty
    assert not lay_out_arm_comparisons(dataset, nothing)


def test_charts_mention_the_guide_and_times_only_if_there_are_any(project, vaccine):
    with_guide, without_guide = (
        lay_out_proportions_by_arm(results(source)) for source in (project, vaccine)
    )
    assert "guide" in f"{with_guide.title} {with_guide.caption}"
    assert "1 day" in str(with_guide.caption)
    assert "guide" not in f"{without_guide.title} {without_guide.caption}"
    assert "nearest" not in str(without_guide.caption)


@pytest.mark.parametrize(
    ("outcomes", "figures"), [([], ["fig-risen", "fig-crust"]), (["height"], ["fig-height"])]
)
def test_every_outcome_with_two_arms_is_compared_unless_some_are_named(project, outcomes, figures):
    add_outcome(project, "crust", ("miller2001", {}))
    project.row(**arm("miller2001", "none", "comparator", 3, 10, outcome="crust"))
    layouts = lay_out_arm_comparisons(project.dataset(), results(project), outcomes=outcomes)
    assert [layout.id for layout in layouts] == figures
    assert bool(layouts[0].empty) == bool(outcomes)


def test_outcomes_are_defined_as_in_their_table(project):
    (sentence,) = outcome_definitions(project.dataset(), ["risen", "nothing of the table"])
    assert str(sentence) == "Risen: it rose."
