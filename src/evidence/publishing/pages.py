"""Executed notebooks as web pages of one file each.

No page asks any server for anything: pictures and style are inside, and a content security
policy forbids the rest.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from evidence.publishing.files import FORMATS


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


def render(template: str, **content) -> str:
    """A page from a template, its style inside it; texts in `content` are escaped."""
    import markupsafe

    style = files("evidence.publishing").joinpath("templates/style.css").read_text("utf-8")
    page = _templates().get_template(template).render(style=markupsafe.Markup(style), **content)
    return re.sub(r"\n{3,}", "\n\n", page) + "\n"


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def render_text(title: str, text: str) -> str:
    """A page of one file from Markdown, outside of any run of reports."""
    import markupsafe

    return render("text.html", title=title, content=markupsafe.Markup(_markdown(text)))


def describe_notebook(name: str, notebook) -> Page:
    """Title and question of a notebook from its first Markdown cell."""
    return describe_text(
        name, next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    )


def describe_text(name: str, text: str) -> Page:
    """Title and question from Markdown: its heading and its first paragraph."""
    lines = text.strip().splitlines()
    title = lines[0].lstrip("# ").strip() if lines and lines[0].startswith("#") else name
    rest = "\n".join(lines[1:]).strip()
    question = " ".join(rest.split("\n\n")[0].split())
    return Page(name, title, re.sub(r"[*_`]", "", question))


def render_notebook(
    notebook,
    page: Page,
    pages: Sequence[Page],
    parameters: Sequence[tuple[str, object]],
    audited: str,
) -> str:
    """One self-contained HTML page from an executed notebook; the code stays folded away.

    `audited`, as HTML, says at the foot how many results a person has held to their sources.
    """
    import markupsafe

    blocks = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            blocks.append(_markdown(cell.source))
        elif cell.cell_type == "code":
            blocks.append("".join(map(_output, cell.outputs)))
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return render(
        "page.html",
        title=page.title,
        here=page.name,
        pages=pages,
        parameters=[(name, repr(value)) for name, value in parameters],
        code="\n\n".join(code),
        audited=markupsafe.Markup(audited),
        blocks=[
            markupsafe.Markup(with_downloads(among_pages(block, [page.name for page in pages])))
            for block in blocks
        ],
    )


def among_pages(html: str, names: Collection[str]) -> str:
    """Links to notebooks as links to their pages; where there is no such page, the words alone."""

    def lead(match):
        return f'<a href="{match[1]}.html">{match[2]}</a>' if match[1] in names else match[2]

    return re.sub(r'<a href="([\w-]+)\.ipynb">(.*?)</a>', lead, html)


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


def with_downloads(html: str) -> str:
    """Links to a figure's files, put under each figure of a page."""

    def links(match):
        names = [(form, form.upper()) for form in FORMATS] + [("csv", "plotted numbers (CSV)")]
        said = " · ".join(
            f'<a href="figures/{match[1]}.{form}">{words}</a>' for form, words in names
        )
        return f'{match[0].removesuffix("</figure>")}<p class="files">{said}</p></figure>'

    return re.sub(r'<figure id="([\w-]+)">.*?</figure>', links, html, flags=re.DOTALL)
