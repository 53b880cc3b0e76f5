"""Reports kept at an address: fetched into a folder of this machine, made there, sent back.

Only what differs is sent. A manifest goes behind the files that it names, and what is no longer
wanted is taken away last, so that whoever looks, or a run that is stopped at any moment, finds no
manifest that names a file which is not there.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from evidence.build.dask_executor import require_inside
from evidence.build.output_folder import (
    BATCH_MARKER,
    INDEX,
    MANIFEST,
    failed_folder,
    is_report_folder,
)
from evidence.errors import ReportError
from evidence.files import path_digest


class OutputLocation:
    """Where reports go: `folder` is on this machine, `address_of` says how a path in it is called."""

    def __init__(self, folder: Path | None):
        self.folder = folder

    def address_of(self, path: Path) -> str:
        """The path, or the address that stands for it."""
        return str(path)


@contextlib.contextmanager
def output_location(
    out: str | None, *, is_batch: bool, status: Callable[[str], None]
) -> Iterator[OutputLocation]:
    """Where `--out` says that reports go; what is made there is sent off in the end.

    Parameters
    ----------
    out : str, optional
        A path, or an address such as `s3://bucket/reports`, for which fsspec knows the protocol.
    is_batch : bool
        Whether it holds a folder for each of many sets, or reports themselves.
    status : callable
        Told what takes time.

    Raises
    ------
    ReportError
        Nothing can be read or written there, or something else is there.
    """
    if not out or "://" not in out:
        yield OutputLocation(Path(out) if out else None)
        return
    if out.startswith("file://"):
        yield OutputLocation(Path(url2pathname(urlsplit(out).path)))
        return
    mirror = _Mirror(out, sets=is_batch)
    try:
        status(f"fetching {out}")
        mirror.fetch()
        try:
            yield mirror
        finally:
            # After an error too: the sets that were finished before are whole.
            status(f"sending {out}")
            mirror.send()
    finally:
        mirror.close()


class _Mirror(OutputLocation):
    """The part of a remote folder's parent that is ours: the folder, and its failed notebooks."""

    def __init__(self, address: str, *, sets: bool):
        self._sets = sets
        protocol, _, path = address.partition("://")
        if not path.strip("/"):
            raise ReportError(f"--out {address}: is no folder; name one in it")
        self._address = f"{protocol}://{path.rstrip('/')}"
        with self._named("cannot be used"):
            self._files, self._root = _file_system(self._address)
        self._parent, _, name = self._root.rpartition("/")
        if not (self._parent or self._root.startswith("/")):
            raise ReportError(f"--out {address}: is no folder; name one in it")
        self._here = Path(tempfile.mkdtemp()).resolve()
        super().__init__(self._here / name)
        self._there: dict[str, str] = {}
        self._unsent = False

    def address_of(self, path: Path) -> str:
        """The address of a file of the mirror."""
        inside = path.relative_to(self._here).as_posix()
        return f"{self._address.rpartition('/')[0]}/{inside}"

    def fetch(self) -> None:
        """Bring what is there, if it is ours."""
        with self._named("cannot be read"):
            found = self._names(self.folder.name)
            mark = f"{self.folder.name}/{BATCH_MARKER if self._sets else MANIFEST}"
            self._get([mark] if mark in found else [])
            ours = (self._here / mark).is_file() and (self._sets or is_report_folder(self.folder))
            if ours or not found:
                self._get(found + self._names(failed_folder(self.folder).name))
        if found and not ours:
            what = "that are no sets" if self._sets else "that no report run made"
            raise ReportError(f"--out {self._address}: holds files {what}; name another folder")
        self._there = self._digests()
        probe = f"{self._root}/.probe"
        with self._named("cannot be written"):
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(probe, b"")
            self._files.rm_file(probe)

    def send(self) -> None:
        """Make what is there what is here."""
        here = self._digests()
        changed = [name for name in here if self._there.get(name) != here[name]]
        gone = self._there.keys() - here.keys()
        self._unsent = bool(changed or gone)
        with self._named(f"cannot be written, what was made is kept in {self._here}"):
            for turn in range(3):
                self._put([name for name in changed if self._turn(name) == turn])
            for name in gone:
                self._files.rm_file(self._path(name))
            self._remove_empty(gone, here.keys())
        self._unsent = False

    def close(self) -> None:
        """Take the mirror away, unless it holds what could not be sent."""
        if not self._unsent:
            shutil.rmtree(self._here, ignore_errors=True)

    def _turn(self, name: str) -> int:
        """What names other files goes behind them: a manifest, and the index of all sets."""
        if self._sets and name in (
            f"{self.folder.name}/{INDEX}",
            f"{self.folder.name}/{BATCH_MARKER}",
        ):
            return 2
        return int(name.endswith(f"/{MANIFEST}"))

    def _names(self, folder: str) -> list[str]:
        """Every file of a folder there, but for what is hidden in the folder itself."""
        try:
            found = self._files.find(self._path(folder))
        except FileNotFoundError:
            return []
        if self._path(folder) in found:
            raise NotADirectoryError("it is a file; name a folder")
        inside = [path.removeprefix(f"{self._path(folder)}/") for path in found]
        require_inside(inside)
        return [f"{folder}/{name}" for name in inside if not name.startswith(".")]

    def _path(self, name: str) -> str:
        return f"{self._parent}/{name}"

    def _get(self, names: list[str]) -> None:
        if names:
            paths = [str(self._here / name) for name in names]
            self._files.get([self._path(name) for name in names], paths)

    def _put(self, names: list[str]) -> None:
        if names:
            paths = [str(self._here / name) for name in names]
            self._files.put(paths, [self._path(name) for name in names])

    def _remove_empty(self, gone: Iterable[str], left: Iterable[str]) -> None:
        """Take away folders that nothing is in any more, where the protocol has folders at all."""
        kept = {folder for name in left for folder in _folders(name)}
        folders = {folder for name in gone for folder in _folders(name)} - kept
        for folder in sorted(folders, key=len, reverse=True):
            with contextlib.suppress(OSError, NotImplementedError):
                self._files.rmdir(self._path(folder))

    def _digests(self) -> dict[str, str]:
        """A digest of every file here, by its name from the parent on."""
        return {
            path.relative_to(self._here).as_posix(): path_digest(path)
            for top in (self.folder, failed_folder(self.folder))
            for path in sorted(top.rglob("*"))
            if path.is_file() and not path.relative_to(top).parts[0].startswith(".")
        }

    @contextlib.contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """One line for whatever goes wrong: each protocol has errors of its own."""
        try:
            yield
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ReportError(f"--out {self._address}: {what}: {lines[0]}") from None


def _file_system(address: str):
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise ImportError("install fsspec with pip install 'evidence[url]'") from None
    files, root = url_to_fs(address)
    # What another machine wrote meanwhile must not hide behind what was listed before.
    files.invalidate_cache()
    return files, root.rstrip("/")


def _folders(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name
