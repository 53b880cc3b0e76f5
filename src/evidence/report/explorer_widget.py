"""The explorer in JupyterLab: choose what to look at; chart, table and command follow.

On a page, which has no kernel, the explorer is a figure and a table like any other.
"""

import json
from dataclasses import fields, replace
from html import escape
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from evidence.analysis.pooling.explorer_query import (
    ExplorerQuery,
    fill_defaults,
    query_choices,
    require_query,
)
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.results import select_results
from evidence.dataset.notebook_display import SORT_SCRIPT
from evidence.figures.forest_plot import lay_out_explorer_forest
from evidence.figures.layout import Layout
from evidence.report.figure_files import DisplayedFigure
from evidence.report.html_pages import METADATA
from evidence.report.report import Report, open_report
from evidence.report.trace import trace_figure_marks
from evidence.tables.checks import tabulate_query

NOTEBOOK = "00_start"
PARAMETER_FILE = "view.yml"
COMMAND = f"papermill notebooks/{NOTEBOOK}.ipynb view.ipynb -f {PARAMETER_FILE} -p out view"
REPRODUCE_HEADING = "Reproduce this chart"
FIELDS = tuple(field.name for field in fields(ExplorerQuery))
TEMPLATES = files("evidence.report") / "templates"


class Explorer(anywidget.AnyWidget):
    """A chart and table of the studies that answer a query, redrawn when the query changes.

    Attributes
    ----------
    condition, treatment, outcome, measure, comparator, scope : str
        The query; `choices` has the allowed values of each field.
    time_days : float
        Days after treatment; the nearest result of each study is used.
    svg : str
        The chart, byte for byte as `command` writes it; empty if there is nothing to draw.
    selected_mark : str
        The name of a mark of the chart; `trace` is then what `evidence why` prints for it.
    parameters, command : str
        The content of a parameter file, and the command that reproduces the chart with it.

    Raises
    ------
    ParameterError
        If a field is set to a value that does not occur in the data.
    """

    _esm = SORT_SCRIPT + (TEMPLATES / "explorer.js").read_text("utf-8")
    _css = (TEMPLATES / "explorer.css").read_text("utf-8")

    condition = traitlets.Unicode().tag(sync=True)
    treatment = traitlets.Unicode().tag(sync=True)
    outcome = traitlets.Unicode().tag(sync=True)
    measure = traitlets.Unicode().tag(sync=True)
    comparator = traitlets.Unicode().tag(sync=True)
    scope = traitlets.Unicode().tag(sync=True)
    time_days = traitlets.Float().tag(sync=True)

    choices = traitlets.Dict().tag(sync=True)
    measure_labels = traitlets.Dict().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    svg = traitlets.Unicode().tag(sync=True)
    marks: "traitlets.List[dict]" = traitlets.List().tag(sync=True)
    table = traitlets.Unicode().tag(sync=True)
    parameters = traitlets.Unicode().tag(sync=True)
    command = traitlets.Unicode().tag(sync=True)
    selected_mark = traitlets.Unicode().tag(sync=True)
    trace = traitlets.Unicode().tag(sync=True)

    def __init__(self, report: Report, query: ExplorerQuery):
        self._report = report
        self._choices = query_choices(report.dataset)
        query = fill_defaults(report.dataset, report.results, query)
        super().__init__(choices=self._choices, measure_labels=dict(MEASURE_LABELS), **vars(query))
        layout = self._layout()
        # Only the first chart and table belong to the report.
        self._figure = report.figure(layout, **vars(self.query))
        report.table(tabulate_query(layout))
        self._show(layout)
        self.observe(self._redraw, FIELDS)
        self.observe(self._select, "selected_mark")

    @property
    def query(self) -> ExplorerQuery:
        """The query that chart and table answer."""
        return ExplorerQuery(**{name: getattr(self, name) for name in FIELDS})

    @traitlets.validate(*FIELDS)
    def _require(self, proposal: traitlets.Bunch) -> object:
        changed = replace(self.query, **{proposal["trait"].name: proposal["value"]})
        require_query(self._choices, changed)
        return proposal["value"]

    def _layout(self) -> Layout:
        report = self._report
        results = select_results(
            report.dataset,
            scope=self.scope,
            conditions=report.conditions,
            outcomes=report.outcomes,
        )
        return lay_out_explorer_forest(
            report.dataset, results, self.query, confidence=report.confidence
        )

    def _redraw(self, change: traitlets.Bunch) -> None:
        layout = self._layout()
        record = self._report.describe_figure(layout, **vars(self.query))
        self._figure = DisplayedFigure(layout, record)
        self._show(layout)

    def _show(self, layout: Layout) -> None:
        report = self._report
        self._traces = trace_figure_marks(report.dataset, report.name, layout)
        content = {
            "name": self._figure.record.name,
            "title": layout.title,
            "caption": str(layout.caption),
            "empty": layout.empty,
            "svg": "" if layout.empty else self._figure.svg.decode(),
            "marks": layout.frame[["name", "label"]].to_dict("records"),
            "table": "" if layout.empty else tabulate_query(layout).to_html(),
            "parameters": self._parameters(),
            "command": COMMAND,
            "selected_mark": "",
            "trace": "",
        }
        with self.hold_sync():
            for name, value in content.items():
                setattr(self, name, value)

    def _parameters(self) -> str:
        """Return all parameters of the chart as YAML; every value is written as JSON."""
        report = self._report
        values = {
            "conditions": list(report.conditions),
            "outcomes": list(report.outcomes),
            "confidence": report.confidence,
            **vars(self.query),
        }
        lines = [
            f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()
        ]
        return "\n".join(lines) + "\n"

    def _select(self, change: traitlets.Bunch) -> None:
        trace = self._traces.get(self.selected_mark)
        self.trace = trace.as_text(self._report.dataset) if trace else ""

    def to_html(self) -> str:
        """Return chart, table and command as HTML that needs no kernel."""
        return (
            f"{self._figure.to_html()}\n{self.table}\n"
            f'<h3 id="reproduce">{REPRODUCE_HEADING}</h3>\n'
            f"<p>Save this as <code>{PARAMETER_FILE}</code> in the folder of the project to "
            f"reproduce {escape(self.name)}:</p>\n<pre>{escape(self.parameters)}</pre>\n"
            f"<pre>{escape(self.command)}</pre>"
        )

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        content: dict[str, object] = {"headings": [[3, "reproduce", REPRODUCE_HEADING]]}
        if not self.empty:
            content["figure"] = self._figure.layout.id
        text = f"{self.title}. {self.empty or self._figure.layout.alt}"
        data = data | {"text/html": self.to_html(), "text/plain": text}
        return data, metadata | {METADATA: content}


def explore(
    report: Report | None = None,
    *,
    outcome: str = "",
    measure: str = "proportion",
    condition: str = "",
    treatment: str = "",
    comparator: str = "",
    time_days: float = 0.0,
) -> Explorer:
    """Explore the studies by outcome, measure, condition, treatment and comparator.

    Parameters
    ----------
    report : Report, optional
        From `open_report`: its parameters are the query to start with, and its selection limits the
        studies. Without one, all studies are used.
    outcome, condition, treatment, comparator : str
        Words of the tables. "any" combines all; empty takes the one that most studies have, and
        any comparator.
    measure : {"rr", "or", "rd", "smd", "md", "hr", "irr", "generic", "proportion"}
    time_days : float
        Days after treatment; 0 takes the default of the outcome.

    Raises
    ------
    ParameterError
        If a word does not occur in the tables. A query that no study answers is not an error.
    """
    query: dict[str, Any] = {
        "condition": condition,
        "treatment": treatment,
        "outcome": outcome,
        "measure": measure,
        "comparator": comparator,
        "time_days": time_days,
    }
    report = report or open_report(NOTEBOOK, scope="all", **query)
    parameters: dict[str, Any] = {
        name: report.parameters.get(name, value) for name, value in query.items()
    }
    return Explorer(report, ExplorerQuery(scope=report.scope, **parameters))
