"""Tables as spreadsheets write them: read as meant, or refused in one message that says what to do."""

import csv
import io
import zipfile
from datetime import datetime

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from evidence.analysis.gaps.result_entry import Reader, enter_results
from evidence.dataset import schema
from evidence.dataset.cells import cell_reader
from evidence.dataset.dataset import append_checked_row, append_row
from evidence.errors import DatasetError, EvidenceError
from evidence.provenance.rows import describe_rows

STUDIES, WORKBOOK = schema.STUDIES.file, schema.STUDIES.workbook


def problems(project):
    with pytest.raises(DatasetError) as caught:
        project.dataset()
    return [str(problem) for problem in caught.value.problems]


def delimited(rows, delimiter):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("delimiter", "first_line"), [(";", ""), ("\t", ""), (";", "sep=;\r\n")])
def test_any_delimiter_and_encoding_gives_the_same_rows(project, delimiter, first_line, encoding):
    expected = project.dataset().reported_results
    project.put(STUDIES, 5, value="0,5", ci_low="0,100", p_value="0,01")
    text = first_line + delimited(project.rows(STUDIES), delimiter)
    project.path(STUDIES).write_bytes(text.encode(encoding))
    results = project.dataset().reported_results
    columns = [name for name in results if name != "address"]
    assert results[columns].equals(expected[columns])
    above = 2 if first_line else 1
    assert results["address"].tolist() == [f"{STUDIES}:{above + k}" for k in range(1, 6)]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_blank_rows_and_columns_are_ignored_and_lines_stay_right(project, delimiter):
    header, *rows = project.rows(STUDIES)
    blank = [""] * len(header)
    wide = [[*row, "", ""] for row in (header, *rows[:2], blank, *rows[2:], blank, blank)]
    project.path(STUDIES).write_text(delimited(wide, delimiter), "utf-8")
    lines = [2, 3, 5, 6, 7]
    assert project.dataset().reported_results["address"].tolist() == [
        f"{STUDIES}:{n}" for n in lines
    ]
    wide[2][-1] = "remark"
    project.path(STUDIES).write_text(delimited(wide, delimiter), "utf-8")
    message = f"column {len(header) + 2} has cells but no name. Name it, or delete its cells."
    assert problems(project) == [f"{STUDIES}:1: {message}"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Bread;table of 2001",
         "this line names no column of the table, but 'Bread;table of 2001'. The first line must "
         "name the columns. Available: study, "),
        ("study,arm,condition", "required columns 'population', 'role', 'versus', 'outcome', "),
    ],
)  # fmt: skip
def test_a_header_that_is_none_is_one_message(project, header, message):
    project.path(STUDIES).write_text(f"{header}\na,b,c\n", "utf-8")
    (problem,) = [text for text in problems(project) if text.startswith(f"{STUDIES}:1")]
    assert problem.startswith(f"{STUDIES}:1: {message}")


def test_column_names_are_read_in_any_case(project):
    project.replace(STUDIES, "study,condition", "Study, Condition")
    project.replace(STUDIES, "time_unit", "Time unit")
    assert len(project.dataset().reported_results) == 5


@pytest.mark.parametrize("first_line", ["", "sep=;\r\n"])
def test_rows_are_added_as_the_file_is_written(project, first_line):
    rows = project.rows(STUDIES)
    new = dict(zip(rows[0], rows[2], strict=True))
    text = first_line + delimited(rows, ";")
    project.path(STUDIES).write_text(text, "utf-8", newline="")
    new = new | {"arm": "milk"}
    append_checked_row(project.root, schema.STUDIES, new)
    assert project.dataset().reported_results["arm"].tolist()[-1] == "milk"
    project.path("new.csv").write_text(delimited([new, {**new, "arm": "oil"}.values()], ","))
    enter_results(project.root, project.path("new.csv"), Reader("A. Baker", "2026-11-24"))
    written = project.path(STUDIES).read_bytes().decode()
    assert written.startswith(text)
    assert project.dataset().reported_results["arm"].tolist()[-2:] == ["milk", "oil"]


@pytest.mark.parametrize(
    ("column", "cell", "read"),
    [
        ("value", "–0.82", "-0.82"), ("value", "−0.82", "-0.82"), ("value", "0·45", "0.45"),
        ("value", "0,45", "0.45"), ("value", "0,123", "0.123"), ("value", "1,234.5", "1234.5"),
        ("value", "1.234,5", "1234.5"), ("value", "1,234,567", "1234567"), ("value", ".5", "0.5"),
        ("value", "1\u2009234.5", "1234.5"), ("value", "+0.5", "0.5"), ("value", "5E-03", "0.005"),
        ("value", "1,234", "1,234"), ("value", "12%", "12%"), ("value", "1,2,3", "1,2,3"),
        ("n", "24.0", "24"), ("n", "24,00", "24"), ("n", "1,234", "1234"), ("n", "1 234", "1234"),
        ("n", "24.5", "24.5"), ("n", "-3", "-3"), ("n", "1.234", "1.234"), ("n", "NR", "NR"),
        ("time", "0–3", "0-3"), ("time", "1.0", "1"), ("time", "0,5-1,5", "0.5-1.5"),
        ("p_value", "0,02", "0.02"), ("p_value", "< 0·001", "<0.001"), ("p_value", "·03", ".03"),
        ("measure", "Odds  Ratio", "odds ratio"), ("measure", "odds\u00a0ratio", "odds ratio"),
        ("route", "iv", "IV"), ("time_unit", "DAY", "day"), ("verified", "YES", "yes"),
        ("verified", "not read", "not read"), ("arm", "Cafe\u0301", "Caf\u00e9"),
        ("arm", "Yes", "Yes"),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_meant_or_left_alone(column, cell, read):
    assert cell_reader(schema.STUDIES.column(column))(cell) == read


def test_a_comma_is_a_decimal_sign_where_semicolons_separate_fields():
    for name, read in (("value", "1.234"), ("n", "1,234")):
        assert cell_reader(schema.STUDIES.column(name), decimal_comma=True)("1,234") == read


def test_spellings_of_a_word_become_one_value(project):
    for line, verified in ((2, "Yes"), (3, "YES"), (4, "yes")):
        project.put(STUDIES, line, verified=verified, role="Single Arm")
    results = project.dataset().reported_results
    assert results["verified"].tolist()[:3] == ["yes"] * 3
    assert set(results["role"]) == {"single arm", "contrast"}


# Workbooks


def save_workbook(project, change=lambda sheet: None, *, typed=True):
    """Replace `studies.csv` by a workbook, with numbers where cells are numbers."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row in project.rows(STUDIES):
        sheet.append([float(c) if typed and c.replace(".", "").isdigit() else c for c in row])
    change(sheet)
    workbook.save(project.path(WORKBOOK))
    project.path(STUDIES).unlink()


def cell_name(column, row):
    return f"{get_column_letter(schema.STUDIES.names.index(column) + 1)}{row}"


def put(column, row, value, number_format=""):
    """Return a change of one cell of a sheet."""

    def change(sheet):
        sheet[cell_name(column, row)] = value
        if number_format:
            sheet[cell_name(column, row)].number_format = number_format

    return change


def test_a_workbook_gives_the_rows_of_the_csv_file(project):
    expected = project.dataset()
    save_workbook(project)
    dataset = project.dataset()
    columns = [name for name in expected.reported_results if name != "address"]
    assert dataset.reported_results[columns].equals(expected.reported_results[columns])
    addresses = dataset.reported_results["address"].tolist()
    assert addresses == [f"{WORKBOOK}:{row}" for row in range(2, 7)]
    assert set(dataset.checksums) >= {WORKBOOK} and STUDIES not in dataset.checksums
    (described,) = describe_rows(dataset, addresses[:1])
    (old,) = describe_rows(expected, [f"{STUDIES}:2"])
    assert (described.address, described.description) == (f"{WORKBOOK}:2", old.description)


def spread(sheet):
    """Leave blank rows and columns, hide a row, and add sheets of which only one is visible."""
    sheet.insert_rows(4, 2)
    sheet["XFD100000"].number_format = "0.00"
    sheet.row_dimensions[3].hidden = True
    sheet.parent.create_sheet("Sheet2")
    hidden = sheet.parent.create_sheet("old")
    hidden.append(["study", "secret"])
    hidden.sheet_state = "hidden"


def test_blank_rows_and_hidden_sheets_are_ignored_and_hidden_rows_read(project):
    save_workbook(project, spread)
    addresses = project.dataset().reported_results["address"].tolist()
    assert addresses == [f"{WORKBOOK}:{row}" for row in (2, 3, 6, 7, 8)]


def test_numbers_as_printed_keep_the_decimals_that_are_shown(project):
    def change(sheet):
        put("as_printed", 2, 0.71, "0%")(sheet)
        put("as_printed", 6, 0.5, "0.00")(sheet)

    save_workbook(project, change)
    assert project.dataset().reported_results["as_printed"].tolist() == [
        "71%",
        "4/20",
        "71%",
        "0.5",
        "0.50",
    ]


def test_a_formula_counts_as_its_saved_value(project):
    save_workbook(project, put("note", 2, "=1+1"))
    assert problems(project) == [
        f"{WORKBOOK}: formulas without a saved value: {cell_name('note', 2)}. Open the workbook in "
        "a spreadsheet and save it, or write the values."
    ]
    path = project.path(WORKBOOK)
    members = {name: zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    members[sheet] = members[sheet].replace(b"<f>1+1</f><v/>", b"<f>1+1</f><v>2</v>")
    members[sheet] = members[sheet].replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert project.dataset().reported_results["note"].tolist()[0] == "2"


def two_sheets(sheet):
    sheet.parent.create_sheet("more").append(["a"])


def hide_all(sheet):
    sheet.parent.create_sheet("blank")
    sheet.sheet_state = "hidden"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sheet: sheet.merge_cells("A2:A3"),
         "merged cells: A2:A3. Unmerge them, and write the value into each cell."),
        (put("as_printed", 2, datetime(2026, 5, 20)),
         f"cell {cell_name('as_printed', 2)} is a date (2026-05-20), which spreadsheets make of a "
         "text like 5/20. Format the column as text and write it again."),
        (two_sheets, "has 2 sheets: Sheet, more. Call that of the table 'studies'."),
        (hide_all, "has no visible sheet with cells. Unhide the sheet of the table."),
    ],
    ids=["merged cells", "date", "two sheets", "hidden"],
)  # fmt: skip
def test_a_workbook_that_leaves_a_doubt_is_one_message(project, change, message):
    save_workbook(project, change)
    assert problems(project) == [f"{WORKBOOK}: {message}"]


def test_the_sheet_of_the_table_is_read_among_others(project):
    def change(sheet):
        sheet.title = "Studies"
        sheet.parent.create_sheet("notes", 0).append(["a"])

    save_workbook(project, change)
    assert len(project.dataset().reported_results) == 5


def test_a_macro_is_refused_and_so_is_what_is_no_workbook(project):
    save_workbook(project)
    with zipfile.ZipFile(project.path(WORKBOOK), "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro")
    assert problems(project) == [
        f"{WORKBOOK}: contains a macro, which is never run. Save it as a workbook without macros."
    ]
    project.path(WORKBOOK).write_bytes(b"study,arm\n")
    (message,) = problems(project)
    assert message.startswith(f"{WORKBOOK}: is not a workbook that can be read: ")


def test_problems_of_a_workbook_name_its_rows(project):
    save_workbook(project, put("n", 3, "many"))
    assert problems(project) == [f"{WORKBOOK}:3 n: 'many' is not a whole number"]


def test_rows_are_not_added_to_a_workbook(project):
    save_workbook(project)
    with pytest.raises(EvidenceError, match=r"Save its sheet as data/studies\.csv"):
        append_row(project.root, schema.STUDIES, {})


def test_a_table_in_two_files_is_refused(project):
    rows = project.rows(STUDIES)
    save_workbook(project)
    project.write(STUDIES, rows)
    assert any(
        "data/studies.xlsx is there as well. Keep one of them." in m for m in problems(project)
    )


def test_a_workbook_that_is_called_csv_is_named(project):
    save_workbook(project)
    project.path(WORKBOOK).rename(project.path(STUDIES))
    assert f"{STUDIES}: is a workbook. Rename it to studies.xlsx" in problems(project)


def test_a_table_in_another_format_is_named(project):
    project.path(STUDIES).rename(project.path("data/studies.xlsm"))
    assert (
        f"{STUDIES}: the file is missing, but studies.xlsm is there. Save it as CSV or .xlsx."
        in (problems(project))
    )
