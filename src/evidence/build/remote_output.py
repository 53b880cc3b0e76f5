"""Output on object storage: reports are downloaded, built in a local folder, and uploaded.

Only changed files are uploaded, a manifest after the files that it names, and files that are gone are
deleted last: no manifest ever names a missing file. Remote output is not locked.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn
from urllib.parse import urlsplit
from urllib.request import url2pathname

from evidence.build.output_folder import (
    BATCH_MARKER,
    INDEX,
    MANIFEST,
    failed_folder,
    is_report_folder,
)
from evidence.errors import ReportError
from evidence.files import path_digest, temporary_folder


@dataclass(frozen=True)
class OutputLocation:
    """A local folder for reports, or None for the default one, and the address of its parent."""

    folder: Path | None
    parent_address: str = ""

    def address_of(self, path: Path) -> str:
        """Return how messages name a file in the folder or beside it."""
        if not self.parent_address or not self.folder:
            return str(path)
        return f"{self.parent_address}/{path.relative_to(self.folder.parent).as_posix()}"


@contextlib.contextmanager
def output_location(
    out: str | None, *, is_batch: bool, status: Callable[[str], None]
) -> Iterator[OutputLocation]:
    """Provide the folder that `--out` names; what is written there is uploaded at the end.

    Raise `ReportError` if it cannot be read or written, or holds something else. `out` is a path,
    or an address such as `s3://bucket/reports`, for which fsspec knows the protocol. A batch has a
    folder for each of many sets. `status` receives what takes time.
    """
    if not out or "://" not in out:
        yield OutputLocation(Path(out) if out else None)
        return
    if out.startswith("file://"):
        yield OutputLocation(Path(url2pathname(urlsplit(out).path)))
        return
    protocol, _, path = out.partition("://")
    address = f"{protocol}://{path.rstrip('/')}"
    with temporary_folder(address) as folder:
        remote = _RemoteFolder(address, folder.resolve(), is_batch=is_batch)
        status(f"downloading {address}")
        remote.download()
        try:
            yield OutputLocation(remote.local, address.rpartition("/")[0])
        finally:
            # Also after an error: the sets that were finished before it are complete.
            status(f"uploading {address}")
            remote.upload()


class _RemoteFolder:
    """A remote folder with the one of its failed notebooks, and local copies of both."""

    def __init__(self, address: str, folder: Path, *, is_batch: bool) -> None:
        self.address, self._is_batch = address, is_batch
        with self._errors("cannot be used"):
            self._files, root = _open(address)
        self._parent, _, name = root.rpartition("/")
        if not name or not (self._parent or root.startswith("/")):
            raise ReportError(f"--out {address}: is not a folder; add the name of one")
        self.local = folder / name
        self._digests: dict[str, str] = {}

    def download(self) -> None:
        """Copy what is there, unless it is something else or cannot be written."""
        marker = f"{self.local.name}/{BATCH_MARKER if self._is_batch else MANIFEST}"
        with self._errors("cannot be read"):
            names = self._list(self.local)
            if not names or marker in names:
                self._copy(self._files.get, names + self._list(failed_folder(self.local)))
        if names and not ((self._is_batch and marker in names) or is_report_folder(self.local)):
            contents = "report sets" if self._is_batch else "reports"
            message = f"holds files that are not {contents}; choose another folder"
            raise ReportError(f"--out {self.address}: {message}")
        self._digests = self._local_digests()
        probe = f"{self._parent}/{self.local.name}/.probe"
        with self._errors("cannot be written"):
            self._files.makedirs(probe.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(probe, b"")
            self._files.rm_file(probe)

    def upload(self) -> None:
        """Copy changed files and delete those that are gone."""
        digests = self._local_digests()
        changed = {name for name in digests if self._digests.get(name) != digests[name]}
        manifests = {name for name in changed if name.endswith(f"/{MANIFEST}")}
        indexes = {f"{self.local.name}/{name}" for name in (INDEX, BATCH_MARKER) if self._is_batch}
        try:
            for names in (changed - manifests - indexes, manifests, changed & indexes):
                self._copy(self._files.put, names)
            for name in self._digests.keys() - digests.keys():
                self._files.rm_file(f"{self._parent}/{name}")
        except Exception:
            rescue = shutil.move(self.local, Path(tempfile.mkdtemp()) / self.local.name)
            with self._errors(f"cannot be written, the reports are in {rescue}"):
                raise

    def _copy(self, copy: Callable, names: Iterable[str]) -> None:
        """Copy files with fsspec's `get` or `put`."""
        local = [str(self.local.parent / name) for name in sorted(names)]
        remote = [f"{self._parent}/{name}" for name in sorted(names)]
        if local:
            copy(*((remote, local) if copy == self._files.get else (local, remote)))

    def _list(self, folder: Path) -> list[str]:
        """Return the names of the files in a remote folder without hidden ones, from its parent."""
        try:
            paths = self._files.find(f"{self._parent}/{folder.name}")
        except FileNotFoundError:
            return []
        names = [PurePosixPath(path.removeprefix(f"{self._parent}/")) for path in paths]
        for name in names:
            if len(name.parts) < 2 or ".." in name.parts or "\\" in str(name):
                raise ValueError(f"{name} is not a file in a folder")
        return [str(name) for name in names if not name.parts[1].startswith(".")]

    def _local_digests(self) -> dict[str, str]:
        return {
            path.relative_to(self.local.parent).as_posix(): path_digest(path)
            for folder in (self.local, failed_folder(self.local))
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
        }

    def _refuse(self) -> NoReturn:
        contents = "report sets" if self._is_batch else "reports"
        message = f"holds files that are not {contents}; choose another folder"
        raise ReportError(f"--out {self.address}: {message}")

    @contextlib.contextmanager
    def _errors(self, message: str) -> Iterator[None]:
        """Turn any error into one line: each protocol has errors of its own."""
        try:
            yield
        except Exception as error:
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise ReportError(f"--out {self.address}: {message}: {cause}") from None


def _open(address: str) -> tuple[Any, str]:
    """Return the file system of an address and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise ImportError("install fsspec with pip install 'evidence[url]'") from None
    files, path = url_to_fs(address)
    # Listings are kept for the whole process; another machine may have written since.
    files.invalidate_cache()
    return files, path.rstrip("/")
