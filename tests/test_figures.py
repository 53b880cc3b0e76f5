"""Figures as layout data; then that every one of them can be drawn, and drawn legibly."""

import hashlib
import io
import itertools
import json
import re
from dataclasses import replace

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from evidence.analysis.certainty.risk_of_bias import appraisals
from evidence.analysis.claims.claim_audit import claim_verdicts
from evidence.analysis.pooling.dose_response import fit_dose_model
from evidence.analysis.pooling.explorer_query import ExplorerQuery, fill_defaults
from evidence.analysis.pooling.pooled_estimate import pool_studies
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.pooling.specification_curve import specification_curve
from evidence.analysis.pooling.time_course import fit_time_model
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.risk_of_bias_tools import load_tools
from evidence.figures import style
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.claim_verdicts import lay_out_claim_verdicts
from evidence.figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from evidence.figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from evidence.figures.dose_response_curve import lay_out_dose_response_curve
from evidence.figures.evidence_map import lay_out_evidence_map
from evidence.figures.follow_up_timeline import FollowUpLayout, lay_out_follow_up
from evidence.figures.forest_plot import lay_out_cumulative, lay_out_explorer_forest, lay_out_forest
from evidence.figures.layout import PAGE_HEIGHT, draw, join_names, split_into_pages
from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
from evidence.figures.risk_of_bias import (
    RiskOfBiasLayout,
    lay_out_risk_of_bias,
    lay_out_risk_of_bias_summary,
)
from evidence.figures.specification_curve import MAX_LANES, lay_out_specification_curve
from evidence.figures.study_flow import lay_out_study_flow
from evidence.figures.time_course import lay_out_time_course
from evidence.provenance.sentence import format_difference
from evidence.report.figure_files import FORMATS, render_figure, write_figure
from evidence.report.figure_identity import WIDTHS, figure_record
from tests.conftest import Project

ROB2 = "RoB 2 (2019)"
# Each study with its year, blinding, counts of its two arms, and whether it was randomised.
TRIALS = {
    "baker": (1990, "open label", (12, 17), (4, 20), "yes"),
    "miller": (1996, "active placebo", (73, 111), (24, 100), "no"),
    "cooper": (2001, "active placebo", (13, 26), (6, 27), "yes"),
    "fisher": (2008, "indistinguishable", (22, 40), (12, 40), "yes"),
}


def result(study, **cells):
    base = {
        "study": study, "condition": "bread", "outcome": "risen", "time": "1", "time_unit": "day",
        "reported_by": "publication", "source": study, "locator": "Table 1", "verified": "yes",
    }  # fmt: skip
    return base | cells


def proportion(study, arm, role, events, n, **cells):
    base = {"arm": arm, "role": role, "measure": "proportion", "n": str(n)}
    if events is not None:
        base |= {"events": str(events), "as_printed": f"{events}/{n}"}
    return result(study, **base | cells)


def contrast(study, dose, **cells):
    arm = f"yeast {dose} mg/kg"
    base = {"arm": arm, "role": "contrast", "versus": "sugar", "outcome": "height",
            "dose": str(dose), "dose_unit": "mg/kg", "time": "3"}  # fmt: skip
    return result(study, **base | cells)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Trials of yeast in bread on which every chart can be drawn."""
    project = Project(tmp_path_factory.mktemp("figures") / "yeast")
    for table in (schema.STUDIES, schema.DESIGNS, schema.OUTCOMES, schema.GUIDE):
        project.write(table.file, [table.names])
    project.put(schema.CLAIMS.file, 2, studies="baker", source="baker")
    entries = [
        f"@article{{{key}, author = {{{key.title()}, Ann}}, title = {{Dough}}, year = {{{year}}}}}"
        for key, year in [*((key, trial[0]) for key, trial in TRIALS.items()), ("smith", 2010)]
    ]
    guide = "@misc{guide, author = {{A bakery}}, title = {Bread 101}, year = {n.d.}}"
    project.path("references.bib").write_text("\n".join([*entries, guide]), "utf-8")
    for outcome, kind in (("risen", "benefit"), ("height", "benefit"), ("allocated", "flow")):
        project.table(schema.OUTCOMES, outcome=outcome, kind=kind,
                      better="neither" if kind == "flow" else "higher",
                      description=f"{outcome} or not")  # fmt: skip
    for study, (year, blinding, treated, control, randomised) in TRIALS.items():
        project.table(schema.DESIGNS, study=study, label=f"{study.title()} {year}", scope="core",
                      design="randomised parallel" if randomised == "yes" else
                      "non-randomised controlled", randomised=randomised, blinding=blinding,
                      treatment="yeast", comparator="none", comparator_kind="inactive",
                      n_randomised=str(treated[1] + control[1]),
                      followup="7", followup_unit="day", source=study, locator="p. 2")  # fmt: skip
        dose = {"dose": "1" if study == "fisher" else "0.5", "dose_unit": "mg/kg", "sessions": "1"}
        project.row(**proportion(study, "yeast", "intervention", *treated, **dose))
        project.row(**proportion(study, "none", "comparator", *control))
    project.table(schema.DESIGNS, study="smith", label="Smith 2010", scope="core",
                  design="randomised parallel", randomised="yes", blinding="active placebo",
                  treatment="yeast", comparator="sugar", followup="30", followup_unit="day",
                  source="smith", locator="p. 2")  # fmt: skip
    # What the guide says of the first trial, and a number that was not read in its source.
    of_guide = {"reported_by": "guide", "source": "guide", "value": "0.71", "as_printed": "71%"}
    project.row(**proportion("baker", "yeast", "intervention", None, 18, **of_guide))
    project.row(**proportion("baker", "rye", "single arm", 5, 17, verified="not read there"))
    for dose, n in ((0.1, 18), (0.5, 22), (1, 20)):
        arm = {"arm": f"yeast {dose} mg/kg", "role": "intervention", "outcome": "allocated"}
        size = {"measure": "count", "events": str(n), "as_printed": str(n), "time": "",
                "time_unit": ""}  # fmt: skip
        project.row(**result("smith", **arm, **size))
    project.row(**contrast("smith", 0.1, measure="smd", value="0.82", p_value="0.02", time="1",
                           as_printed="d = 0.82",
                           p_adjusted="0.14"))  # fmt: skip
    for dose, direction in ((0.1, "no difference"), (0.5, "better"), (1, "better")):
        project.row(**contrast("smith", dose, measure="significance", direction=direction))
    project.row(**contrast("smith", 1, measure="significance", direction="better",
                           reported_by="guide", source="guide"))  # fmt: skip
    for study, judgement in (("baker", "low"), ("cooper", "high")):
        for domain in load_tools()[ROB2].applicable_domains("randomised parallel"):
            project.table(schema.RISK_OF_BIAS, study=study, tool=ROB2, domain=domain,
                          judgement=judgement, reason="read", judged_by="project", source=study,
                          locator="p. 3", signed_by="A. Reader", date="2026-11-24")  # fmt: skip
    project.table(schema.SEARCHES, search="S1", kind="database", database="Breadline",
                  query="yeast", date="2026-11-24", searched_by="A. Reader", records="9",
                  duplicates="2", screened="7", excluded="4", kept="3")  # fmt: skip
    for study, status, reason in (("wanted", "wanted", ""), ("flat", "excluded", "no yeast")):
        project.table(schema.KNOWN_STUDIES, known_study=study, label=study, condition="bread",
                      design="randomised parallel", treatment="yeast", listed_by="smith",
                      locator="Table 1", search="S1", status=status, reason=reason)  # fmt: skip
    return project


@pytest.fixture(scope="module")
def dataset(project):
    return project.dataset()


@pytest.fixture(scope="module")
def results(dataset):
    return select_results(dataset)


def question(dataset, results, measure, outcome="risen"):
    initial = Question(outcome, measure, allow_nonrandomised=True)
    return main_question(dataset, results, initial)


def pool(dataset, results, measure="proportion", **options):
    return pool_studies(dataset, results, **vars(question(dataset, results, measure)), **options)


def lay_out_curve(dataset, results):
    ratio = question(dataset, results, "rr")
    curve = specification_curve(dataset, results, ratio, outcomes=["risen"], times=[1])
    return lay_out_specification_curve(curve, confidence=0.95)


def lay_out_doses(dataset, results):
    model = fit_dose_model(dataset, results, question(dataset, results, "rr"))
    return lay_out_dose_response_curve(model, doses=[0.1, 1.0])


def lay_out_times(dataset, results):
    model = fit_time_model(dataset, results, question(dataset, results, "rr"))
    return lay_out_time_course(model)


def judged(dataset, results):
    return appraisals(dataset, list(results["study"].unique()))


LAYOUTS = {
    "proportions": lambda dataset, results: lay_out_proportions_by_arm(results),
    "arms": lambda dataset, results: lay_out_arm_comparison(dataset, results, outcome="risen"),
    "one trial": lambda dataset, results: lay_out_dose_effect_one_trial(dataset, results),
    "follow-up": lay_out_follow_up,
    "claims": lambda dataset, results: lay_out_claim_verdicts(claim_verdicts(dataset, results)),
    "map": lay_out_evidence_map,
    "map of doses": lambda dataset, results: lay_out_evidence_map(dataset, results, row_by="dose"),
    "forest": lambda dataset, results: lay_out_forest(pool(dataset, results)),
    "cumulative": lambda dataset, results: lay_out_cumulative(pool(dataset, results)),
    "subgroups": lambda dataset, results: lay_out_forest(
        pool(dataset, results, "rr", subgroup_by="blinding")
    ),
    "all trials, ratio": lambda dataset, results: lay_out_dose_effect_all_trials(
        dataset, results, question(dataset, results, "rr"), confidence=0.95
    ),
    "all trials, difference": lambda dataset, results: lay_out_dose_effect_all_trials(
        dataset, results, question(dataset, results, "smd", "height"), confidence=0.95
    ),
    "curve": lay_out_curve,
    "dose curve": lay_out_doses,
    "time course": lay_out_times,
    "explorer": lambda dataset, results: lay_out_explorer_forest(
        dataset,
        results,
        fill_defaults(dataset, results, ExplorerQuery("", "proportion", "", "", "", "all", 1.0)),
        confidence=0.95,
    ),
    "risk of bias": lambda dataset, results: lay_out_risk_of_bias(judged(dataset, results))[0],
    "risk summary": lambda dataset, results: lay_out_risk_of_bias_summary(judged(dataset, results))[
        0
    ],
    "study flow": lambda dataset, results: lay_out_study_flow(dataset),
}


@pytest.fixture(scope="module")
def layouts(dataset, results):
    """Every chart of the project."""
    layouts = {name: lay_out(dataset, results) for name, lay_out in LAYOUTS.items()}
    assert [name for name, layout in layouts.items() if layout.empty] == []
    return layouts


# Each chart by itself


def test_a_count_has_its_wilson_interval_and_the_guide_stands_beside_it(layouts):
    """Interval: Wilson score limits of 12/17, statsmodels 0.15 proportion_confint."""
    frame = layouts["proportions"].frame
    treated = frame[(frame["label"] == "Baker 1990") & (frame["arm"] == "yeast")]
    source, guide = (treated[treated["provenance"] == word].iloc[0] for word in ("source", "guide"))
    assert source["counts"] == "12/17 (71%)"
    assert source["ci_low"] == pytest.approx(0.4686688993346016)
    assert source["ci_high"] == pytest.approx(0.8672001038970478)
    assert guide["counts"] == "71% of 18: no count fits"
    assert np.isnan(guide["ci_low"])
    assert guide["section"] == source["section"] == "Risen at 1 day"


def test_a_number_that_was_not_read_in_its_source_is_marked(layouts):
    frame = layouts["proportions"].frame
    unread = frame[frame["provenance"] == "unconfirmed"]
    assert unread["counts"].tolist() == ["5/17 (29%)"]


def test_arm_comparison_has_the_published_ratios_and_what_the_guide_says(layouts):
    """Ratios and limits of 73/111 against 24/100 and 13/26 against 6/27: computed independently."""
    frame = layouts["arms"].frame.set_index("study")
    for study, ratio in (("miller", [2.74, 1.89, 3.98]), ("cooper", [2.25, 1.01, 5.03])):
        row = frame.loc[study]
        assert [round(row[name], 2) for name in ("rr", "rr_low", "rr_high")] == ratio
    assert frame.loc["baker", "guide1"] == 0.71
    assert np.isnan(frame.loc["cooper", "guide1"])


def test_a_trial_that_was_not_randomised_is_marked_in_caption_words_and_picture(layouts):
    layout = layouts["arms"]
    assert "Miller 1996 was not randomised." in str(layout.caption)
    with style.house_style():
        figure = draw(layout)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("NOT RANDOMISED") == 1
    assert texts[texts.index("NOT RANDOMISED") - 1] == "Miller 1996, 1 day"


def test_a_ratio_that_is_not_estimable_is_no_blank_panel(layouts):
    frame = layouts["arms"].frame
    frame = frame.assign(rr_low=frame["rr_low"].mask(frame["study"] == "cooper"))
    with style.house_style():
        figure = draw(replace(layouts["arms"], frame=frame))
    texts = [text.get_text() for text in figure.axes[2].texts]
    assert texts.count("not estimable") == 1
    assert len(texts) == len(frame)


def test_arm_comparison_in_words(layouts):
    """Differences of 73/111 and 24/100; limits computed independently (see above)."""
    assert layouts["arms"].reading[1] == (
        "Miller 1996, risen at 1 day: 73 of 111 (65.8%) with yeast, 24 of 100 (24.0%) with none. "
        "Risk difference +42 percentage points (95% CI +29 to +53); risk ratio 2.74 (95% CI 1.89 "
        "to 3.98). Miller 1996 was not randomised."
    )


def test_only_a_dose_whose_effect_size_was_read_has_a_position(layouts):
    layout = layouts["one trial"]
    source = layout.frame[layout.frame["lane"] == "source"]
    sized = source[source["has_estimate"]]
    assert sized[["dose", "value", "p_adjusted"]].to_numpy().tolist() == [[0.1, 0.82, "0.14"]]
    assert source.loc[~source["has_estimate"], "value"].isna().all()
    findings = source.drop_duplicates("dose").set_index("dose")["finding"].to_dict()
    assert findings == {0.1: "no difference", 0.5: "better", 1.0: "better"}
    assert layout.sizes == {"yeast 0.1 mg/kg": 18, "yeast 0.5 mg/kg": 22, "yeast 1 mg/kg": 20}


def test_doses_of_a_trial_without_a_size_stand_beside_the_one_that_has_it(layouts):
    frame = layouts["all trials, difference"].frame
    assert frame[["dose", "direction", "line"]].to_numpy().tolist() == [
        [0.1, "", 1], [0.5, "better", 3], [1.0, "better", 5],
    ]  # fmt: skip


@pytest.mark.parametrize("lay_out", [lay_out_doses, LAYOUTS["all trials, ratio"]])
def test_a_single_dose_is_a_sentence_and_no_chart(dataset, results, lay_out):
    one_dose = results[results["dose"].fillna(0.5) == 0.5]
    assert (
        lay_out(dataset, one_dose).empty
        == "Every trial here gave 0.5 mg/kg; doses are not compared."
    )


def test_the_guide_has_no_finding_for_doses_that_it_does_not_name(layouts):
    frame = layouts["one trial"].frame
    assert set(frame.loc[frame["lane"] == "guide", "dose"]) == {1.0}


def test_follow_up_tells_followed_from_measured(layouts):
    lanes = layouts["follow-up"].lanes.set_index("study")
    assert lanes.loc["smith", ["measured_to", "followed_to"]].tolist() == [3.0, 30.0]
    assert lanes.loc["baker", ["measured_to", "followed_to"]].tolist() == [1.0, 7.0]


def test_evidence_map_counts_participants_and_shows_empty_cells(layouts):
    """Participants of the four trials with counts: 37 + 211 + 53 + 80."""
    frame = layouts["map"].frame.set_index("name")
    assert frame.loc["bread/risen", ["k", "n"]].tolist() == [4, 37 + 211 + 53 + 80]
    assert frame.loc["bread/height", "k"] == 1
    doses = layouts["map of doses"].frame
    assert (doses["k"] == 0).any()


def test_forest_of_proportions_has_observed_ones_and_the_pooled_one_last(layouts):
    frame = layouts["forest"].frame
    assert frame["kind"].tolist() == ["study"] * 4 + ["pooled"]
    assert frame["weight"].isna().all()
    assert frame["pi_low"].notna().tolist() == [False] * 4 + [True]
    assert frame["risk"].tolist() == ["low", "", "high", "", ""]


def test_an_omitted_subgroup_test_is_not_repeated_in_the_caption(dataset, results):
    """The text on the pooled studies says why there is none."""
    pooled = pool(dataset, results, "rr", subgroup_by="blinding")
    assert "subgroup_test" in pooled.omitted_analyses
    caption = str(lay_out_forest(pooled).caption)
    assert "subgroup" in caption
    assert "test" not in caption.lower()
    assert "A subgroup of one study has no pooled estimate." in caption


def test_cumulative_plot_adds_one_study_per_line(layouts):
    layout = layouts["cumulative"]
    assert layout.frame["label"].tolist()[1:] == [
        "with Miller 1996", "with Cooper 2001", "with Fisher 2008",
    ]  # fmt: skip
    assert layout.frame["pi_low"].isna().all()
    assert "The first line is Baker 1990 alone" in str(layout.caption)


def test_a_cumulative_plot_gives_the_time_of_each_added_study(dataset, results):
    pooled = pool(dataset, results)
    assert lay_out_cumulative(pooled).columns["label"] == "Study, 1 day"
    days = pooled.studies["days"].where(pooled.studies.index > 0, 3.0)
    layout = lay_out_cumulative(replace(pooled, studies=pooled.studies.assign(days=days)))
    assert layout.columns["label"] == "Study"
    assert layout.frame["time"].tolist() == ["3 days", "1 day", "1 day", "1 day"]


def test_claims_are_counted_by_verdict(layouts):
    frame = layouts["claims"].frame
    assert frame[["verdict", "k", "claims"]].to_numpy().tolist() == [["agrees", 1, "C1"]]


def test_risk_summary_adds_up_to_all_judgements_of_a_domain(layouts):
    frame = layouts["risk summary"].frame
    assert frame.groupby("domain")["proportion"].sum().to_numpy() == pytest.approx(1)
    assert set(frame["k"]) == {1}


def test_study_flow_counts_records_and_studies(layouts):
    """Five trials are tabulated, and a review lists two others."""
    steps = layouts["study flow"].frame.set_index("name")["n"].to_dict()
    assert steps == {
        "records": 9, "duplicates": 2, "screened": 7, "screened out": 4, "kept": 3, "listed": 2,
        "known": 7, "excluded": 1, "included": 6, "wanted": 1, "tabulated": 5,
        "without results": 0, "with results": 5,
    }  # fmt: skip
    assert "Studies excluded, by reason: 1 (1 no yeast)." in layouts["study flow"].reading


# All charts


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_mark_has_a_name_and_an_address(layouts, name):
    frame = layouts[name].frame
    assert frame["name"].is_unique
    # A cell of a map without known studies and a step without studies rest on no row.
    counted = {"map": "k", "map of doses": "k", "study flow": "n"}.get(name)
    filled = frame[frame[counted] > 0] if counted else frame
    assert filled["address"].str.fullmatch(r"(data/\w+\.csv:\d+ ?)+").all()


@pytest.mark.parametrize("name", LAYOUTS)
def test_alternative_text_caption_and_title_are_sentences(layouts, name):
    layout = layouts[name]
    assert 60 < len(layout.alt) < 600
    assert layout.alt.endswith(".")
    text = f"{layout.alt} {layout.caption} {layout.title} {' '.join(layout.reading)}"
    assert not {"nan", "<na>", "inf"} & set(re.findall(r"[<\w>]+", text.lower()))


# The columns of each frame that the chart in words must state for every mark.
STATED = {
    "proportions": ["label", "counts"],
    "arms": ["label", "arm", "versus", "events1", "n1", "events2", "n2"],
    "one trial": ["dose", "finding", "p_value", "p_adjusted"],
    "follow-up": ["label", "outcome", "text"],
    "claims": ["claims", "k"],
    "map": ["row_label"],
    "map of doses": ["row_label"],
    "explorer": ["group1", "group2", "effect"],
    "forest": ["group1", "group2", "effect"],
    "cumulative": ["group1", "group2", "effect"],
    "subgroups": ["group1", "group2", "effect"],
    "all trials, ratio": ["label", "dose", "blinding"],
    "all trials, difference": ["label", "dose", "blinding"],
    "curve": ["k"],
    "dose curve": ["label", "dose"],
    "time course": ["label"],
    "risk of bias": ["judgement"],
    "risk summary": ["domain", "k"],
    "study flow": ["step", "n"],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_chart_in_words_states_every_mark_with_its_numbers(layouts, name):
    layout = layouts[name]
    missing = [
        row["name"]
        for row in layout.frame.to_dict("records")
        if not any(
            all(f"{row[c]:g}" in s if isinstance(row[c], float) else str(row[c]) in s
                for c in STATED[name])
            for s in layout.reading
        )
    ]  # fmt: skip
    assert missing == []


def drawn_texts(figure, monkeypatch):
    """Every text that is really drawn (ticks out of view are not), with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = {}
    draw_text = Text.draw

    def record(self, renderer, *arguments, **options):
        if self.get_visible() and self.get_text().strip():
            boxes[id(self)] = (self, self.get_window_extent(renderer))
        return draw_text(self, renderer, *arguments, **options)

    monkeypatch.setattr(Text, "draw", record)
    canvas.draw()
    monkeypatch.undo()
    return list(boxes.values())


def faults(layout, monkeypatch, width=style.DOUBLE_COLUMN):
    """What cannot be read in a chart of this width, or does not fit on its page."""
    with style.house_style():
        figure = draw(layout, width)
        page = style.stamp(figure, "fig-a-figure-with-a-long-name@1a2b3c4")
        texts = drawn_texts(figure, monkeypatch)
    assert any(text.get_text().endswith("@1a2b3c4") for text, _ in texts)
    x0, y0, x1, y1 = page.extents * figure.dpi
    sizes = {style.TITLE_SIZE, style.TEXT_SIZE, style.SMALL_SIZE}
    titles = [axes.yaxis.label for axes in figure.axes]
    yield from (("size", t.get_text()) for t, _ in texts if t.get_fontsize() not in sizes)
    yield from (
        ("outside", text.get_text())
        for text, box in texts
        if box.x0 < x0 - 1 or box.x1 > x1 + 1 or box.y0 < y0 - 1 or box.y1 > y1 + 1
    )
    yield from (
        ("rotated", text.get_text())
        for text, _ in texts
        if text not in titles and text.get_rotation()
    )
    yield from (
        ("overlap", text.get_text(), other.get_text())
        for (text, box), (other, box2) in itertools.combinations(texts, 2)
        if box.x0 + 1 < box2.x1
        and box2.x0 + 1 < box.x1
        and box.y0 + 1 < box2.y1
        and box2.y0 + 1 < box.y1
    )
    if page.height * 25.4 > 247:
        yield ("height", page.height * 25.4)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_text_can_be_read_at_the_width_of_the_page(layouts, name, width, monkeypatch):
    assert list(faults(layouts[name], monkeypatch, width)) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_picture_is_exactly_as_wide_as_it_says(layouts, dataset, name, width):
    svg = render_figure(layouts[name], figure_record(layouts[name], dataset), ["svg"], width)["svg"]
    points = re.search(rb'<svg[^>]* width="([\d.]+)pt"', svg)[1]
    assert float(points) == pytest.approx(72 * width, abs=0.01)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("times", [1, 20])
def test_long_names_and_wide_numbers_of_a_forest_plot_do_not_overlap(
    layouts, times, width, monkeypatch
):
    layout = layouts["forest"]
    frame = pd.concat([layout.frame[:2]] * times + [layout.frame[-1:]], ignore_index=True)
    study = frame["kind"] == "study"
    frame.loc[study, "label"] = "The cooperative study group of the northern counties 1990"
    frame.loc[study, ["group1", "group2"]] = "12345.67 (12345.67), 12345"
    columns = layout.columns | {"group2": "Comparator\nmean (SD), n", "time": "Time"}
    wide = replace(layout, frame=frame, columns=columns, note="A long note " * 5)
    found = list(faults(wide, monkeypatch, width))
    assert [fault for fault in found if fault[0] != "height" or width == style.DOUBLE_COLUMN] == []


def test_effects_of_one_dose_at_two_times_stand_side_by_side(tmp_path, monkeypatch):
    project = Project(tmp_path / "bread")
    for dose in ("0.5", "1.0"):
        for time, value in (("1", "-0.9"), ("3", "-0.5")):
            project.row(
                study="baker1990", condition="bread", arm=f"yeast {dose} mg/kg", role="contrast",
                versus="none", dose=dose, dose_unit="mg/kg", outcome="height", time=time, time_unit="day",
                measure="smd", value=value, p_value="0.02", p_adjusted="0.14", as_printed=value,
                reported_by="publication", source="baker1990", locator="Table 2", verified="yes",
            )  # fmt: skip
    dataset = project.dataset()
    layout = lay_out_dose_effect_one_trial(dataset, select_results(dataset))
    assert list(layout.frame["name"])[:2] == [
        f"baker1990/0.5 mg per kg/baker1990/height/smd/{when}" for when in ("1 day", "3 days")
    ]
    assert "An effect size was read for 0.5 and 1 mg/kg; above" in str(layout.caption)
    assert layout.alt.endswith("An effect size is tabulated for 2 of 2 doses.")
    assert [fault for fault in faults(layout, monkeypatch) if fault[0] == "overlap"] == []


def test_a_chart_too_long_for_a_page_becomes_several(layouts):
    frame = pd.concat([layouts["arms"].frame] * 5, ignore_index=True)
    long = replace(layouts["arms"], frame=frame, reading=layouts["arms"].reading * 5)
    pages = split_into_pages(long)
    assert [(page.id, len(page.frame), len(page.reading)) for page in pages] == [
        ("fig-risen-1", 10, 10),
        ("fig-risen-2", 10, 10),
    ]
    assert split_into_pages(layouts["arms"]) == (layouts["arms"],)


@pytest.mark.parametrize("name", ["arms", "proportions", "subgroups", "all trials, ratio"])
def test_each_page_of_a_long_chart_fits_and_has_the_same_axes_at_both_widths(layouts, name):
    layout = layouts[name]
    frame = pd.concat([layout.frame] * 15, ignore_index=True)
    if "dose" in frame:
        frame = frame.sort_values("dose", kind="stable")
    reading = layout.reading[: len(layout.frame)] * 15
    pages = split_into_pages(replace(layout, frame=frame, reading=reading))
    figures = [draw(page, width) for page in pages for width in WIDTHS]
    assert len(pages) > 1
    heights = [draw(page, width).get_figheight() for page in pages for width in page.page_widths]
    assert max(heights) <= PAGE_HEIGHT
    assert len({figure.axes[0].get_xlim() for figure in figures}) == 1
    # The heading of a subgroup is repeated.
    rows = [frame[frame["estimate"].notna()] if "estimate" in frame else frame
            for frame in (frame, *(page.frame for page in pages))]  # fmt: skip
    assert pd.concat(rows[1:])["name"].to_list() == rows[0]["name"].to_list()


def test_rows_are_measured_where_more_were_thought_to_fit(layouts, monkeypatch):
    layout = layouts["arms"]
    monkeypatch.setattr(type(layout), "rows_per_page", 60)
    frame = pd.concat([layout.frame] * 10, ignore_index=True)
    pages = split_into_pages(replace(layout, frame=frame, reading=layout.reading * 10))
    assert sum(len(page.frame) for page in pages) == len(frame)
    assert all(
        draw(page, width).get_figheight() <= PAGE_HEIGHT for page in pages for width in WIDTHS
    )


@pytest.mark.parametrize(("start", "end", "kinds"), [(0, 3, "hs"), (2, 4, "hs"), (1, 4, "hshs")])
def test_a_page_begins_with_the_heading_of_its_first_study(layouts, start, end, kinds):
    layout = layouts["subgroups"]
    frame = layout.frame.head(4).assign(kind=["heading", "study", "heading", "study"])
    page = replace(layout, frame=frame).rows(start, end)
    assert [kind[0] for kind in page["frame"]["kind"]] == list(kinds)
    assert len(page["reading"]) >= len(kinds)


def test_each_page_of_judgements_names_the_judge(layouts, monkeypatch):
    monkeypatch.setattr(RiskOfBiasLayout, "rows_per_page", 2)
    lines = ("A judge", "Baker", "Miller", "B judge", "Cooper")
    frame = pd.DataFrame({"line": [1, 2, 4], "lane": 0, "level": "low", "overruled": False})
    layout = replace(layouts["risk of bias"], lines=lines, headings=(0, 3), frame=frame,
                     reading=("Baker.", "Miller.", "Cooper."))  # fmt: skip
    pages = split_into_pages(layout)
    assert [(page.lines, page.headings, page.reading) for page in pages] == [
        (("A judge", "Baker"), (0,), ("Baker.",)),
        (("A judge", "Miller"), (0,), ("Miller.",)),
        (("B judge", "Cooper"), (0,), ("Cooper.",)),
    ]
    assert all(page.frame["line"].tolist() == [1] for page in pages)


def test_choices_of_few_specifications_are_counted_where_the_lanes_would_not_fit(dataset, results):
    curve = specification_curve(dataset, results, question(dataset, results, "rr"),
                                outcomes=["risen"], times=[1])  # fmt: skip
    names = [f"outcome {number}" for number in range(40)]
    frame = pd.concat([curve.frame.assign(definition=name) for name in names])
    layout = lay_out_specification_curve(replace(curve, frame=frame), confidence=0.95)
    assert sum(1 + len(values) for values in layout.lanes.values()) == MAX_LANES
    omitted = 40 - len(layout.lanes["definition"])
    assert f"Not shown below the curve: {omitted} choices with" in str(layout.caption)
    assert draw(layout).get_figheight() <= PAGE_HEIGHT


def test_a_timeline_is_divided_between_its_lanes(layouts, monkeypatch):
    monkeypatch.setattr(FollowUpLayout, "rows_per_page", 1)
    layout = layouts["follow-up"]
    pages = split_into_pages(layout)
    assert [page.lanes["study"].item() for page in pages] == list(layout.lanes["study"])
    assert [sentence for page in pages for sentence in page.reading] == list(layout.reading)
    assert all((page.frame["lane"] == 0).all() for page in pages)


def test_a_caption_names_the_first_studies_and_counts_the_others():
    assert join_names(["Baker", "Cooper", "Miller"]) == "Baker, Cooper and Miller"
    assert join_names(["Baker"] * 99).endswith("Baker, Baker and 75 more")


@pytest.mark.parametrize(("value", "text"), [(-1e-9, "0"), (0.4, "0"), (-3, "−3"), (12.6, "+13")])
def test_a_difference_that_rounds_to_zero_has_no_sign(value, text):
    assert format_difference(value) == text


@pytest.mark.parametrize("name", ["arms", "map", "risk of bias"])
def test_picture_is_not_blank(layouts, dataset, name):
    layout = layouts[name]
    png = render_figure(layout, figure_record(layout, dataset), ["png"])["png"]
    picture = matplotlib.image.imread(io.BytesIO(png))
    inked = (picture[..., :3].min(axis=2) < 0.5).mean()
    assert 0.002 < inked < 0.5


def test_same_data_give_the_same_bytes(layouts, dataset):
    layout = layouts["arms"]
    record = figure_record(layout, dataset)
    assert render_figure(layout, record) == render_figure(layout, record)


def test_files_stand_side_by_side_with_their_numbers_and_sources(layouts, dataset, tmp_path):
    layout = layouts["arms"]
    record = figure_record(layout, dataset, report="02_comparison")
    paths = write_figure(layout, record, dataset, tmp_path)
    svg, pdf, png, *_, csv, bib, sidecar = paths
    assert [path.name for path in paths] == [
        *(f"fig-risen{end}.{suffix}" for end in ("", "-85mm") for suffix in FORMATS),
        *(f"fig-risen.{suffix}" for suffix in ("csv", "bib", "json")),
    ]
    assert svg.read_bytes().startswith(b"<?xml")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "73" in csv.read_text("utf-8")
    keys = re.findall(r"^@article\{(\w+),", bib.read_text("utf-8"), re.MULTILINE)
    content = json.loads(sidecar.read_text("utf-8"))
    assert sorted(keys) == sorted(study["key"] for study in content["studies"]) == sorted(TRIALS)
    assert content["files"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths[:-1]
    }


def test_nothing_to_draw_is_said_and_not_drawn(dataset, results):
    nothing = results.iloc[:0]
    assert "No selected result has" in lay_out_proportions_by_arm(nothing).empty
    assert "risen" in lay_out_arm_comparison(dataset, nothing, outcome="risen").empty
    assert "several doses" in lay_out_dose_effect_one_trial(dataset, nothing).empty
    assert "benefit" in lay_out_follow_up(dataset, nothing).empty
    assert "benefit or harm" in lay_out_evidence_map(dataset, nothing).empty
    (unjudged,) = lay_out_risk_of_bias([])
    assert "has not been judged" in unjudged.empty
    claims = claim_verdicts(dataset, nothing, only_studies_of_results=True)
    assert "No claim" in lay_out_claim_verdicts(claims).empty
    for lay_out in (lay_out_forest, lay_out_cumulative):
        refusal = pool_studies(dataset, nothing, outcome="risen", measure="rr")
        assert lay_out(refusal).empty.startswith("Not pooled: ")
