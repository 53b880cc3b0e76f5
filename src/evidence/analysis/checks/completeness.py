"""Check that nothing is wanted in vain, forgotten, or counted twice."""

import pandas as pd

from evidence.analysis.checks.finding import CheckResults, check
from evidence.analysis.gaps.coverage import OWN_REPORTS
from evidence.analysis.gaps.primary_outcomes import find_primary_outcomes
from evidence.analysis.gaps.reading_list import answering_rows
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import at_time

SAME_RESULT = ["study", "arm", "versus", "outcome", "measure"]
ROUNDING = 0.0051
"""How far a value may be from the same one with more decimals, printed with two."""


@check("WANTED", "note", "delete the row")
def answered_wanted_results(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a wanted result that a confirmed row of the results already answers."""
    answered = answering_rows(dataset)
    for row in dataset.wanted_results.itertuples():
        if row.address in answered:
            yield row, f"the result is in {answered[row.address]}"


@check("PRIMARY", "warning", f"enter it, or add a row to {schema.WANTED_RESULTS.file}")
def missing_primary_outcomes(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a trial whose primary outcome has neither a result nor a row that asks for it."""
    rows = {row.address: row for row in dataset.designs.itertuples()}
    for entry in find_primary_outcomes(dataset):
        if entry.status == "missing":
            outcome = f"{entry.outcome}{at_time(entry.time, entry.time_unit)}"
            yield rows[entry.address], f"no result for the primary outcome, {outcome}"


@check("REPEAT", "warning", "name that text in the column repeats, if both are one result")
def unmarked_second_reports(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a second-hand row with the value that its study's own text reports, counted twice."""
    is_counted = results["confirmed"] & ~results["is_guide"] & (results["repeats"] == "")
    is_own = results["reported_by"].isin(OWN_REPORTS)
    value = results["value"].fillna(results["events"].astype(float) / results["n"].astype(float))
    rows = results.loc[
        is_counted, [*SAME_RESULT, "days", "instrument", "source", "address"]
    ].assign(value=value, days=results["days"].fillna(-1.0))
    rows = rows[rows["value"].notna()]
    own = rows[is_own.reindex(rows.index)]
    pairs = rows[~is_own.reindex(rows.index)].merge(
        own, on=[*SAME_RESULT, "days"], suffixes=("", "_own")
    )
    is_same = (pairs["value"] - pairs["value_own"]).abs() <= ROUNDING
    is_same &= (
        (pairs["instrument"] == pairs["instrument_own"])
        | (pairs["instrument"] == "")
        | (pairs["instrument_own"] == "")
    )
    for row in pairs[is_same].drop_duplicates("address").itertuples():
        message = f"the same value as in {row.source_own} ({row.address_own})"
        yield row, message, (row.address, row.address_own)
