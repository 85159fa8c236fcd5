"""Searches of a large picture part by part, and of one that lies on its side: plans and arithmetic, no nets.

A search in a copy of the whole picture misses small faces. They are searched for in finer copies, of which each has
four times the resolution of the one before, cut into tiles of the first copy's size. Neighbouring tiles overlap by the
largest face that is new in their copy, so that each lies whole in one of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_FINER = 4.0  # from one copy's resolution to the next one's
_REACH = 1.5  # a copy is asked for faces up to so many times the size from which the copy before finds them
_EDGE = 2  # pixels; a box that is nearer to a tile's cut belongs to the next tile
_MAX_SHARED = 0.5  # share of the smaller of two boxes that the other covers, above which they are one face


@dataclass(frozen=True)
class FinerCopy:
    """A copy of a picture to be searched in tiles.

    Attributes:
        factor: its resolution as a share of the picture's, 0..1.
        max_face_size: largest face that is asked for, pixels of the copy.
    """

    factor: float
    max_face_size: float


def plan_copies(longer_side: int, max_side: int, min_face_size: int, searched_size: int) -> list[FinerCopy]:
    """Plan the finer copies of a picture whose copy of `max_side` was searched as a whole.

    Args:
        longer_side: of the picture, pixels.
        max_side: longer side of the first copy, pixels.
        min_face_size: smallest face that is searched for, pixels of the picture.
        searched_size: smallest face that is searched for in each copy, pixels of the copy.

    Returns:
        The copies, the coarsest first, up to the one where the smallest face has `searched_size`; none when the first
        copy is that fine.
    """
    copies, factor = [], max_side / longer_side
    finest = min(1.0, searched_size / min_face_size)
    while factor < finest:
        finer = min(finest, _FINER * factor)
        copies.append(FinerCopy(finer, _REACH * searched_size * finer / factor))
        factor = finer
    return copies


def cut_into_tiles(height: int, width: int, side: int, overlap: float) -> Iterator[tuple[int, int, int, int]]:
    """Cut a picture into tiles of equal size.

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        side: largest side of a tile, pixels.
        overlap: least overlap of two neighbours, pixels; at most half a tile counts.

    Yields:
        x1, y1, x2, y2 of each tile, the last two exclusive.
    """
    for y1, y2 in _spans(height, side, overlap):
        for x1, x2 in _spans(width, side, overlap):
            yield x1, y1, x2, y2


def _spans(length: int, side: int, overlap: float) -> list[tuple[int, int]]:
    if length <= side:
        return [(0, length)]
    step = side - min(overlap, side / 2)
    count = int(np.ceil((length - side) / step)) + 1
    return [(start, start + side) for start in np.linspace(0, length - side, count).round().astype(int).tolist()]


def belongs_to_tile(
    boxes: np.ndarray, tile: tuple[int, int, int, int], shape: Sequence[int], max_face_size: float
) -> np.ndarray:
    """Tell which faces of a tile count: those of its copy's sizes that its cuts do not touch.

    Args:
        boxes: (N, 4) in pixels of the tile.
        tile: place of the tile in the copy, as `cut_into_tiles` gives it.
        shape: height and width of the copy.
        max_face_size: of the copy.

    Returns:
        (N,) bool.
    """
    x1, y1, x2, y2 = tile
    low = np.array([-np.inf if x1 == 0 else _EDGE, -np.inf if y1 == 0 else _EDGE])
    high = np.array([np.inf if x2 == shape[1] else x2 - x1 - _EDGE, np.inf if y2 == shape[0] else y2 - y1 - _EDGE])
    inside = (boxes[:, :2] >= low).all(axis=1) & (boxes[:, 2:] <= high).all(axis=1)
    return inside & ((boxes[:, 2:] - boxes[:, :2]).max(axis=1) <= max_face_size)


def new_faces(known: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> list[int]:
    """Choose the faces that are new: each once, and none that is known.

    Args:
        known: (K, 4) boxes of the faces that stay.
        boxes: (N, 4) boxes of the candidates.
        scores: (N,) their probabilities.

    Returns:
        Indices of the new faces, the most probable first.
    """
    chosen: list[int] = []
    taken = np.concatenate([known.reshape(-1, 4), np.empty_like(boxes.reshape(-1, 4))])
    count = len(known)
    for index in np.argsort(-scores, kind="stable").tolist():
        if _shared(boxes[index], taken[:count]).max(initial=0.0) <= _MAX_SHARED:
            chosen.append(index)
            taken[count] = boxes[index]
            count += 1
    return chosen


def _shared(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the smaller of two boxes that the other covers, for each of the others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    areas = np.minimum(np.prod(box[2:] - box[:2]), np.prod(others[:, 2:] - others[:, :2], axis=1))
    return np.prod(sides.clip(min=0), axis=1) / np.maximum(areas, 1e-9)


def turn_back(points: np.ndarray, quarters: int, shape: Sequence[int]) -> np.ndarray:
    """Map points of a turned picture to the picture.

    Args:
        points: (..., 2) x and y in ``np.rot90(picture, quarters)``.
        quarters: turns by 90 degrees counter-clockwise, 1 to 3.
        shape: height and width of the picture.

    Returns:
        (..., 2) x and y in the picture.
    """
    height, width = shape[:2]
    x, y = points[..., 0], points[..., 1]
    turned = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[quarters]
    return np.stack(turned, axis=-1)
