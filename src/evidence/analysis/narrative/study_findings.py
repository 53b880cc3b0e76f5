"""Write what single studies and reviews found as plain sentences, each number with its rows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import PAIR_COLUMNS, arm_pairs
from evidence.analysis.defaults import default_outcomes
from evidence.analysis.missing_results import why_missing
from evidence.analysis.narrative.scope import core_words
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.dataset.schema import HUMAN_DESIGNS, NUMERIC_MEASURES, RATIO_MEASURES
from evidence.provenance.sentence import (
    NOT_ESTIMABLE,
    Fields,
    Number,
    Sentence,
    at_time,
    capitalise,
    capitalise_sentence,
    count,
    events_of_n,
    format_interval,
    format_number,
    format_percent,
    format_time,
    join_words,
    row_count,
    verbatim,
)

MAX_STUDIES = 3
"""Studies shown first if `designs.csv` ranks none."""
MEASURE_WORDS = {"smd": "standardised mean difference"}
PRINTED_LEVEL = "95%"
"""The confidence level of CIs as printed."""
GUESSES = {
    "guessed right": "guessed their treatment correctly",
    "guessed wrong": "guessed their treatment wrongly",
}
"""Outcomes on whether participants could tell what they got."""


def featured_studies(dataset: Dataset, results: pd.DataFrame) -> list[str]:
    """Return the studies that the index shows first: those ranked in `designs.csv`, else three."""
    designs = dataset.designs[["study", "display_order"]].dropna()
    studies = list(designs.sort_values("display_order")["study"])
    studies = studies or list(results["study"].unique()[:MAX_STUDIES])
    present = set(results["study"])
    return [study for study in studies if study in present]


def describe_study(dataset: Dataset, study: str) -> Sentence:
    """Describe design and participants: Randomised crossover, 18 participants randomised (adults)."""
    designs = dataset.designs_of([study])
    if designs.empty:
        return Sentence(f"{study}.design", dataset.label(study))
    row = designs.iloc[0]
    address = (row["address"],)
    fields: Fields = {"design": capitalise(row["design"])}
    template = "{design}"
    for column, participle in (("n_randomised", "randomised"), ("n_analysed", "analysed")):
        if pd.notna(row[column]):
            fields["size"] = count(row[column], "participant", address, "copied")
            template += f", {{size}} {participle}"
            break
    if row["population"]:
        fields["population"] = row["population"]
        template += " ({population})"
    return Sentence(f"{study}.design", template + ".", fields)


def study_caveat(rows: pd.DataFrame) -> Sentence:
    """Return the one thing a reader must know about the study of these rows."""
    first = rows.iloc[0]
    return Sentence(f"{first['study']}.caveat", "{caveat}", {"caveat": first["caveat"]})


@as_listing
def study_findings(
    dataset: Dataset, results: pd.DataFrame, study: str, *, confidence: float
) -> list[Sentence]:
    """Return what a study reported on benefits and default outcomes, one sentence per finding.

    Proportions of two arms come with their risk ratio; single proportions, effect estimates and
    directions as printed. Proportions not confirmed at their source come last and say so.
    """
    rows = results[
        (results["study"] == study)
        & (results["kind"].eq("benefit") | results["outcome"].isin(default_outcomes(results)))
        & ~results["is_guide"]
        & ~(results["days"] <= 0)
    ]
    rows, unconfirmed = rows[rows["confirmed"]], rows[~rows["confirmed"]]
    unconfirmed = unconfirmed[~unconfirmed["outcome"].isin(rows["outcome"])]
    pairs = arm_pairs(rows, confidence=confidence)
    sentences = [
        *pair_sentences(pairs, confidence),
        *proportion_sentences(rows, pairs),
        *_direction_sentences(rows, dataset.readings),
        *estimate_sentences(rows),
        *proportion_sentences(
            unconfirmed, pairs, ", commonly cited but not confirmed at its source"
        ),
    ]
    return [capitalise_sentence(sentence) for sentence in sentences]


def evidence_limits(
    dataset: Dataset, results: pd.DataFrame, *, scope: str = "all"
) -> list[Sentence]:
    """State how many studies were randomised, with which comparators, and what is unconfirmed."""
    designs = dataset.designs_of(list(results["study"].unique()))
    primary = designs[designs["design"].isin(HUMAN_DESIGNS)]
    randomised = primary[primary["randomised"] == "yes"]
    active = randomised[randomised["comparator_kind"] == "active"]
    unconfirmed = results[~results["confirmed"]]
    sentences = []
    if len(primary):
        fields: Fields = {
            "studies": count(len(primary), "study", primary["address"]),
            "randomised": row_count(randomised["address"]),
            "active": row_count(active["address"]),
        }
        fields["cited"] = f" {core_words(dataset)}" if scope == "core" else ""
        template = "Of {studies} with human participants{cited}, {randomised} randomised them"
        if (randomised["comparator_kind"] != "").any():
            template += ", {active} of these with an active comparator"
        template += "."
        sentences.append(Sentence("certainty.designs", template, fields))
    if len(unconfirmed):
        fields = {"unconfirmed": count(len(unconfirmed), "result", rows=unconfirmed["address"])}
        template = (
            "{unconfirmed} could not be confirmed at the source; charts mark them, and they never "
            "count as evidence."
        )
        sentences.append(Sentence("certainty.unconfirmed", template, fields))
    return sentences


@as_listing
def results_by_comparator(results: pd.DataFrame) -> Iterator[Sentence]:
    """Yield the effects that one review reports against two or more comparators, by outcome.

    Reviews print the sign of a difference either way round, so each sentence says which side favours
    the treatment.
    """
    rows = results[
        (results["role"] == "contrast")
        & results["design"].isin(["meta-analysis", "systematic review"])
        & results["measure"].isin(NUMERIC_MEASURES)
        & results[["value", "ci_low", "ci_high"]].notna().all(axis=1)
        & results["confirmed"]
    ]
    keys = ["study", "outcome", "measure", "time", "time_unit"]
    for (study, outcome, measure, time, unit), group in rows.groupby(keys, sort=False):
        group = group.drop_duplicates("versus")
        if len(group) < 2:
            continue
        fields: Fields = {
            "label": group["label"].iloc[0],
            "outcome": capitalise(outcome),
            "time": at_time(time, unit),
            "measure": MEASURE_WORDS.get(measure, measure),
        }
        parts = []
        for position, row in enumerate(group.itertuples()):
            ci = format_interval(row.ci_low, row.ci_high)
            text = f"{row.value:g} ({ci})".replace("-", "−")
            fields[f"effect{position}"] = Number(float(row.value), text, (row.address,))
            fields[f"versus{position}"] = row.versus
            parts.append(f"{{effect{position}}} against {{versus{position}}}")
        yield Sentence(
            f"reviews.{study}.{outcome}.{measure}{at_time(time, unit)}",
            f"{{outcome}}{{time}} ({{label}}), {{measure}}: {'; '.join(parts)}. {{side}}",
            fields | {"side": _side_text(group, measure)},
        )


def _side_text(rows: pd.DataFrame, measure: str) -> str:
    """Say which side of no effect favours the treatment in contrasts as printed.

    The direction stated for a row decides, else its scale and its outcome.
    """
    none = 1 if measure in RATIO_MEASURES else 0
    stated = rows[rows["direction"].isin(["better", "worse"]) & (rows["value"] != none)]
    above = set((stated["value"] > none) == (stated["direction"] == "better"))
    if stated.empty:
        words = rows["scale_better"].where(rows["is_reversed"], rows["better"])
        above = {{"higher": True, "lower": False}.get(word) for word in words}
    if len(above) != 1 or None in above:
        return "Which side favours the treatment is not stated."
    return f"Values {'above' if above.pop() else 'below'} {none} favour the treatment."


@as_listing
def treatment_guesses(results: pd.DataFrame) -> Iterator[Sentence]:
    """Yield how many participants of each arm guessed their treatment, one sentence per study."""
    rows = results[results["outcome"].isin(GUESSES) & results["value"].notna()]
    if rows.empty:
        yield Sentence(
            "guesses.none", "No result tells how many participants guessed their treatment."
        )
    for (study, outcome), group in rows.groupby(["study", "outcome"], sort=False):
        fields: Fields = {"label": group["label"].iloc[0], "outcome": GUESSES[outcome]}
        parts = []
        for position, row in enumerate(group.itertuples()):
            proportion = Number(float(row.value), format_percent(row.value), (row.address,))
            fields |= {f"proportion{position}": proportion, f"arm{position}": row.arm}
            # Names of arms hold commas, so without quotes nobody sees where one ends.
            parts.append(f"{{proportion{position}}} of the arm “{{arm{position}}}”")
        template = f"{{label}}: {join_words(parts)} {{outcome}}."
        yield Sentence(f"guesses.{study}.{outcome}", template, fields)


def _outcome_at_time(row) -> Fields:
    return {"outcome": row.outcome, "time": at_time(row.time, row.time_unit)}


def pair_sentences(pairs: pd.DataFrame, confidence: float) -> Iterator[Sentence]:
    """Yield the proportions of two arms with their risk ratio, for each of `arm_pairs`."""
    for row in pairs.itertuples():
        address = tuple(row.address.split())
        template = "{outcome}{time}: {proportion1} with {arm}, {proportion2} with {versus} "
        fields = _outcome_at_time(row) | {
            "proportion1": events_of_n(row.events1, row.n1, address[:1]),
            "arm": row.arm,
            "proportion2": events_of_n(row.events2, row.n2, address[1:]),
            "versus": row.versus,
        }
        if np.isnan(row.rr):
            yield Sentence(row.name, f"{template}(risk ratio {NOT_ESTIMABLE}).", fields)
            continue
        ci = format_interval(row.rr_low, row.rr_high)
        yield Sentence(
            row.name,
            template + "(risk ratio {ratio}, {level} CI {ratio_interval}).",
            fields
            | {
                "ratio": Number(row.rr, format_number(row.rr), address, "ratio"),
                "level": f"{100 * confidence:g}%",
                "ratio_interval": verbatim(ci, address, "katz"),
            },
        )


def proportion_sentences(
    rows: pd.DataFrame, pairs: pd.DataFrame, caveat: str = ""
) -> Iterator[Sentence]:
    """Yield proportions of treated arms that are in no pair."""
    paired = set(pairs[PAIR_COLUMNS].itertuples(index=False, name=None))
    treated = rows[
        (rows["measure"] == "proportion")
        & rows["role"].isin(["intervention", "single arm"])
        & rows["event_count"].notna()
        & rows["n"].notna()
    ]
    keys = treated[PAIR_COLUMNS].itertuples(index=False, name=None)
    alone = treated[[key not in paired for key in keys]]
    for row in alone.drop_duplicates(["outcome", "time", "arm"]).itertuples():
        yield Sentence(
            f"{row.study}/{row.arm}/{row.outcome}/{format_time(row.time, row.time_unit)}",
            f"{{outcome}}{{time}}: {{proportion}} with {{arm}}{caveat}.",
            _outcome_at_time(row)
            | {"proportion": events_of_n(row.event_count, row.n, [row.address]), "arm": row.arm},
        )


def _direction_sentences(rows: pd.DataFrame, readings: pd.DataFrame) -> Iterator[Sentence]:
    """Yield contrasts of which only the direction is tabulated."""
    is_worded = (rows["role"] == "contrast") & rows["value"].isna() & (rows["direction"] != "")
    keys = ["outcome", "time", "time_unit", "versus", "direction"]
    for _, group in rows[is_worded].groupby(keys, sort=False):
        row = next(group.itertuples())
        finding = f"{row.direction} than"
        if row.direction == "no difference":
            finding = "not different from"
        time = format_time(row.time, row.time_unit)
        yield Sentence(
            f"{row.study}/{row.outcome}/{time}/{row.direction}",
            "{outcome}{time}: {arms} {finding} {versus}, effect size {missing}.",
            _outcome_at_time(row)
            | {
                "arms": join_words(group["arm"].unique()),
                "finding": finding,
                "versus": row.versus,
                "missing": why_missing(readings, row.study, row.outcome),
            },
        )


def estimate_sentences(rows: pd.DataFrame) -> Iterator[Sentence]:
    """Yield contrasts with a printed estimate, and which side of no effect favours the treatment."""
    contrasts = rows[(rows["role"] == "contrast") & rows["value"].notna()]
    names = _unique_names(contrasts)
    for row in contrasts.itertuples():
        address = (row.address,)
        fields = _outcome_at_time(row) | {
            "arm": row.arm,
            "versus": row.versus,
            "measure": MEASURE_WORDS.get(row.measure, row.measure),
            "value": Number(row.value, format_number(row.value), address),
            "level": PRINTED_LEVEL,
        }
        template = "{outcome}{time}: {arm} against {versus}, {measure} {value}"
        if pd.notna(row.ci_low):
            ci = format_interval(row.ci_low, row.ci_high)
            fields["interval"] = verbatim(ci, address)
            template += ", {level} CI {interval}"
        else:
            template += ", no confirmed CI"
        for column, label in (("p_value", "p"), ("p_adjusted", "adjusted p")):
            if printed := getattr(row, column):
                fields[column] = verbatim(printed, address)
                template += f", {label} {'' if printed[0] in '<>' else '= '}{{{column}}}"
        fields["side"] = _side_text(contrasts.loc[[row.Index]], row.measure)
        yield Sentence(names[row.Index], template + ". {side}", fields)


def _unique_names(contrasts: pd.DataFrame) -> pd.Series:
    """Return a name for each row; equal ones are extended by what differs between them."""
    keys = ["study", "arm", "outcome", "measure"]
    names = contrasts[keys].agg("/".join, axis=1) if len(contrasts) else contrasts["study"]
    for column in ("time", "instrument", "definition", "versus", "source"):
        is_ambiguous = contrasts.groupby(names)[column].transform("nunique") > 1
        names = names.where(~is_ambiguous, names + "/" + contrasts[column])
    return names
