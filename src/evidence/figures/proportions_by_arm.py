"""Shares of people side by side: each arm of each study, and what the guide says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_proportions
from evidence.analysis.defaults import default_days, default_outcomes
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    Sentence,
    capitalise,
    confidence_level,
    count,
    escape_braces,
    format_percent,
    format_time,
    join_words,
    parameter,
)

GUIDE = "open diamonds what the guide says, "
PROVENANCE = {
    "guide": "as the guide says it",
    "source": "as its source reports it",
    "unconfirmed": "commonly cited, not read at its source",
}


@dataclass(frozen=True, kw_only=True)
class ArmProportionsLayout(Layout):
    """`lanes` (one a study and arm, top to bottom) and the panels' `outcomes`; see `frame`.

    `frame` has `outcome`, `lane` (row number), `offset` (of several marks in a lane), `role`,
    `provenance`, `estimate`, `ci_low`, `ci_high` (proportions) and `counts`.
    """

    outcomes: tuple[str, ...]
    lanes: tuple[tuple[str, str], ...]
    confidence: float


def lay_out_proportions_by_arm(
    results: pd.DataFrame,
    *,
    outcomes: Sequence[str] = (),
    time_days: float = 0.0,
    confidence: float = 0.95,
) -> ArmProportionsLayout:
    """One lane a study and arm, one panel an outcome, each study near `time_days`.

    Without `outcomes` those that come first are shown, at a time of 0 the usual one (see `usual`).
    """
    outcomes = tuple(outcomes) or default_outcomes(results)
    chosen = results[results["outcome"].isin(outcomes)]
    time_days = time_days or default_days(chosen)
    rows = arm_proportions(chosen, time_days=time_days, confidence=confidence)
    panels = tuple(outcome for outcome in outcomes if outcome in set(rows["outcome"]))
    lanes = tuple(dict.fromkeys(zip(rows["label"], rows["arm"], strict=True)))
    place = {lane: number for number, lane in enumerate(lanes)}
    rows["lane"] = [place[pair] for pair in zip(rows["label"], rows["arm"], strict=True)]
    rows["offset"] = rows.groupby(["outcome", "lane"]).cumcount() - (
        rows.groupby(["outcome", "lane"])["lane"].transform("size") - 1
    ).div(2)
    rows["when"] = [format_time(row.time, row.time_unit) for row in rows.itertuples()]
    columns = [
        "name",
        "label",
        "arm",
        "role",
        "outcome",
        "when",
        "provenance",
        "n",
        "event_count",
        "estimate",
        "ci_low",
        "ci_high",
        "counts",
        "lane",
        "offset",
        "source",
        "address",
    ]
    words = join_words(panels or outcomes) or "an outcome"
    timed = ", at the time nearest to {near} after treatment" if rows["days"].notna().any() else ""
    guide = bool((rows["provenance"] == "guide").any())
    return ArmProportionsLayout(
        id="fig-shares",
        title=f"{capitalise(words)}: {'what the guide says and ' if guide else ''}what was reported",
        caption=Sentence(
            "fig-shares.caption",
            f"Share of people with {escape_braces(words)} in each arm{timed}. "
            "Lines are {level} Wilson intervals; a mark without a line has no count behind it. "
            f"Filled marks are numbers read in the source, {GUIDE if guide else ''}"
            "open crosses numbers that are commonly cited but were not read at their source.",
            {
                "near": parameter(time_days, f"{time_days:g} day{'' if time_days == 1 else 's'}"),
                "level": confidence_level(confidence),
            },
        ),
        alt=_alt(rows, panels),
        reading=_read(rows, panels),
        frame=rows[columns].reset_index(drop=True),
        methods=ci_methods("proportion", "wilson", "estimate", "ci_low", "ci_high")
        | {"event_count": "proportion", "counts": "proportion"},
        empty="" if len(rows) else f"No shares of people with {words} among the results chosen.",
        outcomes=panels,
        lanes=lanes,
        confidence=confidence,
    )


def _alt(rows: pd.DataFrame, panels: tuple[str, ...]) -> str:
    """How many studies, and from where to where the shares read in them spread."""
    parts = []
    for outcome in panels:
        here = rows[(rows["outcome"] == outcome) & (rows["provenance"] == "source")]
        if len(here):
            ends = f"{format_percent(here['estimate'].min())} to {format_percent(here['estimate'].max())}"
            arms, studies = count(len(here), "arm"), here["label"].nunique()
            of = count(studies, "study", "studies")
            parts.append(f"{capitalise(outcome)} in {arms} of {of} is {ends}.")
        else:
            parts.append(f"No {outcome} was read at its source.")
    shares = f"Chart of shares of people with {join_words(panels)}, each with its interval."
    return " ".join([shares, *parts])


def _read(rows: pd.DataFrame, panels: tuple[str, ...]) -> tuple[str, ...]:
    said = []
    for outcome in panels:
        for row in rows[rows["outcome"] == outcome].itertuples():
            who = ", ".join(filter(None, (row.label, row.arm, row.when)))
            known = not np.isnan(row.ci_low)
            ends = (
                f", interval {format_percent(row.ci_low)} to {format_percent(row.ci_high)}"
                if known
                else ""
            )
            said.append(
                f"{capitalise(outcome)}, {who}: {row.counts}{ends}, {PROVENANCE[row.provenance]}."
            )
    return tuple(said)


@draw.register
def draw_proportions_by_arm(layout: ArmProportionsLayout):
    """Lanes from top to bottom, a panel an outcome, the counts printed beside the marks."""
    with style.house_style():
        crowd = layout.frame.groupby(["outcome", "lane"]).size().groupby("lane").max()
        height = 0.30 * int(np.maximum(crowd, 1.25).sum()) + 0.22 * len(layout.lanes) + 1.3
        tops = _tops(crowd, len(layout.lanes))
        figure, axes = style.new_figure(
            10.6, height, ncols=len(layout.outcomes), sharey=True, squeeze=False
        )
        for axis, outcome in zip(axes[0], layout.outcomes, strict=True):
            _draw_panel(axis, layout.frame[layout.frame["outcome"] == outcome], tops)
            axis.set_title(outcome.capitalize(), pad=8)
        _draw_lanes(axes[0][0], layout, tops, crowd)
        _draw_key(figure, layout)
    return figure


def _tops(crowd, lanes) -> list[float]:
    """Centre of each lane, in units of one mark; lanes with several marks are taller."""
    centres, top = [], 0.0
    for lane in range(lanes):
        room = max(float(crowd.get(lane, 1)), 1.25) + 0.45
        centres.append(top + room / 2)
        top += room
    return [*centres, top]


def _draw_panel(axis, rows, tops):
    for row in rows.itertuples():
        y = tops[row.lane] + row.offset
        colour = style.VERMILION if row.provenance == "guide" else style.COLOUR_OF_ARM[row.role]
        if not np.isnan(row.ci_low):
            dash = "-" if row.provenance == "source" else (0, (2, 2))
            axis.plot([row.ci_low, row.ci_high], [y, y], color=colour, lw=1.6, ls=dash)
        mark, fill = {
            "guide": ("D", "white"),
            "source": (style.MARK_OF_ARM[row.role], colour),
            "unconfirmed": ("X", "white"),
        }[row.provenance]
        axis.plot(row.estimate, y, mark, ms=7, mfc=fill, mec=colour, mew=1.5, clip_on=False)
        axis.text(1.04, y, row.counts, va="center", fontsize=8, color=colour)
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axis.grid(axis="x")


def _draw_lanes(axis, layout, tops, crowd):
    axis.set_ylim(tops[-1], 0)
    times = layout.frame.groupby("lane")["when"].agg(lambda cells: next(filter(None, cells), ""))
    names, seen = [], None
    for lane, (label, arm) in enumerate(layout.lanes):
        head = label if label != seen else ""
        seen = label
        detail = arm + (f", {times[lane]}" if times.get(lane) else "")
        names.append(f"{head}\n{detail}" if head else detail)
    axis.set_yticks(tops[:-1], names)
    for lane, (label, _) in enumerate(layout.lanes):
        if lane and label != layout.lanes[lane - 1][0]:
            room = max(float(crowd.get(lane, 1)), 1.25) + 0.45
            for panel in axis.figure.axes:
                panel.axhline(tops[lane] - room / 2, color=style.FAINT, lw=0.8)


def _draw_key(figure, layout):
    from matplotlib.lines import Line2D

    present = set(zip(layout.frame["provenance"], layout.frame["role"], strict=True))
    handles = []
    for role in ("intervention", "comparator", "single arm"):
        if ("source", role) in present:
            handles.append(
                Line2D(
                    [],
                    [],
                    marker=style.MARK_OF_ARM[role],
                    ls="-",
                    lw=1.6,
                    ms=7,
                    color=style.COLOUR_OF_ARM[role],
                    label=f"{role}, source",
                )
            )
    standings = {standing for standing, _ in present}
    if "guide" in standings:
        handles.append(
            Line2D(
                [],
                [],
                marker="D",
                ls="",
                ms=7,
                mfc="white",
                mew=1.5,
                mec=style.VERMILION,
                label="what the guide says",
            )
        )
    if "unconfirmed" in standings:
        handles.append(
            Line2D(
                [],
                [],
                marker="X",
                ls=(0, (2, 2)),
                lw=1.6,
                ms=7,
                mfc="white",
                mew=1.5,
                color=style.QUIET,
                mec=style.QUIET,
                label="not confirmed at its source",
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8.5)
