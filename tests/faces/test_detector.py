from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from ferlib.errors import FerlibError
from ferlib.faces.detector import Detection, FaceDetector


class FakeEngine:
    """Engine with the same answer for every picture, which it remembers."""

    name = "fake"

    def __init__(self, boxes):
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def detect(self, image, min_face_size):
        self.image = image
        points = np.repeat(self.boxes[:, None, :2] + np.float32([1, 2]), 5, axis=1)
        return self.boxes, np.full(len(self.boxes), 0.9, np.float32), points


def with_boxes(boxes, **options):
    detector = FaceDetector(**options)
    detector._engine = FakeEngine(boxes)
    return detector


def picture(height=300, width=400):
    return np.zeros((height, width, 3), np.uint8)


def centre(detection):
    x1, y1, x2, y2 = detection.box
    return (x1 + x2) / 2, (y1 + y2) / 2


def test_finds_the_face_of_the_photo(detector, photo):
    (detection,) = detector(photo)
    assert isinstance(detection, Detection)
    assert detection.confidence > 0.99
    x1, y1, x2, y2 = detection.box
    assert 60 < x1 < 90 < 140 < x2 < 170
    assert 50 < y1 < 80 < 160 < y2 < 190
    assert all(type(value) is float for value in (*detection.box, detection.confidence))


def test_landmarks_are_ordered_as_seen(detector, photo):
    (detection,) = detector(photo)
    left_eye, right_eye, nose, left_mouth, right_mouth = detection.landmarks
    assert detection.landmarks.dtype == np.float32
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_several_faces_come_from_left_to_right(detector, photo):
    small = cv2.resize(photo, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    canvas = np.full((260, 640, 3), 128, np.uint8)
    canvas[:240, 420:] = photo
    canvas[80 : 80 + len(small), 10 : 10 + small.shape[1]] = small
    canvas[60 : 60 + len(small), 220 : 220 + small.shape[1]] = small
    detections = detector(canvas)
    assert len(detections) == 3
    assert [x for x, _ in map(centre, detections)] == sorted(x for x, _ in map(centre, detections))


def test_no_face(detector):
    assert detector(np.full((200, 200, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    "shape", [(1, 1), (10, 300), (300, 10), (39, 39), (40, 40), (41, 41), (20, 20000), (20000, 20)]
)
def test_tiny_and_extreme_shapes_have_no_face(detector, shape):
    assert detector(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)) == []


def test_every_least_size_fits_a_picture_of_that_size():
    for size in range(12, 80, 7):  # 12 / size * size is not always 12: MTCNN's list of scales was empty then
        detector = FaceDetector(min_face_size=size)
        for side in (size - 1, size, size + 1):
            assert detector(np.full((side, side, 3), 60, np.uint8)) == []


def test_a_face_that_fills_a_small_picture_is_found(detector, photo):
    (detection,) = detector(photo)
    x1, y1, x2, y2 = (round(value) for value in detection.box)
    tight = cv2.resize(photo[y1 - 5 : y2, x1 - 12 : x2 + 12], (48, 48), interpolation=cv2.INTER_AREA)
    (again,) = detector(tight)
    assert min(again.box) >= 0
    assert max(again.box) <= 48


def test_boxes_are_clamped_and_empty_ones_dropped():
    detections = with_boxes([[-20, -10, 50, 60], [380, 250, 470, 350], [500, 10, 600, 90], [100, 100, 100.2, 160]])(
        picture()
    )
    assert [d.box for d in detections] == [(0, 0, 50, 60), (380, 250, 400, 300)]


def test_numbers_that_are_none_are_dropped():
    assert with_boxes([[np.nan, 0, 50, 60]])(picture()) == []


def test_large_pictures_are_scaled_down_and_boxes_mapped_back():
    detector = with_boxes([[10, 20, 110, 140]], max_side=400)
    (detection,) = detector(picture(900, 1200))
    assert detector._engine.image.shape == (300, 400, 3)
    np.testing.assert_allclose(detection.box, (30, 60, 330, 420))
    np.testing.assert_allclose(detection.landmarks, [[33, 66]] * 5)


def test_small_pictures_get_a_border_that_boxes_do_not_count():
    detector = with_boxes([[25, 35, 80, 90]])
    (detection,) = detector(picture(100, 120))
    assert detector._engine.image.shape == (150, 170, 3)
    assert detection.box == (0, 10, 55, 65)


def test_scaled_search_finds_the_same_face(photo, detector):
    (small,) = detector(photo)
    (large,) = FaceDetector(max_side=300)(cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))
    np.testing.assert_allclose(large.box, np.array(small.box) * 3, atol=24)


def test_read_only_and_strided_pictures_are_fine(detector, photo):
    assert not photo.flags.writeable
    assert len(detector(photo[:, ::-1])) == 1


@pytest.mark.slow
def test_threads_share_a_detector(detector, photo):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(detector, [photo] * 8))
    assert len({detections[0].box for detections in results}) == 1


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((90, 90), np.uint8), np.zeros((90, 90, 4), np.uint8), np.zeros((90, 90, 3)), "photo.jpg", None],
)
def test_wrong_pictures_are_refused(detector, wrong):
    with pytest.raises(FerlibError, match="picture"):
        detector(wrong)


@pytest.mark.parametrize(
    "options",
    [{"min_face_size": 5}, {"thresholds": (0.6, 0.7)}, {"thresholds": (0.6, 0.7, 1.5)}, {"max_side": 30}],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(FerlibError, match=next(iter(options))):
        FaceDetector(**options)


def test_the_least_size_can_be_given_for_one_picture(detector, photo):
    assert len(detector(photo, 60)) == 1
    assert detector(photo, 230) == []
    assert len(detector(photo)) == 1
    assert detector.min_face_size == 40
    with pytest.raises(FerlibError, match="at least 12"):
        detector(photo, 4)
