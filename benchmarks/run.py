"""Seed errors, count how many the checks detect, and publish the table (`make benchmark`)."""

import csv
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import pandas as pd
from tqdm import tqdm

from benchmarks.publishing import publish
from benchmarks.seeded_errors import KINDS
from benchmarks.synthetic import write_synthetic
from evidence.analysis.checks import check_consistency
from evidence.dataset import schema
from evidence.dataset.csv_reader import read_tables
from evidence.dataset.dataset import build_dataset, read_dataset
from evidence.errors import DatasetError

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "seeded_errors.csv"
ERRORS_PER_KIND, CLEAN_DATASETS, RECALL_GOAL = 100, 100, 0.95
# The thresholds of the checks were chosen on made-up datasets with smaller seeds than these.
FIRST_SEED = 1000
MAX_ATTEMPTS = 50
DATASETS, CLEAN_GROUP = ("shipped", "synthetic"), "clean"


@dataclass(frozen=True)
class SeedableTables:
    """Tables as text, the years of their sources, and the problems they have without a slip."""

    frames: Mapping[str, pd.DataFrame]
    bibliography: Mapping
    years: Mapping[str, int]
    baseline: frozenset


def load_tables(project: Path) -> SeedableTables:
    """Read the tables of a project so that errors can be seeded."""
    bibliography = read_dataset(project).bibliography
    years = {key: int(ref.year) for key, ref in bibliography.items() if ref.year.isdigit()}
    tables, _ = read_tables(project)
    frames = {file: rows.astype("str").reset_index() for file, rows in tables.items()}
    return SeedableTables(
        frames, bibliography, years, frozenset(find_problems(frames, bibliography))
    )


def find_problems(frames: Mapping, bibliography: Mapping) -> Iterator[tuple[str, str]]:
    """Yield every problem and finding of these tables: an address and the message."""
    try:
        tables = {
            file: frame.set_index("line").astype("category") for file, frame in frames.items()
        }
        dataset = build_dataset(ROOT, tables, bibliography, {})
    except DatasetError as error:
        yield from ((f"{problem.file}:{problem.line}", str(problem)) for problem in error.problems)
        return
    for finding in check_consistency(dataset):
        yield from ((row, finding.code + finding.message) for row in finding.rows)


@cache
def _load_dataset(name: str) -> SeedableTables:
    if name == "shipped":
        return load_tables(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        return load_tables(write_synthetic(Path(folder) / "clean", seed=FIRST_SEED))


def is_detected(name: str, kind_number: int, seed: int) -> bool | None:
    """Seed one error and tell whether a problem is found in its rows; None if it cannot occur."""
    tables, kind = _load_dataset(name), KINDS[kind_number]
    random = Random(f"{kind.name}/{seed}")
    for _ in range(MAX_ATTEMPTS):
        frames = {file: frame.copy() for file, frame in tables.frames.items()}
        changed_rows = kind.seed(random, frames, tables.years)
        if changed_rows:
            problems = set(find_problems(frames, tables.bibliography)) - tables.baseline
            return any(address in changed_rows for address, _ in problems)
    return None


def measure_recall(each: int, progress: Callable = lambda: None) -> list[dict[str, object]]:
    """Return one record per kind and dataset: errors seeded and detected."""
    tasks = [(name, number, seed) for name in DATASETS for number in range(len(KINDS))
             for seed in range(each)]  # fmt: skip
    counts = {(name, number): [0, 0] for name in DATASETS for number in range(len(KINDS))}
    with ProcessPoolExecutor() as pool:
        outcomes = pool.map(is_detected, *zip(*tasks, strict=True), chunksize=20)
        for (name, number, _), detected in zip(tasks, outcomes, strict=True):
            if detected is not None:
                counts[name, number][0] += 1
                counts[name, number][1] += detected
            progress()
    return [
        {
            "kind": KINDS[number].name, "group": KINDS[number].group, "dataset": name,
            "seeded": seeded, "found": detected,
        }
        for (name, number), (seeded, detected) in counts.items()
    ]  # fmt: skip


def count_false_alarms(datasets: int) -> dict[str, object]:
    """Return how many rows clean made-up datasets have, and how many findings on them."""
    rows = alarms = 0
    for seed in range(FIRST_SEED, FIRST_SEED + datasets):
        with tempfile.TemporaryDirectory() as folder:
            tables = load_tables(write_synthetic(Path(folder) / "clean", seed=seed))
        rows += len(tables.frames[schema.STUDIES.file])
        alarms += len(tables.baseline)
    return {"kind": "none", "group": CLEAN_GROUP, "dataset": "synthetic", "seeded": rows,
            "found": alarms}  # fmt: skip


def as_markdown(records: list[dict]) -> str:
    """Format the published table: recall by kind and dataset, and false alarms in the last row."""
    lines = ["| kind of error | can a check detect it | shipped tables | made-up dataset |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    counts = {(r["kind"], r["dataset"]): (int(r["found"]), int(r["seeded"])) for r in records}
    for kind in KINDS:
        cells = []
        for name in DATASETS:
            detected, seeded = counts[kind.name, name]
            cells.append(f"{detected} of {seeded}" if seeded else "does not occur")
        lines.append(f"| {kind.name} | {kind.group} | {' | '.join(cells)} |")
    alarms, rows = counts["none", "synthetic"]
    lines.append(f"| none: false alarms | | | {alarms} in {rows:,} rows |")
    return "\n".join(lines)


def main() -> int:
    """Run everything; return 1 if detectable errors are missed too often, or an alarm is false."""
    total = len(DATASETS) * len(KINDS) * ERRORS_PER_KIND
    with tqdm(total=total, unit="error", leave=False) as bar:
        records = measure_recall(ERRORS_PER_KIND, bar.update)
    records.append(count_false_alarms(CLEAN_DATASETS))
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    publish("benchmark", as_markdown(records))
    below_goal = [
        record
        for record in records
        if (record["group"] == "always" and record["found"] < RECALL_GOAL * record["seeded"])
        or (record["group"] == CLEAN_GROUP and record["found"])
    ]
    for record in below_goal:
        print(f"below the goal: {record['kind']} ({record['dataset']})", file=sys.stderr)
    return 1 if below_goal else 0


if __name__ == "__main__":
    sys.exit(main())
