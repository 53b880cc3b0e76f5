"""The glossary: terms of the field and of the topic, and where a page first uses them.

The terms of the field are in `glossary.csv` beside this module. The outcomes of a topic have their
descriptions in `outcomes.csv`; those with a `display_order` are linked like terms of the field.
"""

import csv
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from html.parser import HTMLParser
from importlib.resources import files

from evidence.dataset.dataset import Dataset
from evidence.provenance.methods import method_reference
from evidence.provenance.sentence import capitalise
from evidence.report.html_pages import Headings, Page, as_markup, render
from evidence.tables.html_table import anchor

GLOSSARY = "glossary"
"""The page with all terms."""
OUTCOME_KINDS = ("benefit", "harm")
"""The outcomes that a reader of the results may want to look up."""
UNLINKED = {
    "a", "button", "caption", "code", "h1", "h2", "h3", "label", "option", "pre", "script", "select",
    "style", "summary", "th",
}  # fmt: skip
"""Elements whose text is a name, a control or data rather than prose."""
SECONDARY = {"details", "table"}
"""Elements in which a term is linked only if the rest of the page does not use it."""
LAST_PARTS = {"references", "addresses"}
"""Classes of the lists at the end of a page, which are not prose either."""


@dataclass(frozen=True)
class Term:
    """A term with its other spellings, its definition and the BibTeX key of a source, if any."""

    name: str
    variants: tuple[str, ...]
    definition: str
    source: str = ""

    @property
    def anchor(self) -> str:
        """The fragment of the term on the page of the glossary."""
        return anchor("term", self.name)


@cache
def _terms_of_the_field() -> tuple[Term, ...]:
    lines = files("evidence.report").joinpath("glossary.csv").read_text("utf-8").splitlines()
    return tuple(
        Term(
            row["term"],
            tuple(filter(None, row["variants"].split("; "))),
            row["definition"],
            row["source"],
        )
        for row in csv.DictReader(lines)
    )


def read_terms(dataset: Dataset) -> list[Term]:
    """Return the terms that pages link, in alphabetical order; the topic's definitions come first."""
    shown_first = dataset.outcomes[dataset.outcomes["display_order"].notna()]
    terms = {term.name: term for term in (*_terms_of_the_field(), *_outcome_terms(shown_first))}
    return sorted(terms.values(), key=lambda term: term.name.casefold())


def _outcome_terms(outcomes) -> list[Term]:
    return [
        Term(row.outcome, (), f"{capitalise(row.description).rstrip('.')}.")
        for row in outcomes.itertuples()
        if row.description
    ]


def render_glossary(
    dataset: Dataset, pages: Sequence[Page], *, audited: str, set_name: str = ""
) -> str:
    """Make the page of the glossary; for `audited` and `set_name` see `render_notebook`."""
    terms = read_terms(dataset)
    listed = {term.name for term in terms}
    outcomes = dataset.outcomes[dataset.outcomes["kind"].isin(OUTCOME_KINDS)]
    others = [term for term in _outcome_terms(outcomes) if term.name not in listed]
    references = {
        term.source: work for term in terms if (work := method_reference(dataset, term.source))
    }
    return render(
        "glossary.html",
        headings=Headings(),
        title="Glossary",
        current=GLOSSARY,
        pages=pages,
        set_name=set_name,
        audited=as_markup(audited),
        terms=terms,
        outcomes=sorted(others, key=lambda term: term.name.casefold()),
        references=references,
    )


def annotate(html: str, terms: Iterable[Term]) -> str:
    """Link the first use of each term in the prose of a page, and number the footnotes for print.

    Everything else of the page stays as it is, character by character.
    """
    remaining = list(terms)
    for skipped in (UNLINKED | SECONDARY, UNLINKED):
        annotator = _Annotator(remaining, skipped)
        annotator.feed(html)
        annotator.close()
        html = annotator.html()
        remaining = [term for term in remaining if term.name not in annotator.linked]
    return html


def _pattern_of(names: Iterable[str]) -> re.Pattern:
    """Return what finds whole names, longer ones first; a sentence may begin with a lowercase one."""
    spellings = []
    for name in sorted(names, key=len, reverse=True):
        first, *others = (re.escape(word) for word in name.split())
        if name[0].islower():
            first = f"[{name[0].upper()}{name[0]}]{first[1:]}"
        spellings.append(r"\s+".join([first, *others]))
    return re.compile(rf"(?<![\w–-])(?P<name>{'|'.join(spellings) or '(?!)'})s?(?![\w–-])")


class _Annotator(HTMLParser):
    """Copy a page and link terms; `_numbers` are the places in `_parts` where a number may be noted.

    `_depth` counts the open elements in which nothing is linked.
    """

    def __init__(self, terms: Iterable[Term], skipped: Collection[str]) -> None:
        super().__init__(convert_charrefs=False)
        self._terms = {name: term for term in terms for name in (term.name, *term.variants)}
        self._pattern = _pattern_of(self._terms)
        self.linked: set[str] = set()
        self._skipped = skipped
        self._parts: list[str] = []
        self._numbers: list[tuple[int, str]] = []
        self._notes: dict[str, str] = {}
        self._note = ""
        self._is_prose = False
        self._depth = 0

    def html(self) -> str:
        """Return the page, in which each number with a footnote of the text has its number."""
        for position, target in self._numbers:
            if note := self._notes.get(target):
                self._parts[position] = f'<a data-note="{note}"{self._parts[position][2:]}'
        return "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        classes = set((values.get("class") or "").split())
        if tag == "main":
            self._is_prose = True
        elif classes & LAST_PARTS:
            self._is_prose = False
        elif tag in self._skipped:
            self._depth += 1
        self._note_footnote(tag, values, classes)
        self._copy_tag()

    def _note_footnote(
        self, tag: str, values: Mapping[str, str | None], classes: Iterable[str]
    ) -> None:
        if tag == "li":
            self._note = values.get("data-note") or ""
        elif tag == "a" and self._note:
            self._notes.setdefault(values.get("id") or "", self._note)
        elif tag == "a" and "number" in classes and "data-note" not in values:
            target = (values.get("href") or "").partition("#")[2]
            self._numbers.append((len(self._parts), target))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._copy_tag()

    def _copy_tag(self) -> None:
        self._parts.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "main":
            self._is_prose = False
        if tag in self._skipped:
            self._depth -= 1
        if tag == "ol":
            self._note = ""
        self._parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._is_prose and not self._depth:
            data = self._pattern.sub(self._link, data)
        self._parts.append(data)

    def _link(self, match: re.Match) -> str:
        name = " ".join(match["name"].split())
        term = self._terms.get(name) or self._terms[name[0].lower() + name[1:]]
        if term.name in self.linked:
            return match[0]
        self.linked.add(term.name)
        return (
            f'<a class="term" href="{GLOSSARY}.html#{term.anchor}" data-term="{escape(term.name)}" '
            f'data-definition="{escape(term.definition)}">{match[0]}</a>'
        )

    def handle_entityref(self, name: str) -> None:
        self._parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._parts.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self._parts.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self._parts.append(f"<!{decl}>")
