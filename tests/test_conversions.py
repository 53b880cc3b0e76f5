"""Variances from SEs, CIs, p values and t statistics, and why a study does not enter a pool."""

import numpy as np
import pytest

from evidence import cli, describe_pool
from evidence.analysis.checks import check_consistency
from evidence.analysis.pooling.pooled_estimate import PoolingError, meta_analyse, pool_studies
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.figures.forest_plot import lay_out_forest
from evidence.statistics import conversions
from tests.example_trials import BCG, arm

STUDIES, DESIGNS = schema.STUDIES.file, schema.DESIGNS.file


@pytest.mark.parametrize(
    ("computed", "printed"),
    [
        # Cochrane Handbook 6.5.2.2: the 95% CI of a mean with n = 25 is 4.128 SEs wide.
        (1 / conversions.se_from_interval(0, 1, 24), 4.128),
        (1 / conversions.se_from_interval(0, 1), 3.92),
        (1 / conversions.se_from_interval(0, 1, confidence=0.9), 3.29),
        # 6.5.2.3: a difference of 3.8 with p = 0.008 in groups of 25 and 22: t = 2.78, SE 1.37.
        (1 / conversions.se_from_p(1, 0.008, 45), 2.78),
        (conversions.se_from_p(3.8, 0.008, 45), 1.37),
        (conversions.se_from_statistic(3.8, -2.78), 1.37),
        # 6.3.2: a risk difference of 0.03 with p = 0.008: Z = 2.652, SE 0.011.
        (1 / conversions.se_from_p(1, 0.008), 2.652),
        (conversions.se_from_p(0.03, 0.008), 0.011),
        # grunebaum2017, n = 16: 95% CI -0.65 to 12.31 and t = 1.94 of 5.84 beside SE = 3.01.
        (conversions.se_from_statistic(5.84, 1.94), 3.01),
        # By hand: 0.5 × √16, and one SD each side of a normal mean holds 1.35 / 2 SDs.
        (conversions.sd_from_se(0.5, 16), 2.0),
        (conversions.sd_from_iqr(2.7), 2.0),
    ],
)
def test_the_handbooks_examples(computed, printed):
    digits = len(f"{printed}".partition(".")[2])
    assert round(float(computed), digits) == printed


def test_a_small_trial_prints_cis_by_t():
    """grunebaum2017 prints both SE = 3.01 and the CI; the normal distribution would give 3.31."""
    interval = (-0.65, 12.31)
    assert float(conversions.se_from_interval(*interval, 14)) == pytest.approx(3.01, abs=0.015)
    assert float(conversions.se_from_interval(*interval)) == pytest.approx(3.31, abs=0.01)


def pool(project, measure, **options):
    dataset = project.dataset()
    options = {"outcome": "score", "test": "z", "time_days": 1.0} | options
    return meta_analyse(dataset, select_results(dataset), measure=measure, **options)


@pytest.fixture
def scored(vaccine):
    """Case: two trials with means and SDs; a third, trial2, is added by each test."""
    vaccine.table(schema.OUTCOMES, outcome="score", kind="benefit", better="lower",
                  description="a score")  # fmt: skip
    add_means(vaccine, "trial0", ("12.1", "5.2", "30"), ("15.4", "5.6", "31"))
    add_means(vaccine, "trial1", ("11.0", "6.0", "50"), ("13.9", "6.4", "48"))
    return vaccine


def add_means(project, study, *groups, **cells):
    for (value, spread, n), role in zip(groups, ("intervention", "comparator"), strict=False):
        numbers = {"measure": "mean", "value": value, "spread": spread, "outcome": "score",
                   "spread_kind": "sd" if spread else "", "as_printed": value}  # fmt: skip
        project.row(**arm(study, role, role, "", n) | numbers | cells)


def add_contrast(project, study, **cells):
    numbers = {"versus": "none", "outcome": "score", "as_printed": cells["value"]}
    project.row(**arm(study, "vaccine", "contrast", "", "") | numbers | cells)


def test_standard_errors_are_converted_and_named(scored, capsys):
    """Metafor 3.8-1: escalc and rma of the means with SD = SE × √n."""
    add_means(scored, "trial2", ("10.5", "0.79", "40"), ("14.5", "0.86", "41"), spread_kind="se")
    ours = pool(scored, "md", test="knha-adhoc")
    assert list(ours.studies["vi"]) == pytest.approx([1.91294623655914, 1.573333333333333, 1.3637])
    numbers = (ours.pooled.estimate, ours.pooled.ci_low, ours.pooled.ci_high)
    assert numbers == pytest.approx((-3.4369558925966777, -6.56531313664195, -0.3085986485514054))
    assert pool(scored, "smd").pooled.estimate == pytest.approx(-0.594610274044980902)
    converted = "Converted from what is printed: trial2 (SD = SE × √n)."
    assert converted in map(str, describe_pool(ours))
    assert [study["conversion"] for study in ours.as_data()["studies"]] == ["", "", "SD = SE × √n"]
    layout = lay_out_forest(ours)
    assert list(layout.frame["conversion"]) == ["", "", "SD = SE × √n", ""]
    assert layout.reading[2].startswith(
        "trial2 (10.5 (5), 40 against 14.5 (5.51), 41): −4.00 (−6.29 to −1.71)"
    )
    assert "SD = SE × √n" in layout.reading[2]
    command = ["pool", "--project", str(scored.root), "--outcome", "score", "--measure", "md"]
    assert cli.main(command) == 0
    assert converted in capsys.readouterr().out


@pytest.mark.parametrize(
    ("n", "cells", "sd", "conversion"),
    [
        # 4.128 / 4.128 × √25, with the Handbook's 4.128 for n = 25.
        ("25", {"ci_low": "9", "ci_high": "13.128"}, 5.0, "95% CI of the mean"),
        ("36", {"spread": "-8", "spread_kind": "t", "value": "-12"}, 9.0, "t statistic"),
        ("100", {"spread": "13.5", "spread_kind": "iqr"}, 10.0, "IQR / 1.35"),
    ],
)
def test_a_mean_with_another_spread_gives_an_sd(scored, n, cells, sd, conversion):
    add_means(scored, "trial2", ("11", "", n), ("11", "", n), **cells)
    study = pool(scored, "md").studies.set_index("study").loc["trial2"]
    assert study["vi"] == pytest.approx(2 * sd**2 / float(n), rel=1e-4)
    assert conversion in study["conversion"]


@pytest.mark.parametrize(
    ("measure", "cells", "se", "conversion"),
    [
        ("md", {"spread": "1.5", "spread_kind": "se"}, 1.5, ""),
        ("md", {"n": "47", "p_value": "0.008", "value": "3.8"}, 1.369, "p = 0.008, t with 45 df"),
        ("md", {"n": "26", "ci_low": "-1", "ci_high": "3.128"}, 1.0, "95% CI, t with 24 df"),
        ("md", {"ci_low": "-0.96", "ci_high": "2.96"}, 1.0, "95% CI, normal distribution"),
        ("md", {"spread": "2", "spread_kind": "t", "value": "3"}, 1.5, "t statistic"),
        ("rd", {"p_value": "0.008", "value": "0.03"}, 0.01131, "p = 0.008, normal distribution"),
        # ln 7.389 = 2 and z = 3.2905 for 0.001; ln 7.0993 = 1.96 above ln 1.
        ("hr", {"p_value": "<0.001", "value": "7.389"}, 2 / 3.2905, "p < 0.001 taken as 0.001"),
        ("irr", {"value": "1", "ci_low": "0.14086", "ci_high": "7.0993"}, 1.0, "95% CI"),
        ("generic", {"value": "0.4", "spread": "0.2", "spread_kind": "se"}, 0.2, ""),
    ],
)
def test_an_effect_with_ci_se_p_or_t_can_be_pooled(scored, measure, cells, se, conversion):
    name = {"md": "mean difference", "rd": "risk difference", "hr": "hazard ratio",
            "irr": "rate ratio", "generic": "effect"}[measure]  # fmt: skip
    for study in ("trial2", "trial3"):
        add_contrast(scored, study, measure=name, **{"value": "1"} | cells)
    studies = pool(scored, measure).studies.set_index("study")
    assert np.sqrt(studies.loc["trial2", "vi"]) == pytest.approx(se, rel=1e-3)
    assert conversion in studies.loc["trial2", "conversion"]
    assert bool(studies.loc["trial2", "conversion"]) == bool(conversion)


@pytest.mark.parametrize(
    ("measure", "name", "to_entry"),
    [("generic", "effect", float), ("hr", "hazard ratio", np.exp), ("irr", "rate ratio", np.exp)],
)
def test_effects_with_se_give_metafors_numbers(vaccine, measure, name, to_entry):
    """The vaccine trials as log risk ratios with their SEs, entered as effects or as ratios."""
    dataset = vaccine.dataset()
    counts = meta_analyse(dataset, select_results(dataset), outcome="infection", measure="rr")
    header = vaccine.rows(STUDIES)[:1]
    vaccine.write(STUDIES, header)
    for study in counts.studies.itertuples():
        value = repr(float(to_entry(study.yi)))
        add_contrast(vaccine, study.study, measure=name, value=value, outcome="infection",
                     spread=repr(study.vi**0.5), spread_kind="se")  # fmt: skip
    ours = pool(vaccine, measure, outcome="infection")
    theirs = BCG["RR"]["REML|z"]
    for key in ("estimate", "ci_low", "ci_high", "tau2"):
        assert getattr(ours.pooled, key) == pytest.approx(theirs[key], rel=1e-6), key
    assert ours.natural_scale()["estimate"] == pytest.approx(to_entry(theirs["estimate"]), rel=1e-6)
    assert lay_out_forest(ours).measure == measure


def test_a_ratio_printed_the_other_way_round_is_inverted(scored):
    """A lower score is better, so that a ratio of 4 in favour of the arm is one of comparator to arm."""
    for study, value in (("trial2", "4"), ("trial3", "0.25")):
        limits = {"ci_low": str(float(value) / 2), "ci_high": str(float(value) * 2)}
        add_contrast(
            scored, study, measure="hazard ratio", value=value, direction="better", **limits
        )
    ours = pool(scored, "hr")
    assert list(ours.studies["yi"]) == pytest.approx([np.log(0.25)] * 2)
    (handling,) = ours.handling
    assert "ratio inverted to match the direction" in handling


def test_effects_of_different_kinds_are_not_pooled(scored):
    for study, kind in (("trial2", "log odds"), ("trial3", "slope")):
        add_contrast(scored, study, measure="effect", value="1", spread="0.5", spread_kind="se",
                     definition=kind)  # fmt: skip
    with pytest.raises(PoolingError, match=r"defined differently \(log odds; slope\)"):
        pool(scored, "generic")


def test_a_printed_effect_comes_before_means_whose_sd_is_indirect(scored):
    add_means(scored, "trial2", ("11", "", "25"), ("12", "", "25"), ci_low="9", ci_high="13")
    add_contrast(scored, "trial2", measure="mean difference", value="-2", ci_low="-4", ci_high="0")
    studies = pool(scored, "md").studies.set_index("study")
    assert studies.loc["trial2", "yi"] == -2


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({}, "a mean without SD, SE or CI"),
        ({"spread": "2", "spread_kind": "sd", "n": ""}, "a mean without the number of participants"),
        ({"spread": "4", "spread_kind": "iqr"}, "an interquartile range gives an SD only of 100"),
        ({"measure": "median"}, "only a median"),
        ({"measure": "smd", "role": "contrast", "versus": "none"}, "only a standardised"),
        (
            {"measure": "direction", "value": "", "direction": "better", "role": "contrast",
             "versus": "none"},
            "only a direction without a size",
        ),
        ({"verified": "not read"}, "no number is confirmed at its source"),
        ({"spread": "2", "spread_kind": "sd", "role": "intervention"}, "no comparator arm"),
        (
            {"spread": "2", "spread_kind": "sd", "time": "5", "time_unit": "day"},
            "results only outside the time window",
        ),
        (
            {"measure": "mean difference", "role": "contrast", "versus": "none"},
            "an estimate without CI, SE or p value",
        ),
        (
            {"measure": "mean difference", "role": "contrast", "versus": "none", "p_value": ">0.05"},
            "p >0.05 beside 11 gives no SE",
        ),
    ],
)  # fmt: skip
def test_every_study_left_out_is_named_with_its_reason(scored, rows, reason):
    add_means(scored, "trial2", ("11", "", "20"), ("12", "", "20"), **rows)
    ours = pool(scored, "md")
    (clause,) = ours.left_out
    label = "trial2 (5 days)" if "outside" in reason else "trial2"
    assert clause.startswith(f"{label} left out: {reason}")
    assert f"T{clause[1:]}." in map(str, describe_pool(ours))
    assert ours.as_data()["left_out"] == [clause]


def test_other_populations_and_far_times_are_not_listed(scored):
    add_means(scored, "trial2", ("11", "2", "20"), ("12", "2", "20"), time="1", time_unit="year")
    add_means(scored, "trial3", ("11", "2", "20"), ("12", "2", "20"), condition="leprosy")
    assert pool(scored, "md", conditions=["tuberculosis"]).left_out == ()


def test_a_refusal_names_the_studies_that_lack_something(scored):
    add_means(scored, "trial2", ("11", "", "20"), ("12", "", "20"))
    for line in (28, 29):
        scored.put(STUDIES, line, spread="", spread_kind="")
    refused = pool_studies(dataset := scored.dataset(), select_results(dataset), outcome="score",
                           measure="md")  # fmt: skip
    assert refused.left_out == ("trial0 and trial2 left out: a mean without SD, SE or CI",)
    assert len(list(describe_pool(refused))) == 2


def test_a_mean_with_a_ci_needs_no_sd(scored):
    add_means(scored, "trial2", ("11", "2", "20"))
    add_means(scored, "trial2", ("12", "", "20"), ci_low="11", ci_high="13", arm="other")
    assert "NOSD" not in {finding.code for finding in check_consistency(scored.dataset())}


@pytest.mark.parametrize(
    ("spread", "kind", "found"),
    [
        ("0.9", "sd", ["SD 0.9: 3 other studies have SDs of 5.2 to 6.2 on this scale; it would agree "
                       "if it were a standard error"]),
        ("6.1", "se", ["SE 6.1: 3 other studies have SDs of 5.2 to 6.2 on this scale; it would agree "
                       "if it were a standard deviation"]),
        ("0.9", "se", []),
        ("2.2", "sd", []),
    ],
)  # fmt: skip
def test_an_sd_that_looks_like_an_se_among_other_studies_is_noted(scored, spread, kind, found):
    """The others have SDs of 5 to 6; 0.9 × √40 is 5.7, and 6.1 as an SE would be an SD of 39."""
    scored.write(STUDIES, scored.rows(STUDIES)[:1])
    for study, sd in (("trial0", "5.2"), ("trial1", "6.0"), ("trial3", "6.2")):
        add_means(scored, study, ("12", sd, "30"), ("15", sd, "31"), instrument="scale")
    cells = {"spread_kind": kind, "instrument": "scale"}
    add_means(scored, "trial2", ("11", spread, "40"), ("14", spread, "40"), **cells)
    findings = check_consistency(scored.dataset())
    assert [f.message for f in findings if f.code == "SDORSE"] == found
