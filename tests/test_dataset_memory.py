"""Tables that were read once are not checked again, and nobody notices but by the time it takes."""

import threading

import pandas as pd
import pytest

from evidence.dataset import dataset, schema
from evidence.dataset.dataset import load_dataset
from evidence.errors import DatasetError


def test_same_bytes_are_checked_once(project, monkeypatch):
    first = project.dataset()
    monkeypatch.setattr(dataset, "read_tables", None)
    again = project.dataset()
    for table in schema.TABLES:
        pd.testing.assert_frame_equal(first.frame(table), again.frame(table))
        assert type(first.frame(table)) is type(again.frame(table))
    assert (again.project, again.checksums) == (first.project, first.checksums)
    assert list(again.bibliography.items()) == list(first.bibliography.items())


@pytest.mark.parametrize("name", ["data/studies.csv", "data/designs.csv", "references.bib"])
def test_other_bytes_are_read_anew_and_old_ones_too(project, name):
    before = project.path(name).read_bytes()
    old, new = ("Baker", "Beker") if name != "data/studies.csv" else ("Table 1", "Table 7")
    first = project.dataset()
    project.replace(name, old, new)
    changed = project.dataset()
    read = [
        changed.results.to_string(),
        changed.designs.to_string(),
        *changed.bibliography.values(),
    ]
    assert new in " ".join(map(repr, read))
    assert changed.checksums[name] != first.checksums[name]
    project.path(name).write_bytes(before)
    assert project.dataset().checksums == first.checksums
    assert new not in project.dataset().results.to_string()


def test_table_that_comes_or_goes_is_noticed(project):
    assert len(project.dataset().claims) == 1
    project.path("data/claims.csv").rename(project.path("data/kept"))
    project.write("data/unknowns.csv", project.rows("data/unknowns.csv")[:1])
    assert len(project.dataset().claims) == 0
    project.path("data/kept").rename(project.path("data/claims.csv"))
    assert len(project.dataset().claims) == 1


def test_errors_are_found_each_time(project):
    project.dataset()
    project.put("data/studies.csv", 2, n="some")
    for _ in range(2):
        with pytest.raises(DatasetError, match="is not a whole number"):
            project.dataset()
    project.put("data/studies.csv", 2, n="17")
    assert project.dataset().results["n"].iloc[0] == 17


def test_nobody_meets_what_another_changed_in_place(project):
    whole = project.dataset()
    for tables in (whole, project.dataset()):
        tables.results.loc[:, "n"] = 1
        tables.results["study"] = "mine"
        del tables.results["arm"]
        tables.designs.iloc[0, 0] = "mine"
        tables.claims.columns = ["mine", *tables.claims.columns[1:]]
        tables.outcomes.insert(0, "mine", 1)
        with pytest.raises(TypeError):
            tables.bibliography["mine"] = tables.bibliography["guide"]
        tables.checksums.clear()
    fresh = project.dataset()
    assert fresh.results["n"].tolist()[:3] == [17, 20, 18]
    assert fresh.results["study"].unique().tolist() == ["baker1990", "miller2001"]
    assert fresh.designs.iloc[0, 0] == "baker1990"
    assert list(fresh.claims.columns[:1]) == ["claim"]
    assert "mine" not in fresh.outcomes
    assert "arm" in fresh.results
    assert len(fresh.bibliography) == 3
    assert "references.bib" in fresh.checksums


def test_what_is_written_while_it_is_read_is_not_remembered(project, monkeypatch):
    read = dataset.read_tables

    def slowly(root):
        found = read(root)
        project.replace("data/studies.csv", "Table 1", "Table 7")
        return found

    monkeypatch.setattr(dataset, "read_tables", slowly)
    assert "Table 7" not in project.dataset().results["locator"].tolist()
    monkeypatch.setattr(dataset, "read_tables", read)
    assert "Table 7" in project.dataset().results["locator"].tolist()


def test_several_threads_read_at_once(project):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(len(load_dataset(project.root).results)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [5] * 4
