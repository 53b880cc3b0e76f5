"""The sources of a project, read strictly from `references.bib`.

An entry that is lost is a number without a source, so whatever is wrong with the file is an error.
"""

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
    undecodable_byte,
)
from evidence.errors import DatasetError, ProblemList

NO_DATE = "n.d."
"""The year of a page that carries no date."""
MAX_LINE_CHARS = 100_000
"""Characters of one line; the longest abstracts have a tenth of it."""
CONTAINER_FIELDS = ("journal", "booktitle", "howpublished", "publisher", "institution", "school")


@dataclass(frozen=True)
class Author:
    """A person, or an organisation that has a last name only.

    Attributes
    ----------
    last : str
        Begins with the particle (de, van der).
    particle : str
        The particle alone.
    suffix : str
        Such as Jr.; not part of the other names.
    """

    last: str
    first: str = ""
    particle: str = ""
    suffix: str = ""

    @property
    def family(self) -> str:
        """The last name without its particle."""
        return self.last.removeprefix(self.particle).strip()


@dataclass(frozen=True)
class Reference:
    """One source; `year` is a text because some pages carry no date (``n.d.``).

    `suffix` is the letter that tells sources of the same authors and year apart; see `labels`.
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

    @property
    def lettered_year(self) -> str:
        """The year as author-date styles print it: 2001, 2001a or n.d.-a."""
        year = self.year or NO_DATE
        return f"{year}-{self.suffix}" if self.suffix and year == NO_DATE else year + self.suffix

    @property
    def label(self) -> str:
        """The first author and the year, like *Miller 2001*; other sources can have the same."""
        year = "" if self.year == NO_DATE else f" {self.year}"
        return f"{self.authors[0].last}{year}"

    @property
    def link(self) -> str:
        """The most lasting address known: the DOI, else PubMed, else the page itself."""
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
        """Return the references of these keys, each once, sorted by key."""
        return [self[key] for key in sorted(set(keys))]

    def at(self, line: int) -> Reference | None:
        """Return the reference that begins at a line of the file."""
        return next((reference for reference in self.values() if reference.line == line), None)


def read_bibliography(path: Path) -> Bibliography:
    """Read every entry of a BibTeX file.

    bibtexparser only logs broken and duplicate entries and leaves them out, and it reads a missing
    comma as part of a value; here each of these is an error with its line.

    Raises
    ------
    DatasetError
        The file is missing or unreadable, or it has broken or duplicate entries, keys with blanks,
        entries without author, title or year, or malformed years and identifiers. All of them are
        listed.
    """
    # They take long to import, and only reading the tables needs them.
    import bibtexparser
    from bibtexparser import middlewares

    problems = ProblemList()
    text = _read_text(path, problems)
    _check_lines(problems, text)
    _raise_if_any(problems)
    unsplit = bibtexparser.parse_string(text)
    if not unsplit.blocks:
        problems.add(BIBLIOGRAPHY_FILE, 0, "", "the file is empty; it must hold the sources")
    _check_entries(problems, unsplit)
    _raise_if_any(problems)
    # Accents are decoded later: decoding before the split takes {World Health Organization} apart.
    split_names = [middlewares.SeparateCoAuthors(), middlewares.SplitNameParts()]
    library = bibtexparser.parse_string(text, append_middleware=split_names)
    for block in library.failed_blocks:
        message = f"a name in '{_key(block)}' cannot be split. Write it as Last, First."
        problems.add(BIBLIOGRAPHY_FILE, (block.start_line or 0) + 1, "author", message)
    _raise_if_any(problems)
    return Bibliography({entry.key: _reference(entry) for entry in library.entries})


def _raise_if_any(problems: ProblemList) -> None:
    if problems:
        raise DatasetError(problems.problems, problems.omitted)


def _read_text(path: Path, problems: ProblemList) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        problems.add(BIBLIOGRAPHY_FILE, 0, "", "the file is missing")
    except OSError as error:
        problems.add(BIBLIOGRAPHY_FILE, 0, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line, message = undecodable_byte(error)
        problems.add(BIBLIOGRAPHY_FILE, line, "", message)
    return ""


def _check_lines(problems: ProblemList, text: str) -> None:
    """Report hidden characters, and lines that are too long for any reference."""
    for number, line in enumerate(text.split("\n"), start=1):
        hidden = hidden_characters(line.rstrip("\r"))
        if hidden:
            message = f"contains the hidden character {hidden}. Remove it."
            problems.add(BIBLIOGRAPHY_FILE, number, "", f"{quote(line.strip())} {message}")
        if len(line) > MAX_LINE_CHARS:
            message = f"the line has more than {MAX_LINE_CHARS:,} characters. Is it a reference?"
            problems.add(BIBLIOGRAPHY_FILE, number, "", message)


FAILURES = {
    "DuplicateBlockKeyBlock": "repeats the key of an earlier entry. Use every key once.",
    "DuplicateFieldKeyBlock": "has a field twice. Give every field once.",
}
"""Messages for kinds of blocks that bibtexparser could not use; of others it cannot say why."""


def _check_entries(problems: ProblemList, library) -> None:
    for block in library.failed_blocks:
        unreadable = "cannot be read as BibTeX. Is a brace or comma missing?"
        message = f"'{_key(block)}' {FAILURES.get(type(block).__name__, unreadable)}"
        problems.add(BIBLIOGRAPHY_FILE, block.start_line + 1, "", message)
    for entry in library.entries:
        for field, message in _entry_errors(entry):
            problems.add(BIBLIOGRAPHY_FILE, entry.start_line + 1, field, message)


def _key(block) -> str:
    """Return the key of a block that could not be read, else how it begins."""
    match = re.match(r"\s*@\w+\s*\{\s*([^,\s]+)", block.raw)
    return match[1] if match else " ".join(block.raw.split())[:40]


def _entry_errors(entry) -> Iterator[tuple[str, str]]:
    """Yield field and message for everything that is wrong with an entry."""
    values = {name: str(field.value).strip() for name, field in entry.fields_dict.items()}
    if not re.fullmatch(r"[^\s,{}]+", entry.key):
        yield "", f"the key '{entry.key}' contains a blank. Write it as one word."
    for field in entry.fields:
        if field.enclosing == "no-enclosing" and re.search(r"[={}]", str(field.value)):
            yield field.key, f"'{entry.key}' has no comma after the value of {field.key}"
    for name in ("author", "title", "year"):
        if not values.get(name):
            yield name, f"'{entry.key}' has no {name}"
    if "year" in values and not re.fullmatch(r"(1[5-9]|20)\d\d|n\.d\.", values["year"]):
        message = f"is not a year of four digits, or {NO_DATE} for a page without a date"
        yield "year", f"{quote(values['year'])} {message}"
    for name in IDENTIFIER_PATTERNS:
        message = identifier_error(name, values[name]) if name in values else ""
        if message:
            yield name, message


def _reference(entry) -> Reference:
    values = {field.key.lower(): field.value for field in entry.fields}
    names = [_author(name) for name in values.pop("author")]
    authors = tuple(name for name in names if name.last != "others")
    text = {name: _decode(str(value)) for name, value in values.items()}
    plain_fields = ("volume", "number", "pages", "doi", "pmid", "url", "note")
    return Reference(
        key=entry.key,
        kind=entry.entry_type,
        authors=authors,
        more_authors=len(authors) < len(names),
        title=text["title"],
        year=text["year"],
        container=next((text[name] for name in CONTAINER_FIELDS if name in text), ""),
        line=entry.start_line + 1,
        **{name: text.get(name, "") for name in plain_fields},
    )


def _author(name) -> Author:
    """Join the parts of a split name; a suffix counts with its comma (King, Jr., M.) or without."""
    first, particle = _decode(" ".join(name.first)), _decode(" ".join(name.von))
    last, suffix = _decode(" ".join([*name.von, *name.last])), _decode(" ".join(name.jr))
    match = re.fullmatch(r"(.+?) ((?:Jr|Sr)\.?|II|III|IV)", last)
    if match and first and not suffix:
        last, suffix = match.groups()
    return Author(last, first, particle, suffix)


def _decode(text: str) -> str:
    """Turn a BibTeX value into what people read: accents, no braces, en dashes, single blanks."""
    if "\\" in text:
        from pylatexenc.latex2text import LatexNodes2Text

        # Bare & and % are LaTeX's own, but people write them: they are meant as themselves.
        text = LatexNodes2Text().latex_to_text(re.sub(r"(?<!\\)([&%])", r"\\\1", text))
        # pylatexenc takes the sign \textasciicircum for the accent of that form.
        text = text.replace("ˆ", "^")
    text = re.sub(r"[{}]", "", text).replace("---", "—").replace("--", "–")
    return unicodedata.normalize("NFC", re.sub(r"\s+", " ", text).strip())
