"""Change several files of a project at once, after checking what the project would then be."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from evidence.analysis.checks import require_consistent
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset, read_dataset
from evidence.errors import EvidenceError
from evidence.files import atomic_write, temporary_folder


def write_checked(dataset: Dataset, texts: Mapping[str, str], *, dry_run: bool = False) -> None:
    """Write new texts of files of a project if the project is valid and consistent with them.

    Raise `DatasetError` with every problem that the project would have, before anything is written,
    and `EvidenceError` if a file cannot be written; all are then as they were. `texts` are by file
    name in the project; a dry run checks, but writes nothing.
    """
    with temporary_folder(dataset.project) as copy:
        (copy / schema.STUDIES.file).parent.mkdir()
        for file in dataset.checksums:
            shutil.copyfile(dataset.project / file, copy / file)
        for file, text in texts.items():
            (copy / file).write_bytes(text.encode())
        require_consistent(read_dataset(copy))
    if not dry_run:
        _write(dataset.project, texts)


def _write(project: Path, texts: Mapping[str, str]) -> None:
    """Write all files, or none if one of them cannot be written."""
    paths = {project / file: text for file, text in texts.items()}
    old = {path: path.read_bytes() if path.exists() else None for path in paths}
    written: list[Path] = []
    try:
        for path, text in paths.items():
            atomic_write(path, text)
            written.append(path)
    except OSError as error:
        for done in written:
            before = old[done]
            if before is None:
                done.unlink()
            else:
                atomic_write(done, before)
        raise EvidenceError(f"{path}: cannot be written: {error.strerror}") from None
