"""The words that shared notebook parameters accept, from the package and from the data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evidence.analysis.certainty import evidence_body
from evidence.analysis.pooling.dose_response import SHAPE_LABELS
from evidence.analysis.pooling.explorer_query import ANY, query_choices
from evidence.analysis.pooling.question import MEASURES, METHODS
from evidence.analysis.results import SCOPES
from evidence.dataset.dataset import Dataset
from evidence.statistics import time_course
from evidence.statistics.meta_analysis import TESTS


@dataclass(frozen=True)
class Vocabulary:
    """The words of one parameter.

    `words` returns those of a dataset, for which `each` in a grid stands. `special` are accepted as
    well, such as "" for the default.
    """

    words: Callable[[Dataset], Sequence[str]]
    special: tuple[str, ...] = ()


def _constant(*words: str) -> Callable[[Dataset], Sequence[str]]:
    return lambda dataset: words


def _column(name: str) -> Callable[[Dataset], Sequence[str]]:
    return lambda dataset: tuple(dataset.reported_results[name].unique())


def _with_evidence(sort: str) -> Callable[[Dataset], Sequence[str]]:
    """Words of which there is evidence to pool; a column also has words of which there is none."""
    return lambda dataset: tuple(word for word in query_choices(dataset)[sort] if word != ANY)


_OUTCOMES = Vocabulary(_column("outcome"))
_OUTCOME = Vocabulary(_with_evidence("outcome"), special=("",))
VOCABULARIES = {
    "scope": Vocabulary(_constant(*SCOPES)),
    "curve_scope": Vocabulary(_constant(*SCOPES)),
    "conditions": Vocabulary(_column("condition")),
    "outcomes": _OUTCOMES,
    "proportion_outcomes": _OUTCOMES,
    "comparison_outcomes": _OUTCOMES,
    "sensitivity_outcomes": _OUTCOMES,
    "outcome": _OUTCOME,
    "scale_outcome": _OUTCOME,
    "study": Vocabulary(_column("study"), special=("",)),
    "condition": Vocabulary(_with_evidence("condition"), special=("", ANY)),
    "treatment": Vocabulary(_with_evidence("treatment"), special=("", ANY)),
    "comparator": Vocabulary(_with_evidence("comparator"), special=("", ANY)),
    "measure": Vocabulary(_constant(*MEASURES)),
    "comparison_measure": Vocabulary(
        _constant(*(measure for measure in MEASURES if measure != "proportion")), special=("",)
    ),
    "method": Vocabulary(_constant(*METHODS), special=("",)),
    "test": Vocabulary(_constant(*TESTS)),
    "decline": Vocabulary(_constant(*time_course.SHAPES)),
    "shape": Vocabulary(_constant(*SHAPE_LABELS)),
    "route": Vocabulary(_column("route"), special=("", ANY)),
}
"""By parameter; a parameter of this name accepts the same words in every notebook."""
EXCEPTIONS = {("08_appraisal", "method"): Vocabulary(_constant(*evidence_body.METHODS))}
"""By notebook and parameter: GRADE needs the weight of each study, which mh and peto do not give."""


def vocabulary(notebook: str, parameter: str) -> Vocabulary | None:
    """Return the vocabulary of a parameter, or None where only its type limits it."""
    return EXCEPTIONS.get((notebook, parameter)) or VOCABULARIES.get(parameter)
