"""The one table that a command writes to: what people answered, appended and never lost."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from evidence.corpus.schema import Table
from evidence.errors import EvidenceError


def append_row(project: Path, table: Table, cells: Mapping[str, object]) -> None:
    """Add a row to a table of a project, and the table itself if it is not there yet.

    The new file takes the place of the old one in a single step, so that a stop in between
    leaves the old one.

    Raises
    ------
    EvidenceError
        The file cannot be written.
    """
    path = project / table.file
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, table.names, restval="", lineterminator="\n")
    try:
        old = path.read_text("utf-8") if path.is_file() else ""
        if not old.strip():
            writer.writeheader()
        elif not old.endswith("\n"):
            buffer.write("\n")
        writer.writerow(cells)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(old + buffer.getvalue(), "utf-8")
        beside.replace(path)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be written: {error.strerror}") from None
