"""Tables of a network's parts: stems, layer scales, learning rates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ferlib.evaluation.cost import count_cost
from ferlib.models.networks import build_model
from ferlib.training.config import TrainConfig
from ferlib.training.optim import freeze_pretrained, make_optimizer


def stem_table(model: str, stems: Sequence[str], size: int) -> pd.DataFrame:
    """Maps, blocks, parameters and multiply-adds of a ConvNeXt with each stem; counts in millions.

    Args:
        model: name of the network, see `build_model`.
        stems: names of stems, see `STEMS`.
        size: side of the faces, pixels.
    """
    rows = {}
    for stem in stems:
        # torch types every attribute of a Module as "Tensor or Module".
        network: Any = build_model(model, channels=3, stem=stem).eval()
        with torch.inference_mode():
            maps = network.stem(torch.zeros(1, 3, size, size))
        cost = count_cost(network, 3, size)
        rows[stem or "patches of 4x4"] = {
            "maps after the stem": f"{maps.shape[1]} of {maps.shape[2]}x{maps.shape[3]}",
            "ConvNeXt blocks": sum(len(getattr(stage, "blocks", ())) for stage in network.stages),
            "parameters": round(cost["parameters"] / 1e6, 2),
            "of these in the stem": round(sum(w.numel() for w in network.stem.parameters()) / 1e6, 2),
            "multiply-adds": round(cost["multiply_adds"] / 1e6),
        }
    return pd.DataFrame(rows).T.rename_axis("stem")


def layer_scales(model: nn.Module) -> pd.Series:
    """Mean size of the layer scales of a ConvNeXt's blocks, by stage: how much the blocks count."""
    sizes: dict[str, list[float]] = {}
    for name, weights in model.named_parameters():
        if name.endswith(".gamma"):
            stage = f"stage {int(name.split('.')[1]) + 1}"
            sizes.setdefault(stage, []).append(float(weights.detach().abs().mean()))
    return pd.Series({stage: sum(values) / len(values) for stage, values in sizes.items()}, name="layer scale")


def rate_table(config: TrainConfig) -> pd.DataFrame:
    """Learning rates of a recipe's layers, one row for the layers that share a rate, from the input up.

    Args:
        config: settings of the recipe.

    Returns:
        ``weights``, the ``share of the rate`` and whether the layers learn ``in stage one``, while the pre-trained
        ones wait, by the name of the ``first layer``.
    """
    model = build_model(**config.model_arguments())
    groups = make_optimizer(model, config).param_groups  # of all weights, so before some of them are frozen
    shares = {id(weights): round(group.get("lr_scale", 1.0), 4) for group in groups for weights in group["params"]}
    freeze_pretrained(model, config.stem, config.pretrained)
    rows: dict[float, dict] = {}
    for name, weights in model.named_parameters():
        share = shares[id(weights)]
        row = rows.setdefault(share, {"first layer": name, "weights": 0, "share of the rate": share, "in stage one": 0})
        row["weights"] += weights.numel()
        row["in stage one"] += weights.requires_grad
    table = pd.DataFrame(sorted(rows.values(), key=lambda row: row["share of the rate"]))
    table["in stage one"] = np.where(table["in stage one"] > 0, "learns", "waits")
    return table.set_index("first layer")
