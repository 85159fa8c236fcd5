"""Explanations: Grad-CAM maps (Selvaraju et al. 2017) by captum, of single faces and averaged."""

import numpy as np
import torch
from captum.attr import LayerGradCam
from torch import nn

from ferlib.data.labels import EMOTIONS
from ferlib.models.checkpoints import Checkpoint

MIN_MAP_SIDE = 4
"""Least side of a layer's maps in pixels for Grad-CAM; coarser maps do not show places."""

MIN_FACES = 30
"""Least number of recognised faces for an emotion's average map, so that it shows nobody; a mean face needs more."""


def explained_layer(model: nn.Module, images: torch.Tensor) -> tuple[str, nn.Module]:
    """Find the last layer, in the order of the forward pass, with maps of `MIN_MAP_SIDE` pixels or more.

    Only the network's own parts and their direct children count, which are complete blocks.

    Args:
        model: the network.
        images: one batch of its input.

    Returns:
        Name and module of the layer.

    Raises:
        ValueError: no layer has such maps.
    """
    layers: list[tuple[str, nn.Module]] = []

    def watch(name: str):
        def hook(module, _, output):
            if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[-2:]) >= MIN_MAP_SIDE:
                layers.append((name, module))

        return hook

    blocks = [(name, module) for name, module in model.named_modules() if name and name.count(".") <= 1]
    handles = [module.register_forward_hook(watch(name)) for name, module in blocks]
    try:
        with torch.no_grad():
            model(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not layers:
        raise ValueError("the network has no layer with maps to explain")
    return layers[-1]


def grad_cam(checkpoint: Checkpoint, faces: np.ndarray, classes: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """Map the evidence for a class in each face.

    Args:
        checkpoint: network and preprocessing.
        faces: (N, H, W) or (N, H, W, 3) uint8.
        classes: (N,) class index to explain for each face.
        batch_size: faces at once.

    Returns:
        (N, h, w) float32 maps, each scaled to a greatest value of 1, or all 0 where nothing speaks for the class.

    Raises:
        ValueError: not as many classes as faces.
    """
    faces, classes = np.asarray(faces), np.asarray(classes)
    if len(faces) != len(classes):
        raise ValueError(f"{len(faces)} faces need as many classes, not {len(classes)}")
    if not len(faces):
        return np.zeros((0, MIN_MAP_SIDE, MIN_MAP_SIDE), np.float32)
    _, layer = explained_layer(checkpoint.model, checkpoint.preprocessing(faces[:1]))
    method = LayerGradCam(checkpoint.model, layer)
    parts = []
    for start in range(0, len(faces), batch_size):
        batch = slice(start, start + batch_size)
        images = checkpoint.preprocessing(faces[batch]).requires_grad_()
        explained = torch.from_numpy(classes[batch].astype(np.int64))
        parts.append(method.attribute(images, target=explained, relu_attributions=True).detach()[:, 0].numpy())
    maps = np.concatenate(parts)
    peak = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, peak, out=np.zeros_like(maps), where=peak > 0).astype(np.float32)


def mean_maps(checkpoint: Checkpoint, faces: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Average the Grad-CAM maps of each emotion over the faces that carry it and are recognised.

    Args:
        checkpoint: network and preprocessing.
        faces: (N, 48, 48) uint8.
        labels: (N,) labels, -1 for none.

    Returns:
        ``maps`` (8, h, w), each with a greatest value of at most 1 and all NaN for an emotion with fewer than
        `MIN_FACES` recognised faces; ``counts`` (8,) recognised faces; ``mean_face`` (48, 48) uint8, the average of all
        faces given, which shows where eyes and mouth are and no person. With fewer than 100 faces the average could
        show one, so ``mean_face`` is plain grey then.
    """
    classes = np.asarray(labels)
    predicted = _predicted_classes(checkpoint, faces)
    maps = grad_cam(checkpoint, faces, np.where(classes >= 0, classes, 0))
    averages = np.full((len(EMOTIONS), *maps.shape[1:]), np.nan, np.float32)
    counts = np.zeros(len(EMOTIONS), np.int64)
    for index in range(len(EMOTIONS)):
        recognised = (classes == index) & (predicted == index)
        counts[index] = recognised.sum()
        if counts[index] >= MIN_FACES:
            averages[index] = maps[recognised].mean(axis=0)
    mean_face = np.full(faces.shape[1:3], 127, np.uint8)
    if len(faces) >= 100:
        mean_face = np.asarray(faces, np.float64).mean(axis=0).round().astype(np.uint8)
    return {"maps": averages, "counts": counts, "mean_face": mean_face}


@torch.inference_mode()
def _predicted_classes(checkpoint: Checkpoint, faces: np.ndarray, batch_size: int = 128) -> np.ndarray:
    parts = [
        checkpoint.model(checkpoint.preprocessing(faces[start : start + batch_size])).argmax(dim=1).numpy()
        for start in range(0, len(faces), batch_size)
    ]
    return np.concatenate(parts)
