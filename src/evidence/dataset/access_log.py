"""What a report reads of its project, kept by digest, so that it can be told later what changed.

Vocabulary
----------
A *view* is a table, or what a function derives from the tables by words alone, such as the results
of one scope or the register of unknowns. The *record* of a report has a digest for every row and
column of every frame that it read, for everything else that is derived, for every source and for
every file. Where all of them are as they were, the report would come out as it did.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property, wraps
from importlib import import_module
from pathlib import Path

import pandas as pd

from evidence.dataset import opened, schema
from evidence.dataset.bibliography import BIBLIOGRAPHY_FILE as BIBLIOGRAPHY
from evidence.dataset.dataset import Dataset, derived_cache
from evidence.dataset.digests import digest, exact
from evidence.dataset.watching import WHOLE, Watched, WatchedBibliography, source_digest
from evidence.errors import EvidenceError

ROWS = 20_000
"""A larger view is kept by a digest for each column and none for its rows."""
REMARKS = ("note",)
"""What whoever made the tables noted for the next one; what looks a row up does not look there."""

_DERIVED: dict[str, Callable] = {}


def cached_view(function):
    """Make a function of a dataset and words a view: what is read of what it gives is kept.

    Of a frame these are rows and columns; anything else counts as read as a whole.
    """
    name = f"{function.__module__}.{function.__name__}"
    _DERIVED[name] = function

    @wraps(function)
    def ask(dataset: Dataset, **words):
        if dataset.reads is None:
            return function(dataset, **words)
        return dataset.reads.view(name, json.loads(json.dumps(words))).given()

    ask.of_tables = name
    return ask


def cached_value(dataset: Dataset, function: Callable):
    """What a derived function gives without any words; made once, so that nobody may change it.

    `dataset` is as it was read: what is made serves everyone who reads the same tables.
    """
    return _view(dataset, function.of_tables, {}).value


def precompute_views(dataset: Dataset) -> None:
    """Make what hangs on the tables alone, for all who will ask for it in forks of this process."""
    for name in _DERIVED:
        found = _view(dataset, name, {})
        if not isinstance(found.value, pd.DataFrame):
            _ = found.digest


def watched(dataset: Dataset) -> Dataset:
    """The same dataset, which keeps in its `reads` what is read of it from now on."""
    reads = AccessLog(dataset)
    fields = {"results" if name == "studies" else name: reads.view(name, {}) for name in _TABLES}
    return replace(
        dataset,
        **{name: Watched(view.frame, view) for name, view in fields.items()},
        bibliography=WatchedBibliography(dataset.bibliography, reads.sources),
        reads=reads,
    )


class TableDependency:
    """A view, and what was read of it: whole columns, and rows by their address."""

    def __init__(self, frame: pd.DataFrame):
        self.frame = frame
        self.columns: set[str] = set()
        self.rows: set[str] = set()

    def given(self) -> Watched:
        """The frame for whoever asked."""
        return Watched(self.frame, self)

    @property
    def noted(self) -> bool:
        """Whether anything was read of it."""
        return bool(self.columns or self.rows)

    def note(self, part: pd.DataFrame, columns: Iterable[str] | None) -> None:
        """Some columns, or all, of some rows were read; what picks the rows is noted by itself."""
        whole = len(part) == len(self.frame)
        names = list(self.frame.columns if columns is None else columns)
        if len(self.frame) > ROWS or (whole and columns is not None):
            self.columns.update(names if whole else self.frame.columns)
        else:
            self.rows.update(part["address"])
            self.columns.update(({*REMARKS} | ({"address"} if whole else set())) & {*names})

    @cached_property
    def digests(self) -> dict[str, str]:
        """A digest for each row, by its address, without the remarks: they are read alone."""
        return _digests(self.frame)

    def column(self, name: str) -> str:
        """The digest of a column; empty if there is none of the name."""
        return digest(list(self.frame[name])) if name in self.frame else ""

    def as_record(self) -> dict:
        """What was read, by digest."""
        return {
            "columns": {name: self.column(name) for name in sorted(self.columns)},
            "rows": _digests(self.frame[self.frame["address"].isin(self.rows)]),
        }

    def changes(self, name: str, record: Mapping) -> Iterator[str]:
        """What of a record is no longer so, in words."""
        for row, was in record["rows"].items():
            if row not in self.digests:
                yield f"{row} is gone"
            elif self.digests[row] != was:
                yield f"{row} changed"
        for column, was in record["columns"].items():
            if self.column(column) != was:
                told = "rows came, went or moved" if column == "address" else f"{column} changed"
                yield f"{name}: {told}"


class DerivedValue:
    """What was derived, and once somebody asks for it the digest of the whole."""

    def __init__(self, value):
        self.value = value

    @cached_property
    def digest(self) -> str:
        """Of everything in the value."""
        return digest(exact(self.value))


class OpaqueDependency:
    """A view that is no frame: whoever asks for it has read all of it."""

    def __init__(self, made: DerivedValue):
        self._made = made
        self.noted = False

    def given(self):
        """The value for whoever asked, who may add to it."""
        self.noted = True
        return copy(self._made.value)

    def as_record(self) -> dict:
        """What was read, by digest."""
        return {"whole": self._made.digest}

    def changes(self, name: str, record: Mapping) -> Iterator[str]:
        """What of a record is no longer so, in words."""
        if record["whole"] != self._made.digest:
            yield f"{name} changed"


class AccessLog:
    """Everything that was read of a dataset."""

    def __init__(self, dataset: Dataset):
        self._dataset = dataset
        self._views: dict[str, tuple[str, dict, TableDependency | OpaqueDependency]] = {}
        self.sources: dict[str, str] = {}

    def view(self, name: str, words: dict) -> TableDependency | OpaqueDependency:
        """The view of a table, by its name without ending, or of a function and its words."""
        key = f"{name} {json.dumps(words, sort_keys=True)}"
        if key not in self._views:
            found = _view(self._dataset, name, words)
            is_frame = isinstance(found.value, pd.DataFrame)
            self._views[key] = (
                name,
                words,
                TableDependency(found.value) if is_frame else OpaqueDependency(found),
            )
        return self._views[key][2]

    def tables_at(self, addresses: Iterable[str]) -> dict[str, pd.DataFrame]:
        """As of `Dataset`."""
        asked: dict[str, set[str]] = {}
        for address in addresses:
            asked.setdefault(address.rpartition(":")[0], set()).add(address)
        for name, table in _TABLES.items():
            self.view(name, {}).rows.update(asked.get(table.file, ()))
        return self._dataset.tables_at(())

    def as_record(self, files: Iterable[Path] = ()) -> dict:
        """What was read so far, as JSON; `files` are further ones, outside the tables."""
        views = [
            {"view": name, "words": words, **view.as_record()}
            for name, words, view in self._views.values()
            if view.noted
        ]
        project = self._dataset.project
        return {
            "views": views,
            "sources": dict(sorted(self.sources.items())),
            "files": {opened.relative(path, project): opened.digest(path) for path in files},
        }


class Comparison:
    """Compares records with a dataset as it is now; each view is derived and digested once."""

    def __init__(self, dataset: Dataset):
        self._dataset, self._reads = dataset, AccessLog(dataset)

    def changes(self, record: Mapping) -> list[str]:
        """What of a record is no longer so, in words; empty if all of it is."""
        return list(self._changes(record))

    def _changes(self, record: Mapping) -> Iterator[str]:
        for entry in record["views"]:
            name, words = entry["view"], entry["words"]
            try:
                view = self._reads.view(name, words)
            except EvidenceError as error:
                yield str(error)
                continue
            yield from view.changes(_named(name, words), entry)
        for key, was in record["sources"].items():
            if source_digest(self._dataset.bibliography, key) != was:
                yield f"{BIBLIOGRAPHY}: {'an entry' if key == WHOLE else key} changed"
        for name, was in record["files"].items():
            if opened.digest(self._dataset.project / name) != was:
                yield f"{name} changed"


_TABLES = {Path(table.file).stem: table for table in schema.TABLES}


def _view(dataset: Dataset, name: str, words: dict) -> DerivedValue:
    if name in _TABLES:
        return DerivedValue(dataset.frame(_TABLES[name]))
    if name.startswith("evidence."):
        import_module(name.rpartition(".")[0])
    if words:
        return DerivedValue(_DERIVED[name](dataset, **words))
    known = derived_cache(dataset)
    if name not in known:
        known[name] = DerivedValue(_DERIVED[name](dataset))
    return known[name]


def _named(name: str, words: Mapping) -> str:
    if name in _TABLES:
        return _TABLES[name].file
    said = ", ".join(f"{key} {value}" for key, value in words.items() if value)
    return name.rpartition(".")[2] + (f" ({said})" if said else "")


def _digests(frame: pd.DataFrame) -> dict[str, str]:
    kept = frame.drop(columns=["address", *REMARKS], errors="ignore")
    rows = kept.itertuples(index=False, name=None)
    return {address: digest(row) for address, row in zip(frame["address"], rows, strict=True)}
