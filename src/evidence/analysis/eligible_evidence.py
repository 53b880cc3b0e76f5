"""Decide which rows count as evidence, and count studies and participants behind them.

Vocabulary
----------
Evidence is a confirmed result of a study with participants of its own. Statements of the guide,
pooled results of reviews and results that were not read at their source are not evidence.
"""

from collections.abc import Mapping
from functools import lru_cache

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset

OUTCOME_KINDS = ("benefit", "harm")
"""Kinds of outcome that evidence can be about; the others describe participants and their flow."""


def evidence_rows(results: pd.DataFrame) -> pd.DataFrame:
    """Select the rows that count as evidence."""
    return results[is_evidence(results)]


def is_evidence(results: pd.DataFrame) -> pd.Series:
    """Tell which rows count as evidence; a study of unknown design counts as a primary study."""
    design = results["design"]
    is_primary = design.isin(schema.PRIMARY_DESIGNS) | (design == "")
    return is_primary & ~results["is_guide"] & results["confirmed"]


def participants(dataset: Dataset) -> pd.Series:
    """Return the participants of each study: analysed, else randomised, else the sum of its arms.

    A study that states no number has 0.
    """
    results = dataset.results
    in_arm = results["role"].isin(["intervention", "comparator", "single arm"])
    rows = results[in_arm & (results["reported_by"] != "guide")]
    arm_size = rows["n"].fillna(rows["events"].where(rows["measure"] == "count"))
    arm_size = arm_size.groupby([rows["study"], rows["population"], rows["arm"]]).max()
    sum_of_arms = arm_size.groupby("study").sum()
    both_arms = results[results["role"].isin(["contrast", "whole sample"])]
    largest_n = both_arms[["study", "n"]].groupby("study")["n"].max()
    size = sum_of_arms.reindex(results["study"].unique()).fillna(0)
    size = size.combine(largest_n.reindex(size.index).fillna(0), max)
    stated = dataset.designs.set_index("study")
    stated = stated["n_analysed"].fillna(stated["n_randomised"]).dropna()
    size.update(stated[stated.index.isin(size.index)])
    return size.astype(int)


def cohorts(dataset: Dataset) -> pd.Series:
    """Return the study whose participants each study reports: itself, unless `designs.csv` says."""
    stated = dict(zip(dataset.designs["study"], dataset.designs["cohort"], strict=True))
    studies = dataset.results["study"].unique()
    return pd.Series([stated.get(study) or study for study in studies], index=studies)


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def participants_by_study(dataset: Dataset) -> dict[str, tuple[str, int]]:
    """Return the cohort and the number of participants of each study."""
    size, cohort = participants(dataset), cohorts(dataset)
    return {study: (cohort[study], int(size[study])) for study in size.index}


def count_studies_and_participants(
    sizes: Mapping[str, tuple[str, int]], rows: pd.DataFrame
) -> tuple[int, int]:
    """Count the studies and participants behind rows, each cohort once."""
    largest: dict[str, int] = {}
    for study in rows["study"].unique():
        cohort, n = sizes[study]
        largest[cohort] = max(n, largest.get(cohort, 0))
    return len(largest), sum(largest.values())
