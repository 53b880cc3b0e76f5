"""Versions of a project to compare: a folder, a revision of its repository, or a values.json.

Vocabulary
----------
A version's *own code* is the package that stands in its `src/`; where it differs from the one that
is running, headline numbers are computed by it as well, in a process of its own, so that a changed
method can be told from changed data.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.compare.key_numbers import KeyNumber, from_records, key_numbers
from evidence.compare.version_diff import Numbers, VersionDiff, compare_values, diff_datasets
from evidence.dataset.dataset import Dataset, find_project, load_dataset
from evidence.errors import EvidenceError
from evidence.provenance.values import read_finished

MANIFEST = "manifest.json"
CODE = Path("src") / "evidence"
TELL = (
    "import json, sys; from evidence.dataset.dataset import load_dataset; "
    "from evidence.compare.key_numbers import as_records, headlines; "
    "json.dump(as_records(headlines(load_dataset(sys.argv[1]))), sys.stdout)"
)


@dataclass(frozen=True)
class Version:
    """A version by its name.

    `folder` holds its tables (None where only `values` are at hand), `code` the folder of its own
    package and `mark` what tells one package from another; both empty for the running one.
    """

    name: str
    folder: Path | None
    code: Path | None = None
    mark: str = ""
    values: Mapping[str, dict] | None = None


def compare_versions(old: str, new: str, project: str | Path = "") -> VersionDiff:
    """What changed between two versions, each a project folder, a git revision or a values.json.

    Parameters
    ----------
    old, new : str
        A path is tried first, then a revision of the repository that `project` lies in.

    Raises
    ------
    EvidenceError
        Neither a path nor a revision, or values of which the other version has none.
    DatasetError
        The tables of a version cannot be read.
    """
    with open_version(old, project) as one, open_version(new, project) as two:
        if one.folder is None or two.folder is None:
            return compare_values(_values(one), _values(two), before=one.name, after=two.name)
        then, now = load_dataset(one.folder), load_dataset(two.folder)
        numbers, methods = _numbers(one, two, then, now)
        return diff_datasets(then, now, numbers, before=one.name, after=two.name, methods=methods)


def _numbers(one: Version, two: Version, then: Dataset, now: Dataset) -> tuple[Numbers, str]:
    """The headlines of both tables by the later code, those of the earlier ones by their own."""
    alike = then.checksums == now.checksums
    if one.mark == two.mark and alike:
        return Numbers(None, {}, {}), "The same tables and the same code."
    new = _told(two.folder, two.code)
    later = two.code if new is not None else None
    new = key_numbers(now) if new is None else new
    same = new if alike else (_told(one.folder, later) or key_numbers(then))
    if one.mark == two.mark:
        said = "Both versions hold the same code: every difference is one of data."
        return Numbers(None, same, new), said
    old = key_numbers(then) if one.code is None else _told(one.folder, one.code)
    if old is None:
        said = (
            "The code differs, and that of the earlier version cannot tell the headline numbers: "
            "both are computed by the later code, and a changed method is not seen."
        )
        return Numbers(None, same, new), said
    moved = sum(old.get(name) != same.get(name) for name in {*old, *same})
    return Numbers(old, same, new), f"The code differs: the same tables give {moved} numbers anew."


@contextlib.contextmanager
def open_version(name: str, project: str | Path = "") -> Iterator[Version]:
    """A version ready to be read; a revision is unpacked into a folder that is gone afterwards.

    Raises
    ------
    EvidenceError
    """
    path = Path(name).expanduser()
    if path.is_dir():
        folder = find_project(path)
        yield Version(name, folder, *_own_code(folder))
    elif path.is_file():
        yield _of_values(name, path)
    else:
        with tempfile.TemporaryDirectory() as unpacked:
            folder = Path(unpacked)
            said = _unpack(name, find_project(project), folder)
            yield Version(said, find_project(folder), *_own_code(folder))


def _of_values(name: str, path: Path) -> Version:
    """A values.json, with the tables around its reports if it was made from just those."""
    try:
        values = json.loads(path.read_text("utf-8"))
        is_values = all("value" in entry and "rows" in entry for entry in values.values())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, AttributeError, TypeError):
        is_values = False
    if not is_values:
        raise EvidenceError(f"{name}: is no values.json of finished reports")
    manifest = path.with_name(MANIFEST)
    if manifest.is_file():
        inputs = json.loads(manifest.read_text("utf-8"))["inputs"]
        folder = path.resolve().parent.parent
        with contextlib.suppress(EvidenceError):
            if load_dataset(folder).checksums == inputs:
                return Version(name, folder, *_own_code(folder), values)
    return Version(name, None, values=values)


def _values(version: Version) -> Mapping[str, dict]:
    if version.values is not None:
        return version.values
    return read_finished(version.folder / "reports", "values.json")[0]


def _git(project: Path, *arguments: str) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(["git", "-C", str(project), *arguments], capture_output=True)
    except FileNotFoundError:
        raise EvidenceError("git is not installed; name a folder or a values.json") from None


def _unpack(revision: str, project: Path, folder: Path) -> str:
    """The project as it was at a revision, put into a folder; returns the revision's full name."""
    found = _git(project, "rev-parse", "--verify", "--quiet", "--end-of-options",
                 f"{revision}^{{commit}}")  # fmt: skip
    if found.returncode:
        raise EvidenceError(
            f"{revision}: is no folder, no values.json and no revision of the repository around "
            f"{project}"
        )
    commit = found.stdout.decode().strip()
    archive = folder / "archive.tar"
    made = _git(project, "archive", "--format=tar", f"--output={archive}", commit)
    if made.returncode:
        raise EvidenceError(f"{revision}: {made.stderr.decode().strip()}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    return f"{revision} ({commit[:7]})" if not commit.startswith(revision) else commit[:7]


def _own_code(folder: Path) -> tuple[Path | None, str]:
    """The folder's `src` and its mark if it holds a package that is not the running one."""
    own = folder / CODE
    if not (own / "__init__.py").is_file():
        return None, ""
    mark = _fingerprint(own)
    running = _fingerprint(Path(__file__).resolve().parents[1])
    return (None, "") if mark == running else (own.parent, mark)


def _fingerprint(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".toml"):
            digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _told(folder: Path, code: Path | None) -> dict[str, KeyNumber] | None:
    """The headlines of a folder's tables by another code than the running one.

    None if there is no other code, or if it fails or does not know headlines yet.
    """
    if code is None:
        return None
    environment = os.environ | {"PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    told = subprocess.run(
        [sys.executable, "-c", TELL, str(folder)], capture_output=True, env=environment, cwd=folder
    )
    return None if told.returncode else from_records(json.loads(told.stdout))
