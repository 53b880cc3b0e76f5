"""What changed between two versions, for people (Markdown, HTML) and for programs (JSON).

Sections stand in the order in which PRISMA-LSR asks for them: versions, methods, studies, data
collected, results, certainty and conclusions, what is left open, and when anybody last looked.

References
----------
akl2024.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from evidence.compare.version_diff import NumberChange, RowChange, VersionDiff

NONE = "No change."


def diff_json(changes: VersionDiff) -> str:
    """Everything that changed, with `no_change` first."""
    data = {"no_change": changes.none, **asdict(changes)}
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def diff_markdown(changes: VersionDiff) -> str:
    """A document with a section for each part; parts without a change say so."""
    lines = [
        f"# What changed from {_plain(changes.before)} to {_plain(changes.after)}",
        "",
        *([f"**{NONE}** The two versions hold the same."] if changes.none else [_count(changes)]),
    ]
    for title, items in _sections(changes):
        said = list(items)
        if said or not changes.none:
            lines += ["", f"## {title}", "", *(said or [NONE])]
    return "\n".join(lines) + "\n"


def diff_html(changes: VersionDiff) -> str:
    """The same document as a page of one file that asks no server for anything."""
    from evidence.report.html_pages import render_text

    return render_text(f"{changes.before} → {changes.after}", diff_markdown(changes))


def _count(changes: VersionDiff) -> str:
    crossed = sum(number.crossed for number in changes.numbers)
    counts = {
        "studies": len(changes.studies),
        "rows": len(changes.rows),
        "headline numbers": len(changes.numbers),
        "conclusions that crossed a threshold": crossed,
        "verdicts on claims": len(changes.claims),
        "unknowns": len(changes.unknowns),
    }
    return "Changed: " + ", ".join(f"{n} {what}" for what, n in counts.items() if n) + "."


def _sections(changes: VersionDiff) -> Iterator[tuple[str, Iterable[str]]]:
    yield "Versions", [f"- before: {_plain(changes.before)}", f"- after: {_plain(changes.after)}"]
    yield "Methods", [f"- {changes.methods}"]
    for kind, title in (
        ("added", "Studies added"),
        ("removed", "Studies removed"),
        ("corrected", "Studies with changed results or descriptions"),
    ):
        yield (
            title,
            [
                f"- **{_plain(study.label)}** ({study.design or 'design not stated'}, "
                f"{study.people:,} people, {study.results} results): {_plain(study.reference)}"
                for study in changes.studies
                if study.kind == kind
            ],
        )
    yield "Rows behind it", map(_row, changes.rows)
    yield "Headline numbers", _numbers(changes.numbers)
    yield (
        "Conclusions that crossed a stated threshold",
        [
            f"- {_plain(number.says)}: {number.concluded} → {number.concludes}"
            for number in changes.numbers
            if number.crossed
        ],
    )
    yield (
        "Claims of the guide",
        [
            f"- {_plain(claim.claim)}, {_plain(claim.label)}: {claim.before or 'not there'} → "
            f"{claim.after or 'taken out'}"
            for claim in changes.claims
        ],
    )
    yield (
        "Unknowns",
        [
            f"- **{unknown.kind}**: {_plain(unknown.question)} ({_plain(unknown.name)}) — "
            f"{_plain(unknown.why)}"
            for unknown in changes.unknowns
        ],
    )
    yield "When anybody last looked", [f"- {changes.looked}"] if changes.looked else []


def _row(row: RowChange) -> str:
    place = " → ".join(dict.fromkeys(filter(None, (row.before, row.after))))
    cells = "; ".join(
        f"{cell.column}: {_plain(cell.before) or 'blank'} → {_plain(cell.after) or 'blank'}"
        for cell in row.cells
    )
    return f"- {row.kind} `{place}` {_plain(row.says)}" + (f": {cells}" if cells else "")


def _numbers(numbers: Iterable[NumberChange]) -> list[str]:
    rows = [
        f"| {_cell(number.says or number.name)} | {_cell(number.before) or '—'} | "
        f"{_cell(number.after) or '—'} | {_cell('; '.join(number.causes)) or 'no cause found'} |"
        for number in numbers
    ]
    head = ["| number | before | after | cause |", "| --- | --- | --- | --- |"]
    return [*head, *rows] if rows else []


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text from tables as text: nothing in it is markup, and no line of it starts a new one."""
    text = " ".join(str(text).split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#" else sign for sign in text)
