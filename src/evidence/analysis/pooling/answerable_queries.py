"""Which queries of the explorer some study answers, and what to change in one that none answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import is_evidence
from evidence.analysis.pooling.explorer_query import ANY, ExplorerQuery
from evidence.analysis.pooling.question import MEASURE_LABELS, MEASURES, time_window
from evidence.analysis.pooling.study_effects import (
    INPUT_COLUMNS,
    all_effects,
    effects_by_study,
    source_measures,
)
from evidence.analysis.results import SEPARATOR, as_records
from evidence.provenance.sentence import count, format_duration

TIME = "time_days"
MAX_ALTERNATIVES = 4


@dataclass(frozen=True)
class PossibleEffect:
    """An effect of a study, with the words of each field by which a query finds it."""

    study: str
    words: Mapping[str, tuple[str, ...]]
    days: float


@dataclass(frozen=True)
class Alternative:
    """Changes of a query, by field, after which studies answer it, and how many."""

    changes: dict[str, Any]
    studies: int

    def __str__(self) -> str:
        changes = (
            f"near {format_duration(word)}"
            if field == TIME
            else MEASURE_LABELS.get(word, word)
            if field == "measure"
            else f"{field} {word}"
            for field, word in self.changes.items()
        )
        return f"{', '.join(changes)} ({count(self.studies, 'study')})"


def possible_effects(results: pd.DataFrame) -> list[PossibleEffect]:
    """Return every effect that a study gives for any query on these results."""
    kinds: dict[str, dict[str, None]] = {}
    for study, kind in zip(results["study"], results["comparator_kind"], strict=True):
        kinds.setdefault(study, {})[kind] = None
    core = set(results.loc[results["scope"] == "core", "study"])
    rows = as_records(results, is_evidence(results), INPUT_COLUMNS)
    effects = []
    for measure in MEASURES:
        names = source_measures(measure)
        for effect in _effects([row for row in rows if row["measure"] in names], measure):
            if effect["days"] <= 0:
                continue  # Measured at baseline: no query asks for that time.
            comparators = effect["comparator_kind"].split(SEPARATOR)
            if measure == "proportion":
                # A treated arm belongs to each of the comparators of its study.
                comparators = list(kinds[effect["study"]])
            words = {
                "outcome": (effect["outcome"],),
                "measure": (measure,),
                "condition": (ANY, effect["condition"]),
                "treatment": (ANY, *effect["treatment"].split(SEPARATOR)),
                "comparator": (ANY, *comparators),
                "scope": ("all", "core") if effect["study"] in core else ("all",),
            }
            effects.append(PossibleEffect(effect["study"], words, effect["days"]))
    return effects


def _effects(rows: list[dict], measure: str) -> Iterator[dict]:
    """Yield the effects of arms at each time, and of each contrast by itself."""
    arms: dict[str, list[dict]] = {}
    for row in rows:
        if row["role"] == "contrast":
            yield from effects_by_study([row], measure=measure, time_days=1.0)
        else:
            arms.setdefault(row["condition"], []).append(row)
    for group in arms.values():
        yield from all_effects(group, measure=measure)


def studies_by_choice(
    effects: Iterable[PossibleEffect], query: ExplorerQuery
) -> dict[str, dict[Any, int]]:
    """Return for each field the words, and times, with studies if nothing else is changed."""
    studies: dict[str, dict[Any, set[str]]] = {}
    for effect, missed in _with_missed_fields(effects, query):
        times = (effect.days,) if effect.days > 0 else ()
        for field, words in {**effect.words, TIME: times}.items():
            for word in words if missed in ([], [field]) else ():
                studies.setdefault(field, {}).setdefault(word, set()).add(effect.study)
    return {
        field: {word: len(names) for word, names in found.items()}
        for field, found in studies.items()
    }


def find_alternatives(
    effects: list[PossibleEffect], query: ExplorerQuery, keep: str
) -> list[Alternative]:
    """Return the queries nearest to one without studies.

    Those with the fewest changes come first, of these those with the most studies. The field to
    keep is changed only if studies answer no query with its word.
    """
    studies: dict[tuple, set[str]] = {}
    for effect, missed in _with_missed_fields(effects, query):
        if keep in missed:
            continue
        # Of each field the last word, which is not the one for any.
        words: dict[str, Any] = {
            field: effect.words[field][-1] for field in missed if field != TIME
        }
        if "scope" in words:
            words["scope"] = "all"
        if TIME in missed:
            words[TIME] = float(f"{effect.days:g}")
        studies.setdefault(tuple(words.items()), set()).add(effect.study)
    ranked = sorted(studies, key=lambda key: (len(key), -len(studies[key])))[:MAX_ALTERNATIVES]
    if not ranked and keep:
        return find_alternatives(effects, query, "")
    return [_alternative(effects, query, dict(key)) for key in ranked]


def _alternative(
    effects: list[PossibleEffect], query: ExplorerQuery, changes: dict[str, Any]
) -> Alternative:
    """Count the studies after some changes: at a new time also those that were measured near it."""
    changed = replace(query, **changes)
    return Alternative(changes, studies_by_choice(effects, changed)["outcome"][changed.outcome])


def _with_missed_fields(
    effects: Iterable[PossibleEffect], query: ExplorerQuery
) -> Iterator[tuple[PossibleEffect, list[str]]]:
    """Yield each effect with the fields that keep the query from finding it."""
    earliest, latest = time_window(query.question)
    for effect in effects:
        missed = [
            field for field, words in effect.words.items() if getattr(query, field) not in words
        ]
        if not (np.isnan(effect.days) or earliest <= effect.days <= latest):
            missed.append(TIME)
        yield effect, missed
