from functools import partial

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferlib.errors import FerlibError
from ferlib.evaluation.crop_fit import measure_crop_agreement, paste_face
from ferlib.faces.cropping import CropSpec, crop_face, crop_square
from ferlib.faces.detector import Detection

crop = partial(crop_face, size=48)


def pattern():
    """A smooth 48x48 picture whose every place looks different."""
    coarse = np.random.default_rng(3).integers(30, 226, (7, 7), dtype=np.uint8)
    return cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)


def detection_of(centre, side, roll=0.0):
    """What the detector would say of a face that FER2013 would cut out as this square."""
    down, across = np.array([-np.sin(roll), np.cos(roll)]), np.array([np.cos(roll), np.sin(roll)])
    unit = side / 1.81 / np.sqrt(2)  # eyes as far from each other as from the mouth
    eyes = np.asarray(centre) - 0.11 * side * down
    mouth = eyes + unit * down
    points = [eyes - unit / 2 * across, eyes + unit / 2 * across, (eyes + mouth) / 2]
    points += [mouth - unit / 3 * across, mouth + unit / 3 * across]
    half = side / 1.08 / 2
    box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    return Detection(box, np.array(points, np.float32), 1.0)


def difference(first, second):
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@pytest.mark.parametrize("basis", ["box", "eyes"])
@pytest.mark.parametrize("side", [30.0, 48.0, 96.0, 131.5, 300.0])
def test_a_pasted_face_comes_back(basis, side):
    picture = paste_face(pattern(), side, (320.3, 240.7))
    cut = crop(picture, detection_of((320.3, 240.7), side), CropSpec(basis))
    assert cut.shape == (48, 48)
    assert cut.dtype == np.uint8
    assert difference(cut, pattern()) < (6 if side < 48 else 1.5)


def test_an_aligned_face_comes_back_upright():
    roll = np.radians(35)
    picture = paste_face(pattern(), 150, (300, 220), roll)
    detection = detection_of((300, 220), 150, roll)
    assert difference(crop(picture, detection, CropSpec(free_roll=0)), pattern()) < 1.5
    assert difference(crop(picture, detection, CropSpec(align=False)), pattern()) > 10


def test_a_small_tilt_stays_and_a_large_one_is_reduced_to_it():
    for roll, left in ((4, 0), (-4, 0), (25, 20), (-25, -20)):
        turn = crop_square(detection_of((50, 50), 60, np.radians(roll)), CropSpec(free_roll=5))[2]
        assert np.degrees(turn) == pytest.approx(left, abs=1e-3)


def test_margin_and_shift():
    detection = detection_of((100, 100), 60)
    for basis in ("box", "eyes"):
        centre, side, _ = crop_square(detection, CropSpec(basis, margin=0.5, vertical_shift=0.1))
        assert side == pytest.approx(90, abs=0.01)
        assert centre[0] == pytest.approx(100, abs=0.01)
    assert crop_square(detection, CropSpec("box", vertical_shift=0.1))[0][1] == pytest.approx(106, abs=0.01)


def test_fine_texture_does_not_alias():
    board = np.indices((480, 480)).sum(0) % 2 * 255  # one-pixel chequers average to mid-grey
    picture = np.repeat(board[..., None], 3, 2).astype(np.uint8)
    cut = crop(picture, detection_of((240, 240), 400), CropSpec())
    assert np.abs(cut.astype(int) - 127).max() <= 16


def test_what_reaches_outside_repeats_the_border():
    picture = np.full((100, 100, 3), 80, np.uint8)
    for centre in ((0, 0), (100, 100), (-500, 50), (50, 900)):
        assert np.all(crop(picture, detection_of(centre, 60)) == 80)


def test_pictures_too_long_for_opencv():
    picture = np.full((60, 40000, 3), 90, np.uint8)
    assert np.all(crop(picture, detection_of((39900, 30), 50)) == 90)


def test_size_and_tiny_faces():
    picture = np.full((50, 50, 3), 10, np.uint8)
    assert crop_face(picture, detection_of((20, 20), 0.1), size=96).shape == (96, 96)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    centre=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), side=st.floats(0, 5e3), roll=st.floats(-4, 4),
    basis=st.sampled_from(["box", "eyes"]), shape=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    size=st.integers(1, 96),
)  # fmt: skip
def test_a_crop_has_the_size_asked_for_wherever_the_face_lies(centre, side, roll, basis, shape, size):
    picture = np.full((*shape, 3), 80, np.uint8)
    cut = crop_face(picture, detection_of(centre, side, roll), CropSpec(basis), size=size)
    assert (cut.shape, cut.dtype) == ((size, size), np.uint8)
    assert (cut == 80).all()  # a picture of one grey has crops of that grey


def test_channels_are_weighed_as_rgb():
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[..., 0] = 255
    assert abs(int(crop(picture, detection_of((30, 30), 40))[24, 24]) - 76) <= 1  # 0.299 of 255


@pytest.mark.parametrize("options", [{"basis": "nose"}, {"margin": -1}, {"free_roll": -2}])
def test_wrong_specs_are_refused(options):
    with pytest.raises(FerlibError, match=next(iter(options))):
        CropSpec(**options)


def test_paste_face_keeps_the_face_and_has_one():
    picture = paste_face(pattern(), 96, (320, 240))
    assert picture.shape == (480, 640, 3)
    inside = cv2.resize(picture[192:288, 272:368, 0], (48, 48), interpolation=cv2.INTER_AREA)
    assert difference(inside, pattern()) < 2


def photo_face(photo):
    grey = cv2.cvtColor(photo[55:180, 50:175], cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA)


def test_agreement_prefers_the_framing_of_the_originals(detector, photo):
    faces = np.stack([photo_face(photo)] * 2)
    specs = [CropSpec(), CropSpec(margin=0.8), CropSpec(margin=-0.6)]
    rows = measure_crop_agreement(faces, specs, detector, lambda x: x.reshape(len(x), -1)[:, ::501].astype(float))
    assert [row.spec for row in rows] == specs
    assert all(row.detection_rate == 1 for row in rows)
    assert all(0 <= row.agreement <= 1 for row in rows)
    assert rows[0].pixel_difference < min(row.pixel_difference for row in rows[1:])


def test_agreement_without_a_classifier(detector, photo):
    (row,) = measure_crop_agreement(photo_face(photo)[None], [CropSpec()], detector)
    assert row.agreement is None


def test_agreement_of_a_constant_classifier_is_whole(detector, photo):
    (row,) = measure_crop_agreement(photo_face(photo)[None], [CropSpec()], detector, lambda x: np.eye(8)[[2] * len(x)])
    assert row.agreement == 1


def test_agreement_without_any_face_says_so(detector):
    with pytest.raises(FerlibError, match="none of the pasted faces"):
        measure_crop_agreement(np.full((1, 48, 48), 90, np.uint8), [CropSpec()], detector)
