"""References in the styles and formats of others: Vancouver, APA, AMA, BibTeX, RIS, CSL-JSON and CSV.

Text from the bibliography never becomes syntax: line breaks start no new tag, and braces and markup
are escaped.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import NO_DATE, Reference
from evidence.dataset.letter_case import capitals_to_protect, sentence_case, title_case
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
_PREPRINT = Kind("preprint", "UNPB", "article")
_REGISTRY_ENTRY = Kind("registry", "ELEC", "webpage")
_DATASET = Kind("dataset", "DATA", "dataset", "publisher")
_SOFTWARE = Kind("dataset", "COMP", "software", "publisher")
_PUBLISHED = ("book", "report", "thesis", "dataset")
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
    **dict.fromkeys(("dataset", "data"), _DATASET),
    "software": _SOFTWARE,
    # Figures and tables of this project; their note is for readers, not a curator's remark.
    "figure": Kind("figure", "FIGURE", "figure"),
    "table": Kind("figure", "CHART", "document"),
}


_PREPRINT_SERVERS = re.compile(
    r"(?:bio|med|chem|psy|soc)?a?rxiv|psyarxiv|socarxiv|osf preprints|preprints(?:\.org)?|"
    r"research square|ssrn(?: electronic journal)?",
    re.IGNORECASE,
)
_TRIAL_NUMBER = re.compile(
    r"(?:NCT\d{8}|ACTRN\d{14}|UMIN\d{9}|JPRN-\w+|jRCTs?\d+|IRCT\w+|ISRCTN\d{8}|DRKS\d{8}|"
    r"ChiCTR[\w-]+|CTRI/[\d/]+|KCT\d+|RBR-\w+|EudraCT \d{4}-\d{6}-\d\d|PACTR\d+|TCTR\d+)"
)
_REGISTRY_TITLE = re.compile(rf"(?:({_TRIAL_NUMBER.pattern}): )?(.*?)(?:, registry record)?")
_UNKNOWN_NAME = re.compile(r"authors? not (?:read|stated|known|confirmed|kept)", re.IGNORECASE)
_UNKNOWN_CONTAINER = re.compile(r"(?:journal )?not (?:read|stated|known|confirmed)", re.IGNORECASE)
INCOMPLETE_AUTHORS = "The author list is incomplete."
AHEAD_OF_PRINT = "Online ahead of print."
"""Notes in formats that have no word for this."""


def known_parts(source: Reference) -> Reference:
    """Leave out the words by which a bibliography says that it has no author or journal."""
    authors = tuple(a for a in source.authors if not _UNKNOWN_NAME.fullmatch(a.last))
    container = "" if _UNKNOWN_CONTAINER.fullmatch(source.container) else source.container
    has_more = source.more_authors and bool(authors or source.editors)
    return replace(source, authors=authors, container=container, more_authors=has_more)


_NO_TITLE_WORDS = ("a", "an", "and", "at", "for", "from", "in", "of", "on", "the", "to", "with")


@cache
def _read_abbreviations(name: str) -> dict[str, str]:
    lines = files("evidence.dataset").joinpath(name).read_text("utf-8").splitlines()
    return {_plain_name(title): short for title, short in list(csv.reader(lines))[1:]}


def _plain_name(journal: str) -> str:
    words = re.findall(r"\w+", journal.replace("&", " and ").casefold())
    return " ".join(words[1:] if words[:1] == ["the"] else words)


def _is_journal(title: str) -> bool:
    return _plain_name(title) in _read_abbreviations("journals.csv")


def abbreviate_journal(title: str) -> str:
    """Return NLM's abbreviation of a journal, else one after ISO 4.

    A title of one word stays whole, and so does a title with a word that `journal_words.csv` has not.
    """
    name = _plain_name(title)
    words = [word for word in name.split() if word not in _NO_TITLE_WORDS]
    known = _read_abbreviations("journal_words.csv")
    if name in (listed := _read_abbreviations("journals.csv")):
        return listed[name]
    if len(words) > 1 and all(word in known for word in words):
        return " ".join(known[word] for word in words)
    return _one_line(title)


def kind_of(source: Reference) -> Kind:
    """Return the kind of a source; an unknown entry type is judged by the fields it has."""
    if _PREPRINT_SERVERS.fullmatch(source.container) and not source.volume:
        return _PREPRINT
    if source.kind.lower() in ("misc", "online", "dataset") and _trial_number(source):
        return _REGISTRY_ENTRY
    if source.container and (source.volume or _is_journal(source.container)):
        return _KINDS.get(source.kind.lower(), _ARTICLE)
    return _KINDS.get(source.kind.lower(), _WEB_PAGE if source.url else _OTHER)


def container_field(kind: str) -> str:
    """Return the field of BibTeX that holds what contains or publishes an entry of this type."""
    return _KINDS.get(kind.lower(), _OTHER).bibtex_container


def _trial_number(source: Reference) -> str:
    """Return the number of an entry in a trial registry, from its number or its title."""
    if match := _TRIAL_NUMBER.fullmatch(source.number):
        return match[0]
    match = _REGISTRY_TITLE.fullmatch(_one_line(source.title))
    return (match and match[1]) or ""


def _registry(source: Reference) -> str:
    organisations = [author.last for author in source.creators if not author.first]
    return _one_line(next(iter(organisations), source.container) or "Trial registry")


def _sentence(source: Reference, text: str = "", *, subtitles: bool = False) -> str:
    """Write the title of a source, or another text of it, in sentence case."""
    text = _one_line(text or source.title)
    if kind_of(source).form == "registry" and (match := _REGISTRY_TITLE.fullmatch(text)):
        text = match[2]
    if kind_of(source).form == "figure":
        return text
    return sentence_case(text, source.protected, subtitles=subtitles)


def _address(source: Reference) -> str:
    """Return DOI or address; styles want no address of a database for an article in a volume."""
    is_in_database = not source.doi and source.pmid and source.volume
    return _one_line(source.url if is_in_database else source.link)


def _edition(source: Reference) -> str:
    """Write an edition as 2nd ed.; the first is not named."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
    text = re.sub(r"\s*(?:edition|ed\.?)$", "", _one_line(source.edition), flags=re.IGNORECASE)
    if text.casefold() in words:
        text = str(words.index(text.casefold()) + 1)
    if text.isdecimal():
        ending = {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th")
        text += "th" if text[-2:] in ("11", "12", "13") else ending
    return f"{text} ed." if text and text != "1st" else ""


def _date_accessed(source: Reference, pattern: str) -> str:
    """Write the date of access; the day has no leading zero."""
    try:
        day = date.fromisoformat(source.accessed)
    except ValueError:
        return ""
    return day.strftime(pattern).replace("DAY", str(day.day))


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
    """Format one reference: six authors, then et al.; NLM's journal abbreviations; shortened pages.

    It ends with the DOI and the PubMed number, else with the address.
    """
    source = known_parts(source)
    parts = [_vancouver_authors(source), _vancouver_title(source), *_vancouver_publication(source)]
    if source.doi:
        parts.append(f"doi: {_one_line(source.doi)}.")
    if source.pmid:
        parts.append(f"PMID: {_one_line(source.pmid)}.")
    if source.url and not source.doi and not source.pmid:
        parts.append(f"Available from: {_one_line(source.url)}")
    return " ".join(part for part in parts if part)


def _vancouver_authors(source: Reference) -> str:
    if kind_of(source).form == "registry":
        return f"{_registry(source)} [Internet]."
    names = _short_names(source.creators, source.more_authors)
    return _end_sentence(_join(names, "" if source.authors else _role(source.editors, "editor")))


def _short_names(
    people: Sequence[Author],
    has_more: bool,
    *,
    most: int = VANCOUVER_MAX_AUTHORS,
    cut: int = VANCOUVER_MAX_AUTHORS,
    ordinals: bool = True,
) -> str:
    """List at most so many people; of more the first ones, and then et al."""
    names = [_short_name(person, ordinals) for person in people]
    if len(names) > most or (has_more and names):
        return ", ".join([*names[:cut], "et al"])
    return ", ".join(names)


def _role(editors: Sequence[Author], word: str) -> str:
    return "" if not editors else word if len(editors) == 1 else f"{word}s"


def _short_name(author: Author, ordinals: bool) -> str:
    """Write a person without points and with all initials, as PubMed does; others as they are."""
    if not author.first:
        return _one_line(author.last)
    # Jean-Paul and Ji-hye become JP and JH; a name in a script without capitals stays whole.
    parts = [part for part in re.split(r"[\s.\-‐‑]+", author.first) if part]
    letters = "".join(p[0].upper() if p[0].lower() != p[0].upper() else p for p in parts)
    suffix = author.suffix.rstrip(".")
    last = author.last.replace(".", "")
    return _one_line(f"{last} {letters} {_ORDINALS.get(suffix, suffix) if ordinals else suffix}")


def _vancouver_title(source: Reference) -> str:
    kind = kind_of(source)
    if kind.form == "registry":
        # The registry is cited, and its entry is a part of it.
        return f"Identifier {_trial_number(source)}, {_sentence(source)};"
    labels = {
        "phdthesis": " [dissertation]",
        "thesis": " [dissertation]",
        "mastersthesis": " [master's thesis]",
    }
    media = {"ELEC": " [Internet]", "DATA": " [dataset]", "COMP": " [software]"}
    label = labels.get(source.kind.lower(), media.get(kind.ris, ""))
    return _end_sentence(_sentence(source).removesuffix("." if label else "") + label)


def _vancouver_publication(source: Reference) -> list[str]:
    """List container, date, volume and pages; a container that is no journal joins the date."""
    form, container = kind_of(source).form, _one_line(source.container)
    date = "[date unknown]" if source.year in ("", NO_DATE) else _one_line(source.year)
    if form == "article":
        early = AHEAD_OF_PRINT if _is_early(source) else ""
        journal = _end_sentence(abbreviate_journal(container)) if container else ""
        return [journal, _end_sentence(date + _vancouver_issue(source)), early]
    if form == "preprint":
        return [f"{container} [Preprint].", f"{date}."]
    if form == "chapter":
        return _vancouver_book(source, date)
    if accessed := _date_accessed(source, "%Y %b DAY"):
        date += f" [cited {accessed}]"
    if form == "registry":
        return [f"{date}."]
    opening = "In: " if form == "figure" and container else ""
    place = f"{_one_line(source.place)}: " if source.place and form in _PUBLISHED else ""
    edition = _edition(source) if form == "book" else ""
    version = f"Version {_one_line(source.number)}." if form == "dataset" and source.number else ""
    parts = [
        edition or version,
        f"{opening}{place}{container}; {date}." if container else f"{date}.",
    ]
    if form == "report" and source.number:
        parts.append(f"Report No.: {_one_line(source.number)}.")
    if form == "figure":
        parts.append(_end_sentence(source.note))
    return parts


def _vancouver_book(source: Reference, date: str) -> list[str]:
    """List the book that a chapter is in, with its editors and publisher."""
    opening = ""
    if source.authors and source.editors:
        editors = _join(_short_names(source.editors, False), _role(source.editors, "editor"))
        opening = f"{_end_sentence(editors)} "
    book = _sentence(source, source.container) if source.container else ""
    if source.publisher:
        place = f"{_one_line(source.place)}: " if source.place else ""
        book = " ".join(filter(None, [_end_sentence(book), _edition(source)]))
        book = f"{book} {place}{_one_line(source.publisher)}"
    elif edition := _edition(source):
        book = f"{_end_sentence(book)} {edition.removesuffix('.')}"
    pages = _vancouver_pages(source)
    return [
        f"In: {opening}{book}; {date}." if source.container else f"{date}.",
        f"p. {pages}." if pages else "",
    ]


def _is_early(source: Reference) -> bool:
    """Say whether an article is online before it has a volume."""
    return not source.volume and source.state.casefold() in ("aheadofprint", "ahead of print")


def _vancouver_issue(source: Reference) -> str:
    return _issue(source, _vancouver_pages(source))


def _issue(source: Reference, pages: str) -> str:
    numbers = _one_line(source.volume) + (f"({_one_line(source.number)})" if source.number else "")
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
    """Format one reference as plain text.

    An author list that the source does not have in full ends in the ellipsis that stands for
    omitted authors: the style has no "et al." in a reference list.
    """
    style = _Apa(italic=lambda text: text, literal=lambda text: text)
    return style.format(source, _address(source))


def format_apa_markdown(source: Reference) -> str:
    """Format one reference in Markdown, with italics and no other markup."""
    # An address stands between signs that it must not contain.
    link = re.sub("[<> ]", lambda sign: f"%{ord(sign[0]):X}", _address(source))
    style = _Apa(italic=lambda text: f"*{text}*" if text else "", literal=escape_markdown)
    text = style.format(source, f"<{link}>" if link else "")
    # A title may open a reference, and must open no heading or list.
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", text)


def escape_markdown(text: str) -> str:
    """Write plain text so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>|~$]|&(?=#?\w+;))", r"\\\1", text)


@dataclass(frozen=True)
class _Apa:
    """The APA style for one kind of text: how italics are set, and literal text is escaped."""

    italic: Callable[[str], str]
    literal: Callable[[str], str]

    def format(self, source: Reference, link: str) -> str:
        source = known_parts(source)
        authors = self.literal(_apa_authors(source))
        date = f"({self.plain(source.lettered_year)})."
        title, *container = self.title_and_container(source)
        opening = [_end_sentence(authors), date, title] if authors else [title, date]
        accessed = _date_accessed(source, "%B DAY, %Y")
        # Only what may change has the date of access: a page without a date of its own.
        if accessed and link and source.year in ("", NO_DATE) and kind_of(source).form == "page":
            link = f"Retrieved {accessed}, from {link}"
        return " ".join(part for part in [*opening, *container, link] if part)

    def plain(self, text: str) -> str:
        return self.literal(_one_line(text))

    def title_and_container(self, source: Reference) -> list[str]:
        """Write the title with its details, and what follows it; one of the two is in italics."""
        form, container = kind_of(source).form, self.plain(source.container)
        plain_title = self.literal(_sentence(source, subtitles=True))
        if form == "article":
            early = "Advance online publication." if _is_early(source) else ""
            return [_end_sentence(plain_title), self.journal_issue(source), early]
        if form == "chapter":
            return [_end_sentence(plain_title), *self.book(source)]
        if form == "figure":
            book = f"In {self.italic(container)}" if container else ""
            note = _end_sentence(self.plain(source.note))
            return [_end_sentence(plain_title), _end_sentence(book), note]
        title = self.italic(plain_title.removesuffix("."))
        number = _one_line(source.number)
        details = {
            "registry": f"Identifier {_trial_number(source)}",
            "report": f"Report No. {number}" if number else "",
            "dataset": f"Version {number}" if number else "",
            "book": _edition(source),
        }.get(form, "")
        title += f" ({self.plain(details)})" if details else ""
        labels = {
            "registry": "[Clinical trial registration]",
            "dataset": "[Computer software]" if kind_of(source) is _SOFTWARE else "[Data set]",
        }
        title += f" {labels[form]}" if form in labels else ""
        if form == "thesis":
            is_master = source.kind.lower() == "mastersthesis"
            degree = "Master's thesis" if is_master else "Doctoral dissertation"
            return [_end_sentence(f"{title} [{_join(degree, container)}]")]
        title = title if re.search(r"[?!]\*?$", title) else f"{title}."
        # A publisher that is also the author is not named again.
        is_author = any(author.last == source.container for author in source.creators)
        return [title, "" if is_author else _end_sentence(container)]

    def book(self, source: Reference) -> list[str]:
        """Write the book that a chapter is in, and its publisher."""
        if not source.container:
            return []
        title = self.italic(self.literal(_sentence(source, source.container, subtitles=True)))
        has_range = page_range(source.pages)[1]
        pages = f"pp. {_apa_pages(source)}" if has_range else ""
        details = self.plain(_join(_edition(source), pages))
        book = f"In {_join(self.literal(_apa_editors(source)), title)}"
        book += f" ({details})" if details else ""
        return [_end_sentence(book), _end_sentence(self.plain(source.publisher))]

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
        return ", ".join([*names[: APA_MAX_AUTHORS - 1], ". . ."])
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


# AMA, eleventh edition of the Manual of Style

AMA_MAX_AUTHORS = 6
AMA_CUT_AUTHORS = 3


def format_ama(source: Reference) -> str:
    """Format one reference: six authors, of more the first three; full pages; no PubMed number."""
    source = known_parts(source)
    authors = _ama_names(source.creators, source.more_authors)
    if kind_of(source).form == "registry":
        authors = ""
    authors = _join(authors, "" if source.authors else _role(source.editors, "ed"))
    parts = [_end_sentence(authors), *_ama_publication(source)]
    accessed = _date_accessed(source, "%B DAY, %Y")
    if source.doi:
        parts.append(f"doi:{_one_line(source.doi)}")
    elif link := _address(source):
        parts += [f"Accessed {accessed}." if accessed else "", link]
    return " ".join(filter(None, parts))


def _ama_names(people: Sequence[Author], has_more: bool) -> str:
    return _short_names(people, has_more, most=AMA_MAX_AUTHORS, cut=AMA_CUT_AUTHORS, ordinals=False)


def _ama_publication(source: Reference) -> list[str]:
    """List title, container and date; books have their titles in title case."""
    form, container, title = kind_of(source).form, _one_line(source.container), _sentence(source)
    year = "" if source.year == NO_DATE else _one_line(source.year)
    number = _one_line(source.number)
    if form == "article":
        issue = year + _issue(source, "-".join(filter(None, page_range(source.pages))))
        issue = f"Published online {year}" if _is_early(source) else issue
        journal = abbreviate_journal(container) if container else ""
        return list(map(_end_sentence, (title, journal, issue)))
    if form == "preprint":
        posted = f"Preprint posted online {year}" if year else "Preprint"
        return list(map(_end_sentence, (title, container, posted)))
    if form == "registry":
        identifier = f"{_registry(source)} identifier: {_trial_number(source)}"
        return list(map(_end_sentence, (title, identifier, year)))
    if form == "chapter":
        pages = "-".join(filter(None, page_range(source.pages)))
        editors = _ama_names(source.editors, False) if source.authors else ""
        editors = _end_sentence(_join(editors, _role(source.editors, "ed") if editors else ""))
        book = _end_sentence(title_case(container))
        details = _semicolon(_one_line(source.publisher), year) + (f":{pages}" if pages else "")
        parts = [f"In: {editors} {book}" if editors else f"In: {book}" if container else ""]
        return [_end_sentence(title), *parts, _edition(source), _end_sentence(details)]
    if form in ("book", "report", "thesis"):
        is_master = source.kind.lower() == "mastersthesis"
        label = "" if form != "thesis" else "Master's thesis." if is_master else "Dissertation."
        report = f"Report {number}." if form == "report" and number else ""
        edition = _edition(source) if form == "book" else ""
        publisher = _end_sentence(_semicolon(container, year))
        return [_end_sentence(title_case(title)), label, edition, publisher, report]
    if form == "dataset":
        version = f"Version {number}" if number else ""
        return list(map(_end_sentence, (title, version, _semicolon(container, year))))
    is_author = any(author.last == source.container for author in source.creators)
    note = source.note if form == "figure" else ""
    site = f"In: {container}" if form == "figure" and container else "" if is_author else container
    return list(map(_end_sentence, (title, site, year, note)))


def _semicolon(publisher: str, year: str) -> str:
    return "; ".join(filter(None, (publisher, year)))


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
    source = known_parts(source)
    first, last = page_range(source.pages)
    names = _bibtex_names(source.authors, source.more_authors)
    is_figure = kind_of(source).form == "figure"
    fields = {
        "author": names if source.authors else "",
        "editor": _bibtex_names(source.editors, source.more_authors and not source.authors),
        "title": _bibtex_title(source),
        "year": escape_latex(source.year),
        container_field(source.kind): escape_latex(source.container),
        "volume": escape_latex(source.volume),
        "number": escape_latex(source.number),
        "pages": escape_latex(f"{first}--{last}" if last else source.pages),
        "doi": _one_line(source.doi),
        "pmid": _one_line(source.pmid),
        "url": _one_line(source.url),
        **({"publisher": escape_latex(source.publisher)} if source.publisher else {}),
        "address": escape_latex(source.place),
        "edition": escape_latex(source.edition),
        "pubstate": escape_latex(source.state),
        "origdate": escape_latex(source.first_published),
        "urldate": escape_latex(source.accessed),
        "note": escape_latex(source.note) if is_figure else "",
    }
    return {name: value for name, value in fields.items() if value}


def _bibtex_title(source: Reference) -> str:
    """Put words whose capitals must stay in braces: styles put titles in lower case."""
    title, end, parts = _one_line(source.title), 0, []
    for match in capitals_to_protect(title, source.protected):
        parts += [
            title[end : match.start()].translate(_LATEX_ESCAPES),
            f"{{{escape_latex(match[0])}}}",
        ]
        end = match.end()
    return "".join(parts) + title[end:].translate(_LATEX_ESCAPES)


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
    source = known_parts(source)
    kind = kind_of(source)
    first, last = page_range(source.pages)
    authors, editors = (
        [_join(person.last, person.first, person.suffix) for person in people]
        for people in (source.authors, source.editors)
    )
    fields: dict[str, str | list[str]] = {
        "type_of_reference": kind.ris,
        "id": source.key,
        "authors": authors,
        "secondary_authors": editors,
        "title": _exported_title(source),
        "year": "" if source.year == NO_DATE else source.year,
        "journal_name": source.container if kind.form == "article" else "",
        "secondary_title": "" if kind.form in ("article", *_PUBLISHED) else source.container,
        "publisher": source.container if kind.form in _PUBLISHED else source.publisher,
        "volume": source.volume,
        "number": source.number,
        "start_page": first,
        "end_page": last,
        "doi": source.doi,
        "accession_number": source.pmid,
        "urls": [_exported_address(source)],
        "place_published": source.place,
        "edition": source.edition,
        "access_date": source.accessed.replace("-", "/"),
        "original_publication": source.first_published,
        "type_of_work": _genre(source),
        "notes": [_note(source), AHEAD_OF_PRINT if _is_early(source) else ""],
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


def format_csl_for_pandoc(sources: Iterable[Reference]) -> str:
    """Format sources as CSL-JSON for pandoc, which takes an author "others" for et al."""
    items = []
    for source in sources:
        item = _csl_item(source)
        if source.more_authors:
            item.get("author", item.get("editor", [])).append({"literal": "others"})
        items.append(item)
    return format_json(items)


def _csl_item(source: Reference) -> dict:
    source = known_parts(source)
    kind = kind_of(source)
    first, last = page_range(source.pages)
    authors, editors = (
        [_csl_name(person) for person in people] for people in (source.authors, source.editors)
    )
    short = abbreviate_journal(source.container) if kind.form == "article" else ""
    variables = {
        "author": authors,
        "editor": editors,
        "title": _exported_title(source),
        "issued": {"date-parts": [[int(source.year)]]} if source.year.isdecimal() else None,
        "container-title": "" if kind.form in _PUBLISHED else source.container,
        "container-title-short": "" if short == source.container else short,
        "publisher": source.container if kind.form in _PUBLISHED else source.publisher,
        "publisher-place": source.place,
        "edition": source.edition,
        "volume": source.volume,
        {"report": "number", "dataset": "version"}.get(kind.form, "issue"): source.number,
        "page": f"{first}-{last}" if last else first,
        "genre": _genre(source),
        "DOI": source.doi,
        "PMID": source.pmid,
        "URL": _exported_address(source),
        "accessed": _csl_date(source.accessed),
        "available-date": _csl_date(source.first_published),
        "status": "advance online publication" if _is_early(source) else "",
        "note": _note(source),
    }
    return {"id": source.key, "type": kind.csl} | {
        name: _one_line(value) if isinstance(value, str) else value
        for name, value in variables.items()
        if value
    }


def _csl_date(text: str) -> dict | None:
    parts = [int(part) for part in re.findall(r"\d+", text)]
    return {"date-parts": [parts]} if parts else None


def _genre(source: Reference) -> str:
    return "Master's thesis" if source.kind.lower() == "mastersthesis" else ""


def _exported_address(source: Reference) -> str:
    """Return the DOI, else the page, else PubMed, whose number has a field of its own."""
    return source.link if source.doi else source.url or source.link


def _exported_title(source: Reference) -> str:
    """Write the title in sentence case: in these formats nothing says which capitals must stay."""
    if kind_of(source).form == "figure":
        return source.title
    return sentence_case(_one_line(source.title), source.protected)


def _note(source: Reference) -> str:
    """Return the note of a figure, and that authors are missing: no format has a name for them."""
    notes = [source.note if kind_of(source).form == "figure" else ""]
    return " ".join(filter(None, [*notes, INCOMPLETE_AUTHORS if source.more_authors else ""]))


def _csl_name(author: Author) -> dict[str, str]:
    """Return the parts of a person's name; an organisation has one literal name."""
    if not author.first:
        return {"literal": _one_line(author.last)}
    parts = {"family": author.family, "given": author.first}
    parts |= {"non-dropping-particle": author.particle, "suffix": author.suffix}
    return {name: _one_line(part) for name, part in parts.items() if part}


# CSV, for spreadsheets

CSV_COLUMNS = (
    "key", "type", "author", "editor", "title", "year", "container", "publisher", "place", "edition",
    "volume", "number", "pages", "doi", "pmid", "url", "state", "accessed", "first_published", "note",
)  # fmt: skip


def format_csv(sources: Iterable[Reference]) -> str:
    """Format sources as a table with one row per source; semicolons separate its authors."""
    table = io.StringIO()
    writer = csv.DictWriter(table, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for source in map(known_parts, sources):
        is_figure = kind_of(source).form == "figure"
        cells = {name: getattr(source, name, "") for name in CSV_COLUMNS} | {
            "type": "misc" if is_figure else source.kind,
            "author": _csv_names(source.authors, source.more_authors),
            "editor": _csv_names(source.editors, source.more_authors and not source.authors),
            "title": _exported_title(source),
            "note": source.note if is_figure else "",
        }
        writer.writerow({name: _one_line(text) for name, text in cells.items()})
    return table.getvalue()


def _csv_names(people: Sequence[Author], has_more: bool) -> str:
    """List people as Last, First; an organisation with a comma in its name is in braces."""
    names = [
        _join(person.last, person.first, person.suffix)
        if person.first or not re.search("[,;]", person.last)
        else f"{{{person.last}}}"
        for person in people
    ]
    return "; ".join([*names, *(["et al."] if has_more else [])])


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
