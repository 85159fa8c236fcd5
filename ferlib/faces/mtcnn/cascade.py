"""MTCNN's cascade (Zhang et al. 2016) as facenet-pytorch computes it, in NumPy around three nets, for one picture.

At 640x480 with a smallest face of 40 pixels and four faces, one thread of an idle machine takes 15 ms: the P-Net 2.7
over eight levels, of which the first costs as much as all others, the R-Net 4.0 for 133 candidates, the O-Net 5.6 for
30, the means over areas 1.2. Two threads take 9, facenet-pytorch 41. Levels and small chunks of candidates are shared
out among the threads; only one of them cuts out the next pixels at a time, since that would not gain from both.

Every rule of facenet-pytorch's `detect_face` is kept, odd ones too: cells begin at ``(2 i + 1) / scale``, boxes are one
pixel wider in some formulas than in others, and the last non-maximum suppression divides by the smaller area.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ferlib.faces.mtcnn.area import AreaSampler, Sampler
from ferlib.faces.mtcnn.compiled import compiled
from ferlib.faces.mtcnn.nets import Nets
from ferlib.parallel import Workers

_CELL, _STRIDE = 12, 2  # pixels of a level: what the P-Net sees at once, and from one cell to the next
_FACTOR = 0.709  # from one level of the pyramid to the next, about 1 / sqrt(2)
_CHUNK = {24: 16, 48: 4}  # crops of each size that go through a net at once: what stays in the processor's cache
_MOST = 4000  # candidates for the R-Net, the most probable; 200 faces give some 2000, and noise must not take minutes

Faces = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Boxes (N, 4) as x1, y1, x2, y2, probabilities (N,), landmarks (N, 5, 2), all float32 in pixels of the picture."""


class Cascade:
    """Finds faces with three nets; calls must not overlap.

    `thresholds`: least probability behind each net. `threads`: that share the work, the caller included.
    """

    def __init__(self, nets: Nets, thresholds: Sequence[float] = (0.6, 0.7, 0.7), threads: int = 1):
        self.nets, self.thresholds = nets, tuple(thresholds)
        self._workers = Workers(threads, "ferlib-mtcnn")

    def detect(self, image: np.ndarray, least: int) -> Faces:
        """The faces of an (H, W, 3) uint8 RGB picture from `least` pixels on, in no order; boxes may reach outside."""
        with self._workers.apart():
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
        levels = ((scale, _level(sampler, scale)) for scale in scales(sampler.height, sampler.width, least))
        parts = self._workers.share(self._cells, levels)
        if not parts:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        boxes, scores, moves = (np.concatenate(values) for values in zip(*parts, strict=True))
        keep = suppress(boxes, scores, 0.7)[:_MOST]
        return as_squares(_moved(boxes[keep], moves[keep], 0)), scores[keep]

    def _cells(self, level: tuple[float, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The cells of one level, (scale, pixels), that may be faces: boxes, probabilities, corrections."""
        scale, pixels = level
        cells = self.nets.pnet(pixels)[0]
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
        crops = (sampler.crops(some, side) for some in self._workers.portions(corners, _CHUNK[side]))
        return np.concatenate(self._workers.share(net, crops))


def _level(sampler: AreaSampler, scale: float) -> np.ndarray:
    """(1, 3, h, w) pixels of a level of the pyramid."""
    return sampler.resized(int(sampler.height * scale + 1), int(sampler.width * scale + 1))


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
    return _suppress(boxes, np.argsort(-scores, kind="stable"), most, 0, False)


def suppress_contained(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """The same by the intersection over the smaller area, as facenet-pytorch's `nms_numpy` with "Min"."""
    return _suppress(boxes, np.argsort(-scores, kind="stable"), most, 1, True)


def suppress_by_numpy(boxes: np.ndarray, order: np.ndarray, most: float, pixel: int, smaller: bool) -> np.ndarray:
    """Give what `_suppress` gives, without Numba."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes[order].T)
    more, zero = np.float32(pixel), np.float32(0)
    areas = (x2 - x1 + more) * (y2 - y1 + more)
    left, survivors = np.arange(len(order)), []
    with np.errstate(divide="ignore", invalid="ignore"):
        while len(left):
            best, left = left[0], left[1:]
            survivors.append(best)
            across = np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left]) + more
            down = np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left]) + more
            shared = np.maximum(across, zero) * np.maximum(down, zero)
            divisor = np.minimum(areas[best], areas[left]) if smaller else areas[best] + areas[left] - shared
            left = left[~(shared / divisor > most)]
    return order[np.array(survivors, np.int64)]


@compiled(otherwise=suppress_by_numpy)
def _suppress(  # pragma: no cover
    boxes: np.ndarray, order: np.ndarray, most: float, pixel: int, smaller: bool
) -> np.ndarray:
    """The next best box that is left, again and again, without those that overlap it too much.

    Boxes are `pixel` wider than their corners say. Two boxes without area overlap by NaN, which is above nothing.
    """
    more, zero = np.float32(pixel), np.float32(0)
    areas = (boxes[:, 2] - boxes[:, 0] + more) * (boxes[:, 3] - boxes[:, 1] + more)
    fallen, kept, count = np.zeros(len(boxes), np.bool_), np.empty(len(boxes), np.int64), 0
    for place, best in enumerate(order):
        if fallen[best]:
            continue
        kept[count] = best
        count += 1
        for other in order[place + 1 :]:
            across = min(boxes[best, 2], boxes[other, 2]) - max(boxes[best, 0], boxes[other, 0]) + more
            down = min(boxes[best, 3], boxes[other, 3]) - max(boxes[best, 1], boxes[other, 1]) + more
            shared = max(across, zero) * max(down, zero)
            least = min(areas[best], areas[other]) if smaller else areas[best] + areas[other] - shared
            if shared / least > most:
                fallen[other] = True
    return kept[:count]


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
