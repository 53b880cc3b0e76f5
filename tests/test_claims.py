"""Verdicts computed from rows, contradictions, and claims in machine-readable form."""

import json

import pandas as pd
import pytest

from evidence.analysis.claims.claim_audit import claim_verdicts, claims_summary, disagreements
from evidence.analysis.claims.contradictions import contradictions
from evidence.analysis.claims.verdicts import judge_claim
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.report.machine_readable import claims_frame, claims_json_ld


def judge(project, *, guide, source, better="higher", quantity="", kind="numeric"):
    """The computed verdict if guide and sources have these rows, each a dict of cells."""
    for outcome, direction, complement in (("crumbs", better, ""), ("none", "lower", "crumbs")):
        project.table(
            schema.OUTCOMES, outcome=outcome, kind="benefit", better=direction,
            complement=complement, description="how it falls apart",
        )  # fmt: skip
    row = {"study": "miller2001", "condition": "cake", "arm": "knife", "role": "single arm",
           "outcome": "crumbs", "locator": "p. 1", "verified": "yes"}  # fmt: skip
    for cells in guide:
        project.row(**row | {"reported_by": "guide", "source": "guide"} | cells)
    for cells in source:
        project.row(**row | {"reported_by": "publication", "source": "miller2001"} | cells)
    project.put("data/claims.csv", 2, kind=kind, quantity=quantity, source="miller2001",
                guide_rows="outcome=crumbs|none", source_rows="outcome=crumbs")  # fmt: skip
    dataset = project.dataset()
    return judge_claim(select_results(dataset), next(dataset.guide_claims.itertuples()))


def verdicts(project):
    dataset = project.dataset()
    return dataset, claim_verdicts(dataset, select_results(dataset))


def proportion(value, printed, **cells):
    return {"measure": "proportion", "value": value, "as_printed": printed} | cells


def days(time):
    text = f"{time.replace('-', ' to ')} days"
    return {"measure": "range", "as_printed": text, "time": time, "time_unit": "day"}


def direction(word):
    return {"measure": "direction", "direction": word}


@pytest.mark.parametrize(
    ("guide", "source", "verdict"),
    [
        (proportion("0.66", "66%"), proportion("0.658", "65.8%"), "agrees"),
        (proportion("0.66", "66%"), proportion("0.654", "65.4%"), "overstated"),
        (proportion("0.66", "66%"), proportion("0.67", "67%"), "agrees"),  # 66.5 rounds to either
        (proportion("0.66", "66.0%"), proportion("0.67", "67.0%"), "differs"),
        (proportion("0.71", "71%", n="18"), proportion("0.71", "71%", n="17"), "differs"),
        (proportion("0.71", "71%", n="17"), proportion("0.71", "71%", n="17"), "agrees"),
        (proportion("0.71", "71%"), proportion("0.71", "71%", n="17"), "agrees"),
        (
            {"measure": "date", "as_printed": "March 2019"},
            {"measure": "date", "as_printed": "5 March 2019"},
            "agrees",
        ),
        (direction("better"), direction("better"), "agrees"),
        (direction("better"), direction("no difference"), "overstated"),
        (direction("better"), direction("worse"), "overstated"),
        (
            {"measure": "statement", "as_printed": "plenty"},
            proportion("0.5", "50%"),
            "not checkable",
        ),
    ],
)
def test_a_number_date_or_direction_against_one_source(project, guide, source, verdict):
    assert judge(project, guide=[guide], source=[source]).verdict == verdict


def test_less_than_stated_is_not_overstated_where_less_is_better(project):
    guide, source = proportion("0.66", "66%"), proportion("0.5", "50%")
    assert judge(project, guide=[guide], source=[source], better="lower").verdict == "differs"


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        (["2-3"], "agrees"),
        (["2-3", "4"], "agrees"),
        (["2-3", "61"], "omits detail"),
        (["22-96", "61", "3"], "differs"),
    ],
)
def test_a_range_against_several_sources(project, times, verdict):
    source = [days(time) | {"arm": f"knife {time}"} for time in times]
    assert judge(project, guide=[days("2-4")], source=source, better="neither").verdict == verdict


def test_the_complement_of_an_outcome_is_converted(project):
    """20 to 30% who did not respond are 70 to 80% who did."""
    guide = {"measure": "range", "as_printed": "20% to 30%", "outcome": "none"}
    source = [
        proportion("0.71", "71%", arm="one"),
        proportion("0.64", "64%", arm="two"),
        proportion("0.52", "52%", arm="three"),
    ]
    verdict = judge(project, guide=[guide], source=source)
    assert verdict.verdict == "overstated"
    assert verdict.reason == "matches 71% (Miller); does not match 64% and 52% (Miller)"
    assert len(verdict.rows) == 4


@pytest.mark.parametrize(("dose", "verdict"), [("1", "agrees"), ("3", "differs")])
def test_a_list_of_doses_against_the_doses_tested(project, dose, verdict):
    guide = {"measure": "range", "as_printed": "0.5, 1, 2 mg/kg"}
    source = {"measure": "count", "events": "9", "as_printed": "9", "arm": f"knife {dose} mg/kg",
              "dose": dose, "dose_unit": "mg/kg"}  # fmt: skip
    judged = judge(project, guide=[guide], source=[source], quantity="dose")
    assert judged.verdict == verdict
    assert f"{dose} mg/kg (Miller)" in judged.reason


def test_an_omission_is_something_that_only_the_source_reports(project):
    judged = judge(project, guide=[], source=[proportion("0.5", "50%")], kind="omission")
    assert judged.verdict == "omits detail"


def test_an_unconfirmed_source_counts_only_if_no_source_is_confirmed(project):
    unconfirmed = proportion("0.5", "50%", verified="not read", source="baker1990")
    confirmed = proportion("0.66", "66%")
    judged = judge(project, guide=[proportion("0.66", "66%")], source=[unconfirmed, confirmed])
    assert judged.verdict == "agrees"


def test_the_verdict_of_the_curators_takes_precedence_visibly(project):
    project.put("data/claims.csv", 2, guide_rows="outcome=risen", source_rows="arm=yeast")
    _, claims = verdicts(project)
    assert claims[["verdict", "computed_verdict", "overruled"]].to_numpy().tolist() == [
        ["agrees", "differs", True]
    ]
    assert [str(sentence) for sentence in claims_summary(claims)] == [
        "Verdicts on 1 claim: 1 “agrees”, 0 “omits detail”, 0 “overstated”, 0 “differs”, 0 “not "
        "checkable”.",
        "For 1 claim the verdict is also computed from the rows alone; the curators accept 0 of "
        "these verdicts and overrule 1, each with a reason.",
    ]


def test_disagreements_are_listed_with_both_values(project):
    project.put("data/claims.csv", 2, verdict="overstated", guide_value="90%")
    (sentence,) = disagreements(verdicts(project)[1])
    assert str(sentence) == "It rises — guide: 90%; source: 71%."


def test_statements_contradict_each_other_only_where_their_ranges_overlap(project):
    for quality, excludes, low, high in (("good", "bad", "1", "2"), ("bad", "", "2", "")):
        project.table(
            schema.STATEMENTS, claim="C1", subject="dough", quantity="days", low=low, high=high,
            quality=quality, excludes=excludes, as_said=f"it is {quality}", locator="p. 1",
        )  # fmt: skip
    (sentence,) = contradictions(project.dataset())
    assert str(sentence) == (
        "dough (2 days): the guide says that it is good (p. 1), but also that it is bad (p. 1)."
    )
    project.put("data/statements.csv", 3, low="2.5")
    assert contradictions(project.dataset()) == []


def test_a_statement_contradicts_a_trial_with_another_direction(project):
    project.table(
        schema.STATEMENTS, claim="C1", subject="yeast", quality="useless", as_said="it is useless",
        locator="p. 1", source_rows="condition=cake", direction="no difference",
    )  # fmt: skip
    (sentence,) = contradictions(project.dataset())
    assert str(sentence) == (
        "yeast: the guide says that it is useless (C1), but Miller found better for yeast."
    )


def test_a_claim_review_cannot_end_the_script_element_of_its_page(project):
    project.put("data/claims.csv", 2, statement="It rises</script><b>", verdict="omits detail")
    text = claims_json_ld(*verdicts(project), page="05_claims.html")
    assert "</script" not in text
    (review,) = json.loads(text)["@graph"]
    assert review["@type"] == "ClaimReview"
    assert review["url"] == "05_claims.html#tab-claims-C1"
    assert review["claimReviewed"] == "It rises</script><b>"
    assert review["itemReviewed"]["appearance"]["name"] == "Bread 101"
    assert review["reviewRating"] == {
        "@type": "Rating", "alternateName": "omits detail", "ratingExplanation": "same",
        "ratingValue": 3, "worstRating": 1, "bestRating": 4,
    }  # fmt: skip


def test_claims_are_exported_beside_their_page(report):
    frame = pd.read_csv(report / "claims.csv")
    assert list(frame) == list(claims_frame(frame.assign(overruled=False)))
    is_overruled = frame["computed_verdict"].notna() & (
        frame["computed_verdict"] != frame["verdict"]
    )
    assert (frame["overruled"] == "yes").tolist() == is_overruled.tolist()
    reviews = json.loads((report / "claims.jsonld").read_text("utf-8"))["@graph"]
    assert len(reviews) == len(frame)
    page = (report / "05_claims.html").read_text("utf-8")
    assert 'type="application/ld+json"' in page
    assert all(f'id="{review["url"].partition("#")[2]}"' in page for review in reviews)
