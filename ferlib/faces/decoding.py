"""Decoding inside one guard: whatever a file holds, the answer is an upright RGB picture or one sentence.

The guard has two budgets. Memory: a picture is refused by its header when decoding it would take more than
`MEMORY_BUDGET`, and the conversion to RGB goes strip by strip. Time: the number of scans of a JPEG is limited, since
each of them makes the decoder go over the whole picture again.
"""

import mmap
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ferlib.errors import FerlibError
from ferlib.faces.contents import HEAD_BYTES, PICTURE_CONTENTS, advice, describe_content, read_head

MAX_PIXELS = 100_000_000  # a picture that claims more is refused before it is decoded (300 MB as RGB)
MEMORY_BUDGET = 1_200_000_000  # bytes that decoding and converting one picture may take
MAX_EDGE = 100_000  # pixels; Pillow needs memory for each row, however short
MAX_SCANS = 200  # of a JPEG; encoders write about ten

# Peak memory in bytes a pixel of the decoders that hold more than the picture itself.
_BYTES_PER_PIXEL = {"WEBP": 20, "JPEG2000": 24, "AVIF": 16}
# Only plain raster formats: Pillow would start Ghostscript for EPS.
_USUAL_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM")  # those that Pillow loads at once
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "WEBP", "AVIF", "TIFF", "JPEG2000", "PPM")
_READABLE = PICTURE_CONTENTS & {
    "a JPEG picture", "a PNG picture", "a GIF picture", "a WebP picture", "a TIFF picture", "a JPEG 2000 picture",
    "an AVIF picture",
}  # fmt: skip
_STRIP_PIXELS = 4_000_000  # that are converted at a time
_ORIENTATION = 0x0112  # EXIF tag; the stored picture becomes upright by the change of its value
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda rgb: rgb[:, ::-1],
    3: lambda rgb: rgb[::-1, ::-1],
    4: lambda rgb: rgb[::-1],
    5: lambda rgb: rgb.swapaxes(0, 1),
    6: lambda rgb: np.rot90(rgb, -1),
    7: lambda rgb: rgb[::-1, ::-1].swapaxes(0, 1),
    8: lambda rgb: np.rot90(rgb),
}
_TOPS = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # greatest values of 8, 10, 12, 14 and 16 bits
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # that ends the data of a scan
_SOS, _EOI = 0xDA, 0xD9
_warnings_lock = threading.Lock()  # warnings.catch_warnings is not safe between threads

File = Path | BytesIO
"""A picture file: its path, or its content."""


def decode_file(file: File, name: str, max_pixels: int, note: Callable[[str], None]) -> np.ndarray:
    """Decode a picture file.

    Args:
        file: the file.
        name: name of the picture in sentences.
        max_pixels: size from which the picture is refused.
        note: called with a sentence about what is not read of the file.

    Returns:
        (H, W, 3) uint8 RGB, upright.

    Raises:
        FerlibError: the file is cut short, damaged or no picture, or decoding it exceeds a budget.
        OSError: the file system fails.
    """
    with _guard(file, name, max_pixels), _identify(file) as image:
        return _decode(image, file, name, max_pixels, note)


def decode_image(image: Image.Image, name: str, max_pixels: int, note: Callable[[str], None]) -> np.ndarray:
    """Decode a Pillow image, as `decode_file` does; the image stays as it is.

    Args:
        image: the image.
        name: name of the picture in sentences.
        max_pixels: size from which the picture is refused.
        note: called with a sentence about what is not read of the image.
    """
    with _guard(None, name, max_pixels):
        return _decode(image, None, name, max_pixels, note)


@contextmanager
def _guard(file: File | None, name: str, max_pixels: int) -> Iterator[None]:
    """Turn whatever a reader raises into one sentence; only errors of the file system pass."""
    try:
        yield
    except FerlibError:
        raise
    except UnidentifiedImageError as error:
        raise FerlibError(_no_picture(file, name)) from error
    except Image.DecompressionBombError as error:
        raise FerlibError(too_large(name, max_pixels)) from error
    except MemoryError as error:
        raise FerlibError(f"{name} needs more memory than there is; scale it down first.") from error
    except Exception as error:  # Pillow's readers raise almost anything on damaged data, AssertionError too
        if isinstance(error, OSError) and error.errno:  # not the data but the file system
            raise
        raise FerlibError(f"{name} is cut short or damaged; copy or download it again.") from error


def too_large(name: str, max_pixels: int) -> str:
    """Say that a picture has too many pixels.

    Args:
        name: name of the picture.
        max_pixels: the limit that it exceeds.
    """
    return f"{name} has more than {max_pixels // 1_000_000} megapixels; scale it down first."


def _no_picture(file: File | None, name: str) -> str:
    """Say what a file is that no reader recognises."""
    head = b"" if file is None else file.getvalue()[:HEAD_BYTES] if isinstance(file, BytesIO) else read_head(file)
    description = describe_content(head)
    if description in _READABLE:
        return f"{name} is cut short or damaged; copy or download it again."
    if description is None:
        is_heic = name.lower().endswith((".heic", ".heif"))
        hint = advice("a HEIC photo" if is_heic else None)
        return f"{name} is not a picture that can be read; {hint}."
    return f"{name} is not a picture that can be read but {description}; {advice(description)}."


@cache
def _formats() -> tuple[str, ...]:
    """List the formats of `_FORMATS` that this Pillow can read."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Silence Pillow's warnings: all that a person needs to know becomes a FerlibError."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _identify(file: File) -> Image.Image:
    """Read the header in one of the usual formats, else in any of ours: to load the readers of those takes 0.3 s."""
    Image.preinit()
    with _no_warnings():  # our own limit is checked next; Pillow's warning would come first, at 89 megapixels
        try:
            return Image.open(file, formats=_USUAL_FORMATS)
        except UnidentifiedImageError:
            if isinstance(file, BytesIO):
                file.seek(0)
            return Image.open(file, formats=_formats())


def _decode(
    image: Image.Image, file: File | None, name: str, max_pixels: int, note: Callable[[str], None]
) -> np.ndarray:
    _check_size(image, name, max_pixels)
    if image.mode == "LAB":
        raise FerlibError(f"{name} is in the colour space LAB, which is not supported; save it as RGB.")
    if file is not None and image.format in ("JPEG", "MPO") and _count_scans(file) > MAX_SCANS:
        raise FerlibError(f"{name} is a JPEG of more than {MAX_SCANS} scans, which take too long; save it again.")
    if image.format != "MPO" and getattr(image, "is_animated", False):  # a phone's MPO has a depth map, no frames
        note(f"{name} has several {'pages' if image.format == 'TIFF' else 'frames'}; only the first one is read.")
    is_wide = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    image.load()
    upright = _UPRIGHT.get(_orientation(image))
    rgb = _wide_rgb(image, file) if is_wide and image.mode == "RGB" and file is not None else None
    if rgb is None:
        rgb = _grey_rgb(image) if image.mode == "F" or image.mode.startswith("I") else _rgb(image)
    return rgb if upright is None else np.ascontiguousarray(upright(rgb))


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    """FerlibError for a size that the budget of memory does not allow."""
    pixels = image.width * image.height
    limit = min(max_pixels, MEMORY_BUDGET // _BYTES_PER_PIXEL.get(image.format or "", 1))
    if pixels > limit:
        raise FerlibError(too_large(name, limit))
    if pixels == 0:
        raise FerlibError(f"{name} has no pixels; give another picture.")
    if max(image.size) > MAX_EDGE:
        raise FerlibError(f"{name} has a side of more than {MAX_EDGE:,} pixels; cut it into parts first.")


def _count_scans(file: File) -> int:
    """Count the scans of a JPEG's first picture, up to one more than `MAX_SCANS`."""
    if isinstance(file, BytesIO):
        return _count_scans_of(file.getbuffer())
    with open(file, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _count_scans_of(data)


def _count_scans_of(data: "mmap.mmap | memoryview") -> int:
    scans, place = 0, 2
    while scans <= MAX_SCANS and (marker := _JPEG_MARKER.search(data, place)) is not None:
        code, place = data[marker.start() + 1], marker.end()
        if code == _EOI:
            break
        scans += code == _SOS
        place += int.from_bytes(data[place : place + 2], "big")
    return scans


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1 when there is none or the EXIF block is damaged (viewers ignore it then too)."""
    try:
        with _no_warnings():
            return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # as in `_guard`
        return 1


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the first row and the part of each strip, so that no whole copy is made."""
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _rgb(image: Image.Image) -> np.ndarray:
    """Convert to RGB; transparent pixels become white."""
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for top, strip in _strips(image):
        if image.has_transparency_data:
            strip = strip.convert("RGBA")
            white = Image.new("RGB", strip.size, "white")
            white.paste(strip, mask=strip.getchannel("A"))
            strip = white
        rgb[top : top + strip.height] = np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))
    return rgb


def _grey_rgb(image: Image.Image) -> np.ndarray:
    """Convert grey values of a wider type than 8 bits to RGB."""
    ranges = [(values.min(), values.max()) for values in (_finite(np.asarray(strip)) for _, strip in _strips(image))]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for top, strip in _strips(image):
        rgb[top : top + strip.height] = to_8_bits(np.asarray(strip), float(low), float(high))[..., None]
    return rgb


def _wide_rgb(image: Image.Image, file: File) -> np.ndarray | None:
    """Read colours of 16 bits again by OpenCV where Pillow's 8 of them are dark; None where they suffice.

    Pillow keeps the upper 8 bits, which are nearly black when only the lower 10, 12 or 14 are in use.
    """
    if np.max(image.getextrema()) > 63:
        return None
    data = np.frombuffer(file.getbuffer(), np.uint8) if isinstance(file, BytesIO) else np.fromfile(file, np.uint8)
    colours = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if colours is None or colours.dtype != np.uint16 or colours.shape != (image.height, image.width, 3):
        return None
    colours = colours[..., ::-1]
    low, high = float(colours.min()), float(colours.max())
    return np.stack([to_8_bits(np.ascontiguousarray(colours[..., channel]), low, high) for channel in range(3)], axis=2)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, posinf=0.0, neginf=0.0) if values.dtype.kind == "f" else values


def to_8_bits(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Convert grey values of a wider type to uint8.

    The values decide what white is, since files do not say it: integers use 8, 10, 12, 14 or 16 bits, and floats 0..1
    or one of these; other values are stretched from the least to the greatest.

    Args:
        values: (H, W) integers or floats, perhaps a part of a picture.
        low: least finite value of the picture.
        high: its greatest finite value.

    Returns:
        (H, W) uint8.
    """
    is_share = (values.dtype.kind == "f" and high <= 1) or high != round(high)
    tops = (1.0, 255.0) if is_share else _TOPS
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top == _TOPS[-1] and values.dtype.kind == "u":
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    values = _finite(values).astype(np.float64)
    if top is not None:
        return np.rint(values * (255.0 / top)).astype(np.uint8)
    return np.rint((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
