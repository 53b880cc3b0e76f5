"""Sentences whose numbers are computed and keep their rows.

Vocabulary
----------
A `Number` is a value with the text that stands for it and the rows it came from. A `Sentence` is
a template and the numbers that fill it; nothing about the evidence is typed into a template.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from evidence.dataset import schema
from evidence.files import digest


@dataclass(frozen=True)
class Number:
    """A value, how it is printed, the addresses (file:line) behind it, and how it came about.

    `method` is a name of `methods.METHODS`. A text without a value is wording and no number.
    """

    value: float | int | str | None
    text: str
    rows: tuple[str, ...] = ()
    method: str = "copied"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Sentence:
    """A text with computed numbers; `name` makes each of them findable in `values.json`."""

    name: str
    template: str
    numbers: dict[str, Number] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.numbers)


def count(
    value: int,
    one: str,
    many: str | None = None,
    rows: Iterable[str] = (),
    method: str = "counted",
) -> Number:
    """A whole number with its noun: 1 study, 2 studies, 1,000 people."""
    noun = one if value == 1 else many or f"{one}s"
    return Number(int(value), f"{int(value):,} {noun}", tuple(rows), method)


def row_count(rows: Iterable[str]) -> Number:
    """How many rows there are, as a bare number."""
    addresses = tuple(rows)
    return Number(len(addresses), f"{len(addresses):,}", addresses, "counted")


def format_percent(proportion: float, n: int | None = None) -> str:
    """A proportion as a percentage, with a decimal only where 100 people or more carry it."""
    digits = 1 if n is not None and n >= 100 else 0
    return f"{100 * proportion:.{digits}f}%"


def parameter(value: float | str, text: str) -> Number:
    """What a report was asked to do, such as its confidence level."""
    return Number(value, text, (), "parameter")


def confidence_level(confidence: float) -> Number:
    """A confidence level in percent."""
    return parameter(confidence, f"{100 * confidence:g}%")


def join_sentences(name: str, *sentences: Sentence) -> Sentence:
    """Several sentences as one text; their numbers keep their names, which must differ."""
    numbers: dict[str, Number] = {}
    for sentence in sentences:
        twice = numbers.keys() & sentence.numbers.keys()
        if twice:
            raise ValueError(f"{name}: two numbers are called {', '.join(twice)}")
        numbers |= sentence.numbers
    return Sentence(name, " ".join(sentence.template for sentence in sentences), numbers)


def events_of_n(events: int, n: int, rows: Iterable[str] = ()) -> Number:
    """A count and its percentage: 12 of 17 (71%)."""
    return Number(
        events / n, f"{events} of {n} ({format_percent(events / n, n)})", tuple(rows), "share"
    )


def format_number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def format_interval(low: float, high: float, digits: int = 2) -> str:
    """Two ends of an interval as words: 1.89 to 3.98."""
    return f"{format_number(low, digits)} to {format_number(high, digits)}"


def format_duration(days: float) -> str:
    """A length of time in the unit people would use: 2 hours, 28 days, 3 months, 2 years."""
    if not math.isfinite(days):
        return "not stated"
    year, month = schema.TIME_UNITS["year"], schema.TIME_UNITS["month"]
    for unit, size, least in (
        ("year", year, 0.99 * year),
        ("month", month, 100.0),
        ("day", 1.0, 1.0),
        ("hour", 1 / 24, 1 / 24),
        ("minute", 1 / 1440, 0.0),
    ):
        if days >= least:
            number = f"{days / size:.1f}".removesuffix(".0")
            return f"{number} {unit}" + ("" if number == "1" else "s")
    raise AssertionError("every span has a unit")


def format_time(time: str, unit: str) -> str:
    """A printed time in words: 1 day, 110 minutes, 0–3 days; empty if none."""
    if not time:
        return ""
    return f"{time.replace('-', '–')} {unit}" + ("" if time == "1" else "s")


def at_time(time: str, unit: str) -> str:
    """A printed time as the end of a phrase: ' at 1 day'; empty if none."""
    return f" at {format_time(time, unit)}" if time else ""


def capitalise(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def escape_braces(text: str) -> str:
    """A text of the data as part of a template: its braces are no places for numbers."""
    return text.replace("{", "{{").replace("}", "}}")


def slug(text: str) -> str:
    """The text as part of an id or a file's name: small letters, digits and hyphens only.

    What is lost that way is told apart by a few characters of its hash.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    if words == text.lower().replace(" ", "-"):
        return words
    mark = digest(text, 7)
    return f"{words[:60]}-{mark}".lstrip("-")


def join_words(words: Iterable[str]) -> str:
    """Words joined as in a sentence: a, b and c."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
