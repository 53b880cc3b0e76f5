"""Marks, curve and axis of a chart of effects with a fitted curve."""

import numpy as np
import pandas as pd

from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.pooling.study_effects import RATIOS
from evidence.figures import style

MOST_NAMES = 12
"""Of more marks none is named: numbers would hide them."""


def bubble_sizes(weights: pd.Series) -> np.ndarray:
    """Return areas of marks by weight, in square points; a weight that is not known is small."""
    return np.maximum(25, 420 * weights.fillna(0.25))


def draw_curve(axes, curve: pd.DataFrame, x: str, colour: str) -> None:
    """Draw a curve over the column `x` with its band, dashed where it is extrapolated."""
    inside = curve[~curve["is_extrapolated"].astype(bool)]
    if curve.empty:
        return
    # Neighbouring stretches share the point between them.
    below = curve[curve[x] <= inside[x].min()]
    above = curve[curve[x] >= inside[x].max()]
    for part, dashes, alpha in (
        (below, (0, (3, 2)), 0.1),
        (inside, "-", 0.22),
        (above, (0, (3, 2)), 0.1),
    ):
        axes.plot(part[x], part["estimate"], color=colour, lw=2, ls=dashes)
        axes.fill_between(part[x], part["ci_low"], part["ci_high"], color=colour, alpha=alpha, lw=0)


def number_marks(axes, x: pd.Series, frame: pd.DataFrame) -> str:
    """Write a number above each mark, and return the names behind the numbers."""
    top = "ci_low" if axes.yaxis_inverted() else "ci_high"
    heights = frame[top].clip(*sorted(axes.get_ylim()))
    # The curve can run behind a number.
    behind = {"fc": "white", "ec": "none", "pad": 0.5}
    look = {"ha": "center", "va": "bottom", "fontsize": style.SMALL_SIZE, "bbox": behind}
    for number, place in enumerate(zip(x, heights, strict=True), start=1):
        style.annotate(axes, str(number), place, (0, 2), **look)
    labels = [label.replace(" ", "\N{NO-BREAK SPACE}") for label in frame["label"]]
    entries = [f"{number}\N{NO-BREAK SPACE}{name}" for number, name in enumerate(labels, start=1)]
    return "\N{NO-BREAK SPACE}· ".join(entries)


def legend_with_names(figure, marks: list[dict], names: str, width: float) -> None:
    """Draw the key of the marks below the names behind their numbers."""
    style.legend(
        figure,
        marks,
        loc="left",
        ncols=1,
        title=style.wrap_text(figure, names, width - 0.2, fontsize=style.SMALL_SIZE),
        alignment="left",
        title_fontsize=style.SMALL_SIZE,
    )


def format_effect_axis(axes, measure: str, marks: pd.DataFrame, curve: pd.DataFrame) -> None:
    """Fit the axis to the marks and the curve between them; a wide extrapolation may leave it."""
    inside = curve[~curve["is_extrapolated"].astype(bool)]
    low = min([*marks["ci_low"], *inside["ci_low"], *curve["estimate"]])
    high = max([*marks["ci_high"], *inside["ci_high"], *curve["estimate"]])
    if measure in RATIOS:
        low, high = max(low, 0.01), min(high, 100.0)
        style.format_ratio_axis(axes.yaxis, min(0.5, low / 1.2), max(2.0, high * 1.3))
    else:
        low, high = min(low, 0.0), max(high, 0.0)
        axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    axes.grid(axis="y")


def effect_label(measure: str, outcome: str, better: int) -> str:
    """Name the axis, with the side of no effect that favours the treatment below it."""
    return style.favours_label(f"{MEASURE_LABELS[measure]} of {outcome}", better)
