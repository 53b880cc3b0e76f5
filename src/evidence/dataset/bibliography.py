"""The sources, read strictly: an entry that is lost is a number without an address."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.dataset.text_checks import (
    IDENTIFIER_PATTERNS,
    hidden_characters,
    identifier_error,
    quote,
)
from evidence.errors import DatasetError, ProblemList

NO_DATE = "n.d."
"""The year of a page that carries no date."""
MAX_LINE_CHARS = 100_000
"""Characters of one line; the longest abstracts have a tenth of it."""
CONTAINERS = ("journal", "booktitle", "howpublished", "publisher", "institution", "school")


@dataclass(frozen=True)
class Author:
    """A person (`last`, `first`) or an organisation (`last` alone).

    `last` begins with the particle (de, van der), which `particle` also names alone; `suffix` (Jr.)
    stands in no other part.
    """

    last: str
    first: str = ""
    particle: str = ""
    suffix: str = ""

    @property
    def family(self) -> str:
        """The family name without its particle."""
        return self.last.removeprefix(self.particle).strip()

    @property
    def initials(self) -> str:
        """First letters of the given names, hyphens kept apart: Jean-Paul gives JP.

        A name in a script that has no capitals cannot be cut down to a letter and stays whole.
        """
        parts = [part for part in re.split(r"[\s.\-]+", self.first) if part]
        return "".join(part[0] if part[0].lower() != part[0].upper() else part for part in parts)


@dataclass(frozen=True)
class Reference:
    """One source; `year` is a string because some pages carry no date (``n.d.``)."""

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

    @property
    def label(self) -> str:
        """The short name used in charts and tables, such as *Miller 2001*."""
        year = "" if self.year == NO_DATE else f" {self.year}"
        return f"{self.authors[0].last}{year}"

    @property
    def link(self) -> str:
        """The most lasting address known: the DOI, then PubMed, then the page itself."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.pmid:
            return f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}/"
        return self.url


class Bibliography(Mapping[str, Reference]):
    """References by BibTeX key, in the order of the file."""

    def __init__(self, references: Mapping[str, Reference]):
        self._references = references

    def __getitem__(self, key: str) -> Reference:
        return self._references[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._references)

    def __len__(self) -> int:
        return len(self._references)

    def select(self, keys: Iterable[str]) -> list[Reference]:
        """The references of these keys, each once, in the order of their keys."""
        return [self[key] for key in sorted(set(keys))]

    def at(self, line: int) -> Reference | None:
        """The reference that begins at a line of the file."""
        return next((reference for reference in self.values() if reference.line == line), None)


def _plain(text: str) -> str:
    """A BibTeX value as people read it: accents, no braces, en dashes in ranges, single blanks."""
    if "\\" in text:
        from pylatexenc.latex2text import LatexNodes2Text

        # Bare & and % are LaTeX's own, but people write them: they are meant as themselves.
        text = LatexNodes2Text().latex_to_text(re.sub(r"(?<!\\)([&%])", r"\\\1", text))
        # It takes the sign \textasciicircum for the accent of that form.
        text = text.replace("ˆ", "^")
    text = re.sub(r"[{}]", "", text).replace("---", "—").replace("--", "–")
    return unicodedata.normalize("NFC", re.sub(r"\s+", " ", text).strip())


FAILURES = {
    "DuplicateBlockKeyBlock": "repeats the key of an earlier entry. Use every key once.",
    "DuplicateFieldKeyBlock": "has a field twice. Give every field once.",
}
"""Messages for the blocks that bibtexparser could not use; of others it cannot say why."""


def _check_entries(problems: ProblemList, library) -> None:
    for block in library.failed_blocks:
        match = re.match(r"\s*@\w+\s*\{\s*([^,\s]+)", block.raw)
        key = match[1] if match else " ".join(block.raw.split())[:40]
        reason = FAILURES.get(
            type(block).__name__, "cannot be read as BibTeX. Is a brace or comma missing?"
        )
        problems.add(BIBLIOGRAPHY_FILE, block.start_line + 1, "", f"'{key}' {reason}")
    for entry in library.entries:
        for column, message in _entry_errors(entry):
            problems.add(BIBLIOGRAPHY_FILE, entry.start_line + 1, column, message)


def _entry_errors(entry) -> Iterator[tuple[str, str]]:
    """Field and message for everything that is wrong with an entry."""
    fields = {name: str(field.value).strip() for name, field in entry.fields_dict.items()}
    if not re.fullmatch(r"[^\s,{}]+", entry.key):
        yield "", f"the key '{entry.key}' contains a blank. Write it as one word."
    for field in entry.fields:
        if field.enclosing == "no-enclosing" and re.search(r"[={}]", str(field.value)):
            yield field.key, f"'{entry.key}' has no comma after the value of {field.key}"
    for name in ("author", "title", "year"):
        if not fields.get(name):
            yield name, f"'{entry.key}' has no {name}"
    if "year" in fields and not re.fullmatch(r"(1[5-9]|20)\d\d|n\.d\.", fields["year"]):
        message = f"is not a year of four digits, or {NO_DATE} for a page without a date"
        yield "year", f"{quote(fields['year'])} {message}"
    for name in IDENTIFIER_PATTERNS:
        message = identifier_error(name, fields[name]) if name in fields else ""
        if message:
            yield name, message


def _author(name) -> Author:
    """A split name; a suffix is found with its comma (King, Jr., Martin) and without."""
    last, suffix = _plain(" ".join([*name.von, *name.last])), _plain(" ".join(name.jr))
    written = re.fullmatch(r"(.+?) ((?:Jr|Sr)\.?|II|III|IV)", last)
    if written and name.first and not suffix:
        last, suffix = written.groups()
    return Author(last, _plain(" ".join(name.first)), _plain(" ".join(name.von)), suffix)


def _reference(entry) -> Reference:
    fields = {field.key.lower(): field.value for field in entry.fields}
    people = [_author(name) for name in fields["author"]]
    authors = tuple(person for person in people if person.last != "others")
    container = next(
        (fields[name] for name in CONTAINERS if name in fields),
        "",
    )
    text = {name: _plain(str(value)) for name, value in fields.items() if name != "author"}
    return Reference(
        key=entry.key,
        kind=entry.entry_type,
        authors=authors,
        more_authors=len(authors) < len(people),
        title=text["title"],
        year=text["year"],
        container=_plain(container),
        line=entry.start_line + 1,
        **{
            name: text.get(name, "")
            for name in ("volume", "number", "pages", "doi", "pmid", "url", "note")
        },
    )


def _check_lines(problems: ProblemList, text: str) -> None:
    """Hidden characters, and lines that are too long for any reference."""
    for number, line in enumerate(text.split("\n"), start=1):
        hidden = hidden_characters(line.rstrip("\r"))
        if hidden:
            message = f"contains the hidden character {hidden}. Remove it."
            problems.add(BIBLIOGRAPHY_FILE, number, "", f"{quote(line.strip())} {message}")
        if len(line) > MAX_LINE_CHARS:
            message = f"has more than {MAX_LINE_CHARS:,} characters. Is it a reference?"
            problems.add(BIBLIOGRAPHY_FILE, number, "", f"the line {message}")


def _read_text(path: Path, problems: ProblemList) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        problems.add(BIBLIOGRAPHY_FILE, 0, "", "the file is missing")
    except OSError as error:
        problems.add(BIBLIOGRAPHY_FILE, 0, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = f"byte 0x{error.object[error.start]:02x}"
        problems.add(BIBLIOGRAPHY_FILE, line, "", f"{byte} is not UTF-8. Save the file as UTF-8.")
    return ""


def read_bibliography(path: Path) -> Bibliography:
    """Every entry of a BibTeX file, or a complete list of what is wrong with it.

    bibtexparser reports broken and duplicate entries only in its log and leaves them out, and
    reads a missing comma as part of a value; here each of these is an error with its line.

    Raises
    ------
    DatasetError
        Missing or unreadable file, failed or duplicate blocks, keys with blanks, entries without
        author, title or year, malformed years, DOIs, PubMed numbers, ORCIDs and ISSNs.
    """
    # Both take long to import, and only who reads the tables needs them.
    import bibtexparser
    from bibtexparser import middlewares

    problems = ProblemList()
    text = _read_text(path, problems)
    _check_lines(problems, text)
    _raise_any(problems)
    raw = bibtexparser.parse_string(text)
    _check_entries(problems, raw)
    if not raw.blocks:
        problems.add(BIBLIOGRAPHY_FILE, 0, "", "the file is empty; it must hold the sources")
    _raise_any(problems)
    # Accents are decoded later: decoding before the split takes {World Health Organization} apart.
    names = [middlewares.SeparateCoAuthors(), middlewares.SplitNameParts()]
    library = bibtexparser.parse_string(text, append_middleware=names)
    for block in library.failed_blocks:
        message = f"a name in '{block.key}' cannot be split"
        problems.add(BIBLIOGRAPHY_FILE, block.start_line + 1, "author", message)
    _raise_any(problems)
    return Bibliography({entry.key: _reference(entry) for entry in library.entries})


def _raise_any(problems: ProblemList) -> None:
    if problems:
        raise DatasetError(problems.problems, problems.omitted)
