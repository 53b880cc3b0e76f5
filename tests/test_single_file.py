"""All pages as one PDF and one Word document, read by pypdf, PDFium and python-docx."""

import json
import re
import shutil
import sys
from copy import copy
from types import SimpleNamespace

import docx
import pypdf
import pypdfium2
import pytest

from evidence import cli, lay_out_arm_comparison, open_report, tabulate_results, tabulate_studies
from evidence.build.assemble import write_pages
from evidence.report import single_document
from evidence.report.single_file import write_single_file
from tests.conftest import CITATION, Project

NAME = "10_bread"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A small project with finished pages, made without a kernel; read only."""
    project = Project(tmp_path_factory.mktemp("single") / "bread")
    project.path("CITATION.cff").write_text(CITATION, "utf-8")
    make_pages(project)
    return project


def make_pages(project):
    folder = project.path("reports")
    report = open_report(NAME, project=project.root, out=folder)
    dataset, confidence = report.dataset, report.confidence
    chart = lay_out_arm_comparison(dataset, report.results, outcome="risen", confidence=confidence)
    shown = [
        report.summary(),
        report.figure(chart),
        report.table(tabulate_results(dataset, report.results)),
        report.table(tabulate_studies(dataset, report.results)),
        report.close(),
    ]
    outputs = [
        {"output_type": "display_data", "data": data, "metadata": metadata}
        for data, metadata in (output._repr_mimebundle_() for output in shown)
    ]
    text = {"cell_type": "markdown", "metadata": {}, "source": "# Bread\n\nDoes it rise?\n\n## All"}
    code = {"cell_type": "code", "metadata": {}, "source": "", "outputs": outputs}
    project.path("reports/notebooks").mkdir()
    book = json.dumps({"cells": [text, code]})
    project.path(f"reports/notebooks/{NAME}.ipynb").write_text(book, "utf-8")
    inputs = dataset.checksums
    entry = {"parameters": report.parameters, "recipe": {"parameters": {}}, "inputs": inputs}
    plan = SimpleNamespace(name="", project=project.root, target=folder)
    write_pages(dataset, plan, {NAME: entry}, {}, folder)


@pytest.fixture(scope="module", params=["small", "shipped"])
def pdf(request, site):
    """The path of a PDF: of the small project, and of the reports that this project ships."""
    small = request.param == "small"
    dataset = site.dataset() if small else request.getfixturevalue("shipped")
    reports = site.path("reports") if small else request.getfixturevalue("report")
    return write_single_file(dataset, reports, "pdf", site.path(f"{request.param}.pdf"))


@pytest.fixture(scope="module")
def word(site):
    """The Word document of the small project."""
    return docx.Document(str(write_single_file(site.dataset(), site.path("reports"), "docx")))


def flatten(outline):
    for entry in outline:
        yield from flatten(entry) if isinstance(entry, list) else [entry.title]


def descendants(element, name):
    """The elements below one in a Word document, of any name space."""
    return [item for item in element.iter() if item.tag.endswith(f"}}{name}")]


def value(element, name):
    return next(
        text for key, text in element.attrib.items() if key.endswith(f"}}{name}") or key == name
    )


# PDF


def test_every_page_has_text_between_its_margins(pdf):
    with pypdfium2.PdfDocument(pdf) as document:
        for number, page in enumerate(document, 1):
            text, (width, height) = page.get_textpage(), page.get_size()
            boxes = [text.get_rect(i) for i in range(text.count_rects())]
            assert len(boxes) > 2, number
            margin = 17.5 / 25.4 * 72
            outside = [
                text.get_text_bounded(*box)
                for box in boxes
                if not (margin < box[0] < box[2] < width - margin and 0 < box[1] < box[3] < height)
            ]
            assert outside == [], number


def test_every_link_leads_somewhere(pdf):
    reader = pypdf.PdfReader(pdf)
    pages = {page.indirect_reference.idnum for page in reader.pages}
    internal = 0
    for page in reader.pages:
        for link in (annotation.get_object() for annotation in page.get("/Annots", ())):
            action = link.get("/A", {})
            if "/URI" in action:
                assert action["/URI"].startswith(("https://", "http://"))
                continue
            target = link.get("/Dest") or action["/D"]
            if isinstance(target, str):
                target = reader.named_destinations[target].dest_array
            assert target[0].idnum in pages
            internal += 1
    assert internal > 50


def test_fonts_are_embedded_and_the_structure_is_tagged(pdf):
    reader = pypdf.PdfReader(pdf)
    root = reader.trailer["/Root"]
    assert (root["/Lang"], root["/MarkInfo"]["/Marked"]) == ("en", True)
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "known and what is not" in reader.metadata.title
    fonts = {
        font.get_object()["/BaseFont"]: font.get_object()["/DescendantFonts"][0].get_object()
        for page in reader.pages
        for font in page["/Resources"].get("/Font", {}).values()
    }
    assert any("EvidenceSans" in name for name in fonts)
    for name, font in fonts.items():
        assert {"/FontFile2", "/FontFile3"} & font["/FontDescriptor"].keys(), name


def test_a_figure_has_its_alternative_text(site):
    reader = pypdf.PdfReader(
        write_single_file(site.dataset(), site.path("reports"), "pdf", site.path("alt.pdf"))
    )
    texts, roles, queue = [], set(), [reader.trailer["/Root"]["/StructTreeRoot"]]
    while queue:
        children = queue.pop().get("/K", [])
        for child in children if isinstance(children, list) else [children]:
            if isinstance(element := child.get_object(), dict) and "/S" in element:
                roles.add(element["/S"])
                texts += [element["/Alt"]] if element["/S"] == "/Figure" else []
                queue.append(element)
    (figure,) = json.loads(site.path(f"reports/values/{NAME}.json").read_text("utf-8"))["figures"]
    assert figure["alt"] in texts
    assert {"/H1", "/H2", "/H3", "/Table", "/TH", "/TD", "/Caption", "/LI", "/Link"} <= roles


def test_bookmarks_of_the_pdf_are_the_headings_of_the_word_document(site, word):
    content = write_single_file(site.dataset(), site.path("reports"), "pdf", site.path("b.pdf"))
    bookmarks = [*flatten(pypdf.PdfReader(content).outline)]
    headings = [p.text for p in word.paragraphs if p.style.name.startswith("Heading")]
    assert headings[:3] == ["Contents", "Figures", "Tables"]
    assert bookmarks == headings[3:]
    chapters = [p.text for p in word.paragraphs if p.style.name == "Heading 1"]
    assert chapters[1:] == [
        "Overview", "Bread", "Glossary", "Notes", "Rows of the tables", "References"
    ]  # fmt: skip


@pytest.mark.parametrize("file_format", ["pdf", "docx"])
def test_the_same_reports_give_the_same_bytes(site, monkeypatch, file_format):
    item = (site.dataset(), site.path("reports"), file_format)
    first = write_single_file(*item, site.path("one")).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.chdir(site.path("reports"))
    assert write_single_file(*item, site.path("two")).read_bytes() == first


# Word


def test_captions_are_numbered_and_pictures_have_their_text(site, word):
    # python-docx leaves the text of fields out, which the numbers are.
    captions = [
        "".join(part.text for part in descendants(p._p, "t")).replace("\xa0", " ")
        for p in word.paragraphs
        if p.style.name.endswith("Caption")
    ]
    assert captions == [
        "Figure 1: Risen: two arms of each study compared",
        "Table 1: Results, each with its row",
        "Table 2: Studies and their designs",
    ]
    (figure,) = json.loads(site.path(f"reports/values/{NAME}.json").read_text("utf-8"))["figures"]
    (picture,) = descendants(word.element, "docPr")
    assert picture.get("descr") == figure["alt"]
    assert (word.core_properties.title, word.core_properties.language) == (
        "Treatment for bread and cake: what is known and what is not", "en",
    )  # fmt: skip


def test_links_inside_the_word_document_have_their_bookmark(word):
    names = [value(mark, "name") for mark in descendants(word.element, "bookmarkStart")]
    assert len(names) == len(set(names))
    links = [
        value(link, "anchor")
        for link in descendants(word.element, "hyperlink")
        if any(key.endswith("}anchor") for key in link.attrib)
    ]
    assert len(links) > 50
    assert {*links} <= {*names}


def test_the_title_page_says_what_and_how_to_cite(word):
    front = [p.text for p in word.paragraphs[:10]]
    assert "Version: 1.4.0, 2026, made with evidence" in " ".join(front)
    assert (
        "Cite as: van der Berg, A. B., Jr., & The bakers. (2026). Bread & its sources (Version 1.4.0) "
        "[Computer software]. https://example.org/bread"
    ) in front
    assert any(text.startswith("Scope: all studies in the tables") for text in front)
    assert any("Left out: " in text for text in front)


def test_a_number_leads_to_its_note_its_row_and_its_reference(word):
    texts = [p.text for p in word.paragraphs]
    notes, rows, references = (
        texts.index(name, texts.index("References") + 1)
        for name in ("Notes", "Rows of the tables", "References")
    )
    assert any(re.search(r"12 of 17 \(71%\)\d", text) for text in texts[:notes])
    assert any(text.startswith("12 of 17 (71%): events") for text in texts[notes:rows])
    assert any("“71%”; read in Baker, Table 1" in text for text in texts[rows:references])
    assert any(text.startswith("Baker A. Rising dough. 1990.") for text in texts[references:])


# What is left out, and what is refused


def test_a_long_table_and_folded_columns_are_named_with_their_file(site, monkeypatch):
    monkeypatch.setattr(single_document, "MAX_ROWS", 2)
    document = single_document.assemble(site.dataset(), site.path("reports"))
    url = "https://example.org/bread/tables/tab-results.csv"
    named = "“Results, each with its row” (5 rows)"
    assert f'{named}. They are in <a href="{url}">' in document.chapters
    assert named in document.facts["Left out"]


def test_the_command_writes_the_file_or_says_what_to_do(site, tmp_path, capsys, monkeypatch):
    bakery = copy(site)
    bakery.root = tmp_path / "bread"
    shutil.copytree(site.root, bakery.root)

    def export(*arguments):
        code = cli.main(["export", "report", "--project", str(bakery.root), *arguments])
        return code, "".join(capsys.readouterr()).replace(str(bakery.root), "…")

    code, text = export("--format", "docx")
    assert (code, text) == (0, "written: …/reports/report.docx\n")
    old = bakery.path("reports/report.docx").read_bytes()
    assert export("--format", "latex") == (2, "evidence: --format latex: report can be pdf, docx\n")
    code, text = export("--format", "docx", "--out", f"{bakery.root}/none/a.docx")
    assert (code, "cannot be written: No such file" in text) == (1, True)
    monkeypatch.setitem(sys.modules, "typst", None)
    code, text = export("--format", "pdf")
    assert (code, "pip install 'evidence[export]'" in text) == (1, True)
    bakery.put("data/studies.csv", 2, n="18")
    code, text = export("--format", "docx")
    assert (code, "out of date, because data/studies.csv changed" in text) == (1, True)
    assert bakery.path("reports/report.docx").read_bytes() == old
    bakery.path("reports/manifest.json").unlink()
    assert "no finished reports here" in export("--format", "docx")[1]


def test_no_picture_from_elsewhere_and_no_code_is_read(site, tmp_path):
    shutil.copytree(site.path("reports"), tmp_path / "reports")
    page = tmp_path / "reports" / f"{NAME}.html"
    images = '<p class="more" data-typst:fill="panic()">x<img src="/etc/hostname"><img src="http://192.0.2.7/x.png"><img></p></main>'
    page.write_text(page.read_text("utf-8").replace("</main>", images), "utf-8")
    document = single_document.assemble(site.dataset(), tmp_path / "reports", "apa", "png")
    sources = set(re.findall(r'<img[^>]*src="([^"]*)"', document.chapters))
    assert sources == set(document.pictures)
    assert "panic" not in document.chapters
