"""What was measured and what nobody has: two ways of telling results apart, crossed.

Vocabulary
----------
Only confirmed results of studies with participants of their own are counted as evidence; what
the guide says, what reviews pool and what was not read at its source is not. `k` is the number
of studies, `n` the number of their participants.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from evidence.corpus import schema
from evidence.corpus.reading import Corpus
from evidence.corpus.reads import derived

OUTCOME_KINDS = ("benefit", "harm")
SPANS = {
    "within a day": 1.0,
    "up to 3 days": 3.5,
    "up to a week": 7.5,
    "up to a month": 31.0,
    "up to a year": 366.0,
    "later": np.inf,
}
"""Up to how many days each word reaches, from where the one before it ends."""


def evidence_rows(results: pd.DataFrame) -> pd.DataFrame:
    """The rows that count as evidence; where designs are unknown, all that are not reviews'."""
    return results[is_evidence(results)]


def is_evidence(results: pd.DataFrame) -> pd.Series:
    """Which rows `evidence_rows` keeps."""
    design = results["design"]
    known = design.isin(schema.PRIMARY_DESIGNS) | (design == "")
    return known & ~results["is_guide"] & results["confirmed"]


def participants(corpus: Corpus) -> pd.Series:
    """People (or animals) in each study, by key: analysed, else randomised, else the arms' sum.

    Only what is stated counts: a study of which no number is known has 0.
    """
    rows = corpus.results[corpus.results["role"].isin(["intervention", "comparator", "single arm"])]
    rows = rows[rows["reported_by"] != "guide"]
    size = rows["n"].fillna(rows["events"].where(rows["measure"] == "count"))
    arms = size.groupby([rows["study"], rows["population"], rows["arm"]]).max()
    arms = arms.groupby("study").sum()
    whole = corpus.results[corpus.results["role"].isin(["contrast", "whole sample"])]
    largest = whole[["study", "n"]].groupby("study")["n"].max()
    size = arms.reindex(corpus.results["study"].unique()).fillna(0)
    size = size.combine(largest.reindex(size.index).fillna(0), max)
    stated = corpus.designs.set_index("study")
    stated = stated["n_analysed"].fillna(stated["n_randomised"]).dropna()
    size.update(stated[stated.index.isin(size.index)])
    return size.astype(int)


def cohorts(corpus: Corpus) -> pd.Series:
    """For each study the one whose people took part in it: itself, unless `designs.csv` says."""
    stated = dict(zip(corpus.designs["study"], corpus.designs["cohort"], strict=True))
    studies = corpus.results["study"].unique()
    return pd.Series([stated.get(study) or study for study in studies], index=studies)


@derived
def people_of(corpus: Corpus) -> dict[str, tuple[str, int]]:
    """Of each study its cohort and its participants, for `tally`."""
    size, cohort = participants(corpus), cohorts(corpus)
    return {study: (cohort[study], int(size[study])) for study in size.index}


def tally(people: Mapping[str, tuple[str, int]], rows: pd.DataFrame) -> tuple[int, int]:
    """Studies and participants behind `rows`, people of one cohort counted once."""
    largest: dict[str, int] = {}
    for study in rows["study"].unique():
        cohort, n = people[study]
        largest[cohort] = max(n, largest.get(cohort, 0))
    return len(largest), sum(largest.values())


def cells(corpus: Corpus, results: pd.DataFrame, *, down: str, across: str) -> pd.DataFrame:
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
    whose, cells = people_of(corpus), []
    for one, two in product(_order(corpus, shown, down), _order(corpus, shown, across)):
        group = found.get((one, two), rows.iloc[:0])
        k, n = tally(whose, group)
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
    ends = list(SPANS.values())
    place = np.searchsorted(ends, days.fillna(np.inf))
    words = pd.Series([list(SPANS)[min(index, len(ends) - 1)] for index in place], days.index)
    return words.where(days > 0, "")


def _doses(rows: pd.DataFrame) -> pd.Series:
    """The dose and route of treated arms, in words; empty where it is not told, or a comparator."""
    dose = rows["dose_mg_per_kg"].map(lambda number: f"{number:g} mg/kg")
    told = (rows["dose_mg_per_kg"] > 0) & (rows["role"] != "comparator")
    return (dose.astype(str) + (" " + rows["route"]).where(rows["route"] != "", "")).where(told, "")


def _order(corpus: Corpus, rows: pd.DataFrame, kind: str) -> list[str]:
    """The words of one side of the grid: by the tables, or from low to high."""
    present = list(rows[kind].unique())
    if kind == "time":
        return list(SPANS) if present else []
    if kind == "dose":
        lowest = rows.groupby("dose")["dose_mg_per_kg"].min()
        return sorted(present, key=lambda word: (lowest[word], word))
    if kind == "outcome" and len(corpus.outcomes):
        return [word for word in corpus.outcomes["outcome"] if word in set(present)]
    return present
