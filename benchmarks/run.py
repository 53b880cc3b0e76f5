"""Seed errors, count how many the checks find, and publish the table (`make benchmark`)."""

import csv
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from tqdm import tqdm

from benchmarks.publishing import publish
from benchmarks.seeded_errors import KINDS
from benchmarks.synthetic import write_synthetic
from evidence.analysis.checks import check_consistency
from evidence.dataset import schema
from evidence.dataset.csv_reader import read_tables
from evidence.dataset.dataset import build_dataset, load_dataset
from evidence.errors import DatasetError

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "seeded_errors.csv"
EACH, CLEAN, GOAL = 100, 100, 0.95
# The thresholds of the checks were chosen on made-up corpora with smaller seeds than these.
FIRST_SEED = 1000
CORPORA, CLEAN_GROUP = ("shipped", "synthetic"), "clean"


@dataclass(frozen=True)
class Dataset:
    """Tables as text with what is needed to check them, and what is found in them as they are."""

    frames: dict
    bibliography: dict
    years: dict
    baseline: frozenset


def load(project: Path) -> Dataset:
    """The tables of a project, ready for errors to be seeded."""
    dataset = load_dataset(project)
    years = {key: int(ref.year) for key, ref in dataset.bibliography.items() if ref.year.isdigit()}
    tables, _ = read_tables(project)
    frames = {file: rows.astype("str").reset_index() for file, rows in tables.items()}
    return Dataset(
        frames, dataset.bibliography, years, frozenset(found(frames, dataset.bibliography))
    )


def found(frames, bibliography) -> Iterator[tuple[str, str]]:
    """Everything that reading and checking says of these tables: an address and the words."""
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
def _corpus(name: str) -> Dataset:
    if name == "shipped":
        return load(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        return load(write_synthetic(Path(folder) / "clean", seed=FIRST_SEED))


def seed_one(name: str, number: int, seed: int) -> bool | None:
    """Whether error `seed` of a kind is found at a row it touched; None if it cannot be seeded."""
    dataset, kind = _corpus(name), KINDS[number]
    random = Random(f"{kind.name}/{seed}")
    for _ in range(50):
        tables = {file: frame.copy() for file, frame in dataset.frames.items()}
        touched = kind.seed(random, tables, dataset.years)
        if touched:
            new = set(found(tables, dataset.bibliography)) - dataset.baseline
            return any(address in touched for address, _ in new)
    return None


def recall(each: int, progress=lambda: None) -> list[dict[str, object]]:
    """One row a kind and dataset: how many errors were seeded and how many were found."""
    tasks = [(n, number, seed) for n in CORPORA for number in range(len(KINDS))
             for seed in range(each)]  # fmt: skip
    counts: dict[tuple[str, int], list[int]] = {}
    with ProcessPoolExecutor() as pool:
        for (name, number, _), hit in zip(
            tasks, pool.map(seed_one, *zip(*tasks, strict=True), chunksize=20), strict=True
        ):
            seen = counts.setdefault((name, number), [0, 0])
            if hit is not None:
                seen[0] += 1
                seen[1] += hit
            progress()
    return [
        {
            "kind": KINDS[number].name, "group": KINDS[number].group, "dataset": name,
            "seeded": seeded, "found": hits,
        }
        for (name, number), (seeded, hits) in counts.items()
    ]  # fmt: skip


def false_alarms(corpora: int) -> dict[str, object]:
    """What is found in made-up corpora without a slip: their rows, and the findings on them."""
    rows = alarms = 0
    for seed in range(FIRST_SEED, FIRST_SEED + corpora):
        with tempfile.TemporaryDirectory() as folder:
            dataset = load(write_synthetic(Path(folder) / "clean", seed=seed))
        rows += len(dataset.frames[schema.STUDIES.file])
        alarms += len(dataset.baseline)
    return {"kind": "none", "group": CLEAN_GROUP, "dataset": "synthetic", "seeded": rows,
            "found": alarms}  # fmt: skip


def as_markdown(table: list[dict]) -> str:
    """The published table: recall of each kind in both corpora, false alarms in the last row."""
    lines = ["| kind of error | can a check see it | shipped tables | made-up dataset |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    counts = {(r["kind"], r["dataset"]): (int(r["found"]), int(r["seeded"])) for r in table}
    for kind in KINDS:
        cells = []
        for name in CORPORA:
            hits, seeded = counts[kind.name, name]
            cells.append(f"{hits} of {seeded}" if seeded else "does not occur")
        lines.append(f"| {kind.name} | {kind.group} | {' | '.join(cells)} |")
    alarms, rows = counts["none", "synthetic"]
    lines.append(f"| none: false alarms | | | {alarms} in {rows:,} rows |")
    return "\n".join(lines)


def main() -> int:
    """Run everything; 1 if a kind that can be seen is missed too often, or an alarm is false."""
    with tqdm(total=len(CORPORA) * len(KINDS) * EACH, unit="error", leave=False) as bar:
        table = recall(EACH, bar.update)
    table.append(false_alarms(CLEAN))
    with TABLE.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    publish("benchmark", as_markdown(table))
    missed = [r for r in table if r["group"] == "seen" and r["found"] < GOAL * r["seeded"]]
    missed += [r for r in table if r["group"] == CLEAN_GROUP and r["found"]]
    for row in missed:
        print(f"short of the goal: {row['kind']} ({row['dataset']})", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
