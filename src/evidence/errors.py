"""What can go wrong, said once: each error names the place and what would be right."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class EvidenceError(Exception):
    """The base of every error that a user of this package can act on."""


LONG = 120
"""Characters of a value that a message repeats."""
MANY = 24
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
        value = self.value if len(self.value) <= LONG else f"{self.value[:LONG]}…"
        return f"{place}{column}: {value or 'blank'} {self.rule}"


class CorpusError(EvidenceError):
    """The tables or the bibliography cannot be used; `problems` holds all reasons, sorted."""

    def __init__(self, problems):
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class ParameterError(EvidenceError):
    """A parameter is unknown, of the wrong type or outside its vocabulary."""


class ReportError(EvidenceError):
    """A notebook failed or its output could not be written."""


def none_of(given: str, allowed: Iterable[object]) -> str:
    """That a word is none of those allowed, with all of them and the one that may be meant.

    `given` is the word as the message is to show it, in quotes where it is a text.
    """
    words = [str(word) for word in allowed]
    close = difflib.get_close_matches(given.strip("'"), words, 1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    more = f" and {len(words) - MANY} more" if len(words) > MANY else ""
    listed = ", ".join(words[:MANY])
    return f"{given} is none of {listed}{more}{hint}" if words else f"{given} is not in the data"
