"""The tables as shipped: complete against the guide, honest about what was not read."""

import csv
import json
import re
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import pypandoc
import pytest
import rispy

from evidence.analysis.audit_sample import row_digest
from evidence.analysis.certainty.risk_of_bias import appraisals
from evidence.analysis.checks import check_consistency
from evidence.analysis.claims.claim_audit import claim_verdicts
from evidence.analysis.claims.contradictions import contradictions
from evidence.analysis.eligible_evidence import cohorts
from evidence.analysis.gaps.evidence_map import evidence_map_cells
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.bibliography import NO_DATE, Reference, build_reference
from evidence.dataset.citations import STYLES
from evidence.dataset.citations.reference_parts import (
    is_ahead_of_print,
    known_parts,
    page_range,
)
from evidence.dataset.citations.source_kinds import kind_of
from evidence.exchange.references import read_references
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from evidence.figures.layout import split_into_pages
from evidence.files import read_json
from evidence.provenance.methods import read_method_references
from evidence.report.figure_identity import WIDTHS
from evidence.report.trace import trace_number
from tests.absolute_phrases import absolute_phrases
from tests.test_figures import LAYOUTS, faults

NUMBERED = [str(number) for number in range(1, 20)]


def test_all_nineteen_references_are_there_each_with_a_reason(shipped):
    ranks = shipped.guide.groupby("guide_ref")["rank"].min()
    assert set(NUMBERED) <= set(ranks.index)
    assert (ranks == 1).all()
    assert (shipped.guide["reason"] != "").all()


def test_sources_named_without_a_number_are_there(shipped):
    unnumbered = set(shipped.guide["guide_ref"]) - set(NUMBERED)
    assert len(unnumbered) >= 11


def test_only_the_unresolved_name_no_text(shipped):
    nameless = shipped.guide[shipped.guide["source"] == ""]
    assert set(nameless["status"]) == {"unresolved"}


@pytest.mark.parametrize(
    ("reference", "study"), [("8", "zarate2006"), ("5", "fava2018"), ("12", "krupitsky1997")]
)
def test_the_three_named_studies_are_identified(shipped, reference, study):
    rows = shipped.guide[shipped.guide["guide_ref"] == reference]
    assert rows[["source", "status"]].to_numpy().tolist() == [[study, "identified"]]


def test_all_claims_are_there(shipped):
    assert [f"C{number:02d}" for number in range(1, 42)] == shipped.guide_claims["claim"].tolist()[
        :41
    ]
    assert set(shipped.guide_claims["verdict"]) == {
        "agrees", "omits detail", "overstated", "differs", "not checkable"
    }  # fmt: skip


def test_guide_and_source_are_separate_rows(shipped):
    rows = shipped.reported_results[
        (shipped.reported_results["study"] == "zarate2006")
        & (shipped.reported_results["as_printed"] == "71%")
    ]
    assert {(row.reported_by, row.n) for row in rows.itertuples()} >= {
        ("guide", 18),
        ("review", 17),
    }


def test_commonly_cited_numbers_are_not_passed_off_as_read(shipped):
    """D 1.46 and 0.68 of 2006 were read in a review only, and the 14 on placebo nowhere."""
    unread = shipped.reported_results[shipped.reported_results["verified"] != "yes"]
    assert {1.46, 0.68} <= set(unread["value"].dropna())
    assert 14 in set(unread["n"].dropna())
    read = shipped.reported_results[shipped.reported_results["verified"] == "yes"]
    sizes = read[(read["study"] == "zarate2006") & read["value"].isin([1.46, 0.68])]
    assert set(sizes["reported_by"]) == {"review"}


def test_derived_numbers_are_not_in_the_table(shipped):
    """A ratio of shares stands there only where a text prints that very number."""
    ratios = shipped.reported_results[shipped.reported_results["measure"] == "risk ratio"]
    for row in ratios.itertuples():
        assert f"{row.value:g}" in row.as_printed, row.address


def test_printed_percentages_agree_with_their_values(shipped):
    for row in shipped.reported_results[
        shipped.reported_results["measure"] == "proportion"
    ].itertuples():
        if "%" not in row.as_printed or row.value != row.value:
            continue
        printed = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", row.as_printed)]
        assert any(abs(row.value * 100 - number) <= 0.051 for number in printed), row.address


def test_dose_ranging_trial_adds_up(shipped):
    """Arm sizes 18 + 20 + 22 + 20 + 19 = 99, the enrolment in the registry."""
    rows = shipped.reported_results[
        (shipped.reported_results["study"] == "fava2018")
        & (shipped.reported_results["outcome"] == "allocated")
        & shipped.reported_results["role"].isin(["intervention", "comparator"])
    ]
    assert rows["events"].sum() == 99
    assert shipped.designs.set_index("study").loc["fava2018", "n_randomised"] == 99


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_no_table_states_an_absence_that_nobody_can_know(shipped, table):
    """A table quotes what a text prints, and what a guide or a review says of what it found."""
    quoted = {"as_printed", "passage"}
    for row in shipped.frame(table).drop(columns=quoted, errors="ignore").to_dict("records"):
        text = " | ".join(map(str, row.values()))
        assert absolute_phrases(text) == [], row["address"]


def test_no_shipped_page_states_an_absence_that_nobody_can_know(report):
    for page in sorted(report.glob("*.html")):
        text = re.sub(r"(?s)<(style|script)\b.*?</\1>|<[^>]+>", " ", page.read_text("utf-8"))
        assert absolute_phrases(re.sub(r"\s+", " ", text)) == [], page.name


def test_the_page_on_durability_gives_a_half_life_or_says_why_there_is_none(report):
    texts = json.loads((report / "texts.json").read_text("utf-8"))
    (sentence,) = (
        text["text"]
        for name, text in texts.items()
        if re.match(r"04_durability/time\..*\.single\.(half_life|refused)$", name)
    )
    assert "half-life" in sentence
    assert re.search(r"rests on \d+ tabulated stud|curve needs at least 3 studies", sentence)


def test_most_confirmed_answers_of_the_audit_name_a_row_that_is_there(shipped):
    """A few rows were changed after their audit; a digest that forgets all is a fault."""
    present = {row_digest(row) for row in shipped.reported_results.itertuples()}
    confirmed = shipped.audits.loc[shipped.audits["answer"] == "confirmed", "row"]
    assert confirmed.isin(present).mean() > 0.9


def test_later_cohort_of_the_registry_is_a_study_of_its_own(shipped):
    rows = shipped.reported_results[shipped.reported_results["study"] == "nct00088699"]
    assert len(rows) == 8
    assert shipped.designs.set_index("study").loc["nct00088699", "scope"] == "context"


CHARTS = LAYOUTS | {
    "arms": lambda dataset, results: lay_out_arm_comparison(dataset, results, outcome="abstinence")
}
LARGEST = [
    "proportions", "arms", "one trial", "follow-up", "claims", "map", "map of doses",
    "risk of bias",
]  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LARGEST)
def test_every_text_of_the_largest_figures_can_be_read(shipped, name, width, monkeypatch):
    layout = CHARTS[name](shipped, select_results(shipped))
    for part in split_into_pages(layout):
        assert list(faults(part, monkeypatch, width)) == []


def test_no_two_figures_show_the_same_rows(report):
    """But the pooled estimate after each study, and the judgements of a tool summed up."""
    shown: dict[frozenset, set[str]] = {}
    for path in (report / "figures").glob("*.json"):
        record = read_json(path)
        shown.setdefault(frozenset(record["rows"]), set()).add(record["id"])
    same = [ids for ids in shown.values() if len(ids) > 1]
    tools = ("rob-1-2011", "rob-2-2019", "robins-i-2016")
    views = [{f"fig-risk-of-bias-{tool}", f"fig-risk-summary-{tool}"} for tool in tools]
    assert [ids for ids in same if ids not in [{"fig-forest", "fig-cumulative"}, *views]] == []


def test_only_the_lowest_dose_has_an_effect_size_and_is_no_different_after_adjustment(shipped):
    layout = lay_out_dose_effect_one_trial(shipped, select_results(shipped, scope="core"))
    source = layout.frame[layout.frame["lane"] == "source"]
    sized = source[source["has_estimate"]]
    assert sized[["dose", "value", "p_adjusted"]].to_numpy().tolist() == [[0.1, -0.82, "0.14"]]
    findings = source.drop_duplicates("dose").set_index("dose")["finding"].to_dict()
    assert findings == {0.1: "no difference", 0.2: "no difference", 0.5: "better", 1.0: "better"}
    assert sum(layout.sizes.values()) == 99


def test_appraisals_follow_their_tools(shipped):
    by_project = shipped.risk_of_bias[shipped.risk_of_bias["judged_by"] == "project"]
    assert (by_project["reason"] != "").all()
    zarate = {entry.tool.name: entry.overall for entry in appraisals(shipped, ["zarate2006"])}
    assert (zarate["RoB 1 (2011)"], zarate["RoB 2 (2019)"]) == ("", "high")


def test_no_error_of_the_tables_lacks_a_waiver(shipped):
    assert not [finding for finding in check_consistency(shipped) if finding.is_blocking]


def test_the_guide_states_percentages_that_are_impossible_with_its_n(shipped):
    """71% and 29% of 18 are not possible; of 17 they are 12 and 5."""
    messages = {
        finding.message
        for finding in check_consistency(shipped)
        if finding.code == "GRIM" and finding.study == "zarate2006"
    }
    assert messages == {
        f"{percent} is not possible with n = 18 (possible with n = 17, 21)"
        for percent in ("71%", "29%")
    }


def test_a_verdict_is_computed_for_every_numeric_claim(shipped):
    claims = claim_verdicts(shipped, select_results(shipped)).set_index("claim")
    assert (claims.loc[claims["kind"] != "qualitative", "computed_verdict"] != "").all()
    assert (claims.loc[claims["overruled"], "reason"] != "").all()
    assert claims.loc[["C01", "C03", "C19", "C21"], "computed_verdict"].tolist() == [
        "differs", "omits detail", "overstated", "agrees"
    ]  # fmt: skip


def test_the_contradictions_of_the_guide_are_found(shipped):
    assert {
        "contradiction.C05.C12",  # 0.5 mg/kg a microdose, and among the upper doses tested
        "contradiction.C06.C13",  # 1 mg/kg a treatment, and dangerous
        "contradiction.C09.fava2018",  # works in the lowest dosage
        "contradiction.C07.C08",
    } <= {sentence.name for sentence in contradictions(shipped)}


def test_participants_of_a_secondary_analysis_are_not_counted_twice(shipped):
    assert cohorts(shipped)["salloum2019"] == "fava2018"
    results = select_results(shipped)
    cells = evidence_map_cells(shipped, results, row_by="outcome", column_by="condition")
    abstinence = cells.set_index("name").loc["alcohol dependence/abstinence"]
    # The studies of 1997, 2020 and 2022; the retelling of 1997 in a review adds nobody.
    assert abstinence["n"] == 211 + 40 + 96


@pytest.mark.parametrize("measure", ["proportion", "rr", "smd"])
def test_the_first_questions_are_those_of_the_curators(shipped, measure):
    question = main_question(shipped, select_results(shipped), Question("", measure, 0.0))
    outcome = "depression severity" if measure == "smd" else "response"
    assert (question.outcome, question.time_days) == (outcome, 1)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "index/zarate2006/ketamine against placebo/response.proportion1",
            [("71%", "costi2015")],
        ),
        (
            "index/krupitsky1997/ketamine psychotherapy against standard care/abstinence/"
            "1 year.ratio",
            [("65.8% (73/111)", "krupitsky1997"), ("24% (24/100)", "krupitsky1997")],
        ),
        (
            "03_dose_response/fava2018/ketamine 0.1 mg/kg/depression severity/smd.value",
            [("-0.82", "fava2018")],
        ),
        ("05_claims/claim.C01.guide", [("guide: 71% of 18; source: 71% of 17", "costi2015")]),
    ],
)
def test_numbers_lead_to_what_their_sources_print(shipped, report, name, rows):
    (trace,) = trace_number(shipped, report, name)
    assert [(row.as_printed, row.sources[0]) for row in trace.rows] == rows


REQUIRED = {
    "article": ("author", "title", "year", "container", "volume", "pages", "address"),
    "book": ("author", "title", "year", "container"),
    "incollection": ("author", "title", "year", "container", "publisher"),
    "mastersthesis": ("author", "title", "year", "container"),
}
"""Fields that an entry must have, by type; an address is a DOI, PubMed's number or a URL."""
DESCRIPTION = re.compile(r"^(?:Summary of|News of)|not (?:read|kept|confirmed)|summary in an index")


def missing_fields(reference: Reference) -> list[str]:
    """Return the required fields that an entry does not have, or has in words that describe it."""
    source = known_parts(reference)
    present = {
        "author": source.creators and not source.more_authors,
        "title": not DESCRIPTION.search(source.title) and "itle in our words" not in source.note,
        # A page without a date is complete; an article is not.
        "year": source.kind not in REQUIRED or source.year != NO_DATE,
        "address": source.link,
    }
    if is_ahead_of_print(source):
        present |= {"volume": True, "pages": True}
    required = REQUIRED.get(source.kind, ("author", "title", "year", "address"))
    return [name for name in required if not present.get(name, getattr(source, name, ""))]


def all_references(shipped) -> dict[str, Reference]:
    """The sources of the project and the works on methods that come with the package."""
    return {**shipped.bibliography, **read_method_references()}


def test_incomplete_references_are_known_and_their_notes_say_why(shipped):
    """The list may shrink only: look a field up, enter it, and remove it from the list."""
    listed = (
        (Path(__file__).parent / "data" / "incomplete_references.csv").read_text().splitlines()[1:]
    )
    references = all_references(shipped)
    missing = {
        key: " ".join(fields)
        for key, reference in references.items()
        if (fields := missing_fields(reference))
    }
    assert missing == dict(line.split(",") for line in listed)
    assert all(references[key].note for key in missing)


def test_journals_of_the_references_are_in_the_list_of_abbreviations(shipped):
    sources = [known_parts(source) for source in all_references(shipped).values()]
    articles = [source for source in sources if kind_of(source).form == "article"]
    titles = {article.container.replace(" & ", " and ") for article in articles}
    listed = resources.files("evidence.dataset").joinpath("journals.csv").read_text("utf-8")
    names = {row[0].replace(" & ", " and ") for row in csv.reader(listed.splitlines())}
    assert titles - names - {""} == set()


def printed_fields(reference: Reference) -> dict:
    """The fields of a reference that a style can print, titles in any letter case."""
    ours = ("key", "line", "suffix", "note", "protected", "first_published")
    values = {name: value for name, value in asdict(reference).items() if name not in ours}
    # Other formats have one type for several of BibTeX's, and no word for a missing date.
    del values["kind"]
    return values | {
        "title": values["title"].casefold(),
        "year": "" if values["year"] == NO_DATE else values["year"],
        "pages": page_range(values["pages"]),
        # Styles print an address where there is no DOI.
        "url": "" if values["doi"] else values["url"],
    }


@pytest.mark.parametrize("style", ["bibtex", "ris", "csl-json", "csv"])
def test_references_come_back_from_every_format(shipped, style):
    sources = [known_parts(source) for source in all_references(shipped).values()]
    _, entries = read_references(STYLES[style](sources), "export")
    for source, entry in zip(sources, entries, strict=True):
        assert printed_fields(build_reference(entry)) == printed_fields(source), source.key


def plain_letters(texts: list[str]) -> list[str]:
    """Texts in lower case without blanks and the curly quotes that pandoc sets."""
    return [text.casefold().translate(str.maketrans("“”‘’", "\"\"''", " ")) for text in texts]


def test_other_programs_read_the_references_as_they_are(shipped):
    sources = [known_parts(source) for source in all_references(shipped).values()]
    for source, record in zip(sources, rispy.loads(STYLES["ris"](sources)), strict=True):
        assert record["title"].casefold() == source.title.casefold()
        assert len(record.get("authors", [])) == len(source.authors)
        assert record.get("doi", "") == source.doi
    for style, reader in [("bibtex", "biblatex"), ("csl-json", "csljson")]:
        converted = pypandoc.convert_text(STYLES[style](sources), "csljson", format=reader)
        items = {item["id"]: item for item in json.loads(converted)}
        for source in sources:
            item = items[source.key]
            assert item.get("DOI", "") == source.doi
            assert item.get("volume", "") == source.volume
            parts = ("dropping-particle", "non-dropping-particle", "family", "literal")
            authors = item.get("author", [])
            names = ["".join(name.get(part, "") for part in parts) for name in authors]
            read = [re.sub("<[^>]*>", "", item["title"]), *names[: len(source.authors)]]
            written = [source.title, *(author.last for author in source.authors)]
            assert plain_letters(read) == plain_letters(written)
