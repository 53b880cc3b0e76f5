"""Cite figures and tables of finished reports: the primary studies first, then the project."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import Bibliography, Reference
from evidence.dataset.citations import format_apa
from evidence.dataset.dataset import Dataset
from evidence.dataset.text_checks import identifier_error
from evidence.errors import EvidenceError, did_you_mean
from evidence.files import read_json, read_text
from evidence.provenance.values import read_figure_records
from evidence.report.figure_identity import sidecar_path

CITATION_FILE = "CITATION.cff"
REQUIRED_FIELDS = ("cff-version", "message", "title", "authors")


@dataclass(frozen=True)
class CitedPart:
    """A figure or table as it is cited; `version` and `licence` are empty if not known."""

    id: str
    title: str
    studies: tuple[str, ...]
    version: str = ""
    licence: str = ""

    @property
    def name(self) -> str:
        """The id with its version, such as `fig-shares@1a2b3c4`."""
        return f"{self.id}@{self.version}" if self.version else self.id


@dataclass(frozen=True)
class CitedProject:
    """The authors and the version of the project, from its `CITATION.cff`.

    `doi` is that of this version, and `url` the address of the published pages or else of the code.
    """

    title: str
    authors: tuple[Author, ...]
    version: str
    year: str
    url: str
    doi: str = ""

    def reference(self, part: CitedPart) -> Reference:
        """Return a figure or table as a reference, with the project as its container."""
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
            doi=self.doi,
            pmid="",
            url=self.url,
            note=f"Licence: {part.licence}" if part.licence else "",
            line=0,
        )


def read_citation_file(folder: Path) -> CitedProject:
    """Read the `CITATION.cff` of a project.

    Raises
    ------
    EvidenceError
        If the file is missing, is not YAML, lacks a field that the Citation File Format requires, or
        has a DOI or an address that is none.
    """
    import yaml

    path = folder / CITATION_FILE
    try:
        content = yaml.safe_load(read_text(path))
    except FileNotFoundError:
        fields = ", ".join(REQUIRED_FIELDS)
        raise EvidenceError(
            f"{path}: missing. Write one with {fields} to cite a figure or table"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
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
    doi = str(content.get("doi") or "")
    url = str(content.get("url") or content.get("repository-code") or "")
    for name, text in (("doi", doi), ("url", url)):
        if text and (message := identifier_error(name, text)):
            raise EvidenceError(f"{path}: {name}: {message}. Correct it or remove the line")
    return CitedProject(
        title=str(content["title"]),
        authors=tuple(map(_author, authors)),
        version=str(content.get("version", "")),
        year=str(content.get("date-released", ""))[:4],
        url=url,
        doi=doi,
    )


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


def citation_references(
    bibliography: Bibliography, parts: Iterable[CitedPart], keys: Iterable[str], folder: Path
) -> list[Reference]:
    """List the references to cite: primary studies and other sources, then the figures and tables.

    Parameters
    ----------
    keys : iterable of str
        BibTeX keys of sources to cite beside the studies of the figures and tables.
    folder : path
        The folder with the `CITATION.cff`.

    Raises
    ------
    EvidenceError
        If the bibliography lacks a key, or there is no usable `CITATION.cff` for a figure or table.
    """
    parts = list(parts)
    cited = dict.fromkeys([*(key for part in parts for key in part.studies), *keys])
    if missing := [key for key in cited if key not in bibliography]:
        raise EvidenceError(
            f"{', '.join(missing)}: not in references.bib; the figure is from another version of "
            "the data"
        )
    # By authors, year and letter, which no other style has in this order.
    sources = sorted((bibliography[key] for key in cited), key=format_apa)
    if not parts:
        return sources
    project = read_citation_file(folder)
    return [*sources, *(project.reference(part) for part in parts)]


@dataclass(frozen=True)
class FinishedFigure:
    """A figure of finished reports, with the folder of its files."""

    part: CitedPart
    caption: str
    alt: str
    folder: Path

    def file(self, suffix: str) -> Path:
        """Return the path of the figure in one format.

        Raises
        ------
        EvidenceError
            If there is no such file.
        """
        path = self.folder / f"{self.part.id}.{suffix}"
        if not path.is_file():
            raise EvidenceError(f"{path}: missing. Rebuild the reports with: evidence report")
        return path


@dataclass(frozen=True)
class FinishedTable:
    """A table of finished reports as its page shows it; all cells are text."""

    part: CitedPart
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def studies_at(dataset: Dataset, addresses: Iterable[str]) -> list[str]:
    """List the primary studies that rows of the tables are about, sorted, without the guide."""
    studies = dataset.studies_at(list(dict.fromkeys(addresses)))
    designs = dataset.designs_of(studies)
    return sorted({*studies} - {*designs.loc[designs["design"] == "guide", "study"]})


def cited_sources(dataset: Dataset, reports: Path, names: Iterable[str]) -> list[Reference]:
    """List what to cite for figures, tables and sources: primary studies first, the project last.

    Parameters
    ----------
    reports : path
        The folder of finished reports.
    names : iterable of str
        Ids of figures and tables of the reports, paths of figure files with their JSON file beside
        them, and BibTeX keys.

    Raises
    ------
    EvidenceError
        If a name is none of these, or a figure or table has no usable `CITATION.cff`.
    """
    parts, keys = [], []
    for name in names:
        if name in dataset.bibliography:
            keys.append(name)
        elif name.endswith(".json") or Path(name).is_file():
            parts.append(read_sidecar(Path(name)))
        else:
            parts.append(read_figure_or_table(reports, name).part)
    return citation_references(dataset.bibliography, parts, keys, dataset.project)


def read_figure_or_table(reports: Path, name: str) -> FinishedFigure | FinishedTable:
    """Read a figure or table of finished reports by its id.

    Raises
    ------
    EvidenceError
        If there are no finished reports, nothing of that id or version, or an empty figure.
    """
    identity, _, version = name.partition("@")
    figures = read_figure_records(reports)
    tables = {path.stem: path for path in sorted((reports / "tables").glob("*.json"))}
    if identity in tables:
        return _read_table(tables[identity])
    if identity not in figures:
        names = [*figures, *tables]
        raise EvidenceError(
            f"{name}: not a figure or table of the reports and not a source."
            f"{did_you_mean(name, names)} Available: {', '.join(names)}"
        )
    figure = _read_figure(reports, figures[identity])
    if version and version != figure.part.version:
        raise EvidenceError(
            f"{name}: the figure in {reports} has version {figure.part.version}. Cite {identity}, "
            "or give the path of your file"
        )
    return figure


def _read_figure(reports: Path, record: Mapping) -> FinishedFigure:
    if record["empty"]:
        raise EvidenceError(f"{record['id']}: this figure is empty. {record['empty']}")
    folder = reports / "figures"
    part = read_sidecar(folder / f"{record['id']}.json")
    return FinishedFigure(part, record["caption"], record["alt"], folder)


def _read_table(path: Path) -> FinishedTable:
    content = read_json(path)
    part = CitedPart(content["id"], content["caption"], tuple(content["studies"]))
    return FinishedTable(part, tuple(content["columns"]), tuple(map(tuple, content["rows"])))


def read_sidecar(path: Path) -> CitedPart:
    """Read how to cite a figure from the JSON file beside it.

    Parameters
    ----------
    path : path
        The JSON file, or a file of the figure beside it.

    Raises
    ------
    EvidenceError
        If there is no such file, or it does not describe a figure.
    """
    sidecar = sidecar_path(path)
    try:
        content = read_json(sidecar)
        return CitedPart(
            content["id"],
            content["title"],
            tuple(study["key"] for study in content["studies"]),
            content["version"],
            content["licence"]["name"],
        )
    except FileNotFoundError:
        raise EvidenceError(
            f"{sidecar}: missing. To cite a figure file, keep its JSON file beside it"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise EvidenceError(
            f"{sidecar}: does not describe a figure; it needs id, title, studies, version and "
            "licence"
        ) from None
