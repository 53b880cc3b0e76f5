"""What each cell of a column must be, whatever stands beside it, and that no row stands twice."""

import re

import numpy as np

from evidence.corpus import identifiers
from evidence.corpus.queries import parse_query
from evidence.corpus.schema.column import Column
from evidence.corpus.sheet import Sheet
from evidence.errors import Problems

_PATTERNS = {
    "integer": (r"\d+", "is not a whole number"),
    "number": (r"-?\d+(\.\d+)?", "is not a number; write it with a point, without sign or unit"),
    "time": (r"\d+(\.\d+)?(-\d+(\.\d+)?)?", "is not a time; write a number or a range such as 0-3"),
    "date": (r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "is not a day such as 2026-11-24"),
    "p": (r"[<>]?(0?\.\d+|0|1(\.0+)?)", "is not a p value such as 0.02 or <0.01"),
}


def check_columns(sheet: Sheet) -> Problems:
    """Required cells, vocabularies, numbers, untidy blanks and repeated rows of one table."""
    problems = Problems()
    if not len(sheet):
        return problems
    for column in sheet.table.columns:
        for test, rule in _tests(column):
            sheet.report(problems, sheet[column.name].map(test, bool), column.name, rule)
        if column.kind == "person":
            _check_people(problems, sheet, column.name)
        if column.kind == "query":
            _check_queries(problems, sheet, column.name)
    _check_repeated(problems, sheet)
    return problems


def _tests(column: Column):
    """What a cell must not be, and how that is said."""
    yield lambda cell: cell != cell.strip(), "has blanks around it; remove them"
    if column.required:
        yield lambda cell: not cell, "is not allowed; this column must be filled"
    if column.words:
        words = f"is not one of: {', '.join(column.words)}"
        yield lambda cell: cell != "" and cell not in column.words, words
    if column.kind in _PATTERNS:
        pattern, rule = _PATTERNS[column.kind]
        fits = re.compile(pattern).fullmatch
        yield lambda cell: cell != "" and not fits(cell), rule


def _check_people(problems: Problems, sheet: Sheet, column: str) -> None:
    """Every ORCID in the name of a person must be one."""

    def wrong(cell: str) -> list[tuple[str, str]]:
        found = identifiers.ORCID.findall(cell)
        rules = [(orcid, identifiers.refuse("orcid", orcid)) for orcid in found]
        return [(orcid, rule) for orcid, rule in rules if rule]

    sheet.report_parts(problems, column, wrong)


def _check_queries(problems: Problems, sheet: Sheet, column: str) -> None:
    def wrong(text: str) -> list[tuple[str, str]]:
        try:
            parse_query(text)
        except ValueError as error:
            return [("it", f"fails: {error}")]
        return []

    sheet.report_parts(problems, column, wrong)


def _check_repeated(problems: Problems, sheet: Sheet) -> None:
    """Rows that are alike in the columns of the key."""
    key = sheet.table.key
    first = sheet.first_alike(key)
    again = first != np.arange(len(sheet))

    def name(place: int) -> str:
        return ", ".join(filter(None, (sheet.cell(column, place) for column in key)))

    def rule(place: int) -> str:
        line = sheet.lines[first[place]]
        return f"stands already in line {line}; rows differ in {', '.join(key)}"

    sheet.report(problems, again, "", rule, name)
