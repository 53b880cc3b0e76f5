"""What a report reads of its project, kept by digest, so that it can be told later what changed.

Vocabulary
----------
A *view* is a table, or a frame that a function derives from the tables by words alone, such as the
results of one scope. The *record* of a report has a digest for every row and column of every view
that it read, for every source and for every file. Where all of them are as they were, the report
would come out as it did.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, wraps
from importlib import import_module
from pathlib import Path

import pandas as pd

from evidence.corpus import opened, schema
from evidence.corpus.bibliography import FILE as BIBLIOGRAPHY
from evidence.corpus.bibliography import Bibliography
from evidence.corpus.frame import Frame
from evidence.corpus.reading import Corpus
from evidence.errors import EvidenceError

ROWS = 20_000
"""A larger view is kept by a digest for each column and none for its rows."""
WHOLE = "*"
REMARKS = ("note",)
"""What whoever made the tables noted for the next one; what looks a row up does not look there."""

_DERIVED: dict[str, Callable] = {}


def derived(function):
    """Make a function from a corpus and words to a frame a view: what is read of it is kept."""
    name = f"{function.__module__}.{function.__name__}"
    _DERIVED[name] = function

    @wraps(function)
    def ask(corpus: Corpus, **words):
        if corpus.reads is None:
            return function(corpus, **words)
        view = corpus.reads.view(name, json.loads(json.dumps(words)))
        return Watched(view.frame, view)

    return ask


def watched(corpus: Corpus) -> Corpus:
    """The same corpus, which keeps in its `reads` what is read of it from now on."""
    reads = Reads(corpus)
    fields = {"results" if name == "studies" else name: reads.view(name, {}) for name in _TABLES}
    return replace(
        corpus,
        **{name: Watched(view.frame, view) for name, view in fields.items()},
        bibliography=WatchedBibliography(corpus.bibliography, reads.sources),
        reads=reads,
    )


class View:
    """A view, and what was read of it: whole columns, and rows by their address."""

    def __init__(self, frame: pd.DataFrame):
        self.frame = frame
        self.columns: set[str] = set()
        self.rows: set[str] = set()

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
        return _digest(list(self.frame[name])) if name in self.frame else ""

    def as_record(self) -> dict:
        """What was read, by digest."""
        return {
            "columns": {name: self.column(name) for name in sorted(self.columns)},
            "rows": _digests(self.frame[self.frame["address"].isin(self.rows)]),
        }

    def changes(self, name: str, record: Mapping) -> Iterator[str]:
        """What of a record is no longer so, in words."""
        for row, digest in record["rows"].items():
            if row not in self.digests:
                yield f"{row} is gone"
            elif self.digests[row] != digest:
                yield f"{row} changed"
        for column, digest in record["columns"].items():
            if self.column(column) != digest:
                told = "rows came, went or moved" if column == "address" else f"{column} changed"
                yield f"{name}: {told}"


class Reads:
    """Everything that was read of a corpus."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus
        self._views: dict[str, tuple[str, dict, View]] = {}
        self.sources: dict[str, str] = {}

    def view(self, name: str, words: dict) -> View:
        """The view of a table, by its name without ending, or of a function and its words."""
        key = f"{name} {json.dumps(words, sort_keys=True)}"
        if key not in self._views:
            self._views[key] = (name, words, View(_view(self._corpus, name, words)))
        return self._views[key][2]

    def tables_at(self, addresses: Iterable[str]) -> dict[str, pd.DataFrame]:
        """As of `Corpus`."""
        asked: dict[str, set[str]] = {}
        for address in addresses:
            asked.setdefault(address.rpartition(":")[0], set()).add(address)
        for name, table in _TABLES.items():
            self.view(name, {}).rows.update(asked.get(table.file, ()))
        return self._corpus.tables_at(())

    def as_record(self, files: Iterable[Path] = ()) -> dict:
        """What was read so far, as JSON; `files` are further ones, outside the tables."""
        views = [
            {"view": name, "words": words, **view.as_record()}
            for name, words, view in self._views.values()
            if view.columns or view.rows
        ]
        project = self._corpus.project
        return {
            "views": views,
            "sources": dict(sorted(self.sources.items())),
            "files": {opened.relative(path, project): opened.digest(path) for path in files},
        }


class Comparison:
    """Compares records with a corpus as it is now; each view is derived and digested once."""

    def __init__(self, corpus: Corpus):
        self._corpus, self._reads = corpus, Reads(corpus)

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
        for key, digest in record["sources"].items():
            if _source(self._corpus.bibliography, key) != digest:
                yield f"{BIBLIOGRAPHY}: {'an entry' if key == WHOLE else key} changed"
        for name, digest in record["files"].items():
            if opened.digest(self._corpus.project / name) != digest:
                yield f"{name} changed"


class Watched(Frame):
    """A frame that notes what is read of it.

    All that pandas does with a frame goes through `_mgr`, so that whatever is not noted more
    narrowly below counts as a reading of every column. From then on there is nothing to note, and
    whatever is done to the frame in place is its own affair.
    """

    _noted = True

    def __init__(self, frame: pd.DataFrame, view: View):
        super().__init__(frame)
        vars(self).update(_view=view, _noted=False)

    @property
    def _mgr(self):
        self._note(None)
        vars(self)["_noted"] = True
        return vars(self)["_held"]

    @_mgr.setter
    def _mgr(self, manager):
        vars(self)["_held"] = manager

    @property
    def _plain(self) -> Frame:
        """The same frame, of which nothing is noted."""
        held = vars(self)["_held"]
        return Frame._from_mgr(held, axes=held.axes)

    def _note(self, columns: Iterable[str] | None) -> None:
        known = vars(self).setdefault("_columns", set())
        # It is asked for often, and looks at every row.
        if not self._noted and (columns is None or not known.issuperset(columns)):
            self._view.note(self._plain, columns)
            known.update(columns or ())

    def __getitem__(self, key):
        if self._noted:
            return super().__getitem__(key)
        plain = self._plain
        if isinstance(key, pd.Series) and key.dtype == bool:
            return Watched(plain[key], self._view)
        names = [key] if isinstance(key, str) else key
        if isinstance(names, list) and all(name in plain.columns for name in names):
            self._note(names)
            return plain[key]
        return super().__getitem__(key)

    def part(self, rows: pd.Series, columns: list[str]) -> pd.DataFrame:
        """Some columns of the rows that a mask tells, and no more of them copied."""
        found = self._plain.loc[rows, list(dict.fromkeys([*columns, "address"]))]
        if not self._noted:
            self._view.note(found, columns)
        return found[columns]

    @property
    def loc(self):
        """As of pandas; some columns of some rows, told by a mask, are noted as just these."""
        return _Places(self)

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, name) -> bool:
        return name in self._plain.columns

    @property
    def empty(self) -> bool:
        """Whether there is no row."""
        return len(self) == 0

    @property
    def index(self) -> pd.Index:
        """Which rows there are, by number."""
        self._note(["address"])
        return self._plain.index

    @index.setter
    def index(self, labels):
        pd.DataFrame.index.__set__(self, labels)

    @property
    def columns(self) -> pd.Index:
        """The names of the columns, which every view of the kind has."""
        return self._plain.columns

    @columns.setter
    def columns(self, labels):
        pd.DataFrame.columns.__set__(self, labels)


class _Places:
    """What a watched frame has at a mask or, as pandas finds it, anywhere else."""

    def __init__(self, frame: Watched):
        self._frame = frame

    def __getitem__(self, key):
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
        if isinstance(rows, pd.Series) and rows.dtype == bool:
            if isinstance(columns, list):
                return self._frame.part(rows, columns)
            found = self._frame[rows]
            return found if columns is None else found[columns]
        return pd.DataFrame.loc.fget(self._frame)[key]

    def __setitem__(self, key, value):
        pd.DataFrame.loc.fget(self._frame)[key] = value


class WatchedBibliography(Bibliography):
    """A bibliography that notes which of its entries are read.

    A mapping does everything else by these: whoever asks for a key reads its entry or learns that
    there is none, whoever goes through the keys learns all of them.
    """

    def __init__(self, bibliography: Bibliography, sources: dict[str, str]):
        super().__init__(bibliography)
        self._sources = sources

    def _note(self, key: str) -> None:
        if key not in self._sources:
            self._sources[key] = _source(self._references, key)

    def __getitem__(self, key):
        self._note(key)
        return super().__getitem__(key)

    def __iter__(self):
        self._note(WHOLE)
        return super().__iter__()

    def __len__(self) -> int:
        self._note(WHOLE)
        return super().__len__()

    def at(self, line: int):
        """The reference that begins at a line of the file, or None."""
        found = self._references.at(line)
        self._note(found.key if found else WHOLE)
        return found


_TABLES = {Path(table.file).stem: table for table in schema.TABLES}


def _view(corpus: Corpus, name: str, words: dict) -> pd.DataFrame:
    if name in _TABLES:
        return corpus.frame(_TABLES[name])
    if name.startswith("evidence."):
        import_module(name.rpartition(".")[0])
    return _DERIVED[name](corpus, **words)


def _named(name: str, words: Mapping) -> str:
    if name in _TABLES:
        return _TABLES[name].file
    said = ", ".join(f"{key} {value}" for key, value in words.items() if value)
    return f"{name.rpartition('.')[2]} ({said})"


def _source(bibliography: Bibliography, key: str) -> str:
    return _digest(list(bibliography.values()) if key == WHOLE else bibliography.get(key))


def _digests(frame: pd.DataFrame) -> dict[str, str]:
    kept = frame.drop(columns=["address", *REMARKS], errors="ignore")
    rows = kept.itertuples(index=False, name=None)
    return {address: _digest(row) for address, row in zip(frame["address"], rows, strict=True)}


def _digest(content) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]
