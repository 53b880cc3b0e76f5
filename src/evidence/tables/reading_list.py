"""Show the reading list as a table."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from evidence.analysis.gaps.reading_list import WantedResult
from evidence.tables.html_table import CLAIMS_TABLE, UNKNOWNS_TABLE, ReportTable, anchor

DOI = "https://doi.org/"


def tabulate_reading_list(wanted: Sequence[WantedResult]) -> ReportTable:
    """Return a table with one row per wanted result: source, place, result, and why."""
    frame = pd.DataFrame(
        {
            "source": [entry.label for entry in wanted],
            "result": [entry.description for entry in wanted],
            "where it would be": [entry.part for entry in wanted],
            "reason": [entry.reason for entry in wanted],
            "kind": [entry.kind for entry in wanted],
            "address": [_address(entry.link) for entry in wanted],
            "claims": ["; ".join(entry.claims) or "—" for entry in wanted],
            "unknowns": ["; ".join(entry.unknowns) or "—" for entry in wanted],
            "participants": [
                f"{entry.participants:,}" if entry.participants else "not stated"
                for entry in wanted
            ],
        }
    )
    numbers = pd.DataFrame(
        {
            "name": _names(wanted),
            "rank": range(1, len(wanted) + 1),
            "participants": pd.array(
                [entry.participants or None for entry in wanted], dtype="Int64"
            ),
            "address": [" ".join(entry.rows) for entry in wanted],
        }
    )
    return ReportTable(
        "tab-reading-list",
        "What to look up, the most valuable first",
        frame,
        numbers,
        {"rank": "rank", "participants": "participants"},
        _links(wanted),
        sort_keys={"participants": list(numbers["participants"])},
        filter_columns=("source", "kind"),
        second_line=("reason", "address", "claims", "unknowns"),
    )


def _address(link: str) -> str:
    """Shorten an address: a DOI, a registration, or the site of a page."""
    if link.startswith(DOI):
        return link.removeprefix(DOI)
    return link.split("/")[2] if link.startswith("http") else link or "not known"


def _names(wanted: Sequence[WantedResult]) -> list[str]:
    """Return a name for each wanted result: its source and its number there."""
    seen: Counter[str] = Counter()
    names = []
    for entry in wanted:
        seen[entry.source] += 1
        names.append(f"{entry.source}/{seen[entry.source]}")
    return names


def _links(wanted: Sequence[WantedResult]) -> dict[tuple[int, str], str | Mapping[str, str]]:
    links: dict[tuple[int, str], str | Mapping[str, str]] = {}
    for row, entry in enumerate(wanted):
        if entry.link.startswith("http"):
            links[row, "address"] = entry.link
        for column, table in (("claims", CLAIMS_TABLE), ("unknowns", UNKNOWNS_TABLE)):
            if names := getattr(entry, column):
                links[row, column] = {name: anchor(table, name) for name in names}
    return links
