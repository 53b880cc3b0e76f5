"""Shown where nobody asks for anything: what the tables mark, else what most studies have."""

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
from tests.vaccine_trials import arm


def results(project):
    return select_results(project.dataset())


def outcome(project, name, **cells):
    about = {"kind": "benefit", "better": "higher", "description": f"what {name} means"}
    project.table(schema.OUTCOMES, outcome=name, **about | cells)


def test_without_a_mark_what_most_studies_share_comes_first(project):
    assert default_outcomes(results(project)) == ("risen",)
    outcome(project, "crust")
    outcome(project, "smell")
    for study in ("baker1990", "miller2001"):
        project.row(**arm(study, "yeast", "intervention", 3, 10, outcome="crust"))
    project.row(**arm("miller2001", "yeast", "intervention", 3, 10, outcome="smell"))
    assert default_outcomes(results(project)) == ("crust", "risen")
    assert default_outcome(results(project), "proportion") == "crust"


def test_marked_outcomes_come_first_in_their_order(project):
    for line, place in ((2, "2"), (3, "1")):
        project.put("data/outcomes.csv", line, outcome=("risen", "height")[line - 2])
        rows = project.rows("data/outcomes.csv")
        rows[line - 1][rows[0].index("display_order")] = place
        project.write("data/outcomes.csv", rows)
    assert default_outcomes(results(project)) == ("height", "risen")


def test_what_people_were_like_at_the_start_is_no_outcome(project):
    project.put("data/outcomes.csv", 2, kind="baseline")
    assert default_outcomes(results(project)) == ()
    assert default_outcome(results(project), "rr") == ""


def test_the_usual_time_is_stated_or_that_of_most_studies_or_a_day(project):
    rows = results(project)
    assert default_days(rows[rows["outcome"] == "risen"]) == 1
    assert default_days(rows.iloc[:0]) == 1
    outcome(project, "crust")
    for study, time in (("baker1990", "3"), ("miller2001", "3"), ("miller2001", "2")):
        given = {"outcome": "crust", "time": time, "time_unit": "week"}
        project.row(**arm(study, "yeast", "intervention", 3, 10, **given))
    rows = results(project)
    assert default_days(rows[rows["outcome"] == "crust"]) == 21
    project.put("data/outcomes.csv", 4, default_days="14")
    rows = results(project)
    assert default_days(rows[rows["outcome"] == "crust"]) == 14


@pytest.mark.parametrize("measure", ["proportion", "rr", "smd"])
def test_shipped_questions_are_those_of_the_curators(shipped, measure):
    found = main_question(shipped, select_results(shipped), Question("", measure, 0.0))
    wanted = "depression severity" if measure == "smd" else "response"
    assert (found.outcome, found.time_days) == (wanted, 1)


def test_a_measure_that_no_outcome_has_is_said_so(vaccine):
    dataset, rows = vaccine.dataset(), results(vaccine)
    asked = main_question(dataset, rows, Question("", "smd", 0.0))
    assert asked.outcome == "infection"
    refused = pool_studies(dataset, rows, **vars(asked))
    assert "no study has confirmed numbers for the " in refused.reasons[0]


def test_no_result_at_all_is_no_error(vaccine):
    dataset, nothing = vaccine.dataset(), results(vaccine).iloc[:0]
    asked = main_question(dataset, nothing, Question("", "rr", 0.0))
    refused = pool_studies(dataset, nothing, **vars(asked))
    assert refused.reasons == ("no selected result reports any outcome",)
    assert lay_out_proportions_by_arm(nothing).empty
    assert lay_out_arm_comparisons(nothing) == ()


def test_charts_speak_of_a_guide_and_of_times_only_where_there_are(project, vaccine):
    with_guide, without = (
        lay_out_proportions_by_arm(results(project)),
        lay_out_proportions_by_arm(results(vaccine)),
    )
    assert with_guide.title == "Risen: what the guide says and what was reported"
    assert "open diamonds what the guide says" in str(with_guide.caption)
    assert "at the time nearest to 1 day after treatment" in str(with_guide.caption)
    assert without.title == "Infection: what was reported"
    assert "guide" not in str(without.caption)
    assert "nearest" not in str(without.caption)


def test_every_outcome_with_two_arms_is_compared_or_those_asked_for(project):
    outcome(project, "crust")
    for name, role in (("yeast", "intervention"), ("none", "comparator")):
        project.row(**arm("miller2001", name, role, 3, 10, outcome="crust"))
    rows = results(project)
    assert [layout.id for layout in lay_out_arm_comparisons(rows)] == ["fig-risen", "fig-crust"]
    (asked,) = lay_out_arm_comparisons(rows, outcomes=["height"])
    assert asked.empty == "No two arms with counts of height among these results."


def test_words_mean_what_the_table_says(project):
    (said,) = outcome_definitions(project.dataset(), ["risen", "nothing of the table"])
    assert str(said) == "Risen: it rose."
    assert said.numbers["meaning"].rows == ("data/outcomes.csv:2",)
