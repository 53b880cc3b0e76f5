"""How a figure or table is cited: the primary studies first, then itself as part of the project.

Vocabulary
----------
A *part* is a figure or table of the project, cited as `fig-x` or, where its version is known, as
`fig-x@1a2b3c4`. The project says in `CITATION.cff` who made it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.corpus.bibliography import Author, Bibliography, Reference
from evidence.errors import EvidenceError

FILE = "CITATION.cff"
REQUIRED = ("cff-version", "message", "title", "authors")


@dataclass(frozen=True)
class Part:
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
class Project:
    """Who made the project and which version this is, from its `CITATION.cff`."""

    title: str
    authors: tuple[Author, ...]
    version: str
    year: str
    url: str

    def reference(self, part: Part) -> Reference:
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


def read_project(folder: Path) -> Project:
    """The project in `folder` as its `CITATION.cff` names it.

    Raises
    ------
    EvidenceError
        The file is missing, is no YAML, or lacks what the Citation File Format requires.
    """
    import yaml

    path = folder / FILE
    needed = f"a figure is cited with its {', '.join(REQUIRED)}"
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise EvidenceError(f"{path}: is missing; {needed}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise EvidenceError(f"{path}: cannot be read as YAML: {said}") from None
    content = content if isinstance(content, Mapping) else {}
    missing = [key for key in REQUIRED if not content.get(key)]
    if missing:
        raise EvidenceError(f"{path}: has no {', '.join(missing)}; {needed}")
    people = content["authors"]
    if not isinstance(people, list) or not all(_is_named(person) for person in people):
        rule = "a person by family-names and given-names, anybody else by name"
        raise EvidenceError(f"{path}: authors is not a list of names; each is given as {rule}")
    return Project(
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


def references(
    bibliography: Bibliography, parts: Iterable[Part], keys: Iterable[str], folder: Path
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
    project = read_project(folder) if parts else None
    found = [bibliography[key] for key in cited]
    return [*sorted(found, key=str), *(project.reference(part) for part in parts)]
