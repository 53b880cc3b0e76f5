"""The results that a report is about, joined with what their study and their outcome are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evidence.analysis.printed_numbers import count_ranges
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import Dataset, time_in_days
from evidence.errors import ParameterError, not_one_of

SCOPES = ("guide", "all")
OUTCOME_COLUMNS = ["outcome", "kind", "better", "complement", "display_order", "default_days"]


def require_known(name: str, given: Sequence[str], allowed: Sequence[str]) -> None:
    """Refuse words outside a vocabulary, naming the nearest one.

    Raises
    ------
    ParameterError
        With the parameter, what was given and what is allowed.
    """
    for word in given:
        if word not in allowed:
            raise ParameterError(f"{name}: {not_one_of(repr(word), allowed)}")


@selection
def select_results(
    dataset: Dataset,
    *,
    scope: str = "all",
    conditions: Sequence[str] = (),
    outcomes: Sequence[str] = (),
) -> pd.DataFrame:
    """The rows of `studies.csv` in question, with everything that is known about each.

    Parameters
    ----------
    dataset : Dataset
    scope : {"guide", "all"}
        Studies that the guide rests on, or later and contextual ones as well.
    conditions, outcomes : sequence of str
        Words of the data; none means all.

    Returns
    -------
    DataFrame
        The columns of `studies.csv` but `note`, and: `label`, `scope`, `design`, `randomised`,
        `treatment`, `comparator_kind`, `blinding`, `caveat` of the study; `kind`, `better`,
        `complement`, `display_order`, `default_days` of the outcome;
        `days_low` and `days` (the time and, for a range, its two ends; NaN if none); `event_count`
        (events as printed, or the one whole number that the printed percentage allows) and
        `event_count_source` ("printed", "derived" or ""); `is_guide`; `confirmed`.

    Raises
    ------
    ParameterError
        A scope, condition or outcome that does not exist.
    """
    require_known("scope", [scope], SCOPES)
    require_known("conditions", conditions, list(dataset.results["condition"].unique()))
    require_known("outcomes", outcomes, list(dataset.results["outcome"].unique()))
    # Remarks of those who made the tables are on no page, and a new one changes none.
    rows = _joined(dataset.results.drop(columns="note"), _studies(dataset), "study")
    rows = _joined(rows, dataset.outcomes[OUTCOME_COLUMNS], "outcome")
    rows["kind"] = rows["kind"].fillna("benefit")
    rows["better"] = rows["better"].fillna("neither")
    rows["complement"] = rows["complement"].fillna("")
    ends = time_in_days(rows["time"], rows["time_unit"])
    rows["days_low"], rows["days"] = ends["low"], ends["high"]
    rows["is_guide"] = rows["reported_by"] == "guide"
    rows["confirmed"] = rows["verified"] == "yes"
    rows["event_count"], rows["event_count_source"] = _counted(rows)
    if scope == "guide":
        rows = rows[rows["scope"] == "guide"]
    if conditions:
        rows = rows[rows["condition"].isin(list(conditions))]
    if outcomes:
        rows = rows[rows["outcome"].isin(list(outcomes))]
    return rows.reset_index(drop=True)


def _joined(rows: pd.DataFrame, table: pd.DataFrame, key: str) -> pd.DataFrame:
    """`rows` with the columns of a table in which each key stands once."""
    places = pd.Index(table[key]).get_indexer(rows[key])
    found = table.drop(columns=key).reset_index(drop=True).reindex(places)
    return rows.assign(**{name: found[name].array for name in found})


def last_assessments(dataset: Dataset, studies: Sequence[str]) -> pd.Series:
    """Return the last assessment that `designs.csv` states for studies, in days; NaN if none."""
    designs = dataset.designs_of(studies)
    length = designs["followup"].map(lambda number: "" if pd.isna(number) else f"{number:g}")
    ends = time_in_days(length.astype(str), designs["followup_unit"])["high"]
    return ends.set_axis(designs["study"])


def _studies(dataset: Dataset) -> pd.DataFrame:
    """One row a study; without `designs.csv` the name comes from the bibliography."""
    columns = ["study", "label", "scope", "design", "randomised", "treatment", "comparator_kind",
               "blinding", "caveat"]  # fmt: skip
    if len(dataset.designs):
        return dataset.designs[columns]
    studies = dataset.results["study"].unique()
    frame = pd.DataFrame({"study": studies}, columns=columns).fillna("")
    frame["label"] = [dataset.label(study) for study in studies]
    return frame.assign(scope="guide")


def _counted(rows: pd.DataFrame) -> tuple[pd.Series, np.ndarray]:
    """Events as printed, else the only count that a printed percentage of n people allows."""
    is_printed = rows["events"].notna().to_numpy()
    is_share = rows["measure"].eq("proportion") & rows["n"].notna() & rows["events"].isna()
    shares = rows.loc[is_share, ["as_printed", "n"]]
    first, last = count_ranges(shares["as_printed"].to_numpy(object), shares["n"].to_numpy(int))
    only = pd.Series(first, shares.index)[first == last]
    counted = rows["events"].copy()
    counted[only.index] = only.astype("Int64")
    worked_out = rows.index.isin(only.index)
    return counted, np.select([is_printed, worked_out], ["printed", "derived"], "")
