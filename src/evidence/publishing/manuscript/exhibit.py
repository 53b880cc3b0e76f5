"""What is exported: a figure or table with its words and its references, whatever the form."""

from dataclasses import dataclass
from pathlib import Path

from evidence.corpus.citations import PROSE
from evidence.corpus.reading import Corpus
from evidence.publishing import citing
from evidence.publishing.finished import Figure, Tabulated, read_part

# A table of more columns than this needs the long side of a page.
WIDE = 5


@dataclass(frozen=True)
class Exhibit:
    """A figure or table, and the references to its primary studies and to itself, in order."""

    shown: Figure | Tabulated
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
        return isinstance(self.shown, Tabulated)

    @property
    def is_wide(self) -> bool:
        """Whether it is a table that needs the long side of a page."""
        return self.is_table and len(self.shown.columns) > WIDE

    def shares(self) -> list[float]:
        """The part of the width that each column of a table gets, by how much it has to say.

        A column is never narrower than its longest word asks for, within reason.
        """
        columns = zip(self.shown.columns, *self.shown.rows, strict=True)
        needs = []
        for cells in columns:
            typical = sum(map(len, cells)) / len(cells)
            longest = max(len(word) for cell in cells for word in cell.split() or [""])
            needs.append(min(max(typical, longest, 5), 40) ** 0.75)
        return [need / sum(needs) for need in needs]


def read_exhibit(corpus: Corpus, reports: Path, asked: str, style: str) -> Exhibit:
    """A figure or table of finished reports by its id, its references in a style for people.

    Raises
    ------
    EvidenceError
        No finished run, nothing of that id, nothing drawn, or no usable `CITATION.cff`.
    """
    shown = read_part(corpus, reports, asked)
    cited = citing.references(corpus.bibliography, [shown.part], [], corpus.project)
    return Exhibit(shown, tuple(map(PROSE[style], cited)))
