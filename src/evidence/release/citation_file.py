"""Write the version, date and DOI of a release into a project's `CITATION.cff`."""

import re
from pathlib import Path

from evidence.errors import EvidenceError, ParameterError
from evidence.files import read_text
from evidence.report.cite import CITATION_FILE, read_citation_fields


def released_citation(folder: Path, version: str, doi: str, today: str) -> str:
    """Return the text of `CITATION.cff` with the version, its date and its DOI.

    The date stays if the version does. All other lines stay as they are. Raise `EvidenceError` if
    the file cannot be used, or it has the DOI of another version. Without a `doi` that of the file
    stays; `today`, like 2026-11-24, dates a version that the file does not name yet.
    """
    path = folder / CITATION_FILE
    fields, text = read_citation_fields(folder), read_text(path)
    named, known_doi = str(fields.get("version", "")), str(fields.get("doi") or "")
    if named not in ("", version) and known_doi and doi in ("", known_doi):
        raise ParameterError(
            f"{path}: {known_doi} is the DOI of version {named}. Give that of {version} with --doi, "
            "or remove the line"
        )
    values = {"version": version, "date-released": today, "doi": doi or known_doi}
    if named == version and fields.get("date-released"):
        values["date-released"] = str(fields["date-released"])
    for name, value in values.items():
        if value and str(fields.get(name, "")) != value:
            text = _with_line(text, name, value)
    written = read_citation_fields(folder, text)
    if any(value and str(written[name]) != value for name, value in values.items()):
        raise EvidenceError(f"{path}: write {', '.join(values)} each on one line of its own")
    return text


def _with_line(text: str, name: str, value: str) -> str:
    """Replace or add a line of a YAML file; a YAML writer would drop comments and line breaks."""
    line = f'{name}: "{value}"\n'
    text, replaced = re.subn(rf"^{name}[ \t]*:.*(\n|\Z)", line, text, flags=re.MULTILINE)
    return text if replaced else f"{text.rstrip()}\n{line}"
