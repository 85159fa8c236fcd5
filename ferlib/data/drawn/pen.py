"""Pen that draws polygons and lines in face coordinates, and the shapes that faces are made of."""

import math
from typing import Any

import cv2
import numpy as np

_FIXED_POINT = 4  # fractional bits of the coordinates that OpenCV gets

_ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
"""Points of the unit circle, (40, 2)."""

SPAN = np.linspace(-1, 1, 21)
"""Positions across a part of the face, from its left end to its right end."""


def ellipse(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Outline an ellipse, (40, 2) points.

    Args:
        x: centre.
        y: centre.
        width: half axis along x.
        height: half axis along y.
    """
    return CIRCLE * (width, height) + (x, y)


class Pen:
    """Pen that draws in face coordinates on a canvas.

    Args:
        canvas: (H, W) uint8, drawn on in place.
        scale: half the face's height, in pixels.
        angle: rotation of the face, in radians.
        centre: (2,) middle of the face, in pixels.
    """

    def __init__(self, canvas: np.ndarray, scale: float, angle: float, centre: np.ndarray) -> None:
        cosine, sine = math.cos(angle), math.sin(angle)
        self._turn = np.array([[cosine, sine], [-sine, cosine]]) * scale * 2**_FIXED_POINT
        self._shift = centre * 2**_FIXED_POINT
        self._canvas, self._scale = canvas, scale

    def fill(self, points: np.ndarray, grey: float) -> None:
        """Fill a polygon.

        Args:
            points: (N, 2) corners in face coordinates.
            grey: grey level.
        """
        cv2.fillPoly(self._canvas, [self._place(points)], grey, cv2.LINE_AA, _FIXED_POINT)

    def line(self, points: Any, grey: float, width: float, closed: bool = False) -> None:
        """Draw a polyline.

        Args:
            points: (N, 2) corners in face coordinates.
            grey: grey level.
            width: width of the line in face coordinates.
            closed: join the last point with the first.
        """
        thickness = max(1, round(width * self._scale))
        cv2.polylines(self._canvas, [self._place(points)], closed, grey, thickness, cv2.LINE_AA, _FIXED_POINT)

    def _place(self, points: Any) -> np.ndarray:
        return np.rint(np.asarray(points) @ self._turn + self._shift).astype(np.int32)
