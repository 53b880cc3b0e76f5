"""Unknowns: what is computed for each, what opens and closes one, and what would settle it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from evidence import follow_up_attrition, top_unknowns, unknowns_summary
from evidence.analysis.audit_sample import overdue_reviews
from evidence.analysis.certainty.evidence_body import evidence_bodies
from evidence.analysis.gaps.required_trial import COMPARATOR_RISKS, diversity
from evidence.analysis.gaps.unknowns import find_unknowns
from evidence.analysis.narrative.unknowns import most_important, unknown_line
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from evidence.figures.evidence_map import lay_out_evidence_map
from evidence.figures.follow_up_timeline import lay_out_follow_up
from evidence.figures.layout import draw
from evidence.report.machine_readable import unknowns_bibtex, unknowns_frame, unknowns_json
from evidence.statistics.sample_size import size_for_means, size_for_proportions
from evidence.tables.gaps import required_trial_text, tabulate_evidence_map, tabulate_unknowns
from tests.absolute_phrases import absolute_phrases
from tests.example_trials import add_reading, add_search, add_yeast_trial, arm, judge

CELL = "bread/yeast/risen"
STUDIES = "data/studies.csv"


def unknowns(project):
    return {unknown.name: unknown for unknown in find_unknowns(project.dataset())}


def drop_rows(project, column, value):
    rows = project.rows(STUDIES)
    position = rows[0].index(column)
    project.write(STUDIES, [row for row in rows if row[position] != value])


def mid(project, measure, value, outcome="risen"):
    project.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome=outcome, measure=measure, value=value,
        source="baker1990", locator="p. 1", reason="so they say",
    )  # fmt: skip


def test_what_is_computed_for_a_listed_unknown(yeast_trials):
    unknown = unknowns(yeast_trials)["U1"]
    assert (unknown.origin, unknown.k, unknown.n, unknown.randomised) == ("listed", 1, 40, 1)
    assert unknown.longest_follow_up == pytest.approx(2 * 365.25 / 12)
    assert unknown.labels == ["Miller"]
    assert unknown.status == unknown.computed_status == "open"
    assert unknown.codes["C"] == "a single study cannot show consistency"
    assert unknown.codes["D"] == "no tabulated study blinded its participants effectively"
    assert str(top_unknowns([unknown])[0]) == (
        "Does it last? Evidence: 1 study, 40 participants, longest follow-up 60.9 days. "
        "Not searched."
    )


def test_the_codes_follow_from_the_evidence(yeast_trials):
    judge(yeast_trials, "miller2001", ["high", "low", "low", "low", "low"])
    codes = unknowns(yeast_trials)["U1"].codes
    assert codes["B"] == "at least half of the studies are at high risk of bias or not randomised"
    yeast_trials.put("data/designs.csv", 3, blinding="indistinguishable")
    assert "D" not in unknowns(yeast_trials)["U1"].codes
    for query in ("outcome=risen and days>=4000", ""):
        yeast_trials.put("data/unknowns.csv", 2, where=query)
        unknown = unknowns(yeast_trials)["U1"]
        assert unknown.codes == {"A": "no result on it is tabulated"}
        assert (unknown.k, unknown.n, unknown.status) == (0, 0, "open")


def test_removing_the_only_long_study_changes_a_derived_unknown(yeast_trials):
    name = f"{CELL}/beyond a month"
    before = unknowns(yeast_trials)[name]
    assert (before.origin, before.k, before.claims) == ("derived", 1, ("C1",))
    drop_rows(yeast_trials, "time_unit", "month")
    after = unknowns(yeast_trials)[name]
    assert after.k == 0
    assert [str(sentence) for sentence in top_unknowns([after, before])] == [
        "No result is tabulated on risen with yeast beyond a month in people with bread, against an "
        "inactive or an active comparator. 2 known trials may have measured this; not read in full "
        "yet: Baker and Miller.",
        "1 study with 40 participants measured risen with yeast beyond a month in people with "
        "bread, against an inactive or an active comparator. 1 further known trial may have "
        "measured this; not read in full yet: Baker.",
    ]


def test_no_unknown_disappears_with_its_last_result(yeast_trials):
    before = unknowns(yeast_trials)
    drop_rows(yeast_trials, "time_unit", "month")
    assert set(before) <= set(unknowns(yeast_trials))


def test_a_comparison_with_two_trials_is_not_unknown(yeast_trials):
    name = f"{CELL}/up to three days"
    assert unknowns(yeast_trials)[name].comparison == "an active comparator"
    for line in (2, 3):
        yeast_trials.put("data/designs.csv", line, comparator_kind="active")
    assert unknowns(yeast_trials)[name].comparison == "an inactive comparator"
    # A claim on an outcome that is neither benefit nor harm gives no unknown.
    yeast_trials.put("data/outcomes.csv", 2, kind="flow", better="neither")
    assert not [name for name in unknowns(yeast_trials) if name.startswith("bread/")]


def test_a_claim_on_late_results_gives_no_unknown_on_earlier_times(yeast_trials):
    rows = yeast_trials.rows(STUDIES)
    position = rows[0].index("time_unit")
    for line, row in enumerate(rows[1:], start=2):
        if row[position] == "day":
            yeast_trials.put(STUDIES, line, time="1", time_unit="year")
    names = [name for name in unknowns(yeast_trials) if name.startswith(CELL)]
    assert names == [f"{CELL}/beyond a month"]


def test_the_most_important_unknowns_bear_on_most_claims(yeast_trials):
    late = unknowns(yeast_trials)[f"{CELL}/beyond a month"]
    listed = unknowns(yeast_trials)["U1"]
    topic = replace(late.topic, outcomes=("risen",))
    two = replace(listed, name="U2", claims=("C2", "C3"), topic=topic)
    one = replace(listed, name="U3", claims=("C4",), topic=topic)
    same = replace(late, name="same question", topic=replace(topic, outcomes=("height",)))
    settled = replace(two, name="U4", claims=("C5", "C6", "C7"), curated_status="settled")
    known = [late, same, replace(two, name="U5"), two, one, settled, replace(two, topic=None)]
    chosen = most_important(known, {"risen", "height"}, 3)
    assert [unknown.name for unknown in chosen] == ["U5", late.name, "U3"]
    assert most_important(known, {"weight"}, 3) == []
    assert str(unknown_line(late)) == (
        "What is the effect of yeast on risen beyond a month, against an inactive or an active "
        "comparator? 1 study, 40 participants, follow-up up to 60.9 days; 1 further known trial not "
        "read in full."
    )


def test_a_reference_or_claim_without_a_source_is_an_unknown(yeast_trials):
    yeast_trials.put("data/claims.csv", 2, verdict="not checkable", reason="no text was found")
    unknown = unknowns(yeast_trials)["source/C1"]
    assert (unknown.origin, unknown.why_open) == ("source", "no text was found")
    yeast_trials.put("data/guide.csv", 2, status="unresolved", source="")
    yeast_trials.put("data/claims.csv", 2, guide_refs="1")
    after = unknowns(yeast_trials)
    assert "source/C1" not in after
    unknown = after["source/1"]
    assert (unknown.origin, unknown.claims, unknown.k) == ("source", ("C1",), 0)
    sentence = str(top_unknowns([unknown])[0])
    assert sentence == "No source could be identified for this: it rises."
    assert required_trial_text(unknown) == "identifying the source of the claim"


def test_unknowns_are_ordered_by_status_claims_and_participants(yeast_trials):
    yeast_trials.put("data/unknowns.csv", 2, claims="")
    yeast_trials.table(
        schema.UNKNOWNS, unknown="U2", question="Why?", why_open="never asked", population="bread",
        intervention="yeast", outcome="risen", asked_on="2026-11", raised_by="both",
        status="settled", status_reason="seen",
    )  # fmt: skip
    listed = find_unknowns(yeast_trials.dataset())
    order = [(["open", "narrowed", "settled"].index(u.status), -len(u.claims), u.n) for u in listed]
    assert order == sorted(order)
    assert str(unknowns_summary(listed)) == (
        f"{len(listed)} unknowns: 2 listed by the curators, {len(listed) - 2} derived from claims "
        "with at most one tabulated trial, 0 about sources that could not be identified. Status: "
        f"{len(listed) - 1} open, 0 narrowed, 1 settled. For 2, known studies that may have "
        "measured it were not read in full. For 2, no study is known and no search is recorded."
    )


def test_curators_overrule_a_status_with_a_reason(yeast_trials):
    yeast_trials.put(
        "data/unknowns.csv", 2, status="settled", status_reason="everybody saw it rise"
    )
    unknown = unknowns(yeast_trials)["U1"]
    assert (unknown.computed_status, unknown.status) == ("open", "settled")
    row = tabulate_unknowns([unknown]).frame.iloc[0]
    assert row["status"] == "settled"
    assert row["computed status"] == "open, overruled: everybody saw it rise"


def about_risen(project, **cells):
    """State that U1 asks for the proportion risen after a month."""
    cells = {"conditions": "bread", "treatments": "yeast", "outcomes": "risen"} | cells
    project.put("data/unknowns.csv", 2, where="outcome=risen and days>=30", from_days="30", **cells)


def read_texts(project):
    """Record the readings in which the rows of the yeast trials lie."""
    for part in ("p. 5", "Table 1", "abstract"):
        for source in ("baker1990", "miller2001"):
            add_reading(project, source, part, "excerpt")
    add_reading(project, "guide", "p. 1", "excerpt")


def know_trial(project, name, n="", **cells):
    """List a trial that nobody has read."""
    project.append("references.bib", f"@misc{{{name}, author={{A}}, title={{T}}, year={{2020}}}}\n")
    cells = {"condition": "bread", "treatment": "yeast", "comparator_kind": "inactive"} | cells
    project.table(
        schema.KNOWN_STUDIES, known_study=name, label=name.capitalize(), n_randomised=n,
        design="randomised parallel", listed_by="guide", locator="p. 1", status="wanted", **cells,
    )  # fmt: skip


def test_the_states_of_an_unknown_and_their_sentences(yeast_trials):
    """Baker and Miller have results at one day, and Miller also at two months."""
    about_risen(yeast_trials)
    drop_rows(yeast_trials, "time_unit", "month")

    def sentence():
        unknown = unknowns(yeast_trials)["U1"]
        return unknown.state, str(top_unknowns([unknown])[0]).partition("tabulated. ")[2]

    named = "known trials may have measured this; not read in full yet:"
    assert sentence() == ("not read", f"2 {named} Baker and Miller.")
    know_trial(yeast_trials, "berg2020", outcomes="height")
    know_trial(yeast_trials, "dorn2020")
    assert sentence() == ("not read", f"3 {named} Dorn2020, Baker and Miller.")
    read_texts(yeast_trials)
    for source in ("baker1990", "miller2001", "dorn2020"):
        add_reading(yeast_trials, source, "Table 3", "table", not_reported="risen")
    silent = "Not reported by Dorn2020, Baker and Miller (the part that would hold it was read)."
    assert sentence() == ("not reported", silent)
    # No trial of pie is known.
    about_risen(yeast_trials, conditions="pie")
    assert sentence() == ("not searched", "Not searched.")
    yeast_trials.put("data/unknowns.csv", 2, last_searched="2026-11-20")
    recorded = "Searched on 2026-11-20; what was searched is not recorded."
    assert sentence() == ("not searched", recorded)
    add_search(yeast_trials, conditions="pie", outcomes="risen")
    assert sentence() == ("not found", "No study found (searched on 2026-11-24: Breadline).")


def test_a_search_covers_a_named_comparator_only_if_it_names_it(yeast_trials):
    drop_rows(yeast_trials, "time_unit", "month")
    about_risen(yeast_trials, conditions="pie", comparators="sourdough")
    add_search(yeast_trials)
    assert unknowns(yeast_trials)["U1"].state == "not searched"
    yeast_trials.put("data/searches.csv", 2, query="yeast or Sourdough")
    assert unknowns(yeast_trials)["U1"].state == "not found"


def test_a_known_trial_must_compare_what_is_asked(yeast_trials):
    about_risen(yeast_trials, comparators="sourdough")
    know_trial(yeast_trials, "berg2020", comparator="Sourdough, 24 h", comparator_kind="active")
    know_trial(yeast_trials, "dorn2020", comparator="soda", comparator_kind="active")
    assert list(unknowns(yeast_trials)["U1"].coverage.unread["label"]) == ["Berg2020"]
    yeast_trials.put("data/unknowns.csv", 2, comparators="active")
    assert list(unknowns(yeast_trials)["U1"].coverage.unread["label"]) == ["Berg2020", "Dorn2020"]


def test_unread_trials_of_the_same_size_keep_an_unknown_from_being_settled(yeast_trials):
    """400 participants have results; 399, 400 or nobody knows how many have not been read."""
    yeast_trials.append("references.bib", "@misc{big2020, author={B}, title={T}, year={2020}}\n")
    yeast_trials.table(
        schema.DESIGNS, study="big2020", label="Big", scope="context", randomised="yes",
        design="randomised parallel", source="big2020", locator="p. 1", treatment="yeast",
        comparator_kind="inactive", blinding="indistinguishable", n_analysed="360",
    )  # fmt: skip
    add_yeast_trial(yeast_trials, "big2020", "2", "month", 180, (126, 45))
    about_risen(yeast_trials, comparators="inactive")
    assert unknowns(yeast_trials)["U1"].status == "settled"
    know_trial(yeast_trials, "dorn2020", "359", followup="1", followup_unit="year")
    assert unknowns(yeast_trials)["U1"].n == 400
    assert unknowns(yeast_trials)["U1"].status == "settled"
    for n in ("360", ""):
        yeast_trials.put("data/known_studies.csv", 2, n_randomised=n)
        assert unknowns(yeast_trials)["U1"].status == "narrowed"


def test_what_a_search_confirmed_comes_before_what_was_not_read(yeast_trials):
    yeast_trials.table(
        schema.UNKNOWNS, unknown="U0", question="Why?", why_open="never asked", population="bread",
        intervention="yeast", outcome="risen", asked_on="2026-11", raised_by="both", claims="C1",
    )  # fmt: skip
    about_risen(yeast_trials, conditions="pie")
    order = [name for name in unknowns(yeast_trials) if name.startswith("U")]
    assert order == ["U0", "U1"]
    add_search(yeast_trials, conditions="pie", outcomes="risen")
    assert [name for name in unknowns(yeast_trials) if name.startswith("U")] == ["U1", "U0"]


def test_the_required_size_from_the_observed_comparator_proportion(yeast_trials):
    mid(yeast_trials, "rd", "0.2")
    yeast_trials.put("data/unknowns.csv", 2, where="outcome=risen and days=1")
    unknown = unknowns(yeast_trials)["U1"]
    trial = unknown.required_trial
    # 5 of 20 in each comparator arm are 25%; 45% is to be detected.
    per_arm = int(np.ceil(size_for_proportions(0.25, 0.45)))
    assert trial.per_arm == per_arm
    assert trial.required == 2 * per_arm
    assert trial.fraction == pytest.approx(80 / (2 * per_arm))
    # The limits of the Wilson CI of 10 of 40 follow: 14.2 to 40.2%.
    assert list(trial.sizes["power"]) == [0.8, 0.9] * 3
    assert list(trial.sizes["risk"][::2]) == pytest.approx([0.25, 0.1419, 0.4019], abs=1e-4)
    assert list(trial.sizes["observed"]) == [True] * 2 + [False] * 4
    assert trial.follow_up_days == 1
    text = required_trial_text(unknown)
    assert f"{per_arm} participants per arm at the observed comparator proportion of 25%" in text
    assert "of the required information exists (80 of" in text


def test_the_required_size_without_an_observed_proportion(yeast_trials):
    mid(yeast_trials, "rr", "1.25")
    drop_rows(yeast_trials, "time_unit", "month")
    sizes = unknowns(yeast_trials)[f"{CELL}/beyond a month"].required_trial.sizes
    assert list(sizes["risk"].unique()) == list(COMPARATOR_RISKS)
    assert sizes["per_arm"][0] == int(np.ceil(size_for_proportions(0.1, 0.125)))
    assert not sizes["observed"].any()


def test_the_required_size_on_a_scale_uses_the_observed_sd(yeast_trials):
    """Lii 2023, MADRS at day 1: SD 7.6 of 20 and 10.0 of 19; 3 points are important."""
    yeast_trials.put("data/outcomes.csv", 3, better="lower")
    mid(yeast_trials, "md", "3", outcome="height")
    for name, role, n, mean, sd in (
        ("yeast", "intervention", "20", "12", "7.6"),
        ("none", "comparator", "19", "15", "10"),
    ):
        cells = {"condition": "bread", "outcome": "height", "time": "1", "time_unit": "day"}
        cells |= {"measure": "mean", "value": mean, "spread": sd, "spread_kind": "sd"}
        cells |= {"as_printed": f"{mean} ({sd})"}
        yeast_trials.row(**arm("miller2001", name, role, "", n, **cells))
    yeast_trials.put("data/unknowns.csv", 2, outcome="height", where="outcome=height and days=1")
    # The variance of the difference is that of unequal spreads, expressed as one SD.
    sd = ((7.6**2 / 20 + 10.0**2 / 19) / (1 / 20 + 1 / 19)) ** 0.5
    assert unknowns(yeast_trials)["U1"].required_trial.per_arm == int(
        np.ceil(size_for_means(3, sd))
    )


def test_the_required_size_grows_with_diversity(yeast_trials):
    """D² by hand: 1 − (sum of 1/(v + tau²)) / (sum of 1/v), with the tau² of the pool."""
    rows = yeast_trials.rows(STUDIES)
    line = next(n for n, row in enumerate(rows, 1) if "miller2001" in row and "14/20" in row)
    yeast_trials.put(STUDIES, line, events="5", as_printed="5/20")
    dataset = yeast_trials.dataset()
    bodies = evidence_bodies(dataset, select_results(dataset), times=[1])
    (body,) = [body for body in bodies if body.question.outcome == "risen"]
    tau2, v = body.pooled.pooled.tau2, body.studies["vi"]
    assert tau2 > 0
    assert diversity(body) == pytest.approx(1 - sum(1 / (v + tau2)) / sum(1 / v))
    # It is never below the inconsistency I² (Wetterslev 2009).
    assert diversity(body) >= body.pooled.pooled.I2 / 100 - 1e-12


def test_how_long_a_trial_must_follow_participants(yeast_trials):
    derived = unknowns(yeast_trials)[f"{CELL}/beyond a month"]
    assert derived.required_trial.follow_up_days == 31
    # The question asks for results from day 2 on.
    unknown = unknowns(yeast_trials)["U1"]
    assert unknown.required_trial.follow_up_days == 2
    assert "with a follow-up of at least 2 days" in required_trial_text(unknown)
    for query, days in (("outcome=risen", 1), ("", np.nan)):
        yeast_trials.put("data/unknowns.csv", 2, where=query)
        trial = unknowns(yeast_trials)["U1"].required_trial
        np.testing.assert_equal(trial.follow_up_days, days)


def test_how_many_participants_were_followed_beyond_each_band(yeast_trials):
    assert str(follow_up_attrition(yeast_trials.dataset())) == (
        "The trials in these tables included 80 participants; 40 participants were in trials with "
        "a tabulated result beyond 3 days; 40 participants were in trials with a tabulated result "
        "beyond 31 days."
    )


def test_the_evidence_map_by_dose_and_time(yeast_trials):
    for line, row in enumerate(yeast_trials.rows(STUDIES), start=1):
        if "14/20" in row and "baker1990" in row:
            yeast_trials.put(STUDIES, line, dose="0.5", dose_unit="mg/kg", route="IV")
    dataset = yeast_trials.dataset()
    results = select_results(dataset)
    layout = lay_out_evidence_map(dataset, results, row_by="dose")
    assert layout.row_labels == ("0.5 mg/kg IV",)
    assert layout.column_labels[0] == "within a day"
    assert list(layout.frame["k"]) == [1, 0, 0, 0, 0, 0]
    # The comparator has no dose, and still counts for the certainty of the cell.
    assert layout.frame["certainty"][0] != ""
    html = tabulate_evidence_map(layout).to_html()
    assert layout.frame["state"].tolist() == ["reported", *["not read"] * 5]
    # Both trials gave yeast; the one of which no dose is known may have given this dose as well.
    assert layout.frame["unread"].tolist()[1:] == [2] * 5
    assert html.count('><a href="#why-fig-gaps-by-dose-') == 6
    assert html.count("not read: 2 known studies (1 of unknown dose)") == 5
    assert lay_out_evidence_map(dataset, results.iloc[:0], row_by="dose").empty


def test_no_unknowns_and_hundreds_of_studies(yeast_trials):
    for file in ("unknowns", "claims"):
        yeast_trials.path(f"data/{file}.csv").unlink()
    assert find_unknowns(yeast_trials.dataset()) == []
    assert str(unknowns_summary([])).startswith("There are no unknowns")
    assert tabulate_unknowns([]).frame.empty
    keys = [f"many{number}" for number in range(300)]
    entries = [f"@misc{{{k}, author = {{A, B}}, title = {{T}}, year = {{2000}}}}\n" for k in keys]
    yeast_trials.append("references.bib", "".join(entries))
    for file in (STUDIES, "data/designs.csv"):
        rows = yeast_trials.rows(file)
        copied = [
            row for row in rows if row[0] == "baker1990" and ("p. 5" in row or "Baker" in row)
        ]
        copies = [
            [key if cell == "baker1990" else cell for cell in row] for key in keys for row in copied
        ]
        yeast_trials.write(file, [*rows, *copies])
    dataset = yeast_trials.dataset()
    layout = lay_out_evidence_map(dataset, select_results(dataset))
    assert layout.frame["k"].max() == 302
    draw(layout)


def test_nothing_states_an_absence_that_nobody_can_know(yeast_trials):
    """What is said of the unknowns with and without evidence, a search, and a known trial."""
    assert absolute_phrases("No trial has measured it; nobody looked.") != []
    about_risen(yeast_trials, conditions="pie")
    yeast_trials.put("data/claims.csv", 2, verdict="not checkable", reason="no text was found")
    for change in (
        lambda: None,
        lambda: add_search(yeast_trials),
        lambda: know_trial(yeast_trials, "berg2020"),
        lambda: drop_rows(yeast_trials, "time_unit", "month"),
    ):
        change()
        dataset = yeast_trials.dataset()
        results, listed = select_results(dataset), find_unknowns(dataset)
        layouts = [
            lay_out_evidence_map(dataset, results),
            lay_out_follow_up(dataset, results),
            lay_out_arm_comparison(dataset, results, outcome="risen"),
            lay_out_dose_effect_one_trial(dataset, results),
        ]
        texts = [
            unknowns_summary(listed),
            follow_up_attrition(dataset),
            *top_unknowns(listed),
            tabulate_unknowns(listed).to_html(),
            unknowns_json(listed),
            *(text for layout in layouts for text in (layout.caption, layout.alt, *layout.reading)),
        ]
        assert absolute_phrases(" | ".join(map(str, texts))) == []


def test_unknowns_are_exported(yeast_trials):
    listed = find_unknowns(yeast_trials.dataset())
    records = json.loads(unknowns_json(listed))
    assert [record["unknown"] for record in records] == [unknown.name for unknown in listed]
    assert records[-1]["study_keys"] == ["miller2001"]
    beyond = next(record for record in records if record["unknown"].endswith("beyond a month"))
    assert (beyond["state"], beyond["known_studies"], beyond["tabulated"]) == ("reported", 2, 1)
    assert (beyond["unread"], beyond["known_study_rows"]) == (
        ["Baker"], ["data/designs.csv:3", "data/designs.csv:2"],
    )  # fmt: skip
    text = unknowns_bibtex(yeast_trials.dataset(), listed)
    comment = "beyond a month: reported; tabulated: miller2001; not read in full: baker1990"
    assert f"% {CELL}/{comment}\n" in text
    assert "@article{baker1990," in text
    assert len(unknowns_frame(listed)) == len(listed)


def test_overdue_reviews_by_day(yeast_trials):
    yeast_trials.put("data/unknowns.csv", 2, last_searched="2025-01-02", review_due="2026-01-02")
    dataset = yeast_trials.dataset()
    assert list(overdue_reviews(dataset, "2026-01-02")) == []
    assert list(overdue_reviews(dataset, "2026-01-03")) == [
        "data/unknowns.csv:2 OVERDUE warning: unknown U1 was due for review on 2026-01-02 (last "
        "searched 2025-01-02); search for newer studies"
    ]
