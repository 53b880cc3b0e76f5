"""The explorer in JupyterLab: choose what to look at; chart and command follow.

The browser draws the chart from the numbers of the layout, because matplotlib takes longer than a
person wants to wait after each choice; it draws the files that are saved. On a page, which has no
kernel, the explorer is a figure and a table like any other.
"""

import json
from dataclasses import fields, replace
from functools import cached_property
from html import escape
from importlib.resources import files
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from evidence.analysis.pooling.answerable_queries import (
    PossibleEffect,
    find_alternatives,
    possible_effects,
    studies_by_choice,
)
from evidence.analysis.pooling.explorer_query import (
    ExplorerQuery,
    fill_defaults,
    query_choices,
    require_query,
)
from evidence.analysis.pooling.question import MEASURE_LABELS, measure_label
from evidence.analysis.results import SCOPES, select_results
from evidence.dataset.notebook_display import SORT_SCRIPT
from evidence.figures import style
from evidence.figures.forest_plot import ForestLayout, lay_out_explorer_forest, place_on_axis
from evidence.provenance.sentence import capitalise
from evidence.report.figure_files import FORMATS, DisplayedFigure, render_figure
from evidence.report.figure_identity import FigureRecord
from evidence.report.html_pages import METADATA
from evidence.report.report import Report, open_report
from evidence.report.trace import trace_figure_marks
from evidence.tables.checks import tabulate_query
from evidence.tables.sort_keys import printed_number

NOTEBOOK = "00_start"
PARAMETER_FILE = "view.yml"
COMMAND = f"papermill notebooks/{NOTEBOOK}.ipynb view.ipynb -f {PARAMETER_FILE} -p out view"
REPRODUCE_HEADING = "Reproduce this chart"
ALTERNATIVES_HEADING = "Available instead:"
FIELDS = tuple(field.name for field in fields(ExplorerQuery))
TEMPLATES = files("evidence.report") / "templates"


class Explorer(anywidget.AnyWidget):
    """A chart of the studies that answer a query, redrawn when the query changes.

    Attributes
    ----------
    condition, treatment, outcome, measure, comparator, scope : str
        The query; `choices` has the allowed values of each field, and `studies` for each field and
        value the number of studies if nothing else is changed.
    time_days : float
        Days after treatment; the nearest result of each study is used.
    chart : dict
        What the browser draws; empty if no study answers, and then `empty` says so and
        `alternatives` has changes of the query that would help.
    selected_mark : str
        The name of a line of the chart; `trace` then says which rows it comes from.
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
    charted = traitlets.Dict().tag(sync=True)
    studies = traitlets.Dict().tag(sync=True)
    measure_labels = traitlets.Dict().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    alternatives: "traitlets.List[dict]" = traitlets.List().tag(sync=True)
    alternatives_heading = traitlets.Unicode(ALTERNATIVES_HEADING).tag(sync=True)
    chart = traitlets.Dict().tag(sync=True)
    parameters = traitlets.Unicode().tag(sync=True)
    command = traitlets.Unicode().tag(sync=True)
    selected_mark = traitlets.Unicode().tag(sync=True)
    trace = traitlets.Dict().tag(sync=True)

    def __init__(self, report: Report, query: ExplorerQuery):
        self._report = report
        self._choices = query_choices(report.dataset)
        query = fill_defaults(report.dataset, report.results, query)
        charted: dict[str, set[str]] = {}
        for effect in self._effects:
            for field, words in effect.words.items():
                charted.setdefault(field, set()).update(words)
        super().__init__(
            choices=self._choices,
            charted={field: sorted(words) for field, words in charted.items()},
            measure_labels=dict(MEASURE_LABELS),
            command=COMMAND,
            **vars(query),
        )
        self._show("outcome")
        # Only the first chart and table belong to the report.
        report.figure(self._layout, **vars(self.query))
        report.table(tabulate_query(self._layout))
        self.observe(self._redraw, FIELDS)
        self.observe(self._select, "selected_mark")
        self.on_msg(self._save)

    @property
    def query(self) -> ExplorerQuery:
        """The query that chart and table answer."""
        return ExplorerQuery(**{name: getattr(self, name) for name in FIELDS})

    @traitlets.validate(*FIELDS)
    def _require(self, proposal: traitlets.Bunch) -> object:
        changed = replace(self.query, **{proposal["trait"].name: proposal["value"]})
        require_query(self._choices, changed)
        return proposal["value"]

    @cached_property
    def _effects(self) -> list[PossibleEffect]:
        return possible_effects(self._results["all"])

    @cached_property
    def _results(self) -> dict[str, pd.DataFrame]:
        report = self._report
        return {
            scope: select_results(
                report.dataset, scope=scope, conditions=report.conditions, outcomes=report.outcomes
            )
            for scope in SCOPES
        }

    def _redraw(self, change: traitlets.Bunch) -> None:
        # A change of several fields at once is announced for each of them.
        if self.query != self._shown:
            self._show(change["name"])

    def _show(self, changed: str) -> None:
        self._shown = query = self.query
        self._layout = layout = lay_out_explorer_forest(
            self._report.dataset,
            self._results[self.scope],
            query,
            confidence=self._report.confidence,
        )
        alternatives = find_alternatives(self._effects, query, changed) if layout.empty else []
        content = {
            "title": layout.title,
            "caption": str(layout.caption),
            "empty": layout.empty,
            "alternatives": [
                {"text": str(entry), "changes": entry.changes} for entry in alternatives
            ],
            "studies": studies_by_choice(self._effects, query),
            "chart": {} if layout.empty else _chart(layout),
            "parameters": self._parameters(),
            "selected_mark": "",
            "trace": {},
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
        layout = self._layout
        frame = layout.frame[layout.frame["name"] == self.selected_mark]
        if frame.empty:
            self.trace = {}
            return
        estimate = replace(layout, frame=frame[["name", "address", "estimate"]])
        (trace,) = trace_figure_marks(self._report.dataset, self._report.name, estimate).values()
        self.trace = trace.as_data(self._report.dataset) | {
            "sentence": layout.reading[frame.index[0]],
            "computed_by": trace.computed_by.removeprefix("estimate: "),
        }

    def figure_file(self, file_format: str) -> tuple[str, bytes]:
        """Return name and content of a file of the chart, the bytes that `command` writes.

        The format is "svg", "pdf" or "png".
        """
        record = self._record()
        files = render_figure(self._layout, record, [file_format])
        return f"{record.name}.{file_format}", files[file_format]

    def _record(self) -> FigureRecord:
        return self._report.describe_figure(self._layout, **vars(self.query))

    def _save(self, widget: object, content: dict, buffers: list) -> None:
        if content.get("save") in FORMATS and not self.empty:
            name, file = self.figure_file(content["save"])
            self.send({"name": name}, [file])

    def to_html(self) -> str:
        """Return chart, table and command as HTML that needs no kernel."""
        record = self._record()
        table = "" if self.empty else tabulate_query(self._layout).to_html()
        items = "".join(f"<li>{escape(entry['text'])}</li>" for entry in self.alternatives)
        return (
            f"{DisplayedFigure(self._layout, record).to_html()}\n{table}\n"
            + (f"<p>{ALTERNATIVES_HEADING}</p>\n<ul>{items}</ul>\n" if items else "")
            + f'<h3 id="reproduce">{REPRODUCE_HEADING}</h3>\n'
            f"<p>Save this as <code>{PARAMETER_FILE}</code> in the folder of the project to "
            f"reproduce {escape(record.name)}:</p>\n<pre>{escape(self.parameters)}</pre>\n"
            f"<pre>{escape(self.command)}</pre>"
        )

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        content: dict[str, object] = {"headings": [[3, "reproduce", REPRODUCE_HEADING]]}
        if not self.empty:
            content["figure"] = self._layout.id
        text = f"{self.title}. {self.empty or self._layout.alt}"
        data = data | {"text/html": self.to_html(), "text/plain": text}
        return data, metadata | {METADATA: content}


def _chart(layout: ForestLayout) -> dict:
    """Return what the browser needs to draw a layout: texts, and positions from 0 to 1."""
    lines, ticks, no_effect = place_on_axis(layout)
    texts = ["name", "kind", "prediction", "heterogeneity", *layout.columns]
    rows = layout.frame.to_dict("records")
    levels = {row["risk"] for row in rows if row["kind"] == "study"}
    has_sides = layout.better and no_effect is not None
    sides = ("treatment", "comparator")[:: layout.better] if has_sides else ()
    return {
        "alt": layout.alt,
        "axis": capitalise(measure_label(layout.measure, layout.outcome)),
        "columns": dict(layout.columns),
        "lines": [
            {name: row[name] for name in texts}
            | {"label": row["label"] if row["kind"] == "study" else capitalise(row["label"])}
            | {"at": at, "risk": row["risk"] if row["kind"] == "study" else None}
            | {"weight": row["weight"] if np.isfinite(row["weight"]) else None}
            | {"keys": {column: printed_number(row[column]) for column in layout.columns}}
            for row, at in zip(rows, lines, strict=True)
        ],
        "ticks": list(ticks.items()),
        "no_effect": no_effect,
        "favours": [f"favours {side}" for side in sides],
        # In the order of the key; there is none where no study is judged.
        "risk": {level: look for level, look in style.RISK.items() if level in levels}
        if any(levels)
        else {},
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
