"""The index page: it opens with the answer, and every number in it is computed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from evidence.analysis.audit_sample import error_rate
from evidence.analysis.claims import claim_audit
from evidence.analysis.gaps.unknowns import find_unknowns
from evidence.analysis.narrative import study_findings, unknowns
from evidence.analysis.results import select_results
from evidence.dataset.dataset import Dataset
from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
from evidence.provenance.sentence import Sentence, capitalise, count, join_words, row_count
from evidence.provenance.values import ValueStore
from evidence.report.figure_files import DisplayedFigure, title_sentence
from evidence.report.figure_identity import figure_record
from evidence.report.footnotes import (
    footnotes,
    references,
    sentence_html,
    sources_counted,
    sources_of,
)
from evidence.report.html_pages import Page, render
from evidence.tables.html_table import CLAIMS_TABLE, UNKNOWNS_TABLE, anchor

AddSentence = Callable[[Sentence], str]


def render_index(
    dataset: Dataset,
    pages: Sequence[Page],
    *,
    scope: str,
    confidence: float,
    notes: Sequence[str] = (),
    failures: Sequence[Mapping[str, str]] = (),
    within: str = "",
) -> tuple[str, ValueStore]:
    """The page that opens with the answer, and the values and texts of its sentences.

    Parameters
    ----------
    notes : sequence of str
        What a reader must know about this run, such as reports carried over from earlier data.
    failures : sequence of mapping
        Of each report that could not be made `name`, what it `says`, and where its `notebook` is.
    within : str
        The set that the page is one of.
    """
    import markupsafe

    everything, results = _results(dataset, "all"), _results(dataset, scope)
    ledger = ValueStore()

    def say(sentence: Sentence) -> str:
        ledger.add(sentence)
        return markupsafe.Markup(sentence_html(sentence))

    names = [page.name for page in pages]
    studies = study_findings.headline_studies(dataset, results)
    layout = lay_out_proportions_by_arm(results, confidence=confidence)
    ledger.add(title_sentence(layout))
    ledger.add(layout.caption)
    shown_by = _page(names, "comparison")
    parameters = {"scope": scope, "confidence": confidence}
    about = figure_record(layout, dataset, report=shown_by, parameters=parameters)
    page = render(
        "index.html",
        title=_title(dataset),
        here="index",
        pages=pages,
        notes=notes,
        failures=failures,
        within=within,
        opening=say(_opening(dataset, everything)),
        studies=[_study(dataset, results, study, confidence, say) for study in studies],
        glance=capitalise(join_words(layout.outcomes)) or "Shares",
        figure=markupsafe.Markup(DisplayedFigure(layout, about).to_html()),
        figure_page=shown_by,
        sure=[say(line) for line in study_findings.certainty_sentences(dataset, results)],
        claims=_claims(dataset, studies, say, names),
        unknowns=_unknowns(dataset, say, names),
        audited=say(error_rate(dataset)),
        footnotes=lambda: markupsafe.Markup(_footnotes(dataset, ledger)),
    )
    return page, ledger


def _title(dataset: Dataset) -> str:
    told = "what is known, how sure, and what is not"
    guide = len(dataset.guide) or len(dataset.claims)
    return f"The guide and its sources: {told}" if guide else capitalise(told)


def _footnotes(dataset: Dataset, ledger: ValueStore) -> str:
    cited = sources_of(dataset, ledger.values)
    ledger.add(sources_counted(dataset, cited))
    return references(dataset, cited) + footnotes(dataset, ledger.values, {})


def _opening(dataset: Dataset, results) -> Sentence:
    of_studies = results[results["design"] != "guide"]
    studies = of_studies["study"].nunique()
    template = "{results} of {studies} stand in the tables, each with the place where it was read."
    numbers = {
        "results": count(len(results), "result", rows=results["address"]),
        "studies": count(studies, "study", "studies", of_studies["address"], "distinct_studies"),
    }
    if len(dataset.guide):
        guide = dataset.guide.sort_values("rank").drop_duplicates("guide_ref")
        numbered = guide[guide["guide_ref"].str.fullmatch(r"\d+")]
        found = numbered[numbered["status"].isin(["identified", "probable"])]
        template += (
            " Of the guide's {references}, {found} could be matched to a text with some confidence."
        )
        numbers["references"] = count(len(numbered), "numbered reference", rows=numbered["address"])
        numbers["found"] = row_count(found["address"])
    return Sentence("index.opening", template, numbers)


def _study(dataset, results, study, confidence, say) -> dict:
    rows = results[results["study"] == study]
    found = study_findings.study_findings(results, study, confidence=confidence)
    return {
        "label": rows["label"].iloc[0],
        "design": say(study_findings.introduce_study(dataset, study)),
        "findings": [say(_capital(sentence)) for sentence in found],
        "caveat": say(study_findings.study_caveat(rows)) if rows["caveat"].iloc[0] else "",
    }


def _capital(sentence: Sentence) -> Sentence:
    """The sentence with a capital at its start, also where it starts with a number's text."""
    first = re.match(r"\{(\w+)\}", sentence.template)
    if first is None:
        return replace(sentence, template=capitalise(sentence.template))
    number = sentence.numbers[first[1]]
    said = {first[1]: replace(number, text=capitalise(number.text))}
    return replace(sentence, numbers=sentence.numbers | said)


def _page(names: Sequence[str], ending: str) -> str:
    return next((name for name in names if name.endswith(ending)), "")


@lru_cache(maxsize=4)
def _results(dataset: Dataset, scope: str):
    return select_results(dataset, scope=scope)


def precompute_index(dataset: Dataset) -> None:
    """Compute what every index says of the tables as a whole, for when nothing else is to be done.

    The pages then need not wait for it.
    """
    find_unknowns(dataset)
    claim_audit.judge_claims(dataset)


def _claims(dataset, studies, say, names) -> dict | None:
    if dataset.claims.empty:
        return None
    audited = claim_audit.sort_by_verdict(claim_audit.judge_claims(dataset))
    parting = claim_audit.disagreements(audited, studies)[:8]
    return {
        "summary": say(claim_audit.claims_sentence(audited)),
        "lines": [say(line) + _row(CLAIMS_TABLE, line) for line in parting],
        "page": _page(names, "claims"),
    }


def _unknowns(dataset, say, names) -> dict | None:
    entries = find_unknowns(dataset)
    if not entries:
        return None
    return {
        "summary": say(unknowns.unknowns_summary(entries)),
        "lines": [
            say(line) + _row(UNKNOWNS_TABLE, line) for line in unknowns.top_unknowns(entries)
        ],
        "page": _page(names, "unknowns"),
    }


def _row(table: str, sentence: Sentence) -> str:
    """A link from a sentence on a claim or an unknown to its row, whichever page that is on."""
    import markupsafe

    name = sentence.name.partition(".")[2]
    words = name if re.fullmatch(r"\w+", name) else "in the register"
    return markupsafe.Markup(' <a class="row" href="#{}">{}</a>').format(anchor(table, name), words)
