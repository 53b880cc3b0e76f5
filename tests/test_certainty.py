"""Risk of bias by the rules of the tools, certainty by those of GRADE, and absolute effects."""

from dataclasses import replace
from math import ceil, exp

import numpy as np
import pytest

from evidence import grade_certainty
from evidence.analysis.certainty.evidence_body import evidence_bodies
from evidence.analysis.certainty.grade import (
    body_mid,
    conclusion,
    optimal_information_size,
    proportion_after,
)
from evidence.analysis.certainty.risk_of_bias import (
    applicable_appraisals,
    appraisal_summary,
    appraisals,
)
from evidence.analysis.gaps.required_trial import required_trial
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.risk_of_bias_tools import load_tools
from evidence.errors import DatasetError
from evidence.figures.layout import draw, split_into_pages
from evidence.figures.risk_of_bias import lay_out_risk_of_bias, lay_out_risk_of_bias_summary
from evidence.statistics.confidence_intervals import wilson_interval
from evidence.statistics.sample_size import size_for_proportions
from evidence.tables.certainty import (
    tabulate_certainty,
    tabulate_risk_of_bias,
    tabulate_summary_of_findings,
)
from tests.example_trials import PARALLEL, judge, judged

ROB2 = load_tools()["RoB 2 (2019)"]
ROBINS = load_tools()["ROBINS-I (2016)"]
STUDIES, DESIGNS = "data/studies.csv", "data/designs.csv"
MIDS = "data/minimal_important_differences.csv"
COMPARATOR_RISK = 1510 / 166_283


def bodies(project, **options):
    dataset = project.dataset()
    results = select_results(dataset)
    return dataset, evidence_bodies(dataset, results, **{"times": [1], "test": "z"} | options)


def certainty(project):
    dataset, (body,) = bodies(project)
    return grade_certainty(dataset, body)


def ratings(project):
    return {rating.domain: rating for rating in certainty(project).domains}


def state_mid(project, measure, value):
    project.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="infection", measure=measure, value=value,
        source="trial0", locator="p. 1", reason="stated there",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("judgements", "overall"),
    [
        # Sterne 2019: low if all are low, high if any is high, else some concerns.
        (["low"] * 5, "low"),
        (["low", "some concerns", "low", "low", "low"], "some concerns"),
        (["some concerns"] * 5, "some concerns"),
        (["low", "some concerns", "high", "low", "low"], "high"),
        (["high"], "high"),
        (["low"] * 4, ""),
        ([], ""),
    ],
)
def test_rob2_overall(judgements, overall):
    domains = ROB2.applicable_domains(PARALLEL)
    by_domain = dict(zip(domains, judgements, strict=False))
    assert len(domains) == 5
    assert ROB2.overall_judgement(by_domain, PARALLEL) == overall


@pytest.mark.parametrize(
    ("worst", "overall"),
    [
        # Sterne 2016: no information counts unless something serious was found.
        (["low"], "low"),
        (["moderate", "low"], "moderate"),
        (["no information", "moderate"], "no information"),
        (["no information", "serious"], "serious"),
        (["critical", "serious"], "critical"),
    ],
)
def test_robins_i_overall(worst, overall):
    domains = ROBINS.applicable_domains("cohort")
    assert len(domains) == 7
    judgements = dict.fromkeys(domains, "low") | dict(zip(domains, worst, strict=False))
    assert ROBINS.overall_judgement(judgements, "cohort") == overall


def test_a_crossover_has_one_more_domain():
    crossover = ROB2.applicable_domains("randomised crossover")
    assert set(crossover) - set(ROB2.applicable_domains(PARALLEL)) == {"period and carryover"}


def test_the_older_tool_has_no_overall_judgement():
    old = load_tools()["RoB 1 (2011)"]
    assert old.overall_judgement(dict.fromkeys(old.domains, "high"), PARALLEL) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tool": "RoB 3"}, "data/risk_of_bias.csv:2 tool: 'RoB 3' is not one of: "),
        ({"domain": "luck"}, "domain: RoB 2 (2019) has no domain 'luck' for this study. "),
        (
            {"domain": "period and carryover"},
            "domain: RoB 2 (2019) has no domain 'period and carryover'",
        ),
        (
            {"judgement": "moderate"},
            "judgement: 'moderate' is not one of: low, some concerns, high",
        ),
        ({"reason": ""}, "reason: required value is missing: judgements of this"),
        ({"signed_by": ""}, "signed_by: required value is missing: judgements of this"),
        ({"date": "24.11."}, "date: '24.11.' is not a date like 2026-11-24"),
        ({"source": "nobody"}, "source: 'nobody' is not defined in references.bib"),
    ],
)
def test_judgements_outside_the_tool_are_refused(project, change, message):
    row = judged("baker1990", "randomisation", "low") | change
    project.table(schema.RISK_OF_BIAS, **row)
    with pytest.raises(DatasetError) as caught:
        project.dataset()
    assert message in str(caught.value)


def test_an_overall_judgement_against_the_rule_needs_a_reason(project):
    judge(project, "baker1990", ["low", "high", "low", "low", "low"], judged_by="review")
    overall = judged("baker1990", "overall", "some concerns", judged_by="review", reason="")
    project.table(schema.RISK_OF_BIAS, **overall)
    with pytest.raises(DatasetError) as caught:
        project.dataset()
    message = "judgement: 'some concerns' is 'high' by the tool's rule. Give the reason."
    assert f"data/risk_of_bias.csv:7 {message}" in str(caught.value)
    project.put("data/risk_of_bias.csv", 7, reason="one domain does not touch this outcome")
    dataset = project.dataset()
    (entry,) = appraisals(dataset)
    assert (entry.rule_judgement, entry.overall, entry.overruled) == ("high", "some concerns", True)
    sentences = [str(sentence) for sentence in appraisal_summary(dataset, ["baker1990"])]
    assert (
        "Baker: some concerns instead of high, which the tool's rule gives, because one domain"
        in sentences[-1]
    )
    (layout,) = lay_out_risk_of_bias([entry])
    assert layout.frame["overruled"].sum() == 1


def test_the_most_specific_published_appraisal_applies(project):
    judge(project, "baker1990", ["high", "low", "low", "low", "low"])
    judge(project, "baker1990", judged_by="review", source="miller2001")
    dataset = project.dataset()
    assert applicable_appraisals(dataset, "risen", ["baker1990"])["baker1990"].level == "low"
    judge(project, "baker1990", ["some concerns", *["low"] * 4], outcome="risen")
    dataset = project.dataset()
    assert applicable_appraisals(dataset, "risen", ["baker1990"])["baker1990"].level == "some"
    assert applicable_appraisals(dataset, "height", ["baker1990"])["baker1990"].level == "low"
    assert applicable_appraisals(dataset, "risen", ["miller2001"]) == {}


def test_figures_show_judgements_in_signs_and_words(project):
    judge(project, "baker1990", ["low", "some concerns", "high", "low", "low"])
    project.table(
        schema.RISK_OF_BIAS,
        **judged("miller2001", "sequence", "unclear", tool="RoB 1 (2011)", judged_by="review"),
    )
    entries = appraisals(project.dataset())
    traffic = {
        layout.id.removeprefix("fig-risk-of-bias-"): layout
        for layout in lay_out_risk_of_bias(entries)
    }
    assert traffic["rob-2-2019"].columns[-1] == "overall"
    assert "overall" not in traffic["rob-1-2011"].columns
    assert (
        "Baker, by this project, RoB 2 (2019): randomisation low, deviations some"
        in traffic["rob-2-2019"].reading[0]
    )
    lights = traffic["rob-2-2019"].frame
    assert list(lights["level"]) == ["low", "some", "high", "low", "low", "high"]
    signs = {text.get_text() for text in draw(traffic["rob-2-2019"]).axes[0].texts}
    assert {"+", "–", "×"} <= signs
    # The proportions of a single set of judgements say nothing new.
    assert not lay_out_risk_of_bias_summary(entries)


@pytest.mark.parametrize(("sets", "lines"), [(36, [36]), (37, [18, 19]), (100, [33, 34, 33])])
def test_traffic_lights_that_exceed_a_page_are_split_evenly(project, sets, lines):
    judge(project, "baker1990", ["low", "some concerns", "high", "low", "low"])
    (entry,) = appraisals(project.dataset())
    (whole,) = lay_out_risk_of_bias([entry] * sets)
    layouts = split_into_pages(whole)
    assert [len(layout.lines) for layout in layouts] == lines
    assert len({layout.id for layout in layouts}) == len(layouts)
    assert layouts[-1].id.endswith(f"-{len(lines)}" if len(lines) > 1 else "rob-2-2019")
    assert layouts[0].title.endswith(f" (1 of {len(lines)})") == (len(lines) > 1)


def test_each_judge_of_a_tool_has_a_heading(project):
    judge(project, "baker1990", ["low", "some concerns", "high", "low", "low"])
    judge(project, "baker1990", judged_by="review", source="miller2001")
    (layout,) = lay_out_risk_of_bias(appraisals(project.dataset()))
    assert [layout.lines[line] for line in layout.headings] != ["Baker"] * 2
    assert layout.lines[1::2] == ("Baker", "Baker")
    assert set(layout.frame["line"]) == {1, 3}


def test_the_table_of_risk_of_bias_has_a_row_per_judgement(project):
    judge(project, "baker1990", ["low", "some concerns", "high", "low", "low"])
    dataset = project.dataset()
    frame = tabulate_risk_of_bias(dataset, select_results(dataset)).frame
    assert frame["judgement"].tolist() == ["low", "some concerns", "high", "low", "low", "high"]
    assert frame["domain"].iloc[-1] == "overall"
    assert tabulate_risk_of_bias(dataset, select_results(dataset).iloc[:0]).frame.empty


def test_the_absolute_effect_applies_the_ratio_to_the_comparators_risk(graded):
    _, (body,) = bodies(graded)
    assert body.name == "tuberculosis/vaccine/inactive/infection/1 day"
    assert body.participants == 357_347
    # 1,510 infections in 166,283 people who were not vaccinated.
    assert body.comparator_risk == pytest.approx(COMPARATOR_RISK)
    # metafor: log risk ratio -0.7145, REML, Wald.
    assert body.natural == pytest.approx((0.4894, 0.3441, 0.6962), abs=1e-4)
    expected = [COMPARATOR_RISK * (ratio - 1) for ratio in body.natural]
    assert body.absolute_effect() == pytest.approx(expected)


def test_certainty_is_rated_down_by_the_rules(graded):
    rating = ratings(graded)
    assert list(rating) == list(schema.GRADE_DOMAINS)
    assert rating["risk of bias"].suggested == 1
    assert "100% not judged" in rating["risk of bias"].reason
    # Without a MID only no effect divides the zones, and the prediction interval crosses it.
    assert rating["inconsistency"].suggested == 1
    assert rating["imprecision"].suggested == 0
    assert "no minimal important difference is stated" in rating["imprecision"].reason
    assert rating["small-study effects"].suggested == 0
    assert certainty(graded).suggested == "low"


@pytest.mark.parametrize(
    ("high", "low", "levels_down"), [(0, 13, 0), (13, 0, 2), (12, 0, 1), (0, 0, 1), (3, 10, 0)]
)
def test_risk_of_bias_counts_by_weight(graded, high, low, levels_down):
    judgements = ["high"] * high + ["low"] * low + ["some concerns"] * (13 - high - low)
    for number, judgement in enumerate(judgements):
        judge(graded, f"trial{number}", [judgement, *["low"] * 4])
    rating = ratings(graded)["risk of bias"]
    assert rating.suggested == levels_down, rating.reason


def test_imprecision_depends_on_the_minimal_important_difference(graded):
    state_mid(graded, "rd", "0.001")
    # The CI, -6 to -3 in 1,000, stays beyond 1 in 1,000.
    rating = ratings(graded)["imprecision"]
    assert rating.suggested == 0
    _, (body,) = bodies(graded)
    needed = 2 * size_for_proportions(COMPARATOR_RISK, COMPARATOR_RISK + 0.001)
    assert optimal_information_size(body, 0.001) == pytest.approx(needed)
    assert f"357,347 of {ceil(needed):,} participants needed" in rating.reason
    graded.put(MIDS, 2, value="0.004")
    assert ratings(graded)["imprecision"].suggested == 1
    # A ratio is applied to the proportion in the comparator arms.
    graded.put(MIDS, 2, measure="rr", value="1.25")
    stated = f"the minimal important difference is {1000 * 0.25 * COMPARATOR_RISK:.0f} in 1,000"
    assert stated in ratings(graded)["imprecision"].reason


def test_too_few_participants_for_the_mid_are_imprecise(graded):
    state_mid(graded, "rd", "0.0001")
    _, (body,) = bodies(graded)
    assert optimal_information_size(body, 0.0001) > body.participants
    assert ratings(graded)["imprecision"].suggested == 1


@pytest.mark.parametrize(
    ("measure", "value", "message"),
    [
        ("smd", "0", "0 is not above 0"),
        ("md", "-3", "-3 is not above 0"),
        ("rr", "1", "a ratio of 1 is no difference"),
        ("rd", "1.2", "1.2 is not a difference of proportions, which is below 1"),
    ],
)
def test_a_mid_that_is_no_difference_is_refused(graded, measure, value, message):
    state_mid(graded, measure, value)
    with pytest.raises(DatasetError, match=rf"{MIDS}:2 value: {message}"):
        graded.dataset()


@pytest.mark.parametrize(
    ("risk", "difference", "proportion"),
    [(0.25, 0.5, 0.75), (0.75, 0.5, 0.25), (0.5, 0.5, 0.0), (0.25, 0.9, None)],
)
def test_a_mid_leads_to_a_higher_proportion_else_to_a_lower_one(risk, difference, proportion):
    assert proportion_after(risk, difference) == proportion


def test_a_ratio_of_a_comparator_risk_of_zero_is_no_mid(vaccine):
    vaccine.put(DESIGNS, 2, treatment="vaccine", comparator_kind="inactive")
    vaccine.put(STUDIES, 3, events="0", as_printed="0/139")
    state_mid(vaccine, "rr", "1.25")
    dataset, (body,) = bodies(vaccine)
    assert body.comparator_risk == 0
    assert body_mid(dataset, body) is None
    assert np.isnan(optimal_information_size(body, None))
    assert "no minimal important difference is stated" in ratings(vaccine)["imprecision"].reason


def test_without_events_in_the_comparator_the_absolute_effect_is_the_risk_difference(graded):
    """12 of 27 against 0 of 28: Newcombe's difference 44.4%, from the Wilson intervals of both."""
    graded.write(STUDIES, graded.rows(STUDIES)[:3])
    graded.put(STUDIES, 2, events="12", n="27", as_printed="12/27")
    graded.put(STUDIES, 3, events="0", n="28", as_printed="0/28")
    dataset, (body,) = bodies(graded)
    assert body.comparator_risk == 0
    assert body.natural[0] == pytest.approx(25.89, abs=0.005)
    estimate, low, high = body.absolute_effect()
    treated, nobody = wilson_interval(12, 27), wilson_interval(0, 28)
    assert estimate == pytest.approx(12 / 27)
    assert low == pytest.approx(estimate - np.hypot(estimate - treated.ci_low, nobody.ci_high))
    assert high == pytest.approx(treated.ci_high)
    table = tabulate_summary_of_findings(dataset, [grade_certainty(dataset, body)]).frame
    cell = table["difference per 1,000"].iloc[0]
    assert cell.startswith("+444 (+") and "no events in the comparator arms" in cell


def test_studies_without_any_event_have_a_risk_difference_only(graded):
    graded.write(STUDIES, graded.rows(STUDIES)[:3])
    for line in (2, 3):
        graded.put(STUDIES, line, events="0", as_printed="0")
    _, (body,) = bodies(graded)
    assert (body.question.measure, body.comparator_risk) == ("rd", 0)


@pytest.mark.parametrize(
    ("mid", "text"),
    [
        ("", "the CI excludes no effect, in favour of the treatment"),
        ("0.001", "at least as large as the minimal important difference"),
        ("0.004", "may or may not reach the minimal important difference"),
        ("0.01", "smaller than the minimal important difference"),
    ],
)
def test_a_conclusion_compares_the_ci_with_no_effect_and_the_mid(graded, mid, text):
    if mid:
        state_mid(graded, "rd", mid)
    dataset, (body,) = bodies(graded)
    assert conclusion(dataset, body).endswith(text)


def test_a_ci_that_includes_no_effect(vaccine):
    vaccine.put(DESIGNS, 2, treatment="vaccine", comparator_kind="inactive")
    dataset, (body,) = bodies(vaccine)
    assert conclusion(dataset, body) == "the CI includes no effect"


def test_a_decision_takes_precedence_over_its_suggestion(graded):
    assert certainty(graded).decided == ""
    dataset, (body,) = bodies(graded)
    graded.table(
        schema.GRADE_DECISIONS, question=body.name, domain="risk of bias", steps="2",
        reason="old trials", signed_by="A. Reader", date="2026-11-24",
    )  # fmt: skip
    rated = certainty(graded)
    assert (rated.suggested, rated.decided) == ("low", "very low")
    table = tabulate_certainty(dataset, [rated])
    assert table.frame["decided"][0] == "down by 2: old trials (A. Reader)"
    assert table.frame["suggested"][0] == "down by 1"
    row = tabulate_summary_of_findings(dataset, [rated]).frame.iloc[0]
    assert row["certainty (suggested)"] == "low"
    assert row["certainty (decided)"] == "very low"
    assert row["comparator risk per 1,000"] == "9"
    assert row["difference per 1,000"] == "−5 (−6 to −3)"
    assert row["effect"] == "risk ratio 0.49 (0.34 to 0.70)"


def test_nonrandomised_studies_start_low(graded):
    for line in range(2, 15):
        graded.put(DESIGNS, line, design="cohort", randomised="no")
    assert certainty(graded).starting_level == "low"


def test_two_studies_are_pooled_with_normal_intervals(vaccine):
    for line in (2, 3):
        vaccine.put(DESIGNS, line, treatment="vaccine", comparator_kind="inactive")
    _, (body,) = bodies(vaccine, test="knha")
    assert len(body.studies) == 2
    assert body.pooled.test == "z"


def test_a_single_study_is_a_body(vaccine):
    """4 of 123 against 11 of 139, with Katz's interval."""
    vaccine.put(DESIGNS, 2, treatment="vaccine", comparator_kind="inactive")
    _, (body,) = bodies(vaccine)
    assert body.pooled is None
    ratio, half = (4 / 123) / (11 / 139), 1.959964 * (1 / 4 - 1 / 123 + 1 / 11 - 1 / 139) ** 0.5
    assert body.natural == pytest.approx((ratio, ratio / exp(half), ratio * exp(half)), rel=1e-6)
    assert ratings(vaccine)["inconsistency"].reason == "a single study cannot be inconsistent"


@pytest.mark.parametrize(
    ("cells", "design", "participants", "text"),
    [
        ({"n": "250"}, {"n_randomised": "262"}, 250, "250"),
        ({}, {"n_randomised": "262"}, 262, "262 (whole trials)"),
        ({}, {}, 0, "not stated"),
    ],
)
def test_participants_come_from_the_row_or_the_study_if_no_arm_states_them(
    vaccine, cells, design, participants, text
):
    cells |= {"measure": "risk ratio", "role": "contrast", "versus": "none", "value": "0.4"}
    cells |= {"ci_low": "0.1", "ci_high": "1.3", "events": "", "as_printed": "0.4"}
    vaccine.put(STUDIES, 2, **{"n": ""} | cells)
    vaccine.put(STUDIES, 3, verified="not read", n="")
    vaccine.put(DESIGNS, 2, treatment="vaccine", comparator_kind="inactive", **design)
    dataset, (body,) = bodies(vaccine)
    assert body.participants == participants
    table = tabulate_summary_of_findings(dataset, [grade_certainty(dataset, body)])
    assert list(table.frame["participants"]) == [text]
    # The number of the whole trial has the address of its row in designs.csv.
    assert (f"{DESIGNS}:2" in table.numbers["address"][0]) == ("whole" in text)


def test_every_comparator_arm_with_counts_gives_the_risk(vaccine):
    """Nobody counted the vaccine arm of the second trial; 11 of 139 and 29 of 303 have no vaccine."""
    for line in (2, 3):
        vaccine.put(DESIGNS, line, treatment="vaccine", comparator_kind="inactive")
    vaccine.put(STUDIES, 4, events="", n="", measure="direction", direction="better")
    state_mid(vaccine, "rd", "0.05")
    dataset, (body,) = bodies(vaccine)
    assert list(body.studies["study"]) == ["trial0"]
    assert body.comparator_risk == pytest.approx((11 + 29) / (139 + 303))
    trial = required_trial(dataset, grade_certainty(dataset, body), "infection")
    assert trial.sizes["risk"].iloc[0] == pytest.approx(40 / 442)
    assert trial.sizes["observed"].iloc[0]


def test_counts_of_a_crossover_give_no_ratio(vaccine):
    """Who had the outcome in both periods is not known, so no interval can be right."""
    vaccine.put(
        DESIGNS, 2, treatment="vaccine", comparator_kind="inactive", design="randomised crossover"
    )
    _, (body,) = bodies(vaccine)
    assert body.reasons_not_pooled == (
        "the correlation of the two periods of the crossover is not known",
    )
    assert np.isnan(body.natural).all()


def test_a_body_that_is_not_pooled_says_why(vaccine):
    for line in (2, 3):
        vaccine.put(
            DESIGNS, line, treatment="vaccine", comparator_kind="inactive",
            design="randomised crossover",
        )  # fmt: skip
    dataset, (body,) = bodies(vaccine)
    assert "the two periods of a crossover" in body.reasons_not_pooled[0]
    rated = certainty(vaccine)
    assert ratings(vaccine)["imprecision"].suggested == 2
    assert conclusion(dataset, body) == "no conclusion"
    row = tabulate_summary_of_findings(dataset, [rated]).frame.iloc[0]
    assert row["effect"].startswith("not pooled: the two periods of a crossover")


def test_a_crossover_beside_another_trial_is_left_out_and_named(vaccine):
    for line in (2, 3):
        vaccine.put(DESIGNS, line, treatment="vaccine", comparator_kind="inactive")
    vaccine.put(DESIGNS, 3, design="randomised crossover")
    dataset, (body,) = bodies(vaccine)
    assert body.natural[0] == pytest.approx((4 / 123) / (11 / 139))
    row = tabulate_summary_of_findings(dataset, [certainty(vaccine)]).frame.iloc[0]
    assert row["studies"].startswith("1: trial0; trial1 left out: the two periods of a crossover")


def test_the_summary_of_findings_says_which_arms_were_combined(graded):
    dataset, (body,) = bodies(graded)
    handling = ["arms low and high combined", *[""] * (len(body.studies) - 1)]
    body = replace(body, studies=body.studies.assign(handling=handling))
    table = tabulate_summary_of_findings(dataset, [grade_certainty(dataset, body)])
    assert f"; {body.studies['label'].iloc[0]}: arms low and high" in table.frame["studies"][0]


def test_results_at_a_different_time_are_indirect(graded):
    for line in range(2, 28):
        graded.put(STUDIES, line, time="1.9", time_unit="day")
    assert ratings(graded)["indirectness"].suggested == 1


def test_the_summary_of_findings_states_the_actual_times(graded):
    for line in (2, 3):
        graded.put(STUDIES, line, time="1.5")
    dataset, (body,) = bodies(graded)
    assert body.name.endswith("/1 day")
    table = tabulate_summary_of_findings(dataset, [certainty(graded)])
    assert table.frame["outcome"][0] == "Infection, 1 day to 1.5 days (lower is better)"


def test_a_known_study_that_is_not_tabulated_can_be_appraised(project):
    project.table(
        schema.KNOWN_STUDIES, known_study="cook2002", label="Cook 2002", condition="bread",
        design="randomised parallel", treatment="yeast", listed_by="guide", locator="p. 1",
        status="wanted",
    )  # fmt: skip
    judgement = {"tool": "RoB 2 (2019)", "domain": "missing data", "judgement": "low",
                 "judged_by": "review", "source": "guide", "locator": "p. 1"}  # fmt: skip
    project.table(schema.RISK_OF_BIAS, study="cook2002", **judgement)
    (appraisal,) = appraisals(project.dataset())
    assert appraisal.label == "Cook 2002"
    project.put("data/risk_of_bias.csv", 2, study="cock2002")
    with pytest.raises(DatasetError, match="Did you mean 'cook2002'"):
        project.dataset()
