"""Large pictures are searched down to the smallest face in their own pixels, and pictures on their side at all."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from fakes import make_textures

from ferlib.faces.cropping import CropSpec, crop_square
from ferlib.faces.detector import Detection, FaceDetector
from ferlib.faces.tiles import belongs_to_tile, cut_into_tiles, new_faces, plan_copies, turn_back


def crowd(photo, height, width, places, size):
    """A picture with faces of about `size` pixels at these centres."""
    factor = size / 92  # width of the face's box in the photo
    small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), 120, np.uint8)
    for x, y in places:
        top, left = y - len(small) // 2, x - small.shape[1] // 2
        canvas[top : top + len(small), left : left + small.shape[1]] = small
    return canvas


@pytest.mark.slow
def test_a_panorama_of_twelve_small_faces_finds_them_all(photo):
    places = [(500 + 1000 * index, 500) for index in range(12)]
    picture = crowd(photo, 1000, 12_000, places, 88)
    detector = FaceDetector()
    assert detector(picture) == []  # 14 pixels in the copy
    detections = detector.search(picture)
    assert len(detections) == 12
    for detection, (x, _) in zip(detections, places, strict=True):
        assert abs((detection.box[0] + detection.box[2]) / 2 - x) < 60
        assert 60 < detection.box[2] - detection.box[0] < 130


def test_faces_at_the_cuts_of_tiles_come_once(photo):
    picture = crowd(photo, 240, 620, [(x, 120) for x in (80, 230, 380, 540)], 60)
    detections = FaceDetector(max_side=300).search(picture)
    assert len(detections) == 4
    assert [d.box[0] for d in detections] == sorted(d.box[0] for d in detections)


def test_a_picture_that_needs_no_tiles_gives_the_same_faces_to_the_last_digit(detector, photo):
    pairs = zip(detector(photo), detector.search(photo), strict=True)
    for called, searched in pairs:
        assert called.box == searched.box
        assert called.confidence == searched.confidence
        np.testing.assert_array_equal(called.landmarks, searched.landmarks)


def test_a_larger_smallest_size_is_searched_in_the_copy_alone(photo, monkeypatch):
    picture, detector, sizes = crowd(photo, 600, 1200, [(300, 300)], 200), FaceDetector(max_side=400), []
    call = FaceDetector.__call__
    monkeypatch.setattr(
        FaceDetector, "__call__", lambda self, image, size: sizes.append(size) or call(self, image, size)
    )
    (detection,) = detector.search(picture, 120)
    assert sizes == [40]
    assert 140 < detection.box[2] - detection.box[0] < 260


def test_faces_of_the_whole_picture_stay_as_they_are(photo):
    detector, large = FaceDetector(max_side=300), cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert [d.box for d in detector.search(large)] == [d.box for d in detector(large)]


def test_the_smallest_size_counts_in_the_pictures_own_pixels(photo):
    picture = crowd(photo, 300, 1100, [(200, 150), (800, 150)], 60)
    detector = FaceDetector(max_side=300)
    assert len(detector.search(picture)) == 2
    assert detector.search(picture, 200) == []


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_on_its_side_or_head_is_found_and_cut_out_upright(detector, photo, quarters):
    (upright,) = detector(photo)
    turned = np.ascontiguousarray(np.rot90(photo, quarters))
    assert all(weak.confidence < 0.95 for weak in detector(turned))
    (detection,) = detector.search(turned)
    assert detection.confidence > 0.99
    assert min(detection.box) >= 0
    assert detection.box[2] <= turned.shape[1]
    back = turn_back(np.array(detection.box).reshape(2, 2), quarters, photo.shape)
    np.testing.assert_allclose(np.concatenate([back.min(0), back.max(0)]), upright.box, atol=1)
    _, _, turn = crop_square(detection, CropSpec(free_roll=0))
    assert abs(abs(np.degrees(turn)) - (180 if quarters == 2 else 90)) < 15


def test_pictures_without_a_face_have_none_in_any_turn(detector):
    for texture in make_textures(3, size=160):
        assert detector.search(np.repeat(texture[..., None], 3, axis=2)) == []


def test_copies_end_at_the_pictures_own_pixels():
    assert plan_copies(1920, 1920, 40, 40) == []
    assert [copy.factor for copy in plan_copies(6000, 1920, 40, 40)] == [1.0]
    assert [round(copy.factor, 3) for copy in plan_copies(20_000, 1920, 40, 40)] == [0.384, 1.0]
    assert plan_copies(6000, 1920, 40, 40)[0].max_face_size == pytest.approx(1.5 * 40 * 6000 / 1920)


def test_copies_are_no_finer_than_the_smallest_face_needs():
    assert plan_copies(6000, 1920, 125, 40) == []
    assert [copy.factor for copy in plan_copies(6000, 1920, 80, 40)] == [0.5]


@pytest.mark.parametrize("length", [300, 301, 599, 1000, 4321])
def test_tiles_cover_the_picture_and_overlap(length):
    tiles = list(cut_into_tiles(200, length, 300, 90))
    assert tiles[0][0] == 0
    assert tiles[-1][2] == length
    for left, right in pairwise(tiles):
        assert left[2] - right[0] >= 89
        assert right[2] - right[0] == 300


def test_a_face_at_a_cut_belongs_to_the_next_tile():
    boxes = np.array([[0, 10, 40, 50], [160, 10, 200, 50], [50, 0, 90, 40], [50, 10, 150, 110]], float)
    tile, shape = (100, 0, 300, 200), (200, 1000)
    assert belongs_to_tile(boxes, tile, shape, 60).tolist() == [False, False, True, False]


def test_of_equal_faces_the_most_probable_is_new_unless_one_is_known():
    boxes = np.array([[0, 0, 40, 40], [2, 2, 42, 42], [100, 100, 140, 140]], float)
    scores = np.array([0.8, 0.9, 0.7])
    assert new_faces(np.zeros((0, 4)), boxes, scores) == [1, 2]
    assert new_faces(np.array([[95.0, 95, 145, 145]]), boxes, scores) == [1]


def test_a_weak_upright_face_stays_where_no_turn_shows_a_probable_one(monkeypatch):
    weak = Detection((10.0, 20.0, 60.0, 80.0), np.zeros((5, 2), np.float32), 0.8)
    detector = FaceDetector()
    monkeypatch.setattr(FaceDetector, "__call__", lambda self, image, min_face_size=None: [weak])
    assert detector.search(np.zeros((300, 300, 3), np.uint8)) == [weak]
