"""One look for all charts: colours that survive colour-blind eyes and black-and-white print.

Every distinction is made twice, by colour and by shape or fill. Colours start from Okabe and Ito's
palette for colour-blind readers; they are darkened where text is set in them, and set apart until
`tests/test_colours.py` finds them apart for eyes that lack one kind of cone.
"""

from contextlib import contextmanager
from functools import cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
INK = "#1a1a1a"
QUIET = "#5f5f5f"
FAINT = "#d9d9d9"
BLUE = "#0072b2"
VERMILION = "#c04e00"
GREEN = "#00502a"
PURPLE = "#8d1fa0"
YELLOW = "#e69f00"
BROWN = "#703800"

MARK_OF_ARM = {"intervention": "o", "comparator": "s", "single arm": "^"}
COLOUR_OF_ARM = {"intervention": BLUE, "comparator": QUIET, "single arm": GREEN}

VERDICTS = {
    "agrees": ("●", GREEN),
    "omits detail": ("◐", BLUE),
    "overstated": ("▲", YELLOW),
    "differs": ("✖", VERMILION),
    "not checkable": ("○", QUIET),
}

CERTAINTY = {
    "high": ("^", GREEN),
    "moderate": ("D", BLUE),
    "low": ("s", BROWN),
    "very low": ("o", VERMILION),
    "": ("o", QUIET),
}
"""Mark and colour for each level of certainty; the empty one, drawn open, was not rated."""

RISK = {
    "low": ("+", GREEN, "low"),
    "some": ("–", YELLOW, "some concerns, moderate or unclear"),
    "unknown": ("?", QUIET, "no information"),
    "high": ("×", VERMILION, "high or serious"),
    "critical": ("!", PURPLE, "critical"),
    "": ("", FAINT, "not judged, or not read"),
}
"""Sign, colour and words for each level of risk of bias."""

NO_EFFECT = {"rr": 1.0, "or": 1.0, "rd": 0.0, "smd": 0.0, "md": 0.0}
"""The value of each effect measure at which the groups do not differ."""

RC = {
    "font.family": ["Evidence Sans", "DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "text.color": INK,
    "text.parse_math": False,
    "text.hinting": "none",
    "xtick.color": QUIET,
    "ytick.color": INK,
    "ytick.left": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "hatch.color": "#bdbdbd",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "evidence",
    "pdf.fonttype": 42,
}
"""`svg.hashsalt` makes the ids inside an SVG the same on every run; without it they are random.

Without hinting a text has the same size at every resolution, so that one layout fits all formats.
The first family is of this package, `docs/update_fonts.py` says why; the second has what it lacks.
"""
MARGIN = 0.1
"""Inches of white around a figure."""


@contextmanager
def house_style():
    """The settings under which every chart is drawn and written, restored afterwards."""
    import matplotlib as mpl

    _know_fonts()
    with mpl.rc_context(RC):
        yield


@cache
def _know_fonts() -> None:
    from matplotlib.font_manager import fontManager

    for path in sorted(FONTS.glob("*.ttf")):
        fontManager.addfont(path)


def new_figure(width: float, height: float, **grid):
    """A figure of `width` × `height` inches and its axes, drawn without any screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def stamp(figure, text: str):
    """Print a figure's name in small letters below everything else, at the right.

    It stands outside of what was laid out, so that it cannot run into a legend or an axis. The
    layout is settled by this, the same for every format.

    Returns
    -------
    Bbox
        What to keep of the figure, in inches: all that is drawn, and a margin.
    """
    from matplotlib.transforms import Bbox

    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    place = box.x1 / width, (box.y0 - 0.06) / height
    name = figure.text(*place, text, ha="right", va="top", fontsize=6.5, color=QUIET)
    inches = figure.dpi_scale_trans.inverted()
    return Bbox.union([box, inches.transform_bbox(name.get_window_extent())]).padded(MARGIN)
