"""Comparing versions: rows, key numbers with their causes, claims, unknowns, and git revisions."""

import contextlib
import json
import shutil
import subprocess
from copy import copy

import pytest

from evidence.compare import git_versions
from evidence.compare.document import diff_html, diff_json, diff_markdown
from evidence.compare.git_versions import compare_versions
from evidence.compare.key_numbers import key_numbers
from evidence.compare.version_diff import CROSSED, Change, VersionDiff
from evidence.dataset import schema
from evidence.errors import EvidenceError
from tests.conftest import require_tool
from tests.example_trials import add_yeast_trial

EFFECT = "effect/bread/yeast/inactive/risen/1 day"


@pytest.fixture
def old(yeast_trials):
    """The first version: 14 of 20 against 5 of 20 in each trial."""
    return yeast_trials


@pytest.fixture
def new(old, tmp_path):
    """A second version of the project, identical until a test changes it."""
    later = copy(old)
    later.root = tmp_path / "later"
    shutil.copytree(old.root, later.root)
    return later


def add_large_trial(project, time="1", unit="day"):
    """Four hundred participants with the same proportions as the small trials."""
    project.append("references.bib", "@misc{big2020, author={Big, Q}, title={T}, year={2020}}\n")
    project.table(
        schema.DESIGNS, study="big2020", label="Big", scope="context", design="randomised parallel",
        randomised="yes", source="big2020", locator="p. 1", treatment="yeast",
        comparator_kind="inactive", blinding="indistinguishable", n_analysed="400",
    )  # fmt: skip
    add_yeast_trial(project, "big2020", time, unit, 200, (140, 50))


def line_of(project, text):
    lines = project.path("data/studies.csv").read_text("utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if text in line)


def compare(old, new):
    return compare_versions(str(old.root), str(new.root))


def change_of(changes, name=EFFECT):
    return next(change for change in changes if change.name == name)


def test_identical_versions_have_no_change(old, new):
    diff = compare(old, new)
    assert diff.is_empty
    assert "**No change.** Both versions have the same data." in diff_markdown(diff)
    assert "## Studies added" not in diff_markdown(diff)
    assert json.loads(diff_json(diff))["no_change"] is True


def test_rows_in_another_order_are_no_change(old, new):
    header, *rows = new.rows("data/studies.csv")
    new.write("data/studies.csv", [header, *rows[::-1]])
    assert compare(old, new).rows == ()


def test_new_trial_narrows_an_unknown_and_gives_the_reason(old, new):
    add_large_trial(new, "2", "month")
    diff = compare(old, new)
    (study,) = diff.studies
    assert (study.kind, study.name) == ("added", "Big")
    assert study.description.startswith("randomised parallel, 400 participants, 2 results. Big Q")
    unknown = change_of(diff.unknowns, "U1")
    assert unknown.kind in ("narrowed", "settled")
    assert unknown.reason.startswith("studies added: Big; no longer: ")
    assert "participants 40 → 440, studies 1 → 2" in unknown.reason


def test_new_data_narrow_a_confidence_interval(old, new):
    add_large_trial(new)
    number = change_of(compare(old, new).numbers)
    assert number.before.startswith("2.80 (")  # (14/20)/(5/20), and (140/200)/(50/200)
    assert number.after.startswith("2.80 (")
    assert number.before != number.after
    assert number.reason.startswith("new data (data/studies.csv:")


def test_corrected_cell_is_one_row_and_the_cause_of_a_changed_number(old, new):
    line = line_of(new, "5/20")
    new.put("data/studies.csv", line, events="6", as_printed="6/20")
    diff = compare(old, new)
    (row,) = diff.rows
    assert (row.kind, row.after) == ("corrected", f"data/studies.csv:{line}")
    assert row.cells == {"events": ("5", "6"), "as_printed": ("5/20", "6/20")}
    assert change_of(diff.numbers).reason == f"corrected extraction (data/studies.csv:{line})"
    assert [study.kind for study in diff.studies] == ["corrected"]
    assert "events: 5 → 6" in diff_markdown(diff)


def test_corrected_key_is_one_row_and_not_two(old, new):
    new.put("data/studies.csv", line_of(new, "month"), time="3")
    assert [(row.kind, list(row.cells)) for row in compare(old, new).rows] == [
        ("corrected", ["time"])
    ]


def test_filling_a_blank_cell_does_not_correct_the_study(old, new):
    new.put("data/designs.csv", 2, country="Norway")
    diff = compare(old, new)
    assert [row.kind for row in diff.rows] == ["filled in"]
    assert not diff.studies


def test_withdrawn_data(old, new):
    header, *rows = new.rows("data/studies.csv")
    rows = [row for row in rows if "baker1990" not in row or "p. 5" not in row]
    new.write("data/studies.csv", [header, *rows])
    assert change_of(compare(old, new).numbers).reason.startswith("withdrawn data (")


def drop_rows(project, *texts):
    """Remove the results whose line has all of these texts."""
    header, *rows = project.rows("data/studies.csv")
    rows = [row for row in rows if not all(text in row for text in texts)]
    project.write("data/studies.csv", [header, *rows])


def test_no_unknown_closes_because_evidence_was_removed(old, new):
    """The only results beyond a month are those at two months, of two arms of one study."""
    drop_rows(new, "month")
    diff = compare(old, new)
    line = line_of(old, "month")
    evidence = f"evidence was removed (data/studies.csv:{line}, data/studies.csv:{line + 1})"
    unknown = change_of(diff.unknowns, "bread/yeast/risen/beyond a month")
    assert unknown.kind == "still open"
    assert unknown.reason.startswith(f"{evidence}; studies removed: Miller; ")
    assert "closed" not in {change.kind for change in diff.unknowns}
    assert "Evidence was removed: 2 results." in diff_markdown(diff)


def test_less_evidence_brings_no_unknown_nearer_to_an_answer(old, new):
    """Without the trial that contradicts the large one, the rest is consistent and precise."""
    for project in (old, new):
        add_large_trial(project, "2", "month")
        project.append("references.bib", "@misc{odd2021, author={O, D}, title={T}, year={2021}}\n")
        add_yeast_trial(project, "odd2021", "2", "month", 200, (50, 140))
        project.table(
            schema.DESIGNS, study="odd2021", label="Odd", scope="context", randomised="yes",
            design="randomised parallel", source="odd2021", locator="p. 1", treatment="yeast",
            comparator_kind="inactive", blinding="indistinguishable", n_analysed="400",
        )  # fmt: skip
    drop_rows(new, "odd2021")
    unknown = change_of(compare(old, new).unknowns, "U1")
    assert (unknown.before, unknown.after) == ("narrowed", "settled")
    assert unknown.kind == "evidence removed"
    assert unknown.reason.startswith("evidence was removed (data/studies.csv:")


def test_forgetting_unread_trials_settles_nothing(old, new):
    """400 participants have results; a trial of 500 was not read, and the later version lost it."""
    for project in (old, new):
        add_large_trial(project, "2", "month")
        cells = {"conditions": "bread", "outcomes": "risen", "comparators": "inactive"}
        project.put("data/unknowns.csv", 2, from_days="30", **cells)
    old.table(
        schema.KNOWN_STUDIES, known_study="dorn2020", label="Dorn", design="randomised parallel",
        condition="bread", treatment="yeast", comparator_kind="inactive", n_randomised="500",
        listed_by="guide", locator="p. 1", status="wanted",
    )  # fmt: skip
    unknown = change_of(compare(old, new).unknowns, "U1")
    assert (unknown.before, unknown.after) == ("narrowed", "settled")
    assert (unknown.kind, unknown.reason) == ("evidence removed", "known studies removed: Dorn")


def test_why_an_unknown_is_no_longer_there(old, new):
    new.put("data/claims.csv", 2, studies="")
    kinds = {change.name: (change.kind, change.reason) for change in compare(old, new).unknowns}
    name = "bread/yeast/risen/beyond a month"
    assert kinds[name] == (
        "evidence removed", "the studies of its claims have no rows any more"
    )  # fmt: skip
    new.put("data/claims.csv", 2, outcome="")
    new.write("data/unknowns.csv", old.rows("data/unknowns.csv")[:1])
    changes = compare(old, new).unknowns
    assert change_of(changes, name).kind == change_of(changes, "U1").kind == "withdrawn"


def test_two_trials_of_each_comparator_close_an_unknown(old, new):
    for number in range(2):
        for kind in ("inactive", "active"):
            study = f"{kind}{number}"
            new.append(
                "references.bib", f"@misc{{{study}, author={{A}}, title={{T}}, year={{2000}}}}\n"
            )
            add_yeast_trial(new, study, "2", "month")
            new.table(
                schema.DESIGNS, study=study, label=study, scope="context", randomised="yes",
                design="randomised parallel", source=study, locator="p. 1", treatment="yeast",
                comparator_kind=kind,
            )  # fmt: skip
    unknown = change_of(compare(old, new).unknowns, "bread/yeast/risen/beyond a month")
    assert unknown.kind == "closed"
    assert unknown.reason == "two or more trials measured it against each comparator"


def test_conclusion_that_crosses_no_effect(old, new):
    """With 12 of 20 in both comparison groups the CI of the ratio includes no effect."""
    for line, row in enumerate(new.rows("data/studies.csv"), 1):
        if "5/20" in row and "day" in row:
            new.put("data/studies.csv", line, events="12", as_printed="12/20")
    diff = compare(old, new)
    (change,) = [number for number in diff.numbers if number.kind == CROSSED]
    assert change.name == EFFECT
    assert change.before != change.after
    heading = "## Conclusions that crossed a stated threshold"
    assert f"{heading}\n\n- {change.description}: {change.before}" in diff_markdown(diff)


def test_judgement_is_a_cause_of_its_own(old, new):
    new.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="risen", measure="rd", value="0.2", source="baker1990",
        locator="p. 1", reason="so they say",
    )  # fmt: skip
    changes = [change for change in compare(old, new).numbers if change.name == EFFECT]
    assert [change.kind for change in changes] == [CROSSED]
    change = changes[0]
    assert (
        change.reason
        == f"changed judgement or description ({schema.MINIMAL_IMPORTANT_DIFFERENCES.file}:2)"
    )


def test_key_numbers_have_lasting_names(graded):
    """4 of 123 against 11 of 139 in the first of thirteen trials; all of them are pooled."""
    graded.put("data/outcomes.csv", 2, kind="benefit", display_order="1")
    graded.put("data/designs.csv", 2, display_order="1")
    numbers = key_numbers(graded.dataset())
    assert numbers["trial0/vaccine against none/infection/1 day.ratio"].text == "0.41"
    proportion = numbers["proportion/infection"]
    assert len(proportion.rows) == 13
    assert 0 < proportion.value < 0.1
    effect = numbers["effect/tuberculosis/vaccine/inactive/infection/1 day"]
    assert len(effect.rows) == 26
    assert "certainty" in effect.conclusion


def test_claim_with_another_verdict(old, new):
    new.put("data/claims.csv", 2, verdict="differs")
    (claim,) = compare(old, new).claims
    assert (claim.name, claim.before, claim.after) == (
        "C1", "agrees (computed: not checkable)", "differs (computed: not checkable)",
    )  # fmt: skip


def test_sections_follow_the_order_of_prisma_lsr(old, new):
    add_large_trial(new)
    text = diff_markdown(compare(old, new))
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "Versions", "Methods", "Studies added", "Studies removed",
        "Studies with corrected results or descriptions", "Changed rows", "Key numbers",
        "Conclusions that crossed a stated threshold", "Claims", "Unknowns", "Search dates",
    ]  # fmt: skip
    assert "Changed: 1 study, " in text


def test_text_of_the_data_is_never_markup(old, new):
    new.put("data/designs.csv", 2, population="<script>alert(1)</script> | *a*")
    html = diff_html(compare(old, new))
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<em>a</em>" not in html


def test_signs_in_a_key_number_are_escaped_once():
    number = Change("new", "effect/bread", "p < 0.1 | *a*", before="", after="[1]")
    diff = VersionDiff("old", "new", "", numbers=(number,))
    assert r"| p \< 0.1 \| \*a\* | — | \[1\] | — |" in diff_markdown(diff)


def commit(project):
    git = ["git", "-C", str(project.root), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "add", "-A"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-qm", "version"], check=True, capture_output=True)


@pytest.fixture
def repository(old):
    require_tool("git")
    subprocess.run(["git", "init", "-q", str(old.root)], check=True)
    commit(old)
    return old


def test_revisions_of_a_repository(repository):
    add_large_trial(repository)
    commit(repository)
    diff = compare_versions("HEAD~1", "HEAD", repository.root)
    assert diff.before.startswith("HEAD~1 (")
    assert [study.name for study in diff.studies] == ["Big"]
    assert compare_versions("HEAD", str(repository.root), repository.root).is_empty


def plant_code(repository, marker):
    """Put commands that leave a trace wherever Python or git could find one to run."""
    touch, root = f"touch {marker}", repository.root
    python = f"import os\nos.system({touch!r})\nraise SystemExit('executed')\n"
    for name in ("src/evidence/__init__.py", "evidence/__init__.py", "conftest.py", "pandas.py",
                 "sitecustomize.py", "notebooks/01_risen.py"):  # fmt: skip
        repository.path(name).parent.mkdir(parents=True, exist_ok=True)
        repository.path(name).write_text(python)
    repository.path(".gitattributes").write_text("* filter=own diff=own merge=own\n")
    hooks = repository.path(".git/hooks")
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\n{touch}\n")
        (hooks / name).chmod(0o755)
    for key, value in {
        "core.fsmonitor": hooks / "fsmonitor",
        "core.pager": touch,
        "core.sshCommand": touch,
        "diff.external": touch,
        "diff.own.textconv": touch,
        "diff.own.command": touch,
        "filter.own.smudge": touch,
        "filter.own.clean": touch,
        "alias.cat-file": f"!{touch}",
        "alias.rev-parse": f"!{touch}",
        "remote.origin.url": f"ext::sh -c {touch}",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
        "extensions.partialClone": "origin",
    }.items():
        subprocess.run(["git", "-C", str(root), "config", key, str(value)], check=True)


def test_no_code_of_either_version_is_run(repository, tmp_path, monkeypatch):
    """Code in packages, hooks, attributes and configuration; a plain `git status` would run some."""
    repository.path("evidence").mkdir()
    repository.path("evidence/__init__.py").write_text("raise SystemExit('executed')")
    repository.path("data/more.csv").symlink_to("/etc/passwd")
    commit(repository)
    marker = tmp_path / "executed"
    plant_code(repository, marker)
    git = ["git", "-C", str(repository.root)]
    monkeypatch.chdir(repository.root)
    # An object that is missing makes git ask the remote of a partial clone for it.
    lost = subprocess.check_output([*git, "rev-parse", "HEAD:data/claims.csv"], text=True).strip()
    repository.path(f".git/objects/{lost[:2]}/{lost[2:]}").unlink()
    for old, new in (("HEAD~1", str(repository.root)), (str(repository.root), "HEAD")):
        with contextlib.suppress(EvidenceError):
            compare_versions(old, new, repository.root)
    assert not marker.exists()
    subprocess.run([*git, "status"], capture_output=True)
    assert marker.exists()


def test_tables_and_columns_that_were_renamed_since_are_understood(repository, monkeypatch):
    name = schema.UNKNOWNS.names[-1]
    monkeypatch.setitem(git_versions.RENAMED_COLUMNS, "earlier_name", name)
    monkeypatch.setitem(git_versions.RENAMED_FILES, "data/earlier.csv", "data/unknowns.csv")
    text = repository.path("data/unknowns.csv").read_text("utf-8")
    repository.path("data/unknowns.csv").unlink()
    repository.path("data/earlier.csv").write_text(text.replace(f",{name}\n", ",earlier_name\n"))
    commit(repository)
    repository.path("data/unknowns.csv").write_text(text, "utf-8")
    diff = compare_versions("HEAD", str(repository.root), repository.root)
    assert (diff.rows, diff.unknowns) == ((), ())


def test_doses_of_earlier_versions_are_per_weight(repository):
    repository.put("data/studies.csv", 2, dose="0.5", dose_unit="mg/kg")
    repository.put("data/claims.csv", 2, source_rows="dose_unit=mg/kg and dose>=0.5")
    rows, claims = repository.rows("data/studies.csv"), repository.rows("data/claims.csv")
    unit = rows[0].index("dose_unit")
    earlier = [[*row[:unit], *row[unit + 1 :]] for row in rows]
    earlier[0][unit - 1] = "dose_mg_per_kg"
    repository.write("data/studies.csv", earlier)
    repository.put("data/claims.csv", 2, source_rows="dose_mg_per_kg>=0.5")
    commit(repository)
    repository.write("data/studies.csv", rows)
    repository.write("data/claims.csv", claims)
    assert compare_versions("HEAD", str(repository.root), repository.root).rows == ()


def test_revision_with_unknown_columns_names_them(repository):
    repository.replace("data/studies.csv", "verified", "earlier_name")
    commit(repository)
    with pytest.raises(EvidenceError, match=r"(?s)HEAD .*: the data of this revision do not fit"
                                            r".*data/studies.csv:1"):  # fmt: skip
        compare_versions("HEAD", str(repository.root), repository.root)


@pytest.mark.parametrize("name", ["nowhere", "--output=x", "-h", "HEAD:data", ""])
def test_what_is_not_a_version_is_refused(repository, name):
    with pytest.raises(EvidenceError, match=r"not a folder, a values.json or a revision"):
        compare_versions(name, str(repository.root), repository.root)


def values(project, name, **texts):
    entry = {"method": "copied", "rows": ["data/studies.csv:2"]}
    content = {f"index/{key}": {"value": text, "text": text} | entry for key, text in texts.items()}
    path = project.path(name)
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


def test_values_of_finished_reports_without_their_tables(old):
    earlier = values(old, "old.json", a="71%", b="4")
    later = values(old, "new.json", a="64%", b="4", c="2")
    changes = compare_versions(earlier, later).numbers
    assert [(c.name, c.before, c.after) for c in changes] == [
        ("index/a", "71%", "64%"), ("index/c", "", "2"),
    ]  # fmt: skip
    assert compare_versions(earlier, earlier).is_empty


def test_file_that_holds_no_values_is_refused(old):
    with pytest.raises(EvidenceError, match=r"references.bib: not a values.json"):
        compare_versions(str(old.path("references.bib")), str(old.root))
