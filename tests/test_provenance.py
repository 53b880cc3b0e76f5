"""Numbers keep their rows: sentences, stored values, and rows described by their address."""

import json
import math

import pandas as pd
import pytest

from evidence.dataset import schema
from evidence.errors import EvidenceError
from evidence.provenance.methods import METHODS
from evidence.provenance.rows import describe_rows, filled_cells, row_ranges
from evidence.provenance.sentence import Number, Sentence, join_sentences
from evidence.provenance.values import ValueStore, read_build_files, to_json_value

FULL_TABLES = {
    schema.STATEMENTS: {"claim": "C1", "subject": "dough", "quality": "good", "as_said": "it is",
                        "locator": "p. 1"},
    schema.RISK_OF_BIAS: {
        "study": "baker1990", "tool": "RoB 2 (2019)", "domain": "missing data",
        "judgement": "low", "reason": "none missing", "judged_by": "project",
        "source": "baker1990", "locator": "p. 3", "signed_by": "A. Reader", "date": "2026-11-24",
    },
    schema.MINIMAL_IMPORTANT_DIFFERENCES: {
        "outcome": "risen", "measure": "rd", "value": "0.2", "source": "baker1990",
        "locator": "p. 1", "reason": "so they say",
    },
    schema.READINGS: {
        "source": "baker1990", "part": "Table 1", "kind": "table", "read_by": "A. Reader",
        "date": "2026-11-24", "url": "https://example.org/t1", "not_reported": "height",
    },
    schema.SEARCHES: {
        "search": "S01", "kind": "database", "database": "Bread index", "query": "yeast",
        "date": "2026-11-24", "searched_by": "A. Reader", "records": "10", "screened": "10",
        "excluded": "7", "kept": "3",
    },
    schema.KNOWN_STUDIES: {
        "known_study": "York 1991", "label": "York 1991", "design": "randomised parallel",
        "condition": "bread", "treatment": "yeast", "n_randomised": "50", "followup": "2",
        "followup_unit": "week", "listed_by": "miller2001; guide", "locator": "p. 2",
        "status": "wanted",
    },
    schema.WANTED_RESULTS: {
        "study": "miller2001", "arm": "yeast", "versus": "none", "outcome": "risen", "time": "1",
        "time_unit": "day", "measure": "risk ratio", "source": "miller2001", "part": "Table 2",
        "reason": "the abstract announces it",
    },
    schema.AUDITS: {
        "study": "baker1990", "arm": "yeast", "outcome": "risen", "answer": "confirmed",
        "signed_by": "A. Reader", "date": "2026-11-24", "seed": "1", "row": "0123456789ab",
    },
}  # fmt: skip


# The readings that the other rows of studies.csv need.
OTHER_READINGS = (("guide", "p. 1", "full text"), ("miller2001", "abstract", "abstract"))


def add_full_tables(project):
    for table, cells in FULL_TABLES.items():
        project.table(table, **cells)
    reading = FULL_TABLES[schema.READINGS] | {"not_reported": ""}
    for source, part, kind in OTHER_READINGS:
        project.table(schema.READINGS, **reading | {"source": source, "part": part, "kind": kind})


def describe(project, address):
    (row,) = describe_rows(project.dataset(), [address])
    return row


@pytest.mark.parametrize(
    ("address", "description", "as_printed"),
    [
        ("data/studies.csv:2", "Baker, yeast, risen, 1 day, n = 17", "71%"),
        ("data/studies.csv:6", "Miller, yeast against none, height", "better"),
        ("data/designs.csv:2", "Baker, randomised parallel", "37 randomised, followed for 2 days"),
        ("data/claims.csv:2", "claim C1: It rises", "guide: 71%; source: 71%"),
        ("data/guide.csv:2", "reference 1 of the guide, identified", ""),
        ("data/unknowns.csv:2", "unknown U1", "Does it last?"),
        ("data/statements.csv:2", "claim C1 on dough", "it is"),
        ("data/risk_of_bias.csv:2", "Baker, RoB 2 (2019), missing data",
         "low: none missing"),
        ("data/minimal_important_differences.csv:2", "minimal important difference: risen, rd",
         "0.2: so they say"),
        ("data/readings.csv:2", "reading of Baker, table",
         "read by A. Reader on 2026-11-24 at https://example.org/t1; not reported there: height"),
        ("data/searches.csv:2", "search S01 of Bread index, 2026-11-24",
         "yeast: 10 records, 10 screened, 7 excluded, 3 kept"),
        ("data/known_studies.csv:2", "known study York 1991, wanted",
         "randomised parallel, 50 randomised, followed for 2 weeks"),
        ("data/wanted_results.csv:2", "wanted: Miller, yeast against none, risen, 1 day",
         "the abstract announces it"),
        ("data/audits.csv:2", "audit of Baker, yeast, risen", "confirmed (A. Reader, 2026-11-24)"),
        ("data/outcomes.csv:2", "data/outcomes.csv risen", ""),
        ("references.bib:1", "source Baker", ""),
    ],
)  # fmt: skip
def test_a_row_of_any_table_is_described(project, address, description, as_printed):
    project.put("data/designs.csv", 2, n_randomised="37", followup="2", followup_unit="day")
    add_full_tables(project)
    row = describe(project, address)
    assert (row.description, row.as_printed) == (description, as_printed)


def test_a_row_names_its_source_and_whether_it_is_unconfirmed(project):
    row = describe(project, "data/studies.csv:5")
    assert (row.sources, row.locator) == (("miller2001",), "abstract")
    assert row.unconfirmed == "not read there"
    assert describe(project, "data/studies.csv:2").unconfirmed == ""


@pytest.mark.parametrize(
    ("address", "sources", "locator"),
    [
        ("data/readings.csv:2", ("baker1990",), "Table 1"),
        ("data/searches.csv:2", (), ""),
        ("data/known_studies.csv:2", ("miller2001", "guide"), "p. 2"),
        ("data/wanted_results.csv:2", ("miller2001",), "Table 2"),
        ("data/guide.csv:2", ("baker1990",), ""),
    ],
)
def test_a_row_of_any_table_names_its_sources_and_the_place(project, address, sources, locator):
    add_full_tables(project)
    row = describe(project, address)
    assert (row.sources, row.locator) == (sources, locator)


def test_a_row_names_the_narrowest_reading_in_which_it_lies(project):
    assert describe(project, "data/studies.csv:2").reading == ""
    add_full_tables(project)
    whole = {"source": "baker1990", "part": "the paper", "kind": "full text", "not_reported": ""}
    project.table(schema.READINGS, **FULL_TABLES[schema.READINGS] | whole | {"date": "2026-11-25"})
    row = describe(project, "data/studies.csv:2")
    assert row.reading == "read by A. Reader on 2026-11-24"
    assert row.url == "https://example.org/t1"
    row = describe(project, "data/risk_of_bias.csv:2")
    assert (row.locator, row.reading) == ("p. 3", "full text, read by A. Reader on 2026-11-25")
    assert describe(project, "data/readings.csv:2").reading == ""


def test_no_table_has_a_column_address_which_frames_use_for_the_line():
    assert [table.file for table in schema.TABLES if "address" in table.names] == []


def test_an_address_without_a_row_is_an_error(project):
    with pytest.raises(KeyError):
        describe(project, "data/studies.csv:1")


def test_only_filled_cells_without_notes_are_returned(project):
    project.put("data/studies.csv", 3, note="look again")
    cells = filled_cells(project.dataset(), ["data/studies.csv:3"])["data/studies.csv:3"]
    assert cells["n"] == "20"
    assert not {"note", "value", "versus"} & set(cells)


def test_consecutive_lines_are_joined_to_ranges():
    assert row_ranges(["b:7", "a:2", "a:3", "a:4", "a:9", "b:8", "a:3"]) == [
        "b:7-8", "a:2-4, 9"
    ]  # fmt: skip
    assert row_ranges([]) == []


def test_a_store_holds_values_of_sentences_and_frames_with_their_rows():
    store = ValueStore()
    number = Number(0.5, "50%", ("data/studies.csv:2",), "proportion")
    unused = Number(1, "1", (), "counted")
    store.add(Sentence("finding", "{share} rose.", {"share": number, "unused": unused}))
    frame = pd.DataFrame(
        {"name": ["a"], "address": ["x:1 x:2"], "n": [3], "lane": [1], "counts": ["3/6"],
         "label": ["A"], "estimate": [math.nan]}
    )  # fmt: skip
    store.add_frame("fig", frame, {"n": "counted"})
    assert store.texts == {"finding": {"text": "50% rose.", "template": "{share} rose."}}
    assert store.values == {
        "finding.share": {
            "value": 0.5, "text": "50%", "method": "proportion", "rows": ["data/studies.csv:2"],
        },
        "fig:a.n": {"value": 3, "method": "counted", "rows": ["x:1", "x:2"]},
        "fig:a.counts": {"value": "3/6", "method": "copied", "rows": ["x:1", "x:2"]},
    }  # fmt: skip
    assert {entry["method"] for entry in store.values.values()} <= set(METHODS)


def test_a_name_never_stands_for_two_values():
    store = ValueStore()
    first, second = (Sentence("s", "{n}", {"n": Number(n, str(n))}) for n in (1, 2))
    store.add(first)
    store.add(first)
    with pytest.raises(ValueError, match=r"two values are called s\.n"):
        store.add(second)
    with pytest.raises(ValueError, match="two fields are called n"):
        join_sentences("both", first, second)


@pytest.mark.parametrize(
    ("value", "converted"),
    [(pd.NA, None), (math.nan, None), (math.inf, None), (pd.Series([2])[0], 2), ("a", "a")],
)
def test_values_are_converted_for_json(value, converted):
    assert json.loads(json.dumps(to_json_value(value))) == converted


def test_a_folder_without_reports_is_an_error(tmp_path):
    with pytest.raises(EvidenceError, match="build them with: evidence report"):
        read_build_files(tmp_path, "values.json")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("values.json", "[]"),
        ("values.json", '{"a": null}'),
        ("manifest.json", '{"a": []}'),
        ("values/01_bread.json", "{}"),
        ("texts.json", "{"),
    ],
)
def test_damaged_files_of_a_build_are_refused(tmp_path, name, content):
    (tmp_path / "values").mkdir()
    (tmp_path / name).write_text(content)
    with pytest.raises(EvidenceError, match=f"{name} cannot be read as JSON of a build; rebuild"):
        read_build_files(tmp_path, name)
