"""The answer in plain words: what the headline studies found, how sure that is, what is open.

Every sentence is assembled from rows; which studies come first is data (`designs.display_order`).

What reviews found against different comparisons, and whether people could tell what they got.

Vocabulary
----------
These numbers are those of the texts; they are set side by side here and not pooled.
"""

from collections.abc import Iterator

import pandas as pd

from evidence.analysis.arm_comparisons import PAIR_COLUMNS, arm_pairs
from evidence.analysis.defaults import default_outcomes
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import HUMAN_DESIGNS, NUMERIC_MEASURES
from evidence.provenance.sentence import (
    Number,
    Sentence,
    at_time,
    capitalise,
    count,
    events_of_n,
    format_interval,
    format_number,
    format_percent,
    format_time,
    join_words,
    row_count,
)


def headline_studies(dataset: Dataset, results: pd.DataFrame) -> list[str]:
    """Studies that the index opens with: those marked, in order; none marked gives the first 3."""
    marked = (
        dataset.designs[["study", "display_order"]].dropna().sort_values("display_order")["study"]
    )
    studies = list(marked) or list(results["study"].unique()[:3])
    present = set(results["study"])
    return [study for study in studies if study in present]


def introduce_study(dataset: Dataset, study: str) -> Sentence:
    """Who was studied and how: 'randomised crossover, 18 people randomised (adults)'."""
    rows = dataset.designs_of([study])
    if rows.empty:
        return Sentence(f"{study}.design", dataset.label(study))
    row = rows.iloc[0]
    randomised = pd.notna(row["n_randomised"])
    size = row["n_randomised"] if randomised else row["n_analysed"]
    numbers = {"design": Number(None, row["design"], (row["address"],))}
    template = "{design}"
    if pd.notna(size):
        numbers["size"] = count(size, "person", "people", [row["address"]], "copied")
        template += ", {size} " + ("randomised" if randomised else "analysed")
    if row["population"]:
        numbers["population"] = Number(None, row["population"], (row["address"],))
        template += " ({population})"
    return Sentence(f"{study}.design", template + ".", numbers)


def study_caveat(rows: pd.DataFrame) -> Sentence:
    """The one thing a reader must know of the study of these rows."""
    first = rows.iloc[0]
    words = {"caveat": Number(None, first["caveat"], (first["address"],))}
    return Sentence(f"{first['study']}.caveat", "{caveat}", words)


def study_findings(results: pd.DataFrame, study: str, *, confidence: float) -> list[Sentence]:
    """What one study reported on benefits and main outcomes, confirmed, a sentence a finding.

    Proportions with a comparison come with their difference; single proportions alone; sizes
    and directions as printed. Shares that nobody confirmed come last and say so.
    """
    rows = results[
        (results["study"] == study)
        & (results["kind"].eq("benefit") | results["outcome"].isin(default_outcomes(results)))
        & ~results["is_guide"]
        & ~(results["days"] <= 0)
    ]
    rows, unread = rows[rows["confirmed"]], rows[~rows["confirmed"]]
    unread = unread[~unread["outcome"].isin(rows["outcome"])]
    compared = arm_pairs(rows, confidence=confidence)
    return [
        *_paired(compared),
        *_alone(rows, compared),
        *_worded(rows),
        *_sized(rows),
        *_alone(unread, compared, " — commonly cited, not confirmed at its source"),
    ]


def _paired(frame: pd.DataFrame) -> Iterator[Sentence]:
    for row in frame.itertuples():
        address = tuple(row.address.split())
        yield Sentence(
            f"{row.name}",
            "{outcome}{time}: {one} with {arm}, {two} with {versus} "
            "(risk ratio {ratio}, interval {ratio_interval}).",
            {
                "outcome": Number(None, row.outcome),
                "time": Number(None, at_time(row.time, row.time_unit)),
                "one": events_of_n(row.events1, row.n1, address[:1]),
                "arm": Number(None, row.arm),
                "two": events_of_n(row.events2, row.n2, address[1:]),
                "versus": Number(None, row.versus),
                "ratio": Number(row.rr, format_number(row.rr), address, "ratio"),
                "ratio_interval": Number(
                    format_interval(row.rr_low, row.rr_high),
                    format_interval(row.rr_low, row.rr_high),
                    address,
                    "katz",
                ),
            },
        )


def _alone(rows: pd.DataFrame, compared: pd.DataFrame, doubt: str = "") -> Iterator[Sentence]:
    """Shares of the treated that are in no pair."""
    known = set(compared[PAIR_COLUMNS].itertuples(index=False, name=None))
    single = rows[
        (rows["measure"] == "proportion")
        & rows["role"].isin(["intervention", "single arm"])
        & rows["event_count"].notna()
        & rows["n"].notna()
    ]
    alone = [row not in known for row in single[PAIR_COLUMNS].itertuples(index=False, name=None)]
    single = single[alone].drop_duplicates(["outcome", "time", "arm"])
    for row in single.itertuples():
        yield Sentence(
            f"{row.study}/{row.arm}/{row.outcome}/{format_time(row.time, row.time_unit)}",
            "{outcome}{time}: {share} with {arm}" + doubt + ".",
            {
                "outcome": Number(None, row.outcome),
                "time": Number(None, at_time(row.time, row.time_unit)),
                "share": events_of_n(row.event_count, row.n, [row.address]),
                "arm": Number(None, row.arm),
            },
        )


def _sized(rows: pd.DataFrame) -> Iterator[Sentence]:
    sized = rows[(rows["role"] == "contrast") & rows["value"].notna()]
    names = _names(sized)
    for row in sized.itertuples():
        numbers = {
            "outcome": Number(None, row.outcome),
            "time": Number(None, at_time(row.time, row.time_unit)),
            "arm": Number(None, row.arm),
            "versus": Number(None, row.versus),
            "measure": Number(None, MEASURE_ORDER.get(row.measure, row.measure)),
            "value": Number(row.value, format_number(row.value), (row.address,)),
        }
        template = "{outcome}{time}: {arm} against {versus}, {measure} {value}"
        if pd.notna(row.ci_low):
            ends = format_interval(row.ci_low, row.ci_high)
            numbers["interval"] = Number(ends, ends, (row.address,))
            template += ", interval {interval}"
        for column, words in (("p_value", "p"), ("p_adjusted", "after correction p")):
            printed = getattr(row, column)
            if printed:
                numbers[column] = Number(printed, printed, (row.address,))
                template += f", {words} {{{column}}}"
        yield Sentence(names[row.Index], template + ".", numbers)


def _names(sized: pd.DataFrame) -> pd.Series:
    """A name a row; rows that would have the same one are told apart by where they differ."""
    key = ["study", "arm", "outcome", "measure"]
    names = sized[key].agg("/".join, axis=1) if len(sized) else sized["study"]
    for column in ("time", "instrument", "definition", "versus", "source"):
        same = sized.groupby(names)[column].transform("nunique") > 1
        names = names.where(~same, names + "/" + sized[column])
    return names


MEASURE_ORDER = {"smd": "standardised difference"}


def _worded(rows: pd.DataFrame) -> Iterator[Sentence]:
    worded = rows[(rows["role"] == "contrast") & rows["value"].isna() & (rows["direction"] != "")]
    keys = ["outcome", "time", "time_unit", "versus", "direction"]
    for key, group in worded.groupby(keys, sort=False):
        outcome, time, unit, versus, direction = key
        first = group.iloc[0]
        yield Sentence(
            f"{first['study']}/{outcome}/{format_time(time, unit)}/{direction}",
            "{outcome}{time}: {arms} {found} {versus}, size not given.",
            {
                "outcome": Number(None, outcome),
                "time": Number(None, at_time(time, unit)),
                "found": Number(
                    None,
                    {"no difference": "not different from"}.get(direction, f"{direction} than"),
                    tuple(group["address"]),
                ),
                "versus": Number(None, versus),
                "arms": Number(None, join_words(group["arm"].unique())),
            },
        )


def certainty_sentences(dataset: Dataset, results: pd.DataFrame) -> list[Sentence]:
    """What limits the trust in these results, counted: designs, comparisons, unread numbers."""
    designs = dataset.designs_of(list(results["study"].unique()))
    primary = designs[designs["design"].isin(HUMAN_DESIGNS)]
    randomised = primary[primary["randomised"] == "yes"]
    active = randomised[randomised["comparator_kind"] == "active"]
    unread = results[~results["confirmed"]]
    sentences = []
    if len(primary):
        sentences.append(
            Sentence(
                "sure.designs",
                "{studies} treated people or followed them; {randomised} by chance, {active} "
                "of these against an active comparison and not only an inert one.",
                {
                    "studies": count(len(primary), "study", "studies", primary["address"]),
                    "randomised": count(
                        len(randomised), "allotted them", "allotted them", randomised["address"]
                    ),
                    "active": row_count(active["address"]),
                },
            )
        )
    if len(unread):
        sentences.append(
            Sentence(
                "sure.unread",
                "{unread} could not be confirmed at their source; they are drawn as such and "
                "never counted as evidence.",
                {"unread": count(len(unread), "result", rows=unread["address"])},
            )
        )
    return sentences


GUESS_OUTCOMES = ("guessed right", "guessed wrong")


def results_by_comparator(results: pd.DataFrame) -> Iterator[Sentence]:
    """Effects that one text gives against two comparisons or more, a sentence an outcome."""
    rows = results[
        (results["role"] == "contrast")
        & results["design"].isin(["meta-analysis", "systematic review"])
        & results["measure"].isin(NUMERIC_MEASURES)
        & results[["value", "ci_low", "ci_high"]].notna().all(axis=1)
        & results["confirmed"]
    ]
    place = ["study", "outcome", "measure", "time", "time_unit"]
    for (study, outcome, measure, time, unit), group in rows.groupby(place, sort=False):
        group = group.drop_duplicates("versus")
        if len(group) < 2:
            continue
        numbers = {
            "label": Number(None, group["label"].iloc[0]),
            "outcome": Number(None, capitalise(outcome)),
            "time": Number(None, at_time(time, unit)),
            "measure": Number(None, measure.replace("smd", "standardised difference")),
        }
        parts = []
        for place_, row in enumerate(group.itertuples()):
            said = f"{row.value:g} ({format_interval(row.ci_low, row.ci_high)})".replace("-", "−")
            numbers[f"effect{place_}"] = Number(float(row.value), said, (row.address,))
            numbers[f"versus{place_}"] = Number(None, row.versus)
            parts.append(f"{{effect{place_}}} against {{versus{place_}}}")
        yield Sentence(
            f"reviews.{study}.{outcome}.{measure}{at_time(time, unit)}",
            f"{{outcome}}{{time}} ({{label}}), {{measure}}: {'; '.join(parts)}.",
            numbers,
        )


def treatment_guesses(results: pd.DataFrame) -> Iterator[Sentence]:
    """How many people could say what they had been given, a sentence a study."""
    rows = results[results["outcome"].isin(GUESS_OUTCOMES) & results["value"].notna()]
    for (study, outcome), group in rows.groupby(["study", "outcome"], sort=False):
        numbers = {
            "label": Number(None, group["label"].iloc[0]),
            "outcome": Number(None, outcome),
        }
        parts = []
        for place, row in enumerate(group.itertuples()):
            numbers[f"share{place}"] = Number(
                float(row.value), format_percent(row.value), (row.address,)
            )
            numbers[f"arm{place}"] = Number(None, row.arm)
            parts.append(f"{{share{place}}} given {{arm{place}}}")
        template = f"{{label}}: {join_words(parts)} {{outcome}} what they had got."
        yield Sentence(f"guesses.{study}.{outcome}", template, numbers)
