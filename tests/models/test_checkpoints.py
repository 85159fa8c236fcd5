import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.models import checkpoints


def change_sidecar(weights, **changes):
    path = weights.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_come_back_within_half_precision(tiny_checkpoint):
    loaded = checkpoints.load("tiny")
    stored = load_file(tiny_checkpoint)
    assert stored["head.weight"].dtype == torch.float16
    assert stored["features.0.1.running_var"].dtype == torch.float32
    assert all(value.dtype != torch.float16 for value in loaded.model.state_dict().values())
    assert loaded.about["classes"] == list(EMOTIONS)
    assert not loaded.model.training


def test_missing_checkpoint_names_the_others(tiny_checkpoint):
    with pytest.raises(FerlibError, match="no checkpoint 'big'; choose one of these: convnext, tiny\\."):
        checkpoints.load("big")


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_truncated_weights_are_refused(tiny_checkpoint, keep):
    tiny_checkpoint.write_bytes(tiny_checkpoint.read_bytes()[:keep])
    with pytest.raises(FerlibError, match=r"tiny\.safetensors is damaged or cut short"):
        checkpoints.load("tiny")


def test_truncated_weights_with_a_forged_hash_are_refused(tiny_checkpoint):
    from ferlib.files import sha256

    tiny_checkpoint.write_bytes(tiny_checkpoint.read_bytes()[:500])
    change_sidecar(tiny_checkpoint, weights_sha256=sha256(tiny_checkpoint))
    with pytest.raises(FerlibError, match="damaged"):
        checkpoints.load("tiny")


def test_weights_of_another_architecture_are_refused(tiny_checkpoint):
    change_sidecar(tiny_checkpoint, model={"name": "custom_cnn", "width": 0.25})
    with pytest.raises(FerlibError, match="damaged"):
        checkpoints.load("tiny")


def test_another_class_order_is_refused(tiny_checkpoint):
    change_sidecar(tiny_checkpoint, classes=["neutral", *EMOTIONS[:5], *EMOTIONS[6:]])
    with pytest.raises(FerlibError, match="class order neutral, angry"):
        checkpoints.load("tiny")


@pytest.mark.parametrize("text", ["", "{", "{}", '{"classes": []}'])
def test_a_bad_sidecar_is_named(tiny_checkpoint, text):
    tiny_checkpoint.with_suffix(".json").write_text(text)
    with pytest.raises(FerlibError, match=r"sidecar tiny\.json"):
        checkpoints.load("tiny")


def test_sidecar_can_be_extended(tiny_checkpoint):
    checkpoints.update_sidecar("tiny", temperature=2.0)
    assert checkpoints.load("tiny").temperature == 2.0


def test_temperature_flattens_the_probabilities(tiny_checkpoint):
    from ferlib.inference.loading import load_classifier

    faces = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    sharp = load_classifier("tiny").predict_proba(faces)
    checkpoints.update_sidecar("tiny", temperature=5.0)
    flat = load_classifier("tiny").predict_proba(faces)
    assert (flat.max(axis=1) < sharp.max(axis=1)).all()
    assert np.array_equal(flat.argmax(axis=1), sharp.argmax(axis=1))
