"""Tables for the terminal: as wide as it is, and plain text of 80 columns where output is piped."""

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 80
MAX_WIDTH = 120
"""Longer lines are hard to read, however wide the terminal is."""
Part = str | Table


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[str] = ()
) -> Table:
    """Return a table whose texts are wrapped to its width.

    An empty header is left out. The columns in `numbers` stand at the right and are never wrapped.
    """
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(header), header_style="bold"
    )
    right, rows = set(numbers), list(rows)
    # Cells of several lines need a blank line between rows to be told apart.
    table.leading = int(any("\n" in cell for row in rows for cell in row))
    for name in header:
        is_number = name in right
        table.add_column(
            Text(name), justify="right" if is_number else "left", no_wrap=is_number, overflow="fold"
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def render_parts(parts: Iterable[Part]) -> str:
    """Return texts and tables as plain text of at most 80 columns, lines without end spaces."""
    buffer = io.StringIO()
    _print(Console(file=buffer, width=PLAIN_WIDTH, color_system=None), parts)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def print_to_terminal(parts: Iterable[Part]) -> bool:
    """Print texts and tables with bold headings; tell if the output is a terminal at all."""
    console = Console()
    if console.is_terminal:
        console.width = min(console.width, MAX_WIDTH)
        _print(console, parts)
    return console.is_terminal


def _print(console: Console, parts: Iterable[Part]) -> None:
    for part in parts:
        # Text is printed as it stands, also if it looks like markup of rich.
        console.print(part, markup=False, emoji=False, highlight=False)
