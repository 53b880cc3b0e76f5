"""Folders as they travel to another machine and back: every file in memory, under its name.

A parcel holds files only: no folder, link, mode or time of its own. Whoever opens one takes its
names for what anybody may have written.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from evidence.errors import ReportError

Parcel = dict[str, bytes]
"""The content of files by their names, which are relative and have `/` between their parts."""


def pack(folder: Path, names: Iterable[str] = (".",)) -> Parcel:
    """The files of these names, and all those in folders of these names; what is hidden stays.

    A link to a file is packed as the file; a link to a folder is not followed.
    """
    found: Parcel = {}
    for name in names:
        top = folder / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                found[inside.as_posix()] = path.read_bytes()
    return found


def unpack(parcel: Parcel, folder: Path) -> None:
    """Write the files into a folder.

    Raises
    ------
    ReportError
        Before anything is written: a name leads out of the folder.
    """
    require_inside(parcel)
    for name, content in parcel.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def require_inside(names: Iterable[str]) -> None:
    """Never write a file outside the folder that it is sent to.

    Raises
    ------
    ReportError
        A name that is absolute, leads upwards, or is not the same on every system.
    """
    for name in names:
        parts = PurePosixPath(name).parts
        if not parts or set("\\:\0") & set(name) or {"/", ".."} & set(parts):
            raise ReportError(f"{name!r}: is no name of a file inside a folder; nothing is written")
