import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from ferlib.evaluation.scores import score_predictions


def random_case(n=400, seed=0, skill=0.6):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, n)
    probabilities = rng.dirichlet(np.ones(8), n)
    probabilities[np.arange(n), labels] += skill * rng.random(n)
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


def test_scores_agree_with_scikit_learn():
    probabilities, labels = random_case()
    predicted = probabilities.argmax(axis=1)
    scores = score_predictions(probabilities, labels)
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=range(8))
    assert scores.accuracy == pytest.approx(accuracy_score(labels, predicted), abs=1e-9)
    assert scores.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"), abs=1e-9)
    for ours, theirs in ((scores.precision, precision), (scores.recall, recall), (scores.f1, f1)):
        assert np.allclose(ours, theirs, atol=1e-9)
    assert np.array_equal(scores.support, support)
    assert np.array_equal(scores.confusion, confusion_matrix(labels, predicted, labels=range(8)))


def test_perfect_and_constant_predictions():
    labels = np.repeat(np.arange(8), 5)
    perfect = score_predictions(np.eye(8)[labels], labels)
    assert (perfect.accuracy, perfect.macro_f1) == (1.0, 1.0)
    assert perfect.accuracy_interval == (1.0, 1.0)
    constant = score_predictions(np.tile(np.eye(8)[5], (40, 1)), labels)
    assert constant.accuracy == pytest.approx(1 / 8)
    assert constant.recall[5] == 1
    assert np.isnan(constant.precision[0])
    assert constant.to_dict()["per_class"]["angry"]["precision"] is None


def test_a_class_that_never_occurs_does_not_count():
    labels = np.array([0, 0, 1, 1])
    scores = score_predictions(np.eye(8)[[0, 0, 1, 0]], labels)
    assert scores.macro_f1 == pytest.approx(f1_score(labels, [0, 0, 1, 0], average="macro"))
    assert scores.support.tolist() == [2, 2, 0, 0, 0, 0, 0, 0]


def test_dropped_labels_are_left_out():
    probabilities, labels = random_case(50)
    labels[::5] = -1
    assert score_predictions(probabilities, labels).n == 40


def test_interval_matches_an_explicit_bootstrap_over_images():
    probabilities, labels = random_case(300)
    right = probabilities.argmax(axis=1) == labels
    rng = np.random.default_rng(1)
    means = right[rng.integers(0, 300, (4000, 300))].mean(axis=1)
    expected = np.percentile(means, [2.5, 97.5])
    assert np.allclose(score_predictions(probabilities, labels).accuracy_interval, expected, atol=0.01)


def test_interval_is_seeded_and_narrows_with_n():
    probabilities, labels = random_case(200)
    many = score_predictions(np.tile(probabilities, (10, 1)), np.tile(labels, 10))
    few, again = score_predictions(probabilities, labels), score_predictions(probabilities, labels)
    assert few.accuracy_interval == again.accuracy_interval
    assert np.diff(many.accuracy_interval) < 0.5 * np.diff(few.accuracy_interval)
    assert few.accuracy_interval[0] < few.accuracy < few.accuracy_interval[1]


@pytest.mark.parametrize(
    ("shape", "labels"), [((3, 7), [0, 1, 2]), ((2, 8), [0, 1, 2]), ((3, 8), [-1, -1, -1]), ((0, 8), [])]
)
def test_impossible_input_is_refused(shape, labels):
    with pytest.raises(ValueError, match=r"must be|no labelled"):
        score_predictions(np.zeros(shape), np.array(labels, dtype=int))
