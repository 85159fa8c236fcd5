"""What a network costs, counted: parameters and multiply-adds. `bench` measures the time."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from ferlib.learning.checkpoints import Checkpoint


def model_cost(checkpoint: Checkpoint) -> dict:
    """Parameters, multiply-adds of one face by torch's own counter, and the input's side in pixels."""
    pre = checkpoint.preprocessing
    face = torch.zeros(1, pre.channels, pre.size, pre.size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        checkpoint.model(face)
    return {
        "parameters": sum(weights.numel() for weights in checkpoint.model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "input": pre.size,
    }
