"""Frames and a bibliography that note what is read of them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from evidence.dataset.bibliography import Bibliography
from evidence.dataset.digests import digest
from evidence.dataset.notebook_display import Frame

if TYPE_CHECKING:
    from evidence.dataset.access_log import TableDependency


WHOLE = "*"
"""In place of a key of the bibliography: all of it."""


class Watched(Frame):
    """A frame that notes what is read of it.

    All that pandas does with a frame goes through `_mgr`, so that whatever is not noted more
    narrowly below counts as a reading of every column. From then on there is nothing to note, and
    whatever is done to the frame in place is its own affair.
    """

    _noted = True

    def __init__(self, frame: pd.DataFrame, view: "TableDependency"):
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
            self._sources[key] = source_digest(self._references, key)

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


def source_digest(bibliography: Bibliography, key: str) -> str:
    """The digest of one source, or of a key that stands for none; see `WHOLE`."""
    return digest(list(bibliography.values()) if key == WHOLE else bibliography.get(key))
