"""Check that wanted results are still wanted, and that primary outcomes are not forgotten."""

import pandas as pd

from evidence.analysis.checks.finding import CheckResults, check
from evidence.analysis.gaps.primary_outcomes import find_primary_outcomes
from evidence.analysis.gaps.reading_list import answering_rows
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import at_time


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
