"""A table of anybody's program: a header and rows of text, from a CSV file or the first sheet."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evidence.dataset.csv_layout import csv_layout, csv_message, read_csv_text
from evidence.dataset.schema import Table
from evidence.dataset.workbook import workbook_rows
from evidence.errors import EvidenceError
from evidence.files import read_text

OF_ANYBODY = Table("", "", (), ())
"""A table of which no column is known."""


@dataclass(frozen=True)
class Sheet:
    """The cells of a table as text; `rows` are by line number, without blank ones."""

    name: str
    header: list[str]
    rows: dict[int, dict[str, str]]

    @classmethod
    def from_records(cls, name: str, records: Iterable[tuple[int, list[str]]]) -> "Sheet":
        """Build a sheet from line and cells of each row; the first names the columns.

        Raise `EvidenceError` if there is no row, a row is not CSV, or the header names a column
        twice.
        """
        try:
            (_, header), *others = [*records] or [(0, [])]
        except csv.Error as error:
            raise EvidenceError(f"{name}: {csv_message(error)}") from None
        names = [cell.strip() for cell in header]
        if not any(names):
            raise EvidenceError(f"{name}: is empty; its first row must name the columns")
        for column, times in Counter(filter(None, names)).items():
            if times > 1:
                raise EvidenceError(f"{name}: the column '{column}' occurs twice. Rename one")
        rows = {
            line: {column: cell.strip() for column, cell in zip(names, row, strict=False) if column}
            for line, row in others
        }
        return cls(name, list(filter(None, names)), rows)


def read_sheet(path: Path) -> Sheet:
    """Read a CSV or .xlsx file.

    Raise `EvidenceError` if it cannot be read, is empty, or names a column twice.
    """
    try:
        is_workbook = path.suffix.lower() in (".xlsx", ".xlsm")
        records = _read_workbook(path) if is_workbook else parse_csv(_read_csv(path))
        return Sheet.from_records(path.name, records)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EvidenceError(f"{path}: is not text. Save it as CSV in UTF-8") from None


def parse_csv(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each row that is not blank; the delimiter is the header's."""
    layout, lines = csv_layout(io.StringIO(text, newline=""), OF_ANYBODY)
    reader = csv.reader(lines, delimiter=layout.delimiter)
    first = line = layout.lines_before + 1
    for row in reader:
        if any(cell.strip() for cell in row):
            yield line, row
        line = reader.line_num + first


def _read_csv(path: Path) -> str:
    """Return the text of a file in UTF-8 or UTF-16, else in the encoding of Western Windows."""
    try:
        text = read_csv_text(path).removeprefix("\ufeff")
    except UnicodeDecodeError:
        text = read_text(path, "cp1252")
    if "\0" in text:
        raise EvidenceError(f"{path}: is not text. Save it as CSV in UTF-8")
    return text


def _read_workbook(path: Path) -> Iterator[tuple[int, list[str]]]:
    lines: list[int] = []
    try:
        for cells in workbook_rows(path, Table(path.name, "", (), ()), lines):
            yield lines[-1], cells
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error}") from None
