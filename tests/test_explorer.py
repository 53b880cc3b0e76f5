"""The explorer without a browser: queries, charts and tables, and what a page shows of it."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml

from evidence.analysis.pooling.answerable_queries import possible_effects, studies_by_choice
from evidence.analysis.pooling.explorer_query import (
    ANY,
    ExplorerQuery,
    fill_defaults,
    query_choices,
)
from evidence.analysis.pooling.question import select_study_effects
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import ParameterError
from evidence.figures.forest_plot import lay_out_explorer_forest, place_on_axis
from evidence.figures.layout import draw
from evidence.report.explorer_widget import explore
from evidence.report.figure_files import FORMATS
from evidence.report.figure_metadata import read_metadata
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


@pytest.fixture
def explorer(graded):
    """The explorer of thirteen vaccine trials; one of them also reports deaths."""
    graded.table(schema.OUTCOMES, outcome="death", kind="harm", better="lower", description="died")
    for role, name, events in (("intervention", "vaccine", 1), ("comparator", "none", 2)):
        day = {"outcome": "death", "time": "1", "time_unit": "day"}
        graded.row(**arm("trial0", name, role, events, 100, **day))
    return explore(open_report("00_start", project=graded.root, scope="all"), measure="rr")


def groups(explorer):
    return {line["group1"] for line in explorer.chart["lines"]}


def test_chart_and_parameters_follow_a_choice(explorer):
    before = explorer.chart
    assert "4/123" in groups(explorer)
    explorer.outcome = "death"
    assert explorer.title == "Risk ratio of death: tuberculosis, vaccine"
    assert groups(explorer) == {"1/100"}
    assert yaml.safe_load(explorer.parameters)["outcome"] == "death"
    explorer.outcome = "infection"
    assert explorer.chart == before


def test_the_chart_has_the_numbers_where_the_figure_has_them(graded):
    """On the log axis of a ratio; ticks are those of the drawn figure."""
    layout = layout_of(graded, QUERY)
    axes = draw(layout).axes[0]
    to_axis = axes.transScale + axes.transLimits
    lines, ticks, no_effect = place_on_axis(layout)
    for at, estimate in zip(lines, layout.frame["estimate"], strict=True):
        assert at["estimate"] == pytest.approx(to_axis.transform((estimate, 1))[0], abs=1e-3)
    assert list(ticks.values()) == [label.get_text() for label in axes.get_xticklabels()]
    assert no_effect == pytest.approx(to_axis.transform((1, 1))[0], abs=1e-3)


def test_selected_mark_shows_its_rows_until_the_query_changes(explorer):
    explorer.selected_mark = "trial0"
    assert "4/123 against 11/139" in explorer.trace["sentence"]
    first, second = explorer.trace["rows"]
    assert re.fullmatch(r"data/studies\.csv:\d+", first["address"])
    assert ", vaccine, infection" in first["description"]
    assert first["sources"][0]["reference"] and second["sources"]
    explorer.measure = "rd"
    assert (explorer.selected_mark, explorer.trace) == ("", {})


def test_query_without_studies_is_answered_with_what_would_work(explorer):
    explorer.outcome, explorer.measure = "death", "smd"
    assert explorer.empty.startswith(
        "No study among these results has confirmed numbers for the standardised mean difference"
    )
    assert explorer.chart == {}
    assert explorer.empty in explorer.to_html()
    # No study has a mean, so that only another measure would work.
    assert "smd" not in explorer.charted["measure"]
    assert {tuple(entry["changes"]) for entry in explorer.alternatives} == {("measure",)}
    explorer.measure, explorer.time_days = "rr", 100.0
    (day, *_) = explorer.alternatives
    assert day == {"text": "near 1 day (1 study)", "changes": {"time_days": 1.0}}
    assert day["text"] in explorer.to_html()
    explorer.time_days = 1.0
    assert explorer.chart


@pytest.mark.parametrize("measure", ["rr", "proportion", "smd"])
def test_number_of_studies_of_each_choice_is_that_of_its_query(graded, measure):
    dataset = graded.dataset()
    results = select_results(dataset)
    query = replace(QUERY, measure=measure)
    counts = studies_by_choice(possible_effects(results), query)
    for field, words in query_choices(dataset).items():
        for word in words:
            question = replace(query, **{field: word}).question
            selected = select_results(dataset, scope=word) if field == "scope" else results
            studies = select_study_effects(dataset, selected, question)["study"].nunique()
            assert studies == counts.get(field, {}).get(word, 0), (field, word)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_saved_file_has_the_record_of_the_chart(explorer, tmp_path, file_format):
    """Its name is that of the figure; from a browser it is asked for by a message."""
    sent = []
    explorer.send = lambda content, buffers: sent.append((content["name"], *buffers))
    explorer.outcome = "death"
    explorer._handle_custom_msg({"save": file_format}, [])
    ((name, content),) = sent
    (tmp_path / name).write_bytes(content)
    record, _ = read_metadata(tmp_path / name)
    assert name == f"fig-view@{record['version']}.{file_format}"
    assert record["title"] == explorer.title
    assert record["parameters"]["outcome"] == "death"


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
    for part in ('<figure id="fig-view"', '<table id="tab-view"', "papermill notebooks/00_start"):
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
    assert re.search(r'<table [^>]*id="tab-view"', html)


def test_contents_link_to_notebooks_and_on_a_page_to_pages(report):
    contents = open_report("00_start", project=ROOT).contents().html
    assert '<a href="03_dose_response.ipynb">' in contents
    page = (report / "00_start.html").read_text("utf-8")
    assert '<a href="03_dose_response.html">' in page
    assert not re.search(r'href="[\w-]+\.ipynb"', page)
