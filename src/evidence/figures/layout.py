"""What every chart has in common: a layout that is complete before anything is drawn.

Vocabulary
----------
`alt` says in a sentence or two what a chart is and shows; `reading` reads all of it aloud, one
sentence a mark with its numbers, for those who cannot see it. A layout's `frame` holds the plotted
numbers, one row a mark, with `name` and `address` (the rows of the tables it came from). `methods`
names for a column how its numbers came about, where they are not copied. `empty` says, in words
for the reader, why there is nothing to draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch

import pandas as pd

from evidence.provenance.sentence import Sentence


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A chart as data: identity, words for those who see it and those who do not, and numbers."""

    id: str
    title: str
    caption: Sentence
    alt: str
    reading: tuple[str, ...]
    frame: pd.DataFrame = field(repr=False)
    methods: Mapping[str, str] = field(default_factory=dict)
    empty: str = ""


@singledispatch
def draw(layout: Layout):
    """The matplotlib figure of a layout, in the house style.

    Raises
    ------
    NotImplementedError
        A kind of layout that no module of `evidence.figures` draws.
    """
    raise NotImplementedError(f"{type(layout).__name__} has no way to be drawn")


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters, cut at a word and marked as cut."""
    if len(text) <= width:
        return text
    return text[: width - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
