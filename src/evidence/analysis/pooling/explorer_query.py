"""A query of the explorer: outcome, measure, condition, treatment, comparator and time.

`ANY` leaves a field open. Empty fields are filled with defaults by `fill_defaults`. A query that no
study answers is a valid query; a word that is in no table is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import evidence_rows
from evidence.analysis.pooling.pooled_estimate import (
    DEFAULT_TEST,
    PooledEstimate,
    PoolingError,
    Refusal,
    pool_effects,
    study_intervals,
)
from evidence.analysis.pooling.question import (
    MEASURES,
    PICO_FIELDS,
    SUBGROUP_COLUMNS,
    Question,
    default_method,
    main_question,
    measure_label,
    select_study_effects,
)
from evidence.analysis.pooling.study_effects import crossover_without_correlation
from evidence.analysis.results import SCOPES, require_known, select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.errors import ParameterError
from evidence.provenance.sentence import format_duration

ANY = "any"


@dataclass(frozen=True)
class ExplorerQuery:
    """One value of each field, and the time asked for in days (see `Question`)."""

    outcome: str
    measure: str
    condition: str
    treatment: str
    comparator: str
    scope: str
    time_days: float

    @property
    def question(self) -> Question:
        """The question of the meta-analysis that answers the query."""
        values: dict[str, Any] = {
            f"{field}s": () if getattr(self, field) == ANY else (getattr(self, field),)
            for field in PICO_FIELDS
        }
        return Question(self.outcome, self.measure, self.time_days, **values)

    def __str__(self) -> str:
        text = measure_label(self.measure, self.outcome)
        text += "" if self.condition == ANY else f" in {self.condition}"
        text += "" if self.treatment == ANY else f", {self.treatment}"
        if self.comparator != ANY and self.measure != "proportion":
            text += f" versus {self.comparator}"
        return f"{text}, near {format_duration(self.time_days)}"


@dataclass(frozen=True)
class QueryResult:
    """The studies that answer a query, as in `PooledEstimate`, and their pooled estimate."""

    query: ExplorerQuery
    confidence: float
    studies: pd.DataFrame
    pooled: PooledEstimate | Refusal


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def query_choices(dataset: Dataset) -> dict[str, list[str]]:
    """Return the values that each field of a query can have."""
    rows = evidence_rows(select_results(dataset))
    choices = {"outcome": sorted(rows["outcome"].unique()), "measure": list(MEASURES)}
    for field in PICO_FIELDS:
        values = rows[SUBGROUP_COLUMNS[field]].dropna().unique()
        choices[field] = [ANY, *sorted(value for value in values if value)]
    return choices | {"scope": list(SCOPES)}


def require_query(choices: Mapping[str, list[str]], query: ExplorerQuery) -> None:
    """Refuse a query with a value outside `choices` or an impossible time."""
    for field, values in choices.items():
        require_known(field, [getattr(query, field)], values)
    if not 0 < query.time_days < np.inf:
        raise ParameterError(
            f"time_days: {query.time_days!r} is not a number of days; give one above 0"
        )


def fill_defaults(dataset: Dataset, results: pd.DataFrame, query: ExplorerQuery) -> ExplorerQuery:
    """Return the query with each empty field filled.

    An empty outcome and a time of 0 become the defaults of the data. An empty condition or
    treatment becomes the one with the most studies, of several the first in the tables; an empty
    comparator becomes `ANY`. Raise `ParameterError` as `require_query` does.
    """
    empty = [field for field in PICO_FIELDS if not getattr(query, field)]
    opened: dict[str, Any] = dict.fromkeys(empty, ANY)
    query = replace(query, **opened)
    question = main_question(dataset, results, query.question, fields=())
    query = replace(query, outcome=question.outcome, time_days=question.time_days)
    require_query(query_choices(dataset), query)
    fields = [field for field in empty if field != "comparator"]
    question = main_question(dataset, results, query.question, fields=fields)
    chosen: dict[str, Any] = {
        field: next(iter(question.named_values(field)), ANY) for field in fields
    }
    return replace(query, **chosen)


def run_query(
    dataset: Dataset, results: pd.DataFrame, query: ExplorerQuery, *, confidence: float
) -> QueryResult:
    """Return the studies that answer a query, pooled or with every reason against pooling.

    `results` have the scope of the query.
    """
    studies = select_study_effects(dataset, results, query.question)
    if studies.empty:
        reason = f"no study among these results has confirmed numbers for the {query}"
        refusal = Refusal(query.outcome, query.measure, (reason,))
        return QueryResult(query, confidence, studies, refusal)
    pooled: PooledEstimate | Refusal
    try:
        pooled = pool_effects(
            dataset,
            studies,
            query.question,
            method=default_method(query.measure),
            test=DEFAULT_TEST,
            confidence=confidence,
            results=results,
        )
    except PoolingError as error:
        pooled = Refusal(query.outcome, query.measure, error.reasons, left_out=error.left_out)
    limits = study_intervals(studies, query.measure, confidence)
    studies = studies.assign(**limits, weight=np.nan)
    studies.loc[crossover_without_correlation(studies), ["ci_low", "ci_high"]] = np.nan
    if isinstance(pooled, PooledEstimate):
        # Studies that are left out of the pooled estimate are shown below the others.
        left_out = studies[~studies["study"].isin(pooled.studies["study"])].assign(weight=0.0)
        studies = pd.concat([pooled.studies, left_out], ignore_index=True)
    return QueryResult(query, confidence, studies, pooled)
