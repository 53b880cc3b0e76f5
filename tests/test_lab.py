"""JupyterLab in a real browser: every notebook runs from top to bottom, the explorer answers."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import NAMES, ROOT, require_tool

BEFORE = {path: path.read_bytes() for path in (ROOT / "notebooks").iterdir() if path.is_file()}
BIN = Path(sys.executable).parent
SETTINGS = {
    # No question about news from another server lies over the notebook.
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    # Cells outside of the window are drawn as well.
    "notebook-extension/tracker": {"windowingMode": "none"},
}
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
    home = project.parent / "home"
    for name, content in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), "utf-8")
    own = {
        "HOME": home, "IPYTHONDIR": home / "ipython", "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data", "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
    }  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        BIN / "jupyter", "lab", "--no-browser", "--allow-root", "--expose-app-in-browser",
        "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=",
        f"--ServerApp.root_dir={project}",
    ]  # fmt: skip
    with (project.parent / "server.log").open("w") as log:
        server = subprocess.Popen(
            list(map(str, command)),
            cwd=project,
            env=os.environ | {name: str(value) for name, value in own.items()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _answering(f"http://127.0.0.1:{port}", server)
        finally:
            server.terminate()
            server.wait(30)


def _answering(address: str, server: subprocess.Popen) -> str:
    for _ in range(240):
        assert server.poll() is None, "the server stopped at its start"
        try:
            with urllib.request.urlopen(f"{address}/api/status", timeout=5):
                return address
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"{address} does not answer")


@pytest.fixture(scope="module")
def page(address):
    chromium = require_tool("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic",
                  "--disable-background-networking", "--disable-component-update"],
        )  # fmt: skip
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(30_000)
        page.requests = []
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(f"{address}/lab?reset")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget", timeout=60_000)
        yield page
        browser.close()


def run_all(page, name) -> dict:
    """Open a notebook, run all its cells by the menu, and wait until its kernel is idle."""
    page.evaluate(
        "async path => { await window.jupyterapp.commands.execute('docmanager:open', { path }); }",
        f"notebooks/{name}.ipynb",
    )
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
        "?.status === 'idle'",
        timeout=60_000,
    )
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    page.wait_for_function(
        f"() => {{ const now = ({STATE})(); return now.kernel === 'idle' && "
        "(now.cells.every(cell => cell.count) || now.cells.some(cell => cell.errors.length)); }",
        timeout=120_000,
    )
    return page.evaluate(STATE)


def close(page):
    """Shut the kernel down and leave the notebook as it is on the disk."""
    page.evaluate(
        "async () => { const panel = window.jupyterapp.shell.currentWidget; "
        "await panel.sessionContext.shutdown(); panel.dispose(); }"
    )


@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs_from_top_to_bottom(page, name):
    state = run_all(page, name)
    assert state["path"] == f"notebooks/{name}.ipynb"
    assert [cell["errors"] for cell in state["cells"] if cell["errors"]] == []
    assert [cell["printed"] for cell in state["cells"] if cell["printed"]] == []
    assert [cell["count"] for cell in state["cells"]] == list(range(1, len(state["cells"]) + 1))
    pictures = page.locator(".jp-OutputArea-output :is(figure img, .chart svg)")
    if name not in ("01_studies", "09_reading_list"):
        assert pictures.count() > 0
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        assert box["width"] > 300 and box["height"] > 60
    for table in page.locator(".evidence-frame table").all():
        assert_sorts(table)
    close(page)


def assert_sorts(table):
    """A press on the last header sorts by it, a second one the other way round."""
    head = table.locator("thead th").last
    cells = table.locator("tbody tr td:last-child")
    as_written = cells.all_inner_texts()
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    risen = cells.all_inner_texts()
    assert sorted(risen) == sorted(as_written)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    missing = ("", "—", "not stated")
    fallen = [text for text in cells.all_inner_texts() if text not in missing]
    assert fallen[0] == [text for text in risen if text not in missing][-1]


def test_no_other_server_was_contacted(page, address):
    assert page.requests
    assert {url.split("/")[2] for url in page.requests if url.startswith("http")} == {
        address.removeprefix("http://")
    }


@pytest.fixture(scope="module")
def explorer(page):
    """The explorer of the start page, run and in the window."""
    run_all(page, "00_start")
    widget = page.locator(".evidence-explorer")
    widget.scroll_into_view_if_needed()
    yield widget
    close(page)


def shares(explorer, outcome):
    """The explorer once its chart is about this outcome."""
    explorer.locator("select[name=outcome]").select_option(outcome)
    explorer.locator("h4", has_text=f"Proportion with {outcome}").wait_for()
    explorer.locator("svg .mark").first.wait_for()
    return explorer


def test_choosing_an_outcome_changes_chart_and_table(explorer):
    shares(explorer, "response")
    before = explorer.locator("svg").inner_html(), explorer.locator("tbody").inner_text()
    assert "12/17" in before[1]
    shares(explorer, "remission")
    assert explorer.locator("svg").inner_html() != before[0]
    assert "12/17" not in explorer.locator("tbody").inner_text()
    assert 'outcome: "remission"' in explorer.locator(".parameters").inner_text()


def test_a_choice_that_no_study_answers_says_so(explorer):
    shares(explorer, "response")
    explorer.locator("select[name=condition]").select_option("PTSD")
    explorer.locator(".caption", has_text="No study among these results").wait_for()
    assert explorer.locator("svg").count() == 0
    explorer.locator("select[name=condition]").select_option("depression")
    explorer.locator("svg .mark").first.wait_for()


def test_a_click_on_a_mark_shows_what_evidence_why_prints(explorer, page, project):
    """By mouse and by keyboard; the command's words are those of the report of the same view."""
    shares(explorer, "response")
    out = project.parent / "reports"
    run = [BIN / "evidence", "report", "--only", "start", "--project", project, "--out", out]
    subprocess.run(list(map(str, run)), check=True, capture_output=True)
    run = [BIN / "evidence", "why", "fig-view", "--project", project, "--reports", out]
    traces = subprocess.run(list(map(str, run)), check=True, capture_output=True, text=True).stdout
    marks = explorer.locator("svg .mark")
    assert marks.count() == traces.count("00_start/fig-view:") > 5
    marks.nth(0).click()
    explorer.locator(".trace", has_text="data/studies.csv:").wait_for()
    first = explorer.locator(".trace").inner_text()
    assert first.startswith("00_start/fig-view:")
    marks.nth(3).focus()
    page.keyboard.press("Enter")
    explorer.locator(".trace", has_not_text=first.splitlines()[0]).wait_for()
    for trace in (first, explorer.locator(".trace").inner_text()):
        assert trace in traces


def test_the_displayed_command_gives_the_same_bytes(explorer, page, project):
    shares(explorer, "remission")
    with page.expect_download() as saved:
        explorer.get_by_text("Save this chart (SVG)").click()
    (project / "view.yml").write_text(explorer.locator(".parameters").inner_text(), "utf-8")
    command = shlex.split(explorer.locator(".command").inner_text())
    assert command[0] == "papermill"
    subprocess.run([str(BIN / command[0]), *command[1:]], cwd=project, check=True,
                   capture_output=True)  # fmt: skip
    assert re.fullmatch(r"fig-view@[0-9a-f]{7}\.svg", saved.value.suggested_filename)
    figure = project / "view" / "figures" / "fig-view.svg"
    assert figure.read_bytes() == saved.value.path().read_bytes()
    assert (project / "view" / "figures" / "fig-view.png").stat().st_size > 10_000


def test_the_notebooks_are_unchanged():
    assert {path: path.read_bytes() for path in BEFORE} == BEFORE
