"""Time a dose–response curve over 50 made-up trials of one to four doses."""

import numpy as np

from benchmarks.publishing import publish
from benchmarks.specifications import median_seconds
from evidence.statistics.dose_contrasts import mean_contrasts
from evidence.statistics.dose_response import SHAPES, fit_dose_response

GOAL_SECONDS = 0.2
DOSES = np.array([0.0, 0.1, 0.2, 0.5, 1.0])


def make_trials(number: int = 50):
    """Return trials whose effect follows an Emax curve that varies between trials."""
    random = np.random.default_rng(1)
    trials = []
    for _ in range(number):
        doses = DOSES[: random.integers(2, 6)]
        n = np.full(len(doses), 30.0)
        effect = 8 * (1 + 0.3 * random.normal()) * doses / (0.3 + doses)
        means = effect + 10 * random.normal(size=len(doses)) / np.sqrt(n)
        trials.append(mean_contrasts(doses, means, np.full(len(doses), 10.0), n))
    return trials


def main() -> int:
    """Print and publish the timings; return 1 if a shape takes too long."""
    trials = make_trials()
    seconds = {
        shape: median_seconds(lambda shape=shape: fit_dose_response(trials, shape=shape))
        for shape in SHAPES
    }
    lines = [f"| {shape} | {value:.2f} |" for shape, value in seconds.items()]
    header = "| curve over 50 trials | seconds |\n| --- | --- |"
    publish("dose_response", "\n".join([header, *lines]))
    return 0 if max(seconds.values()) < GOAL_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
