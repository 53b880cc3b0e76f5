"""Time reports against papermill's own way, side by side in one run, and publish the ratios.

The *stock loop* is a program that calls papermill for one notebook after another. Both sides start
cold, with an empty cache for figures each.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.publishing import publish
from benchmarks.reading import measure_reading
from evidence.build.execute import Job, available_cores, execute_report
from evidence.build.new_project import create_project
from evidence.build.parameter_sets import expand_sets, parse_grid
from evidence.dataset.dataset import read_dataset
from evidence.notebook.locate import own_notebooks
from evidence.notebook.parameters import read_parameters
from evidence.report.figure_files import CACHE_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
EVIDENCE, PAPERMILL = (str(Path(PYTHON).with_name(name)) for name in ("evidence", "papermill"))
NEAR_EMPTY, STOCK_NEAR_EMPTY = 100, 8
GRID = ["conditions=each", "scope=all"]
REPEATS = 3
STOCK_LOOP = """
import json, sys, papermill
for notebook, parameters in json.load(sys.stdin):
    papermill.execute_notebook(notebook, parameters["out"] + ".ipynb", parameters=parameters,
                               progress_bar=False, engine_name="nbclient")
"""
CELLS = (
    'project: str = ""  # folder of the project\nout: str = ""  # folder for files',
    "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd\n\n"
    "from evidence import open_report",
    "1 + 1",
)
"""A near-empty notebook imports what the shipped ones do and computes nothing."""

Row = tuple[str, str, str]
"""What was measured, the ratio, and the goal."""


def near_empty_reports(folder: Path) -> Iterator[Row]:
    """Measure what a report costs besides its cells."""
    project = create_project(folder / "small")
    notebook = write_notebook(project / "notebooks" / "empty.ipynb", CELLS)
    job = Job("empty", notebook, project, {})
    folders = [folder / "ours" / str(number) for number in range(NEAR_EMPTY)]
    start = time.perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        failures = list(pool.map(execute_report, [job] * NEAR_EMPTY, folders))
    ours = (time.perf_counter() - start) / NEAR_EMPTY
    require(not any(failures), str(failures))
    runs = [(notebook, {"project": str(project)})] * STOCK_NEAR_EMPTY
    loop = stock_loop(runs, folder) / STOCK_NEAR_EMPTY
    yield (
        f"{NEAR_EMPTY} near-empty notebooks, as many times as fast as the stock loop",
        times(loop / ours),
        "≥ 15",
    )


def shipped_reports(folder: Path) -> Iterator[Row]:
    """Measure the shipped notebooks on the shipped tables, once and for each condition."""
    project = copy_shipped(folder / "project")
    notebooks = own_notebooks()
    loop = stock_loop([(path, {"project": str(project)}) for path in notebooks.values()], folder)
    out = folder / "reports"
    command = [EVIDENCE, "report", "--project", str(project), "--out", str(out)]
    with figure_cache(folder / "cache"):
        first, unchanged = run(*command), run(*command)
        correct_a_cell(project)
        corrected = run(*command)
    yield "first `evidence report` against the stock loop", percent(first / loop), "≤ 50 %"
    yield "unchanged reports against the first time", percent(unchanged / first), "≤ 2 %"
    yield "one corrected cell against the first time", percent(corrected / first), "≤ 35 %"

    parameters = {name: read_parameters(path) for name, path in notebooks.items()}
    sets = expand_sets([parse_grid(GRID)], lambda _: parameters, lambda: read_dataset(project))
    runs = [
        (path, {"project": str(project), **item.parameters})
        for item in sets
        for path in notebooks.values()
    ]
    loop = stock_loop(runs, folder)
    grid = [word for axis in GRID for word in ("--grid", axis)]
    with figure_cache(folder / "grid-cache"):
        ours = run(*command[:-1], str(folder / "sets"), *grid)
    yield (
        f"{len(runs)} reports, one set per condition, as many times as fast as the stock loop",
        times(loop / ours),
        "≥ 6",
    )


def commands(folder: Path) -> Iterator[Row]:
    """Measure what a person waits for at the command line."""
    project = copy_shipped(folder / "project")
    notebook = str(own_notebooks()["02_comparison"])
    ratios = []
    for number in range(REPEATS):
        output = folder / str(number)
        with figure_cache(output / "ours"):
            options = ["--project", str(project), "--only", "comparison"]
            ours = run(EVIDENCE, "report", *options, "--out", str(output / "reports"))
        with figure_cache(output / "theirs"):
            options = ["-p", "project", str(project), "-p", "out", str(output / "out")]
            theirs = run(PAPERMILL, notebook, str(output / "executed.ipynb"), *options)
        ratios.append(ours / theirs)
    yield "`evidence report --only comparison` against `papermill`", times(median(ratios)), "≤ 1"
    yield (
        "`evidence --help` against `python -c pass`",
        times(ratio([EVIDENCE, "--help"], [PYTHON, "-c", "pass"])),
        "≤ 4",
    )
    importing = ratio([PYTHON, "-c", "import evidence"], [PYTHON, "-c", "import pandas"])
    yield "`import evidence` against `import pandas`", times(importing), "≤ 0.2"


def many_rows(_: Path) -> Iterator[Row]:
    """Measure how a million rows are read and checked."""
    ratio = times(measure_reading().check_ratio)
    yield "1,000,000 rows: `evidence check` against `pandas.read_csv`", ratio, "≤ 10"


def stock_loop(runs: Sequence[tuple[Path, Mapping[str, object]]], folder: Path) -> float:
    """Return the seconds of the stock loop over notebooks with parameters."""
    out = folder / "stock"
    out.mkdir(exist_ok=True)
    arguments = [
        (str(path), {**parameters, "out": str(out / f"{number}")})
        for number, (path, parameters) in enumerate(runs)
    ]
    with figure_cache(Path(tempfile.mkdtemp(dir=folder))):
        return run(PYTHON, "-c", STOCK_LOOP, text=json.dumps(arguments))


def run(*command: str, text: str = "") -> float:
    """Return the seconds of a command by the clock.

    Raises
    ------
    RuntimeError
        The command failed.
    """
    start = time.perf_counter()
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    require(done.returncode == 0, done.stderr)
    return seconds


def ratio(command: Sequence[str], reference: Sequence[str]) -> float:
    """Return how much longer a short command takes than another one, in the median of seven."""
    return median(run(*command) for _ in range(7)) / median(run(*reference) for _ in range(7))


def require(condition: bool, message: str) -> None:
    """Stop the benchmark if something failed.

    Raises
    ------
    RuntimeError
    """
    if not condition:
        raise RuntimeError(message)


@contextmanager
def figure_cache(folder: Path) -> Iterator[None]:
    """Keep figures in a folder of their own."""
    previous = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(CACHE_VARIABLE)
        if previous is not None:
            os.environ[CACHE_VARIABLE] = previous


def write_notebook(path: Path, sources: Sequence[str]) -> Path:
    """Write a notebook whose first cell has its parameters."""
    cells: list[dict] = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": source,
         "outputs": [], "execution_count": None}
        for number, source in enumerate(sources)
    ]  # fmt: skip
    cells[0]["metadata"]["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook), "utf-8")
    return path


def copy_shipped(project: Path) -> Path:
    """Copy the shipped tables."""
    project.mkdir()
    shutil.copytree(ROOT / "data", project / "data")
    for name in ("references.bib", "LICENSE-DATA", "CITATION.cff"):
        shutil.copy(ROOT / name, project)
    return project


def correct_a_cell(project: Path) -> None:
    """Change the locator of the last result that cites an abstract."""
    path = project / "data" / "studies.csv"
    before, locator, after = path.read_text("utf-8").rpartition(",abstract,")
    require(bool(locator), f"{path} has no locator 'abstract'")
    path.write_text(f"{before},the abstract,{after}", "utf-8")


def times(value: float) -> str:
    """Format a ratio."""
    return f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def percent(share: float) -> str:
    """Format a share."""
    return f"{100 * share:.1f} %"


def machine() -> str:
    """Return the processor, the number of cores, the system and the version of Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    cores = available_cores()
    return f"{name}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def main() -> int:
    """Print every row when it is measured, and publish the table."""
    rows = []
    for part in (near_empty_reports, shipped_reports, commands, many_rows):
        with tempfile.TemporaryDirectory() as folder:
            for row in part(Path(folder)):
                print(*row, sep=" | ", flush=True)
                rows.append(row)
    lines = [f"| {machine()} | measured | goal |", "| --- | --- | --- |"]
    lines += [f"| {name} | {ratio} | {goal} |" for name, ratio, goal in rows]
    publish("speed", "\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
