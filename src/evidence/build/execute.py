"""One report made: its notebook executed by papermill into a folder of its own."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Every kernel warns at its start that its loopback connection is not encrypted.
QUIET_KERNEL = "--IPKernelApp.log_level=ERROR"
# How papermill runs a notebook, by what `--engine` says.
ENGINES = {
    "evidence": {"engine_name": "evidence"},
    "kernel": {"engine_name": "nbclient", "extra_arguments": [QUIET_KERNEL]},
}
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Job:
    """A report to be made.

    `engine` is "evidence" (fork the kernel from a process with the libraries loaded) or "kernel"
    (start one), `memory_limit` what the notebook may take, in MiB on top of the libraries.
    """

    name: str
    notebook: Path
    project: Path
    parameters: Mapping[str, object]
    tiff: bool = False
    engine: str = "evidence"
    memory_limit: int | None = None


@dataclass(frozen=True)
class Failure:
    """Why a report could not be made, in a line, and the executed notebook, if it came so far."""

    says: str
    notebook: Path | None = None


def execute_report(job: Job, folder: Path) -> Failure | None:
    """Fill a new folder with the files of one report; whatever goes wrong is told, not raised.

    It may be called from several threads at once: the working folder of this process stays.
    """
    folder.mkdir(parents=True)
    executed = folder / "notebooks" / f"{job.name}.ipynb"
    try:
        executed.parent.mkdir()
        _execute(job, folder, executed)
        if job.tiff:
            from evidence.report.figure_files import add_tiffs

            add_tiffs(folder / "figures")
    except Exception as error:
        return Failure(_said(error), executed if executed.is_file() else None)
    return None


class LocalExecutor:
    """Makes reports, several at once: this one here, each in a process of its own."""

    def __init__(self):
        self.jobs = cores()

    def prepare(self) -> None:
        """Let what the first report waits for load while the tables are read."""
        from evidence.build.notebook_process import start_fork_server

        start_fork_server()

    def __call__(self, job: Job, folder: Path) -> Failure | None:
        """As of `make`."""
        return execute_report(job, folder)

    def stop(self) -> None:
        """End those that are being made; whoever waits for them need not wait longer."""
        from evidence.build.engine import stop_all

        stop_all()


def cores() -> int:
    """How many reports are made at once here where nothing else is said."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _execute(job: Job, folder: Path, executed: Path) -> None:
    import papermill
    from jupyter_core.utils import ensure_event_loop

    limit = {"memory_limit": job.memory_limit} if job.memory_limit is not None else {}
    try:
        notebook = papermill.execute_notebook(
            str(job.notebook),
            str(executed),
            parameters={**job.parameters, "project": str(job.project), "out": str(folder)},
            progress_bar=False,
            # Papermill's own way is to change the folder of this whole process.
            resources={"metadata": {"path": str(job.notebook.parent)}},
            # It is written when the last cell is done or one has failed; nobody reads it before.
            request_save_on_cell_execute=False,
            **ENGINES[job.engine],
            **limit,
        )
    finally:
        # Papermill begins a loop for each thread and never ends it.
        ensure_event_loop().close()
    executed.write_text(kept(notebook), "utf-8")


def _said(error: Exception) -> str:
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return f"cell {error.exec_count} failed: {error.ename}: {error.evalue}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return f"{type(error).__name__}: {error}"


def kept(notebook) -> str:
    """An executed notebook as it is written, without places, timings, chance and widgets' states.

    What is left can be shared, and is the same for the same data: a widget is named at random.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            # Papermill gives this cell another id at random in every run.
            cell.id = "injected-parameters"
            lines = cell.source.splitlines()
            cell.source = "\n".join(
                line for line in lines if not line.startswith(("project = ", "out = "))
            )
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def keep(failure: Failure, place: Path) -> None:
    """Put the executed notebook of a failed report where it can be read."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(failure.notebook, place)
