"""Build reports on the workers of a Dask scheduler.

The project is sent as one archive, and the files of each report come back as one. A worker with other
versions of this package or its libraries is refused, because a report is identified by them.
"""

import contextlib
import gc
import io
import logging
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from evidence.build.execute import Failure, Job, LocalExecutor, execute_report
from evidence.build.fingerprint import code_digest, library_versions
from evidence.errors import ReportError
from evidence.files import path_digest, temporary_folder
from evidence.notebook.locate import FOLDER, notebooks_of, own_notebooks, packaged_only

SENT = ("references.bib", "reports.yml", "CITATION.cff", "LICENSE-DATA", "data", "notebooks")
"""What of a project is sent: all that the package reads, and what lies beside it."""
TIMEOUT_SECONDS = 10


class DaskExecutor(LocalExecutor):
    """Builds reports on the workers of a scheduler at, say, `tcp://192.0.2.7:8786`.

    Raises
    ------
    ReportError
        On entering the context: there is no scheduler, no worker, or a worker with other versions.
        While building: the scheduler went away.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> "DaskExecutor":
        try:
            from distributed import Client
        except ModuleNotFoundError:
            install = "pip install 'evidence[cluster]'"
            raise self._error(f"dask is not installed here; install it with {install}") from None
        # The client logs every attempt to connect; the error below says it in one line.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        client = None
        with contextlib.suppress(OSError, ValueError):
            client = Client(self._address, timeout=TIMEOUT_SECONDS, set_as_default=False)
        if client is None:
            # Collected while another client starts, the half-made one would wait for its lock
            # without end.
            gc.collect()
            message = f"no scheduler answers within {TIMEOUT_SECONDS} seconds; check the address"
            raise self._error(f"{message}, such as tcp://192.0.2.7:8786")
        self._client = client
        try:
            self._require_workers()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _require_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=TIMEOUT_SECONDS)
        except TimeoutError:
            start = f"dask worker {self._address}"
            raise self._error(f"has no workers; start one with: {start}") from None
        self.jobs = sum(self._client.nthreads().values())
        self._versions = installed_versions()
        answers = self._client.run(installed_versions, on_error="return")
        for worker, versions in answers.items():
            if isinstance(versions, Exception):
                raise self._error(f"worker {worker} cannot load this package: {versions}")
            if differences := describe_versions(versions, self._versions):
                raise self._error(f"worker {worker} has {differences}")

    def prepare(self, project: Path, reports: int) -> None:
        """Do nothing: the libraries are loaded on the workers."""

    def execute(self, job: Job, folder: Path) -> Failure | None:
        """Wait until a worker has built a report, and write its files into a new folder."""
        from distributed import CancelledError, KilledWorker

        try:
            # The same bytes are one task, which is repeated if the worker that holds them dies.
            names = [name for name in SENT if name != FOLDER or not packaged_only()]
            project = self._client.submit(bytes, pack(job.project, names))
            task = self._client.submit(execute_on_worker, project, job, self._versions, pure=False)
            archive, message = task.result()
        except KilledWorker:
            return Failure("every worker that built it died; it may need more memory")
        except (CancelledError, OSError, RuntimeError) as error:
            raise self._error(f"the scheduler went away: {error}") from None
        unpack(archive, folder)
        executed = folder / "notebooks" / f"{job.name}.ipynb"
        return Failure(message, executed if executed.is_file() else None) if message else None

    def stop(self) -> None:
        """Cancel all reports; the result of one that a worker has begun is dropped."""
        self._client.close()

    def _error(self, message: str) -> ReportError:
        return ReportError(f"--scheduler {self._address}: {message}")


def execute_on_worker(
    project: bytes, job: Job, versions: Mapping[str, str]
) -> tuple[bytes, str | None]:
    """Build a report on this worker; return an archive of its files, and why it failed if it did.

    Raise `ReportError` if this worker joined later and has other versions than the machine that
    asks.
    """
    if differences := describe_versions(installed_versions(), versions):
        raise ReportError(f"a worker that joined later has {differences}")
    with temporary_folder(job.project) as folder:
        unpack(project, folder / "project")
        notebook = notebooks_of(folder / "project")[job.name]
        job = replace(job, project=folder / "project", notebook=notebook)
        failure = execute_report(job, folder / "report")
        return pack(folder / "report"), failure.message if failure else None


def installed_versions() -> dict[str, str]:
    """Return what decides a report and is not sent: code, libraries and packaged notebooks."""
    notebooks = {name: path_digest(path, 12) for name, path in own_notebooks().items()}
    return {**library_versions(), "evidence code": code_digest(), **notebooks}


def describe_versions(versions: Mapping[str, str], required: Mapping[str, str]) -> str:
    """Describe how some versions differ from the required ones; empty if they do not."""
    return ", ".join(
        f"{name} {versions.get(name, 'missing')} instead of {required.get(name, 'none')}"
        for name in {**required, **versions}
        if versions.get(name) != required.get(name)
    )


def pack(folder: Path, names: Iterable[str] = (".",)) -> bytes:
    """Return an archive of files and folders without hidden ones; links become files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name in names:
            top = folder / name
            for path in [top] if top.is_file() else sorted(top.rglob("*")):
                inside = path.relative_to(folder)
                if path.is_file() and not any(part.startswith(".") for part in inside.parts):
                    archive.write(path, inside)
    return content.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Write the files of an archive into a folder; zipfile lets none be written outside it."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(folder)
