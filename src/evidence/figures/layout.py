"""A chart as data: everything it shows and says, complete before anything is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from html import escape
from itertools import pairwise
from typing import Any, ClassVar

import pandas as pd

from evidence.figures.style import DOUBLE_COLUMN, picture_html
from evidence.provenance.sentence import Sentence


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
    """

    id: str
    title: str
    caption: Sentence
    alt: str
    reading: tuple[str, ...]
    frame: pd.DataFrame = field(repr=False)
    methods: Mapping[str, str] = field(default_factory=dict)
    empty: str = ""
    rows_per_page: ClassVar[int | None] = None
    """So many rows fit on a page of A4 at either width."""

    @property
    def row_count(self) -> int:
        """The number of rows that a page must hold."""
        return len(self.frame)

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Return the fields of the layout that differ if it has only some of its rows.

        Sentences that follow those of the rows belong to the last one.
        """
        is_last = end == self.row_count
        return {
            "reading": self.reading[start : None if is_last else end],
            "frame": self.frame.iloc[start:end].reset_index(drop=True),
        }

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
    """Return a layout, or if it is too long for a page, its parts, each with a number in its id."""
    most, size = layout.rows_per_page, layout.row_count
    if most is None or size <= most:
        return (layout,)
    parts = -(-size // most)
    # All of about the same length.
    starts = [round(number * size / parts) for number in range(parts + 1)]
    pages = []
    for number, (start, end) in enumerate(pairwise(starts), start=1):
        identity = f"{layout.id}-{number}"
        pages.append(
            replace(
                layout,
                id=identity,
                title=f"{layout.title} ({number} of {parts})",
                caption=replace(layout.caption, name=f"{identity}.caption"),
                **layout.rows(start, end),
            )
        )
    return tuple(pages)


def row_addresses(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the addresses behind some marks, each once, in order."""
    return tuple(dict.fromkeys(address for cell in frame["address"] for address in cell.split()))


def centred_offsets(frame: pd.DataFrame, columns: list) -> pd.Series:
    """Return offsets in steps of 1 that set apart marks with the same values in `columns`."""
    groups = frame.groupby(columns)
    sizes = groups[frame.columns[0]].transform("size")
    return groups.cumcount() - (sizes - 1) / 2


def ci_label(confidence: float) -> str:
    """Return the name of a confidence interval with its level, for example 95% CI."""
    return f"{100 * confidence:g}% CI"
