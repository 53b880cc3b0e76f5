"""References for reference managers, citation processors and spreadsheets: RIS, CSL-JSON, CSV."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import NO_DATE, Reference
from evidence.dataset.citations.journal_names import abbreviate_journal
from evidence.dataset.citations.reference_parts import (
    AHEAD_OF_PRINT,
    INCOMPLETE_AUTHORS,
    is_ahead_of_print,
    known_parts,
    page_range,
)
from evidence.dataset.citations.source_kinds import PUBLISHED_FORMS, kind_of
from evidence.dataset.citations.wording import join_with_commas, one_line
from evidence.dataset.letter_case import sentence_case
from evidence.files import format_json


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
        [join_with_commas(person.last, person.first, person.suffix) for person in people]
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
        "secondary_title": "" if kind.form in ("article", *PUBLISHED_FORMS) else source.container,
        "publisher": source.container if kind.form in PUBLISHED_FORMS else source.publisher,
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
        "notes": [_note(source), AHEAD_OF_PRINT if is_ahead_of_print(source) else ""],
    }
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = list(filter(None, map(one_line, value)))
        else:
            fields[name] = one_line(value)
    return {name: value for name, value in fields.items() if value}


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
        "container-title": "" if kind.form in PUBLISHED_FORMS else source.container,
        "container-title-short": "" if short == source.container else short,
        "publisher": source.container if kind.form in PUBLISHED_FORMS else source.publisher,
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
        "status": "advance online publication" if is_ahead_of_print(source) else "",
        "note": _note(source),
    }
    return {"id": source.key, "type": kind.csl} | {
        name: one_line(value) if isinstance(value, str) else value
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
    return sentence_case(one_line(source.title), source.protected)


def _note(source: Reference) -> str:
    """Return the note of a figure, and that authors are missing: no format has a name for them."""
    notes = [source.note if kind_of(source).form == "figure" else ""]
    return " ".join(filter(None, [*notes, INCOMPLETE_AUTHORS if source.more_authors else ""]))


def _csl_name(author: Author) -> dict[str, str]:
    """Return the parts of a person's name; an organisation has one literal name."""
    if not author.first:
        return {"literal": one_line(author.last)}
    parts = {"family": author.family, "given": author.first}
    parts |= {"non-dropping-particle": author.particle, "suffix": author.suffix}
    return {name: one_line(part) for name, part in parts.items() if part}


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
        writer.writerow({name: one_line(text) for name, text in cells.items()})
    return table.getvalue()


def _csv_names(people: Sequence[Author], has_more: bool) -> str:
    """List people as Last, First; an organisation with a comma in its name is in braces."""
    names = [
        join_with_commas(person.last, person.first, person.suffix)
        if person.first or not re.search("[,;]", person.last)
        else f"{{{person.last}}}"
        for person in people
    ]
    return "; ".join([*names, *(["et al."] if has_more else [])])
