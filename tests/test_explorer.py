"""The explorer without a browser: queries, charts and tables, and what a page shows of it."""

import re
import subprocess
import sys

import numpy as np
import pytest
import yaml

from evidence.analysis.pooling.explorer_query import ANY, ExplorerQuery, fill_defaults
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import ParameterError
from evidence.figures.forest_plot import lay_out_explorer_forest
from evidence.report.explorer_widget import explore
from evidence.report.figure_files import render_figure
from evidence.report.figure_identity import figure_record
from evidence.report.report import open_report
from tests.conftest import ROOT
from tests.example_trials import BCG, TRIALS, arm

QUERY = ExplorerQuery("infection", "rr", "tuberculosis", "vaccine", ANY, "all", 1.0)


def layout_of(project, query):
    dataset = project.dataset()
    results = select_results(dataset)
    return lay_out_explorer_forest(dataset, results, query, confidence=0.95)


def test_empty_fields_are_filled_by_what_most_studies_have(graded):
    for line in (2, 3, 4):
        graded.put("data/designs.csv", line, treatment="sham")
    dataset = graded.dataset()
    query = fill_defaults(
        dataset, select_results(dataset), ExplorerQuery("", "rr", "", "", "", "all", 0.0)
    )
    assert query == ExplorerQuery("infection", "rr", "tuberculosis", "vaccine", ANY, "all", 1.0)


def test_a_query_is_answered_by_its_studies_and_their_pooled_estimate(graded):
    layout = layout_of(graded, QUERY)
    studies, diamond = layout.frame[:-1], layout.frame.iloc[-1]
    assert set(studies["name"]) == set(TRIALS)
    first = studies.set_index("name").loc["trial0"]
    assert first["estimate"] == pytest.approx((4 / 123) / (11 / 139))
    # metafor's REML
    assert np.log(diamond["estimate"]) == pytest.approx(BCG["RR"]["REML|knha"]["estimate"])


def test_without_a_pooled_estimate_the_caption_says_why(grouped):
    """4 of 123 against 11 of 139, with Katz's interval."""
    layout = layout_of(grouped, QUERY)
    assert set(layout.frame["kind"]) == {"study"}
    assert "Not pooled: the comparators differ (" in str(layout.caption)
    study = layout.frame.set_index("name").loc["trial0"]
    half = 1.959963984540054 * np.sqrt(1 / 4 - 1 / 123 + 1 / 11 - 1 / 139)
    assert study["ci_high"] == pytest.approx((4 / 123) / (11 / 139) * np.exp(half))


def test_a_crossover_has_no_interval_in_the_explorer(graded):
    graded.put("data/designs.csv", 2, design="randomised crossover")
    study = layout_of(graded, QUERY).frame.set_index("name").loc["trial0"]
    assert np.isnan([study["ci_low"], study["ci_high"]]).all()


def test_marks_are_elements_of_the_svg(graded):
    layout = layout_of(graded, QUERY)
    picture = render_figure(layout, figure_record(layout, graded.dataset()), ["svg"])["svg"]
    named = re.findall(rb'<g id="mark-(\d+)"', picture)
    assert sorted(map(int, named)) == list(range(len(layout.frame)))


@pytest.fixture
def explorer(graded):
    """The explorer of thirteen vaccine trials; one of them also reports deaths."""
    graded.table(schema.OUTCOMES, outcome="death", kind="harm", better="lower", description="died")
    for role, name, events in (("intervention", "vaccine", 1), ("comparator", "none", 2)):
        day = {"outcome": "death", "time": "1", "time_unit": "day"}
        graded.row(**arm("trial0", name, role, events, 100, **day))
    return explore(open_report("00_start", project=graded.root, scope="all"), measure="rr")


def test_chart_table_and_parameters_follow_a_choice(explorer):
    before = explorer.svg
    assert "4/123" in explorer.table
    explorer.outcome = "death"
    assert explorer.title == "Risk ratio of death: tuberculosis, vaccine"
    assert explorer.svg != before
    assert "4/123" not in explorer.table
    assert yaml.safe_load(explorer.parameters)["outcome"] == "death"
    explorer.outcome = "infection"
    assert explorer.svg == before


def test_selected_mark_shows_its_rows_until_the_query_changes(explorer):
    explorer.selected_mark = "trial0"
    assert re.search(r"source row    data/studies\.csv:\d+  .*, vaccine, infection", explorer.trace)
    assert "read in: " in explorer.trace
    explorer.measure = "rd"
    assert (explorer.selected_mark, explorer.trace) == ("", "")


def test_query_without_studies_is_answered_with_a_sentence(explorer):
    explorer.outcome, explorer.measure = "death", "smd"
    assert explorer.empty.startswith(
        "No study among these results has confirmed numbers for the standardised mean difference"
    )
    assert (explorer.svg, explorer.table) == ("", "")
    assert explorer.empty in explorer.to_html()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("condition", "tuberculosi", "condition: 'tuberculosi' is not one of: any, tuberculosis. "
                                     "Did you mean 'tuberculosis'?"),
        ("measure", "hazard", "measure: 'hazard' is not one of: rr, or, rd"),
        ("time_days", -1.0, "time_days: -1.0 is not a number of days; give one above 0"),
    ],
)  # fmt: skip
def test_unknown_words_are_refused(explorer, name, value, message):
    before = explorer.query
    with pytest.raises(ParameterError, match=re.escape(message)):
        setattr(explorer, name, value)
    assert explorer.query == before


def test_page_without_a_kernel_has_chart_table_and_command(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    page = data["text/html"]
    for part in ('<figure id="fig-view"', '<table id="tab-view">', "papermill notebooks/00_start"):
        assert part in page
    assert "<script" not in page
    assert metadata["evidence"]["figure"] == "fig-view"


def test_executed_notebook_needs_no_kernel_and_no_server(report, tmp_path):
    """Its HTML by nbconvert also has the figure and the table, and no widget."""
    executed = report / "notebooks" / "00_start.ipynb"
    assert "widget" not in executed.read_text("utf-8")
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", tmp_path, executed],
        check=True,
        capture_output=True,
    )
    html = (tmp_path / "00_start.html").read_text("utf-8")
    assert re.search(r'<figure [^>]*id="fig-view"', html)
    assert '<table id="tab-view">' in html


def test_contents_link_to_notebooks_and_on_a_page_to_pages(report):
    contents = open_report("00_start", project=ROOT).contents().html
    assert '<a href="03_dose_response.ipynb">' in contents
    page = (report / "00_start.html").read_text("utf-8")
    assert '<a href="03_dose_response.html">' in page
    assert not re.search(r'href="[\w-]+\.ipynb"', page)
