"""The numbers of a project that a reader would quote, by names that stay the same over versions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import EvidenceBody, evidence_bodies
from evidence.analysis.certainty.grade import conclusion, grade_certainty
from evidence.analysis.claims import claim_audit
from evidence.analysis.gaps.unknowns import BODY_TIMES
from evidence.analysis.narrative import study_findings
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.pooled_estimate import Refusal, pool_studies
from evidence.analysis.pooling.question import Question, main_question, measure_label
from evidence.analysis.results import select_results
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import Sentence, capitalise, join_words

CONFIDENCE = 0.95


@dataclass(frozen=True)
class KeyNumber:
    """A number with a lasting name.

    `value` is at full precision, `text` as printed; `rows` are the addresses (file:line) that it
    rests on. `conclusion` is what it says about stated thresholds (no effect, the minimal important
    difference), and its certainty; empty where no threshold applies.
    """

    name: str
    description: str
    value: float | int | str
    text: str
    rows: tuple[str, ...]
    conclusion: str = ""


def key_numbers(dataset: Dataset) -> dict[str, KeyNumber]:
    """Compute all key numbers of a dataset, by name.

    They are the findings that the index page opens with, the counts of claims by verdict, the
    pooled proportion with each outcome of these studies, and the effect of each body of evidence.
    """
    results = select_results(dataset)
    studies = study_findings.featured_studies(dataset, results)
    numbers = [
        *_findings(dataset, results, studies),
        *_in_sentence(claim_audit.claims_sentence(claim_audit.claim_verdicts(dataset, results))),
        *_proportions(dataset, results, studies),
        *(_effect(dataset, body) for body in evidence_bodies(dataset, results, times=BODY_TIMES)),
    ]
    return {number.name: number for number in numbers}


def _findings(dataset: Dataset, results: pd.DataFrame, studies: list[str]) -> Iterator[KeyNumber]:
    for study in studies:
        for sentence in study_findings.study_findings(
            dataset, results, study, confidence=CONFIDENCE
        ):
            description = f"{dataset.label(study)}. {sentence}"
            yield from _in_sentence(sentence, description)


def _in_sentence(sentence: Sentence, description: str = "") -> Iterator[KeyNumber]:
    for key, number in sentence.numbers.items():
        yield KeyNumber(
            f"{sentence.name}.{key}",
            description or str(sentence),
            number.value,
            number.text,
            number.rows,
        )


def _proportions(
    dataset: Dataset, results: pd.DataFrame, studies: list[str]
) -> Iterator[KeyNumber]:
    """Pool the proportion of treated participants with each benefit that these studies report."""
    rows = results[results["study"].isin(studies) & (results["kind"] == "benefit")]
    for outcome in rows.loc[rows["measure"] == "proportion", "outcome"].unique():
        question = main_question(dataset, results, Question(outcome, "proportion"))
        pooled = pool_studies(dataset, results, **vars(question), confidence=CONFIDENCE)
        if isinstance(pooled, Refusal):
            continue
        natural = pooled.natural_scale()
        text, low, high, *_ = format_estimates("proportion", *natural.values())
        population = join_words([*question.treatments, *question.conditions])
        label = capitalise(measure_label("proportion", outcome))
        yield KeyNumber(
            f"proportion/{outcome}",
            f"{label}, treated participants only ({population})",
            natural["estimate"],
            f"{text} ({low} to {high})",
            tuple(" ".join(pooled.studies["address"]).split()),
        )


def _effect(dataset: Dataset, body: EvidenceBody) -> KeyNumber:
    question = body.question
    text, low, high = format_estimates(question.measure, *body.natural)
    is_pooled = np.isfinite(body.natural[0])
    rating = grade_certainty(dataset, body)
    return KeyNumber(
        f"effect/{body.name}",
        f"{capitalise(measure_label(question.measure, question.outcome))}: "
        f"{question.treatments[0]} against {question.comparators[0]} comparator in "
        f"{question.conditions[0]}, {body.follow_up}",
        body.natural[0] if is_pooled else "not pooled",
        f"{text} ({low} to {high})" if is_pooled else "not pooled",
        tuple(body.address.split()),
        f"{conclusion(dataset, body)}; certainty {rating.decided or rating.suggested}",
    )
