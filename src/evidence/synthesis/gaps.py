"""What was measured and what nobody has: conditions × outcomes, studies and people in each cell.

Vocabulary
----------
Only confirmed results of studies with participants of their own are counted as evidence; what
the guide says, what reviews pool and what was not read at its source is not. `k` is the number
of studies, `n` the number of their participants.
"""

import pandas as pd

from evidence.corpus import schema
from evidence.corpus.reading import Corpus

OUTCOME_KINDS = ("benefit", "harm")


def evidence_rows(results: pd.DataFrame) -> pd.DataFrame:
    """The rows that count as evidence; where designs are unknown, all that are not reviews'."""
    design = results["design"]
    return results[
        (design.isin(schema.PRIMARY_DESIGNS) | (design == ""))
        & ~results["is_guide"]
        & results["confirmed"]
    ]


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
    largest = whole.groupby("study")["n"].max()
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


def tally(corpus: Corpus, rows: pd.DataFrame) -> tuple[int, int]:
    """Studies and participants behind `rows`, people of one cohort counted once."""
    studies = rows["study"].unique()
    size = participants(corpus)[studies].groupby(cohorts(corpus)[studies]).max()
    return len(size), int(size.sum())


def cells(corpus: Corpus, results: pd.DataFrame) -> pd.DataFrame:
    """Conditions × outcomes with `k`, `n`, `labels` and `address`; empty cells are rows too.

    All conditions and all outcomes (benefits and harms) of `results` span the grid, also those
    that only the guide speaks of: a cell without evidence is the finding.
    """
    shown = results[results["kind"].isin(OUTCOME_KINDS)]
    order = list(corpus.outcomes["outcome"]) or list(shown["outcome"].unique())
    outcomes = [outcome for outcome in order if outcome in set(shown["outcome"])]
    rows = evidence_rows(shown)
    found = dict(list(rows.groupby(["condition", "outcome"], sort=False)))
    cells = []
    for condition in shown["condition"].unique():
        for outcome in outcomes:
            group = found.get((condition, outcome), rows.iloc[:0])
            k, n = tally(corpus, group)
            cells.append(
                {
                    "name": f"{condition}/{outcome}",
                    "condition": condition,
                    "outcome": outcome,
                    "k": k,
                    "n": n,
                    "labels": "; ".join(group["label"].unique()),
                    "address": " ".join(group["address"]),
                }
            )
    columns = ["name", "condition", "outcome", "k", "n", "labels", "address"]
    return pd.DataFrame(cells, columns=columns)
