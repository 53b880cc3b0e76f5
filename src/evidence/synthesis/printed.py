"""Numbers as texts print them: their digits, how they were rounded, which counts they allow.

Vocabulary
----------
The *GRIM* idea: with n people only n + 1 percentages exist, so a printed one, with the rounding
its digits allow, names the counts that could lie behind it — none, one or several.
"""

import re
from fractions import Fraction

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
    match = _PERCENTAGE.search(as_printed)
    if match is None:
        return None
    whole, decimals = match[1], match[2] or ""
    return Fraction(int(whole + decimals), 10 ** len(decimals)), len(decimals)


def possible_counts(as_printed: str, n: int) -> tuple[int, ...]:
    """All whole numbers of `n` people that round to the first percentage in a printed text.

    Halves may have been rounded either way, so both neighbours count. A text without a
    percentage gives none.

    References
    ----------
    brown2017.
    """
    found = printed_percentage(as_printed)
    if found is None:
        return ()
    printed, decimals = found
    margin = Fraction(1, 2 * 10**decimals)
    first = max(0, int((printed - margin) * n / 100))
    last = min(n, int((printed + margin) * n / 100) + 1)
    return tuple(k for k in range(first, last + 1) if abs(Fraction(100 * k, n) - printed) <= margin)


def is_impossible(as_printed: str, n: int) -> bool:
    """Whether a percentage is printed that no count of `n` people can give."""
    return printed_percentage(as_printed) is not None and not possible_counts(as_printed, n)
