"""A build that is killed or cannot write leaves the previous reports or the new ones, whole."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from evidence import cli
from evidence.build.build import BuildOptions, build_reports
from evidence.build.execute import LocalExecutor, execute_report
from evidence.build.fingerprint import modified_files
from evidence.build.output_folder import read_manifest, recover
from evidence.dataset.dataset import read_dataset
from evidence.dataset.project_folder import table_checksums
from evidence.files import _lock, atomic_write, digest, temporary_folder
from tests.conftest import heed_signals
from tests.test_unchanged import read_files

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
WRITING = ("open", "os.", "shutil.", "tempfile.")
"""What Python announces to audit hooks: files opened, created, renamed and removed."""


class SavedExecutor(LocalExecutor):
    """Builds a report once and copies its files later; what is tested is how they are put in place."""

    def __init__(self, saved):
        self.jobs, self._saved = 1, saved

    def prepare(self, project, reports):
        pass

    def execute(self, job, folder):
        failure = None
        if not self._saved.exists():
            failure = execute_report(job, self._saved)
        shutil.copytree(self._saved, folder)
        record = folder / "reads" / f"{job.name}.json"
        content = {**json.loads(record.read_text()), "inputs": table_checksums(job.project)}
        record.write_text(json.dumps(content))
        return failure


@pytest.fixture
def bakery(notebook_project, tmp_path):
    """A project with finished reports."""
    project = notebook_project
    project.options = BuildOptions(
        only=["10_bread"], force=True, executor=SavedExecutor(tmp_path / "saved")
    )
    assert not build_reports(project.root, options=project.options).failures
    return project


def change_data(project, number):
    project.put("data/studies.csv", 2, value=f"0.{number}", as_printed=f"{number}%")


def require_whole(out):
    """The checksums of the tables for which all reports in a folder were built."""
    manifest = read_manifest(out)
    assert manifest, "no finished reports"
    files = dict(manifest["pages"])
    for report in manifest["reports"].values():
        assert report["inputs"] == manifest["inputs"]
        files |= report["files"]
    assert modified_files(out, files) == []
    assert len(files) > 8
    return manifest["inputs"]


def build_until(project, last):
    """Build in a fork that kills itself before its write of this number.

    Returns how it ended, and how many times it wrote if it was left to finish.
    """
    receiver, sender = os.pipe()
    process = os.fork()
    if process:
        os.close(sender)
        with os.fdopen(receiver) as pipe:
            text = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), int(text or 0)
    code, writes = 1, 0

    def count(event, _):
        nonlocal writes
        writes += event.startswith(WRITING)
        if writes == last:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(count)
        code = len(build_reports(project.root, options=project.options).failures)
        os.write(sender, str(writes).encode())
    finally:
        os._exit(code)


def test_killed_build_leaves_the_previous_reports_or_the_new_ones(bakery):
    """Killed at random moments and at each of the last, when folders are exchanged."""
    out = bakery.path("reports")
    change_data(bakery, 60)
    code, writes = build_until(bakery, None)
    assert code == 0
    moments = random.Random(9).sample(range(1, writes), 4)
    moments += [writes - back for back in range(2, 10)]
    outcomes = {"previous": 0, "new": 0}
    for number, moment in enumerate(moments):
        before = require_whole(out)
        change_data(bakery, 61 + number)
        after = read_dataset(bakery.root).checksums
        build_until(bakery, moment)
        # The next build begins with this.
        recover(out)
        assert require_whole(out) in (before, after)
        outcomes["new" if require_whole(out) == after else "previous"] += 1
    assert min(outcomes.values()) > 1
    assert build_until(bakery, None)[0] == 0
    assert require_whole(out) == read_dataset(bakery.root).checksums
    assert [path.name for path in bakery.root.iterdir() if path.name.startswith(".")] == []


def test_builds_at_the_same_time_wait_for_each_other(bakery):
    processes = []
    for _ in range(3):
        process = os.fork()
        if not process:
            code = 1
            try:
                code = len(build_reports(bakery.root, options=bakery.options).failures)
            finally:
                os._exit(code)
        processes.append(process)
    assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes] == [
        0
    ] * 3
    assert require_whole(bakery.path("reports")) == read_dataset(bakery.root).checksums
    assert not [path for path in bakery.root.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("function", ["swap_folder", "staging_folder"])
def test_disk_error_is_one_line_and_leaves_the_previous_reports(
    bakery, monkeypatch, capsys, function
):
    before = require_whole(bakery.path("reports"))
    change_data(bakery, 60)

    def fail(*_):
        raise OSError(28, "No space left on device", "index.html")

    if function == "swap_folder":
        monkeypatch.setattr("evidence.build.build.swap_folder", fail)
    else:
        monkeypatch.setattr("evidence.build.output_folder.tempfile.mkdtemp", lambda **_: fail())
    assert cli.main(["report", "--project", str(bakery.root), "--only", "bread"]) == 1
    *progress, line = capsys.readouterr().err.splitlines()
    assert len(progress) == (function == "swap_folder")
    out = bakery.path("reports")
    assert line.endswith(f"--out {out}: cannot be written: index.html: No space left on device")
    assert require_whole(out) == before
    assert not [path for path in bakery.root.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_command_leaves_the_previous_reports_and_no_process(bakery, tmp_path, name):
    """Twice, to all processes of a terminal, as an impatient person presses Ctrl-C."""
    sent = getattr(signal, name)
    before = require_whole(bakery.path("reports"))
    bakery.notebook(
        "10_bread",
        "import os, pathlib, subprocess, time\nprogram = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(tmp_path / 'ids')!r}).write_text(f'{{os.getpid()}} {{program.pid}}')\n"
        "time.sleep(600)",
    )
    command = [sys.executable, "-m", "evidence", "report", "--project", str(bakery.root)]
    started = subprocess.Popen(
        [*command, "--only", "bread"], stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=heed_signals,
    )  # fmt: skip
    with started, contextlib.ExitStack() as stack:
        stack.callback(started.kill)
        for _ in range(1200):
            if (tmp_path / "ids").exists() and " " in (tmp_path / "ids").read_text():
                break
            assert started.poll() is None, started.stderr.read()
            time.sleep(0.1)
        for _ in range(2):
            os.killpg(started.pid, sent)
        errors = started.communicate(timeout=60)[1]
    assert started.returncode == 128 + sent
    assert "previous reports" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert "Warning" not in errors
    for text in (tmp_path / "ids").read_text().split():
        with pytest.raises(ProcessLookupError):
            for _ in range(100):
                os.kill(int(text), 0)
                time.sleep(0.1)
    assert require_whole(bakery.path("reports")) == before
    assert not [path for path in bakery.root.iterdir() if path.name.startswith(".")]


@pytest.fixture
def temporary():
    """A folder for temporary files with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_the_next_build_removes_what_killed_ones_left(notebook_project, tmp_path, temporary):
    """The command is killed while a cell runs, and then another one with all of its processes."""
    project, mark = notebook_project, tmp_path / "id"
    project.notebook(
        "10_bread",
        "import os, pathlib, tempfile, time\nfolder = tempfile.mkdtemp()",
        f"mark = pathlib.Path({str(mark)!r})",
        "if mark.exists():\n    mark.write_text(str(os.getpid()))\n    time.sleep(600)",
    )
    command = [sys.executable, "-m", "evidence", "report", "--only", "bread"]
    command += ["--project", str(project.root), "--out"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    out = tmp_path / "builds" / "reports"
    for with_all in (False, True):
        mark.write_text("")
        started = subprocess.Popen([*command, str(out)], env=environment, start_new_session=True)
        while not mark.read_text():
            assert started.poll() is None
            time.sleep(0.1)
        notebook = int(mark.read_text())
        if with_all:
            os.kill(notebook, signal.SIGKILL)
            os.killpg(started.pid, signal.SIGKILL)
        started.kill()
        started.wait()
        with pytest.raises(ProcessLookupError):
            for _ in range(100):
                os.kill(notebook, 0)
                time.sleep(0.1)
    mark.unlink()
    assert list(temporary.iterdir())
    subprocess.run([*command, str(out)], env=environment, check=True)
    assert cli.main([*command[3:], str(tmp_path / "undisturbed")]) == 0
    assert read_files(out) == read_files(tmp_path / "undisturbed")
    assert list(temporary.iterdir()) == []
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("owner", ["bread", "cake"])
def test_only_what_nobody_uses_any_more_is_removed(tmp_path, monkeypatch, owner):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_folder("bread") as first, temporary_folder("bread") as second:
        assert first != second
        (first / "a").touch()
    prefix = second.name[:-1]
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data.csv").touch()
    (tmp_path / f"{prefix}7").symlink_to(precious)
    (tmp_path / f"{prefix}8").touch()
    (tmp_path / f"{prefix}9").mkdir()
    (tmp_path / f"{prefix}9" / "link").symlink_to(precious)
    with temporary_folder(owner) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        names = {path.name[-1] for path in tmp_path.glob(f"{prefix}*")} - {folder.name[-1]}
        assert names == ({"7", "8"} if owner == "bread" else {"7", "8", "9"})
    monkeypatch.setattr("os.getuid", lambda: 4711)
    (tmp_path / f"{prefix}5").mkdir()
    with pytest.raises(FileNotFoundError):
        _lock(tmp_path / f"{prefix}5")
    assert (precious / "data.csv").exists()


def test_a_file_is_replaced_as_a_whole_where_it_lies(tmp_path):
    file, link = tmp_path / "shelf" / "a.csv", tmp_path / "a.csv"
    file.parent.mkdir()
    file.write_text("old")
    file.chmod(0o660)
    link.symlink_to(file)
    (file.parent / f"evidence-{digest(str(file), 8)}-0").mkdir()
    atomic_write(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o660
    assert list(file.parent.iterdir()) == [file]
    reader, writer = os.pipe()
    atomic_write(Path(f"/dev/fd/{writer}"), "out")
    assert os.read(reader, 9) == b"out"


def test_folders_that_only_look_like_ours_stay(tmp_path):
    for name in (".reports.old", ".reports.ptsd.k3j2h8aa.new", ".reports[1].k3j2h8aa.new"):
        (tmp_path / name).mkdir()
    (tmp_path / ".reports.k3j2h8aa.new").mkdir()
    (tmp_path / ".reports.previous").mkdir()
    (tmp_path / ".reports.previous" / "index.html").touch()
    recover(tmp_path / "reports")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".reports.old", ".reports.ptsd.k3j2h8aa.new", ".reports[1].k3j2h8aa.new", "reports",
    ]  # fmt: skip
    assert (tmp_path / "reports" / "index.html").exists()
