"""Show the claims and references of the guide as tables."""

from collections.abc import Sequence

import pandas as pd

from evidence.analysis.gaps.unknowns import Unknown
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import VERDICTS
from evidence.tables.gaps import format_search_dates, unknown_title
from evidence.tables.html_table import CLAIMS_TABLE, UNKNOWNS_TABLE, ReportTable, anchor
from evidence.tables.sort_keys import ranks


def tabulate_claims(
    dataset: Dataset, claims: pd.DataFrame, unknowns: Sequence[Unknown] = ()
) -> ReportTable:
    """Return a table with one row per claim of `claim_verdicts`: texts, verdicts and reasons.

    If unknowns are given, each claim lists and links to those about it.
    """
    frame = pd.DataFrame(
        {
            "claim": claims["claim"],
            "the guide says": claims["statement"],
            "in numbers": claims["guide_value"],
            "its source says": claims["source_value"],
            "verdict": claims["verdict"],
            "reason": claims["reason"],
            "computed verdict": [_computed_verdict(claim) for claim in claims.itertuples()],
            "checked against": [
                "; ".join(dataset.label(key) for key in claim.source)
                + (f" ({claim.locator})" if claim.locator else "")
                for claim in claims.itertuples()
            ],
            "last searched": [
                format_search_dates(claim.last_searched, claim.review_due)
                for claim in claims.itertuples()
            ],
        }
    )
    links = {}
    if unknowns:
        unknowns_by_claim = [
            {
                unknown_title(unknown): anchor(UNKNOWNS_TABLE, unknown.name)
                for unknown in unknowns
                if claim in unknown.claims
            }
            for claim in claims["claim"]
        ]
        frame["unknowns"] = ["; ".join(titles) or "—" for titles in unknowns_by_claim]
        links = {
            (row, "unknowns"): titles for row, titles in enumerate(unknowns_by_claim) if titles
        }
    numbers = claims[["name", "guide_value", "source_value", "computed_verdict"]].assign(
        address=claims["address"] + " " + claims["compared_rows"]
    )
    return ReportTable(
        CLAIMS_TABLE,
        "Claims of the guide, checked against their sources",
        frame,
        numbers,
        {"computed_verdict": "verdict"},
        links=links,
        sort_keys={"verdict": ranks(claims["verdict"], VERDICTS)},
        filter_columns=("verdict",),
        second_line=("reason",),
        folded=tuple(
            frame.columns.drop(["claim", "the guide says", "its source says", "verdict", "reason"])
        ),
    )


def tabulate_guide(dataset: Dataset) -> ReportTable:
    """Return a table with one row per reference of the guide and text that it may be."""
    guide = dataset.guide
    frame = pd.DataFrame(
        {
            "reference": guide["guide_ref"],
            "match": guide["status"],
            "text": [
                format_vancouver(dataset.bibliography[key]) if key else "none found"
                for key in guide["source"]
            ],
            "passage of the guide": guide["passage"],
            "reason for the match": guide["reason"],
        }
    )
    numbers = guide[["rank", "address"]].copy()
    numbers.insert(0, "name", guide["guide_ref"] + "/" + guide["source"])
    return ReportTable(
        "tab-guide",
        "References of the guide and the texts they may be",
        frame,
        numbers,
        filter_columns=("match",),
        second_line=("passage of the guide", "reason for the match"),
    )


def _computed_verdict(claim) -> str:
    if not claim.computed_verdict:
        return "—"
    overruled = " — overruled" if claim.overruled else ""
    return f"{claim.computed_verdict}{overruled}: {claim.computed_reason}"
