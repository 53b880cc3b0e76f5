"""What the guide says beside what its sources say, one line a claim.

Vocabulary
----------
A *verdict* is agrees, omits detail, overstated, differs or not checkable. `computed` is the one
that the rows give by themselves (see `verdicts.judge`); `verdict` is the curators', which wins:
where the two differ the claim is *overruled*, and both are shown with the reason. Claims on which
guide and sources *part* are those overstated or differing.
"""

from collections.abc import Sequence

import pandas as pd

from evidence.analysis.claims.verdicts import NOT_CHECKABLE, judge_claim
from evidence.analysis.results import select_results
from evidence.dataset.access_log import cached_view
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import VERDICTS
from evidence.provenance import sentence
from evidence.provenance.sentence import Number, Sentence, count

DISAGREEING_VERDICTS = ("differs", "overstated")


def claim_verdicts(
    dataset: Dataset, results: pd.DataFrame, *, narrowed: bool = False
) -> pd.DataFrame:
    """The claims in the order of their verdicts, those with most to mend first.

    Parameters
    ----------
    dataset : Dataset
    results : DataFrame
        From `select_results`; with `narrowed`, only claims about its studies are kept.

    Returns
    -------
    DataFrame
        The columns of `claims.csv` and `name`, `computed` (empty for a qualitative claim that no
        rows can be held against), `because`, `compared` (the addresses of those rows) and
        `overruled`.
    """
    frame = judged_claims(dataset)
    if narrowed:
        studies = set(results["study"])
        frame = frame[[bool(studies.intersection(row)) for row in frame["studies"]]]
    return sort_by_verdict(frame)


def sort_by_verdict(frame: pd.DataFrame) -> pd.DataFrame:
    """Claims as `judged` gives them, those with most to mend first, each with its name."""
    order = {verdict: rank for rank, verdict in enumerate(reversed(VERDICTS[:4]))}
    rank = frame["verdict"].map(order).fillna(len(order))
    frame = frame.assign(name=frame["claim"], rank=rank)
    return frame.sort_values(["rank", "claim"], kind="stable").drop(columns="rank")


@cached_view
def judged_claims(dataset: Dataset) -> pd.DataFrame:
    """The claims in the order of their table, with what `audit` adds to each, but for the name."""
    frame = dataset.claims.copy()
    everything = select_results(dataset)
    found = [judge_claim(everything, row) for row in frame.itertuples()]
    is_open = [
        verdict.verdict == NOT_CHECKABLE and row.kind == "qualitative"
        for verdict, row in zip(found, frame.itertuples(), strict=True)
    ]
    frame["computed"] = [
        "" if blank else verdict.verdict for verdict, blank in zip(found, is_open, strict=True)
    ]
    frame["because"] = [verdict.because for verdict in found]
    frame["compared"] = [" ".join(verdict.rows) for verdict in found]
    frame["overruled"] = (frame["computed"] != "") & (frame["computed"] != frame["verdict"])
    return frame


def claims_by_verdict(claims: pd.DataFrame) -> dict[str, Number]:
    """How many claims have each verdict, every verdict named even at 0."""
    return {
        verdict: sentence.row_count(claims.loc[claims["verdict"] == verdict, "address"])
        for verdict in VERDICTS
    }


def claims_sentence(claims: pd.DataFrame) -> Sentence:
    """One sentence on how guide and sources compare."""
    numbers = {
        verdict.replace(" ", "_"): number for verdict, number in claims_by_verdict(claims).items()
    }
    numbers["claims"] = count(len(claims), "claim", rows=claims["address"])
    return Sentence(
        "claims.summary",
        "Of {claims} checked, {agrees} agree with their source, {omits_detail} leave out a detail "
        "that matters, {overstated} overstate it, {differs} differ from it, and "
        "{not_checkable} cannot be checked.",
        numbers,
    )


def computed_verdict_summary(claims: pd.DataFrame) -> Sentence:
    """One sentence on how the computed verdicts stand to the curators'."""
    computed = claims[claims["computed"] != ""]
    overruled = claims[claims["overruled"]]
    return Sentence(
        "claims.computing",
        "The verdicts on {computed} are also computed from the rows alone; the curators keep to "
        "{same} and overrule {overruled}, each with a reason.",
        {
            "computed": count(len(computed), "claim", rows=computed["address"]),
            "same": sentence.row_count(computed.loc[~computed["overruled"], "address"]),
            "overruled": sentence.row_count(overruled["address"]),
        },
    )


def claims_summary(claims: pd.DataFrame) -> list[Sentence]:
    """How guide and sources compare, and how the computed verdicts stand to the curators'."""
    return [claims_sentence(claims), computed_verdict_summary(claims)]


def overruled_verdicts(claims: pd.DataFrame) -> list[Sentence]:
    """A line for each claim whose computed verdict the curators overrule, with both reasons."""
    return [
        Sentence(
            f"claim.{row.claim}.overruled",
            "{label}: computed {computed} ({because}); the curators say {verdict}: {reason}.",
            {
                "label": Number(None, row.label),
                "computed": Number(
                    row.computed, row.computed, tuple(row.compared.split()), "verdict"
                ),
                "because": Number(None, row.because),
                "verdict": Number(row.verdict, row.verdict, (row.address,)),
                "reason": Number(None, row.reason),
            },
        )
        for row in claims[claims["overruled"]].itertuples()
    ]


def disagreements(claims: pd.DataFrame, studies: Sequence[str] = ()) -> list[Sentence]:
    """A line for each claim on which guide and source part, those of `studies` first."""
    frame = claims[claims["verdict"].isin(DISAGREEING_VERDICTS)]
    about = [any(study in row for study in studies) for row in frame["studies"]]
    frame = frame.assign(later=[not flag for flag in about])
    frame = frame.sort_values("later", kind="stable")
    return [
        Sentence(
            f"claim.{row.claim}",
            "{label} — guide: {guide}; source: {source}.",
            {
                "label": Number(None, row.label),
                "guide": Number(row.guide_value, row.guide_value, (row.address,)),
                "source": Number(row.source_value, row.source_value, (row.address,)),
            },
        )
        for row in frame.itertuples()
    ]
