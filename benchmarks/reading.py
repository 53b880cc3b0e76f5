"""Measure how long a large table takes to be read and checked, against `pandas.read_csv` alone."""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks.many_rows import write_many
from evidence.analysis.checks import check_consistency
from evidence.dataset import schema
from evidence.dataset.dataset import read_dataset


@dataclass(frozen=True)
class ReadingTimes:
    """CPU seconds for one table, one step after the other in this process."""

    rows: int
    megabytes: float
    read_csv: float
    read_dataset: float
    check_consistency: float

    @property
    def load_ratio(self) -> float:
        """Reading and validation as a multiple of `read_csv`."""
        return self.read_dataset / self.read_csv

    @property
    def check_ratio(self) -> float:
        """All that `evidence check` does as a multiple of `read_csv`."""
        return (self.read_dataset + self.check_consistency) / self.read_csv


def measure_reading(rows: int = 1_000_000) -> ReadingTimes:
    """Measure a valid table of `rows` results."""
    with tempfile.TemporaryDirectory() as folder:
        project = write_many(Path(folder) / "many", rows=rows)
        path = project / schema.STUDIES.file
        # Reading alone is short, and its time varies most.
        read_csv = [
            _cpu_seconds(lambda: pd.read_csv(path, dtype=str, keep_default_na=False))
            for _ in range(3)
        ]
        load = _cpu_seconds(lambda: read_dataset(project))
        dataset = read_dataset(project)
        check = _cpu_seconds(lambda: check_consistency(dataset))
        return ReadingTimes(rows, path.stat().st_size / 1e6, median(read_csv), load, check)


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> int:
    """Print the times for a table of `--rows` results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    times = measure_reading(parser.parse_args().rows)
    print(f"{times.rows:,} results, {times.megabytes:.0f} MB")
    print(f"pandas.read_csv    {times.read_csv:6.2f} s")
    print(f"read_dataset       {times.read_dataset:6.2f} s, {times.load_ratio:.1f} times")
    print(f"check_consistency  {times.check_consistency:6.2f} s")
    print(f"evidence check     {times.check_ratio:.1f} times pandas.read_csv")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
