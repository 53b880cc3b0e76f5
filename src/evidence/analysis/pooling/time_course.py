"""How an effect declines after the last dose, over the trials that bear on a question."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from evidence.analysis.pooling.dose_response import ZERO_DOSE_COMPARATORS
from evidence.analysis.pooling.left_out import studies_left_out
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import (
    Question,
    leave_out_studies,
    reasons_not_to_pool,
    select_study_effects,
)
from evidence.analysis.results import better_side, require_known
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import Displayable
from evidence.provenance.sentence import format_duration, join_words
from evidence.statistics.three_level import DEFAULT_RHO, RHOS
from evidence.statistics.time_course import MIN_STUDIES, SHAPES, TimeCourse, fit_time_course

SHAPE_LABELS = {
    "log": "a straight line over the logarithm of time",
    "exponential": "an exponential decline",
}
COURSE_LABELS = {
    "single": "a single dose",
    "repeated": "repeated doses",
    "maintenance": "maintenance doses",
}
MIN_TIME_RATIO = 2.0
"""Times closer than this show no decline: 24 and 36 hours are one time."""


@dataclass(frozen=True)
class CourseModel:
    """The time course after one course of treatment, or the reasons why there is none.

    `effects` has the columns of `study_effects`, `course`, `since` (days since the last dose) and
    `weight` (the share of its study in the curve; NaN without one). `sensitivity` holds the same
    fit for other correlations between the times of a study. Effects are on the scale of pooling.
    """

    course: str
    effects: pd.DataFrame
    curve: TimeCourse | None
    sensitivity: tuple[TimeCourse, ...]
    reasons: tuple[str, ...]

    @property
    def repeated(self) -> list[str]:
        """Labels of the studies that measured the effect several times."""
        times = self.effects.groupby("label", sort=False).size()
        return list(times[times > 1].index)

    @property
    def longest(self) -> float:
        """The longest time since the last dose at which a study measured the effect, in days."""
        return float(self.effects["since"].max())

    def predict(self, days: Sequence[float], measure: str) -> pd.DataFrame:
        """Return the effect at each time since the last dose, with its CI, on the natural scale.

        `is_extrapolated` says that a time is before or after those of all studies. Raise
        `ValueError` if there is no curve.
        """
        if self.curve is None:
            raise ValueError("there is no curve over time; see the reasons")
        prediction = self.curve.predict(np.asarray(days, float))
        natural = INVERSE_LINK.get(measure, np.asarray)
        names = ("estimate", "ci_low", "ci_high")
        columns = {name: natural(getattr(prediction, name)) for name in names}
        since = self.effects["since"]
        is_extrapolated = (prediction.days < since.min()) | (prediction.days > since.max())
        return pd.DataFrame(
            {"since": prediction.days, **columns, "is_extrapolated": is_extrapolated}
        )


@dataclass(frozen=True)
class TimeModel(Displayable):
    """The time courses of an effect, one per course of treatment, those of most studies first.

    `effects` holds those of all courses; `better` is the side of no effect that favours the treatment:
    1 above, -1 below, 0 not known.
    """

    question: Question
    shape: str
    rho: float
    confidence: float
    effects: pd.DataFrame
    courses: tuple[CourseModel, ...]
    left_out: tuple[str, ...]
    better: int = 0


def fit_time_model(
    dataset: Dataset,
    results: pd.DataFrame,
    question: Question,
    *,
    shape: str = "log",
    rho: float = DEFAULT_RHO,
    confidence: float = 0.95,
) -> TimeModel:
    """Fit the decline of an effect after single, repeated and maintenance treatment, each apart.

    All times from `time_days` of the question on take part; earlier ones are left out, because an
    effect may still grow then. Several times of a study are correlated effects. Comparators
    without the treatment, active placebos among them, are pooled together.

    Parameters
    ----------
    shape : {"log", "exponential"}
    rho : float
        Assumed correlation between the sampling errors of one study.

    Raises
    ------
    ParameterError
        An unknown word.
    """
    require_known("shape", [shape], SHAPES)
    question = replace(question, max_time_ratio=np.inf)
    effects, left_out = _timed_effects(dataset, results, question)
    courses = []
    for course in effects["course"].value_counts().reindex(schema.COURSES).dropna().index:
        own = effects[effects["course"] == course].reset_index(drop=True)
        reasons, curve, others = list(_reasons(dataset, own, question)), None, []
        if not reasons:
            fit = partial(
                fit_time_course,
                *(own["yi"], own["vi"], own["since"], list(own["study"])),
                shape=shape,
                confidence=confidence,
            )
            try:
                curve = fit(rho=rho)
                others = [fit(rho=other) for other in RHOS if other != rho]
            except ValueError as error:
                reasons.append(str(error))
            else:
                weights = dict(zip(own["study"].unique(), curve.weights, strict=True))
                own = own.assign(weight=own["study"].map(weights))
        courses.append(CourseModel(str(course), own, curve, tuple(others), tuple(reasons)))
    courses.sort(key=lambda course: -course.effects["study"].nunique())
    if courses:
        effects = pd.concat([course.effects for course in courses], ignore_index=True)
    better = better_side(dataset, question.outcome, effects["scale_better"])
    return TimeModel(
        question, shape, rho, confidence, effects, tuple(courses), tuple(left_out), better
    )


def _timed_effects(
    dataset: Dataset, results: pd.DataFrame, question: Question
) -> tuple[pd.DataFrame, list[str]]:
    """Return the effects with their time since the last dose, and why others are left out."""
    known = select_study_effects(dataset, results, question, every=True)
    effects = known.sort_values(["study", "days"], kind="stable", ignore_index=True)
    cells = ["address", "role", "sessions", "course", "last_dose_days"]
    rows = results[cells].drop_duplicates("address").set_index("address").to_dict("index")
    given = [_course_given(rows, address) for address in effects["address"]]
    effects = effects.assign(
        course=pd.Series([course for course, _ in given], effects.index, object),
        since=effects["days"] - np.array([last for _, last in given], float),
        weight=np.nan,
    )
    start = question.time_days
    reasons = {
        "the comparator is another treatment or another dose": lambda frame: (
            ~frame["comparator_kind"].isin(ZERO_DOSE_COMPARATORS)
        ),
        "the number of sessions is not stated, or differs between its arms": lambda frame: (
            frame["course"] == ""
        ),
        "the time of the last dose is not tabulated (last_dose_days)": lambda frame: (
            frame["since"].isna() & frame["days"].notna()
        ),
        "no time is stated": lambda frame: frame["days"].isna(),
        f"measured earlier than {format_duration(start)} after the last dose": lambda frame: (
            frame["since"] < start
        ),
        "another scale of the same study was used at more times": _is_other_scale,
    }
    without = studies_left_out(results, effects, question)
    clauses = []
    for reason, is_unfit in reasons.items():
        unfit = is_unfit(effects).reindex(effects.index)
        if unfit.any():
            clauses.append(f"{_name_effects(effects[unfit])} left out: {reason}")
            effects = effects[~unfit]
    effects = effects.drop_duplicates(["study", "since"])
    kept, own_clauses = leave_out_studies(effects, question)
    return kept, [*clauses, *own_clauses, *without]


def _course_given(rows: dict[str, dict], addresses: str) -> tuple[str, float]:
    """Return the course of treatment behind an effect and the day of its last dose.

    The course is empty, or the day NaN, if the rows of the treated arms do not state it alike.
    """
    cells = [rows[address] for address in addresses.split() if address in rows]
    cells = [row for row in cells if row["role"] != "comparator"]
    sessions, words, days = (
        {None if pd.isna(row[name]) else row[name] for row in cells}
        for name in ("sessions", "course", "last_dose_days")
    )
    if len(sessions) != 1 or len(words) != 1:
        return "", np.nan
    number, course = sessions.pop(), words.pop() or ""
    if not course and number is not None:
        course = "single" if number == 1 else "repeated"
    day = days.pop() if len(days) == 1 else None
    if day is None:
        return course, 0.0 if course == "single" else np.nan
    return course, float(day)


def _is_other_scale(effects: pd.DataFrame) -> pd.Series:
    """Tell which effects are not on the scale that their study used at most times."""
    counts = effects.groupby(["study", "instrument"], sort=False).size()
    main = dict(counts.groupby("study").idxmax().tolist())
    return effects["instrument"] != effects["study"].map(main)


def _name_effects(effects: pd.DataFrame) -> str:
    """Name effects by study and time, such as: Baker 1990 (1 day, 7 days) and Miller 2001."""
    names = []
    for label, days in effects.groupby("label", sort=False)["days"]:
        times = [format_duration(day) for day in dict.fromkeys(days.dropna())]
        names.append(f"{label} ({', '.join(times)})" if times else str(label))
    return join_words(names)


def _reasons(dataset: Dataset, effects: pd.DataFrame, question: Question) -> Iterator[str]:
    """Say why these effects of one course of treatment show no time course."""
    labels = list(effects["label"].unique())
    if len(labels) < MIN_STUDIES:
        yield (
            f"the tables give it at a known time since the last dose for {join_words(labels)} only, "
            f"and a curve needs at least {MIN_STUDIES} studies"
        )
        return
    yield from reasons_not_to_pool(
        dataset, effects, question, method="reml", grouped_by="comparator"
    )
    low, high = effects["since"].min(), effects["since"].max()
    if high < MIN_TIME_RATIO * low:
        times = " to ".join(dict.fromkeys(format_duration(day) for day in (low, high)))
        yield f"all were measured after {times}; a curve needs times that differ"
