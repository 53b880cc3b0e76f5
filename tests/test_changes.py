"""What changed between two versions: rows, numbers with their causes, conclusions and unknowns."""

import json
import shutil
import subprocess

import pytest

from evidence import cli
from evidence.compare.document import diff_html, diff_json, diff_markdown
from evidence.compare.git_versions import compare_versions
from evidence.dataset import schema
from tests.conftest import ROOT, Project, require_tool
from tests.test_register import bakery  # noqa: F401 - a fixture

EFFECT = "effect/bread/yeast/inactive/risen/1 day"


@pytest.fixture
def copy(bakery, tmp_path):  # noqa: F811
    """A second version of the bakery, the same until it is changed."""
    shutil.copytree(bakery.root, tmp_path / "later")
    later = Project.__new__(Project)
    later.root = tmp_path / "later"
    return later


def compared(one, two):
    return compare_versions(str(one.root), str(two.root))


def number(changes, name=EFFECT):
    return next(found for found in changes.numbers if found.name == name)


def large_trial(project, time="1", unit="day"):
    """Four hundred people, half of them with yeast; shares as in the small trials."""
    entry = "@misc{big2020, author = {Big, Q}, title = {T}, year = {2020}}\n"
    project.append("references.bib", entry)
    project.table(
        schema.DESIGNS, study="big2020", label="Big", scope="context", design="randomised parallel",
        randomised="yes", source="big2020", locator="p. 1", treatment="yeast",
        comparator_kind="inactive", blinding="indistinguishable", n_analysed="400",
    )  # fmt: skip
    for arm, role, count in (("yeast", "intervention", "140"), ("none", "comparator", "50")):
        project.row(
            study="big2020", condition="bread", arm=arm, role=role, outcome="risen",
            definition="new", time=time, time_unit=unit, measure="proportion", n="200",
            events=count, as_printed=f"{count}/200", reported_by="publication", source="big2020",
            locator="p. 5", verified="yes",
        )  # fmt: skip


def test_the_same_version_twice_says_no_change(bakery, copy):  # noqa: F811
    changes = compared(bakery, copy)
    assert changes.none
    text = diff_markdown(changes)
    assert "**No change.** The two versions hold the same." in text
    assert "## Studies added" not in text
    assert json.loads(diff_json(changes))["no_change"] is True
    # Lines that moved are no change either.
    rows = copy.rows("data/studies.csv")
    copy.write("data/studies.csv", [rows[0], *rows[:0:-1]])
    assert not compared(bakery, copy).rows


def test_a_large_trial_narrows_an_unknown_and_the_reason_is_told(bakery, copy):  # noqa: F811
    large_trial(copy, "2", "month")
    changes = compared(bakery, copy)
    (study,) = changes.studies
    assert (study.kind, study.label, study.people, study.results) == ("added", "Big", 400, 2)
    moved = {unknown.name: unknown for unknown in changes.unknowns}["U1"]
    assert moved.kind in ("narrowed", "settled")
    assert "new on it: Big" in moved.why
    assert "no longer so: half of the studies or more are at high risk" not in moved.why
    assert "a single study has nothing to agree with" in moved.why.partition("no longer so")[2]
    assert "people 40 → 440, studies 1 → 2" in moved.why


def test_new_data_is_the_cause_of_a_narrower_interval(bakery, copy):  # noqa: F811
    large_trial(copy)
    found = number(compared(bakery, copy))
    # 14 of 20 against 5 of 20, twice, and 140 of 200 against 50 of 200: 2.80 all the same.
    assert found.before.startswith("2.80 (")
    assert found.after.startswith("2.80 (")
    assert found.before != found.after
    (cause,) = found.causes
    assert cause.startswith("new data (data/studies.csv:")


def test_a_corrected_cell_is_told_from_new_data(bakery, copy):  # noqa: F811
    rows = copy.rows("data/studies.csv")
    line = next(
        place for place, row in enumerate(rows, start=1) if "5/20" in row and "baker1990" in row
    )
    copy.put("data/studies.csv", line, events="6", as_printed="6/20")
    changes = compared(bakery, copy)
    (row,) = changes.rows
    assert (row.kind, row.after) == ("corrected", f"data/studies.csv:{line}")
    cells = {cell.column: (cell.before, cell.after) for cell in row.cells}
    assert cells == {"events": ("5", "6"), "as_printed": ("5/20", "6/20")}
    assert number(changes).causes == (f"corrected extraction (data/studies.csv:{line})",)
    assert [study.kind for study in changes.studies] == ["corrected"]
    assert "events: 5 → 6" in diff_markdown(changes)


def test_a_correction_of_the_key_is_one_row_and_not_two(bakery, copy):  # noqa: F811
    line = next(n for n, row in enumerate(copy.rows("data/studies.csv"), 1) if "month" in row)
    copy.put("data/studies.csv", line, time="3")
    kinds = [(row.kind, [cell.column for cell in row.cells]) for row in compared(bakery, copy).rows]
    assert kinds == [("corrected", ["time"])]


def test_a_cell_that_was_blank_is_filled_in(bakery, copy):  # noqa: F811
    copy.put("data/designs.csv", 2, country="Norway")
    changes = compared(bakery, copy)
    assert [row.kind for row in changes.rows] == ["filled in"]
    assert not changes.studies


def test_withdrawn_data(bakery, copy):  # noqa: F811
    rows = copy.rows("data/studies.csv")
    place = rows[0].index("study")
    kept = [row for row in rows if row[place] != "baker1990" or "p. 5" not in row]
    copy.write("data/studies.csv", kept)
    causes = number(compared(bakery, copy)).causes
    assert [cause.partition(" (")[0] for cause in causes] == ["withdrawn data"]


def test_a_conclusion_that_crossed_no_effect(bakery, copy):  # noqa: F811
    """12 of 20 in both comparison groups, and no longer 5: the interval holds no effect."""
    rows = copy.rows("data/studies.csv")
    for line, row in enumerate(rows, start=1):
        if "5/20" in row and "day" in row:
            copy.put("data/studies.csv", line, events="12", as_printed="12/20")
    changes = compared(bakery, copy)
    found = number(changes)
    assert found.concluded.startswith("excludes no effect, in favour of the treatment")
    assert found.concludes.startswith("does not exclude no effect")
    assert found.crossed
    heading = "## Conclusions that crossed a stated threshold"
    said = "- Risk ratio of risen: yeast against inactive comparison"
    assert f"{heading}\n\n{said}" in diff_markdown(changes)


def test_a_judgement_is_a_cause_of_its_own(bakery, copy):  # noqa: F811
    copy.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="risen", measure="rd", value="0.2", source="baker1990",
        locator="p. 1", reason="so they say",
    )  # fmt: skip
    changes = compared(bakery, copy)
    found = number(changes)
    assert found.before == found.after
    assert found.causes == (
        "changed judgement or description (data/minimal_important_differences.csv:2)",
    )
    assert found.crossed
    assert "what matters" in found.concludes


def test_a_claim_with_another_verdict(bakery, copy):  # noqa: F811
    copy.put("data/claims.csv", 2, verdict="differs")
    (claim,) = compared(bakery, copy).claims
    assert (claim.claim, claim.before, claim.after) == (
        "C1",
        "agrees (computed: not checkable)",
        "differs (computed: not checkable)",
    )


def test_sections_stand_in_the_order_of_prisma_lsr(bakery, copy):  # noqa: F811
    large_trial(copy)
    text = diff_markdown(compared(bakery, copy))
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "Versions", "Methods", "Studies added", "Studies removed",
        "Studies with changed results or descriptions", "Rows behind it", "Headline numbers",
        "Conclusions that crossed a stated threshold", "Claims of the guide", "Unknowns",
        "When anybody last looked",
    ]  # fmt: skip


def test_text_of_the_tables_is_no_markup(bakery, copy):  # noqa: F811
    copy.put("data/designs.csv", 2, population="<script>alert(1)</script> | *a*")
    html = diff_html(compared(bakery, copy))
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<em>a</em>" not in html


def committed(project, message):
    git = ["git", "-C", str(project.root), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "add", "-A"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-qm", message], check=True, capture_output=True)


@pytest.fixture
def repository(bakery):  # noqa: F811
    """The bakery in a repository, with a package of its own in its first revision."""
    require_tool("git")
    subprocess.run(["git", "init", "-q", str(bakery.root)], check=True)
    shutil.copytree(
        ROOT / "src",
        bakery.root / "src",
        ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"),
    )
    committed(bakery, "first")
    return bakery


def test_revisions_of_a_repository_and_a_changed_method(repository, capsys, monkeypatch):
    """The third revision has other intervals of a pool; its tables are those of the second."""
    monkeypatch.chdir(repository.root)
    large_trial(repository)
    committed(repository, "second")
    bodies = "src/evidence/analysis/certainty/evidence_body.py"
    repository.replace(bodies, 'test: str = "knha-adhoc"', 'test: str = "z"')
    committed(repository, "third")
    assert cli.main(["changes", "HEAD", "HEAD"]) == 0
    assert "No change." in capsys.readouterr().out
    assert cli.main(["changes", "HEAD~1", "HEAD", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["rows"]
    assert told["methods"].startswith("The code differs: the same tables give ")
    (found,) = [entry for entry in told["numbers"] if entry["name"] == EFFECT]
    (cause,) = found["causes"]
    assert cause == (
        f"changed method (the earlier tables gave {found['before']}, and give {found['after']} now)"
    )
    assert cli.main(["changes", "HEAD~2", "HEAD", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    causes = next(e["causes"] for e in told["numbers"] if e["name"] == EFFECT)
    assert [cause.partition(" (")[0] for cause in causes] == ["new data"]


def test_code_that_cannot_tell_is_said(repository, monkeypatch):
    monkeypatch.chdir(repository.root)
    repository.path("src/evidence/compare/key_numbers.py").unlink()
    committed(repository, "older code")
    changes = compare_versions("HEAD", ".")
    assert changes.methods == "The same tables and the same code."
    shutil.rmtree(repository.path("src"))
    changes = compare_versions("HEAD", ".")
    assert "that of the earlier version cannot tell the headline numbers" in changes.methods
    assert changes.none


def values(project, name, **texts):
    content = {
        f"index/{key}": {
            "value": text,
            "text": text,
            "method": "copied",
            "rows": ["data/studies.csv:2"],
        }
        for key, text in texts.items()
    }
    path = project.path(name)
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


def test_values_without_their_tables(bakery):  # noqa: F811
    old, new = (
        values(bakery, "old.json", a="71%", b="4"),
        values(bakery, "new.json", a="64%", b="4"),
    )
    changes = compare_versions(old, new)
    (found,) = changes.numbers
    assert (found.name, found.before, found.after) == ("index/a", "71%", "64%")
    assert found.causes == ("cause not told: the tables are not at hand",)
    assert compare_versions(old, old).none


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "nowhere",
            "nowhere: is no folder, no values.json and no revision of the repository around",
        ),
        ("--output=x", "--output=x: is no folder, no values.json and no revision"),
    ],
)
def test_what_is_no_version(repository, name, said):
    with pytest.raises(Exception, match=said):
        compare_versions(name, str(repository.root), repository.root)


def test_a_file_that_is_no_values_and_one_that_cannot_be_written(bakery, copy, capsys):  # noqa: F811
    command = ["changes", str(bakery.path("references.bib")), str(bakery.root)]
    assert cli.main(command) == 1
    assert "references.bib: is no values.json of finished reports" in capsys.readouterr().err
    command = ["changes", str(bakery.root), str(copy.root), "--out", str(copy.root / "no" / "x.md")]
    assert cli.main(command) == 1
    assert "x.md: cannot be written: No such file or directory" in capsys.readouterr().err
