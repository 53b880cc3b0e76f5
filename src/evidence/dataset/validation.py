"""The rules that tables must keep: for single cells, whole rows, and keys into other tables."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

import numpy as np
import pandas as pd

from evidence.dataset import schema
from evidence.dataset.bibliography import Bibliography
from evidence.dataset.cells import FORMS, LARGEST, SIGNS, is_ambiguous, is_too_large
from evidence.dataset.csv_reader import map_cells, split_keys
from evidence.dataset.known_studies import check_known_studies, check_searches
from evidence.dataset.readings import check_readings
from evidence.dataset.risk_of_bias_tools import check_risk_of_bias
from evidence.dataset.row_filter import query_error
from evidence.dataset.text_checks import (
    appearance,
    hidden_characters,
    look_alike,
    look_alike_message,
    orcid_error,
    printable,
    quote,
    reveal_hidden,
)
from evidence.errors import ProblemList, did_you_mean, not_one_of

MAX_SPELLING_COMPARISONS = 200_000
"""Pairs of words that are compared to suggest the nearest one: about a second's work."""


def validate_tables(
    tables: Mapping[str, pd.DataFrame], bibliography: Collection[str] | None
) -> ProblemList:
    """Find everything that is wrong with the text tables that `csv_reader.read_tables` returns.

    `bibliography` has the keys of all sources, or is None if they are not known; of its entries only
    those that the tables cite are checked.
    """
    problems = ProblemList()
    if isinstance(bibliography, Bibliography):
        problems.extend(bibliography.errors(cited_keys(tables)))
    defined = _defined_keys(tables, bibliography)
    for table in schema.TABLES:
        for column in table.columns:
            rules = chain(_cell_rules(column), _key_rules(column, defined))
            _check_cells(problems, table.file, tables[table.file][column.name], rules)
        _check_repeated_rows(problems, table, tables[table.file])
    results, designs = tables[schema.STUDIES.file], tables[schema.DESIGNS.file]
    for file, row_rules in ROW_RULES.items():
        _check_rows(problems, file, tables[file], row_rules)
    _check_second_reports(problems, results)
    check_risk_of_bias(problems, tables[schema.RISK_OF_BIAS.file], designs)
    _check_studies_described(problems, results, designs)
    check_readings(problems, tables, bibliography)
    check_searches(problems, tables[schema.SEARCHES.file])
    # Of results that cannot be read, nobody can say that an arm or a study is not among them.
    if not results.empty:
        _check_arms(problems, tables[schema.ARMS.file], results)
        check_known_studies(problems, tables, bibliography)
    for name in ("condition", "outcome", "arm"):
        _check_spelling(problems, schema.STUDIES, results, name, _fold)
    for name in ("population", "intervention", "instrument", "dose_unit"):
        _check_spelling(problems, schema.STUDIES, results, name, appearance)
    _check_spelling(problems, schema.DESIGNS, designs, "treatment", appearance)
    return problems


@dataclass(frozen=True)
class CellRule:
    """Whether a cell breaks a rule, as a true value, and the message if it does.

    No cell of printable ASCII characters breaks a rule for unusual ones.
    """

    is_broken: Callable[[str], object]
    message: Callable[[str], str]
    is_for_unusual: bool = False


FORM_MESSAGES = {
    "integer": "is not a whole number",
    "number": "is not a number. Write it with a point, without sign or unit.",
    "time": "is not a time. Write a number, or a range like 0-3.",
    "date": "is not a date like 2026-11-24. Spreadsheets rewrite dates: format the column as text.",
    "p": "is not a p value like 0.02 or <0.01",
}
"""What is wrong with a cell that has not the form of its kind of column."""
_NOT_REPORTED = re.compile(
    r"#?n[./]?\s?[ard]\.?|not (reported|available|applicable|stated|given|done)|missing|unknown"
    r"|nan|null|none|[-–—.?]+",
    re.I,
)
"""How people fill a cell for which they have nothing."""
_DATE_OF_SPREADSHEET = re.compile(r"\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d{2}")
_PERCENTAGE = re.compile(r"(-?\d+(?:\.\d+)?)\s*%")


def _cell_rules(column: schema.Column) -> Iterator[CellRule]:
    yield CellRule(
        lambda cell: cell != cell.strip(), lambda cell: f"{quote(cell)} has blanks around it"
    )
    yield CellRule(
        hidden_characters,
        lambda cell: (
            f"{quote(cell)} contains the hidden character {hidden_characters(cell)}. Remove it."
        ),
        is_for_unusual=True,
    )
    if column.kind == "printed":
        yield CellRule(_DATE_OF_SPREADSHEET.fullmatch, _date_message)
    else:
        yield CellRule(look_alike, look_alike_message, is_for_unusual=True)
    if column.required:
        yield CellRule(lambda cell: not cell, lambda _: "required value is missing")
    if column.kind == "word":
        words = {"", *column.words}
        yield CellRule(
            lambda cell: cell not in words,
            lambda cell: _with_blank_hint(column, cell, not_one_of(quote(cell), column.words)),
        )
    if column.kind in FORMS:
        fits = re.compile(f"({FORMS[column.kind]})?").fullmatch
        yield CellRule(lambda cell: not fits(cell), lambda cell: _form_message(column, cell))
    if column.kind in LARGEST:
        yield CellRule(
            lambda cell: fits(cell) and is_too_large(cell, column.kind),
            lambda cell: f"{quote(cell)} is too large. The largest is {LARGEST[column.kind]:,}.",
        )
    if column.kind == "time":
        yield CellRule(
            _is_reversed, lambda cell: f"{cell} is reversed. Write the earlier time first."
        )
    if column.kind == "person":
        yield CellRule(orcid_error, orcid_error)
    if column.kind == "query":
        yield CellRule(query_error, query_error)


def _form_message(column: schema.Column, cell: str) -> str:
    """Say what is wrong with a cell that has not the form of its column, and what would be right."""
    if column.kind == "number":
        number = cell.translate(SIGNS).replace(",", ".")
        if percentage := _PERCENTAGE.fullmatch(number):
            fraction = _hundredth(percentage[1])
            return (
                f"{quote(cell)} is a percentage. Write the proportion {fraction}, or "
                f"{percentage[1]} without the sign if the measure is not a proportion."
            )
        if is_ambiguous(cell):
            return (
                f"{quote(cell)} may be {cell.replace(',', '')} or {cell.replace(',', '.')}. "
                "Write decimals with a point, and no comma between thousands."
            )
    return _with_blank_hint(column, cell, f"{quote(cell)} {FORM_MESSAGES[column.kind]}")


def _with_blank_hint(column: schema.Column, cell: str, message: str) -> str:
    """Add to a message how to say that nothing is reported, if that is what the cell says."""
    if column.required or not _NOT_REPORTED.fullmatch(cell):
        return message
    message = message.partition(". ")[0].removesuffix(".")
    return f"{message}. Leave the cell empty (not reported), or write one that is."


def _hundredth(number: str) -> str:
    return format((Decimal(number) / 100).normalize(), "f")


def _date_message(cell: str) -> str:
    return (
        f"{quote(cell)} is what a spreadsheet makes of a text like 5/12. Format the column as text "
        "and write it again."
    )


def _is_reversed(time: str) -> bool:
    ends = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", time)
    return ends is not None and float(ends[1]) > float(ends[2])


def _check_cells(
    problems: ProblemList, file: str, cells: pd.Series, rules: Iterable[CellRule]
) -> None:
    """Check each distinct cell of a column; add a problem for each row that has a broken one.

    Of several rules that a cell breaks only the first is named: the others follow from it.
    """
    distinct = cells.cat.categories.tolist()
    unusual = [cell for cell in distinct if not (cell.isascii() and cell.isprintable())]
    broken: dict[str, CellRule] = {}
    for rule in rules:
        for cell in filter(rule.is_broken, unusual if rule.is_for_unusual else distinct):
            broken.setdefault(cell, rule)
    if broken:
        rows = cells[cells.isin(list(broken))]

        def message(line: int) -> str:
            return broken[rows[line]].message(rows[line])

        problems.add_rows(file, rows.index, cells.name, message)


def _check_repeated_rows(problems: ProblemList, table: schema.Table, rows: pd.DataFrame) -> None:
    key = list(table.key)
    if not rows.duplicated(key).any():
        return
    same_key = rows.index.to_series().groupby([rows[name] for name in key], observed=True)
    first = same_key.transform("first")
    repeated = rows.index[first != rows.index]

    def message(line: int) -> str:
        cells = ", ".join(printable(cell) for cell in rows.loc[line, key] if cell)
        return f"repeats line {first[line]} ({cells}). Rows must differ in {', '.join(key)}."

    problems.add_rows(table.file, repeated, "", message)


# Keys


def cited_keys(tables: Mapping[str, pd.DataFrame]) -> set[str]:
    """Return the keys of sources that tables cite, as text or converted."""
    keys: set[str] = set()
    for table in schema.TABLES:
        for column in table.columns:
            if schema.BIBLIOGRAPHY_FILE in (column.target, column.second_target):
                for cell in tables[table.file][column.name].unique():
                    keys.update(split_keys(cell) if isinstance(cell, str) else cell)
    return keys


def _defined_keys(
    tables: Mapping[str, pd.DataFrame], bibliography: Collection[str] | None
) -> dict[str, set[str]]:
    """Return the keys that each file defines; none if the project does not have it."""
    defined = {
        table.file: set(tables[table.file][table.columns[0].name].cat.categories) - {""}
        for table in (
            schema.STUDIES,
            schema.OUTCOMES,
            schema.CLAIMS,
            schema.SEARCHES,
            schema.KNOWN_STUDIES,
        )
    }
    defined[schema.BIBLIOGRAPHY_FILE] = set(bibliography or ())
    if isinstance(bibliography, Bibliography):
        # An entry that cannot be read has a message of its own.
        defined[schema.BIBLIOGRAPHY_FILE] |= set(bibliography.problems)
    return defined


def _key_rules(column: schema.Column, defined: Mapping[str, set[str]]) -> Iterator[CellRule]:
    """Require that keys are defined in the file they point into, if the project has it."""
    if not column.target or not defined[column.target]:
        return
    keys = defined[column.target] | defined.get(column.second_target, set())
    suggest = _Suggestions(keys)

    def undefined(cell: str) -> list[str]:
        words = split_keys(cell) if column.kind == "keys" else [cell] if cell else []
        return [word for word in words if word not in keys]

    def message(cell: str) -> str:
        words = undefined(cell)
        return "; ".join(
            _with_blank_hint(
                column, word, f"{quote(word)} is not defined in {column.target}.{suggest(word)}"
            )
            for word in words
        )

    yield CellRule(undefined, message)


class _Suggestions:
    """Suggests the nearest word for as long as that is fast."""

    def __init__(self, words: Collection[str]):
        self._words = list(words)
        self._left = MAX_SPELLING_COMPARISONS

    def __call__(self, word: str) -> str:
        self._left -= len(self._words)
        return reveal_hidden(did_you_mean(word, self._words)) if self._left > 0 else ""


def _check_studies_described(
    problems: ProblemList, results: pd.DataFrame, designs: pd.DataFrame
) -> None:
    """Require a row in the table of designs, if there is one, for each study of the results."""
    if designs.empty:
        return
    described = set(designs["study"].cat.categories)
    suggest = _Suggestions(described)
    studies = results["study"].drop_duplicates()
    missing = studies[~studies.isin(described) & (studies != "")]
    problems.add_rows(
        schema.STUDIES.file,
        missing.index,
        "study",
        lambda line: (
            f"{quote(missing[line])} has no row in {schema.DESIGNS.file}. "
            f"Add one.{suggest(missing[line])}"
        ),
    )


def _check_arms(problems: ProblemList, arms: pd.DataFrame, results: pd.DataFrame) -> None:
    """Require that each arm described is one of its study's arms in the results."""
    if arms.empty:
        return
    named = {
        pair
        for name in ("arm", "versus")
        for pair in zip(results["study"], results[name], strict=True)
    }
    pairs = pd.Series(list(zip(arms["study"], arms["arm"], strict=True)), arms.index)
    unknown = pairs[[pair not in named for pair in pairs]]

    def message(line: int) -> str:
        study, arm = unknown[line]
        allowed = sorted(name for other, name in named if other == study and name)
        return f"{study}: {not_one_of(quote(arm), allowed)}"

    problems.add_rows(schema.ARMS.file, unknown.index, "arm", message)


def _check_spelling(
    problems: ProblemList,
    table: schema.Table,
    rows: pd.DataFrame,
    column: str,
    fold: Callable[[str], str],
) -> None:
    """Report second spellings of a word: they would form a group of their own."""
    cells = rows[column]
    folded = pd.Series(map_cells(cells, fold, object), rows.index, dtype="category")
    if len(folded.cat.categories) == len(cells.cat.categories):
        return
    # The same arm may be spelled differently in another study.
    scope = [rows["study"]] if column == "arm" else []
    text = cells.astype("str")
    first = text.groupby([*scope, folded], observed=True).transform("first")
    others = text[(first != text) & (text != "")]

    def message(line: int) -> str:
        spellings = (
            quote(reveal_hidden(word, all_look_alikes=True)) for word in (others[line], first[line])
        )
        return "{} is spelled {} elsewhere. Use one spelling.".format(*spellings)

    problems.add_rows(table.file, others.index, column, message)


def _fold(cell: str) -> str:
    return appearance(cell).casefold()


# What must fit together within a row


class _Rows:
    """The columns of a table, as row rules need them; cells that are not numbers are NaN."""

    def __init__(self, rows: pd.DataFrame):
        self._rows = rows
        self._numbers: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._numbers:
            cells = self._rows[name].cat
            numbers = pd.to_numeric(cells.categories, errors="coerce").to_numpy(float)
            self._numbers[name] = numbers[cells.codes]
        return self._numbers[name]

    def has(self, name: str) -> np.ndarray:
        """Return which rows have something in a column."""
        return (self._rows[name] != "").to_numpy()

    def lacks(self, name: str) -> np.ndarray:
        """Return which rows have nothing in a column."""
        return ~self.has(name)

    def is_in(self, name: str, *words: str) -> np.ndarray:
        """Return which rows have one of these words in a column."""
        return self._rows[name].isin(words).to_numpy()

    def same(self, name: str, second_name: str) -> np.ndarray:
        """Return which rows have the same text in two columns."""
        return (self._rows[name].astype("str") == self._rows[second_name].astype("str")).to_numpy()


@dataclass(frozen=True)
class RowRule:
    """A rule for a row of a table; {names} in the message are cells of that row."""

    column: str
    is_broken: Callable[[_Rows], np.ndarray]
    message: str


MISSING = "required value is missing."


def _required(column: str, where: str, words: Collection[str], hint: str) -> RowRule:
    """Require a column where another one has one of these words, or anything if there are none."""
    return RowRule(
        column,
        lambda r: (r.is_in(where, *words) if words else r.has(where)) & r.lacks(column),
        f"{MISSING} {hint}",
    )


MAX_ROUNDING = 0.0051
"""How far a proportion printed with two decimals may lie from its count."""
PRINTED_MEASURES = ("proportion", *schema.NUMERIC_MEASURES, "date", "range")
MEASURES_WITHOUT_VALUE = (*schema.TEXT_MEASURES, *schema.UNSIZED_MEASURES)

RESULT_RULES = (
    # Numbers that are missing
    RowRule(
        "value",
        lambda r: r.is_in("measure", "proportion") & r.lacks("events") & r.lacks("value"),
        f"{MISSING} A proportion needs a value, or events and n.",
    ),
    _required(
        "value",
        "measure",
        schema.NUMERIC_MEASURES,
        "Give the number, or use measure statement or range instead of {measure}.",
    ),
    _required("events", "measure", ["count"], "A count needs the number counted."),
    _required("p_value", "measure", ["p value"], "Measure p value needs it."),
    _required(
        "direction",
        "measure",
        schema.UNSIZED_MEASURES,
        "Measure {measure} needs better, worse or no difference.",
    ),
    _required("ci_high", "ci_low", [], "A CI needs both limits; ci_low is {ci_low}."),
    _required("ci_low", "ci_high", [], "A CI needs both limits; ci_high is {ci_high}."),
    _required("spread_kind", "spread", [], "Say whether spread {spread} is sd, se, iqr or t."),
    _required(
        "time_unit", "time", [], f"Say the unit of time {{time}}: {', '.join(schema.TIME_UNITS)}."
    ),
    _required(
        "time", "time_unit", [], "Give a number for time_unit {time_unit}, or leave both blank."
    ),
    _required(
        "dose_unit", "dose", [], "Say the unit of dose {dose}, like mg/kg, mg/day or sessions."
    ),
    _required(
        "dose", "dose_unit", [], "Give a number for dose_unit {dose_unit}, or leave both blank."
    ),
    _required("versus", "role", ["contrast"], "A contrast needs its other arm."),
    _required("as_printed", "measure", PRINTED_MEASURES, "Copy the number as the text prints it."),
    # Cells that must be blank
    RowRule(
        "value",
        lambda r: r.is_in("measure", *MEASURES_WITHOUT_VALUE) & r.has("value"),
        "{value} must be blank: measure {measure} has no number",
    ),
    RowRule(
        "direction",
        lambda r: (
            r.has("direction")
            & ~r.is_in("measure", *schema.UNSIZED_MEASURES)
            & ~r.is_in("role", "contrast")
        ),
        "'{direction}' must be blank: only contrasts and measures significance and direction "
        "have a direction",
    ),
    RowRule(
        "versus",
        lambda r: ~r.is_in("role", "contrast") & r.has("versus"),
        "'{versus}' must be blank: only a contrast has another arm, and role is {role}",
    ),
    # Numbers that contradict each other
    RowRule("events", lambda r: r["events"] > r["n"], "{events} exceeds n ({n})"),
    RowRule("n", lambda r: r["n"] == 0, "is 0. Leave it blank if the number is not known."),
    RowRule(
        "value",
        lambda r: r.is_in("measure", "proportion") & (r["value"] > 1) & (r["value"] <= 100),
        "{value} is not a proportion between 0 and 1. Write {value}% as {proportion}.",
    ),
    RowRule(
        "value",
        lambda r: r.is_in("measure", "proportion") & ((r["value"] < 0) | (r["value"] > 100)),
        "{value} is not a proportion between 0 and 1",
    ),
    RowRule(
        "value",
        lambda r: (
            r.is_in("measure", "proportion")
            & (np.abs(r["events"] / r["n"] - r["value"]) > MAX_ROUNDING)
        ),
        "{value} is not {events} of {n}",
    ),
    RowRule(
        "value",
        lambda r: r.is_in("measure", *schema.RATIO_MEASURES) & (r["value"] <= 0),
        "{value} is not a ratio. Ratios are above 0 and not logarithmic.",
    ),
    RowRule(
        "value",
        lambda r: (r["value"] < r["ci_low"]) | (r["value"] > r["ci_high"]),
        "{value} lies outside its CI ({ci_low} to {ci_high})",
    ),
    RowRule("ci_low", lambda r: r["ci_low"] > r["ci_high"], "{ci_low} exceeds ci_high ({ci_high})"),
    RowRule(
        "spread",
        lambda r: (r["spread"] < 0) & ~r.is_in("spread_kind", "t"),
        "{spread} is negative. An SD or SE cannot be.",
    ),
    RowRule(
        "versus",
        lambda r: r.is_in("role", "contrast") & r.same("arm", "versus"),
        "'{versus}' is the arm itself. Name the other arm.",
    ),
)


MIN_DIFFERENCE_RULES = (
    RowRule("value", lambda r: r["value"] <= 0, "{value} is not above 0"),
    RowRule(
        "value",
        lambda r: r.is_in("measure", "rr") & (r["value"] == 1),
        "a ratio of 1 is no difference",
    ),
    RowRule(
        "value",
        lambda r: r.is_in("measure", "rd") & (r["value"] >= 1),
        "{value} is not a difference of proportions, which is below 1",
    ),
)
ROW_RULES = {
    schema.STUDIES.file: RESULT_RULES,
    schema.STATEMENTS.file: (
        _required("dose_unit", "quantity", ["dose"], "Say the unit of the dose, like mg/kg."),
    ),
    schema.MINIMAL_IMPORTANT_DIFFERENCES.file: MIN_DIFFERENCE_RULES,
}
"""What must not contradict itself within one row, by file."""


def _check_rows(
    problems: ProblemList, file: str, rows: pd.DataFrame, rules: Iterable[RowRule]
) -> None:
    """Report contradictions within a row; cells that are no numbers have their own message."""
    columns = _Rows(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        for rule in rules:
            lines = rows.index[rule.is_broken(columns)]

            def message(line: int, rule: RowRule = rule) -> str:
                cells = rows.loc[line].map(printable)
                if "{proportion}" in rule.message:
                    cells["proportion"] = _hundredth(cells["value"])
                return rule.message.format(**cells)

            problems.add_rows(file, lines, rule.column, message)


def _check_second_reports(problems: ProblemList, rows: pd.DataFrame) -> None:
    """Require the result that a second report repeats: same study, outcome and time."""
    repeats = rows[(rows["repeats"] != "").to_numpy()]
    if repeats.empty:
        return
    # Rows that repeat others are no originals: a circle of them would be counted nowhere.
    originals = rows[rows["study"].isin(repeats["study"]) & (rows["repeats"] == "")]
    known = {_result_key(row, row.source) for row in originals.itertuples()}
    missing = {
        row.Index: row for row in repeats.itertuples() if _result_key(row, row.repeats) not in known
    }

    def message(line: int) -> str:
        row = missing[line]
        when = f"{row.time} {row.time_unit}" if row.time else "no time"
        return (
            f"{quote(row.repeats)} has no row of {row.study}, {row.outcome}, {when} that counts. "
            "Name the text whose row counts, or leave repeats blank."
        )

    problems.add_rows(schema.STUDIES.file, list(missing), "repeats", message)


def _result_key(row, source: str) -> tuple:
    """Return what rows that repeat each other share; 24 hours and 1 day are the same time."""
    days = [
        round(float(number) * schema.TIME_UNITS[row.time_unit], 6)
        for number in row.time.split("-")
        if row.time_unit in schema.TIME_UNITS and re.fullmatch(r"\d+(\.\d+)?", number)
    ]
    return source, row.study, row.outcome, *days
