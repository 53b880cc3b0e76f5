"""Findings of studies and reviews in sentences."""

from evidence.analysis.narrative.study_findings import (
    results_by_comparator,
    study_findings,
    treatment_guesses,
)
from evidence.analysis.results import select_results


def test_findings_that_differ_in_their_definition_only_have_two_names(shipped):
    sentences = study_findings(select_results(shipped), "wilkinson2018", confidence=0.95)
    assert len({sentence.name for sentence in sentences}) == len(sentences) == 2


def test_review_results_are_listed_by_comparator(shipped):
    """Cochrane 2021, Summary of findings 1 and 2."""
    sentences = [str(sentence) for sentence in results_by_comparator(select_results(shipped))]
    assert any(
        "3.94 (1.54 to 10.10)" in text and "2.48 (1.00 to 6.18)" in text for text in sentences
    )


def test_treatment_guesses_give_the_proportion_of_each_arm(shipped):
    sentences = [str(sentence) for sentence in treatment_guesses(select_results(shipped))]
    assert any("Sumner 2020" in text and "88%" in text for text in sentences)
