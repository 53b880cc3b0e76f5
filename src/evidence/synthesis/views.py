"""One way to look at the studies: which outcome, measured how, in whom, against what, and when.

Vocabulary
----------
A *view* is a choice of one word of each sort. `ANY` leaves a sort open on purpose; an empty word
asks for the one that most studies have, but of a comparator for any; a time of 0 for the usual one.
A view without any study is an answer and no error; a word that no table has is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.corpus.reads import derived
from evidence.errors import ParameterError
from evidence.estimation.proportions import critical_value
from evidence.synthesis.contributions import unpaired
from evidence.synthesis.gaps import evidence_rows
from evidence.synthesis.pooled import Refusal, named, pool_studies
from evidence.synthesis.pooling import Synthesis
from evidence.synthesis.questions import GROUPINGS, MEASURES, MUST_AGREE, Question, brought, gather
from evidence.synthesis.selection import SCOPES, require_words, select_results
from evidence.synthesis.usual import usual_days, usual_outcome
from evidence.synthesis.wording import span

ANY = "any"


@dataclass(frozen=True)
class View:
    """One word of each sort, and the time wanted in days (see `Question`)."""

    outcome: str
    measure: str
    condition: str
    treatment: str
    comparator: str
    scope: str
    near_days: float

    @property
    def question(self) -> Question:
        """The question that it puts to the studies."""
        words = {
            f"{sort}s": () if getattr(self, sort) == ANY else (getattr(self, sort),)
            for sort in MUST_AGREE
        }
        return Question(self.outcome, self.measure, self.near_days, **words)

    def __str__(self) -> str:
        said = named(self.measure, self.outcome)
        said += "" if self.condition == ANY else f" in {self.condition}"
        said += "" if self.treatment == ANY else f", {self.treatment}"
        if self.comparator != ANY and self.measure != "proportion":
            said += f" against {self.comparator}"
        return f"{said}, near {span(self.near_days)}"


@dataclass(frozen=True)
class Seen:
    """What a view shows: `studies` as in `Synthesis`, and their pool or why there is none."""

    view: View
    confidence: float
    studies: pd.DataFrame
    pooled: Synthesis | Refusal


@derived
def choices(corpus: Corpus) -> dict[str, list[str]]:
    """The words of each sort that a view can have; those of `MUST_AGREE` can be `ANY` as well."""
    rows = evidence_rows(select_results(corpus))
    found = {"outcome": sorted(rows["outcome"].unique()), "measure": list(MEASURES)}
    for sort in MUST_AGREE:
        words = sorted(word for word in rows[GROUPINGS[sort]].dropna().unique() if word)
        found[sort] = [ANY, *words]
    return found | {"scope": list(SCOPES)}


def require_view(known: Mapping[str, list[str]], view: View) -> None:
    """Refuse a view with a word outside `choices`, or a time that is none.

    Raises
    ------
    ParameterError
    """
    for sort, words in known.items():
        require_words(sort, [getattr(view, sort)], words)
    if not 0 < view.near_days < np.inf:
        raise ParameterError(f"near_days: {view.near_days!r} is no number of days above 0")


def filled(corpus: Corpus, results: pd.DataFrame, view: View) -> View:
    """The view with each empty word filled, as above.

    Outcome and time are the usual ones (see `usual`); of several words with as many studies the
    first in the tables is taken.

    Raises
    ------
    ParameterError
        As `require_view`.
    """
    known = choices(corpus)
    if not view.outcome:
        first = next(iter(known["outcome"]), "")
        view = replace(view, outcome=usual_outcome(results, view.measure) or first)
    if view.near_days == 0:
        rows = results[results["outcome"] == view.outcome]
        view = replace(view, near_days=usual_days(rows))
    empty = [sort for sort in MUST_AGREE if not getattr(view, sort)]
    view = replace(view, **dict.fromkeys(empty, ANY))
    require_view(known, view)
    for sort in [sort for sort in empty if sort != "comparator"]:
        words = _brought(corpus, results, view)[GROUPINGS[sort]].value_counts(sort=False)
        if len(words):
            view = replace(view, **{sort: words.idxmax() or ANY})
    return view


def look(corpus: Corpus, results: pd.DataFrame, view: View, *, confidence: float) -> Seen:
    """What each study brings to a view, and their pool or every reason against one.

    `results` are of the view's scope.
    """
    studies = _brought(corpus, results, view)
    if studies.empty:
        reason = f"no study among these results has confirmed numbers for this: {view}"
        refusal = Refusal(view.outcome, view.measure, (reason,))
        return Seen(view, confidence, studies, refusal)
    pooled = pool_studies(corpus, results, confidence=confidence, **vars(view.question))
    if isinstance(pooled, Synthesis):
        return Seen(view, confidence, pooled.studies, pooled)
    half = (critical_value(confidence) * np.sqrt(studies["vi"])).mask(unpaired(studies))
    ends = {"ci_low": studies["yi"] - half, "ci_high": studies["yi"] + half, "weight": np.nan}
    return Seen(view, confidence, studies.assign(**ends), pooled)


def _brought(corpus: Corpus, results: pd.DataFrame, view: View) -> pd.DataFrame:
    """As `gather`; words of the tables that these results lack bring nothing."""
    question = view.question
    wanted = {"outcome": (view.outcome,)}
    wanted |= {GROUPINGS[sort]: question.named(sort) for sort in MUST_AGREE}
    if all(set(words) <= set(results[column]) for column, words in wanted.items()):
        return gather(corpus, results, question)
    return brought(corpus, [], question)
