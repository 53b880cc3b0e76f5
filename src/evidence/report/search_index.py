"""Index of the texts of all pages, written as a script: a page opened from a file cannot fetch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

SEARCH_INDEX = "search-index.js"
RANKS = {"h1": 0, "h2": 1, "h3": 2, "caption": 3, "figcaption": 3, "dt": 3}
RANKS |= dict.fromkeys(("p", "li", "tr", "dd"), 4)
"""The elements whose texts are found, in the order in which results are listed."""
LINK_TARGETS = (*RANKS, "figure", "table")
SKIPPED_TAGS = ("nav", "script", "style", "thead", "pre")
SKIPPED_CLASSES = ("files", "footnotes", "scope", "technical")
VOID_TAGS = ("br", "col", "hr", "img", "input", "link", "meta", "source", "wbr")


@dataclass
class _Unit:
    """An open element of `RANKS`: its id, or the first one inside it, and its text so far."""

    tag: str
    anchor: str
    texts: list[str] = field(default_factory=list)


class _TextParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[int, str, str]] = []
        self._tags: list[str] = []
        self._skipped_from = 0
        self._units: list[_Unit] = []
        self._anchor = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID_TAGS:
            return
        self._tags.append(tag)
        attributes = {name: value or "" for name, value in attrs}
        classes = attributes.get("class", "").split()
        if tag in SKIPPED_TAGS or any(name in SKIPPED_CLASSES for name in classes):
            self._skipped_from = self._skipped_from or len(self._tags)
        if self._skipped_from or "main" not in self._tags:
            return
        unit = self._units[-1] if self._units else None
        identity = attributes.get("id", "")
        if tag in LINK_TARGETS:
            self._anchor = identity or self._anchor
        if unit and unit.tag == "tr":
            unit.anchor = unit.anchor or identity
            if tag in ("td", "th") and unit.texts:
                unit.texts.append(" · ")
        elif tag in RANKS:
            self._units.append(_Unit(tag, identity))
        elif unit:
            unit.anchor = unit.anchor or identity

    def handle_data(self, data: str) -> None:
        if self._units and not self._skipped_from:
            self._units[-1].texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._tags:
            return
        while self._tags.pop() != tag:
            pass
        if len(self._tags) < self._skipped_from:
            self._skipped_from = 0
        elif self._units and self._units[-1].tag == tag and not self._skipped_from:
            unit = self._units.pop()
            if text := " ".join("".join(unit.texts).split()):
                self.entries.append((RANKS[tag], unit.anchor or self._anchor, text))


def page_texts(html: str) -> list[tuple[int, str, str]]:
    """List the texts of a page, each with its rank and the id of the nearest element to link to."""
    parser = _TextParser()
    parser.feed(html)
    parser.close()
    return parser.entries


def search_index(pages: Mapping[str, str]) -> str:
    """Return the script that hands the texts of all pages to `templates/search.js`.

    A text that several pages share, such as a reference, is listed on the first of them. `pages`
    has the HTML of all pages by name, in the order of the navigation.
    """
    entries: list[tuple[int, int, str, str]] = []
    known: set[str] = set()
    for number, html in enumerate(pages.values()):
        for rank, anchor, text in page_texts(html):
            if rank <= RANKS["h3"] or text not in known:
                entries.append((number, rank, anchor, text))
            known.add(text)
    content = {"pages": list(pages), "entries": entries}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return f"evidenceSearch({text});\n"
