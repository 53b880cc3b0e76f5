"""Sentences about a time course: the half-life of an effect, or why none can be given."""

from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import MEASURES, measure_label
from evidence.analysis.pooling.time_course import (
    COURSE_LABELS,
    SHAPE_LABELS,
    CourseModel,
    TimeModel,
)
from evidence.dataset.displayable import as_listing
from evidence.provenance.sentence import (
    Fields,
    Number,
    Sentence,
    capitalise,
    count,
    format_duration,
    join_words,
    parameter,
    verbatim,
)
from evidence.statistics.time_course import TimeCourse

_MOST_NAMES = 5


@as_listing
def describe_time_model(model: TimeModel) -> list[Sentence]:
    """Return the half-life after each course of treatment and what it rests on, or why there is none."""
    question = model.question
    name = f"time.{question.outcome}.{question.measure}"
    what = measure_label(question.measure, question.outcome)
    sentences = []
    if not model.courses:
        template = (
            "No half-life of the {what} can be given: the tables hold no size of it at a known time, "
            "from {start} after the last dose on, against a comparator without the treatment."
        )
        start = format_duration(question.time_days)
        sentences.append(Sentence(f"{name}.refused", template, {"what": what, "start": start}))
    for course in model.courses:
        identity = f"{name}.{course.course}"
        if course.curve is None:
            fields: Fields = {
                "what": what,
                "course": COURSE_LABELS[course.course],
                "reasons": "; ".join(course.reasons),
            }
            template = "No half-life of the {what} after {course} can be given: {reasons}."
            sentences.append(Sentence(f"{identity}.refused", template, fields))
        else:
            sentences.append(_half_life(model, course, course.curve, identity))
            sentences.append(_sensitivity(model, course, identity))
    return sentences + [
        Sentence(f"{name}.without.{number}", "{reason}.", {"reason": capitalise(reason)})
        for number, reason in enumerate(model.left_out, start=1)
    ]


def _half_life(model: TimeModel, course: CourseModel, curve: TimeCourse, name: str) -> Sentence:
    """One sentence: the half-life with its CI, or why there is none, and the studies behind it."""
    question = model.question
    rows = _addresses(course)
    span = course.longest - curve.start
    half_life = curve.half_life
    link = INVERSE_LINK.get(question.measure, float)
    points = [curve.beta[0], curve.ci_low[0], curve.ci_high[0], curve.predict(course.longest)[1]]
    effect, low, high, last = format_estimates(question.measure, *map(float, map(link, points)))
    fields: Fields = {
        "what": measure_label(question.measure, question.outcome),
        "scale": f"{MEASURES[question.measure]} of {question.outcome}",
        "course": COURSE_LABELS[course.course],
        "shape": SHAPE_LABELS[model.shape],
        "level": f"{100 * model.confidence:g}% CI",
        "start": Number(curve.start, format_duration(curve.start), rows, "days"),
        "end": Number(course.longest, format_duration(course.longest), rows, "days"),
        "effect": Number(float(link(curve.beta[0])), effect, rows, "time_course"),
        "ends": verbatim(f"{low} to {high}", rows, "time_course"),
        "last": verbatim(last, rows, "time_course"),
        "half": _within(half_life.estimate, span, rows),
        "low": _within(half_life.low, span, rows),
        "high": _within(half_life.high, span, rows),
        "lowest": _days(min(half_life.low, span), rows),
        "studies": count(course.effects["study"].nunique(), "tabulated study", rows, "studies"),
        "repeated": _repeated(course),
    }
    kind = half_life_kind(curve)
    if kind in ("bounded", "at least", "at most"):
        lead = (
            "If the {scale} follows {shape}, its half-life, counted from {start} after {course}, is "
            + {
                "bounded": "{half} ({level} {low} to {high})",
                "at least": "at least {lowest}, and no upper limit can be given, because it may "
                "not decline at all ({level}; best estimate {half})",
                "at most": "at most {high}, and no lower limit can be given, because it may end "
                "right after that ({level}; best estimate {half})",
            }[kind]
        )
    else:
        lead = (
            "No half-life of the {what} after {course} can be given: "
            + {
                "no effect": "at {start} it is {effect} ({level} {ends}), which cannot be "
                "told from no effect",
                "growth": "it does not decline, but goes from {effect} after {start} to {last} "
                "after {end}",
                "any": "every half-life is compatible with the effects",
            }[kind]
        )
    template = lead + "; this rests on {studies}, {repeated}."
    used = {key: part for key, part in fields.items() if f"{{{key}}}" in template}
    return Sentence(f"{name}.half_life", template, used)


def _repeated(course: CourseModel) -> str:
    """Say for which studies the tables give several times; more than a few are counted."""
    labels = course.repeated
    if not labels:
        return "each with a single time"
    if len(labels) == course.effects["study"].nunique():
        return "each with several times"
    if len(labels) > _MOST_NAMES:
        return f"{len(labels)} of them with several times"
    return f"with several times for {join_words(labels)} only"


def half_life_kind(curve: TimeCourse) -> str:
    """Name what can be said: bounded, at least, at most, no effect, growth or any."""
    _, low, high = curve.half_life
    rises = curve.beta[1] * (curve.beta[0] if curve.shape == "log" else -1) > 0
    if rises and curve.p[1] < 1 - curve.confidence:
        return "growth"
    if curve.ci_low[0] * curve.ci_high[0] <= 0:
        return "no effect"
    if low > 0:
        return "bounded" if high < float("inf") else "at least"
    return "at most" if high < float("inf") else "any"


def _within(days: float, span: float, rows: tuple[str, ...]) -> Number:
    """Return a half-life; one that is longer than the studies cover is not printed."""
    if days == float("inf"):
        return Number(span, "no decline", rows, "half_life")
    if days > span:
        return Number(span, f"more than {format_duration(span)}", rows, "half_life")
    return _days(days, rows)


def _days(days: float, rows: tuple[str, ...]) -> Number:
    return Number(days, format_duration(days), rows, "half_life")


def _sensitivity(model: TimeModel, course: CourseModel, name: str) -> Sentence:
    """Say what the half-life is for other correlations between the times of one study."""
    rows = _addresses(course)
    answers: dict[str, list[str]] = {}
    for curve in course.sensitivity:
        answers.setdefault(_short_answer(curve, course.longest), []).append(f"{curve.rho:g}")
    texts = (f"with {join_words(rhos)}, {answer}" for answer, rhos in answers.items())
    return Sentence(
        f"{name}.sensitivity",
        "The times of one study are taken to correlate by {rho}; {answers}.",
        {
            "rho": parameter(model.rho, f"{model.rho:g}"),
            "answers": verbatim("; ".join(texts), rows, "half_life"),
        },
    )


def _short_answer(curve: TimeCourse, longest: float) -> str:
    span = longest - curve.start
    half = _within(curve.half_life.estimate, span, ()).text
    return {
        "bounded": f"the half-life is {half}",
        "at least": f"the half-life is at least {format_duration(min(curve.half_life.low, span))}",
        "at most": f"the half-life is at most {_within(curve.half_life.high, span, ()).text}",
    }.get(half_life_kind(curve), "no half-life can be given")


def _addresses(course: CourseModel) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(course.effects["address"]).split()))
