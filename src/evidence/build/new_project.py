"""Create a project: a small invented example on which every command works at once."""

import shutil
from pathlib import Path

from evidence.dataset.project_folder import EXAMPLE
from evidence.errors import EvidenceError
from evidence.files import real_path, temporary_folder
from evidence.notebook.locate import FOLDER, own_notebooks


def create_project(folder: str | Path, *, notebooks: bool = False) -> Path:
    """Write the example project into a folder, completely or not at all.

    Raise `EvidenceError` if the folder is not empty, is not a folder, or cannot be written. On
    request the package's notebooks are copied into the project too, to change them there.
    """
    target = real_path(folder)
    try:
        _require_empty(target)
        with temporary_folder(target, target.parent) as staging:
            files = {path.relative_to(EXAMPLE): path for path in EXAMPLE.rglob("*")}
            if notebooks:
                files |= {Path(FOLDER, path.name): path for path in own_notebooks().values()}
            for name, path in files.items():
                if path.is_file():
                    (staging / name).parent.mkdir(exist_ok=True)
                    shutil.copyfile(path, staging / name)
            staging.chmod(0o755)
            # Some systems do not replace an empty folder.
            if target.exists():
                target.rmdir()
            staging.rename(target)
    except OSError as error:
        raise EvidenceError(f"{target}: cannot be written: {error.strerror or error}") from None
    return target


def _require_empty(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise EvidenceError(f"{target}: is a file. Name a folder that does not exist yet")
    if target.is_dir() and any(target.iterdir()):
        raise EvidenceError(f"{target}: is not empty. Name an empty folder or a new one")
    if not target.parent.is_dir():
        raise EvidenceError(f"{target.parent}: does not exist. Create this folder first")
