"""The progress of a build, and the bar that shows it on the command line."""

import io
import sys
import threading
from typing import Any


class Progress:
    """Receives the progress of a build from several threads; this one ignores it."""

    def start(self, total: int, unit: str = "report") -> None:
        """Expect this many reports, or other things of one kind."""

    def begin(self, report: str) -> None:
        """Note that a report is being built."""

    def finish(self, report: str, *, failed: bool) -> None:
        """Note that a report is finished or has failed."""

    def advance(self, name: str) -> None:
        """Note that one of very many things, such as files, comes next."""

    def status(self, text: str) -> None:
        """Note what else takes time."""


class ProgressBar(Progress):
    """Shows tqdm's bar on a terminal, or prints a line per report to a log; a context manager."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._failed = 0
        self._lock = threading.Lock()
        self._is_terminal = sys.stderr.isatty()

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def start(self, total: int, unit: str = "report") -> None:
        """Show an empty bar; none if nothing is to be done."""
        if total:
            from tqdm import tqdm

            # In a log nobody sees the bar, which only counts: `finish` prints the lines.
            file = sys.stderr if self._is_terminal else io.StringIO()
            if self._bar is not None:
                self._bar.close()
            self._bar = tqdm(total=total, unit=unit, leave=False, dynamic_ncols=True, file=file)

    def begin(self, report: str) -> None:
        """Show the name of the report."""
        with self._lock:
            self._bar.set_description(report)

    def finish(self, report: str, *, failed: bool) -> None:
        """Advance the bar, and count failures or print a line."""
        with self._lock:
            self._failed += failed
            if self._failed:
                self._bar.set_postfix(failed=self._failed, refresh=False)
            self._bar.update()
            if not self._is_terminal:
                state = self._bar.format_dict
                time = self._bar.format_interval(state["elapsed"])
                end = ": failed" if failed else ""
                sys.stderr.write(f"{state['n']}/{state['total']} [{time}] {report}{end}\n")

    def advance(self, name: str) -> None:
        """Advance the bar; a log gets no line, as there would be too many."""
        self._bar.set_description(name[-40:], refresh=False)
        self._bar.update()

    def status(self, text: str) -> None:
        """Show a text in place of the name of the report."""
        if self._bar is not None:
            with self._lock:
                self._bar.set_description(text)
        elif self._is_terminal:
            # The line is written over by the bar, or by what is printed next.
            sys.stderr.write(f"{text} ...\r")
