"""The process that has the libraries loaded and forks one kernel for each notebook.

It is started clean, runs one thread and executes neither a notebook nor anything that the person
has set up for a kernel, so that every fork begins as a new kernel would. It ends, and its kernels
with it, when the process that asked for it ends it or dies.
"""

import atexit
import contextlib
import ctypes
import gc
import io
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from evidence.build.engine.processes import NO_HISTORY, stamp

if TYPE_CHECKING:
    from evidence.build.engine.kernel import PipedKernel


LAYERS = ("dataset", "statistics", "provenance", "analysis", "figures", "tables", "report")
# Left out is what looks for a running shell at its import, such as tqdm.auto.
LIBRARIES = (
    "ipykernel.kernelapp",
    "IPython.core.completer",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "numpy",
    "pandas",
    "scipy.stats",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "pypdfium2",
)


PR_SET_PDEATHSIG = 1


def load() -> None:
    """Import what notebooks will want; what cannot be imported is theirs to stumble on."""
    # As ipykernel sets it before the first cell, and so before anything imports matplotlib.
    os.environ["MPLBACKEND"] = (
        os.environ.get("MPLBACKEND") or "module://matplotlib_inline.backend_inline"
    )
    # The debugger warns of something when it is imported; a kernel says that to nobody.
    with contextlib.suppress(ImportError), contextlib.redirect_stderr(io.StringIO()):
        import_module("ipykernel.debugger")
    names = [*LIBRARIES, "evidence.build.engine.kernel"]
    for layer in LAYERS:
        found = import_module(f"evidence.{layer}")
        names += [
            module.name for module in pkgutil.walk_packages(found.__path__, f"{found.__name__}.")
        ]
    for name in names:
        with contextlib.suppress(ImportError):
            import_module(name)


def serve(descriptor: int, arguments: Sequence[str]) -> None:
    """Fork a kernel for each request until the asking process is gone.

    Parameters
    ----------
    descriptor : int
        Of the socket on which requests come.
    arguments : sequence of str
        What the kernels have on their command line.
    """
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    package = Path(__file__).parents[2]
    files = {str(path): stamp(str(path)) for path in package.rglob("*.py")}
    load()
    settings, kernel = prepare(arguments)
    gc.collect()
    gc.freeze()
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.setblocking(False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    _tell(control, json.dumps(files | settings) + "\n")
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    server = os.getpid()
    while True:
        for key, _ in selector.select():
            if key.fileobj is woken:
                if signal.SIGTERM in woken.recv(1 << 12):
                    _end(running)
                _tell_ends(running)
                continue
            request, sockets = _receive(control)
            if request is None:
                _end(running)
            _remember(request.pop("project"), request.pop("many"))
            requests, messages, status = sockets
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                selector.close()
                for held in (control, woken, waker, status, *running.values()):
                    held.close()
                _be_a_kernel(server, kernel, arguments, request, requests, messages)
            requests.close()
            messages.close()
            running[pid] = status
            _tell(status, f"{pid}\n")


def prepare(arguments: Sequence[str]) -> "tuple[dict, PipedKernel | None]":
    """The settings that kernels will read, and one to fork, if they read none.

    Settings are code that may look at the folder or start a thread, and a thread keeps the history.
    Where there is either, each kernel is made after the fork.
    """
    from evidence.build.engine.kernel import PipedKernel, prepared_kernel

    try:
        settings = {str(path): stamp(str(path)) for path in PipedKernel().settings(arguments)}
        if any(settings.values()) or NO_HISTORY not in arguments:
            return settings, None
        kernel = prepared_kernel(arguments)
        with contextlib.suppress(ImportError):
            import_module("matplotlib.pyplot")
    except (Exception, SystemExit):
        # A wrong argument, say: each kernel fails of it, as it would anywhere.
        return {}, None
    return settings, kernel


def _remember(project: str | None, many: bool) -> None:
    """Read a project's tables, which are then in the memory of the forked process.

    For many sets of reports also what several of them will ask of the tables as a whole.
    """
    from evidence.dataset.access_log import precompute
    from evidence.dataset.dataset import load_dataset

    if project is not None:
        # Whatever is wrong with them, the notebook says it in its own cell.
        with contextlib.suppress(Exception):
            dataset = load_dataset(project)
            if many:
                precompute(dataset)
        gc.freeze()


def _receive(control: socket.socket) -> tuple[dict | None, list[socket.socket]]:
    # More than two paths can have, so that no part of the next request is met here.
    data, descriptors, _, _ = socket.recv_fds(control, 1 << 15, 3)
    sockets = [socket.socket(fileno=number) for number in descriptors]
    for received in sockets:
        # Python does not see to it that programs which a notebook starts are not given these.
        received.set_inheritable(False)
    return json.loads(data) if data.endswith(b"\n") else None, sockets


def _be_a_kernel(
    server: int,
    kernel: "PipedKernel | None",
    arguments: Sequence[str],
    request: dict,
    requests: socket.socket,
    messages: socket.socket,
) -> None:
    """Everything that the forked process does; it never returns to the server's loop."""
    code = 1
    try:
        os.setsid()
        _end_with(server)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from evidence.build.engine.kernel import prepared_kernel, run_kernel

        os.chdir(request.pop("cwd"))
        run_kernel(kernel or prepared_kernel(arguments), requests, messages, **request)
        code = 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        # Taking the interpreter apart costs more than a short notebook, and serves nobody.
        atexit._run_exitfuncs()
        os._exit(code)


def _end_with(server: int) -> None:
    """Let Linux end this process when the server is gone, however that went.

    Elsewhere a kernel whose server was killed ends with the cell that it is running.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have gone just before.
        if os.getppid() != server:
            os._exit(1)


def _tell_ends(running: dict[int, socket.socket]) -> None:
    """Say of every kernel that has ended how it did, and end what it left behind."""
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            _tell(running[pid], f"{os.waitstatus_to_exitcode(status)}\n")
            running.pop(pid).close()


def _end(running: Iterable[int]) -> NoReturn:
    """End the kernels, of which one may just have been forked, what they started, and this."""
    for pid in running:
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
    os._exit(0)


def _tell(status: socket.socket, text: str) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        status.sendall(text.encode())
