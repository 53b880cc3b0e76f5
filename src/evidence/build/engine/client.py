"""The asking side of one run: what papermill takes for a kernel.

papermill runs cells with nbclient, which speaks to a manager (starts and stops the kernel) and to
a client (sends requests, receives messages). Both are here, over the pipe of one forked process.
"""

import asyncio
import contextlib
import os
import queue
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from jupyter_client.session import Session

from evidence.build.engine.frames import Unpacker, pack
from evidence.build.engine.processes import PATIENCE, Server, claim, release


class Manager:
    """One kernel, from the request for it to its end: what nbclient calls a kernel manager."""

    # nbclient gives an ipykernel the option that keeps its history out of the person's own.
    ipykernel = True

    def __init__(
        self, language_info: dict, memory_limit: int | None, project: str | None, many: bool
    ):
        self._language_info = language_info
        self._request = {"memory_limit": memory_limit, "project": project, "many": many}
        self._client: Client | None = None
        self._server: Server | None = None
        self.has_kernel = False

    def start_kernel(
        self, extra_arguments: Sequence[str] = (), cwd: str | None = None, **_
    ) -> None:
        """Fork a kernel in the environment of this process, and in its folder if none is named."""
        session = Session()
        request = {"cwd": str(Path(cwd or "").absolute()), "key": session.key.decode()}
        self._server = claim(extra_arguments)
        pairs = [socket.socketpair() for _ in range(3)]
        try:
            self._server.fork(self._request | request, [theirs for _, theirs in pairs])
        finally:
            for _, theirs in pairs:
                theirs.close()
        self._client = Client(*(ours for ours, _ in pairs), session, self._language_info)
        self.has_kernel = True

    def client(self) -> "Client":
        """The client of this kernel."""
        return self._client

    def interrupt_kernel(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs."""
        self._client.signal(signal.SIGINT)

    def is_alive(self) -> bool:
        """Never said: ending the kernel is left to `cleanup_resources`."""
        return False

    def cleanup_resources(self) -> None:
        """End the kernel: at once if a cell still runs, else in its own time."""
        if self._client is not None:
            self._client.stop_channels()
            self._client = None
        if self._server is not None:
            release(self._server)
            self._server = None


class Client:
    """Requests to one kernel and its messages: what nbclient calls a kernel client.

    A kernel that dies is told of as an error of the cell it was running, so that the notebook is
    kept with what it had shown, and the error names the cell.
    """

    def __init__(
        self,
        requests: socket.socket,
        messages: socket.socket,
        status: socket.socket,
        session: Session,
        language_info: dict,
    ):
        self._requests, self._messages, self._status = requests, messages, status
        self._language_info = language_info
        self._session = session
        self._unpacker = Unpacker()
        self._waiting: dict | None = None
        self._replied = False
        self._ended: str | None = None
        self._told = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.allow_stdin = False

    async def start_channels(self) -> None:
        """Listen to the kernel and to the server."""
        self._loop = asyncio.get_running_loop()
        self.shell_channel, self.iopub_channel = Inbox(), Inbox()
        for end, listener in ((self._messages, self._hear), (self._status, self._hear_of_end)):
            end.setblocking(False)
            self._loop.add_reader(end, listener)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers, the first time as long as the libraries take to load.

        Raises
        ------
        RuntimeError
            It ended or did not answer in time, as with any other kernel.
        """
        asked = self.kernel_info()
        try:
            while (await self.shell_channel.get_msg(timeout))["parent_header"]["msg_id"] != asked:
                pass
        except queue.Empty:
            self._ended = f"it did not answer within {timeout} seconds"
        if self._ended:
            raise RuntimeError(f"the kernel of this notebook could not be started: {self._ended}")

    def execute(self, code: str, store_history: bool = True, **_) -> str:
        """Ask for a cell to be run; the answer carries the id that is returned here."""
        return self._ask(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": store_history,
                "user_expressions": {},
                "allow_stdin": False,
                # What it would stop are requests in a queue, and here none ever waits.
                "stop_on_error": False,
            },
        )

    def kernel_info(self) -> str:
        """Ask what language the kernel speaks."""
        return self._ask("kernel_info_request", {})

    def is_alive(self) -> bool:
        """Always: a dead kernel has answered that it is."""
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the kernel; what is to end it also ends the processes it started."""
        self._status.setblocking(True)
        while b"\n" not in self._told and (data := self._status.recv(1 << 12)):
            self._told += data
        self._status.setblocking(False)
        if pid := self._told.partition(b"\n")[0]:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if number == signal.SIGKILL else os.kill)(int(pid), number)

    def stop_channels(self) -> None:
        """Close the pipe, by which the kernel ends, and make sure that it has."""
        if self._requests.fileno() == -1:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._messages)
            self._loop.remove_reader(self._status)
        self._requests.close()
        self._messages.close()
        with self._status:
            if self._ended is None:
                if self._waiting and not self._replied:
                    self.signal(signal.SIGKILL)
                self._see_it_end()
            self._ended = self._ended or "it was stopped"

    def _see_it_end(self) -> None:
        self._status.settimeout(PATIENCE)
        try:
            while self._status.recv(1 << 12):
                pass
        except TimeoutError:
            self.signal(signal.SIGKILL)

    def _ask(self, kind: str, content: dict) -> str:
        request = self._session.msg(kind, content)
        self._waiting, self._replied = request, False
        if self._ended:
            self._answer_for_the_dead()
        else:
            frame = pack(self._session.serialize(request))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._requests.sendall(frame)
        return request["header"]["msg_id"]

    def _hear(self) -> None:
        """Take in what the kernel has written, as far as it has arrived."""
        with contextlib.suppress(BlockingIOError):
            if not self._take(self._messages.recv(1 << 18)):
                self._loop.remove_reader(self._messages)

    def _take(self, data: bytes) -> bool:
        for name, *parts in self._unpacker.feed(data):
            message = self._session.deserialize(self._session.feed_identities(parts)[1])
            if name == b"shell":
                self._replied = True
                self.shell_channel.put_nowait(message)
                continue
            # The idleness after an earlier request may come when the next one has been sent.
            asked = message["parent_header"].get("msg_id")
            idle = message["content"].get("execution_state") == "idle"
            if idle and self._waiting and asked == self._waiting["header"]["msg_id"]:
                self._waiting = None
            self.iopub_channel.put_nowait(message)
        return bool(data)

    def _hear_of_end(self) -> None:
        """The server tells the process id when it has forked, and the exit code at the end."""
        data = self._status.recv(1 << 12)
        self._told += data
        if data and self._told.count(b"\n") < 2:
            return
        self._loop.remove_reader(self._status)
        if not data:
            self.signal(signal.SIGKILL)
        # What it wrote before it died is still in the pipe.
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while self._take(self._messages.recv(1 << 18)):
                pass
        self._loop.remove_reader(self._messages)
        self._ended = _cause(self._told)
        if self._waiting:
            self._answer_for_the_dead()

    def _answer_for_the_dead(self) -> None:
        request, self._waiting = self._waiting, None
        kind = request["header"]["msg_type"].replace("request", "reply")
        content: dict = {"status": "ok", "language_info": self._language_info}
        if kind == "execute_reply":
            said = f"the process of this notebook died in this cell: {self._ended}"
            content = {"ename": "DeadKernelError", "evalue": said}
            content["traceback"] = [": ".join(content.values())]
            self.iopub_channel.put_nowait(self._session.msg("error", content, request))
            content = content | {"status": "error"}
        idle = {"execution_state": "idle"}
        self.iopub_channel.put_nowait(self._session.msg("status", idle, request))
        self.shell_channel.put_nowait(self._session.msg(kind, content, request))


class Inbox(asyncio.Queue):
    """Messages that arrived on one channel."""

    async def get_msg(self, timeout: float | None = None) -> dict:
        """The next message.

        Raises
        ------
        queue.Empty
            None came in time.
        """
        try:
            return await asyncio.wait_for(self.get(), timeout)
        except TimeoutError:
            raise queue.Empty from None


def _cause(told: bytes) -> str:
    """Why a kernel ended, from what the server told of it."""
    lines = told.split()
    if len(lines) < 2:
        return "the process that forks the kernels was ended"
    code = int(lines[1])
    if code >= 0:
        return f"it ended itself with exit code {code}"
    name = signal.Signals(-code).name
    memory = ", as a system without free memory does" if name == "SIGKILL" else ""
    return f"it was ended by {name}{memory}"
