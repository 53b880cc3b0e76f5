"""The process that has the libraries loaded and forks one kernel for each notebook.

It is started clean, runs one thread, creates no shell and executes nothing of a notebook itself, so
that every fork begins as a new kernel would. It ends, and its kernels with it, when the process
that asked for it closes its end or dies.
"""

import atexit
import contextlib
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import traceback
from importlib import import_module

LAYERS = ("corpus", "estimation", "synthesis", "figures", "tables", "publishing")
# Left out is what looks for a running shell at its import, such as pyplot and tqdm.auto.
LIBRARIES = (
    "ipykernel.kernelapp",
    "IPython.core.completer",
    "numpy",
    "pandas",
    "scipy.stats",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
)


def load() -> None:
    """Import what notebooks will want; what cannot be imported is theirs to stumble on."""
    # As ipykernel sets it before the first cell, and so before anything imports matplotlib.
    os.environ["MPLBACKEND"] = (
        os.environ.get("MPLBACKEND") or "module://matplotlib_inline.backend_inline"
    )
    names = [*LIBRARIES, "evidence.runs.engine.kernel"]
    for layer in LAYERS:
        found = import_module(f"evidence.{layer}")
        names += [
            module.name for module in pkgutil.walk_packages(found.__path__, f"{found.__name__}.")
        ]
    for name in names:
        with contextlib.suppress(ImportError):
            import_module(name)


def serve(descriptor: int) -> None:
    """Fork a kernel for each request until the asking process is gone."""
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load()
    gc.collect()
    gc.freeze()
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is woken:
                woken.recv(1 << 12)
                _tell_ends(running)
                continue
            request, sockets = _receive(control)
            if request is None:
                for pid in running:
                    _kill(pid)
                return
            requests, messages, status = sockets
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                selector.close()
                for held in (control, woken, waker, status, *running.values()):
                    held.close()
                _be_a_kernel(request, requests, messages)
            requests.close()
            messages.close()
            running[pid] = status
            _tell(status, f"{pid}\n")


def _receive(control: socket.socket) -> tuple[dict | None, list[socket.socket]]:
    data, descriptors, _, _ = socket.recv_fds(control, 1 << 12, 3)
    while data and not data.endswith(b"\n"):
        more = control.recv(1 << 12)
        if not more:
            return None, []
        data += more
    return json.loads(data) if data else None, [socket.socket(fileno=fd) for fd in descriptors]


def _be_a_kernel(request: dict, requests: socket.socket, messages: socket.socket) -> None:
    """Everything that the forked process does; it never returns to the server's loop."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from evidence.runs.engine.kernel import run_kernel

        os.chdir(request.pop("cwd"))
        run_kernel(requests, messages, **request)
        code = 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        # Taking the interpreter apart costs more than a short notebook, and serves nobody.
        atexit._run_exitfuncs()
        os._exit(code)


def _tell_ends(running: dict[int, socket.socket]) -> None:
    """Say of every kernel that has ended how it did, and end what it left behind."""
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            _tell(running[pid], f"{os.waitstatus_to_exitcode(status)}\n")
            running.pop(pid).close()


def _kill(pid: int) -> None:
    """End a kernel, which may just have been forked, and the processes that it started."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _tell(status: socket.socket, text: str) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        status.sendall(text.encode())
