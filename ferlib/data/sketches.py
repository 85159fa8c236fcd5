"""Search for images that may show the same photo: pairs whose sketches are alike.

A sketch is a short vector of the lowest cosine frequencies of a window of an image, of norm 1. Each image's windows, at
several shifts and two sizes, are compared with the middle window of every other image.
"""

import numpy as np

MIN_COSINE = 0.90  # of two sketches
_FREQUENCIES = 8  # of each axis; those with k^2 + l^2 < 64 are used, except the mean
_MIDDLE = (40 / 48, 0.0, 0.0)  # side of the window and its centre's way down and across, relative to the image's side
# Of two opposite shifts one is enough, and of two inverse scales, for every image is compared both ways.
_SHIFTS = [(down, across) for down in (0, 2, 4) for across in (-4, -2, 0, 2, 4) if (down, across) >= (0, 0)]
_WINDOWS = (
    *((40 / 48, down / 48, across / 48) for down, across in _SHIFTS),
    *((44 / 48, down / 48, across / 48) for down, across in ((0, 0), (-2, -2), (-2, 2), (2, -2), (2, 2))),
    (1.0, 0.0, 0.0),
)
_IMAGES_AT_ONCE = 512  # images that are compared with all others at a time


def similar_pairs(left: np.ndarray, right: np.ndarray, min_cosine: float = MIN_COSINE) -> np.ndarray:
    """Find the pairs of images whose sketches are alike, each pair once.

    Args:
        left: (N, H, W) uint8; the images, or their mirror images.
        right: (N, H, W) uint8; the images.
        min_cosine: smallest cosine of a window's sketch in `left` and the middle window's in `right`.

    Returns:
        (P, 2) indices i < j, in order: `left[i]` is alike `right[j]`, or `left[j]` is alike `right[i]`.
    """
    count = len(right)
    middles = np.ascontiguousarray(sketches(right, _MIDDLE).T)
    keys = [np.empty(0, dtype=np.int64)]
    for start in range(0, count, _IMAGES_AT_ONCE):
        block = left[start : start + _IMAGES_AT_ONCE]
        alike = np.zeros((len(block), count), dtype=bool)
        cosines = np.empty((len(block), count), dtype=np.float32)
        for window in _WINDOWS:
            np.matmul(sketches(block, window), middles, out=cosines)
            alike |= cosines >= min_cosine
        rows, columns = np.divmod(np.flatnonzero(alike), count)
        rows += start
        keys.append((np.minimum(rows, columns) * count + np.maximum(rows, columns))[rows != columns])
    return np.stack(np.divmod(np.unique(np.concatenate(keys)), max(count, 1)), axis=1)


def sketches(images: np.ndarray, window: tuple[float, float, float] = _MIDDLE) -> np.ndarray:
    """Describe a window of each image by its lowest frequencies.

    Args:
        images: (N, H, W) uint8.
        window: side of the window and the way down and across to its centre from the image's, relative to the side.

    Returns:
        (N, D) float32 of norm 1; 0 for a flat window.
    """
    count, height, width = images.shape
    side, down, across = window
    rows, columns = _cosines(height, side, down), _cosines(width, side, across)
    order = np.arange(_FREQUENCIES)
    distance = np.hypot(order[:, None], order)
    chosen = (distance > 0) & (distance < _FREQUENCIES)
    basis = np.einsum("ky,lx->yxkl", rows, columns)[:, :, chosen].reshape(height * width, -1).astype(np.float32)
    vectors = images.reshape(count, height * width).astype(np.float32) @ basis
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(norms > 1, vectors / np.maximum(norms, 1), 0)


def _cosines(length: int, side: float, offset: float) -> np.ndarray:
    """Cosines of the frequencies over a window of an axis, (K, length); cut pixels count by their part inside."""
    size = side * length
    place = (np.arange(length) + 0.5 - length * (0.5 + offset)) / size + 0.5
    inside = np.clip(np.minimum(place, 1 - place) * size + 0.5, 0, 1)
    waves = np.cos(np.pi * np.arange(_FREQUENCIES)[:, None] * place) * inside
    waves[0] *= np.sqrt(0.5)
    return waves
