"""References in the style of the APA, after the seventh edition of its Publication Manual."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import NO_DATE, Reference
from evidence.dataset.citations.reference_parts import (
    address_of,
    date_accessed,
    edition_text,
    is_ahead_of_print,
    known_parts,
    page_range,
    title_in_sentence_case,
)
from evidence.dataset.citations.source_kinds import SOFTWARE, kind_of, trial_number
from evidence.dataset.citations.wording import end_sentence, join_with_commas, one_line

APA_MAX_AUTHORS = 20


def format_apa(source: Reference) -> str:
    """Format one reference as plain text.

    An author list that the source does not have in full ends in the ellipsis that stands for
    omitted authors: the style has no "et al." in a reference list.
    """
    style = _Apa(italic=lambda text: text, literal=lambda text: text)
    return style.format(source, address_of(source))


def format_apa_markdown(source: Reference) -> str:
    """Format one reference in Markdown, with italics and no other markup."""
    # An address stands between signs that it must not contain.
    link = re.sub("[<> ]", lambda sign: f"%{ord(sign[0]):X}", address_of(source))
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
        opening = [end_sentence(authors), date, title] if authors else [title, date]
        accessed = date_accessed(source, "%B DAY, %Y")
        # Only what may change has the date of access: a page without a date of its own.
        if accessed and link and source.year in ("", NO_DATE) and kind_of(source).form == "page":
            link = f"Retrieved {accessed}, from {link}"
        return " ".join(part for part in [*opening, *container, link] if part)

    def plain(self, text: str) -> str:
        return self.literal(one_line(text))

    def title_and_container(self, source: Reference) -> list[str]:
        """Write the title with its details, and what follows it; one of the two is in italics."""
        form, container = kind_of(source).form, self.plain(source.container)
        plain_title = self.literal(title_in_sentence_case(source, subtitles=True))
        if form == "article":
            early = "Advance online publication." if is_ahead_of_print(source) else ""
            return [end_sentence(plain_title), self.journal_issue(source), early]
        if form == "chapter":
            return [end_sentence(plain_title), *self.book(source)]
        if form == "figure":
            book = f"In {self.italic(container)}" if container else ""
            note = end_sentence(self.plain(source.note))
            return [end_sentence(plain_title), end_sentence(book), note]
        title = self.italic(plain_title.removesuffix("."))
        number = one_line(source.number)
        details = {
            "registry": f"Identifier {trial_number(source)}",
            "report": f"Report No. {number}" if number else "",
            "dataset": f"Version {number}" if number else "",
            "book": edition_text(source),
        }.get(form, "")
        title += f" ({self.plain(details)})" if details else ""
        labels = {
            "registry": "[Clinical trial registration]",
            "dataset": "[Computer software]" if kind_of(source) is SOFTWARE else "[Data set]",
        }
        title += f" {labels[form]}" if form in labels else ""
        if form == "thesis":
            is_master = source.kind.lower() == "mastersthesis"
            degree = "Master's thesis" if is_master else "Doctoral dissertation"
            return [end_sentence(f"{title} [{join_with_commas(degree, container)}]")]
        title = title if re.search(r"[?!]\*?$", title) else f"{title}."
        # A publisher that is also the author is not named again.
        is_author = any(author.last == source.container for author in source.creators)
        return [title, "" if is_author else end_sentence(container)]

    def book(self, source: Reference) -> list[str]:
        """Write the book that a chapter is in, and its publisher."""
        if not source.container:
            return []
        title = self.italic(
            self.literal(title_in_sentence_case(source, source.container, subtitles=True))
        )
        has_range = page_range(source.pages)[1]
        pages = f"pp. {_apa_pages(source)}" if has_range else ""
        details = self.plain(join_with_commas(edition_text(source), pages))
        book = f"In {join_with_commas(self.literal(_apa_editors(source)), title)}"
        book += f" ({details})" if details else ""
        return [end_sentence(book), end_sentence(self.plain(source.publisher))]

    def journal_issue(self, source: Reference) -> str:
        issue = self.italic(self.plain(source.volume))
        issue += f"({self.plain(source.number)})" if source.number else ""
        journal = self.italic(self.plain(source.container))
        return end_sentence(join_with_commas(journal, issue, self.plain(_apa_pages(source))))


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
    names = [one_line(f"{_apa_initials(editor.first)} {editor.last}") for editor in source.editors]
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
        return one_line(author.last)
    return one_line(join_with_commas(author.last, _apa_initials(author.first), author.suffix))


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
