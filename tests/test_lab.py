"""JupyterLab in a real browser: every notebook runs from top to bottom, the explorer answers."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import pytest

from benchmarks.jupyterlab import BIN, open_lab, run_notebook, serve_lab
from evidence import cli
from evidence.report.figure_metadata import read_metadata
from evidence.tables.sort_keys import BLANKS
from tests.conftest import NAMES, ROOT, require_tool

BEFORE = {path: path.read_bytes() for path in (ROOT / "notebooks").iterdir() if path.is_file()}
STATE = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const notebook = panel.content.model.toJSON();
    return {
        path: panel.context.path,
        kernel: panel.sessionContext.session?.kernel?.status,
        cells: notebook.cells.filter(cell => cell.cell_type === "code").map(cell => ({
            count: cell.execution_count,
            errors: cell.outputs.filter(o => o.output_type === "error").map(o => o.evalue),
            printed: cell.outputs.filter(o => o.output_type === "stream").map(o => o.text),
        })),
    };
}"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of what the notebooks need, so that running them changes nothing of the project."""
    folder = tmp_path_factory.mktemp("lab") / "project"
    shutil.copytree(ROOT / "data", folder / "data")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for name in ("references.bib", "LICENSE-DATA"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def address(project):
    """A running JupyterLab that reads and writes nothing of the person who runs the tests."""
    with serve_lab(project, project.parent / "home") as address:
        yield address


@pytest.fixture(scope="module")
def page(address):
    with open_lab(address, require_tool("chromium")) as page:
        yield page


@contextmanager
def run_all(page, name) -> Iterator[dict]:
    """Run a notebook and yield the state of its cells; then close it, whatever a test found.

    Its kernel is shut down, and the file stays as it is on the disk. A notebook left open would lie
    hidden behind the next one, whose test would look for what it names in both.
    """
    try:
        run_notebook(page, f"notebooks/{name}.ipynb")
        yield page.evaluate(STATE)
    finally:
        page.evaluate(
            "async () => { const panel = window.jupyterapp.shell.currentWidget; "
            "await panel.sessionContext.shutdown(); panel.dispose(); }"
        )


@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs_from_top_to_bottom(page, name):
    with run_all(page, name) as state:
        assert state["path"] == f"notebooks/{name}.ipynb"
        cells = state["cells"]
        assert [cell["errors"] for cell in cells if cell["errors"]] == []
        assert [cell["printed"] for cell in cells if cell["printed"]] == []
        assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
        pictures = page.locator(".jp-OutputArea-output :is(figure img, .chart table)")
        if name not in ("01_studies", "09_reading_list"):
            assert pictures.count() > 0
        for picture in pictures.all():
            picture.scroll_into_view_if_needed()
            box = picture.bounding_box()
            assert box["width"] > 300 and box["height"] > 60
        for table in page.locator(".evidence-frame table").all():
            assert_sorts(table)
        # JupyterLab would set the words below a row apart from their names, as a list.
        gaps = page.locator(".evidence-frame .more > td > dl > div").evaluate_all("""all => all.map(
            ({ children: [name, words] }) => {
                const text = document.createRange();
                text.selectNodeContents(name);
                return words.getClientRects()[0].left - text.getBoundingClientRect().right;
            })""")
        assert max(gaps, default=0) < 20


def assert_sorts(table):
    """A press on the last header sorts by it, a second one the other way round.

    Words follow numbers and blank cells come last both ways; what is below a row stays below it.
    """
    head = table.locator("thead th").last
    as_written, below = read_rows(table)
    shown = []
    for direction in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        cells, still_below = read_rows(table)
        assert sorted(cells) == sorted(as_written) and sorted(still_below) == sorted(below)
        kinds = {"number": [], "words": [], "blank": []}
        for key, text in cells:
            is_blank = not key and text in BLANKS
            kinds["number" if key else "blank" if is_blank else "words"].append(key or text)
        numbers, words, blank = kinds.values()
        assert [key or text for key, text in cells] == [*numbers, *words, *blank]
        shown.append((list(map(float, numbers)), words))
    (rising, first_words), (falling, last_words) = shown
    assert rising == sorted(rising) and falling == rising[::-1]
    assert last_words == first_words[::-1]


def read_rows(table) -> tuple[list[list[str]], list[list[str]]]:
    """Return key and text of the last cell of each row, and the rows with another below them."""
    return table.locator("tbody").evaluate("""body => {
        const rows = [...body.rows], text = row => row.textContent.trim();
        const isMore = row => row?.classList.contains("more");
        return [
            rows.filter(row => !isMore(row)).map(row => row.lastElementChild)
                .map(cell => [cell.dataset.sort ?? "", text(cell)]),
            rows.flatMap((row, at) => isMore(row) ? [[text(rows[at - 1]), text(row)]] : []),
        ];
    }""")


def test_no_other_server_was_contacted(page, address):
    assert page.requests
    assert {url.split("/")[2] for url in page.requests if url.startswith("http")} == {
        address.removeprefix("http://")
    }


@pytest.fixture(scope="module")
def explorer(page):
    """The explorer of the start page, run and in the window."""
    with run_all(page, "00_start"):
        widget = page.locator(".evidence-explorer")
        widget.scroll_into_view_if_needed()
        yield widget


def choose(explorer, field, word):
    """The explorer once its parameters have this word."""
    explorer.locator(f"select[name={field}]").select_option(word)
    explorer.locator(".parameters", has_text=f'{field}: "{word}"').wait_for()
    return explorer


def shares(explorer, outcome):
    """The explorer once its chart is about this outcome."""
    choose(explorer, "outcome", outcome).locator(
        "h4", has_text=f"Proportion with {outcome}"
    ).wait_for()
    return explorer


def test_choosing_an_outcome_changes_the_chart(explorer):
    chart = explorer.locator(".chart table")
    shares(explorer, "response")
    assert "12/17" in chart.inner_text()
    # A square, a diamond and an axis, drawn where the numbers are.
    assert chart.locator("rect.study").count() > 5 and chart.locator("path.pooled").count() == 1
    assert chart.locator("tfoot text").all_text_contents()[0] == "0%"
    shares(explorer, "remission")
    assert "12/17" not in chart.inner_text()


def test_a_choice_without_studies_offers_what_would_work(explorer):
    """Each option says whether studies answer it; words without any numbers cannot be chosen."""
    shares(explorer, "response")
    option = explorer.locator("select[name=condition] option[value=PTSD]")
    assert "no data" in option.inner_text()
    assert option.get_attribute("title") == "no data with the other choices"
    assert explorer.locator("select[name=outcome] option[value='group size']").is_disabled()
    choose(explorer, "condition", "PTSD")
    explorer.locator(".caption", has_text="No study among these results").wait_for()
    assert explorer.locator(".chart table").count() == 0
    explorer.locator(".alternatives button").first.click()
    explorer.locator(".chart table").wait_for()
    assert explorer.locator("select[name=condition]").input_value() == "PTSD"
    for field, word in (("condition", "depression"), ("measure", "proportion")):
        choose(explorer, field, word)


def test_a_press_is_answered_below_the_row_in_the_words_of_evidence_why(
    explorer, page, report, capsys
):
    """By mouse on the row or its mark, and by keyboard; Escape closes the answer."""
    shares(explorer, "response")
    assert cli.main(["why", "fig-view", "--project", str(ROOT), "--reports", str(report)]) == 0
    traces = capsys.readouterr().out
    marks, answer = explorer.locator("button.mark"), explorer.locator(".answer")
    assert marks.count() == traces.count("00_start/fig-view:") > 5
    explorer.locator("td.marks").first.click()
    answer.locator("code").first.wait_for()
    row, shown = explorer.locator("tr.study").first.bounding_box(), answer.bounding_box()
    assert shown["y"] == pytest.approx(row["y"] + row["height"], abs=2)
    assert shown["y"] + shown["height"] <= page.viewport_size["height"]
    first = answer.inner_text()
    marks.nth(3).focus()
    page.keyboard.press("Enter")
    explorer.locator("tr.study:nth-child(4) + .answer").wait_for()
    assert answer.inner_text() != first
    for address in answer.locator("code").all_inner_texts():
        assert address in traces
    page.keyboard.press("Escape")
    answer.wait_for(state="detached")
    assert marks.nth(3).evaluate("button => button === document.activeElement")
    assert marks.nth(3).get_attribute("aria-expanded") == "false"


def test_sorting_keeps_each_study_with_its_mark_and_the_pool_below(explorer):
    shares(explorer, "response")
    rows = "rows => rows.map(row => row.dataset.name + row.querySelector('rect').getAttribute('x'))"
    studies = explorer.locator("tr.study")
    before = studies.evaluate_all(rows)
    explorer.locator("thead .effect button").click()
    after = studies.evaluate_all(rows)
    assert after != before and sorted(after) == sorted(before)
    assert explorer.locator("tr[data-name]").last.get_attribute("class") == "pooled"


@pytest.mark.parametrize("file_format", ["svg", "pdf", "png"])
def test_a_saved_file_is_the_one_that_the_displayed_command_writes(
    explorer, page, project, file_format
):
    shares(explorer, "remission")
    with page.expect_download() as saved:
        explorer.get_by_text(f"Save as {file_format.upper()}").click()
    figure = project / "view" / "figures" / f"fig-view.{file_format}"
    if not figure.exists():
        (project / "view.yml").write_text(explorer.locator(".parameters").inner_text(), "utf-8")
        command = shlex.split(explorer.locator(".command").inner_text())
        assert command[0] == "papermill"
        subprocess.run([str(BIN / command[0]), *command[1:]], cwd=project, check=True,
                       capture_output=True)  # fmt: skip
    record, _ = read_metadata(saved.value.path())
    assert saved.value.suggested_filename == f"fig-view@{record['version']}.{file_format}"
    assert figure.read_bytes() == saved.value.path().read_bytes()


def test_explorer_has_no_barrier(explorer, page):
    """With an answer open, by axe-core's rules."""
    explorer.locator("button.mark").first.click()
    explorer.locator(".answer code").first.wait_for()
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}
    found = page.evaluate("options => axe.run('.evidence-explorer', options)", options)
    assert [violation["id"] for violation in found["violations"]] == []


def test_the_notebooks_are_unchanged():
    assert {path: path.read_bytes() for path in BEFORE} == BEFORE
