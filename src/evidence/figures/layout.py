"""A chart as data: everything it shows and says, complete before anything is drawn."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from html import escape
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from evidence.figures.style import DOUBLE_COLUMN, MILLIMETRE, SINGLE_COLUMN, picture_html
from evidence.provenance.sentence import Sentence, join_words

PAGE_HEIGHT = 240 * MILLIMETRE
"""The height in inches that a page of A4 has for a figure, between margins and above its stamp."""
MOST_NAMED = 24
"""Of more studies a caption names the first, and how many others there are."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A chart as data: identity, text, and the plotted numbers.

    Attributes
    ----------
    alt : str
        Alternative text: what the chart is and shows, in a sentence or two.
    reading : tuple of str
        The chart in words, one sentence per mark with its numbers.
    frame : DataFrame
        The plotted numbers, one row per mark, with `name` and `address` (its rows, file:line).
    methods : mapping
        For a column, the name of the method by which its numbers were computed.
    empty : str
        Why there is nothing to draw; otherwise empty.
    spans : mapping
        Of a page of a longer figure: the least and the largest number of each column on all pages.
    """

    id: str
    title: str
    caption: Sentence
    alt: str
    reading: tuple[str, ...]
    frame: pd.DataFrame = field(repr=False)
    methods: Mapping[str, str] = field(default_factory=dict)
    empty: str = ""
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict, repr=False)
    rows_per_page: ClassVar[int | None] = None
    """About so many rows fit on a page of A4; None if a figure has one height."""
    page_widths: ClassVar[tuple[float, ...]] = (SINGLE_COLUMN, DOUBLE_COLUMN)
    """The widths at which a part must fit on a page."""

    @property
    def row_count(self) -> int:
        """The number of rows that a page must hold."""
        return len(self.frame)

    @property
    def heading_rows(self) -> tuple[int, ...]:
        """The numbers of the rows that are headings of those below them."""
        return ()

    def rows_of_page(self, start: int, end: int) -> list[int]:
        """Return the rows of a page: from `start`, below its heading, and no heading at the end."""
        headings = self.heading_rows
        above = [number for number in headings if number < start][-1:]
        rows = [*(above if start not in headings else ()), *range(start, end)]
        return rows[:-1] if end < self.row_count and len(rows) > 1 and end - 1 in headings else rows

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Return the fields of the layout that differ if it has only some of its rows.

        Sentences that follow those of the rows belong to the last one.
        """
        numbers, size = self.rows_of_page(start, end), self.row_count
        others = self.reading[size:] if end == size else ()
        return {
            "reading": (*(self.reading[number] for number in numbers), *others),
            "frame": self.frame.iloc[numbers].reset_index(drop=True),
        }

    def ends(self, *columns: str) -> np.ndarray:
        """Return the least and the largest number of each column, for axes alike on all pages."""
        frame, spans = self.frame, self.spans
        ends = [spans.get(name) or (frame[name].min(), frame[name].max()) for name in columns]
        return np.array(ends, float).T

    def to_html(self, picture: str, caption: str, version: str = "") -> str:
        """Return a `figure` element around a picture, or a note if nothing is drawn.

        `picture` and `caption`, without the title, are HTML; `version` is that of a report's figure.
        """
        if self.empty:
            return f'<p class="empty" id="{escape(self.id)}">{escape(self.empty)}</p>'
        marks = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.reading)
        attribute = f' data-version="{version}"' if version else ""
        return (
            f'<figure id="{escape(self.id)}"{attribute}>{picture}\n'
            f"<figcaption>{caption}</figcaption>\n"
            f"<details><summary>This chart in words</summary><ul>{marks}</ul></details></figure>"
        )

    def to_text(self) -> str:
        """Return the title and what the chart shows, or why it is empty."""
        return self.empty or f"{self.title}. {self.alt}"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        picture = "" if self.empty else picture_html(draw(self), self.alt)
        caption = f"<strong>{escape(self.title)}.</strong> {escape(str(self.caption))}"
        return {"text/html": self.to_html(picture, caption), "text/plain": self.to_text()}


@singledispatch
def draw(layout: Layout, width: float = DOUBLE_COLUMN):
    """Return the matplotlib figure of a layout, in the house style.

    Parameters
    ----------
    width : float
        Width of the figure in inches. One that is narrow (`style.is_narrow`) is arranged for a
        single column of a journal, or a phone.

    Raises
    ------
    NotImplementedError
        No module of `evidence.figures` draws this kind of layout.
    """
    raise NotImplementedError(f"No function draws a {type(layout).__name__}")


def split_into_pages(layout: Layout) -> tuple[Layout, ...]:
    """Return a layout, or if it is too tall for a page, its parts, each with a number in its id."""
    most, size = layout.rows_per_page, layout.row_count
    # Half as many fit even if their texts are long, and need not be drawn to know it.
    if most is None or 2 * size <= most:
        return (layout,)
    ends = layout.frame.select_dtypes("number").agg(["min", "max"])
    spans = {name: (column["min"], column["max"]) for name, column in ends.items()}
    pages = list(_divide(replace(layout, spans=spans), 0, size, -(-size // most)))
    if len(pages) == 1:
        return (layout,)
    return tuple(
        replace(
            page,
            id=(identity := f"{layout.id}-{number}"),
            title=f"{layout.title} ({number} of {len(pages)})",
            caption=replace(layout.caption, name=f"{identity}.caption"),
        )
        for number, page in enumerate(pages, start=1)
    )


def _divide(layout: Layout, start: int, end: int, parts: int) -> Iterator[Layout]:
    """Yield parts with about as many rows each, and halves of those that are too tall for a page."""
    starts = [start + round(number * (end - start) / parts) for number in range(parts + 1)]
    for first, last in pairwise(starts):
        page = replace(layout, **layout.rows(first, last))
        heights = (draw(page, width).get_figheight() for width in layout.page_widths)
        if last - first > 1 and max(heights) > PAGE_HEIGHT:
            yield from _divide(layout, first, last, 2)
        else:
            yield page


def row_addresses(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the addresses behind some marks, each once, in order."""
    return tuple(dict.fromkeys(address for cell in frame["address"] for address in cell.split()))


def join_names(names: Iterable[str]) -> str:
    """Join names as in a sentence, of very many the first ones."""
    names = list(names)
    others = len(names) - MOST_NAMED
    return join_words([*names[:MOST_NAMED], f"{others} more"] if others > 0 else names)


def centred_offsets(frame: pd.DataFrame, columns: list) -> pd.Series:
    """Return offsets in steps of 1 that set apart marks with the same values in `columns`."""
    groups = frame.groupby(columns)
    sizes = groups[frame.columns[0]].transform("size")
    return groups.cumcount() - (sizes - 1) / 2


def ci_label(confidence: float) -> str:
    """Return the name of a confidence interval with its level, for example 95% CI."""
    return f"{100 * confidence:g}% CI"
