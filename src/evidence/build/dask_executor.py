"""Folders as they travel to another machine and back: every file in memory, under its name.

A parcel holds files only: no folder, link, mode or time of its own. Whoever opens one takes its
names for what anybody may have written.

Reports made on a Dask cluster: project and job travel there, the files of the report come back.

A report that was being made on a worker that died is made again on another one. Every worker must
have this package and its libraries in the versions of the asking side, because a report is known by
them.
"""

import contextlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from evidence.build.execute import Failure, Job, LocalExecutor, execute_report
from evidence.build.fingerprint import code_digest, library_versions
from evidence.errors import ReportError
from evidence.files import format_json, path_digest, relative_path
from evidence.notebook.locate import own_notebooks

Parcel = dict[str, bytes]
"""The content of files by their names, which are relative and have `/` between their parts."""


def pack(folder: Path, names: Iterable[str] = (".",)) -> Parcel:
    """The files of these names, and all those in folders of these names; what is hidden stays.

    A link to a file is packed as the file; a link to a folder is not followed.
    """
    found: Parcel = {}
    for name in names:
        top = folder / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                found[inside.as_posix()] = path.read_bytes()
    return found


def unpack(parcel: Parcel, folder: Path) -> None:
    """Write the files into a folder.

    Raises
    ------
    ReportError
        Before anything is written: a name leads out of the folder.
    """
    require_inside(parcel)
    for name, content in parcel.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def require_inside(names: Iterable[str]) -> None:
    """Never write a file outside the folder that it is sent to.

    Raises
    ------
    ReportError
        A name that is absolute, leads upwards, or is not the same on every system.
    """
    for name in names:
        parts = PurePosixPath(name).parts
        if not parts or set("\\:\0") & set(name) or {"/", ".."} & set(parts):
            raise ReportError(f"{name!r}: is no name of a file inside a folder; nothing is written")


TRAVELS = (
    "references.bib",
    "reports.yml",
    "CITATION.cff",
    "LICENSE-DATA",
    "data",
    "notebooks",
)
"""What of a project goes to the workers: all that the package reads, and what lies beside it."""
PATIENCE = 10
"""Seconds in which scheduler and workers must answer."""


@dataclass(frozen=True)
class WorkerResult:
    """What a worker sends back: the files, and why the report could not be made, if so."""

    files: Parcel
    says: str | None = None


class DaskExecutor(LocalExecutor):
    """Makes reports on the workers of a scheduler, for as long as it is entered.

    Parameters
    ----------
    address : str
        Such as `tcp://192.0.2.7:8786`.

    Raises
    ------
    ReportError
        When entered: no scheduler, no worker, or a worker with other versions. In a call: the
        scheduler went away.
    """

    def __init__(self, address: str):
        self._address = address
        self._lock = threading.Lock()
        self._parcels: dict[Path, object] = {}
        self._running: set = set()
        self._stopped = False

    def __enter__(self) -> "DaskExecutor":
        try:
            from distributed import Client
            from distributed.comm import get_address_host_port
        except ModuleNotFoundError:
            install = "install it with pip install 'evidence[cluster]'"
            raise self._error(f"dask is not installed here; {install}") from None
        try:
            get_address_host_port(self._address)
        except ValueError:
            said = "is no address of a scheduler, such as tcp://192.0.2.7:8786"
            raise self._error(said) from None
        # What it logs is told here in one line.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            self._client = Client(self._address, timeout=PATIENCE, set_as_default=False)
        except OSError:
            said = f"no scheduler answers there within {PATIENCE} seconds"
            raise self._error(said) from None
        try:
            self._require_workers()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._client.close()

    def _error(self, says: str) -> ReportError:
        return ReportError(f"--scheduler {self._address}: {says}")

    def _require_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            said = f"has no workers; start one with: dask worker {self._address}"
            raise self._error(said) from None
        self.jobs = sum(self._client.nthreads().values())
        self._stand = environment_fingerprint()
        for worker, found in self._client.run(environment_fingerprint, on_error="return").items():
            if isinstance(found, Exception):
                said = f"does not have this package as it is here: {_line(found)}"
                raise self._error(f"worker {worker} {said}")
            if unlike := _unlike(self._stand, found):
                raise self._error(f"worker {worker} {unlike}")

    def prepare(self) -> None:
        """Nothing: what the first report waits for loads on the workers."""

    def execute(self, job: Job, folder: Path) -> Failure | None:
        """As of `make`; it waits while a worker makes the report."""
        from distributed import CancelledError, KilledWorker

        with self._lock:
            if self._stopped:
                raise self._error("stopped")
            project = self._parcel(job.project)
            home = {"report": folder, "own": _own_folder(), "project": job.project}
            future = self._client.submit(
                execute_on_worker, project, job, home, self._stand, pure=False
            )
            self._running.add(future)
        try:
            made = future.result()
        except KilledWorker as error:
            times = error.allowed_failures + 1
            last = getattr(error.last_worker, "address", "unknown")
            dead = "1 worker" if times == 1 else f"{times} workers"
            return Failure(f"{dead} died while making it, the last at {last}")
        except (CancelledError, OSError) as error:
            raise self._error(f"the scheduler went away: {_line(error)}") from None
        finally:
            with self._lock:
                self._running.discard(future)
            future.release()
        unpack(made.files, folder)
        if made.says is None:
            return None
        executed = folder / "notebooks" / f"{job.name}.ipynb"
        return Failure(made.says, executed if executed.is_file() else None)

    def _parcel(self, project: Path):
        """The files of a project as they are now, once for all jobs: a task that only holds them.

        What is scattered is lost with its worker; a task is run again.
        """
        if project not in self._parcels:
            held = self._client.submit(_hold, pack(project, TRAVELS), pure=False)
            self._parcels[project] = held
        return self._parcels[project]

    def stop(self) -> None:
        """Let no further report be begun; one that a worker is at is ended there and dropped."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        self._client.cancel(running, force=True)


def environment_fingerprint() -> dict:
    """What decides a report and does not travel: code, libraries, and the package's notebooks."""
    notebooks = {name: path_digest(path) for name, path in own_notebooks().items()}
    return {"code": code_digest(), "libraries": library_versions(), "notebooks": notebooks}


def _unlike(here: Mapping, there: Mapping) -> str:
    """How a worker differs from the asking side, in words; empty if in nothing that matters."""
    names = dict.fromkeys([*here["libraries"], *there["libraries"]])
    pairs = [(name, *(side["libraries"].get(name, "none") for side in (there, here))) for name in
             names]  # fmt: skip
    said = [f"has {name} {theirs} and not {ours}" for name, theirs, ours in pairs if theirs != ours]
    if here["code"] != there["code"]:
        said.append("has other code of evidence")
    if here["notebooks"] != there["notebooks"]:
        said.append("has other notebooks in its package")
    return "; ".join(said)


def execute_on_worker(
    project: Parcel, job: Job, home: Mapping[str, Path], asked: Mapping
) -> WorkerResult:
    """Make a report on this worker, so that it comes out as on the asking side.

    Parameters
    ----------
    home : mapping
        Where on the asking side report, project and the package's own notebooks are.
    asked : mapping
        As of `stand` there.

    Raises
    ------
    ReportError
        This worker came later and differs from the asking side.
    """
    if unlike := _unlike(asked, environment_fingerprint()):
        raise ReportError(f"a worker that came later {unlike}")
    with _place() as place:
        here = {"report": place / "report", "own": _own_folder(), "project": place / "project"}
        unpack(project, here["project"])
        if job.notebook.is_relative_to(job.project):
            notebook = here["project"] / job.notebook.relative_to(job.project)
        else:
            notebook = own_notebooks()[job.name]
        failure = execute_report(
            replace(job, project=here["project"], notebook=notebook), here["report"]
        )
        files = pack(here["report"])
        moved = {str(here[name]): str(home[name]) for name in here}
        if (record := f"reads/{job.name}.json") in files:
            files[record] = _record_moved(files[record], here["project"], job.project, moved)
        if (executed := f"notebooks/{job.name}.ipynb") in files:
            in_json = {_in_json(there): _in_json(path) for there, path in moved.items()}
            files[executed] = _moved(files[executed].decode(), in_json).encode()
        return WorkerResult(files, _moved(failure.message, moved) if failure else None)


def _hold(parcel: Parcel) -> Parcel:
    return parcel


@contextlib.contextmanager
def _place() -> Iterator[Path]:
    """A folder for one report in that of the worker, which dask clears away if the worker dies."""
    from distributed import get_worker

    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as place:
        yield Path(place).resolve()


def _own_folder() -> Path:
    return next(iter(own_notebooks().values())).parent


def _moved(text: str, moved: Mapping[str, str]) -> str:
    """A text that names folders of this machine, as it would be on the asking one."""
    for here, home in moved.items():
        text = text.replace(here, home)
    return text


def _record_moved(record: bytes, here: Path, project: Path, moved: Mapping[str, str]) -> bytes:
    """A record of reading whose files outside the project are named from that on the asking side.

    What lies at one place on both sides, such as on a shared disk, keeps its place.
    """
    content = json.loads(record)
    paths = {os.path.normpath(here / name): digest for name, digest in content["files"].items()}
    content["files"] = {
        relative_path(Path(_moved(path, moved)), project): content_digest
        for path, content_digest in paths.items()
    }
    return format_json(content, sort_keys=True).encode()


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
