import torch

from ferlib.evaluation.cost import model_cost
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing
from ferlib.report.model_tables import layer_scales, stem_table


def test_cost_of_a_small_network_by_hand():
    layers = (torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(4 * 16 * 16, 8))
    checkpoint = Checkpoint("x", torch.nn.Sequential(*layers).eval(), Preprocessing(size=16), 1.0, {})
    cost = model_cost(checkpoint)
    assert cost["parameters"] == (9 * 4 + 4) + (1024 * 8 + 8)
    assert cost["multiply_adds"] == 9 * 4 * 256 + 1024 * 8
    assert cost["input"] == 16


def test_stems_are_compared_by_what_they_leave_and_cost():
    table = stem_table("convnext_atto", ["", "half", "face"], 64)
    assert list(table["maps after the stem"]) == ["40 of 16x16", "40 of 32x32", "64 of 8x8"]
    assert list(table["ConvNeXt blocks"]) == [12, 12, 10]
    assert table.loc["half", "multiply-adds"] > 3 * table.loc["patches of 4x4", "multiply-adds"]
    assert table.loc["face", "of these in the stem"] < table.loc["face", "parameters"] / 5


def test_layer_scales_are_told_by_stage():
    scales = layer_scales(build_model("convnext_atto", channels=3, stem="face", layer_scale=0.5))
    assert dict(scales) == {"stage 2": 0.5, "stage 3": 0.5, "stage 4": 0.5}  # the stem stands where the first one stood
    assert layer_scales(build_model("custom_cnn")).empty
