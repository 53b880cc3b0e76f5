"""A table as data, and as accessible HTML with a caption, header cells and links."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from evidence.dataset.notebook_display import add_sorting

CLAIMS_TABLE = "tab-claims"
UNKNOWNS_TABLE = "tab-unknowns"
LONG_TEXT = 70
"""A column with longer texts gets the width to read them."""
MAX_PORTRAIT_COLUMNS = 6
"""A table with more columns is printed in landscape format."""


def anchor(identity: str, name: str) -> str:
    """Return the fragment that links to a row of a table or to a footnote."""
    return f"{identity}-{re.sub(r'[^0-9A-Za-z.]+', '-', str(name)).strip('-')}"


@dataclass(frozen=True)
class ReportTable:
    """A table as shown, with the numbers that its texts stand for.

    Attributes
    ----------
    frame : DataFrame
        The cells as shown, all text, one column per header.
    numbers : DataFrame
        One row per shown row with `name`, `address` and the numeric columns for `values.json`.
    methods : mapping of str to str
        The method of each numeric column; columns without one are copied from the row.
    links : mapping of (row, column) to str or mapping of str to str
        The id or the web address that a cell links to, or one for each of the words that it lists.
    sort_keys : mapping of str to sequence
        Numbers that sort a column whose texts do not.
    filter_columns : sequence of str
        Columns that a page offers as filters; several values in a cell are separated by semicolons.
    """

    id: str
    caption: str
    frame: pd.DataFrame = field(repr=False)
    numbers: pd.DataFrame = field(repr=False)
    methods: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[tuple[int, str], str | Mapping[str, str]] = field(default_factory=dict)
    sort_keys: Mapping[str, Sequence] = field(default_factory=dict)
    filter_columns: Sequence[str] = ()

    def to_html(self) -> str:
        """Return the table as HTML; every cell is escaped, so data can never become markup."""
        header = "".join(self._header_cell(name) for name in self.frame.columns)
        names = self.numbers["name"] if "name" in self.numbers else [""] * len(self.frame)
        records = zip(names, self.frame.itertuples(index=False, name=None), strict=True)
        body = "".join(
            self._row(position, str(name), record)
            for position, (name, record) in enumerate(records)
        )
        identity = escape(self.id)
        wide = " wide" * (len(self.frame.columns) > MAX_PORTRAIT_COLUMNS)
        return (
            f'<div class="table{wide}" role="region" tabindex="0" '
            f'aria-labelledby="{identity}-caption"><table id="{identity}">\n'
            f'<caption id="{identity}-caption">{escape(self.caption)}</caption>\n'
            f"<thead><tr>{header}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
        )

    def _repr_html_(self) -> str:
        return add_sorting(self.to_html())

    def _header_cell(self, name: str) -> str:
        data_filter = ' data-filter=""' if name in self.filter_columns else ""
        is_long = self.frame[name].astype(str).str.len().max() > LONG_TEXT
        width = ' class="long"' if is_long else ""
        return f'<th scope="col"{width}{data_filter}>{escape(name)}</th>'

    def _row(self, position: int, name: str, record: tuple) -> str:
        first, *others = map(str, record)
        columns = self.frame.columns[1:]
        cells = [self._cell(position, *cell) for cell in zip(columns, others, strict=True)]
        header = f'<th scope="row">{self._row_title(name, first)}</th>'
        return f'<tr id="{escape(anchor(self.id, name))}">{header}{"".join(cells)}</tr>\n'

    def _row_title(self, name: str, text: str) -> str:
        """Return the first cell of a row, linked to the footnote on its numbers if it has any."""
        if self.numbers.columns.difference(["name", "address"]).empty:
            return escape(text)
        footnote = anchor("why", f"{self.id}:{name}")
        return f'<a class="number" href="#{footnote}">{escape(text)}</a>'

    def _cell(self, position: int, column: str, text: str) -> str:
        links = self.links.get((position, column), "")
        if isinstance(links, str):
            content = _link(links, text)
        else:
            content = "; ".join(_link(identity, word) for word, identity in links.items())
        if column not in self.sort_keys:
            return f"<td>{content}</td>"
        key = self.sort_keys[column][position]
        return f'<td data-sort="{"" if pd.isna(key) else f"{key:g}"}">{content}</td>'


def _link(target: str, text: str) -> str:
    if not target:
        return escape(text)
    href = target if target.startswith(("https://", "http://")) else f"#{target}"
    return f'<a href="{escape(href)}">{escape(text)}</a>'
