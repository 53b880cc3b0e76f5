"""Trace a number back to its source: what `evidence why` prints."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from evidence.analysis.claims.claim_audit import claim_verdicts
from evidence.analysis.gaps.unknowns import find_unknowns
from evidence.analysis.narrative.unknowns import unknown_sentence
from evidence.analysis.printed_numbers import possible_numbers
from evidence.analysis.results import select_results, spell_as
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError, did_you_mean
from evidence.figures.layout import Layout
from evidence.provenance.methods import METHODS, method_reference, sources_and_methods
from evidence.provenance.rows import SourceRow, describe_rows, row_ranges
from evidence.provenance.sentence import count, join_words
from evidence.provenance.values import ValueStore, read_build_files, read_figure_records
from evidence.tables.text_table import Part, render_parts, text_table

T = TypeVar("T")
MAX_NAMES_LISTED = 20
MAX_VALUES_TRACED = 5
MAX_ROWS_LISTED = 30
"""A number that rests on more rows is shown with ranges of lines instead of each row."""


@dataclass(frozen=True)
class Trace:
    """Where something comes from.

    Attributes
    ----------
    value : str
        The number, or for a claim, unknown, study or row its content.
    shown_in : str
        The page with the figure, table or text that shows it.
    computed_by : str
        The method, with the source of its formula.
    rows : tuple of SourceRow
        The rows of the tables that it rests on.
    """

    name: str
    value: str
    shown_in: str
    computed_by: str
    rows: tuple[SourceRow, ...]

    def as_text(self, dataset: Dataset) -> str:
        """Format the trace for a terminal of 80 columns, with the reference of each source."""
        return render_parts(self.parts(dataset))

    def parts(self, dataset: Dataset) -> Iterator[Part]:
        """Yield the name, how the value came about, the rows, and the sources that were read."""
        yield self.name
        facts = {
            "value": "" if self.value in [row.description for row in self.rows] else self.value,
            "shown in": self.shown_in,
            "computed by": self.computed_by,
        }
        if len(self.rows) > MAX_ROWS_LISTED:
            ranges = ", ".join(row_ranges(row.address for row in self.rows))
            facts["source rows"] = f"{len(self.rows)}: {ranges}"
        if any(facts.values()):
            yield text_table(("", ""), ((f"  {k}", text) for k, text in facts.items() if text))
        if not 0 < len(self.rows) <= MAX_ROWS_LISTED:
            return
        numbers = {key: f"[{number}]" for number, key in enumerate(self._sources(), start=1)}
        rows = (
            (row.address, _row_text(row), _place(row, [numbers[key] for key in row.sources]))
            for row in self.rows
        )
        yield text_table(("Row", "What it says", "Read in"), rows)
        if numbers:
            yield text_table(("", ""), self._references(dataset, numbers))

    def _sources(self) -> list[str]:
        return list(dict.fromkeys(key for row in self.rows for key in row.sources))

    def _references(
        self, dataset: Dataset, numbers: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        """Yield each source with its number, and who read it when and where."""
        for key, number in numbers.items():
            yield number, format_vancouver(dataset.bibliography[key])
            readings = dict.fromkeys(
                f"{row.reading}: {row.url}"
                for row in self.rows
                if key in row.sources and row.reading
            )
            yield from (("", reading) for reading in readings)

    def as_data(self, dataset: Dataset) -> dict:
        """Return the trace as plain data, each source with its reference, DOI and link."""
        data = asdict(self)
        for row in data["rows"]:
            sources = [dataset.bibliography[key] for key in row["sources"]]
            row["sources"] = [
                {
                    "key": source.key,
                    "reference": format_vancouver(source),
                    "doi": source.doi,
                    "link": source.link,
                }
                for source in sources
            ]
        return data


def _row_text(row: SourceRow) -> str:
    return f"{row.description}: “{row.as_printed}”" if row.as_printed else row.description


def _place(row: SourceRow, sources: Iterable[str]) -> str:
    place = " ".join(filter(None, [*sources, row.locator]))
    return f"{place}\nnot confirmed: {row.unconfirmed}" if row.unconfirmed else place


def trace_parts(dataset: Dataset, traces: Iterable[Trace]) -> Iterator[Part]:
    """Yield the parts of several traces for the terminal, with blank lines between them."""
    for number, trace in enumerate(traces):
        yield from ("",) if number else ()
        yield from trace.parts(dataset)


def trace_number(dataset: Dataset, reports: Path, query: str) -> list[Trace]:
    """Trace whatever a query names.

    Raise `EvidenceError` if the query names nothing or too many things, or the reports are missing
    or out of date. The query is a claim or unknown by its number, a study or source by its label or
    key, an address (file:line), the id of a figure or table, a number as the sources or pages print
    it, or the name of a value or an unambiguous part of it. Only numbers, figures and tables need
    the finished reports. There is one trace per mark of a figure or row of a table.
    """
    for trace in (_trace_claim, _trace_unknown, _trace_source, _trace_address):
        if traces := trace(dataset, query):
            return traces
    printed = _trace_printed_number(dataset, query)
    try:
        entries, figures = _read_reports(dataset, reports)
    except EvidenceError:
        if printed:
            return printed
        raise
    if printed:
        return [*printed, *_trace_same_text(dataset, entries, figures, query)]
    if marks := _marks(entries, query):
        return [_trace_mark(dataset, name, mark, figures) for name, mark in marks.items()]
    names = _find_names(dataset, entries, figures, query)
    return [_trace_value(dataset, name, entries[name], figures) for name in names]


def trace_figure_marks(dataset: Dataset, page: str, layout: Layout) -> dict[str, Trace]:
    """Trace each mark of a figure that no finished report has, by the name of the mark."""
    store = ValueStore()
    store.add_frame(layout.id, layout.frame, layout.methods)
    # Sorted like the values of a finished report, so that the texts are the same.
    entries = {f"{page}/{name}": entry for name, entry in sorted(store.values.items())}
    figures = {layout.id: {"title": layout.title}}
    prefix = f"{page}/{layout.id}:"
    return {
        name.removeprefix(prefix): _trace_mark(dataset, name, mark, figures)
        for name, mark in _marks(entries, layout.id).items()
    }


def _trace(
    dataset: Dataset,
    name: str,
    value: str,
    addresses: Iterable[str],
    *,
    shown_in: str = "",
    computed_by: str = "",
) -> Trace:
    return Trace(name, value, shown_in, computed_by, tuple(describe_rows(dataset, addresses)))


def _trace_claim(dataset: Dataset, query: str) -> list[Trace]:
    claim = _by_name({name: name for name in dataset.guide_claims["claim"]}, query)
    if not claim:
        return []
    claims = claim_verdicts(dataset, select_results(dataset))
    row = next(claims[claims["claim"] == claim].itertuples())
    value = f"{row.statement} — verdict of the curators: {row.verdict} ({row.reason})"
    shown_in = "table tab-claims, figure fig-claims"
    traces = [_trace(dataset, f"claim {claim}", value, [row.address], shown_in=shown_in)]
    if row.computed_verdict:
        verdict = f"{row.computed_verdict}{', overruled by the curators' if row.overruled else ''}"
        method = f"{METHODS['verdict'].description}: {row.computed_reason}"
        rows = row.compared_rows.split()
        traces.append(_trace(dataset, "computed verdict", verdict, rows, computed_by=method))
    return traces


def _trace_unknown(dataset: Dataset, name: str) -> list[Trace]:
    """Trace an unknown to its evidence, to the studies that were not read, and to the searches."""
    unknowns = {entry.name: entry for entry in find_unknowns(dataset)}
    unknown = _by_name(unknowns, name)
    if unknown is None:
        return []
    value = " ".join(filter(None, [str(unknown_sentence(unknown)), unknown.why_open]))
    coverage, shown_in = unknown.coverage, "table tab-unknowns"
    readings = {
        source: list(rows["address"]) for source, rows in unknown.readings.groupby("source")
    }
    parts = {
        "evidence": list(unknown.evidence["address"]),
        **{
            part: [
                address
                for study in studies.itertuples()
                for address in (study.address, *readings.get(study.known_study, ()))
            ]
            for part, studies in (
                ("not read in full", coverage.unread), ("not reported", coverage.not_reported),
            )
        },
        "searches": list(coverage.searches["address"]),
    }  # fmt: skip
    return [
        _trace(
            dataset, f"unknown {unknown.name}", value, unknown.address.split(), shown_in=shown_in
        ),
        *(_trace(dataset, part, "", addresses) for part, addresses in parts.items() if addresses),
    ]


def _trace_source(dataset: Dataset, query: str) -> list[Trace]:
    """Trace a study or another source to its design, its results, and what was read of it."""
    references = sources_and_methods(dataset)
    labels = {key: dataset.label(key) for key in (*dataset.designs["study"], *dataset.bibliography)}
    labels |= {key: references[key].label for key in references if key not in labels}
    key = _by_name({labels[key]: key for key in reversed(labels)}, query)
    key = key or _by_name({key: key for key in labels}, query)
    if not key:
        return []
    value = format_vancouver(references[key]) if key in references else ""
    tables = {
        "results": dataset.reported_results[dataset.reported_results["study"] == key],
        "read": dataset.readings[dataset.readings["source"] == key],
    }
    designs = dataset.designs.loc[dataset.designs["study"] == key, "address"]
    return [
        _trace(dataset, f"{labels[key]} ({key})", value, designs),
        *(_trace(dataset, part, "", rows["address"]) for part, rows in tables.items() if len(rows)),
    ]


def _trace_printed_number(dataset: Dataset, query: str) -> list[Trace]:
    """Trace a number such as 71% to the results and claims that print it."""
    if not re.fullmatch(r"[-−]?[\d.,]+ ?%?", query):
        return []
    parts = {}
    for part, frame, column in (
        ("results", dataset.reported_results, "as_printed"), ("claims", dataset.guide_claims, "statement"),
    ):  # fmt: skip
        parts[part] = frame[[_prints(text, query) for text in frame[column]]]
    studies = parts["results"]["study"].unique()
    if not sum(map(len, parts.values())):
        return []
    number = count(len(studies), "study")
    value = (
        f"printed for {number}: {join_words(map(dataset.label, studies))}" if number.value else ""
    )
    return [
        Trace(query, value, "", "", ()),
        *(_trace(dataset, part, "", rows["address"]) for part, rows in parts.items() if len(rows)),
    ]


def _trace_same_text(
    dataset: Dataset, entries: Mapping[str, dict], figures: Mapping[str, dict], text: str
) -> list[Trace]:
    """Trace the values that pages print as a text; once where method and rows are the same."""
    different = {
        (entry["method"], *entry["rows"]): name
        for name, entry in entries.items()
        if entry.get("text") == text
    }
    names = list(different.values())
    traces = [
        _trace_value(dataset, name, entries[name], figures) for name in names[:MAX_VALUES_TRACED]
    ]
    if others := len(names) - len(traces):
        number = count(others, "further value").text
        traces.append(Trace(number, f"printed as {text}; values.json lists all", "", "", ()))
    return traces


def _prints(text: str, query: str) -> bool:
    """Tell whether a text prints a number; as a percentage if that is asked for."""
    if query.endswith("%"):
        numbers = re.findall(r"([\d.,·]+) ?(?:%|per ?cent)", text)
        text = " ".join(numbers)
    return bool(possible_numbers(query) & possible_numbers(text))


def _by_name(entries: Mapping[str, T], query: str) -> T | None:
    """Return the entry of a name in whichever capitals."""
    (name,) = spell_as(entries, [query])
    return entries.get(name)


def _trace_address(dataset: Dataset, address: str) -> list[Trace]:
    try:
        (row,) = describe_rows(dataset, [address])
    except KeyError:
        return []
    return [Trace(address, row.description, "", "", (row,))]


def _trace_mark(
    dataset: Dataset, name: str, columns: Mapping[str, dict], figures: Mapping[str, dict]
) -> Trace:
    methods: dict[str, list[str]] = {}
    for column, entry in columns.items():
        methods.setdefault(_method(dataset, entry["method"]), []).append(column)
    return _trace(
        dataset,
        name,
        ", ".join(f"{column} {_rounded(entry['value'])}" for column, entry in columns.items()),
        [row for entry in columns.values() for row in entry["rows"]],
        shown_in=_shown_in(name, figures),
        computed_by="; ".join(f"{', '.join(names)}: {text}" for text, names in methods.items()),
    )


def _rounded(value: object) -> str:
    """Format a value with four digits, which show every difference that a chart does."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _trace_value(dataset: Dataset, name: str, entry: Mapping, figures: Mapping[str, dict]) -> Trace:
    value = str(entry["value"])
    if entry.get("text", value) != value:
        value += f" (printed {entry['text']})"
    shown_in, method = _shown_in(name, figures), _method(dataset, entry["method"])
    return _trace(dataset, name, value, entry["rows"], shown_in=shown_in, computed_by=method)


def _read_reports(dataset: Dataset, reports: Path) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the values and figures of reports that were built from the tables of today."""
    (entries,) = read_build_files(reports, "values.json")
    require_current(dataset, reports)
    return entries, read_figure_records(reports)


def require_current(dataset: Dataset, reports: Path) -> dict:
    """Return the manifest of finished reports, if they were built from the tables of today.

    Raise `EvidenceError` if there are no finished reports, or they are out of date.
    """
    (manifest,) = read_build_files(reports, "manifest.json")
    inputs = manifest["inputs"]
    changed = [name for name, checksum in dataset.checksums.items() if inputs.get(name) != checksum]
    if changed:
        raise EvidenceError(
            f"{reports}: out of date, because {', '.join(changed)} changed since. Rebuild the "
            "reports with: evidence report"
        )
    return manifest


def _marks(entries: Mapping[str, dict], figure: str) -> dict[str, dict[str, dict]]:
    """Group the values of a figure or table by mark or row, each by column."""
    marks: dict[str, dict[str, dict]] = {}
    for name, entry in entries.items():
        if name.partition("/")[2].startswith(f"{figure}:"):
            mark, _, column = name.rpartition(".")
            marks.setdefault(mark, {})[column] = entry
    return marks


def _find_names(
    dataset: Dataset, entries: Mapping[str, dict], figures: Mapping[str, dict], query: str
) -> list[str]:
    """Find values by exact name, printed text, or an unambiguous part of the name."""
    if query in entries:
        return [query]
    if reason := figures.get(query, {}).get("empty"):
        raise EvidenceError(f"{query}: this figure is empty. {reason}")
    if same := [name for name, entry in entries.items() if entry.get("text") == query]:
        return same
    matches = [name for name in entries if query in name]
    if len(matches) == 1:
        return matches
    if matches:
        listed = "\n".join(f"  {name}" for name in matches[:MAX_NAMES_LISTED])
        more = len(matches) - MAX_NAMES_LISTED
        end = f"\n  and {more} more" if more > 0 else ""
        raise EvidenceError(
            f"{query}: {len(matches)} values have this in their name:\n{listed}{end}"
        )
    labels = map(dataset.label, dataset.bibliography)
    raise EvidenceError(
        f"{query}: not a claim, unknown, study, address, figure or value."
        f"{did_you_mean(query, [*figures, *entries, *labels])} Figures: {', '.join(figures)}. "
        "values.json lists all values."
    )


def _shown_in(name: str, figures: Mapping[str, dict]) -> str:
    page, _, rest = name.partition("/")
    identity = rest.partition(":")[0]
    if identity in figures:
        return f"{page}.html, figure {identity} ({figures[identity]['title']})"
    if identity.startswith("tab-"):
        return f"{page}.html, table {identity}"
    return f"{page}.html, in the text"


def _method(dataset: Dataset, name: str) -> str:
    method = METHODS[name]
    work = method_reference(dataset, method.reference)
    return f"{method.description} ({format_vancouver(work)})" if work else method.description
