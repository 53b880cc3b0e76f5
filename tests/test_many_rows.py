"""Many rows: read cell by cell as the csv module does, with exact lines and no flood of messages."""

import csv
import re
import shutil

import numpy as np
import pytest

from benchmarks.many_rows import write_many
from evidence import cli
from evidence.analysis.checks import check_consistency, require_consistent
from evidence.dataset import schema
from evidence.dataset.csv_reader import CHUNK_ROWS
from evidence.dataset.dataset import read_dataset
from evidence.errors import MAX_PROBLEMS, DatasetError

ROWS = 5 * CHUNK_ROWS + 1
STUDIES = schema.STUDIES.file


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """A valid project of many rows; read only."""
    return write_many(tmp_path_factory.mktemp("many") / "project", rows=ROWS)


@pytest.fixture
def project(valid, tmp_path):
    """A copy of it, to break."""
    return shutil.copytree(valid, tmp_path / "project")


def read(project):
    """The rows as dictionaries and the line on which each begins, by the csv module alone."""
    with (project / STUDIES).open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader)
        rows, lines = [], []
        start = reader.line_num + 1
        for row in reader:
            rows.append(dict(zip(header, row, strict=True)))
            lines.append(start)
            start = reader.line_num + 1
    return rows, lines


def write(project, rows):
    with (project / STUDIES).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, schema.STUDIES.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def load_error(project):
    with pytest.raises(DatasetError) as caught:
        read_dataset(project)
    return caught.value


def test_every_cell_and_line_is_as_the_csv_module_reads_it(valid):
    rows, lines = read(valid)
    results = read_dataset(valid).reported_results
    assert len(results) == ROWS
    assert lines[-1] > ROWS + 20, "some notes contain a line break"
    assert results["address"].tolist() == [f"{STUDIES}:{line}" for line in lines]
    for column in schema.STUDIES.columns:
        cells = [row[column.name] for row in rows]
        if column.kind in ("integer", "number"):
            expected = np.array([float(cell or "nan") for cell in cells])
            numbers = results[column.name].to_numpy(float, na_value=np.nan)
            assert np.array_equal(numbers, expected, equal_nan=True), column.name
        else:
            assert results[column.name].tolist() == cells, column.name


def test_errors_among_many_rows_are_reported_with_their_lines(project):
    rows, lines = read(project)
    rows[600]["n"] = "many"
    rows[1200]["locator"] = ""
    rows[1400]["source"] = "trial1retolt"
    rows[1600]["note"] = "hid\u202eden"
    rows[1800]["condition"] = rows[1800]["condition"].upper()
    rows[-2] = rows[50]
    rows[-1]["study"] = "nobody"
    write(project, rows)
    messages = str(load_error(project)).splitlines()
    condition = rows[1800]["condition"]
    assert set(messages) >= {
        f"{STUDIES}:{lines[600]} n: 'many' is not a whole number",
        f"{STUDIES}:{lines[1200]} locator: required value is missing",
        f"{STUDIES}:{lines[1400]} source: 'trial1retolt' is not defined in references.bib. "
        "Did you mean 'trial1retold'?",
        f"{STUDIES}:{lines[1600]} note: 'hid<U+202E>den' contains the hidden character U+202E. "
        "Remove it.",
        f"{STUDIES}:{lines[1800]} condition: '{condition}' is spelled '{condition.lower()}' "
        "elsewhere. Use one spelling.",
    }
    assert any(m.startswith(f"{STUDIES}:{lines[-2]}: repeats line {lines[50]} (") for m in messages)
    last = [m for m in messages if m.startswith(f"{STUDIES}:{lines[-1]} study: 'nobody' ")]
    assert len(last) == 2, "neither in the bibliography nor described"


@pytest.mark.parametrize("column", ["value", "source", "outcome", "role"])
def test_as_many_errors_as_rows_are_counted_and_the_first_are_listed(project, capsys, column):
    rows, lines = read(project)
    for number, row in enumerate(rows):
        row[column] = f"wrong{number}"
    write(project, rows)
    error = load_error(project)
    assert len(error.problems) == MAX_PROBLEMS
    assert error.count >= ROWS
    assert {problem.line for problem in error.problems} <= set(lines[:MAX_PROBLEMS])
    assert cli.main(["check", "--project", str(project)]) == 1
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == MAX_PROBLEMS + 2
    omitted = f"{error.count - MAX_PROBLEMS:,} in {STUDIES}"
    assert printed[-2] == f"and more that are not listed: {omitted}"
    assert printed[-1].startswith(f"{error.count:,} problems")
    assert sum(map(len, printed)) < 100_000


def test_problems_of_every_file_are_counted(project):
    without_study = re.sub("\ntrial[^,]*,", "\n", (project / STUDIES).read_text("utf-8"))
    (project / STUDIES).write_text(without_study, "utf-8")
    sources = (project / "references.bib").read_text("utf-8")
    (project / "references.bib").write_text(sources.replace("year = ", "years = ", 1), "utf-8")
    *_, omitted = str(load_error(project)).splitlines()
    assert omitted == (
        f"and more that are not listed: {ROWS - MAX_PROBLEMS:,} in {STUDIES}, 1 in references.bib"
    )


def test_as_many_findings_as_rows_are_counted_and_the_first_are_listed(project, capsys):
    rows, _ = read(project)
    wrong = 0
    for row in rows:
        if row["measure"] == "mean" and row["value"]:
            row["as_printed"] = "98765.4"
            wrong += 1
    assert wrong > MAX_PROBLEMS
    write(project, rows)
    dataset = read_dataset(project)
    assert sum(finding.code == "PRINT" for finding in check_consistency(dataset)) == wrong
    with pytest.raises(DatasetError) as caught:
        require_consistent(dataset)
    assert (caught.value.count, len(caught.value.problems)) == (wrong, MAX_PROBLEMS)
    assert cli.main(["check", "--project", str(project)]) == 1
    *listed, omitted, _unplaced, total = capsys.readouterr().out.splitlines()
    assert len(listed) == MAX_PROBLEMS
    assert all(" PRINT error: value " in line for line in listed)
    assert omitted.startswith("and more that are not listed: ")
    assert f" {wrong - MAX_PROBLEMS:,} PRINT" in omitted
    assert f": {wrong:,} errors, " in total
