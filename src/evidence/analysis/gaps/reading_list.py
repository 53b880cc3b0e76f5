"""List what a person with access to the sources should look up, the most valuable first.

Vocabulary
----------
A *wanted result* is one result that a source probably prints and that nobody here has read. It is
either listed in `wanted_results.csv` or derived from the other tables; `KINDS` says how. It leaves
the list by itself as soon as a confirmed result in `studies.csv` answers it.

Sources are ranked by these, in this order: whether the index page opens with their study
(`display_order` in `designs.csv`), whether a primary outcome is wanted of them, the number of
claims and unknowns that their wanted results bear on, and the participants of their study. The
wanted results of one source are ranked in the same way.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

import pandas as pd

from evidence.analysis.eligible_evidence import StudySize, study_sizes
from evidence.analysis.gaps.coverage import OWN_REPORTS
from evidence.analysis.gaps.primary_outcomes import (
    UNSIZED,
    find_primary_outcomes,
    may_coincide,
    rows_by_study,
    span_in_days,
)
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import Displayable, as_listing
from evidence.dataset.readings import FULL_TEXT
from evidence.dataset.row_filter import filter_rows
from evidence.provenance.sentence import at_time, join_words

KINDS = {
    "listed": "listed by the curators",
    "unconfirmed": "entered but not confirmed at its source",
    "no size": "only direction or significance was read",
    "primary outcome": "primary outcome without a result",
    "primary outcome not stated": "no text that was read names the primary outcome",
    "known study": "known study without any result",
}
"""Why a result is wanted."""
MATCHED = ["study", "arm", "versus", "outcome"]


@dataclass(frozen=True)
class WantedResult(Displayable):
    """One result to look up; what is not known about it is blank.

    Attributes
    ----------
    source, label : str
        BibTeX key and short name of the text to read; for a known study without one its own.
    link : str
        The most lasting address of the text, or a registration.
    part : str
        Where in that text the result is likely to be.
    kind, reason : str
        A word of `KINDS`, and why the result is wanted.
    rows : tuple of str
        The rows that ask for it.
    condition : str
        The conditions of its study, separated by semicolons.
    claims, unknowns : tuple of str
        The claims and unknowns that it bears on.
    is_featured : bool
        Whether the index page opens with its study.
    is_primary : bool
        Whether it is about a primary outcome.
    """

    study: str
    label: str
    source: str
    link: str
    part: str
    kind: str
    reason: str
    rows: tuple[str, ...]
    arm: str = ""
    versus: str = ""
    outcome: str = ""
    instrument: str = ""
    definition: str = ""
    time: str = ""
    time_unit: str = ""
    measure: str = ""
    condition: str = ""
    participants: int = 0
    claims: tuple[str, ...] = ()
    unknowns: tuple[str, ...] = ()
    is_featured: bool = False
    is_primary: bool = False

    @property
    def days(self) -> tuple[float, float]:
        """Start and end of its time in days; NaN if it is not known."""
        return span_in_days(self.time, self.time_unit)

    @property
    def description(self) -> str:
        """The result in words: arm against arm, outcome, instrument, time and measure."""
        if self.kind == "primary outcome not stated":
            return "which outcome was primary, when, and its result"
        arms = f"{self.arm} against {self.versus}" if self.versus else self.arm
        outcome = f"{self.outcome} ({self.instrument})" if self.instrument else self.outcome
        when = at_time(self.time, self.time_unit)
        described = ": ".join(filter(None, [arms, f"{outcome}{when}"]))
        return ", ".join(filter(None, [described, self.measure])) or "all results"


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def find_wanted_results(dataset: Dataset) -> list[WantedResult]:
    """Return all wanted results by source, the most valuable source and result first."""
    results = select_results(dataset)
    incomplete = results[~results["confirmed"] | results["measure"].isin(schema.UNSIZED_MEASURES)]
    primary = [entry.study for entry in find_primary_outcomes(dataset) if entry.status == "missing"]
    is_asked = results["study"].isin([*incomplete["study"], *primary]) & ~results["is_guide"]
    is_primary_study = results["design"].isin(["", *schema.PRIMARY_DESIGNS])
    rows = rows_by_study(results[is_asked])
    own_rows = rows_by_study(results[is_asked & is_primary_study])
    listed = list(_listed(dataset))
    derived = [
        *_unconfirmed(dataset, rows),
        *_without_size(dataset, own_rows),
        *_primary(dataset, rows),
    ]
    wanted = [*listed, *_not_covered(derived, listed), *_known_studies(dataset)]
    bearing = _Bearing(dataset, results)
    wanted = [bearing.complete(entry) for entry in wanted]
    by_source = group_by_source(wanted)
    order = sorted(by_source, key=lambda source: (_rank(by_source[source]), source))
    return [
        entry
        for source in order
        for entry in sorted(by_source[source], key=lambda entry: _rank([entry]))
    ]


@as_listing
def reading_list(
    dataset: Dataset, results: pd.DataFrame, *, outcomes: Sequence[str] = ()
) -> list[WantedResult]:
    """Return the wanted results of a report, the most valuable source and result first.

    Parameters
    ----------
    results : DataFrame
        The rows of the report: their studies, and known studies of their conditions, are kept.
    outcomes : sequence of str
        Outcomes to keep, besides entries that name none; by default all.
    """
    studies, conditions = set(results["study"]), set(results["condition"])
    return [
        entry
        for entry in find_wanted_results(dataset)
        if (
            entry.study in studies
            or (entry.kind == "known study" and entry.condition in conditions)
        )
        and (not outcomes or not entry.outcome or set(entry.outcome.split("; ")) & {*outcomes})
    ]


def group_by_source(wanted: Iterable[WantedResult]) -> dict[str, list[WantedResult]]:
    """Return wanted results by their source, in the order in which the sources occur."""
    groups: dict[str, list[WantedResult]] = {}
    for entry in wanted:
        groups.setdefault(entry.source, []).append(entry)
    return groups


def _rank(wanted: Sequence[WantedResult]) -> tuple:
    """Return the sort key of some wanted results; the smallest is the most valuable."""
    topics = {name for entry in wanted for name in (*entry.claims, *entry.unknowns)}
    return (
        not any(entry.is_featured for entry in wanted),
        not any(entry.is_primary for entry in wanted),
        -len(topics),
        -max(entry.participants for entry in wanted),
    )


def answering_rows(dataset: Dataset) -> dict[str, str]:
    """Return, for each row of `wanted_results.csv` that is answered, the address of the answer."""
    wanted = dataset.wanted_results
    results = select_results(dataset, with_repeats=True)
    is_answer = results["confirmed"] & ~results["is_guide"] & results["study"].isin(wanted["study"])
    rows = rows_by_study(results[is_answer])
    answers = {
        entry.address: next((row.address for row in rows[entry.study] if _answers(row, entry)), "")
        for entry in wanted.itertuples()
    }
    return {address: answer for address, answer in answers.items() if answer}


def _answers(row: Any, wanted: Any) -> bool:
    """Tell whether a confirmed result is what a row of `wanted_results.csv` asks for."""
    if any(getattr(row, name) != getattr(wanted, name) for name in (*MATCHED, "measure")):
        return False
    if row.reported_by not in OWN_REPORTS and row.source != wanted.source:
        return False
    if wanted.instrument and row.instrument != wanted.instrument:
        return False
    spans = zip(
        *(span_in_days(entry.time, entry.time_unit) for entry in (row, wanted)), strict=True
    )
    return not wanted.time or all(math.isclose(own, other) for own, other in spans)


def _listed(dataset: Dataset) -> Iterator[WantedResult]:
    answered = answering_rows(dataset)
    for row in dataset.wanted_results.itertuples():
        if row.address not in answered:
            yield _wanted(dataset, row, row.source, row.part, "listed", row.reason)


def _unconfirmed(dataset: Dataset, rows: Mapping[str, list[Any]]) -> Iterator[WantedResult]:
    for row in chain.from_iterable(rows.values()):
        if not row.confirmed:
            reason = f"not confirmed: {row.verified}"
            yield _wanted(dataset, row, row.source, row.locator, "unconfirmed", reason)


def _without_size(dataset: Dataset, rows: Mapping[str, list[Any]]) -> Iterator[WantedResult]:
    """Yield findings without size of studies whose full text nobody has read."""
    readings = dataset.readings
    read = set(readings.loc[readings["kind"] == FULL_TEXT, "source"])
    for study in rows:
        if study in read:
            continue
        confirmed = [row for row in rows[study] if row.confirmed]
        by_outcome = defaultdict(list)
        for row in confirmed:
            if row.measure not in UNSIZED:
                by_outcome[row.outcome].append(row)
        for row in confirmed:
            sized = by_outcome[row.outcome]
            if row.measure in schema.UNSIZED_MEASURES and not _has_size(sized, row):
                place = f"{dataset.label(row.source)}, {row.locator}"
                reason = f"only its {row.measure} was read, in {place}"
                yield _wanted(
                    dataset,
                    row,
                    study,
                    FULL_TEXT,
                    "no size",
                    reason,
                    measure=_usual_measure(sized, row),
                )


def _has_size(sized: Iterable[Any], row: Any) -> bool:
    """Tell whether the size of a contrast is printed, or follows from both of its arms.

    `sized` are rows of the same study and outcome.
    """
    span = span_in_days(row.time, row.time_unit)
    pairs = {
        (other.arm, other.versus)
        for other in sized
        if may_coincide(span_in_days(other.time, other.time_unit), span)
    }
    return (row.arm, row.versus) in pairs or {(row.arm, ""), (row.versus, "")} <= pairs


def _usual_measure(sized: Iterable[Any], row: Any) -> str:
    """Return the measure that the study most often reports such an outcome in; empty if none."""
    measures = Counter(other.measure for other in sized if other.role == row.role)
    return max(measures, key=measures.__getitem__, default="")


def _primary(dataset: Dataset, rows: Mapping[str, list[Any]]) -> Iterator[WantedResult]:
    """Yield primary outcomes without a result, for each contrast of their trial that is known."""
    for entry in find_primary_outcomes(dataset):
        fields = {
            "outcome": entry.outcome,
            "instrument": entry.instrument,
            "time": entry.time,
            "time_unit": entry.time_unit,
            "is_primary": True,
        }
        if entry.status == "missing":
            reason = f"primary outcome, as stated in {_place(dataset, entry)}; no result yet"
            arms = {(row.arm, row.versus) for row in rows.get(entry.study, ()) if row.versus}
            for arm, versus in sorted(arms) or [("", "")]:
                yield _wanted(
                    dataset, entry, entry.study, FULL_TEXT, "primary outcome", reason,
                    arm=arm, versus=versus, **fields,
                )  # fmt: skip
        elif entry.status == "not stated":
            reason = "no text that was read names it"
            kind = "primary outcome not stated"
            yield _wanted(dataset, entry, entry.study, "methods", kind, reason, **fields)


def _place(dataset: Dataset, entry: Any) -> str:
    if not entry.source:
        return schema.DESIGNS.file
    return ", ".join(filter(None, [dataset.label(entry.source), entry.locator]))


def _known_studies(dataset: Dataset) -> Iterator[WantedResult]:
    for row in dataset.known_studies.itertuples():
        if row.status == "wanted":
            listed_by = join_words(dataset.label(key) for key in row.listed_by)
            doi = f"https://doi.org/{row.doi}" if row.doi else ""
            reference = dataset.bibliography.get(row.known_study)
            yield WantedResult(
                study=row.known_study,
                label=row.label,
                source=row.known_study,
                link=doi or (reference.link if reference else "") or row.registration,
                part=FULL_TEXT,
                kind="known study",
                reason=f"known from {listed_by}; no result is tabulated",
                rows=(row.address,),
                outcome="; ".join(row.outcomes),
                participants=0 if pd.isna(row.n_randomised) else int(row.n_randomised),
            )


def _wanted(
    dataset: Dataset, row: Any, source: str, part: str, kind: str, reason: str, **fields
) -> WantedResult:
    """Return the wanted result of a row that has the cells of `wanted_results.csv`."""
    names = ("arm", "versus", "outcome", "instrument", "definition", "time", "time_unit", "measure")
    cells: dict[str, Any] = {name: getattr(row, name, "") for name in names} | fields
    reference = dataset.bibliography[source]
    return WantedResult(
        study=row.study,
        label=dataset.label(source),
        source=source,
        link=reference.link,
        part=part,
        kind=kind,
        reason=reason,
        rows=(row.address,),
        **cells,
    )


def _not_covered(
    derived: Iterable[WantedResult], listed: Sequence[WantedResult]
) -> Iterator[WantedResult]:
    """Yield derived entries on results that no entry before them asks for."""
    asked: dict[tuple[str, str], list[WantedResult]] = defaultdict(list)
    for entry in listed:
        asked[entry.study, entry.outcome].append(entry)
    for entry in derived:
        same_outcome = asked[entry.study, entry.outcome]
        if not any(_covers(other, entry) for other in same_outcome):
            same_outcome.append(entry)
            yield entry


def _covers(entry: WantedResult, other: WantedResult) -> bool:
    """Tell whether looking up one entry also answers another one on the same outcome."""
    if other.arm and (entry.arm, entry.versus) != (other.arm, other.versus):
        return False
    if other.kind == "unconfirmed" and entry.measure != other.measure:
        return False
    return may_coincide(entry.days, other.days)


class _Bearing:
    """Finds the claims and unknowns that a wanted result bears on, and the size of its study."""

    def __init__(self, dataset: Dataset, results: pd.DataFrame):
        self._claims = list(dataset.guide_claims.itertuples())
        self._unknowns = list(dataset.listed_unknowns.itertuples())
        self._sizes = study_sizes(dataset)
        self._known = {row.known_study: row for row in dataset.known_studies.itertuples()}
        designs = dataset.designs
        self._featured = set(designs.loc[designs["display_order"].notna(), "study"])
        self._primary = {(entry.study, entry.outcome) for entry in find_primary_outcomes(dataset)}
        self._topics = {
            name: results.groupby("study")[name].agg(set).to_dict()
            for name in ("condition", "treatment")
        }
        cells = ["study", "outcome"]
        self._addressed = {
            row.unknown: set(
                filter_rows(row.where, results, cells).itertuples(index=False, name=None)
            )
            for row in self._unknowns
        }

    def complete(self, entry: WantedResult) -> WantedResult:
        """Return the entry with what ranks it."""
        size = self._sizes.get(entry.study, StudySize(entry.study, entry.participants))
        topic = self._topic(entry)
        return replace(
            entry,
            condition="; ".join(sorted(topic[0])),
            participants=0 if size.is_animal else size.n,
            claims=tuple(
                row.claim
                for row in self._claims
                if entry.study in row.studies and row.outcome in ("", entry.outcome)
            ),
            unknowns=tuple(
                row.unknown for row in self._unknowns if self._answers(row, entry, *topic)
            ),
            is_featured=entry.study in self._featured,
            is_primary=entry.is_primary or (entry.study, entry.outcome) in self._primary,
        )

    def _topic(self, entry: WantedResult) -> tuple[set[str], set[str], float]:
        """Return conditions, treatments, and the time in days; NaN if it is not known."""
        if entry.kind == "known study":
            row = self._known[entry.study]
            days = row.followup * schema.TIME_UNITS.get(row.followup_unit, math.nan)
            return {row.condition}, {row.treatment}, days
        conditions, treatments = (
            topics.get(entry.study, set()) for topics in self._topics.values()
        )
        return conditions, treatments, entry.days[1]

    def _answers(
        self,
        unknown: Any,
        entry: WantedResult,
        conditions: set[str],
        treatments: set[str],
        days: float,
    ) -> bool:
        """Tell whether an unknown is about a result: by its rows, or by topic and time."""
        if (entry.study, entry.outcome) in self._addressed[unknown.unknown]:
            return True
        if not (unknown.conditions or unknown.treatments or unknown.outcomes):
            return False
        asked = (
            (unknown.conditions, conditions),
            (unknown.treatments, treatments),
            (unknown.outcomes, set(entry.outcome.split("; "))),
        )
        is_on_topic = all(not words or topic.intersection(words) for words, topic in asked)
        return is_on_topic and not days < unknown.from_days
