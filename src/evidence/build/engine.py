"""A papermill engine that forks one process per notebook from a process with the libraries loaded.

`papermill --engine evidence` and `evidence report` run notebooks with it. nbclient collects the
outputs and papermill records the state of the cells, as with papermill's own engine; only the kernel,
its sockets and the waiting for them are left out. See `evidence.build.notebook_process`.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType

from nbclient.exceptions import CellExecutionError, CellTimeoutError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

SHUTDOWN_SECONDS = 5
LANGUAGE = {
    "name": "python",
    "version": sys.version.split()[0],
    "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
    "file_extension": ".py",
}
"""As a Python kernel describes its language."""

_processes: set = set()
_starting = threading.Lock()


class ForkEngine(NBClientEngine):
    """Run the cells of a notebook in a process forked with the libraries loaded."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, memory_limit=None, **options):
        """Run the cells.

        Raise `ReportError` if a memory limit is given where none can be set.

        Parameters
        ----------
        memory_limit : int, optional
            MiB that the notebook may take on top of the loaded libraries. Beyond that, a cell fails
            with a MemoryError. Linux only.
        **options
            Those of papermill's own engine, which runs where `can_fork` is false.
        """
        if memory_limit is not None and not can_limit_memory(kernel_name):
            from evidence.errors import ReportError

            raise ReportError(
                f"memory limit of {memory_limit} MiB: can only be set on Linux, for the kernel "
                "python3, and not on a dask worker with a nanny; leave out --memory"
            )
        if not can_fork(kernel_name):
            return super().execute_managed_notebook(nb_man, kernel_name, **options)
        return _ForkClient(nb_man, memory_limit, options).execute()


def can_fork(kernel_name: str) -> bool:
    """Return whether a forked process can run a notebook for this kernel here.

    Processes that are daemons, as dask's nannies start them, may not have children.
    """
    can_start = not multiprocessing.current_process().daemon
    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    return kernel_name == "python3" and has_server and can_start


def can_limit_memory(kernel_name: str) -> bool:
    """Return whether the memory of a notebook can be limited here."""
    return sys.platform == "linux" and can_fork(kernel_name)


def stop_all() -> None:
    """Kill the processes of all notebooks that are running; each of them fails."""
    for process in list(_processes):
        _kill(process)


class _ForkClient(PapermillNotebookClient):
    """Sends cells to a forked process and collects their outputs."""

    def __init__(self, nb_man, memory_limit, options):
        names = ("log_output", "stdout_file", "stderr_file")
        super().__init__(nb_man, **{name: options[name] for name in names if name in options})
        self.record_timing, self.timeout = False, options.get("execution_timeout")
        folder = options.get("resources", {}).get("metadata", {}).get("path", "")
        self._arguments = (str(Path(folder).absolute()), dict(os.environ), memory_limit)

    def execute(self):
        """Run all cells; a failing cell ends the notebook, and papermill reads the error from it."""
        self.reset_execution_trackers()
        with _fork(self._arguments) as (self._process, self._connection):
            self.papermill_execute_cells()
        self.nb.metadata["language_info"] = LANGUAGE
        self.set_widgets_metadata()
        return self.nb

    def execute_cell(self, cell, cell_index):
        """Run one cell.

        Raise `CellExecutionError` if the cell fails and its tags do not allow it to, and
        `CellTimeoutError`.
        """
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code" or not cell.source.strip() or self.skip_cells_with_tag in tags:
            return
        self.clear_before_next_output, error = False, {}
        for message in self._messages(cell):
            if message["msg_type"] == "execute_reply":
                failed = message["content"]["status"] == "error"
                break
            if message["msg_type"] == "error":
                error = message["content"]
            self.process_message(message, cell, cell_index)
            _join_streams(cell.outputs)
        if failed and "raises-exception" not in tags:
            raise CellExecutionError.from_cell_and_msg(cell, error)

    def _messages(self, cell) -> Iterator[dict]:
        """Yield what the process sends of a cell; its death is an error and the end of the cell."""
        deadline = self.timeout and time.monotonic() + self.timeout
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(cell.source)
        while True:
            remaining = deadline and max(0, deadline - time.monotonic())
            ready = wait([self._connection, self._process.sentinel], remaining)
            if not ready:
                message = "Cell execution timed out"
                raise CellTimeoutError.error_from_timeout_and_cell(message, self.timeout, cell)
            if self._connection not in ready:
                # It died, and a program that it started may keep the connection open.
                break
            try:
                yield _message(*self._connection.recv())
            except (EOFError, ConnectionResetError):
                break
        self._process.join(SHUTDOWN_SECONDS)
        reason = f"the process of this notebook died in this cell: {_cause(self._process.exitcode)}"
        content = {"ename": "DeadKernelError", "evalue": reason}
        yield _message("error", content | {"traceback": [f"DeadKernelError: {reason}"]})
        yield _message("execute_reply", {"status": "error"})


@contextlib.contextmanager
def _fork(arguments) -> Iterator[tuple[multiprocessing.process.BaseProcess, Connection]]:
    """Fork a process that runs cells, and end it with all that it started."""
    from evidence.build.notebook_process import fork_context, run_cells

    context = fork_context()
    connection, other_end = context.Pipe()
    with connection:
        with other_end:
            process = context.Process(target=run_cells, args=(other_end, *arguments))
            with _hidden_program():
                process.start()
        _processes.add(process)
        try:
            yield process, connection
            connection.close()
            process.join(SHUTDOWN_SECONDS)
        finally:
            _processes.discard(process)
            _kill(process)
            process.join()


@contextlib.contextmanager
def _hidden_program() -> Iterator[None]:
    """Let a new process not import the running program first, as multiprocessing would.

    That may be papermill, which takes seconds, or a script that would start the notebook anew.
    """
    with _starting:
        program, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = program


def _kill(process) -> None:
    process.kill()
    # It leads a group of its own, with the programs that the notebook started.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _message(kind: str, content: dict, buffers=()) -> dict:
    """Return a Jupyter message as nbclient takes it."""
    return {
        "msg_type": kind,
        "header": {"msg_type": kind},
        "parent_header": {},
        "content": content,
        "buffers": buffers,
    }


def _join_streams(outputs: list) -> None:
    """Join the last two outputs if both are text of one stream: a print is several writes."""
    if (
        len(outputs) > 1
        and outputs[-1].get("name")
        and outputs[-1].get("name") == outputs[-2].get("name")
    ):
        outputs[-2].text += outputs.pop().text


def _cause(code: int | None) -> str:
    """Return why a process ended."""
    if code is None or code >= 0:
        return f"it ended itself with exit code {code}"
    name = signal.Signals(-code).name
    memory = ", as a system without free memory does" if name == "SIGKILL" else ""
    return f"it was ended by {name}{memory}"
