"""Numbers as texts print them: their digits, how they were rounded, which counts they allow.

Vocabulary
----------
The *GRIM* idea: with n people only n + 1 percentages exist, so a printed one, with the rounding
its digits allow, names the counts that could lie behind it — none, one or several.
"""

import re
from fractions import Fraction

import numpy as np
import pandas as pd

# Some journals print a fraction without the nought before its point.
_NUMBER = re.compile(r"(?<![\w.])[-−]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)")
_PERCENTAGE = re.compile(r"(\d+)(?:\.(\d+))?\s*(?:%|percent)")


def printed_numbers(text: str) -> list[str]:
    """The numbers of a printed text as digits, a minus sign before those that have one."""
    return [number.replace(",", "").replace("−", "-") for number in _NUMBER.findall(text)]


def rounding(printed: str) -> float:
    """Half a unit of the last printed digit: 0.05 for 1.2."""
    return 0.5 * 10 ** -len(printed.partition(".")[2])


def printed_percentage(as_printed: str) -> tuple[Fraction, int] | None:
    """The first percentage of a printed text, exactly, and how many decimals it has."""
    found = _percentage(as_printed)
    return None if found is None else (Fraction(found[0], 10 ** found[1]), found[1])


def _percentage(as_printed: str) -> tuple[int, int] | None:
    """The digits of the first percentage as one whole number, and how many are decimals."""
    match = _PERCENTAGE.search(as_printed)
    if match is None:
        return None
    whole, decimals = match[1], match[2] or ""
    return int(whole + decimals), len(decimals)


def possible_counts(as_printed: str, n: int) -> tuple[int, ...]:
    """All whole numbers of `n` people that round to the first percentage in a printed text.

    Halves may have been rounded either way, so both neighbours count. A text without a
    percentage gives none.

    References
    ----------
    brown2017.
    """
    found = _percentage(as_printed)
    if found is None:
        return ()
    first, last = _bounds(*found, n)
    return tuple(range(max(first, 0), min(last, n) + 1))


def _bounds(digits, decimals, n):
    """The least and the greatest whole number between n times the percentage's two roundings."""
    step = 200 * 10**decimals
    return -((1 - 2 * digits) * n // step), (2 * digits + 1) * n // step


def count_ranges(as_printed: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last of the `possible_counts` of many texts, each with its own people.

    Parameters
    ----------
    as_printed : array of str, shape (K,)
    n : array of int, shape (K,)

    Returns
    -------
    first, last : arrays of int, shape (K,)
        The last is before the first where no count is possible, and -1 for a text without a
        percentage.
    """
    codes, texts = pd.factorize(as_printed)
    found = [_percentage(text) or (-1, 0) for text in texts]
    # Whole numbers of Python: a text may print more digits than 64 bits hold.
    digits, decimals = np.array(found, dtype=object).reshape(-1, 2)[codes].T
    n = np.asarray(n).astype(int).astype(object)
    first, last = _bounds(digits, decimals, n)
    return np.clip(first, 0, n + 1).astype(int), np.minimum(last, n).astype(int)


def is_impossible(as_printed: str, n: int) -> bool:
    """Whether a percentage is printed that no count of `n` people can give."""
    return printed_percentage(as_printed) is not None and not possible_counts(as_printed, n)
