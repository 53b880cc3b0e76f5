"""The register of unknowns: what is asked and what nobody measured, with the evidence on each.

Vocabulary
----------
An *entry* is a question of `unknowns.csv`, or one that the tables raise by themselves: a *gap*, a
cell of condition, treatment, outcome, comparison and time that a claim of the guide speaks of and
that no trial or one trial fills, or a claim whose source nobody could identify. Its *codes* are
the reasons of Robinson why it is open: A insufficient or imprecise, B risk of bias, C consistency
unknown or lacking, D not the right information.

References
----------
brown2006epicot, robinson2011.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from evidence.corpus.queries import matching
from evidence.corpus.reading import Corpus
from evidence.corpus.schema.words import UNKNOWN_STATUSES
from evidence.synthesis.appraisals import counting
from evidence.synthesis.bodies import bodies
from evidence.synthesis.contributions import PRINTED
from evidence.synthesis.gaps import OUTCOME_KINDS, evidence_rows, tally
from evidence.synthesis.grade import LEVELS, Certainty, rate
from evidence.synthesis.settling import Settling, settle
from evidence.synthesis.wording import Number, Sentence, count, span

TIMES = (1.0, 7.0, 28.0, 365.0)
"""Times around which the bearing evidence is put together, in days."""
BANDS = {
    "up to three days": (0.0, 3.5),
    "up to a month": (3.5, 31.0),
    "beyond a month": (31.0, np.inf),
}
COMPARED = {"inactive": "something that cannot be felt", "active": "something that is felt too"}
MEASURED = ("proportion", "mean", *(word for word, _ in PRINTED.values()))
HALF = 0.5


@dataclass(frozen=True)
class Entry:
    """One unknown in the form of EPICOT+, with everything that is computed of it.

    `k`, `n`, `randomised` count studies and people; `longest` is in days, NaN if none. `best` is
    the most certain body of evidence that bears on it. `codes` gives for each reason the rule that
    fired. `computed` is the status by rule, `stated` the curator's, with `reason`; the curator
    wins.
    """

    name: str
    question: str
    population: str
    intervention: str
    comparison: str
    outcome: str
    time_stamp: str
    section: str
    claims: tuple[str, ...]
    why_open: str
    rows: pd.DataFrame = field(repr=False)
    address: str
    k: int
    n: int
    randomised: int
    longest: float
    best: Certainty | None
    high_risk: float
    felt: bool
    codes: dict[str, str]
    computed: str
    settling: Settling
    stated: str = ""
    reason: str = ""
    raised: str = "asked"
    looked: str = ""
    good_until: str = ""

    @property
    def status(self) -> str:
        """How much of it is left: the curator's word before the computed one."""
        return self.stated or self.computed

    @property
    def labels(self) -> list[str]:
        """The studies that bear on it."""
        return list(self.rows["label"].unique())

    @property
    def addresses(self) -> str:
        """Its own row and every row that bears on it."""
        return " ".join([*self.address.split(), *self.rows["address"]])


def register(corpus: Corpus, results: pd.DataFrame) -> list[Entry]:
    """Every unknown, the most important first.

    Open ones stand before narrowed and settled ones; of these, first those that more claims of the
    guide touch, then those on which fewer people stand.
    """
    rows = evidence_rows(results)
    found = [*_asked(corpus, rows), *_gaps(corpus, results, rows), *_untraced(corpus, rows)]
    return sorted(
        found,
        key=lambda entry: (
            UNKNOWN_STATUSES.index(entry.status), -len(entry.claims), entry.n, entry.name,
        ),
    )  # fmt: skip


def _asked(corpus: Corpus, rows: pd.DataFrame) -> Iterator[Entry]:
    for row in corpus.unknowns.itertuples():
        about = {
            name: getattr(row, name)
            for name in ("question", "population", "intervention", "comparison", "outcome",
                         "time_stamp", "section", "why_open")
        }  # fmt: skip
        yield _entry(
            corpus,
            matching(row.where, rows),
            name=row.unknown,
            claims=tuple(word.strip() for word in row.claims.split(";") if word.strip()),
            address=row.address,
            stated=row.status,
            reason=row.status_reason,
            looked=row.looked,
            good_until=row.good_until,
            **about,
        )


def _spoken_of(corpus: Corpus, results: pd.DataFrame) -> dict[tuple[str, str, str], list]:
    """Condition, treatment and outcome of every claim on something that can be compared."""
    kinds = dict(zip(corpus.outcomes["outcome"], corpus.outcomes["kind"], strict=True))
    measured = results.loc[results["measure"].isin(MEASURED), "outcome"].unique()
    cells: dict[tuple[str, str, str], list] = {}
    for claim in corpus.claims.itertuples():
        if kinds.get(claim.outcome) not in OUTCOME_KINDS or claim.outcome not in measured:
            continue
        about = results[results["study"].isin(claim.studies)]
        about = about[(about["outcome"] == claim.outcome) & (about["treatment"] != "")]
        about = about[~about["comparator_kind"].isin(["", "none"])]
        pairs = zip(about["condition"], about["treatment"], strict=True)
        for condition, treatment in dict.fromkeys(pairs):
            cells.setdefault((condition, treatment, claim.outcome), []).append(claim)
    return cells


def _gaps(corpus: Corpus, results: pd.DataFrame, rows: pd.DataFrame) -> Iterator[Entry]:
    """Cells that claims speak of and that no trial, or a single one, fills."""
    trials = rows[rows["randomised"] == "yes"]
    for (condition, treatment, outcome), claims in _spoken_of(corpus, results).items():
        cell = trials[
            (trials["condition"] == condition)
            & (trials["treatment"] == treatment)
            & (trials["outcome"] == outcome)
        ]
        for band, (after, until) in BANDS.items():
            within = cell[(cell["days"] > after) & (cell["days"] <= until)]
            bearing = {kind: within[within["comparator_kind"] == kind] for kind in COMPARED}
            thin = [kind for kind, found in bearing.items() if found["study"].nunique() < 2]
            if thin:
                comparison = " or ".join(COMPARED[kind] for kind in thin)
                yield _entry(
                    corpus,
                    within[within["comparator_kind"].isin(thin)],
                    name="/".join((condition, treatment, outcome, band)),
                    question=f"What does {treatment} do to {outcome} {band}, against {comparison}?",
                    population=f"people with {condition}",
                    intervention=treatment,
                    comparison=comparison,
                    outcome=outcome,
                    time_stamp=band,
                    section=claims[0].section,
                    claims=tuple(dict.fromkeys(claim.claim for claim in claims)),
                    why_open="",
                    address=" ".join(claim.address for claim in claims),
                    raised="gap",
                )


def _untraced(corpus: Corpus, rows: pd.DataFrame) -> Iterator[Entry]:
    """Sources that the guide leans on and that nobody could identify."""
    for row in corpus.guide[corpus.guide["status"] == "unresolved"].itertuples():
        others = corpus.guide[corpus.guide["guide_ref"] == row.guide_ref]
        if row.address != others["address"].iloc[0]:
            continue
        refs = corpus.claims["guide_refs"].str.split(";")
        touching = [row.guide_ref in [ref.strip() for ref in cell] for cell in refs]
        yield _entry(
            corpus,
            rows.iloc[:0],
            name=f"source/{row.guide_ref}",
            question=f"Where does it come from: {row.passage}?",
            population="",
            intervention="",
            comparison="",
            outcome="",
            time_stamp="",
            section="",
            claims=tuple(corpus.claims.loc[touching, "claim"]),
            why_open=row.reason,
            address=row.address,
            raised="source",
        )


def _entry(corpus: Corpus, bearing: pd.DataFrame, **about) -> Entry:
    k, n = tally(corpus, bearing)
    randomised = bearing.loc[bearing["randomised"] == "yes", "study"].nunique()
    rated = [rate(corpus, body) for body in bodies(corpus, bearing, times=TIMES)]
    best = max(rated, key=_certainty, default=None)
    studies = list(bearing["study"].unique())
    judged = counting(corpus, "", studies)
    high = [
        study
        for study in studies
        if study in judged and judged[study].level in ("high", "critical")
    ]
    loose = bearing.loc[bearing["randomised"] != "yes", "study"].unique()
    high_risk = len({*high, *loose}) / len(studies) if studies else np.nan
    felt = bearing["unblinding"].isin(["disguised", "hidden"]).any()
    codes = dict(_codes(k, best, high_risk, bool(felt)))
    return Entry(
        rows=bearing,
        k=k,
        n=n,
        randomised=randomised,
        longest=float(bearing["days"].max()) if len(bearing) else np.nan,
        best=best,
        high_risk=high_risk,
        felt=bool(felt),
        codes=codes,
        computed=_status(k, randomised, best),
        settling=settle(corpus, best, about["outcome"]),
        **about,
    )


def _certainty(rated: Certainty) -> tuple:
    level = rated.decided or rated.suggested
    return LEVELS.index(level), rated.body.people, len(rated.body.studies)


def _codes(
    k: int, best: Certainty | None, high_risk: float, felt: bool
) -> Iterator[tuple[str, str]]:
    """Each reason that applies, with the rule that fired."""
    steps = {reason.domain: reason for reason in best.reasons} if best else {}
    if k == 0:
        yield "A", "no study bears on it"
    elif best is None:
        yield "A", "no study gives a size of effect against a comparison"
    elif steps["imprecision"].steps:
        yield "A", steps["imprecision"].why
    if k and high_risk >= HALF:
        yield "B", "half of the studies or more are at high risk of bias, or not randomised"
    if k == 1:
        yield "C", "a single study has nothing to agree with"
    elif best and steps["inconsistency"].steps:
        yield "C", steps["inconsistency"].why
    if k and not felt:
        yield "D", "no study hid from people what they got"
    elif best and steps["indirectness"].steps:
        yield "D", steps["indirectness"].why


def _status(k: int, randomised: int, best: Certainty | None) -> str:
    """Settled: moderate certainty or more, and precise. Narrowed: two trials, not very low."""
    if best is None:
        return "open"
    level = LEVELS.index(best.decided or best.suggested)
    precise = not next(r for r in best.reasons if r.domain == "imprecision").steps
    if level >= LEVELS.index("moderate") and precise and k > 1:
        return "settled"
    return "narrowed" if randomised > 1 and level > 0 else "open"


def plain(entry: Entry) -> Sentence:
    """An unknown in one plain sentence, for those who want no table."""
    rows = tuple(entry.rows["address"])
    numbers = {
        "people": count(entry.n, "person", "people", rows, "participants"),
        "studies": count(entry.k, "study", "studies", rows, "studies"),
        "longest": Number(
            entry.longest if np.isfinite(entry.longest) else None, span(entry.longest), rows,
            "longest",
        ),
    }  # fmt: skip
    words = {
        name: Number(None, str(getattr(entry, name)))
        for name in (
            "outcome",
            "intervention",
            "population",
            "time_stamp",
            "comparison",
            "question",
        )
    }
    name = f"unknown.{entry.name}"
    if entry.raised == "source":
        return Sentence(name, "Nobody could find where this comes from: {question}", {
            "question": Number(None, entry.question.partition(": ")[2].rstrip("?") + "."),
        })  # fmt: skip
    if entry.raised == "gap":
        measured = "{intervention} {time_stamp} in {population}, against {comparison}"
        if not entry.k:
            template = "No trial has measured {outcome} with " + measured + "."
        else:
            template = "Only {people} in {studies} tell of {outcome} with " + measured + "."
    elif not entry.k:
        template = "{question} No study in these tables bears on it."
    else:
        template = "{question} Only {people} in {studies}; longest look: {longest}."
    return Sentence(name, template, numbers | words)


def first(entries: list[Entry], k: int = 10) -> list[Sentence]:
    """The most important unknowns, a sentence each; see `register` for the order."""
    return [plain(entry) for entry in entries[:k]]


def summary(entries: list[Entry]) -> Sentence:
    """How many unknowns there are, how they arose and how much of them is left."""
    addresses = [row for entry in entries for row in entry.address.split()]

    def number(which, noun="") -> Number:
        chosen = [entry for entry in entries if which(entry)]
        rows = [row for entry in chosen for row in entry.address.split()]
        text = f"{len(chosen)} {noun}".strip()
        return Number(len(chosen), text, tuple(dict.fromkeys(rows)), "register")

    numbers = {
        "all": count(len(entries), "unknown", rows=dict.fromkeys(addresses), method="register"),
        "asked": number(lambda entry: entry.raised == "asked"),
        "gaps": number(lambda entry: entry.raised == "gap"),
        "sources": number(lambda entry: entry.raised == "source"),
        "open": number(lambda entry: entry.status == "open"),
        "narrowed": number(lambda entry: entry.status == "narrowed"),
        "settled": number(lambda entry: entry.status == "settled"),
    }
    return Sentence(
        "unknowns.summary",
        "{all}: {asked} asked by people, {gaps} that the tables raise because a claim speaks of "
        "what no trial or one trial measured, {sources} on sources that nobody could find. {open} "
        "are open, {narrowed} narrowed, {settled} settled.",
        numbers,
    )
