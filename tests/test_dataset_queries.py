"""The small query language of unknowns.csv."""

import pandas as pd
import pytest

from evidence.dataset.row_filter import NUMBERS, WORDS, filter_rows, parse_query


@pytest.fixture
def results():
    frame = pd.DataFrame(
        {
            "condition": ["bread", "cake", "bread", "pie"],
            "outcome": ["risen", "risen", "height", "height"],
            "days": [1.0, 28.0, None, 0.5],
            "n": pd.array([10, 20, None, 40], dtype="Int64"),
        }
    )
    for name in (*WORDS, *NUMBERS):
        if name not in frame:
            frame[name] = "" if name in WORDS else float("nan")
    return frame


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("condition=bread", [0, 2]),
        ("condition=bread|cake", [0, 1, 2]),
        ("condition!=bread", [1, 3]),
        ("condition=bread and outcome=risen", [0]),
        ("days>=1", [0, 1]),
        ("days<1", [3]),
        ("n=20|40", [1, 3]),
        ("condition=tart", []),
        ("", []),
        ("   ", []),
    ],
)
def test_rows_on_which_every_condition_holds(results, query, rows):
    assert filter_rows(query, results).index.tolist() == rows


def test_a_word_with_blanks_is_one_word(results):
    results.loc[0, "condition"] = "rye bread"
    assert filter_rows("condition = rye bread", results).index.tolist() == [0]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("condition", "'condition' is not a condition such as randomised=yes or days>=28"),
        ("colour=red", "'colour' is no column to ask for; use study, condition"),
        ("days>=long", "'long' is not a number, and days is"),
        ("condition>bread", "'condition>bread': > compares a number; words are asked for with ="),
        ("days>1|2", "'days>1|2': > compares a number"),
    ],
)
def test_what_is_no_query_is_refused(query, message):
    with pytest.raises(ValueError) as caught:
        parse_query(query)
    assert str(caught.value).startswith(message)


def test_nothing_is_evaluated(results):
    with pytest.raises(ValueError):
        filter_rows("__import__('os').system('true')", results)
