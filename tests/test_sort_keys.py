"""Printed texts sort by the numbers that they begin with."""

import pytest

from evidence.tables.sort_keys import printed_number, ranks, sort_keys


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("71%", 0.71),
        ("12/17", 12 / 17),
        ("2 of 16 (12%)", 2 / 16),
        ("0.5 mg/kg", 0.5),
        ("−0.82", -0.82),
        ("1.28 (0.8 to 2.0)", 1.28),
        ("1,200", 1200),
        ("24 hours", 1),
        ("1 day", 1),
        ("at least 2 weeks", 14),
        ("0–3 days", 0),
        ("1/0", None),
        ("2026-11-28", None),
        ("not stated", None),
    ],
)
def test_a_text_sorts_by_the_number_it_begins_with(text, number):
    expected = None if number is None else pytest.approx(number)
    assert printed_number(text) == expected


def test_a_column_of_words_has_no_numbers_and_levels_have_their_order():
    assert sort_keys(["2 arms", "Krupitsky 1997", "Zarate 2006"]) == [None] * 3
    assert sort_keys(["71%", "—", "12/17"])[1] is None
    order = ("very low", "low", "moderate", "high")
    assert ranks(["high", "", "very low"], order) == [3, None, 0]
