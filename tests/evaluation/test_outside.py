import json

import numpy as np
import outside as tool
import pytest

from ferlib import paths
from ferlib.data.labels import INDEX
from ferlib.errors import FerlibError
from ferlib.evaluation.outside import OutsideSet, evaluate_outside, resample_people, score_outside
from ferlib.inference.loading import load_classifier


def answers(emotions, confidence=0.93):
    rows = np.full((len(emotions), 8), (1 - confidence) / 7)
    for row, emotion in zip(rows, emotions, strict=True):
        row[INDEX[emotion]] = confidence
    return rows


def labels_of(*emotions):
    return np.array([INDEX[emotion] for emotion in emotions])


def test_all_images_of_a_person_count_alike():
    counts = resample_people(np.array(["b", "a", "b", "c"]), resamples=400)
    assert counts.shape == (400, 4)
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert counts[:, 1].mean() == pytest.approx(1, abs=0.15)


def test_scores_by_hand():
    labels = labels_of("happy", "happy", "sad", "fear")
    probabilities = answers(["happy", "neutral", "sad", "surprise"])
    probabilities[3] = answers(["surprise"], 0.5)[0]
    scores = score_outside(probabilities, labels, np.array(list("abcd")))
    assert scores["eight"]["accuracy"] == 0.5
    assert scores["eight"]["recall"] == {"fear": 0.0, "happy": 0.5, "sad": 1.0}
    assert scores["confident"] == {
        "n": 3, "share": 0.75, "accuracy": pytest.approx(2 / 3), "interval": scores["confident"]["interval"],
    }  # fmt: skip
    assert scores["present"]["accuracy"] == 0.75  # neutral and surprise are none of the classes present
    assert scores["calibration_error"] == pytest.approx(abs(0.93 - 2 / 3) * 0.75 + 0.5 * 0.25)


def test_the_interval_of_one_persons_images_is_as_wide_as_that_of_one_image():
    """Ten people with ten equal images each: the interval is that of ten images, not of a hundred."""
    labels = labels_of(*["happy"] * 100)
    probabilities = answers(["happy"] * 60 + ["sad"] * 40)
    clustered = score_outside(probabilities, labels, np.repeat(np.arange(10), 10).astype(str))["eight"]["interval"]
    single = score_outside(probabilities, labels, np.arange(100).astype(str))["eight"]["interval"]
    assert clustered[0] < 0.35 < 0.45 < single[0] < 0.55


def test_no_confident_answer_has_no_accuracy():
    scores = score_outside(answers(["sad"], 0.4), labels_of("sad"), np.array(["a"]))
    assert scores["confident"] == {"n": 0, "share": 0.0, "accuracy": None, "interval": None}


@pytest.mark.parametrize(
    ("faces", "labels", "people"),
    [
        (np.zeros((2, 8, 8), np.uint8), [0], ["a", "b"]),
        (np.zeros((1, 8, 8), np.float32), [0], ["a"]),
        (np.zeros((0, 8, 8), np.uint8), [], []),
        (np.zeros((1, 8, 8), np.uint8), [8], ["a"]),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(faces, labels, people):
    with pytest.raises(FerlibError):
        OutsideSet(faces, np.array(labels, np.int64), np.array(people, str))


def test_a_model_is_asked_every_question_that_it_answers(tiny_checkpoint):
    faces = np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8)
    outside = OutsideSet(faces, np.arange(6), np.array(list("aabbcc")))
    report = evaluate_outside(load_classifier("tiny", engine="torch"), outside)
    assert (report["n"], report["people"], list(report["readings"])) == (6, 3, ["seen"])


def test_the_tool_stores_scores_and_no_faces(tiny_checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    faces = np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", images=faces, labels=np.arange(6), subjects=np.array(list("aabbcc")))
    assert tool.main([str(tmp_path / "x.npz"), "--model", "tiny", "--store", "x"]) == 0
    assert "6 faces of 3 people" in capsys.readouterr().out
    stored = json.loads((tmp_path / "outside_x.json").read_text())
    assert set(stored) == {"sha256", "code_commit", "models"}
    assert stored["models"]["tiny"]["readings"]["seen"]["eight"]["accuracy"] >= 0


def test_the_tool_names_a_file_that_is_no_archive(tmp_path, capsys):
    (tmp_path / "x.npz").write_text("no")
    assert tool.main([str(tmp_path / "x.npz")]) == 1
    assert "x.npz is no archive" in capsys.readouterr().err
