"""Face crops: from a detection to the square grey face that the classifier was trained on.

FER2013's faces were cut out by another detector, with its own framing. A crop that is wider or tighter than those
lowers the accuracy silently, so the framing here is fitted to them: see `evaluation.crop_fit` and `CropSpec`.
"""

from dataclasses import dataclass
from math import ceil, radians
from typing import Literal

import cv2
import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.detector import Detection
from ferlib.faces.pictures import check_picture

# Side of FER2013's square frame in units of each basis at margin 0: the medians over faces of the valid split that were
# pasted into larger pictures and found there. The spread between faces is 14 to 15 % for both, which is FER2013's own.
_SIDE_PER_BOX = 1.08  # of the box's geometric mean of width and height
_SIDE_PER_FEATURES = 1.81  # of the root of (distance of the eyes)^2 + (distance from the eyes to the mouth)^2
_EYES_TO_CENTRE = 0.11  # the frame's centre lies this share of a side below the point between the eyes


@dataclass(frozen=True)
class CropSpec:
    """Placement of the square on a detected face.

    The defaults are those that `evaluation.crop_fit.measure_crop_agreement` favoured on 300 faces of the valid split.
    Mean difference in grey levels, first for faces as they are, then for faces tilted by up to 20 degrees more: 30.0
    and 31.2; never turned 29.5 and 33.3; made quite level 31.2 and 30.9; by the box, with the best margin and shift and
    not turned, 31.0 and 34.0.

    Attributes:
        basis: source of centre and size: the detector's "box", or the "eyes" and the mouth.
        margin: enlargement: the side is (1 + margin) times FER2013's; above -1.
        vertical_shift: shift of the square down the face, as a share of its side.
        align: whether a tilted face is turned towards upright, by the line between the eyes.
        free_roll: tilt that stays, degrees: FER2013's faces have as much, and the landmarks err by it.
    """

    basis: Literal["box", "eyes"] = "eyes"
    margin: float = 0.0
    vertical_shift: float = 0.0
    align: bool = True
    free_roll: float = 5.0

    def __post_init__(self) -> None:
        if self.basis not in ("box", "eyes"):
            raise FerlibError(f"A crop's basis must be 'box' or 'eyes', not {self.basis!r}.")
        if not self.margin > -1:
            raise FerlibError(f"A crop's margin must be above -1, not {self.margin}.")
        if not self.free_roll >= 0:
            raise FerlibError(f"A crop's free_roll must be 0 degrees or more, not {self.free_roll}.")


def crop_square(detection: Detection, spec: CropSpec) -> tuple[np.ndarray, float, float]:
    """Compute the square on a face.

    Args:
        detection: the face.
        spec: placement of the square.

    Returns:
        Centre (x, y) and side in pixels, and turn in radians, clockwise as seen.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = detection.landmarks.astype(np.float64)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    across, down = right_eye - left_eye, mouth - eyes
    tilt = float(np.arctan2(across[1], across[0]))
    downwards = np.array([-np.sin(tilt), np.cos(tilt)])
    if spec.basis == "box":
        x1, y1, x2, y2 = detection.box
        side = _SIDE_PER_BOX * (1 + spec.margin) * float(np.sqrt((x2 - x1) * (y2 - y1)))
        centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) + spec.vertical_shift * side * downwards
    else:
        side = _SIDE_PER_FEATURES * (1 + spec.margin) * float(np.hypot(np.hypot(*across), np.hypot(*down)))
        centre = eyes + (_EYES_TO_CENTRE + spec.vertical_shift) * side * downwards
    turn = float(np.sign(tilt)) * max(0.0, abs(tilt) - radians(spec.free_roll)) if spec.align else 0.0
    return centre, max(side, 1.0), turn


def crop_face(image: np.ndarray, detection: Detection, spec: CropSpec | None = None, *, size: int) -> np.ndarray:
    """Cut a face out of a picture.

    Parts outside the picture repeat its border. Every pixel is the mean of the area that it stands for, so large faces
    do not alias: the square is sampled about once a picture pixel, turned, and then averaged down.

    Args:
        image: (H, W, 3) uint8 RGB.
        detection: the face; it may lie outside the picture.
        spec: placement of the square; None for the defaults.
        size: side of the crop, pixels.

    Returns:
        (size, size) uint8 grey.

    Raises:
        FerlibError: a picture of another shape or type.
    """
    check_picture(image)
    centre, side, angle = crop_square(detection, spec or CropSpec())
    part, corner = _surroundings(image, centre, side)
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    fine = size * min(max(1, ceil(side / size)), max(1, 4096 // size))
    scale = side / fine
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Pixel centres: output pixel (i, j) stands for the point (i + 0.5, j + 0.5) of the square's own grid.
    origin = centre - corner - 0.5 + turn @ np.full(2, 0.5 - fine / 2)
    sampled = cv2.warpAffine(
        grey,
        np.column_stack([turn, origin]),
        (fine, fine),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cv2.resize(sampled, (size, size), interpolation=cv2.INTER_AREA) if fine > size else sampled


def _surroundings(image: np.ndarray, centre: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut out the part of the picture that a turned square can touch, never empty; also give its upper left corner.

    Cutting it out first keeps the cost that of the face, and OpenCV cannot warp pictures over 32766 pixels a side.
    """
    limits = np.array(image.shape[1::-1])
    reach = side * np.sqrt(0.5) + 2
    low = np.clip(np.floor(centre - reach), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(centre + reach), low + 1, limits).astype(int)
    return np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]), low
