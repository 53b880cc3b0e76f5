"""Claims and references of the guide as tables, for those who want every reason."""

from collections.abc import Sequence

import pandas as pd

from evidence.analysis.gaps.unknowns import Unknown
from evidence.dataset.citations import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.tables.gaps import format_search_dates, unknown_title
from evidence.tables.html_table import CLAIMS_TABLE, UNKNOWNS_TABLE, ReportTable, anchor


def tabulate_claims(
    dataset: Dataset, claims: pd.DataFrame, unknowns: Sequence[Unknown] = ()
) -> ReportTable:
    """One row a claim: what guide and source say, the verdict and why, and the computed one.

    With a register of `unknowns`, each claim also names and links to those that touch it.
    """
    touching = [
        {
            unknown_title(entry): anchor(UNKNOWNS_TABLE, entry.name)
            for entry in unknowns
            if claim in entry.claims
        }
        for claim in claims["claim"]
    ]
    shown = pd.DataFrame(
        {
            "claim": claims["claim"],
            "the guide says": claims["statement"],
            "in numbers": claims["guide_value"],
            "its source says": claims["source_value"],
            "verdict": claims["verdict"],
            "why": claims["reason"],
            "computed from rows": [
                f"{row.computed_verdict}{' — overruled' if row.overruled else ''}: {row.computed_reason}"
                if row.computed_verdict
                else "—"
                for row in claims.itertuples()
            ],
            "checked against": [
                "; ".join(dataset.label(key) for key in row.source)
                + (f" ({row.locator})" if row.locator else "")
                for row in claims.itertuples()
            ],
            "last looked": [
                format_search_dates(row.last_searched, row.review_due)
                for row in claims.itertuples()
            ],
        }
    )
    if unknowns:
        shown["open questions"] = ["; ".join(found) or "—" for found in touching]
    numbers = claims[["name", "guide_value", "source_value", "computed_verdict"]].copy()
    numbers["address"] = claims["address"] + " " + claims["compared_rows"]
    return ReportTable(
        CLAIMS_TABLE,
        "Claims of the guide, checked against sources",
        shown,
        numbers,
        {"computed_verdict": "verdict"},
        links={(row, "open questions"): found for row, found in enumerate(touching) if found},
        filter_columns=("verdict",),
    )


def tabulate_guide(dataset: Dataset) -> ReportTable:
    """One row a reference of the guide and a text that it may be, how sure and why."""
    guide = dataset.guide
    shown = pd.DataFrame(
        {
            "reference": guide["guide_ref"],
            "match": guide["status"],
            "text": [
                format_vancouver(dataset.bibliography[key]) if key else "none found"
                for key in guide["source"]
            ],
            "the guide there": guide["passage"],
            "why this text": guide["reason"],
        }
    )
    numbers = guide[["rank", "address"]].copy()
    numbers.insert(0, "name", guide["guide_ref"] + "/" + guide["source"])
    return ReportTable(
        "tab-guide",
        "References of the guide, and the texts they may be",
        shown,
        numbers,
        filter_columns=("match",),
    )
