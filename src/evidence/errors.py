"""What can go wrong, said once: each error names the place and what would be right."""

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter


class EvidenceError(Exception):
    """The base of every error that a user of this package can act on."""


MAX_VALUE_CHARS = 120
"""Characters of a value that a message repeats."""
MAX_WORDS_LISTED = 24
"""Words of a vocabulary that a message repeats."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in one cell of a file; `line` is 0 where the whole file is meant."""

    file: str
    line: int
    column: str
    value: str
    rule: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        column = f" {self.column}" if self.column else ""
        value = (
            self.value if len(self.value) <= MAX_VALUE_CHARS else f"{self.value[:MAX_VALUE_CHARS]}…"
        )
        return f"{place}{column}: {value or 'blank'} {self.rule}"


MAX_PROBLEMS = 200
"""Problems that are put in words, those that come first; of more than these it is said how many."""


class Problems(list[Problem]):
    """Problems as they are collected; `left_out` counts, by file, those not put in words.

    A check that finds very many may leave out all but its own first `MOST`.
    """

    def __init__(self, found: Iterable[Problem] = ()):
        super().__init__(found)
        self.left_out = Counter(getattr(found, "left_out", ()))

    def put(self, problem: Problem) -> None:
        """Add a problem of a kind that may come in great numbers, in the order of lines."""
        if len(self) < MAX_PROBLEMS:
            self.append(problem)
        else:
            self.left_out[problem.file] += 1

    def take(self, other: "Problems | DatasetError") -> None:
        """Add what was found elsewhere."""
        self.extend(other.problems if isinstance(other, DatasetError) else other)
        self.left_out += other.left_out


class DatasetError(EvidenceError):
    """The tables or the bibliography cannot be used; `problems` holds the first reasons, sorted.

    `left_out` says how many more each file has.
    """

    def __init__(self, problems: Iterable[Problem]):
        found = Problems(problems)
        # Sorting by the fields themselves is many times as fast as comparing problem with problem.
        every = sorted(set(found), key=attrgetter("file", "line", "column", "value", "rule"))
        self.problems = tuple(every[:MAX_PROBLEMS])
        self.left_out = found.left_out + Counter(problem.file for problem in every[MAX_PROBLEMS:])
        lines = list(map(str, self.problems))
        if self.left_out:
            files = ", ".join(f"{many:,} in {file}" for file, many in sorted(self.left_out.items()))
            lines.append(f"and more that are not listed: {files}")
        super().__init__("\n".join(lines))

    @property
    def count(self) -> int:
        """How many problems there are in all."""
        return len(self.problems) + self.left_out.total()


class ParameterError(EvidenceError):
    """A parameter is unknown, of the wrong type or outside its vocabulary."""


class ReportError(EvidenceError):
    """A notebook failed or its output could not be written."""


def shorten(value: str) -> str:
    """Cut a value to the length that a message may repeat."""
    return value if len(value) <= MAX_VALUE_CHARS else f"{value[:MAX_VALUE_CHARS]}…"


def did_you_mean(word: str, allowed: Iterable[object]) -> str:
    """Suggest the nearest allowed word, as a sentence that begins with a blank; empty if none."""
    close = difflib.get_close_matches(word, [str(option) for option in allowed], 1)
    return f" Did you mean '{close[0]}'?" if close else ""


def not_one_of(value: str, allowed: Iterable[object]) -> str:
    """Build the message for a value outside a vocabulary, with a suggestion.

    Parameters
    ----------
    value : str
        The value as the message shows it: a text in quotes, a number without.
    allowed : iterable
        The words of the vocabulary.
    """
    words = [str(word) for word in allowed]
    if not words:
        return f"{shorten(value)} does not occur in the data"
    listed = ", ".join(words[:MAX_WORDS_LISTED])
    more = f" and {len(words) - MAX_WORDS_LISTED} more" if len(words) > MAX_WORDS_LISTED else ""
    hint = did_you_mean(value.strip("'"), words)
    return f"{shorten(value)} is not one of: {listed}{more}{f'.{hint}' if hint else ''}"
