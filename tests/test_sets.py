"""Sets and grids of parameters are read with their lines, expanded and named."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.build.build import find_notebooks
from evidence.build.parameter_sets import (
    MAX_NAME,
    Grid,
    ParameterSet,
    choose_sets,
    expand,
    expand_sets,
    parse_grid,
    read_sets,
    set_name,
)
from evidence.dataset.dataset import read_dataset
from evidence.dataset.project_folder import EXAMPLE
from evidence.errors import DatasetError, ParameterError
from evidence.notebook.parameters import read_parameters, validate_parameters
from tests.conftest import ROOT, Project

REPORTS_YML = """\
# a comment
sets:
  level-90:
    conditions: [bread]
    confidence: 0.9
  quick:
    notebooks: [comparison]
  plain: {}
grids:
  by-condition:
    conditions: each
    confidence: [0.9, 0.95]
    scope: all
"""


@pytest.fixture(scope="module")
def bread(tmp_path_factory):
    """The dataset of the small project; read only."""
    return Project(tmp_path_factory.mktemp("sets") / "bread").dataset()


def declared(dataset, only=()):
    notebooks = find_notebooks(dataset.project, only)
    return {name: read_parameters(path) for name, path in notebooks.items()}


def read(folder, text):
    folder.joinpath("reports.yml").write_text(text, "utf-8")
    return read_sets(folder)


def expand_texts(dataset, *texts):
    return expand(parse_grid(texts), declared(dataset), lambda: dataset)


def test_sets_and_grids_are_read_with_their_lines(tmp_path):
    assert read_sets(tmp_path) == {}
    assert read(tmp_path, "") == {}
    assert read(tmp_path, REPORTS_YML) == {
        "level-90": ParameterSet(
            "level-90",
            {"conditions": ["bread"], "confidence": 0.9},
            origins={"conditions": "reports.yml:4", "confidence": "reports.yml:5"},
        ),
        "quick": ParameterSet("quick", {}, ("comparison",)),
        "plain": ParameterSet("plain", {}),
        "by-condition": Grid(
            "by-condition",
            {"conditions": "each", "confidence": [0.9, 0.95], "scope": "all"},
            origins={
                "conditions": "reports.yml:11",
                "confidence": "reports.yml:12",
                "scope": "reports.yml:13",
            },
        ),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sets: [", "reports.yml:1: not valid YAML: expected the node content"),
        ("a: 1\n--- \nb: 2", "reports.yml:2: not valid YAML: but found another document"),
        ("- a", "reports.yml:1: expected sets: or grids:"),
        ("set:\n  a: {}", "reports.yml:1 set: unknown key. Available: sets, grids"),
        ("sets:", "reports.yml:1 sets: expected a name with parameters"),
        ("sets:\n  a:", "reports.yml:2 sets.a: expected parameters, such as confidence: 0.9"),
        ("sets:\n  a: {}\n  a: {}", "reports.yml:3 sets.a: appears twice. Keep one"),
        ("sets:\n  a:\n    x: 1\n    x: 2", "reports.yml:4 sets.a.x: appears twice. Keep one"),
        ("sets:\n  a: {}\ngrids:\n  a: {x: 1}", "reports.yml:4 grids.a: is both a set and a grid"),
        ("sets:\n  all: {}", "reports.yml:2 sets.all: stands for all sets. Choose another name"),
        ("sets:\n  By Me: {}", "sets.By Me: not a valid name. Use lower-case letters"),
        ("sets:\n  ../x: {}", "sets.../x: not a valid name"),
        ("sets:\n  '\u202ea': {}", "sets.<U+202E>a: not a valid name"),
        (f"sets:\n  {'a' * 101}: {{}}", "not a valid name"),
        ("sets:\n  [a]: {}", "reports.yml:2: not valid YAML: found unhashable key"),
        ("sets:\n  a:\n    x: 2024-13-01", "reports.yml: not valid YAML: month must be in 1..12"),
        ("sets:\n  a:\n    x: !!python/name:os.system a", "reports.yml:3: not valid YAML: could not"),
        ("sets:\n  a:\n    notebooks: 3", "reports.yml:3 sets.a.notebooks: expected names, such as"),
        ("grids:\n  a: {}", "reports.yml:2 grids.a: expected a parameter, such as conditions: each"),
        ("grids:\n  a:\n    x: []", "reports.yml:3 grids.a.x: has no value. List some, or write"),
    ],
)  # fmt: skip
def test_a_problem_in_the_file_is_reported_with_its_line(tmp_path, text, message):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_all_problems_of_the_file_are_reported_at_once(tmp_path):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, "sets:\n  All: {}\n  b: 3\ngrids:\n  c: {}\n")
    assert [problem.line for problem in caught.value.problems] == [2, 3, 5]


def test_a_file_that_is_not_text_or_explodes_is_one_message(tmp_path):
    path = tmp_path / "reports.yml"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DatasetError, match=r"reports.yml: not UTF-8 text"):
        read_sets(tmp_path)
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(DatasetError, match="a1: unknown key"):
        read(tmp_path, "a0: &a0 [x]\n" + laughs)
    with pytest.raises(DatasetError, match=r"reports.yml: not valid YAML"):
        read(tmp_path, "sets: " + "[" * 5000)
    path.unlink()
    path.mkdir()
    with pytest.raises(DatasetError, match=r"reports.yml: cannot be read: Is a directory"):
        read_sets(tmp_path)


@pytest.mark.parametrize("value", ["{y: 1}", "[[1]]", "null", ".nan"])
def test_a_value_that_no_parameter_accepts_is_refused_with_its_line(bread, tmp_path, value):
    (parameter_set,) = read(tmp_path, f"sets:\n  a:\n    conditions: {value}").values()
    with pytest.raises(ParameterError) as caught:
        validate_parameters(parameter_set.parameters, declared(bread), bread, parameter_set.origins)
    others = len(list((ROOT / "notebooks").glob("*.ipynb"))) - 1
    assert str(caught.value).startswith(
        f"reports.yml:3: 00_start and {others} other notebooks: conditions:"
    )


def test_a_grid_expands_to_one_set_per_combination(tmp_path, bread):
    sets_of_file = read(tmp_path, REPORTS_YML)
    chosen = choose_sets(sets_of_file, ["by-condition"])
    sets = expand_sets(chosen, lambda only: declared(bread, only), lambda: bread)
    assert {item.name: dict(item.parameters) for item in sets} == {
        f"conditions-{word}_confidence-{level}_scope-all": {
            "conditions": [word],
            "confidence": level,
            "scope": "all",
        }
        for word in ("bread", "cake")
        for level in (0.9, 0.95)
    }
    for item in sets:
        assert item.origins["scope"] == "reports.yml:13"
        assert validate_parameters(item.parameters, declared(bread), bread)["01_studies"]


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["conditions=bread,cake"], ["conditions-bread", "conditions-cake"]),
        (['conditions=[["bread", "cake"], "cake"]'], ["conditions-bread--cake", "conditions-cake"]),
        (["outcomes=each"], ["outcomes-risen", "outcomes-height"]),
        (["condition=each"], ["condition-bread", "condition-cake"]),
        (["scope=each", "time_days=7"], ["scope-core_time-days-7", "scope-all_time-days-7"]),
        (["allow_nonrandomised=each"], ["allow-nonrandomised-false", "allow-nonrandomised-true"]),
        (["method=each"], [f"method-{word}" for word in ("reml", "dl", "pm", "common")]),
        (["condition=any"], ["condition-any"]),
        (['condition=[""]'], ["condition"]),
    ],
)
def test_a_grid_can_be_typed(bread, texts, names):
    assert [item.name for item in expand_texts(bread, *texts)] == names


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["conditions"], "--grid conditions: write name=value, such as scope=all"),
        (["a=1", "a=2"], "--grid a=2: a is given twice"),
        (["outcomes=risen,"], "--grid outcomes=risen,: has an empty item. Write outcomes=a,b or"),
        (["outcomes=[]"], "--grid outcomes=[]: has no value. Write outcomes=each for all"),
        (["outcomes=[risen"], "--grid outcomes=[risen: not a JSON list"),
        (["time_days=each"], "--grid: time_days: has no vocabulary for each. List the values"),
        (["confidence=0.9,0.90"], "--grid: makes confidence-0.9 twice. Give each value once"),
        ([f"time_days={','.join(map(str, range(600)))}", f"times={','.join('123456789')}",
          "scope=each"], "makes 10800 sets (time_days 600 × times 9 × scope 2). The limit is 10000"),
    ],
)  # fmt: skip
def test_a_grid_that_cannot_be_expanded_is_refused(bread, texts, message):
    with pytest.raises(ParameterError) as caught:
        expand_texts(bread, *texts)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conditons=each", "conditons: unknown parameter. Did you mean 'conditions'?"),
        ("conditions=brad", "'brad' is not one of: bread, cake. Did you mean 'bread'?"),
        ("confidence=soon", "confidence: Input should be a valid number, not 'soon'"),
        ('conditions=[{"a": 1}]', 'conditions: {"a": 1} is not text'),
        ("out=a,b", "out: set it with --out"),
    ],
)
def test_values_of_a_grid_are_checked_like_all_others(bread, text, message):
    for item in expand_texts(bread, text):
        with pytest.raises(ParameterError) as caught:
            validate_parameters(item.parameters, declared(bread), bread)
        assert message in str(caught.value)


def test_two_different_sets_of_one_name_are_refused(bread):
    first = ParameterSet("conditions-cake", {"conditions": ["bread"]})
    grid = Grid("b", {"conditions": ["cake"]})
    options = (lambda only: declared(bread, only), lambda: bread)
    with pytest.raises(ParameterError, match="conditions-cake: two different sets have this name"):
        expand_sets([first, grid], *options)
    assert len(expand_sets([grid, Grid("c", grid.axes)], *options)) == 1


VALUES = st.text() | st.floats(allow_nan=False) | st.integers() | st.booleans()
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,40}", fullmatch=True)


@given(st.dictionaries(NAMES, VALUES | st.lists(VALUES), min_size=1))
def test_the_name_of_a_set_is_safe_for_a_folder(parameters):
    name = set_name(parameters)
    assert re.fullmatch(r"[a-z0-9._-]*", name)
    assert len(name) <= MAX_NAME
    assert ".." not in name
    assert name[:1] not in (".", "-")


@given(st.lists(st.text(st.sampled_from("abB/. -é"), max_size=6), min_size=2, unique=True))
@settings(max_examples=50)
def test_different_values_give_different_names(words):
    sets = expand(Grid("a", {"study": words}), {}, lambda: None)
    assert len({item.name for item in sets}) == len(words)


def test_sets_are_chosen_by_name(tmp_path):
    sets_of_file = read(tmp_path, REPORTS_YML)
    assert [item.name for item in choose_sets(sets_of_file, ["all"])] == list(sets_of_file)
    names = [item.name for item in choose_sets(sets_of_file, ["quick", "level-90", "quick"])]
    assert names == ["quick", "level-90"]
    with pytest.raises(ParameterError) as caught:
        choose_sets(sets_of_file, ["leve-90"])
    assert str(caught.value) == (
        "--set: 'leve-90' is not one of: level-90, quick, plain, by-condition, all. "
        "Did you mean 'level-90'?"
    )
    with pytest.raises(ParameterError, match="--set a: the project has no sets"):
        choose_sets({}, ["a"])


@pytest.mark.parametrize("root", [ROOT, EXAMPLE], ids=["shipped", "example"])
def test_the_sets_of_this_project_and_of_the_example_are_valid(root):
    dataset = read_dataset(root)
    chosen = choose_sets(read_sets(root), ["all"])
    sets = expand_sets(chosen, lambda only: declared(dataset, only), lambda: dataset)
    assert len(sets) >= 3
    for item in sets:
        validate_parameters(
            item.parameters, declared(dataset, item.notebooks), dataset, item.origins
        )
