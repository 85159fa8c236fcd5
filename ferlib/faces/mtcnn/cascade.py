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

_CELL, _STRIDE = 12, 2  # pixels of a level: side of the P-Net's window, and step from one cell to the next
_FACTOR = 0.709  # from one level of the pyramid to the next, about 1 / sqrt(2)
_CROPS_AT_ONCE = {24: 16, 48: 4}  # by side of the crops; so many stay in the processor's cache
_MAX_CANDIDATES = 4000  # for the R-Net, the most probable; 200 faces give some 2000, and noise must not take minutes

Faces = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Boxes (N, 4) as x1, y1, x2, y2, probabilities (N,), landmarks (N, 5, 2), all float32 in pixels of the picture."""


class Cascade:
    """MTCNN's three stages; calls must not overlap.

    Args:
        nets: the three nets.
        thresholds: least probability of a face behind each net.
        threads: threads that share the work, the caller included.

    Attributes:
        nets: as given.
        thresholds: as given.
    """

    def __init__(self, nets: Nets, thresholds: Sequence[float] = (0.6, 0.7, 0.7), threads: int = 1):
        self.nets, self.thresholds = nets, tuple(thresholds)
        self._workers = Workers(threads, "ferlib-mtcnn")

    def detect(self, image: np.ndarray, min_face_size: int) -> Faces:
        """Find the faces of a picture, in no order.

        Args:
            image: (H, W, 3) uint8 RGB.
            min_face_size: smallest face that is searched for, pixels.

        Returns:
            The faces; boxes may reach outside the picture.
        """
        with self._workers.apart():
            sampler = AreaSampler(image)
            boxes, scores = self._propose(sampler, min_face_size)
            if len(boxes):
                boxes, scores = self._reject(sampler, boxes, scores)
            return self.refine(sampler, boxes)

    def refine(self, sampler: Sampler, squares: np.ndarray) -> Faces:
        """Find the faces in square boxes by the O-Net alone, each at most once.

        Args:
            sampler: of the picture.
            squares: (N, 4) boxes.
        """
        boxes, scores, points = self.score_squares(sampler, squares)
        good = scores > self.thresholds[2]
        boxes, scores, points = boxes[good], scores[good], points[good]
        keep = nms_contained(boxes, scores, 0.7)
        return boxes[keep], scores[keep], points[keep]

    def score_squares(self, sampler: Sampler, squares: np.ndarray) -> Faces:
        """Run the O-Net on square boxes.

        Args:
            sampler: of the picture.
            squares: (N, 4) boxes.

        Returns:
            One face for each box in the given order, however improbable; probability 0 for a box outside the picture.
        """
        corners, inside = _corners(squares, sampler)
        outputs = np.zeros((len(squares), 15), np.float32)
        outputs[:, 0] = -np.inf
        if inside.any():
            outputs[inside] = self._run(self.nets.onet, sampler, corners[inside], 48)
        size = squares[:, 2:] - squares[:, :2] + 1
        across, down = (
            outputs[:, 5:10] * size[:, :1] + squares[:, :1] - 1,
            outputs[:, 10:] * size[:, 1:] + squares[:, 1:2] - 1,
        )
        return _moved(squares, outputs[:, 1:5], 1), _probability(outputs[:, 0]), np.stack([across, down], axis=2)

    def _propose(self, sampler: AreaSampler, min_face_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Run the first stage: candidates of all levels as squares, and their probabilities."""
        scales = pyramid_scales(sampler.height, sampler.width, min_face_size)
        levels = ((scale, _level(sampler, scale)) for scale in scales)
        parts = self._workers.share(self._cells, levels)
        if not parts:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        boxes, scores, moves = (np.concatenate(values) for values in zip(*parts, strict=True))
        keep = nms(boxes, scores, 0.7)[:_MAX_CANDIDATES]
        return as_squares(_moved(boxes[keep], moves[keep], 0)), scores[keep]

    def _cells(self, level: tuple[float, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the cells of one level, (scale, pixels), that may be faces: boxes, probabilities, corrections."""
        scale, pixels = level
        cells = self.nets.pnet(pixels)[0]
        scores = _probability(cells[0])
        rows, columns = np.nonzero(scores >= self.thresholds[0])
        corners = _STRIDE * np.stack([columns, rows], axis=1).astype(np.float32)
        low, high = np.floor((corners + 1) / np.float32(scale)), np.floor((corners + _CELL) / np.float32(scale))
        boxes, scores = np.concatenate([low, high], axis=1), scores[rows, columns]
        keep = nms(boxes, scores, 0.5)
        return boxes[keep], scores[keep], cells[1:, rows[keep], columns[keep]].T

    def _reject(self, sampler: AreaSampler, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the second stage: drop the candidates that the R-Net finds improbable; squares and probabilities."""
        corners, inside = _corners(boxes, sampler)
        boxes, corners = boxes[inside], corners[inside]
        outputs = self._run(self.nets.rnet, sampler, corners, 24)
        scores = _probability(outputs[:, 0])
        good = scores > self.thresholds[1]
        boxes, scores, moves = boxes[good], scores[good], outputs[good, 1:]
        keep = nms(boxes, scores, 0.7)
        return as_squares(_moved(boxes[keep], moves[keep], 1)), scores[keep]

    def _run(
        self, net: Callable[[np.ndarray], np.ndarray], sampler: Sampler, corners: np.ndarray, side: int
    ) -> np.ndarray:
        """Run a net on crops, in portions shared among the threads; a row of outputs each."""
        if not len(corners):
            return np.zeros((0, 15 if side == 48 else 5), np.float32)
        crops = (sampler.crops(portion, side) for portion in self._workers.portions(corners, _CROPS_AT_ONCE[side]))
        return np.concatenate(self._workers.share(net, crops))


def _level(sampler: AreaSampler, scale: float) -> np.ndarray:
    """Scale the picture to a level of the pyramid: (1, 3, h, w)."""
    return sampler.resized(int(sampler.height * scale + 1), int(sampler.width * scale + 1))


def pyramid_scales(height: int, width: int, min_face_size: int) -> list[float]:
    """Compute the scales of the pyramid's levels.

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        min_face_size: smallest face that is searched for, pixels.

    Returns:
        Scales from the level where such a face is 12 pixels wide to the one where the picture is hardly larger than
        12 pixels; empty when the picture is too small for any.
    """
    scales, scale = [], 12.0 / min_face_size
    side = min(height, width) * scale
    while side >= 12:
        scales.append(scale)
        scale, side = scale * _FACTOR, side * _FACTOR
    return scales


def as_squares(boxes: np.ndarray) -> np.ndarray:
    """Grow boxes to squares about their centres.

    Args:
        boxes: (N, 4) float32.
    """
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    low = boxes[:, :2] + size * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([low, low + side], axis=1)


def nms(boxes: np.ndarray, scores: np.ndarray, max_overlap: float) -> np.ndarray:
    """Suppress boxes that overlap a more probable one, as torchvision's `nms`.

    Args:
        boxes: (N, 4) float32.
        scores: (N,) probabilities.
        max_overlap: largest intersection over union with a remaining box.

    Returns:
        Indices of the remaining boxes, from the most probable on.
    """
    return _nms(boxes, np.argsort(-scores, kind="stable"), max_overlap, 0, False)


def nms_contained(boxes: np.ndarray, scores: np.ndarray, max_overlap: float) -> np.ndarray:
    """Suppress boxes that share too much of the smaller area, as facenet-pytorch's `nms_numpy` with "Min".

    Args:
        boxes: (N, 4) float32.
        scores: (N,) probabilities.
        max_overlap: largest intersection with a remaining box, as a share of the smaller of the two.

    Returns:
        Indices of the remaining boxes, from the most probable on.
    """
    return _nms(boxes, np.argsort(-scores, kind="stable"), max_overlap, 1, True)


def nms_by_numpy(boxes: np.ndarray, order: np.ndarray, max_overlap: float, pixel: int, smaller: bool) -> np.ndarray:
    """Compute `_nms` without Numba.

    Args:
        boxes: (N, 4) float32.
        order: indices of the boxes, from the most probable on.
        max_overlap: largest overlap with a remaining box, 0..1.
        pixel: width that a box has beyond the difference of its corners, pixels.
        smaller: divide the intersection by the smaller area instead of the union.

    Returns:
        Indices of the remaining boxes, from the most probable on.
    """
    x1, y1, x2, y2 = np.ascontiguousarray(boxes[order].T)
    extra, zero = np.float32(pixel), np.float32(0)
    areas = (x2 - x1 + extra) * (y2 - y1 + extra)
    candidates, survivors = np.arange(len(order)), []
    with np.errstate(divide="ignore", invalid="ignore"):
        while len(candidates):
            best, candidates = candidates[0], candidates[1:]
            survivors.append(best)
            across = np.minimum(x2[best], x2[candidates]) - np.maximum(x1[best], x1[candidates]) + extra
            down = np.minimum(y2[best], y2[candidates]) - np.maximum(y1[best], y1[candidates]) + extra
            shared = np.maximum(across, zero) * np.maximum(down, zero)
            divisor = (
                np.minimum(areas[best], areas[candidates]) if smaller else areas[best] + areas[candidates] - shared
            )
            candidates = candidates[~(shared / divisor > max_overlap)]
    return order[np.array(survivors, np.int64)]


@compiled(otherwise=nms_by_numpy)
def _nms(  # pragma: no cover
    boxes: np.ndarray, order: np.ndarray, max_overlap: float, pixel: int, smaller: bool
) -> np.ndarray:
    """Take the most probable box and drop those that overlap it too much, again and again.

    Boxes are `pixel` wider than their corners say. Two boxes without area overlap by NaN, which is above nothing.
    """
    extra, zero = np.float32(pixel), np.float32(0)
    areas = (boxes[:, 2] - boxes[:, 0] + extra) * (boxes[:, 3] - boxes[:, 1] + extra)
    suppressed, survivors, count = np.zeros(len(boxes), np.bool_), np.empty(len(boxes), np.int64), 0
    for place, best in enumerate(order):
        if suppressed[best]:
            continue
        survivors[count] = best
        count += 1
        for other in order[place + 1 :]:
            across = min(boxes[best, 2], boxes[other, 2]) - max(boxes[best, 0], boxes[other, 0]) + extra
            down = min(boxes[best, 3], boxes[other, 3]) - max(boxes[best, 1], boxes[other, 1]) + extra
            shared = max(across, zero) * max(down, zero)
            divisor = min(areas[best], areas[other]) if smaller else areas[best] + areas[other] - shared
            if shared / divisor > max_overlap:
                suppressed[other] = True
    return survivors[:count]


def _corners(boxes: np.ndarray, sampler: Sampler) -> tuple[np.ndarray, np.ndarray]:
    """Cut (N, 4) boxes to the picture's whole pixels, x1, y1, x2, y2 with exclusive ends; and which are not empty."""
    pixels = np.trunc(boxes).astype(np.int64)
    low = np.maximum(pixels[:, :2], 1) - 1
    high = np.minimum(pixels[:, 2:], [sampler.width, sampler.height])
    return np.concatenate([low, high], axis=1), (high > low).all(axis=1)


def _moved(boxes: np.ndarray, moves: np.ndarray, pixel: int) -> np.ndarray:
    """Apply a net's corrections, which are shares of width and height, to boxes."""
    size = np.tile(boxes[:, 2:] - boxes[:, :2] + np.float32(pixel), 2)
    return boxes + moves * size


def _probability(logit: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-logit))
