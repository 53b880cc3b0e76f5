"""Figures drawn, and kept for as long as the same would be drawn again.

What a chart looks like hangs on its layout, the name printed on it and the code that draws; not on
who asks. So the pictures of one run serve the next, and those of one set of parameters the others.

Vocabulary
----------
The *store* is a folder of this person's cache (`EVIDENCE_STORE` names another, empty none). Each
file in it is named by a digest of all that decides its picture, and begins with one of its content:
a file that was cut short counts as none. Files are put there whole and never changed, so that any
number of runs can share them; those not used for `DAYS` go.

Figure files: vector and raster with their record inside, and beside them numbers and sources.

The same layout gives the same bytes every time, in any folder and time zone.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from html import escape
from importlib.metadata import version
from pathlib import Path

from evidence.dataset.citations import bibtex
from evidence.dataset.dataset import Dataset
from evidence.dataset.digests import exact
from evidence.figures import (
    proportions_by_arm,
)
from evidence.figures.layout import Layout, draw
from evidence.figures.style import FONTS, house_style, stamp
from evidence.provenance.sentence import Number, Sentence
from evidence.report.figure_identity import FigureRecord
from evidence.report.figure_metadata import as_tiff, in_pdf, in_png, in_svg
from evidence.report.footnotes import sentence_html
from evidence.report.machine_readable import as_csv

FORMATS = ("svg", "pdf", "png")
LIBRARIES = ("matplotlib", "fonttools", "pypdfium2", "pillow")
DPI, POINTS = 300, 72
CACHE_DAYS = 30
CACHE_VARIABLE = "EVIDENCE_STORE"
DIGEST = 32

# Dates and program versions would make two runs of the same data differ.
_METADATA = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": dict.fromkeys(("CreationDate", "ModDate", "Creator", "Producer")),
}


def render_cached(layout: Layout, name: str, forms: Iterable[str] = FORMATS) -> dict[str, bytes]:
    """A figure with its name printed on it, as the bytes of files that say nothing else of it.

    Parameters
    ----------
    forms : iterable of {"svg", "pdf", "png"}
        The last is the PDF at 300 dots an inch.
    """
    store, key = _cache_folder(), _cache_key(layout, name)
    found = {form: _cache_get(store, f"{key}.{form}") for form in forms} if store else {}
    if missing := [form for form in forms if not found.get(form)]:
        with house_style():
            figure = draw(layout)
            box = stamp(figure, name)
            for form in missing:
                if form == "png":
                    found[form] = _png(found.get("pdf") or _save(figure, box, "pdf"))
                else:
                    found[form] = _save(figure, box, form)
                if store:
                    _cache_put(store, f"{key}.{form}", found[form])
    return {form: found[form] for form in forms}


def _save(figure, box, form: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, bbox_inches=box, metadata=_METADATA[form])
    return buffer.getvalue()


def _png(pdf: bytes) -> bytes:
    """The page as pixels, which takes less than to draw the figure once more."""
    import pypdfium2

    page = pypdfium2.PdfDocument(pdf)[0]
    picture = page.render(scale=DPI / POINTS, rev_byteorder=True).to_pil()
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", dpi=(DPI, DPI), compress_level=3)
    return buffer.getvalue()


def _cache_folder() -> Path | None:
    """The folder of the store; None where none is wanted or none can be made."""
    named = os.environ.get(CACHE_VARIABLE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = Path(named) if named else cache / "evidence" / "drawn"
    if named == "":
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _cache_key(layout: Layout, name: str) -> str:
    libraries = [version(library) for library in LIBRARIES]
    text = json.dumps([exact(layout), name, _code(), libraries], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


@cache
def _code() -> str:
    """The digest of everything that draws: source and fonts."""
    sources = [*Path(proportions_by_arm.__file__).parent.glob("*.py"), *FONTS.glob("*.ttf")]
    digest = hashlib.sha256()
    for path in [Path(__file__), *sorted(sources)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _cache_get(store: Path, name: str) -> bytes:
    """A file of the store; empty if it is not there or not whole."""
    path = store / name
    try:
        content = path.read_bytes()
        # What is used is young.
        os.utime(path)
    except OSError:
        return b""
    digest, picture = content[:DIGEST], content[DIGEST:]
    return picture if digest == _digest(picture) else b""


def _cache_put(store: Path, name: str, picture: bytes) -> None:
    """Put a file into the store, whole; where that fails it is drawn again another time."""
    with contextlib.suppress(OSError):
        handle, path = tempfile.mkstemp(dir=store, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(picture) + picture)
            Path(path).replace(store / name)
        except OSError:
            Path(path).unlink(missing_ok=True)
            raise


def prune_cache() -> None:
    """Take away what was not used for `DAYS`."""
    store, oldest = _cache_folder(), time.time() - CACHE_DAYS * 86_400
    for path in store.iterdir() if store else ():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:DIGEST].encode()


_WITH_RECORD = {"svg": in_svg, "pdf": in_pdf, "png": in_png}


def render(layout: Layout, record: FigureRecord, form: str) -> bytes:
    """One figure as the bytes of an SVG, PDF or PNG file with its record inside; see `drawn`."""
    return render_formats(layout, record, [form])[form]


def render_formats(
    layout: Layout, record: FigureRecord, forms: Iterable[str] = FORMATS
) -> dict[str, bytes]:
    """A figure as the files of several formats; see `render`."""
    pictures = render_cached(layout, record.name, list(forms))
    return {form: _WITH_RECORD[form](picture, record) for form, picture in pictures.items()}


def write_figure(
    layout: Layout, record: FigureRecord, dataset: Dataset, folder: Path
) -> list[Path]:
    """`id.svg`, `.pdf` and `.png`, the plotted numbers (`.csv`), sources (`.bib`) and `id.json`.

    The last is the record, and the checksum of every other file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = render_formats(layout, record)
    contents["csv"] = as_csv(layout.frame).encode()
    keys = [study["key"] for study in record.studies]
    contents["bib"] = bibtex(dataset.bibliography.some(keys)).encode()
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


def title_sentence(layout: Layout) -> Sentence:
    """The title of a figure as a text of its report."""
    return Sentence(f"{layout.id}.title", "{title}", {"title": Number(None, layout.title)})


@dataclass(frozen=True)
class DisplayedFigure:
    """A figure on display: picture, alternative text, caption and the whole chart in words.

    `written` is its SVG where that was written to a file already.
    """

    layout: Layout
    record: FigureRecord
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
            f"<figcaption><strong>{sentence_html(title_sentence(layout))}.</strong> {sentence_html(layout.caption)}"
            f"</figcaption>\n<details><summary>This chart in words</summary><ul>{marks}</ul>"
            "</details></figure>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        text = self.layout.empty or f"{self.layout.title}. {self.layout.alt}"
        return {"text/html": self.to_html(), "text/plain": text}
