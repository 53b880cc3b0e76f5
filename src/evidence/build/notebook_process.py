"""The process of one notebook: IPython runs the cells and every output is sent as a Jupyter message.

It is forked by the standard library's fork server from a process that has the libraries loaded.
IPython profiles, startup files and kernel arguments are ignored, because a report must not depend
on a person's settings.
"""

import base64
import builtins
import contextlib
import getpass
import io
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError, UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

Send = Callable[..., None]
"""Takes the type of a Jupyter message, its content and, for widgets, its buffers."""

INLINE_BACKEND = "module://matplotlib_inline.backend_inline"
PRELOAD_VARIABLE = "EVIDENCE_PRELOAD"
"""Holds the arguments of `evidence.build.preload.load_tables` while the fork server starts."""
# A history on disk would start a thread in each process and mix reports with a person's own history.
SETTINGS = {"HistoryManager": {"enabled": False}}


def fork_context() -> ForkServerContext:
    """Return the context whose processes are forked with the libraries loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["evidence.build.preload"])
    return context


def start_fork_server(project: Path, *, precompute: bool) -> None:
    """Start loading libraries and the tables of a project, while this process does something else.

    With `precompute`, also what many notebooks need of the tables is computed once for all.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return
    fork_context()
    options = json.dumps({"project": str(project), "precompute": precompute})
    # Without a safe path, Python imports modules of the working folder before its own.
    variables = {PRELOAD_VARIABLE: options, "PYTHONSAFEPATH": "1"}
    added = {name: text for name, text in variables.items() if not os.environ.get(name)}
    os.environ.update(added)
    # A program starts with the signals ignored that its parent ignores. Those that a terminal sends to
    # all processes are for this one alone: they would end the server in a traceback or warning.
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGHUP) if is_main else ()
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        forkserver.ensure_running()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for name in added:
            del os.environ[name]


def run_cells(
    connection: Connection,
    folder: str,
    environment: Mapping[str, str],
    memory_limit: int | None = None,
) -> None:
    """Run each cell that arrives on the connection, until it closes.

    The connection brings the source of one cell at a time and takes Jupyter messages, of which the
    last one of each cell is an `execute_reply`. The notebook has `folder` as its working directory
    and the variables of `environment`; the fork server has those of its start. `memory_limit` is in
    MiB, on top of the loaded libraries.
    """
    os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(folder)
    sys.path.insert(0, "")
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    _seed_random_numbers()
    if memory_limit is not None:
        _limit_memory(memory_limit)
    send = _sender(connection)
    shell = _start_shell(send)
    descriptors = [_DescriptorRecorder(1, "stdout", send), _DescriptorRecorder(2, "stderr", send)]
    with contextlib.suppress(EOFError):
        while True:
            source = connection.recv()
            send("execute_input", {"execution_count": shell.execution_count})
            result = shell.run_cell(source, store_history=True)
            for descriptor in descriptors:
                descriptor.send_written()
            send("execute_reply", {"status": "ok" if result.success else "error"})


class _ResultRecorder(DisplayHook):
    """Sends the value of the last expression of a cell."""

    def write_output_prompt(self):
        """Write nothing: the execution count goes with the value."""

    def write_format_data(self, format_dict, md_dict=None):
        """Send the value in all its formats."""
        self.shell.send(
            "execute_result",
            {
                "data": _as_json(format_dict),
                "metadata": md_dict or {},
                "execution_count": self.prompt_count,
            },
        )

    def finish_displayhook(self):
        """End without the empty line that a terminal gets."""


class _DisplayRecorder(DisplayPublisher):
    """Sends what `display` shows."""

    def publish(
        self, data, metadata=None, source=None, *, transient=None, update=False, **_
    ) -> None:
        """Send one object in all its formats, or a new version of one shown earlier."""
        content = {"data": _as_json(data), "metadata": metadata or {}, "transient": transient or {}}
        self.shell.send("update_display_data" if update else "display_data", content)

    def clear_output(self, wait=False):
        """Take back what this cell has shown."""
        self.shell.send("clear_output", {"wait": wait})


class _NotebookShell(InteractiveShell):
    """IPython without a terminal."""

    display_pub_class = Type(_DisplayRecorder)
    displayhook_class = Type(_ResultRecorder)
    send: Send

    def enable_gui(self, gui=None):
        """Do nothing: no window is opened, so no event loop has to run."""

    def ask_exit(self):
        """End the notebook as `sys.exit()` does."""
        raise SystemExit

    def showtraceback(
        self,
        exc_tuple=None,
        filename=None,
        tb_offset=None,
        exception_only=False,
        running_compiled_code=False,
    ):
        """Send an exception with its traceback."""
        kind, error, frames = exc_tuple or sys.exc_info()
        if issubclass(kind, UsageError):
            self.show_usage_error(error)
            return
        if issubclass(kind, SyntaxError):
            calls = traceback.extract_tb(frames) if running_compiled_code else []
            lines = self.SyntaxTB.structured_traceback(kind, error, calls)
        elif exception_only:
            lines = ["An exception has occurred, use %tb to see the full traceback.\n"]
            lines += self.InteractiveTB.get_exception_only(kind, error)
        else:
            lines = self.InteractiveTB.structured_traceback(kind, error, frames, tb_offset)
        self.send("error", {"ename": kind.__name__, "evalue": str(error), "traceback": lines})

    def showsyntaxerror(self, filename=None, running_compiled_code=False):
        """Send a syntax error."""
        self.showtraceback(running_compiled_code=running_compiled_code)


class _StreamRecorder(io.TextIOBase):
    """Sends what is printed."""

    encoding = "utf-8"

    def __init__(self, name: str, send: Send):
        self._name, self._send = name, send

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._send("stream", {"name": self._name, "text": text})
        return len(text)


class _DescriptorRecorder:
    """Sends what other programs and C code wrote past Python's streams, when the cell has ended."""

    def __init__(self, descriptor: int, name: str, send: Send):
        self._name, self._send, self._position = name, send, 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the process runs
        os.dup2(self._file.fileno(), descriptor)

    def send_written(self) -> None:
        """Send what was written since the last call."""
        size = os.fstat(self._file.fileno()).st_size
        if written := os.pread(self._file.fileno(), size - self._position, self._position):
            self._position += len(written)
            text = written.decode("utf-8", "replace")
            self._send("stream", {"name": self._name, "text": text})


def _sender(connection: Connection) -> Send:
    """Return a function that sends one message from any thread of this process."""
    lock, process = threading.Lock(), os.getpid()

    def send(kind: str, content: dict, buffers=()) -> None:
        # A process that the notebook forks has a copy of the connection, which it must not use.
        if os.getpid() == process:
            with lock:
                connection.send((kind, content, [bytes(buffer) for buffer in buffers]))

    return send


def _start_shell(send: Send) -> _NotebookShell:
    """Make this process one that runs cells: shell, streams, widgets and matplotlib's backend."""
    _NotebookShell.send = staticmethod(send)
    shell = _NotebookShell.instance(config=Config(SETTINGS))
    sys.stdout, sys.stderr = _StreamRecorder("stdout", send), _StreamRecorder("stderr", send)
    builtins.input = getpass.getpass = _refuse_input
    _record_widgets(send)
    backend = os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)
    if matplotlib := sys.modules.get("matplotlib"):
        # It read the variable when it was loaded, before this process was forked.
        matplotlib.rcParams["backend"] = backend
    return shell


def _record_widgets(send: Send) -> None:
    import comm
    from comm.base_comm import BaseComm

    class RecordedComm(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            content = {"data": data or {}, "comm_id": self.comm_id, **keys}
            send(msg_type, content, buffers or ())

    comm.create_comm = RecordedComm


def _refuse_input(prompt="", *_, **__):
    raise StdinNotImplementedError(
        f"input({prompt!r}): nobody can answer while a report is built; use a notebook parameter"
    )


def _as_json(data: Mapping) -> dict:
    """Return the formats of an object with pictures in base64."""
    return {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in data.items()
    }


def _seed_random_numbers() -> None:
    """Let forked processes draw different numbers, as separate ones do."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _limit_memory(mebibytes: int) -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with_parent() -> None:
    """End this process and those that it started when the one that asked for it is gone."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
