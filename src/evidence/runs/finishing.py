"""From executed notebooks to a folder of finished reports: pages, index, values, manifest."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from evidence.corpus.reading import Corpus
from evidence.publishing import index as index_page
from evidence.publishing import pages
from evidence.publishing.footnotes import linked
from evidence.publishing.parameters.cell import declared
from evidence.publishing.parameters.checking import GIVEN_BY_COMMAND
from evidence.runs.folders import MANIFEST, failed
from evidence.runs.plan import Wanted
from evidence.runs.recipe import marks
from evidence.synthesis.audits import error_rate

LISTS = ("values.json", "texts.json")
SHARED = ("scope", "conditions", "outcomes", "confidence")


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a report.

    `parameters` are those it was made with, defaults and all; `recipe` as of
    `evidence.runs.recipe`; `inputs` are the checksums of the tables for which it holds, `files` the
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
    corpus: Corpus,
    wanted: Wanted,
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
    described = {name: pages.describe_notebook(name, book) for name, book in executed.items()}
    audited = linked(error_rate(corpus), page="index")
    beside = {path.name for path in (staging / "figures").glob("*")}
    rendered = {
        name: pages.render_notebook(
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
        corpus,
        list(described.values()),
        scope=shared.get("scope", "guide"),
        confidence=shared.get("confidence", 0.95),
        notes=_notes(corpus, entries),
        failures=list(_failures(wanted.target, failures)),
        within=wanted.name,
    )
    for name, text in pages.joined(rendered).items():
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
            "inputs": corpus.checksums,
            "figures": figures,
            "values": len(numbers),
            "failed": dict(failures),
            "reports": {name: asdict(entry) for name, entry in entries.items()},
            "pages": marks(staging, [*(f"{name}.html" for name in rendered), *LISTS]),
        },
    )
    return figures, len(numbers)


def used(notebook: Path, given: Mapping[str, object]) -> dict:
    """The parameters of a report, with those that were left at their defaults."""
    defaults = {name: about.default for name, about in declared(notebook).items()}
    return {
        name: value for name, value in (defaults | given).items() if name not in GIVEN_BY_COMMAND
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


def _failures(target: Path, failures: Mapping[str, str]) -> Iterable[dict[str, str]]:
    """Each report that could not be made, why, and where its notebook is from the index."""
    for name, says in failures.items():
        notebook = failed(target) / f"{name}.ipynb"
        link = os.path.relpath(notebook, target) if notebook.is_file() else ""
        yield {"name": name, "says": says, "notebook": Path(link).as_posix() if link else ""}


def _notes(corpus: Corpus, entries: Mapping[str, Entry]) -> list[str]:
    """What the index must admit: reports from earlier data, or made with other parameters."""
    notes = []
    old = [name for name, entry in entries.items() if entry.inputs != corpus.checksums]
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
