"""Sources and footnotes at the end of a page: how each number was computed, and from which rows.

They work without a script: each number links to its footnote, and each footnote back to its number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from operator import itemgetter
from string import Formatter

from evidence.dataset.citations import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.provenance.methods import METHODS
from evidence.provenance.rows import MAX_ROWS_DESCRIBED, describe_rows, row_ranges
from evidence.provenance.sentence import Sentence, count, join_words
from evidence.provenance.values import ValueStore
from evidence.report.html_pages import Headings, as_markup, render
from evidence.tables.html_table import anchor

MAX_STUDIES_NAMED = 24
"""If a number has too many rows to list, up to this many of its studies are named instead."""


def sentence_html(sentence: Sentence, page: str = "") -> str:
    """Return a sentence as HTML in which every number links to its footnote.

    Parameters
    ----------
    page : str
        The page that has the footnotes, if it is another one.
    """
    fields = {
        key: escape(part)
        if isinstance(part, str)
        else _link(f"{sentence.name}.{key}", part.text, page)
        for key, part in sentence.fields.items()
    }
    html = Formatter().vformat(escape(sentence.template, quote=False), (), fields)
    name = f"{page}/{sentence.name}" if page else sentence.name
    return f'<span data-text="{escape(name)}">{html}</span>'


def _link(name: str, text: str, page: str) -> str:
    footnote = anchor("why", name)
    if page:
        return f'<a class="number" href="{page}.html#{footnote}">{escape(text)}</a>'
    return f'<a class="number" id="{anchor("at", name)}" href="#{footnote}">{escape(text)}</a>'


@dataclass(frozen=True)
class Footnote:
    """The footnote to a number in a sentence (`text`), or to a mark or table row (`columns`).

    `rows` are the addresses to link to; if they are too many, `summary` describes them instead.
    """

    key: str
    text: str
    method: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[str, ...]
    summary: str


def sources_and_footnotes(
    dataset: Dataset,
    store: ValueStore,
    titles: Mapping[str, str],
    sources: Iterable[str] = (),
    headings: Headings | None = None,
) -> str:
    """Return the list of sources and the footnotes to all numbers of a page as HTML.

    Parameters
    ----------
    store : ValueStore
        The numbers of the page; the number of sources is added to them.
    titles : mapping of str to str
        The headings for the footnotes of figures and tables, by id.
    sources : iterable of str
        BibTeX keys to list beside those that the numbers rest on.
    headings : Headings
        Where the headings of this part are listed.
    """
    headings = headings or Headings()
    keys = {*sources, *_sources_behind(dataset, store.values)}
    source_count = count_sources(dataset, sorted(keys))
    store.add(source_count)
    rows_of_numbers = (entry["rows"] for entry in store.values.values())
    addresses = [row for rows in rows_of_numbers if len(rows) <= MAX_ROWS_DESCRIBED for row in rows]
    return render(
        "footnotes.html",
        headings=headings,
        sources_heading=headings.add(3, str(source_count), "sources").id,
        source_count=as_markup(sentence_html(source_count)),
        references=sorted(
            (
                (format_vancouver(source), source, dataset.label(source.key))
                for source in dataset.bibliography.select(keys)
            ),
            key=itemgetter(0),
        ),
        sections=_sections(dataset, store.values, titles),
        methods=_methods(dataset, {entry["method"] for entry in store.values.values()}),
        rows=[(row, _labels(dataset, row.sources)) for row in describe_rows(dataset, addresses)],
    )


def count_sources(dataset: Dataset, keys: Iterable[str]) -> Sentence:
    """Count the sources of a page, as a sentence that heads their list."""
    lines = [f"{BIBLIOGRAPHY_FILE}:{dataset.bibliography[key].line}" for key in keys]
    number = count(len(lines), "source", rows=lines)
    return Sentence("sources.counted", "{sources} of these results", {"sources": number})


def _sources_behind(dataset: Dataset, entries: Mapping[str, dict]) -> set[str]:
    """Return the keys of all sources and formulas that the footnotes to these values name."""
    addresses = dict.fromkeys(row for entry in entries.values() for row in entry["rows"])
    formulas = {METHODS[entry["method"]].reference for entry in entries.values()}
    keys = {key for row in describe_rows(dataset, addresses) for key in row.sources}
    return keys | {key for key in formulas if key in dataset.bibliography}


def _sections(
    dataset: Dataset, entries: Mapping[str, dict], titles: Mapping[str, str]
) -> list[tuple[str, str, list[Footnote]]]:
    """Return title, id and footnotes of each figure, each table and the text; the text first."""
    groups: dict[str, dict[str, dict]] = {}
    for name, entry in entries.items():
        key, column = (name, "") if "text" in entry else name.rpartition(".")[::2]
        groups.setdefault(key, {})[column] = entry
    sections: dict[str, list[Footnote]] = {"": []}
    for key, columns in groups.items():
        identity = key.partition(":")[0] if "" not in columns else ""
        section = identity if identity in titles else ""
        sections.setdefault(section, []).append(_footnote(dataset, key, columns))
    return [
        (titles.get(name, "Numbers in the text"), anchor("numbers", name or "text"), notes)
        for name, notes in sections.items()
        if notes
    ]


def _footnote(dataset: Dataset, key: str, columns: Mapping[str, dict]) -> Footnote:
    by_method: dict[str, list[str]] = {}
    for column, entry in columns.items():
        words = f"{column.replace('_', ' ')} {_format(entry['value'])}"
        by_method.setdefault(entry["method"], []).append(words)
    rows = tuple(dict.fromkeys(row for entry in columns.values() for row in entry["rows"]))
    summary = _summarise(dataset, rows)
    return Footnote(
        key,
        text=columns[""]["text"] if "" in columns else "",
        method=columns[""]["method"] if "" in columns else "",
        columns=()
        if "" in columns
        else tuple((", ".join(words), method) for method, words in by_method.items()),
        rows=() if summary else rows,
        summary=summary,
    )


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _summarise(dataset: Dataset, rows: tuple[str, ...]) -> str:
    """Describe rows that are too many to link, with the names of their studies; else empty."""
    if not rows:
        return "no row of the tables"
    if len(rows) <= MAX_ROWS_DESCRIBED:
        return ""
    studies = dataset.studies_at(list(rows))
    names = join_words(dataset.label(study) for study in studies)
    of_studies = f" of {names}" if 0 < len(studies) <= MAX_STUDIES_NAMED else ""
    return f"{len(rows)} rows{of_studies}: {', '.join(row_ranges(rows))}"


def _methods(
    dataset: Dataset, names: Iterable[str]
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return each method with its description and the source of its formula."""
    return [
        (name, METHODS[name].description, _labels(dataset, [METHODS[name].reference]))
        for name in sorted(names)
    ]


def _labels(dataset: Dataset, keys: Iterable[str]) -> list[tuple[str, str]]:
    """Return the keys that the bibliography has, each with its short name."""
    return [(key, dataset.label(key)) for key in keys if key in dataset.bibliography]
