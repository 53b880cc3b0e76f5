"""Write a valid project of very many results: the texts of the shipped rows with other numbers.

Each invented study has one row per shipped row and its own numbers, so that texts repeat as often as
people repeat them and printed numbers hardly ever do. Every row is valid on its own; ratios and
differences do not follow from the counts beside them, which a check finds.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from evidence.dataset import schema

ROOT = Path(__file__).resolve().parents[1]
ROWS_PER_LINE_BREAK = 40
"""One note in so many contains a line break, as a quoted cell may."""
Row = Mapping[str, str]


def write_many(folder: Path, *, rows: int, seed: int = 1) -> Path:
    """Write a project with exactly `rows` valid results; the same seed writes the same files."""
    (folder / "data").mkdir(parents=True)
    templates = list(_read_shipped(schema.STUDIES))
    depths = _depths(list(_read_shipped(schema.OUTCOMES)))
    studies = [f"trial{number}" for number in range(-(-rows // len(templates)))]
    results = (
        row
        for study in studies
        for row in _results(study, templates, depths, Random(f"{study}/{seed}"))
    )
    doses = (row | {"source": "trial0"} for row in _read_shipped(schema.DOSES))
    _write(folder, schema.STUDIES, islice(results, rows))
    _write(folder, schema.DESIGNS, map(_design, studies))
    _write(folder, schema.OUTCOMES, _read_shipped(schema.OUTCOMES))
    _write(folder, schema.INSTRUMENTS, _read_shipped(schema.INSTRUMENTS))
    _write(folder, schema.DOSES, doses)
    with (folder / schema.BIBLIOGRAPHY_FILE).open("w", encoding="utf-8") as file:
        for study in studies:
            file.write(f"@article{{{study}, author = {{Writer, Ann}}, title = {{On {study}}},")
            file.write(" year = {2001}}\n")
            file.write(f"@article{{{study}retold, author = {{Reader, Bo and Writer, Ann}},")
            file.write(f" title = {{Again on {study}}}, year = {{2003}}}}\n")
    return folder


def _read_shipped(table: schema.Table) -> Iterator[dict[str, str]]:
    with (ROOT / table.file).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _write(folder: Path, table: schema.Table, rows: Iterable[Row]) -> None:
    with (folder / table.file).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table.names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _depths(outcomes: Sequence[Row]) -> dict[str, int]:
    """How many outcomes contain each: the deeper an outcome lies, the fewer participants have it."""
    supersets = {row["outcome"]: row["subset_of"] for row in outcomes}

    def depth(outcome: str) -> int:
        superset = supersets.get(outcome)
        return 1 + depth(superset) if superset else 0

    return {outcome: depth(outcome) for outcome in supersets}


def _design(study: str) -> Row:
    return {
        "study": study, "label": f"Writer 2001 {study}", "scope": "core",
        "design": "randomised parallel", "randomised": "yes", "comparator_kind": "inactive",
        "n_analysed": "900", "followup": "60", "followup_unit": "year", "source": study,
        "locator": "Methods",
    }  # fmt: skip


def _results(
    study: str, templates: Sequence[Row], depths: Mapping[str, int], random: Random
) -> Iterator[Row]:
    """Yield the shipped rows as those of one study, with each study and source as a cohort."""
    cohorts: dict[tuple[str, str], int] = {}
    arm_sizes: dict[str, int] = {}
    for template in templates:
        cohort = cohorts.setdefault((template["study"], template["source"]), len(cohorts))
        is_own = template["study"] == template["source"]
        # What the shipped row repeats is not the result of this study.
        cells = {"study": study, "source": study if is_own else f"{study}retold", "repeats": ""}
        for name in ("arm", "versus"):
            if template[name]:
                cells[name] = f"{template[name]}, cohort {cohort}"
        if template["population"]:
            cells["population"] = f"{template['population']}, of {study}"
        if template["note"]:
            blank = "\n" if random.randrange(ROWS_PER_LINE_BREAK) == 0 else " "
            cells["note"] = f"{template['note']}{blank}In {study}."
        n = arm_sizes.setdefault(cells["arm"], random.randint(120, 450))
        depth = depths.get(template["outcome"], 0)
        yield {**template, **cells, **_numbers(template, n, depth, random)}


def _numbers(template: Row, n: int, depth: int, random: Random) -> dict[str, str]:
    """Random numbers in place of those of the template, and the text that prints them."""
    cells = {"n": str(n)} if template["n"] else {}
    without_ci = cells | dict.fromkeys(("ci_low", "ci_high", "p_value", "p_adjusted"), "")
    measure = template["measure"]
    if measure == "proportion":
        events = int(n * (0.7 - 0.25 * min(depth, 2) + random.uniform(-0.1, 0.1)))
        percentage = f"{100 * events / n:.1f}"
        cells |= {"events": str(events)} if template["events"] else {}
        cells |= {"value": f"{float(percentage) / 100:.3f}"} if template["value"] else {}
        count = f"{events} of {n}, " if template["events"] else ""
        return without_ci | cells | {"as_printed": f"{count}{percentage}%"}
    if measure == "count":
        events = random.randint(1, n)
        return cells | {"events": str(events), "as_printed": str(events)}
    if not template["value"]:
        return cells
    value = random.uniform(0.3, 2.5)
    if template["spread"]:
        printed, spread = f"{10 * value:.2f}", f"{random.uniform(4, 6):.2f}"
        text = f"{printed} (SD {spread})"
        return without_ci | {"value": printed, "spread": spread, "as_printed": text}
    if measure == "modelled proportion":
        value /= 3
    if not template["ci_low"]:
        printed = f"{value:.2f}" if measure == "mean" else f"{value:.3f}"
        return without_ci | {"value": printed, "as_printed": printed, "direction": ""}
    width = random.uniform(0.1, 0.25)
    is_ratio = measure in schema.RATIO_MEASURES
    ends = (
        (value / (1 + width), value * (1 + width)) if is_ratio else (value - width, value + width)
    )
    low, printed, high = (f"{number:.3f}" for number in (ends[0], value, ends[1]))
    text = f"{printed} (95% CI {low} to {high})"
    cells |= {"value": printed, "ci_low": low, "ci_high": high, "as_printed": text}
    return without_ci | cells | {"direction": ""}
