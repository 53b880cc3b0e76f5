"""The index page: it opens with the answer, and every number in it is computed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from evidence.corpus.reading import Corpus, once
from evidence.corpus.reads import of_tables
from evidence.figures.shares import lay_out_shares
from evidence.publishing.files import Shown, title
from evidence.publishing.footnotes import footnotes, linked, references, sources_counted, sources_of
from evidence.publishing.identity import record
from evidence.publishing.pages import Page, render
from evidence.publishing.values import Ledger
from evidence.synthesis import answers, claims, registered
from evidence.synthesis.audits import error_rate
from evidence.synthesis.register import unknowns
from evidence.synthesis.selection import select_results
from evidence.synthesis.wording import Sentence, capital, count, listed, tally
from evidence.tables.table import CLAIMS, UNKNOWNS, anchor

Say = Callable[[Sentence], str]


def render_index(
    corpus: Corpus,
    pages: Sequence[Page],
    *,
    scope: str,
    confidence: float,
    notes: Sequence[str] = (),
    failures: Sequence[Mapping[str, str]] = (),
    within: str = "",
) -> tuple[str, Ledger]:
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

    everything, results = _results(corpus, "all"), _results(corpus, scope)
    ledger = Ledger()

    def say(sentence: Sentence) -> str:
        ledger.keep(sentence)
        return markupsafe.Markup(linked(sentence))

    names = [page.name for page in pages]
    studies = answers.headline_studies(corpus, results)
    layout = lay_out_shares(results, confidence=confidence)
    ledger.keep(title(layout))
    ledger.keep(layout.caption)
    shown_by = _page(names, "comparison")
    parameters = {"scope": scope, "confidence": confidence}
    about = record(layout, corpus, report=shown_by, parameters=parameters)
    page = render(
        "index.html",
        title=_title(corpus),
        here="index",
        pages=pages,
        notes=notes,
        failures=failures,
        within=within,
        opening=say(_opening(corpus, everything)),
        studies=[_study(corpus, results, study, confidence, say) for study in studies],
        glance=capital(listed(layout.outcomes)) or "Shares",
        figure=markupsafe.Markup(Shown(layout, about).to_html()),
        figure_page=shown_by,
        sure=[say(line) for line in answers.certainty(corpus, results)],
        claims=_claims(corpus, studies, say, names),
        unknowns=_unknowns(corpus, say, names),
        audited=say(error_rate(corpus)),
        footnotes=lambda: markupsafe.Markup(_footnotes(corpus, ledger)),
    )
    return page, ledger


def _title(corpus: Corpus) -> str:
    told = "what is known, how sure, and what is not"
    guide = len(corpus.guide) or len(corpus.claims)
    return f"The guide and its sources: {told}" if guide else capital(told)


def _footnotes(corpus: Corpus, ledger: Ledger) -> str:
    cited = sources_of(corpus, ledger.values)
    ledger.keep(sources_counted(corpus, cited))
    return references(corpus, cited) + footnotes(corpus, ledger.values, {})


def _opening(corpus: Corpus, results) -> Sentence:
    of_studies = results[results["design"] != "guide"]
    studies = of_studies["study"].nunique()
    template = "{results} of {studies} stand in the tables, each with the place where it was read."
    numbers = {
        "results": count(len(results), "result", rows=results["address"]),
        "studies": count(studies, "study", "studies", of_studies["address"], "named"),
    }
    if len(corpus.guide):
        guide = corpus.guide.sort_values("rank").drop_duplicates("guide_ref")
        numbered = guide[guide["guide_ref"].str.fullmatch(r"\d+")]
        found = numbered[numbered["status"].isin(["identified", "probable"])]
        template += (
            " Of the guide's {references}, {found} could be matched to a text with some confidence."
        )
        numbers["references"] = count(len(numbered), "numbered reference", rows=numbered["address"])
        numbers["found"] = tally(found["address"])
    return Sentence("index.opening", template, numbers)


def _study(corpus, results, study, confidence, say) -> dict:
    rows = results[results["study"] == study]
    found = answers.findings(results, study, confidence=confidence)
    return {
        "label": rows["label"].iloc[0],
        "design": say(answers.introduce(corpus, study)),
        "findings": [say(_capital(sentence)) for sentence in found],
        "caveat": say(answers.caveat(rows)) if rows["caveat"].iloc[0] else "",
    }


def headline_lines(corpus: Corpus, *, scope: str = "guide", confidence: float = 0.95) -> list[str]:
    """What each headline study found, one line of Markdown a study, for texts elsewhere.

    Behind each sentence stands its name in `texts.json`, which `check --prose` holds it against.
    """
    results = select_results(corpus, scope=scope)
    lines = []
    for study in answers.headline_studies(corpus, results):
        entry = _study(corpus, results, study, confidence, bound)
        said = [entry["design"], *entry["findings"], entry["caveat"]]
        lines.append(f"**{entry['label']}**: " + " ".join(filter(None, said)))
    return lines


def bound(sentence: Sentence, page: str = "index") -> str:
    """A sentence as Markdown, followed by its name in `texts.json` as a comment."""
    return f"{sentence}<!-- = {page}/{sentence.name} -->"


def _capital(sentence: Sentence) -> Sentence:
    """The sentence with a capital at its start, also where it starts with a number's text."""
    first = re.match(r"\{(\w+)\}", sentence.template)
    if first is None:
        return replace(sentence, template=capital(sentence.template))
    number = sentence.numbers[first[1]]
    said = {first[1]: replace(number, text=capital(number.text))}
    return replace(sentence, numbers=sentence.numbers | said)


def _page(names: Sequence[str], ending: str) -> str:
    return next((name for name in names if name.endswith(ending)), "")


@once
def _results(corpus: Corpus, scope: str):
    return select_results(corpus, scope=scope)


def compute_ahead(corpus: Corpus) -> None:
    """Compute what every index says of the tables as a whole, for when nothing else is to be done.

    The pages then need not wait for it.
    """
    of_tables(corpus, unknowns)
    of_tables(corpus, claims.judged)


def _claims(corpus, studies, say, names) -> dict | None:
    if corpus.claims.empty:
        return None
    audited = claims.in_order(of_tables(corpus, claims.judged))
    parting = claims.parting(audited, studies)[:8]
    return {
        "summary": say(claims.summary(audited)),
        "lines": [say(line) + _row(CLAIMS, line) for line in parting],
        "page": _page(names, "claims"),
    }


def _unknowns(corpus, say, names) -> dict | None:
    entries = of_tables(corpus, unknowns)
    if not entries:
        return None
    return {
        "summary": say(registered.summary(entries)),
        "lines": [say(line) + _row(UNKNOWNS, line) for line in registered.first(entries)],
        "page": _page(names, "unknowns"),
    }


def _row(table: str, sentence: Sentence) -> str:
    """A link from a sentence on a claim or an unknown to its row, whichever page that is on."""
    import markupsafe

    name = sentence.name.partition(".")[2]
    words = name if re.fullmatch(r"\w+", name) else "in the register"
    return markupsafe.Markup(' <a class="row" href="#{}">{}</a>').format(anchor(table, name), words)
