"""Doses of all trials: each treated arm against its comparison, by what could be felt."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import evidence_rows
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import MEASURE_LABELS, Question, select_study_effects
from evidence.analysis.pooling.study_effects import (
    PRINTED_EFFECTS,
    align_sign,
    crossover_without_correlation,
)
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import UNSIZED_MEASURES
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import (
    Number,
    Sentence,
    confidence_level,
    count,
    format_duration,
    join_words,
)
from evidence.statistics.confidence_intervals import critical_value

BLINDING = {
    "open label": ("D", style.VERMILION, "open label: people knew"),
    "inactive comparator": ("s", style.YELLOW, "inactive comparator: it cannot be felt"),
    "active placebo": ("o", style.BLUE, "active placebo: it has effects of its own"),
    "indistinguishable": ("^", style.GREEN, "indistinguishable: nobody could feel a difference"),
    "": ("x", style.QUIET, "not stated"),
}


WORDED = {"better": "▲", "no difference": "○", "worse": "▼"}
UNBOUNDED_WINDOW = 400.0
"""A window that lets every time count, so that each trial is shown at the one nearest."""


@dataclass(frozen=True, kw_only=True)
class AllTrialsDoseLayout(Layout):
    """`frame`: one row an arm on the natural scale: `dose`, `offset` (to part arms of one dose),
    `estimate`, `ci_low`, `ci_high` (NaN where the text prints none), `found` (the direction, where
    no size is printed), `blinding`, `label`.
    """

    measure: str
    outcome: str


def lay_out_dose_effect_all_trials(
    dataset: Dataset, results: pd.DataFrame, question: Question, *, confidence: float
) -> AllTrialsDoseLayout:
    """Every treated arm with a stated dose per weight against the comparison of its own trial.

    Each trial at the time nearest to the one asked for, however far; sizes without an interval and
    findings without a size are shown as what they are.
    """
    asked = replace(question, max_time_ratio=UNBOUNDED_WINDOW)
    arms = select_study_effects(dataset, results, asked, by_arm=True)
    arms = arms[arms["dose_mg_per_kg"] > 0]
    half = critical_value(confidence) * np.sqrt(arms["vi"])
    known = ~crossover_without_correlation(arms)
    back = INVERSE_LINK.get(question.measure, float)
    sized = pd.DataFrame(
        {
            "study": arms["study"],
            "label": arms["label"],
            "dose": arms["dose_mg_per_kg"],
            "days": arms["days"],
            "estimate": [float(back(value)) for value in arms["yi"]],
            "ci_low": [float(back(value)) for value in (arms["yi"] - half).where(known)],
            "ci_high": [float(back(value)) for value in (arms["yi"] + half).where(known)],
            "found": "",
            "blinding": arms["blinding"],
            "address": arms["address"],
        }
    )
    frame = pd.concat([sized, _otherwise(results, asked, sized)], ignore_index=True)
    frame = frame.sort_values(["dose", "found", "study"], kind="stable").reset_index(drop=True)
    lane = [frame["dose"], frame["found"] != ""]
    place = frame.groupby(lane).cumcount()
    size = frame.groupby(lane)["dose"].transform("size")
    frame["offset"] = place - (size - 1) / 2
    frame["name"] = [f"{row.study}/{row.dose:g} mg per kg" for row in frame.itertuples()]
    shown = frame["found"] == ""
    several = frame.loc[frame["study"].duplicated(keep=False), "label"].unique()
    numbers = {
        "arms": count(int(shown.sum()), "treated arm", None, _rows(frame[shown]), "effect"),
        "treatment": Number(None, join_words(question.treatments) or "all treatments"),
        "level": confidence_level(confidence),
        "worded": count(int((~shown).sum()), "arm", None, _rows(frame[~shown]), "effect"),
        "shared": Number(
            None,
            f" The arms of {join_words(several)} share one comparison group."
            if len(several)
            else "",
        ),
    }
    return AllTrialsDoseLayout(
        id=f"fig-doses-{question.measure}",
        title=f"Dose and effect over all trials: {MEASURE_LABELS[question.measure]} of {question.outcome}",
        caption=Sentence(
            f"fig-doses-{question.measure}.caption",
            "{arms} of {treatment}, each against the comparison of its own trial at the time "
            "nearest to that asked for, with {level} intervals; an open mark is a size without "
            "one: none is printed, or the two groups are the same people. Shape and colour say "
            "whether people could tell what they got."
            + (
                " For {worded} only the direction was read, shown below the chart."
                if not shown.all()
                else ""
            )
            + "{shared}",
            numbers,
        ),
        alt=_alt(question, frame),
        reading=_read(question.measure, frame),
        frame=frame,
        methods=dict.fromkeys(["estimate", "ci_low", "ci_high"], "effect") | {"days": "days"},
        empty="" if len(frame) else "No trial here states a dose per weight and what it did.",
        measure=question.measure,
        outcome=question.outcome,
    )


def _otherwise(results: pd.DataFrame, question: Question, known: pd.DataFrame) -> pd.DataFrame:
    """Arms of which a size without interval, or a direction only, was read."""
    rows = evidence_rows(results)
    rows = rows[
        (rows["outcome"] == question.outcome)
        & (rows["role"] == "contrast")
        & (rows["dose_mg_per_kg"] > 0)
        & ~rows["study"].isin(known["study"])
    ]
    for grouping in ("condition", "treatment"):
        if question.named_values(grouping):
            rows = rows[rows[grouping].isin(question.named_values(grouping))]
    word, _ = PRINTED_EFFECTS[question.measure]
    # Before any row goes: a column put into a frame without rows brings its own.
    rows = rows.assign(sized=rows["measure"].eq(word) & rows["value"].notna())
    rows = rows[rows["sized"] | rows["measure"].isin(UNSIZED_MEASURES)]
    rows = rows.sort_values("sized", ascending=False, kind="stable")
    rows = rows.drop_duplicates(["study", "dose_mg_per_kg"])
    sizes = [
        align_sign(row, question.measure, np.full(3, row["value"]))[0] for _, row in rows.iterrows()
    ]
    return pd.DataFrame(
        {
            "study": rows["study"],
            "label": rows["label"],
            "dose": rows["dose_mg_per_kg"],
            "days": rows["days"],
            "estimate": pd.Series(sizes, rows.index, dtype=float).where(rows["sized"]),
            "ci_low": np.nan,
            "ci_high": np.nan,
            "found": rows["direction"].where(~rows["sized"], ""),
            "blinding": rows["blinding"],
            "address": rows["address"],
        }
    )


def _rows(frame: pd.DataFrame) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(frame["address"]).split()))


def _alt(question: Question, frame: pd.DataFrame) -> str:
    """Over which doses and sizes the arms spread."""
    shown = frame[frame["found"] == ""]
    if shown.empty:
        return f"Chart of {question.outcome} by dose, without any size."
    low, high = format_estimates(question.measure, shown["estimate"].min(), shown["estimate"].max())
    doses = sorted(shown["dose"].unique())
    over = f"at {doses[0]:g}" if len(doses) == 1 else f"from {doses[0]:g} to {doses[-1]:g}"
    return (
        f"Chart of {question.outcome} by dose: {count(len(shown), 'arm')} of "
        f"{count(shown['study'].nunique(), 'trial')} {over} mg/kg, "
        f"{MEASURE_LABELS[question.measure]} from {low} to {high}."
    )


def _read(measure: str, frame: pd.DataFrame) -> tuple[str, ...]:
    said = []
    for row in frame.itertuples():
        how = f", {row.blinding}" if row.blinding else ""
        who = f"{row.label}, {row.dose:g} mg/kg, {format_duration(row.days)}{how}"
        if row.found:
            said.append(f"{who}: {row.found}, size not given.")
        else:
            middle, low, high = format_estimates(measure, row.estimate, row.ci_low, row.ci_high)
            ends = f", from {low} to {high}." if np.isfinite(row.ci_low) else ", no interval given."
            said.append(f"{who}: {middle}{ends}")
    return tuple(said)


@draw.register
def draw_dose_effect_all_trials(layout: AllTrialsDoseLayout):
    """One place a dose, its arms side by side; below, what was reported in words."""
    frame = layout.frame
    doses = sorted(frame["dose"].unique())
    step = 0.8 / max(int(frame.groupby("dose").size().max()), 4)
    worded = frame["found"] != ""
    lines = int(frame[worded].groupby("dose").size().max()) if worded.any() else 0
    with style.house_style():
        figure, (axis, strip) = style.new_figure(
            8.6, 4.8 + 0.2 * lines, nrows=2, sharex=True, height_ratios=[4.2, 0.2 * lines + 0.01]
        )
        x = frame["dose"].map(doses.index) + step * frame["offset"]
        for blinding, (mark, colour, words) in BLINDING.items():
            rows = frame[(frame["blinding"] == blinding) & ~worded]
            if len(rows):
                at = x[rows.index]
                axis.vlines(at, rows["ci_low"], rows["ci_high"], color=colour, lw=1.5)
                axis.plot([], [], mark, ms=7, color=colour, label=words)
            for place, row in zip(x[rows.index], rows.itertuples(), strict=True):
                _mark(axis, place, row, mark, colour)
        axis.axhline(style.NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
        if layout.measure in ("rr", "or"):
            _ratios(axis, frame)
        else:
            low, high = axis.get_ylim()
            # Room for the names that stand on end above the marks.
            axis.set_ylim(low, high + 0.45 * (high - low))
        axis.set_ylabel(f"{MEASURE_LABELS[layout.measure]}\nof {layout.outcome}")
        axis.grid(axis="y")
        if worded.any():
            _draw_worded(strip, frame[worded], doses)
        else:
            strip.set_yticks([])
        strip.set_ylim(max(lines, 1) - 0.4, -0.6)
        strip.spines[["left", "bottom"]].set_visible(False)
        strip.set_xticks(range(len(doses)), [f"{dose:g} mg/kg" for dose in doses])
        strip.tick_params(axis="x", length=0)
        strip.set_xlim(-0.6, len(doses) - 0.4)
        figure.legend(loc="outside lower left", ncols=2, fontsize=8)
    return figure


def _draw_worded(strip, rows: pd.DataFrame, doses: list[float]):
    """The signs of directions with the names of their trials, one below the other at each dose."""
    for dose, group in rows.groupby("dose"):
        for line, row in enumerate(group.itertuples()):
            said = f"{WORDED[row.found]} {row.label}"
            strip.text(doses.index(dose), line, said, ha="center", va="center", fontsize=7.5)
    strip.set_yticks([0], ["in words only:\n▲ better  ○ no different"], fontsize=8, va="top")


def _mark(axis, place, row, mark, colour):
    """An effect with the name of its trial above it; open where no interval is printed."""
    bare = not np.isfinite(row.ci_high)
    axis.plot(place, row.estimate, mark, ms=7, mec=colour, mfc="white" if bare else colour)
    axis.annotate(
        f"{row.label}, {format_duration(row.days)}",
        (place, row.estimate if bare else row.ci_high),
        (0, 8 if bare else 4),
        textcoords="offset points",
        rotation=90, ha="center", va="bottom", fontsize=7.5,
    )  # fmt: skip


def _ratios(axis, frame: pd.DataFrame):
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_yscale("log")
    axis.set_ylim(min(0.5, frame["ci_low"].min() / 1.2), max(2.0, frame["ci_high"].max() * 3))
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
