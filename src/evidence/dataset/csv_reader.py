"""CSV files and workbooks as text tables: one row per record, indexed by its line or sheet row.

Files are read as spreadsheets of any country write them: separated by commas, semicolons or tabs,
in UTF-8 or UTF-16, with blank rows and columns at their ends.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd

from evidence.dataset import schema
from evidence.dataset.cells import cell_reader, plain_cell
from evidence.dataset.csv_layout import (
    DELIMITER_NAMES,
    csv_layout,
    csv_message,
    extra_names,
    header_names,
    open_csv,
    read_csv_text,
)
from evidence.dataset.project_folder import table_path
from evidence.dataset.text_checks import printable, quote, undecodable_byte
from evidence.dataset.workbook import workbook_rows
from evidence.errors import EvidenceError, ProblemList, did_you_mean
from evidence.files import read_bytes

CHUNK_ROWS = 500
"""Rows that are turned into columns at once: few enough to stay in the processor's cache."""
ZIP_MARK = b"PK\x03\x04"
"""How a workbook begins."""


def read_tables(project: Path) -> tuple[dict[str, pd.DataFrame], ProblemList]:
    """Read all tables of a project as text, by file name, with what keeps some from being read.

    Every table of the schema has a text table (see `text_table`); one that is absent or cannot be
    read has no rows.
    """
    tables, problems = {}, ProblemList()
    for table in schema.TABLES:
        tables[table.file] = read_table(table_path(project, table), table, problems)
        if (project / table.file).exists() and (project / table.workbook).exists():
            problems.add(table.file, 0, "", f"{table.workbook} is there as well. Keep one of them.")
    return tables, problems


def read_table(path: Path, table: schema.Table, problems: ProblemList) -> pd.DataFrame:
    """Read a file as the text table of a table of the schema; without rows if it has problems."""
    errors = ProblemList()
    read_file = _read_workbook if path.suffix == schema.WORKBOOK_SUFFIX else _read_csv
    columns, lines = read_file(path, table, errors)
    problems.extend(errors)
    return text_table(table, *(({}, []) if errors else (columns, lines)))


def text_table(
    table: schema.Table, columns: dict[str, pd.Categorical], lines: list[int]
) -> pd.DataFrame:
    """Build a text table: categorical columns of text, indexed by line number.

    A million rows share few distinct cells, so categories are checked once and not per row.
    Columns that are absent are blank; extra columns come last.
    """
    blank = pd.Categorical.from_codes(np.zeros(len(lines), np.int8), [""])
    cells = {name: columns.get(name, blank) for name in (*table.names, *extra_names(columns))}
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


def _read_workbook(
    path: Path, table: schema.Table, problems: ProblemList
) -> tuple[dict[str, pd.Categorical], list[int]]:
    """Read the columns of a workbook and the sheet row of each of its rows."""
    lines: list[int] = []
    columns: dict[str, pd.Categorical] = {}
    try:
        rows = workbook_rows(path, table, lines)
        columns = _read_columns(rows, lines, table, problems)
    except EvidenceError as error:
        problems.add(table.file, 0, "", str(error))
    if table.required and not problems and len(lines) < 2:
        problems.add(table.file, 0, "", "has a header but no rows")
    return columns, lines[1:]


def _read_csv(
    path: Path, table: schema.Table, problems: ProblemList
) -> tuple[dict[str, pd.Categorical], list[int]]:
    """Read the columns of one file and the line of each row; incomplete if there are problems."""
    lines: list[int] = []
    columns: dict[str, pd.Categorical] = {}
    try:
        with open_csv(path) as file:
            layout, text = csv_layout(file, table)
            reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
            rows = _rows(reader, lines, layout.lines_before)
            columns = _read_columns(rows, lines, table, problems, layout.delimiter)
    except FileNotFoundError:
        if table.required:
            problems.add(table.file, 0, "", _missing_file_message(path))
        return columns, lines
    except OSError as error:
        problems.add(table.file, 0, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        line, message = _first_undecodable(path)
        problems.add(table.file, line, "", message)
    except csv.Error as error:
        problems.add(table.file, lines[-1], "", csv_message(error))
    if table.required and not problems and len(lines) < 2:
        problems.add(table.file, 0, "", "has a header but no rows")
    return columns, lines[1:]


def _rows(reader, lines: list[int], lines_before: int) -> Iterator[list[str]]:
    """Yield the records that are not blank, and add the line on which each begins to `lines`."""
    first = lines_before + 1
    while True:
        # Before the record is read, so that an error is reported where its record begins.
        lines.append(reader.line_num + first)
        row = next(reader, None)
        if row is None:
            lines.pop()
            return
        # Spreadsheets write rows that were once used as delimiters alone.
        if row and (row[0] or any(row)):
            yield row
        else:
            lines.pop()


def _read_columns(
    rows: Iterator[list[str]],
    lines: list[int],
    table: schema.Table,
    problems: ProblemList,
    delimiter: str = "",
) -> dict[str, pd.Categorical]:
    """Read header and columns by name; each distinct cell is stored once."""
    header = header_names(next(rows, []), table)
    width = len(header)
    numbers: list[dict[str, int]] = [defaultdict(count().__next__) for _ in header]
    codes: list[list[np.ndarray]] = [[np.empty(0, np.int32)] for _ in header]
    sizes: dict[int, int] = {}
    while chunk := list(islice(rows, CHUNK_ROWS)):
        if set(map(len, chunk)) != {width}:
            for position, (line, row) in enumerate(zip(lines[-len(chunk) :], chunk, strict=True)):
                chunk[position] = row[:width]
                if len(row) < width or any(row[width:]):
                    sizes[line] = len(row)
        if not sizes:
            for number, parts, cells in zip(numbers, codes, zip(*chunk, strict=True), strict=True):
                parts.append(np.fromiter(map(number.__getitem__, cells), np.int32, len(cells)))
    # Columns without a name are blank, as a spreadsheet leaves them, or lack their name.
    nameless = [k for k, name in enumerate(header) if not name and any(numbers[k])]
    _check_header(table, header, lines[0] if lines else 1, nameless, problems)
    sign = DELIMITER_NAMES.get(delimiter, "delimiters")
    problems.add_rows(
        table.file,
        list(sizes),
        "",
        lambda line: f"{sizes[line]} fields, but the header has {width}. Quote fields with {sign}.",
    )
    known = {*table.names, *extra_names(header)}
    return {
        name: _categorical(np.concatenate(parts), list(number), table, name, delimiter)
        for name, number, parts in zip(header, numbers, codes, strict=True)
        if name in known
    }


def _categorical(
    codes: np.ndarray, cells: list[str], table: schema.Table, name: str, delimiter: str
) -> pd.Categorical:
    """Return the cells of a column, each distinct one read once as the column's kind asks."""
    column = table.column(name)
    if not all(map(plain_cell(column), cells)):
        read = cell_reader(column, decimal_comma=delimiter == ";")
        # Two spellings of one cell, such as Yes and yes, may become the same.
        new_codes, cells = pd.factorize(np.array([read(cell) for cell in cells], object))
        codes = new_codes[codes]
    return pd.Categorical.from_codes(codes, cells)


def _check_header(
    table: schema.Table, header: list[str], line: int, nameless: list[int], problems: ProblemList
) -> None:
    """Check the names of the columns; `nameless` are the positions of columns that lack one."""
    available = f"Available: {', '.join(table.names)}"
    own = f"A column of your own begins with {schema.EXTRA_PREFIX}."
    known = {*table.names, *extra_names(header)}
    unknown = [name for name in dict.fromkeys(filter(None, header)) if name not in known]
    if not header:
        message = "the file is empty; its first line must name the columns"
        problems.add(table.file, 0, "", message)
        return
    if not set(header) & set(table.names):
        message = f"this line names no column of the table, but {quote(', '.join(unknown))}. "
        message += f"The first line must name the columns. {available}"
        problems.add(table.file, line, "", message)
        return
    for name, times in Counter(filter(None, header)).items():
        if times > 1:
            problems.add(table.file, line, printable(name), "the column occurs twice")
    for number in nameless:
        message = f"column {number + 1} has cells but no name. Name it, or delete its cells."
        problems.add(table.file, line, "", message)
    hints = {name: did_you_mean(name, table.names) for name in unknown}
    for name, hint in hints.items():
        if hint:
            problems.add(table.file, line, "", f"unknown column {quote(name)}.{hint} {own}")
    if others := [quote(name) for name, hint in hints.items() if not hint]:
        plural = "s" if len(others) > 1 else ""
        message = f"unknown column{plural} {', '.join(others)}. {own} {available}"
        problems.add(table.file, line, "", message)
    # A column that is only misspelled is not missing.
    meant = " ".join(hints.values())
    missing = [
        f"'{name}'"
        for name in table.required_names
        if name not in header and f"'{name}'" not in meant
    ]
    if missing:
        words = "columns {} are" if len(missing) > 1 else "column {} is"
        message = f"required {words.format(', '.join(missing))} missing"
        problems.add(table.file, line, "", message)


def _missing_file_message(path: Path) -> str:
    """Say that a file is missing, and which file of the same name is there."""
    for other in sorted(path.parent.glob(f"{path.stem}.*")):
        return (
            f"the file is missing, but {printable(other.name)} is there. Save it as CSV or .xlsx."
        )
    return "the file is missing"


def _first_undecodable(path: Path) -> tuple[int, str]:
    """Return line and message for the first byte that is not UTF-8."""
    if read_bytes(path).startswith(ZIP_MARK):
        return 0, f"is a workbook. Rename it to {path.with_suffix(schema.WORKBOOK_SUFFIX).name}"
    try:
        read_csv_text(path)
    except UnicodeDecodeError as error:
        return undecodable_byte(error)
    raise AssertionError("the file changed while it was read")
