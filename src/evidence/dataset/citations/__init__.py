"""References in the styles and formats of others: Vancouver, APA, AMA, BibTeX, RIS, CSL-JSON and CSV.

Text from the bibliography never becomes syntax: line breaks start no new tag, and braces and markup
are escaped.
"""

from collections.abc import Callable, Iterable

from evidence.dataset.bibliography import Reference
from evidence.dataset.citations.ama import format_ama
from evidence.dataset.citations.apa import format_apa, format_apa_markdown
from evidence.dataset.citations.bibtex import format_bibtex
from evidence.dataset.citations.reference_managers import format_csl_json, format_csv, format_ris
from evidence.dataset.citations.vancouver import format_vancouver


def _lines(style: Callable[[Reference], str], bullet: str = "") -> Callable:
    """Turn a style for one reference into a style for many: a line for each."""
    return lambda sources: "".join(f"{bullet}{style(source)}\n" for source in sources)


TEXT_STYLES: dict[str, Callable[[Reference], str]] = {
    "vancouver": format_vancouver,
    "apa": format_apa,
    "ama": format_ama,
}
"""Styles of a single reference, as plain text."""
STYLES: dict[str, Callable[[Iterable[Reference]], str]] = {
    "bibtex": format_bibtex,
    "ris": format_ris,
    "csl-json": format_csl_json,
    "csv": format_csv,
    "vancouver": _lines(format_vancouver),
    "apa": _lines(format_apa),
    "ama": _lines(format_ama),
    "markdown": _lines(format_apa_markdown, "- "),
}
"""Styles of a list of references, by the names that `evidence cite` takes."""
