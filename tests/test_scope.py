"""Every page says which results it covers and how they are counted."""

import pytest

from evidence.analysis.narrative.scope import COUNTING_RULE, describe_scope
from evidence.analysis.results import select_results


def scope_text(project, **selection):
    dataset = project.dataset()
    return str(describe_scope(dataset, select_results(dataset, **selection), **selection))


def test_results_are_counted_by_kind_of_study_and_apart_from_the_guide(project):
    project.put("data/designs.csv", 3, design="animal experiment")
    assert scope_text(project, scope="all") == (
        "Scope: all studies in the tables. Here: 4 results of 2 studies (1 with human "
        "participants, 1 on animals or in the laboratory) and 1 statement of the guide itself. "
        f"{COUNTING_RULE}"
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
    assert scope_text(project, scope=scope).startswith(f"Scope: {words}. Here: ")


def test_a_limited_report_says_to_what(project):
    text = scope_text(project, scope="all", conditions=["bread"], outcomes=["risen", "height"])
    assert ", condition bread only, outcome risen and height only. Here: " in text
