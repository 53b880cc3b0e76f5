"""Two arms of each study compared: proportions, risk difference and risk ratio."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_pairs
from evidence.analysis.eligible_evidence import OUTCOME_KINDS, evidence_rows
from evidence.analysis.missing_results import summarise_missing, why_missing
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.figures import style
from evidence.figures.layout import Layout, ci_label, draw, join_names
from evidence.provenance.methods import ci_methods
from evidence.provenance.sentence import (
    NOT_ESTIMABLE,
    Sentence,
    capitalise,
    confidence_level,
    count,
    escape_braces,
    format_difference,
    format_interval,
    format_number,
    format_percent,
    format_time,
    join_words,
    slug,
)

METHODS = (
    ci_methods("proportion", "wilson", "proportion1", "proportion1_low", "proportion1_high")
    | ci_methods("proportion", "wilson", "proportion2", "proportion2_low", "proportion2_high")
    | ci_methods("difference", "newcombe", "rd", "rd_low", "rd_high")
    | ci_methods("ratio", "katz", "rr", "rr_low", "rr_high")
    | {"events1": "proportion", "events2": "proportion", "days": "days"}
)
RANDOMISATION = {"yes": ("", ""), "no": ("was not randomised", "NOT RANDOMISED")}
PANELS = {"proportion": "Proportion", "rd": "Risk difference", "rr": "Risk ratio"}
GUIDE = style.GUIDE_MARK | {"ms": 8, "mfc": "none"}
UNCLEAR = ("is not known to be randomised", "randomisation unclear")


PADDING, GAP = 0.1, 0.3
"""In inches: the space between blocks, and that between panels."""


class ArmComparisonLayout(Layout):
    """One block per comparator arm of a study, with each arm that is compared with it.

    `frame` has the columns of `arm_pairs`, `guide1` and `guide2` (the proportions that the guide
    gives for the same arms) and `warning`.
    """

    rows_per_page = 12


def lay_out_arm_comparison(
    dataset: Dataset, results: pd.DataFrame, *, outcome: str, confidence: float = 0.95
) -> ArmComparisonLayout:
    """Lay out every pair of arms with counts for `outcome`, with the guide's proportions."""
    frame = _pairs(results, outcome, confidence)
    title = f"{outcome.capitalize()}: two arms of each study compared"
    identity = f"fig-{slug(outcome)}"
    return _lay_out(dataset, results, frame, (outcome,), confidence, identity, title)


@as_listing
def lay_out_arm_comparisons(
    dataset: Dataset,
    results: pd.DataFrame,
    *,
    outcomes: Sequence[str] = (),
    confidence: float = 0.95,
) -> tuple[ArmComparisonLayout, ...]:
    """Lay out every outcome that two arms have counts for, or those named, each study once.

    Outcomes of the same studies share a chart.
    """
    if not outcomes:
        benefits_and_harms = results[results["kind"].isin(OUTCOME_KINDS)]
        compared = set(arm_pairs(benefits_and_harms, confidence=confidence)["outcome"])
        outcomes = [name for name in benefits_and_harms["outcome"].unique() if name in compared]
    groups: dict[tuple[str, ...], list[str]] = {}
    for outcome in outcomes:
        studies = tuple(sorted(set(_pairs(results, outcome, confidence)["label"])))
        groups.setdefault(studies or (outcome,), []).append(outcome)
    layouts = []
    for studies, names in groups.items():
        if len(names) == 1:
            layouts.append(
                lay_out_arm_comparison(dataset, results, outcome=names[0], confidence=confidence)
            )
            continue
        frame = pd.concat([_pairs(results, name, confidence) for name in names], ignore_index=True)
        identity = f"fig-outcomes-of-{slug(' and '.join(studies))}"
        title = f"Outcomes of {join_words(studies)}: arms compared"
        layouts.append(_lay_out(dataset, results, frame, tuple(names), confidence, identity, title))
    return tuple(layouts)


def _pairs(results: pd.DataFrame, outcome: str, confidence: float) -> pd.DataFrame:
    rows = results[results["outcome"] == outcome]
    frame = arm_pairs(rows, confidence=confidence)
    guide = rows[rows["is_guide"] & rows["value"].notna()].set_index(["study", "arm"])
    guide = guide.loc[~guide.index.duplicated(), ["value", "address"]]
    for column, arm in (("guide1", "arm"), ("guide2", "versus")):
        values = guide.reindex(pd.MultiIndex.from_frame(frame[["study", arm]]))
        frame[column] = values["value"].to_numpy(float)
        addresses = frame["address"] + " " + values["address"].fillna("").to_numpy(str)
        frame["address"] = addresses.str.strip()
    warnings = [RANDOMISATION.get(word, UNCLEAR)[0] for word in frame["randomised"]]
    frame["warning"] = [
        f"{label} {warning}." if warning else ""
        for label, warning in zip(frame["label"], warnings, strict=True)
    ]
    return frame


def _lay_out(
    dataset: Dataset,
    results: pd.DataFrame,
    frame: pd.DataFrame,
    outcomes: tuple[str, ...],
    confidence: float,
    identity: str,
    title: str,
) -> ArmComparisonLayout:
    words = join_words(outcomes)
    guide_words = "; open diamonds are what the guide says" if _has_guide(frame) else ""
    drawn = set(frame["study"])
    opening = "Without counts of both arms in the tables"
    if len(outcomes) > 1:
        opening = "Without counts of {} in both arms"
    warnings = dict.fromkeys(warning for warning in frame["warning"] if warning)
    return ArmComparisonLayout(
        id=identity,
        title=title,
        caption=Sentence(
            f"{identity}.caption",
            f"Proportion of participants with {escape_braces(words)} in each arm, with {{level}} Wilson "
            f"confidence intervals{guide_words}; risk difference in percentage points (Newcombe "
            "confidence interval); risk ratio (confidence interval of its logarithm). An interval "
            "that includes equal proportions in both arms is compatible with no difference. "
            "{side}{warnings}{undrawn}",
            {
                "level": confidence_level(confidence),
                "side": " ".join(dict.fromkeys(_side(dataset, name) for name in outcomes)),
                "warnings": "".join(f" {warning}" for warning in warnings),
                "undrawn": "".join(
                    _undrawn(dataset, results, drawn, name, opening.format(name))
                    for name in outcomes
                ),
            },
        ),
        alt=_alt(frame, words),
        reading=tuple(_pair_sentence(row, confidence) for row in frame.itertuples()),
        frame=frame,
        methods=METHODS,
        empty="" if len(frame) else f"No two arms with counts of {words} among these results.",
    )


def _headings(frame: pd.DataFrame) -> Iterator[str]:
    """Name the block of each pair: by what is not the same in all, and by its time."""
    # The scale tells apart comparisons of the same arms at the same time.
    pair = ["study", "outcome", "arm", "versus", "time", "time_unit"]
    scales = frame["instrument"].where(frame.duplicated(pair, keep=False), "")
    has_studies = frame["study"].nunique() > 1 or frame["outcome"].nunique() == 1
    for row, scale in zip(frame.itertuples(), scales, strict=True):
        outcome = capitalise(row.outcome) if frame["outcome"].nunique() > 1 else ""
        study = row.label if has_studies else ""
        parts = [outcome, study, format_time(row.time, row.time_unit), scale]
        yield ", ".join(filter(None, parts))


def _undrawn(
    dataset: Dataset, results: pd.DataFrame, drawn: set[str], outcome: str, opening: str
) -> str:
    """Name the studies with a comparator whose arms cannot be compared by counts, and why."""
    rows = results[results["outcome"] == outcome]
    evidence = evidence_rows(rows[~rows["comparator_kind"].isin(["", "none"])])
    studies = evidence.loc[~evidence["study"].isin(drawn), ["study", "label"]]
    studies, readings = studies.drop_duplicates(), dataset.readings
    reasons = studies["study"].map(
        lambda study: summarise_missing([why_missing(readings, study, outcome)])
    )
    parts = [
        join_names(labels) + (f" ({reason})" if reason else "")
        for reason, labels in studies["label"].groupby(reasons, sort=False)
    ]
    return f" {opening}: {'; '.join(parts)}." if parts else ""


def _side(dataset: Dataset, outcome: str) -> str:
    """Say which arm is favoured if more of its participants have the outcome."""
    favoured = {1: "first", -1: "second"}.get(better_side(dataset, outcome))
    if favoured is None:
        return "Which side favours the first arm is not stated for this outcome."
    return f"Differences above 0 and ratios above 1 favour the {favoured} arm."


def _has_guide(frame: pd.DataFrame) -> bool:
    return bool(frame[["guide1", "guide2"]].notna().any(axis=None))


def _alt(frame: pd.DataFrame, outcome: str) -> str:
    """Name the studies, and in how many comparisons the risk difference excludes zero."""
    if frame.empty:
        return ""
    clear = int(((frame["rd_low"] > 0) | (frame["rd_high"] < 0)).sum())
    return (
        f"Chart of {outcome} in two arms of {join_names(frame['label'].unique())}: both "
        "proportions, risk difference and risk ratio, with confidence intervals. The confidence "
        f"interval of the risk difference excludes zero in {clear} of "
        f"{count(len(frame), 'comparison')}."
    )


def _pair_sentence(row, confidence: float) -> str:
    label = ci_label(confidence)
    ratio = f"risk ratio {NOT_ESTIMABLE}"
    if np.isfinite(row.rr_low):
        ends = format_interval(row.rr_low, row.rr_high)
        ratio = f"risk ratio {format_number(row.rr)} ({label} {ends})"
    guide = [
        f"{format_percent(proportion)} with {arm}"
        for proportion, arm in ((row.guide1, row.arm), (row.guide2, row.versus))
        if np.isfinite(proportion)
    ]
    return (
        f"{row.label}, {row.outcome} at {format_time(row.time, row.time_unit)}: "
        f"{row.events1} of {row.n1} ({format_percent(row.proportion1, row.n1)}) with {row.arm}, "
        f"{row.events2} of {row.n2} ({format_percent(row.proportion2, row.n2)}) with {row.versus}. "
        f"Risk difference {_points(row.rd)} percentage points ({label} {_points(row.rd_low)} to "
        f"{_points(row.rd_high)}); {ratio}."
        + (f" The guide says {join_words(guide)}." if guide else "")
        + (f" {row.warning}" if row.warning else "")
    )


def _points(proportion: float) -> str:
    """Return a difference of proportions in percentage points, with its sign."""
    return format_difference(100 * proportion)


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """A row of the frame at a height, for one arm; `y_text` is where its effect is written."""

    y: float
    y_text: float
    row: object
    role: str


@draw.register
@style.house_style()
def draw_arm_comparison(layout: ArmComparisonLayout, width: float = style.DOUBLE_COLUMN):
    """Draw proportions, risk differences and risk ratios beside each other.

    A single column has marks for the proportions, and the two effects as text: three charts below
    each other would be taller than a page.
    """
    figure, is_narrow = style.empty_figure(width, 1), style.is_narrow(width)
    page_width = width - 2 * style.MARGIN
    label_width = (0.55 if is_narrow else 0.32) * page_width
    legend_height = _add_legend(figure, layout.frame, has_effects=not is_narrow)
    texts, marks = _stack(figure, layout, label_width - GAP / 2, has_effects=is_narrow)
    panels = list(PANELS)[: 1 if is_narrow else None]
    room = (page_width - label_width - GAP * (1 if is_narrow else 2.6)) / len(panels)
    # A title above the panels, and their axes and labels below.
    above, below = 0.28, (0.3 if is_narrow else 0.82) + legend_height
    figure.set_size_inches(width, above + texts.height + below)
    for number, name in enumerate(panels):
        left = label_width + number * (room + GAP)
        axes, write = style.add_panel(figure, (left, left + room), below, texts.height)
        if number == 0:
            texts.draw(write)
        _draw_panel(axes, name, marks)
        axes.set_title(PANELS[name], pad=4)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.tick_params(axis="x", labelsize=style.SMALL_SIZE)
    return figure


def _stack(figure, layout: ArmComparisonLayout, width: float, *, has_effects: bool):
    """Place the texts and marks of all blocks below each other."""
    texts, marks = style.TextColumn(figure, width), []
    block = ["heading", "label", "versus", "events2", "n2", "definition"]
    frame = layout.frame.assign(heading=list(_headings(layout.frame)))
    for (heading, *_), rows in frame.groupby(block, sort=False, dropna=False):
        texts.add(str(heading), weight="bold")
        if sign := RANDOMISATION.get(rows["randomised"].iloc[0], UNCLEAR)[1]:
            texts.add(sign, color=style.VERMILION)
        for number, row in enumerate(rows.itertuples()):
            # Its effect stands above the mark, beside the heading for the first arm.
            texts.height += style.LINE if number and not has_effects else 0
            y_text = texts.height - style.LINE / 2
            y = texts.add(_arm_text(row.arm, row.events1, row.n1, row.proportion1))
            marks.append(_Mark(y=y, y_text=y_text, row=row, role="intervention"))
            for name in ("rd", "rr") if has_effects else ():
                effect = f"{PANELS[name].lower()} {_effect_text(row, name)}"
                texts.add(effect, fontsize=style.SMALL_SIZE)
        y = texts.add(_arm_text(row.versus, row.events2, row.n2, row.proportion2))
        marks.append(_Mark(y=y, y_text=y, row=row, role="comparator"))
        texts.height += PADDING
    return texts, marks


def _arm_text(arm: str, events: int, n: int, proportion: float) -> str:
    return f"{arm}: {events}/{n} ({format_percent(proportion, n)})"


def _draw_panel(axes, name: str, marks: list[_Mark]) -> None:
    if name == "proportion":
        for mark in marks:
            _draw_proportion(axes, mark)
        style.format_percent_axis(axes, steps=2)
        return
    rows = pd.DataFrame([mark.row for mark in marks if mark.role == "intervention"])
    if name == "rd":
        _format_difference_axis(axes, rows)
    else:
        _format_ratio_axis(axes, rows)
    for mark in marks:
        if mark.role == "intervention":
            _draw_effect(axes, name, mark)


def _draw_proportion(axes, mark: _Mark) -> None:
    group = {"intervention": "1", "comparator": "2"}[mark.role]
    look = {"color": style.COLOUR_OF_ARM[mark.role]}
    columns = (f"proportion{group}", f"proportion{group}_low", f"proportion{group}_high")
    proportion, low, high = (getattr(mark.row, column) for column in columns)
    axes.plot([low, high], [mark.y, mark.y], lw=1.4, **look)
    axes.plot(proportion, mark.y, style.MARK_OF_ARM[mark.role], ms=5.5, clip_on=False, **look)
    guide = getattr(mark.row, f"guide{group}")
    if np.isfinite(guide):
        axes.plot(guide, mark.y, **GUIDE)


def _draw_effect(axes, name: str, mark: _Mark) -> None:
    """Draw an effect, with its numbers above, as near to its mark as the panel has room."""
    ends = [getattr(mark.row, f"{name}{end}") for end in ("", "_low", "_high")]
    estimate, low, high = 100 * np.array(ends) if name == "rd" else ends
    text = _effect_text(mark.row, name)
    look = {"ha": "center", "va": "center", "transform": axes.get_yaxis_transform()}
    if not np.isfinite(low):
        axes.text(0.5, mark.y, text, **look)
        return
    axes.plot([low, high], [mark.y, mark.y], color=style.INK, lw=1.4)
    axes.plot(estimate, mark.y, "D", ms=5, color=style.INK)
    behind = {"fc": "white", "ec": "none", "pad": 0.5}
    axes.text(0.5, mark.y_text, text, bbox=behind, **look)


def _effect_text(row, name: str) -> str:
    estimate, low, high = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
    if not np.isfinite(low):
        return NOT_ESTIMABLE
    if name == "rd":
        return f"{_points(estimate)} ({_points(low)} to {_points(high)})"
    return f"{format_number(estimate)} ({format_interval(low, high)})"


def _sides(frame: pd.DataFrame, name: str) -> str:
    sides = frame["better"].map({"higher": 1, "lower": -1}).fillna(0).unique()
    better = int(sides[0]) if len(sides) == 1 else 0
    return style.favours_label(name, better, ("first arm", "second arm"), separator="\n")


def _format_difference_axis(axes, frame: pd.DataFrame) -> None:
    axes.axvline(0, color=style.QUIET, lw=1, ls="--")
    high = 1.1 * max(100 * frame[["rd_low", "rd_high"]].abs().max(axis=None), 10)
    axes.set_xlim(min(-20, 100 * frame["rd_low"].min() * 1.1), high)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(_sides(frame, "percentage points"))


def _format_ratio_axis(axes, frame: pd.DataFrame) -> None:
    axes.axvline(1, color=style.QUIET, lw=1, ls="--")
    low, high = frame["rr_low"].min() / 1.1, frame["rr_high"].max() * 1.1
    style.format_ratio_axis(axes.xaxis, np.nanmin([0.5, low]), np.nanmax([2.0, high]), max_ticks=5)
    axes.set_xlabel(_sides(frame, "log scale"))


def _add_legend(figure, frame: pd.DataFrame, *, has_effects: bool) -> float:
    marks = [
        {"marker": style.MARK_OF_ARM[role], "lw": 1.4, "ms": 5.5,
         "color": style.COLOUR_OF_ARM[role], "label": label}
        for role, label in (("intervention", "first arm"), ("comparator", "second arm"))
    ]  # fmt: skip
    if _has_guide(frame):
        marks.append(GUIDE)
    if has_effects:
        marks.append({"marker": "D", "lw": 1.4, "ms": 5, "color": style.INK, "label": "effect"})
    return style.legend(figure, marks, ncols=4)
