"""Find notebooks: those of this package, and those of a project, which replace or add to them."""

from pathlib import Path

FOLDER = "notebooks"
INSTALLED = Path(__file__).resolve().parents[1] / FOLDER
"""Inside an installed package."""
BESIDE_THE_SOURCE = Path(__file__).resolve().parents[3] / FOLDER
"""In a checkout of the repository."""


def own_notebooks() -> dict[str, Path]:
    """Return the package's own notebooks by name; they run on any project."""
    return _notebooks_in(INSTALLED) or _notebooks_in(BESIDE_THE_SOURCE)


def notebooks_of(project: Path) -> dict[str, Path]:
    """Return every notebook of a project by name, in order.

    A notebook in the project's `notebooks/` replaces the package's own of the same name.
    """
    return dict(sorted({**own_notebooks(), **_notebooks_in(project / FOLDER)}.items()))


def _notebooks_in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("[!.]*.ipynb"))}
