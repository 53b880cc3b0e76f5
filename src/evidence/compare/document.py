"""The differences between two versions as a document: Markdown, HTML and JSON.

The sections follow the order of PRISMA-LSR for living reviews. References: akl2024.
"""

from collections.abc import Iterable
from dataclasses import asdict

from evidence.compare.version_diff import CROSSED, Change, RowChange, VersionDiff
from evidence.dataset import schema
from evidence.files import format_json
from evidence.provenance.sentence import count
from evidence.report.html_pages import render_text

NO_CHANGE = "No change."


def diff_json(diff: VersionDiff) -> str:
    """Format the differences as JSON, with `no_change` (true or false) first."""
    content = {"no_change": diff.is_empty, **asdict(diff)}
    return format_json(content)


def diff_markdown(diff: VersionDiff) -> str:
    """Format the differences as a Markdown document with a section for each kind of change."""
    lines = [f"# Changes from {_escape(diff.before)} to {_escape(diff.after)}", ""]
    lines += ["**No change.** Both versions have the same data." if diff.is_empty else _count(diff)]
    for title, content in _sections(diff).items():
        if content or not diff.is_empty:
            lines += ["", f"## {title}", "", *(content or [NO_CHANGE])]
    return "\n".join(lines) + "\n"


def diff_html(diff: VersionDiff) -> str:
    """Format the differences as an HTML page that works offline."""
    return render_text(f"{diff.before} → {diff.after}", diff_markdown(diff))


FORMATS = {"markdown": diff_markdown, "html": diff_html, "json": diff_json}
"""The ways to format the differences, by the name that the command line uses."""


def _count(diff: VersionDiff) -> str:
    crossed = sum(number.kind == CROSSED for number in diff.numbers)
    counts = (
        count(len(diff.studies), "study"),
        count(len(diff.rows), "row"),
        count(len(diff.numbers) - crossed, "key number"),
        count(crossed, "conclusion"),
        count(len(diff.claims), "verdict on a claim", plural="verdicts on claims"),
        count(len(diff.unknowns), "unknown"),
    )
    text = f"Changed: {', '.join(number.text for number in counts if number.value)}."
    removed = sum(row.kind == "removed" and row.file == schema.STUDIES.file for row in diff.rows)
    return f"{text} Evidence was removed: {count(removed, 'result')}." if removed else text


def _sections(diff: VersionDiff) -> dict[str, list[str]]:
    studies = {
        kind: [
            f"- **{_escape(study.name)}** ({_escape(study.description)})"
            for study in diff.studies
            if study.kind == kind
        ]
        for kind in ("added", "removed", "corrected")
    }
    return {
        "Versions": [f"- before: {_escape(diff.before)}", f"- after: {_escape(diff.after)}"],
        "Methods": [f"- {diff.methods}"],
        "Studies added": studies["added"],
        "Studies removed": studies["removed"],
        "Studies with corrected results or descriptions": studies["corrected"],
        "Changed rows": list(map(_row, diff.rows)),
        "Key numbers": _table(number for number in diff.numbers if number.kind != CROSSED),
        "Conclusions that crossed a stated threshold": [
            f"- {_escape(number.description)}: {number.before} → {number.after}"
            for number in diff.numbers
            if number.kind == CROSSED
        ],
        "Claims": [
            f"- {_escape(claim.name)}, {_escape(claim.description)}: "
            f"{claim.before or 'new claim'} → {claim.after or 'removed'}"
            + (f" — {_escape(claim.reason)}" if claim.reason else "")
            for claim in diff.claims
        ],
        "Unknowns": [
            f"- **{unknown.kind}**: {_escape(unknown.description)} ({_escape(unknown.name)}) — "
            f"{_escape(unknown.reason)}"
            for unknown in diff.unknowns
        ],
        "Search dates": [f"- {diff.searches}"] if diff.searches else [],
    }


def _row(row: RowChange) -> str:
    address = " → ".join(dict.fromkeys(filter(None, (row.before, row.after))))
    cells = "; ".join(
        f"{column}: {_escape(before) or 'blank'} → {_escape(after) or 'blank'}"
        for column, (before, after) in row.cells.items()
    )
    return f"- {row.kind} `{address}` {_escape(row.description)}" + (f": {cells}" if cells else "")


def _table(numbers: Iterable[Change]) -> list[str]:
    head = ["| number | before | after | cause |", "| --- | --- | --- | --- |"]
    rows = [
        (number.description or number.name, number.before, number.after, number.reason)
        for number in numbers
    ]
    lines = [" | ".join(_escape(cell).replace("|", "\\|") or "—" for cell in row) for row in rows]
    return [*head, *(f"| {line} |" for line in lines)] if rows else []


def _escape(text: str) -> str:
    """Put the text on one line and escape all Markdown and HTML: data never become markup."""
    text = " ".join(str(text).split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#" else sign for sign in text)
