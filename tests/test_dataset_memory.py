"""Tables are read once for as long as their files stay the same, and nobody can change them."""

import threading

import pytest

from evidence.dataset import dataset
from evidence.dataset.dataset import read_dataset
from evidence.errors import DatasetError


def test_the_same_bytes_are_read_once(project):
    assert project.dataset() is project.dataset()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("data/studies.csv", "Table 1", "Table 7"),
        ("data/designs.csv", "Baker", "Beker"),
        ("references.bib", "Baker", "Beker"),
    ],
)
def test_other_bytes_are_read_again_and_so_are_the_old_ones(project, name, old, new):
    before = project.path(name).read_bytes()
    first = project.dataset()
    project.replace(name, old, new)
    changed = project.dataset()
    content = [
        changed.reported_results.to_string(),
        changed.designs.to_string(),
        *map(repr, changed.bibliography.values()),
    ]
    assert new in " ".join(content)
    assert changed.checksums[name] != first.checksums[name]
    project.path(name).write_bytes(before)
    assert project.dataset().checksums == first.checksums
    assert new not in project.dataset().reported_results.to_string()


def test_a_table_that_appears_or_disappears_is_noticed(project):
    assert len(project.dataset().guide_claims) == 1
    project.path("data/claims.csv").rename(project.path("data/renamed"))
    project.write("data/unknowns.csv", project.rows("data/unknowns.csv")[:1])
    assert len(project.dataset().guide_claims) == 0
    project.path("data/renamed").rename(project.path("data/claims.csv"))
    assert len(project.dataset().guide_claims) == 1


def test_errors_are_reported_each_time(project):
    project.dataset()
    project.put("data/studies.csv", 2, n="some")
    for _ in range(2):
        with pytest.raises(DatasetError, match="is not a whole number"):
            project.dataset()
    project.put("data/studies.csv", 2, n="17")
    assert project.dataset().reported_results["n"].iloc[0] == 17


def test_nobody_can_change_a_dataset(project):
    shared = project.dataset()
    results, claims = shared.reported_results, shared.guide_claims
    results.loc[:, "n"] = 1
    results["study"] = "mine"
    del results["arm"]
    claims.columns = ["mine", *claims.columns[1:]]
    with pytest.raises(TypeError):
        shared.bibliography["mine"] = shared.bibliography["guide"]
    assert shared.reported_results["n"].tolist()[:3] == [17, 20, 18]
    assert shared.reported_results["study"].unique().tolist() == ["baker1990", "miller2001"]
    assert "arm" in shared.reported_results
    assert shared.guide_claims.columns[0] == "claim"


def test_tables_that_change_while_they_are_read_are_read_again(project, monkeypatch):
    read, edits = dataset.read_tables, iter(["Table 7"])

    def read_slowly(root):
        tables = read(root)
        for locator in edits:
            project.put("data/studies.csv", 2, locator=locator)
        return tables

    monkeypatch.setattr(dataset, "read_tables", read_slowly)
    assert "Table 7" in project.dataset().reported_results["locator"].tolist()


def test_several_threads_can_read_at_once(project):
    lengths = []
    threads = [
        threading.Thread(
            target=lambda: lengths.append(len(read_dataset(project.root).reported_results))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [5] * 4
