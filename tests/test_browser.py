"""A notebook in real JupyterLab in real Chromium, as a reader opens it."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ferlib import paths

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update",
)  # fmt: skip
STATE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  if (!panel || !panel.content || !panel.content.widgets) return null;
  const cells = panel.content.widgets.filter(cell => cell.model.type === 'code');
  const outputs = cells.flatMap(cell => cell.model.outputs.toJSON());
  return {
    kernel: panel.sessionContext.kernelDisplayStatus,
    counts: cells.map(cell => cell.model.executionCount),
    errors: outputs.filter(output => output.output_type === 'error').map(output => output.ename),
    images: outputs.filter(output => output.data && output.data['image/png']).length,
  };
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt install chromium"),
]


@pytest.fixture
def lab(tmp_path):
    """Address of a JupyterLab that serves a copy of the notebooks; stopped afterwards."""
    work, runtime = tmp_path / "work", tmp_path / "runtime"
    shutil.copytree(paths.NOTEBOOKS, work, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={work}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    settings = {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings")}
    settings["JUPYTERLAB_WORKSPACES_DIR"] = str(tmp_path / "workspaces")  # no tabs of an earlier run
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield _address(server, runtime, tmp_path / "lab.log")
    finally:
        server.terminate()
        server.wait(30)


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            url = json.loads(path.read_text() or "{}").get("url", "")
            if url and not url.endswith(":0/"):
                return url
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def _wait(page, ready, seconds: int):
    """The notebook's state as soon as `ready` says so."""
    deadline, state = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        state = page.evaluate(STATE)
        if state and ready(state):
            return state
        page.wait_for_timeout(250)
    raise AssertionError(f"the notebook did not get ready: {state}")


@pytest.mark.parametrize("stem", ["01_data_cleaning", "04_evaluation"])
def test_a_notebook_runs_in_jupyterlab(lab, stem):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{lab}lab/tree/{stem}.ipynb")
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell", timeout=60_000)
        _wait(page, lambda state: state["kernel"] == "idle", 60)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:restart-clear-output') }")
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        _wait(page, lambda state: state["kernel"] == "idle" and not state["images"], 60)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
        state = _wait(page, lambda state: state["kernel"] == "idle" and all(state["counts"]), 120)
        if "FERLIB_SCREENSHOTS" in os.environ:
            page.screenshot(path=f"{os.environ['FERLIB_SCREENSHOTS']}/{stem}.png")
        browser.close()
    assert state["errors"] == []
    assert state["counts"] == list(range(1, len(state["counts"]) + 1))
    assert state["images"] >= 5
