"""Figure files: vector and raster, the plotted numbers beside them, the same bytes every time."""

import base64
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path

from evidence.figures import (  # noqa: F401 - importing a module teaches `draw` its layout
    appraisal,
    claims,
    comparison,
    dose_response,
    doses,
    durability,
    forest,
    gap_map,
    response,
    specifications,
)
from evidence.figures.layout import Layout, draw
from evidence.figures.style import house_style
from evidence.publishing.footnotes import linked
from evidence.synthesis.wording import Number, Sentence

FORMATS = ("svg", "pdf", "png")

# Dates and program versions would make two runs of the same data differ.
_METADATA = {
    "svg": lambda layout: {
        "Date": None,
        "Creator": None,
        "Title": layout.title,
        "Description": layout.alt,
    },
    "pdf": lambda layout: {
        "CreationDate": None,
        "ModDate": None,
        "Creator": None,
        "Producer": None,
        "Title": layout.title,
        "Subject": layout.alt,
    },
    "png": lambda layout: {"Software": None, "Title": layout.title, "Description": layout.alt},
}


def render(layout: Layout, form: str) -> bytes:
    """One figure as the bytes of an SVG, PDF or (at 300 dpi) PNG file."""
    figure = draw(layout)
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(
            buffer, format=form, dpi=300, bbox_inches="tight", metadata=_METADATA[form](layout)
        )
    return buffer.getvalue()


def write_figure(layout: Layout, folder: Path) -> list[Path]:
    """`id.svg`, `id.pdf`, `id.png` and the plotted numbers as `id.csv`, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for form in FORMATS:
        path = folder / f"{layout.id}.{form}"
        path.write_bytes(render(layout, form))
        paths.append(path)
    path = folder / f"{layout.id}.csv"
    layout.frame.to_csv(path, index=False, lineterminator="\n")
    return [*paths, path]


def title(layout: Layout) -> Sentence:
    """The title of a figure as a text of its report."""
    return Sentence(f"{layout.id}.title", "{title}", {"title": Number(None, layout.title)})


@dataclass(frozen=True)
class Shown:
    """A figure on display: a picture with its alternative text and caption, in any front end."""

    layout: Layout

    def to_html(self) -> str:
        """A `figure` element that needs no other file; a note where there is nothing to draw."""
        layout = self.layout
        if layout.empty:
            return f'<p class="empty" id="{escape(layout.id)}">{escape(layout.empty)}</p>'
        picture = base64.b64encode(render(layout, "svg")).decode()
        return (
            f'<figure id="{escape(layout.id)}"><div class="picture" role="region" tabindex="0" '
            f'aria-label="{escape(layout.title)}">'
            f'<img src="data:image/svg+xml;base64,{picture}" alt="{escape(layout.alt)}"></div>\n'
            f"<figcaption><strong>{linked(title(layout))}.</strong> {linked(layout.caption)}"
            "</figcaption></figure>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        text = self.layout.empty or f"{self.layout.title}. {self.layout.alt}"
        return {"text/html": self.to_html(), "text/plain": text}
