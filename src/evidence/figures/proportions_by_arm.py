"""Proportion of participants with an outcome: each arm of each study, and what the guide says."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_proportions
from evidence.analysis.defaults import default_days, default_outcomes
from evidence.figures import style
from evidence.figures.layout import Layout, centred_offsets, ci_label, draw
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

PROVENANCE_WORDS = {
    "guide": "as the guide says",
    "source": "as reported in its source",
    "imported": "imported, not read in its source",
    "unconfirmed": "commonly cited, not read in its source",
}
DASHES = (0, (2, 2))
COLUMNS = [
    "name", "label", "arm", "role", "outcome", "when", "provenance", "n", "event_count", "estimate",
    "ci_low", "ci_high", "counts", "lane", "offset", "source", "address",
]  # fmt: skip
# Heights in units of one mark: the least room of a lane, and the white space between lanes.
MIN_LANE_HEIGHT, LANE_GAP = 1.25, 0.45
# Characters per line beside a mark: some texts print a number as a sentence.
COUNTS_WIDTH = 36


@dataclass(frozen=True, kw_only=True)
class ArmProportionsLayout(Layout):
    """One lane per study and arm, top to bottom, and one panel per outcome.

    `frame` has `outcome`, `lane` (its number), `offset` (of several marks in a lane), `role`,
    `provenance`, `estimate`, `ci_low`, `ci_high` (proportions) and `counts`.
    """

    outcomes: tuple[str, ...]
    lanes: tuple[tuple[str, str], ...]


def lay_out_proportions_by_arm(
    results: pd.DataFrame,
    *,
    outcomes: Sequence[str] = (),
    time_days: float = 0.0,
    confidence: float = 0.95,
) -> ArmProportionsLayout:
    """Lay out the proportion with each outcome in each arm, at the time nearest to `time_days`.

    Parameters
    ----------
    outcomes : sequence of str
        One panel each; empty for the default outcomes (see `default_outcomes`).
    time_days : float
        Days after treatment; 0 for the default time.
    """
    outcomes = tuple(outcomes) or default_outcomes(results)
    selected = results[results["outcome"].isin(outcomes)]
    time_days = time_days or default_days(selected)
    rows = arm_proportions(selected, time_days=time_days, confidence=confidence)
    panels = tuple(outcome for outcome in outcomes if outcome in set(rows["outcome"]))
    # Studies and arms in the order of the rows.
    rows["lane"] = rows.groupby(["label", "arm"], sort=False).ngroup()
    lanes = tuple(dict.fromkeys(zip(rows["label"], rows["arm"], strict=True)))
    rows["offset"] = centred_offsets(rows, ["outcome", "lane"])
    rows["when"] = [format_time(row.time, row.time_unit) for row in rows.itertuples()]
    words = join_words(panels or outcomes) or "an outcome"
    timed = ", at the time nearest to {near} after treatment" if rows["days"].notna().any() else ""
    has_guide = bool((rows["provenance"] == "guide").any())
    has_imports = bool((rows["provenance"] == "imported").any())
    return ArmProportionsLayout(
        id="fig-shares",
        title=f"{capitalise(words)}: {'what the guide says and ' if has_guide else ''}"
        "what was reported",
        caption=Sentence(
            "fig-shares.caption",
            f"Proportion of participants with {escape_braces(words)} in each arm{timed}. "
            "Lines are {level} Wilson confidence intervals; a mark without a line has no count "
            "behind it. Filled marks were read in the source, "
            f"{'open ones were imported from other files, ' if has_imports else ''}"
            f"{'open diamonds are what the guide says, ' if has_guide else ''}"
            "open crosses are commonly cited but were not read in their source.",
            {
                "near": parameter(time_days, f"{time_days:g} day{'' if time_days == 1 else 's'}"),
                "level": confidence_level(confidence),
            },
        ),
        alt=_alt(rows, panels),
        reading=_mark_sentences(rows, panels, confidence),
        frame=rows[COLUMNS].reset_index(drop=True),
        methods=ci_methods("proportion", "wilson", "estimate", "ci_low", "ci_high")
        | {"event_count": "proportion", "counts": "proportion"},
        empty="" if len(rows) else f"No selected result has a proportion with {words}.",
        outcomes=panels,
        lanes=lanes,
    )


def _alt(rows: pd.DataFrame, panels: tuple[str, ...]) -> str:
    """State how many studies were read and the range of their proportions."""
    sentences = [
        f"Chart of the proportion of participants with {join_words(panels)}, with confidence "
        "intervals."
    ]
    for outcome in panels:
        is_read = rows["provenance"].isin(["source", "imported"])
        read = rows[(rows["outcome"] == outcome) & is_read]
        if read.empty:
            sentences.append(f"No proportion with {outcome} was read in its source.")
            continue
        low, high = map(format_percent, (read["estimate"].min(), read["estimate"].max()))
        studies = count(read["label"].nunique(), "study")
        arms = count(len(read), "arm")
        sentences.append(f"{capitalise(outcome)}: {low} to {high} in {arms} of {studies}.")
    return " ".join(sentences)


def _mark_sentences(
    rows: pd.DataFrame, panels: tuple[str, ...], confidence: float
) -> tuple[str, ...]:
    sentences = []
    for outcome in panels:
        for row in rows[rows["outcome"] == outcome].itertuples():
            arm = ", ".join(filter(None, (row.label, row.arm, row.when)))
            interval = ""
            if not np.isnan(row.ci_low):
                ends = f"{format_percent(row.ci_low)} to {format_percent(row.ci_high)}"
                interval = f", {ci_label(confidence)} {ends}"
            sentences.append(
                f"{capitalise(outcome)}, {arm}: {row.counts}{interval}, "
                f"{PROVENANCE_WORDS[row.provenance]}."
            )
    return tuple(sentences)


@draw.register
@style.house_style()
def draw_proportions_by_arm(layout: ArmProportionsLayout, width: float = style.DOUBLE_COLUMN):
    """Draw lanes from top to bottom, one panel per outcome, with the counts beside the marks."""
    marks = layout.frame.groupby(["outcome", "lane"]).size().groupby("lane").max()
    heights = np.maximum(
        [float(marks.get(n, 1)) for n in range(len(layout.lanes))], MIN_LANE_HEIGHT
    )
    edges = np.concatenate([[0.0], np.cumsum(heights + LANE_GAP)])
    height = 0.30 * int(heights.sum()) + 0.22 * len(layout.lanes) + 1.3
    figure, axes = style.new_figure(
        width, height, ncols=len(layout.outcomes), sharey=True, squeeze=False
    )
    for panel, outcome in zip(axes[0], layout.outcomes, strict=True):
        rows = layout.frame[layout.frame["outcome"] == outcome]
        _draw_panel(panel, rows, (edges[:-1] + edges[1:]) / 2)
        panel.set_title(outcome.capitalize(), pad=8)
    _label_lanes(axes[0], layout, edges)
    _add_legend(figure, layout.frame)
    return figure


def _draw_panel(panel, rows, centres):
    for row in rows.itertuples():
        y = centres[row.lane] + row.offset
        colour = style.VERMILION if row.provenance == "guide" else style.COLOUR_OF_ARM[row.role]
        if not np.isnan(row.ci_low):
            dashes = "-" if row.provenance in ("source", "imported") else DASHES
            panel.plot([row.ci_low, row.ci_high], [y, y], color=colour, lw=1.6, ls=dashes)
        mark, fill = {
            "guide": ("D", "white"),
            "source": (style.MARK_OF_ARM[row.role], colour),
            "imported": (style.MARK_OF_ARM[row.role], "white"),
            "unconfirmed": ("X", "white"),
        }[row.provenance]
        panel.plot(row.estimate, y, mark, ms=7, mfc=fill, mec=colour, mew=1.5, clip_on=False)
        counts = textwrap.fill(row.counts, COUNTS_WIDTH)
        panel.text(1.04, y, counts, va="center", fontsize=8, color=colour)
    style.format_percent_axis(panel)
    panel.grid(axis="x")


def _label_lanes(panels, layout, edges):
    """Name each study once, above its first arm, and part the studies by lines."""
    times = layout.frame.groupby("lane")["when"].agg(lambda cells: next(filter(None, cells), ""))
    names, previous = [], None
    for lane, (label, arm) in enumerate(layout.lanes):
        detail = arm + (f", {times[lane]}" if times.get(lane) else "")
        names.append(detail if label == previous else f"{label}\n{detail}")
        if previous not in (None, label):
            for panel in panels:
                panel.axhline(edges[lane], color=style.FAINT, lw=0.8)
        previous = label
    panels[0].set_ylim(edges[-1], 0)
    panels[0].set_yticks((edges[:-1] + edges[1:]) / 2, names)


def _add_legend(figure, frame):
    marks = [
        {"marker": mark, "lw": 1.6, "ms": 7, "mfc": fill or style.COLOUR_OF_ARM[role],
         "color": style.COLOUR_OF_ARM[role], "label": f"{role}, {provenance}"}
        for provenance, fill in (("source", ""), ("imported", "white"))
        for role, mark in style.MARK_OF_ARM.items()
        if role in set(frame.loc[frame["provenance"] == provenance, "role"])
    ]  # fmt: skip
    if "guide" in set(frame["provenance"]):
        marks.append(style.GUIDE_MARK | {"ms": 7, "mfc": "white"})
    if "unconfirmed" in set(frame["provenance"]):
        marks.append({"marker": "X", "ls": DASHES, "lw": 1.6, "ms": 7, "mfc": "white", "mew": 1.5,
                      "color": style.QUIET, "label": "not read in its source"})  # fmt: skip
    style.legend(figure, marks, ncols=len(marks), fontsize=8.5)
