"""A figure or table of the reports for a manuscript: Word, LaTeX or HTML, converted by pandoc.

Every format comes from one HTML fragment with caption, alternative text and references.
"""

import io
import os
import re
import subprocess
import zipfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from evidence.dataset.bibliography import Reference
from evidence.dataset.citations import TEXT_STYLES
from evidence.dataset.citations.reference_managers import format_csl_for_pandoc
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError
from evidence.files import atomic_write, read_bytes, real_path, temporary_folder
from evidence.report.cite import (
    FinishedFigure,
    FinishedTable,
    citation_references,
    read_figure_or_table,
)
from evidence.report.figure_identity import WIDTH_ENDINGS

FORMATS = ("docx", "latex", "html")
WIDTHS = tuple(WIDTH_ENDINGS)
"""Widths of a figure: as wide as the text, or for one column of a journal."""
COLUMN, MAX_HEIGHT = 85, 240
"""Millimetres that a figure for one column takes, if it is not too high for a page."""
MAX_UPRIGHT_COLUMNS = 5
# Characters of small print that fit side by side on A4, upright and on its side.
LINE_LENGTH, WIDE_LINE_LENGTH = 95, 145
# Longer words are broken, and a cell with more text does not get more width for it.
MAX_WORD_LENGTH, MAX_CELL_LENGTH = 16, 80
CELL_PADDING = 2
# The earliest time that a zip file can hold: no date of today goes into a document.
EPOCH = "315532800"
# Twentieths of a point: A4, and margins of two centimetres.
PAGE_SIDES, MARGIN = (11906, 16838), 1134
OFFICE = "schemas.openxmlformats.org/officeDocument/2006/relationships"
FOOTER = f'<w:sectPr><w:footerReference xmlns:r="http://{OFFICE}" w:type="default" r:id="footer" />'
PAGE_NUMBER = (
    '<w:ftr xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:p><w:pPr>'
    '<w:jc w:val="right" /></w:pPr><w:fldSimple w:instr="PAGE"><w:r><w:t>1</w:t></w:r>'
    "</w:fldSimple></w:p></w:ftr>"
)
WORD_CHANGES = {
    "word/styles.xml": (
        # Small print in tables, where a row stays on one page.
        (
            r'(w:styleId="Compact".*?<w:pPr>)(.*?</w:pPr>)',
            r'\1<w:keepLines />\2<w:rPr><w:sz w:val="16" /></w:rPr>',
        ),
        # Code is as large as the text around it.
        (r'(w:styleId="VerbatimChar".*?)<w:sz w:val="22" />', r"\1"),
        (
            r'(w:styleId="Table".*?)<w:tblCellMar>',
            r'\1<w:tblBorders><w:insideH w:val="single" w:sz="2" w:color="BFBFBF" />'
            "</w:tblBorders><w:tblCellMar>",
        ),
    ),
    # Not every machine has the font of Word 2024; what stands in for it may be much wider.
    "word/theme/theme1.xml": (("Aptos Display", "Arial"), ('"Aptos"', '"Arial"')),
    "word/_rels/document.xml.rels": (
        (
            "</Relationships>",
            f'<Relationship Id="footer" Type="http://{OFFICE}/footer" Target="footer1.xml" />'
            "</Relationships>",
        ),
    ),
    "[Content_Types].xml": (
        (
            "</Types>",
            '<Override PartName="/word/footer1.xml" ContentType="application/'
            'vnd.openxmlformats-officedocument.wordprocessingml.footer+xml" /></Types>',
        ),
    ),
}
"""What a Word document has otherwise than pandoc's template: by part, patterns and replacements."""
# Signs that older LaTeX engines have no letter for.
LATEX_SIGNS = str.maketrans(
    {
        "−": r"\ensuremath{-}",
        "±": r"\ensuremath{\pm}",
        "×": r"\ensuremath{\times}",
        "≥": r"\ensuremath{\geq}",
        "≤": r"\ensuremath{\leq}",
        "²": r"\ensuremath{{}^{2}}",
        "τ": r"\ensuremath{\tau}",
        "ρ": r"\ensuremath{\rho}",
    }
)
HTML_OPTIONS = (
    "--standalone",
    "--embed-resources",
    "--metadata=lang:en",
    "--variable=maxwidth:60em",
    "--variable=header-includes:<style>td, th { text-align: left; vertical-align: top }"
    " tbody th { border: 0; font-weight: normal }</style>",
)
LATEX_PACKAGES = {
    "figure": "graphicx, textcomp",
    "table": "array, booktabs, calc, longtable, textcomp",
    "wide": "array, booktabs, calc, longtable, pdflscape, textcomp",
}


def export_document(
    dataset: Dataset,
    reports: Path,
    name: str,
    file_format: str,
    style: str = "vancouver",
    width: str = "180mm",
) -> bytes:
    """Return a figure or table of finished reports as a document with caption and references.

    The same reports give the same bytes. Raise `EvidenceError` if there are no finished reports, no
    such figure or table, nothing drawn, no usable `CITATION.cff` or no pandoc, or the table is for
    one column. `name` is the id of the figure or table, as its page shows it; the format is "docx",
    "latex" or "html", the style one of `evidence.dataset.citations.TEXT_STYLES`, and the width of a
    figure "180mm" or "85mm".
    """
    item = read_figure_or_table(reports, name)
    cited = citation_references(dataset.bibliography, [item.part], [], dataset.project)
    references = _references_html([TEXT_STYLES[style](reference) for reference in cited])
    is_wide = isinstance(item, FinishedTable) and len(item.columns) > MAX_UPRIGHT_COLUMNS
    if isinstance(item, FinishedTable):
        if width != "180mm":
            raise EvidenceError(f"{name}: --width {width} is for figures; leave it out for a table")
        body, folder = _table_html(item, is_wide), None
    else:
        picture = item.file("pdf" if file_format == "latex" else "png", width)
        body, folder = _figure_html(item, picture, width), picture.parent
    if file_format == "latex":
        kind = "wide" if is_wide else "table" if isinstance(item, FinishedTable) else "figure"
        return _latex(_pandoc(body, "latex").decode(), _pandoc(references, "latex").decode(), kind)
    if file_format == "html":
        options = [*HTML_OPTIONS, f"--metadata=pagetitle:{item.part.title}"]
        return _pandoc(body + references, "html", options, folder)
    return word_document(body + references, folder=folder, is_wide=is_wide)


def write_document(
    dataset: Dataset,
    reports: Path,
    name: str,
    file_format: str,
    style: str,
    out: Path,
    width: str = "180mm",
) -> list[Path]:
    """Write what `export_document` returns, and for a figure in LaTeX its PDF beside it.

    Raise `EvidenceError` as `export_document` does, and if a file cannot be written.
    """
    content = export_document(dataset, reports, name, file_format, style, width)
    item, paths = read_figure_or_table(reports, name), [out]
    try:
        atomic_write(out, content)
        if file_format == "latex" and isinstance(item, FinishedFigure):
            picture = item.file("pdf", width)
            paths.append(out.with_name(picture.name))
            if not (paths[-1].exists() and paths[-1].samefile(picture)):
                atomic_write(paths[-1], picture.read_bytes())
    except OSError as error:
        raise EvidenceError(
            f"--out {out}: cannot be written: {error.strerror}. Choose a file in a folder that exists."
        ) from None
    return paths


def format_with_csl(sources: Iterable[Reference], style: Path) -> str:
    """Format a list of references in a style of the Citation Style Language, as plain text.

    Raise `EvidenceError` if the style is no file in that language, or there is no pandoc.
    """
    try:
        is_style = b"<style" in read_bytes(style)
    except OSError as error:
        raise EvidenceError(f"--csl {style}: cannot be read: {error.strerror}") from None
    if not is_style:
        raise EvidenceError(f"--csl {style}: not a CSL style. Choose a .csl file with <style>.")
    arguments = ["--from=csljson", "--to=plain", "--wrap=none", "--citeproc"]
    arguments += [f"--csl={real_path(style)}", "--output=-"]
    text = run_pandoc(arguments, format_csl_for_pandoc(sources)).decode()
    return "".join(f"{line}\n" for line in text.split("\n") if line)


def _pandoc(
    html: str, output_format: str, options: Sequence[str] = (), folder: Path | None = None
) -> bytes:
    """Return a fragment in another format; images are read from `folder`."""
    return run_pandoc(
        ["--from=html", f"--to={output_format}", *options, "--output=-"], html, folder
    )


def run_pandoc(arguments: Sequence[str], text: str = "", folder: Path | None = None) -> bytes:
    """Return what pandoc makes of a text, in a folder with the files that it names.

    Raise `EvidenceError` if there is no pandoc, or it failed.
    """
    try:
        import pypandoc

        path = pypandoc.get_pandoc_path()
    except (ImportError, OSError):
        raise EvidenceError(
            "Export needs pandoc. Install it with: pip install 'evidence[export]'"
        ) from None
    process = subprocess.run(
        [path, *arguments],
        input=text.encode(),
        capture_output=True,
        cwd=folder,
        env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH},
        check=False,
    )
    if process.returncode:
        raise EvidenceError(f"pandoc failed: {process.stderr.decode().strip()}")
    return process.stdout


def text_html(text: str) -> str:
    """Text as HTML, without control characters, which a Word document cannot hold."""
    return escape("".join(c if c.isprintable() else " " for c in text))


def _references_html(references: list[str]) -> str:
    items = "".join(f"<li><p>{text_html(text)}</p></li>\n" for text in references)
    return f"<h2>References</h2>\n<ol>\n{items}</ol>\n"


def _caption_html(title: str, text: str = "") -> str:
    return f"<strong>{text_html(title.rstrip('.'))}.</strong> {text_html(text)}".strip()


def _figure_html(figure: FinishedFigure, picture: Path, width: str) -> str:
    """Show the picture as wide as the text or a column, or narrower so that it fits on a page."""
    png = figure.file("png", width)
    shown = f"{image_width(png)}%"
    if width != "180mm":
        shown = f"{COLUMN * image_width(png, MAX_HEIGHT / COLUMN) / 100:g}mm"
    return (
        f'<figure id="{escape(figure.part.id)}">'
        f'<img src="{escape(picture.name)}" width="{shown}" alt="{text_html(figure.alt)}">'
        f"<figcaption>{_caption_html(figure.part.title, figure.caption)}</figcaption></figure>\n"
    )


def image_width(png: Path, highest: float = 1.0) -> int:
    """Return the width of a picture in percent of the text, `highest` of which is its height."""
    from PIL import Image

    with Image.open(png) as image:
        return min(100, round(100 * highest * image.width / image.height))


def _table_html(table: FinishedTable, is_wide: bool) -> str:
    columns = list(zip(table.columns, *table.rows, strict=True))
    widths = columns_html(columns, WIDE_LINE_LENGTH if is_wide else LINE_LENGTH)
    header = "".join(f'<th scope="col">{text_html(name)}</th>' for name in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{text_html(first)}</th>'
        + "".join(f"<td>{text_html(cell)}</td>" for cell in cells)
        + "</tr>\n"
        for first, *cells in table.rows
    )
    return (
        f'<table id="{escape(table.part.id)}"><caption>{_caption_html(table.part.title)}</caption>\n'
        f"{widths}<thead><tr>{header}</tr></thead>\n"
        f"<tbody>\n{rows}</tbody></table>\n"
    )


def columns_html(columns: Iterable[Sequence[str]], line_length: int = LINE_LENGTH) -> str:
    """Return the widths of columns as HTML, each for its longest word first, then by its text.

    `columns` are the texts of each, header included, and `line_length` characters fit into the
    width of the page.
    """
    words, texts = [], []
    for cells in columns:
        longest = max(len(word) for cell in cells for word in cell.split() or [""])
        words.append(min(longest, MAX_WORD_LENGTH) + CELL_PADDING)
        texts.append(min(sum(map(len, cells)) / len(cells), MAX_CELL_LENGTH))
    spare = max(0, line_length - sum(words))
    widths = [word + spare * text / sum(texts) for word, text in zip(words, texts, strict=True)]
    tags = "".join(f'<col style="width: {width / sum(widths):.1%}">' for width in widths)
    return f"<colgroup>{tags}</colgroup>"


def _latex(body: str, references: str, kind: str) -> bytes:
    """Return a fragment to input, with the packages that it needs; a table in small print."""
    if kind != "figure":
        body = f"\\begingroup\\footnotesize\n{body}\\endgroup\n"
    if kind == "wide":
        body = f"\\begin{{landscape}}\n{body}\\end{{landscape}}\n"
    text = f"% Packages: {LATEX_PACKAGES[kind]}\n{body}\n{references}"
    return text.translate(LATEX_SIGNS).encode()


def word_document(
    html: str,
    options: Sequence[str] = (),
    *,
    output_format: str = "docx",
    folder: Path | None = None,
    is_wide: bool = False,
) -> bytes:
    """Return HTML as a Word document on A4, on its side if `is_wide`; see `run_pandoc`.

    `output_format` is pandoc's name of the format with its extensions, such as
    `docx+native_numbering`.
    """
    with temporary_folder(__name__) as temporary:
        template = temporary / "reference.docx"
        template.write_bytes(_word_template(is_wide))
        return _pandoc(html, output_format, [f"--reference-doc={template}", *options], folder)


def _word_template(is_wide: bool) -> bytes:
    """Pandoc's own template on A4 with page numbers, on its side for a wide table."""
    width, height = reversed(PAGE_SIDES) if is_wide else PAGE_SIDES
    sides = " ".join(f'w:{side}="{MARGIN}"' for side in ("top", "right", "bottom", "left"))
    orientation = ' w:orient="landscape"' if is_wide else ""
    page = f'<w:pgSz w:w="{width}" w:h="{height}"{orientation} /><w:pgMar {sides} />'
    changes = {
        **WORD_CHANGES,
        "word/document.xml": (("<w:sectPr>", FOOTER), ("</w:sectPr>", f"{page}</w:sectPr>")),
    }
    template = run_pandoc(["--print-default-data-file=reference.docx"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(template)) as old, zipfile.ZipFile(buffer, "w") as new:
        for part in old.infolist():
            text = old.read(part).decode()
            for place, addition in changes.get(part.filename, ()):
                text = re.sub(place, addition, text, count=1, flags=re.DOTALL)
            new.writestr(part, text)
        # An entry without a time of its own, so that the same reports give the same bytes.
        new.writestr(zipfile.ZipInfo("word/footer1.xml"), PAGE_NUMBER)
    return buffer.getvalue()
