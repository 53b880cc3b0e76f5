"""Decide which rows count as evidence, and count studies and participants behind them.

Vocabulary
----------
Evidence is a confirmed result of a study with participants of its own. Statements of the guide,
pooled results of reviews and results that were not read at their source are not evidence. Second
reports of a result are no evidence either: `results.select_results` leaves them out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.provenance.sentence import Number, count

ANIMAL_DESIGN = "animal experiment"
OUTCOME_KINDS = ("benefit", "harm")
"""Kinds of outcome that evidence can be about; the others describe participants and their flow."""


def evidence_rows(results: pd.DataFrame) -> pd.DataFrame:
    """Select the rows that count as evidence."""
    return results[is_evidence(results)]


def is_evidence(results: pd.DataFrame) -> pd.Series:
    """Tell which rows count as evidence."""
    return is_of_primary_study(results) & results["confirmed"]


def is_of_primary_study(results: pd.DataFrame) -> pd.Series:
    """Tell which rows a primary study reports, also one of unknown design; confirmed or not."""
    return results["design"].isin([*schema.PRIMARY_DESIGNS, ""]) & ~results["is_guide"]


def participants(dataset: Dataset) -> pd.Series:
    """Return the subjects of each study: analysed, else randomised, else the sum of its arms.

    Without any of these, it is the number in `known_studies.csv`, and 0 if that states none either.
    """
    # A second report may name the arms otherwise; they would be added up twice.
    results = dataset.reported_results[dataset.reported_results["repeats"] == ""]
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
    known = dataset.known_studies.dropna(subset="n_randomised")
    known = dict(zip(known["study"], known["n_randomised"], strict=True))
    size = size.where(size > 0, size.index.to_series().map(known).fillna(0))
    return size.astype(int)


def cohorts(dataset: Dataset) -> pd.Series:
    """Return the study whose participants each study reports: itself, unless `designs.csv` says."""
    stated = dict(zip(dataset.designs["study"], dataset.designs["cohort"], strict=True))
    studies = dataset.reported_results["study"].unique()
    return pd.Series([stated.get(study) or study for study in studies], index=studies)


@dataclass(frozen=True)
class StudySize:
    """The subjects of a study: participants, or animals; `n` is 0 if no text states it."""

    cohort: str
    n: int
    is_animal: bool = False


@dataclass(frozen=True)
class SubjectCount:
    """Studies, human participants and animals, each cohort once."""

    studies: int
    participants: int
    animals: int


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def study_sizes(dataset: Dataset) -> dict[str, StudySize]:
    """Return the cohort and the number of subjects of each study."""
    size, cohort = participants(dataset), cohorts(dataset)
    designs = dataset.designs
    animal = set(designs.loc[designs["design"] == ANIMAL_DESIGN, "study"])
    return {
        study: StudySize(cohort[study], int(size[study]), study in animal) for study in size.index
    }


def count_subjects(sizes: Mapping[str, StudySize], rows: pd.DataFrame) -> SubjectCount:
    """Count the studies, participants and animals behind rows, each cohort once."""
    largest: dict[tuple[str, bool], int] = {}
    for study in rows["study"].unique():
        size = sizes[study]
        cohort = (size.cohort, size.is_animal)
        largest[cohort] = max(size.n, largest.get(cohort, 0))
    animals = sum(n for (_, is_animal), n in largest.items() if is_animal)
    return SubjectCount(len(largest), sum(largest.values()) - animals, animals)


def subjects_number(participants: int, animals: int, rows: Iterable[str] = ()) -> Number:
    """Return the number of participants with its noun, or of animals; never the sum of both."""
    if not participants and not animals:
        return Number(0, "number of participants not stated", tuple(rows), "participants")
    texts = [
        count(n, noun).text for n, noun in ((participants, "participant"), (animals, "animal")) if n
    ]
    method = "participants" if participants else "animals"
    return Number(participants or animals, " and ".join(texts), tuple(rows), method)
