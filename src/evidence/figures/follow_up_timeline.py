"""Findings over time since treatment: one lane per study, from minutes to years on a log axis."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evidence.analysis.follow_up import findings_over_time, follow_up_by_study
from evidence.analysis.missing_results import summarise_missing
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw, join_names, row_addresses
from evidence.provenance.sentence import (
    Number,
    Sentence,
    count,
    format_duration,
    format_time,
    join_words,
)

MARKS = {
    "better": ("o", style.BLUE, "better than the comparator", True),
    "proportion": ("s", style.GREEN, "proportion without a comparator", True),
    "no difference": ("o", style.INK, "no difference found", False),
    "worse": ("v", style.VERMILION, "worse than the comparator", True),
}
"""Mark, colour, description of each finding and whether it is filled, in the order of drawing."""
TICKS = {1 / 24: "1 hour", 1.0: "1 day", 7.0: "1 week", 30.44: "1 month", 365.25: "1 year"}
FEW_TICKS = {"1 hour", "1 day", "1 week", "1 year"}
"""The times that are marked in a single column."""
START, END = 1 / 48, 3 * 365.25
GAP, MARK = 0.12, 0.14
"""In inches: the space between lanes, and that of a mark."""
GUIDE = style.GUIDE_MARK | {"ms": 4.5, "mfc": "white", "mew": 1.2}
SPAN = {"lw": 4, "alpha": 0.35, "solid_capstyle": "butt"}
EARLIER = {"facecolor": "none", "hatch": "\\\\\\\\", "edgecolor": "#bdbdbd", "lw": 0}
"""The look of time before the first result."""
DOTTED = (0, (1, 2))
DASHED = (0, (4, 2))
LATER = {
    True: {"facecolor": "none", "hatch": "////", "edgecolor": "#bdbdbd", "lw": 0},
    False: {"facecolor": "none", "hatch": "..", "edgecolor": "#bdbdbd", "lw": 0},
}
"""The look of time after the last assessment: that described, or if the follow-up is not stated."""
COLUMNS = [
    "name", "study", "label", "outcome", "lane", "days_low", "days", "finding", "text", "confirmed",
    "address",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FollowUpLayout(Layout):
    """One lane per study and one mark per finding.

    `frame` has `lane`, `days_low`, `days`, `finding` and `text`. `lanes` has one row per study with
    `label`, `measured_to` and `followed_to` in days, `is_stated` and `missing`. `guide` holds
    the times that the guide names: `lane`, `days_low`, `days`, `text`.
    """

    rows_per_page = 16
    lanes: pd.DataFrame = field(repr=False)
    guide: pd.DataFrame = field(repr=False)

    @property
    def row_count(self) -> int:
        """The number of lanes."""
        return len(self.lanes)

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Return the fields that differ if the layout has only some of its lanes."""
        frame, guide = (
            table[table["lane"].between(start, end - 1)].assign(
                lane=lambda rows: rows["lane"] - start
            )
            for table in (self.frame, self.guide)
        )
        lanes = self.lanes.iloc[start:end].reset_index(drop=True)
        return {
            "reading": _study_sentences(lanes, frame, guide),
            "frame": frame.reset_index(drop=True),
            "lanes": lanes,
            "guide": guide.reset_index(drop=True),
        }


def lay_out_follow_up(
    dataset: Dataset, results: pd.DataFrame, *, confidence: float = 0.95
) -> FollowUpLayout:
    """Lay out every time at which a study reports on a benefit, and follow-up without results.

    Confidence intervals with a coverage of `confidence` decide whether a difference was found.
    """
    findings = findings_over_time(results, confidence=confidence)
    lanes = follow_up_by_study(dataset, findings)
    lane_numbers = {study: number for number, study in enumerate(lanes["study"])}
    findings = findings.assign(
        lane=findings["study"].map(lane_numbers),
        name=[
            f"{row.study}/{row.outcome}/{_period(row)}/{row.finding}"
            for row in findings.itertuples()
        ],
    )
    findings = findings.drop_duplicates(["lane", "days_low", "days", "outcome", "finding"])
    is_named = (results["days"] > 0) & results["study"].isin(lane_numbers)
    guide = results[results["is_guide"] & is_named]
    guide = guide.assign(
        lane=guide["study"].map(lane_numbers),
        text=[format_time(row.time, row.time_unit) for row in guide.itertuples()],
    )
    guide = guide.drop_duplicates(["lane", "days_low", "days"])
    return FollowUpLayout(
        id="fig-durability",
        title="How long an effect was seen",
        caption=_caption(results, lanes, has_guide=len(guide) > 0),
        alt=_alt(lanes, findings),
        reading=_study_sentences(lanes, findings, guide),
        frame=findings[COLUMNS].reset_index(drop=True),
        methods={"days_low": "days", "days": "days"},
        empty="" if len(findings) else "No result on a benefit at a stated time among these.",
        lanes=lanes,
        guide=guide[["study", "lane", "days_low", "days", "text", "address"]].reset_index(
            drop=True
        ),
    )


def _caption(results: pd.DataFrame, lanes: pd.DataFrame, *, has_guide: bool) -> Sentence:
    longest = lanes["measured_to"].max() if len(lanes) else float("nan")
    latest = lanes[lanes["measured_to"] == longest]
    benefits = results[(results["kind"] == "benefit") & ~results["is_guide"]]
    undated = benefits.loc[~benefits["study"].isin(lanes["study"]), "label"].unique()
    return Sentence(
        "fig-durability.caption",
        "Each lane is a study; time since treatment began, on a log scale. Filled blue: better than "
        "the comparator; open: no difference found; green square: a proportion without a "
        "comparator; half-filled marks were not confirmed in their source. A dotted or dashed "
        "line is follow-up without a result in the tables; hatching is time before the first result "
        "and after the last assessment that is described in what was read. "
        + ("Diamonds are times that the guide names. " if has_guide else "")
        + "The longest result here is at {longest}."
        + (" Studies without a result at a stated time: {absent}." if len(undated) else ""),
        {
            "longest": Number(longest, format_duration(longest), row_addresses(latest), "days"),
            "absent": join_names(undated),
        },
    )


def _alt(lanes: pd.DataFrame, findings: pd.DataFrame) -> str:
    """State how many studies there are, how far they reach, and what was found how often."""
    if findings.empty:
        return ""
    words = [
        f"{description} ({(findings['finding'] == finding).sum()})"
        for finding, (_, _, description, _) in MARKS.items()
        if finding in set(findings["finding"])
    ]
    return (
        f"Chart of what {count(len(lanes), 'study')} found at which time, from "
        f"{format_duration(findings['days'].min())} to {format_duration(findings['days'].max())} "
        f"after treatment began: {join_words(words)}."
    )


def _study_sentences(
    lanes: pd.DataFrame, findings: pd.DataFrame, guide: pd.DataFrame
) -> tuple[str, ...]:
    sentences = []
    for lane in lanes.itertuples():
        for row in findings[findings["study"] == lane.study].itertuples():
            sentences.append(
                f"{lane.label}, {row.outcome} at {_period(row)}: {MARKS[row.finding][2]}"
                + (f" ({row.text})" if row.text else "")
                + ("." if row.confirmed else ", not confirmed in its source.")
            )
        sentences += [
            f"The guide names {text} for {lane.label}."
            for text in guide.loc[guide["study"] == lane.study, "text"]
        ]
        sentences.append(_follow_up_sentence(lane))
    return tuple(sentences)


def _period(row) -> str:
    low, high = format_duration(row.days_low), format_duration(row.days)
    return high if row.days_low == row.days else f"{low} to {high}"


def _follow_up_sentence(lane) -> str:
    text = f"{lane.label}: last result in the tables at {format_duration(lane.measured_to)}"
    if not lane.is_stated:
        return f"{text}; how long the study followed its participants is not tabulated."
    if lane.followed_to > lane.measured_to:
        text += f"; the study followed to {format_duration(lane.followed_to)}, later results"
        return f"{text} {lane.missing}."
    return f"{text}, the last assessment that is described."


@draw.register
@style.house_style()
def draw_follow_up(layout: FollowUpLayout, width: float = style.DOUBLE_COLUMN):
    """Draw a lane per study, hatched before its first and after its last assessment."""
    figure, page_width = style.empty_figure(width, 1), width - 2 * style.MARGIN
    is_narrow = style.is_narrow(width)
    label_width = (0.42 if is_narrow else 0.32) * page_width
    legend_height = _add_legend(figure, layout)
    texts, lanes = style.TextColumn(figure, label_width - GAP), []
    for number, label in enumerate(layout.lanes["label"]):
        rows = layout.frame[layout.frame["lane"] == number]
        top = texts.height
        texts.add(label, weight="bold")
        texts.add(", ".join(rows["outcome"].unique()), fontsize=style.SMALL_SIZE)
        most = rows.groupby("days")["finding"].nunique().max()
        has_guide = bool((layout.guide["lane"] == number).any())
        texts.height = max(texts.height, top + MARK * (most + has_guide)) + GAP
        lanes.append((top, texts.height - GAP))
    bottom = legend_height + 0.5 + style.LINE * is_narrow
    figure.set_size_inches(width, bottom + texts.height)
    axes, write = style.add_panel(figure, (label_width, page_width), bottom, texts.height)
    texts.draw(write)
    axes.set_xscale("log")
    axes.set_xlim(START, END)
    ticks = {text: day for day, text in TICKS.items() if not is_narrow or text in FEW_TICKS}
    axes.set_xticks(list(ticks.values()), list(ticks), fontsize=style.SMALL_SIZE)
    axes.minorticks_off()
    axes.grid(axis="x")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("time since treatment began" + "\n" * is_narrow + " (log scale)")
    starts = layout.frame.groupby("lane")["days_low"].min()
    for number, (lane, (top, end)) in enumerate(zip(layout.lanes.itertuples(), lanes, strict=True)):
        y = (top + end) / 2
        axes.plot([starts[number], lane.measured_to], [y, y], color=style.FAINT, lw=1.2, zorder=1)
        if lane.followed_to > lane.measured_to:
            line = {"ls": _dashes(lane.missing), "color": style.QUIET, "lw": 1.4, "zorder": 1}
            axes.plot([lane.measured_to, lane.followed_to], [y, y], **line)
        axes.fill_betweenx([top, end], START, starts[number] / 1.12, **EARLIER)
        axes.fill_betweenx([top, end], lane.followed_to * 1.12, END, **LATER[bool(lane.is_stated)])
    for row in layout.guide.itertuples():
        _draw_guide_time(axes, row, lanes[row.lane][1] - MARK / 3)
    _draw_findings(axes, layout.frame, [(top + end) / 2 for top, end in lanes])
    return figure


def _look(finding: str, confirmed: bool) -> dict:
    """Return the look of a mark: filled, open, or half of it if its source does not confirm it."""
    mark, colour, _, is_filled = MARKS[finding]
    fill = colour if is_filled else "white"
    look = {"marker": mark, "ls": "", "ms": 6, "mew": 1.4, "mec": colour, "mfc": fill}
    if not confirmed:
        half = colour if is_filled else style.FAINT
        look |= {"fillstyle": "left", "mfc": half, "markerfacecoloralt": "white"}
    return look


def _draw_findings(axes, frame: pd.DataFrame, centres: list[float]) -> None:
    """Draw the findings of each time, several above one another."""
    order = list(MARKS)
    for _, rows in frame.groupby(["lane", "days"], sort=False):
        # Of the same finding the confirmed one is shown.
        shown = {row.finding: row for row in sorted(rows.itertuples(), key=lambda r: r.confirmed)}
        ordered = sorted(shown.values(), key=lambda row: order.index(row.finding))
        for number, row in enumerate(ordered):
            y = centres[row.lane] + (number - (len(shown) - 1) / 2) * MARK
            if row.days > row.days_low:
                span = SPAN | {"color": MARKS[row.finding][1]}
                axes.plot([max(row.days_low, START), row.days], [y, y], **span, zorder=2)
            axes.plot(row.days, y, **_look(row.finding, row.confirmed), zorder=3)


def _dashes(reason: str) -> tuple:
    return DASHED if reason == "not reported" else DOTTED


def _dash_words(reason: str) -> str:
    return summarise_missing([reason]) or reason


def _draw_guide_time(axes, row, y: float) -> None:
    if row.days > row.days_low > 0:
        axes.plot([row.days_low, row.days], [y, y], color=style.VERMILION, lw=1.2, zorder=2)
        axes.plot(row.days_low, y, **GUIDE, zorder=3)
    axes.plot(row.days, y, **GUIDE, zorder=3)


def _add_legend(figure, layout: FollowUpLayout) -> float:
    frame = layout.frame
    present = set(zip(frame["finding"], frame["confirmed"], strict=True))
    marks = [
        _look(finding, confirmed)
        | {"label": look[2] + ("" if confirmed else ", not confirmed in its source")}
        for finding, look in MARKS.items()
        for confirmed in (True, False)
        if (finding, confirmed) in present
    ]
    spans = frame[frame["days"] > frame["days_low"]]
    if len(spans):
        colour = MARKS[spans["finding"].iloc[0]][1]
        marks.append(SPAN | {"color": colour, "label": "result over a period"})
    if len(layout.guide):
        marks.append(GUIDE | {"label": "time the guide names"})
    lanes = layout.lanes
    has_later = lanes["followed_to"] > lanes["measured_to"]
    for reason in sorted({_dash_words(reason) for reason in lanes.loc[has_later, "missing"]}):
        look = {"ls": _dashes(reason), "lw": 1.4, "color": style.QUIET}
        marks.append(look | {"label": f"follow-up with results {reason}"})
    marks.append(EARLIER | {"label": "before the first result"})
    for is_stated, words in ((True, "after the last assessment described"),
                             (False, "follow-up not stated")):  # fmt: skip
        if (lanes["is_stated"] == is_stated).any():
            marks.append(LATER[is_stated] | {"label": words})
    return style.legend(figure, marks)
