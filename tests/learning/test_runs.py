import json
from dataclasses import replace

import numpy as np
import pytest

from ferlib import paths
from ferlib.data import synthetic
from ferlib.errors import FerlibError
from ferlib.learning import runs
from ferlib.learning.config import TrainConfig


@pytest.fixture
def project(tmp_path, monkeypatch, drawn):
    """Every folder of the project moved to tmp_path, with drawn faces as its data."""
    for name in ("PROCESSED", "RUNS", "CHECKPOINTS", "PUBLISHED"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    synthetic.save_official(drawn, tmp_path / "data")
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "data"))
    return tmp_path


def test_train_publish_evaluate(project, tiny, drawn):
    best = runs.train(replace(tiny, epochs=2), "small", progress=False)
    about = json.loads((paths.RUNS / "small" / "run.json").read_text())
    assert about["valid_accuracy"] == best["valid_accuracy"]
    assert about["data_hash"] == drawn.content_hash
    assert TrainConfig.from_dict(about["config"]).epochs == 2
    metrics = runs.publish("small")
    folder = paths.PUBLISHED / "small"
    assert {path.name for path in folder.iterdir()} == {
        "metrics.json", "history.csv", "predictions_valid.npz", "predictions_test.npz",
    }  # fmt: skip
    assert metrics["test"]["all"]["n"] > 0
    test = runs.published_predictions("small", "test")
    assert set(test["ids"]) == set(drawn.ids[drawn.split == "test"])
    assert np.allclose(test["probabilities"].sum(axis=1), 1, atol=1e-5)
    for split in ("valid", "test"):
        stored, again = (runs.evaluate_model("small", split, recompute=flag) for flag in (False, True))
        assert stored["all"] == again["all"] == metrics[split]["all"]
        assert "n = " in runs.render_evaluation(stored)


def test_a_name_is_published_once(project, tiny):
    runs.train(replace(tiny, epochs=1), "once", progress=False)
    runs.publish("once")
    with pytest.raises(FerlibError, match="published already"):
        runs.publish("once")
    assert runs.publish("once", replace=True)


def test_an_unfinished_run_is_not_published(project):
    with pytest.raises(FerlibError, match="missing or unfinished"):
        runs.publish("nothing")


def test_unpublished_predictions_are_named(project):
    with pytest.raises(FerlibError, match="no published predictions of 'x' on valid"):
        runs.published_predictions("x", "valid")
