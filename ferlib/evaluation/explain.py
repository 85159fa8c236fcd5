"""Where the network looks: Grad-CAM maps (Selvaraju et al. 2017) by captum, of single faces and averaged."""

import numpy as np
import torch
from captum.attr import LayerGradCam
from torch import nn

from ferlib.data.labels import EMOTIONS
from ferlib.models.checkpoints import Checkpoint

FINEST = 4
"""The deepest layer whose maps have at least so many pixels a side is explained; deeper maps say nothing of places."""


LEAST_FACES = 30
"""An emotion's average map needs so many recognised faces, so that it is nobody's; a mean face needs more."""


def explained_layer(model: nn.Module, images: torch.Tensor) -> tuple[str, nn.Module]:
    """Name and module of the last layer, in the order of the forward pass, with maps of `FINEST` pixels or more.

    Only the network's own parts and their direct children count, which are whole blocks. `images` is one input batch.
    """
    seen: list[tuple[str, nn.Module]] = []

    def watch(name: str):
        def hook(module, _, output):
            if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[-2:]) >= FINEST:
                seen.append((name, module))

        return hook

    inside = [(name, module) for name, module in model.named_modules() if name and name.count(".") <= 1]
    handles = [module.register_forward_hook(watch(name)) for name, module in inside]
    try:
        with torch.no_grad():
            model(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise ValueError("the network has no layer with maps to explain")
    return seen[-1]


def grad_cam(checkpoint: Checkpoint, faces: np.ndarray, classes: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """(N, h, w) float32 maps of what speaks for the given class, each scaled to a greatest value of 1 (or all 0).

    Args:
        checkpoint: network and preprocessing.
        faces: (N, H, W) or (N, H, W, 3) uint8; classes: (N,) class indices.
        batch_size: faces at once.
    """
    faces, classes = np.asarray(faces), np.asarray(classes)
    if len(faces) != len(classes):
        raise ValueError(f"{len(faces)} faces need as many classes, not {len(classes)}")
    if not len(faces):
        return np.zeros((0, FINEST, FINEST), np.float32)
    _, layer = explained_layer(checkpoint.model, checkpoint.preprocessing(faces[:1]))
    method = LayerGradCam(checkpoint.model, layer)
    parts = []
    for start in range(0, len(faces), batch_size):
        chosen = slice(start, start + batch_size)
        images = checkpoint.preprocessing(faces[chosen]).requires_grad_()
        wanted = torch.from_numpy(classes[chosen].astype(np.int64))
        parts.append(method.attribute(images, target=wanted, relu_attributions=True).detach()[:, 0].numpy())
    maps = np.concatenate(parts)
    peak = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, peak, out=np.zeros_like(maps), where=peak > 0).astype(np.float32)


def mean_maps(checkpoint: Checkpoint, faces: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Average Grad-CAM map of each emotion over the faces that carry it and are recognised.

    Returns ``maps`` (8, h, w), each with a greatest value of at most 1 and all NaN for an emotion with fewer than
    `LEAST_FACES` recognised faces, ``counts`` (8,) recognised faces, and ``mean_face`` (48, 48) uint8, the average of
    all the faces given, which shows where eyes and mouth are and no person. With fewer than 100 faces the average
    could show one, so ``mean_face`` is plain grey then.
    """
    classes = np.asarray(labels)
    predicted = _predict(checkpoint, faces)
    maps = grad_cam(checkpoint, faces, np.where(classes >= 0, classes, 0))
    averages = np.full((len(EMOTIONS), *maps.shape[1:]), np.nan, np.float32)
    counts = np.zeros(len(EMOTIONS), np.int64)
    for index in range(len(EMOTIONS)):
        chosen = (classes == index) & (predicted == index)
        counts[index] = chosen.sum()
        if counts[index] >= LEAST_FACES:
            averages[index] = maps[chosen].mean(axis=0)
    mean_face = np.full(faces.shape[1:3], 127, np.uint8)
    if len(faces) >= 100:
        mean_face = np.asarray(faces, np.float64).mean(axis=0).round().astype(np.uint8)
    return {"maps": averages, "counts": counts, "mean_face": mean_face}


@torch.inference_mode()
def _predict(checkpoint: Checkpoint, faces: np.ndarray, batch_size: int = 128) -> np.ndarray:
    parts = [
        checkpoint.model(checkpoint.preprocessing(faces[start : start + batch_size])).argmax(dim=1).numpy()
        for start in range(0, len(faces), batch_size)
    ]
    return np.concatenate(parts)
