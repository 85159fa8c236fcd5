"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of a network's weights and running statistics, in full precision.

    The decay is warmed up, min(decay, (1 + step) / (10 + step)), so that the average does not lag on short runs.

    Args:
        model: the network; its present weights are where the average starts.
        decay: weight of the old average in each update, in 0..1; 0 makes the average the last weights.

    Attributes:
        model: a copy of the network that holds the average, in eval mode.
        decay: as given.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the network's weights.

        Args:
            model: the network after an optimiser step.
            step: number of the step since training began; the first is 0.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for mean, value in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def snapshot(self) -> dict[str, torch.Tensor]:
        """Copy the averaged state dict to the CPU."""
        return {name: value.cpu().clone() for name, value in self.model.state_dict().items()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the averaged state dict; later updates change it."""
        return self.model.state_dict()

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self.model.load_state_dict(state)
