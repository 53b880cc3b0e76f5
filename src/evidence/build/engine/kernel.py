"""The kernel of one run: ipykernel's own, with a pipe in the place of its sockets.

Everything that a notebook can see (displays, widgets, errors, streams, magics, the person's own
profile) is made by the same code as with the stock engine. Only what belongs to ports is left out.
"""

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import zmq
from ipykernel.iostream import IOPubThread
from ipykernel.kernelapp import IPKernelApp
from IPython.core.application import BaseIPythonApplication
from tornado.ioloop import IOLoop

from evidence.build.engine.frames import Unpacker, pack


class Channel:
    """What ipykernel takes for a socket: every message goes down the pipe at once and whole."""

    def __init__(self, name: bytes):
        self._name = name

    def connect(self, pipe: socket.socket, lock: threading.Lock) -> None:
        """Write to this pipe, which other channels write to as well."""
        self.context = zmq.Context.instance()
        self._pipe, self._lock = pipe, lock

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
    """An IPython kernel that is spoken to over two sockets of a pair.

    What ipykernel does at its start is done in two steps, each in its order: `prepare` needs
    neither a thread nor the person's code nor a folder, and may be done before the fork.
    """

    def __init__(self, **traits):
        super().__init__(**traits)
        self._shell, self._iopub = Channel(b"shell"), Channel(b"iopub")
        self.iopub_socket = self._iopub

    def settings(self, arguments: Sequence[str]) -> list[Path]:
        """The files that this kernel would take settings from, whether or not they exist."""
        self.parse_command_line(list(arguments))
        self.init_profile_dir()
        self.init_config_files()
        named = [name for name in ("ipython_config.py", *self.config_files) if name]
        return [
            Path(folder, name).with_suffix(suffix)
            for folder in self.config_file_paths
            for name in named
            for suffix in (".py", ".json")
        ]

    def prepare(self, arguments: Sequence[str]) -> None:
        """Read the settings and create the shell."""
        BaseIPythonApplication.initialize(self, list(arguments))
        self.init_pdb()
        self.configure_tornado_logger()
        self.init_kernel()
        self.init_shell()

    def init_kernel(self):
        """Create the kernel itself, with neither a control nor a debugger channel."""
        self.kernel = self.kernel_class.instance(
            parent=self,
            session=self.session,
            iopub_socket=self.iopub_socket,
            shell_channel_thread=SimpleNamespace(parent_thread=threading.main_thread()),
            log=self.log,
            profile_dir=self.profile_dir,
            user_ns=self.user_ns,
        )

    def connect(self, requests: socket.socket, messages: socket.socket, key: str) -> None:
        """Take over the process: its streams, its folder, and the code that runs at the start."""
        kernel, shell = self.kernel, self.shell
        self._requests = requests
        self.session.key, self.session.pid = key.encode(), os.getpid()
        self.session.session, kernel.ident = str(uuid.uuid4()), str(uuid.uuid4())
        shell.displayhook.topic = kernel._topic("execute_result")
        lock = threading.Lock()
        for channel in (self._shell, self._iopub):
            channel.connect(messages, lock)
        self.init_blackhole()
        # Streams keep their thread, so that what is printed is seen while a cell still runs.
        self.iopub_thread = kernel.iopub_thread = IOPubThread(
            self._iopub, pipe=True, session=self.session
        )
        self.iopub_thread.start()
        self.init_io()
        self.displayhook.get_execution_count = lambda: kernel.execution_count
        self.init_signal()
        kernel._stdout, kernel._stderr = sys.stdout, sys.stderr
        shell.save_sys_module_state()
        shell.starting_dir = str(Path.cwd())
        shell.history_manager.dir_hist[:] = [Path.cwd()]
        self.init_path()
        self.init_gui_pylab()
        self.init_extensions()
        self.init_code()
        sys.stdout.flush()
        sys.stderr.flush()

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


def prepared_kernel(arguments: Sequence[str]) -> PipedKernel:
    """A kernel with its shell, to be forked and then run.

    Parameters
    ----------
    arguments : sequence of str
        As on the command line of ipykernel.
    """
    sys.argv = [find_spec("ipykernel_launcher").origin]
    application = PipedKernel.instance()
    application.prepare(arguments)
    if widgets := sys.modules.get("ipywidgets"):
        # It looks for a kernel when it is imported, and was imported before there was one.
        widgets.load_ipython_extension(application.shell)
    return application


def run_kernel(
    application: PipedKernel,
    requests: socket.socket,
    messages: socket.socket,
    key: str,
    memory_limit: int | None,
) -> None:
    """Be the kernel of one notebook, in a process that was forked for it.

    Parameters
    ----------
    key : str
        With which both ends sign their messages.
    memory_limit : int, optional
        MiB that the notebook may take on top of what the loaded libraries have.
    """
    # Forked processes would all draw the same numbers.
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if memory_limit is not None:
        _limit_memory(memory_limit)
    application.connect(requests, messages, key)
    gc.enable()
    application.start()


def _limit_memory(mebibytes: int) -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
