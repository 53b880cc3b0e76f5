"""Import references from the exports of reference managers and databases into `references.bib`.

RIS and PubMed's format are read by one reader of tagged lines: both are lists of tags and values,
and a broken record costs itself.
"""

import csv
import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from evidence.dataset.bibliography import (
    Bibliography,
    Reference,
    build_reference,
    decode_file,
    parse_bibliography,
)
from evidence.dataset.bibtex import Entry, parse_bibtex
from evidence.dataset.citations.bibtex import escape_latex, format_bibtex
from evidence.dataset.citations.reference_managers import CSV_COLUMNS
from evidence.dataset.citations.reference_parts import AHEAD_OF_PRINT, INCOMPLETE_AUTHORS
from evidence.dataset.citations.source_kinds import container_field
from evidence.dataset.csv_layout import csv_message
from evidence.dataset.project_folder import find_project
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.errors import EvidenceError
from evidence.files import atomic_write, locked, parse_json, read_bytes

RIS_TYPES = {
    **dict.fromkeys(("JOUR", "JFULL", "EJOUR", "MGZN", "NEWS"), "article"),
    **dict.fromkeys(("BOOK", "EBOOK", "EDBOOK"), "book"),
    **dict.fromkeys(("CHAP", "ECHAP"), "incollection"),
    **dict.fromkeys(("CONF", "CPAPER"), "inproceedings"),
    "RPRT": "techreport",
    "THES": "phdthesis",
    "DATA": "dataset",
    "COMP": "software",
}
CSL_TYPES = {
    **dict.fromkeys(("article-journal", "article-magazine", "article-newspaper"), "article"),
    "book": "book",
    "chapter": "incollection",
    "paper-conference": "inproceedings",
    "report": "techreport",
    "thesis": "phdthesis",
    "dataset": "dataset",
    "software": "software",
}
# By BibTeX field: the tags that may hold it, the best first.
RIS_FIELDS = {
    "author": "AU A1", "editor": "A2 ED", "title": "TI T1 CT BT", "container": "T2 JF JO JA J2 BT",
    "year": "PY Y1 DA", "volume": "VL", "number": "IS", "eid": "C7", "publisher": "PB",
    "doi": "DO", "url": "UR L2", "address": "CY", "edition": "ET", "origdate": "OP",
}  # fmt: skip
PUBMED_FIELDS = {
    "author": "FAU AU", "editor": "FED ED", "title": "TI", "container": "JT TA BTI", "year": "DP",
    "volume": "VI", "number": "IP", "pages": "PG", "publisher": "PB", "pmid": "PMID",
}  # fmt: skip
CSL_FIELDS = {
    "title": "title", "container": "container-title", "volume": "volume", "number": "issue number version",
    "pages": "page", "publisher": "publisher", "doi": "DOI", "pmid": "PMID", "url": "URL",
    "address": "publisher-place", "edition": "edition",
}  # fmt: skip
CSV_FIELDS = {name: name for name in CSV_COLUMNS[2:]} | {
    "address": "place", "pubstate": "state", "urldate": "accessed", "origdate": "first_published",
}  # fmt: skip
_ADDRESSES = ("doi", "url", "pmid")
_TAGGED = re.compile(r"\ufeff?([A-Z][A-Z0-9]{1,3}) *- ?(.*)")
_INITIALS_LAST = re.compile(r".* (?:[A-Z]\.?-?){1,3}")


@dataclass
class ImportedReferences:
    """What an import of references adds, leaves out with the reason, and adds incomplete."""

    form: str
    read: int = 0
    added: list[Reference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


def import_references(
    project: str | Path, path: Path, *, dry_run: bool = False
) -> ImportedReferences:
    """Add the references of a file to `references.bib`; those that it has already are skipped.

    The file is BibTeX, RIS, PubMed's format (nbib), CSL-JSON or the CSV that `evidence cite`
    writes. Raise `EvidenceError` if a file cannot be read or is of another form; nothing is written
    then.
    """
    target = find_project(project) / BIBLIOGRAPHY_FILE
    try:
        text, _ = decode_file(read_bytes(path))
        old = read_bytes(target) if target.is_file() else b""
    except OSError as error:
        raise EvidenceError(f"{error.filename}: cannot be read: {error.strerror}") from None
    form, entries = read_references(text, str(path))
    done = ImportedReferences(form)
    library = Library(parse_bibliography(old))
    for entry in entries:
        done.read += 1
        reference = build_reference(entry)
        name = f"line {entry.line}: '{reference.title[:60] or entry.key or entry.kind}'"
        if entry.error and not entry.fields:
            done.skipped.append(f"{name} {entry.error}")
        elif not reference.title:
            done.skipped.append(f"{name} has no title")
        elif reason := library.find(reference):
            done.skipped.append(f"{name} {reason}")
        else:
            done.added.append(library.add(reference))
    if not done.added:
        return done
    head = decode_file(old)[0].rstrip("\n")
    new = "\n\n".join(filter(None, [head, format_bibtex(done.added)])).rstrip("\n") + "\n"
    written = parse_bibliography(new.encode())
    for reference in done.added:
        if reference.key not in written or written[reference.key].title != reference.title:
            raise EvidenceError(
                f"{path}: '{reference.title}' cannot be written as BibTeX. Nothing was written."
            )
        done.incomplete += [p.message for p in written.problems.get(reference.key, ())]
    if not dry_run:
        with locked(target.parent):
            if target.is_file() and read_bytes(target) != old:
                raise EvidenceError(
                    f"{target}: changed while this command ran. Nothing was written; run it again"
                )
            atomic_write(target, new)
    return done


def read_references(text: str, name: str) -> tuple[str, list[Entry]]:
    """Return the form of a text and its references as entries of BibTeX.

    Raise `EvidenceError` if the text has another form; `name` says which file that is.
    """
    if re.search(r"^\ufeff?TY {0,2}- ", text, re.MULTILINE):
        return "RIS", [_ris_entry(*record) for record in _tagged_records(text, "TY")]
    if re.search(r"^\ufeff?PMID *- ", text, re.MULTILINE):
        return "PubMed", [_pubmed_entry(*record) for record in _tagged_records(text, "PMID")]
    if text.lstrip().startswith(("[", "{")):
        try:
            content = parse_json(text)
        except ValueError as error:
            raise EvidenceError(f"{name}: not valid JSON: {error}") from None
        items = content.get("items", [content]) if isinstance(content, Mapping) else content
        return "CSL-JSON", [
            _csl_entry(number, item)
            for number, item in enumerate(items if isinstance(items, list) else [], start=1)
            if isinstance(item, Mapping)
        ]
    if text.startswith(",".join(CSV_COLUMNS[:2])):
        try:
            rows = list(csv.DictReader(text.splitlines()))
        except csv.Error as error:
            raise EvidenceError(f"{name}: {csv_message(error)}") from None
        return "CSV", [_csv_entry(*row) for row in enumerate(rows, 2)]
    if re.search(r"^\s*@\s*\w+\s*[{(]", text, re.MULTILINE):
        return "BibTeX", list(parse_bibtex(text))
    raise EvidenceError(
        f"{name}: not BibTeX, RIS, PubMed (nbib), CSL-JSON or the CSV of 'evidence cite'. "
        "Export the references as one of these."
    )


def _tagged_records(text: str, start: str) -> Iterator[tuple[int, dict[str, list[str]]]]:
    """Yield the line of each record and its values by tag; lines without a tag continue a value."""
    line = 0
    record: dict[str, list[str]] = {}
    values: list[str] | None = None
    for number, content in enumerate(text.splitlines(), start=1):
        match = _TAGGED.fullmatch(content)
        if match and match[1] == start:
            if record:
                yield line, record
            line, record = number, {}
        if match and match[1] == "ER":
            values = None
        elif match and line:
            values = record.setdefault(match[1], [])
            values.append(match[2].strip())
        elif values and content.strip():
            values[-1] += f" {content.strip()}"
    if record:
        yield line, record


def _ris_entry(line: int, record: Mapping[str, list[str]]) -> Entry:
    first = {tag: values[0] for tag, values in record.items()}
    pages = "--".join(filter(None, (first.get("SP", ""), first.get("EP", ""))))
    number = first.get("AN", "")
    if re.fullmatch(r"\d{1,8}", number) and re.search(
        "pubmed|medline|^$", first.get("DB", ""), re.I
    ):
        record = {**record, "PMID": [number]}
    kind = RIS_TYPES.get(first["TY"].strip(), "misc")
    if first["TY"].strip() == "EDBOOK":
        record = {**record, "ED": record.get("AU", []), "AU": []}
    if kind == "phdthesis" and first.get("M3", "").startswith("Master"):
        kind = "mastersthesis"
    fields = _fields(kind, {**RIS_FIELDS, "pmid": "PMID"}, record)
    if AHEAD_OF_PRINT in record.get("N1", ()):
        fields["pubstate"] = "aheadofprint"
    if accessed := re.sub(r"/+", "-", first.get("Y2", "")).strip("-"):
        fields["urldate"] = escape_latex(accessed)
    _mark_incomplete(fields, record.get("N1", ()))
    return Entry("", kind, line, fields | ({"pages": escape_latex(pages)} if pages else {}))


def _csv_entry(line: int, row: Mapping[str, str | None]) -> Entry:
    """Return the entry of a row; a row that is cut short has None for its last cells."""
    record = {name: [value] for name, value in row.items() if name and value}
    for role in ("author", "editor"):
        # A semicolon in braces belongs to a name.
        record[role] = re.split(r"; *(?![^{]*\})", row.get(role) or "")
    kind = row.get("type") or "misc"
    return Entry(row.get("key") or "", kind, line, _fields(kind, CSV_FIELDS, record))


def _mark_incomplete(fields: dict[str, str], notes: Iterable[str]) -> None:
    """Add that there are more authors, if one of the notes says so."""
    role = "author" if fields.get("author") else "editor"
    if fields.get(role) and any(INCOMPLETE_AUTHORS in note for note in notes):
        fields[role] += " and others"


def _pubmed_entry(line: int, record: Mapping[str, list[str]]) -> Entry:
    kind = "incollection" if "BTI" in record else "article"
    groups = [f"{{{name}}}" for name in record.get("CN", ())]
    fields = _fields(kind, PUBMED_FIELDS, record)
    authors = [fields["author"], *groups] if "author" in fields else groups
    doi = next(
        (
            value.removesuffix("[doi]").strip()
            for tag in ("LID", "AID")
            for value in record.get(tag, ())
            if value.endswith("[doi]")
        ),
        "",
    )
    title = fields.get("title", "").removesuffix(".")
    return Entry(
        "", kind, line, fields | {"author": " and ".join(authors), "doi": doi, "title": title}
    )


def _fields(kind: str, tags: Mapping[str, str], record: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the fields of BibTeX, escaped: the text of other formats is no LaTeX."""
    fields = {}
    for name, alternatives in tags.items():
        values = next((v for tag in alternatives.split() if any(v := record.get(tag, []))), [])
        if name == "container":
            name = container_field(kind)
        if name in ("author", "editor"):
            fields[name] = " and ".join(map(_tagged_name, filter(None, values)))
        elif values:
            text = next(filter(None, values))
            fields[name] = text if name in _ADDRESSES else escape_latex(text)
    return fields


def _tagged_name(name: str) -> str:
    """Write a name for BibTeX; persons have a comma or initials at the end, organisations neither."""
    if name.startswith("{"):
        return f"{{{escape_latex(name.strip('{} '))}}}"
    name = escape_latex(name.rstrip(" ,"))
    if "," in name or _INITIALS_LAST.fullmatch(name) or re.fullmatch(r"et al\.?|others", name):
        return "others" if name.startswith(("et al", "others")) else name
    return f"{{{name}}}"


def _csl_entry(number: int, item: Mapping) -> Entry:
    kind = CSL_TYPES.get(str(item.get("type", "")), "misc")
    if kind == "phdthesis" and str(item.get("genre", "")).startswith("Master"):
        kind = "mastersthesis"
    record = {name: [str(value)] for name, value in item.items() if isinstance(value, str | int)}
    fields = _fields(kind, CSL_FIELDS, record)
    for role in ("author", "editor"):
        people = [person for person in item.get(role) or () if isinstance(person, Mapping)]
        fields[role] = " and ".join(map(_csl_name, people))
    issued = item.get("issued")
    if isinstance(issued, Mapping):
        parts = issued.get("date-parts") or [[issued.get("raw") or issued.get("literal") or ""]]
        fields["year"] = escape_latex(str(parts[0][0] if parts[0] else ""))
    for name, variable in (("urldate", "accessed"), ("origdate", "available-date")):
        date = item.get(variable)
        if isinstance(date, Mapping) and (parts := date.get("date-parts")):
            fields[name] = "-".join(f"{int(part):02}" for part in parts[0])
    if str(item.get("status", "")) == "advance online publication":
        fields["pubstate"] = "aheadofprint"
    _mark_incomplete(fields, record.get("note", ()))
    return Entry("", kind, number, fields)


def _csl_name(person: Mapping) -> str:
    if literal := str(person.get("literal", "")):
        return "others" if literal == "others" else f"{{{escape_latex(literal)}}}"
    particles = ("dropping-particle", "non-dropping-particle")
    parts = {
        "family": person.get("family", ""),
        "given": person.get("given", ""),
        "prefix": " ".join(str(person[name]) for name in particles if person.get(name)),
        "suffix": person.get("suffix", ""),
    }
    return ", ".join(
        f"{name}={{{escape_latex(str(part))}}}" for name, part in parts.items() if part
    )


class Library:
    """The references that there are, by what tells that two are the same."""

    def __init__(self, bibliography: Bibliography):
        self._taken = {*bibliography, *bibliography.problems}
        self._known: dict[tuple[str, str], Reference] = {}
        for reference in bibliography.values():
            self._index(reference)

    def find(self, reference: Reference) -> str:
        """Say as what a reference is known; empty if it is new."""
        kind, known = self._match(reference)
        return f"is known as {known.key} (same {kind})" if known else ""

    def known(self, reference: Reference) -> Reference | None:
        """Return the reference that is the same, if there is one."""
        return self._match(reference)[1]

    def _match(self, reference: Reference) -> tuple[str, Reference | None]:
        for kind, value in _identities(reference):
            known = self._known.get((kind, value))
            # Two texts of the same title and year are two if both have a DOI.
            if known and not (kind == "title" and known.doi and reference.doi):
                return kind, known
        return "", None

    def add(self, reference: Reference) -> Reference:
        """Give a reference a key that is not taken, its own if it has one, and remember it."""
        key = reference.key or _key(reference)
        letters = ("", *string.ascii_lowercase)
        candidates = [key, *(key + a + b for a in letters for b in string.ascii_lowercase)]
        reference = replace(
            reference, key=next(key for key in candidates if key not in self._taken)
        )
        self._taken.add(reference.key)
        self._index(reference)
        return reference

    def _index(self, reference: Reference) -> None:
        for identity in _identities(reference):
            self._known.setdefault(identity, reference)


def _identities(reference: Reference) -> Iterator[tuple[str, str]]:
    if reference.doi:
        yield "DOI", reference.doi.casefold()
    if reference.pmid:
        yield "PMID", reference.pmid
    yield "title", f"{letters(reference.title)} {reference.year}"


def _key(reference: Reference) -> str:
    """Return a key like miller2001, of plain letters as far as the name has them."""
    name = reference.creators[0].family if reference.creators else reference.title.split()[0]
    year = reference.year if reference.year.isdecimal() else ""
    return f"{letters(name) or 'anonymous'}{year}"


def letters(text: str) -> str:
    """Return the letters and digits of a text in lower case, without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(str.maketrans("øłđı", "oldi")))
    return "".join(sign for sign in plain.replace("æ", "ae").replace("œ", "oe") if sign.isalnum())
