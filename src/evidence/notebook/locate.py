"""Find notebooks: those of this package, and those of a project, which replace or add to them."""

import os
from pathlib import Path

from evidence.dataset.text_checks import reveal_hidden
from evidence.errors import EvidenceError

FOLDER = "notebooks"
PACKAGED_ONLY = "EVIDENCE_PACKAGED_NOTEBOOKS"
"""The environment variable that, unless empty, hides the notebooks of every project."""
INSTALLED = Path(__file__).resolve().parents[1] / FOLDER
"""Inside an installed package."""
BESIDE_THE_SOURCE = Path(__file__).resolve().parents[3] / FOLDER
"""In a checkout of the repository."""


def own_notebooks() -> dict[str, Path]:
    """Return the package's own notebooks by name; they run on any project."""
    return _notebooks_in(INSTALLED) or _notebooks_in(BESIDE_THE_SOURCE)


def notebooks_of(project: Path) -> dict[str, Path]:
    """Return every notebook of a project by name, in order.

    A notebook in the project's `notebooks/` replaces the package's own of the same name, unless
    `PACKAGED_ONLY` is set.
    """
    added = {} if packaged_only() else _notebooks_in(project / FOLDER)
    return dict(sorted({**own_notebooks(), **added}.items()))


def packaged_only() -> bool:
    """Return whether the notebooks of projects are ignored."""
    return bool(os.environ.get(PACKAGED_ONLY))


def ignored_notebooks(project: Path) -> list[str]:
    """List the notebooks of a project that are not run because only the package's own are."""
    own = set(own_notebooks().values()) if packaged_only() else set()
    return [
        name for name, path in _notebooks_in(project / FOLDER).items() if own and path not in own
    ]


def _notebooks_in(folder: Path) -> dict[str, Path]:
    """Return the notebooks in a folder by name.

    Raise `EvidenceError` if a name holds what a message or an address cannot show, such as a line
    break.
    """
    notebooks = {path.stem: path for path in sorted(folder.glob("[!.]*.ipynb"))}
    for name in notebooks:
        if not name.isprintable():
            shown = reveal_hidden(f"{FOLDER}/{name}.ipynb")
            raise EvidenceError(f"{shown}: the name holds an invisible character. Rename the file.")
    return notebooks
