"""A table as data, and as accessible HTML with a caption, header cells and links."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

import pandas as pd

from evidence.dataset.notebook_display import add_sorting
from evidence.tables.sort_keys import BLANKS, sort_keys

CLAIMS_TABLE = "tab-claims"
UNKNOWNS_TABLE = "tab-unknowns"
MAX_ROWS_SHOWN = 2_000
"""A page of more rows is slow to open; the CSV file of the table has all of them."""


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
        Numbers that sort a column; others sort by `sort_keys` of their texts.
    filter_columns : sequence of str
        Columns that a page offers as filters; several values in a cell are separated by semicolons.
    second_line, folded : sequence of str
        Columns shown below each row instead of in it: in a line, and behind a disclosure.
    """

    id: str
    caption: str
    frame: pd.DataFrame = field(repr=False)
    numbers: pd.DataFrame = field(repr=False)
    methods: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[tuple[int, str], str | Mapping[str, str]] = field(default_factory=dict)
    sort_keys: Mapping[str, Sequence] = field(default_factory=dict)
    filter_columns: Sequence[str] = ()
    second_line: Sequence[str] = ()
    folded: Sequence[str] = ()

    def to_html(self) -> str:
        """Return the table as HTML; every cell is escaped, so data can never become markup.

        Roles are explicit, because some browsers drop those of a table that style shows as cards.
        """
        columns = self.frame.columns.difference([*self.second_line, *self.folded], sort=False)
        keys = {name: self.sort_keys.get(name) or sort_keys(self._texts(name)) for name in columns}
        header = "".join(
            f'<th role="columnheader" scope="col">{escape(name)}</th>' for name in columns
        )
        names = self.numbers["name"] if "name" in self.numbers else [""] * len(self.frame)
        body = "".join(
            self._row(position, str(name), keys) + self._more(position, len(columns))
            for position, name in enumerate(names)
        )
        identity = escape(self.id)
        filters = escape(json.dumps(list(self.filter_columns), ensure_ascii=False))
        return (
            f'<div class="table"><table id="{identity}" role="table" data-filters="{filters}" '
            f'aria-labelledby="{identity}-caption">\n'
            f'<caption id="{identity}-caption">{escape(self.caption)}</caption>\n'
            f'<thead role="rowgroup"><tr role="row">{header}</tr></thead>\n'
            f'<tbody role="rowgroup">\n{body}</tbody>\n</table></div>'
        )

    def first_rows(self, most: int, file: str) -> "ReportTable":
        """Return the table, or if it is longer than `most`, its first rows and where all are."""
        size = len(self.frame)
        if size <= most:
            return self
        return replace(
            self,
            caption=f"{self.caption}: the first {most:,} of {size:,} rows; {file} has all of them",
            frame=self.frame.head(most),
            numbers=self.numbers.head(most),
            sort_keys={name: list(keys)[:most] for name, keys in self.sort_keys.items()},
        )

    def _repr_html_(self) -> str:
        return add_sorting(self.to_html())

    def _texts(self, column: str) -> list[str]:
        return list(map(str, self.frame[column]))

    def _row(self, position: int, name: str, keys: Mapping[str, Sequence]) -> str:
        first, *others = keys
        title = self._row_title(name, str(self.frame[first].iloc[position]))
        cells = [self._tag("th", "rowheader", first, keys[first][position], title, ' scope="row"')]
        for column in others:
            content, key = self._content(position, column), keys[column][position]
            cells.append(self._tag("td", "cell", column, key, content))
        return f'<tr role="row" id="{escape(anchor(self.id, name))}">{"".join(cells)}</tr>\n'

    def _tag(self, tag: str, role: str, column: str, key: object, content: str, more="") -> str:
        sort = "" if pd.isna(key) else f' data-sort="{key:.10g}"'
        if not sort and content in BLANKS:
            sort = ' data-sort=""'
        return f'<{tag} role="{role}"{more} data-label="{escape(column)}"{sort}>{content}</{tag}>'

    def _more(self, position: int, width: int) -> str:
        """Return the row below a row: its second line, and what is folded; blank cells left out."""
        line, folded = (
            {
                column: content
                for column in columns
                if (content := self._content(position, column)) not in BLANKS
            }
            for columns in (self.second_line, self.folded)
        )
        content = _definitions(line)
        if folded:
            summary = escape(", ".join(folded))
            content += f"<details><summary>{summary}</summary>{_definitions(folded)}</details>"
        if not content:
            return ""
        return (
            f'<tr role="row" class="more"><td role="cell" colspan="{width}">{content}</td></tr>\n'
        )

    def _row_title(self, name: str, text: str) -> str:
        """Return the first cell of a row, linked to the footnote on its numbers if it has any."""
        if self.numbers.columns.difference(["name", "address"]).empty:
            return escape(text)
        footnote = anchor("why", f"{self.id}:{name}")
        return f'<a class="number" href="#{footnote}">{escape(text)}</a>'

    def _content(self, position: int, column: str) -> str:
        links = self.links.get((position, column), "")
        if isinstance(links, str):
            return _link(links, str(self.frame[column].iloc[position]))
        return "; ".join(_link(identity, word) for word, identity in links.items())


def _definitions(contents: Mapping[str, str]) -> str:
    items = "".join(
        f'<div><dt>{escape(column)}</dt> <dd data-label="{escape(column)}">{content}</dd></div>'
        for column, content in contents.items()
    )
    return f"<dl>{items}</dl>" if items else ""


def _link(target: str, text: str) -> str:
    if not target:
        return escape(text)
    href = target if target.startswith(("https://", "http://")) else f"#{target}"
    return f'<a href="{escape(href)}">{escape(text)}</a>'
