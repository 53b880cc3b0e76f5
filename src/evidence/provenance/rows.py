"""What stands at an address: the row behind a number, in words, with the place it was read.

Vocabulary
----------
An *address* is `file:line` of a table of the project. A *place* is where in which text its number
was read: a locator and one or more sources.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.bibliography import BIBLIOGRAPHY_FILE as BIBLIOGRAPHY
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import format_time

# A number that rests on more rows than this names them, for people, as ranges of lines.
MAX_ROWS_DESCRIBED = 12


@dataclass(frozen=True)
class SourceRow:
    """A row in words: `description` what it is about, `as_printed` its number, `sources` BibTeX keys."""

    address: str
    description: str
    as_printed: str
    locator: str
    sources: tuple[str, ...]
    unconfirmed: str = ""


def describe_rows(dataset: Dataset, addresses: Iterable[str]) -> list[SourceRow]:
    """The rows at these addresses, in their order; the same address once.

    Raises
    ------
    KeyError
        An address that no table has.
    """
    wanted = list(dict.fromkeys(addresses))
    records = _records(dataset, wanted)
    found = []
    for address in wanted:
        file, _, line = address.rpartition(":")
        if file == BIBLIOGRAPHY and (reference := dataset.bibliography.at(int(line))):
            label = dataset.label(reference.key)
            found.append(SourceRow(address, f"source {label}", "", "", (reference.key,)))
        else:
            table, row = records[address]
            found.append(_describe(dataset, table.file, row))
    return found


def filled_cells(dataset: Dataset, addresses: Iterable[str]) -> dict[str, dict[str, str]]:
    """What stands in the rows at these addresses: the filled cells by column, without the remarks.

    Raises
    ------
    KeyError
        An address that no table has.
    """
    wanted = list(addresses)
    records = _records(dataset, wanted)
    found = {}
    for address in wanted:
        table, row = records[address]
        cells = {name: cell_text(row[name]) for name in table.names if name != "note"}
        found[address] = {name: cell for name, cell in cells.items() if cell}
    return found


def _records(dataset: Dataset, addresses: list[str]) -> dict[str, tuple[schema.Table, dict]]:
    """The rows at these addresses and their tables; an address that no table has is left out."""
    frames = dataset.rows_by_file(addresses)
    return {
        row["address"]: (table, row)
        for table in schema.TABLES
        if table.file in frames
        for row in frames[table.file].to_dict("records")
    }


def cell_text(value) -> str:
    """A converted cell as text again; empty if nothing stood there."""
    if isinstance(value, tuple):
        return "; ".join(value)
    if pd.isna(value):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _describe(dataset: Dataset, file: str, row: Mapping) -> SourceRow:
    """Each kind of row in its own words; a row that no text backs has no place."""
    sources = row.get("source", ())
    sources = tuple(sources) if isinstance(sources, tuple) else tuple(filter(None, [sources]))
    locator, says, printed, doubt = row.get("locator", ""), "", "", ""
    if file == schema.STUDIES.file:
        says, printed = _result(dataset, row), row["as_printed"] or row["direction"]
        doubt = "" if row["verified"] == "yes" else row["verified"]
    elif file == schema.DESIGNS.file:
        sizes = ("n_randomised", "randomised"), ("n_analysed", "analysed")
        people = [f"{row[name]} {word}" for name, word in sizes if pd.notna(row[name])]
        if pd.notna(row["followup"]):
            followup = format_time(f"{row['followup']:g}", row["followup_unit"])
            people.append(f"followed for {followup}")
        says, printed = f"{row['label']}, {row['design']}", ", ".join(people)
    elif file == schema.CLAIMS.file:
        says = f"claim {row['claim']}: {row['label']}"
        printed = f"guide: {row['guide_value']}; source: {row['source_value']}"
    elif file == schema.STATEMENTS.file:
        says, printed = f"claim {row['claim']} on {row['subject']}", row["as_said"]
    elif file == schema.GUIDE.file:
        says, printed = f"reference {row['guide_ref']} of the guide, {row['status']}", ""
        locator = row["seen_in"]
    elif file == schema.UNKNOWNS.file:
        says, printed = f"open question {row['unknown']}", row["question"]
    elif file == schema.RISK_OF_BIAS.file:
        says = f"{dataset.label(row['study'])}, {row['tool']}, {row['domain']}"
        printed = f"{row['judgement']}: {row['reason']}" if row["reason"] else row["judgement"]
    elif file == schema.MINIMAL_IMPORTANT_DIFFERENCES.file:
        says = f"what matters: {row['outcome']}, {row['measure']}"
        printed = f"{row['value']:g}: {row['reason']}"
    elif file == schema.GRADE_DECISIONS.file:
        says = f"decision on {row['question']}, {row['domain']}"
        printed = f"{row['steps']} down by {row['signed_by']}, {row['date']}: {row['reason']}"
    elif file == schema.AUDITS.file:
        says = f"audit of {dataset.label(row['study'])}, {row['arm']}, {row['outcome']}"
        printed = f"{row['answer']} by {row['signed_by']}, {row['date']}"
    else:
        says = f"{file} {next(iter(row.values()))}"
    return SourceRow(row["address"], says, printed, locator, sources, doubt)


def _result(dataset: Dataset, row: Mapping) -> str:
    arm = f"{row['arm']} against {row['versus']}" if row["versus"] else row["arm"]
    parts = [
        dataset.label(row["study"]),
        arm,
        row["outcome"],
        format_time(row["time"], row["time_unit"]),
    ]
    if pd.notna(row["n"]):
        parts.append(f"n {row['n']}")
    return ", ".join(part for part in parts if part)


def row_ranges(addresses: Iterable[str]) -> list[str]:
    """Addresses with runs of lines drawn together: data/studies.csv:2-324."""
    lines: dict[str, list[int]] = {}
    for address in dict.fromkeys(addresses):
        file, _, line = address.rpartition(":")
        lines.setdefault(file, []).append(int(line))
    found = []
    for file, numbers in lines.items():
        start = end = None
        for number in [*sorted(numbers), None]:
            if end is not None and number == end + 1:
                end = number
                continue
            if end is not None:
                found.append(f"{file}:{start}" + (f"-{end}" if end > start else ""))
            start = end = number
    return found
