"""The kernel of one run: ipykernel's own, with a pipe in the place of its sockets.

Everything that a notebook can see (displays, widgets, errors, streams, magics, the person's own
profile) is made by the same code as with the stock engine. Only what belongs to ports is left out.
"""

import asyncio
import gc
import random
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from types import SimpleNamespace

import zmq
from ipykernel.iostream import IOPubThread
from ipykernel.kernelapp import IPKernelApp
from tornado.ioloop import IOLoop

from evidence.runs.engine.frames import Unpacker, pack


class Channel:
    """What ipykernel takes for a socket: every message goes down the pipe at once and whole."""

    def __init__(self, name: bytes, pipe: socket.socket, lock: threading.Lock):
        self.context = zmq.Context.instance()
        self._name, self._pipe, self._lock = name, pipe, lock

    def send_multipart(self, parts, *_, **__) -> None:
        """Write one message; one that nobody waits for any more is dropped."""
        frame = pack([self._name, *parts])
        # A KeyboardInterrupt must not tear a frame in two.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with self._lock:
                self._pipe.sendall(frame)
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class PipedKernel(IPKernelApp):
    """An IPython kernel that is spoken to over two sockets of a pair."""

    def __init__(self, requests: socket.socket, messages: socket.socket, **traits):
        super().__init__(**traits)
        lock = threading.Lock()
        self._requests = requests
        self._shell, self._iopub = (Channel(name, messages, lock) for name in (b"shell", b"iopub"))

    def _has_no_port(self):
        """Nothing to do: a pipe has no ports, no file that names them and no heartbeat."""

    init_connection_file = init_poller = init_heartbeat = _has_no_port
    write_connection_file = log_connection_info = _has_no_port

    def init_sockets(self):
        """Streams keep their thread, so that what is printed is seen while a cell still runs."""
        self.configure_tornado_logger()
        self.iopub_thread = IOPubThread(self._iopub, pipe=True, session=self.session)
        self.iopub_thread.start()
        self.iopub_socket = self._iopub

    def init_kernel(self):
        """Create the kernel itself, with neither a control nor a debugger channel."""
        self.kernel = self.kernel_class.instance(
            parent=self,
            session=self.session,
            iopub_thread=self.iopub_thread,
            iopub_socket=self.iopub_socket,
            shell_channel_thread=SimpleNamespace(parent_thread=threading.main_thread()),
            log=self.log,
            profile_dir=self.profile_dir,
            user_ns=self.user_ns,
        )
        self.displayhook.get_execution_count = lambda: self.kernel.execution_count

    def start(self):
        """Answer requests until the other end closes."""
        asyncio.set_event_loop(asyncio.new_event_loop())
        asyncio.get_event_loop().run_until_complete(self._answer_all())

    async def _answer_all(self):
        self.kernel.io_loop = IOLoop.current()
        self._requests.setblocking(False)
        unpacker = Unpacker()
        while data := await asyncio.get_running_loop().sock_recv(self._requests, 1 << 16):
            for parts in unpacker.feed(data):
                await self._answer(self.session.deserialize(self.session.feed_identities(parts)[1]))

    async def _answer(self, request: dict):
        """What ipykernel does with one request, in the same order."""
        kernel, session = self.kernel, self.session
        kernel.set_parent([], request, channel="shell")
        session.send(self._iopub, "status", {"execution_state": "busy"}, parent=request)
        kernel.pre_handler_hook()
        try:
            await kernel.shell_handlers[request["header"]["msg_type"]](self._shell, [], request)
        finally:
            kernel.post_handler_hook()
        sys.stdout.flush()
        sys.stderr.flush()
        session.send(self._iopub, "status", {"execution_state": "idle"}, parent=request)


def run_kernel(
    requests: socket.socket,
    messages: socket.socket,
    key: str,
    arguments: Sequence[str],
    memory_limit: int | None,
) -> None:
    """Be the kernel of one notebook, in a process that was forked for it.

    Parameters
    ----------
    key : str
        With which both ends sign their messages.
    arguments : sequence of str
        As on the command line of ipykernel.
    memory_limit : int, optional
        MiB that the notebook may take on top of what the loaded libraries have.
    """
    sys.argv = [find_spec("ipykernel_launcher").origin]
    # Forked processes would all draw the same numbers.
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if memory_limit is not None:
        _limit_memory(memory_limit)
    application = PipedKernel.instance(requests=requests, messages=messages)
    application.session.key = key.encode()
    application.initialize(list(arguments))
    if widgets := sys.modules.get("ipywidgets"):
        # It looks for a kernel when it is imported, and was imported before there was one.
        widgets.load_ipython_extension(application.shell)
    gc.enable()
    application.start()


def _limit_memory(mebibytes: int) -> None:
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
