"""`evidence identify`: which figure a file is, and how the figure of today's reports differs."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError, did_you_mean
from evidence.files import path_digest, read_json
from evidence.provenance.rows import MAX_ROWS_DESCRIBED, row_ranges
from evidence.provenance.values import read_build_files, read_figure_records
from evidence.report.cite import cited_part, read_part_record
from evidence.report.figure_metadata import read_metadata

Rows = Mapping[str, Mapping[str, str]]
_NAME = re.compile(r"((?:fig|tab)-[a-z0-9-]+)@([0-9a-f]{7})")
_KEYS = {table.file: table.key for table in schema.TABLES}


@dataclass(frozen=True)
class Change:
    """One difference to today's figure: its `kind` (row added, code, …), where, and what."""

    kind: str
    location: str
    description: str

    def __str__(self) -> str:
        return f"{self.kind:<12} {': '.join(filter(None, (self.location, self.description)))}"


@dataclass(frozen=True)
class IdentifiedFigure:
    """A figure and how it differs from that of today's reports.

    `record` is empty if only the printed id is known, `current_version` if today's reports draw
    no such figure. `current` says whether the version is that of today's data.
    """

    id: str
    version: str
    current_version: str
    record: dict
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    current: bool

    def as_text(self) -> str:
        """Return several lines for a terminal."""
        record = self.record
        lines = [f"{self.id}@{self.version}  {record.get('title', '')}".rstrip()]
        if record:
            lines.append(f"  source rows:  {', '.join(row_ranges(record['rows']))}")
            lines.append(f"  command:      {record['command']}")
            lines += [f"  study:        {study['reference']}" for study in record["studies"]]
        today = f"{self.id}@{self.current_version}" if self.current_version else "not drawn"
        is_same = self.current_version == self.version
        lines.append(f"  today:        {'the same version' if is_same else today}")
        lines += [f"    {change}" for change in self.changes]
        return "\n".join([*lines, *(f"  note:         {note}" for note in self.notes)])

    def as_data(self) -> dict:
        """Return the same as JSON."""
        return asdict(self)


def identify_figure(dataset: Dataset, reports: Path, query: str) -> IdentifiedFigure:
    """Identify a figure and compare it with the figure of the same id in finished reports.

    Raise `EvidenceError` if there is no such file or id, the file is not a figure of this project,
    or there are no finished reports. `query` is a file in SVG, PDF, PNG, EPS or TIFF under any
    name, any other file of a figure or table of today's reports, or an id with a version, such as
    fig-shares@1a2b3c4.
    """
    record = _record_of_file(Path(query), reports) if Path(query).is_file() else query
    if isinstance(record, str):
        match = _NAME.fullmatch(record)
        if match is None:
            raise EvidenceError(
                f"{query} is neither a file nor the id printed on a figure, such as "
                "fig-shares@1a2b3c4."
            )
        record, (identity, version) = {}, match.groups()
    else:
        identity, version = record["id"], record["version"]
    today, page, empty = _todays_record(reports, identity)
    is_same = bool(today) and version == today["version"]
    changed_tables = _changed_tables(dataset, reports, page)
    notes = []
    if changed_tables:
        notes.append(
            f"{', '.join(changed_tables)} changed after {reports} was built; rebuild it with: "
            "evidence report"
        )
    if empty:
        notes.append(f"nothing is drawn today: {empty}")
    elif not is_same and not record:
        kind = "table" if identity.startswith("tab-") else "figure"
        notes.append(f"only the data or a file with its record can show how the {kind} differs")
    elif not is_same and record["parameters"] != today["parameters"]:
        notes.append(f"it was made with other parameters than {reports}: {record['command']}")
    return IdentifiedFigure(
        id=identity,
        version=version,
        current_version=today.get("version", ""),
        record=record,
        changes=tuple(compare_records(record, today)) if record and today else (),
        notes=tuple(notes),
        current=is_same and not changed_tables,
    )


def _record_of_file(path: Path, reports: Path) -> dict | str:
    """Return the record in a file, or of the same file today, or its id with its version."""
    checksum = path_digest(path)
    for sidecar in sorted((reports / "figures").glob("*.json")):
        content = read_part_record(sidecar, "files")
        if checksum in content["files"].values():
            return content
    for file in (reports / "tables").glob("tab-*"):
        if path_digest(file) == checksum:
            return cited_part(read_part_record(file.with_suffix(".json"))).name
    record, text = read_metadata(path)
    if record:
        return record
    names = dict.fromkeys(match[0] for match in _NAME.finditer(text))
    if len(names) == 1:
        return next(iter(names))
    if names:
        raise EvidenceError(f"{path} shows several figures: {', '.join(names)}. Ask for one id.")
    raise EvidenceError(
        f"{path} carries no record of a figure. Give the id printed at the lower right of the "
        "figure, such as fig-shares@1a2b3c4."
    )


def _todays_record(reports: Path, identity: str) -> tuple[dict, str, str]:
    """Today's record of a figure or table, the page that shows it, and the reason if it is empty."""
    figures = read_figure_records(reports)
    for path in (reports / "values").glob("*.json"):
        if identity in read_json(path)["tables"]:
            return read_part_record(reports / "tables" / f"{identity}.json"), path.stem, ""
    if identity not in figures:
        hint = did_you_mean(identity, figures)
        raise EvidenceError(
            f"{reports} has no figure or table {identity}.{hint} Available: {', '.join(figures) or 'none'}."
        )
    page, empty = figures[identity]["page"], figures[identity]["empty"]
    record = {} if empty else read_build_files(reports, f"figures/{identity}.json")[0]
    return record, page, empty


def _changed_tables(dataset: Dataset, reports: Path, page: str) -> list[str]:
    """Return the tables that changed after a page was built."""
    (manifest,) = read_build_files(reports, "manifest.json")
    inputs, today = manifest["reports"][page]["inputs"], dataset.checksums
    return [
        name for name in dict.fromkeys([*today, *inputs]) if inputs.get(name) != today.get(name)
    ]


def compare_records(record: Mapping, today: Mapping) -> list[Change]:
    """Return how today's record differs: in rows, words, computation and code."""
    changes = _compare_rows(record["rows"], today["rows"])
    for name in ("title", "caption"):
        if record[name] != today[name]:
            changes.append(Change("words", name, f"“{record[name]}” → “{today[name]}”"))
    parts = {name for name, part in record["parts"].items() if part != today["parts"].get(name)}
    if parts & {"marks", "words"}:
        kinds = {"- ": "was", "+ ": "is"}
        lines = difflib.ndiff(record["reading"], today["reading"])
        changes += [Change(kinds[line[:2]], "", line[2:]) for line in lines if line[:2] in kinds]
    if "marks" in parts and "rows" not in parts:
        text = "the same rows are selected, computed or placed differently"
        changes.append(Change("computation", "", text))
    if "code" in parts:
        changes.append(Change("code", "", "the drawing code or matplotlib changed"))
    return changes


def _compare_rows(rows: Rows, today: Rows) -> list[Change]:
    """Rows added, removed and changed, cell by cell; a row that only moved is the same row."""
    removed, added, changes = _without(rows, today), _without(today, rows), []
    for address, before in list(removed.items()):
        key = _row_key(address, before)
        match = next((other for other, cells in added.items() if _row_key(other, cells) == key), "")
        if match:
            after = added.pop(match)
            del removed[address]
            differences = [
                f"{name} “{before.get(name, '')}” → “{after.get(name, '')}”"
                for name in dict.fromkeys((*before, *after))
                if before.get(name) != after.get(name)
            ]
            changes.append(Change("row changed", match, "; ".join(differences)))
    for kind, others in (("row removed", removed), ("row added", added)):
        for address, cells in others.items():
            text = ", ".join(list(cells.values())[:MAX_ROWS_DESCRIBED])
            changes.append(Change(kind, address, text))
    return changes


def _without(rows: Rows, others: Rows) -> dict[str, Mapping[str, str]]:
    """Return the rows whose cells do not occur among the others in the same table."""
    known = {
        (schema.table_file(address), *sorted(cells.items())) for address, cells in others.items()
    }
    return {
        address: cells
        for address, cells in rows.items()
        if (schema.table_file(address), *sorted(cells.items())) not in known
    }


def _row_key(address: str, cells: Mapping[str, str]) -> tuple:
    """Return the key of a row in its table."""
    file = schema.table_file(address)
    return (file, *(cells.get(name) for name in _KEYS.get(file, cells)))
