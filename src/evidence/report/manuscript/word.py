"""A figure or table as a Word document: a real table, a picture with its alternative text.

The same exhibit gives the same bytes: no date of today goes into the file.
"""

import io
import zipfile

from evidence.report.manuscript.exhibit import Exhibit

_MARGIN_CM = 2.0
# What a figure may be high, so that its caption stays on its page.
_HIGHEST_CM = 17.0
_EPOCH = (1980, 1, 1, 0, 0, 0)


def document(exhibit: Exhibit) -> bytes:
    """A document with the exhibit, its caption and its references."""
    import docx

    made = docx.Document()
    width = _set_page(made, exhibit.is_wide)
    if exhibit.is_table:
        _add_caption(made, exhibit.title, "")
        _add_table(made, exhibit, width)
    else:
        _add_picture(made, exhibit, width)
        _add_caption(made, exhibit.title, exhibit.shown.caption)
    made.add_heading("References", level=2)
    for said in exhibit.references:
        made.add_paragraph(_clean(said), style="List Number")
    _describe(made, exhibit)
    buffer = io.BytesIO()
    made.save(buffer)
    return _without_times(buffer.getvalue())


def _clean(text: str) -> str:
    """Text without control characters, which XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in text)


def _set_page(made, is_wide: bool) -> int:
    """A4 with even margins, on its side for a wide table; the width left for the exhibit."""
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm

    section = made.sections[0]
    short, long = Cm(21.0), Cm(29.7)
    section.page_width, section.page_height = (long, short) if is_wide else (short, long)
    section.orientation = WD_ORIENT.LANDSCAPE if is_wide else WD_ORIENT.PORTRAIT
    for side in ("left", "right", "top", "bottom"):
        setattr(section, f"{side}_margin", Cm(_MARGIN_CM))
    return section.page_width - 2 * Cm(_MARGIN_CM)


def _add_caption(made, title: str, words: str) -> None:
    from docx.shared import Pt, RGBColor

    paragraph = made.add_paragraph(style="Caption")
    # A caption above a table stays on the page of the table.
    paragraph.paragraph_format.keep_with_next = not words
    for text, is_bold in ((title, True), (f" {words}" if words else "", False)):
        run = paragraph.add_run(_clean(text))
        run.bold, run.font.size, run.font.color.rgb = is_bold, Pt(10), RGBColor(0, 0, 0)


def _add_picture(made, exhibit: Exhibit, width: int) -> None:
    from docx.shared import Cm

    paragraph = made.add_paragraph()
    paragraph.paragraph_format.keep_with_next = True
    picture = paragraph.add_run().add_picture(str(exhibit.shown.file("png")))
    share = min(width / picture.width, Cm(_HIGHEST_CM) / picture.height, 1)
    picture.width, picture.height = round(picture.width * share), round(picture.height * share)
    about = picture._inline.docPr
    about.set("descr", _clean(exhibit.shown.alt))
    about.set("title", _clean(exhibit.title))


def _add_table(made, exhibit: Exhibit, width: int) -> None:
    shown = exhibit.shown
    table = made.add_table(1 + len(shown.rows), len(shown.columns), style="Table Grid")
    table.autofit = False
    widths = [round(width * share) for share in exhibit.shares()]
    for column, wide in zip(table.columns, widths, strict=True):
        column.width = wide
    for place, (row, texts) in enumerate(
        zip(table.rows, [shown.columns, *shown.rows], strict=True)
    ):
        _mark(row, "w:cantSplit")
        if place == 0:
            _mark(row, "w:tblHeader")
        for cell, text, wide in zip(row.cells, texts, widths, strict=True):
            cell.width = wide
            _fill(cell, text, is_bold=place == 0)
    _mark_table(table, exhibit.title)


def _fill(cell, text: str, *, is_bold: bool) -> None:
    from docx.shared import Pt

    run = cell.paragraphs[0].add_run(_clean(text))
    run.bold, run.font.size = is_bold, Pt(8)
    cell.paragraphs[0].paragraph_format.space_after = Pt(0)


def _mark(row, name: str) -> None:
    """A property of a row that python-docx has no word for."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement(name))


def _mark_table(table, title: str) -> None:
    """The title of a table for those who hear it."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    caption = OxmlElement("w:tblCaption")
    caption.set(qn("w:val"), _clean(title))
    table._tbl.tblPr.append(caption)


def _describe(made, exhibit: Exhibit) -> None:
    about = made.core_properties
    about.title, about.subject = _clean(exhibit.title), exhibit.shown.part.name
    about.author, about.comments, about.language = "", "", "en"
    for name in ("created", "modified"):
        for found in about._element.findall(f"{{http://purl.org/dc/terms/}}{name}"):
            about._element.remove(found)


def _without_times(made: bytes) -> bytes:
    """The same package, its parts without the time of their making."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            part = zipfile.ZipInfo(name, _EPOCH)
            part.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(part, old.read(name))
    return packed.getvalue()
