"""Executed notebooks as web pages of one file each.

No page asks any server for anything: pictures, style and the one script are inside, and a content
security policy forbids the rest, by the digests of style and script.
"""

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from importlib.metadata import version
from importlib.resources import files
from itertools import count

from evidence.files import digest
from evidence.tables.html_table import anchor

OFFERED = {
    "download": {"svg": "SVG", "pdf": "PDF", "png": "PNG", "tiff": "TIFF"},
    "data": {"csv": "plotted numbers (CSV)", "json": "description (JSON)"},
    "cite": {"bib": "BibTeX"},
}
"""What is linked to under a figure where such a file lies beside it, by the end of its name."""

SHOWN = ("text/html", "text/markdown", "image/png", "text/plain")
"""Kinds of output that a page shows, the first that there is."""


@dataclass(frozen=True)
class Page:
    """A report's place in the navigation: `name` (of its files), `title` and `question`."""

    name: str
    title: str
    question: str

    @property
    def label(self) -> str:
        """The name without its number, short enough for the navigation of a phone."""
        return re.sub(r"^\d+_", "", self.name).replace("_", " ").capitalize()


@dataclass(frozen=True)
class Heading:
    """A heading of a page, as its table of contents lists it."""

    level: int
    id: str
    text: str


@dataclass(frozen=True)
class Content:
    """The content of a page whose headings can all be linked to, and these headings."""

    html: str
    headings: tuple[Heading, ...]


@dataclass(frozen=True)
class Inlined:
    """A style or script inside a page, and the digest by which the page's policy lets it pass."""

    text: str
    digest: str


def _inlined(name: str) -> Inlined:
    import markupsafe

    text = files("evidence.report").joinpath(f"templates/{name}").read_text("utf-8")
    checksum = base64.b64encode(bytes.fromhex(digest(text))).decode()
    return Inlined(markupsafe.Markup(text), markupsafe.Markup(f"sha256-{checksum}"))


@cache
def _templates():
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("evidence.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )


def render(template: str, **content) -> str:
    """A page from a template, its style inside it; texts in `content` are escaped."""
    page = (
        _templates()
        .get_template(template)
        .render(
            style=_inlined("style.css"),
            script=_inlined("page.js"),
            headed=add_heading_ids,
            **content,
        )
    )
    return page + "\n"


def add_heading_ids(html: str) -> Content:
    """Give every heading of the second and third level an id, and list them."""
    import markupsafe

    found: list[Heading] = []
    taken = set(re.findall(r"""\bid=["']([^"']+)""", html))

    def name(match):
        level, before, text = int(match[1]), match[2], match[3]
        plain = unescape(re.sub(r"<[^>]+>", "", text)).strip()
        given = re.search(r"""\bid=["']([^"']+)""", before)
        identity = given[1] if given else _free(anchor("section", plain.lower()), taken)
        taken.add(identity)
        found.append(Heading(level, identity, plain))
        return match[0] if given else f'<h{level} id="{identity}"{before}>{text}</h{level}>'

    html = re.sub(r"<h([23])\b([^>]*)>(.*?)</h\1>", name, html, flags=re.DOTALL)
    return Content(markupsafe.Markup(html), tuple(found))


def _free(identity: str, taken: Collection[str]) -> str:
    """The id itself, or with the first number behind it that makes it the only one."""
    others = (f"{identity}-{number}" for number in count(2))
    return identity if identity not in taken else next(i for i in others if i not in taken)


def resolve_row_links(pages: Mapping[str, str]) -> dict[str, str]:
    """Pages by name, with the links among them to rows of tables led to the page that has the row.

    A table says by id which row of which table it means. Where no page has it, such as in a run
    of part of the data, the words stay and the link goes.
    """
    row = r'\bid="(tab-[^"]+)"'
    home = {identity: name for name, html in pages.items() for identity in re.findall(row, html)}
    found = {}
    for name, html in pages.items():
        own = set(re.findall(row, html))

        def lead(match, own=own):
            if match[2] in own:
                return match[0]
            page = home.get(match[2])
            return f'{match[1]}"{page}.html#{match[2]}"{match[3]}' if page else match[4]

        link = r'(<a\b[^>]*\bhref=)"#(tab-[^"]+)"([^>]*>([^<]*)</a>)'
        found[name] = re.sub(link, lead, html)
    return found


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
        name,
        next((_source(one) for one in notebook["cells"] if one["cell_type"] == "markdown"), ""),
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
    inputs: Mapping[str, str],
    audited: str,
    beside: Collection[str] = (),
    within: str = "",
) -> str:
    """One self-contained HTML page from an executed notebook; the code stays folded away.

    `inputs` are the checksums of the tables; `audited`, as HTML, says at the foot how many results
    a person has held to their sources; `beside` names the files in the folder of figures, `within`
    the set that the page is one of.
    """
    import markupsafe

    blocks = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            blocks.append(_markdown(_source(cell)))
        elif cell["cell_type"] == "code":
            blocks.append("".join(map(_output, cell["outputs"])))
    html = rewrite_notebook_links("\n".join(blocks), [one.name for one in pages])
    code = [_source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return render(
        "page.html",
        title=page.title,
        here=page.name,
        pages=pages,
        parameters=[(name, repr(value)) for name, value in parameters],
        within=within,
        inputs=list(inputs.items()),
        program=version("evidence"),
        code="\n\n".join(code),
        audited=markupsafe.Markup(audited),
        content=markupsafe.Markup(add_downloads(html, beside)),
    )


def rewrite_notebook_links(html: str, names: Collection[str]) -> str:
    """Links to notebooks as links to their pages; where there is no such page, the words alone."""

    def lead(match):
        return f'<a href="{match[1]}.html">{match[2]}</a>' if match[1] in names else match[2]

    return re.sub(r'<a href="([\w-]+)\.ipynb">(.*?)</a>', lead, html)


def _source(cell) -> str:
    """The text of a cell, which the format allows to be a list of lines."""
    return _joined(cell["source"])


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _output(output) -> str:
    if output["output_type"] == "stream":
        return f"<pre>{escape(_joined(output['text']))}</pre>"
    if output["output_type"] == "error":
        return f"<pre>{escape(output['ename'])}: {escape(output['evalue'])}</pre>"
    data = {kind: _joined(text) for kind, text in output["data"].items() if kind in SHOWN}
    if "text/html" in data:
        return data["text/html"]
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    if "image/png" in data:
        picture = data["image/png"].strip()
        return f'<img alt="output of this cell" src="data:image/png;base64,{picture}">'
    return f"<pre>{escape(data.get('text/plain', ''))}</pre>"


def add_downloads(html: str, beside: Collection[str]) -> str:
    """Links to a figure's files and to the footnotes to its numbers, put under each figure."""

    def links(match):
        identity = match[1]
        groups = [
            f"{purpose.capitalize()}: " + ", ".join(said)
            for purpose, forms in OFFERED.items()
            if (said := [_file(identity, *form) for form in forms.items()
                         if f"{identity}.{form[0]}" in beside])
        ]  # fmt: skip
        notes = anchor("numbers", identity)
        if f'id="{notes}"' in html:
            groups.append(f'<a href="#{notes}">every number with its rows</a>')
        return f'{match[0]}\n<p class="files">{" · ".join(groups)}</p>'

    return re.sub(r'<figure id="([\w-]+)"[^>]*>.*?</figure>', links, html, flags=re.DOTALL)


def _file(identity: str, form: str, words: str) -> str:
    return f'<a href="figures/{identity}.{form}" download>{words}</a>'
