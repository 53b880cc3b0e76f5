"""The benchmark: what it seeds is found, what is clean stays quiet, what it says is published."""

import csv
from random import Random

import pytest

from benchmarks import run
from benchmarks.publishing import PAGE
from benchmarks.seeded_errors import KINDS
from benchmarks.synthetic import write_synthetic

SEEN = [kind for kind in KINDS if kind.group == "seen"]


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "clean"
    return run.load(write_synthetic(folder, seed=3, studies=8))


def test_there_are_kinds_enough():
    assert len(SEEN) >= 12
    assert {kind.group for kind in KINDS} == {"seen", "in part", "unseen"}
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", SEEN, ids=lambda kind: kind.name)
def test_what_can_be_seen_is_seen(made_up, kind):
    for seed in range(3):
        touched = None
        random = Random(seed)
        while not touched:
            tables = {file: frame.copy() for file, frame in made_up.frames.items()}
            touched = kind.seed(random, tables, made_up.years)
        new = set(run.found(tables, made_up.bibliography)) - made_up.baseline
        assert touched & {address for address, _ in new}


def test_a_clean_dataset_raises_no_alarm(tmp_path):
    for seed in range(500, 506):
        assert run.load(write_synthetic(tmp_path / str(seed), seed=seed)).baseline == frozenset()


def test_the_same_seed_writes_the_same_files(tmp_path):
    one = write_synthetic(tmp_path / "one", seed=7, studies=3)
    two = write_synthetic(tmp_path / "two", seed=7, studies=3)
    for path in sorted(one.rglob("*.*")):
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


def published():
    with run.TABLE.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_published_table_is_that_of_the_last_run():
    page = PAGE.read_text("utf-8")
    for kind in KINDS:
        rows = {row["dataset"]: row for row in published() if row["kind"] == kind.name}
        cells = [
            f"{rows[name]['found']} of {rows[name]['seeded']}"
            if int(rows[name]["seeded"]) else "does not occur"
            for name in run.CORPORA
        ]  # fmt: skip
        assert f"| {kind.name} | {kind.group} | {' | '.join(cells)} |" in page


def test_the_goal_is_reached():
    *_, clean = published()
    assert (clean["group"], clean["found"]) == (run.CLEAN_GROUP, "0")
    assert int(clean["seeded"]) > 50_000
    for row in published():
        if row["group"] == "seen":
            assert int(row["seeded"]) == run.EACH, row
            assert int(row["found"]) >= run.GOAL * int(row["seeded"]), row
