import json

import numpy as np
import pytest
import torch

from ferlib import paths
from ferlib.data.drawn import dataset
from ferlib.data.ferplus import make_data
from ferlib.errors import FerlibError
from ferlib.evaluation.calibration import at_temperature, choose_threshold, fit_temperature
from ferlib.inference.loading import load_classifier
from ferlib.models import checkpoints
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing
from ferlib.publishing import rescore, splits, store, study
from ferlib.report import studies

ARGUMENTS = {"name": "custom_cnn", "channels": 1, "width": 0.125, "dropout": 0.0}


@pytest.fixture(scope="module")
def drawn():
    return dataset.make_dataset(train=60, valid=60, test=40, seed=3)


@pytest.fixture
def project(tmp_path, monkeypatch, drawn):
    """Folders moved to tmp_path, drawn faces as the data, and a published model of random weights."""
    for name in ("PROCESSED", "RUNS", "CHECKPOINTS", "PUBLISHED"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    dataset.save_official(drawn, tmp_path / "data")
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "data"))
    torch.manual_seed(0)
    about = {"model": ARGUMENTS, "preprocessing": Preprocessing().to_dict(), "config": {"seed": 0, "clean": True}}
    checkpoints.save("tiny", build_model(**ARGUMENTS).state_dict(), about)
    folder = paths.PUBLISHED / "tiny"
    folder.mkdir(parents=True)
    classifier = load_classifier("tiny", engine="torch")
    for split, score in (("valid", splits.score_valid), ("test", splits.score_test)):
        np.savez(folder / f"predictions_{split}.npz", **score(classifier)[0])
    metrics = {"run": {"data_hash": drawn.content_hash}, "protocol": "p", "config": {"seed": 0}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


@pytest.fixture
def found_by_a_fake(monkeypatch):
    """Finding faces is tested in its own room; here each pasted face is missed."""
    monkeypatch.setattr("ferlib.faces.detector.FaceDetector", lambda: lambda picture: [])


def test_a_study_measures_records_and_tunes_the_sidecar(project, found_by_a_fake):
    said = []
    found = study.run("tiny", risk=0.9, images=12, say=said.append)
    stored = json.loads((paths.PUBLISHED / "tiny" / "study.json").read_text())
    assert stored == json.loads(json.dumps(found))
    assert {path.name for path in (paths.PUBLISHED / "tiny").iterdir()} == {
        "metrics.json", "predictions_valid.npz", "predictions_test.npz", "study.json", "attribution.npz",
    }  # fmt: skip
    sidecar = json.loads((paths.CHECKPOINTS / "tiny.json").read_text())
    assert sidecar["temperature"] == found["chosen_on_valid"]["temperature"]
    assert sidecar["threshold"] == found["chosen_on_valid"]["threshold"]
    assert (sidecar["chosen_on"], sidecar["threshold_risk"]) == ("valid", 0.9)
    tuned = load_classifier("tiny", engine="torch")
    assert tuned.threshold == sidecar["threshold"]
    assert found["test"]["live_path"][0]["found"] == 0
    assert found["test"]["robustness"]["n"] == 12
    assert {row["labels"] for row in found["test"]["protocols"]} == {"label.csv"}
    assert found["about"]["seconds"] > 0
    assert said[:2] == ["choosing temperature and threshold on valid", "reading test"]
    assert "chosen on valid: temperature" in study.render(found)


def test_the_stored_predictions_stay_those_of_temperature_one(project, found_by_a_fake):
    study.run("tiny", risk=0.9, images=4)
    for split in ("valid", "test"):
        again = rescore.evaluate_model("tiny", split, recompute=True)
        assert again["max_difference"] == 0
    faces = np.zeros((1, 48, 48), np.uint8)
    tuned = load_classifier("tiny", engine="torch")
    raw, scaled = tuned.predict_proba(faces, calibrated=False), tuned.predict_proba(faces)
    logits = np.log(raw) / tuned.about["temperature"]
    assert np.allclose(scaled, np.exp(logits) / np.exp(logits).sum(), atol=1e-5)


def test_results_of_other_data_leave_the_published_model_alone(project, found_by_a_fake, drawn):
    before = {
        path: path.read_bytes() for path in project.rglob("*") if path.is_file() and "processed" not in path.parts
    }
    other = dataset.make_dataset(train=40, valid=30, test=30, seed=8)
    dataset.save_official(other, project / "other")
    found = study.run("tiny", root=project / "other", results=project / "runs", risk=0.9, images=4)
    assert {path.name for path in (project / "runs" / "tiny").iterdir()} == {
        "study.json", "attribution.npz", "predictions_valid.npz", "predictions_test.npz",
    }  # fmt: skip
    assert found["about"]["data_hash"] == other.content_hash
    assert {path: path.read_bytes() for path in before} == before


def test_a_model_of_other_data_is_refused(project, monkeypatch, tmp_path):
    dataset.save_official(dataset.make_dataset(train=40, valid=20, test=20, seed=9), tmp_path / "stranger")
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "stranger"))
    with pytest.raises(FerlibError, match="other data than FERLIB_DATA has now"):
        study.run("tiny", risk=0.9)


def test_predictions_of_other_weights_are_refused_and_nothing_is_written(project, found_by_a_fake):
    path = paths.PUBLISHED / "tiny" / "predictions_test.npz"
    stored = store.published_predictions("tiny", "test")
    stored["probabilities"] = stored["probabilities"][::-1]
    np.savez(path, **stored)
    sidecar = (paths.CHECKPOINTS / "tiny.json").read_bytes()
    with pytest.raises(FerlibError, match="other probabilities on test"):
        study.run("tiny", risk=0.9, images=4)
    assert not (paths.PUBLISHED / "tiny" / "study.json").exists()
    assert (paths.CHECKPOINTS / "tiny.json").read_bytes() == sidecar


@pytest.mark.parametrize("key", ["labels", "leaked"])
def test_other_labels_or_leaks_than_the_published_ones_are_refused(project, found_by_a_fake, key):
    path = paths.PUBLISHED / "tiny" / "predictions_valid.npz"
    stored = store.published_predictions("tiny", "valid")
    stored[key] = np.roll(stored[key], 1) if key == "labels" else ~stored[key]
    np.savez(path, **stored)
    with pytest.raises(FerlibError, match="labels or leaks of valid are not those of tiny any more"):
        study.run("tiny", risk=0.9, images=4)
    assert not (paths.PUBLISHED / "tiny" / "study.json").exists()


def test_the_data_folder_that_is_named_is_the_one_that_counts(project, monkeypatch, tmp_path):
    dataset.save_official(dataset.make_dataset(train=40, valid=20, test=20, seed=9), tmp_path / "stranger")
    with pytest.raises(FerlibError, match="tiny was published with other data than stranger has; name the same data"):
        study.run("tiny", root=tmp_path / "stranger", risk=0.9)


def test_an_impossible_risk_stops_before_test_is_read(project, monkeypatch):
    monkeypatch.setattr(splits, "measure_splits", lambda *_: pytest.fail("test was read"))
    with pytest.raises(FerlibError, match="no confidence gives at most"):
        study.run("tiny", risk=1e-9)


def test_what_is_chosen_does_not_change_with_the_test_split(project, drawn, tmp_path):
    """Another test split altogether, other faces and other votes: the same temperature and threshold."""
    checkpoint = checkpoints.load("tiny")
    first = study.choose(checkpoint, risk=0.9)
    test = drawn.split == "test"
    images, votes = np.array(drawn.images), np.array(drawn.votes)
    images[test] = np.random.default_rng(0).integers(0, 256, images[test].shape)
    votes[test] = votes[test][:, ::-1]
    dataset.save_official(make_data(drawn.ids, images, votes, drawn.split, "changed"), tmp_path / "changed")
    assert study.choose(checkpoint, tmp_path / "changed", risk=0.9) == first
    valid = drawn.split == "valid"
    votes[valid] = votes[valid][:, ::-1]
    dataset.save_official(make_data(drawn.ids, images, votes, drawn.split, "changed"), tmp_path / "changed too")
    assert study.choose(checkpoint, tmp_path / "changed too", risk=0.95) != study.choose(checkpoint, risk=0.95)


def test_what_is_stored_of_each_model_belongs_together():
    """Study, scores and sidecar of every studied model are of the same weights, data and predictions."""
    models = studies.load()
    assert models
    for one in models:
        metrics, about = store.published_metrics(one.name), checkpoints.load(one.name).about
        assert one.study["about"]["weights_sha256"] == about["weights_sha256"]
        assert one.study["about"]["data_hash"] == metrics["run"]["data_hash"]
        assert one.study["chosen_on_valid"]["temperature"] == about["temperature"]
        assert one.study["chosen_on_valid"]["threshold"] == about["threshold"]
        for split in ("valid", "test"):
            found, published = one.study[split], metrics[split]["all"]
            assert {key: found["scores"][key] for key in published} == published
            majority = found["protocols"][0]
            assert majority["accuracy"] == published["accuracy"]
            assert majority["interval"] == pytest.approx(published["accuracy_interval"], abs=1e-3)


def test_the_stored_choices_come_from_the_stored_predictions_on_valid():
    for one in studies.load():
        valid = store.published_predictions(one.name, "valid")
        labels, chosen = valid["labels"], one.study["chosen_on_valid"]
        assert fit_temperature(valid["probabilities"], labels) == pytest.approx(chosen["temperature"], rel=1e-4)
        scaled = at_temperature(valid["probabilities"], chosen["temperature"])[labels >= 0]
        right = scaled.argmax(axis=1) == labels[labels >= 0]
        assert choose_threshold(scaled.max(axis=1), right, chosen["risk"]) == pytest.approx(
            chosen["threshold"], abs=1e-4
        )
