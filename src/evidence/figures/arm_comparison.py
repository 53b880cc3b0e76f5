"""Two arms of each study compared on one outcome: proportions, risk difference and risk ratio."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_pairs
from evidence.analysis.eligible_evidence import OUTCOME_KINDS, evidence_rows
from evidence.analysis.missing_results import summarise_missing, why_missing
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.figures import style
from evidence.figures.layout import Layout, ci_label, draw
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    NOT_ESTIMABLE,
    Sentence,
    confidence_level,
    count,
    escape_braces,
    format_interval,
    format_number,
    format_percent,
    format_time,
    join_words,
    slug,
)

METHODS = (
    ci_methods("proportion", "wilson", "proportion1", "proportion1_low", "proportion1_high")
    | ci_methods("proportion", "wilson", "proportion2", "proportion2_low", "proportion2_high")
    | ci_methods("difference", "newcombe", "rd", "rd_low", "rd_high")
    | ci_methods("ratio", "katz", "rr", "rr_low", "rr_high")
    | {"events1": "proportion", "events2": "proportion", "days": "days"}
)
RANDOMISATION = {"yes": ("", ""), "no": ("was not randomised", "\nNOT RANDOMISED")}
UNCLEAR = ("is not known to be randomised", "\nrandomisation unclear")


class ArmComparisonLayout(Layout):
    """One block per pair of arms.

    `frame` has the columns of `arm_pairs`, `guide1` and `guide2` (the proportions that the guide
    gives for the same arms) and `warning`.
    """


def lay_out_arm_comparison(
    dataset: Dataset, results: pd.DataFrame, *, outcome: str, confidence: float = 0.95
) -> ArmComparisonLayout:
    """Lay out every pair of arms with counts for `outcome`, with the guide's proportions."""
    rows = results[results["outcome"] == outcome]
    frame = arm_pairs(rows, confidence=confidence)
    guide = rows[rows["is_guide"] & rows["value"].notna()].set_index(["study", "arm"])
    guide = guide.loc[~guide.index.duplicated(), ["value", "address"]]
    for column, arm in (("guide1", "arm"), ("guide2", "versus")):
        values = guide.reindex(pd.MultiIndex.from_frame(frame[["study", arm]]))
        frame[column] = values["value"].to_numpy(float)
        addresses = frame["address"] + " " + values["address"].fillna("").to_numpy(str)
        frame["address"] = addresses.str.strip()
    warnings = [RANDOMISATION.get(word, UNCLEAR)[0] for word in frame["randomised"]]
    frame["warning"] = [
        f"{label} {warning}." if warning else ""
        for label, warning in zip(frame["label"], warnings, strict=True)
    ]
    identity = f"fig-{slug(outcome)}"
    guide_words = "; open diamonds are what the guide says" if _has_guide(frame) else ""
    return ArmComparisonLayout(
        id=identity,
        title=f"{outcome.capitalize()}: two arms of each study compared",
        caption=Sentence(
            f"{identity}.caption",
            f"Left: proportion of participants with {escape_braces(outcome)} in each arm, with {{level}} "
            f"Wilson confidence intervals{guide_words}. Middle: risk difference in percentage "
            "points (Newcombe confidence interval). Right: risk ratio on a log scale (confidence "
            "interval of its logarithm). An interval that crosses the dashed line is compatible "
            "with no difference. {side}{warnings}{undrawn}",
            {
                "level": confidence_level(confidence),
                "side": _side(dataset, outcome),
                "warnings": "".join(f" {w}" for w in frame["warning"] if w),
                "undrawn": _undrawn(dataset, rows, frame, outcome),
            },
        ),
        alt=_alt(frame, outcome),
        reading=tuple(_pair_sentence(row, outcome, confidence) for row in frame.itertuples()),
        frame=frame,
        methods=METHODS,
        empty="" if len(frame) else f"No two arms with counts of {outcome} among these results.",
    )


@as_listing
def lay_out_arm_comparisons(
    dataset: Dataset,
    results: pd.DataFrame,
    *,
    outcomes: Sequence[str] = (),
    confidence: float = 0.95,
) -> tuple[ArmComparisonLayout, ...]:
    """Lay out one chart per outcome; without `outcomes`, for each that two arms have counts for."""
    if not outcomes:
        benefits_and_harms = results[results["kind"].isin(OUTCOME_KINDS)]
        compared = set(arm_pairs(benefits_and_harms, confidence=confidence)["outcome"])
        outcomes = [name for name in benefits_and_harms["outcome"].unique() if name in compared]
    return tuple(
        lay_out_arm_comparison(dataset, results, outcome=outcome, confidence=confidence)
        for outcome in outcomes
    )


def _undrawn(dataset: Dataset, rows: pd.DataFrame, frame: pd.DataFrame, outcome: str) -> str:
    """Name the studies with a comparator whose arms cannot be compared by counts, and why."""
    evidence = evidence_rows(rows[~rows["comparator_kind"].isin(["", "none"])])
    studies = evidence.loc[~evidence["study"].isin(frame["study"]), ["study", "label"]]
    studies, readings = studies.drop_duplicates(), dataset.readings
    reasons = studies["study"].map(
        lambda study: summarise_missing([why_missing(readings, study, outcome)])
    )
    parts = [
        join_words(labels) + (f" ({reason})" if reason else "")
        for reason, labels in studies["label"].groupby(reasons, sort=False)
    ]
    return f" Without counts of both arms in the tables: {'; '.join(parts)}." if parts else ""


def _side(dataset: Dataset, outcome: str) -> str:
    """Say which arm is favoured if more of its participants have the outcome."""
    favoured = {1: "first", -1: "second"}.get(better_side(dataset, outcome))
    if favoured is None:
        return "Which side favours the first arm is not stated for this outcome."
    return f"Differences above 0 and ratios above 1 favour the {favoured} arm."


def _has_guide(frame: pd.DataFrame) -> bool:
    return bool(frame[["guide1", "guide2"]].notna().any(axis=None))


def _alt(frame: pd.DataFrame, outcome: str) -> str:
    """Name the studies, and in how many comparisons the risk difference excludes zero."""
    if frame.empty:
        return ""
    clear = int(((frame["rd_low"] > 0) | (frame["rd_high"] < 0)).sum())
    return (
        f"Chart of {outcome} in two arms of {join_words(frame['label'].unique())}: both "
        "proportions, risk difference and risk ratio, with confidence intervals. The confidence "
        f"interval of the risk difference excludes zero in {clear} of "
        f"{count(len(frame), 'comparison')}."
    )


def _pair_sentence(row, outcome: str, confidence: float) -> str:
    label = ci_label(confidence)
    ratio = f"risk ratio {NOT_ESTIMABLE}"
    if np.isfinite(row.rr_low):
        ends = format_interval(row.rr_low, row.rr_high)
        ratio = f"risk ratio {format_number(row.rr)} ({label} {ends})"
    guide = [
        f"{format_percent(proportion)} with {arm}"
        for proportion, arm in ((row.guide1, row.arm), (row.guide2, row.versus))
        if np.isfinite(proportion)
    ]
    return (
        f"{row.label}, {outcome} at {format_time(row.time, row.time_unit)}: "
        f"{row.events1} of {row.n1} ({format_percent(row.proportion1, row.n1)}) with {row.arm}, "
        f"{row.events2} of {row.n2} ({format_percent(row.proportion2, row.n2)}) with {row.versus}. "
        f"Risk difference {_points(row.rd)} percentage points ({label} {_points(row.rd_low)} to "
        f"{_points(row.rd_high)}); {ratio}."
        + (f" The guide says {join_words(guide)}." if guide else "")
        + (f" {row.warning}" if row.warning else "")
    )


def _points(proportion: float) -> str:
    """Return a difference of proportions in percentage points, with its sign."""
    return f"{100 * proportion:+.0f}".replace("-", "−")


@draw.register
@style.house_style()
def draw_arm_comparison(layout: ArmComparisonLayout, width: float = style.DOUBLE_COLUMN):
    """Draw three panels: both proportions, the risk difference, the risk ratio."""
    frame = layout.frame
    figure, panels = style.new_figure(
        width, 1.02 * len(frame) + 1.7, ncols=3, sharey=True, width_ratios=[5, 4, 4]
    )
    proportions, difference, ratio = panels
    for line, row in enumerate(frame.itertuples()):
        _draw_proportions(proportions, row, line)
        text = f"{_points(row.rd)} ({_points(row.rd_low)} to {_points(row.rd_high)})"
        _draw_effect(difference, line, 100 * row.rd, 100 * row.rd_low, 100 * row.rd_high, text)
        if np.isfinite(row.rr_low):
            text = f"{format_number(row.rr)} ({format_interval(row.rr_low, row.rr_high)})"
            _draw_effect(ratio, line, row.rr, row.rr_low, row.rr_high, text)
        else:
            style.annotate(ratio, NOT_ESTIMABLE, (1, line), (6, 0), fontsize=8.5, va="center")
    _format_proportions(proportions, frame)
    _format_effects(difference, ratio, frame)
    for panel in panels:
        panel.grid(axis="x")
        for line in range(1, len(frame)):
            panel.axhline(line - 0.5, color=style.FAINT, lw=0.8)
    figure.get_layout_engine().set(wspace=0.06)
    _add_legend(figure, frame)
    return figure


def _draw_proportions(panel, row, line):
    """Draw the two arms of a pair, each with its counts: the first above, the second below."""
    for role, arm, events, n, proportion, low, high, guide in (
        ("intervention", row.arm, row.events1, row.n1, row.proportion1,
         row.proportion1_low, row.proportion1_high, row.guide1),
        ("comparator", row.versus, row.events2, row.n2, row.proportion2,
         row.proportion2_low, row.proportion2_high, row.guide2),
    ):  # fmt: skip
        is_first = role == "intervention"
        y, colour = line - 0.2 if is_first else line + 0.2, style.COLOUR_OF_ARM[role]
        panel.plot([low, high], [y, y], color=colour, lw=1.6)
        panel.plot(proportion, y, style.MARK_OF_ARM[role], ms=7, color=colour)
        if np.isfinite(guide):
            panel.plot(guide, y, "D", ms=10, mfc="none", mec=style.VERMILION, mew=1.5)
        text = f"{arm}: {events}/{n} ({format_percent(proportion, n)})"
        look = {"color": colour, "va": "bottom" if is_first else "top"}
        style.annotate(panel, text, (0, y), (4, 8 if is_first else -8), fontsize=8, **look)


def _draw_effect(panel, line, estimate, low, high, text):
    panel.plot([low, high], [line, line], color=style.INK, lw=1.6)
    panel.plot(estimate, line, "D", ms=7, color=style.INK)
    style.annotate(panel, text, (estimate, line), (0, 9), ha="center", fontsize=8.5)


def _format_proportions(panel, frame):
    # The scale tells apart comparisons of the same arms at the same time.
    is_ambiguous = frame.duplicated(["study", "arm", "versus", "time", "time_unit"], keep=False)
    scales = frame["instrument"].where(is_ambiguous, "")
    names = [
        f"{row.label}\n{format_time(row.time, row.time_unit)}{f', {scale}' if scale else ''}"
        + RANDOMISATION.get(row.randomised, UNCLEAR)[1]
        for row, scale in zip(frame.itertuples(), scales, strict=True)
    ]
    style.label_rows(panel, names)
    for label, randomised in zip(panel.get_yticklabels(), frame["randomised"], strict=True):
        if randomised != "yes":
            label.set_color(style.VERMILION)
    style.format_percent_axis(panel)
    panel.set_title("Proportion in each arm", pad=8)


def _format_effects(difference, ratio, frame):
    difference.axvline(0, color=style.QUIET, lw=1, ls="--")
    high = 1.25 * max(100 * frame[["rd_low", "rd_high"]].abs().max(axis=None), 10)
    difference.set_xlim(min(-20, 100 * frame["rd_low"].min() * 1.4), high)
    difference.set_title("Risk difference", pad=8)
    sides = frame["better"].map({"higher": 1, "lower": -1}).fillna(0).unique()
    better = int(sides[0]) if len(sides) == 1 else 0
    arms = ("first", "second")
    name = "percentage points, first arm minus second"
    difference.set_xlabel(style.favours_label(name, better, arms))
    ratio.axvline(1, color=style.QUIET, lw=1, ls="--")
    low, high = frame["rr_low"].min() / 1.3, frame["rr_high"].max() * 1.5
    style.format_ratio_axis(ratio.xaxis, min(0.5, low), max(2.0, high))
    ratio.set_title("Risk ratio", pad=8)
    ratio.set_xlabel(style.favours_label("first arm divided by second, log scale", better, arms))


def _add_legend(figure, frame):
    marks = [
        {"marker": style.MARK_OF_ARM[role], "lw": 1.6, "ms": 7, "color": style.COLOUR_OF_ARM[role],
         "label": label}
        for role, label in (("intervention", "first arm"), ("comparator", "second arm"))
    ]  # fmt: skip
    if _has_guide(frame):
        marks.append(style.GUIDE_MARK | {"ms": 10, "mfc": "none"})
    marks.append({"marker": "D", "lw": 1.6, "ms": 7, "color": style.INK, "label": "effect"})
    style.legend(figure, marks, ncols=4, fontsize=8.5)
