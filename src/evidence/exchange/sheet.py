"""A table of anybody's program: a header and rows of text, from a CSV file or the first sheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import EvidenceError

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Sheet:
    """The cells of a table as text; `rows` are by line number, without blank ones."""

    name: str
    header: list[str]
    rows: dict[int, dict[str, str]]

    @classmethod
    def from_records(cls, name: str, records: Iterable[tuple[int, list[str]]]) -> "Sheet":
        """Build a sheet from line and cells of each row; the first names the columns.

        Raises
        ------
        EvidenceError
            There is no row, or the header names a column twice.
        """
        iterator = iter(records)
        _, header = next(iterator, (0, []))
        names = [cell.strip() for cell in header]
        if not any(names):
            raise EvidenceError(f"{name}: is empty; its first row must name the columns")
        for column in filter(None, names):
            if names.count(column) > 1:
                raise EvidenceError(f"{name}: the column '{column}' occurs twice. Rename one")
        rows = {
            line: {column: cell.strip() for column, cell in zip(names, row, strict=False) if column}
            for line, row in iterator
        }
        return cls(name, list(filter(None, names)), rows)


def read_sheet(path: Path) -> Sheet:
    """Read a CSV or .xlsx file.

    Raises
    ------
    EvidenceError
        It cannot be read, is empty, or names a column twice.
    """
    is_workbook = path.suffix.lower() == ".xlsx"
    records = _read_workbook(path) if is_workbook else parse_csv(_read_text(path))
    return Sheet.from_records(path.name, records)


def parse_csv(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each row that is not blank; the delimiter is the header's."""
    lines = io.StringIO(text, newline="")
    header = text.split("\n", 1)[0]
    reader = csv.reader(lines, delimiter=max(DELIMITERS, key=header.count))
    line = 1
    for row in reader:
        if any(cell.strip() for cell in row):
            yield line, row
        line = reader.line_num + 1


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise EvidenceError(f"{path}: is not text. Save it as CSV in UTF-8")


def _read_workbook(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        import openpyxl
    except ImportError:
        raise EvidenceError(
            f"{path}: reading a spreadsheet needs openpyxl: pip install openpyxl; or save as CSV"
        ) from None
    sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).active
    for line, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = ["" if cell is None else str(cell) for cell in row]
        if any(cells):
            yield line, cells
