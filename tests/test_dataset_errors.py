"""Broken inputs: each is refused with one line that says where, what, and what would be right."""

import pytest

from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.dataset import append_checked_row, append_row, read_dataset
from evidence.dataset.project_folder import find_project
from evidence.errors import DatasetError, EvidenceError, did_you_mean, not_one_of

STUDIES = "data/studies.csv"
DESIGNS = "data/designs.csv"
CLAIMS = "data/claims.csv"
UNKNOWNS = "data/unknowns.csv"
SOURCES = "references.bib"

# Cells changed in one line of a file, and the problem expected there, after "file:line ".
BROKEN_CELLS = [
    (STUDIES, 2, {"arm": " yeast"}, "arm: ' yeast' has blanks around it"),
    (STUDIES, 2, {"locator": ""}, "locator: required value is missing"),
    (STUDIES, 2, {"dose": "500"},
     "dose_unit: required value is missing. Say the unit of dose 500, like mg/kg, mg/day or "
     "sessions."),
    (STUDIES, 3, {"verified": ""}, "verified: required value is missing"),
    (STUDIES, 2, {"role": "treatment"},
     "role: 'treatment' is not one of: intervention, comparator, single arm, contrast, whole "
     "sample"),
    (STUDIES, 2, {"time_unit": "days"},
     "time_unit: 'days' is not one of: minute, hour, day, week, month, year. Did you mean 'day'?"),
    (DESIGNS, 2, {"randomised": "maybe"},
     "randomised: 'maybe' is not one of: yes, no, unclear, not applicable"),
    (STUDIES, 2, {"n": "17.5"}, "n: '17.5' is not a whole number"),
    (STUDIES, 2, {"value": "71%"},
     "value: '71%' is a percentage. Write the proportion 0.71, or 71 without the sign if the "
     "measure is not a proportion."),
    (STUDIES, 2, {"value": "7,5 %"},
     "value: '7,5 %' is a percentage. Write the proportion 0.075, or 7.5 without the sign if the "
     "measure is not a proportion."),
    (STUDIES, 5, {"value": "1,234"},
     "value: '1,234' may be 1234 or 1.234. Write decimals with a point, and no comma between "
     "thousands."),
    (STUDIES, 5, {"value": "half"},
     "value: 'half' is not a number. Write it with a point, without sign or unit."),
    (STUDIES, 2, {"n": "NR"},
     "n: 'NR' is not a whole number. Leave the cell empty (not reported), or write one that is."),
    (STUDIES, 5, {"p_value": "n.a."},
     "p_value: 'n.a.' is not a p value like 0.02 or <0.01. Leave the cell empty (not reported), "
     "or write one that is."),
    (STUDIES, 2, {"route": "N/A"},
     "route: 'N/A' is not one of: IV, IM, oral, intranasal, subcutaneous, intradermal, inhaled, "
     "on the skin, rectal, sublingual. Leave the cell empty (not reported), or write one that is."),
    (DESIGNS, 2, {"primary_outcome": "none"},
     "primary_outcome: 'none' is not defined in data/outcomes.csv. Leave the cell empty (not "
     "reported), or write one that is."),
    (STUDIES, 2, {"as_printed": "5-Dec"},
     "as_printed: '5-Dec' is what a spreadsheet makes of a text like 5/12. Format the column as "
     "text and write it again."),
    (STUDIES, 2, {"arm": "ye\u0430st"},
     "arm: 'ye<U+0430>st' contains U+0430 (CYRILLIC SMALL LETTER A), which looks like the Latin "
     "letter a. Type the word again."),
    (STUDIES, 2, {"verified": "\u0443es"},
     "verified: '<U+0443>es' contains U+0443 (CYRILLIC SMALL LETTER U), which looks like the "
     "Latin letter y. Type the word again."),
    (STUDIES, 5, {"p_value": "p=0.01"}, "p_value: 'p=0.01' is not a p value like 0.02 or <0.01"),
    (STUDIES, 2, {"time": "one"},
     "time: 'one' is not a time. Write a number, or a range like 0-3."),
    (STUDIES, 5, {"time": "3-0"}, "time: 3-0 is reversed. Write the earlier time first."),
    (STUDIES, 2, {"time_unit": ""},
     "time_unit: required value is missing. Say the unit of time 1: minute, hour, day, week, "
     "month, year."),
    (STUDIES, 2, {"time": ""},
     "time: required value is missing. Give a number for time_unit day, or leave both blank."),
    (STUDIES, 3, {"events": "21"}, "events: 21 exceeds n (20)"),
    (STUDIES, 2, {"n": "0"}, "n: is 0. Leave it blank if the number is not known."),
    (STUDIES, 2, {"value": "71"},
     "value: 71 is not a proportion between 0 and 1. Write 71% as 0.71."),
    (STUDIES, 2, {"value": "-0.1"}, "value: -0.1 is not a proportion between 0 and 1"),
    (STUDIES, 3, {"value": "0.25"}, "value: 0.25 is not 4 of 20"),
    (STUDIES, 2, {"value": ""},
     "value: required value is missing. A proportion needs a value, or events and n."),
    (STUDIES, 5, {"measure": "odds ratio", "value": "-0.5", "ci_low": "", "ci_high": ""},
     "value: -0.5 is not a ratio. Ratios are above 0 and not logarithmic."),
    (STUDIES, 5, {"value": "1.5"}, "value: 1.5 lies outside its CI (0.1 to 0.9)"),
    (STUDIES, 5, {"ci_low": "0.9", "ci_high": "0.1"}, "ci_low: 0.9 exceeds ci_high (0.1)"),
    (STUDIES, 5, {"ci_high": ""},
     "ci_high: required value is missing. A CI needs both limits; ci_low is 0.1."),
    (STUDIES, 5, {"spread": "-1", "spread_kind": "sd"},
     "spread: -1 is negative. An SD or SE cannot be."),
    (STUDIES, 5, {"spread": "1"},
     "spread_kind: required value is missing. Say whether spread 1 is sd, se, iqr or t."),
    (STUDIES, 6, {"direction": ""},
     "direction: required value is missing. Measure significance needs better, worse or no "
     "difference."),
    (STUDIES, 6, {"value": "0.3"},
     "value: 0.3 must be blank: measure significance has no number"),
    (STUDIES, 2, {"direction": "better"},
     "direction: 'better' must be blank: only contrasts and measures significance and direction "
     "have a direction"),
    (STUDIES, 5, {"versus": ""},
     "versus: required value is missing. A contrast needs its other arm."),
    (STUDIES, 5, {"versus": "yeast"}, "versus: 'yeast' is the arm itself. Name the other arm."),
    (STUDIES, 2, {"versus": "none"},
     "versus: 'none' must be blank: only a contrast has another arm, and role is intervention"),
    (STUDIES, 2, {"as_printed": ""},
     "as_printed: required value is missing. Copy the number as the text prints it."),
    (STUDIES, 2, {"measure": "count"},
     "events: required value is missing. A count needs the number counted."),
    (STUDIES, 6, {"condition": "Bread"},
     "condition: 'Bread' is spelled 'bread' elsewhere. Use one spelling."),
    (STUDIES, 2, {"source": "baker1991"},
     "source: 'baker1991' is not defined in references.bib. Did you mean 'baker1990'?"),
    (STUDIES, 2, {"outcome": "rizen"},
     "outcome: 'rizen' is not defined in data/outcomes.csv. Did you mean 'risen'?"),
    (CLAIMS, 2, {"studies": "baker1990; miler2001"},
     "studies: 'miler2001' is not defined in data/studies.csv. Did you mean 'miller2001'?"),
    (CLAIMS, 2, {"source": ""}, "source: required value is missing"),
    (CLAIMS, 2, {"verdict": "wrong"},
     "verdict: 'wrong' is not one of: agrees, omits detail, overstated, differs, not checkable"),
    (UNKNOWNS, 2, {"claims": "C9"},
     "claims: 'C9' is not defined in data/claims.csv."),
    (UNKNOWNS, 2, {"where": "tiem>2"}, "where: unknown filter column 'tiem'."),
    (UNKNOWNS, 2, {"review_due": "soon"}, "review_due: 'soon' is not a date like 2026-11-24"),
]  # fmt: skip


def drop_header(project):
    project.path(STUDIES).write_text("")


def replace_by_folder(project):
    project.path(CLAIMS).unlink()
    project.path(CLAIMS).mkdir()


# What is done to the project, and the problem expected.
BROKEN_FILES = {
    "file missing": (lambda p: p.path(STUDIES).unlink(), f"{STUDIES}: the file is missing"),
    "file empty": (
        drop_header, f"{STUDIES}: the file is empty; its first line must name the columns",
    ),
    "header only": (
        lambda p: p.write(STUDIES, p.rows(STUDIES)[:1]), f"{STUDIES}: has a header but no rows",
    ),
    "folder instead of file": (replace_by_folder, f"{CLAIMS}: cannot be read: Is a directory"),
    "not UTF-8": (
        lambda p: p.append(STUDIES, b"caf\xe9\n"),
        f"{STUDIES}:7: byte 0xe9 is not UTF-8. Save the file as UTF-8.",
    ),
    "column misspelled": (
        lambda p: p.replace(STUDIES, "infusion_minutes", "infusion_minute"),
        f"{STUDIES}:1: unknown column 'infusion_minute'. Did you mean 'infusion_minutes'? "
        "A column of your own begins with x_.",
    ),
    "column missing": (
        lambda p: p.replace(STUDIES, "locator", "note2"),
        f"{STUDIES}:1: required column 'locator' is missing",
    ),
    "column twice": (
        lambda p: p.replace(STUDIES, "spread_kind", "spread"),
        f"{STUDIES}:1 spread: the column occurs twice",
    ),
    "quote not closed": (
        lambda p: p.append(STUDIES, '"a,b\n'),
        f"{STUDIES}:7: is not well-formed CSV: unexpected end of data",
    ),
    "cell too long": (
        lambda p: p.put(STUDIES, 4, note="x" * 200_000),
        f"{STUDIES}:4: a cell has more than 131,072 characters. Is a quote not closed?",
    ),
    "row twice": (
        lambda p: p.write(STUDIES, [*p.rows(STUDIES), p.rows(STUDIES)[1]]),
        f"{STUDIES}:7: repeats line 2 (baker1990, bread, yeast, risen, 1, day, proportion, "
        "baker1990). Rows must differ in study, condition, population, arm, ",
    ),
    "study not described": (
        lambda p: p.write(DESIGNS, p.rows(DESIGNS)[:2]),
        f"{STUDIES}:5 study: 'miller2001' has no row in {DESIGNS}. Add one.",
    ),
    "bibliography missing": (lambda p: p.path(SOURCES).unlink(), f"{SOURCES}: the file is missing"),
    "bibliography empty": (
        lambda p: p.path(SOURCES).write_text(""),
        f"{SOURCES}: the file has no entries; it must hold the sources",
    ),
    "bibliography not UTF-8": (
        lambda p: p.path(SOURCES).write_bytes(
            p.path(SOURCES).read_bytes().replace(b"Baker, Ann", b"B\xe9ker, \xc5nn")
        ),
        f"{SOURCES}:1: byte 0xe9 is not UTF-8. Save the file as UTF-8.",
    ),
    "no DOI": (
        lambda p: p.replace(SOURCES, "10.1000/dough", "dough"),
        f"{SOURCES}:1 doi: 'dough' is not a bare DOI like 10.1001/archpsyc.63.8.856",
    ),
}  # fmt: skip

# An entry added to the bibliography that a table cites, and the problem in its line.
BROKEN_ENTRIES = [
    ("@misc{x, author={A}, title={T}, year={2000}}\n@misc{x, author={B}, title={T}, year={2000}}",
     "6: 'x' repeats the key of line 5. Use every key once."),
    ("@misc{x, author={A, title={T}, year={2000}}",
     "5: 'x' cannot be read: a brace or quotation mark is not closed before the end of the file."),
    ("@misc{x, author={A}, title={T}\n year={2000}}",
     "5: 'x' has no comma after the value of title"),
    ("@misc{x, author={A, Ann, C, Bo}, title={T}, year={2000}}",
     "5 author: 'A, Ann, C, Bo' is not one name. Write names as Last, First, with 'and' between "
     "them."),
    ("@misc{x, title={T}, year={2000}}", "5 author: 'x' has no author or editor"),
    ("@misc{x, author={A}, title={T}}",
     "5 year: 'x' has no year. Write n.d. if the text has no date."),
    ("@misc{x, author={A}, title={T}, year={soon}}",
     "5 year: 'soon' is not a year of four digits, or n.d. for a page without a date"),
    ("@misc{x, crossref={z}, author={A}, title={T}, year={2000}}\n@misc{z, crossref={x}, note={}}",
     "5: 'x' inherits without end: x → z → x. Correct crossref or xdata."),
]  # fmt: skip


def problems(project):
    with pytest.raises(DatasetError) as caught:
        read_dataset(project.root)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(("file", "line", "cells", "expected"), BROKEN_CELLS)
def test_broken_cell_is_refused_with_its_line_and_column(project, file, line, cells, expected):
    project.put(file, line, **cells)
    messages = problems(project)
    assert any(text.startswith(f"{file}:{line} {expected}") for text in messages), messages


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_broken_file_is_refused_with_one_clear_line(project, name):
    breaks, expected = BROKEN_FILES[name]
    breaks(project)
    messages = problems(project)
    assert any(text.startswith(expected) for text in messages), messages


@pytest.mark.parametrize(("entry", "expected"), BROKEN_ENTRIES)
def test_broken_entry_is_refused_with_its_line(project, entry, expected):
    project.append(SOURCES, f"{entry}\n")
    assert project.dataset().source_warnings(), "as long as no table cites it"
    project.put(CLAIMS, 2, source="baker1990; x")
    assert problems(project) == [f"{SOURCES}:{expected}"]


def test_a_second_report_names_the_text_whose_row_counts(project):
    # Line 4 is the guide's row of the result that line 2 reports.
    project.put(STUDIES, 4, repeats="baker1990")
    read_dataset(project.root)
    expected = (
        f"{STUDIES}:4 repeats: 'baker1990' has no row of baker1990, risen, 2 day that counts. Name "
        "the text whose row counts, or leave repeats blank."
    )
    project.put(STUDIES, 4, time="2")
    assert problems(project) == [expected]
    # Two rows that repeat each other would both be lost.
    project.put(STUDIES, 4, time="1")
    project.put(STUDIES, 2, repeats="guide")
    project.put(STUDIES, 3, repeats="guide")
    assert len(problems(project)) == 3


def test_rows_with_missing_or_extra_fields_are_refused_with_their_lines(project):
    project.append(STUDIES, "a,b\n")
    project.append(STUDIES, f"{',' * 40}b\n")
    width = len(project.rows(STUDIES)[0])
    rule = f"fields, but the header has {width}. Quote fields with commas."
    assert problems(project) == [f"{STUDIES}:7: 2 {rule}", f"{STUDIES}:8: 41 {rule}"]


def test_all_problems_of_all_files_come_out_at_once_sorted(project):
    project.put(STUDIES, 3, events="21", locator="")
    project.put(CLAIMS, 2, verdict="wrong")
    project.replace(SOURCES, "author = {Baker, Ann}, ", "")
    assert [text.split(": ")[0] for text in problems(project)] == [
        f"{CLAIMS}:2 verdict", f"{STUDIES}:3 events", f"{STUDIES}:3 locator",
        f"{SOURCES}:1 author",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("old dough", "old\u00a0dough", "'old<U+00A0>dough' is spelled 'old dough'"),
        # Every letter is Cyrillic: only the other spelling shows that Latin ones were meant.
        ("cap", "\u0441\u0430\u0440", "'<U+0441><U+0430><U+0440>' is spelled 'cap'"),
    ],
)
def test_two_spellings_that_look_the_same_are_shown_with_code_points(project, old, new, shown):
    project.put(STUDIES, 2, population=old)
    project.put(STUDIES, 3, population=new)
    assert problems(project) == [f"{STUDIES}:3 population: {shown} elsewhere. Use one spelling."]


def test_line_numbers_stay_right_after_line_breaks_and_blank_lines(project):
    project.put(STUDIES, 2, note="first\nsecond")
    project.put(STUDIES, 3, events="21")
    assert problems(project) == [f"{STUDIES}:4 events: 21 exceeds n (20)"]
    project.replace(STUDIES, "note\n", "note\n\n")
    assert problems(project) == [f"{STUDIES}:5 events: 21 exceeds n (20)"]


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(project):
    raw = project.path(STUDIES).read_bytes().replace(b"\n", b"\r\n")
    project.path(STUDIES).write_bytes(b"\xef\xbb\xbf" + raw)
    results = read_dataset(project.root).reported_results
    assert results["address"].tolist() == [f"{STUDIES}:{line}" for line in range(2, 7)]


def test_texts_stay_as_printed_and_numbers_are_typed(project):
    project.put(STUDIES, 2, as_printed="NA")
    project.put(STUDIES, 3, note="1.20")
    results = read_dataset(project.root).reported_results
    assert results["as_printed"][0] == "NA"
    assert results["note"][1] == "1.20"
    assert results["spread_kind"][0] == ""
    assert (str(results["n"].dtype), str(results["value"].dtype)) == ("Int64", "float64")
    assert results["events"].isna().tolist() == [True, False, True, True, True]


def test_two_files_alone_are_enough(project):
    for path in project.path("data").iterdir():
        if path.name != "studies.csv":
            path.unlink()
    dataset = read_dataset(project.root)
    assert dataset.designs.empty
    assert dataset.guide_claims.columns[0] == "claim"


def test_optional_column_may_be_left_out(project):
    rows = project.rows(STUDIES)
    index = rows[0].index("note")
    project.write(STUDIES, [row[:index] + row[index + 1 :] for row in rows])
    assert read_dataset(project.root).reported_results["note"].tolist() == [""] * 5


def test_columns_of_a_project_s_own_are_carried_along(project):
    rows = project.rows(STUDIES)
    cells = ["X_Batch", "NR", " 1,5", "", "b", "c"]
    project.write(STUDIES, [[cell, *row] for cell, row in zip(cells, rows, strict=True)])
    dataset = append_checked_row(
        project.root, schema.OUTCOMES, {"outcome": "x", "kind": "harm", "better": "lower",
                                        "description": "a letter"},
    )  # fmt: skip
    assert list(select_results(dataset)["x_batch"]) == ["NR", " 1,5", "", "b", "c"]
    row = dict(zip(rows[0], rows[1], strict=True)) | {"arm": "leaven"}
    append_row(project.root, schema.STUDIES, row)
    assert list(project.dataset().reported_results["x_batch"])[-1] == ""


def test_nothing_is_said_about_results_that_cannot_be_read(project):
    """Not that an arm or a known study is not among them."""
    project.table(schema.ARMS, study="baker1990", arm="yeast", treatment="yeast")
    project.table(
        schema.KNOWN_STUDIES, known_study="oven1999", label="Oven", condition="bread", status="wanted",
        design="open label", treatment="yeast", listed_by="guide", locator="p. 3",
    )  # fmt: skip
    project.path(STUDIES).write_bytes(b"\x1f\x8b")
    assert problems(project) == [f"{STUDIES}:1: byte 0x8b is not UTF-8. Save the file as UTF-8."]


def test_project_is_found_upwards(project, monkeypatch):
    below = project.path("notebooks/deep")
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_project() == project.root.resolve()


def test_named_folder_without_data_is_refused(tmp_path):
    with pytest.raises(EvidenceError, match=r"neither data/studies\.csv nor references\.bib"):
        find_project(tmp_path)


def test_suggestion_names_the_nearest_word_only():
    assert did_you_mean("brad", ["cake", "bread"]) == " Did you mean 'bread'?"
    assert did_you_mean("xyz", ["cake", "bread"]) == ""
    assert not_one_of("'brad'", ["bread", "cake"]) == (
        "'brad' is not one of: bread, cake. Did you mean 'bread'?"
    )
    assert len(not_one_of("'brad'", ["bread" * 1000])) < 300
    assert not_one_of("7", range(100)).endswith("22, 23 and 76 more. Did you mean '7'?")
