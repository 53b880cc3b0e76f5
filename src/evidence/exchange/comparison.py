"""A comparison of two groups of one study, as other programs store it, and its rows of `studies.csv`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evidence.analysis.results import IMPORTED
from evidence.dataset.cells import cell_reader
from evidence.dataset.schema import RATIO_MEASURES, Column
from evidence.errors import EvidenceError

FIELDS = {
    "study": "name of the study, like Smith 2001, or its BibTeX key",
    "year": "its year, if the name does not end with it",
    "condition": "condition of the participants",
    "population": "who they were",
    "outcome": "what was measured",
    "instrument": "the scale or test",
    "definition": "definition of the outcome",
    "time": "time after the start of treatment, a number",
    "time_unit": "unit of the time: minute, hour, day, week, month or year",
    "arm1": "name of the treated group",
    "arm2": "name of the comparison group",
    "dose1": "dose of the treated group, a number",
    "dose_unit": "its unit, like mg/day or sessions",
    "events1": "participants with the outcome, treated",
    "nonevents1": "participants without the outcome, treated",
    "n1": "participants, treated",
    "events2": "participants with the outcome, comparison",
    "nonevents2": "participants without the outcome, comparison",
    "n2": "participants, comparison",
    "events_n1": "participants behind events1, if not n1",
    "events_n2": "participants behind events2, if not n2",
    "mean1": "mean, treated",
    "sd1": "standard deviation, treated",
    "se1": "standard error, treated",
    "mean2": "mean, comparison",
    "sd2": "standard deviation, comparison",
    "se2": "standard error, comparison",
    "change1": "mean change from baseline, treated",
    "change_sd1": "standard deviation of the change, treated",
    "change_n1": "participants behind change1, if not n1",
    "change2": "mean change from baseline, comparison",
    "change_sd2": "standard deviation of the change, comparison",
    "change_n2": "participants behind change2, if not n2",
    "measure": "what the estimate is: risk ratio, odds ratio, risk difference, mean difference, smd …",
    "estimate": "effect of arm1 against arm2, on its natural scale",
    "log_estimate": "its logarithm, in place of it",
    "estimate_se": "standard error of the estimate, of a ratio on the log scale",
    "estimate_variance": "variance of the estimate, of a ratio on the log scale",
    "ci_low": "lower limit of its 95% CI",
    "ci_high": "upper limit of its 95% CI",
    "p_value": "its p value",
    "better": "which direction of the outcome is good: higher, lower or neither",
    "kind": "kind of outcome: benefit or harm",
    "design": "study design, like randomised parallel",
    "comparator_kind": "kind of comparator, like inactive",
}
"""What a comparison may say, in the words of a mapping file; every value is text."""
MEASURE_NAMES = {
    "rr": "risk ratio", "or": "odds ratio", "rd": "risk difference", "md": "mean difference",
    "smd": "smd", "g": "smd", "hr": "hazard ratio", "irr": "rate ratio", "generic": "effect",
    "standardized mean difference": "smd", "standardised mean difference": "smd",
}  # fmt: skip
"""Other names of measures, in lower case, and those of `studies.csv`."""
NOT_REPORTED = frozenset(
    ("", "na", "nan", "n/a", "n.a.", "nr", "n.r.", "none", "null", "-", "–", ".")
)
"""Cells in place of a number, in lower case, that say that it is missing."""

_read_number, _read_count = (cell_reader(Column("", kind, "")) for kind in ("number", "integer"))


class UnfitError(EvidenceError):
    """A value that no row of the tables can hold."""


@dataclass(frozen=True)
class Comparison:
    """One study's comparison of two groups in words of `FIELDS`.

    `place` names file and row, and `cells` the cell behind each field, if cells have names.
    """

    place: str
    fields: Mapping[str, str]
    cells: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a field; empty if there is none."""
        return self.fields.get(name, "").strip()

    def digits(self, name: str) -> str:
        """Return the text of a number; empty if it is not reported."""
        text = self.text(name)
        return "" if text.casefold() in NOT_REPORTED else _read_number(text)

    def number(self, name: str) -> float | None:
        """Return a field as a number, or None if it is not reported.

        Raise `UnfitError` if it is not a finite number.
        """
        text = self.digits(name)
        try:
            number = float(text) if text else None
        except ValueError:
            number = math.nan
        if number is not None and not math.isfinite(number):
            raise UnfitError(f"{self.cells.get(name, name)} {text!r} is not a number")
        return number

    def count(self, name: str) -> int | None:
        """Return a field as a whole number from 0, or None if it is not reported.

        Raise `UnfitError` if it is no whole number, or below 0.
        """
        text = self.text(name)
        if text.casefold() in NOT_REPORTED:
            return None
        digits = _read_count(text)
        if not digits.isdecimal():
            raise UnfitError(f"{self.cells.get(name, name)} {text!r} is not a whole number from 0")
        return int(digits)

    def locator(self, names: Iterator[str]) -> str:
        """Name the place of some of its fields."""
        cells = dict.fromkeys(self.cells[name] for name in names if name in self.cells)
        return f"{self.place}, {', '.join(cells)}" if cells else self.place


def result_rows(comparison: Comparison, file: str) -> list[dict[str, str]]:
    """Return the rows of `studies.csv` that a comparison makes, without study and source.

    Counts and means make a row for each group, an estimate makes a contrast. Raise `UnfitError` if
    a number is not one, or nothing in the comparison makes a row.
    """
    common = {
        name: comparison.text(name)
        for name in ("condition", "population", "outcome", "instrument", "definition", "time")
    }
    common["time_unit"] = comparison.text("time_unit") if common["time"] else ""
    common |= {"reported_by": "review", "verified": f"{IMPORTED}{file}, not read at its source"}
    dose = {}
    if comparison.number("dose1") is not None:
        dose = {"dose": comparison.digits("dose1"), "dose_unit": comparison.text("dose_unit")}
    rows = [
        common | row | (dose if row["role"] != "comparator" else {})
        for make_rows in (_proportions, _means, _changes, _contrasts)
        for row in make_rows(comparison)
    ]
    if not rows:
        raise UnfitError("neither events with n, nor means, nor an estimate with its SE or CI")
    return rows


def _sides(comparison: Comparison) -> Iterator[tuple[str, dict[str, str]]]:
    for side, role in (("1", "intervention"), ("2", "comparator")):
        yield side, {"arm": comparison.text(f"arm{side}"), "role": role}


def _proportions(comparison: Comparison) -> Iterator[dict[str, str]]:
    for side, arm in _sides(comparison):
        events, others = (comparison.count(f"{name}{side}") for name in ("events", "nonevents"))
        n = comparison.count(f"events_n{side}")
        n = comparison.count(f"n{side}") if n is None else n
        if events is None and n is not None and others is not None:
            events = n - others
        if events is not None and n is None and others is not None:
            n = events + others
        if events is not None and n is not None:
            fields = (f"{name}{side}" for name in ("events", "nonevents", "events_n", "n"))
            yield arm | {
                "measure": "proportion",
                "events": f"{events}",
                "n": f"{n}",
                "as_printed": f"{events}/{n}",
                "locator": comparison.locator(fields),
            }


def _means(comparison: Comparison) -> Iterator[dict[str, str]]:
    yield from _mean_rows(comparison, "mean", ("sd", "se"), "n", {})


def _changes(comparison: Comparison) -> Iterator[dict[str, str]]:
    definition = {"definition": comparison.text("definition") or "change from baseline"}
    yield from _mean_rows(comparison, "change", ("change_sd",), "change_n", definition)


def _mean_rows(
    comparison: Comparison, mean: str, spreads: tuple[str, ...], n: str, cells: dict[str, str]
) -> Iterator[dict[str, str]]:
    for side, arm in _sides(comparison):
        if comparison.number(mean + side) is None:
            continue
        kind = next((kind for kind in spreads if comparison.number(kind + side) is not None), "")
        spread = comparison.digits(kind + side) if kind else ""
        name = kind.removeprefix("change_").upper()
        size = comparison.count(n + side)
        size = comparison.count(f"n{side}") if size is None else size
        value = comparison.digits(mean + side)
        yield (
            arm
            | cells
            | {
                "measure": "mean",
                "n": "" if size is None else f"{size}",
                "value": value,
                "spread": spread,
                "spread_kind": name.lower(),
                "as_printed": f"{value} ({name} {spread})" if spread else value,
                "locator": comparison.locator(f + side for f in (mean, *spreads, n, "n")),
            }
        )


def _contrasts(comparison: Comparison) -> Iterator[dict[str, str]]:
    estimate, logarithm = comparison.number("estimate"), comparison.number("log_estimate")
    if estimate is None and logarithm is None:
        return
    measure = comparison.text("measure")
    if not measure:
        raise UnfitError("an estimate, but no measure. Say which, like --set measure=smd")
    measure = MEASURE_NAMES.get(measure.casefold(), measure)
    if logarithm is not None and measure not in RATIO_MEASURES:
        raise UnfitError(f"the logarithm of a {measure}, which has none")
    value = comparison.digits("estimate") if logarithm is None else f"{math.exp(logarithm):.10g}"
    spread, variance = comparison.digits("estimate_se"), comparison.number("estimate_variance")
    if not spread and variance is not None:
        if variance <= 0:
            raise UnfitError(f"a variance of {variance:g}")
        spread = f"{math.sqrt(variance):.10g}"
    sizes = [comparison.count(name) for name in ("n1", "n2")]
    yield {
        "arm": comparison.text("arm1"),
        "role": "contrast",
        "versus": comparison.text("arm2"),
        "measure": measure,
        "n": f"{sum(size or 0 for size in sizes)}" if None not in sizes else "",
        "value": value,
        "spread": spread,
        "spread_kind": "se" if spread else "",
        "ci_low": comparison.digits("ci_low"),
        "ci_high": comparison.digits("ci_high"),
        "p_value": comparison.digits("p_value"),
        "as_printed": _printed(comparison, value, spread),
        "locator": comparison.locator(
            name for name in FIELDS if name.startswith(("estimate", "log_", "ci_", "p_", "n"))
        ),
    }


def _printed(comparison: Comparison, value: str, se: str) -> str:
    """Return the estimate with its uncertainty, and what the file has in place of these."""
    low, high = comparison.digits("ci_low"), comparison.digits("ci_high")
    parts = [value, f"SE {se}" if se else "", f"{low} to {high}" if low else ""]
    entered = {"log": "log_estimate", "variance": "estimate_variance"}
    origins = [f"{word} {comparison.digits(name)}" for word, name in entered.items()]
    origins = [origin for origin in origins if not origin.endswith(" ")]
    text = ", ".join(filter(None, parts))
    return f"{text} (entered as {', '.join(origins)})" if origins else text
