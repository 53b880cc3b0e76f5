"""What a report is about where nobody asks for anything else: which outcomes, and which time.

Vocabulary
----------
`outcomes.csv` may say both: `display_order` is an outcome's place among those that come first,
`default_days` the time after treatment at which it is looked at. Where it does not, the outcome and
the time that most studies have are taken, so that every report has an answer on any topic.
"""

from collections.abc import Iterable, Iterator

import pandas as pd

from evidence.analysis.eligible_evidence import evidence_rows
from evidence.analysis.gaps.evidence_map import OUTCOME_KINDS
from evidence.analysis.pooling.study_effects import PRINTED_EFFECTS, can_compute
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import Number, Sentence, capitalise

MAX_OUTCOMES = 2
"""How many outcomes come first where none is marked."""
ONE_DAY = 1.0


def default_outcomes(results: pd.DataFrame) -> tuple[str, ...]:
    """The outcomes marked in `outcomes.csv`, in order; none marked gives those most often shared.

    These are the outcomes of which most studies give shares of people, `FEW` of them.
    """
    marked = results[["outcome", "display_order"]].dropna(subset=["display_order"])
    if len(marked):
        return tuple(marked.sort_values("display_order", kind="stable")["outcome"].unique())
    return tuple(_by_studies(results, "proportion")[:MAX_OUTCOMES])


def default_outcome(results: pd.DataFrame, measure: str) -> str:
    """The outcome of which most studies give what this measure needs; empty if none does."""
    return next(iter(_by_studies(results, measure)), "")


def default_days(rows: pd.DataFrame) -> float:
    """The time at which these rows are usually looked at, in days after treatment.

    As `outcomes.csv` says of the first of their outcomes; else the time most studies have, of
    several the earliest; a day where no row tells a time.
    """
    stated = rows["default_days"].dropna()
    if len(stated):
        return float(stated.iloc[0])
    later = evidence_rows(rows)
    studies = later[later["days"] > 0].groupby("days")["study"].nunique()
    return float(studies.idxmax()) if len(studies) else ONE_DAY


def outcome_definitions(dataset: Dataset, outcomes: Iterable[str]) -> Iterator[Sentence]:
    """What each of these words means here, as `outcomes.csv` says it, a sentence a word."""
    known = dataset.outcomes[["outcome", "description", "address"]].set_index("outcome")
    for outcome in outcomes:
        if outcome in known.index:
            row = known.loc[outcome]
            said = {
                "outcome": Number(None, capitalise(outcome)),
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
        if _can_compute(group, measure)
    }
    return sorted(studies, key=studies.get, reverse=True)


def _can_compute(rows: pd.DataFrame, measure: str) -> bool:
    if measure == "proportion":
        return bool((rows["measure"] == "proportion").any())
    return measure in PRINTED_EFFECTS and can_compute(set(rows["measure"]), measure)
