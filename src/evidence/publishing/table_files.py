"""Tables as files: JSON for other programs and for `evidence export`, CSV for spreadsheets."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evidence.tables.table import Table

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?%?")


def harmless(cell):
    """A cell that no spreadsheet takes for a formula: what could start one gets an apostrophe.

    Numbers stay numbers, also with a sign; a true minus (−) starts no formula.
    """
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    # Full-width signs start formulas where they are typed; blanks before a sign are skipped.
    return f"'{cell}" if re.match(r"\s*[=+\-@＝＋－＠]|[\t\r\n]", cell) else cell


def as_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV of harmless cells; the headers are cells as well."""
    text = frame.select_dtypes(exclude="number").columns
    frame = frame.assign(**{name: frame[name].map(harmless) for name in text})
    return frame.rename(columns=harmless).to_csv(index=False, lineterminator="\n")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """A frame as a file of harmless cells."""
    path.write_text(as_csv(frame), "utf-8")


def write_table(table: Table, studies: Sequence[str], folder: Path) -> None:
    """`id.json` and `id.csv` in `folder`: the cells as shown, and the studies they rest on."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "id": table.id,
        "caption": table.caption,
        "columns": [str(name) for name in table.frame.columns],
        "rows": [[str(cell) for cell in row] for row in table.frame.itertuples(index=False)],
        "studies": list(studies),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / f"{table.id}.json").write_text(text + "\n", "utf-8")
    write_csv(table.frame, folder / f"{table.id}.csv")
