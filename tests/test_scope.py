"""Every page says which results it covers and how they are counted."""

import pytest

from evidence.analysis.narrative.scope import COUNTING_RULE, describe_coverage, describe_parameters
from evidence.analysis.results import select_results


def test_results_are_counted_by_kind_of_study_and_apart_from_the_guide(project):
    project.put("data/designs.csv", 3, design="animal experiment")
    assert str(describe_coverage(select_results(project.dataset()))) == (
        "This page covers 4 results of 2 studies (1 with human participants, 1 on animals or in "
        f"the laboratory) and 1 statement of the guide itself. {COUNTING_RULE}"
    )


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("core", "the studies that the guide cites"),
        ("all", "all studies in the tables, also those that the guide does not cite"),
    ],
)
def test_the_scope_is_said_in_words(project, scope, words):
    project.put("data/designs.csv", 3, scope="context")
    line = describe_parameters(project.dataset(), {"scope": scope})
    assert line == f"Scope and parameters: {words}."


@pytest.mark.parametrize(
    ("parameters", "given", "words"),
    [
        ({"scope": "all", "conditions": [], "confidence": 0.9}, [],
         "all studies in the tables; all conditions; 90% confidence intervals"),
        ({"conditions": ["bread", "cake"], "outcomes": ["risen"]}, ["conditions"],
         "condition bread and cake only; outcome risen only"),
        ({"method": "dl", "time_days": 0.0, "times": [1.0, 2.5], "strict": False}, ["method"],
         "set: method = dl; defaults: times = 1 and 2.5"),
        ({"time_days": 0.0, "study": "", "strict": False}, ["time_days", "study", "strict"],
         "set: time days = 0, study = any, strict = no"),
        ({}, [], "none"),
    ],
)  # fmt: skip
def test_scope_and_parameters_are_one_line(project, parameters, given, words):
    line = describe_parameters(project.dataset(), parameters, given)
    assert line == f"Scope and parameters: {words}."
