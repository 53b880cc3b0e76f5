"""Read the numbers of a printed text: digits, rounding and the counts a percentage allows.

Vocabulary
----------
GRIM (granularity-related inconsistency of means): n participants can give only n + 1 different
percentages, so a printed percentage, with the rounding its digits allow, is possible with some
counts only, perhaps with none.
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from evidence.dataset.csv_reader import map_cells

# Some journals print a fraction without the zero before its point.
_NUMBER = re.compile(r"(?<![\w.])-?(?:\d+(?:\.\d+)?|\.\d+)")
# Digits are limited, as Python reads no integer of thousands.
_PERCENTAGE = re.compile(r"([<>≤≥]?)\s*(?<!\d)(\d{1,9})(?:\.(\d{1,99}))?\s*(?:%|per ?cent)")
# What journals print in other ways than programs do, all of it rare.
_UNUSUAL = re.compile(r"\d[,']\d|[^\x00-\x7f]")
_MIDDLE_DOT = re.compile(r"[·∙⋅](?=\d)")
_MINUS = re.compile(r"(?<![\w.%)])[‐‑‒–—−](?=[\d.])")
_GROUPS = r"(?<![\d.,])[1-9]\d{0,2}(?:%s\d{3})+(?![\d,])"
_THOUSANDS = re.compile(_GROUPS % "[\u00a0\u2007\u2009\u202f'’]")
_COMMA_THOUSANDS = re.compile(_GROUPS % ",")
_BLANK_THOUSANDS = re.compile(_GROUPS % " ")
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d+),(\d+)(?!\d|[.,]\d)")
_DECIMAL_POINT = re.compile(r"\.\d")


class PrintedPercentage(NamedTuple):
    """A percentage: its digits as one integer, how many are decimals, and <, >, ≤ or ≥ if printed."""

    digits: int
    decimals: int
    relation: str = ""


def plain_text(text: str) -> str:
    """Return a printed text with its numbers as programs write them: -1234.5.

    A middle dot is a decimal point, and a dash before a number a minus sign. A comma before groups
    of three digits separates thousands; between other digits it is a decimal comma, unless the
    text has a decimal point as well.
    """
    if not _UNUSUAL.search(text):
        return text
    text = _MINUS.sub("-", _MIDDLE_DOT.sub(".", text))
    for thousands in (_THOUSANDS, _COMMA_THOUSANDS):
        text = thousands.sub(_digits, text)
    return text if _DECIMAL_POINT.search(text) else _DECIMAL_COMMA.sub(r"\1.\2", text)


def plain_texts(text: str) -> list[str]:
    """Return every way to read the numbers of a printed text, that of `plain_text` first.

    1,234 may be one number or two, with or without decimals; 12 345 may be one number or two.
    """
    marks = _MINUS.sub("-", _MIDDLE_DOT.sub(".", text))
    decimals = _DECIMAL_COMMA.sub(r"\1.\2", marks)
    return [plain_text(text), marks, decimals, _BLANK_THOUSANDS.sub(_digits, marks)]


def _digits(match: re.Match) -> str:
    return re.sub(r"\D", "", match[0])


def printed_numbers(text: str) -> list[str]:
    """Return the numbers of a printed text as digits, with a minus sign where one is printed."""
    return _NUMBER.findall(plain_text(text))


def possible_numbers(text: str) -> set[float]:
    """Return the numbers that a printed text has in any of the ways to read it."""
    return {float(number) for plain in plain_texts(text) for number in _NUMBER.findall(plain)}


def rounding(printed: str) -> float:
    """Return half a unit of the last printed digit: 0.05 for 1.2."""
    return 0.5 * 10 ** -len(printed.partition(".")[2])


def printed_percentage(as_printed: str) -> PrintedPercentage | None:
    """Return the first percentage of a printed text."""
    match = _PERCENTAGE.search(plain_text(as_printed))
    if match is None:
        return None
    relation, whole, decimals = match.groups(default="")
    return PrintedPercentage(int(whole + decimals), len(decimals), relation)


def possible_counts(as_printed: str, n: int) -> range:
    """Return the counts out of `n` that round to the first percentage of a printed text.

    Halves may have been rounded up or down, so both are allowed. A limit like <1% allows every
    count within it. A text without a percentage allows no count. References: brown2017.
    """
    parsed = printed_percentage(as_printed)
    if parsed is None:
        return range(0)
    first, last = map(int, _bounds(*parsed, n))
    return range(max(first, 0), min(last, n) + 1)


def is_impossible(as_printed: str, n: int) -> bool:
    """Tell whether a text prints a percentage that no count of `n` participants gives."""
    return printed_percentage(as_printed) is not None and not possible_counts(as_printed, n)


def count_ranges(as_printed: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last of the `possible_counts` of many texts and n at once.

    The last is below the first if no count is possible, and -1 for a text without a percentage.
    """
    # Python integers: a text may print more digits than 64 bits hold.
    parsed = map_cells(
        pd.Series(as_printed),
        lambda text: printed_percentage(text) or PrintedPercentage(-1, 0),
        object,
    )
    digits, decimals, relation = np.array(list(parsed), dtype=object).reshape(-1, 3).T
    n = np.asarray(n).astype(int).astype(object)
    first, last = _bounds(digits, decimals, relation, n)
    return np.clip(first, 0, n + 1).astype(int), np.minimum(last, n).astype(int)


def _bounds(digits, decimals, relation, n):
    """Return the smallest and largest count whose percentage rounds to these digits, or is < them."""
    step = 200 * 10**decimals
    first, last = -((1 - 2 * digits) * n // step), (2 * digits + 1) * n // step
    for sign, low, high in (
        ("<", 0, -(-2 * digits * n // step) - 1),
        ("≤", 0, 2 * digits * n // step),
        (">", 2 * digits * n // step + 1, n),
        ("≥", -(-2 * digits * n // step), n),
    ):
        is_limit = relation == sign
        first, last = np.where(is_limit, low, first), np.where(is_limit, high, last)
    return first, last
