"""Write the unknowns as plain sentences."""

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import (
    OUTCOME_KINDS,
    count_subjects,
    evidence_rows,
    study_sizes,
    subjects_number,
)
from evidence.analysis.gaps.coverage import State
from evidence.analysis.gaps.unknowns import FOLLOW_UP_BANDS, Unknown
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import as_listing
from evidence.provenance.sentence import (
    Fields,
    Number,
    Sentence,
    count,
    format_duration,
    join_sentences,
    join_words,
    verbatim,
)

SUBJECT = "{outcome} with {intervention} {follow_up} in {population}, against {comparison}"
TEMPLATES = {
    ("source", False): "No source could be identified for this: {question}",
    ("derived", False): f"No result is tabulated on {SUBJECT}.",
    ("derived", True): f"{{studies}} with {{participants}} measured {SUBJECT}.",
    ("listed", False): "{question} No result is tabulated.",
    ("listed", True): (
        "{question} Evidence: {studies}, {participants}, longest follow-up {longest_follow_up}."
    ),
}
"""By the origin of an unknown and whether there is any evidence on it."""
MAX_STUDIES_NAMED = 6


def unknown_sentence(unknown: Unknown) -> Sentence:
    """Return an unknown with its evidence, and what was not read or searched."""
    rows, days = tuple(unknown.evidence["address"]), unknown.longest_follow_up
    duration = format_duration(days)
    question = unknown.question
    if unknown.origin == "source":
        question = question.partition(": ")[2].rstrip("?.") + "."
    fields: Fields = {
        "participants": subjects_number(unknown.n, unknown.animals, rows),
        "studies": count(unknown.k, "study", rows, "studies"),
        "longest_follow_up": (
            Number(days, duration, rows, "longest_follow_up") if np.isfinite(days) else duration
        ),
        "question": question,
        "outcome": unknown.outcome,
        "intervention": unknown.intervention,
        "population": unknown.population,
        "follow_up": unknown.follow_up,
        "comparison": unknown.comparison,
    }
    name = f"unknown.{unknown.name}"
    sentence = Sentence(name, TEMPLATES[unknown.origin, unknown.k > 0], fields)
    if unknown.origin == "source":
        return sentence
    return join_sentences(name, sentence, coverage_sentence(unknown))


def coverage_sentence(unknown: Unknown) -> Sentence:
    """State which known studies may have measured an unknown and were not read, or the search.

    An absence is stated of what was read or searched only, never of the world.
    """
    unread, silent = unknown.coverage.unread, unknown.coverage.not_reported
    fields: Fields = {}
    parts = []
    if len(unread):
        noun = "trial" if unread["is_randomised"].all() else "study"
        noun = f"{'further ' if unknown.k else ''}known {noun}"
        fields["unread"] = count(len(unread), noun, unread["address"], "known_studies")
        fields["unread_studies"] = _name_studies(unread)
        parts.append("{unread} may have measured this; not read in full yet: {unread_studies}.")
    if len(silent):
        names = _name_studies(silent)
        fields["silent"] = Number(len(silent), names, tuple(silent["address"]), "known_studies")
        parts.append("Not reported by {silent} (the part that would hold it was read).")
    if not parts:
        template, search = _search_sentence(unknown)
        fields |= search
        parts.append(template)
    return Sentence(f"unknown.{unknown.name}.coverage", " ".join(parts), fields)


def _search_sentence(unknown: Unknown) -> tuple[str, Fields]:
    """Say which search found no study, or no further one, or that none is recorded."""
    searches = unknown.coverage.searches
    if len(searches):
        last = searches.loc[searches["date"].idxmax()]
        fields: Fields = {
            "date": verbatim(last["date"], searches["address"]),
            # What the database is made of stands in its row.
            "database": re.sub(r" \([^)]*\)", "", last["database"]),
        }
        noun = "trial" if unknown.topic and unknown.topic.only_randomised else "study"
        noun = f"{'further ' if unknown.k else ''}{noun}"
        return f"No {noun} found (searched on {{date}}: {{database}}).", fields
    if unknown.last_searched:
        date = verbatim(unknown.last_searched, unknown.address.split())
        return "Searched on {date}; what was searched is not recorded.", {"date": date}
    return "Not searched.", {}


def _name_studies(studies: pd.DataFrame) -> str:
    """Name studies by their labels; of many only the first ones."""
    labels = list(studies["label"])
    if len(labels) > MAX_STUDIES_NAMED:
        labels[MAX_STUDIES_NAMED:] = [f"{len(labels) - MAX_STUDIES_NAMED} more"]
    return "; ".join(labels) if any("," in label for label in labels) else join_words(labels)


@as_listing
def top_unknowns(unknowns: Sequence[Unknown], k: int = 10) -> list[Sentence]:
    """Return the `k` most important unknowns, one sentence each."""
    return [unknown_sentence(unknown) for unknown in unknowns[:k]]


def most_important(unknowns: Sequence[Unknown], outcomes: Container[str], k: int) -> list[Unknown]:
    """Return the `k` open unknowns that together bear on most claims of the guide.

    An unknown that bears on most claims which those before it do not is next; of several, the first
    in the order of `unknowns`. Unknowns about sources or about none of `outcomes`, and those that
    differ from another one only in the outcome, are left out.
    """
    remaining: dict[object, Unknown] = {}
    for unknown in unknowns:
        topic = unknown.topic
        if unknown.status == "open" and topic and any(o in outcomes for o in topic.outcomes):
            question = replace(topic, outcomes=(), comparators=())
            remaining.setdefault(question if unknown.origin == "derived" else unknown.name, unknown)
    chosen: list[Unknown] = []
    claims: set[str] = set()
    while remaining and len(chosen) < k:
        key = max(remaining, key=lambda key: len(set(remaining[key].claims) - claims))
        chosen.append(remaining.pop(key))
        claims.update(chosen[-1].claims)
    return chosen


def unknown_line(unknown: Unknown) -> Sentence:
    """Return an unknown with the evidence on it in one line."""
    full = unknown_sentence(unknown)
    template = "{question} No result tabulated"
    if unknown.k:
        template = "{question} {studies}, {participants}, follow-up up to {longest_follow_up}"
    if "unread" in full.fields:
        template += "; {unread} not read in full"
    elif "date" in full.fields:
        template += "; searched on {date}"
    return Sentence(full.name, template + ".", full.fields)


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def follow_up_attrition(dataset: Dataset) -> Sentence:
    """State for how many trial participants there are results beyond each band of time."""
    rows = evidence_rows(select_results(dataset))
    trials = rows[(rows["randomised"] == "yes") & rows["kind"].isin(OUTCOME_KINDS)]
    fields: Fields = {"all": _participants(dataset, trials)}
    template = "The trials in these tables included {all}"
    for after, *_ in list(FOLLOW_UP_BANDS.values())[1:]:
        key = f"beyond_{after:g}".replace(".", "_")
        fields[key] = _participants(dataset, trials[trials["days"] > after])
        fields[f"{key}_span"] = format_duration(np.floor(after))
        template += f"; {{{key}}} were in trials with a tabulated result beyond {{{key}_span}}"
    return Sentence("unknowns.followed", template + ".", fields)


def unknowns_summary(unknowns: Sequence[Unknown]) -> Sentence:
    """State how many unknowns there are, where they come from, and their status."""
    if not unknowns:
        return Sentence(
            "unknowns.summary",
            "There are no unknowns: the curators list none, and no claim lacks evidence.",
        )

    fields = {"all": _total(unknowns, "unknown")}
    for origin in ("listed", "derived", "source"):
        fields[origin] = _total(u for u in unknowns if u.origin == origin)
    for status in ("open", "narrowed", "settled"):
        fields[status] = _total(u for u in unknowns if u.status == status)
    template = (
        "{all}: {listed} listed by the curators, {derived} derived from claims with at most one "
        "tabulated trial, {source} about sources that could not be identified. Status: {open} open, "
        "{narrowed} narrowed, {settled} settled."
    )
    for key, clause, selected in (
        ("unread", "known studies that may have measured it were not read in full",
         [unknown for unknown in unknowns if unknown.unread]),
        ("not_found", "a recorded search found no study",
         [unknown for unknown in unknowns if unknown.state == State.NOT_FOUND]),
        ("not_searched", "no study is known and no search is recorded",
         [unknown for unknown in unknowns if unknown.state == State.NOT_SEARCHED]),
    ):  # fmt: skip
        if selected:
            fields[key] = _total(selected)
            template += f" For {{{key}}}, {clause}."
    return Sentence("unknowns.summary", template, fields)


def _participants(dataset: Dataset, rows: pd.DataFrame) -> Number:
    size = count_subjects(study_sizes(dataset), rows)
    return count(size.participants, "participant", rows["address"], "participants")


def _total(unknowns: Iterable[Unknown], noun: str = "") -> Number:
    unknowns = list(unknowns)
    addresses = tuple(dict.fromkeys(row for u in unknowns for row in u.address.split()))
    return count(len(unknowns), noun, addresses, "unknowns")
