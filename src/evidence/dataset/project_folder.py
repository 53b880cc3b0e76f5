"""Where a project is, and which bytes its tables hold; nothing here loads pandas."""

from pathlib import Path

from evidence.dataset import schema
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.errors import EvidenceError
from evidence.files import path_digest


def find_project(project: str | Path = "") -> Path:
    """Return the folder of a project: the one named, or the nearest one above the working folder.

    With nothing named and nothing above the working folder, the folder that this package is
    installed from is used, so that a notebook runs from anywhere.

    Raises
    ------
    EvidenceError
        The folder has neither `data/studies.csv` nor `references.bib`.
    """
    if str(project):
        candidates = [Path(project).expanduser()]
    else:
        here = Path.cwd()
        candidates = [here, *here.parents, Path(__file__).resolve().parents[3]]
    for folder in candidates:
        if (folder / schema.STUDIES.file).is_file() or (folder / BIBLIOGRAPHY_FILE).is_file():
            return folder.resolve()
    raise EvidenceError(
        f"{candidates[0]}: neither {schema.STUDIES.file} nor {BIBLIOGRAPHY_FILE} is in this "
        "folder. Name a project folder with --project"
    )


def table_checksums(project: Path) -> dict[str, str]:
    """Return the SHA-256 of the bibliography and of each table that a project has, by file name."""
    names = (BIBLIOGRAPHY_FILE, *(table.file for table in schema.TABLES))
    checksums = {name: path_digest(project / name) for name in names}
    return {name: checksum for name, checksum in checksums.items() if checksum}
