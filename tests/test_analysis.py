"""Selected results, printed percentages, arm comparisons, follow-up and sentences about a study."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.analysis.arm_comparisons import arm_pairs, arm_proportions, arm_sizes, doses_of_trial
from evidence.analysis.eligible_evidence import (
    SubjectCount,
    cohorts,
    count_subjects,
    evidence_rows,
    participants,
    study_sizes,
    subjects_number,
)
from evidence.analysis.follow_up import findings_over_time, follow_up_by_study, longest_follow_up
from evidence.analysis.gaps.evidence_map import evidence_map_cells
from evidence.analysis.narrative.study_findings import (
    describe_study,
    evidence_limits,
    featured_studies,
    results_by_comparator,
    study_findings,
    treatment_guesses,
)
from evidence.analysis.printed_numbers import (
    count_ranges,
    is_impossible,
    possible_counts,
    printed_numbers,
    rounding,
)
from evidence.analysis.results import select_results
from evidence.dataset.dataset import time_in_days
from evidence.errors import ParameterError
from evidence.provenance.sentence import (
    count,
    format_duration,
    format_percent,
    format_time,
    join_words,
    slug,
)

RESULT = {
    "study": "miller2001", "condition": "bread", "outcome": "risen", "time": "1", "time_unit": "day",
    "reported_by": "publication", "source": "miller2001", "locator": "p. 5", "verified": "yes",
}  # fmt: skip


def results(project):
    return select_results(project.dataset())


def proportion(arm, role, events, n, **cells):
    numbers = {"measure": "proportion", "events": str(events), "n": str(n)}
    return RESULT | numbers | {"arm": arm, "role": role, "as_printed": f"{events}/{n}"} | cells


def contrast(**cells):
    return RESULT | {"arm": "yeast", "role": "contrast", "versus": "none"} | cells


def test_a_percentage_is_possible_with_some_numbers_of_participants_only():
    """Zarate 2006 against the guide; the neighbours 12/18 = 66.7% and 13/18 = 72.2% by hand."""
    assert [list(possible_counts(f"{p}%", 17)) for p in (71, 29, 35)] == [[12], [5], [6]]
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
        ("1 (<1%)", 250, (0, 1, 2)),
        ("<1%", 200, (0, 1)),
        ("≤1%", 200, (0, 1, 2)),
        (">99%", 200, (199, 200)),
        ("≥ 99 %", 200, (198, 199, 200)),
        ("12 (70·6%)", 17, (12,)),
        ("70,6 per cent", 17, (12,)),
    ],
)
def test_possible_counts_by_hand(printed, n, counts):
    assert tuple(possible_counts(printed, n)) == counts


@given(st.integers(1, 250), st.integers(0, 1000), st.integers(0, 2))
def test_possible_counts_are_those_that_round_to_the_percentage_up_or_down(n, tenths, decimals):
    step = Decimal(1).scaleb(-decimals)
    printed = (Decimal(tenths) / 10).quantize(step, ROUND_HALF_UP)

    def rounds(k):
        exact = Decimal(100 * k) / Decimal(n)
        return printed in {exact.quantize(step, way) for way in (ROUND_HALF_UP, ROUND_HALF_EVEN)}

    counts = possible_counts(f"{printed}%", n)
    assert {k for k in range(n + 1) if rounds(k)} <= set(counts)
    for k in counts:
        assert abs(Decimal(100 * k) / Decimal(n) - printed) <= step / 2 + Decimal("1e-20")
    first, last = count_ranges([f"{printed}%"], [n])
    assert counts == range(first[0], last[0] + 1)


def test_numbers_are_read_from_text_with_their_sign_and_rounding():
    assert printed_numbers("d = −.89, 95% CI .61-1.16, n = 1,024") == [
        "-.89", "95", ".61", "1.16", "1024"
    ]  # fmt: skip
    assert [rounding("1.2"), rounding("71")] == [0.05, 0.5]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1·5 (1·2–1·9)", ["1.5", "1.2", "1.9"]),
        ("–0.82 (95% CI –1.40 to –0.24)", ["-0.82", "95", "-1.40", "-0.24"]),
        ("5,19 (2,1)", ["5.19", "2.1"]),
        ("1,234/12,345", ["1234", "12345"]),
        ("1\u2009234/12\u202f345", ["1234", "12345"]),
        ("1'234", ["1234"]),
        ("0,123", ["0.123"]),
        ("0.5 (0.1,0.9), n = 17,18", ["0.5", "0.1", "0.9", "17", "18"]),
        ("groups 1,2,3", ["1", "2", "3"]),
        ("2.5×10⁹ to 5·1", ["2.5", "10", "5.1"]),
    ],
)
def test_numbers_are_read_as_journals_print_them(text, numbers):
    assert printed_numbers(text) == numbers


def test_counts_are_derived_only_where_one_count_is_possible(project):
    rows = results(project)
    assert rows["event_count"].tolist()[:3] == [12, 4, pd.NA]
    assert rows["event_count_source"].tolist()[:3] == ["derived", "printed", ""]


def test_selecting_does_not_change_the_dataset(project):
    dataset = project.dataset()
    before = dataset.reported_results.copy(deep=True)
    rows = select_results(dataset)
    rows.loc[:, "value"] = 0
    pd.testing.assert_frame_equal(dataset.reported_results, before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"scope": "guid"}, "scope: 'guid' is not one of: core, all"),
        (
            {"conditions": ["brad"]},
            "conditions: 'brad' is not one of: bread, cake. Did you mean 'bread'?",
        ),
        ({"outcomes": ["xyz"]}, "outcomes: 'xyz' is not one of: risen, height"),
    ],
)
def test_words_outside_the_data_are_refused(project, words, message):
    with pytest.raises(ParameterError) as caught:
        select_results(project.dataset(), **words)
    assert str(caught.value) == message


def test_pairs_use_confirmed_counts_of_the_sources_only(project):
    pairs = arm_pairs(results(project), confidence=0.95)
    assert pairs[["events1", "n1", "events2", "n2"]].to_numpy().tolist() == [[12, 17, 4, 20]]
    assert pairs["rr"][0] == pytest.approx((12 / 17) / (4 / 20))
    project.put("data/studies.csv", 3, verified="not read")
    assert arm_pairs(results(project), confidence=0.95).empty


def test_pairs_on_two_scales_have_two_names(project):
    for scale, events in (("ruler", 6), ("eye", 7)):
        project.row(**proportion("yeast", "intervention", events, 10, instrument=scale))
        project.row(**proportion("none", "comparator", 2, 10, instrument=scale))
    names = arm_pairs(results(project), confidence=0.95)["name"]
    assert names.tolist()[1:] == [
        "miller2001/yeast against none/risen/1 day/ruler",
        "miller2001/yeast against none/risen/1 day/eye",
    ]


def test_one_proportion_per_arm_is_selected_near_a_time(project):
    project.row(**proportion("yeast", "intervention", 3, 10, time="1"))
    project.row(**proportion("yeast", "intervention", 5, 10, time="7"))
    project.row(**proportion("yeast", "intervention", 9, 10, time="6", verified="not read"))
    rows = arm_proportions(results(project), time_days=6, confidence=0.95)
    rows = rows[rows["study"] == "miller2001"]
    assert rows[["counts", "provenance"]].to_numpy().tolist() == [["5/10 (50%)", "source"]]


def test_doses_of_one_trial_are_compared_by_direction_or_p_value(project):
    for dose, cells in (
        ("1", {"measure": "significance", "direction": "no difference"}),
        ("2", {"measure": "smd", "value": "1.1", "as_printed": "1.1", "p_value": "<0.05"}),
        ("3", {"measure": "smd", "value": "1", "p_value": "0.04", "p_adjusted": "0.12",
               "as_printed": "1"}),
    ):  # fmt: skip
        project.row(**contrast(arm=f"yeast {dose}", dose=dose, dose_unit="mg/kg", **cells))
    doses = doses_of_trial(results(project))
    assert doses["finding"].tolist() == ["no difference", "better", "no difference"]
    assert doses["has_estimate"].tolist() == [False, True, True]


def test_the_size_of_an_arm_is_what_was_allocated_or_the_most_analysed(project):
    rows = (
        proportion("yeast", "intervention", 3, 10),
        proportion("yeast", "intervention", 3, 12, time="2"),
        proportion("none", "comparator", 1, 9),
    )
    for row in rows:
        project.row(**row)
    allocated = {"measure": "count", "n": "", "as_printed": "14", "outcome": "height"}
    project.row(**(proportion("none", "comparator", 14, "") | allocated))
    assert arm_sizes(results(project), "miller2001") == {"yeast": 12, "none": 14}


def test_findings_over_time_by_their_interval_direction_or_proportion(project):
    project.put("data/studies.csv", 5, reported_by="guide")
    for arm, role, events in (("yeast", "intervention", 18), ("none", "comparator", 3)):
        project.row(**proportion(arm, role, events, 20))
    project.row(**proportion("yeast", "intervention", 3, 10, time="2", time_unit="week"))
    for time, cells in (
        ("3", {"ci_low": "-2", "ci_high": "-1"}),
        ("4", {"ci_low": "-2", "ci_high": "1"}),
        ("5", {"p_value": "0.01", "direction": "better"}),
        ("6", {}),
    ):
        row = {"measure": "mean difference", "value": "-1.5", "as_printed": "-1.5", "time": time}
        project.row(**contrast(**row | cells))
    dataset = project.dataset()
    findings = findings_over_time(results(project), confidence=0.95)
    miller = findings[findings["study"] == "miller2001"]
    # Higher is better here, so a CI below 0 is worse; nothing follows from a bare estimate.
    assert miller[["days", "finding"]].to_numpy().tolist() == [
        [1, "better"], [3, "worse"], [4, "no difference"], [5, "better"], [14, "proportion"],
    ]  # fmt: skip
    assert miller["text"].tolist()[0] == "90% against 15%"
    project.put("data/designs.csv", 3, followup="3", followup_unit="week")
    dataset = project.dataset()
    studies = follow_up_by_study(dataset, findings).set_index("study")
    assert studies.loc["miller2001", ["measured_to", "followed_to"]].tolist() == [14, 21]
    sentences = longest_follow_up(studies.reset_index())
    assert str(sentences[1]) == "Miller: last result in the tables at 14 days; followed to 21 days."


def test_animals_are_no_participants(project):
    project.put("data/designs.csv", 3, design="animal experiment", n_analysed="30")
    dataset = project.dataset()
    results = select_results(dataset)
    assert count_subjects(study_sizes(dataset), results) == SubjectCount(2, 37, 30)
    only_animals = results[results["study"] == "miller2001"]
    assert count_subjects(study_sizes(dataset), only_animals) == SubjectCount(1, 0, 30)


@pytest.mark.parametrize(
    ("participants", "animals", "value", "text"),
    [
        (37, 0, 37, "37 participants"),
        (0, 1, 1, "1 animal"),
        (1, 30, 1, "1 participant and 30 animals"),
        (0, 0, 0, "number of participants not stated"),
    ],
)
def test_participants_and_animals_are_never_added_up(participants, animals, value, text):
    number = subjects_number(participants, animals)
    assert (number.value, number.text) == (value, text)


def test_a_study_on_the_same_participants_is_counted_once(project):
    project.put("data/designs.csv", 2, n_analysed="37")
    project.put("data/designs.csv", 3, n_randomised="30", cohort="baker1990")
    project.row(**proportion("yeast", "intervention", 3, 10))
    dataset = project.dataset()
    assert participants(dataset).to_dict() == {"baker1990": 37, "miller2001": 30}
    assert cohorts(dataset)["miller2001"] == "baker1990"
    rows = select_results(dataset)
    cells = evidence_map_cells(dataset, rows, row_by="outcome", column_by="condition")
    cell = cells.set_index("name").loc["bread/risen"]
    assert (cell["k"], cell["n"]) == (1, 37)
    # Every row of evidence is in a cell of the map.
    filled = cells[cells["k"] > 0]
    assert set(" ".join(filled["address"]).split()) == set(evidence_rows(rows)["address"])


def test_a_second_report_of_a_result_counts_nowhere(project):
    # The review names the arm otherwise, and 24 hours are the day of the publication.
    second = RESULT | {"study": "baker1990", "arm": "leaven", "role": "intervention",
                       "measure": "proportion", "n": "17", "value": "0.71", "as_printed": "71%",
                       "time": "24", "time_unit": "hour", "reported_by": "review"}  # fmt: skip
    project.row(**second, repeats="baker1990")
    dataset = project.dataset()
    rows, printed = select_results(dataset), select_results(dataset, with_repeats=True)
    assert (len(rows), len(printed)) == (5, 6)
    assert len(arm_pairs(rows, confidence=0.95)) == 1
    assert participants(dataset)["baker1990"] == 37


def test_times_become_days():
    days = time_in_days(
        pd.Series(["1", "0-3", "110", "", "2"]), pd.Series(["week", "day", "minute", "", "year"])
    )
    assert days["low"].tolist()[:3] == [7.0, 0.0, pytest.approx(110 / 1440)]
    assert days["high"].tolist()[:2] == [7.0, 3.0]
    assert days["high"].isna().tolist() == [False, False, False, True, False]
    assert days["high"][4] == pytest.approx(730.5)


@pytest.mark.parametrize(
    ("days", "text"),
    [(1, "1 day"), (28, "28 days"), (1 / 24, "1 hour"), (110 / 1440, "1.8 hours"),
     (1 / 48, "30 minutes"), (365.25, "1 year"), (730.5, "2 years"), (182.625, "6 months"),
     (float("nan"), "not stated")],
)  # fmt: skip
def test_durations_are_formatted_in_their_natural_unit(days, text):
    assert format_duration(days) == text


def test_numbers_times_and_lists_are_formatted():
    assert [format_percent(12 / 17), format_percent(73 / 111, 111)] == ["71%", "65.8%"]
    assert [str(count(1, "study")), str(count(2000, "result"))] == [
        "1 study", "2,000 results"
    ]  # fmt: skip
    assert [format_time("0-3", "day"), format_time("1", "week"), format_time("", "")] == [
        "0–3 days", "1 week", ""
    ]  # fmt: skip
    assert [join_words([]), join_words("a"), join_words("abc")] == ["", "a", "a, b and c"]
    assert slug("Day 1") == "day-1"
    assert slug("Größe") != slug("Grosse") != slug("Größe ")


def test_what_a_study_found_is_written_with_its_rows(project):
    project.row(
        **contrast(
            measure="smd",
            outcome="height",
            value="-0.82",
            ci_low="-1.3",
            ci_high="-0.3",
            as_printed="-0.82",
            p_value="0.01",
            p_adjusted="<0.05",
        )
    )
    project.row(**contrast(measure="direction", outcome="height", direction="no difference"))
    for study, texts in (
        ("baker1990", [
            "Risen at 1 day: 12 of 17 (71%) with yeast, 4 of 20 (20%) with none (risk ratio 3.53, "
            "95% CI 1.39 to 8.93).",
        ]),
        ("miller2001", [
            "Height: yeast better than none, effect size not tabulated.",
            "Height at 1 day: yeast not different from none, effect size not tabulated.",
            "Height at 1 day: yeast against none, standardised mean difference −0.82, 95% CI −1.30 "
            "to −0.30, p = 0.01, adjusted p <0.05. Values above 0 favour the treatment.",
        ]),
    ):  # fmt: skip
        sentences = study_findings(project.dataset(), results(project), study, confidence=0.95)
        assert [str(sentence) for sentence in sentences] == texts
        for sentence in sentences:
            assert all(number.rows for number in sentence.numbers.values()), sentence


def test_findings_that_differ_only_in_their_definition_have_two_names(project):
    for definition in ("after an hour", "after a day"):
        project.row(**contrast(measure="smd", value="1", as_printed="1", definition=definition))
    sentences = study_findings(project.dataset(), results(project), "miller2001", confidence=0.95)
    names = {sentence.name for sentence in sentences}
    assert len(names) == len(sentences) == 3


def test_unconfirmed_proportions_say_so(project):
    project.put("data/studies.csv", 2, verified="not read")
    project.put("data/studies.csv", 3, verified="not read")
    (sentence,) = study_findings(project.dataset(), results(project), "baker1990", confidence=0.95)
    assert str(sentence) == (
        "Risen at 1 day: 12 of 17 (71%) with yeast, commonly cited but not confirmed at its source."
    )


def test_studies_are_described_and_ranked(project):
    project.put("data/designs.csv", 3, n_randomised="30", population="loaves", display_order="1")
    dataset = project.dataset()
    assert featured_studies(dataset, results(project)) == ["miller2001"]
    assert str(describe_study(dataset, "miller2001")) == (
        "Randomised parallel, 30 participants randomised (loaves)."
    )
    assert [str(sentence) for sentence in evidence_limits(dataset, results(project))] == [
        "Of 2 studies with human participants, 2 randomised them.",
        "1 result could not be confirmed at the source; charts mark them, and they never count as "
        "evidence.",
    ]


# Wilkinson 2019 and Borgogna 2024 print improvement on a scale of symptoms as positive.
@pytest.mark.parametrize(
    ("measure", "direction", "better", "side"),
    [
        ("risk ratio", "", "higher", "Values above 1 favour the treatment."),
        ("smd", "", "lower", "Values below 0 favour the treatment."),
        ("smd", "better", "lower", "Values above 0 favour the treatment."),
        ("smd", "", "neither", "Which side favours the treatment is not stated."),
    ],
)
def test_effects_of_a_review_are_listed_by_comparator(project, measure, direction, better, side):
    project.put("data/designs.csv", 3, design="meta-analysis")
    project.put("data/outcomes.csv", 2, better=better)
    for versus, value in (("none", "2"), ("salt", "1.5")):
        project.row(**contrast(
            versus=versus, measure=measure, value=value, ci_low="1.1", ci_high="3",
            direction=direction, as_printed=f"{value} (1.1 to 3)",
        ))  # fmt: skip
    (sentence,) = results_by_comparator(results(project))
    words = {"smd": "standardised mean difference"}.get(measure, measure)
    assert str(sentence) == (
        f"Risen at 1 day (Miller), {words}: 2 (1.10 to 3.00) against none; 1.5 (1.10 to 3.00) "
        f"against salt. {side}"
    )


def test_guesses_name_each_arm_so_that_it_can_be_told_where_its_name_ends(project):
    """Shiroma 2020 has an arm called 'five midazolam infusions, then ketamine'."""
    project.row(**proportion("six infusions", "intervention", 5, 10, outcome="guessed wrong",
                             value="0.5"))  # fmt: skip
    project.row(**proportion("five, then one", "comparator", 1, 9, outcome="guessed wrong",
                             value="0.11"))  # fmt: skip
    project.put("data/outcomes.csv", 3, outcome="guessed wrong")
    for line in (5, 6):
        project.put("data/studies.csv", line, outcome="risen")
    (sentence,) = treatment_guesses(results(project))
    assert str(sentence) == (
        "Miller: 50% of the arm “six infusions” and 11% of the arm “five, then one” guessed their "
        "treatment wrongly."
    )
