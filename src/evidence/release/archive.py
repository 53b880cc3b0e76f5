"""A zip file with the same bytes for the same files, and the check of one against its checksums."""

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from evidence.errors import EvidenceError
from evidence.files import (
    DAMAGED_ZIP,
    digest,
    read_bytes,
    real_path,
    require_regular_file,
    temporary_folder,
)

CHECKSUMS = "SHA256SUMS"
"""The checksums of all other files, as `sha256sum --check` reads them."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip file can state. Those of the files would differ between two copies."""
REGULAR_FILE = 0o100644 << 16
UNIX = 3

Content = Path | bytes
"""What a file of an archive has: the bytes of a file elsewhere, or these."""


def read_content(content: Content) -> bytes:
    """Return the bytes of a file of an archive."""
    return read_bytes(content) if isinstance(content, Path) else content


def write_archive(
    path: Path, files: Mapping[str, Content], progress: Callable[[str], None]
) -> None:
    """Write files and their checksums by name; there is an archive only once it is complete.

    Raise `EvidenceError` if the archive does not read back as it was written, as on a faulty disk.
    `progress` is called with the name of each file in the archive.
    """
    lines = []
    with temporary_folder(real_path(path), path.parent) as folder:
        new = folder / path.name
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in sorted(files):
                progress(name)
                content = read_content(files[name])
                archive.writestr(_entry(name), content)
                lines.append(f"{digest(content)}  {name}\n")
            archive.writestr(_entry(CHECKSUMS), "".join(lines))
        if problems := damaged_files(new):
            raise EvidenceError(f"{path}: cannot be written: {'; '.join(problems)}")
        new.replace(path)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EARLIEST)
    entry.create_system, entry.external_attr = UNIX, REGULAR_FILE
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def damaged_files(path: Path) -> list[str]:
    """Describe which files of an archive are damaged, missing or not in its checksums.

    Raise `EvidenceError` if the file is no whole archive of a release.
    """
    try:
        require_regular_file(path)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED_ZIP:
        raise EvidenceError(
            f"{path}: not a zip file, or only part of one. Download it again"
        ) from None
    with archive:
        names = archive.namelist()
        if CHECKSUMS not in names:
            raise EvidenceError(f"{path}: has no {CHECKSUMS}; 'evidence release' did not make it")
        try:
            lines = archive.read(CHECKSUMS).decode().splitlines()
            checksums = {line[66:]: line[:64] for line in lines}
        except DAMAGED_ZIP:
            return [f"{CHECKSUMS} is damaged"]
        problems = [f"{name} is missing" for name in sorted(checksums.keys() - set(names))]
        for name in names:
            if name not in checksums:
                problems += [f"{name} was added"] if name != CHECKSUMS else []
            elif _digest(archive, name) != checksums[name]:
                problems.append(f"{name} is damaged")
    return problems


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    try:
        with archive.open(name) as file:
            # A file of an archive can be read so, although its type does not say it.
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except DAMAGED_ZIP:
        return ""
