"""The tables last read, kept in memory for as long as their files hold the same bytes.

Reading the bytes of a file costs a hundredth of checking what is in it, and every page of a run
checks the same files.
"""

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

Tables = TypeVar("Tables")

KEPT = 2
"""Projects of which the tables are kept; large ones take as much memory again."""
_kept: dict[Path, object] = {}


def remembered(root: Path, names: list[str], read: Callable[[dict[str, str]], Tables]) -> Tables:
    """What `read` made of these files of a project, now or earlier, to be changed by nobody else.

    Parameters
    ----------
    names : list of str
        Files below `root`; those that are not there count as such.
    read : callable
        Given the SHA-256 of each file by its name; returns a data class with `checksums`, and its
        errors are not remembered.
    """
    checksums = _checksums(root, names)
    found = _kept.get(root)
    if found is None or found.checksums != checksums:
        found = read(checksums)
        # What was written meanwhile must not pass for what is read later.
        if _checksums(root, names) == checksums:
            _kept[root] = found
        for oldest in list(_kept)[:-KEPT]:
            _kept.pop(oldest, None)
    return _copy(found)


def _checksums(root: Path, names: list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        # What cannot be read is for the reader to complain of.
        with contextlib.suppress(OSError):
            found[name] = hashlib.sha256((root / name).read_bytes()).hexdigest()
    return found


def _copy(tables: Tables) -> Tables:
    """The same again: pandas copies a column when, and where, it is first changed."""
    copies = {}
    for field in fields(tables):
        part = getattr(tables, field.name)
        if isinstance(part, pd.DataFrame):
            copies[field.name] = part.copy(deep=False)
        elif isinstance(part, dict):
            copies[field.name] = type(part)(part)
    return replace(tables, **copies)
