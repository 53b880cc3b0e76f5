"""Every way to pool at once: the same numbers as one at a time, and what the grid says of them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import cli, describe_pool
from evidence.analysis.narrative.study_findings import (
    results_by_comparator,
    study_findings,
    treatment_guesses,
)
from evidence.analysis.pooling.pooled_estimate import Refusal, pool_studies
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.pooling.specification_curve import (
    CHOICES,
    describe_specifications,
    specification_curve,
)
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import ParameterError
from evidence.figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from evidence.figures.forest_plot import lay_out_forest
from evidence.figures.layout import draw
from evidence.figures.specification_curve import lay_out_specification_curve
from evidence.statistics.meta_analysis import METHODS, TESTS, pool, pool_subsets
from tests.test_appraisal import graded, judge  # noqa: F401 - a fixture
from tests.test_pooling import VI, YI
from tests.test_synthesis_pooling import BCG, arm, described, vaccine  # noqa: F401

NUMBERS = ("estimate", "se", "ci_low", "ci_high", "tau2")


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("method", METHODS)
def test_many_fits_are_the_single_fits(method, test):
    keep = np.random.default_rng(1).random((60, len(YI))) < 0.5
    many = pool_subsets(YI, VI, keep, method=method, test=test)
    assert list(many.k) == list(keep.sum(axis=1))
    for row, chosen in enumerate(keep):
        if chosen.sum() > 1:
            one = pool(YI[chosen], VI[chosen], method=method, test=test)
            for name in NUMBERS:
                wanted = pytest.approx(getattr(one, name), rel=1e-8, abs=1e-12)
                assert getattr(many, name)[row] == wanted, (name, chosen)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(1e-3, 10)), min_size=2, max_size=8),
    st.sampled_from(sorted(METHODS)),
    st.sampled_from(TESTS),
)
def test_many_fits_are_the_single_fits_on_any_effects(effects, method, test):
    yi, vi = np.array(effects).T
    one = pool(yi, vi, method=method, test=test)
    many = pool_subsets(yi, vi, np.ones((1, len(yi)), bool), method=method, test=test)
    for name in NUMBERS:
        wanted = pytest.approx(getattr(one, name), rel=1e-6, abs=1e-7)
        assert getattr(many, name)[0] == wanted, name


def test_many_fits_with_too_few_or_bad_studies():
    keep = np.array([[True, False], [False, False], [True, True]])
    many = pool_subsets([0.1, 0.2], [0.1, 0.1], keep)
    assert np.isnan(many.estimate[:2]).all()
    assert many.estimate[2] == pytest.approx(0.15)
    assert pool_subsets([0.1, np.nan], [0.1, -1], keep[:2]).k[0] == 1
    with pytest.raises(ValueError, match="not above 0"):
        pool_subsets([0.1, 0.2], [0.1, 0], keep)


def test_the_ad_hoc_test_never_falls_below_wald():
    """Effects that agree too well make Knapp and Hartung narrower; 1.96 becomes t(2) = 4.303."""
    yi, vi = [0.50, 0.51, 0.49], [0.04, 0.04, 0.04]
    wald, knha, truncated = (pool(yi, vi, test=test) for test in ("z", "knha", "knha-adhoc"))
    assert knha.se < wald.se == pytest.approx((0.04 / 3) ** 0.5)
    assert truncated.se == pytest.approx(wald.se)
    assert truncated.ci_high - truncated.estimate == pytest.approx(4.302653 * wald.se, rel=1e-6)
    far = pool(YI, VI, test="knha-adhoc", method="dl"), pool(YI, VI, test="knha", method="dl")
    assert far[0].se >= far[1].se


def grid(project, **asked):
    dataset = project.dataset()
    question = Question("infection", asked.pop("measure", "rr"), **asked)
    results = select_results(dataset)
    return dataset, specification_curve(
        dataset, results, question, outcomes=["infection"], times=[1]
    )


def test_the_grid_holds_metafors_numbers(graded):  # noqa: F811
    for number in range(13):
        judge(graded, f"trial{number}", [["low", "high"][number > 9], *["low"] * 4])
    _, found = grid(graded)
    # Ten fits (four estimators, three tests, but one test of a common effect) of six choices.
    assert len(found.frame) == 60
    assert set(found.frame["k"]) == {13, 10}
    names = {"common": "EE", "dl": "DL", "pm": "PM", "reml": "REML"}
    whole = found.frame[(found.frame["k"] == 13) & found.frame["test"].isin(["z", "knha"])]
    whole = whole[whole["risk"] == "any risk of bias"]
    for row in whole.itertuples():
        wanted = BCG["RR"][f"{names[row.estimator]}|{row.test}"]
        # metafor's Paule-Mandel stops about 1e-4 short of the root.
        assert np.log(row.estimate) == pytest.approx(wanted["estimate"], rel=1e-3)
        assert np.log(row.ci_low) == pytest.approx(wanted["ci_low"], rel=1e-3)
    assert found.frame["excludes"].all()
    # Infection is bad, so that a ratio below 1 favours the vaccine.
    assert set(found.frame["favours"]) == {"treatment"}
    said = str(describe_specifications(found))
    assert said.startswith("60 of 60 specifications exclude no effect, 60 in favour of the tre")
    assert "They rest on 2 different sets of studies; 0 more could not be pooled" in said


def test_the_chart_of_the_grid(graded):  # noqa: F811
    _, found = grid(graded)
    layout = lay_out_specification_curve(found, confidence=0.95)
    assert list(layout.frame["estimate"]) == sorted(layout.frame["estimate"])
    assert list(layout.lanes) == list(CHOICES)
    assert layout.lanes["risk"] == ["any risk of bias", "no high risk of bias"]
    assert "specifications exclude no effect" in str(layout.caption)
    assert layout.frame["name"].is_unique
    figure = draw(layout)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert {"estimator", "reml", "infection, 1 day"} <= set(labels)


def test_a_grid_with_nothing_to_pool(vaccine):  # noqa: F811
    for number in range(2, 15):
        vaccine.put("data/designs.csv", number, design="randomised crossover")
    _, found = grid(vaccine)
    layout = lay_out_specification_curve(found, confidence=0.95)
    assert layout.empty.startswith("None of 30 specifications can be pooled: the two periods")
    with pytest.raises(ParameterError, match="no value that means no effect"):
        grid(vaccine, measure="proportion")


def test_the_question_is_narrowed_to_what_has_most_studies(graded):  # noqa: F811
    for line in (2, 3, 4):
        graded.put("data/designs.csv", line, treatment="sham")
    dataset = graded.dataset()
    asked = main_question(dataset, select_results(dataset), Question("infection", "rr"))
    assert (asked.conditions, asked.treatments) == (("tuberculosis",), ("vaccine",))
    pooled = pool_studies(dataset, select_results(dataset), **vars(asked))
    assert len(pooled.studies) == 10


def test_treatments_are_mixed_only_by_name(graded):  # noqa: F811
    graded.put("data/designs.csv", 2, treatment="sham")
    dataset = graded.dataset()
    refused = pool_studies(dataset, select_results(dataset), outcome="infection", measure="rr")
    assert isinstance(refused, Refusal)
    assert "the treatments differ (sham: trial0; vaccine: trial1" in refused.reasons[0]
    assert "with --treatment" in refused.reasons[0]


@pytest.fixture
def grouped(graded):  # noqa: F811
    """Trials 0 to 9 against nothing, 10 to 12 against something; doses 1 to 13 in steps."""
    for number in range(13):
        kind = "active" if number > 9 else "inactive"
        blind = "active placebo" if number > 9 else "inactive comparator"
        graded.put("data/designs.csv", number + 2, comparator_kind=kind, blinding=blind)
        graded.put("data/studies.csv", 2 * number + 2, dose_mg_per_kg=str(number + 1))
    return graded


def test_groups_are_pooled_apart_and_compared(grouped, capsys):
    dataset = grouped.dataset()
    asked = {"outcome": "infection", "measure": "rr", "method": "dl", "test": "z"}
    pooled = pool_studies(dataset, select_results(dataset), **asked, subgroup_by="comparator")
    groups = {group.name: group for group in pooled.subgroups}
    first = [int(s.removeprefix("trial")) < 10 for s in pooled.studies["study"]]
    wanted = pool(pooled.studies["yi"][first], pooled.studies["vi"][first], method="dl", test="z")
    assert groups["inactive"].pooled.estimate == pytest.approx(wanted.estimate)
    estimates = np.array([group.pooled.estimate for group in pooled.subgroups])
    weights = np.array([group.pooled.se**-2 for group in pooled.subgroups])
    q = np.sum(weights * (estimates - np.average(estimates, weights=weights)) ** 2)
    assert pytest.approx(q) == pooled.subgroup_test.Q
    assert "Comparator active. Pooled over 3 studies" in " ".join(map(str, describe_pool(pooled)))
    layout = lay_out_forest(pooled)
    assert layout.id == "fig-forest-by-comparator"
    kinds = list(layout.frame["kind"])
    assert (kinds.count("heading"), kinds.count("study"), kinds.count("pooled")) == (2, 13, 2)
    assert "Test that the groups differ: Q" in str(layout.caption)
    draw(layout)
    command = ["pool", "--project", str(grouped.root), "--outcome", "infection", "--measure", "rr"]
    command += ["--method", "dl", "--test", "z"]
    assert cli.main([*command, "--by", "blinding", "--moderator", "dose", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["subgroups"]["difference"]["Q"] == pytest.approx(q)
    assert len(data["regression"]["beta"]) == 2
    assert cli.main([*command, "--by", "comparator", "--moderator", "dose"]) == 0
    printed = capsys.readouterr().out
    assert "\nComparator inactive. Pooled over " in printed
    assert "Difference between subgroups: Q " in printed
    assert "For each mg per kg more the effect changes by " in printed


def test_refused_charts_of_one_outcome_are_told_apart(grouped):
    """A page may hold several charts of which none can be drawn; their names must differ."""
    dataset = grouped.dataset()
    results = select_results(dataset)
    options = {"outcome": "infection", "measure": "md"}
    plain = pool_studies(dataset, results, **options)
    apart = pool_studies(dataset, results, subgroup_by="comparator", **options)
    assert isinstance(plain, Refusal)
    assert isinstance(apart, Refusal)
    layouts = [lay_out_forest(plain), lay_out_forest(apart)]
    assert [layout.id for layout in layouts] == ["fig-forest", "fig-forest-by-comparator"]
    names = [sentence.name for found in (plain, apart) for sentence in describe_pool(found)]
    assert len(set(names)) == len(names)


def test_a_moderator_in_words(grouped):
    dataset = grouped.dataset()
    asked = {
        "outcome": "infection",
        "measure": "rr",
        "subgroup_by": "comparator",
        "moderator": "dose",
    }
    said = [str(s) for s in describe_pool(pool_studies(dataset, select_results(dataset), **asked))]
    assert any(s.startswith("For each mg per kg more the effect changes by ") for s in said)


def test_a_group_of_one_study_and_a_sparse_method(grouped):
    for line in (12, 13):
        grouped.put("data/designs.csv", line, comparator_kind="inactive")
    dataset = grouped.dataset()
    asked = {"outcome": "infection", "measure": "rr", "subgroup_by": "comparator"}
    pooled = pool_studies(dataset, select_results(dataset), **asked)
    said = [str(sentence) for sentence in describe_pool(pooled)]
    assert any(
        s.startswith("Comparator active. Only trial12: risk ratio of infection") for s in said
    )
    assert "not tested: fewer than two have two studies." in said[-1]
    sparse = pool_studies(dataset, select_results(dataset), **asked, method="mh", moderator="dose")
    assert "pools no groups by themselves" in sparse.omitted_analyses["subgroups"]
    assert "fits no line" in sparse.omitted_analyses["regression"]
    draw(lay_out_forest(sparse))


def test_risk_of_bias_stands_before_its_line(grouped):
    judge(grouped, "trial0", ["high", "low", "low", "low", "low"])
    dataset = grouped.dataset()
    layout = lay_out_forest(
        pool_studies(
            dataset,
            select_results(dataset),
            outcome="infection",
            measure="rr",
            subgroup_by="comparator",
        )
    )
    risks = layout.frame.set_index("name")["risk"]
    assert (risks["trial0"], risks["trial1"]) == ("high", "")
    said = "trial0 (4/123 against 11/139, 1 day): 0.41 (0.13 to 1.26), risk of bias high"
    assert any(sentence.startswith(said) for sentence in layout.reading)
    texts = [text.get_text() for text in draw(layout).axes[0].texts]
    assert texts.count("×") == 1


def test_doses_over_trials_with_what_is_known_of_each(grouped):
    contrast = {
        "study": "trial0", "condition": "tuberculosis", "arm": "vaccine", "role": "contrast",
        "versus": "none", "outcome": "score", "time": "1", "time_unit": "day",
        "reported_by": "publication", "source": "trial0", "locator": "p. 1", "verified": "yes",
    }  # fmt: skip
    grouped.table(
        schema.OUTCOMES, outcome="score", kind="benefit", better="lower", description="a score"
    )
    sized = {"measure": "smd", "value": "0.5", "ci_low": "0.1", "ci_high": "0.9",
             "as_printed": "0.5", "direction": "better"}  # fmt: skip
    grouped.row(**contrast | sized | {"dose_mg_per_kg": "2"})
    bare = {"measure": "smd", "value": "0.4", "as_printed": "0.4", "direction": "better"}
    grouped.row(**contrast | bare | {"study": "trial1", "dose_mg_per_kg": "1"})
    worded = {"measure": "significance", "direction": "no difference"}
    grouped.row(**contrast | worded | {"study": "trial2", "dose_mg_per_kg": "3"})
    dataset = grouped.dataset()
    layout = lay_out_dose_effect_all_trials(
        dataset, select_results(dataset), Question("score", "smd"), confidence=0.95
    )
    frame = layout.frame.set_index("study")
    # A gain in a score that should fall is turned, so that below zero is better everywhere.
    assert frame.loc["trial0", "estimate"] == -0.5
    assert frame.loc["trial0", "ci_low"] == pytest.approx(-0.9)
    assert frame.loc["trial1", "estimate"] == -0.4
    assert np.isnan(frame.loc["trial1", "ci_low"])
    assert (frame.loc["trial2", "found"], list(frame["dose"])) == ("no difference", [1, 2, 3])
    assert "For 1 arm only the direction was read" in str(layout.caption)
    assert (
        "trial2, 3 mg/kg, 1 day, inactive comparator: no difference, size not given."
        in layout.reading
    )
    draw(layout)
    nothing = lay_out_dose_effect_all_trials(
        dataset,
        select_results(dataset),
        Question("infection", "rr", conditions=("tuberculosis",), treatments=("vaccine",)),
        confidence=0.95,
    )
    assert len(nothing.frame) == 13


def test_a_trial_without_size_or_direction_leaves_no_mark_of_nothing(shipped):
    """Of freedom from suicidal ideation one trial printed odds ratios only, with dose."""
    asked = Question(
        "freedom from suicidal ideation", "rr", conditions=("suicidal ideation",), time_days=3
    )
    results = select_results(shipped, conditions=["suicidal ideation"])
    layout = lay_out_dose_effect_all_trials(shipped, results, asked, confidence=0.95)
    assert list(layout.frame["study"]) == ["price2014", "su2023"]


def test_findings_that_differ_in_their_definition_only_have_two_names(shipped):
    said = study_findings(select_results(shipped), "wilkinson2018", confidence=0.95)
    assert len({sentence.name for sentence in said}) == len(said) == 2


def test_reviews_side_by_side_and_guesses(shipped):
    results = select_results(shipped)
    said = [str(sentence) for sentence in results_by_comparator(results)]
    # Cochrane 2021, Summary of findings 1 and 2.
    assert (
        "Response at 24 hours (Cochrane 2021), odds ratio: 3.94 (1.54 to 10.10) against placebo; "
        "2.48 (1.00 to 6.18) against midazolam." in said
    )
    told = [str(sentence) for sentence in treatment_guesses(results)]
    assert "Sumner 2020: 88% given ketamine guessed right what they had got." in told


def test_shipped_grid_is_large_and_says_how_little_it_rests_on(shipped):
    results = select_results(shipped)
    question = main_question(shipped, results, Question("response", "rr"))
    found = specification_curve(
        shipped, results, question, outcomes=["response", "remission"], times=[1, 3, 7, 14, 28]
    )
    assert len(found.frame) >= 500
    assert found.pooled["address"].nunique() < len(found.pooled)
    assert (found.frame.loc[found.frame["k"] < 2, "refused"] != "").all()
    assert (found.pooled["refused"] == "").all()
