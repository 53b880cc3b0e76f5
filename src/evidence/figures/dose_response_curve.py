"""A dose–response curve over trials with its band, each arm as a bubble by the weight of its trial."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from evidence.analysis.doses import dose_name, one_dose_sentence, units_left_out
from evidence.analysis.narrative.pooled_results import NO_EFFECT, format_estimates, side_text
from evidence.analysis.pooling.dose_response import SHAPE_LABELS, DoseModel
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.pooling.study_effects import half_widths
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
)

_STEPS = 121


@dataclass(frozen=True, kw_only=True)
class DoseResponseLayout(Layout):
    """One mark per treated arm, and the curve.

    `frame` has `dose` in `dose_unit`, `offset` (to set arms of one dose apart), `estimate`,
    `ci_low`, `ci_high`, `weight` (NaN without a curve) and `label`; `curve` the predictions of
    `DoseModel.predict`, empty where there is no curve. `better` is the side of no effect that
    favours the treatment: 1 above, -1 below, 0 neither.
    """

    measure: str
    outcome: str
    better: int
    curve: pd.DataFrame = field(repr=False)


def lay_out_dose_response_curve(
    model: DoseModel, *, doses: Sequence[float] = ()
) -> DoseResponseLayout:
    """Lay out the arms of a dose model and its curve, drawn up to the largest of these doses.

    Without a curve the arms alone are shown, and the caption says why.
    """
    question, arms = model.question, model.arms
    inverse = INVERSE_LINK.get(question.measure, np.asarray)
    half = half_widths(arms, model.confidence).to_numpy()
    yi = arms["yi"].to_numpy(float)
    frame = pd.DataFrame(
        {
            "study": arms["study"],
            "label": arms["label"],
            "dose": arms["dose"].to_numpy(float),
            "dose_unit": model.unit,
            "days": arms["days"],
            "estimate": inverse(yi),
            "ci_low": inverse(yi - half),
            "ci_high": inverse(yi + half),
            "weight": arms["weight"].to_numpy(float),
            "address": arms["address"],
        }
    )
    frame = frame.sort_values(["dose", "study"], kind="stable").reset_index(drop=True)
    frame["name"] = [f"{row.study}/{dose_name(row.dose, model.unit)}" for row in frame.itertuples()]
    frame["offset"] = centred_offsets(frame, ["dose"]) if len(frame) else 0.0
    curve = pd.DataFrame(columns=["dose", "estimate", "ci_low", "ci_high", "is_extrapolated"])
    if model.curve is not None:
        largest = max([*doses, *frame["dose"]])
        # The ends of the observed doses are points of the curve, so that the dashes start there.
        grid = np.unique([*np.linspace(0, largest, _STEPS), *model.dose_range])
        curve = model.predict(grid.tolist())
    identity = f"fig-dose-response-{question.measure}"
    what = f"{MEASURE_LABELS[question.measure]} of {question.outcome}"
    return DoseResponseLayout(
        id=identity,
        title=f"Dose–response curve over trials: {what}",
        caption=_caption(identity, model, frame),
        alt=_alt(model, frame, curve),
        reading=(
            *(_arm_sentence(model, row) for row in frame.itertuples()),
            *(_dose_sentence(model, row) for row in _predictions(model, doses).itertuples()),
        ),
        frame=frame,
        methods=ci_methods("effect", "effect", "estimate", "ci_low", "ci_high")
        | {"days": "days", "weight": "dose_response"},
        empty=one_dose_sentence(frame),
        measure=question.measure,
        outcome=question.outcome,
        better=model.better,
        curve=curve,
    )


def _predictions(model: DoseModel, doses: Sequence[float]) -> pd.DataFrame:
    return model.predict(doses) if model.curve is not None and len(doses) else pd.DataFrame()


def _caption(identity: str, model: DoseModel, frame: pd.DataFrame) -> Sentence:
    rows = row_addresses(frame)
    fields: Fields = {
        "arms": count(len(frame), "treated arm", rows, "effect"),
        "trials": count(frame["study"].nunique(), "trial", rows, "studies"),
        "treatment": join_words(model.question.treatments) or "all treatments",
        "level": confidence_level(model.confidence),
    }
    lead = (
        "{arms} of {treatment} in {trials}, each against the comparator of its own trial, with "
        "{level} confidence intervals; arms of one dose are drawn side by side."
        f"{units_left_out(model.other_units)} " + side_text(model.question.measure, model.better)
    )
    if model.route and model.route != "any":
        fields["route"] = model.route
        lead = lead.replace("{arms} of {treatment}", "{arms} of {treatment} ({route})")
    if model.curve is None:
        fields["reasons"] = "; ".join(model.reasons)
        return Sentence(f"{identity}.caption", f"{lead} No curve: {{reasons}}.", fields)
    fields["shape"] = SHAPE_LABELS[model.shape]
    template = (
        f"{lead} Areas of the marks show the weight of each trial in the curve. The curve is "
        "{shape} on the scale of pooling, starts at no effect by assumption, and has a pointwise "
        "band at the same level; it is dashed where none of these trials gave so little or so much."
    )
    return Sentence(f"{identity}.caption", template, fields)


def _alt(model: DoseModel, frame: pd.DataFrame, curve: pd.DataFrame) -> str:
    if frame.empty:
        return f"Chart of {model.question.outcome} by dose, without any effect size."
    doses = [f"{dose:g}" for dose in dict.fromkeys(model.dose_range)]
    text = (
        f"Chart of {model.question.outcome} by dose: {count(len(frame), 'arm')} of "
        f"{count(frame['study'].nunique(), 'trial')} at {' to '.join(doses)} {model.unit}"
    )
    if curve.empty:
        return f"{text}, without a curve."
    start, end = format_estimates(
        model.question.measure, curve["estimate"].iloc[0], curve["estimate"].iloc[-1]
    )
    label = MEASURE_LABELS[model.question.measure]
    return f"{text}, and a curve of the {label} from {start} to {end}."


def _arm_sentence(model: DoseModel, row) -> str:
    estimate, low, high = format_estimates(
        model.question.measure, row.estimate, row.ci_low, row.ci_high
    )
    weight = f", weight {100 * row.weight:.0f}%" if np.isfinite(row.weight) else ""
    time = format_duration(row.days)
    interval = f"({ci_label(model.confidence)} {low} to {high})"
    return f"{row.label}, {row.dose:g} {model.unit}, {time}: {estimate} {interval}{weight}."


def _dose_sentence(model: DoseModel, row) -> str:
    estimate, low, high = format_estimates(
        model.question.measure, row.estimate, row.ci_low, row.ci_high
    )
    extrapolated = ", extrapolated" if row.is_extrapolated else ""
    interval = f"({ci_label(model.confidence)} {low} to {high})"
    return f"Curve at {row.dose:g} {model.unit}: {estimate} {interval}{extrapolated}."


@draw.register
@style.house_style()
def draw_dose_response_curve(layout: DoseResponseLayout, width: float = style.DOUBLE_COLUMN):
    """Draw the band, the curve (dashed where extrapolated) and the arms, with numbers as a key."""
    figure, axes = style.new_figure(width, 4.2)
    frame, curve = layout.frame, layout.curve
    draw_curve(axes, curve, "dose", style.BLUE)
    largest = max([frame["dose"].max(), *curve["dose"]])
    # Numbers side by side need a tenth of an inch.
    x = frame["dose"] + 0.1 * largest / (width - 0.8) * frame["offset"]
    axes.vlines(x, frame["ci_low"], frame["ci_high"], color=style.VERMILION, lw=1, alpha=0.75)
    sizes = bubble_sizes(frame["weight"])
    axes.scatter(x, frame["estimate"], s=sizes, c="white", ec=style.VERMILION, lw=1.6, zorder=3)
    axes.axhline(NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
    axes.set_xlim(-0.03 * largest, 1.04 * largest)
    axes.set_xlabel(f"dose ({frame['dose_unit'].iloc[0]})")
    axes.set_ylabel(effect_label(layout.measure, layout.outcome, layout.better))
    format_effect_axis(axes, layout.measure, frame, curve)
    if layout.better < 0:
        axes.invert_yaxis()
    marks = [style.key("o", style.VERMILION, "one arm of a trial, with its CI", is_filled=False)]
    if len(curve):
        line = {"color": style.BLUE, "lw": 2}
        marks.append(line | {"label": "curve over all trials, with its band"})
        extrapolated = "extrapolated: none of these trials gave such doses"
        marks.append(line | {"ls": (0, (3, 2)), "label": extrapolated})
    names = number_marks(axes, x, frame) if len(frame) <= MOST_NAMES else ""
    legend_with_names(figure, marks, names, width)
    return figure
