"""MTCNN's cascade (Zhang et al. 2016) as facenet-pytorch computes it, in NumPy around three nets, for one picture.

Profiled at 640x480 with a smallest face of 40 pixels, on one thread of a machine that was busy otherwise: of 35 ms the
P-Net takes 6 over eight levels (2.9, 1.5, 0.75, 0.3, 0.2 and less), the R-Net 7.5 for 127 candidates, the O-Net 9 for
29, the means over areas 7 and suppression 2; facenet-pytorch takes 122. The first level costs as much as all others, so
these two are what two workers share; crops are shared in chunks.

Every rule of facenet-pytorch's `detect_face` is kept, odd ones too: cells begin at ``(2 i + 1) / scale``, boxes are one
pixel wider in some formulas than in others, and the last non-maximum suppression divides by the smaller area.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ferlib.live.area import AreaSampler, Sampler
from ferlib.live.mtcnn_engine import Nets

_CELL, _STRIDE = 12, 2  # pixels of a level: what the P-Net sees at once, and from one cell to the next
_FACTOR = 0.709  # from one level of the pyramid to the next, about 1 / sqrt(2)
_CHUNK = {24: 16, 48: 4}  # crops of each size that go through a net at once: what stays in the processor's cache
_BLOCK = 256  # boxes whose overlaps are computed at once
_MOST = 4000  # candidates for the R-Net, the most probable; 200 faces give some 2000, and noise must not take minutes

Faces = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Boxes (N, 4) as x1, y1, x2, y2, probabilities (N,), landmarks (N, 5, 2), all float32 in pixels of the picture."""


class Cascade:
    """Finds faces with three nets; calls must not overlap.

    `thresholds`: least probability behind each net. `threads`: workers, 1 for none beside the caller.
    """

    def __init__(self, nets: Nets, thresholds: Sequence[float] = (0.6, 0.7, 0.7), threads: int = 1):
        self.nets, self.thresholds, self.threads = nets, tuple(thresholds), threads
        self._pool = ThreadPoolExecutor(threads, "ferlib-mtcnn") if threads > 1 else None

    def detect(self, image: np.ndarray, least: int) -> Faces:
        """The faces of an (H, W, 3) uint8 RGB picture from `least` pixels on, in no order; boxes may reach outside."""
        sampler = AreaSampler(image)
        boxes, scores = self._propose(sampler, least)
        if len(boxes):
            boxes, scores = self._refuse(sampler, boxes, scores)
        return self.refine(sampler, boxes)

    def refine(self, sampler: Sampler, squares: np.ndarray) -> Faces:
        """The faces in square boxes (N, 4), by the O-Net alone, each at most once."""
        boxes, scores, points = self.look(sampler, squares)
        good = scores > self.thresholds[2]
        boxes, scores, points = boxes[good], scores[good], points[good]
        keep = suppress_contained(boxes, scores, 0.7)
        return boxes[keep], scores[keep], points[keep]

    def look(self, sampler: Sampler, squares: np.ndarray) -> Faces:
        """What the O-Net sees in each of (N, 4) square boxes, probable or not; 0 for one outside the picture."""
        corners, inside = _corners(squares, sampler)
        found = np.zeros((len(squares), 15), np.float32)
        found[:, 0] = -np.inf
        if inside.any():
            found[inside] = self._through(self.nets.onet, sampler, corners[inside], 48)
        size = squares[:, 2:] - squares[:, :2] + 1
        across, down = (
            found[:, 5:10] * size[:, :1] + squares[:, :1] - 1,
            found[:, 10:] * size[:, 1:] + squares[:, 1:2] - 1,
        )
        return _moved(squares, found[:, 1:5], 1), _probability(found[:, 0]), np.stack([across, down], axis=2)

    def _propose(self, sampler: AreaSampler, least: int) -> tuple[np.ndarray, np.ndarray]:
        """First stage: candidates of all levels as squares, and their probabilities."""
        levels = scales(sampler.height, sampler.width, least)
        jobs = [levels[:1], levels[1:]] if self._pool else [levels]
        parts = [
            part for found in self._share(lambda job: [self._level(sampler, s) for s in job], jobs) for part in found
        ]
        if not parts:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        boxes, scores, moves = (np.concatenate(values) for values in zip(*parts, strict=True))
        keep = suppress(boxes, scores, 0.7)[:_MOST]
        return as_squares(_moved(boxes[keep], moves[keep], 0)), scores[keep]

    def _level(self, sampler: AreaSampler, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The cells of one level that may be faces: boxes, probabilities, corrections."""
        size = int(sampler.height * scale + 1), int(sampler.width * scale + 1)
        cells = self.nets.pnet(sampler.resized(*size))[0]
        scores = _probability(cells[0])
        rows, columns = np.nonzero(scores >= self.thresholds[0])
        corners = _STRIDE * np.stack([columns, rows], axis=1).astype(np.float32)
        low, high = np.floor((corners + 1) / np.float32(scale)), np.floor((corners + _CELL) / np.float32(scale))
        boxes, scores = np.concatenate([low, high], axis=1), scores[rows, columns]
        keep = suppress(boxes, scores, 0.5)
        return boxes[keep], scores[keep], cells[1:, rows[keep], columns[keep]].T

    def _refuse(self, sampler: AreaSampler, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Second stage: the candidates that the R-Net leaves, as squares."""
        corners, inside = _corners(boxes, sampler)
        boxes, corners = boxes[inside], corners[inside]
        found = self._through(self.nets.rnet, sampler, corners, 24)
        scores = _probability(found[:, 0])
        good = scores > self.thresholds[1]
        boxes, scores, moves = boxes[good], scores[good], found[good, 1:]
        keep = suppress(boxes, scores, 0.7)
        return as_squares(_moved(boxes[keep], moves[keep], 1)), scores[keep]

    def _through(
        self, net: Callable[[np.ndarray], np.ndarray], sampler: Sampler, corners: np.ndarray, side: int
    ) -> np.ndarray:
        """Crops through a net: a row each."""
        if not len(corners):
            return np.zeros((0, 15 if side == 48 else 5), np.float32)
        size = min(_CHUNK[side], -(-len(corners) // self.threads))
        chunks = [corners[start : start + size] for start in range(0, len(corners), size)]
        return np.concatenate(self._share(lambda chunk: net(sampler.crops(chunk, side)), chunks))

    def _share(self, work: Callable, jobs: list) -> list:
        """`work` of each job, by the workers if there are any and it is worth it."""
        if self._pool is None or len(jobs) < 2:
            return [work(job) for job in jobs]
        return list(self._pool.map(work, jobs))


def scales(height: int, width: int, least: int) -> list[float]:
    """Of the pyramid's levels: the largest shows faces of `least` pixels with 12, the smallest fills the picture."""
    found, scale = [], 12.0 / least
    side = min(height, width) * scale
    while side >= 12:
        found.append(scale)
        scale, side = scale * _FACTOR, side * _FACTOR
    return found


def as_squares(boxes: np.ndarray) -> np.ndarray:
    """(N, 4) boxes grown to squares about their centres."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    low = boxes[:, :2] + size * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([low, low + side], axis=1)


def suppress(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """Non-maximum suppression as torchvision's `nms`: indices that are kept, from the most probable on.

    A box falls when its intersection over union with a kept one is above `most`.
    """
    return _suppress(boxes, scores, most, 0, lambda shared, one, other: shared / (one + other - shared))


def suppress_contained(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """The same by the intersection over the smaller area, as facenet-pytorch's `nms_numpy` with "Min"."""
    return _suppress(boxes, scores, most, 1, lambda shared, one, other: shared / np.minimum(one, other))


def _suppress(boxes: np.ndarray, scores: np.ndarray, most: float, pixel: int, ratio: Callable) -> np.ndarray:
    """The best box that is left, again and again, without those that overlap it too much.

    Overlaps are computed for a block of the best at once; most of the time for one box after another was NumPy's calls.
    """
    left, kept = np.argsort(-scores, kind="stable"), []
    while len(left):
        block, left = left[:_BLOCK], left[_BLOCK:]
        falls = _overlap(boxes[block], boxes[block], pixel, ratio) > most
        gone, best = np.zeros(len(block), bool), []
        for index, row in enumerate(falls):
            if not gone[index]:
                best.append(index)
                gone |= row
        kept.append(block[best])
        if len(left):
            left = left[~(_overlap(boxes[kept[-1]], boxes[left], pixel, ratio) > most).any(axis=0)]
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def _overlap(some: np.ndarray, others: np.ndarray, pixel: int, ratio: Callable) -> np.ndarray:
    """(N, M) overlaps of (N, 4) and (M, 4) boxes; NaN, which is above nothing, between two without area."""
    one, other = some.T[:, :, None], others.T[:, None, :]
    across = np.minimum(one[2], other[2]) - np.maximum(one[0], other[0]) + np.float32(pixel)
    down = np.minimum(one[3], other[3]) - np.maximum(one[1], other[1]) + np.float32(pixel)
    shared = np.maximum(across, 0) * np.maximum(down, 0)
    areas = [(box[2] - box[0] + np.float32(pixel)) * (box[3] - box[1] + np.float32(pixel)) for box in (one, other)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return ratio(shared, *areas)


def _corners(boxes: np.ndarray, sampler: Sampler) -> tuple[np.ndarray, np.ndarray]:
    """Whole pixels of (N, 4) boxes inside the picture, x1, y1, x2, y2 with exclusive ends, and which are not empty."""
    whole = np.trunc(boxes).astype(np.int64)
    low = np.maximum(whole[:, :2], 1) - 1
    high = np.minimum(whole[:, 2:], [sampler.width, sampler.height])
    return np.concatenate([low, high], axis=1), (high > low).all(axis=1)


def _moved(boxes: np.ndarray, moves: np.ndarray, pixel: int) -> np.ndarray:
    """Boxes with a net's corrections, which are shares of width and height."""
    size = np.tile(boxes[:, 2:] - boxes[:, :2] + np.float32(pixel), 2)
    return boxes + moves * size


def _probability(logit: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-logit))
