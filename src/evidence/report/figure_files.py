"""Figure files: the picture in several formats, its numbers, sources and record; with a cache.

The same layout and record give the same bytes in any folder and time zone. Drawing takes most of
the time of a report, so files are kept in a cache in the user's home (`EVIDENCE_STORE` names
another folder; empty turns it off) for as long as the same would be drawn again.
"""

import base64
import contextlib
import io
import json
import logging
import os
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from html import escape
from importlib.metadata import version
from pathlib import Path

from evidence.dataset.dataset import Dataset
from evidence.figures.layout import Layout, draw
from evidence.figures.style import DOUBLE_COLUMN, SINGLE_COLUMN, house_style, stamp, use_fonts_for
from evidence.files import digest, format_json, path_digest, read_json, real_path
from evidence.provenance.sentence import Sentence
from evidence.report import figure_metadata
from evidence.report.cite import cited_part, format_part_bibtex
from evidence.report.figure_identity import FINE, WIDTHS, FigureRecord, drawing_code, sidecar_path
from evidence.report.figure_metadata import (
    KEYWORDS,
    TIFF_DOCUMENT_NAME,
    TIFF_IMAGE_DESCRIPTION,
    file_metadata,
    label_eps,
)
from evidence.report.footnotes import sentence_html
from evidence.report.html_pages import METADATA
from evidence.report.machine_readable import as_csv

FORMATS = ("svg", "pdf", "png", "eps")
"""EPS is the last, because it is drawn without transparency."""
DPI, FINE_DPI, POINTS_PER_INCH = 300, 600, 72
MAX_CHARACTERS_NAMED = 5
NARROW_SCREEN = "screen and (max-width: 46rem)"
"""Screens on which the text of a figure for two columns would be smaller than on paper."""
CACHE_VARIABLE = "EVIDENCE_STORE"
CACHE_DAYS = 30
CACHE_LIBRARIES = ("matplotlib", "fonttools", "pypdfium2", "pillow")


def render_figure(
    layout: Layout,
    record: FigureRecord,
    formats: Iterable[str] = FORMATS,
    width: float = DOUBLE_COLUMN,
) -> dict[str, bytes]:
    """Return a figure as files with its record inside, by format.

    The width is in inches. PNG has 300 dots per inch.
    """
    cache_path = _cache_path(layout, record, width)
    files = {name: _read_cache(cache_path, name) for name in formats}
    if missing := [name for name in FORMATS if name in files and not files[name]]:
        with house_style(), warnings.catch_warnings():
            # Said once below, and without the folder of this installation.
            warnings.filterwarnings("ignore", r"Glyph \d+ ")
            # Charts that are not arranged for a single column yet.
            warnings.filterwarnings("ignore", "constrained_layout not applied")
            figure = draw(layout, width)
            undrawn = use_fonts_for(figure)
            if undrawn:
                _warn_of_missing_font(undrawn)
            box = stamp(figure, record.name)
            for name in missing:
                if name == "png":
                    pdf = files.get("pdf") or _save(figure, box, record, "pdf")
                    files[name] = _write_png(_render_pdf(pdf), file_metadata(record, "png"))
                else:
                    files[name] = _save(figure, box, record, name)
                if not undrawn:
                    _write_cache(cache_path, name, files[name])
    return files


@cache
def _warn_of_missing_font(characters: str) -> None:
    """Say, once in a process, that characters are drawn as boxes."""
    listed = ", ".join(f"{sign} (U+{ord(sign):04X})" for sign in characters[:MAX_CHARACTERS_NAMED])
    more = ", …" if len(characters) > MAX_CHARACTERS_NAMED else ""
    logging.getLogger("evidence").warning(
        f"No installed font has {listed}{more}. Figures show boxes instead. Install a font that "
        "has these characters, such as Noto Sans CJK, and run: evidence report --force"
    )


def _save(figure, box, record: FigureRecord, file_format: str) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    if file_format == "eps":
        _make_opaque(figure)
        # Journals refuse fonts of type 3, which is the default.
        with mpl.rc_context({"ps.fonttype": 42}):
            figure.savefig(buffer, format="eps", bbox_inches=box)
        return label_eps(buffer.getvalue(), record)
    metadata = file_metadata(record, file_format)
    figure.savefig(buffer, format=file_format, bbox_inches=box, metadata=metadata)
    if file_format == "pdf":
        return buffer.getvalue()
    # Matplotlib writes the title as an element that screen readers find, but not the description.
    description = escape(" ".join([record.alt, *record.reading]))
    head, body = buffer.getvalue().decode().split("</title>", 1)
    return f"{head}</title>\n <desc>{description}</desc>{body}".encode()


def _make_opaque(figure) -> None:
    """Blend transparent colours with the white of the paper: PostScript has no transparency."""
    from matplotlib.colors import to_rgba_array

    for artist in figure.findobj(lambda artist: artist.get_alpha() not in (None, 1)):
        alpha = artist.get_alpha()
        artist.set_alpha(None)
        names = ["facecolor", "edgecolor"]
        if not hasattr(artist, "get_facecolor"):
            names = ["color", "markerfacecolor", "markeredgecolor"]
        for name in filter(lambda name: hasattr(artist, f"get_{name}"), names):
            colours = to_rgba_array(getattr(artist, f"get_{name}")())
            is_drawn = colours[:, 3] > 0
            colours[is_drawn, :3] = 1 - alpha * (1 - colours[is_drawn, :3])
            getattr(artist, f"set_{name}")(colours if len(colours) != 1 else colours[0])


def _render_pdf(pdf: bytes, dpi: int = DPI):
    """Render the page, in two thirds of the time that matplotlib takes to draw it once more."""
    import pypdfium2

    page = pypdfium2.PdfDocument(pdf)[0]
    return page.render(scale=dpi / POINTS_PER_INCH, rev_byteorder=True).to_pil()


def _write_png(image, texts: Mapping[str, str | None], dpi: int = DPI) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text or "")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", dpi=(dpi, dpi), compress_level=3, pnginfo=info)
    return buffer.getvalue()


def _write_tiff(image, texts: Mapping[str, str], dpi: int) -> bytes:
    tags = {TIFF_DOCUMENT_NAME: texts["Title"], TIFF_IMAGE_DESCRIPTION: texts[KEYWORDS]}
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "TIFF", compression="tiff_lzw", dpi=(dpi, dpi), tiffinfo=tags)
    return buffer.getvalue()


def _cache_folder() -> Path | None:
    """Return the folder of the cache, or None if it is turned off or cannot be made."""
    home = real_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    name = os.environ.get(CACHE_VARIABLE, str(home / "evidence" / "figures"))
    with contextlib.suppress(OSError):
        if name:
            Path(name).mkdir(parents=True, exist_ok=True)
            return Path(name)
    return None


def _cache_path(layout: Layout, record: FigureRecord, width: float) -> Path | None:
    """Return where the cache has a figure: named by everything that decides its bytes."""
    code = drawing_code(type(layout).__module__, __name__, figure_metadata.__name__)
    inputs = [asdict(record), width, code, *map(version, CACHE_LIBRARIES)]
    folder = _cache_folder()
    return folder and folder / digest(json.dumps(inputs, sort_keys=True))


def _read_cache(path: Path | None, file_format: str) -> bytes:
    """Return a file of the cache, or nothing."""
    with contextlib.suppress(OSError):
        if path:
            file = path.with_suffix(f".{file_format}")
            os.utime(file)  # `prune_cache` removes what was not used for a while.
            return file.read_bytes()
    return b""


def _write_cache(path: Path | None, file_format: str, content: bytes) -> None:
    """Put a file into the cache, whole; if that fails, it is drawn again the next time.

    What a killed process leaves is removed by `prune_cache`: looking for it in so many files would
    take too long.
    """
    with contextlib.suppress(OSError):
        if path:
            new = path.with_suffix(f".{file_format}.{os.getpid()}")
            new.write_bytes(content)
            new.replace(path.with_suffix(f".{file_format}"))


def prune_cache() -> None:
    """Remove files from the cache that were not used for `CACHE_DAYS`."""
    folder, oldest = _cache_folder(), time.time() - CACHE_DAYS * 86_400
    for path in folder.iterdir() if folder else ():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def write_figure(
    layout: Layout, record: FigureRecord, dataset: Dataset, folder: Path
) -> list[Path]:
    """Write a figure in both widths and all formats, its numbers, its sources and `ID.json`.

    The files are `ID.svg`, `.pdf`, `.png` and `.eps`, 180 mm wide, the same as `ID-85mm.svg` and so
    on, the plotted numbers (`.csv`) and what to cite (`.bib`): studies, other sources and the
    figure. The JSON file holds the record and the SHA-256 checksum of every other file. The paths
    are returned in this order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        f"{ending}.{suffix}": content
        for width, ending in WIDTHS.items()
        for suffix, content in render_figure(layout, record, width=width).items()
    }
    contents[".csv"] = as_csv(layout.frame).encode()
    contents[".bib"] = format_part_bibtex(dataset, cited_part(asdict(record))).encode()
    paths = [folder / f"{layout.id}{ending}" for ending in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    return [*paths, _write_sidecar(asdict(record), paths)]


def _write_sidecar(content: dict, paths: list[Path]) -> Path:
    checksums = {path.name: path_digest(path) for path in paths}
    path = sidecar_path(paths[0])
    path.write_text(format_json({**content, "files": checksums}), encoding="utf-8")
    return path


def add_fine_formats(folder: Path) -> None:
    """Write each figure of a folder as PNG and TIFF with 600 dots per inch, in both widths."""
    from PIL.PngImagePlugin import PngImageFile

    for pdf in sorted(folder.glob("*.pdf")):
        with PngImageFile(pdf.with_suffix(".png")) as png:
            texts = png.text
        image = _render_pdf(pdf.read_bytes(), FINE_DPI)
        fine_png, tiff = pdf.with_name(f"{pdf.stem}{FINE}.png"), pdf.with_suffix(".tiff")
        fine_png.write_bytes(_write_png(image, texts, FINE_DPI))
        tiff.write_bytes(_write_tiff(image, texts, FINE_DPI))
        content = read_json(sidecar_path(pdf))
        names = dict.fromkeys([*content["files"], fine_png.name, tiff.name])
        _write_sidecar(content, [folder / name for name in names])


def title_sentence(layout: Layout) -> Sentence:
    """Return the title of a figure as a sentence for the texts of its report."""
    return Sentence(f"{layout.id}.title", "{title}", {"title": layout.title})


@dataclass(frozen=True)
class DisplayedFigure:
    """A figure in a notebook: picture, alternative text, caption and a description in words.

    `folder` has its files if they were written already.
    """

    layout: Layout
    record: FigureRecord
    folder: Path | None = None

    @cached_property
    def svg(self) -> bytes:
        """The figure as SVG for wide screens, drawn at most once."""
        return self._svg(DOUBLE_COLUMN)

    @cached_property
    def narrow_svg(self) -> bytes:
        """The figure as SVG for narrow screens, drawn at most once."""
        return self._svg(SINGLE_COLUMN)

    def _svg(self, width: float) -> bytes:
        if self.folder:
            return (self.folder / f"{self.layout.id}{WIDTHS[width]}.svg").read_bytes()
        return render_figure(self.layout, self.record, ["svg"], width)["svg"]

    def to_html(self, footnotes: str = "") -> str:
        """Return a `figure` element that needs no other file, or a note if nothing is drawn.

        For `footnotes` see `sentence_html`.
        """
        layout = self.layout
        if layout.empty:
            return layout.to_html("", "")
        wide, narrow = (
            f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
            for svg in (self.svg, self.narrow_svg)
        )
        title, caption = (
            sentence_html(sentence, footnotes=footnotes)
            for sentence in (title_sentence(layout), layout.caption)
        )
        return layout.to_html(
            f'<picture><source media="{NARROW_SCREEN}" srcset="{narrow}">'
            f'<img src="{wide}" alt="{escape(layout.alt)}"></picture>',
            f"<strong>{title}.</strong> {caption}",
            self.record.version,
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        content = {} if self.layout.empty else {METADATA: {"figure": self.layout.id}}
        return {"text/html": self.to_html(), "text/plain": self.layout.to_text()}, content
