"""From training to a tuned sidecar: a model that answers what people see and what was meant."""

import json
from dataclasses import replace

import numpy as np
import pytest

import ferlib
from ferlib import paths
from ferlib.data.drawn import dataset
from ferlib.models import checkpoints
from ferlib.models.questions import BOTH_QUESTIONS
from ferlib.publishing import publish, rescore, store, study, thresholds
from ferlib.training import runs


@pytest.fixture(scope="module")
def drawn():
    return dataset.make_dataset(train=120, valid=60, test=40, seed=3)


@pytest.fixture
def published(project, tiny, monkeypatch):
    monkeypatch.setattr("ferlib.faces.detector.FaceDetector", lambda: lambda picture: [])
    config = replace(tiny, questions=BOTH_QUESTIONS, seen_adjustment=0.3, meant_adjustment=0.5, epochs=4)
    runs.train(config, "pair", progress=False)
    return publish.publish("pair")


@pytest.mark.slow
def test_both_questions_are_published_scored_and_read(published, drawn):
    offsets = json.loads((paths.CHECKPOINTS / "pair.json").read_text())["logit_offsets"]
    assert len(offsets) == 15
    assert max(offsets) <= 0
    for split in ("valid", "test"):
        predictions, labels = store.published_predictions("pair", split), drawn.meant[drawn.split == split]
        assert predictions["meant_probabilities"].shape == (len(labels), 7)
        assert sorted(predictions["meant_labels"]) == sorted(labels)
        meant = published[split]["meant"]
        assert meant["n"] == (labels >= 0).sum()
        right = predictions["meant_probabilities"].argmax(axis=1) == predictions["meant_labels"]
        assert meant["accuracy"] == pytest.approx(right[predictions["meant_labels"] >= 0].mean())
        assert meant["per_class"]["contempt"]["support"] == 0
        again = rescore.evaluate_model("pair", split, recompute=True)
        assert (again["max_difference"], again["meant"]) == (0, meant)
    assert "meant       n = " in rescore.render_evaluation(again)


@pytest.mark.slow
def test_the_study_chooses_how_the_answers_are_read(published):
    report = study.run_study("pair", risk=0.95, images=4)
    reading = report["chosen_on_valid"]["reading"]
    sidecar = json.loads((paths.CHECKPOINTS / "pair.json").read_text())
    assert sidecar["meant_share"] == reading["meant_share"]
    assert sidecar["meant_temperature"] == reading["meant_temperature"]
    assert "shares" not in sidecar
    assert report["test"]["meant"] == published["test"]["meant"]
    by_question = {"seen": sidecar["threshold"], **reading["thresholds"]}
    assert set(by_question) == {"seen", "meant", "both"}
    for question, threshold in by_question.items():
        assert ferlib.load_classifier("pair", "torch", question=question).threshold == threshold
    default = ferlib.load_classifier("pair", "torch")
    assert default.question == "both"
    assert default.rule.meant_share == reading["meant_share"]
    assert np.isfinite(default.predict_proba(np.zeros((1, 48, 48), np.uint8))).all()
    checkpoints.update_sidecar("pair", threshold=0.0, thresholds={}, meant_share=9.0)
    assert thresholds.choose_again("pair")["chosen_on_valid"] == report["chosen_on_valid"]
    assert json.loads((paths.CHECKPOINTS / "pair.json").read_text()) == sidecar  # from stored predictions, the same
