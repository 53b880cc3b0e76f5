"""A batch on a Dask cluster of this machine: the same bytes, and nothing lost with a worker."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from distributed import Client

from evidence import cli
from evidence.build import dask_executor
from evidence.build.build import BuildOptions, build_batch, build_reports
from evidence.build.dask_executor import DaskExecutor, pack, unpack
from evidence.errors import ReportError
from tests.conftest import Project

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can be forked here")
PARAMETERS = """\
from pathlib import Path

project: str = ""
confidence: float = 0.95
out: str = ""
hold: Path = Path("")  # a folder where each run says that it began, and waits until it may go on
"""
WAIT = """\
import os, time
if str(hold) != ".":
    name = f"{os.environ.get('PLACE', 'here')} {confidence}"
    (Path(hold) / name).write_text("")
    while not (Path(hold) / "go").exists():
        time.sleep(0.05)
"""
REPORT = """\
from evidence import lay_out_comparison, open_report, tabulate_studies
from loaf import SHAPE
report = open_report("20_slow", project=project, confidence=confidence, out=out, hold=hold)
report.figure(lay_out_comparison(report.results, outcome="risen", confidence=confidence))
"""
SHOW = "report.table(tabulate_studies(report.dataset, report.results))"
DIE = """\
import os, signal, time
from pathlib import Path
server = Path(f"/proc/{os.getppid()}/stat").read_text()
os.kill(int(server.rpartition(")")[2].split()[1]), signal.SIGKILL)  # the worker itself
time.sleep(60)
"""


def write_notebook(path, *sources):
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_markdown_cell(f"# {path.stem}\n\nDoes it rise?")]
    book.cells += [nbformat.v4.new_code_cell(source) for source in (PARAMETERS, *sources)]
    book.cells[1].metadata.tags = ["parameters"]
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"
    nbformat.write(book, path)


@pytest.fixture(scope="module")
def bakery(tmp_path_factory):
    """A project with notebooks of its own, one with a module beside it; read only."""
    project = Project(tmp_path_factory.mktemp("cluster") / "bread")
    notebooks = project.root / "notebooks"
    notebooks.mkdir()
    (notebooks / "loaf.py").write_text("SHAPE = 'round'\n")
    where = "import os\nprint(os.getcwd(), project, SHAPE)"
    write_notebook(notebooks / "20_slow.ipynb", WAIT, REPORT, SHOW, where, "report.close()")
    write_notebook(notebooks / "21_broken.ipynb", "open(project + '/data/oven.csv')")
    write_notebook(notebooks / "22_fatal.ipynb", DIE)
    return project.root


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler that gives a report to a second worker, and to no third."""
    told = tmp_path_factory.mktemp("scheduler") / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", told]
    with process("scheduler", *options, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1"):
        until(told.is_file)
        with Client(scheduler_file=str(told), set_as_default=False) as client:
            yield client


@contextlib.contextmanager
def process(command, *options, **variables):
    """A process of dask's, ended in the end with those that it started."""
    line = [sys.executable, "-m", "dask", command, *map(str, options)]
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        line, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as started:
        try:
            yield started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


@contextlib.contextmanager
def worker(client, folder, *options, **variables):
    """One more worker with one thread; it is known to the scheduler when this is entered."""
    count = len(client.scheduler_info(n_workers=-1)["workers"])
    options = ["--nthreads", "1", "--no-dashboard", "--local-directory", folder, *options]
    with process("worker", address(client), *options, **variables) as started:
        client.wait_for_workers(count + 1, timeout=60)
        yield started
    until(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) <= count)


def address(client):
    return client.scheduler.address


def until(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come so far within a minute")


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*")
            if p.is_file()}  # fmt: skip


def batch(project, out, hold, maker=None):
    options = BuildOptions(only=["slow"], **({"executor": maker} if maker else {}))
    asked = {"grid": ["confidence=0.8,0.9,0.95"], "given": {"hold": hold}}
    return list(build_batch(project, out=out, **asked, options=options))


def test_a_batch_is_the_same_as_here_though_a_worker_was_killed(bakery, scheduler, tmp_path):
    hold, out = tmp_path / "hold", tmp_path / "sets"
    hold.mkdir()

    def run():
        with DaskExecutor(address(scheduler)) as maker:
            assert maker.jobs == 2
            return batch(bakery, out, hold, maker)

    with (
        worker(scheduler, tmp_path / "one", "--no-nanny", PLACE="one") as one,
        worker(scheduler, tmp_path / "two", "--no-nanny", PLACE="two"),
    ):
        asking = ThreadPoolExecutor(1).submit(run)
        until(lambda: {path.name.split()[0] for path in hold.iterdir()} == {"one", "two"})
        (lost,) = [path.name.split()[1] for path in hold.iterdir() if path.name.startswith("one")]
        one.kill()
        (hold / "go").write_text("")
        made = asking.result(120)
    places = {path.name for path in hold.iterdir()}
    assert places == {"go", f"one {lost}", *(f"two {level}" for level in ("0.8", "0.9", "0.95"))}
    assert [(set(one.reasons), one.failures) for one in made] == [({"20_slow"}, {})] * 3
    found = files(out)
    batch(bakery, out, hold)  # at the same place, so that the paths it prints are the same
    assert files(out) == found, "all of it was taken over"
    shutil.rmtree(out)
    batch(bakery, out, hold)
    here = files(out)
    assert len(here) > 40
    assert here.keys() == found.keys()
    assert [name for name in here if here[name] != found[name]] == []
    assert not [name for name, content in found.items() if b"dask-scratch-space" in content]


def test_a_notebook_that_fails_comes_back_with_its_traceback(bakery, scheduler, tmp_path):
    out = tmp_path / "reports"
    told = []
    with worker(scheduler, tmp_path / "one"), DaskExecutor(address(scheduler)) as maker:
        for options in (
            BuildOptions(only=["broken"], executor=maker),
            BuildOptions(only=["broken"]),
        ):
            outcome = build_reports(bakery, out=out, options=options)
            book = nbformat.read(outcome.failed_notebooks["21_broken"], as_version=4)
            told.append((outcome.failures, str(book.cells[-1].outputs)))
    assert told[0] == told[1]
    missing = f"No such file or directory: '{bakery}/data/oven.csv'"
    says = told[0][0]["21_broken"]
    assert says.endswith(f"FileNotFoundError: [Errno 2] {missing}")
    assert missing in told[0][1]


def test_a_report_that_ends_its_workers_is_given_up(bakery, scheduler, tmp_path):
    with (
        worker(scheduler, tmp_path / "one", "--nanny"),  # which starts a killed worker anew
        DaskExecutor(address(scheduler)) as maker,
    ):
        options = BuildOptions(only=["fatal"], executor=maker)
        outcome = build_reports(bakery, out=tmp_path / "reports", options=options)
    says = outcome.failures["22_fatal"]
    assert says.startswith("2 workers died while making it, the last at tcp://127.0.0.1:")
    assert not outcome.failed_notebooks


def test_a_worker_with_other_code_is_refused_before_anything_runs(
    bakery, scheduler, tmp_path, capsys
):
    package = Path(dask_executor.__file__).parents[1]
    other = tmp_path / "other"
    shutil.copytree(package, other / "evidence", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        dask_executor.own_notebooks()["00_start"].parent, other / "evidence" / "notebooks"
    )
    with (other / "evidence" / "errors.py").open("a") as file:
        file.write("# mended\n")
    with worker(scheduler, tmp_path / "one", PYTHONPATH=str(other)):
        asked = ["--project", str(bakery), "--scheduler", address(scheduler)]
        assert cli.main(["report", *asked]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"evidence: --scheduler {address(scheduler)}: worker tcp://127.0.0.1:")
    assert line.endswith(" has other code of evidence")
    assert not (bakery / "reports").exists()


def test_what_differs_is_named():
    here = {"code": "a", "libraries": {"python": "3.13.1", "pandas": "3.0"}, "notebooks": {"a": ""}}
    there = {"code": "a", "libraries": {"python": "3.12.9", "numpy": "2.4"}, "notebooks": {}}
    assert dask_executor._unlike(here, here) == ""
    assert dask_executor._unlike(here, there) == (
        "has python 3.12.9 and not 3.13.1; has pandas none and not 3.0; "
        "has numpy 2.4 and not none; has other notebooks in its package"
    )


def test_ctrl_c_calls_the_reports_off(bakery, scheduler, tmp_path):
    hold, out = tmp_path / "hold", tmp_path / "reports"
    hold.mkdir()
    asked = ["--project", bakery, "--only", "slow", "-p", f"hold={hold}", "--out", out]
    line = [sys.executable, "-m", "evidence.cli", "report", *asked]
    with worker(scheduler, tmp_path / "one"):
        run = subprocess.Popen(
            [*map(str, line), "--scheduler", address(scheduler)],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        until(lambda: list(hold.iterdir()))
        run.send_signal(signal.SIGINT)
        error = run.communicate(timeout=60)[1]
        assert run.returncode == 130
        assert error.splitlines()[-1].startswith("evidence: stopped. The previous reports are")
        assert not any(scheduler.processing().values())
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("tcp://127.0.0.1:1", "no scheduler answers there within 1 seconds"),
        ("nowhere", "is no address of a scheduler, such as tcp://192.0.2.7:8786"),
        ("bread://127.0.0.1:1", "is no address of a scheduler, such as tcp://192.0.2.7:8786"),
    ],
)
def test_an_address_where_nobody_answers(bakery, monkeypatch, capsys, given, says):
    monkeypatch.setattr(dask_executor, "PATIENCE", 1)
    assert cli.main(["report", "--project", str(bakery), "--scheduler", given]) == 1
    assert capsys.readouterr().err == f"evidence: --scheduler {given}: {says}\n"


def test_a_scheduler_without_workers(scheduler, monkeypatch):
    monkeypatch.setattr(dask_executor, "PATIENCE", 1)
    says = f"has no workers; start one with: dask worker {address(scheduler)}"
    with pytest.raises(ReportError, match=says), DaskExecutor(address(scheduler)):
        pass


def test_without_dask_the_error_says_what_to_install(bakery, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["report", "--project", str(bakery), "--scheduler", "tcp://a:1"]) == 1
    says = "dask is not installed here; install it with pip install 'evidence[cluster]'"
    assert capsys.readouterr().err == f"evidence: --scheduler tcp://a:1: {says}\n"


def test_a_parcel_holds_what_is_in_the_folder_and_nothing_hidden(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / ".git").mkdir()
    for name in ("a/one.csv", "a/b/två.py", "a/.hidden", "a/.git/config", "top.bib", "other"):
        (tmp_path / name).write_text(name)
    (tmp_path / "a" / "link.csv").symlink_to(tmp_path / "other")
    parcel = pack(tmp_path, ["a", "top.bib", "absent"])
    assert parcel == {
        "a/one.csv": b"a/one.csv",
        "a/b/två.py": "a/b/två.py".encode(),
        "a/link.csv": b"other",
        "top.bib": b"top.bib",
    }
    unpack(parcel, tmp_path / "new")
    assert pack(tmp_path / "new") == parcel
    assert not (tmp_path / "new" / "a" / "link.csv").is_symlink()


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "a/../../x", "..", "a\\..\\x", "C:x", "", "a\0"]
)
def test_a_name_that_leads_out_of_the_folder_is_not_written(tmp_path, name):
    with pytest.raises(ReportError, match="is no name of a file inside a folder"):
        unpack({"first": b"", name: b""}, tmp_path / "new")
    assert not list(tmp_path.iterdir())
