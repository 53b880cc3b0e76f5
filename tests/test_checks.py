"""Consistency checks: each finds its own slip in a clean project, and nothing in a clean one."""

import dataclasses
import shutil
import subprocess
import sys

import pytest

from evidence import cli
from evidence.analysis.checks import CHECKS, check_consistency
from evidence.analysis.checks.against_printed_text import grim_power
from evidence.analysis.results import select_results
from evidence.dataset import schema
from tests.conftest import ROOT

STUDIES = "data/studies.csv"


def found(project):
    return {(finding.code, finding.rows[0]) for finding in check_consistency(project.dataset())}


@pytest.fixture
def clean(project):
    """The small project with tables enough for every check, in which nothing is wrong."""
    project.put("data/outcomes.csv", 3, subset_of="risen")
    project.table(
        schema.OUTCOMES, outcome="allocated", kind="flow", better="neither", description="an arm"
    )
    for line in (2, 3):
        project.put("data/designs.csv", line, followup="2", followup_unit="day")
    project.put("data/designs.csv", 2, n_randomised="37", registration="NCT00000001")
    # The guide sets 71 % against 18 people: the finding that its waiver is about.
    project.table(
        schema.WAIVERS,
        code="GRIM", study="baker1990", source="guide", reason="kept", signed_by="A. Miller",
        date="2026-11-24",
    )  # fmt: skip
    project.table(schema.INSTRUMENTS, instrument="scale", integer="yes", note="marks are whole")
    project.table(
        schema.DOSES, drug="yeast", route="oral", low="0.5", high="2", source="baker1990",
        locator="p. 1",
    )  # fmt: skip
    for arm, role, time, n, value, spread in (
        ("yeast", "intervention", "0", "20", "7.35", "2.1"),
        ("yeast", "intervention", "1", "20", "6.15", "2.2"),
        ("none", "comparator", "0", "20", "7.5", "2.3"),
        ("none", "comparator", "1", "20", "7.25", "2"),
    ):
        project.row(
            study="miller2001", condition="bread", arm=arm, role=role, outcome="height", n=n,
            instrument="scale", time=time, time_unit="day", measure="mean", value=value,
            spread=spread, spread_kind="sd", as_printed=f"{value} (SD {spread})",
            reported_by="publication", source="miller2001", locator="Table 2", verified="yes",
        )  # fmt: skip
    for arm, role, events in (("yeast", "intervention", "17"), ("none", "comparator", "20")):
        project.row(
            study="baker1990", condition="bread", arm=arm, role=role, outcome="allocated",
            measure="count", events=events, as_printed=events, reported_by="publication",
            source="baker1990", locator="p. 3", verified="yes",
        )  # fmt: skip
    project.row(
        study="baker1990", condition="bread", arm="yeast", role="contrast", versus="none",
        outcome="risen", time="1", time_unit="day", measure="odds ratio", value="9.6",
        as_printed="9.6", reported_by="publication", source="baker1990", locator="p. 3",
        verified="yes", direction="better", p_value="0.003", dose_mg_per_kg="1", route="oral",
    )  # fmt: skip
    return project


SLIPS = {
    "PRINT": (5, {"value": "0.6"}),
    "PERCENT": (2, {"events": "11", "value": ""}),
    "GRIM": (2, {"n": "19"}),
    "GRIMMEAN": (8, {"value": "6.17", "as_printed": "6.17 (SD 2.2)"}),
    "SDSE": (8, {"spread": "0.49", "as_printed": "6.15 (SD 0.49)"}),
    "CIP": (5, {"p_value": "0.3"}),
    "CISYM": (5, {"ci_high": "2.9"}),
    "DIRECTION": (13, {"direction": "no difference"}),
    "LARGE": (5, {"value": "5", "as_printed": "5", "ci_low": "4.6", "ci_high": "5.4"}),
    "EFFECT": (13, {"value": "6.9", "as_printed": "6.9"}),
    "PARTICIPANTS": (3, {"n": "70", "events": "14", "as_printed": "14/70"}),
    "ARMS": (11, {"events": "16", "as_printed": "16"}),
    "TWIN": (10, {"value": "6.15", "spread": "2.2", "as_printed": "6.15 (SD 2.2)"}),
    "DOSE": (13, {"dose_mg_per_kg": "70"}),
    "LABEL": (13, {"arm": "yeast 2 mg/kg"}),
    "FOLLOWUP": (8, {"time_unit": "week"}),
}


def test_a_clean_project_has_nothing_but_its_waived_finding(clean):
    findings = check_consistency(clean.dataset())
    assert [finding.code for finding in findings] == ["GRIM"]
    assert findings[0].waiver == "kept — A. Miller, 2026-11-24"
    assert not findings[0].is_blocking


@pytest.mark.parametrize("code", SLIPS)
def test_a_slip_is_found_in_its_row(clean, code):
    line, cells = SLIPS[code]
    clean.put(STUDIES, line, **cells)
    codes = {code for code, row in found(clean) if row == f"{STUDIES}:{line}"}
    if code in ("ARMS", "TWIN"):  # the first row of those that do not go together
        codes = {code for code, _ in found(clean)}
    assert code in codes


def test_more_with_a_part_than_with_the_whole(clean):
    """9 of 17 cannot be in remission where only 8 responded."""
    clean.put("data/outcomes.csv", 3, subset_of="")
    clean.table(
        schema.OUTCOMES, outcome="well risen", kind="benefit", better="higher", subset_of="risen",
        description="risen very well",
    )  # fmt: skip
    rows = clean.rows(STUDIES)
    row = dict(zip(rows[0], rows[2], strict=True))
    clean.row(**row | {"outcome": "well risen", "events": "5", "as_printed": "5/20"})
    assert ("SUBSET", f"{STUDIES}:14") in found(clean)


def test_a_source_older_than_its_study(clean):
    clean.put(STUDIES, 5, source="baker1990")
    assert ("YEAR", f"{STUDIES}:5") in found(clean)


def test_a_malformed_trial_number(clean):
    clean.put("data/designs.csv", 2, registration="NCT0000001")
    assert ("REGISTRY", "data/designs.csv:2") in found(clean)


def test_every_check_is_tested_and_says_what_it_looks_for():
    tested = {*SLIPS, "SUBSET", "YEAR", "REGISTRY"}
    assert {check.code for check in CHECKS} == tested
    assert all(check.description.endswith(".") and check.resolution for check in CHECKS)


def test_a_sign_that_the_text_does_not_print_is_found_unless_words_tell_it(clean):
    clean.put(STUDIES, 5, value="-0.5", ci_low="-0.9", ci_high="-0.1")
    assert ("PRINT", f"{STUDIES}:5") in found(clean)
    clean.put(STUDIES, 5, as_printed="0.5 lower")
    assert ("PRINT", f"{STUDIES}:5") not in found(clean)
    clean.put(STUDIES, 5, as_printed="decreased by 0.5")
    assert ("PRINT", f"{STUDIES}:5") not in found(clean)


def test_numbers_without_the_nought_before_the_point_are_read(clean):
    """As in d = .89, 95% confidence interval = .61-1.16."""
    clean.put(STUDIES, 5, value="0.5", ci_low="0.1", ci_high="0.9", as_printed="d = .5 (.1-.9)")
    assert ("PRINT", f"{STUDIES}:5") not in found(clean)
    clean.put(STUDIES, 5, as_printed="d = .6 (.1-.9)")
    assert ("PRINT", f"{STUDIES}:5") in found(clean)


def test_a_ratio_in_print_beside_a_blank_count_contradicts_nothing(clean):
    clean.put(STUDIES, 3, events="", value="0.2", as_printed="4/20, 20%")
    assert ("PRINT", f"{STUDIES}:3") not in found(clean)
    clean.put(STUDIES, 3, n="21")
    assert ("PRINT", f"{STUDIES}:3") in found(clean)


def test_a_waiver_that_waives_nothing_is_named(clean):
    clean.put(STUDIES, 4, n="17")
    assert found(clean) == {("WAIVER", "data/waivers.csv:2")}


def test_the_known_case_comes_out(shipped):
    """71 % and 29 % of 18 are no counts; of 17 they are 12 and 5."""
    says = {
        finding.message
        for finding in check_consistency(shipped)
        if finding.code == "GRIM" and finding.study == "zarate2006"
    }
    assert says == {
        "71% is no count of 18 people (it fits 17, 21)",
        "29% is no count of 18 people (it fits 17, 21)",
    }
    results = select_results(shipped)
    rows = results[(results["study"] == "zarate2006") & (results["n"] == 17)]
    assert set(rows.loc[rows["as_printed"] == "71%", "event_count"]) == {12}
    assert set(rows.loc[rows["as_printed"] == "29%", "event_count"]) == {5}


def test_grim_power_by_hand(clean):
    """Of 17 people 18 percentages exist, of 101 printable ones 83 cannot be: 82 %."""
    results = select_results(clean.dataset())
    one = results[results["address"] == f"{STUDIES}:2"]
    power = grim_power(one).numbers
    assert power["tested"].value == 1
    assert power["power"].value == pytest.approx(83 / 101)
    many = one.assign(n=300)
    assert grim_power(many).numbers["able"].value == 0


def test_an_error_stops_check_and_report_until_it_is_waived(clean, capsys):
    clean.put(STUDIES, 5, value="0.6")
    assert cli.main(["check", "--project", str(clean.root)]) == 1
    said = "data/studies.csv:5 PRINT error: value 0.6 is not in '0.5'; copy it again from the text"
    assert said in capsys.readouterr().out
    shutil.copytree(ROOT / "notebooks", clean.root / "notebooks")
    assert cli.main(["report", "--project", str(clean.root)]) == 1
    assert "data/studies.csv:5 PRINT: value 0.6" in capsys.readouterr().err
    assert not (clean.root / "reports").exists()
    clean.append("data/waivers.csv", "PRINT,miller2001,,,,seen,A. Miller,2026-11-24\n")
    assert cli.main(["check", "--project", str(clean.root)]) == 0
    assert "(waived: seen — A. Miller, 2026-11-24)" in capsys.readouterr().out


def test_shipped_tables_have_no_error_that_counts(shipped):
    assert not [finding for finding in check_consistency(shipped) if finding.is_blocking]


def test_findings_are_frozen(shipped):
    with pytest.raises(dataclasses.FrozenInstanceError):
        check_consistency(shipped)[0].message = ""


def test_output_that_nobody_reads_any_longer_is_no_error(project):
    """As `evidence check | head -n 1` leaves it: nothing on the error output, no traceback."""
    command = [sys.executable, "-m", "evidence.cli", "audit", "--list", "--project", project.root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
