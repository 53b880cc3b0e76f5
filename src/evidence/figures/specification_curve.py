"""Every way to pool the same studies: the estimates in order, and below them what was chosen."""

from dataclasses import dataclass

import numpy as np

from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.pooling.specification_curve import (
    CHOICES,
    SpecificationCurve,
    describe_specifications,
)
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import Number, Sentence, confidence_level, count, join_sentences

FAVOURS = {
    "treatment": ("o", style.BLUE, "excludes no effect, in favour of the treatment"),
    "comparison": ("s", style.VERMILION, "excludes no effect, in favour of the comparison"),
    "": ("_", style.QUIET, "does not exclude no effect"),
}


@dataclass(frozen=True, kw_only=True)
class SpecificationCurveLayout(Layout):
    """`frame`: one row a specification, ordered by its estimate: `column`, `estimate`, `ci_low`,
    `ci_high`, `favours` and the choices. `lanes` gives the words of each choice, top to bottom.
    """

    measure: str
    lanes: dict[str, list[str]]


def lay_out_specification_curve(
    found: SpecificationCurve, *, confidence: float
) -> SpecificationCurveLayout:
    """All specifications with a pool, the smallest estimate at the left."""
    frame = found.pooled.sort_values(["estimate", "ci_low"], kind="stable").reset_index(drop=True)
    frame["column"] = np.arange(len(frame))
    chosen = {choice: set(frame[choice]) for choice in CHOICES}
    lanes = {
        choice: [word for word in found.frame[choice].unique() if word in chosen[choice]]
        for choice in CHOICES
    }
    described = describe_specifications(found)
    measure = found.question.measure
    ends = format_estimates(measure, frame["estimate"].min(), frame["estimate"].max())
    places = ["column", "k", "estimate", "ci_low", "ci_high", "favours", *CHOICES]
    return SpecificationCurveLayout(
        id="fig-specifications",
        title="The same question, pooled in every way",
        caption=join_sentences(
            "fig-specifications.caption",
            Sentence(
                "",
                "One column a specification, ordered by its {kind}, with the {level} interval; the "
                "dots below say what was chosen in it. Intervals are cut at the frame.",
                {
                    "kind": Number(None, MEASURE_LABELS[measure]),
                    "level": confidence_level(confidence),
                },
            ),
            described,
        ),
        alt=f"Specification chart of {len(frame)} pools, {MEASURE_LABELS[measure]} from {ends[0]} to "
        f"{ends[1]}. {described}",
        reading=tuple(_read(measure, row) for row in frame.to_dict("records")),
        frame=frame[["name", *places, "address"]],
        methods=dict.fromkeys(["k", "estimate", "ci_low", "ci_high"], "specification"),
        empty="" if len(frame) else str(described),
        measure=measure,
        lanes=lanes,
    )


def _read(measure: str, row: dict) -> str:
    chosen = ", ".join(str(row[choice]) for choice in CHOICES)
    middle, low, high = format_estimates(measure, row["estimate"], row["ci_low"], row["ci_high"])
    studies = count(row["k"], "study", "studies")
    return f"{chosen}: {middle}, from {low} to {high}, {studies}; {FAVOURS[row['favours']][2]}."


@draw.register
def draw_specification_curve(layout: SpecificationCurveLayout):
    """The curve above, the choices as dots below, both on the same columns."""
    frame = layout.frame
    lines = sum(len(words) + 1 for words in layout.lanes.values())
    with style.house_style():
        figure, (top, below) = style.new_figure(
            8.6, 3.0 + 0.17 * lines, nrows=2, sharex=True, height_ratios=[2.6, 0.17 * lines]
        )
        _draw_curve(top, layout)
        place, names, places = 0, [], []
        for choice, words in layout.lanes.items():
            names.append(choice)
            places.append(place)
            place += 1
            for word in words:
                chosen = frame[frame[choice] == word]
                for favours, (mark, colour, _) in FAVOURS.items():
                    rows = chosen[chosen["favours"] == favours]
                    # A tick, and where an interval excludes no effect the mark it has above.
                    shape, size = (mark, 3.5) if favours else ("|", 5)
                    below.plot(
                        rows["column"], [place] * len(rows), shape, ms=size, mew=1.2, color=colour
                    )
                names.append(word)
                places.append(place)
                place += 1
        below.set_yticks(places, names, fontsize=8)
        for text in below.get_yticklabels():
            text.set_weight("bold" if text.get_text() in layout.lanes else "normal")
        below.set_ylim(place - 0.4, -0.6)
        below.set_xticks([])
        below.spines[["left", "bottom"]].set_visible(False)
        below.set_xlim(-1, len(frame))
    return figure


def _draw_curve(axis, layout: SpecificationCurveLayout):
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for favours, (mark, colour, words) in FAVOURS.items():
        rows = layout.frame[layout.frame["favours"] == favours]
        if len(rows):
            axis.vlines(rows["column"], rows["ci_low"], rows["ci_high"], color=colour, lw=0.8)
            axis.plot(
                rows["column"], rows["estimate"], mark, ms=3.5, color=colour,
                label=f"{words} ({len(rows)})",
            )  # fmt: skip
    axis.axhline(style.NO_EFFECT[layout.measure], color=style.QUIET, lw=1, ls="--")
    axis.set_ylabel(MEASURE_LABELS[layout.measure])
    axis.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=2)
    axis.grid(axis="y")
    if layout.measure in ("rr", "or"):
        low, high = layout.frame["ci_low"].min(), layout.frame["ci_high"].max()
        axis.set_yscale("log")
        # A t interval of two studies may span many orders of magnitude.
        axis.set_ylim(max(low / 1.2, 0.05), min(high * 1.6, 50))
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
