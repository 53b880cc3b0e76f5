"""The terminal output of `evidence pool`: the answer first, every study, and refusals."""

import json
import math

import pytest

from evidence import cli
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.dataset import schema
from tests.example_trials import BCG, TRIALS, arm


@pytest.fixture
def run(capsys):
    """Run `evidence pool` on a project; return exit code, output and errors."""

    def pool(project, *arguments, measure="rr"):
        command = ["pool", "--project", str(project.root), "--outcome", "infection"]
        code = cli.main([*command, "--measure", measure, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return pool


def give_time(project, time, unit="week"):
    for line in range(2, 28):
        project.put("data/studies.csv", line, time=time, time_unit=unit)


def test_the_answer_comes_first_on_the_natural_scale(vaccine, run):
    theirs = BCG["RR"]["REML|z"]
    ratio, low, high = (math.exp(theirs[name]) for name in ("estimate", "ci_low", "ci_high"))
    code, printed, _ = run(vaccine, "--test", "z")
    lines = printed.splitlines()
    assert code == 0
    assert lines[0] == "Risk ratio of infection, vaccine versus none"
    participants = sum(BCG["studies"]["n1"]) + sum(BCG["studies"]["n2"])
    answer = f"Risk ratio {ratio:.2f} (95% CI {low:.2f} to {high:.2f}); 13 studies, "
    assert lines[2] == f"{answer}{participants:,.0f} participants."
    differ = f"I² {theirs['I2']:.0f}%, Q = 152.23, df = 12, p < 0.001"
    assert lines[4] == f"Heterogeneity is considerable ({differ})."
    assert max(map(len, lines)) <= 80


def test_full_precision_only_on_request(vaccine, run):
    exact = {
        line.split()[0]: line.split()[-1]
        for line in run(vaccine, "--test", "z", "--verbose")[1].splitlines()
        if len(line.split()) == 2
    }
    assert float(exact["tau2"]) == pytest.approx(BCG["RR"]["REML|z"]["tau2"], rel=1e-6)
    assert exact["tau2"] not in run(vaccine, "--test", "z")[1]


def test_means_and_studies_left_out_are_listed(vaccine, run):
    for study, mean in zip(TRIALS[:2], ("4.5", "3"), strict=True):
        for name, role, value in (("vaccine", "intervention", mean), ("none", "comparator", "6")):
            numbers = {"measure": "mean", "value": value, "spread": "2", "spread_kind": "sd"}
            vaccine.row(**arm(study, name, role, "", 30, **numbers, instrument="scale"))
    vaccine.put("data/studies.csv", 6, events="0", as_printed="0/306")
    vaccine.put("data/studies.csv", 7, events="0", as_printed="0/303")
    printed = run(vaccine, measure="md")[1]
    assert "trial0  4.5 (2; 30)   6 (2; 30)   −1.50  −2.51 to −0.49   50.0%" in printed
    printed = run(vaccine)[1]
    assert "\nLeft out  Reason\ntrial2    no events in either group" in printed
    assert "trial2 " not in printed.partition("Left out")[0]


def test_each_study_names_its_arms_where_they_differ(vaccine, run):
    vaccine.put("data/studies.csv", 2, arm="a vaccine of a very long name, given to newborns only")
    lines = run(vaccine)[1].splitlines()
    assert lines[0] == "Risk ratio of infection"
    header = next(number for number, line in enumerate(lines) if line.startswith("Compared "))
    table = lines[header + 1 : lines.index("", header)]
    comparisons = " ".join(line[: lines[header].index("Studies")].strip() for line in table)
    long = "a vaccine of a very long name, given to newborns only versus none"
    assert comparisons.split("  ")[0].startswith(f"{long} vaccine versus none")
    assert table[0].endswith(f"  {TRIALS[0]}")
    assert max(map(len, lines)) <= 80


def test_the_time_is_that_of_outcomes_csv(vaccine, run):
    give_time(vaccine, "12")
    vaccine.put(schema.OUTCOMES.file, 2, default_days="84")
    heading = " ".join(run(vaccine)[1].partition("\n\n")[0].split())
    assert heading.endswith("vaccine versus none, near 84 days (28 days to 8.3 months)")
    code, _, error = run(vaccine, "--time-days", "1")
    assert code == 1
    assert "near 1 day (8 hours to 3 days); results exist at 84 days (--time-days 84)" in error


def test_a_refusal_is_json_where_json_is_asked_for(vaccine, run):
    vaccine.put("data/designs.csv", 2, treatment="BCG")
    code, printed, _ = run(vaccine, "--format", "json")
    content = json.loads(printed)
    assert (code, content["outcome"], content["measure"]) == (1, "infection", "rr")
    assert content["reasons"][0].startswith("the treatments differ (BCG: trial0; not stated: ")


@pytest.mark.parametrize(
    "words",
    [
        ("--comparator", "Inactive"),
        ("--comparator", "None"),
        ("--treatment", "VACCINE"),
        ("--condition", "Tuberculosis", "--comparator", "inactive"),
    ],
)
def test_words_are_known_by_name_in_any_capitals(grouped, run, words):
    assert run(grouped, "--by", "comparator", *words)[0] == 0


@pytest.mark.parametrize(
    ("option", "word", "message"),
    [
        ("--comparator", "Nonee", "comparators: 'Nonee' is not one of: inactive, active, none. "
                                  "Did you mean 'none'?"),
        ("--treatment", "vacine", "treatments: 'vacine' is not one of: vaccine. Did you mean"),
    ],
)  # fmt: skip
def test_an_unknown_word_is_refused_with_the_nearest(grouped, run, option, word, message):
    code, _, error = run(grouped, option, word)
    assert code == 2
    assert message in error


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        ("rr", 0.698, "0.70"), ("rr", 0.0042, "0.004"), ("md", -0.004, "−0.004"), ("md", 0.0, "0.00"),
        ("rd", -0.004, "−0.4%"), ("rd", 0.25, "25%"), ("proportion", math.nan, "not estimable"),
    ],
)  # fmt: skip
def test_no_number_but_0_is_printed_as_0(measure, value, text):
    assert format_estimates(measure, value) == [text]
