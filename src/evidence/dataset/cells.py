"""Cells as spreadsheets and journals write them, read as the one spelling that the tables use.

A cell that cannot be read without a guess stays as it is, and validation refuses it by name.
"""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

from evidence.dataset.schema import Column

FORMS = {
    "integer": r"[0-9]+",
    "number": r"-?[0-9]+(\.[0-9]+)?",
    "time": r"[0-9]+(\.[0-9]+)?(-[0-9]+(\.[0-9]+)?)?",
    "date": r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
    "p": r"[<>]?(0?\.[0-9]+|0|1(\.0+)?)",
}
"""The form of a cell, for the kinds of columns that have one; digits of other scripts become these."""
LARGEST = {"integer": 10**9 - 1, "number": 10**15, "time": 10**9}
"""The largest number of a cell: more people than live on Earth are no participants, and a double
holds 15 digits."""
_HYPHENS: dict[str, str | int | None] = dict.fromkeys("‐‑‒–—−", "-")
SIGNS = str.maketrans(_HYPHENS | dict.fromkeys("·∙⋅٫", "."))
"""Minus signs and decimal points as journals set them, and the characters that programs read."""
# A blank (also a thin or no-break one) or an apostrophe between groups of three digits.
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:[\s'’]\d{3})+(?!\d)")
_COMMA_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+")
_COMMA_THOUSANDS_AND_POINT = re.compile(r"-?[1-9]\d{0,2}((,\d{3}){2,}|(,\d{3})+\.\d+)")
_POINT_THOUSANDS_AND_COMMA = re.compile(r"-?[1-9]\d{0,2}((\.\d{3}){2,}|(\.\d{3})+,\d+)")
_EXPONENT = re.compile(r"-?\d+(\.\d+)?[eE][-+]?\d{1,2}")


def fold(text: str) -> str:
    """Return a text without the differences of case, of blanks and of equivalent characters."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(str.maketrans(_HYPHENS))
    return " ".join(text.casefold().split())


def cell_reader(column: Column, *, decimal_comma: bool = False) -> Callable[[str], str]:
    """Return the function that reads the cells of a column.

    `decimal_comma` says that a comma is a decimal sign even where it could separate thousands, as
    in the files of programs that separate fields by semicolons.
    """
    if column.kind in FORMS:
        fits = re.compile(FORMS[column.kind]).fullmatch

        def read_formed(cell: str) -> str:
            number = _plain_number(cell, column.kind, decimal_comma=decimal_comma)
            return number if fits(number) else cell

        return read_formed
    if column.words:
        spellings = {fold(word): word for word in column.words}
        return lambda cell: spellings.get(fold(cell)) or compose(cell)
    return compose


def plain_cell(column: Column) -> Callable[[str], object]:
    """Return a fast test for cells that are read as they are; nearly all are."""
    if column.kind in FORMS:
        return re.compile(f"({FORMS[column.kind]})?").fullmatch
    return {"", *column.words}.__contains__ if column.words else str.isascii


def is_too_large(cell: str, kind: str) -> bool:
    """Tell whether a cell that has the form of its kind holds a number above the largest one.

    The digits are counted first: a file may have thousands of them.
    """
    largest = LARGEST[kind]
    numbers = (number.partition(".")[0].lstrip("0") for number in cell.lstrip("-").split("-"))
    return any(len(digits) > len(str(largest)) or int(digits or 0) > largest for digits in numbers)


def compose(text: str) -> str:
    """Return a text with each letter and its accents as one character (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_ambiguous(cell: str) -> bool:
    """Tell whether a number has a comma that may separate thousands or decimals."""
    return bool(_COMMA_THOUSANDS.fullmatch(cell.translate(SIGNS)))


def _plain_number(cell: str, kind: str, *, decimal_comma: bool) -> str:
    """Write a number with a point, without thousands separators, exponent or sign for above 0."""
    text = cell.strip().translate(SIGNS)
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(sign, sign)) for sign in text)
    text = _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    if _POINT_THOUSANDS_AND_COMMA.fullmatch(text):
        text = text.replace(".", "")
    elif _COMMA_THOUSANDS_AND_POINT.fullmatch(text) or (
        kind == "integer" and not decimal_comma and _COMMA_THOUSANDS.fullmatch(text)
    ):
        text = text.replace(",", "")
    if decimal_comma or not _COMMA_THOUSANDS.fullmatch(text):
        text = re.sub(r"(?<![\d.,])(\d*),(\d+)(?![\d.,])", r"\1.\2", text)
    if _EXPONENT.fullmatch(text):
        text = format(Decimal(text), "f")
    if kind == "p":
        return re.sub(r"^([<>])\s+", r"\1", text)
    text = re.sub(r"^\+(?=[\d.])", "", text)
    text = re.sub(r"(?<!\d)\.(?=\d)", "0.", text)
    # A spreadsheet that formats a column with decimals writes 24 as 24.0.
    return re.sub(r"(?<=\d)\.0*(?![\d.])", "", text) if kind in ("integer", "time") else text
