"""Risk of bias: every judgement as a sign in a coloured circle, and the shares of each domain."""

from dataclasses import dataclass

import pandas as pd

from evidence.analysis.certainty.risk_of_bias import LEVELS, Appraisal
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import Sentence, count, format_percent, join_sentences, join_words

OVERALL = "overall"


@dataclass(frozen=True, kw_only=True)
class RiskOfBiasLayout(Layout):
    """`frame`: one row a circle: `tool`, `line` and `lane` within its tool, `level`, `judgement`.

    `panels` gives for each tool its columns (the domains, then overall) and its lines (label, who
    judged).
    """

    panels: dict[str, tuple[list[str], list[tuple[str, str]]]]


@dataclass(frozen=True, kw_only=True)
class RiskOfBiasSummaryLayout(Layout):
    """`frame`: one row a domain and level: `tool`, `domain`, `level`, `k` (sets), `share`, `left`.

    `panels` gives for each tool its domains, top to bottom.
    """

    panels: dict[str, list[str]]


def _by_tool(appraisals: list[Appraisal]) -> dict[str, list[Appraisal]]:
    found: dict[str, list[Appraisal]] = {}
    for entry in appraisals:
        found.setdefault(entry.tool.name, []).append(entry)
    return found


def _columns(entries: list[Appraisal]) -> list[str]:
    """The domains that any of these studies is asked for, and the overall if there is one."""
    asked = {word for entry in entries for word in entry.tool.applicable_domains(entry.design)}
    words = [word for word in entries[0].tool.domains if word in asked]
    return words + ([OVERALL] if any(entry.overall for entry in entries) else [])


def _judged(entry: Appraisal, column: str) -> tuple[str, str]:
    """The judgement of a column and the rows behind it; empty if nobody judged."""
    if column == OVERALL:
        return entry.overall, entry.address
    row = entry.domains.get(column)
    return (row["judgement"], row["address"]) if row else ("", "")


def lay_out_risk_of_bias(appraisals: list[Appraisal]) -> RiskOfBiasLayout:
    """A line a study and judge, a column a domain, one panel for each tool."""
    rows, panels, said = [], {}, []
    for tool, entries in _by_tool(appraisals).items():
        columns = _columns(entries)
        lines = [(entry.label, entry.judge) for entry in entries]
        panels[tool] = (columns, lines)
        for line, entry in enumerate(entries):
            words = []
            for lane, column in enumerate(columns):
                judgement, address = _judged(entry, column)
                if column != OVERALL and column not in entry.tool.applicable_domains(entry.design):
                    continue
                words.append(f"{column} {judgement or 'not judged'}")
                rows.append(
                    {
                        "name": f"{entry.name}/{column}",
                        "tool": tool,
                        "line": line,
                        "lane": lane,
                        "level": entry.tool.levels.get(judgement, ""),
                        "judgement": judgement,
                        "overruled": column == OVERALL and entry.overruled,
                        "address": address or entry.address,
                    }
                )
            said.append(f"{entry.label}, by {entry.judge}, {tool}: {', '.join(words)}.")
    return RiskOfBiasLayout(
        id="fig-risk-of-bias",
        title="Risk of bias of each study",
        caption=join_sentences(
            "fig-risk-of-bias.caption",
            Sentence(
                "", "One line a study and judge: {sets}.",
                {"sets": count(len(appraisals), "set of judgements", "sets of judgements",
                               (row for entry in appraisals for row in entry.address.split()),
                               "risk_of_bias")},
            ),
            Sentence("", "A dot in the corner of an overall: the judge departs from the rule."),
        ),
        alt=_alt(pd.DataFrame(rows), len(appraisals)),
        reading=tuple(said),
        frame=pd.DataFrame(rows),
        methods={"level": "risk_of_bias"},
        empty="" if appraisals else "Nobody has judged the risk of bias of these studies yet.",
        panels=panels,
    )  # fmt: skip


def _alt(frame: pd.DataFrame, sets: int) -> str:
    """How many sets of judgements, and how often each level was given."""
    if frame.empty:
        return ""
    levels = [
        f"{style.RISK[level][2]} ({(frame['level'] == level).sum()})"
        for level in (*LEVELS, "")
        if level in set(frame["level"])
    ]
    return (
        f"Table of signs: {count(sets, 'set')} of judgements on the risk of bias, a line each and "
        f"a column a domain. {count(len(frame), 'judgement')}: {join_words(levels)}."
    )


def lay_out_risk_of_bias_summary(appraisals: list[Appraisal]) -> RiskOfBiasSummaryLayout:
    """For each domain the share of sets at each level, one panel for each tool."""
    rows, panels = [], {}
    for tool, entries in _by_tool(appraisals).items():
        columns = _columns(entries)
        panels[tool] = columns
        for column in columns:
            asked = [
                entry
                for entry in entries
                if column == OVERALL or column in entry.tool.applicable_domains(entry.design)
            ]
            levels = [entry.tool.levels.get(_judged(entry, column)[0], "") for entry in asked]
            left = 0.0
            for level in (*LEVELS, ""):
                k = levels.count(level)
                if k:
                    share = k / len(asked)
                    rows.append(
                        {
                            "name": f"{tool}/{column}/{level or 'not judged'}",
                            "tool": tool, "domain": column, "level": level, "k": k,
                            "share": share, "area": left,
                            "address": " ".join(_judged(entry, column)[1] or entry.address
                                                for entry, at in zip(asked, levels, strict=True)
                                                if at == level),
                        }
                    )  # fmt: skip
                    left += share
    words = [
        f"{row['tool']}, {row['domain']}: {row['k']} {style.RISK[row['level']][2]}, "
        f"{format_percent(row['share'])}."
        for row in rows
    ]
    return RiskOfBiasSummaryLayout(
        id="fig-risk-summary",
        title="Risk of bias, domain by domain",
        caption=Sentence(
            "fig-risk-summary.caption",
            "The share of judgements at each level in each domain; studies count alike. The number "
            "on each part is the number of judgements.",
        ),
        alt=f"Stacked bars: the share of judgements at each level of risk of bias in "
        f"{count(sum(map(len, panels.values())), 'domain')} of "
        f"{count(len(panels), 'tool')}, {count(len(appraisals), 'set')} of judgements.",
        reading=tuple(words),
        frame=pd.DataFrame(rows),
        methods={"k": "risk_of_bias", "share": "risk_of_bias"},
        empty="" if appraisals else "Nobody has judged the risk of bias of these studies yet.",
        panels=panels,
    )


def _panels(heights: list[int], unit: float, extra: float):
    """One axis a tool below each other, high enough for its lines."""
    total = unit * sum(heights) + extra * len(heights) + 0.4
    figure, axes = style.new_figure(
        8.6, total, nrows=len(heights), height_ratios=heights, squeeze=False
    )
    return figure, axes[:, 0]


@draw.register
def draw_risk_of_bias(layout: RiskOfBiasLayout):
    """Circles with signs; the words of the signs below."""
    with style.house_style():
        heights = [len(lines) for _, lines in layout.panels.values()]
        figure, axes = _panels(heights, 0.3, 1.25)
        for axis, (tool, (columns, lines)) in zip(axes, layout.panels.items(), strict=True):
            rows = layout.frame[layout.frame["tool"] == tool]
            for level, lights in rows.groupby("level"):
                _lights(axis, lights, level)
            dots = rows[rows["overruled"].astype(bool)]
            axis.plot(dots["lane"] + 0.3, dots["line"] - 0.3, ".", ms=5, color=style.INK)
            axis.set_xlim(-0.6, 7.6)
            axis.set_ylim(len(lines) - 0.4, -0.6)
            axis.set_xticks(
                range(len(columns)), [c.replace(" ", "\n") for c in columns], fontsize=8
            )
            axis.xaxis.tick_top()
            axis.tick_params(length=0)
            axis.set_yticks(range(len(lines)), [f"{label}  ({who})" for label, who in lines])
            axis.tick_params(axis="y", labelsize=8.5)
            axis.set_title(tool, pad=8)
            for spine in axis.spines.values():
                spine.set_visible(False)
        _key(figure, set(layout.frame["level"]))
    return figure


def _lights(axis, rows, level):
    """All circles of one level, each with its sign."""
    sign, colour, _ = style.RISK[level]
    if not level:
        axis.plot(rows["lane"], rows["line"], "o", ms=15, mfc="white", mec=style.QUIET, mew=0.8)
        return
    axis.plot(rows["lane"], rows["line"], "o", ms=15, color=colour)
    ink = style.INK if level == "some" else "white"
    look = {"ha": "center", "va": "center_baseline", "color": ink, "weight": "bold"}
    for x, y in zip(rows["lane"], rows["line"], strict=True):
        axis.text(x, y, sign, fontsize=10, **look).set_in_layout(False)


def _key(figure, levels: set[str]):
    from matplotlib.lines import Line2D

    handles, words = [], []
    for level in (*LEVELS, ""):
        if level in levels:
            sign, colour, said = style.RISK[level]
            fill = colour if level else "white"
            edge = colour if level else style.QUIET
            handles.append(Line2D([], [], ls="", marker="o", ms=10, mfc=fill, mec=edge))
            words.append(f"{sign}  {said}".strip())
    figure.legend(handles, words, loc="outside lower left", ncols=3, fontsize=8)


@draw.register
def draw_risk_of_bias_summary(layout: RiskOfBiasSummaryLayout):
    """Stacked bars, each part with its sign and number."""
    frame = layout.frame
    with style.house_style():
        figure, axes = _panels([len(names) for names in layout.panels.values()], 0.34, 0.9)
        for axis, (tool, columns) in zip(axes, layout.panels.items(), strict=True):
            parts = frame[frame["tool"] == tool]
            lines = parts["domain"].map(columns.index)
            colours = [style.RISK[level][1] for level in parts["level"]]
            axis.barh(
                lines, parts["share"], left=parts["area"], color=colours, height=0.72, ec="white"
            )
            for line, row in zip(lines, parts.itertuples(), strict=True):
                said = f"{style.RISK[row.level][0]} {row.k}".strip()
                ink = "white" if row.level not in ("some", "") else style.INK
                text = axis.text(
                    row.area + row.share / 2, line, said, color=ink,
                    ha="center", va="center_baseline", fontsize=8, weight="bold",
                )  # fmt: skip
                text.set_in_layout(False)
            axis.set_xlim(0, 1)
            axis.set_ylim(len(columns) - 0.5, -0.5)
            axis.set_yticks(range(len(columns)), columns)
            axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
            axis.tick_params(length=0)
            axis.spines["left"].set_visible(False)
            axis.set_title(tool, pad=6)
        _key(figure, set(frame["level"]))
    return figure
