"""Footnotes to every number of a page: how it came about, from which rows, read where.

They need no script: each number is a link to its footnote, each footnote one back; they stand
folded at the end of the page, and on paper they are simply its end.
"""

from collections.abc import Iterable, Mapping
from html import escape
from string import Formatter

from evidence.dataset.citations import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import BIBLIOGRAPHY_FILE
from evidence.provenance.methods import METHODS
from evidence.provenance.rows import MAX_ROWS_DESCRIBED, describe_rows, row_ranges
from evidence.provenance.sentence import Sentence, count, join_words
from evidence.tables.html_table import anchor

MAX_STUDIES_NAMED = 24
"""Up to so many studies behind a number are named where their rows are too many to list."""


def sentence_html(sentence: Sentence, page: str = "") -> str:
    """A sentence as HTML, marked with its name, every number in it a link to its footnote.

    `page` is given where the footnotes stand on another page.
    """
    said = {
        name: _link(f"{sentence.name}.{name}", number.text, page)
        if number.value is not None
        else escape(number.text)
        for name, number in sentence.numbers.items()
    }
    html = Formatter().vformat(escape(sentence.template, quote=False), (), said)
    name = f"{page}/{sentence.name}" if page else sentence.name
    return f'<span data-text="{escape(name)}">{html}</span>'


def _link(name: str, text: str, page: str) -> str:
    there = anchor("why", name)
    if page:
        return f'<a class="number" href="{page}.html#{there}">{escape(text)}</a>'
    return f'<a class="number" id="{anchor("at", name)}" href="#{there}">{escape(text)}</a>'


def footnotes(dataset: Dataset, entries: Mapping[str, dict], titles: Mapping[str, str]) -> str:
    """The section of footnotes to the values of a page, and the rows that they rest on.

    Parameters
    ----------
    entries : mapping
        Values by name, as in `values.json`; those of one mark or table row share a footnote.
    titles : mapping of str to str
        What to call the figures and tables of the page, by id.
    """
    notes = _grouped(entries)
    if not notes:
        return ""
    few = [entry["rows"] for group in notes.values() for entry in group.values()]
    addresses = [row for rows in few if len(rows) <= MAX_ROWS_DESCRIBED for row in rows]
    shown: dict[str, str] = {}
    for key, group in notes.items():
        identity = key.partition(":")[0] if key.partition(":")[0] in titles else ""
        shown[identity] = shown.get(identity, "") + _note(dataset, key, group)
    parts = [
        _collapse(
            titles.get(name, "Numbers in the text"), "ol", anchor("numbers", name or "text"), items
        )
        for name, items in shown.items()
    ]
    methods = _methods(dataset, (entry["method"] for entry in entries.values()))
    parts.append(_collapse("How they were made", "ul", "methods", methods))
    rows = "".join(_row(dataset, row) for row in describe_rows(dataset, addresses))
    if rows:
        parts.append(_collapse("The rows behind them", "ul", "rows", rows))
    heading = "<h3 id='footnotes'>Where every number comes from</h3>"
    return f'<section class="addresses">{heading}{"".join(parts)}</section>'


def _collapse(words: str, kind: str, identity: str, items: str) -> str:
    """A list under a line that unfolds it; a link into it unfolds it too, and so does paper."""
    return (
        f"<details><summary>{escape(words)}</summary>"
        f'<{kind} class="footnotes" id="{identity}">{items}</{kind}></details>'
    )


def _grouped(entries: Mapping[str, dict]) -> dict[str, dict[str, dict]]:
    """Values by mark, table row or sentence number; sentences first."""
    groups: dict[str, dict[str, dict]] = {}
    for name, entry in entries.items():
        key, column = name.rpartition(".")[::2] if "text" not in entry else (name, "")
        groups.setdefault(key, {})[column] = entry
    is_frame = {key: "" not in group for key, group in groups.items()}
    return dict(sorted(groups.items(), key=lambda item: is_frame[item[0]]))


def _note(dataset: Dataset, key: str, group: Mapping[str, dict]) -> str:
    first = next(iter(group.values()))
    if "text" in first:
        said = f'<a href="#{anchor("at", key)}">{escape(first["text"])}</a> '
        said += _method(first["method"])
    else:
        by_method: dict[str, list[str]] = {}
        for column, entry in group.items():
            words = f"{column.replace('_', ' ')} {_short(entry['value'])}"
            by_method.setdefault(entry["method"], []).append(words)
        said = "; ".join(
            f"{escape(', '.join(words))} {_method(method)}" for method, words in by_method.items()
        )
    rows = list(dict.fromkeys(row for entry in group.values() for row in entry["rows"]))
    name = f"<code>{escape(key)}</code>"
    return f'<li id="{anchor("why", key)}">{name}: {said} — {_addresses(dataset, rows)}</li>'


def _short(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _method(name: str) -> str:
    return f'(<a href="#{anchor("method", name)}">{escape(name)}</a>)'


def _methods(dataset: Dataset, names: Iterable[str]) -> str:
    """What each method does, and whose formula it is."""
    items = ""
    for name in sorted(set(names)):
        method = METHODS[name]
        key = method.reference if method.reference in dataset.bibliography else ""
        link = f', <a href="#{anchor("ref", key)}">{escape(dataset.label(key))}</a>' if key else ""
        words = f"<strong>{escape(name)}</strong>: {escape(method.description)}{link}"
        items += f'<li id="{anchor("method", name)}">{words}</li>'
    return items


def _addresses(dataset: Dataset, rows: Iterable[str]) -> str:
    """A few rows as links; many as ranges of lines, with the names of their studies."""
    rows = list(rows)
    if not rows:
        return "no row of the tables"
    if len(rows) > MAX_ROWS_DESCRIBED:
        of = dataset.studies_at(rows)
        named = (
            join_words(dataset.label(study) for study in of)
            if 0 < len(of) <= MAX_STUDIES_NAMED
            else ""
        )
        whose = f" of {escape(named)}" if named else ""
        return f"{len(rows)} rows{whose}: {escape(', '.join(row_ranges(rows)))}"
    return ", ".join(f'<a href="#{anchor("row", row)}">{escape(row)}</a>' for row in rows)


def _row(dataset: Dataset, row) -> str:
    printed = f": “{escape(row.as_printed)}”" if row.as_printed else ""
    doubt = f" — not confirmed: {escape(row.unconfirmed)}" if row.unconfirmed else ""
    links = ", ".join(
        f'<a href="#{anchor("ref", key)}">{escape(dataset.label(key))}</a>' for key in row.sources
    )
    place = ", ".join(part for part in (links, escape(row.locator)) if part)
    return (
        f'<li id="{anchor("row", row.address)}"><code>{escape(row.address)}</code> '
        f"{escape(row.description)}{printed}{doubt}{f'; read in {place}' if place else ''}</li>"
    )


def sources_counted(dataset: Dataset, keys: Iterable[str]) -> Sentence:
    """How many texts are cited, as the heading of their list."""
    cited = [f"{BIBLIOGRAPHY_FILE}:{dataset.bibliography[key].line}" for key in dict.fromkeys(keys)]
    counted = count(len(cited), "source", rows=cited)
    return Sentence("sources.counted", "{sources} of these results", {"sources": counted})


def references(dataset: Dataset, keys: Iterable[str]) -> str:
    """The sources as a list that footnotes link to, sorted, each with its most lasting address."""
    cited = [dataset.bibliography[key] for key in dict.fromkeys(keys)]
    items = "".join(
        f'<li id="{anchor("ref", ref.key)}">{escape(format_vancouver(ref))}'
        + (f' <a href="{escape(ref.link)}">link</a>' if ref.link else "")
        + "</li>"
        for ref in sorted(cited, key=format_vancouver)
    )
    heading = sentence_html(sources_counted(dataset, keys))
    return f"<h3>{heading}</h3><ol class='references'>{items}</ol>"


def sources_of(dataset: Dataset, entries: Mapping[str, dict]) -> list[str]:
    """The keys of all texts, and of all formulas, that the footnotes to these values name."""
    rows = dict.fromkeys(row for entry in entries.values() for row in entry["rows"])
    keys = [key for row in describe_rows(dataset, rows) for key in row.sources]
    formulas = {METHODS[entry["method"]].reference for entry in entries.values()}
    return keys + sorted(key for key in formulas if key in dataset.bibliography)
