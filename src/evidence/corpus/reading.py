"""From files to a `Corpus`: everything is read as text, checked, and only then converted.

All problems of all files are collected before anything is refused, one line each, so that a
person mends a table in one go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evidence.corpus import schema
from evidence.corpus.appraisals import check_appraisals
from evidence.corpus.bibliography import FILE as BIBLIOGRAPHY
from evidence.corpus.bibliography import Bibliography, read_bibliography
from evidence.corpus.columns import check_columns
from evidence.corpus.frame import Frame
from evidence.corpus.links import check_links, split_keys
from evidence.corpus.memory import remembered
from evidence.corpus.project import find_project
from evidence.corpus.rules import check_results
from evidence.corpus.sheet import Sheet
from evidence.corpus.tables import read_tables
from evidence.errors import CorpusError, Problem, Problems

if TYPE_CHECKING:
    from evidence.corpus.reads import Reads


@dataclass(frozen=True)
class Corpus:
    """Everything that was reported, checked and typed; nothing in it is ever changed.

    Each frame has the columns of its table in `schema`, converted, and `address` (file:line).
    Tables that a project does not have are empty frames with the right columns. Where `reads` is
    set, what is read of the corpus is kept there.
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
    reads: "Reads | None" = field(default=None, repr=False, compare=False)

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


def once(function):
    """Let a function of a corpus and words be computed once for each: nothing changes either."""

    @wraps(function)
    def ask(corpus: Corpus, *words):
        known = vars(corpus).setdefault("_once", {})
        if (function, words) not in known:
            known[function, words] = function(corpus, *words)
        return known[function, words]

    return ask


@once
def _labels(corpus: Corpus) -> dict[str, str]:
    return dict(zip(corpus.designs["study"], corpus.designs["label"], strict=True))


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
    return remembered(root, lambda checksums: _read(root, checksums))


def _read(root: Path, checksums: Mapping[str, str]) -> Corpus:
    sheets, problems = read_tables(root)
    try:
        bibliography = read_bibliography(root / BIBLIOGRAPHY)
    except CorpusError as error:
        problems.take(error)
        bibliography = None
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
