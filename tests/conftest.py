"""Shared fixtures: a small valid project to break, the shipped data, and one finished run."""

import csv
import json
import os
import shutil
import signal
from copy import copy
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from hypothesis import settings

from evidence.dataset import schema
from evidence.dataset.dataset import read_dataset

ROOT = Path(__file__).resolve().parents[1]
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]

# No test reads figure files that another run has cached.
os.environ["EVIDENCE_STORE"] = ""
# A busy machine is no failure of a property.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")
# See `make fuzz`, which names this profile.
settings.register_profile("fuzz", deadline=None)

BIBLIOGRAPHY = """\
@article{baker1990, author = {Baker, Ann}, title = {Rising dough}, year = {1990},
  doi = {10.1000/dough}}
@misc{guide, author = {{A bakery}}, title = {Bread 101}, year = {n.d.}}
@article{miller2001, author = {Miller, Bo and others}, title = {Flour again}, year = {2001}}
"""

STUDIES = [
    {
        "study": "baker1990", "condition": "bread", "arm": "yeast", "role": "intervention",
        "outcome": "risen", "time": "1", "time_unit": "day", "measure": "proportion",
        "n": "17", "value": "0.71", "as_printed": "71%", "reported_by": "publication",
        "source": "baker1990", "locator": "Table 1", "verified": "yes",
    },
    {
        "study": "baker1990", "condition": "bread", "arm": "none", "role": "comparator",
        "outcome": "risen", "time": "1", "time_unit": "day", "measure": "proportion",
        "n": "20", "events": "4", "as_printed": "4/20", "reported_by": "publication",
        "source": "baker1990", "locator": "Table 1", "verified": "yes",
    },
    {
        "study": "baker1990", "condition": "bread", "arm": "yeast", "role": "intervention",
        "outcome": "risen", "time": "1", "time_unit": "day", "measure": "proportion",
        "n": "18", "value": "0.71", "as_printed": "71%", "reported_by": "guide",
        "source": "guide", "locator": "p. 1", "verified": "yes",
    },
    {
        "study": "miller2001", "condition": "bread", "arm": "yeast", "role": "contrast",
        "versus": "none", "outcome": "height", "time": "0-3", "time_unit": "hour", "measure": "smd",
        "n": "40", "value": "0.5", "ci_low": "0.1", "ci_high": "0.9", "p_value": "0.01",
        "as_printed": "0.5", "reported_by": "review", "source": "miller2001",
        "locator": "abstract", "verified": "not read there",
    },
    {
        "study": "miller2001", "condition": "cake", "arm": "yeast", "role": "contrast",
        "versus": "none", "outcome": "height", "measure": "significance", "direction": "better",
        "reported_by": "publication", "source": "miller2001", "locator": "abstract",
        "verified": "yes",
    },
]  # fmt: skip

TABLES = {
    schema.STUDIES: STUDIES,
    schema.OUTCOMES: [
        {"outcome": "risen", "kind": "benefit", "better": "higher", "description": "it rose"},
        {"outcome": "height", "kind": "benefit", "better": "higher", "description": "how high"},
    ],
    schema.DESIGNS: [
        {
            "study": study, "label": label, "scope": "core", "design": "randomised parallel",
            "randomised": "yes", "source": study, "locator": "p. 2",
        }
        for study, label in (("baker1990", "Baker"), ("miller2001", "Miller"))
    ],
    schema.GUIDE: [
        {
            "guide_ref": "1", "source": "baker1990", "status": "identified", "rank": "1",
            "passage": "it rises", "reason": "same year",
        }
    ],
    schema.CLAIMS: [
        {
            "claim": "C1", "section": "Dough", "label": "It rises", "statement": "It rises",
            "kind": "numeric", "guide_value": "71%", "source_value": "71%", "verdict": "agrees",
            "reason": "same", "studies": "baker1990", "outcome": "risen", "source": "baker1990",
        }
    ],
    schema.UNKNOWNS: [
        {
            "unknown": "U1", "question": "Does it last?", "why_open": "the dough was eaten",
            "population": "bread", "intervention": "yeast", "outcome": "risen",
            "asked_on": "2026-11", "raised_by": "both", "claims": "C1",
            "where": "outcome=risen and days>=2",
        }
    ],
}  # fmt: skip

CITATION = """\
cff-version: 1.2.0
message: Cite the studies first.
title: Bread & its sources
authors:
  - family-names: Berg
    name-particle: van der
    given-names: Ann B.
    name-suffix: Jr.
  - name: The bakers
version: 1.4.0
date-released: "2026-11-24"
url: https://example.org/bread
"""


SHARED_PARAMETERS = """\
project: str = ""  # where the tables are; empty: around this notebook
scope: str = "core"  # which studies: guide or all
conditions: list[str] = []  # conditions to keep; empty: all
outcomes: list[str] = []  # outcomes to keep; empty: all
confidence: float = 0.95  # coverage of all intervals
out: str = ""  # where files go; empty: nowhere"""

OPENS = """\
from evidence import open_report
report = open_report("{name}", project=project, scope=scope, conditions=conditions,
                     outcomes=outcomes, confidence=confidence, out=out)"""


SLOWEST = [
    f"test_{name}"
    for name in ("pages", "lab", "unchanged", "release", "kills", "engine", "report", "shipped_data",
                 "any_topic", "hostile", "fuzz", "checks", "pooled_estimate", "planted_code",
                 "unknowns", "coverage", "benchmark", "cluster", "certainty", "dataset_errors",
                 "conversions", "explorer", "batch", "remote", "figure_pages", "figures")
]  # fmt: skip
"""Files that take longest. They run first, so that none is left to one worker at the end."""


def pytest_collection_modifyitems(items):
    order = {name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


class Project:
    """A folder with small valid tables; each method breaks one thing."""

    def __init__(self, root: Path):
        self.root = root
        (root / "data").mkdir(parents=True)
        self.path("references.bib").write_text(BIBLIOGRAPHY, "utf-8")
        for table, rows in TABLES.items():
            with self.path(table.file).open("w", newline="", encoding="utf-8") as handle:
                writer = csv.DictWriter(handle, table.names, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)

    def path(self, name: str) -> Path:
        return self.root / name

    def rows(self, name: str) -> list[list[str]]:
        with self.path(name).open(newline="", encoding="utf-8") as handle:
            return list(csv.reader(handle))

    def write(self, name: str, rows: list[list[str]]) -> None:
        with self.path(name).open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, lineterminator="\n").writerows(rows)

    def put(self, name: str, line: int, **cells: str) -> None:
        """Change cells of one line, counted as in the file."""
        rows = self.rows(name)
        for column, value in cells.items():
            rows[line - 1][rows[0].index(column)] = value
        self.write(name, rows)

    def table(self, table: schema.Table, **cells: str) -> None:
        """Add a row to a table, and the table itself if it is not there yet."""
        if not self.path(table.file).exists():
            self.write(table.file, [table.names])
        self.write(table.file, [*self.rows(table.file), [cells.get(n, "") for n in table.names]])

    def row(self, **cells: str) -> None:
        """Add a result."""
        self.table(schema.STUDIES, **cells)

    def dataset(self):
        return read_dataset(self.root)

    def append(self, name: str, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else text.encode()
        self.path(name).write_bytes(self.path(name).read_bytes() + raw)

    def notebook(self, name: str, *cells: str, opens: str = OPENS) -> Path:
        """Write a notebook of the project's own: parameters, these cells, and the last one."""
        path = self.path(f"notebooks/{name}.ipynb")
        path.parent.mkdir(exist_ok=True)
        book = nbformat.v4.new_notebook()
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book.metadata.kernelspec = kernel
        sources = [opens.format(name=name), *cells, "report.close()"]
        book.cells = [
            nbformat.v4.new_markdown_cell(f"# {name}\n\nWhat does it say?"),
            nbformat.v4.new_code_cell(SHARED_PARAMETERS, metadata={"tags": ["parameters"]}),
            *map(nbformat.v4.new_code_cell, sources),
        ]
        for number, cell in enumerate(book.cells):
            cell.id = f"cell-{number}"
        nbformat.write(book, path)
        return path

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text("utf-8")
        assert old in text
        self.path(name).write_text(text.replace(old, new, 1), "utf-8")


@pytest.fixture
def project(tmp_path):
    """A small valid project on bread, for tests that break it."""
    return Project(tmp_path / "bread")


@pytest.fixture
def notebook_project(project):
    """The small project with a notebook of its own, 10_bread, which shows its results."""
    project.notebook(
        "10_bread",
        "from evidence import tabulate_results",
        "report.table(tabulate_results(report.dataset, report.results))",
    )
    return project


@pytest.fixture(scope="session")
def shipped():
    """The dataset that the project ships."""
    return read_dataset(ROOT)


@pytest.fixture(scope="session")
def report(tmp_path_factory, worker_id):
    """One finished run of all notebooks on the shipped data, for all workers; read only."""
    from evidence.build.build import build_reports

    folder = tmp_path_factory.getbasetemp()
    shared = (folder if worker_id == "master" else folder.parent) / "shared" / "reports"
    with FileLock(f"{shared.parent}.lock"):
        if not shared.exists():
            build_reports(ROOT, out=shared)
    return shared


@pytest.fixture(scope="session")
def finished_bakery(tmp_path_factory):
    """A small project whose reports are finished: one figure and two tables; read only."""
    project = Project(tmp_path_factory.mktemp("bakery") / "bread")
    project.path("CITATION.cff").write_text(CITATION, "utf-8")
    project.put("data/studies.csv", 3, arm='=HYPERLINK("x") & 50% <b>', note="-")
    finish_bakery(project)
    return project


def finish_bakery(project, **parameters):
    """Write the reports of the bakery, one figure and two tables, without a kernel."""
    from evidence.figures.arm_comparison import lay_out_arm_comparison
    from evidence.report.report import open_report
    from evidence.tables.studies import tabulate_results, tabulate_studies

    report = open_report(
        "01_bread", project=project.root, out=project.root / "reports", **parameters
    )
    report.figure(
        lay_out_arm_comparison(
            report.dataset, report.results, outcome="risen", confidence=report.confidence
        )
    )
    report.table(tabulate_studies(report.dataset, report.results))
    report.table(tabulate_results(report.dataset, report.results))
    report.close()
    write_manifest(project)


@pytest.fixture
def bakery(finished_bakery, tmp_path):
    """A copy of it, to break."""
    project = copy(finished_bakery)
    project.root = tmp_path / "bread"
    shutil.copytree(finished_bakery.root, project.root)
    return project


def write_manifest(project):
    inputs = read_dataset(project.root).checksums
    manifest = {"evidence": "0", "inputs": inputs, "reports": {"01_bread": {"inputs": inputs}}}
    text = json.dumps(manifest)
    project.path("reports/manifest.json").write_text(text, "utf-8")
    content = json.loads(project.path("reports/values/01_bread.json").read_text("utf-8"))
    values = {f"01_bread/{name}": entry for name, entry in content["values"].items()}
    project.path("reports/values.json").write_text(json.dumps(values), "utf-8")


def heed_signals() -> None:
    """Let a child process notice signals that it ignores in the background of a shell, or of nohup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def require_tool(name: str) -> str:
    """The path of a program; where it is missing, CI fails and a person's machine skips."""
    path = shutil.which(name)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{name} is missing; CI must install it")
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path


@pytest.fixture(scope="module")
def browser():
    """Chromium without what it does in the background."""
    chromium = require_tool("chromium")
    from playwright.sync_api import sync_playwright

    from benchmarks.jupyterlab import CHROMIUM_OPTIONS

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


# The trials build on Project above, hence the import at the end.
from tests.example_trials import graded, grouped, vaccine, yeast_trials  # noqa: E402, F401
