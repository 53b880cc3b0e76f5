"""Doses across trials: each treated arm against the comparator of its own trial, by blinding."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evidence.analysis.doses import dose_name, in_main_dose_unit, units_left_out
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
from evidence.figures.layout import Layout, centred_offsets, ci_label, draw, row_addresses
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
DIRECTION_MARKS = {"better": "▲", "no difference": "○", "worse": "▼"}
UNBOUNDED_WINDOW = 400.0
"""A ratio of times that admits every time, so that each trial is shown at its nearest."""


@dataclass(frozen=True, kw_only=True)
class AllTrialsDoseLayout(Layout):
    """One mark per treated arm, by dose.

    `frame` has on the natural scale `estimate`, `ci_low`, `ci_high` (NaN where none is reported),
    and `dose` in `dose_unit`, `offset` (to set arms of one dose apart), `direction` (where no effect size is
    tabulated), `missing` (why it is not), `blinding` and `label`. `better` is the side of no effect
    that favours the treatment: 1 above, -1 below, 0 not known.
    """

    measure: str
    outcome: str
    better: int


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
    frame = pd.concat(
        [computed, _other_findings(results, question, computed["study"])], ignore_index=True
    )
    frame, _, other_units = in_main_dose_unit(frame)
    frame = frame[frame["dose"].notna()]
    frame = frame.sort_values(["dose", "direction", "study"], kind="stable").reset_index(drop=True)
    readings = dataset.readings
    frame["missing"] = [why_missing(readings, study, question.outcome) for study in frame["study"]]
    frame["offset"] = centred_offsets(frame, [frame["dose"], frame["direction"] != ""])
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
        empty="" if len(frame) else "No trial here states a dose and its effect.",
        measure=question.measure,
        outcome=question.outcome,
        better=better,
    )


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


def _other_findings(results: pd.DataFrame, question: Question, computed: pd.Series) -> pd.DataFrame:
    """Return arms with an effect size but no confidence interval, or with a direction only."""
    rows = evidence_rows(results)
    rows = rows[
        (rows["outcome"] == question.outcome)
        & (rows["role"] == "contrast")
        & (rows["dose"] > 0)
        & ~rows["study"].isin(computed)
    ]
    for grouping in ("condition", "treatment"):
        if question.named_values(grouping):
            rows = rows[belongs_to(rows, grouping, question.named_values(grouping))]
    measure, _ = PRINTED_EFFECTS[question.measure]
    # Set before rows are removed: a column that is added to an empty frame gets another type.
    rows = rows.assign(sized=rows["measure"].eq(measure) & rows["value"].notna())
    rows = rows[rows["sized"] | rows["measure"].isin(UNSIZED_MEASURES)]
    rows = rows.sort_values("sized", ascending=False, kind="stable")
    rows = rows.drop_duplicates(["study", "dose", "dose_unit"])
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
        "shared": join_words(shared),
    }
    template = (
        "{arms} of {treatment}, each against the comparator of its own trial at the time nearest "
        "to that asked for, with {level} confidence intervals. An open mark has none: none is "
        "tabulated, or the two groups are the same participants. Shape and colour say whether "
        f"participants could tell what they received. {side}"
    )
    if len(worded):
        template += " For {worded} only the direction is tabulated, shown below the chart"
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
    """Draw one column per dose, its arms side by side; below, directions in words."""
    frame = layout.frame
    doses = sorted(frame["dose"].unique())
    step = 0.8 / max(int(frame.groupby("dose").size().max()), 4)
    worded = frame[frame["direction"] != ""]
    lines = int(worded.groupby("dose").size().max()) if len(worded) else 0
    figure, (axes, strip) = style.new_figure(
        width, 4.8 + 0.2 * lines, nrows=2, sharex=True, height_ratios=[4.2, 0.2 * lines + 0.01]
    )
    sized = frame.assign(x=frame["dose"].map(doses.index) + step * frame["offset"])
    sized = sized[sized["direction"] == ""]
    for row in sized.itertuples():
        _draw_arm(axes, row)
    axes.axhline(NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
    _format_effect_axis(axes, layout)
    _draw_directions(strip, worded, doses)
    strip.set_ylim(max(lines, 1) - 0.4, -0.6)
    strip.spines[["left", "bottom"]].set_visible(False)
    strip.set_xticks(range(len(doses)), [f"{dose:g}" for dose in doses])
    strip.set_xlabel(f"dose ({frame['dose_unit'].iloc[0]})")
    strip.tick_params(axis="x", length=0)
    strip.set_xlim(-0.6, len(doses) - 0.4)
    present = set(sized["blinding"])
    marks = [style.key(*look) for blinding, look in BLINDING.items() if blinding in present]
    style.legend(figure, marks, loc="left", ncols=2, fontsize=8)
    return figure


def _draw_arm(axes, row):
    """Draw an effect with the name of its trial above it; open without a confidence interval."""
    mark, colour, _ = BLINDING[row.blinding]
    top, gap, fill = row.estimate, 8, "white"
    if np.isfinite(row.ci_high):
        axes.vlines(row.x, row.ci_low, row.ci_high, color=colour, lw=1.5)
        top, gap, fill = row.ci_high, 4, colour
    axes.plot(row.x, row.estimate, mark, ms=7, mec=colour, mfc=fill)
    look = {"rotation": 90, "ha": "center", "va": "bottom", "fontsize": 7.5}
    text = f"{row.label}, {format_duration(row.days)}"
    style.annotate(axes, text, (row.x, top), (0, gap), **look)


def _draw_directions(strip, worded: pd.DataFrame, doses: list[float]):
    """Write directions with the names of their trials, one below the other at each dose."""
    strip.set_yticks([])
    for dose, group in worded.groupby("dose"):
        for line, row in enumerate(group.itertuples()):
            is_silent = row.missing == "not reported"
            text = f"{DIRECTION_MARKS[row.direction]} {row.label}{' *' if is_silent else ''}"
            strip.text(doses.index(dose), line, text, ha="center", va="center", fontsize=7.5)
    if len(worded):
        is_unread = worded["missing"].str.startswith("not read")
        key = f"{'size not read' if is_unread.any() else 'direction only'}:"
        key += "\n▲ better  ○ no different"
        key += "\n* size not reported" if (worded["missing"] == "not reported").any() else ""
        strip.set_yticks([0], [key], fontsize=8, va="top")


def _format_effect_axis(axes, layout: AllTrialsDoseLayout):
    """Leave room for the names that stand upright above the marks."""
    frame = layout.frame
    if layout.measure in RATIOS:
        low, high = frame["ci_low"].min() / 1.2, frame["ci_high"].max() * 3
        style.format_ratio_axis(axes.yaxis, np.nanmin([0.5, low]), np.nanmax([2.0, high]))
    else:
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.45 * (high - low))
    name = f"{MEASURE_LABELS[layout.measure]} of {layout.outcome}"
    axes.set_ylabel(style.favours_label(name, layout.better))
    axes.grid(axis="y")
