"""Build one report: papermill executes its notebook into a new folder."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.files import format_json, read_json

if TYPE_CHECKING:
    from nbformat import NotebookNode

ENGINES = {"evidence": "evidence", "kernel": "nbclient"}
"""The names by which papermill knows the choices of `--engine`."""
# Otherwise every kernel warns that its connection is not encrypted.
KERNEL_ARGUMENTS = ("--IPKernelApp.log_level=ERROR",)
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Job:
    """A report to be built.

    Attributes
    ----------
    name : str
    notebook, project : Path
    parameters : mapping of str to object
    formats : {"standard", "all"}
        With "all", each figure is also written as PNG and TIFF with 600 dots per inch.
    engine : {"evidence", "kernel"}
        Fork the notebook's process with the libraries loaded, or start a Jupyter kernel.
    memory_limit : int, optional
        MiB that the notebook may take on top of the libraries.
    """

    name: str
    notebook: Path
    project: Path
    parameters: Mapping[str, object]
    formats: str = "standard"
    engine: str = "evidence"
    memory_limit: int | None = None


@dataclass(frozen=True)
class Failure:
    """Why a report could not be built, in one line, and the notebook with the traceback if any."""

    message: str
    notebook: Path | None = None


class LocalExecutor:
    """Builds reports on this machine, each in a process of its own."""

    def __init__(self) -> None:
        self.jobs = available_cores()

    def prepare(self, project: Path, reports: int) -> None:
        """Start loading what this many reports of a project need, while the tables are read."""
        from evidence.build.notebook_process import start_fork_server

        start_fork_server(project, precompute=reports > 1)
        # Here and not in a thread of a report, where it would compete with this one.
        _import_papermill()

    def execute(self, job: Job, folder: Path) -> Failure | None:
        """Build one report in a new folder; see `execute_report`."""
        return execute_report(job, folder)

    def stop(self) -> None:
        """End all reports that are being built; each of them fails."""
        from evidence.build.engine import stop_all

        stop_all()


def execute_report(job: Job, folder: Path) -> Failure | None:
    """Write the files of one report into a new folder; several threads may do so at once.

    Every error is returned, so that a report that fails does not stop the others.
    """
    executed = folder / "notebooks" / f"{job.name}.ipynb"
    try:
        executed.parent.mkdir(parents=True)
        _execute(job, folder, executed)
        if job.formats == "all":
            from evidence.report.figure_files import add_fine_formats

            add_fine_formats(folder / "figures")
    except Exception as error:
        return Failure(_describe(error), executed if executed.is_file() else None)
    return None


def available_cores() -> int:
    """Return how many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def format_notebook(notebook: "NotebookNode") -> str:
    """Return an executed notebook as JSON that is the same for the same data, wherever it was built.

    Folders, timings, random names and the state of widgets are left out.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            # Papermill gives this cell a random id.
            cell.id = "injected-parameters"
            lines = cell.source.splitlines()
            cell.source = "\n".join(
                line for line in lines if not line.startswith(("project = ", "out = "))
            )
    return format_json(notebook, sort_keys=True)


def _import_papermill() -> None:
    """Import papermill without an optional part of jsonschema that takes longer than all the rest.

    It compiles a grammar of web addresses in other alphabets; no schema of a notebook has one.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill  # noqa: F401

    if sys.modules.get("rfc3987_syntax", ...) is None:
        del sys.modules["rfc3987_syntax"]


def _execute(job: Job, folder: Path, executed: Path) -> None:
    _import_papermill()
    import papermill
    from jupyter_core.utils import ensure_event_loop

    limit = {} if job.memory_limit is None else {"memory_limit": job.memory_limit}
    try:
        notebook = papermill.execute_notebook(
            _escape_braces(job.notebook),
            _escape_braces(executed),
            parameters={**job.parameters, "project": str(job.project), "out": str(folder)},
            progress_bar=False,
            # With `cwd`, papermill would change the working directory of all threads.
            resources={"metadata": {"path": str(job.notebook.parent)}},
            # The notebook is written once, when the last cell is done or one has failed.
            request_save_on_cell_execute=False,
            engine_name=ENGINES[job.engine],
            kernel_name=_kernel(job.notebook),
            language="python",
            extra_arguments=list(KERNEL_ARGUMENTS),
            **limit,
        )
    finally:
        # papermill opens an event loop in each thread and leaves it open.
        ensure_event_loop().close()
    executed.write_text(format_notebook(notebook), "utf-8")


def _kernel(notebook: Path) -> str:
    """Return the kernel that a notebook names; that of any Python if it names none."""
    kernel = read_json(notebook)["metadata"].get("kernelspec")
    return (isinstance(kernel, dict) and kernel.get("name")) or "python3"


def _escape_braces(path: Path) -> str:
    """Return a path as papermill takes it, which fills names in braces with parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _describe(error: Exception) -> str:
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return f"cell {error.exec_count} failed: {error.ename}: {error.evalue}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return f"{type(error).__name__}: {error}"
