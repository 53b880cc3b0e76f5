"""Prepare rows of `studies.csv` for wanted results, with everything filled in that is known.

Vocabulary
----------
A *template* is such a row. The cells that only the source can answer (`RESULT_COLUMNS`) are blank.
"""

import csv
import io
from collections.abc import Iterable, Mapping

import pandas as pd

from evidence.analysis.gaps.reading_list import (
    MATCHED,
    WantedResult,
    find_wanted_results,
    group_by_source,
)
from evidence.dataset import schema
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.errors import ParameterError, did_you_mean

RESULT_COLUMNS = (
    "n", "events", "value", "spread", "spread_kind", "ci_low", "ci_high", "p_value", "p_adjusted",
    "direction", "as_printed",
)  # fmt: skip
ARM_COLUMNS = (
    "condition", "population", "role", "intervention", "dose", "dose_unit", "route",
    "infusion_minutes", "sessions",
)  # fmt: skip
"""The cells that are copied from other rows of the same arm."""
ASKED = (*MATCHED, "instrument", "time", "time_unit", "measure", "source")
"""The cells that a wanted result sets."""


def result_templates(dataset: Dataset, source: str) -> list[dict[str, str]]:
    """Return a row to complete for each result that is wanted of a source.

    Raise `ParameterError` if nothing is wanted of this source, or it is no source of the project.
    """
    wanted = wanted_of(dataset, source)
    if source not in dataset.bibliography:
        raise ParameterError(
            f"'{source}' has no entry in {schema.BIBLIOGRAPHY_FILE}. Add its report there and its "
            f"design in {schema.DESIGNS.file} first"
        )
    return [_template(dataset, entry) for entry in wanted if entry.outcome]


def wanted_of(dataset: Dataset, source: str) -> list[WantedResult]:
    """Return what is wanted of one source.

    Raise `ParameterError` if nothing is wanted of this source, or it is no source of the project.
    """
    by_source = group_by_source(find_wanted_results(dataset))
    if source in by_source:
        return by_source[source]
    if source in dataset.bibliography:
        raise ParameterError(f"nothing is wanted of '{source}'. 'evidence wanted' lists the others")
    hint = did_you_mean(source, by_source)
    raise ParameterError(f"unknown source '{source}'.{hint} 'evidence wanted' lists all")


def instructions(dataset: Dataset, source: str) -> str:
    """Say how to complete the templates of a source, and what else is wanted of it."""
    wanted = wanted_of(dataset, source)
    lines = [
        f"Read: {format_vancouver(dataset.bibliography[source])} {wanted[0].link}".rstrip(),
        f"Complete {', '.join(RESULT_COLUMNS[:-2])} as far as printed; copy the number exactly "
        "into as_printed; say in locator where it stands. direction is better, worse or no "
        "difference, only where no number or sign tells.",
        "Leave rows that you cannot complete. Then: evidence wanted --enter FILE --reader NAME",
    ]
    if any(not entry.outcome for entry in wanted):
        lines.append(f"Also wanted: which outcome was primary, and when ({schema.DESIGNS.file}).")
    return "\n".join(lines)


def format_rows(rows: Iterable[Mapping[str, str]]) -> str:
    """Format rows as CSV with the columns of `studies.csv`."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, schema.STUDIES.names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _template(dataset: Dataset, wanted: WantedResult) -> dict[str, str]:
    results = dataset.reported_results
    rows = results[(results["study"] == wanted.study) & (results["reported_by"] != "guide")]
    cells = dict.fromkeys(schema.STUDIES.names, "") | _cells_of_arm(rows, wanted)
    cells |= {name: getattr(wanted, name) for name in (*ASKED, "definition")}
    cells |= {"locator": wanted.part, "reported_by": _reported_by(results, wanted)}
    if wanted.versus:
        cells["role"] = "contrast"
    if wanted.kind == "known study":
        known = dataset.known_studies.set_index("known_study").loc[wanted.study]
        # One row shows the form; each outcome needs rows of its own.
        cells |= {"condition": known["condition"], "outcome": next(iter(known["outcomes"]), "")}
    return cells | _cells_of_unconfirmed_row(rows, wanted)


def _cells_of_arm(rows: pd.DataFrame, wanted: WantedResult) -> dict[str, str]:
    """Copy what most rows of an arm say about it; condition and population also from others."""
    of_arm = rows[rows["arm"] == wanted.arm]
    alike = of_arm[(of_arm["versus"] != "") == (wanted.versus != "")]
    cells = {
        name: _most_frequent(alike[name]) or _most_frequent(of_arm[name]) for name in ARM_COLUMNS
    }
    for name in ("condition", "population"):
        cells[name] = cells[name] or _most_frequent(rows[name])
    if not wanted.versus and cells["role"] == "contrast":
        cells["role"] = ""
    return cells


def _most_frequent(cells: pd.Series) -> str:
    filled = cells[cells.notna() & (cells.astype("str") != "")]
    if filled.empty:
        return ""
    cell = filled.mode().iloc[0]
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _reported_by(results: pd.DataFrame, wanted: WantedResult) -> str:
    """Return the kind of text that a source is; the own text of a study is a publication."""
    known = _most_frequent(results.loc[results["source"] == wanted.source, "reported_by"])
    return known or ("publication" if wanted.source == wanted.study else "")


def _cells_of_unconfirmed_row(rows: pd.DataFrame, wanted: WantedResult) -> dict[str, str]:
    """Copy the key of the unconfirmed row that a completed template would replace, if any."""
    rows = rows[rows["verified"] != "yes"]
    for name in ASKED:
        rows = rows[rows[name] == getattr(wanted, name)]
    return {name: rows[name].iloc[0] for name in schema.STUDIES.key if len(rows)}
