import json
from functools import partial

import numpy as np
import pytest
import torch

from ferlib import paths
from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.drawn import dataset
from ferlib.data.ferplus import make_data
from ferlib.errors import FerlibError
from ferlib.evaluation.calibration import choose_threshold
from ferlib.inference.loading import load_classifier
from ferlib.models import checkpoints
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing
from ferlib.models.temperature import at_temperature, fit_temperature
from ferlib.publishing import ledger, rescore, splits, store, study
from ferlib.report import studies

ARGUMENTS = {"name": "custom_cnn", "channels": 1, "width": 0.125, "dropout": 0.0}


@pytest.fixture(scope="module")
def drawn():
    return dataset.make_dataset(train=60, valid=60, test=40, seed=3)


@pytest.fixture
def project(project, drawn):
    """The project with a published model of random weights."""
    torch.manual_seed(0)
    about = {"model": ARGUMENTS, "preprocessing": Preprocessing().to_dict(), "config": {"seed": 0, "clean": True}}
    checkpoints.save("tiny", build_model(**ARGUMENTS).state_dict(), about)
    folder = paths.PUBLISHED / "tiny"
    folder.mkdir(parents=True)
    classifier = load_classifier("tiny", engine="torch")
    score_test = partial(splits.score_test, purpose="publication")
    for split, score_split in (("valid", splits.score_valid), ("test", score_test)):
        result = score_split(classifier, DataSet(drawn))
        np.savez(folder / f"predictions_{split}.npz", **result.predictions)
    metrics = {"run": {"data_hash": drawn.content_hash}, "protocol": "p", "config": {"seed": 0}, "test": {}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return project


@pytest.fixture
def fake_detector(monkeypatch):
    """Finding faces is tested in its own room; here each pasted face is missed."""
    monkeypatch.setattr("ferlib.faces.detector.FaceDetector", lambda: lambda picture: [])


@pytest.mark.slow
def test_a_study_measures_records_and_tunes_the_sidecar(project, fake_detector):
    steps = []
    report = study.run_study("tiny", risk=0.9, images=12, say=steps.append)
    stored = json.loads((paths.PUBLISHED / "tiny" / "study.json").read_text())
    assert stored == json.loads(json.dumps(report))
    assert {path.name for path in (paths.PUBLISHED / "tiny").iterdir()} == {
        "metrics.json", "predictions_valid.npz", "predictions_test.npz", "study.json", "attribution.npz",
        "attribution_examples.npz",
    }  # fmt: skip
    sidecar = json.loads((paths.CHECKPOINTS / "tiny.json").read_text())
    assert sidecar["temperature"] == report["chosen_on_valid"]["temperature"]
    assert sidecar["threshold"] == report["chosen_on_valid"]["threshold"]
    assert (sidecar["chosen_on"], sidecar["threshold_risk"], sidecar["threshold_level"]) == ("valid", 0.9, 0.95)
    tuned = load_classifier("tiny", engine="torch")
    assert tuned.threshold == sidecar["threshold"]
    with np.load(paths.PUBLISHED / "tiny" / "attribution_examples.npz") as examples:
        assert examples["sources"].tolist()[:2] == ["drawn angry", "drawn fear"]
        assert len(examples["sources"]) == len(examples["faces"]) == len(examples["predicted"]) == len(examples["maps"])
    assert report["test"]["live_path"][0]["found"] == 0
    assert report["test"]["robustness"]["n"] == report["valid"]["doubt"]["n"] == 12
    reads = ledger.read_ledger(paths.PUBLISHED / ledger.LEDGER_NAME)
    assert [(read.model, read.purpose, read.repeat) for read in reads] == [
        ("tiny", "publication", False), ("tiny", "full report", True),
    ]  # fmt: skip
    assert {row["labels"] for row in report["test"]["protocols"]} == {"label.csv"}
    assert report["about"]["seconds"] > 0
    assert steps[:2] == ["choosing temperature and threshold on valid", "reading test"]
    assert "chosen on valid: temperature" in study.render_study(report)


@pytest.mark.slow
def test_the_stored_predictions_stay_those_of_temperature_one(project, fake_detector):
    study.run_study("tiny", risk=0.9, images=4)
    for split in ("valid", "test"):
        again = rescore.evaluate_model("tiny", split, recompute=True)
        assert again["max_difference"] == 0
    faces = np.zeros((1, 48, 48), np.uint8)
    tuned = load_classifier("tiny", engine="torch")
    raw, scaled = tuned.predict_proba(faces, calibrated=False), tuned.predict_proba(faces)
    logits = np.log(raw) / tuned.about["temperature"]
    assert np.allclose(scaled, np.exp(logits) / np.exp(logits).sum(), atol=1e-5)


@pytest.mark.slow
def test_results_of_other_data_leave_the_published_model_alone(project, fake_detector, drawn):
    before = {
        path: path.read_bytes() for path in project.rglob("*") if path.is_file() and "processed" not in path.parts
    }
    other = dataset.make_dataset(train=40, valid=30, test=30, seed=8)
    dataset.save_official(other, project / "other")
    report = study.run_study("tiny", root=project / "other", results=project / "runs", risk=0.9, images=4)
    assert {path.name for path in (project / "runs" / "tiny").iterdir()} == {
        "study.json", "attribution.npz", "attribution_examples.npz", "predictions_valid.npz", "predictions_test.npz",
    }  # fmt: skip
    assert report["about"]["data_hash"] == other.content_hash
    (read,) = ledger.read_ledger(project / "runs" / ledger.LEDGER_NAME)
    assert (read.model, read.data_hash, read.purpose) == ("tiny", other.content_hash, "full report")
    assert {path: path.read_bytes() for path in before} == before


def test_a_model_of_other_data_is_refused(project, monkeypatch, tmp_path):
    dataset.save_official(dataset.make_dataset(train=40, valid=20, test=20, seed=9), tmp_path / "stranger")
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "stranger"))
    with pytest.raises(FerlibError, match="other data than FERLIB_DATA has now"):
        study.run_study("tiny", risk=0.9)


@pytest.mark.slow
def test_predictions_of_other_weights_are_refused_and_nothing_is_written(project, fake_detector):
    path = paths.PUBLISHED / "tiny" / "predictions_test.npz"
    stored = store.published_predictions("tiny", "test")
    stored["probabilities"] = stored["probabilities"][::-1]
    np.savez(path, **stored)
    sidecar = (paths.CHECKPOINTS / "tiny.json").read_bytes()
    with pytest.raises(FerlibError, match="other probabilities on test"):
        study.run_study("tiny", risk=0.9, images=4)
    assert not (paths.PUBLISHED / "tiny" / "study.json").exists()
    assert (paths.CHECKPOINTS / "tiny.json").read_bytes() == sidecar


@pytest.mark.slow
@pytest.mark.parametrize("key", ["labels", "leaked"])
def test_other_labels_or_leaks_than_the_published_ones_are_refused(project, fake_detector, key):
    path = paths.PUBLISHED / "tiny" / "predictions_valid.npz"
    stored = store.published_predictions("tiny", "valid")
    stored[key] = np.roll(stored[key], 1) if key == "labels" else ~stored[key]
    np.savez(path, **stored)
    with pytest.raises(FerlibError, match="labels or leaks of valid are not those of tiny any more"):
        study.run_study("tiny", risk=0.9, images=4)
    assert not (paths.PUBLISHED / "tiny" / "study.json").exists()


def test_the_data_folder_that_is_named_is_the_one_that_counts(project, monkeypatch, tmp_path):
    dataset.save_official(dataset.make_dataset(train=40, valid=20, test=20, seed=9), tmp_path / "stranger")
    with pytest.raises(FerlibError, match="tiny was published with other data than stranger has; name the same data"):
        study.run_study("tiny", root=tmp_path / "stranger", risk=0.9)


def test_an_impossible_risk_stops_before_test_is_read(project, monkeypatch):
    monkeypatch.setattr(splits, "measure_splits", lambda *_: pytest.fail("test was read"))
    with pytest.raises(FerlibError, match="no confidence gives at most"):
        study.run_study("tiny", risk=1e-9)


def test_what_is_chosen_does_not_change_with_the_test_split(project, drawn):
    """Another test split altogether, other faces and other votes: the same temperature and threshold."""
    checkpoint = checkpoints.load("tiny")
    first = study.choose_on_valid(checkpoint, open_data_set(), risk=0.9)
    test = drawn.split == "test"
    images, votes = np.array(drawn.images), np.array(drawn.votes)
    images[test] = np.random.default_rng(0).integers(0, 256, images[test].shape)
    votes[test] = votes[test][:, ::-1]
    other_test = make_data(drawn.ids, images, votes, drawn.split, "changed")
    assert study.choose_on_valid(checkpoint, DataSet(other_test), risk=0.9) == first
    valid = drawn.split == "valid"
    votes[valid] = votes[valid][:, ::-1]
    other_valid = DataSet(make_data(drawn.ids, images, votes, drawn.split, "changed"))
    changed, unchanged = (study.choose_on_valid(checkpoint, each, risk=0.95) for each in (other_valid, DataSet(drawn)))
    assert changed != unchanged


def test_what_is_stored_of_each_model_belongs_together():
    """Study, scores and sidecar of every studied model are of the same weights, data and predictions."""
    models = studies.load_studies()
    assert models
    for model in models:
        metrics, about = store.published_metrics(model.name), checkpoints.load(model.name).about
        assert model.study["about"]["weights_sha256"] == about["weights_sha256"]
        assert model.study["about"]["data_hash"] == metrics["run"]["data_hash"]
        assert model.study["chosen_on_valid"]["temperature"] == about["temperature"]
        assert model.study["chosen_on_valid"]["threshold"] == about["threshold"]
        for split in ("valid", "test"):
            report, published = model.study[split], metrics[split]["all"]
            assert {key: report["scores"][key] for key in published} == published
            majority = report["protocols"][0]
            assert majority["accuracy"] == published["accuracy"]
            assert majority["interval"] == pytest.approx(published["accuracy_interval"], abs=1e-3)


def test_the_stored_choices_come_from_the_stored_predictions_on_valid():
    for model in studies.load_studies():
        valid = store.published_predictions(model.name, "valid")
        labels, chosen = valid["labels"], model.study["chosen_on_valid"]
        assert fit_temperature(valid["probabilities"], labels) == pytest.approx(chosen["temperature"], rel=1e-4)
        scaled = at_temperature(valid["probabilities"], chosen["temperature"])[labels >= 0]
        right = scaled.argmax(axis=1) == labels[labels >= 0]
        threshold = choose_threshold(scaled.max(axis=1), right, chosen["risk"], chosen["level"])
        assert threshold == pytest.approx(chosen["threshold"], abs=1e-4)
        answers = model.study["valid"]["abstention"]["at_threshold"]
        assert 1 - answers["accuracy"] < chosen["risk"]
