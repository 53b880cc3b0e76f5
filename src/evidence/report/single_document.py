"""All pages of finished reports as one HTML document, with one list of notes and of references.

It holds what the printed pages hold: figures with their captions, the main columns of tables, and the
footnotes to the numbers in the text. `evidence.report.single_file` writes it as PDF and for Word.
"""

import base64
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evidence.dataset.citations import TEXT_STYLES
from evidence.dataset.citations.apa import format_apa
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError
from evidence.files import read_json, read_text
from evidence.provenance.methods import METHODS, formula_works
from evidence.provenance.sentence import join_words
from evidence.report.cite import CitedPart, CitedProject, FinishedFigure, read_citation_file
from evidence.report.export import columns_html, image_width, text_html
from evidence.report.figure_identity import read_licence
from evidence.report.glossary import GLOSSARY
from evidence.report.html_pages import METADATA
from evidence.report.trace import require_current
from evidence.tables.html_table import anchor

Element = Any
"""An element of lxml, which has no annotations."""
MAX_ROWS = 300
"""A longer table is left out: it is a register to search, not to read."""
MAX_HEIGHT = 1.1
"""The height of a figure, in widths of the text, that leaves room for its title on the page."""
SHARED = ("ref-", "row-", "work-")
"""What begins the ids of references and rows, which every page lists and the document only once."""
CONTROLS = (
    ".//script",
    ".//*[@class='files' or @class='technical']",
    ".//figure//details",
    ".//details[.//*[@class='references']]",
    ".//section[@class='addresses']",
    ".//*[@id='sources-and-numbers']/following-sibling::p[1]",
    ".//*[@id='reports']/following-sibling::ul[1]",
)
"""What a page offers beside its content, or the document has in another place."""
WRAPPERS = (
    ".//details | .//section | .//div[@class='glance'] | .//ul[@class='facts'] | "
    ".//ul[@class='facts']/li | .//dl | .//dd | .//span[not(@id)]"
)
NOTES = (
    "A raised number in the text leads to its note, which says how the number was computed and from "
    "which rows of the tables."
)
ROWS = "What each row says that a note names, and where it was read."
REFERENCES = "All sources of the results in this document, and the works on its methods."
HEADING_TAGS = ("h1", "h2", "h3")
SECOND_LINE = "more"
"""The class of the cell below a row that has what its columns have no room for."""
KEPT_ATTRIBUTES = ("id", "href", "src", "alt", "colspan", "style", "width")
LINK = re.compile(r"https?://[^\s<]+[^\s<.]|(?<=doi: )10\.[^\s<]+[^\s<.]")


@dataclass
class SingleDocument:
    """A document in HTML, with the pictures that it shows by file name.

    `facts` are on the title page, as HTML by name; `contents` lists headings, figures and tables.
    `pages` has the page of each figure, and `left_out` the tables that are only named.
    """

    title: str
    project: CitedProject
    facts: dict[str, str] = field(default_factory=dict)
    contents: str = ""
    chapters: str = ""
    back: str = ""
    pictures: dict[str, bytes] = field(default_factory=dict)
    alts: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def assemble(
    dataset: Dataset, reports: Path, style: str = "vancouver", picture_format: str = "svg"
) -> SingleDocument:
    """Return all pages of finished reports as one document.

    Raise `EvidenceError` if there are no finished reports or they are from other data, and without
    a usable `CITATION.cff` or without lxml. The style of the references is one of
    `evidence.dataset.citations.TEXT_STYLES`; figures are shown from their files in
    `picture_format`, "svg" or "png".
    """
    manifest = require_current(dataset, reports)
    names = [name for name in manifest["reports"] if not _is_start_page(reports, name)]
    pages = {name: _read_page(reports / f"{name}.html") for name in ("index", *names, GLOSSARY)}
    title, *facts = (
        pages["index"].xpath(path)[0]
        for path in ("//main//h1", "//p[@class='scope']", "//footer/p")
    )
    document = SingleDocument(title.text_content(), read_citation_file(dataset.project))
    if len(names) < len(manifest["reports"]):
        document.left_out.append("the interactive start page")
    title.text = "Overview"
    chapters, notes = _element("<div>"), _element("<div>")
    rows: dict[str, Element] = {}
    sources: set[str] = set()
    for name, page in pages.items():
        sources |= {*page.xpath("//*[@class='references']/li/@id")}
        for row in page.xpath("//ul[@id='rows']/li"):
            rows.setdefault(row.get("id"), _on_page(row, name))
        main = page.find(".//main")
        heading = main.find(".//h1")
        heading.set("id", name)
        items = main.xpath(".//ol[@id='numbers-text']/li")
        _clean(main)
        _place_tables(main, heading.text_content(), document)
        _place_figures(main, name, reports / "figures", picture_format, document)
        if items := _number_notes(main, items):
            title = escape(heading.text_content())
            notes.append(_element(f'<h2 id="{name}--notes">{title}</h2>'))
            notes.append(_element("<ol>"))
            notes[-1].extend(_on_page(item, name) for item in items)
        chapters.extend(_on_page(main, name))
    _drop_empty_headings(chapters)
    for item in chapters.xpath(".//li[not(p | ul | ol)]"):
        _wrap(item)
    root = _element("<div>")
    root.extend([chapters, notes, _rows(notes, rows), _references(dataset, sources, style)])
    _add_title(notes, "notes", "Notes", NOTES)
    _resolve_links(root)
    document.contents = _contents(root)
    document.chapters, document.back = _html(chapters), "".join(map(_html, root[1:]))
    document.facts = _facts(dataset, document, *(fact.text_content() for fact in facts))
    return document


def _is_start_page(reports: Path, name: str) -> bool:
    """Whether a report lists the others, as the table of contents does."""
    notebook = read_json(reports / "notebooks" / f"{name}.ipynb")
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", ()))
    return any(
        output.get("metadata", {}).get(METADATA, {}).get("lists_pages") for output in outputs
    )


def _read_page(path: Path) -> Element:
    try:
        from lxml import html

        text = read_text(path)
    except ImportError:
        raise EvidenceError(
            "The report in one file needs lxml. Install it with: pip install 'evidence[export]'"
        ) from None
    except FileNotFoundError:
        raise EvidenceError(f"{path}: missing. Rebuild the reports with: evidence report") from None
    # The picture of a figure is read from its file; the one inside the page is most of it.
    text = re.sub(r'<picture><source [^>]*><img src="[^"]*"', '<picture><img src=""', text)
    document = html.document_fromstring(text, parser=html.HTMLParser(huge_tree=True))
    # Pages may come from a stranger, and pandoc would fetch an address or take any file.
    for image in document.xpath("//img[@src != '' and not(starts-with(@src, 'data:'))]"):
        image.drop_tree()
    return document


def _element(text: str) -> Element:
    from lxml import html

    return html.fragment_fromstring(text)


def _html(element: Element) -> str:
    """Return the content of an element, with the style of second lines as Typst has it."""
    from lxml import html

    content = "".join(html.tostring(child, encoding="unicode") for child in element)
    content = content.replace(f'class="{SECOND_LINE}"', 'data-typst:stroke="none"')
    return escape(element.text or "") + content


def _on_page(element: Element, page: str) -> Element:
    """Give the ids and links of a page names that hold in the whole document."""
    for part in element.iter("*"):
        identity, href = part.get("id", page), part.get("href", "")
        if identity != page and not identity.startswith(SHARED):
            part.set("id", f"{page}--{identity}")
        if href and not re.match(r"\w+:", href):
            target, _, fragment = href.partition("#")
            target = target.removesuffix(".html") or page
            if fragment:
                target = fragment if fragment.startswith(SHARED) else f"{target}--{fragment}"
            part.set("href", f"#{target}")
    return element


def _clean(main: Element) -> None:
    """Remove what only a page needs, and unfold what it folds."""
    for path in CONTROLS:
        for element in main.xpath(path):
            element.drop_tree()
    for summary in main.xpath(".//summary[not(ancestor::table)]"):
        summary.tag = "p"
        if summary.xpath("h1 | h2 | h3"):
            summary.drop_tag()
    for term in main.xpath(".//dl/div/dt[not(ancestor::table)]"):
        term.getparent().tag, term.tag = "p", "strong"
        if not term.text_content().endswith(":"):
            term.append(_element("<span>:</span>"))
    for wrapper in main.xpath(WRAPPERS):
        if not wrapper.xpath("ancestor::table"):
            wrapper.drop_tag()


def _place_tables(main: Element, page: str, document: SingleDocument) -> None:
    """Keep the main columns and second lines of tables, and only name a table that is too long."""
    for frame in main.xpath(".//div[@class='table']"):
        table = frame.find("table")
        name, caption = table.attrib.pop("id"), table.find("caption").text_content()
        address = f"<code>tables/{name}.csv</code>"
        if document.project.site:
            address = f'<a href="{escape(document.project.site.rstrip("/"))}/tables/{name}.csv">{address}</a>'
        rows = table.xpath("tbody/tr[not(@class='more')]")
        if len(rows) > MAX_ROWS:
            document.left_out.append(f"“{caption}” ({len(rows)} rows)")
            text = f"Left out here: {escape(document.left_out[-1])}. They are in {address}."
            frame.addprevious(_element(f"<p>{text}</p>"))
            frame.drop_tree()
            continue
        frame.set("id", name)
        for row in rows:
            row[0].set("id", row.attrib.pop("id", ""))
        if folded := _reduce_rows(table):
            note = f"<p>Further columns, in {address}: {escape(', '.join(folded))}.</p>"
            frame.addnext(_element(note))
        lines = table.xpath("thead/tr | tbody/tr[not(@class='more')]")
        columns = zip(*([cell.text_content() for cell in row] for row in lines), strict=True)
        table.insert(1, _element(f"<table>{columns_html(list(columns))}</table>")[0])


def _reduce_rows(table: Element) -> list[str]:
    """Write the second line of each row as a sentence; return the names of the folded columns."""
    folded = dict.fromkeys(text.strip() for text in table.xpath(".//details//dt/text()"))
    for details in table.xpath(".//details"):
        details.drop_tree()
    for row in table.xpath(".//tr[@class='more']"):
        cell = row[0]
        for item in cell.xpath("dl/div"):
            name, value = item
            name.tag, value.tag = "strong", "span"
            name.text = f"{name.text}:"
            item.tail = " · " if item.getnext() is not None else ""
            item.tag = "span"
        if not cell.text_content().strip():
            row.drop_tree()
        for part in cell.xpath("dl | dl/span | dl/span/span"):
            part.drop_tag()
        cell.set("class", SECOND_LINE)
    return list(folded)


def _place_figures(
    main: Element, page: str, folder: Path, picture_format: str, document: SingleDocument
) -> None:
    """Show each figure once, from its file, with its title as caption and the rest below."""
    for figure in main.xpath(".//figure[@data-version]"):
        name, caption = figure.get("id"), figure.find("figcaption")
        strong, alt = caption.find("strong"), figure.find(".//img").get("alt")
        title = escape(strong.text_content().strip().rstrip("."))
        strong.drop_tree()
        if name in document.pages:
            link = f'<a href="{document.pages[name]}.html#{name}">{title}</a>'
            contents = [f"<p>See Figure {[*document.pages].index(name) + 1}: {link}.</p>"]
        elif not (folder / f"{name}.json").is_file():
            contents = [
                f"<p>Left out here: {title}. These reports lack the page that draws it.</p>"
            ]
        else:
            document.pages[name] = page
            finished = FinishedFigure(CitedPart(name, title, ()), "", alt, folder)
            width = image_width(finished.file("png"), MAX_HEIGHT)
            path = finished.file(picture_format)
            document.pictures[path.name], document.alts[path.name] = path.read_bytes(), alt
            contents = [
                f'<figure id="{name}"><img src="{path.name}" width="{width}%" alt="{escape(alt)}">'
                f"<figcaption>{title}</figcaption></figure>",
                f"<p>{_html(caption)}</p>",
            ]
        for content in contents:
            figure.addprevious(_element(content))
        figure.drop_tree()
    for number, image in enumerate(main.xpath(".//img[starts-with(@src, 'data:')]"), 1):
        kind, _, content = image.get("src").partition(";base64,")
        suffix = kind.partition("/")[2].partition("+")[0]
        name = f"{page}-{number}.{suffix}"
        document.pictures[name] = base64.b64decode(content)
        document.alts[name] = image.get("alt", "")
        image.set("src", name)


def _wrap(item: Element) -> None:
    """Make the content of a list item a paragraph: without one, Word sets it in small print."""
    paragraph = _element("<p>")
    paragraph.text, item.text = item.text, None
    paragraph.extend(item)
    item.append(paragraph)


def _number_notes(main: Element, items: list[Element]) -> list[Element]:
    """Mark the numbers of a page with those of their notes, and return the notes they lead to."""
    cited = {
        number.get("href").partition("#")[2]
        for number in main.xpath(".//a[@class='number'][@data-note]")
    }
    kept = [item for item in items if cited & {*item.xpath("a/@id")}]
    note_of = {name: number for number, item in enumerate(kept, 1) for name in item.xpath("a/@id")}
    for number in main.xpath(".//a[@class='number']"):
        target = number.attrib.pop("href").partition("#")[2]
        number.tag = "span"
        if note := note_of.get(target):
            mark = _element(f'<sup><a href="#{target}">{note}</a></sup>')
            mark.tail, number.tail = number.tail, ""
            number.addnext(mark)
    return kept


def _drop_empty_headings(chapters: Element) -> None:
    """Remove headings whose content is all elsewhere in the document."""
    for heading in reversed([child for child in chapters if child.tag in HEADING_TAGS]):
        following = heading.getnext()
        if following is None or (following.tag in HEADING_TAGS and following.tag <= heading.tag):
            heading.drop_tree()


def _add_title(part: Element, identity: str, title: str, purpose: str) -> None:
    part.insert(0, _element(f"<p>{purpose}</p>"))
    part.insert(0, _element(f'<h1 id="{identity}">{title}</h1>'))


def _rows(notes: Element, rows: Mapping[str, Element]) -> Element:
    """List the rows to which the notes lead, in the order of the tables."""
    names = {href[1:] for href in notes.xpath(".//a/@href")} & rows.keys()
    part = _element("<div><ul></ul></div>")
    part[0].extend(rows[name] for name in sorted(names, key=_order))
    _add_title(part, "rows", "Rows of the tables", ROWS)
    return part


def _order(name: str) -> list[tuple[str, int]]:
    """Return a key that sorts numbers inside texts by their value."""
    return [(text, int(part or 0)) for text, part in re.findall(r"(\D*)(\d*)", name)]


def _references(dataset: Dataset, listed: Iterable[str], style: str) -> Element:
    """List the sources of all pages once, by their ids on the pages."""
    sources = {anchor("ref", key): source for key, source in dataset.bibliography.items()}
    works = {anchor("work", key): work for key, work in formula_works(dataset, METHODS).items()}
    references = sources | works
    items = []
    for name in sorted(listed):
        source = references[name]
        text = TEXT_STYLES[style](source)
        html = LINK.sub(_link, text_html(text))
        if source.link and "<a " not in html:
            html += f' <a href="{escape(source.link)}">link</a>'
        if name in sources and (label := dataset.label(source.key)) != source.label:
            html += f" Cited here as {escape(label)}."
        items.append((text, f'<li id="{name}">{html}</li>'))
    part = _element(f"<div><ol>{''.join(html for _, html in sorted(items))}</ol></div>")
    _add_title(part, "references", "References", REFERENCES)
    return part


def _link(match: re.Match) -> str:
    address = match[0] if match[0].startswith("http") else f"https://doi.org/{match[0]}"
    return f'<a href="{address}">{match[0]}</a>'


def _resolve_links(root: Element) -> None:
    """Remove links to what the document has not, and ids without a link; place the others."""
    known, targets = {*root.xpath(".//@id")}, set()
    for link in root.xpath(".//a[starts-with(@href, '#')]"):
        target = link.get("href")[1:]
        targets.add(target)
        if target not in known:
            del link.attrib["href"]
            link.tag = "span"
    for element in root.xpath(".//*[@id]"):
        if element.tag in (*HEADING_TAGS, "figure", "div"):
            continue
        identity = element.attrib.pop("id")
        if identity in targets:
            targets.discard(identity)
            _mark(element, identity)
    for element in root.iter("*"):
        kept = {*KEPT_ATTRIBUTES, "class" if element.get("class") == SECOND_LINE else ""}
        # Attributes could otherwise hold code for Typst.
        for name in {*element.attrib} - kept:
            del element.attrib[name]
    for element in root.xpath(".//span[not(@id)]"):
        element.drop_tag()


def _mark(element: Element, identity: str) -> None:
    """Put an id where pandoc keeps it: on a `span` around the first words of an element."""
    mark = _element(f'<span id="{identity}"></span>')
    if element.tag in ("a", "span"):
        element.addprevious(mark)
        mark.tail, element.tail = element.tail, ""
        mark.append(element)
    elif (element.text or "").strip() or not len(element):
        mark.text, element.text = element.text, ""
        element.insert(0, mark)
    else:
        _mark(element[0], identity)


def _contents(root: Element) -> str:
    """List headings, figures and tables, each with a link."""
    captions = {
        "Figures": root.xpath(".//figure/figcaption"),
        "Tables": root.xpath(".//div[@id]/table/caption"),
    }
    chapters = ""
    for chapter in root.xpath(".//h1"):
        following = chapter.itersiblings(*HEADING_TAGS)
        sections = itertools.takewhile(lambda other: other.tag != "h1", following)
        items = [f"<li>{_link_to(item, item)}</li>" for item in sections if item.tag == "h2"]
        inner = f"<ul>{''.join(items)}</ul>" if items else ""
        chapters += f"<li>{_link_to(chapter, chapter)}{inner}</li>"
    text = f"<h1>Contents</h1><ul>{chapters}</ul>"
    for title, listed in captions.items():
        items = [
            f"<li>{title[:-1]} {number}: {_link_to(item.xpath('ancestor::*[@id]')[-1], item)}</li>"
            for number, item in enumerate(listed, 1)
        ]
        text += f"<h2>{title}</h2><ul>{''.join(items)}</ul>" if items else ""
    return text


def _link_to(target: Element, words: Element) -> str:
    return f'<a href="#{target.get("id")}">{escape(words.text_content())}</a>'


def _facts(dataset: Dataset, document: SingleDocument, scope: str, audited: str) -> dict[str, str]:
    """Say what a reader must know who has nothing but the document, as HTML by name."""
    project, licence = document.project, read_licence(dataset)
    dates = {"sources read": dataset.readings, "searches made": dataset.searches}
    known = [f"{words} until {max(rows['date'])}" for words, rows in dates.items() if len(rows)]
    left_out = (*document.left_out, "the numbers behind figures and tables (values.json)")
    made_with = f"made with evidence {version('evidence')}"
    scope = re.sub("^Scope and parameters: ", "", scope).rstrip(".")
    facts = {
        "Version": ", ".join(filter(None, (project.version, project.year, made_with))),
        "Data": ", ".join(known),
        "Scope": f"{scope}. Each chapter states its own.",
        "Errors": audited,
        "Cite as": format_apa(project.whole),
        "Licence": " ".join(filter(None, licence.values())),
        "Left out": f"{join_words(left_out)}. They are in the files beside the pages.",
    }
    return {name: LINK.sub(_link, text_html(text)) for name, text in facts.items() if text}
