"""Workbooks (.xlsx) as rows of text: one visible sheet, its cells as they are shown, no macro run."""

import datetime
import re
import warnings
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from zipfile import ZipFile

from evidence.dataset import schema
from evidence.dataset.cells import fold
from evidence.errors import EvidenceError
from evidence.files import require_regular_file

MAX_BYTES = 500_000_000
"""A workbook that unpacks to more is refused: a small file can hold terabytes of zeros."""
MAX_CELLS_NAMED = 5
MAX_COLUMNS = 100
"""Columns that are looked at; a sheet can have 16,384 of them and a million rows."""
_NUMBER_FORMAT = re.compile(r"0(?:\.(0+))?(%?)")


def workbook_rows(path: Path, table: schema.Table, lines: list[int]) -> Iterator[list[str]]:
    """Yield the rows of a table that are not blank, and add the sheet row of each to `lines`.

    The table is the sheet of its name, or else the only visible one that is not blank. A formula
    counts as the value that was saved with it. Raise `EvidenceError` if the workbook cannot be
    read, or what it says is not certain.
    """
    try:
        require_regular_file(path)
        with ZipFile(path) as archive, warnings.catch_warnings():
            # openpyxl warns of what it does not read: styles, validation, pictures.
            warnings.simplefilter("ignore")
            _check_archive(archive)
            with closing(_load(path, read_only=True, data_only=True)) as workbook:
                name = _sheet_name(workbook, table)
                _check_merged_cells(path, archive, name)
                _check_formulas(path, archive, name)
                yield from _sheet_rows(workbook[name], table, lines)
    except OSError as error:
        raise EvidenceError(f"cannot be read: {error.strerror or error}") from None
    except EvidenceError:
        raise
    except Exception as error:  # zipfile, zlib and openpyxl fail in many ways at a damaged file
        raise EvidenceError(f"is not a workbook that can be read: {error}") from None


def _sheet_rows(sheet, table: schema.Table, lines: list[int]) -> Iterator[list[str]]:
    kind_of = {column.name: column.kind for column in table.columns}
    kinds: list[str] = []
    for line, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1):
        # A cell that was once formatted at the far end gives a million rows without cells.
        if all(cell.value is None for cell in row):
            continue
        cells = [_cell_text(cell, kind) for cell, kind in zip_longest(row, kinds, fillvalue="")]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        kinds = kinds or [kind_of.get(fold(cell), "") for cell in cells]
        lines.append(line)
        yield [*cells, *[""] * (len(kinds) - len(cells))]


def _load(path: Path, **options):
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError:
        raise EvidenceError(
            "reading it needs openpyxl: pip install evidence[xlsx]. Or save the sheet as CSV."
        ) from None
    return load_workbook(path, **options)


def _check_archive(archive: ZipFile) -> None:
    names = archive.namelist()
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise EvidenceError(
            "contains a macro, which is never run. Save it as a workbook without macros."
        )
    if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
        raise EvidenceError(f"unpacks to more than {MAX_BYTES // 1_000_000:,} MB. Save it as CSV.")


def _sheet_name(workbook, table: schema.Table) -> str:
    """Return the name of the sheet that holds a table."""
    visible = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    for sheet in visible:
        if fold(sheet.title) == table.name:
            return sheet.title
    filled = [
        sheet.title
        for sheet in visible
        if any(map(any, sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True)))
    ]
    if len(filled) == 1:
        return filled[0]
    if not filled:
        raise EvidenceError("has no visible sheet with cells. Unhide the sheet of the table.")
    raise EvidenceError(
        f"has {len(filled)} sheets: {', '.join(filled)}. Call that of the table '{table.name}'."
    )


def _check_merged_cells(path: Path, archive: ZipFile, sheet: str) -> None:
    """Refuse merged cells: all but the first of them are blank in the file."""
    if not _any_sheet_has(archive, rb"<mergeCell "):
        return
    if ranges := _load(path)[sheet].merged_cells.ranges:
        listed = ", ".join(sorted(map(str, ranges))[:MAX_CELLS_NAMED])
        raise EvidenceError(
            f"merged cells: {listed}. Unmerge them, and write the value into each cell."
        )


def _check_formulas(path: Path, archive: ZipFile, sheet: str) -> None:
    """Refuse formulas without a saved value, as other programs than spreadsheets write them."""
    if not _any_sheet_has(archive, rb"<f[ >/]"):
        return
    with (
        closing(_load(path, read_only=True)) as formulas,
        closing(_load(path, read_only=True, data_only=True)) as values,
    ):
        blank = [
            formula.coordinate
            for rows in zip(
                *(book[sheet].iter_rows(max_col=MAX_COLUMNS) for book in (formulas, values)),
                strict=True,
            )
            for formula, value in zip(*rows, strict=True)
            if formula.data_type == "f" and value.value is None
        ]
    if blank:
        listed = ", ".join(blank[:MAX_CELLS_NAMED])
        raise EvidenceError(
            f"formulas without a saved value: {listed}. Open the workbook in a spreadsheet and "
            "save it, or write the values."
        )


def _any_sheet_has(archive: ZipFile, pattern: bytes) -> bool:
    sheets = (name for name in archive.namelist() if name.startswith("xl/worksheets/"))
    return any(re.search(pattern, archive.read(name)) for name in sheets)


def _cell_text(cell, kind: str) -> str:
    """Return the text of a cell; a number as it is shown where the column says how it is printed."""
    value = cell.value
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, datetime.datetime | datetime.time):
        text = value.isoformat().removesuffix("T00:00:00")
        if kind in ("date", "text", ""):
            return text
        raise EvidenceError(
            f"cell {cell.coordinate} is a date ({text}), which spreadsheets make of a text like "
            "5/20. Format the column as text and write it again."
        )
    if isinstance(value, bool):
        return str(value).upper()
    shown = _NUMBER_FORMAT.fullmatch(cell.number_format) if kind == "printed" else None
    if shown:
        decimals, percent = shown.groups()
        return f"{value:.{len(decimals or '')}{percent or 'f'}}"
    return repr(int(value)) if value == int(value) else repr(value)
