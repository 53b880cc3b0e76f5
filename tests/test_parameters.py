"""One rule for parameters: what a type takes, what is refused, and the sentence that says so."""

import datetime
import json
import math
from pathlib import Path

import numpy as np
import pytest
from evidence.notebook.parameter_cell import declared, read_cell
from evidence.notebook.parameter_checks import check_injected, resolve
from evidence.notebook.parameter_rules import Refused, Text, split_assignments, take
from evidence.notebook.parameter_vocabulary import NARROWER, VOCABULARY, Known, words_of
from hypothesis import given, settings
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from evidence.build.build import find_notebooks
from evidence.build.parameter_sets import read_sets
from evidence.dataset.text_checks import hidden_characters
from evidence.errors import EvidenceError, ParameterError
from evidence.report.report import open_report
from tests.conftest import ROOT, Project

TYPES = ("str", "int", "float", "bool", "date", "Path", 'Literal["a=b", "c"]', "list", "list[str]")
TYPES += ("list[int]", "list[float]", "tuple", "tuple[float, ...]", "tuple[int, str]")
DEFAULTS = {"str": '""', "int": "0", "float": "0.0", "bool": "False", "Path": 'Path("")'}
DEFAULTS |= {"date": "date(2026, 11, 24)", 'Literal["a=b", "c"]': '"c"', "tuple": "()"}
DEFAULTS |= {"tuple[float, ...]": "()", "tuple[int, str]": '(1, "a")'}


def kind(annotation):
    source = f"x: {annotation} = {DEFAULTS.get(annotation, '[]')}"
    return read_cell(source, "own.ipynb")["x"].type


def refused(annotation, value):
    with pytest.raises(Refused) as caught:
        take(kind(annotation), value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("str", "7", "7"),
        ("str", "a=b", "a=b"),
        ("str", "", ""),
        ("str", " null ", " null "),
        ("int", "-3", -3),
        ("float", "3", 3.0),
        ("float", "1e-3", 0.001),
        ("bool", "true", True),
        ("bool", "False", False),
        ("date", "2024-02-29", "2024-02-29"),
        ("Path", "a b/c=d.csv", "a b/c=d.csv"),
        ('Literal["a=b", "c"]', "a=b", "a=b"),
        ("Literal[1, 2]", "2", 2),
        ("Literal[False, 2]", "false", False),
        ('Literal["1", 1]', "1", "1"),
        ("list[str]", '["PTSD", "depression"]', ["PTSD", "depression"]),
        ("list[str]", "PTSD, depression", ["PTSD", "depression"]),
        ("list[str]", "alcohol dependence", ["alcohol dependence"]),
        ("list[str]", "a=b,c", ["a=b", "c"]),
        ("list[str]", "7,true", ["7", "true"]),
        ("list[str]", "[]", []),
        ("list[str]", " ", []),
        ("list[float]", "1, 2.5", [1.0, 2.5]),
        ("list[int]", "[1, 2]", [1, 2]),
        ("list[date]", "2024-02-29,2025-01-01", ["2024-02-29", "2025-01-01"]),
        ('list[Literal["a", "b"]]', "a,b", ["a", "b"]),
        ("list", "7", [7]),
        ("list", "7, x, true, 0.5", [7, "x", True, 0.5]),
        ("tuple", "1,a", [1, "a"]),
        ("tuple[float, ...]", "1,2", [1.0, 2.0]),
        ("tuple[int, str]", "3,4", [3, "4"]),
        ("tuple[int, str]", '[3, "4,5"]', [3, "4,5"]),
    ],
)
def test_a_text_is_read_as_the_declared_type(annotation, text, value):
    defaults = {"Literal[1, 2]": "1", "Literal[False, 2]": "2", 'Literal["1", 1]': "1"}
    default = defaults.get(annotation, DEFAULTS.get(annotation, "[]"))
    found = read_cell(f"x: {annotation} = {default}", "own.ipynb")["x"].type
    taken = take(found, Text(text))
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        ("str", datetime.date(2024, 2, 29), "2024-02-29"),
        ("date", datetime.date(2024, 2, 29), "2024-02-29"),
        ("str", Path("a/b"), "a/b"),
        ("Path", Path("a/b"), "a/b"),
        ("Path", "a/b", "a/b"),
        ("float", 3, 3.0),
        ("float", np.float64(0.5), 0.5),
        ("int", np.int64(3), 3),
        ("list", (1, "a", datetime.date(2024, 2, 29), Path("p")), [1, "a", "2024-02-29", "p"]),
        ("list[float]", (1, 2), [1.0, 2.0]),
        ("tuple[int, str]", (1, "a"), [1, "a"]),
        ("tuple", [1, 2], [1, 2]),
    ],
)
def test_a_typed_value_comes_out_as_json_has_it(annotation, given, value):
    taken = take(kind(annotation), given)
    assert taken == value
    assert json.loads(json.dumps(taken)) == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("str", 3, "3 is not a str; give a text"),
        ("str", None, "null is not a str; give a text"),
        ("str", ["a"], '["a"] is not a str; give a text'),
        ("str", "gu\u202eide", "'gu<U+202E>ide' holds a character that nobody sees, U+202E"),
        ("str", "a\x00", "'a<U+0000>' holds a character that nobody sees, U+0000; leave it out"),
        ("str", "\ud800", "'\\ud800' is not text in UTF-8"),
        ("str", datetime.datetime(2024, 1, 2, 3), "2024-01-02 03:00:00 is not a str"),
        ("int", 3.0, "3.0 is not an int; give a whole number, such as 3"),
        ("int", True, "true is not an int"),
        ("int", "3", "'3' is not an int"),
        ("int", Text("3.5"), "3.5 is not an int"),
        ("int", Text("9" * 5000), "is not an int"),
        ("float", Text("soon"), "'soon' is not a float; give a number, such as 0.5"),
        ("float", "0.5", "'0.5' is not a float"),
        ("float", True, "true is not a float"),
        ("float", math.nan, "NaN is not a float"),
        ("float", Text("NaN"), "'NaN' is not a float"),
        ("float", Text("-Infinity"), "'-Infinity' is not a float"),
        ("float", Text("1e999"), "'1e999' is not a float"),
        ("float", 10**400, "is not a float"),
        ("float", Text(""), "'' is not a float"),
        ("bool", Text("1"), "1 is not a bool; give true or false"),
        ("bool", "true", "'true' is not a bool"),
        ("bool", 0, "0 is not a bool"),
        ("date", Text("2023-02-29"), "'2023-02-29' is not a date; give a day, such as 2026-11-24"),
        ("date", "20240229", "'20240229' is not a date"),
        ("date", datetime.datetime(2024, 1, 2), "2024-01-02 00:00:00 is not a date"),
        ('Literal["a=b", "c"]', "a=c", "'a=c' is none of a=b, c; did you mean 'a=b'?"),
        ('Literal["a=b", "c"]', 3, "3 is none of a=b, c"),
        ("list[str]", "PTSD", "'PTSD' is not a list[str]; give a list, such as [\"a\"]"),
        ("list[str]", ["a", 3], '["a", 3] is not a list[str]'),
        ("list[str]", [["a"]], '[["a"]] is not a list[str]'),
        ("list[str]", Text("a,,b"), "'a,,b' has nothing between two commas or at an end"),
        ("list[str]", Text('["a"'), "'[\"a\"' is not a list[str]"),
        ("list[str]", {"a": 1}, '{"a": 1} is not a list[str]'),
        (
            "list[float]",
            Text("1,soon"),
            '[1, "soon"] is not a list[float]; give a list',
        ),
        ("list", [None], "[null] is not a list"),
        ("list", [{}], "[{}] is not a list"),
        ("list", {1}, "is not a list"),
        ("tuple[int, str]", [1], "[1] is not a tuple[int, str]; give a list of 2"),
        ("tuple[int, str]", Text("1"), "is not a tuple[int, str]; give a list of 2"),
        ("tuple[int, str]", ["a", 1], '["a", 1] is not a tuple[int, str]'),
    ],
)
def test_what_is_not_of_the_type_is_refused(annotation, value, message):
    assert message in refused(annotation, value)


SCALARS = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.dates(), st.datetimes()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@settings(deadline=None)
@given(st.sampled_from(TYPES), VALUES | st.text().map(Text))
def test_whatever_is_taken_in_is_what_the_notebook_gets(annotation, value):
    """Through papermill's own code for the cell that it puts in, and through JSON."""
    try:
        taken = take(kind(annotation), value)
    except Refused as error:
        assert not hidden_characters(str(error))
        assert "\n" not in str(error)
        return
    got = {}
    exec(PythonTranslator.codify({"x": taken}), got)
    assert (got["x"], type(got["x"])) == (taken, type(taken))
    assert json.loads(json.dumps(taken, allow_nan=False)) == taken
    assert take(kind(annotation), taken) == taken


@settings(deadline=None)
@given(st.sampled_from([t for t in TYPES if "str" not in t and t != "Path"]), VALUES)
def test_a_value_as_figures_print_it_is_read_as_the_same(annotation, value):
    """`identity.command` prints texts as they stand and everything else as JSON."""
    try:
        taken = take(kind(annotation), value)
    except Refused:
        return
    text = taken if isinstance(taken, str) else json.dumps(taken, ensure_ascii=False)
    assert take(kind(annotation), Text(text)) == taken


@settings(deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126))))
def test_any_list_of_texts_can_be_written_as_json(words):
    assert take(kind("list[str]"), Text(json.dumps(words))) == words


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_a_text_stands_as_it_is_also_with_equals_signs(text):
    assert take(kind("str"), split_assignments([f"x={text}"])["x"]) == text


def test_a_parameters_cell_is_read_with_types_defaults_and_comments():
    source = (
        '"""What one may ask."""\n'
        "from datetime import date\n"
        "from pathlib import Path\n"
        "from typing import Literal\n\n"
        "# a remark\n"
        'word: Literal["a", "b"] = "a"  # with a "#" and = in it\n'
        "pair: 'tuple[int, str]' = (1, 'x')\n"
        "days: list[\n    float\n] = [1, 2]  # in days\n"
        "plain = -3\n"
        "day: date = date(2024, 2, 29)\n"
        'place = Path("a/b")\n'
    )
    found = read_cell(source, "own.ipynb")
    assert {name: (str(p.type), p.default, p.help, p.line) for name, p in found.items()} == {
        "word": ("Literal['a', 'b']", "a", 'with a "#" and = in it', 7),
        "pair": ("tuple[int, str]", [1, "x"], "", 8),
        "days": ("list[float]", [1.0, 2.0], "in days", 9),
        "plain": ("int", -3, "", 12),
        "day": ("date", "2024-02-29", "", 13),
        "place": ("Path", "a/b", "", 14),
    }
    exec(source, {})


ALLOWED = "a parameter is of type str, int, float, bool, date, Path, list, tuple or Literal"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x: str = ''\ny = 3 * 7", "line 2: the default of y, 3 * 7, is no plain value"),
        ("x: dict = {}", f"line 1: x is declared as dict; {ALLOWED}"),
        ("x: list[list[str]] = []", "line 1: x is declared as list[list[str]]"),
        ("x: str | None = ''", "line 1: x is declared as str | None"),
        ("x: Literal = ''", "line 1: x is declared as Literal"),
        ("x: int", "line 1: 'x: int' declares no parameter; write name: type = value"),
        ("\nfor i in x:\n  pass", "line 2: 'for i in x:' declares no parameter"),
        ("a = b = 3", "line 1: 'a = b = 3' declares no parameter"),
        ("a, b = 3, 4", "declares no parameter"),
        ("print(3)", "line 1: 'print(3)' declares no parameter"),
        ("x = None", "x has no type and its default none; declare one, such as x: str"),
        ("x: str = None", "line 1: the default of x: null is not a str; give a text"),
        ('x: Literal["a"] = "b"', "line 1: the default of x: 'b' is none of a"),
        ("x = 1\nx = 2", "line 2: x is declared twice"),
        ("x = = 1", "line 1: is not Python"),
        ("x = date(2024, 13, 1)", "line 1: the default of x, date(2024, 13, 1), is no plain"),
    ],
)
def test_a_parameters_cell_that_does_something_else_is_refused(source, message):
    with pytest.raises(ParameterError) as caught:
        read_cell(source, "own.ipynb")
    assert str(caught.value).startswith("own.ipynb: parameters cell, line ")
    assert message in str(caught.value)


def notebook(folder, source, name="10_own"):
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source}
    cell |= {"outputs": [], "execution_count": None, "id": "a"}
    rest = cell | {"metadata": {}, "id": "b"}
    rest["source"] = "from evidence import open_report\nreport = open_report('10_own', project='')"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = {"cells": [cell, rest], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(book), "utf-8")
    return path


def test_a_notebook_without_a_parameters_cell_declares_nothing(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text('{"cells": [{"cell_type": "code", "metadata": {}, "source": "x = 1"}]}')
    assert declared(path) == {}
    for text in ("{", "[]", "3"):
        path.write_text(text)
        with pytest.raises(EvidenceError, match="is no notebook that can be read"):
            declared(path)


@pytest.fixture(scope="module")
def bread(tmp_path_factory):
    """The dataset of the small project; read only."""
    return Project(tmp_path_factory.mktemp("rule") / "bread").dataset()


def every(project, only=()):
    return {name: declared(path) for name, path in find_notebooks(project, only).items()}


def said(dataset, *texts, only=()):
    with pytest.raises(ParameterError) as caught:
        resolve(split_assignments(texts), every(dataset.project, only), dataset)
    return str(caught.value)


def test_each_notebook_gets_only_what_it_declares(bread):
    given = split_assignments(["scope=all", "time_days=7"])
    found = resolve(given, every(bread.project), bread)
    assert found["01_studies"] == {"scope": "all"}
    assert found["02_comparison"] == {"scope": "all", "time_days": 7.0}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["scoppe=all"], "00_start and 8 more notebooks: scoppe: is no parameter; did you mean"),
        (
            ["xyz=1"],
            "xyz: is no parameter; there are: comparator, comparison_measure, comparison_outcomes",
        ),
        (["out=x"], "out: is set with --out"),
        (["project=x"], "project: is set with --project"),
        (["time_days=soon"], "00_start, 02_comparison, 07_synthesis: time_days: 'soon' is not a"),
        (["time_days=-1"], "time_days: -1 is no number of days, 0 or above"),
        (["confidence=95"], "confidence: 95 is not between 0 and 1; 95 % is 0.95"),
        (["confidence=1"], "confidence: 1 is not between 0 and 1; 95 % is 0.95"),
        (["scope=a=b"], "scope: 'a=b' is none of guide, all"),
        (
            ["conditions=bread,caek"],
            "conditions: 'caek' is none of bread, cake; did you mean 'cake'",
        ),
        (["outcomes=risin"], "outcomes: 'risin' is none of risen, height; did you mean 'risen'?"),
        (
            ["proportion_outcomes=x"],
            "02_comparison: proportion_outcomes: 'x' is none of risen, height",
        ),
        (["outcome=x"], "00_start, 07_synthesis: outcome: 'x' is none of height, risen, ''"),
        (["condition=x"], "00_start: condition: 'x' is none of bread, cake, '', any"),
        (["study=baker"], "study: 'baker' is none of baker1990, miller2001, ''; did you mean"),
        (
            ["comparison_measure=proportion"],
            "comparison_measure: 'proportion' is none of rr, or, rd, smd, md",
        ),
        (["test=t"], "07_synthesis, 08_appraisal: test: 't' is none of z, knha, knha-adhoc"),
        (["method=mh"], "08_appraisal: method: 'mh' is none of reml, dl, pm, common"),
        (["times=1,0"], "08_appraisal: times: 0 is no time after treatment, in days above 0"),
        (["sensitivity_times="], "07_synthesis: sensitivity_times: [] is empty; give at least 1"),
        (
            ["allow_nonrandomised=1"],
            "07_synthesis: allow_nonrandomised: 1 is not a bool; give true or false",
        ),
    ],
)
def test_misuse_is_refused_with_notebook_parameter_given_and_allowed(bread, texts, message):
    assert message in said(bread, *texts)


def test_all_faults_are_said_at_once(bread):
    lines = said(bread, "scoppe=all", "confidence=95", "method=mh").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["scoppe", "confidence", "method"]


@pytest.mark.parametrize("word", ["", "any", "bread"])
def test_special_words_are_allowed_where_the_notebook_says_so(bread, word):
    given = split_assignments(
        [f"condition={word}", "outcome=", "scale_outcome=", "study=", "proportion_outcomes="]
    )
    assert resolve(given, every(bread.project), bread)["00_start"]["condition"] == word


def test_every_shared_parameter_of_the_notebooks_has_a_vocabulary(shipped):
    names = {name for parameters in every(ROOT).values() for name in parameters}
    assert names - set(VOCABULARY) == {"project", "out", "allow_nonrandomised"}
    assert set(VOCABULARY) <= names
    assert {notebook for notebook, _ in NARROWER} <= set(every(ROOT))


def test_the_words_for_each_are_those_of_the_data(shipped):
    known = Known(shipped)
    own = every(ROOT)["00_start"]
    assert "any" not in words_of("00_start", "condition", own["condition"].type, known)
    assert set(words_of("00_start", "conditions", own["conditions"].type, known)) == set(
        shipped.results["condition"]
    )
    assert words_of("00_start", "time_days", own["time_days"].type, known) is None


def test_a_notebook_may_not_give_a_shared_name_another_meaning(project):
    notebook(project.path("notebooks"), "time_days: str = ''")
    assert said(project.dataset()) == (
        "10_own: time_days: is declared as str, line 1 of the parameters cell; in every notebook a "
        "parameter of this name is a float"
    )


def test_a_parameter_of_another_name_is_held_to_its_literal(project):
    notebook(project.path("notebooks"), 'way: Literal["up", "down"] = "up"')
    assert "10_own: way: 'dwn' is none of up, down; did you mean 'down'?" in said(
        project.dataset(), "way=dwn"
    )


FAULTS = [
    ("scoppe", "all", "is no parameter; did you mean 'scope'?"),
    ("time_days", "soon", "time_days: 'soon' is not a float; give a number, such as 0.5"),
    ("time_days", "-3", "time_days: -3 is no number of days, 0 or above"),
    ("confidence", "95", "confidence: 95 is not between 0 and 1; 95 % is 0.95"),
    ("confidence", "true", "confidence: true is not a float; give a number, such as 0.5"),
    ("scope", "gide", "scope: 'gide' is none of guide, all; did you mean 'guide'?"),
    ("conditions", "[brad]", "conditions: 'brad' is none of bread, cake; did you mean 'bread'?"),
    (
        "proportion_outcomes",
        "[a, 3]",
        'proportion_outcomes: ["a", 3] is not a list[str]; give a list, such as ["a"]',
    ),
]


@pytest.mark.parametrize(("name", "yaml", "rule"), FAULTS)
def test_the_same_fault_is_the_same_sentence_everywhere(bread, tmp_path, name, yaml, rule):
    """Command line, parameter file and Python; a kernel is below."""
    import yaml as reader

    value = reader.safe_load(yaml)
    text = json.dumps(value) if isinstance(value, list) else yaml
    sentence = said(bread, f"{name}={text}", only=["comparison"])
    assert sentence.startswith("02_comparison: ")
    assert rule in sentence

    (tmp_path / "reports.yml").write_text(f"sets:\n  one:\n    {name}: {yaml}\n", "utf-8")
    (one,) = read_sets(tmp_path).values()
    with pytest.raises(ParameterError) as caught:
        resolve(one.parameters, every(bread.project, ["comparison"]), bread, one.where)
    assert str(caught.value) == f"reports.yml:3: {sentence}"

    with pytest.raises(ParameterError) as caught:
        open_report("02_comparison", project=bread.project, **{name: value})
    assert str(caught.value) == sentence


def test_open_report_takes_own_parameters_as_figures_keep_them(bread):
    report = open_report(
        "own", project=bread.project, conditions=("bread",), day=datetime.date(2024, 2, 29)
    )
    assert report.parameters["day"] == "2024-02-29"
    assert report.parameters["conditions"] == ["bread"]
    for wrong in (None, {}, math.nan, [[1]]):
        with pytest.raises(ParameterError, match=r"own: day: .* is not a text, number, true or"):
            open_report("own", project=bread.project, day=wrong)


CELL = 'scope: str = "guide"  # which\nconditions: list[str] = []\ntime_days: float = 0.0'


def test_what_papermill_put_behind_the_cell_is_held_to_it():
    before = ["", CELL]
    check_injected("own", [*before, '# Parameters\nscope = "all"\ntime_days = 3\n'])
    check_injected("own", before)
    check_injected("own", [])
    put = '# Parameters\nscoppe = "all"\nscope = 3\nconditions = "a"\ntime_days = float("nan")\n'
    with pytest.raises(ParameterError) as caught:
        check_injected("own", [*before, put])
    assert str(caught.value).splitlines() == [
        "own: scoppe: is no parameter; did you mean 'scope'? "
        "There are: conditions, time_days, scope",
        "own: scope: 3 is not a str; give a text",
        "own: conditions: 'a' is not a list[str]; give a list, such as [\"a\"]",
        "own: time_days: float('nan') is not a float; give a number, such as 0.5",
    ]


def test_in_jupyterlab_the_injected_cell_may_run_again():
    ran = ["", CELL, '# Parameters\nscope = "all"', "report = open_report()", "report.close()"]
    check_injected("own", [*ran, '# Parameters\nscope = "guide"'])
    with pytest.raises(ParameterError, match="own: scop: is no parameter"):
        check_injected("own", [*ran, '# Parameters\nscop = "guide"'])
