"""Studies and their pool: a line a study and a diamond, or the pool as it grew study by study.

What a person chose to look at is drawn so as well, with the diamond where there can be one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from evidence.analysis.narrative.pooled_results import format_estimates, method_label
from evidence.analysis.pooling.explorer_query import ANY, ExplorerQuery, QueryResult, run_query
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK, PooledEstimate, Refusal
from evidence.analysis.pooling.question import measure_label
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    Number,
    Sentence,
    capitalise,
    confidence_level,
    count,
    format_duration,
    format_percent,
    parameter,
)

EXPLORER_FOREST = "fig-view"
METHODS = ci_methods("effect", "effect", "estimate", "ci_low", "ci_high") | {
    "weight": "weight",
    "pi_low": "prediction",
    "pi_high": "prediction",
}


@dataclass(frozen=True, kw_only=True)
class ForestLayout(Layout):
    """`frame`: one row a line, top to bottom, on the natural scale: `label`, `says`, `estimate`,
    `ci_low`, `ci_high`, `weight`, `pi_low`, `pi_high`, `kind` (heading, study, pooled or
    cumulative), and `risk`, the level of the risk of bias of a study.
    """

    measure: str
    outcome: str


def lay_out_forest(pooled: PooledEstimate | Refusal) -> ForestLayout:
    """Every study with its interval and weight, the pool below them with prediction interval.

    Where studies were also pooled by groups, each group with its own pool, and none of all.
    """
    name = f"fig-forest-by-{pooled.subgroup_by}" if pooled.subgroup_by else "fig-forest"
    told = f", by {pooled.subgroup_by}" if pooled.subgroup_by else ": studies and their pool"
    title = f"{pooled.outcome.capitalize()}{told}"
    if isinstance(pooled, Refusal):
        return _empty(name, title, pooled)
    template = (
        "Each line is a study with its {level} interval; the square grows with its weight, the "
        "diamond is the pooled estimate ({how}). The thin line through the diamond is where a further study "
        "is expected. The sign before a line is the study's overall risk of bias, an empty circle "
        "that nobody judged it."
    )
    if not pooled.subgroup_by:
        lines = [_study(pooled, row) for row in pooled.studies.itertuples()]
        lines.append(_diamond(pooled, "all together", pooled.studies, pooled.pooled))
        return _layout(name, title, template, pooled, lines)
    lines = []
    for group in pooled.subgroups:
        word = group.name or "not stated"
        lines.append({"name": word, "kind": "heading", "label": f"{pooled.subgroup_by}: {word}",
                      "says": "", "risk": "",
                      "address": " ".join(group.studies["address"])})  # fmt: skip
        weights = group.pooled.weights if group.pooled else np.nan
        for row in group.studies.assign(weight=weights).itertuples():
            lines.append(_study(pooled, row))
        if group.pooled:
            lines.append(_diamond(pooled, f"{word}, together", group.studies, group.pooled))
    return _layout(
        name,
        title,
        template + " A group of one study has no pool. {difference}",
        pooled,
        lines,
        difference=_difference(pooled),
    )


def _difference(pooled: PooledEstimate) -> Number:
    """Whether the groups differ, as a sentence of its own."""
    test = pooled.subgroup_test
    if test is None or not test.Q_df:
        said = pooled.omitted_analyses.get(
            "subgroup_test", pooled.omitted_analyses.get("subgroups", "")
        )
        return Number(None, f"{capitalise(said)}.")
    rows = tuple(" ".join(pooled.studies["address"]).split())
    text = f"Test that the groups differ: Q {test.Q:.2f}, p {test.Q_p:.2g}."
    return Number(test.Q_p, text, rows, "groups")


def lay_out_cumulative(pooled: PooledEstimate | Refusal) -> ForestLayout:
    """The pool after each study, oldest first: how the first estimate fared."""
    title = "How the estimate changed with each study"
    if isinstance(pooled, Refusal):
        return _empty("fig-cumulative", title, pooled)
    first = pooled.studies.iloc[0]
    lines = [_study(pooled, next(pooled.studies.head(1).itertuples()))]
    for place, found in enumerate(pooled.cumulative, start=1):
        row = pooled.studies.iloc[place]
        rows = " ".join(pooled.studies["address"].iloc[: place + 1])
        line = _line(pooled, "cumulative", f"with {row['label']}", f"{found.k} studies", found)
        lines.append(line | {"address": rows})
    return _layout(
        "fig-cumulative",
        title,
        "The first line is {first} alone, each further line the pooled estimate of all studies up "
        "to the one named ({how}, {level} intervals).",
        pooled,
        lines,
        first=Number(None, first["label"]),
    )


def _empty(identity: str, title: str, refusal: Refusal) -> ForestLayout:
    columns = ["name", "label", "estimate", "address"]
    return ForestLayout(
        id=identity,
        title=title,
        caption=Sentence(f"{identity}.caption", "Nothing is drawn."),
        alt="",
        reading=(),
        frame=pd.DataFrame(columns=columns),
        empty=f"Not pooled: {'; '.join(refusal.reasons)}.",
        measure=refusal.measure,
        outcome=refusal.outcome,
    )


def _line(pooled, kind, label, says, found, *, weight=np.nan, pi=(np.nan, np.nan)) -> dict:
    back = INVERSE_LINK.get(pooled.measure, float)
    numbers = (found.estimate, found.ci_low, found.ci_high, *pi)
    names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    natural = {name: float(back(number)) for name, number in zip(names, numbers, strict=True)}
    about = {"name": label, "kind": kind, "label": label, "says": says, "risk": ""}
    return about | {"weight": weight} | natural


def _diamond(pooled: PooledEstimate, label: str, studies: pd.DataFrame, found) -> dict:
    pi = [getattr(found, name, np.nan) for name in ("pi_low", "pi_high")]
    line = _line(pooled, "pooled", label, f"{found.k} studies", found, pi=pi)
    return line | {"address": " ".join(studies["address"])}


def _study(pooled: PooledEstimate, row) -> dict:
    says = row.comparison
    if np.isfinite(row.n2):
        says = f"{row.events1:.0f}/{row.n1:.0f} against {row.events2:.0f}/{row.n2:.0f}"
    elif np.isfinite(row.events1):
        says = f"{row.events1:.0f}/{row.n1:.0f}"
    if np.isfinite(row.days):
        says += f", {format_duration(row.days)}"
    own = _Own(row.yi, row.ci_low, row.ci_high)
    line = _line(pooled, "study", row.label, says, own, weight=float(row.weight))
    return line | {"name": row.study, "risk": row.risk, "address": row.address}


class _Own(NamedTuple):
    """The numbers of one study under the names that a pool has."""

    estimate: float
    ci_low: float
    ci_high: float


def _layout(identity, title, template, pooled: PooledEstimate, lines, **numbers) -> ForestLayout:
    found = pooled.pooled
    said = {
        "level": confidence_level(getattr(found, "confidence", 0.95)),
        "how": Number(None, method_label(pooled)),
    }
    frame = pd.DataFrame(lines)
    return ForestLayout(
        id=identity,
        title=title,
        caption=Sentence(f"{identity}.caption", template, said | numbers),
        alt=_alt(pooled, len(pooled.studies), lines),
        reading=tuple(_read(pooled.measure, row) for row in lines),
        frame=frame,
        methods=METHODS,
        measure=pooled.measure,
        outcome=pooled.outcome,
    )


def _alt(asked: PooledEstimate | ExplorerQuery, k: int, lines: list[dict]) -> str:
    """How many studies, and what the last line says: the pool of all, or of the last group."""
    studies = count(k, "study", "studies")
    chart = f"Chart of the {measure_label(asked.measure, asked.outcome)} in {studies}"
    pools = [row for row in lines if row["kind"] in ("pooled", "cumulative")]
    said = [f"{row['label']} {_text(asked.measure, row)}" for row in pools[-3:]]
    return f"{chart}. Pooled: {'; '.join(said)}." if said else f"{chart}, none pooled."


def _read(measure: str, row: dict) -> str:
    if row["kind"] == "heading":
        return f"{capitalise(row['label'])}."
    who = row["label"] if row["kind"] == "study" else capitalise(row["label"])
    text = f"{who} ({row['says']}): {_text(measure, row)}"
    if row["kind"] == "study":
        text += f", risk of bias {style.RISK[row['risk']][2]}"
    if np.isfinite(row["weight"]):
        text += f", weight {format_percent(row['weight'])}"
    if np.isfinite(row["pi_low"]):
        low, high = format_estimates(measure, row["pi_low"], row["pi_high"])
        text += f", a further study is expected between {low} and {high}"
    return f"{text}."


def _text(measure: str, row: dict) -> str:
    middle, low, high = format_estimates(measure, row["estimate"], row["ci_low"], row["ci_high"])
    return f"{middle} ({low} to {high})" if np.isfinite(row["ci_low"]) else f"{middle}, no interval"


def lay_out_explorer_forest(
    dataset: Dataset, results: pd.DataFrame, view: ExplorerQuery, *, confidence: float
) -> ForestLayout:
    """Every study that bears on a view with its interval; `results` are of the view's scope."""
    seen = run_query(dataset, results, view, confidence=confidence)
    lines = [_study(seen.pooled, row) for row in seen.studies.itertuples()]
    if not isinstance(seen.pooled, Refusal):
        lines.append(_diamond(seen.pooled, "all together", seen.studies, seen.pooled.pooled))
    columns = ["name", "label", "estimate", "address"]
    return ForestLayout(
        id=EXPLORER_FOREST,
        title=_view_title(view),
        caption=_view_caption(seen),
        alt=_alt(seen.query, len(seen.studies), lines),
        reading=tuple(_read(view.measure, row) for row in lines),
        frame=pd.DataFrame(lines) if lines else pd.DataFrame(columns=columns),
        methods=METHODS,
        empty="" if lines else f"{capitalise('; '.join(seen.pooled.reasons))}.",
        measure=view.measure,
        outcome=view.outcome,
    )


def _view_title(view: ExplorerQuery) -> str:
    said = [word for word in (view.condition, view.treatment) if word != ANY]
    if view.comparator != ANY and view.measure != "proportion":
        said.append(f"against {view.comparator}")
    return capitalise(measure_label(view.measure, view.outcome)) + (
        f": {', '.join(said)}" if said else ""
    )


def _view_caption(seen: QueryResult) -> Sentence:
    name = f"{EXPLORER_FOREST}.caption"
    if seen.studies.empty:
        return Sentence(name, "Nothing is drawn.")
    said = {
        "level": confidence_level(seen.confidence),
        "near": parameter(seen.query.time_days, format_duration(seen.query.time_days)),
    }
    lines = (
        "Each line is a study with its {level} interval, at its time nearest to {near} after "
        "treatment. "
    )
    sign = (
        " The sign before a line is the study's overall risk of bias, an empty circle that nobody "
        "judged it."
    )
    if isinstance(seen.pooled, Refusal):
        said["reasons"] = Number(None, "; ".join(seen.pooled.reasons))
        return Sentence(name, lines + "Not pooled: {reasons}." + sign, said)
    said["how"] = Number(None, method_label(seen.pooled))
    diamond = (
        "The square grows with the weight; the diamond is the pooled estimate ({how}), and the thin line "
        "through it is where a further study is expected."
    )
    return Sentence(name, lines + diamond + sign, said)


@draw.register
def draw_forest(layout: ForestLayout):
    """Names at the left, marks in the middle, numbers at the right."""
    frame = layout.frame
    with style.house_style():
        figure, axis = style.new_figure(8.6, 0.42 * len(frame) + 1.3)
        for place, row in enumerate(frame.to_dict("records")):
            if row["kind"] != "heading":
                _draw_line(axis, place, row)
            if row["kind"] == "study":
                _draw_risk(axis, place, row["risk"])
        axis.set_ylim(len(frame) - 0.4, -0.6)
        names = [f"{row.label}\n{row.says}".strip() for row in frame.itertuples()]
        axis.set_yticks(range(len(frame)), names, fontsize=8)
        axis.tick_params(axis="y", pad=16)
        for text, kind in zip(axis.get_yticklabels(), frame["kind"], strict=True):
            text.set_weight("bold" if kind == "heading" else "normal")
        _scale(axis, layout)
        right = axis.secondary_yaxis("right")
        texts = [
            "" if row["kind"] == "heading" else _text(layout.measure, row)
            for row in frame.to_dict("records")
        ]
        right.set_yticks(range(len(frame)), texts, fontsize=8)
        right.tick_params(length=0)
        right.spines["right"].set_visible(False)
        axis.grid(axis="x")
    return figure


def _draw_line(axis, place, row):
    colour = style.BLUE if row["kind"] == "study" else style.INK
    if np.isfinite(row["pi_low"]):
        axis.plot([row["pi_low"], row["pi_high"]], [place, place], color=style.QUIET, lw=0.9)
    # In an SVG each mark is an element of this name, by its line from the top.
    named = {"gid": f"mark-{place}"}
    if row["kind"] == "pooled":
        x = [row["ci_low"], row["estimate"], row["ci_high"], row["estimate"]]
        axis.fill(x, [place, place - 0.22, place, place + 0.22], color=style.VERMILION, **named)
        return
    axis.plot([row["ci_low"], row["ci_high"]], [place, place], color=colour, lw=1.6)
    weight = row["weight"] if np.isfinite(row["weight"]) else 0.25
    mark = "s" if row["kind"] == "study" else "D"
    axis.plot(row["estimate"], place, mark, ms=4 + 9 * np.sqrt(weight), color=colour, **named)


def _draw_risk(axis, place, level):
    """The sign of a level between name and line, outside the axes."""
    sign, colour, _ = style.RISK[level]
    where = {"xycoords": ("axes fraction", "data"), "ha": "center", "va": "center"}
    circle = {"boxstyle": "circle,pad=0.18", "fc": colour if level else "white",
              "ec": colour if level else style.QUIET}  # fmt: skip
    axis.annotate(
        sign or " ", (0, place), (-8, 0), textcoords="offset points", fontsize=7,
        weight="bold", color=style.INK if level == "some" else "white", bbox=circle, **where,
    )  # fmt: skip


def _scale(axis, layout: ForestLayout):
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    null = style.NO_EFFECT.get(layout.measure)
    if null is not None:
        axis.axvline(null, color=style.QUIET, lw=1, ls="--")
    axis.set_xlabel(measure_label(layout.measure, layout.outcome))
    if layout.measure in ("proportion", "rd"):
        axis.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: format_percent(tick)))
    if layout.measure == "proportion":
        axis.set_xlim(0, 1)
    if layout.measure in ("rr", "or"):
        columns = layout.frame[["ci_low", "ci_high"]]
        low, high = min(0.5, columns.min().min() / 1.2), max(2.0, columns.max().max() * 1.2)
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        ticks = [t for t in (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 64) if low <= t <= high]
        axis.xaxis.set_major_locator(FixedLocator(ticks))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
