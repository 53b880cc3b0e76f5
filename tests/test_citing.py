"""Citing from finished reports, and their tables as files."""

import json
import re

import pytest

from evidence import cli
from evidence.dataset.citations import STYLES
from evidence.errors import EvidenceError
from evidence.report.cite import cited_sources
from evidence.report.machine_readable import escape_formula
from tests.conftest import CITATION

SIDECAR = {
    "id": "fig-risen", "version": "1a2b3c4", "title": "Risen", "caption": "How many rose.",
    "studies": [{"key": "miller2001"}], "licence": {"name": "CC BY 4.0"},
}  # fmt: skip


def version(project):
    """The version of the one figure, which its content decides."""
    path = project.path("reports/figures/fig-risen.json")
    return json.loads(path.read_text("utf-8"))["version"]


def cited(project, *names):
    return cited_sources(project.dataset(), project.path("reports"), names)


def cite(project, *arguments):
    return cli.main(["cite", "--project", str(project.root), *arguments])


# Citing


def test_primary_studies_first_and_then_the_figure(bakery, capsys):
    """Written by hand: a part of a work after Citing Medicine, with the id in brackets.

    Its address is that of its own page.
    """
    assert cite(bakery, "fig-risen") == 0
    assert capsys.readouterr().out.splitlines() == [
        "Baker A. Rising dough. 1990. doi: 10.1000/dough.",
        "A bakery. Bread 101. [date unknown].",
        "van der Berg AB Jr, The bakers. Figure: Risen: two arms of each study compared "
        f"[fig-risen@{version(bakery)}]. In: Bread & its sources, version 1.4.0; 2026. Available "
        "from: https://example.org/bread/figures/fig-risen.html",
    ]


def test_the_guide_is_cited_after_the_studies_and_before_the_project(bakery):
    """The row of the guide repeats the number of a study, so that the guide is no study."""
    *sources, table = cited(bakery, "tab-results")
    assert [source.key for source in sources] == ["baker1990", "miller2001", "guide"]
    assert table.key.startswith("tab-results-")
    assert table.url == "https://example.org/bread/tables/tab-results.html"


def test_the_bibtex_beside_a_figure_or_table_has_its_own_entry_last(bakery, capsys):
    for name in ("fig-risen", "tab-results"):
        folder = "figures" if name.startswith("fig") else "tables"
        assert cite(bakery, name, "--style", "bibtex") == 0
        beside = bakery.path(f"reports/{folder}/{name}.bib").read_text("utf-8")
        assert beside == capsys.readouterr().out
        assert f"@misc{{{name}-" in beside.rpartition("\n\n")[2]


def test_a_guide_that_is_plotted_is_cited(bakery):
    from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
    from evidence.report.figure_identity import figure_record
    from evidence.report.report import open_report

    report = open_report("01_bread", project=bakery.root)
    layout = lay_out_proportions_by_arm(report.results)
    record = figure_record(layout, report.dataset)
    assert [source["key"] for source in record.studies] == ["baker1990"]
    assert [source["key"] for source in record.sources] == ["guide"]


def test_a_sidecar_gives_version_studies_and_licence(bakery):
    path = bakery.path("reports/figures/fig-risen.json")
    path.write_text(json.dumps(SIDECAR), "utf-8")
    narrow = path.with_name("fig-risen-85mm.svg")
    narrow.write_text("a picture")
    by_id = cited(bakery, "fig-risen")
    assert [ref.key for ref in by_id] == ["miller2001", "fig-risen-1a2b3c4"]
    assert by_id == cited(bakery, "fig-risen@1a2b3c4")
    assert by_id == cited(bakery, str(path)) == cited(bakery, str(narrow))
    assert STYLES["vancouver"](by_id[1:]).startswith(
        "van der Berg AB Jr, The bakers. Figure: Risen [fig-risen@1a2b3c4]. In: Bread & its "
        "sources, version 1.4.0; 2026. Licence: CC BY 4.0."
    )
    assert STYLES["apa"](by_id[1:]) == (
        "van der Berg, A. B., Jr., & The bakers. (2026). Figure: Risen [fig-risen@1a2b3c4]. In "
        "Bread & its sources, version 1.4.0. Licence: CC BY 4.0. "
        "https://example.org/bread/figures/fig-risen.html\n"
    )
    ris = STYLES["ris"](by_id[1:]).splitlines()
    assert ris[0] == "TY  - FIGURE"
    assert "T2  - Bread & its sources, version 1.4.0" in ris
    assert "N1  - Licence: CC BY 4.0" in ris
    (item,) = json.loads(STYLES["csl-json"](by_id[1:]))
    assert (item["type"], item["note"]) == ("figure", "Licence: CC BY 4.0")
    assert r"howpublished = {Bread \& its sources, version 1.4.0}" in STYLES["bibtex"](by_id[1:])


@pytest.mark.parametrize("style", STYLES)
def test_every_style_has_the_doi_of_the_project(bakery, style):
    bakery.append("CITATION.cff", "doi: 10.5281/zenodo.12345\n")
    citation = STYLES[style](cited(bakery, "fig-risen")[1:])
    assert "10.5281/zenodo.12345" in citation


@pytest.mark.parametrize("style", STYLES)
def test_every_style_has_the_study_before_the_figure(bakery, capsys, style):
    assert cite(bakery, "fig-risen", "--style", style) == 0
    citations = capsys.readouterr().out
    assert citations.index("Rising dough") < citations.index("fig-risen")


def test_plain_sources_need_no_reports(project, capsys):
    assert cite(project, "miller2001", "baker1990", "--style", "apa") == 0
    assert capsys.readouterr().out == (
        "Baker, A. (1990). Rising dough. https://doi.org/10.1000/dough\n"
        "Miller, B., . . . (2001). Flour again.\n"
    )


CSL = """<style xmlns="http://purl.org/net/xbiblio/csl" version="1.0" class="in-text">
<info><title>T</title><id>t</id><updated>2020-01-01T00:00:00Z</updated></info>
<citation><layout><text variable="title"/></layout></citation>
<bibliography et-al-min="7" et-al-use-first="6"><layout suffix=".">
<group delimiter=". "><names variable="author"><name initialize-with="" name-as-sort-order="all"
sort-separator=" "/></names><text variable="title"/><text variable="page"/></group></layout>
</bibliography></style>
"""


def test_a_style_of_the_citation_style_language_is_rendered(bakery, capsys):
    """Other processors print pages 1 to 10 as 1-0, and further authors as a person "others"."""
    bib = bakery.path("references.bib")
    extra = "@article{rye, author = {Rye, Ann and others}, title = {Rye}, year = {2001}, pages = {1--10}}"
    bib.write_text(f"{bib.read_text('utf-8')}\n{extra}\n", "utf-8")
    style = bakery.path("style.csl")
    style.write_text(CSL, "utf-8")
    assert cite(bakery, "rye", "--csl", str(style)) == 0
    assert capsys.readouterr().out == "Rye A et al. Rye. 1–10.\n"
    style.write_text("no style")
    assert cite(bakery, "rye", "--csl", str(style)) != 0
    assert "not a CSL style" in capsys.readouterr().err


def test_a_work_on_methods_is_cited_unless_the_project_has_its_key(bakery):
    assert [work.key for work in cited(bakery, "katz1978")] == ["katz1978"]
    bakery.append(
        "references.bib", "@misc{katz1978, author = {K, A}, title = {Own}, year = {1978}}\n"
    )
    assert [work.title for work in cited(bakery, "katz1978", "wilson1927")] == [
        "Own", "Probable inference, the law of succession, and statistical inference",
    ]  # fmt: skip


def refused(project, *names):
    with pytest.raises(EvidenceError) as error:
        cited(project, *names)
    return str(error.value).replace(str(project.root), "…")


def test_refusals_say_what_to_do(bakery, tmp_path):
    available = "Available: fig-risen, tab-results, tab-studies"
    assert "tab-results@1a2b3c4: the table in …/reports has version " in refused(
        bakery, "tab-results@1a2b3c4"
    )
    assert refused(bakery, "fig-rise") == (
        "fig-rise: not a figure or table of the reports and not a source. Did you mean "
        f"'fig-risen'? {available}"
    )
    assert refused(bakery, "quite else").endswith(f"not a source. {available}")
    assert refused(bakery, "fig-risen@1a2b3c4") == (
        f"fig-risen@1a2b3c4: the figure in …/reports has version {version(bakery)}. Cite "
        "fig-risen, or give the path of your file"
    )
    assert refused(bakery, "none.json").startswith("none.json: missing.")
    path = tmp_path / "fig-x.json"
    for text in ("[]", "{", '{"id": "fig-x"}'):
        path.write_text(text, "utf-8")
        assert "it needs id, title, studies, version and licence" in refused(bakery, str(path))
    path.write_text(json.dumps(SIDECAR | {"studies": [{"key": "else1999"}]}), "utf-8")
    assert refused(bakery, str(path)).startswith("else1999: not in references.bib")


def test_figure_without_reports_is_refused(project):
    assert "build them with: evidence report" in refused(project, "fig-risen")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "missing. Write one with cff-version, message, title, authors to cite a figure"),
        ("a: [", "not valid YAML: while parsing"),
        ("a: 2026-02-30", "not valid YAML: day is out of range"),
        ("a: !!bool maybe", "not valid YAML: 'maybe'"),
        ("a: !!timestamp now", "not valid YAML: "),
        ("[]", "required fields are missing: cff-version, message, title, authors"),
        (CITATION.replace("title:", "titel:"), "required fields are missing: title"),
        (re.sub(r"(?s)authors:.*?version: 1", "authors: me\nversion: 1", CITATION),
         "authors must be a list of persons"),
        (re.sub(r"(?s)authors:.*?version: 1", "authors: [{alias: me}]\nversion: 1", CITATION),
         "authors must be a list of persons"),
        (f"{CITATION}doi: https://doi.org/10.5281/zenodo.12345\n",
         "doi: 'https://doi.org/10.5281/zenodo.12345' is not a bare DOI like 10.1001/archpsyc.63."),
        (f"{CITATION}doi: 10.5281\n", "doi: '10.5281' is not a bare DOI"),
        (CITATION.replace("https://example.org/bread", "example.org/bread"),
         "url: 'example.org/bread' is not an address like https://example.org/page. Correct it"),
    ],
)  # fmt: skip
def test_citation_file_that_cannot_be_used_is_refused(bakery, text, message):
    path = bakery.path("CITATION.cff")
    path.unlink() if text is None else path.write_text(text, "utf-8")
    assert f"CITATION.cff: {message}" in refused(bakery, "fig-risen")


# Tables as files


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "  =1", "\t=1", "\rx", "＝1", "－1+1", "+", "--"]
)
def test_no_cell_is_a_formula(cell):
    assert escape_formula(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["-0.82", "+3", "-.5", "-1e-3", "-12%", "−0.82 (−1 to 0)", "— none", "a=b", "", 3, None]
)
def test_numbers_and_words_stay(cell):
    assert escape_formula(cell) is cell


def test_tables_are_kept_as_csv_and_json(bakery):
    import pandas as pd

    folder = bakery.path("reports/tables")
    content = json.loads((folder / "tab-results.json").read_text("utf-8"))
    frame = pd.read_csv(folder / "tab-results.csv", dtype=str, keep_default_na=False)
    assert list(frame.columns) == content["columns"]
    assert frame.to_numpy().tolist() == [
        [escape_formula(cell) for cell in row] for row in content["rows"]
    ]
    assert content["studies"] == ["baker1990", "miller2001"]
    arms = {row[content["columns"].index("arm")] for row in content["rows"]}
    assert '=HYPERLINK("x") & 50% <b>' in arms
    assert '\'=HYPERLINK("x") & 50% <b>' in set(frame["arm"])
    values = json.loads(bakery.path("reports/values/01_bread.json").read_text("utf-8"))
    assert values["tables"] == ["tab-studies", "tab-results"]
