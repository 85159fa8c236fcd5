"""The annotated copy of a video in Chromium: it plays, at the times of the video."""

import numpy as np
import pytest
from browser import MARKS
from chromium import chromium
from fakes import FakeDetector, Plain, moving, write_video

from ferlib.scoring.video import predict_video

pytestmark = MARKS
ADDRESS = "http://localhost/"
LOAD = """async () => {  // as a blob, in which the page may seek
  const file = await (await fetch('copy.mp4')).blob();
  document.querySelector('video').src = URL.createObjectURL(file);
}"""
# Plays the video to its end, and gives what the page has learnt of it.
PLAY = """() => new Promise((resolve, reject) => {
  const video = document.querySelector('video');
  video.onerror = () => reject(new Error(video.error.message));
  video.onended = () => resolve({
    ready: video.readyState, width: video.videoWidth, height: video.videoHeight, duration: video.duration,
    shown: video.getVideoPlaybackQuality().totalVideoFrames,
  });
  video.play().catch(reject);
})"""
# Shows the frame of a moment and gives the mean colour of its middle.
COLOUR = """seconds => new Promise((resolve, reject) => {
  const video = document.querySelector('video');
  video.onerror = () => reject(new Error(video.error.message));
  video.onseeked = () => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const context = canvas.getContext('2d');
    context.drawImage(video, video.videoWidth / 2, video.videoHeight - 20, 1, 1, 0, 0, 1, 1);
    resolve([...context.getImageData(0, 0, 1, 1).data].slice(0, 3));
  };
  video.currentTime = seconds;
})"""


@pytest.fixture(scope="module")
def browser():
    with chromium("--autoplay-policy=no-user-gesture-required") as running:
        yield running


@pytest.fixture
def show(browser):
    """Open a page with a video file in it."""
    page = browser.new_page()

    def open_page(path):
        def answer(route):
            if route.request.url == ADDRESS:
                route.fulfill(body="<!doctype html><video muted></video>", content_type="text/html")
            else:
                route.fulfill(body=path.read_bytes(), content_type="video/mp4")

        page.route("**/*", answer)
        page.goto(ADDRESS)
        page.evaluate(LOAD)
        return page

    yield open_page
    page.close()


def annotated(clip, folder):
    assert predict_video(clip, Plain(FakeDetector((60, 40, 140, 140))), annotate_dir=folder, progress=False) == 0
    (copy,) = folder.iterdir()
    return copy


def test_an_annotated_copy_plays(tmp_path, photo, show):
    clip = write_video(tmp_path / "clip.mkv", moving(photo, 20), rate=10)
    played = show(annotated(clip, tmp_path / "out")).evaluate(PLAY)
    assert played["ready"] >= 2
    assert (played["width"], played["height"]) == (320, 240)
    assert played["duration"] == pytest.approx(2.0, abs=0.15)
    assert played["shown"] == 20


def test_frames_are_shown_at_the_times_of_the_video(tmp_path, show):
    colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200)]
    pictures = [np.zeros((240, 320, 3), np.uint8) + np.array(colour, np.uint8) for colour in colours]
    clip = write_video(tmp_path / "clip.mkv", pictures, 10, times=[0.0, 0.3, 2.0])
    page = show(annotated(clip, tmp_path / "out"))
    for seconds, colour in ((0.1, colours[0]), (0.5, colours[1]), (1.8, colours[1])):
        np.testing.assert_allclose(page.evaluate(COLOUR, seconds), colour, atol=12)
