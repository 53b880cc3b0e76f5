"""How often a number in the tables is wrong, as people found who held a sample to its sources.

Vocabulary
----------
An *audit* is one person's answer about one row. A row is known by its *fingerprint*, a digest of
what it says: a row that was changed after its audit has another one.

What was last looked at too long ago: questions and claims whose date has run out.
"""

import random
from collections.abc import Iterator
from datetime import date

import pandas as pd

from evidence.dataset.dataset import Dataset
from evidence.errors import ParameterError
from evidence.files import digest
from evidence.provenance.sentence import Number, Sentence, confidence_level, count, format_percent
from evidence.statistics.confidence_intervals import wilson_interval

ANSWER_LABELS = (
    "study", "arm", "versus", "outcome", "instrument", "time", "time_unit", "measure", "n",
    "events", "value", "spread", "spread_kind", "ci_low", "ci_high", "p_value", "p_adjusted",
    "direction", "as_printed", "source", "locator",
)  # fmt: skip


CONFIDENCE = 0.95


def row_digest(row) -> str:
    """Twelve hexadecimal digits that change with anything that a result says, and where."""
    cells = (
        "" if pd.isna(cell) else str(cell)
        for cell in (getattr(row, name) for name in ANSWER_LABELS)
    )
    return digest("\x1f".join(cells), 12)


def draw_sample(dataset: Dataset, size: int, seed: int) -> pd.DataFrame:
    """Results for a person to hold to their source, `size` of them by chance.

    The same seed draws the same rows, in whatever order the table is; those that were audited
    since are left out, so that a second call goes on where the first stopped. Results known to
    be unconfirmed are never drawn: nobody claims that they are right.
    """
    rows = dataset.results[dataset.results["verified"] == "yes"].copy()
    rows["row"] = [row_digest(row) for row in rows.itertuples()]
    rows = rows.sort_values("row").set_index("row", drop=False)
    chosen = random.Random(seed).sample(list(rows.index), min(size, len(rows)))
    audited = set(dataset.audits["row"])
    return rows.loc[[row for row in chosen if row not in audited]]


def error_rate(dataset: Dataset) -> Sentence:
    """How many results were checked, how many were wrong, and the rate with its Wilson interval.

    A wrong row counts also after it was mended: the rate is that of copying, not of the table
    after an audit. A confirmed row that was changed since has to be looked at again.

    References
    ----------
    wilson1927.
    """
    present = {row_digest(row) for row in dataset.results.itertuples()}
    audits = dataset.audits[dataset.audits["answer"].isin(["confirmed", "wrong"])]
    stands = (audits["answer"] == "wrong") | audits["row"].isin(present)
    audits = audits[stands].drop_duplicates("row", keep="last")
    if audits.empty:
        return Sentence(
            "audit.rate",
            "Not audited yet: nobody has held a random sample of these results to their sources.",
        )
    rows, wrong = tuple(audits["address"]), audits[audits["answer"] == "wrong"]
    share, low, high = (float(end) for end in wilson_interval(len(wrong), len(audits), CONFIDENCE))
    ends = f"{format_percent(low, 1000)} to {format_percent(high, 1000)}"
    return Sentence(
        "audit.rate",
        "{checked} drawn by chance and held to their sources by a person: {wrong} wrong, a rate of "
        "{rate} ({level} interval {interval}).",
        {
            "checked": count(len(audits), "result", rows=rows),
            "wrong": count(len(wrong), "was", "were", wrong["address"]),
            "rate": Number(share, format_percent(share, 1000), rows, "error_rate"),
            "level": confidence_level(CONFIDENCE),
            "interval": Number(ends, ends, rows, "wilson"),
        },
    )


def overdue_reviews(dataset: Dataset, on: str) -> Iterator[str]:
    """One line a question or claim that was good until a day before `on`.

    Parameters
    ----------
    on : str
        The day in question, as 2026-11-24; never taken from the clock.
    """
    for frame, key in ((dataset.unknowns, "unknown"), (dataset.claims, "claim")):
        dated = frame[(frame["review_due"] != "") & (frame["review_due"] < on)]
        for row in dated.to_dict("records"):
            yield (
                f"{row['address']} STALE warning: {key} {row[key]} was last looked at on "
                f"{row['last_searched'] or 'no known day'} and good until {row['review_due']}; "
                "look for newer texts"
            )


def parse_date(text: str) -> str:
    """Refuse what is no day.

    Raises
    ------
    ParameterError
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ParameterError(f"--on: '{text}' is not a day such as 2026-11-24") from None
