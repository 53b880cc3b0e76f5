"""What an archive says of itself: RO-Crate, Zenodo and Frictionless metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from evidence.dataset import schema
from evidence.dataset.cells import FORMS
from evidence.dataset.dataset import Dataset
from evidence.figures.style import SINGLE_COLUMN
from evidence.files import format_json
from evidence.report.figure_identity import WIDTHS

CRATE_FILE, ZENODO_FILE, PACKAGE_FILE = "ro-crate-metadata.json", ".zenodo.json", "datapackage.json"
CRATE_VERSION = "1.2"
MEDIA_TYPES = {
    ".bib": "application/x-bibtex", ".cff": "application/yaml", ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".eps": "application/postscript", ".html": "text/html", ".ipynb": "application/x-ipynb+json",
    ".js": "text/javascript", ".json": "application/json", ".jsonld": "application/ld+json",
    ".lock": "text/plain", ".md": "text/markdown", ".pdf": "application/pdf", ".png": "image/png",
    ".py": "text/x-python", ".ris": "application/x-research-info-systems",
    ".svg": "image/svg+xml", ".tif": "image/tiff", ".tiff": "image/tiff", ".txt": "text/plain",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yml": "application/yaml",
}  # fmt: skip
"""By suffix: the standard library's list depends on the machine."""
FIELD_TYPES = {"integer": "integer", "number": "number"}
"""Types of the Table Schema by kind of column; dates, times and p values are texts with a form."""
SPDX = "https://spdx.org/licenses/"
LOCK_FILE = "requirements.lock"


@dataclass(frozen=True)
class Release:
    """What the descriptions of a release are written from.

    Attributes
    ----------
    citation : mapping
        The fields of `CITATION.cff`.
    licence : mapping
        `name` and `link` of the licence of data and figures.
    sizes : mapping of str to int
        Bytes of each file of the archive, by name.
    titles : mapping of str to str
        Titles of figures and tables by id.
    """

    citation: Mapping[str, Any]
    licence: Mapping[str, str]
    sizes: Mapping[str, int]
    titles: Mapping[str, str]

    @property
    def title(self) -> str:
        """The title of the project."""
        return str(self.citation["title"])

    @property
    def version(self) -> str:
        """The version of the release."""
        return str(self.citation["version"])

    @property
    def date(self) -> str:
        """The date of the release, like 2026-11-24."""
        return str(self.citation["date-released"])

    @property
    def abstract(self) -> str:
        """What the project is, on one line."""
        return " ".join(str(self.citation.get("abstract") or self.title).split())

    @property
    def doi(self) -> str:
        """The DOI of the release; may be empty."""
        return str(self.citation.get("doi") or "")


def is_input(name: str) -> bool:
    """Tell whether reports are made from a file of the archive."""
    return name.startswith(("data/", "notebooks/")) or name in (
        schema.BIBLIOGRAPHY_FILE,
        "reports.yml",
        LOCK_FILE,
    )


def is_output(name: str) -> bool:
    """Tell whether a file of the archive is one of the finished reports."""
    return name.startswith("reports/")


def crate_json(release: Release) -> str:
    """Format the RO-Crate: every file, who made it, its licences, and the run of the software."""
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=CRATE_VERSION)

    def add(identifier: str, kind: str, name: str, **properties: Any) -> ContextEntity:
        content = {"@type": kind, "name": name, **properties}
        return crate.add(ContextEntity(crate, identifier, properties=content))

    authors = release.citation["authors"]
    people = [_add_person(add, number, person) for number, person in enumerate(authors)]
    spdx = release.citation.get("license")
    code_licence = add(f"{SPDX}{spdx}", "CreativeWork", spdx) if isinstance(spdx, str) else None
    licence = add(release.licence["link"], "CreativeWork", f"{release.licence['name']} licence")
    files = {
        name: crate.add_file(dest_path=name, properties=_file_properties(release, name, size))
        for name, size in release.sizes.items()
    }
    for name, file in files.items():
        # Every file has the licence of the root unless it states another.
        if name.startswith("notebooks/") and code_licence:
            file["license"] = code_licence
    software = add(
        "#evidence",
        "SoftwareApplication",
        "evidence",
        version=version("evidence"),
        url=_software_address(release),
    )
    root = crate.root_dataset
    root["name"], root["description"] = release.title, release.abstract
    root["version"], root["datePublished"] = release.version, release.date
    root["license"], root["author"], root["publisher"] = licence, people, people[0]
    root["keywords"] = list(map(str, release.citation.get("keywords") or []))
    if release.citation.get("url"):
        root["url"] = str(release.citation["url"])
    if release.doi:
        root["identifier"] = root["cite-as"] = f"https://doi.org/{release.doi}"
    run = crate.add_action(
        software,
        identifier="#run",
        object=[file for name, file in files.items() if is_input(name)],
        result=[file for name, file in files.items() if is_output(name)],
        properties={
            "name": "evidence report",
            "description": "Ran every notebook and wrote pages, figures, tables and values.",
            "endTime": release.date,
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    run["agent"] = people[0]
    root["mentions"] = run
    return format_json(crate.metadata.generate())


def _add_person(add, number: int, person: Mapping):
    kind = "Organization" if "name" in person else "Person"
    properties = {}
    if person.get("affiliation"):
        name = str(person["affiliation"])
        properties["affiliation"] = add(f"#affiliation-{number}", "Organization", name)
    identifier = person.get("orcid") or f"#author-{number}"
    return add(str(identifier), kind, _full_name(person), **properties)


def _software_address(release: Release) -> str:
    """Return where the software is, or else the list of its exact versions."""
    is_software = release.citation.get("type", "software") == "software"
    return str((is_software and release.citation.get("repository-code")) or LOCK_FILE)


def _full_name(person: Mapping) -> str:
    parts = ("given-names", "name-particle", "family-names", "name-suffix")
    return str(person.get("name") or _joined(person, *parts))


def _joined(person: Mapping, *parts: str) -> str:
    return " ".join(str(person[part]) for part in parts if person.get(part))


def _file_properties(release: Release, name: str, size: int) -> dict[str, str]:
    path = PurePosixPath(name)
    other = "application/octet-stream" if path.suffix else "text/plain"
    media = MEDIA_TYPES.get(path.suffix.lower(), other)
    properties = {"name": path.name, "contentSize": str(size), "encodingFormat": media}
    title = release.titles.get(path.stem.removesuffix(WIDTHS[SINGLE_COLUMN]))
    if name in schema.BY_FILE:
        title = f"One row per {schema.BY_FILE[name].row}"
    return properties | ({"description": title} if title else {})


def zenodo_json(release: Release, dataset: Dataset) -> str:
    """Format the metadata that Zenodo reads from `.zenodo.json`."""
    content = {
        "title": release.title,
        "upload_type": "software" if release.citation.get("type") == "software" else "dataset",
        "description": release.abstract,
        "creators": [_creator(person) for person in release.citation["authors"]],
        "version": release.version,
        "publication_date": release.date,
        "access_right": "open",
        "license": spdx_identifier(release).lower(),
        "keywords": list(map(str, release.citation.get("keywords") or [])),
        "related_identifiers": [
            {"identifier": doi, "relation": "cites", "scheme": "doi"} for doi in _cited(dataset)
        ],
    }
    return format_json(content | ({"doi": release.doi} if release.doi else {}))


def _creator(person: Mapping) -> dict[str, str]:
    family = _joined(person, "name-particle", "family-names")
    given = _joined(person, "given-names", "name-suffix")
    creator = {"name": str(person.get("name") or ", ".join(filter(None, (family, given))))}
    if person.get("orcid"):
        creator["orcid"] = str(person["orcid"]).rpartition("/")[2]
    if person.get("affiliation"):
        creator["affiliation"] = str(person["affiliation"])
    return creator


def _cited(dataset: Dataset) -> list[str]:
    return sorted({source.doi for source in dataset.bibliography.values() if source.doi})


def spdx_identifier(release: Release) -> str:
    """Return the licence of the data as the SPDX list names it: CC-BY-4.0."""
    return release.licence["name"].replace(" ", "-")


def package_json(release: Release, headers: Mapping[str, list[str]]) -> str:
    """Format the Frictionless data package of the tables, with the schema of each.

    Parameters
    ----------
    headers : mapping of str to list of str
        The column names of each table of the archive, by file.
    """
    content: dict[str, Any] = {
        "name": "evidence",
        "title": release.title,
        "description": release.abstract,
        "version": release.version,
        "created": f"{release.date}T00:00:00Z",
        "licenses": [{"name": spdx_identifier(release), "path": release.licence["link"]}],
        "contributors": [
            {"title": _full_name(person), "role": "author"}
            for person in release.citation["authors"]
        ],
        "resources": [
            _resource(schema.BY_FILE[file], header, headers) for file, header in headers.items()
        ],
    }
    return format_json(content | ({"id": f"https://doi.org/{release.doi}"} if release.doi else {}))


def _resource(
    table: schema.Table, header: list[str], headers: Mapping[str, list[str]]
) -> dict[str, Any]:
    columns = [table.column(name) for name in header]
    table_schema: dict[str, Any] = {"fields": list(map(_field, columns)), "missingValues": [""]}
    required = set(table.required_names) & {column.name for column in columns if column.required}
    if set(table.key) <= required:
        table_schema["primaryKey"] = list(table.key)
    if keys := [_foreign_key(column) for column in columns if _is_foreign(column, headers)]:
        table_schema["foreignKeys"] = keys
    return {
        "name": table.name,
        "path": table.file,
        "description": f"One row per {table.row}",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": table_schema,
    }


def _field(column: schema.Column) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if column.required:
        constraints["required"] = True
    if column.kind == "word":
        constraints["enum"] = list(column.words)
    kind = FIELD_TYPES.get(column.kind, "string")
    if kind == "string" and column.kind in FORMS:
        constraints["pattern"] = FORMS[column.kind]
    field = {"name": column.name, "type": kind, "description": column.description}
    return field | ({"constraints": constraints} if constraints else {})


def _is_foreign(column: schema.Column, headers: Mapping[str, list[str]]) -> bool:
    return column.kind == "key" and column.target in headers and not column.second_target


def _foreign_key(column: schema.Column) -> dict[str, Any]:
    target = schema.BY_FILE[column.target]
    reference = {"resource": target.name, "fields": [target.columns[0].name]}
    return {"fields": [column.name], "reference": reference}
