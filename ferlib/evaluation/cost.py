"""What a network costs, counted: parameters and multiply-adds. `bench` measures the time."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ferlib.models.checkpoints import Checkpoint


def model_cost(checkpoint: Checkpoint) -> dict:
    """Parameters, multiply-adds of one face by torch's own counter, and the input's side in pixels."""
    pre = checkpoint.preprocessing
    return _count(checkpoint.model, pre.channels, pre.size)


def _count(model: nn.Module, channels: int, size: int) -> dict:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, channels, size, size))
    return {
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "input": size,
    }
