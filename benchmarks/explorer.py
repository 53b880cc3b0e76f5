"""Time the explorer in JupyterLab in a browser: from a choice to the redrawn chart on the screen.

Beside it stands the round trip of a widget that computes nothing: what JupyterLab itself takes.
"""

import shutil
import tempfile
from pathlib import Path
from statistics import median, quantiles

from benchmarks.jupyterlab import open_lab, run_notebook, serve_lab
from benchmarks.publishing import publish
from benchmarks.speed import copy_shipped, machine, require, times, write_notebook

EMPTY_WIDGET = """
import anywidget, traitlets

class Echo(anywidget.AnyWidget):
    _esm = '''export default { render({ model, el }) {
        el.classList.add("echo");
        el.ask = () => { model.set("asked", model.get("asked") + 1); model.save_changes(); };
        model.on("change:answered", () => el.textContent = model.get("answered"));
    } }'''
    asked = traitlets.Int().tag(sync=True)
    answered = traitlets.Int().tag(sync=True)

    @traitlets.observe("asked")
    def _answer(self, change):
        self.answered = self.asked

Echo()
"""
CELLS = ["import evidence", EMPTY_WIDGET, "evidence.explore()"]
MEASURES = ("proportion", "rr", "smd")
ROUND_TRIPS = 100
# The parameters below the chart are written together with it. After that, one frame is painted.
PAINTED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
ASK = f"""async () => {{
    const painted = {PAINTED};
    const element = document.querySelector(".echo");
    const start = performance.now();
    await new Promise(done => {{
        new MutationObserver((_, observer) => (observer.disconnect(), done()))
            .observe(element, {{ childList: true }});
        element.ask();
    }});
    await painted();
    return performance.now() - start;
}}"""
CHOOSE = f"""async ([field, word]) => {{
    const painted = {PAINTED};
    const explorer = document.querySelector(".evidence-explorer");
    const parameters = explorer.querySelector(".parameters");
    const select = explorer.querySelector(`select[name=${{field}}]`);
    if (select.value === word) return null;
    const expected = `${{field}}: ${{JSON.stringify(word)}}`;
    select.value = word;
    const start = performance.now();
    await new Promise(done => {{
        new MutationObserver((_, observer) => {{
            if (!parameters.textContent.includes(expected)) return;
            observer.disconnect();
            done();
        }}).observe(parameters, {{ childList: true }});
        select.dispatchEvent(new Event("change", {{ bubbles: true }}));
    }});
    await painted();
    return explorer.querySelector(".mark") ? performance.now() - start : null;
}}"""
OPTIONS = """() => Object.fromEntries(
    [...document.querySelectorAll(".evidence-explorer select")].map(select =>
        [select.name, [...select.options].filter(o => !o.disabled).map(o => o.value)]))"""


def measure_explorer(folder: Path, chromium: str) -> tuple[list[float], list[float]]:
    """Return milliseconds of empty round trips, and of choices that changed the chart.

    For each of several measures every word of every field is chosen, one after the other, and what
    was chosen before is chosen again.
    """
    project = copy_shipped(folder / "project")
    write_notebook(project / "notebooks" / "explorer.ipynb", CELLS)
    home = folder / "home"
    with serve_lab(project, home) as address, open_lab(address, chromium) as page:
        run_notebook(page, "notebooks/explorer.ipynb")
        page.locator(".evidence-explorer .parameters").wait_for()
        empty = [page.evaluate(ASK) for _ in range(ROUND_TRIPS)]
        options = page.evaluate(OPTIONS)
        choices = []
        for measure in MEASURES:
            page.evaluate(CHOOSE, ["measure", measure])
            for field in ("outcome", "condition", "treatment", "comparator", "scope"):
                before = page.locator(f"select[name={field}]").input_value()
                for word in options[field]:
                    choices.append(page.evaluate(CHOOSE, [field, word]))
                    choices.append(page.evaluate(CHOOSE, [field, before]))
        return empty, [milliseconds for milliseconds in choices if milliseconds is not None]


def main() -> int:
    """Publish the median and the 95th percentile."""
    chromium = shutil.which("chromium")
    require(chromium is not None, "The browser `chromium` is not installed.")
    with tempfile.TemporaryDirectory() as folder:
        empty, choices = measure_explorer(Path(folder), str(chromium))
    late_empty, late = (quantiles(values, n=20)[-1] for values in (empty, choices))
    rows = [
        (f"{len(choices)} choices, median", median(choices), median(empty), "≤ 100 ms"),
        ("95th percentile", late, late_empty, "≤ 300 ms"),
    ]
    lines = [
        f"| {machine()} | from choice to chart | empty widget | ratio | goal |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {ours:.0f} ms | {theirs:.0f} ms | {times(ours / theirs)} | {goal} |"
            for name, ours, theirs, goal in rows
        ),
    ]
    publish("explorer", "\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
