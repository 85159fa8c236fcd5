import asyncio
from fractions import Fraction

import numpy as np
import pytest
from fakes import FakeDetector, NoCrops

from ferlib.apps.page.webcam import Webcam
from ferlib.errors import FerlibError
from ferlib.live.session import LiveSettings

FRAME = np.full((240, 320, 3), 90, np.uint8)
BOX = (100, 60, 180, 160)


def webcam(*boxes, error=None):
    return Webcam(NoCrops(FakeDetector(*boxes, error=error)), LiveSettings(detect_every=1))


def test_a_frame_comes_back_in_its_size_with_a_box():
    camera = webcam(BOX)
    drawn = camera.draw(FRAME, 0.0)
    assert drawn.shape == FRAME.shape
    changed = np.argwhere((drawn != FRAME).any(axis=2))
    assert abs(changed[:, 0].max() - 160) <= 4  # the box's lower edge; its label may be wider than it
    assert abs(changed[:, 1].min() - 100) <= 4
    assert (camera.frames, camera.with_faces) == (1, 1)
    assert camera.status().startswith("1 frames, 1 face now, ")


def test_a_tiny_frame_keeps_its_size():
    assert webcam((10, 10, 60, 60)).draw(FRAME[:90, :120]).shape == (90, 120, 3)


def test_before_the_first_frame_and_without_a_face():
    camera = webcam()
    assert camera.status() == "Waiting for the camera's first frame."
    assert (camera.draw(FRAME) == FRAME).all()
    assert "no face now" in camera.status()


@pytest.mark.parametrize("error", [FerlibError("The lens is dirty."), RuntimeError("boom")])
def test_a_frame_that_fails_comes_back_as_it_is_and_the_stream_goes_on(error):
    camera = webcam(BOX, error=error)
    assert camera.draw(FRAME) is FRAME
    assert str(error) in camera.status()
    camera._session.pipeline.detector.error = None
    camera.draw(FRAME)
    assert (camera.frames, camera.with_faces) == (2, 1)


def test_settings_can_change_between_frames():
    camera = webcam(BOX)
    camera.settings.threshold = 1.0
    camera.draw(FRAME)
    assert [face.label for face in camera.faces()] == ["not sure"]
    assert camera.faces()[0].probabilities.shape == (8,)


def test_another_model_reads_the_frames_that_follow():
    camera = webcam(BOX)
    camera.draw(FRAME)
    other = webcam(BOX, BOX).pipeline
    camera.pipeline = other
    assert camera._session.pipeline is not other  # the frame under way keeps its model
    camera.draw(FRAME)
    assert camera.pipeline is other
    assert len(camera.faces()) == 2


def test_the_newest_of_the_waiting_frames_counts():
    av = pytest.importorskip("av", reason="the extra app is not installed")
    frames = []
    for number in range(3):
        frame = av.VideoFrame.from_ndarray(FRAME, format="rgb24")
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
        frames.append(frame)
    camera = webcam(BOX)
    (shown,) = asyncio.run(camera.recv_queued(frames))
    assert (shown.width, shown.height) == (320, 240)
    assert camera.answer["time"] == pytest.approx(2 / 30, abs=0.001)
    assert camera.frames == 1
