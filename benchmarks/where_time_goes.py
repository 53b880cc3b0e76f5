"""Where the time of the shipped notebooks goes: computing, figures, the rest of a report."""

import ast
import json
import tempfile
import time
from pathlib import Path

from evidence.notebook.locate import own_notebooks
from evidence.report import figure_files, report


class Watch:
    """Adds up the time that some functions take, that of one inside another once."""

    def __init__(self):
        self.seconds = 0.0
        self._inside = False

    def over(self, function):
        """The same function, with its time counted."""

        def timed(*arguments, **named):
            if self._inside:
                return function(*arguments, **named)
            self._inside, start = True, time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self._inside = False
                self.seconds += time.process_time() - start

        return timed


def where_time_goes(project: Path) -> dict[str, float]:
    """Shares of the processor's time that the cells of all notebooks take, by what for.

    The cells run here, one after the other, so that figures can be timed apart.
    """
    figures, footnotes, tables = Watch(), Watch(), Watch()
    report.write_figure = figures.over(report.write_figure)
    figure_files.DisplayedFigure.to_html = figures.over(figure_files.DisplayedFigure.to_html)
    report.footnotes = footnotes.over(report.footnotes)
    report.open_report = tables.over(report.open_report)
    start = time.process_time()
    for path in own_notebooks().values():
        with tempfile.TemporaryDirectory() as out:
            _run(path, {"project": str(project), "out": out})
    whole = time.process_time() - start
    parts = {
        "figures and their files": figures.seconds,
        "reading the tables": tables.seconds,
        "footnotes": footnotes.seconds,
    }
    computing = whole - sum(parts.values())
    return {name: taken / whole for name, taken in ({"computing": computing} | parts).items()}


def _run(path: Path, parameters: dict[str, str]) -> None:
    names: dict = {}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        shown = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, path.name, "exec"), names)
        if shown is not None:
            value = eval(compile(ast.Expression(shown.value), path.name, "eval"), names)
            if hasattr(value, "_repr_mimebundle_"):
                value._repr_mimebundle_()
        if "parameters" in cell["metadata"].get("tags", []):
            names |= parameters
