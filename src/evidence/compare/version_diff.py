"""What changed between two versions of a project: rows, key numbers, claims and unknowns.

References: akl2024.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import pandas as pd

from evidence.analysis.claims import claim_audit
from evidence.analysis.eligible_evidence import (
    count_subjects,
    evidence_rows,
    study_sizes,
    subjects_number,
)
from evidence.analysis.gaps.unknowns import Unknown, answered_questions, find_unknowns
from evidence.analysis.results import select_results
from evidence.compare.key_numbers import KeyNumber, key_numbers
from evidence.dataset import schema
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.provenance.rows import cell_text, describe_rows
from evidence.provenance.sentence import count

MAX_CELLS_CORRECTED = 2
"""A removed and an added row of the same study, arm, outcome and measure count as one corrected row
if at most this many cells differ: otherwise a corrected time would look like two rows."""
SAME_RESULT = ("study", "arm", "outcome", "measure")
MAX_ROWS_NAMED = 4
CROSSED = "crossed a threshold"
"""The kind of change of a key number whose conclusion against a stated threshold changed."""


@dataclass(frozen=True)
class RowChange:
    """A row that was added, removed, corrected, or filled in (only blank cells changed).

    `before` and `after` are its addresses (file:line) in the two versions; `cells` holds the text
    before and after by column.
    """

    kind: str
    description: str
    study: str
    before: str = ""
    after: str = ""
    cells: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The table that the row belongs to."""
        return schema.table_file(self.after or self.before)


@dataclass(frozen=True)
class Change:
    """A change of a study, key number, claim or unknown.

    `before` and `after` are empty where a version does not have it.
    """

    kind: str
    name: str
    description: str
    before: str = ""
    after: str = ""
    reason: str = ""


@dataclass(frozen=True)
class VersionDiff:
    """Everything that changed from version `before` to version `after`.

    `methods` says how the versions were compared; `searches` when claims and unknowns were last
    searched for, in the later version.
    """

    before: str
    after: str
    methods: str
    studies: tuple[Change, ...] = ()
    rows: tuple[RowChange, ...] = ()
    numbers: tuple[Change, ...] = ()
    claims: tuple[Change, ...] = ()
    unknowns: tuple[Change, ...] = ()
    searches: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not any((self.studies, self.rows, self.numbers, self.claims, self.unknowns))


def diff_datasets(old: Dataset, new: Dataset, *, before: str, after: str) -> VersionDiff:
    """Compare the rows of two datasets and everything that is computed from them.

    `before` and `after` are the names of the two versions.
    """
    methods = f"Both versions are computed with evidence {version('evidence')}."
    searches = _searches(new)
    if old.checksums == new.checksums:
        return VersionDiff(before, after, methods, searches=searches)
    rows = diff_rows(old, new)
    return VersionDiff(
        before,
        after,
        methods,
        studies=tuple(_studies(old, new, rows)),
        rows=rows,
        numbers=tuple(_numbers(key_numbers(old), key_numbers(new), rows)),
        claims=tuple(_claims(old, new, rows)),
        unknowns=tuple(_unknowns(old, new, rows)),
        searches=searches,
    )


def diff_values(
    old: Mapping[str, dict], new: Mapping[str, dict], *, before: str, after: str
) -> VersionDiff:
    """Compare the numbers in the sentences of two `values.json`.

    Without the tables, a cause is known only if the method or the number of rows changed.
    """
    numbers = []
    for name in dict.fromkeys([*new, *old]):
        before_entry, after_entry = old.get(name, {}), new.get(name, {})
        texts = before_entry.get("text", ""), after_entry.get("text", "")
        if texts[0] != texts[1]:
            reason = "unknown: the tables are not compared"
            if all(texts) and before_entry["method"] != after_entry["method"]:
                reason = f"changed method ({before_entry['method']} → {after_entry['method']})"
            elif len(before_entry.get("rows", ())) != len(after_entry.get("rows", ())):
                reason = "different rows"
            numbers.append(Change("changed", name, "", *texts, reason))
    methods = "Only the values of finished reports are compared, not the tables behind them."
    return VersionDiff(before, after, methods, numbers=tuple(numbers))


def diff_rows(old: Dataset, new: Dataset) -> tuple[RowChange, ...]:
    """List all changed rows, table by table, in the order of the later version.

    Rows are matched by the key of their table.
    """
    return tuple(row for table in schema.TABLES for row in _rows(table, old, new))


def _rows(table: schema.Table, old: Dataset, new: Dataset) -> Iterator[RowChange]:
    old_rows, new_rows = _by_key(table, old), _by_key(table, new)
    removed = {key: row for key, row in old_rows.items() if key not in new_rows}
    for key, row in new_rows.items():
        earlier = old_rows.get(key) or _take_similar(table, removed, row)
        cells = _cells(table, earlier, row) if earlier else {}
        if not earlier:
            yield _row_change("added", new, row, after=row["address"])
        elif cells:
            kind = "corrected" if any(before for before, _ in cells.values()) else "filled in"
            yield _row_change(kind, new, row, earlier["address"], row["address"], cells)
    for row in removed.values():
        yield _row_change("removed", old, row, before=row["address"])


def _by_key(table: schema.Table, dataset: Dataset) -> dict[tuple[str, ...], dict]:
    return {
        tuple(cell_text(row[name]) for name in table.key): row
        for row in dataset.frame(table).to_dict("records")
    }


def _take_similar(table: schema.Table, removed: dict[tuple, dict], row: dict) -> dict | None:
    """Return the removed row that this one is a correction of, taken out of `removed`."""
    if table is not schema.STUDIES:
        return None
    for key, candidate in removed.items():
        is_same = all(candidate[name] == row[name] for name in SAME_RESULT)
        if is_same and len(_cells(table, candidate, row)) <= MAX_CELLS_CORRECTED:
            return removed.pop(key)
    return None


def _cells(table: schema.Table, old: dict, new: dict) -> dict[str, tuple[str, str]]:
    texts = {name: (cell_text(old[name]), cell_text(new[name])) for name in table.names}
    return {name: text for name, text in texts.items() if text[0] != text[1]}


def _row_change(kind: str, dataset: Dataset, row: dict, *args, **kwargs) -> RowChange:
    (source_row,) = describe_rows(dataset, [row["address"]])
    printed = f" “{source_row.as_printed}”" if source_row.as_printed else ""
    return RowChange(kind, source_row.description + printed, row.get("study", ""), *args, **kwargs)


def _studies(old: Dataset, new: Dataset, rows: tuple[RowChange, ...]) -> Iterator[Change]:
    old_studies, new_studies = (
        set(old.reported_results["study"]),
        set(new.reported_results["study"]),
    )
    files = (schema.STUDIES.file, schema.DESIGNS.file)
    touched = {row.study for row in rows if row.file in files and row.kind != "filled in"}
    for dataset, kind, studies in (
        (new, "added", new_studies - old_studies),
        (old, "removed", old_studies - new_studies),
        (new, "corrected", new_studies & old_studies & touched),
    ):
        for study in [
            name for name in dataset.reported_results["study"].unique() if name in studies
        ]:
            yield Change(kind, dataset.label(study), _describe_study(dataset, study))


def _describe_study(dataset: Dataset, study: str) -> str:
    results = dataset.reported_results[dataset.reported_results["study"] == study]
    design = "".join(dataset.designs.loc[dataset.designs["study"] == study, "design"])
    size = count_subjects(study_sizes(dataset), results)
    return (
        f"{design or 'design not stated'}, "
        f"{subjects_number(size.participants, size.animals)}, {count(len(results), 'result').text}. "
        f"{format_vancouver(dataset.bibliography[study])}"
    )


def _numbers(
    old: Mapping[str, KeyNumber], new: Mapping[str, KeyNumber], rows: tuple[RowChange, ...]
) -> Iterator[Change]:
    """Yield the key numbers whose value, and then those whose conclusion changed."""
    absent = KeyNumber("", "", "", "", ())
    pairs = {name: (old.get(name, absent), new.get(name, absent)) for name in {**new, **old}}
    reasons = {
        name: "; ".join(_causes({*before.rows}, {*after.rows}, rows)) or "no cause found"
        for name, (before, after) in pairs.items()
    }
    for name, (before, after) in pairs.items():
        if (before.value, before.text) != (after.value, after.text):
            description = after.description or before.description
            yield Change("changed", name, description, before.text, after.text, reasons[name])
    for name, (before, after) in pairs.items():
        conclusions = before.conclusion, after.conclusion
        if all(conclusions) and conclusions[0] != conclusions[1]:
            yield Change(CROSSED, name, after.description, *conclusions, reasons[name])


def _causes(before: set[str], after: set[str], rows: tuple[RowChange, ...]) -> Iterator[str]:
    """Yield why a number changed, given the rows that it rested on before and rests on after."""
    results = [row for row in rows if row.file == schema.STUDIES.file]
    behind = [row for row in results if row.after in after or row.before in before]
    causes = {
        "new data": [row for row in behind if row.kind == "added"],
        "withdrawn data": [row for row in behind if row.kind == "removed"],
        "corrected extraction": [row for row in behind if row.cells],
    }
    if not behind:
        others = [row for row in rows if row.file != schema.STUDIES.file]
        causes = {"changed judgement or description": others}
    for cause, changes in causes.items():
        if changes:
            yield f"{cause} ({_name_rows(row.after or row.before for row in changes)})"


def _name_rows(addresses: Iterable[str]) -> str:
    addresses = list(addresses)
    more = len(addresses) - MAX_ROWS_NAMED
    return ", ".join(addresses[:MAX_ROWS_NAMED]) + (f" and {more} more" if more > 0 else "")


def _claims(old: Dataset, new: Dataset, rows: tuple[RowChange, ...]) -> Iterator[Change]:
    before, after = _verdicts(old), _verdicts(new)
    absent: tuple[str, str, frozenset[str]] = ("", "", frozenset())
    for claim in dict.fromkeys([*after, *before]):
        old_label, old_verdict, old_rows = before.get(claim, absent)
        new_label, new_verdict, _ = after.get(claim, absent)
        if old_verdict != new_verdict:
            removed = [row for row in rows if row.kind == "removed" and row.before in old_rows]
            reason = _removed_evidence(removed) if removed else ""
            label = new_label or old_label
            yield Change("changed", claim, label, old_verdict, new_verdict, reason)


def _verdicts(dataset: Dataset) -> dict[str, tuple[str, str, frozenset[str]]]:
    """Return the label, the verdict and the rows compared of each claim.

    The computed verdict is named where it differs.
    """
    verdicts = {}
    for row in claim_audit.claim_verdicts(dataset, dataset.reported_results).itertuples():
        differs = row.computed_verdict not in ("", row.verdict)
        verdict = f"{row.verdict} (computed: {row.computed_verdict})" if differs else row.verdict
        verdicts[row.claim] = (row.label, verdict, frozenset(row.compared_rows.split()))
    return verdicts


def _unknowns(old: Dataset, new: Dataset, rows: tuple[RowChange, ...]) -> Iterator[Change]:
    before, after = (
        {unknown.name: unknown for unknown in find_unknowns(dataset)} for dataset in (old, new)
    )
    lost = _lost_evidence(old, new, rows)
    for name, later in after.items():
        earlier = before.get(name)
        removed = lost(earlier or later)
        if earlier is None:
            reasons = [*removed, "; ".join(later.codes.values()) or later.why_open]
            yield Change("opened", name, later.question, "", later.status, "; ".join(reasons))
        elif reasons := [*removed, *_reasons_moved(earlier, later)]:
            kind = _kind_of_move(earlier, later, is_removal=bool(removed))
            status = earlier.status, later.status
            yield Change(kind, name, later.question, *status, "; ".join(reasons))
    for name, earlier in before.items():
        if name not in after:
            kind, reason = _reason_closed(new, earlier)
            reason = "; ".join([*lost(earlier), reason])
            yield Change(kind, name, earlier.question, earlier.status, "", reason)


def _lost_evidence(
    old: Dataset, new: Dataset, rows: tuple[RowChange, ...]
) -> Callable[[Unknown], list[str]]:
    """Return a function that says which results on an unknown no longer count as evidence."""
    results = evidence_rows(select_results(old))
    counted = set(evidence_rows(select_results(new))["address"])
    lost = {row.before: row for row in rows if row.before and row.after not in counted}
    results = results[results["address"].isin(lost)]

    def removed_from(unknown: Unknown) -> list[str]:
        addresses = set(unknown.evidence["address"])
        if unknown.topic is not None and unknown.origin == "derived":
            addresses.update(unknown.topic.select(results)["address"])
        changes = [change for address, change in lost.items() if address in addresses]
        return [_removed_evidence(changes)] if changes else []

    return removed_from


def _removed_evidence(rows: Sequence[RowChange]) -> str:
    return f"evidence was removed ({_name_rows(row.before for row in rows)})"


def _forgotten(earlier: Unknown, later: Unknown) -> list[str]:
    """Return the unread studies that the later version does not know at all."""
    coverage = later.coverage
    known = pd.concat([coverage.tabulated, coverage.unread, coverage.not_reported])["known_study"]
    unread = earlier.coverage.unread
    return list(unread.loc[~unread["known_study"].isin(known), "label"])


def _kind_of_move(earlier: Unknown, later: Unknown, *, is_removal: bool) -> str:
    """Name a change of status; less evidence brings no unknown nearer to an answer."""
    order = schema.UNKNOWN_STATUSES.index
    if earlier.status == later.status:
        return f"still {later.status}"
    if order(later.status) < order(earlier.status):
        return "reopened"
    added, removed = (
        set(one.labels) - set(other.labels) for one, other in ((later, earlier), (earlier, later))
    )
    is_less = is_removal or removed or _forgotten(earlier, later)
    return "evidence removed" if is_less and not added else later.status


def _reason_closed(dataset: Dataset, unknown: Unknown) -> tuple[str, str]:
    """Say why a version has an unknown no more: what kind of change that is, and the reason."""
    claims, guide = dataset.guide_claims, dataset.guide
    if unknown.origin == "listed":
        return "withdrawn", "removed from unknowns.csv"
    if unknown.name in answered_questions(dataset):
        return "closed", "two or more trials measured it against each comparator"
    is_claimed = claims["claim"].isin(unknown.claims)
    if unknown.origin == "derived":
        if (is_claimed & (claims["outcome"] == unknown.outcome)).any():
            return "evidence removed", "the studies of its claims have no rows any more"
        return "withdrawn", "no claim mentions it"
    reference = unknown.name.partition("/")[2]
    if (guide["guide_ref"] == reference).any() or (claims["claim"] == reference).any():
        return "closed", "its source was identified"
    return "withdrawn", "its row was removed"


def _reasons_moved(earlier: Unknown, later: Unknown) -> list[str]:
    """Say which studies were added or removed, and which reasons for the unknown changed."""
    if (earlier.status, set(earlier.evidence["study"])) == (
        later.status,
        set(later.evidence["study"]),
    ):
        return []
    before, after = (list(unknown.evidence["label"].unique()) for unknown in (earlier, later))
    parts = [
        ("studies added: ", [label for label in after if label not in before]),
        ("studies removed: ", [label for label in before if label not in after]),
        ("known studies removed: ", _forgotten(earlier, later)),
        ("no longer: ", [text for code, text in earlier.codes.items() if code not in later.codes]),
        ("now: ", [text for code, text in later.codes.items() if code not in earlier.codes]),
        (
            "",
            [later.status_reason]
            if later.curated_status and later.curated_status != earlier.curated_status
            else [],
        ),
    ]
    reasons = [prefix + ", ".join(words) for prefix, words in parts if words]
    if (earlier.n, earlier.k) != (later.n, later.k):
        reasons.append(f"participants {earlier.n:,} → {later.n:,}, studies {earlier.k} → {later.k}")
    return reasons or ["changed judgement or description"]


def _searches(dataset: Dataset) -> str:
    """Say when claims and unknowns were last searched for, and when a review is due."""
    both = pd.concat([dataset.listed_unknowns, dataset.guide_claims])
    searched, due = (column[column != ""] for column in (both["last_searched"], both["review_due"]))
    if searched.empty:
        return "No search dates are recorded for claims and unknowns."
    sentence = f"Claims and unknowns were last searched for from {searched.min()} to"
    sentence += f" {searched.max()}"
    return f"{sentence}; the first review is due on {due.min()}." if len(due) else f"{sentence}."
