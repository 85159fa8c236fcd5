"""Optimisers, their groups of weights, and the one-cycle schedule."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from ferlib.models.networks import PRETRAINED_STEMS
from ferlib.training.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum or AdamW; biases and norms (fewer than two dimensions) are not decayed.

    With a `layer_decay` below 1 each layer's rate is that factor times the next one's, from the last layer down, so
    that pre-trained early layers change least (Howard and Ruder 2018, discriminative fine-tuning). The factor stands
    as ``lr_scale`` in each group, and `set_rate` applies it.
    """
    if config.layer_decay < 1:
        groups = param_groups_layer_decay(model, weight_decay=config.weight_decay, layer_decay=config.layer_decay)
    else:
        decayed = [p for p in model.parameters() if p.ndim >= 2]
        others = [p for p in model.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.peak_lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=config.peak_lr)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the learning rate, times its own ``lr_scale``."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """One-cycle: from a tenth of the peak up along a straight line, then down to zero along half a cosine."""
    rise = config.warmup * steps
    if step < rise:
        return config.peak_lr * (0.1 + 0.9 * step / rise)
    return config.peak_lr * 0.5 * (1 + float(np.cos(np.pi * (step - rise) / max(1.0, steps - rise))))


def freeze_pretrained(model: nn.Module, stem: str, frozen: bool) -> None:
    """Stage one of two-stage fine-tuning trains what is new alone; stage two, everything.

    New is the last layer, and a stem of our own; where only the stem was pre-trained, all that stands above it.
    """
    if stem in PRETRAINED_STEMS:
        model.stem.requires_grad_(not frozen)
        return
    model.requires_grad_(not frozen)
    model.get_classifier().requires_grad_(True)
    if stem:
        model.stem.requires_grad_(True)


@contextmanager
def climb(model: nn.Module, radius: float) -> Iterator[None]:
    """Within the block the weights stand `radius` further up along the gradient; afterwards where they were.

    Sharpness-aware minimisation (Foret et al. 2021, equation 2, with the Euclidean norm over all weights) takes its
    step with the gradient found there.
    """
    moved = [weights for weights in model.parameters() if weights.grad is not None]
    before = [weights.detach().clone() for weights in moved]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(weights.grad) for weights in moved]))
    with torch.no_grad():
        for weights in moved if torch.isfinite(norm) else ():  # half precision may overflow; this step is then left out
            weights.add_(weights.grad, alpha=(radius / (norm + 1e-12)).item())
    try:
        yield
    finally:
        with torch.no_grad():
            for weights, old in zip(moved, before, strict=True):
                weights.copy_(old)
