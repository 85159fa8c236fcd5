import json
import re
import threading
import tracemalloc

import numpy as np
import pytest
from fakes import FakeDetector, Frames, NoCrops, jpeg, moving, write_video

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live import records
from ferlib.live.frames import Frame
from ferlib.live.session import LiveSession, LiveSettings
from ferlib.live.sources import PictureSource
from ferlib.live.timing import KERNEL_STAGES
from ferlib.live.video_source import VideoSource
from ferlib.pipeline import Face

BLANK = np.zeros((240, 320, 3), np.uint8)
BOX = (60, 60, 140, 160)


def session(*boxes, error=None, probabilities=None, **settings):
    return LiveSession(NoCrops(FakeDetector(*boxes, error=error), probabilities), LiveSettings(**settings))


def answers(live, items):
    return list(live.run(Frames(items)))


def blank(index=0, time=0.0, image=BLANK):
    return Frame(index, time, image)


@pytest.mark.slow
def test_an_answer_is_json_and_says_everything(pipeline, photo):
    live = LiveSession(pipeline)
    (answer,) = live.run(PictureSource(photo))
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert {"frame", "time", "width", "height", "detected", "faces", "error", "ms"} == set(answer)
    assert (answer["width"], answer["height"], answer["error"], answer["detected"]) == (220, 240, None, True)
    (face,) = answer["faces"]
    assert face["track"] == 1
    assert (face["emotion"], face["sure"], face["label"]) == ("angry", True, "angry 72 %")
    assert len(face["probabilities"]) == 8
    assert np.shape(face["landmarks"]) == (5, 2)
    assert list(answer["ms"]) == list(KERNEL_STAGES)
    assert sum(value for name, value in answer["ms"].items() if name != "kernel") <= answer["ms"]["kernel"] + 0.1


@pytest.mark.slow
def test_the_camera_and_the_pipeline_say_the_same_of_a_picture(pipeline, photo):
    (direct,) = pipeline(photo)
    answer = LiveSession(pipeline, LiveSettings(min_face_size=40)).step(blank(image=photo))
    again = Face.from_dict(answer["faces"][0])
    assert again.to_dict() == direct.to_dict()


def test_a_face_keeps_its_track_through_a_clip(detector, make, photo):
    from ferlib.pipeline import EmotionPipeline

    live = LiveSession(EmotionPipeline(detector, make.classifier()), LiveSettings(detect_every=3))
    replies = answers(live, moving(photo, 9))
    assert [len(answer["faces"]) for answer in replies] == [1] * 9
    assert {answer["faces"][0]["track"] for answer in replies} == {1}
    assert [answer["detected"] for answer in replies] == [True, False, False] * 3


@pytest.mark.parametrize("count", [0, 1, 30])
def test_any_number_of_faces(count):
    boxes = [(10 + 50 * (k % 6), 5 + 45 * (k // 6), 50 + 50 * (k % 6), 45 + 45 * (k // 6)) for k in range(count)]
    live = session(*boxes, detect_every=1)
    for answer in answers(live, [BLANK] * 3):
        assert [face["track"] for face in answer["faces"]] == list(range(1, count + 1))
    assert len(live.table()) == 3 * count


def test_a_face_that_leaves_through_the_border_ends_its_track():
    live = session(detect_every=1)
    seen = []
    for step in range(12):
        x = 200 + 20 * step
        live.pipeline.detector.boxes = [(x, 80, min(x + 80, 320), 160)] if x < 300 else []
        seen.append(live.step(blank()))
        live.pipeline.detector.boxes = []
    assert {face["track"] for answer in seen for face in answer["faces"]} == {1}
    assert seen[-1]["faces"] == []
    assert seen[-1]["error"] is None


def test_a_handler_that_raises_gives_one_sentence_and_the_stream_goes_on():
    live = session(BOX, error=RuntimeError("out of memory"), detect_every=1)
    broken = live.step(blank())
    assert broken["error"] == "The kernel failed on a frame (RuntimeError: out of memory); it goes on."
    assert broken["faces"] == []
    live.pipeline.detector.error = None
    assert live.step(blank())["error"] is None
    assert (live.latency.failed, live.latency.answered) == (1, 2)


def test_a_bad_frame_in_the_middle_gives_its_sentence_and_the_stream_goes_on():
    replies = answers(session(BOX), [BLANK, FerlibError("frame 1 is damaged."), BLANK])
    assert [answer["error"] for answer in replies] == [None, "frame 1 is damaged.", None]
    assert replies[2]["faces"][0]["track"] == 1
    assert replies[2]["detected"]  # nothing is followed across the gap


@pytest.mark.parametrize("spacing", [2, 60])
def test_a_face_in_the_frames_of_a_time_lapse_is_one_track(tmp_path, spacing):
    clip = write_video(tmp_path / "a.mkv", [BLANK] * 5, times=[spacing * index for index in range(5)])
    replies = list(session(BOX).run(VideoSource(clip)))
    assert [[face["track"] for face in answer["faces"]] for answer in replies] == [[1]] * 5
    assert all(answer["detected"] for answer in replies)  # nothing is followed over more than a second


def test_after_a_camera_stalled_a_face_is_somebody_else():
    live = session(BOX, detect_every=6)
    replies = [live.step(blank(index, time)) for index, time in enumerate([0.0, 0.1, 5.0])]
    assert [answer["faces"][0]["track"] for answer in replies] == [1, 1, 2]
    assert [answer["detected"] for answer in replies] == [True, False, True]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty frame"),
        (b"no picture at all", "no JPEG"),
        (jpeg(BLANK)[:200], "JPEG|damaged"),
        (jpeg(np.zeros((4320, 7680, 3), np.uint8), 10), "7680 x 4320 is too large"),
    ],
    ids=["empty", "text", "cut", "8K"],
)
def test_bad_frames_from_the_browser_are_told_apart(data, sentence):
    live = session(BOX)
    broken = live.step_jpeg(data, 1.0)
    assert re.search(sentence, broken["error"])
    assert set(broken["ms"]) == {"decode", "kernel"}
    answer = live.step_jpeg(jpeg(BLANK), 1.1)
    assert (answer["frame"], answer["time"], answer["faces"][0]["track"]) == (1, 1.1, 1)
    assert list(answer["ms"]) == list(KERNEL_STAGES)
    assert (live.latency.failed, live.latency.answered) == (1, 2)


@pytest.mark.parametrize("seconds", [None, float("nan"), "now", float("inf")])
def test_a_jpeg_without_a_usable_time_gets_that_of_its_arrival(seconds):
    assert 0 <= session(BOX).step_jpeg(jpeg(BLANK), seconds)["time"] < 5


@pytest.mark.parametrize("nonsense", [None, "frame", Frames([BLANK])])
def test_what_is_no_frame_is_named(nonsense):
    live = session(BOX)
    assert live.step(nonsense)["error"].startswith("step takes a Frame, not ")
    assert live.step(blank())["error"] is None


def test_a_source_that_fails_is_answered_with_the_time_of_its_reading():
    live, source = session(BOX), Frames([RuntimeError("unplugged"), BLANK])
    frame, answer = live.step_source(source)
    assert frame is None
    assert answer["error"] == "The kernel failed on a frame (RuntimeError: unplugged); it goes on."
    assert set(answer["ms"]) == {"decode", "kernel"}
    frame, answer = live.step_source(source)
    assert (frame.index, answer["frame"], answer["error"]) == (1, 1, None)


def test_a_frame_of_zero_size_is_refused(pipeline):
    answer = LiveSession(pipeline).step(blank(image=np.zeros((0, 0, 3), np.uint8)))
    assert answer["error"]
    assert answer["faces"] == []


def test_another_size_in_mid_stream_starts_new_tracks():
    replies = answers(session(BOX), [BLANK, BLANK, np.zeros((480, 640, 3), np.uint8), BLANK])
    assert [answer["faces"][0]["track"] for answer in replies] == [1, 1, 2, 3]
    assert [answer["error"] for answer in replies] == [None] * 4


def test_a_clock_that_begins_again_starts_a_new_stream():
    live = session(BOX)
    assert live.answer(Frame(0, 100.0, BLANK))["faces"][0]["track"] == 1
    answer = live.answer(Frame(1, 0.1, BLANK))
    assert (answer["time"], answer["faces"][0]["track"]) == (0.1, 2)


def test_a_source_ends_without_an_answer_and_is_closed():
    live, source = session(BOX), Frames([BLANK])
    assert len(list(live.run(source))) == 1
    assert source.closed
    assert live.step_source(source) == (None, None)
    assert live.latency.answered == 1


def test_below_the_threshold_it_is_not_sure():
    doubtful = np.array([0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], np.float32)
    live = session(BOX, probabilities=doubtful, threshold=0.4)
    (face,) = live.step(blank())["faces"]
    assert (face["emotion"], face["sure"], face["label"]) == ("angry", False, "not sure")
    live.settings.threshold = 0.2
    assert live.step(blank())["faces"][0]["sure"]
    assert [dict(zip(records.COLUMNS, row, strict=True))["sure"] for row in live.table()] == [0, 1]


def test_settings_act_at_once():
    live = session(BOX, detect_every=1)
    live.settings.min_face_size = 90
    live.step(blank())
    assert live.pipeline.detector.least == 90
    live.settings.equalise = "global"
    live.pipeline.crops = lambda image, replies: np.linspace(90, 110, 48 * 48).reshape(1, 48, 48).astype(np.uint8)
    live.step(blank())
    assert np.ptp(live.pipeline.seen) > 200


@pytest.mark.parametrize(
    "change", [{"min_face_size": 4}, {"detect_every": 0}, {"smoothing": -1}, {"threshold": 2}, {"equalise": "magic"}]
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(FerlibError):
        LiveSettings(**change)
    live = session(BOX)
    for name, value in change.items():
        setattr(live.settings, name, value)
    assert live.step(blank())["error"]


def test_sessions_that_share_a_pipeline_never_run_it_at_once():
    busy = threading.Lock()

    class Alone(FakeDetector):
        def __call__(self, image, min_face_size=None):
            assert busy.acquire(blocking=False), "two frames at once"
            try:
                return super().__call__(image, min_face_size)
            finally:
                busy.release()

    shared = NoCrops(Alone(BOX))
    lives = [LiveSession(shared, LiveSettings(detect_every=1)) for _ in range(4)]
    threads = [threading.Thread(target=answers, args=(live, [BLANK] * 50)) for live in lives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [live.latency.failed for live in lives] == [0] * 4
    assert [len(live.table()) for live in lives] == [50] * 4


@pytest.mark.slow
def test_memory_does_not_grow_over_2000_frames():
    live = session(BOX, (170, 60, 250, 160))
    live._rows = type(live._rows)(maxlen=400)
    source = Frames([BLANK] * 2000)
    sizes = []
    tracemalloc.start()
    for _ in live.run(source):
        if source.index in (500, 2000):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert live.latency.answered == 2000
    assert len(live.table()) == 400
    assert sizes[1] - sizes[0] < 100_000


def test_the_session_table_has_the_documented_columns():
    live = session(BOX)
    answers(live, [BLANK] * 2)
    header, *rows = records.as_csv(live.table()).splitlines()
    assert header.split(",") == list(records.COLUMNS)
    assert len(rows) == 2
    first = json.loads(records.as_json(live.table()))[0]
    assert (first["track"], first["x1"], first["time"], first["emotion"]) == (1, 60.0, 0.0, "angry")
    assert sum(first[name] for name in EMOTIONS) == pytest.approx(1)
