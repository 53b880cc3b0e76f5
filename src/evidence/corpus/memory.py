"""The tables last read, kept in memory for as long as their files hold the same bytes.

Reading the bytes of a file costs a hundredth of checking what is in it, and every page of a run
checks the same files.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from evidence.corpus.project import checksums

Tables = TypeVar("Tables")

KEPT = 2
"""Projects of which the tables are kept; large ones take as much memory again."""
_kept: dict[Path, object] = {}


def remembered(root: Path, read: Callable[[dict[str, str]], Tables]) -> Tables:
    """What `read` made of the tables of a project, now or earlier, to be changed by nobody else.

    Parameters
    ----------
    read : callable
        Given the SHA-256 of each file by its name; returns a data class with `checksums`, and its
        errors are not remembered.
    """
    present = checksums(root)
    found = _kept.get(root)
    if found is None or found.checksums != present:
        found = read(present)
        # What was written meanwhile must not pass for what is read later.
        if checksums(root) == present:
            _kept[root] = found
        for oldest in list(_kept)[:-KEPT]:
            _kept.pop(oldest, None)
    return _copy(found)


def made(tables: Tables) -> dict[str, object]:
    """What was made of these tables so far, by name, for all who read them while they are kept."""
    return vars(tables).setdefault("_made", {})


def _copy(tables: Tables) -> Tables:
    """The same again: pandas copies a column when, and where, it is first changed."""
    copies = {}
    for field in fields(tables):
        part = getattr(tables, field.name)
        if isinstance(part, pd.DataFrame):
            copies[field.name] = part.copy(deep=False)
        elif isinstance(part, dict):
            copies[field.name] = type(part)(part)
    again = replace(tables, **copies)
    vars(again)["_made"] = made(tables)
    return again
