"""What other commands, people, git and the machine do while a command runs."""

import os
import re
import subprocess
import sys
import threading

import pytest

from evidence import cli
from evidence.analysis.table_entry import write_checked
from evidence.build.build import BuildOptions, build_reports, outdated_reports
from evidence.build.execute import LocalExecutor, execute_report
from evidence.build.output_folder import read_manifest
from evidence.compare.git_versions import compare_versions, run_git
from evidence.dataset import schema
from evidence.errors import EvidenceError, ReportError
from evidence.exchange import references
from tests.conftest import CITATION, require_tool

# Tables that several change at once


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
def test_searches_added_at_the_same_time_are_all_kept(project):
    command = [
        "search", "add", "--kind", "database", "--database", "PubMed", "--query", "yeast",
        "--records", "1", "--kept", "1", "--searched-by", "A", "--date", "2026-11-24",
        "--project", str(project.root),
    ]  # fmt: skip
    children = []
    for _ in range(4):
        children.append(os.fork())
        if not children[-1]:
            os._exit(cli.main(command))
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    names = [row[0] for row in project.rows(schema.SEARCHES.file)[1:]]
    assert names == ["S01", "S02", "S03", "S04"]


def test_what_was_worked_out_from_older_tables_is_not_written(project):
    dataset = project.dataset()
    outcomes, old = (
        project.path(f"data/{n}.csv").read_text("utf-8") for n in ("outcomes", "studies")
    )
    project.put("data/studies.csv", 2, locator="Table 2")
    before = project.path("data/studies.csv").read_bytes()
    with pytest.raises(EvidenceError, match=r"data/studies.csv: changed while .* run it again"):
        write_checked(dataset, {"data/outcomes.csv": outcomes, "data/studies.csv": old})
    assert project.path("data/studies.csv").read_bytes() == before


def test_references_are_not_written_over_those_that_somebody_adds_meanwhile(
    project, tmp_path, monkeypatch
):
    new = tmp_path / "new.bib"
    new.write_text("@article{oven1999, author={Oven, A}, title={Hot}, year={1999}}", "utf-8")

    def format_slowly(added, write=references.format_bibtex):
        project.append("references.bib", "@misc{later, title={Later}}\n")
        return write(added)

    monkeypatch.setattr(references, "format_bibtex", format_slowly)
    with pytest.raises(EvidenceError, match=r"references\.bib: changed while this command ran"):
        references.import_references(project.root, new)
    assert project.path("references.bib").read_text("utf-8").count("later") == 1


# Git


@pytest.fixture
def repository(project):
    """The small project with two commits."""
    require_tool("git")
    git(project.root, "init", "--quiet")
    git(project.root, "add", ".")
    git(project.root, "commit", "--quiet", "--message", "First")
    git(project.root, "commit", "--quiet", "--allow-empty", "--message", "Second")
    return project


def git(folder, *arguments):
    name = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *name, "-C", folder, *arguments], check=True, capture_output=True)


def test_a_repository_that_git_refuses_is_not_taken_for_none(repository):
    """As with the folder of another user, which git calls dubious."""
    repository.append(".git/config", "[core\n")
    for command in (["diff", "HEAD", "."], ["rev-parse", "HEAD"]):
        with pytest.raises(EvidenceError, match=r"git failed: fatal: bad config"):
            run_git(repository.root, *command)


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"])
def test_variables_of_another_repository_do_not_count(repository, tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, str(tmp_path))
    assert compare_versions("HEAD~1", str(repository.root), repository.root).is_empty


def test_without_a_repository_git_is_not_needed(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_git(project.root, "rev-parse", "HEAD") == b""
    project.path(".git").mkdir()
    with pytest.raises(EvidenceError, match=r"git cannot be started: No such file .* Install git"):
        run_git(project.root, "rev-parse", "HEAD")


def test_a_clone_without_its_history_says_so(repository, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository.root}", "clone")
    with pytest.raises(EvidenceError, match=r"lacks earlier commits\. Get them with: git fetch"):
        compare_versions("HEAD~1", ".", tmp_path / "clone")


# Builds


class EditingExecutor(LocalExecutor):
    """Builds a report, and lets somebody edit the project before or after it."""

    def __init__(self, before=lambda: None, after=lambda: None):
        self.jobs, self._before, self._after = 1, before, after

    def prepare(self, project, reports):
        pass

    def execute(self, job, folder):
        self._before()
        failure = execute_report(job, folder)
        self._after()
        return failure


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("data/studies.csv", "before"),
        ("references.bib", "before"),
        ("CITATION.cff", "after"),
        ("notebooks/10_bread.ipynb", "before"),
        ("notebooks/10_bread.ipynb", "after"),
    ],
)
def test_pages_of_two_versions_are_refused(notebook_project, name, when):
    project = notebook_project
    project.path("CITATION.cff").write_text(CITATION, "utf-8")
    executor = EditingExecutor(**{when: lambda: project.append(name, "\n")})
    with pytest.raises(ReportError, match=f"^{re.escape(name)}: changed while reports were built"):
        build_reports(project.root, options=BuildOptions(only=["10_bread"], executor=executor))
    assert not list(project.root.glob("*report*"))


@pytest.mark.parametrize("name", ["data/studies.csv", "references.bib"])
def test_tables_edited_after_all_reports_read_them_make_them_out_of_date(notebook_project, name):
    project = notebook_project
    executor = EditingExecutor(after=lambda: project.append(name, "\n"))
    options = BuildOptions(only=["10_bread"], executor=executor)
    inputs = project.dataset().checksums
    assert not build_reports(project.root, options=options).failures
    manifest = read_manifest(project.path("reports"))
    assert manifest["inputs"] == manifest["reports"]["10_bread"]["inputs"] == inputs
    assert outdated_reports(project.root)


class LateExecutor(EditingExecutor):
    """Builds reports that write a file after they were told to stop."""

    def execute(self, job, folder):
        self.stopped.wait()
        folder.mkdir(parents=True)

    def stop(self):
        self.stopped.set()


def test_a_stopped_build_removes_what_its_notebooks_write_last(notebook_project, monkeypatch):
    def interrupt(dataset):
        raise KeyboardInterrupt

    monkeypatch.setattr("evidence.report.index_page.precompute_index", interrupt)
    executor = LateExecutor()
    executor.stopped = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        build_reports(
            notebook_project.root, options=BuildOptions(only=["10_bread"], executor=executor)
        )
    assert not list(notebook_project.root.glob("*report*"))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are letters there")
def test_a_folder_whose_name_is_no_text_is_refused_for_reports_alone(project, capsys):
    folder = project.root.rename(os.fsdecode(os.fsencode(project.root) + b"\xff"))
    assert cli.main(["check", "--project", str(folder)]) == 0
    assert cli.main(["report", "--project", str(folder)]) == 1
    assert "<U+DCFF>: the name of this folder is not UTF-8. Rename it" in capsys.readouterr().err
    assert not (folder / "reports").exists()
