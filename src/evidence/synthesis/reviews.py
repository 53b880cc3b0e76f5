"""What reviews found against different comparisons, and whether people could tell what they got.

Vocabulary
----------
These numbers are those of the texts; they are set side by side here and not pooled.
"""

from collections.abc import Iterator

import pandas as pd

from evidence.corpus.schema import NUMERIC_MEASURES
from evidence.synthesis.wording import Number, Sentence, at, capital, interval, listed, percent

GUESSES = ("guessed right", "guessed wrong")


def by_comparison(results: pd.DataFrame) -> Iterator[Sentence]:
    """Effects that one text gives against two comparisons or more, a sentence an outcome."""
    rows = results[
        (results["role"] == "contrast")
        & results["design"].isin(["meta-analysis", "systematic review"])
        & results["measure"].isin(NUMERIC_MEASURES)
        & results[["value", "ci_low", "ci_high"]].notna().all(axis=1)
        & results["confirmed"]
    ]
    place = ["study", "outcome", "measure", "time", "time_unit"]
    for (study, outcome, measure, time, unit), group in rows.groupby(place, sort=False):
        group = group.drop_duplicates("versus")
        if len(group) < 2:
            continue
        numbers = {
            "label": Number(None, group["label"].iloc[0]),
            "outcome": Number(None, capital(outcome)),
            "time": Number(None, at(time, unit)),
            "measure": Number(None, measure.replace("smd", "standardised difference")),
        }
        parts = []
        for place_, row in enumerate(group.itertuples()):
            said = f"{row.value:g} ({interval(row.ci_low, row.ci_high)})".replace("-", "−")
            numbers[f"effect{place_}"] = Number(float(row.value), said, (row.address,))
            numbers[f"versus{place_}"] = Number(None, row.versus)
            parts.append(f"{{effect{place_}}} against {{versus{place_}}}")
        yield Sentence(
            f"reviews.{study}.{outcome}.{measure}{at(time, unit)}",
            f"{{outcome}}{{time}} ({{label}}), {{measure}}: {'; '.join(parts)}.",
            numbers,
        )


def guesses(results: pd.DataFrame) -> Iterator[Sentence]:
    """How many people could say what they had been given, a sentence a study."""
    rows = results[results["outcome"].isin(GUESSES) & results["value"].notna()]
    for (study, outcome), group in rows.groupby(["study", "outcome"], sort=False):
        numbers = {
            "label": Number(None, group["label"].iloc[0]),
            "outcome": Number(None, outcome),
        }
        parts = []
        for place, row in enumerate(group.itertuples()):
            numbers[f"share{place}"] = Number(float(row.value), percent(row.value), (row.address,))
            numbers[f"arm{place}"] = Number(None, row.arm)
            parts.append(f"{{share{place}}} given {{arm{place}}}")
        template = f"{{label}}: {listed(parts)} {{outcome}} what they had got."
        yield Sentence(f"guesses.{study}.{outcome}", template, numbers)
