"""A sheet of faces and a short clip, made from the public-domain photo in the package."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from ferlib.faces.pictures import sample_picture
from ferlib.files import atomic_path
from ferlib.live.video_writer import VideoWriter

VARIANTS = ("as it is", "mirrored", "tilted", "dark", "blurred", "small")
"""Tiles of `face_sheet` in reading order."""

_TILE = (300, 280)  # width and height, pixels
_BACKGROUND = (96, 104, 112)  # RGB


def face_sheet() -> np.ndarray:
    """Draw the photo's face under the conditions of `VARIANTS`, three tiles a row, (560, 900, 3) uint8 RGB."""
    tiles = [_variant(name) for name in VARIANTS]
    return np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])


def variant_at(box: Sequence[float]) -> str:
    """Name the tile of `face_sheet` in which the centre of a box lies.

    Args:
        box: x1, y1, x2, y2 in pixels.

    Returns:
        One of `VARIANTS`.
    """
    column, row = ((box[axis] + box[axis + 2]) / 2 // _TILE[axis] for axis in (0, 1))
    return VARIANTS[int(3 * row + column)]


def moving_clip(seconds: float = 6.0, rate: float = 10.0) -> Iterator[np.ndarray]:
    """Draw frames in which a face sways and a mirrored one walks out to the right and comes back.

    Args:
        seconds: length of the clip.
        rate: frames a second.

    Yields:
        (480, 640, 3) uint8 RGB.
    """
    face = cv2.resize(_photo_face(), (200, 214), interpolation=cv2.INTER_AREA)
    for index in range(round(seconds * rate)):
        share = index / (seconds * rate)
        frame = np.full((480, 640, 3), _BACKGROUND, np.uint8)
        _paste(frame, face, 60 + round(30 * np.sin(6 * np.pi * share)), 130)
        _paste(frame, face[:, ::-1], 380 + round(420 * max(0.0, np.sin(2 * np.pi * share - 1)) ** 2), 120)
        yield frame


def write_clip(path: str | Path, seconds: float = 6.0, rate: float = 10.0) -> Path:
    """Write `moving_clip` as a video file.

    Args:
        path: the file; its suffix chooses the format, ``.mp4`` or ``.avi``.
        seconds: length of the clip.
        rate: frames a second.
    """
    with atomic_path(path) as temporary, VideoWriter(temporary, rate) as writer:
        for index, frame in enumerate(moving_clip(seconds, rate)):
            writer.write(frame, index / rate)
    return Path(path)


def _photo_face() -> np.ndarray:
    return sample_picture()[:257, 110:350]


def _variant(name: str) -> np.ndarray:
    width, height = _TILE
    photo = sample_picture()
    if name == "tilted":
        middle = (224, 125)
        turn = cv2.getRotationMatrix2D(middle, 25, 1.0)
        photo = cv2.warpAffine(photo, turn, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    tile = cv2.resize(photo[:257, 87:362], _TILE, interpolation=cv2.INTER_CUBIC)
    if name == "mirrored":
        tile = tile[:, ::-1]
    if name == "dark":
        tile = tile // 5
    if name == "blurred":
        tile = cv2.GaussianBlur(tile, (0, 0), 4)
    if name == "small":
        tile = np.full((height, width, 3), _BACKGROUND, np.uint8)
        _paste(tile, cv2.resize(_photo_face(), (110, 118), interpolation=cv2.INTER_AREA), 95, 80)
    return np.ascontiguousarray(tile)


def _paste(picture: np.ndarray, part: np.ndarray, left: int, top: int) -> None:
    """Put `part` into `picture`, in place; the part beyond the right or lower border is cut off."""
    height, width = max(0, picture.shape[0] - top), max(0, picture.shape[1] - left)
    part = part[:height, :width]
    picture[top : top + part.shape[0], left : left + part.shape[1]] = part
