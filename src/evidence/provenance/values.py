"""Store every number and sentence of a report by name, for `values.json` and `texts.json`.

Vocabulary
----------
An *entry* is `{"value", "text", "method", "rows"}`: the number at full precision, its printed text
(if a sentence prints it), the name of its method (see `provenance.methods`) and the addresses of
the rows behind it.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.dataset import schema
from evidence.errors import EvidenceError
from evidence.files import read_json
from evidence.provenance.sentence import Number, Sentence

POSITION_COLUMNS = {"lane", "offset", "line", "row", "column", "area", "left"}
"""Numeric columns of a plotted frame that only place a mark."""
PRINTED_COLUMNS = {"counts", "computed_verdict"} | {
    column.name
    for table in schema.TABLES
    for column in table.columns
    if column.kind in ("printed", "p")
}
"""Text columns that hold numbers or verdicts as printed."""


def read_build_files(reports: Path, *names: str) -> list:
    """Read JSON files of a finished build.

    Raise `EvidenceError` if the folder holds no finished build, or a file is damaged.
    """
    try:
        contents = [read_json(reports / name) for name in names]
        if not all(map(_is_of_a_build, names, contents)):
            raise ValueError
    except FileNotFoundError:
        raise EvidenceError(
            f"{reports}: no finished reports here; build them with: evidence report"
        ) from None
    except ValueError:
        raise EvidenceError(
            f"{reports}: {', '.join(names)} cannot be read as JSON of a build; rebuild the reports "
            "with: evidence report"
        ) from None
    return contents


def _is_of_a_build(name: str, content: object) -> bool:
    """Return whether the content of a file has the form that a build gives it."""
    if not isinstance(content, dict):
        return False
    if name == "values.json":
        return all(isinstance(entry, dict) for entry in content.values())
    if name.startswith("values/"):
        return isinstance(content.get("figures"), list)
    return name != "manifest.json" or isinstance(content.get("inputs"), dict)


def read_figure_records(reports: Path) -> dict[str, dict]:
    """Read the record of each figure of a finished build, with the `page` that shows it, by id.

    Raise `EvidenceError` if the folder holds no finished build.
    """
    read_build_files(reports, "manifest.json")
    return {
        figure["id"]: figure | {"page": path.stem}
        for path in sorted((reports / "values").glob("*.json"))
        for figure in read_build_files(reports, f"values/{path.name}")[0]["figures"]
    }


def to_json_value(value: Any) -> Any:
    """Return plain Python values for JSON, all the way down; NaN, infinity and NA become None."""
    if isinstance(value, Mapping):
        return {str(key): to_json_value(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [to_json_value(entry) for entry in value]
    if value is None or value is pd.NA:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


class ValueStore:
    """The numbers and sentences of one page by name, in the order they were added.

    `values` holds entries, `texts` dicts of `text` and `template`. Adding something else under a
    name that is taken raises ValueError.
    """

    def __init__(self) -> None:
        self.values: dict[str, dict] = {}
        self.texts: dict[str, dict] = {}

    def add(self, sentence: Sentence) -> None:
        """Add a sentence and the numbers that it prints, named `sentence.key`."""
        # Sorted as they are read, which is the order of the footnotes.
        places = {key: sentence.template.find(f"{{{key}}}") for key in sentence.numbers}
        entries = {
            f"{sentence.name}.{key}": _entry(sentence.numbers[key])
            for key in sorted(places, key=places.__getitem__)
            if places[key] >= 0
        }
        text = {"text": str(sentence), "template": sentence.template}
        _merge(self.values, entries)
        _merge(self.texts, {sentence.name: text})

    def add_frame(self, identity: str, frame: pd.DataFrame, methods: Mapping[str, str]) -> None:
        """Add the numbers of a plotted or tabulated frame, named `id:row.column`.

        The frame has `name` and `address` (addresses separated by spaces) for each row. `methods`
        gives the method of each column; columns without one are copied from the row.
        """
        columns = [name for name in frame.columns if _holds_values(frame[name])]
        for row in frame.to_dict("records"):
            values = {name: to_json_value(row[name]) for name in columns}
            entries = {
                f"{identity}:{row['name']}.{name}": {
                    "value": value,
                    "method": methods.get(name, "copied"),
                    "rows": str(row["address"]).split(),
                }
                for name, value in values.items()
                if value not in (None, "")
            }
            _merge(self.values, entries)


def _merge(store: dict[str, dict], entries: Mapping[str, dict]) -> None:
    for name, entry in entries.items():
        if store.setdefault(name, entry) != entry:
            raise ValueError(f"two values are called {name}: {store[name]} and {entry}")


def _holds_values(column: pd.Series) -> bool:
    types = pd.api.types
    is_number = types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
    return column.name in PRINTED_COLUMNS or (is_number and column.name not in POSITION_COLUMNS)


def _entry(number: Number) -> dict:
    return {
        "value": to_json_value(number.value),
        "text": number.text,
        "method": number.method,
        "rows": list(number.rows),
    }
