"""Cost of a network, counted: parameters and multiply-adds. `bench` measures the time."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ferlib.models.checkpoints import Checkpoint


def model_cost(checkpoint: Checkpoint) -> dict:
    """Count the cost of a checkpoint; see `count_cost`."""
    return count_cost(checkpoint.model, checkpoint.preprocessing.channels, checkpoint.preprocessing.size)


def count_cost(model: nn.Module, channels: int, size: int) -> dict:
    """Count the cost of a network for one face.

    Args:
        model: the network.
        channels: channels of its input.
        size: side of its input, pixels.

    Returns:
        ``parameters``, ``multiply_adds`` by torch's own counter, and ``input``, the side in pixels.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, channels, size, size))
    return {
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "input": size,
    }
