"""Claims and open questions as tables, for those who want every reason."""

import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.synthesis.wording import span
from evidence.tables.table import Table


def tabulate_claims(corpus: Corpus, claims: pd.DataFrame) -> Table:
    """One row a claim: what guide and source say, the verdict and why, and the computed one."""
    shown = pd.DataFrame(
        {
            "claim": claims["claim"],
            "the guide says": claims["statement"],
            "in numbers": claims["guide_value"],
            "its source says": claims["source_value"],
            "verdict": claims["verdict"],
            "why": claims["reason"],
            "computed from rows": [
                f"{row.computed}{' — overruled' if row.overruled else ''}: {row.because}"
                if row.computed
                else "—"
                for row in claims.itertuples()
            ],
            "checked against": [
                "; ".join(corpus.label(key) for key in row.source)
                + (f" ({row.locator})" if row.locator else "")
                for row in claims.itertuples()
            ],
        }
    )
    numbers = claims[["name", "guide_value", "source_value", "computed"]].copy()
    numbers["address"] = claims["address"] + " " + claims["compared"]
    return Table(
        "tab-claims",
        "Claims of the guide, checked against sources",
        shown,
        numbers,
        {"computed": "verdict"},
    )


def tabulate_guide(corpus: Corpus) -> Table:
    """One row a reference of the guide and a text that it may be, how sure and why."""
    guide = corpus.guide
    shown = pd.DataFrame(
        {
            "reference": guide["guide_ref"],
            "match": guide["status"],
            "text": [
                str(corpus.bibliography[key]) if key else "none found" for key in guide["source"]
            ],
            "the guide there": guide["passage"],
            "why this text": guide["reason"],
        }
    )
    numbers = guide[["rank", "address"]].copy()
    numbers.insert(0, "name", guide["guide_ref"] + "/" + guide["source"])
    return Table("tab-guide", "References of the guide, and the texts they may be", shown, numbers)


def tabulate_unknowns(unknowns: pd.DataFrame) -> Table:
    """One row an open question with the computed evidence that bears on it."""
    shown = pd.DataFrame(
        {
            "question": unknowns["question"],
            "studies": unknowns["k"].astype(str),
            "people": [f"{n:,}" for n in unknowns["n"]],
            "randomised": unknowns["randomised_studies"].astype(str),
            "longest look": [span(days) if days == days else "—" for days in unknowns["longest"]],
            "why it is open": unknowns["why_open"],
            "bearing on it": [labels or "nothing" for labels in unknowns["labels"]],
        }
    )
    numbers = unknowns[["k", "n", "randomised_studies", "longest"]].copy()
    numbers["address"] = unknowns["address"] + " " + unknowns["rows"]
    numbers.insert(0, "name", unknowns["unknown"])
    return Table("tab-unknowns", "Open questions and the evidence on each", shown, numbers, METHODS)


METHODS = {
    "k": "studies",
    "n": "participants",
    "randomised_studies": "studies",
    "longest": "longest",
}
