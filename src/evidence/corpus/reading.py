"""From files to a `Corpus`: everything is read as text, checked, and only then converted.

All problems of all files are collected before anything is refused, one line each, so that a
person mends a table in one go.
"""

import csv
import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evidence.corpus import identifiers, schema
from evidence.corpus.appraisals import check_appraisals
from evidence.corpus.bibliography import FILE as BIBLIOGRAPHY
from evidence.corpus.bibliography import Bibliography, read_bibliography
from evidence.corpus.characters import hidden, revealed
from evidence.corpus.frame import Frame
from evidence.corpus.memory import remembered
from evidence.corpus.project import find_project
from evidence.corpus.queries import parse_query
from evidence.corpus.rules import check_results
from evidence.errors import CorpusError, Problem

if TYPE_CHECKING:
    from evidence.corpus.reads import Reads

_PATTERNS = {
    "integer": (r"\d+", "is not a whole number"),
    "number": (r"-?\d+(\.\d+)?", "is not a number; write it with a point, without sign or unit"),
    "time": (r"\d+(\.\d+)?(-\d+(\.\d+)?)?", "is not a time; write a number or a range such as 0-3"),
    "date": (r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "is not a day such as 2026-11-24"),
    "p": (r"[<>]?(0?\.\d+|0|1(\.0+)?)", "is not a p value such as 0.02 or <0.01"),
}


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
        named = self.designs[["study", "label"]]
        named = named.loc[named["study"] == key, "label"]
        return named.iloc[0] if len(named) else self.bibliography[key].label


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
    return remembered(root, [BIBLIOGRAPHY, *_BY_FILE], lambda checksums: _read(root, checksums))


def _read(root: Path, checksums: Mapping[str, str]) -> Corpus:
    frames, problems = read_tables(root)
    try:
        bibliography = read_bibliography(root / BIBLIOGRAPHY)
    except CorpusError as error:
        problems += error.problems
        bibliography = None
    return build_corpus(root, frames, bibliography, checksums, problems)


def read_tables(root: Path) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
    """The tables of a project as text, by file name, and what keeps any of them from being read.

    Each has the columns of its schema and `line`; a table that is absent or unreadable is empty.
    """
    read = {table.file: _read_table(root, table) for table in schema.TABLES}
    problems = [problem for _, found in read.values() for problem in found]
    return {name: frame for name, (frame, _) in read.items()}, problems


def build_corpus(
    root: Path,
    frames: Mapping[str, pd.DataFrame],
    bibliography: Bibliography | None,
    checksums: Mapping[str, str],
    problems: Sequence[Problem] = (),
) -> Corpus:
    """Check and convert tables that were read as text.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        By file name, for every table of the schema: its columns as text, and `line`.
    problems : sequence of Problem
        What was found while reading; reported together with what is found here.

    Raises
    ------
    CorpusError
        With every problem of every table.
    """
    found = list(problems)
    for table in schema.TABLES:
        found += _check_columns(table, frames[table.file])
    found += check_results(frames[schema.STUDIES.file])
    found += check_appraisals(frames[schema.APPRAISALS.file], frames[schema.DESIGNS.file])
    found += _check_links(frames, bibliography)
    if found:
        raise CorpusError(found)
    typed = {Path(name).stem: _convert(table, frames[name]) for name, table in _BY_FILE.items()}
    return Corpus(
        project=root,
        results=typed.pop("studies"),
        **typed,
        bibliography=bibliography,
        checksums=dict(checksums),
    )


_BY_FILE = {table.file: table for table in schema.TABLES}


def _read_table(root: Path, table: schema.Table) -> tuple[pd.DataFrame, list[Problem]]:
    """The table as text, with `line`; an empty frame where it is absent or unreadable."""
    empty = pd.DataFrame({name: pd.Series(dtype=str) for name in table.names} | {"line": []})
    path = root / table.file

    def refuse(line, value, rule):
        return empty, [Problem(table.file, line, "", value, rule)]

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return refuse(0, "it", "is missing") if table.required else (empty, [])
    except OSError as error:
        return refuse(0, "it", f"cannot be read: {error.strerror}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = f"byte 0x{content[error.start]:02x}"
        return refuse(line, byte, "is not UTF-8; save the file as UTF-8")
    if not text.strip():
        return refuse(0, "it", "is empty; its first line names the columns")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines, problems = [], [], []
    start = 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        if "field limit" in str(error):
            most = csv.field_size_limit()
            rule = f"has more than {most:,} characters from here on; is a quote not closed?"
            return refuse(start, "a cell", rule)
        return refuse(start, "it", f"is not well-formed CSV: {error}")
    header, rows, lines = [name.strip() for name in rows[0]], rows[1:], lines[1:]
    problems += _check_header(table, header)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            rule = f"fields, but the header has {len(header)}; is a comma not quoted?"
            problems.append(Problem(table.file, line, "", str(len(row)), rule))
    if problems:
        return empty, problems
    if not rows and table.required:
        return refuse(0, "it", "has a header and no rows")
    # Most files hide nothing, and one look at the whole text tells so.
    if hidden(text):
        problems = [
            Problem(table.file, line, name, revealed(cell), f"hides {hidden(cell)}; take it out")
            for row, line in zip(rows, lines, strict=True)
            for name, cell in zip(header, row, strict=True)
            if hidden(cell)
        ]
    frame = pd.DataFrame(rows, columns=header, dtype=str)
    return frame.reindex(columns=table.names, fill_value="").assign(line=lines), problems


def _check_header(table: schema.Table, header: list[str]) -> list[Problem]:
    problems = []
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            problems.append(Problem(table.file, 1, name or "(blank)", name, "is a column twice"))
        if name not in table.names:
            close = difflib.get_close_matches(name, table.names, 1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(table.names)}"
            rule = f"is not a column of this table; {hint}"
            problems.append(Problem(table.file, 1, "", f"'{name}'", rule))
    needed = {column.name for column in table.columns if column.required} | set(table.key)
    for name in table.names:
        if name in needed and name not in header:
            problems.append(Problem(table.file, 1, "", f"'{name}'", "is a column that is missing"))
    return problems


def _check_columns(table: schema.Table, frame: pd.DataFrame) -> list[Problem]:
    """Required cells, vocabularies, numbers, untidy blanks and repeated rows of one table."""
    problems = []

    def report(rows, column, rule):
        problems.extend(
            Problem(table.file, line, column, value, rule)
            for line, value in zip(rows["line"], rows[column], strict=True)
        )

    for column in table.columns:
        cells = frame[column.name]
        filled = cells != ""
        report(
            frame[filled & (cells != cells.str.strip())],
            column.name,
            "has blanks around it; remove them",
        )
        if column.required:
            report(frame[~filled], column.name, "is not allowed; this column must be filled")
        if column.words:
            words = f"is not one of: {', '.join(column.words)}"
            report(frame[filled & ~cells.isin(column.words)], column.name, words)
        if column.kind in _PATTERNS:
            pattern, rule = _PATTERNS[column.kind]
            report(frame[filled & ~cells.str.fullmatch(pattern)], column.name, rule)
        if column.kind == "person":
            for line, cell in zip(frame["line"], cells, strict=True):
                for orcid in identifiers.ORCID.findall(cell):
                    rule = identifiers.refuse("orcid", orcid)
                    if rule:
                        problems.append(Problem(table.file, line, column.name, orcid, rule))
        if column.kind == "query":
            for line, text in zip(frame["line"], cells, strict=True):
                try:
                    parse_query(text)
                except ValueError as error:
                    problems.append(Problem(table.file, line, column.name, "it", f"fails: {error}"))
    twice = frame.duplicated(list(table.key), keep="first")
    first = frame.groupby(list(table.key), sort=False)["line"].transform("min")
    for index in frame.index[twice]:
        name = ", ".join(value for value in frame.loc[index, list(table.key)] if value)
        rule = f"stands already in line {first[index]}; rows differ in {', '.join(table.key)}"
        problems.append(Problem(table.file, int(frame["line"][index]), "", name, rule))
    return problems


def _unknown(table, frame, column, allowed, kind, *, many=False):
    """Problems for the words of a column that are not among `allowed`."""
    problems = []
    for line, cell in zip(frame["line"], frame[column], strict=True):
        for word in _words(cell) if many else [cell]:
            if word and word not in allowed:
                close = difflib.get_close_matches(word, list(allowed), 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                problems.append(Problem(table.file, line, column, word, f"is not {kind}{hint}"))
    return problems


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";") if word.strip()]


def _check_links(frames, bibliography) -> list[Problem]:
    """Every key that points into another table or into the bibliography must arrive there."""
    problems = []
    results = frames[schema.STUDIES.file]
    keys = f"a key of {BIBLIOGRAPHY}"
    for table in schema.TABLES:
        for column in table.columns:
            is_reference = column.kind == "key" or column.name == "source"
            if is_reference and bibliography is not None:
                many = column.kind == "keys"
                problems += _unknown(
                    table, frames[table.file], column.name, bibliography, keys, many=many
                )
    outcomes = set(frames[schema.OUTCOMES.file]["outcome"])
    if outcomes:
        known = f"an outcome of {schema.OUTCOMES.file}"
        for table in schema.TABLES:
            for column in table.columns:
                if column.kind == "outcome":
                    problems += _unknown(table, frames[table.file], column.name, outcomes, known)
    studies = set(results["study"])
    if len(results):
        known = f"a study of {schema.STUDIES.file}"
        problems += _unknown(
            schema.CLAIMS, frames[schema.CLAIMS.file], "studies", studies, known, many=True
        )
    designs = frames[schema.DESIGNS.file]
    if len(designs):
        rows = results.drop_duplicates("study")
        known = f"described in {schema.DESIGNS.file}; add a row for it"
        problems += _unknown(schema.STUDIES, rows, "study", set(designs["study"]), known)
    claims = set(frames[schema.CLAIMS.file]["claim"])
    if claims:
        known = f"a claim of {schema.CLAIMS.file}"
        for table, column in ((schema.UNKNOWNS, "claims"), (schema.STATEMENTS, "claim")):
            problems += _unknown(
                table, frames[table.file], column, claims, known, many=column == "claims"
            )
    for name in ("condition", "outcome", "arm"):
        problems += _check_spelling(results, name)
    return problems


def _check_spelling(results: pd.DataFrame, column: str) -> list[Problem]:
    """The same word in two spellings (case, blanks) would silently be two groups."""
    problems = []
    scope = results["study"] if column == "arm" else pd.Series("", index=results.index)
    folded = results[column].str.casefold().str.replace(r"\s+", " ", regex=True)
    first = results[column].groupby([scope, folded]).transform("first")
    for index in results.index[(results[column] != first) & (results[column] != "")]:
        line, value = int(results["line"][index]), results[column][index]
        rule = f"is spelled '{first[index]}' elsewhere; use one spelling"
        problems.append(Problem(schema.STUDIES.file, line, column, f"'{value}'", rule))
    return problems


def _convert(table: schema.Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The checked text as typed columns, with `address` in place of the line number."""
    columns = {}
    for column in table.columns:
        cells = frame[column.name]
        if column.kind == "integer":
            columns[column.name] = pd.to_numeric(cells.where(cells != "")).astype("Int64")
        elif column.kind == "number":
            columns[column.name] = pd.to_numeric(cells.where(cells != "")).astype("float64")
        elif column.kind == "keys":
            columns[column.name] = cells.map(lambda cell: tuple(_words(cell))).astype(object)
        else:
            columns[column.name] = cells.astype(str)
    address = table.file + ":" + frame["line"].astype(int).astype(str)
    return Frame(columns | {"address": address.astype(str)}).reset_index(drop=True)


def days(time: pd.Series, unit: pd.Series) -> pd.DataFrame:
    """Times as days: columns `low` and `high`, equal where the time is no range; NaN if blank."""
    ends = time.str.extract(r"^([\d.]+)(?:-([\d.]+))?$")
    factor = unit.map(schema.TIME_UNITS)
    low = pd.to_numeric(ends[0]) * factor
    high = pd.to_numeric(ends[1].fillna(ends[0])) * factor
    return pd.DataFrame({"low": low, "high": high})
