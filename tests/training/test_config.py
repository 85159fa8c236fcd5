import json

import pytest

from ferlib.errors import FerlibError
from ferlib.models.preprocessing import Preprocessing
from ferlib.training.config import RETIRED, Augmentation, TrainConfig


def test_round_trip_through_json():
    config = TrainConfig(
        epochs=5, preprocessing=Preprocessing(equalise="global"), augmentation=Augmentation(rotation=3), seed=7
    )
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("values", "named"),
    [({"epoch": 3}, "epoch"), ({"augmentation": {"rotate": 3}}, "augmentation.rotate")],
)
def test_unknown_keys_are_errors(values, named):
    with pytest.raises(FerlibError, match=f"unknown key.*{named}"):
        TrainConfig.from_dict(values)


def test_retired_settings_of_stored_runs_are_dropped_when_off():
    stored = TrainConfig(epochs=5).to_dict() | {"sam": 0.0, "cutmix": 0.0, "patience": 0, "label_smoothing": 0.0}
    assert TrainConfig.from_dict(stored) == TrainConfig(epochs=5)
    assert not RETIRED.keys() & TrainConfig().to_dict().keys()


@pytest.mark.parametrize("key", RETIRED)
def test_retired_settings_that_are_on_are_refused(key):
    with pytest.raises(FerlibError, match=f"{key} = 1 is of an earlier version"):
        TrainConfig.from_dict({key: 1})


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "best"}, {"optimizer": "lion"}, {"epochs": 0}, {"batch_size": 1}, {"sizes": ((0.5, 48),)},
        {"balance": "x"}, {"mixup": 1.5}, {"views": -1},
        {"augmentation": Augmentation(blur=0.9)}, {"manifest_version": 3},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(FerlibError, match="training settings"):
        TrainConfig(**wrong)


def test_progressive_sizes_change_at_their_share():
    config = TrainConfig(epochs=10, sizes=((0, 24), (0.6, 48)))
    assert [config.size_at(epoch) for epoch in range(10)] == [24] * 6 + [48] * 4
