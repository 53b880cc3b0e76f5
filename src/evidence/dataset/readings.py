"""Which part of a source was read: whether every result lies in a reading, and readings that fit.

A result *lies in* a reading of its source if the reading is of the full text, or if the result's
locator is the part that was read or begins with it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache

import numpy as np
import pandas as pd

from evidence.dataset import schema
from evidence.dataset.bibliography import Reference
from evidence.dataset.csv_reader import split_keys
from evidence.dataset.text_checks import quote
from evidence.errors import ProblemList

FULL_TEXT = "full text"
REGISTRY_PARTS = ("registry entry", "registry results")
PAPER_PARTS = ("abstract", "supplement")
INCOMPLETE_PARTS = ("abstract", "registry entry", "second-hand")
"""Parts that never hold all results: what is missing there may stand elsewhere in the source."""
PAGE_ENTRIES = ("misc", "online", "electronic", "www", "dataset")
"""BibTeX types of registry records; with a DOI or PubMed number they are papers."""


def lies_in(locator: str, part: str, kind: str) -> bool:
    """Say whether a place in a source lies in a part of it that was read.

    Examples
    --------
    >>> lies_in("Table 1, footnote", "Table 1", "table")
    True
    >>> lies_in("Table 10", "Table 1", "table")
    False
    """
    return kind == FULL_TEXT or part in _possible_parts(locator)


def narrowest_reading(locator: str, readings: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """Return the reading of the smallest part that holds a locator; empty if there is none."""
    holding = [row for row in readings if lies_in(locator, row["part"], row["kind"])]
    is_part = [(row["kind"] != FULL_TEXT, len(row["part"])) for row in holding]
    return holding[is_part.index(max(is_part))] if holding else {}


@cache
def _possible_parts(locator: str) -> frozenset[str]:
    """Return the parts that hold a locator: itself, and how it begins before a comma or blank."""
    ends = (index for index, character in enumerate(locator) if character in ", ")
    return frozenset({locator, *(locator[:end] for end in ends)})


def check_readings(
    problems: ProblemList, tables: Mapping[str, pd.DataFrame], bibliography: Collection[str] | None
) -> None:
    """Find results outside all readings, and readings that contradict their source or its results.

    Nothing is checked in a project that does not record readings.
    """
    readings, results = tables[schema.READINGS.file], tables[schema.STUDIES.file]
    if readings.empty:
        return
    _check_coverage(problems, results, readings)
    _check_not_reported(problems, results, readings)
    references = bibliography if isinstance(bibliography, Mapping) else {}
    _check_parts(problems, readings, references)


def _check_coverage(problems: ProblemList, results: pd.DataFrame, readings: pd.DataFrame) -> None:
    """Require that each result lies in a reading of its source."""
    read_parts: dict[str, set[str]] = {}
    for reading in readings.itertuples():
        read_parts.setdefault(reading.source, set()).add(reading.part)
    read_whole = set(readings.loc[readings["kind"] == FULL_TEXT, "source"])

    def is_unread(source: str, locator: str) -> bool:
        # A blank cell has its own message.
        if not source or not locator or source in read_whole:
            return False
        return read_parts.get(source, set()).isdisjoint(_possible_parts(locator))

    def message(line: int) -> str:
        source, locator = results.at[line, "source"], results.at[line, "locator"]
        return (
            f"{quote(locator)} of {source} lies in no reading. Add the part that was read to "
            f"{schema.READINGS.file}: source {source}, part {quote(locator)}, with its kind, "
            "read_by, date and url."
        )

    unread = _map_pairs(results["source"], results["locator"], is_unread)
    problems.add_rows(schema.STUDIES.file, results.index[unread], "locator", message)


def _map_pairs(
    first: pd.Series, second: pd.Series, function: Callable[[str, str], bool]
) -> np.ndarray:
    """Apply a function once to each distinct pair of cells of two columns; return it by row."""
    width = len(second.cat.categories)
    codes = first.cat.codes.to_numpy(np.int64) * width + second.cat.codes.to_numpy(np.int64)
    pairs, rows = np.unique(codes, return_inverse=True)
    first_cells, second_cells = first.cat.categories, second.cat.categories
    values = [function(first_cells[code // width], second_cells[code % width]) for code in pairs]
    return np.array(values, bool)[rows]


def _check_not_reported(
    problems: ProblemList, results: pd.DataFrame, readings: pd.DataFrame
) -> None:
    """Find outcomes that a reading calls not reported although it cannot show that, or has them."""
    for reading in readings[readings["not_reported"] != ""].itertuples():
        if reading.kind in INCOMPLETE_PARTS:
            message = (
                f"{quote(reading.not_reported)} may be reported elsewhere in the source, because "
                f"kind {quote(reading.kind)} never holds all results. Leave it blank."
            )
            problems.add(schema.READINGS.file, reading.Index, "not_reported", message)
            continue
        for outcome in split_keys(reading.not_reported):
            rows = results[(results["source"] == reading.source) & (results["outcome"] == outcome)]
            lines = [
                line
                for line, locator in rows["locator"].items()
                if lies_in(locator, reading.part, reading.kind)
            ]
            if lines:
                message = (
                    f"{quote(outcome)} is reported in {quote(reading.part)} by "
                    f"{schema.STUDIES.file}:{lines[0]}. Remove it here, or correct that row."
                )
                problems.add(schema.READINGS.file, reading.Index, "not_reported", message)


def _check_parts(
    problems: ProblemList, readings: pd.DataFrame, references: Mapping[str, Reference]
) -> None:
    """Find readings of parts that their source cannot have.

    Its BibTeX entry and its other readings tell what it is. That an entry is @misc tells little:
    papers of which only an abstract is known are entered so too.
    """
    is_registry = readings["kind"].isin(REGISTRY_PARTS)
    records = dict(
        zip(readings.loc[is_registry, "source"], readings.index[is_registry], strict=True)
    )
    for reading in readings.itertuples():
        message = ""
        reference = references.get(reading.source)
        if reading.kind in REGISTRY_PARTS and reference and _is_paper(reference):
            message = (
                f"{reference.key} (@{reference.kind}) is not a registry record and has no "
                f"{reading.kind}. Give the record an entry of its own (@misc), or choose another "
                "kind."
            )
        elif reading.kind in PAPER_PARTS and reading.source in records:
            message = (
                f"{reading.source} is a registry record by line {records[reading.source]} and has "
                f"no {reading.kind}. Give the paper an entry of its own, or choose another kind."
            )
        if message:
            problems.add(schema.READINGS.file, reading.Index, "kind", message)


def _is_paper(reference: Reference) -> bool:
    return reference.kind.lower() not in PAGE_ENTRIES or bool(reference.doi or reference.pmid)
