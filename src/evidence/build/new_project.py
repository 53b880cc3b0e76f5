"""A project to begin with: a small invented example on which everything works at once."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from evidence.errors import EvidenceError
from evidence.notebook.locate import FOLDER, own_notebooks

EXAMPLE = Path(__file__).resolve().parent / "example"


def create_project(folder: str | Path, *, notebooks: bool = False) -> Path:
    """Write the invented example as a project; it is there whole or not at all.

    Parameters
    ----------
    folder : path
        Does not exist yet, or is empty; the folder around it exists.
    notebooks : bool
        Put copies of the package's own notebooks into it as well, to be changed there.

    Raises
    ------
    EvidenceError
        The folder holds something, is no folder, or cannot be written.
    """
    target = Path(folder).expanduser()
    try:
        target = target.resolve()
        _require_empty(target)
        with _beside(target) as staging:
            files = {path.relative_to(EXAMPLE): path for path in EXAMPLE.rglob("*")}
            if notebooks:
                files |= {Path(FOLDER, path.name): path for path in own_notebooks().values()}
            for name, path in files.items():
                if path.is_file():
                    (staging / name).parent.mkdir(exist_ok=True)
                    shutil.copyfile(path, staging / name)
            # Not every system puts a folder in the place of an empty one.
            if target.exists():
                target.rmdir()
            staging.rename(target)
    except OSError as error:
        raise EvidenceError(f"{target}: cannot be written: {error.strerror or error}") from None
    return target


def _require_empty(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise EvidenceError(f"{target}: is a file; name a folder that does not exist yet")
    if target.is_dir() and any(target.iterdir()):
        raise EvidenceError(
            f"{target}: holds files; name a folder that does not exist yet or is empty"
        )
    if not target.parent.is_dir():
        raise EvidenceError(f"{target}: the folder around it does not exist; make it first")


@contextlib.contextmanager
def _beside(target: Path):
    """A new folder beside `target` that is gone afterwards unless it was renamed."""
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name[:60]}.", dir=target.parent))
    try:
        staging.chmod(0o755)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
