"""A row against the text that it was copied from, and percentages against whole people."""

import math
import re
from fractions import Fraction

import numpy as np
import pandas as pd

from evidence.synthesis.checks.finding import Found, check
from evidence.synthesis.printed import (
    is_impossible,
    possible_counts,
    printed_numbers,
    printed_percentage,
    rounding,
)
from evidence.synthesis.wording import Number, Sentence, count, percent

_COUNT = re.compile(r"(\d+)/(\d+)")
# A text may give a fall as a positive number and say in words that it is one.
_LOWER = re.compile(r"\b(lower|fewer|less|fell|reduction|decreased?)\b")


@check("PRINT", "error", "copy it again from the text")
def numbers_not_printed(corpus, results) -> Found:
    """A number of the row that its own `as_printed` does not show, or shows with another sign."""
    for row in results.itertuples():
        shown = [float(number) for number in printed_numbers(row.as_printed)]
        # A text with a single number shows the value only; more numbers show what goes with it.
        names = ("value", "spread", "ci_low", "ci_high") if len(shown) > 1 else ("value",)
        if _LOWER.search(row.as_printed):
            shown += [-number for number in shown]
        scale = 100 if re.search(r"%|percent|per 100", row.as_printed) else 1
        for name in names if shown else ():
            number = getattr(row, name)
            wanted = {number, scale * number}
            if pd.notna(number) and not _among(wanted, shown):
                yield row, f"{name} {number:g} is not in '{row.as_printed}'"
        if shown and pd.notna(row.events) and row.events not in shown:
            yield row, f"events {row.events} is not in '{row.as_printed}'"
        ratio = _COUNT.search(row.as_printed)
        if ratio and (row.events, row.n) != (int(ratio[1]), int(ratio[2])):
            yield row, f"events {row.events} of n {row.n} is not '{row.as_printed}'"


def _among(wanted, shown) -> bool:
    return any(abs(number - printed) < 1e-6 for number in wanted for printed in shown)


@check("PERCENT", "error", "read count, number and percentage again")
def counts_off_their_percentage(corpus, results) -> Found:
    """A printed count that does not round to the percentage printed beside it."""
    rows = results[results["events"].notna() & results["n"].notna()]
    for row in rows.itertuples():
        is_printed = printed_percentage(row.as_printed) is not None
        if is_printed and row.events not in possible_counts(row.as_printed, int(row.n)):
            found = percent(row.events / row.n, 1000)
            yield row, f"{row.events} of {row.n} is {found} and not '{row.as_printed}'"


def _proportions(results: pd.DataFrame) -> pd.DataFrame:
    return results[(results["measure"] == "proportion") & results["n"].notna()]


@check("GRIM", "warning", "find how many were analysed")
def impossible_percentages(corpus, results) -> Found:
    """A percentage that no count of n people gives, by either rounding of halves (GRIM)."""
    for row in _proportions(results).itertuples():
        if is_impossible(row.as_printed, int(row.n)):
            near = range(max(1, int(row.n) - 3), int(row.n) + 4)
            fitting = [str(n) for n in near if possible_counts(row.as_printed, n)]
            fits = f"it fits {', '.join(fitting)}" if fitting else "no number near it fits"
            yield row, f"{row.as_printed} is no count of {row.n} people ({fits})"


def grim_power(results: pd.DataFrame) -> Sentence:
    """How many percentages GRIM looked at, and how many of them could have failed at all.

    A percentage without decimals can fail only if fewer than 100 people were analysed; each
    decimal adds a factor of ten. The chance that a wrong one fails is the share of printable
    percentages that no count gives, averaged over those that could fail.
    """
    rows = _proportions(results).itertuples()
    looked = [row for row in rows if printed_percentage(row.as_printed) is not None]
    misses = {row.address: _miss(row.as_printed, int(row.n)) for row in looked}
    able = {address: share for address, share in misses.items() if share > 0}
    power = float(np.mean(list(able.values()))) if able else 0.0
    return Sentence(
        "checks.grim",
        "GRIM looked at {looked}: {able} with few enough people to fail; of those a wrong "
        "one would have been caught in {power} of cases on average.",
        {
            "looked": count(len(looked), "percentage", rows=list(misses)),
            "able": count(len(able), "came", "came", list(able), "grim"),
            "power": Number(power, percent(power), tuple(able), "grim"),
        },
    )


def _miss(as_printed: str, n: int) -> float:
    """The share of the percentages of as many decimals that no count of n people gives."""
    steps = 100 * 10 ** printed_percentage(as_printed)[1]
    exact = (Fraction(k * steps, n) for k in range(n + 1))
    reached = {value for share in exact for value in _roundings(share)}
    return 1 - len(reached) / (steps + 1)


def _roundings(exact: Fraction) -> set[int]:
    """Both whole numbers that a half may be rounded to, else the one nearest."""
    return {math.ceil(exact - Fraction(1, 2)), math.floor(exact + Fraction(1, 2))}


@check("GRIMMEAN", "warning", "find how many were analysed, or whether scores are whole")
def impossible_means(corpus, results) -> Found:
    """A mean of whole-number scores that no sum of n scores gives."""
    whole = corpus.instruments.loc[corpus.instruments["integer"] == "yes", "instrument"]
    rows = results[
        (results["measure"] == "mean") & results["instrument"].isin(whole) & results["n"].notna()
    ]
    for row in rows.itertuples():
        printed = next(iter(printed_numbers(row.as_printed)), "")
        margin = rounding(printed) * row.n + 1e-9
        if np.floor(row.value * row.n + margin) < np.ceil(row.value * row.n - margin):
            yield row, f"mean {printed} is no sum of {row.n} whole scores"


CHECKS = (
    numbers_not_printed,
    counts_off_their_percentage,
    impossible_percentages,
    impossible_means,
)
