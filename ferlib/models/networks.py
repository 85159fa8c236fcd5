"""Networks of the study, by name."""

from collections.abc import Callable, Sequence

import timm
import torch
from timm.layers import LayerNorm2d
from torch import nn

from ferlib.errors import FerlibError
from ferlib.models.face_resnet import FaceResNet, face_stages
from ferlib.models.faceres import FaceRes
from ferlib.models.questions import SEEN_ONLY, check_questions, output_count

TIMM_MODELS = (
    "mobilenetv3_large_100", "efficientnet_b2", "convnext_atto", "tf_efficientnet_lite2",
)  # fmt: skip
"""Architectures that timm defines; only ConvNeXt's stem is changed, where `stem` names another one."""

STEMS = ("", "conv", "half", "lite", "face")
"""Stems for ConvNeXt, see `build_model`; "" is timm's own, patches of 4x4 pixels."""


def build_model(
    name: str, *, channels: int = 1, dropout: float = 0.0, width: float = 1.0, drop_path: float = 0.0, stem: str = "",
    layer_scale: float = 1e-6, questions: Sequence[str] = SEEN_ONLY,
) -> nn.Module:  # fmt: skip
    """Build a network with random weights that maps (N, channels, S, S) float32 to (N, K) logits.

    Args:
        name: one of `MODELS`.
        channels: 1 for grey input, 3 for grey repeated.
        dropout: probability before the last layer.
        width: factor on the number of feature maps of `custom_cnn`; small values are for tests and smoke runs.
        drop_path: stochastic depth (Huang et al. 2016), of timm's models.
        stem: one of `STEMS`, for ConvNeXt, whose own stem cuts a face of 48 pixels into 12x12 patches.
            "conv": two 3x3 convolutions of stride 2, which learn faster on small faces (Xiao et al. 2021, "Early
            convolutions help transformers see better"). "half": 3x3 convolutions with one stride of 2, for input at
            the faces' own 48 pixels. "lite": the first three stages of EfficientNet-Lite0, at an eighth of the
            resolution, in the place of stem and first stage. "face": the first two levels of dlib's face-recognition
            ResNet, at an eighth of the resolution, in the same place. `pretrained.load_pretrained` fills these two.
        layer_scale: initial factor of each ConvNeXt block. timm's 1e-6 is made for a million photos: after 26 epochs
            on faces the blocks still count for a hundredth, and the network is its stem.
        questions: what the network answers (`questions.QUESTION_CLASSES`): ("seen",) makes K 8, ("seen", "meant") 15.

    Raises:
        FerlibError: an unknown name, or an option that the model does not have.
    """
    if name not in MODELS:
        raise FerlibError(f"there is no model {name!r}; choose one of {', '.join(MODELS)}.")
    if stem not in STEMS:
        raise FerlibError(f"there is no stem {stem!r}; choose one of {', '.join(filter(None, STEMS))}.")
    if stem and not name.startswith("convnext"):
        raise FerlibError(f"{name} has no patch stem to replace; leave stem out.")
    if layer_scale != 1e-6 and not name.startswith("convnext"):
        raise FerlibError(f"{name} has no layer scales; leave layer_scale out.")
    outputs = output_count(check_questions(questions))
    if name == "custom_cnn":
        if drop_path:
            raise FerlibError("custom_cnn has no stochastic depth; leave drop_path out.")
        return CustomCNN(channels, dropout, width, outputs)
    if width != 1.0:
        raise FerlibError(f"{name} has a fixed width; leave width out.")
    if name in _FACE_NETWORKS:
        if drop_path or channels != 3:
            raise FerlibError(f"{name} sees three channels and has no stochastic depth; leave drop_path out.")
        return _FACE_NETWORKS[name](outputs, dropout)
    model = timm.create_model(
        name,
        pretrained=False,
        num_classes=outputs,
        in_chans=channels,
        drop_rate=dropout,
        drop_path_rate=drop_path,
        **({"ls_init_value": layer_scale} if name.startswith("convnext") else {}),
    )
    # timm draws some last layers by fan-out; with eight classes the logits then begin with a deviation of 4.5.
    nn.init.trunc_normal_(model.get_classifier().weight, std=0.01)
    nn.init.zeros_(model.get_classifier().bias)
    if stem:
        _replace_stem(model, stem, channels)
    return model


class _ConvBlock(nn.Sequential):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class _Residual(nn.Module):
    """Two 3x3 convolutions beside an identity (He et al. 2016): (N, C, H, W) to the same shape."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first = _ConvBlock(maps, maps)
        self.second = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(maps)
        # Each block begins as the identity, which lets the one-cycle schedule start at a high rate.
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the convolutions' output to the input."""
        return torch.relu(x + self.norm(self.second(self.first(x))))


class CustomCNN(nn.Module):
    """The study's CNN from scratch: twelve 3x3 convolutions in four stages, 48, 24, 12 and 6 pixels wide.

    It maps (N, channels, S, S) to (N, outputs) logits, for any S of at least 16, and has 3.1 million parameters and 200
    million multiply-adds at width 1 and 48 pixels.

    Args:
        channels: of the input.
        dropout: probability before the last layer.
        width: factor on the number of feature maps.
        outputs: number of logits.
    """

    def __init__(self, channels: int = 1, dropout: float = 0.0, width: float = 1.0, outputs: int = 8) -> None:
        super().__init__()
        a, b, c, d = (max(4, round(maps * width)) for maps in (32, 64, 128, 256))
        self.features = nn.Sequential(
            _ConvBlock(channels, a), nn.MaxPool2d(2),
            _ConvBlock(a, b), _Residual(b), nn.MaxPool2d(2),
            _ConvBlock(b, c), _Residual(c), nn.MaxPool2d(2),
            _ConvBlock(c, d), _Residual(d), _Residual(d),
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(d, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, channels, S, S) to (N, outputs) logits."""
        return self.head(self.dropout(self.features(x).mean(dim=(2, 3))))

    def get_classifier(self) -> nn.Module:
        """Return the last layer, as timm's models do."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict:
        """Return patterns that order the parameters by depth, as timm's models do.

        Args:
            coarse: part of timm's interface; there is one grouping here.
        """
        return {"stem": r"^features\.0\.", "blocks": r"^features\.(\d+)\."}


def _replace_stem(model: nn.Module, stem: str, channels: int) -> None:
    """Replace the stem of timm's ConvNeXt by one of `STEMS`, in place."""
    if stem in PRETRAINED_STEMS:
        build_stem, maps = PRETRAINED_STEMS[stem]
        model.stem = build_stem(channels)
        model.stages[0] = nn.Identity()
        _, patches = model.stages[1].downsample  # norm and 2x2 convolution of stride 2
        # The new stem has this stage's resolution already.
        widen = nn.Conv2d(maps, patches.out_channels, 1)
        model.stages[1].downsample = nn.Sequential(LayerNorm2d(maps), widen)
        return
    maps = model.stem[0].out_channels
    stride = 2 if stem == "conv" else 1
    model.stem = nn.Sequential(
        nn.Conv2d(channels, maps // 2, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(maps // 2), nn.GELU(),
        nn.Conv2d(maps // 2, maps, 3, stride=2, padding=1), LayerNorm2d(maps),
    )  # fmt: skip


def lite_stages(channels: int) -> nn.Sequential:
    """Build the first three stages of EfficientNet-Lite0 with random weights.

    Args:
        channels: of the input.

    Returns:
        A module that maps (N, channels, S, S) to (N, 40, S / 8, S / 8). Its state dict begins like that of the complete
        network.
    """
    lite = timm.create_model("tf_efficientnet_lite0", in_chans=channels)
    return nn.Sequential(lite.conv_stem, lite.bn1, *lite.blocks[:3])


def _face_stem(channels: int) -> nn.Sequential:
    if channels != 3:
        raise FerlibError("a face stem sees three channels.")
    return face_stages(2)


PRETRAINED_STEMS: dict[str, tuple[Callable[[int], nn.Sequential], int]] = {
    "lite": (lite_stages, 40), "face": (_face_stem, 64),
}  # fmt: skip
"""Stem -> function that builds it for a number of channels, and the number of its feature maps."""

_FACE_NETWORKS: dict[str, Callable[[int, float], nn.Module]] = {"face_resnet": FaceResNet, "faceres": FaceRes}

MODELS = ("custom_cnn", *_FACE_NETWORKS, *TIMM_MODELS)
"""Names of the networks."""
