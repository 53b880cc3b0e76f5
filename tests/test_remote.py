"""Reports kept at an address: fetched, renewed and sent back so that no reader is promised more."""

import json
import re
import shutil
import sys
from pathlib import Path

import fsspec
import nbformat
import pytest
from fsspec.implementations.memory import MemoryFile

from evidence import cli
from evidence.build.remote_output import output_location
from evidence.errors import ReportError
from tests.conftest import Project
from tests.test_cluster import REPORT, SHOW, write_notebook
from tests.test_cluster import bakery as bakery_with_modules

bakery = bakery_with_modules


@pytest.fixture
def memory():
    """A store that is empty before and afterwards."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def contents(files, folder="/"):
    return {name: files.cat_file(name) for name in files.find(folder)}


def report(project, out, *more):
    asked = ["--project", str(project), "--only", "slow", "--out", out, *more]
    return cli.main(["report", *asked])


def fill(out, names, *, sets=False):
    """What a run does in its folder, in small."""
    with output_location(out, is_batch=sets, status=lambda text: None) as there:
        if there.folder.exists():
            for path in sorted(there.folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        for name, text in names.items():
            path = there.folder.parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


EMPTY = {"reports": {}, "pages": {}, "failed": {}}
MANIFEST = json.dumps(EMPTY)


def test_a_run_fills_an_address_and_the_next_one_makes_nothing(bakery, memory, tmp_path, capsys):
    assert report(bakery, "memory://shelf/reports") == 0
    said = capsys.readouterr().out
    assert said.endswith(
        "folder: memory://shelf/reports\nopen:   memory://shelf/reports/index.html\n"
    )
    kept = contents(memory)
    assert report(bakery, str(tmp_path / "reports")) == 0
    here = {
        f"/shelf/reports/{path.relative_to(tmp_path / 'reports').as_posix()}": path.read_bytes()
        for path in (tmp_path / "reports").rglob("*")
        if path.is_file()
    }
    assert kept == here
    times = {name: memory.modified(name) for name in kept}
    capsys.readouterr()
    assert report(bakery, "memory://shelf/reports", "--explain") == 0
    assert "20_slow: up to date" in capsys.readouterr().out
    assert {name: memory.modified(name) for name in memory.find("/")} == times
    assert contents(memory) == kept


def test_sets_and_failed_notebooks_travel_too(bakery, memory, capsys):
    asked = ["--project", str(bakery), "--only", "broken", "--grid", "confidence=0.9,0.95"]
    assert cli.main(["report", *asked, "--out", "memory://shelf/sets/"]) == 1
    names = memory.find("/")
    assert {"/shelf/sets/sets.json", "/shelf/sets/index.html"} <= {*names}
    said = capsys.readouterr().err
    for level in ("0.9", "0.95"):
        assert f"/shelf/sets/confidence-{level}/manifest.json" in names
        failed = f"/shelf/sets/confidence-{level}.failed/21_broken.ipynb"
        book = nbformat.reads(memory.cat_file(failed).decode(), as_version=4)
        assert "oven.csv" in str(book.cells[-1].outputs)
        assert f"its traceback: memory:/{failed}\n" in said
    assert not [name for name in names if "/." in name]


def test_only_what_differs_is_sent_and_the_manifest_behind_it(memory, monkeypatch):
    first = {"r/a.html": "a", "r/b.html": "b", "r/old/c.csv": "c", "r/manifest.json": MANIFEST}
    fill("memory://shelf/r", first | {"r.failed/x.ipynb": "{}"})
    order = []
    put, remove = memory.put_file, memory.rm_file
    monkeypatch.setattr(
        memory, "put_file", lambda here, there, **more: (order.append(there), put(here, there))
    )
    monkeypatch.setattr(memory, "rm_file", lambda path: (order.append(f"-{path}"), remove(path)))
    newer = json.dumps(EMPTY | {"figures": 0})
    second = {"r/a.html": "a", "r/b.html": "B", "r/d.html": "d", "r/manifest.json": newer}
    fill("memory://shelf/r", second)
    sent = [name for name in order if not name.endswith(".probe")]
    assert sent == ["/shelf/r/b.html", "/shelf/r/d.html", "/shelf/r/manifest.json",
                    "-/shelf/r/old/c.csv"]  # fmt: skip
    assert {name.removeprefix("/shelf/") for name in memory.find("/shelf/r")} == set(second)
    assert not memory.exists("/shelf/r/old")


def test_the_index_of_sets_goes_behind_every_set(memory, monkeypatch):
    order = []
    put = memory.put_file
    monkeypatch.setattr(
        memory, "put_file", lambda here, there, **more: (order.append(there), put(here, there))
    )
    names = ["sets.json", "index.html", "a/manifest.json", "a/index.html", "b/manifest.json"]
    fill("memory://shelf/s", {f"s/{name}": "{}" for name in names}, sets=True)
    order = [name.removeprefix("/shelf/s/") for name in order]
    assert order[0] == "a/index.html"
    assert set(order[1:3]) == {"a/manifest.json", "b/manifest.json"}
    assert set(order[3:]) == {"index.html", "sets.json"}


@pytest.mark.parametrize("broken", ["b.html", "manifest.json"])
def test_a_write_that_fails_leaves_a_manifest_whose_files_are_there(memory, monkeypatch, broken):
    first = {"r/a.html": "a", "r/gone.html": "g", "r/manifest.json": MANIFEST}
    fill("memory://shelf/r", first)
    put = memory.put_file

    def full(here, there, **more):
        if there.endswith(broken):
            raise OSError(28, "No space left on device")
        put(here, there)

    monkeypatch.setattr(memory, "put_file", full)
    newer = json.dumps(EMPTY | {"figures": 1})
    with pytest.raises(ReportError) as caught:
        fill("memory://shelf/r", {"r/b.html": "b", "r/manifest.json": newer})
    says = r"--out memory://shelf/r: cannot be written, what was made is kept in (\S+): .*No space"
    kept = re.match(says, str(caught.value))[1]
    assert Path(kept, "r", "manifest.json").read_text() == newer
    shutil.rmtree(kept)
    assert memory.cat_file("/shelf/r/manifest.json").decode() == MANIFEST
    assert {"/shelf/r/a.html", "/shelf/r/gone.html"} <= {*memory.find("/shelf/r")}


def test_an_address_that_cannot_be_written_is_refused_before_anything_is_made(
    memory, monkeypatch, capsys, bakery
):
    def denied(path, value, **more):
        raise PermissionError("access denied\nand a page of reasons")

    monkeypatch.setattr(memory, "pipe_file", denied)
    assert report(bakery, "memory://shelf/r") == 1
    says = "evidence: --out memory://shelf/r: cannot be written: access denied\n"
    assert capsys.readouterr().err == says
    assert contents(memory) == {}


@pytest.mark.parametrize(
    ("name", "sets", "says"),
    [
        ("r/letter.txt", False, "holds files that no report run made; name another folder"),
        ("r/manifest.json", False, "holds files that no report run made; name another folder"),
        ("r/manifest.json", True, "holds files that are no sets; name another folder"),
        ("r", False, "cannot be read: it is a file; name a folder"),
        ("r/../../up.txt", False, "cannot be read: '../../up.txt': is no name of a file"),
    ],
)
def test_what_somebody_else_put_there_stays(memory, name, sets, says):
    path = f"/shelf/{name}"
    memory.store[path] = MemoryFile(memory, path, b"dear reader")
    with pytest.raises(ReportError, match=f"--out memory://shelf/r: {re.escape(says)}"):
        fill("memory://shelf/r", {}, sets=sets)
    assert {name: file.getvalue() for name, file in memory.store.items()} == {path: b"dear reader"}


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("bread://shelf/r", "cannot be used: Protocol not known: bread"),
        ("memory://", "is no folder; name one in it"),
    ],
)
def test_an_address_that_is_none(memory, bakery, capsys, out, says):
    assert report(bakery, out) == 1
    assert capsys.readouterr().err.startswith(f"evidence: --out {out}: {says}")


def test_a_protocol_whose_library_is_missing(memory, bakery, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert report(bakery, "s3://bucket/reports") == 1
    assert capsys.readouterr().err == (
        "evidence: --out s3://bucket/reports: cannot be used: Install s3fs to access S3\n"
    )


def test_without_fsspec_the_error_says_what_to_install(bakery, capsys, monkeypatch):
    for name in ("fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, name, None)
    assert report(bakery, "s3://bucket/reports") == 1
    assert capsys.readouterr().err.endswith(
        "cannot be used: install fsspec with pip install 'evidence[url]'\n"
    )


def test_an_address_of_this_machine_is_its_folder(bakery, tmp_path, capsys):
    out = tmp_path / "a shelf" / "reports"
    address = out.as_uri()
    assert "%20" in address
    assert report(bakery, address) == 0
    assert f"folder: {out}\n" in capsys.readouterr().out
    assert (out / "manifest.json").is_file()
    (out / "manifest.json").unlink()
    assert report(bakery, address) == 1
    assert "holds files that no report run made" in capsys.readouterr().err


def test_a_report_that_changed_is_made_again_there(tmp_path, memory, capsys):
    project = Project(tmp_path / "bread")
    (project.root / "notebooks").mkdir()
    (project.root / "notebooks" / "loaf.py").write_text("SHAPE = 'round'\n")
    write_notebook(project.root / "notebooks" / "20_slow.ipynb", REPORT, SHOW, "report.close()")
    assert report(project.root, "memory://shelf/r") == 0
    before = contents(memory)
    project.put("data/studies.csv", 3, events="5", as_printed="5/20")
    capsys.readouterr()
    assert report(project.root, "memory://shelf/r", "--explain") == 0
    assert "20_slow: built: data/studies.csv:3 changed" in capsys.readouterr().out
    after = contents(memory)
    changed = {name.rpartition("/")[2] for name in before if before[name] != after.get(name)}
    assert {"manifest.json", "values.json", "20_slow.ipynb", "20_slow.html"} <= changed
    assert len(changed) < len(before)
