"""Cite figures and tables of finished reports: studies, other sources, and then the project."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import Reference
from evidence.dataset.citations.apa import format_apa
from evidence.dataset.citations.bibtex import format_bibtex
from evidence.dataset.dataset import Dataset
from evidence.dataset.text_checks import identifier_error
from evidence.errors import EvidenceError, did_you_mean
from evidence.files import YAML_MISTAKES, read_json, read_text
from evidence.provenance.methods import sources_and_methods
from evidence.provenance.rows import sources_at
from evidence.provenance.values import read_figure_records
from evidence.report.figure_identity import WIDTH_ENDINGS, sidecar_path

CITATION_FILE = "CITATION.cff"
MAX_ORDERED = 10_000
REQUIRED_FIELDS = ("cff-version", "message", "title", "authors")


@dataclass(frozen=True)
class CitedPart:
    """A figure or table as it is cited; `version` and `licence` are empty if not known.

    `studies` are the keys of primary studies, and `sources` those of the other texts in which its
    rows were read, such as the guide and reviews.
    """

    id: str
    title: str
    studies: tuple[str, ...]
    version: str = ""
    licence: str = ""
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The id with its version, such as `fig-shares@1a2b3c4`."""
        return f"{self.id}@{self.version}" if self.version else self.id

    @property
    def kind(self) -> str:
        """Either `figure` or `table`."""
        return "figure" if self.id.startswith("fig-") else "table"

    @property
    def page(self) -> str:
        """The name of its page, without `.html`."""
        return f"{self.kind}s/{self.id}"


@dataclass(frozen=True)
class CitedProject:
    """The authors and the version of the project, from its `CITATION.cff`.

    `doi` is that of this version, `site` the address of the published pages, and `url` the same or
    else the address of the code.
    """

    title: str
    authors: tuple[Author, ...]
    version: str
    year: str
    url: str
    doi: str = ""
    site: str = ""

    def address(self, part: CitedPart, ending: str = "") -> str:
        """Return the address of the page of a figure or table, or nothing if none is known."""
        return self.site and f"{self.site.rstrip('/')}/{part.page}{ending}.html"

    def reference(self, part: CitedPart) -> Reference:
        """Return a figure or table as a reference, with the project as its container."""
        return replace(
            self.whole,
            key=part.name.replace("@", "-"),
            kind=part.kind,
            title=f"{part.kind.capitalize()}: {part.title} [{part.name}]",
            container=self.title + (f", version {self.version}" if self.version else ""),
            number="",
            url=self.address(part) or self.url,
            note=f"Licence: {part.licence}" if part.licence else "",
        )

    @property
    def whole(self) -> Reference:
        """The project itself as a reference."""
        return Reference(
            key="project",
            kind="software",
            authors=self.authors,
            more_authors=False,
            title=self.title,
            year=self.year,
            container="",
            volume="",
            number=self.version,
            pages="",
            doi=self.doi,
            pmid="",
            url=self.url,
            note="",
            line=0,
        )


def read_citation_file(folder: Path) -> CitedProject:
    """Read the `CITATION.cff` of a project; see `read_citation_fields` for errors."""
    fields = read_citation_fields(folder)
    site = str(fields.get("url") or "")
    return CitedProject(
        title=str(fields["title"]),
        authors=tuple(map(_author, fields["authors"])),
        version=str(fields.get("version", "")),
        year=str(fields.get("date-released", ""))[:4],
        url=site or str(fields.get("repository-code") or ""),
        doi=str(fields.get("doi") or ""),
        site=site,
    )


def read_citation_fields(folder: Path, text: str = "") -> Mapping[str, Any]:
    """Read the fields of the `CITATION.cff` of a project, or of a text in place of the file.

    Raise `EvidenceError` if the file is missing, is not YAML, lacks a field that the Citation File
    Format requires, or has a DOI or an address that is none.
    """
    import yaml

    path = folder / CITATION_FILE
    try:
        content = yaml.safe_load(text or read_text(path))
    except FileNotFoundError:
        fields = ", ".join(REQUIRED_FIELDS)
        raise EvidenceError(
            f"{path}: missing. Write one with {fields} to cite a figure or table"
        ) from None
    except (yaml.YAMLError, *YAML_MISTAKES) as error:
        message = " ".join(str(error).split())
        raise EvidenceError(f"{path}: not valid YAML: {message}") from None
    content = content if isinstance(content, Mapping) else {}
    if missing := [key for key in REQUIRED_FIELDS if not content.get(key)]:
        raise EvidenceError(f"{path}: required fields are missing: {', '.join(missing)}")
    authors = content["authors"]
    if not isinstance(authors, list) or not all(map(_is_named, authors)):
        raise EvidenceError(
            f"{path}: authors must be a list of persons (family-names, given-names) and "
            "organisations (name)"
        )
    for name, form in (("doi", "doi"), ("url", "url"), ("repository-code", "url")):
        value = str(content.get(name) or "")
        if value and (message := identifier_error(form, value)):
            raise EvidenceError(f"{path}: {name}: {message}. Correct it or remove the line")
    return content


def _is_named(person: object) -> bool:
    return isinstance(person, Mapping) and bool(person.get("name") or person.get("family-names"))


def _author(person: Mapping) -> Author:
    if "name" in person:
        return Author(str(person["name"]))
    particle, family = (str(person.get(key, "")) for key in ("name-particle", "family-names"))
    return Author(
        " ".join(filter(None, (particle, family))),
        str(person.get("given-names", "")),
        particle,
        str(person.get("name-suffix", "")),
    )


def read_cited_project(dataset: Dataset) -> CitedProject | None:
    """Read the `CITATION.cff` of a dataset's project, or return None if there is none.

    Raise `EvidenceError` if the file cannot be used.
    """
    # Read by the dataset, so that a report is out of date when the file has changed.
    is_there = dataset.read_text(CITATION_FILE)
    return read_citation_file(dataset.project) if is_there else None


def citation_references(
    bibliography: Mapping[str, Reference],
    parts: Iterable[CitedPart],
    keys: Iterable[str],
    folder: Path,
) -> list[Reference]:
    """List the references to cite: primary studies, other sources, then the figures and tables.

    Raise `EvidenceError` if the bibliography lacks a key, or there is no usable `CITATION.cff` for
    a figure or table. `keys` are those of sources to cite beside the studies of the figures and
    tables; `folder` has the `CITATION.cff`.
    """
    parts = list(parts)
    sources = _sources(bibliography, parts, keys)
    if not parts:
        return sources
    project = read_citation_file(folder)
    return [*sources, *(project.reference(part) for part in parts)]


def format_part_bibtex(dataset: Dataset, part: CitedPart) -> str:
    """Format what to cite for a figure or table as BibTeX; without `CITATION.cff`, its sources.

    Raise `EvidenceError` if the `CITATION.cff` cannot be used.
    """
    project = read_cited_project(dataset)
    own = [project.reference(part)] if project else []
    return format_bibtex([*_sources(dataset.bibliography, [part]), *own])


def _sources(
    bibliography: Mapping[str, Reference], parts: Sequence[CitedPart], keys: Iterable[str] = ()
) -> list[Reference]:
    """List the primary studies and then the other sources of figures and tables."""
    studies = {key for part in parts for key in part.studies}
    others = {*keys, *(key for part in parts for key in part.sources)} - studies
    if missing := sorted(key for key in studies | others if key not in bibliography):
        raise EvidenceError(
            f"{', '.join(missing)}: not in references.bib; the figure is from another version of "
            "the data"
        )
    return [
        *sorted(map(bibliography.__getitem__, studies), key=_order),
        *sorted(map(bibliography.__getitem__, others), key=_order),
    ]


@lru_cache(MAX_ORDERED)
def _order(source: Reference) -> str:
    """Return the authors, year and letter of a source, which no other style has in this order."""
    return format_apa(source)


@dataclass(frozen=True)
class FinishedFigure:
    """A figure of finished reports, with the folder of its files."""

    part: CitedPart
    caption: str
    alt: str
    folder: Path

    def file(self, suffix: str, width: str = "180mm") -> Path:
        """Return the path of the figure in one format and width.

        Raise `EvidenceError` if there is no such file. The width is "180mm" or "85mm".
        """
        path = self.folder / f"{self.part.id}{WIDTH_ENDINGS[width]}.{suffix}"
        if not path.is_file():
            raise EvidenceError(f"{path}: missing. Rebuild the reports with: evidence report")
        return path


@dataclass(frozen=True)
class FinishedTable:
    """A table of finished reports as its page shows it; all cells are text."""

    part: CitedPart
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cited_keys_at(dataset: Dataset, addresses: Iterable[str]) -> tuple[list[str], list[str]]:
    """List the studies that rows of the tables are about, and the guide and other texts read."""
    addresses = list(dict.fromkeys(addresses))
    found = list(dict.fromkeys(dataset.studies_at(addresses).values()))
    designs = dataset.designs_of(found)
    studies = {*found} - {*designs.loc[designs["design"] == "guide", "study"]}
    return sorted(studies), sorted({*found, *sources_at(dataset, addresses)} - studies)


def cited_sources(dataset: Dataset, reports: Path, names: Iterable[str]) -> list[Reference]:
    """List what to cite for figures, tables and sources: primary studies first, the project last.

    Raise `EvidenceError` if a name is none of these, or a figure or table has no usable
    `CITATION.cff`. `names` are ids of figures and tables of the finished reports in `reports`,
    paths of figure files with their JSON file beside them, and BibTeX keys.
    """
    parts, keys = [], []
    bibliography = sources_and_methods(dataset)
    for name in names:
        if name in bibliography:
            keys.append(name)
        elif name.endswith(".json") or Path(name).is_file():
            parts.append(read_sidecar(Path(name)))
        else:
            parts.append(read_figure_or_table(reports, name).part)
    return citation_references(bibliography, parts, keys, dataset.project)


def read_figure_or_table(reports: Path, name: str) -> FinishedFigure | FinishedTable:
    """Read a figure or table of finished reports by its id.

    Raise `EvidenceError` if there are no finished reports, nothing of that id or version, or an
    empty figure.
    """
    identity, _, version = name.partition("@")
    figures = read_figure_records(reports)
    tables = {path.stem: path for path in sorted((reports / "tables").glob("*.json"))}
    names = [*figures, *tables]
    if identity not in names:
        raise EvidenceError(
            f"{name}: not a figure or table of the reports and not a source."
            f"{did_you_mean(name, names)} Available: {', '.join(names)}"
        )
    item = (
        _read_table(tables[identity])
        if identity in tables
        else _read_figure(reports, figures[identity])
    )
    if version and version != item.part.version:
        raise EvidenceError(
            f"{name}: the {item.part.kind} in {reports} has version {item.part.version}. Cite "
            f"{identity}, or give the path of your file"
        )
    return item


def _read_figure(reports: Path, record: Mapping) -> FinishedFigure:
    if record["empty"]:
        raise EvidenceError(f"{record['id']}: this figure is empty. {record['empty']}")
    folder = reports / "figures"
    part = read_sidecar(folder / f"{record['id']}.json")
    return FinishedFigure(part, record["caption"], record["alt"], folder)


def _read_table(path: Path) -> FinishedTable:
    content = read_part_record(path, "columns", "rows")
    return FinishedTable(
        cited_part(content), tuple(content["columns"]), tuple(map(tuple, content["rows"]))
    )


def read_sidecar(path: Path) -> CitedPart:
    """Read how to cite a figure or table from the JSON file beside it.

    Raise `EvidenceError` if there is no such file, or it does not describe a figure or table.
    `path` is the JSON file, or a file of the figure beside it.
    """
    return cited_part(read_part_record(sidecar_path(path)))


def read_part_record(path: Path, *required: str) -> dict:
    """Read the JSON file of a figure or table, which must have all that is cited and `required`.

    Raise `EvidenceError` as `read_sidecar` does.
    """
    try:
        content = read_json(path)
        cited_part(content)
        if any(name not in content for name in required):
            raise KeyError
        return content
    except FileNotFoundError:
        raise EvidenceError(
            f"{path}: missing. To cite a figure file, keep its JSON file beside it"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise EvidenceError(
            f"{path}: does not describe a figure or table; it needs id, title, studies, version and "
            "licence. If it was damaged, rebuild the reports with: evidence report"
        ) from None


def cited_part(record: Mapping) -> CitedPart:
    """Return how to cite what the JSON file of a figure or table describes."""
    is_table = "columns" in record
    studies, sources = record["studies"], record.get("sources", ())
    if not is_table:
        studies, sources = ([source["key"] for source in listed] for listed in (studies, sources))
    return CitedPart(
        record["id"],
        record["caption" if is_table else "title"],
        tuple(studies),
        record["version"],
        record["licence"]["name"],
        tuple(sources),
    )
