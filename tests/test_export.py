"""Exports from finished reports, opened again by the programs that read them."""

import json
import re
import shutil
from html.parser import HTMLParser
from io import BytesIO

import docx
import pytest
from docx.enum.section import WD_ORIENT
from hypothesis import given
from hypothesis import strategies as some

from evidence import cli
from evidence.errors import EvidenceError
from evidence.report.manuscript.exhibit import read_exhibit
from evidence.report.manuscript.files import FORMS, write_exhibit
from evidence.report.manuscript.latex import escaped

POINT = 12700


def exhibit(project, asked, style="vancouver"):
    return read_exhibit(project.dataset(), project.path("reports"), asked, style)


def export(project, *arguments):
    return cli.main(["export", "--project", str(project.root), *arguments])


# Word


def opened(project, asked, style="vancouver"):
    return docx.Document(BytesIO(FORMS["docx"](exhibit(project, asked, style))))


def test_word_table_has_every_cell(bakery):
    table = exhibit(bakery, "tab-results").shown
    made = opened(bakery, "tab-results")
    cells = [[cell.text for cell in row.cells] for row in made.tables[0].rows]
    assert cells == [list(table.columns), *map(list, table.rows)]
    assert made.paragraphs[0].text == "Results, each with its address."
    assert made.paragraphs[0].style.name == "Caption"
    assert made.sections[0].orientation == WD_ORIENT.LANDSCAPE
    first, second = made.tables[0].rows[0]._tr, made.tables[0].rows[1]._tr
    assert len(first.xpath("./w:trPr/w:tblHeader")) == 1
    assert not second.xpath("./w:trPr/w:tblHeader")
    (title,) = made.tables[0]._tbl.xpath("./w:tblPr/w:tblCaption/@w:val")
    assert title == "Results, each with its address."


def test_word_table_fits_its_page(bakery):
    made = opened(bakery, "tab-results")
    page = made.sections[0]
    room = page.page_width - page.left_margin - page.right_margin
    wide = sum(cell.width for cell in made.tables[0].rows[0].cells)
    assert wide == pytest.approx(room, abs=10 * POINT)


def test_word_figure_has_caption_and_alternative_text(bakery):
    shown = exhibit(bakery, "fig-risen").shown
    made = opened(bakery, "fig-risen", "apa")
    (picture,) = made.inline_shapes
    assert picture._inline.docPr.get("descr") == shown.alt
    (part,) = [rel.target_part for rel in made.part.rels.values() if "image" in rel.reltype]
    assert part.blob == shown.file("png").read_bytes()
    # Word counts in twentieths of a point: the page is a little smaller than what was asked for.
    room = made.sections[0].page_width - 2 * made.sections[0].left_margin
    assert picture.width < room + POINT
    texts = [paragraph.text for paragraph in made.paragraphs]
    assert f"{shown.part.title}. {shown.caption}" in texts
    name = f"fig-risen@{shown.part.version}"
    assert texts[texts.index("References") + 1 :] == [
        "Baker, A. (1990). Rising dough. https://doi.org/10.1000/dough",
        "van der Berg, A. B., Jr., & The bakers. (2026). Figure: Risen: two arms of "
        f"each study compared [{name}]. In Bread & its sources, version 1.4.0. "
        "https://example.org/bread",
    ]
    assert made.sections[0].orientation == WD_ORIENT.PORTRAIT
    assert made.core_properties.subject == name


def test_same_exhibit_same_bytes(bakery, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2e9)
    later = FORMS["docx"](exhibit(bakery, "fig-risen"))
    monkeypatch.undo()
    assert FORMS["docx"](exhibit(bakery, "fig-risen")) == later


def test_control_characters_do_not_break_a_word_file(bakery):
    path = bakery.path("reports/tables/tab-studies.json")
    content = json.loads(path.read_text("utf-8"))
    content["rows"][0][0] = "a\x00b\x0cc\ud800"
    path.write_text(json.dumps(content), "utf-8")
    assert opened(bakery, "tab-studies").tables[0].rows[1].cells[0].text == "a b c "


# LaTeX


def balanced(text):
    depth = 0
    for sign in re.findall(r"\\.|[{}]", text, re.S):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    return depth == 0


@given(some.text())
def test_latex_reads_no_sign_as_its_own(text):
    """What is left after the known escapes has no sign that LaTeX acts on."""
    said = escaped(text)
    assert "\n" not in said
    assert balanced(said)
    bare = re.sub(r"\\[a-z]+\{\}|\\ensuremath\{(\{\}\^\{2\}|\\?[a-z-]+)\}|\\[&%$#_{}]", "", said)
    bare = bare.replace(r"{\char34}", "")
    assert not re.search(r"[\\&%$#_~^<>|\"`]|--|''", bare)
    assert not re.match(r"[*\[]", said)
    assert re.sub(r"\{[][*]\}|\{\}", "", bare).count("[") == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("50% of R&D_1 #2 $3", r"50\% of R\&D\_1 \#2 \$3"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("[1] 'so' -- \"x\"", "{[}1{]} 'so' -{}- {\\char34}x{\\char34}"),
        ("* p < 0.05", r"{*} p \textless{} 0.05"),
        ("−0.8 ≥ x²", r"\ensuremath{-}0.8 \ensuremath{\geq} x\ensuremath{{}^{2}}"),
        ("a\nb\x00c", "a b c"),
        ("Müller 中文", "Müller 中文"),
    ],
)
def test_latex_signs(text, said):
    assert escaped(text) == said


def test_latex_table(bakery):
    text = FORMS["latex"](exhibit(bakery, "tab-results")).decode()
    table = exhibit(bakery, "tab-results").shown
    assert balanced(text)
    assert re.findall(r"\\(begin|end)\{(\w+)\}", text) == [
        ("begin", "landscape"), ("begin", "longtable"), ("end", "longtable"),
        ("end", "landscape"), ("begin", "itemize"), ("end", "itemize"),
    ]  # fmt: skip
    body = text.split(r"\endfoot")[1].split(r"\end{longtable}")[0].strip().splitlines()
    assert len(body) == len(table.rows)
    for line in body:
        assert line.endswith(r" \\")
        assert len(re.findall(r"(?<!\\)&", line)) == len(table.columns) - 1
    assert text.count("p{0.") == len(table.columns)
    assert r"=HYPERLINK({\char34}x{\char34}) \& 50\% \textless{}b\textgreater{}" in text
    assert r"\label{tab-results}" in text


def test_latex_figure_has_its_pdf_beside_it(bakery, tmp_path):
    written = write_exhibit(exhibit(bakery, "fig-risen"), "latex", tmp_path / "figure.tex")
    assert written == [tmp_path / "figure.tex", tmp_path / "fig-risen.pdf"]
    pdf = bakery.path("reports/figures/fig-risen.pdf")
    assert written[1].read_bytes() == pdf.read_bytes()
    text = written[0].read_text("utf-8")
    assert balanced(text)
    assert r"{fig-risen.pdf}" in text
    assert rf"\caption{{{escaped('Risen: two arms of each study compared. ')} " in text
    write_exhibit(exhibit(bakery, "fig-risen"), "latex", pdf.with_name("here.tex"))
    assert pdf.stat().st_size == written[1].stat().st_size


# HTML


class Seen(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.found = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found.setdefault(tag, dict(attrs))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            assert dict(attrs)["style"]
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1] and self.rows[-1][-1] == "":
            self.rows[-1][-1] = data


def test_html_table(bakery):
    table = exhibit(bakery, "tab-results").shown
    seen = Seen(FORMS["html"](exhibit(bakery, "tab-results")).decode())
    assert seen.rows == [list(table.columns), *map(list, table.rows)]
    assert "b" not in seen.tags
    assert not {"script", "link", "style"} & set(seen.tags)
    assert seen.found["html"] == {"lang": "en"}
    assert seen.found["table"]["id"] == "tab-results"


def test_html_figure(bakery):
    text = FORMS["html"](exhibit(bakery, "fig-risen")).decode()
    seen = Seen(text)
    shown = exhibit(bakery, "fig-risen").shown
    assert seen.found["img"]["alt"] == shown.alt
    assert seen.found["img"]["src"].startswith("data:image/png;base64,")
    assert seen.found["figure"]["id"] == "fig-risen"
    assert len(re.findall("<li>", text)) == 2


# The command


def test_command_writes_and_says_where(bakery, tmp_path, capsys):
    out = tmp_path / "t.docx"
    assert export(bakery, "tab-studies", "--format", "docx", "--out", str(out)) == 0
    assert capsys.readouterr().out == f"written: {out}\n"
    assert len(docx.Document(str(out)).tables) == 1
    assert export(bakery, "tab-studies", "--format", "latex") == 0
    assert capsys.readouterr().out.startswith("% needs the packages array, booktabs")


def test_command_errors(bakery, tmp_path, capsys):
    def refused(code, *arguments):
        assert export(bakery, *arguments) == code
        said = capsys.readouterr()
        assert said.out == ""
        return said.err.replace(str(tmp_path), "…")

    assert refused(2, "tab-studies", "--format", "docx") == (
        "evidence: --out: is missing; a Word file is not printed, say --out tab-studies.docx\n"
    )
    assert "did you mean tab-studies?" in refused(1, "tab-studys", "--format", "html")
    out = str(tmp_path / "none" / "t.html")
    assert refused(1, "tab-studies", "--format", "html", "--out", out) == (
        "evidence: --out …/none/t.html: …/none/t.html cannot be written: No such file or "
        "directory; name a file in a folder that exists\n"
    )
    bakery.path("reports/figures/fig-risen.png").unlink()
    assert "fig-risen.png: is missing; renew the reports with: evidence report" in refused(
        1, "fig-risen", "--format", "html"
    )
    shutil.rmtree(bakery.path("reports"))
    assert "holds no finished reports" in refused(1, "tab-studies", "--format", "html")


def test_a_figure_with_nothing_drawn_is_refused(bakery):
    path = bakery.path("reports/values/01_bread.json")
    content = json.loads(path.read_text("utf-8"))
    content["figures"][0]["empty"] = "No pair of arms has counts."
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(EvidenceError, match="fig-risen: has nothing drawn: No pair of arms"):
        exhibit(bakery, "fig-risen")
