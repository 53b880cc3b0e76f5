"""Time the specification curve of the shipped data, and its batched fits against single ones."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.publishing import publish
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.pooling.specification_curve import (
    MODELS,
    StudySelection,
    pool_selections,
    specification_curve,
    study_selections,
)
from evidence.analysis.results import select_results
from evidence.dataset.dataset import read_dataset
from evidence.statistics.meta_analysis import pool

ROOT = Path(__file__).resolve().parents[1]
GOAL_SECONDS = 1.0
RUNS = 5
REPEATS = 20
"""The shipped data allow too few fits to tell a ratio from noise."""


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median time of some runs."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def fit_one_by_one(selections: Sequence[StudySelection]) -> None:
    """Fit every specification by itself."""
    for selection in selections:
        yi, vi = selection.studies["yi"].to_numpy(), selection.studies["vi"].to_numpy()
        for estimator, test in MODELS:
            pool(yi, vi, method=estimator, test=test)


def fit_at_once(selections: Sequence[StudySelection]) -> None:
    """Fit all selections of each model at once."""
    for estimator, test in MODELS:
        pool_selections(selections, estimator, test, 0.95)


def main() -> int:
    """Print and publish the timings; return 1 if 500 specifications take too long."""
    dataset = read_dataset(ROOT)
    results = select_results(dataset)
    question = main_question(dataset, results, Question("response", "rr"))
    choices = {"outcomes": ["response", "remission"], "times": [1, 3, 7, 14, 28]}

    def compute():
        return specification_curve(dataset, results, question, **choices)

    number = len(compute().frame)
    seconds = 500 * median_seconds(compute) / number
    selections = list(study_selections(dataset, results, question, **choices))
    poolable = [selection for selection in selections if not selection.refused] * REPEATS
    single = median_seconds(lambda: fit_one_by_one(poolable))
    ratio = single / median_seconds(lambda: fit_at_once(poolable))
    text = (
        "| specification curve of the shipped data | |\n| --- | --- |\n"
        f"| specifications | {number} |\n"
        f"| seconds for 500 of them, from tables to sentence | {seconds:.2f} |\n"
        f"| batched fits, against one at a time | {ratio:.0f} times as fast |"
    )
    publish("specifications", text)
    return 0 if seconds < GOAL_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
