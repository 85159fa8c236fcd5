"""Synthetic clips: faces that move, grow, turn, vanish and come back, cut from the photo in the package."""

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np

from ferlib.faces.pictures import sample_picture

CLIPS = ("standing", "walking", "zooming", "turning", "vanishing", "entering", "dimming", "cut")
"""Kinds of `made_clip`."""

SIZE = (640, 480)
"""Width and height of a clip, in pixels."""

_PHOTO_FACE = (224, 118, 96)  # centre and width of the face in the photo, pixels
_PHOTO_REACH = 140  # distance from that centre to the head's edge, in any direction, pixels of the photo
_NOISE_STD = 3.0  # grey levels, as a webcam's noise in a lit room


def made_clip(kind: str, frames: int = 45, seed: int = 0) -> Iterator[np.ndarray]:
    """Draw the frames of a clip as a camera with 15 frames a second would see them, with noise.

    Args:
        kind: one of `CLIPS`:

            - ``standing``: three faces sway.
            - ``walking``: a face crosses the picture at 10 pixels a frame.
            - ``zooming``: a face grows from 60 to 240 pixels.
            - ``turning``: a face turns by 25 degrees to either side.
            - ``vanishing``: one of two faces is away for a sixth of the time, twice.
            - ``entering``: a face comes in from the right, another leaves to the left.
            - ``dimming``: the light falls to a third.
            - ``cut``: halfway the face and the background change.
        frames: number of frames.
        seed: decides the background.

    Yields:
        (480, 640, 3) uint8 RGB.

    Raises:
        ValueError: an unknown kind.
    """
    rng = np.random.default_rng(seed)
    backgrounds = [ground(rng), ground(rng)]
    for index in range(frames):
        share = index / max(1, frames - 1)
        picture = backgrounds[kind == "cut" and share >= 0.5].copy()
        for face in _heads_at(kind, share, index):
            draw_head(picture, *face)
        light = 1 - 0.67 * share if kind == "dimming" else 1.0
        yield np.clip(picture * light + _noise(picture.shape), 0, 255).astype(np.uint8)


def crowd(width: int = 640, height: int = 480, count: int = 4, frames: int = 45, seed: int = 0) -> Iterator[np.ndarray]:
    """Draw frames of any size in which faces in rows sway.

    Args:
        width: width of a frame, pixels.
        height: height of a frame, pixels.
        count: number of faces. Each is about a fifth of the height wide, less when there are many.
        frames: number of frames.
        seed: decides the background.

    Yields:
        (height, width, 3) uint8 RGB.
    """
    rng = np.random.default_rng(seed)
    background = cv2.resize(ground(rng), (width, height))
    columns = int(np.ceil(np.sqrt(count * width / height)))
    rows = -(-count // columns)
    side = min(0.22 * height, 0.55 * height / rows, 0.55 * width / columns)
    for index in range(frames):
        picture = background.copy()
        for face in range(count):
            x, y = (face % columns + 0.5) * width / columns, (face // columns + 0.5) * height / rows
            draw_head(
                picture, x + 0.1 * side * np.sin(0.2 * index + face), y, side, 0.1 * np.sin(0.1 * index), face % 2 == 1
            )
        yield np.clip(picture + _noise(picture.shape), 0, 255).astype(np.uint8)


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    # OpenCV takes numbers for mean and deviation; its stub has arrays only.
    return cv2.randn(np.empty(shape, np.int16), 0, _NOISE_STD)  # type: ignore[call-overload]


def _heads_at(kind: str, share: float, index: int) -> list[tuple[float, float, float, float, bool]]:
    """Centre x and y, width, turn in radians, and whether mirrored, of each face at a `share` of the clip."""
    sway = 8 * np.sin(0.25 * index)
    if kind == "standing":
        return [(120 + 200 * k + sway * (k - 1), 240 + sway, 90 + 10 * k, 0.0, k == 1) for k in range(3)]
    if kind == "walking":
        return [(100 + 10 * index % 440, 240 + sway, 100, 0.0, False)]
    if kind == "zooming":
        return [(320 + sway, 240, 60 * 4**share, 0.0, False)]
    if kind == "turning":
        return [(320 + sway, 240, 120, np.radians(25) * np.sin(2 * np.pi * share), False)]
    if kind == "vanishing":
        hidden = 1 / 6 < share < 1 / 3 or 2 / 3 < share < 5 / 6
        return [(180, 240 + sway, 100, 0.0, False), *([] if hidden else [(450 + sway, 240, 110, 0.0, True)])]
    if kind == "entering":
        return [(720 - 300 * share, 240, 110, 0.0, False), (250 - 350 * share, 230, 100, 0.0, True)]
    if kind == "dimming":
        return [(200 + sway, 240, 100, 0.0, False), (440, 240 + sway, 120, 0.0, True)]
    if kind == "cut":
        return [(180 + sway, 220, 100, 0.0, False)] if share < 0.5 else [(420, 260 + sway, 140, 0.0, True)]
    raise ValueError(f"unknown clip {kind!r}; choose one of {', '.join(CLIPS)}")


def draw_head(picture: np.ndarray, x: float, y: float, width: float, turn: float, mirrored: bool) -> None:
    """Draw the photo's head into a picture, in place, with soft edges.

    Args:
        picture: (H, W, 3) uint8 RGB, changed in place.
        x: centre of the face, pixels from the left.
        y: centre of the face, pixels from the top.
        width: width of the face, pixels.
        turn: rotation in radians.
        mirrored: exchange left and right.
    """
    photo, cover, centre = _head()
    scale = width / _PHOTO_FACE[2]
    if scale < 0.6:  # a warp alone would alias
        photo = cv2.GaussianBlur(photo, (0, 0), 0.35 / scale)
    if mirrored:
        photo, cover, centre = photo[:, ::-1].copy(), cover[:, ::-1].copy(), (photo.shape[1] - centre[0], centre[1])
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    reach = scale * _PHOTO_REACH
    left, right = (int(np.clip(x + side * reach, 0, picture.shape[1])) for side in (-1, 1))
    top, bottom = (int(np.clip(y + side * reach, 0, picture.shape[0])) for side in (-1, 1))
    if right <= left or bottom <= top:
        return
    part = picture[top:bottom, left:right]
    matrix = np.column_stack([rotation, np.array([x - left, y - top]) - rotation @ centre])
    weight = cv2.warpAffine(cover, matrix, part.shape[1::-1])[..., None]
    head = cv2.warpAffine(photo, matrix, part.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    part[:] = part * (1 - weight) + head * weight


@cache
def _head() -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Part of the photo with the head, (260, 270, 3), opacity of each pixel, and centre of the face."""
    photo, centre = sample_picture()[:260, 90:360].copy(), (_PHOTO_FACE[0] - 90, _PHOTO_FACE[1])
    down, across = np.mgrid[: photo.shape[0], : photo.shape[1]]
    distance = np.hypot((across - centre[0]) / 95, (down - centre[1]) / 115)
    return photo, np.clip((1.15 - distance) / 0.2, 0, 1).astype(np.float32), centre


def ground(rng: np.random.Generator) -> np.ndarray:
    """Draw a background of blotches, like a room out of focus.

    Args:
        rng: the only source of chance.

    Returns:
        (480, 640, 3) uint8 RGB.
    """
    coarse = rng.integers(30, 220, (8, 10, 3), dtype=np.uint8)
    return cv2.GaussianBlur(cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC), (0, 0), 12)
