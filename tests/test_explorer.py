"""The explorer without a browser: what follows a choice, what is refused, what a page keeps."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

from evidence.analysis.pooling.explorer_query import ANY, ExplorerQuery, fill_defaults
from evidence.analysis.results import select_results
from evidence.errors import ParameterError
from evidence.figures.forest_plot import lay_out_explorer_forest
from evidence.report.explorer_widget import explore
from evidence.report.figure_files import render_figure
from evidence.report.figure_identity import figure_record
from evidence.report.report import open_report
from tests.vaccine_trials import BCG, TRIALS

ROOT = Path(__file__).resolve().parents[1]
QUERY = ExplorerQuery("infection", "rr", "tuberculosis", "vaccine", ANY, "all", 1.0)


def opened(**words):
    return explore(open_report("00_start", project=ROOT, scope="all"), **words)


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


def test_chart_table_and_parameters_follow_a_choice():
    explorer = opened()
    assert "12/17" in explorer.table
    before = explorer.svg
    explorer.outcome = "remission"
    assert explorer.title == "Proportion with remission: depression, ketamine"
    assert explorer.svg != before
    assert "12/17" not in explorer.table
    assert yaml.safe_load(explorer.parameters)["outcome"] == "remission"
    explorer.outcome = "response"
    assert explorer.svg == before


def test_a_mark_tells_its_rows_and_a_new_view_forgets_it():
    explorer = opened()
    explorer.picked = "su2023"
    assert re.search(
        r"source row +data/studies\.csv:\d+  Su 2023, ketamine, response", explorer.why
    )
    assert "read in: Su TP" in explorer.why
    explorer.measure = "rr"
    assert (explorer.picked, explorer.why) == ("", "")


def test_a_choice_without_studies_is_an_answer():
    explorer = opened(measure="rr", treatment="ketamine", outcome="response")
    explorer.condition = "PTSD"
    assert explorer.empty == (
        "No study among these results has confirmed numbers for the "
        "risk ratio of response in PTSD, ketamine, near 1 day."
    )
    assert (explorer.svg, explorer.table) == ("", "")
    assert explorer.empty in explorer.to_html()


def test_a_word_of_the_tables_that_the_report_leaves_out_is_an_answer():
    report = open_report("00_start", project=ROOT, scope="guide", conditions=["PTSD"])
    explorer = explore(report, outcome="response", condition="depression")
    assert explorer.empty.startswith("No study among these results")


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("condition", "depresion", "condition: 'depresion' is not one of: any, PTSD, "),
        ("measure", "hazard", "measure: 'hazard' is not one of: rr, or, rd"),
        ("time_days", -1.0, "time_days: -1.0 is not a number of days; give one above 0"),
    ],
)
def test_unknown_words_are_refused(name, word, said):
    with pytest.raises(ParameterError, match=re.escape(said)):
        opened(**{name: word})
    explorer = opened()
    before = explorer.view
    with pytest.raises(ParameterError, match=re.escape(said)):
        setattr(explorer, name, word)
    assert explorer.view == before


def test_what_is_shown_stays_without_a_kernel():
    """The bundle has the widget for JupyterLab and everything else for a page."""
    data, _ = opened()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    page = data["text/html"]
    for said in ('<figure id="fig-view"', '<table id="tab-view">', "papermill notebooks/00_start"):
        assert said in page
    assert "<script" not in page


def test_the_executed_notebook_needs_no_kernel_and_no_server(report, tmp_path):
    """Also by way of nbconvert: the picture and the table, and no widget."""
    executed = report / "notebooks" / "00_start.ipynb"
    book = nbformat.read(executed, as_version=4)
    assert "widgets" not in book.metadata
    assert "widget-view" not in executed.read_text("utf-8")
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", tmp_path, executed],
        check=True,
        capture_output=True,
    )
    html = (tmp_path / "00_start.html").read_text("utf-8")
    assert re.search(r'<figure [^>]*id="fig-view"', html)
    assert '<table id="tab-view">' in html
    assert "widget-view+json" not in html


def test_contents_lead_to_notebooks_and_on_a_page_to_pages(report):
    shown = open_report("00_start", project=ROOT).contents().html
    assert '<a href="03_dose_response.ipynb">' in shown
    page = (report / "00_start.html").read_text("utf-8")
    assert '<a href="03_dose_response.html">' in page
    assert not re.search(r'href="[\w-]+\.ipynb"', page)
