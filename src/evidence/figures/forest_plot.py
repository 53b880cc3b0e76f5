"""Forest plots: studies and their pooled estimate, by subgroup, cumulative, and for the explorer."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.narrative.pooled_results import (
    NO_EFFECT,
    STUDY_METHODS,
    format_estimates,
    measure_label,
    method_label,
    side_text,
)
from evidence.analysis.pooling.explorer_query import ANY, ExplorerQuery, QueryResult, run_query
from evidence.analysis.pooling.pooled_estimate import PooledEstimate, Refusal
from evidence.analysis.pooling.study_effects import RATIOS
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw, row_addresses
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    Fields,
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
INTERVAL_OWNERS = {
    "proportion": "its observed proportion and Wilson's",
    "rd": "its observed difference and Newcombe's",
}
"""Whose confidence interval the line of a study is; by default its own."""
PREDICTION_METHODS = {"threelevel": "prediction_three_level", "bayes": "prediction_bayes"}
"""How models other than the default compute their prediction interval."""
EMPTY_COLUMNS = ["name", "label", "estimate", "address"]
STUDY_TEXT = "Each line is a study with {whose} {level} confidence interval"
OTHERS_TEXT = " The text beside the figure names the studies left out, with the reasons."
RISK_TEXT = (
    "The sign before a line is the study's overall risk of bias; an empty circle means that it was "
    "not judged."
)


@dataclass(frozen=True, kw_only=True)
class ForestLayout(Layout):
    """One line per row of `frame`, top to bottom, on the natural scale.

    `frame` has `label`, `details`, `estimate`, `ci_low`, `ci_high`, `weight`, `pi_low`, `pi_high`,
    `kind` (heading, study, pooled or cumulative) and `risk` (the study's level of risk of bias).
    `better` is the side of no effect that favours the treatment: 1 above, -1 below, 0 not known.
    """

    measure: str
    outcome: str
    better: int = 0


def lay_out_forest(pooled: PooledEstimate | Refusal) -> ForestLayout:
    """Lay out every study with its confidence interval and weight, and the pooled estimate.

    If subgroups were pooled, each subgroup has its own pooled estimate and there is none of all.
    """
    by = pooled.subgroup_by
    identity = f"fig-forest-by-{by}" if by else "fig-forest"
    title = f"{pooled.outcome.capitalize()}{f', by {by}' if by else ': forest plot'}"
    if isinstance(pooled, Refusal):
        return _empty(identity, title, pooled)
    if not by:
        lines = _study_lines(pooled.studies)
        lines.append(_pooled_line(pooled, "pooled estimate", pooled.studies, pooled.pooled))
        template = f"{STUDY_TEXT}. {_pool_text(lines)} {RISK_TEXT}"
        return _lay_out(identity, title, template, pooled, lines)
    lines = []
    for group in pooled.subgroups:
        name = group.name or "not stated"
        heading = {"name": name, "kind": "heading", "label": f"{by}: {name}", "details": "",
                   "conversion": "", "risk": "", "address": " ".join(group.studies["address"])}  # fmt: skip
        weights = getattr(group.pooled, "weights", np.nan)
        lines += [heading, *_study_lines(group.studies.assign(weight=weights))]
        if group.pooled:
            lines.append(_pooled_line(pooled, f"{name}, pooled", group.studies, group.pooled))
    template = f"{STUDY_TEXT}. {_pool_text(lines)} {RISK_TEXT}"
    template += " A subgroup of one study has no pooled estimate."
    test, fields = pooled.subgroup_test, {}
    # Why there is no test is part of the text on these studies (`describe_pool`).
    if test is not None:
        template += " Test for subgroup differences: {difference}."
        text = f"{test.symbol} {test.statistic:.2f}, p {test.p:.2g}"
        rows = row_addresses(pooled.studies)
        fields["difference"] = Number(test.p, text, rows, "groups")
    return _lay_out(identity, title, template, pooled, lines, **fields)


def lay_out_cumulative(pooled: PooledEstimate | Refusal) -> ForestLayout:
    """Lay out the pooled estimate after each study, oldest first."""
    title = "Cumulative meta-analysis: how the estimate changed with each study"
    if isinstance(pooled, Refusal):
        return _empty("fig-cumulative", title, pooled)
    if reason := pooled.omitted_analyses.get("cumulative"):
        return _empty("fig-cumulative", title, Refusal(pooled.outcome, pooled.measure, (reason,)))
    lines = _study_lines(pooled.studies.head(1))
    for number, estimate in enumerate(pooled.cumulative, start=1):
        studies = pooled.studies.head(number + 1)
        line = _pooled_line(pooled, f"with {studies['label'].iloc[-1]}", studies, estimate)
        lines.append(line | {"kind": "cumulative", "pi_low": np.nan, "pi_high": np.nan})
    return _lay_out(
        "fig-cumulative",
        title,
        "The first line is {first} alone; each further line is the pooled estimate of all studies "
        "up to the one named ({how}), with {level} confidence intervals.",
        pooled,
        lines,
        first=pooled.studies["label"].iloc[0],
    )


def lay_out_explorer_forest(
    dataset: Dataset, results: pd.DataFrame, query: ExplorerQuery, *, confidence: float
) -> ForestLayout:
    """Lay out every study in the scope of a query that answers it, pooled where possible."""
    answer = run_query(dataset, results, query, confidence=confidence)
    pooled = answer.pooled
    lines = _study_lines(answer.studies)
    if isinstance(pooled, PooledEstimate):
        lines.append(_pooled_line(pooled, "pooled estimate", pooled.studies, pooled.pooled))
    reasons = "; ".join(pooled.reasons) if isinstance(pooled, Refusal) else ""
    better = better_side(dataset, query.outcome, answer.studies["scale_better"])
    return ForestLayout(
        id=EXPLORER_FOREST,
        title=_query_title(query),
        caption=_query_caption(answer, lines, reasons, better),
        alt=_alt(answer.query, len(answer.studies), lines),
        reading=tuple(_line_sentence(query.measure, line) for line in lines),
        frame=pd.DataFrame(lines) if lines else pd.DataFrame(columns=EMPTY_COLUMNS),
        methods=_methods(query.measure),
        empty="" if lines else f"{capitalise(reasons)}.",
        measure=query.measure,
        outcome=query.outcome,
        better=better,
    )


def _query_title(query: ExplorerQuery) -> str:
    words = [word for word in (query.condition, query.treatment) if word != ANY]
    if query.comparator != ANY and query.measure != "proportion":
        words.append(f"against {query.comparator}")
    label = capitalise(measure_label(query.measure, query.outcome))
    return f"{label}: {', '.join(words)}" if words else label


def _query_caption(answer: QueryResult, lines: list[dict], reasons: str, better: int) -> Sentence:
    name = f"{EXPLORER_FOREST}.caption"
    if answer.studies.empty:
        return Sentence(name, "Nothing is drawn.")
    time_days = answer.query.time_days
    fields: Fields = {
        "level": confidence_level(answer.confidence),
        "near": parameter(time_days, format_duration(time_days)),
        "whose": INTERVAL_OWNERS.get(answer.query.measure, "its"),
    }
    side = side_text(answer.query.measure, better)
    studies = f"{STUDY_TEXT}, at its time nearest to {{near}} after treatment. {side}".strip()
    if isinstance(answer.pooled, Refusal):
        fields["reasons"] = reasons
        return Sentence(name, f"{studies} Not pooled: {{reasons}}. {RISK_TEXT}", fields)
    fields["how"] = method_label(answer.pooled)
    fields["left_out"] = _sentences((*answer.pooled.left_out, *answer.pooled.handling))
    return Sentence(name, f"{studies} {_pool_text(lines)} {RISK_TEXT}{{left_out}}", fields)


def _sentences(clauses: Iterable[str]) -> str:
    return "".join(f" {capitalise(clause)}." for clause in clauses)


def _empty(identity: str, title: str, refusal: Refusal) -> ForestLayout:
    return ForestLayout(
        id=identity,
        title=title,
        caption=Sentence(f"{identity}.caption", "Nothing is drawn."),
        alt="",
        reading=(),
        frame=pd.DataFrame(columns=EMPTY_COLUMNS),
        empty=f"Not pooled: {'; '.join(refusal.reasons)}.",
        measure=refusal.measure,
        outcome=refusal.outcome,
    )


def _lay_out(identity, title, template, pooled: PooledEstimate, lines, **fields) -> ForestLayout:
    fields |= {
        "level": confidence_level(getattr(pooled.pooled, "confidence", 0.95)),
        "how": method_label(pooled),
        "left_out": (OTHERS_TEXT if pooled.left_out else "") + _sentences(pooled.handling),
        "whose": INTERVAL_OWNERS.get(pooled.measure, "its"),
    }
    template = f"{template} {side_text(pooled.measure, pooled.better)}".strip()
    return ForestLayout(
        id=identity,
        title=title,
        caption=Sentence(f"{identity}.caption", f"{template}{{left_out}}", fields),
        alt=_alt(pooled, len(pooled.studies), lines),
        reading=tuple(_line_sentence(pooled.measure, line) for line in lines),
        frame=pd.DataFrame(lines),
        methods=_methods(pooled.measure, pooled.method),
        measure=pooled.measure,
        outcome=pooled.outcome,
        better=pooled.better,
    )


def _methods(measure: str, method: str = "") -> dict[str, str]:
    prediction = PREDICTION_METHODS.get(method, "prediction")
    study = STUDY_METHODS.get(measure, ("effect", "effect"))
    return ci_methods(*study, "estimate", "ci_low", "ci_high") | {
        "weight": "weight",
        "pi_low": prediction,
        "pi_high": prediction,
    }


def _pool_text(lines: list[dict]) -> str:
    """Say what squares, diamonds and thin lines are, as far as a chart has them."""
    squares = "Squares have one size, because the method gives no study weights"
    if any(np.isfinite(line.get("weight", np.nan)) for line in lines):
        squares = "The square grows with the study's weight"
    text = f"{squares}; the diamond is the pooled estimate ({{how}})"
    if any(np.isfinite(line.get("pi_low", np.nan)) for line in lines):
        text += ", and the thin line through it is the prediction interval for a further study"
    return f"{text}."


def _line(kind: str, label: str, details: str, natural: dict[str, float], **more) -> dict:
    line = {"name": label, "kind": kind, "label": label, "details": details,
            "conversion": "", "risk": ""}  # fmt: skip
    return line | {"weight": np.nan, "pi_low": np.nan, "pi_high": np.nan} | natural | more


def _pooled_line(pooled: PooledEstimate, label: str, studies: pd.DataFrame, estimate) -> dict:
    rows = " ".join(studies["address"])
    natural = pooled.natural_scale(estimate)
    return _line("pooled", label, f"{estimate.k} studies", natural, address=rows)


def _study_lines(studies: pd.DataFrame) -> list[dict]:
    lines = []
    # A study can have several effects; the first has its name.
    repeats = studies.groupby("study").cumcount()
    for row, repeat in zip(studies.itertuples(), repeats, strict=True):
        details = row.comparison
        if np.isfinite(row.events2):
            details = f"{row.events1:g}/{row.n1:g} against {row.events2:g}/{row.n2:g}"
        elif np.isfinite(row.n2):
            details = f"n = {row.n1:g} against {row.n2:g}"
        elif np.isfinite(row.events1):
            details = f"{row.events1:.0f}/{row.n1:.0f}"
        if np.isfinite(row.days):
            details += f", {format_duration(row.days)}"
        name = f"{row.study} {repeat + 1}" if repeat else row.study
        own = {"weight": float(row.weight), "name": name, "risk": row.risk,
               "conversion": row.conversion}  # fmt: skip
        natural = {name: float(getattr(row, name)) for name in ("estimate", "ci_low", "ci_high")}
        lines.append(_line("study", row.label, details, natural, **own, address=row.address))
    return lines


def _alt(query: PooledEstimate | ExplorerQuery, k: int, lines: list[dict]) -> str:
    """State how many studies there are, and the last pooled estimates."""
    studies = count(k, "study")
    chart = f"Forest plot of the {measure_label(query.measure, query.outcome)} in {studies}"
    pools = [line for line in lines if line["kind"] in ("pooled", "cumulative")]
    texts = [f"{line['label']} {_estimate_text(query.measure, line)}" for line in pools[-3:]]
    return f"{chart}: {'; '.join(texts)}." if texts else f"{chart}, not pooled."


def _line_sentence(measure: str, line: dict) -> str:
    label = line["label"] if line["kind"] == "study" else capitalise(line["label"])
    if line["kind"] == "heading":
        return f"{label}."
    text = f"{label} ({line['details']}): {_estimate_text(measure, line)}"
    if line["kind"] == "study":
        text += f", risk of bias {style.RISK[line['risk']][2]}"
    if np.isfinite(line["weight"]):
        text += f", weight {format_percent(line['weight'])}"
    if line["conversion"]:
        text += f", {line['conversion']}"
    if np.isfinite(line["pi_low"]):
        low, high = format_estimates(measure, line["pi_low"], line["pi_high"])
        text += f", prediction interval {low} to {high}"
    return f"{text}."


def _estimate_text(measure: str, line: dict) -> str:
    numbers = (line["estimate"], line["ci_low"], line["ci_high"])
    estimate, low, high = format_estimates(measure, *numbers)
    return f"{estimate} ({low} to {high})" if np.isfinite(line["ci_low"]) else f"{estimate}, no CI"


@draw.register
@style.house_style()
def draw_forest(layout: ForestLayout):
    """Draw names at the left, marks in the middle, numbers at the right."""
    lines = layout.frame.to_dict("records")
    figure, axes = style.new_figure(8.6, 0.42 * len(lines) + 1.3)
    for y, line in enumerate(lines):
        if line["kind"] != "heading":
            _draw_line(axes, y, line)
        if line["kind"] == "study":
            _draw_risk(axes, y, line["risk"])
    names = [f"{line['label']}\n{line['details']}".strip() for line in lines]
    style.label_rows(axes, names, 0.4, fontsize=8)
    axes.tick_params(axis="y", pad=16)
    for text, line in zip(axes.get_yticklabels(), lines, strict=True):
        text.set_weight("bold" if line["kind"] == "heading" else "normal")
    _format_effect_axis(axes, layout)
    right = axes.secondary_yaxis("right")
    texts = [
        "" if line["kind"] == "heading" else _estimate_text(layout.measure, line) for line in lines
    ]
    right.set_yticks(range(len(lines)), texts, fontsize=8)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    axes.grid(axis="x")
    return figure


def _draw_line(axes, y, line):
    colour = style.BLUE if line["kind"] == "study" else style.INK
    if np.isfinite(line["pi_low"]):
        axes.plot([line["pi_low"], line["pi_high"]], [y, y], color=style.QUIET, lw=0.9)
    # In an SVG each mark is an element with this id: the explorer links its table to the marks.
    identity = {"gid": f"mark-{y}"}
    if line["kind"] == "pooled":
        x = [line["ci_low"], line["estimate"], line["ci_high"], line["estimate"]]
        axes.fill(x, [y, y - 0.22, y, y + 0.22], color=style.VERMILION, **identity)
        return
    axes.plot([line["ci_low"], line["ci_high"]], [y, y], color=colour, lw=1.6)
    weight = line["weight"] if np.isfinite(line["weight"]) else 0.25
    mark = "s" if line["kind"] == "study" else "D"
    axes.plot(line["estimate"], y, mark, ms=4 + 9 * np.sqrt(weight), color=colour, **identity)


def _draw_risk(axes, y, level):
    """Draw the sign of a level of risk of bias between name and line, outside the axes."""
    sign, colour, _ = style.RISK[level]
    circle = {"boxstyle": "circle,pad=0.18", "fc": colour if level else "white",
              "ec": colour if level else style.QUIET}  # fmt: skip
    axes.annotate(
        sign or " ", (0, y), (-8, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="center", va="center", fontsize=7, weight="bold",
        color=style.INK if level == "some" else "white", bbox=circle,
    )  # fmt: skip


def _format_effect_axis(axes, layout: ForestLayout):
    from matplotlib.ticker import FuncFormatter

    name = measure_label(layout.measure, layout.outcome)
    if layout.measure in NO_EFFECT:
        axes.axvline(NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
        name = style.favours_label(name, layout.better)
    axes.set_xlabel(name)
    if layout.measure in ("proportion", "rd"):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: format_percent(tick)))
    if layout.measure == "proportion":
        axes.set_xlim(0, 1)
    if layout.measure in RATIOS:
        low, high = layout.frame["ci_low"].min() / 1.2, layout.frame["ci_high"].max() * 1.2
        style.format_ratio_axis(axes.xaxis, min(0.5, low), max(2.0, high))
