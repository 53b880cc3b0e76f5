"""A table as text, looked at by its distinct cells: what a million rows share is checked once."""

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
import pandas as pd

from evidence.dataset.schema import Table
from evidence.errors import MAX_PROBLEMS, Problem, Problems

Says = str | Callable[[int], str]
"""Words, or what makes them from the place of a row."""


class Cells:
    """The distinct cells of a column in order of appearance, and which of them each row has."""

    def __init__(self, values: np.ndarray, codes: np.ndarray):
        self.values, self.codes = values, codes

    @classmethod
    def of(cls, cells: np.ndarray) -> "Cells":
        """From the cells of all rows, an array of objects."""
        codes, values = pd.factorize(cells)
        return cls(values, codes)

    @property
    def text(self) -> np.ndarray:
        """The cells of all rows, equal ones the same object."""
        return self.values.take(self.codes)

    def map(self, make: Callable[[str], object], dtype: type) -> np.ndarray:
        """What is made of each row's cell."""
        made = np.fromiter(map(make, self.values), dtype, len(self.values))
        return made[self.codes]

    @cached_property
    def is_filled(self) -> np.ndarray:
        """Which rows have something there."""
        return self.map(bool, bool)

    @cached_property
    def numbers(self) -> np.ndarray:
        """The cells as floats, NaN where they are none."""
        return pd.to_numeric(self.values, errors="coerce").astype(float)[self.codes]

    def among(self, words) -> np.ndarray:
        """Which rows have one of these words."""
        return self.map(lambda cell: cell in words, bool)


class Sheet:
    """One table as it was read, to be checked.

    Parameters
    ----------
    table : Table
    lines : array of int
        The line on which each row begins.
    cells : dict of str to Cells
        By column, for every one of the table.
    """

    def __init__(self, table: Table, lines: np.ndarray, cells: dict[str, Cells]):
        self.table, self.lines, self._cells = table, lines, cells

    @classmethod
    def of(cls, table: Table, frame: pd.DataFrame) -> "Sheet":
        """From a frame with the columns of the table as text, and `line`."""
        cells = {name: Cells.of(frame[name].to_numpy(object)) for name in table.names}
        return cls(table, frame["line"].to_numpy(int), cells)

    def frame(self) -> pd.DataFrame:
        """The columns as text, and `line`."""
        text = {name: pd.array(self[name].text, dtype="str") for name in self.table.names}
        return pd.DataFrame(text | {"line": self.lines})

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, column: str) -> Cells:
        return self._cells[column]

    def cell(self, column: str, place: int) -> str:
        """The text of one cell."""
        cells = self[column]
        return cells.values[cells.codes[place]]

    def row(self, place: int) -> dict[str, str]:
        """The cells of one row by column."""
        return {name: self.cell(name, place) for name in self.table.names}

    def first_alike(self, columns: Iterable[str]) -> np.ndarray:
        """For each row the place of the first row that has the same cells in these columns."""
        return first_alike(self[column].codes for column in columns)

    def problem(self, place: int, column: str, value: str, rule: str) -> Problem:
        """A problem of one row."""
        return Problem(self.table.file, int(self.lines[place]), column, value, rule)

    def report(
        self,
        problems: Problems,
        bad: np.ndarray,
        column: str,
        rule: Says,
        value: Says | None = None,
    ) -> None:
        """Add a problem for each row where `bad`: the first in words, the others as a number.

        `value` is the cell itself if not given.
        """
        places = np.flatnonzero(bad)
        for place in places[:MAX_PROBLEMS]:
            said = self.cell(column, place) if value is None else _said(value, place)
            problems.append(self.problem(place, column, said, _said(rule, place)))
        self._leave_out(problems, len(places) - MAX_PROBLEMS)

    def report_parts(
        self, problems: Problems, column: str, wrong: Callable[[str], list[tuple[str, str]]]
    ) -> None:
        """Add a problem for each part of a cell that `wrong` gives, with its rule."""
        cells = self[column]
        each = [wrong(cell) for cell in cells.values]
        sizes = np.array([len(parts) for parts in each], int)[cells.codes]
        places = np.flatnonzero(sizes)
        for place in places[:MAX_PROBLEMS]:
            for value, rule in each[cells.codes[place]]:
                problems.append(self.problem(place, column, value, rule))
        self._leave_out(problems, int(sizes[places[MAX_PROBLEMS:]].sum()))

    def _leave_out(self, problems: Problems, many: int) -> None:
        if many > 0:
            problems.left_out[self.table.file] += many


def _said(says: Says, place: int) -> str:
    return says(place) if callable(says) else says


def first_alike(columns: Iterable[np.ndarray]) -> np.ndarray:
    """For each row the first row that has the same codes in all columns; codes are not negative."""
    groups = None
    for codes in columns:
        if groups is None:
            groups = codes.astype(np.int64)
        else:
            # Numbered anew each time, so that the product stays far below what 64 bits hold.
            groups = pd.factorize(groups * (codes.max(initial=0) + 1) + codes)[0]
    places = np.arange(len(groups))
    first = np.empty(len(groups), int)
    first[groups[::-1]] = places[::-1]
    return first[groups]
