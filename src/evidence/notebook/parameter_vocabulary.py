"""Which values the parameters that notebooks share by name may have, on the data at hand.

Vocabulary
----------
A *vocabulary* is what a parameter of a certain name may be, in whichever notebook: words of the
package, words of the data, or a range of numbers. `SPECIAL` are the words that ask for something
else than a word of the data, such as "" for the usual one. `NARROWER` holds notebooks that take
fewer words. A name of a vocabulary means the same in every notebook; a parameter of a name that is
not here is held to its type alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from evidence.analysis.certainty import evidence_body
from evidence.analysis.pooling.explorer_query import ANY, query_choices
from evidence.analysis.pooling.question import MEASURES, METHODS
from evidence.analysis.results import SCOPES
from evidence.dataset.dataset import Dataset
from evidence.errors import ParameterError, not_one_of
from evidence.notebook.parameter_rules import Refused, Type, shown, take
from evidence.statistics.meta_analysis import TESTS

TEXT, NUMBER, FLAG = Type("str"), Type("float"), Type("bool")
TEXTS, NUMBERS = Type("list", (TEXT,)), Type("list", (NUMBER,))


@dataclass(frozen=True)
class Words:
    """Words allowed: `of` finds them in the data; `special` are allowed as well."""

    type: Type
    of: Callable[["Known"], tuple[str, ...]]
    special: tuple[str, ...] = ()


@dataclass(frozen=True)
class Range:
    """Numbers allowed, and what a message says of one that is not; `least` values of a list."""

    type: Type
    holds: Callable[[float], bool]
    said: str
    least: int = 0


class Known:
    """The words that the data have, each sort found when it is first asked for."""

    def __init__(self, dataset: Dataset | Callable[[], Dataset]):
        self._given = dataset

    @property
    def _dataset(self) -> Dataset:
        return self._given() if callable(self._given) else self._given

    @cached_property
    def looked_at(self) -> dict[str, list[str]]:
        """Of each sort of a view, the words with evidence."""
        return query_choices(self._dataset)

    def column(self, name: str) -> tuple[str, ...]:
        """The words of one column of studies.csv, as they come."""
        return tuple(self._dataset.results[name].unique())


def _fixed(*words: str) -> Callable[[Known], tuple[str, ...]]:
    return lambda known: words


def _column(name: str) -> Callable[[Known], tuple[str, ...]]:
    return lambda known: known.column(name)


def _looked_at(sort: str) -> Callable[[Known], tuple[str, ...]]:
    return lambda known: tuple(word for word in known.looked_at[sort] if word != ANY)


_OUTCOMES = Words(TEXTS, _column("outcome"))
_ONE_OUTCOME = Words(TEXT, _looked_at("outcome"), ("",))
_LATER = Range(NUMBERS, lambda days: days > 0, "is no time after treatment, in days above 0", 1)
VOCABULARY: dict[str, Words | Range] = {
    "scope": Words(TEXT, _fixed(*SCOPES)),
    "conditions": Words(TEXTS, _column("condition")),
    "outcomes": _OUTCOMES,
    "confidence": Range(
        NUMBER, lambda level: 0 < level < 1, "is not between 0 and 1; 95 % is 0.95"
    ),
    "condition": Words(TEXT, _looked_at("condition"), ("", ANY)),
    "treatment": Words(TEXT, _looked_at("treatment"), ("", ANY)),
    "comparator": Words(TEXT, _looked_at("comparator"), ("", ANY)),
    "outcome": _ONE_OUTCOME,
    "scale_outcome": _ONE_OUTCOME,
    "proportion_outcomes": _OUTCOMES,
    "comparison_outcomes": _OUTCOMES,
    "sensitivity_outcomes": _OUTCOMES,
    "study": Words(TEXT, _column("study"), ("",)),
    "measure": Words(TEXT, _fixed(*MEASURES)),
    "comparison_measure": Words(TEXT, _fixed(*(word for word in MEASURES if word != "proportion"))),
    "method": Words(TEXT, _fixed(*METHODS)),
    "test": Words(TEXT, _fixed(*TESTS)),
    "time_days": Range(NUMBER, lambda days: days >= 0, "is no number of days, 0 or above"),
    "times": _LATER,
    "sensitivity_times": _LATER,
}
NARROWER: dict[tuple[str, str], Words] = {
    ("08_appraisal", "method"): Words(TEXT, _fixed(*evidence_body.METHODS)),
}
OWN_TYPES = {name: vocabulary.type for name, vocabulary in VOCABULARY.items()}
OWN_TYPES |= {"project": TEXT, "out": TEXT, "allow_nonrandomised": FLAG}
"""What these names are in every notebook of the package."""


def vocabulary_of(notebook: str, name: str) -> Words | Range | None:
    """What a parameter of a notebook may be; None where only its type says so."""
    return NARROWER.get((notebook, name)) or VOCABULARY.get(name)


def fits(name: str, kind: Type) -> bool:
    """Whether a declared type can hold what a name means in every notebook."""
    meant = OWN_TYPES.get(name)
    if meant is None:
        return True
    if meant.several:
        items = kind.items if kind.several else ()
        return kind.several and all(_same(item, meant.items[0]) for item in items)
    return _same(kind, meant)


def _same(kind: Type, meant: Type) -> bool:
    return kind.name in (meant.name, "Literal") or (kind.name, meant.name) == ("int", "float")


def require_allowed(notebook: str, name: str, value: object, known: Known) -> None:
    """Refuse a value, already of its type, that is outside the vocabulary of its name.

    Raises
    ------
    Refused
        With the first word or number that is not allowed, and what is.
    """
    vocabulary = vocabulary_of(notebook, name)
    if vocabulary is None:
        return
    values = value if isinstance(value, list) else [value]
    if isinstance(vocabulary, Range):
        if len(values) < vocabulary.least:
            raise Refused(f"{shown(value)} is empty; give at least {vocabulary.least}")
        wrong = [one for one in values if not vocabulary.holds(one)]
        if wrong:
            raise Refused(f"{wrong[0]:.15g} {vocabulary.said}")
        return
    for one in values:
        if one not in vocabulary.special and one not in vocabulary.of(known):
            special = [word or "''" for word in vocabulary.special]
            raise Refused(not_one_of(shown(one), [*vocabulary.of(known), *special]))


def words_of(notebook: str, name: str, kind: Type, known: Known) -> tuple | None:
    """Every word that a parameter may be, without the special ones; None where it has none."""
    vocabulary = vocabulary_of(notebook, name)
    if isinstance(vocabulary, Words):
        return vocabulary.of(known)
    inner = kind.items[0] if kind.several and kind.items and not kind.fixed else kind
    return {"Literal": inner.words, "bool": (False, True)}.get(inner.name)


def require_confidence(confidence: object) -> float:
    """Refuse a level that is no probability, such as 95 for 0.95.

    Raises
    ------
    ParameterError
    """
    vocabulary = VOCABULARY["confidence"]
    try:
        level = take(NUMBER, confidence)
    except Refused as error:
        raise ParameterError(f"confidence: {error}") from None
    if not vocabulary.holds(level):
        raise ParameterError(f"confidence: {level:.15g} {vocabulary.said}")
    return level
