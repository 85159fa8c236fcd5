"""Pictures and crops of any size as means over areas, quickly and exactly as torch's "area" interpolation gives them.

facenet-pytorch shrinks with ``F.interpolate(mode="area")``: output pixel i of n is the plain mean of the input pixels
from floor(i H / n) to ceil((i + 1) H / n). OpenCV's INTER_AREA weighs the pixels at the edges by their share instead,
and enlarges by interpolation, so near a threshold it finds other faces. One summed-area table of the frame gives each
such mean from four of its values, for all levels of a pyramid and all crops.
"""

from typing import Protocol

import cv2
import numpy as np

from ferlib.faces.mtcnn.compiled import compiled


class Sampler(Protocol):
    """Source of crops of one picture.

    Attributes:
        height: of the picture, pixels.
        width: of the picture, pixels.
    """

    height: int
    width: int

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """Cut parts out of the picture and scale each to a square.

        Args:
            corners: (N, 4) integers x1, y1, x2, y2 inside the picture, the last two exclusive and larger.
            side: of each crop, pixels.

        Returns:
            (N, 3, side, side) float32, 0..255.
        """


class AreaSampler:
    """Means over areas of one picture; the table takes 12 bytes a pixel and 0.2 ms at 640x480.

    Sums above 2^31 (pictures of more than 8 megapixels) wrap around, and their differences come out right all the same.

    Args:
        image: (H, W, 3) uint8.

    Attributes:
        height: of the picture, pixels.
        width: of the picture, pixels.
    """

    def __init__(self, image: np.ndarray):
        self.height, self.width = image.shape[:2]
        self._table = cv2.integral(np.ascontiguousarray(image), sdepth=cv2.CV_32S)  # row and column 0 hold zeros

    def resized(self, height: int, width: int) -> np.ndarray:
        """Scale the whole picture.

        Args:
            height: of the result, pixels.
            width: of the result, pixels.

        Returns:
            (1, 3, height, width) float32, 0..255.
        """
        return _means(self._table, np.array([[0, 0, self.width, self.height]]), height, width)

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """Cut parts out of the picture, as `Sampler.crops` says."""
        return _means(self._table, corners.astype(np.int64), side, side)


class PartSampler:
    """Crops as `AreaSampler` gives them, without a table of the whole picture: cheaper for a few faces.

    Args:
        image: (H, W, 3) uint8.

    Attributes:
        height: of the picture, pixels.
        width: of the picture, pixels.
    """

    def __init__(self, image: np.ndarray):
        self.height, self.width = image.shape[:2]
        self._image = image

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """Cut parts out of the picture, as `Sampler.crops` says."""
        return np.concatenate(
            [AreaSampler(self._image[y1:y2, x1:x2]).resized(side, side) for x1, y1, x2, y2 in corners]
        )


def means_by_numpy(table: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Compute `_means` without Numba.

    Args:
        table: (H + 1, W + 1, 3) int32 summed-area table of a picture.
        corners: (N, 4) int64 x1, y1, x2, y2 of the parts.
        height: of each result, pixels.
        width: of each result, pixels.

    Returns:
        (N, 3, height, width) float32.
    """
    x1, y1, x2, y2 = (corners[:, edge : edge + 1] for edge in range(4))
    columns, rows = np.arange(width), np.arange(height)
    left, right = x1 + columns * (x2 - x1) // width, x1 - (-(columns + 1) * (x2 - x1)) // width
    top, bottom = y1 + rows * (y2 - y1) // height, y1 - (-(rows + 1) * (y2 - y1)) // height
    if len(corners) == 1:  # whole rows first: a level of the pyramid is large
        strips = table[bottom[0]] - table[top[0]]
        totals = (strips[:, right[0]] - strips[:, left[0]])[None]
    else:
        cells, stride = table.reshape(-1, 3), table.shape[1]
        above, below = (top * stride)[:, :, None], (bottom * stride)[:, :, None]
        first, last = left[:, None], right[:, None]
        totals = np.take(cells, below + last, axis=0, mode="wrap")  # "wrap" needs no check of each index
        totals -= np.take(cells, above + last, axis=0, mode="wrap")
        totals -= np.take(cells, below + first, axis=0, mode="wrap")
        totals += np.take(cells, above + first, axis=0, mode="wrap")
    areas = (bottom - top)[:, :, None] * (right - left)[:, None]
    means = totals.astype(np.float32) * (np.float32(1) / areas.astype(np.float32))[..., None]
    return np.ascontiguousarray(np.moveaxis(means, 3, 1))


@compiled(otherwise=means_by_numpy)
def _means(table: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:  # pragma: no cover
    """Divide each part of a picture into height x width pieces and compute their means from the picture's table.

    Pieces may share a row or column of pixels, and of a part smaller than the result many pieces are one pixel.
    """
    means = np.empty((len(corners), 3, height, width), np.float32)
    left, right = np.empty(width, np.int64), np.empty(width, np.int64)
    for number in range(len(corners)):
        x1, y1, x2, y2 = corners[number]
        for column in range(width):
            left[column] = x1 + column * (x2 - x1) // width
            right[column] = x1 - (-(column + 1) * (x2 - x1)) // width
        for row in range(height):
            top, bottom = y1 + row * (y2 - y1) // height, y1 - (-(row + 1) * (y2 - y1)) // height
            above, below = table[top], table[bottom]
            for column in range(width):
                first, last = left[column], right[column]
                share = np.float32(1) / np.float32((bottom - top) * (last - first))
                for channel in range(3):
                    total = below[last, channel] - above[last, channel] - below[first, channel] + above[first, channel]
                    means[number, channel, row, column] = np.float32(np.int32(total)) * share
    return means
