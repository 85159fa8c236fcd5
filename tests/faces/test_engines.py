import sys
import warnings

import cv2
import numpy as np
import pytest
from facenet_pytorch import MTCNN

from ferlib import paths
from ferlib.bench.detectors import composed_pictures, detector_agreement
from ferlib.data.drawn.face import draw_face
from ferlib.errors import FerlibError
from ferlib.faces.detector import FaceDetector
from ferlib.faces.mtcnn import nets
from ferlib.samples.clips import crowd


@pytest.fixture(scope="module")
def reference():
    return FaceDetector(engine="torch")


def check(agreement):
    assert (agreement["lost"], agreement["extra"]) == (0, 0)
    assert agreement["least"] > 0.99
    assert agreement["landmark"] < 0.01
    assert agreement["probability"] < 0.001


@pytest.mark.slow
def test_both_engines_find_the_same_faces(detector, reference):
    assert (detector.engine, reference.engine) == ("onnx", "torch")
    agreement = detector_agreement(reference, detector, composed_pictures(count=6))
    assert agreement["pictures"] == 9
    assert agreement["faces"] >= 30
    check(agreement)


@pytest.mark.slow
def test_both_find_the_same_small_faces():
    pictures = [cv2.resize(picture, (320, 240), interpolation=cv2.INTER_AREA) for picture in composed_pictures(1, 3)]
    agreement = detector_agreement(FaceDetector(20, engine="torch"), FaceDetector(20), pictures)
    assert agreement["faces"] >= 10
    check(agreement)


def test_both_say_the_same_of_drawn_faces(detector, reference):
    drawn = [draw_face(name, np.random.default_rng(index)) for index, name in enumerate(("happy", "angry", "neutral"))]
    wide = [cv2.resize(face, (150, 150), interpolation=cv2.INTER_CUBIC) for face in drawn]
    check(detector_agreement(reference, detector, [np.repeat(np.hstack(wide)[..., None], 3, axis=2)]))


def test_the_reference_is_facenet_pytorch_as_it_is(photo, reference):
    boxes, _, points = MTCNN(keep_all=True, min_face_size=40).detect(
        np.pad(photo, ((55, 55), (55, 55), (0, 0)), constant_values=127), landmarks=True
    )
    (detection,) = reference(photo)
    np.testing.assert_allclose(detection.box, boxes[0].astype(float) - 55, atol=1e-3)
    np.testing.assert_allclose(detection.landmarks, points[0].astype(float) - 55, atol=1e-3)


def test_threads_change_nothing(photo):
    single, double = FaceDetector(threads=1), FaceDetector(threads=2)
    picture = next(crowd(count=3, frames=1))
    for first, second in zip(single(picture), double(picture), strict=True):
        np.testing.assert_allclose(first.box, second.box, atol=1e-3)
    with pytest.raises(FerlibError, match="threads"):
        FaceDetector(threads=0)


@pytest.mark.slow
def test_two_hundred_faces():
    picture = next(crowd(1280, 960, count=200, frames=1))
    detections = FaceDetector(20)(picture)
    assert len(detections) >= 195


def test_without_onnxruntime_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes its import fail
    with pytest.raises(FerlibError, match="needs the package onnxruntime; install it: pip install onnxruntime"):
        FaceDetector()


@pytest.mark.parametrize("damage", ["missing", "no graph"])
def test_a_lost_graph_is_one_sentence(monkeypatch, tmp_path, damage):
    if damage == "no graph":
        for name in nets.NAMES:
            (tmp_path / "mtcnn").mkdir(exist_ok=True)
            (tmp_path / "mtcnn" / f"{name}.onnx").write_bytes(b"no graph")
    monkeypatch.setattr(paths, "WEIGHTS", tmp_path)
    with pytest.raises(FerlibError, match=r"pnet\.onnx.*install ferlib again"):
        FaceDetector()


def test_asked_for_by_name_torch_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FaceDetector(engine="torch").engine == "torch"


def test_wrong_engines_are_refused():
    with pytest.raises(FerlibError, match="engine must be"):
        FaceDetector(engine="caffe")
    with pytest.raises(FerlibError, match="runs on the CPU"):
        FaceDetector(engine="onnx", device="cuda")


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_a_face_is_found_again_where_it_was(name):
    detector = FaceDetector(engine=name)
    before, *_, after = crowd(count=2, frames=5)
    detections = detector(before)
    again = detector.refine(after, detections)
    for refined, detection in zip(again, detector(after), strict=True):
        np.testing.assert_allclose(refined.box, detection.box, atol=8)
        np.testing.assert_allclose(refined.landmarks, detection.landmarks, atol=4)


def test_lost_and_doubled_faces_are_told(detector, make):
    picture = next(crowd(count=2, frames=1))
    first, second = detector(picture)
    assert detector.refine(picture, []) == []
    assert detector.refine(np.full_like(picture, 90), [first, second]) == [None, None]
    nowhere = make.detection((-300, -300, -200, -180))
    refined = detector.refine(picture, [nowhere, second, second])
    assert [face is None for face in refined].count(False) == 1
    assert refined[0] is None


def test_a_small_picture_is_framed_for_the_second_look_too(detector, photo):
    small = cv2.resize(photo, (110, 120), interpolation=cv2.INTER_AREA)
    (detection,) = detector(small)
    (again,) = detector.refine(small, [detection])
    np.testing.assert_allclose(again.box, detection.box, atol=5)
    assert min(again.box) >= 0
    with pytest.raises(FerlibError, match="picture"):
        detector.refine(small[..., 0], [detection])
