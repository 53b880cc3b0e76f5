"""Tables display themselves: headers with units, numbers that sort, nothing that becomes markup."""

import re
from html import unescape

import pandas as pd

from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.notebook_display import MAX_ROWS_SHOWN, Frame
from evidence.report.report import open_report
from evidence.tables.studies import tabulate_results, tabulate_studies


def headers(html):
    return [unescape(text) for text in re.findall(r'<th scope="col"[^>]*>([^<]*)', html)]


def test_results_are_shown_with_units_and_the_meaning_of_each_column(project):
    results = select_results(project.dataset())
    for frame in (project.dataset().results, results, results[results["outcome"] == "risen"]):
        html = frame._repr_html_()
        assert f"<caption>{len(frame):,} rows</caption>" in html
        assert html.count("<tr>") == len(frame) + 1
        assert {"n (participants)", "value (natural scale)"} <= set(headers(html))
        assert 'title="BibTeX key of the study that the number is about"' in html


def test_the_dataset_lists_its_tables(project):
    html = project.dataset()._repr_html_()
    assert "data/studies.csv" in html
    assert '<td data-sort="5">5</td>' in html


def test_cells_are_escaped_missing_ones_marked_blank_columns_left_out():
    frame = Frame(
        {"a": ["<b>", None], "n": [-1.5, float("nan")], "c": [("x", "y"), ()], "blank": ["", ""]}
    )
    html = frame._repr_html_()
    assert headers(html) == ["a", "n (participants)", "c"]
    assert "<td>x; y</td>" in html
    assert "<td>&lt;b&gt;</td>" in html
    assert '<td data-sort="-1.5">−1.5</td>' in html
    assert html.count("<td>—</td>") == 2


def test_long_frames_say_how_much_is_shown():
    html = Frame({"a": range(MAX_ROWS_SHOWN + 1)})._repr_html_()
    assert f"<caption>{MAX_ROWS_SHOWN + 1} rows, the first {MAX_ROWS_SHOWN} shown</caption>" in html
    assert html.count("<tr>") == MAX_ROWS_SHOWN + 1


def test_a_frame_is_a_data_frame_like_any_other(project):
    results = select_results(project.dataset())
    assert isinstance(results, pd.DataFrame)
    assert type(results[results["n"] > 10].assign(more=1)) is Frame
    assert type(results.groupby("study").size()) is pd.Series


def test_tables_sort_in_a_notebook_and_bring_no_script_to_a_page(project, tmp_path):
    dataset = project.dataset()
    table = tabulate_studies(dataset, select_results(dataset))
    assert "<script>" in table._repr_html_()
    for out, scripts in (("", 1), (str(tmp_path), 0)):
        output = open_report("x", project=dataset.project, out=out).table(table)
        assert output.html.count("<script>") == scripts


def test_the_table_of_results_shows_second_reports_and_of_what(project):
    project.put("data/studies.csv", 4, repeats="baker1990")
    report = open_report("x", project=project.dataset().project)
    assert len(report.results) == 4
    table = tabulate_results(report.dataset, report.results_with_repeats)
    assert table.frame["read in"][2] == "A bakery, p. 1; second report of Baker, not counted"


def test_a_fact_that_another_table_has_is_stated(project):
    """Only the first study has a result with a time, and only the second is a known study."""
    known = {"design": "randomised parallel", "condition": "cake", "treatment": "yeast"}
    known |= {"listed_by": "miller2001", "locator": "Table 1", "status": "tabulated"}
    known |= {"n_randomised": "24", "followup": "2", "followup_unit": "week", "label": "Miller"}
    project.put("data/studies.csv", 5, n="")
    project.table(schema.KNOWN_STUDIES, known_study="miller2001", study="miller2001", **known)
    dataset = project.dataset()
    frame = tabulate_studies(dataset, select_results(dataset)).frame.set_index("study")
    assert list(frame["follow-up"]) == ["at least 1 day", "14 days"]
    assert frame.loc["Miller", "participants"] == "24"
    project.put("data/designs.csv", 3, followup="3", followup_unit="month", n_randomised="20")
    dataset = project.dataset()
    frame = tabulate_studies(dataset, select_results(dataset)).frame.set_index("study")
    assert list(frame.loc["Miller", ["participants", "follow-up"]]) == ["20", "3 months"]
