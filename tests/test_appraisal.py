"""Risk of bias by the tools' rules, certainty by GRADE's, and what happens in a thousand people."""

from math import exp

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from evidence import grade_certainty
from evidence.analysis.certainty.evidence_body import evidence_bodies
from evidence.analysis.certainty.grade import body_mid, optimal_information_size
from evidence.analysis.certainty.risk_of_bias import (
    applicable_appraisals,
    appraisal_summary,
    appraisals,
)
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.risk_of_bias_tools import load_tools
from evidence.errors import DatasetError
from evidence.figures.layout import draw
from evidence.figures.risk_of_bias import lay_out_risk_of_bias, lay_out_risk_of_bias_summary
from evidence.statistics.sample_size import size_for_means, size_for_proportions
from evidence.tables.certainty import (
    tabulate_certainty,
    tabulate_minimal_important_differences,
    tabulate_risk_of_bias,
    tabulate_summary_of_findings,
)
from tests.test_synthesis_pooling import arm, described, vaccine  # noqa: F401 - a fixture

ROB2 = load_tools()["RoB 2 (2019)"]
ROBINS = load_tools()["ROBINS-I (2016)"]
PARALLEL = "randomised parallel"


def judged(study, domain, judgement, **cells):
    base = {
        "study": study, "tool": "RoB 2 (2019)", "domain": domain, "judgement": judgement,
        "reason": "read", "judged_by": "project", "source": study, "locator": "p. 3",
        "signed_by": "A. Reader", "date": "2026-11-24",
    }  # fmt: skip
    return base | cells


def judge(project, study, judgements=("low",) * 5, **cells):
    for domain, judgement in zip(ROB2.applicable_domains(PARALLEL), judgements, strict=True):
        project.table(schema.RISK_OF_BIAS, **judged(study, domain, judgement, **cells))


def found(project, **given):
    dataset = project.dataset()
    options = {"times": [1], "test": "z"} | given
    return dataset, evidence_bodies(dataset, select_results(dataset), **options)


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
    asked = ROB2.applicable_domains(PARALLEL)
    given = dict(zip(asked, judgements, strict=False))
    assert len(asked) == 5
    assert ROB2.overall_judgement(given, PARALLEL) == overall


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


def test_a_crossover_is_asked_one_domain_more():
    more = set(ROB2.applicable_domains("randomised crossover")) - set(
        ROB2.applicable_domains(PARALLEL)
    )
    assert more == {"period and carryover"}


def test_the_older_tool_has_no_overall():
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
def test_judgements_that_are_none(project, change, message):
    row = judged("baker1990", "randomisation", "low") | change
    project.table(schema.RISK_OF_BIAS, **row)
    with pytest.raises(DatasetError) as caught:
        project.dataset()
    assert message in str(caught.value)


def test_an_overall_against_the_rule_needs_a_reason(project):
    judge(project, "baker1990", ["low", "high", "low", "low", "low"], judged_by="review")
    overall = judged("baker1990", "overall", "some concerns", judged_by="review", reason="")
    project.table(schema.RISK_OF_BIAS, **overall)
    with pytest.raises(DatasetError) as caught:
        project.dataset()
    said = "judgement: 'some concerns' is 'high' by the tool's rule. Give the reason."
    assert f"data/risk_of_bias.csv:7 {said}" in str(caught.value)
    project.put("data/risk_of_bias.csv", 7, reason="one domain does not touch this outcome")
    dataset = project.dataset()
    (entry,) = appraisals(dataset)
    assert (entry.rule_judgement, entry.overall, entry.overruled) == ("high", "some concerns", True)
    said = [str(sentence) for sentence in appraisal_summary(dataset, ["baker1990"])]
    assert "Baker: some concerns, although the rule gives high, because one domain" in said[-1]
    layout = lay_out_risk_of_bias([entry])
    assert layout.frame["overruled"].sum() == 1


def test_which_of_several_appraisals_counts(project):
    judge(project, "baker1990", ["high", "low", "low", "low", "low"])
    judge(project, "baker1990", judged_by="review", source="miller2001")
    dataset = project.dataset()
    assert applicable_appraisals(dataset, "risen", ["baker1990"])["baker1990"].level == "low"
    judge(project, "baker1990", ["some concerns", *["low"] * 4], outcome="risen")
    dataset = project.dataset()
    assert applicable_appraisals(dataset, "risen", ["baker1990"])["baker1990"].level == "some"
    assert applicable_appraisals(dataset, "height", ["baker1990"])["baker1990"].level == "low"
    assert applicable_appraisals(dataset, "risen", ["miller2001"]) == {}


def test_figures_say_everything_in_sign_and_words(project):
    judge(project, "baker1990", ["low", "some concerns", "high", "low", "low"])
    project.table(
        schema.RISK_OF_BIAS,
        **judged("miller2001", "sequence", "unclear", tool="RoB 1 (2011)", judged_by="review"),
    )
    entries = appraisals(project.dataset())
    traffic, summary = lay_out_risk_of_bias(entries), lay_out_risk_of_bias_summary(entries)
    assert traffic.panels["RoB 2 (2019)"][0][-1] == "overall"
    assert "overall" not in traffic.panels["RoB 1 (2011)"][0]
    assert "Baker, by ours, RoB 2 (2019): randomisation low, deviations some" in traffic.reading[0]
    lights = traffic.frame[traffic.frame["tool"] == "RoB 2 (2019)"]
    assert list(lights["level"]) == ["low", "some", "high", "low", "low", "high"]
    shares = summary.frame.groupby(["tool", "domain"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1)
    figure = draw(traffic)
    signs = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert {"+", "–", "×"} <= set(signs)
    draw(summary)


def test_nobody_judged(project):
    dataset = project.dataset()
    assert "Nobody has judged" in lay_out_risk_of_bias([]).empty
    assert "Nobody has judged" in lay_out_risk_of_bias_summary([]).empty
    assert tabulate_risk_of_bias(dataset, select_results(dataset)).frame.empty


@pytest.mark.parametrize(("p1", "p2", "power"), [(0.5, 0.75, 0.9), (0.1, 0.2, 0.8)])
def test_size_for_proportions_by_hand(p1, p2, power):
    """R's power.prop.test prints 76.7 for 0.50 against 0.75 at 90 %."""
    z1, z2 = 1.959963984540054, {0.9: 1.2815515655446004, 0.8: 0.8416212335729143}[power]
    mean = (p1 + p2) / 2
    root = z1 * (2 * mean * (1 - mean)) ** 0.5 + z2 * (p1 * (1 - p1) + p2 * (1 - p2)) ** 0.5
    assert size_for_proportions(p1, p2, power=power) == pytest.approx((root / (p1 - p2)) ** 2)
    if power == 0.9:
        assert size_for_proportions(p1, p2, power=power) == pytest.approx(76.7, abs=0.05)


@pytest.mark.parametrize("difference", [0.2, 0.5, 1.0])
def test_size_for_means_against_statsmodels(difference):
    theirs = NormalIndPower().solve_power(difference, alpha=0.05, power=0.8)
    # They count the far tail as well, which adds to power in the sixth digit.
    assert size_for_means(difference) == pytest.approx(theirs, rel=1e-5)
    assert size_for_means(3 * difference, sd=3) == pytest.approx(theirs, rel=1e-5)


def test_sizes_that_are_none():
    with pytest.raises(ValueError, match="no sample size detects"):
        size_for_proportions(0.3, 0.3)
    with pytest.raises(ValueError, match="between 0 and 1"):
        size_for_proportions(0.3, 1.3)
    with pytest.raises(ValueError, match="must not be 0"):
        size_for_means(0)


@pytest.fixture
def graded(vaccine):  # noqa: F811
    """The vaccine trials with a treatment, a comparison and a time, so that they make a body."""
    for line in range(2, 15):
        vaccine.put("data/designs.csv", line, treatment="vaccine", comparator_kind="inactive")
    for line in range(2, 28):
        vaccine.put("data/studies.csv", line, time="1", time_unit="day")
    return vaccine


def test_a_body_of_evidence_per_thousand(graded):
    _, (body,) = found(graded)
    assert body.name == "tuberculosis/vaccine/inactive/infection/1 day"
    assert body.participants == 357_347
    # 1,510 infections in 166,283 people who were not vaccinated.
    assert body.comparator_risk == pytest.approx(1510 / 166_283)
    # metafor: log risk ratio -0.7145, REML, Wald.
    assert body.natural == pytest.approx((0.4894, 0.3441, 0.6962), abs=1e-4)
    control = 1510 / 166_283
    expected = [control * (ratio - 1) for ratio in body.natural]
    assert body.absolute_effect() == pytest.approx(expected)


def test_certainty_goes_down_by_the_rules(graded):
    dataset, (body,) = found(graded)
    rated = {reason.domain: reason for reason in grade_certainty(dataset, body).domains}
    assert list(rated) == list(schema.GRADE_DOMAINS)
    assert rated["risk of bias"].suggested == 1
    assert "100% not judged" in rated["risk of bias"].reason
    # Without a threshold only no effect parts the zones, and the prediction interval crosses it.
    assert rated["inconsistency"].suggested == 1
    assert rated["imprecision"].suggested == 0
    assert "what matters is not stated" in rated["imprecision"].reason
    assert rated["small-study effects"].suggested == 0
    assert grade_certainty(dataset, body).suggested == "low"


@pytest.mark.parametrize(
    ("high", "low", "steps"),
    [(0, 13, 0), (13, 0, 2), (12, 0, 1), (0, 0, 1), (3, 10, 0)],
)
def test_risk_of_bias_counts_by_weight(graded, high, low, steps):
    levels = ["high"] * high + ["low"] * low + ["some concerns"] * (13 - high - low)
    for number, level in enumerate(levels):
        judge(graded, f"trial{number}", [level, *["low"] * 4])
    dataset, (body,) = found(graded)
    reason = grade_certainty(dataset, body).domains[0]
    assert reason.suggested == steps, reason.reason


def test_what_matters_and_the_people_needed(graded):
    graded.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="infection", measure="rd", value="0.001",
        source="trial0", locator="p. 1", reason="said so",
    )  # fmt: skip
    dataset, (body,) = found(graded)
    reasons = {reason.domain: reason for reason in grade_certainty(dataset, body).domains}
    # The interval, -6 to -3 in 1,000, stays beyond 1 in 1,000.
    assert reasons["imprecision"].suggested == 0
    control = 1510 / 166_283
    needed = 2 * size_for_proportions(control, control + 0.001)
    assert optimal_information_size(body, 0.001) == pytest.approx(needed)
    assert f"{357_347:,} people of" in reasons["imprecision"].reason
    graded.put("data/minimal_important_differences.csv", 2, value="0.004")
    dataset, (body,) = found(graded)
    reasons = {reason.domain: reason for reason in grade_certainty(dataset, body).domains}
    assert reasons["imprecision"].suggested == 1
    # A ratio is taken of the share in the comparison groups.
    graded.put("data/minimal_important_differences.csv", 2, measure="rr", value="1.25")
    dataset, (body,) = found(graded)
    assert f"{1000 * 0.25 * control:.0f} in 1,000 matters" in "".join(
        reason.reason for reason in grade_certainty(dataset, body).domains
    )


def test_a_ratio_matters_only_where_somebody_had_the_outcome(vaccine):  # noqa: F811
    """Nobody in the comparison group: a share of that rate is no difference."""
    vaccine.put("data/designs.csv", 2, treatment="vaccine", comparator_kind="inactive")
    rows = vaccine.rows("data/studies.csv")
    place = [rows[0].index(name) for name in ("study", "role", "events")]
    line = next(
        n for n, row in enumerate(rows, 1) if row[place[1]] == "comparator"
        and row[place[0]] == rows[1][place[0]]
    )  # fmt: skip
    vaccine.put("data/studies.csv", line, events="0", as_printed="0/139")
    vaccine.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="infection", measure="rr", value="1.25", source="trial0",
        locator="p. 1", reason="so they say",
    )  # fmt: skip
    dataset, (body,) = found(vaccine)
    assert body.comparator_risk == 0
    assert body_mid(dataset, body) is None
    assert np.isnan(optimal_information_size(body, None))
    imprecision = grade_certainty(dataset, body).domains[3]
    assert "what matters is not stated" in imprecision.reason


def test_too_few_people_for_what_matters(graded):
    graded.table(
        schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="infection", measure="rd", value="0.0001",
        source="trial0", locator="p. 1", reason="said so",
    )  # fmt: skip
    dataset, (body,) = found(graded)
    reason = next(r for r in grade_certainty(dataset, body).domains if r.domain == "imprecision")
    assert optimal_information_size(body, 0.0001) > body.participants
    assert reason.suggested == 1


def test_a_decision_stands_beside_its_suggestion_and_wins(graded):
    dataset, (body,) = found(graded)
    assert grade_certainty(dataset, body).decided == ""
    graded.table(
        schema.GRADE_DECISIONS, question=body.name, domain="risk of bias", steps="2",
        reason="old trials", signed_by="A. Reader", date="2026-11-24",
    )  # fmt: skip
    dataset, (body,) = found(graded)
    rated = grade_certainty(dataset, body)
    assert (rated.suggested, rated.decided) == ("low", "very low")
    table = tabulate_certainty(dataset, [rated])
    assert table.frame["decided"][0] == "2 down: old trials (A. Reader)"
    assert table.frame["suggested"][0] == "1 down"
    summary = tabulate_summary_of_findings(dataset, [rated])
    row = summary.frame.iloc[0]
    assert row["certainty, suggested"] == "low"
    assert row["certainty, decided"] == "very low"
    assert row["without, per 1,000"] == "9"
    assert row["difference, per 1,000 or in points"] == "−5 (−6 to −3)"
    assert row["effect"] == "risk ratio 0.49 (0.34 to 0.70)"


def test_studies_that_are_not_randomised_start_low(graded):
    for line in range(2, 15):
        graded.put("data/designs.csv", line, design="cohort", randomised="no")
    dataset, (body,) = found(graded)
    assert grade_certainty(dataset, body).starting_level == "low"


def test_one_study_is_a_body_and_two_have_normal_intervals(vaccine):  # noqa: F811
    for line in (2, 3):
        vaccine.put("data/designs.csv", line, treatment="vaccine", comparator_kind="inactive")
    _, (body,) = found(vaccine, test="knha")
    assert len(body.studies) == 2
    assert body.pooled.test == "z"
    vaccine.put("data/designs.csv", 3, treatment="")
    dataset, (body,) = found(vaccine)
    assert body.pooled is None
    # One trial: 4 of 123 against 11 of 139, with Katz's interval.
    ratio, half = (4 / 123) / (11 / 139), 1.959964 * (1 / 4 - 1 / 123 + 1 / 11 - 1 / 139) ** 0.5
    assert body.natural == pytest.approx((ratio, ratio / exp(half), ratio * exp(half)), rel=1e-6)
    reasons = {reason.domain: reason.reason for reason in grade_certainty(dataset, body).domains}
    assert reasons["inconsistency"] == "one study has nothing to differ from"


def test_counts_of_a_crossover_give_no_ratio(vaccine):  # noqa: F811
    """Who had the outcome in both periods is not known, so no interval can be right."""
    vaccine.put(
        "data/designs.csv", 2, treatment="vaccine", comparator_kind="inactive",
        design="randomised crossover",
    )  # fmt: skip
    _, (body,) = found(vaccine)
    assert body.reasons_not_pooled == (
        "how the two periods of a crossover hang together is not known",
    )
    assert [str(end) for end in body.natural] == ["nan"] * 3


def test_a_body_that_is_not_pooled_says_why(vaccine):  # noqa: F811
    for line in (2, 3):
        vaccine.put("data/designs.csv", line, treatment="vaccine", comparator_kind="inactive")
    vaccine.put("data/designs.csv", 3, design="randomised crossover")
    dataset, (body,) = found(vaccine)
    assert "the two periods of a crossover" in body.reasons_not_pooled[0]
    rated = grade_certainty(dataset, body)
    assert {r.domain: r.suggested for r in rated.domains}["imprecision"] == 2
    row = tabulate_summary_of_findings(dataset, [rated]).frame.iloc[0]
    assert row["effect"].startswith("not pooled: the two periods of a crossover")


def test_another_time_is_indirect(graded):
    for line in range(2, 28):
        graded.put("data/studies.csv", line, time="1.9", time_unit="day")
    dataset, (body,) = found(graded)
    reason = next(r for r in grade_certainty(dataset, body).domains if r.domain == "indirectness")
    assert reason.suggested == 1


def test_shipped_judgements_and_thresholds(shipped):
    entries = appraisals(shipped)
    assert {entry.tool.name for entry in entries} == set(load_tools())
    ours = shipped.risk_of_bias[shipped.risk_of_bias["judged_by"] == "project"]
    assert (ours["reason"] != "").all()
    zarate = {e.tool.name: e for e in entries if e.study == "zarate2006"}
    assert zarate["RoB 1 (2011)"].overall == ""
    assert zarate["RoB 2 (2019)"].overall == "high"
    assert len(tabulate_minimal_important_differences(shipped).frame) == len(
        shipped.minimal_important_differences
    )


def test_the_summary_says_when_its_studies_looked(graded):
    for line in (2, 3):
        graded.put("data/studies.csv", line, time="1.5")
    dataset, (body,) = found(graded)
    assert body.name.endswith("/1 day")
    table = tabulate_summary_of_findings(dataset, [grade_certainty(dataset, body)])
    assert table.frame["outcome"][0] == "Infection, 1 day to 1.5 days"
