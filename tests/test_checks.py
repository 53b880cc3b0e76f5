"""Consistency checks: each finds its own slip in a clean project, and nothing in a clean one."""

import shutil

import pytest

from evidence import cli
from evidence.analysis.checks import CHECKS, check_consistency
from evidence.analysis.checks.against_printed_text import grim_power
from evidence.analysis.results import select_results
from evidence.dataset import schema
from tests.conftest import ROOT

STUDIES = "data/studies.csv"


def findings(project):
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
    # The guide states 71% of 18: the finding that the waiver is about.
    project.table(
        schema.WAIVERS,
        code="GRIM", study="baker1990", source="guide", reason="kept", signed_by="A. Miller",
        date="2026-11-24",
    )  # fmt: skip
    project.table(schema.INSTRUMENTS, instrument="scale", integer="yes", note="marks are whole")
    project.table(
        schema.DOSES, drug="yeast", route="oral", low="0.5", high="2", dose_unit="mg/kg", source="baker1990",
        locator="p. 1",
    )  # fmt: skip
    for arm, role, time, value, spread in (
        ("yeast", "intervention", "0", "7.35", "2.1"),
        ("yeast", "intervention", "1", "6.15", "2.2"),
        ("none", "comparator", "0", "7.5", "2.3"),
        ("none", "comparator", "1", "7.25", "2"),
    ):
        project.row(
            study="miller2001", condition="bread", arm=arm, role=role, outcome="height", n="20",
            instrument="scale", time=time, time_unit="day", measure="mean", value=value,
            spread=spread, spread_kind="sd", as_printed=f"{value} (SD {spread})",
            reported_by="publication", source="miller2001", locator="Table 2", verified="yes",
        )  # fmt: skip
    # Nobody measured it after two days.
    project.table(
        schema.WANTED_RESULTS, study="baker1990", arm="yeast", outcome="risen", time="2",
        time_unit="day", measure="proportion", source="baker1990", part="Table 1", reason="rows",
    )  # fmt: skip
    shared = {
        "study": "baker1990", "condition": "bread", "reported_by": "publication",
        "source": "baker1990", "locator": "p. 3", "verified": "yes",
    }  # fmt: skip
    for arm, role, events in (("yeast", "intervention", "17"), ("none", "comparator", "20")):
        project.row(
            **shared, arm=arm, role=role, outcome="allocated", measure="count", events=events,
            as_printed=events,
        )  # fmt: skip
    project.row(
        **shared, arm="yeast", role="contrast", versus="none", outcome="risen", time="1",
        time_unit="day", measure="odds ratio", value="9.6", as_printed="9.6", direction="better",
        p_value="0.003", dose="1", dose_unit="mg/kg", route="oral",
    )  # fmt: skip
    return project


SLIPS = {
    "PRINT": (STUDIES, 5, {"value": "0.6"}),
    "PERCENT": (STUDIES, 2, {"events": "11", "value": ""}),
    "GRIM": (STUDIES, 2, {"n": "19"}),
    "GRIMMEAN": (STUDIES, 8, {"value": "6.17", "as_printed": "6.17 (SD 2.2)"}),
    "SDSE": (STUDIES, 8, {"spread": "0.49", "as_printed": "6.15 (SD 0.49)"}),
    "CIP": (STUDIES, 5, {"p_value": "0.3"}),
    "CISYM": (STUDIES, 5, {"ci_high": "2.9"}),
    "DIRECTION": (STUDIES, 13, {"direction": "no difference"}),
    "LARGE": (STUDIES, 5, {"value": "5", "as_printed": "5", "ci_low": "4.6", "ci_high": "5.4"}),
    "EFFECT": (STUDIES, 13, {"value": "6.9", "as_printed": "6.9"}),
    "PARTICIPANTS": (STUDIES, 3, {"n": "70", "events": "14", "as_printed": "14/70"}),
    "DOSE": (STUDIES, 13, {"dose": "70", "dose_unit": "mg/kg"}),
    "LABEL": (STUDIES, 13, {"arm": "yeast 2 mg/kg"}),
    "FOLLOWUP": (STUDIES, 8, {"time_unit": "week"}),
    "YEAR": (STUDIES, 5, {"source": "baker1990"}),
    "REGISTRY": ("data/designs.csv", 2, {"registration": "NCT0000001"}),
    "PRIMARY": ("data/designs.csv", 2, {"primary_outcome": "height"}),
    "WANTED": ("data/wanted_results.csv", 2, {"time": "1", "time_unit": "day"}),
}
SLIPS_IN_SEVERAL_ROWS = {
    "ARMS": (11, {"events": "16", "as_printed": "16"}),
    "TWIN": (10, {"value": "6.15", "spread": "2.2", "as_printed": "6.15 (SD 2.2)"}),
}


def test_a_clean_project_has_only_its_waived_finding(clean):
    (finding,) = check_consistency(clean.dataset())
    assert str(finding) == (
        "data/studies.csv:4 GRIM warning: 71% is not possible with n = 18 (possible with n = 17, "
        "21); find out how many participants were analysed (waived: kept — A. Miller, 2026-11-24)"
    )
    assert not finding.is_blocking


@pytest.mark.parametrize("code", SLIPS)
def test_a_slip_is_found_in_its_row(clean, code):
    file, line, cells = SLIPS[code]
    clean.put(file, line, **cells)
    assert (code, f"{file}:{line}") in findings(clean)


@pytest.mark.parametrize("code", SLIPS_IN_SEVERAL_ROWS)
def test_rows_that_do_not_agree_are_found(clean, code):
    line, cells = SLIPS_IN_SEVERAL_ROWS[code]
    clean.put(STUDIES, line, **cells)
    finding = next(f for f in check_consistency(clean.dataset()) if f.code == code)
    assert f"{STUDIES}:{line}" in finding.rows


def test_a_hazard_ratio_lies_in_the_middle_of_its_ci_on_the_log_scale(clean):
    cells = {"measure": "ratio", "value": "0.4", "ci_low": "0.1", "as_printed": "0.4 (0.1 to 1.6)"}
    clean.put(STUDIES, 5, **cells, ci_high="1.6", p_value="0.2", verified="yes")
    assert not {code for code, address in findings(clean) if address == f"{STUDIES}:5"}


def test_more_participants_with_a_subset_than_with_its_outcome(clean):
    clean.put("data/outcomes.csv", 3, subset_of="")
    clean.table(
        schema.OUTCOMES, outcome="well risen", kind="benefit", better="higher", subset_of="risen",
        description="risen very well",
    )  # fmt: skip
    rows = clean.rows(STUDIES)
    row = dict(zip(rows[0], rows[2], strict=True))
    clean.row(**row | {"outcome": "well risen", "events": "5", "as_printed": "5/20"})
    assert ("SUBSET", f"{STUDIES}:14") in findings(clean)


def test_a_second_hand_row_with_the_value_of_the_own_text_is_found(clean):
    row = dict(zip(*clean.rows(STUDIES)[:2], strict=True))
    second_hand = {"reported_by": "review", "source": "miller2001", "locator": "Table 1"}
    clean.row(**row | second_hand)
    assert ("REPEAT", f"{STUDIES}:14") in findings(clean)
    clean.put(STUDIES, 14, repeats="baker1990")
    assert ("REPEAT", f"{STUDIES}:14") not in findings(clean)
    clean.put(STUDIES, 14, repeats="", value="0.65", as_printed="65%")
    assert ("REPEAT", f"{STUDIES}:14") not in findings(clean)


# What a pool does with such rows: test_pooled_estimate.py, test_conversions.py and
# test_scale_directions.py.
IN_POOLS = ("VARIANCE", "NOSD", "SDORSE", "SCALE")


def test_every_check_is_tested_and_describes_itself():
    assert {check.code for check in CHECKS} == {
        *(*SLIPS, *SLIPS_IN_SEVERAL_ROWS, "SUBSET", "REPEAT", *IN_POOLS)
    }
    assert all(check.description.startswith("Find ") for check in CHECKS)


@pytest.mark.parametrize(
    ("line", "cells", "is_found"),
    [
        # A minus sign must be printed, or words must say that the number fell.
        (5, {"value": "-0.5", "ci_low": "-0.9", "ci_high": "-0.1"}, True),
        (5, {"value": "-0.5", "ci_low": "-0.9", "ci_high": "-0.1", "as_printed": "0.5 lower"},
         False),
        (5, {"value": "-0.5", "ci_low": "-0.9", "ci_high": "-0.1",
             "as_printed": "decreased by 0.5"}, False),
        # Some journals print no zero before the point.
        (5, {"as_printed": "d = .5 (.1-.9)"}, False),
        (5, {"as_printed": "d = .6 (.1-.9)"}, True),
        # A printed count contradicts another n, but not a blank count.
        (3, {"events": "", "value": "0.2", "as_printed": "4/20, 20%"}, False),
        (3, {"events": "", "value": "0.2", "as_printed": "4/20, 20%", "n": "21"}, True),
        # A table prints percentages bare below a heading that has the sign, or as a limit.
        (2, {"as_printed": "71"}, False),
        (2, {"as_printed": "72"}, True),
        (3, {"events": "1", "n": "250", "as_printed": "1 (<1%)"}, False),
        # Journals have thousands separators, decimal commas and middle dots.
        (3, {"events": "1234", "n": "12345", "as_printed": "1,234/12,345"}, False),
        (3, {"events": "1234", "n": "12345", "as_printed": "1 234/12 345"}, False),
        (3, {"events": "1234", "n": "12346", "as_printed": "1 234/12 345"}, True),
        (5, {"value": "0.5", "as_printed": "0·5 (0·1–0·9)"}, False),
        (5, {"value": "0.5", "as_printed": "0,5 (0,1; 0,9)"}, False),
        (5, {"value": "1.234", "ci_high": "9", "as_printed": "1,234 (0,1 to 9)"}, False),
        (5, {"value": "-0.5", "ci_low": "-0.9", "ci_high": "-0.1",
             "as_printed": "–0.5 (–0.9 to –0.1)"}, False),
        (5, {"as_printed": "–0.5 (0.1 to 0.9)"}, True),
    ],
)  # fmt: skip
def test_how_numbers_may_be_printed(clean, line, cells, is_found):
    clean.put(STUDIES, line, **cells)
    assert (("PRINT", f"{STUDIES}:{line}") in findings(clean)) == is_found


def test_an_unused_waiver_is_a_finding(clean):
    clean.put(STUDIES, 4, n="17")
    assert findings(clean) == {("WAIVER", "data/waivers.csv:2")}


def test_grim_power_by_hand(clean):
    """With n = 17, 18 percentages are possible, so 83 of the 101 printable ones are not: 82%."""
    rows = select_results(clean.dataset())
    row = rows[rows["address"] == f"{STUDIES}:2"]
    power = grim_power(row)
    assert power.numbers["power"].value == pytest.approx(83 / 101)
    assert str(power) == (
        "GRIM tested 1 percentage. 1 has few enough participants to fail the test; on average it "
        "would detect 82% of wrong percentages among these."
    )
    assert grim_power(row.assign(n=300)).numbers["able"].value == 0


def test_an_error_stops_check_and_report_until_it_is_waived(clean, capsys):
    clean.put(STUDIES, 5, value="0.6")
    assert cli.main(["check", "--project", str(clean.root)]) == 1
    message = "data/studies.csv:5 PRINT error: value 0.6 is not in '0.5'; copy it again"
    assert message in capsys.readouterr().out
    shutil.copytree(ROOT / "notebooks", clean.root / "notebooks")
    assert cli.main(["report", "--project", str(clean.root)]) == 1
    assert "data/studies.csv:5 PRINT: value 0.6 is not in '0.5'" in capsys.readouterr().err
    assert not (clean.root / "reports").exists()
    clean.append("data/waivers.csv", "PRINT,miller2001,,,,seen,A. Miller,2026-11-24\n")
    assert cli.main(["check", "--project", str(clean.root)]) == 0
    assert "(waived: seen — A. Miller, 2026-11-24)" in capsys.readouterr().out
