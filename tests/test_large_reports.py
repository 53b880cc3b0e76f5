"""Reports of much data: pages stay of a size that opens, and nothing is computed per footnote."""

import csv
import json
import re

import pandas as pd
import pytest

from evidence import open_report, tabulate_results
from evidence.dataset.dataset import Dataset
from evidence.provenance.values import ValueStore
from evidence.report.footnotes import sources_and_footnotes
from evidence.report.html_pages import resolve_row_links


def test_a_page_shows_the_first_rows_of_a_long_table_and_says_where_all_are(
    project, tmp_path, monkeypatch
):
    monkeypatch.setattr("evidence.report.report.MAX_ROWS_SHOWN", 2)
    report = open_report("01_bread", project=project.root, out=tmp_path / "out", scope="all")
    table = tabulate_results(report.dataset, report.results_with_repeats)
    size, anchors = len(table.frame), [f"studies.csv-{line}" for line in range(2, 7)]
    shown = report.table(table)
    caption = re.search(r"<caption.*?>(.*)</caption>", shown.html)[1]
    assert caption == (
        f"Results, each with its row: the first 2 of {size} rows; tab-results.csv has all of them"
    )
    assert f'<a href="tables/tab-results.csv">All {size} rows (CSV)</a>' in shown.html
    assert re.findall(r'<tr role="row" id="tab-results-([^"]*)"', shown.html) == anchors[:2]
    with (tmp_path / "out/tables/tab-results.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == size
    footnotes = report.close().html
    assert re.findall(r'id="why-tab-results-([^"]*)"', footnotes) == anchors[:2]
    values = json.loads((tmp_path / "out/values/01_bread.json").read_text())["values"]
    assert "tab-results:studies.csv:5.value" in values
    links = "".join(f'<a href="#tab-results-{name}">{name}</a>' for name in anchors)
    page = resolve_row_links({"01_bread": shown.html + links})["01_bread"]
    assert re.findall(r'<a href="#tab-results-([^"]*)">', page) == anchors[:2]
    assert page.endswith("".join(anchors[2:]))


@pytest.mark.parametrize("marks", [1, 40])
def test_studies_are_looked_up_once_for_all_footnotes(project, monkeypatch, marks):
    calls = []
    look_up = Dataset.studies_at
    monkeypatch.setattr(Dataset, "studies_at", lambda *given: calls.append(1) or look_up(*given))
    monkeypatch.setattr("evidence.report.footnotes.MAX_ROWS_DESCRIBED", 1)
    dataset, store = project.dataset(), ValueStore()
    names = [f"mark{number}" for number in range(marks)]
    frame = pd.DataFrame({"name": names, "estimate": 0.5})
    frame["address"] = " ".join(dataset.reported_results["address"])
    store.add_frame("fig-bread", frame, {})
    html = sources_and_footnotes(dataset, store, {"fig-bread": "Bread"})
    assert html.count("5 rows of Baker and Miller: data/studies.csv:2-6") == marks
    assert len(calls) == 1
