"""The numbers of a project that a reader would quote, by names that outlast a version.

Vocabulary
----------
A *headline* is a number in what the index opens with, the share of people with an outcome in the
treated of all studies, or the effect of a body of evidence. What it *concludes* is said against
stated thresholds only: no effect, and what matters by `minimal_important_differences.csv`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from evidence.analysis.certainty.evidence_body import EvidenceBody, evidence_bodies
from evidence.analysis.certainty.grade import conclusion, grade_certainty
from evidence.analysis.claims import claim_audit
from evidence.analysis.gaps.unknowns import TIMES
from evidence.analysis.narrative import study_findings
from evidence.analysis.narrative.pooled_results import format_estimates, measure_label
from evidence.analysis.pooling.pooled_estimate import Refusal, pool_studies
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.results import select_results
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import Sentence, capitalise, list_in_words

CONFIDENCE = 0.95


@dataclass(frozen=True)
class KeyNumber:
    """A number by name: what it `says`, its `value` in full and as printed, and its rows.

    `concludes` is empty where no threshold is stated.
    """

    name: str
    says: str
    value: float | int | str
    text: str
    rows: tuple[str, ...]
    concludes: str = ""


def key_numbers(dataset: Dataset) -> dict[str, KeyNumber]:
    """Every headline by name, those of the index first."""
    results = select_results(dataset)
    studies = study_findings.headline_studies(dataset, results)
    found = [
        *(
            headline
            for study in studies
            for sentence in study_findings.study_findings(results, study, confidence=CONFIDENCE)
            for headline in _spoken(
                sentence, f"{dataset.label(study)}. {capitalise(str(sentence))}"
            )
        ),
        *_spoken(claim_audit.claims_sentence(claim_audit.claim_verdicts(dataset, results))),
        *_shares(dataset, results, studies),
        *(_effect(dataset, body) for body in evidence_bodies(dataset, results, times=TIMES)),
    ]
    return {headline.name: headline for headline in found}


def as_records(found: dict[str, KeyNumber]) -> list[dict]:
    """Headlines as plain data, from which `from_records` makes them again."""
    return [asdict(headline) for headline in found.values()]


def from_records(records: list[dict]) -> dict[str, KeyNumber]:
    """Headlines from `as_records`, by name."""
    return {
        record["name"]: KeyNumber(**{**record, "rows": tuple(record["rows"])}) for record in records
    }


def _spoken(sentence: Sentence, says: str = "") -> Iterator[KeyNumber]:
    for key, number in sentence.numbers.items():
        if number.value is not None:
            name = f"{sentence.name}.{key}"
            yield KeyNumber(name, says or str(sentence), number.value, number.text, number.rows)


def _shares(dataset: Dataset, results, studies: list[str]) -> Iterator[KeyNumber]:
    """The share of the treated with each outcome of the headline studies, over all studies."""
    rows = results[results["study"].isin(studies) & (results["kind"] == "benefit")]
    for outcome in rows.loc[rows["measure"] == "proportion", "outcome"].unique():
        question = main_question(dataset, results, Question(outcome, "proportion"))
        pooled = pool_studies(dataset, results, **vars(question), confidence=CONFIDENCE)
        if isinstance(pooled, Refusal):
            continue
        natural = pooled.natural()
        text, low, high, *_ = format_estimates("proportion", *natural.values())
        whom = list_in_words([*question.treatments, *question.conditions])
        yield KeyNumber(
            f"share/{outcome}",
            f"{capitalise(measure_label('proportion', outcome))}, treated only ({whom})",
            natural["estimate"],
            f"{text} ({low} to {high})",
            tuple(" ".join(pooled.studies["address"]).split()),
        )


def _effect(dataset: Dataset, body: EvidenceBody) -> KeyNumber:
    asked = body.question
    text, low, high = format_estimates(asked.measure, *body.natural)
    known = np.isfinite(body.natural[0])
    rated = grade_certainty(dataset, body)
    return KeyNumber(
        f"effect/{body.name}",
        f"{capitalise(measure_label(asked.measure, asked.outcome))}: {asked.treatments[0]} against "
        f"{asked.comparators[0]} comparison in {asked.conditions[0]}, {body.when}",
        body.natural[0] if known else "not pooled",
        f"{text} ({low} to {high})" if known else "not pooled",
        tuple(body.rows.split()),
        f"{conclusion(dataset, body)}; certainty {rated.decided or rated.suggested}",
    )
