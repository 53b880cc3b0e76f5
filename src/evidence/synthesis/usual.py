"""What a report is about where nobody asks for anything else: which outcomes, and which time.

Vocabulary
----------
`outcomes.csv` may say both: `headline` is an outcome's place among those that come first,
`usual_days` the time after treatment at which it is looked at. Where it does not, the outcome and
the time that most studies have are taken, so that every report has an answer on any topic.
"""

from collections.abc import Iterable, Iterator

import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.synthesis.contributions import PRINTED, may_bring
from evidence.synthesis.gaps import OUTCOME_KINDS, evidence_rows
from evidence.synthesis.wording import Number, Sentence, capital

FEW = 2
"""How many outcomes come first where none is marked."""
A_DAY = 1.0


def main_outcomes(results: pd.DataFrame) -> tuple[str, ...]:
    """The outcomes marked in `outcomes.csv`, in order; none marked gives those most often shared.

    These are the outcomes of which most studies give shares of people, `FEW` of them.
    """
    marked = results[["outcome", "headline"]].dropna(subset=["headline"])
    if len(marked):
        return tuple(marked.sort_values("headline", kind="stable")["outcome"].unique())
    return tuple(_by_studies(results, "proportion")[:FEW])


def usual_outcome(results: pd.DataFrame, measure: str) -> str:
    """The outcome of which most studies give what this measure needs; empty if none does."""
    return next(iter(_by_studies(results, measure)), "")


def usual_days(rows: pd.DataFrame) -> float:
    """The time at which these rows are usually looked at, in days after treatment.

    As `outcomes.csv` says of the first of their outcomes; else the time most studies have, of
    several the earliest; a day where no row tells a time.
    """
    stated = rows["usual_days"].dropna()
    if len(stated):
        return float(stated.iloc[0])
    later = evidence_rows(rows)
    studies = later[later["days"] > 0].groupby("days")["study"].nunique()
    return float(studies.idxmax()) if len(studies) else A_DAY


def meanings(corpus: Corpus, outcomes: Iterable[str]) -> Iterator[Sentence]:
    """What each of these words means here, as `outcomes.csv` says it, a sentence a word."""
    known = corpus.outcomes[["outcome", "description", "address"]].set_index("outcome")
    for outcome in outcomes:
        if outcome in known.index:
            row = known.loc[outcome]
            said = {
                "outcome": Number(None, capital(outcome)),
                "meaning": Number(None, row["description"], (row["address"],)),
            }
            yield Sentence(f"meanings.{outcome}", "{outcome}: {meaning}.", said)


def _by_studies(results: pd.DataFrame, measure: str) -> list[str]:
    """Outcomes from which a measure can be had, those of most studies first, of as many the first.

    What people were like at the start and how they came through a study is no outcome of it.
    """
    rows = evidence_rows(results)
    rows = rows[rows["kind"].isin(OUTCOME_KINDS)]
    studies = {
        outcome: group["study"].nunique()
        for outcome, group in rows.groupby("outcome", sort=False)
        if _may_bring(group, measure)
    }
    return sorted(studies, key=studies.get, reverse=True)


def _may_bring(rows: pd.DataFrame, measure: str) -> bool:
    if measure == "proportion":
        return bool((rows["measure"] == "proportion").any())
    return measure in PRINTED and may_bring(set(rows["measure"]), measure)
