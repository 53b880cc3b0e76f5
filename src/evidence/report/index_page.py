"""The index page: the main findings, certainty, disagreements and unknowns, all computed."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from html import escape

import pandas as pd

from evidence.analysis.audit_sample import error_rate
from evidence.analysis.certainty.grade import Certainty
from evidence.analysis.claims import claim_audit
from evidence.analysis.eligible_evidence import OUTCOME_KINDS
from evidence.analysis.gaps.primary_outcomes import primary_outcomes_sentence
from evidence.analysis.gaps.reading_list import find_wanted_results
from evidence.analysis.gaps.unknowns import find_unknowns
from evidence.analysis.narrative import unknowns
from evidence.analysis.narrative.coverage import coverage_summary
from evidence.analysis.narrative.scope import (
    count_results,
    describe_coverage,
    describe_parameters,
    has_guide,
)
from evidence.analysis.narrative.study_cards import (
    MainResult,
    StudyCard,
    certainty_sentences,
    main_results,
    rated_bodies,
    study_card,
)
from evidence.analysis.narrative.study_findings import evidence_limits, featured_studies
from evidence.analysis.pooling.pooled_estimate import pool_studies
from evidence.analysis.pooling.question import Question, main_question
from evidence.analysis.results import select_results
from evidence.dataset.dataset import Dataset
from evidence.figures.forest_plot import lay_out_forest
from evidence.figures.layout import Layout
from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
from evidence.provenance.sentence import Sentence, capitalise, count, join_words, row_count
from evidence.provenance.values import ValueStore
from evidence.report.figure_files import DisplayedFigure, title_sentence
from evidence.report.figure_identity import FigureRecord, figure_record
from evidence.report.footnotes import (
    add_source_count,
    hidden_footnotes,
    sentence_html,
    sources_and_footnotes,
)
from evidence.report.html_pages import Headings, Page, as_markup, render
from evidence.tables.html_table import CLAIMS_TABLE, UNKNOWNS_TABLE, anchor

SentenceToHtml = Callable[[Sentence], str]
MAX_DISAGREEMENTS = 4
MAX_UNKNOWNS = 5
SOURCES = "sources"
"""The page with the references and footnotes of the index."""


def render_index(
    dataset: Dataset,
    pages: Sequence[Page],
    *,
    scope: str,
    evidence_scope: str,
    confidence: float,
    notes: Sequence[str] = (),
    failures: Sequence[Mapping[str, str]] = (),
    set_name: str = "",
    missing: Sequence[Mapping[str, str]] = (),
    figures: Collection[str] = (),
) -> tuple[str, ValueStore]:
    """Make the index page, which opens with the findings.

    Parameters
    ----------
    scope, evidence_scope : {"core", "all"}
        Of the studies shown, and of those that the certainty of evidence rests on.
    confidence : float
        Confidence level of all intervals, between 0 and 1.
    notes : sequence of str
        What a reader must know about this build, such as reports made from earlier data.
    failures : sequence of mapping
        For each report that could not be built its `name`, the `reason`, and the address of its
        executed `notebook`.
    set_name : str
        The parameter set that the page belongs to, if any.
    missing : sequence of mapping
        For each report that would have nothing to say its `title`, `question`, and what it `needs`.
    figures : collection of str
        The figures that have a page of their own, by id.

    Returns
    -------
    tuple of str and ValueStore
        The page, and the numbers and sentences on it.
    """
    store = ValueStore()

    def to_html(sentence: Sentence) -> str:
        store.add(sentence)
        return as_markup(sentence_html(sentence, footnotes=SOURCES))

    names = [page.name for page in pages]
    results = _results(dataset, scope)
    studies = featured_studies(dataset, results)
    main = main_results(dataset, results, studies, confidence=confidence)
    evidence = _results(dataset, evidence_scope)
    rated = rated_bodies(dataset, evidence, main, confidence=confidence)
    layout, report, outcomes = _main_figure(dataset, results, confidence)
    figure_page = _page(names, report)
    parameters = {"scope": scope, "confidence": confidence}
    record = figure_record(layout, dataset, report=figure_page, parameters=parameters)
    headings = Headings()
    # Numbers are footnotes in the order in which they are added: that of the page.
    page = render(
        "index.html",
        headings=headings,
        scope_line=describe_parameters(dataset, parameters),
        title=_title(dataset, main),
        current="index",
        pages=pages,
        notes=notes,
        failures=failures,
        set_name=set_name,
        missing=missing,
        opening=to_html(_opening(dataset, results)),
        cards=[
            _card(study_card(dataset, results, result, rated, confidence=confidence), to_html)
            for result in main
        ],
        certainty=_certainty(dataset, rated, names, confidence, to_html),
        claims=_claims(dataset, studies, to_html, names),
        unknowns=_unknowns(dataset, to_html, names),
        reading_list=_reading_list(dataset, to_html, names),
        chart_heading=f"{capitalise(join_words(outcomes)) or 'Results'} at a glance",
        figure=as_markup(_figure(layout, record, store)),
        covers=[
            to_html(sentence)
            for sentence in (
                _counts(dataset, _results(dataset, "all")),
                coverage_summary(dataset, next(iter(outcomes), "")),
                describe_coverage(results),
                *evidence_limits(dataset, results, scope=scope),
            )
        ],
        figure_page=figure_page,
        figure_id=layout.id,
        figures=figures,
        audited=to_html(error_rate(dataset)),
        # Called at the end of the page: by then the store holds every number on it.
        source_count=lambda: to_html(add_source_count(dataset, store)),
        footnotes=lambda: as_markup(hidden_footnotes(dataset, store, f"{SOURCES}.html")),
    )
    return page, store


def _figure(layout: Layout, record: FigureRecord, store: ValueStore) -> str:
    store.add(title_sentence(layout))
    store.add(layout.caption)
    return DisplayedFigure(layout, record).to_html(SOURCES)


def render_sources(
    dataset: Dataset,
    pages: Sequence[Page],
    store: ValueStore,
    *,
    scope_line: str,
    audited: str,
    set_name: str = "",
) -> str:
    """Make the page with the references and footnotes of the index.

    `store` has the numbers on the index; for the other arguments see `html_pages.render_notebook`.
    """
    headings = Headings()
    return render(
        "sources.html",
        headings=headings,
        title="Sources and numbers of the overview",
        scope_line=scope_line,
        current=SOURCES,
        pages=pages,
        set_name=set_name,
        audited=as_markup(audited),
        sources=lambda: as_markup(
            sources_and_footnotes(dataset, store, {}, headings=headings, page="index.html")
        ),
    )


def _main_figure(
    dataset: Dataset, results: pd.DataFrame, confidence: float
) -> tuple[Layout, str, tuple[str, ...]]:
    """Return the first figure, the report that has it, and its outcomes.

    For a guide it is what each arm found, beside what the guide says; otherwise the comparison of
    the arms with its pooled estimate.
    """
    if has_guide(dataset):
        layout = lay_out_proportions_by_arm(results, confidence=confidence)
        return layout, "comparison", tuple(layout.outcomes)
    question = main_question(dataset, results, Question("", "", 0.0))
    pooled = pool_studies(
        dataset, results, subgroup_by="comparator", confidence=confidence, **vars(question)
    )
    return lay_out_forest(pooled), "synthesis", (question.outcome,)


def _title(dataset: Dataset, main: Sequence[MainResult]) -> str:
    """Name the treatments and conditions of the studies that the page opens with."""
    known = "what is known and what is not"
    if not main:
        return capitalise(known)
    conditions, treatments, _ = zip(*(result.cell for result in main), strict=True)
    # A treatment that names another one, such as a drug with a therapy, is a form of it.
    distinct = [
        name
        for name in dict.fromkeys(treatments)
        if name and not any(other != name and other in name.split() for other in treatments)
    ]
    topic = join_words(distinct) or "Treatment"
    return f"{capitalise(topic)} for {join_words(dict.fromkeys(conditions))}: {known}"


def _opening(dataset: Dataset, results: pd.DataFrame) -> Sentence:
    """Say what the page is about, for whom, and that it is not medical advice."""
    purpose = "for readers who want to know what they found and how certain that is"
    subject, fields = "sums up the studies in the tables", {}
    if has_guide(dataset):
        sources = results.loc[results["is_guide"], "source"]
        title = dataset.bibliography[sources.iloc[0]].title if len(sources) else ""
        subject = "compares the guide{title} with the studies that it cites"
        fields = {"title": f" “{title}”" if title else ""}
    template = f"This page {subject}, {purpose}; it is not medical advice."
    return Sentence("index.opening", template, fields)


def _counts(dataset: Dataset, results: pd.DataFrame) -> Sentence:
    held, numbers = count_results(results)
    template = f"The tables hold {held}, each with the place where it was read."
    if len(dataset.guide):
        guide = dataset.guide.sort_values("rank").drop_duplicates("guide_ref")
        numbered = guide[guide["guide_ref"].str.fullmatch(r"\d+")]
        matched = numbered[numbered["status"].isin(["identified", "probable"])]
        template += " Of the guide's {references}, {found} could be matched to a text."
        numbers["references"] = count(len(numbered), "numbered reference", rows=numbered["address"])
        numbers["found"] = row_count(matched["address"])
    return Sentence("index.counts", template, numbers)


def _card(card: StudyCard, to_html: SentenceToHtml) -> dict[str, object]:
    return {
        "label": card.label,
        "facts": {
            "Question": to_html(card.question),
            "Participants": to_html(card.participants),
            "Result": " ".join(map(to_html, card.results)),
            "Certainty": to_html(card.certainty),
            "Risk of bias": to_html(card.risk_of_bias),
        }
        | ({"Caveat": to_html(card.caveat)} if card.caveat else {}),
    }


def _certainty(
    dataset: Dataset,
    rated: Sequence[Certainty],
    names: Sequence[str],
    confidence: float,
    to_html: SentenceToHtml,
) -> dict[str, object] | None:
    if not rated:
        return None
    return {
        "lines": [
            to_html(line) for line in certainty_sentences(dataset, rated, confidence=confidence)
        ],
        "is_suggested": not any(item.decided for item in rated),
        "page": _page(names, "appraisal"),
    }


def _page(names: Sequence[str], ending: str) -> str:
    return next((name for name in names if name.endswith(ending)), "")


@lru_cache(maxsize=4)
def _results(dataset: Dataset, scope: str) -> pd.DataFrame:
    return select_results(dataset, scope=scope)


def precompute_index(dataset: Dataset) -> None:
    """Compute what every index needs, so that it is ready when the reports are."""
    find_unknowns(dataset)
    find_wanted_results(dataset)
    claim_audit.judge_claims(dataset)


def _claims(
    dataset: Dataset, studies: list[str], to_html: SentenceToHtml, names: Sequence[str]
) -> dict[str, object] | None:
    if dataset.guide_claims.empty:
        return None
    claims = claim_audit.sort_by_verdict(claim_audit.judge_claims(dataset))
    disagreements = claim_audit.disagreements(claims, studies)[:MAX_DISAGREEMENTS]
    return {
        "summary": lambda: to_html(claim_audit.claims_sentence(claims)),
        "lines": [to_html(line) + _link_to_row(CLAIMS_TABLE, line) for line in disagreements],
        "page": _page(names, "claims"),
    }


def _unknowns(
    dataset: Dataset, to_html: SentenceToHtml, names: Sequence[str]
) -> dict[str, object] | None:
    entries = find_unknowns(dataset)
    if not entries:
        return None
    kinds = dataset.outcomes["kind"].isin(OUTCOME_KINDS)
    top = unknowns.most_important(
        entries, set(dataset.outcomes.loc[kinds, "outcome"]), MAX_UNKNOWNS
    )
    lines = [unknowns.unknown_line(unknown) for unknown in top]
    return {
        "summary": lambda: to_html(unknowns.unknowns_summary(entries)),
        "lines": [to_html(line) + _link_to_row(UNKNOWNS_TABLE, line) for line in lines],
        "bears_on_claims": has_guide(dataset),
        "page": _page(names, "unknowns"),
    }


def _reading_list(
    dataset: Dataset, to_html: SentenceToHtml, names: Sequence[str]
) -> dict[str, object] | None:
    if not find_wanted_results(dataset):
        return None
    return {
        "summary": lambda: to_html(primary_outcomes_sentence(dataset)),
        "page": _page(names, "reading_list"),
    }


def _link_to_row(table: str, sentence: Sentence) -> str:
    """Link a sentence on a claim or an unknown to its row, on whichever page that is."""
    name = sentence.name.partition(".")[2]
    label = name if re.fullmatch(r"\w+", name) else "details"
    return as_markup(f' <a class="row" href="#{anchor(table, name)}">{escape(label)}</a>')
