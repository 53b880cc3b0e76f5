"""Check a row against the text it was copied from, and percentages against whole participants."""

import math
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from evidence.analysis.checks.finding import CheckResults, check
from evidence.analysis.printed_numbers import (
    count_ranges,
    plain_texts,
    possible_counts,
    possible_numbers,
    printed_numbers,
    printed_percentage,
    rounding,
)
from evidence.dataset.csv_reader import map_cells
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import Number, Sentence, count, format_percent

TOLERANCE = 1e-6
# A text with a single number prints the value only.
PRINTED_COLUMNS = ("value", "spread", "ci_low", "ci_high")
# Tables print percentages without the sign below a heading that has it.
PROPORTIONS = ("proportion", "modelled proportion", "risk difference")
_PER_HUNDRED = re.compile(r"%|percent|per 100")
_COUNT_OF_N = re.compile(r"(\d+)/(\d+)")
# A text may print a decrease as a positive number and say in words that it is one.
_DECREASE = re.compile(r"\b(lower|fewer|less|fell|reduction|reduced|decreased?)\b")


@check("PRINT", "error", "copy it again from the source")
def numbers_not_printed(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a number that the row's own `as_printed` does not show, or shows with another sign."""
    for row in results[_may_not_be_printed(results)].itertuples():
        numbers = printed_numbers(row.as_printed)
        printed = possible_numbers(row.as_printed)
        columns = PRINTED_COLUMNS[: 4 if len(numbers) > 1 else len(numbers)]
        if _DECREASE.search(row.as_printed):
            printed |= {-number for number in printed}
        scale = 100 if _PER_HUNDRED.search(row.as_printed) or row.measure in PROPORTIONS else 1
        for column in columns:
            number = getattr(row, column)
            if pd.notna(number) and not _is_among({number, scale * number}, printed):
                yield row, f"{column} {number:g} is not in '{row.as_printed}'"
        if printed and pd.notna(row.events) and row.events not in printed:
            yield row, f"events {row.events} is not in '{row.as_printed}'"
        counts = [
            count_of_n.groups()
            for plain in plain_texts(row.as_printed)
            if (count_of_n := _COUNT_OF_N.search(plain))
        ]
        if counts and not any(
            all(
                pd.isna(k) or k == int(digits)
                for k, digits in zip((row.events, row.n), pair, strict=True)
            )
            for pair in counts
        ):
            yield row, f"events {row.events} and n {row.n} do not match '{row.as_printed}'"


def _is_among(numbers: Iterable[float], printed: Iterable[float]) -> bool:
    return any(abs(number - digits) < TOLERANCE for number in numbers for digits in printed)


def _may_not_be_printed(results: pd.DataFrame) -> np.ndarray:
    """Rule out quickly the rows whose numbers are in their text, which are nearly all."""
    codes, texts = pd.factorize(results["as_printed"])
    numbers_by_text = [printed_numbers(text) for text in texts]
    lengths = np.array([len(numbers) for numbers in numbers_by_text], int)
    starts = (np.cumsum(lengths) - lengths)[codes]
    lengths = lengths[codes]
    all_numbers = np.array([float(number) for numbers in numbers_by_text for number in numbers])
    is_per_hundred = _contains(texts, _PER_HUNDRED)[codes] | results["measure"].isin(PROPORTIONS)
    scale = np.where(is_per_hundred, 100, 1)
    # A count of n concerns two columns at once; leave it to the check itself.
    is_suspect = _contains(texts, _COUNT_OF_N)[codes]
    for column in (*PRINTED_COLUMNS, "events"):
        values = results[column].to_numpy(float, na_value=np.nan)
        is_printed_alone = column in ("value", "events")
        rows = np.flatnonzero(~np.isnan(values) & (lengths > (0 if is_printed_alone else 1)))
        if not len(rows):
            continue
        # All numbers printed in these rows, one after the other.
        sizes = lengths[rows]
        ends = np.cumsum(sizes)
        printed = all_numbers[np.arange(ends[-1]) + np.repeat(starts[rows] - ends + sizes, sizes)]
        expected = np.repeat(values[rows], sizes)
        is_equal = np.abs(expected - printed) < TOLERANCE
        if column != "events":
            is_equal |= np.abs(np.repeat(scale[rows], sizes) * expected - printed) < TOLERANCE
        is_suspect[rows] |= ~np.logical_or.reduceat(is_equal, ends - sizes)
    return is_suspect


def _contains(texts: Iterable[str], pattern: re.Pattern) -> np.ndarray:
    return np.array([bool(pattern.search(text)) for text in texts], bool)


@check("PERCENT", "error", "check the count, n and the percentage")
def counts_off_their_percentage(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a count that does not round to the percentage printed beside it."""
    rows = results.loc[results["events"].notna() & results["n"].notna()]
    first, last = _possible_ranges(rows)
    events = rows["events"].to_numpy(int)
    for row in rows[(last >= 0) & ((events < first) | (events > last))].itertuples():
        percentage = format_percent(row.events / row.n, 1000)
        yield row, f"{row.events} of {row.n} is {percentage}, not '{row.as_printed}'"


@check("GRIM", "warning", "find out how many participants were analysed")
def impossible_percentages(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a percentage that no count of n participants gives, however halves are rounded (GRIM)."""
    rows = _proportions(results)
    first, last = _possible_ranges(rows)
    for row in rows[(last >= 0) & (last < first)].itertuples():
        nearby = range(max(1, int(row.n) - 3), int(row.n) + 4)
        possible = [str(n) for n in nearby if possible_counts(row.as_printed, n)]
        hint = f"possible with n = {', '.join(possible)}" if possible else "nor with any n near it"
        yield row, f"{row.as_printed} is not possible with n = {row.n} ({hint})"


def grim_power(results: pd.DataFrame) -> Sentence:
    """State how many percentages GRIM tested and how many errors it could have detected.

    A percentage without decimals can fail only if fewer than 100 participants were analysed; each
    decimal multiplies this by ten. The chance that a wrong percentage fails is the proportion of
    printable percentages that no count gives, averaged over those that can fail.
    """
    tested = {
        row.address: _chance_to_fail(percentage.decimals, int(row.n))
        for row in _proportions(results).itertuples()
        if (percentage := printed_percentage(row.as_printed)) and not percentage.relation
    }
    can_fail = {address: chance for address, chance in tested.items() if chance > 0}
    power = float(np.mean(list(can_fail.values()))) if can_fail else 0.0
    return Sentence(
        "checks.grim",
        "GRIM tested {tested}. {able} few enough participants to fail the test; on average it "
        "would detect {power} of wrong percentages among these.",
        {
            "tested": count(len(tested), "percentage", rows=list(tested)),
            "able": count(len(can_fail), "has", list(can_fail), "grim", plural="have"),
            "power": Number(power, format_percent(power), tuple(can_fail), "grim"),
        },
    )


def _chance_to_fail(decimals: int, n: int) -> float:
    """Return the proportion of percentages with so many decimals that no count of n gives."""
    steps = 100 * 10**decimals
    if n >= steps:
        return 0.0
    # Counts lie more than one step apart, so that each gives a percentage of its own; one at a half
    # may be rounded up or down. k * steps / n is at a half for as many k as the common divisor says.
    divisor = math.gcd(steps, n)
    halves = divisor if n // divisor % 2 == 0 else 0
    return 1 - (n + 1 + halves) / (steps + 1)


@check("GRIMMEAN", "warning", "find out how many were analysed and whether scores are integers")
def impossible_means(dataset: Dataset, results: pd.DataFrame) -> CheckResults:
    """Find a mean of integer scores that no sum of n scores gives (GRIM)."""
    is_integer = dataset.instruments["integer"] == "yes"
    instruments = dataset.instruments.loc[is_integer, "instrument"]
    rows = results[
        (results["measure"] == "mean")
        & results["instrument"].isin(instruments)
        & results["n"].notna()
    ]
    n = rows["n"].to_numpy(float)
    total = rows["value"].to_numpy() * n
    margin = map_cells(rows["as_printed"], lambda text: rounding(_first_number(text)), float) * n
    margin += 1e-9
    for row in rows[np.floor(total + margin) < np.ceil(total - margin)].itertuples():
        mean = _first_number(row.as_printed)
        yield row, f"mean {mean} is not possible with {row.n} integer scores"


def _first_number(text: str) -> str:
    return next(iter(printed_numbers(text)), "")


def _proportions(results: pd.DataFrame) -> pd.DataFrame:
    return results[(results["measure"] == "proportion") & results["n"].notna()]


def _possible_ranges(results: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last count that each row's printed percentage of n allows."""
    return count_ranges(results["as_printed"].to_numpy(object), results["n"].to_numpy(int))
