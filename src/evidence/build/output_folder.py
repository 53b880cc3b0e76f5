"""The folder of finished reports: replaced as a whole, by one build at a time.

A build that is killed at any moment leaves the previous folder or the new one. What it leaves beside
them is removed by the next build, which also brings the previous folder back if the build was killed
between the two renames of a swap.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from evidence.errors import ReportError
from evidence.files import read_json

BATCH_MARKER = "sets.json"
INDEX = "index.html"
MANIFEST = "manifest.json"
NEW, PREVIOUS = ".new", ".previous"
"""The ends of the names of folders that exist beside the finished one during a build."""


def failed_folder(target: Path) -> Path:
    """Return where notebooks that failed are kept with their tracebacks."""
    return target.with_name(f"{target.name}.failed")


def read_manifest(target: Path) -> dict:
    """Read what the reports in a folder were made from; empty unless this version finished it."""
    content = _read_manifest(target)
    return content if {"reports", "pages", "failed"} <= set(content) else {}


def is_report_folder(target: Path) -> bool:
    """Return whether a build of any version finished in a folder."""
    return "reports" in _read_manifest(target)


def _read_manifest(target: Path) -> dict:
    try:
        content = read_json(target / MANIFEST)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def require_replaceable(target: Path, project: Path) -> None:
    """Refuse to replace a folder that no build made."""
    require_owned_folder(target, project, is_report_folder, "that are not reports")


def require_owned_folder(
    target: Path, project: Path, is_owned: Callable[[Path], bool], contents: str
) -> None:
    """Refuse a folder that holds something else; `contents` ends the message."""
    if target == project or target in project.parents:
        raise ReportError(f"--out {target}: this folder holds the project; choose another one")
    if os.path.lexists(target) and not target.is_dir():
        raise ReportError(f"--out {target}: this is a file; choose a folder")
    if target.is_dir() and any(target.iterdir()) and not is_owned(target):
        raise ReportError(f"--out {target}: holds files {contents}; choose another folder")


@contextlib.contextmanager
def exclusive(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a folder; `waiting` is called if another build holds it.

    Raise `ReportError` if the lock cannot be written.
    """
    from filelock import FileLock, Timeout

    with write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        path = target.with_name(f".{target.name}.lock")
        # The lock waits without end for a file that cannot be created.
        path.touch()
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waiting()
            lock.acquire()
    try:
        recover(target)
        yield
    finally:
        # A build that waits for this very file notices that it is gone and creates a new one.
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


@contextlib.contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """Create a folder beside `target` that is removed afterwards, whatever happens.

    Raise `ReportError` if it cannot be created.
    """
    with write_errors(target):
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=NEW, dir=target.parent))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def write_errors(target: Path) -> Iterator[None]:
    """Turn an OSError into one line about `--out`."""
    try:
        yield
    except OSError as error:
        path = error.filename or target
        raise ReportError(f"--out {target}: cannot be written: {path}: {error.strerror}") from None


def swap_folder(staging: Path, target: Path) -> None:
    """Put a new folder in the place of the previous one, which is removed."""
    # tempfile makes folders that nobody else can read.
    staging.chmod(0o755)
    previous = _previous(target)
    if target.exists():
        target.rename(previous)
    try:
        staging.rename(target)
    except OSError:
        previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def recover(target: Path) -> None:
    """Bring back a folder that was moved away and not replaced; remove unfinished ones."""
    if _previous(target).exists() and not target.exists():
        _previous(target).rename(target)
    left_over = re.compile(rf"{re.escape(f'.{target.name}')}(\.[^.]+{NEW}|{PREVIOUS})")
    for path in target.parent.iterdir() if target.parent.is_dir() else ():
        if left_over.fullmatch(path.name) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}{PREVIOUS}")
