"""The errors of the package, the problems that input files can have, and hints in messages."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from shlex import quote

MAX_VALUE_CHARS = 120
"""Characters of a value that a message repeats."""
MAX_WORDS_LISTED = 24
"""Words of a vocabulary that a message lists."""
MAX_PROBLEMS = 200
"""Problems that are listed in full; the others are only counted."""


class Reason(str):
    """Why something is not done, in words, and apart from them the arguments that would change it.

    The text alone is for pages. `in_python` and `in_options` add the arguments as a caller of a
    function or of a command writes them; joined to other texts, a reason is only its text.
    """

    arguments: Mapping[str, object]

    def __new__(cls, text: str, **arguments: object):
        """Create a reason; an argument whose value nobody can guess is `...`."""
        reason = super().__new__(cls, text)
        reason.arguments = arguments
        return reason

    @classmethod
    def of(cls, text: str) -> "Reason":
        """Return a text as a reason without arguments, unless it is a reason already."""
        return text if isinstance(text, Reason) else cls(text)

    def after(self, words: str) -> "Reason":
        """Return the reason with words before its text."""
        return Reason(f"{words}{self}", **self.arguments)

    def in_python(self) -> str:
        """Return the text with the arguments of a function: `(time_days=28)`."""
        return self._with(_argument(name, value) for name, value in self.arguments.items())

    def in_options(self) -> str:
        """Return the text with the options of a command: `(--time-days 28)`."""
        return self._with(_option(name, value) for name, value in self.arguments.items())

    def _with(self, arguments: Iterable[str]) -> str:
        return f"{self} ({', '.join(arguments)})" if self.arguments else str(self)


def _argument(name: str, value: object) -> str:
    """Return an argument as Python has it; several values as a list."""
    if value is ...:
        return f"{name}=..."
    if isinstance(value, tuple):
        return f"{name}={list(value)!r}"
    return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"


def _option(name: str, value: object) -> str:
    """Return an argument as an option; one that takes several values is repeatable."""
    if isinstance(value, tuple):
        return " ".join(_option(name.removesuffix("s"), each) for each in value)
    option = f"--{name.replace('_', '-')}"
    text = f"{value:g}" if isinstance(value, float) else quote(str(value))
    return option if value in (True, ...) else f"{option} {text}"


class EvidenceError(Exception):
    """The base of every error that a user of this package can act on."""

    def __str__(self) -> str:
        return "\n".join(Reason.of(text).in_python() for text in self.args)

    def in_options(self) -> str:
        """Return the message of a command: arguments that would help are named as its options."""
        return "\n".join(Reason.of(text).in_options() for text in self.args)


class ParameterError(EvidenceError):
    """A parameter is unknown, has the wrong type or lies outside its vocabulary."""


class ReportError(EvidenceError):
    """A notebook failed, or its output could not be written."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file; without a line or column where none is concerned."""

    file: str
    line: int
    column: str
    message: str

    def __str__(self) -> str:
        position = f"{self.file}:{self.line}" if self.line else self.file
        return f"{position}{f' {self.column}' if self.column else ''}: {self.message}"


@dataclass
class ProblemList:
    """Problems in the order in which they were found.

    A file of a million rows can have as many problems: of each check only the first
    `MAX_PROBLEMS` are kept, and `omitted` counts the others by file.
    """

    problems: list[Problem] = field(default_factory=list)
    omitted: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.problems)

    def add(self, file: str, line: int, column: str, message: str) -> None:
        """Add one problem."""
        self.problems.append(Problem(file, line, column, message))

    def add_rows(
        self, file: str, lines: Sequence[int], column: str, message: Callable[[int], str]
    ) -> None:
        """Add one problem for each of these lines; `message` gets the line."""
        for line in lines[:MAX_PROBLEMS]:
            self.add(file, int(line), column, message(line))
        self.omitted[file] += max(0, len(lines) - MAX_PROBLEMS)

    def rename(self, files: Mapping[str, str]) -> None:
        """Name files otherwise, wherever they occur."""
        for old, new in files.items():
            self.problems = [
                Problem(p.file.replace(old, new), p.line, p.column, p.message.replace(old, new))
                for p in self.problems
            ]
            self.omitted[new] += self.omitted.pop(old, 0)

    def extend(self, problems: "ProblemList | DatasetError") -> None:
        """Add the problems of another check."""
        self.problems.extend(problems.problems)
        self.omitted += Counter(problems.omitted)


class DatasetError(EvidenceError):
    """The tables or the bibliography cannot be used.

    `problems` are the first reasons by file and line, at most `MAX_PROBLEMS`, and `omitted` counts
    how many more each file has.
    """

    def __init__(self, problems: Iterable[Problem], omitted: Mapping[str, int] | None = None):
        # A key of the four fields sorts much faster than comparing problem with problem.
        by_position = attrgetter("file", "line", "column", "message")
        ordered = sorted(set(problems), key=by_position)
        self.problems = tuple(ordered[:MAX_PROBLEMS])
        self.omitted = Counter(omitted) + Counter(p.file for p in ordered[MAX_PROBLEMS:])
        lines = [str(problem) for problem in self.problems]
        if self.omitted:
            files = ", ".join(f"{n:,} in {file}" for file, n in sorted(self.omitted.items()))
            lines.append(f"and more that are not listed: {files}")
        super().__init__("\n".join(lines))

    @property
    def count(self) -> int:
        """The number of all problems, listed or not."""
        return len(self.problems) + self.omitted.total()


def shorten(value: str) -> str:
    """Cut a value to the length that a message may repeat."""
    return value if len(value) <= MAX_VALUE_CHARS else f"{value[:MAX_VALUE_CHARS]}…"


def did_you_mean(word: str, allowed: Iterable[object]) -> str:
    """Suggest the nearest allowed word, as a sentence that begins with a blank; empty if none."""
    close = difflib.get_close_matches(word, [str(option) for option in allowed], 1)
    return f" Did you mean '{shorten(close[0])}'?" if close else ""


def not_one_of(value: str, allowed: Iterable[object]) -> str:
    """Build the message for a value outside a vocabulary, with a suggestion.

    `value` is as the message shows it: a text in quotes and not too long, a number as it is.
    """
    words = [str(word) for word in allowed]
    if not words:
        return f"{value} does not occur in the data"
    listed = ", ".join(map(shorten, words[:MAX_WORDS_LISTED]))
    more = f" and {len(words) - MAX_WORDS_LISTED} more" if len(words) > MAX_WORDS_LISTED else ""
    hint = did_you_mean(value.strip("'"), words)
    return f"{value} is not one of: {listed}{more}{f'.{hint}' if hint else ''}"
