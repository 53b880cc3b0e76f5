"""Where a project is, and which bytes its tables hold; nothing here loads pandas."""

from pathlib import Path

from evidence.dataset import schema
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.errors import EvidenceError, Reason
from evidence.files import PACKAGE, path_digest, real_path

EXAMPLE = PACKAGE / "example"
"""The invented project that `evidence new` copies."""


def find_project(project: str | Path = "") -> Path:
    """Return the folder of a project: the one named, or the nearest one above the working folder.

    With nothing named and nothing above the working folder, the folder that this package is
    installed from is used, so that a notebook runs from anywhere. Raise `EvidenceError` if the
    folder has neither `data/studies.csv` nor `references.bib`.
    """
    if str(project):
        candidates = [real_path(project)]
    else:
        here = Path.cwd()
        candidates = [here, *here.parents, Path(__file__).resolve().parents[3]]
    for folder in candidates:
        if table_path(folder, schema.STUDIES).is_file() or (folder / BIBLIOGRAPHY_FILE).is_file():
            return real_path(folder)
    raise EvidenceError(
        Reason(
            f"{candidates[0]}: neither {schema.STUDIES.file} nor {BIBLIOGRAPHY_FILE} is in this "
            "folder. Name a project folder",
            project=...,
        )
    )


def table_path(project: Path, table: schema.Table) -> Path:
    """Return the file that holds a table: a workbook if it is there and no CSV file is."""
    path, workbook = project / table.file, project / table.workbook
    return workbook if workbook.is_file() and not path.exists() else path


def csv_path(project: Path, table: schema.Table) -> Path:
    """Return the CSV file of a table, to which rows can be added.

    Raise `EvidenceError` if the table is in a workbook.
    """
    path = table_path(project, table)
    if path.suffix == schema.WORKBOOK_SUFFIX:
        raise EvidenceError(
            f"{table.workbook}: rows cannot be added to a workbook. Save its sheet as {table.file}"
        )
    return path


def table_checksums(project: Path) -> dict[str, str]:
    """Return the SHA-256 of the bibliography and of each table that a project has, by file name."""
    files = (name for table in schema.TABLES for name in (table.file, table.workbook))
    names = (BIBLIOGRAPHY_FILE, *files)
    checksums = {name: path_digest(project / name) for name in names}
    return {name: checksum for name, checksum in checksums.items() if checksum}
