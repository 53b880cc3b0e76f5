"""Row filters: the small language in which a table says which results bear on a question.

``condition=bread and outcome=height|crust and days>=28``: conditions joined by `and`; `=` and `!=`
take words separated by `|`, the other comparisons one number. A filter is never run as code.
"""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from evidence.dataset import schema
from evidence.errors import did_you_mean

_TABLES = (schema.STUDIES, schema.OUTCOMES, schema.DESIGNS)
_FILTERS = [column for table in _TABLES for column in table.columns if "filter" in column.roles]
_KINDS = {column.name: column.kind for column in _FILTERS} | {"days": "number"}
COLUMNS = tuple(_KINDS)
NUMBER_COLUMNS = [name for name, kind in _KINDS.items() if kind in ("integer", "number")]
"""Columns that are compared as numbers; `days` is the time of a result."""
_COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
# An "and" inside a value, as in "blood and urine", is followed by no comparison.
_AND = re.compile(r"\s+and\s+(?=\w+\s*(?:!=|>=|<=|=|>|<))")
_CONDITION = re.compile(r"\s*(\w+)\s*(!=|>=|<=|=|>|<)\s*(.+?)\s*$")


@dataclass(frozen=True)
class Predicate:
    """One condition of a filter; `values` are words for `=` and `!=`, else one number."""

    column: str
    comparison: str
    values: tuple[str, ...]

    def matches(self, results: pd.DataFrame) -> pd.Series:
        """Return the rows for which it holds, as booleans; a blank number never matches."""
        column = results[self.column]
        if self.comparison in _COMPARISONS:
            compare = _COMPARISONS[self.comparison]
            return compare(column.astype("float64"), float(self.values[0]))
        if self.column in NUMBER_COLUMNS:
            is_in = column.astype("float64").isin([float(value) for value in self.values])
        else:
            is_in = column.isin(self.values)
        return is_in if self.comparison == "=" else ~is_in


def parse_query(text: str) -> tuple[Predicate, ...]:
    """Parse a filter into its conditions, in order; an empty text has none.

    Raise `ValueError` if a part is not `column comparison value`, the column cannot be used in
    filters, or it is compared with something that is not a number.
    """
    predicates = []
    for part in _AND.split(text.strip()) if text.strip() else []:
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ValueError(f"'{part}' is not a condition like randomised=yes or days>=28")
        column, comparison, value = match.groups()
        if column not in COLUMNS:
            hint = did_you_mean(column, COLUMNS)
            raise ValueError(
                f"unknown filter column '{column}'.{hint} Available: {', '.join(COLUMNS)}"
            )
        values = tuple(word.strip() for word in value.split("|"))
        is_number = column in NUMBER_COLUMNS
        if is_number and not all(re.fullmatch(r"-?\d+(\.\d+)?", word) for word in values):
            raise ValueError(f"'{value}' is not a number, but {column} needs one")
        if comparison in _COMPARISONS and (not is_number or len(values) > 1):
            raise ValueError(f"'{part}': {comparison} compares one number. Use = for words.")
        predicates.append(Predicate(column, comparison, values))
    # An amount means something else in another unit; only "more than none" holds in every unit.
    columns = {predicate.column for predicate in predicates if predicate.values != ("0",)}
    if "dose" in columns and "dose_unit" not in columns:
        raise ValueError("dose needs its unit. Add: and dose_unit=mg/kg")
    return tuple(predicates)


def query_error(text: str) -> str:
    """Describe what is wrong with a filter; empty if nothing is."""
    try:
        parse_query(text)
    except ValueError as error:
        return str(error)
    return ""


def filter_rows(
    query: str, results: pd.DataFrame, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the rows of `select_results` that match every condition; none for an empty filter."""
    predicates = parse_query(query)
    is_match = pd.Series(bool(predicates), index=results.index)
    for predicate in predicates:
        is_match &= predicate.matches(results)
    return results[is_match] if columns is None else results.loc[is_match, list(columns)]
