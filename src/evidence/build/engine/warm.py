"""A papermill engine that forks each notebook's kernel from a process with the libraries loaded.

`papermill --engine evidence` and `evidence report` run notebooks with it. What runs the cells is
ipykernel and what collects their outputs is nbclient, as with papermill's own engine; only the
start of the kernel and the way to it differ. Where that cannot be done, papermill's own engine
runs. Papermill loads this module while it is itself imported, and nothing else should.
"""

import os
import sys
import threading

from papermill.engines import NBClientEngine


class WarmEngine(NBClientEngine):
    """Run a notebook in a fresh process that was forked with the libraries loaded."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, memory_limit=None, project=None, many=False, **options
    ):
        """Run the cells; every option of papermill's own engine is its own.

        Parameters
        ----------
        memory_limit : int, optional
            MiB that the notebook may take on top of what the loaded libraries have. Beyond that a
            cell fails with a MemoryError.
        project : str, optional
            The folder that the notebook will read, so that its tables are read once for all runs.
        many : bool
            Whether the same tables serve several sets of reports: what the tables as a whole say is
            then computed once for all.

        Raises
        ------
        ReportError
            A memory limit is asked for where none can be set.
        """
        if memory_limit is not None and not can_limit(kernel_name):
            from evidence.errors import ReportError

            raise ReportError(
                f"memory limit of {memory_limit} MiB: can only be set on Linux, "
                "and for the kernel of this Python"
            )
        if not can_fork(kernel_name):
            return super().execute_managed_notebook(nb_man, kernel_name, **options)
        from evidence.build.engine.client import Manager

        language = nb_man.nb.metadata.get("language_info") or {"name": "python"}
        manager = Manager(language, memory_limit, project, many)
        try:
            return super().execute_managed_notebook(nb_man, kernel_name, km=manager, **options)
        finally:
            manager.cleanup_resources()
            _close_loop()


def _close_loop() -> None:
    """Close the event loop that nbclient had made for this thread, which may end after this run."""
    import asyncio

    from jupyter_core.utils import ensure_event_loop

    in_use = asyncio._get_running_loop() is not None
    if not in_use and threading.current_thread() is not threading.main_thread():
        ensure_event_loop().close()
        asyncio.set_event_loop(None)


def can_fork(kernel_name: str) -> bool:
    """Whether a forked process can stand in for this kernel: the one of this very Python."""
    if not hasattr(os, "fork"):
        return False
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        kernel = KernelSpecManager().get_kernel_spec(kernel_name)
    except NoSuchKernel:
        return False
    major, minor = sys.version_info[:2]
    ours = {sys.executable, "python", f"python{major}", f"python{major}.{minor}"}
    launches = (
        kernel.argv[1:3] == ["-m", "ipykernel_launcher"] or "ipykernel_launcher" in kernel.argv
    )
    return launches and kernel.argv[0] in ours and not kernel.env


def can_limit(kernel_name: str) -> bool:
    """Whether the memory of a notebook can be limited here."""
    return sys.platform == "linux" and can_fork(kernel_name)
