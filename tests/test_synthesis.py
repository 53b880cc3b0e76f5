"""What the results mean together: possible counts, pairs, gaps and sentences."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.analysis.arm_comparisons import arm_pairs
from evidence.analysis.eligible_evidence import cohorts, participants
from evidence.analysis.gaps.evidence_map import evidence_map_cells
from evidence.analysis.narrative.study_findings import study_findings
from evidence.analysis.printed_numbers import is_impossible, possible_counts
from evidence.analysis.results import select_results
from evidence.dataset.dataset import load_dataset, time_in_days
from evidence.errors import ParameterError
from evidence.provenance.sentence import (
    count,
    format_duration,
    format_percent,
    format_time,
    join_words,
)


def test_known_case_71_and_29_percent_are_counts_of_17_and_not_of_18():
    """Zarate 2006 against the guide; the neighbours 12/18 = 66.7 % and 13/18 = 72.2 % by hand."""
    assert possible_counts("71%", 17) == (12,)
    assert possible_counts("29%", 17) == (5,)
    assert possible_counts("35%", 17) == (6,)
    assert possible_counts("71%", 18) == ()
    assert is_impossible("71%", 18)
    assert is_impossible("29%", 18)


@pytest.mark.parametrize(
    ("printed", "n", "counts"),
    [
        ("65.8% (73/111)", 111, (73,)),
        ("12.5%", 8, (1,)),
        ("12%", 8, (1,)),
        ("13%", 8, (1,)),
        ("50 %", 200, (99, 100, 101)),
        ("none", 10, ()),
        ("100%", 3, (3,)),
        ("0%", 3, (0,)),
    ],
)
def test_possible_counts_by_hand(printed, n, counts):
    assert possible_counts(printed, n) == counts


@given(st.integers(1, 250), st.integers(0, 1000), st.integers(0, 2))
def test_possible_counts_are_those_that_round_to_it_either_way(n, share, decimals):
    step = Decimal(1).scaleb(-decimals)
    printed = (Decimal(share) / 10).quantize(step, ROUND_HALF_UP)

    def rounds(k):
        exact = Decimal(100 * k) / Decimal(n)
        return printed in {exact.quantize(step, way) for way in (ROUND_HALF_UP, ROUND_HALF_EVEN)}

    found = possible_counts(f"{printed}%", n)
    assert {k for k in range(n + 1) if rounds(k)} <= set(found)
    for k in found:
        assert abs(Decimal(100 * k) / Decimal(n) - printed) <= step / 2 + Decimal("1e-20")


def test_counts_are_worked_out_only_where_one_number_fits(project):
    results = select_results(load_dataset(project.root))
    assert results["event_count"].tolist()[:3] == [12, 4, pd.NA]
    assert results["event_count_source"].tolist()[:3] == ["derived", "printed", ""]


def test_pairs_leave_out_the_guide(project):
    found = arm_pairs(select_results(load_dataset(project.root)), confidence=0.95)
    assert found[["events1", "n1", "events2", "n2"]].to_numpy().tolist() == [[12, 17, 4, 20]]
    assert found["rr"][0] == pytest.approx((12 / 17) / (4 / 20))


def test_pairs_leave_out_what_nobody_confirmed(project):
    project.put("data/studies.csv", 3, verified="not read")
    assert arm_pairs(select_results(load_dataset(project.root)), confidence=0.95).empty


@pytest.mark.parametrize(
    ("given_words", "message"),
    [
        ({"scope": "guid"}, "scope: 'guid' is not one of: guide, all. Did you mean 'guide'?"),
        (
            {"conditions": ["brad"]},
            "conditions: 'brad' is not one of: bread, cake. Did you mean 'bread'?",
        ),
        ({"outcomes": ["xyz"]}, "outcomes: 'xyz' is not one of: risen, height"),
    ],
)
def test_words_outside_the_data_are_refused(project, given_words, message):
    with pytest.raises(ParameterError) as caught:
        select_results(load_dataset(project.root), **given_words)
    assert str(caught.value) == message


def test_times_become_days():
    frame = time_in_days(pd.Series(["1", "0-3", "110", "", "2"]),
                 pd.Series(["week", "day", "minute", "", "year"]))  # fmt: skip
    assert frame["low"].tolist()[:3] == [7.0, 0.0, pytest.approx(110 / 1440)]
    assert frame["high"].tolist()[:2] == [7.0, 3.0]
    assert frame["high"].isna().tolist() == [False, False, False, True, False]
    assert frame["high"][4] == pytest.approx(730.5)


@pytest.mark.parametrize(
    ("length", "said"),
    [(1, "1 day"), (28, "28 days"), (1 / 24, "1 hour"), (110 / 1440, "1.8 hours"),
     (1 / 48, "30 minutes"), (365.25, "1 year"), (730.5, "2 years"), (182.625, "6 months"),
     (float("nan"), "not stated")],
)  # fmt: skip
def test_lengths_of_time_in_words(length, said):
    assert format_duration(length) == said


def test_words():
    assert [format_percent(12 / 17), format_percent(73 / 111, 111), format_percent(0)] == [
        "71%",
        "65.8%",
        "0%",
    ]
    assert [str(count(1, "study", "studies")), str(count(2000, "result"))] == [
        "1 study", "2,000 results"
    ]  # fmt: skip
    assert [format_time("0-3", "day"), format_time("1", "week"), format_time("", "")] == [
        "0–3 days",
        "1 week",
        "",
    ]
    assert [join_words([]), join_words(["a"]), join_words(["a", "b", "c"])] == [
        "",
        "a",
        "a, b and c",
    ]


GRID = {"down": "outcome", "across": "condition"}


def test_secondary_analysis_does_not_count_the_same_people_again(shipped):
    assert cohorts(shipped)["salloum2019"] == "fava2018"
    everyone = select_results(shipped)
    frame = evidence_map_cells(shipped, everyone, **GRID).set_index("name")
    # 211 of 1997, 40 of 2020 and 96 of 2022; the retelling of 1997 in a review adds nobody.
    assert frame.loc["alcohol dependence/abstinence", "n"] == 211 + 40 + 96
    assert participants(shipped)["fava2018"] == participants(shipped)["salloum2019"] == 99


def test_conservation_every_study_with_evidence_is_somewhere_in_the_grid(shipped):
    from evidence.analysis.eligible_evidence import OUTCOME_KINDS, evidence_rows

    everyone = select_results(shipped)
    rows = evidence_rows(everyone[everyone["kind"].isin(OUTCOME_KINDS)])
    placed = set(" ".join(evidence_map_cells(shipped, everyone, **GRID)["address"]).split())
    assert placed == set(rows["address"])


def test_findings_of_the_heroin_study_are_said_with_counts(shipped):
    said = study_findings(select_results(shipped), "krupitsky2007", confidence=0.95)
    assert str(said[0]) == (
        "abstinence at 1 year: 13 of 26 (50%) with three sessions, 6 of 27 (22%) with one session "
        "(risk ratio 2.25, interval 1.01 to 5.03)."
    )


def test_every_number_of_a_sentence_keeps_its_rows(shipped):
    for study in ("zarate2006", "fava2018", "krupitsky1997"):
        for sentence in study_findings(select_results(shipped), study, confidence=0.95):
            numbers = [n for n in sentence.numbers.values() if n.value is not None]
            assert all(number.rows for number in numbers), sentence


def test_nothing_changes_the_dataset(shipped):
    before = shipped.results.copy(deep=True)
    rows = select_results(shipped)
    rows.loc[:, "value"] = 0
    pd.testing.assert_frame_equal(shipped.results, before)
