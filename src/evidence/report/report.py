"""What a notebook holds in its hand: one report being written, shown as it grows.

The notebook opens it with its parameters, hands it layouts, tables and sentences, and closes it.
With `out` it also leaves files behind: `figures/`, `tables/`, and `values/NAME.json`. Without, it
only shows.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from html import escape
from pathlib import Path

import pandas as pd

from evidence.analysis.gaps.unknowns import Unknown
from evidence.analysis.results import select_results
from evidence.dataset.citations import format_bibtex
from evidence.dataset.dataset import Dataset, load_dataset
from evidence.errors import ParameterError
from evidence.figures.layout import Layout
from evidence.notebook.locate import notebooks_of
from evidence.notebook.parameters import validate_arguments
from evidence.provenance.sentence import Sentence
from evidence.provenance.values import ValueStore
from evidence.report import machine_readable
from evidence.report.cite import studies_at
from evidence.report.figure_files import DisplayedFigure, title_sentence, write_figure
from evidence.report.figure_identity import FigureRecord, figure_record
from evidence.report.footnotes import (
    footnotes,
    references,
    sentence_html,
    sources_counted,
    sources_of,
)
from evidence.report.html_pages import describe_text
from evidence.report.machine_readable import write_csv, write_table
from evidence.tables.gaps import tabulate_unknowns
from evidence.tables.html_table import ReportTable

FORMS = ("text/html", "text/plain")


class HtmlOutput:
    """Something to display in a notebook that is HTML and has a plain-text twin."""

    def __init__(self, html: str, text: str):
        self._bundle = dict(zip(FORMS, (html, text), strict=True))

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self._bundle


class Report:
    """One report: its data and parameters (read-only), and the files it leaves if `out` is set.

    Attributes
    ----------
    dataset : Dataset
    results : DataFrame
        The rows of the report's scope, conditions and outcomes; see `select_results`.
    scope, conditions, outcomes, confidence
        The shared parameters, checked.
    parameters : dict
        These and the notebook's own: what makes the report again.
    """

    def __init__(
        self, name, dataset: Dataset, *, scope, conditions, outcomes, confidence, out, own=None
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
        self._ledger = ValueStore()
        self._figures: list[dict] = []
        self._tables: list[str] = []
        self._titles: dict[str, str] = {}

    @cached_property
    def everything(self) -> pd.DataFrame:
        """The results of all studies: what nobody measured can only be said of everything."""
        return select_results(self.dataset)

    @property
    def narrowed(self) -> bool:
        """Whether the parameters leave out any part of the data."""
        return bool(self.conditions or self.outcomes)

    def describe(self, layout: Layout, **own) -> FigureRecord:
        """The record of a chart of this report; `own` are further parameters that it hangs on."""
        parameters = self.parameters | own
        return figure_record(layout, self.dataset, report=self.name, parameters=parameters)

    def figure(self, layout: Layout, **own) -> DisplayedFigure:
        """Show a chart; write its files (see `write_figure`) and keep its numbers.

        `own` as of `describe`.
        """
        about = self.describe(layout, **own)
        self._ledger.add(title_sentence(layout))
        self._ledger.add(layout.caption)
        self._titles[layout.id] = f"Numbers of the figure: {layout.title}"
        svg = b""
        if not layout.empty:
            self._ledger.add_frame(layout.id, layout.frame, layout.methods)
            if self._out:
                paths = write_figure(layout, about, self.dataset, self._out / "figures")
                svg = paths[0].read_bytes()
        self._figures.append(
            {
                "id": layout.id,
                "version": about.version,
                "title": layout.title,
                "alt": layout.alt,
                "caption": str(layout.caption),
                "empty": layout.empty,
            }
        )
        return DisplayedFigure(layout, about, svg)

    def figures(self, layouts: Iterable[Layout]) -> HtmlOutput:
        """Show several charts, each as `figure` does."""
        shown = [self.figure(layout)._repr_mimebundle_() for layout in layouts]
        if not shown:
            text = "Nothing to draw among these results."
            return HtmlOutput(f'<p class="empty">{text}</p>', text)
        return HtmlOutput(*("\n".join(one[form] for one in shown) for form in FORMS))

    def table(self, table: ReportTable) -> HtmlOutput:
        """Show a table and keep its numbers; write it as JSON and CSV for `out`."""
        if table.frame.empty:
            text = f"{table.caption}: nothing here."
            return HtmlOutput(f'<p class="empty">{escape(text)}</p>', text)
        self._titles[table.id] = f"Numbers of the table: {table.caption}"
        self._ledger.add_frame(table.id, table.numbers, table.methods)
        self._tables.append(table.id)
        # A page has its own way to sort; only shown, the table brings one along.
        html = table.to_html() if self._out else table._repr_html_()
        if self._out:
            addresses = [row for cell in table.numbers["address"] for row in str(cell).split()]
            write_table(table, studies_at(self.dataset, addresses), self._out / "tables")
            html += (
                f'<p class="files"><a href="tables/{escape(table.id)}.csv">this table (CSV)</a></p>'
            )
        return HtmlOutput(html, table.frame.to_string(index=False))

    def text(self, sentences: Sentence | Iterable[Sentence]) -> HtmlOutput:
        """Show computed sentences, several as a list, and keep their numbers."""
        one = isinstance(sentences, Sentence)
        said = [sentences] if one else list(sentences)
        for sentence in said:
            self._ledger.add(sentence)
        if not said:
            return HtmlOutput(
                '<p class="empty">Nothing to say about these results.</p>', "Nothing."
            )
        if one:
            return HtmlOutput(f"<p>{sentence_html(said[0])}</p>", str(said[0]))
        items = "".join(f"<li>{sentence_html(sentence)}</li>" for sentence in said)
        return HtmlOutput(f"<ul>{items}</ul>", "\n".join(f"- {sentence}" for sentence in said))

    def reviews(self, claims: pd.DataFrame) -> HtmlOutput:
        """Put the claims of `audit` into the page as ClaimReview; write them as JSON-LD and CSV."""
        text = machine_readable.claims_json_ld(self.dataset, claims, page=f"{self.name}.html")
        if self._out:
            (self._out / "claims.jsonld").write_text(text + "\n", encoding="utf-8")
            write_csv(machine_readable.claims_frame(claims), self._out / "claims.csv")
        html = (
            f'<script type="application/ld+json">\n{text}\n</script>\n'
            '<p class="files">For machines: <a href="claims.csv">claims.csv</a> · '
            '<a href="claims.jsonld">claims.jsonld</a> (schema.org ClaimReview)</p>'
        )
        return HtmlOutput(html, f"{len(claims)} claims as ClaimReview")

    def unknowns(self, entries: list[Unknown]) -> HtmlOutput:
        """Show a register of unknowns as a table; write it as CSV, JSON and BibTeX for `out`."""
        shown = self.table(tabulate_unknowns(entries))
        if not self._out or not entries:
            return shown
        keys = [key for entry in entries for key in entry.evidence["study"]]
        write_csv(machine_readable.unknowns_frame(entries), self._out / "unknowns.csv")
        for name, text in (
            ("unknowns.json", machine_readable.unknowns_json(entries)),
            ("unknowns.bib", format_bibtex(self.dataset.bibliography.select(keys))),
        ):
            (self._out / name).write_text(text, encoding="utf-8")
        links = (
            '<p class="files">For machines: <a href="unknowns.csv">unknowns.csv</a> · '
            '<a href="unknowns.json">unknowns.json</a> · '
            '<a href="unknowns.bib">unknowns.bib</a> (the studies that bear on them)</p>'
        )
        bundle = shown._repr_mimebundle_()
        return HtmlOutput(bundle["text/html"] + links, bundle["text/plain"])

    def input_file(self, path: str | Path) -> Path:
        """Return the path of a file that this report reads, so that a change of it is noticed.

        Parameters
        ----------
        path : path
            Relative to the project's folder, or absolute. Files beside the notebook need not be
            named.
        """
        if self.dataset.log is not None:
            self.dataset.log.record_file(self.dataset.project / path)
        return self.dataset.project / path

    def contents(self) -> HtmlOutput:
        """Links to the other notebooks of the project, each with its question."""
        found = []
        self.input_file("notebooks")
        for path in notebooks_of(self.dataset.project).values():
            cells = json.loads(self.dataset.read_text(path))["cells"]
            text = next((cell["source"] for cell in cells if cell["cell_type"] == "markdown"), "")
            if path.stem != self.name:
                found.append(describe_text(path.stem, "".join(text)))
        items = "".join(
            f'<li><a href="{escape(page.name)}.ipynb">{escape(page.title)}</a>: '
            f"{escape(page.question)}</li>"
            for page in found
        )
        plain = "\n".join(f"{page.name}: {page.title}. {page.question}" for page in found)
        return HtmlOutput(f"<ul>{items}</ul>", plain)

    def close(self) -> HtmlOutput:
        """Show footnotes and sources; for `out` write `values/NAME.json` and `reads/NAME.json`."""
        cited = [*self.results["study"], *self.results["source"]]
        cited += sources_of(self.dataset, self._ledger.values)
        self._ledger.add(sources_counted(self.dataset, cited))
        if self._out:
            content = {
                "figures": self._figures,
                "tables": self._tables,
                "texts": self._ledger.texts,
                "values": self._ledger.values,
            }
            self._write("values", content)
        html = references(self.dataset, cited) + footnotes(
            self.dataset, self._ledger.values, self._titles
        )
        if self._out and self.dataset.log is not None:
            self.dataset.log.write(self._out / "reads" / f"{self.name}.json")
        return HtmlOutput(html, str(sources_counted(self.dataset, cited)))

    def _write(self, kind: str, content: dict) -> None:
        path = self._out / kind / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
        path.write_text(text + "\n", encoding="utf-8")


def open_report(
    name: str,
    *,
    project: str = "",
    scope: str = "guide",
    conditions: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    confidence: float = 0.95,
    out: str = "",
    **own,
) -> Report:
    """Read and check a project's tables and open a report on the part of them asked for.

    Parameters
    ----------
    name : str
        The notebook's name; its values are written as `values/NAME.json`.
    project : str
        Folder with `references.bib` and `data/`; empty finds it (see `find_project`).
    scope : {"guide", "all"}
        Studies that the guide rests on, or later and contextual ones as well.
    conditions, outcomes : sequence of str
        Words of the data; none means all.
    confidence : float
        Coverage of all intervals, between 0 and 1.
    out : str
        Folder for figure files and values; empty writes nothing.
    own
        The notebook's own parameters; each figure keeps them for the command that makes it again.

    Raises
    ------
    DatasetError
        With every problem of the tables.
    ParameterError
        Every parameter that is wrong by the rule of `publishing.parameters`: of another type,
        outside its vocabulary, or put into the notebook by papermill and not declared there.
    """
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ParameterError(f"name: {name!r} is no name of a notebook, such as '01_studies'")
    shared = {
        "scope": scope,
        "conditions": conditions,
        "outcomes": outcomes,
        "confidence": confidence,
    }
    folders = {"project": project, "out": out}
    dataset = load_dataset(project)
    taken = validate_arguments(name, folders | shared | own, dataset)
    return Report(
        name,
        dataset.logged() if out else dataset,
        **{word: taken[word] for word in (*shared, "out")},
        own={word: taken[word] for word in own},
    )
