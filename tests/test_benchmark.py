"""The benchmark: seeded errors are detected, clean data give no alarm, the results are published."""

import csv
from random import Random

import pytest

from benchmarks import run
from benchmarks.publishing import PAGE
from benchmarks.seeded_errors import KINDS
from benchmarks.synthetic import write_synthetic

DETECTABLE = [kind for kind in KINDS if kind.group == "always"]


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "clean"
    return run.load_tables(write_synthetic(folder, seed=3, studies=8))


@pytest.mark.parametrize("kind", DETECTABLE, ids=lambda kind: kind.name)
def test_a_detectable_error_is_detected(made_up, kind):
    for seed in range(3):
        changed_rows = None
        random = Random(seed)
        while not changed_rows:
            frames = {file: frame.copy() for file, frame in made_up.frames.items()}
            changed_rows = kind.seed(random, frames, made_up.years)
        problems = set(run.find_problems(frames, made_up.bibliography)) - made_up.baseline
        assert changed_rows & {address for address, _ in problems}


@pytest.mark.parametrize("seed", range(500, 503))
def test_a_clean_dataset_gives_no_alarm(tmp_path, seed):
    assert run.load_tables(write_synthetic(tmp_path, seed=seed)).baseline == frozenset()


def test_the_same_seed_writes_the_same_files(tmp_path):
    first = write_synthetic(tmp_path / "first", seed=7, studies=3)
    second = write_synthetic(tmp_path / "second", seed=7, studies=3)
    for path in sorted(first.rglob("*.*")):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_the_published_results_reach_the_goal():
    with run.TABLE.open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    assert run.as_markdown(records) in PAGE.read_text("utf-8")
    *_, clean = records
    assert (clean["group"], clean["found"]) == (run.CLEAN_GROUP, "0")
    assert int(clean["seeded"]) > 50_000
    for record in records:
        if record["group"] == "always":
            assert int(record["seeded"]) == run.ERRORS_PER_KIND, record
            assert int(record["found"]) >= run.RECALL_GOAL * run.ERRORS_PER_KIND, record
