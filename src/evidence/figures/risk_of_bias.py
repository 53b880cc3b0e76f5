"""Risk of bias: each judgement as a sign in a coloured circle, and the proportions per domain."""

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evidence.analysis.certainty.risk_of_bias import LEVELS, Appraisal
from evidence.dataset.displayable import as_listing
from evidence.figures import style
from evidence.figures.layout import Layout, draw, join_names
from evidence.provenance.sentence import Sentence, count, format_percent, join_sentences, join_words

OVERALL = "overall"
ALL_LEVELS = (*LEVELS, "")
NOT_JUDGED = "The risk of bias of these studies has not been judged yet."
LINE_HEIGHT, BAR_HEIGHT = 0.215, 0.26
"""Height of a line of circles, and of a bar with the space around it, in inches."""


@dataclass(frozen=True, kw_only=True)
class RiskOfBiasLayout(Layout):
    """One circle per judgement with one tool.

    `frame` has `line` and `lane` (the position of study and domain), `level`, `judgement` and
    `overruled`. `columns` are the domains, then overall. `lines` are the studies; if there are several
    judges, each has a heading, with a line in `headings`, above the studies that it judged.
    """

    rows_per_page = 36
    columns: tuple[str, ...]
    lines: tuple[str, ...]
    headings: tuple[int, ...]

    @property
    def heading_rows(self) -> tuple[int, ...]:
        """The numbers of the lines that name a judge."""
        return self.headings

    @property
    def row_count(self) -> int:
        """The number of lines."""
        return len(self.lines)

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Return the fields that differ if the layout has only some of its lines."""
        places = {line: place for place, line in enumerate(self.rows_of_page(start, end))}
        studies = (line for line in range(self.row_count) if line not in self.headings)
        frame = self.frame.assign(line=self.frame["line"].map(places)).dropna(subset="line")
        return {
            "reading": tuple(
                sentence
                for line, sentence in zip(studies, self.reading, strict=True)
                if line in places
            ),
            "frame": frame.astype({"line": int}).reset_index(drop=True),
            "lines": tuple(self.lines[line] for line in places),
            "headings": tuple(places[line] for line in self.headings if line in places),
        }


@dataclass(frozen=True, kw_only=True)
class RiskOfBiasSummaryLayout(Layout):
    """One stacked bar per domain of one tool, with one part per level.

    `frame` has `domain`, `level`, `k` (judgements), `proportion` and `left` (its left end).
    """

    columns: tuple[str, ...]


@as_listing
def lay_out_risk_of_bias(appraisals: list[Appraisal]) -> tuple[RiskOfBiasLayout, ...]:
    """Lay out one line per study and judge and one column per domain, in one figure per tool."""
    layouts = [
        _traffic_lights(
            f"fig-risk-of-bias-{_slug(tool)}", f"Risk of bias of each study, {tool}", group
        )
        for tool, group in _by_tool(appraisals).items()
    ]
    return tuple(layouts) or (_traffic_lights("fig-risk-of-bias", "Risk of bias", []),)


def _traffic_lights(identity: str, title: str, group: list[Appraisal]) -> RiskOfBiasLayout:
    """Lay out all appraisals with a tool, sorted by judge."""
    columns = _columns(group)
    judges = list(dict.fromkeys(appraisal.judge for appraisal in group))
    group = sorted(group, key=lambda appraisal: judges.index(appraisal.judge))
    rows, sentences = [], []
    lines: list[str] = []
    headings: dict[str, int] = {}
    for appraisal in group:
        if len(judges) > 1 and appraisal.judge not in headings:
            headings[appraisal.judge] = len(lines)
            lines.append(appraisal.judge)
        lines.append(appraisal.label)
        judgements = [
            {"name": f"{appraisal.name}/{column}", "line": len(lines) - 1, "lane": lane}
            | _judgement(appraisal, column)
            for lane, column in enumerate(columns)
            if _applies(appraisal, column)
        ]
        rows += judgements
        words = ", ".join(
            f"{columns[row['lane']]} {row['judgement'] or 'not judged'}" for row in judgements
        )
        tool = appraisal.tool.name
        sentences.append(f"{appraisal.label}, by {appraisal.judge}, {tool}: {words}.")
    addresses = [row for appraisal in group for row in appraisal.address.split()]
    plural = "sets of judgements"
    sets = count(len(group), "set of judgements", addresses, "risk_of_bias", plural=plural)
    template = "Each line is a study, as judged by {judge}: {sets}."
    frame = pd.DataFrame(rows)
    dot = (
        "A dot beside an overall judgement means that the judge departs from the tool's rule."
        if len(frame) and frame["overruled"].any()
        else ""
    )
    return RiskOfBiasLayout(
        id=identity,
        title=title,
        caption=join_sentences(
            f"{identity}.caption",
            Sentence("", template, {"sets": sets, "judge": join_names(sorted(judges))}),
            *([Sentence("", dot)] if dot else []),
        ),
        alt=_alt(frame, len(group), title),
        reading=tuple(sentences),
        frame=frame,
        methods={"level": "risk_of_bias"},
        empty="" if group else NOT_JUDGED,
        columns=tuple(columns),
        lines=tuple(lines),
        headings=tuple(headings.values()),
    )


@as_listing
def lay_out_risk_of_bias_summary(
    appraisals: list[Appraisal],
) -> tuple[RiskOfBiasSummaryLayout, ...]:
    """Lay out the proportion of judgements at each level per domain, in one figure per tool.

    A tool by which one study was judged once has none.
    """
    groups = _by_tool(appraisals).items()
    return tuple(_summary(tool, group) for tool, group in groups if len(group) > 1)


def _summary(tool: str, group: list[Appraisal]) -> RiskOfBiasSummaryLayout:
    identity, columns = f"fig-risk-summary-{_slug(tool)}", _columns(group)
    rows = [
        part
        for column in columns
        for part in _bar(column, [item for item in group if _applies(item, column)])
    ]
    return RiskOfBiasSummaryLayout(
        id=identity,
        title=f"Risk of bias by domain, {tool}",
        caption=Sentence(
            f"{identity}.caption",
            "Proportion of judgements at each level in each domain; all studies count the same. "
            "Where there is room, a part has its sign and the number of judgements.",
        ),
        alt="Stacked bars of the proportion of judgements at each level of risk of bias in "
        f"{count(len(columns), 'domain')} of {tool}, {count(len(group), 'set')} of judgements.",
        reading=tuple(
            f"Domain {row['domain']}: {row['k']} {style.RISK[row['level']][2]}, "
            f"{format_percent(row['proportion'])}."
            for row in rows
        ),
        frame=pd.DataFrame(rows),
        methods={"k": "risk_of_bias", "proportion": "risk_of_bias"},
        columns=tuple(columns),
    )


def _slug(tool: str) -> str:
    return re.sub(r"\W+", "-", tool.lower()).strip("-")


def _by_tool(appraisals: list[Appraisal]) -> dict[str, list[Appraisal]]:
    groups: dict[str, list[Appraisal]] = {}
    for appraisal in appraisals:
        groups.setdefault(appraisal.tool.name, []).append(appraisal)
    return groups


def _columns(appraisals: list[Appraisal]) -> list[str]:
    """Return the domains that apply to any of these studies, and overall if any has it."""
    domains = [
        domain
        for domain in (appraisals[0].tool.domains if appraisals else ())
        if any(_applies(item, domain) for item in appraisals)
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


def _bar(column: str, appraisals: list[Appraisal]) -> list[dict]:
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
                "name": f"{column}/{level or 'not judged'}",
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


def _alt(frame: pd.DataFrame, sets: int, title: str) -> str:
    """State how many sets of judgements there are, and how often each level was given."""
    if frame.empty:
        return ""
    levels = [
        f"{style.RISK[level][2]} ({(frame['level'] == level).sum()})"
        for level in ALL_LEVELS
        if level in set(frame["level"])
    ]
    return (
        f"Traffic-light plot, {title}: {count(sets, 'set')} of judgements, one line each and one "
        f"column per domain. {count(len(frame), 'judgement')}: {join_words(levels)}."
    )


@draw.register
@style.house_style()
def draw_risk_of_bias(layout: RiskOfBiasLayout, width: float = style.DOUBLE_COLUMN):
    """Draw circles below the names of the domains, or below numbers with a key."""
    frame = layout.frame
    figure, axes = style.new_figure(width, LINE_HEIGHT * len(layout.lines) + 1.2)
    lines = [style.wrap_text(figure, line, 0.45 * width, max_lines=1) for line in layout.lines]
    room = width - style.text_width(figure, *lines) - 4 * style.MARGIN
    cell = room / len(layout.columns) - style.MARGIN
    small = {"fontsize": style.SMALL_SIZE}
    names = [style.wrap_text(figure, column, cell, **small) for column in layout.columns]
    key = ""
    if style.text_width(figure, *names, **small) > cell:
        names = [f"D{number}" for number, _ in enumerate(layout.columns, start=1)]
        domains = zip(names, layout.columns, strict=True)
        entries = [f"{name}\N{NO-BREAK SPACE}{domain}" for name, domain in domains]
        key = style.wrap_text(figure, "\N{NO-BREAK SPACE}· ".join(entries), width - 0.2, **small)
    for level, judged in frame.groupby("level"):
        _draw_circles(axes, judged, level)
    dots = frame[frame["overruled"].astype(bool)]
    axes.plot(dots["lane"] + 0.42, dots["line"], ".", ms=5, color=style.INK)
    axes.set_xlim(-0.6, len(layout.columns) - 0.4)
    axes.set_xticks(range(len(names)), names, color=style.INK, **small)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    style.label_rows(axes, lines)
    for line in layout.headings:
        axes.get_yticklabels()[line].set_fontweight("bold")
    axes.spines[:].set_visible(False)
    _add_legend(figure, frame["level"], "o", width, title=key)
    return figure


def _draw_circles(axes, rows: pd.DataFrame, level: str):
    """Draw all circles of one level, each with its sign."""
    sign, colour, _ = style.RISK[level]
    edge, fill = (colour, colour) if level else (style.QUIET, "white")
    axes.plot(rows["lane"], rows["line"], "o", ms=12, mfc=fill, mec=edge, mew=0.8)
    for x, y in zip(rows["lane"], rows["line"], strict=True):
        if sign:
            _write_sign(axes, x, y, sign, level)


@draw.register
@style.house_style()
def draw_risk_of_bias_summary(layout: RiskOfBiasSummaryLayout, width: float = style.DOUBLE_COLUMN):
    """Draw stacked bars, each part with its sign and number if they fit."""
    frame = layout.frame
    figure, axes = style.new_figure(width, BAR_HEIGHT * len(layout.columns) + 0.9)
    room = width - style.text_width(figure, *layout.columns) - 0.4
    lines = frame["domain"].map(layout.columns.index)
    colours = [style.RISK[level][1] for level in frame["level"]]
    look = {"color": colours, "height": 0.8, "ec": "white"}
    axes.barh(lines, frame["proportion"], left=frame["left"], **look)
    for line, row in zip(lines, frame.itertuples(), strict=True):
        text = f"{style.RISK[row.level][0]} {row.k}".strip()
        bold = {"fontsize": style.SMALL_SIZE, "weight": "bold"}
        if style.text_width(figure, text, **bold) < row.proportion * room:
            _write_sign(axes, row.left + row.proportion / 2, line, text, row.level)
    style.format_percent_axis(axes)
    style.label_rows(axes, layout.columns)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    _add_legend(figure, frame["level"], "s", width)
    return figure


def _write_sign(axes, x: float, y: float, text: str, level: str):
    """Write in a colour that can be read on that of the level."""
    look = {"ha": "center", "va": "center_baseline", "weight": "bold", "fontsize": style.SMALL_SIZE}
    axes.text(x, y, text, color=_sign_colour(level), **look).set_in_layout(False)


def _sign_colour(level: str) -> str:
    return style.INK if level in ("some", "") else "white"


def _add_legend(figure, levels: pd.Series, shape: str, width: float, **options):
    marks = []
    for level in filter(set(levels).__contains__, ALL_LEVELS):
        sign, colour, words = style.RISK[level]
        # A circle that was not judged is empty; the part of a bar is grey.
        edge = colour if level or shape == "s" else style.QUIET
        mark = style.key(shape, edge, words, bool(level) or shape == "s", ms=10, mew=0.8)
        marks.append(mark | {"sign": sign, "sign_colour": _sign_colour(level)})
    options |= {"alignment": "left", "title_fontsize": style.SMALL_SIZE}
    style.legend(figure, marks, loc="left", ncols=1 if style.is_narrow(width) else 3, **options)
