"""Write tables, claims and unknowns for other programs: CSV, JSON and schema.org ClaimReview."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from evidence.analysis.gaps.reading_list import WantedResult, group_by_source
from evidence.analysis.gaps.unknowns import Unknown
from evidence.dataset.access_log import selection
from evidence.dataset.citations.bibtex import format_bibtex
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import VERDICTS
from evidence.files import digest, format_json
from evidence.provenance.values import to_json_value
from evidence.report.cite import CitedPart, cited_keys_at, format_part_bibtex
from evidence.report.figure_identity import VERSION_LENGTH, read_licence
from evidence.tables.gaps import required_trial_text
from evidence.tables.html_table import CLAIMS_TABLE, ReportTable, anchor

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?%?")
# Full-width signs start formulas where they are typed; blanks before a sign are skipped.
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
CLAIM_COLUMNS = (
    "claim",
    "label",
    "statement",
    "guide_value",
    "source_value",
    "verdict",
    "reason",
    "computed_verdict",
    "computed_reason",
    "overruled",
    "address",
    "compared_rows",
)
WANTED_COLUMNS = (
    "study",
    "arm",
    "versus",
    "outcome",
    "instrument",
    "definition",
    "time",
    "time_unit",
    "measure",
)
EPICOT_COLUMNS = (
    "question",
    "population",
    "intervention",
    "comparison",
    "outcome",
    "follow_up",
    "asked_on",
)


def escape_formula(cell: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would run as a formula.

    Numbers stay numbers, also with a sign; a true minus (−) starts no formula.
    """
    if not isinstance(cell, str) or NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}" if FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Return a cell of a CSV file as it was before `escape_formula`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell[1:]) else cell


def as_csv(frame: pd.DataFrame) -> str:
    """Format a frame as CSV in which no cell and no header is a formula."""
    text_columns = frame.select_dtypes(exclude="number").columns
    frame = frame.assign(**{name: frame[name].map(escape_formula) for name in text_columns})
    return frame.rename(columns=escape_formula).to_csv(index=False, lineterminator="\n")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV; see `as_csv`."""
    path.write_text(as_csv(frame), "utf-8")


def write_table(table: ReportTable, dataset: Dataset, folder: Path) -> None:
    """Write a table as `ID.json` and `ID.csv`, the cells as shown, and what to cite as `ID.bib`.

    The version of a table is a digest of its caption and its cells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shown = {
        "caption": table.caption,
        "columns": [str(name) for name in table.frame.columns],
        "rows": [[str(cell) for cell in row] for row in table.frame.itertuples(index=False)],
    }
    addresses = [row for cell in table.numbers["address"] for row in str(cell).split()]
    studies, sources = cited_keys_at(dataset, addresses)
    licence, table_version = read_licence(dataset), digest(format_json(shown), VERSION_LENGTH)
    part = CitedPart(
        table.id, table.caption, tuple(studies), table_version, licence["name"], tuple(sources)
    )
    content = {
        "id": table.id,
        "version": table_version,
        **shown,
        "studies": studies,
        "sources": sources,
        "licence": licence,
    }
    (folder / f"{table.id}.json").write_text(format_json(content), "utf-8")
    write_csv(table.frame, folder / f"{table.id}.csv")
    (folder / f"{table.id}.bib").write_text(format_part_bibtex(dataset, part), "utf-8")


def claims_json_ld(dataset: Dataset, claims: pd.DataFrame, *, page: str) -> str:
    """Format claims as ClaimReview in JSON-LD that can be put into a page.

    The rating runs from 1 (differs) to 4 (agrees). A claim that cannot be checked has no number.
    `claims` are from `claim_verdicts`, and `page` has a row for each of them.
    """
    reviews = [_review(dataset, row, page) for row in claims.itertuples()]
    text = format_json({"@context": "https://schema.org", "@graph": reviews})
    # "</script>" inside a text would end the element that the page puts around this.
    return text.replace("</", "<\\/")


def _review(dataset: Dataset, row, page: str) -> dict:
    rating = {"@type": "Rating", "alternateName": row.verdict, "ratingExplanation": row.reason}
    if row.verdict != VERDICTS[-1]:
        rank = VERDICTS[:4][::-1].index(row.verdict) + 1
        rating |= {"ratingValue": rank, "worstRating": 1, "bestRating": 4}
    guides = _guide_sources(dataset)
    # The text that makes the claim is named if the guide's rows have only one.
    appearance = {"appearance": _work(dataset, guides[0])} if len(guides) == 1 else {}
    return {
        "@type": "ClaimReview",
        "@id": f"{page}#{anchor(CLAIMS_TABLE, row.claim)}",
        "url": f"{page}#{anchor(CLAIMS_TABLE, row.claim)}",
        "claimReviewed": row.statement,
        "author": {"@type": "Organization", "name": "The curators of this notebook"},
        "reviewRating": rating,
        "itemReviewed": {"@type": "Claim", "name": row.label, **appearance},
        "citation": [_work(dataset, key) for key in row.source],
    }


@selection
def _guide_sources(dataset: Dataset) -> list[str]:
    results = dataset.reported_results
    return list(results.loc[results["reported_by"] == "guide", "source"].unique())


def _work(dataset: Dataset, key: str) -> dict:
    reference = dataset.bibliography[key]
    work = {"@type": "CreativeWork", "name": reference.title}
    return work | ({"url": reference.link} if reference.link else {})


def claims_frame(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the claims with both verdicts, their reasons and the rows that were compared."""
    is_computed = claims["computed_verdict"] != ""
    return claims[list(CLAIM_COLUMNS)].assign(
        computed_reason=claims["computed_reason"].where(is_computed, ""),
        overruled=claims["overruled"].map({True: "yes", False: "no"}),
    )


def unknowns_records(entries: Iterable[Unknown]) -> list[dict]:
    """Return each unknown as plain data: its EPICOT+ parts, what was computed, and its rows."""
    return [
        {
            "unknown": entry.name,
            "origin": entry.origin,
            **{name: getattr(entry, name) for name in EPICOT_COLUMNS},
            "section": entry.section,
            "claims": list(entry.claims),
            "status": entry.status,
            "status_computed": entry.computed_status,
            "studies": entry.k,
            "participants": entry.n,
            "animals": entry.animals,
            "randomised": entry.randomised,
            "longest_follow_up_days": to_json_value(entry.longest_follow_up),
            "certainty": entry.best.suggested if entry.best else "",
            "reasons": entry.codes,
            "required_trial": required_trial_text(entry),
            "per_arm": entry.required_trial.per_arm,
            "information_fraction": to_json_value(entry.required_trial.fraction),
            "study_keys": list(entry.evidence["study"].unique()),
            "rows": list(entry.evidence["address"]),
            **_coverage(entry),
        }
        for entry in entries
    ]


def reading_list_records(wanted: Iterable[WantedResult]) -> list[dict]:
    """Return each wanted result as plain data."""
    return [
        {
            "source": entry.source,
            "link": entry.link,
            "part": entry.part,
            **{name: getattr(entry, name) for name in WANTED_COLUMNS},
            "result": entry.description,
            "why_wanted": entry.kind,
            "reason": entry.reason,
            "participants": entry.participants,
            "claims": list(entry.claims),
            "unknowns": list(entry.unknowns),
            "primary_outcome": entry.is_primary,
            "rows": list(entry.rows),
        }
        for entry in wanted
    ]


def reading_list_json(wanted: Sequence[WantedResult], limit: int | None = None) -> str:
    """Format wanted results as JSON, of the first `limit` sources."""
    by_source = group_by_source(wanted)
    shown = [entry for source in list(by_source)[:limit] for entry in by_source[source]]
    return format_json(reading_list_records(shown))


def _coverage(entry: Unknown) -> dict[str, str | int | list[str]]:
    """Return which studies are known to exist on an unknown, what was read, and the searches."""
    coverage = entry.coverage
    return {
        "state": entry.state,
        "known_studies": entry.known,
        "tabulated": entry.known - entry.unread,
        "unread": list(coverage.unread["label"]),
        "not_reported_by": list(coverage.not_reported["label"]),
        "known_study_rows": [
            *coverage.tabulated["address"], *coverage.unread["address"],
            *coverage.not_reported["address"],
        ],
        "reading_rows": list(entry.readings["address"]),
        "search_rows": list(coverage.searches["address"]),
    }  # fmt: skip


def unknowns_frame(entries: Iterable[Unknown]) -> pd.DataFrame:
    """Return unknowns as a table; lists are joined by semicolons."""
    return _as_frame(unknowns_records(entries))


def reading_list_frame(wanted: Iterable[WantedResult]) -> pd.DataFrame:
    """Return wanted results as a table; lists are joined by semicolons."""
    return _as_frame(reading_list_records(wanted))


def _as_frame(records: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                name: "; ".join(map(str, value)) if isinstance(value, list | dict) else value
                for name, value in record.items()
            }
            for record in records
        ]
    )


def coverage_frame(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of `coverage_by_question` with the columns of `coverage.csv`."""
    names = {"comparator_kind": "comparator", "band": "follow_up", "fraction": "coverage"}
    frame = cells.drop(columns="of_unknown_dose").rename(columns=names | {"address": "rows"})
    frame.insert(
        frame.columns.get_loc("reported"),
        "tabulated",
        cells[["reported", "second_hand"]].sum(axis="columns"),
    )
    return frame


def unknowns_json(entries: Iterable[Unknown]) -> str:
    """Format unknowns as JSON."""
    return format_json(unknowns_records(entries))


def unknowns_bibtex(dataset: Dataset, entries: Sequence[Unknown]) -> str:
    """Format the sources of the studies on unknowns as BibTeX, unread ones too if they have one.

    A comment for each unknown names its state and the keys of its studies.
    """
    bibliography = dataset.bibliography
    comments: list[str] = []
    keys: dict[str, None] = {}
    for entry in entries:
        studies = {
            "tabulated": list(entry.evidence["study"].unique()),
            "not read in full": list(entry.coverage.unread["known_study"]),
        }
        parts = [f"{part}: {', '.join(names)}" for part, names in studies.items() if names]
        comments.append("; ".join([f"% {entry.name}: {entry.state or 'source unknown'}", *parts]))
        keys |= dict.fromkeys(name for names in studies.values() for name in names)
    # An @ would begin an entry.
    text = "\n".join(comments).replace("@", "(at)")
    sources = bibliography.select([key for key in keys if key in bibliography])
    return f"{text}\n\n{format_bibtex(sources)}"
