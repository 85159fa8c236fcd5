import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from ferlib.faces.mtcnn.area import AreaSampler, PartSampler


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)


def by_torch(part, height, width):
    pixels = torch.from_numpy(part.transpose(2, 0, 1).astype(np.float32))[None]
    return interpolate(pixels, size=(height, width), mode="area").numpy()


@pytest.mark.parametrize("size", [(97, 131), (30, 40), (1, 1), (13, 130), (120, 200)])
def test_a_resized_picture_is_torchs(picture, size):
    np.testing.assert_allclose(AreaSampler(picture).resized(*size), by_torch(picture, *size), rtol=1e-5)


@pytest.mark.parametrize("sampler", [AreaSampler, PartSampler])
@pytest.mark.parametrize("side", [24, 48])
def test_crops_are_torchs(picture, sampler, side):
    corners = np.array([[0, 0, 131, 97], [5, 7, 29, 31], [10, 20, 20, 26], [130, 96, 131, 97], [3, 1, 100, 60]])
    crops = sampler(picture).crops(corners, side)
    assert (crops.shape, crops.dtype) == ((5, 3, side, side), np.float32)
    for crop, (x1, y1, x2, y2) in zip(crops, corners, strict=True):
        np.testing.assert_allclose(crop, by_torch(picture[y1:y2, x1:x2], side, side)[0], rtol=1e-5)


def test_sums_that_do_not_fit_wrap_around_without_harm():
    white = np.full((2100, 4200, 3), 255, np.uint8)  # 255 * 2100 * 4200 is above 2^31
    sampler = AreaSampler(white)
    assert (sampler.resized(12, 16) == 255).all()
    assert (sampler.crops(np.array([[4000, 2000, 4200, 2100]]), 24) == 255).all()
