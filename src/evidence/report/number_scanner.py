"""Numbers in prose: found in digits and in words, and told from those that are no evidence.

Vocabulary
----------
A *numeral* is a number as a text writes it (71%, twelve people, 1.89 to 3.98). What is told apart
by its form is no evidence: code, addresses, dates, versions, the year after an author's name, names
made of capitals and digits (SHA-256, CC BY 4.0), numbers of headings and lists.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from evidence.dataset.schema import TIME_UNITS

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
_UNITS += "fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: number for number, word in enumerate(_UNITS.split())}
WORDS |= {word: 10 * number for number, word in enumerate(_TENS.split(), start=2)}
WORDS |= {"dozen": 12, "hundred": 100, "half": 0.5, "third": 1 / 3, "thirds": 2 / 3}
# What a number in words must count to be about the evidence; "two commands" is not.
COUNTED = (
    r"(?:people|persons?|patients?|participants?|men|women|animals|stud(?:y|ies)|trials?|results?|"
    r"claims?|questions?|references|sources|combinations|percent|minutes?|hours?|days?|weeks?|"
    r"months?|years?)"
)
_MONTHS = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)

NO_EVIDENCE = re.compile(
    "|".join(
        (
            r"(?ms:^```.*?^```)",  # a block of code
            r"(?m:^\|.*$)",  # a table
            r"`[^`]*`",
            r"(?s:<!--.*?-->)",
            r"<[^>]+>",
            r"\]\([^)]*\)",  # the target of a link
            r"https?://\S+|doi:\S+",
            r"\b\d{4}-\d\d-\d\d\b",
            rf"\b(?:\d{{1,2}} )?{_MONTHS} \d{{4}}\b",
            r"\b(?:Python|[Vv]ersion|evidence) \d+(?:\.\d+)*\b|\bv?\d+\.\d+\.\d+\b",
            r"(?m:^ *(?:#+ *)?\d+[.)] )",
            r"\b[A-Z][\w’'-]+(?: et al\.?)?,? \(?(?:1[5-9]|20)\d\d[a-z]?\b",
            r"\b[A-Z]{2,}[A-Za-z]*[ -]?\d+(?:\.\d+)*\b",
            r"\b[A-Z]\w+ [A-Z]\w+ \d+\b",  # Therapy Guide 101
            r"\bC\d{2}\b|\bU\d{2}\b",  # the number of a claim or question
        )
    )
)
_DIGITS = r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])"
_DIGITS_OR_WORD = re.compile(
    rf"(?P<digits>{_DIGITS})(?P<percent> ?%| percent\b)?"
    rf"|\b(?P<word>{'|'.join(WORDS)})(?:[- ](?P<unit>{'|'.join(_UNITS.split()[1:10])}))?\b"
    rf"(?= (?:of (?:the |these |those |all )?)?(?:\w+ )?{COUNTED}\b)",
    re.IGNORECASE,
)
_TIME = re.compile(rf" ({'|'.join(TIME_UNITS)})s?\b")


@dataclass(frozen=True)
class Numeral:
    """A number as written: where, its value, half a unit of its last digit, and its time unit."""

    text: str
    start: int
    value: float
    slack: float
    unit: str = ""

    def fits(self, value: float) -> bool:
        """Whether it is `value` (times in days), rounded as it is written."""
        factor = TIME_UNITS.get(self.unit, 1.0)
        readings = {1.0, factor}
        return any(
            abs(self.value * scale - value) <= self.slack * scale * (1 + 1e-9) + 1e-12
            for scale in readings
        )


def numerals(text: str) -> Iterator[Numeral]:
    """The numerals of a text that may be evidence, in their order.

    "One" is an article more often than a number and is not counted.
    """
    visible = NO_EVIDENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _DIGITS_OR_WORD.finditer(visible):
        if match["digits"]:
            digits = match["digits"].replace(",", "").replace("−", "-")
            scale = 0.01 if match["percent"] else 1.0
            slack = 0.5 * 10 ** -len(digits.partition(".")[2]) * scale
            value = float(digits) * scale
        else:
            if match["word"].lower() == "one":
                continue
            value = WORDS[match["word"].lower()] + WORDS.get((match["unit"] or "").lower(), 0)
            slack = 0.05 if value < 1 else 0.0  # about half
        time = _TIME.match(visible, match.end())
        yield Numeral(match[0].strip(), match.start(), value, slack, time[1] if time else "")


def is_written(text: str, value: float | str) -> bool:
    """Whether a text gives a value: as itself, rounded, in percent, as a of b, or as a time."""
    if isinstance(value, str):
        return value == text or not any(numerals(text))
    return any(numeral.fits(value) for numeral in numerals(text)) or is_pair(text, value)


def is_pair(text: str, value: float | str) -> bool:
    """Whether two numbers of a text give a value together: a of b, or the ends of an interval."""
    if isinstance(value, str):
        return value == text.strip()
    return any(
        second.value and abs(first.value / second.value - value) < 1e-9
        for first, second in itertools.pairwise(numerals(text))
    )


BETTER = re.compile(
    r"(?<!not )(?<!no )\b"
    r"(?:superior|better|outperform\w*|beats?|more effective|significant(?:ly)?)\b"
)
SAME = re.compile(
    r"\b(?:no difference|not different|did not differ|not superior|no better|not better|no effect|"
    r"equally|the same as)\b"
)


def contradicted(text: str, low: float, high: float, null: float) -> str:
    """The word of direction that an interval speaks against; empty if none does.

    Parameters
    ----------
    low, high, null : float
        The ends of the interval and the value of no difference, on one scale.
    """
    holds_null = low <= null <= high
    found = BETTER.search(text.lower()) if holds_null else SAME.search(text.lower())
    return found[0] if found else ""
