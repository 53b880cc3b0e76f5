"""Readings, searches and known studies: what contradicts the results is refused with its line."""

import pytest

from evidence.dataset import schema
from evidence.dataset.readings import lies_in
from evidence.errors import DatasetError

READINGS = "data/readings.csv"
SEARCHES = "data/searches.csv"
KNOWN = "data/known_studies.csv"

SIGNED = {"read_by": "A. Reader", "date": "2026-11-24", "url": "https://example.org"}
READ = [
    {"source": "baker1990", "part": "Table 1", "kind": "table"},
    {"source": "guide", "part": "whole page", "kind": "full text"},
    {"source": "miller2001", "part": "abstract", "kind": "abstract"},
]
SEARCH = {
    "search": "S01", "kind": "database", "database": "Bread index", "query": "yeast",
    "date": "2026-11-24", "searched_by": "A. Reader", "records": "10", "duplicates": "2",
    "screened": "8", "excluded": "5", "kept": "3",
}  # fmt: skip
LISTED = {
    "known_study": "baker1990", "label": "Baker 1990", "study": "baker1990",
    "design": "randomised parallel", "condition": "bread", "treatment": "yeast",
    "listed_by": "guide", "locator": "p. 1", "status": "tabulated",
}  # fmt: skip


@pytest.fixture
def read_project(project):
    """The small project, in which every result lies in a reading: lines 2 to 4."""
    for reading in READ:
        project.table(schema.READINGS, **SIGNED, **reading)
    return project


def problems(project):
    with pytest.raises(DatasetError) as caught:
        project.dataset()
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("locator", "part", "kind", "expected"),
    [
        ("Table 1", "Table 1", "table", True),
        ("Table 1, footnote", "Table 1", "table", True),
        ("abstract as summarised by others", "abstract", "second-hand", True),
        ("Table 10", "Table 1", "table", False),
        ("p. 7", "abstract", "abstract", False),
        ("p. 7", "the whole paper", "full text", True),
    ],
)
def test_a_locator_lies_in_a_part_that_it_begins_with(locator, part, kind, expected):
    assert lies_in(locator, part, kind) is expected


def test_a_project_without_readings_or_with_one_for_each_result_is_accepted(project):
    assert project.dataset().readings.empty
    for reading in READ:
        project.table(schema.READINGS, **SIGNED, **reading)
    assert len(project.dataset().readings) == 3


def test_a_result_outside_all_readings_is_refused_with_the_line_to_add(read_project):
    read_project.put("data/studies.csv", 3, locator="Table 12")
    assert problems(read_project) == [
        "data/studies.csv:3 locator: 'Table 12' of baker1990 lies in no reading. Add the part "
        "that was read to data/readings.csv: source baker1990, part 'Table 12', with its kind, "
        "read_by, date and url."
    ]


def test_a_source_without_any_reading_is_refused_for_each_of_its_results(read_project):
    read_project.write(READINGS, read_project.rows(READINGS)[:3])
    assert [text.split(": ")[0] for text in problems(read_project)] == [
        "data/studies.csv:5 locator", "data/studies.csv:6 locator",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "cells", "expected"),
    [
        (2, {"kind": "registry results"},
         "kind: baker1990 (@article) is not a registry record and has no registry results. Give "
         "the record an entry of its own (@misc), or choose another kind."),
        (2, {"not_reported": "height; risen"},
         "not_reported: 'risen' is reported in 'Table 1' by data/studies.csv:2. Remove it here, "
         "or correct that row."),
        (3, {"not_reported": "risen"},
         "not_reported: 'risen' is reported in 'whole page' by data/studies.csv:4. Remove it "
         "here, or correct that row."),
        (4, {"not_reported": "risen"},
         "not_reported: 'risen' may be reported elsewhere in the source, because kind 'abstract' "
         "never holds all results. Leave it blank."),
        (2, {"not_reported": "rizen"},
         "not_reported: 'rizen' is not defined in data/outcomes.csv. Did you mean 'risen'?"),
        (2, {"source": "baker1991"},
         "source: 'baker1991' is not defined in references.bib. Did you mean 'baker1990'?"),
        (4, {"kind": "summary"}, "kind: 'summary' is not one of: full text, abstract, table, "),
        (4, {"date": ""}, "date: required value is missing"),
        (4, {"url": ""}, "url: required value is missing"),
    ],
)  # fmt: skip
def test_a_reading_that_cannot_be_is_refused(read_project, line, cells, expected):
    read_project.put(READINGS, line, **cells)
    messages = problems(read_project)
    assert any(text.startswith(f"{READINGS}:{line} {expected}") for text in messages), messages


def test_an_outcome_outside_the_part_that_was_read_may_be_called_not_reported(read_project):
    read_project.table(
        schema.READINGS, **SIGNED, source="baker1990", part="Table 2", kind="table",
        not_reported="risen",
    )  # fmt: skip
    assert read_project.dataset().readings["not_reported"].tolist()[-1] == ("risen",)


def test_a_registry_record_has_no_abstract(read_project):
    read_project.put(READINGS, 3, kind="registry entry", part="p. 1")
    assert len(read_project.dataset().readings) == 3
    read_project.table(schema.READINGS, **SIGNED, source="guide", part="summary", kind="abstract")
    assert problems(read_project) == [
        f"{READINGS}:5 kind: guide is a registry record by line 3 and has no abstract. Give the "
        "paper an entry of its own, or choose another kind."
    ]


def test_a_page_without_journal_may_have_an_abstract_but_no_registry_results(read_project):
    read_project.append("references.bib", "@misc{preprint, author={A}, title={T}, year={2020},\n"
                        "doi={10.1000/x}}\n")  # fmt: skip
    cells = SIGNED | {"source": "preprint", "part": "abstract"}
    read_project.table(schema.READINGS, **cells, kind="abstract")
    assert len(read_project.dataset().readings) == 4
    read_project.put(READINGS, 5, kind="registry results")
    assert problems(read_project)[0].startswith(f"{READINGS}:5 kind: preprint (@misc) is not a ")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"records": "11"},
         "records: 11 is not duplicates + screened (2 + 8 = 10). Correct one of them."),
        ({"duplicates": ""},
         "records: 10 is not duplicates + screened (0 + 8 = 8). Correct one of them."),
        ({"kept": "4"}, "screened: 8 is not excluded + kept (5 + 4 = 9). Correct one of them."),
        ({"date": ""}, "date: required value is missing"),
        ({"date": "in May"}, "date: 'in May' is not a date like 2026-11-24"),
        ({"kept": "some"}, "kept: 'some' is not a whole number"),
        ({"kind": "library"}, "kind: 'library' is not one of: database, register, citations, "),
        ({"outcomes": "rizen"}, "outcomes: 'rizen' is not defined in data/outcomes.csv."),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(project, cells, expected):
    project.table(schema.SEARCHES, **SEARCH | cells)
    messages = problems(project)
    assert any(text.startswith(f"{SEARCHES}:2 {expected}") for text in messages), messages


def test_a_search_whose_counts_add_up_is_accepted(project):
    project.table(schema.SEARCHES, **SEARCH)
    assert project.dataset().searches["kept"].tolist() == [3]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"status": "wanted"},
         "status: 'baker1990' is wanted, but data/studies.csv has rows of 'baker1990'. Change the "
         "status to tabulated and give that study."),
        ({"status": "wanted", "study": "", "known_study": "a bakery in York",
          "doi": "10.1000/DOUGH"},
         "status: 'a bakery in York' is wanted, but data/studies.csv has rows of 'baker1990'."),
        ({"status": "excluded", "reason": "not on bread"},
         "status: 'baker1990' is excluded, but data/studies.csv has rows of 'baker1990'."),
        ({"study": ""},
         "study: required value is missing. Give the key of its rows in data/studies.csv."),
        ({"study": "guide"},
         "status: data/studies.csv has no rows of 'guide'. Enter its results, or change the "
         "status to wanted."),
        ({"status": "excluded", "study": "", "known_study": "York 1991"},
         "reason: required value is missing. Say why the study is excluded."),
        ({"doi": "https://doi.org/10.1000/x"}, "doi: 'https://doi.org/10.1000/x' is not a bare "),
        ({"search": "S9"}, "search: 'S9' is not defined in data/searches.csv."),
        ({"status": "found"}, "status: 'found' is not one of: tabulated, wanted, excluded"),
    ],
)  # fmt: skip
def test_a_known_study_with_a_wrong_status_is_refused(project, cells, expected):
    project.table(schema.SEARCHES, **SEARCH)
    project.table(schema.KNOWN_STUDIES, **LISTED | cells)
    messages = problems(project)
    assert any(text.startswith(f"{KNOWN}:2 {expected}") for text in messages), messages


def add_known(project, name, **cells):
    other = {"known_study": name, "study": "", "status": "wanted"}
    project.table(schema.KNOWN_STUDIES, **LISTED | other | cells)


def test_a_study_that_is_listed_twice_is_refused(project):
    project.table(schema.KNOWN_STUDIES, **LISTED)
    project.table(schema.KNOWN_STUDIES, **LISTED | {"known_study": "Baker, first series"})
    add_known(project, "York 1991", doi="10.1000/york")
    add_known(project, "York 1992", doi="10.1000/York")
    assert problems(project) == [
        f"{KNOWN}:3 study: 'baker1990' is already on line 2. List each study once.",
        f"{KNOWN}:5 doi: '10.1000/York' is already on line 4. List each study once.",
    ]


def test_a_registration_with_two_statuses_is_refused_unless_the_studies_are_told_apart(project):
    project.table(schema.KNOWN_STUDIES, **LISTED | {"registration": "NCT1"})
    add_known(project, "York 1991", registration="NCT1", doi="10.1000/york")
    assert len(project.dataset().known_studies) == 2
    add_known(project, "York 1992", registration="NCT1")
    assert problems(project) == [
        f"{KNOWN}:4 registration: 'NCT1' is tabulated on line 2 and wanted here. If both are one "
        "study, delete one line; else give each its study or doi."
    ]


def test_the_registration_of_a_tabulated_study_is_not_wanted_without_a_doi(project):
    project.put("data/designs.csv", 2, registration="NCT1")
    add_known(project, "York 1991", registration="NCT1", doi="10.1000/york")
    add_known(project, "York 1992", registration="NCT2")
    assert len(project.dataset().known_studies) == 2
    add_known(project, "York 1993", registration="NCT1")
    assert problems(project)[0] == (
        f"{KNOWN}:4 registration: 'NCT1' is also the registration of 'baker1990', which is "
        "tabulated. If this is that study, delete the line; else give its study or doi."
    )


def test_studies_that_are_wanted_or_excluded_with_a_reason_are_accepted(project):
    add_known(project, "York 1991")
    add_known(project, "York 1992", status="excluded", reason="about cake only")
    assert project.dataset().known_studies["status"].tolist() == ["wanted", "excluded"]
