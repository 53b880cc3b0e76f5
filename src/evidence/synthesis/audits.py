"""How often a number in the tables is wrong, as people found who held a sample to its sources.

Vocabulary
----------
An *audit* is one person's answer about one row. A row is known by its *fingerprint*, a digest of
what it says: a row that was changed after its audit has another one.
"""

import hashlib
import random

import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.estimation.proportions import wilson
from evidence.synthesis.wording import Number, Sentence, count, level, percent

SAYS = (
    "study", "arm", "versus", "outcome", "instrument", "time", "time_unit", "measure", "n",
    "events", "value", "spread", "spread_kind", "ci_low", "ci_high", "p_value", "p_adjusted",
    "direction", "as_printed", "source", "locator",
)  # fmt: skip


LEVEL = 0.95


def fingerprint(row) -> str:
    """Twelve hexadecimal digits that change with anything that a result says, and where."""
    cells = ("" if pd.isna(cell) else str(cell) for cell in (getattr(row, name) for name in SAYS))
    return hashlib.sha256("\x1f".join(cells).encode()).hexdigest()[:12]


def draw_sample(corpus: Corpus, size: int, seed: int) -> pd.DataFrame:
    """Results for a person to hold to their source, `size` of them by chance.

    The same seed draws the same rows, in whatever order the table is; those that were audited
    since are left out, so that a second call goes on where the first stopped. Results known to
    be unconfirmed are never drawn: nobody claims that they are right.
    """
    rows = corpus.results[corpus.results["verified"] == "yes"].copy()
    rows["row"] = [fingerprint(row) for row in rows.itertuples()]
    rows = rows.sort_values("row").set_index("row", drop=False)
    chosen = random.Random(seed).sample(list(rows.index), min(size, len(rows)))
    audited = set(corpus.audits["row"])
    return rows.loc[[row for row in chosen if row not in audited]]


def error_rate(corpus: Corpus) -> Sentence:
    """How many results were checked, how many were wrong, and the rate with its Wilson interval.

    A wrong row counts also after it was mended: the rate is that of copying, not of the table
    after an audit. A confirmed row that was changed since has to be looked at again.

    References
    ----------
    wilson1927.
    """
    present = {fingerprint(row) for row in corpus.results.itertuples()}
    audits = corpus.audits[corpus.audits["answer"].isin(["confirmed", "wrong"])]
    stands = (audits["answer"] == "wrong") | audits["row"].isin(present)
    audits = audits[stands].drop_duplicates("row", keep="last")
    if audits.empty:
        return Sentence(
            "audit.rate",
            "Not audited yet: nobody has held a random sample of these results to their sources.",
        )
    rows, wrong = tuple(audits["address"]), audits[audits["answer"] == "wrong"]
    share, low, high = (float(end) for end in wilson(len(wrong), len(audits), LEVEL))
    ends = f"{percent(low, 1000)} to {percent(high, 1000)}"
    return Sentence(
        "audit.rate",
        "{checked} drawn by chance and held to their sources by a person: {wrong} wrong, a rate of "
        "{rate} ({level} interval {interval}).",
        {
            "checked": count(len(audits), "result", rows=rows),
            "wrong": count(len(wrong), "was", "were", wrong["address"]),
            "rate": Number(share, percent(share, 1000), rows, "rate"),
            "level": level(LEVEL),
            "interval": Number(ends, ends, rows, "wilson"),
        },
    )
