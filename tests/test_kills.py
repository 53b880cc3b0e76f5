"""A run that is killed, or whose disk is full or read-only, leaves the earlier reports whole."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evidence import cli
from evidence.build.build import BuildOptions, build_reports
from evidence.build.execute import LocalExecutor
from evidence.build.fingerprint import modified_files
from evidence.build.output_folder import read_manifest
from evidence.dataset.dataset import load_dataset
from evidence.provenance.values import read_build_files

ONLY = BuildOptions(only=["10_bread"])
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can be forked here")


@pytest.fixture(scope="module")
def loaded():
    """Everything that a fork would import by itself, each time anew."""
    import nbformat.v4  # noqa: F401
    import papermill  # noqa: F401

    import evidence
    from evidence.analysis import checks
    from evidence.build import assemble  # noqa: F401
    from evidence.report import html_pages

    checks.check_consistency(evidence.load_dataset())
    html_pages.render("sets.html", title="", sets=[])
    for name in evidence.__all__:
        getattr(evidence, name)


@pytest.fixture
def bread(project, loaded):
    """A project with a notebook of its own, which shows a number of one cell."""
    project.notebook(
        "10_bread",
        "from evidence import tabulate_results",
        "report.table(tabulate_results(report.dataset, report.results))",
    )
    return project


def change(project, number):
    """Another share in one cell; the report shows it."""
    project.put("data/studies.csv", 2, value=f"0.{number}", as_printed=f"{number}%")


def whole(project, out):
    """The inputs that the finished folder was made from, if each file is what it says."""
    manifest = read_manifest(out)
    assert manifest, "no finished reports"
    files = dict(manifest["pages"])
    for report in manifest["reports"].values():
        assert report["inputs"] == manifest["inputs"]
        files |= report["files"]
    assert modified_files(out, files) == []
    assert len(files) > 8
    assert read_build_files(out, "values.json")
    return manifest["inputs"]


class Here(LocalExecutor):
    """Makes each report in this very process, which is forked and killed."""

    def __init__(self):
        self.jobs = 1

    def prepare(self):
        """Nothing is to be loaded."""

    def execute(self, job, folder):
        make_here(job, folder)


def make_here(job, folder):
    import nbformat

    from evidence.build.execute import format_notebook

    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(job.notebook, as_version=4)
    space = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(cell.source, space)
        if "parameters" in cell.metadata.get("tags", []):
            space |= {"project": str(job.project), "out": str(folder)}
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / f"{job.name}.ipynb").write_text(format_notebook(notebook), "utf-8")


MOVES = ("open", "os.", "shutil.", "tempfile.")
"""What Python tells of before it does it: files opened, made, renamed and taken away."""


def run_until(project, out, last):
    """Make the reports in a fork that kills itself before its move of this number.

    Returns how it ended, and the number of its moves if it was left to finish.
    """
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        with os.fdopen(told) as pipe:
            said = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), int(said or 0)
    code = 1
    try:
        moves = 0

        def count(event, _):
            nonlocal moves
            moves += event.startswith(MOVES)
            if moves == last:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        options = BuildOptions(only=["10_bread"], executor=Here())
        made = build_reports(project.root, out=out, options=options)
        code = 1 if made.failures else 0
        os.write(tell, str(moves).encode())
    finally:
        os._exit(code)


def test_fifty_kills_leave_the_old_reports_or_the_new_ones(bread):
    """At moments by chance over the whole run, and where files are put in place and behind that."""
    out = bread.path("reports")
    assert run_until(bread, out, None)[0] == 0
    change(bread, 60)
    code, moves = run_until(bread, out, None)
    assert code == 0
    chance = random.Random(9)
    when = [chance.randrange(1, moves) for _ in range(25)]
    when += [chance.randrange(moves * 3 // 4, moves) for _ in range(15)]
    when += [moves - back for back in range(2, 22, 2)]
    came, killed = {"old": 0, "new": 0}, 0
    for number, last in enumerate(when):
        before = whole(bread, out)
        change(bread, 61 + number % 30)
        now = load_dataset(bread.root).checksums
        # A run has some moves more or less, and one may end before its last.
        killed += run_until(bread, out, last)[0] == -signal.SIGKILL
        found = whole(bread, out)
        assert found in (before, now)
        came["new" if found == now else "old"] += 1
        if number % 5 == 4:
            assert run_until(bread, out, None)[0] == 0
            assert whole(bread, out) == now
            assert f"{61 + number % 30}%" in (out / "tables" / "tab-results.csv").read_text("utf-8")
            litter = [path.name for path in bread.root.iterdir() if path.name.startswith(".")]
            assert litter == []
    assert killed > 35
    assert min(came.values()) > 2


def running(mark):
    """The processes that carry a mark in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("asked", [signal.SIGKILL, signal.SIGINT])
def test_no_process_is_left_when_the_command_is_killed_or_stopped(bread, tmp_path, asked):
    """In the middle of a notebook, with the process that forks and a program of the notebook's."""
    out = bread.path("reports")
    assert run_until(bread, out, None)[0] == 0
    before = whole(bread, out)
    bread.notebook(
        "10_bread",
        f"import pathlib, subprocess, time\npathlib.Path({str(tmp_path / 'runs')!r}).touch()\n"
        "subprocess.run(['sleep', '600'])",
    )
    mark = f"EVIDENCE_TEST_MARK={tmp_path.name}-{os.getpid()}"
    command = [sys.executable, "-m", "evidence", "report", "--project", str(bread.root)]
    name, _, value = mark.partition("=")
    asking = subprocess.Popen(
        [*command, "--only", "bread"],
        env=os.environ | {name: value},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(1200):
            if (tmp_path / "runs").exists():
                break
            assert asking.poll() is None, asking.stderr.read()
            time.sleep(0.1)
        assert len(running(mark)) >= 3
        asking.send_signal(asked)
        said = asking.communicate(timeout=60)[1]
        assert asking.returncode == (130 if asked == signal.SIGINT else -signal.SIGKILL)
        if asked == signal.SIGINT:
            line = "evidence: stopped. The previous reports are unchanged."
            assert said.rstrip().endswith(line)
            assert "Traceback" not in said
        for _ in range(100):
            if not running(mark):
                break
            time.sleep(0.1)
        assert running(mark) == []
    finally:
        for pid in running(mark):
            os.kill(pid, signal.SIGKILL)
    assert whole(bread, out) == before


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place, leave):
    """Leave so many bytes free."""
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    (place / "full").write_bytes(bytes(max(0, free - leave)))


@pytest.mark.parametrize("leave", [0, 40_000, 100_000])
def test_a_full_disk_is_one_clear_line_and_leaves_the_old_reports(bread, disk, capsys, leave):
    out = disk / "reports"
    command = ["report", "--project", str(bread.root), "--out", str(out), "--only", "bread"]
    assert cli.main(command) == 0
    before = whole(bread, out)
    change(bread, 60)
    fill(disk, leave)
    capsys.readouterr()
    assert cli.main(command) == 1
    lines = capsys.readouterr().err.rpartition("\r")[2].strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"evidence: --out {out}: cannot be written: ")
    assert lines[0].endswith("No space left on device")
    assert whole(bread, out) == before
    assert sorted(path.name for path in disk.iterdir()) == ["full", "reports"]
    (disk / "full").unlink()
    assert cli.main(command) == 0
    assert whole(bread, out) == load_dataset(bread.root).checksums


def test_a_disk_that_is_read_only_is_one_clear_line(bread, disk, capsys):
    out = disk / "reports"
    command = ["report", "--project", str(bread.root), "--out", str(out), "--only", "bread"]
    assert run_until(bread, out, None)[0] == 0
    before = whole(bread, out)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    change(bread, 60)
    capsys.readouterr()
    for where in (out, disk / "others"):
        assert cli.main([*command[:4], str(where), *command[5:]]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"evidence: --out {where}: cannot be written: ")
        assert line.endswith("Read-only file system")
    assert whole(bread, out) == before


def test_two_runs_at_once_both_end_well(bread):
    out = bread.path("reports")
    change(bread, 60)
    pids = []
    for _ in range(3):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                options = BuildOptions(only=["10_bread"], executor=Here(), force=True)
                code = len(build_reports(bread.root, out=out, options=options).failures)
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
    assert whole(bread, out) == load_dataset(bread.root).checksums
    assert not [path for path in bread.root.iterdir() if path.name.startswith(".")]


def test_a_run_leaves_the_folders_of_other_runs_alone(bread):
    """Names that begin alike, and folders of a person's own."""
    for name in (".reports.old", ".reports.ptsd.k3j2h8aa.new", ".reports[1].k3j2h8aa.new"):
        bread.path(name).mkdir()
    bread.path(".reports.k3j2h8aa.new").mkdir()
    assert run_until(bread, bread.path("reports"), None)[0] == 0
    assert sorted(path.name for path in bread.root.iterdir() if path.name.startswith(".")) == [
        ".reports.old", ".reports.ptsd.k3j2h8aa.new", ".reports[1].k3j2h8aa.new"
    ]  # fmt: skip
