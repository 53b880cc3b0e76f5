"""Forest plots: studies and their pooled estimate, by subgroup, cumulative, and for the explorer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from textwrap import fill
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

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
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.pooling.study_effects import RATIOS
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import MOST_NAMED, Layout, ci_label, draw, row_addresses
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    Fields,
    Number,
    Sentence,
    capitalise,
    confidence_level,
    count,
    format_duration,
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
LINE, PADDING, DENSE_PADDING, GAP, MIN_MARKS, MIN_NAME = 0.13, 0.08, 0.04, 0.14, 1.2, 0.75
RISK_WIDTH, NARROW_RISK_WIDTH, KEY_LINE, KEY_SIGN = 0.5, 0.2, 0.18, 0.12
"""In inches: a line of text, space between rows and columns, the marks, signs and their key."""
NARROW_TEXT = 0.46
"""The part of a single column that is left of the marks."""
MANY_LINES, MAX_TICKS = 24, 5
"""From so many lines on, each study has one line, so that a plot of 40 fits on a page."""
GROUPS = ("group1", "group2")
RISK_HEADER, KEY_HEADER = "Risk of\nbias", "Risk of bias:"
EMPTY_COLUMNS = ["name", "label", "estimate", "address"]
STUDY_TEXT = "Each line is a study with {whose} {level} confidence interval"
OTHERS_TEXT = " The text beside the figure names the studies left out, with the reasons."
RISK_TEXT = "Signs give the overall risk of bias of each study."
HEADERS = {"label": "Study", "time": "Time", "group1": "Treated", "group2": "Comparator",
           "share": "Weight", "effect": ""}  # fmt: skip
"""Columns of text of a forest plot, from left to right; `effect` stands right of the marks."""
CELLS = {"{}/{}": ("events", "n"), "{} ({}), {}": ("mean", "sd", "n"), "n = {}": ("n",)}
"""What the cell of a group can say and the numbers that it needs: the first that a study has."""
CONTENTS = {"n/N": "/", "mean (SD), n": "("}
"""What the header of a group says of its cells, by a sign in them."""
HETEROGENEITY = {"I²": ("I2", "{:.0f}%"), "τ²": ("tau2", "{:.2f}"),
                 "τ² between studies": ("between", "{:.2f}"),
                 "within studies": ("within", "{:.2f}")}  # fmt: skip
TESTS = {"Q": ("Q", "Q_df", "Q_p"), "chi²": ("LRT", "LRT_df", "LRT_p")}
"""Attributes of a pooled mean that describe heterogeneity, with their signs; a model has some."""


@dataclass(frozen=True, kw_only=True)
class ForestLayout(Layout):
    """One line per row of `frame`, top to bottom, on the natural scale.

    `frame` has `estimate`, `ci_low`, `ci_high`, `weight`, `pi_low`, `pi_high`, `kind` (heading, study,
    pooled or cumulative), `risk` (the study's level of risk of bias) and the texts that are drawn:
    those of `columns`, which gives their headers, `prediction` and `heterogeneity`. `note` stands
    below the last line. `better` is the side of no effect that favours the treatment: 1 above, -1
    below, 0 not known.
    """

    # In a single column, where numbers stand above and below the marks, a plot may be taller than a
    # page: it is for phones too, and one of 30 studies should stay one figure.
    rows_per_page: ClassVar[int | None] = 44
    page_widths = (style.DOUBLE_COLUMN,)
    measure: str
    outcome: str
    better: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def heading_rows(self) -> tuple[int, ...]:
        """The numbers of the lines that name a subgroup."""
        return tuple(np.flatnonzero(self.frame["kind"] == "heading").tolist())

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Return the fields that differ if the layout has only some of its lines."""
        note = self.note if end == self.row_count else ""
        return super().rows(start, end) | {"note": note}


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
        lines = _study_lines(pooled.measure, pooled.studies)
        lines.append(_pooled_line(pooled, "pooled estimate", pooled.studies, pooled.pooled))
        template = f"{STUDY_TEXT}. {_pool_text(lines)}"
        return _lay_out(identity, title, template, pooled, lines)
    lines = []
    for group in pooled.subgroups:
        name = group.name or "not stated"
        rows = " ".join(group.studies["address"])
        lines.append(_line("", "heading", f"{by}: {name}", {}, name=name, address=rows))
        weights = getattr(group.pooled, "weights", np.nan)
        lines += _study_lines(pooled.measure, group.studies.assign(weight=weights))
        if group.pooled:
            lines.append(_pooled_line(pooled, f"{name}, pooled", group.studies, group.pooled))
    template = f"{STUDY_TEXT}. {_pool_text(lines)}"
    template += " A subgroup of one study has no pooled estimate."
    test, note, fields = pooled.subgroup_test, "", {}
    # Why there is no test is part of the text on these studies (`describe_pool`).
    if test is not None:
        template += " Test for subgroup differences: {difference}."
        text = _test_text(test.symbol, test.statistic, test.df, test.p, test.df2)
        note = f"Test for subgroup differences: {text}"
        fields["difference"] = Number(test.p, text, row_addresses(pooled.studies), "groups")
    return _lay_out(identity, title, template, pooled, lines, note, **fields)


def lay_out_cumulative(pooled: PooledEstimate | Refusal) -> ForestLayout:
    """Lay out the pooled estimate after each study, oldest first."""
    title = "Cumulative meta-analysis: how the estimate changed with each study"
    if isinstance(pooled, Refusal):
        return _empty("fig-cumulative", title, pooled)
    if reason := pooled.reason_omitted("cumulative"):
        return _empty("fig-cumulative", title, Refusal(pooled.outcome, pooled.measure, (reason,)))
    lines = _study_lines(pooled.measure, pooled.studies.head(1).assign(weight=np.nan))
    for number, estimate in enumerate(pooled.cumulative, start=1):
        studies = pooled.studies.head(number + 1)
        added = studies.iloc[-1]
        line = _pooled_line(pooled, f"with {added['label']}", studies, estimate, "cumulative")
        lines.append(line | {"time": _time_text(added["days"])})
    return _lay_out(
        "fig-cumulative",
        title,
        "The first line is {first} alone; each further line is the pooled estimate of all studies "
        "up to the one named ({how}), with {level} confidence intervals.",
        pooled,
        lines,
        first=pooled.studies["label"].iloc[0],
    )


class ExplorerForestLayout(ForestLayout):
    """A plot that is shown whole, because people change it on a screen."""

    rows_per_page = None


def lay_out_explorer_forest(
    dataset: Dataset, results: pd.DataFrame, query: ExplorerQuery, *, confidence: float
) -> ExplorerForestLayout:
    """Lay out every study in the scope of a query that answers it, pooled where possible."""
    answer = run_query(dataset, results, query, confidence=confidence)
    pooled = answer.pooled
    lines = _study_lines(query.measure, answer.studies)
    if isinstance(pooled, PooledEstimate):
        lines.append(_pooled_line(pooled, "pooled estimate", pooled.studies, pooled.pooled))
    reasons = "; ".join(pooled.reasons) if isinstance(pooled, Refusal) else ""
    better = better_side(dataset, query.outcome, answer.studies["scale_better"])
    return ExplorerForestLayout(
        id=EXPLORER_FOREST,
        title=_query_title(query),
        caption=_query_caption(answer, lines, reasons, better),
        alt=_alt(answer.query, len(answer.studies), lines),
        reading=tuple(map(_line_sentence, lines)),
        frame=pd.DataFrame(lines) if lines else pd.DataFrame(columns=EMPTY_COLUMNS),
        methods=_methods(query.measure),
        empty="" if lines else f"{capitalise(reasons)}.",
        measure=query.measure,
        outcome=query.outcome,
        better=better,
        columns=_columns(query.measure, lines, confidence),
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
        return Sentence(
            name, f"{studies} Not pooled: {{reasons}}. {_risk_text(lines)}".strip(), fields
        )
    fields["how"] = method_label(answer.pooled)
    fields["left_out"] = _sentences((*answer.pooled.left_out, *answer.pooled.handling))
    return Sentence(name, f"{studies} {_pool_text(lines)}{{left_out}}", fields)


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


def _lay_out(
    identity, title, template, pooled: PooledEstimate, lines, note="", **fields
) -> ForestLayout:
    others = len(pooled.handling) - MOST_NAMED
    more = f" The text beside the figure lists {others} more." if others > 0 else ""
    fields |= {
        "level": confidence_level(pooled.confidence),
        "how": method_label(pooled),
        "left_out": (OTHERS_TEXT if pooled.left_out else "")
        + _sentences(pooled.handling[:MOST_NAMED])
        + more,
        "whose": INTERVAL_OWNERS.get(pooled.measure, "its"),
    }
    template = f"{template} {side_text(pooled.measure, pooled.better)}".strip()
    return ForestLayout(
        id=identity,
        title=title,
        caption=Sentence(f"{identity}.caption", f"{template}{{left_out}}", fields),
        alt=_alt(pooled, len(pooled.studies), lines),
        reading=(*map(_line_sentence, lines), *([f"{note}."] if note else [])),
        frame=pd.DataFrame(lines),
        methods=_methods(pooled.measure, pooled.method),
        measure=pooled.measure,
        outcome=pooled.outcome,
        better=pooled.better,
        columns=_columns(pooled.measure, lines, pooled.confidence),
        note=note,
    )


def _methods(measure: str, method: str = "") -> dict[str, str]:
    prediction = PREDICTION_METHODS.get(method, "prediction")
    study = STUDY_METHODS.get(measure, ("effect", "effect"))
    return ci_methods(*study, "estimate", "ci_low", "ci_high") | {
        "weight": "weight",
        "pi_low": prediction,
        "pi_high": prediction,
        "heterogeneity": "heterogeneity",
        "k": "distinct_studies",
    }


def _pool_text(lines: list[dict]) -> str:
    """Say what squares, diamonds, thin lines and signs are, as far as a chart has them."""
    squares = "Squares have one size, because the method gives no study weights"
    if any(np.isfinite(line["weight"]) for line in lines):
        squares = "The square grows with the study's weight"
    text = f"{squares}; the diamond is the pooled estimate ({{how}})"
    if any(line["prediction"] for line in lines):
        text += ", and the thin line below it is the prediction interval (PI) for a further study"
    return f"{text}. {_risk_text(lines)}".strip()


def _risk_text(lines: list[dict]) -> str:
    return RISK_TEXT if any(line["risk"] for line in lines) else ""


def _line(measure: str, kind: str, label: str, natural: dict[str, float], **more) -> dict:
    """Return a row of the frame: numbers, and the texts that picture, words and table share."""
    numbers = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    line: dict[str, Any] = dict.fromkeys((*numbers, "weight"), np.nan)
    line |= {"name": label, "kind": kind, "label": label, "time": "", "group1": "", "group2": "",
             "comparison": "", "k": 1, "risk": "", "conversion": "",
             "heterogeneity": ""}  # fmt: skip
    line |= natural | more
    # A study that the explorer shows and does not pool has a weight of 0.
    shares = f"{line['weight']:.1%}" if line["weight"] else "not pooled"
    texts = {"share": shares if np.isfinite(line["weight"]) else "", "effect": "", "prediction": ""}
    if np.isfinite(line["estimate"]):
        estimate, low, high, *ends = format_estimates(measure, *(line[name] for name in numbers))
        has_interval = np.isfinite(line["ci_low"])
        texts["effect"] = f"{estimate} ({low} to {high})" if has_interval else f"{estimate}, no CI"
        texts["prediction"] = " to ".join(ends) if np.isfinite(line["pi_low"]) else ""
    return line | texts


def _pooled_line(
    pooled: PooledEstimate, label: str, studies: pd.DataFrame, estimate, kind: str = "pooled"
) -> dict:
    natural = pooled.natural_scale(estimate)
    more = {"address": " ".join(studies["address"]), "k": estimate.k}
    if studies["study"].is_unique:
        # Effects of one study share participants, who must not be counted twice.
        more |= {group: _group_total(studies, group[-1]) for group in ("group1", "group2")}
    if kind == "pooled":
        more["heterogeneity"] = _heterogeneity(pooled, estimate)
        if np.isfinite(getattr(estimate, "weights", np.nan)).all():
            more["weight"] = 1.0
    else:
        natural |= {"pi_low": np.nan, "pi_high": np.nan}
    return _line(pooled.measure, kind, label, natural, **more)


def _heterogeneity(pooled: PooledEstimate, mean) -> str:
    """State what the model says about heterogeneity, and how a Bayesian interval is called."""
    texts = [pooled.ci_label] if pooled.method == "bayes" else []
    for sign, (name, pattern) in HETEROGENEITY.items():
        value = getattr(mean, name, np.nan)
        # A common effect is an assumption, not an estimate of tau².
        if np.isfinite(value) and (name, pooled.method) != ("tau2", "common"):
            texts.append(f"{sign} {pattern.format(value)}")
    for sign, names in TESTS.items():
        numbers = [getattr(mean, name, np.nan) for name in names]
        if np.isfinite(numbers).all():
            texts.append(_test_text(sign, *numbers))
    return ", ".join(texts)


def _test_text(sign: str, statistic: float, df: float, p: float, df2: float = np.nan) -> str:
    degrees = f"{df:g} and {df2:.1f}" if np.isfinite(df2) else f"{df:g}"
    chance = f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"
    return f"{sign} = {statistic:.2f}, df = {degrees}, {chance}"


def _study_lines(measure: str, studies: pd.DataFrame) -> list[dict]:
    lines = []
    names = studies["study"].tolist()
    for number, row in enumerate(studies.to_dict("records")):
        # A study can have several effects; the first has its name.
        repeat = names[:number].count(row["study"])
        natural = {name: float(row[name]) for name in ("estimate", "ci_low", "ci_high")}
        same = ("risk", "conversion", "comparison", "address")
        more = {name: row[name] for name in same} | {
            "name": f"{row['study']} {repeat + 1}" if repeat else row["study"],
            "weight": float(row["weight"]),
            "time": _time_text(row["days"]),
            "group1": _group_cell(row, "1"),
            "group2": _group_cell(row, "2"),
        }
        lines.append(_line(measure, "study", row["label"], natural, **more))
    return lines


def _time_text(days: float) -> str:
    return format_duration(days) if np.isfinite(days) else ""


def _group_cell(study: Mapping, group: str) -> str:
    """Return the numbers of one group of a study: 12/17, or 10.5 (4.2), 20."""
    for pattern, names in CELLS.items():
        numbers = [study[f"{name}{group}"] for name in names]
        if np.isfinite(numbers).all():
            return pattern.format(*map(_number_text, numbers))
    return ""


def _number_text(value: float) -> str:
    """Format a number that is printed or converted with few decimals: none from 1,000 on."""
    rounded = round(value, 2 if abs(value) < 100 else int(abs(value) < 1000))
    text = f"{rounded:.10g}" if rounded else f"{value:.2g}"
    return text.replace("-", "−")


def _group_total(studies: pd.DataFrame, group: str) -> str:
    """Return events and participants of all studies, or participants alone, where all state them."""
    for pattern, names in CELLS.items():
        numbers = studies[[f"{name}{group}" for name in names]]
        if "mean" not in names and numbers.notna().all(axis=None):
            return pattern.format(*map(_number_text, numbers.sum()))
    return ""


def _columns(measure: str, lines: list[dict], confidence: float) -> dict[str, str]:
    """Return the columns that some line fills, with headers that say what is in them."""
    label = MEASURE_LABELS.get(measure, "proportion")
    effect = fill(
        f"{capitalise(label)} ({ci_label(confidence)})".replace("% ", "%\N{NO-BREAK SPACE}"), 20
    )
    headers = HEADERS | {"effect": effect}
    studies = [line for line in lines if line["kind"] == "study"]
    for group in ("group1", "group2"):
        texts = [line[group] for line in studies]
        contents = (name for name, sign in CONTENTS.items() if any(sign in text for text in texts))
        headers[group] = f"{headers[group]}\n{' or '.join(contents)}".strip()
    times = {line["time"] for line in lines if line["kind"] in ("study", "cumulative")}
    if len(times) == 1:
        headers["label"] += f", {times.pop()}".rstrip(", ")
        del headers["time"]
    return {name: text for name, text in headers.items() if any(line[name] for line in lines)}


def _alt(query: PooledEstimate | ExplorerQuery, k: int, lines: list[dict]) -> str:
    """State how many studies there are, and the last pooled estimates."""
    studies = count(k, "study")
    chart = f"Forest plot of the {measure_label(query.measure, query.outcome)} in {studies}"
    pools = [line for line in lines if line["kind"] in ("pooled", "cumulative")]
    texts = [f"{line['label']} {line['effect']}" for line in pools[-3:]]
    return f"{chart}: {'; '.join(texts)}." if texts else f"{chart}, not pooled."


def _line_sentence(line: dict) -> str:
    label = line["label"] if line["kind"] == "study" else capitalise(line["label"])
    if line["kind"] == "heading":
        return f"{label}."
    groups = " against ".join(filter(None, (line["group1"], line["group2"])))
    details = [groups or line["comparison"], line["time"]]
    if line["kind"] != "study":
        details = [count(line["k"], "study").text, groups]
    text = f"{label} ({', '.join(filter(None, details))}): {line['effect']}"
    if line["kind"] == "study":
        text += f", risk of bias {style.RISK[line['risk']][2]}"
        weight = line["share"] if not line["weight"] else f"weight {line['share']}"
        text += f", {weight}" if line["share"] else ""
    if line["conversion"]:
        text += f", {line['conversion']}"
    if line["prediction"]:
        text += f", prediction interval {line['prediction']}"
    if line["heterogeneity"]:
        text += f"; {line['heterogeneity']}"
    return f"{text}."


@draw.register
@style.house_style()
def draw_forest(layout: ForestLayout, width: float = style.DOUBLE_COLUMN):
    """Draw columns of text around the marks, or in one column the texts above and below them."""
    figure = style.empty_figure(width, 1)
    lines = layout.frame.to_dict("records")
    _use_fonts(figure, [layout.outcome, *layout.frame["label"]])
    page_width = width - 2 * style.MARGIN
    key = _key(figure, layout.frame, page_width)
    key_rows = 1 + max(row for _, row, _ in key) if key else 0
    form = _arrange(figure, layout, page_width, has_risk=bool(key))
    blocks = [_Block(figure, form, line) for line in lines]
    middle = (form.start + form.end) / 2
    last_note = style.wrap_text(figure, layout.note, form.note_width)
    name = measure_label(layout.measure, layout.outcome)
    name = style.wrap_text(figure, name, 2 * min(middle, page_width - middle))
    tops = np.cumsum([PADDING / 2, *(block.height for block in blocks)])
    height = tops[-1] + (LINE * _count_lines(last_note) + PADDING if last_note else 0)
    headers = [layout.columns[column] for column in form.columns]
    details = _details_header(layout, form)
    above = LINE * (max(map(_count_lines, headers)) + _count_lines(details)) + PADDING
    has_sides = bool(layout.better) and layout.measure in NO_EFFECT
    below = 0.32 + LINE * (_count_lines(name) + 1.2 * has_sides) + KEY_LINE * key_rows
    whole = above + height + below
    figure.set_size_inches(width, whole)
    axes, write = style.add_panel(figure, (form.start, form.end), below, height)
    page = write.keywords["transform"]
    _format_effect_axis(axes, layout)
    axes.set_xlabel(name, labelpad=2 + 72 * 1.2 * LINE * has_sides)
    if form.is_stacked:
        # Texts cross the lines of the axis.
        write = partial(write, bbox={"fc": "white", "ec": "none", "pad": 0.5})
    header_y = -PADDING / 2 - LINE * _count_lines(details)
    for column, (x, side) in form.columns.items():
        write(x, header_y, layout.columns[column], ha=side, va="bottom", weight="bold")
    write(0, -PADDING / 2, details, va="bottom", fontsize=style.SMALL_SIZE)
    axes.plot([0, page_width], [0, 0], transform=page, color=style.INK, lw=0.8, clip_on=False)
    for block, top in zip(blocks, tops, strict=False):
        block.draw(axes, write, top)
        if block.line["kind"] == "study" and key:
            _draw_risk(write, form.risk_x, top + block.mark_y, block.line["risk"])
    write(0, tops[-1], last_note, va="top")
    if has_sides:
        y = height + 0.2 + LINE / 2
        _write_sides(figure, write, layout.better, (form.start, form.end, page_width), y)
    if key:
        if not form.is_stacked:
            write(page_width, header_y, RISK_HEADER, ha="right", va="bottom", weight="bold")
        # Not texts of the axes, whose signs are those of the studies.
        write = partial(figure.text, transform=page, va="center", fontsize=style.SMALL_SIZE)
        first = height + below - KEY_LINE * (key_rows - 0.5)
        write(0, first, KEY_HEADER)
        for x, row, level in key:
            _draw_risk(write, x, first + KEY_LINE * row, level)
            write(x + KEY_SIGN, first + KEY_LINE * row, style.RISK[level][2])
    return figure


def _use_fonts(figure, texts: Iterable[str]) -> None:
    """Have fonts for all characters before texts are measured."""
    probe = figure.text(0, 0, "".join(texts))
    style.use_fonts_for(figure)
    probe.remove()


def _count_lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


@dataclass(frozen=True, kw_only=True)
class _Arrangement:
    """Where the parts of a plot stand, in inches from the left of the page.

    `columns` gives where each column of text is aligned, and on which side. The columns named in
    `below` stand below the name of a study instead. Marks reach from `start` to `end`. If the plot
    is stacked, the effect stands above its mark.
    """

    columns: Mapping[str, tuple[float, str]]
    below: tuple[str, ...]
    start: float
    end: float
    name_width: float
    note_width: float
    risk_x: float
    is_stacked: bool
    is_dense: bool


def _arrange(figure, layout: ForestLayout, page_width: float, *, has_risk: bool) -> _Arrangement:
    """Give every column the room it needs; those for which none is left stand below the names."""
    frame, is_narrow = layout.frame, style.is_narrow(page_width)
    is_dense = len(frame) > MANY_LINES and not is_narrow
    measure = partial(style.text_width, figure, weight="bold")
    widths = {
        name: measure(header, *(frame[name])) + GAP for name, header in layout.columns.items()
    }
    risk_width = (NARROW_RISK_WIDTH if is_narrow else RISK_WIDTH) * has_risk
    right, below = page_width - risk_width, []
    widths["effect"] = max(
        widths.pop("effect"), measure(*(f"PI {text}" for text in frame["prediction"])) + GAP
    )
    del widths["label"]
    for group in (("time",), ("share",), ("group1", "group2")):
        room = right - MIN_MARKS - GAP - sum(widths.values())
        if is_narrow or room < MIN_NAME:
            below += [name for name in group if widths.pop(name, 0)]
    # Half of the last number of the axis stands beyond its end.
    end = page_width - max(GAP, risk_width) if is_narrow else right - widths["effect"]
    room = right - widths["effect"] if is_narrow else end - MIN_MARKS - GAP
    beside = {name: width for name, width in widths.items() if name != "effect"}
    room -= sum(beside.values())
    names = [
        style.wrap_text(figure, line.label, room, 1 if is_dense else 2, weight="bold")
        for line in frame[frame["kind"] != "heading"].itertuples()
    ]
    x = measure(layout.columns["label"], *names)
    columns: dict[str, tuple[float, str]] = {"label": (0.0, "left")}
    for name, width in beside.items():
        x += width
        columns[name] = (x, "right")
    start = NARROW_TEXT * page_width if is_narrow else x + GAP
    return _Arrangement(
        columns=columns | {"effect": (right, "right")},
        # Of very many studies the files of the figure have what does not fit on one line.
        below=() if is_dense else tuple(below),
        start=start,
        end=end,
        name_width=room,
        note_width=page_width if is_narrow else start - GAP,
        risk_x=page_width - (KEY_SIGN / 2 if is_narrow else RISK_WIDTH / 2 - GAP / 2),
        is_stacked=is_narrow,
        is_dense=is_dense,
    )


def _details_header(layout: ForestLayout, form: _Arrangement) -> str:
    """Say what stands below the names of the studies."""
    groups = [layout.columns[name].split("\n") for name in form.below if name in GROUPS]
    contents = " or ".join(dict.fromkeys(group[1] for group in groups if group[1:]))
    header = " vs ".join(group[0].lower() for group in groups)
    header += f": {contents}" if contents else ""
    others = [layout.columns[name].lower() for name in form.below if name not in GROUPS]
    return capitalise(", ".join(filter(None, [header, *others])))


class _Block:
    """The texts of a line of the plot, wrapped, and how high they are together, in inches."""

    def __init__(self, figure, form: _Arrangement, line: dict):
        self.form, self.line = form, line
        self.is_study = line["kind"] in ("study", "cumulative")
        self.weight = "normal" if self.is_study else "bold"
        is_heading = line["kind"] == "heading"
        wrap_text = partial(style.wrap_text, figure, weight=self.weight)
        label = line["label"] if line["kind"] == "study" else capitalise(line["label"])
        width = form.note_width if is_heading else form.name_width
        self.label = wrap_text(label, width, 1 if form.is_dense and not is_heading else 2)
        groups = " vs ".join(line[name] for name in GROUPS if name in form.below and line[name])
        others = [line[name] for name in form.below if name not in GROUPS]
        details = ", ".join(filter(None, [groups, *others]))
        small = {"fontsize": style.SMALL_SIZE}
        self.details = style.wrap_text(figure, details, form.start - GAP / 2, **small)
        self.note = style.wrap_text(figure, line["heterogeneity"], form.note_width)
        labels, below, notes = map(_count_lines, (self.label, self.details, self.note))
        if form.is_stacked and not is_heading:
            below = max(below, 1)
        self.details_y = LINE * labels
        self.mark_y = LINE * (labels + 0.5) if form.is_stacked else LINE * labels / 2
        self.prediction_y = LINE * (labels + below + 0.5)
        prediction = bool(line["prediction"])
        self.note_y = LINE * (labels + below + prediction * form.is_stacked)
        rows = labels + below + (prediction + notes if form.is_stacked else max(prediction, notes))
        self.height = LINE * rows + (DENSE_PADDING if form.is_dense else PADDING)

    def draw(self, axes, write, top: float) -> None:
        form, line = self.form, self.line
        y = top + self.mark_y
        for column, (x, side) in form.columns.items():
            text = self.label if column == "label" else line[column]
            text_y = top + LINE / 2 if form.is_stacked and column == "effect" else y
            if form.is_stacked and column == "label":
                write(x, top, text, weight=self.weight, va="top")
            else:
                write(x, text_y, text, ha=side, weight=self.weight)
        write(0, top + self.details_y + PADDING / 4, self.details, va="top",
              fontsize=style.SMALL_SIZE)  # fmt: skip
        write(0, top + self.note_y + PADDING / 4, self.note, va="top")
        if line["kind"] != "heading":
            _draw_line(axes, y, line)
        if line["prediction"]:
            y = top + self.prediction_y
            x, side = (0, "left") if form.is_stacked else form.columns["effect"]
            write(x, y, f"PI {line['prediction']}", ha=side)
            _draw_prediction(axes, y, line)


def _key(figure, frame: pd.DataFrame, page_width: float) -> list[tuple[float, int, str]]:
    """Return where in a key each level of risk of bias stands: inches across, and its row."""
    levels = set(frame.loc[frame["kind"] == "study", "risk"])
    measure = partial(style.text_width, figure, fontsize=style.SMALL_SIZE)
    start = KEY_SIGN / 2 if style.is_narrow(page_width) else measure(KEY_HEADER) + 2 * KEY_SIGN
    x, row, key = start, int(style.is_narrow(page_width)), []
    for level in filter(levels.__contains__, style.RISK if any(levels) else ()):
        width = measure(style.RISK[level][2]) + 3 * KEY_SIGN
        if x > start and x + width > page_width + 2 * KEY_SIGN:
            x, row = start, row + 1
        key.append((x, row, level))
        x += width
    return key


def _write_sides(figure, write, better: int, edges: tuple[float, float, float], y: float) -> None:
    """Say at both ends of the axis whom that side favours, and never across its middle."""
    above, below = ("treatment", "comparator")[::better]
    left, right = f"← favours {below}", f"favours {above} →"
    start, end, page_width = edges
    middle, small = (start + end) / 2, {"fontsize": style.SMALL_SIZE}
    end = max(end, middle + style.text_width(figure, right, **small) + GAP / 2)
    write(min(start, middle - style.text_width(figure, left, **small) - GAP / 2), y, left, **small)
    write(min(end, page_width), y, right, ha="right", **small)


def _draw_line(axes, y: float, line: dict) -> None:
    colour = style.BLUE if line["kind"] == "study" else style.INK
    if line["kind"] == "pooled":
        x = [line["ci_low"], line["estimate"], line["ci_high"], line["estimate"]]
        axes.fill(x, [y, y - 0.06, y, y + 0.06], color=style.VERMILION)
        return
    axes.plot([line["ci_low"], line["ci_high"]], [y, y], color=colour, lw=1.2)
    weight = line["weight"] if np.isfinite(line["weight"]) else 0.25
    mark = "s" if line["kind"] == "study" else "D"
    axes.plot(line["estimate"], y, mark, ms=3 + 6 * np.sqrt(weight), color=colour)


def _draw_prediction(axes, y: float, line: dict) -> None:
    """Draw a prediction interval, with arrows where it runs out of the axis."""
    ends = np.array([line["pi_low"], line["pi_high"]])
    shown = np.clip(ends, *axes.get_xlim())
    look = {"color": style.QUIET, "clip_on": False}
    axes.plot(shown, [y, y], lw=0.9, **look)
    for x, is_cut, arrow in zip(shown, shown != ends, "<>", strict=True):
        axes.plot(x, y, arrow if is_cut else "|", ms=4, **look)


def _draw_risk(write, x: float, y: float, level: str) -> None:
    """Draw the sign of a level of risk of bias."""
    sign, colour, _ = style.RISK[level]
    circle = {"boxstyle": "circle,pad=0.15", "fc": colour if level else "white",
              "ec": colour if level else style.QUIET}  # fmt: skip
    write(x, y, sign or " ", ha="center", fontsize=style.SMALL_SIZE, weight="bold", bbox=circle,
          color=style.INK if level == "some" else "white")  # fmt: skip


def place_on_axis(
    layout: ForestLayout,
) -> tuple[list[dict[str, float | None]], dict[float, str], float | None]:
    """Return where the numbers of each line, the ticks with their labels, and no effect stand.

    Places are from 0 to 1 on the axis, None for none. With these a page can draw the marks itself
    as `draw` would, in a small part of its time.
    """
    low, high, ticks = _effect_axis(layout)
    to_scale = np.log if layout.measure in RATIOS else np.asarray
    start, end = to_scale(np.array([low, high]))

    def place(values: ArrayLike) -> np.ndarray:
        places = np.asarray((to_scale(np.asarray(values, float)) - start) / (end - start))
        return np.where(np.isfinite(places), places.round(4), np.array(None))

    numbers = layout.frame[["estimate", "ci_low", "ci_high", "pi_low", "pi_high"]]
    lines = [dict(zip(numbers, row, strict=True)) for row in place(numbers).tolist()]
    places = dict(zip(place(list(ticks)).tolist(), ticks.values(), strict=True))
    return lines, places, place(NO_EFFECT.get(layout.measure, np.nan)).tolist()


def _format_effect_axis(axes, layout: ForestLayout) -> None:
    low, high, ticks = _effect_axis(layout)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", labelsize=style.SMALL_SIZE)
    axes.grid(axis="x")
    if layout.measure in NO_EFFECT:
        axes.axvline(NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
    axes.set_xscale("log" if layout.measure in RATIOS else "linear")
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xticks([], minor=True)
    axes.set_xlim(low, high)


def _effect_axis(layout: ForestLayout) -> tuple[float, float, dict[float, str]]:
    """Return both ends of the axis, and its ticks with their labels.

    Without axes, which matplotlib takes longer to make than everything else in the explorer.
    """
    from matplotlib.ticker import AutoLocator, ScalarFormatter

    low, high = _effect_limits(layout)
    if layout.measure in RATIOS:
        low, high = min(0.5, low), max(2.0, high)
        return low, high, {x: f"{x:g}" for x in style.ratio_ticks(low, high, MAX_TICKS)}
    locator = AutoLocator()
    locator.set_params(nbins=MAX_TICKS)
    ticks = [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]
    if layout.measure in ("proportion", "rd"):
        return low, high, {x: format_estimates(layout.measure, x)[0] for x in ticks}
    formatter = ScalarFormatter()
    formatter.create_dummy_axis()
    assert formatter.axis is not None
    formatter.axis.set_view_interval(low, high)
    return low, high, dict(zip(ticks, formatter.format_ticks(ticks), strict=True))


def _effect_limits(layout: ForestLayout) -> tuple[float, float]:
    """Return limits with room for all CIs and no effect; prediction intervals may be cut."""
    if layout.measure == "proportion":
        return 0.0, 1.0
    to_axis, from_axis = (np.log, np.exp) if layout.measure in RATIOS else (np.asarray, np.asarray)
    ends = to_axis(layout.ends("estimate", "ci_low", "ci_high", "pi_low", "pi_high"))
    ends = np.vstack([ends, np.full(5, to_axis(NO_EFFECT[layout.measure]))])
    low, high = np.nanmin(ends[:, :3]), np.nanmax(ends[:, :3])
    span = high - low or 1.0
    low = max(np.nanmin(ends), low - span / 3) - span / 20
    high = min(np.nanmax(ends), high + span / 3) + span / 20
    return float(from_axis(low)), float(from_axis(high))
