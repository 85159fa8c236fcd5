"""The web application as a visitor meets it: Streamlit in Chromium, with a camera that shows a clip with a face."""

import os
import socket
import sys
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import MARKS
from chromium import CAMERA_FLAGS, PATIENCE, camera_clip, chromium, screenshot, server
from PIL import Image

from ferlib.data.labels import COLOURS
from ferlib.faces.pictures import sample_picture

pytest.importorskip("streamlit", reason="the extra app is not installed")
pytest.importorskip("streamlit_webrtc", reason="the extra app is not installed")
pytestmark = MARKS

# The received video: frames so far, and pixels near the colour of "happy" in what is shown now.
VIDEO = """(video, colour) => {
  if (!video.videoWidth) return {frames: 0, boxed: 0};
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let boxed = 0;
  for (let i = 0; i < pixels.length; i += 4)
    boxed += colour.every((value, k) => Math.abs(pixels[i + k] - value) < 30);
  return {frames: video.getVideoPlaybackQuality().totalVideoFrames, boxed};
}"""


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """A page of the running application, and the hosts that it asked for anything."""
    folder = tmp_path_factory.mktemp("web")
    clip = camera_clip(folder / "clip.mjpeg")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://localhost:{port}/"
    command = [sys.executable, "-m", "ferlib.cli", "app", "--no-browser", "--port", str(port)]
    flags = (*CAMERA_FLAGS, f"--use-file-for-fake-video-capture={clip}")
    with server(command, folder, address), chromium(*flags) as browser:
        hosts = set()
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(1000 * PATIENCE)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        page.goto(address, wait_until="commit")
        yield page, hosts


def three_faces(path):
    """One picture with the public-domain face three times, upright, mirrored and small."""
    face = sample_picture()[:256, 110:350]
    picture = np.full((300, 760, 3), 110, np.uint8)
    picture[20:276, 10:250], picture[20:276, 260:500] = face, face[:, ::-1]
    picture[60:188, 560:680] = face[::2, ::2]
    Image.fromarray(picture).save(path, quality=92)
    return path


def settled(page):
    page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget],[data-testid=stSpinner]')")
    drawn = "() => [...document.querySelectorAll('[data-testid=stImage] img')].every(one => one.complete)"
    page.wait_for_function(f"() => !document.querySelector('[data-testid=stSkeleton]') && ({drawn})()")
    page.wait_for_timeout(500)


def choose(page, mode):
    page.get_by_role("radio", name=mode).or_(page.get_by_role("button", name=mode, exact=True)).first.click()


def test_the_sample_picture_comes_without_a_click(visit):
    page, hosts = visit
    page.get_by_text("happy 100 %").first.wait_for()
    settled(page)
    screenshot(page, "web_sample")
    page.get_by_text("What this can and cannot do").click()
    page.get_by_text("what a person feels").wait_for()
    screenshot(page, "web_limits")
    page.get_by_text("What this can and cannot do").click()
    assert hosts <= {"localhost", "127.0.0.1", "", None}


def test_several_faces_and_bad_files_and_the_page_goes_on(visit, tmp_path):
    page, _ = visit
    (tmp_path / "text.jpg").write_text("this is no picture")
    (tmp_path / "empty.png").touch()
    Image.new("L", (10_000, 10_000)).save(tmp_path / "huge.png")
    with open(tmp_path / "film.jpg", "wb") as handle:
        handle.truncate(200_000_000)
    names = ["text.jpg", "empty.png", "huge.png", "film.jpg"]
    upload = page.locator("input[type=file]")
    upload.set_input_files([tmp_path / name for name in names])
    page.get_by_text("text.jpg is not a picture that can be read; give a JPEG or PNG file.").wait_for()
    page.get_by_text("empty.png is empty (0 bytes)").wait_for()
    page.get_by_text("huge.png has more than 70 megapixels; scale it down first.").wait_for()
    page.get_by_text("film.jpg has 200 MB, and 100 MB is the most for one picture; scale it down first.").wait_for()
    settled(page)
    screenshot(page, "web_bad_files")
    upload.set_input_files(three_faces(tmp_path / "three.jpg"))
    page.get_by_text("3 · happy").wait_for()
    settled(page)
    page.locator("[data-testid=stImage] img").first.scroll_into_view_if_needed()
    screenshot(page, "web_several_faces")
    with page.expect_download() as download:
        page.get_by_role("button", name="table (CSV)").first.click()
    assert download.value.path().read_text().count("\n") == 4
    with page.expect_download() as download:
        page.get_by_role("button", name="picture with boxes (PNG)").first.click()
    with Image.open(download.value.path()) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width >= 760


def test_a_snapshot(visit):
    page, _ = visit
    choose(page, "Snapshot")
    # A camera that has just begun gives a blank frame, in which there is no face.
    page.wait_for_function(
        "() => [...document.querySelectorAll('video')].some(one => one.videoWidth > 0 && one.currentTime > 1)"
    )
    page.get_by_role("button", name="Take Photo").click()
    page.get_by_text("snapshot.jpg, ").wait_for()
    page.get_by_text("happy").first.wait_for()
    settled(page)
    screenshot(page, "web_snapshot")


def flows(seen):
    """At least 20 frames came, new ones in every third of the time."""
    thirds = [seen[len(seen) * part // 3 - (part == 3)]["frames"] for part in range(4)]
    return thirds == sorted(set(thirds)) and thirds[-1] >= thirds[0] + 20


def test_ten_seconds_of_live_video(visit):
    page, hosts = visit
    choose(page, "Live camera")
    page.locator("iframe").first.wait_for()
    frame = page.frame_locator("iframe").first
    frame.get_by_role("button", name="START").click()
    page.get_by_text("1 face now").wait_for()
    video = frame.locator("video").first
    video.wait_for()  # a machine that is very busy may lose the connection before the first frame is shown
    colour = [int(COLOURS["happy"][i : i + 2], 16) for i in (1, 3, 5)]
    seen, started = [video.evaluate(VIDEO, colour)], time.monotonic()
    while (elapsed := time.monotonic() - started) < 10 or (not flows(seen) and elapsed < PATIENCE):
        page.wait_for_timeout(500)
        seen.append(video.evaluate(VIDEO, colour))
    assert flows(seen), seen
    assert sum(sample["boxed"] > 100 for sample in seen) > 0.8 * len(seen), seen
    if "FERLIB_SCREENSHOTS" in os.environ:
        page.wait_for_timeout(2000)
    screenshot(page, "web_live")
    frame.get_by_role("button", name="STOP").click()
    page.get_by_text("Nothing is sent before you start.").wait_for()
    assert hosts <= {"localhost", "127.0.0.1", "", None}
