"""Studies pooled from tables: the vaccine trials through the whole way, and what is refused."""

import json

import numpy as np
import pytest

from evidence import cli, describe_pool
from evidence.analysis.narrative.pooled_results import why_not_pooled
from evidence.analysis.pooling.pooled_estimate import PoolingError, meta_analyse, pool_studies
from evidence.analysis.pooling.study_effects import effects_by_study
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import ParameterError
from evidence.figures.forest_plot import lay_out_cumulative, lay_out_forest
from evidence.figures.layout import draw
from tests.conftest import ROOT, Project

BCG = json.loads((ROOT / "reference" / "metafor" / "values.json").read_text("utf-8"))["dat.bcg"]
YEARS = [1948, 1949, 1960, 1977, 1973, 1953, 1973, 1980, 1968, 1961, 1974, 1969, 1976]


def arm(study, name, role, events, n, **cells):
    base = {
        "study": study, "condition": "tuberculosis", "arm": name, "role": role,
        "outcome": "infection", "measure": "proportion", "events": str(events), "n": str(n),
        "as_printed": f"{events}/{n}", "reported_by": "publication", "source": study,
        "locator": "Table 1", "verified": "yes",
    }  # fmt: skip
    return base | cells


def described(study, **cells):
    base = {
        "study": study, "label": study, "scope": "guide", "design": "randomised parallel",
        "randomised": "yes", "source": study, "locator": "Methods",
    }  # fmt: skip
    return base | cells


@pytest.fixture
def vaccine(tmp_path):
    """Thirteen trials of a vaccine as a project of this package."""
    project = Project(tmp_path / "bcg")
    for table in (schema.STUDIES, schema.DESIGNS, schema.OUTCOMES):
        project.write(table.file, [table.names])
    for table in (schema.GUIDE, schema.CLAIMS, schema.UNKNOWNS):
        project.path(table.file).unlink()
    project.table(
        schema.OUTCOMES, outcome="infection", kind="harm", better="lower", description="caught it"
    )
    project.path("references.bib").write_text("", "utf-8")
    counts = BCG["studies"]
    for number, year in enumerate(YEARS):
        study = f"trial{number}"
        project.append(
            "references.bib",
            f"@article{{{study}, author = {{Writer, Ann}}, title = {{T}}, year = {{{year}}}}}\n",
        )
        project.table(schema.DESIGNS, **described(study))
        cells = [int(counts[name][number]) for name in ("events1", "n1", "events2", "n2")]
        project.row(**arm(study, "vaccine", "intervention", *cells[:2]))
        project.row(**arm(study, "none", "comparator", *cells[2:]))
    return project


def run(project, **given):
    dataset = project.dataset()
    asked = {"outcome": "infection", "measure": "rr"} | given
    return meta_analyse(dataset, select_results(dataset), **asked)


def refused(project, **given):
    with pytest.raises(PoolingError) as caught:
        run(project, **given)
    return " | ".join(caught.value.reasons)


@pytest.mark.parametrize(("measure", "name"), [("rr", "RR"), ("or", "OR"), ("rd", "RD")])
@pytest.mark.parametrize(("test", "fit"), [("z", "REML|z"), ("knha", "REML|knha")])
def test_the_whole_way_gives_metafors_numbers(vaccine, measure, name, test, fit):
    found = run(vaccine, measure=measure, test=test)
    wanted = BCG[name][fit]
    for key in ("estimate", "ci_low", "ci_high", "tau2", "I2", "Q"):
        assert getattr(found.pooled, key) == pytest.approx(wanted[key], rel=1e-6), key
    assert list(found.studies["year"]) == sorted(str(year) for year in YEARS)
    assert found.studies["weight"].sum() == pytest.approx(1)
    assert found.egger is not None
    assert found.trim_and_fill is not None
    assert (len(found.leave_one_out), len(found.cumulative)) == (13, 12)


@pytest.mark.parametrize(
    ("method", "measure", "key"), [("mh", "rr", "MH_RR"), ("peto", "or", "PETO_pooled")]
)
def test_sparse_methods(vaccine, method, measure, key):
    found = run(vaccine, method=method, measure=measure)
    assert found.pooled.estimate == pytest.approx(BCG[key]["estimate"], rel=1e-10)
    how = {"mh": "Mantel and Haenszel", "peto": "Peto"}[method]
    assert f"by {how} and normal intervals" in str(describe_pool(found)[0])
    assert set(found.omitted_analyses) == {"leave_one_out", "cumulative", "egger", "trim_and_fill"}


def test_command_prints_every_number_at_full_precision(vaccine, capsys):
    arguments = ["pool", "--project", str(vaccine.root), "--outcome", "infection"]
    assert cli.main([*arguments, "--measure", "rr", "--test", "z", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = BCG["RR"]["REML|z"]
    assert found["pooled"]["estimate"] == pytest.approx(wanted["estimate"], rel=1e-9)
    assert found["pooled"]["tau2_low"] == pytest.approx(wanted["tau2_Q_profile_ci"][0], abs=1e-4)
    assert found["natural"]["estimate"] == pytest.approx(np.exp(wanted["estimate"]), rel=1e-9)
    assert "Higgins" in found["pooled"]["pi_formula"]
    assert found["leave_one_out"][0]["without"] == "trial0"
    assert found["trim_and_fill"]["missing"] == 1
    assert len(found["studies"]) == 13


def test_command_refuses_with_every_reason(capsys):
    arguments = ["pool", "--project", str(ROOT), "--outcome", "abstinence", "--measure", "rr"]
    assert cli.main([*arguments, "--time-days", "365"]) == 1
    said = capsys.readouterr().err
    assert "randomised (Krupitsky 2007, Dakwar 2019) and other studies (Krupitsky 1997)" in said
    assert "the conditions differ (alcohol dependence: Krupitsky 1997; heroin dependence" in said
    assert cli.main(["pool", "--outcome", "abstinence", "--measure", "oddsratio"]) == 2
    assert "'oddsratio' is not one of 'rr', 'or'" in capsys.readouterr().err


def test_one_study_is_no_pool(vaccine):
    vaccine.write("data/studies.csv", vaccine.rows("data/studies.csv")[:3])
    assert refused(vaccine) == (
        "one study has confirmed numbers for this (trial0); a pool needs two"
    )


def test_no_study_is_no_pool(vaccine):
    assert "no study has confirmed numbers" in refused(vaccine, measure="smd")


def test_mixed_designs_are_pooled_only_if_asked_for(vaccine):
    vaccine.put("data/designs.csv", 2, randomised="no", design="cohort")
    assert "randomised (trial1, " in refused(vaccine)
    assert run(vaccine, allow_nonrandomised=True).pooled.k == 13


def test_the_same_people_twice_are_refused(vaccine):
    vaccine.put("data/designs.csv", 3, cohort="trial0")
    assert refused(vaccine) == "the same people would be counted twice (trial0, trial1)"


def test_periods_of_a_crossover_are_refused(vaccine):
    vaccine.put("data/designs.csv", 3, design="randomised crossover")
    assert "the two periods of a crossover are the same people (trial1)" in refused(vaccine)


def test_conditions_are_mixed_only_by_name(vaccine):
    for line in (2, 3):
        vaccine.put("data/studies.csv", line, condition="leprosy")
    assert "the conditions differ (leprosy: trial0; tuberculosis: trial1" in refused(vaccine)
    assert run(vaccine, conditions=["leprosy", "tuberculosis"]).pooled.k == 13
    assert run(vaccine, conditions=["tuberculosis"]).pooled.k == 12


def test_kinds_of_comparison_are_mixed_only_by_name(vaccine):
    vaccine.put("data/designs.csv", 2, comparator_kind="active")
    vaccine.put("data/designs.csv", 3, comparator_kind="inactive")
    assert "the comparators differ (active: trial0; inactive: trial1; not stated: trial5" in (
        refused(vaccine)
    )
    assert run(vaccine, comparators=["active", "inactive"]).pooled.k == 2


def test_times_far_from_the_one_wanted_do_not_count(vaccine):
    for study, day in (("trial0", "20"), ("trial1", "4"), ("trial2", "2")):
        for name, role in (("vaccine", "intervention"), ("none", "comparator")):
            given = {"time": day, "time_unit": "day", "outcome": "death"}
            vaccine.row(**arm(study, name, role, 3, 50) | given)
    vaccine.table(schema.OUTCOMES, outcome="death", kind="harm", better="lower", description="died")
    assert run(vaccine, outcome="death", time_days=7).pooled.k == 2
    assert list(run(vaccine, outcome="death", time_days=7).studies["study"]) == ["trial0", "trial1"]
    assert run(vaccine, outcome="death", time_days=7, max_time_ratio=10).pooled.k == 3


def test_methods_that_do_not_fit_the_measure(vaccine):
    assert "Peto's method gives an odds ratio" in refused(vaccine, method="peto")
    reasons = refused(vaccine, method="mh", measure="proportion")
    assert "Mantel and Haenszel pool counts of two groups" in reasons


def test_unconfirmed_numbers_and_the_guide_never_count(vaccine):
    vaccine.put("data/studies.csv", 2, verified="not read")
    assert run(vaccine).pooled.k == 12


def test_two_arms_that_share_a_control_are_put_together(vaccine):
    """4/123 and 6/77 against 11/139 are 10/200 against 11/139, the control counted once."""
    vaccine.row(**arm("trial0", "vaccine, high", "intervention", 6, 77))
    found = run(vaccine).studies.set_index("study").loc["trial0"]
    cells = [found[name] for name in ("events1", "n1", "events2", "n2")]
    assert cells == [10, 200, 11, 139]
    assert found["yi"] == pytest.approx(np.log((10 / 200) / (11 / 139)))
    assert found["says"] == "vaccine and vaccine, high against none"


def mean(study, name, role, value, spread, n, **cells):
    printed = {"value": value, "spread": spread, "as_printed": f"{value} ({spread})", "n": n}
    row = arm(study, name, role, "", "") | {"events": "", "measure": "mean", "spread_kind": "sd"}
    return row | {"instrument": "scale"} | printed | cells


def test_means_are_put_together_as_if_they_had_been_one(vaccine):
    """10 (2), n 5 and 14 (2), n 5: mean 12, SD √((4·4 + 4·4 + 40) / 9) = 2.828."""
    for study in ("trial0", "trial1"):
        vaccine.row(**mean(study, "low", "intervention", "10", "2", "5"))
        vaccine.row(**mean(study, "high", "intervention", "14", "2", "5"))
        vaccine.row(**mean(study, "nothing", "comparator", "8", "2", "10"))
    found = run(vaccine, measure="md").studies
    assert list(found["yi"]) == [4.0, 4.0]
    assert found["vi"].iloc[0] == pytest.approx(8 / 10 + 4 / 10)
    vaccine.put("data/studies.csv", 31, instrument="other scale")
    vaccine.put("data/studies.csv", 32, instrument="other scale")
    vaccine.put("data/studies.csv", 33, instrument="other scale")
    assert "the scales differ (scale, other scale); use measure smd" in refused(
        vaccine, measure="md"
    )


def test_a_printed_effect_stands_in_where_means_are_missing(vaccine):
    """0.5 (0.1 to 0.9): variance (0.8 / 3.92)²."""
    for study in ("trial0", "trial1"):
        printed = {
            "role": "contrast", "versus": "none", "measure": "smd", "events": "", "n": "",
            "value": "0.5", "ci_low": "0.1", "ci_high": "0.9", "as_printed": "0.5 (0.1 to 0.9)",
        }  # fmt: skip
        vaccine.row(**arm(study, "vaccine", "intervention", "", "") | printed)
    found = run(vaccine, measure="smd").studies
    assert found["vi"].iloc[0] == pytest.approx((0.8 / 3.919927969080108) ** 2)


def test_the_time_nearest_to_the_one_wanted_is_taken(vaccine):
    for day, events in (("1", 5), ("30", 9)):
        for study in ("trial0", "trial1"):
            for name, role, n in (("vaccine", "intervention", 100), ("none", "comparator", 100)):
                vaccine.row(**arm(study, name, role, events, n, time=day, time_unit="day"))
    rows = select_results(vaccine.dataset())
    rows = rows[rows["days"].notna()].to_dict("records")
    for near, events in ((1, 5), (4, 5), (10, 9), (365, 9)):
        found = effects_by_study(rows, measure="rr", time_days=near)
        assert [study["events1"] for study in found] == [events, events]


def in_words(project, **given):
    dataset = project.dataset()
    asked = {"outcome": "infection", "measure": "rr", "test": "z"} | given
    pooled = pool_studies(dataset, select_results(dataset), **asked)
    return pooled, [str(sentence) for sentence in describe_pool(pooled)]


def test_a_pool_in_words(vaccine):
    """Metafor's REML: exp(-0.7145) = 0.49 (0.34 to 0.70), tau² 0.31; k = 13."""
    pooled, (effect, prediction) = in_words(vaccine)
    wanted = BCG["RR"]["REML|z"]
    ends = [f"{np.exp(wanted[key]):.2f}" for key in ("estimate", "ci_low", "ci_high")]
    assert effect == (
        "Pooled over 13 studies by random effects (REML) and normal intervals: risk ratio of "
        "infection {}, interval {} to {}.".format(*ends)
    )
    assert f"tau² is {wanted['tau2']:.2f}" in prediction
    low, high = (np.exp(wanted[f"pi_{end}_t_k_minus_2"]) for end in ("low", "high"))
    assert f"In a further study like these {low:.2f} to {high:.2f} would be expected" in prediction
    assert pooled.omitted_analyses == {}


def test_a_forest_of_the_vaccine_trials(vaccine):
    pooled, _ = in_words(vaccine)
    layout = lay_out_forest(pooled)
    assert list(layout.frame["kind"]) == ["study"] * 13 + ["pooled"]
    last = layout.frame.iloc[-1]
    wanted = BCG["RR"]["REML|z"]
    assert last["estimate"] == pytest.approx(np.exp(wanted["estimate"]))
    assert last["pi_high"] == pytest.approx(np.exp(wanted["pi_high_t_k_minus_2"]))
    grown = lay_out_cumulative(pooled).frame
    assert len(grown) == 13
    assert grown["estimate"].iloc[-1] == pytest.approx(last["estimate"])
    assert draw(layout).axes


def test_a_refusal_is_drawn_as_its_reasons(vaccine):
    pooled, said = in_words(vaccine, measure="smd")
    assert said == ["Not pooled: no study has confirmed numbers for this; a pool needs two."]
    assert lay_out_forest(pooled).empty == said[0]
    assert lay_out_cumulative(pooled).empty == said[0]
    with pytest.raises(ParameterError, match="'magic' is not one of: rr, or"):
        in_words(vaccine, measure="magic")
    assert in_words(vaccine, outcome="fever")[1] == [
        "Not pooled: these results hold nothing on fever."
    ]


def test_the_headline_studies_are_told_apart(shipped):
    said = [str(sentence) for sentence in why_not_pooled(shipped)]
    assert said[0] == (
        "Zarate 2006, Fava 2018 and Krupitsky 1997 are not pooled: no outcome is reported by all "
        "of them."
    )
    assert "Krupitsky 1997: non-randomised controlled, abstinence." in said


def test_the_shipped_tables_do_not_pool_the_guides_three_studies(shipped):
    """Other outcomes, other designs: no measure puts 2006, 2018 and 1997 together."""
    results = select_results(shipped)
    named = results[results["study"].isin(["zarate2006", "fava2018", "krupitsky1997"])]
    for outcome in named["outcome"].unique():
        for measure in ("rr", "or", "rd", "smd", "md", "proportion"):
            with pytest.raises(PoolingError):
                meta_analyse(shipped, named, outcome=outcome, measure=measure)
