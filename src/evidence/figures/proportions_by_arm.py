"""Proportion of participants with an outcome: each arm of each study, and what the guide says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_proportions
from evidence.analysis.defaults import default_days, default_outcomes
from evidence.figures import style
from evidence.figures.layout import Layout, ci_label, draw
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    Sentence,
    capitalise,
    confidence_level,
    count,
    escape_braces,
    format_duration,
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
    "ci_low", "ci_high", "counts", "section", "source", "address",
]  # fmt: skip
GAP = 0.12
"""Space between parts, in inches."""
GUIDE = style.GUIDE_MARK | {"ms": 6, "mfc": "white"}
LEGEND = {"source": "", "imported": "imported", "unconfirmed": "not read in its source"}
"""What a legend says of a mark beside the role of its arm, by provenance."""


@dataclass(frozen=True, kw_only=True)
class ArmProportionsLayout(Layout):
    """One mark per row, top to bottom, in sections of one outcome at one time.

    `frame` has `outcome`, `section` (its heading), `label`, `arm`, `role`, `provenance`, `estimate`,
    `ci_low`, `ci_high` (proportions) and `counts`.
    """

    outcomes: tuple[str, ...]
    rows_per_page = 36


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
        Empty for the default outcomes (see `default_outcomes`).
    time_days : float
        Days after treatment; 0 for the default time.
    """
    outcomes = tuple(outcomes) or default_outcomes(results)
    selected = results[results["outcome"].isin(outcomes)]
    time_days = time_days or default_days(selected)
    rows = arm_proportions(selected, time_days=time_days, confidence=confidence)
    panels = tuple(outcome for outcome in outcomes if outcome in set(rows["outcome"]))
    rows = _sort_into_sections(rows, panels)
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
            "Outcomes at different times stand under headings of their own. Lines are {level} Wilson "
            "confidence intervals; a mark without a line has no count behind it. Filled marks were "
            "read in the source, "
            f"{'open ones were imported from other files, ' if has_imports else ''}"
            f"{'open diamonds are what the guide says, ' if has_guide else ''}"
            "open crosses are commonly cited but were not read in their source.",
            {
                "near": parameter(time_days, f"{time_days:g} day{'' if time_days == 1 else 's'}"),
                "level": confidence_level(confidence),
            },
        ),
        alt=_alt(rows, panels),
        reading=_mark_sentences(rows, confidence),
        frame=rows[COLUMNS].reset_index(drop=True),
        methods=ci_methods("proportion", "wilson", "estimate", "ci_low", "ci_high")
        | {"event_count": "proportion", "counts": "proportion"},
        empty="" if len(rows) else f"No selected result has a proportion with {words}.",
        outcomes=panels,
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


def _sort_into_sections(rows: pd.DataFrame, outcomes: tuple[str, ...]) -> pd.DataFrame:
    """Sort by outcome, then by time; what the guide says stands with what the study reported.

    What was seen after a day and after a month is not compared in one section.
    """
    study = ["study", "outcome"]
    reported = rows[rows["provenance"] != "guide"].groupby(study)["days"].min()
    days = rows["days"].fillna(
        rows[study].merge(reported, "left", on=study)["days"].set_axis(rows.index)
    )
    times = [f" at {format_duration(day)}" if day == day else ", time not stated" for day in days]
    rows = rows.assign(
        section=[
            f"{capitalise(name)}{time}" for name, time in zip(rows["outcome"], times, strict=True)
        ],
        outcome_order=rows["outcome"].map(outcomes.index),
        section_days=days,
        study_order=rows.groupby("label", sort=False).ngroup(),
    )
    order = ["outcome_order", "section_days", "study_order"]
    return rows.sort_values(order, kind="stable").reset_index(drop=True)


def _mark_sentences(rows: pd.DataFrame, confidence: float) -> tuple[str, ...]:
    sentences = []
    for row in rows.itertuples():
        arm = ", ".join(filter(None, (row.label, row.arm, row.when)))
        interval = ""
        if not np.isnan(row.ci_low):
            ends = f"{format_percent(row.ci_low)} to {format_percent(row.ci_high)}"
            interval = f", {ci_label(confidence)} {ends}"
        sentences.append(
            f"{capitalise(row.outcome)}, {arm}: {row.counts}{interval}, "
            f"{PROVENANCE_WORDS[row.provenance]}."
        )
    return tuple(sentences)


@draw.register
@style.house_style()
def draw_proportions_by_arm(layout: ArmProportionsLayout, width: float = style.DOUBLE_COLUMN):
    """Draw a mark for each arm beside its name, under a heading for each outcome and time."""
    figure, page_width = style.empty_figure(width, 1), width - 2 * style.MARGIN
    label_width = (0.56 if style.is_narrow(width) else 0.46) * page_width
    legend_height = _add_legend(figure, layout.frame)
    texts, heights, rules = style.TextColumn(figure, label_width - GAP), [], []
    for section, rows in layout.frame.groupby("section", sort=False):
        texts.height += GAP
        rules.append(texts.height - GAP / 2)
        texts.add(section, fontsize=style.TITLE_SIZE, weight="bold")
        for label, arms in rows.groupby("label", sort=False):
            texts.height += GAP / 2
            texts.add(label, weight="bold")
            for row in arms.itertuples():
                heights.append(texts.add(_mark_text(row), color=_colour(row)))
    bottom = legend_height + 0.3
    figure.set_size_inches(width, bottom + texts.height)
    axes, write = style.add_panel(figure, (label_width, page_width - GAP), bottom, texts.height)
    texts.draw(write)
    for y in rules[1:]:
        axes.plot([0, page_width], [y, y], transform=write.keywords["transform"], clip_on=False,
                  color=style.FAINT, lw=0.8)  # fmt: skip
    for row, y in zip(layout.frame.itertuples(), heights, strict=True):
        _draw_mark(axes, row, y)
    style.format_percent_axis(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", labelsize=style.SMALL_SIZE)
    axes.grid(axis="x")
    return figure


def _mark_text(row) -> str:
    arm = f"{row.arm}, as the guide says" if row.provenance == "guide" else row.arm
    return f"{arm}: {row.counts}"


def _colour(row) -> str:
    return style.VERMILION if row.provenance == "guide" else style.COLOUR_OF_ARM[row.role]


def _mark(role: str, provenance: str) -> dict:
    """Return the look of a mark: by the role of its arm, and where the number comes from."""
    colour = style.COLOUR_OF_ARM[role]
    is_filled = provenance == "source"
    look = {"marker": style.MARK_OF_ARM[role], "color": colour, "mec": colour, "mew": 1.4, "ms": 5.5,
            "lw": 1.4, "mfc": colour if is_filled else "white"}  # fmt: skip
    if provenance == "unconfirmed":
        look |= {"marker": "X", "ls": DASHES}
    return look


def _draw_mark(axes, row, y: float) -> None:
    if row.provenance == "guide":
        look = GUIDE
    else:
        look = _mark(row.role, row.provenance)
        line = {name: look[name] for name in ("color", "lw", "ls") if name in look}
        axes.plot([row.ci_low, row.ci_high], [y, y], **line)
    axes.plot(row.estimate, y, **look | {"ls": ""}, clip_on=False)


def _add_legend(figure, frame: pd.DataFrame) -> float:
    marks = [
        _mark(role, provenance) | {"label": f"{role}, {words}" if words else role}
        for provenance, words in LEGEND.items()
        for role in style.MARK_OF_ARM
        if role in set(frame.loc[frame["provenance"] == provenance, "role"])
    ]
    if "guide" in set(frame["provenance"]):
        marks.append(GUIDE)
    return style.legend(figure, marks)
