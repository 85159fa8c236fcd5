import numpy as np
import pytest

from ferlib.data.labels import EMOTIONS
from ferlib.evaluation.robustness import CHANGES
from ferlib.plots import behaviour, confidence

HUMAN = {"against_majority": 0.786, "against_others": 0.772}


def rate(accuracy):
    return {"accuracy": accuracy, "interval": [accuracy - 0.02, accuracy + 0.01]}


def test_reliability_draws_bins_with_enough_images():
    bins = [{"low": 0.0, "high": 0.1, "n": 9, "confidence": 0.05, "accuracy": 1.0},
            {"low": 0.9, "high": 1.0, "n": 50, "confidence": 0.95, "accuracy": 0.9}]  # fmt: skip
    calibration = {"ece": 0.05, "bins": bins}
    upper, lower = confidence.plot_reliability([("title", calibration, calibration, "share right")], "note").axes
    assert [line.get_xydata().tolist() for line in upper.lines[1:]] == [[[0.95, 0.9]]] * 2
    assert [text.get_text() for text in upper.get_legend().get_texts()] == ["before: error 0.050", "after: error 0.050"]
    assert [bar.get_height() for bar in lower.patches] == [9, 50]


def test_risk_and_coverage_with_its_points():
    curve = {"coverage": [0.5, 1.0], "risk": [0.0, 0.2]}
    axis = confidence.plot_risk_coverage({"a": curve}, [{"name": "80 %", "coverage": 0.8, **rate(0.9)}], "note").axes[0]
    assert axis.lines[0].get_xydata().tolist() == [[50, 0], [100, 20]]
    assert "80 %: 90.0 % right" in [text.get_text() for text in axis.get_legend().get_texts()]


def test_agreement_shows_the_floor_under_the_excess():
    rows = [{"human": 0.4, "n": 20, **rate(0.5)}, {"human": 0.9, "n": 1200, **rate(0.98)}]
    left, right = confidence.plot_agreement(rows, {"raw": {"floor": 0.5, "kl": 0.3}}, "note").axes
    assert [text.get_text() for text in left.texts] == ["20", "1,200"]
    assert [(bar.get_y(), bar.get_height()) for bar in right.patches] == [(0, 0.5), (0.5, pytest.approx(0.3))]


def test_doubted_labels_are_shares_with_counts():
    doubts = {
        "by_class": {emotion: {"images": 10, "doubted": 1} for emotion in EMOTIONS},
        "by_agreement": {"all": {"images": 0, "doubted": 0}},
    }
    left, right = confidence.plot_label_noise(doubts, "note").axes
    assert [bar.get_width() for bar in left.patches] == [10.0] * 8
    assert [text.get_text() for text in right.texts] == [" 0 of 0"]


def test_every_change_has_its_small_plot():
    changes = {name: {"unit": unit, "strengths": list(strengths), "accuracy": [0.8] * 5, "interval": [[0.7, 0.9]] * 5}
               for name, (_, strengths, unit) in CHANGES.items()}  # fmt: skip
    figure = behaviour.plot_robustness({"a": {"n": 5, "clean": rate(0.85), "changes": changes}}, "note")
    assert [axis.get_title(loc="left") for axis in figure.axes] == list(CHANGES)
    labels = [label.get_text() for label in figure.axes[4].get_xticklabels()]
    assert labels == ["50", "30", "20", "10", "5"]
    two = behaviour.plot_robustness({name: {"n": 5, "clean": rate(0.85), "changes": changes} for name in "ab"}, "note")
    assert [text.get_text() for text in two.legends[0].get_texts()] == ["a", "b"]


def test_the_live_path_names_what_was_found():
    study = {"found": 0.9, "crop": rate(0.85), "live": rate(0.8)}
    axis = behaviour.plot_live_path([("a", study)], HUMAN, "note").axes[0]
    assert axis.get_yticklabels()[0].get_text() == "a\nfound 90.0 %"
    assert [text.get_text() for text in axis.texts] == ["85.0", "80.0"]


def test_maps_are_shown_against_their_mean_and_the_unknown_left_bare():
    maps = np.full((8, 4, 4), np.nan)
    maps[0], maps[1] = np.eye(4), np.ones((4, 4))
    figure = behaviour.plot_mean_attribution(
        maps, np.array([40, 50, 3, 0, 0, 0, 0, 0]), np.full((48, 48), 99, np.uint8), "n"
    )
    assert [len(axis.images) for axis in figure.axes] == [2, 2, 1, 1, 1, 1, 1, 1]
    assert figure.axes[2].get_title() == "disgust\n3 recognised, too few"
    differences = [axis.images[1].get_array() for axis in figure.axes[:2]]
    assert np.abs(differences[0]).max() == pytest.approx(1)
    assert np.allclose(differences[0], -differences[1], atol=1e-6)


def test_examples_have_the_face_above_its_map():
    faces, maps = np.zeros((2, 48, 48), np.uint8), np.ones((2, 6, 6))
    figure = behaviour.plot_attribution_examples(faces, maps, ["one", "two"], "note")
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 2, 2]
