"""What people ask of the data in Python: short questions, in their own terms, each with an example."""

import doctest
import inspect

import pytest

import evidence
from evidence import EXAMPLE, draw, load_dataset, open_report
from evidence.analysis.pooling.pooled_estimate import Refusal
from evidence.errors import EvidenceError, ParameterError
from evidence.queries import QUESTIONS, ProjectData, Results
from tests.example_trials import BCG

METHODS = [
    *(getattr(ProjectData, name) for name in QUESTIONS),
    *(part for name, part in vars(Results).items() if inspect.isfunction(part) and name[0] != "_"),
]


@pytest.mark.parametrize("method", [load_dataset, *METHODS], ids=lambda part: part.__qualname__)
def test_each_method_has_an_example_that_runs(method):
    (example,) = doctest.DocTestFinder(recurse=False).find(method)
    assert len(example.examples) > 1
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(example).failed == 0


def test_completion_lists_the_questions_and_nothing_internal():
    assert dir(load_dataset(EXAMPLE)) == sorted([*QUESTIONS, "bibliography", "project"])


def test_notebooks_and_functions_take_the_same_data(project):
    data = load_dataset(project.root)
    assert open_report("x", project=str(project.root)).dataset is data
    assert len(evidence.find_unknowns(data)) == len(data.unknowns())


def test_three_questions_take_three_lines(vaccine):
    theirs = BCG["RR"]["EE|z"]
    lines = """\
data = load_dataset(project)
proportions = data.results(outcome="Infection", days=1, design="randomised").proportions()
pooled = data.results(outcome="infection", days=1).pool(measure="rr", comparator="None", method="common")
unknowns = data.unknowns(participants=0)"""
    answers = {"project": vaccine.root, "load_dataset": load_dataset}
    exec(lines, answers)
    assert len(answers["proportions"]) == 26
    assert answers["pooled"].pooled.estimate == pytest.approx(theirs["estimate"])
    assert all(unknown.n == 0 for unknown in answers["unknowns"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": "Rise"}, "outcome: 'Rise' is not one of: .*Did you mean 'risen'?"),
        ({"design": "randomized"}, "design: .*Did you mean 'randomised'?"),
        ({"study": "Bakr"}, "study: .*Did you mean 'Baker'?"),
        ({"condition": ["bread", "brad"]}, "condition: .*Did you mean 'bread'?"),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest(project, options, message):
    with pytest.raises(ParameterError, match=message):
        load_dataset(project.root).results(**options)


def test_words_select_rows_in_any_capitals(project):
    data = load_dataset(project.root)
    results = data.results("RISEN", days=1, design="Randomised", study="BAKER", condition="Bread")
    assert list(results.frame["as_printed"]) == ["71%", "4/20"]
    assert len(data.results("risen", days=90)) == 0
    assert len(data.results(design="non-randomised")) == 0


def test_reasons_name_arguments_of_this_interface(vaccine):
    for line in range(2, 28):
        vaccine.put("data/studies.csv", line, time="12", time_unit="week")
    results = load_dataset(vaccine.root).results("infection", days=1)
    refused = results.pool("rr")
    assert isinstance(refused, Refusal)
    assert str(refused).endswith("results exist at 84 days (days=84).")
    assert results.forest("rr").empty.endswith("results exist at 84 days (days=84).")
    for line, treatment in enumerate(("BCG", "another", "another"), start=2):
        vaccine.put("data/designs.csv", line, treatment=treatment)
    refused = load_dataset(vaccine.root).results("infection", days=84).pool("rr")
    assert "(treatment='another')" in str(refused)


def test_several_outcomes_are_not_pooled(project):
    with pytest.raises(ParameterError, match=r"choose one \(outcome=\.\.\.\)"):
        load_dataset(project.root).results().pool("rr")


def test_a_forest_plot_is_drawn_and_effects_are_those_pooled(vaccine):
    results = load_dataset(vaccine.root).results("infection", days=1)
    assert draw(results.forest("rr")).axes
    effects = results.effects("rr", comparator="none")
    assert effects["estimate"].iloc[0] == pytest.approx((4 / 123) / (11 / 139))


def test_results_show_what_was_asked_and_each_row(project):
    shown = load_dataset(project.root).results("risen", days=1)._repr_mimebundle_()["text/html"]
    assert "2 results of 1 study; outcome: risen; near 1 day" in shown
    assert "4/20" in shown
    assert "data.unknowns()" in load_dataset(project.root)._repr_html_()


def test_a_folder_without_a_project_is_named_with_the_argument(tmp_path):
    with pytest.raises(EvidenceError, match=r"Name a project folder \(project=\.\.\.\)"):
        load_dataset(tmp_path)
