"""Sentences whose numbers are computed and keep the rows they came from.

Vocabulary
----------
A `Number` is a value with its printed text, its rows and its method. A `Sentence` is a template
with the fields that fill it, each a number or mere wording; no number about the evidence is typed
into a template.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from evidence.dataset import schema
from evidence.dataset.displayable import Displayable
from evidence.files import digest

NOT_ESTIMABLE = "not estimable"
"""What stands in place of a number that the data cannot give, such as a ratio without events."""


@dataclass(frozen=True)
class Number:
    """A value, its printed text, the addresses (file:line) behind it and its method.

    `method` is a key of `methods.METHODS`.
    """

    value: float | int | str
    text: str
    rows: tuple[str, ...] = ()
    method: str = "copied"

    def __str__(self) -> str:
        return self.text


Fields = dict[str, Number | str]
"""What fills the fields of a template: numbers, and wording as plain text."""


@dataclass(frozen=True)
class Sentence(Displayable):
    """A template with the fields that fill it; its numbers are in `values.json` as `name.key`."""

    name: str
    template: str
    fields: Mapping[str, Number | str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.fields)

    @property
    def numbers(self) -> dict[str, Number]:
        """The fields that are numbers, without the wording."""
        return {key: part for key, part in self.fields.items() if isinstance(part, Number)}


def count(
    value: int, noun: str, rows: Iterable[str] = (), method: str = "counted", *, plural: str = ""
) -> Number:
    """Return a whole number with its noun, if any: 1 study, 2 studies, 1,000 participants."""
    if noun and value != 1:
        noun = plural or re.sub("(?<![aeiou])y$", "ie", noun) + "s"
    return Number(int(value), f"{int(value):,} {noun}".rstrip(), tuple(rows), method)


def row_count(rows: Iterable[str]) -> Number:
    """Count the rows, without a noun."""
    addresses = tuple(rows)
    return count(len(addresses), "", addresses)


def verbatim(text: str, rows: Iterable[str] = (), method: str = "copied") -> Number:
    """Return a text that is its own value, such as an interval or a verdict."""
    return Number(text, text, tuple(rows), method)


def parameter(value: float | str, text: str) -> Number:
    """Return a number that a parameter of the report sets."""
    return Number(value, text, (), "parameter")


def confidence_level(confidence: float) -> Number:
    """Return a confidence level in percent: 95%."""
    return parameter(confidence, f"{100 * confidence:g}%")


def events_of_n(events: int, n: int, rows: Iterable[str] = ()) -> Number:
    """Return a proportion printed with its count: 12 of 17 (71%)."""
    text = f"{events} of {n} ({format_percent(events / n, n)})"
    return Number(events / n, text, tuple(rows), "proportion")


def join_sentences(name: str, *sentences: Sentence) -> Sentence:
    """Join sentences into one text.

    Raise `ValueError` if two sentences have a field of the same name.
    """
    fields: Fields = {}
    for sentence in sentences:
        if duplicates := fields.keys() & sentence.fields.keys():
            raise ValueError(f"{name}: two fields are called {', '.join(duplicates)}")
        fields |= sentence.fields
    return Sentence(name, " ".join(sentence.template for sentence in sentences), fields)


def format_percent(proportion: float, n: int | None = None) -> str:
    """Format a proportion as a percentage, with one decimal if `n` is at least 100."""
    if math.isnan(proportion):
        return NOT_ESTIMABLE
    digits = 1 if n is not None and n >= 100 else 0
    return f"{100 * proportion:.{digits}f}%"


def format_number(value: float, digits: int = 2) -> str:
    """Format a number with a true minus sign."""
    if math.isnan(value):
        return NOT_ESTIMABLE
    return f"{value:z.{digits}f}".replace("-", "−")


def format_difference(value: float, digits: int = 0) -> str:
    """Format a difference with its sign, and one that is rounded to 0 without."""
    sign = "+" if round(value, digits) > 0 else ""
    return sign + format_number(value, digits)


def format_interval(low: float, high: float, digits: int = 2) -> str:
    """Format the ends of an interval: 1.89 to 3.98."""
    if math.isnan(low) and math.isnan(high):
        return NOT_ESTIMABLE
    return f"{format_number(low, digits)} to {format_number(high, digits)}"


def format_duration(days: float) -> str:
    """Format a length of time in its natural unit: 2 hours, 28 days, 3 months, 2 years."""
    if not math.isfinite(days):
        return "not stated"
    year, month = schema.TIME_UNITS["year"], schema.TIME_UNITS["month"]
    units = (
        ("year", year, 0.99 * year),
        ("month", month, 100.0),
        ("day", 1.0, 1.0),
        ("hour", 1 / 24, 1 / 24),
        ("minute", 1 / 1440, -math.inf),
    )
    unit, size = next((unit, size) for unit, size, minimum in units if days >= minimum)
    number = f"{days / size:.1f}".removesuffix(".0")
    return f"{number} {unit}" + ("" if number == "1" else "s")


def format_time(time: str, unit: str) -> str:
    """Format a time as the source prints it: 1 day, 110 minutes, 0–3 days; empty if none."""
    if not time:
        return ""
    return f"{time.replace('-', '–')} {unit}" + ("" if time == "1" else "s")


def at_time(time: str, unit: str) -> str:
    """Format a printed time as the end of a phrase: ' at 1 day'; empty if none."""
    return f" at {format_time(time, unit)}" if time else ""


def capitalise(text: str) -> str:
    """Capitalise the first letter only."""
    return text[:1].upper() + text[1:]


def capitalise_sentence(sentence: Sentence) -> Sentence:
    """Return the sentence with a capital at its start, even if it starts with a field."""
    first = re.match(r"\{(\w+)\}", sentence.template)
    if first is None:
        return replace(sentence, template=capitalise(sentence.template))
    part = sentence.fields[first[1]]
    text = capitalise(str(part))
    start = text if isinstance(part, str) else replace(part, text=text)
    return replace(sentence, fields={**sentence.fields, first[1]: start})


def escape_braces(text: str) -> str:
    """Escape a text of the data so that it can be part of a template."""
    return text.replace("{", "{{").replace("}", "}}")


def slug(text: str) -> str:
    """Turn a text into part of an id or file name: lower-case letters, digits and hyphens.

    If anything is lost, a short hash keeps different texts apart.
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", ascii_text))
    if words == text.lower().replace(" ", "-"):
        return words
    return f"{words[:60]}-{digest(text, 7)}".lstrip("-")


def join_words(words: Iterable[str]) -> str:
    """Join words as in a sentence: a, b and c."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
