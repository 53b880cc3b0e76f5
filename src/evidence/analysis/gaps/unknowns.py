"""Collect the unknowns: what the tables do not answer, with the evidence and coverage of each.

References: brown2006epicot, robinson2011.

Vocabulary
----------
An unknown is *listed* (a question of `unknowns.csv`), *derived* (a claim is about a condition,
treatment, outcome, comparator and follow-up that at most one tabulated trial measured), or about a *source*
(a claim or reference whose source nobody could identify). Its *codes* are Robinson's reasons for a
gap: A insufficient or imprecise, B risk of bias, C consistency unknown or lacking, D not the right
information. Its *coverage* says which known studies may have measured it and were not read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import bodies_for, comparative_rows
from evidence.analysis.certainty.grade import LEVELS, Certainty, conclusion, grade_certainty
from evidence.analysis.certainty.risk_of_bias import applicable_appraisals
from evidence.analysis.claims.verdicts import NOT_CHECKABLE
from evidence.analysis.eligible_evidence import (
    OUTCOME_KINDS,
    StudySize,
    SubjectCount,
    count_subjects,
    evidence_rows,
    study_sizes,
)
from evidence.analysis.gaps.coverage import (
    OWN_REPORTS,
    Coverage,
    State,
    find_coverage,
    known_studies,
)
from evidence.analysis.gaps.required_trial import RequiredTrial, required_trial
from evidence.analysis.pooling.study_effects import PRINTED_EFFECTS
from evidence.analysis.results import require_known, select_results, spell_as
from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import Displayable, as_listing
from evidence.dataset.row_filter import COLUMNS, filter_rows, parse_query

BODY_TIMES = (1.0, 3.0, 7.0, 28.0, 90.0, 365.0)
"""Days around which evidence is put together to bodies of evidence."""
FOLLOW_UP_BANDS = {
    "up to three days": (0.0, 3.5, 3.0),
    "up to a month": (3.5, 31.0, 28.0),
    "beyond a month": (31.0, np.inf, 31.0),
}
"""Days after which each band begins, until which it lasts, and that a trial in it must follow."""
COMPARATOR_KINDS = ("inactive", "active")
"""Comparators that a claim on an effect needs: without and with effects that can be felt."""
EFFECTIVE_BLINDING = ("active placebo", "indistinguishable")
EFFECT_MEASURES = ("proportion", "mean", *(measure for measure, _ in PRINTED_EFFECTS.values()))
CELL_COLUMNS = ["condition", "treatment", "outcome"]
EVIDENCE_COLUMNS = list(dict.fromkeys((
    "study", "label", *COLUMNS, *CELL_COLUMNS, "comparator_kind", "randomised", "blinding", "time",
    "time_unit", "value", "as_printed", "address",
)))  # fmt: skip
"""The columns kept of the results: selecting rows from all of them takes long."""
MAJORITY = 0.5


@dataclass(frozen=True)
class Topic:
    """What an unknown is about, to match results, known studies and searches; empty: any.

    Comparators are kinds, or words of the description of a comparator. Both ends of the time after
    treatment, in days, are included.
    """

    conditions: tuple[str, ...] = ()
    treatments: tuple[str, ...] = ()
    comparators: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    from_days: float = 0.0
    to_days: float = np.inf
    only_randomised: bool = False

    def select(self, results: pd.DataFrame) -> pd.DataFrame:
        """Return the results on the topic, against whichever comparator."""
        is_on_topic = results["days"].between(self.from_days, self.to_days)
        for column in CELL_COLUMNS:
            words = getattr(self, f"{column}s")
            if words:
                is_on_topic &= results[column].isin(words)
        return results[is_on_topic]

    def may_include(self, known: pd.DataFrame) -> pd.Series:
        """Tell which of `known_studies` were randomised and compared as is asked, or may have been.

        An unknown comparator of a trial may be any, and a mixed one of any kind.
        """
        is_designed = known["is_randomised"] | (not self.only_randomised)
        if not self.comparators:
            return is_designed
        kind, comparator = known["comparator_kind"], known["comparator"].str.lower()
        is_unknown = (kind == "") & (comparator == "") & known["is_randomised"]
        matches = kind.isin(self.comparators) | is_unknown
        for word in (words := self._comparator_words):
            matches |= comparator.str.contains(word, regex=False)
        if len(words) < len(self.comparators):
            matches |= kind == "mixed"
        return is_designed & matches

    def is_searched_by(self, searches: pd.DataFrame) -> pd.Series:
        """Tell which searches named the comparator, if the topic names one rather than a kind."""
        queries, words = searches["query"].str.lower(), self._comparator_words
        is_named = pd.Series(not words, index=searches.index)
        for word in words:
            is_named |= queries.str.contains(word, regex=False)
        return is_named

    @property
    def _comparator_words(self) -> list[str]:
        return [word.lower() for word in self.comparators if word not in schema.COMPARATOR_KINDS]


@dataclass(frozen=True)
class Unknown(Displayable):
    """One unknown in the form of EPICOT+, with what is computed from the evidence on it.

    Attributes
    ----------
    topic : Topic or None
        What it is about; None if it is about a source, or the curators do not say.
    evidence : DataFrame
        The rows that address it; `address` is its own row.
    k, n, animals, randomised : int
        Studies, participants, animals and randomised studies.
    longest_follow_up : float
        In days; NaN if there is no evidence.
    best : Certainty or None
        The most certain body of evidence; `conclusion` compares its CI with no effect and the
        minimal important difference.
    high_risk : float
        Proportion of studies at high risk of bias or not randomised.
    any_blinded : bool
        Whether a study used an active placebo or an indistinguishable treatment.
    coverage : Coverage
        The known studies on the topic, tabulated or not, and the searches for it.
    readings : DataFrame
        What was read of the studies without a tabulated result, as in `readings.csv`.
    codes : dict
        For each of Robinson's reasons the rule that applies.
    computed_status, curated_status : str
        The status by rule and the curators', which takes precedence, with `status_reason`.
    """

    name: str
    question: str
    address: str
    why_open: str
    claims: tuple[str, ...]
    evidence: pd.DataFrame = field(repr=False)
    k: int
    n: int
    animals: int
    randomised: int
    longest_follow_up: float
    best: Certainty | None
    conclusion: str
    high_risk: float
    any_blinded: bool
    codes: dict[str, str]
    computed_status: str
    required_trial: RequiredTrial
    origin: str
    coverage: Coverage = field(repr=False)
    readings: pd.DataFrame = field(repr=False)
    topic: Topic | None = None
    population: str = ""
    intervention: str = ""
    comparison: str = ""
    outcome: str = ""
    follow_up: str = ""
    asked_on: str = ""
    section: str = ""
    curated_status: str = ""
    status_reason: str = ""
    last_searched: str = ""
    review_due: str = ""

    @property
    def status(self) -> str:
        """Open, narrowed or settled."""
        return self.curated_status or self.computed_status

    @property
    def designs(self) -> dict[str, int]:
        """The number of studies with each design, the most frequent first."""
        return dict(self.evidence.drop_duplicates("study")["design"].value_counts())

    @property
    def state(self) -> str:
        """What is known about its answer, as in `coverage.State`; empty for sources."""
        return "" if self.origin == "source" else str(self.coverage.state)

    @property
    def unread(self) -> int:
        """How many known studies may have measured it and were not read in full."""
        return len(self.coverage.unread)

    @property
    def known(self) -> int:
        """How many known studies measured it or may have: tabulated or unread."""
        return len(self.coverage.tabulated) + self.unread

    @property
    def labels(self) -> list[str]:
        """The studies that address it."""
        return list(self.evidence["label"].unique())

    @property
    def addresses(self) -> str:
        """Its own row, the evidence, and the known studies, readings and searches of its coverage."""
        parts = [*self.address.split(), *self.evidence["address"], *self.readings["address"]]
        return " ".join(
            dict.fromkeys([*parts, *(self.coverage.addresses if self.coverage else ())])
        )


@as_listing
@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def find_unknowns(dataset: Dataset) -> list[Unknown]:
    """Return all unknowns, the most important first; see `unknowns_of_results`."""
    return unknowns_of_results(dataset, select_results(dataset))


def unknowns_of_results(dataset: Dataset, results: pd.DataFrame) -> list[Unknown]:
    """Return the unknowns that remain with these results.

    Open ones come before narrowed and settled ones; of these, first those with more claims, then
    those that a search confirmed, as no known study of them is unread, then those with fewer
    participants.
    """
    rows = evidence_rows(results)
    comparative = {row["address"]: row for row in comparative_rows(rows)}
    evidence = _Evidence(dataset, rows[EVIDENCE_COLUMNS], study_sizes(dataset), comparative)
    unknowns = [*_listed(evidence), *_derived(evidence, results), *_about_sources(evidence)]

    def importance(unknown: Unknown) -> tuple:
        status = schema.UNKNOWN_STATUSES.index(unknown.status)
        is_confirmed = len(unknown.coverage.searches) > 0 and not unknown.unread
        return status, -len(unknown.claims), not is_confirmed, unknown.n, unknown.name

    return sorted(unknowns, key=importance)


def select_unknowns(
    unknowns: Iterable[Unknown],
    *,
    participants: int | None = None,
    condition: str = "",
    treatment: str = "",
    outcome: str = "",
    status: str = "",
) -> list[Unknown]:
    """Return the unknowns about something, in their order.

    Raise `ParameterError` if no unknown is about such a condition, treatment or outcome.

    Parameters
    ----------
    participants : int, optional
        Only those that at most this many tabulated participants speak to.
    condition, treatment, outcome : str, optional
        Words of the data, in any capitals; empty takes every one.
    status : {"", "open", "narrowed", "settled"}, optional
        Empty takes every status.
    """
    selected = list(unknowns)
    for name, word in (("condition", condition), ("treatment", treatment), ("outcome", outcome)):
        if word:
            words = {entry.name: getattr(entry.topic, f"{name}s", ()) for entry in selected}
            known = sorted(set(chain(*words.values())))
            (spelt,) = spell_as(known, [word])
            require_known(name, [spelt], known)
            selected = [entry for entry in selected if spelt in words[entry.name]]
    if participants is not None:
        selected = [entry for entry in selected if entry.n <= participants]
    return [entry for entry in selected if status in ("", entry.status)]


@dataclass(frozen=True)
class _Evidence:
    """The evidence, its participants by study, and its comparative rows by address."""

    dataset: Dataset
    rows: pd.DataFrame
    sizes: Mapping[str, StudySize]
    comparative: Mapping[str, dict]


def _listed(evidence: _Evidence) -> Iterator[Unknown]:
    columns = ("question", "population", "intervention", "comparison", "outcome", "asked_on",
               "section", "why_open", "claims", "address", "status_reason", "last_searched",
               "review_due")  # fmt: skip
    for row in evidence.dataset.listed_unknowns.itertuples():
        yield _unknown(
            evidence,
            filter_rows(row.where, evidence.rows),
            origin="listed",
            name=row.unknown,
            curated_status=row.status,
            topic=_listed_topic(row),
            follow_up_days=_earliest_day(row.where),
            **{column: getattr(row, column) for column in columns},
        )


def _listed_topic(row: Any) -> Topic | None:
    """Return what a row of `unknowns.csv` says on its topic; None if it says nothing."""
    words = row.conditions, row.treatments, row.comparators, row.outcomes
    if not any(words):
        return None
    return Topic(*words, from_days=float(np.nan_to_num(row.from_days)))


def _earliest_day(query: str) -> float:
    """Return the day from which on a query selects results; NaN if it does not say."""
    days = [
        float(predicate.values[0])
        for predicate in parse_query(query)
        if predicate.column == "days" and predicate.comparison in (">", ">=")
    ]
    return max(days, default=np.nan) or np.nan


@dataclass(frozen=True)
class _ClaimedQuestion:
    """A question that claims raise, the trials on it, and the comparators that too few have."""

    name: str
    topic: Topic
    band: str
    claims: tuple[Any, ...]
    trials: pd.DataFrame
    missing: tuple[str, ...]


def _derived(evidence: _Evidence, results: pd.DataFrame) -> Iterator[Unknown]:
    """Yield cells that claims are about and that at most one trial measured."""
    for question in _claimed_questions(evidence.dataset, evidence.rows, results):
        if not question.missing:
            continue
        (condition,), (treatment,) = question.topic.conditions, question.topic.treatments
        (outcome,), band = question.topic.outcomes, question.band
        comparison = f"an {' or an '.join(question.missing)} comparator"
        trials, claims = question.trials, question.claims
        yield _unknown(
            evidence,
            trials[trials["comparator_kind"].isin(question.missing)],
            origin="derived",
            name=question.name,
            topic=question.topic,
            question=f"What is the effect of {treatment} on {outcome} {band}, against "
            f"{comparison}?",
            population=f"people with {condition}",
            intervention=treatment,
            comparison=comparison,
            outcome=outcome,
            follow_up=band,
            section=claims[0].section,
            claims=tuple(dict.fromkeys(claim.claim for claim in claims)),
            why_open="",
            address=" ".join(claim.address for claim in claims),
            follow_up_days=FOLLOW_UP_BANDS[band][-1],
        )


@selection
def answered_questions(dataset: Dataset) -> set[str]:
    """Return the names of the questions of claims that two trials or more address."""
    results = select_results(dataset)
    questions = _claimed_questions(dataset, evidence_rows(results), results)
    return {question.name for question in questions if not question.missing}


def _claimed_questions(
    dataset: Dataset, rows: pd.DataFrame, results: pd.DataFrame
) -> Iterator[_ClaimedQuestion]:
    """Yield condition, treatment, outcome and time of each claim, from its earliest time on."""
    trials = rows[rows["randomised"] == "yes"]
    trials_by_cell = dict(list(trials.groupby(CELL_COLUMNS, sort=False)))
    for cell, claims_and_days in _claimed_cells(dataset, results).items():
        earliest = min(days for _, days in claims_and_days)
        in_cell = trials_by_cell.get(cell, trials.iloc[:0])
        for band, (after, until, _) in FOLLOW_UP_BANDS.items():
            if earliest > until:
                continue
            first_day = float(np.nextafter(after, np.inf))
            in_band = in_cell[in_cell["days"].between(first_day, until)]
            trial_counts = in_band.groupby("comparator_kind")["study"].nunique()
            missing = tuple(kind for kind in COMPARATOR_KINDS if trial_counts.get(kind, 0) < 2)
            condition, treatment, outcome = ((word,) for word in cell)
            yield _ClaimedQuestion(
                "/".join((*cell, band)),
                Topic(
                    condition, treatment, missing, outcome, first_day, until, only_randomised=True
                ),
                band,
                tuple(claim for claim, _ in claims_and_days),
                in_band,
                missing,
            )


def _claimed_cells(dataset: Dataset, results: pd.DataFrame) -> dict[tuple, list[tuple]]:
    """Return condition, treatment and outcome of each claim on an effect.

    For each cell the claims, each with the day from which on it asks. Who took part and what was
    compared is a matter of the claim's studies, not of their results on this outcome: an unknown
    must not disappear because its last result was removed.
    """
    kinds = dict(zip(dataset.outcomes["outcome"], dataset.outcomes["kind"], strict=True))
    is_effect = results["measure"].isin(EFFECT_MEASURES)
    unsized = set(results["outcome"]) - set(results.loc[is_effect, "outcome"])
    compared = results[
        (results["treatment"] != "") & ~results["comparator_kind"].isin(["", "none"])
    ]
    cells: dict[tuple, list[tuple]] = {}
    for claim in dataset.guide_claims.itertuples():
        if kinds.get(claim.outcome) not in OUTCOME_KINDS or claim.outcome in unsized:
            continue
        for study in claim.studies:
            days = _earliest_day_claimed(results, study, claim.outcome)
            rows = compared.loc[compared["study"] == study, CELL_COLUMNS[:2]].drop_duplicates()
            for group in rows.itertuples(index=False):
                cells.setdefault((*group, claim.outcome), []).append((claim, days))
    return cells


def _earliest_day_claimed(results: pd.DataFrame, study: str, outcome: str) -> float:
    """Return the earliest time that the guide gives, else that of any result; 0 without one."""
    rows = results[results["outcome"] == outcome]
    said = rows.loc[rows["is_guide"] & (rows["study"] == study), "days"]
    return float(np.nan_to_num(said.min() if said.notna().any() else rows["days"].min()))


def _about_sources(evidence: _Evidence) -> Iterator[Unknown]:
    """Yield references and claims whose source nobody could identify."""
    claims, guide = evidence.dataset.guide_claims, evidence.dataset.guide
    references = [{ref.strip() for ref in cell.split(";")} for cell in claims["guide_refs"]]
    best_matches = guide.drop_duplicates("guide_ref")
    for row in best_matches[best_matches["status"] == "unresolved"].itertuples():
        cites = [row.guide_ref in cited for cited in references]
        yield _unknown(
            evidence,
            evidence.rows.iloc[:0],
            origin="source",
            name=f"source/{row.guide_ref}",
            question=f"Where does it come from: {row.passage}?",
            claims=tuple(claims.loc[cites, "claim"]),
            why_open=row.reason,
            address=row.address,
        )
    uncheckable = claims[(claims["verdict"] == NOT_CHECKABLE) & (claims["guide_refs"] == "")]
    for row in uncheckable.itertuples():
        yield _unknown(
            evidence,
            evidence.rows.iloc[:0],
            origin="source",
            name=f"source/{row.claim}",
            question=f"Where does it come from: {row.statement}?",
            section=row.section,
            claims=(row.claim,),
            why_open=row.reason,
            address=row.address,
            last_searched=row.last_searched,
            review_due=row.review_due,
        )


def _coverage(evidence: _Evidence, rows: pd.DataFrame, topic: Topic | None) -> Coverage:
    """Return the coverage of an unknown with this evidence; nothing else is known without a topic."""
    known, searches = known_studies(evidence.dataset), evidence.dataset.searches.iloc[:0]
    cohort = rows["study"].map(lambda study: evidence.sizes[study].cohort)
    is_evidence = known["study"].isin(cohort)
    is_reported = known["study"].isin(cohort[rows["reported_by"].isin(OWN_REPORTS)])
    studies = {
        "reported": known[is_reported],
        "second_hand": known[is_evidence & ~is_reported],
        "unread": known.iloc[:0],
        "not_reported": known.iloc[:0],
    }
    if topic is not None:
        found = find_coverage(
            evidence.dataset,
            conditions=topic.conditions,
            treatments=topic.treatments,
            outcomes=topic.outcomes,
            from_days=topic.from_days,
            to_days=topic.to_days,
        )
        searches = found.searches[topic.is_searched_by(found.searches)]
        for part, silent in (("unread", found.unread), ("not_reported", found.not_reported)):
            is_listed = topic.may_include(silent) & ~silent["study"].isin(cohort)
            studies[part] = silent[is_listed]
    states = (State.REPORTED, State.SECOND_HAND, State.NOT_READ, State.NOT_REPORTED)
    state = State.NOT_FOUND if len(searches) else State.NOT_SEARCHED
    for part, state_of_part in reversed([*zip(studies.values(), states, strict=True)]):
        state = state_of_part if len(part) else state
    return Coverage(state, **studies, searches=searches)


def _readings(dataset: Dataset, coverage: Coverage) -> pd.DataFrame:
    """Return what was read of the studies without a tabulated result."""
    readings = dataset.readings
    studies = pd.concat([coverage.unread, coverage.not_reported])["known_study"]
    return readings[readings["source"].isin(studies)]


def _unknown(
    evidence: _Evidence,
    rows: pd.DataFrame,
    *,
    topic: Topic | None = None,
    follow_up_days: float = np.nan,
    **fields,
) -> Unknown:
    """Return an unknown with what is computed from the rows that address it."""
    dataset = evidence.dataset
    size = count_subjects(evidence.sizes, rows)
    is_comparative = rows["address"].isin(list(evidence.comparative))
    comparative = [evidence.comparative[row] for row in rows.loc[is_comparative, "address"]]
    bodies = bodies_for(dataset, comparative, times=BODY_TIMES)
    certainties = [grade_certainty(dataset, body) for body in bodies]
    best = max(certainties, key=_certainty_order, default=None)
    studies = set(rows["study"])
    randomised = set(rows.loc[rows["randomised"] == "yes", "study"])
    appraisals = applicable_appraisals(dataset, "", list(studies))
    at_high_risk = {key for key, entry in appraisals.items() if entry.level in ("high", "critical")}
    at_high_risk |= set(rows.loc[rows["randomised"] != "yes", "study"])
    high_risk = len(at_high_risk) / len(studies) if studies else np.nan
    any_blinded = bool(rows["blinding"].isin(EFFECTIVE_BLINDING).any())
    coverage = _coverage(evidence, rows, topic)
    return Unknown(
        evidence=rows,
        k=size.studies,
        n=size.participants,
        animals=size.animals,
        randomised=len(randomised),
        longest_follow_up=float(rows["days"].max()) if len(rows) else np.nan,
        best=best,
        conclusion=conclusion(dataset, best.body) if best else "",
        high_risk=high_risk,
        any_blinded=any_blinded,
        codes=dict(_codes(size.studies, best, high_risk, any_blinded)),
        computed_status=_computed_status(size, len(randomised), best, coverage),
        coverage=coverage,
        readings=_readings(dataset, coverage),
        topic=topic,
        required_trial=required_trial(dataset, best, fields.get("outcome", ""), follow_up_days),
        **fields,
    )


def _certainty_order(certainty: Certainty) -> tuple:
    level = certainty.decided or certainty.suggested
    return LEVELS.index(level), certainty.body.participants, len(certainty.body.studies)


def _codes(
    k: int, best: Certainty | None, high_risk: float, any_blinded: bool
) -> Iterator[tuple[str, str]]:
    """Yield Robinson's reasons that apply, each with the rule."""
    domains = {rating.domain: rating for rating in best.domains} if best else {}
    if k == 0:
        yield "A", "no result on it is tabulated"
    elif best is None:
        yield "A", "no tabulated result gives an effect estimate against a comparator"
    elif domains["imprecision"].levels_down:
        yield "A", domains["imprecision"].reason
    if k and high_risk >= MAJORITY:
        yield "B", "at least half of the studies are at high risk of bias or not randomised"
    if k == 1:
        yield "C", "a single study cannot show consistency"
    elif best and domains["inconsistency"].levels_down:
        yield "C", domains["inconsistency"].reason
    if k and not any_blinded:
        yield "D", "no tabulated study blinded its participants effectively"
    elif best and domains["indirectness"].levels_down:
        yield "D", domains["indirectness"].reason


def _computed_status(
    size: SubjectCount, randomised: int, best: Certainty | None, coverage: Coverage
) -> str:
    """Settled: several studies, at least moderate, precise. Narrowed: two trials, not very low.

    Results that are known to exist and were not read could still change the answer: as long as
    their trials are not smaller than those with results, taken together, it is not settled.
    """
    if best is None:
        return "open"
    level = LEVELS.index(best.decided or best.suggested)
    imprecision = next(rating for rating in best.domains if rating.domain == "imprecision")
    is_precise = level >= LEVELS.index("moderate") and not imprecision.levels_down
    if (
        is_precise
        and len(best.body.studies) > 1
        and not _may_be_overturned(size.participants, coverage)
    ):
        return "settled"
    return "narrowed" if randomised > 1 and level > 0 else "open"


def _may_be_overturned(participants: int, coverage: Coverage) -> bool:
    """Tell whether unread randomised trials have as many participants, or nobody knows how many."""
    unread = coverage.unread.loc[coverage.unread["is_randomised"], "n"]
    return len(unread) > 0 and (bool(unread.isna().any()) or int(unread.sum()) >= participants)
