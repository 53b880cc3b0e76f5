"""A valid project of very many results: the texts of the shipped rows, numbers made up anew.

Each made-up study has a row for every shipped row and numbers of its own, so that texts repeat
as often as people repeat them, and printed numbers hardly ever do. Each row is valid; only the
ratios and differences are no longer those of the counts beside them, which a check finds.
"""

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from random import Random

from evidence.dataset import schema

ROOT = Path(__file__).resolve().parents[1]
RATIOS = ("odds ratio", "risk ratio", "ratio")
BROKEN = 40
"""One note in so many goes over two lines, as a quoted cell may."""


def write_many(folder: Path, *, rows: int, seed: int = 1) -> Path:
    """A project in `folder` with exactly so many valid results; the same seed, the same files."""
    (folder / "data").mkdir(parents=True)
    shipped = list(_rows(schema.STUDIES))
    depths = _depths(list(_rows(schema.OUTCOMES)))
    studies = [f"trial{number}" for number in range(-(-rows // len(shipped)))]
    made = (row for key in studies for row in _study(key, shipped, depths, Random(f"{key}/{seed}")))
    _write(folder, schema.STUDIES, islice(made, rows))
    _write(folder, schema.DESIGNS, map(_design, studies))
    for table in (schema.OUTCOMES, schema.INSTRUMENTS):
        _write(folder, table, _rows(table))
    _write(folder, schema.DOSES, (row | {"source": "trial0"} for row in _rows(schema.DOSES)))
    with (folder / "references.bib").open("w", encoding="utf-8") as handle:
        for key in studies:
            handle.write(f"@article{{{key}, author = {{Writer, Ann}}, title = {{On {key}}},")
            handle.write(" year = {2001}}\n")
            handle.write(f"@article{{{key}retold, author = {{Reader, Bo and Writer, Ann}},")
            handle.write(f" title = {{Again on {key}}}, year = {{2003}}}}\n")
    return folder


def _rows(table: schema.Table) -> Iterator[dict[str, str]]:
    with (ROOT / table.file).open(newline="", encoding="utf-8") as handle:
        yield from csv.DictReader(handle)


def _write(folder: Path, table: schema.Table, rows) -> None:
    with (folder / table.file).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, table.names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _depths(outcomes: list[dict[str, str]]) -> dict[str, int]:
    """How many outcomes contain each: fewer people have what lies deeper."""
    within = {row["outcome"]: row["subset_of"] for row in outcomes}

    def depth(word: str) -> int:
        return 1 + depth(within[word]) if within.get(word) else 0

    return {word: depth(word) for word in within}


def _design(key: str) -> dict[str, str]:
    return {
        "study": key, "label": f"Writer 2001 {key}", "scope": "guide",
        "design": "randomised parallel", "randomised": "yes", "comparator_kind": "inactive",
        "n_analysed": "900", "followup": "60", "followup_unit": "year", "source": key,
        "locator": "Methods",
    }  # fmt: skip


def _study(key: str, shipped, depths: Mapping[str, int], random: Random):
    """The shipped rows as those of one study: what was one study and text is now one cohort."""
    cohorts: dict[tuple[str, str], int] = {}
    people: dict[str, int] = {}
    for row in shipped:
        cohort = cohorts.setdefault((row["study"], row["source"]), len(cohorts))
        made = row | {
            "study": key,
            "source": key if row["study"] == row["source"] else f"{key}retold",
        }
        for name in ("arm", "versus"):
            if row[name]:
                made[name] = f"{row[name]}, cohort {cohort}"
        if row["population"]:
            made["population"] = f"{row['population']}, of {key}"
        if row["note"]:
            blank = "\n" if random.randrange(BROKEN) == 0 else " "
            made["note"] = f"{row['note']}{blank}In {key}."
        n = people.setdefault(made["arm"], random.randint(120, 450))
        yield made | _numbers(row, n, depths.get(row["outcome"], 0), random)


def _numbers(row: Mapping[str, str], n: int, depth: int, random: Random) -> dict[str, str]:
    """Numbers in the place of those that the row has, and the text that prints them."""
    cells = {"n": str(n)} if row["n"] else {}
    bare = cells | {"ci_low": "", "ci_high": "", "p_value": "", "p_adjusted": ""}
    if row["measure"] == "proportion":
        events = int(n * (0.7 - 0.25 * min(depth, 2) + random.uniform(-0.1, 0.1)))
        percent = f"{100 * events / n:.1f}"
        cells |= {"events": str(events)} if row["events"] else {}
        cells |= {"value": f"{float(percent) / 100:.3f}"} if row["value"] else {}
        printed = f"{events} of {n}, {percent}%" if row["events"] else f"{percent}%"
        return bare | cells | {"as_printed": printed}
    if row["measure"] == "count":
        events = str(random.randint(1, n))
        return cells | {"events": events, "as_printed": events}
    if not row["value"]:
        return cells
    value = random.uniform(0.3, 2.5)
    if row["spread"]:
        value, spread = f"{10 * value:.2f}", f"{random.uniform(4, 6):.2f}"
        return bare | {"value": value, "spread": spread, "as_printed": f"{value} (SD {spread})"}
    if row["measure"] == "modelled proportion":
        value = value / 3
    if not row["ci_low"]:
        value = f"{value:.2f}" if row["measure"] == "mean" else f"{value:.3f}"
        return bare | {"value": value, "as_printed": value, "direction": ""}
    width = random.uniform(0.1, 0.25)
    ends = (value - width, value, value + width)
    if row["measure"] in RATIOS:
        ends = (value / (1 + width), value, value * (1 + width))
    low, value, high = (f"{number:.3f}" for number in ends)
    printed = f"{value} (95% CI {low} to {high})"
    found = {"value": value, "ci_low": low, "ci_high": high, "as_printed": printed}
    return bare | found | {"direction": ""}
