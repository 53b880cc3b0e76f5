"""Flow diagram: from the records that searches found to the studies with results in the tables."""

from dataclasses import dataclass
from textwrap import wrap

import pandas as pd

from evidence.analysis.gaps.coverage import known_studies
from evidence.analysis.gaps.study_flow import PARTS, StudyFlow, study_flow
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import Number, Sentence, count

BOXES = {
    "records": (0, 0, "Records found by searches"),
    "duplicates": (1, 0, "Duplicate records removed"),
    "screened": (0, 1, "Records screened"),
    "screened out": (1, 1, "Records excluded"),
    "kept": (0, 2, "Records kept: reviews, registries and reports"),
    "listed": (1, 2, "Studies in reviews and registries"),
    "known": (0, 3, "Studies known to exist"),
    "excluded": (1, 3, "Studies excluded, by reason"),
    "included": (0, 4, "Studies included"),
    "wanted": (1, 4, "Wanted: results not tabulated yet"),
    "tabulated": (0, 5, "Studies tabulated"),
    "without results": (1, 5, "Without evidence on a benefit or harm"),
    "with results": (0, 6, "With evidence on a benefit or harm"),
}
"""Column, row and label of the box of each step, in reading order."""
MAX_REASONS = 3
"""Reasons for exclusion written into the diagram; the chart in words has all of them."""
REASON_WIDTH, LABEL_WIDTH = 44, 34
"""Characters per line in a box."""
LINE_HEIGHT, PADDING, GAP = 0.15, 0.12, 0.18
INDENT = 0.35
"""In inches, as the axes are; in a single column boxes that leave the flow are indented."""
FILL = ("white", "#f0f0f0")
"""Of the boxes that go on, and of those that leave the flow."""


@dataclass(frozen=True, kw_only=True)
class StudyFlowLayout(Layout):
    """One box per step; `frame` has `step`, `n`, `column`, `row` and `lines`, the text of the box.

    `arrows` are pairs of steps.
    """

    arrows: tuple[tuple[str, str], ...]


def lay_out_study_flow(dataset: Dataset) -> StudyFlowLayout:
    """Lay out the flow of records and studies in the form of PRISMA 2020.

    Raises
    ------
    DatasetError
        The numbers do not add up.
    """
    flow = study_flow(dataset)
    steps = flow.steps
    frame = pd.DataFrame(
        {
            "name": list(BOXES),
            "step": [label for _, _, label in BOXES.values()],
            "n": [steps[name].n for name in BOXES],
            "column": [column for column, _, _ in BOXES.values()],
            "row": [row for _, row, _ in BOXES.values()],
            "lines": [_lines(name, flow) for name in BOXES],
            "address": [" ".join(steps[name].addresses) for name in BOXES],
        }
    )
    arrows = [(whole, part) for whole, parts in PARTS.items() for part in parts]
    return StudyFlowLayout(
        id="fig-study-flow",
        title="Study flow: from records found to results in these tables",
        caption=_caption(dataset, flow),
        alt=_alt(flow),
        reading=_sentences(flow),
        frame=frame,
        methods={"n": "flow"},
        empty="" if steps["known"].n else "No study and no search is recorded.",
        arrows=(*arrows, ("kept", "known"), ("listed", "known")),
    )


def _lines(name: str, flow: StudyFlow) -> tuple[str, ...]:
    """Return the text of a box: its label, its number, and the most frequent reasons."""
    label = BOXES[name][2]
    lines = [*wrap(label, LABEL_WIDTH), f"n = {flow.steps[name].n:,}"]
    if name == "listed":
        lines.append(f"only in these tables: {flow.steps['unlisted'].n:,}")
    if name == "excluded":
        reasons = list(flow.reasons.items())
        for reason, rows in reasons[:MAX_REASONS]:
            lines += wrap(f"{len(rows):,} {reason}", REASON_WIDTH, max_lines=2, placeholder=" …")
        others = sum(len(rows) for _, rows in reasons[MAX_REASONS:])
        lines += [f"{others:,} for other reasons"] if others else []
    return tuple(lines)


def _caption(dataset: Dataset, flow: StudyFlow) -> Sentence:
    known = known_studies(dataset)
    trials = known[known["is_randomised"]]
    return Sentence(
        "fig-study-flow.caption",
        "Records of {searches} in the upper part, studies in the lower part, in the form of PRISMA "
        "2020. Within each part the numbers add up; the parts do not add up to each other, as one "
        "record, such as a review, may list many studies. Of {included}, {randomised} are "
        "randomised trials. Wanted: a review or registry names the study, and no result of it is "
        "tabulated yet.",
        {
            "searches": count(
                len(dataset.searches), "search", dataset.searches["address"], plural="searches"
            ),
            "included": _number(flow, "included", "included study"),
            "randomised": count(len(trials), "", trials["address"], "known_studies"),
        },
    )


def _number(flow: StudyFlow, name: str, noun: str) -> Number:
    step = flow.steps[name]
    return count(step.n, noun, step.addresses, "flow")


def _alt(flow: StudyFlow) -> str:
    """State the number at every step, in the order of the flow."""
    n = {name: f"{step.n:,}" for name, step in flow.steps.items()}
    return (
        f"Flow diagram: {n['records']} records found, {n['screened']} screened, {n['kept']} kept; "
        f"{n['known']} studies known, {n['excluded']} excluded, {n['included']} included; of these "
        f"{n['wanted']} wanted and {n['tabulated']} tabulated, {n['with results']} of them with "
        "evidence on a benefit or harm."
    )


def _sentences(flow: StudyFlow) -> tuple[str, ...]:
    """State each step with its number; the excluded studies with all reasons."""
    sentences = []
    for name, (_, _, label) in BOXES.items():
        reasons = [f"{len(rows):,} {reason}" for reason, rows in flow.reasons.items()]
        why = f" ({'; '.join(reasons)})" if name == "excluded" and reasons else ""
        if name == "listed":
            why = f"; only in these tables: {flow.steps['unlisted'].n:,}"
        sentences.append(f"{label}: {flow.steps[name].n:,}{why}.")
    return tuple(sentences)


@draw.register
@style.house_style()
def draw_study_flow(layout: StudyFlowLayout, width: float = style.DOUBLE_COLUMN):
    """Draw a box for each step and arrows; those that leave the flow stand beside it, or below."""
    narrow, room = style.is_narrow(width), width - 2 * style.MARGIN
    frame = layout.frame.set_index("name")
    row = pd.Series(range(len(frame)), frame.index) if narrow else frame["row"]
    heights = frame["lines"].map(len).groupby(row).max() * LINE_HEIGHT + PADDING
    bottoms = (heights + GAP).cumsum() - GAP
    total = bottoms.iloc[-1]
    figure, axes = style.new_figure(width, total + 0.2)
    box = room - INDENT if narrow else (room - INDENT) / 2
    left = frame["column"] * (INDENT if narrow else box + INDENT)
    bottom, height = row.map(bottoms), row.map(heights)
    leaving = [first for first, _ in PARTS.values()]
    colours = [FILL[name in leaving] for name in frame.index]
    axes.barh(bottom - height / 2, box, height, left, color=colours, ec=style.QUIET, lw=0.8)
    size = style.SMALL_SIZE if narrow else style.TEXT_SIZE
    for step in frame.itertuples():
        place = left[step.Index] + box / 2, bottom[step.Index] - height[step.Index] / 2
        axes.text(*place, "\n".join(step.lines), ha="center", va="center", fontsize=size)
    spine = INDENT / 2 if narrow else box / 2
    for start, end in layout.arrows:
        head = (spine, bottom[end] - height[end])
        tail = (spine, bottom[start])
        if frame.at[end, "column"]:
            middle = bottom[end] - height[end] / 2
            tail, head = (spine if narrow else box, middle), (left[end], middle)
        elif frame.at[start, "column"] and narrow:
            tail, head = (box / 2, bottom[start]), (box / 2, head[1])
        elif frame.at[start, "column"]:
            tail, head = (left[start], bottom[start] - height[start] / 2), (0.85 * box, head[1])
        # Records and studies are counted apart: one record may list many studies.
        look = "--" if start == "kept" else "-"
        arrow = {"arrowstyle": "-|>", "color": style.QUIET, "ls": look, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", head, tail, arrowprops=arrow)
    axes.set_xlim(-0.01, room + 0.01)
    axes.set_ylim(total + 0.02, -0.02)
    axes.set_axis_off()
    return figure
