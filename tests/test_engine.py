"""The warm engine gives what papermill's own gives, and no run knows of another."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError
from papermill.exceptions import PapermillExecutionError

from evidence import cli
from evidence.build.engine.processes import QUIET_KERNEL
from evidence.build.execute import kept
from evidence.errors import ReportError
from tests.test_report import small_project

ROOT = Path(__file__).resolve().parents[1]
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can be forked here")

SHOWN = [
    "import asyncio, os, sys, warnings\n1 + 1",
    "sys.path, sys.flags, os.getcwd(), _dh, sys.stdin",
    "from matplotlib.figure import Figure\nFigure()",
    "print('out')\nprint('back', file=sys.stderr)\nwarnings.simplefilter('ignore')",
    "from IPython.display import HTML, SVG, Markdown, clear_output, display, update_display\n"
    "display(HTML('<b>bold</b>'), metadata={'text/html': {'isolated': True}})\nMarkdown('*em*')",
    "handle = display('before', display_id='kept')",
    "handle.update('after')",
    "print('gone')\nclear_output()\ndisplay('stays')",
    "print('gone too')\nclear_output(wait=True)\ndisplay('comes instead')",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2, 4])",
    "plt.hist([1, 1, 2]);\nplt.figure()\nplt.plot([3, 1]);",
    "Figure()",
    "plt.get_backend(), plt.isinteractive(), plt.rcParams['figure.dpi']",
    "%config InlineBackend.figure_formats = ['svg']\nplt.figure(figsize=(1, 1))\nNone",
    "%matplotlib agg\nplt.plot([1, 2]);\nplt.get_backend()",
    "await asyncio.sleep(0)\n'awaited'",
    # What another program writes is read by a thread, which may come behind the end of a cell.
    "os.system('echo from another program')\nawait asyncio.sleep(0.5)",
    "%%capture kept\nprint('kept')",
    "kept.stdout, _, In[1], get_ipython().execution_count",
    "!echo through the shell",
    "import anywidget\nanywidget.AnyWidget()",
    "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "display({'text/plain': 'both', 'application/json': {'a': [1]}}, raw=True)",
    "import plainly_not_there",
    "'never'",
]


def book(*sources):
    """A notebook with these cells."""
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.metadata.kernelspec = kernel
    return made


def run(*sources, engine="evidence", out=None, **options):
    options = {"progress_bar": False, "extra_arguments": list(QUIET_KERNEL)} | options
    # Without it, kernels behave as for a person; and it would ask for a new server in each test.
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    made = papermill.execute_notebook(book(*sources), out, engine_name=engine, **options)
    return made.cells


def shown(*sources, **options):
    """What the last cell showed."""
    return run(*sources, **options)[-1].outputs[0].data["text/plain"]


def failed(tmp_path, *sources, **options):
    """The error of papermill, and the notebook that it left."""
    out = tmp_path / "failed.ipynb"
    with pytest.raises(PapermillExecutionError) as caught:
        run(*sources, out=str(out), **options)
    return caught.value, nbformat.read(out, as_version=4)


def gone(pid):
    """Whether a process ends within some seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("name", NAMES)
def test_notebook_comes_out_byte_for_byte_as_with_papermill_s_own_engine(report, tmp_path, name):
    """The finished run of the session was made with the warm engine."""
    notebook = ROOT / "notebooks" / f"{name}.ipynb"
    out = tmp_path / "reports"
    executed = tmp_path / notebook.name
    papermill.execute_notebook(
        str(notebook),
        str(executed),
        parameters={"project": str(ROOT), "out": str(out)},
        cwd=str(notebook.parent),
        engine_name="nbclient",
        progress_bar=False,
        request_save_on_cell_execute=False,
        extra_arguments=list(QUIET_KERNEL),
    )
    assert kept(nbformat.read(executed, as_version=4)) == (
        report / "notebooks" / notebook.name
    ).read_text("utf-8")


def test_everything_a_cell_can_show_comes_out_as_with_papermill_s_own_engine(tmp_path):
    books = []
    for engine in ("nbclient", "evidence"):
        folder = tmp_path / engine
        folder.mkdir()
        error, left = failed(folder, *SHOWN, engine=engine)
        assert (error.ename, error.cell_index) == ("ModuleNotFoundError", len(SHOWN) - 2)
        status = [cell.metadata.get("papermill", {}).get("status") for cell in left.cells]
        assert status.count("completed") == len(SHOWN) - 2
        assert (status.count("failed"), status.count("pending")) == (1, 1)
        (state,) = left.metadata.widgets.values()
        models = sorted(widget["model_name"] for widget in state["state"].values())
        for place, cell in enumerate(left.cells):
            cell.id = f"cell-{place}"
        books.append((re.sub(r"0x[0-9a-f]{8,}", "an address", kept(left)), models))
    assert books[0] == books[1]
    assert "image/png" in books[0][0]
    assert "from another program" in books[0][0]
    assert "gone" not in books[0][0].replace("print('gone", "")


def test_no_run_knows_what_another_did(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    ask = (
        "import os, sys, math, warnings, decimal, random, matplotlib, numpy, evidence.display\n"
        "(hasattr(evidence.display, 'left'), os.environ.get('LEFT'), os.getcwd(), math.pi,"
        " matplotlib.rcParams['font.size'], warnings.filters, decimal.getcontext().prec,"
        " sys.path, 'left' in globals(), pandas_width())"
    )
    width = "import pandas\ndef pandas_width(): return pandas.options.display.width"
    before = shown(width, ask)
    leave = (
        "left = evidence.display.left = os.environ['LEFT'] = 'x'\n"
        f"os.chdir({str(tmp_path / 'elsewhere')!r})\nmath.pi = 3\n"
        "matplotlib.rcParams['font.size'] = 3\nwarnings.simplefilter('error')\n"
        "decimal.getcontext().prec = 3\nsys.path.append('left')\npandas.options.display.width = 3"
    )
    assert shown(width, ask, leave, ask) != before
    assert shown(width, ask) == before
    draw = "import random, numpy\n(random.random(), numpy.random.rand())"
    assert shown(draw) != shown(draw)


def test_each_run_is_forked_from_one_process_of_one_thread():
    count = "import os, pathlib\n(os.getppid(), os.getpid())"
    threads = "[line for line in pathlib.Path(f'/proc/{os.getppid()}/status').read_text().split("
    threads += "'\\n') if line.startswith('Threads')][0].split()[1]"
    one, other = (eval(shown(count)) for _ in range(2))
    assert one[0] == other[0] != os.getpid()
    assert one[1] != other[1]
    if sys.platform == "linux":
        assert shown(count, threads) == "'1'"


def test_settings_of_the_person_are_those_of_papermill_s_own_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "python.py"))
    profile = tmp_path / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (tmp_path / "python.py").write_text("import threading\nfirst = threading.active_count() > 0")
    (profile / "startup" / "00.py").write_text("import os\nstarted = os.getcwd()")
    ask = "import matplotlib.pyplot as plt\nfirst, started, plt.get_backend()"
    told = [shown(ask, engine=engine) for engine in ("nbclient", "evidence")]
    assert told[0] == told[1] == repr((True, str(Path.cwd()), "agg"))
    settings = profile / "ipython_config.py"
    settings.write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "c.InteractiveShellApp.exec_lines = ['said = 1']\nc.InteractiveShell.colors = 'nocolor'"
    )
    ask = "import threading\n(said, get_ipython().colors, get_ipython().ast_node_interactivity)"
    told = [shown(ask, engine=engine) for engine in ("nbclient", "evidence")]
    assert told[0] == told[1] == "(1, 'nocolor', 'last_expr')"
    settings.unlink()
    interactive = '{"InteractiveShell": {"ast_node_interactivity": "all"}}'
    (profile / "ipython_kernel_config.json").write_text(interactive)
    assert len(run("1\n2")[0].outputs) == 2
    (profile / "ipython_kernel_config.json").unlink()
    assert len(run("1\n2")[0].outputs) == 1


def test_arguments_of_the_call_are_those_of_the_kernel(tmp_path):
    limited = [*QUIET_KERNEL, "--InteractiveShell.ast_node_interactivity=all"]
    assert len(run("1\n2", extra_arguments=limited)[0].outputs) == 2
    assert len(run("1\n2")[0].outputs) == 1
    history = [*QUIET_KERNEL, f"--HistoryManager.hist_file={tmp_path / 'kept.sqlite'}"]
    assert shown("get_ipython().history_manager.hist_file", extra_arguments=history) == repr(
        str(tmp_path / "kept.sqlite")
    )
    wrong = [*QUIET_KERNEL, "--InteractiveShell.ast_node_interactivity=nonsense"]
    with pytest.raises(RuntimeError, match=r"could not be started: it ended itself with exit code"):
        run("1", extra_arguments=wrong)


def test_environment_folder_and_parameters_are_those_of_the_call(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIDENCE_TEST_WORD", "said")
    cells = run(
        "import os\n(word, os.getcwd(), os.environ['EVIDENCE_TEST_WORD'])",
        parameters={"word": "given"},
        cwd=str(tmp_path),
    )
    assert cells[0].metadata.tags == ["injected-parameters"]
    assert eval(cells[1].outputs[0].data["text/plain"]) == ("given", str(tmp_path), "said")
    assert run("1 / 0", prepare_only=True)[0].outputs == []


@pytest.mark.parametrize(
    "last, said",
    [
        ("os._exit(3)", "it ended itself with exit code 3"),
        ("os.abort()", "it was ended by SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "it was ended by SIGSEGV"),
        (
            "os.kill(os.getpid(), 9)",
            "it was ended by SIGKILL, as a system without free memory does",
        ),
    ],
)
def test_a_process_that_dies_is_an_error_of_its_cell(tmp_path, last, said):
    error, left = failed(tmp_path, "import os\n'shown before'", f"display('seen')\n{last}", "'no'")
    assert (error.cell_index, error.exec_count, error.ename) == (1, 2, "DeadKernelError")
    assert error.evalue == f"the process of this notebook died in this cell: {said}"
    _, first, _, second, third = left.cells
    assert first.outputs[0].data["text/plain"] == "'shown before'"
    assert [output.output_type for output in second.outputs] == ["display_data", "error"]
    assert third.outputs == []
    assert shown("'the next one runs'") == "'the next one runs'"


def test_interrupted_cell_is_an_error_and_runs_no_further(tmp_path):
    error, left = failed(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGINT)", "1")
    assert error.ename == "KeyboardInterrupt"
    assert left.cells[-1].outputs == []


def test_ctrl_c_ends_the_notebook_and_all_that_it_started(tmp_path):
    endless = (
        "import os, pathlib, subprocess, time\nother = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(tmp_path / 'pids')!r}).write_text(f'{{os.getpid()}} {{other.pid}}"
        " {os.getppid()}')\ntime.sleep(600)"
    )
    nbformat.write(book(endless), tmp_path / "endless.ipynb")
    command = [sys.executable, "-m", "papermill", "--engine", "evidence", "--no-progress-bar"]
    asking = subprocess.Popen(
        [*command, "endless.ipynb", "out.ipynb"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().count(" ") == 2:
            break
        assert asking.poll() is None, asking.stderr.read()
        time.sleep(0.1)
    asking.send_signal(signal.SIGINT)
    said = asking.communicate(timeout=30)[1]
    assert asking.returncode != 0
    assert "KeyboardInterrupt" in said or "Aborted" in said
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_cell_that_takes_too_long_is_ended_as_papermill_has_it():
    started = time.monotonic()
    with pytest.raises(CellTimeoutError, match="Cell execution timed out"):
        run("import time; time.sleep(600)", execution_timeout=1)
    assert time.monotonic() - started < 60


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_memory_beyond_the_limit_is_an_error_of_its_cell(tmp_path):
    error, _ = failed(tmp_path, "'small'", "big = bytearray(1200 * 2**20)", memory_limit=600)
    assert (error.cell_index, error.ename) == (1, "MemoryError")
    assert shown("len(bytearray(1200 * 2**20)) // 2**20") == "1200"
    assert shown("len(bytearray(100 * 2**20)) // 2**20", memory_limit=600) == "100"


def test_memory_is_not_limited_where_it_cannot_be(capsys, tmp_path, monkeypatch):
    for options in (["--memory", "0"], ["--memory", "9", "--engine", "kernel"]):
        assert cli.main(["report", "--project", str(ROOT), *options]) == 2
        said = "a whole number of MiB above 0, and not with --engine kernel"
        assert said in capsys.readouterr().err
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ReportError, match="memory limit of 9 MiB: can only be set on Linux"):
        run("1", memory_limit=9)


def test_where_nothing_can_be_forked_papermill_s_own_engine_runs(monkeypatch):
    monkeypatch.delattr(os, "fork")
    assert shown("import os\nos.getppid()") == str(os.getpid())


@pytest.mark.parametrize("engine, forked", [("evidence", True), ("kernel", False)])
def test_report_asks_for_the_engine_that_was_named(tmp_path, engine, forked):
    """The kernel that papermill starts itself is a child of the asking process."""
    project = small_project(tmp_path)
    path = project / "notebooks" / "05_claims.ipynb"
    notebook = nbformat.read(path, as_version=4)
    asks = f"import os\nos.getppid() == {os.getpid()} or 1 / 0"
    notebook.cells = [*notebook.cells[:4], nbformat.v4.new_code_cell(asks)]
    nbformat.write(notebook, path)
    only = ["--only", "claims"]
    made = cli.main(["report", "--project", str(project), "--engine", engine, *only])
    assert made == (1 if forked else 0)
