"""Measure how time and memory grow with the size of a project, and publish one table per kind.

Every command is a whole process with all its children. Times are CPU seconds, which other programs
on the machine change little, as multiples of the same command for the smallest project of its kind;
memory is the peak of the largest process. Linux only.

    python -m benchmarks.scale --part rows --part references
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.many_rows import write_many
from benchmarks.publishing import publish
from benchmarks.speed import machine, require, write_notebook
from benchmarks.synthetic import write_synthetic
from evidence.build.new_project import create_project
from evidence.dataset import schema

EVIDENCE = str(Path(sys.executable).with_name("evidence"))
ENTRY = (
    "@article{{k{n}, author = {{Doe, Ann and M\\'uller, J{n}}}, title = {{Bread {n}}}, "
    "journal = {{J}}, year = {{2001}}, pages = {{1--{n}}}}}\n"
)
ENTRIES = (1_000, 10_000, 100_000)
MAX_REPORT_ROWS = 10_000
"""A report records every result with its row, also those that its page leaves out."""
ROWS = (10_000, 100_000, 1_000_000)
STUDIES = (50, 250, 2_500)
"""Each simulated trial cites two references."""
REPORTED_STUDIES = STUDIES[:2]
"""The figures of a report show every trial, on one page for each 44."""
SETS = (10, 100, 1_000)
BUILDS = 20
CHEAP_CELLS = (
    'project: str = ""  # folder of the project\n'
    "confidence: float = 0.95  # coverage of all intervals\n"
    'out: str = ""  # folder for files',
    'from evidence import open_report\n\nreport = open_report("10_cheap", project=project, '
    "confidence=confidence, out=out)",
    "report.close()",
)


@dataclass(frozen=True)
class Usage:
    """What a command used with all its children: CPU seconds and MiB at the peak of one process."""

    seconds: float
    peak: float


@dataclass(frozen=True)
class Row:
    """One line of the published table."""

    work: str
    size: str
    usage: Usage
    reference: Usage
    note: str = ""

    def __str__(self) -> str:
        ratio = self.usage.seconds / self.reference.seconds
        cells = (self.work, self.size, f"{self.usage.seconds:,.1f}", f"{ratio:.1f}",
                 f"{self.usage.peak:,.0f} MiB", self.note)  # fmt: skip
        return f"| {' | '.join(cells)} |"


def measure(*command: str, folder: Path) -> Usage:
    """Run `evidence` with these arguments, and wait for every process that it leaves behind.

    Raises
    ------
    RuntimeError
        The command failed.
    """
    environment = os.environ | {"EVIDENCE_STORE": "", "TMPDIR": str(folder)}
    usage = [sys.executable, Path(__file__).with_name("usage.py"), EVIDENCE, *command]
    done = subprocess.run(usage, env=environment, check=True, capture_output=True, text=True)
    code, seconds, peak = json.loads(done.stdout)
    require(code == 0, f"evidence {' '.join(command)}: exit code {code}")
    return Usage(seconds, peak)


def rows(folder: Path) -> Iterator[Row]:
    """Check projects of many results, and build one report of the smaller ones."""
    check = report = None
    for size in ROWS:
        project = write_many(folder / f"rows-{size}", rows=size)
        megabytes = (project / schema.STUDIES.file).stat().st_size / 1e6
        label = f"{size:,} results, {megabytes:,.0f} MB"
        used = measure("check", "--project", str(project), folder=folder)
        check = check or used
        yield Row("`evidence check`", label, used, check)
        if size <= MAX_REPORT_ROWS:
            used, out = build(project, folder, "--only", "studies")
            report = report or used
            yield Row("`evidence report --only studies`", label, used, report, disk_size(out))
        shutil.rmtree(project)


def references(folder: Path) -> Iterator[Row]:
    """Check simulated trials with two references each, and bibliographies that nobody cites."""
    first = None
    for number in STUDIES:
        project = write_synthetic(folder / f"trials-{number}", seed=1, studies=number)
        used = measure("check", "--project", str(project), folder=folder)
        first = first or used
        yield Row("`evidence check`", f"{2 * number:,} references, all cited", used, first)
    project = create_project(folder / "entries")
    bibliography = project / schema.BIBLIOGRAPHY_FILE
    cited = bibliography.read_text("utf-8")
    first = None
    for number in ENTRIES:
        bibliography.write_text(cited + "".join(ENTRY.format(n=n) for n in range(number)), "utf-8")
        used = measure("check", "--project", str(project), folder=folder)
        first = first or used
        yield Row("`evidence check`", f"{number:,} references, none cited", used, first)


def trials(folder: Path) -> Iterator[Row]:
    """Build the meta-analysis of simulated trials."""
    first = None
    for number in REPORTED_STUDIES:
        project = write_synthetic(folder / f"pooled-{number}", seed=1, studies=number)
        used, out = build(project, folder, "--only", "synthesis")
        first = first or used
        yield Row(
            "`evidence report --only synthesis`", f"{number} trials", used, first, disk_size(out)
        )


def parameter_sets(folder: Path) -> Iterator[Row]:
    """Build sets of one cheap notebook of a small project."""
    project = small_project(folder / "sets")
    first = None
    for number in SETS:
        lines = [f"  s{n}: {{confidence: {0.5 + 0.49 * n / number:.6f}}}" for n in range(number)]
        (project / "reports.yml").write_text("\n".join(["sets:", *lines, ""]), "utf-8")
        used, out = build(project, folder, "--set", "all", "--only", "cheap")
        first = first or used
        yield Row("`evidence report --set all`", f"{number:,} sets", used, first, disk_size(out))
        shutil.rmtree(out)


def builds(folder: Path) -> Iterator[Row]:
    """Build one project again and again, with another cell each time, and keep what it leaves."""
    project = small_project(folder / "builds")
    studies = project / schema.STUDIES.file
    text = studies.read_text("utf-8")
    first = None
    for number in range(1, BUILDS + 1):
        # As long as before, so that a growing output is not the growth of the table.
        studies.write_text(f"{text.rstrip()} {number:02}\n", "utf-8")
        used, out = build(project, folder)
        first = first or used
        if number in (1, 2, BUILDS // 2, BUILDS):
            yield Row("`evidence report` of the example", f"build {number}", used, first,
                      f"{disk_size(out)}, {len(leftovers(folder))} left over")  # fmt: skip


def build(project: Path, folder: Path, *options: str) -> tuple[Usage, Path]:
    """Return what a build used, and its output folder."""
    out = folder / f"{project.name}-reports"
    arguments = ("report", "--project", str(project), "--out", str(out), *options)
    return measure(*arguments, folder=folder), out


def small_project(folder: Path) -> Path:
    """Write the example project with a notebook that shows nothing."""
    project = create_project(folder)
    write_notebook(project / "notebooks" / "10_cheap.ipynb", CHEAP_CELLS)
    return project


def disk_size(folder: Path) -> str:
    """Return the size of the files of a folder, and how many there are."""
    sizes = [path.lstat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{sum(sizes) / 1e6:,.1f} MB in {len(sizes):,} files"


def leftovers(folder: Path) -> list[str]:
    """Return what lies in the folder for temporary files besides projects and reports."""
    expected = {"builds", "builds-reports"}
    return [path.name for path in folder.iterdir() if path.name not in expected]


def main() -> int:
    """Print every row when it is measured, and publish one table per part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="default: all")
    chosen = parser.parse_args().part or list(PARTS)
    columns = ("size", "CPU seconds", "ratio", "peak memory", "output")
    for part in chosen:
        lines = [f"| {machine()} | {' | '.join(columns)} |", "| --- " * 6 + "|"]
        with tempfile.TemporaryDirectory() as folder:
            for row in PARTS[part](Path(folder)):
                print(row, flush=True)
                lines.append(str(row))
        publish(f"scale_{part}", "\n".join(lines))
    return 0


PARTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "rows": rows, "references": references, "trials": trials, "sets": parameter_sets, "builds": builds,
}  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
