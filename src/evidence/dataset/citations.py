"""References in the styles and formats of others: Vancouver, APA, BibTeX, RIS and CSL-JSON.

Text from the bibliography never becomes syntax: line breaks start no new tag, and braces and markup
are escaped.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import NO_DATE, Reference
from evidence.files import format_json


@dataclass(frozen=True)
class Kind:
    """What a kind of source is called, and where BibTeX puts what contains or publishes it."""

    form: str
    ris: str
    csl: str
    bibtex_container: str = "howpublished"


_ARTICLE = Kind("article", "JOUR", "article-journal", "journal")
_BOOK = Kind("book", "BOOK", "book", "publisher")
_CHAPTER = Kind("chapter", "CHAP", "chapter", "booktitle")
_CONFERENCE_PAPER = Kind("chapter", "CPAPER", "paper-conference", "booktitle")
_REPORT = Kind("report", "RPRT", "report", "institution")
_THESIS = Kind("thesis", "THES", "thesis", "school")
_WEB_PAGE = Kind("page", "ELEC", "webpage")
_OTHER = Kind("page", "GEN", "document")
_PUBLISHED = ("book", "report", "thesis")
"""Forms that have a publisher in place of a container."""
_KINDS = {
    "article": _ARTICLE,
    **dict.fromkeys(("book", "collection", "mvbook", "mvcollection", "proceedings"), _BOOK),
    **dict.fromkeys(("incollection", "inbook", "inreference", "suppbook"), _CHAPTER),
    "inproceedings": _CONFERENCE_PAPER,
    "conference": _CONFERENCE_PAPER,
    "techreport": _REPORT,
    "report": _REPORT,
    "phdthesis": _THESIS,
    "mastersthesis": _THESIS,
    "thesis": _THESIS,
    # Figures and tables of this project; their note is for readers, not a curator's remark.
    "figure": Kind("figure", "FIGURE", "figure"),
    "table": Kind("figure", "CHART", "document"),
}


def kind_of(source: Reference) -> Kind:
    """Return the kind of a source; an unknown entry type is judged by the fields it has."""
    if source.volume and source.container:
        return _KINDS.get(source.kind.lower(), _ARTICLE)
    return _KINDS.get(source.kind.lower(), _WEB_PAGE if source.url else _OTHER)


def _one_line(text: str) -> str:
    """Replace line breaks, tabs and control characters, on which formats made of tags depend."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _join(*parts: str) -> str:
    """Join the parts that are not empty with commas."""
    return ", ".join(filter(None, parts))


def _end_sentence(text: str) -> str:
    """Add a full stop, unless the text already ends in a mark."""
    text = _one_line(text)
    return text if re.search(r"[.?!]['\"’”»]?$", text) or not text else f"{text}."


def page_range(pages: str) -> tuple[str, str]:
    """Return the first and the last page in full (856-64 means 856 to 864).

    The last is empty for a single page; both are empty for a number of pages (65 pp.).
    """
    pages = _one_line(pages)
    if re.fullmatch(r"\d+ ?pp?\.?", pages):
        return "", ""
    match = re.fullmatch(r"([^\W\d]*)(\d+)([^\W\d]*) ?[-‐‑‒–—]+ ?([^\W\d]*)(\d+)([^\W\d]*)", pages)
    if match is None:
        return pages, ""
    prefix, first, suffix, last_prefix, last, last_suffix = match.groups()
    if len(last) < len(first) and last_prefix in ("", prefix):
        last = first[: -len(last)] + last
    return prefix + first + suffix, (last_prefix or prefix) + last + last_suffix


# Vancouver, after the National Library of Medicine and the ICMJE

VANCOUVER_MAX_AUTHORS = 6
_ORDINALS = {"II": "2nd", "III": "3rd", "IV": "4th"}


def format_vancouver(source: Reference) -> str:
    """Format one reference: six authors, then et al.; shortened pages; the DOI, else an address.

    Journal titles stay as the bibliography has them: their abbreviations are in no table here.
    """
    parts = [_vancouver_authors(source), _vancouver_title(source), *_vancouver_publication(source)]
    if source.doi:
        parts.append(f"doi: {_one_line(source.doi)}.")
    if source.pmid:
        parts.append(f"PMID: {_one_line(source.pmid)}.")
    if source.url and not source.doi and not source.pmid:
        parts.append(f"Available from: {_one_line(source.url)}")
    return " ".join(part for part in parts if part)


def _vancouver_authors(source: Reference) -> str:
    names = _vancouver_names(source.creators, source.more_authors)
    return _end_sentence(_join(names, "" if source.authors else _vancouver_role(source.editors)))


def _vancouver_names(people: Sequence[Author], has_more: bool) -> str:
    names = [_vancouver_name(person) for person in people]
    is_cut = has_more or len(names) > VANCOUVER_MAX_AUTHORS
    et_al = ["et al"] if is_cut and names else []
    return ", ".join([*names[:VANCOUVER_MAX_AUTHORS], *et_al])


def _vancouver_role(editors: Sequence[Author]) -> str:
    return "" if not editors else "editor" if len(editors) == 1 else "editors"


def _vancouver_name(author: Author) -> str:
    """Write a person without points and with all initials, as PubMed does; others as they are."""
    if not author.first:
        return _one_line(author.last)
    # Jean-Paul and Ji-hye become JP and JH; a name in a script without capitals stays whole.
    parts = [part for part in re.split(r"[\s.\-‐‑]+", author.first) if part]
    letters = "".join(p[0].upper() if p[0].lower() != p[0].upper() else p for p in parts)
    suffix = author.suffix.rstrip(".")
    last = author.last.replace(".", "")
    return _one_line(f"{last} {letters} {_ORDINALS.get(suffix, suffix)}")


def _vancouver_title(source: Reference) -> str:
    labels = {"phdthesis": " [dissertation]", "mastersthesis": " [master's thesis]"}
    medium = " [Internet]" if kind_of(source).ris == "ELEC" else ""
    label = labels.get(source.kind.lower(), medium)
    return _end_sentence(_one_line(source.title).removesuffix("." if label else "") + label)


def _vancouver_publication(source: Reference) -> list[str]:
    """List container, date, volume and pages; a container that is no journal joins the date."""
    form, container = kind_of(source).form, _one_line(source.container)
    date = "[date unknown]" if source.year in ("", NO_DATE) else _one_line(source.year)
    if form == "article":
        return [_end_sentence(container), _end_sentence(date + _vancouver_issue(source))]
    opening = "In: " if form in ("chapter", "figure") and container else ""
    if form == "chapter" and container and source.authors and source.editors:
        editors = _join(_vancouver_names(source.editors, False), _vancouver_role(source.editors))
        opening += _end_sentence(editors) + " "
    parts = [f"{opening}{container}; {date}." if container else f"{date}."]
    if form == "report" and source.number:
        parts.append(f"Report No.: {_one_line(source.number)}.")
    if form == "chapter" and _vancouver_pages(source):
        parts.append(f"p. {_vancouver_pages(source)}.")
    if form == "figure":
        parts.append(_end_sentence(source.note))
    return parts


def _vancouver_issue(source: Reference) -> str:
    numbers = _one_line(source.volume) + (f"({_one_line(source.number)})" if source.number else "")
    pages = _vancouver_pages(source)
    return (f";{numbers}" if numbers else "") + (f":{pages}" if pages else "")


def _vancouver_pages(source: Reference) -> str:
    """Shorten 856-864 to 856-64 and S12-S15 to S12-5, but no pages that end in a letter."""
    first, last = page_range(source.pages)
    if not last:
        return re.sub("[‐‑‒–—]", "-", first)
    if re.search(r"\D$", first + last) or len(first) != len(last):
        return f"{first}-{last}"
    different = [position for position, sign in enumerate(last) if sign != first[position]]
    return f"{first}-{last[different[0] :]}" if different else first


# APA, seventh edition of the Publication Manual

APA_MAX_AUTHORS = 20


def format_apa(source: Reference) -> str:
    """Format one reference as plain text; titles keep the capitals of the bibliography."""
    style = _Apa(italic=lambda text: text, literal=lambda text: text)
    return style.format(source, _one_line(source.link))


def format_apa_markdown(source: Reference) -> str:
    """Format one reference in Markdown, with italics and no other markup."""
    # An address stands between signs that it must not contain.
    link = re.sub("[<> ]", lambda sign: f"%{ord(sign[0]):X}", _one_line(source.link))
    style = _Apa(italic=lambda text: f"*{text}*" if text else "", literal=_escape_markdown)
    text = style.format(source, f"<{link}>" if link else "")
    # A title may open a reference, and must open no heading or list.
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", text)


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~$]|&(?=#?\w+;))", r"\\\1", text)


@dataclass(frozen=True)
class _Apa:
    """The APA style for one kind of text: how italics are set, and literal text is escaped."""

    italic: Callable[[str], str]
    literal: Callable[[str], str]

    def format(self, source: Reference, link: str) -> str:
        authors = self.literal(_apa_authors(source))
        date = f"({self.plain(source.lettered_year)})."
        title, *container = self.title_and_container(source)
        opening = [_end_sentence(authors), date, title] if authors else [title, date]
        return " ".join(part for part in [*opening, *container, link] if part)

    def plain(self, text: str) -> str:
        return self.literal(_one_line(text))

    def title_and_container(self, source: Reference) -> list[str]:
        """Write the title with its details, and what follows it; one of the two is in italics."""
        form, container = kind_of(source).form, self.plain(source.container)
        if form == "article":
            return [_end_sentence(self.plain(source.title)), self.journal_issue(source)]
        if form in ("chapter", "figure"):
            editors = self.literal(_apa_editors(source)) if form == "chapter" else ""
            book = f"In {_join(editors, self.italic(container))}" if container else ""
            has_range = page_range(source.pages)[1]
            pages = f" (pp. {self.plain(_apa_pages(source))})" if has_range else ""
            note = self.plain(source.note) if form == "figure" else ""
            title = _end_sentence(self.plain(source.title))
            return [title, _end_sentence(book + pages), _end_sentence(note)]
        title = self.italic(self.plain(source.title).removesuffix("."))
        if form == "report" and source.number:
            title += f" ({self.plain(f'Report No. {source.number}')})"
        if form == "thesis":
            is_master = source.kind.lower() == "mastersthesis"
            degree = "Master's thesis" if is_master else "Doctoral dissertation"
            return [_end_sentence(f"{title} [{_join(degree, container)}]")]
        title = title if re.search(r"[?!]\*?$", title) else f"{title}."
        # A publisher that is also the author is not named again.
        is_author = any(author.last == source.container for author in source.creators)
        return [title, "" if is_author else _end_sentence(container)]

    def journal_issue(self, source: Reference) -> str:
        issue = self.italic(self.plain(source.volume))
        issue += f"({self.plain(source.number)})" if source.number else ""
        journal = self.italic(self.plain(source.container))
        return _end_sentence(_join(journal, issue, self.plain(_apa_pages(source))))


def _apa_authors(source: Reference) -> str:
    """List the authors, or the editors of a work that has none."""
    names = _apa_names(source)
    if source.authors or not names:
        return names
    return f"{names} ({_apa_role(source.editors)})"


def _apa_role(editors: Sequence[Author]) -> str:
    return "Ed." if len(editors) == 1 else "Eds."


def _apa_editors(source: Reference) -> str:
    """List the editors of the book that a chapter is in, initials first."""
    if not (source.authors and source.editors):
        return ""
    names = [_one_line(f"{_apa_initials(editor.first)} {editor.last}") for editor in source.editors]
    last = f"{', ' if len(names) > 2 else ' '}& {names[-1]}" if len(names) > 1 else ""
    return f"{', '.join(names[:-1] if last else names)}{last} ({_apa_role(source.editors)})"


def _apa_names(source: Reference) -> str:
    names = [_apa_name(author) for author in source.creators]
    if source.more_authors and names:
        return ", ".join([*names[: APA_MAX_AUTHORS - 1], "et al."])
    if len(names) > APA_MAX_AUTHORS:
        return ", ".join([*names[: APA_MAX_AUTHORS - 1], f". . . {names[-1]}"])
    if len(names) > 1:
        return ", ".join([*names[:-1], f"& {names[-1]}"])
    return "".join(names)


def _apa_name(author: Author) -> str:
    if not author.first:
        return _one_line(author.last)
    return _one_line(_join(author.last, _apa_initials(author.first), author.suffix))


def _apa_initials(first: str) -> str:
    """Shorten Jean-Paul B to J.-P. B.; a name in a script without capitals stays whole."""
    initials = []
    # The hyphen of K.-H. belongs to both initials.
    for word in re.split(r"[\s.]+", re.sub(r"\.?[-‐‑]", "-", first)):
        letters = [part[0] for part in word.split("-") if part]
        if letters and letters[0].lower() == letters[0].upper():
            initials.append(word)
        elif letters:
            initials.append("-".join(f"{letter.upper()}." for letter in letters))
    return " ".join(initials)


def _apa_pages(source: Reference) -> str:
    """Write a range as 856–864; a single page of many digits is the number of an article."""
    first, last = page_range(source.pages)
    if last:
        return f"{first}–{last}"
    is_article = re.fullmatch(r"[^\W\d]+\d{4,}|\d{5,}|\d+[^\W\d]+\d+", first)
    return f"Article {first}" if is_article else first


# BibTeX

# Braces are named and not escaped with a stroke: BibTeX counts braces before it sees the stroke.
_LATEX_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_"},
    }
)


def format_bibtex(sources: Iterable[Reference]) -> str:
    """Format sources as BibTeX that reads back as the same references."""
    # It takes long to import, and only who writes BibTeX needs it.
    import bibtexparser
    from bibtexparser.model import Block, Entry, Field

    layout = bibtexparser.BibtexFormat()
    layout.indent, layout.block_separator, layout.trailing_comma = "  ", "\n", True
    entries: list[Block] = [
        Entry(
            "misc" if kind_of(source).form == "figure" else source.kind,
            source.key,
            [Field(name, f"{{{value}}}") for name, value in _bibtex_fields(source).items()],
        )
        for source in sources
    ]
    library = bibtexparser.Library(entries)
    return bibtexparser.write_string(library, unparse_stack=[], bibtex_format=layout)


def _bibtex_fields(source: Reference) -> dict[str, str]:
    """Return the fields that are known, escaped."""
    first, last = page_range(source.pages)
    names = _bibtex_names(source.authors, source.more_authors)
    is_figure = kind_of(source).form == "figure"
    container = _KINDS.get(source.kind.lower(), _OTHER).bibtex_container
    fields = {
        "author": names if source.authors else "",
        "editor": _bibtex_names(source.editors, source.more_authors and not source.authors),
        # Styles put titles in lower case; which capitals may go is not known here, so none.
        "title": f"{{{escape_latex(source.title)}}}",
        "year": escape_latex(source.year),
        container: escape_latex(source.container),
        "volume": escape_latex(source.volume),
        "number": escape_latex(source.number),
        "pages": escape_latex(f"{first}--{last}" if last else source.pages),
        "doi": _one_line(source.doi),
        "pmid": _one_line(source.pmid),
        "url": _one_line(source.url),
        "note": escape_latex(source.note) if is_figure else "",
    }
    return {name: value for name, value in fields.items() if value}


def escape_latex(text: str) -> str:
    """Write plain text so that LaTeX prints it as it is."""
    return _one_line(text).translate(_LATEX_ESCAPES)


def _bibtex_names(people: Sequence[Author], has_more: bool) -> str:
    return " and ".join([*map(_bibtex_name, people), *(["others"] if has_more else [])])


def _bibtex_name(author: Author) -> str:
    last = escape_latex(author.last)
    if not author.first:
        return f"{{{last}}}"
    if "," in last or " and " in last:
        last = f"{{{last}}}"
    return _join(last, escape_latex(author.suffix), escape_latex(author.first))


# RIS

_RIS_CONTAINERS = {"article": "journal_name"} | dict.fromkeys(_PUBLISHED, "publisher")


def format_ris(sources: Iterable[Reference]) -> str:
    """Format sources as RIS, the tagged lines that reference managers read."""
    import rispy

    class Writer(rispy.RisWriter):
        """A writer without the number that rispy puts before each record."""

        def set_header(self, count: int) -> str:
            return ""

    return rispy.dumps([_ris_record(source) for source in sources], implementation=Writer)


def _ris_record(source: Reference) -> dict[str, str | list[str]]:
    """Return the fields that are known, by the names of rispy."""
    kind = kind_of(source)
    first, last = page_range(source.pages)
    authors, editors = (
        [_join(person.last, person.first, person.suffix) for person in people]
        for people in (source.authors, source.editors)
    )
    (authors if source.authors else editors).extend(["et al."] if source.more_authors else [])
    fields: dict[str, str | list[str]] = {
        "type_of_reference": kind.ris,
        "id": source.key,
        "authors": authors,
        "secondary_authors": editors,
        "title": source.title,
        "year": "" if source.year == NO_DATE else source.year,
        _RIS_CONTAINERS.get(kind.form, "secondary_title"): source.container,
        "volume": source.volume,
        "number": source.number,
        "start_page": first,
        "end_page": last,
        "doi": source.doi,
        "accession_number": source.pmid,
        "urls": [source.link],
        "notes": [source.note] if kind.form == "figure" else [],
    }
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = list(filter(None, map(_one_line, value)))
        else:
            fields[name] = _one_line(value)
    return {name: value for name, value in fields.items() if value}


# CSL-JSON, which processors of the Citation Style Language read


def format_csl_json(sources: Iterable[Reference]) -> str:
    """Format sources as CSL-JSON: an array of items with the variables that are known."""
    return format_json([_csl_item(source) for source in sources])


def _csl_item(source: Reference) -> dict:
    kind = kind_of(source)
    first, last = page_range(source.pages)
    authors, editors = (
        [_csl_name(person) for person in people] for people in (source.authors, source.editors)
    )
    # CSL has no word for further authors; the name "others" is what converters of BibTeX write.
    (authors if source.authors else editors).extend(
        [{"literal": "others"}] if source.more_authors else []
    )
    variables = {
        "author": authors,
        "editor": editors,
        "title": source.title,
        "issued": {"date-parts": [[int(source.year)]]} if source.year.isdecimal() else None,
        "publisher" if kind.form in _PUBLISHED else "container-title": source.container,
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
        name: _one_line(value) if isinstance(value, str) else value
        for name, value in variables.items()
        if value
    }


def _csl_name(author: Author) -> dict[str, str]:
    """Return the parts of a person's name; an organisation has one literal name."""
    if not author.first:
        return {"literal": _one_line(author.last)}
    parts = {"family": author.family, "given": author.first}
    parts |= {"non-dropping-particle": author.particle, "suffix": author.suffix}
    return {name: _one_line(part) for name, part in parts.items() if part}


def _lines(style: Callable[[Reference], str], bullet: str = "") -> Callable:
    """Turn a style for one reference into a style for many: a line for each."""
    return lambda sources: "".join(f"{bullet}{style(source)}\n" for source in sources)


TEXT_STYLES: dict[str, Callable[[Reference], str]] = {
    "vancouver": format_vancouver,
    "apa": format_apa,
}
"""Styles of a single reference, as plain text."""
STYLES: dict[str, Callable[[Iterable[Reference]], str]] = {
    "bibtex": format_bibtex,
    "ris": format_ris,
    "csl-json": format_csl_json,
    "vancouver": _lines(format_vancouver),
    "apa": _lines(format_apa),
    "markdown": _lines(format_apa_markdown, "- "),
}
"""Styles of a list of references, by the names that `evidence cite` takes."""
