"""Long CSV files by the fast parser of pandas, where it can be shown to read what `csv` reads.

A file is *regular* if every quote opens or closes a whole cell or is doubled inside one, and every
row has as many cells as the header. Then there is one way to read it; of any other file the csv
module says what is wrong with it, and where.
"""

import csv
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.dataset.text_table import Cells

LONG = 4_000_000
"""Bytes from which on it is worth the while."""
_BLOCK = 1 << 20
_QUOTE, _COMMA, _FEED = b'",\n'


@dataclass(frozen=True)
class _Marks:
    """Places in a file: quotes, the commas and line feeds outside of them, line feeds inside."""

    quotes: np.ndarray
    ends: np.ndarray
    breaks: np.ndarray


def read_regular(content: bytes, width: int) -> tuple[list[Cells], np.ndarray] | None:
    """The columns below the header and the lines on which the rows begin; None if not regular.

    Parameters
    ----------
    content : bytes
        A file in UTF-8 whose first row has `width` cells.
    """
    if b"\0" in content or content.count(b"\r") != content.count(b"\r\n"):
        return None
    data = np.frombuffer(content, np.uint8)[: len(content.rstrip(b"\r\n"))]
    marks = _find_marks(data)
    if not _are_whole(data, marks.quotes):
        return None
    # The last row has no line feed any more.
    ends = np.append(marks.ends, len(data))
    is_feed = np.append(data[marks.ends] == _FEED, True)
    size, rest = divmod(len(ends), width)
    regular = not rest and is_feed.sum() == size and is_feed[width - 1 :: width].all()
    if not regular or np.diff(ends, prepend=0).max() > csv.field_size_limit():
        return None
    starts = ends[width - 1 : -1 : width]
    lines = np.arange(2, size + 1) + np.searchsorted(marks.breaks, starts)
    frame = pd.read_csv(
        io.BytesIO(content),
        encoding="utf-8-sig",
        header=0,
        names=range(width),
        index_col=False,
        dtype=object,
        na_filter=False,
    )
    if len(frame) != len(lines):
        return None
    return [Cells.of(frame.pop(name).to_numpy()) for name in range(width)], lines


def _find_marks(data: np.ndarray) -> _Marks:
    """The marks of a file, looked for in blocks that stay in the processor's own memory."""
    found = []
    inside = np.uint8(0)
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        is_quote = block == _QUOTE
        within = np.bitwise_xor.accumulate(is_quote.view(np.uint8)) ^ inside
        inside = within[-1]
        is_feed = block == _FEED
        is_end = (is_feed | (block == _COMMA)) & (within == 0)
        found.append([np.flatnonzero(at) + start for at in (is_quote, is_end, is_feed & ~is_end)])
    return _Marks(*map(np.concatenate, zip(*found, strict=True)))


def _are_whole(data: np.ndarray, quotes: np.ndarray) -> bool:
    """Whether every quote stands at an end of a cell or is doubled."""
    if len(quotes) % 2:
        return False
    edges = np.zeros(256, bool)
    edges[[_COMMA, _FEED, *b"\r"]] = True
    opening, closing = quotes[::2], quotes[1::2]
    is_doubled = closing[:-1] + 1 == opening[1:]
    before = edges[data[opening - 1]] | (opening == 0)
    after = edges[data[np.minimum(closing + 1, len(data) - 1)]] | (closing == len(data) - 1)
    before[1:] |= is_doubled
    after[:-1] |= is_doubled
    return bool(before.all() and after.all())
