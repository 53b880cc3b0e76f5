"""A JupyterLab of its own in a browser, for the benchmark of the explorer and its tests."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent
SETTINGS = {
    # No question about news from another server lies over the notebook.
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    # Cells outside of the window are drawn as well.
    "notebook-extension/tracker": {"windowingMode": "none"},
}
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update",
]  # fmt: skip
HAS_RUN = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    if (panel.sessionContext.session?.kernel?.status !== "idle") return false;
    const cells = panel.content.widgets.map(cell => cell.model).filter(cell => cell.type === "code");
    const hasFailed = ({ outputs }) =>
        Array.from({ length: outputs.length }, (_, at) => outputs.get(at).type).includes("error");
    return cells.every(cell => cell.executionCount) || cells.some(hasFailed);
}"""
POLL = 100
"""Milliseconds between two looks; by default Playwright looks at every frame that is drawn."""


@contextmanager
def serve_lab(project: Path, home: Path) -> Iterator[str]:
    """Yield the address of a JupyterLab whose settings are in `home`, apart from the person's own."""
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
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            list(map(str, command)),
            cwd=project,
            env=os.environ | {name: str(value) for name, value in own.items()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _wait_for_answer(f"http://127.0.0.1:{port}", server)
        finally:
            server.terminate()
            server.wait(30)


def _wait_for_answer(address: str, server: subprocess.Popen) -> str:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/api/status", timeout=5):
                return address
        except OSError:
            time.sleep(0.25)
    raise RuntimeError(f"JupyterLab does not answer at {address}")


@contextmanager
def open_lab(address: str, chromium: str) -> Iterator:
    """Yield a page of Chromium that shows a JupyterLab; its `requests` lists all addresses asked for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(30_000)
        page.requests = []
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(f"{address}/lab?reset")
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget", timeout=60_000, polling=POLL
        )
        yield page
        browser.close()


def run_notebook(page, path: str) -> None:
    """Open a notebook, run all its cells by the menu, and wait until its kernel is idle."""
    page.evaluate(
        "async path => { await window.jupyterapp.commands.execute('docmanager:open', { path }); }",
        path,
    )
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
        "?.status === 'idle'",
        timeout=60_000,
        polling=POLL,
    )
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(HAS_RUN, timeout=120_000, polling=POLL)
