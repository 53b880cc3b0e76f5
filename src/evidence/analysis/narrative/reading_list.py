"""Write the reading list as text."""

from collections.abc import Iterator, Sequence

from evidence.analysis.gaps.reading_list import WantedResult, group_by_source
from evidence.provenance.sentence import count


def format_reading_list(wanted: Sequence[WantedResult], limit: int | None = None) -> str:
    """Format wanted results for a terminal, by source and by part of it; of `limit` sources."""
    by_source = group_by_source(wanted)
    shown = list(by_source)[:limit]
    blocks = ["\n".join(_source_lines(by_source[source])) for source in shown]
    results = count(len(wanted), "wanted result").text
    total = f"{results} of {count(len(by_source), 'source').text}"
    omitted = len(by_source) - len(shown)
    more = f"; {count(omitted, 'source').text} not shown (--limit)" if omitted else ""
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
