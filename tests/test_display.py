"""Tables display themselves: headers with units, numbers that sort, nothing that becomes markup."""

import re
from html import unescape

import pandas as pd
import pytest

from evidence.analysis.claims.claim_audit import claim_verdicts
from evidence.analysis.gaps.unknowns import find_unknowns
from evidence.analysis.results import select_results
from evidence.dataset.notebook_display import MAX_ROWS_SHOWN, Frame
from evidence.report.report import open_report
from evidence.tables.claims import tabulate_claims


@pytest.fixture(scope="module")
def results(shipped):
    return select_results(shipped)


def headers(html):
    return [unescape(text) for text in re.findall(r'<th scope="col"[^>]*>([^<]*)', html)]


def test_results_are_shown_with_units_and_what_each_column_means(shipped, results):
    for frame in (shipped.results, results, results[results["outcome"] == "response"]):
        html = frame._repr_html_()
        assert f"<caption>{len(frame):,} rows</caption>" in html
        assert html.count("<tr>") == len(frame) + 1
        assert {"dose (mg per kg)", "infusion (minutes)", "n (people)"} <= set(headers(html))
        assert 'title="BibTeX key of the study that the number is about"' in html


def test_claims_and_unknowns_and_designs_are_shown(shipped, results):
    assert "verdict" in headers(claim_verdicts(shipped, results)._repr_html_())
    found = find_unknowns(shipped)
    html = found._repr_html_()
    assert {"question", "status", "n (people)", "longest look (days)"} <= set(headers(html))
    assert html.count("<tr>") == len(found) + 1
    assert "randomised (people)" in headers(shipped.designs._repr_html_())


def test_the_dataset_lists_its_tables(shipped):
    html = shipped._repr_html_()
    assert "data/studies.csv" in html
    assert f'<td data-sort="{len(shipped.results)}">{len(shipped.results)}</td>' in html


def test_cells_are_escaped_missing_ones_marked_blank_columns_left_out():
    frame = Frame({"a": ["<b>", None], "n": [-1.5, float("nan")], "blank": ["", ""]})
    html = frame._repr_html_()
    assert headers(html) == ["a", "n (people)"]
    assert "<td>&lt;b&gt;</td>" in html
    assert '<td data-sort="-1.5">−1.5</td>' in html
    assert html.count("<td>—</td>") == 2


def test_long_frames_say_how_much_is_shown():
    html = Frame({"a": range(MAX_ROWS_SHOWN + 1)})._repr_html_()
    assert f"<caption>{MAX_ROWS_SHOWN + 1} rows, the first {MAX_ROWS_SHOWN} shown</caption>" in html
    assert html.count("<tr>") == MAX_ROWS_SHOWN + 1


def test_a_frame_is_a_data_frame_like_any_other(results):
    assert isinstance(results, pd.DataFrame)
    assert type(results[results["n"] > 10].assign(more=1)) is Frame
    assert type(results.groupby("study").size()) is pd.Series


def test_tables_sort_where_they_are_only_shown_and_bring_no_script_to_a_page(
    shipped, results, tmp_path
):
    table = tabulate_claims(shipped, claim_verdicts(shipped, results))
    assert "<script>" in table._repr_html_()
    for out, scripts in (("", 1), (str(tmp_path), 0)):
        shown = open_report("x", project=shipped.project, out=out).table(table)
        assert shown._repr_mimebundle_()["text/html"].count("<script>") == scripts
