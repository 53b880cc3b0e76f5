"""The answer in plain words: what the headline studies found, how sure that is, what is open.

Every sentence is assembled from rows; which studies come first is data (`designs.headline`).
"""

from collections.abc import Iterator

import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.corpus.schema import PEOPLE_DESIGNS
from evidence.synthesis.comparisons import PAIRED, pairs
from evidence.synthesis.usual import main_outcomes
from evidence.synthesis.wording import (
    Number,
    Sentence,
    at,
    count,
    interval,
    listed,
    people,
    signed,
    tally,
    when,
)


def headline_studies(corpus: Corpus, results: pd.DataFrame) -> list[str]:
    """Studies that the index opens with: those marked, in order; none marked gives the first 3."""
    marked = corpus.designs[["study", "headline"]].dropna().sort_values("headline")["study"]
    studies = list(marked) or list(results["study"].unique()[:3])
    present = set(results["study"])
    return [study for study in studies if study in present]


def introduce(corpus: Corpus, study: str) -> Sentence:
    """Who was studied and how: 'randomised crossover, 18 people randomised (adults)'."""
    rows = corpus.designs[corpus.designs["study"] == study]
    if rows.empty:
        return Sentence(f"{study}.design", corpus.label(study))
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


def caveat(rows: pd.DataFrame) -> Sentence:
    """The one thing a reader must know of the study of these rows."""
    first = rows.iloc[0]
    words = {"caveat": Number(None, first["caveat"], (first["address"],))}
    return Sentence(f"{first['study']}.caveat", "{caveat}", words)


def findings(results: pd.DataFrame, study: str, *, confidence: float) -> list[Sentence]:
    """What one study reported on benefits and main outcomes, confirmed, a sentence a finding.

    Proportions with a comparison come with their difference; single proportions alone; sizes
    and directions as printed. Shares that nobody confirmed come last and say so.
    """
    rows = results[
        (results["study"] == study)
        & (results["kind"].eq("benefit") | results["outcome"].isin(main_outcomes(results)))
        & ~results["is_guide"]
        & ~(results["days"] <= 0)
    ]
    rows, unread = rows[rows["confirmed"]], rows[~rows["confirmed"]]
    unread = unread[~unread["outcome"].isin(rows["outcome"])]
    compared = pairs(rows, confidence=confidence)
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
                "time": Number(None, at(row.time, row.time_unit)),
                "one": people(row.events1, row.n1, address[:1]),
                "arm": Number(None, row.arm),
                "two": people(row.events2, row.n2, address[1:]),
                "versus": Number(None, row.versus),
                "ratio": Number(row.rr, signed(row.rr), address, "ratio"),
                "ratio_interval": Number(
                    interval(row.rr_low, row.rr_high),
                    interval(row.rr_low, row.rr_high),
                    address,
                    "katz",
                ),
            },
        )


def _alone(rows: pd.DataFrame, compared: pd.DataFrame, doubt: str = "") -> Iterator[Sentence]:
    """Shares of the treated that are in no pair."""
    known = set(compared[PAIRED].itertuples(index=False, name=None))
    single = rows[
        (rows["measure"] == "proportion")
        & rows["role"].isin(["intervention", "single arm"])
        & rows["counted"].notna()
        & rows["n"].notna()
    ]
    alone = [row not in known for row in single[PAIRED].itertuples(index=False, name=None)]
    single = single[alone].drop_duplicates(["outcome", "time", "arm"])
    for row in single.itertuples():
        yield Sentence(
            f"{row.study}/{row.arm}/{row.outcome}/{when(row.time, row.time_unit)}",
            "{outcome}{time}: {share} with {arm}" + doubt + ".",
            {
                "outcome": Number(None, row.outcome),
                "time": Number(None, at(row.time, row.time_unit)),
                "share": people(row.counted, row.n, [row.address]),
                "arm": Number(None, row.arm),
            },
        )


def _sized(rows: pd.DataFrame) -> Iterator[Sentence]:
    sized = rows[(rows["role"] == "contrast") & rows["value"].notna()]
    names = _names(sized)
    for row in sized.itertuples():
        numbers = {
            "outcome": Number(None, row.outcome),
            "time": Number(None, at(row.time, row.time_unit)),
            "arm": Number(None, row.arm),
            "versus": Number(None, row.versus),
            "measure": Number(None, MEASURES.get(row.measure, row.measure)),
            "value": Number(row.value, signed(row.value), (row.address,)),
        }
        template = "{outcome}{time}: {arm} against {versus}, {measure} {value}"
        if pd.notna(row.ci_low):
            ends = interval(row.ci_low, row.ci_high)
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


MEASURES = {"smd": "standardised difference"}


def _worded(rows: pd.DataFrame) -> Iterator[Sentence]:
    worded = rows[(rows["role"] == "contrast") & rows["value"].isna() & (rows["direction"] != "")]
    keys = ["outcome", "time", "time_unit", "versus", "direction"]
    for key, group in worded.groupby(keys, sort=False):
        outcome, time, unit, versus, direction = key
        first = group.iloc[0]
        yield Sentence(
            f"{first['study']}/{outcome}/{when(time, unit)}/{direction}",
            "{outcome}{time}: {arms} {found} {versus}, size not given.",
            {
                "outcome": Number(None, outcome),
                "time": Number(None, at(time, unit)),
                "found": Number(
                    None,
                    {"no difference": "not different from"}.get(direction, f"{direction} than"),
                    tuple(group["address"]),
                ),
                "versus": Number(None, versus),
                "arms": Number(None, listed(group["arm"].unique())),
            },
        )


def certainty(corpus: Corpus, results: pd.DataFrame) -> list[Sentence]:
    """What limits the trust in these results, counted: designs, comparisons, unread numbers."""
    designs = corpus.designs[corpus.designs["study"].isin(results["study"])]
    primary = designs[designs["design"].isin(PEOPLE_DESIGNS)]
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
                    "active": tally(active["address"]),
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
