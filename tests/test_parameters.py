"""Parameters are read from the parameters cell and checked the same way wherever they come from."""

import datetime
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papermill.exceptions import PapermillExecutionError
from papermill.translators import PythonTranslator

from evidence.build.build import find_notebooks
from evidence.build.parameter_sets import read_sets
from evidence.dataset.text_checks import hidden_characters
from evidence.errors import EvidenceError, ParameterError
from evidence.notebook.allowed_values import EXCEPTIONS, VOCABULARIES
from evidence.notebook.parameter_values import TextValue, parse_assignments
from evidence.notebook.parameters import (
    parse_cell,
    read_parameters,
    shared_types,
    validate_parameters,
)
from evidence.report.report import open_report
from tests.conftest import ROOT, Project

DEFAULTS = {
    "str": '""', "int": "0", "float": "0.0", "bool": "False", "Path": 'Path("")',
    "date": "date(2026, 11, 24)",
    'Literal["a=b", "c"]': '"c"', "Literal[1, 2]": "1", "tuple[float, ...]": "()",
    "tuple[int, str]": '(1, "a")',
}  # fmt: skip
TYPES = (*DEFAULTS, "list", "tuple", "list[str]", "list[int]", "list[float]")


def check(annotation, value):
    """The value as the notebook gets it, and the message if it is refused."""
    source = f"x: {annotation} = {DEFAULTS.get(annotation, '[]')}"
    values, problems = parse_cell("10_own", source).validate({"x": value})
    return values.get("x"), "; ".join(message for _, message in problems)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("str", "7", "7"),
        ("str", "a=b", "a=b"),
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
        ("list[str]", '["PTSD", "a, b"]', ["PTSD", "a, b"]),
        ("list[str]", "PTSD, depression", ["PTSD", "depression"]),
        ("list[str]", "7,true", ["7", "true"]),
        ("list[str]", " ", []),
        ("list[float]", "1, 2.5", [1.0, 2.5]),
        ("list[date]", "2024-02-29,2025-01-01", ["2024-02-29", "2025-01-01"]),
        ('list[Literal["a", "b"]]', "a,b", ["a", "b"]),
        ("list", "[7, true]", [7, True]),
        ("tuple[float, ...]", "1,2", [1.0, 2.0]),
        ("tuple[int, str]", '[3, "4,5"]', [3, "4,5"]),
    ],
)
def test_text_is_read_as_the_declared_type(annotation, text, value):
    accepted, message = check(annotation, TextValue(text))
    assert message == ""
    assert (accepted, type(accepted)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "argument", "value"),
    [
        ("str", datetime.date(2024, 2, 29), "2024-02-29"),
        ("date", datetime.date(2024, 2, 29), "2024-02-29"),
        ("Path", Path("a/b"), "a/b"),
        ("float", 3, 3.0),
        ("float", np.float64(0.5), 0.5),
        ("int", np.int64(3), 3),
        ("list", (1, "a", datetime.date(2024, 2, 29), Path("p")), [1, "a", "2024-02-29", "p"]),
        ("tuple[int, str]", (1, "a"), [1, "a"]),
    ],
)
def test_typed_values_become_what_json_can_hold(annotation, argument, value):
    accepted, message = check(annotation, argument)
    assert message == ""
    assert (accepted, type(accepted)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("str", 3, "Input should be a valid string, not 3"),
        ("str", None, "null is not text, a number, true or false, or a list of these"),
        ("str", "gu\u202eide", "contains the invisible character U+202E. Remove it"),
        ("str", "a\x00", "contains the invisible character U+0000"),
        ("str", "\ud800", "'\\ud800' is not valid UTF-8 text"),
        ("int", 3.0, "Input should be a valid integer, not 3.0"),
        ("int", True, "Input should be a valid integer, not true"),
        ("int", TextValue("3.5"), "Input should be a valid integer, not 3.5"),
        ("int", TextValue("9" * 5000), "Input should be a valid integer, not '999"),
        ("int", 10**400, "is not text, a number"),
        ("float", TextValue("soon"), "Input should be a valid number, not 'soon'"),
        ("float", "0.5", "Input should be a valid number, not '0.5'"),
        ("float", math.nan, "NaN is not a finite number"),
        ("float", TextValue("-Infinity"), "-Infinity is not a finite number"),
        ("float", TextValue(""), "Input should be a valid number, not ''"),
        ("bool", TextValue("1"), "Input should be a valid boolean, not 1"),
        ("bool", "true", "Input should be a valid boolean, not 'true'"),
        ("date", TextValue("2023-02-29"), "not '2023-02-29'"),
        ("date", datetime.datetime(2024, 1, 2), "is not text, a number"),
        ('Literal["a=b", "c"]', "a=c", "Input should be 'a=b' or 'c', not 'a=c'"),
        ("list[str]", "PTSD", "Input should be a list, not 'PTSD'"),
        ("list[str]", ["a", 3], "Input should be a valid string, not 3"),
        ("list[str]", [["a"]], '["a"] is not text, a number'),
        ("list[str]", {"a": 1}, '{"a": 1} is not text, a number'),
        ("list[str]", TextValue("a,,b"), "'a,,b' has an empty item. Write a,b or a JSON list"),
        ("list[str]", TextValue('["a"'), "Input should be a list, not '[\"a\"'"),
        ("list[float]", TextValue("1,soon"), "Input should be a valid number, not 'soon'"),
        ("tuple[int, str]", [1], "Field required"),
    ],
)
def test_values_of_another_type_are_refused(annotation, value, message):
    accepted, problem = check(annotation, value)
    assert accepted is None
    assert message in problem


SCALARS = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.dates(), st.datetimes()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@settings(max_examples=150)
@given(st.sampled_from(TYPES), VALUES | st.text().map(TextValue))
def test_an_accepted_value_is_what_the_notebook_gets(annotation, value):
    """Through the code that papermill injects, through JSON, and typed again on a command line."""
    accepted, message = check(annotation, value)
    if message:
        assert not hidden_characters(message)
        assert "\n" not in message
        return
    namespace = {}
    exec(PythonTranslator.codify({"x": accepted}), namespace)
    assert (namespace["x"], type(namespace["x"])) == (accepted, type(accepted))
    assert json.loads(json.dumps(accepted, allow_nan=False)) == accepted
    assert check(annotation, accepted) == (accepted, "")
    text = accepted if isinstance(accepted, str) else json.dumps(accepted, ensure_ascii=False)
    assert check(annotation, TextValue(text)) == (accepted, "")


@settings(max_examples=50)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_text_is_taken_literally_even_with_equals_signs(text):
    assert check("str", parse_assignments([f"x={text}"])["x"]) == (text, "")


def test_a_parameters_cell_is_read_with_types_defaults_and_comments():
    source = (
        '"""What can be asked."""\n'
        "from typing import Literal\n\n"
        "# a remark\n"
        'word: Literal["a", "b"] = "a"  # with a "#" and = in it\n'
        "pair: 'tuple[int, str]' = (1, 'x')\n"
        "days: list[\n    float\n] = [1, 2]  # in days\n"
        "plain = -3\n"
    )
    declared = parse_cell("10_own", source).parameters
    assert {name: (p.type, p.default, p.help, p.line) for name, p in declared.items()} == {
        "word": ("Literal['a', 'b']", "a", 'with a "#" and = in it', 5),
        "pair": ("tuple[int, str]", (1, "x"), "", 6),
        "days": ("list[float]", [1, 2], "in days", 7),
        "plain": ("int", -3, "", 10),
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x: str = ''\ny = 3 * 7", "line 2: the default of y is not a plain value: 3 * 7"),
        ("x: date = date(2024, 13, 1)", "the default of x is not a plain value: date(2024, 13, 1)"),
        ("x: int", "line 1: 'x: int' declares nothing. Write name: type = value"),
        ("\nfor i in x:\n  pass", "line 2: 'for i in x:' declares nothing"),
        ("a = b = 3", "line 1: 'a = b = 3' declares nothing"),
        ("print(3)", "line 1: 'print(3)' declares nothing"),
        ("x = 1\nx = 2", "line 2: x is declared twice"),
        ("x = = 1", "line 1: not valid Python"),
        ("x: Foo = 1", "name 'Foo' is not defined. Use str, int, float, bool, date, Path"),
        ("x: dict[ = 1", "line 1: not valid Python"),
        ("x: dict = {}", "x: {} is not text, a number"),
        ("x = None", "name 'NoneType' is not defined. Use str, int"),
        ('x: Literal["a"] = "b"', "x: Input should be 'a', not 'b'"),
        ("confidence: float = 95", "confidence: Input should be less than 1, not 95"),
        ("conditions: str = 'bread'", "conditions: Input should be a list, not 'bread'"),
    ],
)
def test_a_cell_that_does_not_declare_parameters_is_refused(source, message):
    with pytest.raises(ParameterError) as caught:
        validate_parameters({}, {"10_own": parse_cell("10_own", source)})
    assert str(caught.value).startswith("10_own: ")
    assert message in str(caught.value)


def test_a_parameter_may_be_called_like_a_method_of_the_model():
    notebook = parse_cell("10_own", "copy: int = 1\nmodel_fields: int = 2\n_x: int = 3")
    values = {"copy": 4, "model_fields": 5, "_x": 6}
    assert notebook.validate(values) == (values, [])


def test_a_notebook_without_parameters_cell_declares_nothing(tmp_path):
    path = tmp_path / "{a}.ipynb"
    path.write_text('{"cells": [{"cell_type": "code", "metadata": {}, "source": "x = 1"}]}')
    assert read_parameters(path).parameters == {}
    for text in ("{", "[]", "3"):
        path.write_text(text)
        with pytest.raises(EvidenceError, match="not a readable notebook"):
            read_parameters(path)


@pytest.fixture(scope="module")
def bread(tmp_path_factory):
    """The dataset of the small project; read only."""
    return Project(tmp_path_factory.mktemp("parameters") / "bread").dataset()


def declared(project, only=()):
    return {name: read_parameters(path) for name, path in find_notebooks(project, only).items()}


def refusal(dataset, *texts, only=()):
    with pytest.raises(ParameterError) as caught:
        validate_parameters(parse_assignments(texts), declared(dataset.project, only), dataset)
    return str(caught.value)


def test_each_notebook_gets_only_what_it_declares(bread):
    values = parse_assignments(["scope=all", "time_days=7"])
    accepted = validate_parameters(values, declared(bread.project), bread)
    assert accepted["01_studies"] == {"scope": "all"}
    assert accepted["02_comparison"] == {"scope": "all", "time_days": 7.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scoppe=all", "00_start and 9 other notebooks: scoppe: unknown parameter. Did you mean"),
        ("xyz=1", "xyz: unknown parameter. Available: allow_nonrandomised, comparator, "),
        ("sc\u202eope=all", "sc<U+202E>ope: unknown parameter"),
        ("out=x", "out: set it with --out"),
        ("project=x", "project: set it with --project"),
        (
            "time_days=soon",
            "00_start and 3 other notebooks: time_days: Input should be a valid number",
        ),
        ("time_days=-1", "time_days: Input should be greater than or equal to 0, not -1"),
        ("confidence=95", "confidence: Input should be less than 1, not 95"),
        ("scope=a=b", "scope: 'a=b' is not one of: core, all"),
        ("conditions=bread,caek", "'caek' is not one of: bread, cake. Did you mean 'cake'?"),
        ("proportion_outcomes=x", "02_comparison: proportion_outcomes: 'x' is not one of: risen"),
        (
            "outcome=x",
            "00_start and 3 other notebooks: outcome: 'x' is not one of: height, risen, ''",
        ),
        ("condition=x", "00_start: condition: 'x' is not one of: bread, cake, '', any"),
        ("comparison_measure=proportion", "'proportion' is not one of: rr, or, rd, smd, md"),
        ("test=t", "07_synthesis, 08_appraisal: test: 't' is not one of: z, knha, knha-adhoc"),
        ("method=mh", "08_appraisal: method: 'mh' is not one of: reml, dl, pm, common"),
        ("times=1,0", "08_appraisal: times: Input should be greater than 0, not 0"),
        ("sensitivity_times=", "07_synthesis: sensitivity_times: give at least one value"),
    ],
)
def test_a_refusal_names_notebook_parameter_value_and_what_is_allowed(bread, text, message):
    assert message in refusal(bread, text)


def test_all_problems_are_reported_at_once(bread):
    lines = refusal(bread, "scoppe=all", "confidence=95", "method=mh").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["scoppe", "confidence", "method"]


@pytest.mark.parametrize("word", ["", "any", "bread"])
def test_special_words_are_allowed(bread, word):
    values = parse_assignments([f"condition={word}", "outcome=", "study=", "conditions="])
    assert (
        validate_parameters(values, declared(bread.project), bread)["00_start"]["condition"] == word
    )


def test_every_shared_parameter_occurs_in_a_notebook():
    """Vocabularies and types that no notebook uses any longer go."""
    notebooks = declared(ROOT)
    names = {name for notebook in notebooks.values() for name in notebook.parameters}
    assert set(shared_types()) == names
    assert set(VOCABULARIES) <= names
    assert {notebook for notebook, _ in EXCEPTIONS} <= set(notebooks)


@pytest.mark.parametrize(
    ("name", "yaml", "message"),
    [
        ("scoppe", "all", "unknown parameter. Did you mean 'scope'?"),
        ("time_days", "soon", "time_days: Input should be a valid number, not 'soon'"),
        ("confidence", "true", "confidence: Input should be a valid number, not true"),
        ("scope", "cor", "scope: 'cor' is not one of: core, all. Did you mean 'core'?"),
        ("conditions", "[brad]", "conditions: 'brad' is not one of: bread, cake. Did you mean"),
    ],
)
def test_the_message_is_the_same_for_command_line_file_and_python(
    bread, tmp_path, name, yaml, message
):
    value = "[brad]" if name == "conditions" else yaml
    text = "brad" if name == "conditions" else yaml
    line = refusal(bread, f"{name}={text}", only=["comparison"])
    assert line.startswith("02_comparison: ")
    assert message in line
    (tmp_path / "reports.yml").write_text(f"sets:\n  one:\n    {name}: {yaml}\n", "utf-8")
    (parameter_set,) = read_sets(tmp_path).values()
    with pytest.raises(ParameterError) as caught:
        notebooks = declared(bread.project, ["comparison"])
        validate_parameters(parameter_set.parameters, notebooks, bread, parameter_set.origins)
    assert str(caught.value) == f"reports.yml:3: {line}"
    value = parameter_set.parameters[name]
    with pytest.raises(ParameterError) as caught:
        open_report("02_comparison", project=bread.project, **{name: value})
    assert message in str(caught.value)


def test_open_report_keeps_own_parameters_as_figures_print_them(bread):
    day = datetime.date(2024, 2, 29)
    report = open_report("own", project=bread.project, conditions=("bread",), day=day)
    assert report.parameters["day"] == "2024-02-29"
    assert report.parameters["conditions"] == ["bread"]
    for wrong in (None, {}, math.nan, [[1]]):
        with pytest.raises(ParameterError, match="own: day: "):
            open_report("own", project=bread.project, day=wrong)


OWN_CELL = """
from typing import Literal

way: Literal["up", "a=b"] = "up"  # direction
levels: list[float] = [0.5]
time_days: float = 0.0
"""
OWN_OPENS = """\
from evidence import open_report
report = open_report("{name}", project="", way=way, levels=levels, time_days=time_days)
print(repr((way, levels, time_days)))"""


@pytest.fixture
def own(project):
    """A project with a notebook that has two parameters of its own."""
    path = project.notebook("10_own", opens=OWN_OPENS)
    book = nbformat.read(path, as_version=4)
    book.cells[1].source = OWN_CELL
    nbformat.write(book, path)
    return project


def execute(project, parameters):
    out = project.path("out.ipynb")
    papermill.execute_notebook(
        str(project.path("notebooks/10_own.ipynb")), str(out), parameters=parameters,
        progress_bar=False, cwd=str(project.root), engine_name="evidence",
    )  # fmt: skip
    return nbformat.read(out, as_version=4)


def test_a_notebook_gets_what_was_accepted_and_refuses_the_rest_itself(own):
    values = parse_assignments(["way=a=b", "levels=1,0.9", "time_days=3"])
    accepted = validate_parameters(values, declared(own.root, ["own"]))["10_own"]
    outputs = [o for cell in execute(own, accepted).cells for o in cell.get("outputs", [])]
    assert repr(("a=b", [1.0, 0.9], 3.0)) in "".join(o.get("text", "") for o in outputs)
    wrong = {"waay": "up", "way": "dwn", "levels": "0.5", "time_days": "soon"}
    with pytest.raises(PapermillExecutionError) as caught:
        execute(own, wrong)
    assert caught.value.ename == "ParameterError"
    lines = caught.value.evalue.splitlines()
    assert lines[0].startswith("10_own: waay: unknown parameter. Did you mean 'way'?")
    by_command = refusal(own.dataset(), "way=dwn", "time_days=soon", only=["own"])
    assert {
        *by_command.splitlines(),
        '10_own: levels: Input should be a list, not \'0.5\'. Write one like ["a", "b"] or [1, 2]',
    } == {*lines[1:]}


def test_a_list_that_papermill_passes_as_text_is_a_list_in_every_cell(own):
    """`papermill -p levels '[1, 0.9]'` assigns a text."""
    outputs = [
        o for cell in execute(own, {"levels": "[1, 0.9]"}).cells for o in cell.get("outputs", [])
    ]
    assert "[1.0, 0.9]" in "".join(o.get("text", "") for o in outputs)


def test_the_papermill_command_is_refused_before_anything_is_shown(tmp_path):
    """A shipped notebook, papermill's own engine, a misspelt name and a number for a word."""
    command = [shutil.which("papermill", path=Path(sys.executable).parent) or "papermill"]
    command += [str(ROOT / "notebooks" / "01_studies.ipynb"), str(tmp_path / "out.ipynb")]
    command += ["-p", "scoppe", "all", "-p", "scope", "3", "-p", "project", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert "01_studies: scoppe: unknown parameter. Did you mean 'scope'?" in done.stderr
    assert "01_studies: scope: Input should be a valid string, not 3" in done.stderr
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    kinds = [o.output_type for cell in cells if cell.cell_type == "code" for o in cell.outputs]
    assert "display_data" not in kinds[:-1]
    assert kinds[-1] == "error"
