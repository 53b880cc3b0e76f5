"""The audited claims for machines: schema.org ClaimReview, and a plain table."""

import json

import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.corpus.schema import VERDICTS
from evidence.tables.table import CLAIMS, anchor


def as_json_ld(corpus: Corpus, claims: pd.DataFrame, *, page: str) -> str:
    """One ClaimReview a claim, as JSON-LD that may stand inside a page.

    The rating runs from 1 (differs) to 4 (agrees); a claim that nobody can check has the words
    of its verdict and no number.

    Parameters
    ----------
    claims : DataFrame
        From `synthesis.claims.audit`.
    page : str
        The page on which each claim has its row.
    """
    reviews = [_review(corpus, row, page) for row in claims.itertuples()]
    text = json.dumps({"@context": "https://schema.org", "@graph": reviews}, indent=1)
    # "</script>" inside a text would end the element that the page puts around this.
    return text.replace("</", "<\\/")


def _review(corpus: Corpus, row, page: str) -> dict:
    rating = {"@type": "Rating", "alternateName": row.verdict, "ratingExplanation": row.reason}
    if row.verdict != VERDICTS[-1]:
        rank = VERDICTS[:4][::-1].index(row.verdict) + 1
        rating |= {"ratingValue": rank, "worstRating": 1, "bestRating": 4}
    return {
        "@type": "ClaimReview",
        "@id": f"{page}#{anchor(CLAIMS, row.claim)}",
        "url": f"{page}#{anchor(CLAIMS, row.claim)}",
        "claimReviewed": row.statement,
        "author": {"@type": "Organization", "name": "The curators of this notebook"},
        "reviewRating": rating,
        "itemReviewed": {"@type": "Claim", "name": row.label, **_appearance(corpus, row)},
        "citation": [_work(corpus, key) for key in row.source],
    }


def _appearance(corpus: Corpus, row) -> dict:
    """The text that makes the claim: the source of the guide's rows, if there is only one."""
    said = corpus.results[["reported_by", "source"]]
    guides = said.loc[said["reported_by"] == "guide", "source"].unique()
    return {"appearance": _work(corpus, guides[0])} if len(guides) == 1 else {}


def _work(corpus: Corpus, key: str) -> dict:
    reference = corpus.bibliography[key]
    work = {"@type": "CreativeWork", "name": reference.title}
    return work | ({"url": reference.link} if reference.link else {})


def as_frame(claims: pd.DataFrame) -> pd.DataFrame:
    """The claims with both verdicts, their reasons and the rows that were compared."""
    return pd.DataFrame(
        {
            "claim": claims["claim"],
            "label": claims["label"],
            "statement": claims["statement"],
            "guide_value": claims["guide_value"],
            "source_value": claims["source_value"],
            "verdict": claims["verdict"],
            "reason": claims["reason"],
            "computed": claims["computed"],
            "because": claims["because"].where(claims["computed"] != "", ""),
            "overruled": claims["overruled"].map({True: "yes", False: "no"}),
            "address": claims["address"],
            "compared": claims["compared"],
        }
    )
