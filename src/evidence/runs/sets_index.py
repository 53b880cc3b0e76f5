"""The page that leads to every set of a folder, read off the manifests of the sets themselves."""

import json
from collections.abc import Iterator
from pathlib import Path

from evidence.errors import ReportError
from evidence.runs.folders import failed, read_manifest, require_own

MARK = "sets.json"
INDEX = "index.html"


def require_ours(target: Path, project: Path) -> None:
    """Never write sets into a folder that holds something else.

    Raises
    ------
    ReportError
    """
    require_own(target, project, lambda folder: (folder / MARK).is_file(), "that are no sets")


def mark(target: Path) -> None:
    """Make the folder one that holds sets, if it is not.

    Raises
    ------
    ReportError
        Nothing can be written there.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        if not (target / MARK).is_file():
            _replace(target / MARK, "{}\n")
    except OSError as error:
        raise ReportError(f"--out {target}: cannot be written: {error.strerror}") from None


def write_index(target: Path) -> Path:
    """Write `index.html` and `sets.json`: every set with its parameters, reports and failures."""
    from evidence.publishing.pages import render

    sets = {path.name: read_manifest(path) for path in sorted(target.iterdir()) if path.is_dir()}
    rows = [_row(target, name, manifest) for name, manifest in sets.items() if manifest]
    page = render("sets.html", title="Reports by set of parameters", sets=rows)
    told = {row["name"]: row["parameters"] for row in rows}
    _replace(target / MARK, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    _replace(target / INDEX, page)
    return target / INDEX


def _row(target: Path, name: str, manifest: dict) -> dict:
    given: dict[str, object] = {}
    for report in manifest["reports"].values():
        given |= report["recipe"]["parameters"]
    return {
        "name": name,
        "parameters": given,
        "reports": list(manifest["reports"]),
        "failures": list(_failures(target, name, manifest)),
        "figures": manifest["figures"],
    }


def _failures(target: Path, name: str, manifest: dict) -> Iterator[dict[str, str]]:
    for report, says in manifest["failed"].items():
        kept = failed(target / name) / f"{report}.ipynb"
        link = kept.relative_to(target).as_posix() if kept.is_file() else ""
        yield {"name": report, "says": says, "notebook": link}


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is the old one or the new one at any moment."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)
