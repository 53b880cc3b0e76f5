"""Executed notebooks as HTML pages of one file each.

Figures, style and script are inside it, and a content security policy blocks everything else. Only
the search loads something: the index of all pages, a script file beside them.
"""

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.metadata import version
from importlib.resources import files

from evidence.dataset.notebook_display import SORT_SCRIPT
from evidence.files import digest
from evidence.report.search_index import SEARCH_INDEX
from evidence.tables.html_table import anchor

SCRIPTS = ("table.js", "page.js", "panel.js", "copy.js", "search.js")
"""The scripts inside every page, in this order."""
OUTPUT_TYPES = ("text/html", "text/markdown", "image/png", "text/plain")
"""The types of notebook output that a page shows; the first that is present."""
FOLD = "fold"
"""The tag of a Markdown cell whose section is folded, up to the next heading of its level."""
METADATA = "evidence"
"""The key of an output's metadata under which a report describes its content to the page."""


@dataclass(frozen=True)
class Page:
    """The place of a report in the navigation."""

    name: str
    title: str
    question: str

    @property
    def label(self) -> str:
        """The name without its number, short enough for the navigation on a phone."""
        return re.sub(r"^\d+_", "", self.name).replace("_", " ").capitalize()


@dataclass(frozen=True)
class Heading:
    """A heading as the table of contents of its page lists it."""

    level: int
    id: str
    text: str


class Headings:
    """The headings of a page, listed in `entries` while the page is put together."""

    def __init__(self) -> None:
        self.entries: list[Heading] = []

    def add(self, level: int, text: str, identity: str = "") -> Heading:
        """List a heading; without an id it gets one from its text that no other heading has."""
        identity = identity or anchor("section", text.lower())
        taken = {heading.id for heading in self.entries}
        candidates = [identity, *(f"{identity}-{number}" for number in range(2, len(taken) + 2))]
        heading = Heading(level, next(name for name in candidates if name not in taken), text)
        self.entries.append(heading)
        return heading

    def html(self, level: int, text: str, identity: str = "") -> str:
        """List a heading and return it as HTML; templates call this as `heading(...)`."""
        import markupsafe

        heading = self.add(level, text, identity)
        element = '<h{0} id="{1}">{2}</h{0}>'
        return markupsafe.Markup(element).format(level, heading.id, text)


@dataclass(frozen=True)
class Block:
    """A cell of Markdown or an output as HTML, with the figure in it or the list of all pages."""

    html: str
    figure: str = ""
    lists_pages: bool = False


@dataclass(frozen=True)
class Inlined:
    """A style or script inside a page, and the digest by which the page's policy allows it."""

    text: str
    digest: str


@cache
def _inlined(*texts: str) -> Inlined:
    text = "\n".join(texts)
    checksum = base64.b64encode(bytes.fromhex(digest(text))).decode()
    return Inlined(as_markup(text), as_markup(f"sha256-{checksum}"))


@cache
def read_template(name: str) -> str:
    """Return the text of a file in `report/templates`."""
    return files("evidence.report").joinpath(f"templates/{name}").read_text("utf-8")


@cache
def _environment():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("evidence.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["anchor"] = anchor
    return environment


def as_markup(html: str) -> str:
    """Mark HTML as safe, so that a template does not escape it."""
    import markupsafe

    return markupsafe.Markup(html)


def render(
    template: str,
    *,
    headings: Headings | None = None,
    scope_line: str = "",
    root: str = "",
    shows_files: bool = False,
    **content: object,
) -> str:
    """Fill a template of `report/templates`, with style and script at hand; texts are escaped.

    `headings` lists those inside `content`, to which the template adds its own; `scope_line`, the
    scope and parameters of the page, stands below its title. `root` leads from the page to the
    folder of all pages, if it is in another one. `shows_files` says whether the page shows pictures
    that are files beside it.
    """
    headings = Headings() if headings is None else headings
    page = (
        _environment()
        .get_template(template)
        .render(
            style=_inlined(read_template("style.css")),
            script=_inlined(SORT_SCRIPT, *map(read_template, SCRIPTS)),
            search_index=SEARCH_INDEX,
            headings=headings.entries,
            heading=headings.html,
            scope_line=scope_line,
            root=root,
            shows_files=shows_files,
            **content,
        )
    )
    return page + "\n"


def render_text(title: str, text: str) -> str:
    """Make a self-contained page of Markdown that belongs to no report."""
    return render("text.html", title=title, content=as_markup(render_markdown(text)))


def render_notebook(
    notebook: Mapping,
    page: Page,
    pages: Sequence[Page],
    parameters: Sequence[tuple[str, object]],
    inputs: Mapping[str, str],
    audited: str,
    figures: Collection[str] = (),
    set_name: str = "",
    scope_line: str = "",
) -> str:
    """Make a self-contained HTML page of an executed notebook; its code is folded away.

    Parameters
    ----------
    inputs : mapping
        The checksum of each table, by file name.
    audited : str
        The sentence on the audit for the foot of the page, as HTML.
    figures : collection of str
        The figures that have a page of their own, by id.
    set_name : str
        The parameter set that the page belongs to, if any.
    scope_line : str
        See `render`.
    """
    headings = Headings()
    blocks = list(_blocks(notebook, headings, {known.name for known in pages}))
    code = [_source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return render(
        "page.html",
        headings=headings,
        scope_line=scope_line,
        title=page.title,
        current=page.name,
        pages=pages,
        parameters=[(name, repr(value)) for name, value in parameters],
        set_name=set_name,
        inputs=inputs.items(),
        program=version("evidence"),
        code="\n\n".join(code),
        audited=as_markup(audited),
        blocks=blocks,
        figures=figures,
        footnoted={block.figure for block in blocks if _has_footnotes(block.figure, blocks)},
    )


def _blocks(notebook: Mapping, headings: Headings, pages: Collection[str]) -> Iterator[Block]:
    folded_level = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            html = render_markdown(_source(cell), headings, pages)
            heading = re.match(r"<h(\d).*?</h\1>", html)
            if heading and int(heading[1]) <= folded_level:
                yield Block(as_markup("</details>"))
                folded_level = 0
            if heading and FOLD in cell["metadata"].get("tags", ()):
                folded_level = int(heading[1])
                summary = f'<details class="fold"><summary>{heading[0]}</summary>'
                html = html.replace(heading[0], summary, 1)
            yield Block(as_markup(html))
        for output in cell.get("outputs", ()):
            content = output.get("metadata", {}).get(METADATA, {})
            for level, identity, text in content.get("headings", ()):
                headings.add(level, text, identity)
            html = as_markup(_output(output))
            yield Block(html, content.get("figure", ""), content.get("lists_pages", False))
    if folded_level:
        yield Block(as_markup("</details>"))


def _has_footnotes(figure: str, blocks: Sequence[Block]) -> bool:
    notes = f'id="{anchor("numbers", figure)}"'
    return bool(figure) and any(notes in block.html for block in blocks)


def render_markdown(
    text: str, headings: Headings | None = None, pages: Collection[str] | None = None
) -> str:
    """Turn Markdown into HTML; HTML inside it is shown as text.

    `headings` lists those of level 2 and 3, which then have an id. `pages` are the pages that
    exist: links to their notebooks lead to them, links to other notebooks are removed.
    """
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for position, token in enumerate(tokens):
        if headings is not None and token.type == "heading_open" and token.tag in ("h2", "h3"):
            plain = "".join(child.content for child in tokens[position + 1].children or ())
            token.attrSet("id", headings.add(int(token.tag[1]), plain).id)
        if pages is not None:
            _link_notebooks(token.children or (), pages)
    return markdown.renderer.render(tokens, markdown.options, {})


def _link_notebooks(tokens: Sequence, pages: Collection[str]) -> None:
    """Lead links to notebooks to their pages; without such a page, hide the link."""
    is_hidden = False
    for token in tokens:
        if token.type == "link_open":
            notebook = re.fullmatch(r"([\w-]+)\.ipynb", str(token.attrGet("href")))
            is_hidden = notebook is not None and notebook[1] not in pages
            if notebook:
                token.attrSet("href", f"{notebook[1]}.html")
        if token.type in ("link_open", "link_close"):
            token.hidden = is_hidden


def _source(cell: Mapping) -> str:
    """Return the text of a cell, which the notebook format allows to be a list of lines."""
    return _join(cell["source"])


def _join(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _output(output: Mapping) -> str:
    if output["output_type"] == "stream":
        return f"<pre>{escape(_join(output['text']))}</pre>"
    if output["output_type"] == "error":
        return f"<pre>{escape(output['ename'])}: {escape(output['evalue'])}</pre>"
    kind = next((name for name in OUTPUT_TYPES if name in output["data"]), "")
    content = _join(output["data"].get(kind, ""))
    if kind == "text/html":
        return content
    if kind == "text/markdown":
        return render_markdown(content)
    if kind == "image/png":
        return f'<img alt="output of this cell" src="data:image/png;base64,{content.strip()}">'
    return f"<pre>{escape(content)}</pre>"


def describe_notebook(name: str, notebook: Mapping) -> Page:
    """Read the title and question of a notebook from its first Markdown cell."""
    texts = [_source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    lines = (texts or [""])[0].strip().splitlines()
    title = lines[0].lstrip("# ").strip() if lines and lines[0].startswith("#") else name
    first_paragraph = "\n".join(lines[1:]).strip().split("\n\n")[0]
    return Page(name, title, re.sub(r"[*_`]", "", " ".join(first_paragraph.split())))


def resolve_row_links(pages: Mapping[str, str]) -> dict[str, str]:
    """Lead links to rows of tables and to footnotes to the page that has them.

    A table links to a row of another table by its id alone, because the notebook that writes it
    cannot know which page will show the row. If no page does, as in a run on part of the data, the
    link is removed and its words stay. A row without numbers has no footnote. `pages` has the HTML
    of all pages by name.
    """
    row = r'\bid="((?:tab|why)-[^"]+)"'
    page_of = {identity: name for name, html in pages.items() for identity in re.findall(row, html)}
    resolved = {}
    for name, html in pages.items():
        own_rows = set(re.findall(row, html))

        def lead(match, own_rows=own_rows):
            before, identity, after, words = match.groups()
            if identity in own_rows:
                return match[0]
            page = page_of.get(identity)
            return f'{before}"{page}.html#{identity}"{after}' if page else words

        link = r'(<a\b[^>]*\bhref=)"#((?:tab|why)-[^"]+)"([^>]*>([^<]*)</a>)'
        resolved[name] = re.sub(link, lead, html)
    return resolved
