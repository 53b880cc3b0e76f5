"""Whether a printed percentage can be a count of so many people at all.

Vocabulary
----------
The *GRIM* idea: with n people only n + 1 percentages exist, so a printed one, with the rounding
its digits allow, names the counts that could lie behind it — none, one or several.
"""

import re
from fractions import Fraction

_PERCENTAGE = re.compile(r"(\d+)(?:\.(\d+))?\s*%")


def possible_counts(as_printed: str, n: int) -> tuple[int, ...]:
    """All whole numbers of `n` people that round to the first percentage in a printed text.

    Halves may have been rounded either way, so both neighbours count. A text without a
    percentage gives none.

    References
    ----------
    brown2017.
    """
    match = _PERCENTAGE.search(as_printed)
    if match is None:
        return ()
    whole, decimals = match[1], match[2] or ""
    printed = Fraction(int(whole + decimals), 10 ** len(decimals))
    margin = Fraction(1, 2 * 10 ** len(decimals))
    first = max(0, int((printed - margin) * n / 100))
    last = min(n, int((printed + margin) * n / 100) + 1)
    return tuple(k for k in range(first, last + 1) if abs(Fraction(100 * k, n) - printed) <= margin)


def is_impossible(as_printed: str, n: int) -> bool:
    """Whether a percentage is printed that no count of `n` people can give."""
    return bool(_PERCENTAGE.search(as_printed)) and not possible_counts(as_printed, n)
