"""What a table and a column of it are."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column.

    `kind` is text, word, key, keys, outcome, integer, number, time, p, query, date or person.
    """

    name: str
    kind: str
    about: str
    required: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A file of `data/`: its columns in order, and the columns that make a row unique."""

    file: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    required: bool = False

    @property
    def names(self) -> list[str]:
        """The column names in the order of the file."""
        return [column.name for column in self.columns]


def text(name: str, about: str, *, required: bool = False) -> Column:
    """A column of free text."""
    return Column(name, "text", about, required)


def word(name: str, about: str, words: Iterable[str], *, required: bool = True) -> Column:
    """A column that holds one of `words`."""
    return Column(name, "word", about, required, tuple(words))


def key(name: str, about: str, *, required: bool = True) -> Column:
    """A column that holds a key of the bibliography."""
    return Column(name, "key", about, required)
