"""Time the grid of specifications on the shipped tables against one fit at a time."""

import time
from pathlib import Path
from statistics import median

from benchmarks.publishing import publish
from evidence import Question, main_question, read_corpus, select_results, specify
from evidence.estimation.pooling import pool
from evidence.synthesis import specifications

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
            for estimator in specifications.ESTIMATORS:
                for test in specifications.TESTS if estimator != "ce" else ("z",):
                    pool(yi, vi, method=estimator, test=test)


def together(choices) -> None:
    """The same fits, all at once."""
    for estimator in specifications.ESTIMATORS:
        for test in specifications.TESTS if estimator != "ce" else ("z",):
            specifications.pool_choices(choices, estimator, test, 0.95)


def main() -> int:
    """Print and publish the timings; 1 if 500 specifications take 2 s or more."""
    corpus = read_corpus(ROOT)
    results = select_results(corpus)
    question = main_question(corpus, results, Question("response", "rr"))
    asked = {"outcomes": ["response", "remission"], "times": [1, 3, 7, 14, 28]}
    found = specify(corpus, results, question, **asked)
    whole = timed(lambda: specify(corpus, results, question, **asked)) / len(found.frame) * 500
    choices = list(specifications.every_choice(corpus, results, question, **asked))
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
