"""The register of unknowns: what is asked and what nobody measured, with the evidence on each.

Vocabulary
----------
An *entry* is a question of `unknowns.csv`, or one that the tables raise by themselves: a *gap*, a
cell of condition, treatment, outcome, comparison and time that a claim of the guide speaks of and
that no trial or one trial fills (at the time that the claim is about, or later), or a claim or
reference whose source nobody could identify. Its *codes* are
the reasons of Robinson why it is open: A insufficient or imprecise, B risk of bias, C consistency
unknown or lacking, D not the right information.

References
----------
brown2006epicot, robinson2011.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import bodies_for, comparative_rows
from evidence.analysis.certainty.grade import LEVELS, Certainty, conclusion, grade_certainty
from evidence.analysis.certainty.risk_of_bias import applicable_appraisals
from evidence.analysis.claims.verdicts import NOT_CHECKABLE
from evidence.analysis.eligible_evidence import (
    OUTCOME_KINDS,
    count_studies_and_participants,
    evidence_rows,
    participants_by_study,
)
from evidence.analysis.gaps.required_trial import RequiredTrial, required_trial
from evidence.analysis.pooling.study_effects import PRINTED_EFFECTS
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.notebook_display import Frame
from evidence.dataset.row_filter import COLUMNS, filter_rows, parse_query
from evidence.dataset.schema import UNKNOWN_STATUSES

TIMES = (1.0, 3.0, 7.0, 28.0, 90.0, 365.0)
"""Times around which the bearing evidence is put together, in days."""
BANDS = {
    "up to three days": (0.0, 3.5, 3.0),
    "up to a month": (3.5, 31.0, 28.0),
    "beyond a month": (31.0, np.inf, 31.0),
}
"""After how many days each band begins and ends, and for how many a trial must follow people."""
COMPARED = ("inactive", "active")
"""Kinds of comparison that a claim on an effect needs: one that is not any_blinded, one that is."""
MEASURED = ("proportion", "mean", *(word for word, _ in PRINTED_EFFECTS.values()))
TRIAL = ["study", "condition", "treatment", "outcome", "comparator_kind", "randomised", "days"]
MAX_LISTED = dict.fromkeys(
    ("study", "label", *COLUMNS, *TRIAL, "blinding", "time", "time_unit", "value",
     "as_printed", "address")
)  # fmt: skip
"""The columns of the results that bear on an unknown: to cut them from all takes long."""
HALF = 0.5
Participants = Mapping[str, tuple[str, int]]
"""As of `gaps.people_of`."""


@dataclass(frozen=True)
class Unknown:
    """One unknown in the form of EPICOT+, with everything that is computed of it.

    `k`, `n`, `randomised` count studies and people; `longest` is in days, NaN if none. `best` is
    the most certain body of evidence that bears on it, `concludes` what its interval says against
    no effect and what matters. `high_risk` is the share of studies at high risk of bias or not
    randomised, `any_blinded` whether any hid from people what they got. `codes` gives for each reason the
    rule that fired. `computed` is the status by rule, `stated` the curator's, with `reason`; the
    curator wins.
    """

    name: str
    question: str
    population: str
    intervention: str
    comparison: str
    outcome: str
    asked_on: str
    section: str
    claims: tuple[str, ...]
    why_open: str
    evidence: pd.DataFrame = field(repr=False)
    address: str
    k: int
    n: int
    randomised: int
    longest_follow_up: float
    best: Certainty | None
    conclusion: str
    high_risk: float
    any_blinded: bool
    codes: dict[str, str]
    computed_status: str
    required_trial: RequiredTrial
    curated_status: str = ""
    status_reason: str = ""
    origin: str = "listed"
    last_searched: str = ""
    review_due: str = ""
    follow_up: str = ""

    @property
    def status(self) -> str:
        """How much of it is left: the curator's word before the computed one."""
        return self.curated_status or self.computed_status

    @property
    def designs(self) -> dict[str, int]:
        """How many of the studies have each design, the most frequent first."""
        return dict(self.evidence.drop_duplicates("study")["design"].value_counts())

    @property
    def labels(self) -> list[str]:
        """The studies that bear on it."""
        return list(self.evidence["label"].unique())

    @property
    def addresses(self) -> str:
        """Its own row and every row that bears on it."""
        return " ".join([*self.address.split(), *self.evidence["address"]])


class Unknowns(list[Unknown]):
    """Entries in their order; a notebook shows them as a table, one row an unknown."""

    def _repr_html_(self) -> str:
        return Frame(
            {
                "question": [entry.question for entry in self],
                "status": [entry.status for entry in self],
                "k": [entry.k for entry in self],
                "randomised": [entry.randomised for entry in self],
                "n": [entry.n for entry in self],
                "longest": [entry.longest_follow_up for entry in self],
                "high_risk": [entry.high_risk for entry in self],
                "certainty": [
                    entry.best.decided or entry.best.suggested if entry.best else ""
                    for entry in self
                ],
                "why it is open": [entry.why_open for entry in self],
                "claims": [entry.claims for entry in self],
                "bearing on it": [entry.labels for entry in self],
            }
        )._repr_html_()


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def find_unknowns(dataset: Dataset) -> Unknowns:
    """The register of everything that is in the tables; see `register`."""
    return register(dataset, select_results(dataset))


def register(dataset: Dataset, results: pd.DataFrame) -> Unknowns:
    """Every unknown, the most important first.

    Open ones stand before narrowed and settled ones; of these, first those that more claims of the
    guide touch, then those on which fewer people stand.
    """
    rows = evidence_rows(results)
    compared = {row["address"]: row for row in comparative_rows(rows)}
    known = _Known(dataset, rows[list(MAX_LISTED)], participants_by_study(dataset), compared)
    found = [*_asked(known), *_gaps(known, results), *_untraced(known)]
    return Unknowns(
        sorted(
            found,
            key=lambda entry: (
                UNKNOWN_STATUSES.index(entry.status), -len(entry.claims), entry.n, entry.name,
            ),
        )
    )  # fmt: skip


@dataclass(frozen=True)
class _Known:
    """What entries are made of: the evidence, whose it is, and by address what compares groups."""

    dataset: Dataset
    rows: pd.DataFrame
    whose: Participants
    compared: Mapping[str, dict]


def _asked(known: _Known) -> Iterator[Unknown]:
    for row in known.dataset.unknowns.itertuples():
        about = {
            name: getattr(row, name)
            for name in ("question", "population", "intervention", "comparison", "outcome",
                         "asked_on", "section", "why_open")
        }  # fmt: skip
        yield _entry(
            known,
            filter_rows(row.where, known.rows),
            name=row.unknown,
            claims=row.claims,
            address=row.address,
            curated_status=row.status,
            status_reason=row.status_reason,
            last_searched=row.last_searched,
            review_due=row.review_due,
            follow=_asked_for(row.where),
            **about,
        )


def _asked_for(query: str) -> float:
    """The days from which on a query asks for results; NaN if it does not say."""
    days = [
        float(condition.values[0])
        for condition in parse_query(query)
        if condition.column == "days" and condition.comparison in (">", ">=")
    ]
    return max(days, default=np.nan) or np.nan


def _spoken_of(dataset: Dataset, results: pd.DataFrame) -> dict[tuple[str, str, str], list]:
    """Condition, treatment and outcome of every claim on something that can be compared.

    With each, the claims and the earliest time at which they or their studies look.
    """
    kinds = dict(zip(dataset.outcomes["outcome"], dataset.outcomes["kind"], strict=True))
    measured = results.loc[results["measure"].isin(MEASURED), "outcome"].unique()
    cells: dict[tuple[str, str, str], list] = {}
    for claim in dataset.claims.itertuples():
        if kinds.get(claim.outcome) not in OUTCOME_KINDS or claim.outcome not in measured:
            continue
        about = results[results["study"].isin(claim.studies)]
        about = about[(about["outcome"] == claim.outcome) & (about["treatment"] != "")]
        about = about[~about["comparator_kind"].isin(["", "none"])]
        for cell, rows in about.groupby(["condition", "treatment"], sort=False):
            cells.setdefault((*cell, claim.outcome), []).append((claim, rows["days"].min()))
    return cells


def _gaps(known: _Known, results: pd.DataFrame) -> Iterator[Unknown]:
    """Cells that claims speak of and that no trial, or a single one, fills."""
    trials: dict[tuple, list] = {}
    for place, row in enumerate(known.rows[TRIAL].itertuples(index=False)):
        if row.randomised == "yes":
            cell = (row.condition, row.treatment, row.outcome)
            trials.setdefault(cell, []).append((place, row))
    for (condition, treatment, outcome), spoken in _spoken_of(known.dataset, results).items():
        claims = [claim for claim, _ in spoken]
        earliest = min((days for _, days in spoken if np.isfinite(days)), default=0.0)
        cell = trials.get((condition, treatment, outcome), [])
        for band, (after, until, follow) in BANDS.items():
            if earliest > until:
                continue
            within = [(place, row) for place, row in cell if after < row.days <= until]
            studies = {kind: set() for kind in COMPARED}
            for _, row in within:
                studies.setdefault(row.comparator_kind, set()).add(row.study)
            thin = [kind for kind in COMPARED if len(studies[kind]) < 2]
            if thin:
                comparison = f"an {' or an '.join(thin)} comparison"
                bearing = [place for place, row in within if row.comparator_kind in thin]
                yield _entry(
                    known,
                    known.rows.iloc[bearing],
                    name="/".join((condition, treatment, outcome, band)),
                    question=f"What does {treatment} do to {outcome} {band}, against {comparison}?",
                    population=f"people with {condition}",
                    intervention=treatment,
                    comparison=comparison,
                    outcome=outcome,
                    asked_on="",
                    follow_up=band,
                    section=claims[0].section,
                    claims=tuple(dict.fromkeys(claim.claim for claim in claims)),
                    why_open="",
                    address=" ".join(claim.address for claim in claims),
                    origin="derived",
                    follow=follow,
                )


def _untraced(known: _Known) -> Iterator[Unknown]:
    """References that nobody could identify, and claims that rest on nothing that can be held."""
    dataset = known.dataset
    refs = [[ref.strip() for ref in cell.split(";")] for cell in dataset.claims["guide_refs"]]
    best = dataset.guide.drop_duplicates("guide_ref")
    for row in best[best["status"] == "unresolved"].itertuples():
        touching = [row.guide_ref in given for given in refs]
        yield _source(
            known,
            name=f"source/{row.guide_ref}",
            question=f"Where does it come from: {row.passage}?",
            claims=tuple(dataset.claims.loc[touching, "claim"]),
            why_open=row.reason,
            address=row.address,
        )
    for row in dataset.claims[dataset.claims["verdict"] == NOT_CHECKABLE].itertuples():
        if not row.guide_refs:
            yield _source(
                known,
                name=f"source/{row.claim}",
                question=f"Where does it come from: {row.statement}?",
                section=row.section,
                claims=(row.claim,),
                why_open=row.reason,
                address=row.address,
                last_searched=row.last_searched,
                review_due=row.review_due,
            )


def _source(known: _Known, **about) -> Unknown:
    blank = dict.fromkeys(
        ("population", "intervention", "comparison", "outcome", "asked_on", "section"), ""
    )
    return _entry(known, known.rows.iloc[:0], origin="source", **(blank | about))


def _entry(known: _Known, bearing: pd.DataFrame, *, follow: float = np.nan, **about) -> Unknown:
    dataset = known.dataset
    k, n = count_studies_and_participants(known.whose, bearing)
    compared = [known.compared[row] for row in bearing["address"] if row in known.compared]
    rated = [grade_certainty(dataset, body) for body in bodies_for(dataset, compared, times=TIMES)]
    best = max(rated, key=_certainty, default=None)
    designs = set(zip(bearing["study"], bearing["randomised"] == "yes", strict=True))
    studies = {study for study, _ in designs}
    randomised = sum(trial for _, trial in designs)
    judged = applicable_appraisals(dataset, "", list(studies))
    high = {study for study, entry in judged.items() if entry.level in ("high", "critical")}
    loose = {study for study, trial in designs if not trial}
    high_risk = len(high | loose) / len(studies) if studies else np.nan
    any_blinded = bool(bearing["blinding"].isin(["active placebo", "indistinguishable"]).any())
    codes = dict(_codes(k, best, high_risk, any_blinded))
    return Unknown(
        evidence=bearing,
        k=k,
        n=n,
        randomised=randomised,
        longest_follow_up=float(bearing["days"].max()) if len(bearing) else np.nan,
        best=best,
        conclusion=conclusion(dataset, best.body) if best else "",
        high_risk=high_risk,
        any_blinded=any_blinded,
        codes=codes,
        computed_status=_status(k, randomised, best),
        required_trial=required_trial(dataset, best, about["outcome"], follow),
        **about,
    )


def _certainty(rated: Certainty) -> tuple:
    level = rated.decided or rated.suggested
    return LEVELS.index(level), rated.body.participants, len(rated.body.studies)


def _codes(
    k: int, best: Certainty | None, high_risk: float, any_blinded: bool
) -> Iterator[tuple[str, str]]:
    """Each reason that applies, with the rule that fired."""
    domains = {rating.domain: rating for rating in best.domains} if best else {}
    if k == 0:
        yield "A", "no study bears on it"
    elif best is None:
        yield "A", "no study gives a size of effect against a comparison"
    elif domains["imprecision"].levels_down:
        yield "A", domains["imprecision"].reason
    if k and high_risk >= HALF:
        yield "B", "half of the studies or more are at high risk of bias, or not randomised"
    if k == 1:
        yield "C", "a single study has nothing to agree with"
    elif best and domains["inconsistency"].levels_down:
        yield "C", domains["inconsistency"].reason
    if k and not any_blinded:
        yield "D", "no study hid from people what they got"
    elif best and domains["indirectness"].levels_down:
        yield "D", domains["indirectness"].reason


def _status(k: int, randomised: int, best: Certainty | None) -> str:
    """Settled: moderate certainty or more, and precise. Narrowed: two trials, not very low."""
    if best is None:
        return "open"
    level = LEVELS.index(best.decided or best.suggested)
    precise = not next(r for r in best.domains if r.domain == "imprecision").levels_down
    if level >= LEVELS.index("moderate") and precise and k > 1:
        return "settled"
    return "narrowed" if randomised > 1 and level > 0 else "open"
