"""What a network costs, counted: parameters and multiply-adds. `bench` measures the time."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ferlib.learning.checkpoints import Checkpoint
from ferlib.learning.models import build_model


def model_cost(checkpoint: Checkpoint) -> dict:
    """Parameters, multiply-adds of one face by torch's own counter, and the input's side in pixels."""
    pre = checkpoint.preprocessing
    return _count(checkpoint.model, pre.channels, pre.size)


def stem_table(model: str, stems: Sequence[str], size: int) -> pd.DataFrame:
    """What each of `models.STEMS` makes of a ConvNeXt for faces of `size` pixels; counts in millions."""
    rows = {}
    for stem in stems:
        # torch types every attribute of a Module as "Tensor or Module".
        network: Any = build_model(model, channels=3, stem=stem).eval()
        with torch.inference_mode():
            maps = network.stem(torch.zeros(1, 3, size, size))
        found = _count(network, 3, size)
        rows[stem or "patches of 4x4"] = {
            "maps after the stem": f"{maps.shape[1]} of {maps.shape[2]}x{maps.shape[3]}",
            "ConvNeXt blocks": sum(len(getattr(stage, "blocks", ())) for stage in network.stages),
            "parameters": round(found["parameters"] / 1e6, 2),
            "of these in the stem": round(sum(w.numel() for w in network.stem.parameters()) / 1e6, 2),
            "multiply-adds": round(found["multiply_adds"] / 1e6),
        }
    return pd.DataFrame(rows).T.rename_axis("stem")


def layer_scales(model: nn.Module) -> pd.Series:
    """How much the blocks of each stage of a ConvNeXt count: mean size of their layer scales, by stage."""
    sizes: dict[str, list[float]] = {}
    for name, weights in model.named_parameters():
        if name.endswith(".gamma"):
            stage = f"stage {int(name.split('.')[1]) + 1}"
            sizes.setdefault(stage, []).append(float(weights.detach().abs().mean()))
    return pd.Series({stage: sum(found) / len(found) for stage, found in sizes.items()}, name="layer scale")


def _count(model: nn.Module, channels: int, size: int) -> dict:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, channels, size, size))
    return {
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "input": size,
    }
