"""Small drawn data and a tiny network for the tests of this room."""

from dataclasses import replace

import pytest
import torch

from ferlib import paths
from ferlib.data import cleaning, synthetic
from ferlib.learning.batches import prepare
from ferlib.learning.config import TrainConfig

TINY = TrainConfig(width=0.125, dropout=0.1, epochs=3, batch_size=32, sizes=((0.0, 24), (0.5, 32)), peak_lr=0.05)


@pytest.fixture(scope="session")
def drawn():
    return synthetic.make_dataset(train=160, valid=60, test=40, seed=3)


@pytest.fixture(scope="session")
def drawn_manifest(drawn):
    return cleaning.build_manifest(drawn)


@pytest.fixture
def tiny():
    return TINY


@pytest.fixture
def tiny_set(drawn, drawn_manifest, tiny):
    return prepare(drawn.where(drawn.split != "test"), tiny, drawn_manifest)


@pytest.fixture
def tiny_checkpoint(tmp_path, monkeypatch, tiny):
    """A checkpoint of random weights named "tiny" in a folder of its own, which is made the default one."""
    from ferlib.learning import checkpoints
    from ferlib.learning.models import build_model

    torch.manual_seed(0)
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(paths, "PROCESSED", tmp_path / "processed")
    arguments = {"name": "custom_cnn", "channels": 1, "width": 0.125, "dropout": 0.0}
    model = build_model(**arguments)
    about = {"model": arguments, "preprocessing": replace(tiny).preprocessing.to_dict(), "config": {"seed": 0}}
    checkpoints.save("tiny", model.state_dict(), about)
    return tmp_path / "checkpoints" / "tiny.safetensors"
