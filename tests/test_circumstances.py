"""What other commands, people, git and the machine do while a command runs."""

import os
import subprocess

import pytest

from evidence import cli
from evidence.analysis.table_entry import write_checked
from evidence.compare.git_versions import compare_versions, run_git
from evidence.dataset import schema
from evidence.errors import EvidenceError
from evidence.exchange import references
from tests.conftest import require_tool

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
