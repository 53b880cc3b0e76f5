"""Reports built on a Dask cluster are those built here, and none is lost with a worker."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from distributed import Client, LocalCluster

from evidence import cli
from evidence.build import dask_executor
from evidence.build.build import BuildOptions, build_batch, build_reports
from evidence.build.dask_executor import DaskExecutor, describe_versions, pack, unpack
from evidence.errors import ReportError

SHOW = (
    "from loaf import SHAPE\nfrom evidence import tabulate_studies\n"
    "report.table(tabulate_studies(report.dataset, report.results))\nprint(SHAPE)"
)


@pytest.fixture
def bakery(project):
    """A project with a notebook of its own that imports a module beside it."""
    project.notebook("10_bread", SHOW)
    (project.root / "notebooks" / "loaf.py").write_text("SHAPE = 'round'\n")
    return project


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two workers that are threads of this process."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as started:
        yield started


def wait_until(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


def read_files(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_reports_of_workers_are_those_built_here(bakery, cluster, tmp_path):
    address = cluster.scheduler_address
    with DaskExecutor(address) as executor:
        assert executor.jobs == 2
        options = BuildOptions(only=["bread"], executor=executor)
        result = build_reports(bakery.root, out=tmp_path / "theirs", options=options)
    assert result.failures == {}
    build_reports(bakery.root, out=tmp_path / "ours", options=BuildOptions(only=["bread"]))
    ours = read_files(tmp_path / "ours")
    assert ours.keys() == read_files(tmp_path / "theirs").keys()
    assert len(ours) > 8
    assert ours == read_files(tmp_path / "theirs")
    again = build_reports(
        bakery.root, out=tmp_path / "theirs", options=BuildOptions(only=["bread"])
    )
    assert again.reasons == {"10_bread": ""}


def test_notebook_that_fails_comes_back_with_its_traceback(bakery, cluster, tmp_path):
    bakery.notebook("10_bread", "open(project + '/data/oven.csv')")
    with DaskExecutor(cluster.scheduler_address) as executor:
        options = BuildOptions(only=["bread"], executor=executor)
        result = build_reports(bakery.root, out=tmp_path / "reports", options=options)
    assert "FileNotFoundError" in result.failures["10_bread"]
    notebook = nbformat.read(result.failed_notebooks["10_bread"], as_version=4)
    assert "oven.csv" in str(notebook.cells[-2].outputs)


@contextlib.contextmanager
def start_worker(client, folder, name):
    """A worker with one thread in a process of its own."""
    count = len(client.scheduler_info(n_workers=-1)["workers"])
    command = [sys.executable, "-m", "dask", "worker", client.scheduler.address, "--no-nanny"]
    options = ["--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    environment = {**os.environ, "WORKER": name}
    with subprocess.Popen(
        [*command, *options], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            client.wait_for_workers(count + 1, timeout=60)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_batch_is_complete_although_a_worker_was_killed(bakery, tmp_path):
    begun = tmp_path / "begun"
    begun.mkdir()
    bakery.notebook(
        "10_bread",
        f"import os, pathlib, time\nbegun = pathlib.Path({str(begun)!r})\n"
        "(begun / f\"{os.environ['WORKER']} {confidence}\").touch()\n"
        "while not (begun / 'go').exists(): time.sleep(0.05)",
    )

    def build(address):
        with DaskExecutor(address) as executor:
            options = BuildOptions(only=["bread"], executor=executor)
            grid = ["confidence=0.8,0.9,0.95"]
            return list(build_batch(bakery.root, grid=grid, out=tmp_path / "out", options=options))

    with (
        LocalCluster(
            n_workers=0, processes=False, protocol="tcp", dashboard_address=":0"
        ) as started,
        Client(started, set_as_default=False) as client,
        start_worker(client, tmp_path / "1", "first") as first,
        start_worker(client, tmp_path / "2", "second"),
        ThreadPoolExecutor(1) as pool,
    ):
        results = pool.submit(build, started.scheduler_address)
        wait_until(
            lambda: {path.name.split()[0] for path in begun.iterdir()} >= {"first", "second"}
        )
        (lost,) = [path.name.split()[1] for path in begun.iterdir() if "first" in path.name]
        first.kill()
        (begun / "go").touch()
        built = results.result(120)
    assert [(list(result.reasons), result.failures) for result in built] == [(["10_bread"], {})] * 3
    assert f"second {lost}" in {path.name for path in begun.iterdir()}


def test_worker_with_other_versions_is_refused_before_anything_runs(
    bakery, cluster, monkeypatch, capsys
):
    answers = iter([{"python": "3.13.1"}, {"python": "3.12.9", "pandas": "3.0"}])
    monkeypatch.setattr(dask_executor, "installed_versions", lambda: next(answers))
    command = ["report", "--project", str(bakery.root), "--scheduler", cluster.scheduler_address]
    assert cli.main(command) == 1
    error = capsys.readouterr().err
    assert "has python 3.12.9 instead of 3.13.1, pandas 3.0 instead of none" in error
    assert not bakery.path("reports").exists()


def test_missing_library_is_named():
    assert describe_versions({"a": "1"}, {"a": "1"}) == ""
    assert describe_versions({}, {"a": "1"}) == "a missing instead of 1"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "bread://127.0.0.1:1"])
def test_address_without_a_scheduler(bakery, monkeypatch, capsys, address):
    monkeypatch.setattr(dask_executor, "TIMEOUT_SECONDS", 0.5)
    assert cli.main(["report", "--project", str(bakery.root), "--scheduler", address]) == 1
    error = capsys.readouterr().err
    assert f"--scheduler {address}: no scheduler answers within 0.5 seconds" in error


def test_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(dask_executor, "TIMEOUT_SECONDS", 0.5)
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as started:
        message = f"has no workers; start one with: dask worker {started.scheduler_address}"
        with pytest.raises(ReportError, match=message), DaskExecutor(started.scheduler_address):
            pass


def test_without_dask_the_error_says_what_to_install(project, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["report", "--project", str(project.root), "--scheduler", "tcp://a:1"]) == 1
    assert "install it with pip install 'evidence[cluster]'" in capsys.readouterr().err


def test_archive_holds_what_is_in_the_folder_and_nothing_hidden(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / ".git").mkdir()
    for name in ("a/one.csv", "a/b/två.py", "a/.hidden", "a/.git/config", "top.bib", "other"):
        (tmp_path / name).write_text(name)
    (tmp_path / "a" / "link.csv").symlink_to(tmp_path / "other")
    unpack(pack(tmp_path, ["a", "top.bib", "absent"]), tmp_path / "new")
    assert read_files(tmp_path / "new") == {
        "a/one.csv": b"a/one.csv",
        "a/b/två.py": "a/b/två.py".encode(),
        "a/link.csv": b"other",
        "top.bib": b"top.bib",
    }
    assert not (tmp_path / "new" / "a" / "link.csv").is_symlink()
