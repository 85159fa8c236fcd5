import csv
import io

import numpy as np
import pytest
from fakes import FakeDetector, NoCrops, jpeg
from PIL import Image

from ferlib import paths
from ferlib.annotate import html as annotate_html
from ferlib.annotate import words
from ferlib.apps import reading
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live.session import LiveSettings
from ferlib.scoring.tables import CSV_COLUMNS

HAPPY = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("happy")] * 0.72 + 0.035


@pytest.fixture
def fakes():
    """A pipeline that finds two faces in whatever it is shown."""
    return NoCrops(FakeDetector((20, 30, 80, 110), (200, 40, 260, 120)), HAPPY)


def picture(width=400, height=300):
    return np.full((height, width, 3), 90, np.uint8)


def png(width, height):
    data = io.BytesIO()
    Image.new("L", (width, height)).save(data, "PNG")
    return data.getvalue()


def test_an_upload_becomes_a_reading(fakes):
    result = reading.read_upload(fakes, jpeg(picture()), "a.jpg", LiveSettings(min_face_size=50))
    assert (result.name, result.size, len(result.faces)) == ("a.jpg", (400, 300), 2)
    assert result.preview.shape == (300, 400, 3)
    assert fakes.detector.least == 50


def test_an_animation_says_that_its_first_frame_is_read(fakes):
    data, frames = io.BytesIO(), [Image.new("RGB", (300, 200), colour) for colour in ("red", "blue")]
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    result = reading.read_upload(fakes, data.getvalue(), "a.gif", LiveSettings())
    assert result.notes == ("a.gif has several frames; only the first one is read.",)
    assert reading.read_upload(fakes, jpeg(picture()), "a.jpg", LiveSettings()).notes == ()


def test_a_large_picture_is_kept_small_and_drawn_where_its_faces_are(fakes):
    result = reading.read_picture(fakes, picture(5600, 4200), "big.jpg", LiveSettings())
    assert result.size == (5600, 4200)
    assert result.preview.shape == (1050, 1400, 3)
    changed = np.argwhere((result.drawn(0.5) != result.preview).any(axis=2))
    assert changed[:, 0].max() < 0.05 * 1050  # the boxes of 120 pixels lie at the top, as in the original
    assert changed[:, 1].max() < 0.2 * 1400


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "x.jpg is empty (0 bytes)"),
        (b"this is text", "x.jpg is not a picture that can be read; give a JPEG or PNG file."),
        (jpeg(picture())[:400], "x.jpg is cut short or damaged"),
        (bytes(200_000_000), "x.jpg has 200 MB, and 100 MB is the most for one picture; scale it down first."),
        (png(10_000, 10_000), "x.jpg has more than 70 megapixels; scale it down first."),
    ],
    ids=["empty", "text", "cut short", "200 MB", "100 megapixels"],
)
def test_a_bad_upload_is_one_sentence(fakes, data, sentence):
    with pytest.raises(FerlibError) as raised:
        reading.read_upload(fakes, data, "x.jpg", LiveSettings())
    assert str(raised.value).startswith(sentence)
    assert fakes.detector.calls == 0


def test_the_threshold_changes_words_only(make):
    sure, unsure = (reading.with_threshold([make.face(confidence=0.79)], value)[0] for value in (0.79, 0.8))
    assert (sure.label, unsure.label) == ("happy", "not sure")
    assert sure.confidence == unsure.confidence
    assert words.heading(sure) == "happy 79 %"
    assert words.heading(unsure, 2) == "2 · not sure"


def test_the_bars_have_every_emotion_with_its_percent(make):
    html = annotate_html.bars(make.face(confidence=0.79), 3)
    assert "3 · happy 79 %" in html
    for name in EMOTIONS:
        assert f'aria-label="{name} {"79.0" if name == "happy" else "3.0"} percent"' in html


def test_the_table_has_a_row_a_face_of_each_picture(fakes):
    readings = [reading.read_picture(fakes, picture(), name, LiveSettings()) for name in ("a.jpg", 'b,"c".jpg')]
    rows = list(csv.reader(io.StringIO(reading.faces_as_csv(readings, 0.9))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row[:2] for row in rows[1:]] == [["a.jpg", "1"], ["a.jpg", "2"], ['b,"c".jpg', "1"], ['b,"c".jpg', "2"]]
    assert {row[CSV_COLUMNS.index("sure")] for row in rows[1:]} == {"0"}


def test_a_name_like_a_formula_is_escaped_in_the_table(fakes):
    result = reading.read_picture(fakes, picture(), "=HYPERLINK(1).jpg", LiveSettings())
    rows = list(csv.reader(io.StringIO(reading.faces_as_csv([result], 0.9))))
    assert rows[1][0] == "'=HYPERLINK(1).jpg"


def test_the_whole_picture_as_png(make):
    with Image.open(io.BytesIO(reading.annotated_png(picture(), [make.face()], 0.5))) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (400, 300))


def test_the_limits_are_the_model_cards(tmp_path, monkeypatch):
    limits = reading.model_card_limits()
    assert "not what a person feels" in limits
    assert "## " not in limits
    monkeypatch.setattr(paths, "WEIGHTS", tmp_path)
    with pytest.raises(FerlibError, match="no section on limits"):
        reading.model_card_limits()
