"""The page that leads to every set of a folder, read off the manifests of the sets themselves.

From executed notebooks to a folder of finished reports: pages, index, values, manifest.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from evidence.analysis.audit_sample import error_rate
from evidence.build.fingerprint import file_digests
from evidence.build.output_folder import (
    BATCH_MARKER,
    INDEX,
    MANIFEST,
    failed_folder,
    read_manifest,
    require_owned_folder,
)
from evidence.build.plan import ReportPlan
from evidence.dataset.dataset import Dataset
from evidence.dataset.record_comparison import line_digests
from evidence.errors import ReportError
from evidence.notebook.parameters import COMMAND_OPTIONS, read_parameters
from evidence.report import html_pages, index_page
from evidence.report.footnotes import sentence_html


def require_batch_folder(target: Path, project: Path) -> None:
    """Never write sets into a folder that holds something else.

    Raises
    ------
    ReportError
    """
    require_owned_folder(
        target, project, lambda folder: (folder / BATCH_MARKER).is_file(), "that are no sets"
    )


def create_marker_file(target: Path) -> None:
    """Make the folder one that holds sets, if it is not.

    Raises
    ------
    ReportError
        Nothing can be written there.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        if not (target / BATCH_MARKER).is_file():
            _replace(target / BATCH_MARKER, "{}\n")
    except OSError as error:
        raise ReportError(f"--out {target}: cannot be written: {error.strerror}") from None


def write_batch_index(target: Path) -> Path:
    """Write `index.html` and `sets.json`: every set with its parameters, reports and failures."""
    from evidence.report.html_pages import render

    sets = {path.name: read_manifest(path) for path in sorted(target.iterdir()) if path.is_dir()}
    rows = [_row(target, name, manifest) for name, manifest in sets.items() if manifest]
    page = render("sets.html", title="Reports by set of parameters", sets=rows)
    told = {row["name"]: row["parameters"] for row in rows}
    _replace(target / BATCH_MARKER, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
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
        kept = failed_folder(target / name) / f"{report}.ipynb"
        link = kept.relative_to(target).as_posix() if kept.is_file() else ""
        yield {"name": report, "says": says, "notebook": link}


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is the old one or the new one at any moment."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)


LISTS = ("values.json", "texts.json")
SHARED = ("scope", "conditions", "outcomes", "confidence")


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a report.

    `parameters` are those it was made with, defaults and all; `recipe` as of
    `evidence.build.fingerprint`; `inputs` are the checksums of the tables for which it holds, `files` the
    digests of its files.
    """

    parameters: dict
    recipe: dict
    inputs: dict[str, str]
    files: dict[str, str]

    def now(self, inputs: dict[str, str]) -> "Entry":
        """The same, for tables that differ in nothing that it read."""
        return replace(self, inputs=inputs)


def finish(
    dataset: Dataset,
    wanted: ReportPlan,
    entries: Mapping[str, Entry],
    failures: Mapping[str, str],
    staging: Path,
) -> tuple[int, int]:
    """Write everything that is not one report's own; returns how many figures and values there are.

    Parameters
    ----------
    entries : mapping
        The reports whose files are in `staging`, by name.
    failures : mapping of str to str
        What went wrong, by the name of the report.
    """
    executed = {
        name: json.loads((staging / "notebooks" / f"{name}.ipynb").read_text("utf-8"))
        for name in entries
    }
    described = {name: html_pages.describe_notebook(name, book) for name, book in executed.items()}
    audited = sentence_html(error_rate(dataset), page="index")
    beside = {path.name for path in (staging / "figures").glob("*")}
    rendered = {
        name: html_pages.render_notebook(
            book,
            described[name],
            list(described.values()),
            list(entries[name].parameters.items()),
            entries[name].inputs,
            audited,
            beside,
            wanted.name,
        )
        for name, book in executed.items()
    }
    shared = _shared([entry.parameters for entry in entries.values()])
    rendered["index"], ledger = index_page.render_index(
        dataset,
        list(described.values()),
        scope=shared.get("scope", "guide"),
        confidence=shared.get("confidence", 0.95),
        notes=_notes(dataset, entries),
        failures=list(_failures_finishing(wanted.target, failures)),
        within=wanted.name,
    )
    for name, text in html_pages.resolve_row_links(rendered).items():
        (staging / f"{name}.html").write_text(text, "utf-8")
    kept, written = {"index": ledger.values}, {"index": ledger.texts}
    for name in entries:
        path = staging / "values" / f"{name}.json"
        if path.is_file():
            content = json.loads(path.read_text("utf-8"))
            kept[name], written[name] = content["values"], content["texts"]
    numbers = _by_page(kept)
    _write_json(staging / "values.json", numbers)
    _write_json(staging / "texts.json", _by_page(written))
    figures = len(list((staging / "figures").glob("*.svg")))
    _write_json(
        staging / MANIFEST,
        {
            "evidence": version("evidence"),
            "inputs": dataset.checksums,
            "lines": line_digests(dataset),
            "figures": figures,
            "values": len(numbers),
            "failed": dict(failures),
            "reports": {name: asdict(entry) for name, entry in entries.items()},
            "pages": file_digests(staging, [*(f"{name}.html" for name in rendered), *LISTS]),
        },
    )
    return figures, len(numbers)


def used(notebook: Path, given: Mapping[str, object]) -> dict:
    """The parameters of a report, with those that were left at their defaults."""
    defaults = {name: about.default for name, about in read_parameters(notebook).parameters.items()}
    return {
        name: value for name, value in (defaults | given).items() if name not in COMMAND_OPTIONS
    }


def _by_page(parts: Mapping[str, dict]) -> dict:
    return {f"{name}/{key}": entry for name in parts for key, entry in parts[name].items()}


def _write_json(path: Path, content) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _shared(parameters: Sequence[Mapping[str, object]]) -> dict:
    """Shared parameters on which all reports of this run agree."""
    first = parameters[0] if parameters else {}
    return {
        name: first[name]
        for name in SHARED
        if name in first and all(other.get(name) == first[name] for other in parameters)
    }


def _failures_finishing(target: Path, failures: Mapping[str, str]) -> Iterable[dict[str, str]]:
    """Each report that could not be made, why, and where its notebook is from the index."""
    for name, says in failures.items():
        notebook = failed_folder(target) / f"{name}.ipynb"
        link = os.path.relpath(notebook, target) if notebook.is_file() else ""
        yield {"name": name, "says": says, "notebook": Path(link).as_posix() if link else ""}


def _notes(dataset: Dataset, entries: Mapping[str, Entry]) -> list[str]:
    """What the index must admit: reports from earlier data, or made with other parameters."""
    notes = []
    old = [name for name, entry in entries.items() if entry.inputs != dataset.checksums]
    if old:
        notes.append(f"Made from earlier data and not renewed in this run: {', '.join(old)}.")
    narrow = [
        name
        for name, entry in entries.items()
        if entry.parameters.get("conditions") or entry.parameters.get("outcomes")
    ]
    if narrow:
        notes.append(f"Narrowed to part of the data by their parameters: {', '.join(narrow)}.")
    return notes
