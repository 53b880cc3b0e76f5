"""Tables that were read once are not checked again, and nobody notices but by the time it takes."""

import threading

import pandas as pd
import pytest

from evidence import read_corpus
from evidence.corpus import reading, schema
from evidence.errors import CorpusError


def test_same_bytes_are_checked_once(project, monkeypatch):
    first = project.corpus()
    monkeypatch.setattr(reading, "read_tables", None)
    again = project.corpus()
    for table in schema.TABLES:
        pd.testing.assert_frame_equal(first.frame(table), again.frame(table))
        assert type(first.frame(table)) is type(again.frame(table))
    assert (again.project, again.checksums) == (first.project, first.checksums)
    assert list(again.bibliography.items()) == list(first.bibliography.items())


@pytest.mark.parametrize("name", ["data/studies.csv", "data/designs.csv", "references.bib"])
def test_other_bytes_are_read_anew_and_old_ones_too(project, name):
    before = project.path(name).read_bytes()
    old, new = ("Baker", "Beker") if name != "data/studies.csv" else ("Table 1", "Table 7")
    first = project.corpus()
    project.replace(name, old, new)
    changed = project.corpus()
    read = [
        changed.results.to_string(),
        changed.designs.to_string(),
        *changed.bibliography.values(),
    ]
    assert new in " ".join(map(repr, read))
    assert changed.checksums[name] != first.checksums[name]
    project.path(name).write_bytes(before)
    assert project.corpus().checksums == first.checksums
    assert new not in project.corpus().results.to_string()


def test_table_that_comes_or_goes_is_noticed(project):
    assert len(project.corpus().claims) == 1
    project.path("data/claims.csv").rename(project.path("data/kept"))
    project.write("data/unknowns.csv", project.rows("data/unknowns.csv")[:1])
    assert len(project.corpus().claims) == 0
    project.path("data/kept").rename(project.path("data/claims.csv"))
    assert len(project.corpus().claims) == 1


def test_errors_are_found_each_time(project):
    project.corpus()
    project.put("data/studies.csv", 2, n="some")
    for _ in range(2):
        with pytest.raises(CorpusError, match="is not a whole number"):
            project.corpus()
    project.put("data/studies.csv", 2, n="17")
    assert project.corpus().results["n"].iloc[0] == 17


def test_nobody_meets_what_another_changed_in_place(project):
    whole = project.corpus()
    for corpus in (whole, project.corpus()):
        corpus.results.loc[:, "n"] = 1
        corpus.results["study"] = "mine"
        del corpus.results["arm"]
        corpus.designs.iloc[0, 0] = "mine"
        corpus.claims.columns = ["mine", *corpus.claims.columns[1:]]
        corpus.outcomes.insert(0, "mine", 1)
        with pytest.raises(TypeError):
            corpus.bibliography["mine"] = corpus.bibliography["guide"]
        corpus.checksums.clear()
    fresh = project.corpus()
    assert fresh.results["n"].tolist()[:3] == [17, 20, 18]
    assert fresh.results["study"].unique().tolist() == ["baker1990", "miller2001"]
    assert fresh.designs.iloc[0, 0] == "baker1990"
    assert list(fresh.claims.columns[:1]) == ["claim"]
    assert "mine" not in fresh.outcomes
    assert "arm" in fresh.results
    assert len(fresh.bibliography) == 3
    assert "references.bib" in fresh.checksums


def test_what_is_written_while_it_is_read_is_not_remembered(project, monkeypatch):
    read = reading.read_tables

    def slowly(root):
        found = read(root)
        project.replace("data/studies.csv", "Table 1", "Table 7")
        return found

    monkeypatch.setattr(reading, "read_tables", slowly)
    assert "Table 7" not in project.corpus().results["locator"].tolist()
    monkeypatch.setattr(reading, "read_tables", read)
    assert "Table 7" in project.corpus().results["locator"].tolist()


def test_several_threads_read_at_once(project):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(len(read_corpus(project.root).results)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [5] * 4
