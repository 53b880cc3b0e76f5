"""References as RIS, the tagged lines that reference managers read."""

from collections.abc import Iterable

from evidence.corpus.bibliography import NO_DATE, Author, Reference
from evidence.corpus.citations.parts import kind_of, one_line, page_range


def ris(sources: Iterable[Reference]) -> str:
    """One record a source; a field that is not known is left out."""
    return "\n".join(_record(source) for source in sources)


def _record(source: Reference) -> str:
    kind = kind_of(source)
    first, last = page_range(source.pages)
    container = {"article": "JO", "book": "PB", "report": "PB", "thesis": "PB"}.get(kind.form, "T2")
    fields = [
        ("TY", kind.ris),
        ("ID", source.key),
        *(("AU", _name(author)) for author in source.authors),
        *([("AU", "et al.")] if source.more_authors else []),
        ("TI", source.title),
        ("PY", "" if source.year == NO_DATE else source.year),
        (container, source.container),
        ("VL", source.volume),
        ("IS", source.number),
        ("SP", first),
        ("EP", last),
        ("DO", source.doi),
        ("AN", source.pmid),
        ("UR", source.link),
        ("N1", source.note if kind.form == "figure" else ""),
    ]
    lines = [f"{tag}  - {one_line(text)}" for tag, text in fields if one_line(text)]
    return "\n".join([*lines, "ER  - ", ""])


def _name(author: Author) -> str:
    return ", ".join(part for part in (author.last, author.first, author.suffix) if part)
