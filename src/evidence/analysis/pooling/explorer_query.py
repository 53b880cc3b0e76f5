"""One way to look at the studies: which outcome, measured how, in whom, against what, and when.

Vocabulary
----------
A *view* is a choice of one word of each sort. `ANY` leaves a sort open on purpose; an empty word
asks for the one that most studies have, but of a comparator for any; a time of 0 for the usual one.
A view without any study is an answer and no error; a word that no table has is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from evidence.analysis.defaults import default_days, default_outcome
from evidence.analysis.eligible_evidence import evidence_rows
from evidence.analysis.narrative.pooled_results import measure_label
from evidence.analysis.pooling.pooled_estimate import PooledEstimate, Refusal, pool_studies
from evidence.analysis.pooling.question import (
    GROUPINGS,
    MEASURES,
    MUST_AGREE,
    Question,
    select_study_effects,
    study_effects,
)
from evidence.analysis.pooling.study_effects import crossover_without_correlation
from evidence.analysis.results import SCOPES, require_known, select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.errors import ParameterError
from evidence.provenance.sentence import format_duration
from evidence.statistics.confidence_intervals import critical_value

ANY = "any"


@dataclass(frozen=True)
class ExplorerQuery:
    """One word of each sort, and the time wanted in days (see `Question`)."""

    outcome: str
    measure: str
    condition: str
    treatment: str
    comparator: str
    scope: str
    time_days: float

    @property
    def question(self) -> Question:
        """The question that it puts to the studies."""
        words = {
            f"{sort}s": () if getattr(self, sort) == ANY else (getattr(self, sort),)
            for sort in MUST_AGREE
        }
        return Question(self.outcome, self.measure, self.time_days, **words)

    def __str__(self) -> str:
        said = measure_label(self.measure, self.outcome)
        said += "" if self.condition == ANY else f" in {self.condition}"
        said += "" if self.treatment == ANY else f", {self.treatment}"
        if self.comparator != ANY and self.measure != "proportion":
            said += f" against {self.comparator}"
        return f"{said}, near {format_duration(self.time_days)}"


@dataclass(frozen=True)
class QueryResult:
    """What a view shows: `studies` as in `Synthesis`, and their pool or why there is none."""

    query: ExplorerQuery
    confidence: float
    studies: pd.DataFrame
    pooled: PooledEstimate | Refusal


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def query_choices(dataset: Dataset) -> dict[str, list[str]]:
    """The words of each sort that a view can have; those of `MUST_AGREE` can be `ANY` as well."""
    rows = evidence_rows(select_results(dataset))
    found = {"outcome": sorted(rows["outcome"].unique()), "measure": list(MEASURES)}
    for sort in MUST_AGREE:
        words = sorted(word for word in rows[GROUPINGS[sort]].dropna().unique() if word)
        found[sort] = [ANY, *words]
    return found | {"scope": list(SCOPES)}


def require_query(known: Mapping[str, list[str]], view: ExplorerQuery) -> None:
    """Refuse a view with a word outside `choices`, or a time that is none.

    Raises
    ------
    ParameterError
    """
    for sort, words in known.items():
        require_known(sort, [getattr(view, sort)], words)
    if not 0 < view.time_days < np.inf:
        raise ParameterError(f"time_days: {view.time_days!r} is no number of days above 0")


def fill_defaults(dataset: Dataset, results: pd.DataFrame, view: ExplorerQuery) -> ExplorerQuery:
    """The view with each empty word filled, as above.

    Outcome and time are the usual ones (see `usual`); of several words with as many studies the
    first in the tables is taken.

    Raises
    ------
    ParameterError
        As `require_view`.
    """
    known = query_choices(dataset)
    if not view.outcome:
        first = next(iter(known["outcome"]), "")
        view = replace(view, outcome=default_outcome(results, view.measure) or first)
    if view.time_days == 0:
        rows = results[results["outcome"] == view.outcome]
        view = replace(view, time_days=default_days(rows))
    empty = [sort for sort in MUST_AGREE if not getattr(view, sort)]
    view = replace(view, **dict.fromkeys(empty, ANY))
    require_query(known, view)
    for sort in [sort for sort in empty if sort != "comparator"]:
        words = _study_effects(dataset, results, view)[GROUPINGS[sort]].value_counts(sort=False)
        if len(words):
            view = replace(view, **{sort: words.idxmax() or ANY})
    return view


def run_query(
    dataset: Dataset, results: pd.DataFrame, view: ExplorerQuery, *, confidence: float
) -> QueryResult:
    """What each study brings to a view, and their pool or every reason against one.

    `results` are of the view's scope.
    """
    studies = _study_effects(dataset, results, view)
    if studies.empty:
        reason = f"no study among these results has confirmed numbers for this: {view}"
        refusal = Refusal(view.outcome, view.measure, (reason,))
        return QueryResult(view, confidence, studies, refusal)
    pooled = pool_studies(dataset, results, confidence=confidence, **vars(view.question))
    if isinstance(pooled, PooledEstimate):
        return QueryResult(view, confidence, pooled.studies, pooled)
    half = (critical_value(confidence) * np.sqrt(studies["vi"])).mask(
        crossover_without_correlation(studies)
    )
    ends = {"ci_low": studies["yi"] - half, "ci_high": studies["yi"] + half, "weight": np.nan}
    return QueryResult(view, confidence, studies.assign(**ends), pooled)


def _study_effects(dataset: Dataset, results: pd.DataFrame, view: ExplorerQuery) -> pd.DataFrame:
    """As `gather`; words of the tables that these results lack bring nothing."""
    question = view.question
    wanted = {"outcome": (view.outcome,)}
    wanted |= {GROUPINGS[sort]: question.named(sort) for sort in MUST_AGREE}
    if all(set(words) <= set(results[column]) for column, words in wanted.items()):
        return select_study_effects(dataset, results, question)
    return study_effects(dataset, [], question)
