"""What a newcomer reads and runs agrees with the program: README, environment, licences, lock."""

import contextlib
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from evidence import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
DOCUMENTS = [
    path.relative_to(ROOT).as_posix()
    for folder, pattern in ((".", "*.md"), (".github", "**/*.*"), ("docs", "**/*.md"))
    for path in sorted((ROOT / folder).glob(pattern))
    if path.name not in ("CHANGELOG.md", "README.template.md") and path.parent.name != "adr"
]
"""What people read, of today and not of earlier versions."""
DEPENDENCIES = PROJECT["project"]["dependencies"]


def test_conda_environment_is_in_step_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["--editable ."]}
    python = f"python{PROJECT['project']['requires-python']}"
    assert sorted(conda) == sorted([python, "pip", *DEPENDENCIES])


def test_lock_names_every_dependency_and_no_address():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"https?://|--index|--find-links", lock)
    pinned = {re.split(r"==", line)[0] for line in lock.splitlines() if "==" in line}
    dependencies = [*DEPENDENCIES, *PROJECT["dependency-groups"]["dev"]]
    assert {re.split(r"[<>=~!\[]", name)[0] for name in dependencies} <= pinned


def test_every_dependency_has_a_reason():
    table = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    for name in DEPENDENCIES:
        assert f"| {re.split('[<>=]', name)[0]} |" in table


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_revisions_in_the_documents_exist(document):
    text = (ROOT / document).read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?:evidence|make) [a-z].*", text, flags=re.MULTILINE)
    for line in {*lines, *re.findall(r"`((?:evidence|make)\s[a-z][^`]+)`", text)}:
        program, name, *words = shlex.split(re.split(" > | +# ", line)[0])
        if program == "make":
            assert re.search(rf"^{name}:", MAKEFILE, flags=re.MULTILINE), line
            continue
        with contextlib.suppress(click.MissingParameter, click.BadOptionUsage):
            cli.evidence.commands[name].make_context(name, [w for w in words if w != "--help"])
        if name == "diff":
            assert set(words[:2]) <= {"HEAD", "."}, line
    for notebook in re.findall(r"notebooks/(\d\w+\.ipynb)", text):
        assert (ROOT / "notebooks" / notebook).is_file()


def test_readme_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Risk ratio of response")


def test_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_arrive(document):
    text = (ROOT / document).read_text("utf-8")
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", text):
        assert ((ROOT / document).parent / link).exists(), link


def test_code_hosts_run_what_everybody_runs():
    """Both run `.ci/run`, and on a tag the archive; actions are pinned, and nothing is fetched else."""
    github = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    (job,) = yaml.safe_load(github)["jobs"].values()
    gitlab = (ROOT / ".gitlab-ci.yml").read_text("utf-8")
    scripts = yaml.safe_load(gitlab)["check"]["script"]
    for commands in (scripts, [step["run"] for step in job["steps"] if "run" in step]):
        assert [c for c in commands if "git config" not in c and "evidence release" not in c] == [
            ".ci/run"
        ]
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in actions)
    assert "://" not in github + gitlab


def test_issue_forms_ask_for_what_the_tables_need():
    fields = {}
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text("utf-8"))
        assert form["name"] and form["description"]
        fields[path.stem] = [field["id"] for field in form["body"]]
        for field in form["body"]:
            assert field["type"] in ("input", "textarea", "dropdown")
            assert field["attributes"]["label"]
    assert {"study", "row", "printed", "locator"} <= set(fields["wrong-number"])
    assert {"study", "results", "source"} <= set(fields["add-study"])


def test_licences_and_citation():
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert "CC BY 4.0" in (ROOT / "LICENSE-DATA").read_text("utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["project"]["version"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_changelog_opens_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## (\S+)", changelog, re.MULTILINE)[1] == PROJECT["project"]["version"]
