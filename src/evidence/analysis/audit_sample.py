"""Draw random results for an audit against their sources, and report the error rate.

Vocabulary
----------
An *audit* is one person's answer about one row. Audits name a row by a digest of its content, so a
row that was changed after its audit counts as not audited.
"""

import random
from collections.abc import Iterator

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.files import digest
from evidence.provenance.sentence import (
    Number,
    Sentence,
    confidence_level,
    count,
    format_percent,
    verbatim,
)
from evidence.statistics.confidence_intervals import wilson_interval

AUDITED_COLUMNS = schema.STUDIES.with_role("audited")
CONFIDENCE = 0.95


def row_digest(row: object) -> str:
    """Return 12 hexadecimal digits that change with anything a result states."""
    cells = (getattr(row, name) for name in AUDITED_COLUMNS)
    return digest("\x1f".join("" if pd.isna(cell) else str(cell) for cell in cells), 12)


def draw_sample(dataset: Dataset, size: int, seed: int) -> pd.DataFrame:
    """Draw `size` confirmed results at random and return those not audited yet.

    The same seed draws the same rows whatever their order in the table, so a second call continues
    where the first stopped.
    """
    rows = dataset.results[dataset.results["verified"] == "yes"].copy()
    rows["row"] = [row_digest(row) for row in rows.itertuples()]
    rows = rows.sort_values("row").set_index("row", drop=False)
    sample = random.Random(seed).sample(list(rows.index), min(size, len(rows)))
    audited = set(dataset.audits["row"])
    return rows.loc[[row for row in sample if row not in audited]]


def error_rate(dataset: Dataset) -> Sentence:
    """State how many results were audited and the error rate with its Wilson CI.

    A wrong row still counts after it was corrected: the rate is that of extraction, not of the
    corrected table. A confirmed row that was changed since counts as not audited.

    References
    ----------
    wilson1927.
    """
    present = {row_digest(row) for row in dataset.results.itertuples()}
    audits = dataset.audits[dataset.audits["answer"].isin(["confirmed", "wrong"])]
    is_valid = (audits["answer"] == "wrong") | audits["row"].isin(present)
    audits = audits[is_valid].drop_duplicates("row", keep="last")
    if audits.empty:
        return Sentence(
            "audit.rate",
            "Not audited yet: nobody has checked a random sample of these results against their "
            "sources.",
        )
    addresses, wrong = tuple(audits["address"]), audits[audits["answer"] == "wrong"]
    interval = wilson_interval(len(wrong), len(audits), CONFIDENCE)
    rate, low, high = (float(value) for value in interval)
    ci = f"{format_percent(low, 1000)} to {format_percent(high, 1000)}"
    return Sentence(
        "audit.rate",
        "{checked} drawn at random and checked against their sources: {wrong} wrong, an error rate "
        "of {rate} ({level} CI {interval}).",
        {
            "checked": count(len(audits), "result", rows=addresses),
            "wrong": count(len(wrong), "was", wrong["address"], plural="were"),
            "rate": Number(rate, format_percent(rate, 1000), addresses, "error_rate"),
            "level": confidence_level(CONFIDENCE),
            "interval": verbatim(ci, addresses, "wilson"),
        },
    )


def overdue_reviews(dataset: Dataset, day: str) -> Iterator[str]:
    """Yield one warning for each unknown and claim whose review was due before an ISO date.

    The day is never taken from the clock, so that output is reproducible.
    """
    for frame, key in ((dataset.unknowns, "unknown"), (dataset.claims, "claim")):
        is_overdue = (frame["review_due"] != "") & (frame["review_due"] < day)
        for row in frame[is_overdue].to_dict("records"):
            searched = f"last searched {row['last_searched']}" if row["last_searched"] else (
                "no search date recorded"
            )  # fmt: skip
            yield (
                f"{row['address']} OVERDUE warning: {key} {row[key]} was due for review on "
                f"{row['review_due']} ({searched}); search for newer studies"
            )
