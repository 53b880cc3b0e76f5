"""Enter completed rows of `studies.csv` into a project, together with the reading behind them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evidence.analysis.gaps.result_template import RESULT_COLUMNS
from evidence.analysis.table_entry import write_checked
from evidence.dataset import schema
from evidence.dataset.csv_reader import read_table
from evidence.dataset.dataset import Dataset, read_dataset, table_text, with_rows
from evidence.dataset.project_folder import table_path
from evidence.dataset.readings import FULL_TEXT, lies_in
from evidence.errors import (
    DatasetError,
    EvidenceError,
    ParameterError,
    Problem,
    ProblemList,
    Reason,
)

STUDIES, READINGS = schema.STUDIES.file, schema.READINGS.file
OTHER_PART = "excerpt"
SECOND_HAND = "second-hand"
"""The kind of a reading that another one of the same part takes the place of."""

Row = dict[str, str]


@dataclass(frozen=True)
class Reader:
    """Who read the sources of some rows, when (an ISO date), and at which address.

    Without a `url` that of each source is recorded. `full_text` says that the whole text was
    read, and not only the places that the rows name.
    """

    name: str
    date: str
    url: str = ""
    full_text: bool = False


@dataclass(frozen=True)
class EnteredRows:
    """How many rows were added, replaced an unconfirmed one, or were skipped; and new readings."""

    added: int
    replaced: int
    skipped: int
    readings: int


def enter_results(project: str | Path, path: Path, reader: Reader) -> EnteredRows:
    """Append completed rows to `studies.csv` and the reading of their sources to `readings.csv`.

    A row with the key of an unconfirmed one replaces it. A row in which only the source could
    answer the cells and did not (`RESULT_COLUMNS`) is skipped. A blank `verified` becomes "yes". A
    known study that was wanted becomes tabulated. Raise `DatasetError` with every problem that the
    tables would have with these rows, each with its line in the file at `path`; nothing is written
    then.
    """
    dataset = read_dataset(project)
    rows = _read_rows(path)
    completed = {line: row for line, row in rows.items() if any(map(row.get, RESULT_COLUMNS))}
    if not completed:
        raise EvidenceError(f"{path}: no row is completed. Fill in {', '.join(RESULT_COLUMNS)}")
    replacements = _replacements(dataset, path, completed)
    completed |= _with_old_direction(dataset, completed, replacements)
    text, lines = _put_rows(dataset, schema.STUDIES, completed, replacements)
    readings = dict(enumerate(_new_readings(dataset, completed.values(), reader)))
    new = {}
    if readings:
        second_hand = _second_hand_readings(dataset, readings)
        new[READINGS], _ = _put_rows(dataset, schema.READINGS, readings, second_hand)
    new |= _known_studies(dataset, {row["study"] for row in completed.values()})
    new[STUDIES] = text
    try:
        write_checked(dataset, new)
    except DatasetError as error:
        problems = [_relocate(problem, path, lines) for problem in error.problems]
        raise DatasetError(problems, error.omitted) from None
    return EnteredRows(
        added=len(completed) - len(replacements),
        replaced=len(replacements),
        skipped=len(rows) - len(completed),
        readings=len(readings),
    )


def _read_rows(path: Path) -> dict[int, Row]:
    """Read a file with the columns of `studies.csv`; return its rows by line."""
    problems = ProblemList()
    table = read_table(path, replace(schema.STUDIES, file=str(path)), problems)
    if problems:
        raise DatasetError(problems.problems, problems.omitted)
    rows = table.astype("str").to_dict("index")
    return {int(line): row | {"verified": row["verified"] or "yes"} for line, row in rows.items()}


def _new_readings(dataset: Dataset, rows: Iterable[Row], reader: Reader) -> Iterator[Row]:
    """Yield the reading behind each place that no recorded reading covers.

    A project without any reading does not record them: a first one would leave all other rows
    outside all readings.
    """
    recorded = [
        (row.source, row.part, row.kind)
        for row in dataset.readings.itertuples()
        if row.kind != SECOND_HAND
    ]
    for row in rows if len(dataset.readings) else ():
        source, part = row["source"], FULL_TEXT if reader.full_text else row["locator"]
        kind = FULL_TEXT if reader.full_text else _kind_of_part(part)
        if any(key == source and lies_in(part, *reading) for key, *reading in recorded):
            continue
        recorded.append((source, part, kind))
        reference = dataset.bibliography.get(source)
        url = reader.url or (reference.link if reference else "")
        if reference and not url:
            reason = f"'{source}' has no address. Give the one you read"
            raise ParameterError(Reason(reason, url=...))
        yield {
            "source": source, "part": part, "kind": kind, "read_by": reader.name,
            "date": reader.date, "url": url,
        }  # fmt: skip


def _kind_of_part(locator: str) -> str:
    """Return the kind of part that a locator begins with, like abstract or table."""
    words = locator.casefold()
    return next((kind for kind in schema.READING_KINDS if words.startswith(kind)), OTHER_PART)


def _second_hand_readings(dataset: Dataset, readings: Mapping[int, Row]) -> dict[int, int]:
    """Return for each second-hand reading of a part that was now read its line, and the new one."""
    numbers = {(row["source"], row["part"]): number for number, row in readings.items()}
    return {
        _line(row.address): numbers[row.source, row.part]
        for row in dataset.readings.itertuples()
        if (row.source, row.part) in numbers
    }


def _known_studies(dataset: Dataset, studies: Collection[str]) -> dict[str, str]:
    """Return the new text of `known_studies.csv` if one of these studies was wanted until now."""
    table = schema.KNOWN_STUDIES
    path = table_path(dataset.project, table)
    text = read_table(path, table, ProblemList()).astype("str")
    rows = {
        int(line): row | {"status": "tabulated", "study": row["known_study"]}
        for line, row in text.to_dict("index").items()
        if row["known_study"] in studies and row["status"] == "wanted"
    }
    same_lines = {line: line for line in rows}
    return {table.file: _put_rows(dataset, table, rows, same_lines)[0]} if rows else {}


def _replacements(dataset: Dataset, path: Path, rows: Mapping[int, Row]) -> dict[int, int]:
    """Return for each unconfirmed result that a row replaces its line, and the line of that row.

    Raise `DatasetError` if a row repeats a confirmed result, or another row.
    """
    key = list(schema.STUDIES.key)
    results = dataset.reported_results
    present = {
        cells: (_line(address), verified)
        for cells, address, verified in zip(
            results[key].itertuples(index=False, name=None),
            results["address"],
            results["verified"],
            strict=True,
        )
    }
    problems = ProblemList()
    first_lines: dict[tuple, int] = {}
    replacements: dict[int, int] = {}
    for line, row in rows.items():
        cells = tuple(row[name] for name in key)
        position, verified = present.get(cells, (0, ""))
        if cells in first_lines:
            problems.add(str(path), line, "", f"repeats line {first_lines[cells]} of this file")
        elif verified == "yes":
            message = f"repeats {STUDIES}:{position}, which is confirmed. Correct that row instead."
            problems.add(str(path), line, "", message)
        elif position:
            replacements[position] = line
        first_lines.setdefault(cells, line)
    if problems:
        raise DatasetError(problems.problems, problems.omitted)
    return replacements


def _with_old_direction(
    dataset: Dataset, rows: Mapping[int, Row], replacements: Mapping[int, int]
) -> dict[int, Row]:
    """Return the rows that replace others, with their direction where a row leaves it blank.

    It is a judgement of the curators on what a sign means, which a source does not print.
    """
    results = dataset.reported_results
    directions = dict(zip(map(_line, results["address"]), results["direction"], strict=True))
    return {
        number: rows[number] | {"direction": rows[number]["direction"] or directions[line]}
        for line, number in replacements.items()
    }


def _put_rows(
    dataset: Dataset, table: schema.Table, rows: Mapping[int, Row], replacements: Mapping[int, int]
) -> tuple[str, dict[int, int]]:
    """Put numbered rows into the text of a table, and leave every other byte of it alone.

    `replacements` gives for lines at which a record begins the number of the row that takes its
    place; the other rows are appended. Returned are the new text, and for the line of each of the
    rows in it the number of the row.
    """
    content = table_text(dataset.project, table)
    old = content.rstrip("\n").split("\n")
    starts = [_line(address) for address in dataset.frame(table)["address"]]
    new, numbers = old[: starts[0] - 1], {}
    header = "\n".join([*new, ""])

    def put(number: int) -> None:
        numbers[len(new) + 1] = number
        record = with_rows(header, table, [rows[number]]).removeprefix(header)
        new.extend(record.rstrip("\n").split("\n"))

    for start, end in zip(starts, [*starts[1:], len(old) + 1], strict=True):
        if start in replacements:
            put(replacements[start])
        else:
            new += old[start - 1 : end - 1]
    for number in rows:
        if number not in replacements.values():
            put(number)
    return "\n".join(new) + "\n", numbers


def _line(address: str) -> int:
    return int(address.rpartition(":")[2])


def _relocate(problem: Problem, path: Path, lines: Mapping[int, int]) -> Problem:
    if problem.file != STUDIES or problem.line not in lines:
        return problem
    return replace(problem, file=str(path), line=lines[problem.line])
