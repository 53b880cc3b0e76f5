"""Count the studies and participants or animals in each cell of an evidence map."""

from itertools import product

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import (
    OUTCOME_KINDS,
    count_subjects,
    evidence_rows,
    study_sizes,
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
"""The last day of each band."""
CELL_COLUMNS = ["name", "row_label", "column_label", "k", "n", "animals", "labels", "address"]


def evidence_map_cells(
    dataset: Dataset, results: pd.DataFrame, *, row_by: str, column_by: str
) -> pd.DataFrame:
    """Count the evidence in every cell, also in empty ones.

    The rows and columns are two of outcome, condition, dose and time. All words that `results` use
    for benefits and harms span the map, also those of the guide: a cell without evidence is a
    finding.

    Returns
    -------
    DataFrame
        `CELL_COLUMNS`: `k` studies, `n` participants and animals, their labels and addresses.
    """
    rows = results[results["kind"].isin(OUTCOME_KINDS)]
    rows = rows.assign(time=_time_bands(rows["days"]), dose=_doses(rows))
    rows = rows[(rows[row_by] != "") & (rows[column_by] != "")]
    sizes = study_sizes(dataset)
    evidence = evidence_rows(rows)[["study", "label", "address", row_by, column_by]]
    groups = dict(list(evidence.groupby([row_by, column_by], sort=False)))
    cells = []
    for row, column in product(_order(dataset, rows, row_by), _order(dataset, rows, column_by)):
        group = groups.get((row, column), evidence.iloc[:0])
        size = count_subjects(sizes, group)
        labels, addresses = "; ".join(group["label"].unique()), " ".join(group["address"])
        counts = (size.studies, size.participants, size.animals)
        cells.append((f"{column}/{row}", row, column, *counts, labels, addresses))
    return pd.DataFrame(cells, columns=CELL_COLUMNS)


def _time_bands(days: pd.Series) -> pd.Series:
    """Return the first band that includes each time; empty before treatment or without a time."""
    bands = np.array(list(TIME_BANDS), dtype=object)
    positions = np.searchsorted(list(TIME_BANDS.values()), days.fillna(np.inf))
    return pd.Series(bands[np.minimum(positions, len(bands) - 1)], days.index).where(days > 0, "")


def _doses(rows: pd.DataFrame) -> pd.Series:
    """Return dose and route of treated arms in words; empty for comparators or an unknown dose."""
    dose = rows["dose_mg_per_kg"].map(lambda number: f"{number:g} mg/kg").astype(str)
    route = (" " + rows["route"]).where(rows["route"] != "", "")
    is_treated = (rows["dose_mg_per_kg"] > 0) & (rows["role"] != "comparator")
    return (dose + route).where(is_treated, "")


def _order(dataset: Dataset, rows: pd.DataFrame, dimension: str) -> list[str]:
    """Return the words along one side of the map, in the order of the tables or from low to high."""
    present = list(rows[dimension].unique())
    if dimension == "time":
        return list(TIME_BANDS) if present else []
    if dimension == "dose":
        lowest = rows.groupby("dose")["dose_mg_per_kg"].min()
        return sorted(present, key=lambda dose: (lowest[dose], dose))
    if dimension == "outcome" and len(dataset.outcomes):
        return [outcome for outcome in dataset.outcomes["outcome"] if outcome in set(present)]
    return present
