"""The way back from a number to the page of the paper: what `evidence why` prints.

Vocabulary
----------
A *chain* leads from a printed number over the figure, table or sentence that shows it and the
method that made it to its rows, and from each row to the text and place where it was read.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from evidence.analysis.claims import claim_audit as audited
from evidence.analysis.results import select_results
from evidence.dataset.citations import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError
from evidence.figures.layout import Layout
from evidence.provenance.methods import METHODS
from evidence.provenance.rows import MAX_ROWS_DESCRIBED, SourceRow, describe_rows, row_ranges
from evidence.provenance.values import ValueStore, read_build_files, read_figure_records


@dataclass(frozen=True)
class Trace:
    """Where one thing comes from: `says` what it is, `method` how it was made, `rows` from what."""

    name: str
    says: str
    shown: str
    method: str
    rows: tuple[SourceRow, ...]

    def as_text(self, dataset: Dataset) -> str:
        """Several lines for a terminal, the formatted references of the sources among them."""
        lines = [self.name]
        lines += [f"  is:    {self.says}"] if self.says else []
        lines += [f"  shown: {self.shown}"] if self.shown else []
        lines += [f"  made:  {self.method}"] if self.method else []
        if len(self.rows) > MAX_ROWS_DESCRIBED:
            said = ", ".join(row_ranges(row.address for row in self.rows))
            return "\n".join([*lines, f"  from:  {len(self.rows)} rows: {said}"])
        for row in self.rows:
            printed = f": “{row.as_printed}”" if row.as_printed else ""
            lines.append(f"  from:  {row.address}  {row.description}{printed}")
            lines += [f"         not confirmed: {row.unconfirmed}"] if row.unconfirmed else []
            place = f" ({row.locator})" if row.locator else ""
            lines += [
                f"         read in: {format_vancouver(dataset.bibliography[key])}{place}"
                for key in row.sources
            ]
        return "\n".join(lines)

    def as_data(self, dataset: Dataset) -> dict:
        """The same for machines; each source with its reference and link."""
        found = asdict(self)
        for row in found["rows"]:
            references = [dataset.bibliography[key] for key in row["sources"]]
            row["sources"] = [
                {
                    "key": ref.key,
                    "reference": format_vancouver(ref),
                    "doi": ref.doi,
                    "link": ref.link,
                }
                for ref in references
            ]
        return found


def trace_number(dataset: Dataset, reports: Path, asked: str) -> list[Trace]:
    """The chains of whatever is asked for.

    Parameters
    ----------
    reports : path
        The folder of a finished run; only numbers and figures need it.
    asked : str
        A claim or an open question by its number, a study by its key, an address (file:line), or
        from the reports the id of a figure or table, the name of a value, an unmistakable part of
        one, or the text of a number as printed.

    Raises
    ------
    EvidenceError
        Nothing of that name, too many, or no reports to look in.
    """
    for find in (_claim, _question, _study, _address):
        chains = find(dataset, asked)
        if chains:
            return chains
    entries, figures = _read(dataset, reports)
    marks = _marks(entries, asked)
    if marks:
        return [_mark(dataset, name, group, figures) for name, group in marks.items()]
    names = _names(entries, figures, asked)
    return [_value(dataset, name, entries[name], figures) for name in names]


def trace_figure_marks(dataset: Dataset, page: str, layout: Layout) -> dict[str, Trace]:
    """The chain of each mark of a figure that is on display and in no run, by the mark's name."""
    ledger = ValueStore()
    ledger.add_frame(layout.id, layout.frame, layout.methods)
    # In the order of the names, as a finished run keeps them.
    entries = {f"{page}/{name}": entry for name, entry in sorted(ledger.values.items())}
    figures = {layout.id: {"title": layout.title}}
    before = f"{page}/{layout.id}:"
    return {
        name.removeprefix(before): _mark(dataset, name, group, figures)
        for name, group in _marks(entries, layout.id).items()
    }


def _chain(dataset, name, says, addresses, *, shown="", method="") -> Trace:
    return Trace(name, says, shown, method, tuple(describe_rows(dataset, addresses)))


def _claim(dataset: Dataset, asked: str) -> list[Trace]:
    if asked not in set(dataset.claims["claim"]):
        return []
    claims = audited.claim_verdicts(dataset, select_results(dataset))
    row = next(claims[claims["claim"] == asked].itertuples())
    says = f"{row.statement} — verdict of the curators: {row.verdict} ({row.reason})"
    chain = _chain(dataset, f"claim {asked}", says, [row.address], shown="tab-claims, fig-claims")
    if not row.computed_verdict:
        return [chain]
    words = f"{METHODS['verdict'].description}: {row.computed_reason}"
    verdict = f"{row.computed_verdict}{', overruled by the curators' if row.overruled else ''}"
    return [
        chain,
        _chain(dataset, "  computed verdict", verdict, row.compared_rows.split(), method=words),
    ]


def _question(dataset: Dataset, asked: str) -> list[Trace]:
    rows = dataset.unknowns[dataset.unknowns["unknown"] == asked]
    return [
        _chain(dataset, f"open question {asked}", f"{row.question} {row.why_open}", [row.address])
        for row in rows.itertuples()
    ]


def _study(dataset: Dataset, asked: str) -> list[Trace]:
    results = dataset.results[dataset.results["study"] == asked]
    if results.empty:
        return []
    designs = dataset.designs[dataset.designs["study"] == asked]
    says = format_vancouver(dataset.bibliography[asked])
    chains = [_chain(dataset, f"study {asked}", says, designs["address"])]
    return chains + [_chain(dataset, "  result", "", [row]) for row in results["address"]]


def _address(dataset: Dataset, asked: str) -> list[Trace]:
    try:
        (row,) = describe_rows(dataset, [asked])
    except KeyError:
        return []
    return [Trace(asked, row.description, "", "", (row,))]


def _read(dataset: Dataset, reports: Path) -> tuple[dict[str, dict], dict[str, dict]]:
    """Values and figures of a finished run made from the tables as they are now."""
    entries, manifest = read_build_files(reports, "values.json", "manifest.json")
    changed = [name for name in dataset.checksums if manifest["inputs"].get(name) !=
               dataset.checksums[name]]  # fmt: skip
    if changed:
        raise EvidenceError(
            f"{reports}: was made before {', '.join(changed)} changed; renew it with: "
            "evidence report"
        )
    return entries, read_figure_records(reports)


def _marks(entries: dict[str, dict], asked: str) -> dict[str, dict[str, dict]]:
    """The numbers of a figure or table by its marks or rows."""
    found: dict[str, dict[str, dict]] = {}
    for name, entry in entries.items():
        if name.partition("/")[2].startswith(f"{asked}:"):
            mark, _, column = name.rpartition(".")
            found.setdefault(mark, {})[column] = entry
    return found


def _mark(dataset: Dataset, name: str, group: dict[str, dict], figures: dict[str, dict]) -> Trace:
    methods: dict[str, list[str]] = {}
    for column, entry in group.items():
        methods.setdefault(_words(dataset, entry["method"]), []).append(column)
    return _chain(
        dataset,
        name,
        ", ".join(f"{column} {entry['value']}" for column, entry in group.items()),
        [row for entry in group.values() for row in entry["rows"]],
        shown=_shown(name, figures),
        method="; ".join(f"{', '.join(columns)}: {words}" for words, columns in methods.items()),
    )


def _names(entries: dict[str, dict], figures: dict[str, dict], asked: str) -> list[str]:
    """The values meant: by exact name, printed text, or an unmistakable part of a name."""
    if asked in entries:
        return [asked]
    if figures.get(asked, {}).get("empty"):
        raise EvidenceError(f"{asked}: has nothing drawn: {figures[asked]['empty']}")
    printed = [name for name, entry in entries.items() if entry.get("text") == asked]
    if printed:
        return printed
    part = [name for name in entries if asked in name]
    if len(part) == 1:
        return part
    if part:
        shown = "\n".join(f"  {name}" for name in part[:20])
        more = f"\n  and {len(part) - 20} more" if len(part) > 20 else ""
        raise EvidenceError(f"{asked}: is part of {len(part)} names; give one:\n{shown}{more}")
    known = ", ".join(figures)
    raise EvidenceError(
        f"{asked}: is no claim, question, study, address or value; figures are {known}; values are "
        "named in values.json and at the end of each page"
    )


def _value(dataset: Dataset, name: str, entry: dict, figures: dict[str, dict]) -> Trace:
    says = str(entry["value"])
    if entry.get("text") and entry["text"] != says:
        says += f" (printed {entry['text']})"
    method = _words(dataset, entry["method"])
    return _chain(dataset, name, says, entry["rows"], shown=_shown(name, figures), method=method)


def _shown(name: str, figures: dict[str, dict]) -> str:
    page, _, rest = name.partition("/")
    identity = rest.partition(":")[0]
    if identity in figures:
        return f"{page}.html, figure {identity} ({figures[identity]['title']})"
    if identity.startswith("tab-"):
        return f"{page}.html, table {identity}"
    return f"{page}.html, in the text"


def _words(dataset: Dataset, name: str) -> str:
    method = METHODS[name]
    if method.reference not in dataset.bibliography:
        return method.description
    return f"{method.description} ({format_vancouver(dataset.bibliography[method.reference])})"
