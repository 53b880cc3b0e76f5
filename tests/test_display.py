"""Objects show themselves: tables with units that sort, words, no markup and no raw dataclass."""

import base64
import inspect
import re
from collections.abc import Iterator
from html import unescape
from typing import get_args, get_origin, get_type_hints

import pandas as pd
import pytest
from IPython.lib.pretty import pretty

import evidence
from evidence import Question
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.displayable import Displayable
from evidence.dataset.notebook_display import MAX_ROWS_SHOWN, Frame
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.style import empty_figure
from evidence.report.report import open_report
from evidence.tables.notebook_view import view
from evidence.tables.studies import tabulate_results, tabulate_studies
from tests.example_trials import BCG
from tests.test_queries import METHODS

FUNCTIONS = [
    *(part for name in evidence.__all__ if inspect.isfunction(part := getattr(evidence, name))),
    *METHODS,
]


def headers(html):
    return [unescape(text) for text in re.findall(r'<th [^>]*scope="col"[^>]*>([^<]*)', html)]


def test_results_are_shown_with_units_and_the_meaning_of_each_column(project):
    results = select_results(project.dataset())
    for frame in (
        project.dataset().reported_results,
        results,
        results[results["outcome"] == "risen"],
    ):
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


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda part: part.__qualname__)
def test_what_a_public_function_returns_shows_itself(function):
    # Matplotlib, whose class this is, is imported to draw and not before.
    returned = get_type_hints(function).get("return", empty_figure(1, 1).__class__)
    if get_origin(returned) in (list, tuple, Iterator):
        assert get_args(returned)[0] is str, "return a Listing, as @as_listing does"
    for kind in filter(inspect.isclass, get_args(returned) or [returned]):
        assert kind is str or has_display(kind)


def has_display(kind):
    if issubclass(kind, Displayable):
        return view.dispatch(kind) is not view.dispatch(object)
    return hasattr(kind, "_repr_html_") or hasattr(kind, "_repr_mimebundle_")


def html(shown):
    bundle = shown._repr_mimebundle_()
    assert "(outcome=" not in bundle["text/html"] + bundle["text/plain"]
    assert str(shown) == bundle["text/plain"]
    return bundle["text/html"]


def test_a_pooled_estimate_shows_effect_interval_heterogeneity_and_studies(vaccine):
    dataset = vaccine.dataset()
    results = select_results(dataset)
    pooled = evidence.pool_studies(
        dataset, results, outcome="infection", measure="rr", test="z", time_days=1
    )
    theirs = BCG["RR"]["REML|z"]
    shown = html(pooled)
    for number in (f"{theirs['I2']:.0f}%", f"Q = {theirs['Q']:.2f}", "0.49", "0.34 to 0.70"):
        assert number in shown
    assert headers(shown)[:2] == ["study", "year"]
    assert "95% CI" in headers(shown)
    assert len(re.findall("<tr [^>]*id=", shown)) == 13


def test_in_a_plain_list_each_object_is_one_line(project):
    unknown = evidence.find_unknowns(project.dataset())[0]
    assert pretty([unknown, unknown.coverage]) == "[Does it last?, Coverage: not searched]"


def test_a_refusal_shows_its_reasons_with_the_arguments_that_would_help(vaccine):
    vaccine.put("data/designs.csv", 2, treatment="BCG")
    dataset = vaccine.dataset()
    options = {"outcome": "infection", "measure": "rr", "time_days": 1}
    refused = evidence.pool_studies(dataset, select_results(dataset), **options)
    assert "Not pooled: risk ratio of infection" in html(refused)
    assert "name the ones to pool (treatments=[" in html(refused)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda data, rows: evidence.find_unknowns(data), "Does it last?"),
        (lambda data, rows: evidence.find_unknowns(data)[:1], "Does it last?"),
        (lambda data, rows: evidence.find_unknowns(data)[0], "status: open"),
        (lambda data, rows: evidence.find_unknowns(data)[0].coverage, "Coverage: not searched"),
        (lambda data, rows: evidence.main_question(data, rows, Question("risen", "rr")), "risen"),
        (lambda data, rows: evidence.evidence_bodies(data, rows, times=[1.0]), "Nothing"),
        (
            lambda data, rows: evidence.fit_dose_model(data, rows, Question("risen", "or")),
            "No dose",
        ),
        (
            lambda data, rows: evidence.fit_time_model(data, rows, Question("risen", "or")),
            "No half",
        ),
        (lambda data, rows: evidence.reading_list(data, rows), "Miller"),
        (lambda data, rows: evidence.reading_list(data, rows)[0], "why: "),
        (lambda data, rows: evidence.check_consistency(data), "GRIM"),
        (lambda data, rows: evidence.unknowns_summary(evidence.find_unknowns(data)), "<p>"),
    ],
)
def test_objects_show_themselves(project, make, text):
    dataset = project.dataset()
    shown = make(dataset, select_results(dataset))
    assert text in html(shown)


def test_a_layout_is_drawn_with_its_caption_and_a_figure_without_pyplot(project):
    dataset = project.dataset()
    layout = lay_out_arm_comparison(dataset, select_results(dataset), outcome="risen")
    shown = layout._repr_mimebundle_()["text/html"]
    assert shown.startswith('<figure id="')
    assert f"<strong>{layout.title}.</strong>" in shown
    for picture in (shown, evidence.draw(layout)._repr_html_()):
        (source,) = re.findall('<img src="data:image/svg\\+xml;base64,([^"]+)" alt="[^"]', picture)
        assert b"<svg" in base64.b64decode(source)
    empty = lay_out_arm_comparison(dataset, select_results(dataset), outcome="height")
    assert empty._repr_mimebundle_()["text/html"].startswith('<p class="empty"')
