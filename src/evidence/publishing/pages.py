"""Executed notebooks as web pages of one file each, and the index that opens with the answer.

No page asks any server for anything: pictures and style are inside, and a content security
policy forbids the rest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from evidence.corpus.reading import Corpus
from evidence.figures.response import lay_out_response
from evidence.publishing import values
from evidence.publishing.files import FORMATS, Shown
from evidence.synthesis import answers, claims, gaps
from evidence.synthesis.selection import select_results
from evidence.synthesis.wording import Number, Sentence, count


@dataclass(frozen=True)
class Page:
    """A report's place in the navigation: `name` (of its files), `title` and `question`."""

    name: str
    title: str
    question: str


@cache
def _templates():
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("evidence.publishing"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )


def _render(template: str, **content) -> str:
    import markupsafe

    style = files("evidence.publishing").joinpath("templates/style.css").read_text("utf-8")
    page = _templates().get_template(template).render(style=markupsafe.Markup(style), **content)
    return re.sub(r"\n{3,}", "\n\n", page) + "\n"


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def describe_notebook(name: str, notebook) -> Page:
    """Title and question from the first Markdown cell: its heading and its first paragraph."""
    text = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    lines = text.strip().splitlines()
    title = lines[0].lstrip("# ").strip() if lines and lines[0].startswith("#") else name
    rest = "\n".join(lines[1:]).strip()
    question = " ".join(rest.split("\n\n")[0].split())
    return Page(name, title, re.sub(r"[*_`]", "", question))


def render_notebook(
    notebook, page: Page, pages: Sequence[Page], parameters: Sequence[tuple[str, object]]
) -> str:
    """One self-contained HTML page from an executed notebook; the code stays folded away."""
    import markupsafe

    blocks = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            blocks.append(_markdown(cell.source))
        elif cell.cell_type == "code":
            blocks.append("".join(map(_output, cell.outputs)))
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return _render(
        "page.html",
        title=page.title,
        here=page.name,
        pages=pages,
        parameters=[(name, repr(value)) for name, value in parameters],
        code="\n\n".join(code),
        blocks=[markupsafe.Markup(_with_downloads(block)) for block in blocks],
    )


def _output(output) -> str:
    if output.output_type == "stream":
        return f"<pre>{escape(output.text)}</pre>"
    if output.output_type == "error":
        return f"<pre>{escape(output.ename)}: {escape(output.evalue)}</pre>"
    if "text/html" in output.data:
        return output.data["text/html"]
    if "text/markdown" in output.data:
        return _markdown(output.data["text/markdown"])
    if "image/png" in output.data:
        picture = output.data["image/png"].strip()
        return f'<img alt="output of this cell" src="data:image/png;base64,{picture}">'
    return f"<pre>{escape(output.data.get('text/plain', ''))}</pre>"


def _with_downloads(html: str) -> str:
    """Links to a figure's files, put under each figure of a page."""

    def links(match):
        names = [(form, form.upper()) for form in FORMATS] + [("csv", "plotted numbers (CSV)")]
        said = " · ".join(
            f'<a href="figures/{match[1]}.{form}">{words}</a>' for form, words in names
        )
        return f'{match[0].removesuffix("</figure>")}<p class="files">{said}</p></figure>'

    return re.sub(r'<figure id="([\w-]+)">.*?</figure>', links, html, flags=re.DOTALL)


def render_index(
    corpus: Corpus, pages: Sequence[Page], *, scope: str, confidence: float, notes: Sequence[str]
) -> tuple[str, dict[str, dict]]:
    """The page that opens with the answer, and the values of its sentences.

    Parameters
    ----------
    notes : sequence of str
        What a reader must know about this run, such as reports carried over from earlier data.
    """
    import markupsafe

    everything = select_results(corpus)
    results = select_results(corpus, scope=scope)
    kept: list[dict] = []

    def say(sentence: Sentence) -> str:
        kept.append(values.of_sentence(sentence))
        return str(sentence)

    names = [page.name for page in pages]
    studies = answers.headline_studies(corpus, results)
    layout = lay_out_response(results, confidence=confidence)
    shown = [_with_downloads(Shown(layout).to_html())] if "02_comparison" in names else []
    page = _render(
        "index.html",
        title="The guide and its sources: what is known, how sure, and what is not",
        here="index",
        pages=pages,
        notes=notes,
        opening=say(_opening(corpus, everything)),
        studies=[_study(corpus, results, study, confidence, say) for study in studies],
        figures=[markupsafe.Markup(figure) for figure in shown],
        sure=[say(line) for line in answers.certainty(corpus, results)],
        claims=_claims(corpus, results, studies, say, names),
        unknowns=_unknowns(corpus, everything, say, names),
    )
    return page, values.merged(kept)


def _opening(corpus: Corpus, results) -> Sentence:
    guide = corpus.guide.drop_duplicates("guide_ref")
    numbered = guide[guide["guide_ref"].str.fullmatch(r"\d+")]
    found = numbered[numbered["status"].isin(["identified", "probable"])]
    return Sentence(
        "index.opening",
        "{results} of {studies} stand in the tables, each with the place where it was read. "
        "Of the guide's {references}, {found} could be matched to a text with some confidence.",
        {
            "results": count(len(results), "result"),
            "studies": count(results["study"].nunique(), "study", "studies"),
            "references": count(len(numbered), "numbered reference", rows=numbered["address"]),
            "found": Number(len(found), str(len(found)), tuple(found["address"])),
        },
    )


def _study(corpus, results, study, confidence, say) -> dict:
    rows = results[results["study"] == study]
    found = answers.findings(results, study, confidence=confidence)
    return {
        "label": rows["label"].iloc[0],
        "design": say(answers.introduce(corpus, study)),
        "findings": [_capital(say(sentence)) for sentence in found],
        "caveat": rows["caveat"].iloc[0],
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _page(names: Sequence[str], ending: str) -> str:
    return next((name for name in names if name.endswith(ending)), "")


def _claims(corpus, results, studies, say, names) -> dict | None:
    if corpus.claims.empty:
        return None
    audited = claims.audit(corpus, results)
    lines = [say(sentence) for sentence in claims.parting(audited, studies)[:8]]
    return {"summary": say(claims.summary(audited)), "lines": lines, "page": _page(names, "claims")}


def _unknowns(corpus, results, say, names) -> dict | None:
    if corpus.unknowns.empty:
        return None
    open_questions = gaps.unknowns(corpus, results)
    lines = [f"{row.question} {say(row.standing)}" for row in open_questions.head(8).itertuples()]
    return {
        "summary": say(gaps.summary(open_questions)),
        "lines": lines,
        "page": _page(names, "unknowns"),
    }
