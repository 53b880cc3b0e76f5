"""References in the Vancouver style, after the National Library of Medicine and the ICMJE."""

import re
from collections.abc import Sequence

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import NO_DATE, Reference
from evidence.dataset.citations.journal_names import abbreviate_journal
from evidence.dataset.citations.reference_parts import (
    AHEAD_OF_PRINT,
    date_accessed,
    edition_text,
    is_ahead_of_print,
    known_parts,
    page_range,
    title_in_sentence_case,
)
from evidence.dataset.citations.source_kinds import (
    PUBLISHED_FORMS,
    kind_of,
    registry_name,
    trial_number,
)
from evidence.dataset.citations.wording import end_sentence, join_with_commas, one_line

VANCOUVER_MAX_AUTHORS = 6
_ORDINALS = {"II": "2nd", "III": "3rd", "IV": "4th"}


def format_vancouver(source: Reference) -> str:
    """Format one reference: six authors, then et al.; NLM's journal abbreviations; shortened pages.

    It ends with the DOI and the PubMed number, else with the address.
    """
    source = known_parts(source)
    parts = [_vancouver_authors(source), _vancouver_title(source), *_vancouver_publication(source)]
    if source.doi:
        parts.append(f"doi: {one_line(source.doi)}.")
    if source.pmid:
        parts.append(f"PMID: {one_line(source.pmid)}.")
    if source.url and not source.doi and not source.pmid:
        parts.append(f"Available from: {one_line(source.url)}")
    return " ".join(part for part in parts if part)


def _vancouver_authors(source: Reference) -> str:
    if kind_of(source).form == "registry":
        return f"{registry_name(source)} [Internet]."
    names = short_names(source.creators, source.more_authors)
    role = "" if source.authors else editor_role(source.editors, "editor")
    return end_sentence(join_with_commas(names, role))


def short_names(
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


def editor_role(editors: Sequence[Author], word: str) -> str:
    """Write what editors are called after their names, in the singular or plural."""
    return "" if not editors else word if len(editors) == 1 else f"{word}s"


def _short_name(author: Author, ordinals: bool) -> str:
    """Write a person without points and with all initials, as PubMed does; others as they are."""
    if not author.first:
        return one_line(author.last)
    # Jean-Paul and Ji-hye become JP and JH; a name in a script without capitals stays whole.
    parts = [part for part in re.split(r"[\s.\-‐‑]+", author.first) if part]
    letters = "".join(p[0].upper() if p[0].lower() != p[0].upper() else p for p in parts)
    suffix = author.suffix.rstrip(".")
    last = author.last.replace(".", "")
    return one_line(f"{last} {letters} {_ORDINALS.get(suffix, suffix) if ordinals else suffix}")


def _vancouver_title(source: Reference) -> str:
    kind = kind_of(source)
    if kind.form == "registry":
        # The registry is cited, and its entry is a part of it.
        return f"Identifier {trial_number(source)}, {title_in_sentence_case(source)};"
    labels = {
        "phdthesis": " [dissertation]",
        "thesis": " [dissertation]",
        "mastersthesis": " [master's thesis]",
    }
    media = {"ELEC": " [Internet]", "DATA": " [dataset]", "COMP": " [software]"}
    label = labels.get(source.kind.lower(), media.get(kind.ris, ""))
    return end_sentence(title_in_sentence_case(source).removesuffix("." if label else "") + label)


def _vancouver_publication(source: Reference) -> list[str]:
    """List container, date, volume and pages; a container that is no journal joins the date."""
    form, container = kind_of(source).form, one_line(source.container)
    date = "[date unknown]" if source.year in ("", NO_DATE) else one_line(source.year)
    if form == "article":
        early = AHEAD_OF_PRINT if is_ahead_of_print(source) else ""
        journal = end_sentence(abbreviate_journal(container)) if container else ""
        return [journal, end_sentence(date + issue_text(source, _vancouver_pages(source))), early]
    if form == "preprint":
        return [f"{container} [Preprint].", f"{date}."]
    if form == "chapter":
        return _vancouver_book(source, date)
    if accessed := date_accessed(source, "%Y %b DAY"):
        date += f" [cited {accessed}]"
    if form == "registry":
        return [f"{date}."]
    opening = "In: " if form == "figure" and container else ""
    place = f"{one_line(source.place)}: " if source.place and form in PUBLISHED_FORMS else ""
    edition = edition_text(source) if form == "book" else ""
    version = f"Version {one_line(source.number)}." if form == "dataset" and source.number else ""
    parts = [
        edition or version,
        f"{opening}{place}{container}; {date}." if container else f"{date}.",
    ]
    if form == "report" and source.number:
        parts.append(f"Report No.: {one_line(source.number)}.")
    if form == "figure":
        parts.append(end_sentence(source.note))
    return parts


def _vancouver_book(source: Reference, date: str) -> list[str]:
    """List the book that a chapter is in, with its editors and publisher."""
    opening = ""
    if source.authors and source.editors:
        editors = join_with_commas(
            short_names(source.editors, False), editor_role(source.editors, "editor")
        )
        opening = f"{end_sentence(editors)} "
    book = title_in_sentence_case(source, source.container) if source.container else ""
    if source.publisher:
        place = f"{one_line(source.place)}: " if source.place else ""
        book = " ".join(filter(None, [end_sentence(book), edition_text(source)]))
        book = f"{book} {place}{one_line(source.publisher)}"
    elif edition := edition_text(source):
        book = f"{end_sentence(book)} {edition.removesuffix('.')}"
    pages = _vancouver_pages(source)
    return [
        f"In: {opening}{book}; {date}." if source.container else f"{date}.",
        f"p. {pages}." if pages else "",
    ]


def issue_text(source: Reference, pages: str) -> str:
    """Write volume, issue and pages as ;25(7):1592-603."""
    numbers = one_line(source.volume) + (f"({one_line(source.number)})" if source.number else "")
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
