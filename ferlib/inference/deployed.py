"""Networks for export: preprocessing in front, softmax behind, and constant arithmetic folded into the weights.

`simplify` changes no result beyond rounding. Batch norms are left to the runtimes, which fold them themselves.
"""

import copy
from math import ceil
from typing import cast

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from timm.models.convnext import ConvNeXtBlock
from torch import nn

from ferlib.models.preprocessing import Preprocessing, standardise
from ferlib.models.questions import QuestionRule


class DeployedNet(nn.Module):
    """Network from grey faces to (N, K) probabilities at the temperatures, and (N, K) logits without them.

    Args:
        model: network in eval mode; it is copied.
        preprocessing: of the model, without equalisation, which is done before.
        rule: questions that the network answers, and the divisor of each one's logits.
        side: side of the usual faces, pixels.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    factor: torch.Tensor
    shift: torch.Tensor

    def __init__(self, model: nn.Module, preprocessing: Preprocessing, rule: QuestionRule, side: int) -> None:
        super().__init__()
        self.net = simplify(model, preprocessing.channels, preprocessing.size)
        self.rule = rule
        self.standardise = preprocessing.standardise
        self.register_buffer("rows", torch_resampling(side, preprocessing.size))
        self.register_buffer("columns", self.rows.T.contiguous())
        mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (preprocessing.mean, preprocessing.std))
        self.register_buffer("factor", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)

    def forward(
        self, faces: torch.Tensor, rows: torch.Tensor | None = None, columns: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute probabilities and logits.

        Args:
            faces: (N, H, W) uint8; `side` each way without the two matrices.
            rows: (S, H) float32 for the network's size S, see `torch_resampling`.
            columns: (W, S) float32, the transpose of the matrix for W.

        Returns:
            Probabilities and logits, (N, K) float32 each, with a part for each question (`questions.columns`).
        """
        rows, columns = self.rows if rows is None else rows, self.columns if columns is None else columns
        images = (rows @ faces.float() @ columns).unsqueeze(1)
        if self.standardise:
            images = standardise(images / 255) * 255
        logits = self.net(images * self.factor + self.shift)
        return self.rule.probabilities(logits), logits


def torch_resampling(inputs: int, outputs: int) -> torch.Tensor:
    """Compute the matrix R for which R @ image @ R.T is `preprocessing.resize` of a square image.

    Bilinear resampling works on rows and columns one after the other, so resizing the identity matrix gives it. Two
    small matrix products cost less than the runtimes' own operator.

    Args:
        inputs: side of the image, pixels.
        outputs: side of the result, pixels.

    Returns:
        (outputs, inputs) float32.
    """
    identity = torch.eye(inputs)[None, None]
    return F.interpolate(identity, (outputs, inputs), mode="bilinear", antialias=True, align_corners=False)[0, 0]


def simplify(model: nn.Module, channels: int, size: int) -> nn.Module:
    """Copy a network for input of one size, with constant arithmetic done once.

    The layer scale of ConvNeXt blocks goes into the weights before it: without it ONNX Runtime adds the block's input
    within the last convolution. TensorFlow's "same" padding, which timm works out anew for each input, becomes a
    constant: in a ConvNeXt with Lite stem at 96 pixels that arithmetic took a fifth of the time.

    Args:
        model: the network; it stays as it is.
        channels: of the input.
        size: side of the input, pixels.

    Returns:
        The copy, in eval mode and torch's default layout.
    """
    model = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)
    for module in model.modules():
        if isinstance(module, ConvNeXtBlock) and module.gamma is not None:
            _fold_scale(module, module.gamma)
    for name, side in _input_sides(model, channels, size).items():
        parent, _, last = name.rpartition(".")
        convolution = cast(Conv2dSame, model.get_submodule(name))
        setattr(model.get_submodule(parent), last, _constant_padding(convolution, side))
    return model


@torch.no_grad()
def _fold_scale(block: ConvNeXtBlock, scale: torch.Tensor) -> None:
    """Multiply a block's layer scale into its last layer, in place."""
    last = block.mlp.fc2
    last.weight.mul_(scale.view(-1, *[1] * (last.weight.ndim - 1)))
    if last.bias is not None:
        last.bias.mul_(scale)
    block.gamma = None


@torch.no_grad()
def _input_sides(model: nn.Module, channels: int, size: int) -> dict[str, tuple[int, int]]:
    """Measure height and width of the input of each convolution with "same" padding, by its name."""
    sides: dict[str, tuple[int, int]] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: sides.update({name: tuple(inputs[0].shape[-2:])}))
        for name, module in model.named_modules()
        if isinstance(module, Conv2dSame)
    ]
    if hooks:
        model(torch.zeros(1, channels, size, size))
    for hook in hooks:
        hook.remove()
    return sides


def _constant_padding(convolution: Conv2dSame, side: tuple[int, int]) -> nn.Module:
    """Build the same convolution for input of one size only."""
    sizes = zip(side, convolution.kernel_size, convolution.stride, convolution.dilation, strict=True)
    rows, columns = (max((ceil(n / step) - 1) * step + (kernel - 1) * gap + 1 - n, 0) for n, kernel, step, gap in sizes)
    kernel_size, stride, dilation = (  # torch types them as of any length
        cast(tuple[int, int], pair) for pair in (convolution.kernel_size, convolution.stride, convolution.dilation)
    )
    plain = nn.Conv2d(
        convolution.in_channels, convolution.out_channels, kernel_size, stride, dilation=dilation,
        groups=convolution.groups, bias=convolution.bias is not None,
    )  # fmt: skip
    plain.load_state_dict(convolution.state_dict())
    return nn.Sequential(nn.ZeroPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)), plain)
