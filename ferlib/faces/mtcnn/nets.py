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
"""Names of the three nets."""


class Nets(Protocol):
    """MTCNN's three nets."""

    def pnet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the P-Net.

        Args:
            pixels: (1, 3, H, W) float32, 0..255.

        Returns:
            (1, 5, h, w) float32: logit and corrections of each cell of 12 pixels, 2 pixels apart.
        """

    def rnet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the R-Net.

        Args:
            pixels: (N, 3, 24, 24) float32, 0..255.

        Returns:
            (N, 5) float32: logit and corrections.
        """

    def onet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the O-Net.

        Args:
            pixels: (N, 3, 48, 48) float32, 0..255.

        Returns:
            (N, 15) float32: logit, corrections and landmarks.
        """


class OnnxNets:
    """The nets in ONNX Runtime, one thread a call; calls may run side by side.

    One thread, because the cascade divides levels and crops over its own workers: a pool for each of three nets would
    spin against the others. (OpenVINO ran the same graphs in 0.7 of the P-Net's, half of the R-Net's and the same time
    as the O-Net's, on one thread, and took 0.5 to 1 s to load each.)

    Raises:
        FerlibError: a graph is missing or damaged.
    """

    def __init__(self) -> None:
        self._sessions = {name: open_session(net_path(name)) for name in NAMES}

    def pnet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the P-Net, as `Nets.pnet` says."""
        return self._sessions["pnet"].run(None, {"x": pixels})[0]

    def rnet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the R-Net, as `Nets.rnet` says."""
        return self._sessions["rnet"].run(None, {"x": pixels})[0]

    def onet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the O-Net, as `Nets.onet` says."""
        return self._sessions["onet"].run(None, {"x": pixels})[0]


class TorchNets:
    """The nets of facenet-pytorch.

    Args:
        mtcnn: its MTCNN object.
    """

    def __init__(self, mtcnn: "torch.nn.Module"):
        self._mtcnn: Any = mtcnn  # torch types every attribute of a Module as "Tensor or Module"

    def pnet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the P-Net, as `Nets.pnet` says."""
        return self._run(self._mtcnn.pnet, pixels)

    def rnet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the R-Net, as `Nets.rnet` says."""
        return self._run(self._mtcnn.rnet, pixels)

    def onet(self, pixels: np.ndarray) -> np.ndarray:
        """Run the O-Net, as `Nets.onet` says."""
        return self._run(self._mtcnn.onet, pixels)

    def _run(self, net: "torch.nn.Module", pixels: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            *corrections, scores = net((torch.from_numpy(pixels).to(self._mtcnn.device) - 127.5) / 128)
            # softmax has lost the scores: the logit of its second value is their difference.
            logit = torch.logit(scores[:, 1:], eps=1e-7)
            return torch.cat([logit, *corrections], dim=1).cpu().numpy()


def net_path(name: str) -> Path:
    """Find a net's graph among the package's files.

    Args:
        name: one of `NAMES`.

    Raises:
        FerlibError: it is not there.
    """
    path = paths.WEIGHTS / "mtcnn" / f"{name}.onnx"
    if not path.is_file():
        raise FerlibError(f"the face detector's {path.name} is missing; install ferlib again.")
    return path
