"""A page of its own for every figure and table: link to it, cite it, embed it, download it.

The pages stand beside the files of their figure or table and show these files. The embedded page
needs no other file, so that it also works where it is copied to.
"""

import base64
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.dataset.bibliography import Reference
from evidence.dataset.citations import STYLES
from evidence.dataset.dataset import Dataset
from evidence.dataset.notebook_display import HEADERS
from evidence.files import read_json, read_text
from evidence.provenance.rows import describe_rows, row_ranges
from evidence.provenance.sentence import count
from evidence.provenance.values import POSITION_COLUMNS
from evidence.report.cite import (
    CitedPart,
    citation_references,
    cited_part,
    read_cited_project,
    read_part_record,
)
from evidence.report.figure_files import NARROW_SCREEN
from evidence.report.figure_identity import FINE, WIDTHS
from evidence.report.footnotes import mark_label, quantity
from evidence.report.html_pages import Headings, Page, as_markup, render
from evidence.report.machine_readable import NUMBER, unescape_formula
from evidence.tables.html_table import MAX_ROWS_SHOWN, ReportTable, anchor

FIGURES = "figures"
"""The page that lists all figures and tables."""
EMBED = "-embed"
"""What the name of a page without navigation ends in, which another page shows in a frame."""
PICTURES = {
    ".svg": "SVG",
    ".pdf": "PDF",
    ".eps": "EPS",
    ".png": "PNG, 300 dpi",
    f"{FINE}.png": "PNG, 600 dpi",
    ".tiff": "TIFF, 600 dpi",
}
OTHER_FILES = {
    "Data": {".csv": "numbers (CSV)", ".json": "record (JSON)"},
    "Citation": {".bib": "BibTeX"},
}
COPIED_STYLES = {
    "vancouver": "Vancouver", "apa": "APA", "ama": "AMA", "bibtex": "BibTeX", "ris": "RIS",
}  # fmt: skip
MAX_FORMATTED = 50_000
UNSHOWN_COLUMNS = POSITION_COLUMNS | {"name", "address", "study"}
"""The label of a mark says its name with the study, and links to its rows."""
MAX_COLUMNS, MAX_ROWS_LISTED = 7, 200
"""Columns of the plotted numbers beside each other, and rows of the tables that are listed."""
FRAME_WIDTH, CAPTION_HEIGHT, TABLE_HEIGHT = 720, 180, 480
"""Pixels for which the height of an embedded page is computed."""


@dataclass(frozen=True)
class ShownPart:
    """A figure or table with its record, the report that shows it, its HTML there, and its rows."""

    part: CitedPart
    record: Mapping
    page: Page
    html: str
    rows: tuple[str, ...]


@lru_cache(MAX_FORMATTED)
def _format(style: str, reference: Reference) -> str:
    """Format one reference; in BibTeX with the blank line that parts it from the next one."""
    return STYLES[style]([reference]) + ("\n" if style == "bibtex" else "")


class PartPages:
    """The pages of all figures and tables of a folder of reports, by name without `.html`.

    Parameters
    ----------
    staging : path
        The folder with the files of the reports.
    pages : mapping of str to Page
        The reports by name.
    html : mapping of str to str
        The pages of the reports, their links to rows resolved.
    inputs : mapping of str to mapping
        The checksums of the tables from which each report was made.
    audited, set_name : str
        See `html_pages.render_notebook`.

    Raises
    ------
    EvidenceError
        The record of a figure or table is damaged, or the `CITATION.cff` cannot be used.
    """

    def __init__(
        self,
        dataset: Dataset,
        staging: Path,
        pages: Mapping[str, Page],
        html: Mapping[str, str],
        *,
        inputs: Mapping[str, Mapping[str, str]],
        audited: str,
        set_name: str = "",
    ):
        self._dataset, self._staging, self._inputs = dataset, staging, inputs
        self._project = read_cited_project(dataset)
        # Which set of parameters stands at the address of the project is not known.
        if self._project and set_name:
            self._project = replace(self._project, site="")
        self._ids = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in html.items()}
        self._frame: dict[str, Any] = {
            "pages": list(pages.values()),
            "audited": as_markup(audited),
            "set_name": set_name,
        }
        self.parts = list(_read_parts(staging, pages, html))

    def render(self) -> dict[str, str]:
        """Return the page and the embedded page of each figure and table, and the list of all."""
        rendered = {FIGURES: self._overview()}
        for shown in self.parts:
            rendered[shown.part.page] = self._page(shown)
            rendered[shown.part.page + EMBED] = self._embedded(shown)
        return rendered

    def _overview(self) -> str:
        return render(
            "figures.html",
            headings=Headings(),
            title="Figures and tables",
            current=FIGURES,
            shows_files=True,
            figures=[shown for shown in self.parts if shown.part.kind == "figure"],
            tables=[shown for shown in self.parts if shown.part.kind == "table"],
            **self._frame,
        )

    def _page(self, shown: ShownPart) -> str:
        part, project = shown.part, self._project
        files = {address.rpartition(":")[0] for address in shown.rows}
        return render(
            "figure.html",
            headings=Headings(),
            root="../",
            title=part.title,
            current=part.page,
            shows_files=True,
            part=part,
            record=shown.record,
            report=shown.page,
            content=as_markup(self._content(shown)),
            address=project.address(part) if project else "",
            project=project,
            citations=self._citations(part),
            embed_code=self._embed_code(shown),
            is_outdated=self._is_outdated(shown),
            checksums={
                file: checksum[:16]
                for file, checksum in self._inputs[shown.page.name].items()
                if file in files
            },
            downloads=self._downloads(part),
            has_fine_formats=(self._staging / f"{part.page}{FINE}.png").is_file(),
            data=as_markup(self._data(shown)) if part.kind == "figure" else "",
            studies=self._sources(shown.record["studies"]),
            sources=self._sources(shown.record.get("sources", [])),
            rows=self._rows(shown),
            numbers=anchor("numbers", part.id) in self._ids[shown.page.name],
            **self._frame,
        )

    def _is_outdated(self, shown: ShownPart) -> bool:
        return self._inputs[shown.page.name] != self._dataset.checksums

    def _content(self, shown: ShownPart) -> str:
        """Return the figure or table as its report shows it, with the files beside the page."""
        html = _lead_to(shown.html, shown.page.name)
        addresses = (f"{shown.part.id}{ending}.svg" for ending in WIDTHS.values())
        return _with_picture(html, shown, *addresses)

    def _embedded(self, shown: ShownPart) -> str:
        part, project = shown.part, self._project
        html = re.sub(r"</?a\b[^>]*>", "", shown.html)
        if part.kind == "figure":
            svgs = (self._staging / f"{part.page}{ending}.svg" for ending in WIDTHS.values())
            html = _with_picture(html, shown, *map(_data_address, svgs))
        citation = _format("vancouver", project.reference(part)) if project else part.name
        return render(
            "embed.html",
            title=part.title,
            content=as_markup(html),
            citation=citation,
            address=(project.address(part) if project else "") or f"{part.id}.html",
            kind=part.kind,
        )

    def _embed_code(self, shown: ShownPart) -> str:
        part, project, height = shown.part, self._project, TABLE_HEIGHT
        if part.kind == "figure":
            svg = read_text(self._staging / f"{part.page}.svg")
            if size := re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg):
                width, points = map(float, size.groups())
                height = round(FRAME_WIDTH * points / width) + CAPTION_HEIGHT
        address = (project.address(part, EMBED) if project else "") or f"{part.id}{EMBED}.html"
        return (
            f'<iframe src="{escape(address)}" title="{escape(part.title)}" width="100%" '
            f'height="{height}" loading="lazy" style="border: 0"></iframe>'
        )

    def _citations(self, part: CitedPart) -> dict[str, str]:
        """Return what to cite in each style; nothing without a `CITATION.cff`."""
        bibliography = self._dataset.bibliography
        if self._project is None:
            return {}
        # A report from earlier data may name a source that is gone.
        known = replace(
            part,
            studies=tuple(key for key in part.studies if key in bibliography),
            sources=tuple(key for key in part.sources if key in bibliography),
        )
        references = citation_references(bibliography, [known], [], self._dataset.project)
        return {
            label: "".join(_format(style, reference) for reference in references).rstrip("\n")
            for style, label in COPIED_STYLES.items()
        }

    def _downloads(self, part: CitedPart) -> dict[str, list[tuple[str, str]]]:
        groups = {
            f"Picture, {'85' if ending else '180'} mm wide": {
                f"{ending}{suffix}": label for suffix, label in PICTURES.items()
            }
            for ending in WIDTHS.values()
        }
        offered = {
            purpose: [
                (f"{part.id}{ending}", label)
                for ending, label in endings.items()
                if (self._staging / f"{part.page}{ending}").is_file()
            ]
            for purpose, endings in (groups | OTHER_FILES).items()
        }
        return {purpose: links for purpose, links in offered.items() if links}

    def _data(self, shown: ShownPart) -> str:
        """Return the plotted numbers as a table whose rows link to their footnotes."""
        part = shown.part
        text = read_text(self._staging / f"{part.page}.csv")
        marks = list(csv.DictReader(io.StringIO(text, newline="")))
        names = [unescape_formula(mark["name"]) for mark in marks]
        labels = [mark_label(self._dataset, name, {}) for name in names]
        columns = {"mark": labels}
        for column in marks[0] if marks else ():
            cells = [_format_cell(mark[column]) for mark in marks]
            is_said = all(cell in label for cell, label in zip(cells, labels, strict=True))
            if not is_said and column not in UNSHOWN_COLUMNS:
                header = HEADERS.get(column, quantity(column))
                columns[column if header in columns else header] = cells
        # Numbers first: texts stand below them where there are many columns.
        order = sorted(columns, key=lambda name: name != "mark" and not _is_numeric(columns[name]))
        frame = pd.DataFrame({name: columns[name] for name in order})
        numbers = pd.DataFrame({"name": names, "address": "", "number": 0})
        table = ReportTable(
            f"data-{part.id}",
            f"Plotted numbers: {part.title}",
            frame,
            numbers,
            second_line=list(frame.columns[MAX_COLUMNS:]),
        )
        table = table.first_rows(MAX_ROWS_SHOWN, f"{part.id}.csv")
        ids = self._ids[shown.page.name]

        def link(match: re.Match) -> str:
            return match[0].replace("#why-data-", "#why-") if f"why-{match[1]}" in ids else match[2]

        number = r'<a class="number" href="#why-data-([^"]+)">([^<]*)</a>'
        return _lead_to(re.sub(number, link, table.to_html()), shown.page.name)

    def _sources(self, sources: Sequence[Mapping | str]) -> list[dict[str, str]]:
        """Return each source with its label, its reference, and the row of the study if any."""
        bibliography, entries = self._dataset.bibliography, []
        for source in sources:
            # Records of tables have keys only.
            if isinstance(source, str):
                source = {"key": source, "reference": source, "link": ""}
            key, reference, link = (source[name] for name in ("key", "reference", "link"))
            if key in bibliography:
                reference = _format("vancouver", bibliography[key])
                link = bibliography[key].link
            row = self._address_of(anchor("tab-studies", key))
            entries.append({"reference": reference, "link": link, "row": row})
        return entries

    def _rows(self, shown: ShownPart) -> dict:
        """Return the rows behind a part, listed if they are few and the data those of today."""
        summary = f"{count(len(shown.rows), 'row').text}: {', '.join(row_ranges(shown.rows))}"
        listed = []
        if len(shown.rows) <= MAX_ROWS_LISTED and not self._is_outdated(shown):
            for row in describe_rows(self._dataset, shown.rows):
                own = anchor("row", row.address)
                is_own = own in self._ids[shown.page.name]
                in_results = anchor("tab-results", row.address.removeprefix("data/"))
                target = f"../{shown.page.name}.html#{own}" if is_own else ""
                listed.append((row, target or self._address_of(in_results)))
        return {"summary": summary if shown.rows else "", "listed": listed}

    def _address_of(self, identity: str) -> str:
        """Return the address of an element on whichever report has it, from the page of a part."""
        page = next((name for name, ids in self._ids.items() if identity in ids), "")
        return page and f"../{page}.html#{identity}"


def _read_parts(
    staging: Path, pages: Mapping[str, Page], html: Mapping[str, str]
) -> Iterator[ShownPart]:
    """Yield all figures and tables that are not empty, in the order of the reports."""
    names = set()
    for name, page in pages.items():
        path = staging / "values" / f"{name}.json"
        content = read_json(path) if path.is_file() else {"figures": [], "tables": []}
        shown = [figure["id"] for figure in content["figures"] if not figure["empty"]]
        for identity in (*shown, *content["tables"]):
            if identity in names:
                continue
            names.add(identity)
            is_table = identity in content["tables"]
            folder = "tables" if is_table else "figures"
            required = ("columns", "rows") if is_table else ("alt", "caption", "rows", "command")
            record = read_part_record(staging / folder / f"{identity}.json", *required)
            rows = record["rows"]
            if is_table:
                entries = content["values"].items()
                own = (entry for key, entry in entries if key.startswith(f"{identity}:"))
                rows = dict.fromkeys(row for entry in own for row in entry["rows"])
            fragment = _fragment(html[name], identity, record)
            yield ShownPart(cited_part(record), record, page, fragment, tuple(rows))


def _fragment(html: str, identity: str, record: Mapping) -> str:
    """Return a figure or table as a page shows it, or from its record if no page does."""
    if "columns" in record:
        pattern = rf'<div class="table"><table id="{re.escape(identity)}".*?</table></div>'
        frame = pd.DataFrame(record["rows"], columns=record["columns"])
        numbers = pd.DataFrame({"name": [str(row) for row in range(len(frame))]})
        otherwise = ReportTable(identity, record["caption"], frame, numbers).to_html
    else:
        pattern = rf'<figure id="{re.escape(identity)}".*?</figure>'

        def otherwise() -> str:
            caption = f"<strong>{escape(record['title'])}.</strong> {escape(record['caption'])}"
            return f"<figure><picture></picture><figcaption>{caption}</figcaption></figure>"

    match = re.search(pattern, html, re.DOTALL)
    return match[0] if match else otherwise()


def _with_picture(html: str, shown: ShownPart, wide: str, narrow: str) -> str:
    """Put the picture at two addresses, for wide and narrow screens, in place of that of a report."""
    picture = (
        f'<picture><source media="{NARROW_SCREEN}" srcset="{narrow}">'
        f'<img src="{wide}" alt="{escape(shown.record.get("alt", ""))}"></picture>'
    )
    return re.sub(r"<picture>.*?</picture>", lambda _: picture, html, flags=re.DOTALL)


def _lead_to(html: str, page: str) -> str:
    """Lead the links of a part of a page to that page and to others, from the folder beside them."""
    own = set(re.findall(r'\bid="([^"]+)"', html))

    def lead(match: re.Match) -> str:
        target = match[1]
        if target.removeprefix("#") in own:
            return match[0]
        return f'href="../{page}.html{target}"' if target[0] == "#" else f'href="../{target}"'

    html = re.sub(r' data-note="\d+"', "", html)
    return re.sub(r'\bhref="(#[^"]*|[\w-]+\.html[^"]*)"', lead, html)


def _data_address(svg: Path) -> str:
    """Return an SVG as an address that holds it, without the record that its page has."""
    picture = re.sub(r"<metadata>.*?</metadata>", "", read_text(svg), flags=re.DOTALL)
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"


def _is_numeric(cells: Iterable[str]) -> bool:
    return all(NUMBER.fullmatch(cell.replace("−", "-")) for cell in cells if cell)


def _format_cell(text: str) -> str:
    """Write a number with four digits, and True or False as a word."""
    text = {"True": "yes", "False": "no"}.get(text, unescape_formula(text))
    try:
        number = float(text)
    except ValueError:
        return text
    return text if text.lstrip("-").isdigit() else f"{number:.4g}".replace("-", "−")
