"""Pairs that may show the same photo: none of the copies is lost, few others are proposed."""

import numpy as np
import pytest

from ferlib.data.sketches import similar_pairs, sketches
from tests.fakes import make_textures


def pairs_of(left: np.ndarray, right: np.ndarray, **options) -> list[tuple[int, int]]:
    return [tuple(pair) for pair in similar_pairs(left, right, **options).tolist()]


@pytest.mark.parametrize("shift", [(0, 0), (4, 4), (-4, 4), (4, -4), (-4, -4), (0, -3), (2, 0)])
def test_shifted_images_are_proposed_in_either_order(shift):
    (scene,) = make_textures(1, size=60)
    others = make_textures(3, seed=1)
    first, second = scene[6:54, 6:54], scene[6 + shift[0] : 54 + shift[0], 6 + shift[1] : 54 + shift[1]]
    for images in (np.stack([first, second, *others]), np.stack([second, *others, first])):
        assert pairs_of(images, images) == [(0, 1 if (images[1] == second).all() else 4)]


def test_mirror_images():
    images = make_textures(5)
    images[3] = images[1][:, ::-1]
    assert pairs_of(images, images) == []
    assert pairs_of(images[:, :, ::-1], images) == [(1, 3)]


def test_each_pair_once_in_order():
    images = np.repeat(make_textures(2), 3, axis=0)
    assert pairs_of(images, images) == [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)]


def test_more_pairs_for_a_smaller_cosine():
    images = make_textures(30, seed=5)
    numbers = [len(similar_pairs(images, images, min_cosine)) for min_cosine in (0.9, 0.6, 0.3, -1)]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1] == 30 * 29 / 2


def test_no_images():
    none = np.empty((0, 48, 48), dtype=np.uint8)
    assert similar_pairs(none, none).shape == (0, 2)


def test_sketches_forget_light_and_contrast_and_are_of_norm_one():
    images = make_textures(4)
    vectors = sketches(images)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert (vectors * sketches(images // 2 + 40)).sum(axis=1) == pytest.approx(np.ones(4), abs=1e-2)


def test_a_flat_image_has_no_sketch():
    assert (sketches(np.zeros((1, 48, 48), dtype=np.uint8)) == 0).all()
