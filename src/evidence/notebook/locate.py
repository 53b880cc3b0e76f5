"""Where notebooks are: those of this package, and those that a project puts in their place.

Vocabulary
----------
The package's *own* notebooks run on any project. A notebook in a project's `notebooks/` takes the
place of the own one of the same name; one of another name is run as well.
"""

from pathlib import Path

FOLDER = "notebooks"
INSTALLED = Path(__file__).resolve().parents[1] / FOLDER
BESIDE_THE_SOURCE = Path(__file__).resolve().parents[3] / FOLDER


def own_notebooks() -> dict[str, Path]:
    """The package's own notebooks by name: inside it, or beside its source where it is edited."""
    return _in(INSTALLED) or _in(BESIDE_THE_SOURCE)


def notebooks_of(project: Path) -> dict[str, Path]:
    """Every notebook that is run on a project, by name and in order."""
    return dict(sorted({**own_notebooks(), **_in(project / FOLDER)}.items()))


def _in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("[!.]*.ipynb"))}
