"""Detection engines: our cascade on ONNX Runtime, and facenet-pytorch itself, the reference in tests and timings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.mtcnn.area import PartSampler
from ferlib.faces.mtcnn.cascade import Cascade, Faces
from ferlib.faces.mtcnn.nets import OnnxNets, TorchNets
from ferlib.packages import need

if TYPE_CHECKING:
    import torch

EngineName = Literal["onnx", "torch"]
"""Name of a detection engine."""


class Engine(Protocol):
    """Face detector without the care for borders, sizes and order; calls must not overlap.

    Attributes:
        name: "onnx" or "torch".
    """

    name: EngineName

    def detect(self, image: np.ndarray, min_face_size: int) -> Faces:
        """Find the faces of a picture.

        Args:
            image: (H, W, 3) uint8 RGB.
            min_face_size: smallest face that is searched for, pixels.

        Returns:
            The faces in no order; boxes may reach outside the picture.
        """

    def score_squares(self, image: np.ndarray, squares: np.ndarray) -> Faces:
        """Run the last net on square boxes.

        Args:
            image: (H, W, 3) uint8 RGB.
            squares: (N, 4) boxes.

        Returns:
            One face for each box in the given order, however improbable.
        """


class OnnxEngine:
    """Our cascade on ONNX Runtime.

    Args:
        thresholds: least probability behind each of the three nets.
        threads: threads that share the work.

    Raises:
        FerlibError: a graph is missing or damaged.
    """

    name: EngineName = "onnx"

    def __init__(self, thresholds: Sequence[float], threads: int):
        self._cascade = Cascade(OnnxNets(), thresholds, threads)

    def detect(self, image: np.ndarray, min_face_size: int) -> Faces:
        """Find the faces of a picture, as `Engine.detect` says."""
        return self._cascade.detect(image, min_face_size)

    def score_squares(self, image: np.ndarray, squares: np.ndarray) -> Faces:
        """Run the last net on square boxes, as `Engine.score_squares` says."""
        return self._cascade.score_squares(PartSampler(image), squares)


class TorchEngine:
    """facenet-pytorch's class; it takes torch's own threads.

    Args:
        thresholds: least probability behind each of the three nets.
        device: where the nets run.

    Raises:
        FerlibError: torch or facenet-pytorch is missing.
    """

    name: EngineName = "torch"

    def __init__(self, thresholds: Sequence[float], device: "str | torch.device"):
        need("torch", "the detector's engine 'torch'", "train")
        MTCNN = need("facenet_pytorch", "the detector's engine 'torch'", "dev").MTCNN

        self._mtcnn = MTCNN(keep_all=True, thresholds=list(thresholds), device=device).eval()
        self._cascade = Cascade(TorchNets(self._mtcnn), thresholds)

    def detect(self, image: np.ndarray, min_face_size: int) -> Faces:
        """Find the faces of a picture, as `Engine.detect` says."""
        import torch

        self._mtcnn.min_face_size = min_face_size
        with torch.inference_mode():
            boxes, scores, points = self._mtcnn.detect(image, landmarks=True)
        if boxes is None:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        # MTCNN's arrays are of dtype object.
        boxes, scores, points = (np.array(values.tolist(), np.float32) for values in (boxes, scores, points))
        return boxes, scores, points

    def score_squares(self, image: np.ndarray, squares: np.ndarray) -> Faces:
        """Run the last net on square boxes, as `Engine.score_squares` says."""
        return self._cascade.score_squares(PartSampler(image), squares)


def open_engine(
    name: EngineName | None, thresholds: Sequence[float], device: "str | torch.device", threads: int
) -> Engine:
    """Open a detection engine.

    Args:
        name: "onnx", "torch", or None for the fastest that the device has: "onnx" on a CPU.
        thresholds: least probability behind each of the three nets.
        device: where the nets run; "onnx" runs on the CPU alone.
        threads: threads of "onnx".

    Raises:
        FerlibError: for another name, for "onnx" on another device, and where a package or a graph is missing.
    """
    if name not in (None, "onnx", "torch"):
        raise FerlibError(f"engine must be 'onnx' or 'torch', not {name!r}.")
    on_cpu = str(device).partition(":")[0] == "cpu"
    if name == "onnx" and not on_cpu:
        raise FerlibError(f"engine 'onnx' runs on the CPU, not on {device}; choose engine 'torch' there.")
    if name == "torch" or not on_cpu:
        return TorchEngine(thresholds, device)
    return OnnxEngine(thresholds, threads)
