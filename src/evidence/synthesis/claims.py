"""What the guide says beside what its sources say, one line a claim.

Vocabulary
----------
A *verdict* is the curator's: agrees, omits detail, overstated, differs, not checkable. Claims on
which guide and sources *part* are those overstated or differing.
"""

from collections.abc import Sequence

import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.corpus.schema import VERDICTS
from evidence.synthesis.wording import Number, Sentence, count

PARTING = ("differs", "overstated")


def audit(corpus: Corpus, results: pd.DataFrame, *, narrowed: bool = False) -> pd.DataFrame:
    """The claims in the order of their verdicts, those with most to mend first.

    Parameters
    ----------
    corpus : Corpus
    results : DataFrame
        From `select_results`; with `narrowed`, only claims about its studies are kept.

    Returns
    -------
    DataFrame
        The columns of `claims.csv` and `name`.
    """
    frame = corpus.claims.copy()
    if narrowed:
        studies = set(results["study"])
        frame = frame[[bool(studies.intersection(row)) for row in frame["studies"]]]
    order = {verdict: rank for rank, verdict in enumerate(reversed(VERDICTS[:4]))}
    rank = frame["verdict"].map(order).fillna(len(order))
    frame = frame.assign(name=frame["claim"], rank=rank)
    return frame.sort_values(["rank", "claim"], kind="stable").drop(columns="rank")


def tally(claims: pd.DataFrame) -> dict[str, Number]:
    """How many claims have each verdict, every verdict named even at 0."""
    return {
        verdict: Number(
            int((claims["verdict"] == verdict).sum()),
            str(int((claims["verdict"] == verdict).sum())),
            tuple(claims.loc[claims["verdict"] == verdict, "address"]),
        )
        for verdict in VERDICTS
    }


def summary(claims: pd.DataFrame) -> Sentence:
    """One sentence on how guide and sources compare."""
    numbers = {verdict.replace(" ", "_"): number for verdict, number in tally(claims).items()}
    numbers["claims"] = count(len(claims), "claim", rows=claims["address"])
    return Sentence(
        "claims.summary",
        "Of {claims} checked, {agrees} agree with their source, {omits_detail} leave out a detail "
        "that matters, {overstated} overstate it, {differs} differ from it, and "
        "{not_checkable} cannot be checked.",
        numbers,
    )


def parting(claims: pd.DataFrame, studies: Sequence[str] = ()) -> list[Sentence]:
    """A line for each claim on which guide and source part, those of `studies` first."""
    frame = claims[claims["verdict"].isin(PARTING)]
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
