"""Every number and sentence of a report by name: what `values.json` and `texts.json` hold.

Vocabulary
----------
An *entry* is `{"value", "text", "method", "rows"}`: the number at full precision, how the report
prints it (where it does so in a sentence), the name of its method (see `synthesis.methods`), and
the addresses (file:line) of the rows behind it.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from evidence.errors import EvidenceError
from evidence.provenance.sentence import Number, Sentence


def read_build_files(reports: Path, *names: str) -> list:
    """JSON files of a finished run.

    Raises
    ------
    EvidenceError
        No finished run there.
    """
    try:
        return [json.loads((reports / name).read_text("utf-8")) for name in names]
    except FileNotFoundError:
        raise EvidenceError(
            f"{reports}: holds no finished reports; make them with: evidence report"
        ) from None


def read_figure_records(reports: Path) -> dict[str, dict]:
    """Every figure of a finished run by id, as its report left it, with the `page` that shows it.

    Raises
    ------
    EvidenceError
        No finished run there.
    """
    read_build_files(reports, "manifest.json")
    found = {}
    for path in sorted((reports / "values").glob("*.json")):
        for figure in json.loads(path.read_text("utf-8"))["figures"]:
            found[figure["id"]] = figure | {"page": path.stem}
    return found


def to_json_value(value):
    """A JSON value; NaN and missing become None, numpy scalars become Python's."""
    if value is None or value is pd.NA:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


class ValueStore:
    """What one page says: each sentence and each number by name, in the order they came.

    Attributes
    ----------
    values : dict of str to entry
    texts : dict of str to {"text", "template"}
    """

    def __init__(self):
        self.values: dict[str, dict] = {}
        self.texts: dict[str, dict] = {}

    def add(self, sentence: Sentence) -> None:
        """A sentence with the numbers that it prints, named `sentence.number`."""
        entries = {
            f"{sentence.name}.{key}": _entry(number)
            for key, number in sentence.numbers.items()
            if number.value is not None and f"{{{key}}}" in sentence.template
        }
        text = {"text": str(sentence), "template": sentence.template}
        self._merge(self.values, entries)
        self._merge(self.texts, {sentence.name: text})

    def add_frame(self, identity: str, frame: pd.DataFrame, methods: Mapping[str, str]) -> None:
        """Each number in a plotted or tabulated frame, named `id:row.column`.

        Columns that only place a mark (`lane`, `row`, …) are no numbers about the evidence;
        columns of numbers as printed (`counts`, `guide_value`, …) are, as text.
        """
        entries, columns = {}, _columns(frame)
        for row in frame.to_dict("records"):
            for name in columns:
                value = to_json_value(row[name])
                if value not in (None, ""):
                    entries[f"{identity}:{row['name']}.{name}"] = {
                        "value": value,
                        "method": methods.get(name, "copied"),
                        "rows": str(row["address"]).split(),
                    }
        self._merge(self.values, entries)

    @staticmethod
    def _merge(known: dict[str, dict], new: Mapping[str, dict]) -> None:
        """The same name twice must mean the same.

        Raises
        ------
        ValueError
        """
        for name, entry in new.items():
            if known.setdefault(name, entry) != entry:
                raise ValueError(f"two things are called {name}: {known[name]} and {entry}")


def _columns(frame: pd.DataFrame) -> list[str]:
    placing = {"lane", "offset", "line", "row", "column", "area"}
    printed = {
        "counts",
        "as_printed",
        "guide_value",
        "source_value",
        "computed_verdict",
        "p_value",
        "p_adjusted",
    }
    return [
        name
        for name in frame.columns
        if name in printed or (_is_numeric(frame[name]) and name not in placing)
    ]


def _entry(number: Number) -> dict:
    return {
        "value": to_json_value(number.value),
        "text": number.text,
        "method": number.method,
        "rows": list(number.rows),
    }


def _is_numeric(column: pd.Series) -> bool:
    kinds = pd.api.types
    return kinds.is_numeric_dtype(column) and not kinds.is_bool_dtype(column)
