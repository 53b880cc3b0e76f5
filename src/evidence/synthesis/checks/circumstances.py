"""People, doses, times and registry numbers that cannot be those of the study."""

import re

import numpy as np
import pandas as pd

from evidence.synthesis.checks.finding import Found, check
from evidence.synthesis.selection import last_assessments
from evidence.synthesis.wording import at


def _own(results: pd.DataFrame) -> pd.DataFrame:
    """What studies report of themselves; the guide's retelling is compared elsewhere."""
    return results[~results["is_guide"]]


@check("PEOPLE", "error", "read n again")
def too_many_people(corpus, results) -> Found:
    """More people in a row than its study has."""
    sizes = corpus.designs.set_index("study")[["n_randomised", "n_analysed"]]
    most = sizes.astype(float).max(axis=1)
    for row in _own(results[results["n"].notna()]).itertuples():
        if row.n > most.get(row.study, np.inf):
            yield row, f"n {row.n} is more than the {most[row.study]:g} of the study"


@check("ARMS", "warning", "find the missing arm or people")
def arms_off_their_total(corpus, results) -> Found:
    """People allotted to the arms that do not add up to the number randomised."""
    total = corpus.designs.set_index("study")["n_randomised"].dropna()
    rows = _own(results[results["outcome"].eq("allocated") & results["events"].notna()])
    rows = rows[rows["role"].isin(["intervention", "comparator"])]
    for study, group in rows.groupby("study", sort=False):
        people = group.drop_duplicates("arm")["events"].sum()
        if study in total and len(group) > 1 and people != total[study]:
            says = f"arms add up to {people}, {total[study]} were randomised"
            yield next(group.itertuples()), says, tuple(group["address"])


@check("WITHIN", "warning", "ask whether the two were counted from the same scores")
def parts_beyond_their_whole(corpus, results) -> Found:
    """More people with an outcome than with the one that contains it."""
    wider = corpus.outcomes[corpus.outcomes["within"] != ""].set_index("outcome")["within"]
    rows = _own(results[results["measure"].isin(["proportion", "count"])])
    place = ["study", "arm", "time", "time_unit"]
    for inner, outer in wider.items():
        both = rows[rows["outcome"] == inner].merge(
            rows[rows["outcome"] == outer], on=place, suffixes=("", "_outer")
        )
        fewer = both["counted"] > both["counted_outer"]
        # Where no count is known, shares of the same people tell, if rounding cannot explain it.
        same = both["counted"].isna() & (both["n"].fillna(-1) == both["n_outer"].fillna(-1))
        less = same & (both["value"] > both["value_outer"] + 0.01)
        for row in both[fewer | less].itertuples():
            what = (row.counted, row.counted_outer)
            if pd.isna(row.counted):
                what = (row.as_printed, row.as_printed_outer)
            says = f"{what[0]} with {inner} but {what[1]} with {outer}{at(row.time, row.time_unit)}"
            yield row, says, (row.address, row.address_outer)


@check("TWIN", "note", "read the table again")
def twin_arms(corpus, results) -> Found:
    """Two arms with the same mean and the same spread."""
    rows = results[(results["measure"] == "mean") & results["spread"].notna()]
    keys = ["study", "outcome", "instrument", "time", "value", "spread", "source"]
    for _, group in rows.groupby(keys, sort=False):
        if group["arm"].nunique() > 1:
            arms = " and ".join(group["arm"])
            says = f"{arms} have the same mean and spread"
            yield next(group.itertuples()), says, tuple(group["address"])


@check("DOSE", "warning", "read the unit: mg, mg/kg or mg for a 70 kg person")
def unlikely_doses(corpus, results) -> Found:
    """A dose per kg outside what the texts name for the drug and route."""
    for band in corpus.doses.itertuples():
        rows = results[
            (results["route"] == band.route)
            & results["dose_mg_per_kg"].gt(0)
            & results["arm"].str.contains(band.drug, regex=False)
        ]
        for row in rows[~rows["dose_mg_per_kg"].between(band.low, band.high)].itertuples():
            dose = f"{row.dose_mg_per_kg:g} mg/kg {band.route}"
            yield row, f"{dose} is outside {band.low:g} to {band.high:g}"


@check("LABEL", "error", "read the dose again")
def doses_off_their_arm(corpus, results) -> Found:
    """A dose that is not the one in the name of its arm."""
    for row in results[results["dose_mg_per_kg"].notna()].itertuples():
        named = re.search(r"([\d.]+) mg/kg", row.arm)
        if named and float(named[1]) != row.dose_mg_per_kg:
            yield row, f"dose {row.dose_mg_per_kg:g} in the arm '{row.arm}'"


@check("FOLLOWUP", "warning", "read the time again")
def results_after_the_end(corpus, results) -> Found:
    """A result later than the last assessment of its study."""
    ends = last_assessments(corpus)
    for row in _own(results).itertuples():
        if row.days > ends.get(row.study, np.nan) * 1.01:
            yield (
                row,
                f"a result{at(row.time, row.time_unit)}, after the last assessment in designs.csv",
            )


@check("YEAR", "error", "give the right source")
def sources_before_their_study(corpus, results) -> Found:
    """A number read in a text that is older than the study it is about."""
    for row in _own(results).itertuples():
        study, source = (corpus.bibliography[key].year for key in (row.study, row.source))
        if study.isdigit() and source.isdigit() and int(source) < int(study) - 1:
            yield row, f"read in a text of {source} about a study of {study}"


@check("REGISTRY", "error", "copy it again")
def malformed_registrations(corpus, results) -> Found:
    """A trial number that is not NCT and eight digits."""
    for row in corpus.designs.itertuples():
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
