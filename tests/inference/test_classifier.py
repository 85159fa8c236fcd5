import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import ferlib
from ferlib.data.labels import EMOTIONS

FACES = np.random.default_rng(0).integers(0, 256, (7, 48, 48), dtype=np.uint8)


@pytest.fixture
def classifier(tiny_checkpoint):
    return ferlib.load_classifier("tiny")


def test_probabilities_in_class_order(classifier):
    probabilities = classifier.predict_proba(FACES)
    assert probabilities.shape == (7, 8)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert classifier.classes == EMOTIONS


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faces=st.tuples(st.integers(1, 5), st.integers(1, 90), st.integers(1, 90)).flatmap(lambda s: arrays(np.uint8, s)),
    calibrated=st.booleans(),
)
def test_rows_of_probabilities_sum_to_1(classifier, faces, calibrated):
    probabilities = classifier.predict_proba(faces, calibrated=calibrated)
    assert probabilities.shape == (len(faces), 8)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_grey_and_grey_rgb_are_the_same(classifier):
    rgb = np.repeat(FACES[..., None], 3, axis=3)
    assert np.allclose(classifier.predict_proba(rgb), classifier.predict_proba(FACES), atol=1e-6)


def test_batching_changes_nothing(classifier):
    assert np.allclose(classifier.predict_proba(FACES, batch_size=2), classifier.predict_proba(FACES), atol=1e-5)


def test_other_sizes_are_resized(classifier):
    assert classifier.predict_proba(np.zeros((2, 100, 80), np.uint8)).shape == (2, 8)


def test_no_faces_no_rows(classifier):
    assert classifier.predict_proba(np.zeros((0, 48, 48), np.uint8)).shape == (0, 8)


def test_wrong_input_is_refused(classifier):
    with pytest.raises(ValueError, match="faces must be"):
        classifier.predict_proba(FACES.astype(np.float32))
    with pytest.raises(ValueError, match="faces must be"):
        classifier.predict_proba(FACES[0, 0])
