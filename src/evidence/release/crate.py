"""The RO-Crate of an archive: every file, who made it, its licences, and the run of the software."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from evidence.dataset import schema
from evidence.files import format_json
from evidence.release.descriptions import Release, full_name
from evidence.report.html_pages import render

CRATE_FILE, PREVIEW_FILE = "ro-crate-metadata.json", "ro-crate-preview.html"
CRATE_VERSION = "1.2"
LOCK_FILE = "requirements.lock"
SPDX = "https://spdx.org/licenses/"
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
KINDS = {
    ".bib": "Citation",
    ".html": "Page",
    "notebooks": "Notebook",
    "reports/figures": "Figure",
    "reports/notebooks": "Executed notebook",
    "reports/reads": "Cells of the tables behind the page",
    "reports/tables": "Table",
    "reports/values": "Numbers of the page",
}
"""What a file with a title is, by its suffix or folder."""
DESCRIPTIONS = {
    ".zenodo": "Metadata for Zenodo",
    "CHANGELOG": "Changes of each version of the project",
    "CHANGES": "Changes since the earlier version",
    "CITATION": "How to cite the project",
    "LICENSE": "Licence of the notebooks",
    "LICENSE-DATA": "Licence of data and figures",
    "README": "Introduction to the project",
    "claims": "Claims of the guide with their verdicts",
    "coverage": "Known studies per outcome and condition, and how many have a result in the tables",
    "datapackage": "Schema of the tables (Frictionless)",
    "manifest": "Parameters and inputs of each report, with checksums",
    "reading-list": "Sources to read next, and what to look up in them",
    "references": "Bibliography of all sources",
    "report": "All pages in one file",
    "reports": "Sets of parameters for reports",
    "requirements": "Exact versions of the software",
    "search-index": "Index of the search on the pages",
    "texts": "Sentences of all pages",
    "unknowns": "Questions that the evidence does not answer",
    "values": "Numbers of all pages, each with its method and rows",
}
"""What the other files are, by stem."""


def describe_crate(release: Release, sizes: Mapping[str, int]) -> dict[str, str]:
    """Return the RO-Crate as JSON-LD and as a page, by the name of the file.

    `sizes` are the bytes of each other file of the archive, by name.
    """
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=CRATE_VERSION)

    def add(identifier: str, kind: str, name: str, **properties: Any) -> ContextEntity:
        content = {"@type": kind, "name": name, **{k: v for k, v in properties.items() if v}}
        return crate.add(ContextEntity(crate, identifier, properties=content))

    citation = release.citation
    people = [_add_person(add, *numbered) for numbered in enumerate(citation["authors"])]
    spdx, code_licence = citation.get("license"), None
    if isinstance(spdx, str):
        about = "Licence of the notebooks. Its terms are in LICENSE."
        code_licence = add(f"{SPDX}{spdx}", "CreativeWork", spdx, description=about)
    about = "Licence of data and figures. Its terms are in LICENSE-DATA."
    link, licence_name = release.licence["link"], f"{release.licence['name']} licence"
    licence = add(link, "CreativeWork", licence_name, description=about)
    properties = {name: _file_properties(release, name, size) for name, size in sizes.items()}
    files = {
        name: crate.add_file(dest_path=name, properties=properties[name]) for name in properties
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
    root["keywords"] = list(map(str, citation.get("keywords") or []))
    if citation.get("url"):
        root["url"] = str(citation["url"])
    doi = release.doi and f"https://doi.org/{release.doi}"
    if doi:
        root["identifier"] = root["cite-as"] = doi
    notebooks = (
        "only the notebooks of the evidence package"
        if release.packaged_notebooks
        else "every notebook"
    )
    run = crate.add_action(
        software,
        identifier="#run",
        object=[file for name, file in files.items() if _is_input(release, name)],
        result=[file for name, file in files.items() if name.startswith("reports/")],
        properties={
            "name": "evidence report",
            "description": f"Ran {notebooks} and wrote pages, figures, tables and values.",
            "endTime": release.date,
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    run["agent"] = people[0]
    root["mentions"] = run
    facts = {
        "Version": f"{release.version}, {release.date}",
        "DOI": doi,
        "Authors": "; ".join(map(full_name, citation["authors"])),
        "Licence": f"{licence_name}, {link}",
        "Address": citation.get("url"),
        "Made with": f"evidence {version('evidence')}, which ran {notebooks}",
    }
    folders: dict[str, list[dict[str, str]]] = {}
    for name, described in properties.items():
        folder = PurePosixPath(name).parent.as_posix()
        folders.setdefault("This folder" if folder == "." else folder, []).append(
            {"id": quote(name), **described}
        )
    page = render(
        "crate.html",
        title=release.title,
        abstract=release.abstract,
        facts=facts,
        folders=folders,
        metadata=CRATE_FILE,
    )
    return {CRATE_FILE: format_json(crate.metadata.generate()), PREVIEW_FILE: page}


def _is_input(release: Release, name: str) -> bool:
    """Tell whether reports are made from a file of the archive."""
    folders = ("data/",) if release.packaged_notebooks else ("data/", "notebooks/")
    return name.startswith(folders) or name in (schema.BIBLIOGRAPHY_FILE, "reports.yml", LOCK_FILE)


def _add_person(add, number: int, person: Mapping):
    kind = "Organization" if "name" in person else "Person"
    properties = {"url": person.get("website")}
    if person.get("affiliation"):
        name = str(person["affiliation"])
        properties["affiliation"] = add(f"#affiliation-{number}", "Organization", name)
    if person.get("email"):
        email, name = str(person["email"]), f"Contact of {full_name(person)}"
        contact = add(f"mailto:{email}", "ContactPoint", name, email=email)
        properties["contactPoint"] = contact
    identifier = person.get("orcid") or f"#author-{number}"
    return add(str(identifier), kind, full_name(person), **properties)


def _software_address(release: Release) -> str:
    """Return where the software is, or else the list of its exact versions."""
    is_software = release.citation.get("type", "software") == "software"
    return str((is_software and release.citation.get("repository-code")) or LOCK_FILE)


def _file_properties(release: Release, name: str, size: int) -> dict[str, str]:
    path = PurePosixPath(name)
    other = "application/octet-stream" if path.suffix else "text/plain"
    return {
        "name": path.name,
        "description": _describe_file(release, path),
        "contentSize": str(size),
        "encodingFormat": MEDIA_TYPES.get(path.suffix.lower(), other),
    }


def _describe_file(release: Release, path: PurePosixPath) -> str:
    if path.as_posix() in schema.BY_FILE:
        return f"Each row is {schema.BY_FILE[path.as_posix()].row}"
    stem = re.sub(r"(-85mm|-600dpi|-embed)+$", "", path.stem)
    folder = path.parent.as_posix()
    if stem in release.titles and (kind := KINDS.get(path.suffix) or KINDS.get(folder)):
        return f"{kind}: {release.titles[stem]}"
    return DESCRIPTIONS.get(path.stem) or "Further file"
