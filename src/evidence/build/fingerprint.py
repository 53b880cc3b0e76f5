"""What a report is made from beside the tables, and whether a finished one would come out the same.

Vocabulary
----------
The *recipe* of a report is its notebook, its parameters, the code of this package and the versions
of the libraries. With what it read (see `evidence.dataset.access_log`) it decides the report: where both
are as they were and its files are whole, it is not made again.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from evidence.dataset import opened


def report_inputs(notebook: Path, parameters: Mapping[str, object], *, tiff: bool) -> dict:
    """Everything but the tables that decides how a report comes out, as JSON."""
    return {
        "notebook": _digest(notebook.read_bytes()),
        "parameters": dict(parameters),
        "tiff": tiff,
        "code": code_digest(),
        "libraries": library_versions(),
    }


def describe_differences(old: Mapping, new: Mapping) -> list[str]:
    """How one recipe differs from another, in words."""
    said = []
    if old["notebook"] != new["notebook"]:
        said.append("its notebook was edited")
    said += [f"{name} {told}" for name, told in _pairs(old["parameters"], new["parameters"])]
    if old["tiff"] != new["tiff"]:
        said.append(f"TIFF {'is' if new['tiff'] else 'is not'} asked for")
    if old["code"] != new["code"]:
        said.append("the code of evidence changed")
    return said + [f"{name} {told}" for name, told in _pairs(old["libraries"], new["libraries"])]


def modified_files(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Which files of a finished report are missing or not as they were written."""
    return [f"{name} is not as it was written" for name in files if file_digest(folder / name) !=
            files[name]]  # fmt: skip


def file_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The digests of some files of a folder, by name."""
    return {name: file_digest(folder / name) for name in names}


def file_digest(path: Path) -> str:
    """The digest of a file, 32 hexadecimal digits; empty if it cannot be read."""
    try:
        return _digest(path.read_bytes())
    except OSError:
        return ""


def files_changed(project: Path, files: Mapping[str, str]) -> bool:
    """Whether a file that a report opened by itself is not as it was."""
    return any(opened.digest(project / name) != digest for name, digest in files.items())


def _pairs(old: Mapping, new: Mapping):
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new or old[name] != new[name]:
            yield name, f"was {old.get(name, 'absent')}, is {new.get(name, 'absent')}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


@cache
def code_digest() -> str:
    """The digest of every file of this package that is no notebook: those are told of alone."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix not in (".pyc", ".ipynb"):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


@cache
def library_versions() -> dict[str, str]:
    """Python and the libraries that this package names, with their versions."""
    wanted = [text for text in metadata.requires("evidence") or () if "extra ==" not in text]
    names = sorted(re.match(r"[\w.-]+", text)[0] for text in wanted)
    return {"python": ".".join(map(str, sys.version_info[:3]))} | {
        name: metadata.version(name) for name in names
    }
