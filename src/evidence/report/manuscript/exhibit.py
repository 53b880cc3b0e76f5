"""What is exported: a figure or table with its words and its references, whatever the form."""

from dataclasses import dataclass
from pathlib import Path

from evidence.dataset.citations import PROSE
from evidence.dataset.dataset import Dataset
from evidence.report import cite
from evidence.report.cite import FinishedFigure, FinishedTable, read_figure_or_table

# A table of more columns than this needs the long side of a page.
WIDE = 5
# How many letters of a small print stand side by side on A4, upright and on its side.
LETTERS, LETTERS_WIDE = 95, 145
# Longer words are broken, and a cell of more letters gets no more width for them.
LONGEST_WORD, LONG_CELL = 16, 80
PADDING = 2


@dataclass(frozen=True)
class Exhibit:
    """A figure or table, and the references to its primary studies and to itself, in order."""

    shown: FinishedFigure | FinishedTable
    references: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id under which the pages show it."""
        return self.shown.part.id

    @property
    def title(self) -> str:
        """Its title, ended like a sentence."""
        return f"{self.shown.part.title.rstrip('.')}."

    @property
    def is_table(self) -> bool:
        """Whether it is a table, and not a figure."""
        return isinstance(self.shown, FinishedTable)

    @property
    def is_wide(self) -> bool:
        """Whether it is a table that needs the long side of a page."""
        return self.is_table and len(self.shown.columns) > WIDE

    def shares(self) -> list[float]:
        """The part of the width that each column of a table gets.

        First what its longest word needs, then of what is left by how much its cells say.
        """
        words, says = [], []
        for cells in zip(self.shown.columns, *self.shown.rows, strict=True):
            longest = max(len(word) for cell in cells for word in cell.split() or [""])
            words.append(min(longest, LONGEST_WORD) + PADDING)
            says.append(min(sum(map(len, cells)) / len(cells), LONG_CELL))
        spare = max(0, (LETTERS_WIDE if self.is_wide else LETTERS) - sum(words))
        widths = [word + spare * say / sum(says) for word, say in zip(words, says, strict=True)]
        return [width / sum(widths) for width in widths]


def read_exhibit(dataset: Dataset, reports: Path, asked: str, style: str) -> Exhibit:
    """A figure or table of finished reports by its id, its references in a style for people.

    Raises
    ------
    EvidenceError
        No finished run, nothing of that id, nothing drawn, or no usable `CITATION.cff`.
    """
    shown = read_figure_or_table(reports, asked)
    cited = cite.citation_references(dataset.bibliography, [shown.part], [], dataset.project)
    return Exhibit(shown, tuple(map(PROSE[style], cited)))
