"""Parts of a reference that several styles write alike: title, edition, pages, address."""

import re
from dataclasses import replace
from datetime import date

from evidence.dataset.bibliography import Reference
from evidence.dataset.citations.source_kinds import REGISTRY_TITLE, kind_of
from evidence.dataset.citations.wording import one_line
from evidence.dataset.letter_case import sentence_case

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


def title_in_sentence_case(source: Reference, text: str = "", *, subtitles: bool = False) -> str:
    """Write the title of a source, or another text of it, in sentence case."""
    text = one_line(text or source.title)
    if kind_of(source).form == "registry" and (match := REGISTRY_TITLE.fullmatch(text)):
        text = match[2]
    if kind_of(source).form == "figure":
        return text
    return sentence_case(text, source.protected, subtitles=subtitles)


def address_of(source: Reference) -> str:
    """Return DOI or address; styles want no address of a database for an article in a volume."""
    is_in_database = not source.doi and source.pmid and source.volume
    return one_line(source.url if is_in_database else source.link)


def edition_text(source: Reference) -> str:
    """Write an edition as 2nd ed.; the first is not named."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
    text = re.sub(r"\s*(?:edition|ed\.?)$", "", one_line(source.edition), flags=re.IGNORECASE)
    if text.casefold() in words:
        text = str(words.index(text.casefold()) + 1)
    if text.isdecimal():
        ending = {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th")
        text += "th" if text[-2:] in ("11", "12", "13") else ending
    return f"{text} ed." if text and text != "1st" else ""


def date_accessed(source: Reference, pattern: str) -> str:
    """Write the date of access; the day has no leading zero."""
    try:
        day = date.fromisoformat(source.accessed)
    except ValueError:
        return ""
    return day.strftime(pattern).replace("DAY", str(day.day))


def page_range(pages: str) -> tuple[str, str]:
    """Return the first and the last page in full (856-64 means 856 to 864).

    The last is empty for a single page; both are empty for a number of pages (65 pp.).
    """
    pages = one_line(pages)
    if re.fullmatch(r"\d+ ?pp?\.?", pages):
        return "", ""
    match = re.fullmatch(r"([^\W\d]*)(\d+)([^\W\d]*) ?[-‐‑‒–—]+ ?([^\W\d]*)(\d+)([^\W\d]*)", pages)
    if match is None:
        return pages, ""
    prefix, first, suffix, last_prefix, last, last_suffix = match.groups()
    if len(last) < len(first) and last_prefix in ("", prefix):
        last = first[: -len(last)] + last
    return prefix + first + suffix, (last_prefix or prefix) + last + last_suffix


def is_ahead_of_print(source: Reference) -> bool:
    """Say whether an article is online before it has a volume."""
    return not source.volume and source.state.casefold() in ("aheadofprint", "ahead of print")
