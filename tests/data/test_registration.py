"""Similarity of two images once one is laid over the other."""

import cv2
import numpy as np
import pytest

from ferlib.data.copies import DETAIL_SIMILARITY
from ferlib.data.drawn.dataset import draw_faces
from ferlib.data.registration import detail_similarity, registered_similarity
from tests.fakes import make_textures


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return draw_faces(np.arange(16) % 8, seed=4)


@pytest.fixture(scope="module")
def scenes() -> np.ndarray:
    """Textures with a margin of 12 pixels, for other crops."""
    return make_textures(12, size=72, seed=2)


def noise(count: int, size: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


def crop(scene: np.ndarray, scale: float = 1, angle: float = 0, across: float = 0, down: float = 0) -> np.ndarray:
    """48 pixels around the middle of a scene, turned by degrees and moved."""
    matrix = cv2.getRotationMatrix2D((35.5, 35.5), angle, scale)
    matrix[:, 2] += (across - 12, down - 12)
    return cv2.warpAffine(scene, matrix, (48, 48))


class TestRegisteredSimilarity:
    def test_the_same_image(self, faces):
        assert registered_similarity(faces[0], faces[0]) == pytest.approx(1, abs=1e-5)

    def test_never_above_one(self, faces):
        assert max(registered_similarity(face, face) for face in faces) <= 1

    def test_light_and_contrast_do_not_count(self, faces):
        darker = (faces[0] * 0.5 + 20).astype(np.uint8)
        assert registered_similarity(faces[0], darker) > 0.99

    @pytest.mark.parametrize("shift", [(1, 0), (0, -3), (4, 4), (-4, 4)])
    def test_shifts_of_up_to_four_pixels_are_undone(self, shift):
        big = noise(1, size=60)[0]
        left = big[6:54, 6:54]
        right = big[6 + shift[0] : 54 + shift[0], 6 + shift[1] : 54 + shift[1]]
        assert registered_similarity(left, right) == pytest.approx(1, abs=1e-5)

    def test_a_shift_of_six_pixels_is_too_much(self):
        big = noise(1, size=60)[0]
        assert registered_similarity(big[:48, :48], big[6:54, 6:54]) < 0.2

    def test_unrelated_images(self):
        left, right = noise(2)
        assert abs(registered_similarity(left, right)) < 0.2

    def test_order_does_not_count(self, faces):
        forth, back = registered_similarity(faces[0], faces[1]), registered_similarity(faces[1], faces[0])
        assert forth == pytest.approx(back, abs=1e-6)

    def test_flat_images_correlate_with_nothing(self, faces):
        flat = np.full((48, 48), 128, dtype=np.uint8)
        assert registered_similarity(flat, flat) == 0
        assert registered_similarity(faces[0], flat) == 0
        flat[::2] += 2  # a standard deviation of one grey level
        assert registered_similarity(flat, flat) == 0

    def test_what_is_flat_inside_a_frame_correlates_with_nothing(self):
        framed = np.full((48, 48), 200, dtype=np.uint8)
        framed[:4] = 0
        assert registered_similarity(framed, noise(1)[0]) == 0
        assert registered_similarity(noise(1)[0], framed) == 0


class TestDetailSimilarity:
    @pytest.mark.parametrize(
        "change",
        [
            {"across": 3, "down": -2}, {"across": 0.5}, {"scale": 1.1}, {"scale": 0.9, "across": 2}, {"angle": 4},
            {"scale": 1.08, "angle": -2, "down": 1},
        ],
    )  # fmt: skip
    def test_another_crop_of_a_photo_is_the_same_photo(self, scenes, change):
        similarities = [detail_similarity(crop(scene), crop(scene, **change)) for scene in scenes]
        assert min(similarities) > 0.8

    def test_order_hardly_counts(self, scenes):
        left, right = [crop(scene) for scene in scenes], [crop(scene, scale=1.08, across=1) for scene in scenes]
        forth = [detail_similarity(*pair) for pair in zip(left, right, strict=True)]
        back = [detail_similarity(*pair) for pair in zip(right, left, strict=True)]
        assert forth == pytest.approx(back, abs=0.05)

    def test_light_and_contrast_do_not_count(self, scenes):
        image = crop(scenes[0])
        darker = (image * np.linspace(0.3, 0.7, 48) + 20).astype(np.uint8)
        assert detail_similarity(image, image) == pytest.approx(1, abs=1e-5)
        assert detail_similarity(image, darker) > 0.9

    def test_a_cover_costs_little(self, scenes):
        image = crop(scenes[0])
        marked = image.copy()
        marked[34:38, 8:40] = 170
        assert detail_similarity(image, marked) > DETAIL_SIMILARITY["near"]

    def test_other_photos_in_the_same_light_are_not_alike(self):
        light = np.linspace(0, 150, 48)[None] * np.ones((48, 1))
        textures = [(texture * 0.3 + light * 0.7).astype(np.uint8) for texture in make_textures(12, seed=3)]
        pairs = [(i, j) for i in range(12) for j in range(i)]
        assert min(registered_similarity(textures[i], textures[j]) for i, j in pairs) > 0.7
        assert max(detail_similarity(textures[i], textures[j]) for i, j in pairs) < DETAIL_SIMILARITY["near"]

    def test_flat_and_unrelated_images_correlate_with_nothing(self, scenes):
        flat = np.full((48, 48), 128, dtype=np.uint8)
        assert detail_similarity(flat, flat) == detail_similarity(crop(scenes[0]), flat) == 0
        assert detail_similarity(*noise(2)) == 0

    def test_too_small_an_overlap_proves_nothing(self, scenes):
        assert detail_similarity(crop(scenes[0]), crop(scenes[0], across=24)) == 0
