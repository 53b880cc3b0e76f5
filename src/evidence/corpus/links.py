"""Keys and words that must be those of another table, of the bibliography, or of other rows."""

import difflib
import re
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from evidence.corpus import schema
from evidence.corpus.bibliography import FILE as BIBLIOGRAPHY
from evidence.corpus.sheet import Sheet, first_alike
from evidence.errors import Problems

COMPARED = 200_000
"""Pairs of words that are compared, about a second's work."""


def split_keys(cell: str) -> list[str]:
    """The words of a cell that holds several, separated by ;."""
    return [word.strip() for word in cell.split(";") if word.strip()]


def check_links(sheets: Mapping[str, Sheet], bibliography: Collection[str] | None) -> Problems:
    """Every key that points into another table or into the bibliography must arrive there.

    Parameters
    ----------
    sheets : mapping of str to Sheet
        By file name, for every table of the schema.
    bibliography : collection of str or None
        Its keys; None if it cannot be read, so that nothing can be said of them.
    """
    problems = Problems()

    def require(table, column, allowed, kind, *, many=False):
        _require(problems, sheets[table.file], column, allowed, kind, many=many)

    def words(table, column):
        return set(sheets[table.file][column].values)

    outcomes, claims = words(schema.OUTCOMES, "outcome"), words(schema.CLAIMS, "claim")
    designs, studies = words(schema.DESIGNS, "study"), words(schema.STUDIES, "study")
    for table in schema.TABLES:
        for column in table.columns:
            is_reference = column.kind == "key" or column.name == "source"
            if is_reference and bibliography is not None:
                kind = f"a key of {BIBLIOGRAPHY}"
                require(table, column.name, bibliography, kind, many=column.kind == "keys")
            if column.kind == "outcome" and outcomes:
                require(table, column.name, outcomes, f"an outcome of {schema.OUTCOMES.file}")
    if studies:
        known = f"a study of {schema.STUDIES.file}"
        require(schema.CLAIMS, "studies", studies, known, many=True)
    results = sheets[schema.STUDIES.file]
    if designs:
        _check_described(problems, results, designs)
    if claims:
        known = f"a claim of {schema.CLAIMS.file}"
        require(schema.UNKNOWNS, "claims", claims, known, many=True)
        require(schema.STATEMENTS, "claim", claims, known)
    for name in ("condition", "outcome", "arm"):
        _check_spelling(problems, results, name)
    return problems


def _require(problems, sheet, column, allowed, kind, *, many=False) -> None:
    """Problems for the words of a column that are not among `allowed`."""
    hints = _Hints(allowed)

    def wrong(cell: str) -> list[tuple[str, str]]:
        found = split_keys(cell) if many else [cell]
        return [
            (word, f"is not {kind}{hints[word]}") for word in found if word and word not in allowed
        ]

    sheet.report_parts(problems, column, wrong)


class _Hints(dict[str, str]):
    """The nearest word that is allowed, as the end of a sentence."""

    def __init__(self, allowed: Collection[str]):
        super().__init__()
        self._allowed = list(allowed)

    def __missing__(self, word: str) -> str:
        # A person who got so many words wrong is not helped by the nearest of each.
        is_few = len(self) * len(self._allowed) < COMPARED
        close = difflib.get_close_matches(word, self._allowed, 1) if is_few else ()
        self[word] = f"; did you mean {close[0]}?" if close else ""
        return self[word]


def _check_described(problems: Problems, results: Sheet, designs: Collection[str]) -> None:
    """Each study needs a row of its own; it is asked for once."""
    missing = results["study"].map(lambda key: bool(key) and key not in designs, bool)
    first = results.first_alike(["study"]) == np.arange(len(results))
    hints = _Hints(designs)

    def rule(place: int) -> str:
        known = f"described in {schema.DESIGNS.file}; add a row for it"
        return f"is not {known}{hints[results.cell('study', place)]}"

    results.report(problems, missing & first, "study", rule)


def _check_spelling(problems: Problems, results: Sheet, column: str) -> None:
    """The same word in two spellings (case, blanks) would silently be two groups."""
    cells = results[column]
    words = [re.sub(r"\s+", " ", cell.casefold()) for cell in cells.values]
    folded = pd.factorize(np.array(words, dtype=object))[0]
    if len(folded) == folded.max(initial=-1) + 1:
        return
    scope = results["study"].codes if column == "arm" else np.zeros(len(results), int)
    first = first_alike([scope, folded[cells.codes]])
    other = cells.is_filled & (cells.codes[first] != cells.codes)

    def rule(place: int) -> str:
        return f"is spelled '{results.cell(column, first[place])}' elsewhere; use one spelling"

    results.report(problems, other, column, rule, lambda place: f"'{results.cell(column, place)}'")
