"""What a project must hold for a notebook to have something to say.

A notebook declares it in its metadata: `"evidence": {"needs": ["data/claims.csv"]}` for a table with
rows, `"data/studies.csv:dose"` for a column with cells. One of several is enough.
"""

import csv
import json
from pathlib import Path

from evidence.errors import EvidenceError

METADATA = "evidence"


def unmet_needs(notebook: Path, project: Path) -> tuple[str, ...]:
    """Return what a notebook needs if the project holds none of it; else nothing.

    Raises
    ------
    EvidenceError
        The file is not a notebook.
    """
    try:
        metadata = json.loads(notebook.read_text("utf-8"))["metadata"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"{notebook}: not a readable notebook: {error}") from None
    needs = tuple(metadata.get(METADATA, {}).get("needs", ()))
    return () if any(_is_met(need, project) for need in needs) else needs


def _is_met(need: str, project: Path) -> bool:
    """Tell whether a table has a row, or a column of it a cell; tables of notebooks are small."""
    file, _, column = need.partition(":")
    try:
        with (project / file).open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            rows = csv.DictReader(lines)
            return any((row.get(column) or "").strip() if column else row for row in rows)
    except (OSError, csv.Error):
        return False
