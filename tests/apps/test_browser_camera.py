"""The live demo as a user meets it: JupyterLab and Voila in Chromium, with a camera that shows a clip with a face."""

import os
import socket
import sys
import time

import pytest
from browser import MARKS, expect
from chromium import (
    CAMERA_FLAGS,
    PATIENCE,
    camera_clip,
    chromium,
    jupyterlab,
    run_notebook,
    screenshot,
    server,
    wait_for_lab,
)

from ferlib.apps.jupyter.camera import CameraWidget

pytestmark = MARKS
LIVE = ".ferlib-live[data-state]"
SEEN = """() => {
  const live = document.querySelector('.ferlib-live');
  const video = live.querySelector('video');
  const tracks = video.srcObject ? video.srcObject.getTracks() : [];
  window.lastTrack = tracks[0] || window.lastTrack;
  const overlay = live.querySelector('.ferlib-overlay');
  const pixels = overlay.getContext('2d').getImageData(0, 0, overlay.width, overlay.height).data;
  return {
    state: live.dataset.state,
    answers: Number(live.dataset.answers || 0),
    faces: Number(live.dataset.faces || 0),
    roundTrip: Number(live.dataset.roundTrip || 0),
    drawn: pixels.some((value, index) => index % 4 === 3 && value > 0),
    label: live.querySelector('.ferlib-card-label').textContent,
    latency: [...live.querySelectorAll('.ferlib-latency td')].map(cell => cell.textContent),
    notice: live.querySelector('.ferlib-notice').textContent,
    message: live.querySelector('.ferlib-message').textContent,
    track: window.lastTrack ? window.lastTrack.readyState : null,
  };
}"""
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def wait(page, ready, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen = page.evaluate(SEEN)
        if ready(seen):
            return seen
        page.wait_for_timeout(200)
    raise AssertionError(f"no {what} after {seconds} s: {seen}")


def press(page, name):
    page.locator(LIVE).first.get_by_role("button", name=name, exact=True).click(timeout=1000 * PATIENCE)


def go_to_the_camera(page):
    """JupyterLab renders what is in sight only."""
    page.evaluate("""() => {
      const notebook = window.jupyterapp.shell.currentWidget.content;
      const index = notebook.widgets.findIndex(cell => cell.model.id === 'camera');
      notebook.activeCellIndex = index;
      notebook.scrollToItem(index, 'start');
    }""")
    page.locator(LIVE).first.wait_for(timeout=1000 * PATIENCE)


def watch_the_camera(page):
    """Start, watch the stream go on, stop: what both JupyterLab and Voila have to show."""
    press(page, "Start")
    seen = wait(page, shows_a_happy_face, PATIENCE, "happy face")
    for _ in range(5):
        page.wait_for_timeout(1000)
        before = seen["answers"]
        seen = wait(page, lambda seen, before=before: seen["answers"] > before, PATIENCE, "further answer")
    press(page, "Stop")
    stopped = wait(page, lambda seen: seen["state"] == "off" and seen["track"] == "ended", PATIENCE, "stop")
    page.wait_for_timeout(500)
    settled = page.evaluate(SEEN)["answers"]
    # What was under way at the stop may still be answered.
    assert settled <= stopped["answers"] + CameraWidget.in_flight.default_value
    page.wait_for_timeout(1000)
    assert page.evaluate(SEEN)["answers"] == settled


def shows_a_happy_face(seen):
    """Boxes, a card and the latencies, which come with every tenth answer."""
    complete = seen["drawn"] and seen["roundTrip"] > 0 and any(value != "–" for value in seen["latency"])
    return complete and seen["faces"] >= 1 and seen["label"].startswith("happy ") and seen["track"] == "live"


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    clip = camera_clip(tmp_path_factory.mktemp("camera") / "clip.mjpeg")
    with chromium(*CAMERA_FLAGS, f"--use-file-for-fake-video-capture={clip}") as browser:
        yield browser


def test_the_notebook_in_jupyterlab(tmp_path, camera):
    with jupyterlab(tmp_path) as lab:
        page = camera.new_page(viewport={"width": 1280, "height": 1250})
        page.set_default_timeout(1000 * PATIENCE)
        state = run_notebook(page, lab, "05_live_demo.ipynb", 2 * PATIENCE)
        assert state["errors"] == []
        go_to_the_camera(page)
        for name, theme in THEMES.items():
            page.evaluate("theme => { window.jupyterapp.commands.execute('apputils:change-theme', {theme}) }", theme)
            page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
            if name == "light":
                watch_the_camera(page)
            press(page, "Start")
            wait(page, lambda seen: seen["state"] == "on" and seen["faces"] >= 1, PATIENCE, "face after another start")
            if "FERLIB_SCREENSHOTS" in os.environ:
                page.wait_for_timeout(6000)
            screenshot(page, f"05_jupyterlab_{name}")
            press(page, "Stop")
        use_the_keyboard(page)
        survive_an_interrupt(page)
        survive_a_restart(page)


def use_the_keyboard(page):
    """Enter on a focused button is the button's, not JupyterLab's."""
    start = page.locator(LIVE).first.get_by_role("button", name="Start", exact=True)
    start.focus()
    page.keyboard.press("Enter")
    wait(page, lambda seen: seen["state"] == "on", PATIENCE, "start by keyboard")
    wait(page, lambda seen: seen["state"] == "on" and seen["faces"] >= 1, PATIENCE, "face")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    go_on = page.locator(LIVE).first.get_by_role("button", name="Go on")
    expect(go_on).to_have_count(1)
    page.keyboard.press("Space")
    expect(go_on).to_have_count(0)


def survive_an_interrupt(page):
    before = page.evaluate(SEEN)["answers"]
    page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:interrupt') }")
    goes_on = lambda seen: seen["answers"] > before + 3 and seen["state"] == "on"  # noqa: E731
    wait(page, goes_on, PATIENCE, "frame after an interrupt of the kernel")


def survive_a_restart(page):
    """A kernel that is gone switches the camera off; nothing may go on filming."""
    wait(page, lambda seen: seen["state"] == "on", PATIENCE, "camera")
    page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:restart') }")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    lost = wait(page, lambda seen: seen["state"] == "lost", PATIENCE, "end after a restart of the kernel")
    assert lost["track"] == "ended"  # both are set together with the state
    assert "kernel does not answer" in lost["notice"]
    wait_for_lab(page, lambda state: state["kernel"] == "idle", PATIENCE)  # a server stopped in mid-restart would hang


def test_the_application_in_voila(tmp_path, camera):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ferlib.cli", "app", "--notebook", "--no-browser", "--port", str(port)]
    with server(command, tmp_path, f"http://127.0.0.1:{port}/"):
        for name in THEMES:
            page = camera.new_page(viewport={"width": 1180, "height": 1120})
            page.set_default_timeout(1000 * PATIENCE)
            page.goto(f"http://127.0.0.1:{port}/?theme={name}", wait_until="commit", timeout=1000 * PATIENCE)
            page.locator(LIVE).first.wait_for(timeout=1000 * PATIENCE)
            expect(page.get_by_text("load_pipeline")).to_have_count(0)  # no code on the page
            if name == "light":
                watch_the_camera(page)
            press(page, "Start")
            wait(page, lambda seen: seen["state"] == "on" and seen["faces"] >= 1, PATIENCE, "face")
            if "FERLIB_SCREENSHOTS" in os.environ:
                page.wait_for_timeout(6000)
            screenshot(page, f"05_voila_{name}")
            page.close()
