"""Change several files of a project at once, after checking what the project would then be."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from evidence.analysis.checks import require_consistent
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset, read_dataset
from evidence.errors import EvidenceError
from evidence.files import atomic_write


def write_checked(dataset: Dataset, texts: Mapping[str, str], *, dry_run: bool = False) -> None:
    """Write new texts of files of a project if the project is valid and consistent with them.

    Parameters
    ----------
    texts : mapping of str to str
        By file name in the project.
    dry_run : bool
        Check, but write nothing.

    Raises
    ------
    DatasetError
        With every problem that the project would have. Nothing is written.
    EvidenceError
        A file cannot be written; all are as they were.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder)
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
    old = {
        project / file: (project / file).read_bytes() if (project / file).exists() else None
        for file in texts
    }
    written: list[Path] = []
    try:
        for file, text in texts.items():
            atomic_write(project / file, text)
            written.append(project / file)
    except OSError as error:
        for path in written:
            before = old[path]
            if before is None:
                path.unlink()
            else:
                atomic_write(path, before)
        raise EvidenceError(f"{error.filename}: cannot be written: {error.strerror}") from None
