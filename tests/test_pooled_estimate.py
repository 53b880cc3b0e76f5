"""Pooling from tables: the vaccine trials all the way, and what is refused."""

import json
import re

import numpy as np
import pytest
from scipy.stats import t as student

from evidence import cli, describe_pool
from evidence.analysis.checks import check_consistency
from evidence.analysis.narrative.pooled_results import why_not_pooled
from evidence.analysis.pooling.pooled_estimate import (
    PoolingError,
    Refusal,
    meta_analyse,
    pool_studies,
)
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.pooling.study_effects import effects_by_study
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import ParameterError
from evidence.figures.forest_plot import lay_out_cumulative, lay_out_forest
from evidence.figures.layout import draw
from evidence.provenance.methods import METHODS
from evidence.statistics.bayesian import TauPrior, pool_bayesian
from evidence.statistics.meta_analysis import pool
from tests.conftest import ROOT
from tests.example_trials import BCG, TRIALS, YEARS, arm, judge

STUDIES, DESIGNS = "data/studies.csv", "data/designs.csv"
GLMM = json.loads((ROOT / "reference" / "metafor" / "glmm.json").read_text("utf-8"))


def estimate(project, **options):
    dataset = project.dataset()
    question = {"outcome": "infection", "measure": "rr"}
    return meta_analyse(dataset, select_results(dataset), **question | options)


def estimate_or_refusal(project, **options):
    dataset = project.dataset()
    question = {"outcome": "infection", "measure": "rr", "test": "z"}
    return pool_studies(dataset, select_results(dataset), **question | options)


def refusal(project, **options):
    with pytest.raises(PoolingError) as caught:
        estimate(project, **options)
    return " | ".join([*caught.value.left_out, *caught.value.reasons])


@pytest.mark.parametrize(
    ("options", "argument", "option"),
    [
        ({"time_days": 1}, "time_days=84", "--time-days 84"),
        ({"measure": "rd", "method": "bayes"}, "prior_scale=...", "--prior-scale"),
    ],
)
def test_each_caller_reads_of_arguments_in_its_own_terms(vaccine, options, argument, option):
    vaccine.put(schema.OUTCOMES.file, 2, default_days="84")
    for line in range(2, 28):
        vaccine.put("data/studies.csv", line, time="12", time_unit="week")
    with pytest.raises(PoolingError) as caught:
        estimate(vaccine, **options)
    assert str(caught.value).endswith(f" ({argument})")
    assert caught.value.in_options().endswith(f" ({option})")
    for sentence in sentences(vaccine, **options):
        assert "--" not in sentence and "=" not in sentence


def sentences(project, **options):
    return [str(sentence) for sentence in describe_pool(estimate_or_refusal(project, **options))]


@pytest.mark.parametrize(("measure", "name"), [("rr", "RR"), ("or", "OR"), ("rd", "RD")])
@pytest.mark.parametrize(("test", "fit"), [("z", "REML|z"), ("knha", "REML|knha")])
def test_tables_give_metafors_numbers(vaccine, measure, name, test, fit):
    ours = estimate(vaccine, measure=measure, test=test)
    theirs = BCG[name][fit]
    for key in ("estimate", "ci_low", "ci_high", "tau2", "I2", "Q"):
        assert getattr(ours.pooled, key) == pytest.approx(theirs[key], rel=1e-6), key
    assert list(ours.studies["year"]) == sorted(str(year) for year in YEARS)
    assert ours.studies["weight"].sum() == pytest.approx(1)
    assert ours.egger is not None
    assert ours.trim_and_fill is not None
    assert (len(ours.leave_one_out), len(ours.cumulative)) == (13, 12)


@pytest.mark.parametrize(
    ("method", "measure", "key", "label"),
    [("mh", "rr", "MH_RR", "Mantel-Haenszel"), ("peto", "or", "PETO_pooled", "Peto")],
)
def test_stratified_methods_have_no_sensitivity_analyses(vaccine, method, measure, key, label):
    ours = estimate(vaccine, method=method, measure=measure)
    assert ours.pooled.estimate == pytest.approx(BCG[key]["estimate"], rel=1e-10)
    assert f"({label}, Wald)" in str(describe_pool(ours)[0])
    assert set(ours.omitted_analyses) == {"leave_one_out", "cumulative", "egger", "trim_and_fill"}


def test_proportions_are_pooled_with_a_binomial_normal_model_by_default(vaccine):
    ours = estimate(vaccine, measure="proportion", test="z")
    theirs = GLMM["proportion"]["dat.bcg"]["metafor"]
    assert (ours.method, ours.pooled.k) == ("glmm", 13)
    assert ours.pooled.estimate == pytest.approx(theirs["estimate"], rel=1e-6)
    assert (len(ours.leave_one_out), len(ours.cumulative)) == (13, 12)
    assert "random effects, binomial-normal, Wald" in str(describe_pool(ours)[0])
    assert set(ours.omitted_analyses) == {"egger", "trim_and_fill"}
    assert estimate(vaccine, measure="proportion", method="reml").method == "reml"


# metafor 3.8-1: rma.glmm(measure="PLO", xi=c(0, 0, 7), ni=c(1, 8, 30), test="t").
def test_analyses_that_fail_name_the_studies_that_they_rest_on(sparse):
    for line, events, n in ((2, 0, 1), (4, 0, 8), (6, 7, 30), (8, 0, 1), (10, 0, 1)):
        sparse.put(STUDIES, line, events=str(events), n=str(n), as_printed=f"{events}/{n}")
    sparse.write(STUDIES, sparse.rows(STUDIES)[:7])
    ours = estimate(sparse, measure="proportion")
    numbers = (ours.pooled.estimate, ours.pooled.ci_low, ours.pooled.ci_high)
    assert numbers == pytest.approx((-1.519825754, -3.315157, 0.275505493), rel=1e-7)
    last, second = ours.studies["label"].iloc[[2, 1]]
    assert ours.omitted_analyses["leave_one_out"] == (
        f"no leave-one-out analysis: without {last}, nobody has the outcome in any study; the log "
        "odds are not estimable"
    )
    assert f"up to {second}, nobody" in ours.omitted_analyses["cumulative"]


def test_an_odds_ratio_from_counts_by_the_conditional_model(vaccine):
    ours = estimate(vaccine, method="glmm", measure="or", test="z", subgroup_by="condition")
    assert ours.pooled.estimate == pytest.approx(
        GLMM["or"]["dat.bcg"]["CM.EL"]["estimate"], rel=1e-6
    )
    assert ours.subgroups[0].pooled == ours.pooled
    assert "method glmm gives an odds ratio or a proportion" in refusal(vaccine, method="glmm")


def test_models_without_corrections_stand_side_by_side_where_events_are_sparse(vaccine):
    assert estimate(vaccine, measure="or").sparse_events == {}
    vaccine.put(STUDIES, 2, events="0", as_printed="0/123")
    ours = estimate(vaccine, measure="or")
    assert list(ours.sparse_events) == [
        "binomial-normal, conditional", "binomial-normal, unconditional", "Mantel-Haenszel", "Peto",
    ]  # fmt: skip
    by_itself = estimate(vaccine, measure="or", method="glmm").pooled
    assert ours.sparse_events["binomial-normal, conditional"] == by_itself
    text = " ".join(map(str, describe_pool(ours)))
    assert "nobody or everybody has the outcome. Odds ratios (95% CI)" in text
    assert "; Mantel-Haenszel 0." in text


@pytest.mark.parametrize("method", ["glmm", "reml"])
def test_a_forest_of_proportions_shows_what_was_observed(vaccine, method):
    """Nobody of the first trial, and everybody of the second, has the outcome; Wilson's CI by hand."""
    vaccine.put(STUDIES, 2, events="0", n="1", as_printed="0/1")
    vaccine.put(STUDIES, 4, events="306", n="306", as_printed="306/306")
    pooled = estimate(vaccine, measure="proportion", method=method)
    layout = lay_out_forest(pooled)
    lines = layout.frame.set_index("name")
    z2 = 1.959963984540054**2
    assert lines.loc["trial0", ["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [0, 0, z2 / (1 + z2)]
    )
    assert lines.loc["trial1", ["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [1, 306 / (306 + z2), 1]
    )
    assert "its observed proportion and Wilson's 95% confidence interval" in str(layout.caption)
    assert layout.methods["ci_low"] == "wilson"
    assert ("Squares have one size" in str(layout.caption)) == (method == "glmm")


def test_the_data_of_an_estimate_are_json_at_full_precision(vaccine):
    data = json.loads(json.dumps(estimate(vaccine, test="z").as_data(), allow_nan=False))
    theirs = BCG["RR"]["REML|z"]
    assert data["pooled"]["estimate"] == pytest.approx(theirs["estimate"], rel=1e-9)
    assert data["pooled"]["tau2_low"] == pytest.approx(theirs["tau2_Q_profile_ci"][0], abs=1e-4)
    assert data["natural"]["estimate"] == pytest.approx(np.exp(theirs["estimate"]), rel=1e-9)
    assert "Higgins" in data["pooled"]["pi_formula"]
    assert data["leave_one_out"][0]["without"] == "trial0"
    assert data["trim_and_fill"]["missing"] == 1
    assert len(data["studies"]) == 13


def test_the_command_prints_a_table_every_analysis_and_json(grouped, capsys):
    command = ["pool", "--project", str(grouped.root), "--outcome", "infection", "--measure", "rr"]
    command += ["--method", "dl", "--test", "z", "--by", "comparator", "--moderator", "dose"]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^Study +Treated +Comparator +Effect +95% CI +Weight$", printed, re.MULTILINE)
    row = r"^trial0 +4/123 +11/139 +0\.41 +0\.13 to 1\.26 +\d\.\d%$"
    assert re.search(row, printed, re.MULTILINE)
    assert "Heterogeneity is considerable (I² 92%, Q = 152.23, df = 12, p < 0.001)." in printed
    assert "\nComparator inactive. Pooled over 10 studies" in printed
    assert "Difference between subgroups: Q = " in printed
    assert "Per mg/kg the effect changes by " in printed
    assert "Leaving out one study at a time: 0." in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert not {"None", "pi_formula"} & set(printed.split())
    assert cli.main([*command, "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    theirs = BCG["RR"]["DL|z"]["estimate"]
    assert content["pooled"]["estimate"] == pytest.approx(theirs, rel=1e-9)
    assert cli.main([*command, "--measure", "smd"]) == 1
    assert "no tabulated study has confirmed numbers" in capsys.readouterr().err


def test_every_reason_is_given_at_once(vaccine):
    vaccine.put(DESIGNS, 2, randomised="no", design="cohort")
    for line in (4, 5):
        vaccine.put(STUDIES, line, condition="leprosy")
    vaccine.put(DESIGNS, 5, cohort="trial2")
    vaccine.put(DESIGNS, 6, design="randomised crossover")
    others = sorted_by_year(set(TRIALS) - {"trial0", "trial1", "trial4"})
    reasons = refusal(vaccine).split(" | ")
    assert reasons == [
        "trial4 left out: the two periods of a crossover have the same participants, and their "
        "correlation is not known",
        "trial0 left out: not randomised; pooled only on request",
        "the same participants would be counted twice (trial2, trial3)",
        f"the conditions differ (leprosy: trial1; tuberculosis: {', '.join(others)}); name the ones "
        "to pool",
    ]


def sorted_by_year(trials):
    years = dict(zip(TRIALS, YEARS, strict=True))
    return sorted(trials, key=lambda trial: (years[trial], trial))


def test_nonrandomised_studies_are_pooled_on_request(vaccine):
    vaccine.put(DESIGNS, 2, randomised="no", design="cohort")
    without = estimate(vaccine)
    assert without.pooled.k == 12
    reason = "Trial0 left out: not randomised; pooled only on request."
    assert reason in map(str, describe_pool(without))
    assert estimate(vaccine, allow_nonrandomised=True).pooled.k == 13


def test_treatments_are_mixed_only_by_name(graded):
    graded.put(DESIGNS, 2, treatment="sham")
    reason = refusal(graded)
    assert reason.startswith("the treatments differ (sham: trial0; vaccine: trial1")
    assert reason.endswith("name the ones to pool")
    assert estimate(graded, treatments=["sham", "vaccine"]).pooled.k == 13


def test_conditions_and_comparators_are_mixed_only_by_name(vaccine):
    for line in (2, 3):
        vaccine.put(STUDIES, line, condition="leprosy")
    assert "the conditions differ (leprosy: trial0; tuberculosis: trial1" in refusal(vaccine)
    assert estimate(vaccine, conditions=["leprosy", "tuberculosis"]).pooled.k == 13
    assert estimate(vaccine, conditions=["tuberculosis"]).pooled.k == 12
    vaccine.put(DESIGNS, 2, comparator_kind="active")
    vaccine.put(DESIGNS, 3, comparator_kind="inactive")
    both = ["leprosy", "tuberculosis"]
    assert "the comparators differ (active: trial0; inactive: trial1; not stated: trial5" in (
        refusal(vaccine, conditions=both)
    )
    options = {"conditions": both, "comparators": ["active", "inactive"]}
    assert estimate(vaccine, **options).pooled.k == 2


def test_one_study_is_not_pooled(vaccine):
    vaccine.write(STUDIES, vaccine.rows(STUDIES)[:3])
    assert refusal(vaccine) == (
        "only one tabulated study (trial0) has confirmed numbers for the risk ratio of infection near "
        "1 day; pooling needs two"
    )


def test_a_refusal_names_the_times_at_which_results_exist(vaccine):
    for line in range(2, 28):
        vaccine.put(STUDIES, line, time="1", time_unit="year")
    window = "no tabulated study has confirmed numbers for the risk ratio of infection near 1 day (8 hours"
    assert refusal(vaccine, time_days=1.0) == (f"{window} to 3 days); results exist at 1 year")
    assert refusal(vaccine, measure="smd", time_days=1.0).endswith(
        "(8 hours to 3 days), nor at any other time"
    )


def test_results_far_from_the_time_asked_for_do_not_count(vaccine):
    for study, day in (("trial0", "20"), ("trial1", "4"), ("trial2", "2")):
        for name, role in (("vaccine", "intervention"), ("none", "comparator")):
            vaccine.row(**arm(study, name, role, 3, 50, time=day, time_unit="day", outcome="death"))
    vaccine.table(schema.OUTCOMES, outcome="death", kind="harm", better="lower", description="died")
    near = estimate(vaccine, outcome="death", time_days=7)
    assert list(near.studies["study"]) == ["trial0", "trial1"]
    assert estimate(vaccine, outcome="death", time_days=7, max_time_ratio=10).pooled.k == 3


def test_the_time_nearest_to_the_one_asked_for_is_used(vaccine):
    for day, events in (("1", 5), ("30", 9)):
        for study in ("trial0", "trial1"):
            for name, role in (("vaccine", "intervention"), ("none", "comparator")):
                vaccine.row(**arm(study, name, role, events, 100, time=day, time_unit="day"))
    rows = select_results(vaccine.dataset())
    rows = rows[rows["days"].notna()].to_dict("records")
    for time_days, events in ((1, 5), (4, 5), (10, 9), (365, 9)):
        effects = effects_by_study(rows, measure="rr", time_days=time_days)
        assert [effect["events1"] for effect in effects] == [events, events]


def test_a_method_that_does_not_fit_the_measure_is_refused(vaccine):
    assert "Peto's method gives an odds ratio" in refusal(vaccine, method="peto")
    reasons = refusal(vaccine, method="mh", measure="proportion")
    assert "Mantel-Haenszel pools counts of two groups" in reasons


def test_unconfirmed_numbers_never_count(vaccine):
    vaccine.put(STUDIES, 2, verified="not read")
    assert estimate(vaccine).pooled.k == 12


def test_arms_that_share_a_comparator_are_combined(vaccine):
    """4/123 and 6/77 against 11/139 are 10/200 against 11/139, the comparator counted once."""
    vaccine.row(**arm("trial0", "vaccine, high", "intervention", 6, 77))
    study = estimate(vaccine).studies.set_index("study").loc["trial0"]
    assert [study[name] for name in ("events1", "n1", "events2", "n2")] == [10, 200, 11, 139]
    assert study["yi"] == pytest.approx(np.log((10 / 200) / (11 / 139)))
    assert study["comparison"] == "vaccine and vaccine, high versus none"


# Events and participants of five trials, two of which have no events in either group.
SPARSE = [(1, 20, 4, 20), (0, 15, 0, 15), (3, 30, 2, 30), (0, 25, 0, 25), (2, 18, 0, 18)]


@pytest.fixture
def sparse(graded):
    graded.write(STUDIES, graded.rows(STUDIES)[:11])
    for trial, (events1, n1, events2, n2) in enumerate(SPARSE):
        for line, events, n in ((2 * trial + 2, events1, n1), (2 * trial + 3, events2, n2)):
            graded.put(STUDIES, line, events=str(events), n=str(n), as_printed=f"{events}/{n}")
    return graded


# metafor 3.8-1: escalc(drop00=TRUE or FALSE), then rma(test="adhoc", control=list(threshold=1e-15,
# maxiter=10000)): estimate, ci.lb, ci.ub.
@pytest.mark.parametrize(
    ("measure", "options", "k", "expected"),
    [
        ("rr", {}, 3, (0.03435763955826404, -3.39926887513217, 3.46798415424870)),
        ("or", {}, 3, (0.04274699016357675, -3.77414793004458, 3.85964191037173)),
        (
            "rr",
            {"include_double_zero": True},
            5,
            (0.007927452315306, -1.563255604720463, 1.579110509353073),
        ),
        ("rd", {}, 5, (0.00463446539081654, -0.0700292013281705, 0.0792981321098035)),
    ],
)
def test_trials_without_events_are_left_out_of_ratios_as_by_drop00(
    sparse, measure, options, k, expected
):
    ours = estimate(sparse, measure=measure, test="knha-adhoc", **options)
    assert ours.pooled.k == k
    numbers = (ours.pooled.estimate, ours.pooled.ci_low, ours.pooled.ci_high)
    assert numbers == pytest.approx(expected, rel=1e-6)
    reasons = [reason for reason in ours.left_out if "no events in either group" in reason]
    assert len(reasons) == (k == 3)
    assert ours.as_data()["left_out"] == list(ours.left_out)


@pytest.mark.parametrize(("method", "measure"), [("mh", "rr"), ("peto", "or")])
def test_methods_for_sparse_data_count_the_trials_that_contribute(sparse, method, measure):
    """Metafor 3.8-1: rma.mh and rma.peto give standard errors of 0.5578 and 0.6005."""
    ours = estimate(sparse, measure=measure, method=method, include_double_zero=True)
    assert (ours.pooled.k, len(ours.studies)) == (3, 3)
    assert ours.pooled.estimate == pytest.approx(0, abs=1e-12)
    expected = {"mh": 0.5577733510227171, "peto": 0.6005423}[method]
    assert ours.pooled.se == pytest.approx(expected, rel=1e-6)
    assert any(
        line.startswith("Trial1 and trial3 left out")
        for line in sentences(sparse, measure=measure, method=method)
    )


def test_a_ratio_of_trials_without_any_event_is_not_estimable(sparse):
    sparse.write(STUDIES, [sparse.rows(STUDIES)[line] for line in (0, 3, 4, 7, 8)])
    assert "the risk ratio is not estimable: nobody has the outcome" in refusal(sparse)
    assert estimate(sparse, measure="rd").pooled.estimate == 0


def mean(study, name, role, value, sd, n):
    return arm(
        study, name, role, "", n,
        measure="mean", value=value, spread=sd, spread_kind="sd", instrument="scale",
        as_printed=f"{value} ({sd})",
    )  # fmt: skip


def test_means_of_arms_are_combined_as_if_one_arm(vaccine):
    """10 (2), n 5 and 14 (2), n 5: mean 12, SD √((4·4 + 4·4 + 40) / 9) = 2.828."""
    for study in ("trial0", "trial1"):
        vaccine.row(**mean(study, "low", "intervention", "10", "2", "5"))
        vaccine.row(**mean(study, "high", "intervention", "14", "2", "5"))
        vaccine.row(**mean(study, "nothing", "comparator", "8", "2", "10"))
    studies = estimate(vaccine, measure="md").studies
    assert list(studies["yi"]) == [4.0, 4.0]
    assert studies["vi"].iloc[0] == pytest.approx(8 / 10 + 4 / 10)
    for line in (31, 32, 33):
        vaccine.put(STUDIES, line, instrument="other scale")
    reason = "the scales differ (scale, other scale); use measure smd"
    assert refusal(vaccine, measure="md").endswith(reason)


@pytest.mark.parametrize(
    ("sd", "n", "reason"),
    [
        ("0", "3", "a standard deviation or error of 0"),
        ("2", "1", "a standard deviation with n = 1"),
    ],
)
def test_a_standard_deviation_without_variance_is_left_out_and_an_error(vaccine, sd, n, reason):
    for study in ("trial0", "trial1", "trial2"):
        spoilt = study == "trial2"
        vaccine.row(
            **mean(study, "low", "intervention", "10", *((sd, n) if spoilt else ("2", "5")))
        )
        vaccine.row(**mean(study, "nothing", "comparator", "8", "2", "10"))
    ours = estimate(vaccine, measure="md", moderator="dose")
    assert ours.pooled.k == 2
    # A mean difference has the scale of its instrument, so that no prior for tau fits all.
    assert ours.few_studies == ()
    assert ours.omitted_analyses["few_studies"].startswith("no Bayesian estimate beside it")
    assert ours.omitted_analyses["regression"] == (
        "no meta-regression on dose: it needs two studies that state it; there are 0"
    )
    assert f"trial2 left out: {reason} ({STUDIES}:32)" in ours.left_out
    findings = [f for f in check_consistency(vaccine.dataset()) if f.code == "VARIANCE"]
    assert [(f.rows, f.severity, f.message) for f in findings] == [
        ((f"{STUDIES}:32",), "error", reason)
    ]


def test_the_interval_of_a_ratio_cannot_start_at_0(vaccine):
    printed = {"versus": "none", "measure": "risk ratio", "value": "0.5", "ci_high": "9.9"}
    vaccine.put(STUDIES, 3, verified="not read")
    printed |= {"events": "", "n": ""}
    vaccine.put(
        STUDIES, 2, role="contrast", ci_low="0.00", as_printed="0.5 (0.00 to 9.9)", **printed
    )
    ours = estimate(vaccine)
    assert ours.pooled.k == 12
    assert any("cannot start at 0" in reason for reason in ours.left_out)
    assert "VARIANCE" in {finding.code for finding in check_consistency(vaccine.dataset())}


def test_a_mean_without_sd_is_named_if_the_other_arm_has_one(vaccine):
    vaccine.row(**mean("trial0", "low", "intervention", "10", "", "5") | {"spread_kind": ""})
    vaccine.row(**mean("trial0", "nothing", "comparator", "8", "2", "10"))
    (finding,) = [f for f in check_consistency(vaccine.dataset()) if f.code == "NOSD"]
    assert finding.rows == (f"{STUDIES}:28",)


def test_a_printed_effect_is_used_where_means_are_missing(vaccine):
    """0.5 (0.1 to 0.9): variance (0.8 / 3.92)²."""
    for study in ("trial0", "trial1"):
        printed = {
            "versus": "none", "measure": "smd", "value": "0.5", "ci_low": "0.1", "ci_high": "0.9",
            "as_printed": "0.5 (0.1 to 0.9)",
        }  # fmt: skip
        vaccine.row(**arm(study, "vaccine", "contrast", "", "", **printed))
    studies = estimate(vaccine, measure="smd").studies
    assert studies["vi"].iloc[0] == pytest.approx((0.8 / 3.919927969080108) ** 2)


def test_a_pooled_estimate_in_words(vaccine):
    """Metafor's REML: exp(-0.7145) = 0.49 (0.34 to 0.70), tau² 0.31; k = 13."""
    effect, side, prediction = sentences(vaccine)
    assert side == "Values below 1 favour the treatment."
    theirs = BCG["RR"]["REML|z"]
    numbers = [f"{np.exp(theirs[key]):.2f}" for key in ("estimate", "ci_low", "ci_high")]
    assert effect == (
        "Pooled over 13 studies (random effects, REML, Wald): risk ratio of infection "
        "{} (95% CI {} to {}).".format(*numbers)
    )
    low, high = (np.exp(theirs[f"pi_{end}_t_k_minus_2"]) for end in ("low", "high"))
    assert f"prediction interval for a further study is {low:.2f} to {high:.2f};" in prediction
    assert f"tau² is {theirs['tau2']:.2f} (95% CI " in prediction
    assert "(90% CI " in sentences(vaccine, confidence=0.9)[0]


def test_a_forest_plot_shows_metafors_numbers(vaccine):
    pooled = estimate_or_refusal(vaccine)
    layout = lay_out_forest(pooled)
    assert list(layout.frame["kind"]) == ["study"] * 13 + ["pooled"]
    diamond = layout.frame.iloc[-1]
    theirs = BCG["RR"]["REML|z"]
    assert diamond["estimate"] == pytest.approx(np.exp(theirs["estimate"]))
    assert diamond["pi_high"] == pytest.approx(np.exp(theirs["pi_high_t_k_minus_2"]))
    assert layout.columns == {
        "label": "Study", "group1": "Treated\nn/N", "group2": "Comparator\nn/N",
        "share": "Weight", "effect": "Risk ratio (95%\N{NO-BREAK SPACE}CI)",
    }  # fmt: skip
    assert diamond["heterogeneity"] == "I² 92%, τ² 0.31, Q = 152.23, df = 12, p < 0.001"
    totals = (int(sum(BCG["studies"][name])) for name in ("events1", "n1"))
    assert diamond["group1"] == "/".join(map(str, totals))
    assert layout.reading[-1].endswith(f"; {diamond['heterogeneity']}.")
    cumulative = lay_out_cumulative(pooled).frame
    assert len(cumulative) == 13
    assert cumulative["estimate"].iloc[-1] == pytest.approx(diamond["estimate"])
    assert draw(layout).axes


def test_a_refusal_is_shown_in_place_of_a_forest_plot(vaccine):
    refused = estimate_or_refusal(vaccine, measure="smd")
    sentence, others = map(str, describe_pool(refused))
    assert others.startswith("Trial0, trial1, trial2")
    assert others.endswith(" and trial12 left out: only a proportion.")
    assert sentence.startswith(
        "Not pooled: no tabulated study has confirmed numbers for the standardised "
    )
    assert lay_out_forest(refused).empty == lay_out_cumulative(refused).empty == sentence
    assert sentences(vaccine, outcome="fever") == ["Not pooled: no selected result reports fever."]
    with pytest.raises(ParameterError, match="'magic' is not one of: rr, or"):
        estimate_or_refusal(vaccine, measure="magic")


def test_refusals_of_one_outcome_have_different_names(grouped):
    """A page may hold several charts of which none can be drawn."""
    refusals = [
        estimate_or_refusal(grouped, measure="md", subgroup_by=by) for by in ("", "comparator")
    ]
    assert all(isinstance(refused, Refusal) for refused in refusals)
    ids = [lay_out_forest(refused).id for refused in refusals]
    assert ids == ["fig-forest", "fig-forest-by-comparator"]
    names = [sentence.name for refused in refusals for sentence in describe_pool(refused)]
    assert len(set(names)) == len(names)


def test_subgroups_are_pooled_separately_and_compared(grouped):
    pooled = estimate_or_refusal(grouped, method="dl", subgroup_by="comparator")
    groups = {group.name: group for group in pooled.subgroups}
    inactive = [study in TRIALS[:10] for study in pooled.studies["study"]]
    yi, vi = pooled.studies["yi"][inactive], pooled.studies["vi"][inactive]
    expected = pool(yi, vi, method="dl", test="z").estimate
    assert groups["inactive"].pooled.estimate == pytest.approx(expected)
    estimates = np.array([group.pooled.estimate for group in pooled.subgroups])
    weights = np.array([group.pooled.se**-2 for group in pooled.subgroups])
    q = np.sum(weights * (estimates - np.average(estimates, weights=weights)) ** 2)
    assert pytest.approx(q) == pooled.subgroup_test.statistic
    assert pooled.as_data()["subgroups"]["difference"]["Q"] == pytest.approx(q)
    assert "Comparator active. Pooled over 3 studies" in " ".join(map(str, describe_pool(pooled)))
    layout = lay_out_forest(pooled)
    kinds = list(layout.frame["kind"])
    assert (kinds.count("heading"), kinds.count("study"), kinds.count("pooled")) == (2, 13, 2)
    assert layout.note.startswith(f"Test for subgroup differences: Q = {q:.2f}, df = 1, p")
    assert layout.reading[-1] == f"{layout.note}."
    draw(layout)


def test_subgroups_by_blinding_need_not_agree_in_the_comparator(grouped):
    data = estimate_or_refusal(grouped, subgroup_by="blinding", moderator="dose").as_data()
    assert set(data["subgroups"]["groups"]) == {"active placebo", "inactive comparator"}
    assert len(data["regression"]["beta"]) == 2


def test_a_meta_regression_in_words(grouped):
    spoken = sentences(grouped, subgroup_by="comparator", moderator="dose")
    assert any(sentence.startswith("Per mg/kg the effect changes by ") for sentence in spoken)


def test_what_a_subgroup_of_one_study_cannot_give_is_said_once(grouped):
    for line in (12, 13):
        grouped.put(DESIGNS, line, comparator_kind="inactive")
    spoken = sentences(grouped, subgroup_by="comparator")
    assert any(
        sentence.startswith("Comparator active. One study, trial12: risk ratio of infection")
        for sentence in spoken
    )
    reason = "No subgroup test: fewer than two subgroups contain two or more studies."
    assert spoken.count(reason) == 1


def test_what_a_stratified_method_cannot_give_is_said(grouped):
    options = {"subgroup_by": "comparator", "moderator": "dose"}
    spoken = sentences(grouped, method="mh", **options)
    assert "No subgroup analysis: method mh has none." in spoken
    assert "No meta-regression on dose: method mh has none." in spoken
    draw(lay_out_forest(estimate_or_refusal(grouped, method="mh", **options)))


def test_too_few_studies_for_a_meta_regression(grouped):
    for line in range(4, 28):
        grouped.put(STUDIES, line, dose="", dose_unit="")
    grouped.put(STUDIES, 4, dose="2", dose_unit="mg/kg")
    assert "No meta-regression on dose: 2 studies are too few for 2 coefficients." in sentences(
        grouped, subgroup_by="blinding", moderator="dose"
    )


def test_risk_of_bias_is_part_of_a_study_effect(grouped):
    judge(grouped, "trial0", ["high", "low", "low", "low", "low"])
    pooled = estimate_or_refusal(grouped, subgroup_by="comparator")
    risks = pooled.studies.set_index("study")["risk"]
    assert (risks["trial0"], risks["trial1"]) == ("high", "")
    layout = lay_out_forest(pooled)
    line = "trial0 (4/123 against 11/139, 1 day): 0.41 (0.13 to 1.26), risk of bias high"
    assert any(sentence.startswith(line) for sentence in layout.reading)
    texts = [text.get_text() for text in draw(layout).axes[0].texts]
    assert texts.count("×") == 1


def test_an_open_question_is_narrowed_to_what_has_most_studies(graded):
    for line in (2, 3, 4):
        graded.put(DESIGNS, line, treatment="sham")
    dataset = graded.dataset()
    results = select_results(dataset)
    question = main_question(dataset, results, Question("infection", "rr"))
    assert (question.conditions, question.treatments) == (("tuberculosis",), ("vaccine",))
    assert len(pool_studies(dataset, results, **vars(question)).studies) == 10


def test_studies_with_a_common_outcome_are_not_said_to_be_left_out(vaccine):
    vaccine.put("data/outcomes.csv", 2, kind="benefit")
    (sentence,) = why_not_pooled(vaccine.dataset())
    assert str(sentence) == "trial0, trial1 and trial2 can be pooled: all report infection."


def test_studies_without_a_common_outcome_are_introduced_separately(vaccine):
    vaccine.put(STUDIES, 4, outcome="death")
    vaccine.put(STUDIES, 5, outcome="death")
    vaccine.table(
        schema.OUTCOMES, outcome="death", kind="benefit", better="lower", description="died"
    )
    vaccine.put("data/outcomes.csv", 2, kind="benefit")
    dataset = vaccine.dataset()
    spoken = [str(sentence) for sentence in why_not_pooled(dataset)]
    assert spoken == [
        "trial0, trial1 and trial2 are not pooled: they have no outcome in common.",
        "trial0: randomised parallel, infection.",
        "trial1: randomised parallel, death.",
        "trial2: randomised parallel, infection.",
    ]


def few_trials(vaccine):
    """Leave three trials in a condition of their own, with a minimal important difference."""
    for line in range(2, 8):
        vaccine.put(STUDIES, line, condition="leprosy")
    table = schema.MINIMAL_IMPORTANT_DIFFERENCES
    row = {"outcome": "infection", "measure": "rr", "value": "1.25", "source": "trial0"}
    row |= {"locator": "p. 1", "reason": "a rough guide"}
    vaccine.write(table.file, [table.names, [row.get(name, "") for name in table.names]])
    return {"conditions": ("leprosy",)}


def test_few_studies_are_also_pooled_with_a_prior(vaccine):
    ours = estimate(vaccine, **few_trials(vaccine))
    few, effects = ours.few_studies, (ours.studies["yi"], ours.studies["vi"])
    assert ours.pooled.k == 3
    half_normal = pool_bayesian(*effects, prior=TauPrior("half-normal", 0.5))
    assert few[0].estimate == pytest.approx(half_normal.estimate, rel=1e-12)
    # Infections are better rare: an effect that matters is a risk ratio below 1 / 1.25.
    assert ours.important.threshold == pytest.approx(-np.log(1.25))
    below = 1 - half_normal.probability_above(-np.log(1.25))
    priors = [estimate.prior for estimate in few]
    assert priors[0] == "half-normal with scale 0.5 (Röver et al. 2021)"
    probabilities = ours.important_probabilities
    assert probabilities[priors[0]] == pytest.approx(below)
    t_share = student.cdf((-np.log(1.25) - ours.pooled.estimate) / ours.pooled.se, df=2)
    assert probabilities["knha-adhoc"] == pytest.approx(t_share)
    texts = [str(sentence) for sentence in describe_pool(ours)]
    assert sum("prior for tau: half-" in text for text in texts) == 2
    assert f"(below 0.80): {below:.0%} with a {priors[0]} prior, " in " ".join(texts)
    by_risk = estimate(vaccine, conditions=("leprosy",), subgroup_by="risk")
    spoken = list(map(str, describe_pool(by_risk)))
    assert sum("prior for tau: half-" in text for text in spoken) == 2
    (group,) = by_risk.as_data()["subgroups"]["groups"].values()
    assert group["important_probabilities"] == probabilities
    data = json.loads(json.dumps(ours.as_data(), allow_nan=False))
    assert data["important_probabilities"][priors[0]] == pytest.approx(below)


def test_many_studies_need_no_prior(vaccine):
    assert not estimate(vaccine).few_studies
    assert not estimate(vaccine, test="z", **few_trials(vaccine)).few_studies


def test_a_bayesian_pool_names_its_prior(vaccine):
    ours = estimate(vaccine, method="bayes", prior="half-cauchy", prior_scale=1, subgroup_by="risk")
    assert ours.pooled.prior == "half-Cauchy with scale 1"
    assert ours.ci_label == "95% CrI"
    assert ours.omitted_analyses["subgroups"] == "no subgroup analysis: method bayes has none"
    json.dumps(ours.as_data(), allow_nan=False)
    assert draw(lay_out_forest(estimate(vaccine, method="bayes")))
    assert "no sensitivity analyses by study" in lay_out_cumulative(ours).empty.lower()
    assert "Prior for tau: half-normal with scale 0.5 (Röver et al. 2021)." in sentences(
        vaccine, method="bayes"
    )


def test_a_prior_in_units_of_the_outcome_needs_a_scale(vaccine):
    assert "needs a scale in the units of the effect" in refusal(
        vaccine, measure="rd", method="bayes"
    )
    assert estimate(vaccine, measure="rd", method="bayes", prior_scale=0.1).pooled.k == 13


def test_several_effects_of_a_study_are_pooled_as_dependent(vaccine):
    assert "no study has two effects" in refusal(vaccine, method="threelevel")
    for line in (4, 5):
        vaccine.put(STUDIES, line, study="trial0", instrument="blood")
    ours = estimate(vaccine, method="threelevel", rho=0.4)
    assert (ours.pooled.k, ours.pooled.studies, ours.pooled.rho) == (13, 12, 0.4)
    assert (ours.test, len(ours.by_rho)) == ("cr2", 5)
    assert set(ours.studies["label"]) >= {"trial0 (blood)", "trial2"}
    texts = [str(sentence) for sentence in describe_pool(ours)]
    assert (
        "Pooled over 13 effects of 12 studies (three-level random effects, REML, robust CR2)"
        in (texts[0])
    )
    assert "are assumed to correlate with 0.4" in " ".join(texts)
    names = lay_out_forest(ours).frame["name"]
    assert names.is_unique
    assert "trial0 2" in set(names)
    json.dumps(ours.as_data(), allow_nan=False)
    # One effect per study otherwise, that of one scale.
    assert estimate(vaccine).pooled.k == 12


def test_moderators_and_subgroups_of_dependent_effects_are_tested_robustly(grouped):
    for line in (4, 5, 24, 25):
        grouped.put(STUDIES, line, study=f"trial{0 if line < 10 else 10}", instrument="blood")
    options = {"method": "threelevel", "subgroup_by": "comparator", "moderator": "dose"}
    ours = estimate(grouped, **options)
    assert [group.pooled.studies for group in ours.subgroups] == [9, 2]
    assert {group.pooled.between for group in ours.subgroups} == {ours.subgroups[0].pooled.between}
    data = ours.as_data()
    assert data["subgroups"]["difference"]["F"] == ours.subgroup_test.statistic
    assert data["regression"]["df"][1] == ours.regression.df[1] < 10
    spoken = sentences(grouped, **options)
    assert any(text.startswith("Per mg/kg the effect changes by ") for text in spoken)
    assert any("3 effects of 2 studies" in text for text in spoken)
    draw(lay_out_forest(ours))


def test_several_outcomes_enter_one_model(vaccine):
    fever = {"kind": "harm", "better": "lower", "description": "had it"}
    vaccine.table(schema.OUTCOMES, outcome="fever", **fever)
    for line in (4, 5):
        vaccine.put(STUDIES, line, study="trial0", outcome="fever")
    question = {"outcome": ["infection", "fever"], "method": "threelevel"}
    ours = estimate(vaccine, **question)
    assert (ours.pooled.k, ours.pooled.studies) == (13, 12)
    assert set(ours.studies["label"]) >= {"trial0 (infection)", "trial0 (fever)", "trial2"}
    assert ours.outcome == "infection and fever"
    assert "use method threelevel" in refusal(vaccine, **question | {"method": "reml"})
    vaccine.put("data/outcomes.csv", 3, better="higher")
    assert "do not share a better direction (infection: lower; fever: higher)" in refusal(
        vaccine, **question
    )


def test_differences_of_outcomes_with_opposite_directions_get_one_sign(vaccine):
    strength = {"kind": "benefit", "better": "higher", "description": "how strong"}
    vaccine.table(schema.OUTCOMES, outcome="strength", **strength)
    # Of trial 0 both differences favour the vaccine; trial 1 has one of them.
    for number, outcome, value in (
        (0, "infection", -0.5),
        (0, "strength", 0.4),
        (1, "strength", 0.2),
    ):
        cells = {"outcome": outcome, "measure": "smd", "events": "", "as_printed": str(value)}
        numbers = {"value": str(value), "ci_low": str(value - 0.2), "ci_high": str(value + 0.2)}
        row = arm(f"trial{number}", "vaccine", "contrast", "", "100", versus="none")
        vaccine.row(**row | cells | numbers)
    ours = estimate(vaccine, outcome=("infection", "strength"), measure="smd", method="threelevel")
    assert list(ours.studies["yi"]) == pytest.approx([-0.5, -0.4, -0.2])
    assert "sign turned, as higher strength is better" in " ".join(ours.handling)


def test_a_subgroup_of_several_effects_of_one_study_is_not_pooled(grouped):
    for line in (24, 25, 26, 27):
        grouped.put(STUDIES, line, study="trial10", instrument=f"scale {line // 2}")
    spoken = sentences(grouped, method="threelevel", subgroup_by="comparator")
    assert any(text.startswith("Comparator active. Not pooled: trial10 (") for text in spoken)


@pytest.mark.parametrize(
    ("method", "description"),
    [
        ("reml", "prediction"),
        ("threelevel", "prediction_three_level"),
        ("bayes", "prediction_bayes"),
    ],
)
def test_a_forest_plot_says_how_its_prediction_interval_was_computed(vaccine, method, description):
    if method == "threelevel":
        for line in (4, 5):
            vaccine.put(STUDIES, line, study="trial0", instrument="blood")
    layout = lay_out_forest(estimate(vaccine, method=method))
    assert layout.methods["pi_low"] == layout.methods["pi_high"] == description
    assert description in METHODS
