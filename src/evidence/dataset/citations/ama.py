"""References in the style of the AMA, after the eleventh edition of its Manual of Style."""

from collections.abc import Sequence

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import NO_DATE, Reference
from evidence.dataset.citations.journal_names import abbreviate_journal
from evidence.dataset.citations.reference_parts import (
    address_of,
    date_accessed,
    edition_text,
    is_ahead_of_print,
    known_parts,
    page_range,
    title_in_sentence_case,
)
from evidence.dataset.citations.source_kinds import kind_of, registry_name, trial_number
from evidence.dataset.citations.vancouver import editor_role, issue_text, short_names
from evidence.dataset.citations.wording import end_sentence, join_with_commas, one_line
from evidence.dataset.letter_case import title_case

AMA_MAX_AUTHORS = 6
AMA_CUT_AUTHORS = 3


def format_ama(source: Reference) -> str:
    """Format one reference: six authors, of more the first three; full pages; no PubMed number."""
    source = known_parts(source)
    authors = _ama_names(source.creators, source.more_authors)
    if kind_of(source).form == "registry":
        authors = ""
    authors = join_with_commas(authors, "" if source.authors else editor_role(source.editors, "ed"))
    parts = [end_sentence(authors), *_ama_publication(source)]
    accessed = date_accessed(source, "%B DAY, %Y")
    if source.doi:
        parts.append(f"doi:{one_line(source.doi)}")
    elif link := address_of(source):
        parts += [f"Accessed {accessed}." if accessed else "", link]
    return " ".join(filter(None, parts))


def _ama_names(people: Sequence[Author], has_more: bool) -> str:
    return short_names(people, has_more, most=AMA_MAX_AUTHORS, cut=AMA_CUT_AUTHORS, ordinals=False)


def _ama_publication(source: Reference) -> list[str]:
    """List title, container and date; books have their titles in title case."""
    form, container, title = (
        kind_of(source).form,
        one_line(source.container),
        title_in_sentence_case(source),
    )
    year = "" if source.year == NO_DATE else one_line(source.year)
    number = one_line(source.number)
    if form == "article":
        issue = year + issue_text(source, "-".join(filter(None, page_range(source.pages))))
        issue = f"Published online {year}" if is_ahead_of_print(source) else issue
        journal = abbreviate_journal(container) if container else ""
        return list(map(end_sentence, (title, journal, issue)))
    if form == "preprint":
        posted = f"Preprint posted online {year}" if year else "Preprint"
        return list(map(end_sentence, (title, container, posted)))
    if form == "registry":
        identifier = f"{registry_name(source)} identifier: {trial_number(source)}"
        return list(map(end_sentence, (title, identifier, year)))
    if form == "chapter":
        pages = "-".join(filter(None, page_range(source.pages)))
        editors = _ama_names(source.editors, False) if source.authors else ""
        role = editor_role(source.editors, "ed") if editors else ""
        editors = end_sentence(join_with_commas(editors, role))
        book = end_sentence(title_case(container))
        details = _semicolon(one_line(source.publisher), year) + (f":{pages}" if pages else "")
        parts = [f"In: {editors} {book}" if editors else f"In: {book}" if container else ""]
        return [end_sentence(title), *parts, edition_text(source), end_sentence(details)]
    if form in ("book", "report", "thesis"):
        is_master = source.kind.lower() == "mastersthesis"
        label = "" if form != "thesis" else "Master's thesis." if is_master else "Dissertation."
        report = f"Report {number}." if form == "report" and number else ""
        edition = edition_text(source) if form == "book" else ""
        publisher = end_sentence(_semicolon(container, year))
        return [end_sentence(title_case(title)), label, edition, publisher, report]
    if form == "dataset":
        version = f"Version {number}" if number else ""
        return list(map(end_sentence, (title, version, _semicolon(container, year))))
    is_author = any(author.last == source.container for author in source.creators)
    note = source.note if form == "figure" else ""
    site = f"In: {container}" if form == "figure" and container else "" if is_author else container
    return list(map(end_sentence, (title, site, year, note)))


def _semicolon(publisher: str, year: str) -> str:
    return "; ".join(filter(None, (publisher, year)))
