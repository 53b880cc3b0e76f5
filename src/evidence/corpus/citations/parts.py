"""What all styles ask of a reference: its kind, its first and last page, its text in one line."""

import re
from dataclasses import dataclass

from evidence.corpus.bibliography import Reference


@dataclass(frozen=True)
class Kind:
    """What a kind of source is called: by the styles for people, in RIS and in CSL."""

    form: str
    ris: str
    csl: str


_ARTICLE = Kind("article", "JOUR", "article-journal")
_BOOK = Kind("book", "BOOK", "book")
_CHAPTER = Kind("chapter", "CHAP", "chapter")
_TALK = Kind("chapter", "CPAPER", "paper-conference")
_REPORT = Kind("report", "RPRT", "report")
_THESIS = Kind("thesis", "THES", "thesis")
_PAGE = Kind("page", "ELEC", "webpage")
_OTHER = Kind("page", "GEN", "document")
_KINDS = {
    "article": _ARTICLE,
    "book": _BOOK,
    "incollection": _CHAPTER,
    "inbook": _CHAPTER,
    "inproceedings": _TALK,
    "conference": _TALK,
    "techreport": _REPORT,
    "report": _REPORT,
    "phdthesis": _THESIS,
    "mastersthesis": _THESIS,
    "thesis": _THESIS,
    # Parts of a project of this kind: their note is for readers, not one of the curators.
    "figure": Kind("figure", "FIGURE", "figure"),
    "table": Kind("figure", "CHART", "document"),
}


def kind_of(source: Reference) -> Kind:
    """The kind of a source; what no style knows by name is told by what it has.

    With a volume it is an article, with an address a page, else a text of any kind.
    """
    if source.volume and source.container:
        return _KINDS.get(source.kind.lower(), _ARTICLE)
    return _KINDS.get(source.kind.lower(), _PAGE if source.url else _OTHER)


def one_line(text: str) -> str:
    """`text` without line breaks, tabs and control characters, which files of tags live by."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def ended(text: str) -> str:
    """A sentence with its full stop, unless it already ends in a mark."""
    text = one_line(text)
    return text if re.search(r"[.?!]['\"’”»]?$", text) or not text else f"{text}."


def page_range(pages: str) -> tuple[str, str]:
    """First and last page in full (856-64 means 856 to 864); the last is empty for a single one.

    A number of pages (65 pp.) is no place, and gives two empty texts.
    """
    pages = one_line(pages)
    if re.fullmatch(r"\d+ ?pp?\.?", pages):
        return "", ""
    found = re.fullmatch(r"([^\W\d]*)(\d+)([^\W\d]*) ?[-‐‑‒–—]+ ?([^\W\d]*)(\d+)([^\W\d]*)", pages)
    if found is None:
        return pages, ""
    before, first, after, again, last, end = found.groups()
    if len(last) < len(first) and again in ("", before):
        last = first[: -len(last)] + last
    return before + first + after, (again or before) + last + end
