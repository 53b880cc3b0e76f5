"""A table as data, and as HTML with a caption, header cells and wrapped text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from evidence.dataset.notebook_display import sortable

CLAIMS_TABLE = "tab-claims"
UNKNOWNS_TABLE = "tab-unknowns"
LONG_TEXT = 70
"""A column with a text of more characters than these is given the width to read it."""
WIDE_TABLE = 6
"""More columns than these get a sheet in landscape format on paper."""


def anchor(identity: str, name: str) -> str:
    """The fragment by which a row of a table, or a number, is linked to."""
    return f"{identity}-{re.sub(r'[^0-9A-Za-z.]+', '-', str(name)).strip('-')}"


@dataclass(frozen=True)
class ReportTable:
    """`frame` as shown (all text, one column a header); `numbers` keeps what the texts stand for.

    `numbers` has one row a shown row with `name` and `address`, and the numeric columns by which
    `values.json` knows them; `methods` as in a layout. `links` leads from a cell (row, column) to
    the id of a place: one for the whole cell, or one for each of the words that it lists. `sort_keys`
    gives the numbers by which a column sorts whose texts do not; `filter_columns` names the columns whose
    words one would pick rows by, several in a cell being parted by semicolons.
    """

    id: str
    caption: str
    frame: pd.DataFrame = field(repr=False)
    numbers: pd.DataFrame = field(repr=False)
    methods: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[tuple[int, str], str | Mapping[str, str]] = field(default_factory=dict)
    sort_keys: Mapping[str, Sequence] = field(default_factory=dict)
    filter_columns: Sequence[str] = ()

    def _cell(self, place: int, column: str, text: str) -> str:
        """A cell, as links where `links` has some for it, with its key for sorting."""
        there = self.links.get((place, column), "")
        if isinstance(there, str):
            said = _link(there, text)
        else:
            said = "; ".join(_link(identity, word) for word, identity in there.items())
        if column not in self.sort_keys:
            return f"<td>{said}</td>"
        key = self.sort_keys[column][place]
        return f'<td data-sort="{"" if pd.isna(key) else f"{key:g}"}">{said}</td>'

    def _head(self, name: str, text: str) -> str:
        """The first cell of a row, as a link to the footnote to its numbers if it has any."""
        has_numbers = len(self.numbers.columns.difference(["name", "address"])) > 0
        if not has_numbers:
            return escape(text)
        note = anchor("why", f"{self.id}:{name}")
        return f'<a class="number" href="#{note}">{escape(text)}</a>'

    def _column(self, name: str) -> str:
        picks = ' data-filter=""' if name in self.filter_columns else ""
        long = ' class="long"' if self.frame[name].astype(str).str.len().max() > LONG_TEXT else ""
        return f'<th scope="col"{long}{picks}>{escape(name)}</th>'

    def _repr_html_(self) -> str:
        return sortable(self.to_html())

    def to_html(self) -> str:
        """An HTML table; every cell is escaped, so data can never become markup."""
        head = "".join(self._column(name) for name in self.frame.columns)
        names = self.numbers["name"] if "name" in self.numbers else [""] * len(self.frame)
        body = "".join(
            f'<tr id="{escape(anchor(self.id, name))}">'
            + f'<th scope="row">{self._head(name, str(row[0]))}</th>'
            + "".join(
                self._cell(place, column, str(cell))
                for column, cell in zip(self.frame.columns[1:], row[1:], strict=True)
            )
            + "</tr>\n"
            for place, (name, row) in enumerate(
                zip(names, self.frame.itertuples(index=False, name=None), strict=True)
            )
        )
        identity = escape(self.id)
        wide = " wide" * (len(self.frame.columns) > WIDE_TABLE)
        return (
            f'<div class="table{wide}" role="region" tabindex="0" '
            f'aria-labelledby="{identity}-caption"><table id="{identity}">\n'
            f'<caption id="{identity}-caption">{escape(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
        )


def _link(identity: str, text: str) -> str:
    return f'<a href="#{escape(identity)}">{escape(text)}</a>' if identity else escape(text)
