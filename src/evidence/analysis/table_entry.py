"""Change several files of a project at once, after checking what the project would then be."""

import shutil
from collections.abc import Mapping

from evidence.analysis.checks import require_consistent
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset, read_dataset
from evidence.dataset.project_folder import table_checksums
from evidence.errors import EvidenceError
from evidence.files import atomic_write_all, locked, temporary_folder


def write_checked(dataset: Dataset, texts: Mapping[str, str], *, dry_run: bool = False) -> None:
    """Write new texts of files of a project if the project is valid and consistent with them.

    Raise `DatasetError` with every problem that the project would have, before anything is written,
    and `EvidenceError` if a file cannot be written or a table was changed meanwhile; all are then as
    they were. `texts` are by file name in the project; a dry run checks, but writes nothing.
    """
    with temporary_folder(dataset.project) as copy:
        (copy / schema.STUDIES.file).parent.mkdir()
        for file in dataset.checksums:
            shutil.copyfile(dataset.project / file, copy / file)
        for file, text in texts.items():
            (copy / file).write_bytes(text.encode())
        require_consistent(read_dataset(copy))
    if dry_run:
        return
    with locked(dataset.project):
        require_unchanged(dataset)
        try:
            atomic_write_all({dataset.project / file: text for file, text in texts.items()})
        except OSError as error:
            raise EvidenceError(f"{error.filename}: cannot be written: {error.strerror}") from None


def require_unchanged(dataset: Dataset) -> None:
    """Refuse to write what was worked out from tables that somebody has changed since.

    Raises
    ------
    EvidenceError
    """
    now = table_checksums(dataset.project)
    if now != dataset.checksums:
        names = sorted({name for name, _ in now.items() ^ dataset.checksums.items()})
        raise EvidenceError(
            f"{', '.join(names)}: changed while this command ran. Nothing was written; run it again"
        )
