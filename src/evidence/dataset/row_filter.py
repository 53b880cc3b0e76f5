"""The small language in which `unknowns.csv` says which results bear on a question.

``condition=bread and outcome=height|crust and days>=28`` — conditions joined by
`and`; `=` and `!=` take words separated by `|`, the comparisons take a number. Nothing in it is
ever evaluated as code.
"""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

WORDS = (
    "study",
    "condition",
    "population",
    "arm",
    "role",
    "versus",
    "intervention",
    "route",
    "outcome",
    "instrument",
    "measure",
    "reported_by",
    "source",
    "kind",
    "design",
    "randomised",
    "comparator_kind",
    "scope",
)
NUMBERS = ("days", "n", "dose_mg_per_kg", "infusion_minutes", "sessions")
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
# An "and" inside a value, as in "blood and urine", is followed by no comparison.
_JOINT = re.compile(r"\s+and\s+(?=\w+\s*(?:!=|>=|<=|=|>|<))")
_CONDITION = re.compile(r"\s*(\w+)\s*(!=|>=|<=|=|>|<)\s*(.+?)\s*$")


@dataclass(frozen=True)
class Predicate:
    """One comparison of a query; `values` are words for `=` and `!=`, else one number."""

    column: str
    compare: str
    values: tuple[str, ...]

    def matches(self, results: pd.DataFrame) -> pd.Series:
        """Which rows it holds for; a blank number never matches."""
        column = results[self.column]
        if self.compare in _COMPARE:
            return _COMPARE[self.compare](column.astype("float64"), float(self.values[0]))
        if self.column in NUMBERS:
            found = column.astype("float64").isin([float(value) for value in self.values])
        else:
            found = column.isin(self.values)
        return found if self.compare == "=" else ~found


def parse_query(text: str) -> tuple[Predicate, ...]:
    """The conditions of a query, in order; an empty text has none.

    Raises
    ------
    ValueError
        A condition that is not `column operator value`, an unknown column, or a comparison with
        something that is not a number.
    """
    conditions = []
    for part in _JOINT.split(text.strip()) if text.strip() else []:
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ValueError(f"'{part}' is not a condition such as randomised=yes or days>=28")
        column, compare, value = match.groups()
        if column not in WORDS + NUMBERS:
            raise ValueError(
                f"'{column}' is no column to ask for; use {', '.join(WORDS + NUMBERS)}"
            )
        values = tuple(word.strip() for word in value.split("|"))
        if column in NUMBERS and not all(re.fullmatch(r"-?\d+(\.\d+)?", word) for word in values):
            raise ValueError(f"'{value}' is not a number, and {column} is")
        if compare in _COMPARE and (column not in NUMBERS or len(values) > 1):
            raise ValueError(f"'{part}': {compare} compares a number; words are asked for with =")
        conditions.append(Predicate(column, compare, values))
    return tuple(conditions)


def filter_rows(
    query: str, results: pd.DataFrame, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The rows on which every condition holds, none for an empty query; with these columns only."""
    conditions = parse_query(query)
    keep = pd.Series(bool(conditions), index=results.index)
    for condition in conditions:
        keep &= condition.matches(results)
    return results[keep] if columns is None else results.loc[keep, list(columns)]
