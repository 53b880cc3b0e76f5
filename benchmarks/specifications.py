"""Time the grid of specifications on the shipped tables against one fit at a time."""

import time
from pathlib import Path
from statistics import median

from benchmarks.publishing import publish
from evidence.analysis.pooling import specification_curve
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.results import select_results
from evidence.dataset.dataset import load_dataset
from evidence.statistics.meta_analysis import pool

ROOT = Path(__file__).resolve().parents[1]
GOAL = 2.0
RUNS = 5


def timed(work) -> float:
    """The median time of `work` over some runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def singly(choices) -> None:
    """Every specification fitted by itself, as `pool` does it."""
    for choice in choices:
        if not choice.refused:
            yi, vi = choice.studies["yi"].to_numpy(), choice.studies["vi"].to_numpy()
            for estimator in specification_curve.ESTIMATORS:
                for test in specification_curve.TESTS if estimator != "common" else ("z",):
                    pool(yi, vi, method=estimator, test=test)


def together(choices) -> None:
    """The same fits, all at once."""
    for estimator in specification_curve.ESTIMATORS:
        for test in specification_curve.TESTS if estimator != "common" else ("z",):
            specification_curve.pool_selections(choices, estimator, test, 0.95)


def main() -> int:
    """Print and publish the timings; 1 if 500 specifications take 2 s or more."""
    dataset = load_dataset(ROOT)
    results = select_results(dataset)
    question = main_question(dataset, results, Question("response", "rr"))
    asked = {"outcomes": ["response", "remission"], "times": [1, 3, 7, 14, 28]}
    found = specification_curve.specification_curve(dataset, results, question, **asked)
    whole = (
        timed(lambda: specification_curve.specification_curve(dataset, results, question, **asked))
        / len(found.frame)
        * 500
    )
    choices = list(specification_curve.study_selections(dataset, results, question, **asked))
    # Many more fits than the shipped tables allow, so that a ratio can be told from noise.
    many = [choice for choice in choices if not choice.refused] * 20
    ratio = timed(lambda: singly(many)) / timed(lambda: together(many))
    text = (
        "| the grid of specifications on the shipped tables | |\n| --- | --- |\n"
        f"| specifications | {len(found.frame)} |\n"
        f"| seconds for 500 of them, from tables to sentence | {whole:.2f} |\n"
        f"| fits together, against one at a time | {ratio:.0f} times as fast |"
    )
    publish("specifications", text)
    return 0 if whole < GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
