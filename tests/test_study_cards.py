"""The cards of the index: the main result against its comparator, how certain, and its limits."""

import pytest

from evidence.analysis.narrative.study_cards import (
    certainty_sentences,
    main_results,
    rated_bodies,
    study_card,
)
from evidence.analysis.results import select_results
from tests.example_trials import arm, judge

BAKER = "data/studies.csv"


@pytest.fixture
def bakery(project):
    """Baker 1990 compares yeast with no yeast; its two arms have counts."""
    for line in (2, 3):
        project.put(
            "data/designs.csv", line, treatment="yeast", comparator="water",
            comparator_kind="inactive", caveat="Bakers could smell it.",
        )  # fmt: skip
    return project


def cards(project, *studies):
    dataset = project.dataset()
    results = select_results(dataset)
    main = main_results(dataset, results, studies, confidence=0.95)
    rated = rated_bodies(dataset, results, main, confidence=0.95)
    texts = certainty_sentences(dataset, rated, confidence=0.95)
    return [study_card(dataset, results, m, rated, confidence=0.95) for m in main], [
        *map(str, texts)
    ]


def contrast(arm, direction, **cells):
    return {
        "study": "baker1990", "condition": "bread", "arm": arm, "role": "contrast",
        "versus": "none", "outcome": "risen", "measure": "significance", "direction": direction,
        "reported_by": "publication", "source": "baker1990", "locator": "p. 3", "verified": "yes",
    } | cells  # fmt: skip


def test_a_card_says_what_was_asked_found_and_how_sure(bakery):
    judge(bakery, "baker1990", ["high", "low", "low", "low", "low"])
    (card,), certainty = cards(bakery, "baker1990")
    assert (
        str(card.question) == "What is the effect of yeast on risen in bread, compared with water?"
    )
    assert [str(sentence) for sentence in card.results] == [
        "Risen at 1 day: 12 of 17 (71%) with yeast, 4 of 20 (20%) with none (risk ratio 3.53, "
        "95% CI 1.39 to 8.93)."
    ]
    assert str(card.certainty) == "low (GRADE; 1 study on this question)."
    assert str(card.risk_of_bias) == (
        "high in 1 of 5 domains (randomisation); RoB 2 (2019), by this project."
    )
    assert str(card.caveat) == "Bakers could smell it."
    assert certainty == [
        "Risen with yeast in bread at 1 day: low against an inactive comparator (risk ratio 3.53, "
        "95% CI 1.39 to 8.93, in favour of the treatment; 1 study, 37 participants)."
    ]


def test_a_proportion_against_an_uncounted_one_states_its_limit(bakery):
    bakery.put(BAKER, 3, n="", events="", value="0.2", as_printed="20%")
    bakery.row(
        **contrast("yeast", "", measure="smd", outcome="height", value="0.5", as_printed="0.5")
    )
    (card,), certainty = cards(bakery, "baker1990")
    assert [str(sentence) for sentence in card.results] == [
        "Risen at 1 day: 12 of 17 (71%) with yeast, 20% with none; no risk ratio or CI, because the "
        "number of participants given none is not confirmed.",
        "Height: yeast against none, standardised mean difference 0.50, no confirmed CI. Values "
        "above 0 favour the treatment.",
    ]
    assert str(card.certainty) == "not rated (no effect with a CI was read)."
    assert str(card.risk_of_bias) == "not judged."
    assert certainty == []


def test_doses_of_which_only_the_direction_is_known_are_one_result(bakery):
    for line in (2, 3):
        bakery.put(BAKER, line, verified="not read")
    bakery.row(**contrast("yeast 1 g", "better", time="1", time_unit="day"))
    bakery.row(**contrast("yeast 2 g", "better", time="1", time_unit="day"))
    bakery.row(**contrast("yeast 0.1 g", "no difference"))
    # The effect of one dose does not stand for all of them.
    effect = {"measure": "smd", "value": "0.1", "ci_low": "-1", "ci_high": "1.2"}
    bakery.row(**contrast("yeast 0.1 g", "", as_printed="0.1", **effect))
    (card,), _ = cards(bakery, "baker1990")
    assert [str(sentence) for sentence in card.results] == [
        "Risen: better than none with yeast 1 g and 2 g (1 day); not different from none with yeast "
        "0.1 g; effect sizes not tabulated."
    ]


def test_means_of_two_arms_give_an_effect(bakery):
    bakery.put("data/outcomes.csv", 3, display_order="1")
    means = {"outcome": "height", "measure": "mean", "spread": "2", "spread_kind": "sd",
             "condition": "bread", "time": "1", "time_unit": "day"}  # fmt: skip
    for name, role, value in (("yeast", "intervention", "9"), ("none", "comparator", "6")):
        row = arm("baker1990", name, role, 0, 20, **means)
        bakery.row(**row | {"events": "", "value": value, "as_printed": f"{value} (2)"})
    (card,), _ = cards(bakery, "baker1990")
    # 3 +- t(38, 0.975) * 2 * sqrt(2/20)
    assert [str(sentence) for sentence in card.results] == [
        "Height at 1 day: mean difference 3.00 (95% CI 1.76 to 4.24) with yeast against water. "
        "Values above 0 favour the treatment."
    ]


def test_the_primary_outcome_comes_first(bakery):
    bakery.put("data/designs.csv", 2, primary_outcome="height", primary_source="baker1990",
               primary_locator="p. 1")  # fmt: skip
    bakery.row(**contrast("yeast", "better", outcome="height"))
    (card,), _ = cards(bakery, "baker1990")
    assert str(card.results[0]).startswith("Height: better than none with yeast")


def test_a_study_without_a_confirmed_result_has_no_card(bakery):
    for line in (2, 3):
        bakery.put(BAKER, line, verified="not read")
    assert cards(bakery, "baker1990") == ([], [])
