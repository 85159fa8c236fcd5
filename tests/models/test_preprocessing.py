import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ferlib.models.preprocessing import (
    FACE_CONTRAST,
    FACE_LEVEL,
    Preprocessing,
    equalise,
    resampling_matrix,
    resize,
    to_grey,
)

FACES = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)


def test_grey_uses_the_luma_weights():
    red, green, blue = (np.zeros((1, 2, 2, 3), np.uint8) for _ in range(3))
    red[..., 0], green[..., 1], blue[..., 2] = 255, 255, 255
    assert [int(to_grey(image)[0, 0, 0]) for image in (red, green, blue)] == [76, 150, 29]


def test_grey_leaves_grey_alone():
    assert to_grey(FACES) is FACES


@pytest.mark.parametrize("wrong", [FACES[0, 0], FACES.astype(np.float32), np.zeros((2, 4, 4, 4), np.uint8)])
def test_wrong_faces_are_refused(wrong):
    with pytest.raises(ValueError, match="faces must be"):
        to_grey(wrong)


def test_global_equalisation_is_opencvs():
    assert np.array_equal(equalise(FACES, "global")[2], cv2.equalizeHist(FACES[2]))


def test_equalisation_widens_a_narrow_histogram():
    narrow = (FACES // 8 + 100).astype(np.uint8)
    assert np.ptp(equalise(narrow, "global")) > 200
    assert np.ptp(equalise(narrow, "clahe")) > np.ptp(narrow)
    assert np.array_equal(equalise(narrow, "none"), narrow)


def test_unknown_equalisation_is_named():
    with pytest.raises(ValueError, match="unknown equalisation 'auto'"):
        equalise(FACES, "auto")


def test_preprocessing_shapes_and_normalisation():
    pre = Preprocessing(size=32, channels=3, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))
    out = pre(FACES)
    assert out.shape == (6, 3, 32, 32)
    assert out.dtype == torch.float32
    assert torch.allclose(out[:, 0] * 0.2 + 0.5, out[:, 2] * 0.2 + 0.3, atol=1e-6)


def test_preprocessing_at_the_same_size_changes_no_pixel():
    out = Preprocessing(mean=(0.0,), std=(1.0,))(FACES)
    assert np.array_equal((out * 255).round().to(torch.uint8).numpy()[:, 0], FACES)


def test_preprocessing_of_no_faces():
    assert Preprocessing()(np.zeros((0, 48, 48), np.uint8)).shape == (0, 1, 48, 48)
    assert Preprocessing()(np.zeros((0, 50, 40, 3), np.uint8)).shape == (0, 1, 48, 48)


def test_preprocessing_round_trips_through_json_types():
    pre = Preprocessing(size=64, equalise="clahe")
    stored = pre.to_dict() | {"mean": list(pre.mean), "std": list(pre.std)}
    assert Preprocessing(**stored) == pre


@pytest.mark.parametrize("wrong", [{"channels": 2}, {"equalise": "x"}, {"size": 0}, {"channels": 3}])
def test_impossible_preprocessing_is_refused(wrong):
    with pytest.raises(ValueError, match=r"impossible|need"):
        Preprocessing(**wrong)


@given(inputs=st.integers(1, 300), outputs=st.integers(1, 300))
def test_rows_of_the_resampling_matrix_sum_to_1(inputs, outputs):
    matrix = resampling_matrix(inputs, outputs)
    assert (matrix.shape, matrix.dtype) == ((outputs, inputs), np.float32)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-5)  # no side of the image is preferred


@pytest.mark.parametrize(("inputs", "outputs"), [(48, 96), (48, 48), (100, 48), (49, 96), (7, 112), (500, 3)])
def test_the_resampling_matrix_is_torchs_resize(inputs, outputs):
    image = torch.from_numpy(np.random.default_rng(inputs).integers(0, 256, (1, inputs, inputs), dtype=np.uint8))
    matrix = torch.from_numpy(resampling_matrix(inputs, outputs))
    assert torch.allclose(matrix.sum(dim=1), torch.ones(outputs), atol=1e-6)
    assert torch.allclose(
        matrix @ (image.float() / 255) @ matrix.T, resize(image, outputs)[0], atol=1e-5
    )  # torch rounds its centres to float32


def test_a_standardised_face_does_not_depend_on_its_light():
    settings = Preprocessing(standardise=True)
    face = np.random.default_rng(0).integers(60, 120, (1, 48, 48), dtype=np.uint8)
    lighter = (face * 1.5 + 30).round().astype(np.uint8)
    assert torch.allclose(settings(face), settings(lighter), atol=0.05)
    plain = Preprocessing()
    assert (plain(face) - plain(lighter)).abs().max() > 0.5


def test_a_standardised_face_has_the_mean_and_contrast_of_training_faces():
    settings = Preprocessing(standardise=True, mean=(0.0,), std=(1.0,))
    values = settings(np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8))
    assert values.mean(dim=(1, 2, 3)).tolist() == pytest.approx([FACE_LEVEL] * 3, abs=1e-5)
    assert values.std(dim=(1, 2, 3)).tolist() == pytest.approx([FACE_CONTRAST] * 3, abs=1e-3)


def test_a_blank_face_stays_finite():
    assert Preprocessing(standardise=True)(np.full((1, 48, 48), 7, np.uint8)).isfinite().all()
