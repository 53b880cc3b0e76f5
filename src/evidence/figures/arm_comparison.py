"""Two arms of each study compared on one outcome: shares, their difference and their ratio."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from evidence.analysis.arm_comparisons import arm_pairs
from evidence.analysis.gaps.evidence_map import OUTCOME_KINDS
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    Number,
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


@dataclass(frozen=True, kw_only=True)
class ArmComparisonLayout(Layout):
    """One block a pair of arms; `frame` has the columns of `pairs`, `guide1`, `guide2`, `warning`.

    `guide1` and `guide2` are the shares (proportions) that the guide gives for the same arms.
    """

    outcome: str
    confidence: float


def lay_out_arm_comparison(
    results: pd.DataFrame, *, outcome: str, confidence: float = 0.95
) -> ArmComparisonLayout:
    """Every pair of arms with counts for `outcome`, the guide's shares beside them."""
    rows = results[results["outcome"] == outcome]
    return _lay_out(rows, arm_pairs(rows, confidence=confidence), outcome, confidence)


def _lay_out(
    rows: pd.DataFrame, frame: pd.DataFrame, outcome: str, confidence: float
) -> ArmComparisonLayout:
    """The chart of these pairs, of which `rows` are what the guide and its sources say."""
    said = rows[rows["is_guide"] & rows["value"].notna()].set_index(["study", "arm"])
    said = said.loc[~said.index.duplicated(), ["value", "address"]]
    for name, arm in (("guide1", "arm"), ("guide2", "versus")):
        found = said.reindex(pd.MultiIndex.from_frame(frame[["study", arm]]))
        frame[name] = found["value"].to_numpy(float)
        addresses = frame["address"] + " " + found["address"].fillna("").to_numpy(str)
        frame["address"] = addresses.str.strip()
    frame["warning"] = [_warning(row) for row in frame.itertuples()]
    identity = f"fig-{slug(outcome)}"
    return ArmComparisonLayout(
        id=identity,
        title=f"{outcome.capitalize()}: two arms of each study compared",
        caption=Sentence(
            f"{identity}.caption",
            f"Left: share of people with {escape_braces(outcome)} in each arm, with {{level}} Wilson "
            f"intervals{_guide_words(frame)}. Middle: difference of the shares "
            "in percentage points (Newcombe interval). Right: their ratio on a log scale "
            "(interval of its logarithm). An interval that crosses the dashed line is "
            "compatible with no difference.{warnings}",
            {
                "level": confidence_level(confidence),
                "warnings": Number(None, "".join(f" {w}" for w in frame["warning"] if w)),
            },
        ),
        alt=_alt(frame, outcome),
        reading=tuple(_read(row, outcome) for row in frame.itertuples()),
        frame=frame,
        methods=METHODS,
        empty="" if len(frame) else f"No two arms with counts of {outcome} among these results.",
        outcome=outcome,
        confidence=confidence,
    )


def lay_out_arm_comparisons(
    results: pd.DataFrame, *, outcomes: Sequence[str] = (), confidence: float = 0.95
) -> tuple[ArmComparisonLayout, ...]:
    """One chart an outcome: those asked for, or every benefit and harm with counts in two arms."""
    is_asked = (
        results["outcome"].isin(outcomes) if outcomes else results["kind"].isin(OUTCOME_KINDS)
    )
    rows = results[is_asked]
    frame = arm_pairs(rows, confidence=confidence)
    compared = set(frame["outcome"])
    asked = outcomes or [outcome for outcome in rows["outcome"].unique() if outcome in compared]
    return tuple(
        _lay_out(
            rows[rows["outcome"] == outcome],
            frame[frame["outcome"] == outcome].reset_index(drop=True),
            outcome,
            confidence,
        )
        for outcome in asked
    )


METHODS = (
    ci_methods("proportion", "wilson", "proportion1", "proportion1_low", "proportion1_high")
    | ci_methods("proportion", "wilson", "proportion2", "proportion2_low", "proportion2_high")
    | ci_methods("difference", "newcombe", "rd", "rd_low", "rd_high")
    | ci_methods("ratio", "katz", "rr", "rr_low", "rr_high")
    | {"events1": "proportion", "events2": "proportion", "days": "days"}
)


def _guide_words(frame: pd.DataFrame) -> str:
    speaks = frame[["guide1", "guide2"]].notna().any().any()
    return "; open diamonds are the guide's figures" if speaks else ""


def _warning(row) -> str:
    if row.randomised == "yes":
        return ""
    known = {"no": "was not randomised", "unclear": "is not known to be randomised"}
    return f"{row.label} {known.get(row.randomised, 'is not known to be randomised')}."


def _alt(frame: pd.DataFrame, outcome: str) -> str:
    """Which studies, and in how many the interval of the difference leaves out no difference."""
    if frame.empty:
        return ""
    clear = int(((frame["rd_low"] > 0) | (frame["rd_high"] < 0)).sum())
    return (
        f"Chart of {outcome} in two arms of {join_words(frame['label'].unique())}: both shares, their "
        f"difference and their ratio, with intervals. In {clear} of "
        f"{count(len(frame), 'comparison')} the interval of the difference leaves out zero."
    )


def _read(row, outcome: str) -> str:
    guide = [
        f"{format_percent(share)} with {arm}"
        for share, arm in ((row.guide1, row.arm), (row.guide2, row.versus))
        if share == share
    ]
    ratio = (
        f"the ratio {format_number(row.rr)}, from {format_interval(row.rr_low, row.rr_high)}"
        if row.rr_low == row.rr_low
        else "no ratio"
    )
    return (
        f"{row.label}, {outcome} at {format_time(row.time, row.time_unit)}: {row.events1} of {row.n1} "
        f"({format_percent(row.proportion1, row.n1)}) with {row.arm}, {row.events2} of {row.n2} "
        f"({format_percent(row.proportion2, row.n2)}) with {row.versus}. The difference is {_points(row.rd)} "
        f"percentage points, from {_points(row.rd_low)} to {_points(row.rd_high)}; {ratio}."
        + (f" The guide says {join_words(guide)}." if guide else "")
        + (f" {row.warning}" if row.warning else "")
    )


@draw.register
def draw_arm_comparison(layout: ArmComparisonLayout):
    """Three panels: both shares, the risk difference, the risk ratio."""
    import numpy as np

    frame = layout.frame
    with style.house_style():
        figure, axes = style.new_figure(
            10.6, 1.02 * len(frame) + 1.7, ncols=3, sharey=True, width_ratios=[5, 4, 4]
        )
        for place, row in enumerate(frame.itertuples()):
            _draw_proportions(axes[0], row, place)
            _draw_effect(
                axes[1],
                place,
                100 * row.rd,
                100 * row.rd_low,
                100 * row.rd_high,
                f"{_points(row.rd)} ({_points(row.rd_low)} to {_points(row.rd_high)})",
            )
            if np.isfinite(row.rr_low):
                _draw_effect(
                    axes[2],
                    place,
                    row.rr,
                    row.rr_low,
                    row.rr_high,
                    f"{format_number(row.rr)} ({format_interval(row.rr_low, row.rr_high)})",
                )
        _dress(axes, frame)
        figure.get_layout_engine().set(wspace=0.06)
        _draw_key(figure, frame)
    return figure


def _points(share: float) -> str:
    return f"{100 * share:+.0f}".replace("-", "−")


def _draw_proportions(axis, row, place):
    one = (row.proportion1, row.proportion1_low, row.proportion1_high, row.guide1)
    two = (row.proportion2, row.proportion2_low, row.proportion2_high, row.guide2)
    arms = (
        (place - 0.2, *one, "intervention", f"{row.arm}: {row.events1}/{row.n1}", row.n1),
        (place + 0.2, *two, "comparator", f"{row.versus}: {row.events2}/{row.n2}", row.n2),
    )
    for y, estimate, low, high, guide, role, said, n in arms:
        colour = style.COLOUR_OF_ARM[role]
        axis.plot([low, high], [y, y], color=colour, lw=1.6)
        axis.plot(estimate, y, style.MARK_OF_ARM[role], ms=7, color=colour)
        if guide == guide:
            axis.plot(guide, y, "D", ms=10, mfc="none", mec=style.VERMILION, mew=1.5)
        axis.annotate(
            f"{said} ({format_percent(estimate, n)})",
            (0, y),
            (4, 8 if role == "intervention" else -8),
            fontsize=8,
            textcoords="offset points",
            color=colour,
            va="bottom" if role == "intervention" else "top",
        )


def _draw_effect(axis, place, estimate, low, high, text):
    axis.plot([low, high], [place, place], color=style.INK, lw=1.6)
    axis.plot(estimate, place, "D", ms=7, color=style.INK)
    axis.annotate(
        text, (estimate, place), (0, 9), textcoords="offset points", ha="center", fontsize=8.5
    )


def _dress(axes, frame):
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    shares, difference, ratio = axes
    shares.set_ylim(len(frame) - 0.5, -0.5)
    names = [
        f"{row.label}\n{format_time(row.time, row.time_unit)}"
        + (
            ""
            if row.randomised == "yes"
            else "\nNOT RANDOMISED"
            if row.randomised == "no"
            else "\nrandomisation unclear"
        )
        for row in frame.itertuples()
    ]
    shares.set_yticks(range(len(frame)), names)
    for label, row in zip(shares.get_yticklabels(), frame.itertuples(), strict=True):
        if row.randomised != "yes":
            label.set_color(style.VERMILION)
    shares.set_xlim(0, 1)
    shares.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    shares.set_title("Share in each arm", pad=8)
    difference.axvline(0, color=style.QUIET, lw=1, ls="--")
    reach = 1.25 * max(100 * frame[["rd_low", "rd_high"]].abs().max().max(), 10)
    difference.set_xlim(min(-20, 100 * frame["rd_low"].min() * 1.4), reach)
    difference.set_title("Risk difference", pad=8)
    difference.set_xlabel("percentage points, first arm minus second")
    ratio.axvline(1, color=style.QUIET, lw=1, ls="--")
    ratio.set_xscale("log")
    ends = frame[["rr_low", "rr_high"]].stack()
    low, high = min(0.5, ends.min() / 1.3), max(2.0, ends.max() * 1.5)
    ratio.set_xlim(low, high)
    ticks = [tick for tick in (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64) if low <= tick <= high]
    ratio.xaxis.set_major_locator(FixedLocator(ticks))
    ratio.xaxis.set_minor_locator(NullLocator())
    ratio.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    ratio.set_title("Risk ratio", pad=8)
    ratio.set_xlabel("first arm divided by second, log scale")
    for axis in axes:
        axis.grid(axis="x")
        for place in range(1, len(frame)):
            axis.axhline(place - 0.5, color=style.FAINT, lw=0.8)


def _draw_key(figure, frame):
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            marker=style.MARK_OF_ARM[role],
            lw=1.6,
            ms=7,
            color=style.COLOUR_OF_ARM[role],
            label=words,
        )
        for role, words in (("intervention", "first arm"), ("comparator", "second arm"))
    ]
    if frame[["guide1", "guide2"]].notna().any().any():
        handles.append(
            Line2D(
                [],
                [],
                marker="D",
                ls="",
                ms=10,
                mfc="none",
                mew=1.5,
                mec=style.VERMILION,
                label="what the guide says",
            )
        )
    handles.append(Line2D([], [], marker="D", lw=1.6, ms=7, color=style.INK, label="effect"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8.5)
