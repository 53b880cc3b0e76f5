"""Ask the data of a project: results, proportions, pooled estimates, claims, certainty, unknowns.

Every answer shows itself in a notebook. Words are those of the data, in any capitals. Examples use
the invented project in `EXAMPLE`; without a folder, `load_dataset` reads the project around you.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.analysis.arm_comparisons import arm_proportions
from evidence.analysis.certainty.evidence_body import evidence_bodies
from evidence.analysis.certainty.grade import Certainty, grade_certainty
from evidence.analysis.claims.claim_audit import VERDICTS, claim_verdicts
from evidence.analysis.defaults import default_days, default_measure
from evidence.analysis.gaps.unknowns import Unknown, find_unknowns, select_unknowns
from evidence.analysis.pooling.pooled_estimate import (
    PooledEstimate,
    Refusal,
    pool_studies,
    study_intervals,
)
from evidence.analysis.pooling.question import (
    MEASURES,
    PICO_FIELDS,
    SUBGROUP_COLUMNS,
    Question,
    belongs_to,
    known_values,
    select_study_effects,
    within_time_window,
)
from evidence.analysis.results import require_known, select_results, spell_as
from evidence.dataset import schema
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset, read_dataset
from evidence.dataset.displayable import Displayable, Listing
from evidence.dataset.project_folder import EXAMPLE as EXAMPLE
from evidence.errors import ParameterError, Reason
from evidence.figures.forest_plot import ForestLayout, lay_out_forest
from evidence.provenance.sentence import count, format_duration, join_words
from evidence.tables.claims import tabulate_claims
from evidence.tables.html_table import ReportTable
from evidence.tables.notebook_view import View, view, without_links
from evidence.tables.studies import tabulate_results, tabulate_studies

Words = str | Sequence[str]
"""One word of the data or several; an empty text takes all."""
GROUPS = {"randomised": "yes", "non-randomised": "no"}
"""Designs by whether participants were randomised; every design of a study has its own word too."""
PROPORTION_COLUMNS = [
    "label", "arm", "outcome", "days", "event_count", "n", "estimate", "ci_low", "ci_high", "role",
    "provenance", "address",
]  # fmt: skip
EFFECT_COLUMNS = [
    "label", "comparison", "days", "estimate", "ci_low", "ci_high", "events1", "n1", "events2",
    "n2", "risk", "address",
]  # fmt: skip
ARGUMENTS = {"time_days": "days"} | {f"{field}s": field for field in PICO_FIELDS}
"""Arguments of functions below, and what they are called here."""


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _with_queries(dataset: Dataset) -> "ProjectData":
    return ProjectData(**{field.name: getattr(dataset, field.name) for field in fields(dataset)})


def load_dataset(project: str | Path = "") -> "ProjectData":
    """Read, check and convert all tables of a project and its bibliography.

    The same data are returned for as long as the bytes of all files stay the same.

    Parameters
    ----------
    project : path, optional
        A folder with `references.bib` and `data/studies.csv`; every further table is optional.
        By default the project around the working folder, else the one that this package is in.

    Raises
    ------
    DatasetError
        With every problem of every file.

    Examples
    --------
    >>> from evidence import EXAMPLE, load_dataset
    >>> data = load_dataset(EXAMPLE)
    >>> len(data.results())
    6
    """
    return _with_queries(read_dataset(project))


class ProjectData(Dataset):
    """The data of a project, and what you can ask of them.

    `load_dataset` returns it, and `open_report` has it as `dataset`: every function of this package
    that takes a dataset takes it.
    """

    def __dir__(self) -> list[str]:
        """List what can be asked, without the many parts that only this package uses."""
        return sorted([*QUESTIONS, "bibliography", "project"])

    def results(
        self,
        outcome: Words = "",
        *,
        days: float | None = None,
        design: Words = "",
        condition: Words = "",
        treatment: Words = "",
        study: Words = "",
        scope: str = "all",
        max_time_ratio: float = 3.0,
    ) -> "Results":
        """Return what the studies reported, without what the guide says of it.

        Parameters
        ----------
        outcome, condition, treatment, study : str or sequence of str, optional
            Words of the data; a study by its key or its label.
        days : float, optional
            Time after treatment. Results count whose time differs from it by at most the factor
            `max_time_ratio`, and those without a time.
        design : str or sequence of str, optional
            "randomised", "non-randomised", or a design such as "randomised parallel".
        scope : {"all", "core"}
            Whether to take all studies or only those that the topic rests on.

        Raises
        ------
        ParameterError
            The data have no such word; the message suggests the nearest.

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> data = load_dataset(EXAMPLE)
        >>> results = data.results(outcome="Still afloat", days=1, design="randomised")
        >>> results.frame[["study", "arm", "as_printed"]].head(2).values.tolist()
        [['inventor2001', 'humming', '18/24'], ['inventor2001', 'silence', '9/25']]
        >>> data.results(outcome="still aflaot")
        Traceback (most recent call last):
        ...
        evidence.errors.ParameterError: outcome: 'still aflaot' is not one of: still afloat...
        """
        rows = select_results(self, scope=_one_of("scope", scope, ("core", "all"))[0])
        rows = rows[~rows["is_guide"]]
        if outcomes := _one_of("outcome", outcome, rows["outcome"].unique()):
            rows = rows[rows["outcome"].isin(outcomes)]
        if designs := _one_of("design", design, [*GROUPS, *filter(None, rows["design"].unique())]):
            is_in_group = rows["randomised"].isin([GROUPS.get(word) for word in designs])
            rows = rows[is_in_group | rows["design"].isin(designs)]
        for name, words in (("condition", condition), ("treatment", treatment)):
            column = SUBGROUP_COLUMNS[name]
            if values := _one_of(name, words, known_values(self, column)):
                rows = rows[belongs_to(rows, column, values)]
        names = {str(row.label): str(row.study) for row in rows[["label", "study"]].itertuples()}
        if studies := _one_of("study", study, [*names, *names.values()]):
            rows = rows[rows["study"].isin([names.get(word, word) for word in studies])]
        chosen = {"outcome": outcomes, "design": designs, "condition": condition}
        chosen |= {"treatment": treatment, "study": study}
        return Results(self, rows.reset_index(drop=True), days, max_time_ratio, chosen)

    def studies(self) -> ReportTable:
        """Return a table with one row per study: design, participants, follow-up and results.

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> list(load_dataset(EXAMPLE).studies().frame["study"])
        ['Inventor 2001 (invented)', 'Fabler 2004 (invented)']
        """
        return without_links(tabulate_studies(self, select_results(self)))

    def claims(self, verdict: Words = "") -> ReportTable:
        """Return a table of what the guide claims, what its source says, and the verdict.

        Parameters
        ----------
        verdict : str or sequence of str, optional
            "agrees", "omits detail", "overstated", "differs" or "not checkable".

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> load_dataset(EXAMPLE).claims(verdict="differs").frame.empty
        True
        """
        claims = claim_verdicts(self, select_results(self))
        if verdicts := _one_of("verdict", verdict, VERDICTS):
            claims = claims[claims["verdict"].isin(verdicts)]
        return without_links(tabulate_claims(self, claims))

    def unknowns(
        self,
        *,
        participants: int | None = None,
        condition: str = "",
        treatment: str = "",
        outcome: str = "",
        status: str = "",
    ) -> Listing[Unknown]:
        """Return what remains unknown, the most important first.

        Parameters
        ----------
        participants : int, optional
            Only unknowns on which the tables have at most this many participants; 0 for none at all.
        condition, treatment, outcome : str, optional
            Words of the data.
        status : {"", "open", "narrowed", "settled"}, optional
            Empty takes every status.

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> load_dataset(EXAMPLE).unknowns(participants=0)
        []
        """
        options = {"condition": condition, "treatment": treatment, "outcome": outcome}
        status = next(iter(_one_of("status", status, schema.UNKNOWN_STATUSES)), "")
        unknowns = find_unknowns(self)
        return Listing(
            select_unknowns(unknowns, participants=participants, status=status, **options)
        )

    def certainty(
        self, outcome: Words = "", *, days: float | None = None, condition: Words = ""
    ) -> Listing[Certainty]:
        """Return the certainty of evidence (GRADE) of each comparison of two groups.

        Parameters
        ----------
        days : float, optional
            Time after treatment; by default that of most studies.

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> certainty = load_dataset(EXAMPLE).certainty(days=1)[0]
        >>> certainty.suggested in ("very low", "low", "moderate", "high")
        True
        """
        rows = self.results(outcome, condition=condition).frame
        bodies = evidence_bodies(self, rows, times=[days or default_days(rows)])
        return Listing(grade_certainty(self, body) for body in bodies)

    def _repr_html_(self) -> str:
        calls = ", ".join(f"<code>data.{name}()</code>" for name in QUESTIONS)
        return f"<p>Data of {escape(str(self.project))}. Ask {calls}.</p>{super()._repr_html_()}"


QUESTIONS = ("results", "studies", "claims", "certainty", "unknowns")
"""The methods of `ProjectData` that answer a question."""


@dataclass(frozen=True)
class Results(Displayable):
    """Results of studies, and what can be computed from them; `ProjectData.results` returns them.

    Attributes
    ----------
    days : float or None
        The time that was asked for, in days after treatment.
    chosen : mapping
        The words that were asked for.
    """

    data: ProjectData = field(repr=False)
    at_any_time: pd.DataFrame = field(repr=False)
    days: float | None
    max_time_ratio: float
    chosen: Mapping[str, Words]

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of `data/studies.csv` as a data frame, joined with their study and outcome."""
        rows = self.at_any_time
        if self.days is None:
            return rows
        window = Question("", "", self.days, self.max_time_ratio)
        return rows[within_time_window(rows["days"], window)].reset_index(drop=True)

    def proportions(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """Return the proportion of each arm with its Wilson interval, at the time nearest to `days`.

        Examples
        --------
        Wilson limits of 18/24 by `statsmodels.stats.proportion.proportion_confint`:

        >>> from evidence import EXAMPLE, load_dataset
        >>> results = load_dataset(EXAMPLE).results(outcome="still afloat", days=1)
        >>> arm = results.proportions().iloc[0]
        >>> f"{arm.event_count}/{arm.n}: {arm.estimate} ({arm.ci_low:.4f} to {arm.ci_high:.4f})"
        '18/24: 0.75 (0.5510 to 0.8800)'
        """
        rows = self.frame
        days = self.days or default_days(rows)
        proportions = arm_proportions(rows, time_days=days, confidence=confidence)
        return proportions[PROPORTION_COLUMNS].reset_index(drop=True)

    def effects(
        self, measure: str = "", *, comparator: Words = "", confidence: float = 0.95
    ) -> pd.DataFrame:
        """Return one effect per study with its interval, as a data frame on the natural scale.

        Parameters are those of `pool`.

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> results = load_dataset(EXAMPLE).results(outcome="still afloat", days=1)
        >>> results.effects("rr")["estimate"].round(3).tolist()
        [2.083, 1.415]
        """
        question = self._question(measure, comparator=comparator)
        time_days = self.days or default_days(self.frame)
        asked = Question(**question | {"time_days": time_days})
        effects = select_study_effects(self.data, self.at_any_time, asked)
        effects = effects.assign(**study_intervals(effects, asked.measure, confidence))
        return effects[EFFECT_COLUMNS]

    def pool(
        self,
        measure: str = "",
        *,
        comparator: Words = "",
        condition: Words = "",
        treatment: Words = "",
        method: str = "",
        confidence: float = 0.95,
        subgroup_by: str = "",
        allow_nonrandomised: bool = False,
        include_double_zero: bool = False,
        **options: Any,
    ) -> PooledEstimate | Refusal:
        """Return the pooled estimate of one outcome, or a refusal with every reason.

        Parameters
        ----------
        measure : str, optional
            "rr", "or", "rd", "smd", "md", "hr", "irr", "generic" or "proportion"; by default the
            one that most studies give.
        comparator, condition, treatment : str or sequence of str, optional
            Words of the data: several are pooled together only if you name them. A comparator is
            a kind, such as "active", or the name of an arm.
        method : str, optional
            "reml", "dl", "pm", "common", "mh", "peto", "glmm", "threelevel" or "bayes".
        subgroup_by : str, optional
            "condition", "treatment", "comparator", "blinding" or "risk".
        allow_nonrandomised : bool, optional
            Pool randomised and other studies together.
        include_double_zero : bool, optional
            Also pool studies without events in either group in a ratio.
        options
            Further ones of `meta_analyse`: `test`, `moderator`, `rho`, `prior`, `prior_scale`.

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> results = load_dataset(EXAMPLE).results(outcome="still afloat", days=1)
        >>> print(results.pool("rr", comparator="silence", method="common"))
        Risk ratio of still afloat, humming versus silence, near 1 day (8 hours to 3 days)
        Risk ratio 1.58 (95% CI 1.16 to 2.16); 2 studies, 130 participants...
        >>> print(load_dataset(EXAMPLE).results(days=90).pool("rr"))
        Not pooled: risk ratio of still afloat
        No tabulated study has ...; results exist at 7 days (days=7).
        """
        words = {"comparator": comparator, "condition": condition, "treatment": treatment}
        answer = pool_studies(
            self.data,
            self.at_any_time,
            **self._question(measure, **words),
            method=method,
            confidence=confidence,
            subgroup_by=subgroup_by,
            allow_nonrandomised=allow_nonrandomised,
            include_double_zero=include_double_zero,
            **options,
        )
        answer = replace(answer, left_out=_in_own_terms(answer.left_out))
        if isinstance(answer, Refusal):
            answer = replace(answer, reasons=_in_own_terms(answer.reasons))
        return answer

    def forest(self, measure: str = "", **options: Any) -> ForestLayout:
        """Return the forest plot of the pooled estimate; parameters are those of `pool`.

        A notebook draws it, `draw` returns the figure of matplotlib.

        Examples
        --------
        >>> from evidence import EXAMPLE, load_dataset
        >>> results = load_dataset(EXAMPLE).results(outcome="still afloat", days=1)
        >>> list(results.forest("rr", comparator="silence").frame["label"])[:2]
        ['Inventor 2001 (invented)', 'Fabler 2004 (invented)']
        """
        answer = self.pool(measure, **options)
        if isinstance(answer, Refusal):
            reasons = tuple(Reason.of(reason).in_python() for reason in answer.reasons)
            answer = replace(answer, reasons=reasons)
        return lay_out_forest(answer)

    def _question(self, measure: str, **words: Words) -> dict[str, Any]:
        """Return outcome, measure, time and words as `Question` calls them."""
        outcomes = list(self.at_any_time["outcome"].unique())
        if len(outcomes) != 1 and not self.chosen["outcome"]:
            raise ParameterError(Reason("results of several outcomes: choose one", outcome=...))
        outcome = self.chosen["outcome"][0] if self.chosen["outcome"] else outcomes[0]
        if measure:
            (measure,) = _one_of("measure", measure, list(MEASURES))
        question = {
            "outcome": outcome,
            "measure": measure or default_measure(self.frame, outcome),
            "max_time_ratio": self.max_time_ratio,
        }
        for name, given in words.items():
            allowed = known_values(self.data, SUBGROUP_COLUMNS[name])
            question[f"{name}s"] = _one_of(name, given, allowed)
        return question | ({"time_days": self.days} if self.days else {})


def _one_of(name: str, given: Words, allowed: Iterable[str]) -> tuple[str, ...]:
    """Return words as the data spell them.

    Raises
    ------
    ParameterError
        A word is none of those allowed, in whatever capitals.
    """
    words = [given] if isinstance(given, str) else list(given)
    known = list(dict.fromkeys(allowed))
    spelt = spell_as(known, filter(None, words))
    require_known(name, spelt, known)
    return tuple(spelt)


def _in_own_terms(reasons: Iterable[str]) -> tuple[str, ...]:
    """Name the arguments of reasons as they are called here: `days=28`, `comparator='active'`."""
    renamed = []
    for reason in map(Reason.of, reasons):
        arguments = {
            ARGUMENTS.get(name, name): value[0] if isinstance(value, tuple) else value
            for name, value in reason.arguments.items()
        }
        renamed.append(Reason(reason, **arguments))
    return tuple(renamed)


@view.register
def _(shown: Results) -> View:
    frame = shown.frame
    parts = [
        f"{count(len(frame), 'result')} of {count(frame['study'].nunique(), 'study')}",
        *(
            f"{name}: {join_words([w] if isinstance(w, str) else w)}"
            for name, w in shown.chosen.items()
            if w
        ),
    ]
    if shown.days is not None:
        parts.append(f"near {format_duration(shown.days)}")
    if frame.empty:
        return View("; ".join(parts))
    return View("; ".join(parts), tables=(without_links(tabulate_results(shown.data, frame)),))
