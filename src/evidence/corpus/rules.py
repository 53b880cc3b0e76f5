"""What a single row of `studies.csv` must satisfy to be a number and not a slip of the pen."""

import pandas as pd

from evidence.corpus import schema
from evidence.errors import Problem


def check_results(frame: pd.DataFrame) -> list[Problem]:
    """Contradictions inside rows of the table as read (all cells text, `line` the line number).

    Cells that are not numbers at all are reported by the column checks and passed over here.
    """
    problems: list[Problem] = []
    number = {
        name: pd.to_numeric(frame[name], errors="coerce")
        for name in ("n", "events", "value", "spread", "ci_low", "ci_high")
    }
    n, events, value = number["n"], number["events"], number["value"]
    low, high = number["ci_low"], number["ci_high"]
    is_filled = {name: frame[name] != "" for name in frame.columns if name != "line"}
    measure = frame["measure"]
    worded = measure.isin(schema.WORDED_MEASURES)
    found = measure.isin(schema.FOUND_MEASURES)

    def report(bad, column, rule):
        """Report each row where `bad`; {placeholders} of the rule are cells of that row."""
        problems.extend(
            Problem(schema.STUDIES.file, row["line"], column, row[column], rule.format(**row))
            for row in frame[bad].to_dict("records")
        )

    report(events > n, "events", "is more than n ({n})")
    report(n == 0, "n", "people were analysed; leave it blank if the number is not known")
    report(
        (measure == "proportion") & ((value < 0) | (value > 1)),
        "value",
        "is not a proportion between 0 and 1; 71 % is written 0.71",
    )
    ratio = measure.isin(["risk ratio", "odds ratio"])
    report(ratio & (value <= 0), "value", "is not a ratio; ratios are above 0 and not logarithms")
    report(
        (measure == "proportion") & (events / n - value).abs().gt(0.0051),
        "value",
        "is not {events} of {n}",
    )
    report(
        (measure == "proportion") & ~is_filled["value"] & ~is_filled["events"],
        "value",
        "is not enough for a proportion; give it, or events and n",
    )
    report(
        (measure == "count") & ~is_filled["events"],
        "events",
        "is not enough for a count; give the number counted",
    )
    report(
        measure.isin(schema.NUMERIC_MEASURES) & ~is_filled["value"],
        "value",
        "is not enough for a {measure}; give the number, or use measure statement or range",
    )
    report(
        (worded | found) & is_filled["value"],
        "value",
        "stands beside measure {measure}, which has no number",
    )
    report((measure == "p value") & ~is_filled["p_value"], "p_value", "is not enough for a p value")
    report(
        found & ~is_filled["direction"],
        "direction",
        "is not enough for measure {measure}; say better, worse or no difference",
    )
    report(
        ~found & is_filled["direction"] & (frame["role"] != "contrast"),
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
    report(number["spread"] < 0, "spread", "is negative; a standard deviation cannot be")
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
    ends = frame["time"].str.extract(r"^([\d.]+)-([\d.]+)$").apply(pd.to_numeric, errors="coerce")
    report(ends[0] > ends[1], "time", "runs backwards; write the earlier time first")
    contrast = frame["role"] == "contrast"
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
    report(contrast & (frame["arm"] == frame["versus"]), "versus", "is the same as arm")
    needs_print = measure.isin(["proportion", *schema.NUMERIC_MEASURES, "date", "range"])
    report(
        needs_print & ~is_filled["as_printed"],
        "as_printed",
        "is not allowed; copy the number as the text prints it",
    )
    return problems
