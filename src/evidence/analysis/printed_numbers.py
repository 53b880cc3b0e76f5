"""Read the numbers of a printed text: digits, rounding and the counts a percentage allows.

Vocabulary
----------
GRIM (granularity-related inconsistency of means): n participants can give only n + 1 different
percentages, so a printed percentage, with the rounding its digits allow, is possible with some
counts only, perhaps with none.
"""

import re

import numpy as np
import pandas as pd

from evidence.dataset.csv_reader import map_cells

# Some journals print a fraction without the zero before its point.
_NUMBER = re.compile(r"(?<![\w.])[-−]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)")
_PERCENTAGE = re.compile(r"(\d+)(?:\.(\d+))?\s*(?:%|percent)")


def printed_numbers(text: str) -> list[str]:
    """Return the numbers of a printed text as digits, with a minus sign where one is printed."""
    return [number.replace(",", "").replace("−", "-") for number in _NUMBER.findall(text)]


def rounding(printed: str) -> float:
    """Return half a unit of the last printed digit: 0.05 for 1.2."""
    return 0.5 * 10 ** -len(printed.partition(".")[2])


def printed_percentage(as_printed: str) -> tuple[int, int] | None:
    """Return the digits of the first percentage as one integer, and how many are decimals."""
    match = _PERCENTAGE.search(as_printed)
    if match is None:
        return None
    decimals = match[2] or ""
    return int(match[1] + decimals), len(decimals)


def possible_counts(as_printed: str, n: int) -> tuple[int, ...]:
    """Return the counts out of `n` that round to the first percentage of a printed text.

    Halves may have been rounded up or down, so both are allowed. A text without a percentage
    allows no count.

    References
    ----------
    brown2017.
    """
    parsed = printed_percentage(as_printed)
    if parsed is None:
        return ()
    first, last = _bounds(*parsed, n)
    return tuple(range(max(first, 0), min(last, n) + 1))


def is_impossible(as_printed: str, n: int) -> bool:
    """Tell whether a text prints a percentage that no count of `n` participants gives."""
    return printed_percentage(as_printed) is not None and not possible_counts(as_printed, n)


def count_ranges(as_printed: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last of the `possible_counts` of many texts and n at once.

    The last is below the first if no count is possible, and -1 for a text without a percentage.
    """
    # Python integers: a text may print more digits than 64 bits hold.
    parsed = map_cells(
        pd.Series(as_printed), lambda text: printed_percentage(text) or (-1, 0), object
    )
    digits, decimals = np.array(list(parsed), dtype=object).reshape(-1, 2).T
    n = np.asarray(n).astype(int).astype(object)
    first, last = _bounds(digits, decimals, n)
    return np.clip(first, 0, n + 1).astype(int), np.minimum(last, n).astype(int)


def _bounds(digits, decimals, n):
    """Return the smallest and largest count whose percentage rounds to these digits."""
    step = 200 * 10**decimals
    return -((1 - 2 * digits) * n // step), (2 * digits + 1) * n // step
