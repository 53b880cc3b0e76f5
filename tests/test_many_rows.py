"""Very many rows: read as the csv module does, errors at their lines, and no flood of words."""

import csv
import io
import shutil
from random import Random

import numpy as np
import pytest

from benchmarks.many_rows import write_many
from evidence import cli
from evidence.analysis.checks import check_consistency, require_consistent
from evidence.dataset import csv_reader, schema
from evidence.dataset.dataset import load_dataset
from evidence.dataset.fast_csv import LONG, read_regular
from evidence.errors import MAX_PROBLEMS, DatasetError

ROWS = 20_000
STUDIES = schema.STUDIES.file


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """A valid project of many rows; read only."""
    return write_many(tmp_path_factory.mktemp("many") / "project", rows=ROWS)


@pytest.fixture(scope="module")
def dataset(valid):
    return load_dataset(valid)


@pytest.fixture
def many(valid, tmp_path):
    """A copy of it, to break."""
    shutil.copytree(valid, tmp_path / "project")
    return tmp_path / "project"


def read(project):
    """The rows as dictionaries and the line on which each begins, by the csv module."""
    with (project / STUDIES).open(newline="", encoding="utf-8") as handle:
        reader = csv.reader(handle)
        header = next(reader)
        rows, lines = [], []
        start = reader.line_num + 1
        for row in reader:
            rows.append(dict(zip(header, row, strict=True)))
            lines.append(start)
            start = reader.line_num + 1
    return rows, lines


def write(project, rows):
    with (project / STUDIES).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, schema.STUDIES.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def broken(project):
    with pytest.raises(DatasetError) as caught:
        load_dataset(project)
    return caught.value


def test_every_cell_and_line_is_as_the_csv_module_reads_it(valid, dataset):
    assert (valid / STUDIES).stat().st_size > LONG
    rows, lines = read(valid)
    results = dataset.results
    assert len(results) == ROWS
    assert lines[-1] > ROWS + 100, "many notes go over two lines"
    assert results["address"].tolist() == [f"{STUDIES}:{line}" for line in lines]
    for column in schema.STUDIES.columns:
        cells = [row[column.name] for row in rows]
        if column.kind in ("integer", "number"):
            expected = np.array([float(cell or "nan") for cell in cells])
            found = results[column.name].to_numpy(float, na_value=np.nan)
            assert np.array_equal(found, expected, equal_nan=True), column.name
        else:
            assert results[column.name].tolist() == cells, column.name


def test_an_address_is_the_line_of_the_file(valid, dataset):
    text = (valid / STUDIES).read_text("utf-8").split("\n")
    for row in dataset.results.sample(300, random_state=1).itertuples():
        line = text[int(row.address.split(":")[1]) - 1]
        assert line.startswith(f"{row.study},{row.condition},")
        assert row.source in line or row.note.count("\n")


def test_errors_among_very_many_rows_are_named_with_their_lines(many):
    rows, lines = read(many)
    after = next(place for place, row in enumerate(rows) if "\n" in row["note"]) + 1
    assert lines[after] == after + 3, "the row after the first cell of two lines"
    rows[after]["role"] = "treatment"
    rows[1000]["n"] = "many"
    rows[12_000]["locator"] = ""
    rows[14_000]["source"] = "trial1retolt"
    rows[16_000]["note"] = "hid\u202eden"
    rows[18_000]["condition"] = rows[18_000]["condition"].upper()
    rows[-2] = rows[50]
    rows[-1]["study"] = "nobody"
    write(many, rows)
    said = str(broken(many)).splitlines()
    first = ", ".join(rows[50][name] for name in schema.STUDIES.key if rows[50][name])
    assert set(said) >= {
        f"{STUDIES}:{lines[after]} role: treatment is not one of: intervention, comparator, "
        "single arm, contrast, whole sample",
        f"{STUDIES}:{lines[1000]} n: many is not a whole number",
        f"{STUDIES}:{lines[12_000]} locator: blank is not allowed; this column must be filled",
        f"{STUDIES}:{lines[14_000]} source: trial1retolt is not a key of references.bib; "
        "did you mean trial1retold?",
        f"{STUDIES}:{lines[16_000]} note: hid<U+202E>den hides U+202E; take it out",
        f"{STUDIES}:{lines[18_000]} condition: '{rows[18_000]['condition']}' is spelled "
        f"'{rows[18_000]['condition'].lower()}' elsewhere; use one spelling",
    }
    (twice,) = [line for line in said if "stands already" in line]
    assert twice.startswith(f"{STUDIES}:{lines[-2]}: {first[:100]}")
    assert f"stands already in line {lines[50]};" in twice
    last = [line for line in said if line.startswith(f"{STUDIES}:{lines[-1]} study: nobody is not")]
    assert len(last) == 2, "neither in the bibliography nor described"


def test_a_row_too_short_and_a_quote_not_closed_are_named_with_their_line(many):
    path = many / STUDIES
    _, lines = read(many)
    end = path.read_text("utf-8").count("\n") + 1
    with path.open("a", encoding="utf-8") as handle:
        handle.write("a,b\n")
    rule = "2 fields, but the header has 33; is a comma not quoted?"
    assert str(broken(many)) == f"{STUDIES}:{end}: {rule}"
    with path.open("a", encoding="utf-8") as handle:
        handle.write('a,"b\n')
    said = f"{STUDIES}:{end + 1}: it is not well-formed CSV: unexpected end of data"
    assert str(broken(many)) == said
    assert lines[-1] < end


@pytest.mark.parametrize("column", ["value", "source", "outcome", "role"])
def test_as_many_errors_as_rows_are_counted_and_the_first_are_listed(many, capsys, column):
    rows, lines = read(many)
    for place, row in enumerate(rows):
        row[column] = f"wrong{place}"
    write(many, rows)
    error = broken(many)
    assert len(error.problems) == MAX_PROBLEMS
    assert error.count >= ROWS
    assert error.problems[0].line == 2
    assert {problem.line for problem in error.problems} <= set(lines[:MAX_PROBLEMS])
    assert cli.main(["check", "--project", str(many)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == MAX_PROBLEMS + 2
    assert said[-2] == f"and more that are not listed: {error.count - MAX_PROBLEMS:,} in {STUDIES}"
    assert said[-1] == f"{error.count:,} problems found, nothing written"
    assert sum(map(len, said)) < 100_000


def test_rows_of_another_length_than_the_header_do_not_flood(many):
    path = many / STUDIES
    text = path.read_text("utf-8").replace("\ntrial", "\n,trial")
    path.write_text(text, "utf-8")
    error = broken(many)
    assert (len(error.problems), error.count) == (MAX_PROBLEMS, ROWS)
    assert str(error).splitlines()[0].startswith(f"{STUDIES}:2: 34 fields, but the header has 33")


def test_problems_of_every_file_are_counted(many):
    rows, _ = read(many)
    for row in rows:
        row["locator"] = ""
    write(many, rows)
    with (many / "references.bib").open("a", encoding="utf-8") as handle:
        handle.write("@misc{x, title={T}, year={2000}}\n")
    left = str(broken(many)).splitlines()[-1]
    assert left == (
        f"and more that are not listed: {ROWS - MAX_PROBLEMS:,} in {STUDIES}, 1 in references.bib"
    )


def test_as_many_findings_as_rows_are_counted_and_the_first_are_listed(many, capsys):
    rows, _ = read(many)
    wrong = 0
    for row in rows:
        if row["measure"] == "mean" and row["value"]:
            row["as_printed"] = "98765.4"
            wrong += 1
    assert wrong > 1000
    write(many, rows)
    dataset = load_dataset(many)
    findings = check_consistency(dataset)
    assert sum(finding.code == "PRINT" for finding in findings) == wrong
    with pytest.raises(DatasetError) as caught:
        require_consistent(dataset)
    assert (caught.value.count, len(caught.value.problems)) == (wrong, MAX_PROBLEMS)
    assert cli.main(["check", "--project", str(many)]) == 1
    *listed, left, total = capsys.readouterr().out.splitlines()
    assert len(listed) == MAX_PROBLEMS
    assert all(" PRINT error: value " in line for line in listed)
    assert f"{wrong - MAX_PROBLEMS:,} PRINT" in left
    assert left.startswith("and more that are not listed: ")
    assert total.startswith(f"{ROWS} results of ")
    assert f": {wrong:,} errors, " in total


def test_a_notebook_shows_a_part_of_it(dataset):
    shown = dataset.results._repr_html_()
    assert "20,000 rows, the first 500 shown" in shown
    assert shown.count("<tr>") == 501
    assert len(shown) < 1_000_000
    assert '<td data-sort="20000">' in dataset._repr_html_()
    assert len(dataset._repr_html_()) < 20_000


def written(random):
    """A CSV text such as no program would write, of few characters, so that they meet."""
    rows = random.randrange(1, 4)
    cells = ["a", "", '"a"', '"a,b"', '"a\nb"', '"a""b"', '""', '"\r\n"', "é", " "]
    odd = ['a"b', '"a"b', ' "a"', '"', "a\rb", "\0", "\r", "\n", '""""', "NA", "1.0"]
    end = random.choice(["\n", "\r\n"])

    def row():
        many = 3 if random.random() < 0.95 else random.randrange(5)
        return ",".join(random.choice(cells if random.random() < 0.9 else odd) for _ in range(many))

    mark = "\ufeff" if random.random() < 0.1 else ""
    return mark + "x,y,z" + end + end.join(row() for _ in range(rows)) + random.choice(["", end])


def test_a_file_is_called_regular_only_if_both_parsers_agree():
    """The outside truth is the csv module in its strict mode."""
    regular = 0
    for seed in range(4000):
        content = written(Random(seed)).encode()
        found = read_regular(content, 3)
        if found is None:
            continue
        regular += 1
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        next(reader)
        rows, lines, start = [], [], 2
        for row in reader:
            if row:  # a blank line at the end is no row
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
        columns, at = found
        assert [list(row) for row in zip(*(cells.text for cells in columns), strict=True)] == rows
        assert at.tolist() == lines
    assert regular > 1500


@pytest.mark.parametrize("odd", ['a"b', "\n", '"a"'])
def test_small_and_large_files_are_read_alike(project, monkeypatch, odd):
    project.put(STUDIES, 2, note=f"x{odd}y", population=odd.strip())
    small = load_dataset(project.root).results
    monkeypatch.setattr(csv_reader, "LONG", 0)
    assert load_dataset(project.root).results.equals(small)
