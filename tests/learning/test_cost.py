import torch

from ferlib.learning.checkpoints import Checkpoint
from ferlib.learning.cost import model_cost
from ferlib.learning.transforms import Preprocessing


def test_cost_of_a_small_network_by_hand():
    layers = (torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(4 * 16 * 16, 8))
    checkpoint = Checkpoint("x", torch.nn.Sequential(*layers).eval(), Preprocessing(size=16), 1.0, {})
    cost = model_cost(checkpoint)
    assert cost["parameters"] == (9 * 4 + 4) + (1024 * 8 + 8)
    assert cost["multiply_adds"] == 9 * 4 * 256 + 1024 * 8
    assert cost["input"] == 16
