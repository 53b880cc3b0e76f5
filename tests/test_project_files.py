"""What a newcomer reads and runs agrees with the program: README, environment, licences, lock."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from evidence import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
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


def test_readme_commands_exist(capsys):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"^make (\w+)", README, flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for command in set(re.findall(r"^evidence (\w+)", README, flags=re.MULTILINE)):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
    for notebook in re.findall(r"notebooks/(\w+\.ipynb)", README):
        assert (ROOT / "notebooks" / notebook).is_file()


def test_readme_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Risk ratio of response")


def test_readme_is_short():
    assert len(README.splitlines()) <= 150


def test_readme_links_arrive():
    for link in re.findall(r"\]\((?!https?://|#)([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def test_licences_and_citation():
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert "CC BY 4.0" in (ROOT / "LICENSE-DATA").read_text("utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["project"]["version"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_changelog_opens_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## (\S+)", changelog, re.MULTILINE)[1] == PROJECT["project"]["version"]
