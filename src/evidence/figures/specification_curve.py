"""Specification curve: every way to pool the same studies, and below it what was chosen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.narrative.pooled_results import NO_EFFECT, format_estimates, side_text
from evidence.analysis.narrative.specifications import describe_specifications
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.pooling.specification_curve import (
    CHOICES,
    SpecificationCurve,
)
from evidence.analysis.pooling.study_effects import RATIOS
from evidence.figures import style
from evidence.figures.layout import Layout, ci_label, draw
from evidence.provenance.sentence import Sentence, confidence_level, count, join_sentences

FAVOURS = {
    "treatment": ("o", style.BLUE, "CI excludes no effect, in favour of the treatment"),
    "comparison": ("s", style.VERMILION, "CI excludes no effect, in favour of the comparator"),
    "": ("_", style.QUIET, "CI includes no effect"),
}
CHOICE_LABELS = {
    "definition": "outcome and time",
    "comparison": "comparator",
    "risk": "risk of bias",
}
VALUE_LABELS = {
    "common": "common effect",
    "dl": "DerSimonian–Laird",
    "pm": "Paule–Mandel",
    "reml": "REML",
    "threelevel": "three-level",
    "bayes": "Bayesian",
    "glmm": "binomial-normal",
    "z": "Wald",
    "knha": "Knapp–Hartung",
    "knha-adhoc": "Knapp–Hartung, ad hoc",
    "cr2": "CR2",
}
STRIPE = "#f4f4f4"
LANE_HEIGHT, MAX_LANES = 0.165, 37
"""Height of a choice in inches, and how many with their headings fit on a page of A4."""
PLOTTED_COLUMNS = ["name", "column", "k", "estimate", "ci_low", "ci_high", "favours"]
# A t interval of two studies may span many orders of magnitude: a ratio axis ends here.
RATIO_LIMITS = (0.05, 50)


@dataclass(frozen=True, kw_only=True)
class SpecificationCurveLayout(Layout):
    """One column per specification, ordered by its estimate.

    `frame` has `column`, `estimate`, `ci_low`, `ci_high`, `favours` and the choices; `lanes` gives
    the values of each choice, top to bottom.
    """

    measure: str
    better: int
    lanes: dict[str, list[str]]


def lay_out_specification_curve(
    curve: SpecificationCurve, *, confidence: float
) -> SpecificationCurveLayout:
    """Lay out all specifications with a pooled estimate, the smallest at the left."""
    frame = curve.pooled.sort_values(["estimate", "ci_low"], kind="stable").reset_index(drop=True)
    frame["column"] = np.arange(len(frame))
    lanes = {
        choice: [value for value in curve.frame[choice].unique() if value in set(frame[choice])]
        for choice in CHOICES
    }
    omitted = _omit_rare_choices(frame, lanes)
    summary = describe_specifications(curve)
    side = side_text(curve.question.measure, curve.better)
    if curve.frame["outcome"].nunique() > 1 and not curve.better:
        side = (
            "The outcomes differ in which side is better; the colours say whom an estimate favours."
        )
    measure = curve.question.measure
    label = MEASURE_LABELS[measure]
    low, high = format_estimates(measure, frame["estimate"].min(), frame["estimate"].max())
    return SpecificationCurveLayout(
        id="fig-specifications",
        title="Sensitivity to analytic choices: the same question pooled in every way",
        caption=join_sentences(
            "fig-specifications.caption",
            summary,
            Sentence(
                "",
                "Each column is a specification, ordered by its {kind}, with its {level} "
                "confidence interval; the marks below show what was chosen in it. Confidence "
                f"intervals are cut at the frame. {side}",
                {"kind": label, "level": confidence_level(confidence)},
            ),
            *omitted,
        ),
        alt=f"Specification curve of {count(len(frame), 'pooled estimate')}, {label} from {low} to "
        f"{high}. {summary}",
        reading=tuple(
            _specification_sentence(measure, row, confidence) for row in frame.to_dict("records")
        ),
        frame=frame[[*PLOTTED_COLUMNS, *CHOICES, "address"]],
        methods=dict.fromkeys(["k", "estimate", "ci_low", "ci_high"], "specification"),
        empty="" if len(frame) else str(summary),
        measure=measure,
        better=curve.better,
        lanes=lanes,
    )


def _omit_rare_choices(frame: pd.DataFrame, lanes: dict[str, list[str]]) -> list[Sentence]:
    """Remove the rarest values of the longest choices until the lanes fit on a page; say so."""
    omitted = 0
    while sum(1 + len(values) for values in lanes.values()) > MAX_LANES:
        choice = max(lanes, key=lambda name: len(lanes[name]))
        uses = frame[choice].value_counts()
        lanes[choice].remove(min(reversed(lanes[choice]), key=uses.__getitem__))
        omitted += 1
    number = {"omitted": count(omitted, "choice")}
    text = "Not shown below the curve: {omitted} with the fewest estimates, which the numbers of "
    return [Sentence("", f"{text}this figure name.", number)] if omitted else []


def _specification_sentence(measure: str, row: dict, confidence: float) -> str:
    choices = ", ".join(str(row[choice]) for choice in CHOICES)
    estimate, low, high = format_estimates(measure, row["estimate"], row["ci_low"], row["ci_high"])
    studies = count(row["k"], "study")
    return (
        f"{choices}: {estimate} ({ci_label(confidence)} {low} to {high}), {studies}; "
        f"{FAVOURS[row['favours']][2]}."
    )


@draw.register
@style.house_style()
def draw_specification_curve(layout: SpecificationCurveLayout, width: float = style.DOUBLE_COLUMN):
    """Draw the curve above and the choices as dots below, on the same columns."""
    lanes = [
        (choice, value) for choice, values in layout.lanes.items() for value in (None, *values)
    ]
    height = LANE_HEIGHT * len(lanes)
    figure, (curve, choices) = style.new_figure(
        width, 3.2 + height, nrows=2, sharex=True, height_ratios=[2.4, height]
    )
    _draw_curve(curve, layout)
    for y, (choice, value) in enumerate(lanes):
        if value and y % 2:
            choices.axhspan(y - 0.5, y + 0.5, color=STRIPE, lw=0)
        _draw_choice(choices, y, layout.frame[layout.frame[choice] == value])
    labels = VALUE_LABELS | CHOICE_LABELS
    names = [labels.get(value or choice, value or choice) for choice, value in lanes]
    style.label_rows(choices, names, 0.4)
    for text, (_, value) in zip(choices.get_yticklabels(), lanes, strict=True):
        text.set_fontweight("normal" if value else "bold")
    choices.set_xticks([])
    choices.spines[["left", "bottom"]].set_visible(False)
    choices.set_xlim(-1, len(layout.frame))
    numbers = layout.frame["favours"].value_counts()
    marks = [
        style.key(mark, colour, f"{words} ({numbers[favours]})", ms=5, mew=1.5)
        for favours, (mark, colour, words) in FAVOURS.items()
        if favours in numbers
    ]
    style.legend(figure, marks, loc="left", ncols=1)
    return figure


def _draw_curve(axes, layout: SpecificationCurveLayout):
    frame = layout.frame
    for favours, (mark, colour, _) in FAVOURS.items():
        rows = frame[frame["favours"] == favours]
        interval = {"bottom": rows["ci_low"], "width": 1, "color": colour, "alpha": 0.3, "lw": 0}
        axes.bar(rows["column"], rows["ci_high"] - rows["ci_low"], **interval)
        axes.plot(rows["column"], rows["estimate"], mark, color=colour, ms=3)
    axes.axhline(NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
    axes.set_ylabel(style.favours_label(MEASURE_LABELS[layout.measure], layout.better))
    axes.grid(axis="y")
    if layout.measure in RATIOS:
        low, high = frame["ci_low"].min() / 1.2, frame["ci_high"].max() * 1.6
        style.format_ratio_axis(axes.yaxis, max(low, RATIO_LIMITS[0]), min(high, RATIO_LIMITS[1]))


def _draw_choice(axes, y: int, frame: pd.DataFrame):
    """Draw a tick per specification, or its mark above where the CI excludes no effect."""
    for favours, (mark, colour, _) in FAVOURS.items():
        rows = frame[frame["favours"] == favours]
        shape, size = (mark, 3.5) if favours else ("|", 5)
        axes.plot(rows["column"], [y] * len(rows), shape, ms=size, mew=1.2, color=colour)
