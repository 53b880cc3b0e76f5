"""What was measured and what nobody has: two ways of telling results apart, crossed.

Vocabulary
----------
Only confirmed results of studies with participants of their own are counted as evidence; what
the guide says, what reviews pool and what was not read at its source is not. `k` is the number
of studies, `n` the number of their participants.
"""

from collections.abc import Mapping
from functools import lru_cache

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset


def evidence_rows(results: pd.DataFrame) -> pd.DataFrame:
    """The rows that count as evidence; where designs are unknown, all that are not reviews'."""
    return results[is_evidence(results)]


def is_evidence(results: pd.DataFrame) -> pd.Series:
    """Which rows `evidence_rows` keeps."""
    design = results["design"]
    known = design.isin(schema.PRIMARY_DESIGNS) | (design == "")
    return known & ~results["is_guide"] & results["confirmed"]


def participants(dataset: Dataset) -> pd.Series:
    """People (or animals) in each study, by key: analysed, else randomised, else the arms' sum.

    Only what is stated counts: a study of which no number is known has 0.
    """
    rows = dataset.results[
        dataset.results["role"].isin(["intervention", "comparator", "single arm"])
    ]
    rows = rows[rows["reported_by"] != "guide"]
    size = rows["n"].fillna(rows["events"].where(rows["measure"] == "count"))
    arms = size.groupby([rows["study"], rows["population"], rows["arm"]]).max()
    arms = arms.groupby("study").sum()
    whole = dataset.results[dataset.results["role"].isin(["contrast", "whole sample"])]
    largest = whole[["study", "n"]].groupby("study")["n"].max()
    size = arms.reindex(dataset.results["study"].unique()).fillna(0)
    size = size.combine(largest.reindex(size.index).fillna(0), max)
    stated = dataset.designs.set_index("study")
    stated = stated["n_analysed"].fillna(stated["n_randomised"]).dropna()
    size.update(stated[stated.index.isin(size.index)])
    return size.astype(int)


def cohorts(dataset: Dataset) -> pd.Series:
    """For each study the one whose people took part in it: itself, unless `designs.csv` says."""
    stated = dict(zip(dataset.designs["study"], dataset.designs["cohort"], strict=True))
    studies = dataset.results["study"].unique()
    return pd.Series([stated.get(study) or study for study in studies], index=studies)


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def participants_by_study(dataset: Dataset) -> dict[str, tuple[str, int]]:
    """Of each study its cohort and its participants, for `tally`."""
    size, cohort = participants(dataset), cohorts(dataset)
    return {study: (cohort[study], int(size[study])) for study in size.index}


def count_studies_and_participants(
    people: Mapping[str, tuple[str, int]], rows: pd.DataFrame
) -> tuple[int, int]:
    """Studies and participants behind `rows`, people of one cohort counted once."""
    largest: dict[str, int] = {}
    for study in rows["study"].unique():
        cohort, n = people[study]
        largest[cohort] = max(n, largest.get(cohort, 0))
    return len(largest), sum(largest.values())
