"""What a report depends on besides the tables, and which of it has changed."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from evidence.files import combined_digest, is_cache, path_digest
from evidence.notebook.locate import packaged_only

DIGITS = 32


def report_inputs(notebook: Path, parameters: Mapping[str, object], *, formats: str) -> dict:
    """Return everything but the tables that decides a report, as JSON.

    Files in the folder of the notebook count, other notebooks do not: a notebook may import a
    module or read a table that lies beside it.
    """
    return {
        "notebook": path_digest(notebook, DIGITS),
        "beside": file_digests(notebook.parent, _files_beside(notebook.parent)),
        "parameters": dict(parameters),
        "packaged_notebooks": packaged_only(),
        "formats": formats,
        "code": code_digest(),
        "libraries": library_versions(),
    }


def describe_differences(old: Mapping, new: Mapping) -> list[str]:
    """Describe how the inputs of a report have changed, one text per input."""
    if old["packaged_notebooks"] != new["packaged_notebooks"]:
        are = "are ignored" if new["packaged_notebooks"] else "are run again"
        reasons = [f"the project's own notebooks {are}"]
    else:
        reasons = ["its notebook was edited"] if old["notebook"] != new["notebook"] else []
        files = (name for name, _, _ in _pairs(old["beside"], new["beside"]))
        reasons += [f"notebooks/{name} changed" for name in files]
    reasons += _changes(old["parameters"], new["parameters"])
    if old["formats"] != new["formats"]:
        reasons.append(f"--formats was {old['formats']}, is {new['formats']}")
    if old["code"] != new["code"]:
        reasons.append("the code of evidence changed")
    return reasons + _changes(old["libraries"], new["libraries"])


def modified_files(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Describe which files of a finished report are missing or are not as they were written."""
    changed = (name for name in files if path_digest(folder / name, DIGITS) != files[name])
    return [f"{name} was modified or deleted" for name in changed]


def file_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of some files of a folder, by name."""
    return {name: path_digest(folder / name, DIGITS) for name in names}


@cache
def code_digest() -> str:
    """Return the digest of every file of this package but its notebooks."""
    package = Path(__file__).resolve().parents[1]
    return combined_digest(package, filter(_counts, package.rglob("*")), DIGITS)


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that this package requires."""
    required = [text for text in metadata.requires("evidence") or () if "extra ==" not in text]
    names = sorted(re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in required)
    versions = {name: metadata.version(name) for name in names}
    return {"python": ".".join(map(str, sys.version_info[:3])), **versions}


def _files_beside(folder: Path) -> list[str]:
    """List the files in a folder and its subfolders, except notebooks and hidden and compiled ones."""
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if _counts(path))
    return [name.as_posix() for name in names if not any(part[0] == "." for part in name.parts)]


def _counts(path: Path) -> bool:
    return path.is_file() and path.suffix != ".ipynb" and not is_cache(path)


def _changes(old: Mapping, new: Mapping) -> list[str]:
    return [f"{name} was {before}, is {after}" for name, before, after in _pairs(old, new)]


def _pairs(old: Mapping, new: Mapping) -> Iterator[tuple[str, object, object]]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, "absent"), new.get(name, "absent")
        if before != after:
            yield name, before, after
