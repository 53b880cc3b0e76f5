"""Every number that a report prints, by name: what `values.json` holds.

Vocabulary
----------
An *entry* is `{"value", "text", "method", "rows"}`: the number at full precision, how the report
prints it (where it does so in a sentence), the name of its method (see `synthesis.methods`), and
the addresses (file:line) of the rows behind it.
"""

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from evidence.synthesis.wording import Number, Sentence


def _plain(value):
    """A JSON value; NaN and missing become None, numpy scalars become Python's."""
    if value is None or value is pd.NA:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def of_sentence(sentence: Sentence) -> dict[str, dict]:
    """An entry for each number that a sentence prints, named `sentence.number`."""
    return {
        f"{sentence.name}.{key}": _entry(number)
        for key, number in sentence.numbers.items()
        if number.value is not None and f"{{{key}}}" in sentence.template
    }


def _entry(number: Number) -> dict:
    return {
        "value": _plain(number.value),
        "text": number.text,
        "method": number.method,
        "rows": list(number.rows),
    }


def of_frame(identity: str, frame: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, dict]:
    """An entry for each number in a plotted or tabulated frame, `id:row.column`.

    Columns that only place a mark (`lane`, `row`, …) are no numbers about the evidence; columns
    of numbers as printed (`counts`, `guide_value`, …) are, as text.
    """
    placing = {"lane", "offset", "line", "row", "column", "area"}
    printed = {
        "counts",
        "as_printed",
        "guide_value",
        "source_value",
        "computed",
        "p_value",
        "p_adjusted",
    }
    columns = [
        name
        for name in frame.columns
        if name in printed or (_is_numeric(frame[name]) and name not in placing)
    ]
    entries = {}
    for row in frame.to_dict("records"):
        for name in columns:
            value = _plain(row[name])
            if value not in (None, ""):
                rows = str(row["address"]).split()
                entries[f"{identity}:{row['name']}.{name}"] = {
                    "value": value,
                    "method": methods.get(name, "copied"),
                    "rows": rows,
                }
    return entries


def _is_numeric(column: pd.Series) -> bool:
    kinds = pd.api.types
    return kinds.is_numeric_dtype(column) and not kinds.is_bool_dtype(column)


def merged(parts: Iterable[Mapping[str, dict]]) -> dict[str, dict]:
    """All entries, sorted by name; the same name twice must mean the same number.

    Raises
    ------
    ValueError
        Two entries of one name that differ.
    """
    entries: dict[str, dict] = {}
    for part in parts:
        for name, entry in part.items():
            if entries.setdefault(name, entry) != entry:
                raise ValueError(f"two numbers are called {name}: {entries[name]} and {entry}")
    return dict(sorted(entries.items()))
