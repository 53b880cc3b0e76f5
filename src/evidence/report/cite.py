"""How a figure or table is cited: the primary studies first, then itself as part of the project.

Vocabulary
----------
A *part* is a figure or table of the project, cited as `fig-x` or, where its version is known, as
`fig-x@1a2b3c4`. The project says in `CITATION.cff` who made it.

The figures and tables of a finished run, found by the ids that the pages show.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.dataset.bibliography import Author, Bibliography, Reference
from evidence.dataset.citations import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError
from evidence.provenance.values import read_figure_records

CITATION_FILE = "CITATION.cff"
REQUIRED_FIELDS = ("cff-version", "message", "title", "authors")


@dataclass(frozen=True)
class CitedPart:
    """A figure or table as it is cited: `version` and `licence` are empty where not known."""

    id: str
    title: str
    studies: tuple[str, ...]
    version: str = ""
    licence: str = ""

    @property
    def name(self) -> str:
        """The id with its version, as one writes it into a text."""
        return f"{self.id}@{self.version}" if self.version else self.id


@dataclass(frozen=True)
class CitedProject:
    """Who made the project and which version this is, from its `CITATION.cff`."""

    title: str
    authors: tuple[Author, ...]
    version: str
    year: str
    url: str

    def reference(self, part: CitedPart) -> Reference:
        """A part of the project as a reference, with its project as container."""
        kind = "figure" if part.id.startswith("fig-") else "table"
        return Reference(
            key=part.name.replace("@", "-"),
            kind=kind,
            authors=self.authors,
            more_authors=False,
            title=f"{kind.capitalize()}: {part.title} [{part.name}]",
            year=self.year,
            container=self.title + (f", version {self.version}" if self.version else ""),
            volume="",
            number="",
            pages="",
            doi="",
            pmid="",
            url=self.url,
            note=f"Licence: {part.licence}" if part.licence else "",
            line=0,
        )


def read_citation_file(folder: Path) -> CitedProject:
    """The project in `folder` as its `CITATION.cff` names it.

    Raises
    ------
    EvidenceError
        The file is missing, is no YAML, or lacks what the Citation File Format requires.
    """
    import yaml

    path = folder / CITATION_FILE
    needed = f"a figure is cited with its {', '.join(REQUIRED_FIELDS)}"
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise EvidenceError(f"{path}: is missing; {needed}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise EvidenceError(f"{path}: cannot be read as YAML: {said}") from None
    content = content if isinstance(content, Mapping) else {}
    missing = [key for key in REQUIRED_FIELDS if not content.get(key)]
    if missing:
        raise EvidenceError(f"{path}: has no {', '.join(missing)}; {needed}")
    people = content["authors"]
    if not isinstance(people, list) or not all(_is_named(person) for person in people):
        rule = "a person by family-names and given-names, anybody else by name"
        raise EvidenceError(f"{path}: authors is not a list of names; each is given as {rule}")
    return CitedProject(
        title=str(content["title"]),
        authors=tuple(map(_author, people)),
        version=str(content.get("version", "")),
        year=str(content.get("date-released", ""))[:4],
        url=str(content.get("url") or content.get("repository-code") or ""),
    )


def _is_named(person) -> bool:
    return isinstance(person, Mapping) and bool(person.get("name") or person.get("family-names"))


def _author(person: Mapping) -> Author:
    if "name" in person:
        return Author(str(person["name"]))
    words = {name: str(person.get(name, "")) for name in ("name-particle", "family-names")}
    return Author(
        " ".join(filter(None, words.values())),
        str(person.get("given-names", "")),
        words["name-particle"],
        str(person.get("name-suffix", "")),
    )


def citation_references(
    bibliography: Bibliography, parts: Iterable[CitedPart], keys: Iterable[str], folder: Path
) -> list[Reference]:
    """Primary studies, then other sources named by their keys, then the parts themselves.

    Raises
    ------
    EvidenceError
        A key that the bibliography does not have, or no usable `CITATION.cff` for a part.
    """
    parts = list(parts)
    studies = [key for part in parts for key in part.studies]
    cited = list(dict.fromkeys([*studies, *keys]))
    missing = [key for key in cited if key not in bibliography]
    if missing:
        raise EvidenceError(
            f"{', '.join(missing)}: not in references.bib; the figure was made from other sources"
        )
    project = read_citation_file(folder) if parts else None
    found = [bibliography[key] for key in cited]
    return [*sorted(found, key=format_vancouver), *(project.reference(part) for part in parts)]


@dataclass(frozen=True)
class FinishedFigure:
    """A figure of a finished run: its words, and the folder with its files."""

    part: CitedPart
    caption: str
    alt: str
    folder: Path

    def file(self, form: str) -> Path:
        """The file of this figure in one form.

        Raises
        ------
        EvidenceError
            The run left no such file.
        """
        path = self.folder / f"{self.part.id}.{form}"
        if not path.is_file():
            raise EvidenceError(f"{path}: is missing; renew the reports with: evidence report")
        return path


@dataclass(frozen=True)
class FinishedTable:
    """A table of a finished run as it stands on its page: all cells are texts."""

    part: CitedPart
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def studies_at(dataset: Dataset, addresses: Iterable[str]) -> list[str]:
    """The primary studies that rows of the tables are about, sorted; the guide is none."""
    studies = dataset.studies_at(list(dict.fromkeys(addresses)))
    designs = dataset.designs_of(studies)
    return sorted({*studies} - {*designs.loc[designs["design"] == "guide", "study"]})


def cited_sources(dataset: Dataset, reports: Path, asked: Iterable[str]) -> list[Reference]:
    """What to cite for figures, tables and sources: primary studies first, the project last.

    Parameters
    ----------
    asked : iterable of str
        Ids of figures and tables of the finished `reports`, paths of figure files with their JSON
        beside them, and BibTeX keys.

    Raises
    ------
    EvidenceError
        One of them is nothing of all this, or a figure without a usable `CITATION.cff`.
    """
    parts, keys = [], []
    for name in asked:
        if name in dataset.bibliography:
            keys.append(name)
        elif name.endswith(".json") or Path(name).is_file():
            parts.append(read_sidecar(Path(name)))
        else:
            parts.append(read_figure_or_table(reports, name).part)
    return citation_references(dataset.bibliography, parts, keys, dataset.project)


def read_figure_or_table(reports: Path, asked: str) -> FinishedFigure | FinishedTable:
    """A figure or table by its id.

    Raises
    ------
    EvidenceError
        No finished run, nothing of that id, or a figure that has nothing drawn.
    """
    identity, _, version = asked.partition("@")
    figures, tables = read_figure_records(reports), _tables(reports)
    if identity in tables:
        return _tabulated(tables[identity])
    if identity not in figures:
        raise EvidenceError(_unknown(asked, [*figures, *tables]))
    figure = _figure(reports, figures[identity])
    if version and version != figure.part.version:
        raise EvidenceError(
            f"{asked}: the figure in {reports} has version {figure.part.version}; ask for "
            f"{identity}, or name the file that you have"
        )
    return figure


def read_sidecar(path: Path) -> CitedPart:
    """A figure as it is cited, from the JSON file beside it or beside a file of its own.

    Raises
    ------
    EvidenceError
        There is no such file, or it does not describe a figure.
    """
    beside = path.with_suffix(".json")
    try:
        content = json.loads(beside.read_text("utf-8"))
        return CitedPart(
            content["id"],
            content["title"],
            tuple(study["key"] for study in content["studies"]),
            content["version"],
            content["licence"]["name"],
        )
    except FileNotFoundError:
        raise EvidenceError(f"{beside}: is missing; a figure is cited from the file") from None
    except (ValueError, TypeError, KeyError):
        raise EvidenceError(
            f"{beside}: does not describe a figure; it must hold id, title, studies, version "
            "and licence"
        ) from None


def _tables(reports: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((reports / "tables").glob("*.json"))}


def _tabulated(path: Path) -> FinishedTable:
    content = json.loads(path.read_text("utf-8"))
    part = CitedPart(content["id"], content["caption"], tuple(content["studies"]))
    return FinishedTable(part, tuple(content["columns"]), tuple(map(tuple, content["rows"])))


def _figure(reports: Path, known: dict) -> FinishedFigure:
    """A figure as its sidecar has it."""
    if known["empty"]:
        raise EvidenceError(f"{known['id']}: has nothing drawn: {known['empty']}")
    folder = reports / "figures"
    part = read_sidecar(folder / f"{known['id']}.json")
    return FinishedFigure(part, known["caption"], known["alt"], folder)


def _unknown(asked: str, known: list[str]) -> str:
    near = difflib.get_close_matches(asked, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}? There are" if near else "; there are"
    return f"{asked}: is no figure or table of the reports and no source{hint} {', '.join(known)}"
