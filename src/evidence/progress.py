"""What a person sees of a long run: one line that says what is done, running, failed, and left."""

import sys
import threading

from evidence.build.build import Progress


class Display(Progress):
    """A bar on the error output; nothing where reports are as they were."""

    def __init__(self):
        self._bar = None
        self._running: dict[str, None] = {}
        self._failed = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.close()

    def planned(self, jobs: int) -> None:
        """See `Progress`."""
        if not jobs:
            return
        from tqdm import tqdm

        form = "{desc} |{bar}| {n_fmt} of {total_fmt} done, {elapsed} gone, {remaining} left"
        # A file gets a line now and then, a person one that moves.
        pause = 0.1 if sys.stderr.isatty() else 30
        self._bar = tqdm(total=jobs, bar_format=form, leave=False, mininterval=pause)

    def began(self, job: str) -> None:
        """See `Progress`."""
        with self._lock:
            self._running[job] = None
            self._show()

    def ended(self, job: str, failure) -> None:
        """See `Progress`."""
        with self._lock:
            self._running.pop(job, None)
            self._failed += failure is not None
            self._bar.update()
            self._show()

    def said(self, text: str) -> None:
        """See `Progress`."""
        if self._bar is not None:
            with self._lock:
                self._bar.set_description_str(text)
        elif sys.stderr.isatty():
            sys.stderr.write(f"{text} …\n")

    def _show(self) -> None:
        running = ", ".join(self._running) if len(self._running) < 3 else str(len(self._running))
        failed = f", {self._failed} failed" if self._failed else ""
        self._bar.set_description_str(f"running {running or 'none'}{failed}")
