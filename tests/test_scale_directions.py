"""Scales that run the other way: declared, aligned and said, or refused with the rows named."""

import numpy as np
import pytest

from evidence.analysis.checks import check_consistency
from evidence.analysis.narrative.pooled_results import describe_pool
from evidence.analysis.pooling.dose_response import fit_dose_model
from evidence.analysis.pooling.pooled_estimate import PoolingError, meta_analyse
from evidence.analysis.pooling.question import Question
from evidence.analysis.pooling.specification_curve import specification_curve
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from evidence.figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from evidence.figures.forest_plot import lay_out_forest
from evidence.figures.layout import draw
from evidence.figures.specification_curve import lay_out_specification_curve
from evidence.tables.pooled_text import format_pool
from evidence.tables.text_table import render_parts
from tests.example_trials import arm, described

STUDIES, OUTCOMES = schema.STUDIES.file, schema.OUTCOMES.file
SYMPTOMS, WELLBEING = "symptom score", "wellbeing index"
GROUPS = {
    "trial0": (SYMPTOMS, (12.1, 5.2, 30), (15.4, 5.6, 31)),
    "trial1": (SYMPTOMS, (11.0, 6.0, 50), (13.9, 6.4, 48)),
    "trial2": (WELLBEING, (62, 15, 40), (50, 16, 41)),
}
# metafor 3.8-1: escalc("SMD") with the means of trial2 negative, then rma(test="adhoc").
ALIGNED = (-0.602513186228, -0.464147002747, -0.766105272311,
           -0.598780552488, -1.167209948357, -0.030351156619)  # fmt: skip
TURNED = f"trial2: sign turned, as higher is better on {WELLBEING}"


def mean(study, name, role, instrument, value, sd, n, **cells):
    return arm(
        study, name, role, "", n, measure="mean", value=f"{value}", spread=f"{sd}",
        spread_kind="sd", as_printed=f"{value} ({sd})", instrument=instrument, time="1",
        time_unit="day", **cells,
    )  # fmt: skip


@pytest.fixture
def mixed(vaccine):
    """Three trials of a drug on severity: two on a symptom score, one on an index of wellbeing."""
    rows = [
        mean(study, name, role, instrument, *numbers)
        for study, (instrument, *groups) in GROUPS.items()
        for (name, role), numbers in zip(
            (("drug", "intervention"), ("placebo", "comparator")), groups, strict=True
        )
    ]
    designs = [described(study, treatment="drug", comparator_kind="inactive") for study in GROUPS]
    for table, entries in ((schema.STUDIES, rows), (schema.DESIGNS, designs)):
        cells = [[row.get(name, "") for name in table.names] for row in entries]
        vaccine.write(table.file, [table.names, *cells])
    return vaccine


@pytest.fixture
def declared(mixed):
    for instrument, better in ((SYMPTOMS, "lower"), (WELLBEING, "higher")):
        mixed.table(
            schema.INSTRUMENTS, instrument=instrument, integer="yes", better=better, note="known"
        )
    return mixed


def estimate(project, **options):
    dataset = project.dataset()
    question = {"outcome": "infection", "measure": "smd"}
    return meta_analyse(dataset, select_results(dataset), **question | options)


def refusal(project, **options):
    with pytest.raises(PoolingError) as caught:
        estimate(project, **options)
    return " | ".join(caught.value.reasons)


def scale_findings(project):
    findings = check_consistency(project.dataset())
    return [finding.message for finding in findings if finding.code == "SCALE"]


def test_a_declared_scale_is_aligned_and_said(declared):
    ours = estimate(declared)
    assert list(ours.studies["yi"]) == pytest.approx(ALIGNED[:3], rel=1e-9)
    numbers = (ours.pooled.estimate, ours.pooled.ci_low, ours.pooled.ci_high)
    assert numbers == pytest.approx(ALIGNED[3:], rel=1e-6)
    data = ours.as_data()
    assert (data["handling"], data["favours_treatment"]) == ([TURNED], "below")
    assert scale_findings(declared) == []


def test_scales_that_seem_to_run_in_opposite_directions_are_refused(mixed):
    message = (
        "the scales seem to run in opposite directions (trial0 on symptom score and trial2 on "
        f"wellbeing index differ in sign: −0.60 and 0.77; {STUDIES}:2 {STUDIES}:3 and {STUDIES}:6 "
        f"{STUDIES}:7)"
    )
    assert (
        refusal(mixed)
        == f"{message}; state which direction is better on each in data/instruments.csv"
    )
    assert scale_findings(mixed) == [message]


@pytest.mark.parametrize("method", ["common", "bayes", "threelevel"])
def test_every_model_aligns_signs(declared, method):
    # A model of several effects per study needs a study that has them.
    for name, role, value in (("drug", "intervention", 60), ("placebo", "comparator", 51)):
        declared.row(**mean("trial2", name, role, WELLBEING, value, 15, 40) | {"time": "2"})
    ours = estimate(declared, method=method)
    assert (ours.studies["yi"] < 0).all()
    clauses = [text.partition(": ")[2] for text in ours.handling]
    assert set(clauses) == {TURNED.partition(": ")[2]}


def test_a_name_that_states_the_direction_is_noticed(mixed):
    for line in (6, 7):
        mixed.put(STUDIES, line, instrument="index (higher is better)")
    assert scale_findings(mixed) == [
        "the name of the scale says that higher is better, but lower is better for infection"
    ]


def test_a_direction_that_contradicts_the_means_is_noticed(mixed):
    contrast = {"measure": "direction", "direction": "better", "versus": "placebo"}
    blank = dict.fromkeys(("value", "spread", "spread_kind", "as_printed"), "")
    mixed.row(**mean("trial2", "drug", "contrast", WELLBEING, 0, 0, 81) | contrast | blank)
    assert (
        "'better', but the means are 62 with drug and 50 with placebo, and lower is better"
        in scale_findings(mixed)
    )


def test_an_outcome_without_a_direction_cannot_align_scales(declared):
    declared.put(OUTCOMES, 2, better="neither")
    assert refusal(declared) == (
        "the scales run in opposite directions (lower is better: trial0, trial1; higher is better: "
        "trial2); state in data/outcomes.csv which is better for infection"
    )


@pytest.mark.parametrize(
    ("value", "direction", "expected", "handling"),
    [
        ("0.5", "", -0.5, (TURNED,)),
        ("0.5", "better", -0.5, (TURNED,)),
        ("-0.5", "better", -0.5, ()),
        ("0.5", "worse", 0.5, ()),
    ],
)
def test_printed_differences_are_aligned(declared, value, direction, expected, handling):
    """On a scale on which higher is better, a text may print improvement with either sign."""
    declared.write(STUDIES, declared.rows(STUDIES)[:5])
    declared.row(
        **mean("trial2", "drug", "contrast", WELLBEING, value, "", 81)
        | {"versus": "placebo", "measure": "smd", "spread_kind": "", "direction": direction}
        | {"ci_low": f"{float(value) - 0.4:.1f}", "ci_high": f"{float(value) + 0.4:.1f}"}
        | {"as_printed": f"{value} ({float(value) - 0.4:.1f} to {float(value) + 0.4:.1f})"}
    )
    ours = estimate(declared)
    assert ours.studies["yi"].iloc[-1] == pytest.approx(expected)
    assert ours.handling == handling


def test_text_axis_and_caption_say_which_side_favours_the_treatment(declared):
    ours = estimate(declared)
    side = "Values below 0 favour the treatment."
    assert side in [str(sentence) for sentence in describe_pool(ours)]
    lines = render_parts(format_pool(ours, select_results(declared.dataset()))).splitlines()
    assert lines.count(side) == 1
    assert lines.index(side) < next(n for n, line in enumerate(lines) if line.startswith("Study"))
    layout = lay_out_forest(ours)
    assert side in str(layout.caption)
    assert "Trial2: sign turned" in str(layout.caption)
    texts = draw(layout).axes[0].texts
    ends = {text.get_text(): text.get_position()[0] for text in texts if "favours" in str(text)}
    assert sorted(ends, key=ends.get) == ["← favours treatment", "favours comparator →"]


def test_a_single_proportion_favours_nobody(graded):
    layout = lay_out_forest(estimate(graded, measure="proportion"))
    assert draw(layout).axes[0].get_xlabel() == "proportion with infection"
    assert "favour" not in str(layout.caption)


def test_a_specification_curve_and_a_dose_model_are_aligned(declared):
    for line, dose in ((2, "1"), (4, "2"), (6, "3")):
        declared.put(STUDIES, line, dose=dose, dose_unit="mg/kg", route="oral")
    dataset = declared.dataset()
    results, question = select_results(dataset), Question("infection", "smd")
    curve = specification_curve(dataset, results, question, outcomes=["infection"], times=[1])
    assert set(curve.pooled["favours"]) <= {"treatment", ""}
    layout = lay_out_specification_curve(curve, confidence=0.95)
    assert "Values below 0 favour the treatment." in str(layout.caption)
    model = fit_dose_model(dataset, results, question)
    assert (model.arms["yi"] < 0).all()
    assert (model.better, model.handling) == (-1, (TURNED,))


def test_arms_of_counts_say_which_arm_is_favoured(graded):
    dataset = graded.dataset()
    layout = lay_out_arm_comparison(dataset, select_results(dataset), outcome="infection")
    assert "Differences above 0 and ratios above 1 favour the second arm." in str(layout.caption)
    _, difference, ratio = draw(layout).axes
    for panel in (difference, ratio):
        assert panel.get_xlabel().endswith("← favours first arm\nfavours second arm →")


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_doses_are_drawn_with_the_better_side_at_the_right(declared, better):
    declared.put(OUTCOMES, 2, better=better, kind="benefit")
    for name, dose in (("low", "1"), ("high", "2")):
        declared.row(
            **mean(
                "trial0", name, "contrast", SYMPTOMS, "-0.5", "", 60, dose=dose, dose_unit="mg/kg"
            )
            | {"versus": "placebo", "measure": "smd", "spread_kind": "", "as_printed": "-0.5"}
        )
    dataset = declared.dataset()
    layout = lay_out_dose_effect_one_trial(dataset, select_results(dataset))
    # On a score of which less is better, -0.5 favours the dose whichever way the outcome runs.
    assert np.sign(layout.frame["value"]).unique() == layout.better
    of_trials = lay_out_dose_effect_all_trials(
        dataset, select_results(dataset), Question("infection", "smd"), confidence=0.95
    )
    for chart in (layout, of_trials):
        axes = draw(chart).axes[0]
        left, right = axes.get_xlim()
        assert (left < right) == (better == "higher")
        assert axes.get_xlabel().split("· ")[-1].startswith("favours t")
    side = "above" if better == "higher" else "below"
    assert f"{side} zero the dose was better" in str(layout.caption)
