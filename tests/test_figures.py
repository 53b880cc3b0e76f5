"""Figures as layout data; then that every one of them can be drawn, and drawn legibly."""

import hashlib
import io
import itertools
import json
import re

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from evidence.analysis.certainty.risk_of_bias import appraisals
from evidence.analysis.claims.claim_audit import claim_verdicts
from evidence.analysis.pooling.explorer_query import ExplorerQuery, fill_defaults
from evidence.analysis.pooling.pooled_estimate import pool_studies
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.pooling.specification_curve import specification_curve
from evidence.analysis.results import select_results
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.claim_verdicts import lay_out_claim_verdicts
from evidence.figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from evidence.figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from evidence.figures.evidence_map import lay_out_evidence_map
from evidence.figures.follow_up_timeline import lay_out_follow_up
from evidence.figures.forest_plot import lay_out_cumulative, lay_out_explorer_forest, lay_out_forest
from evidence.figures.layout import draw
from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
from evidence.figures.risk_of_bias import lay_out_risk_of_bias, lay_out_risk_of_bias_summary
from evidence.figures.specification_curve import lay_out_specification_curve
from evidence.figures.style import house_style, stamp
from evidence.report.figure_files import FORMATS, render_figure, write_figure
from evidence.report.figure_identity import figure_record


def question(dataset, results, measure):
    return main_question(dataset, results, Question("response", measure))


def pool(dataset, results, measure="proportion", **options):
    return pool_studies(dataset, results, **vars(question(dataset, results, measure)), **options)


def grid(dataset, results):
    asked = question(dataset, results, "rr")
    found = specification_curve(
        dataset, results, asked, outcomes=["response", "remission"], times=[1, 3, 28]
    )
    return lay_out_specification_curve(found, confidence=0.95)


def judged(dataset, results):
    return appraisals(dataset, list(results["study"].unique()))


LAYOUTS = {
    "response": lambda dataset, results: lay_out_proportions_by_arm(results),
    "abstinence": lambda dataset, results: lay_out_arm_comparison(results, outcome="abstinence"),
    "suicidal": lambda dataset, results: lay_out_arm_comparison(
        results, outcome="suicidal ideation response"
    ),
    "dose": lambda dataset, results: lay_out_dose_effect_one_trial(results),
    "durability": lay_out_follow_up,
    "claims": lambda dataset, results: lay_out_claim_verdicts(claim_verdicts(dataset, results)),
    "gaps": lay_out_evidence_map,
    "forest": lambda dataset, results: lay_out_forest(pool(dataset, results)),
    "cumulative": lambda dataset, results: lay_out_cumulative(pool(dataset, results)),
    "forest by": lambda dataset, results: lay_out_forest(
        pool(dataset, results, "rr", subgroup_by="comparator")
    ),
    "doses": lambda dataset, results: lay_out_dose_effect_all_trials(
        dataset, results, question(dataset, results, "rr"), confidence=0.95
    ),
    "severity": lambda dataset, results: lay_out_dose_effect_all_trials(
        dataset,
        results,
        main_question(dataset, results, Question("depression severity", "smd")),
        confidence=0.95,
    ),
    "grid": grid,
    "view": lambda dataset, results: lay_out_explorer_forest(
        dataset,
        results,
        fill_defaults(dataset, results, ExplorerQuery("", "proportion", "", "", "", "all", 1.0)),
        confidence=0.95,
    ),
    "traffic": lambda dataset, results: lay_out_risk_of_bias(judged(dataset, results)),
    "risk": lambda dataset, results: lay_out_risk_of_bias_summary(judged(dataset, results)),
}
# The guide's own studies alone hold no two comparisons that could be drawn here.
WIDER = ("forest by", "doses", "grid")
CASES = [
    (name, scope)
    for name, scope in itertools.product(LAYOUTS, ("guide", "all"))
    if scope == "all" or name not in WIDER
]


@pytest.fixture(scope="module")
def layouts(shipped):
    """Every chart of the shipped data in both scopes."""
    return {
        (name, scope): LAYOUTS[name](shipped, select_results(shipped, scope=scope))
        for name, scope in CASES
    }


@pytest.fixture(scope="module")
def guide(shipped):
    return select_results(shipped, scope="guide")


def marks(layout, **where):
    frame = layout.frame
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def test_response_shows_12_of_17_with_its_interval_beside_the_guides_71_of_18(layouts):
    """Interval: Wilson score limits of 12/17, statsmodels 0.15 proportion_confint."""
    zarate = marks(layouts["response", "guide"], label="Zarate 2006", outcome="response")
    source = zarate[(zarate["provenance"] == "source") & (zarate["arm"] == "ketamine")].iloc[0]
    assert source["counts"] == "12/17 (71%)"
    assert source["ci_low"] == pytest.approx(0.4686688993346016)
    assert source["ci_high"] == pytest.approx(0.8672001038970478)
    said = zarate[zarate["provenance"] == "guide"].iloc[0]
    assert said["counts"] == "71% of 18: no count fits"
    assert np.isnan(said["ci_low"])
    assert said["lane"] == source["lane"]
    assert said["offset"] != source["offset"]


def test_remission_of_2006_is_5_of_17_and_marked_as_not_confirmed(layouts):
    rows = marks(layouts["response", "guide"], label="Zarate 2006", outcome="remission")
    unread = rows[rows["provenance"] == "unconfirmed"]
    assert unread["counts"].tolist() == ["5/17 (29%)"]


def test_time_before_treatment_is_never_shown(layouts):
    lii = marks(layouts["response", "all"], label="Lii 2023")
    assert set(lii["when"]) == {"1 day"}


def test_abstinence_compares_the_two_trials_with_the_published_ratios(layouts):
    """Ratios and limits: independent computation recorded with the study pages."""
    frame = layouts["abstinence", "guide"].frame.set_index("label")
    first, second = frame.loc["Krupitsky 1997"], frame.loc["Krupitsky 2007"]
    assert (first["events1"], first["n1"], first["events2"], first["n2"]) == (73, 111, 24, 100)
    assert [round(first[name], 2) for name in ("rr", "rr_low", "rr_high")] == [2.74, 1.89, 3.98]
    assert (second["events1"], second["n1"], second["events2"], second["n2"]) == (13, 26, 6, 27)
    assert [round(second[name], 2) for name in ("rr", "rr_low", "rr_high")] == [2.25, 1.01, 5.03]
    assert first["guide1"] == 0.66
    assert first["guide2"] == 0.24


def test_abstinence_says_that_the_first_trial_was_not_randomised(layouts):
    layout = layouts["abstinence", "guide"]
    assert "Krupitsky 1997 was not randomised." in str(layout.caption)
    with house_style():
        figure = draw(layout)
    assert any("NOT RANDOMISED" in text.get_text() for text in figure.axes[0].get_yticklabels())


def test_dose_response_places_only_the_dose_whose_size_was_read(layouts):
    frame = layouts["dose", "guide"].frame
    source = frame[frame["lane"] == "source"]
    sized = source[source["has_estimate"]]
    assert sized["dose"].tolist() == [0.1]
    assert sized["value"].tolist() == [-0.82]
    assert sized["p_adjusted"].tolist() == ["0.14"]
    assert source.loc[~source["has_estimate"], "value"].isna().all()
    found = source.drop_duplicates("dose").set_index("dose")["finding"]
    assert found.to_dict() == {
        0.1: "no difference",
        0.2: "no difference",
        0.5: "better",
        1.0: "better",
    }


def test_dose_response_prints_the_arm_sizes_of_the_trial(layouts):
    sizes = layouts["dose", "guide"].sizes
    assert sorted(sizes.values()) == sorted([18, 20, 22, 20, 19])
    assert sum(sizes.values()) == 99


def test_guide_is_not_given_a_finding_for_doses_it_does_not_name(layouts):
    frame = layouts["dose", "guide"].frame
    assert set(frame.loc[frame["lane"] == "guide", "dose"]) == {0.5, 1.0}


def test_durability_reaches_a_year_only_for_abstinence(layouts):
    lanes = layouts["durability", "guide"].lanes.set_index("study")
    assert lanes.loc["krupitsky1997", "measured_to"] == pytest.approx(365.25)
    depression = lanes.drop(["krupitsky1997", "krupitsky2007"])
    assert depression["followed_to"].max() <= 31


def test_durability_tells_followed_from_measured(layouts):
    fava = layouts["durability", "guide"].lanes.set_index("study").loc["fava2018"]
    assert (fava["measured_to"], fava["followed_to"]) == (3.0, 30.0)


def test_durability_finds_no_difference_where_the_drug_was_masked(layouts):
    frame = marks(layouts["durability", "all"], label="Lii 2023")
    assert set(frame["finding"]) == {"no difference"}
    assert set(frame["days"]) == {1, 2, 3, 5, 7, 14}


def test_gap_map_shows_what_nobody_measured(layouts):
    frame = layouts["gaps", "guide"].frame.set_index("name")
    assert frame.loc["alcohol dependence/abstinence", ["k", "n"]].tolist() == [1, 211]
    assert frame.loc["heroin dependence/abstinence", ["k", "n"]].tolist() == [1, 53]
    assert frame.loc["PTSD/remission", "k"] == 0
    assert (frame["k"] == 0).sum() > (frame["k"] > 0).sum()


def test_gap_map_does_not_count_the_guide_or_the_same_people_twice(layouts):
    frame = layouts["gaps", "all"].frame.set_index("name")
    # Fava 2018 and its secondary analysis are the same 99 people.
    labels = frame.loc["depression/depression severity", "labels"]
    assert "The guide" not in labels
    assert "Cochrane" not in labels


def test_claims_chart_has_a_line_for_every_claim(layouts, shipped):
    layout = layouts["claims", "guide"]
    assert sorted(layout.frame["claim"]) == sorted(shipped.claims["claim"])
    lines = [*layout.frame["line"], *layout.blocks.values()]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(("name", "scope"), CASES)
def test_every_mark_has_a_name_and_an_address(layouts, name, scope):
    frame = layouts[name, scope].frame
    assert frame["name"].is_unique
    filled = frame if name != "gaps" else frame[frame["k"] > 0]
    assert filled["address"].str.fullmatch(r"(data/\w+\.csv:\d+ ?)+").all()


@pytest.mark.parametrize(("name", "scope"), CASES)
def test_words_for_those_who_cannot_see_the_chart(layouts, name, scope):
    layout = layouts[name, scope]
    assert 60 < len(layout.alt) < 600
    assert layout.alt.endswith(".")
    said = f"{layout.alt} {layout.caption} {layout.title} {' '.join(layout.reading)}"
    assert not {"nan", "<na>", "inf"} & set(re.findall(r"[<\w>]+", said.lower()))


# What the reading must say of each mark; a column of its frame and how it is printed.
SAID = {
    "response": ["label", "counts"],
    "abstinence": ["label", "arm", "versus", "events1", "n1", "events2", "n2"],
    "suicidal": ["label", "arm", "versus", "events1", "n1", "events2", "n2"],
    "dose": ["dose", "finding", "p_value", "p_adjusted"],
    "durability": ["label", "outcome", "text"],
    "claims": ["claim", "verdict"],
    "gaps": ["down"],
    "view": ["says"],
    "forest": ["says"],
    "cumulative": ["says"],
    "forest by": ["says"],
    "doses": ["label", "dose", "blinding"],
    "severity": ["label", "dose", "blinding"],
    "grid": ["k"],
    "traffic": ["judgement"],
    "risk": ["domain", "k"],
}


@pytest.mark.parametrize(("name", "scope"), CASES)
def test_reading_names_every_mark_with_its_numbers(layouts, name, scope):
    layout = layouts[name, scope]
    missing = [
        row["name"]
        for row in layout.frame.to_dict("records")
        if not any(
            all(f"{row[c]:g}" in s if isinstance(row[c], float) else str(row[c]) in s
                for c in SAID[name])
            for s in layout.reading
        )
    ]  # fmt: skip
    assert missing == []


def test_reading_by_hand(layouts):
    """Shares of 73/111 and 24/100; limits by an independent computation (see above)."""
    assert layouts["abstinence", "guide"].reading[0] == (
        "Krupitsky 1997, abstinence at 1 year: 73 of 111 (65.8%) with ketamine psychotherapy, 24 "
        "of 100 (24.0%) with standard care. The difference is +42 percentage points, from +29 to "
        "+53; the ratio 2.74, from 1.89 to 3.98. The guide says 66% with ketamine psychotherapy "
        "and 24% with standard care. Krupitsky 1997 was not randomised."
    )
    assert layouts["dose", "guide"].alt == (
        "Chart of the doses of Fava 2018 against midazolam. Reported were 0.1 and 0.2 mg/kg no "
        "difference; 0.5 and 1 mg/kg better. A size is printed for 1 of 4 doses."
    )


def drawn_texts(figure, monkeypatch):
    """Every text that is really drawn (ticks out of view are not), with its box in pixels.

    Slanted texts are left out: their upright boxes overlap where the letters do not.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = {}
    plain = Text.draw

    def recorded(self, renderer, *arguments, **options):
        if self.get_visible() and self.get_text().strip() and self.get_rotation() in (0, 90):
            drawn[id(self)] = (self.get_text(), self.get_window_extent(renderer))
        return plain(self, renderer, *arguments, **options)

    monkeypatch.setattr(Text, "draw", recorded)
    canvas.draw()
    monkeypatch.undo()
    return list(drawn.values())


@pytest.mark.parametrize(("name", "scope"), CASES)
def test_no_text_overlaps_another(layouts, name, scope, monkeypatch):
    with house_style():
        figure = draw(layouts[name, scope])
        stamp(figure, "fig-a-figure-with-a-long-name@1a2b3c4")
        boxes = drawn_texts(figure, monkeypatch)
    assert len(boxes) > 5
    assert any(text.endswith("@1a2b3c4") for text, _ in boxes)
    clashes = [
        (one, two)
        for (one, first), (two, second) in itertools.combinations(boxes, 2)
        if first.x0 + 1 < second.x1
        and second.x0 + 1 < first.x1
        and first.y0 + 1 < second.y1
        and second.y0 + 1 < first.y1
    ]
    assert not clashes


@pytest.mark.parametrize("name", LAYOUTS)
def test_picture_is_not_blank(layouts, shipped, name):
    layout = layouts[name, "all"]
    content = render_figure(layout, figure_record(layout, shipped), ["png"])["png"]
    picture = matplotlib.image.imread(io.BytesIO(content))
    inked = (picture[..., :3].min(axis=2) < 0.5).mean()
    assert 0.003 < inked < 0.5


@pytest.mark.parametrize("form", FORMATS)
def test_same_data_give_the_same_bytes(layouts, shipped, form):
    layout = layouts["abstinence", "guide"]
    about = figure_record(layout, shipped)
    assert render_figure(layout, about, [form]) == render_figure(layout, about, [form])


def test_files_stand_side_by_side_with_their_numbers_and_sources(layouts, shipped, tmp_path):
    layout = layouts["abstinence", "guide"]
    paths = write_figure(
        layout, figure_record(layout, shipped, report="02_comparison"), shipped, tmp_path
    )
    svg, pdf, png, csv, bib, sidecar = paths
    assert [path.name for path in paths] == [
        f"fig-abstinence.{form}" for form in ("svg", "pdf", "png", "csv", "bib", "json")
    ]
    assert svg.read_bytes().startswith(b"<?xml")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "73" in csv.read_text("utf-8")
    keys = re.findall(r"^@article\{(\w+),", bib.read_text("utf-8"), re.MULTILINE)
    assert keys == ["krupitsky1997", "krupitsky2007"]
    content = json.loads(sidecar.read_text("utf-8"))
    assert [study["key"] for study in content["studies"]] == keys
    assert content["files"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths[:-1]
    }


def test_nothing_to_draw_is_said_and_not_drawn(shipped, guide):
    nothing = guide.iloc[:0]
    assert "No shares of people" in lay_out_proportions_by_arm(nothing).empty
    assert "abstinence" in lay_out_arm_comparison(nothing, outcome="abstinence").empty
    assert "several doses" in lay_out_dose_effect_one_trial(nothing).empty
    assert "benefit" in lay_out_follow_up(shipped, nothing).empty
    assert "benefit or harm" in lay_out_evidence_map(shipped, nothing).empty
    for name in WIDER:
        assert LAYOUTS[name](shipped, guide).empty
    assert (
        "No claim"
        in lay_out_claim_verdicts(
            claim_verdicts(shipped, nothing, only_studies_of_results=True)
        ).empty
    )
