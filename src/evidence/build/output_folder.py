"""The folder of finished reports: replaced as a whole, in one step, by one run at a time.

A run that is killed at any moment leaves the old folder or the new one, and beside it at most a
half-filled one that the next run takes away.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from evidence.errors import ReportError

BATCH_MARKER = "sets.json"
INDEX = "index.html"
MANIFEST = "manifest.json"
NEW, PREVIOUS = ".new", ".previous"
"""How the folders end that stand beside the finished one for a while."""


def failed_folder(target: Path) -> Path:
    """Where notebooks that failed are kept, with their tracebacks."""
    return target.with_name(f"{target.name}.failed")


def read_manifest(target: Path) -> dict:
    """What the reports in a folder were made from; empty unless a run of this version finished."""
    content = _manifest(target)
    return content if {"reports", "pages", "failed"} <= set(content) else {}


def is_report_folder(target: Path) -> bool:
    """Whether a run finished in a folder, of this version or an earlier one."""
    return "reports" in _manifest(target)


def _manifest(target: Path) -> dict:
    try:
        content = json.loads((target / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def require_replaceable(target: Path, project: Path) -> None:
    """Never replace a folder that this command did not make.

    Raises
    ------
    ReportError
    """
    require_owned_folder(target, project, is_report_folder, "that no report run made")


def require_owned_folder(
    target: Path, project: Path, is_own: Callable[[Path], bool], others: str
) -> None:
    """Refuse a place that holds something else than what is to be written; `others` names it.

    Raises
    ------
    ReportError
    """
    if target == project or target in project.parents:
        raise ReportError(f"--out {target}: holds the project itself; name a folder of its own")
    if target.exists() and not target.is_dir():
        raise ReportError(f"--out {target}: is a file; name a folder")
    if target.is_dir() and any(target.iterdir()) and not is_own(target):
        raise ReportError(f"--out {target}: holds files {others}; name another folder")


@contextlib.contextmanager
def exclusive(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only run that writes this folder; `waiting` is called if another one does.

    Raises
    ------
    ReportError
        Nothing can be written there.
    """
    from filelock import FileLock, Timeout

    with _named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waiting()
            lock.acquire()
    try:
        recover(target)
        yield
    finally:
        # Who waited for this very file sees that it is gone, and makes a new one.
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


@contextlib.contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target` that is gone afterwards, whatever happens.

    Raises
    ------
    ReportError
        It cannot be made, or something in it cannot be written.
    """
    with _named(target):
        beside = {"prefix": f".{target.name}.", "suffix": NEW, "dir": target.parent}
        staging = Path(tempfile.mkdtemp(**beside))
    try:
        with _named(target):
            yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _named(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or target
        raise ReportError(f"--out {target}: cannot be written: {place}: {error.strerror}") from None


def swap_folder(staging: Path, target: Path) -> None:
    """Let the new folder take the place of the old one, in one step where the system has it."""
    staging.chmod(0o755)
    if not target.exists():
        staging.rename(target)
    elif not _exchange(staging, target):
        target.rename(_previous(target))
        staging.rename(target)
        shutil.rmtree(_previous(target), ignore_errors=True)


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}{PREVIOUS}")


def recover(target: Path) -> None:
    """Bring back what was taken away and not replaced; remove what was not finished."""
    if _previous(target).exists() and not target.exists():
        _previous(target).rename(target)
    ours = re.compile(rf"{re.escape(f'.{target.name}')}(\.[^.]+{NEW}|{PREVIOUS})")
    for left in target.parent.iterdir() if target.parent.is_dir() else ():
        if ours.fullmatch(left.name) and left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders at once, by Linux's renameat2; False where there is no such call."""
    here, exchange = -100, 2
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0
