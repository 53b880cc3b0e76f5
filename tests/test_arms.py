"""Trials with several treatments or comparators: which arms are compared, and that nobody counts twice.

Rules: Cochrane Handbook, section 23.3.4 (higgins2024variants): combine the arms, or divide the
shared group; of counts both events and participants are divided, of means only participants.
"""

import numpy as np
import pytest

from evidence.analysis.certainty.evidence_body import evidence_bodies
from evidence.analysis.pooling.dose_response import fit_dose_model
from evidence.analysis.pooling.pooled_estimate import PoolingError, meta_analyse
from evidence.analysis.pooling.question import Question
from evidence.analysis.pooling.specification_curve import specification_curve
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import DatasetError
from evidence.figures.forest_plot import lay_out_forest
from tests.example_trials import arm, described

STUDIES = schema.STUDIES.file
DAY = {"time": "1", "time_unit": "day"}


def result(study, name, role, events, n, given="", **cells):
    return arm(study, name, role, events, n, intervention=given, **DAY | cells)


@pytest.fixture
def bakery(vaccine):
    """A trial of yeast, sourdough and nothing, and two trials of yeast and nothing."""
    rows = [
        result("trial0", "yeast", "intervention", 10, 100, "fresh yeast"),
        result("trial0", "sourdough", "intervention", 20, 100, "old sourdough"),
        result("trial0", "none", "comparator", 30, 120),
        result("trial1", "yeast", "intervention", 8, 80, "fresh yeast"),
        result("trial1", "none", "comparator", 16, 80),
        result("trial2", "yeast", "intervention", 5, 50, "dry yeast"),
        result("trial2", "none", "comparator", 9, 50),
    ]
    for table, entries in (
        (schema.STUDIES, rows),
        (
            schema.DESIGNS,
            [
                described(f"trial{n}", treatment="yeast", comparator_kind="inactive")
                for n in range(3)
            ],
        ),
    ):
        cells = [[row.get(name, "") for name in table.names] for row in entries]
        vaccine.write(table.file, [table.names, *cells])
    return vaccine


def estimate(project, **options):
    dataset = project.dataset()
    question = {"outcome": "infection", "measure": "rr", "test": "z"}
    return meta_analyse(dataset, select_results(dataset), **question | options)


def refusal(project, **options):
    with pytest.raises(PoolingError) as caught:
        estimate(project, **options)
    return " | ".join(caught.value.reasons)


def cells(estimate, study="trial0"):
    rows = estimate.studies[estimate.studies["study"] == study]
    return rows[["events1", "n1", "events2", "n2"]].to_numpy(float).tolist()


def test_one_treatment_is_compared_by_itself(bakery):
    ours = estimate(bakery, treatments=["yeast"])
    assert cells(ours) == [[10, 100, 30, 120]]
    assert (ours.pooled.k, ours.handling) == (3, ())


@pytest.mark.parametrize(
    ("designs", "intervention"),
    [
        # The study's own treatment is in what the other arm was given.
        ({"treatment": "yeast"}, "sourdough"),
        # Both are listed for the study, and found in what the arms were given.
        ({"treatment": "yeast; sourdough"}, "old sourdough"),
    ],
)
def test_the_treatment_of_an_arm_is_what_it_was_given(bakery, designs, intervention):
    bakery.put(schema.DESIGNS.file, 2, **designs)
    bakery.put(STUDIES, 3, intervention=intervention)
    rows = select_results(bakery.dataset())
    assert list(rows["treatment"][:2]) == ["yeast", "sourdough"]
    assert cells(estimate(bakery, treatments=["yeast"])) == [[10, 100, 30, 120]]


def test_a_declared_treatment_comes_first(bakery):
    bakery.table(schema.ARMS, study="trial0", arm="sourdough", treatment="leaven")
    bakery.put(STUDIES, 3, intervention="yeast and sourdough")
    assert cells(estimate(bakery, treatments=["yeast"])) == [[10, 100, 30, 120]]


def test_an_arm_can_be_named_itself(bakery):
    bakery.put(STUDIES, 3, intervention="yeast, sour")
    ours = estimate(bakery, treatments=["yeast"])
    assert cells(ours) == [[30, 200, 30, 120]]
    assert ours.handling == ("trial0: arms yeast and sourdough combined",)
    with pytest.raises(PoolingError, match="only one tabulated study"):
        estimate(bakery, treatments=["sourdough"])


def test_several_treatments_are_refused_or_combined_and_said(bakery):
    assert refusal(bakery) == (
        "the treatments differ (yeast; old sourdough: trial0; yeast: trial1, trial2); name the ones "
        "to pool"
    )
    ours = estimate(bakery, treatments=["yeast", "old sourdough"])
    # 10/100 and 20/100 are 30/200; the 120 of the comparator arm count once.
    assert cells(ours) == [[30, 200, 30, 120]]
    clause = "trial0: arms yeast and sourdough combined"
    assert ours.as_data()["handling"] == [clause]
    assert "Trial0: arms yeast and sourdough combined." in str(lay_out_forest(ours).caption)


def test_a_subgroup_analysis_by_treatment_splits_the_comparator_arm(bakery):
    ours = estimate(bakery, subgroup_by="treatment")
    assert cells(ours) == [[10, 100, 15, 60], [20, 100, 15, 60]]
    assert ours.handling == ("trial0: none split between 2 treatments",)
    first = ours.studies["yi"].iloc[0]
    assert first == pytest.approx(np.log((10 / 100) / (15 / 60)))
    assert ours.studies["vi"].iloc[0] == pytest.approx(1 / 10 - 1 / 100 + 1 / 15 - 1 / 60)
    assert [(group.name, len(group.studies)) for group in ours.subgroups] == [
        ("yeast", 3),
        ("old sourdough", 1),
    ]


def test_of_means_only_participants_are_split(bakery):
    for line, (value, n) in enumerate([("4", 30), ("5", 30), ("6", 40)], start=2):
        bakery.put(STUDIES, line, **scale(value, n))
    for line, value in ((5, "4"), (6, "6"), (7, "4"), (8, "6")):
        bakery.put(STUDIES, line, **scale(value, 20))
    ours = estimate(bakery, measure="md", subgroup_by="treatment").studies
    # Means 4 and 5 against 6, SD 2 in all: 4/30 + 4/20 each.
    assert list(ours["yi"][:2]) == [-2, -1]
    assert list(ours["vi"][:2]) == pytest.approx([4 / 30 + 4 / 20] * 2)


def scale(value, n):
    return {
        "measure": "mean", "value": value, "spread": "2", "spread_kind": "sd", "n": str(n),
        "events": "", "as_printed": f"{value} (2)", "instrument": "scale",
    }  # fmt: skip


@pytest.fixture
def two_comparators(bakery):
    """The first trial compares yeast with nothing (30/120) and with baking powder (12/60)."""
    bakery.put(
        STUDIES, 3, arm="powder", role="comparator", events="12", n="60", as_printed="12/60",
        intervention="baking powder",
    )  # fmt: skip
    bakery.table(schema.ARMS, study="trial0", arm="powder", comparator_kind="active")
    return bakery


@pytest.mark.parametrize(
    ("comparators", "expected"),
    [
        (["inactive"], [[10, 100, 30, 120]]),
        (["powder", "inactive"], [[10, 100, 42, 180]]),
        (["active", "inactive"], [[10, 100, 42, 180]]),
    ],
)
def test_a_named_comparator_is_compared_by_itself(two_comparators, comparators, expected):
    ours = estimate(two_comparators, comparators=comparators)
    assert cells(ours) == expected
    is_combined = len(comparators) > 1
    assert ours.handling == (("trial0: comparator arms powder and none combined",) * is_combined)


def test_two_kinds_of_comparator_are_not_mixed_in_silence(two_comparators):
    assert "the comparators differ (active; inactive: trial0; inactive: trial1" in refusal(
        two_comparators
    )
    dataset = two_comparators.dataset()
    question = Question("infection", "rr")
    curve = specification_curve(
        dataset, select_results(dataset), question, outcomes=["infection"], times=[1]
    )
    rows = curve.frame[curve.frame["risk"] == "any risk of bias"].set_index("comparison")
    assert set(rows.loc["inactive comparator", "k"]) == {3}
    assert set(rows.loc["active comparator", "k"]) == {1}


def test_bodies_of_evidence_have_one_treatment_and_one_comparator(two_comparators):
    two_comparators.row(**result("trial0", "sourdough", "intervention", 20, 100, "sourdough"))
    dataset = two_comparators.dataset()
    bodies = {
        body.name: body.studies[["events1", "n1", "events2", "n2"]].to_numpy(int).tolist()[0]
        for body in evidence_bodies(dataset, select_results(dataset), times=[1])
    }
    assert bodies == {
        "tuberculosis/yeast/active/infection/1 day": [10, 100, 12, 60],
        "tuberculosis/yeast/inactive/infection/1 day": [10, 100, 30, 120],
        "tuberculosis/sourdough/active/infection/1 day": [20, 100, 12, 60],
        "tuberculosis/sourdough/inactive/infection/1 day": [20, 100, 30, 120],
    }


def test_of_several_printed_contrasts_the_one_asked_for_is_used(bakery):
    bakery.write(STUDIES, [bakery.rows(STUDIES)[0], *bakery.rows(STUDIES)[4:]])
    for name, value in (("sourdough", "0.5"), ("yeast", "0.8")):
        bakery.row(
            **result("trial0", name, "contrast", "", 200, name)
            | {"versus": "none", "measure": "risk ratio", "value": value, "ci_low": "0.25"}
            | {"ci_high": "1.6", "as_printed": f"{value} (0.25 to 1.6)"}
        )

    ours = estimate(bakery, treatments=["yeast"])
    assert np.exp(ours.studies["yi"].iloc[0]) == pytest.approx(0.8)
    both = estimate(bakery, treatments=["yeast", "sourdough"])
    assert both.handling == ("trial0: first printed contrast used, not yeast versus none",)


def test_a_dose_response_curve_uses_the_arms_of_one_treatment(bakery):
    for line, dose in ((2, "1"), (3, "9"), (5, "2"), (7, "3")):
        bakery.put(STUDIES, line, dose=dose, dose_unit="mg/kg", route="oral")
    dataset = bakery.dataset()
    model = fit_dose_model(
        dataset, select_results(dataset), Question("infection", "rr", treatments=("yeast",))
    )
    assert list(model.arms["dose"]) == [1, 2, 3]


def test_an_arm_that_no_result_has_is_an_error(bakery):
    bakery.table(schema.ARMS, study="trial0", arm="sour", treatment="leaven")
    with pytest.raises(DatasetError, match=r"arms\.csv:2.*'sour' is not one of: none, sourdough"):
        bakery.dataset()
