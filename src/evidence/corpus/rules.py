"""What a single row of `studies.csv` must satisfy to be a number and not a slip of the pen."""

import re

import numpy as np

from evidence.corpus import schema
from evidence.corpus.sheet import Sheet
from evidence.errors import Problems


def check_results(sheet: Sheet) -> Problems:
    """Contradictions inside rows of the table as read.

    Cells that are not numbers at all are reported by the column checks and passed over here.
    """
    problems = Problems()
    n, events, value = (sheet[name].numbers for name in ("n", "events", "value"))
    low, high, spread = (sheet[name].numbers for name in ("ci_low", "ci_high", "spread"))
    is_filled = {name: sheet[name].is_filled for name in sheet.table.names}
    measure = sheet["measure"]
    is_proportion, is_count = measure.among(["proportion"]), measure.among(["count"])
    worded = measure.among(schema.WORDED_MEASURES)
    found = measure.among(schema.FOUND_MEASURES)
    contrast = sheet["role"].among(["contrast"])

    def report(bad, column, rule):
        """Report each row where `bad`; {placeholders} of the rule are cells of that row."""
        sheet.report(problems, bad, column, lambda place: rule.format(**sheet.row(place)))

    report(events > n, "events", "is more than n ({n})")
    report(n == 0, "n", "people were analysed; leave it blank if the number is not known")
    report(
        is_proportion & ((value < 0) | (value > 1)),
        "value",
        "is not a proportion between 0 and 1; 71 % is written 0.71",
    )
    ratio = measure.among(["risk ratio", "odds ratio"])
    report(ratio & (value <= 0), "value", "is not a ratio; ratios are above 0 and not logarithms")
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = events / n
    report(
        is_proportion & (np.abs(shares - value) > 0.0051),
        "value",
        "is not {events} of {n}",
    )
    report(
        is_proportion & ~is_filled["value"] & ~is_filled["events"],
        "value",
        "is not enough for a proportion; give it, or events and n",
    )
    report(
        is_count & ~is_filled["events"],
        "events",
        "is not enough for a count; give the number counted",
    )
    report(
        measure.among(schema.NUMERIC_MEASURES) & ~is_filled["value"],
        "value",
        "is not enough for a {measure}; give the number, or use measure statement or range",
    )
    report(
        (worded | found) & is_filled["value"],
        "value",
        "stands beside measure {measure}, which has no number",
    )
    report(
        measure.among(["p value"]) & ~is_filled["p_value"], "p_value", "is not enough for a p value"
    )
    report(
        found & ~is_filled["direction"],
        "direction",
        "is not enough for measure {measure}; say better, worse or no difference",
    )
    report(
        ~found & is_filled["direction"] & ~contrast,
        "direction",
        "belongs to a contrast, or to measure significance or direction",
    )
    report(low > high, "ci_low", "is above ci_high ({ci_high})")
    report(
        (value < low) | (value > high), "value", "lies outside its interval ({ci_low} to {ci_high})"
    )
    report(
        is_filled["ci_low"] & ~is_filled["ci_high"],
        "ci_high",
        "is not allowed beside ci_low {ci_low}; an interval has two ends",
    )
    report(
        is_filled["ci_high"] & ~is_filled["ci_low"],
        "ci_low",
        "is not allowed beside ci_high {ci_high}; an interval has two ends",
    )
    report(spread < 0, "spread", "is negative; a standard deviation cannot be")
    report(
        is_filled["spread"] & ~is_filled["spread_kind"],
        "spread_kind",
        "is not allowed beside spread {spread}; say sd or se",
    )
    report(
        is_filled["time"] & ~is_filled["time_unit"],
        "time_unit",
        "is not allowed beside time {time}; say minute, hour, day, week, month or year",
    )
    report(
        is_filled["time_unit"] & ~is_filled["time"],
        "time",
        "is not allowed beside time_unit {time_unit}",
    )
    report(
        sheet["time"].map(_runs_backwards, bool),
        "time",
        "runs backwards; write the earlier time first",
    )
    report(
        contrast & ~is_filled["versus"],
        "versus",
        "is not allowed in a contrast; name the other arm",
    )
    report(
        ~contrast & is_filled["versus"],
        "versus",
        "stands in a row with role {role}; only a contrast has it",
    )
    is_same = contrast & (sheet["arm"].text == sheet["versus"].text)
    report(is_same, "versus", "is the same as arm")
    needs_print = measure.among(["proportion", *schema.NUMERIC_MEASURES, "date", "range"])
    report(
        needs_print & ~is_filled["as_printed"],
        "as_printed",
        "is not allowed; copy the number as the text prints it",
    )
    return problems


def _runs_backwards(time: str) -> bool:
    ends = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", time)
    return ends is not None and float(ends[1]) > float(ends[2])
