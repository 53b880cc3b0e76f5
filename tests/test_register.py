"""The register of unknowns: what it computes, what opens and closes one, what would settle it."""

import json

import numpy as np
import pytest

from evidence import cli, follow_up_attrition, top_unknowns, unknowns_summary
from evidence.analysis.certainty.evidence_body import evidence_bodies
from evidence.analysis.gaps.required_trial import BASELINE_RATES, diversity
from evidence.analysis.gaps.unknowns import find_unknowns, register
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.citations import format_bibtex
from evidence.figures.evidence_map import lay_out_evidence_map
from evidence.figures.layout import draw
from evidence.report.machine_readable import unknowns_frame, unknowns_json
from evidence.statistics.sample_size import size_for_means, size_for_proportions
from evidence.tables.gaps import required_trial_text, tabulate_evidence_map, tabulate_unknowns
from tests.vaccine_trials import judge

CELL = "bread/yeast/risen"


@pytest.fixture
def bakery(project):
    """Two trials of yeast against nothing at one day, one of them also at two months."""
    for line, study in ((2, "baker1990"), (3, "miller2001")):
        project.put(
            "data/designs.csv", line, treatment="yeast", comparator_kind="inactive",
            blinding="inactive comparator", n_analysed="40",
        )  # fmt: skip
        for arm, role, events in (("yeast", "intervention", 14), ("none", "comparator", 5)):
            for time, unit in (("1", "day"), ("2", "month")):
                if unit == "day" or study == "miller2001":
                    project.row(
                        study=study, condition="bread", arm=arm, role=role, outcome="risen",
                        definition="new", time=time, time_unit=unit, measure="proportion", n="20",
                        events=str(events), as_printed=f"{events}/20", reported_by="publication",
                        source=study, locator="p. 5", verified="yes",
                    )  # fmt: skip
    for line in (2, 3):
        project.put("data/studies.csv", line, verified="not read")
    return project


def entries(project):
    dataset = project.dataset()
    return {entry.name: entry for entry in find_unknowns(dataset)}


def test_what_is_computed_of_a_question(bakery):
    found = entries(bakery)["U1"]
    assert (found.k, found.n, found.randomised) == (1, 40, 1)
    assert found.longest_follow_up == pytest.approx(2 * 365.25 / 12)
    assert found.labels == ["Miller"]
    assert found.best is None or found.best.body.question.outcome == "risen"
    assert found.status == found.computed_status == "open"
    assert {"C", "D"} <= set(found.codes)
    assert found.codes["C"] == "a single study has nothing to agree with"
    assert found.codes["D"] == "no study hid from people what they got"


def test_every_code_has_the_rule_that_fired(bakery):
    judge(bakery, "miller2001", ["high", "low", "low", "low", "low"])
    found = entries(bakery)["U1"]
    assert found.codes["B"].startswith("half of the studies or more are at high risk")
    bakery.put("data/designs.csv", 3, blinding="indistinguishable")
    assert "D" not in entries(bakery)["U1"].codes
    bakery.put("data/unknowns.csv", 2, where="outcome=risen and days>=4000")
    empty = entries(bakery)["U1"]
    assert empty.codes == {"A": "no study bears on it"}
    assert (empty.k, empty.n, empty.status) == (0, 0, "open")
    bakery.put("data/unknowns.csv", 2, where="")
    assert entries(bakery)["U1"].k == 0


def test_removing_the_only_long_study_opens_an_unknown_by_itself(bakery):
    gap = entries(bakery)[f"{CELL}/beyond a month"]
    assert (gap.origin, gap.k, gap.claims) == ("derived", 1, ("C1",))
    # Two trials look at one day against nothing; what is missing there is the other comparison.
    assert entries(bakery)[f"{CELL}/up to three days"].comparison == "an active comparison"
    rows = bakery.rows("data/studies.csv")
    place = rows[0].index("time_unit")
    bakery.write("data/studies.csv", [row for row in rows if row[place] != "month"])
    after = entries(bakery)[f"{CELL}/beyond a month"]
    assert after.k == 0
    assert str(top_unknowns([after])[0]) == (
        "No trial has measured risen with yeast beyond a month in people with bread, against "
        "an inactive or an active comparison."
    )
    assert "Only 40 people in 1 study tell of risen" in str(top_unknowns([gap])[0])


def test_a_cell_that_trials_fill_is_no_unknown(bakery):
    for line, kind in ((2, "active"), (3, "active")):
        bakery.put("data/designs.csv", line, comparator_kind=kind)
    names = entries(bakery)
    assert names[f"{CELL}/up to three days"].comparison == "an inactive comparison"
    # A claim on an outcome that is neither benefit nor harm raises nothing.
    bakery.put("data/outcomes.csv", 2, kind="flow", better="neither")
    assert not [name for name in entries(bakery) if name.startswith("bread/")]


def test_a_source_that_nobody_found_is_an_unknown(bakery):
    bakery.put("data/guide.csv", 2, status="unresolved", source="")
    bakery.put("data/claims.csv", 2, guide_refs="1")
    found = entries(bakery)["source/1"]
    assert (found.origin, found.claims, found.k) == ("source", ("C1",), 0)
    assert str(top_unknowns([found])[0]) == "Nobody could find where this comes from: it rises."


def test_the_order_is_the_one_that_is_stated(shipped):
    found = find_unknowns(shipped)
    keys = [
        (["open", "narrowed", "settled"].index(e.status), -len(e.claims), e.n, e.name)
        for e in found
    ]
    assert keys == sorted(keys)
    assert len(top_unknowns(found)) == 10
    raised = [entry.origin for entry in found]
    said = str(unknowns_summary(found))
    assert said.startswith(
        f"{len(found)} unknowns: {raised.count('listed')} asked by people, "
        f"{raised.count('derived')} that"
    )


def test_a_curator_overrules_with_a_reason(bakery):
    bakery.put("data/unknowns.csv", 2, status="settled", status_reason="everybody saw it rise")
    dataset = bakery.dataset()
    found = [e for e in find_unknowns(dataset) if e.name == "U1"]
    assert (found[0].computed_status, found[0].status) == ("open", "settled")
    table = tabulate_unknowns(found)
    wanted = "settled; computed: open, overruled: everybody saw it rise"
    assert table.frame["status"][0] == wanted


def test_what_would_settle_it_from_the_rate_seen(bakery):
    bakery.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="risen", measure="rd", value="0.2", source="baker1990",
        locator="p. 1", reason="so they say",
    )  # fmt: skip
    bakery.put("data/unknowns.csv", 2, where="outcome=risen and days=1")
    found = entries(bakery)["U1"].required_trial
    # 5 of 20 in each comparison group: 25 %, and 45 % is wanted.
    wanted = int(np.ceil(size_for_proportions(0.25, 0.45)))
    assert found.per_arm == wanted
    assert found.required == 2 * wanted
    assert found.fraction == pytest.approx(80 / (2 * wanted))
    # Then the ends of the interval of 10 of 40 by Wilson: 14.2 to 40.2 %.
    assert list(found.sizes["power"]) == [0.8, 0.9] * 3
    assert list(found.sizes["rate"][::2]) == pytest.approx([0.25, 0.1419, 0.4019], abs=1e-4)
    assert list(found.sizes["seen"]) == [True] * 2 + [False] * 4
    assert found.follow == 1
    dataset = bakery.dataset()
    table = tabulate_unknowns(find_unknowns(dataset))
    assert f"in each arm {wanted} at 25% without treatment as seen (" in " ".join(
        table.frame["what would settle it"]
    )


def test_required_size_grows_with_diversity(bakery):
    """D² by hand: 1 - (sum of 1/(v + tau²)) / (sum of 1/v), with the tau² of the pool."""
    for line in (2, 3):
        bakery.put("data/designs.csv", line, comparator_kind="inactive")
    rows = bakery.rows("data/studies.csv")
    line = next(n for n, r in enumerate(rows, 1) if "miller2001" in r and "14/20" in r)
    bakery.put("data/studies.csv", line, events="5", as_printed="5/20")
    dataset = bakery.dataset()
    results = select_results(dataset)
    (body,) = [
        b for b in evidence_bodies(dataset, results, times=[1]) if b.question.outcome == "risen"
    ]
    tau2, v = body.pooled.pooled.tau2, body.studies["vi"]
    assert tau2 > 0
    assert diversity(body) == pytest.approx(1 - sum(1 / (v + tau2)) / sum(1 / v))
    # It is never below the inconsistency I² (Wetterslev 2009).
    assert diversity(body) >= body.pooled.pooled.I2 / 100 - 1e-12


def test_sizes_of_published_examples():
    """R's power.prop.test prints 76.7; Gelman, Hill and Vehtari (2020, 16.3) 125.4 in two groups.

    The book rounds the two quantiles to 2.8 together.
    """
    assert size_for_proportions(0.5, 0.75, power=0.9) == pytest.approx(76.7, abs=0.05)
    assert 2 * size_for_means(0.5) == pytest.approx(125.4, rel=2e-3)


def test_how_long_a_trial_must_follow_people(bakery):
    assert entries(bakery)[f"{CELL}/beyond a month"].required_trial.follow == 31
    # The question asks for results from day 2 on.
    found = entries(bakery)["U1"]
    assert found.required_trial.follow == 2
    assert "following them for at least 2 days" in required_trial_text(found)
    bakery.put("data/unknowns.csv", 2, where="outcome=risen")
    assert entries(bakery)["U1"].required_trial.follow == 1
    bakery.put("data/unknowns.csv", 2, where="")
    assert np.isnan(entries(bakery)["U1"].required_trial.follow)


def test_a_claim_on_a_late_time_asks_nothing_of_earlier_ones(bakery):
    rows = bakery.rows("data/studies.csv")
    place = [rows[0].index(name) for name in ("time", "time_unit")]
    for line, row in enumerate(rows[1:], start=2):
        if row[place[1]] == "day":
            bakery.put("data/studies.csv", line, time="1", time_unit="year")
    bands = [name for name in entries(bakery) if name.startswith(CELL)]
    assert bands == [f"{CELL}/beyond a month"]


def test_a_claim_that_rests_on_nothing_is_an_unknown(bakery):
    bakery.put("data/claims.csv", 2, verdict="not checkable", reason="no text was found")
    found = entries(bakery)["source/C1"]
    assert (found.origin, found.claims, found.why_open) == ("source", ("C1",), "no text was found")
    assert str(top_unknowns([found])[0]) == "Nobody could find where this comes from: It rises."
    bakery.put("data/claims.csv", 2, guide_refs="1")
    assert "source/C1" not in entries(bakery)


def test_followed_beyond(bakery):
    """40 people in each of two trials, one of which looks at two months."""
    dataset = bakery.dataset()
    assert str(follow_up_attrition(dataset)) == (
        "80 people were in the trials of these tables; 40 people were looked at beyond 3 days; "
        "40 people were looked at beyond 31 days."
    )


def test_doses_by_time(bakery):
    for line, row in enumerate(bakery.rows("data/studies.csv"), start=1):
        if "14/20" in row and "baker1990" in row:
            bakery.put("data/studies.csv", line, dose_mg_per_kg="0.5", route="IV")
    dataset = bakery.dataset()
    layout = lay_out_evidence_map(dataset, select_results(dataset), down="dose")
    assert layout.down == ("0.5 mg/kg IV",)
    assert layout.across[0] == "within a day"
    assert list(layout.frame["k"]) == [1, 0, 0, 0, 0, 0]
    # The comparison group has no dose, and still counts for the certainty of the cell.
    assert layout.frame["certainty"][0] != ""
    assert layout.id == "fig-gaps-by-dose"
    assert lay_out_evidence_map(dataset, select_results(dataset).iloc[:0], down="dose").empty


def test_what_would_settle_it_where_nothing_was_seen(bakery):
    bakery.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="risen", measure="rr", value="1.25", source="baker1990",
        locator="p. 1", reason="so they say",
    )  # fmt: skip
    rows = bakery.rows("data/studies.csv")
    place = rows[0].index("time_unit")
    bakery.write("data/studies.csv", [row for row in rows if row[place] != "month"])
    sizes = entries(bakery)[f"{CELL}/beyond a month"].required_trial.sizes
    assert list(sizes["rate"].unique()) == list(BASELINE_RATES)
    first = sizes.iloc[0]
    assert first["per_arm"] == int(np.ceil(size_for_proportions(0.1, 0.125)))
    assert not sizes["seen"].any()


def test_the_size_on_a_scale_takes_the_spread_that_was_seen(shipped):
    """Lii 2023, MADRS at day 1: SD 7.6 of 20 and 10.0 of 19; 3 points matter."""
    results = select_results(shipped)
    # Of the trials against saline only this one, or the cell would be no gap.
    felt = results["comparator_kind"] != "inactive"
    results = results[felt | (results["study"] == "lii2023")]
    found = {entry.name: entry for entry in register(shipped, results)}
    entry = found["depression/ketamine/depression severity/up to three days"]
    assert entry.labels == ["Lii 2023"]
    # The variance of the difference is that of unequal spreads, put back on one.
    variance = 7.6**2 / 20 + 10.0**2 / 19
    sd = (variance / (1 / 20 + 1 / 19)) ** 0.5
    assert entry.required_trial.per_arm == int(np.ceil(size_for_means(3, sd)))


def test_an_empty_register_and_a_thousand_studies(bakery):
    bakery.path("data/unknowns.csv").unlink()
    bakery.path("data/claims.csv").unlink()
    assert entries(bakery) == {}
    dataset = bakery.dataset()
    assert str(unknowns_summary([])).startswith("The register is empty: nobody asks")
    assert tabulate_unknowns([]).frame.empty
    header, *rows = bakery.rows("data/studies.csv")
    keys = "".join(
        f"@misc{{many{n}, author = {{A, B}}, title = {{T}}, year = {{2000}}}}\n"
        for n in range(1000)
    )
    bakery.append("references.bib", keys)
    place = [header.index(name) for name in ("study", "source")]
    more = []
    for number in range(1000):
        for row in [r for r in rows if r[place[0]] == "baker1990" and "p. 5" in r]:
            copy = list(row)
            for column in place:
                copy[column] = f"many{number}"
            more.append(copy)
    bakery.write("data/studies.csv", [header, *rows, *more])
    designs = bakery.rows("data/designs.csv")
    key = designs[0].index("study")
    for number in range(1000):
        copy = list(designs[1])
        copy[key] = f"many{number}"
        designs.append(copy)
    bakery.write("data/designs.csv", designs)
    dataset = bakery.dataset()
    layout = lay_out_evidence_map(dataset, select_results(dataset))
    assert layout.frame["k"].max() == 1002
    draw(layout)


def test_exports(bakery):
    dataset = bakery.dataset()
    found = find_unknowns(dataset)
    records = json.loads(unknowns_json(found))
    assert [record["unknown"] for record in records] == [entry.name for entry in found]
    assert len(unknowns_frame(found)) == len(found)
    keys = {key for record in records for key in record["study_keys"]}
    text = format_bibtex(dataset.bibliography.some(keys))
    assert text.count("@article{") == len(keys)
    assert "author = {Miller, Bo and others}" in text


def test_the_map_as_a_table_leads_to_its_rows(shipped):
    layout = lay_out_evidence_map(shipped, select_results(shipped))
    table = tabulate_evidence_map(layout)
    html = table.to_html()
    assert html.count('<td><a href="#why-fig-gaps-') == (layout.frame["k"] > 0).sum()
    assert html.count("<td>nobody</td>") == (layout.frame["k"] == 0).sum()
    rated = layout.frame[layout.frame["certainty"] != ""]
    assert set(rated["certainty"]) <= {"high", "moderate", "low", "very low"}
    assert any(said.startswith("Depression, response: ") for said in layout.reading)


def test_freshness_is_asked_for_by_day(bakery, capsys):
    bakery.put("data/unknowns.csv", 2, last_searched="2025-01-02", review_due="2026-01-02")
    command = ["check", "--project", str(bakery.root)]
    assert cli.main([*command, "--due-by", "2026-01-02"]) == 0
    assert "STALE" not in capsys.readouterr().out
    assert cli.main([*command, "--due-by", "2026-01-03"]) == 0
    said = capsys.readouterr().out
    assert "data/unknowns.csv:2 STALE warning: unknown U1 was last looked at on 2025-01-02" in said
    assert cli.main([*command, "--due-by", "soon"]) == 2
    assert "'soon' does not match the format '%Y-%m-%d'" in capsys.readouterr().err
