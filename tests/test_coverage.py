"""Coverage: the six states of a result, and which studies are known, tabulated and unread."""

from dataclasses import replace

import numpy as np
import pytest

from evidence.analysis.gaps.coverage import State, count_coverage, find_coverage, known_studies
from evidence.analysis.gaps.evidence_map import coverage_by_question
from evidence.analysis.gaps.study_flow import study_flow
from evidence.analysis.narrative.coverage import coverage_summary
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import DatasetError
from evidence.figures import evidence_map
from evidence.figures.evidence_map import lay_out_evidence_map
from evidence.figures.study_flow import lay_out_study_flow
from evidence.report.machine_readable import coverage_frame
from evidence.tables.gaps import tabulate_coverage, tabulate_evidence_map
from tests.example_trials import add_reading, add_search


def coverage(project, condition, outcome, **question):
    return find_coverage(project.dataset(), conditions=[condition], outcomes=[outcome], **question)


def read(project, source, kind, **cells):
    """Record that somebody read a part of a source, and the parts in which the other rows lie."""
    parts = [("baker1990", "Table 1", "table"), ("guide", "p. 1", "excerpt")]
    if not project.path(schema.READINGS.file).exists():
        for other, part, other_kind in parts:
            add_reading(project, other, part, other_kind)
    add_reading(project, source, kind, kind, **cells)


def know(project, name, **cells):
    """List a study that a review knows of: of yeast against nothing in bread, unless told."""
    stated = {
        "label": name, "design": "randomised parallel", "condition": "bread",
        "treatment": "yeast", "comparator_kind": "inactive", "listed_by": "miller2001",
        "locator": "Table 2", "status": "wanted",
    }  # fmt: skip
    project.table(schema.KNOWN_STUDIES, known_study=name, **stated | cells)


def labels(studies):
    return list(studies["label"])


def test_a_result_in_the_study_s_own_text_is_reported(project):
    found = coverage(project, "bread", "risen")
    assert found.state is State.REPORTED
    assert labels(found.reported) == labels(found.tabulated) == ["Baker"]
    # Nobody has read whether Miller's bread rose.
    assert labels(found.unread) == ["Miller"]
    assert found.fraction == 1 / 2
    assert found.addresses == ("data/designs.csv:2", "data/designs.csv:3")


def test_a_result_in_another_text_is_second_hand(project):
    assert coverage(project, "bread", "height").state is State.NOT_READ
    project.put("data/studies.csv", 5, verified="yes")
    found = coverage(project, "bread", "height")
    assert found.state is State.SECOND_HAND
    assert (labels(found.reported), labels(found.second_hand)) == ([], ["Miller"])
    assert (labels(found.unread), found.fraction) == (["Baker"], 1 / 2)


def test_what_only_the_guide_says_is_second_hand_and_not_tabulated(project):
    for line in (2, 3):
        project.put("data/studies.csv", line, outcome="height")
    found = coverage(project, "bread", "risen")
    assert found.state is State.SECOND_HAND
    assert labels(found.tabulated) == []
    assert labels(found.unread) == ["Baker", "Miller"]


def test_not_reported_needs_a_reading_that_would_hold_it(project):
    assert coverage(project, "cake", "risen").state is State.NOT_READ
    read(project, "miller2001", "abstract")
    found = coverage(project, "cake", "risen")
    assert (found.state, labels(found.unread), found.fraction) == (State.NOT_READ, ["Miller"], 0)
    read(project, "miller2001", "table", not_reported="risen")
    found = coverage(project, "cake", "risen")
    assert found.state is State.NOT_REPORTED
    assert (labels(found.unread), labels(found.not_reported)) == ([], ["Miller"])
    assert np.isnan(found.fraction)
    # The table says nothing of another outcome, nor of all outcomes together.
    both = find_coverage(project.dataset(), conditions=["cake"], outcomes=["risen", "height"])
    assert both.state is State.REPORTED
    assert find_coverage(project.dataset(), conditions=["cake"], from_days=1).state == "not read"


def test_a_full_text_holds_every_outcome(project):
    read(project, "miller2001", "full text")
    assert coverage(project, "cake", "risen").state is State.NOT_REPORTED
    assert coverage(project, "bread", "risen").fraction == 1
    # One unread study is enough for a result that others do not report.
    know(project, "Cook 2020", condition="cake")
    found = coverage(project, "cake", "risen")
    assert (found.state, labels(found.unread)) == (State.NOT_READ, ["Cook 2020"])


def test_only_a_search_for_all_that_is_asked_finds_nothing(project):
    assert coverage(project, "pie", "risen").state is State.NOT_SEARCHED
    add_search(project, "S1", conditions="cake")
    add_search(project, "S2", conditions="pie; tart", treatments="yeast", outcomes="height")
    assert coverage(project, "pie", "risen").state is State.NOT_SEARCHED
    assert find_coverage(project.dataset(), conditions=["pie"]).state is State.NOT_SEARCHED
    found = coverage(project, "pie", "height", treatments=["yeast"])
    assert (found.state, list(found.searches["search"])) == (State.NOT_FOUND, ["S2"])
    assert coverage(project, "pie", "height").state is State.NOT_FOUND
    assert coverage(project, "pie", "height", treatments=["soda"]).state is State.NOT_SEARCHED
    add_search(project, "S3")
    assert coverage(project, "pie", "risen").addresses == ("data/searches.csv:4",)


def test_which_known_studies_may_have_measured_it(project):
    know(project, "Known 2000", outcomes="risen; height", followup="2", followup_unit="week")
    know(project, "Unclear 2001", comparator_kind="", condition="pie; tart")
    know(project, "Mixed 2002", comparator_kind="mixed", condition="pie", outcomes="height")
    know(project, "Other 2003", treatment="soda", comparator_kind="active", condition="pie")
    know(project, "Excluded 2004", condition="pie", status="excluded", reason="retracted")

    def unread(condition, outcome="height", **question):
        return labels(coverage(project, condition, outcome, **question).unread)

    assert unread("bread", treatments=["yeast"]) == ["Known 2000"]
    assert unread("bread", treatments=["yeast"], from_days=14) == ["Known 2000"]
    assert unread("bread", treatments=["yeast"], from_days=14.5) == []
    assert unread("pie") == ["Unclear 2001", "Mixed 2002", "Other 2003"]
    assert unread("tart") == ["Unclear 2001"]
    assert unread("pie", "risen") == ["Unclear 2001", "Other 2003"]
    assert unread("pie", comparators=["active"]) == ["Unclear 2001", "Mixed 2002", "Other 2003"]
    assert unread("pie", comparators=["inactive"]) == ["Unclear 2001", "Mixed 2002"]


def test_every_study_in_humans_may_have_measured_a_harm(project):
    project.table(
        schema.OUTCOMES, outcome="burnt", kind="harm", better="lower", description="too hot"
    )
    know(project, "Height 2000", outcomes="height", condition="pie")
    add_search(project, outcomes="burnt; risen", conditions="pie")
    assert labels(coverage(project, "pie", "burnt").unread) == ["Height 2000"]
    assert coverage(project, "pie", "risen").state is State.NOT_FOUND
    # A harm that is known from animals alone is not expected of trials in humans.
    know(project, "Mice 2001", outcomes="burnt", condition="tart", design="animal experiment")
    assert coverage(project, "pie", "burnt").state is State.NOT_FOUND


def test_time_is_asked_with_both_ends(project):
    day = {"from_days": 1, "to_days": 1}
    assert coverage(project, "bread", "risen", **day).state is State.REPORTED
    assert coverage(project, "bread", "risen", from_days=1.5).state is State.NOT_READ
    project.put("data/designs.csv", 2, followup="1", followup_unit="day")
    found = coverage(project, "bread", "risen", from_days=1.5)
    assert labels(found.unread) == ["Miller"]
    # Miller measured the height of cakes nobody knows when.
    assert coverage(project, "cake", "height").state is State.REPORTED
    assert coverage(project, "cake", "height", **day).state is State.NOT_READ


def test_an_outcome_of_animals_is_not_expected_of_humans(project):
    project.put("data/designs.csv", 2, design="animal experiment", randomised="unclear")
    add_search(project)
    assert coverage(project, "cake", "risen").state is State.NOT_FOUND
    # Of an outcome that no study is known to have measured nobody can tell.
    project.table(
        schema.OUTCOMES, outcome="smell", kind="benefit", better="higher", description="how good"
    )
    assert coverage(project, "cake", "smell").state is State.NOT_READ


def test_known_studies_join_the_list_and_the_tables(project):
    know(project, "Bread 1990", study="baker1990", label="Listed", status="tabulated",
         condition="rolls", n_randomised="50", outcomes="height")  # fmt: skip
    know(project, "Wanted 2020", n_randomised="30", followup="1", followup_unit="month")
    project.put("data/designs.csv", 3, n_analysed="40", treatment="soda")
    known = known_studies(project.dataset()).set_index("known_study")
    assert list(known.index) == ["Bread 1990", "Wanted 2020", "miller2001"]
    assert list(known["label"]) == ["Baker", "Wanted 2020", "Miller"]
    assert list(known["status"]) == ["tabulated", "wanted", "tabulated"]
    assert list(known["n"]) == [50, 30, 40]
    assert list(known["condition"]) == ["rolls; bread", "bread", "bread; cake"]
    assert list(known["treatment"]) == ["yeast", "yeast", "soda"]
    assert known["days"].tolist() == pytest.approx([np.nan, 365.25 / 12, np.nan], nan_ok=True)
    assert known["is_randomised"].all()
    assert known["address"]["Wanted 2020"] == "data/known_studies.csv:3"


def test_a_cohort_is_known_once_and_an_excluded_design_not_at_all(project):
    project.put("data/designs.csv", 3, cohort="baker1990")
    dataset = project.dataset()
    assert labels(known_studies(dataset)) == ["Baker"]
    assert labels(find_coverage(dataset, outcomes=["height"]).tabulated) == ["Baker"]
    project.append(
        "references.bib", "@misc{cook2020, author = {Cook, C}, title = {C}, year = {2020}}\n"
    )
    cells = {"scope": "context", "design": "randomised parallel", "randomised": "yes"}
    project.table(
        schema.DESIGNS, study="cook2020", label="Cook", source="cook2020", locator="p. 1", **cells
    )
    assert list(known_studies(project.dataset())["status"]) == ["tabulated", "wanted"]
    know(project, "cook2020", status="excluded", reason="retracted")
    assert labels(known_studies(project.dataset())) == ["Baker"]


def test_other_rows_than_those_of_the_tables(project):
    dataset = project.dataset()
    results = select_results(dataset)
    without = results[results["study"] != "baker1990"]
    found = find_coverage(dataset, outcomes=["risen"], results=without)
    assert (found.state, labels(found.unread)) == (State.NOT_READ, ["Baker", "Miller"])


def test_counts_of_many_questions(project):
    add_search(project, conditions="pie")
    counts = count_coverage(
        project.dataset(),
        [{"conditions": ["bread"], "outcomes": ["risen"]}, {"conditions": ["pie"]}],
    )
    assert list(counts["state"]) == ["reported", "not found"]
    parts = ["reported", "second_hand", "unread", "not_reported"]
    assert counts[parts].values.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]
    assert list(counts["unread_studies"]) == ["Miller", ""]
    assert list(counts["last_search"]) == ["", "2026-11-24"]
    assert counts["fraction"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert counts["address"][1] == "data/searches.csv:2"


def test_a_logged_dataset_records_what_decides_the_answer(project):
    dataset = project.dataset().logged()
    assert find_coverage(dataset, outcomes=["risen"]).state is State.REPORTED
    assert len(count_coverage(dataset, [{"outcomes": ["risen"]}])) == 1
    path = project.root / "record.json"
    dataset.log.write(path)
    text = path.read_text("utf-8")
    assert "coverage:_coverage" in text and "coverage:count_coverage" in text
    assert "known_studies.csv" not in text


def shown(project, row_by="outcome", **selected):
    """The layout of the map, and the texts of its cells by column and row."""
    dataset = project.dataset()
    layout = lay_out_evidence_map(dataset, select_results(dataset, **selected), row_by=row_by)
    table = tabulate_evidence_map(layout).frame
    return layout, {f"{column}/{row}": text for row, column, text in table.itertuples(index=False)}


def test_every_cell_of_the_map_says_what_is_known(project):
    project.put("data/studies.csv", 6, time="1", time_unit="day")
    add_search(project, conditions="pie")
    # Of pies the guide alone says something, so that no study is known to be about them.
    project.put("data/studies.csv", 4, condition="pie", study="guide")
    project.table(schema.DESIGNS, study="guide", label="Guide", scope="core", design="guide",
                  randomised="not applicable", source="guide", locator="p. 1")  # fmt: skip
    layout, texts = shown(project)
    assert texts == {
        "bread/risen": "1 study, 37 participants",
        "pie/risen": "no study found (searched 2026-11-24)",
        "cake/risen": "not read: 1 known study",
        "bread/height": "not read: 2 known studies",
        "pie/height": "no study found (searched 2026-11-24)",
        "cake/height": "1 study, 40 participants",
    }
    assert "6 combinations of a condition and an outcome: 2 with results" in layout.alt
    assert "2 not read, although" in layout.alt
    assert "2 for which a search found no study." in layout.alt
    assert layout.reading[2:] == (
        "Pie, not found: risen and height.",
        "Cake, not read: risen (1 known study).",
        "Bread, not read: height (2 known studies).",
    )
    frame = layout.frame.set_index("name")
    assert frame["address"]["cake/risen"] == "data/designs.csv:3"
    assert frame["address"]["pie/risen"] == "data/searches.csv:2"


def test_the_map_sets_second_hand_results_apart(project):
    project.put("data/studies.csv", 5, verified="yes")
    layout, texts = shown(project)
    assert texts["bread/height"] == "1 study (1 second-hand), 40 participants"
    assert layout.frame.set_index("name")["state"]["bread/height"] == "second-hand"
    assert "Bread, height: 1 study (1 second-hand), 40 participants, not rated." in layout.reading
    for line in (2, 3):
        project.put("data/studies.csv", line, condition="cake")
    layout, texts = shown(project)
    assert texts["bread/risen"] == "second-hand: only another text reports it"
    read(project, "miller2001", "abstract")
    read(project, "miller2001", "table", not_reported="risen")
    assert shown(project)[1]["bread/risen"].startswith("second-hand")
    project.put("data/studies.csv", 4, condition="cake")
    project.put("data/designs.csv", 3, scope="context")
    assert shown(project)[1]["bread/risen"] == "not reported"
    assert shown(project, scope="core")[1] == {"cake/risen": "1 study, 37 participants"}


def test_a_cell_with_results_of_other_studies_only_is_not_called_empty(project):
    project.put("data/designs.csv", 2, scope="context")
    project.put("data/studies.csv", 5, outcome="risen")
    assert shown(project, scope="core")[1]["bread/risen"] == "only studies outside this selection"


def test_a_map_leaves_out_what_fewest_studies_measured(project, monkeypatch):
    monkeypatch.setattr(evidence_map, "MAX_COLUMNS", 1)
    layout, texts = shown(project)
    # One study each: the condition that comes first stays.
    assert list(texts) == ["bread/risen", "bread/height"]
    assert str(layout.caption).endswith("Not shown: 1 column with the fewest studies.")
    monkeypatch.undo()
    assert "Not shown" not in str(shown(project)[0].caption)


def test_known_studies_of_unknown_dose_may_have_given_it(project):
    for line in (2, 3):
        project.put("data/designs.csv", line, treatment="yeast")
    project.put("data/studies.csv", 2, dose="0.5", dose_unit="mg/kg", route="oral")
    know(project, "Known 2000", followup="3", followup_unit="day")
    know(project, "Soda 2000", treatment="soda")
    _, texts = shown(project, row_by="dose")
    assert texts["within a day/0.5 mg/kg oral"] == "1 study, 37 participants"
    unread = "not read: 3 known studies (2 of unknown dose)"
    assert texts["up to 3 days/0.5 mg/kg oral"] == unread
    assert texts["later/0.5 mg/kg oral"] == "not read: 2 known studies (1 of unknown dose)"


def test_coverage_by_question_and_time(project):
    for line, treatment in ((2, "yeast"), (3, "")):
        project.put(
            "data/designs.csv", line, treatment=treatment, comparator_kind="inactive",
            followup="2", followup_unit="week",
        )  # fmt: skip
    know(project, "Known 2000", outcomes="risen", followup="1", followup_unit="month")
    know(project, "Short 2001", outcomes="risen", followup="1", followup_unit="day")
    dataset = project.dataset()
    cells = coverage_by_question(dataset, select_results(dataset))
    table = tabulate_coverage(cells)
    assert table.frame.to_dict("records") == [
        {
            "condition": "bread", "treatment": "yeast", "comparator": "inactive",
            "outcome": "risen", "any time": "1 of 3 (33%)", "up to three days": "1 of 3 (33%)",
            "up to a month": "0 of 2 (0%)", "second-hand": "—", "read, not reported": "—",
        }
    ]  # fmt: skip
    numbers = table.numbers.set_index("name").loc["bread/yeast/inactive/risen"]
    assert (numbers["tabulated"], numbers["unread"], numbers["fraction"]) == (1, 2, 1 / 3)
    assert numbers["address"] == (
        "data/designs.csv:2 data/known_studies.csv:2 data/known_studies.csv:3"
    )
    assert tabulate_coverage(cells[cells["band"] == "any time"].assign(unread=0)).frame.empty
    written = coverage_frame(cells)
    assert list(written["unread_studies"]) == [
        "Known 2000; Short 2001", "Known 2000; Short 2001", "Known 2000; Baker",
    ]  # fmt: skip
    assert list(written["tabulated"]) == [1, 1, 0]


def test_without_results_there_is_no_coverage(project):
    dataset = project.dataset()
    cells = coverage_by_question(dataset, select_results(dataset).iloc[:0])
    assert tabulate_coverage(cells).frame.empty


def test_how_much_is_tabulated_in_a_sentence(project):
    dataset = project.dataset()
    assert str(coverage_summary(dataset)) == (
        "These tables hold 2 of 2 randomised trials known to exist (100%). No search for further "
        "trials is recorded."
    )
    know(project, "Known 2000")
    know(project, "Open 2001", design="open label")
    add_search(project)
    add_search(project, "S2")
    summary = coverage_summary(project.dataset(), "risen")
    assert str(summary) == (
        "These tables hold 2 of 3 randomised trials known to exist (67%), 1 with a confirmed "
        "result on risen. They were sought in 2 searches, the last on 2026-11-24; trials that "
        "these did not lead to are not counted. Searched: Breadline."
    )
    assert summary.numbers["with_result"].rows == ("data/designs.csv:2",)
    assert summary.numbers["searches"].rows == ("data/searches.csv:2", "data/searches.csv:3")
    for line in (2, 3):
        project.put("data/designs.csv", line, design="open label", randomised="no")
    project.path("data/known_studies.csv").unlink()
    assert "No randomised trial is known" in str(coverage_summary(project.dataset()))


def test_the_flow_counts_every_study_once(project):
    know(project, "Miller 2001", study="miller2001", status="tabulated")
    know(project, "Known 2000")
    for name in ("Flat 2002", "Flat 2003"):
        know(project, name, status="excluded", reason="no yeast")
    project.put("data/studies.csv", 6, verified="not read there")
    flow = study_flow(project.dataset())
    counts = {name: step.n for name, step in flow.steps.items()}
    assert counts == {
        "records": 0, "duplicates": 0, "screened": 0, "screened out": 0, "kept": 0, "listed": 4,
        "unlisted": 1, "known": 5, "excluded": 2, "included": 3, "wanted": 1, "tabulated": 2,
        "without results": 1, "with results": 1,
    }  # fmt: skip
    assert flow.steps["with results"].addresses == ("data/designs.csv:2",)
    assert {reason: len(rows) for reason, rows in flow.reasons.items()} == {"no yeast": 2}


def test_a_flow_that_does_not_add_up_is_refused(project):
    add_search(project)
    know(project, "Known 2000", search="S1")
    with pytest.raises(DatasetError, match=r"known_studies.csv:2 search: search S1 kept none"):
        lay_out_study_flow(project.dataset())
    project.put("data/searches.csv", 2, excluded="6", kept="1")
    assert lay_out_study_flow(project.dataset()).frame["n"].max() == 7
    project.put("data/designs.csv", 3, cohort="baker1990")
    know(project, "Miller 2001", study="miller2001", status="tabulated")
    message = r"known_studies.csv:3 study: miller2001 reports participants of baker1990"
    with pytest.raises(DatasetError, match=message):
        lay_out_study_flow(project.dataset())
    # No file can be read in which a search does not add up; a frame can have one.
    project.path("data/known_studies.csv").unlink()
    dataset = project.dataset()
    searches = dataset.searches.assign(screened=6)
    tables = {table.file: dataset.frame(table) for table in schema.TABLES}
    broken = replace(dataset, _tables=tables | {schema.SEARCHES.file: searches})
    message = r"searches.csv:2: 7 records are not duplicates \+ screened \(0 \+ 6 = 6\)"
    with pytest.raises(DatasetError, match=message):
        study_flow(broken)
