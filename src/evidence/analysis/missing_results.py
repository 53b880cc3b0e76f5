"""Say why a number of a study is not in the tables: it is not reported, or nobody read it."""

from collections.abc import Iterable

import pandas as pd

from evidence.dataset.readings import FULL_TEXT
from evidence.dataset.schema import READING_KINDS
from evidence.provenance.sentence import join_words


def why_missing(readings: pd.DataFrame, study: str, outcome: str) -> str:
    """Say why the tables lack a number of a study on an outcome, as the end of a phrase.

    Only a reading of the full text, or one that says so of this outcome, shows that a study does
    not report it. If the dataset records no readings, all that can be said is "not tabulated";
    otherwise it is "not reported", or for instance "not read (abstract only)".
    """
    if readings.empty:
        return "not tabulated"
    own = readings[readings["source"] == study]
    if (own["kind"] == FULL_TEXT).any() or any(outcome in cell for cell in own["not_reported"]):
        return "not reported"
    kinds = [kind for kind in READING_KINDS if kind in set(own["kind"])]
    return f"not read ({join_words(kinds)} only)" if kinds else "not read"


def summarise_missing(reasons: Iterable[str]) -> str:
    """Join reasons from `why_missing` without what was read: "not read or not reported".

    Empty if nothing more is known than that the numbers are not tabulated.
    """
    words = dict.fromkeys(reason.partition(" (")[0] for reason in reasons)
    return " or ".join(word for word in words if word != "not tabulated")
