import io

import numpy as np
import pytest
from fakes import FakeDetector, NoCrops, TwoQuestions, jpeg, moving, write_video
from PIL import Image

from ferlib.apps.jupyter.demo import LiveDemo, read_faces
from ferlib.errors import FerlibError
from ferlib.live.records import COLUMNS
from ferlib.live.session import LiveSettings
from ferlib.pipeline import EmotionPipeline


@pytest.fixture
def demo(pipeline):
    live_demo = LiveDemo("browser", pipeline)
    yield live_demo
    live_demo.close()


@pytest.fixture
def photo_file(photo):
    data = io.BytesIO()
    Image.fromarray(photo).save(data, "PNG")
    return data.getvalue()


def test_three_tabs_and_none_for_the_camera_without_a_source(demo, pipeline):
    assert demo.tabs.titles == ("Camera", "Photo", "Video")
    assert demo.camera.mode == "browser"
    without = LiveDemo(None, pipeline)
    assert (without.tabs.titles, without.camera) == (("Photo", "Video"), None)
    without.close()


@pytest.mark.parametrize("kind", ["video", "pictures"])
def test_any_source_runs_behind_the_same_view(pipeline, tmp_path, photo, kind):
    source = write_video(tmp_path / "a.avi", moving(photo, 2)) if kind == "video" else [photo, photo]
    demo = LiveDemo(source, pipeline)
    sent = []
    demo.camera.send = lambda content, buffers=None: sent.append(content)
    for number in range(3):
        demo.camera._handle_custom_msg({"type": "frame", "id": number}, [])
    assert [reply["end"] for reply in sent] == [False, False, True]
    assert list(demo.table().columns) == list(COLUMNS)
    assert len(demo.table()) == 2
    demo.close()


def test_the_controls_change_the_settings_of_all_tabs_at_once(demo):
    min_face_size, every, smoothing, threshold, equalise = demo.controls.children
    min_face_size.value, every.value, smoothing.value, threshold.value, equalise.value = 100, 3, 0.5, 0.6, "global"
    assert demo.settings == LiveSettings(100, 3, 0.5, 0.6, "global")
    assert demo.session.settings is demo.photos.settings is demo.videos.session.settings is demo.settings


def test_a_model_of_two_questions_has_a_switch_whose_threshold_follows(detector, photo_file, tmp_path):
    demo = LiveDemo(None, EmotionPipeline(detector, TwoQuestions()))
    *_, threshold, _, question = demo.controls.children
    assert (question.value, threshold.value) == ("both", 0.5)
    (tmp_path / "a.png").write_bytes(photo_file)
    assert "sad" in demo.photos.show(tmp_path / "a.png", "a.png")
    question.value = "seen"
    assert threshold.value == demo.settings.threshold == 0.6
    assert "neutral" in demo.photos.show(tmp_path / "a.png", "a.png")
    demo.close()


def test_the_demo_shows_what_it_is_given(pipeline):
    demo = LiveDemo(None, pipeline, LiveSettings(threshold=0.35, detect_every=4))
    assert [control.value for control in demo.controls.children] == [60, 4, 0.3, 0.35, "none"]
    demo.close()


def test_photos_are_annotated_the_newest_first(demo, photo_file):
    assert demo.photos.zone.take("a.png", photo_file) == "a.png: 1 face, angry 72 %."
    demo.photos.zone.take("b.png", photo_file)
    shown = demo.photos.gallery.children
    assert [entry.children[0].value[:5] for entry in shown] == ["b.png", "a.png"]
    assert Image.open(io.BytesIO(shown[0].children[1].value)).format == "JPEG"


def test_an_animation_says_that_its_first_frame_was_read(demo):
    file, frames = io.BytesIO(), [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    sentence = demo.photos.zone.take("a.gif", file.getvalue())
    assert sentence == "a.gif: no face found. a.gif has several frames; only the first one is read."


def test_a_name_cannot_smuggle_html_into_the_page(demo, photo_file):
    demo.photos.zone.take("<img src=x onerror=alert(1)>.png", photo_file)
    assert "<img" not in demo.photos.gallery.children[0].children[0].value


def test_the_page_keeps_twelve_photos(demo):
    small = jpeg(np.zeros((40, 40, 3), np.uint8))
    for number in range(15):
        demo.photos.zone.take(f"{number}.jpg", small)
    entries = demo.photos.gallery.children
    assert len(entries) == 12
    assert entries[0].children[0].value == "14.jpg: no face found."


@pytest.mark.parametrize(("data", "fragment"), [(b"", "0 bytes"), (b"text", "not a picture")])
def test_a_bad_photo_is_one_sentence_and_the_demo_goes_on(demo, photo_file, data, fragment):
    assert fragment in demo.photos.zone.take("a.png", data)
    assert demo.photos.gallery.children == ()
    assert "1 face" in demo.photos.zone.take("a.png", photo_file)


def test_a_video_is_ready_to_be_played(demo, tmp_path, photo):
    clip = write_video(tmp_path / "a.avi", moving(photo, 3))
    assert demo.videos.zone.take("my.avi", clip.read_bytes()) == "my.avi is ready; press Start below."
    (view,) = demo.videos.place.children
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._handle_custom_msg({"type": "frame", "id": 1}, [])
    assert sent[0]["answer"]["faces"]


def test_a_bad_video_leaves_the_old_one(demo, tmp_path, photo):
    assert "no frame that can be read" in demo.videos.zone.take("a.mp4", b"text")
    assert demo.videos.view is None
    clip = write_video(tmp_path / "a.avi", moving(photo, 3)).read_bytes()
    demo.videos.zone.take("my.avi", clip)
    view, sent = demo.videos.view, []
    assert "no frame that can be read" in demo.videos.zone.take("b.avi", b"text")
    assert demo.videos.view is view
    view.send = lambda content, buffers=None: sent.append(content)
    view._handle_custom_msg({"type": "frame", "id": 1}, [])
    assert sent[0]["answer"]["frame"] == 0


def test_a_video_is_one_whatever_its_name_ends_in(demo, tmp_path, photo):
    clip = write_video(tmp_path / "a.avi", moving(photo, 3)).read_bytes()
    assert demo.videos.zone.take("my.clip", clip) == "my.clip is ready; press Start below."
    view, sent = demo.videos.view, []
    view.send = lambda content, buffers=None: sent.append(content)
    view._handle_custom_msg({"type": "frame", "id": 1}, [])
    assert sent[0]["answer"]["frame"] == 0


def test_read_faces_follows_the_settings(photo):
    fakes = NoCrops(FakeDetector((60, 60, 140, 160)))
    assert len(read_faces(fakes, photo, LiveSettings(min_face_size=90))) == 1
    assert fakes.detector.least == 90
    (face,) = read_faces(fakes, photo, LiveSettings(threshold=1.0))
    assert face.label == "not sure"  # what the picture says then, too
    settings = LiveSettings()
    settings.threshold = 7
    with pytest.raises(FerlibError, match="threshold"):
        read_faces(fakes, photo, settings)
