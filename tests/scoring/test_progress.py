import json

import numpy as np
import pytest
from PIL import Image

from ferlib.pipeline import EmotionPipeline
from ferlib.scoring.progress import PictureLog, VideoLog
from ferlib.scoring.workers import ScoredPicture


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
        log.add(ScoredPicture(path, 20, 30, [make.face(), make.face(emotion="sad")]))
    log.close(finished=finished)


def test_an_interrupted_run_is_found_again(log, pictures, make):
    fill(log(), pictures[:2], make)
    again = log()
    assert again.path.name == "rows.csv.part.jsonl"
    scored = again.find(pictures[1])
    assert (scored.source, scored.width, scored.height) == (pictures[1], 20, 30)
    assert [face.to_dict() for face in scored.faces] == [make.face().to_dict(), make.face(emotion="sad").to_dict()]
    assert again.find(pictures[2]) is None
    assert again.faces(pictures[2]) == []
    again.add(ScoredPicture(pictures[2], 20, 30, []))
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
    again.add(ScoredPicture(pictures[0], 200, 300, []))
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
    first = log()
    first.add(ScoredPicture(pictures[0], 20, 30, [face]))
    (again,) = first.find(pictures[0]).faces
    assert again.probabilities.dtype == np.float32
    assert np.allclose(again.probabilities, face.probabilities, atol=1e-6)
    assert again.landmarks.shape == (5, 2)
    first.close(finished=True)


def test_what_a_replaced_picture_held_does_not_reach_the_table(log, pictures, make):
    fill(log(), pictures, make)
    pictures[0].write_bytes(b"damaged")
    again = log()
    assert again.find(pictures[0]) is None
    assert again.faces(pictures[0]) == []
    assert len(again.faces(pictures[1])) == 2
    again.close(finished=True)


@pytest.mark.slow
def test_a_folder_resumes_from_a_file_that_was_cut_off_anywhere(log, pictures, make):
    fill(log(), pictures, make)
    path = log().path
    content = path.read_bytes()
    ends = np.cumsum([len(line) for line in content.splitlines(keepends=True)])
    for size in range(len(content)):
        path.write_bytes(content[:size])
        again = log()
        intact = max(0, int((ends <= size).sum()) - 1)  # without the header
        assert [again.find(picture) is not None for picture in pictures] == [k < intact for k in range(3)]
        again.close(finished=False)


@pytest.fixture
def video_log(tmp_path, pipeline):
    (tmp_path / "clip.mp4").write_bytes(b"a video")

    def make_log(detect_every=1):
        part = tmp_path / "rows.csv.part.jsonl"
        return VideoLog(part, tmp_path / "clip.mp4", pipeline, every=1, detect_every=detect_every)

    return make_log


def fill_video(log, make):
    """Frames 0 to 5; 2 cannot be decoded, and faces are detected in 0, 3 and 5."""
    for frame in range(6):
        if frame == 2:
            log.add_damaged(frame)
        else:
            log.add(frame, frame / 10, [make.face()], detected=frame in (0, 3, 5))
    log.close(finished=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("detect_every", "starts", "damaged"),
    [(1, [0, 0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 1, 1, 1, 1]), (3, [0, 0, 0, 0, 0, 3, 3, 5], [0, 0, 0, 0, 0, 1, 1, 1])],
)
def test_a_video_resumes_from_a_file_that_was_cut_off_anywhere(video_log, make, detect_every, starts, damaged):
    """`starts` and `damaged` by the number of intact lines, the header included."""
    log = video_log(detect_every)
    fill_video(log, make)
    path, content = log.path, log.path.read_bytes()
    ends = np.cumsum([len(line) for line in content.splitlines(keepends=True)])
    for size in range(len(content)):
        path.write_bytes(content[:size])
        again = video_log(detect_every)
        intact = int((ends <= size).sum())
        assert (again.start, again.damaged) == (starts[intact], damaged[intact])
        again.close(finished=False)
        frames = [frame for frame, _, _ in again.tracked(0.3)]
        assert frames == [frame for frame in range(again.start) if frame != 2]


def test_probabilities_of_a_video_may_be_a_list(video_log, make):
    """As files of earlier versions hold them."""
    log = video_log()
    log.add(0, 0.0, [make.face()], detected=True)
    log.close(finished=False)
    header, line = map(json.loads, log.path.read_text().splitlines())
    line["faces"][0]["probabilities"] = list(line["faces"][0]["probabilities"].values())
    log.path.write_text(f"{json.dumps(header)}\n{json.dumps(line)}\n")
    again = video_log()
    assert again.start == 1
    ((_, _, (face,)),) = again.tracked(0.3)
    assert face.emotion == "happy"
    np.testing.assert_allclose(face.probabilities, make.face().probabilities, atol=1e-6)
    again.close(finished=True)
    assert not again.path.exists()
