"""Where a project is, and which files of its folder hold its evidence.

The tables last read, kept in memory for as long as their files hold the same bytes.

Reading the bytes of a file costs a hundredth of checking what is in it, and every page of a run
checks the same files.

From files to a `Dataset`: everything is read as text, checked, and only then converted.

All problems of all files are collected before anything is refused, one line each, so that a
person mends a table in one go.

The one table that a command writes to: what people answered, appended and never lost.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.bibliography import BIBLIOGRAPHY_FILE as BIBLIOGRAPHY
from evidence.dataset.bibliography import Bibliography, read_bibliography
from evidence.dataset.csv_reader import read_tables
from evidence.dataset.notebook_display import Frame
from evidence.dataset.risk_of_bias_tools import check_appraisals
from evidence.dataset.text_table import Sheet
from evidence.dataset.validation import check_columns, check_links, check_results, split_keys
from evidence.errors import DatasetError, EvidenceError, Problem, Problems

if TYPE_CHECKING:
    from evidence.dataset.access_log import AccessLog

import csv
import io

from evidence.dataset.schema import Table


def find_project(project: str | Path = "") -> Path:
    """The folder that holds `data/studies.csv`: the one named, or the nearest one upwards.

    With nothing named and nothing found above the working directory, the folder that this
    package is installed from is used, so that a notebook runs from anywhere.

    Raises
    ------
    EvidenceError
        No such folder.
    """
    if str(project):
        places = [Path(project).expanduser()]
    else:
        here = Path.cwd()
        places = [here, *here.parents, Path(__file__).resolve().parents[3]]
    for place in places:
        if (place / schema.STUDIES.file).is_file() or (place / BIBLIOGRAPHY).is_file():
            return place.resolve()
    raise EvidenceError(
        f"{places[0]}: holds neither {schema.STUDIES.file} nor {BIBLIOGRAPHY}; "
        "name a project folder that does"
    )


def checksums(project: Path) -> dict[str, str]:
    """The SHA-256 of the bibliography and of every table that a project has, by file."""
    found = {}
    for name in (BIBLIOGRAPHY, *(table.file for table in schema.TABLES)):
        # What cannot be read is for the reader to complain of.
        with contextlib.suppress(OSError):
            found[name] = hashlib.sha256((project / name).read_bytes()).hexdigest()
    return found


Tables = TypeVar("Tables")

MAX_CACHED_PROJECTS = 2
"""Projects of which the tables are kept; large ones take as much memory again."""
_cache: dict[Path, object] = {}


def load_cached(root: Path, read: Callable[[dict[str, str]], Tables]) -> Tables:
    """What `read` made of the tables of a project, now or earlier, to be changed by nobody else.

    Parameters
    ----------
    read : callable
        Given the SHA-256 of each file by its name; returns a data class with `checksums`, and its
        errors are not remembered.
    """
    present = checksums(root)
    found = _cache.get(root)
    if found is None or found.checksums != present:
        found = read(present)
        # What was written meanwhile must not pass for what is read later.
        if checksums(root) == present:
            _cache[root] = found
        for oldest in list(_cache)[:-MAX_CACHED_PROJECTS]:
            _cache.pop(oldest, None)
    return _copy_tables(found)


def derived_cache(tables: Tables) -> dict[str, object]:
    """What was made of these tables so far, by name, for all who read them while they are kept."""
    return vars(tables).setdefault("_made", {})


def _copy_tables(tables: Tables) -> Tables:
    """The same again: pandas copies a column when, and where, it is first changed."""
    copies = {}
    for column in fields(tables):
        part = getattr(tables, column.name)
        if isinstance(part, pd.DataFrame):
            copies[column.name] = part.copy(deep=False)
        elif isinstance(part, dict):
            copies[column.name] = type(part)(part)
    again = replace(tables, **copies)
    vars(again)["_made"] = derived_cache(tables)
    return again


@dataclass(frozen=True)
class Dataset:
    """Everything that was reported, checked and typed; nothing in it is ever changed.

    Each frame has the columns of its table in `schema`, converted, and `address` (file:line).
    Tables that a project does not have are empty frames with the right columns. Where `reads` is
    set, what is read of the dataset is kept there.
    """

    project: Path
    results: pd.DataFrame
    outcomes: pd.DataFrame
    instruments: pd.DataFrame
    doses: pd.DataFrame
    designs: pd.DataFrame
    guide: pd.DataFrame
    claims: pd.DataFrame
    statements: pd.DataFrame
    unknowns: pd.DataFrame
    risk_of_bias: pd.DataFrame
    minimal_important_differences: pd.DataFrame
    grade_decisions: pd.DataFrame
    waivers: pd.DataFrame
    audits: pd.DataFrame
    bibliography: Bibliography
    checksums: dict[str, str]
    reads: "AccessLog | None" = field(default=None, repr=False, compare=False)

    def frame(self, table: schema.Table) -> pd.DataFrame:
        """The frame of one table of the schema."""
        name = Path(table.file).stem
        return self.results if name == "studies" else getattr(self, name)

    def tables_at(self, addresses: Iterable[str]) -> dict[str, pd.DataFrame]:
        """Every table by its file, to look up these addresses: only their rows count as read."""
        if self.reads is not None:
            return self.reads.tables_at(addresses)
        return {table.file: self.frame(table) for table in schema.TABLES}

    def _repr_html_(self) -> str:
        rows = [(table.file, len(self.frame(table)), table.row) for table in schema.TABLES]
        return Frame(rows, columns=["table", "rows", "a row is"])._repr_html_()

    def label(self, key: str) -> str:
        """The short name of a source: its study's in `designs.csv`, else author and year."""
        named = _labels(self)
        return named[key] if key in named else self.bibliography[key].label


def cached_per_dataset(function):
    """Let a function of a dataset and words be computed once for each: nothing changes either."""

    @wraps(function)
    def ask(dataset: Dataset, *words):
        known = vars(dataset).setdefault("_once", {})
        if (function, words) not in known:
            known[function, words] = function(dataset, *words)
        return known[function, words]

    return ask


@cached_per_dataset
def _labels(dataset: Dataset) -> dict[str, str]:
    return dict(zip(dataset.designs["study"], dataset.designs["label"], strict=True))


def load_dataset(project: str | Path = "") -> Dataset:
    """Read, check and convert all tables of a project and its bibliography.

    Parameters
    ----------
    project : path
        A folder with `references.bib` and `data/studies.csv`; every further table is optional
        and adds its own part. Empty: see `find_project`.

    Raises
    ------
    DatasetError
        With every problem of every file.
    """
    root = find_project(project)
    return load_cached(root, lambda checksums: _read(root, checksums))


def _read(root: Path, checksums: Mapping[str, str]) -> Dataset:
    sheets, problems = read_tables(root)
    try:
        bibliography = read_bibliography(root / BIBLIOGRAPHY)
    except DatasetError as error:
        problems.take(error)
        bibliography = None
    return build_dataset(root, sheets, bibliography, checksums, problems)


def build_dataset(
    root: Path,
    sheets: Mapping[str, Sheet],
    bibliography: Bibliography | None,
    checksums: Mapping[str, str],
    problems: Iterable[Problem] = (),
) -> Dataset:
    """Check and convert tables that were read as text.

    Parameters
    ----------
    sheets : mapping of str to Sheet
        By file name, for every table of the schema.
    problems : iterable of Problem
        What was found while reading; reported together with what is found here.

    Raises
    ------
    DatasetError
        With every problem of every table.
    """
    found = Problems(problems)
    for sheet in sheets.values():
        found.take(check_columns(sheet))
    found.take(check_results(sheets[schema.STUDIES.file]))
    risk_of_bias, designs = (sheets[table.file] for table in (schema.RISK_OF_BIAS, schema.DESIGNS))
    found.extend(check_appraisals(risk_of_bias.frame(), designs.frame()))
    found.take(check_links(sheets, bibliography))
    if found:
        raise DatasetError(found)
    typed = {Path(name).stem: _convert(sheet) for name, sheet in sheets.items()}
    return Dataset(
        project=root,
        results=typed.pop("studies"),
        **typed,
        bibliography=bibliography,
        checksums=dict(checksums),
    )


def _convert(sheet: Sheet) -> pd.DataFrame:
    """The checked text as typed columns, with `address` in place of the line number."""
    columns = {}
    for column in sheet.table.columns:
        cells = sheet[column.name]
        if column.kind in ("integer", "number"):
            numbers = pd.to_numeric(pd.Series(cells.values).where(cells.values != ""))
            kind = "Int64" if column.kind == "integer" else "float64"
            columns[column.name] = numbers.astype(kind).array.take(cells.codes)
        elif column.kind == "keys":
            columns[column.name] = cells.map(lambda cell: tuple(split_keys(cell)), object)
        else:
            columns[column.name] = pd.array(cells.text, dtype="str")
    addresses = [f"{sheet.table.file}:{line}" for line in sheet.lines]
    return Frame(columns | {"address": pd.array(addresses, dtype="str")})


def time_in_days(time: pd.Series, unit: pd.Series) -> pd.DataFrame:
    """Times as days: columns `low` and `high`, equal where the time is no range; NaN if blank."""
    codes, texts = pd.factorize(time)
    ends = pd.Series(texts, dtype="str").str.extract(r"^([\d.]+)(?:-([\d.]+))?$")
    factor = unit.map(schema.TIME_UNITS)
    low, high = (pd.to_numeric(numbers) for numbers in (ends[0], ends[1].fillna(ends[0])))
    each = {"low": low.reindex(codes).array, "high": high.reindex(codes).array}
    return pd.DataFrame(each, index=time.index).mul(factor, axis=0)


def append_row(project: Path, table: Table, cells: Mapping[str, object]) -> None:
    """Add a row to a table of a project, and the table itself if it is not there yet.

    The new file takes the place of the old one in a single step, so that a stop in between
    leaves the old one.

    Raises
    ------
    EvidenceError
        The file cannot be written.
    """
    path = project / table.file
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, table.names, restval="", lineterminator="\n")
    try:
        old = path.read_text("utf-8") if path.is_file() else ""
        if not old.strip():
            writer.writeheader()
        elif not old.endswith("\n"):
            buffer.write("\n")
        writer.writerow(cells)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(old + buffer.getvalue(), "utf-8")
        beside.replace(path)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be written: {error.strerror}") from None
