"""The decline of an effect since the last dose, each study's times joined by a line."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from evidence.analysis.narrative.pooled_results import NO_EFFECT, format_estimates, side_text
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.pooling.study_effects import half_widths
from evidence.analysis.pooling.time_course import COURSE_LABELS, SHAPE_LABELS, TimeModel
from evidence.figures import style
from evidence.figures.effect_curve import (
    MOST_NAMES,
    bubble_sizes,
    draw_curve,
    effect_label,
    format_effect_axis,
    legend_with_names,
    number_marks,
)
from evidence.figures.layout import Layout, centred_offsets, ci_label, draw, row_addresses
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    Fields,
    Sentence,
    confidence_level,
    count,
    format_duration,
    join_words,
    parameter,
)

LOOKS = {
    "single": ("o", style.BLUE),
    "repeated": ("s", style.VERMILION),
    "maintenance": ("^", style.GREEN),
}
"""Mark and colour of each course of treatment."""
TICKS = (0.02, 0.04, 0.1, 0.25, 0.5, 1, 2, 3, 7, 14, 28, 56, 91, 182, 365, 730, 1826)
_STEPS = 81
_BEYOND = 2.0
"""How far a curve is extrapolated, in multiples of the longest time."""


@dataclass(frozen=True, kw_only=True)
class TimeCourseLayout(Layout):
    """One mark per study and time, and one curve per course of treatment that has one.

    `frame` has `course`, `since` (days since the last dose), `offset` (to set marks of one time
    apart), `estimate`, `ci_low`, `ci_high`, `weight` (NaN without a curve) and `label`; `curve` the
    predictions of `CourseModel.predict` with `course`. `better` is the side of no effect that
    favours the treatment: 1 above, -1 below, 0 neither.
    """

    measure: str
    outcome: str
    better: int
    curve: pd.DataFrame = field(repr=False)


def lay_out_time_course(model: TimeModel) -> TimeCourseLayout:
    """Lay out every effect over the time since the last dose, and the curve of each course.

    A course of treatment without a curve shows its studies, and the caption says why.
    """
    question, effects = model.question, model.effects
    inverse = INVERSE_LINK.get(question.measure, np.asarray)
    half = half_widths(effects, model.confidence).to_numpy()
    yi = effects["yi"].to_numpy(float)
    frame = effects[["study", "label", "course", "since", "weight", "address"]].assign(
        estimate=inverse(yi), ci_low=inverse(yi - half), ci_high=inverse(yi + half)
    )
    frame = frame.sort_values(["since", "study"], kind="stable").reset_index(drop=True)
    frame["name"] = [
        f"{row.study}/{row.course}/{format_duration(row.since)}" for row in frame.itertuples()
    ]
    frame["offset"] = centred_offsets(frame, ["since"]) if len(frame) else 0.0
    curves = [pd.DataFrame(columns=["course", "since", "estimate", "ci_low", "ci_high"])]
    curves[0]["is_extrapolated"] = False
    for course in model.courses:
        if course.curve is not None:
            grid = np.geomspace(course.curve.start, course.longest, _STEPS)
            beyond = np.geomspace(course.longest, _BEYOND * course.longest, _STEPS // 4)[1:]
            days = [*grid[:-1], course.longest, *beyond]
            predicted = course.predict(days, question.measure)
            curves.append(predicted.assign(course=course.course))
    curve = pd.concat(curves[1:] or curves, ignore_index=True)
    identity = f"fig-time-course-{question.measure}"
    what = f"{MEASURE_LABELS[question.measure]} of {question.outcome}"
    return TimeCourseLayout(
        id=identity,
        title=f"Time course since the last dose: {what}",
        caption=_caption(identity, model, frame),
        alt=_alt(model, frame, curve),
        reading=tuple(_sentence(model, row) for row in frame.itertuples()),
        frame=frame,
        methods=ci_methods("effect", "effect", "estimate", "ci_low", "ci_high")
        | {"since": "days", "weight": "time_course"},
        empty=""
        if len(frame)
        else "No study here has an effect at a known time after a last dose.",
        measure=question.measure,
        outcome=question.outcome,
        better=model.better,
        curve=curve,
    )


def _caption(identity: str, model: TimeModel, frame: pd.DataFrame) -> Sentence:
    rows = row_addresses(frame)
    fields: Fields = {
        "effects": count(len(frame), "effect", rows, "effect"),
        "studies": count(frame["study"].nunique(), "study", rows, "studies"),
        "treatment": join_words(model.question.treatments) or "all treatments",
        "level": confidence_level(model.confidence),
        "start": format_duration(model.question.time_days),
    }
    parts = [
        "{effects} of {treatment} in {studies} against comparators without it, with {level} "
        "confidence intervals, over the time since the last dose, from {start} on, on a log scale; "
        "a line joins the times of one study, and studies at one time are drawn side by side.",
        side_text(model.question.measure, model.better),
    ]
    if any(course.curve is not None for course in model.courses):
        fields["shape"] = SHAPE_LABELS[model.shape]
        fields["rho"] = parameter(model.rho, f"{model.rho:g}")
        parts.append(
            "Areas of the marks show the weight of each study in its curve. The curve is {shape} on "
            "the scale of pooling, with random effects between studies and a correlation of {rho} "
            "between the times of one study; its band is pointwise at the same level, and it is "
            "dashed beyond the longest time measured."
        )
    for course in model.courses:
        if course.curve is None:
            after = f"No curve after {COURSE_LABELS[course.course]}"
            fields[course.course] = f"{after}: {'; '.join(course.reasons)}"
            parts.append(f"{{{course.course}}}.")
    return Sentence(f"{identity}.caption", " ".join(parts), fields)


def _alt(model: TimeModel, frame: pd.DataFrame, curve: pd.DataFrame) -> str:
    outcome = model.question.outcome
    if frame.empty:
        return f"Chart of {outcome} over the time since the last dose, without any effect size."
    times = [format_duration(day) for day in (frame["since"].min(), frame["since"].max())]
    text = (
        f"Chart of {outcome} over the time since the last dose: {count(len(frame), 'effect')} of "
        f"{count(frame['study'].nunique(), 'study')} after {' to '.join(dict.fromkeys(times))}"
    )
    inside = curve[~curve["is_extrapolated"].astype(bool)]
    curves = []
    for course, line in inside.groupby("course", sort=False):
        ends = format_estimates(model.question.measure, *line["estimate"].iloc[[0, -1]])
        curves.append(f"{' to '.join(ends)} after {COURSE_LABELS[str(course)]}")
    return f"{text}; the curve goes from {join_words(curves)}." if curves else f"{text}, no curve."


def _sentence(model: TimeModel, row) -> str:
    estimate, low, high = format_estimates(
        model.question.measure, row.estimate, row.ci_low, row.ci_high
    )
    weight = f", weight {100 * row.weight:.0f}%" if np.isfinite(row.weight) else ""
    interval = f"({ci_label(model.confidence)} {low} to {high})"
    after = f"{format_duration(row.since)} after {COURSE_LABELS[row.course]}"
    return f"{row.label}, {after}: {estimate} {interval}{weight}."


@draw.register
@style.house_style()
def draw_time_course(layout: TimeCourseLayout, width: float = style.DOUBLE_COLUMN):
    """Draw the curves with their bands, and over them the times of each study."""
    figure, axes = style.new_figure(width, 4.2)
    frame, curve = layout.frame, layout.curve
    marks = []
    for course in dict.fromkeys(frame["course"]):
        mark, colour = LOOKS[course]
        draw_curve(axes, curve[curve["course"] == course], "since", colour)
        marks.append(style.key(mark, colour, f"after {COURSE_LABELS[course]}", is_filled=False))
    x = frame["since"] * np.exp(_side_step(frame, curve, width) * frame["offset"])
    is_named = frame["study"].nunique() <= MOST_NAMES
    for (course, _), rows in frame.groupby(["course", "study"], sort=False):
        mark, colour = LOOKS[course]
        place = x[rows.index]
        look = {"color": colour, "lw": 1, "alpha": 0.75 if is_named else 0.3, "zorder": 1.5}
        axes.vlines(place, rows["ci_low"], rows["ci_high"], **look)
        axes.plot(place, rows["estimate"], **look)
        sizes = bubble_sizes(rows["weight"])
        axes.scatter(
            place, rows["estimate"], s=sizes, marker=mark, c="white", ec=colour, lw=1.6, zorder=3
        )
    axes.axhline(NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
    _format_time_axis(axes, [*x, *curve["since"]], max_ticks=6 if style.is_narrow(width) else 12)
    label = effect_label(layout.measure, layout.outcome, layout.better)
    axes.set_ylabel(label.replace(" · ", "\n") if style.is_narrow(width) else label)
    format_effect_axis(axes, layout.measure, frame, curve)
    if len(curve):
        line = {"color": style.QUIET, "lw": 2}
        marks.append(line | {"label": "curve over all studies, with its band"})
        marks.append(
            line | {"ls": (0, (3, 2)), "label": "extrapolated: later than any of these studies"}
        )
    last = frame.groupby(["course", "study"], sort=False).tail(1)
    names = number_marks(axes, x[last.index], last) if is_named else ""
    legend_with_names(figure, marks, names, width)
    return figure


def _side_step(frame: pd.DataFrame, curve: pd.DataFrame, width: float) -> float:
    """Return how far apart, in log time, studies at one time stand: as far as names need.

    Where there are too many studies to name, they stay close to their time.
    """
    days = [*frame["since"], *curve["since"]]
    span = max(np.log(max(days) / min(days)), 1.0)
    most = 2 * frame["offset"].abs().max() + 1
    is_named = frame["study"].nunique() <= MOST_NAMES
    side = style.LINE / (width - 0.9)
    return float((side if is_named else min(side, 0.04 / most)) * span)


def _format_time_axis(axes, days: list[float], max_ticks: int) -> None:
    axes.set_xscale("log")
    low, high = min(days) / 1.25, max(days) * 1.1
    axes.set_xlim(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    ticks = ticks[:: -(-len(ticks) // max_ticks) or 1]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=style.SMALL_SIZE)
    axes.minorticks_off()
    axes.set_xlabel("days since the last dose (log scale)")
