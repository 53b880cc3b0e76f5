"""Sets and grids of parameters: read with their lines, expanded, and refused in a line."""

import re

import pytest
from evidence.notebook.parameter_cell import declared
from evidence.notebook.parameter_checks import resolve
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.build.build import find_notebooks
from evidence.build.new_project import EXAMPLE, create_project
from evidence.build.parameter_sets import (
    LONGEST,
    Grid,
    ParameterSet,
    choose_sets,
    expand,
    expand_sets,
    parse_grid,
    read_sets,
    set_name,
)
from evidence.errors import DatasetError, ParameterError
from tests.conftest import ROOT, Project

GIVEN = """\
# a remark
sets:
  ptsd:
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


def by(dataset):
    def declared_by(only):
        return {
            name: declared(path) for name, path in find_notebooks(dataset.project, only).items()
        }

    return declared_by


def named(folder, text):
    folder.joinpath("reports.yml").write_text(text, "utf-8")
    return read_sets(folder)


def expanded(dataset, *texts):
    return expand(parse_grid(texts), by(dataset)(()), dataset)


def test_sets_and_grids_are_read_with_their_lines(tmp_path):
    assert read_sets(tmp_path) == {}
    assert named(tmp_path, "") == {}
    assert named(tmp_path, GIVEN) == {
        "ptsd": ParameterSet(
            "ptsd",
            {"conditions": ["bread"], "confidence": 0.9},
            (),
            {"conditions": "reports.yml:4", "confidence": "reports.yml:5"},
        ),
        "quick": ParameterSet("quick", {}, ("comparison",)),
        "plain": ParameterSet("plain", {}),
        "by-condition": Grid(
            "by-condition",
            {"conditions": "each", "confidence": [0.9, 0.95], "scope": "all"},
            (),
            {
                "conditions": "reports.yml:11",
                "confidence": "reports.yml:12",
                "scope": "reports.yml:13",
            },
        ),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sets: [", "reports.yml:1: it is not YAML: expected the node content"),
        ("a: 1\n--- \nb: 2", "reports.yml:2: it is not YAML: but found another document"),
        ("- a", "reports.yml:1: it needs sets: or grids: at its beginning"),
        ("set:\n  a: {}", "reports.yml:1: set is no part of it; it has sets and grids"),
        ("sets:", "reports.yml:1 sets: sets needs a name, and below it parameters"),
        ("sets:\n  a:", "reports.yml:2 a: a needs parameters, one a line, such as confidence: 0.9"),
        ("sets:\n  a: {}\n  a: {}", "reports.yml:3 sets: a stands there twice; keep one"),
        ("sets:\n  a: {}\nsets: {}", "reports.yml:3: sets stands there twice; keep one"),
        ("sets:\n  a:\n    x: 1\n    x: 2", "reports.yml:4 a: x stands there twice; keep one"),
        ("sets:\n  a: {}\ngrids:\n  a: {x: 1}", "reports.yml:4 grids: a names a set and a grid"),
        ("sets:\n  all: {}", "reports.yml:2 sets: all stands for all sets; choose another name"),
        ("sets:\n  con: {}", "reports.yml:2 sets: con is a device on some systems"),
        ("sets:\n  com1.x: {}", "com1.x is a device on some systems; choose another name"),
        ("sets:\n  By Me: {}", "sets: 'By Me' is no name of a set; write small letters"),
        ("sets:\n  ../x: {}", "'../x' is no name of a set"),
        ("sets:\n  a/b: {}", "'a/b' is no name of a set"),
        ("sets:\n  a..b: {}", "'a..b' is no name of a set"),
        ("sets:\n  '': {}", "'' is no name of a set"),
        ("sets:\n  '\u202ea': {}", "'<U+202E>a' is no name of a set"),
        (f"sets:\n  {'a' * 101}: {{}}", "is no name of a set"),
        ("sets:\n  [a]: {}", "reports.yml:2 sets: a list or mapping is no name"),
        ("sets:\n  a:\n    x: {y: 1}", "reports.yml:3 x: its value is a mapping; give a"),
        ("sets:\n  a:\n    x: [[1]]", "reports.yml:3 x: its value is a list in a list; give a"),
        ("grids:\n  a:\n    x: [[[1]]]", "reports.yml:3 x: its value is a list in a list"),
        ("sets:\n  a:\n    x: 2024-13-01", "reports.yml:3 x: 2024-13-01 is no plain value"),
        ("sets:\n  a:\n    x: !!python/name:os.system a", "a is no plain value; write it"),
        ("sets:\n  a:\n    '-p x': 1", "reports.yml:3 a: -p x is no name of a parameter"),
        ("sets:\n  a:\n    notebooks: 3", "reports.yml:3 notebooks: it needs names of notebooks"),
        ("sets:\n  a:\n    notebooks: []", "it needs names of notebooks, such as [comparison]"),
        ("grids:\n  a: {}", "reports.yml:2 grids: a makes no set; give a parameter several values"),
        ("grids:\n  a:\n    x: []", "reports.yml:3 x: the list has no value; list some"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(DatasetError) as caught:
        named(tmp_path, text)
    assert message in str(caught.value)


def test_every_fault_of_the_file_is_said_at_once(tmp_path):
    with pytest.raises(DatasetError) as caught:
        named(tmp_path, "sets:\n  All: {}\n  b:\n    x: {}\ngrids:\n  c: {}\n")
    assert [problem.line for problem in caught.value.problems] == [2, 4, 6]


def test_a_file_that_is_no_text_or_explodes_is_one_line(tmp_path):
    path = tmp_path / "reports.yml"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DatasetError, match=r"reports.yml: it is not text in UTF-8"):
        read_sets(tmp_path)
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(DatasetError, match="a1 is no part of it"):
        named(tmp_path, "a0: &a0 [x]\n" + laughs)
    with pytest.raises(DatasetError, match=r"reports.yml: it is not YAML"):
        named(tmp_path, "sets: " + "[" * 5000)
    path.unlink()
    path.mkdir()
    with pytest.raises(DatasetError, match=r"reports.yml: it cannot be read: Is a directory"):
        read_sets(tmp_path)


def test_a_grid_makes_one_set_for_each_combination(tmp_path, bread):
    known = named(tmp_path, GIVEN)
    made = expand_sets(choose_sets(known, ["by-condition"]), by(bread), bread)
    assert {one.name: dict(one.parameters) for one in made} == {
        f"conditions-{word}_confidence-{level}_scope-all": {
            "conditions": [word],
            "confidence": level,
            "scope": "all",
        }
        for word in ("bread", "cake")
        for level in (0.9, 0.95)
    }
    for one in made:
        assert one.where["scope"] == "reports.yml:13"
        assert resolve(one.parameters, by(bread)(one.notebooks), bread)["01_studies"]


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["conditions=bread,cake"], ["conditions-bread", "conditions-cake"]),
        (['conditions=[["bread", "cake"], "cake"]'], ["conditions-bread--cake", "conditions-cake"]),
        (["outcomes=each"], ["outcomes-risen", "outcomes-height"]),
        (["condition=each"], ["condition-bread", "condition-cake"]),
        (["scope=each", "time_days=7"], ["scope-guide_time-days-7", "scope-all_time-days-7"]),
        (["allow_nonrandomised=each"], ["allow-nonrandomised-false", "allow-nonrandomised-true"]),
        (["method=each"], [f"method-{word}" for word in ("reml", "dl", "pm", "common")]),
        (["condition=any"], ["condition-any"]),
        (['condition=[""]'], ["condition"]),
    ],
)
def test_a_grid_may_be_typed(bread, texts, names):
    assert [one.name for one in expanded(bread, *texts)] == names


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["conditions"], "--grid conditions: write it as name=value, such as scope=all"),
        (["a=1", "a=2"], "--grid a=2: a is given twice"),
        (["outcomes=risen,"], "has nothing between two commas or at an end; write outcomes=a,b or"),
        (["outcomes="], "--grid outcomes=: has nothing between two commas"),
        (["outcomes=[]"], "--grid outcomes=[]: has nothing between two commas"),
        (["outcomes=[risen"], "--grid outcomes=[risen: is not a JSON list"),
        (["time_days=each"], "--grid: time_days: has no words to take each of; list the values"),
        (["confidence=0.9,0.90"], "--grid: makes confidence-0.9 twice; give each value once"),
        ([f"time_days={','.join(map(str, range(600)))}", f"times={','.join('123456789')}",
          "scope=each"], "makes 10800 sets (time_days 600 × times 9 × scope 2); at most 10000"),
    ],
)  # fmt: skip
def test_a_grid_that_cannot_be_made_is_refused(bread, texts, message):
    with pytest.raises(ParameterError) as caught:
        expanded(bread, *texts)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["conditons=each"], "conditons: is no parameter; did you mean 'conditions'?"),
        (["conditions=brad"], "conditions: 'brad' is none of bread, cake; did you mean 'bread'?"),
        (["confidence=soon"], "confidence: 'soon' is not a float; give a number, such as 0.5"),
        (["confidence=95"], "confidence: 95 is not between 0 and 1; 95 % is 0.95"),
        (['conditions=[{"a": 1}]'], 'conditions: [{"a": 1}] is not a list[str]'),
        (["out=a,b"], "out: is set with --out"),
    ],
)
def test_values_of_a_grid_are_held_to_the_one_rule(bread, texts, message):
    for one in expanded(bread, *texts):
        with pytest.raises(ParameterError) as caught:
            resolve(one.parameters, by(bread)(()), bread, one.where)
        assert message in str(caught.value)


def test_sets_of_one_name_and_other_values_cannot_both_be_asked_for(bread):
    one = ParameterSet("conditions-cake", {"conditions": ["bread"]})
    grid = Grid("b", {"conditions": ["cake"]})
    with pytest.raises(ParameterError, match="conditions-cake: two of the sets asked"):
        expand_sets([one, grid], by(bread), bread)
    assert len(expand_sets([grid, Grid("c", grid.axes)], by(bread), bread)) == 1


VALUES = st.text() | st.floats(allow_nan=False) | st.integers() | st.booleans()
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,40}", fullmatch=True)


@settings(deadline=None)
@given(st.dictionaries(NAMES, VALUES | st.lists(VALUES), min_size=1))
def test_the_name_of_a_set_is_a_safe_folder(parameters):
    name = set_name(parameters)
    assert re.fullmatch(r"[a-z0-9._-]*", name)
    assert len(name) <= LONGEST
    assert ".." not in name
    assert name[:1] not in (".", "-")


@given(st.lists(st.text(st.sampled_from("abB/. -é"), max_size=6), min_size=2, unique=True))
@settings(deadline=None, max_examples=50)
def test_other_values_have_other_names(words):
    axes = {"study": words}
    made = expand(Grid("a", axes), {}, None)
    assert len({one.name for one in made}) == len(words)


def test_only_sets_that_the_project_names_can_be_asked_for(tmp_path):
    known = named(tmp_path, GIVEN)
    assert [one.name for one in choose_sets(known, ["all"])] == list(known)
    assert [one.name for one in choose_sets(known, ["quick", "ptsd", "quick"])] == ["quick", "ptsd"]
    with pytest.raises(ParameterError) as caught:
        choose_sets(known, ["ptds"])
    assert str(caught.value) == (
        "--set ptds: 'ptds' is none of ptsd, quick, plain, by-condition, all; did you mean 'ptsd'?"
    )
    with pytest.raises(ParameterError, match="--set a: the project has no sets; name them in"):
        choose_sets({}, ["a"])


@pytest.mark.parametrize("root", [ROOT, EXAMPLE], ids=["shipped", "example"])
def test_the_sets_of_this_project_and_of_the_example_can_be_run(root):
    from evidence.dataset.dataset import load_dataset

    dataset = load_dataset(root)
    made = expand_sets(choose_sets(read_sets(root), ["all"]), by(dataset), dataset)
    assert len(made) >= 3
    for one in made:
        resolve(one.parameters, by(dataset)(one.notebooks), dataset, one.where)


def test_a_new_project_has_sets(tmp_path):
    assert set(read_sets(create_project(tmp_path / "new"))) == {"level-90", "by-condition"}
