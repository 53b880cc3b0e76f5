"""From files to a `Corpus`: everything is read as text, checked, and only then converted.

All problems of all files are collected before anything is refused, one line each, so that a
person mends a table in one go.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evidence.corpus import schema
from evidence.corpus.appraisals import check_appraisals
from evidence.corpus.bibliography import FILE as BIBLIOGRAPHY
from evidence.corpus.bibliography import Bibliography, read_bibliography
from evidence.corpus.columns import check_columns
from evidence.corpus.frame import Frame
from evidence.corpus.links import check_links, split_keys
from evidence.corpus.rules import check_results
from evidence.corpus.sheet import Sheet
from evidence.corpus.tables import read_tables
from evidence.errors import CorpusError, EvidenceError, Problem, Problems


@dataclass(frozen=True)
class Corpus:
    """Everything that was reported, checked and typed; nothing in it is ever changed.

    Each frame has the columns of its table in `schema`, converted, and `address` (file:line).
    Tables that a project does not have are empty frames with the right columns.
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
    appraisals: pd.DataFrame
    thresholds: pd.DataFrame
    certainties: pd.DataFrame
    waivers: pd.DataFrame
    audits: pd.DataFrame
    bibliography: Bibliography
    checksums: dict[str, str]

    def frame(self, table: schema.Table) -> pd.DataFrame:
        """The frame of one table of the schema."""
        name = Path(table.file).stem
        return self.results if name == "studies" else getattr(self, name)

    def _repr_html_(self) -> str:
        rows = [(table.file, len(self.frame(table)), table.row) for table in schema.TABLES]
        return Frame(rows, columns=["table", "rows", "a row is"])._repr_html_()

    def label(self, key: str) -> str:
        """The short name of a source: its study's in `designs.csv`, else author and year."""
        named = self.designs.loc[self.designs["study"] == key, "label"]
        return named.iloc[0] if len(named) else self.bibliography[key].label


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


def read_corpus(project: str | Path = "") -> Corpus:
    """Read, check and convert all tables of a project and its bibliography.

    Parameters
    ----------
    project : path
        A folder with `references.bib` and `data/studies.csv`; every further table is optional
        and adds its own part. Empty: see `find_project`.

    Raises
    ------
    CorpusError
        With every problem of every file.
    """
    root = find_project(project)
    sheets, problems = read_tables(root)
    try:
        bibliography = read_bibliography(root / BIBLIOGRAPHY)
    except CorpusError as error:
        problems.take(error)
        bibliography = None
    files = [BIBLIOGRAPHY, *(table.file for table in schema.TABLES)]
    present = [name for name in files if (root / name).is_file()]
    checksums = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in present}
    return build_corpus(root, sheets, bibliography, checksums, problems)


def build_corpus(
    root: Path,
    sheets: Mapping[str, Sheet],
    bibliography: Bibliography | None,
    checksums: Mapping[str, str],
    problems: Iterable[Problem] = (),
) -> Corpus:
    """Check and convert tables that were read as text.

    Parameters
    ----------
    sheets : mapping of str to Sheet
        By file name, for every table of the schema.
    problems : iterable of Problem
        What was found while reading; reported together with what is found here.

    Raises
    ------
    CorpusError
        With every problem of every table.
    """
    found = Problems(problems)
    for sheet in sheets.values():
        found.take(check_columns(sheet))
    found.take(check_results(sheets[schema.STUDIES.file]))
    appraisals, designs = (sheets[table.file] for table in (schema.APPRAISALS, schema.DESIGNS))
    found.extend(check_appraisals(appraisals.frame(), designs.frame()))
    found.take(check_links(sheets, bibliography))
    if found:
        raise CorpusError(found)
    typed = {Path(name).stem: _convert(sheet) for name, sheet in sheets.items()}
    return Corpus(
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


def days(time: pd.Series, unit: pd.Series) -> pd.DataFrame:
    """Times as days: columns `low` and `high`, equal where the time is no range; NaN if blank."""
    codes, texts = pd.factorize(time)
    ends = pd.Series(texts, dtype="str").str.extract(r"^([\d.]+)(?:-([\d.]+))?$")
    factor = unit.map(schema.TIME_UNITS)
    low, high = (pd.to_numeric(numbers) for numbers in (ends[0], ends[1].fillna(ends[0])))
    each = {"low": low.reindex(codes).array, "high": high.reindex(codes).array}
    return pd.DataFrame(each, index=time.index).mul(factor, axis=0)
