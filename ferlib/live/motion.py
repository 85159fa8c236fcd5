"""Faces followed by optical flow between two detections: a few milliseconds where MTCNN takes a hundred."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ferlib.live.detection import Detection

_GRID = 5  # points a side that are followed in each box
_WINDOW: dict[str, Any] = {"winSize": (21, 21), "maxLevel": 3}  # of Lucas-Kanade, pixels and pyramid levels
_RETURN = 1.5  # pixels; a point that does not come back to where it was, by the way back, is lost
_LEAST_POINTS = 8  # of the grid; with fewer the face is lost
_LEAST_SIDE = 12.0  # pixels
_MOST_CHANGE = 1.5  # of a face's size from one frame to the next


def follow(before: np.ndarray, after: np.ndarray, detections: Sequence[Detection]) -> list[Detection] | None:
    """The detections of the grey (H, W) uint8 frame `before`, moved to where their faces are in `after`.

    Each face moves, turns and grows as the median of points in its box does (pyramidal Lucas-Kanade, checked forwards
    and backwards). None when one of them was lost or the frames differ in size: then the caller has to detect again.
    """
    if before.shape != after.shape:
        return None
    if not detections:
        return []
    starts = np.concatenate([_points(detection) for detection in detections]).astype(np.float32)
    ends, found, _ = cv2.calcOpticalFlowPyrLK(before, after, starts, None, **_WINDOW)  # type: ignore[call-overload]  # None is allowed
    returns, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, ends, None, **_WINDOW)  # type: ignore[call-overload]
    good = (found[:, 0] & found_back[:, 0]).astype(bool) & (np.abs(starts - returns).max(axis=1) < _RETURN)
    moved = []
    for index, detection in enumerate(detections):
        part = slice(index * _GRID**2, (index + 1) * _GRID**2)
        after_move = _moved(detection, starts[part][good[part]], ends[part][good[part]], after.shape)
        if after_move is None:
            return None
        moved.append(after_move)
    return moved


def _points(detection: Detection) -> np.ndarray:
    """A grid over the inner box, (25, 2)."""
    x1, y1, x2, y2 = detection.box
    shares = np.linspace(0.15, 0.85, _GRID)
    across, down = np.meshgrid(x1 + shares * (x2 - x1), y1 + shares * (y2 - y1))
    return np.stack([across.ravel(), down.ravel()], axis=1)


def _moved(detection: Detection, starts: np.ndarray, ends: np.ndarray, shape: tuple[int, ...]) -> Detection | None:
    if len(starts) < _LEAST_POINTS:
        return None
    matrix, _ = cv2.estimateAffinePartial2D(starts, ends, method=cv2.RANSAC, ransacReprojThreshold=2.0)
    if matrix is None:
        return None
    size = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not 1 / _MOST_CHANGE < size < _MOST_CHANGE:
        return None
    corners = np.array(detection.box, np.float64).reshape(2, 2)
    centre = matrix[:, :2] @ corners.mean(axis=0) + matrix[:, 2]
    half = size * (corners[1] - corners[0]) / 2
    low, high = np.clip([centre - half, centre + half], 0, [shape[1], shape[0]])
    if min(high - low) < _LEAST_SIDE:
        return None
    landmarks = detection.landmarks @ matrix[:, :2].T + matrix[:, 2]
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Detection(box, landmarks.astype(np.float32), detection.confidence)
