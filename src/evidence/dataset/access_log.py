"""What a report reads of its project: selections of the tables, rows and files, each by its digest.

A *selection* is a call of a function that is marked with `@selection`: what it returns decides the
report, whichever tables it looked at on the way. A report is up to date while every selection, row
and file in its record has the digest that it had.
"""

import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import fields, is_dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from evidence.files import digest, format_json_line, path_digest, recorded_name

DIGITS = 12
MAX_ROWS = 20_000
"""A larger frame has one digest in place of one for each row."""

F = TypeVar("F", bound=Callable)
_functions: dict[str, Callable] = {}


def selection(function: F) -> F:
    """Mark a function of a dataset and JSON arguments whose result is logged, not what it reads."""
    name = f"{function.__module__}:{function.__qualname__}"
    _functions[name] = function

    @wraps(function)
    def select(dataset, *arguments, **options):
        if dataset.log is None:
            return _copy(function(dataset, *arguments, **options))
        value = _copy(function(dataset.unlogged, *arguments, **options))
        dataset.log.record(name, [arguments, options], value)
        return value

    return select  # type: ignore[return-value]


def precompute(dataset) -> None:
    """Compute the selections that take long and depend on the tables alone, such as all unknowns.

    They stay in memory with the dataset, also in processes that are forked from this one.
    """
    for function in _functions.values():
        if hasattr(function, "cache_info"):
            function(dataset)


class AccessLog:
    """What one report has read so far of a project whose tables have the checksums `inputs`."""

    def __init__(self, project: Path, inputs: Mapping[str, str]):
        self._project, self._inputs = project, dict(inputs)
        self._path: Path | None = None
        self._selections: dict[str, dict] = {}
        self._rows: dict[str, str] = {}
        self._files: dict[str, str] = {}

    def record(self, name: str, arguments: list, value: object) -> None:
        """Record a selection, once for the same arguments."""
        key = json.dumps([name, arguments], sort_keys=True)
        if key not in self._selections:
            entry = {"name": name, "arguments": json.loads(key)[1], "digests": digests(value)}
            self._selections[key] = entry
            self._rewrite()

    def record_rows(self, addresses: list[str], present: Mapping[str, str]) -> None:
        """Record rows by their addresses; `present` has the digests of those that exist."""
        self._rows |= {address: present.get(address, "") for address in addresses}
        self._rewrite()

    def record_file(self, path: Path) -> None:
        """Record the content of a file, or the names in a folder; also if there is none."""
        self._files[recorded_name(path, self._project)] = path_digest(path)
        self._rewrite()

    def write(self, path: Path) -> None:
        """Write the record as JSON, and again whenever more is read after that."""
        self._path = path
        self._rewrite()

    def _rewrite(self) -> None:
        if self._path is not None:
            record = {
                "inputs": self._inputs,
                "selections": list(self._selections.values()),
                "rows": dict(sorted(self._rows.items())),
                "files": dict(sorted(self._files.items())),
            }
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(format_json_line(record), "utf-8")


def evaluate(dataset, name: str, arguments: list) -> dict[str, str]:
    """Return the digests of a recorded selection as the tables of a dataset give it now.

    Raise `EvidenceError` if the tables no longer have what was asked for.
    """
    import_module(name.partition(":")[0])
    positional, options = arguments
    return digests(_functions[name](dataset, *positional, **options))


def digests(value: object) -> dict[str, str]:
    """Return a digest for each row of a frame with addresses, or one of everything under ""."""
    if isinstance(value, pd.DataFrame) and "address" in value and len(value) <= MAX_ROWS:
        rows = row_digests(value)
        # Rows that share an address cannot be told apart by it.
        if len(rows) == len(value):
            return rows
    return {"": digest(json.dumps(to_digestible(value)), DIGITS)}


def row_digests(frame: pd.DataFrame) -> dict[str, str]:
    """Return the digest of each row of a frame by its address."""
    return dict(zip(frame["address"], _row_hashes(frame.drop(columns="address")), strict=True))


def to_digestible(value: object) -> object:
    """Return a value as JSON that differs wherever the value differs, to the last digit.

    Raise `TypeError` if something in it has no text that tells it from another.
    """
    if isinstance(value, pd.DataFrame):
        return [list(map(str, value.columns)), digest("".join(_row_hashes(value)), DIGITS)]
    if is_dataclass(value) and not isinstance(value, type):
        cells = (getattr(value, column.name) for column in fields(value))
        return [type(value).__name__, *map(to_digestible, cells)]
    if isinstance(value, Mapping):
        return {str(key): to_digestible(cell) for key, cell in value.items()}
    if isinstance(value, list | tuple):
        return list(map(to_digestible, value))
    if isinstance(value, np.ndarray):
        return to_digestible(value.tolist())
    if value is None or value is pd.NA or isinstance(value, str | int | float | np.generic):
        return repr(value)
    raise TypeError(f"cannot compute a digest of {type(value).__name__}: add it to to_digestible")


def _row_hashes(frame: pd.DataFrame) -> list[str]:
    rows = zip(*(frame[name].tolist() for name in frame), strict=True)
    return [digest(repr(row), DIGITS) for row in rows]


def _copy(value):
    """Copy a value for a caller who may change it; pandas copies a column when it is written to."""
    if isinstance(value, pd.DataFrame):
        return value.copy(deep=False)
    return copy(value) if isinstance(value, list | dict) else value
