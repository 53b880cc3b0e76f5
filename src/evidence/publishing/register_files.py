"""The register of unknowns for other programs: CSV, JSON, and its studies as BibTeX."""

import json
from collections.abc import Iterable

import pandas as pd

from evidence.corpus.citations.bibtex import bibtex
from evidence.corpus.reading import Corpus
from evidence.publishing.values import plain
from evidence.synthesis.register import Entry
from evidence.tables.unknowns import wanted

EPICOT = ("question", "population", "intervention", "comparison", "outcome", "time_stamp")


def as_records(entries: Iterable[Entry]) -> list[dict]:
    """One mapping an unknown: the parts of EPICOT+, what was computed, and the rows behind it."""
    return [
        {
            "unknown": entry.name,
            "raised": entry.raised,
            **{name: getattr(entry, name) for name in EPICOT},
            "section": entry.section,
            "claims": list(entry.claims),
            "status": entry.status,
            "status_computed": entry.computed,
            "studies": entry.k,
            "people": entry.n,
            "randomised": entry.randomised,
            "longest_days": plain(entry.longest),
            "certainty": entry.best.suggested if entry.best else "",
            "reasons": entry.codes,
            "would_settle": wanted(entry),
            "per_arm": entry.settling.per_arm,
            "information_fraction": plain(entry.settling.fraction),
            "keys": list(entry.rows["study"].unique()),
            "rows": list(entry.rows["address"]),
        }
        for entry in entries
    ]


def as_frame(entries: Iterable[Entry]) -> pd.DataFrame:
    """The same as a table: lists are joined by semicolons."""
    return pd.DataFrame(
        [
            {
                name: "; ".join(map(str, value)) if isinstance(value, list | dict) else value
                for name, value in record.items()
            }
            for record in as_records(entries)
        ]
    )


def as_json(entries: Iterable[Entry]) -> str:
    """The same as JSON."""
    return json.dumps(as_records(entries), indent=1, ensure_ascii=False) + "\n"


def as_bibtex(corpus: Corpus, keys: Iterable[str]) -> str:
    """These sources as BibTeX, in the order of their keys."""
    return bibtex(corpus.bibliography[key] for key in sorted(set(keys)))
