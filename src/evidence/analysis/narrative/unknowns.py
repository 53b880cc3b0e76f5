"""The register of unknowns in plain sentences, for those who want no table."""

from functools import lru_cache

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import (
    OUTCOME_KINDS,
    count_studies_and_participants,
    evidence_rows,
    participants_by_study,
)
from evidence.analysis.gaps.unknowns import BANDS, Unknown
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.provenance.sentence import Number, Sentence, count, format_duration

TEMPLATES = {
    ("source", False): "Nobody could find where this comes from: {question}",
    ("derived", False): (
        "No trial has measured {outcome} with {intervention} {follow_up} in {population}, against "
        "{comparison}."
    ),
    ("derived", True): (
        "Only {people} in {studies} tell of {outcome} with {intervention} {follow_up} in "
        "{population}, against {comparison}."
    ),
    ("listed", False): "{question} Nobody has measured it in a study of these tables.",
    ("listed", True): "{question} Only {people} in {studies} tell of it; longest look: {longest}.",
}


def unknown_sentence(entry: Unknown) -> Sentence:
    """An unknown in one plain sentence, for those who want no table."""
    rows = tuple(entry.evidence["address"])
    numbers = {
        "people": count(entry.n, "person", "people", rows, "participants"),
        "studies": count(entry.k, "study", "studies", rows, "studies"),
        "longest": Number(
            entry.longest_follow_up if np.isfinite(entry.longest_follow_up) else None, format_duration(entry.longest_follow_up), rows,
            "longest_follow_up",
        ),
    }  # fmt: skip
    question = entry.question
    if entry.origin == "source":
        question = question.partition(": ")[2].rstrip("?.") + "."
    words = {
        name: Number(None, str(getattr(entry, name)))
        for name in ("outcome", "intervention", "population", "follow_up", "comparison")
    }
    template = TEMPLATES[entry.origin, entry.k > 0]
    return Sentence(
        f"unknown.{entry.name}", template, numbers | words | {"question": Number(None, question)}
    )


def top_unknowns(entries: list[Unknown], k: int = 10) -> list[Sentence]:
    """The most important unknowns, a sentence each; see `register` for the order."""
    return [unknown_sentence(entry) for entry in entries[:k]]


@selection
@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def follow_up_attrition(dataset: Dataset) -> Sentence:
    """How few of the people in trials were still looked at after each band of time."""
    rows = evidence_rows(select_results(dataset))
    trials = rows[(rows["randomised"] == "yes") & rows["kind"].isin(OUTCOME_KINDS)]
    numbers = {"all": _people(dataset, trials)}
    template = "{all} were in the trials of these tables"
    for after, *_ in list(BANDS.values())[1:]:
        later = trials[trials["days"] > after]
        key = f"beyond_{after:g}".replace(".", "_")
        numbers[key] = _people(dataset, later)
        numbers[f"{key}_span"] = Number(None, format_duration(np.floor(after)))
        template += f"; {{{key}}} were looked at beyond {{{key}_span}}"
    return Sentence("unknowns.followed", template + ".", numbers)


def _people(dataset: Dataset, rows: pd.DataFrame) -> Number:
    return count(
        count_studies_and_participants(participants_by_study(dataset), rows)[1],
        "person",
        "people",
        rows["address"],
        "participants",
    )


def unknowns_summary(entries: list[Unknown]) -> Sentence:
    """How many unknowns there are, how they arose and how much of them is left."""
    if not entries:
        return Sentence(
            "unknowns.summary", "The register is empty: nobody asks, and no claim raises anything."
        )
    addresses = [row for entry in entries for row in entry.address.split()]

    def number(which, noun="") -> Number:
        chosen = [entry for entry in entries if which(entry)]
        rows = [row for entry in chosen for row in entry.address.split()]
        text = f"{len(chosen)} {noun}".strip()
        return Number(len(chosen), text, tuple(dict.fromkeys(rows)), "unknowns")

    numbers = {
        "all": count(len(entries), "unknown", rows=dict.fromkeys(addresses), method="unknowns"),
        "asked": number(lambda entry: entry.origin == "listed"),
        "gaps": number(lambda entry: entry.origin == "derived"),
        "sources": number(lambda entry: entry.origin == "source"),
        "open": number(lambda entry: entry.status == "open"),
        "narrowed": number(lambda entry: entry.status == "narrowed"),
        "settled": number(lambda entry: entry.status == "settled"),
    }
    return Sentence(
        "unknowns.summary",
        "{all}: {asked} asked by people, {gaps} that the tables raise because a claim speaks of "
        "what no trial or one trial measured, {sources} on sources that nobody could find. {open} "
        "are open, {narrowed} narrowed, {settled} settled.",
        numbers,
    )
