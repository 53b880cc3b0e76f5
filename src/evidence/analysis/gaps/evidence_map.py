"""What was measured and what nobody has: two ways of telling results apart, crossed.

Vocabulary
----------
Only confirmed results of studies with participants of their own are counted as evidence; what
the guide says, what reviews pool and what was not read at its source is not. `k` is the number
of studies, `n` the number of their participants.
"""

from itertools import product

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import (
    OUTCOME_KINDS,
    count_studies_and_participants,
    evidence_rows,
    participants_by_study,
)
from evidence.dataset.dataset import Dataset

TIME_BANDS = {
    "within a day": 1.0,
    "up to 3 days": 3.5,
    "up to a week": 7.5,
    "up to a month": 31.0,
    "up to a year": 366.0,
    "later": np.inf,
}
"""Up to how many days each word reaches, from where the one before it ends."""


def evidence_map_cells(
    dataset: Dataset, results: pd.DataFrame, *, down: str, across: str
) -> pd.DataFrame:
    """Every combination with `k`, `n`, `labels` and `address`; empty ones are rows too.

    All words that `results` have on benefits and harms span the grid, also those that only the
    guide speaks of: a cell without evidence is the finding.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    down, across : {"outcome", "condition", "dose", "time"}
        What its rows and its columns are.
    """
    shown = results[results["kind"].isin(OUTCOME_KINDS)]
    shown = shown.assign(time=_bands(shown["days"]), dose=_doses(shown))
    shown = shown[(shown[down] != "") & (shown[across] != "")]
    rows = evidence_rows(shown)[["study", "label", "address", down, across]]
    found = dict(list(rows.groupby([down, across], sort=False)))
    whose, cells = participants_by_study(dataset), []
    for one, two in product(_order(dataset, shown, down), _order(dataset, shown, across)):
        group = found.get((one, two), rows.iloc[:0])
        k, n = count_studies_and_participants(whose, group)
        cells.append(
            {
                "name": f"{two}/{one}",
                "down": one,
                "across": two,
                "k": k,
                "n": n,
                "labels": "; ".join(group["label"].unique()),
                "address": " ".join(group["address"]),
            }
        )
    return pd.DataFrame(cells, columns=["name", "down", "across", "k", "n", "labels", "address"])


def _bands(days: pd.Series) -> pd.Series:
    """For each time the first word of `SPANS` that it falls under; empty where there is none."""
    ends = list(TIME_BANDS.values())
    place = np.searchsorted(ends, days.fillna(np.inf))
    words = pd.Series([list(TIME_BANDS)[min(index, len(ends) - 1)] for index in place], days.index)
    return words.where(days > 0, "")


def _doses(rows: pd.DataFrame) -> pd.Series:
    """The dose and route of treated arms, in words; empty where it is not told, or a comparator."""
    dose = rows["dose_mg_per_kg"].map(lambda number: f"{number:g} mg/kg")
    told = (rows["dose_mg_per_kg"] > 0) & (rows["role"] != "comparator")
    return (dose.astype(str) + (" " + rows["route"]).where(rows["route"] != "", "")).where(told, "")


def _order(dataset: Dataset, rows: pd.DataFrame, kind: str) -> list[str]:
    """The words of one side of the grid: by the tables, or from low to high."""
    present = list(rows[kind].unique())
    if kind == "time":
        return list(TIME_BANDS) if present else []
    if kind == "dose":
        lowest = rows.groupby("dose")["dose_mg_per_kg"].min()
        return sorted(present, key=lambda word: (lowest[word], word))
    if kind == "outcome" and len(dataset.outcomes):
        return [word for word in dataset.outcomes["outcome"] if word in set(present)]
    return present
