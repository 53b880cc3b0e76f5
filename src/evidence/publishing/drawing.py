"""Figures drawn, and kept for as long as the same would be drawn again.

What a chart looks like hangs on its layout, the name printed on it and the code that draws; not on
who asks. So the pictures of one run serve the next, and those of one set of parameters the others.

Vocabulary
----------
The *store* is a folder of this person's cache (`EVIDENCE_STORE` names another, empty none). Each
file in it is named by a digest of all that decides its picture, and begins with one of its content:
a file that was cut short counts as none. Files are put there whole and never changed, so that any
number of runs can share them; those not used for `DAYS` go.
"""

import contextlib
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from evidence.corpus.exact import exact
from evidence.figures import (  # noqa: F401 - importing a module teaches `draw` its layout
    appraisal,
    claims,
    comparison,
    dose_response,
    doses,
    durability,
    forest,
    gap_map,
    shares,
    specifications,
)
from evidence.figures.layout import Layout, draw
from evidence.figures.style import FONTS, house_style, stamp

FORMATS = ("svg", "pdf", "png")
LIBRARIES = ("matplotlib", "fonttools", "pypdfium2", "pillow")
DPI, POINTS = 300, 72
DAYS = 30
STORE = "EVIDENCE_STORE"
DIGEST = 32

# Dates and program versions would make two runs of the same data differ.
_METADATA = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": dict.fromkeys(("CreationDate", "ModDate", "Creator", "Producer")),
}


def drawn(layout: Layout, name: str, forms: Iterable[str] = FORMATS) -> dict[str, bytes]:
    """A figure with its name printed on it, as the bytes of files that say nothing else of it.

    Parameters
    ----------
    forms : iterable of {"svg", "pdf", "png"}
        The last is the PDF at 300 dots an inch.
    """
    store, key = _store(), _key(layout, name)
    found = {form: _kept(store, f"{key}.{form}") for form in forms} if store else {}
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
                    _keep(store, f"{key}.{form}", found[form])
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


def _store() -> Path | None:
    """The folder of the store; None where none is wanted or none can be made."""
    named = os.environ.get(STORE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = Path(named) if named else cache / "evidence" / "drawn"
    if named == "":
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _key(layout: Layout, name: str) -> str:
    libraries = [version(library) for library in LIBRARIES]
    text = json.dumps([exact(layout), name, _code(), libraries], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


@cache
def _code() -> str:
    """The digest of everything that draws: source and fonts."""
    sources = [*Path(shares.__file__).parent.glob("*.py"), *FONTS.glob("*.ttf")]
    digest = hashlib.sha256()
    for path in [Path(__file__), *sorted(sources)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _kept(store: Path, name: str) -> bytes:
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


def _keep(store: Path, name: str, picture: bytes) -> None:
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


def forget_old() -> None:
    """Take away what was not used for `DAYS`."""
    store, oldest = _store(), time.time() - DAYS * 86_400
    for path in store.iterdir() if store else ():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:DIGEST].encode()
