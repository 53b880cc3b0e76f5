"""From executed notebooks to finished reports: pages, index, values and manifest of a set.

Also the index of a batch, which is written from the manifests of its sets.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from evidence.analysis.audit_sample import error_rate
from evidence.analysis.narrative.scope import describe_parameters
from evidence.build.fingerprint import file_digests
from evidence.build.output_folder import (
    BATCH_MARKER,
    INDEX,
    MANIFEST,
    failed_folder,
    read_manifest,
    require_owned_folder,
    write_errors,
)
from evidence.build.plan import ReportPlan
from evidence.dataset.dataset import Dataset
from evidence.dataset.record_comparison import line_digests
from evidence.files import atomic_write, format_json, read_json
from evidence.notebook.locate import notebooks_of
from evidence.notebook.requirements import unmet_needs
from evidence.report import glossary, html_pages, index_page
from evidence.report.figure_pages import EMBED, PartPages
from evidence.report.footnotes import sentence_html
from evidence.report.search_index import SEARCH_INDEX, search_index

SHARED_PARAMETERS = ("scope", "confidence")
"""Parameters that the index takes over if all reports agree on them."""


def write_pages(
    dataset: Dataset,
    plan: ReportPlan,
    entries: Mapping[str, dict],
    failures: Mapping[str, str],
    staging: Path,
) -> tuple[int, int]:
    """Write everything in a folder that is not one report's own.

    `entries` are those of the manifest for the reports whose files are in `staging`: their
    `parameters` including defaults, `recipe` (see `evidence.build.fingerprint`), `inputs`
    (checksums of the tables for which they hold) and `files` with digests. `failures` are messages
    by report. Returned are the numbers of figures and of values.
    """
    notebooks = {name: read_json(staging / "notebooks" / f"{name}.ipynb") for name in entries}
    pages = {name: html_pages.describe_notebook(name, book) for name, book in notebooks.items()}
    error_rate_html = sentence_html(error_rate(dataset), page="index", footnotes=index_page.SOURCES)
    figures = {path.stem for path in (staging / "figures").glob("*.json")}
    html = {
        name: html_pages.render_notebook(
            book,
            pages[name],
            list(pages.values()),
            list(entries[name]["parameters"].items()),
            entries[name]["inputs"],
            error_rate_html,
            figures,
            plan.name,
            describe_parameters(
                dataset, entries[name]["parameters"], entries[name]["recipe"]["parameters"]
            ),
        )
        for name, book in notebooks.items()
    }
    shared = _shared_parameters([entry["parameters"] for entry in entries.values()])
    html["index"], index_values = index_page.render_index(
        dataset,
        list(pages.values()),
        scope=shared.get("scope", "core"),
        # As on the pages on certainty and unknowns.
        evidence_scope=shared.get("scope", "all"),
        confidence=shared.get("confidence", 0.95),
        notes=_notes(dataset, entries),
        failures=list(_list_failures(plan.target, failures, plan.target)),
        set_name=plan.name,
        missing=_missing_reports(plan),
        figures=figures,
    )
    html[index_page.SOURCES] = index_page.render_sources(
        dataset,
        list(pages.values()),
        index_values,
        scope_line=describe_parameters(dataset, {"scope": "core", "confidence": 0.95} | shared),
        audited=error_rate_html,
        set_name=plan.name,
    )
    terms = glossary.read_terms(dataset)
    html = {
        name: glossary.annotate(text, terms)
        for name, text in html_pages.resolve_row_links(html).items()
    }
    part_pages = PartPages(
        dataset,
        staging,
        pages,
        html,
        inputs={name: entry["inputs"] for name, entry in entries.items()},
        audited=error_rate_html,
        set_name=plan.name,
    ).render()
    html[glossary.GLOSSARY] = glossary.render_glossary(
        dataset, list(pages.values()), audited=error_rate_html, set_name=plan.name
    )
    for name, text in (html | part_pages).items():
        (staging / f"{name}.html").write_text(text, "utf-8")
    # Of the pages of figures and tables only their titles: all else is on the reports.
    titles = {name: text for name, text in part_pages.items() if not name.endswith(EMBED)}
    titles = {name: _title_only(text) for name, text in titles.items()}
    (staging / SEARCH_INDEX).write_text(search_index(html | titles), "utf-8")
    values, texts = {"index": index_values.values}, {"index": index_values.texts}
    for name in entries:
        path = staging / "values" / f"{name}.json"
        if path.is_file():
            content = read_json(path)
            values[name], texts[name] = content["values"], content["texts"]
    n_values = sum(map(len, values.values()))
    (staging / "values.json").write_text(format_json(_by_page(values)), "utf-8")
    (staging / "texts.json").write_text(format_json(_by_page(texts)), "utf-8")
    page_files = [
        *(f"{name}.html" for name in html | part_pages),
        SEARCH_INDEX,
        "values.json",
        "texts.json",
    ]
    manifest = {
        "evidence": version("evidence"),
        "inputs": dataset.checksums,
        "lines": line_digests(dataset),
        "figures": len(figures),
        "values": n_values,
        "failed": dict(failures),
        "reports": dict(entries),
        "pages": file_digests(staging, page_files),
    }
    (staging / MANIFEST).write_text(format_json(manifest), "utf-8")
    return len(figures), n_values


def _title_only(page: str) -> str:
    # As a heading of the third level: the search lists the headings of reports first.
    title = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    return f"<main><h3>{title[1] if title else ''}</h3></main>"


def _missing_reports(plan: ReportPlan) -> list[dict[str, str]]:
    """List the reports that would have nothing to say: title, question and what they need."""
    missing = []
    for name, path in notebooks_of(plan.project).items():
        if needs := unmet_needs(path, plan.project):
            page = html_pages.describe_notebook(name, read_json(path))
            missing.append(
                {"title": page.title, "question": page.question, "needs": " or ".join(needs)}
            )
    return missing


def create_batch_folder(target: Path, project: Path) -> None:
    """Create the folder of a batch unless it exists; the marker says that later ones may write it.

    Raise `ReportError` if it holds something else, or cannot be written.
    """
    marker = target / BATCH_MARKER
    require_owned_folder(target, project, lambda _: marker.is_file(), "that are not report sets")
    with write_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        if not marker.is_file():
            atomic_write(marker, "{}\n")


def write_batch_index(target: Path) -> None:
    """Write `index.html` and `sets.json`: every set with its parameters, reports and failures."""
    manifests = {path.name: read_manifest(path) for path in sorted(target.iterdir())}
    rows = [_batch_row(target, name, content) for name, content in manifests.items() if content]
    page = html_pages.render("sets.html", title="Reports by set of parameters", sets=rows)
    parameters = {row["name"]: row["parameters"] for row in rows}
    text = format_json(parameters)
    atomic_write(target / BATCH_MARKER, text)
    atomic_write(target / INDEX, page)


def _batch_row(target: Path, name: str, manifest: dict) -> dict:
    parameters: dict[str, object] = {}
    for report in manifest["reports"].values():
        parameters |= report["recipe"]["parameters"]
    return {
        "name": name,
        "parameters": parameters,
        "reports": list(manifest["reports"]),
        "failures": list(_list_failures(target / name, manifest["failed"], target)),
        "figures": manifest["figures"],
    }


def _list_failures(
    reports: Path, failures: Mapping[str, str], page_folder: Path
) -> Iterator[dict[str, str]]:
    """Yield each report that failed, why, and where its notebook is from a page."""
    for name, message in failures.items():
        notebook = failed_folder(reports) / f"{name}.ipynb"
        link = Path(os.path.relpath(notebook, page_folder)).as_posix()
        yield {"name": name, "reason": message, "notebook": link if notebook.is_file() else ""}


def _by_page(parts: Mapping[str, dict]) -> dict:
    return {f"{name}/{key}": entry for name in parts for key, entry in parts[name].items()}


def _shared_parameters(parameters: Sequence[Mapping[str, object]]) -> dict:
    first = parameters[0] if parameters else {}
    return {
        name: first[name]
        for name in SHARED_PARAMETERS
        if name in first and all(values.get(name) == first[name] for values in parameters)
    }


def _notes(dataset: Dataset, entries: Mapping[str, dict]) -> list[str]:
    """Tell the index of reports from earlier data or from part of the data."""
    notes = []
    if old := [name for name, entry in entries.items() if entry["inputs"] != dataset.checksums]:
        notes.append(f"Made from earlier data and not rebuilt this time: {', '.join(old)}.")
    if packaged := [n for n, entry in entries.items() if entry["recipe"].get("packaged_notebooks")]:
        notes.append(
            "Only notebooks of the evidence package were run, none of this project: "
            f"{', '.join(packaged)}."
        )
    restricted = [
        name
        for name, entry in entries.items()
        if entry["parameters"].get("conditions") or entry["parameters"].get("outcomes")
    ]
    if restricted:
        notes.append(f"Restricted to part of the data by parameters: {', '.join(restricted)}.")
    return notes
