"""Which files a notebook opened by itself, beside the tables: they decide what it shows as well.

Python tells of every file that it opens; left out are its own libraries, the system's files and
what lies hidden in a person's home, such as settings and caches.
"""

import contextlib
import hashlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

_SYSTEM = ("/proc", "/dev", "/sys", "/etc", "/usr", "/lib", "/bin", "/run", "/var")
_seen: dict[str, None] = {}
_watching = False
_paused = False


def watch() -> None:
    """Keep from now on which files and folders this process reads.

    A kernel that makes a report is told so before its first cell.
    """
    global _watching
    if not _watching:
        _watching = True
        sys.addaudithook(_note)


@contextlib.contextmanager
def known() -> Iterator[None]:
    """What is read meanwhile is kept in another way."""
    global _paused
    _paused = True
    try:
        yield
    finally:
        _paused = False


def files(project: Path, *leave_out: Path) -> list[Path]:
    """The files and folders that were read so far, but for those in `leave_out`, sorted."""
    package = Path(__file__).resolve().parents[1]
    ours = [Path(path).resolve() for path in {sys.prefix, sys.base_prefix, sys.exec_prefix}]
    ours += [Path(path).resolve() for path in sysconfig.get_paths().values()]
    found = {_source(Path(os.path.realpath(name))) for name in _seen}
    return sorted(
        path
        for path in found
        if not _lies_in(path, (*leave_out, package, *ours))
        and (path.is_relative_to(project) or not (_lies_in(path, _SYSTEM) or _hidden(path)))
    )


def digest(path: Path) -> str:
    """The digest of a file, or of the names in a folder; empty if there is none."""
    try:
        if path.is_dir():
            names = sorted(one.name for one in path.iterdir() if not one.name.startswith("."))
            content = "\n".join(names).encode()
        else:
            content = path.read_bytes()
    except OSError:
        return ""
    return hashlib.sha256(content).hexdigest()[:12]


def relative(path: Path, project: Path) -> str:
    """A path as one writes it from the project's folder."""
    return Path(os.path.relpath(path, project)).as_posix()


def _note(event: str, arguments: tuple) -> None:
    if _paused:
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(mode, str) and set(mode) & set("wax"):
            return
        if mode is None and flags & (os.O_WRONLY | os.O_RDWR):
            return
    elif event == "sqlite3.connect":
        path = arguments[0]
    elif event in ("os.listdir", "os.scandir"):
        path = "." if arguments[0] is None else arguments[0]
        # What is looked through for a module is not looked at.
        if sys._getframe(1).f_code.co_filename.startswith("<frozen importlib"):
            return
    else:
        return
    if isinstance(path, str | bytes | os.PathLike) and path:
        _seen[str(Path.cwd() / os.fsdecode(path))] = None


def _source(path: Path) -> Path:
    """The module that a compiled file was made from: it is what people change."""
    if path.suffix != ".pyc":
        return path
    try:
        return Path(importlib.util.source_from_cache(str(path)))
    except ValueError:
        return path


def _lies_in(path: Path, places: Iterable[str | Path]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
