"""Pictures from files: any of Pillow's modes in, upright RGB out, and one clear sentence for an unreadable file."""

import os
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ferlib import paths
from ferlib.errors import FerlibError

MAX_PIXELS = 100_000_000  # a picture that claims more is refused before it is decoded (300 MB as RGB)
SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp",
        ".avif", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm",
    }
)  # fmt: skip
"""Suffixes of pictures in a folder, in lower case. A file that is named itself is opened whatever its suffix."""
ANNOTATED = ".annotated.png"  # ending of the pictures that `predict` draws

# Only plain raster formats: Pillow would start Ghostscript for EPS.
_USUAL_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM")  # those that Pillow loads at once
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "WEBP", "AVIF", "TIFF", "JPEG2000", "PPM")
_ORIENTATION = 0x0112  # EXIF tag; the stored picture becomes upright by the transposition of its value
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Errors that Pillow's readers raise on damaged data, besides OSError.
_DAMAGE = (
    SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, RuntimeError, struct.error,
)  # fmt: skip
_warnings_lock = threading.Lock()  # warnings.catch_warnings is not safe between threads


def load_picture(source: str | Path | Image.Image) -> np.ndarray:
    """Load a picture, upright (EXIF orientation applied).

    Greyscale, palette, CMYK, 1-bit and 16-bit pictures are converted (16 bits are scaled to 8, not cut off),
    transparent pixels become white, and of an animation the first frame counts.

    Args:
        source: a file, or a Pillow image.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FerlibError: the file is missing, empty, cut short, a folder or no picture, or has more than `MAX_PIXELS`.
    """
    if isinstance(source, Image.Image):
        return _decode(source, "the picture")
    path = Path(source)
    _check_file(path)
    try:
        with _open(path, str(path)) as image:
            return _decode(image, str(path))
    except OSError as error:
        raise FerlibError(f"{path} cannot be opened ({error.strerror or error}); check its permissions.") from error


def decode_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode the bytes of a picture file, as `load_picture` does.

    Args:
        data: content of the file.
        name: name of the picture in error messages.
        max_pixels: size from which the picture is refused.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FerlibError: the bytes are empty, cut short or no picture, or there are too many pixels.
    """
    if not data:
        raise FerlibError(_empty(name))
    with _open(BytesIO(data), name, max_pixels) as image:
        return _decode(image, name, max_pixels)


def check_picture(image: np.ndarray) -> None:
    """Check that a picture is an (H, W, 3) uint8 array with at least one pixel.

    Args:
        image: the picture.

    Raises:
        FerlibError: it is not.
    """
    if not isinstance(image, np.ndarray):
        raise FerlibError(f"A picture must be a NumPy array here, not {type(image).__name__}; use load_picture first.")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise FerlibError(
            f"A picture must be an (H, W, 3) uint8 RGB array, not {image.shape} {image.dtype}; "
            "load_picture gives that for any file or Pillow image."
        )


def find_pictures(path: str | Path, unreadable: Callable[[FerlibError], None] | None = None) -> list[Path]:
    """List the pictures in a folder and its subfolders, sorted; for a file that file alone.

    Suffixes count in either case. Hidden files and folders, and pictures that `predict` has drawn, are left out.

    Args:
        path: a folder or a file.
        unreadable: called with the error of each subfolder that cannot be read, instead of raising it.

    Raises:
        FerlibError: the path does not exist, the folder holds no pictures, or a subfolder cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.exists():
            raise FerlibError(f"{path} does not exist; check the name.")
        return [path]
    pictures: list[Path] = []
    refused: list[FerlibError] = []

    def refuse(error: OSError) -> None:
        refused.append(FerlibError(f"{error.filename} cannot be read ({error.strerror}); check its permissions."))
        if unreadable is None:
            raise refused[-1] from error
        unreadable(refused[-1])

    for folder, subfolders, names in os.walk(path, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        pictures += [Path(folder, name) for name in names if _is_picture_name(name)]
    if not pictures and not refused:
        raise FerlibError(f"{path} holds no pictures; give a folder with files such as .jpg or .png.")
    return sorted(pictures)


def sample_picture() -> np.ndarray:
    """Load the package's photo with one smiling face.

    The astronaut Eileen Collins, photographed by NASA; in the public domain.

    Returns:
        (512, 512, 3) uint8 RGB.
    """
    return load_picture(paths.WEIGHTS / "astronaut.png")


def _is_picture_name(name: str) -> bool:
    lower = name.lower()
    return not name.startswith(".") and not lower.endswith(ANNOTATED) and Path(lower).suffix in SUFFIXES


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise FerlibError(f"{path} is a folder; give a picture in it.")
    if not path.exists():
        raise FerlibError(f"{path} does not exist; check the name.")
    if not path.is_file():
        raise FerlibError(f"{path} is not a regular file; give a picture.")
    if path.stat().st_size == 0:
        raise FerlibError(_empty(str(path)))


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


def _identify(file: Path | BytesIO) -> Image.Image:
    """Open a picture in one of the usual formats, else in any of ours: to load the readers of those takes 0.3 s."""
    Image.preinit()
    try:
        return Image.open(file, formats=_USUAL_FORMATS)
    except UnidentifiedImageError:
        if isinstance(file, BytesIO):
            file.seek(0)
        return Image.open(file, formats=_formats())


def _open(file: Path | BytesIO, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a picture's header only."""
    try:
        with _no_warnings():  # our own limit is checked next; Pillow's warning would come first, at 89 megapixels
            return _identify(file)
    except UnidentifiedImageError as error:
        hint = "export it as JPEG first" if name.lower().endswith((".heic", ".heif")) else "give a JPEG or PNG file"
        raise FerlibError(f"{name} is not a picture that can be read; {hint}.") from error
    except Image.DecompressionBombError as error:
        raise FerlibError(_too_large(name, max_pixels)) from error
    except (OSError, *_DAMAGE) as error:
        if getattr(error, "errno", None):  # not the data but the file system
            raise
        raise FerlibError(f"{name} is cut short or damaged; copy or download it again.") from error


def _empty(name: str) -> str:
    return f"{name} is empty (0 bytes); copy or download it again."


def _too_large(name: str, max_pixels: int) -> str:
    return f"{name} has more than {max_pixels // 1_000_000} megapixels; scale it down first."


def _decode(image: Image.Image, name: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    if image.width * image.height > max_pixels:
        raise FerlibError(_too_large(name, max_pixels))
    if image.width * image.height == 0:
        raise FerlibError(f"{name} has no pixels; give another picture.")
    if image.mode == "LAB":
        raise FerlibError(f"{name} is in the colour space LAB, which is not supported; save it as RGB.")
    try:
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        rgb = _to_rgb(image)
    except Image.DecompressionBombError as error:
        raise FerlibError(_too_large(name, max_pixels)) from error
    except (OSError, *_DAMAGE) as error:
        raise FerlibError(f"{name} is cut short or damaged; copy or download it again.") from error
    except MemoryError as error:
        raise FerlibError(f"{name} needs more memory than there is; scale it down first.") from error
    return np.array(rgb if turn is None else rgb.transpose(turn))


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1 when there is none or the EXIF block is damaged (viewers ignore it then too)."""
    try:
        with _no_warnings():
            return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, *_DAMAGE):
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Convert grey values of a wider type to uint8.

    16-bit files use 0..65535, and floats 0..1 or 0..255; other values are stretched from the least to the
    greatest. 32-bit integers may hold any of them (Pillow opens some 16-bit files as such), so the values decide.
    """
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    tops = (1.0, 255.0) if high != round(high) or high <= 1 else (255.0, 65535.0)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is not None:
        return np.rint(values * (255.0 / top)).astype(np.uint8)
    return np.rint((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
