"""Output on object storage: downloaded, renewed, and uploaded so that no manifest misses a file."""

import json
import re
import shutil
import sys
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from evidence import cli
from evidence.build.remote_output import output_location
from evidence.errors import ReportError

MANIFEST = json.dumps({"reports": {}, "pages": {}, "failed": {}})
NEW_MANIFEST = json.dumps({"reports": {}, "pages": {}, "failed": {}, "figures": 1})


@pytest.fixture
def memory():
    """The file system in memory, empty before and after the test."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture
def log(memory, monkeypatch):
    """What is uploaded and deleted, in order."""
    entries = []
    put, remove = memory.put_file, memory.rm_file

    def put_file(local, remote, **options):
        entries.append(remote)
        put(local, remote)

    def rm_file(path):
        entries.append(f"-{path}")
        remove(path)

    monkeypatch.setattr(memory, "put_file", put_file)
    monkeypatch.setattr(memory, "rm_file", rm_file)
    return entries


def build(project, out, *options):
    return cli.main(
        ["report", "--project", str(project.root), "--only", "bread", "--out", out, *options]
    )


def write(out, names, *, is_batch=False):
    """Replace what is at an address as a build does."""
    with output_location(out, is_batch=is_batch, status=lambda text: None) as location:
        shutil.rmtree(location.folder, ignore_errors=True)
        for name, text in names.items():
            path = location.folder.parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def contents(memory):
    return {name: memory.cat_file(name) for name in memory.find("/")}


def test_reports_at_an_address_are_those_of_a_folder_and_are_not_built_twice(
    notebook_project, memory, tmp_path, capsys
):
    address = "memory://shelf/reports"
    assert build(notebook_project, address) == 0
    assert f"{address}/index.html" in capsys.readouterr().out
    first = contents(memory)
    assert build(notebook_project, str(tmp_path / "reports")) == 0
    assert first == {
        f"/shelf/reports/{path.relative_to(tmp_path / 'reports').as_posix()}": path.read_bytes()
        for path in (tmp_path / "reports").rglob("*")
        if path.is_file()
    }
    times = {name: memory.modified(name) for name in first}
    assert build(notebook_project, address) == 0
    assert {name: memory.modified(name) for name in memory.find("/")} == times
    notebook_project.put("data/studies.csv", 3, events="5", as_printed="5/20")
    assert build(notebook_project, address) == 0
    changed = {name for name, content in contents(memory).items() if content != first[name]}
    assert {"/shelf/reports/manifest.json", "/shelf/reports/10_bread.html"} <= changed


def test_sets_and_failed_notebooks_are_uploaded_too(notebook_project, memory, capsys):
    notebook_project.notebook("10_bread", "1 / 0")
    assert build(notebook_project, "memory://shelf/sets/", "--grid", "confidence=0.9,0.95") == 1
    names = set(memory.find("/"))
    assert {"/shelf/sets/sets.json", "/shelf/sets/index.html"} <= names
    for level in ("0.9", "0.95"):
        failed = f"/shelf/sets/confidence-{level}.failed/10_bread.ipynb"
        assert {f"/shelf/sets/confidence-{level}/manifest.json", failed} <= names
        assert f"memory:/{failed}" in capsys.readouterr().err or level == "0.95"
    assert not [name for name in names if "/." in name]


def test_only_changed_files_are_uploaded_and_the_manifest_last(memory, log):
    first = {"r/a.html": "a", "r/b.html": "b", "r/old/c.csv": "c", "r/manifest.json": MANIFEST}
    write("memory://shelf/r", first | {"r.failed/x.ipynb": "{}"})
    log.clear()
    second = {"r/a.html": "a", "r/b.html": "B", "r/d.html": "d", "r/manifest.json": NEW_MANIFEST}
    write("memory://shelf/r", second)
    assert [name for name in log if ".probe" not in name] == [
        "/shelf/r/b.html", "/shelf/r/d.html", "/shelf/r/manifest.json", "-/shelf/r/old/c.csv",
    ]  # fmt: skip
    names = {name.removeprefix("/shelf/") for name in memory.find("/shelf")}
    assert names == set(second) | {"r.failed/x.ipynb"}


def test_index_of_a_batch_is_uploaded_after_its_sets(memory, log):
    names = ["sets.json", "index.html", "a/manifest.json", "a/index.html", "b/manifest.json"]
    write("memory://shelf/s", {f"s/{name}": "{}" for name in names}, is_batch=True)
    order = [name.removeprefix("/shelf/s/") for name in log if ".probe" not in name]
    assert order[0] == "a/index.html"
    assert set(order[1:3]) == {"a/manifest.json", "b/manifest.json"}
    assert set(order[3:]) == {"index.html", "sets.json"}


@pytest.mark.parametrize("broken", ["b.html", "manifest.json"])
def test_failed_upload_leaves_a_manifest_whose_files_exist(memory, monkeypatch, broken):
    write("memory://shelf/r", {"r/a.html": "a", "r/gone.html": "g", "r/manifest.json": MANIFEST})
    put = memory.put_file

    def put_file(local, remote, **options):
        if remote.endswith(broken):
            raise OSError(28, "No space left on device")
        put(local, remote)

    monkeypatch.setattr(memory, "put_file", put_file)
    with pytest.raises(ReportError) as caught:
        write("memory://shelf/r", {"r/b.html": "b", "r/manifest.json": NEW_MANIFEST})
    message = r"--out memory://shelf/r: cannot be written, the reports are in (\S+): .*No space"
    rescued = Path(re.match(message, str(caught.value))[1])
    assert (rescued / "manifest.json").read_text() == NEW_MANIFEST
    shutil.rmtree(rescued.parent)
    assert memory.cat_file("/shelf/r/manifest.json").decode() == MANIFEST
    assert {"/shelf/r/a.html", "/shelf/r/gone.html"} <= set(memory.find("/shelf/r"))


def test_address_that_cannot_be_written_is_refused_before_anything_is_built(
    memory, monkeypatch, capsys, notebook_project
):
    def pipe_file(path, value, **options):
        raise PermissionError("access denied\nand a page of reasons")

    monkeypatch.setattr(memory, "pipe_file", pipe_file)
    assert build(notebook_project, "memory://shelf/r") == 1
    message = "--out memory://shelf/r: cannot be written: access denied\n"
    assert capsys.readouterr().err.endswith(message)
    assert contents(memory) == {}


@pytest.mark.parametrize(
    ("name", "is_batch", "message"),
    [
        ("r/letter.txt", False, "holds files that are not reports; choose another folder"),
        ("r/manifest.json", False, "holds files that are not reports; choose another folder"),
        ("r/manifest.json", True, "holds files that are not report sets; choose another folder"),
        ("r", False, "cannot be read: r is not a file in a folder"),
        ("r/../../up.txt", False, "cannot be read: r/../../up.txt is not a file in a folder"),
    ],
)
def test_files_of_others_are_neither_copied_nor_changed(memory, name, is_batch, message):
    path = f"/shelf/{name}"
    memory.store[path] = MemoryFile(memory, path, b"dear reader")
    with pytest.raises(ReportError, match=f"--out memory://shelf/r: {re.escape(message)}"):
        write("memory://shelf/r", {}, is_batch=is_batch)
    assert {name: file.getvalue() for name, file in memory.store.items()} == {path: b"dear reader"}


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("bread://shelf/r", "cannot be used: Protocol not known: bread"),
        ("memory://", "is not a folder; add the name of one"),
    ],
)
def test_wrong_address_is_refused(memory, out, message):
    with pytest.raises(ReportError, match=message):
        write(out, {})


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (["s3fs"], "cannot be used: Install s3fs to access S3"),
        (["fsspec", "fsspec.core"], "install fsspec with pip install 'evidence[url]'"),
    ],
)
def test_missing_library_is_named(monkeypatch, modules, message):
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ReportError, match=re.escape(message)):
        write("s3://bucket/reports", {})


def test_file_address_is_a_folder_of_this_machine(tmp_path):
    folder = tmp_path / "a shelf" / "reports"
    with output_location(folder.as_uri(), is_batch=False, status=print) as location:
        assert location.folder == folder
        assert location.address_of(folder / "index.html") == str(folder / "index.html")
