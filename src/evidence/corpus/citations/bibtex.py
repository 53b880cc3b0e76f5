"""References as BibTeX that reads back as the same references."""

from collections.abc import Iterable

from evidence.corpus.bibliography import NO_DATE, Author, Reference
from evidence.corpus.citations.parts import kind_of, one_line, page_range

_CONTAINERS = {
    "article": "journal",
    "book": "publisher",
    "incollection": "booktitle",
    "inbook": "booktitle",
    "inproceedings": "booktitle",
    "conference": "booktitle",
    "techreport": "institution",
    "report": "institution",
    "phdthesis": "school",
    "mastersthesis": "school",
    "thesis": "school",
}
# Braces are named and not escaped with a stroke: BibTeX counts braces before it sees the stroke.
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_"},
    }
)


def bibtex(sources: Iterable[Reference]) -> str:
    """One entry a source; a field that is not known is left out."""
    return "\n".join(_entry(source) for source in sources)


def _entry(source: Reference) -> str:
    first, last = page_range(source.pages)
    names = [_name(author) for author in source.authors]
    is_part = kind_of(source).form == "figure"
    kind = "misc" if is_part else source.kind
    fields = {
        "author": " and ".join([*names, *(["others"] if source.more_authors else [])]),
        # Styles put titles in lower case; which capitals may go is not known here, so none.
        "title": f"{{{_escaped(source.title)}}}",
        "year": "" if source.year == NO_DATE else _escaped(source.year),
        _CONTAINERS.get(kind.lower(), "howpublished"): _escaped(source.container),
        "volume": _escaped(source.volume),
        "number": _escaped(source.number),
        "pages": _escaped(f"{first}--{last}" if last else source.pages),
        "doi": one_line(source.doi),
        "pmid": one_line(source.pmid),
        "url": one_line(source.url),
        "note": _escaped(source.note) if is_part else "",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{source.key},", *lines, "}", ""])


def _escaped(text: str) -> str:
    return one_line(text).translate(_ESCAPES)


def _name(author: Author) -> str:
    last = _escaped(author.last)
    if not author.first:
        return f"{{{last}}}"
    if "," in last or " and " in last:
        last = f"{{{last}}}"
    return ", ".join(filter(None, [last, _escaped(author.suffix), _escaped(author.first)]))
