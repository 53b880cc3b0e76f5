"""Imported by the fork server before it forks: the libraries, this package, and a project's tables."""

import contextlib
import json
import os
from importlib import import_module
from pathlib import Path

from evidence.build.notebook_process import INLINE_BACKEND, PRELOAD_VARIABLE
from evidence.notebook.parameters import parse_cell

LIBRARIES = (
    "IPython.core.completer",
    "IPython.core.pylabtools",
    "anywidget",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "pypdfium2",
)
PACKAGES = (
    "statistics",
    "dataset",
    "provenance",
    "analysis",
    "figures",
    "tables",
    "notebook",
    "report",
)
"""What notebooks use of this package."""


def load_modules() -> None:
    """Import what notebooks use; what cannot be imported is an error of the notebook that needs it."""
    # matplotlib reads it when it is imported, and notebooks show figures with this backend.
    os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)
    root = Path(__file__).parents[1]
    paths = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    own = [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in paths]
    for name in (*LIBRARIES, *own):
        with contextlib.suppress(ImportError):
            import_module(name.removesuffix(".__init__"))
    # The first pydantic model takes a hundred times as long as each further one.
    _ = parse_cell("preload", "scope: str = 'all'").model


def load_tables(project: str, *, precompute: bool) -> None:
    """Read the tables and, if asked to, compute what many notebooks need of them."""
    from evidence.dataset import access_log
    from evidence.queries import load_dataset

    tables = load_dataset(project)
    if precompute:
        access_log.precompute(tables)


load_modules()
if options := os.environ.get(PRELOAD_VARIABLE):
    # Whatever is wrong with the tables is an error of the notebooks that read them.
    with contextlib.suppress(Exception):
        load_tables(**json.loads(options))
