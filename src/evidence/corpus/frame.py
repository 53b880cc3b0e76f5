"""Tables that display themselves in a notebook: readable headers with units, sorted by pressing.

Whatever is picked out of such a table, or joined to it, is one again.
"""

from html import escape

import pandas as pd

from evidence.corpus import schema
from evidence.display import sortable

SHOWN = 500
"""Rows on display; more of them make a notebook too large to open."""
HEADERS = {
    "n": "n (people)",
    "k": "k (studies)",
    "events": "events (people)",
    "counted": "counted (people)",
    "n_randomised": "randomised (people)",
    "n_analysed": "analysed (people)",
    "dose_mg_per_kg": "dose (mg per kg)",
    "infusion_minutes": "infusion (minutes)",
    "sessions": "sessions (times)",
    "value": "value (natural scale)",
    "ci_low": "interval, low (as value)",
    "ci_high": "interval, high (as value)",
    "spread": "spread (as value)",
    "days_low": "earliest time (days)",
    "days": "time (days)",
    "longest": "longest look (days)",
    "high_risk": "at high risk (share)",
}
"""Columns whose names do not say what they are counted in."""
ABOUT = {column.name: column.about for table in reversed(schema.TABLES) for column in table.columns}
"""What each column means; where several tables have one of the name, as in the first."""


class Frame(pd.DataFrame):
    """A data frame like any other, but for how a notebook shows it; blank columns are left out."""

    @property
    def _constructor(self):
        return Frame

    def _repr_html_(self) -> str:
        blank = self.isna() | (self.astype(object) == "")
        shown = self.loc[:, ~blank.all()] if len(self) else self
        head = "".join(
            f'<th scope="col" title="{escape(ABOUT.get(str(name), ""))}">'
            f"{escape(HEADERS.get(str(name), str(name).replace('_', ' ')))}</th>"
            for name in shown.columns
        )
        body = "\n".join(
            f"<tr>{''.join(map(_cell, row))}</tr>"
            for row in shown.head(SHOWN).itertuples(index=False, name=None)
        )
        size = f"{len(self):,} rows"
        if len(self) > SHOWN:
            size += f", the first {SHOWN} shown"
        return sortable(
            f"<table><caption>{size}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


def _cell(value) -> str:
    if isinstance(value, list | tuple):
        return f"<td>{escape('; '.join(map(str, value)))}</td>"
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "<td>—</td>"
    if pd.api.types.is_number(value) and not pd.api.types.is_bool(value):
        return f'<td data-sort="{value:.17g}">{f"{value:,.4g}".replace("-", "−")}</td>'
    return f"<td>{escape(str(value))}</td>"
