"""A figure or table as one HTML file: styles stand in the elements, so that pasting keeps them."""

import base64
from html import escape

from evidence.report.manuscript.exhibit import Exhibit

_FONT = "font-family: Georgia, serif; font-size: 11pt; line-height: 1.35; color: #111"
_CELL = "padding: 3pt 6pt; text-align: left; vertical-align: top; border-bottom: 0.5pt solid #999"
_HEAD = f"{_CELL}; border-top: 1pt solid #111; border-bottom: 1pt solid #111; font-weight: bold"
_WORDS = "text-align: left; margin: 6pt 0"


def page(exhibit: Exhibit) -> str:
    """A whole page that asks no server for anything; every text of the data is escaped."""
    shown = _table(exhibit) if exhibit.is_table else _figure(exhibit)
    said = "".join(f"<li>{escape(line)}</li>\n" for line in exhibit.references)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(exhibit.title)}</title></head>\n"
        f'<body style="{_FONT}; background: #fff; margin: 12pt">\n{shown}\n'
        f'<h2 style="font-size: 12pt">References</h2>\n<ol style="overflow-wrap: anywhere">\n{said}'
        "</ol>\n</body>\n</html>\n"
    )


def _figure(exhibit: Exhibit) -> str:
    shown = exhibit.shown
    picture = base64.b64encode(shown.file("png").read_bytes()).decode()
    return (
        f'<figure id="{escape(exhibit.id)}" style="margin: 0">\n'
        f'<img src="data:image/png;base64,{picture}" alt="{escape(shown.alt)}" '
        'style="max-width: 100%; height: auto">\n'
        f'<figcaption style="{_WORDS}"><strong>{escape(exhibit.title)}</strong> '
        f"{escape(shown.caption)}</figcaption>\n</figure>"
    )


def _table(exhibit: Exhibit) -> str:
    shown = exhibit.shown
    head = "".join(f'<th scope="col" style="{_HEAD}">{escape(n)}</th>' for n in shown.columns)
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL}; font-weight: normal">{escape(first)}</th>'
        + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in rest)
        + "</tr>\n"
        for first, *rest in shown.rows
    )
    label = escape(exhibit.title)
    return (
        f'<div role="region" tabindex="0" aria-label="{label}" style="overflow-x: auto">\n'
        f'<table id="{escape(exhibit.id)}" style="border-collapse: collapse; {_FONT}">\n'
        f'<caption style="{_WORDS}; font-weight: bold">{label}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>"
    )
