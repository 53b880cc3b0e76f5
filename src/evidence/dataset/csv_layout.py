"""How a CSV file is written: its encoding, its delimiter and its header; nothing here loads pandas."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from evidence.dataset import schema
from evidence.dataset.cells import fold
from evidence.files import read_bytes, require_regular_file

DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MAX_CELL_CHARS = 131_072
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""How a file begins that Excel saves as "Unicode text"."""


@dataclass(frozen=True)
class CsvLayout:
    """How a CSV file is written.

    `lines_before` counts the lines above its header, such as the `sep=;` of a spreadsheet.
    """

    delimiter: str
    lines_before: int


def csv_layout(lines: Iterable[str], table: schema.Table) -> tuple[CsvLayout, Iterator[str]]:
    """Return the layout of a file, and its lines from the header on.

    No column name has a delimiter in it, so the one that gives most known names is used; of a
    table without columns, the one that occurs most.
    """
    # One limit for the whole process, which other libraries raise.
    csv.field_size_limit(MAX_CELL_CHARS)
    lines = iter(lines)
    header, lines_before, delimiter = next(lines, ""), 0, ""
    if separator := re.fullmatch(r'"?sep=(.)"?\s*', header, re.I):
        header, lines_before, delimiter = next(lines, ""), 1, separator[1]
    if not delimiter:
        known = set(table.names)

        def fit(sign: str) -> int:
            names = header_names(header.split(sign), table)
            return len(known & {*names}) if known else len(names)

        delimiter = max(DELIMITER_NAMES, key=fit)
    return CsvLayout(delimiter, lines_before), chain([header], lines)


def header_names(cells: Iterable[str], table: schema.Table) -> list[str]:
    """Return the column names of a header, as the table spells them and extra ones in lower case."""
    known = set(table.names)
    names = (cell.strip(' "\r\n\t\xa0') for cell in cells)
    folded = ((name, fold(name).replace(" ", "_")) for name in names)
    return [
        spelling if spelling in known or extra_names([spelling]) else name
        for name, spelling in folded
    ]


def extra_names(names: Iterable[str]) -> list[str]:
    """Return the names of columns that a project adds for itself."""
    return [name for name in names if name.startswith(schema.EXTRA_PREFIX)]


def open_csv(path: Path) -> TextIO:
    """Open a CSV file in its encoding, without its byte-order mark."""
    require_regular_file(path)
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in UTF_16_MARKS else "utf-8-sig"
    return path.open(encoding=encoding, newline="")


def read_csv_text(path: Path) -> str:
    """Return the text of a CSV file, with its byte-order mark if it is in UTF-8."""
    content = read_bytes(path)
    return content.decode("utf-16" if content.startswith(UTF_16_MARKS) else "utf-8")


def csv_message(error: csv.Error) -> str:
    """Say why a CSV file cannot be split into cells."""
    if "field limit" in str(error):
        return f"a cell has more than {MAX_CELL_CHARS:,} characters. Is a quote not closed?"
    return f"is not well-formed CSV: {error}. Is a quote not closed, or not doubled?"
