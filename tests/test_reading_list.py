"""The reading list: what is wanted, in which order, its templates, and rows that are entered."""

import csv
import io
import json
from pathlib import Path

import pytest

from evidence import (
    cli,
    open_report,
    reading_list,
    reading_list_summary,
    select_results,
    tabulate_reading_list,
    top_sources,
)
from evidence.analysis.checks import check_consistency
from evidence.analysis.gaps.primary_outcomes import find_primary_outcomes, primary_outcomes_sentence
from evidence.analysis.gaps.reading_list import find_wanted_results
from evidence.dataset import schema
from tests.test_readings import READ, SIGNED

STUDIES, DESIGNS, READINGS = "data/studies.csv", "data/designs.csv", "data/readings.csv"
WANTED = {
    "study": "baker1990", "arm": "none", "outcome": "risen", "time": "7", "time_unit": "day",
    "measure": "proportion", "source": "baker1990", "part": "Table 2", "reason": "it has a week",
}  # fmt: skip
ANSWER = {
    "study": "baker1990", "condition": "bread", "arm": "none", "role": "comparator",
    "outcome": "risen", "time": "1", "time_unit": "week", "measure": "proportion", "n": "20",
    "events": "3", "as_printed": "3/20", "reported_by": "publication", "source": "baker1990",
    "locator": "Table 2", "verified": "yes",
}  # fmt: skip
PRIMARY = {"primary_outcome": "risen", "primary_time": "1", "primary_time_unit": "day"}


def wanted(project, kind):
    return [entry for entry in find_wanted_results(project.dataset()) if entry.kind == kind]


def sources(project):
    return list(dict.fromkeys(entry.source for entry in find_wanted_results(project.dataset())))


def notes(project, code):
    return [str(f) for f in check_consistency(project.dataset()) if f.code == code]


# What is wanted


def test_an_unconfirmed_result_is_wanted_where_it_stands(project):
    (entry,) = wanted(project, "unconfirmed")
    assert (entry.source, entry.part, entry.rows) == ("miller2001", "abstract", (f"{STUDIES}:5",))
    assert entry.description == "yeast against none: height at 0–3 hours, smd"
    assert entry.reason == "not confirmed: not read there"
    project.put(STUDIES, 5, verified="yes")
    assert wanted(project, "unconfirmed") == []


def test_a_listed_result_is_wanted_until_its_own_text_answers_it(project):
    project.table(schema.WANTED_RESULTS, **WANTED)
    (entry,) = wanted(project, "listed")
    assert (entry.source, entry.part, entry.reason) == ("baker1990", "Table 2", "it has a week")
    assert entry.link == "https://doi.org/10.1000/dough"
    assert (entry.claims, entry.unknowns, entry.participants) == (("C1",), (), 37)
    project.row(**ANSWER)
    assert wanted(project, "listed") == []
    assert notes(project, "WANTED") == [
        "data/wanted_results.csv:2 WANTED note: the result is in data/studies.csv:7; delete the row"
    ]


def test_a_listed_result_may_be_the_first_of_its_study(project):
    project.table(schema.WANTED_RESULTS, **WANTED | {"study": "guide", "source": "guide"})
    (entry,) = wanted(project, "listed")
    assert (entry.study, entry.condition, entry.participants) == ("guide", "", 0)


@pytest.mark.parametrize(
    "cells",
    [
        {"verified": "read in a copy"},
        {"time": "2"},
        {"arm": "yeast", "role": "intervention"},
        {"measure": "modelled proportion", "value": "0.15"},
        {"reported_by": "review", "source": "miller2001"},
        {"reported_by": "guide", "source": "guide"},
    ],
)
def test_other_rows_do_not_answer_it(project, cells):
    project.table(schema.WANTED_RESULTS, **WANTED)
    project.row(**ANSWER | cells)
    assert len(wanted(project, "listed")) == 1


def test_a_finding_without_size_is_wanted_until_its_size_is_known(project):
    project.put(STUDIES, 5, outcome="risen")
    (entry,) = wanted(project, "no size")
    assert (entry.study, entry.part, entry.measure) == ("miller2001", "full text", "")
    assert entry.reason == "only its significance was read, in Miller, abstract"
    arm = {"study": "miller2001", "condition": "cake", "outcome": "height", "measure": "mean",
           "value": "5", "as_printed": "5", "reported_by": "publication", "source": "miller2001",
           "locator": "Table 1", "verified": "yes"}  # fmt: skip
    project.row(**arm, arm="yeast", role="intervention")
    assert len(wanted(project, "no size")) == 1
    project.row(**arm, arm="none", role="comparator")
    assert wanted(project, "no size") == []


def test_nothing_more_is_wanted_of_a_text_that_was_read_in_full(project):
    project.put(STUDIES, 5, outcome="risen")
    for reading in READ[:2]:
        project.table(schema.READINGS, **SIGNED, **reading)
    read = {"source": "miller2001", "part": "full text", "kind": "full text"}
    project.table(schema.READINGS, **SIGNED, **read)
    assert wanted(project, "no size") == []


def test_a_known_study_without_results_is_wanted(project):
    project.table(
        schema.KNOWN_STUDIES, known_study="cook2002", label="Cook 2002", doi="10.1000/cook",
        design="randomised parallel", condition="bread", treatment="yeast", n_randomised="60",
        outcomes="risen", listed_by="guide", locator="p. 2", status="wanted",
    )  # fmt: skip
    (entry,) = wanted(project, "known study")
    assert (entry.source, entry.link) == ("cook2002", "https://doi.org/10.1000/cook")
    assert entry.reason == "known from A bakery; no result is tabulated"
    assert sources(project) == ["miller2001", "baker1990", "cook2002"]


# The order


def test_of_two_trials_the_larger_comes_first(project):
    """40 participants against 17 + 20 = 37."""
    assert sources(project) == ["miller2001", "baker1990"]


def test_a_source_with_more_claims_comes_before_a_larger_one(project):
    project.table(schema.WANTED_RESULTS, **WANTED)
    assert sources(project) == ["baker1990", "miller2001"]


def test_a_primary_outcome_comes_before_claims(project):
    project.table(schema.WANTED_RESULTS, **WANTED)
    project.put(DESIGNS, 2, **PRIMARY | {"primary_outcome": "height"})
    project.put(DESIGNS, 3, **PRIMARY | {"primary_outcome": "height"})
    project.table(schema.WANTED_RESULTS, **WANTED | {"study": "miller2001", "outcome": "height",
                                                     "time": "1", "source": "miller2001"})  # fmt: skip
    project.table(schema.WANTED_RESULTS, **WANTED | {"outcome": "height", "time": "1"})
    project.put(
        DESIGNS, 2, primary_outcome="", primary_time="", primary_time_unit="", randomised="no"
    )
    assert sources(project) == ["miller2001", "baker1990"]


def test_the_studies_of_the_index_page_come_first(project):
    project.put(DESIGNS, 2, display_order="1")
    assert sources(project) == ["baker1990", "miller2001"]


def test_unknowns_are_matched_by_topic_and_time(project):
    project.table(schema.WANTED_RESULTS, **WANTED)
    topic = {"where": "", "conditions": "bread", "outcomes": "risen; height", "from_days": "7"}
    project.path("data/unknowns.csv").unlink()
    row = {"question": "Does it last?", "why_open": "nobody waited", "population": "bread",
           "intervention": "yeast", "outcome": "risen", "asked_on": "2026-11",
           "raised_by": "both"}  # fmt: skip
    project.table(schema.UNKNOWNS, **row | topic, unknown="U1")
    project.table(schema.UNKNOWNS, **row | topic | {"from_days": "8"}, unknown="U2")
    project.table(schema.UNKNOWNS, **row | topic | {"conditions": "cake"}, unknown="U3")
    assert wanted(project, "listed")[0].unknowns == ("U1",)


def test_a_report_lists_what_is_wanted_of_its_studies(project):
    project.table(schema.WANTED_RESULTS, **WANTED)
    project.table(
        schema.KNOWN_STUDIES, known_study="cook2002", label="Cook 2002", condition="cake",
        design="randomised parallel", treatment="yeast", listed_by="guide", locator="p. 2",
        status="wanted",
    )  # fmt: skip
    dataset = project.dataset()
    rows = select_results(dataset)
    assert len(reading_list(dataset, rows)) == 5
    bread = select_results(dataset, conditions=["bread"])
    assert [entry.source for entry in reading_list(dataset, bread)][-1] == "miller2001"
    kinds = [entry.kind for entry in reading_list(dataset, rows, outcomes=["risen"])]
    assert kinds.count("listed") == 1
    assert "unconfirmed" not in kinds


def test_the_page_counts_and_links_what_is_wanted(project):
    project.table(schema.WANTED_RESULTS, **WANTED)
    entries = find_wanted_results(project.dataset())
    assert str(reading_list_summary(entries)) == (
        "4 wanted results of 2 sources: 1 listed by the curators, 1 result not confirmed at the "
        "source and 2 trials without a named primary outcome."
    )
    assert [str(sentence) for sentence in top_sources(entries)] == [
        "Baker: 2 results wanted (methods; Table 2). 1 claim or unknown depends on it.",
        "Miller: 2 results wanted (methods; abstract).",
    ]
    table = tabulate_reading_list(entries)
    row = table.frame.iloc[1]
    assert row["result"] == "none: risen at 7 days, proportion"
    assert (row["address"], row["kind"], row["participants"]) == ("10.1000/dough", "listed", "37")
    assert table.links[1, "address"] == "https://doi.org/10.1000/dough"
    assert table.links[1, "claims"] == {"C1": "tab-claims-C1"}
    assert '<a href="https://doi.org/10.1000/dough">10.1000/dough</a>' in table.to_html()
    assert str(reading_list_summary([])) == "Nothing is wanted: no result is known to be missing."


def test_the_report_writes_the_list_for_other_programs(project, tmp_path):
    report = open_report("09_reading_list", project=str(project.root), out=str(tmp_path / "out"))
    report.reading_list(find_wanted_results(report.dataset))
    records = json.loads((tmp_path / "out/reading-list.json").read_text("utf-8"))
    with (tmp_path / "out/reading-list.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [record["source"] for record in records]


# Primary outcomes


def status(project):
    return [entry.status for entry in find_primary_outcomes(project.dataset())]


def test_a_primary_outcome_is_tabulated_wanted_missing_or_not_stated(project):
    project.put(DESIGNS, 2, **PRIMARY)
    project.put(DESIGNS, 3, **PRIMARY)
    assert status(project) == ["tabulated", "missing"]
    assert find_primary_outcomes(project.dataset())[0].rows == (f"{STUDIES}:2", f"{STUDIES}:3")
    assert str(primary_outcomes_sentence(project.dataset())) == (
        "Of 2 randomised trials in the tables, 1 has a result for the primary outcome, 1 is on the "
        "reading list for it, and for 0 no text that was read names the primary outcome."
    )
    assert notes(project, "PRIMARY") == [
        "data/designs.csv:3 PRIMARY warning: no result for the primary outcome, risen at 1 day; "
        "enter it, or add a row to data/wanted_results.csv"
    ]
    (entry,) = wanted(project, "primary outcome")
    assert entry.description == "yeast against none: risen at 1 day"
    project.table(schema.WANTED_RESULTS, **WANTED | {"study": "miller2001", "time": "24",
                                                     "time_unit": "hour"})  # fmt: skip
    assert status(project) == ["tabulated", "wanted"]
    assert notes(project, "PRIMARY") == []
    project.put(DESIGNS, 2, primary_outcome="", primary_time="", primary_time_unit="")
    assert status(project) == ["not stated", "wanted"]


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (3, {"verified": "not read"}),
        (3, {"reported_by": "press"}),
        (3, {"outcome": "height"}),
        # More than half of the unit of the primary time away.
        (3, {"time": "37", "time_unit": "hour"}),
    ],
)
def test_one_arm_alone_is_no_result_of_a_primary_outcome(project, line, cells):
    project.put(DESIGNS, 2, **PRIMARY)
    project.put(STUDIES, line, **cells)
    assert status(project)[0] == "missing"


def test_a_time_within_half_of_its_unit_is_the_primary_time(project):
    project.put(DESIGNS, 2, **PRIMARY)
    project.put(STUDIES, 3, time="36", time_unit="hour")
    assert status(project)[0] == "tabulated"


def test_a_second_report_is_no_trial_of_its_own(project):
    project.put(DESIGNS, 3, cohort="baker1990")
    assert [entry.study for entry in find_primary_outcomes(project.dataset())] == ["baker1990"]


# Templates and completed rows


@pytest.fixture
def read_project(project):
    """The small project with readings of all its rows, in which one result is listed as wanted."""
    for reading in READ:
        project.table(schema.READINGS, **SIGNED, **reading)
    project.table(schema.WANTED_RESULTS, **WANTED)
    return project


def run(project, *arguments):
    return cli.main(["wanted", "--project", str(project.root), *arguments])


def template(project, source, capsys):
    assert run(project, "--template", source) == 0
    printed = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(printed.out))), printed.err


def enter(project, rows, *options):
    path = project.path("rows.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, schema.STUDIES.names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return run(project, "--enter", str(path), "--reader", "A. Reader", "--date", "2026-11-28",
               *options)  # fmt: skip


def last_rows(project, file, number):
    header, *rows = project.rows(file)
    return [
        {name: cell for name, cell in zip(header, row, strict=True) if cell}
        for row in rows[-number:]
    ]


def test_a_template_has_everything_but_the_result(read_project, capsys):
    (row,), instructions = template(read_project, "baker1990", capsys)
    assert {name: cell for name, cell in row.items() if cell} == {
        "study": "baker1990", "condition": "bread", "arm": "none", "role": "comparator",
        "outcome": "risen", "time": "7", "time_unit": "day", "measure": "proportion",
        "reported_by": "publication", "source": "baker1990", "locator": "Table 2",
    }  # fmt: skip
    assert list(row) == schema.STUDIES.names
    assert "Baker A. Rising dough. 1990" in instructions
    assert "Also wanted: which outcome was primary, and when (data/designs.csv)." in instructions


def test_a_completed_template_is_entered_with_its_reading(read_project, capsys):
    (row,), _ = template(read_project, "baker1990", capsys)
    blank = row | {"arm": "yeast", "role": "intervention"}
    assert enter(read_project, [row | {"n": "20", "events": "3", "as_printed": "3/20"}, blank]) == 0
    assert capsys.readouterr().out == (
        "data/studies.csv: 1 row added, 0 confirmed; 1 row not completed\n"
        "data/readings.csv: 1 reading added\n"
        "next: evidence report\n"
    )
    assert last_rows(read_project, STUDIES, 1) == [ANSWER | {"time": "7", "time_unit": "day"}]
    assert last_rows(read_project, READINGS, 1) == [
        {"source": "baker1990", "part": "Table 2", "kind": "table", "read_by": "A. Reader",
         "date": "2026-11-28", "url": "https://doi.org/10.1000/dough"}
    ]  # fmt: skip
    assert wanted(read_project, "listed") == []


def test_a_reading_is_recorded_once_and_only_where_readings_are(read_project, capsys):
    rows = [ANSWER, ANSWER | {"time": "2"}]
    assert enter(read_project, rows, "--full-text", "--url", "https://example.org/dough") == 0
    assert "1 reading added" in capsys.readouterr().out
    assert last_rows(read_project, READINGS, 1)[0]["kind"] == "full text"
    assert last_rows(read_project, READINGS, 1)[0]["url"] == "https://example.org/dough"
    assert enter(read_project, [ANSWER | {"time": "3"}]) == 0
    assert "0 readings added" in capsys.readouterr().out
    read_project.path(READINGS).unlink()
    assert enter(read_project, [ANSWER | {"time": "4"}]) == 0
    assert not read_project.path(READINGS).exists()


def test_a_source_without_an_address_needs_the_one_that_was_read(read_project, capsys):
    row = ANSWER | {"study": "miller2001", "source": "miller2001"}
    assert enter(read_project, [row]) == 2
    assert "'miller2001' has no address. Give the one you read (--url)" in capsys.readouterr().err
    assert enter(read_project, [row], "--url", "https://example.org/flour") == 0


def test_a_completed_row_replaces_the_unconfirmed_one(read_project, capsys):
    read_project.put(STUDIES, 5, definition="above the tin", direction="better")
    before = read_project.path(STUDIES).read_text("utf-8").splitlines()
    rows, _ = template(read_project, "miller2001", capsys)
    assert [row["definition"] for row in rows] == ["above the tin"]
    cells = {"n": "40", "value": "0.6", "ci_low": "0.2", "ci_high": "1.0", "as_printed": "0.6"}
    assert enter(read_project, [rows[0] | cells]) == 0
    assert "0 rows added, 1 confirmed" in capsys.readouterr().out
    after = read_project.path(STUDIES).read_text("utf-8").splitlines()
    assert after[:4] + after[5:] == before[:4] + before[5:]
    (row,) = (
        row for row in read_project.dataset().reported_results.itertuples() if row.value == 0.6
    )
    assert (row.address, row.verified, row.direction) == (f"{STUDIES}:5", "yes", "better")
    assert wanted(read_project, "unconfirmed") == []


def test_a_reading_takes_the_place_of_a_second_hand_one(read_project):
    read_project.put(READINGS, 4, kind="second-hand")
    row = ANSWER | {"study": "miller2001", "source": "miller2001", "locator": "abstract"}
    assert enter(read_project, [row], "--url", "https://example.org/flour") == 0
    readings = read_project.rows(READINGS)
    assert len(readings) == 4
    assert readings[3][:4] == ["miller2001", "abstract", "abstract", "A. Reader"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ANSWER, ANSWER | {"time": "2", "events": "21"}], "rows.csv:3 events: 21 exceeds n (20)"),
        ([ANSWER | {"outcome": "rissen"}],
         "rows.csv:2 outcome: 'rissen' is not defined in data/outcomes.csv. Did you mean 'risen'?"),
        ([ANSWER, ANSWER], "rows.csv:3: repeats line 2 of this file"),
        ([ANSWER | {"time": "1", "time_unit": "day"}],
         "rows.csv:2: repeats data/studies.csv:3, which is confirmed. Correct that row instead."),
        ([ANSWER | {"as_printed": "5/20"}], "rows.csv:2 PRINT: "),
        ([ANSWER | {"source": "bakery"}], "rows.csv:2 source: 'bakery' is not defined"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_refused_with_their_line(read_project, capsys, rows, message):
    before = {path: path.read_bytes() for path in read_project.path("data").iterdir()}
    assert enter(read_project, rows) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.endswith("Nothing was written.\n")
    assert {path: path.read_bytes() for path in read_project.path("data").iterdir()} == before


def test_a_file_without_a_completed_row_or_without_columns_is_refused(read_project, capsys):
    assert enter(read_project, [ANSWER | {"n": "", "events": "", "as_printed": ""}]) == 1
    assert "rows.csv: no row is completed. Fill in n, events, value, " in capsys.readouterr().err
    read_project.path("rows.csv").write_text("study,arms\nbaker1990,none\n", "utf-8")
    options = ("--enter", str(read_project.path("rows.csv")))
    assert run(read_project, *options, "--reader", "A. Reader") == 1
    assert "rows.csv:1: unknown column 'arms'. Did you mean 'arm'?" in capsys.readouterr().err
    assert run(read_project, *options) == 2
    assert "--reader is missing. Give your name: --reader 'A. Reader'" in capsys.readouterr().err


def test_the_columns_of_the_file_decide_and_a_missing_one_is_named(read_project, capsys):
    header, *rows = read_project.rows(STUDIES)
    keep = [position for position, name in enumerate(header) if name != "repeats"]
    read_project.write(STUDIES, [[row[position] for position in keep] for row in (header, *rows)])
    assert enter(read_project, [ANSWER]) == 0
    assert last_rows(read_project, STUDIES, 1) == [ANSWER]
    assert enter(read_project, [ANSWER | {"time": "2", "repeats": "baker1990"}]) == 1
    assert "data/studies.csv:1: column 'repeats' is missing" in capsys.readouterr().err


@pytest.mark.parametrize("fails_at", [1, 2])
def test_both_files_are_as_they_were_if_one_cannot_be_written(
    read_project, monkeypatch, capsys, fails_at
):
    from evidence import files

    written = []

    def write(path, data, write=Path.write_bytes):
        if path.parent.name.startswith("evidence-") and path.parent.parent.name == "data":
            written.append(path.name)
            if len(written) == fails_at:
                raise OSError(28, "No space left on device")
        return write(path, data)

    before = [read_project.path(name).read_bytes() for name in (READINGS, STUDIES)]
    monkeypatch.setattr(files.Path, "write_bytes", write)
    assert enter(read_project, [ANSWER]) == 1
    name = written[-1]
    expected = f"{read_project.path('data')}/{name}: cannot be written: No space left on device"
    assert expected in capsys.readouterr().err
    assert [read_project.path(name).read_bytes() for name in (READINGS, STUDIES)] == before
    assert not list(read_project.path("data").glob("evidence-*"))


# The command


def test_sources_are_listed_with_part_result_and_reason(read_project, capsys):
    assert run(read_project, "--limit", "1") == 0
    assert capsys.readouterr().out == (
        "baker1990 (Baker)  https://doi.org/10.1000/dough\n"
        "  methods\n"
        "    - which outcome was primary, when, and its result\n"
        "      why: no text that was read names it\n"
        "  Table 2\n"
        "    - none: risen at 7 days, proportion\n"
        "      why: it has a week\n"
        "\n"
        "4 wanted results of 2 sources; 1 source not shown\n"
    )


def test_json_has_the_cells_and_the_reasons(read_project, capsys):
    assert run(read_project, "--source", "baker1990", "--format", "json") == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["why_wanted"] for record in records] == ["primary outcome not stated", "listed"]
    assert records[1]["measure"] == "proportion"
    assert records[1]["rows"] == ["data/wanted_results.csv:2"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("baker1991", "unknown source 'baker1991'. Did you mean 'baker1990'?"),
        ("guide", "nothing is wanted of 'guide'"),
    ],
)
@pytest.mark.parametrize("option", ["--source", "--template"])
def test_a_source_of_which_nothing_is_wanted_is_refused(project, capsys, option, source, message):
    assert run(project, option, source) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert not printed.out


def test_a_template_needs_an_entry_in_the_bibliography(project, capsys):
    project.table(
        schema.KNOWN_STUDIES, known_study="cook2002", label="Cook 2002", condition="bread",
        design="randomised parallel", treatment="yeast", outcomes="risen", listed_by="guide",
        locator="p. 2", status="wanted",
    )  # fmt: skip
    assert run(project, "--template", "cook2002") == 2
    assert "'cook2002' has no entry in references.bib" in capsys.readouterr().err
    project.append(
        "references.bib", "@article{cook2002, author = {Cook, C}, title = {Pie}, year = {2002}}\n"
    )
    (row,), _ = template(project, "cook2002", capsys)
    assert (row["condition"], row["outcome"], row["role"]) == ("bread", "risen", "")
    row |= {"arm": "yeast", "role": "single arm", "measure": "count", "events": "9"}
    row |= {"as_printed": "9", "locator": "Table 1"}
    assert enter(project, [row]) == 1
    assert "rows.csv:2 study: 'cook2002' has no row in data/designs.csv" in capsys.readouterr().err
    project.table(
        schema.DESIGNS, study="cook2002", label="Cook 2002", scope="context", randomised="yes",
        design="randomised parallel", source="cook2002", locator="p. 1",
    )  # fmt: skip
    assert enter(project, [row]) == 0
    (known,) = project.dataset().known_studies.itertuples()
    assert (known.status, known.study) == ("tabulated", "cook2002")
