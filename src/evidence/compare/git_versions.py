"""Read the data of two versions of a project: folders, git revisions or `values.json` files.

Only data are read from a git revision. All numbers are computed with the installed code, so a
difference between two versions is always a difference in their data.
"""

import csv
import io
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from evidence.compare.version_diff import VersionDiff, diff_datasets, diff_values
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset, read_dataset
from evidence.dataset.project_folder import find_project
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.errors import DatasetError, EvidenceError, did_you_mean
from evidence.files import read_json, real_path, temporary_folder
from evidence.provenance.values import read_build_files

RENAMED_FILES = {
    "data/appraisals.csv": "data/risk_of_bias.csv",
    "data/certainties.csv": "data/grade_decisions.csv",
    "data/thresholds.csv": "data/minimal_important_differences.csv",
}
"""Names of tables before version 0.3."""
RENAMED_COLUMNS = {
    "good_until": "review_due",
    "headline": "display_order",
    "looked": "last_searched",
    "opposite": "complement",
    "signed": "signed_by",
    "time_stamp": "asked_on",
    "unblinding": "blinding",
    "usual_days": "default_days",
    "within": "subset_of",
}
"""Names of columns before version 0.3."""
RENAMED_WORDS = {
    "unblinding": {
        "open": "open label",
        "evident": "inactive comparator",
        "disguised": "active placebo",
        "hidden": "indistinguishable",
    }
}
"""Words before version 0.3, by the column's earlier name."""
NO_PROGRAMS = (
    "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "-c", "protocol.allow=never",
)  # fmt: skip
"""Options by which git starts none of the programs that a repository's configuration can name."""
FIXED_VARIABLES = {
    "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C",
}  # fmt: skip
KEPT_VARIABLES = ("GIT_CONFIG", "GIT_CEILING_", "GIT_DISCOVERY_", "GIT_EXEC_PATH")
"""Those that a person sets. Others, as git sets for hooks, may lead to another repository."""
NOT_THERE = re.compile(r"not a git repository \(or any|No names found|No tags can describe")
"""How git says that there is nothing; whatever else it says keeps it from reading."""
WITHOUT_HISTORY = "This clone lacks earlier commits. Get them with: git fetch --unshallow --tags"
MAX_TAGS = 12
"""Tags that a message lists: the latest versions."""
_DOSE = "dose_mg_per_kg"
"""The column of doses before version 0.5, when all were in mg/kg."""
_HAS_DOSE: dict[schema.Table, Callable[[dict[str, str]], object]] = {
    schema.STUDIES: lambda row: row.get("dose"),
    schema.STATEMENTS: lambda row: row.get("quantity") == "dose",
    schema.DOSES: lambda row: row.get("drug"),
}
"""Tables with a unit of dose, and whether a row has one."""


def compare_versions(old: str, new: str, project: str | Path = "") -> VersionDiff:
    """Compare two versions of a project.

    Parameters
    ----------
    old, new : str
        Each a project folder, a git revision, or the `values.json` of finished reports. A path is
        tried first. As soon as one of the two is a `values.json`, the values of finished reports
        are compared and not the tables.
    project : path
        A folder in the repository that git revisions belong to; empty: see `find_project`.

    Raises
    ------
    EvidenceError
        If a version is not one of these, or its tables have columns that this release of evidence
        does not know.
    DatasetError
        If the tables of a project folder have errors.
    """
    if Path(old).is_file() or Path(new).is_file():
        return diff_values(read_values(old), read_values(new), before=old, after=new)
    (before, old_data), (after, new_data) = (
        read_version(version, project) for version in (old, new)
    )
    return diff_datasets(old_data, new_data, before=before, after=after)


def read_values(version: str) -> dict[str, dict]:
    """Read the values of finished reports from a `values.json` or from a project's `reports/`.

    Raises
    ------
    EvidenceError
        If there is no such file, or it does not hold the values of finished reports.
    """
    path = Path(version)
    if path.is_dir():
        return read_build_files(find_project(path) / "reports", "values.json")[0]
    try:
        values = read_json(path)
        is_values = all({"value", "rows", "method"} <= set(entry) for entry in values.values())
    except FileNotFoundError:
        raise EvidenceError(
            f"{version}: a values.json can only be compared with another values.json or with a "
            "project folder that has reports"
        ) from None
    except (OSError, ValueError, AttributeError, TypeError):
        is_values = False
    if not is_values:
        raise EvidenceError(f"{version}: not a values.json of finished reports")
    return values


def read_version(version: str, project: str | Path = "") -> tuple[str, Dataset]:
    """Read the tables and the bibliography of a project folder or of a git revision.

    Returns
    -------
    tuple of str and Dataset
        The name of the version, for a revision with its short commit hash, and its data.

    Raises
    ------
    EvidenceError
        If the version is neither, or its tables do not fit the schema of this release.
    DatasetError
        If the tables of a folder have errors.
    """
    if version and real_path(version).is_dir():
        return version, read_dataset(version)
    root = find_project(project)
    commit = _resolve(version, root)
    name = commit[:7] if commit.startswith(version) else f"{version} ({commit[:7]})"
    with temporary_folder(root) as folder:
        _extract_data(root, commit, folder)
        try:
            return name, read_dataset(folder)
        except DatasetError as error:
            raise EvidenceError(
                f"{name}: the data of this revision do not fit the tables that this release of "
                f"evidence knows; compare it with the release that it was written for\n{error}"
            ) from None
        except EvidenceError:
            raise EvidenceError(f"{name}: no project data in this revision of {root}") from None


def _resolve(revision: str, root: Path) -> str:
    """Return the full commit hash of a revision."""
    commit = b""
    # A name such as "--output=x" must never reach git as an option.
    if not revision.startswith("-"):
        commit = run_git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not commit:
        tags = tag_names(root)
        listed = f" Tags: {', '.join(tags[-MAX_TAGS:])}" if tags else ""
        listed = listed or " It has no tags; name a commit, such as HEAD~1"
        listed += f". {WITHOUT_HISTORY}" if is_shallow(root) else ""
        raise EvidenceError(
            f"{revision}: not a folder, a values.json or a revision of the repository at {root}."
            f"{did_you_mean(revision, tags)}{listed}"
        )
    return commit.decode().strip()


def is_shallow(root: Path) -> bool:
    """Return whether a repository is a clone without its whole history."""
    return run_git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def tag_names(root: Path) -> list[str]:
    """List the tags of a repository by version."""
    listing = run_git(root, "tag", "--list", "--sort=version:refname")
    return listing.decode("utf-8", "replace").split()


def _extract_data(root: Path, commit: str, folder: Path) -> None:
    """Write the data files of a commit below a folder, under the names of today's schema."""
    listing = run_git(root, "ls-tree", "-r", "-z", "--name-only", commit, "data", BIBLIOGRAPHY_FILE)
    for name in listing.decode("utf-8", "replace").split("\0"):
        current = RENAMED_FILES.get(name, name)
        if current not in schema.BY_FILE and current != BIBLIOGRAPHY_FILE:
            continue
        content = run_git(root, "cat-file", "blob", f"{commit}:./{name}")
        path = folder / current
        path.parent.mkdir(exist_ok=True)
        is_csv = current.endswith(".csv")
        path.write_bytes(_rename(schema.BY_FILE[current], content) if is_csv else content)


def _rename(table: schema.Table, content: bytes) -> bytes:
    """Replace earlier column names and words of a table by today's."""
    try:
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    except (ValueError, csv.Error):
        return content
    original = header, rows
    header, rows = _with_dose_units(table, header, rows)
    renamed = {
        name: RENAMED_COLUMNS[name]
        for name in header
        if name not in table.names and RENAMED_COLUMNS.get(name) in table.names
    }
    if not renamed and (header, rows) == original:
        return content
    words = [RENAMED_WORDS.get(name, {}) if name in renamed else {} for name in header]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([renamed.get(name, name) for name in header])
    for row in rows:
        cells = [translation.get(cell, cell) for translation, cell in zip(words, row, strict=False)]
        writer.writerow([*cells, *row[len(words) :]])
    return buffer.getvalue().encode()


def _with_dose_units(
    table: schema.Table, header: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    """Give the doses of earlier versions their unit, in columns and in row filters."""
    query = re.compile(rf"{_DOSE}(?=\s*[<>!=])")
    header = [name.replace(_DOSE, "dose") for name in header]
    rows = [
        [query.sub("dose_unit=mg/kg and dose", cell).replace(_DOSE, "dose") for cell in row]
        for row in rows
    ]
    if table not in _HAS_DOSE or "dose_unit" in header:
        return header, rows
    units = [
        "mg/kg" if _HAS_DOSE[table](dict(zip(header, row, strict=False))) else "" for row in rows
    ]
    return [*header, "dose_unit"], [[*row, unit] for row, unit in zip(rows, units, strict=True)]


def run_git(root: Path, *arguments: str) -> bytes:
    """Return the output of a git command that only reads; empty if what it asks for is not there.

    Raises
    ------
    EvidenceError
        The folder is in a repository that cannot be read, or git is not installed.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return b""
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(KEPT_VARIABLES)
    }
    try:
        done = subprocess.run(
            ["git", *NO_PROGRAMS, "-C", str(root), *arguments],
            capture_output=True,
            env=environment | FIXED_VARIABLES,
        )
    except OSError as error:
        raise EvidenceError(
            f"git cannot be started: {error.strerror}. Install git, or name a folder or a values.json"
        ) from None
    reason = " ".join(done.stderr.decode("utf-8", "replace").split())
    if done.returncode and reason and not NOT_THERE.search(reason):
        raise EvidenceError(f"{root}: git failed: {reason}")
    return done.stdout
