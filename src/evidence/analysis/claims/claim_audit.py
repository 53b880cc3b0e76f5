"""Compare each claim of the guide with its sources and list where they disagree.

Vocabulary
----------
A *verdict* is agrees, omits detail, overstated, differs or not checkable. `computed_verdict` follows
from the rows alone (see `verdicts.judge_claim`); `verdict` is the curators' and takes precedence.
Where the two differ the claim is *overruled*, and both are shown with the reason.
"""

from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from evidence.analysis.claims.verdicts import NOT_CHECKABLE, judge_claim
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import as_listing
from evidence.dataset.schema import VERDICTS
from evidence.provenance.sentence import Number, Sentence, count, row_count, verbatim

DISAGREEING_VERDICTS = ("differs", "overstated")


def claim_verdicts(
    dataset: Dataset, results: pd.DataFrame, *, only_studies_of_results: bool = False
) -> pd.DataFrame:
    """Return the claims (or those on studies of `results`) with verdicts, disagreements first.

    Returns
    -------
    DataFrame
        The columns of `claims.csv` and `name`, `computed_verdict` (empty for a qualitative claim
        that no rows can check), `computed_reason`, `compared_rows` (the addresses of the rows
        compared, separated by spaces) and `overruled`.
    """
    frame = judge_claims(dataset)
    if only_studies_of_results:
        studies = set(results["study"])
        frame = frame[[bool(studies.intersection(row)) for row in frame["studies"]]]
    return sort_by_verdict(frame)


def sort_by_verdict(claims: pd.DataFrame) -> pd.DataFrame:
    """Sort claims with the largest disagreement first and add the column `name`."""
    order = {verdict: rank for rank, verdict in enumerate(reversed(VERDICTS[:4]))}
    rank = claims["verdict"].map(order).fillna(len(order))
    claims = claims.assign(name=claims["claim"], rank=rank)
    return claims.sort_values(["rank", "claim"], kind="stable").drop(columns="rank")


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def judge_claims(dataset: Dataset) -> pd.DataFrame:
    """Return all claims in table order with the verdict computed for each."""
    claims, results = dataset.guide_claims.copy(), select_results(dataset)
    verdicts = [judge_claim(results, claim) for claim in claims.itertuples()]
    computed = pd.Series([verdict.verdict for verdict in verdicts], claims.index, dtype=object)
    # A quality such as "gentle" cannot be computed; only numbers and directions can.
    no_rows = (computed == NOT_CHECKABLE) & (claims["kind"] == "qualitative")
    claims["computed_verdict"] = computed.where(~no_rows, "")
    claims["computed_reason"] = [verdict.reason for verdict in verdicts]
    claims["compared_rows"] = [" ".join(verdict.rows) for verdict in verdicts]
    claims["overruled"] = (computed != claims["verdict"]) & ~no_rows
    return claims


def claims_by_verdict(claims: pd.DataFrame) -> dict[str, Number]:
    """Count the claims with each verdict; verdicts without a claim count 0."""
    return {
        verdict: row_count(claims.loc[claims["verdict"] == verdict, "address"])
        for verdict in VERDICTS
    }


def claims_sentence(claims: pd.DataFrame) -> Sentence:
    """Summarise in one sentence how the guide compares with its sources."""
    by_verdict = claims_by_verdict(claims).items()
    return Sentence(
        "claims.summary",
        "Verdicts on {claims}: {agrees} “agrees”, {omits_detail} “omits detail”, {overstated} "
        "“overstated”, {differs} “differs”, {not_checkable} “not checkable”.",
        {verdict.replace(" ", "_"): number for verdict, number in by_verdict}
        | {"claims": count(len(claims), "claim", rows=claims["address"])},
    )


def computed_verdict_summary(claims: pd.DataFrame) -> Sentence:
    """Summarise in one sentence how many computed verdicts the curators overrule."""
    computed = claims[claims["computed_verdict"] != ""]
    accepted, overruled = computed[~computed["overruled"]], claims[claims["overruled"]]
    return Sentence(
        "claims.computing",
        "For {computed} the verdict is also computed from the rows alone; the curators accept "
        "{accepted} of these verdicts and overrule {overruled}, each with a reason.",
        {
            "computed": count(len(computed), "claim", rows=computed["address"]),
            "accepted": row_count(accepted["address"]),
            "overruled": row_count(overruled["address"]),
        },
    )


@as_listing
def claims_summary(claims: pd.DataFrame) -> list[Sentence]:
    """Summarise the verdicts and how many computed ones were overruled."""
    return [claims_sentence(claims), computed_verdict_summary(claims)]


@as_listing
def disagreements(claims: pd.DataFrame, studies: Sequence[str] = ()) -> list[Sentence]:
    """Return one sentence per claim that differs from its source, those on `studies` first."""
    frame = claims[claims["verdict"].isin(DISAGREEING_VERDICTS)]
    is_later = [not any(study in row for study in studies) for row in frame["studies"]]
    frame = frame.assign(is_later=is_later).sort_values("is_later", kind="stable")
    return [
        Sentence(
            f"claim.{row.claim}",
            "{label} — guide: {guide}; source: {source}.",
            {
                "label": row.label,
                "guide": verbatim(row.guide_value, [row.address]),
                "source": verbatim(row.source_value, [row.address]),
            },
        )
        for row in frame.itertuples()
    ]
