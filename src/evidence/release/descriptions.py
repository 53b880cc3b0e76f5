"""What an archive says of itself to Zenodo and to Frictionless; `evidence.release.crate` has the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evidence.dataset import schema
from evidence.dataset.bibliography import Reference
from evidence.dataset.cells import FORMS
from evidence.files import format_json

ZENODO_FILE, PACKAGE_FILE = ".zenodo.json", "datapackage.json"
FIELD_TYPES = {"integer": "integer", "number": "number"}
"""Types of the Table Schema by kind of column; dates, times and p values are texts with a form."""


@dataclass(frozen=True)
class Release:
    """What the descriptions of a release are written from.

    `citation` has the fields of `CITATION.cff`, `licence` the `name` and `link` of that of data and
    figures, and `titles` those of figures, tables and pages by the stem of their files. With
    `packaged_notebooks` only notebooks of the package were run, none of the project.
    """

    citation: Mapping[str, Any]
    licence: Mapping[str, str]
    titles: Mapping[str, str]
    packaged_notebooks: bool = False

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


def full_name(person: Mapping) -> str:
    """Return the name of a person or organisation of `CITATION.cff`."""
    parts = ("given-names", "name-particle", "family-names", "name-suffix")
    return str(person.get("name") or _joined(person, *parts))


def _joined(person: Mapping, *parts: str) -> str:
    return " ".join(str(person[part]) for part in parts if person.get(part))


def zenodo_json(release: Release, cited: Iterable[Reference]) -> str:
    """Format the metadata that Zenodo reads from `.zenodo.json`; `cited` may name a work twice."""
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
            {"identifier": doi, "relation": "cites", "scheme": "doi"}
            for doi in sorted({work.doi for work in cited} - {""})
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


def spdx_identifier(release: Release) -> str:
    """Return the licence of the data as the SPDX list names it: CC-BY-4.0."""
    return release.licence["name"].replace(" ", "-")


def package_json(release: Release, headers: Mapping[str, list[str]]) -> str:
    """Format the Frictionless data package of the tables, with the schema of each.

    `headers` are the column names of each table of the archive, by file.
    """
    content: dict[str, Any] = {
        "name": "evidence",
        "title": release.title,
        "description": release.abstract,
        "version": release.version,
        "created": f"{release.date}T00:00:00Z",
        "licenses": [{"name": spdx_identifier(release), "path": release.licence["link"]}],
        "contributors": [
            {"title": full_name(person), "role": "author"} for person in release.citation["authors"]
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
    if keys := [
        _foreign_key(column)
        for column in columns
        if column.kind == "key" and column.target in headers and not column.second_target
    ]:
        table_schema["foreignKeys"] = keys
    return {
        "name": table.name,
        "path": table.file,
        "description": f"Each row is {table.row}",
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


def _foreign_key(column: schema.Column) -> dict[str, Any]:
    target = schema.BY_FILE[column.target]
    reference = {"resource": target.name, "fields": [target.columns[0].name]}
    return {"fields": [column.name], "reference": reference}
