"""What git knows of a project: its commit, its last tag, and files that differ from the commit.

Files are compared with the hashes in the commit, since `git status` may start programs that the
configuration of a repository names.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from evidence.compare.git_versions import run_git


def commit_of(project: Path, name: str = "HEAD") -> str:
    """Return the hash of a commit; empty outside of a repository."""
    commit = f"{name}^{{commit}}"
    return run_git(project, "rev-parse", "--verify", "--quiet", commit).decode().strip()


def last_tag(project: Path, without: Iterable[str]) -> str:
    """Return the nearest tag at or before the current commit, without some; empty if there is none."""
    excluded = [f"--exclude={name}" for name in without]
    return run_git(project, "describe", "--tags", "--abbrev=0", *excluded).decode().strip()


def uncommitted_files(project: Path, files: Iterable[str]) -> Iterator[str]:
    """Describe tracked files that differ from the commit, and those of `files` that it lacks."""
    listing = run_git(project, "ls-tree", "-r", "-z", "HEAD").decode("utf-8", "surrogateescape")
    tracked = {}
    for entry in filter(None, listing.split("\0")):
        about, _, name = entry.partition("\t")
        mode, _, blob = about.split()
        tracked[name] = blob
        # Links and the commits of submodules are not files.
        if mode.startswith("100") and (state := _state(project / name, blob)):
            yield f"{name} {state}"
    for name in files:
        if name not in tracked:
            yield f"{name} is not committed"


def _state(path: Path, blob: str) -> str:
    if not path.is_file():
        return "is missing or not checked out"
    content = path.read_bytes()
    # Git for Windows writes other line ends than it commits.
    forms = (content, content.replace(b"\r\n", b"\n"))
    return "" if blob in (_blob(form, len(blob)) for form in forms) else "was modified"


def _blob(content: bytes, digits: int) -> str:
    """Return git's hash of a file; newer repositories use SHA-256."""
    algorithm = "sha1" if digits == 40 else "sha256"
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content).hexdigest()
