"""Risk of bias: each judgement as a sign in a coloured circle, and the proportions per domain."""

from dataclasses import dataclass

import pandas as pd

from evidence.analysis.certainty.risk_of_bias import LEVELS, Appraisal
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import Sentence, count, format_percent, join_sentences, join_words

OVERALL = "overall"
ALL_LEVELS = (*LEVELS, "")
NOT_JUDGED = "The risk of bias of these studies has not been judged yet."


@dataclass(frozen=True, kw_only=True)
class RiskOfBiasLayout(Layout):
    """One circle per judgement, in one panel per tool.

    `frame` has `tool`, `line` and `lane` within the tool, `level`, `judgement`, `overruled`.
    `panels` gives for each tool its columns (the domains, then overall) and its lines (label of the
    study, who judged).
    """

    panels: dict[str, tuple[list[str], list[tuple[str, str]]]]


@dataclass(frozen=True, kw_only=True)
class RiskOfBiasSummaryLayout(Layout):
    """One part of a stacked bar per domain and level, in one panel per tool.

    `frame` has `tool`, `domain`, `level`, `k` (judgements), `proportion` and `left` (its left
    end). `panels` gives for each tool its domains, top to bottom.
    """

    panels: dict[str, list[str]]


def lay_out_risk_of_bias(appraisals: list[Appraisal]) -> RiskOfBiasLayout:
    """Lay out one line per study and judge and one column per domain, with one panel per tool."""
    rows, panels, sentences = [], {}, []
    for tool, group in _by_tool(appraisals).items():
        columns = _columns(group)
        panels[tool] = (columns, [(appraisal.label, appraisal.judge) for appraisal in group])
        for line, appraisal in enumerate(group):
            judgements = [
                {
                    "name": f"{appraisal.name}/{column}",
                    "tool": tool,
                    "line": line,
                    "lane": lane,
                    **_judgement(appraisal, column),
                }
                for lane, column in enumerate(columns)
                if _applies(appraisal, column)
            ]
            rows += judgements
            words = ", ".join(
                f"{columns[row['lane']]} {row['judgement'] or 'not judged'}" for row in judgements
            )
            sentences.append(f"{appraisal.label}, by {appraisal.judge}, {tool}: {words}.")
    addresses = [row for appraisal in appraisals for row in appraisal.address.split()]
    plural = "sets of judgements"
    sets = count(len(appraisals), "set of judgements", addresses, "risk_of_bias", plural=plural)
    frame = pd.DataFrame(rows)
    return RiskOfBiasLayout(
        id="fig-risk-of-bias",
        title="Risk of bias of each study",
        caption=join_sentences(
            "fig-risk-of-bias.caption",
            Sentence("", "Each line is a study and a judge: {sets}.", {"sets": sets}),
            Sentence(
                "",
                "A dot in the corner of an overall judgement means that the judge departs from "
                "the tool's rule.",
            ),
        ),
        alt=_alt(frame, len(appraisals)),
        reading=tuple(sentences),
        frame=frame,
        methods={"level": "risk_of_bias"},
        empty="" if appraisals else NOT_JUDGED,
        panels=panels,
    )


def lay_out_risk_of_bias_summary(appraisals: list[Appraisal]) -> RiskOfBiasSummaryLayout:
    """Lay out the proportion of judgements at each level per domain, with one panel per tool."""
    rows: list[dict] = []
    panels = {tool: _columns(group) for tool, group in _by_tool(appraisals).items()}
    for tool, group in _by_tool(appraisals).items():
        for column in panels[tool]:
            rows += _bar(tool, column, [item for item in group if _applies(item, column)])
    return RiskOfBiasSummaryLayout(
        id="fig-risk-summary",
        title="Risk of bias by domain",
        caption=Sentence(
            "fig-risk-summary.caption",
            "Proportion of judgements at each level in each domain; all studies count the same. "
            "The number on each part is the number of judgements.",
        ),
        alt="Stacked bars of the proportion of judgements at each level of risk of bias in "
        f"{count(sum(map(len, panels.values())), 'domain')} of "
        f"{count(len(panels), 'tool')}, {count(len(appraisals), 'set')} of judgements.",
        reading=tuple(
            f"{row['tool']}, {row['domain']}: {row['k']} {style.RISK[row['level']][2]}, "
            f"{format_percent(row['proportion'])}."
            for row in rows
        ),
        frame=pd.DataFrame(rows),
        methods={"k": "risk_of_bias", "proportion": "risk_of_bias"},
        empty="" if appraisals else NOT_JUDGED,
        panels=panels,
    )


def _by_tool(appraisals: list[Appraisal]) -> dict[str, list[Appraisal]]:
    groups: dict[str, list[Appraisal]] = {}
    for appraisal in appraisals:
        groups.setdefault(appraisal.tool.name, []).append(appraisal)
    return groups


def _columns(appraisals: list[Appraisal]) -> list[str]:
    """Return the domains that apply to any of these studies, and overall if any has it."""
    tool = appraisals[0].tool
    domains = [
        domain for domain in tool.domains if any(_applies(item, domain) for item in appraisals)
    ]
    return domains + ([OVERALL] if any(item.overall for item in appraisals) else [])


def _applies(appraisal: Appraisal, column: str) -> bool:
    return column == OVERALL or column in appraisal.tool.applicable_domains(appraisal.design)


def _judgement(appraisal: Appraisal, column: str) -> dict:
    """Return the judgement of a column, its level and its rows; empty if it was not judged."""
    whole = {"judgement": appraisal.overall, "address": appraisal.address}
    row = whole if column == OVERALL else appraisal.domains.get(column, whole | {"judgement": ""})
    return {
        "level": appraisal.tool.levels.get(row["judgement"], ""),
        "judgement": row["judgement"],
        "overruled": column == OVERALL and appraisal.overruled,
        "address": row["address"],
    }


def _bar(tool: str, column: str, appraisals: list[Appraisal]) -> list[dict]:
    """Return the parts of the bar of one domain, from the left."""
    parts, left = [], 0.0
    judgements = [_judgement(appraisal, column) for appraisal in appraisals]
    for level in ALL_LEVELS:
        addresses = [row["address"] for row in judgements if row["level"] == level]
        if not addresses:
            continue
        proportion = len(addresses) / len(appraisals)
        parts.append(
            {
                "name": f"{tool}/{column}/{level or 'not judged'}",
                "tool": tool,
                "domain": column,
                "level": level,
                "k": len(addresses),
                "proportion": proportion,
                "left": left,
                "address": " ".join(addresses),
            }
        )
        left += proportion
    return parts


def _alt(frame: pd.DataFrame, sets: int) -> str:
    """State how many sets of judgements there are, and how often each level was given."""
    if frame.empty:
        return ""
    levels = [
        f"{style.RISK[level][2]} ({(frame['level'] == level).sum()})"
        for level in ALL_LEVELS
        if level in set(frame["level"])
    ]
    return (
        f"Traffic-light plot of {count(sets, 'set')} of judgements on the risk of bias, one line "
        f"each and one column per domain. {count(len(frame), 'judgement')}: {join_words(levels)}."
    )


@draw.register
@style.house_style()
def draw_risk_of_bias(layout: RiskOfBiasLayout, width: float = style.DOUBLE_COLUMN):
    """Draw one panel per tool, one below the other."""
    frame = layout.frame
    figure, panels = _new_panels(
        width, [len(lines) for _, lines in layout.panels.values()], 0.3, 1.25
    )
    for axes, (tool, (columns, lines)) in zip(panels, layout.panels.items(), strict=True):
        rows = frame[frame["tool"] == tool]
        for level, judged in rows.groupby("level"):
            _draw_circles(axes, judged, level)
        dots = rows[rows["overruled"].astype(bool)]
        axes.plot(dots["lane"] + 0.3, dots["line"] - 0.3, ".", ms=5, color=style.INK)
        axes.set_xlim(-0.6, 7.6)
        labels = [column.replace(" ", "\n") for column in columns]
        axes.set_xticks(range(len(columns)), labels, fontsize=8)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        style.label_rows(axes, [f"{label}  ({judge})" for label, judge in lines], 0.4)
        axes.tick_params(axis="y", labelsize=8.5)
        axes.set_title(tool, pad=8)
        axes.spines[:].set_visible(False)
    _add_legend(figure, frame["level"])
    return figure


def _draw_circles(axes, rows: pd.DataFrame, level: str):
    """Draw all circles of one level, each with its sign."""
    sign, colour, _ = style.RISK[level]
    if not level:
        axes.plot(rows["lane"], rows["line"], "o", ms=15, mfc="white", mec=style.QUIET, mew=0.8)
        return
    axes.plot(rows["lane"], rows["line"], "o", ms=15, color=colour)
    for x, y in zip(rows["lane"], rows["line"], strict=True):
        _write_sign(axes, x, y, sign, level, fontsize=10)


@draw.register
@style.house_style()
def draw_risk_of_bias_summary(layout: RiskOfBiasSummaryLayout, width: float = style.DOUBLE_COLUMN):
    """Draw stacked bars, each part with its sign and number."""
    frame = layout.frame
    figure, panels = _new_panels(width, [len(names) for names in layout.panels.values()], 0.34, 0.9)
    for axes, (tool, columns) in zip(panels, layout.panels.items(), strict=True):
        parts = frame[frame["tool"] == tool]
        lines = parts["domain"].map(columns.index)
        colours = [style.RISK[level][1] for level in parts["level"]]
        look = {"color": colours, "height": 0.72, "ec": "white"}
        axes.barh(lines, parts["proportion"], left=parts["left"], **look)
        for line, row in zip(lines, parts.itertuples(), strict=True):
            text = f"{style.RISK[row.level][0]} {row.k}".strip()
            _write_sign(axes, row.left + row.proportion / 2, line, text, row.level, fontsize=8)
        style.format_percent_axis(axes)
        style.label_rows(axes, columns)
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.set_title(tool, pad=6)
    _add_legend(figure, frame["level"])
    return figure


def _new_panels(width: float, heights: list[int], unit: float, extra: float):
    """Return a figure with one panel per tool, each high enough for its lines."""
    total = unit * sum(heights) + extra * len(heights) + 0.4
    figure, axes = style.new_figure(
        width, total, nrows=len(heights), height_ratios=heights, squeeze=False
    )
    return figure, axes[:, 0]


def _write_sign(axes, x: float, y: float, text: str, level: str, fontsize: int):
    """Write in a colour that can be read on that of the level."""
    look = {"ha": "center", "va": "center_baseline", "weight": "bold", "fontsize": fontsize}
    colour = style.INK if level in ("some", "") else "white"
    axes.text(x, y, text, color=colour, **look).set_in_layout(False)


def _add_legend(figure, levels: pd.Series):
    marks = []
    for level in filter(set(levels).__contains__, ALL_LEVELS):
        sign, colour, words = style.RISK[level]
        colour = colour if level else style.QUIET
        marks.append(style.key("o", colour, f"{sign}  {words}".strip(), bool(level), ms=10))
    style.legend(figure, marks, loc="left", fontsize=8)
