"""A row against the text that it was copied from, and percentages against whole people."""

import math
import re
from fractions import Fraction
from functools import cache

import numpy as np
import pandas as pd

from evidence.analysis.checks.finding import Found, check
from evidence.analysis.printed_numbers import (
    count_ranges,
    possible_counts,
    printed_numbers,
    printed_percentage,
    rounding,
)
from evidence.dataset.csv_reader import map_cells
from evidence.provenance.sentence import Number, Sentence, count, format_percent

_HUNDREDTHS = re.compile(r"%|percent|per 100")
_COUNT = re.compile(r"(\d+)/(\d+)")
# A text may give a fall as a positive number and say in words that it is one.
_LOWER = re.compile(r"\b(lower|fewer|less|fell|reduction|decreased?)\b")


@check("PRINT", "error", "copy it again from the text")
def numbers_not_printed(dataset, results) -> Found:
    """A number of the row that its own `as_printed` does not show, or shows with another sign."""
    for row in results[_may_not_be_printed(results)].itertuples():
        shown = [float(number) for number in printed_numbers(row.as_printed)]
        names = _named(len(shown))
        if _LOWER.search(row.as_printed):
            shown += [-number for number in shown]
        scale = 100 if _HUNDREDTHS.search(row.as_printed) else 1
        for name in names:
            number = getattr(row, name)
            if pd.notna(number) and not _among({number, scale * number}, shown):
                yield row, f"{name} {number:g} is not in '{row.as_printed}'"
        if shown and pd.notna(row.events) and row.events not in shown:
            yield row, f"events {row.events} is not in '{row.as_printed}'"
        ratio = _COUNT.search(row.as_printed)
        if ratio and any(
            pd.notna(number) and number != int(printed)
            for number, printed in zip((row.events, row.n), ratio.groups(), strict=True)
        ):
            yield row, f"events {row.events} of n {row.n} is not '{row.as_printed}'"


def _named(shown: int) -> tuple[str, ...]:
    """The columns whose numbers a text with so many numbers shows."""
    # A text with a single number shows the value only; more numbers show what goes with it.
    return ("value", "spread", "ci_low", "ci_high")[: 4 if shown > 1 else shown]


def _among(wanted, shown) -> bool:
    return any(abs(number - printed) < 1e-6 for number in wanted for printed in shown)


def _may_not_be_printed(results: pd.DataFrame) -> np.ndarray:
    """All rows but those whose numbers plainly stand in their text, which are nearly all."""
    texts = results["as_printed"]
    codes, cells = pd.factorize(texts)
    shown = [printed_numbers(text) for text in cells]
    sizes = np.array([len(numbers) for numbers in shown], int)
    starts = np.cumsum(sizes) - sizes
    flat = np.array([float(number) for numbers in shown for number in numbers])
    sizes, starts = sizes[codes], starts[codes]
    scale = np.where(map_cells(texts, lambda text: bool(_HUNDREDTHS.search(text)), bool), 100, 1)
    # What is compared with both counts, or has none of them, is looked at by itself.
    suspect = map_cells(texts, lambda text: bool(_COUNT.search(text)), bool)
    for name in ("value", "spread", "ci_low", "ci_high", "events"):
        numbers = results[name].to_numpy(float, na_value=np.nan)
        asked = (sizes > 0) & ~np.isnan(numbers)
        places = np.flatnonzero(asked if name in ("value", "events") else asked & (sizes > 1))
        many = sizes[places]
        ends = np.cumsum(many)
        printed = flat[np.arange(many.sum()) + np.repeat(starts[places] - ends + many, many)]
        wanted = np.repeat(numbers[places], many)
        is_it = np.abs(wanted - printed) < 1e-6
        if name != "events":
            is_it |= np.abs(np.repeat(scale[places], many) * wanted - printed) < 1e-6
        if len(places):
            suspect[places] |= ~np.logical_or.reduceat(is_it, ends - many)
    return suspect


def _ranges(results: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The first and last count that each row's printed percentage of its people allows."""
    return count_ranges(results["as_printed"].to_numpy(object), results["n"].to_numpy(int))


@check("PERCENT", "error", "read count, number and percentage again")
def counts_off_their_percentage(dataset, results) -> Found:
    """A printed count that does not round to the percentage printed beside it."""
    rows = results.loc[results["events"].notna() & results["n"].notna()]
    first, last = _ranges(rows)
    events = rows["events"].to_numpy(int)
    for row in rows[(last >= 0) & ((events < first) | (events > last))].itertuples():
        found = format_percent(row.events / row.n, 1000)
        yield row, f"{row.events} of {row.n} is {found} and not '{row.as_printed}'"


def _proportions(results: pd.DataFrame) -> pd.DataFrame:
    return results[(results["measure"] == "proportion") & results["n"].notna()]


@check("GRIM", "warning", "find how many were analysed")
def impossible_percentages(dataset, results) -> Found:
    """A percentage that no count of n people gives, by either rounding of halves (GRIM)."""
    rows = _proportions(results)
    first, last = _ranges(rows)
    for row in rows[(last >= 0) & (last < first)].itertuples():
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
    misses = {
        row.address: _miss(printed_percentage(row.as_printed)[1], int(row.n)) for row in looked
    }
    able = {address: share for address, share in misses.items() if share > 0}
    power = float(np.mean(list(able.values()))) if able else 0.0
    return Sentence(
        "checks.grim",
        "GRIM looked at {looked}: {able} with few enough people to fail; of those a wrong "
        "one would have been caught in {power} of cases on average.",
        {
            "looked": count(len(looked), "percentage", rows=list(misses)),
            "able": count(len(able), "came", "came", list(able), "grim"),
            "power": Number(power, format_percent(power), tuple(able), "grim"),
        },
    )


@cache
def _miss(decimals: int, n: int) -> float:
    """The share of the percentages of so many decimals that no count of n people gives."""
    steps = 100 * 10**decimals
    exact = (Fraction(k * steps, n) for k in range(n + 1))
    reached = {value for share in exact for value in _roundings(share)}
    return 1 - len(reached) / (steps + 1)


def _roundings(exact: Fraction) -> set[int]:
    """Both whole numbers that a half may be rounded to, else the one nearest."""
    return {math.ceil(exact - Fraction(1, 2)), math.floor(exact + Fraction(1, 2))}


@check("GRIMMEAN", "warning", "find how many were analysed, or whether scores are whole")
def impossible_means(dataset, results) -> Found:
    """A mean of whole-number scores that no sum of n scores gives."""
    whole = dataset.instruments.loc[dataset.instruments["integer"] == "yes", "instrument"]
    rows = results[
        (results["measure"] == "mean") & results["instrument"].isin(whole) & results["n"].notna()
    ]
    n = rows["n"].to_numpy(float)
    total = rows["value"].to_numpy() * n
    margin = map_cells(rows["as_printed"], lambda text: rounding(_first_number(text)), float)
    margins = margin * n + 1e-9
    for row in rows[np.floor(total + margins) < np.ceil(total - margins)].itertuples():
        yield row, f"mean {_first_number(row.as_printed)} is no sum of {row.n} whole scores"


def _first_number(text: str) -> str:
    return next(iter(printed_numbers(text)), "")


CHECKS = (
    numbers_not_printed,
    counts_off_their_percentage,
    impossible_percentages,
    impossible_means,
)
