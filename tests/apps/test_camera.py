import json
import threading
import time
import tomllib

import numpy as np
import pytest
from fakes import FakeDetector, Frames, NoCrops, jpeg, moving, write_video

from ferlib import paths
from ferlib.apps.jupyter import camera
from ferlib.apps.jupyter.camera import SCRIPTS, CameraWidget, asset
from ferlib.data.labels import EMOTIONS
from ferlib.live.session import LiveSession, LiveSettings

BOX = (60, 60, 140, 160)
PICTURE = jpeg(np.zeros((240, 320, 3), np.uint8))


class Browser:
    """Sends messages to a widget and keeps what it answers."""

    def __init__(self, source="browser", error=None, **traits):
        self.live = LiveSession(NoCrops(FakeDetector(BOX, error=error)), LiveSettings(detect_every=1))
        self.widget = CameraWidget(self.live, source, **traits)
        self.sent, self.count = [], 0
        self.widget.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def tell(self, content, *buffers):
        self.widget._handle_custom_msg(content, [memoryview(data) for data in buffers])
        return self.sent[-1] if self.sent else None

    def frame(self, *buffers, **content):
        self.count += 1
        message = {"type": "frame", "id": self.count, "time": self.count / 10, "ms": {}, "dropped": 0}
        return self.tell(message | content, *buffers)


@pytest.fixture
def browser():
    browsers = []

    def make(*arguments, **options):
        browsers.append(Browser(*arguments, **options))
        return browsers[-1]

    yield make
    for page in browsers:
        page.widget.close()


def test_each_frame_is_answered_with_its_number(browser):
    page = browser()
    for number in (1, 2, 3):
        reply, pictures = page.frame(PICTURE)
        assert (reply["type"], reply["id"], reply["end"], pictures) == ("answer", number, False, [])
        assert reply["answer"]["faces"][0]["track"] == 1
        assert json.loads(json.dumps(reply, allow_nan=False)) == reply
    assert len(page.sent) == 3


@pytest.mark.parametrize("data", [[], [b""], [b"no picture"], [PICTURE[:99]]], ids=["none", "empty", "text", "cut"])
def test_a_bad_frame_is_answered_with_a_sentence_and_the_next_one_is_read(browser, data):
    page = browser()
    reply, _ = page.frame(*data)
    assert reply["answer"]["error"].endswith("it was passed over.")
    assert page.frame(PICTURE)[0]["answer"]["error"] is None


def test_a_pipeline_that_raises_is_answered_too(browser):
    page = browser(error=ValueError("broken"))
    assert "ValueError: broken" in page.frame(PICTURE)[0]["answer"]["error"]
    page.live.pipeline.detector.error = None
    assert page.frame(PICTURE)[0]["answer"]["faces"]


def test_an_interrupt_is_answered_before_it_goes_on(browser):
    page = browser(error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        page.frame(PICTURE)
    assert page.sent[-1][0]["answer"] is None
    page.live.pipeline.detector.error = None
    assert page.frame(PICTURE)[0]["answer"]["faces"]


@pytest.mark.parametrize("message", [{}, {"type": "dance"}, {"type": None}, "text", None, ["list"]])
def test_messages_that_mean_nothing_are_ignored(browser, message):
    page = browser()
    assert page.tell(message) is None


def test_what_the_browser_measures_is_counted(browser):
    page = browser()
    page.frame(PICTURE, ms={"round trip": 50.0, "draw": 2, "nonsense": 1}, dropped=7)
    page.frame(PICTURE, ms="text", dropped="many")
    summary = page.widget.summary()
    assert summary["stages"]["round trip"] == {"p50": 50.0, "p95": 50.0, "n": 1}
    assert (summary["answered"], summary["dropped"], summary["failed"]) == (2, 7, 0)


def test_every_tenth_answer_brings_the_latencies(browser):
    page = browser()
    summaries = [page.frame(PICTURE)[0]["summary"] is not None for _ in range(20)]
    assert summaries == ([False] * 9 + [True]) * 2


def test_start_begins_a_new_stream(browser):
    page = browser()
    page.frame(PICTURE, time=100.0)
    page.tell({"type": "start"})
    answer = page.frame(PICTURE, time=0.5)[0]["answer"]
    assert (answer["time"], answer["faces"][0]["track"]) == (0.5, 2)  # in one table a number is one person


def test_the_table_of_the_session_comes_as_csv_and_json(browser):
    page = browser()
    page.frame(PICTURE)
    text, _ = page.tell({"type": "export", "format": "csv"})
    assert (text["type"], text["name"], text["mime"]) == ("file", "ferlib-session.csv", "text/csv")
    assert len(text["text"].splitlines()) == 2
    text, _ = page.tell({"type": "export", "format": "json"})
    assert text["name"] == "ferlib-session.json"
    assert json.loads(text["text"])[0]["track"] == 1


def test_a_video_at_the_kernel_comes_frame_by_frame_and_ends(browser, tmp_path, photo):
    page = browser(write_video(tmp_path / "a.avi", moving(photo, 3)))
    assert page.widget.mode == "kernel"
    page.tell({"type": "start"})
    for number in range(3):
        reply, (picture,) = page.frame()
        assert (reply["end"], reply["answer"]["frame"]) == (False, number)
        assert picture[:2] == b"\xff\xd8"
    for _ in range(2):  # the second one was asked for before the browser knew
        reply, pictures = page.frame()
        assert (reply["end"], reply["answer"], pictures) == (True, None, [])
    assert page.live.latency.answered == 3
    page.tell({"type": "start"})
    assert page.frame()[0]["answer"]["frame"] == 0  # it can be played again


def test_a_source_that_cannot_be_opened_is_one_sentence(browser, tmp_path):
    page = browser(tmp_path / "missing.mp4")
    page.frame()
    (stop, _), (reply, _) = page.sent
    assert stop["type"] == "stop"
    assert "does not exist" in stop["sentence"]
    assert reply["end"]


def test_stop_closes_the_source_and_so_does_closing_the_widget(browser):
    for end in ({"type": "stop"}, None):
        source = Frames([np.zeros((40, 40, 3), np.uint8)] * 5)
        page = browser(source)
        page.frame()
        page.widget.close() if end is None else page.tell(end)
        assert source.closed


def test_a_source_that_nobody_asks_any_more_is_closed(browser, monkeypatch):
    """A closed tab says nothing; a camera at the kernel must not stay on."""
    monkeypatch.setattr(camera, "_IDLE", 0.1)
    source = Frames([np.zeros((40, 40, 3), np.uint8)] * 5)
    page = browser(source)
    page.frame()
    deadline = time.monotonic() + 5
    while not source.closed and time.monotonic() < deadline:
        time.sleep(0.02)
    assert source.closed
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and not thread.daemon]


def test_a_video_waits_while_its_picture_is_held(browser, tmp_path, photo, monkeypatch):
    monkeypatch.setattr(camera, "_IDLE", 0.05)
    page = browser(write_video(tmp_path / "a.avi", moving(photo, 3)))
    page.frame()
    time.sleep(0.3)
    assert page.frame()[0]["answer"]["frame"] == 1


def test_large_pictures_of_the_kernel_are_sent_small(browser):
    page = browser(Frames([np.zeros((2160, 3840, 3), np.uint8)]))
    reply, (picture,) = page.frame()
    assert (reply["answer"]["width"], reply["answer"]["height"]) == (3840, 2160)
    from ferlib.live.frames import decode_jpeg

    assert decode_jpeg(picture).shape == (540, 960, 3)


def test_stop_from_python_tells_the_browser(browser):
    page = browser()
    page.widget.stop("Enough.")
    assert page.sent[-1][0] == {"type": "stop", "sentence": "Enough."}


def test_two_widgets_share_a_pipeline_but_nothing_else(browser):
    first, second = browser(), browser()
    second.live.pipeline = first.live.pipeline
    first.frame(PICTURE)
    assert second.live.table() == []
    second.frame(PICTURE)
    assert first.frame(PICTURE)[0]["answer"]["faces"][0]["track"] == 1
    assert (first.live.latency.answered, second.live.latency.answered) == (2, 1)


def test_the_browser_gets_classes_and_colours_in_class_order(browser):
    widget = browser().widget
    assert tuple(widget.emotions) == EMOTIONS
    assert len(widget.colours) == 8


def test_the_files_for_the_browser_are_shipped_and_export_once():
    script = asset(*SCRIPTS)
    assert script.count("export default") == 1
    assert "import " not in script
    assert asset("upload.js").count("export default") == 1
    assert asset("camera.css").count("{") == asset("camera.css").count("}")


def test_every_file_for_the_browser_is_package_data():
    settings = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folder = paths.ROOT / "ferlib" / "apps" / "jupyter"
    shipped = {path for pattern in settings["package-data"]["ferlib.apps.jupyter"] for path in folder.glob(pattern)}
    assert shipped == set((folder / "browser").iterdir())
