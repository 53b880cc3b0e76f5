"""The studies as one chooses to look at them, in JupyterLab; on a page without a kernel, as shown.

Vocabulary
----------
A *view* as in `synthesis.views`. Whatever is on show can be had again: `parameters` is the content
of a file for papermill, `command` the one command that makes the same figure from it.
"""

import json
from dataclasses import replace
from html import escape
from importlib.resources import files

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
from evidence.figures.forest_plot import lay_out_explorer_forest
from evidence.figures.layout import Layout
from evidence.report.figure_files import DisplayedFigure
from evidence.report.html_pages import METADATA
from evidence.report.report import Report, open_report
from evidence.report.trace import trace_figure_marks
from evidence.tables.checks import tabulate_query

NOTEBOOK = "00_start"
FILE = "view.yml"
REPRODUCE = "Reproduce this view"
SORTS = ("condition", "treatment", "outcome", "measure", "comparator", "scope", "time_days")
_MEANINGS = {"proportion": "share of people"} | MEASURE_LABELS
_TEMPLATES = files("evidence.report") / "templates"


class Explorer(anywidget.AnyWidget):
    """One view on display, redrawn when any of its words changes.

    Attributes
    ----------
    condition, treatment, outcome, measure, comparator, scope : str
        The words chosen, of those in `words`; see `View`.
    time_days : float
        Time wanted, in days after treatment; of each study the nearest is taken.
    svg : str
        The chart, byte for byte as `command` writes it; empty if there is nothing to draw.
    picked : str
        The name of a mark of the chart; `why` is then its chain, as `evidence why` tells it.
    parameters, command : str
        How to have the same again.

    Raises
    ------
    ParameterError
        When a word is set that no table has, or a time that is none.
    """

    _esm = (_TEMPLATES / "explorer.js").read_text("utf-8")
    _css = (_TEMPLATES / "explorer.css").read_text("utf-8")

    condition = traitlets.Unicode().tag(sync=True)
    treatment = traitlets.Unicode().tag(sync=True)
    outcome = traitlets.Unicode().tag(sync=True)
    measure = traitlets.Unicode().tag(sync=True)
    comparator = traitlets.Unicode().tag(sync=True)
    scope = traitlets.Unicode().tag(sync=True)
    time_days = traitlets.Float().tag(sync=True)

    words = traitlets.Dict().tag(sync=True)
    meanings = traitlets.Dict().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    svg = traitlets.Unicode().tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    table = traitlets.Unicode().tag(sync=True)
    parameters = traitlets.Unicode().tag(sync=True)
    command = traitlets.Unicode().tag(sync=True)
    picked = traitlets.Unicode().tag(sync=True)
    why = traitlets.Unicode().tag(sync=True)

    def __init__(self, report: Report, view: ExplorerQuery):
        self._report = report
        self._words = query_choices(report.dataset)
        view = fill_defaults(report.dataset, report.results, view)
        super().__init__(words=self._words, meanings=_MEANINGS, **vars(view))
        self._show(first=True)
        self.observe(lambda change: self._show(), SORTS)
        self.observe(lambda change: self._tell(), "picked")

    @property
    def view(self) -> ExplorerQuery:
        """The view on show."""
        return ExplorerQuery(**{sort: getattr(self, sort) for sort in SORTS})

    @traitlets.validate(*SORTS)
    def _require(self, proposal):
        changed = replace(self.view, **{proposal["trait"].name: proposal["value"]})
        require_query(self._words, changed)
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
            report.dataset, results, self.view, confidence=report.confidence
        )

    def _show(self, *, first: bool = False) -> None:
        """Draw the view; the first one is a figure and a table of the report as well."""
        layout = self._layout()
        table = tabulate_query(layout)
        if first:
            self._shown = self._report.figure(layout, **vars(self.view))
            self._report.table(table)
        else:
            self._shown = DisplayedFigure(
                layout, self._report.describe_figure(layout, **vars(self.view))
            )
        self._chains = trace_figure_marks(self._report.dataset, self._report.name, layout)
        drawn = {
            "name": self._shown.record.name,
            "title": layout.title,
            "caption": str(layout.caption),
            "empty": layout.empty,
            "svg": "" if layout.empty else self._shown.svg.decode(),
            "marks": layout.frame[["name", "label"]].to_dict("records"),
            "table": "" if layout.empty else table.to_html(),
            "parameters": self._parameters(),
            "command": f"papermill notebooks/{NOTEBOOK}.ipynb view.ipynb -f {FILE} -p out view",
            "picked": "",
            "why": "",
        }
        with self.hold_sync():
            for name, value in drawn.items():
                setattr(self, name, value)

    def _parameters(self) -> str:
        """Every parameter of the view as YAML, of which JSON is a part."""
        report = self._report
        given = {
            "conditions": list(report.conditions),
            "outcomes": list(report.outcomes),
            "confidence": report.confidence,
            **vars(self.view),
        }
        lines = [
            f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in given.items()
        ]
        return "\n".join(lines) + "\n"

    def _tell(self) -> None:
        chain = self._chains.get(self.picked)
        self.why = chain.as_text(self._report.dataset) if chain else ""

    def to_html(self) -> str:
        """The view as it stands, without anything that needs a kernel."""
        return (
            f"{self._shown.to_html()}\n{self.table}\n<h3 id='reproduce'>{REPRODUCE}</h3>\n"
            f"<p>{escape(self.name)} again, with <code>{FILE}</code> in the folder of the "
            f"project:</p>\n<pre>{escape(self.parameters)}</pre>\n"
            f"<pre>{escape(self.command)}</pre>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = super()._repr_mimebundle_()
        content: dict[str, object] = {"headings": [[3, "reproduce", REPRODUCE]]}
        if not self.empty:
            content["figure"] = self._shown.layout.id
        text = f"{self.title}. {self.empty or self._shown.layout.alt}"
        return data | {"text/html": self.to_html(), "text/plain": text}, metadata | {
            METADATA: content
        }


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
    """Look at the studies by outcome, measure, condition, treatment and comparator, in JupyterLab.

    Parameters
    ----------
    report : Report, optional
        From `open_report`, whose own parameters are the words to start from; what it leaves out,
        the view leaves out. Without one, all studies.
    outcome, condition, treatment, comparator : str
        Words of the tables; "any" takes all of a sort together, empty the one that most studies
        have, but of comparators any.
    measure : {"rr", "or", "rd", "smd", "md", "proportion"}
    time_days : float
        Time wanted, in days after treatment; 0 takes the usual one of the outcome.

    Raises
    ------
    ParameterError
        A word that no table has; choices that no study has are said so instead.
    """
    words = {
        "condition": condition,
        "treatment": treatment,
        "outcome": outcome,
        "measure": measure,
        "comparator": comparator,
        "time_days": time_days,
    }
    report = report or open_report(NOTEBOOK, scope="all", **words)
    given = {name: report.parameters.get(name, word) for name, word in words.items()}
    return Explorer(report, ExplorerQuery(scope=report.scope, **given))
