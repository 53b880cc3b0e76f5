"""Thirteen vaccine trials (metafor's dat.bcg) and two trials of yeast, as projects for tests."""

import json

import pytest

from evidence.dataset import schema
from evidence.dataset.risk_of_bias_tools import load_tools
from tests.conftest import ROOT, Project

BCG = json.loads((ROOT / "reference" / "metafor" / "values.json").read_text("utf-8"))["dat.bcg"]
YEARS = [1948, 1949, 1960, 1977, 1973, 1953, 1973, 1980, 1968, 1961, 1974, 1969, 1976]
TRIALS = [f"trial{number}" for number in range(13)]
PARALLEL = "randomised parallel"


def arm(study, name, role, events, n, **cells):
    """A result of one arm, as cells of studies.csv."""
    return {
        "study": study, "condition": "tuberculosis", "arm": name, "role": role,
        "outcome": "infection", "measure": "proportion", "events": str(events), "n": str(n),
        "as_printed": f"{events}/{n}", "reported_by": "publication", "source": study,
        "locator": "Table 1", "verified": "yes",
    } | cells  # fmt: skip


def described(study, **cells):
    """The design of a study, as cells of designs.csv."""
    return {
        "study": study, "label": study, "scope": "core", "design": PARALLEL,
        "randomised": "yes", "source": study, "locator": "Methods",
    } | cells  # fmt: skip


def judged(study, domain, judgement, **cells):
    """One judgement, as cells of risk_of_bias.csv."""
    return {
        "study": study, "tool": "RoB 2 (2019)", "domain": domain, "judgement": judgement,
        "reason": "read", "judged_by": "project", "source": study, "locator": "p. 3",
        "signed_by": "A. Reader", "date": "2026-11-24",
    } | cells  # fmt: skip


def judge(project, study, judgements=("low",) * 5, **cells):
    """Add an appraisal with RoB 2, one judgement per domain."""
    domains = load_tools()["RoB 2 (2019)"].applicable_domains(PARALLEL)
    for domain, judgement in zip(domains, judgements, strict=True):
        project.table(schema.RISK_OF_BIAS, **judged(study, domain, judgement, **cells))


@pytest.fixture
def vaccine(tmp_path):
    """The trials with counts only: line 2n + 2 of studies.csv is the vaccine arm of trial n."""
    project = Project(tmp_path / "bcg")
    for table in (schema.GUIDE, schema.CLAIMS, schema.UNKNOWNS):
        project.path(table.file).unlink()
    outcome = {"kind": "harm", "better": "lower", "description": "caught it"}
    counts = zip(
        *(BCG["studies"][name] for name in ("events1", "n1", "events2", "n2")), strict=True
    )
    results = [
        row
        for study, (a, n1, c, n2) in zip(TRIALS, counts, strict=True)
        for row in (
            arm(study, "vaccine", "intervention", int(a), int(n1)),
            arm(study, "none", "comparator", int(c), int(n2)),
        )
    ]
    for table, rows in (
        (schema.OUTCOMES, [{"outcome": "infection"} | outcome]),
        (schema.DESIGNS, [described(study) for study in TRIALS]),
        (schema.STUDIES, results),
    ):
        cells = [[row.get(name, "") for name in table.names] for row in rows]
        project.write(table.file, [table.names, *cells])
    entries = [
        f"@article{{{study}, author = {{Writer, Ann}}, title = {{T}}, year = {{{year}}}}}\n"
        for study, year in zip(TRIALS, YEARS, strict=True)
    ]
    project.path("references.bib").write_text("".join(entries), "utf-8")
    return project


@pytest.fixture
def graded(vaccine):
    """The trials with treatment, comparator and time, so that they form a body of evidence."""
    for line in range(2, 15):
        vaccine.put("data/designs.csv", line, treatment="vaccine", comparator_kind="inactive")
    for line in range(2, 28):
        vaccine.put("data/studies.csv", line, time="1", time_unit="day")
    return vaccine


@pytest.fixture
def grouped(graded):
    """Trials 10 to 12 have an active comparator, the others an inactive one; doses rise by 1."""
    for number in range(13):
        is_active = number > 9
        graded.put(
            "data/designs.csv",
            number + 2,
            comparator_kind="active" if is_active else "inactive",
            blinding="active placebo" if is_active else "inactive comparator",
        )
        graded.put("data/studies.csv", 2 * number + 2, dose=str(number + 1), dose_unit="mg/kg")
    return graded


def add_reading(project, source, part, kind, **cells):
    project.table(
        schema.READINGS, source=source, part=part, kind=kind, read_by="A. Reader",
        date="2026-11-24", url="https://example.org", **cells,
    )  # fmt: skip


def add_search(project, name="S1", **cells):
    """Record a search that found nothing."""
    project.table(
        schema.SEARCHES, search=name, kind="database", database="Breadline", query="yeast",
        date="2026-11-24", searched_by="A. Reader", records="7", screened="7", excluded="7",
        kept="0", **cells,
    )  # fmt: skip


def add_yeast_trial(project, study, time, unit, n=20, events=(14, 5)):
    """Add the counts of two arms, bread with yeast and without."""
    cells = {"condition": "bread", "outcome": "risen", "definition": "new", "locator": "p. 5"}
    cells |= {"time": time, "time_unit": unit}
    project.row(**arm(study, "yeast", "intervention", events[0], n, **cells))
    project.row(**arm(study, "none", "comparator", events[1], n, **cells))


@pytest.fixture
def yeast_trials(project):
    """Two trials of yeast against nothing at one day, one of them also at two months."""
    for line, study in ((2, "baker1990"), (3, "miller2001")):
        project.put(
            "data/designs.csv", line, treatment="yeast", comparator_kind="inactive",
            blinding="inactive comparator", n_analysed="40",
        )  # fmt: skip
        project.put("data/studies.csv", line, verified="not read")
        add_yeast_trial(project, study, "1", "day")
    add_yeast_trial(project, "miller2001", "2", "month")
    return project
