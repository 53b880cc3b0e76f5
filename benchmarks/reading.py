"""Time how long a table of very many results takes to be read and checked, against pandas alone."""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks.many_rows import write_many
from evidence.corpus import schema
from evidence.corpus.reading import Corpus, read_corpus
from evidence.synthesis.checks import check_consistency

FEW, RUNS = 100_000, 3
"""Rows up to which everything is measured more than once, and how often."""


def reading(rows: int = 1_000_000) -> dict[str, float]:
    """CPU seconds for a valid table of so many results, one after the other in this process.

    Returns
    -------
    dict
        `rows` and `megabytes` of the table; the seconds of `read_csv` (pandas, each cell as
        text), `read_corpus` and `check_consistency`; `read_ratio`, the second as a multiple of
        the first, and `check_ratio`, that of all that `evidence check` does.
    """
    runs = RUNS if rows <= FEW else 1
    with tempfile.TemporaryDirectory() as folder:
        project = write_many(Path(folder) / "many", rows=rows)
        path = project / schema.STUDIES.file
        alone, _ = _timed(lambda: pd.read_csv(path, dtype=str, keep_default_na=False), runs)
        read, corpus = _timed(lambda: read_corpus(project), runs)
        check, _ = _timed(lambda: check_consistency(corpus), runs)
        return {
            "rows": len(corpus.results),
            "megabytes": path.stat().st_size / 1e6,
            "read_csv": alone,
            "read_corpus": read,
            "check_consistency": check,
            "read_ratio": read / alone,
            "check_ratio": (read + check) / alone,
        }


def _timed(work: Callable[[], pd.DataFrame | Corpus | list], runs: int):
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
    print(f"read_corpus: {found['read_corpus']:.2f} s, {found['read_ratio']:.1f} times that")
    print(
        f"with check_consistency: {found['read_corpus'] + found['check_consistency']:.2f} s, "
        f"{found['check_ratio']:.1f} times that"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
