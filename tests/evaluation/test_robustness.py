import numpy as np
import pytest

from ferlib.data.drawn.dataset import draw_faces
from ferlib.evaluation.robustness import CHANGES, change_faces, draw_labelled, measure_robustness


@pytest.fixture(scope="module")
def faces():
    return draw_faces([0, 4, 7], seed=1, size=48)


def strength_is_felt(faces, name):
    grey = [change_faces(faces, name, strength).astype(float) for strength in CHANGES[name][1]]
    grey = [image.mean(axis=-1) if image.ndim == 4 else image for image in grey]
    return [np.abs(image - faces).mean() for image in grey]


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_has_five_strengths_that_grow(faces, name):
    damage = strength_is_felt(faces, name)
    assert len(damage) == 5
    assert 0 < damage[0] < damage[2] < damage[4]


@pytest.mark.parametrize("name", CHANGES)
def test_shape_and_type_stay_and_the_seed_decides(faces, name):
    strength = CHANGES[name][1][2]
    before = faces.copy()
    changed = change_faces(faces, name, strength, seed=3)
    assert changed.dtype == np.uint8
    assert changed.shape == (faces.shape if name != "tint" else (*faces.shape, 3))
    assert np.array_equal(changed, change_faces(faces, name, strength, seed=3))
    assert np.array_equal(faces, before)


def test_the_bars_cover_eyes_and_mouth(faces):
    eyes, mouth = (change_faces(faces, name, 0.3) for name in ("eyes covered", "mouth covered"))
    assert (eyes[:, 18] == 127).all()
    assert (mouth[:, 37] == 127).all()
    assert np.array_equal(eyes[:, 30:], faces[:, 30:])
    assert np.array_equal(mouth[:, :24], faces[:, :24])


def test_accuracy_is_counted_for_each_change_and_strength(faces):
    """A classifier that looks at nothing but brightness notices low light and nothing else of its kind."""
    labels = np.array([0, 0, 0])

    def predict(given):
        dark = given.reshape(len(given), -1).mean(axis=1) < 0.4 * faces.reshape(len(faces), -1).mean(axis=1)
        return np.eye(8)[np.where(dark, 1, 0)]

    names = []
    result = measure_robustness(predict, faces, labels, progress=names.append)
    assert names == list(result["changes"]) == list(CHANGES)
    assert (result["n"], result["clean"]["accuracy"]) == (3, 1.0)
    assert result["changes"]["low light"]["accuracy"] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert result["changes"]["rotation"]["accuracy"] == [1.0] * 5
    assert result["changes"]["JPEG"]["strengths"] == [50, 30, 20, 10, 5]


def test_the_images_are_drawn_among_the_labelled_ones():
    labels = np.array([-1, 3, 2, -1, 5, 1])
    assert draw_labelled(labels, 10).tolist() == [1, 2, 4, 5]
    few = draw_labelled(labels, 2, seed=4)
    assert len(set(few)) == 2
    assert set(few) <= {1, 2, 4, 5}
    assert np.array_equal(few, draw_labelled(labels, 2, seed=4))
