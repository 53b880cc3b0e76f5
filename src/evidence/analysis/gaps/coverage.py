"""Tell apart why there is no result: not reported, not read, not found, or not searched.

Vocabulary
----------
A *known study* is known to exist: the curators list it, or its results or design are tabulated. It
*may have measured* what is asked if its condition, treatment and comparator match, and if its
outcomes and its follow-up include what is asked or are not known; lists of outcomes seldom name
harms, so every such study may have measured a harm. *Coverage* is the proportion of the studies
that measured it, or may have, whose result is tabulated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.doses import in_usual_units
from evidence.analysis.eligible_evidence import cohorts, study_sizes
from evidence.analysis.results import last_assessments, select_results
from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import Displayable
from evidence.dataset.notebook_display import Frame
from evidence.dataset.validation import split_keys

KNOWN_COLUMNS = [
    "known_study", "label", "study", "condition", "treatment", "comparator", "comparator_kind",
    "design", "n", "outcomes", "days", "status", "is_randomised", "address",
]  # fmt: skip
COUNT_COLUMNS = [
    "state", "reported", "second_hand", "unread", "not_reported", "of_unknown_dose", "fraction",
    "unread_studies", "last_search", "address",
]  # fmt: skip
ANY: dict[str, Any] = {
    "conditions": (), "treatments": (), "comparators": (), "outcomes": (), "doses": (),
    "from_days": 0.0, "to_days": np.inf,
}  # fmt: skip
"""The question that asks for anything."""
OWN_REPORTS = ("publication", "registry")
"""Kinds of text in which a study reports its own results; every other text is second-hand."""


class State(StrEnum):
    """What is known about a result, from the strongest state to the weakest."""

    REPORTED = "reported"
    SECOND_HAND = "second-hand"
    NOT_REPORTED = "not reported"
    NOT_READ = "not read"
    NOT_FOUND = "not found"
    NOT_SEARCHED = "not searched"


@dataclass(frozen=True)
class Coverage(Displayable):
    """How much of what is known to exist on one question is tabulated.

    Each frame of studies has the columns of `known_studies`.

    Attributes
    ----------
    reported, second_hand : DataFrame
        Studies with a confirmed result: in a text of their own, or only in another text.
    unread : DataFrame
        Studies that may have measured it, without a tabulated result, and of which nobody read a
        part that would hold it.
    not_reported : DataFrame
        Studies of which such a part was read, and the result is not there.
    searches : DataFrame
        The rows of `searches.csv` that looked for it.
    """

    state: State
    reported: pd.DataFrame = field(repr=False)
    second_hand: pd.DataFrame = field(repr=False)
    unread: pd.DataFrame = field(repr=False)
    not_reported: pd.DataFrame = field(repr=False)
    searches: pd.DataFrame = field(repr=False)

    @property
    def tabulated(self) -> pd.DataFrame:
        """The studies with a confirmed result, in whichever text."""
        return pd.concat([self.reported, self.second_hand])

    @property
    def fraction(self) -> float:
        """Tabulated studies among these and the unread ones; NaN if there are neither.

        Studies that were read and do not report it are left out: nothing remains to be read.
        """
        return _fraction(len(self.tabulated), len(self.unread))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The rows behind it: of studies with and without the result, and of searches."""
        frames = (self.tabulated, self.unread, self.not_reported, self.searches)
        return tuple(address for frame in frames for address in frame["address"])


def dose_labels(results: pd.DataFrame) -> pd.Series:
    """Return dose and route of treated arms in words; empty for comparators or an unknown dose."""
    dose = results["dose"].map("{:g} ".format).astype("str") + results["dose_unit"]
    route = (" " + results["route"]).where(results["route"] != "", "")
    is_treated = (results["dose"] > 0) & (results["role"] != "comparator")
    return (dose + route).where(is_treated, "")


def _fraction(tabulated: int, unread: int) -> float:
    return tabulated / (tabulated + unread) if tabulated + unread else np.nan


def find_coverage(
    dataset: Dataset,
    *,
    conditions: Sequence[str] = (),
    treatments: Sequence[str] = (),
    comparators: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    doses: Sequence[str] = (),
    from_days: float = 0.0,
    to_days: float = np.inf,
    results: pd.DataFrame | None = None,
) -> Coverage:
    """Return what is tabulated, read and searched for one question.

    Parameters
    ----------
    conditions, treatments, comparators, outcomes : sequence of str
        What is asked about; none is any. Comparators are words of `comparator_kind`.
    doses : sequence of str
        Doses with their route, as from `dose_labels`. A study of which no dose is known may have
        given every dose at which its treatment was given.
    from_days, to_days : float
        Time after treatment, both ends included. A result without a time counts only if any time
        is asked for.
    results : DataFrame, optional
        Rows as from `select_results`, in place of all of the dataset.
    """
    question = {
        "conditions": list(conditions),
        "treatments": list(treatments),
        "comparators": list(comparators),
        "outcomes": list(outcomes),
        "doses": list(doses),
        "from_days": float(from_days),
        "to_days": float(to_days),
    }
    if results is None:
        return _coverage(dataset, **question)
    return _Index(dataset, results).coverage(question)


@selection
def _coverage(dataset: Dataset, **question: Any) -> Coverage:
    return _index(dataset).coverage(question)


@selection
def count_coverage(dataset: Dataset, questions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Count what is tabulated, read and searched for many questions, one row each.

    `questions` are arguments of `find_coverage` by name; what one does not name is any.

    Returns
    -------
    DataFrame
        `COUNT_COLUMNS`: `state`; the number of studies in each part of a `Coverage`;
        `of_unknown_dose`, if doses are asked about, the unread studies of which none is known; `fraction`;
        `unread_studies`, their labels separated by semicolons; `last_search`, the date of the last
        search for it; `address`, the rows of all these studies, or if there
        are none of the searches for them.
    """
    index = _index(dataset)
    records = [index.counts(ANY | dict(question)) for question in questions]
    return pd.DataFrame(records, columns=COUNT_COLUMNS)


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def known_studies(dataset: Dataset) -> pd.DataFrame:
    """Return the studies known to exist that are not excluded, each cohort once.

    These are the rows of `known_studies.csv`, and every primary study with results or a design
    that has no row there.

    Returns
    -------
    DataFrame
        `KNOWN_COLUMNS`: `study` is its key if its results are tabulated; `condition` may be
        several, separated by semicolons; `n` participants (randomised, else analysed; NA if not
        known); `outcomes`, all that it measured as far as is known (none: not known, as of every
        tabulated study); `days`, the longest follow-up
        (NaN if not known); `address`, its row in `known_studies.csv`, else in `designs.csv`, else
        its first result.
    """
    listed = dataset.known_studies
    tabulated = _tabulated_studies(dataset)
    records = [
        _listed_study(row, tabulated.pop(row.study or row.known_study, {}))
        for row in listed[listed["status"] != "excluded"].itertuples()
    ]
    # A design without results is no reason to count a study that the curators list otherwise.
    names = {*listed["known_study"], *listed["study"]}
    records += [
        record
        for study, record in tabulated.items()
        if record["status"] == "tabulated" or study not in names
    ]
    frame = Frame(records, columns=KNOWN_COLUMNS)
    return frame.astype({"n": "Int64", "days": float, "is_randomised": bool})


def _tabulated_studies(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Return what the tables say of each primary study that reports participants of its own."""
    results = select_results(dataset)
    primary = results[_is_primary(results["design"])]
    cohort_of = cohorts(dataset)
    by_cohort = primary.groupby(primary["study"].map(cohort_of), sort=False)
    conditions = by_cohort["condition"].agg(lambda words: "; ".join(words.unique()))
    longest, first_rows = by_cohort["days"].max(), by_cohort["address"].first()
    sizes = study_sizes(dataset)
    designs = dataset.designs
    own = designs[_is_primary(designs["design"]) & (designs["cohort"] == "")]
    described = {row.study: row for row in own.itertuples()}
    followed = last_assessments(dataset, list(described))
    records = {}
    for study in dict.fromkeys([*by_cohort.groups, *described]):
        design = described.get(study)
        size = design.n_randomised if design else pd.NA
        if pd.isna(size):
            size = design.n_analysed if design else pd.NA
        if pd.isna(size) and study in sizes:
            size = sizes[study].n or pd.NA
        records[study] = {
            "known_study": study,
            "label": dataset.label(study),
            "study": study if study in first_rows else "",
            "condition": conditions.get(study, ""),
            "treatment": design.treatment if design else "",
            "comparator": design.comparator if design else "",
            "comparator_kind": design.comparator_kind if design else "",
            "design": design.design if design else "",
            "n": size,
            "outcomes": (),
            "days": _follow_up(followed.get(study, np.nan), longest.get(study, np.nan)),
            "status": "tabulated" if study in first_rows else "wanted",
            "is_randomised": design.randomised == "yes" if design else False,
            "address": design.address if design else first_rows[study],
        }
    return records


def _follow_up(stated: float, last_result: float) -> float:
    """Return the longest follow-up; where it is not stated, the study may have gone on longer."""
    return max(stated, last_result) if np.isfinite(last_result) else stated


def _is_primary(design: pd.Series) -> pd.Series:
    """Tell which studies have participants or animals of their own, as far as is known."""
    return design.isin(schema.PRIMARY_DESIGNS) | (design == "")


def _listed_study(row: Any, tabulated: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `known_studies.csv`; what its own tables say of the study comes first."""
    conditions = split_keys(row.condition) + split_keys(tabulated.get("condition", ""))
    days = row.followup * schema.TIME_UNITS.get(row.followup_unit, np.nan)
    return {
        "known_study": row.known_study,
        "label": tabulated.get("label") or row.label,
        "study": row.study,
        "condition": "; ".join(dict.fromkeys(conditions)),
        "treatment": tabulated.get("treatment") or row.treatment,
        "comparator": tabulated.get("comparator") or row.comparator,
        "comparator_kind": tabulated.get("comparator_kind") or row.comparator_kind,
        "design": row.design,
        "n": tabulated.get("n", pd.NA) if pd.isna(row.n_randomised) else row.n_randomised,
        # The list names what is known to be measured. Who tabulated a study from a part of its text
        # knows no more than that it measured at least this.
        "outcomes": () if tabulated else row.outcomes,
        "days": np.fmax(days, tabulated.get("days", np.nan)),
        "status": row.status,
        "is_randomised": row.design.startswith("randomised"),
        "address": row.address,
    }


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _index(dataset: Dataset) -> "_Index":
    return _Index(dataset, select_results(dataset))


class _Index:
    """What is tabulated, read and searched, with a mask for every word that a question may name.

    A map asks hundreds of questions; each combines a few of these masks.
    """

    def __init__(self, dataset: Dataset, results: pd.DataFrame):
        self._known = known = known_studies(dataset)
        self._conditions = _Words(known["condition"].map(split_keys))
        self._treatments = _Words(known["treatment"])
        self._comparators = _Words(known["comparator_kind"])
        self._outcomes = _Words(known["outcomes"])
        kinds = dataset.outcomes.set_index("outcome")["kind"]
        self._harms = frozenset(kinds.index[kinds == "harm"])
        self._is_human = (known["design"].isin([*schema.HUMAN_DESIGNS, ""])).to_numpy()
        self._days = known["days"].to_numpy()
        self._labels, self._addresses = known["label"].to_numpy(), known["address"].to_numpy()

        positions = {study: position for position, study in enumerate(known["study"]) if study}
        sizes = study_sizes(dataset)
        cohort = [sizes[study].cohort if study in sizes else study for study in results["study"]]
        position = np.array([positions.get(study, -1) for study in cohort], int)
        is_counted = results["confirmed"].to_numpy(bool) & (position >= 0)
        rows, self._row_study = results[is_counted], position[is_counted]
        self._row_conditions, self._row_outcomes = map(_Words, (rows["condition"], rows["outcome"]))
        self._row_days = rows["days"].to_numpy()
        doses = dose_labels(in_usual_units(rows, results))
        self._row_doses = _Words(doses)
        doses_by_study = doses.groupby(self._row_study).agg(list)
        self._doses = _Words(doses_by_study.reindex(range(len(known))))
        self._is_own = rows["reported_by"].isin(OWN_REPORTS).to_numpy()
        self._is_guide = rows["is_guide"].to_numpy()

        readings = dataset.readings
        names = known["study"].where(known["study"] != "", known["known_study"])
        is_full = readings["kind"] == "full text"
        self._read_in_full = names.isin(readings.loc[is_full, "source"]).to_numpy()
        absent = readings.groupby("source")["not_reported"].agg("sum")
        self._absent = _Words(names.map(lambda name: absent.get(name, ())))

        self._searches = searches = dataset.searches
        self._search_dates = searches["date"].to_numpy()
        self._search_addresses = searches["address"].to_numpy()
        self._searched = {
            name: _Words(searches[name]) for name in ("conditions", "treatments", "outcomes")
        }

    def coverage(self, question: Mapping[str, Any]) -> Coverage:
        """Return the coverage of one question; see `find_coverage`."""
        state, studies, is_covering = self._masks(**question)
        frames = {part: self._known[mask] for part, mask in studies.items()}
        return Coverage(state, **frames, searches=self._searches[is_covering])

    def counts(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the coverage of one question as a row of `count_coverage`."""
        state, studies, is_covering = self._masks(**question)
        sizes = {part: int(mask.sum()) for part, mask in studies.items()}
        dates = self._search_dates[is_covering]
        of_unknown_dose = studies["unread"] & self._doses.is_blank
        addresses = np.concatenate([self._addresses[mask] for mask in studies.values()])
        if not len(addresses):
            addresses = self._search_addresses[is_covering]
        return {
            "state": state,
            **sizes,
            "of_unknown_dose": int(of_unknown_dose.sum()) if question["doses"] else 0,
            "fraction": _fraction(sizes["reported"] + sizes["second_hand"], sizes["unread"]),
            "unread_studies": "; ".join(self._labels[studies["unread"]]),
            "last_search": max(dates, default=""),
            "address": " ".join(addresses),
        }

    def _masks(
        self,
        *,
        conditions: Sequence[str],
        treatments: Sequence[str],
        comparators: Sequence[str],
        outcomes: Sequence[str],
        doses: Sequence[str],
        from_days: float,
        to_days: float,
    ) -> tuple[State, dict[str, np.ndarray], np.ndarray]:
        """Return the state, which studies are in each part, and which searches cover it."""
        is_asked = self._row_conditions.any_of(conditions) & self._row_outcomes.any_of(outcomes)
        if from_days > 0 or np.isfinite(to_days):
            is_asked &= (self._row_days >= from_days) & (self._row_days <= to_days)
        is_asked &= self._row_doses.any_of(doses)
        is_treated = self._treatments.any_of(treatments)
        is_compared = is_treated & self._comparators.any_of(comparators)
        has_result = self._studies_of(is_asked & ~self._is_guide)
        is_reported = self._studies_of(is_asked & self._is_own) & is_compared
        is_second_hand = has_result & is_compared & ~is_reported
        is_quoted = self._studies_of(is_asked & self._is_guide) & is_compared
        is_silent = (
            ~has_result
            & is_treated
            & (self._conditions.any_of(conditions) | self._conditions.is_blank)
            & (is_compared | self._comparators.any_of(["mixed"]) | self._comparators.is_blank)
            & self._may_have_measured(outcomes)
            & self._may_have_given(doses)
            & ~(self._days < from_days)
        )
        is_read = self._read_in_full
        if outcomes:
            is_read = is_read | self._absent.all_of(outcomes)
        is_covering = self._covers(conditions, treatments, outcomes)
        if is_reported.any():
            state = State.REPORTED
        elif is_second_hand.any() or is_quoted.any():
            state = State.SECOND_HAND
        elif (is_silent & ~is_read).any():
            state = State.NOT_READ
        elif is_silent.any():
            state = State.NOT_REPORTED
        else:
            state = State.NOT_FOUND if is_covering.any() else State.NOT_SEARCHED
        studies = {
            "reported": is_reported,
            "second_hand": is_second_hand,
            "unread": is_silent & ~is_read,
            "not_reported": is_silent & is_read,
        }
        return state, studies, is_covering

    def _studies_of(self, is_row: np.ndarray) -> np.ndarray:
        """Tell for each known study whether one of these rows is about it."""
        mask = np.zeros(len(self._known), bool)
        mask[self._row_study[is_row]] = True
        return mask

    def _may_have_measured(self, outcomes: Sequence[str]) -> np.ndarray:
        """Tell which studies measured one of these outcomes, or measured nobody knows what.

        Any study may have measured a harm: abstracts and reviews seldom name the harms that were
        looked for. Of an outcome that only animals had, it is not assumed that trials in humans
        measured it.
        """
        mask = self._outcomes.any_of(outcomes)
        for outcome in outcomes:
            measured = self._outcomes.any_of([outcome])
            measured |= self._studies_of(self._row_outcomes.any_of([outcome]))
            species = self._is_human[measured]
            is_same_species = np.isin(self._is_human, species) if len(species) else True
            is_unclear = self._outcomes.is_blank | (outcome in self._harms)
            mask |= is_unclear & is_same_species
        return mask

    def _may_have_given(self, doses: Sequence[str]) -> np.ndarray:
        """Tell which studies gave one of these doses, or may have as nobody knows their doses."""
        gave = self._doses.any_of(doses)
        treatments = list(self._known.loc[gave, "treatment"].unique())
        # No treatment at all would stand for any.
        is_same = self._treatments.any_of(treatments or ["none"])
        return gave | (self._doses.is_blank & is_same)

    def _covers(
        self, conditions: Sequence[str], treatments: Sequence[str], outcomes: Sequence[str]
    ) -> np.ndarray:
        """Tell which searches looked for all that is asked.

        A question that names no condition or treatment is covered by a search for some, but one
        that names no outcome only by a search for any.
        """
        covers = self._searched["outcomes"].is_blank
        if outcomes:
            covers = covers | self._searched["outcomes"].all_of(outcomes)
        for name, asked in (("conditions", conditions), ("treatments", treatments)):
            covers = covers & (self._searched[name].is_blank | self._searched[name].all_of(asked))
        return covers


class _Words:
    """For a column of words, or of lists of words, which of its cells have a word."""

    def __init__(self, cells: pd.Series):
        words = cells.reset_index(drop=True).explode().dropna()
        words = words[words != ""]
        self._positions = {word: group.index for word, group in words.groupby(words)}
        self._size = len(cells)
        self.is_blank = ~self._mask(words.index)

    def any_of(self, words: Iterable[str]) -> np.ndarray:
        """Tell which cells have one of these words; all do if there are none."""
        masks = [self._mask(self._positions.get(word, [])) for word in words]
        return np.logical_or.reduce(masks) if masks else np.ones(self._size, bool)

    def all_of(self, words: Iterable[str]) -> np.ndarray:
        """Tell which cells have all of these words."""
        masks = [self.any_of([word]) for word in words]
        return np.logical_and.reduce(masks) if masks else np.ones(self._size, bool)

    def _mask(self, positions: Sequence[int] | pd.Index) -> np.ndarray:
        mask = np.zeros(self._size, bool)
        mask[positions] = True
        return mask
