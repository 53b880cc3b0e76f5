"""CSV files as tables of text, with the line on which each row begins."""

import csv
import difflib
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np

from evidence.dataset import schema
from evidence.dataset.fast_csv import LONG, read_regular
from evidence.dataset.text_checks import hidden_characters, may_hide_characters, reveal_hidden
from evidence.dataset.text_table import Cells, Sheet
from evidence.errors import Problem, Problems

AT_ONCE = 500
"""Rows that are turned into columns at once; few enough to stay in the processor's own memory."""


def read_tables(root: Path) -> tuple[dict[str, Sheet], Problems]:
    """The tables of a project as text, by file name, and what keeps any of them from being read.

    One that is absent or unreadable is empty.
    """
    sheets, problems = {}, Problems()
    for table in schema.TABLES:
        sheets[table.file], found = _read_table(root, table)
        problems.take(found)
    return sheets, problems


def _read_table(root: Path, table: schema.Table) -> tuple[Sheet, Problems]:
    """The table as text; an empty one where it is absent or unreadable."""
    empty = _as_sheet(table, {}, np.empty(0, int))
    path = root / table.file

    def refuse(line, value, rule):
        return empty, Problems([Problem(table.file, line, "", value, rule)])

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return refuse(0, "it", "is missing") if table.required else (empty, Problems())
    except OSError as error:
        return refuse(0, "it", f"cannot be read: {error.strerror}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = f"byte 0x{content[error.start]:02x}"
        return refuse(line, byte, "is not UTF-8; save the file as UTF-8")
    if not text or text.isspace():
        return refuse(0, "it", "is empty; its first line names the columns")
    # Read in parts from here on: the whole once more would need as much memory as all its cells.
    del text
    rows = _Rows(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""))
    try:
        sheet, problems = _parse(table, rows, content)
    except csv.Error as error:
        if "field limit" in str(error):
            most = csv.field_size_limit()
            rule = f"has more than {most:,} characters from here on; is a quote not closed?"
            return refuse(rows.line, "a cell", rule)
        return refuse(rows.line, "it", f"is not well-formed CSV: {error}")
    if problems:
        return empty, problems
    if not len(sheet) and table.required:
        return refuse(0, "it", "has a header and no rows")
    # Most files hide nothing, and one look at the whole tells so.
    return sheet, _check_hidden(sheet) if may_hide_characters(content) else problems


def _parse(table: schema.Table, rows: "_Rows", content: bytes) -> tuple[Sheet, Problems]:
    """The rows as columns of text; with problems of header and rows, the columns mean nothing."""
    each = iter(rows)
    header = [name.strip() for name in next(each)]
    problems = Problems(_check_header(table, header))
    found = read_regular(content, len(header)) if len(content) > LONG else None
    if found is None:
        columns = _read_rows(table, each, len(header), rows.lines, problems)
        found = columns, np.array(rows.lines[1:], int)
    columns, lines = found
    if problems:
        columns = []
    return _as_sheet(table, dict(zip(header, columns, strict=False)), lines), problems


def _as_sheet(table: schema.Table, columns: dict[str, Cells], lines: np.ndarray) -> Sheet:
    """With blank cells where the table has no such column."""
    blank = Cells(np.array([""], dtype=object)[: len(lines)], np.zeros(len(lines), int))
    return Sheet(table, lines, {name: columns.get(name, blank) for name in table.names})


class _Rows:
    """The rows of a CSV text, blank ones left out; `lines` are those on which they begin."""

    def __init__(self, text: Iterable[str]):
        self._reader = csv.reader(text, strict=True)
        self.line = 1
        self.lines: list[int] = []

    def __iter__(self) -> Iterator[list[str]]:
        for row in self._reader:
            if row:
                self.lines.append(self.line)
                yield row
            self.line = self._reader.line_num + 1


def _read_rows(
    table: schema.Table,
    rows: Iterator[list[str]],
    width: int,
    lines: list[int],
    problems: Problems,
) -> list[Cells]:
    """All columns; rows of another length than the header are problems."""
    seen = [defaultdict(count().__next__) for _ in range(width)]
    codes: list[list[np.ndarray]] = [[np.empty(0, int)] for _ in range(width)]
    rule = f"fields, but the header has {width}; is a comma not quoted?"
    while part := list(islice(rows, AT_ONCE)):
        if set(map(len, part)) == {width}:
            for numbers, parts, cells in zip(seen, codes, zip(*part, strict=True), strict=True):
                parts.append(np.fromiter(map(numbers.__getitem__, cells), int, len(cells)))
            continue
        for row, line in zip(part, lines[-len(part) :], strict=True):
            if len(row) != width:
                problems.put(Problem(table.file, line, "", str(len(row)), rule))
    return [
        Cells(np.array(list(numbers), dtype=object), np.concatenate(parts))
        for numbers, parts in zip(seen, codes, strict=True)
    ]


def _check_hidden(sheet: Sheet) -> Problems:
    problems = Problems()
    for column in sheet.table.names:
        found = sheet[column].map(hidden_characters, object)

        def rule(place, found=found):
            return f"hides {found[place]}; take it out"

        def value(place, column=column):
            return reveal_hidden(sheet.cell(column, place))

        sheet.report(problems, found != "", column, rule, value)
    return problems


def _check_header(table: schema.Table, header: list[str]) -> Iterator[Problem]:
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            yield Problem(table.file, 1, name or "(blank)", name, "is a column twice")
        if name not in table.names:
            close = difflib.get_close_matches(name, table.names, 1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(table.names)}"
            rule = f"is not a column of this table; {hint}"
            yield Problem(table.file, 1, "", f"'{name}'", rule)
    needed = {column.name for column in table.columns if column.required} | set(table.key)
    for name in table.names:
        if name in needed and name not in header:
            yield Problem(table.file, 1, "", f"'{name}'", "is a column that is missing")
