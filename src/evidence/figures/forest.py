"""Studies and their pool: a line a study and a diamond, or the pool as it grew study by study."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.synthesis.methods import interval as interval_methods
from evidence.synthesis.pooled import Refusal, made, named, show
from evidence.synthesis.pooling import BACK, Synthesis
from evidence.synthesis.wording import Number, Sentence, level, percent

NULLS = {"rr": 1.0, "or": 1.0, "rd": 0.0, "smd": 0.0, "md": 0.0}
METHODS = interval_methods("effect", "effect", "estimate", "ci_low", "ci_high") | {
    "weight": "weight",
    "pi_low": "prediction",
    "pi_high": "prediction",
}


@dataclass(frozen=True, kw_only=True)
class ForestLayout(Layout):
    """`frame`: one row a line, top to bottom, on the natural scale: `label`, `says`, `estimate`,
    `ci_low`, `ci_high`, `weight`, `pi_low`, `pi_high`, and `kind` (study, pooled or cumulative).
    """

    measure: str
    outcome: str


def lay_out_forest(pooled: Synthesis | Refusal) -> ForestLayout:
    """Every study with its interval and weight, the pool below them with prediction interval."""
    if isinstance(pooled, Refusal):
        return _empty(
            "fig-forest", f"{pooled.outcome.capitalize()}: studies and their pool", pooled
        )
    lines = [_study(pooled, row) for row in pooled.studies.itertuples()]
    whole = pooled.pooled
    pi = [getattr(whole, name, np.nan) for name in ("pi_low", "pi_high")]
    lines.append(
        _line(pooled, "pooled", "all together", f"{whole.k} studies", whole, pi=pi)
        | {"address": " ".join(pooled.studies["address"])}
    )
    return _layout(
        "fig-forest",
        f"{pooled.outcome.capitalize()}: studies and their pool",
        "Each line is a study with its {level} interval; the square grows with its weight, the "
        "diamond is the pool by {how}. The thin line through the diamond is where a further study "
        "is expected.",
        pooled,
        lines,
    )


def lay_out_cumulative(pooled: Synthesis | Refusal) -> ForestLayout:
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
        "The first line is {first} alone, each further line the pool of all studies up to the one "
        "named, by {how}, with {level} intervals.",
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
        frame=pd.DataFrame(columns=columns),
        empty=f"Not pooled: {'; '.join(refusal.reasons)}.",
        measure=refusal.measure,
        outcome=refusal.outcome,
    )


def _line(pooled, kind, label, says, found, *, weight=np.nan, pi=(np.nan, np.nan)) -> dict:
    back = BACK.get(pooled.measure, float)
    numbers = (found.estimate, found.ci_low, found.ci_high, *pi)
    names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    natural = {name: float(back(number)) for name, number in zip(names, numbers, strict=True)}
    return {"name": label, "kind": kind, "label": label, "says": says, "weight": weight} | natural


def _study(pooled: Synthesis, row) -> dict:
    says = row.says
    if np.isfinite(row.n2):
        says = f"{row.events1:.0f}/{row.n1:.0f} against {row.events2:.0f}/{row.n2:.0f}"
    elif np.isfinite(row.events1):
        says = f"{row.events1:.0f}/{row.n1:.0f}"
    own = _Own(row.yi, row.ci_low, row.ci_high)
    line = _line(pooled, "study", row.label, says, own, weight=float(row.weight))
    return line | {"name": row.study, "address": row.address}


class _Own(NamedTuple):
    """The numbers of one study under the names that a pool has."""

    estimate: float
    ci_low: float
    ci_high: float


def _layout(identity, title, template, pooled: Synthesis, lines, **numbers) -> ForestLayout:
    found = pooled.pooled
    said = {
        "level": level(getattr(found, "confidence", 0.95)),
        "how": Number(None, made(pooled)),
    }
    frame = pd.DataFrame(lines)
    words = [f"{row['label']} ({row['says']}): {_text(pooled.measure, row)}" for row in lines]
    return ForestLayout(
        id=identity,
        title=title,
        caption=Sentence(f"{identity}.caption", template, said | numbers),
        alt=f"Chart of the {named(pooled.measure, pooled.outcome)}. {'; '.join(words)}.",
        frame=frame,
        methods=METHODS,
        measure=pooled.measure,
        outcome=pooled.outcome,
    )


def _text(measure: str, row: dict) -> str:
    middle, low, high = show(measure, row["estimate"], row["ci_low"], row["ci_high"])
    return f"{middle} ({low} to {high})"


@draw.register
def draw_forest(layout: ForestLayout):
    """Names at the left, marks in the middle, numbers at the right."""
    frame = layout.frame
    with style.house_style():
        figure, axis = style.new_figure(8.6, 0.42 * len(frame) + 1.3)
        for place, row in enumerate(frame.to_dict("records")):
            _draw_line(axis, place, row)
        axis.set_ylim(len(frame) - 0.4, -0.6)
        names = [f"{row.label}\n{row.says}" for row in frame.itertuples()]
        axis.set_yticks(range(len(frame)), names, fontsize=8)
        _scale(axis, layout)
        right = axis.secondary_yaxis("right")
        texts = [_text(layout.measure, row) for row in frame.to_dict("records")]
        right.set_yticks(range(len(frame)), texts, fontsize=8)
        right.tick_params(length=0)
        right.spines["right"].set_visible(False)
        axis.grid(axis="x")
    return figure


def _draw_line(axis, place, row):
    colour = style.BLUE if row["kind"] == "study" else style.INK
    if np.isfinite(row["pi_low"]):
        axis.plot([row["pi_low"], row["pi_high"]], [place, place], color=style.QUIET, lw=0.9)
    if row["kind"] == "pooled":
        x = [row["ci_low"], row["estimate"], row["ci_high"], row["estimate"]]
        axis.fill(x, [place, place - 0.22, place, place + 0.22], color=style.VERMILION)
        return
    axis.plot([row["ci_low"], row["ci_high"]], [place, place], color=colour, lw=1.6)
    weight = row["weight"] if np.isfinite(row["weight"]) else 0.25
    mark = "s" if row["kind"] == "study" else "D"
    axis.plot(row["estimate"], place, mark, ms=4 + 9 * np.sqrt(weight), color=colour)


def _scale(axis, layout: ForestLayout):
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    null = NULLS.get(layout.measure)
    if null is not None:
        axis.axvline(null, color=style.QUIET, lw=1, ls="--")
    axis.set_xlabel(named(layout.measure, layout.outcome))
    if layout.measure in ("proportion", "rd"):
        axis.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: percent(tick)))
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
