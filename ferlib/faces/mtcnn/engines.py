"""What computes MTCNN: our cascade on ONNX Runtime, or facenet-pytorch itself, the reference and the fallback."""

import warnings
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import torch

from ferlib.errors import FerlibError
from ferlib.faces.mtcnn.area import PartSampler
from ferlib.faces.mtcnn.cascade import Cascade, Faces
from ferlib.faces.mtcnn.nets import OnnxNets, TorchNets

EngineName = Literal["onnx", "torch"]
_warned = False


class Engine(Protocol):
    """Finds faces in (H, W, 3) uint8 RGB pictures; calls must not overlap."""

    name: EngineName

    def detect(self, image: np.ndarray, least: int) -> Faces:
        """The faces from `least` pixels on; boxes may reach outside the picture."""

    def look(self, image: np.ndarray, squares: np.ndarray) -> Faces:
        """What the last net sees in each of (N, 4) square boxes, with its probability of a face."""


class OnnxEngine:
    """Our cascade; raises ImportError without onnxruntime or onnx."""

    name: EngineName = "onnx"

    def __init__(self, thresholds: Sequence[float], threads: int):
        self._cascade = Cascade(OnnxNets(), thresholds, threads)

    def detect(self, image: np.ndarray, least: int) -> Faces:
        """See `Engine`."""
        return self._cascade.detect(image, least)

    def look(self, image: np.ndarray, squares: np.ndarray) -> Faces:
        """See `Engine`."""
        return self._cascade.look(PartSampler(image), squares)


class TorchEngine:
    """facenet-pytorch's class; it takes torch's own threads."""

    name: EngineName = "torch"

    def __init__(self, thresholds: Sequence[float], device: torch.device):
        from facenet_pytorch import MTCNN  # brings torchvision, which the other engine does not need

        self._mtcnn = MTCNN(keep_all=True, thresholds=list(thresholds), device=device).eval()
        self._cascade = Cascade(TorchNets(self._mtcnn), thresholds)

    def detect(self, image: np.ndarray, least: int) -> Faces:
        """See `Engine`."""
        self._mtcnn.min_face_size = least
        with torch.inference_mode():
            boxes, scores, points = self._mtcnn.detect(image, landmarks=True)
        if boxes is None:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        # MTCNN's arrays are of dtype object.
        boxes, scores, points = (np.array(values.tolist(), np.float32) for values in (boxes, scores, points))
        return boxes, scores, points

    def look(self, image: np.ndarray, squares: np.ndarray) -> Faces:
        """See `Engine`."""
        return self._cascade.look(PartSampler(image), squares)


def open_engine(
    name: EngineName | None, thresholds: Sequence[float], device: str | torch.device, threads: int
) -> Engine:
    """The engine `name`; None for the fastest that there is: "onnx" on a CPU where onnxruntime can be used.

    Warns once a process when None has to fall back to "torch". Raises FerlibError for another name, and when "onnx" is
    asked for by name and cannot be had.
    """
    device = torch.device(device)
    if name not in (None, "onnx", "torch"):
        raise FerlibError(f"engine must be 'onnx' or 'torch', not {name!r}.")
    if name == "onnx" and device.type != "cpu":
        raise FerlibError(f"engine 'onnx' runs on the CPU, not on {device}; choose engine 'torch' there.")
    if name == "torch" or device.type != "cpu":
        return TorchEngine(thresholds, device)
    try:
        return OnnxEngine(thresholds, threads)
    except FerlibError:
        raise
    except Exception as error:  # one is missing, or cannot build its session: onnxruntime's errors have no common class
        if name == "onnx":
            raise FerlibError(
                f"engine 'onnx' needs onnxruntime and onnx in working order ({error}); install them or choose 'torch'."
            ) from error
        _warn_once(error)
        return TorchEngine(thresholds, device)


def _warn_once(error: Exception) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(f"Faces are found by facenet-pytorch, which is slower: {error}.", stacklevel=4)
