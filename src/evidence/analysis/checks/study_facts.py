"""Check participants, doses, times, sources and trial numbers against their study."""

import re

import numpy as np
import pandas as pd

from evidence.analysis.checks.finding import CheckResults, check
from evidence.analysis.doses import convert_doses
from evidence.analysis.results import last_assessments
from evidence.dataset.csv_reader import map_cells
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import at_time

_NUMBER = r"(?<![\d.])(\d+(?:\.\d+)?|\.\d+)"


def _from_sources(results: pd.DataFrame) -> pd.DataFrame:
    """Leave out the guide, whose numbers are compared with the sources elsewhere."""
    return results[~results["is_guide"]]


@check("PARTICIPANTS", "error", "check n")
def too_many_participants(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a row with more participants than its study."""
    sizes = dataset.designs.set_index("study")[["n_randomised", "n_analysed"]]
    largest = sizes.astype(float).max(axis=1)
    n = results["n"].to_numpy(float, na_value=np.nan)
    is_too_many = n > results["study"].map(largest).to_numpy(float)
    for row in _from_sources(results[is_too_many]).itertuples():
        yield row, f"n = {row.n} exceeds the {largest[row.study]:g} of the study"


@check("ARMS", "warning", "find the missing arm or participants")
def arms_off_their_total(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find arms whose sizes do not add up to the number randomised."""
    total = dataset.designs.set_index("study")["n_randomised"].dropna()
    rows = _from_sources(results[results["outcome"].eq("allocated") & results["events"].notna()])
    rows = rows[rows["role"].isin(["intervention", "comparator"]) & rows["study"].isin(total.index)]
    allocated = rows.drop_duplicates(["study", "arm"]).groupby("study")["events"].sum()
    is_off = (allocated != total.reindex(allocated.index)).to_numpy(bool)
    for study, group in rows[rows["study"].isin(allocated.index[is_off])].groupby(
        "study", sort=False
    ):
        if len(group) > 1:
            message = f"arms add up to {allocated[study]}, but {total[study]} were randomised"
            yield next(group.itertuples()), message, tuple(group["address"])


@check("SUBSET", "warning", "check whether both were counted from the same scores")
def subsets_beyond_their_outcome(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find more participants with an outcome than with the outcome that includes it."""
    outcomes = dataset.outcomes[dataset.outcomes["subset_of"] != ""]
    subsets = dict(zip(outcomes["outcome"], outcomes["subset_of"], strict=True))
    group = ["study", "arm", "time", "time_unit"]
    columns = [*group, "outcome", "source", "n", "event_count", "value", "as_printed", "address"]
    is_relevant = results["outcome"].isin([*subsets, *subsets.values()])
    is_relevant &= results["measure"].isin(["proportion", "count"]) & ~results["is_guide"]
    rows = results.loc[is_relevant, columns]
    for subset, outcome in subsets.items():
        pairs = rows[rows["outcome"] == subset].merge(
            rows[rows["outcome"] == outcome], on=group, suffixes=("", "_all")
        )
        has_more = pairs["event_count"] > pairs["event_count_all"]
        # Without counts, proportions of the same n tell, if rounding cannot explain it.
        has_same_n = pairs["n"].fillna(-1) == pairs["n_all"].fillna(-1)
        has_more |= (
            pairs["event_count"].isna() & has_same_n & (pairs["value"] > pairs["value_all"] + 0.01)
        )
        for row in pairs[has_more.fillna(False)].itertuples():
            numbers = (row.event_count, row.event_count_all)
            if pd.isna(row.event_count):
                numbers = (row.as_printed, row.as_printed_all)
            time = at_time(row.time, row.time_unit)
            message = f"{numbers[0]} with {subset} but {numbers[1]} with {outcome}{time}"
            yield row, message, (row.address, row.address_all)


@check("TWIN", "note", "check the table again")
def twin_arms(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find two arms with the same mean and the same spread."""
    rows = results[(results["measure"] == "mean") & results["spread"].notna()]
    keys = ["study", "outcome", "instrument", "time", "value", "spread", "source"]
    for _, group in rows[rows.duplicated(keys, keep=False)].groupby(keys, sort=False):
        if group["arm"].nunique() > 1:
            message = f"{' and '.join(group['arm'])} have the same mean and spread"
            yield next(group.itertuples()), message, tuple(group["address"])


@check("DOSE", "warning", "check the unit: mg, mg/kg, or mg for a person of 70 kg")
def unlikely_doses(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a dose outside the range that `doses.csv` gives for the drug and route."""
    for dose_range in dataset.doses.itertuples():
        low, high, route = dose_range.low, dose_range.high, dose_range.route
        doses = convert_doses(results, dose_range.dose_unit)
        is_off = doses.gt(0) & ~doses.between(low, high)
        rows = results[is_off & (results["route"] == route)]
        for row in rows[rows["arm"].str.contains(dose_range.drug, regex=False)].itertuples():
            usual = f"{low:g} to {high:g} {dose_range.dose_unit}"
            yield row, f"{row.dose:g} {row.dose_unit} {route} is outside {usual}"


@check("LABEL", "error", "check the dose")
def doses_off_their_arm(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a dose that differs from the one in the name of its arm."""
    for unit in filter(None, results["dose_unit"].unique()):
        pattern = re.compile(rf"{_NUMBER} {re.escape(unit)}(?![\w/])")
        rows = results[results["dose_unit"] == unit]

        def dose_in_name(arm: str, pattern: re.Pattern = pattern) -> float:
            match = pattern.search(arm)
            return float(match[1]) if match else np.nan

        named = map_cells(rows["arm"], dose_in_name, float)
        for row in rows[np.abs(named - rows["dose"].to_numpy()) > 0].itertuples():
            yield row, f"dose {row.dose:g} {unit} in the arm '{row.arm}'"


@check("FOLLOWUP", "warning", "check the time")
def results_after_the_end(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a result after the last assessment of its study."""
    end = results["study"].map(last_assessments(dataset, list(results["study"].unique())))
    for row in _from_sources(results[results["days"] > end.astype(float) * 1.01]).itertuples():
        time = at_time(row.time, row.time_unit)
        yield row, f"a result{time}, after the last assessment in designs.csv"


@check("YEAR", "error", "give the right source")
def sources_before_their_study(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a number from a source that is older than the study it is about."""
    years = {key: reference.first_year for key, reference in dataset.bibliography.items()}
    known = {key: float(year) for key, year in years.items() if year.isdecimal()}
    study, source = (
        map_cells(results[column], lambda key: known.get(key, np.nan), float)
        for column in ("study", "source")
    )
    for row in _from_sources(results[source < study - 1]).itertuples():
        yield row, f"read in a text of {years[row.source]} about a study of {years[row.study]}"


@check("REGISTRY", "error", "copy it again")
def malformed_registrations(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a ClinicalTrials.gov number that is not NCT and eight digits."""
    for row in dataset.designs.itertuples():
        for number in re.findall(r"NCT\w*", row.registration):
            if not re.fullmatch(r"NCT\d{8}", number):
                yield row, f"{number} is not NCT and eight digits"
