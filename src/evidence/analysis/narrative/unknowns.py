"""Write the unknowns as plain sentences."""

from collections.abc import Iterable, Sequence
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
from evidence.analysis.gaps.unknowns import FOLLOW_UP_BANDS, Unknown
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.provenance.sentence import Fields, Number, Sentence, count, format_duration

TEMPLATES = {
    ("source", False): "No source could be identified for this: {question}",
    ("derived", False): (
        "No trial has measured {outcome} with {intervention} {follow_up} in {population}, against "
        "{comparison}."
    ),
    ("derived", True): (
        "Only {studies} with {participants} measured {outcome} with {intervention} {follow_up} in "
        "{population}, against {comparison}."
    ),
    ("listed", False): "{question} No study in these tables has measured it.",
    ("listed", True): (
        "{question} Evidence: {studies}, {participants}, longest follow-up {longest_follow_up}."
    ),
}
"""By the origin of an unknown and whether there is any evidence on it."""


def unknown_sentence(unknown: Unknown) -> Sentence:
    """Return an unknown as one plain sentence with its evidence."""
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
    template = TEMPLATES[unknown.origin, unknown.k > 0]
    return Sentence(f"unknown.{unknown.name}", template, fields)


def top_unknowns(unknowns: Sequence[Unknown], k: int = 10) -> list[Sentence]:
    """Return the `k` most important unknowns, one sentence each."""
    return [unknown_sentence(unknown) for unknown in unknowns[:k]]


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def follow_up_attrition(dataset: Dataset) -> Sentence:
    """State how many trial participants were still followed after each band of time."""
    rows = evidence_rows(select_results(dataset))
    trials = rows[(rows["randomised"] == "yes") & rows["kind"].isin(OUTCOME_KINDS)]
    fields: Fields = {"all": _participants(dataset, trials)}
    template = "The trials in these tables included {all}"
    for after, *_ in list(FOLLOW_UP_BANDS.values())[1:]:
        key = f"beyond_{after:g}".replace(".", "_")
        fields[key] = _participants(dataset, trials[trials["days"] > after])
        fields[f"{key}_span"] = format_duration(np.floor(after))
        template += f"; {{{key}}} were followed beyond {{{key}_span}}"
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
    return Sentence(
        "unknowns.summary",
        "{all}: {listed} listed by the curators, {derived} derived from claims with at most one "
        "trial, {source} about sources that could not be identified. Status: {open} open, "
        "{narrowed} narrowed, {settled} settled.",
        fields,
    )


def _participants(dataset: Dataset, rows: pd.DataFrame) -> Number:
    size = count_subjects(study_sizes(dataset), rows)
    return count(size.participants, "participant", rows["address"], "participants")


def _total(unknowns: Iterable[Unknown], noun: str = "") -> Number:
    unknowns = list(unknowns)
    addresses = tuple(dict.fromkeys(row for u in unknowns for row in u.address.split()))
    return count(len(unknowns), noun, addresses, "unknowns")
