"""The finished reports as one PDF or Word document, for the supplement of a review."""

from collections.abc import Callable
from pathlib import Path

from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError
from evidence.figures.style import FONTS
from evidence.files import atomic_write, format_json, temporary_folder
from evidence.report.export import run_pandoc, word_document
from evidence.report.html_pages import read_template
from evidence.report.single_document import SingleDocument, assemble

FORMATS = ("pdf", "docx")
PICTURES = {"pdf": "svg", "docx": "png"}
"""Vectors; for Word, of which not every version shows them, 300 dots per inch."""
IMPORT = b'#import "picture.typ": image\n'


def write_single_file(
    dataset: Dataset,
    reports: Path,
    file_format: str,
    out: Path | None = None,
    style: str = "vancouver",
    status: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write all finished reports into one file and return its path.

    The same reports give the same bytes. A file that exists is replaced as a whole. Raise
    `EvidenceError` as `assemble` does, without pandoc or Typst, and if the file cannot be written.
    By default the file is `report.pdf` or `report.docx` among the reports, according to the format.
    The style of the references is one of `evidence.dataset.citations.TEXT_STYLES`. `status` is told
    what is being done.
    """
    out = out or reports / f"report.{file_format}"
    status("reading the pages")
    document = assemble(dataset, reports, style, PICTURES[file_format])
    status(f"writing {out.name}")
    with temporary_folder(dataset.project) as temporary:
        for name, content in document.pictures.items():
            (temporary / name).write_bytes(content)
        write = _pdf if file_format == "pdf" else _word
        content = write(document, temporary)
    try:
        atomic_write(out, content)
    except OSError as error:
        raise EvidenceError(
            f"--out {out}: cannot be written: {error.strerror}. Choose a file in a folder that exists."
        ) from None
    return out


def _title_page(document: SingleDocument) -> str:
    facts = (f"<p><strong>{name}:</strong> {text}</p>" for name, text in document.facts.items())
    return "".join(facts) + "<p>Not medical advice. This document records what texts reported.</p>"


def _authors(document: SingleDocument) -> list[str]:
    return [" ".join(filter(None, (a.first, a.last, a.suffix))) for a in document.project.authors]


def _pdf(document: SingleDocument, folder: Path) -> bytes:
    try:
        import typst
    except ImportError:
        raise EvidenceError(
            "A PDF of the report needs Typst. Install it with: pip install 'evidence[export]'"
        ) from None
    parts = {"front": _title_page(document), "chapters": document.chapters, "back": document.back}
    for name, html in parts.items():
        text = run_pandoc(("--from=html", "--to=typst", "--wrap=none", "--output=-"), html)
        (folder / f"{name}.typ").write_bytes(IMPORT + text)
    data = {
        "title": document.title,
        "subtitle": document.project.title,
        "authors": _authors(document),
        "alts": document.alts,
    }
    (folder / "report.json").write_text(format_json(data), "utf-8")
    for name in ("report.typ", "picture.typ"):
        (folder / name).write_text(read_template(name), "utf-8")
    # PDF/UA-1 asks for tags and a text for each figure, and Typst refuses to write less.
    # Only what our own font lacks is a reason to look for others, which differ between machines.
    for ignore_system_fonts in (True, False):
        try:
            return typst.compile(
                folder / "report.typ",
                root=folder,
                font_paths=[FONTS],
                ignore_system_fonts=ignore_system_fonts,
                pdf_standards="ua-1",
            )
        except typst.TypstError as error:
            message = error.message
    raise EvidenceError(
        f"Typst failed: {message}. If a font lacks a character, install one that has it, such as "
        "Noto Sans CJK."
    )


def _word(document: SingleDocument, folder: Path) -> bytes:
    metadata = {"lang": "en", "title": document.title, "subtitle": document.project.title}
    options = [
        *(f"--metadata={name}:{text}" for name, text in metadata.items()),
        *(f"--metadata=author:{name}" for name in _authors(document)),
    ]
    html = _title_page(document) + document.contents + document.chapters + document.back
    return word_document(html, options, output_format="docx+native_numbering", folder=folder)
