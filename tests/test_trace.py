"""From every number back to its row: traces, footnotes and the command `evidence why`."""

import json
import re

import pytest

from evidence import cli
from evidence.dataset import schema
from evidence.errors import EvidenceError
from evidence.provenance.methods import METHODS
from evidence.provenance.rows import describe_rows
from evidence.provenance.sentence import Number, Sentence
from evidence.provenance.values import ValueStore
from evidence.report.footnotes import sources_and_footnotes
from evidence.report.trace import trace_number
from tests.conftest import ROOT
from tests.example_trials import add_reading, add_search

PAGES = ["index", *(path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb")))]
MARK = '01_bread/fig-risen:baker1990/yeast against =HYPERLINK("x") & 50% <b>/risen/1 day'


def trace(project, query):
    return trace_number(project.dataset(), project.path("reports"), query)


def refusal(project, query):
    with pytest.raises(EvidenceError) as error:
        trace(project, query)
    return str(error.value).replace(str(project.root), "…")


def run_why(capsys, project, *arguments):
    assert cli.main(["why", "--project", str(project.root), *arguments]) == 0
    return capsys.readouterr().out


def test_value_is_traced_to_its_rows_and_sources(bakery, capsys):
    """Written by hand: 12 of 17 against 4 of 20, read in two sources."""
    printed = run_why(capsys, bakery, f"{MARK}.rr")
    assert max(map(len, printed.splitlines())) <= 80
    columns = [re.split(" {2,}", line.rstrip()) for line in printed.splitlines()]
    assert " ".join(cells[0] for cells in columns[:2]) == f"{MARK}.rr"
    rows = [cells for cells in columns if cells[0]]
    assert ["Row", "What it says", "Read in"] in rows
    assert ["data/studies.csv:4", "Baker, yeast, risen, 1 day, n = 18: “71%”", "[2] p. 1"] in rows
    assert ["[1]", "Baker A. Rising dough. 1990. doi: 10.1000/dough."] in rows
    assert ["[2]", "A bakery. Bread 101. [date unknown]."] in rows
    facts = dict(cells[1:] for cells in columns if cells[0] == "" and len(cells) == 3)
    assert facts["value"] == "3.5294117647058827"
    assert facts["computed by"] == "risk ratio: ratio of two proportions"
    assert facts["shown in"].startswith("01_bread.html, figure fig-risen (Risen: two arms")


def test_printed_number_and_part_of_a_name_will_do(bakery):
    (by_text,) = trace(bakery, "3 sources")
    assert (by_text.name, by_text.value) == (
        "01_bread/sources.counted.sources", "3 (printed 3 sources)",
    )  # fmt: skip
    assert [mark.name for mark in trace(bakery, "risen/1 day.rr_low")] == [f"{MARK}.rr_low"]


def test_figure_has_a_trace_per_mark(bakery):
    (mark,) = trace(bakery, "fig-risen")
    assert mark.name == MARK
    assert "rr 3.529," in mark.value
    assert (
        "rr_high, rr_low: Katz CI of a risk ratio, on the log scale (Katz D, B" in mark.computed_by
    )
    assert len(trace(bakery, "tab-results")) == 4


def test_unknown_leads_to_readings_searches_and_known_studies(yeast_trials):
    """Miller has results at two months, of Baker only an abstract was read."""
    yeast_trials.put("data/unknowns.csv", 2, conditions="bread", outcomes="risen", from_days="30")
    for part, kind in (("p. 5", "excerpt"), ("Table 1", "table")):
        for source in ("baker1990", "miller2001"):
            add_reading(yeast_trials, source, part, kind)
    add_reading(yeast_trials, "guide", "p. 1", "excerpt")
    add_reading(yeast_trials, "miller2001", "abstract", "abstract")
    add_search(yeast_trials, conditions="bread", outcomes="risen")
    traces = {entry.name: entry for entry in trace(yeast_trials, "U1")}
    assert list(traces) == ["unknown U1", "evidence", "not read in full", "searches"]
    assert traces["unknown U1"].value.endswith(
        "1 further known trial may have measured this; not read in full yet: Baker. the dough was eaten"
    )
    assert [row.address for row in traces["not read in full"].rows] == [
        "data/designs.csv:2", "data/readings.csv:2", "data/readings.csv:4",
    ]  # fmt: skip
    assert [row.address for row in traces["searches"].rows] == ["data/searches.csv:2"]


def test_claim_unknown_study_and_address_need_no_reports(project):
    claim, *_ = trace(project, "C1")
    assert claim.value == "It rises — verdict of the curators: agrees (same)"
    (unknown,) = trace(project, "U1")
    assert (unknown.value, unknown.rows[0].address) == (
        "Does it last? No result is tabulated. Not searched. the dough was eaten",
        "data/unknowns.csv:2",
    )  # fmt: skip
    for name in ("baker1990", "Baker", "BAKER"):
        study, results = trace(project, name)
        assert study.value.startswith("Baker A. Rising dough.")
        assert [row.address for row in results.rows] == [
            f"data/studies.csv:{line}" for line in (2, 3, 4)
        ]
    (row,) = trace(project, "data/studies.csv:5")
    assert (row.rows[0].sources, row.rows[0].unconfirmed) == (("miller2001",), "not read there")


@pytest.mark.parametrize(
    ("number", "lines"),
    [("71%", [2, 4]), ("71 %", [2, 4]), ("71", [2, 4]), ("4", [3]), ("20%", [])],
)
def test_a_printed_number_leads_to_studies_and_rows_without_reports(project, number, lines):
    """The rows print 71% (twice) and 4/20; a percentage is not a count."""
    if not lines:
        assert "evidence report" in refusal(project, number)
        return
    value, results = trace(project, number)
    assert value.value == "printed for 1 study: Baker"
    assert [row.address for row in results.rows] == [f"data/studies.csv:{line}" for line in lines]


def test_json_has_the_same_with_links(bakery, capsys):
    (content,) = json.loads(run_why(capsys, bakery, f"{MARK}.rr", "--format", "json"))
    assert set(content) == {"name", "value", "shown_in", "computed_by", "rows"}
    assert content["rows"][0]["sources"] == [
        {
            "key": "baker1990",
            "reference": "Baker A. Rising dough. 1990. doi: 10.1000/dough.",
            "doi": "10.1000/dough",
            "link": "https://doi.org/10.1000/dough",
        }
    ]


def test_many_rows_are_shown_as_ranges_of_lines(report, capsys):
    command = ["why", "--project", str(ROOT), "--reports", str(report), "index.counts.results"]
    assert cli.main(command) == 0
    assert re.search(r"source rows  \d+: data/studies.csv:\d+-\d+", capsys.readouterr().out)


def test_refusals_say_what_there_is(bakery):
    assert refusal(bakery, "fig-rissen").startswith(
        "fig-rissen: not a claim, unknown, study, address, figure or value. Did you mean 'fig-risen'?"
    )
    assert "Figures: fig-risen. values.json lists all values." in refusal(bakery, "no such thing")
    assert re.match(
        r"fig-risen:baker: \d+ values have this in their name:\n  01_bread/fig-risen:baker1990/",
        refusal(bakery, "fig-risen:baker"),
    )


def test_missing_reports_are_an_error(project):
    assert "evidence report" in refusal(project, "3.53")


def test_outdated_reports_are_not_used(bakery):
    bakery.append("references.bib", "% edited\n")
    assert refusal(bakery, "3.53") == (
        "…/reports: out of date, because references.bib changed since. Rebuild the reports with: "
        "evidence report"
    )


# Readings


def add_readings(project, url):
    """Record that all sources of the project were read whole."""
    for source in ("baker1990", "guide", "miller2001"):
        project.table(
            schema.READINGS, source=source, part="all", kind="full text", read_by="A. Reader",
            date="2026-11-24", url=url,
        )  # fmt: skip


def test_a_row_is_traced_to_the_page_that_was_read(project, capsys):
    add_readings(project, "https://example.org/copy")
    last = run_why(capsys, project, "data/studies.csv:2").splitlines()[-1]
    assert last.strip() == ("full text, read by A. Reader on 2026-11-24: https://example.org/copy")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/copy", '<a href="https://example.org/copy">page</a>'),
        ("a <b>copy</b>", "a &lt;b&gt;copy&lt;/b&gt;"),
        ("javascript:alert(1)", ", javascript:alert(1))"),
    ],
)
def test_a_footnote_links_to_the_page_that_was_read(project, url, expected):
    add_readings(project, url)
    store = ValueStore()
    store.add(Sentence("x", "{y}", {"y": Number(1, "1", ("data/studies.csv:2",))}))
    html = sources_and_footnotes(project.dataset(), store, {})
    assert "(full text, read by A. Reader on 2026-11-24, " in html
    assert expected in html
    assert 'href="javascript' not in html


# Footnotes


def test_text_of_a_row_cannot_become_markup(project):
    project.put("data/studies.csv", 2, locator="<script>alert(1)</script>")
    store = ValueStore()
    number = Number(1, "<b>", ("data/studies.csv:2",))
    store.add(Sentence("x<i>", "{y}", {"y": number}))
    html = sources_and_footnotes(project.dataset(), store, {})
    assert "<script" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&lt;script&gt;" in html


def test_works_on_methods_are_listed_beside_the_sources_and_not_counted(project):
    """A study of the project may have the key of such a work."""
    study = "@misc{katz1978, author = {Katz, A}, title = {Katz bread}, year = {1978}}\n"
    project.append("references.bib", study)
    store = ValueStore()
    rows = ("data/studies.csv:2",)
    store.add(Sentence("x", "{y}", {"y": Number(1, "1", rows, "katz")}))
    html = sources_and_footnotes(project.dataset(), store, {}, sources=["katz1978"])
    assert ">2 sources</a> of these results." in html
    assert '<li id="ref-katz1978">Katz A. Katz bread.' in html
    assert '<li id="work-katz1978">Katz D, Baptista J' in html
    assert 'on the log scale, <a href="#work-katz1978">Katz 1978</a>' in html


def values(reports):
    return json.loads((reports / "values.json").read_text("utf-8"))


@pytest.mark.parametrize("name", PAGES)
def test_every_number_of_a_page_is_a_link_to_its_footnote(report, name):
    """Links arrive, ids are there once, and every printed value of the report has its footnote."""
    page = (report / f"{name}.html").read_text("utf-8")
    ids = re.findall(r"""\bid=["']([^"']+)""", page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"""href=["']#([^"']+)""", page)) <= set(ids)
    entries = {key: e for key, e in values(report).items() if key.startswith(f"{name}/")}
    in_text = [key for key, entry in entries.items() if "text" in entry]
    marks = {key.rpartition(".")[0] for key, entry in entries.items() if "text" not in entry}
    notes = [identity for identity in ids if identity.startswith("why-")]
    assert len(notes) == len(in_text) + len(marks)
    assert len([identity for identity in ids if identity.startswith("at-")]) == len(in_text)


def test_every_number_has_a_known_method_and_rows_that_exist(shipped, report):
    entries = values(report).values()
    assert {entry["method"] for entry in entries} <= set(METHODS)
    assert len(describe_rows(shipped, (row for entry in entries for row in entry["rows"]))) > 500


def test_copied_numbers_are_in_a_cell_of_their_rows(shipped, report):
    """At full precision, or as the ends of a printed range."""
    rows = {
        row["address"]: {str(cell) for cell in row.values()}
        for table in schema.TABLES
        for row in shipped.frame(table).to_dict("records")
    }
    copied = {k: entry for k, entry in values(report).items() if entry["method"] == "copied"}
    assert len(copied) > 500
    for name, entry in copied.items():
        cells = set().union(*(rows[address] for address in entry["rows"]))
        value = entry["value"]
        texts = {str(value), f"{value:g}" if isinstance(value, float) else str(value)}
        ends = {str(float(end)) for end in re.findall(r"-?\d+\.?\d*", str(value).replace("−", "-"))}
        assert texts & cells or (ends and ends <= cells), name
