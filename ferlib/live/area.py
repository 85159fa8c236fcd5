"""Pictures and crops of any size as means over areas, quickly and exactly as torch's "area" interpolation gives them.

facenet-pytorch shrinks with ``F.interpolate(mode="area")``: output pixel i of n is the plain mean of the input pixels
from floor(i H / n) to ceil((i + 1) H / n). OpenCV's INTER_AREA weighs the pixels at the edges by their share instead,
and enlarges by interpolation, so near a threshold it finds other faces. One summed-area table of the frame gives each
such mean from four of its values, for all levels of a pyramid and all crops.
"""

from typing import Protocol

import cv2
import numpy as np


class Sampler(Protocol):
    """Gives crops of one picture."""

    height: int
    width: int

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """See `AreaSampler.crops`."""


class AreaSampler:
    """Means over areas of one (H, W, 3) uint8 picture; the table takes 16 bytes a pixel and about 1 ms at 640x480.

    It has a fourth channel, unused: NumPy gathers items of 16 bytes several times faster than those of 12. Sums above
    2^31 (pictures of more than 8 megapixels) wrap around, and their differences come out right all the same.
    """

    def __init__(self, image: np.ndarray):
        self.height, self.width = image.shape[:2]
        table = cv2.integral(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), sdepth=cv2.CV_32S)
        self._table = table.reshape(self.height + 1, self.width + 1, 4)  # row and column 0 hold zeros

    def resized(self, height: int, width: int) -> np.ndarray:
        """The whole picture as (1, 3, height, width) float32, 0..255."""
        top, bottom = _edges(self.height, height)
        left, right = _edges(self.width, width)
        rows = _items(self._table[bottom] - self._table[top])
        sums = _values(np.take(rows, right, axis=1))
        sums -= _values(np.take(rows, left, axis=1))
        return _means(sums[None], (bottom - top)[None, :, None] * (right - left)[None, None, :])

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """The parts within `corners` as (N, 3, side, side) float32, 0..255.

        `corners`: (N, 4) integers x1, y1, x2, y2 inside the picture, the last two exclusive and larger.
        """
        x1, y1, x2, y2 = (column[:, None] for column in corners.astype(np.int64).T)
        left, right = _edges(x2 - x1, side)
        top, bottom = _edges(y2 - y1, side)
        flat, stride = _items(self._table).reshape(-1), self.width + 1
        above, below = (((y1 + rows) * stride)[:, :, None] for rows in (top, bottom))
        first, last = ((x1 + columns)[:, None, :] for columns in (left, right))
        sums = _values(np.take(flat, below + last))
        sums -= _values(np.take(flat, above + last))
        sums -= _values(np.take(flat, below + first))
        sums += _values(np.take(flat, above + first))
        return _means(sums, (bottom - top)[:, :, None] * (right - left)[:, None, :])


def _edges(length: np.ndarray | int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `parts` pieces of a length begins and ends; pieces may share a pixel."""
    index = np.arange(parts)
    return index * length // parts, -(-(index + 1) * length // parts)


def _items(table: np.ndarray) -> np.ndarray:
    """(..., 4) int32 as (...) items of 16 bytes; their type is only a name for the size."""
    return table.view(np.complex128)[..., 0]


def _values(items: np.ndarray) -> np.ndarray:
    return items[..., None].view(np.int32)


def _means(sums: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """(N, h, w, 4) sums over (N, h, w) pixels each -> (N, 3, h, w) means."""
    means = np.empty((len(sums), 3, *sums.shape[1:3]), np.float32)
    np.copyto(means, sums.transpose(0, 3, 1, 2)[:, :3], casting="unsafe")
    means *= (np.float32(1) / areas.astype(np.float32))[:, None]
    return means


class PartSampler:
    """The same crops without a table of the whole picture: cheaper where a few faces are looked at again."""

    def __init__(self, image: np.ndarray):
        self.height, self.width = image.shape[:2]
        self._image = image

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """See `AreaSampler.crops`."""
        parts = [self._image[y1:y2, x1:x2] for x1, y1, x2, y2 in corners]
        return np.concatenate([AreaSampler(np.ascontiguousarray(part)).resized(side, side) for part in parts])
