"""Parameters are refused before anything runs, with the name of what was meant."""

import pytest
from evidence.runs.parameters import resolve, split_assignments

from evidence.errors import ParameterError

DECLARED = {
    "01_a": {"scope": {"type": "str"}, "conditions": {"type": "list"}, "out": {"type": "str"}},
    "02_b": {"scope": {"type": "str"}, "near_days": {"type": "float"}, "deep": {"type": "bool"}},
}


def refused(*given):
    with pytest.raises(ParameterError) as caught:
        resolve(split_assignments(given), DECLARED)
    return str(caught.value)


def test_each_notebook_gets_only_what_it_declares():
    given = split_assignments(["scope=all", "near_days=7"])
    assert resolve(given, DECLARED) == {
        "01_a": {"scope": "all"},
        "02_b": {"scope": "all", "near_days": 7.0},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["PTSD", "depression"]', ["PTSD", "depression"]),
        ("PTSD,depression", ["PTSD", "depression"]),
        ("alcohol dependence", ["alcohol dependence"]),
        ("[]", []),
        ("", []),
        ("7", [7]),
    ],
)
def test_a_list_is_json_or_words_between_commas(text, value):
    assert resolve({"conditions": text}, DECLARED)["01_a"]["conditions"] == value


def test_a_value_may_hold_an_equals_sign():
    assert split_assignments(["scope=a=b"]) == {"scope": "a=b"}


def test_texts_stay_texts():
    assert resolve({"scope": "7"}, DECLARED)["01_a"]["scope"] == "7"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["scoppe=all"], "-p scoppe: no notebook has this parameter; did you mean scope?"),
        (["xyz=1"], "They declare: conditions, deep, near_days, scope"),
        (["near_days=soon"], "-p near_days=soon: 02_b declares it as float"),
        (["near_days=true"], "-p near_days=true: 02_b declares it as float"),
        (["deep=1"], "-p deep=1: 02_b declares it as bool"),
        (["out=x"], "-p out: this one is set with --out"),
        (["project=x"], "-p project: this one is set with --project"),
        (["scope"], "-p scope: write it as name=value"),
        (["=all"], "-p =all: write it as name=value"),
        (["scope=a", "scope=b"], "-p scope=b: scope is given twice"),
    ],
)
def test_misuse_is_refused_with_what_would_be_right(given, message):
    assert message in refused(*given)
