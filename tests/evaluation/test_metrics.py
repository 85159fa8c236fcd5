import numpy as np
import pytest
from sklearn import metrics as sk

from ferlib.data.labels import EMOTIONS
from ferlib.evaluation import metrics


def random_case(n=400, seed=0, skill=0.6, classes=8):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    probabilities = rng.dirichlet(np.ones(8), n)
    probabilities[np.arange(n), labels] += skill * rng.random(n)
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


CASES = [random_case(seed=seed, classes=classes) for seed, classes in ((0, 8), (1, 5), (2, 8))]


@pytest.mark.parametrize("case", CASES)
def test_scores_agree_with_scikit_learn(case):
    probabilities, labels = case
    named = probabilities.argmax(axis=1)
    result = {name: row["value"] for name, row in metrics.more_scores(probabilities, labels).items()}
    present = np.unique(labels)
    recalls = sk.recall_score(labels, named, labels=present, average=None)
    expected = {
        "balanced_accuracy": recalls.mean(),
        "macro_precision": sk.precision_score(labels, named, labels=present, average="macro", zero_division=0),
        "kappa": sk.cohen_kappa_score(labels, named, labels=range(8)),
        "top2": sk.top_k_accuracy_score(labels, probabilities, k=2, labels=range(8)),
        "log_loss": sk.log_loss(labels, probabilities, labels=range(8)),
    }
    assert result == pytest.approx(expected, abs=1e-9)


def test_balanced_accuracy_is_scikit_learns_when_every_class_is_labelled():
    probabilities, labels = CASES[0]
    matrix = sk.confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(8))
    expected = sk.balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    assert metrics.balanced_accuracy(matrix) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_curves_agree_with_scikit_learn(case):
    probabilities, labels = case
    result = metrics.curves(probabilities, labels)
    assert set(result) == {EMOTIONS[index] for index in np.unique(labels)}
    for emotion, curve in result.items():
        index = EMOTIONS.index(emotion)
        positive, score = labels == index, probabilities[:, index]
        assert curve["roc_auc"] == pytest.approx(sk.roc_auc_score(positive, score), abs=1e-9)
        assert curve["average_precision"] == pytest.approx(sk.average_precision_score(positive, score), abs=1e-9)
        assert (curve["fpr"][0], curve["tpr"][-1], curve["recall"][0]) == (0, 1, 1)


def test_perfect_predictions():
    labels = np.repeat(np.arange(8), 5)
    result = metrics.more_scores(np.eye(8)[labels], labels)
    assert {name: row["value"] for name, row in result.items()} == pytest.approx(
        {"balanced_accuracy": 1, "macro_precision": 1, "kappa": 1, "top2": 1, "log_loss": 0}
    )
    assert all(curve["roc_auc"] == 1 for curve in metrics.curves(np.eye(8)[labels], labels).values())


def test_constant_predictions_are_chance():
    labels = np.repeat(np.arange(8), 5)
    result = metrics.more_scores(np.tile(np.eye(8)[5], (40, 1)), labels)
    assert result["balanced_accuracy"]["value"] == pytest.approx(1 / 8)
    assert result["kappa"]["value"] == pytest.approx(0)
    assert result["top2"]["value"] == pytest.approx(2 / 8)  # of the seven equal ones the first in class order counts
    assert result["log_loss"]["value"] == pytest.approx(-7 / 8 * np.log(metrics.MIN_PROBABILITY))


def test_a_single_class_leaves_kappa_undefined_and_no_curve():
    result = metrics.more_scores(np.eye(8)[[3, 3]], np.array([3, 3]))
    assert result["kappa"] == {"value": None, "interval": None}
    assert result["balanced_accuracy"]["value"] == 1
    assert metrics.curves(np.eye(8)[[3, 3]], np.array([3, 3])) == {}


def test_dropped_labels_are_left_out():
    probabilities, labels = random_case(60)
    dropped = labels.copy()
    dropped[::3] = -1
    labelled_only = metrics.more_scores(probabilities[labels == dropped], labels[labels == dropped])
    assert metrics.more_scores(probabilities, dropped) == labelled_only


def test_bootstrap_matches_the_standard_error_and_is_seeded():
    values = np.random.default_rng(3).normal(2, 1, 500)
    low, high = metrics.bootstrap_mean(values)
    assert (low, high) == metrics.bootstrap_mean(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(500), rel=0.05)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.01)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_the_mean_of_nothing_has_no_interval(values):
    with pytest.raises(ValueError, match="has no interval"):
        metrics.bootstrap_mean(np.array(values))


def test_confused_pairs_are_sorted_and_leave_out_what_never_happens():
    matrix = np.zeros((8, 8), int)
    matrix[0, 0], matrix[0, 5], matrix[6, 5] = 6, 2, 3
    assert metrics.confused_pairs(matrix) == [
        {"label": "sad", "predicted": "neutral", "images": 3, "share": 1.0},
        {"label": "angry", "predicted": "neutral", "images": 2, "share": 0.25},
    ]


@pytest.mark.parametrize(("shape", "labels"), [((3, 7), [0, 1, 2]), ((2, 8), [0, 1, 2]), ((2, 8), [-1, -1])])
def test_impossible_input_is_refused(shape, labels):
    with pytest.raises(ValueError, match=r"must be|no labelled"):
        metrics.more_scores(np.ones(shape), np.array(labels))
