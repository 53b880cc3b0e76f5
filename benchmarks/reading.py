"""Time how long a table of very many results takes to be read and checked, against pandas alone."""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks.many_rows import write_many
from evidence.analysis.checks import check_consistency
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset, load_dataset

FEW, RUNS = 100_000, 3
"""Rows up to which everything is measured more than once, and how often."""


def reading(rows: int = 1_000_000) -> dict[str, float]:
    """CPU seconds for a valid table of so many results, one after the other in this process.

    Returns
    -------
    dict
        `rows` and `megabytes` of the table; the seconds of `read_csv` (pandas, each cell as
        text), `load_dataset` and `check_consistency`; `read_ratio`, the second as a multiple of
        the first, and `check_ratio`, that of all that `evidence check` does.
    """
    runs = RUNS if rows <= FEW else 1
    with tempfile.TemporaryDirectory() as folder:
        project = write_many(Path(folder) / "many", rows=rows)
        path = project / schema.STUDIES.file
        alone, _ = _timed(lambda: pd.read_csv(path, dtype=str, keep_default_na=False), runs)
        read, dataset = _timed(lambda: load_dataset(project), runs)
        check, _ = _timed(lambda: check_consistency(dataset), runs)
        return {
            "rows": len(dataset.results),
            "megabytes": path.stat().st_size / 1e6,
            "read_csv": alone,
            "load_dataset": read,
            "check_consistency": check,
            "read_ratio": read / alone,
            "check_ratio": (read + check) / alone,
        }


def _timed(work: Callable[[], pd.DataFrame | Dataset | list], runs: int):
    """The median CPU time of `work` over some runs, in seconds, and what it gave."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return median(times), result


def main() -> int:
    """Print the figures; `--rows` says for how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    found = reading(parser.parse_args().rows)
    print(f"{found['rows']:,} results, {found['megabytes']:.0f} MB")
    print(f"pandas.read_csv: {found['read_csv']:.2f} s")
    print(f"load_dataset: {found['load_dataset']:.2f} s, {found['read_ratio']:.1f} times that")
    print(
        f"with check_consistency: {found['load_dataset'] + found['check_consistency']:.2f} s, "
        f"{found['check_ratio']:.1f} times that"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
