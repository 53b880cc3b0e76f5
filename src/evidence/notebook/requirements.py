"""What a project must hold for a notebook to have something to say.

A notebook declares it in its metadata: `"evidence": {"needs": ["data/claims.csv"]}` for a table with
rows, `"data/studies.csv:dose"` for a column with cells. One of several is enough.
"""

import csv
from pathlib import Path

from evidence.dataset import schema
from evidence.dataset.csv_layout import csv_layout, header_names, open_csv
from evidence.dataset.project_folder import table_path
from evidence.errors import EvidenceError
from evidence.files import read_json

METADATA = "evidence"


def unmet_needs(notebook: Path, project: Path) -> tuple[str, ...]:
    """Return what a notebook needs if the project holds none of it; else nothing.

    Raise `EvidenceError` if the file is not a notebook.
    """
    try:
        metadata = read_json(notebook)["metadata"]
        needs = tuple(map(str, metadata.get(METADATA, {}).get("needs", ())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvidenceError(f"{notebook}: not a readable notebook: {error}") from None
    return () if any(_is_met(need, project) for need in needs) else needs


def _is_met(need: str, project: Path) -> bool:
    """Tell whether a table has a row, or a column of it a cell.

    A workbook counts as filled: opening it takes longer than all other tables.
    """
    file, _, column = need.partition(":")
    table = schema.BY_FILE.get(file) or schema.Table(file, "", (), ())
    path = table_path(project, table)
    if path.suffix == schema.WORKBOOK_SUFFIX:
        return True
    try:
        with open_csv(path) as lines:
            layout, text = csv_layout(lines, table)
            rows = csv.reader(text, delimiter=layout.delimiter)
            names = header_names(next(rows, []), table)
            wanted = [number for number, name in enumerate(names) if column in ("", name)]
            return any(row[n].strip() for row in rows for n in wanted if n < len(row))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
