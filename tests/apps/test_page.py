"""The page of `ferlib app`, run by Streamlit's own test harness with a pipeline that needs no weights."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakeDetector, NoCrops, TwoQuestions, jpeg
from PIL import Image

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.models import checkpoints

pytest.importorskip("streamlit", reason="the extra app is not installed")
from streamlit.testing.v1 import AppTest

PAGE = paths.ROOT / "ferlib" / "apps" / "page" / "script.py"
PICTURE = np.full((300, 400, 3), 90, np.uint8)
PROBABILITIES = np.array([0.02, 0.02, 0.02, 0.02, 0.8, 0.08, 0.02, 0.02], np.float32)


@pytest.fixture
def fakes(monkeypatch):
    """What the page gets for a pipeline, and the models that were asked for."""
    import streamlit

    from ferlib.apps.page import parts

    pipeline = NoCrops(FakeDetector((20, 30, 80, 110), (200, 40, 260, 120)), PROBABILITIES)
    pipeline.threshold, pipeline.asked = 0.56, []
    monkeypatch.setattr(parts, "load_pipeline", lambda model, question: pipeline.asked.append(model) or pipeline)
    monkeypatch.setattr(checkpoints, "DEFAULT_MODEL", "custom_cnn")
    monkeypatch.setattr(checkpoints, "available", lambda: ["custom_cnn", "efficientnet_lite2"])
    streamlit.cache_resource.clear()
    yield pipeline
    streamlit.cache_resource.clear()


@pytest.fixture
def page(fakes):
    return AppTest.from_file(PAGE, default_timeout=120).run()


def page_text(page):
    return " ".join(element.proto.body for element in page.html)


def upload(page, *files):
    page.file_uploader[0].set_value([(name, data, "image/jpeg") for name, data in files])
    return page.run()


@pytest.mark.slow
def test_it_begins_with_the_sample_picture_and_the_promise(page, fakes):
    assert not page.exception
    assert page.title[0].value == "Facial expressions"
    assert "not a feeling" in page.caption[0].value
    assert any("Eileen Collins" in element.value for element in page.caption)
    assert "1 · happy 80 %" in page_text(page)
    assert "2 · happy 80 %" in page_text(page)
    assert all(f"{name} " in page_text(page) for name in EMOTIONS)
    assert fakes.asked == ["custom_cnn"]


@pytest.mark.slow
def test_the_limits_come_from_the_model_card(page):
    assert any("not what a person feels" in element.value for element in page.expander[0].markdown)


def test_pictures_are_read_and_can_be_downloaded(page):
    upload(page, ("a.jpg", jpeg(PICTURE)), ("b.jpg", jpeg(PICTURE + 1)))
    assert [element.value for element in page.caption if "pixels" in element.value] == [
        "a.jpg, 400 x 300 pixels", "b.jpg, 400 x 300 pixels",
    ]  # fmt: skip
    labels = [element.label for element in page.download_button]
    assert labels == ["table (CSV)", "picture with boxes (PNG)"] * 2 + ["the table of all pictures"]


@pytest.mark.slow
def test_bad_files_get_a_sentence_each_and_the_good_one_is_read(page):
    huge = io.BytesIO()
    Image.new("L", (10_000, 10_000)).save(huge, "PNG")
    upload(page, ("text.jpg", b"text"), ("none.jpg", b""), ("huge.jpg", huge.getvalue()), ("a.jpg", jpeg(PICTURE)))
    assert not page.exception
    assert [element.value for element in page.error] == [
        "text.jpg is not a picture that can be read; give a JPEG or PNG file.",
        "none.jpg is empty (0 bytes); copy or download it again.",
        "huge.jpg has more than 70 megapixels; scale it down first.",
    ]
    assert "happy 80 %" in page_text(page)


def test_names_are_no_markdown(page):
    upload(page, ("_a*b*~1~ $5.jpg", jpeg(PICTURE)), ("_c_.jpg", b"text"))
    caption = next(element.value for element in page.caption if "pixels" in element.value)
    assert caption == r"\_a\*b\*\~1\~ \$5.jpg, 400 x 300 pixels"
    assert page.error[0].value == r"\_c\_.jpg is not a picture that can be read; give a JPEG or PNG file."


@pytest.mark.slow
def test_too_many_pictures_are_cut_with_a_word(page, fakes):
    upload(page, *((f"{number}.jpg", jpeg(PICTURE + number)) for number in range(22)))
    assert page.warning[0].value == "22 pictures were given; the first 20 are read."
    assert fakes.detector.calls == 1 + 20  # the sample, then these


def test_the_threshold_changes_words_and_reads_nothing_again(page, fakes):
    before = fakes.detector.calls
    page.slider(key="threshold of custom_cnn").set_value(90).run()
    assert "1 · not sure" in page_text(page)
    assert fakes.detector.calls == before
    page.slider(key="min_face_size").set_value(80).run()
    assert (fakes.detector.calls, fakes.detector.least) == (before + 1, 80)


@pytest.mark.slow
def test_another_model_reads_again_and_each_is_loaded_once(page, fakes):
    for name in ("efficientnet_lite2", "custom_cnn", "efficientnet_lite2"):
        page.selectbox(key="model").set_value(name).run()
    assert fakes.asked == ["custom_cnn", "efficientnet_lite2"]
    assert fakes.detector.calls == 2


@pytest.mark.slow
def test_no_face_is_said(page, fakes):
    fakes.detector.boxes = []
    upload(page, ("wall.jpg", jpeg(PICTURE)))
    assert "No face was found" in page.info[0].value


def test_a_snapshot(page):
    page.segmented_control(key="mode").set_value("Snapshot").run()
    assert not page.file_uploader
    page.camera_input[0].set_value(("shot.jpg", jpeg(PICTURE), "image/jpeg"))
    page.run()
    assert any(element.value == "snapshot.jpg, 400 x 300 pixels" for element in page.caption)


def test_the_live_camera_asks_no_other_machine(page, monkeypatch):
    streamlit_webrtc = pytest.importorskip("streamlit_webrtc", reason="the extra app is not installed")
    asked = {}

    def fake(**options):
        asked.update(options)
        camera = options["video_processor_factory"]()
        camera.draw(PICTURE)
        return SimpleNamespace(video_processor=camera, state=SimpleNamespace(playing=True))

    monkeypatch.setattr(streamlit_webrtc, "webrtc_streamer", fake)
    page.segmented_control(key="mode").set_value("Live camera").run()
    assert not page.exception
    assert asked["rtc_configuration"] == {"iceServers": []}
    assert asked["media_stream_constraints"]["audio"] is False
    assert any("2 faces now" in element.value for element in page.caption)
    assert "2 · " in page_text(page)


def test_without_weights_it_says_so(page, monkeypatch):
    monkeypatch.setattr(checkpoints, "DEFAULT_MODEL", "custom_cnn")
    monkeypatch.setattr(checkpoints, "available", lambda: [])
    page.run()
    assert "no weights in data/checkpoints" in page.error[0].value


def test_weights_that_cannot_be_loaded_are_a_sentence(page, monkeypatch):
    from ferlib.apps.page import parts

    def damaged(model, question):
        raise FerlibError("the weights file is damaged.")

    monkeypatch.setattr(parts, "load_pipeline", damaged)
    page.selectbox(key="model").set_value("efficientnet_lite2").run()
    assert page.error[0].value == "the weights file is damaged."


def test_a_model_of_two_questions_has_a_switch_and_its_thresholds(page, monkeypatch):
    from ferlib.apps.page import parts

    asked = []

    def load(model, question):
        asked.append(question)
        pipeline = NoCrops(FakeDetector((20, 30, 80, 110)), PROBABILITIES)
        pipeline.classifier = TwoQuestions()
        pipeline.classifier.ask(question or "both")
        pipeline.threshold = pipeline.classifier.threshold
        return pipeline

    assert [box.key for box in page.selectbox] == ["model"]
    monkeypatch.setattr(parts, "load_pipeline", load)
    page.selectbox(key="model").set_value("efficientnet_lite2").run()
    switch = page.selectbox(key="question to efficientnet_lite2")
    assert (switch.value, page.sidebar.slider[0].value) == ("both", 50)
    switch.set_value("meant").run()
    assert not page.exception
    assert asked == [None, "meant"]
    assert page.sidebar.slider[0].value == 70
