"""Doses across trials: each treated arm against the comparator of its own trial, a row each."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.doses import dose_name, in_main_dose_unit, one_dose_sentence, units_left_out
from evidence.analysis.eligible_evidence import evidence_rows
from evidence.analysis.missing_results import summarise_missing, why_missing
from evidence.analysis.narrative.pooled_results import NO_EFFECT, format_estimates, side_text
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import (
    MEASURE_LABELS,
    Question,
    belongs_to,
    select_study_effects,
)
from evidence.analysis.pooling.study_effects import (
    PRINTED_EFFECTS,
    RATIOS,
    align_sign,
    crossover_without_correlation,
    half_widths,
)
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import UNSIZED_MEASURES
from evidence.figures import style
from evidence.figures.layout import Layout, ci_label, draw, join_names, row_addresses
from evidence.provenance.sentence import (
    Fields,
    Sentence,
    confidence_level,
    count,
    format_duration,
    join_words,
)

BLINDING = {
    "open label": ("D", style.VERMILION, "open label: participants knew"),
    "inactive comparator": ("s", style.YELLOW, "inactive comparator: it cannot be felt"),
    "active placebo": ("o", style.BLUE, "active placebo: it has effects of its own"),
    "indistinguishable": ("^", style.GREEN, "indistinguishable: no difference can be felt"),
    "": ("x", style.QUIET, "not stated"),
}
ARM_COLUMNS = ["study", "label", "dose", "dose_unit", "days", "estimate", "ci_low", "ci_high",
               "direction", "blinding", "address"]  # fmt: skip
DIRECTION_WORDS = {"better": "▲ better", "no difference": "○ no different", "worse": "▼ worse"}
LINE_HEIGHT = 0.19
"""Height of a row in inches."""
UNBOUNDED_WINDOW = 400.0
"""A ratio of times that admits every time, so that each trial is shown at its nearest."""


@dataclass(frozen=True, kw_only=True)
class AllTrialsDoseLayout(Layout):
    """One row per treated arm, below a heading for each dose.

    `frame` has on the natural scale `estimate`, `ci_low`, `ci_high` (NaN where none is reported),
    and `dose` in `dose_unit`, `line` (the row, from the top), `direction` (where no effect size is
    tabulated), `missing` (why it is not), `blinding` and `label`. `better` is the side of no effect
    that favours the treatment: 1 above, -1 below, 0 not known.
    """

    rows_per_page = 40
    measure: str
    outcome: str
    better: int

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Return the fields that differ if the layout has only some of its arms."""
        fields = super().rows(start, end)
        return fields | {"frame": _number_lines(fields["frame"])}


def lay_out_dose_effect_all_trials(
    dataset: Dataset, results: pd.DataFrame, question: Question, *, confidence: float
) -> AllTrialsDoseLayout:
    """Lay out every treated arm with a dose against the comparator of its own trial.

    Doses are shown in the unit of most trials. Each trial is shown at the time nearest to that of
    the question, however far. Effect sizes
    without a confidence interval and directions without an effect size are shown as such.
    """
    question = replace(question, max_time_ratio=UNBOUNDED_WINDOW)
    computed = _computed_effects(dataset, results, question, confidence)
    frame = pd.concat([computed, _other_findings(results, question, computed)], ignore_index=True)
    frame, _, other_units = in_main_dose_unit(frame)
    frame = frame[frame["dose"].notna()]
    frame = frame.sort_values(["dose", "direction", "study"], kind="stable").reset_index(drop=True)
    readings = dataset.readings
    frame["missing"] = [why_missing(readings, study, question.outcome) for study in frame["study"]]
    frame = _number_lines(frame)
    frame["name"] = [
        f"{row.study}/{dose_name(row.dose, row.dose_unit)}" for row in frame.itertuples()
    ]
    identity = f"fig-doses-{question.measure}"
    label = f"{MEASURE_LABELS[question.measure]} of {question.outcome}"
    better = better_side(dataset, question.outcome)
    return AllTrialsDoseLayout(
        id=identity,
        title=f"Dose and effect across trials: {label}",
        caption=_caption(
            identity, question, frame, confidence, side_text(question.measure, better), other_units
        ),
        alt=_alt(question, frame),
        reading=tuple(
            _arm_sentence(question.measure, row, confidence) for row in frame.itertuples()
        ),
        frame=frame,
        methods=dict.fromkeys(["estimate", "ci_low", "ci_high"], "effect") | {"days": "days"},
        empty=one_dose_sentence(frame),
        measure=question.measure,
        outcome=question.outcome,
        better=better,
    )


def _number_lines(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each arm its line, below that of the heading of its dose."""
    return frame.assign(line=np.arange(len(frame)) + (~frame["dose"].duplicated()).cumsum())


def _computed_effects(
    dataset: Dataset, results: pd.DataFrame, question: Question, confidence: float
) -> pd.DataFrame:
    """Return one effect with its confidence interval per treated arm, on the natural scale."""
    arms = select_study_effects(dataset, results, question, separate="arm")
    arms = arms[arms["dose"] > 0]
    margin = half_widths(arms, confidence)
    has_interval = ~crossover_without_correlation(arms)
    back = INVERSE_LINK.get(question.measure, float)
    limits = {
        "estimate": arms["yi"],
        "ci_low": (arms["yi"] - margin).where(has_interval),
        "ci_high": (arms["yi"] + margin).where(has_interval),
    }
    natural = {name: [float(back(y)) for y in values] for name, values in limits.items()}
    return arms.assign(**natural, direction="")[ARM_COLUMNS]


def _other_findings(
    results: pd.DataFrame, question: Question, computed: pd.DataFrame
) -> pd.DataFrame:
    """Return arms with an effect size but no confidence interval, or with a direction only."""
    rows, arm = evidence_rows(results), ["study", "dose", "dose_unit"]
    rows = rows[
        (rows["outcome"] == question.outcome)
        & (rows["role"] == "contrast")
        & (rows["dose"] > 0)
        & ~pd.MultiIndex.from_frame(rows[arm]).isin(pd.MultiIndex.from_frame(computed[arm]))
    ]
    for grouping in ("condition", "treatment"):
        if question.named_values(grouping):
            rows = rows[belongs_to(rows, grouping, question.named_values(grouping))]
    measure, _ = PRINTED_EFFECTS[question.measure]
    # Set before rows are removed: a column that is added to an empty frame gets another type.
    rows = rows.assign(sized=rows["measure"].eq(measure) & rows["value"].notna())
    rows = rows[rows["sized"] | rows["measure"].isin(UNSIZED_MEASURES)]
    rows = rows.sort_values("sized", ascending=False, kind="stable")
    rows = rows.drop_duplicates(arm)
    values = [
        align_sign(row, question.measure, np.full(3, row["value"]))[0] for _, row in rows.iterrows()
    ]
    rows = rows.assign(
        estimate=pd.Series(values, rows.index, dtype=float).where(rows["sized"]),
        ci_low=np.nan,
        ci_high=np.nan,
        direction=rows["direction"].where(~rows["sized"], ""),
    )
    return rows[ARM_COLUMNS]


def _caption(
    identity: str,
    question: Question,
    frame: pd.DataFrame,
    confidence: float,
    side: str,
    other_units: list[str],
) -> Sentence:
    is_sized = frame["direction"] == ""
    shared = frame.loc[frame["study"].duplicated(keep=False), "label"].unique()
    sized, worded = frame[is_sized], frame[~is_sized]
    fields: Fields = {
        "arms": count(len(sized), "treated arm", row_addresses(sized), "effect"),
        "treatment": join_words(question.treatments) or "all treatments",
        "level": confidence_level(confidence),
        "worded": count(len(worded), "arm", row_addresses(worded), "effect"),
        "shared": join_names(shared),
    }
    template = (
        "{arms} of {treatment}, each against the comparator of its own trial at the time nearest "
        "to that asked for, with {level} confidence intervals. An open mark has none: none is "
        "tabulated, or the two groups are the same participants. Shape and colour say whether "
        f"participants could tell what they received. {side}"
    )
    if len(worded):
        template += " For {worded} only the direction is tabulated, given in words"
        if missing := summarise_missing(worded["missing"]):
            fields["missing"] = missing
            template += "; the size was {missing}"
        template += "."
    if len(shared):
        template += " The arms of {shared} share one comparator group."
    template += units_left_out(other_units)
    return Sentence(f"{identity}.caption", template, fields)


def _alt(question: Question, frame: pd.DataFrame) -> str:
    """State the range of doses and of effects."""
    sized = frame[frame["direction"] == ""]
    if sized.empty:
        return f"Chart of {question.outcome} by dose, without any effect size."
    low, high = format_estimates(question.measure, sized["estimate"].min(), sized["estimate"].max())
    doses = sorted(sized["dose"].unique())
    span = f"at {doses[0]:g}" if len(doses) == 1 else f"from {doses[0]:g} to {doses[-1]:g}"
    return (
        f"Chart of {question.outcome} by dose: {count(len(sized), 'arm')} of "
        f"{count(sized['study'].nunique(), 'trial')} {span} {sized['dose_unit'].iloc[0]}, "
        f"{MEASURE_LABELS[question.measure]} {low if low == high else f'from {low} to {high}'}."
    )


def _arm_sentence(measure: str, row, confidence: float) -> str:
    blinding = f", {row.blinding}" if row.blinding else ""
    arm = f"{row.label}, {row.dose:g} {row.dose_unit}, {format_duration(row.days)}{blinding}"
    if row.direction:
        return f"{arm}: {row.direction}, size {row.missing}."
    estimate, low, high = format_estimates(measure, row.estimate, row.ci_low, row.ci_high)
    has_interval = np.isfinite(row.ci_low)
    interval = f"({ci_label(confidence)} {low} to {high})" if has_interval else "(no CI tabulated)"
    return f"{arm}: {estimate} {interval}."


@draw.register
@style.house_style()
def draw_dose_effect_all_trials(layout: AllTrialsDoseLayout, width: float = style.DOUBLE_COLUMN):
    """Draw effects to the right where they favour the treatment; directions in words."""
    frame, narrow = layout.frame, style.is_narrow(width)
    lines = int(frame["line"].max()) + 1
    sized = frame[frame["direction"] == ""]
    present = set(sized["blinding"])
    marks = [style.key(*look) for blinding, look in BLINDING.items() if blinding in present]
    if sized["ci_low"].isna().any():
        marks.append(style.key("o", style.INK, "open mark: no CI tabulated", is_filled=False))
    figure, axes = style.new_figure(width, LINE_HEIGHT * (lines + len(marks)) + 0.7)
    _name_rows(figure, axes, frame, lines, 0.42 * width)
    for row in sized.itertuples():
        _draw_arm(axes, row)
        if not narrow:
            text = _effect_text(layout.measure, row)
            beside = {"transform": axes.get_yaxis_transform(), "fontsize": style.SMALL_SIZE}
            axes.text(1.02, row.line, text, va="center", **beside)
    axes.axvline(NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--", zorder=0)
    _format_effect_axis(axes, layout, narrow)
    _write_directions(axes, layout, narrow)
    style.legend(figure, marks, loc="left", ncols=1 if narrow else 2)
    return figure


def _name_rows(figure, axes, frame: pd.DataFrame, lines: int, room: float):
    """Name each row by trial and time, cut to `room` inches, and each dose in bold above its rows."""
    names = [""] * lines
    for row in frame.itertuples():
        names[row.line - 1] = names[row.line - 1] or f"{row.dose:g} {row.dose_unit}"
        time = f", {format_duration(row.days)}" if np.isfinite(row.days) else ""
        label_room = room - style.text_width(figure, time)
        names[row.line] = style.wrap_text(figure, row.label, label_room, max_lines=1) + time
    style.label_rows(axes, names, 0.4)
    for line in set(range(lines)) - set(frame["line"]):
        axes.get_yticklabels()[line].set_fontweight("bold")


def _effect_text(measure: str, row) -> str:
    estimate, low, high = format_estimates(measure, row.estimate, row.ci_low, row.ci_high)
    return f"{estimate} ({low} to {high})" if np.isfinite(row.ci_low) else f"{estimate} (no CI)"


def _draw_arm(axes, row):
    """Draw an effect; open without a confidence interval."""
    mark, colour, _ = BLINDING[row.blinding]
    has_interval = np.isfinite(row.ci_low)
    if has_interval:
        axes.hlines(row.line, row.ci_low, row.ci_high, color=colour, lw=1.5)
    axes.plot(row.estimate, row.line, mark, ms=5.5, mec=colour, mfc=colour if has_interval else "w")


def _format_effect_axis(axes, layout: AllTrialsDoseLayout, narrow: bool):
    """Turn the axis so that the right side favours the treatment."""
    limits = layout.ends("estimate", "ci_low", "ci_high").ravel()
    if layout.measure in RATIOS:
        low, high = np.nanmin([0.5, *limits]), np.nanmax([2.0, *limits])
        style.format_ratio_axis(axes.xaxis, low / 1.2, 1.2 * high, 5 if narrow else 12)
    else:
        axes.set_xlim(np.nanmin([-0.5, *limits]) - 0.1, np.nanmax([0.5, *limits]) + 0.1)
    if layout.better < 0:
        axes.invert_xaxis()
    name = f"{MEASURE_LABELS[layout.measure]} of {layout.outcome}"
    # The axis of a narrow chart is narrower than its name.
    axes.set_xlabel(
        style.favours_label(name, abs(layout.better)), loc="right" if narrow else "center"
    )
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _write_directions(axes, layout: AllTrialsDoseLayout, narrow: bool):
    """Write on the wider side of no effect what is tabulated of an arm without an effect size."""
    no_effect = NO_EFFECT[layout.measure]
    ((x, _),) = axes.transAxes.inverted().transform(axes.transData.transform([(no_effect, 0)]))
    side = 1 if x < 0.5 else -1
    look = {"ha": "left" if side > 0 else "right", "va": "center", "fontsize": style.SMALL_SIZE}
    for row in layout.frame[layout.frame["direction"] != ""].itertuples():
        text = DIRECTION_WORDS[row.direction]
        text += "" if narrow else f", size {row.missing.partition(' (')[0]}"
        style.annotate(axes, text, (no_effect, row.line), (5 * side, 0), **look)
