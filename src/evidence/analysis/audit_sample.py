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
    Fields,
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
    """Return 12 hexadecimal digits that change with anything a result states.

    Blank cells do not count, so that audits stay when the tables get a further column.
    """
    cells = {name: getattr(row, name) for name in AUDITED_COLUMNS}
    filled = (f"{name}={cell}" for name, cell in cells.items() if pd.notna(cell) and cell != "")
    return digest("\x1f".join(filled), 12)


def draw_sample(dataset: Dataset, size: int, seed: int) -> pd.DataFrame:
    """Draw `size` confirmed results at random and return those not audited yet.

    The same seed draws the same rows whatever their order in the table, so a second call continues
    where the first stopped.
    """
    rows = dataset.reported_results[dataset.reported_results["verified"] == "yes"].copy()
    rows["row"] = [row_digest(row) for row in rows.itertuples()]
    rows = rows.sort_values("row").set_index("row", drop=False)
    sample = random.Random(seed).sample(list(rows.index), min(size, len(rows)))
    audited = set(dataset.audits["row"])
    return rows.loc[[row for row in sample if row not in audited]]


def error_rate(dataset: Dataset) -> Sentence:
    """State how many results were read a second time and the error rate with its Wilson CI.

    A wrong row still counts after it was corrected: the rate is that of extraction, not of the
    corrected table, which the sentence states apart. A confirmed row that was changed since counts
    as not audited. Rows without a seed were chosen, not drawn at random. References: wilson1927.
    """
    present = {row_digest(row) for row in dataset.reported_results.itertuples()}
    answers = dataset.audits.drop_duplicates("row", keep="last")
    wrong = answers[answers["answer"] == "wrong"]
    confirmed = answers[(answers["answer"] == "confirmed") & answers["row"].isin(present)]
    missing = answers[answers["answer"] == "not found"]
    unreadable = answers[answers["answer"] == "not reachable"]
    audits = pd.concat([confirmed, wrong])
    if audits.empty:
        return Sentence(
            "audit.rate",
            "Not audited: no record that a sample of these results was read a second time.",
        )
    addresses = tuple(audits["address"])
    interval = wilson_interval(len(wrong), len(audits), CONFIDENCE)
    rate, low, high = (float(value) for value in interval)
    ci = f"{format_percent(low, 1000)} to {format_percent(high, 1000)}"
    template = (
        "{checked} of {all} were read a second time at their sources, {drawn} of them drawn at "
        "random: {wrong} wrong, an error rate of {rate} ({level} CI {interval})"
    )
    drawn, corrected = audits[audits["seed"].notna()], wrong[~wrong["row"].isin(present)]
    fields: Fields = {
        "checked": count(len(audits), "", addresses),
        "all": count(
            len(dataset.reported_results), "result", rows=dataset.reported_results["address"]
        ),
        "drawn": count(len(drawn), "", drawn["address"]),
        "wrong": count(len(wrong), "was", wrong["address"], plural="were"),
        "rate": Number(rate, format_percent(rate, 1000), addresses, "error_rate"),
        "level": confidence_level(CONFIDENCE),
        "interval": verbatim(ci, addresses, "wilson"),
    }
    if len(wrong):
        fields["corrected"] = count(len(corrected), "", corrected["address"])
        template += "; {corrected} of these corrected"
    if len(missing):
        fields["missing"] = count(len(missing), "further result", missing["address"])
        template += ". {missing} did not stand where the tables say"
    if len(unreadable):
        fields["unreadable"] = count(len(unreadable), "further result", unreadable["address"])
        template += ". The sources of {unreadable} could not be reached again"
    return Sentence("audit.rate", template + ".", fields)


def overdue_reviews(dataset: Dataset, day: str) -> Iterator[str]:
    """Yield one warning for each unknown and claim whose review was due before an ISO date.

    The day is never taken from the clock, so that output is reproducible.
    """
    for frame, key in ((dataset.listed_unknowns, "unknown"), (dataset.guide_claims, "claim")):
        is_overdue = (frame["review_due"] != "") & (frame["review_due"] < day)
        for row in frame[is_overdue].to_dict("records"):
            searched = f"last searched {row['last_searched']}" if row["last_searched"] else (
                "no search date recorded"
            )  # fmt: skip
            yield (
                f"{row['address']} OVERDUE warning: {key} {row[key]} was due for review on "
                f"{row['review_due']} ({searched}); search for newer studies"
            )
