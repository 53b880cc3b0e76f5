"""Numbers by which the printed texts of a table sort."""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from evidence.dataset.schema import TIME_UNITS

BLANKS = ("", "—", "none", "not stated", "not decided", "not judged", "not pooled")
"""Texts of cells without content; their rows come last in either direction."""
_NUMBER = r"[-−+]?\d[\d,]*(?:\.\d+)?"
_PRINTED = re.compile(
    rf"(?:at least |[<>≤≥]\s*)?(?P<number>{_NUMBER})(?!\d|-\d\d-)"
    rf"(?:\s*(?:/|of)\s*(?P<total>{_NUMBER}))?"
    rf"(?:[-–]{_NUMBER})?\s*(?P<unit>%|(?:{'|'.join(TIME_UNITS)})s?\b)?"
)


def printed_number(text: str) -> float | None:
    """Return the number that a text begins with, or None.

    A percentage and "12/17" are proportions, and a duration is in days: "71%" is 0.71, "24 hours"
    is 1. Units that need no conversion and intervals are ignored: "1.28 (0.8 to 2.0)" is 1.28. A
    date begins with no number.
    """
    match = _PRINTED.match(text.strip())
    if not match:
        return None
    number, total = (
        Fraction(digits.replace("−", "-").replace(",", "")) if digits else Fraction(1)
        for digits in match.group("number", "total")
    )
    unit = (match["unit"] or "").removesuffix("s")
    scale = 0.01 if unit == "%" and not match["total"] else TIME_UNITS.get(unit, 1.0)
    return float(number / total) * scale if total else None


def sort_keys(texts: Sequence[str]) -> list[float | None]:
    """Return the number of each text; a column of which most texts are words has none."""
    numbers = [printed_number(text) for text in texts]
    words = sum(
        number is None and text not in BLANKS for number, text in zip(numbers, texts, strict=True)
    )
    return numbers if 2 * words < len(texts) else [None] * len(texts)


def ranks(words: Iterable[str], order: Sequence[str]) -> list[int | None]:
    """Return the place of each word in an order such as very low, low, moderate, high."""
    places = {word: place for place, word in enumerate(order)}
    return [places.get(word) for word in words]
