"""Trace a number back to its source: what `evidence why` prints."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from evidence.analysis.claims.claim_audit import claim_verdicts
from evidence.analysis.gaps.unknowns import find_unknowns
from evidence.analysis.narrative.unknowns import unknown_sentence
from evidence.analysis.results import select_results
from evidence.dataset.citations import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError, did_you_mean
from evidence.figures.layout import Layout
from evidence.provenance.methods import METHODS
from evidence.provenance.rows import MAX_ROWS_DESCRIBED, SourceRow, describe_rows, row_ranges
from evidence.provenance.values import ValueStore, read_build_files, read_figure_records

MAX_NAMES_LISTED = 20
LABEL_WIDTH = 14


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
        """Format the trace for a terminal, with the reference of each source."""
        lines = [self.name]
        for label, text in (
            ("value", self.value),
            ("shown in", self.shown_in),
            ("computed by", self.computed_by),
        ):
            lines += [_line(label, text)] if text else []
        if len(self.rows) > MAX_ROWS_DESCRIBED:
            ranges = ", ".join(row_ranges(row.address for row in self.rows))
            return "\n".join([*lines, _line("source rows", f"{len(self.rows)}: {ranges}")])
        for row in self.rows:
            printed = f": “{row.as_printed}”" if row.as_printed else ""
            lines.append(_line("source row", f"{row.address}  {row.description}{printed}"))
            lines += [_line("", f"not confirmed: {row.unconfirmed}")] if row.unconfirmed else []
            locator = f" ({row.locator})" if row.locator else ""
            for key in row.sources:
                reference = format_vancouver(dataset.bibliography[key])
                lines.append(_line("", f"read in: {reference}{locator}"))
            if row.reading:
                lines.append(_line("", f"{row.reading}: {row.url}"))
        return "\n".join(lines)

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


def _line(label: str, text: str) -> str:
    return f"  {label:{LABEL_WIDTH}}{text}"


def trace_number(dataset: Dataset, reports: Path, query: str) -> list[Trace]:
    """Trace whatever a query names.

    Parameters
    ----------
    reports : path
        The folder of finished reports; only numbers, figures and tables need it.
    query : str
        A claim or unknown by its number, a study by its key, an address (file:line), the id of a
        figure or table, the name of a value or an unambiguous part of it, or a number as printed.

    Returns
    -------
    list of Trace
        For a figure or table one per mark or row.

    Raises
    ------
    EvidenceError
        If the query names nothing or too many things, or the reports are missing or out of date.
    """
    for trace in (_trace_claim, _trace_unknown, _trace_study, _trace_address):
        if traces := trace(dataset, query):
            return traces
    entries, figures = _read_reports(dataset, reports)
    if marks := _marks(entries, query):
        return [_trace_mark(dataset, name, mark, figures) for name, mark in marks.items()]
    names = _find_names(entries, figures, query)
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


def _trace_claim(dataset: Dataset, claim: str) -> list[Trace]:
    if claim not in set(dataset.claims["claim"]):
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
    unknown = next((entry for entry in find_unknowns(dataset) if entry.name == name), None)
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
        _trace(dataset, f"unknown {name}", value, unknown.address.split(), shown_in=shown_in),
        *(_trace(dataset, part, "", addresses) for part, addresses in parts.items() if addresses),
    ]


def _trace_study(dataset: Dataset, study: str) -> list[Trace]:
    results = dataset.results[dataset.results["study"] == study]
    if results.empty:
        return []
    designs = dataset.designs[dataset.designs["study"] == study]
    reference = format_vancouver(dataset.bibliography[study])
    trace = _trace(dataset, f"study {study}", reference, designs["address"])
    return [trace, *(_trace(dataset, "result", "", [row]) for row in results["address"])]


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
        ", ".join(f"{column} {entry['value']}" for column, entry in columns.items()),
        [row for entry in columns.values() for row in entry["rows"]],
        shown_in=_shown_in(name, figures),
        computed_by="; ".join(f"{', '.join(names)}: {text}" for text, names in methods.items()),
    )


def _trace_value(dataset: Dataset, name: str, entry: Mapping, figures: Mapping[str, dict]) -> Trace:
    value = str(entry["value"])
    if entry.get("text", value) != value:
        value += f" (printed {entry['text']})"
    shown_in, method = _shown_in(name, figures), _method(dataset, entry["method"])
    return _trace(dataset, name, value, entry["rows"], shown_in=shown_in, computed_by=method)


def _read_reports(dataset: Dataset, reports: Path) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the values and figures of reports that were built from the tables of today."""
    entries, manifest = read_build_files(reports, "values.json", "manifest.json")
    inputs = manifest["inputs"]
    changed = [name for name, checksum in dataset.checksums.items() if inputs.get(name) != checksum]
    if changed:
        raise EvidenceError(
            f"{reports}: out of date, because {', '.join(changed)} changed since. Rebuild the "
            "reports with: evidence report"
        )
    return entries, read_figure_records(reports)


def _marks(entries: Mapping[str, dict], figure: str) -> dict[str, dict[str, dict]]:
    """Group the values of a figure or table by mark or row, each by column."""
    marks: dict[str, dict[str, dict]] = {}
    for name, entry in entries.items():
        if name.partition("/")[2].startswith(f"{figure}:"):
            mark, _, column = name.rpartition(".")
            marks.setdefault(mark, {})[column] = entry
    return marks


def _find_names(entries: Mapping[str, dict], figures: Mapping[str, dict], query: str) -> list[str]:
    """Find values by exact name, printed text, or an unambiguous part of the name."""
    if query in entries:
        return [query]
    if reason := figures.get(query, {}).get("empty"):
        raise EvidenceError(f"{query}: this figure is empty. {reason}")
    if printed := [name for name, entry in entries.items() if entry.get("text") == query]:
        return printed
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
    raise EvidenceError(
        f"{query}: not a claim, unknown, study, address, figure or value."
        f"{did_you_mean(query, [*figures, *entries])} Figures: {', '.join(figures)}. "
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
    if method.reference not in dataset.bibliography:
        return method.description
    return f"{method.description} ({format_vancouver(dataset.bibliography[method.reference])})"
