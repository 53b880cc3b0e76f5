"""Tables in notebooks: headers with units that sort when pressed, and wrapped text.

Style and script are part of the output, so nothing has to be installed or loaded. Where scripts do
not run, such as in a notebook that is not trusted, the plain table remains.
"""

from html import escape
from pathlib import Path

import pandas as pd

from evidence.dataset import schema

# JupyterLab has rules of two classes on cells, stripes and lists, which only more of them overrule.
# Numbers of a frame stand at the right; a table of a report has phrases, at the left as on pages.
STYLE = """
.evidence-frame { max-height: 36em; overflow: auto; }
.evidence-frame table { border-collapse: collapse; }
.evidence-frame caption { text-align: left; font-weight: bold; padding: 0.3em 0; }
.evidence-frame.evidence-frame.evidence-frame table :is(th, td) {
  text-align: left; vertical-align: top; white-space: normal; overflow-wrap: break-word;
  min-width: 4em; max-width: 24em; padding: 0.25em 0.6em; border-bottom: 1px solid #8a8a8a;
}
.evidence-frame.evidence-frame.evidence-frame > table td[data-sort] { text-align: right; }
.evidence-frame thead th { position: sticky; top: 0; background: var(--jp-layout-color0, Canvas); }
.evidence-frame thead button {
  font: inherit; font-weight: bold; color: inherit; background: none; border: 0; padding: 0;
  min-height: 24px; text-align: left; cursor: pointer; text-decoration: underline dotted;
}
.evidence-frame.evidence-frame.evidence-frame .more td { max-width: none; padding-top: 0; }
.evidence-frame.evidence-frame.evidence-frame tr:has(+ .more) > * { border-bottom: 0; }
.evidence-frame.evidence-frame.evidence-frame tr:is(.more, :has(+ .more)) { background: none; }
.evidence-frame.evidence-frame.evidence-frame :is(dl, dt, dd) {
  display: inline; float: none; width: auto; margin: 0; padding: 0;
}
.evidence-frame dt::after { content: ":"; }
.evidence-frame dl > div { display: inline; margin-right: 1.2em; }
.evidence-frame details dl > div { display: block; margin: 0.2em 0 0 1em; }
.evidence-frame [aria-sort=ascending] button::after { content: " ▲"; }
.evidence-frame [aria-sort=descending] button::after { content: " ▼"; }
"""

SORT_SCRIPT = Path(__file__).with_name("table_sort.js").read_text("utf-8")
"""The function `makeSortable(table, onSort)`, also for the pages and the explorer."""


def add_sorting(table: str) -> str:
    """Return the HTML of a table together with the style and script that make it sortable."""
    return (
        f'<style>{STYLE}</style>\n<div class="evidence-frame">{table}</div>'
        f"<script>(() => {{\n{SORT_SCRIPT}"
        'makeSortable(document.currentScript.previousElementSibling.querySelector("table"));\n'
        "})();</script>"
    )


MAX_ROWS_SHOWN = 500
"""Rows that a notebook displays; more of them make it too large to open."""
_COLUMNS = [column for table in reversed(schema.TABLES) for column in table.columns]
DESCRIPTIONS = {column.name: column.description for column in _COLUMNS}
"""The meaning of each column; the first table wins where several have one of the name."""
HEADERS = {column.name: column.header for column in _COLUMNS if column.header} | {
    "event_count": "event count (participants)",
    "days_low": "earliest time (days)",
    "days": "time (days)",
}
"""Headers with units, also for columns that are derived."""


class Frame(pd.DataFrame):
    """A DataFrame that notebooks show with units and sortable headers, without blank columns.

    What is selected from a frame, or joined to it, is a frame again.
    """

    @property
    def _constructor(self) -> type["Frame"]:
        return Frame

    def _repr_html_(self) -> str:
        is_blank = self.isna() | (self.astype(object) == "")
        shown = self.loc[:, ~is_blank.all()] if len(self) else self
        head = "".join(_header(str(name)) for name in shown.columns)
        body = "\n".join(
            f"<tr>{''.join(map(_cell, row))}</tr>"
            for row in shown.head(MAX_ROWS_SHOWN).itertuples(index=False, name=None)
        )
        caption = f"{len(self):,} row{'s' * (len(self) != 1)}"
        if len(self) > MAX_ROWS_SHOWN:
            caption += f", the first {MAX_ROWS_SHOWN} shown"
        return add_sorting(
            f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


def _header(name: str) -> str:
    header = HEADERS.get(name, name.replace("_", " "))
    title = escape(DESCRIPTIONS.get(name, ""))
    return f'<th scope="col" title="{title}">{escape(header)}</th>'


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"<td>{escape('; '.join(map(str, value)))}</td>"
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "<td>—</td>"
    if pd.api.types.is_number(value) and not pd.api.types.is_bool(value):
        return f'<td data-sort="{value:.17g}">{f"{value:,.4g}".replace("-", "−")}</td>'
    return f"<td>{escape(str(value))}</td>"
