"""What a stranger's project can make a command run: its notebooks in a normal build, else nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from evidence.build.new_project import create_project
from evidence.cli import evidence
from tests.conftest import Project

BIN = Path(sys.executable).parent
MODULES = (
    "pandas", "json", "socket", "multiprocessing", "sitecustomize", "usercustomize", "conftest",
    "evidence/__init__", "data/numpy", "notebooks/pandas", "notebooks/evidence", "planted",
    "ipython_config", "jupyter_config", "profile_default/startup/00-first",
    ".ipython/profile_default/startup/00-first",
)  # fmt: skip
"""Modules that Python, IPython or Jupyter would import from a folder that they search."""
QUESTION = "--outcome=still_afloat --measure=rr"
COMMANDS = f"""\
check
check --due-by 2027-01-01
pool {QUESTION}
dose-response {QUESTION}
unknowns
why inventor2001
why fig-shares
cite fig-shares
export fig-shares --format html
identify reports/figures/fig-shares.png
identify reports/figures/fig-shares.svg
diff . .
columns studies
import trials.csv --draft-mapping
import refs references.bib --dry-run
export-data {QUESTION}
methods {QUESTION}
search list
wanted
audit --sample 1 --auditor A
new another"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A project any code of which leaves a mark."""
    project = Project.__new__(Project)
    project.root = create_project(tmp_path_factory.mktemp("planted") / "boats")
    command = f"import pathlib; pathlib.Path({str(project.root.parent / 'ran')!r}).touch()"
    project.notebook("02_comparison", command)
    project.notebook("10_further", command)
    for name in MODULES:
        path = project.path(f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{command}\nraise SystemExit('planted code ran')\n")
    # matplotlib would import the module, and start TeX for every text.
    project.path("matplotlibrc").write_text("text.usetex: True\nbackend: module://planted\n")
    project.path("trials.csv").write_text("study,ai,bi,ci,di\nA,1,9,2,8\n")
    return project


def run(project, *arguments):
    return subprocess.run(
        arguments, cwd=project.root, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def has_run(project):
    """Whether planted code has left its mark since the last call."""
    mark = project.root.parent / "ran"
    left = mark.exists()
    mark.unlink(missing_ok=True)
    return left


def report(project, *options):
    return run(project, BIN / "evidence", "report", "--only", "comparison", *options)


@pytest.mark.parametrize("engine", ["evidence", "kernel"])
def test_packaged_notebooks_run_no_code_of_the_project(planted, engine):
    done = report(planted, "--packaged-notebooks", "--engine", engine)
    assert (done.returncode, has_run(planted)) == (0, False), done.stderr
    assert "ignored: 02_comparison, 10_further (notebooks of the project)" in done.stderr
    assert planted.path("reports/figures/fig-shares.png").is_file()
    assert "none of this project: " in planted.path("reports/index.html").read_text("utf-8")


def test_no_other_command_runs_code_of_the_project(planted):
    report(planted, "--packaged-notebooks")
    assert {line.split()[0] for line in COMMANDS.splitlines()} == {*evidence.commands} - {
        "report",
        "release",
    }
    script = (
        "import sys; from evidence import cli\n"
        "for line in sys.argv[1].splitlines():\n"
        "    words = [word.replace('_', ' ') for word in line.split()]\n"
        "    print('\\n@@', cli.main(words), line, flush=True)"
    )
    # As the command itself, which an interpreter started with -c is not: no working folder.
    done = run(planted, sys.executable, "-P", "-c", script, COMMANDS)
    codes = [line[3:].split(" ", 1) for line in done.stdout.splitlines() if line[:3] == "@@ "]
    assert [line for _, line in codes] == COMMANDS.splitlines(), done.stderr
    assert sum(code == "0" for code, _ in codes) > 15, done.stderr
    assert not has_run(planted)


def test_a_normal_build_runs_the_notebooks_of_the_project(planted):
    """The opposite of the tests above: what was planted does leave its mark when it is run."""
    report(planted, "--packaged-notebooks")
    done = report(planted, "--explain")
    assert has_run(planted)
    assert "02_comparison: built: the project's own notebooks are run again" in done.stdout
