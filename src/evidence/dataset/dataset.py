"""The checked and typed tables of a project, read once for as long as their files stay the same.

All problems of all files are collected before anything is refused, so that a person can correct a
table in one go. Everything is read as text, checked, and only then converted.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.access_log import DIGITS, AccessLog, row_digests, selection
from evidence.dataset.bibliography import Bibliography, Reference, read_bibliography
from evidence.dataset.csv_layout import csv_layout, header_names, read_csv_text
from evidence.dataset.csv_reader import map_cells, read_tables, split_keys
from evidence.dataset.labels import tell_apart
from evidence.dataset.notebook_display import Frame
from evidence.dataset.project_folder import csv_path, find_project, table_checksums
from evidence.dataset.readings import narrowest_reading
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.dataset.text_checks import undecodable_byte
from evidence.dataset.validation import cited_keys, validate_tables
from evidence.errors import DatasetError, EvidenceError, ProblemList
from evidence.files import atomic_write, digest, read_text

MAX_CACHED_PROJECTS = 2
"""Projects whose tables stay in memory; large ones take as much memory again."""


class TableProperty:
    """A table of the schema as an attribute of a dataset."""

    def __init__(self, table: schema.Table):
        self._table = table
        self.__doc__ = f"The rows of `{table.file}`: {table.row}."

    def __get__(self, dataset: "Dataset", owner: type | None = None) -> pd.DataFrame:
        return dataset.frame(self._table)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Everything that was reported, checked and typed; nobody can change it.

    Each table is a frame with the columns of its table in `schema`, converted, and `address`
    (file:line); every access returns a copy. Tables that a project does not have are empty frames
    with the right columns.

    Attributes
    ----------
    project : Path
    checksums : mapping of str to str
        The SHA-256 of each file that was read.
    log : AccessLog, optional
        Where everything that is read of this dataset is recorded; see `logged`.
    unlogged : Dataset, optional
        The same dataset without a log, if there is one.
    """

    project: Path
    checksums: Mapping[str, str]
    _tables: Mapping[str, pd.DataFrame] = field(repr=False)
    _references: Bibliography = field(repr=False)
    _labels: Mapping[str, str] = field(repr=False)
    log: AccessLog | None = field(default=None, repr=False)
    unlogged: "Dataset | None" = field(default=None, repr=False)

    reported_results = TableProperty(schema.STUDIES)
    outcomes = TableProperty(schema.OUTCOMES)
    instruments = TableProperty(schema.INSTRUMENTS)
    doses = TableProperty(schema.DOSES)
    designs = TableProperty(schema.DESIGNS)
    arms = TableProperty(schema.ARMS)
    guide = TableProperty(schema.GUIDE)
    guide_claims = TableProperty(schema.CLAIMS)
    statements = TableProperty(schema.STATEMENTS)
    listed_unknowns = TableProperty(schema.UNKNOWNS)
    risk_of_bias = TableProperty(schema.RISK_OF_BIAS)
    minimal_important_differences = TableProperty(schema.MINIMAL_IMPORTANT_DIFFERENCES)
    grade_decisions = TableProperty(schema.GRADE_DECISIONS)
    readings = TableProperty(schema.READINGS)
    searches = TableProperty(schema.SEARCHES)
    known_studies = TableProperty(schema.KNOWN_STUDIES)
    wanted_results = TableProperty(schema.WANTED_RESULTS)
    waivers = TableProperty(schema.WAIVERS)
    audits = TableProperty(schema.AUDITS)

    def logged(self) -> Self:
        """Return the same dataset with a new log of what is read of it."""
        return replace(self, log=AccessLog(self.project, self.checksums), unlogged=self)

    def frame(self, table: schema.Table) -> pd.DataFrame:
        """Return the frame of one table of the schema."""
        return self._frame(table.file)

    @selection
    def _frame(self, file: str) -> pd.DataFrame:
        return self._tables[file]

    @selection
    def designs_of(self, studies: Sequence[str]) -> pd.DataFrame:
        """Return the rows of `designs.csv` for some studies, without remarks."""
        designs = self.designs.drop(columns=schema.DESIGNS.with_role("remark"))
        return designs[designs["study"].isin(studies)].reset_index(drop=True)

    @selection
    def studies_at(self, addresses: Sequence[str]) -> dict[str, str]:
        """Return the study of each row about one, in the order of the results and other tables."""
        tables = (self.reported_results, self.designs, self.risk_of_bias)
        rows = pd.concat([table[["address", "study"]] for table in tables])
        rows = rows[rows["address"].isin(addresses)]
        return dict(zip(rows["address"], rows["study"], strict=True))

    def rows_by_file(self, addresses: Iterable[str]) -> dict[str, pd.DataFrame]:
        """Return the rows at these addresses (file:line) by table, without remarks."""
        by_file: dict[str, list[str]] = {}
        for address in addresses:
            by_file.setdefault(address.rpartition(":")[0], []).append(address)
        frames = {}
        for file in filter(schema.BY_FILE.__contains__, by_file):
            table = schema.BY_FILE[file]
            rows = self._tables[table.file].drop(columns=table.with_role("remark"))
            frames[table.file] = rows[rows["address"].isin(by_file[file])]
            if self.log is not None:
                self.log.record_rows(by_file[file], row_digests(frames[table.file]))
        return frames

    @property
    def bibliography(self) -> Bibliography:
        """The sources by BibTeX key; in a logged dataset each access is recorded."""
        return self._references if self.log is None else _LoggedBibliography(self)

    def source_warnings(self) -> list[str]:
        """Return what is wrong with `references.bib`, apart from the sources that are cited."""
        return self._references.warnings(cited_keys(self._tables))

    def reference(self, key: str) -> Reference | None:
        """Return the source of a key, or None."""
        reference = self._references.get(key)
        if self.log is not None:
            self.log.record_rows([f"{BIBLIOGRAPHY_FILE}:{key}"], source_digests(reference))
        return reference

    @selection
    def reference_at(self, line: int) -> Reference | None:
        """Return the source that begins at a line of `references.bib`, or None."""
        return self._references.at(line)

    @selection
    def reference_keys(self) -> list[str]:
        """Return the keys of all sources in the order of the file."""
        return list(self._references)

    @selection
    def label(self, key: str) -> str:
        """Return the short name of a study or source: that in the tables, else author and year.

        Equal ones are told apart by letters.
        """
        return self._labels[key]

    @selection
    def reading_of(self, source: str, locator: str) -> dict[str, str]:
        """Return the reading in which a place in a source lies; empty if none is recorded.

        Its keys are part, kind, read_by, date and url.
        """
        return dict(narrowest_reading(locator, _readings_by_source(self).get(source, ())))

    def read_text(self, path: str | Path) -> str:
        """Return the text of a file, named from the project's folder; empty if there is none.

        Raise `EvidenceError` if it is not UTF-8.
        """
        if self.log is not None:
            self.log.record_file(self.project / path)
        try:
            return read_text(self.project / path)
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            line, message = undecodable_byte(error)
            raise EvidenceError(f"{path}:{line}: {message}") from None

    def _repr_html_(self) -> str:
        rows = [(table.file, len(self.frame(table)), table.row) for table in schema.TABLES]
        return Frame(rows, columns=["table", "rows", "a row is"])._repr_html_()


def source_digests(*references: Reference | None) -> dict[str, str]:
    """Return the digest of each source by `references.bib:KEY`."""
    return {
        f"{BIBLIOGRAPHY_FILE}:{reference.key}": digest(repr(reference), DIGITS)
        for reference in references
        if reference is not None
    }


class _LoggedBibliography(Bibliography):
    """The bibliography of a logged dataset: each access is a selection."""

    def __init__(self, dataset: Dataset):
        self._dataset = dataset

    def __getitem__(self, key: str) -> Reference:
        reference = self._dataset.reference(key)
        if reference is None:
            raise KeyError(key)
        return reference

    def __iter__(self) -> Iterator[str]:
        return iter(self._dataset.reference_keys())

    def __len__(self) -> int:
        return len(self._dataset.reference_keys())

    def at(self, line: int) -> Reference | None:
        return self._dataset.reference_at(line)


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _readings_by_source(dataset: Dataset) -> dict[str, list[dict[str, str]]]:
    readings = dataset.readings[["source", "part", "kind", "read_by", "date", "url"]]
    return {
        source: rows.drop(columns="source").to_dict("records")
        for source, rows in readings.groupby("source")
    }


class _TablesChangedError(Exception):
    """The files changed while they were read."""


def read_dataset(project: str | Path = "") -> Dataset:
    """Read, check and convert all tables of a project and its bibliography.

    The same dataset is returned for as long as the bytes of all its files stay the same.

    `project` is a folder with `references.bib` and `data/studies.csv`; every further table is
    optional and adds its own part. Without it, see `find_project`. Raise `DatasetError` with every
    problem of every file.
    """
    folder = find_project(project)
    while True:
        try:
            return _read(folder, tuple(table_checksums(folder).items()))
        except _TablesChangedError:
            continue


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _read(folder: Path, checksums: tuple[tuple[str, str], ...]) -> Dataset:
    tables, problems = read_tables(folder)
    try:
        bibliography = read_bibliography(folder / BIBLIOGRAPHY_FILE)
    except DatasetError as error:
        problems.extend(error)
        bibliography = None
    dataset = build_dataset(folder, tables, bibliography, dict(checksums), problems)
    if table_checksums(folder) != dataset.checksums:
        raise _TablesChangedError
    return dataset


def build_dataset(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    bibliography: Bibliography | None,
    checksums: Mapping[str, str],
    problems: ProblemList | None = None,
) -> Dataset:
    """Check and convert tables that were read as text.

    `tables` are those of `csv_reader.read_tables`; `problems` were found while reading, and are
    reported together with what is wrong here. Raise `DatasetError` with every problem of every
    table.
    """
    problems = problems or ProblemList()
    problems.extend(validate_tables(tables, bibliography))
    workbooks = {t.file: t.workbook for t in schema.TABLES if t.workbook in checksums}
    if problems or bibliography is None:
        problems.rename(workbooks)
        raise DatasetError(problems.problems, problems.omitted)
    frames = {
        table.file: _convert(table, tables[table.file], workbooks.get(table.file, table.file))
        for table in schema.TABLES
    }
    designs, known = frames[schema.DESIGNS.file], frames[schema.KNOWN_STUDIES.file]
    labels, bibliography = tell_apart(bibliography, designs, known)
    for frame, key in ((designs, "study"), (known, "known_study")):
        frame["label"] = pd.array([labels[name] for name in frame[key]], dtype="str")
    return Dataset(folder, checksums, frames, bibliography, labels)


def _convert(table: schema.Table, rows: pd.DataFrame, file: str) -> pd.DataFrame:
    """Convert checked text into typed columns, with `address` (file:line) in place of the index."""
    columns = {name: _convert_column(table.column(name), rows[name]) for name in rows.columns}
    addresses = [f"{file}:{line}" for line in rows.index]
    return Frame(columns | {"address": pd.array(addresses, dtype="str")})


def _convert_column(column: schema.Column, cells: pd.Series):
    if column.kind in ("integer", "number"):
        dtype = "Int64" if column.kind == "integer" else "float64"
        numbers = pd.to_numeric(cells.cat.categories, errors="coerce")
        return pd.array(numbers, dtype=dtype).take(cells.cat.codes)
    if column.kind == "keys":
        return map_cells(cells, lambda cell: tuple(split_keys(cell)), object)
    return cells.astype("str").array


def time_in_days(time: pd.Series, unit: pd.Series) -> pd.DataFrame:
    """Return times in days: columns `low` and `high`, equal if the time is no range; NaN if blank."""
    codes, texts = pd.factorize(time)
    ends = pd.Series(texts, dtype="str").str.extract(r"^([\d.]+)(?:-([\d.]+))?$")
    factor = unit.map(schema.TIME_UNITS)
    low, high = (pd.to_numeric(numbers) for numbers in (ends[0], ends[1].fillna(ends[0])))
    each = {"low": low.reindex(codes).array, "high": high.reindex(codes).array}
    return pd.DataFrame(each, index=time.index).mul(factor, axis=0)


def table_text(project: Path, table: schema.Table) -> str:
    """Return the text of the CSV file of a table; empty if there is none.

    Raise `EvidenceError` if the table is in a workbook, to which no row can be added.
    """
    path = csv_path(project, table)
    return read_csv_text(path) if path.is_file() else ""


def append_row(project: Path, table: schema.Table, cells: Mapping[str, object]) -> None:
    """Append a row to a table of a project, and create the table if it is not there yet.

    Raise `EvidenceError` if the file cannot be written, or has no column for a cell; it is then as
    it was.
    """
    path = csv_path(project, table)
    try:
        atomic_write(path, with_rows(table_text(project, table), table, [cells]))
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be written: {error.strerror}") from None


def append_checked_row(project: Path, table: schema.Table, cells: Mapping[str, object]) -> Dataset:
    """Append a row to a table of a project if all tables are valid with it.

    Raise `DatasetError` with every problem otherwise; the new row has the number of the line that
    it would get. Nothing is written then.
    """
    dataset = read_dataset(project)
    tables, _ = read_tables(dataset.project)
    lines = table_text(dataset.project, table).splitlines()
    row = {name: str(cells.get(name, "")) for name in tables[table.file].columns}
    line = pd.Index([len(lines or [""]) + 1], name="line")
    rows = pd.concat([tables[table.file].astype("str"), pd.DataFrame(row, index=line, dtype="str")])
    checked = {**tables, table.file: rows.astype("category")}
    build_dataset(dataset.project, checked, dataset.bibliography, dataset.checksums)
    append_row(dataset.project, table, row)
    return read_dataset(dataset.project)


def with_rows(content: str, table: schema.Table, rows: Iterable[Mapping[str, object]]) -> str:
    """Return the content of a CSV file with rows appended, in the order of its own columns.

    An empty content gets a header with all columns of the table. Raise `EvidenceError` if the file
    has no column for a cell that is not blank.
    """
    # Of a BOM, which spreadsheets write, the reader would make a part of the first name.
    layout, lines = csv_layout(io.StringIO(content.removeprefix("\ufeff"), newline=""), table)
    delimiter = layout.delimiter
    header = next(csv.reader(lines, delimiter=delimiter), []) if content.strip() else []
    names = header_names(header, table) or table.names
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(
        buffer, names, delimiter=delimiter, extrasaction="ignore", lineterminator="\n"
    )
    if not header:
        writer.writeheader()
    elif not content.endswith("\n"):
        buffer.write("\n")
    for row in rows:
        for name in row.keys() - set(names):
            if row[name] not in (None, ""):
                raise EvidenceError(
                    f"{table.file}:1: column '{name}' is missing. Add it to the first line."
                )
        writer.writerow(row)
    return (content if header else "") + buffer.getvalue()
