"""Where a project is, and which files of its folder hold its evidence."""

import contextlib
import hashlib
from pathlib import Path

from evidence.corpus import schema
from evidence.corpus.bibliography import FILE as BIBLIOGRAPHY
from evidence.errors import EvidenceError


def find_project(project: str | Path = "") -> Path:
    """The folder that holds `data/studies.csv`: the one named, or the nearest one upwards.

    With nothing named and nothing found above the working directory, the folder that this
    package is installed from is used, so that a notebook runs from anywhere.

    Raises
    ------
    EvidenceError
        No such folder.
    """
    if str(project):
        places = [Path(project).expanduser()]
    else:
        here = Path.cwd()
        places = [here, *here.parents, Path(__file__).resolve().parents[3]]
    for place in places:
        if (place / schema.STUDIES.file).is_file() or (place / BIBLIOGRAPHY).is_file():
            return place.resolve()
    raise EvidenceError(
        f"{places[0]}: holds neither {schema.STUDIES.file} nor {BIBLIOGRAPHY}; "
        "name a project folder that does"
    )


def checksums(project: Path) -> dict[str, str]:
    """The SHA-256 of the bibliography and of every table that a project has, by file."""
    found = {}
    for name in (BIBLIOGRAPHY, *(table.file for table in schema.TABLES)):
        # What cannot be read is for the reader to complain of.
        with contextlib.suppress(OSError):
            found[name] = hashlib.sha256((project / name).read_bytes()).hexdigest()
    return found
