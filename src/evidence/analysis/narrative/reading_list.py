"""Write the reading list as text and as sentences."""

from collections.abc import Iterator, Sequence

from evidence.analysis.gaps.reading_list import WantedResult, group_by_source
from evidence.dataset.displayable import as_listing
from evidence.provenance.sentence import Fields, Sentence, count, join_words

KIND_PHRASES = {
    "listed": ("", "listed by the curators"),
    "unconfirmed": ("result", "not confirmed at the source"),
    "no size": ("finding", "read without a size"),
    "primary outcome": ("primary outcome", "without a result"),
    "primary outcome not stated": ("trial", "without a named primary outcome"),
    "known study": ("known study", "without results here"),
}
"""For each kind of wanted result what is counted, and what is said of it."""


def reading_list_summary(wanted: Sequence[WantedResult]) -> Sentence:
    """State how many results are wanted of how many sources, and why."""
    if not wanted:
        return Sentence("wanted.summary", "Nothing is wanted: no result is known to be missing.")
    by_source = group_by_source(wanted)
    fields: Fields = {
        "results": count(len(wanted), "wanted result", _rows(wanted)),
        "sources": count(len(by_source), "source", _rows(wanted)),
    }
    parts = []
    for kind, (noun, rest) in KIND_PHRASES.items():
        if entries := [entry for entry in wanted if entry.kind == kind]:
            name = kind.replace(" ", "_")
            fields[name] = count(len(entries), noun, _rows(entries))
            parts.append(f"{{{name}}} {rest}")
    template = f"{{results}} of {{sources}}: {join_words(parts)}."
    return Sentence("wanted.summary", template, fields)


@as_listing
def top_sources(wanted: Sequence[WantedResult], k: int = 10) -> list[Sentence]:
    """Say of the `k` most valuable sources what is wanted of each, one sentence each."""
    by_source = group_by_source(wanted)
    return [_source_sentence(source, by_source[source]) for source in list(by_source)[:k]]


def _source_sentence(source: str, wanted: Sequence[WantedResult]) -> Sentence:
    topics = {name for entry in wanted for name in (*entry.claims, *entry.unknowns)}
    parts = list(dict.fromkeys(entry.part for entry in wanted))
    fields: Fields = {
        "label": wanted[0].label,
        "results": count(len(wanted), "result", _rows(wanted)),
        "parts": "; ".join(parts),
        "topics": count(
            len(topics), "claim or unknown", _rows(wanted), plural="claims and unknowns"
        ),
    }
    template = "{label}: {results} wanted ({parts})."
    if topics:
        template += f" {{topics}} {'depends' if len(topics) == 1 else 'depend'} on it."
    return Sentence(f"wanted.{source}", template, fields)


def _rows(wanted: Sequence[WantedResult]) -> list[str]:
    return list(dict.fromkeys(row for entry in wanted for row in entry.rows))


def format_reading_list(wanted: Sequence[WantedResult], limit: int | None = None) -> str:
    """Format wanted results for a terminal, by source and by part of it; of `limit` sources."""
    by_source = group_by_source(wanted)
    shown = list(by_source)[:limit]
    blocks = ["\n".join(_source_lines(by_source[source])) for source in shown]
    results = count(len(wanted), "wanted result").text
    total = f"{results} of {count(len(by_source), 'source').text}"
    omitted = len(by_source) - len(shown)
    more = f"; {count(omitted, 'source').text} not shown" if omitted else ""
    blocks.append(total + more)
    return "\n\n".join(blocks)


def _source_lines(wanted: Sequence[WantedResult]) -> Iterator[str]:
    first = wanted[0]
    yield f"{first.source} ({first.label})" + (f"  {first.link}" if first.link else "")
    parts: dict[str, list[WantedResult]] = {}
    for entry in wanted:
        parts.setdefault(entry.part, []).append(entry)
    for part, entries in parts.items():
        yield f"  {part}"
        reason = ""
        for entry in entries:
            yield f"    - {entry.description}"
            if entry.reason != reason:
                yield f"      why: {entry.reason}"
            reason = entry.reason
