"""Time reports against papermill's own ways, side by side in one run, and publish the ratios.

A *near-empty* notebook imports what the shipped ones do and computes nothing. The *stock loop* is
papermill called for one notebook after another; the *pool* is the same loop with as many processes
as there are available_cores.
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from statistics import median

from benchmarks.publishing import publish
from benchmarks.reading import measure_reading
from benchmarks.where_time_goes import where_time_goes
from evidence.build.build import BuildOptions, build_batch
from evidence.build.execute import Job, available_cores, execute_report
from evidence.build.new_project import create_project
from evidence.build.parameter_sets import expand_sets, parse_grid
from evidence.dataset.dataset import load_dataset
from evidence.notebook.locate import own_notebooks
from evidence.notebook.parameters import read_parameters
from evidence.report.figure_files import CACHE_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
Row = tuple[str, str, str]
"""What was measured, what came out, and what is aimed at."""
STOCK, SETS, MANY = 8, 100, 1000
GRIDS = {
    "one set a condition": ["conditions=each", "scope=all"],
    "all studies at two levels": ["confidence=0.9,0.95", "scope=all"],
}
"""The grid that the project ships, and one whose sets have most of their figures for themselves."""
CELLS = (
    'project: str = ""  # folder of the project\nnumber: int = 0  # which of many\n'
    'out: str = ""  # folder for files',
    "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd\n\n"
    "from evidence import open_report",
    "number + 1",
)
REPORTING = (
    *CELLS[:2],
    'report = open_report("empty", project=project, number=number, out=out)',
    "report.close()",
)
"""The same, leaving a record of what it read, without which it would be made in every run."""


def near_empty(project: Path, sources: Sequence[str]) -> Path:
    """A notebook that does nothing, in a small project."""
    cells = [
        {"cell_type": "code", "id": f"cell-{place}", "metadata": {}, "source": source,
         "outputs": [], "execution_count": None}
        for place, source in enumerate(sources)
    ]  # fmt: skip
    cells[0]["metadata"]["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (project / "notebooks").mkdir(exist_ok=True)
    path = project / "notebooks" / "empty.ipynb"
    path.write_text(json.dumps(notebook), "utf-8")
    return path


def stock(notebook: Path, parameters: dict) -> None:
    """One notebook as papermill runs it."""
    import papermill

    with tempfile.TemporaryDirectory() as folder:
        papermill.execute_notebook(
            str(notebook),
            f"{folder}/executed.ipynb",
            parameters=parameters | {"out": folder},
            progress_bar=False,
            engine_name="nbclient",
        )


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes, by the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def stock_loop(runs: list[tuple[Path, dict]]) -> float:
    """Seconds a report, one after the other."""
    return seconds(lambda: [stock(*run) for run in runs]) / len(runs)


def stock_pool(runs: list[tuple[Path, dict]]) -> float:
    """Seconds a report, with a process for each core."""
    with ProcessPoolExecutor(available_cores()) as pool:
        return seconds(lambda: list(pool.map(stock, *zip(*runs, strict=True)))) / len(runs)


def warm(notebook: Path, count: int, folder: Path) -> float:
    """Seconds a report, executed by the warm engine as a batch does it, without pages.

    Raises
    ------
    RuntimeError
        A report failed.
    """
    jobs = [
        Job(notebook.stem, notebook, notebook.parents[1], {"number": number})
        for number in range(count)
    ]
    start = time.perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        failures = list(pool.map(execute_report, jobs, [folder / str(job) for job in range(count)]))
    taken = time.perf_counter() - start
    if any(failures):
        raise RuntimeError(next(failure.message for failure in failures if failure))
    return taken / count


def batch(project: Path, out: Path, grid: list[str], only: Sequence[str] = ()) -> float:
    """Seconds of a whole batch, with its pages and index.

    Raises
    ------
    RuntimeError
        A report failed.
    """
    start = time.perf_counter()
    for outcome in build_batch(project, grid=grid, out=out, options=BuildOptions(only=only)):
        for name, says in outcome.failures.items():
            raise RuntimeError(f"{outcome.name} {name}: {says}")
    return time.perf_counter() - start


def command(*words: str, runs: int = 7) -> float:
    """The median time of a command, by the clock."""
    return median(
        seconds(lambda: subprocess.run(words, check=True, capture_output=True)) for _ in range(runs)
    )


@contextlib.contextmanager
def shipped_copy() -> Iterator[Path]:
    """The shipped tables in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        project.mkdir()
        shutil.copytree(ROOT / "data", project / "data")
        for name in ("references.bib", "LICENSE-DATA", "CITATION.cff"):
            shutil.copy(ROOT / name, project)
        yield project


@contextlib.contextmanager
def store(folder: Path) -> Iterator[None]:
    """Keep what is drawn in this folder."""
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(CACHE_VARIABLE)
        if before is not None:
            os.environ[CACHE_VARIABLE] = before


def mend_a_cell(project: Path) -> None:
    """Change the locator of the last result of the tables."""
    path = project / "data" / "studies.csv"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    for place in reversed(range(len(lines))):
        if ",abstract," in lines[place]:
            lines[place] = lines[place].replace(",abstract,", ",the abstract,", 1)
            break
    path.write_text("".join(lines), "utf-8")


def machine() -> str:
    """The processor, how many available_cores of it are used, and the versions that matter."""
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {available_cores()} available_cores, {platform.system()}, Python {platform.python_version()}"


def near_empty_reports() -> list[Row]:
    """What a report costs beside its cells, and whether it costs more among many."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        project = create_project(folder / "small")
        notebook = near_empty(project, CELLS)
        warm(notebook, 2, folder / "first")
        ours = warm(notebook, SETS, folder / "made")
        runs = [(notebook, {"number": number}) for number in range(STOCK)]
        loop, pool = stock_loop(runs), stock_pool(runs)
        near_empty(project, REPORTING)
        few, many = numbers(10), numbers(MANY)
        small = batch(project, folder / "few", few, ["empty"]) / 10
        large = batch(project, folder / "many", many, ["empty"])
        again = batch(project, folder / "many", many, ["empty"])
    return [
        (f"{SETS} near-empty reports: stock loop against ours", times(loop / ours), "≥ 25 times"),
        ("the same: stock pool against ours", times(pool / ours), ""),
        ("seconds that a near-empty report takes", f"{ours:.3f}", "≤ 0.15"),
        (
            f"a set with its pages: one of {MANY} against one of 10",
            times(large / MANY / small),
            "1",
        ),
        (f"{MANY} sets, unchanged: again against at first", percent(again / large), "≤ 2 %"),
    ]


def numbers(count: int) -> list[str]:
    """A grid of so many sets."""
    return ["number=" + ",".join(map(str, range(count)))]


def shipped_reports() -> list[Row]:
    """The shipped notebooks and tables, with pages, index and figures in every format."""
    rows = [row for said, grid in GRIDS.items() for row in against_stock(said, grid)]
    with shipped_copy() as project, tempfile.TemporaryDirectory() as place, store(Path(place)):
        where = where_time_goes(project)
    said = ", ".join(f"{name} {percent(share)}" for name, share in where.items())
    return [*rows, ("where the time of the nine goes, if no picture is kept", said, "")]


def against_stock(said: str, grid: list[str]) -> list[Row]:
    """All shipped notebooks for each set of a grid, as papermill runs them and as a batch does."""
    with shipped_copy() as project, tempfile.TemporaryDirectory() as place:
        out = Path(place) / "reports"
        dataset = load_dataset(project)
        known = {name: read_parameters(path) for name, path in own_notebooks().items()}
        sets = list(expand_sets([parse_grid(grid)], lambda _: known, lambda: dataset))
        runs = [
            (path, {"project": str(project), **one.parameters})
            for one in sets
            for path in own_notebooks().values()
        ]
        # Each begins without any picture drawn, and keeps those that it draws.
        with store(Path(place) / "one"):
            loop = stock_loop(runs)
        with store(Path(place) / "two"):
            pool = stock_pool(runs)
        with store(Path(place) / "three"):
            full = batch(project, out, grid)
            again = batch(project, out, grid)
            mend_a_cell(project)
            mended = batch(project, out, grid)
    reports = len(runs)
    return [
        (
            f"{reports} shipped reports, {said}: stock loop against ours",
            times(loop * reports / full),
            "≥ 6 times",
        ),
        ("the same: stock pool against ours", times(pool * reports / full), "≥ 3 times"),
        ("the same, unchanged: again against at first", percent(again / full), "≤ 2 %"),
        ("the same, one cell changed: again against at first", percent(mended / full), ""),
    ]


def commands() -> list[Row]:
    """What a person waits for at the command line."""
    python = sys.executable
    evidence, papermill = (str(Path(python).with_name(name)) for name in ("evidence", "papermill"))
    bare = command(python, "-c", "pass")
    helped = command(evidence, "--help")
    pandas = command(python, "-c", "import pandas")
    ours = command(python, "-c", "import evidence")
    notebook = own_notebooks()["01_studies"]
    with shipped_copy() as project:
        one = ["--project", str(project), "--only", notebook.stem]
        cold = command(evidence, "report", *one, runs=1)
        words = [str(notebook), str(project / "executed.ipynb"), "-p", "project", str(project)]
        alone = command(papermill, *words, "-p", "out", str(project / "by-papermill"), runs=1)
    return [
        (
            "the first report, from a cold start: evidence against papermill",
            times(cold / alone),
            "",
        ),
        ("evidence --help against python -c pass", times(helped / bare), "≤ 4 times"),
        ("import evidence against import pandas", times(ours / pandas), "≤ 1.2 times"),
    ]


def rows_read() -> list[Row]:
    """Return the times of a million rows read and checked."""
    found = measure_reading()
    return [
        (
            "1,000,000 rows: evidence check against pandas.read_csv",
            times(found.check_ratio),
            "≤ 10 times",
        ),
        ("the same, without whether the numbers fit together", times(found.load_ratio), ""),
    ]


def times(ratio: float) -> str:
    """A ratio as it is printed."""
    return f"{ratio:.1f} times" if ratio >= 2 else f"{ratio:.2f} times"


def percent(share: float) -> str:
    """A share as it is printed."""
    return f"{share:.1%}".replace("%", " %")


def main() -> int:
    """Print and publish the table."""
    rows = []
    for part in PARTS:
        found = part()
        # What was measured is not lost with what comes after it.
        print(*map(" | ".join, found), sep="\n", flush=True)
        rows += found
    lines = [f"| {machine()} | measured | goal |", "| --- | --- | --- |"]
    lines += [f"| {what} | {found} | {goal} |" for what, found, goal in rows]
    publish("speed", "\n".join(lines))
    return 0


PARTS = (near_empty_reports, shipped_reports, commands, rows_read)

if __name__ == "__main__":
    raise SystemExit(main())
