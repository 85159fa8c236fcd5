import json

import numpy as np
import pytest
import torch

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.evaluation import calibration
from ferlib.models import checkpoints
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing
from ferlib.publishing import ledger, thresholds

ARGUMENTS = {"name": "custom_cnn", "channels": 1, "width": 0.125, "dropout": 0.0}


def predictions(seed):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(8, 0.1), 600).astype(np.float32)
    labels = np.array([generator.choice(8, p=row / row.sum()) for row in probabilities.astype(float)])
    labels[:50] = -1
    return {"ids": np.arange(600), "labels": labels, "probabilities": probabilities, "leaked": np.zeros(600, bool)}


@pytest.fixture
def studied(project):
    """A studied model of random weights, whose threshold is of another rule."""
    torch.manual_seed(0)
    about = {"model": ARGUMENTS, "preprocessing": Preprocessing().to_dict(), "temperature": 0.9, "threshold": 0.1}
    checkpoints.save("tiny", build_model(**ARGUMENTS).state_dict(), about)
    folder = paths.PUBLISHED / "tiny"
    folder.mkdir(parents=True)
    for seed, split in enumerate(("valid", "test")):
        np.savez(folder / f"predictions_{split}.npz", **predictions(seed))
    weights = checkpoints.describe("tiny")[0]["weights_sha256"]
    study = {
        "model": "tiny", "about": {"weights_sha256": weights, "code_commit": "of the study"},
        "chosen_on_valid": {"temperature": 0.9, "temperature_votes": 1.4, "threshold": 0.1, "risk": 0.3},
        "valid": {"scores": {"n": 550}, "abstention": {"at_threshold": {}, "area": 0.5}},
        "test": {"scores": {"n": 550}, "abstention": {"at_threshold": {}, "area": 0.5}},
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))
    return study


def test_the_threshold_is_chosen_again_from_valid_and_reported_on_both(studied, capsys):
    thresholds.main()
    study = json.loads((paths.PUBLISHED / "tiny" / "study.json").read_text())
    sidecar = json.loads((paths.CHECKPOINTS / "tiny.json").read_text())
    valid, test = predictions(0), predictions(1)
    threshold = thresholds.fit_threshold(valid["probabilities"], valid["labels"], 0.9, 0.3)
    assert 0.1 < threshold < 1
    assert study["chosen_on_valid"] == studied["chosen_on_valid"] | {"threshold": threshold, "level": 0.95}
    assert (sidecar["threshold"], sidecar["threshold_level"], sidecar["temperature"]) == (threshold, 0.95, 0.9)
    for split, stored in (("valid", valid), ("test", test)):
        confidence, right = calibration.confidence_and_right(stored["probabilities"], stored["labels"], 0.9)
        answers = {"threshold": threshold, **calibration.selective(confidence, right, confidence >= threshold)}
        assert study[split] == {"scores": {"n": 550}, "abstention": {"at_threshold": answers, "area": 0.5}}
    assert study["about"] == studied["about"]
    assert "tiny, test: not sure below" in capsys.readouterr().out
    assert ledger.read_ledger(paths.PUBLISHED / ledger.LEDGER_NAME) == []  # stored predictions are no new read


def test_choosing_again_changes_nothing_the_second_time(studied):
    assert thresholds.choose_again("tiny") == thresholds.choose_again("tiny")


def test_test_does_not_choose(studied):
    first = thresholds.choose_again("tiny")["chosen_on_valid"]
    np.savez(paths.PUBLISHED / "tiny" / "predictions_test.npz", **predictions(7))
    assert thresholds.choose_again("tiny")["chosen_on_valid"] == first


def test_a_study_of_other_weights_is_refused(studied):
    path = paths.PUBLISHED / "tiny" / "study.json"
    path.write_text(json.dumps(studied | {"about": {"weights_sha256": "other"}}))
    sidecar = (paths.CHECKPOINTS / "tiny.json").read_bytes()
    with pytest.raises(FerlibError, match="study of 'tiny' is of other weights"):
        thresholds.choose_again("tiny")
    assert (paths.CHECKPOINTS / "tiny.json").read_bytes() == sidecar


def test_a_model_without_a_study_is_named(project):
    with pytest.raises(FerlibError, match="there is no study of 'nothing'"):
        thresholds.choose_again("nothing")
