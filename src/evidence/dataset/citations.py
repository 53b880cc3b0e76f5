"""What all styles ask of a reference: its kind, its first and last page, its text in one line.

References after the seventh edition of the manual of the American Psychological Association.

References as BibTeX that reads back as the same references.

References as CSL-JSON, what processors of the Citation Style Language read.

References as RIS, the tagged lines that reference managers read.

References after the National Library of Medicine, the style that the ICMJE recommends.

A source written out for others: as a reference for people, as a record for programs.

A style is a function from one reference to a text, or from all of them to a file. Text from the
data can never become syntax: line breaks start no new tag, braces and markup are escaped.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evidence.dataset.bibliography import NO_DATE, Author, Reference


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
    names = [_name_bibtex(author) for author in source.authors]
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


def _name_bibtex(author: Author) -> str:
    last = _escaped(author.last)
    if not author.first:
        return f"{{{last}}}"
    if "," in last or " and " in last:
        last = f"{{{last}}}"
    return ", ".join(filter(None, [last, _escaped(author.suffix), _escaped(author.first)]))


def csl_json(sources: Iterable[Reference]) -> str:
    """An array of items; a variable that is not known is left out."""
    items = [_item(source) for source in sources]
    return json.dumps(items, indent=1, ensure_ascii=False) + "\n"


def _item(source: Reference) -> dict:
    kind = kind_of(source)
    first, last = page_range(source.pages)
    people = [_name_csl(author) for author in source.authors]
    # CSL has no word for further authors; the name "others" is what converters of BibTeX write.
    people += [{"literal": "others"}] if source.more_authors else []
    is_publisher = kind.form in ("book", "report", "thesis")
    variables = {
        "author": people,
        "title": source.title,
        "issued": {"date-parts": [[int(source.year)]]} if source.year.isdecimal() else None,
        "publisher" if is_publisher else "container-title": source.container,
        "volume": source.volume,
        "number" if kind.form == "report" else "issue": source.number,
        "page": f"{first}-{last}" if last else first,
        "genre": "Master's thesis" if source.kind.lower() == "mastersthesis" else "",
        "DOI": source.doi,
        "PMID": source.pmid,
        "URL": source.link,
        "note": source.note if kind.form == "figure" else "",
    }
    return {"id": source.key, "type": kind.csl} | {
        name: one_line(value) if isinstance(value, str) else value
        for name, value in variables.items()
        if value
    }


def _name_csl(author: Author) -> dict[str, str]:
    """The parts of a person's name; an organisation as one literal name."""
    if not author.first:
        return {"literal": one_line(author.last)}
    parts = {
        "family": author.family,
        "given": author.first,
        "non-dropping-particle": author.particle,
        "suffix": author.suffix,
    }
    return {name: one_line(part) for name, part in parts.items() if part}


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
        *(("AU", _name_ris(author)) for author in source.authors),
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


def _name_ris(author: Author) -> str:
    return ", ".join(part for part in (author.last, author.first, author.suffix) if part)


SHOWN_VANCOUVER = 6
_RANKS = {"II": "2nd", "III": "3rd", "IV": "4th"}


def vancouver(source: Reference) -> str:
    """One reference: six authors, then et al.; the pages shortened; the DOI, else an address.

    Titles of journals stay as the bibliography has them: their abbreviations are in no table here.
    """
    parts = [_authors_vancouver(source), _title(source), *_where(source)]
    if source.doi:
        parts.append(f"doi: {one_line(source.doi)}.")
    if source.pmid:
        parts.append(f"PMID: {one_line(source.pmid)}.")
    if source.url and not source.doi and not source.pmid:
        parts.append(f"Available from: {one_line(source.url)}")
    return " ".join(part for part in parts if part)


def _authors_vancouver(source: Reference) -> str:
    names = [_name_vancouver(author) for author in source.authors]
    more = source.more_authors or len(names) > SHOWN_VANCOUVER
    return ended(", ".join([*names[:SHOWN_VANCOUVER], *(["et al"] if more and names else [])]))


def _name_vancouver(author: Author) -> str:
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
    if kind.form == "chapter" and _pages_vancouver(source):
        place.append(f"p. {_pages_vancouver(source)}.")
    if kind.form == "figure":
        place.append(ended(source.note))
    return place


def _place(source: Reference) -> str:
    numbers = one_line(source.volume) + (f"({one_line(source.number)})" if source.number else "")
    pages = _pages_vancouver(source)
    return (f";{numbers}" if numbers else "") + (f":{pages}" if pages else "")


def _pages_vancouver(source: Reference) -> str:
    """856-864 as 856-64 and S12-S15 as S12-5; a letter behind a number keeps it whole."""
    first, last = page_range(source.pages)
    if not last:
        return re.sub("[‐‑‒–—]", "-", first)
    if re.search(r"\D$", first + last) or len(first) != len(last):
        return f"{first}-{last}"
    differ = [place for place, sign in enumerate(last) if sign != first[place]]
    return f"{first}-{last[differ[0] :]}" if differ else first


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
