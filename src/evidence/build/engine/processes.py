"""The servers of this process: started, found again, and ended.

A *server* is the process that has the libraries loaded and forks a kernel for each notebook. Only
the standard library is imported here, so that one can load while the asking process still imports
papermill; either takes seconds.
"""

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

# Every kernel warns at its start that its loopback connection is not encrypted.
QUIET_KERNEL = ("--IPKernelApp.log_level=ERROR",)
# What nbclient asks of every ipykernel: to keep what it runs out of the person's own history.
NO_HISTORY = "--HistoryManager.hist_file=:memory:"
# Kernels with other arguments need another server, and each takes memory.
AT_ONCE = 2
# As long as jupyter_client gives a kernel that was told to stop.
PATIENCE = 5.0


class Server:
    """One such process, for as long as variables, settings and code are what it started with."""

    def __init__(self, arguments: Sequence[str]):
        self.arguments = list(arguments)
        self.owner = os.getpid()
        self.runs = 0
        self.retired = self.stopped = False
        self._environment = dict(os.environ)
        self._files: dict | None = None
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            code = (
                # No module of the folder one happens to be in is to be loaded.
                "import sys; sys.path[:] = filter(None, sys.path); "
                "from evidence.build.engine.server import serve; "
                f"serve({theirs.fileno()}, {self.arguments!r})"
            )
            # A session of its own: Ctrl-C is for the asking process, which then ends the kernel.
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def current(self) -> bool:
        """Whether a kernel forked now would be what a new one is.

        One that still loads is waited for: only it knows which files it read, and when.
        """
        if self._process.poll() is not None or self._environment != os.environ:
            return False
        if self._files is None:
            with self._control.makefile("rb") as said:
                line = said.readline()
            if not line:
                return False
            self._files = json.loads(line)
        return all(stamp(path) == was for path, was in self._files.items())

    def fork(self, request: dict, sockets: Sequence[socket.socket]) -> None:
        """Ask for a kernel that has these ends of its sockets.

        From a server that has ended none comes, which the other ends of the sockets tell.
        """
        text = json.dumps(request).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            sent = socket.send_fds(self._control, [text], [end.fileno() for end in sockets])
            self._control.sendall(text[sent:])

    def end(self) -> None:
        """End the process, and its kernels with it."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            # Its kernels end by themselves when nobody listens to them any more.
            self._process.kill()
            self._process.wait()
        with self._lock:
            self._control.close()

    def disown(self) -> None:
        """Give up the copy of another process's server that a fork of that process holds."""
        self._control.close()
        self._process.returncode = 0


_servers: list[Server] = []
_choosing = threading.Lock()


def stamp(path: str) -> list[int] | None:
    """What changes when a file is written; None for one that is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - some hundred of them before every run
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]


def start(extra_arguments: Sequence[str] = QUIET_KERNEL) -> None:
    """Let a server load while this process does something else, such as importing papermill.

    Parameters
    ----------
    extra_arguments : sequence of str
        Those with which papermill will be called.
    """
    arguments = [*extra_arguments, NO_HISTORY]
    if hasattr(os, "fork") and not any(found.arguments == arguments for found in _servers):
        release(claim(arguments))


def claim(arguments: Sequence[str]) -> Server:
    """A server for kernels with these arguments; `release` it when the run has ended."""
    with _choosing:
        for found in list(_servers):
            if found.owner != os.getpid():
                _servers.remove(found)
                found.disown()
        chosen = None
        for found in _servers:
            if found.arguments == list(arguments) and not found.retired:
                # One that was stopped meanwhile is not replaced: the run is to fail.
                if found.current or found.stopped:
                    chosen = found
                else:
                    found.retired = True
        if chosen is None:
            chosen = Server(arguments)
            _servers.append(chosen)
        for surplus in [found for found in _servers if not found.retired][:-AT_ONCE]:
            surplus.retired = True
        chosen.runs += 1
        _end_retired()
    return chosen


def release(server: Server) -> None:
    """Say that a run has ended; the last one of a retired server takes it along."""
    with _choosing:
        server.runs -= 1
        _end_retired()


def _end_retired() -> None:
    for found in [found for found in _servers if found.retired and not found.runs]:
        _servers.remove(found)
        found.end()


def stop_all() -> None:
    """End all kernels of this process at once, as when a person interrupts a batch in threads.

    Every run that waits for one fails as it does when its kernel dies; a run that begins later
    gets a new one.
    """
    # Not in turn with those who choose, one of whom may be waiting for a server to load.
    ending = [found for found in list(_servers) if found.owner == os.getpid()]
    for found in ending:
        found.stopped = True
        found.end()
    with _choosing:
        _servers[:] = [found for found in _servers if found not in ending]


atexit.register(stop_all)
