"""CSV files as text tables: one row per record, indexed by the line on which it begins."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd

from evidence.dataset import schema
from evidence.dataset.text_checks import printable, quote, undecodable_byte
from evidence.errors import ProblemList, did_you_mean

CHUNK_ROWS = 500
"""Rows that are turned into columns at once: few enough to stay in the processor's cache."""


def read_tables(project: Path) -> tuple[dict[str, pd.DataFrame], ProblemList]:
    """Read all tables of a project as text, by file name, with what keeps some from being read.

    Every table of the schema has a text table (see `text_table`); one that is absent or cannot be
    read has no rows.
    """
    tables, problems = {}, ProblemList()
    for table in schema.TABLES:
        tables[table.file] = read_table(project / table.file, table, problems)
    return tables, problems


def read_table(path: Path, table: schema.Table, problems: ProblemList) -> pd.DataFrame:
    """Read a file as the text table of a table of the schema; without rows if it has problems."""
    errors = ProblemList()
    columns, lines = _read_file(path, table, errors)
    problems.extend(errors)
    return text_table(table, *(({}, []) if errors else (columns, lines)))


def text_table(
    table: schema.Table, columns: dict[str, pd.Categorical], lines: list[int]
) -> pd.DataFrame:
    """Build a text table: categorical columns of text, indexed by line number.

    A million rows share few distinct cells, so categories are checked once and not per row.
    Columns that are absent are blank.
    """
    blank = pd.Categorical.from_codes(np.zeros(len(lines), np.int8), [""])
    cells = {name: columns.get(name, blank) for name in table.names}
    return pd.DataFrame(cells, index=pd.Index(lines, dtype="int64", name="line"))


def map_cells(column: pd.Series, function: Callable[[str], object], dtype: type) -> np.ndarray:
    """Apply a function once to each distinct cell of a column; return the results by row."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, cells = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, cells = pd.factorize(column)
    return np.fromiter(map(function, cells), dtype, len(cells))[codes]


def split_keys(cell: str) -> list[str]:
    """Split a cell that holds several words, separated by semicolons."""
    return [word.strip() for word in cell.split(";") if word.strip()]


def _read_file(
    path: Path, table: schema.Table, problems: ProblemList
) -> tuple[dict[str, pd.Categorical], list[int]]:
    """Read the columns of one file and the line of each row; incomplete if there are problems."""
    lines: list[int] = []
    columns: dict[str, pd.Categorical] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _rows(csv.reader(file, strict=True), lines)
            header = [name.strip() for name in next(rows, [])]
            _check_header(table, header, problems)
            columns = _read_columns(rows, header, lines, table.file, problems)
    except FileNotFoundError:
        if table.required:
            problems.add(table.file, 0, "", "the file is missing")
        return columns, lines
    except OSError as error:
        problems.add(table.file, 0, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        line, message = _first_undecodable(path)
        problems.add(table.file, line, "", message)
    except csv.Error as error:
        problems.add(table.file, lines[-1], "", _csv_message(error))
    if table.required and not problems and len(lines) < 2:
        problems.add(table.file, 0, "", "has a header but no rows")
    return columns, lines[1:]


def _rows(reader, lines: list[int]) -> Iterator[list[str]]:
    """Yield the records that are not blank, and add the line on which each begins to `lines`."""
    while True:
        # Before the record is read, so that an error is reported where its record begins.
        lines.append(reader.line_num + 1)
        row = next(reader, None)
        if not row:
            lines.pop()
        if row is None:
            return
        if row:
            yield row


def _read_columns(
    rows: Iterator[list[str]], header: list[str], lines: list[int], file: str, problems: ProblemList
) -> dict[str, pd.Categorical]:
    """Read the columns by name; each distinct cell is stored once."""
    width = len(header)
    numbers: list[dict[str, int]] = [defaultdict(count().__next__) for _ in header]
    codes: list[list[np.ndarray]] = [[np.empty(0, np.int32)] for _ in header]
    sizes: dict[int, int] = {}
    while chunk := list(islice(rows, CHUNK_ROWS)):
        if set(map(len, chunk)) == {width}:
            for number, parts, cells in zip(numbers, codes, zip(*chunk, strict=True), strict=True):
                parts.append(np.fromiter(map(number.__getitem__, cells), np.int32, len(cells)))
        else:
            for line, row in zip(lines[-len(chunk) :], chunk, strict=True):
                if len(row) != width:
                    sizes[line] = len(row)
    problems.add_rows(
        file,
        list(sizes),
        "",
        lambda line: f"{sizes[line]} fields, but the header has {width}. Quote fields with commas.",
    )
    return {
        name: pd.Categorical.from_codes(np.concatenate(parts), list(number))
        for name, number, parts in zip(header, numbers, codes, strict=True)
    }


def _check_header(table: schema.Table, header: list[str], problems: ProblemList) -> None:
    if not header:
        problems.add(table.file, 0, "", "the file is empty; its first line must name the columns")
        return
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            problems.add(table.file, 1, printable(name), "the column occurs twice")
        if name not in table.names:
            hint = did_you_mean(name, table.names) or f" Available: {', '.join(table.names)}"
            problems.add(table.file, 1, "", f"unknown column {quote(name)}.{hint}")
    for name in table.required_names:
        if name not in header:
            problems.add(table.file, 1, "", f"required column '{name}' is missing")


def _first_undecodable(path: Path) -> tuple[int, str]:
    """Return line and message for the first byte that is not UTF-8."""
    try:
        path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return undecodable_byte(error)
    raise AssertionError("the file changed while it was read")


def _csv_message(error: csv.Error) -> str:
    if "field limit" in str(error):
        limit = csv.field_size_limit()
        return f"a cell has more than {limit:,} characters. Is a quote not closed?"
    return f"is not well-formed CSV: {error}"
