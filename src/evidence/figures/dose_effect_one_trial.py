"""Doses of one trial against the same comparator: sizes where printed, directions where not."""

from dataclasses import dataclass

import pandas as pd

from evidence.analysis.arm_comparisons import arm_sizes, doses_of_trial
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import (
    Number,
    Sentence,
    count,
    format_interval,
    format_number,
    format_time,
    join_words,
)

DIRECTION_WORDS = {
    "better": ("▲", style.BLUE, "reported better than {versus}"),
    "no difference": ("○", style.INK, "reported not different"),
    "worse": ("▼", style.VERMILION, "reported worse than {versus}"),
    "not stated": ("?", style.QUIET, "not stated"),
}


@dataclass(frozen=True, kw_only=True)
class OneTrialDoseLayout(Layout):
    """Doses as columns; `frame` has `dose`, `lane`, `finding`, `has_estimate`, `value` and the p values.

    `lane` is `size` (a printed difference), `source` or `guide` (a direction in words). `sizes`
    gives the people allotted to each arm.
    """

    study: str
    versus: str
    columns: tuple[float, ...]
    sizes: dict[str, int]


def lay_out_dose_effect_one_trial(results: pd.DataFrame, *, study: str = "") -> OneTrialDoseLayout:
    """The doses of one study; by default of the first that compares several.

    A difference is placed on the axis of sizes only if its size is printed; everything else
    stands below it as the words it was reported in.
    """
    rows = doses_of_trial(results)
    study = study or (rows["study"].iloc[0] if len(rows) else "")
    rows = rows[rows["study"] == study]
    label = rows["label"].iloc[0] if len(rows) else study
    rows = rows.assign(
        dose=rows["dose_mg_per_kg"],
        lane=["guide" if row.is_guide else "source" for row in rows.itertuples()],
        when=[format_time(row.time, row.time_unit) for row in rows.itertuples()],
        name=[
            f"{row.study}/{row.dose_mg_per_kg:g} mg per kg/{row.source}/{row.outcome}/{row.measure}"
            for row in rows.itertuples()
        ],
    )
    versus = next(iter(rows["versus"]), "")
    columns = [
        "name",
        "arm",
        "dose",
        "lane",
        "finding",
        "has_estimate",
        "value",
        "ci_low",
        "ci_high",
        "p_value",
        "p_adjusted",
        "when",
        "versus",
        "outcome",
        "instrument",
        "confirmed",
        "source",
        "address",
    ]
    frame = rows[columns].reset_index(drop=True)
    return OneTrialDoseLayout(
        id="fig-dose-response",
        title=f"Dose and effect in {label}",
        caption=_caption(frame, label, versus),
        alt=_alt(frame, label, versus),
        reading=_read(frame),
        frame=frame,
        empty="" if len(frame) else "No study here compares several doses with one comparator.",
        study=study,
        versus=versus,
        columns=tuple(sorted(frame["dose"].unique())),
        sizes=arm_sizes(results, study),
    )


def _alt(frame: pd.DataFrame, label: str, versus: str) -> str:
    """What the source says of each dose, and how many sizes are printed."""
    if frame.empty:
        return ""
    source = frame[frame["lane"] == "source"].drop_duplicates("dose")
    doses = source.groupby("finding", sort=False)["dose"]
    said = [f"{join_words(f'{dose:g}' for dose in rows)} mg/kg {found}" for found, rows in doses]
    return (
        f"Chart of the doses of {label} against {versus}. Reported were {'; '.join(said)}. A size "
        f"is printed for {source['has_estimate'].sum()} of {count(len(source), 'dose')}."
    )


def _read(frame: pd.DataFrame) -> tuple[str, ...]:
    parts = []
    for row in frame.itertuples():
        who = "The guide" if row.lane == "guide" else "The source"
        on = ", ".join(filter(None, (f"{row.dose:g} mg/kg", row.outcome, row.when)))
        text = f"{who} on {on}: {row.finding}"
        if row.has_estimate:
            text += f", standardised difference {format_number(row.value)}"
        if row.has_estimate and row.ci_low == row.ci_low:
            text += f", from {format_interval(row.ci_low, row.ci_high)}"
        if row.p_value:
            text += f", p {row.p_value}"
        if row.p_adjusted:
            text += f", after correction p {row.p_adjusted}"
        parts.append(text + ("." if row.has_estimate else ", size not given."))
    return tuple(parts)


def _caption(frame: pd.DataFrame, label: str, versus: str) -> Sentence:
    source = frame[frame["lane"] == "source"]
    sized = set(source.loc[source["has_estimate"], "dose"])
    only_worded = set(source["dose"]) - sized
    instrument = next(iter(source["instrument"]), "")
    numbers = {
        "label": Number(None, label),
        "versus": Number(None, versus),
        "instrument": Number(None, f" on the {instrument}" if instrument else ""),
    }
    template = "{label}, each dose against {versus}{instrument}"
    if sized:
        numbers["sized"] = _doses(source[source["has_estimate"]])
        template += ". A size was read for {sized} mg/kg only; below zero the dose did better"
    if only_worded:
        numbers["worded"] = _doses(source[source["dose"].isin(only_worded)])
        template += ". For {worded} mg/kg only the direction was read, so no position is drawn"
    template += ". Findings are those after correction for several comparisons where given."
    return Sentence("fig-dose-response.caption", template, numbers)


def _doses(rows: pd.DataFrame) -> Number:
    text = join_words(f"{dose:g}" for dose in sorted(rows["dose"].unique()))
    return Number(text, text, tuple(" ".join(rows["address"]).split()))


@draw.register
def draw_dose_effect_one_trial(layout: OneTrialDoseLayout):
    """Above, the sizes that were printed; below, what was reported in words, dose by dose."""
    frame = layout.frame
    with style.house_style():
        figure, (top, strip) = style.new_figure(
            8.6, 5.4, nrows=2, sharex=True, height_ratios=[3, 2]
        )
        place = {dose: number for number, dose in enumerate(layout.columns)}
        _draw_sizes(top, layout, place)
        _draw_words(strip, frame, place, layout)
        top.set_xlim(-0.6, len(place) - 0.4)
    return figure


def _draw_sizes(axis, layout, place):
    frame = layout.frame
    sized = frame[frame["has_estimate"]]
    reach = max(1.2, 1.25 * sized["value"].abs().max() if len(sized) else 0)
    axis.set_ylim(reach * 0.4, -reach)
    axis.axhline(0, color=style.QUIET, lw=1, ls="--")
    size = layout.sizes.get(layout.versus)
    people = f"\n({size} people)" if size else ""
    axis.annotate(
        f"no difference\nfrom {layout.versus}{people}",
        (1.01, 0),
        va="center",
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color=style.QUIET,
    )
    for row in sized.itertuples():
        x = place[row.dose]
        if row.ci_low == row.ci_low:
            axis.plot([x, x], [row.ci_low, row.ci_high], color=style.BLUE, lw=1.6)
        fill = style.BLUE if row.finding == "better" else "white"
        axis.plot(x, row.value, "o", ms=9, mfc=fill, mec=style.BLUE, mew=1.6)
        said = [f"{format_number(row.value)}{' at ' + row.when if row.when else ''}"]
        said += [f"p {row.p_value}"] if row.p_value else []
        said += [f"after correction p {row.p_adjusted}"] if row.p_adjusted else []
        axis.annotate(
            "\n".join(said),
            (x, row.value),
            (0, -9),
            textcoords="offset points",
            va="top",
            ha="center",
            fontsize=8.5,
        )
    for dose in set(place) - set(sized["dose"]):
        axis.text(
            place[dose],
            -reach / 2,
            "size not given",
            ha="center",
            va="center",
            color=style.QUIET,
            fontsize=8.5,
            style="italic",
        )
        axis.axvspan(
            place[dose] - 0.42, place[dose] + 0.42, fill=False, hatch="///", lw=0, zorder=0
        )
        axis.texts[-1].set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 3})
    axis.set_ylabel("standardised difference\n(above the line: dose better)")
    axis.set_title(f"Sizes that are printed, each dose against {layout.versus}", pad=8)
    axis.grid(axis="y")


def _draw_words(axis, frame, place, layout):
    lanes = [lane for lane in ("source", "guide") if lane in set(frame["lane"])]
    axis.set_ylim(len(lanes) - 0.5, -0.5)
    axis.set_yticks(
        range(len(lanes)), [{"source": "the source", "guide": "the guide"}[lane] for lane in lanes]
    )
    for lane in lanes:
        rows = frame[frame["lane"] == lane].drop_duplicates("dose")
        said = {row.dose: row for row in rows.itertuples()}
        for dose, x in place.items():
            y = lanes.index(lane)
            if dose not in said:
                axis.text(
                    x,
                    y,
                    "says nothing",
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    color=style.QUIET,
                    style="italic",
                )
                continue
            mark, colour, words = DIRECTION_WORDS[said[dose].finding]
            # The guide is not held to the comparison that its source used.
            text = words.format(versus=layout.versus).replace(" than ", "\nthan ")
            text = f"said to be\n{said[dose].finding}" if lane == "guide" else text
            axis.text(x, y - 0.22, mark, ha="center", va="center", fontsize=12, color=colour)
            axis.text(x, y + 0.2, text, ha="center", va="center", fontsize=8.5, color=colour)
    names, arms = [], dict(zip(frame["dose"], frame["arm"], strict=True))
    for dose in layout.columns:
        size = layout.sizes.get(arms[dose])
        names.append(f"{dose:g} mg/kg" + (f"\n{size} people" if size else ""))
    axis.set_xticks(range(len(names)), names)
    axis.tick_params(axis="x", length=0)
    axis.spines["left"].set_visible(False)
    axis.set_title("What is said about each dose", pad=8)
