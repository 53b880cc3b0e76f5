"""Choose the outcomes and the time of a report when its parameters name none.

`outcomes.csv` may set both: `display_order` ranks the outcomes shown first, `default_days` is the
time after treatment at which an outcome is shown. Without them, the outcomes and the time that most
studies report are used.
"""

from collections.abc import Iterable, Iterator

import pandas as pd

from evidence.analysis.eligible_evidence import OUTCOME_KINDS, evidence_rows
from evidence.analysis.pooling.study_effects import PRINTED_EFFECTS, can_compute, source_measures
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.provenance.sentence import Sentence, capitalise

MAX_OUTCOMES = 2
"""Outcomes shown first if `outcomes.csv` ranks none."""
ONE_DAY = 1.0
MEASURE_FAMILIES = (("rr", "or", "rd"), ("smd", "md"), ("hr",), ("irr",), ("generic",))
"""Effect measures of two groups by the numbers behind them; the first of each is preferred."""


def default_outcomes(results: pd.DataFrame) -> tuple[str, ...]:
    """Return the outcomes ranked in `outcomes.csv`, else those with most studies' proportions."""
    ranked = results[["outcome", "display_order"]].dropna(subset=["display_order"])
    if len(ranked):
        return tuple(ranked.sort_values("display_order", kind="stable")["outcome"].unique())
    return tuple(_outcomes_by_studies(results, "proportion")[:MAX_OUTCOMES])


def default_outcome(results: pd.DataFrame, measure: str) -> str:
    """Return the outcome for which most studies give a measure; empty if none does."""
    return next(iter(_outcomes_by_studies(results, measure)), "")


def default_measure(results: pd.DataFrame, outcome: str = "") -> str:
    """Return the effect measure that most studies give of an outcome.

    Without an outcome it is the one that charts open with, or any.
    """
    outcomes = [outcome] if outcome else list(default_outcomes(results)[:1])
    rows = evidence_rows(results)
    compared = rows[rows["role"].isin(["comparator", "contrast"])]
    of_outcome = compared[compared["outcome"].isin(outcomes)]
    compared = of_outcome if len(of_outcome) else compared

    def studies(*measures: str) -> int:
        gives = compared["measure"].isin(
            [name for measure in measures for name in source_measures(measure)]
        )
        return compared.loc[gives].groupby("outcome")["study"].nunique().max() if gives.any() else 0

    family = max(MEASURE_FAMILIES, key=lambda measures: studies(*measures))
    # A measure that two studies give can be pooled.
    return next((measure for measure in family if studies(measure) > 1), family[0])


def default_days(rows: pd.DataFrame) -> float:
    """Return the default time of these rows, in days after treatment.

    This is `default_days` of the first outcome, else the time with most studies (the earliest of
    several), else one day.
    """
    stated = rows["default_days"].dropna()
    if len(stated):
        return float(stated.iloc[0])
    evidence = evidence_rows(rows)
    studies = evidence[evidence["days"] > 0].groupby("days")["study"].nunique()
    return float(studies.idxmax()) if len(studies) else ONE_DAY


@as_listing
def outcome_definitions(dataset: Dataset, outcomes: Iterable[str]) -> Iterator[Sentence]:
    """Yield the definition of each outcome that `outcomes.csv` describes, as a sentence."""
    definitions = dataset.outcomes[["outcome", "description", "address"]].set_index("outcome")
    for outcome in outcomes:
        if outcome in definitions.index:
            row = definitions.loc[outcome]
            fields = {"outcome": capitalise(outcome), "meaning": row["description"]}
            yield Sentence(f"meanings.{outcome}", "{outcome}: {meaning}.", fields)


def _outcomes_by_studies(results: pd.DataFrame, measure: str) -> list[str]:
    """Return benefits and harms for which a measure can be computed, those with most studies first."""
    rows = evidence_rows(results)
    rows = rows[rows["kind"].isin(OUTCOME_KINDS)]
    studies = {
        outcome: group["study"].nunique()
        for outcome, group in rows.groupby("outcome", sort=False)
        if _gives(group, measure)
    }
    return sorted(studies, key=lambda outcome: -studies[outcome])


def _gives(rows: pd.DataFrame, measure: str) -> bool:
    if measure == "proportion":
        return bool((rows["measure"] == "proportion").any())
    return measure in PRINTED_EFFECTS and can_compute(set(rows["measure"]), measure)
