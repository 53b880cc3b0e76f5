"""The report that a notebook opens, fills with figures, tables and sentences, and closes."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from evidence.analysis.gaps.reading_list import WantedResult
from evidence.analysis.gaps.unknowns import Unknown
from evidence.analysis.narrative.scope import describe_coverage
from evidence.analysis.results import select_results
from evidence.errors import ParameterError
from evidence.figures.layout import Layout, split_into_pages
from evidence.files import atomic_write, format_json
from evidence.notebook.locate import notebooks_of
from evidence.notebook.parameters import validate_arguments
from evidence.provenance.sentence import Sentence, count
from evidence.provenance.values import ValueStore
from evidence.queries import ProjectData, load_dataset
from evidence.report import machine_readable
from evidence.report.figure_files import DisplayedFigure, title_sentence, write_figure
from evidence.report.figure_identity import FigureRecord, figure_record
from evidence.report.footnotes import sentence_html, sources_and_footnotes
from evidence.report.html_pages import METADATA, Headings, describe_notebook
from evidence.report.machine_readable import write_csv, write_table
from evidence.tables.gaps import tabulate_coverage, tabulate_unknowns
from evidence.tables.html_table import MAX_ROWS_SHOWN, ReportTable
from evidence.tables.reading_list import tabulate_reading_list


@dataclass(frozen=True)
class HtmlOutput:
    """HTML to display in a notebook, with the same in plain text.

    `content` tells the page that is made of the notebook what the HTML contains: see
    `evidence.report.html_pages.METADATA`.
    """

    html: str
    text: str
    content: Mapping[str, object] = field(default_factory=dict)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        data = {"text/html": self.html, "text/plain": self.text}
        return data, {METADATA: dict(self.content)} if self.content else {}


@dataclass(frozen=True)
class FigureList:
    """Several figures, displayed one after the other."""

    figures: Sequence[DisplayedFigure]

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for figure in self.figures:
            display(figure)
        if not self.figures:
            text = "These results have nothing to draw."
            display(HtmlOutput(f'<p class="empty">{text}</p>', text))


class Report:
    """A report while its notebook runs: shows figures, tables and sentences and records numbers.

    If `out` was given, it also writes `figures/`, `tables/` and `values/NAME.json` there.

    Attributes
    ----------
    dataset : ProjectData
    results : DataFrame
        The rows of the report's scope, conditions and outcomes; see `select_results`.
    scope, conditions, outcomes, confidence
        The shared parameters, validated.
    parameters : dict
        All parameters of the notebook except its folders.
    """

    def __init__(
        self,
        name: str,
        dataset: ProjectData,
        *,
        scope: str,
        conditions: Sequence[str],
        outcomes: Sequence[str],
        confidence: float,
        out: str,
        own: Mapping[str, object] | None = None,
    ):
        self.name = name
        self.dataset = dataset
        self.scope = scope
        self.conditions = tuple(conditions)
        self.outcomes = tuple(outcomes)
        self.confidence = confidence
        self.results = select_results(
            dataset, scope=scope, conditions=conditions, outcomes=outcomes
        )
        self.parameters = {
            "scope": scope,
            "conditions": list(conditions),
            "outcomes": list(outcomes),
            "confidence": confidence,
            **(own or {}),
        }
        self._out = Path(out) if out else None
        if self._out:
            self._out.mkdir(parents=True, exist_ok=True)
        self._figure_folder = self._out and self._out / "figures"
        self._store = ValueStore()
        self._figures: list[dict] = []
        self._tables: list[str] = []
        self._titles: dict[str, str] = {}
        self._unshown: set[str] = set()
        self._listed: set[str] = set()

    def _repr_html_(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"<p><strong>Report {escape(self.name)}</strong>: {escape(values)}</p>"

    @property
    def results_with_repeats(self) -> pd.DataFrame:
        """The results together with second reports of them, which nothing counts."""
        return select_results(
            self.dataset,
            scope=self.scope,
            conditions=self.conditions,
            outcomes=self.outcomes,
            with_repeats=True,
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether the parameters leave out any part of the data."""
        return bool(self.conditions or self.outcomes)

    def summary(self) -> HtmlOutput:
        """Show which studies and results the report covers, and how they are counted."""
        return self.text(describe_coverage(self.results))

    def describe_figure(self, layout: Layout, **own: object) -> FigureRecord:
        """Return the record of a chart; `own` adds parameters that only this chart depends on."""
        parameters = self.parameters | own
        return figure_record(layout, self.dataset, report=self.name, parameters=parameters)

    def figure(self, layout: Layout, **own: object) -> DisplayedFigure | FigureList:
        """Show a chart, in parts if it is too tall for a page; see `figures`.

        `own` are parameters that only this chart depends on.
        """
        shown = self.figures([layout], **own)
        return shown.figures[0] if len(shown.figures) == 1 else shown

    def figures(self, layouts: Iterable[Layout], **own: object) -> FigureList:
        """Show several charts, write their files (see `write_figure`) and record their numbers."""
        parts = [part for layout in layouts for part in split_into_pages(layout)]
        return FigureList([self._show(part, **own) for part in parts])

    def _show(self, layout: Layout, **own: object) -> DisplayedFigure:
        record = self.describe_figure(layout, **own)
        self._store.add(title_sentence(layout))
        self._store.add(layout.caption)
        self._titles[layout.id] = f"Numbers of the figure: {layout.title}"
        if not layout.empty:
            self._store.add_frame(layout.id, layout.frame, layout.methods)
            if self._figure_folder:
                write_figure(layout, record, self.dataset, self._figure_folder)
        self._figures.append(
            {
                "id": layout.id,
                "version": record.version,
                "title": layout.title,
                "alt": layout.alt,
                "caption": str(layout.caption),
                "empty": layout.empty,
            }
        )
        return DisplayedFigure(layout, record, self._figure_folder)

    def table(self, table: ReportTable) -> HtmlOutput:
        """Show a table, write it as JSON and CSV, and record its numbers.

        A page shows the first `MAX_ROWS_SHOWN` rows, says so, and links to the CSV file.
        """
        if table.frame.empty:
            text = f"{table.caption}: no rows."
            return HtmlOutput(f'<p class="empty">{escape(text)}</p>', text)
        self._titles[table.id] = f"Numbers of the table: {table.caption}"
        self._store.add_frame(table.id, table.numbers, table.methods)
        self._tables.append(table.id)
        if not self._out:
            # Only a table in a notebook needs a sort script of its own: a page has one already.
            return HtmlOutput(table._repr_html_(), table.frame.to_string(index=False))
        write_table(table, self.dataset, self._out / "tables")
        shown = table.first_rows(MAX_ROWS_SHOWN, f"{table.id}.csv")
        files = {f"tables/{table.id}.html": "Page of this table: cite, link, download"}
        if shown is not table:
            files[f"tables/{table.id}.csv"] = f"All {len(table.frame):,} rows (CSV)"
            unshown = table.numbers["name"].iloc[MAX_ROWS_SHOWN:]
            self._unshown.update(f"{table.id}:{name}" for name in unshown)
        return HtmlOutput(
            shown.to_html() + _file_links("", files), shown.frame.to_string(index=False)
        )

    def text(self, sentences: Sentence | Iterable[Sentence]) -> HtmlOutput:
        """Show a sentence as a paragraph, or several as a list, and record their numbers.

        Sentences of a list that the report has shown before are counted, not repeated.
        """
        if isinstance(sentences, Sentence):
            self._store.add(sentences)
            return HtmlOutput(f"<p>{sentence_html(sentences)}</p>", str(sentences))
        listed = list(sentences)
        repeated = [sentence for sentence in listed if str(sentence) in self._listed]
        listed = [sentence for sentence in listed if str(sentence) not in self._listed]
        self._listed.update(map(str, listed))
        for sentence in listed:
            self._store.add(sentence)
        if repeated:
            number = count(len(repeated), "statement").text
            listed.append(Sentence("", f"Also true here: {number} listed above."))
        if not listed:
            text = "These results have nothing to report here."
            return HtmlOutput(f'<p class="empty">{text}</p>', text)
        items = "".join(f"<li>{sentence_html(sentence)}</li>" for sentence in listed)
        return HtmlOutput(f"<ul>{items}</ul>", "\n".join(f"- {sentence}" for sentence in listed))

    def reviews(self, claims: pd.DataFrame) -> HtmlOutput:
        """Put the verdicts on claims into the page as ClaimReview; write them as JSON-LD and CSV.

        The claims are from `claim_verdicts`.
        """
        text = machine_readable.claims_json_ld(self.dataset, claims, page=f"{self.name}.html")
        if self._out:
            atomic_write(self._out / "claims.jsonld", text)
            write_csv(machine_readable.claims_frame(claims), self._out / "claims.csv")
        files = {
            "claims.csv": "claims.csv",
            "claims.jsonld": "claims.jsonld (schema.org ClaimReview)",
        }
        script = f'<script type="application/ld+json">\n{text}</script>\n'
        return HtmlOutput(
            script + _file_links("Machine-readable: ", files),
            f"{len(claims)} claims as ClaimReview",
        )

    def coverage(self, cells: pd.DataFrame) -> HtmlOutput:
        """Show the counts of `coverage_by_question` as a table; write them with names as CSV."""
        table = self.table(tabulate_coverage(cells))
        if not self._out or cells.empty:
            return table
        write_csv(machine_readable.coverage_frame(cells), self._out / "coverage.csv")
        links = _file_links("", {"coverage.csv": "coverage.csv, with the studies not read"})
        return HtmlOutput(table.html + links, table.text)

    def unknowns(self, entries: list[Unknown]) -> HtmlOutput:
        """Show unknowns as a table; write them as CSV and JSON, and their studies as BibTeX."""
        table = self.table(tabulate_unknowns(entries))
        if not self._out or not entries:
            return table
        write_csv(machine_readable.unknowns_frame(entries), self._out / "unknowns.csv")
        for name, text in (
            ("unknowns.json", machine_readable.unknowns_json(entries)),
            ("unknowns.bib", machine_readable.unknowns_bibtex(self.dataset, entries)),
        ):
            atomic_write(self._out / name, text)
        files = {
            "unknowns.csv": "unknowns.csv",
            "unknowns.json": "unknowns.json",
            "unknowns.bib": "unknowns.bib (studies)",
        }
        links = _file_links("Machine-readable: ", files)
        return HtmlOutput(table.html + links, table.text)

    def reading_list(self, wanted: list[WantedResult]) -> HtmlOutput:
        """Show wanted results as a table, and write them as CSV and JSON."""
        table = self.table(tabulate_reading_list(wanted))
        if not self._out or not wanted:
            return table
        write_csv(machine_readable.reading_list_frame(wanted), self._out / "reading-list.csv")
        atomic_write(self._out / "reading-list.json", machine_readable.reading_list_json(wanted))
        files = {name: name for name in ("reading-list.csv", "reading-list.json")}
        return HtmlOutput(table.html + _file_links("Machine-readable: ", files), table.text)

    def input_file(self, path: str | Path) -> Path:
        """Return the path of a file that this report reads, so that a change of it is noticed.

        The path is absolute or from the project's folder. Files beside the notebook need not be
        named.
        """
        if self.dataset.log is not None:
            self.dataset.log.record_file(self.dataset.project / path)
        return self.dataset.project / path

    def contents(self) -> HtmlOutput:
        """List the other notebooks of the project, each with its question and a link."""
        self.input_file("notebooks")
        pages = [
            describe_notebook(path.stem, json.loads(self.dataset.read_text(path)))
            for path in notebooks_of(self.dataset.project).values()
            if path.stem != self.name
        ]
        items = "".join(
            f'<li><a href="{escape(page.name)}.ipynb">{escape(page.title)}</a>: '
            f"{escape(page.question)}</li>"
            for page in pages
        )
        text = "\n".join(f"{page.name}: {page.title}. {page.question}" for page in pages)
        return HtmlOutput(f"<ul>{items}</ul>", text, {"lists_pages": True})

    def close(self) -> HtmlOutput:
        """Show sources and footnotes; write `values/NAME.json` and `reads/NAME.json`."""
        headings = Headings()
        html = sources_and_footnotes(
            self.dataset,
            self._store,
            self._titles,
            sources=[*self.results["study"], *self.results["source"]],
            headings=headings,
            unshown=self._unshown,
        )
        if self._out:
            content = {
                "figures": self._figures,
                "tables": self._tables,
                "texts": self._store.texts,
                "values": self._store.values,
            }
            path = self._out / "values" / f"{self.name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, format_json(content, sort_keys=True))
        if self._out and self.dataset.log is not None:
            self.dataset.log.write(self._out / "reads" / f"{self.name}.json")
        listed = [[heading.level, heading.id, heading.text] for heading in headings.entries]
        return HtmlOutput(html, headings.entries[0].text, {"headings": listed})


def _file_links(purpose: str, files: Mapping[str, str]) -> str:
    links = " · ".join(
        f'<a href="{escape(name)}">{escape(text)}</a>' for name, text in files.items()
    )
    return f'<p class="files">{purpose}{links}</p>'


def open_report(
    name: str,
    *,
    project: str = "",
    scope: str = "core",
    conditions: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    confidence: float = 0.95,
    out: str = "",
    **own: object,
) -> Report:
    """Load a project's data and open a report on the part of them that the parameters select.

    Parameters
    ----------
    name : str
        The name of the notebook, such as `01_studies`.
    project : str
        Folder with `references.bib` and `data/`; empty: see `find_project`.
    scope : {"core", "all"}
        Studies that the guide rests on, or later and wider ones as well.
    conditions, outcomes : sequence of str
        Words of the data to keep; empty: all.
    confidence : float
        Confidence level of all intervals, between 0 and 1.
    out : str
        Folder for figure files and values; empty: write nothing.
    own
        The notebook's own parameters; they are part of the record of each figure.

    Raises
    ------
    DatasetError
        With every problem of the tables.
    ParameterError
        With every parameter that is unknown, has the wrong type or a value that does not occur in
        the data.
    """
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ParameterError(f"name: {name!r} is not a notebook name such as '01_studies'")
    arguments = {
        "scope": scope,
        "conditions": conditions,
        "outcomes": outcomes,
        "confidence": confidence,
        "out": out,
    }
    dataset = load_dataset(project)
    valid: dict[str, Any] = validate_arguments(
        name, {"project": project, **arguments, **own}, dataset
    )
    return Report(
        name,
        dataset.logged() if out else dataset,
        **{key: valid[key] for key in arguments},
        own={key: valid[key] for key in own},
    )
