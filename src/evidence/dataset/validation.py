"""What each cell of a column must be, whatever stands beside it, and that no row stands twice.

Keys and words that must be those of another table, of the bibliography, or of other rows.

What a single row of `studies.csv` must satisfy to be a number and not a slip of the pen.
"""

import difflib
import re
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from evidence.dataset import schema, text_checks
from evidence.dataset.bibliography import BIBLIOGRAPHY_FILE as BIBLIOGRAPHY
from evidence.dataset.row_filter import parse_query
from evidence.dataset.schema import Column
from evidence.dataset.text_table import Sheet, first_alike
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
        found = text_checks.ORCID.findall(cell)
        rules = [(orcid, text_checks.identifier_error("orcid", orcid)) for orcid in found]
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


SPELLING_COLUMNS = 200_000
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
        is_few = len(self) * len(self._allowed) < SPELLING_COLUMNS
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


def check_results(sheet: Sheet) -> Problems:
    """Contradictions inside rows of the table as read.

    Cells that are not numbers at all are reported by the column checks and passed over here.
    """
    problems = Problems()
    n, events, value = (sheet[name].numbers for name in ("n", "events", "value"))
    low, high, spread = (sheet[name].numbers for name in ("ci_low", "ci_high", "spread"))
    is_filled = {name: sheet[name].is_filled for name in sheet.table.names}
    measure = sheet["measure"]
    is_proportion, is_count = measure.among(["proportion"]), measure.among(["count"])
    worded = measure.among(schema.WORDED_MEASURES)
    found = measure.among(schema.FOUND_MEASURES)
    contrast = sheet["role"].among(["contrast"])

    def report(bad, column, rule):
        """Report each row where `bad`; {placeholders} of the rule are cells of that row."""
        sheet.report(problems, bad, column, lambda place: rule.format(**sheet.row(place)))

    report(events > n, "events", "is more than n ({n})")
    report(n == 0, "n", "people were analysed; leave it blank if the number is not known")
    report(
        is_proportion & ((value < 0) | (value > 1)),
        "value",
        "is not a proportion between 0 and 1; 71 % is written 0.71",
    )
    ratio = measure.among(["risk ratio", "odds ratio"])
    report(ratio & (value <= 0), "value", "is not a ratio; ratios are above 0 and not logarithms")
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = events / n
    report(
        is_proportion & (np.abs(shares - value) > 0.0051),
        "value",
        "is not {events} of {n}",
    )
    report(
        is_proportion & ~is_filled["value"] & ~is_filled["events"],
        "value",
        "is not enough for a proportion; give it, or events and n",
    )
    report(
        is_count & ~is_filled["events"],
        "events",
        "is not enough for a count; give the number counted",
    )
    report(
        measure.among(schema.NUMERIC_MEASURES) & ~is_filled["value"],
        "value",
        "is not enough for a {measure}; give the number, or use measure statement or range",
    )
    report(
        (worded | found) & is_filled["value"],
        "value",
        "stands beside measure {measure}, which has no number",
    )
    report(
        measure.among(["p value"]) & ~is_filled["p_value"], "p_value", "is not enough for a p value"
    )
    report(
        found & ~is_filled["direction"],
        "direction",
        "is not enough for measure {measure}; say better, worse or no difference",
    )
    report(
        ~found & is_filled["direction"] & ~contrast,
        "direction",
        "belongs to a contrast, or to measure significance or direction",
    )
    report(low > high, "ci_low", "is above ci_high ({ci_high})")
    report(
        (value < low) | (value > high), "value", "lies outside its interval ({ci_low} to {ci_high})"
    )
    report(
        is_filled["ci_low"] & ~is_filled["ci_high"],
        "ci_high",
        "is not allowed beside ci_low {ci_low}; an interval has two ends",
    )
    report(
        is_filled["ci_high"] & ~is_filled["ci_low"],
        "ci_low",
        "is not allowed beside ci_high {ci_high}; an interval has two ends",
    )
    report(spread < 0, "spread", "is negative; a standard deviation cannot be")
    report(
        is_filled["spread"] & ~is_filled["spread_kind"],
        "spread_kind",
        "is not allowed beside spread {spread}; say sd or se",
    )
    report(
        is_filled["time"] & ~is_filled["time_unit"],
        "time_unit",
        "is not allowed beside time {time}; say minute, hour, day, week, month or year",
    )
    report(
        is_filled["time_unit"] & ~is_filled["time"],
        "time",
        "is not allowed beside time_unit {time_unit}",
    )
    report(
        sheet["time"].map(_runs_backwards, bool),
        "time",
        "runs backwards; write the earlier time first",
    )
    report(
        contrast & ~is_filled["versus"],
        "versus",
        "is not allowed in a contrast; name the other arm",
    )
    report(
        ~contrast & is_filled["versus"],
        "versus",
        "stands in a row with role {role}; only a contrast has it",
    )
    is_same = contrast & (sheet["arm"].text == sheet["versus"].text)
    report(is_same, "versus", "is the same as arm")
    needs_print = measure.among(["proportion", *schema.NUMERIC_MEASURES, "date", "range"])
    report(
        needs_print & ~is_filled["as_printed"],
        "as_printed",
        "is not allowed; copy the number as the text prints it",
    )
    return problems


def _runs_backwards(time: str) -> bool:
    ends = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", time)
    return ends is not None and float(ends[1]) > float(ends[2])
