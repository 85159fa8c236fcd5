"""Chromium with a camera that plays a clip, and Jupyter servers for it to open: for the browser tests and `make bench`.

Scripts in this folder import it directly; pytest finds it through `pythonpath` in pyproject.toml.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from ferlib import paths

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update",
)  # fmt: skip
PATIENCE = int(os.environ.get("FERLIB_PATIENCE", 120))  # seconds; on a busy machine everything takes its time
CAMERA_FLAGS = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
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


@contextmanager
def chromium(*flags: str) -> Iterator:
    """Start a browser, and close it afterwards.

    Args:
        *flags: Chromium's own, beside `FLAGS`.

    Yields:
        Playwright's browser.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def server(command: list[str], folder: Path, address: str | None = None) -> Iterator[str]:
    """Start a server, and stop it afterwards.

    Args:
        command: starts the server.
        folder: where its log, settings and notes go.
        address: its address, where it is known; None reads it from the notes of a Jupyter server.

    Yields:
        The address, as soon as the server answers there.

    Raises:
        AssertionError: the server did not start; the message has the end of its log.
    """
    runtime, log = folder / "runtime", folder / "server.log"
    settings = {
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    # Streamlit, which other tests import, sets MPLBACKEND for its whole process; kernels would then show no figure.
    inherited = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    with open(log, "w") as handle:
        process = subprocess.Popen(command, env={**inherited, **settings}, stdout=handle, stderr=subprocess.STDOUT)
    try:
        yield _address(process, runtime, log, address)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # a kernel that is still busy
            process.kill()
            process.wait(10)


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Start JupyterLab with a copy of the notebooks, and stop it afterwards.

    Args:
        folder: an empty folder; the copy goes to ``work`` in it.

    Yields:
        The address.
    """
    work = folder / "work"
    shutil.copytree(paths.NOTEBOOKS, work, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    quiet = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={work}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with server(command, folder) as address:
        yield address


def _address(process: subprocess.Popen, runtime: Path, log: Path, known: str | None) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if known is not None and _answers(known):
            return known
        for path in [] if known else runtime.glob("jpserver-*.json"):
            url = json.loads(path.read_text() or "{}").get("url", "")
            if url and not url.endswith(":0/"):
                return url
        time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-2000:]}")


def _answers(address: str) -> bool:
    """Tell whether something listens at an address."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for_lab(page, ready: Callable[[dict], bool], seconds: int) -> dict:
    """Wait for the open notebook.

    Args:
        page: Playwright's page.
        ready: tells from the notebook's state whether the wait is over.
        seconds: how long to wait at most.

    Returns:
        The state: kernel, execution counts of the code cells, errors, number of images.

    Raises:
        AssertionError: the notebook did not get ready.
    """
    deadline, state = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        state = page.evaluate(STATE)
        if state and ready(state):
            return state
        page.wait_for_timeout(250)
    raise AssertionError(f"the notebook did not get ready: {state}")


def run_notebook(page, lab: str, name: str, seconds: int) -> dict:
    """Open a notebook on a new kernel, clear its outputs, and run all cells.

    Args:
        page: Playwright's page.
        lab: address of JupyterLab.
        name: file name of the notebook.
        seconds: how long the cells may take.

    Returns:
        The state afterwards, as `wait_for_lab` gives it.
    """
    page.goto(f"{lab}lab/tree/{name}", wait_until="commit", timeout=1000 * PATIENCE)
    page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell", timeout=1000 * PATIENCE)
    wait_for_lab(page, lambda state: state["kernel"] == "idle", PATIENCE)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")
    wait_for_lab(page, lambda state: not state["images"] and not any(state["counts"]), PATIENCE)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    # A cell that fails ends the run: the state says so at once.
    ready = lambda state: state["kernel"] == "idle" and (all(state["counts"]) or state["errors"])  # noqa: E731
    return wait_for_lab(page, ready, seconds)


def screenshot(page, name: str) -> None:
    """Save a screenshot, where the environment variable FERLIB_SCREENSHOTS names a folder.

    Args:
        page: Playwright's page.
        name: name of the file, without its suffix.
    """
    if "FERLIB_SCREENSHOTS" in os.environ:
        page.screenshot(path=f"{os.environ['FERLIB_SCREENSHOTS']}/{name}.png")


def camera_clip(path: Path, faces: int = 1, size: tuple[int, int] = (640, 480), frames: int = 60) -> Path:
    """Write a clip for ``--use-file-for-fake-video-capture``: the public-domain photo's face, swaying.

    Args:
        path: the file, concatenated JPEGs.
        faces: number of faces, 1 to 4.
        size: width and height, pixels.
        frames: number of frames.

    Returns:
        The path.
    """
    import cv2

    from ferlib.faces.pictures import sample_picture

    face = sample_picture()[:256, 110:350]
    columns = 1 if faces == 1 else 2
    side = size[1] * 3 // 4 if faces == 1 else size[1] // 2 - 8
    small = cv2.resize(face, (round(side * face.shape[1] / face.shape[0]), side), interpolation=cv2.INTER_AREA)
    with open(path, "wb") as handle:
        for index in range(frames):
            picture = np.full((size[1], size[0], 3), (96, 104, 112), np.uint8)
            for number in range(faces):
                shift = round(14 * np.sin(2 * np.pi * index / frames + number))
                cell = size[0] // columns, size[1] // (1 if faces == 1 else 2)
                left = (number % columns) * cell[0] + (cell[0] - small.shape[1]) // 2 + shift
                top = (number // columns) * cell[1] + (cell[1] - side) // 2
                mirrored = small[:, ::-1] if number % 2 else small
                picture[top : top + side, left : left + small.shape[1]] = mirrored
            handle.write(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    return path
