"""MTCNN's three nets: in ONNX Runtime, and in torch as the reference.

All take (N, 3, H, W) float32 of 0..255 and give a row (R- and O-Net) or a cell (P-Net) of numbers: the logit of a face,
four corrections of the box, and from the O-Net ten of the landmarks (five x, then five y). The graphs are package
data; `ferlib.faces.mtcnn.build` has made them from facenet-pytorch's weights.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.onnx_sessions import open_session

if TYPE_CHECKING:
    import torch

NAMES = ("pnet", "rnet", "onet")


class Nets(Protocol):
    """The three nets, (N, 3, H, W) float32 of 0..255 each."""

    def pnet(self, pixels: np.ndarray) -> np.ndarray:
        """(1, 3, H, W) -> (1, 5, h, w): logit and box of each cell of 12 pixels, 2 pixels apart."""

    def rnet(self, pixels: np.ndarray) -> np.ndarray:
        """(N, 3, 24, 24) -> (N, 5): logit and box."""

    def onet(self, pixels: np.ndarray) -> np.ndarray:
        """(N, 3, 48, 48) -> (N, 15): logit, box and landmarks."""


class OnnxNets:
    """The nets in ONNX Runtime, one thread a call; calls may run side by side.

    One thread, because the cascade divides levels and crops over its own workers: a pool for each of three nets would
    spin against the others. (OpenVINO ran the same graphs in 0.7 of the P-Net's, half of the R-Net's and the same time
    as the O-Net's, on one thread, and took 0.5 to 1 s to load each.)

    Raises:
        FerlibError: a graph is missing or damaged.
    """

    def __init__(self) -> None:
        self._sessions = {name: open_session(graph_path(name)) for name in NAMES}

    def pnet(self, pixels: np.ndarray) -> np.ndarray:
        """See `Nets`."""
        return self._sessions["pnet"].run(None, {"x": pixels})[0]

    def rnet(self, pixels: np.ndarray) -> np.ndarray:
        """See `Nets`."""
        return self._sessions["rnet"].run(None, {"x": pixels})[0]

    def onet(self, pixels: np.ndarray) -> np.ndarray:
        """See `Nets`."""
        return self._sessions["onet"].run(None, {"x": pixels})[0]


class TorchNets:
    """The nets of a facenet-pytorch MTCNN object."""

    def __init__(self, mtcnn: "torch.nn.Module"):
        self._mtcnn: Any = mtcnn  # torch types every attribute of a Module as "Tensor or Module"

    def pnet(self, pixels: np.ndarray) -> np.ndarray:
        """See `Nets`."""
        return self._run(self._mtcnn.pnet, pixels)

    def rnet(self, pixels: np.ndarray) -> np.ndarray:
        """See `Nets`."""
        return self._run(self._mtcnn.rnet, pixels)

    def onet(self, pixels: np.ndarray) -> np.ndarray:
        """See `Nets`."""
        return self._run(self._mtcnn.onet, pixels)

    def _run(self, net: "torch.nn.Module", pixels: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            *found, scores = net((torch.from_numpy(pixels).to(self._mtcnn.device) - 127.5) / 128)
            # softmax has lost the scores: the logit of its second value is their difference.
            logit = torch.logit(scores[:, 1:], eps=1e-7)
            return torch.cat([logit, *found], dim=1).cpu().numpy()


def graph_path(name: str) -> Path:
    """Path of the graph of "pnet", "rnet" or "onet" among the package's files.

    Raises:
        FerlibError: it is not there.
    """
    path = paths.WEIGHTS / "mtcnn" / f"{name}.onnx"
    if not path.is_file():
        raise FerlibError(f"the face detector's {path.name} is missing; install ferlib again.")
    return path
