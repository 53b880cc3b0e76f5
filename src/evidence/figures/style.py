"""One look for all charts: colours that survive colour-blind eyes and black-and-white print.

Every distinction is made twice, by colour and by shape or fill. Colours start from Okabe and Ito's
palette for colour-blind readers; they are darkened where text is set in them, and set apart until
`tests/test_colours.py` finds them apart for eyes that lack one kind of cone.
"""

import base64
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

FONTS = Path(__file__).parent / "fonts"
MILLIMETRE = 1 / 25.4
DOUBLE_COLUMN, SINGLE_COLUMN = 180 * MILLIMETRE, 85 * MILLIMETRE
"""The widths in inches in which every figure is drawn: both columns of a journal's page, or one."""
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 9, 8, 7
"""The sizes of all text, in points of a figure that is printed at its width."""
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
"""Mark and colour of each level of certainty; without a rating the mark is drawn open."""

RISK = {
    "low": ("+", GREEN, "low"),
    "some": ("–", YELLOW, "some concerns, moderate or unclear"),
    "unknown": ("?", QUIET, "no information"),
    "high": ("×", VERMILION, "high or serious"),
    "critical": ("!", PURPLE, "critical"),
    "": ("", FAINT, "not judged, or not read"),
}
"""Sign, colour and description of each level of risk of bias."""

STATES = {
    "second-hand": ("”", "#d09af0", "second-hand: read only in other texts"),
    "not reported": ("–", "#4f87b3", "not reported: read, and it is not there"),
    "not read": ("?", "#fce0a0", "not read: known studies may have measured it"),
    "not found": ("0", "#c4c4c4", "not found: a search found no study"),
    "not searched": ("·", "#ffffff", "not searched"),
    "outside": ("›", "#8f8f8f", "results only in studies outside this selection"),
}
"""Sign, colour and description of each state in which a result is not reported."""

GUIDE_MARK = {"marker": "D", "ls": "", "mew": 1.5, "mec": VERMILION, "label": "what the guide says"}

RC: dict[Any, Any] = {
    "font.family": ["Evidence Sans", "DejaVu Sans"],
    "font.size": TEXT_SIZE,
    "axes.titlesize": TITLE_SIZE,
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
    "legend.fontsize": SMALL_SIZE,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "evidence",
    "pdf.fonttype": 42,
}
"""`svg.hashsalt` makes the ids inside an SVG the same in every run; without it they are random.

Without hinting a text has the same size at every resolution, so that one layout fits all formats.
The first family belongs to this package (see `docs/update_fonts.py`); the second has all other
characters.
"""
MARGIN = 0.05
"""White space around a figure, in inches, which is part of its width."""
RATIO_TICKS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the settings under which every chart is drawn and saved, and restore them afterwards."""
    from matplotlib import style

    _register_fonts()
    # A `matplotlibrc` of a person or in the working folder changes no figure, and starts no TeX.
    with style.context(["default", RC]):
        yield


@cache
def _register_fonts() -> None:
    from matplotlib.font_manager import fontManager

    for path in sorted(FONTS.glob("*.ttf")):
        fontManager.addfont(path)


def use_fonts_for(figure) -> str:
    """Set a figure in matplotlib's own and installed fonts if the package's lacks a character.

    No figure has texts in both: matplotlib writes fonts into a PDF in the order of their folders,
    so that the file would depend on where the package is installed. Returns the characters that no
    installed font has; they are drawn as boxes.
    """
    import matplotlib as mpl
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    own, matplotlibs = RC["font.family"]
    characters = {character for text in texts for character in text.get_text()}
    lacking = frozenset(filter(str.isprintable, characters - _characters_of(own)))
    if not lacking:
        return ""
    names, missing = _other_fonts(lacking - _characters_of(matplotlibs))
    families = [matplotlibs, *names]
    # Texts that the layout will add, such as labels of ticks, take it from the settings.
    mpl.rcParams["font.family"] = families
    for text in texts:
        text.set_fontfamily(families)
    return missing


@cache
def _characters_of(family: str) -> set[str]:
    from matplotlib.font_manager import findfont

    return _characters(findfont(family))


@cache
def _other_fonts(characters: frozenset[str]) -> tuple[list[str], str]:
    """Return names of installed fonts that together have these characters, and those none has."""
    from matplotlib.font_manager import findSystemFonts, fontManager
    from matplotlib.ft2font import FT2Font

    names, missing = [], characters
    # Not the list of matplotlib, which does not know a font installed since it was written.
    for path in sorted(findSystemFonts(), key=_font_preference):
        if found := missing & _characters(path):
            fontManager.addfont(path)
            names.append(FT2Font(path).family_name)
            missing -= found
    return names, "".join(sorted(missing))


def _font_preference(path: str) -> tuple:
    """Sort fonts: Noto, which has most scripts and one look, then regular faces."""
    name = Path(path).stem
    return not name.startswith("NotoSans"), "Regular" not in name, name


def _characters(path: str) -> set[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return set(map(chr, FT2Font(path).get_charmap()))
    except RuntimeError:
        # A font that cannot be read is no help.
        return set()


@cache
def _figure_class() -> type:
    """Return the class of all figures: matplotlib takes long to import, so only to draw one."""
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """A figure that a notebook shows, although pyplot, which would see to it, is not used."""

        def _repr_html_(self) -> str:
            return picture_html(self)

    return NotebookFigure


def empty_figure(width: float, height: float, **options):
    """Return a figure of a size in inches without axes; `options` are those of matplotlib."""
    return _figure_class()(figsize=(width, height), **options)


def picture_html(figure, alt: str = "A figure") -> str:
    """Return a figure as an `img` element that needs no other file; `alt` describes it."""
    buffer = io.BytesIO()
    with house_style():
        use_fonts_for(figure)
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    picture = base64.b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/svg+xml;base64,{picture}" alt="{escape(alt)}">'


def new_figure(width: float, height: float, **grid):
    """Return a figure of a size in inches, and its axes; `grid` are options of `subplots`."""
    figure = empty_figure(width, height, layout="constrained")
    across, down = MARGIN / width, MARGIN / height
    figure.get_layout_engine().set(rect=(across, down, 1 - 2 * across, 1 - 2 * down))
    return figure, figure.subplots(**grid)


def is_narrow(width: float) -> bool:
    """Say whether a figure of this width arranges itself for a single column."""
    return width < 120 * MILLIMETRE


def text_width(figure, *texts: str, **look) -> float:
    """Return the width of the longest of some texts in inches."""
    import matplotlib as mpl

    look = {"family": tuple(mpl.rcParams["font.family"])} | look
    return _text_width("\n".join(texts), figure.dpi, **look)


@lru_cache(10_000)
def _text_width(text: str, dpi: float, **look) -> float:
    """Measure a text once: a figure is arranged again for each of its pages and files."""
    return empty_figure(1, 1, dpi=dpi).text(0, 0, text, **look).get_window_extent().width / dpi


def wrap_text(figure, text: str, width: float, max_lines: int | None = None, **look) -> str:
    """Break a text into lines of at most `width` inches, where words allow it.

    What exceeds `max_lines` is cut and marked; a year at the end stays.
    """
    # A sign and its number stay together.
    words = re.sub(r" ([=<]) ", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text).split(" ")
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".lstrip(" ")
        if lines[-1] and text_width(figure, longer, **look) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if max_lines is None or len(lines) <= max_lines:
        return "\n".join(lines)
    year = re.search(r" \d{4}\w?$", text)
    end = f"…{year[0]}" if year else "…"
    last = " ".join(lines[max_lines - 1 :]).removesuffix(year[0] if year else "")
    while text_width(figure, last + end, **look) > width and " " in last:
        last = last.rpartition(" ")[0]
    return "\n".join([*lines[: max_lines - 1], last.rstrip(" ,;:") + end])


LINE = 0.13
"""Height of a line of text in inches."""


class TextColumn:
    """Texts below each other, wrapped to a width, beside which marks are drawn.

    `height` is that of all texts so far, in inches.
    """

    def __init__(self, figure, width: float):
        self._figure, self._width = figure, width
        self._texts: list[tuple[float, str, dict]] = []
        self.height = 0.0

    def add(self, text: str, **look) -> float:
        """Add a text and return how far its middle is below the top."""
        wrapped = wrap_text(self._figure, text, self._width, **look)
        height = LINE * (wrapped.count("\n") + 1)
        middle = self.height + height / 2
        self._texts.append((middle, wrapped, look))
        self.height += height
        return middle

    def draw(self, write) -> None:
        """Write all texts with the function that `add_panel` returns."""
        for y, text, look in self._texts:
            write(0, y, text, **look)


def key(marker: str, colour: str, label: str, is_filled: bool = True, **look) -> dict:
    """Describe a mark for a legend, filled with its colour or with white."""
    fill = colour if is_filled else "white"
    return {"marker": marker, "ls": "", "ms": 7, "mec": colour, "mfc": fill, "label": label} | look


def legend(
    figure, marks: Iterable[Mapping[str, Any]], *, ncols: int = 3, loc: str = "left", **options
):
    """Add a legend below a figure; marks are options of `Line2D`, or of `Patch` if hatched.

    A mark may have a `sign` in the colour `sign_colour`, which is drawn on it. The legend has as
    many columns as fit into the width of the figure, at most `ncols`. Returns its height in inches.
    """
    room = figure.get_figwidth() - 2 * MARGIN
    marks = list(marks)
    labels = [wrap_text(figure, mark["label"], room - 0.5, fontsize=SMALL_SIZE) for mark in marks]
    handles = [_legend_handle(dict(mark)) for mark in marks]
    place = "outside lower" if figure.get_layout_engine() else "lower"
    options = {"borderaxespad": MARGIN * 72 / SMALL_SIZE, "columnspacing": 1.2} | options
    for columns in range(ncols, 0, -1):
        drawn = figure.legend(handles, labels, loc=f"{place} {loc}", ncols=columns, **options)
        box = drawn.get_window_extent()
        if columns == 1 or box.width <= room * figure.dpi:
            return box.height / figure.dpi
        drawn.remove()
    return 0.0


def _legend_handle(mark: dict[str, Any]) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    sign, colour = mark.pop("sign", ""), mark.pop("sign_colour", INK)
    if "hatch" in mark:
        return Patch(**mark)
    line = Line2D([], [], **mark)
    if not sign:
        return line
    return line, Line2D([], [], ls="", mec="none", mfc=colour, **_sign_marker(sign))


def _sign_marker(sign: str) -> dict[str, Any]:
    """Return a character as a marker of the size of small text, centred."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    path = TextPath((0, 0), sign, size=SMALL_SIZE, prop=FontProperties(weight="bold"))
    box = path.get_extents()
    centred = path.transformed(Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2))
    # A marker is scaled so that its farthest point is half its size away.
    return {"marker": centred, "ms": 2 * np.abs(centred.vertices).max()}


def add_panel(figure, edges: tuple[float, float], bottom: float, height: float):
    """Add axes to a figure of its final size; all lengths are in inches, down from their top.

    `edges` are the left and right end, from the left margin. Returns the axes and a function that
    writes a text at so many inches from the left margin and from the top of the axes.
    """
    from matplotlib.transforms import Affine2D, blended_transform_factory

    width, whole = figure.get_size_inches()
    left, right = edges
    axes = figure.add_axes(
        ((MARGIN + left) / width, bottom / whole, (right - left) / width, height / whole)
    )
    axes.set_ylim(height, 0)
    across = Affine2D().translate(MARGIN, 0).scale(1 / width, 1) + figure.transFigure
    page = blended_transform_factory(across, axes.transData)
    return axes, partial(axes.text, transform=page, va="center")


def annotate(axes, text: str, point: tuple, offset: tuple[float, float], **look) -> None:
    """Write a text at an offset in points from a point of the axes."""
    axes.annotate(text, point, offset, textcoords="offset points", **look)


def label_rows(axes, names: Iterable[str], margin: float = 0.5, **look) -> None:
    """Name rows from top to bottom, with `margin` of a row below the last one."""
    names = list(names)
    axes.set_ylim(len(names) - margin, margin - 1)
    axes.set_yticks(range(len(names)), names, **look)


def format_percent_axis(axes, steps: int = 4) -> None:
    """Show proportions from 0% to 100% on the horizontal axis."""
    axes.set_xlim(0, 1)
    ticks = [step / steps for step in range(steps + 1)]
    axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])


def favours_label(
    name: str,
    better: int,
    arms: tuple[str, str] = ("treatment", "comparator"),
    separator: str = " · ",
) -> str:
    """Return the label of an effect axis: its name, and below it whom each side favours.

    `better` is 1 if values above no effect favour the first of the arms, -1 if those below do, and 0 if
    that is not known.
    """
    if not better:
        return name
    above, below = arms[::better]
    return f"{name}\n← favours {below}{separator}favours {above} →"


def format_ratio_axis(axis, low: float, high: float, max_ticks: int = len(RATIO_TICKS)) -> None:
    """Show ratios from `low` to `high` on a log scale, on an `XAxis` or `YAxis`.

    Its ticks are `ratio_ticks`.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    set_scale, set_limits = {
        "x": (axis.axes.set_xscale, axis.axes.set_xlim),
        "y": (axis.axes.set_yscale, axis.axes.set_ylim),
    }[axis.axis_name]
    set_scale("log")
    set_limits(low, high)
    axis.set_major_locator(FixedLocator(ratio_ticks(low, high, max_ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))


def ratio_ticks(low: float, high: float, max_ticks: int) -> list[float]:
    """Return the ratios from `low` to `high` that are labelled; of too many, some and always 1."""
    ticks = [tick for tick in RATIO_TICKS if low <= tick <= high]
    step = -(-len(ticks) // max_ticks) or 1
    first = ticks.index(1) % step if 1 in ticks else 0
    return ticks[first::step]


def stamp(figure, text: str):
    """Print a figure's id and version in small letters below everything else, at the right.

    The text stands outside of what was laid out, so that it cannot run into a legend or an axis.
    The layout is fixed by this, so that it is the same for every format. Returns the part of the
    figure to save (`Bbox`, in inches): exactly its width, and as high as all that is drawn, with a
    margin.
    """
    from matplotlib.transforms import Bbox

    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)
    for legend in figure.legends:
        # It would move to the edge of the part that is saved, where the stamp stands.
        legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    for axes in figure.axes:
        # The last digits of the solver differ from run to run, and with them the ids of an SVG.
        axes.set_position([round(part, 6) for part in axes.get_position().bounds])
    for drawn in figure.legends:
        # Otherwise it would move with the edge of the picture, which is cut out below.
        drawn.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    corner = 1 - MARGIN / width, (box.y0 - MARGIN) / height
    name = figure.text(*corner, text, ha="right", va="top", fontsize=SMALL_SIZE, color=QUIET)
    bottom = name.get_window_extent().y0 / figure.dpi
    return Bbox.from_extents(0, bottom - MARGIN, width, box.y1 + MARGIN)
