"""Count records and studies from the searches to the results, step by step, as PRISMA 2020 does.

References: page2021prisma, rethlefsen2021.

Vocabulary
----------
A *step* is a box of the flow diagram with a number of records or studies. Each step is the sum of
its `parts`: of those that leave the flow there and of those that go on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from evidence.analysis.eligible_evidence import OUTCOME_KINDS, cohorts, evidence_rows
from evidence.analysis.gaps.coverage import known_studies
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import Dataset
from evidence.errors import DatasetError, Problem

PARTS = {
    "records": ("duplicates", "screened"),
    "screened": ("screened out", "kept"),
    "known": ("excluded", "included"),
    "included": ("wanted", "tabulated"),
    "tabulated": ("without results", "with results"),
}
"""The parts of each step: first those that leave the flow, then those that go on."""
ORIGINS = ("listed", "unlisted")
"""Known studies that reviews and registries list, and those that are only in these tables."""


@dataclass(frozen=True)
class Step:
    """A number of records or studies, and the rows behind it (file:line)."""

    n: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class StudyFlow:
    """The steps by name, and the number of studies excluded for each reason.

    `reasons` has the rows for each reason, the most frequent first.
    """

    steps: Mapping[str, Step]
    reasons: Mapping[str, tuple[str, ...]]


@selection
def study_flow(dataset: Dataset) -> StudyFlow:
    """Count the steps from records found to studies with results.

    Raise `DatasetError` if the steps do not add up, with the rows that are counted twice or not at
    all.
    """
    searches, listed = dataset.searches, dataset.known_studies
    if problems := [*_unexplained(searches, listed), *_counted_twice(dataset, listed)]:
        raise DatasetError(problems)
    excluded = listed[listed["status"] == "excluded"]
    included = known_studies(dataset)
    is_tabulated = included["status"] == "tabulated"
    is_listed = included["address"].isin(listed["address"])
    has_results = included["study"].isin(_studies_with_results(dataset))
    steps = {
        "records": _records(searches, "records"),
        "duplicates": _records(searches, "duplicates"),
        "screened": _records(searches, "screened"),
        "screened out": _records(searches, "excluded"),
        "kept": _records(searches, "kept"),
        "listed": _studies(listed["address"]),
        "unlisted": _studies(included.loc[~is_listed, "address"]),
        "known": _studies([*excluded["address"], *included["address"]]),
        "excluded": _studies(excluded["address"]),
        "included": _studies(included["address"]),
        "wanted": _studies(included.loc[~is_tabulated, "address"]),
        "tabulated": _studies(included.loc[is_tabulated, "address"]),
        "without results": _studies(included.loc[is_tabulated & ~has_results, "address"]),
        "with results": _studies(included.loc[is_tabulated & has_results, "address"]),
    }
    if problems := list(_wrong_sums(steps)):
        raise DatasetError(problems)
    reasons = {
        reason: tuple(rows["address"]) for reason, rows in excluded.groupby("reason", sort=False)
    }
    by_frequency = dict(sorted(reasons.items(), key=lambda item: -len(item[1])))
    return StudyFlow(steps, by_frequency)


def _records(searches: pd.DataFrame, column: str) -> Step:
    return Step(int(searches[column].fillna(0).sum()), tuple(searches["address"]))


def _studies(addresses: Iterable[str]) -> Step:
    addresses = tuple(addresses)
    return Step(len(addresses), addresses)


def _studies_with_results(dataset: Dataset) -> set[str]:
    """Return the studies with a confirmed result on a benefit or harm, each cohort by its key."""
    rows = evidence_rows(select_results(dataset))
    studies = rows.loc[rows["kind"].isin(OUTCOME_KINDS), "study"]
    return set(studies.map(cohorts(dataset)))


def _unexplained(searches: pd.DataFrame, listed: pd.DataFrame) -> Iterable[Problem]:
    """Yield known studies that were found by a search which kept nothing."""
    kept_nothing = set(searches.loc[searches["kept"] == 0, "search"])
    for row in listed[listed["search"].isin(kept_nothing)].itertuples():
        message = f"search {row.search} kept none of its records. Correct the search or its counts."
        yield _problem(row.address, "search", message)


def _counted_twice(dataset: Dataset, listed: pd.DataFrame) -> Iterable[Problem]:
    """Yield listed studies that report the participants of another study."""
    cohort_of = cohorts(dataset)
    for row in listed[listed["study"].isin(cohort_of.index)].itertuples():
        if (cohort := cohort_of[row.study]) != row.study:
            message = (
                f"{row.study} reports participants of {cohort}, who would be counted twice. "
                f"List {cohort} in its place."
            )
            yield _problem(row.address, "study", message)


def _wrong_sums(steps: Mapping[str, Step]) -> Iterable[Problem]:
    """Yield steps that are not the sum of their parts, with the first row that differs."""
    for whole, parts in [*PARTS.items(), ("known", ORIGINS)]:
        total = sum(steps[part].n for part in parts)
        if steps[whole].n == total:
            continue
        of_parts = {address for part in parts for address in steps[part].addresses}
        rows = steps[whole].addresses
        first = next((row for row in rows if row not in of_parts), next(iter(rows), ""))
        message = (
            f"{steps[whole].n} {whole} are not {' + '.join(parts)} "
            f"({' + '.join(str(steps[part].n) for part in parts)} = {total})"
        )
        yield _problem(first, "", message)


def _problem(address: str, column: str, message: str) -> Problem:
    file, _, line = address.rpartition(":")
    return Problem(file or schema.KNOWN_STUDIES.file, int(line or 0), column, message)
