"""Describe the row behind an address, with the source that was read.

Vocabulary
----------
An *address* is `file:line` of a table of the project, such as `data/studies.csv:14`. One at which no
table has a row raises KeyError.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.provenance.sentence import format_time

MAX_ROWS_DESCRIBED = 12
"""A number that rests on more rows is shown with ranges of lines instead of each row."""
SOURCE_COLUMNS = {schema.KNOWN_STUDIES.file: "listed_by"}
LOCATOR_COLUMNS = {
    schema.GUIDE.file: "seen_in",
    schema.READINGS.file: "part",
    schema.WANTED_RESULTS.file: "part",
}
"""The columns of tables that do not call them `source` and `locator`."""


@dataclass(frozen=True)
class SourceRow:
    """A row in words: its subject, what it prints, and where that was read.

    `sources` and `study` are BibTeX keys. `unconfirmed` says why the row is not confirmed at its
    source; empty if it is. `reading` says who read that place and when, and `url` at which page;
    empty if no reading is recorded.
    """

    address: str
    description: str
    as_printed: str
    locator: str
    sources: tuple[str, ...]
    unconfirmed: str = ""
    reading: str = ""
    url: str = ""
    study: str = ""


def describe_rows(dataset: Dataset, addresses: Iterable[str]) -> list[SourceRow]:
    """Describe the rows at these addresses in their order, without duplicates."""
    unique_addresses = list(dict.fromkeys(addresses))
    records = _records(dataset, unique_addresses)
    rows = []
    for address in unique_addresses:
        file, _, line = address.rpartition(":")
        if file == BIBLIOGRAPHY_FILE and (reference := dataset.bibliography.at(int(line))):
            description = f"source {dataset.label(reference.key)}"
            rows.append(SourceRow(address, description, "", "", (reference.key,)))
        else:
            rows.append(_source_row(dataset, *records[address]))
    return rows


def sources_at(dataset: Dataset, addresses: Iterable[str]) -> dict[str, None]:
    """Return the keys of the texts in which the rows at these addresses were read, in order."""
    rows = describe_rows(dataset, addresses)
    return dict.fromkeys(key for row in rows for key in row.sources)


def filled_cells(dataset: Dataset, addresses: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the filled cells of the rows at these addresses, by column, without the notes."""
    addresses = list(addresses)
    records, cells_by_address = _records(dataset, addresses), {}
    for address in addresses:
        table, row = records[address]
        remarks = table.with_role("remark")
        cells = {name: cell_text(row[name]) for name in table.names if name not in remarks}
        cells_by_address[address] = {name: cell for name, cell in cells.items() if cell}
    return cells_by_address


def cell_text(value: Any) -> str:
    """Turn a typed cell back into text; an empty cell is an empty text."""
    if isinstance(value, tuple):
        return "; ".join(value)
    if pd.isna(value):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def row_ranges(addresses: Iterable[str]) -> list[str]:
    """Join the addresses of each file: `data/studies.csv:2-324, 326`."""
    lines_by_file: dict[str, set[int]] = {}
    for address in addresses:
        file, _, line = address.rpartition(":")
        lines_by_file.setdefault(file, set()).add(int(line))
    return [f"{file}:{', '.join(_line_ranges(lines))}" for file, lines in lines_by_file.items()]


def _line_ranges(lines: set[int]) -> Iterator[str]:
    for start in sorted(line for line in lines if line - 1 not in lines):
        end = start
        while end + 1 in lines:
            end += 1
        yield f"{start}-{end}" if end > start else str(start)


def _records(dataset: Dataset, addresses: list[str]) -> dict[str, tuple[schema.Table, dict]]:
    """Return each row with its table, by address; unknown addresses are left out."""
    frames = dataset.rows_by_file(addresses)
    return {
        row["address"]: (table, row)
        for table in schema.TABLES
        if table.file in frames
        for row in frames[table.file].to_dict("records")
    }


def _source_row(dataset: Dataset, table: schema.Table, row: Mapping) -> SourceRow:
    source = row.get(SOURCE_COLUMNS.get(table.file, "source"), ())
    sources = source if isinstance(source, tuple) else tuple(filter(None, [source]))
    locator = row.get(LOCATOR_COLUMNS.get(table.file, "locator"), "")
    verified = row["verified"] if table is schema.STUDIES else "yes"
    unconfirmed = "" if verified == "yes" else verified
    description, as_printed = _describe(dataset, table, row)
    reading, url = _describe_reading_of(dataset, table, sources, locator)
    return SourceRow(
        row["address"],
        description,
        as_printed,
        locator,
        sources,
        unconfirmed,
        reading,
        url,
        study=row.get("study", ""),
    )


def _describe_reading_of(
    dataset: Dataset, table: schema.Table, sources: tuple[str, ...], locator: str
) -> tuple[str, str]:
    """Return who read the place that a row names, and when; and at which page."""
    if table is schema.READINGS or len(sources) != 1 or not locator:
        return "", ""
    reading = dataset.reading_of(sources[0], locator)
    if not reading:
        return "", ""
    is_said = locator.casefold().startswith(reading["kind"])
    kind = "" if is_said else f"{reading['kind']}, "
    return f"{kind}read by {reading['read_by']} on {reading['date']}", reading["url"]


def _describe(dataset: Dataset, table: schema.Table, row: Mapping) -> tuple[str, str]:
    """Return the subject of a row and what it prints."""
    match table.file:
        case schema.STUDIES.file:
            return _describe_result(dataset, row), row["as_printed"] or row["direction"]
        case schema.DESIGNS.file:
            return f"{row['label']}, {row['design']}", _describe_size(row)
        case schema.CLAIMS.file:
            values = f"guide: {row['guide_value']}; source: {row['source_value']}"
            return f"claim {row['claim']}: {row['label']}", values
        case schema.STATEMENTS.file:
            return f"claim {row['claim']} on {row['subject']}", row["as_said"]
        case schema.GUIDE.file:
            return f"reference {row['guide_ref']} of the guide, {row['status']}", ""
        case schema.UNKNOWNS.file:
            return f"unknown {row['unknown']}", row["question"]
        case schema.RISK_OF_BIAS.file:
            judgement = ": ".join(filter(None, [row["judgement"], row["reason"]]))
            return f"{dataset.label(row['study'])}, {row['tool']}, {row['domain']}", judgement
        case schema.MINIMAL_IMPORTANT_DIFFERENCES.file:
            description = f"minimal important difference: {row['outcome']}, {row['measure']}"
            return description, f"{row['value']:g}: {row['reason']}"
        case schema.GRADE_DECISIONS.file:
            signature = f"{row['signed_by']}, {row['date']}"
            decision = f"rated down by {row['steps']} ({signature}): {row['reason']}"
            return f"GRADE decision on {row['question']}, {row['domain']}", decision
        case schema.READINGS.file:
            return f"reading of {dataset.label(row['source'])}, {row['kind']}", _describe_reading(
                row
            )
        case schema.SEARCHES.file:
            where = f"search {row['search']} of {row['database']}, {row['date']}"
            return where, f"{row['query']}: {_describe_records(row)}"
        case schema.KNOWN_STUDIES.file:
            status = ": ".join(filter(None, [row["status"], row["reason"]]))
            sizes = ", ".join(filter(None, [row["design"], _describe_size(row)]))
            return f"known study {row['label']}, {status}", sizes
        case schema.WANTED_RESULTS.file:
            return f"wanted: {_describe_result(dataset, row)}", row["reason"]
        case schema.AUDITS.file:
            study = dataset.label(row["study"])
            answer = f"{row['answer']} ({row['signed_by']}, {row['date']})"
            return f"audit of {study}, {row['arm']}, {row['outcome']}", answer
    return f"{table.file} {next(iter(row.values()))}", ""


def _describe_result(dataset: Dataset, row: Mapping) -> str:
    arm = f"{row['arm']} against {row['versus']}" if row["versus"] else row["arm"]
    time = format_time(row["time"], row["time_unit"])
    n = f"n = {row['n']}" if pd.notna(row.get("n")) else ""
    return ", ".join(filter(None, [dataset.label(row["study"]), arm, row["outcome"], time, n]))


def _describe_size(row: Mapping) -> str:
    parts = [
        f"{row[name]} {participle}"
        for name, participle in (("n_randomised", "randomised"), ("n_analysed", "analysed"))
        if pd.notna(row.get(name))
    ]
    if pd.notna(length := row["followup"]):
        parts.append(f"followed for {format_time(f'{length:g}', row['followup_unit'])}")
    return ", ".join(parts)


def _describe_reading(row: Mapping) -> str:
    reading = f"read by {row['read_by']} on {row['date']} at {row['url']}"
    missing = f"not reported there: {', '.join(row['not_reported'])}" if row["not_reported"] else ""
    return "; ".join(filter(None, [reading, missing]))


def _describe_records(row: Mapping) -> str:
    return ", ".join(
        f"{row[name]} {name}"
        for name in ("records", "duplicates", "screened", "excluded", "kept")
        if pd.notna(row[name])
    )
