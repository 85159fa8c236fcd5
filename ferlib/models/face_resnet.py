"""dlib's face-recognition ResNet (King 2017): the network, its published weights, and their preparation for training.

The weights were learnt on three million faces and released as CC0. dlib's file holds affine layers where training had
batch norms; `calibrate_norms` turns them into batch norms again that do the same on our faces, so that the network
can be fine-tuned.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ferlib.errors import FerlibError

WEIGHTS_PACKAGE = "face_recognition_models"
"""Package of the extra ``train`` that carries the weights."""

_LEVELS = ((32, 3, 1), (64, 4, 2), (128, 3, 2), (256, 3, 2))  # maps, blocks, stride of the first block


class _Block(nn.Module):
    """Two 3x3 convolutions beside an identity, or beside average pooling where the block has a stride of 2.

    The pooled identity keeps its channels and is padded with zeros to the block's (dlib's `add_prev`).
    """

    def __init__(self, inputs: int, maps: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(inputs, maps, 3, stride, padding=0 if stride == 2 else 1, bias=False)
        self.norm1 = nn.BatchNorm2d(maps)
        self.conv2 = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(maps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, maps, H / stride, W / stride), rounded down."""
        short, padded = x, x
        if self.stride == 2:
            short = F.avg_pool2d(x, 2)
            short = F.pad(short, (0, 0, 0, 0, 0, self.conv2.out_channels - short.shape[1]))
            padded = F.pad(x, (0, 1, 0, 1))  # dlib's windows begin at 0, 2, 4, ... and need no more than this
        change = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(padded)))))
        return torch.relu(short + change)


def face_stages(levels: int) -> nn.Sequential:
    """Build the first stages of the network with random weights.

    Args:
        levels: number of stages, 1 to 4.

    Returns:
        A module that maps (N, 3, S, S) to (N, 32, S / 4, S / 4) with one stage; each further stage halves the side and
        doubles the maps.
    """
    layers = [nn.Conv2d(3, 32, 7, 2, padding=3, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 32
    for maps, blocks, stride in _LEVELS[:levels]:
        layers += [_Block(inputs if index == 0 else maps, maps, stride if index == 0 else 1) for index in range(blocks)]
        inputs = maps
    return nn.Sequential(*layers)


class FaceResNet(nn.Module):
    """dlib's network without its last level, with a new last layer: (N, 3, S, S) to (N, classes) logits.

    The level that is left out would see 2x2 pixels of a face of 96.

    Args:
        classes: number of classes.
        dropout: probability before the last layer.
    """

    def __init__(self, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = face_stages(4)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(256, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, 3, S, S) to (N, classes) logits."""
        return self.head(self.dropout(self.features(x).mean(dim=(2, 3))))

    def get_classifier(self) -> nn.Module:
        """Return the last layer, as timm's models do."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict:
        """Return patterns that order the parameters by depth, as timm's models do.

        Args:
            coarse: part of timm's interface; there is one grouping here.
        """
        return {"stem": r"^features\.[01]\.", "blocks": r"^features\.(\d+)\."}


def load_face_weights(stages: nn.Sequential) -> None:
    """Load dlib's weights into `face_stages`; the batch norms then compute the same as dlib's affine layers.

    Args:
        stages: a result of `face_stages`; its weights change in place.

    Raises:
        FerlibError: the package is missing, or its file is of an unknown version.
    """
    convolutions = [module for module in stages.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in stages.modules() if isinstance(module, nn.BatchNorm2d)]
    content = _weights_file().read_bytes()
    kernels, affine = _tensors(content, b"\x05con_4"), _tensors(content, b"\x07affine_")
    for conv, norm, kernel, scale in zip(convolutions, norms, kernels, affine, strict=False):
        maps = conv.out_channels
        if kernel.numel() != conv.weight.numel() + maps or scale.numel() != 2 * maps:
            raise FerlibError(
                f"the weights in the package {WEIGHTS_PACKAGE} are not the known ones; install version 0.3.0."
            )
        factor, shift = scale.split(maps)
        with torch.no_grad():
            conv.weight.copy_(kernel[:-maps].view_as(conv.weight))
            norm.weight.copy_(factor)
            norm.bias.copy_(shift + factor * kernel[-maps:])
            mean, variance = _statistics(norm)
            mean.zero_()
            variance.fill_(1 - norm.eps)


def _statistics(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the stored mean and variance, to be read or set in place."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None  # only a norm that was built without statistics has none
    assert variance is not None
    return mean, variance


def _weights_file() -> Path:
    """Find the file of weights in its package, which is not imported."""
    spec = find_spec(WEIGHTS_PACKAGE)
    folders = (spec.submodule_search_locations if spec else None) or []
    files = [path for folder in folders for path in sorted((Path(folder) / "models").glob("dlib_face_*.dat"))]
    if not files:
        raise FerlibError(f"the face-recognition weights are missing; install them: pip install {WEIGHTS_PACKAGE}")
    return files[0]


def _tensors(content: bytes, tag: bytes) -> list[torch.Tensor]:
    """Read the parameters behind each `tag` in dlib's serialisation, input first: flat float32.

    A layer's name is followed by the format's version, four sizes and the values, little-endian. dlib writes an integer
    as the number of its bytes and the bytes.
    """
    tensors, place = [], content.find(tag)
    while place >= 0:
        place += len(tag)
        numbers = []
        for _ in range(5):
            size = content[place]
            numbers.append(int.from_bytes(content[place + 1 : place + 1 + size], "little"))
            place += 1 + size
        count = int(np.prod(numbers[1:]))
        tensors.append(torch.from_numpy(np.frombuffer(content, "<f4", count, place).copy()))
        place = content.find(tag, place + 4 * count)
    return tensors


@torch.no_grad()
def calibrate_norms(stages: nn.Module, images: torch.Tensor) -> None:
    """Set each batch norm's statistics to those of its input, and its weights so that its output does not change.

    In training a batch norm forgets its stored statistics, so statistics set by hand would then change its output.

    Args:
        stages: modules with batch norms; changed in place, as far as `images` pass through them.
        images: (N, 3, S, S) float32 network input, some hundred of them.
    """
    statistics: dict[nn.BatchNorm2d, tuple[torch.Tensor, torch.Tensor]] = {}

    def record(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
        statistics[norm] = (inputs[0].mean(dim=(0, 2, 3)), inputs[0].var(dim=(0, 2, 3), unbiased=False))

    norms = [module for module in stages.modules() if isinstance(module, nn.BatchNorm2d)]
    handles = [norm.register_forward_pre_hook(record) for norm in norms]
    was_training = stages.training
    stages.eval()(images)
    stages.train(was_training)
    for handle in handles:
        handle.remove()
    for norm, (mean, variance) in statistics.items():
        stored_mean, stored_variance = _statistics(norm)
        factor = norm.weight / (stored_variance + norm.eps).sqrt()
        norm.bias.add_(factor * (mean - stored_mean))
        norm.weight.copy_(factor * (variance + norm.eps).sqrt())
        stored_mean.copy_(mean)
        stored_variance.copy_(variance)
