"""The sources of a project, read from `references.bib`.

The file may be the export of any reference manager: whatever can be read is read. Only a source that
the tables cite must be complete, because a number without its source is no evidence; what is wrong
with others is a warning.
"""

import codecs
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evidence.dataset.authors import Author, Names, read_names
from evidence.dataset.latex_text import decode_address, decode_latex
from evidence.dataset.letter_case import protected_phrases
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.dataset.text_checks import find_hidden, identifier_error, quote, remove_hidden
from evidence.errors import DatasetError, Problem, ProblemList
from evidence.files import read_bytes

if TYPE_CHECKING:
    from evidence.dataset.bibtex import Entry

NO_DATE = "n.d."
"""The year of a page that carries no date."""
MAX_FIELD_CHARS = 100_000
"""Characters of a field that is printed; the longest titles have a hundredth of it."""
MAX_WARNINGS = 20
"""Unreadable entries that are listed; of more only the number is given."""
CONTAINER_FIELDS = (
    "journaltitle", "journal", "shortjournal", "booktitle", "maintitle", "howpublished",
    "publisher", "institution", "school", "organization",
)  # fmt: skip
_BOOKS = ("book", "mvbook", "collection", "mvcollection", "proceedings")
"""Entries with a publisher; a book title that they have is for their chapters to inherit."""
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_DOI_PREFIX = re.compile(r"^(?:(?:https?://)?[\w.-]*doi[\w.-]*/|doi:?\s*)+", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(1[5-9]|20)\d\d(?!\d)")
_UNDATED = re.compile(r"n\.? ?d\.?|s\.? ?a\.?|no date|undated", re.IGNORECASE)
_EPRINT_ADDRESSES = {
    "arxiv": "https://arxiv.org/abs/{}",
    "hdl": "https://hdl.handle.net/{}",
    "jstor": "https://www.jstor.org/stable/{}",
}
_ARXIV = re.compile(r"(?:arxiv:)?(\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+(?:\.[A-Z]{2})?/\d{7})", re.I)


@dataclass(frozen=True)
class Reference:
    """One source; `year` is a text because some pages carry no date (``n.d.``).

    `suffix` is the letter that tells sources of the same authors and year apart; see `labels`.
    `publisher` is that of the book that a chapter is in, `state` biblatex's `pubstate`, `accessed` a
    date, `first_published` the year of an article that was online before its issue (biblatex's
    `origdate`), and `protected` has the phrases of the titles whose letter case stays.
    """

    key: str
    kind: str
    authors: tuple[Author, ...]
    more_authors: bool
    title: str
    year: str
    container: str
    volume: str
    number: str
    pages: str
    doi: str
    pmid: str
    url: str
    note: str
    line: int
    suffix: str = ""
    editors: tuple[Author, ...] = ()
    publisher: str = ""
    place: str = ""
    edition: str = ""
    state: str = ""
    accessed: str = ""
    first_published: str = ""
    protected: tuple[str, ...] = field(default=(), compare=False)

    @property
    def creators(self) -> tuple[Author, ...]:
        """The authors, or the editors of a work that has none."""
        return self.authors or self.editors

    @property
    def first_year(self) -> str:
        """The year in which it became public, online or in an issue."""
        return self.first_published or self.year

    @property
    def lettered_year(self) -> str:
        """The year as author-date styles print it: 2001, 2001a or n.d.-a."""
        year = self.year or NO_DATE
        return f"{year}-{self.suffix}" if self.suffix and year == NO_DATE else year + self.suffix

    @property
    def label(self) -> str:
        """The first author and the year, like *Miller 2001*; other sources can have the same."""
        year = "" if self.year in ("", NO_DATE) else f" {self.year}"
        return f"{self.creators[0].last if self.creators else self.key}{year}"

    @property
    def link(self) -> str:
        """The most lasting address known: the DOI, else PubMed, else the page itself."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.pmid:
            return f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}/"
        return self.url


class Bibliography(Mapping[str, Reference]):
    """References by BibTeX key, in the order of the file.

    `problems` are what is wrong with single entries, by key, and of entries without a key under an
    empty one. `undecodable` has the first byte of each entry that is not UTF-8; `notes` concern
    the file.
    """

    def __init__(
        self,
        references: Mapping[str, Reference],
        problems: Mapping[str, list[Problem]] | None = None,
        undecodable: Mapping[str, Problem] | None = None,
        notes: Iterable[Problem] = (),
    ):
        self._references = references
        self.problems = problems or {}
        self.undecodable = undecodable or {}
        self.notes = tuple(notes)

    def __getitem__(self, key: str) -> Reference:
        return self._references[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._references)

    def __len__(self) -> int:
        return len(self._references)

    def with_references(self, references: Mapping[str, Reference]) -> "Bibliography":
        """Return the same bibliography with other versions of its references."""
        return Bibliography(references, self.problems, self.undecodable, self.notes)

    def select(self, keys: Iterable[str]) -> list[Reference]:
        """Return the references of these keys, each once, sorted by key."""
        return [self[key] for key in sorted(set(keys))]

    def at(self, line: int) -> Reference | None:
        """Return the reference that begins at a line of the file."""
        return next((reference for reference in self.values() if reference.line == line), None)

    def errors(self, cited: Collection[str]) -> ProblemList:
        """Return everything that is wrong with the sources of these keys."""
        errors = ProblemList()
        for key in set(self.problems).intersection(cited):
            errors.problems += self.problems[key]
        # One wrong encoding is one message, however many names have an accent.
        bytes_read = [problem for key, problem in self.undecodable.items() if key in cited]
        errors.problems += bytes_read[:1]
        return errors

    def warnings(self, cited: Collection[str]) -> list[str]:
        """Return what is wrong with the file and with all other sources, the incomplete counted."""
        keyless = self.problems.get("", [])
        unreadable: list[Problem] = []
        incomplete: dict[str, list[Problem]] = {}
        for key, problems in self.problems.items():
            if key in self and key not in cited:
                incomplete[key] = problems
            elif key and key not in cited:
                unreadable += problems
        lines = [str(note) for note in self.notes]
        if self.undecodable and self.undecodable.keys().isdisjoint(cited):
            lines.append(str(next(iter(self.undecodable.values()))))
        lines += [f"{problem} The entry is left out." for problem in unreadable[:MAX_WARNINGS]]
        if len(unreadable) > MAX_WARNINGS:
            omitted = len(unreadable) - MAX_WARNINGS
            lines.append(f"{BIBLIOGRAPHY_FILE}: {omitted:,} more entries cannot be read.")
        if keyless:
            entries = "entry has" if len(keyless) == 1 else "entries have"
            lines.append(
                f"{BIBLIOGRAPHY_FILE}:{keyless[0].line}: {len(keyless):,} {entries} no key and "
                f"cannot be cited. Give {'it' if len(keyless) == 1 else 'each'} one like miller2001."
            )
        if incomplete:
            columns = Counter(p.column for problems in incomplete.values() for p in problems)
            parts = "; ".join(f"{column or 'key'}: {n:,}" for column, n in columns.most_common())
            first = min(problem for problems in incomplete.values() for problem in problems)
            others = len(set(self) - set(cited))
            lines.append(
                f"{BIBLIOGRAPHY_FILE}: {len(incomplete):,} of {others:,} entries that no table "
                f"cites are incomplete ({parts}), the first in line {first.line}. Complete an entry "
                "before you cite it."
            )
        articles = [self[key] for key in self if key in cited and self[key].kind == "article"]
        unplaced = [r for r in articles if not (r.doi and (r.volume or r.state))]
        if unplaced:
            lines.append(
                f"{BIBLIOGRAPHY_FILE}: {len(unplaced):,} of {len(articles):,} cited articles have no "
                f"volume or no DOI, the first in line {unplaced[0].line}. Readers find an article by "
                "these."
            )
        return lines


def read_bibliography(path: Path) -> Bibliography:
    """Read every entry of a BibTeX file that can be read, and note what is wrong with the others.

    Raises
    ------
    DatasetError
        The file is missing, unreadable or empty.
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        raise _file_error("the file is missing") from None
    except OSError as error:
        raise _file_error(f"cannot be read: {error.strerror}") from None
    bibliography = parse_bibliography(content)
    if not bibliography and not bibliography.problems:
        raise _file_error("the file has no entries; it must hold the sources")
    return bibliography


def _file_error(message: str) -> DatasetError:
    return DatasetError([Problem(BIBLIOGRAPHY_FILE, 0, "", message)])


def parse_bibliography(content: bytes) -> Bibliography:
    """Read the entries of a BibTeX file; the earlier of two with the same key counts."""
    # It takes long to import, and only reading the tables needs it.
    from evidence.dataset.bibtex import parse_bibtex

    text, undecodable = decode_file(content)
    notes = []
    number, character, line = find_hidden(text)
    if number:
        removed = "hidden character was" if number == 1 else "hidden characters were"
        message = f"{number:,} {removed} removed; the first is {character}."
        notes.append(Problem(BIBLIOGRAPHY_FILE, line, "", message))
        text = remove_hidden(text)
    references: dict[str, Reference] = {}
    problems: dict[str, list[Problem]] = {}
    first_lines: dict[int, str] = {}
    for entry in parse_bibtex(text):
        first_lines[entry.line] = entry.key
        found = [("", f"{quote(entry.key)} {entry.error}")] if entry.error else []
        if not entry.key:
            found = [("", "the entry has no key")]
        elif entry.fields and entry.key not in references:
            references[entry.key] = reference = build_reference(entry)
            found = found or list(_entry_errors(entry.fields, reference))
        if found:
            problems.setdefault(entry.key, []).extend(
                Problem(BIBLIOGRAPHY_FILE, entry.line, column, message) for column, message in found
            )
    lines = sorted(first_lines)
    by_key: dict[str, Problem] = {}
    for line, message in undecodable:
        key = first_lines[lines[bisect_right(lines, line) - 1]] if lines else ""
        by_key.setdefault(key, Problem(BIBLIOGRAPHY_FILE, line, "", message))
    return Bibliography(references, problems, by_key, notes)


def decode_file(content: bytes) -> tuple[str, list[tuple[int, str]]]:
    """Decode a file as its byte order mark or JabRef's first line say, else as UTF-8.

    Bytes that are not UTF-8 are read as Windows-1252, and returned with line and message.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace"), []
    declared = re.match(rb"\s*%+\s*Encoding:\s*([\w-]+)", content)
    try:
        return content.decode(declared[1].decode() if declared else "utf-8-sig"), []
    except (LookupError, UnicodeDecodeError):
        text = content.decode("utf-8-sig", errors="surrogateescape")
    undecodable = [
        (number, f"byte 0x{ord(escaped[0]) - 0xDC00:02x} is not UTF-8. Save the file as UTF-8.")
        for number, line in enumerate(text.split("\n"), start=1)
        if (escaped := _ESCAPED_BYTE.search(line))
    ]
    as_windows = _ESCAPED_BYTE.sub(
        lambda match: bytes([ord(match[0]) - 0xDC00]).decode("cp1252", errors="replace"), text
    )
    return as_windows, undecodable


def build_reference(entry: "Entry") -> Reference:
    """Build a reference from the fields of an entry, in BibTeX's or biblatex's names."""
    fields = entry.fields
    authors, editors = read_names(_first(fields, "author")), read_names(_first(fields, "editor"))
    organisation = decode_latex(_first(fields, "organization", "institution"))
    if organisation and not (authors.people or editors.people):
        authors = Names((Author(organisation),))
    first = authors if authors.people else editors
    doi, pmid, url = _addresses(fields)
    names = ("publisher", "organization") if entry.kind in _BOOKS else CONTAINER_FIELDS
    container = next((name for name in names if fields.get(name)), "")
    is_part = container in ("booktitle", "maintitle")
    return Reference(
        key=entry.key,
        kind=entry.kind,
        authors=authors.people,
        more_authors=first.has_more,
        title=_title(fields, "title", "subtitle"),
        year=_year(fields, "year", "date"),
        container=_title(fields, container, "booksubtitle" if container == "booktitle" else ""),
        volume=decode_latex(_first(fields, "volume")),
        number=decode_latex(_first(fields, "number", "issue", "version")),
        pages=decode_latex(_first(fields, "pages", "eid", "article-number", "art_number")),
        doi=doi,
        pmid=pmid,
        url=url,
        note=decode_latex(_first(fields, "note")),
        line=entry.line,
        editors=editors.people,
        publisher=decode_latex(_first(fields, "publisher")) if is_part else "",
        place=decode_latex(_first(fields, "address", "location")),
        edition=decode_latex(_first(fields, "edition")),
        state=decode_latex(_first(fields, "pubstate")),
        accessed=decode_latex(_first(fields, "urldate")),
        first_published=_year(fields, "origdate", "origyear"),
        protected=protected_phrases(_first(fields, "title"), _first(fields, container) * is_part),
    )


def _first(fields: Mapping[str, str], *names: str) -> str:
    """Return the first of some fields that is not blank, as far as it can be a text for print."""
    return next((fields[name] for name in names if fields.get(name)), "")[:MAX_FIELD_CHARS]


def _title(fields: Mapping[str, str], name: str, subtitle_name: str) -> str:
    title, subtitle = (decode_latex(_first(fields, part)) for part in (name, subtitle_name))
    if title and subtitle:
        return f"{title}{' ' if title[-1] in '?!:' else ': '}{subtitle}"
    return title


def _year(fields: Mapping[str, str], *names: str) -> str:
    """Return the year in one of some fields, n.d. for a page without a date, or nothing."""
    for name in names:
        text = decode_latex(_first(fields, name))
        if match := _YEAR.search(text):
            return match[0]
        if _UNDATED.fullmatch(text):
            return NO_DATE
    return ""


def _addresses(fields: Mapping[str, str]) -> tuple[str, str, str]:
    """Return DOI, PubMed number and address, also from eprint and from a DOI as address."""
    doi, pmid, url = (decode_address(_first(fields, name)) for name in ("doi", "pmid", "url"))
    doi = _DOI_PREFIX.sub("", doi).rstrip(".,;")
    if not doi and re.match(r"https?://(?:dx\.)?doi\.org/10\.", url):
        doi = _DOI_PREFIX.sub("", url)
    pmid = re.sub(r"^PMID:?\s*|\s*\[pmid\]$", "", pmid, flags=re.IGNORECASE)
    url = next((word for word in url.split() if re.match("(?:https?|ftp)://", word)), url)
    if re.match(r"(?:[\w-]+\.)+[a-z]{2,}(?:/\S*)?$", url):
        url = f"http://{url}"
    eprint = decode_address(_first(fields, "eprint"))
    kind = _first(fields, "eprinttype", "archiveprefix").casefold()
    if eprint and not kind and _ARXIV.fullmatch(eprint):
        kind = "arxiv"
    if kind == "pubmed":
        pmid = pmid or eprint
    elif eprint and not url and kind in _EPRINT_ADDRESSES:
        url = _EPRINT_ADDRESSES[kind].format(re.sub("^arxiv:", "", eprint, flags=re.IGNORECASE))
    # What is found by its number needs no address; formats that we write repeat it.
    if url.rstrip("/") in (f"https://pubmed.ncbi.nlm.nih.gov/{pmid}", f"https://doi.org/{doi}"):
        url = ""
    return doi, pmid, url


def _entry_errors(fields: Mapping[str, str], reference: Reference) -> Iterator[tuple[str, str]]:
    """Yield field and message for everything that a cited source must have and has not."""
    key = quote(reference.key)
    if not reference.creators:
        yield "author", f"{key} has no author or editor"
    for name in ("author", "editor"):
        if unclear := read_names(_first(fields, name)).unclear:
            message = "is not one name. Write names as Last, First, with 'and' between them."
            yield name, f"{quote(unclear)} {message}"
    if not reference.title:
        yield "title", f"{key} has no title"
    if not reference.year:
        if text := _first(fields, "year", "date"):
            message = f"is not a year of four digits, or {NO_DATE} for a page without a date"
            yield "year", f"{quote(text)} {message}"
        else:
            yield "year", f"{key} has no year. Write {NO_DATE} if the text has no date."
    for name in ("doi", "pmid", "url"):
        value = getattr(reference, name)
        if message := identifier_error(name, value) if value else "":
            yield name, message
    if name := next((name for name in fields if _is_too_long(name, fields[name])), ""):
        message = f"has more than {MAX_FIELD_CHARS:,} characters. Is it a {name}?"
        yield name, f"the {name} of {key} {message}"


def _is_too_long(name: str, value: str) -> bool:
    return len(value) > MAX_FIELD_CHARS and name in (*CONTAINER_FIELDS, "author", "editor", "title")
