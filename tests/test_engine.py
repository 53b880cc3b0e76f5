"""The engine gives the outputs of papermill's own engine, and each notebook has its own process."""

import ast
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError
from papermill.exceptions import PapermillExecutionError

from evidence import cli
from evidence.build.build import BuildOptions, build_reports
from evidence.build.engine import stop_all
from evidence.build.execute import Job, execute_report
from evidence.errors import ReportError
from tests.conftest import ROOT, heed_signals

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")

SHOWN = [
    "import asyncio, os, sys, warnings\n1 + 1",
    "os.getcwd(), __name__, str(sys.flags).replace(f'safe_path={sys.flags.safe_path}', '')",
    "print('first')\nprint('second', end='')\nprint()",
    "print('to stderr', file=sys.stderr)",
    "1;",
    "'comment'  # not suppressed;",
    "'suppressed';  # comment",
    "value = 2",
    "from matplotlib.figure import Figure\nFigure()",
    "from IPython.display import HTML, Image, Markdown, clear_output, display\n"
    "display(HTML('<b>bold</b>'), metadata={'text/html': {'isolated': True}})\nMarkdown('*em*')",
    "handle = display('before', display_id='updated later')",
    "handle.update('after')",
    "print('cleared')\nclear_output()\ndisplay('stays')",
    "print('cleared')\nclear_output(wait=True)\ndisplay('comes instead')",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2, 4])",
    "plt.hist([1, 1, 2]);\nplt.figure()\nplt.plot([3, 1]);",
    "Figure()",
    "plt.get_backend(), plt.isinteractive(), plt.rcParams['figure.dpi']",
    "%config InlineBackend.figure_formats = ['svg']\nplt.figure(figsize=(1, 1))\nNone",
    "%matplotlib agg\nplt.plot([1, 2]);\nplt.get_backend()",
    "%matplotlib inline\nplt.plot([1, 2]);\nplt.get_backend()",
    "await asyncio.sleep(0)\n'awaited'",
    "%%capture captured\nprint('captured')",
    "captured.stdout, _, In[1], Out[1], get_ipython().execution_count",
    "!echo through the shell",
    "lines = !echo assigned\nlines",
    "%who_ls",
    "class Raw:\n    def _repr_png_(self): return b'\\x89PNG'\nRaw()",
    "Image(b'\\x89PNG', format='png')",
    "import anywidget\nanywidget.AnyWidget()",
    "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "display({'text/plain': 'both', 'application/json': {'a': [1]}}, raw=True)",
    "display(1)\nprint(2)\ndisplay(3)\n4",
]
FAILING = [
    "1 / 0",
    "def broken(:",
    "exec('def broken(:')",
    "%nosuchmagic",
    "print('before')\nraise ValueError('<b>why</b>')",
    "sys.exit(3)",
    "class Wrong:\n    def _repr_html_(self): raise ValueError('no page')\nWrong()",
]


def notebook(*sources, tags=()):
    """A notebook with these cells, all of which have these tags."""
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def run(*sources, engine="evidence", out=None, tags=(), **options):
    options = {"progress_bar": False, **options}
    executed = papermill.execute_notebook(
        notebook(*sources, tags=tags), out, engine_name=engine, **options
    )
    return executed.cells


def last_value(*sources, **options):
    """What the last cell shows, as Python."""
    return ast.literal_eval(run(*sources, **options)[-1].outputs[0].data["text/plain"])


def run_failing(tmp_path, *sources, **options):
    """The error of papermill, and the code cells that it left."""
    out = tmp_path / "failed.ipynb"
    with pytest.raises(PapermillExecutionError) as caught:
        run(*sources, out=str(out), **options)
    cells = nbformat.read(out, as_version=4).cells
    return caught.value, [cell for cell in cells if cell.cell_type == "code"]


def wait_for_processes(path, count):
    """The process ids that a notebook writes to a file."""
    for _ in range(600):
        if path.exists() and len(ids := path.read_text().split()) == count:
            return [int(text) for text in ids]
        time.sleep(0.05)
    raise AssertionError("the notebook did not start")


def has_ended(process):
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def endless(path):
    """A cell that writes its process id and that of a program it started, and never ends."""
    return (
        "import os, pathlib, subprocess, time\nprogram = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(path)!r}).write_text(f'{{os.getpid()}} {{program.pid}}')\n"
        "time.sleep(600)"
    )


def normalised(cell):
    """Outputs without addresses, names of widgets, and colours; streams in one piece each."""
    outputs, streams = [], {"stdout": "", "stderr": ""}
    for output in cell.outputs:
        if output.output_type == "stream":
            streams[output.name] += output.text
            continue
        if output.output_type == "error":
            output = {"error": output.ename, "message": re.sub(r" \(.*?\)", "", output.evalue)}
        elif "application/vnd.jupyter.widget-view+json" in output.data:
            output.data["application/vnd.jupyter.widget-view+json"].pop("model_id")
        outputs.append(re.sub(r"0x[0-9a-f]{8,}", "0x", str(output)))
    status = cell.metadata.papermill.status
    return cell.source, cell.execution_count, status, streams, outputs


def test_shipped_notebooks_come_out_byte_for_byte_as_with_papermill_s_own_engine(report, tmp_path):
    """One with widgets, one with figures and tables; the run of the session was made with ours.

    `test_lab.py` runs all of them in kernels.
    """
    options = BuildOptions(only=["00_start", "04_durability"], engine="kernel")
    result = build_reports(ROOT, out=tmp_path / "reports", options=options)
    assert result.failures == {}
    for name in options.only:
        ours, theirs = (
            (folder / "notebooks" / f"{name}.ipynb").read_text("utf-8")
            for folder in (report, tmp_path / "reports")
        )
        assert ours == theirs, name


def test_cells_show_the_same_as_with_papermill_s_own_engine(tmp_path):
    executed = {}
    for engine in ("nbclient", "evidence"):
        out = tmp_path / f"{engine}.ipynb"
        with pytest.raises(PapermillExecutionError):
            run(*SHOWN, *FAILING, engine=engine, out=str(out), tags=["raises-exception"])
        executed[engine] = nbformat.read(out, as_version=4)
    ours, theirs = executed["evidence"], executed["nbclient"]
    for our_cell, their_cell in zip(ours.cells, theirs.cells, strict=True):
        if our_cell.cell_type == "code":
            assert normalised(our_cell) == normalised(their_cell)
    assert ours.metadata.language_info == theirs.metadata.language_info
    models = [
        sorted(model["model_name"] for model in state["state"].values())
        for book in (ours, theirs)
        for state in book.metadata.widgets.values()
    ]
    assert models[0] == models[1] != []
    pictures = [o for cell in ours.cells for o in cell.get("outputs", []) if "image/png" in str(o)]
    assert len(pictures) >= 5


def test_outputs_keep_their_order_and_neighbouring_prints_are_joined():
    source = (
        "import sys, warnings\nfrom IPython.display import display\n"
        "print('a')\nprint('b')\ndisplay('c')\nprint('d', file=sys.stderr)\nprint('e')\n"
        "warnings.warn('f')\n'g'"
    )
    (cell,) = run(source)
    kinds = [(output.get("name") or output.output_type) for output in cell.outputs]
    assert kinds == ["stdout", "display_data", "stderr", "stdout", "stderr", "execute_result"]
    assert cell.outputs[0].text == "a\nb\n"
    assert "UserWarning: f" in cell.outputs[4].text


def test_output_of_other_programs_is_shown_when_the_cell_ends():
    (cell,) = run("import os\nos.system('echo out; echo err >&2')\nprint('mine')")
    assert [(output.name, output.text) for output in cell.outputs] == [
        ("stdout", "mine\nout\n"), ("stderr", "err\n")
    ]  # fmt: skip


def test_failing_cell_ends_the_notebook_with_its_traceback(tmp_path):
    error, cells = run_failing(tmp_path, "1", "def f(): 1 / 0\nf()", "'never'")
    assert (error.cell_index, error.exec_count, error.ename) == (1, 2, "ZeroDivisionError")
    statuses = [cell.metadata.papermill.status for cell in cells]
    assert statuses == ["completed", "failed", "pending"]
    assert "in f()" in re.sub(r"\x1b\[[\d;]*m", "", "\n".join(cells[1].outputs[-1].traceback))
    assert cells[2].outputs == []


def test_cell_that_may_fail_does_not_end_the_notebook(tmp_path):
    out = tmp_path / "out.ipynb"
    with pytest.raises(PapermillExecutionError, match="division by zero"):
        run("1 / 0", "'goes on'", tags=["raises-exception"], out=str(out))
    assert nbformat.read(out, as_version=4).cells[-1].outputs[0].data["text/plain"] == "'goes on'"


@pytest.mark.parametrize("last", ["import sys; sys.exit()", "exit()", "raise SystemExit(0)"])
def test_notebook_may_end_early_without_an_error(last):
    cells = run(last, "'never'")
    assert cells[-1].outputs == []


def test_input_is_refused_with_the_way_out(tmp_path):
    error, _ = run_failing(tmp_path, "input('your name: ')")
    assert error.ename == "StdinNotImplementedError"
    assert "use a notebook parameter" in error.evalue


@pytest.mark.parametrize(
    "last, cause",
    [
        ("os._exit(3)", "it ended itself with exit code 3"),
        ("os.abort()", "it was ended by SIGABRT"),
        (
            "os.kill(os.getpid(), 9)",
            "it was ended by SIGKILL, as a system without free memory does",
        ),
        ("os.fork() or __import__('time').sleep(600)\nos.abort()", "it was ended by SIGABRT"),
    ],
)
def test_process_that_dies_is_an_error_of_its_cell(tmp_path, last, cause):
    error, cells = run_failing(
        tmp_path, "import os\n'shown before'", f"display('seen')\n{last}", "'never'"
    )
    assert (error.cell_index, error.exec_count, error.ename) == (1, 2, "DeadKernelError")
    assert error.evalue == f"the process of this notebook died in this cell: {cause}"
    assert cells[0].outputs[0].data["text/plain"] == "'shown before'"
    assert [output.output_type for output in cells[1].outputs] == ["display_data", "error"]
    assert cells[2].outputs == []


def test_cell_that_takes_too_long_is_ended():
    with pytest.raises(CellTimeoutError, match="Cell execution timed out"):
        run("import time; time.sleep(600)", execution_timeout=1)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_memory_beyond_the_limit_is_an_error_of_its_cell(tmp_path):
    error, _ = run_failing(tmp_path, "1", "big = bytearray(1200 * 2**20)", memory_limit=600)
    assert (error.cell_index, error.ename) == (1, "MemoryError")
    assert last_value("len(bytearray(100 * 2**20)) // 2**20", memory_limit=600) == 100


def test_memory_limit_is_refused_where_it_cannot_be_set(capsys, monkeypatch):
    for options in (["--memory", "0"], ["--memory", "9", "--engine", "kernel"]):
        assert cli.main(["report", "--project", str(ROOT), *options]) == 2
        assert "--memory" in capsys.readouterr().err
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ReportError, match="memory limit of 9 MiB: can only be set on Linux"):
        run("1", memory_limit=9)


def test_another_kernel_runs_with_papermill_s_own_engine():
    """Its process is a child of this one; ours is forked from another."""
    parent = "import os\nos.getppid()"
    assert last_value(parent) != os.getpid()
    assert last_value(parent, engine="nbclient") == os.getpid()
    with pytest.raises(Exception, match="nosuch"):
        run("1", kernel_name="nosuch")


def test_no_notebook_sees_what_another_did():
    ask = (
        "import os, sys, math, decimal, matplotlib, pandas\n"
        "(os.environ.get('LEFT'), os.getcwd(), math.pi, matplotlib.rcParams['font.size'],"
        " decimal.getcontext().prec, sys.path, 'left' in globals(), pandas.options.display.width)"
    )
    leave = (
        "left = os.environ['LEFT'] = 'x'\nos.chdir('/')\nmath.pi = 3\n"
        "matplotlib.rcParams['font.size'] = 3\ndecimal.getcontext().prec = 3\n"
        "sys.path.append('left')\npandas.options.display.width = 3"
    )
    before = last_value(ask)
    assert last_value(ask, leave, ask) != before
    assert last_value(ask) == before
    draw = "import random, numpy\n(random.random(), float(numpy.random.rand()))"
    assert last_value(draw) != last_value(draw)


def test_environment_folder_and_parameters_are_those_of_the_call(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIDENCE_TEST_WORD", "set")
    (tmp_path / "beside.py").write_text("value = 7")
    ask = "import os, beside\n(word, os.getcwd(), os.environ['EVIDENCE_TEST_WORD'], beside.value)"
    values = last_value(ask, parameters={"word": "given"}, cwd=str(tmp_path))
    assert values == ("given", str(tmp_path), "set", 7)


def test_notebooks_run_at_once_and_may_start_processes_of_their_own(tmp_path):
    source = (
        "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    squares = pool.map(abs, range(-{0}, 0))\nsum(squares)"
    )
    with ThreadPoolExecutor(3) as pool:
        sums = list(pool.map(lambda number: last_value(source.format(number)), range(1, 7)))
    assert sums == [number * (number + 1) // 2 for number in range(1, 7)]


def test_all_notebooks_are_stopped_with_the_programs_they_started(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        paths = [tmp_path / str(number) for number in range(2)]
        runs = [pool.submit(run, endless(path)) for path in paths]
        processes = [process for path in paths for process in wait_for_processes(path, 2)]
        stop_all()
        for future in runs:
            with pytest.raises(PapermillExecutionError, match="died in this cell"):
                future.result(timeout=30)
    assert all(map(has_ended, processes))
    assert last_value("'the next one runs'") == "the next one runs"


@pytest.mark.parametrize("sent, code", [(signal.SIGINT, None), (signal.SIGKILL, -9)])
def test_notebook_ends_with_the_program_that_asked_for_it(tmp_path, sent, code):
    """A script without a main guard, which must not be run again in the notebook's process."""
    nbformat.write(notebook(endless(tmp_path / "ids")), tmp_path / "endless.ipynb")
    (tmp_path / "script.py").write_text(
        "import papermill, pathlib\npathlib.Path('once').open('x')\n"
        "papermill.execute_notebook('endless.ipynb', 'out.ipynb', engine_name='evidence',"
        " progress_bar=False)"
    )
    script = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.PIPE, preexec_fn=heed_signals
    )
    processes = wait_for_processes(tmp_path / "ids", 2)
    script.send_signal(sent)
    errors = script.communicate(timeout=30)[1]
    assert script.returncode == code or (code is None and b"KeyboardInterrupt" in errors)
    assert all(map(has_ended, processes))


@pytest.mark.parametrize("engine, code", [("evidence", 1), ("kernel", 0)])
def test_report_uses_the_engine_that_was_named(project, engine, code):
    project.notebook("10_bread", f"import os\nos.getppid() == {os.getpid()} or 1 / 0")
    command = ["report", "--project", str(project.root), "--engine", engine, "--only", "bread"]
    assert cli.main(command) == code


@pytest.mark.parametrize("metadata", [{}, {"kernelspec": {"name": "python3"}}])
def test_a_notebook_that_names_no_kernel_or_language_is_run(project, tmp_path, metadata):
    path = project.notebook("10_bread")
    book = nbformat.read(path, 4)
    book.metadata = metadata
    nbformat.write(book, path)
    job = Job("10_bread", path, project.root, {})
    assert execute_report(job, tmp_path / "report") is None
