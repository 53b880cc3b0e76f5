"""What was still seen after hours, days, weeks, a year: one lane a study, time on a log axis."""

from dataclasses import dataclass, field

import pandas as pd

from evidence.analysis.follow_up import findings_over_time, follow_up_by_study
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw, shortened
from evidence.provenance.sentence import (
    Number,
    Sentence,
    count,
    format_duration,
    format_time,
    join_words,
)

MARKS = {
    "better": ("o", style.BLUE, True, "better than its comparison"),
    "proportion": ("s", style.GREEN, True, "share of people, nothing to compare with"),
    "no difference": ("o", style.INK, False, "no difference found"),
    "worse": ("v", style.VERMILION, True, "worse than its comparison"),
}
TICKS = {
    1 / 24: "1 hour",
    1.0: "1 day",
    7.0: "1 week",
    30.44: "1 month",
    365.25: "1 year",
}
START, END = 1 / 48, 3 * 365.25


@dataclass(frozen=True, kw_only=True)
class FollowUpLayout(Layout):
    """`frame`: one row a mark (`lane`, `days_low`, `days`, `finding`, `text`); `lanes`: one a study.

    `lanes` has `label`, `measured_to` and `followed_to` in days. `guide` holds what the guide
    says about durations: `lane`, `days_low`, `days`, `text`.
    """

    lanes: pd.DataFrame = field(repr=False)
    guide: pd.DataFrame = field(repr=False)


def lay_out_follow_up(
    dataset: Dataset, results: pd.DataFrame, *, confidence: float = 0.95
) -> FollowUpLayout:
    """Every time at which a study reports on a benefit, and the silence after the last one."""
    found = findings_over_time(results, confidence=confidence)
    rows = follow_up_by_study(dataset, found)
    place = {study: number for number, study in enumerate(rows["study"])}
    found = found.assign(
        lane=found["study"].map(place),
        name=[
            f"{row.study}/{row.outcome}/{format_duration(row.days)}/{row.finding}"
            for row in found.itertuples()
        ],
    )
    found = found.drop_duplicates(["lane", "days_low", "days", "outcome", "finding"])
    guide = results[results["is_guide"] & (results["days"] > 0) & results["study"].isin(place)]
    guide = guide.assign(
        lane=guide["study"].map(place),
        text=[format_time(row.time, row.time_unit) for row in guide.itertuples()],
    )
    guide = guide.drop_duplicates(["lane", "days_low", "days"])
    longest = rows["measured_to"].max() if len(rows) else float("nan")
    latest = tuple(" ".join(rows.loc[rows["measured_to"] == longest, "address"]).split())
    columns = [
        "name",
        "study",
        "label",
        "outcome",
        "lane",
        "days_low",
        "days",
        "finding",
        "text",
        "confirmed",
        "address",
    ]
    return FollowUpLayout(
        id="fig-durability",
        title="How long an effect was still seen",
        caption=Sentence(
            "fig-durability.caption",
            "One lane a study; time since treatment began, on a log scale. Filled blue: better "
            "than the comparison; open: no difference found; green square: a share of people "
            "without a comparison; half-filled marks were not confirmed at their source. A dotted "
            "line is time in which people were followed but no result is in the tables; hatching "
            "is time in which nothing was measured. Diamonds are times that the guide names. "
            "The longest result here is at {longest}.{absent}",
            {
                "longest": Number(longest, format_duration(longest), latest, "days"),
                "absent": Number(None, _absent(results, place)),
            },
        ),
        alt=_alt(rows, found),
        reading=_read(rows, found, guide),
        frame=found[columns].reset_index(drop=True),
        methods={"days_low": "days", "days": "days"},
        empty="" if len(found) else "No result on a benefit at a stated time among these.",
        lanes=rows,
        guide=guide[["lane", "days_low", "days", "text", "address"]].reset_index(drop=True),
    )


def _absent(results: pd.DataFrame, place: dict[str, int]) -> str:
    """Which studies of benefits have no lane, because no tested result of theirs has a time."""
    rows = results[(results["kind"] == "benefit") & ~results["is_guide"]]
    labels = rows.loc[~rows["study"].isin(place), "label"].unique()
    if not len(labels):
        return ""
    return f" Without a result that could be placed in time: {join_words(labels)}."


def _alt(rows: pd.DataFrame, found: pd.DataFrame) -> str:
    """How many studies, how far they reach, and what was found how often."""
    if found.empty:
        return ""
    findings = [
        f"{words} ({(found['finding'] == name).sum()})"
        for name, (_, _, _, words) in MARKS.items()
        if name in set(found["finding"])
    ]
    return (
        f"Chart of what {count(len(rows), 'study', 'studies')} found at which time, from "
        f"{format_duration(found['days'].min())} to {format_duration(found['days'].max())} after treatment began: "
        f"{join_words(findings)}."
    )


def _read(rows: pd.DataFrame, found: pd.DataFrame, guide: pd.DataFrame) -> tuple[str, ...]:
    parts = []
    for row in rows.itertuples():
        for moment in found[found["study"] == row.study].itertuples():
            low, high = format_duration(moment.days_low), format_duration(moment.days)
            time = high if moment.days_low == moment.days else f"{low} to {high}"
            parts.append(
                f"{row.label}, {moment.outcome} at {time}: {MARKS[moment.finding][3]}"
                + (f" ({moment.text})" if moment.text else "")
                + ("." if moment.confirmed else ", not confirmed at its source.")
            )
        parts += [
            f"The guide names {said.text} for {row.label}."
            for said in guide[guide["study"] == row.study].itertuples()
        ]
        parts.append(
            f"{row.label} has results up to {format_duration(row.measured_to)} and followed people for "
            f"{format_duration(row.followed_to)}; after that nothing was measured."
        )
    return tuple(parts)


@draw.register
def draw_follow_up(layout: FollowUpLayout):
    """Lanes sorted by how far they reach, the unmeasured time hatched."""
    with style.house_style():
        figure, axis = style.new_figure(9.6, 0.56 * len(layout.lanes) + 1.7)
        for place, row in enumerate(layout.lanes.itertuples()):
            axis.plot([START, row.measured_to], [place, place], color=style.FAINT, lw=1.2, zorder=1)
            if row.followed_to > row.measured_to:
                axis.plot(
                    [row.measured_to, row.followed_to],
                    [place, place],
                    ls=(0, (1, 2)),
                    color=style.QUIET,
                    lw=1.4,
                    zorder=1,
                )
            axis.fill_betweenx(
                [place - 0.3, place + 0.3],
                row.followed_to * 1.12,
                END,
                facecolor="none",
                hatch="////",
                lw=0,
                edgecolor="#bdbdbd",
            )
        for row in layout.guide.itertuples():
            _draw_guide(axis, row)
        _draw_moments(axis, layout.frame)
        axis.set_xscale("log")
        axis.set_xlim(START, END)
        axis.set_xticks(list(TICKS), list(TICKS.values()))
        axis.minorticks_off()
        axis.grid(axis="x")
        axis.set_ylim(len(layout.lanes) - 0.45, -0.55)
        axis.set_yticks(range(len(layout.lanes)), _names(layout), linespacing=1.35)
        axis.set_xlabel("time since treatment began (log scale)")
        _draw_key(figure, layout)
    return figure


def _names(layout: FollowUpLayout) -> list[str]:
    """Each study with the outcomes its marks stand for."""
    outcomes = layout.frame.groupby("lane")["outcome"].unique()
    return [
        f"{row.label}\n{shortened(', '.join(outcomes[place]), 34)}"
        for place, row in enumerate(layout.lanes.itertuples())
    ]


def _draw_moments(axis, frame):
    rank = {
        found: number
        for number, found in enumerate(("better", "proportion", "no difference", "worse"))
    }
    for _, rows in frame.groupby(["lane", "days"], sort=False):
        # Of the same finding the confirmed one is shown; several stand above one another.
        shown = {
            row.finding: row for row in sorted(rows.itertuples(), key=lambda row: row.confirmed)
        }
        for number, row in enumerate(sorted(shown.values(), key=lambda row: rank[row.finding])):
            y = row.lane + (number - (len(shown) - 1) / 2) * 0.3
            mark, colour, filled, _ = MARKS[row.finding]
            if row.days > row.days_low:
                low = max(row.days_low, START)
                axis.plot(
                    [low, row.days],
                    [y, y],
                    color=colour,
                    lw=4,
                    alpha=0.35,
                    solid_capstyle="butt",
                    zorder=2,
                )
            axis.plot(
                row.days,
                y,
                mark,
                ms=7,
                mec=colour,
                mew=1.5,
                zorder=3,
                mfc=colour if filled else "white",
                markerfacecoloralt="white",
                fillstyle="full" if row.confirmed else "left",
            )


def _draw_guide(axis, row):
    y = row.lane + 0.4
    if row.days > row.days_low > 0:
        axis.plot([row.days_low, row.days], [y, y], color=style.VERMILION, lw=1.2, zorder=2)
        axis.plot(row.days_low, y, "D", ms=4.5, mfc="white", mec=style.VERMILION, zorder=3)
    axis.plot(row.days, y, "D", ms=4.5, mfc="white", mec=style.VERMILION, mew=1.2, zorder=3)


def _draw_key(figure, layout):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    present = set(layout.frame["finding"])
    handles = [
        Line2D(
            [],
            [],
            ls="",
            marker=mark,
            ms=7,
            mec=colour,
            mew=1.5,
            mfc=colour if filled else "white",
            label=words,
        )
        for found, (mark, colour, filled, words) in MARKS.items()
        if found in present
    ]
    if not layout.frame["confirmed"].all():
        handles.append(
            Line2D(
                [],
                [],
                ls="",
                marker="o",
                ms=7,
                mec=style.QUIET,
                mfc=style.QUIET,
                markerfacecoloralt="white",
                fillstyle="left",
                label="half filled: not confirmed at its source",
            )
        )
    if len(layout.guide):
        handles.append(
            Line2D(
                [],
                [],
                ls="",
                marker="D",
                ms=4.5,
                mfc="white",
                mew=1.2,
                mec=style.VERMILION,
                label="time the guide names",
            )
        )
    handles.append(
        Line2D([], [], ls=(0, (1, 2)), lw=1.4, color=style.QUIET, label="followed, no result read")
    )
    handles.append(
        Patch(facecolor="none", hatch="////", edgecolor="#bdbdbd", lw=0, label="not measured")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
