"""Many runs of the warm engine: from several threads, all stopped at once, on the same tables."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from jupyter_core.utils import ensure_event_loop
from papermill.exceptions import PapermillExecutionError

from evidence.build.engine.processes import start, stop_all
from tests.test_engine import gone, run, shown

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can be forked here")


def wait_for(condition, seconds=60):
    for _ in range(seconds * 10):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to pass")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted on Linux only")
def test_server_that_was_started_early_is_the_one_that_serves():
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    stop_all()
    start()
    threads = Path("/proc/self/task").glob("*/children")
    children = " ".join(path.read_text() for path in threads).split()
    assert shown("import os\nos.getppid()") in children


@pytest.mark.parametrize("engine, many", [("evidence", 6), ("nbclient", 2)])
def test_runs_of_several_threads_know_nothing_of_each_other(tmp_path, engine, many):
    here, opened = Path.cwd(), []

    def in_folder(number):
        # Papermill's own engine leaves an event loop in each thread; ours closes it.
        if engine == "nbclient":
            opened.append(ensure_event_loop())
        folder = tmp_path / f"{number}"
        folder.mkdir()
        (folder / "beside.py").write_text(f"name = {number}")
        return run(
            "import os, beside\nbeside.others = beside.name\nopen('left', 'w').write('x')",
            f"for turn in range(200):\n    print({number}, turn)",
            "(number, beside.others, os.getcwd(), os.listdir())",
            engine=engine,
            out=str(folder / "out.ipynb"),
            parameters={"number": number},
            resources={"metadata": {"path": str(folder)}},
        )

    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(in_folder, range(many)))
    for number, (_, _, printed, last) in enumerate(made):
        folder = tmp_path / f"{number}"
        assert printed.outputs[0].text == "".join(f"{number} {turn}\n" for turn in range(200))
        told = eval(last.outputs[0].data["text/plain"])
        assert told[:3] == (number, number, str(folder))
        assert {"beside.py", "left"} <= set(told[3])
        assert nbformat.read(folder / "out.ipynb", as_version=4).cells[-1].outputs == last.outputs
    assert Path.cwd() == here
    for loop in opened:
        loop.close()


def test_all_kernels_are_ended_at_once(tmp_path):
    def endless(number):
        pids = f"__import__('pathlib').Path({str(tmp_path / str(number))!r}).write_text("
        run(
            "import os, subprocess, time\nother = subprocess.Popen(['sleep', '600'])\n"
            f"{pids}f'{{os.getpid()}} {{other.pid}} {{os.getppid()}}')\ntime.sleep(600)"
        )

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(endless, number) for number in range(3)]
        wait_for(lambda: sum(p.read_text().count(" ") for p in tmp_path.iterdir()) == 6)
        stop_all()
        for one in runs:
            with pytest.raises(PapermillExecutionError, match="died in this cell"):
                one.result(timeout=30)
    assert all(gone(int(pid)) for p in tmp_path.iterdir() for pid in p.read_text().split())
    assert shown("'the next one runs'") == "'the next one runs'"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends with its cell")
def test_kernel_ends_with_a_server_that_was_killed(tmp_path):
    pids = tmp_path / "pids"
    endless = (
        f"import os, pathlib, time\npathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} "
        "{os.getppid()}')\nwhile True:\n    time.sleep(1)"
    )
    with ThreadPoolExecutor(1) as pool:
        left = pool.submit(run, endless)
        wait_for(lambda: pids.exists() and " " in pids.read_text())
        kernel, server = map(int, pids.read_text().split())
        os.kill(server, signal.SIGKILL)
        with pytest.raises(PapermillExecutionError, match="died in this cell"):
            left.result(timeout=30)
    assert gone(kernel)
    assert shown("'the next one runs'") == "'the next one runs'"


def test_tables_of_a_project_are_checked_once_for_all_runs(project):
    reads = (
        "from evidence.dataset import reading\nreading.read_tables = None\n"
        f"len(reading.load_dataset({str(project.root)!r}).results)"
    )
    with pytest.raises(PapermillExecutionError, match="'NoneType' object is not callable"):
        run(reads)
    assert shown(reads, project=str(project.root)) == "5"
    rows = project.rows("data/studies.csv")
    project.write("data/studies.csv", rows[:-1])
    assert shown(reads, project=str(project.root)) == "4"
    project.write("data/studies.csv", rows[:1])
    with pytest.raises(PapermillExecutionError, match="has a header and no rows"):
        run(reads.replace("reading.read_tables = None", ""), project=str(project.root))


def test_what_hangs_on_the_tables_alone_is_made_once_for_many_sets(project):
    made = (
        "from evidence.dataset.dataset import made\nfrom evidence.dataset.dataset import load_dataset\n"
        f"names = made(load_dataset({str(project.root)!r}))\n"
        "' '.join(sorted(name.rpartition('.')[2] for name in names))"
    )
    of_tables = "check_consistency choices followed judged people_of select_results unknowns"
    assert shown(made, project=str(project.root)) == "''"
    assert shown(made, project=str(project.root), many=True) == repr(of_tables)
    # Other tables, and nothing that was made of these is left.
    project.put("data/studies.csv", 2, n="18")
    assert shown(made, project=str(project.root)) == "''"
