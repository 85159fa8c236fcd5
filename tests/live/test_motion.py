import cv2
import numpy as np
import pytest

from ferlib.live.motion import follow


@pytest.fixture(scope="module")
def scene(photo):
    """A grey picture with room to move, and what the detector finds in it."""
    picture = np.full((360, 480, 3), 90, np.uint8)
    picture[60:300, 120:340] = photo
    return picture


def grey(picture):
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def moved(picture, dx=0.0, dy=0.0, scale=1.0):
    height, width = picture.shape[:2]
    matrix = np.array([[scale, 0, dx + (1 - scale) * width / 2], [0, scale, dy + (1 - scale) * height / 2]])
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(("dx", "dy", "scale"), [(0, 0, 1), (9, -5, 1), (-12, 0, 1.05), (0, 4, 0.95)])
def test_a_moved_face_is_where_the_detector_would_find_it(detector, scene, dx, dy, scale):
    (start,) = detector(scene)
    after = moved(scene, dx, dy, scale)
    (found,) = follow(grey(scene), grey(after), [start])
    centre = np.array([240, 180])
    expected = (start.landmarks - centre) * scale + centre + [dx, dy]
    np.testing.assert_allclose(found.landmarks, expected, atol=1.5)
    (again,) = detector(after)
    np.testing.assert_allclose(found.box, again.box, atol=12)
    assert found.confidence == start.confidence


def test_a_lost_face_asks_for_a_detection(detector, scene):
    (start,) = detector(scene)
    noise = np.random.default_rng(0).integers(0, 256, scene.shape[:2], dtype=np.uint8)
    assert follow(grey(scene), noise, [start]) is None
    assert follow(grey(scene), np.zeros(scene.shape[:2], np.uint8), [start]) is None


def test_another_size_asks_for_a_detection(detector, scene):
    assert follow(grey(scene), grey(scene)[:-2], detector(scene)) is None


def test_nobody_to_follow(scene):
    assert follow(grey(scene), grey(scene), []) == []


def test_the_box_stays_inside_the_frame(detector, scene):
    (start,) = detector(scene)
    after = moved(scene, dx=60)
    small = grey(scene)[:, : int(start.box[2]) + 20], grey(after)[:, : int(start.box[2]) + 20]
    found = follow(*small, [start])
    assert found is None or found[0].box[2] <= small[0].shape[1]
