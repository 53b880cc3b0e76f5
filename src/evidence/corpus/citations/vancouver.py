"""References after the National Library of Medicine, the style that the ICMJE recommends."""

import re

from evidence.corpus.bibliography import NO_DATE, Author, Reference
from evidence.corpus.citations.parts import ended, kind_of, one_line, page_range

SHOWN = 6
_RANKS = {"II": "2nd", "III": "3rd", "IV": "4th"}


def vancouver(source: Reference) -> str:
    """One reference: six authors, then et al.; the pages shortened; the DOI, else an address.

    Titles of journals stay as the bibliography has them: their abbreviations are in no table here.
    """
    parts = [_authors(source), _title(source), *_where(source)]
    if source.doi:
        parts.append(f"doi: {one_line(source.doi)}.")
    if source.pmid:
        parts.append(f"PMID: {one_line(source.pmid)}.")
    if source.url and not source.doi and not source.pmid:
        parts.append(f"Available from: {one_line(source.url)}")
    return " ".join(part for part in parts if part)


def _authors(source: Reference) -> str:
    names = [_name(author) for author in source.authors]
    more = source.more_authors or len(names) > SHOWN
    return ended(", ".join([*names[:SHOWN], *(["et al"] if more and names else [])]))


def _name(author: Author) -> str:
    """A person without points and with two initials at most; an organisation as it is."""
    if not author.first:
        return one_line(author.last)
    spelt = author.initials
    initials = spelt[:2] if spelt.isupper() else spelt
    rank = author.suffix.rstrip(".")
    return one_line(f"{author.last.replace('.', '')} {initials} {_RANKS.get(rank, rank)}")


def _title(source: Reference) -> str:
    kind = kind_of(source)
    marks = {"phdthesis": " [dissertation]", "mastersthesis": " [master's thesis]"}
    mark = marks.get(source.kind.lower(), " [Internet]" if kind.ris == "ELEC" else "")
    return ended(one_line(source.title).removesuffix("." if mark else "") + mark)


def _where(source: Reference) -> list[str]:
    """Container, date and place; a container that is no journal is joined to the date."""
    kind, container = kind_of(source), one_line(source.container)
    date = "[date unknown]" if source.year in ("", NO_DATE) else one_line(source.year)
    if kind.form == "article":
        return [ended(container), ended(date + _place(source))]
    opening = "In: " if kind.form in ("chapter", "figure") and container else ""
    place = [f"{opening}{container}; {date}." if container else f"{date}."]
    if kind.form == "report" and source.number:
        place.append(f"Report No.: {one_line(source.number)}.")
    if kind.form == "chapter" and _pages(source):
        place.append(f"p. {_pages(source)}.")
    if kind.form == "figure":
        place.append(ended(source.note))
    return place


def _place(source: Reference) -> str:
    numbers = one_line(source.volume) + (f"({one_line(source.number)})" if source.number else "")
    pages = _pages(source)
    return (f";{numbers}" if numbers else "") + (f":{pages}" if pages else "")


def _pages(source: Reference) -> str:
    """856-864 as 856-64 and S12-S15 as S12-5; a letter behind a number keeps it whole."""
    first, last = page_range(source.pages)
    if not last:
        return re.sub("[‐‑‒–—]", "-", first)
    if re.search(r"\D$", first + last) or len(first) != len(last):
        return f"{first}-{last}"
    differ = [place for place, sign in enumerate(last) if sign != first[place]]
    return f"{first}-{last[differ[0] :]}" if differ else first
