"""Verdicts computed from rows, contradictions, and the claims for machines."""

import json

import pandas as pd
import pytest

from evidence import claims_summary
from evidence.analysis.claims.claim_audit import claim_verdicts, overruled_verdicts
from evidence.analysis.claims.contradictions import contradictions
from evidence.analysis.claims.verdicts import judge_claim
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.report.machine_readable import claims_frame, claims_json_ld

STUDIES = "data/studies.csv"


def say(project, *, guide, source, better="higher", quantity="", kind="numeric", complement=""):
    """The computed verdict where guide and sources report so; each a dict of cells."""
    for outcome, good, other in (("crumbs", better, ""), ("none", "lower", "crumbs")):
        project.table(
            schema.OUTCOMES, outcome=outcome, kind="benefit", better=good, complement=other,
            description="how it falls apart",
        )  # fmt: skip
    base = {"study": "miller2001", "condition": "cake", "arm": "knife", "role": "single arm",
            "outcome": "crumbs", "locator": "p. 1", "verified": "yes"}  # fmt: skip
    for row in guide:
        project.row(**base | {"reported_by": "guide", "source": "guide"} | row)
    for row in source:
        project.row(**base | {"reported_by": "publication", "source": "miller2001"} | row)
    project.put("data/claims.csv", 2, kind=kind, quantity=quantity, source="miller2001",
                guide_rows="outcome=crumbs|none", source_rows="outcome=crumbs")  # fmt: skip
    dataset = project.dataset()
    claim = next(dataset.claims.itertuples())
    return judge_claim(select_results(dataset), claim)


def share(value, printed, **cells):
    return {"measure": "proportion", "value": value, "as_printed": printed} | cells


@pytest.mark.parametrize(
    ("guide", "source", "verdict"),
    [
        (share("0.66", "66%"), share("0.658", "65.8%"), "agrees"),
        (share("0.66", "66%"), share("0.654", "65.4%"), "overstated"),
        (share("0.66", "66%"), share("0.67", "67%"), "agrees"),  # 66.5 rounds to either
        (share("0.66", "66.0%"), share("0.67", "67.0%"), "differs"),
        (share("0.71", "71%", n="18"), share("0.71", "71%", n="17"), "differs"),
        (share("0.71", "71%", n="17"), share("0.71", "71%", n="17"), "agrees"),
        (share("0.71", "71%"), share("0.71", "71%", n="17"), "agrees"),
    ],
)
def test_rounding_and_people(project, guide, source, verdict):
    assert say(project, guide=[guide], source=[source]).verdict == verdict


def test_less_than_said_is_no_overstatement_where_less_is_better(project):
    found = say(project, guide=[share("0.66", "66%")], source=[share("0.5", "50%")], better="lower")
    assert found.verdict == "differs"


def days(printed, time):
    return {"measure": "range", "as_printed": printed, "time": time, "time_unit": "day"}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (["2-3"], "agrees"),
        (["2-3", "4"], "agrees"),
        (["2-3", "61"], "omits detail"),
        (["22-96", "61", "3"], "differs"),
    ],
)
def test_ranges(project, found, verdict):
    source = [days(f"{time} days", time) | {"arm": f"knife {time}"} for time in found]
    said = say(project, guide=[days("2 to 4 days", "2-4")], source=source, better="neither")
    assert said.verdict == verdict


def test_said_the_other_way_round(project):
    """20 to 30 % who did not respond are 70 to 80 % who did."""
    guide = {"measure": "range", "as_printed": "20% to 30%", "outcome": "none"}
    inside = share("0.71", "71%", arm="one")
    below = [share("0.64", "64%", arm="two"), share("0.52", "52%", arm="three")]
    found = say(project, guide=[guide], source=[inside, *below])
    assert found.verdict == "overstated"
    assert found.reason == "fits 71% (Miller); does not fit 64% and 52% (Miller)"
    assert len(found.rows) == 4


def test_dates_and_directions_and_other_columns(project):
    date = {"measure": "date", "as_printed": "March 2019"}
    found = say(project, guide=[date], source=[date | {"as_printed": "5 March 2019"}])
    assert found.verdict == "agrees"


@pytest.mark.parametrize(
    ("direction", "verdict"),
    [("better", "agrees"), ("no difference", "overstated"), ("worse", "overstated")],
)
def test_directions(project, direction, verdict):
    cells = {"measure": "direction", "direction": "better"}
    source = [cells | {"direction": direction}]
    assert say(project, guide=[cells], source=source).verdict == verdict


@pytest.mark.parametrize(
    ("doses", "verdict"), [(["0.5", "1"], "agrees"), (["0.5", "3"], "differs")]
)
def test_doses_tested(project, doses, verdict):
    guide = {"measure": "range", "as_printed": "0.5, 1, 2 mg/kg"}
    source = [
        {"measure": "count", "events": "9", "as_printed": "9", "arm": f"knife {dose} mg/kg",
         "dose_mg_per_kg": dose} for dose in doses[1:]
    ]  # fmt: skip
    assert say(project, guide=[guide], source=source, quantity="dose_mg_per_kg").verdict == verdict


def test_nothing_to_hold_against_it(project):
    guide = {"measure": "statement", "as_printed": "plenty"}
    found = say(project, guide=[guide], source=[share("0.5", "50%")])
    assert found.verdict == "not checkable"


def test_an_omission(project):
    assert say(project, guide=[], source=[share("0.5", "50%")], kind="omission").verdict == (
        "omits detail"
    )


def test_an_unconfirmed_source_counts_only_where_nothing_better_is_known(project):
    unread = share("0.5", "50%", verified="not read", source="baker1990")
    read = share("0.66", "66%")
    assert say(project, guide=[share("0.66", "66%")], source=[unread, read]).verdict == "agrees"


def test_the_curators_win_visibly(project):
    project.put("data/claims.csv", 2, guide_rows="outcome=risen", source_rows="arm=yeast")
    dataset = project.dataset()
    claims = claim_verdicts(dataset, select_results(dataset))
    assert claims[["verdict", "computed_verdict", "overruled"]].to_numpy().tolist() == [
        ["agrees", "differs", True]
    ]
    (line,) = overruled_verdicts(claims)
    assert str(line) == (
        "It rises: computed “differs” (fits 71% (Baker); but 17 people and not 18 (Baker)); the "
        "curators decided “agrees”: same."
    )
    assert "accept 0 of these verdicts and overrule 1" in str(claims_summary(claims)[1])


def test_shipped_numeric_claims_are_computed(shipped):
    """The known case: 71 % of 18 against 71 % of 17; 66 % agrees with 73 of 111."""
    claims = claim_verdicts(shipped, select_results(shipped)).set_index("claim")
    numeric = claims[claims["kind"] != "qualitative"]
    assert (numeric["computed_verdict"] != "").all()
    assert claims.loc["C01", ["computed_verdict", "computed_reason"]].tolist() == [
        "differs", "fits 71% (Zarate 2006); but 17 people and not 18 (Zarate 2006)"
    ]  # fmt: skip
    assert claims.loc[["C19", "C21", "C03"], "computed_verdict"].tolist() == [
        "overstated", "agrees", "omits detail"
    ]  # fmt: skip
    assert (claims.loc[claims["overruled"], "reason"] != "").all()


def test_the_contradictions_of_the_guide_are_found(shipped):
    lines = contradictions(shipped)
    found = {line.name for line in lines}
    assert {
        "contradiction.C05.C12",  # 0.5 mg/kg a microdose, and among the upper doses tested
        "contradiction.C06.C13",  # 1 mg/kg a treatment, and dangerous
        "contradiction.C09.fava2018",  # works in the lowest dosage
        "contradiction.C07.C08",
    } <= found
    lowest = next(line for line in lines if line.name == "contradiction.C09.fava2018")
    assert "no difference for ketamine 0.2 mg/kg and ketamine 0.1 mg/kg" in str(lowest)


def test_statements_contradict_only_where_they_meet(project):
    for quality, excludes, low, high in (("good", "bad", "1", "2"), ("bad", "", "2", "")):
        project.table(
            schema.STATEMENTS, claim="C1", subject="dough", quantity="days", low=low, high=high,
            quality=quality, excludes=excludes, as_said=f"it is {quality}", locator="p. 1",
        )  # fmt: skip
    dataset = project.dataset()
    (line,) = contradictions(dataset)
    assert "dough (2 days)" in str(line)
    project.put("data/statements.csv", 3, low="2.5")
    dataset = project.dataset()
    assert contradictions(dataset) == []


def test_claim_review(project):
    """A text that ends a script element must not end it in the page."""
    project.put("data/claims.csv", 2, statement="It rises</script><b>", verdict="omits detail")
    dataset = project.dataset()
    claims = claim_verdicts(dataset, select_results(dataset))
    text = claims_json_ld(dataset, claims, page="05_claims.html")
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
    assert (frame["overruled"] == "yes").sum() == len(frame[frame["computed_verdict"].notna() & (
        frame["computed_verdict"] != frame["verdict"])])  # fmt: skip
    reviews = json.loads((report / "claims.jsonld").read_text("utf-8"))["@graph"]
    assert len(reviews) == len(frame)
    page = (report / "05_claims.html").read_text("utf-8")
    assert 'type="application/ld+json"' in page
    assert all(f'id="{review["url"].partition("#")[2]}"' in page for review in reviews)
