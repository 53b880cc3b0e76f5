"""Tables as files: JSON for other programs and for `evidence export`, CSV for spreadsheets.

The audited claims for machines: schema.org ClaimReview, and a plain table.

The register of unknowns for other programs: CSV and JSON.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from evidence.analysis.gaps.unknowns import Unknown
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import VERDICTS
from evidence.provenance.values import to_json_value
from evidence.tables.gaps import required_trial_text
from evidence.tables.html_table import CLAIMS_TABLE, ReportTable, anchor

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?%?")


def escape_formula(cell):
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
    frame = frame.assign(**{name: frame[name].map(escape_formula) for name in text})
    return frame.rename(columns=escape_formula).to_csv(index=False, lineterminator="\n")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """A frame as a file of harmless cells."""
    path.write_text(as_csv(frame), "utf-8")


def write_table(table: ReportTable, studies: Sequence[str], folder: Path) -> None:
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


def claims_json_ld(dataset: Dataset, claims: pd.DataFrame, *, page: str) -> str:
    """One ClaimReview a claim, as JSON-LD that may stand inside a page.

    The rating runs from 1 (differs) to 4 (agrees); a claim that nobody can check has the words
    of its verdict and no number.

    Parameters
    ----------
    claims : DataFrame
        From `synthesis.claims.audit`.
    page : str
        The page on which each claim has its row.
    """
    reviews = [_review(dataset, row, page) for row in claims.itertuples()]
    text = json.dumps({"@context": "https://schema.org", "@graph": reviews}, indent=1)
    # "</script>" inside a text would end the element that the page puts around this.
    return text.replace("</", "<\\/")


def _review(dataset: Dataset, row, page: str) -> dict:
    rating = {"@type": "Rating", "alternateName": row.verdict, "ratingExplanation": row.reason}
    if row.verdict != VERDICTS[-1]:
        rank = VERDICTS[:4][::-1].index(row.verdict) + 1
        rating |= {"ratingValue": rank, "worstRating": 1, "bestRating": 4}
    return {
        "@type": "ClaimReview",
        "@id": f"{page}#{anchor(CLAIMS_TABLE, row.claim)}",
        "url": f"{page}#{anchor(CLAIMS_TABLE, row.claim)}",
        "claimReviewed": row.statement,
        "author": {"@type": "Organization", "name": "The curators of this notebook"},
        "reviewRating": rating,
        "itemReviewed": {"@type": "Claim", "name": row.label, **_appearance(dataset, row)},
        "citation": [_work(dataset, key) for key in row.source],
    }


def _appearance(dataset: Dataset, row) -> dict:
    """The text that makes the claim: the source of the guide's rows, if there is only one."""
    guides = _guide_sources(dataset)
    return {"appearance": _work(dataset, guides[0])} if len(guides) == 1 else {}


@selection
def _guide_sources(dataset: Dataset) -> list[str]:
    results = dataset.results
    return list(results.loc[results["reported_by"] == "guide", "source"].unique())


def _work(dataset: Dataset, key: str) -> dict:
    reference = dataset.bibliography[key]
    work = {"@type": "CreativeWork", "name": reference.title}
    return work | ({"url": reference.link} if reference.link else {})


def claims_frame(claims: pd.DataFrame) -> pd.DataFrame:
    """The claims with both verdicts, their reasons and the rows that were compared."""
    return pd.DataFrame(
        {
            "claim": claims["claim"],
            "label": claims["label"],
            "statement": claims["statement"],
            "guide_value": claims["guide_value"],
            "source_value": claims["source_value"],
            "verdict": claims["verdict"],
            "reason": claims["reason"],
            "computed_verdict": claims["computed_verdict"],
            "computed_reason": claims["computed_reason"].where(
                claims["computed_verdict"] != "", ""
            ),
            "overruled": claims["overruled"].map({True: "yes", False: "no"}),
            "address": claims["address"],
            "compared_rows": claims["compared_rows"],
        }
    )


EPICOT = (
    "question",
    "population",
    "intervention",
    "comparison",
    "outcome",
    "follow_up",
    "asked_on",
)


def unknowns_records(entries: Iterable[Unknown]) -> list[dict]:
    """One mapping an unknown: the parts of EPICOT+, what was computed, and the rows behind it."""
    return [
        {
            "unknown": entry.name,
            "origin": entry.origin,
            **{name: getattr(entry, name) for name in EPICOT},
            "section": entry.section,
            "claims": list(entry.claims),
            "status": entry.status,
            "status_computed": entry.computed_status,
            "studies": entry.k,
            "participants": entry.n,
            "randomised": entry.randomised,
            "longest_follow_up_days": to_json_value(entry.longest_follow_up),
            "certainty": entry.best.suggested if entry.best else "",
            "reasons": entry.codes,
            "required_trial": required_trial_text(entry),
            "per_arm": entry.required_trial.per_arm,
            "information_fraction": to_json_value(entry.required_trial.fraction),
            "study_keys": list(entry.evidence["study"].unique()),
            "rows": list(entry.evidence["address"]),
        }
        for entry in entries
    ]


def unknowns_frame(entries: Iterable[Unknown]) -> pd.DataFrame:
    """The same as a table: lists are joined by semicolons."""
    return pd.DataFrame(
        [
            {
                name: "; ".join(map(str, value)) if isinstance(value, list | dict) else value
                for name, value in record.items()
            }
            for record in unknowns_records(entries)
        ]
    )


def unknowns_json(entries: Iterable[Unknown]) -> str:
    """The same as JSON."""
    return json.dumps(unknowns_records(entries), indent=1, ensure_ascii=False) + "\n"
