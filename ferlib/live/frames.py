"""One picture of a stream, and the way from compressed bytes or OpenCV's arrays to it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ferlib.errors import FerlibError

LARGEST_LIVE = 2560 * 1440  # pixels; decoding a larger frame alone takes longer than a frame may


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a stream.

    Attributes:
        index: number of the frame, from 0; frames that were passed over count.
        time: seconds on the stream's own clock.
        image: (H, W, 3) uint8 RGB.
    """

    index: int
    time: float
    image: np.ndarray


def decode_jpeg(data: bytes, limit: int = LARGEST_LIVE) -> np.ndarray:
    """Decode a JPEG of a camera.

    Args:
        data: the JPEG file.
        limit: most pixels that are decoded.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FerlibError: the data are empty, no JPEG, cut short, or have more than `limit` pixels.
    """
    if len(data) == 0:
        raise FerlibError("An empty frame came from the camera (0 bytes); it was passed over.")
    size = _jpeg_size(data)
    if size is None:
        raise FerlibError("What came from the camera is no JPEG picture; it was passed over.")
    if size[0] * size[1] > limit:
        raise FerlibError(f"A frame of {size[0]} x {size[1]} is too large for live work; choose a smaller resolution.")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if size[0] * size[1] else None
    if picture is None:
        raise FerlibError("A frame from the camera is damaged; it was passed over.")
    return as_rgb(picture)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Read width and height from the frame header (marker SOFn, ITU-T T.81 B.2.2), before anything is decoded."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    return None


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """Convert OpenCV's picture to RGB, the one place where the order of channels changes.

    Args:
        picture: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8: grey, BGR or BGRA.
    """
    codes: dict[int, Any] = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    return cv2.cvtColor(picture, codes[channels])


def encode_jpeg(image: np.ndarray, longest_side: int = 960, quality: int = 85) -> bytes:
    """Encode a picture as JPEG.

    Args:
        image: (H, W, 3) uint8 RGB.
        longest_side: a picture with a longer side is scaled down to it, pixels.
        quality: of the JPEG, 0..100.
    """
    shrink = longest_side / max(image.shape[:2])
    if shrink < 1:
        size = max(1, round(shrink * image.shape[1])), max(1, round(shrink * image.shape[0]))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
