"""Count the studies and participants or animals in each cell of an evidence map."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.doses import in_usual_units
from evidence.analysis.eligible_evidence import (
    OUTCOME_KINDS,
    count_subjects,
    evidence_rows,
    study_sizes,
)
from evidence.analysis.gaps.coverage import OWN_REPORTS, State, count_coverage, dose_labels
from evidence.analysis.gaps.unknowns import FOLLOW_UP_BANDS
from evidence.analysis.results import select_results
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
OUTSIDE = "outside"
"""The state of a cell whose only results are of studies that were not selected."""
COVERAGE_COUNTS = ("unread", "of_unknown_dose", "not_reported")
COVERAGE_TEXTS = ("unread_studies", "last_search")
COVERAGE_COLUMNS = (*COVERAGE_COUNTS, *COVERAGE_TEXTS)
CELL_COLUMNS = [
    "name", "row_label", "column_label", "k", "second_hand", "n", "animals", "labels", "state",
    *COVERAGE_COLUMNS, "address",
]  # fmt: skip


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
        `CELL_COLUMNS`: `k` studies, of these `second_hand` without a result in a text of their
        own, `n` participants and animals, and their labels; `state`, a `State` or `OUTSIDE`;
        `COVERAGE_COLUMNS` as from `count_coverage`, for empty cells only; `address`, the rows of
        the evidence, or in an empty cell those of the known studies and searches.
    """
    rows = results[results["kind"].isin(OUTCOME_KINDS)]
    rows = in_usual_units(rows, select_results(dataset))
    rows = rows.assign(time=_time_bands(rows["days"]), amount=rows["dose"], dose=dose_labels(rows))
    rows = rows[(rows[row_by] != "") & (rows[column_by] != "")]
    sizes = study_sizes(dataset)
    evidence = evidence_rows(rows)
    evidence = evidence[["study", "label", "reported_by", "address", row_by, column_by]]
    groups = dict(list(evidence.groupby([row_by, column_by], sort=False)))
    cells = []
    for row, column in product(_order(dataset, rows, row_by), _order(dataset, rows, column_by)):
        group = groups.get((row, column), evidence.iloc[:0])
        size = count_subjects(sizes, group)
        own = group[group["reported_by"].isin(OWN_REPORTS)]
        second_hand = size.studies - count_subjects(sizes, own).studies
        cells.append(
            {
                "name": f"{column}/{row}",
                "row_label": row,
                "column_label": column,
                "k": size.studies,
                "second_hand": second_hand,
                "n": size.participants,
                "animals": size.animals,
                "labels": "; ".join(group["label"].unique()),
                "state": State.SECOND_HAND if second_hand == size.studies else State.REPORTED,
                **dict.fromkeys(COVERAGE_COUNTS, pd.NA),
                **dict.fromkeys(COVERAGE_TEXTS, ""),
                "address": " ".join(group["address"]),
            }
        )
    _add_coverage(dataset, rows, cells, {row_by: "row_label", column_by: "column_label"})
    frame = pd.DataFrame(cells, columns=CELL_COLUMNS)
    return frame.astype(dict.fromkeys(COVERAGE_COUNTS, "Int64"))


def _add_coverage(
    dataset: Dataset, rows: pd.DataFrame, cells: list[dict], labels: Mapping[str, str]
) -> None:
    """Say of each empty cell why it is empty; `labels` names the column of each dimension."""
    asked = {name: sorted(rows[name].unique()) for name in ("condition", "outcome")}
    empty = [cell for cell in cells if not cell["k"]]
    questions = [
        _question({name: cell[column] for name, column in labels.items()}, asked) for cell in empty
    ]
    coverage = count_coverage(dataset, questions).to_dict("records")
    for cell, found in zip(empty, coverage, strict=True):
        cell |= {name: found[name] for name in ("state", "address", *COVERAGE_COLUMNS)}
        if found["reported"] + found["second_hand"]:
            cell["state"] = OUTSIDE


def _question(cell: Mapping[str, str], asked: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what a cell asks, as arguments of `find_coverage`."""
    question: dict[str, Any] = {
        "conditions": [cell["condition"]] if "condition" in cell else asked["condition"],
        "outcomes": [cell["outcome"]] if "outcome" in cell else asked["outcome"],
    }
    if "dose" in cell:
        question["doses"] = [cell["dose"]]
    if "time" in cell:
        ends = [0.0, *TIME_BANDS.values()]
        band = list(TIME_BANDS).index(cell["time"])
        question |= _days(*ends[band : band + 2])
    return question


BODY_COLUMNS = ["condition", "treatment", "comparator_kind", "outcome"]
"""What the coverage of a question is counted by, besides the time."""
ANY_TIME = "any time"


def coverage_by_question(dataset: Dataset, results: pd.DataFrame) -> pd.DataFrame:
    """Count tabulated and known studies by condition, treatment, comparator, outcome and time.

    The questions are those that at least one of these results answers at any time, each at any
    time and in the bands of `FOLLOW_UP_BANDS`. Studies that tested no treatment are left out.

    Returns
    -------
    DataFrame
        `BODY_COLUMNS`, `band`, and the columns of `count_coverage`, for questions on which any
        study is known.
    """
    rows = evidence_rows(results)
    rows = rows[rows["kind"].isin(OUTCOME_KINDS) & (rows["treatment"] != "")]
    rows = rows[rows["comparator_kind"] != ""]
    bodies = rows[BODY_COLUMNS].drop_duplicates()
    bodies = bodies.sort_values(BODY_COLUMNS, key=lambda words: words.str.casefold())
    bands: dict[str, dict] = {ANY_TIME: {}} | {
        band: _days(*ends[:2]) for band, ends in FOLLOW_UP_BANDS.items()
    }
    cells = bodies.merge(pd.DataFrame({"band": list(bands)}), how="cross")
    questions = [
        {
            "conditions": [cell.condition],
            "treatments": [cell.treatment],
            "comparators": [cell.comparator_kind],
            "outcomes": [cell.outcome],
            **bands[cell.band],
        }
        for cell in cells.itertuples()
    ]
    counts = count_coverage(dataset, questions)
    is_known = counts[["reported", "second_hand", "unread", "not_reported"]].any(axis="columns")
    return pd.concat([cells, counts], axis="columns")[is_known].reset_index(drop=True)


def _days(after: float, until: float) -> dict[str, float]:
    """Return a band of time that begins where the one before ends, as `find_coverage` asks."""
    return {"from_days": float(np.nextafter(after, np.inf)), "to_days": until}


def _time_bands(days: pd.Series) -> pd.Series:
    """Return the first band that includes each time; empty before treatment or without a time."""
    bands = np.array(list(TIME_BANDS), dtype=object)
    positions = np.searchsorted(list(TIME_BANDS.values()), days.fillna(np.inf))
    return pd.Series(bands[np.minimum(positions, len(bands) - 1)], days.index).where(days > 0, "")


def _order(dataset: Dataset, rows: pd.DataFrame, dimension: str) -> list[str]:
    """Return the words along one side of the map, in the order of the tables or from low to high."""
    present = list(rows[dimension].unique())
    if dimension == "time":
        return list(TIME_BANDS) if present else []
    if dimension == "dose":
        by_dose = rows.groupby("dose")
        unit, lowest = by_dose["dose_unit"].first(), by_dose["amount"].min()
        return sorted(present, key=lambda dose: (unit[dose], lowest[dose], dose))
    if dimension == "outcome" and len(dataset.outcomes):
        return [outcome for outcome in dataset.outcomes["outcome"] if outcome in set(present)]
    return present
