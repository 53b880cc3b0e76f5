"""Citing and exporting from finished reports: opened again by the programs that read them."""

import json
import re
import shutil
from copy import copy
from html.parser import HTMLParser
from io import BytesIO

import docx
import pytest
import yaml
from docx.enum.section import WD_ORIENT
from hypothesis import given
from hypothesis import strategies as some

from evidence import (
    cli,
    lay_out_comparison,
    open_report,
    read_corpus,
    tabulate_results,
    tabulate_studies,
)
from evidence.corpus.citations import STYLES
from evidence.errors import EvidenceError
from evidence.publishing import citing, finished
from evidence.publishing.manuscript.exhibit import read_exhibit
from evidence.publishing.manuscript.files import FORMS, write_exhibit
from evidence.publishing.manuscript.latex import escaped
from evidence.publishing.table_files import harmless
from tests.conftest import Project

CITATION = """\
cff-version: 1.2.0
message: Cite the studies first.
title: Bread & its sources
authors:
  - family-names: Berg
    name-particle: van der
    given-names: Ann B.
    name-suffix: Jr.
  - name: The bakers
version: 1.4.0
date-released: "2026-11-24"
url: https://example.org/bread
"""
POINT = 12700
SIDECAR = {
    "id": "fig-risen", "version": "1a2b3c4", "title": "Risen", "caption": "How many rose.",
    "studies": ["miller2001"], "licence": "CC BY 4.0", "command": "evidence report",
}  # fmt: skip


@pytest.fixture(scope="session")
def finished_bakery(tmp_path_factory):
    """A small project whose reports are finished: one figure and two tables; read only."""
    project = Project(tmp_path_factory.mktemp("bakery") / "bread")
    project.path("CITATION.cff").write_text(CITATION, "utf-8")
    project.put("data/studies.csv", 3, arm='=HYPERLINK("x") & 50% <b>', note="-")
    report = open_report("01_bread", project=project.root, out=project.root / "reports")
    report.figure(lay_out_comparison(report.results, outcome="risen"))
    report.table(tabulate_studies(report.corpus, report.results))
    report.table(tabulate_results(report.corpus, report.results))
    report.close()
    write_manifest(project)
    return project


@pytest.fixture
def bakery(finished_bakery, tmp_path):
    """A copy of it, to break."""
    project = copy(finished_bakery)
    project.root = tmp_path / "bread"
    shutil.copytree(finished_bakery.root, project.root)
    return project


def write_manifest(project):
    inputs = read_corpus(project.root).checksums
    manifest = {"evidence": "0", "inputs": inputs, "reports": {"01_bread": {"inputs": inputs}}}
    text = json.dumps(manifest)
    project.path("reports/manifest.json").write_text(text, "utf-8")
    project.path("reports/values.json").write_text("{}", "utf-8")


def exhibit(project, asked, style="vancouver"):
    return read_exhibit(project.corpus(), project.path("reports"), asked, style)


def cited(project, *asked):
    return finished.cited(project.corpus(), project.path("reports"), asked)


def cite(project, *arguments):
    return cli.main(["cite", "--project", str(project.root), *arguments])


def export(project, *arguments):
    return cli.main(["export", "--project", str(project.root), *arguments])


# Citing


def test_primary_studies_first_and_then_the_figure(bakery, capsys):
    """Written by hand: a part of a work after Citing Medicine, with the id in brackets."""
    assert cite(bakery, "fig-risen") == 0
    assert capsys.readouterr().out.splitlines() == [
        "Baker A. Rising dough. 1990. doi: 10.1000/dough.",
        "van der Berg AB Jr, The bakers. Figure: Risen: two arms of each study compared "
        "[fig-risen]. In: Bread & its sources, version 1.4.0; 2026. Available from: https://example.org/bread",
    ]


def test_the_guide_is_no_primary_study(bakery):
    """The row of the guide repeats the number of a study; only the study is cited."""
    assert [ref.key for ref in cited(bakery, "tab-results")] == [
        "baker1990", "miller2001", "tab-results",
    ]  # fmt: skip


def test_a_sidecar_gives_version_studies_and_licence(bakery):
    path = bakery.path("reports/figures/fig-risen.json")
    path.write_text(json.dumps(SIDECAR), "utf-8")
    by_id = cited(bakery, "fig-risen")
    assert [ref.key for ref in by_id] == ["miller2001", "fig-risen-1a2b3c4"]
    assert by_id == cited(bakery, "fig-risen@1a2b3c4")
    assert by_id == cited(bakery, str(path)) == cited(bakery, str(path.with_suffix(".svg")))
    assert STYLES["vancouver"](by_id[1:]).startswith(
        "van der Berg AB Jr, The bakers. Figure: Risen [fig-risen@1a2b3c4]. In: Bread & its "
        "sources, version 1.4.0; 2026. Licence: CC BY 4.0."
    )
    assert STYLES["apa"](by_id[1:]) == (
        "van der Berg, A. B., Jr., & The bakers. (2026). Figure: Risen [fig-risen@1a2b3c4]. In "
        "Bread & its sources, version 1.4.0. Licence: CC BY 4.0. https://example.org/bread\n"
    )
    ris = STYLES["ris"](by_id[1:]).splitlines()
    assert ris[0] == "TY  - FIGURE"
    assert "T2  - Bread & its sources, version 1.4.0" in ris
    assert "N1  - Licence: CC BY 4.0" in ris
    (item,) = json.loads(STYLES["csl-json"](by_id[1:]))
    assert (item["type"], item["note"]) == ("figure", "Licence: CC BY 4.0")
    assert r"howpublished = {Bread \& its sources, version 1.4.0}" in STYLES["bibtex"](by_id[1:])


@pytest.mark.parametrize("style", STYLES)
def test_every_style_has_the_study_before_the_figure(bakery, capsys, style):
    assert cite(bakery, "fig-risen", "--style", style) == 0
    said = capsys.readouterr().out
    assert said.index("Rising dough") < said.index("fig-risen]".replace("]", ""))


def test_plain_sources_need_no_reports(project, capsys):
    assert cite(project, "miller2001", "baker1990", "--style", "apa") == 0
    assert capsys.readouterr().out == (
        "Baker, A. (1990). Rising dough. https://doi.org/10.1000/dough\n"
        "Miller, B., et al. (2001). Flour again.\n"
    )


def refused(project, *asked):
    with pytest.raises(EvidenceError) as error:
        cited(project, *asked)
    return str(error.value).replace(str(project.root), "…")


def test_what_cannot_be_cited_says_what_would_be_right(bakery, tmp_path):
    assert refused(bakery, "fig-rise") == (
        "fig-rise: is no figure or table of the reports and no source; did you mean fig-risen? "
        "There are fig-risen, tab-results, tab-studies"
    )
    assert refused(bakery, "quite else").endswith("no source; there are fig-risen, tab-results, "
                                                  "tab-studies")  # fmt: skip
    assert refused(bakery, "fig-risen@1a2b3c4") == (
        "fig-risen@1a2b3c4: the figure in …/reports has no version; ask for fig-risen"
    )
    assert refused(bakery, "none.json").startswith("none.json: is missing")
    path = tmp_path / "fig-x.json"
    for text in ("[]", "{", '{"id": "fig-x"}'):
        path.write_text(text, "utf-8")
        assert "it must hold id, title, studies, version and licence" in refused(bakery, str(path))
    path.write_text(json.dumps(SIDECAR | {"studies": ["else1999"]}), "utf-8")
    assert refused(bakery, str(path)).startswith("else1999: not in references.bib")


def test_reports_of_other_tables_are_refused(bakery):
    bakery.put("data/studies.csv", 2, note="looked again")
    assert refused(bakery, "fig-risen").endswith(
        "01_bread was made from other tables than those of today; renew it with: evidence report"
    )


def test_figure_without_reports(project):
    assert refused(project, "fig-risen") == (
        "…/reports: holds no finished reports; make them with: evidence report"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is missing; a figure is cited with its cff-version, message, title, authors"),
        ("a: [", "cannot be read as YAML: while parsing"),
        ("[]", "has no cff-version, message, title, authors; a figure is cited with"),
        (CITATION.replace("title:", "titel:"), "has no title; a figure"),
        (re.sub(r"(?s)authors:.*?version: 1", "authors: me\nversion: 1", CITATION),
         "authors is not a list of names"),
        (re.sub(r"(?s)authors:.*?version: 1", "authors: [{alias: me}]\nversion: 1", CITATION),
         "authors is not a list of names; each is given as a person by family-names"),
    ],
)  # fmt: skip
def test_citation_file_that_cannot_be_used(bakery, text, said):
    path = bakery.path("CITATION.cff")
    path.unlink() if text is None else path.write_text(text, "utf-8")
    assert f"CITATION.cff: {said}" in refused(bakery, "fig-risen")


def test_citation_file_of_this_project_is_valid(shipped):
    """By hand from the schema of the Citation File Format 1.2.0: keys, required and allowed."""
    content = yaml.safe_load((shipped.project / citing.FILE).read_text("utf-8"))
    assert set(citing.REQUIRED) <= set(content)
    assert set(content) <= {
        "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi",
        "identifiers", "keywords", "license", "license-url", "message", "preferred-citation",
        "references", "repository", "repository-artifact", "repository-code", "title", "type",
        "url", "version",
    }  # fmt: skip
    assert content["cff-version"] == "1.2.0"
    assert content["type"] in ("software", "dataset")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", content["date-released"])
    assert len(set(content["keywords"])) == len(content["keywords"]) > 0
    for person in content["authors"]:
        assert set(person) <= {"name", "family-names", "given-names", "name-particle",
                               "name-suffix", "orcid", "affiliation", "website"}  # fmt: skip
    project = citing.read_project(shipped.project)
    assert (project.version, project.year) == (content["version"], content["date-released"][:4])


# Tables as files


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "  =1", "\t=1", "\rx", "＝1", "－1+1", "+", "--"]
)
def test_no_cell_is_a_formula(cell):
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["-0.82", "+3", "-.5", "-1e-3", "-12%", "−0.82 (−1 to 0)", "— none", "a=b", "", 3, None]
)
def test_numbers_and_words_stay(cell):
    assert harmless(cell) is cell


def test_tables_are_kept_as_csv_and_json(bakery):
    import pandas as pd

    folder = bakery.path("reports/tables")
    content = json.loads((folder / "tab-results.json").read_text("utf-8"))
    frame = pd.read_csv(folder / "tab-results.csv", dtype=str, keep_default_na=False)
    assert list(frame.columns) == content["columns"]
    assert frame.to_numpy().tolist() == [
        [harmless(cell) for cell in row] for row in content["rows"]
    ]
    assert content["studies"] == ["baker1990", "miller2001"]
    arms = {row[content["columns"].index("arm")] for row in content["rows"]}
    assert '=HYPERLINK("x") & 50% <b>' in arms
    assert '\'=HYPERLINK("x") & 50% <b>' in set(frame["arm"])
    kept = json.loads(bakery.path("reports/values/01_bread.json").read_text("utf-8"))
    assert kept["tables"] == ["tab-studies", "tab-results"]


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
    assert texts[texts.index("References") + 1 :] == [
        "Baker, A. (1990). Rising dough. https://doi.org/10.1000/dough",
        "van der Berg, A. B., Jr., & The bakers. (2026). Figure: Risen: two arms of "
        "each study compared [fig-risen]. In Bread & its sources, version 1.4.0. "
        "https://example.org/bread",
    ]
    assert made.sections[0].orientation == WD_ORIENT.PORTRAIT
    assert made.core_properties.subject == "fig-risen"


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
