"""Optimisers, their parameter groups, and the one-cycle schedule."""

import numpy as np
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from ferlib.models.networks import PRETRAINED_STEMS
from ferlib.training.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Make SGD with Nesterov momentum or AdamW; biases and norms (fewer than two dimensions) are not decayed.

    With a `layer_decay` below 1 each layer's rate is that factor times the next one's, from the last layer down, so
    that pre-trained early layers change least (Howard and Ruder 2018, discriminative fine-tuning). Each group holds
    its factor as ``lr_scale``, and `set_rate` applies it.

    Args:
        model: the network.
        config: settings; `optimizer`, `peak_lr`, `weight_decay` and `layer_decay` are used.
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
    """Set the learning rate of every group.

    Args:
        optimizer: an optimiser of `make_optimizer`.
        rate: learning rate, which each group multiplies by its own ``lr_scale``.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Compute the one-cycle schedule: a linear warm-up from a tenth of the peak, then half a cosine down to zero.

    Args:
        config: settings; `peak_lr` and `warmup` are used.
        step: number of the step; the first is 0.
        steps: steps of the whole run.
    """
    warmup_steps = config.warmup * steps
    if step < warmup_steps:
        return config.peak_lr * (0.1 + 0.9 * step / warmup_steps)
    return config.peak_lr * 0.5 * (1 + float(np.cos(np.pi * (step - warmup_steps) / max(1.0, steps - warmup_steps))))


def freeze_pretrained(model: nn.Module, stem: str, frozen: bool) -> None:
    """Freeze the pre-trained layers for the first stage of fine-tuning, or release them for the second.

    The last layer is new, and so is a stem of our own; where only the stem was pre-trained, all layers above it are.

    Args:
        model: the network.
        stem: name of its stem (`networks.STEMS`).
        frozen: True for the first stage, in which only new layers learn; False for the second, in which all do.
    """
    if stem in PRETRAINED_STEMS:
        model.stem.requires_grad_(not frozen)
        return
    model.requires_grad_(not frozen)
    model.get_classifier().requires_grad_(True)
    if stem:
        model.stem.requires_grad_(True)
