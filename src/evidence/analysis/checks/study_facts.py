"""People, doses, times and registry numbers that cannot be those of the study."""

import re

import numpy as np
import pandas as pd

from evidence.analysis.checks.finding import Found, check
from evidence.analysis.results import last_assessments
from evidence.dataset.csv_reader import map_cells
from evidence.provenance.sentence import at_time


def _own(results: pd.DataFrame) -> pd.DataFrame:
    """What studies report of themselves; the guide's retelling is compared elsewhere."""
    return results[~results["is_guide"]]


@check("PEOPLE", "error", "read n again")
def too_many_people(dataset, results) -> Found:
    """More people in a row than its study has."""
    sizes = dataset.designs.set_index("study")[["n_randomised", "n_analysed"]]
    most = sizes.astype(float).max(axis=1)
    n = results["n"].to_numpy(float, na_value=np.nan)
    too_many = n > results["study"].map(most).to_numpy(float)
    for row in _own(results[too_many]).itertuples():
        yield row, f"n {row.n} is more than the {most[row.study]:g} of the study"


@check("ARMS", "warning", "find the missing arm or people")
def arms_off_their_total(dataset, results) -> Found:
    """People allotted to the arms that do not add up to the number randomised."""
    total = dataset.designs.set_index("study")["n_randomised"].dropna()
    rows = _own(results[results["outcome"].eq("allocated") & results["events"].notna()])
    rows = rows[rows["role"].isin(["intervention", "comparator"]) & rows["study"].isin(total.index)]
    people = rows.drop_duplicates(["study", "arm"]).groupby("study")["events"].sum()
    off = people.index[(people != total.reindex(people.index)).to_numpy(bool)]
    for study, group in rows[rows["study"].isin(off)].groupby("study", sort=False):
        if len(group) > 1:
            says = f"arms add up to {people[study]}, {total[study]} were randomised"
            yield next(group.itertuples()), says, tuple(group["address"])


@check("WITHIN", "warning", "ask whether the two were counted from the same scores")
def parts_beyond_their_whole(dataset, results) -> Found:
    """More people with an outcome than with the one that contains it."""
    wider = dataset.outcomes[dataset.outcomes["subset_of"] != ""].set_index("outcome")["subset_of"]
    place = ["study", "arm", "time", "time_unit"]
    shown = [*place, "outcome", "source", "n", "event_count", "value", "as_printed", "address"]
    known = results["outcome"].isin([*wider.index, *wider])
    known &= results["measure"].isin(["proportion", "count"]) & ~results["is_guide"]
    rows = results.loc[known, shown]
    for inner, outer in wider.items():
        both = rows[rows["outcome"] == inner].merge(
            rows[rows["outcome"] == outer], on=place, suffixes=("", "_outer")
        )
        fewer = both["event_count"] > both["event_count_outer"]
        # Where no count is known, shares of the same people tell, if rounding cannot explain it.
        same = both["event_count"].isna() & (both["n"].fillna(-1) == both["n_outer"].fillna(-1))
        less = same & (both["value"] > both["value_outer"] + 0.01)
        for row in both[fewer | less].itertuples():
            what = (row.event_count, row.event_count_outer)
            if pd.isna(row.event_count):
                what = (row.as_printed, row.as_printed_outer)
            says = f"{what[0]} with {inner} but {what[1]} with {outer}{at_time(row.time, row.time_unit)}"
            yield row, says, (row.address, row.address_outer)


@check("TWIN", "note", "read the table again")
def twin_arms(dataset, results) -> Found:
    """Two arms with the same mean and the same spread."""
    rows = results[(results["measure"] == "mean") & results["spread"].notna()]
    keys = ["study", "outcome", "instrument", "time", "value", "spread", "source"]
    for _, group in rows[rows.duplicated(keys, keep=False)].groupby(keys, sort=False):
        if group["arm"].nunique() > 1:
            arms = " and ".join(group["arm"])
            says = f"{arms} have the same mean and spread"
            yield next(group.itertuples()), says, tuple(group["address"])


@check("DOSE", "warning", "read the unit: mg, mg/kg or mg for a 70 kg person")
def unlikely_doses(dataset, results) -> Found:
    """A dose per kg outside what the texts name for the drug and route."""
    for band in dataset.doses.itertuples():
        is_off = results["dose_mg_per_kg"].gt(0)
        is_off &= ~results["dose_mg_per_kg"].between(band.low, band.high)
        rows = results[is_off & (results["route"] == band.route)]
        for row in rows[rows["arm"].str.contains(band.drug, regex=False)].itertuples():
            dose = f"{row.dose_mg_per_kg:g} mg/kg {band.route}"
            yield row, f"{dose} is outside {band.low:g} to {band.high:g}"


_DOSE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?|\.\d+) mg/kg")


@check("LABEL", "error", "read the dose again")
def doses_off_their_arm(dataset, results) -> Found:
    """A dose that is not the one in the name of its arm."""

    def dose(arm: str) -> float:
        named = _DOSE.search(arm)
        return float(named[1]) if named else np.nan

    named = map_cells(results["arm"], dose, float)
    given = results["dose_mg_per_kg"].to_numpy()
    for row in results[np.abs(named - given) > 0].itertuples():
        yield row, f"dose {row.dose_mg_per_kg:g} in the arm '{row.arm}'"


@check("FOLLOWUP", "warning", "read the time again")
def results_after_the_end(dataset, results) -> Found:
    """A result later than the last assessment of its study."""
    end = results["study"].map(last_assessments(dataset, list(results["study"].unique())))
    end = end.astype(float)
    for row in _own(results[results["days"] > end * 1.01]).itertuples():
        when = at_time(row.time, row.time_unit)
        yield row, f"a result{when}, after the last assessment in designs.csv"


@check("YEAR", "error", "give the right source")
def sources_before_their_study(dataset, results) -> Found:
    """A number read in a text that is older than the study it is about."""
    years = {key: reference.year for key, reference in dataset.bibliography.items()}
    known = {key: float(year) for key, year in years.items() if year.isdigit()}
    study, source = (
        map_cells(results[name], lambda key: known.get(key, np.nan), float)
        for name in ("study", "source")
    )
    for row in _own(results[source < study - 1]).itertuples():
        yield row, f"read in a text of {years[row.source]} about a study of {years[row.study]}"


@check("REGISTRY", "error", "copy it again")
def malformed_registrations(dataset, results) -> Found:
    """A trial number that is not NCT and eight digits."""
    for row in dataset.designs.itertuples():
        for word in re.findall(r"NCT\w*", row.registration):
            if not re.fullmatch(r"NCT\d{8}", word):
                yield row, f"{word} is not NCT and eight digits"


CHECKS = (
    too_many_people,
    arms_off_their_total,
    parts_beyond_their_whole,
    twin_arms,
    unlikely_doses,
    doses_off_their_arm,
    results_after_the_end,
    sources_before_their_study,
    malformed_registrations,
)
