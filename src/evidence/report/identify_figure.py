"""Which figure a file is, and whether today's reports draw it differently, and how.

Vocabulary
----------
A figure is *found* (in a file, or by the id printed on it) and held against *today's*: the record
beside the figure of the same id in the finished reports.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError
from evidence.provenance.rows import MAX_ROWS_DESCRIBED, row_ranges
from evidence.provenance.values import finished_figures, read_finished
from evidence.report.figure_metadata import read_record

Rows = Mapping[str, Mapping[str, str]]
_NEEDED = {"id", "version", "title", "studies", "command", "parameters", "parts", "rows"}
_SIMILAR = 2
"""Cells in which two rows may differ and still be one row whose key was corrected."""


@dataclass(frozen=True)
class Change:
    """One way in which today's figure is another: `kind` (row added, …), where, and what."""

    kind: str
    where: str
    says: str

    def __str__(self) -> str:
        return f"{self.kind:<12} {': '.join(filter(None, (self.where, self.says)))}"


@dataclass(frozen=True)
class IdentifiedFigure:
    """A figure and what became of it; `record` is empty where only the printed id is known."""

    id: str
    version: str
    today: str
    record: dict
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    current: bool

    def as_text(self) -> str:
        """Several lines for a terminal."""
        record, name = self.record, f"{self.id}@{self.version}"
        lines = [f"{name}  {record.get('title', '')}".rstrip()]
        if record:
            lines.append(f"  from:   {', '.join(row_ranges(record['rows']))}")
            lines.append(f"  made:   {record['command']}")
            lines += [f"  study:  {study['reference']}" for study in record["studies"]]
        if self.today == self.version:
            lines.append("  today:  the same version")
        else:
            lines.append(f"  today:  {f'{self.id}@{self.today}' if self.today else 'not drawn'}")
        lines += [f"    {change}" for change in self.changes]
        return "\n".join([*lines, *(f"  note:   {note}" for note in self.notes)])

    def as_data(self) -> dict:
        """The same for machines."""
        return asdict(self)


def identify_figure(dataset: Dataset, reports: Path, asked: str) -> IdentifiedFigure:
    """The figure that a file holds, or that a printed id names, against today's reports.

    Parameters
    ----------
    reports : path
        The folder of a finished run.
    asked : str
        A file in SVG, PDF, PNG, TIFF or JPEG, whatever it is called now; or a printed id such as
        fig-shares@1a2b3c4.

    Raises
    ------
    EvidenceError
        No such file or id, a file that is no figure of this kind, or no finished reports.
    """
    found = _found(asked)
    record = {} if isinstance(found, str) else found
    identity, version = (found.split("@") if isinstance(found, str)
                         else (found["id"], found["version"]))  # fmt: skip
    today, page, empty = _today(reports, identity)
    old = _outdated(dataset, reports, page)
    notes = []
    if old:
        notes.append(f"{reports} was made before {', '.join(old)} changed; renew it with: "
                     "evidence report")  # fmt: skip
    if empty:
        notes.append(f"today nothing is drawn: {empty}")
    elif version != today["version"] and not record:
        notes.append("how it differs can only be said from a file that still has its metadata")
    changes = compare(record, today) if record and today else []
    same = bool(today) and version == today["version"]
    if not same and record and today and record["parameters"] != today["parameters"]:
        notes.append(f"it was made with other parameters than {reports}; for the same ones: "
                     f"{record['command']}")  # fmt: skip
    return IdentifiedFigure(
        id=identity,
        version=version,
        today=today["version"] if today else "",
        record=record,
        changes=tuple(changes),
        notes=tuple(notes),
        current=same and not old,
    )


def _found(asked: str) -> dict | str:
    """The record in a file, or the id that was asked for."""
    path = Path(asked)
    if not path.is_file():
        if re.fullmatch(r"fig-[a-z0-9-]+@[0-9a-f]{7}", asked):
            return asked
        raise EvidenceError(
            f"{asked}: is neither a file nor the printed id of a figure, such as fig-shares@1a2b3c4"
        )
    try:
        found = read_record(path.read_bytes())
    except OSError as error:
        raise EvidenceError(f"{asked}: cannot be read: {error.strerror}") from None
    except EvidenceError as error:
        raise EvidenceError(f"{asked}: {error}") from None
    if isinstance(found, dict) and not set(found) >= _NEEDED:
        missing = ", ".join(sorted(_NEEDED - set(found)))
        raise EvidenceError(f"{asked}: its record of the figure lacks {missing}")
    return found


def _today(reports: Path, identity: str) -> tuple[dict, str, str]:
    """Today's record of a figure, the page that shows it, and why it is empty if it is."""
    known = finished_figures(reports)
    if identity not in known:
        raise EvidenceError(
            f"{identity}: is no figure of {reports}; they hold {', '.join(known) or 'none'}"
        )
    page, empty = known[identity]["page"], known[identity]["empty"]
    if empty:
        return {}, page, empty
    return read_finished(reports, f"figures/{identity}.json")[0], page, ""


def _outdated(dataset: Dataset, reports: Path, page: str) -> list[str]:
    """The tables that have changed since a page was made."""
    (manifest,) = read_finished(reports, "manifest.json")
    inputs = manifest["reports"][page]["inputs"]
    names = [*dataset.checksums, *inputs]
    return [
        name for name in dict.fromkeys(names) if inputs.get(name) != dataset.checksums.get(name)
    ]


def compare(found: Mapping, today: Mapping) -> list[Change]:
    """How today's record differs: rows, then words, then what was computed, then code."""
    changes = _rows(found["rows"], today["rows"])
    for name in ("title", "caption"):
        if found[name] != today[name]:
            changes.append(Change("words", name, f"“{found[name]}” → “{today[name]}”"))
    parts = {name for name in found["parts"] if found["parts"][name] != today["parts"].get(name)}
    if parts & {"marks", "words"}:
        changes += _marks(found["reading"], today["reading"])
    if "marks" in parts and "rows" not in parts:
        says = "the same rows are computed, chosen or placed in another way"
        changes.append(Change("marks", "", says))
    if "code" in parts:
        says = "what lays it out and draws it, or matplotlib, is another"
        changes.append(Change("code", "", says))
    return changes


def _marks(found: list[str], today: list[str]) -> list[Change]:
    """The sentences of the reading that are no longer said, and those that are new."""
    lines = difflib.ndiff(found, today)
    kinds = {"- ": "was", "+ ": "is"}
    return [Change(kinds[line[:2]], "", line[2:]) for line in lines if line[:2] in kinds]


def _rows(found: Rows, today: Rows) -> list[Change]:
    """Rows added, removed and changed, cell by cell; a row that only moved is the same row."""
    gone, new = _unmatched(found, today), _unmatched(today, found)
    changes = []
    for same in (_same_key, _similar):
        for old in list(gone):
            now = next((place for place in new if same(old, gone[old], place, new[place])), None)
            if now is None:
                continue
            before, after = gone.pop(old), new.pop(now)
            cells = [
                f"{name} “{before.get(name, '')}” → “{after.get(name, '')}”"
                for name in dict.fromkeys((*before, *after))
                if before.get(name) != after.get(name)
            ]
            changes.append(Change("row changed", now, "; ".join(cells)))
    changes += [Change("row removed", place, _words(cells)) for place, cells in gone.items()]
    return changes + [Change("row added", place, _words(cells)) for place, cells in new.items()]


def _unmatched(rows: Rows, others: Rows) -> dict[str, Mapping[str, str]]:
    left = [_content(place, cells) for place, cells in others.items()]
    found = {}
    for place, cells in rows.items():
        content = _content(place, cells)
        if content in left:
            left.remove(content)
        else:
            found[place] = cells
    return found


def _content(place: str, cells: Mapping[str, str]) -> tuple:
    return _file(place), sorted(cells.items())


def _file(place: str) -> str:
    return place.rpartition(":")[0]


def _same_key(place: str, cells: Mapping, other: str, cells2: Mapping) -> bool:
    """Whether two rows have the key of their table in common."""
    keys = {table.file: table.key for table in schema.TABLES}
    key = keys.get(_file(place), ())
    same = _file(place) == _file(other) and all(cells.get(n) == cells2.get(n) for n in key)
    return same and bool(key)


def _similar(place: str, cells: Mapping, other: str, cells2: Mapping) -> bool:
    """Whether two rows of a table differ in few cells."""
    names: Iterable[str] = {*cells, *cells2}
    return (
        _file(place) == _file(other)
        and sum(cells.get(name) != cells2.get(name) for name in names) <= _SIMILAR
    )


def _words(cells: Mapping[str, str]) -> str:
    """The first cells of a row that are filled, to know it by."""
    return ", ".join(list(cells.values())[:MAX_ROWS_DESCRIBED])
