import numpy as np
import pytest

from ferlib.data.drawn.dataset import draw_faces
from ferlib.evaluation.doubt_study import compare_doubts, distance_doubt, read_features
from ferlib.evaluation.robustness import CHANGES
from ferlib.inference.classifier import Classifier
from ferlib.models import checkpoints

FACES = draw_faces([0, 3, 4, 5, 7, 3], seed=2, size=48)


def test_features_give_the_logits_and_the_classifiers_answers(tiny_checkpoint):
    checkpoint = checkpoints.load("tiny")
    features, logits = read_features(checkpoint, FACES, batch_size=4)
    last = [module for module in checkpoint.model.modules() if hasattr(module, "in_features")][-1]
    expected = features @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    assert logits == pytest.approx(expected, abs=1e-4)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = Classifier(checkpoint).predict_proba(FACES, calibrated=False)
    assert powers / powers.sum(axis=1, keepdims=True) == pytest.approx(probabilities, abs=1e-5)
    assert not last._forward_pre_hooks


def test_distances_by_hand():
    reference = np.array([[2.0, 0], [0, 1], [-1, 0]])
    assert distance_doubt(np.array([[5.0, 0]]), reference, 1) == pytest.approx([0], abs=1e-3)
    assert distance_doubt(np.array([[5.0, 0]]), reference, 2) == pytest.approx([np.sqrt(2)])
    assert distance_doubt(np.array([[5.0, 0]]), reference, 9) == pytest.approx([2])


def test_every_measure_is_compared_under_every_change(tiny_checkpoint):
    steps = []
    labels = np.array([0, 3, 4, 5, 7, 3])
    result = compare_doubts(checkpoints.load("tiny"), FACES, labels, FACES[:3], progress=steps.append)
    assert steps == ["clean", *CHANGES]
    measures = {"largest probability", "margin", "entropy", "energy", "distance of features"}
    for name in ("clean", *CHANGES, "all"):
        assert set(result[name]) == measures
        assert all(0 <= row["aurc"] <= 1 and 0 <= row["coverage_at_10"] <= 1 for row in result[name].values())
    assert result["strength"]["low light"] == 0.3
    assert result["n"] == 6


def test_no_faces_have_no_features(tiny_checkpoint):
    with pytest.raises(ValueError, match="at least one face"):
        read_features(checkpoints.load("tiny"), FACES[:0])
