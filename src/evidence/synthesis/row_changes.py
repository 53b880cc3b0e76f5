"""Rows of the tables that came, went or were corrected between two versions of a project.

Vocabulary
----------
A row is the same in two versions if it has the same key; then its changed cells are a
*correction*, or *filled in* if all of them were blank.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from evidence.corpus import schema
from evidence.corpus.reading import Corpus
from evidence.synthesis.addresses import cell_text, rows_at

ALIKE = 2
"""A row that went and one that came in the same study, arm and outcome are one corrected row if no
more of their cells than this differ."""
CHANGED = ("corrected", "filled in")


@dataclass(frozen=True)
class Cell:
    """One changed cell, as text."""

    column: str
    before: str
    after: str


@dataclass(frozen=True)
class RowChange:
    """A row that was added, removed, corrected or filled in (only blank cells changed).

    Addresses are each version's own.
    """

    kind: str
    says: str
    study: str
    before: str = ""
    after: str = ""
    cells: tuple[Cell, ...] = ()

    @property
    def table(self) -> str:
        """The file that it is a row of."""
        return (self.after or self.before).rpartition(":")[0]


def row_changes(old: Corpus, new: Corpus) -> tuple[RowChange, ...]:
    """Every changed row, table by table, in the order of the later version."""
    return tuple(row for table in schema.TABLES for row in _rows(table, old, new))


def _rows(table: schema.Table, old: Corpus, new: Corpus) -> Iterator[RowChange]:
    """Rows of one table that came, went or were corrected, in the order of the later version."""
    then, now = _by_key(table, old), _by_key(table, new)
    gone = {key: row for key, row in then.items() if key not in now}
    for key, row in now.items():
        earlier = then.get(key)
        if earlier is None:
            match = next((k for k, other in gone.items() if _alike(table, other, row)), None)
            earlier = gone.pop(match) if match is not None else None
        cells = _differences(table, earlier, row) if earlier is not None else ()
        if earlier is None:
            yield _change("added", new, after=row)
        elif cells:
            blank = not any(cell.before for cell in cells)
            kind = "filled in" if blank else "corrected"
            yield _change(kind, new, before=earlier, after=row, cells=cells)
    for row in gone.values():
        yield _change("removed", old, before=row)


def _by_key(table: schema.Table, corpus: Corpus) -> dict[tuple[str, ...], dict]:
    return {
        tuple(cell_text(row[name]) for name in table.key): row
        for row in corpus.frame(table).to_dict("records")
    }


def _differences(table: schema.Table, one: dict, two: dict) -> tuple[Cell, ...]:
    texts = [(name, cell_text(one[name]), cell_text(two[name])) for name in table.names]
    return tuple(Cell(name, old, new) for name, old, new in texts if old != new)


def _alike(table: schema.Table, one: dict, two: dict) -> bool:
    """Whether a row that went and one that came are the same result, corrected in its key."""
    same = ("study", "arm", "outcome", "measure")
    return (
        table is schema.STUDIES
        and all(one[name] == two[name] for name in same)
        and len(_differences(table, one, two)) <= ALIKE
    )


def _change(kind: str, corpus: Corpus, *, before=None, after=None, cells=()) -> RowChange:
    row = after or before
    (said,) = rows_at(corpus, [row["address"]])
    places = {
        name: given["address"] for name, given in (("before", before), ("after", after)) if given
    }
    printed = f" “{said.as_printed}”" if said.as_printed else ""
    return RowChange(kind, said.says + printed, row.get("study", ""), cells=cells, **places)
