"""The numbers of a project that a reader would quote, by names that outlast a version.

Vocabulary
----------
A *headline* is a number in what the index opens with, the share of people with an outcome in the
treated of all studies, or the effect of a body of evidence. What it *concludes* is said against
stated thresholds only: no effect, and what matters by `thresholds.csv`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from evidence.corpus.reading import Corpus
from evidence.synthesis import answers, claims
from evidence.synthesis.bodies import Body, bodies
from evidence.synthesis.grade import conclusion, rate
from evidence.synthesis.pooled import Refusal, named, pool_studies, show
from evidence.synthesis.questions import Question, main_question
from evidence.synthesis.register import TIMES
from evidence.synthesis.selection import select_results
from evidence.synthesis.wording import Sentence, capital, listed

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Headline:
    """A number by name: what it `says`, its `value` in full and as printed, and its rows.

    `concludes` is empty where no threshold is stated.
    """

    name: str
    says: str
    value: float | int | str
    text: str
    rows: tuple[str, ...]
    concludes: str = ""


def headlines(corpus: Corpus) -> dict[str, Headline]:
    """Every headline by name, those of the index first."""
    results = select_results(corpus)
    studies = answers.headline_studies(corpus, results)
    found = [
        *(
            headline
            for study in studies
            for sentence in answers.findings(results, study, confidence=CONFIDENCE)
            for headline in _spoken(sentence, f"{corpus.label(study)}. {capital(str(sentence))}")
        ),
        *_spoken(claims.summary(claims.audit(corpus, results))),
        *_shares(corpus, results, studies),
        *(_effect(corpus, body) for body in bodies(corpus, results, times=TIMES)),
    ]
    return {headline.name: headline for headline in found}


def as_records(found: dict[str, Headline]) -> list[dict]:
    """Headlines as plain data, from which `from_records` makes them again."""
    return [asdict(headline) for headline in found.values()]


def from_records(records: list[dict]) -> dict[str, Headline]:
    """Headlines from `as_records`, by name."""
    return {
        record["name"]: Headline(**{**record, "rows": tuple(record["rows"])}) for record in records
    }


def _spoken(sentence: Sentence, says: str = "") -> Iterator[Headline]:
    for key, number in sentence.numbers.items():
        if number.value is not None:
            name = f"{sentence.name}.{key}"
            yield Headline(name, says or str(sentence), number.value, number.text, number.rows)


def _shares(corpus: Corpus, results, studies: list[str]) -> Iterator[Headline]:
    """The share of the treated with each outcome of the headline studies, over all studies."""
    rows = results[results["study"].isin(studies) & (results["kind"] == "benefit")]
    for outcome in rows.loc[rows["measure"] == "proportion", "outcome"].unique():
        question = main_question(corpus, results, Question(outcome, "proportion"))
        pooled = pool_studies(corpus, results, **vars(question), confidence=CONFIDENCE)
        if isinstance(pooled, Refusal):
            continue
        natural = pooled.natural()
        text, low, high, *_ = show("proportion", *natural.values())
        whom = listed([*question.treatments, *question.conditions])
        yield Headline(
            f"share/{outcome}",
            f"{capital(named('proportion', outcome))}, treated only ({whom})",
            natural["estimate"],
            f"{text} ({low} to {high})",
            tuple(" ".join(pooled.studies["address"]).split()),
        )


def _effect(corpus: Corpus, body: Body) -> Headline:
    asked = body.question
    text, low, high = show(asked.measure, *body.natural)
    known = np.isfinite(body.natural[0])
    rated = rate(corpus, body)
    return Headline(
        f"effect/{body.name}",
        f"{capital(named(asked.measure, asked.outcome))}: {asked.treatments[0]} against "
        f"{asked.comparators[0]} comparison in {asked.conditions[0]}, {body.when}",
        body.natural[0] if known else "not pooled",
        f"{text} ({low} to {high})" if known else "not pooled",
        tuple(body.rows.split()),
        f"{conclusion(corpus, body)}; certainty {rated.decided or rated.suggested}",
    )
