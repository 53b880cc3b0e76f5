"""Why studies with results on a question do not enter its pooled estimate, one clause per reason."""

from dataclasses import replace

import pandas as pd

from evidence.analysis.eligible_evidence import is_of_primary_study
from evidence.analysis.pooling.printed_variance import (
    reason_without_variance,
    sd_of_mean,
    se_of_effect,
)
from evidence.analysis.pooling.question import (
    PICO_FIELDS,
    SUBGROUP_COLUMNS,
    Question,
    belongs_to,
    within_time_window,
)
from evidence.analysis.pooling.study_effects import INPUT_COLUMNS, PRINTED_EFFECTS, source_measures
from evidence.analysis.results import as_records
from evidence.dataset import schema
from evidence.provenance.sentence import format_duration, join_words

OUTSIDE = "results only outside the time window"
IN_WORDS = {
    "smd": "a standardised mean difference",
    "significance": "significance without a size",
    "direction": "a direction without a size",
}
"""Measures that an article before their name does not describe."""


def studies_left_out(
    results: pd.DataFrame, studies: pd.DataFrame, question: Question
) -> tuple[str, ...]:
    """Say of every other study with results on a question why it is not among `studies`.

    Results count that are in the time window or, times the ratio that it allows, just outside it.
    """
    ratio = question.max_time_ratio
    # Multiplied, a huge ratio becomes infinite; as a power it would raise OverflowError.
    nearly = replace(question, max_time_ratio=ratio * ratio)
    belongs = results["outcome"].isin(question.outcomes) & ~results["study"].isin(studies["study"])
    belongs &= is_of_primary_study(results)
    belongs &= within_time_window(results["days"], nearly)
    for field in PICO_FIELDS:
        if values := question.named_values(field):
            belongs &= belongs_to(results, SUBGROUP_COLUMNS[field], values)
    rows: dict[str, list[dict]] = {}
    for row in as_records(results, belongs, [*INPUT_COLUMNS, "confirmed"]):
        rows.setdefault(row["study"], []).append(row)
    labels: dict[str, list[str]] = {}
    for records in rows.values():
        reason, label = _reason(records, question), records[0]["label"]
        if reason == OUTSIDE:
            days = sorted({row["days"] for row in records})
            label = f"{label} ({join_words(format_duration(day) for day in days)})"
        labels.setdefault(reason, []).append(label)
    return tuple(f"{join_words(names)} left out: {reason}" for reason, names in labels.items())


def _reason(rows: list[dict], question: Question) -> str:
    """Say why these rows of one study give no effect."""
    in_window = [row for row in rows if within_time_window(row["days"], question)]
    if not in_window:
        return OUTSIDE
    confirmed = [row for row in in_window if row["confirmed"]]
    if not confirmed:
        return "no number is confirmed at its source"
    usable = [row for row in confirmed if row["measure"] in source_measures(question.measure)]
    if not usable:
        found = {row["measure"] for row in confirmed}
        return f"only {join_words(map(_in_words, filter(found.__contains__, schema.MEASURES)))}"
    for row in usable:
        if reason := _reason_of_row(row, question.measure):
            is_error = reason == reason_without_variance(row)
            return f"{reason} ({row['address']})" if is_error else reason
    roles = {row["role"] for row in usable}
    if question.measure == "proportion":
        return "no treated arm"
    for role in ("comparator", "intervention"):
        if role not in roles:
            return f"no {role} arm"
    return "its arms have no scale, definition and time in common"


def _reason_of_row(row: dict, measure: str) -> str:
    """Say what this row lacks; empty if it is complete."""
    if row["measure"] == "mean":
        return sd_of_mean(row).reason
    if row["measure"] == "proportion":
        if pd.isna(row["n"]):
            return "a proportion without the number of participants"
        return "a percentage that several counts allow" if pd.isna(row["event_count"]) else ""
    if row["role"] != "contrast":
        return f"{_in_words(row['measure'])} that does not compare two arms"
    return se_of_effect(row, PRINTED_EFFECTS[measure][1]).reason


def _in_words(measure: str) -> str:
    article = "an" if measure[0] in "aeiou" else "a"
    return IN_WORDS.get(measure, f"{article} {measure}")
