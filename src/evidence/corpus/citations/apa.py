"""References after the seventh edition of the manual of the American Psychological Association."""

import re

from evidence.corpus.bibliography import NO_DATE, Author, Reference
from evidence.corpus.citations.parts import ended, kind_of, one_line, page_range

SHOWN = 20
FIRST = 19


def apa(source: Reference) -> str:
    """One reference as plain text; titles keep the capitals that the bibliography has."""
    return _written(source, lambda text: text, lambda text: text)


def apa_markdown(source: Reference) -> str:
    """The same in Markdown: what the style sets in italics is, and nothing else is markup."""
    text = _written(source, lambda text: f"*{text}*" if text else "", _literal)
    # A title may open a reference, and must open no heading or list.
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", text)


def _literal(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~$]|&(?=#?\w+;))", r"\\\1", text)


def _written(source: Reference, italic, literal) -> str:
    def plain(text: str) -> str:
        return literal(one_line(text))

    authors = literal(_authors(source))
    date = f"({plain(source.year or NO_DATE)})."
    title, rest = _title_and_container(source, plain, italic)
    opening = [ended(authors), date, title] if authors else [title, date]
    link = one_line(source.link)
    if link and literal("*") != "*":
        # In Markdown an address is no text but stands between signs that it must not hold itself.
        link = f"<{re.sub('[<> ]', lambda found: f'%{ord(found[0]):X}', link)}>"
    return " ".join(part for part in [*opening, *rest, link] if part)


def _authors(source: Reference) -> str:
    names = [_name(author) for author in source.authors]
    if source.more_authors and names:
        return ", ".join([*names[:FIRST], "et al."])
    if len(names) > SHOWN:
        return ", ".join([*names[:FIRST], f". . . {names[-1]}"])
    if len(names) > 1:
        return ", ".join([*names[:-1], f"& {names[-1]}"])
    return "".join(names)


def _name(author: Author) -> str:
    if not author.first:
        return one_line(author.last)
    name = f"{author.last}, {_initials(author.first)}"
    return one_line(f"{name}, {author.suffix}" if author.suffix else name)


def _initials(first: str) -> str:
    """Jean-Paul B as J.-P. B.; a name in a script that has no capitals stays whole."""
    spelt = []
    for word in re.split(r"[\s.]+", first):
        letters = [part[0] for part in word.split("-") if part]
        if letters and letters[0].lower() == letters[0].upper():
            spelt.append(word)
        elif letters:
            spelt.append("-".join(f"{letter.upper()}." for letter in letters))
    return " ".join(spelt)


def _title_and_container(source: Reference, plain, italic) -> tuple[str, list[str]]:
    """The title with what belongs to it, and what follows; one of the two is in italics."""
    form, container = kind_of(source).form, plain(source.container)
    if form == "article":
        numbers = italic(plain(source.volume))
        numbers += f"({plain(source.number)})" if source.number else ""
        place = ", ".join(filter(None, [italic(container), numbers, plain(_pages(source))]))
        return ended(plain(source.title)), [ended(place)]
    if form in ("chapter", "figure"):
        book = f"In {italic(container)}" if container else ""
        pages = f" (pp. {plain(_pages(source))})" if page_range(source.pages)[1] else ""
        note = plain(source.note) if form == "figure" else ""
        return ended(plain(source.title)), [ended(book + pages), ended(note)]
    title = italic(plain(source.title).removesuffix("."))
    if form == "report" and source.number:
        title += f" ({plain(f'Report No. {source.number}')})"
    if form == "thesis":
        kind = (
            "Master's thesis" if source.kind.lower() == "mastersthesis" else "Doctoral dissertation"
        )
        return ended(f"{title} [{', '.join(filter(None, [kind, container]))}]"), []
    # A publisher that is also the author is not named again.
    repeated = any(author.last == source.container for author in source.authors)
    ending = title if re.search(r"[?!]\*?$", title) else f"{title}."
    return ending, [] if repeated else [ended(container)]


def _pages(source: Reference) -> str:
    """856–864; a place of many digits that is no range is the number of an article."""
    first, last = page_range(source.pages)
    if last:
        return f"{first}–{last}"
    is_article = re.fullmatch(r"[^\W\d]+\d{4,}|\d{5,}|\d+[^\W\d]+\d+", first)
    return f"Article {first}" if is_article else first
