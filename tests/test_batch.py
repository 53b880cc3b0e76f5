"""Many reports in one call: one that fails stops no other, and all are found from one index."""

import json
import re

import pytest

from evidence import cli
from evidence.build.build import BuildOptions, build_batch
from evidence.errors import ParameterError, ReportError
from tests.conftest import Project

FAILS = 'if conditions == ["cake"]:\n    raise ValueError("no <b>cake</b> & no end")'


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """A project whose own notebook fails for one condition of two, and two calls; read only."""
    project = Project(tmp_path_factory.mktemp("batch") / "bread")
    project.notebook("10_bread", "report.results", FAILS)
    project.notebook("11_again", "len(report.results)")
    only = ["--only", "bread", "--only", "again"]
    command = ["report", "--project", str(project.root), "--jobs", "2", "--grid"]
    project.codes = [
        cli.main([*command, "conditions=bread", "--grid", "confidence=0.9", *only]),
        cli.main([*command, "conditions=bread,cake", *only]),
    ]
    return project


SETS = ["conditions-bread", "conditions-bread_confidence-0.9", "conditions-cake"]


def test_a_failing_report_does_not_stop_the_others(batch):
    assert batch.codes == [0, 1]
    out = batch.path("report-sets")
    assert sorted(path.name for path in out.iterdir()) == [
        *SETS, "conditions-cake.failed", "index.html", "sets.json"
    ]  # fmt: skip
    for name in SETS[:2]:
        manifest = json.loads((out / name / "manifest.json").read_text("utf-8"))
        assert list(manifest["reports"]) == ["10_bread", "11_again"]
        assert manifest["failed"] == {}
    manifest = json.loads((out / "conditions-cake" / "manifest.json").read_text("utf-8"))
    assert list(manifest["reports"]) == ["11_again"]
    message = "cell 5 failed: ValueError: no <b>cake</b> & no end"
    assert manifest["failed"] == {"10_bread": message}
    assert manifest["reports"]["11_again"]["parameters"] == {
        "scope": "core", "conditions": ["cake"], "outcomes": [], "confidence": 0.95
    }  # fmt: skip


def test_the_index_leads_to_every_set_and_says_why_one_failed(batch):
    out = batch.path("report-sets")
    page = (out / "index.html").read_text("utf-8")
    for link in re.findall(r'href="([^"#]+)"', page):
        if not link.startswith(("data:", "http")):
            assert (out / link).exists(), link
    for name in SETS:
        assert f'href="{name}/index.html"' in page
    failed = "conditions-cake.failed/10_bread.ipynb"
    assert f'href="{failed}"' in page
    assert "ValueError: no &lt;b&gt;cake&lt;/b&gt; &amp; no end" in page
    assert "<b>cake" not in page
    assert "ValueError" in (out / failed).read_text("utf-8")
    sets = json.loads((out / "sets.json").read_text("utf-8"))
    assert sets["conditions-bread_confidence-0.9"] == {"conditions": ["bread"], "confidence": 0.9}
    beside = (out / "conditions-cake" / "index.html").read_text("utf-8")
    assert f'href="../{failed}"' in beside


def test_a_second_call_makes_only_what_failed(batch, capsys):
    command = ["report", "--project", str(batch.root), "--only", "bread", "--only", "again"]
    assert cli.main([*command, "--grid", "conditions=bread,cake", "--explain"]) == 1
    output = capsys.readouterr()
    assert output.out.splitlines()[:4] == [
        "conditions-bread 10_bread: up to date",
        "conditions-bread 11_again: up to date",
        "conditions-cake 10_bread: failed: there is no finished report",
        "conditions-cake 11_again: up to date",
    ]
    assert "0 reports built, 3 up to date" in output.out
    progress, *error = output.err.splitlines()
    assert progress.endswith("conditions-cake 10_bread: failed")
    assert error[0] == (
        "evidence: conditions-cake 10_bread: cell 5 failed: ValueError: no <b>cake</b> & no end"
    )
    assert "1/1" in output.err


def test_a_folder_with_other_files_is_never_replaced_by_sets(project, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("years of work")
    with pytest.raises(
        ReportError, match="holds files that are not report sets; choose another folder"
    ):
        list(build_batch(project.root, grid=["confidence=0.9"], out=tmp_path / "precious"))
    with pytest.raises(ReportError, match="this folder holds the project"):
        list(build_batch(project.root, grid=["confidence=0.9"], out=project.root))
    assert (tmp_path / "precious" / "thesis.tex").read_text() == "years of work"


def test_zero_jobs_are_refused():
    with pytest.raises(ParameterError, match="--jobs 0: a whole number above 0"):
        BuildOptions(jobs=0)
