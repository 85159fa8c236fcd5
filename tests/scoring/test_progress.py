import json

import numpy as np
import pytest
from PIL import Image

from ferlib.pipeline import EmotionPipeline
from ferlib.scoring.picture_log import PictureLog
from ferlib.scoring.workers import Scored


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        Image.new("RGB", (20, 30)).save(path)
    return paths


@pytest.fixture
def log(tmp_path, pipeline):
    return lambda: PictureLog(tmp_path / "rows.csv", pipeline)


def fill(log, pictures, make, *, finished=False):
    for path in pictures:
        log.add(Scored(path, 20, 30, [make.face(), make.face(emotion="sad")]))
    log.close(finished=finished)


def test_an_interrupted_run_is_found_again(log, pictures, make):
    fill(log(), pictures[:2], make)
    again = log()
    assert again.path.name == "rows.csv.part.jsonl"
    found = again.find(pictures[1])
    assert (found.source, found.width, found.height) == (pictures[1], 20, 30)
    assert [face.to_dict() for face in found.faces] == [make.face().to_dict(), make.face(emotion="sad").to_dict()]
    assert again.find(pictures[2]) is None
    assert again.faces(pictures[2]) == []
    again.add(Scored(pictures[2], 20, 30, []))
    assert again.find(pictures[2]).faces == []
    assert len(again.faces(pictures[0])) == 2  # reading and adding do not disturb each other
    again.close(finished=True)
    assert not again.path.exists()


def test_a_line_that_was_cut_off_is_done_again(log, pictures, make):
    fill(log(), pictures, make)
    path = log().path
    path.write_bytes(path.read_bytes()[:-20])
    again = log()
    assert again.find(pictures[1]) is not None
    assert again.find(pictures[2]) is None
    fill(again, pictures[2:], make)
    assert [json.loads(line).get("source") for line in path.read_text().splitlines()][1:] == list(map(str, pictures))


def test_a_picture_that_was_replaced_is_done_again(log, pictures, make):
    fill(log(), pictures, make)
    Image.new("RGB", (200, 300), "red").save(pictures[0])
    again = log()
    assert again.find(pictures[0]) is None
    again.add(Scored(pictures[0], 200, 300, []))
    assert again.faces(pictures[0]) == []  # the newer line counts
    again.close(finished=False)
    assert log().find(pictures[0]).width == 200


@pytest.mark.parametrize("text", [b"", b"{}\n", b"\xff\xfe", b'{"form": 1, "mod'])
def test_any_other_file_is_begun_afresh(log, pictures, make, text):
    fill(log(), pictures, make)
    path = log().path
    path.write_bytes(text)
    again = log()
    assert again.find(pictures[0]) is None
    fill(again, pictures[:1], make)
    assert log().find(pictures[0]) is not None


def test_another_model_or_setting_begins_afresh(log, pictures, make, tmp_path, detector):
    fill(log(), pictures, make)
    other = make.classifier()
    other.name = "another"
    assert PictureLog(tmp_path / "rows.csv", EmotionPipeline(detector, other)).find(pictures[0]) is None


def test_probabilities_come_back(log, pictures, make):
    face = make.face()
    one = log()
    one.add(Scored(pictures[0], 20, 30, [face]))
    (again,) = one.find(pictures[0]).faces
    assert again.probabilities.dtype == np.float32
    assert np.allclose(again.probabilities, face.probabilities, atol=1e-6)
    assert again.landmarks.shape == (5, 2)
    one.close(finished=True)


def test_what_a_replaced_picture_held_does_not_reach_the_table(log, pictures, make):
    fill(log(), pictures, make)
    pictures[0].write_bytes(b"damaged")
    again = log()
    assert again.find(pictures[0]) is None
    assert again.faces(pictures[0]) == []
    assert len(again.faces(pictures[1])) == 2
    again.close(finished=True)
