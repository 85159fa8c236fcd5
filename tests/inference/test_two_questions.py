"""Classifiers of networks that answer what people see and what was meant, on every engine."""

import numpy as np
import pytest
import torch

import ferlib
from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.inference import graphs
from ferlib.inference.classifier import Classifier
from ferlib.models import checkpoints
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing
from ferlib.models.questions import blend, widen_meant

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A checkpoint of random weights named "pair", with standardised faces and rules in its sidecar."""
    torch.manual_seed(0)
    for name in ("CHECKPOINTS", "PROCESSED"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    arguments = {"name": "custom_cnn", "channels": 1, "width": 0.125, "questions": ["seen", "meant"]}
    model = build_model(**arguments)
    model.head.weight.data *= 30  # answers that differ from face to face
    about = {
        "model": arguments, "preprocessing": Preprocessing(standardise=True).to_dict(), "temperature": 1.5,
        "meant_temperature": 0.8, "meant_share": 0.4, "question": "both",
        "threshold": 0.3, "thresholds": {"meant": 0.4, "both": 0.5},
    }  # fmt: skip
    checkpoints.save("pair", model.state_dict(), about)
    return checkpoints.load("pair")


def logits_of(checkpoint):
    with torch.inference_mode():
        return checkpoint.model(checkpoint.preprocessing(FACES))


def test_each_question_has_its_own_temperature_and_the_rule_blends(checkpoint):
    logits = logits_of(checkpoint)
    seen, meant = (logits[:, :8] / 1.5).softmax(dim=1).numpy(), (logits[:, 8:] / 0.8).softmax(dim=1).numpy()
    answers = Classifier(checkpoint, question=None).answer(FACES)
    assert answers.seen == pytest.approx(seen, abs=1e-5)
    assert answers.meant == pytest.approx(meant, abs=1e-5)
    assert answers.probabilities == pytest.approx(blend(seen, meant, 0.4), abs=1e-5)
    raw = Classifier(checkpoint).answer(FACES, calibrated=False)
    assert raw.meant == pytest.approx(logits[:, 8:].softmax(dim=1).numpy(), abs=1e-5)
    assert np.array_equal(raw.probabilities, raw.seen)  # a classifier built for scores answers FER+'s question


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_every_engine_gives_the_same_answers(checkpoint, engine):
    expected = Classifier(checkpoint, question=None).answer(FACES)
    for faces, rows in ((FACES, slice(None)), (FACES[:1], slice(1))):
        answers = ferlib.load_classifier("pair", engine).answer(faces)
        for value, reference in zip(answers, expected, strict=True):
            assert value == pytest.approx(reference[rows], abs=1e-4)
    calibrated = ferlib.load_classifier("pair", engine).answer(FACES, calibrated=False)
    assert calibrated.meant == pytest.approx(logits_of(checkpoint)[:, 8:].softmax(dim=1).numpy(), abs=1e-4)


@pytest.mark.parametrize(("question", "threshold"), [(None, 0.5), ("both", 0.5), ("seen", 0.3), ("meant", 0.4)])
def test_the_question_decides_reading_and_threshold(checkpoint, question, threshold):
    classifier = ferlib.load_classifier("pair", question=question)
    answers = classifier.answer(FACES)
    expected = {
        "seen": answers.seen,
        "meant": widen_meant(answers.meant),
        "both": blend(answers.seen, answers.meant, 0.4),
    }
    assert np.array_equal(classifier.predict_proba(FACES), expected[question or "both"])
    assert classifier.threshold == threshold
    assert np.array_equal(classifier.predict_proba(FACES, question="seen"), answers.seen)


def test_a_model_of_one_question_refuses_the_other_in_one_sentence(tiny_checkpoint):
    for question in ("meant", "both"):
        with pytest.raises(FerlibError, match="'tiny' answers only what people see; choose the question 'seen'"):
            ferlib.load_classifier("tiny", question=question)
    assert ferlib.load_classifier("tiny", question="seen").question == "seen"
    with pytest.raises(FerlibError, match="no question 'felt'; choose one of seen, meant, both"):
        ferlib.load_classifier("tiny", question="felt")


def test_a_graph_is_of_its_questions_and_temperatures(checkpoint):
    about = checkpoint.about
    identity = graphs.graph_identity(about)
    assert identity["questions"] == '["seen", "meant"]'
    assert graphs.graph_identity({**about, "meant_temperature": 0.9}) != identity
    alone = {**about, "model": {"name": "custom_cnn"}}
    assert "questions" not in graphs.graph_identity(alone)


def test_no_face_has_no_answer(checkpoint):
    for engine in ("onnx", "torch"):
        answers = ferlib.load_classifier("pair", engine).answer(FACES[:0])
        assert [value.shape for value in answers] == [(0, 8), (0, 8), (0, 7)]
