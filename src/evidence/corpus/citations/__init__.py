"""A source written out for others: as a reference for people, as a record for programs.

A style is a function from one reference to a text, or from all of them to a file. Text from the
data can never become syntax: line breaks start no new tag, braces and markup are escaped.
"""

from collections.abc import Callable, Iterable

from evidence.corpus.bibliography import Reference
from evidence.corpus.citations.apa import apa, apa_markdown
from evidence.corpus.citations.bibtex import bibtex
from evidence.corpus.citations.csl import csl_json
from evidence.corpus.citations.ris import ris
from evidence.corpus.citations.vancouver import vancouver


def _lines(style: Callable[[Reference], str], mark: str = "") -> Callable:
    return lambda sources: "".join(f"{mark}{style(source)}\n" for source in sources)


PROSE: dict[str, Callable[[Reference], str]] = {"vancouver": vancouver, "apa": apa}
STYLES: dict[str, Callable[[Iterable[Reference]], str]] = {
    "bibtex": bibtex,
    "ris": ris,
    "csl-json": csl_json,
    "vancouver": _lines(vancouver),
    "apa": _lines(apa),
    "markdown": _lines(apa_markdown, "- "),
}
