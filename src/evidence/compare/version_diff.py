"""Rows of the tables that came, went or were corrected between two versions of a project.

Vocabulary
----------
A row is the same in two versions if it has the same key; then its changed cells are a
*correction*, or *filled in* if all of them were blank.

What changed between two versions of a project, and what each change does to the numbers.

Vocabulary
----------
Rows as in `row_changes`. A *cause* of a changed number is told by its rows: new data (rows that
came), withdrawn data (rows that went), corrected extraction (rows with changed cells), changed
judgement (appraisals, thresholds, descriptions of studies), changed method (the same tables give
another number with the other version's code). A conclusion *crossed* where what a number concludes
against stated thresholds is not what it was.

References
----------
akl2024.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from evidence.analysis.claims import claim_audit
from evidence.analysis.eligible_evidence import (
    count_studies_and_participants,
    participants_by_study,
)
from evidence.analysis.gaps.unknowns import Unknown, find_unknowns
from evidence.compare.key_numbers import KeyNumber
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import UNKNOWN_STATUSES
from evidence.provenance.rows import cell_text, rows_at

SIMILARITY = 2
"""A row that went and one that came in the same study, arm and outcome are one corrected row if no
more of their cells than this differ."""
CHANGED = ("corrected", "filled in")


@dataclass(frozen=True)
class Cell:
    """One changed cell, as text."""

    column: str
    before: str
    after: str


@dataclass(frozen=True)
class RowChange:
    """A row that was added, removed, corrected or filled in (only blank cells changed).

    Addresses are each version's own.
    """

    kind: str
    says: str
    study: str
    before: str = ""
    after: str = ""
    cells: tuple[Cell, ...] = ()

    @property
    def table(self) -> str:
        """The file that it is a row of."""
        return (self.after or self.before).rpartition(":")[0]


def diff_rows(old: Dataset, new: Dataset) -> tuple[RowChange, ...]:
    """Every changed row, table by table, in the order of the later version."""
    return tuple(row for table in schema.TABLES for row in _rows(table, old, new))


def _rows(table: schema.Table, old: Dataset, new: Dataset) -> Iterator[RowChange]:
    """Rows of one table that came, went or were corrected, in the order of the later version."""
    then, now = _by_key(table, old), _by_key(table, new)
    gone = {key: row for key, row in then.items() if key not in now}
    for key, row in now.items():
        earlier = then.get(key)
        if earlier is None:
            match = next((k for k, other in gone.items() if _alike(table, other, row)), None)
            earlier = gone.pop(match) if match is not None else None
        cells = _differences(table, earlier, row) if earlier is not None else ()
        if earlier is None:
            yield _change("added", new, after=row)
        elif cells:
            blank = not any(cell.before for cell in cells)
            kind = "filled in" if blank else "corrected"
            yield _change(kind, new, before=earlier, after=row, cells=cells)
    for row in gone.values():
        yield _change("removed", old, before=row)


def _by_key(table: schema.Table, dataset: Dataset) -> dict[tuple[str, ...], dict]:
    return {
        tuple(cell_text(row[name]) for name in table.key): row
        for row in dataset.frame(table).to_dict("records")
    }


def _differences(table: schema.Table, one: dict, two: dict) -> tuple[Cell, ...]:
    texts = [(name, cell_text(one[name]), cell_text(two[name])) for name in table.names]
    return tuple(Cell(name, old, new) for name, old, new in texts if old != new)


def _alike(table: schema.Table, one: dict, two: dict) -> bool:
    """Whether a row that went and one that came are the same result, corrected in its key."""
    same = ("study", "arm", "outcome", "measure")
    return (
        table is schema.STUDIES
        and all(one[name] == two[name] for name in same)
        and len(_differences(table, one, two)) <= SIMILARITY
    )


def _change(kind: str, dataset: Dataset, *, before=None, after=None, cells=()) -> RowChange:
    row = after or before
    (said,) = rows_at(dataset, [row["address"]])
    places = {
        name: given["address"] for name, given in (("before", before), ("after", after)) if given
    }
    printed = f" “{said.as_printed}”" if said.as_printed else ""
    return RowChange(kind, said.says + printed, row.get("study", ""), cells=cells, **places)


@dataclass(frozen=True)
class StudyChange:
    """A study that came, went, or was corrected; `results` counts its rows in the later version."""

    kind: str
    study: str
    label: str
    design: str
    people: int
    results: int
    reference: str


@dataclass(frozen=True)
class NumberChange:
    """A headline before and after with its causes; one of the two is empty if it is new or gone."""

    name: str
    says: str
    before: str
    after: str
    causes: tuple[str, ...]
    concluded: str = ""
    concludes: str = ""

    @property
    def crossed(self) -> bool:
        """Whether it concludes something else than it did, against the stated thresholds."""
        both = bool(self.concluded and self.concludes)
        return both and self.concluded != self.concludes


@dataclass(frozen=True)
class UnknownChange:
    """An unknown that was opened, closed, narrowed, settled or opened again, and why."""

    kind: str
    name: str
    question: str
    why: str


@dataclass(frozen=True)
class ClaimChange:
    """A claim of the guide whose verdict is not what it was."""

    claim: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class VersionDiff:
    """Everything that changed from `before` to `after` (names of the two versions).

    `methods` says what is known of the methods; `looked` when questions and claims were last looked
    at in the later version.
    """

    before: str
    after: str
    methods: str
    studies: tuple[StudyChange, ...] = ()
    rows: tuple[RowChange, ...] = ()
    numbers: tuple[NumberChange, ...] = ()
    claims: tuple[ClaimChange, ...] = ()
    unknowns: tuple[UnknownChange, ...] = ()
    looked: str = ""

    @property
    def none(self) -> bool:
        """Whether nothing changed at all."""
        parts = (self.studies, self.rows, self.numbers, self.claims, self.unknowns)
        return not any(parts)


@dataclass(frozen=True)
class Numbers:
    """Headlines of the earlier tables and of the later ones.

    `old` of the earlier tables by the earlier code (None if that code cannot tell them), `same` of
    the earlier tables by the later code, `new` of the later tables by the later code.
    """

    old: Mapping[str, KeyNumber] | None
    same: Mapping[str, KeyNumber]
    new: Mapping[str, KeyNumber]


def diff_datasets(
    old: Dataset,
    new: Dataset,
    numbers: Numbers,
    *,
    before: str,
    after: str,
    methods: str,
) -> VersionDiff:
    """What changed from one dataset to the other, and in the headlines computed from them."""
    looked = _looked(new)
    if old.checksums == new.checksums:
        found = tuple(_numbers(numbers, ()))
        return VersionDiff(before, after, methods, numbers=found, looked=looked)
    rows = diff_rows(old, new)
    return VersionDiff(
        before=before,
        after=after,
        methods=methods,
        studies=tuple(_studies(old, new, rows)),
        rows=rows,
        numbers=tuple(_numbers(numbers, rows)),
        claims=tuple(_claims(old, new)),
        unknowns=tuple(_unknowns(old, new)),
        looked=looked,
    )


def compare_values(
    old: Mapping[str, dict], new: Mapping[str, dict], *, before: str, after: str
) -> VersionDiff:
    """What changed between the values of two finished runs, where their tables are not at hand.

    Numbers of sentences only; a cause is told as far as method and number of rows tell it.
    """
    found = []
    for name in dict.fromkeys([*new, *old]):
        one, two = old.get(name), new.get(name)
        if "text" not in (two or one):
            continue
        then, now = (entry["text"] if entry else "" for entry in (one, two))
        if then != now:
            found.append(NumberChange(name, "", then, now, tuple(_of_entries(one, two))))
    methods = "Only the values of finished runs are compared; their tables are not at hand."
    return VersionDiff(before, after, methods, numbers=tuple(found))


def _of_entries(one: dict | None, two: dict | None) -> Iterator[str]:
    if one is None or two is None:
        yield "said for the first time" if one is None else "no longer said"
        return
    if one["method"] != two["method"]:
        yield f"changed method ({one['method']} → {two['method']})"
    if len(one["rows"]) != len(two["rows"]):
        yield f"other rows behind it ({len(one['rows'])} → {len(two['rows'])})"
    elif one["method"] == two["method"]:
        yield "cause not told: the tables are not at hand"


def _studies(old: Dataset, new: Dataset, rows: tuple[RowChange, ...]) -> Iterator[StudyChange]:
    then, now = set(old.results["study"]), set(new.results["study"])
    about = (schema.STUDIES.file, schema.DESIGNS.file)
    touched = {row.study for row in rows if row.table in about and row.kind != "filled in"}
    for dataset, kind, studies in (
        (new, "added", now - then),
        (old, "removed", then - now),
        (new, "corrected", (now & then) & touched),
    ):
        for study in [name for name in dataset.results["study"].unique() if name in studies]:
            found = dataset.results[dataset.results["study"] == study]
            design = dataset.designs.loc[dataset.designs["study"] == study, "design"]
            _, people = count_studies_and_participants(participants_by_study(dataset), found)
            yield StudyChange(
                kind=kind,
                study=study,
                label=dataset.label(study),
                design=design.iloc[0] if len(design) else "",
                people=people,
                results=len(found),
                reference=str(dataset.bibliography[study]),
            )


def _numbers(numbers: Numbers, rows: tuple[RowChange, ...]) -> Iterator[NumberChange]:
    earlier = numbers.same if numbers.old is None else numbers.old
    for name in dict.fromkeys([*numbers.new, *earlier]):
        one, two = earlier.get(name), numbers.new.get(name)
        if _equal(one, two):
            continue
        yield NumberChange(
            name=name,
            says=(two or one).says,
            before=one.text if one else "",
            after=two.text if two else "",
            causes=tuple(_causes(numbers, name, rows)),
            concluded=one.concludes if one else "",
            concludes=two.concludes if two else "",
        )


def _causes(numbers: Numbers, name: str, rows: tuple[RowChange, ...]) -> Iterator[str]:
    """Why a headline changed: its rows first, then judgements, then the method."""
    same, new = numbers.same.get(name), numbers.new.get(name)
    if not _equal(same, new):
        yield from _by_rows(set(same.rows if same else ()), set(new.rows if new else ()), rows)
    if numbers.old is not None and not _equal(numbers.old.get(name), same):
        one, two = (found.text if found else "nothing" for found in (numbers.old.get(name), same))
        yield f"changed method (the earlier tables gave {one}, and give {two} now)"


def _equal(one: KeyNumber | None, two: KeyNumber | None) -> bool:
    if one is None or two is None:
        return one is two
    return (one.value, one.text, one.concludes) == (two.value, two.text, two.concludes)


def _by_rows(before: set[str], after: set[str], rows: tuple[RowChange, ...]) -> Iterator[str]:
    """The causes that lie in the tables, given the rows that a number had and has."""
    results = [row for row in rows if row.table == schema.STUDIES.file]
    causes = {
        "new data": [row for row in results if row.kind == "added" and row.after in after],
        "withdrawn data": [
            row for row in results if row.kind == "removed" and row.before in before
        ],
        "corrected extraction": [
            row
            for row in results
            if row.kind in CHANGED and (row.after in after or row.before in before)
        ],
    }
    if not any(causes.values()):
        others = [row for row in rows if row.table != schema.STUDIES.file]
        causes = {"changed judgement or description": others}
    for cause, found in causes.items():
        if found:
            yield f"{cause} ({_places(found)})"


def _places(rows) -> str:
    few = [row.after or row.before for row in rows][:4]
    return ", ".join(few) + (f" and {len(rows) - 4} more" if len(rows) > 4 else "")


def _claims(old: Dataset, new: Dataset) -> Iterator[ClaimChange]:
    def verdicts(dataset: Dataset) -> dict[str, tuple[str, str]]:
        found = claim_audit.claim_verdicts(dataset, dataset.results)
        return {
            row.claim: (row.label, _verdict(row.verdict, row.computed))
            for row in found.itertuples()
        }

    then, now = verdicts(old), verdicts(new)
    for claim in dict.fromkeys([*now, *then]):
        one, two = then.get(claim, ("", "")), now.get(claim, ("", ""))
        if one[1] != two[1]:
            yield ClaimChange(claim, two[0] or one[0], one[1], two[1])


def _verdict(stated: str, computed: str) -> str:
    return stated if computed in ("", stated) else f"{stated} (computed: {computed})"


def _unknowns(old: Dataset, new: Dataset) -> Iterator[UnknownChange]:
    """Unknowns that came, went, or of which more or less is left."""
    then, now = ({entry.name: entry for entry in find_unknowns(dataset)} for dataset in (old, new))
    for name in dict.fromkeys([*now, *then]):
        one, two = then.get(name), now.get(name)
        if one is None:
            why = "; ".join([*two.codes.values()]) or two.why_open
            yield UnknownChange("opened", name, two.question, why)
        elif two is None:
            yield UnknownChange("closed", name, one.question, _closed(one))
        elif one.status != two.status:
            later = UNKNOWN_STATUSES.index(two.status) > UNKNOWN_STATUSES.index(one.status)
            kind = two.status if later else "opened again"
            yield UnknownChange(kind, name, two.question, _moved(one, two))
        elif set(_studies_of(one)) != set(_studies_of(two)):
            yield UnknownChange(f"still {two.status}", name, two.question, _moved(one, two))


def _closed(entry: Unknown) -> str:
    if entry.raised == "asked":
        return "nobody asks it any longer"
    if entry.raised == "gap":
        return "trials fill it now, or no claim speaks of it any longer"
    return "its source was found, or the claim was taken out"


def _studies_of(entry: Unknown) -> list[str]:
    return list(entry.rows["label"].unique())


def _moved(one: Unknown, two: Unknown) -> str:
    """What came to bear on it, what went, and which reasons no longer hold or newly do."""
    then, now = _studies_of(one), _studies_of(two)
    parts = [
        ("new on it: ", [label for label in now if label not in then]),
        ("no longer on it: ", [label for label in then if label not in now]),
        ("no longer so: ", [why for code, why in one.codes.items() if code not in two.codes]),
        ("now: ", [why for code, why in two.codes.items() if code not in one.codes]),
        ("", [two.reason] if two.stated and two.stated != one.stated else []),
    ]
    said = [lead + ", ".join(words) for lead, words in parts if words]
    if (one.n, one.k) != (two.n, two.k):
        said.append(f"people {one.n:,} → {two.n:,}, studies {one.k} → {two.k}")
    return "; ".join(said)


def _looked(dataset: Dataset) -> str:
    """When questions and claims were looked at, and until when the earliest of them is good."""
    both = pd.concat([dataset.unknowns, dataset.claims])
    looked, good = (
        both.loc[both["last_searched"] != "", "last_searched"],
        both.loc[both["review_due"] != ""],
    )
    if looked.empty:
        return "no day is noted on which anybody looked for newer texts"
    said = f"last looked for newer texts between {looked.min()} and {looked.max()}"
    return said + (f", good until {good['review_due'].min()}" if len(good) else "")
