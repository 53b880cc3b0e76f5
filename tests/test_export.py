"""Figures and tables exported from finished reports, read by the programs that they are for."""

import io
import json
import re
import shutil
import zipfile
from html.parser import HTMLParser
from xml.etree import ElementTree

import docx
import pypandoc
import pytest
from docx.enum.section import WD_ORIENT

from evidence import cli
from evidence.errors import EvidenceError
from evidence.report.cite import read_figure_or_table
from evidence.report.export import export_document, write_document

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
FIGURE_REFERENCES = [
    "Baker, A. (1990). Rising dough. https://doi.org/10.1000/dough",
    "A bakery. (n.d.). Bread 101.",
    "van der Berg, A. B., Jr., & The bakers. (2026). Figure: Risen: two arms of "
    "each study compared [{name}]. In Bread & its sources, version 1.4.0. "
    "https://example.org/bread/figures/fig-risen.html",
]


def exported(project, name, file_format, style="apa"):
    return export_document(project.dataset(), project.path("reports"), name, file_format, style)


def finished(project, name):
    return read_figure_or_table(project.path("reports"), name)


def export(project, *arguments):
    return cli.main(["export", "--project", str(project.root), *arguments])


# Word


def word(project, name):
    """A Word document, and the XML of its text."""
    content = exported(project, name, "docx")
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        tree = ElementTree.fromstring(package.read("word/document.xml"))
    return docx.Document(io.BytesIO(content)), tree


def test_word_table_has_every_cell_a_caption_and_a_repeated_header(bakery):
    table = finished(bakery, "tab-results")
    document, tree = word(bakery, "tab-results")
    cells = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    assert cells == [list(table.columns), *map(list, table.rows)]
    assert document.paragraphs[0].text == "Results, each with its row."
    assert document.paragraphs[0].style.name == "Table Caption"
    first, *others = tree.iter(f"{WORD}tr")
    assert first.find(f".//{WORD}tblHeader") is not None
    assert all(row.find(f".//{WORD}tblHeader") is None for row in others)


def test_a_wide_word_table_fills_the_long_side_of_a4_in_small_print(bakery):
    document, tree = word(bakery, "tab-results")
    section = document.sections[0]
    assert section.orientation == WD_ORIENT.LANDSCAPE
    assert section.page_width.cm == pytest.approx(29.7, abs=0.01)
    assert document.styles["Compact"].font.size.pt == 8
    (footer,) = (r.target_part.blob for r in document.part.rels.values() if "footer" in r.reltype)
    assert b'instr="PAGE"' in footer
    width = tree.find(f".//{WORD}tblW")
    assert width.get(f"{WORD}type") == "pct"
    assert int(width.get(f"{WORD}w")) == pytest.approx(5000, abs=25)  # fiftieths of a percent
    assert {p.style.name for row in document.tables[0].rows for p in row.cells[0].paragraphs} == {
        "Compact"
    }


def test_word_figure_has_picture_caption_alternative_text_and_references(bakery):
    figure = finished(bakery, "fig-risen")
    document, tree = word(bakery, "fig-risen")
    (picture,) = document.inline_shapes
    section = document.sections[0]
    assert section.orientation == WD_ORIENT.PORTRAIT
    assert picture.width <= section.page_width - 2 * section.left_margin
    assert tree.find(f".//{DRAWING}docPr").get("descr") == figure.alt
    parts = [rel.target_part for rel in document.part.rels.values() if "image" in rel.reltype]
    assert [part.blob for part in parts] == [figure.file("png").read_bytes()]
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert f"{figure.part.title}. {figure.caption}" in texts
    references = [text.format(name=figure.part.name) for text in FIGURE_REFERENCES]
    assert texts[texts.index("References") + 1 :] == references


def test_a_figure_for_one_column_is_85_mm_wide_in_every_document(bakery, tmp_path):
    options = ["fig-risen", "--width", "85mm", "--format"]
    assert export(bakery, *options, "docx", "--out", str(tmp_path / "f.docx")) == 0
    (picture,) = docx.Document(str(tmp_path / "f.docx")).inline_shapes
    assert picture.width.mm == pytest.approx(85, abs=0.1)
    assert export(bakery, *options, "latex", "--out", str(tmp_path / "f.tex")) == 0
    assert re.search(r"width=85mm.*\{fig-risen-85mm.pdf\}", (tmp_path / "f.tex").read_text("utf-8"))
    assert (tmp_path / "fig-risen-85mm.pdf").is_file()
    text = export_document(
        bakery.dataset(), bakery.path("reports"), "fig-risen", "html", width="85mm"
    )
    assert b"width:85mm" in text
    with pytest.raises(EvidenceError, match="--width 85mm is for figures"):
        export_document(
            bakery.dataset(), bakery.path("reports"), "tab-results", "html", width="85mm"
        )


@pytest.mark.parametrize("file_format", ["docx", "latex", "html"])
def test_the_same_reports_give_the_same_bytes(bakery, monkeypatch, file_format):
    first = exported(bakery, "fig-risen", file_format)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert exported(bakery, "fig-risen", file_format) == first


def test_control_characters_do_not_break_a_word_document(bakery):
    path = bakery.path("reports/tables/tab-studies.json")
    content = json.loads(path.read_text("utf-8"))
    content["rows"][0][0] = "a\x00b\x0cc\ud800"
    path.write_text(json.dumps(content), "utf-8")
    document, _ = word(bakery, "tab-studies")
    assert document.tables[0].rows[1].cells[0].text.split() == ["a", "b", "c"]


# LaTeX


def test_latex_table_has_every_row_escaped_in_landscape(bakery):
    text = exported(bakery, "tab-results", "latex").decode()
    table = finished(bakery, "tab-results")
    assert text.startswith("% Packages: array, booktabs, calc, longtable, pdflscape, textcomp\n")
    assert re.findall(r"\\(begin|end)\{(landscape|longtable|enumerate)\}", text) == [
        ("begin", "landscape"), ("begin", "longtable"), ("end", "longtable"),
        ("end", "landscape"), ("begin", "enumerate"), ("end", "enumerate"),
    ]  # fmt: skip
    body = text.split(r"\endlastfoot")[1].split(r"\end{longtable}")[0]
    assert body.count(r" \\") == len(table.rows)
    assert text.count(r">{\raggedright\arraybackslash}p{") == len(table.columns)
    assert r'=HYPERLINK("x") \& 50\% \textless b\textgreater{}' in " ".join(text.split())
    assert r"\label{tab-results}" in text


def test_latex_can_be_read_again_with_every_cell(bakery):
    table = finished(bakery, "tab-results")
    text = exported(bakery, "tab-results", "latex").decode()
    html = pypandoc.convert_text(text, "html", "latex", extra_args=["--wrap=none"])
    rows = HtmlTable(html).rows[-len(table.rows) :]
    assert [row[0] for row in rows] == [row[0] for row in table.rows]


def test_signs_that_old_latex_engines_lack_are_written_as_mathematics(bakery):
    path = bakery.path("reports/tables/tab-studies.json")
    content = json.loads(path.read_text("utf-8"))
    content["rows"][0][0] = "−0.8 ≥ x²"
    path.write_text(json.dumps(content), "utf-8")
    text = exported(bakery, "tab-studies", "latex").decode()
    assert r"\ensuremath{-}0.8 \ensuremath{\geq} x\ensuremath{{}^{2}}" in " ".join(text.split())


def test_latex_figure_has_its_pdf_beside_it(bakery, tmp_path):
    item = (bakery.dataset(), bakery.path("reports"), "fig-risen", "latex", "vancouver")
    written = write_document(*item, tmp_path / "figure.tex")
    assert written == [tmp_path / "figure.tex", tmp_path / "fig-risen.pdf"]
    pdf = bakery.path("reports/figures/fig-risen.pdf")
    assert written[1].read_bytes() == pdf.read_bytes()
    text = written[0].read_text("utf-8")
    assert "{fig-risen.pdf}" in text
    assert r"\caption{\textbf{Risen: two arms of each study compared.}" in text
    assert r"\label{fig-risen}" in text
    assert not re.search(r"\\(pandocbounded|tightlist)", text), "defined by pandoc's template only"
    write_document(*item, pdf.with_name("here.tex"))
    assert pdf.stat().st_size == written[1].stat().st_size


# HTML


class HtmlTable(HTMLParser):
    """Tags, attributes and cells of an HTML text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.attributes, self.in_cell = [], [], {}, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.setdefault(tag, dict(attrs))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.in_cell:
            self.rows[-1][-1] += " ".join(data.split())


def test_html_table_has_every_cell_and_no_script(bakery):
    table = finished(bakery, "tab-results")
    page = HtmlTable(exported(bakery, "tab-results", "html").decode())
    assert page.rows == [list(table.columns), *map(list, table.rows)]
    assert not {"script", "link", "b"} & set(page.tags)
    assert page.attributes["html"]["lang"] == "en"
    assert page.attributes["table"]["id"] == "tab-results"


def test_html_figure_needs_no_other_file(bakery):
    text = exported(bakery, "fig-risen", "html").decode()
    page, figure = HtmlTable(text), finished(bakery, "fig-risen")
    assert page.attributes["img"]["alt"] == figure.alt
    assert page.attributes["img"]["src"].startswith("data:image/png;base64,")
    assert page.attributes["figure"]["id"] == "fig-risen"
    assert text.count("<li>") == 3


# The command


def test_command_writes_a_file_or_prints(bakery, tmp_path, capsys):
    out = tmp_path / "t.docx"
    assert export(bakery, "tab-studies", "--format", "docx", "--out", str(out)) == 0
    assert capsys.readouterr().out == f"written: {out}\n"
    assert len(docx.Document(str(out)).tables) == 1
    assert export(bakery, "tab-studies", "--format", "latex") == 0
    assert capsys.readouterr().out.startswith("% Packages: array, booktabs")


def test_command_says_what_is_wrong_and_what_to_do(bakery, tmp_path, capsys):
    def error(code, *arguments):
        assert export(bakery, *arguments) == code
        output = capsys.readouterr()
        assert output.out == ""
        return output.err.replace(str(tmp_path), "…")

    assert "Name a file: --out tab-studies.docx" in error(2, "tab-studies", "--format", "docx")
    assert "tab-studies" in error(1, "tab-studys", "--format", "html")
    out = str(tmp_path / "none" / "t.html")
    assert error(1, "tab-studies", "--format", "html", "--out", out) == (
        "evidence: --out …/none/t.html: cannot be written: No such file or directory. "
        "Choose a file in a folder that exists.\n"
    )
    bakery.path("reports/figures/fig-risen.png").unlink()
    assert "fig-risen.png" in error(1, "fig-risen", "--format", "html")
    shutil.rmtree(bakery.path("reports"))
    assert "no finished reports here" in error(1, "tab-studies", "--format", "html")


def test_without_pandoc_the_command_names_the_package_to_install(bakery, monkeypatch):
    def missing():
        raise OSError("No pandoc was found")

    monkeypatch.setattr(pypandoc, "get_pandoc_path", missing)
    with pytest.raises(EvidenceError, match=r"pip install 'evidence\[export\]'"):
        exported(bakery, "tab-studies", "html")


def test_a_figure_with_nothing_drawn_is_refused(bakery):
    path = bakery.path("reports/values/01_bread.json")
    content = json.loads(path.read_text("utf-8"))
    content["figures"][0]["empty"] = "No pair of arms has counts."
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(EvidenceError, match="No pair of arms"):
        exported(bakery, "fig-risen", "html")
