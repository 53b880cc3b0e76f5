"""Sources and footnotes of a page: how each number was computed, and from which rows.

They work without a script: each number links to its footnote, and each footnote back to its number.
With one, a number opens its footnote in a panel beside it (`templates/panel.js`). Printed pages have
the footnotes to the numbers in their text.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from operator import itemgetter
from string import Formatter

from evidence.dataset.bibliography import Reference
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import BIBLIOGRAPHY_FILE, STUDIES
from evidence.provenance.methods import METHODS, formula_works, method_reference
from evidence.provenance.rows import (
    MAX_ROWS_DESCRIBED,
    SourceRow,
    describe_rows,
    row_ranges,
    sources_at,
)
from evidence.provenance.sentence import Sentence, count, join_words
from evidence.provenance.values import ValueStore
from evidence.report.html_pages import Headings, as_markup, render
from evidence.tables.html_table import anchor

MAX_STUDIES_NAMED = 24
"""If a number has too many rows to list, up to this many of its studies are named instead."""
QUANTITIES = {
    "ci": "CI",
    "k": "studies",
    "p_value": "p",
    "pi": "prediction interval",
    "rd": "risk difference",
    "rr": "risk ratio",
    "spread": "SD or SE",
}
"""What readers call a column of a plotted or tabulated frame, where its name is short."""
StudyPlaces = Mapping[str, tuple[int, str]]
"""For the address of each row that is about a study, its place among the rows, and the study."""
COLUMN = re.compile(r"(?P<quantity>\w+?)(?P<arm>[12]?)(?P<end>_low|_high)?")


def sentence_html(sentence: Sentence, page: str = "", footnotes: str = "") -> str:
    """Return a sentence as HTML in which every number links to its footnote.

    `page` is the page that the sentence belongs to, if it is shown on another one, and `footnotes`
    the page that has the footnotes, if it is another one.
    """
    fields = {
        key: escape(part)
        if isinstance(part, str)
        else _link(f"{sentence.name}.{key}", part.text, page, footnotes)
        for key, part in sentence.fields.items()
    }
    html = Formatter().vformat(escape(sentence.template, quote=False), (), fields)
    name = f"{page}/{sentence.name}" if page else sentence.name
    return f'<span data-text="{escape(name)}">{html}</span>'


def _link(name: str, text: str, page: str, footnotes: str) -> str:
    identity = "" if page else f' id="{anchor("at", name)}"'
    target = f"{footnotes}.html" if footnotes else ""
    return f'<a class="number"{identity} href="{target}#{anchor("why", name)}">{escape(text)}</a>'


@dataclass(frozen=True)
class Footnote:
    """How some numbers with the same rows were computed.

    `numbers` are those in the text, by name; a mark or a table row has a `key` and a `label`
    instead, and its numbers in `methods`. `methods` has the name of each method with the numbers
    that it gave. `rows` are to be linked; if they are too many, `summary` describes them instead.
    """

    methods: tuple[tuple[str, str], ...]
    rows: tuple[str, ...]
    summary: str
    numbers: tuple[tuple[str, str], ...] = ()
    key: str = ""
    label: str = ""


def sources_and_footnotes(
    dataset: Dataset,
    store: ValueStore,
    titles: Mapping[str, str],
    sources: Iterable[str] = (),
    headings: Headings | None = None,
    page: str = "",
    unshown: Collection[str] = (),
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
    page : str
        The page that has the numbers, if it is another one.
    unshown : collection of str
        The rows of tables that the page leaves out, as `id:name`; they have no footnote.
    """
    headings = headings or Headings()
    keys = {*sources, *_sources_behind(dataset, store)}
    source_count = add_source_count(dataset, store, keys)
    works = formula_works(dataset, {entry["method"] for entry in store.values.values()})
    return render(
        "footnotes.html",
        headings=headings,
        source_count=as_markup(sentence_html(source_count, page)),
        references=sorted(
            (
                (format_vancouver(source), source, dataset.label(source.key))
                for source in dataset.bibliography.select(keys)
            ),
            key=itemgetter(0),
        ),
        works=sorted(
            ((format_vancouver(work), work) for work in works.values()), key=itemgetter(0)
        ),
        page=page,
        sources_page="",
        **_footnotes(dataset, store, titles, unshown),
    )


def hidden_footnotes(dataset: Dataset, store: ValueStore, sources_page: str) -> str:
    """Return the footnotes of a page whose sources are on another one, for panels and for print."""
    return render(
        "hidden_footnotes.html",
        page="",
        sources_page=sources_page,
        **_footnotes(dataset, store, {}),
    )


def _footnotes(
    dataset: Dataset, store: ValueStore, titles: Mapping[str, str], unshown: Collection[str] = ()
) -> dict:
    """Return what the templates need to list the footnotes, their methods and their rows."""
    entries = {
        name: entry
        for name, entry in store.values.items()
        if name.rpartition(".")[0] not in unshown
    }
    rows_of_numbers = (entry["rows"] for entry in entries.values())
    addresses = [row for rows in rows_of_numbers if len(rows) <= MAX_ROWS_DESCRIBED for row in rows]
    rows = {row.address: row for row in describe_rows(dataset, addresses)}
    all_rows = dict.fromkeys(row for entry in entries.values() for row in entry["rows"])
    # Looked up once: the rows of a cumulative analysis are those of all footnotes before.
    studies = dataset.studies_at(list(all_rows))
    places = {row: (place, study) for place, (row, study) in enumerate(studies.items())}
    return {
        "text_notes": _text_notes(dataset, entries, places),
        "sections": _sections(dataset, entries, titles, rows, places),
        "methods": _methods(dataset, {entry["method"] for entry in entries.values()}),
        "rows": {
            address: {
                "row": row,
                "subject": dataset.label(row.study) if row.study else row.description,
                "sources": _labels(dataset, row.sources),
                "shown_in": _table_row(row),
            }
            for address, row in rows.items()
        },
    }


def add_source_count(
    dataset: Dataset, store: ValueStore, keys: Iterable[str] | None = None
) -> Sentence:
    """Count the sources of a page, by default those behind its numbers, and add it to these."""
    if keys is None:
        keys = _sources_behind(dataset, store)
    sentence = count_sources(dataset, sorted(keys))
    store.add(sentence)
    return sentence


def count_sources(dataset: Dataset, keys: Iterable[str]) -> Sentence:
    """Count the sources of a page, as a sentence above their list."""
    lines = [f"{BIBLIOGRAPHY_FILE}:{dataset.bibliography[key].line}" for key in keys]
    number = count(len(lines), "source", rows=lines)
    return Sentence("sources.counted", "{sources} of these results.", {"sources": number})


def _sources_behind(dataset: Dataset, store: ValueStore) -> Iterable[str]:
    """Return the keys of all sources in which the rows behind the numbers of a page were read."""
    addresses = dict.fromkeys(row for entry in store.values.values() for row in entry["rows"])
    return sources_at(dataset, addresses)


def _text_notes(
    dataset: Dataset, entries: Mapping[str, dict], places: StudyPlaces
) -> list[Footnote]:
    """Return the footnotes to the numbers in the text; equal ones are one."""
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    for name, entry in entries.items():
        if "text" in entry:
            key = (entry["method"], tuple(dict.fromkeys(entry["rows"])))
            groups.setdefault(key, []).append((name, entry["text"]))
    return [
        _footnote(dataset, rows, places, ((method, ""),), numbers=tuple(numbers))
        for (method, rows), numbers in groups.items()
    ]


def _sections(
    dataset: Dataset,
    entries: Mapping[str, dict],
    titles: Mapping[str, str],
    rows: Mapping[str, SourceRow],
    places: StudyPlaces,
) -> list[tuple[str, str, list[Footnote]]]:
    """Return title, id and footnotes of each figure and each table."""
    groups: dict[str, dict[str, dict]] = {}
    for name, entry in entries.items():
        if "text" not in entry:
            key, column = name.rpartition(".")[::2]
            groups.setdefault(key, {})[column] = entry
    sections: dict[str, list[Footnote]] = {}
    for key, columns in groups.items():
        identity, _, name = key.partition(":")
        label = mark_label(dataset, name, rows)
        sections.setdefault(identity, []).append(_mark_note(dataset, key, label, columns, places))
    return [(titles[name], anchor("numbers", name), notes) for name, notes in sections.items()]


def _mark_note(
    dataset: Dataset, key: str, label: str, columns: Mapping[str, dict], places: StudyPlaces
) -> Footnote:
    by_method: dict[str, list[str]] = {}
    for column, entry in columns.items():
        words = f"{quantity(column)} {_format(entry['value'])}"
        by_method.setdefault(entry["method"], []).append(words)
    rows = tuple(dict.fromkeys(row for entry in columns.values() for row in entry["rows"]))
    methods = tuple((method, ", ".join(words)) for method, words in by_method.items())
    return _footnote(dataset, rows, places, methods, key=key, label=label)


def _footnote(
    dataset: Dataset,
    rows: tuple[str, ...],
    places: StudyPlaces,
    methods: tuple[tuple[str, str], ...],
    **own,
) -> Footnote:
    summary = _summarise(dataset, rows, places)
    return Footnote(methods, () if summary else rows, summary, **own)


def mark_label(dataset: Dataset, name: str, rows: Mapping[str, SourceRow]) -> str:
    """Return the name of a mark or row in words; of a row that is an address, what it describes."""
    if (row := rows.get(f"data/{name}")) is not None:
        return row.description
    keys = dataset.bibliography
    return ", ".join(
        dataset.label(part) if part in keys else part for part in name.split("/") if part
    )


def quantity(column: str) -> str:
    """Return a column in words: `rr_low` is 'risk ratio, low', `n1` is 'n, arm 1'."""
    if column in QUANTITIES:
        return QUANTITIES[column]
    match = COLUMN.fullmatch(column)
    quantity, arm, end = match.group("quantity", "arm", "end") if match else (column, "", "")
    words = QUANTITIES.get(quantity, quantity.replace("_", " "))
    return words + (f" in arm {arm}" if arm else "") + (end or "").replace("_", " ")


def _table_row(row: SourceRow) -> str:
    """Return the id of the row of a table on the pages that shows this row, if one may."""
    if row.address.startswith(f"{STUDIES.file}:"):
        return anchor("tab-results", row.address.removeprefix("data/"))
    return anchor("tab-studies", row.study) if row.study else ""


def _format(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _summarise(dataset: Dataset, rows: tuple[str, ...], places: StudyPlaces) -> str:
    """Describe rows that are too many to link, with the names of their studies; else empty."""
    if len(rows) <= MAX_ROWS_DESCRIBED:
        return ""
    studies = dict.fromkeys(study for _, study in sorted(places[r] for r in rows if r in places))
    of_studies = ""
    if 0 < len(studies) <= MAX_STUDIES_NAMED:
        of_studies = f" of {join_words(map(dataset.label, studies))}"
    return f"{len(rows)} rows{of_studies}: {', '.join(row_ranges(rows))}"


def _methods(dataset: Dataset, names: Iterable[str]) -> dict[str, tuple[str, Reference | None]]:
    """Return the description of each method and the source of its formula."""
    return {
        name: (METHODS[name].description, method_reference(dataset, METHODS[name].reference))
        for name in sorted(names)
    }


def _labels(dataset: Dataset, keys: Iterable[str]) -> list[tuple[str, str]]:
    """Return the keys that the bibliography has, each with its short name."""
    return [(key, dataset.label(key)) for key in keys if key in dataset.bibliography]
