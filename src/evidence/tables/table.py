"""A table as data, and as HTML with a caption, header cells and wrapped text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from evidence.display import sortable


def anchor(identity: str, name: str) -> str:
    """The fragment by which a row of a table, or a number, is linked to."""
    return f"{identity}-{re.sub(r'[^0-9A-Za-z.]+', '-', str(name)).strip('-')}"


@dataclass(frozen=True)
class Table:
    """`frame` as shown (all text, one column a header); `numbers` keeps what the texts stand for.

    `numbers` has one row a shown row with `name` and `address`, and the numeric columns by which
    `values.json` knows them; `methods` as in a layout. `links` leads from a cell (row, column) to a
    place on the page.
    """

    id: str
    caption: str
    frame: pd.DataFrame = field(repr=False)
    numbers: pd.DataFrame = field(repr=False)
    methods: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[tuple[int, str], str] = field(default_factory=dict)

    def _cell(self, place: int, column: str, text: str) -> str:
        """A cell, as a link where `links` has one for it."""
        there = self.links.get((place, column))
        return f'<a href="#{escape(there)}">{escape(text)}</a>' if there else escape(text)

    def _head(self, name: str, text: str) -> str:
        """The first cell of a row, as a link to the footnote to its numbers if it has any."""
        has_numbers = len(self.numbers.columns.difference(["name", "address"])) > 0
        if not has_numbers:
            return escape(text)
        note = anchor("why", f"{self.id}:{name}")
        return f'<a class="number" href="#{note}">{escape(text)}</a>'

    def _repr_html_(self) -> str:
        return sortable(self.to_html())

    def to_html(self) -> str:
        """An HTML table; every cell is escaped, so data can never become markup."""
        head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in self.frame.columns)
        names = self.numbers["name"] if "name" in self.numbers else [""] * len(self.frame)
        body = "".join(
            f'<tr id="{escape(anchor(self.id, name))}">'
            + f'<th scope="row">{self._head(name, str(row[0]))}</th>'
            + "".join(
                f"<td>{self._cell(place, column, str(cell))}</td>"
                for column, cell in zip(self.frame.columns[1:], row[1:], strict=True)
            )
            + "</tr>\n"
            for place, (name, row) in enumerate(
                zip(names, self.frame.itertuples(index=False, name=None), strict=True)
            )
        )
        return (
            f'<div class="table" role="region" tabindex="0" aria-label="{escape(self.caption)}">'
            f'<table id="{escape(self.id)}">\n<caption>{escape(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
        )
