"""Figure files: vector and raster with their record inside, and beside them numbers and sources.

The same layout gives the same bytes every time, in any folder and time zone.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path

from evidence.corpus.citations.bibtex import bibtex
from evidence.corpus.reading import Corpus
from evidence.figures.layout import Layout
from evidence.publishing.drawing import FORMATS, drawn
from evidence.publishing.footnotes import linked
from evidence.publishing.identity import Record
from evidence.publishing.metadata import as_tiff, in_pdf, in_png, in_svg
from evidence.publishing.table_files import as_csv
from evidence.synthesis.wording import Number, Sentence

_WITH_RECORD = {"svg": in_svg, "pdf": in_pdf, "png": in_png}


def render(layout: Layout, record: Record, form: str) -> bytes:
    """One figure as the bytes of an SVG, PDF or PNG file with its record inside; see `drawn`."""
    return renderings(layout, record, [form])[form]


def renderings(layout: Layout, record: Record, forms: Iterable[str] = FORMATS) -> dict[str, bytes]:
    """A figure as the files of several formats; see `render`."""
    pictures = drawn(layout, record.name, list(forms))
    return {form: _WITH_RECORD[form](picture, record) for form, picture in pictures.items()}


def write_figure(layout: Layout, record: Record, corpus: Corpus, folder: Path) -> list[Path]:
    """`id.svg`, `.pdf` and `.png`, the plotted numbers (`.csv`), sources (`.bib`) and `id.json`.

    The last is the record, and the checksum of every other file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = renderings(layout, record)
    contents["csv"] = as_csv(layout.frame).encode()
    keys = [study["key"] for study in record.studies]
    contents["bib"] = bibtex(corpus.bibliography.some(keys)).encode()
    paths = []
    for form, content in contents.items():
        paths.append(folder / f"{layout.id}.{form}")
        paths[-1].write_bytes(content)
    return [*paths, _write_sidecar(asdict(record), paths)]


def _write_sidecar(content: dict, paths: list[Path]) -> Path:
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    path = paths[0].with_suffix(".json")
    text = json.dumps({**content, "files": files}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def add_tiffs(folder: Path) -> None:
    """Beside every PNG of a folder the same picture as TIFF, entered in its sidecar."""
    for png in sorted(folder.glob("*.png")):
        png.with_suffix(".tiff").write_bytes(as_tiff(png.read_bytes()))
        content = json.loads(png.with_suffix(".json").read_text("utf-8"))
        paths = [folder / name for name in content["files"] if not name.endswith(".tiff")]
        _write_sidecar(content, [*paths, png.with_suffix(".tiff")])


def title(layout: Layout) -> Sentence:
    """The title of a figure as a text of its report."""
    return Sentence(f"{layout.id}.title", "{title}", {"title": Number(None, layout.title)})


@dataclass(frozen=True)
class Shown:
    """A figure on display: picture, alternative text, caption and the whole chart in words.

    `written` is its SVG where that was written to a file already.
    """

    layout: Layout
    record: Record
    written: bytes = field(default=b"", repr=False)

    @cached_property
    def svg(self) -> bytes:
        """The picture as `render` gives it, drawn at most once."""
        return self.written or render(self.layout, self.record, "svg")

    def to_html(self) -> str:
        """A `figure` element that needs no other file; a note where there is nothing to draw."""
        layout = self.layout
        if layout.empty:
            return f'<p class="empty" id="{escape(layout.id)}">{escape(layout.empty)}</p>'
        picture = base64.b64encode(self.svg).decode()
        marks = "".join(f"<li>{escape(sentence)}</li>" for sentence in layout.reading)
        return (
            f'<figure id="{escape(layout.id)}" data-version="{self.record.version}">'
            f'<div class="picture" role="region" tabindex="0" '
            f'aria-label="{escape(layout.title)}">'
            f'<img src="data:image/svg+xml;base64,{picture}" alt="{escape(layout.alt)}"></div>\n'
            f"<figcaption><strong>{linked(title(layout))}.</strong> {linked(layout.caption)}"
            f"</figcaption>\n<details><summary>This chart in words</summary><ul>{marks}</ul>"
            "</details></figure>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        text = self.layout.empty or f"{self.layout.title}. {self.layout.alt}"
        return {"text/html": self.to_html(), "text/plain": text}
